"""The files of a project that a client can choose from, and the properties that decide."""

from collections.abc import Iterable
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version

from mkindex.check.observations import ListedFile, SeenPage
from mkindex.distributions.filenames import SUFFIXES, parse_filename, sdist_version
from mkindex.text import printable


class Candidate(NamedTuple):
    """A file, and the properties by which a client chooses."""

    filename: str
    version: Version
    requires_python: str
    yanked: str | None
    has_hash: bool


def candidate_of(entry: ListedFile, project: str) -> Candidate | str:
    """Return a file as clients see it, or why they ignore it."""
    filename = entry.filename
    if not filename.endswith(SUFFIXES):
        return "clients do not install files with this ending"
    try:
        if filename.endswith(".whl"):
            name, text, _ = parse_filename(filename)
            version = Version(text)
        else:
            name, version = project, Version(sdist_version(filename, project) or "")
    except InvalidVersion:
        return "the name has no valid version"
    except ValueError as error:
        return f"clients cannot parse the name ({printable(str(error))})"
    if name != project:
        return f"the name is that of another project: {name}"
    has_hash = bool(entry.sha256) or entry.other_hash.startswith(("sha384", "sha512"))
    return Candidate(filename, version, entry.requires_python, entry.yanked, has_hash)


def candidates_on(pages: Iterable[SeenPage], project: str) -> tuple[Candidate, ...]:
    """Return the files on the pages of a project that clients can choose from, each once."""
    entries = {entry.filename: entry for page in pages for entry in page.entries}
    return tuple(c for entry in entries.values() if isinstance(c := candidate_of(entry, project), Candidate))


def age_key(entry: ListedFile, project: str) -> tuple[bool, Version, str]:
    """Return a key that sorts the newest versions last, and files that clients ignore first."""
    candidate = candidate_of(entry, project)
    if isinstance(candidate, str):
        return (False, Version("0"), entry.filename)
    return (True, candidate.version, entry.filename)


def is_pinned(requirement: Requirement) -> bool:
    """Tell whether a requirement names exactly one version, so that clients also take yanked files (PEP 592)."""
    clauses = list(requirement.specifier)
    return len(clauses) == 1 and clauses[0].operator in ("==", "===") and not clauses[0].version.endswith(".*")
