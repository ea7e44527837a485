"""`--requirements FILE`: what people want to install, from files in the format of pip (requirements.txt)."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from mkindex.closure.lookup import NO_LIMIT, Limit, Root
from mkindex.environments import Environment
from mkindex.errors import ConfigError
from mkindex.model.files import Link
from mkindex.simple.links import pick_hash
from mkindex.sources.locks.choice import EVERY_FILE, Choice, Target
from mkindex.sources.locks.choose import choose_files, choose_packages, refuse_other_python, refuse_unknown_names
from mkindex.sources.locks.fields import hash_of
from mkindex.sources.locks.lock import Lock, LockedPackage
from mkindex.sources.locks.read import decode, is_document, read_lock
from mkindex.sources.locks.requirements import is_project, logical_lines, without_options
from mkindex.text import printable

_MAX_SIZE = 16 << 20  # bytes of a file
_OPTION = re.compile(r"(--[a-z-]+(?=[\s=])|-[a-z])\s*=?\s*(.+)")
_FILE_OPTIONS = {"-r": "-r", "--requirement": "-r", "-c": "-c", "--constraint": "-c", "-e": "-e", "--editable": "-e"}
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|[./~]|.*[/\\]|.*\.(whl|zip|tar\.gz)$")


class LockedFile(NamedTuple):
    """A file that clients choose by a lock, whatever else an index has."""

    place: str  # the name of the lock
    project: str
    requirement: str
    filename: str
    digest: str  # sha256, or of another algorithm as "md5=…"; "": the lock has none


class Roots(NamedTuple):
    """The requirements of files, their constraints, and lock files."""

    requirements: tuple[Root, ...]
    constraints: tuple[Root, ...] = ()
    locks: tuple[Lock, ...] = ()
    choice: Choice = EVERY_FILE  # of extras and groups

    def in_environment(self, environment: Environment) -> tuple[list[Root], dict[str, Limit]]:
        """Return what has to be installable in an environment, and the limits of projects by normalized names.

        What locks have for the environment counts only in their version, and with their hashes. Raises SourceError if a
        lock is for another Python.
        """
        roots, limits = list(self.requirements), dict[str, Limit]()
        for limiting in (*self.constraints, *(one for one in self.requirements if one.digests is not None)):
            requirement = Requirement(limiting.requirement)
            if environment.applies(requirement.marker):
                project = canonicalize_name(requirement.name)
                limits[project] = limits.get(project, NO_LIMIT) & Limit(requirement.specifier, limiting.digests)
        for lock in self.locks:
            refuse_other_python(lock, lock.name, environment)
            chosen = [one for one in choose_packages(lock, self.choice, environment) if _is_pinned(one.package)]
            roots += (Root(one.requirement, lock.name) for one in chosen)
            packages: dict[str, list[LockedPackage]] = {}
            for package, _ in chosen:
                packages.setdefault(package.name, []).append(package)
            for name, versions in packages.items():
                limits[name] = limits.get(name, NO_LIMIT) & _limit_of(versions)
        return roots, limits

    def files_in(self, environment: Environment) -> Iterator[LockedFile]:
        """Yield the files that clients choose in an environment from locks that name their files."""
        target = Target("", "", "", environment)
        for lock in self.locks:
            for chosen in choose_packages(lock, self.choice, environment):
                package = chosen.package
                if all(file.filename for file in package.files):
                    for file in choose_files(package.files, target, sdists=True):
                        digest = _digest(file)
                        yield LockedFile(lock.name, package.name, chosen.requirement, file.filename, digest)


def _is_pinned(package: LockedPackage) -> bool:
    return bool(package.version) and not package.problem


def _limit_of(packages: Sequence[LockedPackage]) -> Limit:
    """Return what clients take of a project of a lock; extras that exclude each other have several versions of it."""
    digests = [_digest(file) for package in packages for file in package.files]
    has_all = all(package.files for package in packages) and all(digests)
    versions = SpecifierSet(f"=={packages[0].version}") if len(packages) == 1 else SpecifierSet()
    return Limit(versions, frozenset(digests) if has_all else None)


def _digest(file: Link) -> str:
    return file.sha256 or file.other_hash


class _Line(NamedTuple):
    text: str  # without comment and options
    place: str
    is_constraint: bool
    hashes: tuple[str, ...] = ()  # as "sha256:…"


def read_roots(paths: Iterable[str], choice: Choice = EVERY_FILE) -> Roots:
    """Read requirements, with all files that they include, and lock files. Raises ConfigError, SourceError."""
    roots: list[Root] = []
    constraints: list[Root] = []
    paths = list(paths)
    locks = [path for path in paths if _is_lock(path)]
    for line in _lines([(path, False) for path in paths if path not in locks]):
        root = Root(line.text, line.place, _digests(line))
        try:
            Requirement(line.text)
        except (InvalidRequirement, RecursionError) as error:
            if not _ADDRESS.match(line.text):
                raise ConfigError(
                    f"--requirements {line.place}: {printable(line.text)[:100]} is not a requirement. Give a file as "
                    "for pip install -r, with lines such as demo>=1.0"
                ) from error
            roots += [] if line.is_constraint else [root._replace(digests=None)]
            continue
        (constraints if line.is_constraint else roots).append(root)
    return Roots(tuple(roots), tuple(constraints), tuple(_read_lock(path, choice) for path in locks), choice)


def _digests(line: _Line) -> frozenset[str] | None:
    """Return the hashes of a line, without malformed ones, which no file has; None if it has no `--hash`."""
    digests = (sha256 or other for sha256, other in (pick_hash(hash_of(one)) for one in line.hashes))
    return frozenset(filter(None, digests)) if line.hashes else None


def _read_lock(path: str, choice: Choice) -> Lock:
    lock = read_lock(path)
    refuse_unknown_names(lock, path, choice)
    return lock


def _is_lock(path: str) -> bool:
    """Tell whether a file is a lock file in TOML or JSON; a requirements.txt with hashes is read as one without."""
    try:
        with open(path, "rb") as file:
            return is_document(file.read(1 << 16), os.path.basename(path))
    except OSError:
        return False  # reading it as requirements reports it


def _lines(files: list[tuple[str, bool]]) -> Iterator[_Line]:
    """Yield the requirements in files and in those that they include, each file once."""
    seen = set[tuple[str, bool]]()
    while files:
        path, is_constraint = files.pop(0)
        if (key := (os.path.realpath(path), is_constraint)) in seen:
            continue
        seen.add(key)
        for number, line in logical_lines(_text_of(path)):
            place = f"{printable(path)}, line {number}"
            option = _OPTION.match(line) if line.startswith("-") else None
            kind = _FILE_OPTIONS.get(option[1], "") if option else ""
            if option and kind in ("-r", "-c"):
                included = os.path.join(os.path.dirname(path), option[2].strip())
                files.append((included, is_constraint or kind == "-c"))
            elif option and kind == "-e":
                if not is_project(option[2].strip()):
                    yield _Line(option[2].strip(), place, is_constraint)
            elif not line.startswith("-"):
                text, hashes = without_options(line)
                yield _Line(text, place, is_constraint, tuple(hashes))


def _text_of(path: str) -> str:
    try:
        with open(path, "rb") as file:
            raw = file.read(_MAX_SIZE + 1)
        if len(raw) <= _MAX_SIZE:
            return decode(raw)
    except OSError as error:
        raise ConfigError(f"--requirements {printable(path)}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"--requirements {printable(path)}: not UTF-8. Give a requirements.txt in UTF-8") from error
    raise ConfigError(f"--requirements {printable(path)}: more than {_MAX_SIZE >> 20} MiB, the limit of mkindex")
