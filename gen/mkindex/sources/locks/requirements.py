"""requirements.txt: pinned requirements, with or without hashes, and the indexes that it names."""

import os
import re

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from mkindex.sources.locks.fields import (
    REPOSITORY,
    BadLock,
    from_path,
    from_repository,
    hash_of,
    index_of,
    links_of_hashes,
    locked_link,
    project_version,
    without_credentials,
)
from mkindex.sources.locks.lock import Dependency, Lock, LockedPackage
from mkindex.text import plural, printable, redact

LOCK_FIRST = "lock it first: uv lock / pip lock / pip-compile --generate-hashes"
_COMMENT = re.compile(r"(^|(?<!\s)\s++)#.*$")
_OPTION = re.compile(r"(--[a-z-]+|-[a-z])(?:\s*=\s*|\s+|$)(.*)")
_HASH = re.compile(r"\s--hash(?:=|\s+)(\S+)")
_INDEX_OPTIONS = ("-i", "--index-url", "--pypi-url", "--extra-index-url")
_OTHER_FILES = ("-r", "--requirement", "-c", "--constraint")
_LOCAL = ("-e", "--editable")
_PATH = re.compile(r"file:|[./~][^\s=]*")
_EGG = re.compile(r"[#&]egg=([\w.-]+)", re.ASCII)
_SHOWN = 3


def read_requirements(text: str, lock: str) -> Lock:
    """Return a requirements.txt at a path. Raises BadLock if a requirement is neither pinned nor has hashes."""
    packages: list[LockedPackage] = []
    roots: list[Dependency] = []
    indexes: list[str] = []
    loose: list[str] = []
    for number, line in logical_lines(text):
        place = f"line {number}"
        if option := _OPTION.fullmatch(line) if line.startswith("-") else None:
            name, value = option[1], option[2].strip().strip("\"'")
            if name in _OTHER_FILES:
                other, whole = redact(without_credentials(value)), printable(os.path.basename(lock))
                advice = f"uv pip compile {whole} --generate-hashes --output-file locked.txt"
                raise BadLock(f"{place}: {name} {other}: a lock has to be one file. Lock both together: {advice}")
            if name in _INDEX_OPTIONS and (index := index_of(value)):
                indexes.append(index)
            path = value if name in _LOCAL else ""
        else:
            path = without_options(line)[0] if REPOSITORY.match(line) or _PATH.match(line) else ""
        if path and not is_project(path):
            packages.append(_unnamed(path, place))
            roots.append(Dependency(packages[-1].name, origin=place))
        if path or option:
            continue
        requirement, hashes = _requirement(line, place)
        package = _package(requirement, hashes, place, os.path.basename(lock))
        if not (package.version or package.files or package.problem or package.rejected):
            loose.append(requirement.name)
        packages.append(package)
        roots.append(Dependency(package.name, package.version, place, str(requirement.marker or "")))
    if loose:
        names = ", ".join(loose[:_SHOWN]) + (", …" if len(loose) > _SHOWN else "")
        raise BadLock(f"{plural(len(loose), 'requirement')} without == and without hashes ({names}): {LOCK_FIRST}")
    index = " ".join(dict.fromkeys(indexes))
    return Lock(
        name=os.path.basename(lock),
        kind="requirements",
        text=text,
        packages=tuple(package._replace(registry=index) for package in packages),
        roots=tuple(roots),
    )


def _requirement(line: str, place: str) -> tuple[Requirement, list[str]]:
    text, hashes = without_options(line)
    try:
        return Requirement(text), hashes
    except (InvalidRequirement, RecursionError) as error:
        shown = printable(without_credentials(text))[:100]
        if re.match("https?:", text):
            raise BadLock(f"{place}: {shown} has no name. Write NAME @ {shown}") from error
        raise BadLock(f"{place}: {shown} is not a requirement such as demo==1.0") from error


def _package(requirement: Requirement, hashes: list[str], place: str, lock: str) -> LockedPackage:
    clauses = list(requirement.specifier)
    is_pinned = len(clauses) == 1 and clauses[0].operator in ("==", "===") and not clauses[0].version.endswith(".*")
    version = project_version(clauses[0].version) if is_pinned else ""
    name = canonicalize_name(requirement.name)
    if not requirement.url:
        files, rejected = links_of_hashes(hashes, f"{printable(lock)}, {name} {printable(version)}".rstrip())
        return LockedPackage(name, version, place, files, rejected=rejected)
    problem, files = "", ()
    if requirement.url.startswith(("http://", "https://")):
        address, _, fragment = requirement.url.partition("#")
        given = hashes or [fragment.replace("=", ":", 1)]
        try:
            files = (locked_link(address, hashes=hash_of(given[0])),)
        except ValueError as error:
            problem = str(error)
    else:
        problem = f"it is from {redact(requirement.url)}: publish a wheel of it in an index, and lock again"
    return LockedPackage(name, version, place, files, problem=problem)


def is_project(path: str) -> bool:
    """Tell whether a path means the locked project itself: `uv export` writes `-e .`."""
    return path.rstrip("/") == "."


def _unnamed(path: str, place: str) -> LockedPackage:
    """Return a package that is a repository or a path, with a name that it can be excluded by."""
    problem = from_repository(path) if "://" in path and not path.startswith("file:") else from_path(path)
    egg, last = _EGG.search(path), re.split("[@#?]", path.rstrip("/").rpartition("/")[2])[0]
    name = printable(egg[1] if egg else last.removesuffix(".git") or path)[:80]
    return LockedPackage(canonicalize_name(name), origin=place, problem=problem)


def without_options(line: str) -> tuple[str, list[str]]:
    """Return the requirement of a logical line, and the values of its `--hash` options."""
    return re.split(r"\s-", line, maxsplit=1)[0].strip(), _HASH.findall(line)


def logical_lines(text: str) -> list[tuple[int, str]]:
    """Return lines with their numbers, joined where they end in a backslash, without comments and empty lines."""
    lines: list[tuple[int, str]] = []
    start, parts = 0, list[str]()
    for number, line in enumerate((*text.splitlines(), ""), 1):
        start = start if parts else number
        is_comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not is_comment:
            parts.append(line.removesuffix("\\"))
            continue
        whole = _COMMENT.sub("", "".join([*parts, "" if is_comment else line])).strip()
        parts.clear()
        if whole:
            lines.append((start, whole))
    return lines
