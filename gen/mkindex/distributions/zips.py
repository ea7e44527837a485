"""Core metadata and other parts of wheels and `.zip` sdists, read in bounded time and memory; nothing is extracted."""

import zlib
from collections.abc import Collection
from functools import lru_cache
from io import BufferedIOBase, BytesIO, FileIO
from typing import NamedTuple, Self

from mkindex.distributions.sdists import Layout, SdistFiles
from mkindex.distributions.zip_directory import (
    DEFLATED,
    DESCRIPTOR,
    KIND,
    LOCAL_HEADER,
    SEE_ZIP64,
    ZIP64_FIELD,
    Member,
    Members,
    ReadAt,
    extra_fields,
    is_same_kind,
    read_members,
    shown,
)
from mkindex.errors import Unreadable
from mkindex.text import and_more

MAX_METADATA = 8 << 20  # bytes of one METADATA, PKG-INFO or RECORD
MAX_WHEEL, MAX_ENTRY_POINTS = 64 << 10, 1 << 20  # bytes
_PARTS = (b"METADATA", b"WHEEL", b"RECORD")
_OTHERS = ((b"WHEEL", MAX_WHEEL), (b"RECORD", MAX_METADATA), (b"entry_points.txt", MAX_ENTRY_POINTS))


def random_access(stream: FileIO | BufferedIOBase) -> ReadAt:
    """Return a function that reads a seekable stream at any offset."""
    if isinstance(stream, BytesIO):
        whole = stream.getvalue()
        return lambda start, length: whole[start : start + length]

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


class Wheel(NamedTuple):
    """The parts of a wheel that decide whether and how clients install it."""

    dist_info: str  # `foo-1.0` of `foo-1.0.dist-info`
    metadata: bytes
    span: Span  # of METADATA
    # None if it is missing:
    wheel: bytes | None
    record: bytes | None
    entry_points: bytes | None
    data: tuple[str, ...]  # members whose path has `.data` in it


def read_wheel(read_at: ReadAt, size: int) -> Wheel:
    """Return what decides how a wheel is installed. Raises Unreadable if readers could see different things in it."""
    members = read_members(read_at, size)
    directory = _find_dist_info(members)
    raw, span = _read_required(read_at, members, directory)
    wheel, record, points = (
        _read_member(read_at, path, members[path], most)[0]
        if (path := b"%s/%s" % (directory, name)) in members
        else None
        for name, most in _OTHERS
    )
    data = tuple(shown(name) for name in members if b".data" in name)
    return Wheel(_stem(directory), raw, span, wheel, record, points, data)


def read_wheel_metadata(read_at: ReadAt, size: int) -> tuple[str, bytes, Span]:
    """Return the name (`foo-1.0`) of the `.dist-info` directory of a wheel, its METADATA, and the position of METADATA.

    Nothing else of the wheel is read but the zip directory. Raises Unreadable.
    """
    members = read_members(read_at, size, reads_headers=False)
    directory = _find_dist_info(members)
    return _stem(directory), *_read_required(read_at, members, directory)


def _stem(directory: bytes) -> str:
    return directory.removesuffix(b".dist-info").decode("utf-8", "replace")


def _read_required(read_at: ReadAt, members: Members, directory: bytes) -> tuple[bytes, Span]:
    path = directory + b"/METADATA"
    if path not in members:
        raise Unreadable("no METADATA in its .dist-info: build it again")
    return _read_member(read_at, path, members[path])


def _find_dist_info(members: Members) -> bytes:
    """Return the name of the one .dist-info directory. Raises Unreadable."""
    inside = [name.partition(b"/") for name in members if b".dist-info/" in name.lower()]
    directories = {top for top, _, _ in inside if top.lower().endswith(b".dist-info")}
    if len(directories) != 1:
        names = and_more(sorted(map(shown, directories)))
        wrong = f"{len(directories)} .dist-info directories ({names})" if directories else "no .dist-info directory"
        raise Unreadable(f"{wrong}, a wheel has exactly one: build it again")
    directory = directories.pop()
    # Windows and macOS take names that differ in case for the same, and `METADATA/` would be a directory.
    strange = [rest for top, _, rest in inside if rest not in _PARTS and rest.partition(b"/")[0].upper() in _PARTS]
    if strange or not directory.endswith(b".dist-info"):
        raise Unreadable(f"{shown(b'/'.join((directory, *strange)))} is not what clients look for: build it again")
    return directory


