"""A store whose requests are counted, and can be followed by a look of a reader, or by the end of the writer."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from support.fake_store import AT_ONCE
from support.faulty_disk import ProcessKilled
from support.trees import OWN_DIRECTORY, find_broken_links

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from mkindex.stores.objects import ObjectStore

_NO_REQUESTS = ("directory_key", "copies_from")


class WatchedStore:
    """A store. `killed_at`: the request that its writer does not make any more, nor any later one; 0: none."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.requests = 0
        self.killed_at = 0
        self.look: Callable[[], object] | None = None  # called after each request

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (an attribute of a store)
        attribute = getattr(self._store, name)
        if not callable(attribute) or name in _NO_REQUESTS:
            return attribute

        @wraps(attribute)
        def request(*arguments: object, **options: object) -> object:
            self.requests += 1
            if self.killed_at and self.requests >= self.killed_at:
                raise ProcessKilled
            answer = attribute(*arguments, **options)
            if self.look:
                self.look()
            return answer

        return request


def watch(patch: pytest.MonkeyPatch, store: ObjectStore) -> WatchedStore:
    """Let builds use a store through what is returned, and take any claim for that of a dead writer."""
    watched = WatchedStore(store)
    patch.setattr("mkindex.stores.open.open_bucket", lambda location, options, timeout: watched)
    patch.setattr("mkindex.publish.bucket.ClaimTimes", lambda: AT_ONCE)
    return watched


def read_objects(store: ObjectStore) -> dict[str, bytes]:
    """Return all objects but those that only mkindex reads, by key."""
    keys = [one.key for one in store.list() if not one.key.startswith(f"{OWN_DIRECTORY}/")]
    found = {key: store.get(key, most=1 << 30) for key in keys if not key.endswith("/")}
    return {key: content.data for key, content in found.items() if content}


def broken_links(store: ObjectStore) -> list[str]:
    """Return what a reader finds that is not whole, or not there."""
    return find_broken_links(read_objects(store))
