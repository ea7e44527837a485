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
from typing import TYPE_CHECKING, NamedTuple

from mkindex import parallel
from mkindex.errors import DestinationError, Note, nothing
from mkindex.model.files import CHUNK, COARSE_TICK, Fingerprint
from mkindex.parallel import ForkedCall
from mkindex.publish.filesystem import os_errors
from mkindex.publish.plan import HeldEntry, PublishedSection
from mkindex.publish.refusals import refuse_damaged
from mkindex.publish.root import Root, SymlinkInTree
from mkindex.text import printable
from mkindex.tree import intent, manifest
from mkindex.tree.manifest import ROOT_SECTION, Entry, Extent, Stage
from mkindex.tree.names import FILES_DIRECTORY, INTENT, MANIFEST

if TYPE_CHECKING:
    from mkindex.sources.published import PublishedProject

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

    root: Root
    find_sections: Callable[[], Sequence[OwnedSection]]

    @cached_property
    def sections(self) -> Sequence[OwnedSection]:
        return self.find_sections()

    @cached_property
    def by_name(self) -> dict[str, OwnedSection]:
        return {section.extent.name: section for section in self.sections}

    @property
    def is_recorded(self) -> bool:
        """Whether it is known which files pages name: if the manifest is missing or damaged, any of them may be."""
        return bool(self.sections) or not self.root.exists(FILES_DIRECTORY)

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """The fingerprints of all files, by path."""
        fingerprints: dict[str, str] = {}
        with suppress(manifest.DamagedManifest):
            for extent, lines in _read_manifest(self.root):
                entries = manifest.decode(extent.name, lines)
                fingerprints |= {entry.path: entry.fingerprint for entry in entries if entry.stage == Stage.FILE}
        return fingerprints

    @cached_property
    def large_files(self) -> frozenset[tuple[str, int]] | None:
        """Names and sizes of the large files; None if they are unknown, or if the files are on another disk."""
        if not self.is_recorded or os.path.ismount(self.root.at(FILES_DIRECTORY)):
            return None
        recorded = (
            pair
            for _, lines in _read_manifest(self.root)
            for pair in manifest.paths_and_fingerprints([line for line in lines if line.startswith(manifest.FILE)])
        )
        unsure = (
            (entry.path, self.root.fingerprint(entry.path))
            for entry in _read_intent(self.root)
            if entry.stage == Stage.FILE
        )
        found = ((path, Fingerprint.parse(text)) for path, text in chain(recorded, unsure))
        return frozenset((path.rpartition("/")[2], one.size) for path, one in found if one and one.size > CHUNK)


