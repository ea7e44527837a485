"""Read the contents of a wheel or sdist as pip and uv do, and find what other zip readers would see differently.

Wheels are opened with `zipfile`, not with `distributions.zips` as in a build: one reader can find what the other
overlooks.
"""

import csv
import hashlib
import io
import os
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from struct import Struct
from typing import BinaryIO, cast

from packaging.utils import canonicalize_name

from mkindex.check.observations import Content, Requirements
from mkindex.distributions.build_requires import build_requires
from mkindex.distributions.metadata import is_utf8
from mkindex.distributions.requirements import ELSEWHERE, shown_requirement, unusable_requirements
from mkindex.distributions.tarballs import read_tar_sdist
from mkindex.distributions.zips import MAX_MEMBERS, MAX_METADATA
from mkindex.errors import Unreadable
from mkindex.text import and_more, plural, printable
from mkindex.web.responses import RequestFailed

_LOCAL = Struct("<4s2xHH4xLLLHH")  # APPNOTE 4.3.7
_DESCRIPTOR = 0x8  # flag: checksum and sizes follow the data
# The first line that is neither a field nor the continuation of one ends the header.
_HEADER_END = re.compile(rb"^(?!From |[\x21-\x39\x3b-\x7e]*:|[ \t])", re.MULTILINE)
_FIELD = re.compile(
    rb"^(Name|Version|Requires-Python|Requires-Dist|Provides-Extra):(.*(?:\n[ \t].*)*)", re.MULTILINE | re.IGNORECASE
)


def content_of(filename: str, stream: io.BufferedIOBase, size: int, *, whole: bool) -> Content:
    """Return the contents of a file of `size` bytes.

    `whole`: reading all of it is cheap, so that every local header is compared. Damage becomes part of the value; only
    RequestFailed is raised.
    """
    try:
        if filename.endswith(".whl"):
            return _wheel(filename, stream, size, whole=whole)
        if filename.endswith(".tar.gz"):
            return _sdist(*read_tar_sdist(stream, size))
        return _zip_sdist(stream)
    except RequestFailed:
        raise
    except Unreadable as error:
        return Content(broken=str(error))
    except Exception as error:  # damaged archives make zipfile, zlib and codecs raise almost anything
        return Content(broken=f"cannot be read as an archive: {printable(str(error) or type(error).__name__)}")


def requirements(raw: bytes) -> Requirements:
    """Parse the fields of core metadata that decide what is installed."""
    text = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    end = _HEADER_END.search(text)
    fields: dict[str, list[str]] = {}
    requires_dist: list[str] = []  # with line breaks
    for match in _FIELD.finditer(text[: end.start()] if end else text):
        name, value = match[1].decode().lower(), match[2].decode("utf-8", "replace").strip()
        if name == "requires-dist":
            requires_dist.append(value)
        fields.setdefault(name, []).append(" ".join(value.split()))
    problems = unusable_requirements(requires_dist)
    said = {value: f"Requires-Dist {shown_requirement(value)!r} {problem}" for value, problem in problems.items()}
    return Requirements(
        name=fields.get("name", [""])[0],
        version=fields.get("version", [""])[0],
        requires_python=fields.get("requires-python", [""])[0],
        requires_dist=tuple(sorted(fields.get("requires-dist", []))),
        extras=tuple(sorted(fields.get("provides-extra", []))),
        unusable=tuple(text for value, text in said.items() if problems[value] != ELSEWHERE),
        elsewhere=tuple(text for value, text in said.items() if problems[value] == ELSEWHERE),
        is_utf8=is_utf8(raw),
    )


def _zip_sdist(stream: io.BufferedIOBase) -> Content:
    with zipfile.ZipFile(cast("BinaryIO", stream)) as archive:
        tops = [name for name in archive.namelist() if name.count("/") == 1]
        pkg_info, pyproject = (
            next((_member(archive, name) for name in tops if name.endswith(f"/{ending}")), None)
            for ending in ("PKG-INFO", "pyproject.toml")
        )
        return _sdist(pkg_info, pyproject)


def _sdist(pkg_info: bytes | None, pyproject: bytes | None) -> Content:
    return Content(
        metadata=requirements(pkg_info) if pkg_info is not None else None, build_requires=build_requires(pyproject)
    )


def _wheel(filename: str, stream: io.BufferedIOBase, size: int, *, whole: bool) -> Content:
    with zipfile.ZipFile(cast("BinaryIO", stream)) as archive:
        members = archive.infolist()
        if len(members) > MAX_MEMBERS:
            return Content(broken=f"{len(members):,} members, more than mkindex reads")
        names = [member.filename for member in members]
        ambiguous = list(_ambiguities(archive, members, stream, size, whole=whole))
        directory = _dist_info(filename, names)
        if not directory:
            return Content(broken="has no .dist-info directory of its own", ambiguous=tuple(ambiguous))
        if len({name.partition("/")[0] for name in names if ".dist-info/" in name.partition("/")[0] + "/"}) > 1:
            ambiguous.append("more than one .dist-info directory: readers may use different ones")
        raw = _member(archive, f"{directory}/METADATA")
        return Content(
            metadata_sha256=hashlib.sha256(raw).hexdigest(),
            metadata=requirements(raw),
            ambiguous=tuple(ambiguous),
            record=tuple(_record(archive, directory, names)),
        )


