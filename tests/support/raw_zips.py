"""Zips in which every field can be wrong: the headers before members, the directory, and what is between."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass

DATE = 0x5042  # 2020-02-02


@dataclass(frozen=True, kw_only=True)
class Member:
    """A stored member. Values that begin with `local` are in its header instead of those in the directory."""

    name: bytes
    content: bytes = b""
    flags: int = 0
    version: int = 20
    method: int = 0
    crc: int | None = None
    size: int | None = None
    extra: bytes = b""
    local_name: bytes | None = None
    local_method: int | None = None
    local_size: int | None = None
    local_crc: int | None = None
    after: bytes = b""  # between this member and the next
    is_listed: bool = True  # in the directory

    def header(self) -> bytes:
        """Return what is before the next member."""
        name = self.name if self.local_name is None else self.local_name
        size = self._size if self.local_size is None else self.local_size
        values = (
            self.version,
            self.flags,
            self.method if self.local_method is None else self.local_method,
            0,
            DATE,
            self._crc if self.local_crc is None else self.local_crc,
            size,
            size,
            len(name),
            len(self.extra),
        )
        return struct.pack("<4s5H3L2H", b"PK\3\4", *values) + name + self.extra + self.content + self.after

    def entry(self, offset: int) -> bytes:
        """Return its entry in the directory."""
        sizes = (self._size, self._size, len(self.name), len(self.extra), 0, 0, 0)
        values = (0x314, self.version, self.flags, self.method, 0, DATE, self._crc, *sizes, 0o100644 << 16, offset)
        return struct.pack("<4s6H3L5H2L", b"PK\1\2", *values) + self.name + self.extra

    @property
    def _crc(self) -> int:
        return zlib.crc32(self.content) if self.crc is None else self.crc

    @property
    def _size(self) -> int:
        return len(self.content) if self.size is None else self.size


def members_of(data: bytes) -> dict[str, Member]:
    """Return the members of a zip by name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: Member(name=name.encode(), content=archive.read(name)) for name in archive.namelist()}


def build_zip(members: list[Member], *, comment: bytes = b"", after: bytes = b"") -> bytes:
    """Return a zip of `members` with a comment, and `after` behind its end."""
    body, entries = bytearray(), []
    for member in members:
        if member.is_listed:
            entries.append(member.entry(len(body)))
        body += member.header()
    directory = b"".join(entries)
    counts = (len(entries), len(entries), len(directory), len(body), len(comment))
    return bytes(body) + directory + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, *counts) + comment + after


def unicode_path(name: bytes, other: bytes) -> bytes:
    """Return the extra field that gives a member another name (APPNOTE 4.6.9)."""
    content = struct.pack("<BL", 1, zlib.crc32(name)) + other
    return struct.pack("<HH", 0x7075, len(content)) + content
