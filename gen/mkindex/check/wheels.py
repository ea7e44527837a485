"""Read the contents of a wheel or sdist as pip and uv do, and find what they refuse.

Wheels are opened with `zipfile`, not with `distributions.zips` as in a build: one reader can find what the other
overlooks.
"""

import csv
import hashlib
import io
import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import PurePosixPath
from typing import BinaryIO, cast

from packaging.utils import canonicalize_name

from mkindex.check.observations import Content, Requirements
from mkindex.check.zip_readers import ambiguities, differences
from mkindex.distributions.build_requires import build_requires
from mkindex.distributions.dist_info import (
    BOTH,
    NO_RECORD,
    NO_WHEEL,
    UV,
    Refusal,
    missing_tags,
    read_wheel_file,
    refusals_of_data,
    refusals_of_entry_points,
    refusals_of_record,
)
from mkindex.distributions.metadata import is_utf8
from mkindex.distributions.requirements import ELSEWHERE, shown_requirement, unusable_requirements
from mkindex.distributions.sdists import Layout, SdistFiles
from mkindex.distributions.tarballs import read_tar_sdist
from mkindex.distributions.zip_directory import BOMB_RATIO, BOMB_SIZE, MAX_DIRECTORY, MAX_MEMBERS, NEVER_READ
from mkindex.distributions.zips import MAX_ENTRY_POINTS, MAX_METADATA, MAX_WHEEL
from mkindex.errors import Unreadable
from mkindex.model.wheel_variants import MAX_VARIANT_JSON, VARIANT_JSON
from mkindex.text import and_more, printable
from mkindex.web.responses import RequestFailed

_SHOWN = 5  # refusals of one kind
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
            return _sdist(read_tar_sdist(stream, size))
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
    layout = Layout()
    with zipfile.ZipFile(cast("BinaryIO", stream)) as archive:
        for name in archive.namelist():
            if layout.add(name):
                layout.keep(name, _member(archive, name))
    return _sdist(layout.files())


def _sdist(files: SdistFiles) -> Content:
    return Content(
        metadata=requirements(files.pkg_info) if files.pkg_info is not None else None,
        build_requires=build_requires(files.pyproject),
        refused=(files.refusal,) if files.refusal else (),
    )


def _wheel(filename: str, stream: io.BufferedIOBase, size: int, *, whole: bool) -> Content:
    with zipfile.ZipFile(cast("BinaryIO", stream)) as archive:
        members = archive.infolist()
        if len(members) > MAX_MEMBERS:
            return Content(broken=f"{len(members):,} members, more than mkindex reads")
        total = sum(member.file_size for member in members)
        if total > BOMB_SIZE and total > BOMB_RATIO * size:
            return Content(broken=f"a zip bomb: {size:,} bytes that unpack to {total:,}")
        names = [member.filename for member in members]
        if sum(map(len, names)) > MAX_DIRECTORY:
            return Content(
                broken=f"the names of its members have more than {MAX_DIRECTORY >> 20} MiB, the limit of mkindex"
            )
        ambiguous = [*ambiguities(archive, stream, size), *(differences(archive, stream) if whole else ())]
        directory = _dist_info(filename, names)
        if not directory:
            return Content(broken="has no .dist-info directory of its own", ambiguous=tuple(ambiguous))
        raw = _member(archive, f"{directory}/METADATA")
        refusals = [*_refusals(archive, directory), *(_unreadable_members(archive) if whole else ())]
        wheel = _optional(archive, f"{directory}/WHEEL", MAX_WHEEL)
        variant = _optional(archive, f"{directory}/{VARIANT_JSON}", MAX_VARIANT_JSON)
        return Content(
            metadata_sha256=hashlib.sha256(raw).hexdigest(),
            metadata=requirements(raw),
            broken="; ".join(one.reason for one in refusals if one.clients == BOTH),
            ambiguous=tuple(ambiguous),
            record=tuple(_record(archive, directory, names)),
            refused=tuple(str(one) for one in refusals if one.clients != BOTH),
            missing_tags=tuple(missing_tags(filename, read_wheel_file(wheel)) if wheel is not None else ()),
            variant=() if variant is None else (variant.decode("utf-8", "replace"),),
        )


def _refusals(archive: zipfile.ZipFile, directory: str) -> Iterator[Refusal]:
    """Yield what clients refuse in the files of .dist-info, and among the members of .data."""
    names = archive.namelist()
    wheel, record = _optional(archive, f"{directory}/WHEEL", MAX_WHEEL), _optional(archive, f"{directory}/RECORD")
    points = _optional(archive, f"{directory}/entry_points.txt", MAX_ENTRY_POINTS)
    yield from read_wheel_file(wheel).refusals if wheel is not None else NO_WHEEL.refusals
    yield from refusals_of_record(record) if record is not None else (NO_RECORD,)
    yield from islice(refusals_of_data(names, directory.removesuffix(".dist-info")), _SHOWN)
    yield from islice(refusals_of_entry_points(points or b""), _SHOWN)
    tops = {name.partition("/")[0] for name in names if "/" in name}
    if sum(top.endswith(".dist-info") for top in tops) > 1:
        yield Refusal("has more than one .dist-info directory", BOTH)
    files = {name for name in names if not name.endswith("/")}
    below = [name for name in files if any(str(parent) in files for parent in PurePosixPath(name).parents)]
    if below:
        yield Refusal(f"members are below another member that is a file: {_first_names(sorted(below))}", BOTH)


def _unreadable_members(archive: zipfile.ZipFile) -> Iterator[Refusal]:
    """Read all members, and yield why clients cannot."""
    for member in archive.infolist():
        name = printable(member.filename)[:80]
        if member.flag_bits & NEVER_READ:
            yield Refusal(f"{name} is encrypted", BOTH)
        elif member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            known = member.compress_type in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
            yield Refusal(f"{name} is compressed by another method than deflate", UV if known else BOTH)
        else:
            try:
                with archive.open(member) as content:
                    while content.read(1 << 20):
                        pass
            except (zipfile.BadZipFile, zlib.error, EOFError) as error:
                yield Refusal(f"{name} cannot be read ({printable(str(error)) or 'it is cut off'})", BOTH)


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


def _optional(archive: zipfile.ZipFile, name: str, most: int = MAX_METADATA) -> bytes | None:
    try:
        return _member(archive, name, most)
    except KeyError:
        return None


def _member(archive: zipfile.ZipFile, name: str, most: int = MAX_METADATA) -> bytes:
    with archive.open(name) as member:
        raw = member.read(most + 1)
    if len(raw) > most:
        raise Unreadable(f"{printable(name)} has more than {most >> 10:,} KiB")
    return raw


def _record(archive: zipfile.ZipFile, directory: str, names: list[str]) -> Iterator[str]:
    path = f"{directory}/RECORD"
    raw = _optional(archive, path)
    if raw is None:
        return
    try:
        rows = list(csv.reader(io.StringIO(raw.decode("utf-8", "replace"), newline="")))
    except csv.Error:
        return  # a client refuses it
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
