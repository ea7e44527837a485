"""An object store in memory that records its requests, and fails at one of them; and indexes in it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from mkindex.publish.claim import ClaimTimes
from mkindex.stores.objects import (
    ABSENT,
    ChangedObject,
    Conflict,
    Content,
    End,
    Headers,
    LargeObject,
    MissingObject,
    Original,
    StoredObject,
)
from support.trees import OWN_DIRECTORY, find_broken_links

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pytest

    from mkindex.stores.objects import Condition

ADDRESS = "s3://a-bucket/python"
AT_ONCE = ClaimTimes(
    renewal=999.0, lease=0.0, patience=30.0
)  # a claim that does not change between two looks is that of a dead writer


LONG_AGO = 1_700_000_000  # seconds since the epoch


class Object(NamedTuple):
    data: bytes
    etag: str
    headers: Headers
    modified: int = LONG_AGO


@dataclass
class FakeStore:
    """Objects by key. `fails(number, request)` is called before each request, and may raise an error."""

    objects: dict[str, Object] = field(default_factory=dict)
    fails: Callable[[int, str], object] = lambda number, request: None
    is_conditional: bool = True
    ignores_conditions: bool = False
    ignores_etags: bool = False  # only that an object does not exist is a condition
    has_digests: bool = False  # as ETags, as in S3
    requests: list[str] = field(default_factory=list)
    sha256: dict[str, str] = field(default_factory=dict)  # in the metadata of objects
    checksums: dict[str, str] = field(default_factory=dict)  # that the store computed
    address: str = ADDRESS
    url: str | None = "https://a-bucket.example/python/"
    _lock: Lock = field(default_factory=Lock)
    _writes: int = 0

    def _request(self, request: str) -> None:
        self.requests.append(request)
        self.fails(len(self.requests), request)

    def directory_key(self, directory: str) -> str | None:
        return directory

    def get(self, key: str, *, most: int) -> Content | None:
        with self._lock:
            self._request(f"GET {key}")
            found = self.objects.get(key)
            if found and len(found.data) > most:
                raise LargeObject(key, most)
            return Content(found.data, found.etag, found.modified) if found else None

    def head(self, key: str) -> StoredObject | None:
        with self._lock:
            self._request(f"HEAD {key}")
            return self._stored(key) if key in self.objects else None

    def _stored(self, key: str) -> StoredObject:
        found = self.objects[key]
        return StoredObject(key, len(found.data), found.etag, found.modified)

    def list(self, prefix: str = "", *, recursive: bool = True) -> Iterator[StoredObject]:
        with self._lock:
            self._request(f"LIST {prefix}")
            keys = [key for key in self.objects if key.startswith(prefix)]
            found = [self._stored(key) for key in keys if recursive or "/" not in key[len(prefix) :]]
        yield from found

    def read_end(self, key: str, length: int) -> End:
        with self._lock:
            self._request(f"END {key}")
            return End(self._found(key).data[-length:], self.sha256.get(key, ""))

    def read(self, key: str, start: int, length: int, *, etag: str) -> bytes:
        with self._lock:
            self._request(f"READ {key}")
            found = self._found(key)
            if etag and etag != found.etag:
                raise ChangedObject
            return found.data[start : start + length]

    def stream(self, key: str, start: int, *, etag: str) -> Iterator[bytes]:
        with self._lock:
            self._request(f"STREAM {key}")
            found = self._found(key)
            if etag != found.etag:
                raise ChangedObject
        yield found.data[start:]

    def checksum(self, key: str) -> str:
        with self._lock:
            self._request(f"CHECKSUM {key}")
            return self.checksums.get(key, "")

    def _found(self, key: str) -> Object:
        if key not in self.objects:
            raise MissingObject(f"{key} does not exist")
        return self.objects[key]

    def names(self) -> Iterable[str]:
        with self._lock:
            self._request("LIST /")
            return {key.partition("/")[0] for key in self.objects}

    def put(self, key: str, data: bytes, headers: Headers, *, condition: Condition | None = None) -> str:
        with self._lock:
            self._request(f"PUT {key}")
            found = self.objects.get(key)
            is_ignored = self.ignores_conditions or (self.ignores_etags and condition is not ABSENT)
            is_judged = condition is not None and not is_ignored
            if is_judged and (found.etag if found else ABSENT) != condition:
                raise Conflict
            self._writes += 1
            etag = hashlib.sha256(data).hexdigest() if self.has_digests else str(self._writes)
            self.objects[key] = Object(data, f'"{etag}"', headers)
            return self.objects[key].etag

    def upload(self, key: str, parts: Iterator[bytes], headers: Headers, *, size: int, sha256: str) -> None:
        del size, sha256
        self.put(key, b"".join(parts), headers)

    def copies_from(self, address: str) -> bool:
        return address.partition("://")[0] == self.address.partition("://")[0]

    def copy(self, key: str, original: Original, headers: Headers) -> None:
        assert isinstance(original.store, FakeStore)
        with self._lock:
            self._request(f"COPY {key}")
            found = original.store._found(original.key)
            if found.etag != original.etag:
                raise ChangedObject
            self._writes += 1
            self.objects[key] = Object(found.data, f'"{self._writes}"', headers)
            self.sha256[key] = original.sha256

    def delete(self, keys: Sequence[str]) -> None:
        with self._lock:
            self._request(f"DELETE {' '.join(keys)}")
            for key in keys:
                self.objects.pop(key, None)

    def abort_uploads(self, prefix: str, *, silent_for: float) -> None:
        with self._lock:
            self._request(f"ABORT {prefix} {silent_for:.0f}")


def use(
    monkeypatch: pytest.MonkeyPatch,
    store: FakeStore,
    waiting: ClaimTimes = AT_ONCE,
    *,
    others: Mapping[str, FakeStore] | None = None,
) -> None:
    """Let every bucket that a build opens be this store, except for `others`, by their addresses."""
    monkeypatch.setattr(
        "mkindex.stores.open.open_bucket", lambda location, options, timeout: (others or {}).get(location, store)
    )
    monkeypatch.setattr("mkindex.publish.bucket.ClaimTimes", lambda: waiting)


def tree_in(store: FakeStore) -> dict[str, bytes]:
    """Return the tree in a store: paths and bytes, without what only mkindex reads."""
    own = f"{OWN_DIRECTORY}/"
    return {key: one.data for key, one in store.objects.items() if key and key[-1] != "/" and not key.startswith(own)}


def pages_of_directories(store: FakeStore) -> dict[str, bytes]:
    """Return the pages at keys with a slash at the end, each by the path of its index.html."""
    return {f"{key}index.html": one.data for key, one in store.objects.items() if not key or key[-1] == "/"}


def broken_links(store: FakeStore) -> list[str]:
    """Return what clients would fail on, with either address of a page."""
    tree = tree_in(store)
    return find_broken_links(tree) + find_broken_links(tree | pages_of_directories(store))


def fail_at(number: int, error: Callable[[], BaseException], *, lasting: bool = True) -> Callable[[int, str], object]:
    """Return what raises an error at a request, and if `lasting` at all later ones."""

    def fail(error: Callable[[], BaseException], now: int, request: str) -> None:
        del request
        if now == number or (lasting and now > number):
            raise error()

    return partial(fail, error)
