"""The rules of a policy file, as frozen values, and which projects and files each is for."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from functools import cached_property
from typing import Generic, TypeVar

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
            return self.pattern.match(file.filename) is not None
        return self.versions is None or file.facts.version in self.versions

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The filenames that `files` selects."""
        return re.compile(translate(self.files))


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


R = TypeVar("R", bound=Rule)


@dataclass(frozen=True)
class Rules(Generic[R]):
    """The rules of one table, in their order, with a fast answer to which of them are for a project."""

    rules: tuple[R, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rules)

    def of(self, project: str) -> Sequence[R]:
        """Return the rules for a project, in their order."""
        if not self._all_patterns.match(project):
            return self._by_name.get(project, ())
        return [rule for rule in self.rules if rule.project == project or self._matches(rule, project)]

    def _matches(self, rule: R, project: str) -> bool:
        pattern = self._patterns.get(rule.project)
        return pattern is not None and pattern.match(project) is not None

    @cached_property
    def _by_name(self) -> Mapping[str, Sequence[R]]:
        names = dict.fromkeys(rule.project for rule in self.rules if not rule.is_pattern)
        return {name: [rule for rule in self.rules if rule.project == name] for name in names}

    @cached_property
    def _patterns(self) -> Mapping[str, re.Pattern[str]]:
        return {rule.project: re.compile(translate(rule.project)) for rule in self.rules if rule.is_pattern}

    @cached_property
    def _all_patterns(self) -> re.Pattern[str]:
        return re.compile("|".join(map(translate, self._patterns)) or r"(?!)")


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The rules of a policy file."""

    yank: Rules[Yank] = field(default_factory=Rules)
    status: Rules[Status] = field(default_factory=Rules)
    keep: Rules[Keep] = field(default_factory=Rules)
    only: Rules[Only] = field(default_factory=Rules)
    times: Times | None = None
    variants: Variants | None = None

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules that are for projects."""
        return (*self.yank.rules, *self.status.rules, *self.only.rules, *self.keep.rules)

    @property
    def limits(self) -> tuple[Limit, ...]:
        """All limits of time."""
        return tuple(limit for limit in (*(rule.younger_than for rule in self.keep.rules), self._cutoff) if limit)

    @property
    def _cutoff(self) -> Limit | None:
        return self.times.cutoff if self.times else None


NO_POLICY = Policy()
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def normalize_pattern(pattern: str) -> str:
    """Return the name of a project, or a shell pattern for some, in the normal form of names."""
    return re.sub(r"[-_.]+", "-", pattern).lower()
