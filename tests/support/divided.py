"""Buckets whose manifest is divided, although the index is small."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mkindex.tree.names import MANIFEST, PARTS_DIRECTORY
from mkindex.tree.parts import decode_list, is_list, part_path

if TYPE_CHECKING:
    import pytest

    from mkindex.stores.objects import ObjectStore


def divide(patch: pytest.MonkeyPatch) -> None:
    """Let every manifest that is written be divided."""
    patch.setattr("mkindex.publish.bucket_manifest.MOST_WHOLE", 0)


def is_divided(store: ObjectStore) -> bool:
    return is_list(_manifest(store))


def listed_parts(store: ObjectStore) -> set[str]:
    """Return the paths of the parts that the manifest lists; none if it is whole."""
    data = _manifest(store)
    values: Any = decode_list(data) if is_list(data) else {"parts": {}}
    return {part_path(part[0]) for part in values["parts"].values()}


def stored_parts(store: ObjectStore) -> set[str]:
    return {one.key for one in store.list(f"{PARTS_DIRECTORY}/")}


def _manifest(store: ObjectStore) -> bytes:
    found = store.get(MANIFEST, most=1 << 20)
    return found.data if found else b""
