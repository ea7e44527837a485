"""What of a tree on disk is ours, by its manifest and by what a dead run intended, and whether it is as it was written.

Nothing is changed here.
"""

import hashlib
import os
import stat
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
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

_LONG = 1 << 20  # bytes of a manifest: some thousand entries


class KnownSection(NamedTuple):
    """What is known of a section: where in the manifest it is, and what of it is intact."""

    extent: Extent
    key: str  # "": something of it is retired, or not intact
    intact: bytes  # for each entry, in their order, 1 or 0


class TrustedManifest:
    """What a process that stays knows of a long manifest that it wrote: while it does, the tree is trusted."""

    def __init__(self) -> None:
        self.mark = ""  # of the manifest
        self.parts: Sequence[KnownSection] = ()

    def forget(self) -> None:
        self.mark, self.parts = "", ()


class Inventory:
    """The tree below `root`, as it was when that was asked for first; `known`: what need not be looked at."""

    def __init__(self, layout: Layout, *, known: TrustedManifest | None = None) -> None:
        self._layout = layout
        self._known = known
        self._ahead: ForkedCall[list[KnownSection]] | None = None
        self._lock = threading.Lock()

    def look_ahead(self) -> None:
        """Compare a long manifest with the tree in another process meanwhile, if there can be one, until `close()`."""
        if parallel.can_fork() and not self._intended() and self._length() > _LONG:
            with parallel.signals_blocked():
                self._ahead = ForkedCall(self._inspect)

    def close(self) -> None:
        """End what was begun ahead."""
        if self._ahead:
            self._ahead.stop()

    def renew(self) -> None:
        """Look again at what there is; who stays takes what the manifest says, which was just written, as that."""
        for looked_at in ("_parts", "_marks", "_sizes", "_names"):
            self.__dict__.pop(looked_at, None)
        if self._known and self._length() > _LONG:
            self._known.mark, self._known.parts = mark_at(self._layout.manifest), self._inspect(look=False)

    # --- what is ours -----------------------------------------------------------------------------------------------

    def sections(self) -> Iterator[PublishedSection]:
        """Yield what the manifest knows, and what a dead run intended, as far as that is more."""
        self.__dict__.pop("_names", None)
        parts = {part.extent.name: part for part in self._parts}
        unsure: dict[str, list[Entry]] = {}
        for section, stage, path in self._intended():
            unsure.setdefault(section, []).append(Entry(section, stage, path, "", "", ""))
        for name in sorted(parts.keys() | unsure.keys()):
            part, more = parts.get(name), unsure.get(name, [])
            # What a dead run meant to move may be in its intent for one section, and in the manifest for another.
            key = part.key if part and not unsure else ""
            number = (len(part.intact) if part else 0) + len(more)
            yield PublishedSection(name, key, number, partial(self._held, part, more))

    @property
    def extents(self) -> list[Extent]:
        """Where the sections are in the manifest."""
        return [part.extent for part in self._parts]

    @property
    def is_recorded(self) -> bool:
        """Whether it is known what pages name: without a manifest, or with a damaged one, nobody can say."""
        return bool(self._parts) or not os.path.lexists(self._layout.at("files"))

    def holds(self, path: str) -> bool:
        """Tell whether the file at `path` is ours and still what was written."""
        return self._marks.get(path) == mark_at(self._layout.at(path)) != ""

    def lacks(self, filename: str, size: int) -> bool:
        """Tell whether no large file of this name and size is ours, and one can be moved to where it belongs.

        May be called by any thread. Raises DestinationError when nobody can look.
        """
        with self._lock, os_errors(self._layout.root):  # one thread finds out, and the others need not
            return self._sizes is not None and (filename, size) not in self._sizes

    @cached_property
    def _parts(self) -> Sequence[KnownSection]:
        """What there is; it is looked at once, and again after a plan was carried out."""
        if self._ahead:
            parts, self._ahead = self._ahead.result(), None
            return parts
        remembered = self._remembered()
        return self._inspect() if remembered is None else remembered

    def _remembered(self) -> Sequence[KnownSection] | None:
        """Return what the manifest says, where we wrote it, and finished what we began."""
        known = self._known
        is_ours = known and known.mark == mark_at(self._layout.manifest) != ""
        return known.parts if known and is_ours and not os.path.lexists(self._layout.intent) else None

    def _inspect(self, *, look: bool = True) -> list[KnownSection]:
        """Return what there is of each section, and whether it is intact; all of it is where nobody looks."""
        parts: list[KnownSection] = []
        with suppress(manifest.DamagedManifest):
            for extent, lines in self._listed():
                intact = bytes(map(self._is_intact, lines) if look else b"\1" * len(lines))
                parts.append(KnownSection(extent, manifest.key(extent.name, lines) if all(intact) else "", intact))
        return parts

    def _is_intact(self, line: bytes) -> bool:
        path, mark = manifest.path_and_mark(line)
        return mark == mark_at(self._layout.at(path)) != ""

    def _held(self, part: KnownSection | None, unsure: Iterable[Entry]) -> Iterator[HeldEntry]:
        """Yield the entries of a section, and what a dead run intended there."""
        listed = map(HeldEntry, self._entries(part.extent), map(bool, part.intact)) if part else ()
        # Of two entries for a path the manifest's is the first: only that one knows the bytes.
        both = merge(listed, (HeldEntry(entry, intact=False) for entry in unsure), key=lambda held: held.entry.position)
        return (next(same) for _, same in groupby(both, key=lambda held: held.entry.position))

    def _entries(self, extent: Extent) -> list[Entry]:
        with suppress(OSError, manifest.DamagedManifest), open(self._layout.manifest, "rb") as file:
            return list(manifest.decode(extent.name, manifest.read(file, extent)))
        path = printable(self._layout.manifest)
        raise DestinationError(f"{path} changed while it was read: run again, or remove it if that goes on")

    @cached_property
    def _marks(self) -> dict[str, str]:
        marks: dict[str, str] = {}
        with suppress(manifest.DamagedManifest):
            for extent, lines in self._listed():
                entries = manifest.decode(extent.name, lines)
                marks |= {entry.path: entry.mark for entry in entries if entry.stage == Stage.FILE}
        return marks

    @cached_property
    def _sizes(self) -> frozenset[tuple[str, int]] | None:
        """Names and sizes of the large files that are ours; None: nobody can say, or they lie on another disk."""
        files = self._layout.at("files")
        if not self.is_recorded or os.path.islink(files) or os.path.ismount(files):
            return None
        listed = (line for _, lines in self._listed() for line in lines if line.startswith(manifest.FILE))
        intended = (
            (path, mark_at(self._layout.at(path))) for _, stage, path in self._intended() if stage == Stage.FILE
        )
        marks = ((path, read_mark(mark)) for path, mark in chain(map(manifest.path_and_mark, listed), intended))
        return frozenset((path.rpartition("/")[2], mark.size) for path, mark in marks if mark and mark.size > CHUNK)

    def _listed(self) -> Iterator[tuple[Extent, list[bytes]]]:
        with (
            suppress(FileNotFoundError, NotADirectoryError, manifest.DamagedManifest),
            open(self._layout.manifest, "rb") as file,
        ):
            yield from manifest.sections(file)

    def _intended(self) -> list[Position]:
        with (
            suppress(FileNotFoundError, NotADirectoryError, manifest.DamagedManifest),
            open(self._layout.intent, "rb") as file,
        ):
            return manifest.decode_intent(file)
        return []

    def _length(self) -> int:
        """Return the length of the manifest in bytes."""
        with suppress(OSError):
            return os.path.getsize(self._layout.manifest)
        return 0

    # --- what is there, whoever wrote it ----------------------------------------------------------------------------

    def digest(self, path: str) -> str | None:
        """Return the sha256 of the file at `path`, "" for a link or a device; DestinationError for a directory."""
        if path.partition("/")[0] not in self._names:
            return None
        target = self._layout.at(path)
        with os_errors(target):
            try:
                mode = os.lstat(target).st_mode
            except FileNotFoundError:
                return None
            if stat.S_ISDIR(mode):
                raise DestinationError(f"{printable(target)} is a directory where a file belongs: move it away")
            if not stat.S_ISREG(mode):
                return ""
            with open(target, "rb", buffering=0) as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()

    @cached_property
    def _names(self) -> frozenset[str]:
        """What is in the root when a plan is made: a first build need not look for every path of it."""
        with os_errors(self._layout.root):
            return frozenset(os.listdir(self._layout.root) if os.path.lexists(self._layout.root) else ())


# --- marks ----------------------------------------------------------------------------------------------------------


def mark_of(status: os.stat_result) -> str:
    """Return what the bytes of a file are recognised by, without reading them."""
    return f"{status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def mark_at(path: str) -> str:
    """Return what the file at `path` is recognised by, "" where none can be seen."""
    try:
        return mark_of(os.lstat(path))
    except OSError:
        return ""


def read_mark(mark: str) -> Fingerprint | None:
    """Return what a mark is made of, None where it is no mark of ours: a manifest may come from somebody else."""
    try:
        return Fingerprint(*map(int, mark.split()))
    except (TypeError, ValueError):
        return None
