"""poetry.lock and pdm.lock: packages with groups and markers, and files by name and hash."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mkindex.errors import Rejected
from mkindex.sources.locks.fields import (
    BadLock,
    Table,
    from_path,
    from_repository,
    hash_of,
    index_of,
    locked_link,
    marker_of,
    name_of,
    table_of,
    tables_of,
    text_of,
    texts_of,
    version_of,
)
from mkindex.sources.locks.lock import Dependency, Lock, LockedPackage
from mkindex.text import printable

if TYPE_CHECKING:
    from mkindex.model.files import Link

_NO_GROUP = ("main", "default")  # what is always installed
_ELSEWHERE = ("git", "directory", "file", "hg", "svn", "bzr")  # sources of packages that are no files of an index


def read_poetry(document: Table, lock: str, text: str) -> Lock:
    """Return a poetry.lock at a path. Raises BadLock."""
    metadata = table_of(document, "metadata")
    version = text_of(metadata, "lock-version")
    if version and version.partition(".")[0] not in ("1", "2"):
        raise BadLock(f"`lock-version` is {printable(version)}, and mkindex reads 1 and 2")
    tables = tables_of(document, "package")
    packages = [_package(one, number, lock, table_of(one, "source")) for number, one in enumerate(tables)]
    roots = []
    for table, package in zip(tables, packages, strict=True):
        groups = texts_of(table, "groups") or ["main"]
        for group in groups:
            root = Dependency(package.name, package.version, package.origin, _poetry_marker(table, group))
            roots.append(root if group in _NO_GROUP else root._replace(group=group))
    return Lock(
        name=os.path.basename(lock),
        kind="poetry",
        text=text,
        packages=tuple(packages),
        roots=tuple(roots),
        extras=tuple(table_of(document, "extras")),
        groups=_names(one.group for one in roots),
        requires_python=_python(text_of(metadata, "python-versions")),
    )


def _poetry_marker(table: Table, group: str) -> str:
    """Return the marker of a package: for all groups, or for this one."""
    markers = table.get("markers", "")
    return marker_of(markers, group) if isinstance(markers, dict) else marker_of(table, "markers")


def _python(versions: str) -> str:
    """Return Poetry's own constraint of versions as a specifier of PEP 440; "" if it is none."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return str(SpecifierSet("" if versions == "*" else versions))
    except InvalidSpecifier:  # such as ^3.9
        return ""


def read_pdm(document: Table, lock: str, text: str) -> Lock:
    """Return a pdm.lock at a path. Raises BadLock."""
    tables = tables_of(document, "package")
    packages: dict[tuple[str, str], LockedPackage] = {}
    roots = []
    for number, table in enumerate(tables):
        package = _package(table, number, lock, table)
        package = packages.setdefault((package.name, package.version), package)  # it is there again for each extra
        for group in texts_of(table, "groups") or ["default"]:
            root = Dependency(package.name, package.version, package.origin, marker_of(table))
            # The lock does not say whether a group is an extra.
            roots.append(root if group in _NO_GROUP else root._replace(extra=group, group=group))
    names = _names(one.group for one in roots)
    return Lock(
        name=os.path.basename(lock),
        kind="pdm",
        text=text,
        packages=tuple(packages.values()),
        roots=tuple(roots),
        extras=names,
        groups=names,
    )


def _names(groups: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, groups)))


def _package(table: Table, number: int, lock: str, source: Table) -> LockedPackage:
    name, version = name_of(table), version_of(table)
    files: list[Link] = []
    rejected: list[Rejected] = []
    if problem := _problem(source):
        return LockedPackage(name, version, str(number), problem=problem)
    is_url = source.get("type") == "url"
    for entry in tables_of(table, "files"):
        try:
            address = text_of(entry, "url") or (text_of(source, "url") if is_url else "")
            files.append(locked_link(address, text_of(entry, "file"), hashes=hash_of(text_of(entry, "hash"))))
        except ValueError as error:
            location = f"{printable(os.path.basename(lock))}, {name} {printable(version)}"
            rejected.append(Rejected(location=location, reason=str(error)))
    index = index_of(text_of(source, "url")) if source.get("type") == "legacy" else ""
    return LockedPackage(name, version, str(number), tuple(files), index, rejected=tuple(rejected))


def _problem(source: Table) -> str:
    """Return why a package cannot be mirrored: Poetry has a table for its source, PDM has keys in the package."""
    kind = text_of(source, "type")
    if kind == "git" or "git" in source:
        return from_repository(text_of(source, "url") or text_of(source, "git"))
    if kind in _ELSEWHERE or "path" in source:
        return from_path(text_of(source, "url") or text_of(source, "path"))
    return ""
