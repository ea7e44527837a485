"""`--closure`: find requirements that nothing in the index satisfies."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from mkindex.check.candidates import Candidate, candidates_on, is_pinned
from mkindex.check.environments import Environment
from mkindex.check.identify import Location
from mkindex.check.observations import Unsatisfied
from mkindex.simple.links import client_project_url
from mkindex.text import plural

_MAX_VERSIONS = 5  # number of versions of a project that are displayed


class Dependent(NamedTuple):
    """A file and its requirements."""

    project: str
    filename: str
    requires_dist: tuple[str, ...]


class Closure:
    """The requirements and the files of an index, added project by project while it is checked."""

    def __init__(self, location: Location, environment: Environment) -> None:
        self._location = location
        self._environment = environment
        self._dependents: list[Dependent] = []
        self._candidates: dict[str, tuple[Candidate, ...]] = {}

    def add(self, project: str, candidates: tuple[Candidate, ...], dependents: Iterable[Dependent | None] = ()) -> None:
        """Add the files of a project, and what those that fit the environment require (None for others)."""
        self._candidates[project] = candidates
        self._dependents += filter(None, dependents)

    def unsatisfied(self) -> Iterator[Unsatisfied]:
        """Yield the requirements that nothing in the index satisfies."""
        return unsatisfied(self._dependents, self._project_candidates, self._environment)

    def summary(self) -> str:
        """Return in words how many requirements were looked up."""
        count = sum(len(dependent.requires_dist) for dependent in self._dependents)
        files = plural(len(self._dependents), "file")
        return f"{plural(count, 'requirement')} of {files} looked up for {self._environment.name}"

    def _project_candidates(self, name: str) -> Sequence[Candidate]:
        """Return the files of a project, also of one that `--project` left out."""
        if name not in self._candidates:
            found: tuple[Candidate, ...] = ()
            if self._location.identity.kind == "index":
                pages = self._location.project_pages(name, client_project_url(self._location.url, name))
                found = candidates_on(pages, name)
            self._candidates[name] = found
        return self._candidates[name]


def unsatisfied(
    dependents: Iterable[Dependent], candidates: Callable[[str], Sequence[Candidate]], environment: Environment
) -> Iterator[Unsatisfied]:
    """Yield the requirements that no file of the index satisfies in `environment`.

    `candidates` returns the files of a project by its normalized name, none for an unknown project. Requirements of an
    extra count only if a file in the index requires that extra.
    """
    parsed = [(one, [r for text in one.requires_dist if (r := _parsed(text))]) for one in dependents]
    extras = _required_extras(parsed, environment)
    for dependent, requirements in parsed:
        for requirement in _applicable(requirements, extras.get(dependent.project, set()), environment):
            existing = candidates(canonicalize_name(requirement.name))
            if not any(_satisfies(candidate, requirement, environment) for candidate in existing):
                available = _available(existing, environment, requirement)
                yield Unsatisfied(file=dependent.filename, requirement=str(requirement), available=available)


def _required_extras(
    dependents: Sequence[tuple[Dependent, list[Requirement]]], environment: Environment
) -> dict[str, set[str]]:
    """Return the extras of each project that a file in the index requires, directly or through other extras."""
    extras: dict[str, set[str]] = {}
    while True:
        before = sum(map(len, extras.values()))
        for dependent, requirements in dependents:
            for requirement in _applicable(requirements, extras.get(dependent.project, set()), environment):
                if requirement.extras:
                    extras.setdefault(canonicalize_name(requirement.name), set()).update(requirement.extras)
        if sum(map(len, extras.values())) == before:
            return extras


def _parsed(text: str) -> Requirement | None:
    try:
        return Requirement(text)
    except InvalidRequirement:
        return None


def _applicable(
    requirements: Sequence[Requirement], extras: Iterable[str], environment: Environment
) -> Iterator[Requirement]:
    """Yield the requirements whose marker is true, without those that name an address of their own."""
    for requirement in requirements:
        marker = requirement.marker
        if requirement.url:
            continue
        if marker is None or any(marker.evaluate({**environment.markers, "extra": e}) for e in ("", *extras)):
            yield requirement


def _satisfies(candidate: Candidate, requirement: Requirement, environment: Environment) -> bool:
    return (
        requirement.specifier.contains(candidate.version, prereleases=True)
        and environment.accepts(candidate.filename, candidate.requires_python)
        and (candidate.yanked is None or is_pinned(requirement))
    )


def _available(existing: Sequence[Candidate], environment: Environment, requirement: Requirement) -> str:
    name = canonicalize_name(requirement.name)
    if not existing:
        return f"no {name}"
    matching = [one for one in existing if requirement.specifier.contains(one.version, prereleases=True)]
    if matching:
        return f"{matching[0].filename} and similar files, which are yanked or not for {environment.name}"
    versions = sorted({one.version for one in existing}, reverse=True)
    more = " …" if len(versions) > _MAX_VERSIONS else ""
    return f"{name} {', '.join(map(str, versions[:_MAX_VERSIONS]))}{more}"
