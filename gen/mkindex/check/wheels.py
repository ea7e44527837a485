"""What is in a wheel or an sdist, read as pip and uv do, and what a second reader would see differently.

Not with `archive.py`, which a build reads files with: what that overlooks would go unseen here, too.
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
from mkindex.distributions.tarballs import read_tar_pkg_info
from mkindex.distributions.zips import MAX_MEMBERS, MAX_METADATA
from mkindex.errors import Unreadable
from mkindex.text import printable
from mkindex.web.responses import RequestFailed

_LOCAL = Struct("<4s2xHH4xLLLHH")  # APPNOTE 4.3.7
_DESCRIPTOR = 0x8  # flag: checksum and sizes follow the data
_SHOWN = 5
# Up to the first line that is neither a field nor the continuation of one: the end of the header.
_HEADER_END = re.compile(rb"^(?!From |[\x21-\x39\x3b-\x7e]*:|[ \t])", re.MULTILINE)
_FIELD = re.compile(
    rb"^(Name|Version|Requires-Python|Requires-Dist|Provides-Extra):(.*(?:\n[ \t].*)*)", re.MULTILINE | re.IGNORECASE
)


def content_of(filename: str, stream: io.BufferedIOBase, size: int, *, whole: bool) -> Content:
    """Return what is in a file; `whole`: all its bytes are at hand, so that each member is looked at. Raises Failed."""
    try:
        if filename.endswith(".whl"):
            return _wheel(filename, stream, size, whole=whole)
        if filename.endswith(".tar.gz"):
            raw = read_tar_pkg_info(stream, size)
            return Content(metadata=requirements(raw) if raw is not None else None)
        return _zip_sdist(stream)
    except RequestFailed:
        raise
    except Unreadable as error:
        return Content(broken=str(error))
    except Exception as error:  # whatever a damaged archive makes of zipfile, zlib and codecs
        return Content(broken=f"cannot be read as an archive: {printable(str(error) or type(error).__name__)}")


def requirements(raw: bytes) -> Requirements:
    """Return the fields of core metadata that decide what is installed."""
    text = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    end = _HEADER_END.search(text)
    fields: dict[str, list[str]] = {}
    for match in _FIELD.finditer(text[: end.start()] if end else text):
        value = " ".join(match[2].decode("utf-8", "replace").split())
        fields.setdefault(match[1].decode().lower(), []).append(value)
    return Requirements(
        name=fields.get("name", [""])[0],
        version=fields.get("version", [""])[0],
        requires_python=fields.get("requires-python", [""])[0],
        requires_dist=tuple(sorted(fields.get("requires-dist", []))),
        extras=tuple(sorted(fields.get("provides-extra", []))),
    )


def _zip_sdist(stream: io.BufferedIOBase) -> Content:
    with zipfile.ZipFile(cast("BinaryIO", stream)) as archive:
        names = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/PKG-INFO")]
        return Content(metadata=requirements(_member(archive, names[0])) if names else None)


def _wheel(filename: str, stream: io.BufferedIOBase, size: int, *, whole: bool) -> Content:
    with zipfile.ZipFile(cast("BinaryIO", stream)) as archive:
        members = archive.infolist()
        if len(members) > MAX_MEMBERS:
            return Content(broken=f"{len(members):,} members: more than mkindex reads")
        names = [member.filename for member in members]
        ambiguous = list(_confusing(archive, members, stream, size, whole=whole))
        directory = _dist_info(filename, names)
        if not directory:
            return Content(broken="has no .dist-info directory of its own", ambiguous=tuple(ambiguous))
        if len({name.partition("/")[0] for name in names if ".dist-info/" in name.partition("/")[0] + "/"}) > 1:
            ambiguous.append("more than one .dist-info directory: readers may take another one")
        raw = _member(archive, f"{directory}/METADATA")
        return Content(
            metadata_sha256=hashlib.sha256(raw).hexdigest(),
            metadata=requirements(raw),
            ambiguous=tuple(ambiguous),
            record=tuple(_record(archive, directory, names)),
        )


def _dist_info(filename: str, names: list[str]) -> str:
    """Return the .dist-info directory of the project that the wheel's name says."""
    project = canonicalize_name(filename.partition("-")[0])
    for name in names:
        top, slash, rest = name.partition("/")
        stem = top.removesuffix(".dist-info").rpartition("-")[0]
        if slash and rest == "METADATA" and top.endswith(".dist-info") and canonicalize_name(stem) == project:
            return top
    return ""


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as member:
        raw = member.read(MAX_METADATA + 1)
    if len(raw) > MAX_METADATA:
        raise Unreadable(f"{printable(name)} has more than {MAX_METADATA >> 20} MiB")
    return raw


