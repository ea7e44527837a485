"""Core metadata comes out of an archive as every other reader sees it, or not at all, in bounded time and memory."""

from __future__ import annotations

import email
import gzip
import io
import itertools
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from packaging.metadata import parse_email

from mkindex import archive, tarball
from mkindex.archive import Metadata, Span, Unreadable, parse_metadata
from support.wheels import metadata, sdist, wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MIB = 1 << 20
METADATA = metadata("foo", "1.0")
WHEEL = wheel("foo", "1.0")
COMPRESSED = wheel("foo", "1.0", compressed=True)


def reader(data: bytes) -> archive.ReadAt:
    stream = io.BytesIO(data)

    def read_at(start: int, length: int) -> bytes:
        stream.seek(start)
        return stream.read(length)

    return read_at


def read_wheel(data: bytes) -> tuple[str, bytes]:
    directory, raw, span = archive.wheel_metadata(reader(data), len(data))
    assert archive.cut(reader(data), Span.parse(str(span))) == raw
    return directory, raw


def read_zip(data: bytes) -> bytes:
    return archive.zip_pkg_info(reader(data), len(data))


def read_tar(data: bytes) -> bytes | None:
    return tarball.tar_pkg_info(io.BytesIO(data), len(data))


def refusal(read: Callable[[bytes], object], data: bytes) -> str | None:
    """Why `read` refuses `data`; None: it does not."""
    try:
        read(data)
    except Unreadable as error:
        return str(error)
    return None


