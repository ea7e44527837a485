"""Which package of a lock a file belongs to, by its name."""

from packaging.version import InvalidVersion, Version

from mkindex.distributions.filenames import parse_filename, sdist_version
from mkindex.sources.locks.lock import LockedPackage


def belongs_to(filename: str, package: LockedPackage) -> bool:
    """Tell whether a filename is one of a package in its version."""
    try:
        if filename.endswith(".whl"):
            name, version, _ = parse_filename(filename)
        else:
            name, version = package.name, sdist_version(filename, package.name) or ""
        return name == package.name and (not package.version or Version(version) == Version(package.version))
    except (InvalidVersion, ValueError):
        return False
