"""Artifact to File, or to the reason why not: filename, hash, core metadata. The cache is asked first."""

import hashlib
import io
import os
import re
import stat
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, suppress
from functools import lru_cache, partial
from sys import intern
from typing import NamedTuple

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidWheelFilename, NormalizedName, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from mkindex.cache import Cache
from mkindex.distributions import zips as archive
from mkindex.distributions.zips import Unreadable
from mkindex.errors import Rejected, printable
from mkindex.model.index import File, parse_version
from mkindex.parallel import split
from mkindex.simple.reader import FILENAME, STRANGE_NAME, Link
from mkindex.sources.open import Artifact, Fingerprint, wire_time

CHUNK = 1 << 20  # bytes read at once; a file that is no larger is read whole

_NAME = re.compile(r"[A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9]", re.IGNORECASE | re.ASCII)

_TOO_LONG = re.compile(r"\d{19}")  # for uv, which reads parts of a version as 64 bits

# Given the bytes to be read, a context in which it is told of the bytes that were.
Progress = Callable[[int], AbstractContextManager[Callable[[int], object]]]

_Stream = io.FileIO | io.BufferedIOBase

# Given a large file, open at its beginning, returns its sha256. May raise OSError, and MkindexError to end the scan.
Hasher = Callable[[Artifact, io.FileIO], str]


class Facts(NamedTuple):
    """What there is to know of a file, as text, "" for nothing: fields of File, in their order there."""

    project: str
    version: str
    sha256: str = ""
    normal_filename: str = ""
    requires_python: str = ""
    core_metadata: str = ""
    metadata_span: str = ""
    upload_time: str = ""
    warning: str = ""
    metadata_name: str = ""


class Outcome(NamedTuple):
    """What came of an artifact: the fingerprint it had all the while, None if it had none, and facts or the reason."""

    fingerprint: Fingerprint | None
    result: Facts | str


def scan(
    artifacts: Sequence[Artifact],
    *,
    cache: Cache,
    executor: Executor,
    progress: Callable[[int], object],
    processes: int = 1,
    hasher: Hasher | None = None,
) -> list[File | Rejected]:
    """Return the File or the rejection of each artifact, in their order; `progress` is told the bytes dealt with.

    Small files are examined by several processes, if there are many, and then large ones by the executor: while they
    are hashed, threads run side by side.
    """
    started_ns = time.time_ns()
    results: list[File | Rejected | None] = []
    for artifact, text in zip(artifacts, cache.get(artifacts), strict=True):
        results.append(None if text is None else listed(artifact, load(text)))
        if text is not None:
            progress(artifact.fingerprint.size)

    def settle(number: int, outcome: Outcome) -> None:
        artifact, (fingerprint, found) = artifacts[number], outcome
        progress(artifact.fingerprint.size)
        if fingerprint is not None:
            artifact = artifact._replace(fingerprint=fingerprint)
            cache.put(artifact.path, fingerprint, dump(found), read_ns=started_ns)
        results[number] = listed(artifact, found)

    unknown = [number for number, result in enumerate(results) if result is None]
    small = [number for number in unknown if artifacts[number].fingerprint.size <= CHUNK]
    outcomes = split(_examine_each, [artifacts[number] for number in small], processes=processes)
    for number, outcome in zip(small, outcomes, strict=True):
        settle(number, outcome)
    large = [number for number in unknown if artifacts[number].fingerprint.size > CHUNK]
    outcomes_of_large = executor.map(partial(examine, hasher=hasher), [artifacts[number] for number in large])
    for number, outcome in zip(large, outcomes_of_large, strict=True):
        settle(number, outcome)
    return [result for result in results if result is not None]


def recall(artifact: Artifact, *, cache: Cache) -> File | None:
    """Return what the file in the place of this artifact was last known to be, if the cache still has it."""
    last = cache.last(artifact.path)
    result = listed(artifact._replace(fingerprint=last[0]), load(last[1])) if last else None
    return result if isinstance(result, File) else None


