"""Look up in an index the files of packages for which a lock has hashes and no addresses."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import NamedTuple

from mkindex.distributions.filenames import SUFFIXES
from mkindex.errors import SourceError
from mkindex.model.files import Link
from mkindex.simple.links import project_url
from mkindex.sources.fetch import PageMissing, fetch_page, read_page
from mkindex.sources.locks.belongs import belongs_to
from mkindex.sources.locks.lock import LockedPackage
from mkindex.text import and_more, redact
from mkindex.web.client import WebClient


class CompletedPackage(NamedTuple):
    """A package whose files have addresses now, except those that no index has and whose names the lock has."""

    package: LockedPackage
    missing: str = ""  # which files of unknown names its indexes lack, such as "has none of the files …"


@dataclass(frozen=True, slots=True)
class Lookup:
    """Asks the index that a lock names for a package, else those that the user named."""

    lock: str  # the name of the file
    web: WebClient
    executor: Executor
    indexes: tuple[str, ...]

    def complete(self, packages: Sequence[LockedPackage]) -> list[CompletedPackage]:
        """Return packages with the addresses of their files. Raises SourceError without an index, or if it fails."""
        unknown = [one for one in packages if not one.problem and _is_incomplete(one)]
        if nowhere := [one.label for one in unknown if not self.indexes_of(one)]:
            raise SourceError(
                f"{self.lock} has no addresses for {and_more(nowhere, 3)}, and names no index. "
                "Give the address of the index that it was made with: --index URL"
            )
        links = dict(zip((one.identity for one in unknown), self.executor.map(self.links, unknown), strict=True))
        return [
            _complete(one, links[one.identity]) if one.identity in links else CompletedPackage(one) for one in packages
        ]

    def place(self, package: LockedPackage) -> str:
        """Return the indexes of a package for messages."""
        return " and ".join(map(redact, self.indexes_of(package)))

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
    has_files = bool(package.files or package.rejected)
    return not has_files or any(not one.url for one in package.files)


def _complete(package: LockedPackage, links: Sequence[Link]) -> CompletedPackage:
    """Return a package with what the page of its project says of its files.

    A lock without any hash takes all files of the version.
    """
    if not package.files:
        of_version = (one for one in links if one.filename.endswith(SUFFIXES) and belongs_to(one.filename, package))
        files = tuple(of_version)
        return CompletedPackage(package._replace(files=files), "" if files else "has no file of this version")
    by_hash: dict[str, Link] = {}
    by_name: dict[str, Link] = {}
    for link in links:
        if digest := link.sha256 or link.other_hash:
            by_hash.setdefault(digest, link)
        by_name.setdefault(link.filename, link)
    found = [file if file.url else _find(file, by_hash, by_name) for file in package.files]
    files = tuple(file for file in found if file.filename)
    count = f"{len(files):,} of the {len(found):,}" if files else "none of the"
    missing = f"has {count} files whose hashes are in the lock" if len(files) < len(found) else ""
    return CompletedPackage(package._replace(files=files), missing)


def _find(file: Link, by_hash: Mapping[str, Link], by_name: Mapping[str, Link]) -> Link:
    """Return a file of a lock as a page lists it, or as it is in the lock if the page does not."""
    if same := by_hash.get(file.sha256 or file.other_hash):
        return same
    named = by_name.get(file.filename)
    if named and not named.sha256:  # nothing to compare; what is downloaded has to have the hash of the lock
        return named._replace(sha256=file.sha256, other_hash=file.other_hash)
    return file
