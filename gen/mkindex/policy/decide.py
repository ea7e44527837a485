"""What a policy makes of one project: a pure function, `Project -> (Project, decisions)`."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, NamedTuple

from mkindex.model.files import File
from mkindex.model.index import Project, ProjectStatus
from mkindex.policy.retention import judge_releases, keep_all, release_of
from mkindex.policy.rules import Keep, Only, Policy, ProjectRules, Times, Yank
from mkindex.policy.tags import runs_on_platform, runs_on_python
from mkindex.policy.times import WHOLE_SECONDS, is_after

Verdict = Literal["yanked", "not yanked", "kept", "not kept", "not selected", "waits"]
REMOVED: frozenset[Verdict] = frozenset({"not kept", "not selected", "waits"})


_NOTHING = frozenset[str]()


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


class Outcome(NamedTuple):
    """A project as the policy lists it, with the decisions."""

    project: Project
    decisions: tuple[Decision, ...]
    rules: frozenset[str]  # those that match something, by their place


class _Kind(NamedTuple):
    """What rules say of all wheels of a version with the same tags, or of all sdists of a version."""

    mismatch: tuple[str, str] | None  # the rule that does not select them, and why
    yanks: tuple[Yank, ...]  # that may match, the last first
    release: str


@dataclass(frozen=True)
class Decider:
    """A policy at a moment, in seconds since the epoch."""

    policy: Policy
    now: int
    explain: bool = False  # also return decisions that change nothing
    # Most files share version and tags with files of other projects that the same rules are for.
    _kinds: dict[ProjectRules, dict[tuple[str, str], _Kind]] = field(default_factory=dict)

    def __call__(self, project: Project) -> Outcome:
        """Return a project as the policy lists it. What the other rules do not list does not count for [[keep]]."""
        policy, rules = self.policy, self.policy.of(project.name)
        times = policy.times if policy.times and not policy.times.exempt_pattern.match(project.name) else None
        if not (rules or times):
            return Outcome(project, (), _NOTHING)
        decisions: list[Decision] = []
        files, releases = self._listed(project.files, rules, times, decisions)
        if rules.keeps and (self.explain or not keep_all(releases, rules.keeps)):
            kept = list(_judge(files, rules.keeps, self.now, explain=self.explain))
            removed = {id(decision.file) for decision in kept if decision.is_removal}
            files = [file for file in files if id(file) not in removed]
            decisions += kept
        status: ProjectStatus | None = rules.statuses[-1].status if rules.statuses else project.status
        if status != project.status or any(decision.verdict != "kept" for decision in decisions):
            project = replace(project, files=tuple(files), status=status)
        used = rules.places.union(decision.where for decision in decisions) if decisions else rules.places
        return Outcome(project, tuple(decisions), used)

    def _listed(
        self, files: Iterable[File], rules: ProjectRules, times: Times | None, decisions: list[Decision]
    ) -> tuple[list[File], set[str]]:
        """Return the files that all rules but [[keep]] list, and their releases, and add what was decided."""
        kinds, moment = self._kinds.setdefault(rules, {}), self._cutoff
        start = moment[:WHOLE_SECONDS]
        listed, releases = list[File](), set[str]()
        for file in files:
            _, facts, filename, _ = file
            key = facts.version, filename.split("-", 2)[-1]
            if key not in kinds:
                kinds[key] = _kind_of(file, rules)
            mismatch, yanks, release = kinds[key]
            if mismatch:
                decisions.append(Decision(file, "not selected", *mismatch))
                continue
            # The comparison is true for most files, and cheap.
            if times and not "" < facts.upload_time < start and (why := _reason_to_wait(file, times, moment)):
                decisions.append(Decision(file, "waits", times.where, why))
                continue
            if yanks and (decision := _last_match(file, yanks)):
                decisions.append(decision)
                listed.append(file.with_yanked(decision.why if decision.verdict == "yanked" else None))
            else:
                listed.append(file)
            releases.add(release)
        return listed, releases

    @cached_property
    def _cutoff(self) -> str:
        return self.policy.times.cutoff.at(self.now) if self.policy.times else ""


def _kind_of(file: File, rules: ProjectRules) -> _Kind:
    version = file.facts.version
    return _Kind(_first_mismatch(file, rules.onlys), tuple(_possible_yanks(version, rules.yanks)), release_of(version))


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


def _reason_to_wait(file: File, times: Times, moment: str) -> str:
    """Return why a file is not listed yet; "" if it is."""
    if not file.facts.upload_time:
        return "it has no upload time"
    return f"cutoff = {times.cutoff.text}" if is_after(file.facts.upload_time, moment) else ""


def _possible_yanks(version: str, rules: Sequence[Yank]) -> Iterator[Yank]:
    """Yield the rules that may decide about a file of a version, the last first: up to one that is for the version."""
    for rule in reversed(rules):
        if rule.files:
            yield rule
        elif rule.matches_version(version):
            yield rule
            return


def _last_match(file: File, yanks: Iterable[Yank]) -> Decision | None:
    """Return what the last rule decides that matches a file; None if none does."""
    for rule in yanks:
        if not rule.files or rule.matches_filename(file.filename):
            return Decision(file, "yanked" if rule.yanked else "not yanked", rule.where, rule.reason)
    return None


def _judge(files: Sequence[File], rules: Sequence[Keep], now: int, *, explain: bool) -> Iterator[Decision]:
    """Yield a decision for each file that does not stay; with `explain`, for the others, too."""
    kept = judge_releases(files, rules, now)
    for file in files:
        stays, where, why = kept[release_of(file.facts.version)]
        if explain or not stays:
            yield Decision(file, "kept" if stays else "not kept", where, why)
