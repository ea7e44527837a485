"""What the filename, the archive and the core metadata of a file say, together."""

import hashlib
import io
import re
from contextlib import suppress
from functools import lru_cache

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidWheelFilename, NormalizedName, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from mkindex.distributions import zips as archive
from mkindex.distributions.filenames import FILENAME, STRANGE_NAME
from mkindex.distributions.metadata import parse_metadata
from mkindex.errors import Unreadable
from mkindex.model.files import Facts
from mkindex.model.index import parse_version
from mkindex.text import printable

_NAME = re.compile(r"[A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9]", re.IGNORECASE | re.ASCII)


_TOO_LONG = re.compile(r"\d{19}")  # for uv, which reads parts of a version as 64 bits


Stream = io.FileIO | io.BufferedIOBase


def describe(filename: str, stream: Stream, size: int) -> Facts:
    """Return what name and content of a file say, but for the hash. Raises Unreadable."""
    _check(filename)
    if size == 0:
        raise Unreadable("an empty file: copy it again")
    return (_wheel if filename.endswith(".whl") else _sdist)(filename, stream, size)


def describe_name(filename: str, requires_python: str) -> Facts:
    """Return what the name of a file says, and `requires_python` if it is valid. Raises Unreadable."""
    _check(filename)
    if filename.endswith(".whl"):
        project, version = _parse_wheel(filename)
        normal = _normal_wheel_filename(filename, project, str(version))
    else:
        ending = ".zip" if filename.endswith(".zip") else ".tar.gz"
        splits = _splits(filename.removesuffix(ending))
        if len(splits) != 1:
            raise Unreadable("its name does not tell project and version apart: build it again")
        project, version = splits[0]
        normal = f"{project.replace('-', '_')}-{version}{ending}"
    valid, warning = _valid_requires_python(requires_python)
    return Facts(
        project=project,
        version=str(version),
        normal_filename=normal if normal != filename else "",
        requires_python=valid,
        warning=warning,
    )


def describe_metadata(filename: str, raw: bytes) -> Facts:
    """Return what the name of a wheel and its METADATA say, together. Raises Unreadable where they disagree."""
    _check(filename)
    return _from_metadata(filename, *_parse_wheel(filename), raw)


def _from_metadata(filename: str, project: NormalizedName, version: Version, raw: bytes) -> Facts:
    metadata = parse_metadata(raw)
    if not _is(metadata.name, metadata.release, project, version):
        raise Unreadable(
            f"the filename says {project} {version}, METADATA says "
            f"{printable(metadata.name)} {printable(metadata.release)}: build it again, renaming is not enough"
        )
    requires_python, warning = _valid_requires_python(metadata.requires_python or "")
    normal = _normal_wheel_filename(filename, project, str(version))
    return Facts(
        project=project,
        version=str(version),
        normal_filename=normal if normal != filename else "",
        requires_python=requires_python,
        core_metadata=hashlib.sha256(raw).hexdigest(),
        warning=warning,
        metadata_name=metadata.name if metadata.name != project else "",
    )


def _check(filename: str) -> None:
    if not FILENAME.fullmatch(filename):
        raise Unreadable(STRANGE_NAME)
    if len(filename) + len(".metadata") > 255:
        raise Unreadable("a name so long that no file system takes it with .metadata behind it: build it again")


def _refuse_other_kind(stream: Stream, magic: bytes, kind: str) -> None:
    """Say what a file is that is not what its name says."""
    stream.seek(0)
    start = stream.read(40) or b""
    if start.startswith(magic):
        return
    if start.startswith(b"version https://git-lfs"):
        raise Unreadable(f"a Git LFS pointer, not the {kind} itself: run `git lfs pull`")
    if start.lstrip()[:1] == b"<":
        raise Unreadable(f"an HTML or XML page, not a {kind}: download it again")
    raise Unreadable(f"no {kind}: it does not begin as one does. Copy it again")


