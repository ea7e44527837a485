"""What a build came to, in words for a person or as JSON for a program."""

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mkindex.errors import Note, printable
from mkindex.hosts.table import HOSTS

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
    if plan.retired:
        counts.append(f"{plan.retired} kept for readers of older pages")
    yield (
        f"{printable(config.destination)}: {counted(len(projects), 'project')}, {counted(len(files), 'file')}, "
        f"{sized(sum(file.size or 0 for file in files))} ({', '.join(counts)}) in {report.seconds:.2f} s"
    )
    if report.rejected:
        yield f"{counted(len(report.rejected), 'file')} rejected, see above"
    if projects and not report.dry_run:
        then = HOSTS[config.host].next if config.host else None
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
        "retired": report.plan.retired,
        "seconds": round(report.seconds, 3),
        "rejected": [{"location": r.location, "reason": r.reason} for r in report.rejected],
        "notes": [{"location": n.location, "text": n.text} for n in report.findings if isinstance(n, Note)],
        "write": [put.resource.path for put in report.plan.puts],
        "remove": [entry.path for entry in report.plan.deletes],
        **news,
    }


def counted(number: int, noun: str) -> str:
    """Return a number of things in words."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def sized(size: int) -> str:
    """Return a number of bytes in words, with a decimal unit."""
    if size < 1000:
        return counted(size, "byte")
    power = min((len(str(size)) - 1) // 3, 4)
    return f"{size / 1000**power:,.1f} {' kMGT'[power]}B"
