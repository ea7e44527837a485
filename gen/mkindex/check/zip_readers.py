"""What different zip readers see differently in a wheel. The public index rejects uploads for the same reasons.

Some readers believe the directory at the end, others the header before each member. pip does the former, and uv
compares both.
"""

import io
import posixpath
import zipfile
from collections.abc import Iterator
from struct import Struct

from mkindex.distributions.zip_directory import (
    DESCRIPTOR,
    DESCRIPTOR_SIZES,
    MAX_VERSION,
    NEVER_READ,
    SEE_ZIP64,
    UTF8,
    ZIP64_FIELD,
    extra_fields,
    why_unclear,
)
from mkindex.errors import Unreadable
from mkindex.text import and_more, printable

_LOCAL = Struct("<4sHHH4xLLLHH")  # APPNOTE 4.3.7
_END = 22 + 0xFFFF  # bytes: the longest end of a zip


def ambiguities(archive: zipfile.ZipFile, stream: io.BufferedIOBase, size: int) -> Iterator[str]:
    """Yield what readers may see differently in the directory of a zip."""
    members = archive.infolist()
    first: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        before = first.setdefault(member.filename, member)
        is_same = (before.CRC, before.file_size) == (member.CRC, member.file_size)
        may_repeat = member.is_dir() or ".dist-info/" not in member.filename
        if before is not member and not (is_same and may_repeat):
            yield f"duplicate members: {_shown(member.filename)}"
    stream.seek(max(0, size - _END))
    tail = stream.read(_END)
    rest = tail[tail.rfind(b"PK\5\6") + 22 + len(archive.comment) :]
    if rest.strip(b"\0"):
        yield "data after the end of the zip file"
    if any(b"PK\1\2" in one or b"PK\5\6" in one for one in (archive.comment, *(m.comment for m in members))):
        yield "a comment that looks like another zip file"
    if min((one.header_offset for one in members), default=0):
        yield "data before the zip file: another archive, or a program"
    yield from _names(members)
    for member in members:
        try:
            extra_fields(_name(member), member.extra)
        except Unreadable as error:
            yield str(error).partition(": ")[0]


def _names(members: list[zipfile.ZipInfo]) -> Iterator[str]:
    """Yield names that readers take for different paths, or for the same one."""
    paths: dict[str, str] = {}
    wrong: dict[str, list[str]] = {}
    for member in members:
        name = member.orig_filename
        if reason := why_unclear(_name(member), is_utf8=bool(member.flag_bits & UTF8)):
            wrong.setdefault(reason, []).append(name)
        path = posixpath.normpath(name.replace("\\", "/"))
        if ".dist-info/" in path.lower():  # some file systems ignore the case
            path = path.lower()
        if paths.setdefault(path, name) != name:
            wrong.setdefault("is the same path as another member", []).append(name)
    for reason, names in wrong.items():
        yield f"the name of a member {reason}: {and_more([_shown(name) for name in names])}"


def differences(archive: zipfile.ZipFile, stream: io.BufferedIOBase) -> Iterator[str]:
    """Yield how the headers before members differ from the directory, and what is hidden between members."""
    end = 0  # of the member before
    sizes: tuple[int, ...] = (0,)  # what its descriptor may have
    for member in sorted(archive.infolist(), key=lambda one: one.header_offset):
        name = _shown(member.filename)
        if member.header_offset < end:
            yield f"overlapping members: {name}"
        elif end and member.header_offset - end not in sizes:
            yield f"data that belongs to no member before {name}"
        stream.seek(member.header_offset)
        head = stream.read(_LOCAL.size)
        if len(head) != _LOCAL.size or head[:4] != b"PK\3\4":
            yield f"the central directory lists {name}, but there is no such member"
            return
        values = _LOCAL.unpack(head)
        *_, name_length, extra_length = values
        if not _is_same(member, values, stream.read(name_length), stream.read(extra_length)):
            yield f"central directory and local header disagree about {name}"
        end = member.header_offset + _LOCAL.size + name_length + extra_length + member.compress_size
        sizes = DESCRIPTOR_SIZES if values[2] & DESCRIPTOR else (0,)
    if archive.start_dir - end not in sizes:
        yield "data that belongs to no member before the central directory"


def _is_same(member: zipfile.ZipInfo, values: tuple[int, ...], name: bytes, extra: bytes) -> bool:
    _, version, flags, method, crc, packed, unpacked, _, _ = values
    try:
        field = extra_fields(name, extra).get(ZIP64_FIELD, b"")
    except Unreadable:
        return False
    if SEE_ZIP64 in (packed, unpacked) and len(field) >= 16:  # 4.5.3: both values, the unpacked size first
        unpacked, packed = (int.from_bytes(field[at : at + 8], "little") for at in (0, 8))
    sizes = (crc, packed, unpacked)
    return (
        name == _name(member)
        and method == member.compress_type
        and version & 0xFF <= MAX_VERSION
        and flags & NEVER_READ == member.flag_bits & NEVER_READ
        and (sizes == (member.CRC, member.compress_size, member.file_size) or bool(flags & DESCRIPTOR and not packed))
    )


def _name(member: zipfile.ZipInfo) -> bytes:
    return member.orig_filename.encode("utf-8" if member.flag_bits & UTF8 else "cp437", "replace")


def _shown(name: str) -> str:
    return printable(name)[:80]
