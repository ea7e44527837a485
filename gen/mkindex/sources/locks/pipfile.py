"""Pipfile.lock: pinned packages with hashes in categories, and the indexes that they come from."""

import os

from mkindex.sources.locks.fields import (
    Table,
    from_path,
    from_repository,
    index_of,
    links_of_hashes,
    marker_of,
    project_name,
    project_version,
    table_of,
    tables_of,
    text_of,
    texts_of,
)
from mkindex.sources.locks.lock import Dependency, Lock, LockedPackage
from mkindex.text import printable

_LOCAL = ("path", "file", "editable")


def read_pipfile(document: Table, lock: str, text: str) -> Lock:
    """Return a Pipfile.lock at a path. Raises BadLock."""
    meta = table_of(document, "_meta")
    sources = {text_of(one, "name"): index_of(text_of(one, "url")) for one in tables_of(meta, "sources")}
    first = next(iter(sources.values()), "")
    packages: list[LockedPackage] = []
    roots: list[Dependency] = []
    for category in (key for key in document if key != "_meta"):
        for name, entry in table_of(document, category).items():
            entry_of = table_of({name: entry}, name)
            index = sources.get(text_of(entry_of, "index"), first)
            package = _package(name, entry_of, index, f"{category} {len(packages)}", lock)
            packages.append(package)
            root = Dependency(package.name, package.version, package.origin, marker_of(entry_of, "markers"))
            roots.append(root if category == "default" else root._replace(group=category))
    requires = table_of(meta, "requires")
    version = text_of(requires, "python_full_version") or text_of(requires, "python_version")
    return Lock(
        name=os.path.basename(lock),
        kind="pipfile",
        text=text,
        packages=tuple(packages),
        roots=tuple(roots),
        groups=tuple(dict.fromkeys(one.group for one in roots if one.group)),
        requires_python=f"=={version}.*" if version.count(".") == 1 else "",
    )


def _package(name: str, entry: Table, index: str, origin: str, lock: str) -> LockedPackage:
    version = project_version(text_of(entry, "version").removeprefix("=="))
    problem = ""
    if "git" in entry:
        problem = from_repository(text_of(entry, "git"))
    elif any(key in entry for key in _LOCAL):
        problem = from_path(next((entry[key] for key in _LOCAL if isinstance(entry.get(key), str)), "."))
    hashes = [] if problem else texts_of(entry, "hashes")
    files, rejected = links_of_hashes(hashes, f"{printable(os.path.basename(lock))}, {printable(f'{name} {version}')}")
    return LockedPackage(project_name(name), version, origin, files, index, problem=problem, rejected=rejected)
