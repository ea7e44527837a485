"""Members of tar archives: those that tarfile finds, and refused or noted what clients read in another way."""

from __future__ import annotations

import gzip
import io
import os
import tarfile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mkindex.distributions import gunzip, tar_members
from mkindex.distributions.gunzip import Gunzip
from mkindex.distributions.tar_members import REGULAR, TarReader
from mkindex.errors import Unreadable
from support.archives import MIB, peak_below
from support.tars import GNU, OLD, POSIX, TARS, long_name, padded, pax_header, pax_record, tar_header

pytestmark = pytest.mark.slow

Found = list[tuple[str, bytes, str, bytes | None]]
END = bytes(1024)


def reader(data: bytes) -> tuple[TarReader, Gunzip]:
    packed = gzip.compress(data, 1)
    opened = Gunzip(io.BytesIO(packed), len(packed))
    return TarReader(opened), opened


def ours(data: bytes) -> Found:
    """Name, kind, target and content of each member. Raises Unreadable."""
    archive, opened = reader(data)
    return [
        (
            os.fsdecode(member.name).rstrip("/"),
            b"0" if member.kind in REGULAR else member.kind,
            os.fsdecode(member.target) if member.kind in b"12" else "",
            opened.read(member.size) if member.kind in REGULAR else None,
        )
        for member in archive.members()
    ]


def of_tarfile(data: bytes) -> Found:
    found = []
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:", encoding="utf-8") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            found.append(
                (
                    member.name.rstrip("/"),
                    b"0" if member.isreg() else member.type,
                    member.linkname if member.islnk() or member.issym() else "",
                    content.read() if content else None,
                )
            )
    return found


def outcome(data: bytes) -> str:
    """Why an archive is refused or uv refuses it; "" if it is usual."""
    archive, _ = reader(data)
    try:
        for _ in archive.members():
            pass
    except Unreadable as error:
        return f"refused: {error}"
    return archive.refused_by_uv


@given(TARS)
@example(long_name(b"foo-1.0/long") + pax_header(pax_record(b"mtime", b"1.5")) + tar_header(identity=POSIX) + END)
@example(pax_header(pax_record(b"size", b"3")) + tar_header(size=600, identity=POSIX) + padded(b"abc") + END)
@example(tar_header(b"5", 512, "d") + tar_header() + END)
@example(tar_header(b"D", 512) + bytes(512) + tar_header() + END)
@example(tar_header(fields={136: b"\xff" * 12}) + END)
def test_what_is_read_is_what_tarfile_reads(data: bytes) -> None:
    try:
        found = ours(data)
    except Unreadable:
        return
    assert found == of_tarfile(data)


