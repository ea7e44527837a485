"""`--closure`: collect the files of an index with their requirements, and find requirements that nothing satisfies."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from mkindex.check.candidates import Candidate
from mkindex.check.observations import Unsatisfied
from mkindex.check.roots import Roots
from mkindex.closure.lookup import Answer, Closure, Missing, Offer, digest_problem
from mkindex.environments import Environment, on_any_platform
from mkindex.text import and_more, plural, printable


class FileNeeds(NamedTuple):
    """What a file requires; None for what is unknown."""

    filename: str
    requires_dist: tuple[str, ...] | None
    build_requires: tuple[str, ...] | None  # of an sdist
    digest: str = ""  # of its bytes, as `Offer.digest`; "": they were not read
    is_missing: bool = False


class ProjectFiles(NamedTuple):
    """The files of some projects, with the requirements of those that were read."""

    candidates: Mapping[str, Iterable[Candidate]]  # by project
    needs: Iterable[FileNeeds | None] = ()


@dataclass(frozen=True)
class Offers:
    """The files of all projects of an index, added project by project while it is checked."""

    fetch: Callable[[str], ProjectFiles]  # reads a project that was not added
    projects: list[str] = field(default_factory=list)  # that were added
    _by_project: dict[str, tuple[Offer, ...]] = field(default_factory=dict)
    _by_filename: dict[str, dict[str, Offer]] = field(default_factory=dict)  # of the projects that were asked for
    _shared: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)  # many files require the same

    def add(self, files: ProjectFiles) -> None:
        """Add the files of some projects."""
        self._keep(files)
        self.projects.extend(files.candidates)

    def of(self, project: str) -> Sequence[Offer]:
        """Return the files of a project, none for an unknown one."""
        if project not in self._by_project:
            self._by_project[project] = ()
            self._keep(self.fetch(project))
        return self._by_project[project]

    def find(self, project: str, filename: str) -> Offer | None:
        """Return a file of a project, None if there is none of this name."""
        if project not in self._by_filename:
            self._by_filename[project] = {offer.filename: offer for offer in self.of(project)}
        return self._by_filename[project].get(filename)

    def _keep(self, files: ProjectFiles) -> None:
        needs = {one.filename: one for one in files.needs if one}
        for project, candidates in files.candidates.items():
            self._by_project[project] = tuple(self._offer(one, needs.get(one.filename)) for one in candidates)

    def _offer(self, candidate: Candidate, needs: FileNeeds | None) -> Offer:
        requires = needs.requires_dist if needs else None
        if requires is not None:
            requires = self._shared.setdefault(requires, requires)
        is_wheel = candidate.filename.endswith(".whl")
        return Offer(
            candidate.filename,
            candidate.version,
            candidate.requires_python,
            candidate.yanked,
            requires,
            () if is_wheel else needs.build_requires if needs else None,
            (needs.digest if needs else "") or candidate.digest,
            is_missing=bool(needs and needs.is_missing),
        )


class ClosureResult(NamedTuple):
    """The result of a lookup."""

    unsatisfied: Sequence[Unsatisfied] = ()
    summary: str = ""  # in words, how many requirements were looked up
    unread: tuple[str, ...] = ()  # files whose requirements are unknown


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """What is looked up: roots, or all files that were added, in some environments."""

    offers: Offers
    environments: Sequence[Environment]
    roots: Roots | None = None  # None: all files

    def result(self) -> ClosureResult:
        """Look up all requirements, and return those that nothing satisfies."""
        answers = [(one.name, self._answer(one)) for one in self.environments]
        found: dict[Missing, list[str]] = {}
        for name, answer in answers:
            for missing in answer.missing:
                found.setdefault(missing, []).append(name)
        total = len(answers)
        unsatisfied = [
            Unsatisfied(missing=missing, environments=() if len(names) == total else tuple(names))
            for missing, names in found.items()
        ]
        known = {(missing.place, missing.requirement) for missing in found}
        of_each_file = [*unsatisfied, *self._elsewhere(known)]
        offers = {offer.filename: offer for _, answer in answers for offer in answer.offers}.values()
        unread = tuple(one.filename for one in offers if one.requires is None or one.build_requires is None)
        return ClosureResult(list(_once_for_all_files(of_each_file)), self._summary(offers, len(unread)), unread)

    def _answer(self, environment: Environment, *, builds: bool = True) -> Answer:
        roots, limits = self.roots.in_environment(environment) if self.roots else ([], {})
        closure = Closure(self.offers.of, environment, limits=limits, builds=builds)
        if not self.roots:
            return closure.of_files(self.offers.projects)
        answer = closure.of_roots(roots)
        files = list(self._missing_files(self.roots, environment))
        named = {(one.place, one.requirement) for one in files}
        others = (one for one in answer.missing if (one.place, one.requirement) not in named)
        return answer._replace(missing=(*others, *files))

    def _missing_files(self, roots: Roots, environment: Environment) -> Iterator[Missing]:
        """Yield the files that clients choose by a lock and the index does not have, though it may have others."""
        for place, project, requirement, filename, digest in roots.files_in(environment):
            offer = self.offers.find(project, filename)
            if offer is None:
                problem = f"this index does not have {printable(filename)}, the file that clients choose from the lock"
                yield Missing(place, requirement, problem)
            elif offer.is_missing:
                yield Missing(place, requirement, f"{filename} is missing, although its page lists it")
            elif digest and offer.digest != digest:
                yield Missing(place, requirement, digest_problem(offer, [digest]))

    def _elsewhere(self, known: set[tuple[str, str]]) -> Iterator[Unsatisfied]:
        """Yield what only clients that lock for all platforms look for. They build nothing for another one."""
        if self.roots and self.roots.locks:  # they are locked already
            return
        by_python = {one.python: on_any_platform(one) for one in self.environments}
        missing = [one for wide in by_python.values() for one in self._answer(wide, builds=False).missing]
        for one in dict.fromkeys(missing):
            if (one.place, one.requirement) not in known:
                yield Unsatisfied(missing=one, is_elsewhere=True)

    def _summary(self, offers: Collection[Offer], unread: int) -> str:
        requirements = sum(len(offer.requires or ()) + len(offer.build_requires or ()) for offer in offers)
        packages = sum(len(lock.packages) for lock in self.roots.locks) if self.roots else 0
        roots = len(self.roots.requirements) + packages if self.roots else 0
        names = and_more([one.name for one in self.environments])
        text = f"{plural(requirements + roots, 'requirement')} of {plural(len(offers), 'file')} looked up for {names}"
        if unread:
            text += f"; {plural(unread, 'file')} not read (--files deep also reads sdists on a server)"
        return text


def _once_for_all_files(found: Iterable[Unsatisfied]) -> Iterator[Unsatisfied]:
    """Yield what several files lack once, for the first of them: often all versions of a project require the same."""
    groups: dict[tuple[object, ...], list[Unsatisfied]] = {}
    for one in found:
        key = one.missing.requirement, one.missing.problem, one.missing.is_build, one.environments, one.is_elsewhere
        groups.setdefault(key, []).append(one)
    for first, *others in groups.values():
        yield replace(first, others=tuple(other.missing.place for other in others))
