"""The manifest: what mkindex wrote into a tree.

It is text: a line for each path, with tabs between the fields, below the name of its section in brackets. A path that
mkindex does not publish makes it invalid: a tree may come from another person, and mkindex may delete what a manifest
lists.

The first line of a manifest names its format and the last line is a checksum, in every format. After its
entries, a section may have optional lines: a lowercase name, a tab, text. A version that does not know a line ignores
it, copies it while nothing else in the section changes, and drops it when it writes the section again, because the
fact may no longer be true. So an optional line may always be missing; a fact that must not be lost needs a new format.
"""

import hashlib
import os
import re
import zlib
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from enum import IntEnum
from heapq import merge
from io import BytesIO
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import BinaryIO, NamedTuple, Protocol, Self

from mkindex.tree.names import DOT_FILES

ROOT_SECTION = ""  # of the pages that belong to no single project
TERMS = b"terms\t"  # of the root section in a bucket: a digest of what the pages of all projects are made by
VARIANTS = b"variants\t"  # of the root section
OPTIONAL_LINES = (b"files\t", b"grown\t", b"long\t", b"options\t", b"status\t", TERMS, VARIANTS)  # how known ones begin
LIMITS = b"limits\t"  # of the root section: limits of time, as they were resolved. Alone they change no manifest
GROWN = b"grown\t\n"  # of the root section: the tree has files that the sources of a build may lack


class Stage(IntEnum):
    """When a resource is published: after all resources that it links to."""

    FILE = 0
    METADATA = 1
    PROJECT = 2
    ROOT = 3


