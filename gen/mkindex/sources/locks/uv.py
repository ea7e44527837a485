"""uv.lock: a graph of packages, from the projects of a workspace."""

import os
from collections.abc import Iterator
from pathlib import Path
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
    project_name,
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

_LOCAL = ("virtual", "editable", "directory")  # sources that are directories
_VERSION = 1  # of the format


def read_uv(document: Table, lock: str, text: str) -> Lock:
    """Return a uv.lock at a path. Raises BadLock."""
    if document.get("version") != _VERSION:
        raise BadLock(f"`version` is {repr(document.get('version'))[:80]}, and mkindex reads {_VERSION}")
    manifest = table_of(document, "manifest")
    packages = tables_of(document, "package")
    members = [project_name(name) for name in texts_of(manifest, "members")]
    members = members or [name_of(one) for one in packages if "." in _directories(one)]
    roots = [Dependency(name) for name in members]
    roots += [_requirement(one) for one in tables_of(manifest, "requirements")]
    groups = table_of(manifest, "dependency-groups")
    roots += [_requirement(one, group) for group in groups for one in tables_of(groups, group)]
    locked = tuple(_package(one, lock) for one in packages)
    conditions = (*roots, *(one for package in locked if package.name in members for one in package.dependencies))
    return Lock(
        name=os.path.basename(lock),
        kind="uv",
        text=text,
        packages=locked,
        roots=tuple(roots),
        extras=tuple(dict.fromkeys(one.extra for one in conditions if one.extra)),
        groups=tuple(dict.fromkeys(one.group for one in conditions if one.group)),
        projects=tuple(members),
        requires_python=text_of(document, "requires-python"),
    )


def _requirement(table: Table, group: str = "") -> Dependency:
    """Return a requirement of a script or of a workspace without a project."""
    extras = tuple(texts_of(table, "extras"))
    return Dependency(name_of(table), marker=marker_of(table), extras=extras, group=group)


def _directories(package: Table) -> list[str]:
    source = table_of(package, "source")
    return [text_of(source, kind) for kind in _LOCAL if kind in source]


def _package(table: Table, lock: str) -> LockedPackage:
    source = table_of(table, "source")
    name, version = name_of(table), version_of(table)
    files: list[Link] = []
    rejected: list[Rejected] = []
    problem = _problem(source)
    for entry, address in () if problem or _directories(table) else _entries(table, source, os.path.dirname(lock)):
        try:
            hashes = hash_of(text_of(entry, "hash"))
            link = locked_link(address, hashes=hashes, size=entry.get("size"), upload_time=entry.get("upload-time"))
        except ValueError as error:
            location = f"{printable(os.path.basename(lock))}, {name} {printable(version)}"
            rejected.append(Rejected(location=location, reason=str(error)))
        else:
            files.append(link)
    return LockedPackage(
        name,
        version,
        _origin(source),
        tuple(files),
        index_of(text_of(source, "registry")),
        tuple(_dependencies(table)),
        problem,
        tuple(rejected),
    )


def _origin(source: Table) -> str:
    return " ".join(f"{key} {value}" for key, value in sorted(source.items()))


def _problem(source: Table) -> str:
    """Return why packages of a source cannot be mirrored, "" if they can."""
    if "git" in source:
        return from_repository(text_of(source, "git"))
    local = next((text_of(source, kind) for kind in ("path", *_LOCAL) if kind in source), ".")
    if local != ".":
        return from_path(local)
    return ""


def _entries(table: Table, source: Table, directory: str) -> Iterator[tuple[Table, str]]:
    """Yield the entry of each file of a package, with its address."""
    entries = [table_of(table, "sdist")] if "sdist" in table else []
    registry = text_of(source, "registry")
    for entry in (*entries, *tables_of(table, "wheels")):
        if path := text_of(entry, "path"):
            yield entry, Path(os.path.abspath(os.path.join(directory, registry, path))).as_uri()
        else:
            yield entry, text_of(entry, "url") or text_of(source, "url")


def _dependencies(table: Table) -> Iterator[Dependency]:
    yield from map(_dependency, tables_of(table, "dependencies"))
    optional = table_of(table, "optional-dependencies")
    for extra in optional:
        yield from (_dependency(one)._replace(extra=extra) for one in tables_of(optional, extra))
    groups = table_of(table, "dev-dependencies")
    for group in groups:
        yield from (_dependency(one)._replace(group=group) for one in tables_of(groups, group))


def _dependency(table: Table) -> Dependency:
    return Dependency(
        name_of(table),
        text_of(table, "version"),
        _origin(table_of(table, "source")),
        marker_of(table),
        tuple(texts_of(table, "extra")),
    )
