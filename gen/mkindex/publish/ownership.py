"""Which paths of a tree on disk mkindex wrote, and whether they are as it wrote them. Changes nothing.

The manifest says so, and after a run that died also its intent.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from heapq import merge
from itertools import chain, groupby
from typing import NamedTuple

from mkindex import parallel
from mkindex.errors import DestinationError
from mkindex.model.files import CHUNK, Fingerprint
from mkindex.parallel import ForkedCall
from mkindex.publish.filesystem import os_errors
from mkindex.publish.layout import Layout
from mkindex.publish.plan import HeldEntry, PublishedSection
from mkindex.text import printable
from mkindex.tree import manifest
from mkindex.tree.manifest import Entry, Extent, Position, Stage
from mkindex.tree.names import FILES_DIRECTORY

_LONG = 1 << 20  # bytes of a manifest: some thousand entries


class OwnedSection(NamedTuple):
    """The part of a manifest about one section, compared with the tree."""

    extent: Extent
    key: str  # the key of the Section; "" if a path is retired, or not intact
    intact: bytes  # for each entry, in their order: 1 if the file is as it was written, otherwise 0


class TrustedManifest:
    """A long manifest that a watch wrote: as long as it is the same, the tree is not compared with it again."""

    def __init__(self) -> None:
        self._fingerprint = ""
        self._sections: Sequence[OwnedSection] = ()

    def remember(self, fingerprint: str, sections: Sequence[OwnedSection]) -> None:
        self._fingerprint, self._sections = fingerprint, sections

    def recall(self, fingerprint: str) -> Sequence[OwnedSection] | None:
        """Return the sections of the manifest with this fingerprint, or None if it is another one."""
        return self._sections if self._fingerprint == fingerprint != "" else None

    def forget(self) -> None:
        self._fingerprint, self._sections = "", ()


@dataclass(frozen=True)
class Snapshot:
    """A snapshot of manifest and intent; each part is read when it is first needed."""

    layout: Layout
    find_sections: Callable[[], Sequence[OwnedSection]]

    @cached_property
    def sections(self) -> Sequence[OwnedSection]:
        return self.find_sections()

    @property
    def is_recorded(self) -> bool:
        """Whether it is known which files pages name: if the manifest is missing or damaged, any of them may be."""
        return bool(self.sections) or not os.path.lexists(self.layout.at(FILES_DIRECTORY))

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """The fingerprints of all files, by path."""
        fingerprints: dict[str, str] = {}
        with suppress(manifest.DamagedManifest):
            for extent, lines in _read_manifest(self.layout):
                entries = manifest.decode(extent.name, lines)
                fingerprints |= {entry.path: entry.fingerprint for entry in entries if entry.stage == Stage.FILE}
        return fingerprints

    @cached_property
    def large_files(self) -> frozenset[tuple[str, int]] | None:
        """Names and sizes of the large files; None if they are unknown, or if the files are on another disk."""
        files = self.layout.at(FILES_DIRECTORY)
        if not self.is_recorded or os.path.islink(files) or os.path.ismount(files):
            return None
        lines = (line for _, lines in _read_manifest(self.layout) for line in lines if line.startswith(manifest.FILE))
        intent = (
            (path, Fingerprint.text_at(self.layout.at(path)))
            for _, stage, path in _read_intent(self.layout)
            if stage == Stage.FILE
        )
        texts = chain(map(manifest.path_and_fingerprint, lines), intent)
        found = ((path, Fingerprint.parse(text)) for path, text in texts)
        return frozenset((path.rpartition("/")[2], one.size) for path, one in found if one and one.size > CHUNK)


class Ownership:
    """Says which paths of a tree are ours. `trusted`: a manifest that the tree need not be compared with."""

    def __init__(self, layout: Layout, *, trusted: TrustedManifest | None = None) -> None:
        self._layout = layout
        self._trusted = trusted
        self._inspection: ForkedCall[list[OwnedSection]] | None = None
        self._snapshot = Snapshot(layout, self._find_sections)
        self._lock = threading.Lock()

    def start_inspection(self) -> None:
        """Start to compare a long manifest with the tree in another process, until `close()`, if there can be one."""
        if parallel.can_fork() and not _read_intent(self._layout) and _manifest_size(self._layout) > _LONG:
            with parallel.signals_blocked():
                self._inspection = ForkedCall(partial(_inspect, self._layout))

    def refuse_newer(self) -> None:
        """Raise DestinationError if a newer version of mkindex wrote the manifest."""
        with _readable(self._layout), open(self._layout.manifest, "rb") as file:
            manifest.refuse_newer(file)

    def close(self) -> None:
        """Stop the process that `start_inspection` started."""
        if self._inspection:
            self._inspection.stop()

    def renew(self) -> None:
        """Take another snapshot, after a manifest was written. A watch trusts what was just written."""
        self._snapshot = Snapshot(self._layout, self._find_sections)
        if self._trusted and _manifest_size(self._layout) > _LONG:
            self._trusted.remember(Fingerprint.text_at(self._layout.manifest), _inspect(self._layout, compare=False))

    def sections(self) -> Iterator[PublishedSection]:
        """Yield the sections of the manifest and of the intent of a run that died, ordered by name."""
        owned = {section.extent.name: section for section in self._snapshot.sections}
        intended: dict[str, list[Entry]] = {}
        for section, stage, path in _read_intent(self._layout):
            intended.setdefault(section, []).append(Entry(section, stage, path, "", "", ""))
        for name in sorted(owned.keys() | intended.keys()):
            known, unsure = owned.get(name), intended.get(name, [])
            # A path can be in the intent for one section and in the manifest for another.
            key = known.key if known and not intended else ""
            count = (len(known.intact) if known else 0) + len(unsure)
            yield PublishedSection(name, key, count, partial(self._entries, known, unsure))

    @property
    def extents(self) -> list[Extent]:
        """Where the sections are in the manifest."""
        return [section.extent for section in self._snapshot.sections]

    @property
    def is_recorded(self) -> bool:
        """Whether it is known which files pages name."""
        return self._snapshot.is_recorded

    def holds(self, path: str) -> bool:
        """Tell whether the file at `path` is ours and as it was written."""
        return self._snapshot.fingerprints.get(path) == Fingerprint.text_at(self._layout.at(path)) != ""

    def lacks(self, filename: str, size: int) -> bool:
        """Tell whether none of our large files has this name and size, and a copy can be moved into the tree.

        May be called by any thread. Raises DestinationError if the tree cannot be read.
        """
        with self._lock, os_errors(self._layout.root):  # only the first thread reads the manifest
            large_files = self._snapshot.large_files
            return large_files is not None and (filename, size) not in large_files

    def _find_sections(self) -> Sequence[OwnedSection]:
        if self._inspection:
            sections, self._inspection = self._inspection.result(), None
            return sections
        trusted = None
        if self._trusted and not os.path.lexists(self._layout.intent):
            trusted = self._trusted.recall(Fingerprint.text_at(self._layout.manifest))
        return _inspect(self._layout) if trusted is None else trusted

    def _entries(self, section: OwnedSection | None, intended: Iterable[Entry]) -> Iterator[HeldEntry]:
        """Yield the entries of a section, and those that a run which died was to write or delete there."""
        recorded = map(HeldEntry, self._decode(section.extent), map(bool, section.intact)) if section else ()
        unsure = (HeldEntry(entry, intact=False) for entry in intended)
        # Of two entries for a path the manifest's is the first: only that one has the hash.
        both = merge(recorded, unsure, key=lambda held: held.entry.position)
        return (next(same) for _, same in groupby(both, key=lambda held: held.entry.position))

    def _decode(self, extent: Extent) -> list[Entry]:
        with suppress(OSError, manifest.DamagedManifest), open(self._layout.manifest, "rb") as file:
            return list(manifest.decode(extent.name, manifest.read(file, extent)))
        path = printable(self._layout.manifest)
        raise DestinationError(f"{path} changed while it was read: run again. If that does not help, delete it")


def _inspect(layout: Layout, *, compare: bool = True) -> list[OwnedSection]:
    """Return the sections of the manifest, compared with the tree; if not `compare`, all of it is taken as intact."""

    def is_intact(line: bytes) -> bool:
        path, fingerprint = manifest.path_and_fingerprint(line)
        return fingerprint == Fingerprint.text_at(layout.at(path)) != ""

    sections: list[OwnedSection] = []
    with suppress(manifest.DamagedManifest):
        for extent, lines in _read_manifest(layout):
            intact = bytes(map(is_intact, lines) if compare else b"\1" * len(lines))
            sections.append(OwnedSection(extent, manifest.key(extent.name, lines) if all(intact) else "", intact))
    return sections


def _read_manifest(layout: Layout) -> Iterator[tuple[Extent, list[bytes]]]:
    with _readable(layout), open(layout.manifest, "rb") as file:
        yield from manifest.sections(file)


@contextmanager
def _readable(layout: Layout) -> Iterator[None]:
    """Ignore a missing or damaged manifest, and raise DestinationError if a newer version of mkindex wrote it."""
    try:
        with suppress(FileNotFoundError, NotADirectoryError):
            yield
    except manifest.NewerManifest as error:
        advice = "upgrade mkindex, or publish to a new directory"
        raise DestinationError(f"{printable(layout.manifest)} {error}: {advice}") from error
    except manifest.DamagedManifest:
        pass


def _read_intent(layout: Layout) -> list[Position]:
    with (
        suppress(FileNotFoundError, NotADirectoryError, manifest.DamagedManifest),
        open(layout.intent, "rb") as file,
    ):
        return manifest.decode_intent(file)
    return []


def _manifest_size(layout: Layout) -> int:
    """Return the size of the manifest in bytes."""
    with suppress(OSError):
        return os.path.getsize(layout.manifest)
    return 0
