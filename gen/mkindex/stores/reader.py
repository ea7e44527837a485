"""The objects of a bucket as files below an http address, so that `examine/` reads them as it reads links."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from mkindex.model.files import format_upload_time
from mkindex.stores.objects import MissingObject, ObjectStore, StoredObject, StoreError
from mkindex.tree.names import METADATA_SUFFIX
from mkindex.web.ranges import TAIL
from mkindex.web.responses import FileHead, RequestFailed


class Opening(NamedTuple):
    """How a bucket is opened: its address, and settings (KEY=VALUE). Credentials come from the environment."""

    location: str
    settings: tuple[str, ...]
    timeout: float  # seconds

    def open(self) -> ObjectStore:
        """Return the objects. Raises ConfigError."""
        from mkindex.stores.open import open_bucket

        return open_bucket(self.location, self.settings, timeout=self.timeout)


class BucketReader:
    """Reads `objects`, those of a listing by key, as files below `address`, and nothing else of the bucket.

    If it is pickled, the bucket is opened again by the process that reads it.
    """

    def __init__(self, store: ObjectStore, address: str, objects: Mapping[str, StoredObject], opening: Opening) -> None:
        self._store = store
        self._address = address
        self._objects = objects
        self._opening = opening

    def __reduce__(self) -> tuple[object, ...]:
        return _open_again, (self._opening, self._address, self._objects)

    def part(self, urls: Collection[str]) -> "BucketReader":
        """Return what reads these files in another process."""
        keys = [key for url in urls for key in (self._key(url), f"{self._key(url)}{METADATA_SUFFIX}")]
        objects = {key: self._objects[key] for key in keys if key in self._objects}
        return BucketReader(self._store, self._address, objects, self._opening)

    def holds(self, url: str) -> bool:
        """Tell whether the listing has a file."""
        return url.startswith(self._address) and self._key(url) in self._objects

    def head(self, url: str) -> FileHead:
        """Return what is known about a file without reading it."""
        found = self._objects[self._key(url)]  # what the listing said is not asked again
        return FileHead(url, "", found.size, found.etag, format_upload_time(found.modified))

    def kept_sha256(self, url: str) -> tuple[str, bytes]:
        """Return the sha256 in the metadata of an object, or that the store computed, and the end of the object."""
        key = self._key(url)
        with _request_errors(url):
            end = self._store.read_end(key, TAIL)
            return end.sha256 or self._store.checksum(key), end.data

    def stream(self, url: str, start: int, validator: str) -> Iterator[bytes]:
        """Yield the bytes of a file from `start` on."""
        with _request_errors(url):
            yield from self._store.stream(self._key(url), start, etag=validator)

    def get_range(self, url: str, start: int, length: int, validator: str) -> bytes:
        """Return some bytes of a file."""
        with _request_errors(url):
            return self._store.read(self._key(url), start, length, etag=validator)

    def find_object(self, url: str) -> tuple[str, str]:
        """Return the address of the bucket, and the key of a file."""
        return self._store.address, self._key(url)

    def _key(self, url: str) -> str:
        return unquote(url[len(self._address) :])


def _open_again(opening: Opening, address: str, objects: Mapping[str, StoredObject]) -> BucketReader:
    return BucketReader(_open_once(opening), address, objects, opening)


@lru_cache(maxsize=4)
def _open_once(opening: Opening) -> ObjectStore:
    """Return the objects of a bucket. Connections are used again for the next files of it."""
    return opening.open()


@contextmanager
def _request_errors(url: str) -> Iterator[None]:
    try:
        yield
    except MissingObject as error:
        raise RequestFailed(url, "not found in the bucket", status=404) from error
    except StoreError as error:
        raise RequestFailed(url, str(error)) from error
