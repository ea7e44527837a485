"""Targets of fuzzing: wheels, zips and tarballs, compared with `zipfile`, a reader of local headers, and `tarfile`."""

from __future__ import annotations

import gzip
import io
import posixpath
import re
import struct
import tarfile
import zipfile
import zlib
from dataclasses import replace

from mkindex.check import zip_readers
from mkindex.distributions import zips
from mkindex.distributions.tarballs import read_tar_sdist
from mkindex.errors import Unreadable
from support.archives import reader
from support.raw_zips import Member, build_zip, members_of, unicode_path
from support.wheels import metadata, sdist, wheel

METADATA = metadata("demo", "1.0")
LARGEST = 1 << 16  # bytes of an input: the bounds of large files have tests of their own


def wheels() -> list[bytes]:
    """Wheels that are right, and with one thing wrong."""
    plain = wheel("demo", "1.0")
    some = [*members_of(plain).values()]
    path = b"demo-1.0.dist-info/METADATA"
    odd = [replace(some[-1], extra=unicode_path(some[-1].name, b"x")), Member(name=path, content=METADATA)]
    zipped = [plain, wheel("demo", "1.0", compressed=True)]
    zipped += [build_zip([*some, one]) for one in odd] + [build_zip(some, comment=b"PK\5\6", after=b"\0")]
    return [b"\0" + one for one in zipped] + [b"\1" + bytes(range(one, one + 40)) for one in range(0, 200, 40)]


def check_wheel(data: bytes) -> str:
    """Return what is wrong with how a wheel is read; the first byte says whether the rest is it, or describes it."""
    data = draw_zip(data[1:]) if data[:1] == b"\1" else data[1:]
    try:
        ours = zips.read_wheel(reader(data), len(data))
    except Unreadable:
        return ""
    path = f"{ours.dist_info}.dist-info/METADATA"
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            theirs = archive.read(path)
            unclear = [*zip_readers.ambiguities(archive, io.BytesIO(data), len(data))]
            differences = [*zip_readers.differences(archive, io.BytesIO(data))]
            # Of other members pip and uv compare the two headers when they install them, and check does.
            ours_only = rf"disagree about {re.escape(ours.dist_info)}\.dist-info/(METADATA|WHEEL|RECORD)$"
            unclear += [one for one in differences if re.search(ours_only, one)]
    except Exception as error:
        return f"zipfile does not read it: {error!r}"
    if theirs != ours.metadata:
        return f"zipfile reads {theirs[:80]!r}, and we read {ours.metadata[:80]!r}"
    if unclear:
        return f"check calls it wrong: {unclear}"
    # Another member may be METADATA by its local header only: pip and uv refuse to install it, and check says so.
    streamed = None if differences else read_local_headers(data).get(path.encode())
    return "" if streamed in (None, theirs) else f"by local headers: {streamed[:80] if streamed else streamed!r}"


def read_local_headers(data: bytes) -> dict[bytes, bytes]:
    """Read a zip from its start, as streaming readers do, up to a member whose end they cannot know."""
    found: dict[bytes, bytes] = {}
    at = 0
    while data[at : at + 4] == b"PK\3\4" and at + 30 <= len(data):
        flags, method, _, packed, _, name_length, extra_length = struct.unpack_from("<6xHH4xLLLHH", data, at)
        start = at + 30 + name_length + extra_length
        if flags & 8 or packed == 0xFFFFFFFF or method not in (0, 8):
            break
        content = data[start : start + packed]
        if method:
            try:
                content = zlib.decompressobj(-15).decompress(content, LARGEST * 8)
            except zlib.error:
                break
        found.setdefault(data[at + 30 : at + 30 + name_length], content)
        at = start + packed
    return found


