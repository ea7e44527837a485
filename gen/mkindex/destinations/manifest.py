"""What mkindex knows of a directory it writes to: the manifest of what is there, the intent of a run under way.

Both are text, a line for each path with tabs between the fields. Neither is believed about a path that leads out of the
directory: a tree may come from somebody else, and what is listed may be deleted.
"""

import os
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import BinaryIO

from mkindex.publish import Entry
from mkindex.render import JSON, Stage

_MANIFEST = b"mkindex manifest 1\n"
_INTENT = b"mkindex intent 1\n"
_END = b"end %08x\n"
_END_LENGTH = len(_END % 0)
_SAME = "="  # the key of a file is its sha256, which is not written twice


class Damaged(Exception):
    """A file of ours that is not what was written."""


def encode(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Yield a manifest, in parts: the entries, and a checksum of it all."""
    checksum = zlib.crc32(_MANIFEST)
    yield _MANIFEST
    for part in _joined(
        f"{stage:d}\t{path}\t{_SAME if key == sha else key}\t{sha}\t{mark}\t{'' if retired is None else retired}\n"
        for stage, path, key, sha, mark, retired in entries
    ):
        checksum = zlib.crc32(part, checksum)
        yield part
    yield _END % checksum


def decode(stream: BinaryIO) -> Iterator[Entry]:
    """Yield the entries of a manifest. Raises Damaged: before the first, or at one that leads out of the tree."""
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
    for line in stream:
        if line.startswith(b"end "):
            return
        stage, path, key, sha, mark, retired = str(line, "ascii").rstrip("\n").split("\t")
        if _leads_out(path):
            raise Damaged
        yield Entry(int(stage), path, sha if key == _SAME else key, sha, mark, int(retired) if retired else None)


def index_roots(path: str) -> list[str]:
    """Return where the indexes of a tree are, as its manifest at `path` says: each "", or with a slash at its end.

    Nothing is what a manifest says that is missing or damaged.
    """
    try:
        with open(path, "rb") as stream:
            roots = [entry.path for entry in decode(stream) if entry.stage == Stage.ROOT]
    except (OSError, Damaged, ValueError):
        return []
    return [root.removesuffix(JSON) for root in roots if root.endswith(JSON)]


def encode_intent(paths: Iterable[tuple[int, str]]) -> Iterator[bytes]:
    """Yield, in parts, the intent to write or delete `paths`, each with its stage."""
    yield _INTENT
    yield from _joined(f"{stage:d}\t{path}\n" for stage, path in paths)


def decode_intent(stream: BinaryIO) -> list[tuple[int, str]]:
    """Return what a run intended to write or delete, in publish order. Raises Damaged."""
    if stream.readline() != _INTENT:
        raise Damaged
    try:
        lines = [str(line, "ascii").rstrip("\n").split("\t") for line in stream]
        paths = sorted({(int(stage), path) for stage, path in lines})
    except ValueError as error:
        raise Damaged from error
    if any(_leads_out(path) for _, path in paths):
        raise Damaged
    return paths


def _leads_out(path: str) -> bool:
    return ".." in path and ".." in path.split("/")


def _joined(lines: Iterable[str]) -> Iterator[bytes]:
    """Join lines to parts of some hundred kilobytes: one system call each, and never all in memory."""
    rest = iter(lines)
    while part := "".join(islice(rest, 2000)):
        yield part.encode()
