"""What a build came to, in words for a person or as JSON for a program."""

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mkindex.errors import Note
from mkindex.hosts.table import HOSTS
from mkindex.text import format_size, plural, printable

if TYPE_CHECKING:
    from mkindex.build import Report
    from mkindex.config import Config

_HERE = "Serve it:      python3 -m http.server --directory {}"


def summary(report: "Report", config: "Config", *, verbose: bool) -> Iterator[str]:
    """Yield the lines for a person: what was done, and how to go on from there."""
    plan, projects = report.plan, report.index.projects
    files = [file for project in projects for file in project.files]
    if verbose or report.dry_run:
        yield from (f"{'write ' if put.previous is None else 'update'} {put.resource.path}" for put in plan.puts)
        yield from (f"remove {entry.path}" for entry in plan.deletes)
    counts = [
        f"{len(plan.puts) if report.dry_run else report.written} {'to write' if report.dry_run else 'written'}",
        f"{plan.unchanged} unchanged",
        f"{len(plan.deletes)} {'to remove' if report.dry_run else 'removed'}",
    ]
    if plan.newly_retired:
        counts.append(f"{plan.newly_retired} kept for readers of older pages")
    yield (
        f"{printable(config.destination)}: {plural(len(projects), 'project')}, {plural(len(files), 'file')}, "
        f"{format_size(sum(file.size or 0 for file in files))} ({', '.join(counts)}) in {report.seconds:.2f} s"
    )
    if report.rejected:
        yield f"{plural(len(report.rejected), 'file')} rejected, see above"
    if projects and not report.dry_run:
        then = HOSTS[config.host].next_step if config.host else None
        url = f"{'https://ADDRESS' if then else 'http://localhost:8000'}/{f'{config.simple_path}/'.lstrip('/')}"
        yield ""
        yield (then or _HERE).format(printable(shlex.quote(config.destination)))
        yield f"Install from:  pip install --index-url {url} {projects[0].name}"
        yield f"               uv pip install --default-index {url} {projects[0].name}"


def as_json(report: "Report") -> dict[str, Any]:
    """Return what --format json prints; within a `version` keys are only added."""
    files = [file for project in report.index.projects for file in project.files]
    news = {} if report.new is None else {"new": list(report.new)}
    return {
        "version": 1,
        "dry-run": report.dry_run,
        "projects": len(report.index.projects),
        "files": len(files),
        "bytes": sum(file.size or 0 for file in files),
        "written": report.written,
        "unchanged": report.plan.unchanged,
        "removed": 0 if report.dry_run else len(report.plan.deletes),
        "retired": report.plan.newly_retired,
        "seconds": round(report.seconds, 3),
        "rejected": [{"location": r.location, "reason": r.reason} for r in report.rejected],
        "notes": [{"location": n.location, "text": n.text} for n in report.findings if isinstance(n, Note)],
        "write": [put.resource.path for put in report.plan.puts],
        "remove": [entry.path for entry in report.plan.deletes],
        **news,
    }