def read_dist_info(read_at: ReadAt, size: int, directory: str, names: Collection[str]) -> dict[str, bytes]:
    """Return the contents of those of the files `names` that are in the `.dist-info` directory. Raises Unreadable."""
    members = read_members(read_at, size, reads_headers=False)
    paths = {name: f"{directory}.dist-info/{name}".encode() for name in names}
    return {name: _read_member(read_at, path, members[path])[0] for name, path in paths.items() if path in members}


def read_zip_sdist(read_at: ReadAt, size: int) -> SdistFiles:
    """Return PKG-INFO and pyproject.toml of a `.zip` sdist. Raises Unreadable."""
    layout = Layout()
    members = read_members(read_at, size)
    for path, member in members.items():
        name = path.decode("utf-8", "replace")
        if layout.add(name):
            layout.keep(name, _read_member(read_at, path, member)[0])
    files = layout.files()
    if files.pkg_info is None:  # if its name is damaged, its header still has the right one
        for path, member in members.items():
            if path.count(b"/") <= 2 and max(member[2:4]) <= MAX_METADATA:
                _read_member(read_at, path, member)
    return files


def read_span(read_at: ReadAt, span: Span) -> bytes:
    """Return the content of the member at `span`. Raises Unreadable if its length is not that of the span."""
    return _content(read_at(span.start, span.length), span.size, b"METADATA", deflated=bool(span.deflated))


def _content(data: bytes, size: int, path: bytes, *, deflated: bool) -> bytes:
    raw = data
    if deflated:
        try:
            raw = _decompress_known(data, size) if len(data) < _SMALL else _decompress(data, size)
        except zlib.error as error:
            raise Unreadable(f"{_last(path)} cannot be decompressed ({error}): copy or build it again") from error
    if len(raw) != size:
        raise Unreadable(f"{_last(path)} does not have the {size:,} bytes that the zip says: copy or build it again")
    return raw


def _decompress(data: bytes, size: int) -> bytes:
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size + 1)  # one more shows that there are too many


# Wheels of the same build tool have the same WHEEL, and decompressing takes most of the time of reading it.
_decompress_known = lru_cache(maxsize=256)(_decompress)
_SMALL = 256  # bytes


def _last(path: bytes) -> str:
    return shown(path.rpartition(b"/")[2])


def _read_member(read_at: ReadAt, path: bytes, member: Member, most: int = MAX_METADATA) -> tuple[bytes, Span]:
    """Return the content of a member, and its position. Raises Unreadable if its header says something else.

    `most`: the bytes that it may have.
    """
    kind, crc, packed, size, offset = member
    if size > most or packed > most:
        limit = f"{most >> 20} MiB" if most >> 20 else f"{most >> 10} KiB"
        raise Unreadable(f"{_last(path)} has {size:,} bytes, more than {limit}: build it again")
    start = LOCAL_HEADER.size + len(path)
    block = read_at(offset, start + packed)  # with all of the member, if it has no extra field
    if len(block) < LOCAL_HEADER.size or not block.startswith(b"PK\3\4"):
        raise Unreadable(f"{_last(path)} is not where the zip directory says: copy or build it again")
    _, local_kind, local_crc, local_packed, local_size, n, x = LOCAL_HEADER.unpack_from(block)
    is_same = n == len(path) and block[LOCAL_HEADER.size : start] == path
    data = block[start:]
    if is_same and x:
        field = extra_fields(path, read_at(offset + start, x)).get(ZIP64_FIELD, b"")
        if SEE_ZIP64 in (local_packed, local_size) and len(field) >= 16:  # 4.5.3: both values, the unpacked size first
            local_size, local_packed = (int.from_bytes(field[at : at + 8], "little") for at in (0, 8))
        data = read_at(offset + start + x, packed)
    is_same &= local_kind == kind or is_same_kind(local_kind, kind)
    if (local_crc, local_packed, local_size) != (crc, packed, size):  # they may follow in a descriptor
        is_same &= bool(KIND.unpack(local_kind)[1] & DESCRIPTOR) and not local_packed
    if not is_same:
        raise Unreadable(f"the zip directory and the header of {_last(path)} differ: build it again")
    is_deflated = KIND.unpack(kind)[2] == DEFLATED
    raw = _content(data, size, path, deflated=is_deflated)
    if zlib.crc32(raw) != crc:
        raise Unreadable(f"{_last(path)} has a wrong checksum: copy or build it again")
    return raw, Span(offset + start + x, packed, size, int(is_deflated))