def zipped(members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


@contextmanager
def peak_below(limit: int) -> Iterator[None]:
    """Fail when more than `limit` bytes are held at once."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


# --- zip: what zipfile writes ---------------------------------------------------------------------------------------


class Unseekable(io.RawIOBase):
    """Makes zipfile write data descriptors."""

    def __init__(self) -> None:
        self.content = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        before = len(self.content)
        self.content += data  # type: ignore[arg-type]
        return len(self.content) - before


SEGMENT = st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=8).filter(
    lambda text: not text.endswith(".dist-info") and text not in (".", "..")
)
CONTENT = st.tuples(st.binary(max_size=1000), st.booleans())  # whether it is deflated
MEMBERS = st.dictionaries(st.lists(SEGMENT, min_size=1, max_size=3).map("/".join), CONTENT)


@given(st.lists(MEMBERS, min_size=2, max_size=2), CONTENT, st.booleans(), st.booleans(), st.binary(max_size=50))
def test_what_zipfile_writes_is_read_as_zipfile_reads_it(
    others: list[dict[str, tuple[bytes, bool]]],
    content: tuple[bytes, bool],
    zip64: bool,
    streamed: bool,
    comment: bytes,
) -> None:
    before, after = others
    assume(b"PK\5\6" not in comment)
    path = "foo-1.0.dist-info/METADATA"
    members = {**before, path: content, "foo-1.0.dist-info/WHEEL": (b"", False)}
    members |= {name: value for name, value in after.items() if name not in members}
    target = Unseekable() if streamed else io.BytesIO()
    with (
        mock.patch.object(zipfile, "ZIP64_LIMIT", 100 if zip64 else zipfile.ZIP64_LIMIT),
        mock.patch.object(zipfile, "ZIP_FILECOUNT_LIMIT", 1 if zip64 else zipfile.ZIP_FILECOUNT_LIMIT),
        zipfile.ZipFile(target, "w") as file,
    ):
        file.comment = comment
        for name, (data, deflated) in members.items():
            file.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED)
    data = bytes(target.content) if isinstance(target, Unseekable) else target.getvalue()
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert read_wheel(data) == ("foo-1.0", file.read(path))


def test_directory_entries_are_no_second_dist_info() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.mkdir("foo-1.0.dist-info")
        file.writestr("foo-1.0.dist-info/METADATA", METADATA)
        file.mkdir("foo")
    assert read_wheel(buffer.getvalue()) == ("foo-1.0", METADATA)


def test_an_archive_comment_is_no_garbage() -> None:
    buffer = io.BytesIO(WHEEL)
    with zipfile.ZipFile(buffer, "a") as file:
        file.comment = b"signed by nobody"
    assert read_wheel(buffer.getvalue()) == ("foo-1.0", METADATA)


def test_what_python_writes_beyond_2_gib_is_read() -> None:
    # The records of zip64 are there, but what they say also fits, and stands, in the old record.
    buffer = io.BytesIO()
    with mock.patch.object(zipfile, "ZIP64_LIMIT", 10), zipfile.ZipFile(buffer, "w") as file:
        file.writestr("foo/large", bytes(100))
        file.writestr("foo-1.0.dist-info/METADATA", METADATA)
    assert read_wheel(buffer.getvalue()) == ("foo-1.0", METADATA)


def test_more_than_65535_members_are_counted_by_zip64() -> None:
    info = b"foo-1.0.dist-info/METADATA"
    local = struct.pack(
        "<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 0, zlib.crc32(METADATA), *[len(METADATA)] * 2, len(info), 0
    )
    body = local + info + METADATA
    entries = [central(info, METADATA, 0), *(central(b"%06d" % n, b"", 0) for n in range(70_000))]
    assert read_wheel(body + directory(entries, len(body))) == ("foo-1.0", METADATA)


def central(name: bytes, content: bytes, offset: int, *, size: int | None = None) -> bytes:
    """A stored member in the directory at the end of a zip."""
    sizes = (len(content), len(content) if size is None else size)
    fields = (20, 20, 0, 0, 0, 0, zlib.crc32(content), *sizes, len(name), 0, 0, 0, 0, 0, offset)
    return struct.pack("<4s6H3L5H2L", b"PK\1\2", *fields) + name


def directory(entries: list[bytes], start: int, count: int | None = None) -> bytes:
    """The directory at the end of a zip, with the zip64 records where those are needed."""
    body = b"".join(entries)
    count = len(entries) if count is None else count
    end64 = b""
    if count >= 0xFFFF:
        end64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(body), start)
        end64 += struct.pack("<4sLQL", b"PK\6\7", 0, start + len(body), 1)
    short = min(count, 0xFFFF)
    return body + end64 + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, short, short, len(body), start, 0)


# --- zip: what is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [WHEEL, COMPRESSED], ids=["stored", "deflated"])
def test_a_wheel_that_is_cut_off_anywhere_is_refused(data: bytes) -> None:
    assert [n for n in range(len(data)) if refusal(read_wheel, data[:n]) is None] == []


CUT_OFF = "cut off, or no zip at all: the directory at its end is missing. Copy it again"
BEFORE = "bytes stand before the zip or within it that belong to no member: build it again"
BEHIND = "bytes follow the end of the zip: copy or build it again"
DAMAGED = "its zip directory is damaged: copy or build it again"
MOVED = "METADATA is not where the zip directory says: copy or build it again"
UNLIKE = "METADATA is not the {} bytes that the zip says: copy or build it again"
TWO_THINGS = "the zip says two different things about METADATA: build it again"
NO_METADATA = "no METADATA in its .dist-info: build it again"


def patched(data: bytes, *, local: bool, at: int, to: bytes) -> bytes:
    """Overwrite a field of METADATA's header, in front of its bytes or in the directory at the end."""
    name = b"foo-1.0.dist-info/METADATA"
    start = (data.index(name) - 30 if local else data.rindex(name) - 46) + at
    return data[:start] + to + data[start + len(to) :]


def in_directory(at: int, to: int, size: int = 4) -> bytes:
    return patched(WHEEL, local=False, at=at, to=to.to_bytes(size, "little"))


def in_header(at: int, to: int, size: int = 4) -> bytes:
    return patched(WHEEL, local=True, at=at, to=to.to_bytes(size, "little"))


def moved(data: bytes, distance: int) -> bytes:
    """A zip with every offset in it moved, as `zip -A` does after something was put in front."""
    end = data.rindex(b"PK\5\6")
    (start,) = struct.unpack_from("<L", data, end + 16)
    changed = bytearray(data)
    struct.pack_into("<L", changed, end + 16, start + distance)
    at = start
    while changed[at : at + 4] == b"PK\1\2":
        n, x, c = struct.unpack_from("<3H", changed, at + 28)
        (offset,) = struct.unpack_from("<L", changed, at + 42)
        struct.pack_into("<L", changed, at + 42, offset + distance)
        at += 46 + n + x + c
    return bytes(changed)


OTHER = wheel("foo", "1.0", requires_python=">=3.99")
REFUSED = {
    "nothing": (b"", CUT_OFF),
    "no zip": (b"x" * 100_000, CUT_OFF),
    "bytes in front": (b"#!/bin/sh\n" + WHEEL, BEFORE),
    "bytes in front that the offsets know of": (b"#!/bin/sh\n" + moved(WHEEL, 10), BEFORE),
    "bytes behind": (WHEEL + b"\0", BEHIND),
    "a second zip behind": (OTHER + WHEEL, BEFORE),
    "a second zip behind that the offsets know of": (OTHER + moved(WHEEL, len(OTHER)), BEFORE),
    "one of several disks": (WHEEL[:-18] + b"\1" + WHEEL[-17:], BEHIND),
    "one member more than it says": (WHEEL[:-12] + struct.pack("<H", 3) + WHEEL[-10:], DAMAGED),
    "one member less than it says": (WHEEL[:-12] + struct.pack("<H", 5) + WHEEL[-10:], DAMAGED),
    "a lying checksum": (in_directory(16, 0), "METADATA does not fit its checksum: copy or build it again"),
    "a lying size": (in_directory(24, len(METADATA) - 1), UNLIKE.format(len(METADATA) - 1)),
    "a lying compressed size": (in_directory(20, 1), UNLIKE.format(len(METADATA))),
    "a claim of a GiB": (in_directory(24, 1 << 30), f"a zip bomb: {len(WHEEL)} bytes"),
    "a lying place": (in_directory(42, 1), MOVED),
    "encryption": (in_directory(8, 1, 2), "METADATA is encrypted"),
    "encryption in the header only": (in_header(6, 1, 2), TWO_THINGS),
    "another method": (in_directory(10, 12, 2), "METADATA is encrypted or compressed by another method than deflate"),
    "another method in the header": (in_header(8, 12, 2), TWO_THINGS),
    "deflated, it says": (
        patched(in_directory(10, 8, 2), local=True, at=8, to=b"\x08\0"),
        "METADATA cannot be decompressed (",
    ),
    "another name in the header": (
        WHEEL.replace(b"METADATA", b"METADATB", 1),
        TWO_THINGS,
    ),
    "no dist-info": (
        zipped({"foo/__init__.py": b""}),
        "no .dist-info directory, a wheel has exactly one: build it again",
    ),
    "a dist-info that is a file": (zipped({"foo-1.0.dist-info": b""}), "no .dist-info directory"),
    "a dist-info further down": (zipped({"x/foo-1.0.dist-info/METADATA": METADATA}), "no .dist-info directory"),
    "two dist-infos": (
        zipped({"foo-1.0.dist-info/METADATA": METADATA, "bar\x1b-1.0.dist-info/METADATA": METADATA}),
        r"2 .dist-info directories (bar\x1b-1.0.dist-info, foo-1.0.dist-info), a wheel has exactly one: build it again",
    ),
    "dist-infos in two cases": (
        zipped({"foo-1.0.dist-info/METADATA": METADATA, "Foo-1.0.dist-info/METADATA": METADATA}),
        "2 .dist-info directories",
    ),
    "no METADATA": (zipped({"foo-1.0.dist-info/WHEEL": b""}), NO_METADATA),
    "METADATA twice": (
        zipped({f"foo-1.0.dist-info/METADAT{c}": METADATA for c in "AB"}).replace(b"METADATB", b"METADATA"),
        "more than one METADATA in its .dist-info: build it again",
    ),
    "METADATA that is a directory": (zipped({"foo-1.0.dist-info/METADATA/x": b""}), NO_METADATA),
    "9 MiB of METADATA": (
        zipped({"foo-1.0.dist-info/METADATA": b"x" * (9 << 20)}),
        "METADATA of 9,437,184 bytes: more than 8 MiB is refused",
    ),
}


@pytest.mark.parametrize(("data", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_wheel_is_refused_for(data: bytes, reason: str) -> None:
    assert (refusal(read_wheel, data) or "accepted")[: len(reason)] == reason


def zip64_extra(*values: int) -> bytes:
    return struct.pack(f"<HH{len(values)}Q", 1, 8 * len(values), *values)


def test_a_place_behind_the_end_is_refused() -> None:
    assert refusal(read_wheel, in_directory(42, 1 << 30)) is not None


@pytest.mark.parametrize("offset", [1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_a_place_that_no_file_has_is_refused(offset: int) -> None:
    entry = bytearray(central(b"foo-1.0.dist-info/METADATA", METADATA, 0xFFFFFFFF))
    extra = zip64_extra(offset)
    struct.pack_into("<H", entry, 30, len(extra))
    assert refusal(read_wheel, directory([bytes(entry) + extra], 0)) is not None


@pytest.mark.parametrize("offset", [0, 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_a_zip64_directory_that_is_not_where_it_should_be_is_refused(offset: int) -> None:
    data = directory([central(b"x", b"", 0)] * 70_000, 0)
    locator = data.rindex(b"PK\6\7") + 8
    assert refusal(read_wheel, data[:locator] + struct.pack("<Q", offset) + data[locator + 8 :]) is not None


# --- zip: bombs -----------------------------------------------------------------------------------------------------


def deflated_zeros(size: int) -> bytes:
    """`size` bytes, whole MiB, of a deflate stream without an end; made in no time."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return (packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)) * (size // MIB)


def zip_of_zeros(size: int, *, claimed: int) -> bytes:
    """A wheel whose METADATA is `size` zeros, and says that it is `claimed`."""
    content = deflated_zeros(size) + b"\3\0"
    name = b"foo-1.0.dist-info/METADATA"
    sizes = (0, len(content), claimed, len(name), 0)
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 0, *sizes) + name + content
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 0, *sizes, 0, 0, 0, 0, 0) + name
    return local + directory([entry], len(local))


@pytest.mark.parametrize("claimed", [100, 8 << 20, 1 << 30])
def test_a_gib_of_metadata_is_refused_before_it_is_unpacked(claimed: int) -> None:
    data = zip_of_zeros(1 << 30, claimed=claimed)
    with peak_below(32 * MIB):
        assert refusal(read_wheel, data) is not None


def test_a_member_that_unpacks_out_of_all_proportion_is_refused() -> None:
    data = zipped({"foo-1.0.dist-info/METADATA": METADATA, "x": bytes(65 * MIB)}, zipfile.ZIP_DEFLATED)
    reason = refusal(read_wheel, data)
    assert reason == (
        f"a zip bomb: {len(data):,} bytes that unpack to {65 * MIB + len(METADATA):,}. "
        "Remove it, or store large members as they are"
    )


def test_two_hundred_thousand_members_are_refused() -> None:
    data = directory([central(b"%06d" % n, b"", 0) for n in range(200_000)], 0)
    with peak_below(16 * MIB):
        reason = refusal(read_wheel, data)
    assert reason == "200,000 members in a directory of 10,400,000 bytes: more than mkindex reads"


def test_two_hundred_thousand_members_that_pass_for_one_are_refused() -> None:
    data = directory([central(b"%06d" % n, b"", 0) for n in range(200_000)], 0, count=1)
    with peak_below(32 * MIB):
        assert refusal(read_wheel, data) == DAMAGED


def test_members_that_lie_over_each_other_are_refused() -> None:
    content = bytes(1000)
    body = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 0, zlib.crc32(content), 1000, 1000, 1, 0) + b"x" + content
    data = body + directory([central(b"%d" % n, content, 0) for n in range(100)], len(body))
    assert refusal(read_wheel, data) == "a zip bomb: its members overlap. Remove it"


# --- .zip sdists ----------------------------------------------------------------------------------------------------


def test_the_pkg_info_of_a_zip_sdist_is_that_of_its_one_top_directory() -> None:
    no_sdist = "no PKG-INFO in its top directory, so it is no sdist: build it again, as .tar.gz"
    two = "more than one top-level PKG-INFO, so it is no sdist: build it again, as .tar.gz"
    members = {
        "sdist": {"foo-1.0/PKG-INFO": METADATA, "foo-1.0/foo.egg-info/PKG-INFO": b"other"},
        "none": {"foo-1.0/setup.py": b""},
        "at the root": {"PKG-INFO": METADATA},
        "further down": {"foo-1.0/foo.egg-info/PKG-INFO": METADATA},
        "two": {"foo-1.0/PKG-INFO": METADATA, "bar-1.0/PKG-INFO": METADATA},
    }
    assert read_zip(zipped(members["sdist"])) == METADATA
    assert {name: refusal(read_zip, zipped(content)) for name, content in members.items()} == {
        "sdist": None,
        "none": no_sdist,
        "at the root": no_sdist,
        "further down": no_sdist,
        "two": two,
    }


# --- .tar.gz sdists -------------------------------------------------------------------------------------------------

SDIST = sdist("foo", "1.0")


def tarred(members: Mapping[str, bytes], format: int = tarfile.USTAR_FORMAT) -> bytes:  # noqa: A002
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def tar_header(kind: bytes, size: int = 0, name: str = "x", tail: bytes = b"") -> bytes:
    """One tar header with a right checksum; `tail` stands at its end, where GNU keeps its own fields."""
    header = bytearray(
        struct.pack("<100s8s8s8s11sx12s8sc", name.encode(), *[b"0000644"] * 3, b"%011o" % size, b"", b" " * 8, kind)
    )
    header += b"\0" * (512 - len(header) - len(tail)) + tail
    header[257:265] = b"ustar  \0"
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def gzip_of_zeros(head: bytes, size: int) -> bytes:
    """A gzip file of `head` and then `size` zeros, without an end."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + packed + deflated_zeros(size)


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_the_pkg_info_of_a_tar_sdist_is_that_of_its_top_directory(format: int) -> None:  # noqa: A002
    long = "foo-1.0/" + "/".join(["é" * 60] * 3)
    members = {long: b"", "foo-1.0/PKG-INFO": METADATA, "foo-1.0/foo.egg-info/PKG-INFO": b"other", "PKG-INFO": b"other"}
    if format == tarfile.USTAR_FORMAT:
        del members[long]
    data = tarred(members, format)
    assert [read_tar(gzip.compress(data)), read_tar(gzip.compress(data) + bytes(512))] == [METADATA] * 2
    assert read_tar(gzip.compress(data[:512]) + gzip.compress(data[512:])) == METADATA


@pytest.mark.parametrize("data", [SDIST, gzip.compress(gzip.decompress(SDIST))], ids=["stored", "deflated"])
def test_an_sdist_that_is_cut_off_anywhere_is_refused(data: bytes) -> None:
    assert [n for n in range(len(data)) if refusal(read_tar, data[:n]) is None] == []


def test_an_sdist_whose_tar_is_cut_off_within_a_whole_gzip_is_refused() -> None:
    data = gzip.decompress(SDIST)
    content = len(data.rstrip(b"\0"))
    cuts = [n for n in range(0, content, 100) if n % 512]
    assert [n for n in cuts if refusal(read_tar, gzip.compress(data[:n])) is None] == []


EARLY = "Compressed file ended before the end-of-stream marker was reached"


def test_whatever_follows_the_gzip_stream_is_refused() -> None:
    assert {tail: refusal(read_tar, SDIST + tail) for tail in (b"x", b"\0x", b"\x1f\x8b", b"PK\3\4" * 99)} == {
        b"x": "cut off or damaged (Not a gzipped file (b'x')): copy it again",
        b"\0x": "cut off or damaged (Not a gzipped file (b'x')): copy it again",
        b"\x1f\x8b": f"cut off or damaged ({EARLY}): copy it again",
        b"PK\3\4" * 99: "cut off or damaged (Not a gzipped file (b'PK')): copy it again",
    }


def test_an_sdist_needs_a_pkg_info_or_what_it_is_built_by() -> None:
    no_sdist = "no PKG-INFO, pyproject.toml or setup.py in its top directory, so it is no sdist"
    two = "more than one top-level PKG-INFO: build it again"
    members = {
        "pyproject": {"foo-1.0/pyproject.toml": b""},
        "setup": {"foo-1.0/setup.py": b""},
        "neither": {"foo-1.0/README": b""},
        "at the root": {"PKG-INFO": METADATA, "setup.py": b""},
        "two": {"foo-1.0/PKG-INFO": METADATA, "bar-1.0/PKG-INFO": METADATA},
        "empty": {},
    }
    refused = {name: refusal(read_tar, gzip.compress(tarred(content))) for name, content in members.items()}
    expected = {"pyproject": None, "setup": None, "neither": no_sdist, "at the root": no_sdist, "two": two}
    assert refused == {**expected, "empty": no_sdist}


def test_a_pkg_info_that_is_no_file_is_refused() -> None:
    reason = "PKG-INFO is no regular file of at most 8 MiB: refused"
    kinds = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE]
    refused = [
        refusal(read_tar, gzip.compress(tar_header(kind, name="foo-1.0/PKG-INFO") + bytes(1024))) for kind in kinds
    ]
    assert refused == [reason] * len(kinds)


BOMB = "a decompression bomb: it unpacks to more than 67,108,864 bytes. Remove it"
IMPOSSIBLE = "a tar header that claims an impossible size: build it again"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (gzip_of_zeros(tar_header(b"0", 1 << 30, "foo-1.0/PKG-INFO"), 1 << 30), "PKG-INFO is no regular file"),
        (gzip_of_zeros(tar_header(b"0", 1 << 30), 1 << 30), BOMB),
        (gzip_of_zeros(tarred({"foo-1.0/PKG-INFO": METADATA}), 1 << 30), BOMB),
        (gzip_of_zeros(tar_header(b"x", 1 << 30), 1 << 30), IMPOSSIBLE),
        (gzip_of_zeros(tar_header(b"g", 1 << 30), 1 << 30), IMPOSSIBLE),
        (gzip_of_zeros(tar_header(b"L", 1 << 30), 1 << 30), IMPOSSIBLE),
        (gzip_of_zeros(tar_header(b"K", 1 << 30), 1 << 30), IMPOSSIBLE),
    ],
    ids=["PKG-INFO", "before PKG-INFO", "behind the tar", "pax", "global pax", "long name", "long link"],
)
def test_a_gib_in_an_sdist_is_refused_before_it_is_unpacked(data: bytes, reason: str) -> None:
    with peak_below(16 * MIB):
        assert (refusal(read_tar, data) or "accepted")[: len(reason)] == reason


def test_more_than_a_hundred_thousand_members_of_an_sdist_are_refused() -> None:
    data = gzip.compress(tar_header(b"0", name="foo-1.0/x") * 100_001, 1)
    assert refusal(read_tar, data) == "more than 100,000 members: more than mkindex reads"


def test_the_memory_that_an_sdist_costs_does_not_grow_with_its_members() -> None:
    data = gzip.compress(tarred({"foo-1.0/PKG-INFO": METADATA} | {f"foo-1.0/{n}": b"" for n in range(10_000)}))
    with peak_below(4 * MIB):
        assert read_tar(data) == METADATA


@pytest.mark.parametrize("kind", [b"L", b"K", b"x", b"g"])
def test_headers_that_announce_headers_without_end_are_refused(kind: bytes) -> None:
    content = b"11 path=x\n\n" if kind in b"xg" else b"x"
    chain = (tar_header(kind, len(content)) + content.ljust(512, b"\0")) * 5000
    data = gzip.compress(chain + tarred({"foo-1.0/PKG-INFO": METADATA}))
    assert refusal(read_tar, data) is not None


def test_a_sparse_member_that_is_cut_off_is_refused() -> None:
    extended = bytearray(30)
    extended[0] = 1  # at 482: another block of the map follows
    assert refusal(read_tar, gzip.compress(tar_header(b"S", tail=bytes(extended)))) is not None


NUMBER = st.one_of(
    st.integers(0, 1 << 33).map(lambda n: b"%011o\0" % n),
    st.integers(0, (1 << 88) - 1).map(lambda n: b"\x80" + n.to_bytes(11, "big")),
    st.integers(1, 1 << 88).map(lambda n: b"\xff" + ((1 << 88) - n).to_bytes(11, "big")),
    st.binary(min_size=12, max_size=12),
)
PAX_KEYS = [b"path", b"size", b"GNU.sparse.map", b"GNU.sparse.size", b"GNU.sparse.major", b"GNU.sparse.minor"]
PAX_KEYS += [b"GNU.sparse.realsize", b"GNU.sparse.name", b"GNU.sparse.numbytes", b"GNU.sparse.offset", b"hdrcharset"]
PAX_VALUES = [b"0", b"1", b"-1", b"1,2", b"1,2,x", b"9" * 5000, b"BINARY", b"foo-1.0/PKG-INFO", b"\xff", b"", b"nan"]


@st.composite
def pax_record(draw: st.DrawFn) -> bytes:
    record = draw(st.sampled_from(PAX_KEYS)) + b"=" + draw(st.sampled_from(PAX_VALUES)) + b"\n"
    length = draw(st.one_of(st.just(len(record) + len(str(len(record) + 3)) + 1), st.integers(-1, 9999)))
    return b"%d " % length + record


@st.composite
def tar_blocks(draw: st.DrawFn) -> bytes:
    """Headers with right checksums and anything else in them, and what they may announce."""
    header = bytearray(tar_header(b"0", name=draw(st.sampled_from(["foo-1.0/PKG-INFO", "x", ""]))))
    header[156:157] = draw(st.sampled_from([bytes([c]) for c in b"01256gxLKSDMVXA\0\xff"]))
    header[124:136] = draw(NUMBER) if draw(st.booleans()) else b"%011o\0" % draw(st.integers(0, 2000))
    for at, length in ((329, 16), (345, 155), (386, 24), (482, 30)):
        if draw(st.booleans()):
            header[at : at + length] = draw(st.binary(min_size=length, max_size=length))
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    content = draw(st.one_of(st.just(METADATA), st.lists(pax_record()).map(b"".join), st.binary(max_size=600)))
    return bytes(header) + content + b"\0" * (-len(content) % 512)


@given(st.lists(tar_blocks(), min_size=1, max_size=4).map(b"".join), st.booleans())
def test_a_tar_of_whatever_headers_is_read_or_refused_and_nothing_else(blocks: bytes, ended: bool) -> None:
    refusal(read_tar, gzip.compress(blocks + bytes(1024 if ended else 0), 1))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_and_nothing_else(data: bytes) -> None:
    for read in (read_wheel, read_zip, read_tar):
        refusal(read, data)
        refusal(read, data + WHEEL[-22:])
    refusal(read_tar, gzip.compress(data))


# --- core metadata --------------------------------------------------------------------------------------------------

FIELDS = ("metadata-version", "name", "version", "requires-python")
KEYS = st.one_of(
    st.sampled_from(["Metadata-Version", "Name", "Version", "Requires-Python", "name", "REQUIRES-PYTHON"]),
    st.sampled_from(["Summary", "Requires-Dist", "X-Ünknown", "Na:me"]),
)
VALUES = st.one_of(
    st.sampled_from(
        ["2.1", "2.9", "3.0", "1.0", "foo", "Foo.Bar", ">=3.9", ">=3.9,\n <4", ">=3\r\n\t,<4", "x\n y\r z", ""]
    ),
    st.text(st.characters(codec="utf-8"), max_size=12),
)
LINES = st.one_of(
    st.tuples(KEYS, st.sampled_from([": ", ":", ":\t", " : ", ":\n "]), VALUES).map("".join),
    st.sampled_from(["", "no colon", "From here on", ":", " indented", "\tName: indented", "\ufeffName: bom", "-- "]),
)
ENDS = st.sampled_from(["\n", "\n", "\n", "\r\n", "\r", "\n\r"])
GOOD = st.just(["Metadata-Version: 2.1\n", "Name: foo\n", "Version: 1.0\n"])


@st.composite
def metadata_files(draw: st.DrawFn) -> bytes:
    lines = draw(GOOD if draw(st.booleans()) else st.just([]))
    lines = [*lines, *draw(st.lists(st.tuples(LINES, ENDS).map("".join), max_size=8))]
    text = "".join(draw(st.permutations(lines)) if draw(st.booleans()) else lines)
    return text.encode(draw(st.sampled_from(["utf-8", "utf-8", "latin-1"])), "replace")


def plain(value: object) -> str:
    """A value as email.parser found it, its line folding undone."""
    return " ".join(str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace").split())


@given(metadata_files())
@example(b"Metadata-Version: 2.1\nName: foo\nVersion: 1.0\nFrom here on\nRequires-Python: >=3.9\n")
def test_metadata_is_read_as_email_parser_reads_it_or_refused(raw: bytes) -> None:
    message = email.message_from_bytes(raw)
    found: dict[str, set[str]] = {key: set() for key in FIELDS}
    for key, value in message.raw_items():
        if key.lower() in found:
            found[key.lower()].add(plain(value))
    try:
        ours = parse_metadata(raw)
    except Unreadable:
        required = [found[key] for key in FIELDS[:3]]
        right = all(len(values) == 1 for values in required) and found["metadata-version"] <= {"1.0", "2.1", "2.9"}
        assert not (right and all(required[1]) and all(required[2]) and len(found["requires-python"]) < 2)
    else:
        assert {key: {value or ""} for key, value in zip(FIELDS, ours, strict=True)} == {
            key: values or {""} for key, values in found.items()
        }


@given(metadata_files())
def test_metadata_is_read_as_packaging_reads_it_or_refused(raw: bytes) -> None:
    try:
        ours = parse_metadata(raw)
    except Unreadable:
        return
    theirs, unparsed = parse_email(raw)
    for key, value in zip(FIELDS, ours, strict=True):
        other = theirs.get(key.replace("-", "_"))
        # What is there twice, or in no UTF-8, is "unparsed" to packaging.
        assert other is None if key in unparsed else plain(other or "") == (value or "")


@pytest.mark.parametrize("version", ["1.0", "1.2", "2.0", "2.1", "2.4", "2.5", "2.17"])
def test_metadata_of_a_known_or_a_later_minor_version_is_read(version: str) -> None:
    raw = metadata("Foo", "1.0", metadata_version=version, requires_python=">= 3.9", headers=["New-Field: x"], body="b")
    assert parse_metadata(raw) == Metadata(version, "Foo", "1.0", ">= 3.9")


@pytest.mark.parametrize("version", ["3.0", "0.9", "2", "2.x", "\x1b", "\u0662.1", "2.1.1"])
def test_metadata_of_another_version_is_refused(version: str) -> None:
    shown = version.replace("\x1b", r"\x1b")
    reason = f"metadata version {shown} is not one that mkindex knows (1.0 to 2.x)"
    assert refusal(parse_metadata, metadata("foo", "1.0", metadata_version=version)) == reason


def test_metadata_without_what_it_must_say_is_refused() -> None:
    lines = [b"Metadata-Version: 2.1\n", b"Name: foo\n", b"Version: 1.0\n"]
    raws = {b"".join(some) for n in range(3) for some in itertools.combinations(lines, n)} | {b"\n" + b"".join(lines)}
    reasons = {raw: refusal(parse_metadata, raw) for raw in raws}
    assert reasons == {
        raw: "its metadata has no "
        + ", ".join(line.partition(b":")[0].decode() for line in lines if line not in raw or raw.startswith(b"\n"))
        + ": build it again"
        for raw in raws
    }


def test_a_field_that_is_there_twice_is_refused_where_it_differs() -> None:
    same, other = (metadata("foo", "1.0", headers=[f"Name: {name}"]) for name in ("foo", "bar"))
    assert parse_metadata(same) == Metadata("2.1", "foo", "1.0", None)
    assert refusal(parse_metadata, other) == "its metadata has two different Name fields: build it again"


def test_a_value_is_hidden_neither_by_a_continuation_nor_in_the_description() -> None:
    raw = metadata("foo", "1.0", headers=["Description: x", " Name: bar"], body="Version: 2.0\nRequires-Python: >=4\n")
    assert parse_metadata(raw) == Metadata("2.1", "foo", "1.0", None)


@pytest.mark.parametrize("line", ["Requires-Dist: a", "X-{}: a", " folded"])
def test_thirty_thousand_header_lines_are_refused(line: str) -> None:
    raw = metadata("foo", "1.0", headers=[line.format(n) for n in range(30_000)])
    assert refusal(parse_metadata, raw) == "more than 10,000 header lines in its metadata: refused"


@pytest.mark.parametrize(
    "raw",
    [
        b"Name:" + b" " * 8 * MIB,
        b"Name:" + b" ab" * (8 * MIB // 3),
        b"\n ".join([b"Name: x"] * 9000),
        b"x" * 8 * MIB,
        b":" * 8 * MIB,
        b"\r" * 8 * MIB,
    ],
    ids=["blanks", "words", "folds", "a word", "colons", "line ends"],
)
def test_eight_mib_of_nonsense_cost_no_more_than_their_size(raw: bytes) -> None:
    with peak_below(64 * MIB):
        assert refusal(parse_metadata, raw) is not None
