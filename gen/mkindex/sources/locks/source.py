"""A lock file as a source: the files that it names, or those of them that clients install in some environments."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import NamedTuple

from mkindex.errors import Note, Rejected, SourceError
from mkindex.model.files import Link
from mkindex.sources.locks.belongs import belongs_to
from mkindex.sources.locks.choice import Choice, Target
from mkindex.sources.locks.choose import choose_files, choose_packages, refuse_other_python, refuse_unknown_names
from mkindex.sources.locks.fields import BadLock
from mkindex.sources.locks.installers import find_installers
from mkindex.sources.locks.lock import Lock, LockedPackage
from mkindex.sources.locks.lookup import CompletedPackage, Lookup
from mkindex.sources.locks.read import read_lock
from mkindex.sources.locks.summary import summarize
from mkindex.sources.pages import find_local
from mkindex.sources.selection import Selection
from mkindex.sources.source import SourceItem
from mkindex.text import and_more, printable
from mkindex.web.client import WebClient

_ADDRESS = (
    "has an address of its own in pyproject.toml: with the lock in the tree, uv installs it only from a server and "
    "with --frozen. Take it from an index, and lock again"
)


@dataclass(frozen=True, kw_only=True)
class LockSource:
    """The files of a lock file. No requirement is resolved."""

    path: str  # absolute
    web: WebClient
    executor: Executor  # requests pages
    selection: Selection
    choice: Choice
    indexes: tuple[str, ...]  # where packages are looked up for which the lock names no index

    def artifacts(self) -> Iterator[SourceItem]:
        """Yield the lock, then its files in their order. Raises SourceError if the lock or an index cannot be read."""
        lock = read_lock(self.path)
        self._refuse_unknown(lock)
        try:
            needed = self._needed(lock)
        except BadLock as error:
            raise SourceError(f"{printable(self.path)}: {error}") from error
        selected = [
            one for one in lock.packages if one.identity in needed and self.selection.may_include_project(one.name)
        ]
        lookup = Lookup(lock.name, self.web, self.executor, self.indexes)
        found = lookup.complete(selected)
        chosen = [(one, self._choose_files(one.package, needed[one.package.identity])) for one in found]
        links = list(dict.fromkeys(link for _, files in chosen for link in files.taken))
        yield replace(lock, summary=summarize(lock, links, self.choice), for_builds=self.choice.for_builds)
        registry = next((package.registry for package in lock.packages if package.registry), "")
        yield from find_installers(self.choice.installers, registry, lookup, self.choice.targets)
        for one, files in chosen:
            place = f"{lock.name}, {one.package.label}"
            if lock.kind == "uv" and one.package.origin.startswith("url "):
                yield Note(location=place, text=_ADDRESS)
            yield from one.package.rejected
            if one.missing:
                yield self._missing(one, place, lookup)
            yield from (Rejected(location=place, reason=reason) for reason in files.problems)
            for link in files.taken:
                yield _item(link, one.package, place, lookup)

    def _missing(self, found: CompletedPackage, place: str, lookup: Lookup) -> Note | Rejected:
        """Return a message on files that an index lacks, and whose names the lock does not have."""
        text = f"{lookup.place(found.package)} {found.missing}"
        # They may not fit the chosen environments. If none of those that are there does, that is a problem of its own.
        is_partial = bool(self.choice.targets and found.package.files)
        return Note(location=place, text=text) if is_partial else Rejected(location=place, reason=text)

    def _refuse_unknown(self, lock: Lock) -> None:
        """Raise SourceError for an extra, a group or a Python that the lock is not for."""
        refuse_unknown_names(lock, self.path, self.choice)
        for target in self.choice.targets:
            refuse_other_python(lock, self.path, target.environment)

    def _needed(self, lock: Lock) -> dict[tuple[str, str, str], list[Target]]:
        """Return the packages to take, each with the environments that it is installed in. Raises BadLock."""
        needed: dict[tuple[str, str, str], list[Target]] = {}
        for package in lock.packages:
            if package.name in lock.projects and package.problem:
                needed[package.identity] = []
        if not self.choice.targets:
            is_limited = self.choice.extras is not None or self.choice.groups is not None
            chosen = [one.package for one in choose_packages(lock, self.choice, None)] if is_limited else lock.packages
            return needed | {one.identity: [] for one in chosen if one.name not in lock.projects}
        for target in self.choice.targets:
            for one in choose_packages(lock, self.choice, target.environment):
                needed.setdefault(one.package.identity, []).append(target)
        return needed

    def _choose_files(self, package: LockedPackage, targets: Sequence[Target]) -> "_Files":
        """Return the files of a package to take, and why files are missing."""
        if package.problem:
            return _Files([], [f"{package.problem}. Or leave it out: --exclude {package.name}"])
        files = [one for one in package.files if self.selection.includes_file(one.filename)]
        if not targets:
            return _Files([one for one in files if self.choice.sdists or one.filename.endswith(".whl")], [])
        chosen: set[Link] = set()
        unfit: list[str] = []
        for target in targets:
            best = choose_files(files, target, sdists=self.choice.sdists)
            chosen.update(best)
            unfit += [] if best or not package.files else [target.name]
        hint = "" if self.choice.sdists else ", and --no-sdists leaves out sdists"
        problems = [f"no file fits {and_more(unfit)}{hint}"] if unfit else []
        return _Files([one for one in files if one in chosen], problems)


class _Files(NamedTuple):
    """The files of a package to take, and why others are missing."""

    taken: list[Link]
    problems: list[str]


def _item(link: Link, package: LockedPackage, place: str, lookup: Lookup) -> SourceItem:
    """Return a file to take, or why it is not one."""
    if not link.url:
        reason = f"{lookup.place(package)} has no {printable(link.filename)} with the sha256 of the lock"
    elif belongs_to(link.filename, package):
        return link if link.is_elsewhere else find_local(link, link.url)
    else:
        reason = f"{printable(link.filename)} is not a file of this package: the lock is wrong. Lock again"
    return Rejected(location=place, reason=reason)
