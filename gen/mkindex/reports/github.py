"""The result of a build for a workflow on GitHub: annotations in its log, a summary of the job, and outputs.

Texts that come from files and pages may be hostile: a line of the log can be a command to the runner, and the summary
is Markdown with HTML in it. https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from mkindex.errors import MkindexError, Note, NotPublished, Rejected
from mkindex.text import format_size, plural, printable, printable_lines

if TYPE_CHECKING:
    from mkindex.build.report import Report

SUMMARY, OUTPUT = "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"  # environment variables with the paths of files to append to

_MAX_ROWS = 100  # of a table or list in the summary, which may have 1 MiB
_MAX_LENGTH = 200  # characters of a text in the summary, each of which may take ten bytes
_PLAIN = frozenset(" ,()/-")  # characters that have no meaning within a line of Markdown

Finding = Rejected | Note


def annotation(level: Literal["error", "warning", "notice"], title: str, text: str) -> str:
    """Return the line of a log that makes the runner show a text at the top of the run."""
    # In a line that is a command, the runner does not look for another one, such as a "##[…]" in the text.
    name = _escape_data(title).replace(":", "%3A").replace(",", "%2C")
    return f"::{level} title={name}::{_escape_data(printable_lines(text))}"


def _escape_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def annotate(findings: Iterable[Finding], *, quiet: bool, verbose: bool) -> Iterator[str]:
    """Yield a line for each finding: rejected files as errors, notes as notices."""
    for finding in findings:
        location = printable(finding.location)
        if isinstance(finding, Rejected):
            yield annotation("error", "mkindex", f"rejected {location}: {finding.reason}")
        elif verbose or not (quiet or finding.detail):
            yield annotation("notice", "mkindex", f"{location}: {finding.text}")


def outputs(report: "Report") -> str:
    """Return the outputs of a step: numbers only, since any text could be hostile."""
    return f"projects={len(report.index.projects)}\nfiles={report.totals.files}\nrejected={len(report.rejected)}\n"


def summary(report: "Report", destination: str) -> str:
    """Return a summary of a build in Markdown: always less than 1 MiB."""
    plan = report.plan
    paths = f"{report.written:,} written, {plan.unchanged:,} unchanged, {len(plan.deletes):,} deleted"
    numbers = (
        f"{len(report.index.projects):,}",
        f"{report.totals.files:,}",
        format_size(report.totals.size),
        f"{len(report.rejected):,}",
    )
    return "\n".join(
        [
            f"### Package index in {_code(destination)}",
            "",
            *_table(("projects", "files", "size", "rejected"), [numbers]),
            "",
            f"Files and pages: {paths}. Removed from the index: {plural(len(report.removed_files), 'file')}.",
            "",
            *_new_files(report),
            *_tables(report.findings),
            "",
        ]
    )


def failure(error: MkindexError) -> str:
    """Return why nothing was published, in Markdown."""
    findings = error.findings if isinstance(error, NotPublished) else ()
    return "\n".join(
        ["### Package index: not published", "", _escape(str(error), max_length=5_000), "", *_tables(findings), ""]
    )


def append(variable: str, text: str) -> None:
    """Append to the file that an environment variable names, if it is set. Raises OSError."""
    if path := os.environ.get(variable):
        with open(path, "a", encoding="utf-8") as file:
            file.write(text)


def _new_files(report: "Report") -> Iterator[str]:
    """Yield the files that the --previous site lacks, if one was given."""
    if report.new is None:
        return
    if not report.new:
        yield from ("Every file was on the previous site.", "")
        return
    yield from (f"Not on the previous site: {plural(len(report.new), 'file')}.", "")
    yield from (f"* {_code(name)}" for name in report.new[:_MAX_ROWS])
    yield from (*_more(len(report.new)), "")


def _tables(findings: Sequence[Finding]) -> Iterator[str]:
    rejected = [(each.location, each.reason) for each in findings if isinstance(each, Rejected)]
    notes = [(each.location, each.text) for each in findings if isinstance(each, Note) and not each.detail]
    for heads, texts in (("rejected", "why"), rejected), (("note on", "what"), notes):
        if texts:
            rows = [(_code(location), _escape(text)) for location, text in texts[:_MAX_ROWS]]
            yield from (*_table(heads, rows), "", *_more(len(texts)), "")


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _more(count: int) -> list[str]:
    return [f"… and {count - _MAX_ROWS:,} more, see the log."] if count > _MAX_ROWS else []


def _code(text: str) -> str:
    return f"<code>{_escape(text)}</code>"


def _escape(text: str, max_length: int = _MAX_LENGTH) -> str:
    """Return a text as one line without markup: in Markdown, a character reference is always plain text."""
    line = printable(text[: max_length + 1])
    line = line if len(line) <= max_length else f"{line[: max_length - 1]}…"
    return "".join(c if c.isalnum() or c in _PLAIN else f"&#{ord(c)};" for c in line)
