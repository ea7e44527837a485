"""The objects of a bucket as files below an http address, so that `examine/` reads them as it reads links."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import unquote

from mkindex.model.files import format_upload_time
from mkindex.stores.objects import MissingObject, ObjectStore, StoredObject, StoreError
from mkindex.web.ranges import TAIL
from mkindex.web.responses import FileHead, RequestFailed


class BucketReader:
    """Reads `objects`, those of a listing by key, as files below `address`, and nothing else of the bucket."""

    def __init__(self, store: ObjectStore, address: str, objects: Mapping[str, StoredObject]) -> None:
        self._store = store
        self._address = address
        self._objects = objects

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


@contextmanager
def _request_errors(url: str) -> Iterator[None]:
    try:
        yield
    except MissingObject as error:
        raise RequestFailed(url, "not found in the bucket", status=404) from error
    except StoreError as error:
        raise RequestFailed(url, str(error)) from error
