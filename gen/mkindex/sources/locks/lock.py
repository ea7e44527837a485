"""Lock files as values: packages, their files, and what requires them."""

from dataclasses import dataclass
from typing import NamedTuple

from mkindex.errors import Rejected
from mkindex.model.files import Link

MAX_PACKAGES, MAX_FILES = 5_000, 200_000  # in one lock file


class Dependency(NamedTuple):
    """A package that a package, or the locked project itself, requires."""

    name: str  # normalized
    version: str = ""  # "": the lock has only one
    origin: str = ""  # as `LockedPackage.origin`; "": the lock has only one
    marker: str = ""
    extras: tuple[str, ...] = ()  # that are required of the package
    extra: str = ""  # required only if this extra is installed
    group: str = (
        ""  # required only if this group is installed; with the same `extra`: the lock does not say which it is
    )


class LockedPackage(NamedTuple):
    """One version of a project, with the files that the lock has for it."""

    name: str  # normalized
    version: str = ""  # "": the lock does not say
    origin: str = ""  # tells packages of the same name and version apart
    files: tuple[Link, ...] = ()  # `url` and `filename` are "" where the lock does not have them
    registry: str = ""  # addresses of indexes that it comes from, with spaces between; "": unknown
    dependencies: tuple[Dependency, ...] = ()
    problem: str = ""  # why it cannot be mirrored
    rejected: tuple[Rejected, ...] = ()  # entries of files that are not valid

    @property
    def identity(self) -> tuple[str, str, str]:
        """What tells it from the other packages of its lock."""
        return self.name, self.version, self.origin

    @property
    def label(self) -> str:
        """The package for messages."""
        return f"{self.name} {self.version}".rstrip()


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock:
    """A lock file. Everything in it is checked for its form, and nothing for whether it is true."""

    name: str  # of the file
    kind: str  # a key of the table of formats
    text: str
    packages: tuple[LockedPackage, ...]
    roots: tuple[Dependency, ...]  # what the locked project requires, under each condition
    extras: tuple[str, ...] = ()  # of the locked project
    groups: tuple[str, ...] = ()  # its dependency groups
    projects: tuple[str, ...] = ()  # the locked project, and other members of its workspace
    requires_python: str = ""
    for_builds: bool = False  # it is of what sdists need to be built
    summary: str = ""  # how much it names, and how much of that is chosen
