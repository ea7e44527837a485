""".tar.gz sdists: PKG-INFO found, and damage and bombs refused."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mkindex.distributions import tarballs as tarball
from mkindex.distributions.sdists import SdistFiles
from support.archives import METADATA, MIB, WHEEL, deflated_zeros, peak_below, read_wheel, read_zip, refusal
from support.tars import TARS, tar_header, tarred
from support.wheels import sdist

pytestmark = pytest.mark.slow


def read_tar(data: bytes) -> bytes | None:
    return tarball.read_tar_sdist(io.BytesIO(data), len(data)).pkg_info


SDIST = sdist("foo", "1.0")
SCRIPT = "foo-1.0/setup.py"


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


def test_data_after_the_gzip_stream_is_refused() -> None:
    no_gzip = "incomplete or damaged (Error -3 while decompressing data: incorrect header check): copy it again"
    tails = (b"x\0", b"\0x\0", b"\x1f\x8b", b"PK\3\4" * 99)
    assert {tail: refusal(read_tar, SDIST + tail) for tail in tails} == {
        b"x\0": no_gzip,
        b"\0x\0": no_gzip,
        b"\x1f\x8b": "incomplete: the end of the gzip stream is missing. Copy it again",
        b"PK\3\4" * 99: no_gzip,
    }


def test_a_file_may_have_ten_thousand_gzip_streams_and_no_more() -> None:
    empty = gzip.compress(b"")
    assert read_tar(SDIST + 9_999 * empty) == read_tar(SDIST)
    assert refusal(read_tar, SDIST + 10_000 * empty) == (
        "more than 10,000 gzip streams, the limit of mkindex: build it again"
    )


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


def test_a_pkg_info_that_is_a_directory_or_symlink_counts_as_missing() -> None:
    headers = [tar_header(kind, name="foo-1.0/PKG-INFO", target="x") for kind in (tarfile.SYMTYPE, tarfile.DIRTYPE)]
    assert [read_tar(gzip.compress(header + tarred({SCRIPT: b""}))) for header in headers] == [None, None]


def test_an_sdist_whose_paths_begin_with_a_dot_has_what_pip_refuses() -> None:
    data = gzip.compress(tarred({f"./{SCRIPT}": b"", "./foo-1.0/PKG-INFO": METADATA}))
    assert tarball.read_tar_sdist(io.BytesIO(data), len(data)) == SdistFiles(
        METADATA, None, "its paths begin with ./: pip refuses it"
    )


BOMB = "a decompression bomb: it unpacks to more than 67,108,864 bytes. Remove it"
LONG = "a tar header of 1,073,741,824 bytes, more than 1,048,576: build it again"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (gzip_of_zeros(tar_header(b"0", 1 << 30, "foo-1.0/PKG-INFO"), 1 << 30), BOMB),
        (gzip_of_zeros(tar_header(b"0", 1 << 30), 1 << 30), BOMB),
        (gzip_of_zeros(tarred({"foo-1.0/PKG-INFO": METADATA}), 1 << 30), BOMB),
        (gzip_of_zeros(tar_header(b"x", 1 << 30), 1 << 30), LONG),
        (gzip_of_zeros(tar_header(b"g", 1 << 30), 1 << 30), LONG),
        (gzip_of_zeros(tar_header(b"L", 1 << 30), 1 << 30), LONG),
        (gzip_of_zeros(tar_header(b"K", 1 << 30), 1 << 30), LONG),
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


@given(TARS)
def test_a_tar_with_any_headers_is_read_or_refused(data: bytes) -> None:
    refusal(read_tar, gzip.compress(data, 1))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_and_nothing_else(data: bytes) -> None:
    for read in (read_wheel, read_zip, read_tar):
        refusal(read, data)
        refusal(read, data + WHEEL[-22:])
    refusal(read_tar, gzip.compress(data))
