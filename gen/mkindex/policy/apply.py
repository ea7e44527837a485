"""Apply a policy to an index."""

from collections.abc import Iterator

from mkindex.errors import Note
from mkindex.model.files import format_upload_time
from mkindex.model.index import Index, Project
from mkindex.policy.decide import Decider, Decision, Outcome
from mkindex.policy.result import PolicyResult
from mkindex.policy.rules import NO_POLICY, Policy, Yank
from mkindex.policy.times import seconds_of


def apply_policy(
    index: Index, policy: Policy, now: int, *, explain: bool = False, has_all: bool = True
) -> PolicyResult:
    """Return what a policy lists of an index at `now`, in seconds since the epoch.

    A project of which no file is left is not listed, unless it has a status. With `explain`, the decisions also have
    those that change nothing. `has_all`: whether the index has all files that rules may be for.
    """
    if policy == NO_POLICY:
        return PolicyResult(index=index)
    decide = Decider(policy, now, explain)
    outcomes = [decide(project) for project in index.projects]
    decisions = tuple(decision for one in outcomes for decision in one.decisions)
    return PolicyResult(
        index=Index(projects=tuple(one.project for one in outcomes if not one.project.is_reserved)),
        decisions=decisions,
        findings=(*_overruled(index, outcomes), *(_unused(index, policy, outcomes) if has_all else ())),
        moments=tuple(dict.fromkeys(f"{one.text} = {one.at(now)}" for one in policy.limits if one.age is not None)),
        first_appears=_first_appears(policy, decisions),
    )


def _overruled(index: Index, outcomes: list[Outcome]) -> Iterator[Note]:
    """Yield a note for each yank and status of a source that the policy replaces by another."""
    for project, one in zip(index.projects, outcomes, strict=True):
        for file, verdict, where, why in one.decisions:
            if verdict not in ("yanked", "not yanked") or file.yanked is None:
                continue
            if verdict == "not yanked":
                text = f"listed as not yanked, as {where} says, although its source yanks it"
                yield Note(location=file.artifact.location, text=text)
            elif file.yanked != why:
                text = f"yanked as {where} says, instead of for the reason that its source gives"
                yield Note(location=file.artifact.location, text=text)
        if project.status and one.project.status != project.status:
            given = _status_name(one.project)
            text = f"is {given}, as the policy says, although its source says that it is {project.status.status}"
            yield Note(location=project.name, text=text)


def _status_name(project: Project) -> str:
    return project.status.status if project.status else "active"


def _unused(index: Index, policy: Policy, outcomes: list[Outcome]) -> Iterator[Note]:
    used = frozenset[str]().union(*(one.rules for one in outcomes))
    for rule in policy.rules:
        # A yank that later rules overrule matches all the same.
        if rule.where not in used and not (isinstance(rule, Yank) and _matches_something(index, policy, rule)):
            text = "this rule matches nothing. Check the spelling, or remove it"
            yield Note(location=rule.where, text=text)


def _matches_something(index: Index, policy: Policy, rule: Yank) -> bool:
    projects = (project for project in index.projects if rule in policy.of(project.name).yanks)
    return any(rule.matches(file) for project in projects for file in project.files)


def _first_appears(policy: Policy, decisions: tuple[Decision, ...]) -> str:
    if policy.times is None or policy.times.cutoff.age is None:
        return ""
    waiting = [one.file.upload_time for one in decisions if one.verdict == "waits" and one.file.upload_time]
    return format_upload_time(seconds_of(min(waiting)) + policy.times.cutoff.age) if waiting else ""
