"""The result of a build, as text for people or as JSON for programs."""

import os
import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mkindex.closure.unlisted import Unlisted, unlisted
from mkindex.errors import Note, Rejected
from mkindex.hosts.buckets import is_bucket
from mkindex.hosts.table import HOSTS, Host
from mkindex.text import and_more, format_size, plural, printable
from mkindex.tree.names import INSTALL_MD, LOCKS_DIRECTORY

if TYPE_CHECKING:
    from mkindex.build.report import Report
    from mkindex.config import Config
    from mkindex.proof import Proof

_SHOWN = 3  # names in one line

_SERVE_HERE = "Serve it:      python3 -m http.server --directory {}"


def summary(report: "Report", config: "Config", proof: "Proof | None" = None, *, verbose: bool) -> Iterator[str]:
    """Yield the lines for a person: what was done, and what to do next."""
    plan, projects, (files, size) = report.plan, report.index.projects, report.totals
    if verbose:
        yield from (f"{'write ' if put.previous is None else 'update'} {put.resource.path}" for put in plan.puts)
        yield from (f"remove {entry.path}" for entry in plan.deletes)
    counts = [
        f"{len(plan.puts) if report.dry_run else report.written} {'to write' if report.dry_run else 'written'}",
        f"{plan.unchanged} unchanged",
        f"{plural(len(report.removed_files), 'file')} {'to remove' if report.dry_run else 'removed'}",
    ]
    if report.consumed is not None:
        counts.append(f"{plural(len(report.consumed), 'file')} {'to consume' if report.dry_run else 'consumed'}")
    if plan.deletes:
        counts.append(f"{plural(len(plan.deletes), 'path')} {'to delete' if report.dry_run else 'deleted'}")
    if plan.newly_retired:
        counts.append(f"{plan.newly_retired} retired (kept for --grace)")
    yield (
        f"{printable(config.destination)}: {plural(len(projects), 'project')}, {plural(files, 'file')}, "
        f"{format_size(size)} ({', '.join(counts)}) in {report.seconds:.2f} s"
    )
    if report.added:
        yield f"{'to add' if report.dry_run else 'added'}: {first_names(report.added)}"
    if report.policy:
        from mkindex.reports.policy import policy_lines  # here, since most builds have no policy

        yield from policy_lines(report.policy)
    if proof:
        yield printable(str(proof))
    if report.rejected:
        yield f"{plural(len(report.rejected), 'file')} rejected, see above"
    if report.dry_run and not verbose and (plan.puts or plan.deletes):
        yield "Nothing was written (-v lists the paths)"
    if projects and not report.dry_run:
        next_step = HOSTS[config.host].next_step if config.host else None
        somewhere = "https://ADDRESS" if next_step or is_bucket(config.destination) else "http://localhost:8000"
        address = (config.url or report.url or somewhere).rstrip("/")
        url = printable(f"{address}/{f'{config.simple_path}/'.lstrip('/')}")
        yield ""
        if is_bucket(config.destination):
            yield f"Check it:      mkindex check {url}"
        else:
            yield (next_step or _SERVE_HERE).format(printable(shlex.quote(config.destination)))
        if report.locks:
            path = os.path.join(config.destination, LOCKS_DIRECTORY, INSTALL_MD)
            yield f"Install from:  {printable(path)} has the commands"
        else:
            offered = (project for project in projects if project.files and not project.is_quarantined)
            yield from _install_lines(url, next(offered, projects[0]).name, unlisted(report.index))
        if config.json_root and config.host:
            yield from _json_root_lines(f"{address}/{config.json_root}/", HOSTS[config.host])


def _install_lines(url: str, project: str, missing: Unlisted) -> Iterator[str]:
    """Yield how to install from an index: from it alone only if it lists all that its files require."""
    if missing.names:
        yield f"Install from:  uv pip install --index {url} {project}"
        yield f"In a project:  mkindex client {url} >> pyproject.toml"
        yield f"               (not with pip --index-url alone: {missing}, which this index does not have)"
    else:
        yield f"Install from:  pip install --index-url {url} {project}"
        yield f"               uv pip install --default-index {url} {project}"


def _json_root_lines(url: str, host: Host) -> Iterator[str]:
    """Yield how Renovate reads the upload times of an index, which are only in JSON."""
    yield f'Renovate:      "registryUrls": ["{url}"]'
    if host.mistypes_json_root:
        yield "               (not for installers: this host sends the JSON as HTML, and they would find no files)"


def finding_lines(findings: Iterable[Rejected | Note], *, quiet: bool, verbose: bool) -> Iterator[tuple[str, str]]:
    """Yield a label, "rejected" or "note", and a text for each finding; those of the same kind follow each other.

    The same about more than three files is one line, unless `verbose`. `quiet` omits notes; details are shown only if
    `verbose`.
    """
    of_a_kind: defaultdict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for finding in findings:
        if isinstance(finding, Rejected):
            kind = "rejected", finding.reason_of_many or finding.reason
            of_a_kind[kind].append((finding.location, finding.reason))
        elif verbose or not (quiet or finding.detail):
            of_a_kind["note", finding.text_of_many or finding.text].append((finding.location, finding.text))
    for (label, of_many), each in of_a_kind.items():
        if verbose or len(each) <= _SHOWN:
            yield from ((label, f"{printable(location)}: {text}") for location, text in each)
        else:
            names = [location.rstrip("/").rpartition("/")[2] for location, _ in each]
            shown = each[0][1] if len({text for _, text in each}) == 1 else of_many
            yield label, f"{plural(len(each), 'file')}: {shown} ({first_names(names)}; -v names all)"


def first_names(names: Sequence[str]) -> str:
    """Return the first names and the number of the others, safe to print."""
    return printable(and_more(names, _SHOWN))


def as_json(report: "Report", proof: "Proof | None" = None) -> dict[str, Any]:
    """Return what --format json prints; within a `version` keys are only added."""
    proven: dict[str, Any] = {}
    if proof:
        proven["closure"] = {"targets": proof.targets, "missing": proof.missing, "unread": proof.unread}
    lists = {"new": report.new, "added": report.added, "consumed": report.consumed}
    news = {key: list(names) for key, names in lists.items() if names is not None}
    policy: dict[str, Any] = {}
    if report.policy:
        from mkindex.reports.policy import policy_as_json

        policy = policy_as_json(report.policy)
    return {
        "version": 1,
        "dry-run": report.dry_run,
        "projects": len(report.index.projects),
        "files": report.totals.files,
        "bytes": report.totals.size,
        "written": report.written,
        "unchanged": report.plan.unchanged,
        "removed": report.removed,
        "removed-files": list(report.removed_files),
        "retired": report.plan.newly_retired,
        "seconds": round(report.seconds, 3),
        "rejected": [{"location": rejected.location, "reason": rejected.reason} for rejected in report.rejected],
        "notes": [{"location": note.location, "text": note.text} for note in report.notes],
        "write": [put.resource.path for put in report.plan.puts],
        "remove": [entry.path for entry in report.plan.deletes],
        **news,
        **proven,
        **policy,
    }