def listed(artifact: Artifact | Link, found: Facts | str) -> File | Rejected:
    """Return the File of an artifact, or its rejection: what is in it, and what is said of it where it was found."""
    if isinstance(found, str):
        return Rejected(location=artifact.location, reason=found)
    (
        project,
        version,
        sha256,
        normal_filename,
        requires_python,
        core_metadata,
        span,
        upload_time,
        warning,
        metadata_name,
    ) = found
    link = artifact if isinstance(artifact, Link) else artifact.link
    if link and link.sha256 not in ("", sha256):
        return Rejected(
            location=artifact.location,
            reason=f"its sha256 is {sha256}, and the page says {link.sha256}: somebody changed it. Mend the page",
        )
    # The time of a copy of something says nothing.
    said = link.upload_time if link else ""
    upload_time = said or ("" if link and link.is_elsewhere else upload_time)
    # Thousands of files share these: in memory each of them once.
    return File(
        artifact,
        artifact.filename,
        NormalizedName(intern(project)),
        intern(version),
        sha256,
        normal_filename or None,
        intern(requires_python) or None,
        core_metadata or None,
        span or None,
        intern(upload_time) or None,
        warning or None,
        metadata_name or None,
        link.yanked if link else None,
        (link.provenance or None) if link else None,
    )


# What is remembered of a file is one line; none of the fields has a tab in it.
def dump(found: Facts | str) -> str:
    """Write facts, or the reason for a rejection, in one line."""
    return f"!{found}" if isinstance(found, str) else "\t".join(found)


def load(text: str) -> Facts | str:
    """Read back what `dump()` wrote."""
    return text[1:] if text.startswith("!") else Facts._make(text.split("\t"))


def _examine_each(artifacts: Sequence[Artifact]) -> list[Outcome]:
    return [examine(artifact) for artifact in artifacts]


def examine(artifact: Artifact, hasher: Hasher | None = None) -> Outcome:
    """Read one artifact, once. What is wrong with the file becomes the outcome; nothing is raised for it."""
    try:
        # Not blocking: what was a file when it was listed may be a pipe by now.
        descriptor = os.open(artifact.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        return Outcome(None, f"cannot be read: {error.strerror}")
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            return Outcome(None, "not a regular file: copy the file itself in")
        fingerprint = Fingerprint.of(before)
        # As it is by now: since it was listed it may have got longer, and what is copied must be all that is hashed.
        result = _facts(artifact._replace(fingerprint=fingerprint), descriptor, hasher)
        if Fingerprint.of(os.fstat(descriptor)) != fingerprint:
            return Outcome(None, "changed while it was read: it is taken when it is whole, by the next run")
        return Outcome(fingerprint, result)
    except OSError as error:
        return Outcome(None, f"cannot be read: {error.strerror}")
    finally:
        os.close(descriptor)


def _facts(artifact: Artifact, descriptor: int, hasher: Hasher | None) -> Facts | str:
    """Return what there is to know of an open file, or what is wrong. Raises OSError, and what `hasher` raises."""
    size = artifact.size
    whole = os.read(descriptor, size) if size <= CHUNK else None
    stream = io.FileIO(descriptor, closefd=False) if whole is None else io.BytesIO(whole)
    # Name and metadata first: a file that is rejected need not be hashed, nor copied.
    try:
        facts = describe(artifact.filename, stream, size)
    except Unreadable as error:
        return str(error)
    except OSError:
        raise
    except Exception as error:  # one file never stops the others, whatever a parser makes of it
        return f"cannot be understood ({printable(repr(error))}): build it again"
    stream.seek(0)
    if hasher and isinstance(stream, io.FileIO):
        sha256 = hasher(artifact, stream)
    else:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return facts._replace(sha256=sha256, upload_time=wire_time(artifact.fingerprint.mtime_ns // 1_000_000_000))


def describe(filename: str, stream: _Stream, size: int) -> Facts:
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
    metadata = archive.parse_metadata(raw)
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


def _refuse_other_kind(stream: _Stream, magic: bytes, kind: str) -> None:
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


# --- wheels ---------------------------------------------------------------------------------------------------------


def _wheel(filename: str, stream: _Stream, size: int) -> Facts:
    project, version = _parse_wheel(filename)
    _refuse_other_kind(stream, b"PK", "wheel")
    directory, raw, span = archive.wheel_metadata(archive.reader(stream), size)
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


# --- sdists ---------------------------------------------------------------------------------------------------------


def _sdist(filename: str, stream: _Stream, size: int) -> Facts:
    if filename.endswith(".zip"):
        ending, pkg_info = ".zip", None
        _refuse_other_kind(stream, b"PK", "zip archive")
        pkg_info = archive.zip_pkg_info(archive.reader(stream), size)
    else:
        ending = ".tar.gz"
        _refuse_other_kind(stream, b"\x1f\x8b", "gzip archive")
        stream.seek(0)
        from mkindex.distributions.tarballs import tar_pkg_info

        pkg_info = tar_pkg_info(stream, size)
    metadata = archive.parse_metadata(pkg_info) if pkg_info is not None else None
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


# --- both -----------------------------------------------------------------------------------------------------------


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
