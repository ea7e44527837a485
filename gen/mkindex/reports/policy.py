"""The result of a policy, as text for people or as JSON for programs."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from typing import Any

from mkindex.policy.decide import REMOVED, Decision, Verdict
from mkindex.policy.result import PolicyResult
from mkindex.policy.rules import normalize_pattern
from mkindex.text import plural, printable

_TEXTS: dict[Verdict, str] = {
    "yanked": "yanked",
    "not yanked": "listed as not yanked",
    "not kept": "not listed ([[keep]])",
    "not selected": "not listed ([[only]])",
    "waits": "waiting",
}


def policy_lines(result: PolicyResult) -> Iterator[str]:
    """Yield lines for the summary of a build: what the policy did, and how limits of time were resolved."""
    counts = {verdict: result.count(verdict) for verdict in _TEXTS}
    texts = [f"{plural(count, 'file')} {_TEXTS[verdict]}" for verdict, count in counts.items() if count]
    if counts["waits"] and result.first_appears:
        texts[-1] += f" (the first until {result.first_appears})"
    if quarantined := sum(len(project.files) for project in result.index.projects if project.is_quarantined):
        texts.append(f"{plural(quarantined, 'file')} not listed (quarantined)")
    yield f"Policy: {', '.join(texts) or 'all files are listed'}"
    if result.moments:
        yield f"        {', '.join(result.moments)}"


def policy_as_json(result: PolicyResult) -> dict[str, Any]:
    """Return the key `policy` of a JSON report."""
    counts = {verdict.replace(" ", "-"): result.count(verdict) for verdict in _TEXTS}
    return {"policy": {**counts, "first-appears": result.first_appears or None, "limits": list(result.moments)}}


def explanation(result: PolicyResult, pattern: str) -> Iterator[str]:
    """Yield a line for each file of the projects that a pattern matches: what was decided, by which rule, and why."""
    decisions = defaultdict[str, list[Decision]](list)
    for decision in result.decisions:
        decisions[decision.file.project].append(decision)
    names = {*decisions, *(project.name for project in result.index.projects)}
    listed = {str(project.name): project for project in result.index.projects}
    matching = sorted(name for name in names if fnmatchcase(name, normalize_pattern(pattern)))
    if not matching:
        yield f"no project matches {printable(pattern)}"
    for name in matching:
        project = listed.get(name)
        yield f"{name}: {project.status.status}" if project and project.status else name
        decided = {id(decision.file) for decision in decisions[name]}
        # A file that is yanked is another value than the one that was decided about, and has its name.
        filenames = {decision.file.filename for decision in decisions[name]}
        files = project.files if project else ()
        free = [file.filename for file in files if id(file) not in decided and file.filename not in filenames]
        is_quarantined = project is not None and project.is_quarantined
        state = ("not listed", "quarantined") if is_quarantined else ("listed", "no rule")
        lines = [(filename, *state) for filename in free]
        lines += [(one.file.filename, one.verdict, _reason(one)) for one in decisions[name]]
        yield from (f"  {printable(filename)}  {verdict}  {printable(why)}" for filename, verdict, why in sorted(lines))


def unlisted_files(result: PolicyResult, removed: Collection[str]) -> Iterator[str]:
    """Yield a line for each file that the policy does not list. `removed`: filenames that DEST lists now."""
    listed_now = set(removed)
    some = [one for one in result.decisions if one.verdict in REMOVED]
    for one in sorted(some, key=lambda one: (one.file.project, one.file.filename)):
        state = "removed from DEST" if one.file.filename in listed_now else "not in DEST"
        yield f"{printable(one.file.filename)}  {one.verdict}  {state}  {printable(_reason(one))}"
    yield from policy_lines(result)


def _reason(decision: Decision) -> str:
    return ": ".join(filter(None, (decision.where, decision.why)))
