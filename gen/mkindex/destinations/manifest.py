"""What mkindex knows of a directory it writes to: the manifest of what is there, the intent of a run under way.

Both are text, a line for each path with tabs between the fields. Neither is believed about a path that leads out of the
directory: a tree may come from somebody else, and what is listed may be deleted.
"""

import os
import re
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import BinaryIO

from mkindex.publish import Entry
from mkindex.render import JSON, Stage

_MANIFEST = b"mkindex manifest 1\n"
_INTENT = b"mkindex intent 1\n"
_END = b"end %08x\n"
_END_LENGTH = len(_END % 0)
_LEADS_OUT = re.compile(rb"(?<![^/\t\n])\.\.(?![^/\t\n])")  # a part of a path that is two dots
_PLAIN = re.compile(r"[A-Za-z0-9._/-]+")
_PART = 1 << 18  # bytes that are read or written at once
_SAME = "="  # the key of a file is its sha256, which is not written twice


Position = tuple[int, str]  # stage and path, by which entries are ordered


class Damaged(Exception):
    """A file of ours that is not what was written."""


def encode(changes: Iterable[tuple[Position, Entry | None]], before: BinaryIO | None = None) -> Iterator[bytes]:
    """Yield a manifest, in parts: the one in `before` with changes, and a checksum of it all.

    `changes`: positions in their order, each with the entry that is there from now on, None for none. Of a manifest
    that is damaged only that stays which was read before the damage. `before` is closed when it was read.
    """
    checksum = zlib.crc32(_MANIFEST)
    yield _MANIFEST
    for part in _joined(_changed(changes, before)):
        checksum = zlib.crc32(part, checksum)
        yield part
    yield _END % checksum


def _changed(changes: Iterable[tuple[Position, Entry | None]], before: BinaryIO | None) -> Iterator[bytes]:
    """Yield lines. What stays is found by bisection and copied in one piece: to understand it all would take longer."""
    edits = ((_head(*position), _line(entry) if entry else b"") for position, entry in changes)
    edit = next(edits, None)
    with suppress(Damaged):
        for lines in _lines(before) if before else ():
            start = 0
            while edit and edit[0] <= lines[-1]:
                at = bisect_left(lines, edit[0], lo=start)
                yield b"".join(lines[start:at])
                yield edit[1]
                start = at + lines[at].startswith(edit[0])
                edit = next(edits, None)
            yield b"".join(lines[start:])
    if before:
        before.close()  # some systems replace no file that somebody reads
    if edit:
        yield edit[1]
    yield from (line for _, line in edits)


def _head(stage: int, path: str) -> bytes:
    # A tab comes before all that can be in a path: lines are in the order of their positions.
    return f"{stage:d}\t{path}\t".encode()


def _line(entry: Entry) -> bytes:
    stage, path, key, sha, mark, retired = entry
    same = _SAME if key == sha else key
    return f"{stage:d}\t{path}\t{same}\t{sha}\t{mark}\t{'' if retired is None else retired}\n".encode()


def decode(stream: BinaryIO) -> Iterator[Entry]:
    """Yield the entries of a manifest. Raises Damaged: before the first, or at some that lead out of the tree."""
    for lines in _lines(stream):
        for line in b"".join(lines).decode("ascii").removesuffix("\n").split("\n"):
            stage, path, key, sha, mark, retired = line.split("\t")
            yield Entry(int(stage), path, sha if key == _SAME else key, sha, mark, int(retired) if retired else None)


def _lines(stream: BinaryIO) -> Iterator[list[bytes]]:
    """Yield the lines of a manifest, some thousand at once. Raises Damaged."""
    length = stream.seek(0, os.SEEK_END) - _END_LENGTH
    stream.seek(0)
    checksum, left = 0, max(length, 0)
    while part := stream.read(min(left, 1 << 20)):
        checksum, left = zlib.crc32(part, checksum), left - len(part)
    if left or stream.read() != _END % checksum:
        raise Damaged
    stream.seek(0)
    if stream.readline() != _MANIFEST:
        raise Damaged
    while stream.tell() < length:
        lines = stream.readlines(min(_PART, length - stream.tell()) - 1)  # until there are more bytes than that
        if _leads_out(b"".join(lines)):
            raise Damaged
        yield lines


def index_roots(path: str) -> list[str]:
    """Return where the indexes of a tree are, as its manifest at `path` says: each "", or with a slash at its end.

    Nothing is what a manifest says that is missing or damaged; and no path of ours has anything strange in it.
    """
    try:
        with open(path, "rb") as stream:
            roots = [entry.path for entry in decode(stream) if entry.stage == Stage.ROOT]
    except (OSError, Damaged, ValueError):
        return []
    return [root.removesuffix(JSON) for root in roots if root.endswith(JSON) and _PLAIN.fullmatch(root)]


def encode_intent(paths: Iterable[Position]) -> Iterator[bytes]:
    """Yield, in parts, the intent to write or delete what is at these positions."""
    yield _INTENT
    yield from _joined(f"{stage:d}\t{path}\n".encode() for stage, path in paths)


def decode_intent(stream: BinaryIO) -> list[Position]:
    """Return what a run intended to write or delete, in publish order. Raises Damaged."""
    if stream.readline() != _INTENT:
        raise Damaged
    try:
        lines = stream.readlines()
        paths = sorted(
            {(int(stage), path) for stage, path in (line.decode("ascii")[:-1].split("\t") for line in lines)}
        )
    except ValueError as error:
        raise Damaged from error
    if any(map(_leads_out, lines)):
        raise Damaged
    return paths


def _leads_out(lines: bytes) -> bool:
    return b".." in lines and _LEADS_OUT.search(lines) is not None


def _joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Join pieces to parts of some hundred kilobytes: one system call each, and never all in memory."""
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
