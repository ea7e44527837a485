"""`.tar.gz` sdists, read in bounded time and memory; nothing is extracted.

What pip and uv refuse was seen with pip 26.3 and uv 0.13: `tests/functional/test_unusual_tars.py`.
"""

import posixpath
import re
from io import BufferedIOBase, FileIO

from mkindex.distributions.gunzip import Gunzip
from mkindex.distributions.sdists import Layout, SdistFiles
from mkindex.distributions.tar_members import DIRECTORY, HARD_LINK, REGULAR, SYMLINK, Member, TarReader
from mkindex.distributions.zips import MAX_METADATA
from mkindex.errors import Unreadable
from mkindex.text import printable

_MAX_PATH, _MAX_PART = 4096, 255  # bytes, on most file systems
_REFUSED_BY_UV = re.compile(rb"[\0-\x1f\x7f\\:]|^/| (?:/|$)")


def read_tar_sdist(stream: FileIO | BufferedIOBase, size: int) -> SdistFiles:
    """Return PKG-INFO and pyproject.toml of a `.tar.gz` sdist.

    The gzip stream is read to its end, to check its length and checksum. Raises Unreadable.
    """
    data, layout = Gunzip(stream, size), Layout()
    archive = TarReader(data)
    before: set[bytes] = set()  # files, to which hard links may refer
    link_out = ""
    for member in archive.members():
        path = member.name.strip(b"/")
        name = path.decode("utf-8", "replace")
        shown = printable(name)[:80]
        if wrong := _why_refused(member, path, before):
            raise Unreadable(f"{shown or 'a member'} {wrong}: pip and uv refuse it. Build it again")
        if wrong := _why_uv_refuses(member):
            archive.note(f"{shown} {wrong}")
        if member.kind == SYMLINK and _is_outside(_end_of(path.partition(b"/")[2], member.target)):
            link_out = shown
        if member.kind in (*REGULAR, HARD_LINK):
            before.add(posixpath.normpath(path))
        if layout.add(f"{name}/" if member.kind == DIRECTORY else name):
            is_small = member.kind in REGULAR and member.size <= MAX_METADATA
            layout.keep(name, data.read(member.size) if is_small else None)
    data.check_rest()
    return layout.files(link_out=link_out, refused_by_uv=archive.refused_by_uv)


def _end_of(path: bytes, target: bytes) -> bytes:
    """Return where a symlink leads, without the links on the way."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target))


def _is_outside(path: bytes) -> bool:
    return path.startswith((b"/", b"../")) or path == b".."


def _why_refused(member: Member, path: bytes, targets: set[bytes]) -> str:
    """Return why pip and uv refuse a member; "" if they do not."""
    parts = path.split(b"/")
    if not path or b"\0" in path or b".." in parts:
        return "is not the name of a file in the archive"
    if len(path) > _MAX_PATH or max(map(len, parts)) > _MAX_PART:
        return "is longer than file systems allow"
    if member.kind == HARD_LINK:
        is_known = posixpath.normpath(member.target.lstrip(b"/")) in targets
        return "" if is_known else "is a hard link to a file that is not before it"
    if member.kind == SYMLINK:
        return "is a link that leads out of the archive" if _is_outside(_end_of(path, member.target)) else ""
    return "" if member.kind in (*REGULAR, DIRECTORY) else "is a special file"


def _why_uv_refuses(member: Member) -> str:
    """Return why uv refuses a member that pip takes; "" if it does not."""
    try:
        member.name.decode()
    except UnicodeDecodeError:
        return "is not UTF-8"
    if _REFUSED_BY_UV.search(member.name) or (member.kind in REGULAR and member.name.endswith(b"/")):
        return "has unusual characters"
    if member.kind in (HARD_LINK, SYMLINK) and (not member.target or member.target.startswith(b"/")):
        return "is a link to an absolute path"
    return ""