class Ownership:
    """Says which paths of a tree are ours. `trusted`: a manifest that the tree need not be compared with."""

    def __init__(self, root: Root, *, trusted: TrustedManifest | None = None) -> None:
        self._root = root
        self._trusted = trusted
        self._inspection: ForkedCall[list[OwnedSection]] | None = None
        self._snapshot = Snapshot(root, self._find_sections)
        self._hashes: dict[str, set[str]] = {}  # of the bytes that the intent gives for a path
        self._lock = threading.Lock()
        self.notes: tuple[Note, ...] = ()

    def start_inspection(self) -> None:
        """Start to compare a long manifest with the tree in another process, until `close()`, if there can be one."""
        if parallel.can_fork() and not self._root.exists(INTENT) and _manifest_size(self._root) > _LONG:
            with parallel.signals_blocked():
                self._inspection = ForkedCall(partial(_inspect, self._root))

    def refuse_newer(self) -> None:
        """Raise DestinationError if a newer version of mkindex wrote the manifest or the intent."""
        with _readable(self._root, MANIFEST), self._root.open(MANIFEST) as file:
            manifest.refuse_newer(file)
        _read_intent(self._root)

    def close(self) -> None:
        """Stop the process that `start_inspection` started."""
        if self._inspection:
            self._inspection.stop()

    def renew(self) -> None:
        """Take another snapshot, after a manifest was written. A watch trusts what was just written."""
        self._snapshot = Snapshot(self._root, self._find_sections)
        if self._trusted and _manifest_size(self._root) > _LONG:
            self._trusted.remember(self._root.fingerprint(MANIFEST), _inspect(self._root, compare=False))

    def sections(self) -> Iterator[PublishedSection]:
        """Yield the sections of the manifest and of the intent of a run that died, ordered by name."""
        owned = self._snapshot.by_name
        intended: dict[str, list[Entry]] = {}
        self._hashes.clear()
        for entry in _read_intent(self._root, on_damage=self._note_damaged_intent):
            self._hashes.setdefault(entry.path, set()).add(entry.sha256)
            intended.setdefault(entry.section, []).append(entry)
        for name in sorted(owned.keys() | intended.keys()):
            known, unsure = owned.get(name), intended.get(name, [])
            # A path can be in the intent for one section and in the manifest for another.
            key = known.key if known and not intended else ""
            count = (len(known.intact) if known else 0) + len(unsure)
            lines = partial(self._optional, known.extent) if known else tuple
            yield PublishedSection(name, key, count, partial(self._entries, known, unsure), lines)

    def projects(self) -> "Iterator[PublishedProject]":
        """Yield the sections of the manifest with their records, by name.

        While another process compares the tree, this does not wait for it. Raises DestinationError at the end of a
        manifest that does not say all that the tree lists.
        """
        from mkindex.sources.published import PublishedProject  # here, since most builds keep nothing

        extents: list[Extent] = []
        with _readable(self._root, MANIFEST), self._root.open(MANIFEST) as file:
            for extent in self._extents():
                extents.append(extent)
                record, is_intact = manifest.read_optional(file, extent), partial(self._is_intact, extent.name)
                yield PublishedProject(extent.name, record, is_intact, partial(self._held, extent.name))
            refuse_damaged(file, extents, self._root.at(MANIFEST))

    def root_lines(self) -> Sequence[bytes]:
        """Return what the manifest records about the whole tree. This does not wait for another process, either."""
        first = next(self._extents(), None)
        return self._optional(first) if first and first.name == ROOT_SECTION else ()

    def _extents(self) -> Iterator[Extent]:
        """Yield where the sections are, from this process if another one compares them with the tree now."""
        if self._inspection:
            return (extent for extent, _ in _read_manifest(self._root))
        return iter(self.extents)

    def _is_intact(self, name: str) -> bool:
        section = self._snapshot.by_name.get(name)
        return section is not None and all(section.intact)

    def _held(self, name: str) -> Iterator[HeldEntry]:
        return self._entries(self._snapshot.by_name.get(name), ())

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
        return self._snapshot.fingerprints.get(path) == self._root.fingerprint(path) != ""

    def is_ours(self, entry: Entry, sha256: str) -> bool:
        """Tell whether these are the bytes that we wrote to the path of an entry, or were about to write."""
        return sha256 != "" and sha256 in (entry.sha256, *self._hashes.get(entry.path, ()))

    def intend(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Yield the entries of a new intent: those given, and all of a run that died, whose files may be there yet."""
        yield from entries
        yield from _read_intent(self._root)

    def _note_damaged_intent(self) -> None:
        text = "damaged, or not written by mkindex: ignored. If a build was interrupted, its files may be in the way"
        self.notes = (Note(location=self._root.at(INTENT), text=text),)

    def lacks(self, filename: str, size: int) -> bool:
        """Tell whether none of our large files has this name and size, and a copy can be moved into the tree.

        May be called by any thread. Raises DestinationError if the tree cannot be read.
        """
        with self._lock, os_errors(self._root.path):  # only the first thread reads the manifest
            large_files = self._snapshot.large_files
            return large_files is not None and (filename, size) not in large_files

    def _find_sections(self) -> Sequence[OwnedSection]:
        if self._inspection:
            sections, self._inspection = self._inspection.result(), None
            return sections
        trusted = None
        if self._trusted and not self._root.exists(INTENT):
            trusted = self._trusted.recall(self._root.fingerprint(MANIFEST))
        return _inspect(self._root) if trusted is None else trusted

    def _entries(self, section: OwnedSection | None, intended: Iterable[Entry]) -> Iterator[HeldEntry]:
        """Yield the entries of a section, and those that a run which died was to write or delete there."""
        recorded = map(HeldEntry, self._decode(section.extent), map(bool, section.intact)) if section else ()
        unsure = (HeldEntry(entry, intact=False) for entry in intended)
        # Of two entries for a path the manifest's is the first: only that one has the hash.
        both = merge(recorded, unsure, key=lambda held: held.entry.position)
        return (next(same) for _, same in groupby(both, key=lambda held: held.entry.position))

    def _optional(self, extent: Extent) -> list[bytes]:
        with suppress(OSError), self._root.open(MANIFEST) as file:
            return manifest.read_optional(file, extent)
        return []

    def _decode(self, extent: Extent) -> list[Entry]:
        with suppress(OSError, manifest.DamagedManifest), self._root.open(MANIFEST) as file:
            return list(manifest.decode(extent.name, manifest.read(file, extent)))
        path = printable(self._root.at(MANIFEST))
        raise DestinationError(f"{path} changed while it was read: run again. If that does not help, delete it")


def _inspect(root: Root, *, compare: bool = True) -> list[OwnedSection]:
    """Return the sections of the manifest, compared with the tree; if not `compare`, all of it is taken as intact.

    If the file system keeps whole seconds, a file that was written shortly before the manifest may have been changed
    again, and is not intact. So the next build reads it and writes a later manifest, as Git does with its index.
    Follows symlinks in the tree: the inode and times of a file elsewhere are not those in the manifest.
    """
    racy_ns = _racy_since(root)
    start, text_at = root.at(""), Fingerprint.text_at  # outside the loop, which runs for each path of the tree

    def are_intact(lines: Sequence[bytes]) -> Iterator[bool]:
        for path, fingerprint in manifest.paths_and_fingerprints(lines):
            is_same = fingerprint == text_at(start + path) != ""
            yield is_same and not (racy_ns and _changed_ns(fingerprint) >= racy_ns)

    sections: list[OwnedSection] = []
    with suppress(manifest.DamagedManifest):
        for extent, lines in _read_manifest(root):
            intact = bytes(are_intact(lines) if compare else b"\1" * len(lines))
            sections.append(OwnedSection(extent, manifest.key(extent.name, lines) if all(intact) else "", intact))
    return sections


def _racy_since(root: Root) -> int:
    """Return from when on a change could have been missed, in nanoseconds; 0 if the file system tells times apart."""
    written = Fingerprint.parse(root.fingerprint(MANIFEST))
    return written.changed_ns - COARSE_TICK if written and written.is_coarse else 0


def _changed_ns(fingerprint: str) -> int:
    parsed = Fingerprint.parse(fingerprint)
    return parsed.changed_ns if parsed else 0


def _read_manifest(root: Root) -> Iterator[tuple[Extent, list[bytes]]]:
    with _readable(root, MANIFEST), root.open(MANIFEST) as file:
        yield from manifest.sections(file)


def _read_intent(root: Root, *, on_damage: Callable[[], object] = nothing) -> list[Entry]:
    with _readable(root, INTENT, on_damage=on_damage), root.open(INTENT) as file:
        return intent.decode(file)
    return []


@contextmanager
def _readable(root: Root, path: str, *, on_damage: Callable[[], object] = nothing) -> Iterator[None]:
    """Ignore a missing or damaged record of ours, and raise DestinationError if a newer version of mkindex wrote it."""
    with os_errors(root.path):
        try:
            yield
        except SymlinkInTree:
            raise
        except (FileNotFoundError, NotADirectoryError):
            pass
        except manifest.NewerManifest as error:
            advice = "upgrade mkindex, or publish to a new directory"
            raise DestinationError(f"{printable(root.at(path))} {error}: {advice}") from error
        except manifest.DamagedManifest:
            on_damage()


def _manifest_size(root: Root) -> int:
    """Return the size of the manifest in bytes."""
    with suppress(OSError):
        return root.status(MANIFEST).st_size
    return 0
