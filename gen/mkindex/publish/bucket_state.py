"""What the manifest of a bucket says, as it was when it was read: whole, or divided into parts."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from heapq import merge
from io import BytesIO
from itertools import groupby
from typing import NamedTuple

from mkindex.errors import DestinationError
from mkindex.model.index import Outline, normalize_name
from mkindex.publish import divided
from mkindex.publish.divided import PartList
from mkindex.publish.plan import HeldEntry
from mkindex.stores.objects import Content, ObjectStore, StoreError
from mkindex.text import printable
from mkindex.tree import manifest
from mkindex.tree.manifest import ROOT_SECTION, Entry, Extent, Stage
from mkindex.tree.names import MANIFEST
from mkindex.tree.parts import is_list, part_digest, part_path


class Parts:
    """The parts of a divided manifest. Each is read once."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._known: dict[str, tuple[bytes, Extent]] = {}  # by their sha256

    def open(self, name: str, sha256: str) -> tuple[BytesIO, Extent]:
        """Return the part of a section, and where that is in it. Raises DestinationError if it is not as written."""
        if sha256 not in self._known:
            address, path = printable(self._store.address), part_path(sha256)
            try:
                found = self._store.get(path, most=manifest.LARGEST)
            except StoreError as error:
                raise DestinationError(f"{address}: {error}") from error
            extents = _extents(found.data) if found and part_digest(found.data) == sha256 else []
            if found is None or [extent.name for extent in extents] != [name]:
                raise DestinationError(
                    f"{address}/{path} is {'damaged' if found else 'missing'}, so it is not known which files of "
                    f"{name or 'the index'} are published. If another mkindex ran meanwhile, run again. Otherwise "
                    f"delete {MANIFEST}, and build the index from its sources with --overwrite"
                )
            self._known[sha256] = found.data, extents[0]
        data, extent = self._known[sha256]
        return BytesIO(data), extent


def _extents(data: bytes) -> list[Extent]:
    """Return where the sections of a manifest are; nothing if it is damaged."""
    try:
        return [extent for extent, _ in manifest.sections(BytesIO(data))]
    except manifest.DamagedManifest:
        return []


class KnownSection(NamedTuple):
    """A section, whose lines are read when they are needed."""

    name: str
    key: str  # "": a path in it is retired
    entry_count: int
    open: Callable[[], tuple[BytesIO, Extent]]
    outline: Outline | None = None  # None: the manifest is whole

    def lines(self) -> list[bytes]:
        """Return the lines of its entries."""
        return manifest.read(*self.open())

    def optional(self) -> list[bytes]:
        """Return its other lines."""
        return manifest.read_optional(*self.open())

    def held(self, intended: Iterable[Entry] = ()) -> Iterator[HeldEntry]:
        """Yield its entries, and those that a writer which died was to write or delete there."""
        yield from held_entries(manifest.decode(self.name, self.lines()), intended)


@dataclass(frozen=True)
class BucketState:
    """A manifest, and the sections in it."""

    etag: str = ""  # "": there is none
    data: bytes = b""
    sections: Mapping[str, KnownSection] = field(default_factory=dict)  # by name, in order
    parts: PartList | None = None  # None: the manifest is whole

    @property
    def root_lines(self) -> Sequence[bytes]:
        """What is recorded about the whole tree."""
        return self.sections[ROOT_SECTION].optional() if ROOT_SECTION in self.sections else ()

    @property
    def extents(self) -> list[Extent]:
        """Where the sections of a whole manifest are."""
        return [] if self.parts else [section.open()[1] for section in self.sections.values()]

    def files_at(self, paths: Collection[str]) -> Mapping[str, Entry]:
        """Return the entries of files among these paths, which only sections whose name fits can have."""
        wanted = set(paths)
        prefixes = {prefix for path in wanted for prefix in _prefixes(path)}
        named = (section for name, section in self.sections.items() if name in prefixes)
        entries = (held.entry for section in named for held in section.held())
        return {entry.path: entry for entry in entries if entry.stage == Stage.FILE and entry.path in wanted}


def read_state(found: Content | None, stored: Parts) -> BucketState:
    """Return the state that a manifest describes; one of which no section can be read if it is damaged.

    Raises NewerManifest.
    """
    if found is None:
        return BucketState()
    sections: dict[str, KnownSection] = {}
    try:
        if is_list(found.data):
            parts = divided.decode(found.data)
            return BucketState(found.etag, found.data, _divided_sections(parts, stored), parts)
        for extent, lines in manifest.sections(BytesIO(found.data)):
            key = manifest.key(extent.name, lines)
            sections[extent.name] = KnownSection(extent.name, key, len(lines), _opening(found.data, extent))
    except manifest.NewerManifest:
        raise
    except manifest.DamagedManifest:
        pass
    return BucketState(found.etag, found.data, sections)


def _prefixes(path: str) -> Iterator[str]:
    """Yield the names of projects that a file with this path can be of."""
    filename = path.rpartition("/")[2]
    return (normalize_name(filename[: hyphen.start()]) for hyphen in re.finditer("-", filename))


def _opening(data: bytes, extent: Extent) -> Callable[[], tuple[BytesIO, Extent]]:
    return lambda: (BytesIO(data), extent)


def _divided_sections(parts: PartList, stored: Parts) -> dict[str, KnownSection]:
    def opening(name: str, sha256: str) -> Callable[[], tuple[BytesIO, Extent]]:
        return partial(stored.open, name, sha256)

    return {
        name: KnownSection(name, part.key, part.entry_count, opening(name, part.sha256), part.outline)
        for name, part in parts.parts.items()
    }


def held_entries(recorded: Iterable[Entry], intended: Iterable[Entry]) -> Iterator[HeldEntry]:
    """Yield the entries of a section, and those that a writer which died was to write or delete there."""
    intended = list(intended)
    unsure = {entry.path for entry in intended}
    both = merge(
        (HeldEntry(entry, entry.path not in unsure) for entry in recorded),
        (HeldEntry(entry, intact=False) for entry in intended),
        key=lambda held: held.entry.position,
    )
    return (next(same) for _, same in groupby(both, key=lambda held: held.entry.position))
