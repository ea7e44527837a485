"""Can requirements be installed from an index? Pure: on names, versions, tags, markers and extras.

No resolver. A requirement is satisfied if one file satisfies it whose own requirements are satisfied in the same way.
Whether one choice of versions satisfies all requirements at the same time is not decided.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from mkindex.environments import Environment
from mkindex.text import and_more, redact

_MAX_VERSIONS = 5  # number of versions of a project that are displayed


class Offer(NamedTuple):
    """A file of an index, and all that decides whether it can be installed."""

    filename: str
    version: Version
    requires_python: str
    yanked: str | None = None  # the reason; None: not yanked
    requires: tuple[str, ...] | None = None  # Requires-Dist; None: unknown
    build_requires: tuple[str, ...] | None = ()  # of an sdist; None: unknown
    digest: str = ""  # sha256, or of another algorithm as "md5=…"; "": unknown
    is_missing: bool = False  # its page lists it, but there is no such file


class Limit(NamedTuple):
    """What clients take of a project, whatever requires it. Not for builds, which they isolate."""

    versions: SpecifierSet = SpecifierSet()
    digests: frozenset[str] | None = None  # as `Offer.digest`; None: any

    def __and__(self, other: "Limit") -> "Limit":
        digests = self.digests if other.digests is None else other.digests
        if self.digests is not None and other.digests is not None:
            digests = self.digests & other.digests
        return Limit(self.versions & other.versions, digests)


NO_LIMIT = Limit()


class Root(NamedTuple):
    """A requirement that people want to install, as it is written."""

    requirement: str
    place: str  # such as "requirements.txt, line 3"
    digests: frozenset[str] | None = None  # of the files that clients accept; None: any


class Missing(NamedTuple):
    """A requirement that nothing in the index satisfies."""

    place: str  # the file that has the requirement, or the place of a root
    requirement: str
    problem: str
    is_build: bool = False  # it is required to build the file
    root: str = ""  # the root that leads there, if it is not the requirement itself


class Answer(NamedTuple):
    """The requirements that nothing satisfies, and the files whose requirements were looked up."""

    missing: tuple[Missing, ...]
    offers: tuple[Offer, ...]


class _Node(NamedTuple):
    """The requirements of a file: those of one extra, or those that it always has."""

    filename: str
    extra: str = ""


class _Need(NamedTuple):
    """A requirement, and what satisfies it: several files, each with the extras that are requested of it."""

    missing: Missing
    choices: tuple[tuple[_Node, ...], ...]  # the newest first


def is_pinned(requirement: Requirement) -> bool:
    """Tell whether a requirement names exactly one version, so that clients also take yanked files (PEP 592)."""
    clauses = list(requirement.specifier)
    return len(clauses) == 1 and clauses[0].operator in ("==", "===") and not clauses[0].version.endswith(".*")


class Closure:
    """The files of an index as a client sees them in one environment.

    `offers` returns the files of a project by its normalized name, none for an unknown project. `limits` are those of
    projects by their names. Without `builds` nothing is built: what sdists need for that does not count.
    """

    def __init__(
        self,
        offers: Callable[[str], Iterable[Offer]],
        environment: Environment,
        *,
        limits: Mapping[str, Limit] | None = None,
        builds: bool = True,
    ) -> None:
        self._offers = offers
        self._environment = environment
        self._limits = limits or {}
        self._builds = builds
        self._usable: dict[tuple[str, frozenset[str] | None], tuple[Offer, ...]] = {}
        self._by_version: dict[tuple[str, frozenset[str] | None], dict[Version, list[Offer]]] = {}
        self._by_filename: dict[str, Offer] = {}
        self._requirements: dict[str, Requirement | None] = {}  # thousands of files have the same ones
        self._satisfying: dict[tuple[str, bool], tuple[tuple[tuple[_Node, ...], ...], str]] = {}
        self._applicable: dict[tuple[str, str], bool] = {}

    def of_files(self, projects: Iterable[str]) -> Answer:
        """Look up the requirements of all files of these projects, each for itself."""
        starts = [_Node(offer.filename) for project in projects for offer in self._usable_offers(project)]
        needs = (need for of_node in self._reach(starts).values() for need in of_node)
        missing = dict.fromkeys(need.missing for need in needs if not need.choices)
        return Answer(tuple(missing), tuple(self._by_filename[node.filename] for node in starts))

    def of_roots(self, roots: Iterable[Root]) -> Answer:
        """Look up roots, with everything that is required for them."""
        needs = [need for root in roots if (need := self._need_of_root(root))]
        graph = self._reach(node for need in needs for choice in need.choices for node in choice)
        bad = _uninstallable(graph)
        missing: dict[tuple[str, str], Missing] = {}
        seen = set[int]()
        for need in needs:
            for cause in _causes(need, graph, bad, seen):
                missing.setdefault((cause.place, cause.requirement), cause)  # for the first root that leads there
        filenames = dict.fromkeys(node.filename for node in graph)
        return Answer(tuple(missing.values()), tuple(self._by_filename[name] for name in filenames))

    # --- files ------------------------------------------------------------------------------------------------------

    def _usable_offers(self, project: str, digests: frozenset[str] | None = None) -> tuple[Offer, ...]:
        """Return the file of each version that a client prefers there, the newest first."""
        key = project, digests
        if key not in self._usable:
            best: dict[Version, Offer] = {}
            accepted = [one for one in self._offers(project) if self._accepts(one)]
            for offer in sorted(accepted, key=self._preference):
                if digests is None or offer.digest in digests:
                    best.setdefault(offer.version, offer)
            self._usable[key] = tuple(best[version] for version in sorted(best, reverse=True))
            self._by_filename |= {offer.filename: offer for offer in best.values()}
        return self._usable[key]

    def _candidates(self, project: str, specifier: SpecifierSet, digests: frozenset[str] | None) -> Sequence[Offer]:
        """Return all files that can satisfy a specifier, and others, but few if it pins a version."""
        offers = self._usable_offers(project, digests)
        pinned = next((one.version for one in specifier if one.operator == "==" and one.version[-1] != "*"), None)
        if pinned is None:
            return offers
        if (project, digests) not in self._by_version:
            by_version = self._by_version[project, digests] = {}
            for offer in offers:  # ==1.0 also means 1.0+cu128
                by_version.setdefault(_without_local(offer.version), []).append(offer)
        return self._by_version[project, digests].get(_without_local(Version(pinned)), ())

    def _accepts(self, offer: Offer) -> bool:
        return not offer.is_missing and self._environment.accepts(offer.filename, offer.requires_python)

    def _preference(self, offer: Offer) -> tuple[bool, int, str]:
        return offer.yanked is not None, self._environment.rank(offer.filename), offer.filename

    # --- requirements -----------------------------------------------------------------------------------------------

    def _reach(self, nodes: Iterable[_Node]) -> dict[_Node, list[_Need]]:
        """Return the requirements of all nodes that can be reached from some."""
        graph: dict[_Node, list[_Need]] = {}
        waiting = deque(nodes)
        seen = set[int]()  # what satisfies the same requirement is one object, and may be thousands of files
        while waiting:
            if (node := waiting.popleft()) not in graph:
                graph[node] = list(self._needs(node))
                for need in graph[node]:
                    if id(need.choices) not in seen:
                        seen.add(id(need.choices))
                        waiting += (other for choice in need.choices for other in choice)
        return graph

    def _needs(self, node: _Node) -> Iterator[_Need]:
        offer = self._by_filename[node.filename]
        for text in offer.requires or ():
            if self._applies(text, node.extra):
                yield self._need(offer.filename, text)
        for text in (offer.build_requires or ()) if self._builds and not node.extra else ():
            if self._applies(text):
                yield self._need(offer.filename, text, is_build=True)

    def _need_of_root(self, root: Root) -> _Need | None:
        requirement = self._parse(root.requirement)
        if requirement and not requirement.url:
            return self._need(root.place, root.requirement) if self._applies(root.requirement) else None
        shown = _with_address(requirement) if requirement else redact(root.requirement)
        problem = "clients do not look it up in this index, but take it from its own address"
        return _Need(Missing(root.place, shown, problem), ())

    def _need(self, place: str, text: str, *, is_build: bool = False) -> _Need:
        requirement = self._parse(text)
        if requirement is None:
            problem = "clients cannot parse it, and pass over the file"
            return _Need(Missing(place, repr(text), problem, is_build), ())
        if requirement.url:
            problem = "pip takes it from that address and not from this index, and uv refuses it"
            return _Need(Missing(place, _with_address(requirement), problem, is_build), ())
        key = text, is_build
        if key not in self._satisfying:
            self._satisfying[key] = self._satisfy(requirement, {} if is_build else self._limits)
        choices, problem = self._satisfying[key]
        return _Need(Missing(place, str(requirement), problem, is_build), choices)

    def _satisfy(
        self, requirement: Requirement, limits: Mapping[str, Limit]
    ) -> tuple[tuple[tuple[_Node, ...], ...], str]:
        """Return what satisfies a requirement or, if nothing does, what the index has instead."""
        name = canonicalize_name(requirement.name)
        limit = limits.get(name, NO_LIMIT)
        specifier = requirement.specifier & limit.versions
        takes_yanked = is_pinned(requirement)
        extras = ("", *sorted(map(canonicalize_name, requirement.extras)))
        choices = tuple(
            tuple(_Node(offer.filename, extra) for extra in extras)
            for offer in self._candidates(name, specifier, limit.digests)
            if specifier.contains(offer.version, prereleases=True) and (takes_yanked or offer.yanked is None)
        )
        return choices, "" if choices else self._available(name, specifier, limit.digests)

    def _available(self, name: str, specifier: SpecifierSet, digests: frozenset[str] | None) -> str:
        existing = sorted(self._offers(name), key=lambda offer: (offer.version, offer.filename), reverse=True)
        if not existing:
            return f"this index has no {name}"
        matching = [one for one in existing if specifier.contains(one.version, prereleases=True)]
        different = [one for one in matching if self._accepts(one) and digests is not None]
        if different:
            return digest_problem(min(different, key=self._preference), digests or ())
        if matching:
            there = [one for one in matching if not one.is_missing]
            if not there:
                return f"{matching[0].filename} is missing, although its page lists it"
            names = f"{there[0].filename}{' and similar files' if len(there) > 1 else ''}"
            return f"this index has only {names}, yanked or for another Python or platform"
        versions = list(dict.fromkeys(str(one.version) for one in existing))
        more = " …" if len(versions) > _MAX_VERSIONS else ""
        return f"this index has {name} {', '.join(versions[:_MAX_VERSIONS])}{more}"

    def _parse(self, text: str) -> Requirement | None:
        if text not in self._requirements:
            try:
                self._requirements[text] = Requirement(text)
            except (InvalidRequirement, RecursionError):  # the latter for a marker in thousands of parentheses
                self._requirements[text] = None
        return self._requirements[text]

    def _applies(self, text: str, extra: str = "") -> bool:
        """Tell whether a requirement counts for `extra`; one that cannot be parsed always breaks the file."""
        requirement = self._parse(text)
        if requirement is None or requirement.marker is None:
            return not extra
        marker = text.partition(";")[2]  # not str(marker), which is expensive
        if (marker, extra) not in self._applicable:
            applies = self._environment.applies(requirement.marker, extra)
            # What is always required is not required for an extra besides.
            self._applicable[marker, extra] = applies and not (extra and self._applies(text))
        return self._applicable[marker, extra]


def digest_problem(offer: Offer, digests: Iterable[str]) -> str:
    """Return why a file of an index is not one with some hashes."""
    kinds = {_kind(one) for one in digests}
    if offer.digest and (not kinds or _kind(offer.digest) in kinds):
        return f"{offer.filename} in this index has another hash"
    names = and_more(sorted(kinds))
    return f"this index has no {names} of {offer.filename} to compare (--files hash reads the file)"


def _without_local(version: Version) -> Version:
    return Version(version.public) if version.local else version


def _kind(digest: str) -> str:
    return digest.partition("=")[0] if "=" in digest else "sha256"


def _with_address(requirement: Requirement) -> str:
    return f"{requirement.name} @ {redact(requirement.url or '')}"


def _is_satisfied(need: _Need, bad: set[_Node]) -> bool:
    return any(bad.isdisjoint(choice) for choice in need.choices)


def _uninstallable(graph: Mapping[_Node, Sequence[_Need]]) -> set[_Node]:
    """Return the nodes with a requirement that nothing satisfies. Files that require each other can be installed.

    Nodes with the same requirement share its choices, so that each choice is looked at once.
    """
    shared: dict[int, _SharedRequirement] = {}
    places: dict[_Node, list[tuple[_SharedRequirement, int]]] = {}  # the choices that have a node, by number
    for node, needs in graph.items():
        for choices in (need.choices for need in needs):
            if id(choices) not in shared:
                shared[id(choices)] = _SharedRequirement([], set(range(len(choices))))
                for number, choice in enumerate(choices):
                    for other in choice:
                        places.setdefault(other, []).append((shared[id(choices)], number))
            shared[id(choices)].users.append(node)
    bad: set[_Node] = set()
    waiting = [node for one in shared.values() if not one.left for node in one.users]
    while waiting:
        if (node := waiting.pop()) not in bad:
            bad.add(node)
            for one, number in places.get(node, ()):
                was_left = bool(one.left)
                one.left.discard(number)
                waiting += one.users if was_left and not one.left else []
    return bad


class _SharedRequirement(NamedTuple):
    """A requirement of several nodes."""

    users: list[_Node]
    left: set[int]  # the choices that can be installed, by number


def _causes(root: _Need, graph: Mapping[_Node, Sequence[_Need]], bad: set[_Node], seen: set[int]) -> Iterator[Missing]:
    """Yield the requirements for which a root cannot be installed: those of the newest files that satisfy it.

    `seen`: what satisfies the requirements that were followed for other roots, which is not followed again.
    """
    shown = f"{root.missing.requirement} in {root.missing.place}"
    waiting = deque([root])
    while waiting:
        need = waiting.popleft()
        if not need.choices:
            yield need.missing if need is root else need.missing._replace(root=shown)
        elif id(need.choices) not in seen:
            seen.add(id(need.choices))
            if not _is_satisfied(need, bad):
                waiting += (one for node in need.choices[0] if node in bad for one in graph[node])
