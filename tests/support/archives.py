"""Archives in memory, and helpers to read them."""

from __future__ import annotations

import io
import tracemalloc
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mkindex.distributions import zips as archive
from mkindex.distributions.zips import Span
from mkindex.errors import Unreadable
from support.wheels import metadata, wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mkindex.distributions.zip_directory import ReadAt


MIB = 1 << 20
METADATA = metadata("foo", "1.0")
WHEEL = wheel("foo", "1.0")


def reader(data: bytes) -> ReadAt:
    stream = io.BytesIO(data)

    def read_at(start: int, length: int) -> bytes:
        stream.seek(start)
        return stream.read(length)

    return read_at


def read_wheel(data: bytes) -> tuple[str, bytes]:
    read = archive.read_wheel(reader(data), len(data))
    found = (read.dist_info, read.metadata, read.span)
    assert archive.read_span(reader(data), Span.parse(str(read.span))) == read.metadata
    assert archive.read_wheel_metadata(reader(data), len(data)) == found
    return found[:2]


def read_zip(data: bytes) -> bytes | None:
    return archive.read_zip_sdist(reader(data), len(data)).pkg_info


def refusal(read: Callable[[bytes], object], data: bytes) -> str | None:
    """Why `read` refuses `data`; None if it accepts it."""
    try:
        read(data)
    except Unreadable as error:
        return str(error)
    return None


@contextmanager
def peak_below(limit: int) -> Iterator[None]:
    """Fail if more than `limit` bytes are in memory at once."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


def deflated_zeros(size: int) -> bytes:
    """`size` bytes, whole MiB, of a deflate stream without an end, made quickly."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return (packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)) * (size // MIB)
