"""Core metadata of wheels and `.zip` sdists, read in bounded time and memory; nothing is extracted.

The zip directory is read here and not by `zipfile`, for three reasons: `zipfile` makes an object for every member
before it says how many there are; it accepts archives that other readers see differently (two zips in one file, bytes
before or after the archive); and it does not say where the bytes of a member are, from which the `.metadata` sibling is
written later.

Numbers in comments are sections of PKWARE's APPNOTE.
"""

import zlib
from collections.abc import Callable, Collection, Iterator
from io import BufferedIOBase, FileIO
from struct import Struct
from typing import NamedTuple, Self

from mkindex.distributions.build_requires import SdistFiles
from mkindex.errors import Unreadable
from mkindex.text import and_more, printable

MAX_MEMBERS = 100_000  # the largest wheels on the public index have some 20,000
MAX_METADATA = 8 << 20  # bytes of one METADATA or PKG-INFO
MAX_DIRECTORY = 32 << 20  # bytes of a zip's central directory
# The public index rejects uploads by the same rule.
BOMB_SIZE, BOMB_RATIO = 64 << 20, 50

# Reads from an archive, given offset and length; returns fewer bytes at the end of the archive.
ReadAt = Callable[[int, int], bytes]


def random_access(stream: FileIO | BufferedIOBase) -> ReadAt:
    """Return a function that reads a seekable stream at any offset."""

    def read_at(start: int, length: int) -> bytes:
        stream.seek(start)
        return stream.read(length) or b""

    return read_at


class Span(NamedTuple):
    """The position of a zip member: offset and length in the archive, and its decompressed size."""

    start: int
    length: int
    size: int
    deflated: int  # 0: stored without compression

    def __str__(self) -> str:
        return f"{self.start} {self.length} {self.size} {self.deflated}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the text that `str()` returned."""
        return cls(*map(int, text.split()))


# --- wheels and .zip sdists -----------------------------------------------------------------------------------------

_END = Struct("<4s4HLLH")  # 4.3.16 end of central directory
_END64_LOCATOR = Struct("<4sLQL")  # 4.3.15
_END64 = Struct("<4sQ2H2L4Q")  # 4.3.14
_ENTRY = Struct("<4s4xHH4xLLLHHH8xL")  # 4.3.12 one file in the central directory
_LOCAL = Struct("<4s2xHH16xHH")  # 4.3.7 local file header
_ENCRYPTED = 0x1
_NOT_ONE_ZIP = "the zip has extra bytes before or between its members: build it again"
_STORED, _DEFLATED = 0, 8
_SEE_ZIP64 = 0xFFFFFFFF


class _Member(NamedTuple):
    name: bytes
    flags: int
    method: int
    crc: int
    compressed: int
    size: int
    offset: int


def read_wheel_metadata(read_at: ReadAt, size: int) -> tuple[str, bytes, Span]:
    """Return the name (`foo-1.0`) of the `.dist-info` directory of a wheel, its METADATA, and the position of METADATA.

    Raises Unreadable.
    """
    directories: set[bytes] = set()
    found: list[_Member] = []
    for member in _members(read_at, size):
        top, slash, rest = member.name.partition(b"/")
        if slash and top.endswith(b".dist-info"):
            directories.add(top)
            if rest == b"METADATA":
                found.append(member)
    if len(directories) != 1:
        names = and_more(sorted(printable(name.decode("utf-8", "replace")) for name in directories))
        wrong = f"{len(directories)} .dist-info directories ({names})" if directories else "no .dist-info directory"
        raise Unreadable(f"{wrong}, a wheel has exactly one: build it again")
    if len(found) != 1:
        raise Unreadable(f"{'no' if not found else 'more than one'} METADATA in its .dist-info: build it again")
    raw, span = _read_member(read_at, found[0])
    return directories.pop()[: -len(".dist-info")].decode("utf-8", "replace"), raw, span


def read_dist_info(read_at: ReadAt, size: int, directory: str, names: Collection[str]) -> dict[str, bytes]:
    """Return the contents of those of the files `names` that are in the `.dist-info` directory. Raises Unreadable."""
    paths = {f"{directory}.dist-info/{name}".encode(): name for name in names}
    found = [member for member in _members(read_at, size) if member.name in paths]
    return {paths[member.name]: _read_member(read_at, member)[0] for member in found}


def read_zip_sdist(read_at: ReadAt, size: int) -> SdistFiles:
    """Return PKG-INFO and pyproject.toml in the top directory of a `.zip` sdist. Raises Unreadable."""
    tops = [member for member in _members(read_at, size) if member.name.count(b"/") == 1]
    found = [member for member in tops if member.name.endswith(b"/PKG-INFO")]
    if len(found) != 1:
        wrong = "no PKG-INFO in its top directory" if not found else "more than one top-level PKG-INFO"
        raise Unreadable(f"{wrong}, so it is not an sdist: build it again, as .tar.gz")
    pyproject = next((member for member in tops if member.name.endswith(b"/pyproject.toml")), None)
    return SdistFiles(_read_member(read_at, found[0])[0], _read_member(read_at, pyproject)[0] if pyproject else None)


def read_span(read_at: ReadAt, span: Span) -> bytes:
    """Return the content of the member at `span`. Raises Unreadable if its length is not that of the span."""
    raw = data = read_at(span.start, span.length)
    if span.deflated:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            raw = inflater.decompress(data, span.size + 1)  # one byte more than expected shows that there are too many
        except zlib.error as error:
            raise Unreadable(f"METADATA cannot be decompressed ({error}): copy or build it again") from error
    if len(raw) != span.size:
        raise Unreadable(f"METADATA does not have the {span.size:,} bytes that the zip says: copy or build it again")
    return raw


