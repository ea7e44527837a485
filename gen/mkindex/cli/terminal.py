"""Exit statuses, output and progress on a terminal, for all commands."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from mkindex.errors import ConfigError, MkindexError, Note, Rejected, nothing
from mkindex.text import format_size, plural, printable_lines

if TYPE_CHECKING:
    from mkindex.progress import Advance

# Each is a module beside this one. Their summaries are here, so that --help need not import them all.
COMMANDS = {
    "build": "Make an index. The default: mkindex SOURCE... DEST.",
    "add": "Add files to an index, and keep what it lists.",
    "remove": "Take releases or files out of an index.",
    "yank": "Yank releases or files (PEP 592): clients skip them.",
    "unyank": "List yanked releases or files as not yanked.",
    "status": "Set the status of a project (PEP 792).",
    "policy": "Print what the policy decides about files, and why.",
    "check": "Check an index, and report what clients will do wrong with it.",
    "client": "Print a configuration with which a client uses an index safely.",
    "host": "Print the configuration of a web server for an index.",
    "relocate": "Change the addresses in the lock files of a bundle.",
    "serve": "Serve an index over HTTP.",
    "completion": "Print a script that completes commands in a shell.",
}
DONE, PROBLEMS, USAGE, NOT_DONE, UNEXPECTED, INTERRUPTED = 0, 1, 2, 3, 70, 130


def status_of(error: MkindexError) -> int:
    """Return the exit status for an error that ended a command."""
    return USAGE if isinstance(error, ConfigError) else NOT_DONE


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """Ignore a reader that ends early, as in `mkindex … | head`, or a closed standard output."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (open until the process ends)
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # The rest of the buffer would fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise MkindexError(f"cannot write the results: {error.strerror}") from error


def form_of_report(ctx: click.Context, form: str, *, json: bool) -> str:
    """Return the format of the report, which two options set. The command line has priority over other sources."""

    def is_typed(option: str) -> bool:
        return ctx.get_parameter_source(option) is ParameterSource.COMMANDLINE

    return "json" if json and (is_typed("json") or not is_typed("format")) else form


def user_cache() -> str:
    """Return the user's cache directory for mkindex."""
    import platformdirs

    return platformdirs.user_cache_dir("mkindex", appauthor=False)


def color() -> bool | None:
    """Return the `color` of click.echo, by NO_COLOR and FORCE_COLOR; None means colors on a terminal only."""
    if os.environ.get("NO_COLOR"):
        return False
    return True if os.environ.get("FORCE_COLOR") else None


def print_message(text: str, label: str = "", color_of_label: str = "red", *, bold: bool = False) -> None:
    """Print a text on standard error, escaped, after a label. It decides nothing whether somebody can read it."""
    start = f"{click.style(label, fg=color_of_label, bold=bold or None)} " if label else ""
    with suppress(OSError):
        # There may be no click context any more, which would know about colors.
        click.echo(f"{start}{printable_lines(text)}", err=True, color=color())


def print_error(text: str) -> None:
    """Print why a command did nothing."""
    print_message(text, "error")


def print_warning(text: str) -> None:
    """Print something dangerous."""
    print_message(text, "warning", bold=True)


def print_findings(findings: Sequence[Rejected | Note], *, quiet: bool, verbose: bool) -> None:
    """Print rejected files, and notes unless the options hide them."""
    from mkindex.reports.text import finding_lines

    for label, text in finding_lines(findings, quiet=quiet, verbose=verbose):
        print_message(text, label, "red" if label == "rejected" else "yellow")


def bar(activity: str, total: int) -> "AbstractContextManager[Advance]":
    """Show how many of `total` bytes are done, how fast, and how long the rest takes."""

    def describe(done: int, rate: int) -> str:
        return f"{format_size(done)} of {format_size(total)}, {format_size(rate)}/s"

    return _bar(activity, total, describe)


def counter(activity: str, total: int) -> "AbstractContextManager[Advance]":
    """Show how many of `total` projects are done, how fast, and how long the rest takes."""

    def describe(done: int, rate: int) -> str:
        return f"{done:,} of {plural(total, 'project')}, {rate:,}/s"

    return _bar(activity, total, describe)


@contextmanager
def _bar(activity: str, total: int, describe: Callable[[int, int], str]) -> "Iterator[Advance]":
    """Show a bar, unless there is nothing to do. It is described by how many steps are done, and how many a second."""
    if not total:
        yield nothing
        return
    started, done, lock = time.monotonic(), 0, threading.Lock()
    with click.progressbar(
        length=total, label=activity, file=sys.stderr, item_show_func=lambda text: text or ""
    ) as bar:

        def advance(count: int) -> None:
            nonlocal done
            with lock:
                done += count
                bar.update(count, describe(done, int(done / max(time.monotonic() - started, 0.1))))

        yield advance
