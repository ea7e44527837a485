""".tar.gz sdists: PKG-INFO found, and damage and bombs refused."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mkindex.distributions import tarballs as tarball
from mkindex.distributions.sdists import SdistFiles
from support.archives import METADATA, MIB, PAX_KEYS, WHEEL, deflated_zeros, peak_below, read_wheel, read_zip, refusal
from support.wheels import sdist

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.slow


def read_tar(data: bytes) -> bytes | None:
    return tarball.read_tar_sdist(io.BytesIO(data), len(data)).pkg_info


SDIST = sdist("foo", "1.0")
SCRIPT = "foo-1.0/setup.py"


def tarred(members: Mapping[str, bytes], format: int = tarfile.USTAR_FORMAT) -> bytes:  # noqa: A002
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def tar_header(kind: bytes, size: int = 0, name: str = "x", tail: bytes = b"") -> bytes:
    """One tar header with a right checksum; `tail` is its end, where GNU has its own fields."""
    header = bytearray(
        struct.pack("<100s8s8s8s11sx12s8sc", name.encode(), *[b"0000644"] * 3, b"%011o" % size, b"", b" " * 8, kind)
    )
    header += b"\0" * (512 - len(header) - len(tail)) + tail
    header[257:265] = b"ustar  \0"
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def gzip_of_zeros(head: bytes, size: int) -> bytes:
    """A gzip file of `head` and `size` zeros, without an end."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + packed + deflated_zeros(size)


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_the_pkg_info_of_a_tar_sdist_is_that_of_its_top_directory(format: int) -> None:  # noqa: A002
    long = "foo-1.0/" + "/".join(["é" * 60] * 3)
    members = {long: b"", "foo-1.0/PKG-INFO": METADATA, "foo-1.0/foo.egg-info/PKG-INFO": b"other", SCRIPT: b""}
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


def test_data_after_the_gzip_stream_is_refused() -> None:
    assert {tail: refusal(read_tar, SDIST + tail) for tail in (b"x", b"\0x", b"\x1f\x8b", b"PK\3\4" * 99)} == {
        b"x": "incomplete or damaged (Not a gzipped file (b'x')): copy it again",
        b"\0x": "incomplete or damaged (Not a gzipped file (b'x')): copy it again",
        b"\x1f\x8b": f"incomplete or damaged ({EARLY}): copy it again",
        b"PK\3\4" * 99: "incomplete or damaged (Not a gzipped file (b'PK')): copy it again",
    }


def test_an_sdist_needs_a_build_script_where_clients_look_for_it() -> None:
    no_script = "no pyproject.toml or setup.py in its top directory: pip and uv refuse it. Build it again"
    two = "2 files and directories at its top (bar-1.0, foo-1.0) instead of one: "
    two += "pip and uv do not find the project in it. Build it again"
    members = {
        "pyproject": {"foo-1.0/pyproject.toml": b""},
        "setup": {SCRIPT: b""},
        "neither": {"foo-1.0/PKG-INFO": METADATA},
        "at the top": {"PKG-INFO": METADATA, "setup.py": b""},
        "two": {SCRIPT: b"", "bar-1.0/setup.py": b""},
        "empty": {},
    }
    refused = {name: refusal(read_tar, gzip.compress(tarred(content))) for name, content in members.items()}
    expected = {"pyproject": None, "setup": None, "neither": no_script, "at the top": None, "two": two}
    assert refused == {**expected, "empty": no_script}


def test_a_pkg_info_that_is_not_a_file_counts_as_missing() -> None:
    kinds = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE]
    headers = [tar_header(kind, name="foo-1.0/PKG-INFO") for kind in kinds]
    assert [read_tar(gzip.compress(header + tarred({SCRIPT: b""}))) for header in headers] == [None] * len(kinds)


def test_an_sdist_whose_paths_begin_with_a_dot_has_what_pip_refuses() -> None:
    data = gzip.compress(tarred({f"./{SCRIPT}": b"", "./foo-1.0/PKG-INFO": METADATA}))
    assert tarball.read_tar_sdist(io.BytesIO(data), len(data)) == SdistFiles(
        METADATA, None, "its paths begin with ./: pip refuses it"
    )


BOMB = "a decompression bomb: it unpacks to more than 67,108,864 bytes. Remove it"
IMPOSSIBLE = "a tar header has an impossible size: build it again"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (gzip_of_zeros(tar_header(b"0", 1 << 30, "foo-1.0/PKG-INFO"), 1 << 30), BOMB),
        (gzip_of_zeros(tar_header(b"0", 1 << 30), 1 << 30), BOMB),
        (gzip_of_zeros(tarred({"foo-1.0/PKG-INFO": METADATA}), 1 << 30), BOMB),
        (gzip_of_zeros(tar_header(b"x", 1 << 30), 1 << 30), IMPOSSIBLE),
        (gzip_of_zeros(tar_header(b"g", 1 << 30), 1 << 30), IMPOSSIBLE),
        (gzip_of_zeros(tar_header(b"L", 1 << 30), 1 << 30), IMPOSSIBLE),
        (gzip_of_zeros(tar_header(b"K", 1 << 30), 1 << 30), IMPOSSIBLE),
    ],
    ids=["PKG-INFO", "before PKG-INFO", "behind the tar", "pax", "global pax", "long name", "long link"],
)
def test_an_sdist_with_a_gib_of_data_is_refused_before_it_is_unpacked(data: bytes, reason: str) -> None:
    with peak_below(16 * MIB):
        assert (refusal(read_tar, data) or "accepted")[: len(reason)] == reason


def test_more_than_a_hundred_thousand_members_of_an_sdist_are_refused() -> None:
    data = gzip.compress(tar_header(b"0", name="foo-1.0/x") * 100_001, 1)
    assert refusal(read_tar, data) == "more than 100,000 members, the limit of mkindex: build it again"


def test_the_memory_that_an_sdist_costs_does_not_grow_with_its_members() -> None:
    members = {"foo-1.0/PKG-INFO": METADATA, SCRIPT: b""} | {f"foo-1.0/{n}": b"" for n in range(10_000)}
    data = gzip.compress(tarred(members))
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
PAX_VALUES = [b"0", b"1", b"-1", b"1,2", b"1,2,x", b"9" * 5000, b"BINARY", b"foo-1.0/PKG-INFO", b"\xff", b"", b"nan"]


@st.composite
def pax_record(draw: st.DrawFn) -> bytes:
    record = draw(st.sampled_from(PAX_KEYS)) + b"=" + draw(st.sampled_from(PAX_VALUES)) + b"\n"
    length = draw(st.one_of(st.just(len(record) + len(str(len(record) + 3)) + 1), st.integers(-1, 9999)))
    return b"%d " % length + record


@st.composite
def tar_blocks(draw: st.DrawFn) -> bytes:
    """Headers with right checksums and random contents, and the data that they announce."""
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
def test_a_tar_with_any_headers_is_read_or_refused(blocks: bytes, ended: bool) -> None:
    refusal(read_tar, gzip.compress(blocks + bytes(1024 if ended else 0), 1))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_and_nothing_else(data: bytes) -> None:
    for read in (read_wheel, read_zip, read_tar):
        refusal(read, data)
        refusal(read, data + WHEEL[-22:])
    refusal(read_tar, gzip.compress(data))