def _confusing(
    archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], stream: io.BufferedIOBase, size: int, *, whole: bool
) -> Iterator[str]:
    """Yield what makes readers of a zip differ: the rules that the public index refuses uploads by."""
    twice = [name for name, count in Counter(member.filename for member in members).items() if count > 1]
    if twice:
        yield f"members that are there twice: {_listed(twice)}"
    stream.seek(max(0, size - 22 - len(archive.comment)))
    if stream.read(4) != b"PK\5\6":
        yield "bytes follow the end of the zip"
    elif archive.comment:
        yield f"a comment of {len(archive.comment):,} bytes at its end"
    if min((one.header_offset for one in members), default=0):
        yield "bytes stand before the zip: another archive, or a program"
    strange = [m.filename for m in members if m.filename.startswith("/") or ".." in m.filename.split("/")]
    if strange:
        yield f"members whose path leads out of the wheel: {_listed(strange)}"
    if any(one.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for one in members):
        yield "members compressed in another way than by deflate"
    if not whole:
        return
    end = 0
    for member in sorted(members, key=lambda one: one.header_offset):
        if end and member.header_offset > end + 24:  # a data descriptor has at most so many bytes
            yield f"bytes that belong to no member before {printable(member.filename)[:80]}"
        elif member.header_offset < end:
            yield f"members that overlap: {printable(member.filename)[:80]}"
        stream.seek(member.header_offset)
        head = stream.read(_LOCAL.size)
        if len(head) != _LOCAL.size or head[:4] != b"PK\3\4":
            yield f"the directory names {printable(member.filename)[:80]}, and no member is there"
            return
        _, flags, method, crc, packed, unpacked, name_length, extra = _LOCAL.unpack(head)
        name = stream.read(name_length)
        central = member.orig_filename.encode("utf-8" if member.flag_bits & 0x800 else "cp437", "replace")
        sizes = (crc, packed, unpacked)
        is_said_later = flags & _DESCRIPTOR and not any(sizes[1:])
        is_zip64 = 0xFFFFFFFF in (packed, unpacked)
        same_sizes = is_said_later or is_zip64 or sizes == (member.CRC, member.compress_size, member.file_size)
        if name != central or method != member.compress_type or not same_sizes:
            yield f"the zip says two different things about {printable(member.filename)[:80]}"
        end = member.header_offset + _LOCAL.size + name_length + extra + member.compress_size


def _record(archive: zipfile.ZipFile, directory: str, names: list[str]) -> Iterator[str]:
    path = f"{directory}/RECORD"
    if path not in names:
        yield "there is no RECORD"
        return
    rows = csv.reader(io.StringIO(_member(archive, path).decode("utf-8", "replace"), newline=""))
    listed = [os.path.normpath(row[0]).replace(os.sep, "/") for row in rows if row]
    signatures = {f"{path}.jws", f"{path}.p7s"}  # PEP 427: these cannot be listed
    members = {name for name in names if not name.endswith("/")} - signatures
    if missing := sorted(members - set(listed)):
        yield f"RECORD does not list {_listed(missing)}"
    if absent := sorted(set(listed) - members - signatures):
        yield f"RECORD lists what is not there: {_listed(absent)}"
    if leaving := [name for name in listed if name.startswith(("/", "../"))]:
        yield f"RECORD lists paths out of the wheel, which an uninstall would delete: {_listed(leaving)}"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(printable(name)[:80] for name in names[:_SHOWN]) + more
