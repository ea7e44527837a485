"""The rules of a policy file, as frozen values, and which projects and files each is for."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from functools import cached_property
from operator import itemgetter

from packaging.specifiers import SpecifierSet

from mkindex.model.files import File
from mkindex.model.index import ProjectStatus, parse_version
from mkindex.model.variants import Variants
from mkindex.policy.times import Limit


@dataclass(frozen=True)
class Versions:
    """The versions that a specifier selects, also prereleases. Projects share most versions: each is judged once."""

    text: str
    _known: dict[str, bool] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        SpecifierSet(self.text)  # raises InvalidSpecifier

    def __contains__(self, version: str) -> bool:
        known = self._known.get(version)
        if known is None:
            known = self._specifiers.contains(parse_version(version), prereleases=True)
            self._known[version] = known
        return known

    @cached_property
    def _specifiers(self) -> SpecifierSet:
        return SpecifierSet(self.text)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """The fields of every rule: where it is written, and its projects."""

    where: str  # file and line, as "mkindex.toml:12"
    project: str  # a normalized name, or a shell pattern for some

    @property
    def is_pattern(self) -> bool:
        return not _NAME.fullmatch(self.project)


@dataclass(frozen=True, kw_only=True)
class Yank(Rule):
    """Yank files (PEP 592), or list files as not yanked that a source or an earlier rule yanks."""

    versions: Versions | None = None  # None: all
    files: str = ""  # a shell pattern for filenames; "": all
    reason: str = ""
    yanked: bool = True

    def matches(self, file: File) -> bool:
        if self.files:
            return self.matches_filename(file.filename)
        return self.matches_version(file.facts.version)

    def matches_version(self, version: str) -> bool:
        return self.versions is None or version in self.versions

    def matches_filename(self, filename: str) -> bool:
        # Searching a text takes a twentieth of the time of a pattern that begins with "*".
        return self._literal in filename and self._pattern.match(filename) is not None

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(translate(self.files))

    @cached_property
    def _literal(self) -> str:
        """The longest text between wildcards, up to the first set of characters: all that match `files` have it."""
        return max(re.split(r"[*?]", self.files.partition("[")[0]), key=len)


@dataclass(frozen=True, kw_only=True)
class Status(Rule):
    """Give projects a status (PEP 792); None is "active"."""

    status: ProjectStatus | None


@dataclass(frozen=True, kw_only=True)
class Keep(Rule):
    """Limit the releases of a project: one stays if any of the limits for its kind keeps it.

    With `prereleases`, `newest` counts final releases only. Without both of them, only `younger_than` limits.
    """

    newest: int | None = None
    prereleases: int | None = None
    younger_than: Limit | None = None


@dataclass(frozen=True, kw_only=True)
class Only(Rule):
    """List only files of these versions, platforms and Pythons. Each that is empty selects all; sdists run anywhere."""

    versions: Versions | None = None
    platforms: tuple[str, ...] = ()  # names of systems, or shell patterns of platform tags
    pythons: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Times:
    """Files wait until they are older than a limit."""

    where: str
    cutoff: Limit
    exempt: tuple[str, ...] = ()  # names of projects and shell patterns, normalized

    @cached_property
    def exempt_pattern(self) -> re.Pattern[str]:
        return re.compile("|".join(map(translate, self.exempt)) or r"(?!)")


@dataclass(frozen=True, eq=False)
class ProjectRules:
    """The rules for a project, in their order. All projects that the same patterns match have the same value."""

    yanks: tuple[Yank, ...]
    statuses: tuple[Status, ...]
    onlys: tuple[Only, ...]
    keeps: tuple[Keep, ...]

    def __bool__(self) -> bool:
        return bool(self.yanks or self.statuses or self.onlys or self.keeps)

    @cached_property
    def places(self) -> frozenset[str]:
        """The places of the rules that match the project, whatever its files are: of all but [[yank]]."""
        return frozenset(rule.where for rule in (*self.statuses, *self.onlys, *self.keeps))


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The rules of a policy file."""

    yank: tuple[Yank, ...] = ()
    status: tuple[Status, ...] = ()
    keep: tuple[Keep, ...] = ()
    only: tuple[Only, ...] = ()
    times: Times | None = None
    variants: Variants | None = None
    _known: dict[tuple[str, ...], ProjectRules] = field(default_factory=dict, init=False, compare=False, repr=False)

    def of(self, project: str) -> ProjectRules:
        """Return the rules for a project."""
        selectors = tuple(pattern for pattern, match in self._patterns if match(project))
        if project in self._by_selector:
            selectors = (*selectors, project)
        if selectors not in self._known:
            numbered = sorted((one for selector in selectors for one in self._by_selector[selector]), key=itemgetter(0))
            rules = [rule for _, rule in numbered]
            self._known[selectors] = ProjectRules(
                yanks=tuple(rule for rule in rules if isinstance(rule, Yank)),
                statuses=tuple(rule for rule in rules if isinstance(rule, Status)),
                onlys=tuple(rule for rule in rules if isinstance(rule, Only)),
                keeps=tuple(rule for rule in rules if isinstance(rule, Keep)),
            )
        return self._known[selectors]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules that are for projects."""
        return (*self.yank, *self.status, *self.only, *self.keep)

    @property
    def limits(self) -> tuple[Limit, ...]:
        """All limits of time."""
        return tuple(limit for limit in (*(rule.younger_than for rule in self.keep), self._cutoff) if limit)

    @property
    def _cutoff(self) -> Limit | None:
        return self.times.cutoff if self.times else None

    @cached_property
    def _by_selector(self) -> Mapping[str, Sequence[tuple[int, Rule]]]:
        """The rules for each name and pattern, with their numbers in the order of the file."""
        found = defaultdict[str, list[tuple[int, Rule]]](list)
        for number, rule in enumerate(self.rules):
            found[rule.project].append((number, rule))
        return dict(found)

    @cached_property
    def _patterns(self) -> Sequence[tuple[str, Callable[[str], object]]]:
        """The patterns, and what matches a name with each."""
        patterns = dict.fromkeys(rule.project for rule in self.rules if rule.is_pattern)
        return [(pattern, re.compile(translate(pattern)).match) for pattern in patterns]


NO_POLICY = Policy()
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def normalize_pattern(pattern: str) -> str:
    """Return the name of a project, or a shell pattern for some, in the normal form of names."""
    return re.sub(r"[-_.]+", "-", pattern).lower()