def _members(read_at: ReadAt, size: int) -> Iterator[_Member]:
    """Yield the entries of the central directory. Raises Unreadable if readers could see different entries."""
    start, length, count = _directory(read_at, size)
    if count > MAX_MEMBERS or length > MAX_DIRECTORY:
        raise Unreadable(
            f"its zip directory has {count:,} members in {length:,} bytes, over the limits of mkindex: build it again"
        )
    data = read_at(start, length)
    at = seen = compressed = total = 0
    first, last = start, -1
    while at + _ENTRY.size <= length:
        magic, flags, method, crc, packed, unpacked, n, x, c, offset = _ENTRY.unpack_from(data, at)
        if magic != b"PK\1\2":
            break
        name_end = at + _ENTRY.size + n
        if _SEE_ZIP64 in (packed, unpacked, offset):
            extra = data[name_end : name_end + x]
            unpacked, packed, offset = _zip64_values(extra, unpacked, packed, offset)
        yield _Member(data[at + _ENTRY.size : name_end], flags, method, crc, packed, unpacked, offset)
        at = name_end + x + c
        seen += 1
        compressed += packed
        total += unpacked
        first, last = min(first, offset), max(last, offset)
    if at != length or seen != count or last >= start:
        raise Unreadable("its zip directory is damaged: copy or build it again")
    if first:
        raise Unreadable(_NOT_ONE_ZIP)
    if compressed > size:
        raise Unreadable("a zip bomb: its members overlap. Remove it")
    if total > BOMB_SIZE and total > BOMB_RATIO * size:
        raise Unreadable(
            f"a zip bomb: {size:,} bytes that unpack to {total:,}. Remove it, or store large members as they are"
        )


def _directory(read_at: ReadAt, size: int) -> tuple[int, int, int]:
    """Return offset, length and entry count of the central directory."""
    tail_start = max(0, size - _END.size - 0xFFFF)
    tail = read_at(tail_start, size - tail_start)
    at = tail.rfind(b"PK\5\6")
    if at < 0 or at + _END.size > len(tail):
        raise Unreadable("not a zip file (damaged or incomplete download). Copy or build it again")
    _, disk, first_disk, _, count, length, start, comment = _END.unpack_from(tail, at)
    if at + _END.size + comment != len(tail) or disk or first_disk:
        raise Unreadable("the zip has extra bytes after its end: copy or build it again")
    end = tail_start + at
    locator = read_at(end - _END64_LOCATOR.size, _END64_LOCATOR.size) if end >= _END64_LOCATOR.size else b""
    # Not only if a value needs it: from 2 GiB on Python writes the zip64 records, and the values in both places.
    if locator.startswith(b"PK\6\7"):
        _, _, end64, _ = _END64_LOCATOR.unpack(locator)
        record = read_at(end64, _END64.size) if end64 < end else b""
        if len(record) != _END64.size or not record.startswith(b"PK\6\6"):
            raise Unreadable("its zip64 directory is damaged: copy or build it again")
        _, rest, _, _, _, _, _, count, length, start = _END64.unpack(record)
        # 4.3.14.1: the record's own size leaves out its first 12 bytes.
        if end64 + 12 + rest != end - _END64_LOCATOR.size:
            raise Unreadable("its zip64 directory is damaged: copy or build it again")
        end = end64
    if start + length != end:
        raise Unreadable(_NOT_ONE_ZIP)
    return start, length, count


def _zip64_values(extra: bytes, *values: int) -> list[int]:
    """Replace values that do not fit into 32 bits by those in the zip64 extra field (4.5.3), in their fixed order."""
    at = 0
    while at + 4 <= len(extra):
        tag, length = (
            int.from_bytes(extra[at : at + 2], "little"),
            int.from_bytes(extra[at + 2 : at + 4], "little"),
        )
        if tag == 1:
            field = extra[at + 4 : at + 4 + length]
            wide = iter(int.from_bytes(field[i : i + 8], "little") for i in range(0, len(field) - 7, 8))
            return [next(wide, value) if value == _SEE_ZIP64 else value for value in values]
        at += 4 + length
    return list(values)


def _read_member(read_at: ReadAt, member: _Member) -> tuple[bytes, Span]:
    what = member.name.rpartition(b"/")[2].decode()
    if member.size > MAX_METADATA or member.compressed > MAX_METADATA:
        raise Unreadable(f"{what} has {member.size:,} bytes, more than {MAX_METADATA >> 20} MiB: build it again")
    if member.flags & _ENCRYPTED or member.method not in (_STORED, _DEFLATED):
        raise Unreadable(f"{what} is encrypted or compressed by another method than deflate: build it again")
    header = read_at(member.offset, _LOCAL.size)
    if len(header) != _LOCAL.size or header[:4] != b"PK\3\4":
        raise Unreadable(f"{what} is not where the zip directory says: copy or build it again")
    _, flags, method, n, x = _LOCAL.unpack(header)
    name = read_at(member.offset + _LOCAL.size, n)
    if name != member.name or method != member.method or flags & _ENCRYPTED:
        raise Unreadable(f"the zip directory and the header of {what} differ: build it again")
    span = Span(member.offset + _LOCAL.size + n + x, member.compressed, member.size, int(method == _DEFLATED))
    raw = read_span(read_at, span)
    if zlib.crc32(raw) != member.crc:
        raise Unreadable(f"{what} has a wrong checksum: copy or build it again")
    return raw, span
