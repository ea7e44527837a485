"""A build's report for a GitHub workflow: annotations in the log, the job summary and the outputs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mkindex.cli.terminal import reader_may_leave, status_of
from mkindex.errors import MkindexError, Note, Rejected

if TYPE_CHECKING:
    from mkindex.build.report import Report


def annotate(findings: Sequence[Rejected | Note], *, quiet: bool, verbose: bool) -> None:
    """Print findings as annotations."""
    from mkindex.reports.github import annotate as annotations

    with reader_may_leave():
        for line in annotations(findings, quiet=quiet, verbose=verbose):
            click.echo(line)


def report_problem(text: str) -> None:
    """Print a problem of the published index."""
    from mkindex.reports.github import annotation

    with reader_may_leave():
        click.echo(annotation("error", "mkindex", text))


def write_results(report: "Report", destination: str) -> None:
    """Write the job summary and the outputs."""
    from mkindex.reports.github import OUTPUT, SUMMARY, outputs, summary

    _append(SUMMARY, summary(report, destination))
    _append(OUTPUT, outputs(report))


def report_failure(error: MkindexError) -> int:
    """Print why nothing was published, also into the job summary. Return the exit status."""
    from mkindex.reports.github import SUMMARY, annotation, failure

    with reader_may_leave():
        click.echo(annotation("error", "mkindex", str(error)))
    _append(SUMMARY, failure(error))
    return status_of(error)


def _append(variable: str, text: str) -> None:
    """Append to the file that a variable of the runner names. A failure is only a warning: the index is published."""
    from mkindex.reports.github import annotation, append

    try:
        append(variable, text)
    except OSError as error:
        with reader_may_leave():
            click.echo(annotation("warning", "mkindex", f"cannot write the file in {variable}: {error.strerror}"))
