"""Files that are small, and made to cost much: processor time, memory, or the other files of a build."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from typing import TYPE_CHECKING, NamedTuple

from support.archives import MIB, deflated_zeros
from support.tars import POSIX, long_name, pax_header, pax_record, tar_header, tarred
from support.wheels import metadata, sdist, wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

END = bytes(1024)
GZIP = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"


def _members() -> bytes:
    """The members of an sdist, without the end of the archive."""
    data = gzip.decompress(sdist("foo", "1.0"))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        *_, last = archive
    return data[: last.offset_data + -(-last.size // 512) * 512]


BODY = _members()


def _tar(*parts: bytes) -> bytes:
    return gzip.compress(b"".join(parts) + END, 1)


def _wheel(**changed: bytes) -> bytes:
    """A wheel with other members in .dist-info: `WHEEL=…`, or `entry_points=…`."""
    with zipfile.ZipFile(io.BytesIO(wheel("foo", "1.0"))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for name, content in changed.items():
        members[f"foo-1.0.dist-info/{name.replace('entry_points', 'entry_points.txt')}"] = content
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _metadata(fields: bytes, body: bytes = b"") -> bytes:
    return _wheel(METADATA=metadata("foo", "1.0").rstrip() + b"\n" + fields + b"\n" + body)


def _pyproject(content: bytes) -> bytes:
    return gzip.compress(tarred({"foo-1.0/PKG-INFO": metadata("foo", "1.0"), "foo-1.0/pyproject.toml": content}))


def _zip(count: int, name: Callable[[int], str]) -> bytes:
    """A zip of empty members: `zipfile` would take seconds."""
    local, central = bytearray(), bytearray()
    for number in range(count):
        path = name(number).encode()
        central += struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 33, *[0] * 3, len(path), *[0] * 5, len(local))
        central += path
        local += struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 33, 0, 0, 0, len(path), 0) + path
    return bytes(local + central + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(central), len(local), 0))


def _product(parts: int) -> bytes:
    return b"-".join(b".".join(b"%c%d" % (kind, number) for number in range(parts)) for kind in b"abc")


# By what each would cost. Cheap ones first: all of them are built together.
CHEAP: Mapping[str, Callable[[], bytes]] = {
    "digits of a pax record": lambda: _tar(pax_header(b"9" * 200_000)),
    "a sparse map": lambda: _tar(pax_header(pax_record(b"GNU.sparse.map", b"1," * 400_000 + b"1"))),
    "long names one after the other": lambda: _tar(long_name(b"x") * 20_000),
    "hard links to hard links": lambda: _tar(
        BODY, *(tar_header(b"1", 0, f"foo-1.0/{n + 1}", target=f"foo-1.0/{n or 'PKG-INFO'}") for n in range(9_000))
    ),
    "a long name in a gzip header": lambda: b"\x1f\x8b\x08\x08%s\0%s" % (bytes(6) + b"n" * (16 * MIB), _tar(BODY)[10:]),
    "empty gzip streams": lambda: gzip.compress(b"") * 100_000,
    "empty deflate blocks": lambda: GZIP + b"\0\0\0\xff\xff" * 2_000_000,
    "a PKG-INFO of 8 MiB": lambda: _tar(tar_header(b"0", 8 * MIB, "foo-1.0/PKG-INFO"), b" z\n\n" * (2 * MIB), BODY),
    "a key of a million parts": lambda: _pyproject(b"a." * 1_000_000 + b"a = 1\n"),
    "a key of ten thousand parts": lambda: _pyproject(b"[build-system]\n" + b"a." * 10_000 + b"a = 1\n"),
    "nested TOML arrays": lambda: _pyproject(b"x = " + b"[" * 200_000),
    "a long TOML array": lambda: _pyproject(b"x = [" + b"1," * 4_000_000 + b"]\n"),
    "a METADATA of 63 MiB": lambda: _metadata(b"", bytes(63 * MIB)),
    "folded lines of a requirement": lambda: _metadata(b"Requires-Dist: x\n" + b" z\n" * 9_900),
    "a marker of 300,000 comparisons": lambda: _metadata(
        b"Requires-Dist: a; " + b" and ".join([b'python_version > "3"'] * 300_000) + b"\n"
    ),
    "a marker of nested parentheses": lambda: _metadata(b"Requires-Dist: a; " + b"(" * 3_000_000 + b"\n"),
    "a requirement of 800,000 clauses": lambda: _metadata(b"Requires-Dist: a " + b"!=1," * 800_000 + b"!=2\n"),
    "tags whose product is large": lambda: _wheel(WHEEL=b"Wheel-Version: 1.0\n" + b"Tag: %s\n" % _product(33) * 150),
    "a WHEEL of 8 MB": lambda: _wheel(WHEEL=b"Wheel-Version: 1.0\n" + b"x: y\n" * 1_600_000),
    "a RECORD of quotes": lambda: _wheel(RECORD=b'"' * (7 * MIB)),
    "folded entry points": lambda: _wheel(entry_points=b"[a]\nx=y\n" + b" z\n" * 2_500_000),
    "ends of a zip": lambda: b"PK\3\4" + b"PK\5\6" * MIB,
    "60,000 .dist-info directories": lambda: _zip(60_000, lambda n: f"f{n}.dist-info/METADATA"),
    "60,000 names that have to be compared": lambda: _zip(60_000, lambda n: f"a/./{n}"),
}  # fmt: skip
EXPENSIVE: Mapping[str, Callable[[], bytes]] = {
    "pax records": lambda: _tar((pax_header(b"5 a=\n" * 200_000) + tar_header(identity=POSIX)) * 9),
    "99,000 members": lambda: _tar(*(tar_header(name=f"foo-1.0/{n:050}", identity=POSIX) for n in range(99_000)), BODY),
    "3 GiB of zeros": lambda: GZIP + deflated_zeros(3 << 30) + bytes(range(256)) * (60 * MIB // 256),
    "distinct markers": lambda: _metadata(
        b"".join(b'Requires-Dist: a; %spython_version > "3.%d"%s\n' % (b"(" * 90, n, b")" * 90) for n in range(9000))
    ),
    "a RECORD of two million rows": lambda: _wheel(RECORD=b"a,,\n" * 2_000_000),
}  # fmt: skip


class HostilePage(NamedTuple):
    """A page, which is sent compressed, and a part of the error."""

    media_type: str
    text: Callable[[], bytes]
    error: str


JSON = "application/vnd.pypi.simple.v1+json"
LINK = b"<a href=demo-1.0-py3-none-any.whl>demo</a>"
CHEAP_PAGES: Mapping[str, HostilePage] = {
    "nested formatting": HostilePage("text/html", lambda: b"<b><i><u>" * 3_200, "more elements"),
    "formatting that is opened again": HostilePage(
        "text/html", lambda: b"<b>" * 900 + b"<p>x" * 9_000, "more elements"
    ),
    "a million JSON arrays": HostilePage(JSON, lambda: b'{"files":[' + b"[]," * (21 * MIB) + b"[]]}", "more values"),
    "punycode": HostilePage("text/html; charset=punycode", lambda: LINK + b"a" * MIB, "answers 404"),
}
EXPENSIVE_PAGES: Mapping[str, HostilePage] = {
    "nested JSON": HostilePage(JSON, lambda: b"[" * (60 * MIB), "more values"),
    "200 MB of tags": HostilePage("text/html", lambda: b"<p>" * (66 * MIB), "more elements"),
    "attributes": HostilePage("text/html", lambda: b"<a " + b"b " * (30 * MIB) + b">", "attributes of one element"),
    "wide characters": HostilePage("text/html", lambda: b"<p>" * (30 * MIB) + "\U0001f4a9".encode(), "not ASCII"),
    "more than 256 MiB": HostilePage("text/html", lambda: bytes(257 * MIB), "256 MiB"),
}


def hostile_name(data: bytes) -> str:
    return "foo-1.0-py3-none-any.whl" if data.startswith(b"PK") else "foo-1.0.tar.gz"