def usual_archive(format: int, **options: str) -> bytes:  # noqa: A002
    """An archive with members of every kind, as Python writes it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format, pax_headers=options) as archive:
        long = "foo-1.0/" + "/".join(["é" * 40] * (1 if format == tarfile.USTAR_FORMAT else 30))
        names = ["foo-1.0", "foo-1.0/a", "foo-1.0/é", long, "foo-1.0/s", "foo-1.0/h"]
        kinds = [tarfile.DIRTYPE, tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE]
        for name, kind in zip(names, kinds, strict=True):
            member = tarfile.TarInfo(name)
            member.type, member.uid, member.uname = kind, 1000, "é"
            member.mtime = 1_577_836_800.5 if format == tarfile.PAX_FORMAT else 1_577_836_800
            member.linkname = {tarfile.SYMTYPE: "a", tarfile.LNKTYPE: long}.get(kind, "")
            content = name.encode() * 100 if member.isreg() else b""
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@st.composite
def changed_archives(draw: st.DrawFn) -> bytes:
    """A usual archive with some changed bytes in its headers, nearly all of them with a right checksum."""
    data = bytearray(usual_archive(draw(st.sampled_from([0, 1, 2]))))
    headers = [at for at in range(0, len(data), 512) if data[at + 257 : at + 262] == b"ustar"]
    for at in draw(st.lists(st.sampled_from(headers), min_size=1, max_size=3)):
        if draw(st.booleans()):
            data[at + 156] = draw(st.sampled_from(b"0125gxLKSX7D\0"))
        if draw(st.booleans()):
            data[at + draw(st.integers(0, 511))] = draw(st.sampled_from(b"\0 /017\x80\xff"))
        if draw(st.booleans()):
            data[at + 124 : at + 136] = b"%011o\0" % draw(st.sampled_from([0, 1, 511, 512, 513, 10_240]))
        if draw(st.integers(0, 9)):
            data[at + 148 : at + 156] = b" " * 8
            data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + 512])
    return bytes(data)


@given(changed_archives())
def test_what_is_read_of_a_changed_archive_is_what_tarfile_reads(data: bytes) -> None:
    try:
        found = ours(data)
    except Unreadable:
        return
    assert found == of_tarfile(data)


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_archives_of_every_format_are_read_as_tarfile_reads_them(format: int) -> None:  # noqa: A002
    data = usual_archive(format, comment="x" * 40)
    assert (ours(data), outcome(data)) == (of_tarfile(data), "")
    assert len(ours(data)) == 6


def test_the_format_before_posix_is_read_as_tarfile_reads_it() -> None:
    headers = [tar_header(b"\0", name=name, identity=OLD) for name in ("foo-1.0/", "foo-1.0/a", "foo-1.0/b")]
    data = headers[0] + headers[1] + tar_header(b"\0", 3, "foo-1.0/c", identity=OLD) + padded(b"abc") + END
    assert ours(data) == of_tarfile(data)
    assert outcome(data) == "in the tar format before POSIX"


DAMAGED = "refused: a tar header is damaged: copy or build it again"
TWO = "refused: a tar header can be read in different ways: build it again"
NUMBER = "a number in a tar header is not written as usual"
SPARSE = "refused: sparse tar members are not supported: build it again"
PAX = tar_header(identity=POSIX)
PATH, OTHER = (pax_record(b"path", name) for name in (b"foo-1.0/a", b"foo-1.0/b"))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (pax_header(PATH) + PAX, ""),
        (pax_header(PATH, PATH) + PAX, ""),
        (pax_header(PATH, OTHER) + PAX, TWO),
        (pax_header(PATH) + pax_header(pax_record(b"mtime", b"1")) + PAX, TWO),
        (pax_header(PATH) + long_name(b"b") + PAX, TWO),
        (pax_header(PATH, kind=b"g") + PAX, TWO),
        (pax_header(pax_record(b"comment", b"x"), kind=b"g") + PAX, ""),
        (pax_header(pax_record(b"SCHILY.xattr.x", b"\xff\n")) + PAX, ""),
        (pax_header(pax_record(b"MSWINDOWS.x", b"1")) + PAX, "a pax header with an unusual record"),
        (pax_header(pax_record(b"mtime", b"-1")) + PAX, "a pax header with an unusual record"),
        (pax_header(PATH, b"\0" * 9) + PAX, "a pax header without records, or with more than records"),
        (pax_header() + PAX, "a pax header without records, or with more than records"),
        (pax_header(PATH, b"x") + PAX, DAMAGED),
        (pax_header(b"9" * 5000) + PAX, DAMAGED),
        (pax_header(b"9999999 path=x\n") + PAX, DAMAGED),
        (pax_header(pax_record(b"size", b"9" * 5000)) + PAX, DAMAGED),
        (pax_header(pax_record(b"size", b"-1")) + PAX, DAMAGED),
        (pax_header(pax_record(b"GNU.sparse.map", b"1," * 9999 + b"1")) + PAX, SPARSE),
        (pax_header(PATH), DAMAGED),
        (pax_header(pax_record(b"comment", b"x"), kind=b"g"), DAMAGED),
        (pax_header(PATH) + pax_header(pax_record(b"comment", b"x"), kind=b"g") + PAX,
         "a global pax header after that of a member"),
        (tar_header(b"S"), SPARSE),
        (long_name(b"foo-1.0/a") + tar_header(), ""),
        (long_name(b"foo-1.0/a") + long_name(b"foo-1.0/a") + tar_header(), TWO),
        (long_name(b"a") + long_name(b"b", b"K") + tar_header(b"2"), ""),
        (long_name(b"b", b"K") + tar_header(), "a member that is not a link has a target"),
        (long_name(b"a\0b") + tar_header(), "a long name in a tar header that does not end as usual"),
        (long_name(b"a") + PAX, "in a mixture of tar formats"),
        (pax_header(PATH, kind=b"X") + PAX, "in a mixture of tar formats"),
        (tar_header(fields={124: b"\x80" + bytes(11)}), ""),
        (tar_header(identity=POSIX, fields={124: b"\x80" + bytes(11)}), NUMBER),
        (tar_header(fields={124: b"          0 "}), NUMBER),
        (tar_header(fields={136: b"\xff" * 12}), NUMBER),
        (tar_header(fields={124: b"\xff" * 12}), DAMAGED),
        (tar_header(fields={124: b"0o3\0"}), DAMAGED),
        (tar_header(fields={108: b"nobody\0\0"}), DAMAGED),
        (tar_header(prefix=b"13000000000"), TWO),
        (tar_header(prefix=b"foo-1.0", identity=POSIX), ""),
        (tar_header(b"5", 512), "a member that is not a file has a size"),
        (tar_header(b"\0", name="d/"), "in the tar format before POSIX"),
        (tar_header() + b"x" * 512, DAMAGED),
        (tar_header()[:-1] + b"x", DAMAGED),
    ],
)  # fmt: skip
def test_an_archive_that_clients_read_differently_is_refused_or_noted(data: bytes, expected: str) -> None:
    assert outcome(data + END) == expected


def test_one_block_of_zeros_at_the_end_is_noted_and_what_comes_after_two_is_ignored() -> None:
    one = "one block of zeros at the end of the tar archive, instead of two"
    ends = {bytes(512): one, bytes(512) + PAX: one, bytes(1023): one, END: "", END + b"x" * 99: ""}
    assert {end: outcome(PAX + end) for end in ends} == ends
    assert outcome(PAX) == "refused: incomplete: the end of the tar archive is missing. Copy it again"


def test_a_checksum_of_signed_bytes_is_accepted() -> None:
    header = bytearray(tar_header(name="é"))
    header[148:156] = b"%06o\0 " % (sum(header[:148] + header[156:]) + 256 - 512)
    assert ours(bytes(header) + END) == of_tarfile(bytes(header) + END) == [("é", b"0", "", b"")]


def test_names_and_records_of_an_archive_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar_members, "MAX_HEADERS", 100)
    monkeypatch.setattr(tar_members, "MAX_HEADER", 60)
    fits, long = long_name(b"a" * 49) + tar_header(), long_name(b"a" * 60) + tar_header()
    assert [outcome(data + END) for data in (fits * 2, fits * 3, long)] == [
        "",
        "refused: tar headers with names of more than 100 bytes: build it again",
        "refused: a tar header of 61 bytes, more than 60: build it again",
    ]


def test_the_name_in_a_gzip_header_costs_nothing() -> None:
    packed = gzip.compress(PAX + END)
    named = b"\x1f\x8b\x08\x08\0\0\0\0\0\xff" + b"n" * (16 * MIB) + b"\0" + packed[10:]
    with peak_below(MIB):
        archive = TarReader(Gunzip(io.BytesIO(named), len(named)))
        assert [member.name for member in archive.members()] == [b"x"]


@pytest.mark.parametrize("size", [1, 100, 511])
def test_a_gzip_file_may_arrive_in_any_pieces(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gunzip, "_CHUNK", size)
    data = usual_archive(tarfile.PAX_FORMAT)
    assert ours(data) == of_tarfile(data)
    assert {GNU, POSIX} & {data[257:265]}
