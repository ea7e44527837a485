"""Which objects are in a bucket. The first few are looked up one by one; after that, all keys are listed once."""

from functools import cached_property

from mkindex.stores.objects import ObjectStore

_FEW = 32


class ObjectKeys:
    """The keys of a store, as they were when they were first asked for."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._asked = 0

    def has(self, key: str) -> bool:
        """Tell whether there is an object with a key. Raises StoreError."""
        if key.partition("/")[0] not in self._names:
            return False  # as for all files of the first build
        self._asked += 1
        return key in self._keys if self._asked > _FEW else self._store.head(key) is not None

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(self._store.names())

    @cached_property
    def _keys(self) -> frozenset[str]:
        return frozenset(one.key for one in self._store.list())
