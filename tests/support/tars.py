"""Tar archives in memory, header by header."""

from __future__ import annotations

import io
import struct
import tarfile
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from support.archives import METADATA

if TYPE_CHECKING:
    from collections.abc import Mapping

POSIX, GNU, OLD = b"ustar\x0000", b"ustar  \0", bytes(8)
PAX_KEYS = [b"path", b"linkpath", b"size", b"mtime", b"comment", b"hdrcharset", b"GNU.sparse.map", b"GNU.sparse.size"]
PAX_KEYS += [b"GNU.sparse.major", b"GNU.sparse.minor", b"GNU.sparse.realsize", b"GNU.sparse.name", b"GNU.sparse.offset"]
PAX_VALUES = [b"0", b"1", b"-1", b"1,2", b"1,2,x", b"9" * 5000, b"BINARY", b"foo-1.0/PKG-INFO", b"\xff", b"", b"nan"]


def tarred(members: Mapping[str, bytes], format: int = tarfile.USTAR_FORMAT) -> bytes:  # noqa: A002
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def tar_header(
    kind: bytes = b"0",
    size: int = 0,
    name: str | bytes = "x",
    *,
    target: str = "",
    identity: bytes = GNU,
    prefix: bytes = b"",
    fields: Mapping[int, bytes] | None = None,
) -> bytes:
    """One tar header with a right checksum; `fields` are written over it, each at its offset."""
    name = name.encode() if isinstance(name, str) else name
    numbers = [b"0000644", b"0000000", b"0000000", b"%011o" % size, b"%011o" % 1_577_836_800]
    first = struct.pack("<100s8s8s8s12s12s8sc100s", name, *numbers, b" " * 8, kind, target.encode())
    header = bytearray(first + identity + bytes(80) + prefix).ljust(512, b"\0")
    for at, field in (fields or {}).items():
        header[at : at + len(field)] = field
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def padded(content: bytes) -> bytes:
    return content + b"\0" * (-len(content) % 512)


def pax_record(key: bytes, value: bytes) -> bytes:
    size = len(key) + len(value) + 3
    while size != (size := len(key) + len(value) + 3 + len(str(size))):
        pass
    return b"%d %s=%s\n" % (size, key, value)


def pax_header(*records: bytes, kind: bytes = b"x") -> bytes:
    content = b"".join(records)
    return tar_header(kind, len(content), identity=POSIX) + padded(content)


def long_name(name: bytes, kind: bytes = b"L") -> bytes:
    return tar_header(kind, len(name) + 1, "././@LongLink") + padded(name + b"\0")


NUMBERS = st.one_of(
    st.integers(0, 1 << 33).map(lambda n: b"%011o\0" % n),
    st.integers(0, (1 << 88) - 1).map(lambda n: b"\x80" + n.to_bytes(11, "big")),
    st.integers(1, 1 << 88).map(lambda n: b"\xff" + ((1 << 88) - n).to_bytes(11, "big")),
    st.sampled_from([b"          3 ", b"3\0" + b"x" * 10, bytes(12), b" " * 12, b"000000000003"]),
    st.binary(min_size=12, max_size=12),
)
NAMES = st.sampled_from(["foo-1.0/PKG-INFO", "foo-1.0/d/", "x", "", "/x", "../x", "é" * 40, "a" * 100])


@st.composite
def pax_records(draw: st.DrawFn) -> bytes:
    record = draw(st.sampled_from(PAX_KEYS)) + b"=" + draw(st.sampled_from(PAX_VALUES)) + b"\n"
    length = draw(st.one_of(st.just(len(record) + len(str(len(record) + 3)) + 1), st.integers(-1, 9999)))
    return b"%d " % length + record


@st.composite
def tar_blocks(draw: st.DrawFn) -> bytes:
    """Headers with right checksums and random contents, and the data that they announce."""
    content = draw(st.one_of(st.just(METADATA), st.lists(pax_records()).map(b"".join), st.binary(max_size=600)))
    content = draw(st.sampled_from([content, content, content, b"foo-1.0/long\0", b""]))
    kind = draw(st.sampled_from([bytes([c]) for c in b"01256gxLKSDMVXA\0\xff"]))
    fields = {124: draw(NUMBERS)} if draw(st.sampled_from([True, False, False, False])) else {}
    for at, length in ((100, 8), (329, 16), (345, 155), (386, 24), (482, 30)):
        if draw(st.sampled_from([True, False, False, False, False])):
            fields[at] = draw(st.binary(min_size=length, max_size=length))
    header = tar_header(
        kind,
        len(content),
        draw(NAMES),
        target=draw(st.sampled_from(["", "x", "../x"])),
        identity=draw(st.sampled_from([POSIX, GNU, OLD])),
        fields=fields,
    )
    return header + padded(content)


TARS = st.builds(
    lambda blocks, end: b"".join(blocks) + end,
    st.lists(tar_blocks(), max_size=4),
    st.sampled_from([bytes(1024), bytes(1024), bytes(10240), bytes(512), b"", b"x"]),
)