class Bytes:
    """Choices made by the bytes of an input; when they are used up, the first one each time."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def below(self, limit: int) -> int:
        self._at += 1
        return self._data[self._at - 1] % limit if self._at <= len(self._data) else 0

    def some(self, length: int) -> bytes:
        self._at += length
        return self._data[self._at - length : self._at]


NAMES = [
    b"demo-1.0.dist-info/METADATA", b"demo-1.0.dist-info/WHEEL", b"demo-1.0.dist-info/RECORD", b"demo/__init__.py",
    b"demo-1.0.dist-info/METADATA/", b"./demo-1.0.dist-info/METADATA", b"demo-1.0.dist-info/METADATA\0x",
    b"Demo-1.0.dist-info/METADATA", b"demo-1.0.dist-info\\METADATA", b"demo-1.0.dist-info//METADATA", b"../x", b"/x",
    b"demo-1.0.dist-info/", b"c:x", b"\xff", "ä".encode(), b"",
]  # fmt: skip
CONTENTS = [METADATA, metadata("demo", "1.0", summary="another"), b"", b"x" * 40]


def draw_zip(data: bytes) -> bytes:
    """Return the zip that some bytes describe: each field may be wrong."""
    draw, members = Bytes(data), []
    for _ in range(1 + draw.below(5)):
        content = CONTENTS[draw.below(4)]
        is_odd = draw.below(2)
        one = Member(name=NAMES[draw.below(len(NAMES))], content=content)
        if is_odd:
            one = replace(
                one,
                flags=(0, 0x800, 8, 1, 0x808)[draw.below(5)],
                version=(20, 63, 64, 255)[draw.below(4)],
                method=(0, 8, 12, 99)[draw.below(4)],
                crc=(None, 0, 1)[draw.below(3)],
                size=(None, 0, len(content) + 1, 0xFFFFFFFF)[draw.below(4)],
                extra=(b"", unicode_path(one.name, NAMES[0]), b"\1\0\x08\0" + draw.some(8), draw.some(6))[
                    draw.below(4)
                ],
                local_name=(None, None, NAMES[draw.below(len(NAMES))])[draw.below(3)],
                local_size=(None, 0, len(content) + 1)[draw.below(3)],
                local_crc=(None, 0)[draw.below(2)],
                local_method=(None, 0, 8)[draw.below(3)],
                after=(b"", draw.some(16), b"PK\7\x08" + draw.some(12))[draw.below(3)],
                is_listed=draw.below(4) != 1,
            )
        members.append(one)
    end = draw.below(4)
    return build_zip(members, comment=draw.some(8) if end == 1 else b"", after=draw.some(4) if end == 2 else b"")


# --- sdists -----------------------------------------------------------------------------------------------------------


def tars() -> list[bytes]:
    """The tars of sdists: plain, with long names, links and pax headers."""
    found = [gzip.decompress(sdist("demo", "1.0"))]
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
            for name in ("demo-1.0/" + "é" * 90, "demo-1.0/PKG-INFO", "demo-1.0/setup.py"):
                info = tarfile.TarInfo(name)
                info.size = len(METADATA)
                archive.addfile(info, io.BytesIO(METADATA))
            link = tarfile.TarInfo("demo-1.0/link")
            link.type, link.linkname = tarfile.SYMTYPE, "PKG-INFO"
            archive.addfile(link)
        found.append(buffer.getvalue())
    return found


def check_sdist(data: bytes) -> str:
    """Return what is wrong with how a `.tar.gz` sdist is read; `data` is its tar, whose checksums are corrected."""
    compressed = gzip.compress(with_checksums(data), 1)
    try:
        ours = read_tar_sdist(io.BytesIO(compressed), len(compressed))
    except Unreadable:
        return ""
    try:
        theirs = project_files(compressed)
    except Exception as error:
        return f"tarfile does not read it: {error!r}"
    return "" if ours.pkg_info in theirs else f"tarfile reads {theirs!r:.200}, and we read {ours.pkg_info!r:.80}"


def with_checksums(data: bytes) -> bytes:
    """Correct the checksum of each block that looks like the header of a member."""
    blocks = bytearray(data)
    for at in range(0, len(blocks) - 511, 512):
        if blocks[at + 257 : at + 262] == b"ustar":
            blocks[at + 148 : at + 156] = b" " * 8
            blocks[at + 148 : at + 156] = b"%06o\0 " % sum(blocks[at : at + 512])
    return bytes(blocks)


def project_files(compressed: bytes) -> list[bytes | None]:
    """Return the contents of each PKG-INFO that pip or uv may find, None if one may find none."""
    found: list[bytes | None] = [None]
    with tarfile.open(fileobj=io.BytesIO(compressed), mode="r:gz") as archive:
        for member in archive:
            path = posixpath.normpath(member.name.strip("/"))
            if posixpath.basename(path) == "PKG-INFO" and path.count("/") < 2 and member.isreg():
                content = archive.extractfile(member)
                found.append(content.read() if content else None)
    return found
