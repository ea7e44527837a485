"""Look up in an index the files of packages for which a lock has hashes and no addresses."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import NamedTuple

from mkindex.distributions.filenames import SUFFIXES
from mkindex.errors import Rejected, SourceError
from mkindex.model.files import Link
from mkindex.simple.links import project_url
from mkindex.sources.fetch import PageMissing, fetch_page, read_page
from mkindex.sources.locks.belongs import belongs_to
from mkindex.sources.locks.lock import LockedPackage
from mkindex.text import and_more, printable, redact
from mkindex.web.client import WebClient


class Found(NamedTuple):
    """Packages whose files have addresses now, and those that no index has."""

    packages: list[LockedPackage]
    rejected: list[Rejected]


@dataclass(frozen=True, slots=True)
class Lookup:
    """Asks the index that a lock names for a package, else those that the user named."""

    lock: str  # the name of the file
    web: WebClient
    executor: Executor
    indexes: tuple[str, ...]

    def complete(self, packages: Sequence[LockedPackage]) -> Found:
        """Return packages with the addresses of their files. Raises SourceError without an index, or if it fails."""
        unknown = [one for one in packages if not one.problem and _is_incomplete(one)]
        if nowhere := [one.label for one in unknown if not self.indexes_of(one)]:
            raise SourceError(
                f"{self.lock} has no addresses for {and_more(nowhere, 3)}, and names no index. "
                "Give the address of the index that it was made with: --index URL"
            )
        links = dict(zip((one.identity for one in unknown), self.executor.map(self.links, unknown), strict=True))
        found = Found([], [])
        for package in packages:
            if package.identity not in links:
                found.packages.append(package)
                continue
            files, missing = _matched(package, links[package.identity])
            found.packages.append(package._replace(files=tuple(files)))
            where = " and ".join(map(redact, self.indexes_of(package)))
            for name in missing:
                what = (
                    f"{name} with the sha256 of the lock" if name else "none of the files whose hashes are in the lock"
                )
                found.rejected.append(
                    Rejected(
                        location=package.label,
                        reason=f"{where} has no {what}" if name else f"{where} has {what}",
                    )
                )
        return found

    def indexes_of(self, package: LockedPackage) -> tuple[str, ...]:
        """Return the indexes that have a package: those that its lock names, else those that the user named."""
        return tuple(package.registry.split()) or self.indexes

    def links(self, package: LockedPackage) -> list[Link]:
        """Return the files on the pages of a project, in the order of the indexes."""
        links: list[Link] = []
        for index in self.indexes_of(package):
            self.web.allow_local_host(index)  # the user named it, or a lock on this machine did
            try:
                response = fetch_page(project_url(index, package.name), self.web)
            except PageMissing:
                continue
            links += read_page(response).links
        return links


def _is_incomplete(package: LockedPackage) -> bool:
    return not package.files or any(not one.url for one in package.files)


def _matched(package: LockedPackage, links: Sequence[Link]) -> tuple[list[Link], list[str]]:
    """Return the files of a package with what their page says of them, and the names of those that it does not list.

    A lock without any hash takes all files of the version. The name "" stands for files whose names are not known.
    """
    if not package.files:
        of_version = [one for one in links if one.filename.endswith(SUFFIXES) and belongs_to(one.filename, package)]
        return of_version, [] if of_version else [printable(package.label)]
    by_hash: dict[str, Link] = {}
    by_name: dict[str, Link] = {}
    for link in links:
        if digest := link.sha256 or link.other_hash:
            by_hash.setdefault(digest, link)
        by_name.setdefault(link.filename, link)
    files: list[Link] = []
    missing: list[str] = []
    for file in package.files:
        same, named = by_hash.get(file.sha256 or file.other_hash), by_name.get(file.filename)
        if file.url:
            files.append(file)
        elif same:
            files.append(same)
        elif (
            named and not named.sha256
        ):  # the page has no hash to compare; what is downloaded has to have that of the lock
            files.append(named._replace(sha256=file.sha256, other_hash=file.other_hash))
        elif file.filename:
            missing.append(printable(file.filename))
    if not files and not missing:
        missing.append("")
    return files, missing
