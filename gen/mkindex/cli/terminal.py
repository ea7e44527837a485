"""What all commands share: exit statuses, what is printed where, and progress on a terminal."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

import click
from click.core import ParameterSource

from mkindex.errors import ConfigError, MkindexError, Note, Rejected
from mkindex.text import format_size

DONE, PROBLEMS, USAGE, NOT_DONE, INTERRUPTED = 0, 1, 2, 3, 130


def status_of(error: MkindexError) -> int:
    """Return the exit status that says why nothing was done."""
    return USAGE if isinstance(error, ConfigError) else NOT_DONE


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """Take it well when nobody reads the results, or not to the end: `mkindex … | head`."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (as long as the process lives)
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # What is left in its buffer would fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise MkindexError(f"cannot write the results: {error.strerror}") from error


def form_of_report(ctx: click.Context, form: str, *, json: bool) -> str:
    """Return how to print, which two options say: what stands on the command line counts before what does not."""

    def is_told(option: str) -> bool:
        return ctx.get_parameter_source(option) is ParameterSource.COMMANDLINE

    return "json" if json and (is_told("json") or not is_told("format")) else form


def user_cache() -> str:
    """Return the directory for what this user's runs remember."""
    import platformdirs

    return platformdirs.user_cache_dir("mkindex", appauthor=False)


def print_findings(findings: Sequence[Rejected | Note], *, quiet: bool, verbose: bool) -> None:
    """Print what was found on the way."""
    from mkindex.reports.text import finding_lines

    for label, text in finding_lines(findings, quiet=quiet, verbose=verbose):
        click.echo(f"{click.style(label, fg='red' if label == 'rejected' else 'yellow')} {text}", err=True)


@contextmanager
def bar(total: int) -> Iterator[Callable[[int], object]]:
    """Show how much of `total` bytes is read, and how fast; several threads may tell."""
    started, done, lock = time.monotonic(), 0, threading.Lock()
    with click.progressbar(length=total, label="reading", file=sys.stderr, item_show_func=str) as bar:

        def advance(count: int) -> None:
            nonlocal done
            with lock:
                done += count
                rate = int(done / max(time.monotonic() - started, 0.1))
                bar.update(count, f"{format_size(done)} of {format_size(total)}, {format_size(rate)}/s")

        yield advance


@contextmanager
def counter(total: int) -> Iterator[Callable[[int], object]]:
    """Show how many of `total` projects are done."""
    with click.progressbar(length=total, label="checking", file=sys.stderr, show_pos=True) as bar:
        yield bar.update


def no_bar(total: int) -> "nullcontext[Callable[[int], object]]":
    """Show nothing, in place of a bar."""
    del total
    return nullcontext(id)
