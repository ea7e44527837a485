"""pylock.toml, the standard format: packages that are installed if their marker is true."""

import os
from pathlib import Path
from typing import Any

from packaging.pylock import Package, PackageArchive, PackageSdist, PackageWheel, Pylock, PylockValidationError

from mkindex.errors import Rejected
from mkindex.model.files import Link
from mkindex.sources.locks.fields import (
    BadLock,
    Table,
    from_path,
    from_repository,
    index_of,
    locked_link,
    project_name,
)
from mkindex.sources.locks.lock import Dependency, Lock, LockedPackage
from mkindex.text import printable

_Entry = PackageWheel | PackageSdist | PackageArchive


def read_pylock(document: Table, lock: str, text: str) -> Lock:
    """Return a pylock.toml at a path. Raises BadLock."""
    try:
        pylock = Pylock.from_dict(document)
    except PylockValidationError as error:
        raise BadLock(printable(str(error))[:300]) from error
    # A marker as it was written, since that of `packaging` is another text.
    markers = [str(one.get("marker", "")) for one in document["packages"]]
    packages = tuple(_package(one, number, lock) for number, one in enumerate(pylock.packages))
    roots = tuple(
        Dependency(package.name, package.version, package.origin, marker)
        for package, marker in zip(packages, markers, strict=True)
    )
    return Lock(
        name=os.path.basename(lock),
        kind="pylock",
        text=text,
        packages=packages,
        roots=roots,
        extras=tuple(pylock.extras or ()),
        groups=(*(pylock.dependency_groups or ()), *(pylock.default_groups or ())),
        requires_python=str(pylock.requires_python or ""),
    )


def _package(package: Package, number: int, lock: str) -> LockedPackage:
    files: list[Link] = []
    rejected: list[Rejected] = []
    name, version = project_name(package.name), str(package.version or "")
    entries: list[_Entry] = [one for one in (package.archive, package.sdist, *(package.wheels or ())) if one]
    for entry in entries:
        try:
            files.append(_link(entry, os.path.dirname(lock)))
        except ValueError as error:
            location = f"{printable(os.path.basename(lock))}, {name} {version}"
            rejected.append(Rejected(location=location, reason=str(error)))
    return LockedPackage(
        name,
        version,
        str(number),
        tuple(files),
        index_of(package.index or ""),
        problem=_problem(package),
        rejected=tuple(rejected),
    )


def _problem(package: Package) -> str:
    if package.vcs:
        return from_repository(package.vcs.url or package.vcs.path or "")
    if package.directory:
        return from_path(package.directory.path)
    return ""


def _link(entry: _Entry, directory: str) -> Link:
    address = entry.url or ""
    if not address and entry.path:
        address = Path(os.path.abspath(os.path.join(directory, entry.path))).as_uri()
    time: Any = entry.upload_time
    return locked_link(
        address,
        "" if isinstance(entry, PackageArchive) else entry.name or "",
        hashes=entry.hashes,
        size=entry.size,
        upload_time=time.strftime("%Y-%m-%dT%H:%M:%SZ") if time else None,
    )
