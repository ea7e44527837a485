"""Objects by obstore, which knows all three kinds of stores."""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import obstore
from obstore import exceptions

from mkindex.hosts.buckets import BucketAddress
from mkindex.stores.objects import (
    ABSENT,
    ChangedObject,
    Condition,
    Conflict,
    Content,
    End,
    Headers,
    LargeObject,
    MissingObject,
    Original,
    StoredObject,
    StoreError,
)
from mkindex.stores.reasons import describe

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ObjectStore as Store

_SHA256_NAMES = ("sha256", "checksum-sha256")  # in the metadata of objects
_SHA256 = re.compile("[0-9A-Fa-f]{64}")
_NO_BUCKET = re.compile("NoSuchBucket|ContainerNotFound")
_NO_RANGE = re.compile("status code: 416|InvalidRange|non-partial response")  # what S3 says of an empty object
_PART = 8 << 20  # bytes of a part of a large upload: 10,000 parts are allowed
_AT_ONCE = 4  # parts that are uploaded at the same time


class ObstoreObjects:
    """The objects of an obstore store below `prefix`."""

    def __init__(self, store: "Store", address: BucketAddress, url: str | None) -> None:
        self._has_no_suffix = address.scheme == "az"  # a range without its start
        self._has_generations = address.scheme == "gs"
        self._generations: dict[str, tuple[str, str]] = {}  # by key: the last ETag, and the generation that has it
        self._store = store
        self._prefix = address.prefix
        self.address = str(address)
        self.url = url and f"{url}/{quote(address.prefix)}"
        self.is_conditional = True

    def directory_key(self, directory: str) -> str | None:
        """Return None: obstore removes the slash."""
        del directory
        return None

    def get(self, key: str, *, most: int) -> Content | None:
        """Return an object of at most `most` bytes; None if there is none."""
        with store_errors():
            try:
                found = obstore.get(self._store, self._prefix + key)
                if found.meta["size"] > most:
                    raise LargeObject(key, most)
                etag = self._remembered(key, found.meta["e_tag"], found.meta["version"])
                return Content(bytes(found.bytes()), etag, _seconds(found.meta))
            except FileNotFoundError as error:
                _require_bucket(error)
                return None

    def head(self, key: str) -> StoredObject | None:
        """Return what is known about an object without reading it; None if there is none."""
        with store_errors():
            try:
                found = obstore.head(self._store, self._prefix + key)
                self._remembered(key, found["e_tag"], found["version"])
                return self._stored(found)
            except FileNotFoundError:
                return None

    def read_end(self, key: str, length: int) -> End:
        """Return the last bytes of an object, at most `length`, and the sha256 in its metadata."""
        with store_errors(), _missing(key):
            size = self._size(key) if self._has_no_suffix else length  # the range must not be empty
            if size == 0:
                return End(b"", "")
            part: Any = {"suffix": length} if not self._has_no_suffix else (max(0, size - length), size)
            try:
                found = obstore.get(self._store, self._prefix + key, options={"range": part})
            except exceptions.GenericError as error:
                if _NO_RANGE.search(str(error)) and self._size(key) == 0:
                    return End(b"", "")
                raise
            kept = {name.lower(): str(value) for name, value in found.attributes.items()}
            sha256 = next((kept[name].lower() for name in _SHA256_NAMES if _SHA256.fullmatch(kept.get(name, ""))), "")
            return End(bytes(found.bytes()), sha256)

    def _size(self, key: str) -> int:
        return obstore.head(self._store, self._prefix + key)["size"]

    def read(self, key: str, start: int, length: int, *, etag: str) -> bytes:
        """Return bytes of an object, which must still have this ETag."""
        with store_errors(), _missing(key), _unchanged():
            options: Any = {"range": (start, start + length), **({"if_match": etag} if etag else {})}
            data = bytes(obstore.get(self._store, self._prefix + key, options=options).bytes())
        if len(data) != length:
            raise StoreError(f"sends {len(data):,} of the {length:,} bytes that were requested")
        return data

    def stream(self, key: str, start: int, *, etag: str) -> Iterator[bytes]:
        """Yield the bytes of an object from `start` on."""
        with store_errors(), _missing(key), _unchanged():
            options: Any = {**({"range": {"offset": start}} if start else {}), **({"if_match": etag} if etag else {})}
            found = obstore.get(self._store, self._prefix + key, options=options)
            for part in found.stream(min_chunk_size=1 << 20):
                yield bytes(part)

    def checksum(self, key: str) -> str:
        """Return "": only S3 computes a sha256."""
        del key
        return ""

    def list(self, prefix: str = "", *, recursive: bool = True) -> Iterator[StoredObject]:
        """Yield the objects whose keys begin with `prefix`, in any order."""
        with store_errors():
            if not recursive:
                found = obstore.list_with_delimiter(self._store, self._prefix + prefix or None)
                yield from map(self._stored, found["objects"])
                return
            for chunk in obstore.list(self._store, self._prefix + prefix or None, chunk_size=1000):
                yield from map(self._stored, chunk)

    def _stored(self, meta: "ObjectMeta") -> StoredObject:
        key = meta["path"].removeprefix(self._prefix)
        return StoredObject(key, meta["size"], meta["e_tag"] or "", _seconds(meta))

    def names(self) -> Iterable[str]:
        """Return the first parts of all keys."""
        with store_errors():
            found = obstore.list_with_delimiter(self._store, self._prefix or None)
        paths = [*found["common_prefixes"], *(meta["path"] for meta in found["objects"])]
        return [path.removeprefix(self._prefix) for path in paths]

    def put(self, key: str, data: bytes, headers: Headers, *, condition: Condition | None = None) -> str:
        """Create or replace an object, and return its ETag. Raises Conflict if the condition does not hold."""
        if condition is not None and not self.is_conditional:
            self._require(key, condition)
            condition = None
        try:
            with store_errors():
                return self._put(key, data, headers, condition)
        except Unsupported:
            self.is_conditional = False
            return self.put(key, data, headers, condition=condition)
        except FileNotFoundError as error:
            raise StoreError(describe(str(error))) from error
        except (exceptions.AlreadyExistsError, exceptions.PreconditionError) as error:
            # A request that was sent again after a lost response finds what it has written itself.
            there = self.get(key, most=sys.maxsize) if data else None
            if there and there.data == data:
                return there.etag
            raise Conflict from error

    def _put(self, key: str, data: bytes, headers: Headers, condition: Condition | None) -> str:
        mode: Any = "overwrite" if condition is None else "create"
        if isinstance(condition, str):
            mode = {"e_tag": condition, **self._generation(key, condition)}
        path, attributes = self._prefix + key, _attributes(headers)
        done = obstore.put(self._store, path, data, attributes=attributes, mode=mode, use_multipart=False)
        return self._remembered(key, done["e_tag"], done["version"])

    def _remembered(self, key: str, etag: str | None, generation: str | None) -> str:
        """Return an ETag. Google Cloud Storage has no conditions on it, only on the generation that it belongs to."""
        if self._has_generations and etag and generation:
            self._generations[key] = (etag, generation)
        return etag or ""

    def _generation(self, key: str, etag: str) -> dict[str, str]:
        """Return the generation of an object as it had this ETag. Raises Conflict if it is known to have another."""
        if not self._has_generations:
            return {}
        last, generation = self._generations.get(key, ("", ""))
        if last != etag:
            raise Conflict
        return {"version": generation}

    def _require(self, key: str, condition: Condition) -> None:
        """Raise Conflict if a condition does not hold now."""
        there = self.get(key, most=sys.maxsize)
        if (there.etag if there else ABSENT) != condition:
            raise Conflict

    def upload(self, key: str, parts: Iterator[bytes], headers: Headers, *, size: int, sha256: str) -> None:
        """Create or replace an object of any size; obstore aborts an upload whose parts raise an error."""
        with store_errors(), _missing(key):
            obstore.put(
                self._store,
                self._prefix + key,
                _made_ahead(parts) if size > _PART else b"".join(parts),
                attributes={**_attributes(headers), "sha256": sha256},
                use_multipart=size > _PART,
                chunk_size=_PART,
                max_concurrency=_AT_ONCE,
            )

    def copies_from(self, address: str) -> bool:
        """Return False: obstore copies without a condition, and keeps the headers of the original."""
        del address
        return False

    def copy(self, key: str, original: Original, headers: Headers) -> None:
        """Raise NotImplementedError, see `copies_from`."""
        raise NotImplementedError

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; those that do not exist are ignored."""
        with store_errors():
            for start in range(0, len(keys), 1000):
                try:
                    obstore.delete(self._store, [self._prefix + key for key in keys[start : start + 1000]])
                except FileNotFoundError:  # Azure and Google say so, and stop there
                    for key in keys[start : start + 1000]:
                        self._delete_one(key)

    def _delete_one(self, key: str) -> None:
        with suppress(FileNotFoundError):
            obstore.delete(self._store, self._prefix + key)

    def abort_uploads(self, prefix: str, *, silent_for: float) -> None:
        """Do nothing: Azure and Google delete what was not committed after a week."""


def _made_ahead(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Yield parts that another thread makes: obstore cannot be called by what it iterates over."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, parts, None)
        while (part := coming.result()) is not None:
            coming = thread.submit(next, parts, None)
            yield part


class Unsupported(Exception):
    """The store has no conditional writes."""


@contextmanager
def store_errors() -> Iterator[None]:
    """Raise StoreError for the errors of obstore, except for those that say that an object is or is not there."""
    try:
        yield
    except (exceptions.AlreadyExistsError, exceptions.PreconditionError, FileNotFoundError):
        raise
    except (exceptions.NotSupportedError, NotImplementedError) as error:
        raise Unsupported from error
    except (exceptions.BaseError, ValueError) as error:
        if "status code: 501" in str(error):
            raise Unsupported from error
        raise StoreError(describe(str(error))) from error


@contextmanager
def _missing(key: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        _require_bucket(error)
        raise MissingObject(f"{key} does not exist") from error


@contextmanager
def _unchanged() -> Iterator[None]:
    try:
        yield
    except exceptions.PreconditionError as error:
        raise ChangedObject from error


def _require_bucket(error: FileNotFoundError) -> None:
    """Raise StoreError if it is the bucket that does not exist, not only an object."""
    if _NO_BUCKET.search(str(error)):
        raise StoreError(describe(str(error))) from error


def _seconds(meta: "ObjectMeta") -> int:
    return int(meta["last_modified"].timestamp())


def _attributes(headers: Headers) -> dict[str, str]:
    return {"Content-Type": headers.content_type, "Cache-Control": headers.cache_control}
