"""Wheels and .zip sdists: read as zipfile reads them, or refused."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from support.archives import METADATA, MIB, WHEEL, deflated_zeros, peak_below, read_wheel, read_zip, refusal
from support.raw_zips import Member, build_zip
from support.wheels import wheel

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.slow

COMPRESSED = wheel("foo", "1.0", compressed=True)


def zipped(members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


# --- zip: what zipfile writes -----------------------------------------------------------------------------------------


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


SEGMENT = st.text(
    st.characters(exclude_characters="/\\:", exclude_categories=["C"], codec="utf-8"), min_size=1, max_size=8
).filter(lambda text: not text.endswith(".dist-info") and text not in (".", ".."))
CONTENT = st.tuples(st.binary(max_size=1000), st.booleans())  # whether it is deflated
MEMBERS = st.dictionaries(st.lists(SEGMENT, min_size=1, max_size=3).map("/".join), CONTENT)


@given(st.lists(MEMBERS, min_size=2, max_size=2), CONTENT, st.booleans(), st.booleans(), st.binary(max_size=50))
def test_archives_that_zipfile_writes_are_read_as_zipfile_reads_them(
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


def test_directory_entries_are_not_a_second_dist_info() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.mkdir("foo-1.0.dist-info")
        file.writestr("foo-1.0.dist-info/METADATA", METADATA)
        file.mkdir("foo")
    assert read_wheel(buffer.getvalue()) == ("foo-1.0", METADATA)


def test_an_archive_comment_is_accepted() -> None:
    buffer = io.BytesIO(WHEEL)
    with zipfile.ZipFile(buffer, "a") as file:
        file.comment = b"signed by nobody"
    assert read_wheel(buffer.getvalue()) == ("foo-1.0", METADATA)


def test_a_zip_that_python_writes_beyond_2_gib_is_read() -> None:
    # There are zip64 records, although their values fit into the old record, too, which also has them.
    buffer = io.BytesIO()
    with mock.patch.object(zipfile, "ZIP64_LIMIT", 10), zipfile.ZipFile(buffer, "w") as file:
        file.writestr("foo/large", bytes(100))
        file.writestr("foo-1.0.dist-info/METADATA", METADATA)
    assert read_wheel(buffer.getvalue()) == ("foo-1.0", METADATA)


def test_more_than_65535_members_are_counted_by_zip64() -> None:
    members = {b"foo-1.0.dist-info/METADATA": METADATA, **{b"%06d" % n: b"" for n in range(70_000)}}
    body, entries = bytearray(), []
    for name, content in members.items():
        entries.append(central(name, content, len(body)))
        body += local(name, content)
    assert read_wheel(bytes(body) + directory(entries, len(body))) == ("foo-1.0", METADATA)


def local(name: bytes, content: bytes) -> bytes:
    """A stored member with its header."""
    fields = (20, 0, 0, 0, 0, zlib.crc32(content), len(content), len(content), len(name), 0)
    return struct.pack("<4s5H3L2H", b"PK\3\4", *fields) + name + content


def central(name: bytes, content: bytes, offset: int, *, size: int | None = None) -> bytes:
    """A stored member in the directory at the end of a zip."""
    sizes = (len(content), len(content) if size is None else size)
    fields = (20, 20, 0, 0, 0, 0, zlib.crc32(content), *sizes, len(name), 0, 0, 0, 0, 0, offset)
    return struct.pack("<4s6H3L5H2L", b"PK\1\2", *fields) + name


def directory(entries: list[bytes], start: int, count: int | None = None) -> bytes:
    """The directory at the end of a zip, with zip64 records if they are needed."""
    body = b"".join(entries)
    count = len(entries) if count is None else count
    end64 = b""
    if count >= 0xFFFF:
        end64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(body), start)
        end64 += struct.pack("<4sLQL", b"PK\6\7", 0, start + len(body), 1)
    short = min(count, 0xFFFF)
    return body + end64 + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, short, short, len(body), start, 0)


# --- zip: what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [WHEEL, COMPRESSED], ids=["stored", "deflated"])
def test_a_wheel_that_is_cut_off_anywhere_is_refused(data: bytes) -> None:
    assert [n for n in range(len(data)) if refusal(read_wheel, data[:n]) is None] == []


CUT_OFF = "not a zip file (damaged or incomplete download). Copy or build it again"
BEFORE = "the zip has extra bytes before or between its members: build it again"
BEHIND = "the zip has extra bytes after its end: copy or build it again"
DAMAGED = "its zip directory is damaged: copy or build it again"
OVERLAP = "its members overlap (a zip bomb?): remove it, or build it again"
UNLIKE = "METADATA does not have the {} bytes that the zip says: copy or build it again"
TWO_THINGS = "the zip directory and the header of METADATA differ: build it again"
NO_METADATA = "no METADATA in its .dist-info: build it again"


def patched(data: bytes, *, local: bool, at: int, to: bytes) -> bytes:
    """Overwrite a field of METADATA's header, before its bytes or in the directory at the end."""
    name = b"foo-1.0.dist-info/METADATA"
    start = (data.index(name) - 30 if local else data.rindex(name) - 46) + at
    return data[:start] + to + data[start + len(to) :]