def _dist_info(filename: str, names: list[str]) -> str:
    """Return the .dist-info directory of the project in the filename of a wheel, "" if there is none."""
    project = canonicalize_name(filename.partition("-")[0])
    for name in names:
        top, slash, rest = name.partition("/")
        if not (slash and rest == "METADATA" and top.endswith(".dist-info")):
            continue
        stem, _, last = top.removesuffix(".dist-info").rpartition("-")
        # Old versions of `wheel` wrote the build tag after the version; pip and uv install such a wheel.
        stems = (stem, stem.rpartition("-")[0]) if last.isascii() and last.isdecimal() else (stem,)
        if project in map(canonicalize_name, stems):
            return top
    return ""


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as member:
        raw = member.read(MAX_METADATA + 1)
    if len(raw) > MAX_METADATA:
        raise Unreadable(f"{printable(name)} has more than {MAX_METADATA >> 20} MiB")
    return raw


def _ambiguities(
    archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], stream: io.BufferedIOBase, size: int, *, whole: bool
) -> Iterator[str]:
    """Yield what makes zip readers disagree. The public index rejects uploads for the same reasons."""
    duplicates = [name for name, count in Counter(member.filename for member in members).items() if count > 1]
    if duplicates:
        yield f"duplicate members: {_first_names(duplicates)}"
    stream.seek(max(0, size - 22 - len(archive.comment)))
    if stream.read(4) != b"PK\5\6":
        yield "data after the end of the zip file"
    elif archive.comment:
        yield f"a comment of {plural(len(archive.comment), 'byte')} at the end"
    if min((one.header_offset for one in members), default=0):
        yield "data before the zip file: another archive, or a program"
    strange = [m.filename for m in members if m.filename.startswith("/") or ".." in m.filename.split("/")]
    if strange:
        yield f"members whose path leads out of the wheel: {_first_names(strange)}"
    if any(one.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for one in members):
        yield "members with a compression other than deflate"
    if not whole:
        return
    end = 0
    for member in sorted(members, key=lambda one: one.header_offset):
        if end and member.header_offset > end + 24:  # the longest data descriptor (APPNOTE 4.3.9)
            yield f"data that belongs to no member before {printable(member.filename)[:80]}"
        elif member.header_offset < end:
            yield f"overlapping members: {printable(member.filename)[:80]}"
        stream.seek(member.header_offset)
        head = stream.read(_LOCAL.size)
        if len(head) != _LOCAL.size or head[:4] != b"PK\3\4":
            yield f"the central directory lists {printable(member.filename)[:80]}, but there is no such member"
            return
        _, flags, method, crc, packed, unpacked, name_length, extra = _LOCAL.unpack(head)
        name = stream.read(name_length)
        central = member.orig_filename.encode("utf-8" if member.flag_bits & 0x800 else "cp437", "replace")
        sizes = (crc, packed, unpacked)
        has_descriptor = flags & _DESCRIPTOR and not any(sizes[1:])
        is_zip64 = 0xFFFFFFFF in (packed, unpacked)
        same_sizes = has_descriptor or is_zip64 or sizes == (member.CRC, member.compress_size, member.file_size)
        if name != central or method != member.compress_type or not same_sizes:
            yield f"central directory and local header disagree about {printable(member.filename)[:80]}"
        end = member.header_offset + _LOCAL.size + name_length + extra + member.compress_size


def _record(archive: zipfile.ZipFile, directory: str, names: list[str]) -> Iterator[str]:
    path = f"{directory}/RECORD"
    if path not in names:
        yield "RECORD is missing"
        return
    rows = csv.reader(io.StringIO(_member(archive, path).decode("utf-8", "replace"), newline=""))
    listed = [os.path.normpath(row[0]).replace(os.sep, "/") for row in rows if row]
    signatures = {f"{path}.jws", f"{path}.p7s"}  # PEP 427: not in RECORD
    members = {name for name in names if not name.endswith("/")} - signatures
    if missing := sorted(members - set(listed)):
        yield f"RECORD does not list {_first_names(missing)}"
    if absent := sorted(set(listed) - members - signatures):
        yield f"RECORD lists missing files: {_first_names(absent)}"
    if leaving := [name for name in listed if name.startswith(("/", "../"))]:
        yield f"RECORD lists paths outside the wheel, which an uninstall would delete: {_first_names(leaving)}"


def _first_names(names: list[str]) -> str:
    return and_more([printable(name)[:80] for name in names])