def digest(*parts: object) -> str:
    """Return a short digest of the texts of some values."""
    return hashlib.sha256("\n".join(map(str, parts)).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def section_key(pages: Iterable[tuple[str, str]]) -> str:
    """Return the key of a section whose pages, in order, have these paths and keys; "" without pages.

    Sections with the same key have the same files, too, because pages name all files with their hashes.
    """
    texts = [f"{path} {key}" for path, key in pages]
    return digest(*texts) if texts else ""


# Section, stage and path: the order of entries.
Position = tuple[str, int, str]


class Keyed(Protocol):
    """The properties of a resource that an entry records."""

    @property
    def section(self) -> str: ...
    @property
    def stage(self) -> Stage: ...
    @property
    def path(self) -> str: ...
    @property
    def key(self) -> str: ...


class Entry(NamedTuple):
    """A path of the destination that mkindex wrote."""

    section: str
    stage: int
    path: str
    key: str  # of the resource; "": unknown, because a run was killed while it wrote
    sha256: str  # of its bytes; "": unknown
    fingerprint: str  # of the file that was written; "": unknown
    retired: int | None = None  # when it was taken off the last page, in seconds since the epoch

    @classmethod
    def of(cls, resource: Keyed, sha256: str, fingerprint: str = "") -> Self:
        """Return the entry of a resource whose bytes have this sha256."""
        return cls(resource.section, resource.stage, resource.path, resource.key, sha256, fingerprint)

    @property
    def position(self) -> Position:
        return self[:3]


_FORMAT, IN_PARTS = 2, 3  # tree/parts.py has the other one
FIRST_LINE = b"mkindex manifest %d\n" % _FORMAT
_ANY_FORMAT = re.compile(rb"mkindex manifest ([1-9][0-9]{0,8})\n")
END = b"end %08x\n"
END_LENGTH = len(END % 0)
# The paths that mkindex publishes. Others, as in a manifest that someone made to have their files deleted, are damage.
_FILE = rb"files/[0-9a-f]{2}/[0-9a-f]{62}/[A-Za-z0-9_][A-Za-z0-9._+!-]*"
_PAGE = rb"(?!files/)(?:[A-Za-z0-9_][A-Za-z0-9._-]*/)*[A-Za-z0-9_][A-Za-z0-9._-]*|%b" % (
    b"|".join(re.escape(name.encode()) for name in DOT_FILES)
)
PUBLISHED_PATH = rb"(?:0\t%b|1\t%b\.metadata|[23]\t(?:%b))" % (_FILE, _FILE, _PAGE)
# All lines at once, without going back. `[^\t]` is matched faster than `[ -~]`; the characters are judged before.
_LINES = re.compile(rb"(?:%b\t[^\t]{0,99}+\t[^\t]{0,99}+\t[^\t]{0,99}+\t[0-9]{0,12}+\n)++" % PUBLISHED_PATH)
_TEXT = bytes(range(0x20, 0x7F)) + b"\t\n"
_OPTIONAL = re.compile(rb"(?:[a-z][a-z0-9-]*+\t[^\n]*+\n)*+")  # all of a section, of characters of _TEXT
_BEFORE_ENTRIES = -1  # a stage that no entry has
_AFTER_ENTRIES = b"a"  # sorts after the stage that each entry begins with, and not after any optional line
_HEADING = re.compile(rb"\[([a-z0-9-]*)]\n")
_PART = 1 << 18  # bytes that are read or written at a time
LARGEST = 1 << 31  # bytes of a manifest or an intent that is in memory: some million files
_LARGEST_ON_DISK = 1 << 33  # bytes of a manifest that is read in parts
LONGEST_LINE = 1 << 16  # bytes
_LARGEST_SECTION = 1 << 28  # bytes; a section is read into memory
FILE, _PAGES = (f"{stage:d}\t".encode() for stage in (Stage.FILE, Stage.PROJECT))  # how their lines begin
_NOT_RETIRED = b"\t\n"  # the end of the line of an entry that is not retired
_SAME = "="  # written instead of a key that equals the sha256, as it does for files


Change = tuple[Position, Entry | None]
OptionalLines = Callable[[str], Sequence[bytes]]  # of a section, by its name; made when they are written


def no_lines(_section: str) -> Sequence[bytes]:
    """Return no optional lines."""
    return ()


class Extent(NamedTuple):
    """Where the lines of a section are in a manifest."""

    name: str  # of the section
    at: int  # bytes
    length: int  # bytes


class DamagedManifest(Exception):
    """A manifest or an intent that mkindex did not write like this."""


class NewerManifest(DamagedManifest):
    """A manifest in the format of a newer version. The text says so."""


def encode(
    changes: Iterable[Change],
    before: BinaryIO | None = None,
    extents: Sequence[Extent] = (),
    optional: OptionalLines = no_lines,
    recorded: Collection[str] = (),
) -> Iterator[bytes]:
    """Yield a manifest in parts: the one in `before` with changes, and a checksum.

    `changes` are positions in order, each with its new entry, or None to remove the entry. `extents` are the extents of
    all sections in `before` that remain or change. `optional` returns the optional lines of a section that
    changes; () if it loses its own. `recorded`: sections that change in these lines, if in nothing else.
    `before` is closed after reading.
    """
    touched: Iterable[Change] = (((name, _BEFORE_ENTRIES, ""), None) for name in sorted(recorded))
    changes = merge(changes, touched, key=itemgetter(0))
    checksum = zlib.crc32(FIRST_LINE)
    yield FIRST_LINE
    for part in joined(_changed(changes, before, extents, optional)):
        checksum = zlib.crc32(part, checksum)
        yield part
    yield END % checksum


def _changed(
    changes: Iterable[Change],
    before: BinaryIO | None,
    extents: Sequence[Extent],
    optional: OptionalLines,
) -> Iterator[bytes]:
    """Yield sections. Unchanged ones are copied without parsing."""
    start = 0
    for name, edits in groupby(changes, key=lambda change: change[0][0]):
        at = bisect_left(extents, name, lo=start, key=attrgetter("name"))
        yield from _copied(before, extents[start:at])
        start = at
        lines: list[bytes] = []
        if before and at < len(extents) and extents[at].name == name:
            lines = read(before, extents[at])
            start += 1
        yield from _section(name, _edited(lines, edits), optional(name))
    yield from _copied(before, extents[start:])
    if before:
        before.close()  # some systems do not replace an open file


def _copied(before: BinaryIO | None, extents: Sequence[Extent]) -> Iterator[bytes]:
    if before and extents:
        start = extents[0].at - len(_heading(extents[0].name))
        before.seek(start)
        left = extents[-1].at + extents[-1].length - start
        while part := before.read(min(left, _PART)):
            yield part
            left -= len(part)


def _heading(name: str) -> bytes:
    return f"[{name}]\n".encode()


def _section(name: str, entries: Iterable[bytes], optional: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a section with its heading; nothing for a section without entries."""
    entries = iter(entries)
    if first := next(entries, None):
        yield _heading(name)
        yield first
        yield from entries
        yield from sorted(optional)


def _edited(lines: Sequence[bytes], edits: Iterable[Change]) -> Iterator[bytes]:
    """Yield the lines of a section with changes. Their places are found by bisection, because few lines change."""
    start = 0
    for (_, stage, path), entry in edits:
        # Lines have the same order as positions, because a tab sorts before every character of a path.
        head = f"{stage:d}\t{path}\t".encode()
        at = bisect_left(lines, head, lo=start)
        yield from lines[start:at]
        if entry:
            yield _line(entry)
        start = at + (at < len(lines) and lines[at].startswith(head))
    yield from lines[start:]


def _line(entry: Entry) -> bytes:
    _, stage, path, key, sha, fingerprint, retired = entry
    same = _SAME if key == sha else key
    return f"{stage:d}\t{path}\t{same}\t{sha}\t{fingerprint}\t{'' if retired is None else retired}\n".encode()


def decode(section: str, lines: Iterable[bytes]) -> Iterator[Entry]:
    """Yield the entries of a section from its lines. Raises DamagedManifest."""
    try:
        for line in lines:
            stage, path, key, sha, fingerprint, retired = line[:-1].decode("ascii").split("\t")
            since = int(retired) if retired else None
            yield Entry(section, int(stage), path, sha if key == _SAME else key, sha, fingerprint, since)
    except ValueError as error:
        raise DamagedManifest from error


def paths_and_fingerprints(lines: Sequence[bytes]) -> Iterator[tuple[str, str]]:
    """Return these two fields of entries, faster than `decode` does: all lines are split at once."""
    fields = b"".join(lines).decode().split("\t")
    return zip(fields[1::5], fields[4::5], strict=True)


def sections(stream: BinaryIO) -> Iterator[tuple[Extent, list[bytes]]]:
    """Yield the sections of a manifest with the lines of their entries, by name.

    Raises NewerManifest, and DamagedManifest: before the first one, or at one that mkindex would not write.
    """
    refuse_newer(stream)
    length = _checked(stream)
    stream.seek(0)
    if stream.readline() != FIRST_LINE:
        raise DamagedManifest
    at = stream.tell()
    for name, lines in _by_name(each_line(stream, length)):
        entries = _entries(lines)
        text, optional = b"".join(entries), b"".join(lines[len(entries) :])
        # With as many tabs as entries have, no field contains a line end.
        is_text = text.isascii() and not optional.translate(None, _TEXT) and text.count(b"\t") == 5 * len(entries)
        if not (is_text and _LINES.fullmatch(text) and _OPTIONAL.fullmatch(optional) and lines == sorted(lines)):
            raise DamagedManifest
        extent = Extent(name, at + len(_heading(name)), sum(map(len, lines)))
        yield extent, entries
        at = extent.at + extent.length


def is_whole(stream: BinaryIO, extents: Sequence[Extent]) -> bool:
    """Tell whether these are the extents of all sections of a manifest, and not of those before a damaged one."""
    end = extents[-1].at + extents[-1].length if extents else len(FIRST_LINE)
    return stream.seek(0, os.SEEK_END) == end + END_LENGTH


def refuse_newer(stream: BinaryIO) -> None:
    """Raise NewerManifest if a newer version wrote the manifest, or DamagedManifest if such a manifest is damaged.

    If the format is not newer, only the first line is read.
    """
    stream.seek(0)
    first_line = _ANY_FORMAT.fullmatch(stream.readline(len(FIRST_LINE) + 9))
    if first_line and (number := int(first_line[1])) > _FORMAT:
        _checked(stream)  # one flipped bit turns a 2 into a 3
        if number == IN_PARTS:
            raise NewerManifest("is that of a bucket, in parts, which this version does not change in a directory")
        raise NewerManifest(f"was written by a newer mkindex (format {number}; this version reads {_FORMAT})")


def _checked(stream: BinaryIO) -> int:
    """Return the length of a manifest without its checksum. Raises DamagedManifest if that does not match."""
    length = stream.seek(0, os.SEEK_END) - END_LENGTH
    if length > _LARGEST_ON_DISK:
        raise DamagedManifest
    stream.seek(0)
    checksum, left = 0, max(length, 0)
    while part := stream.read(min(left, 1 << 20)):
        checksum, left = zlib.crc32(part, checksum), left - len(part)
    if left or stream.read() != END % checksum:
        raise DamagedManifest
    return length


def _entries(lines: list[bytes]) -> list[bytes]:
    """Return the lines of a section without the optional ones."""
    return lines[: bisect_left(lines, _AFTER_ENTRIES)]


def read(stream: BinaryIO, extent: Extent) -> list[bytes]:
    """Return the lines of the entries of a section, as `sections` yielded them unless the manifest has changed."""
    return _entries(_lines(stream, extent))


def read_optional(stream: BinaryIO, extent: Extent) -> list[bytes]:
    """Return the optional lines of a section, unless the manifest has changed."""
    lines = _lines(stream, extent)
    return lines[len(_entries(lines)) :]


def _lines(stream: BinaryIO, extent: Extent) -> list[bytes]:
    stream.seek(extent.at)
    return BytesIO(stream.read(extent.length)).readlines()


def _by_name(lines: Iterable[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """Yield each section with its lines. Raises DamagedManifest for lines in no section or names out of order."""
    name: str | None = None
    own: list[bytes] = []
    size = 0
    for line in lines:
        if not line.startswith(b"["):
            own.append(line)
            size += len(line)
            if size > _LARGEST_SECTION:
                raise DamagedManifest
            continue
        heading = _HEADING.fullmatch(line)
        if heading is None or (name is None and own) or (name is not None and heading[1].decode() <= name):
            raise DamagedManifest
        if name is not None:
            yield name, own
        name, own, size = heading[1].decode(), [], 0
    if name is not None:
        yield name, own
    elif own:
        raise DamagedManifest


def each_line(stream: BinaryIO, end: int) -> Iterator[bytes]:
    """Yield the lines of a stream up to a position. Raises DamagedManifest for a line that is too long."""
    rest = b""
    while part := stream.read(min(_PART, end - stream.tell())):
        lines = BytesIO(rest + part).readlines()
        rest = b"" if lines[-1].endswith(b"\n") else lines.pop()
        yield from lines
        if len(rest) > LONGEST_LINE:
            raise DamagedManifest
    if rest:
        yield rest


def key(section: str, lines: Sequence[bytes]) -> str:
    """Return the key of a section, as `section_key` makes it; "" if an entry is retired. Raises DamagedManifest."""
    if b"".join(lines).count(_NOT_RETIRED) < len(lines):
        return ""
    pages = lines[bisect_left(lines, _PAGES) :]
    return section_key((entry.path, entry.key) for entry in decode(section, pages))


def open_record(path: str) -> BinaryIO:
    """Open a manifest or an intent. Raises OSError, also for something else than a file."""
    # Without O_NONBLOCK, opening a pipe would wait for a writer.
    return open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))


def joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Join pieces into parts of a few hundred kilobytes: few system calls, and never everything in memory."""
    part: list[bytes] = []
    size = 0
    for piece in pieces:
        part.append(piece)
        size += len(piece)
        if size >= _PART:
            yield b"".join(part)
            part.clear()
            size = 0
    yield b"".join(part)