def in_directory(at: int, to: int, size: int = 4) -> bytes:
    return patched(WHEEL, local=False, at=at, to=to.to_bytes(size, "little"))


def in_header(at: int, to: int, size: int = 4) -> bytes:
    return patched(WHEEL, local=True, at=at, to=to.to_bytes(size, "little"))


def in_both(at: int, to: int) -> bytes:
    return patched(in_directory(at, to), local=True, at=at - 2, to=to.to_bytes(4, "little"))


def moved(data: bytes, distance: int) -> bytes:
    """A zip with every offset moved, as `zip -A` does after data was inserted at the beginning."""
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
    "bytes behind": (WHEEL + b"x", BEHIND),
    "bytes behind a comment": (WHEEL[:-2] + b"\1\0xy", BEHIND),
    "a comment that is cut off": (WHEEL[:-2] + b"\2\0x", BEHIND),
    "a comment that looks like a zip": (
        WHEEL[:-2] + b"\4\0PK\1\2",
        "the comment at the end of the zip looks like another zip: build it again",
    ),
    "no member behind bytes": (b"x" + b"PK\5\6" + bytes(12) + b"\1" + bytes(5), BEFORE),
    "a second zip behind": (OTHER + WHEEL, BEFORE),
    "a second zip behind that the offsets know of": (OTHER + moved(WHEEL, len(OTHER)), BEFORE),
    "one of several disks": (WHEEL[:-18] + b"\1" + WHEEL[-17:], BEHIND),
    "one member more than it says": (WHEEL[:-12] + struct.pack("<H", 3) + WHEEL[-10:], DAMAGED),
    "one member less than it says": (WHEEL[:-12] + struct.pack("<H", 5) + WHEEL[-10:], DAMAGED),
    "a lying checksum": (in_both(16, 0), "METADATA has a wrong checksum: copy or build it again"),
    "a lying checksum in the header": (in_header(14, 0), TWO_THINGS),
    "a lying size": (in_both(24, len(METADATA) - 1), UNLIKE.format(len(METADATA) - 1)),
    "a lying size in the header": (in_header(22, len(METADATA) - 1), TWO_THINGS),
    "other sizes in the header than in the descriptor": (
        patched(in_header(18, 7), local=True, at=6, to=b"\x08\0"),
        TWO_THINGS,
    ),
    "a lying compressed size": (in_both(20, 1), BEFORE),
    "a claim of a GiB": (in_directory(24, 1 << 30), f"a zip bomb: {len(WHEEL)} bytes"),
    "a lying place": (in_directory(42, 1), OVERLAP),
    "encryption": (in_directory(8, 1, 2), "foo-1.0.dist-info/METADATA is encrypted: build it again"),
    "encryption in the header only": (in_header(6, 1, 2), TWO_THINGS),
    "another method": (
        in_directory(10, 12, 2),
        "foo-1.0.dist-info/METADATA is compressed by another method than deflate: build it again",
    ),
    "a newer version": (
        in_directory(6, 64, 2),
        "foo-1.0.dist-info/METADATA needs version 6.4 of zip, and clients read 6.3: build it again",
    ),
    "a newer version in the header": (in_header(4, 64, 2), TWO_THINGS),
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
        zipped({"foo-1.0.dist-info/METADATA": METADATA, "bar-1.0.dist-info/METADATA": METADATA}),
        "2 .dist-info directories (bar-1.0.dist-info, foo-1.0.dist-info), a wheel has exactly one: build it again",
    ),
    "dist-infos in two cases": (
        zipped({"foo-1.0.dist-info/METADATA": METADATA, "Foo-1.0.dist-info/METADATA": METADATA}),
        "2 .dist-info directories",
    ),
    "no METADATA": (zipped({"foo-1.0.dist-info/WHEEL": b""}), NO_METADATA),
    "METADATA twice": (
        zipped({f"foo-1.0.dist-info/METADAT{c}": METADATA for c in "AB"}).replace(b"METADATB", b"METADATA"),
        "more than one foo-1.0.dist-info/METADATA: build it again",
    ),
    "a member twice, once compressed by another method": (
        build_zip([Member(name=b"a"), Member(name=b"a", method=99)]),
        "a is compressed by another method than deflate: build it again",
    ),
    "METADATA in another case and in a directory that is the same": (
        zipped({"Foo-1.0.dist-info/METADATA": METADATA, "./foo-1.0.dist-info/METADATA": b""}),
        "./foo-1.0.dist-info/METADATA and another member are the same path: build it again",
    ),
    "METADATA for Windows": (
        zipped({"foo-1.0.dist-info/METADATA": METADATA, "Foo-1.0.dist-info\\METADATA": b""}),
        "Foo-1.0.dist-info\\METADATA is in a .dist-info directory on Windows only: build it again",
    ),
    "METADATA that is a directory": (
        zipped({"foo-1.0.dist-info/METADATA/x": b""}),
        "foo-1.0.dist-info/METADATA/x is not what clients look for: build it again",
    ),
    "2 MiB of entry points": (
        zipped(
            {"foo-1.0.dist-info/METADATA": METADATA, "foo-1.0.dist-info/entry_points.txt": b"x" * (2 << 20)},
        ),
        "entry_points.txt has 2,097,152 bytes, more than 1 MiB: build it again",
    ),
    "65 KiB of WHEEL": (
        zipped({"foo-1.0.dist-info/METADATA": METADATA, "foo-1.0.dist-info/WHEEL": b"x" * (65 << 10)}),
        "WHEEL has 66,560 bytes, more than 64 KiB: build it again",
    ),
    "9 MiB of METADATA": (
        zipped({"foo-1.0.dist-info/METADATA": b"x" * (9 << 20)}),
        "METADATA has 9,437,184 bytes, more than 8 MiB: build it again",
    ),
}


