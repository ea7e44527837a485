"""What the manifest of a bucket says, as it was when it was read."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import merge
from io import BytesIO
from itertools import groupby

from mkindex.publish.plan import HeldEntry
from mkindex.tree import manifest
from mkindex.tree.manifest import Entry, Extent, Stage


@dataclass(frozen=True)
class BucketState:
    """A manifest, and the sections in it."""

    etag: str  # "": there is none
    modified: int  # seconds since the epoch; 0: there is none
    data: bytes
    sections: Sequence[tuple[Extent, str, int]]  # with the key, and the number of entries

    def stream(self) -> BytesIO:
        return BytesIO(self.data)

    @cached_property
    def files(self) -> frozenset[str]:
        """The paths of all files."""
        return frozenset(entry.path for entry in self._file_entries())

    @cached_property
    def listed_files(self) -> frozenset[str]:
        """The paths of the files that pages name."""
        return frozenset(entry.path for entry in self._file_entries() if entry.retired is None)

    def _file_entries(self) -> Iterator[Entry]:
        held = (one.entry for extent, _, _ in self.sections for one in self.held(extent, ()))
        return (entry for entry in held if entry.stage == Stage.FILE)

    def held(self, extent: Extent | None, intended: Iterable[Entry]) -> Iterator[HeldEntry]:
        """Yield the entries of a section, and those that a writer which died was to write or delete there."""
        recorded = manifest.decode(extent.name, manifest.read(self.stream(), extent)) if extent else ()
        unsure = {entry.path for entry in intended}
        both = merge(
            (HeldEntry(entry, entry.path not in unsure) for entry in recorded),
            (HeldEntry(entry, intact=False) for entry in intended),
            key=lambda held: held.entry.position,
        )
        return (next(same) for _, same in groupby(both, key=lambda held: held.entry.position))
