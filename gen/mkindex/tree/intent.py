"""The intent: every path that a run writes or deletes, recorded before it does, so that the next run can finish it.

It is text like the manifest, without the facts that are known only when a run is done.
"""

import os
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from mkindex.tree.manifest import LARGEST, PUBLISHED_PATH, DamagedManifest, Entry, NewerManifest, each_line, joined

_INTENT = b"mkindex intent 3\n"
_ANY_INTENT = re.compile(rb"mkindex intent ([1-9][0-9]{0,8})\n")
_INTENT_LINE = re.compile(rb"[a-z0-9-]*\t%b(?:\t[0-9a-f]{0,64})?\n" % PUBLISHED_PATH)


def encode(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Yield, in parts, the intent to write or delete at the paths of these entries. Only their hashes are recorded."""
    yield _INTENT
    yield from joined(f"{one.section}\t{one.stage:d}\t{one.path}\t{one.sha256}\n".encode() for one in entries)


def decode(stream: BinaryIO) -> list[Entry]:
    """Return an entry for each path and hash in an intent, ordered by position.

    A path can have several: those of a run that died, and those of the one after it. Intents of mkindex 0.1.0 have no
    hashes. Raises DamagedManifest, and NewerManifest for an intent of a newer version.
    """
    first_line = _ANY_INTENT.fullmatch(stream.readline(len(_INTENT) + 9))
    if not first_line or int(first_line[1]) < 2:
        raise DamagedManifest
    if int(first_line[1]) > 3:
        raise NewerManifest(f"was written by a newer mkindex (format {int(first_line[1])}; this version reads 3)")
    start = stream.tell()
    size = stream.seek(0, os.SEEK_END)
    stream.seek(start)
    entries = set()
    for line in each_line(stream, min(size, LARGEST)):
        if not _INTENT_LINE.fullmatch(line):
            raise DamagedManifest
        section, stage, path, *sha256 = line[:-1].decode().split("\t")
        entries.add(Entry(section, int(stage), path, "", "".join(sha256), ""))
    return sorted(entries)