def _wheel(filename: str, stream: Stream, size: int) -> Facts:
    project, version = _parse_wheel(filename)
    _refuse_other_kind(stream, b"PK", "wheel")
    directory, raw, span = archive.read_wheel_metadata(archive.random_access(stream), size)
    name, _, release = directory.rpartition("-")
    if not _is(name, release, project, version):
        raise Unreadable(
            f"its {printable(directory)}.dist-info is not of {project} {version}, as its name says: rebuild it"
        )
    return _from_metadata(filename, project, version, raw)._replace(metadata_span=str(span))


def _parse_wheel(filename: str) -> tuple[NormalizedName, Version]:
    try:
        return parse_wheel_filename(filename)[:2]
    except InvalidWheelFilename as error:
        raise Unreadable(f"{printable(str(error))}: clients ignore it. Build it again") from error


def _normal_wheel_filename(filename: str, project: str, version: str) -> str:
    """Spell a wheel's filename in the one way that all spellings that mean the same share."""
    _, _, *build_and_tags = filename.removesuffix(".whl").split("-")
    tags = [".".join(sorted(part.split("."))) if "." in part else part for part in build_and_tags]
    return f"{project.replace('-', '_')}-{version}-{'-'.join(tags)}.whl".lower()


def _sdist(filename: str, stream: Stream, size: int) -> Facts:
    if filename.endswith(".zip"):
        ending, pkg_info = ".zip", None
        _refuse_other_kind(stream, b"PK", "zip archive")
        pkg_info = archive.read_zip_pkg_info(archive.random_access(stream), size)
    else:
        ending = ".tar.gz"
        _refuse_other_kind(stream, b"\x1f\x8b", "gzip archive")
        stream.seek(0)
        from mkindex.distributions.tarballs import read_tar_pkg_info

        pkg_info = read_tar_pkg_info(stream, size)
    metadata = parse_metadata(pkg_info) if pkg_info is not None else None
    splits = _splits(filename.removesuffix(ending))
    if metadata and (split := next((s for s in splits if _is(metadata.name, metadata.release, *s)), None)):
        project, version = split
        requires_python, warning = _valid_requires_python(metadata.requires_python or "")
    else:
        says = (
            f"PKG-INFO says {printable(metadata.name)} {printable(metadata.release)}"
            if metadata
            else "it has no PKG-INFO"
        )
        if len(splits) != 1:
            raise Unreadable(f"its name does not tell project and version apart, and {says}: build it again")
        project, version = splits[0]
        requires_python, warning = (
            "",
            f"{says}: listed as {project} {version}, as the filename says; clients may refuse it",
        )
    normal = f"{project.replace('-', '_')}-{version}{ending}"
    return Facts(
        project=project,
        version=str(version),
        normal_filename=normal if normal != filename else "",
        requires_python=requires_python,
        warning=warning,
    )


def _splits(stem: str) -> list[tuple[NormalizedName, Version]]:
    """Return every project and version that the name of an sdist can mean: `foo-1.0-1` may be 1.0.post1 of foo."""
    found = []
    for hyphen in re.finditer("-", stem):
        name, text = stem[: hyphen.start()], stem[hyphen.end() :]
        if _NAME.fullmatch(name):
            with suppress(ValueError):
                found.append((canonicalize_name(name), parse_version(text)))
    return found


def _is(name: str, version_text: str, project: NormalizedName, version: Version) -> bool:
    """Tell whether a name and a version, in any spelling, are those of `project` and `version`."""
    try:
        # Only ASCII: the Kelvin sign in lower case is a k.
        is_name = name.isascii() and canonicalize_name(name) == project
        return is_name and parse_version(version_text) == version
    except ValueError:
        return False


def _valid_requires_python(value: str) -> tuple[str, str]:
    """Return Requires-Python and a warning, one of them empty: uv drops a file whose value it cannot parse."""
    # packaging takes control characters in "===", which no page could carry.
    if not value or (value.isascii() and value.isprintable() and _is_specifier(value)):
        return value, ""
    return "", f"Requires-Python {printable(value)!r} is not valid and is left out: uv would not see the file"


@lru_cache(maxsize=1024)
def _is_specifier(value: str) -> bool:
    try:
        SpecifierSet(value)
    except InvalidSpecifier:
        return False
    return not _TOO_LONG.search(value)
