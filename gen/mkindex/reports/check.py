"""The report of a check: as text, as JSON, and as annotations of a GitHub workflow."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Literal

import click

from mkindex.check.engine import CheckReport
from mkindex.check.findings import ERROR, NOTE, WARNING, Finding, Rule, Severity
from mkindex.check.judge import rules_by_name
from mkindex.check.observations import ServerBehaviour
from mkindex.hosts.recognize import KnownHost
from mkindex.reports.github import annotation
from mkindex.text import plural, printable

VERSION = 1  # of the JSON report
_FEW = 10  # findings of one rule that are printed without -v
_LEVELS: dict[Severity, Literal["error", "warning", "notice"]] = {ERROR: "error", WARNING: "warning", NOTE: "notice"}
_COLOURS = {ERROR: "red", WARNING: "yellow", NOTE: "blue"}
_KINDS = {
    "index": "an index",
    "project": "the page of one project",
    "flat": "a find-links page, not an index",
    "mistyped": "a page with a content type that clients reject",
    "login": "a login page, not an index",
    "people": "a page for people, not an index",
    "page": "the page of an index, not its address",
    "nothing": "nothing that clients can install from",
}


def lines(report: CheckReport, *, verbose: bool, quiet: bool) -> Iterator[str]:
    """Yield the report as text: the kind of target, findings by rule with the worst first, and counts."""
    if report.why is not None:
        yield from _choices(report)
        return
    yield f"{report.url}: {_KINDS.get(report.kind, report.kind)}" + (
        f" ({'; '.join(report.host)})" if report.host else ""
    )
    for rule, group in groupby(report.findings, key=lambda finding: finding.rule):
        found = list(group)
        if rule.severity == NOTE and quiet:
            continue
        yield ""
        severity = click.style(rule.severity, fg=_COLOURS[rule.severity], bold=True)
        yield f"{severity} {click.style(rule.name, bold=True)}, in {plural(len(found), 'place')}"
        shown = found if verbose else found[:_FEW]
        yield from (f"  {place(one)}: {one.text}" for one in shown)
        if len(shown) < len(found):
            yield f"  … and {len(found) - len(shown):,} more (-v shows all)"
        for label, text in (("rule", rule.summary), ("impact", rule.impact), ("fix", rule.fix)):
            yield f"    {click.style(f'{label}:', dim=True)} {text}"
        yield from _change(report.hosting, rule)
    yield ""
    if report.hosting and any(_is_of_host(one.rule, report.hosting) for one in report.findings):
        yield f"{report.hosting.name}: {report.hosting.advice}"
    if report.closure:
        yield report.closure
    yield summary(report)


def _is_of_host(rule: Rule, host: KnownHost) -> bool:
    """Tell whether an index breaks a rule because of how it is hosted, and the host has some remedy for all of that."""
    return bool(host.advice) and (rule.subject is ServerBehaviour or rule.name in host.changes)


def _change(host: KnownHost | None, rule: Rule) -> Iterator[str]:
    """Yield what to change on the host of the index, so that it follows a rule."""
    if host and rule.name in host.changes:
        where, changed = host.changes[rule.name]
        yield f"    {click.style(f'{host.name}:', dim=True)} in {where}"
        yield from (f"        {line}" for line in changed)


def summary(report: CheckReport) -> str:
    """Return one line of counts."""
    counts = ", ".join(plural(report.count(severity), severity.value) for severity in Severity)
    seen = "none looked at" if report.level == "none" else f"{report.inspected:,} looked at"
    seen += {"hash": f", {report.read:,} hashed", "deep": f", {report.read:,} read"}.get(report.level, "")
    return (
        f"{counts}; {plural(report.projects, 'project')}, {plural(report.files, 'file')} ({seen}) "
        f"in {report.seconds:.2f} s"
    )


def place(finding: Finding) -> str:
    """Return where a finding is: its page, and its file if it is about one."""
    return f"{finding.page} {finding.file}" if finding.file else finding.page


def _choices(report: CheckReport) -> Iterator[str]:
    choices = report.why or ()
    yield f"{report.url}: {plural(len(choices), 'file')}"
    for choice in choices:
        verb = "takes" if choice.chosen else "also fits" if not choice.reasons else "skips"
        color = "green" if choice.chosen else "yellow" if choice.reasons else "blue"
        reason = f": {'; '.join(choice.reasons)}" if choice.reasons else ""
        yield f"  {click.style(verb, fg=color)} {printable(choice.filename)}{printable(reason)}"
    if not any(choice.chosen for choice in choices):
        yield "No file fits: clients report that there is no such version."


def as_json(report: CheckReport) -> dict[str, Any]:
    """Return the report in the form that docs/check.md describes. Within a version, keys are only added."""
    document: dict[str, Any] = {
        "version": VERSION,
        "target": report.target,
        "url": report.url,
        "kind": report.kind,
        "projects": report.projects,
        "files": report.files,
        "looked-at": report.inspected,
        "read": report.read,
        "level": report.level,
        "host": list(report.host),
        "hosting": report.hosting.name if report.hosting else None,
        "closure": report.closure or None,
        "seconds": round(report.seconds, 3),
        "counts": {severity.value: report.count(severity) for severity in Severity},
        "findings": [
            {
                "rule": one.rule.name,
                "severity": one.rule.severity.value,
                "page": one.page,
                "file": one.file or None,
                "text": one.text,
                "clients": one.rule.impact,
                "fix": one.fix,
                "mend": one.fix,  # as 0.1.0 called it
                "change": _change_as_json(report.hosting, one.rule),
            }
            for one in report.findings
        ],
    }
    if report.why is not None:
        document["why"] = [
            {"file": one.filename, "version": one.version or None, "taken": one.chosen, "reasons": list(one.reasons)}
            for one in report.why
        ]
    return document


def _change_as_json(host: KnownHost | None, rule: Rule) -> dict[str, Any] | None:
    change = host.changes.get(rule.name) if host else None
    return {"where": change.where, "lines": list(change.lines)} if change else None


def annotations(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield each finding as an annotation of a GitHub workflow."""
    for one in findings:
        yield annotation(
            _LEVELS[one.rule.severity], f"mkindex check: {one.rule.name}", f"{place(one)}: {one.text}. {one.fix}"
        )


def explain_rule(rule: Rule) -> str:
    """Return everything about a rule."""
    return (
        f"{rule.name} ({rule.severity})\n  {rule.summary}\n\n"
        f"  pip {rule.pip}, uv {rule.uv}. {rule.impact}\n\n  Fix: {rule.fix}"
    )


def list_rules() -> str:
    """Return all rules, one on a line."""
    rules = rules_by_name().values()
    width = max(len(rule.name) for rule in rules)
    return "\n".join(f"{rule.severity:8} {rule.name:{width}}  {rule.summary}" for rule in rules)