@pytest.mark.parametrize(("data", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_wheel_is_refused_for(data: bytes, reason: str) -> None:
    assert (refusal(read_wheel, data) or "accepted")[: len(reason)] == reason


def zip64_extra(*values: int) -> bytes:
    return struct.pack(f"<HH{len(values)}Q", 1, 8 * len(values), *values)


def test_a_span_after_the_end_is_refused() -> None:
    assert refusal(read_wheel, in_directory(42, 1 << 30)) is not None


@pytest.mark.parametrize("offset", [1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_an_offset_larger_than_any_file_is_refused(offset: int) -> None:
    entry = bytearray(central(b"foo-1.0.dist-info/METADATA", METADATA, 0xFFFFFFFF))
    extra = zip64_extra(offset)
    struct.pack_into("<H", entry, 30, len(extra))
    assert refusal(read_wheel, directory([bytes(entry) + extra], 0)) is not None


@pytest.mark.parametrize("offset", [0, 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_a_misplaced_zip64_directory_is_refused(offset: int) -> None:
    data = directory([central(b"x", b"", 0)] * 70_000, 0)
    locator = data.rindex(b"PK\6\7") + 8
    assert refusal(read_wheel, data[:locator] + struct.pack("<Q", offset) + data[locator + 8 :]) is not None


# --- zip: bombs -------------------------------------------------------------------------------------------------------


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


def test_a_member_with_an_excessive_compression_ratio_is_refused() -> None:
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
    assert (
        reason
        == "its zip directory has 200,000 members in 10,400,000 bytes, over the limits of mkindex: build it again"
    )


def test_two_hundred_thousand_members_counted_as_one_are_refused() -> None:
    data = directory([central(b"%06d" % n, b"", 0) for n in range(200_000)], 0, count=1)
    with peak_below(32 * MIB):
        assert refusal(read_wheel, data) == DAMAGED


def test_members_that_overlap_are_refused() -> None:
    content = bytes(1000)
    body = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 0, zlib.crc32(content), 1000, 1000, 1, 0) + b"x" + content
    data = body + directory([central(b"%d" % n, content, 0) for n in range(100)], len(body))
    assert refusal(read_wheel, data) == OVERLAP


# --- .zip sdists ------------------------------------------------------------------------------------------------------


def test_the_pkg_info_of_a_zip_sdist_is_that_of_the_directory_where_clients_find_the_project() -> None:
    script = {"foo-1.0/setup.py": b""}
    members = {
        "sdist": {"foo-1.0/PKG-INFO": METADATA, "foo-1.0/foo.egg-info/PKG-INFO": b"other"} | script,
        "none": script,
        "at the top": {"PKG-INFO": METADATA, "setup.py": b""},
        "further down": {"foo-1.0/foo.egg-info/PKG-INFO": METADATA} | script,
    }
    assert {name: read_zip(zipped(content)) for name, content in members.items()} == {
        "sdist": METADATA,
        "none": None,
        "at the top": METADATA,
        "further down": None,
    }


def test_a_zip_sdist_needs_a_build_script_where_clients_look_for_it() -> None:
    members = {
        "neither": {"foo-1.0/PKG-INFO": METADATA},
        "two": {"foo-1.0/setup.py": b"", "bar-1.0/setup.py": b""},
    }
    assert {name: refusal(read_zip, zipped(content)) for name, content in members.items()} == {
        "neither": "no pyproject.toml or setup.py in its top directory: pip and uv refuse it. Build it again",
        "two": "2 files and directories at its top (bar-1.0, foo-1.0) instead of one: "
        "pip and uv do not find the project in it. Build it again",
    }
