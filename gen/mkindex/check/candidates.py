"""The files of a project that a client can choose from, and the properties that decide."""

from collections.abc import Iterable
from typing import NamedTuple

from packaging.version import InvalidVersion, Version

from mkindex.check.observations import ListedFile, SeenPage
from mkindex.distributions.filenames import SUFFIXES, parse_filename, sdist_version, split_label
from mkindex.text import printable


class Candidate(NamedTuple):
    """A file, and the properties by which a client chooses."""

    filename: str
    version: Version
    requires_python: str
    yanked: str | None
    digest: str  # sha256, or of another algorithm as "md5=…"; "": its page has none

    @property
    def has_hash(self) -> bool:
        """Whether its page has a hash that pip --require-hashes accepts."""
        return bool(self.digest) and ("=" not in self.digest or self.digest.startswith(("sha384", "sha512")))


def candidate_of(entry: ListedFile, project: str) -> Candidate | str:
    """Return a file as clients see it, or why they ignore it."""
    filename = entry.filename
    if not filename.endswith(SUFFIXES):
        return "clients do not install files with this ending"
    if split_label(filename)[1]:
        return "a wheel variant, which clients ignore: only uv reads it, with --preview-features wheel-variants"
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
    return Candidate(filename, version, entry.requires_python, entry.yanked, entry.sha256 or entry.other_hash)


def candidates_on(pages: Iterable[SeenPage], project: str) -> dict[str, list[Candidate]]:
    """Return the files on the pages of a project that clients can choose from, each once, by project.

    `project` is "" for a find-links page, which lists the files of many.
    """
    entries = {entry.filename: entry for page in pages for entry in page.entries}
    candidates: dict[str, list[Candidate]] = {}
    for entry in entries.values():
        name = project or _project_of(entry.filename)
        if isinstance(candidate := candidate_of(entry, name), Candidate):
            candidates.setdefault(name, []).append(candidate)
    return candidates


def _project_of(filename: str) -> str:
    try:
        return parse_filename(filename)[0]
    except ValueError:
        return ""


def age_key(entry: ListedFile, project: str) -> tuple[bool, Version, str]:
    """Return a key that sorts the newest versions last, and files that clients ignore first."""
    candidate = candidate_of(entry, project)
    if isinstance(candidate, str):
        return (False, Version("0"), entry.filename)
    return (True, candidate.version, entry.filename)
