"""What a workflow on GitHub is told of a build: annotations in its log, a summary of the job, and outputs.

All that comes from files and pages is hostile: a line of the log may be a command to the runner, and the summary is
Markdown with HTML in it. https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from mkindex.errors import MkindexError, Note, NotPublished, Rejected
from mkindex.text import format_size, plural, printable

if TYPE_CHECKING:
    from mkindex.build import Report

SUMMARY, OUTPUT = "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"  # variables that name the files to append to

_ROWS = 100  # of a table or list in the summary, of which GitHub takes 1 MiB
_LONGEST = 200  # characters of a text there, each of which may take ten bytes
_PLAIN = frozenset(" ,()/-")  # what means nothing within a line of Markdown

Finding = Rejected | Note


def annotation(level: Literal["error", "warning", "notice"], title: str, text: str) -> str:
    """Return the line of a log that shows a text at the top of the run."""
    # A line that is a command is searched for no other, such as a "##[…]" within the text.
    name = _data(title).replace(":", "%3A").replace(",", "%2C")
    return f"::{level} title={name}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def annotated(findings: Iterable[Finding], *, quiet: bool, verbose: bool) -> Iterator[str]:
    """Yield what was found, rejected files as errors, notes as notices."""
    for finding in findings:
        location = printable(finding.location)
        if isinstance(finding, Rejected):
            yield annotation("error", "mkindex", f"rejected {location}: {finding.reason}")
        elif verbose or not (quiet or finding.detail):
            yield annotation("notice", "mkindex", f"{location}: {finding.text}")


def outputs(report: "Report") -> str:
    """Return the outputs of a step: numbers, and nothing that anybody else has written."""
    files = sum(len(project.files) for project in report.index.projects)
    return f"projects={len(report.index.projects)}\nfiles={files}\nrejected={len(report.rejected)}\n"


def summary(report: "Report", destination: str) -> str:
    """Return what was published, in Markdown: less than 1 MiB of it, whatever was found."""
    plan = report.plan
    files = [file for project in report.index.projects for file in project.files]
    done = f"{report.written:,} written, {plan.unchanged:,} unchanged, {len(plan.deletes):,} removed"
    numbers = (
        f"{len(report.index.projects):,}",
        f"{len(files):,}",
        format_size(sum(file.size or 0 for file in files)),
        f"{len(report.rejected):,}",
    )
    return "\n".join(
        [
            f"### Package index in {_code(destination)}",
            "",
            *_table(("projects", "files", "size", "rejected"), [numbers]),
            "",
            f"Files and pages: {done}.",
            "",
            *_news(report),
            *_findings(report.findings),
            "",
        ]
    )


def failure(error: MkindexError) -> str:
    """Return why nothing was published, in Markdown."""
    findings = error.findings if isinstance(error, NotPublished) else ()
    return "\n".join(
        ["### Package index: not published", "", _escaped(str(error), longest=5_000), "", *_findings(findings), ""]
    )


def append(variable: str, text: str) -> None:
    """Append to the file that a variable of the environment names, if it is set. Raises OSError."""
    if path := os.environ.get(variable):
        with open(path, "a", encoding="utf-8") as file:
            file.write(text)


def _news(report: "Report") -> Iterator[str]:
    """Yield what was not yet on the previous site, if there is one to compare with."""
    if report.new is None:
        return
    if not report.new:
        yield from ("Every file was on the previous site.", "")
        return
    yield from (f"Not on the previous site: {plural(len(report.new), 'file')}.", "")
    yield from (f"* {_code(name)}" for name in report.new[:_ROWS])
    yield from (*_more(len(report.new)), "")


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    rejected = [(one.location, one.reason) for one in findings if isinstance(one, Rejected)]
    notes = [(one.location, one.text) for one in findings if isinstance(one, Note) and not one.detail]
    for heads, found in (("rejected", "why"), rejected), (("note on", "what"), notes):
        if found:
            rows = [(_code(location), _escaped(text)) for location, text in found[:_ROWS]]
            yield from (*_table(heads, rows), "", *_more(len(found)), "")


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _more(count: int) -> list[str]:
    return [f"… and {count - _ROWS:,} more, which the log names."] if count > _ROWS else []


def _code(text: str) -> str:
    return f"<code>{_escaped(text)}</code>"


def _escaped(text: str, longest: int = _LONGEST) -> str:
    """Return a text as one line that is text only: a character reference never has a meaning in Markdown."""
    line = printable(text[: longest + 1])
    line = line if len(line) <= longest else f"{line[: longest - 1]}…"
    return "".join(c if c.isalnum() or c in _PLAIN else f"&#{ord(c)};" for c in line)
