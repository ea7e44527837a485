"""What a policy makes of one project: a pure function, `Project -> (Project, decisions)`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, NamedTuple

from mkindex.model.files import File
from mkindex.model.index import Project, ProjectStatus
from mkindex.policy.retention import keep_all, release_of, retained
from mkindex.policy.rules import Keep, Only, Policy, Times, Yank
from mkindex.policy.tags import runs_on_platform, runs_on_python, tags_of
from mkindex.policy.times import WHOLE_SECONDS, is_after

Verdict = Literal["yanked", "not yanked", "kept", "not kept", "not selected", "waits"]
REMOVED: frozenset[Verdict] = frozenset({"not kept", "not selected", "waits"})


_NOTHING = frozenset[str]()
_PossibleYank = tuple[Yank, Callable[[str], object] | None]  # and which filenames it is for; None: all


class Decision(NamedTuple):
    """What a rule decided about a file."""

    file: File  # as the source has it
    verdict: Verdict
    where: str  # the rule
    why: str

    @property
    def is_removal(self) -> bool:
        """Whether the file is not listed."""
        return self.verdict in REMOVED


class Decided(NamedTuple):
    """A project as the policy lists it, with the decisions."""

    project: Project
    decisions: tuple[Decision, ...]
    rules: frozenset[str]  # those that match something, by their place


@dataclass(frozen=True)
class Decider:
    """A policy at a moment, in seconds since the epoch."""

    policy: Policy
    now: int
    explain: bool = False  # also return decisions that change nothing
    # What rules, by their places, decide about files of a version, or of a version and tags.
    _selected: dict[tuple[str, ...], dict[tuple[str, str], tuple[str, str] | None]] = field(default_factory=dict)
    _yanks: dict[tuple[str, ...], dict[str, tuple[_PossibleYank, ...]]] = field(default_factory=dict)

    def __call__(self, project: Project) -> Decided:
        """Return a project as the policy lists it. Each step applies to the files that the step before lists."""
        policy, name = self.policy, project.name
        yanks, onlys, keeps = policy.yank.of(name), policy.only.of(name), policy.keep.of(name)
        statuses = policy.status.of(name)
        times = policy.times if policy.times and not policy.times.exempt_pattern.match(name) else None
        if not (yanks or onlys or keeps or statuses or times):
            return Decided(project, (), _NOTHING)
        used = {rule.where for rule in (*onlys, *keeps, *statuses)}  # whether a yank matches depends on the files
        decisions: list[Decision] = []
        files: Sequence[File] = project.files
        if onlys:
            files = _without(files, self._not_selected(files, onlys), decisions)
        if times:
            files = _without(files, _waiting(files, times, self._cutoff), decisions)
        if yanks:
            yanked = list(self._yanked(files, yanks))
            used |= {decision.where for decision in yanked}
            files = _with_yanks(files, yanked)
            decisions += yanked
        if keeps and (self.explain or not keep_all(files, keeps)):
            files = _without(files, _judged(files, keeps, self.now, explain=self.explain), decisions)
        status: ProjectStatus | None = statuses[-1].status if statuses else project.status
        if files is project.files and status == project.status:
            return Decided(project, tuple(decisions), frozenset(used) if used else _NOTHING)
        return Decided(replace(project, files=tuple(files), status=status), tuple(decisions), frozenset(used))

    def _not_selected(self, files: Iterable[File], rules: Sequence[Only]) -> Iterator[Decision]:
        # Most files share version and tags with others, so what is decided for these is remembered.
        known = self._selected.setdefault(tuple(rule.where for rule in rules), {})
        for file in files:
            _, facts, filename, _ = file
            kind = facts.version, tags_of(filename)
            if kind not in known:
                known[kind] = _first_mismatch(file, rules)
            if mismatch := known[kind]:
                yield Decision(file, "not selected", *mismatch)

    def _yanked(self, files: Iterable[File], rules: Sequence[Yank]) -> Iterator[Decision]:
        last_first = rules[::-1]
        known = self._yanks.setdefault(tuple(rule.where for rule in rules), {})
        for file in files:
            _, facts, filename, _ = file
            version = facts.version
            if version not in known:
                known[version] = tuple(_possible_yanks(version, last_first))
            for rule, matches in known[version]:
                if matches is None or matches(filename):
                    yield Decision(file, "yanked" if rule.yanked else "not yanked", rule.where, rule.reason)
                    break

    @cached_property
    def _cutoff(self) -> str:
        return self.policy.times.cutoff.at(self.now) if self.policy.times else ""


def _without(files: Sequence[File], decided: Iterable[Decision], decisions: list[Decision]) -> Sequence[File]:
    """Return the files that are still listed after some decisions, and add these."""
    new = list(decided)
    if not new:
        return files
    decisions += new
    removed = {id(decision.file) for decision in new if decision.verdict in REMOVED}
    return [file for file in files if id(file) not in removed] if removed else files


def _first_mismatch(file: File, rules: Sequence[Only]) -> tuple[str, str] | None:
    """Return the first rule that does not select a file, and why; None if all do."""
    return next(((rule.where, why) for rule in rules if (why := _mismatch(file, rule))), None)


def _mismatch(file: File, rule: Only) -> str:
    """Return the part of a rule that does not select a file; "" if all parts do."""
    if rule.versions is not None and file.facts.version not in rule.versions:
        return f"versions = {rule.versions.text!r}"
    if rule.platforms and not runs_on_platform(file.filename, rule.platforms):
        return f"platforms = {list(rule.platforms)}"
    if rule.pythons and not runs_on_python(file.filename, rule.pythons):
        return f"pythons = {['.'.join(map(str, python)) for python in rule.pythons]}"
    return ""


def _waiting(files: Iterable[File], times: Times, moment: str) -> Iterator[Decision]:
    start = moment[:WHOLE_SECONDS]
    for file in files:
        upload_time = file.facts.upload_time
        if "" < upload_time[:WHOLE_SECONDS] < start:  # true for most files, and cheap
            continue
        if not upload_time:
            yield Decision(file, "waits", times.where, "it has no upload time")
        elif is_after(upload_time, moment):
            yield Decision(file, "waits", times.where, f"cutoff = {times.cutoff.text}")


def _possible_yanks(version: str, last_first: Sequence[Yank]) -> Iterator[_PossibleYank]:
    """Yield the rules that may decide about a file of a version: those for filenames, up to one for the version."""
    for rule in last_first:
        if rule.files:
            yield rule, rule.pattern.match
        elif rule.versions is None or version in rule.versions:
            yield rule, None
            return


def _with_yanks(files: Sequence[File], decided: Sequence[Decision]) -> Sequence[File]:
    """Return the files as the decisions list them."""
    if not decided:
        return files
    reasons = {id(one.file): one.why if one.verdict == "yanked" else None for one in decided}
    return [file.with_yanked(reasons[id(file)]) if id(file) in reasons else file for file in files]


def _judged(files: Sequence[File], rules: Sequence[Keep], now: int, *, explain: bool) -> Iterator[Decision]:
    """Yield a decision for each file that does not stay; with `explain`, for the others, too."""
    kept = retained(files, rules, now)
    for file in files:
        stays, where, why = kept[release_of(file.facts.version)]
        if explain or not stays:
            yield Decision(file, "kept" if stays else "not kept", where, why)
