"""Errors that nobody foresaw, streams that cannot be written, and too little memory: each has its defined end."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from mkindex import __version__
from mkindex.distributions import tarballs
from support.command_line import Run, snapshot
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a working directory with a wheel in ./wheels."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "demo", "1.0")
    return tmp_path


def failing(error: BaseException) -> Callable[..., NoReturn]:
    def fail(*_: object, **__: object) -> NoReturn:
        raise error

    return fail


# --- unexpected errors ------------------------------------------------------------------------------------------------


def test_an_unexpected_error_is_70_in_one_paragraph_that_can_be_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = KeyError("odd\x1b[2J\nhttps://me:secret@host/a?token=secret")
    monkeypatch.setattr("mkindex.build.pipeline.build", failing(error))
    run = Run(capsys, "https://me:secret@host/?token=secret", "public", "--previous=https://me:secret@host/", "-q")
    text = (
        "error unexpected KeyError in cli/build.py, line 1: 'odd\\x1b[2J\\nhttps://host/a'. "
        f"This is a bug in mkindex {__version__}. The next run finishes the job. Please open an issue with this text "
        "and with what this prints: MKINDEX_DEBUG=1 mkindex https://host/ public --previous=https://host/ -q\n"
    )
    assert (run.status, run.out, re.sub(r"line \d+", "line 1", run.err)) == (70, "", text)


def test_a_panic_of_a_library_in_rust_is_an_unexpected_error_and_the_end_of_the_process_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class PanicException(BaseException):
        """As PyO3 makes it: not an Exception."""

    monkeypatch.setattr("mkindex.build.pipeline.build", failing(PanicException("InvalidUri")))
    run = Run(capsys, "wheels", "public", "--no-cache")
    assert (run.status, run.out, run.err.count("\n")) == (70, "", 1)
    assert run.err.startswith("error unexpected PanicException in cli/build.py, line ")
    monkeypatch.setattr("mkindex.build.pipeline.build", failing(SystemExit(5)))
    with pytest.raises(SystemExit):
        Run(capsys, "wheels", "public", "--no-cache")


def test_the_traceback_of_an_unexpected_error_is_printed_for_those_who_ask(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MKINDEX_DEBUG", "1")
    monkeypatch.setattr("mkindex.build.collecting.assemble_groups", failing(RecursionError("too deep")))
    run = Run(capsys, "wheels", "public", "--no-cache")
    lines = run.err.splitlines()
    assert (run.status, lines[0], lines[-2]) == (
        70,
        "error Traceback (most recent call last):",
        "RecursionError: too deep",
    )
    assert lines[-1].startswith("unexpected RecursionError in build/collecting.py, line ")


@pytest.mark.parametrize(("error", "status"), [(RuntimeError("odd"), 70), (MemoryError(), 3)])
def test_a_build_that_ends_unexpectedly_leaves_the_destination_as_it_was(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, status: int
) -> None:
    Run(capsys, "wheels", "public", "--no-cache")
    before = snapshot(here / "public")
    write_wheel(here / "wheels", "demo", "2.0")
    with monkeypatch.context() as patch:
        patch.setattr("mkindex.site.render.encode_page", failing(error))
        run = Run(capsys, "wheels", "public", "--no-cache")
    assert (run.status, run.out, run.err.count("\n")) == (status, "", 1)
    assert snapshot(here / "public") == before
    assert Run(capsys, "wheels", "public", "--no-cache").status == 0


def test_too_little_memory_says_what_to_do(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("mkindex.build.collecting.assemble_groups", failing(MemoryError()))
    run = Run(capsys, "wheels", "public", "--no-cache")
    text = "error not enough memory. Free some, or try --jobs 1; the next run finishes the job\n"
    assert (run.status, run.out, run.err) == (3, "", text)


def test_a_file_that_takes_more_memory_than_there_is_is_rejected_and_read_again_the_next_time(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sdist = write_sdist(here / "wheels", "large", "1.0")
    for path in (here / "wheels").iterdir():
        os.utime(path, (1, 1))
    cache = ("--cache-dir", "cache")
    with monkeypatch.context() as patch:
        patch.setattr(tarballs, "read_tar_sdist", failing(MemoryError()))
        run = Run(capsys, "wheels", "public", *cache)
    reason = "reading it takes more memory than there is. Free some, or remove the file"
    assert (run.status, run.err) == (1, f"rejected {sdist}: {reason}\n")
    assert Run(capsys, "wheels", "public", *cache).status == 0


# --- streams that cannot be written -----------------------------------------------------------------------------------


def shell(redirection: str, *arguments: str) -> tuple[int, str, str]:
    """Run the command with a redirection of a POSIX shell; return status, output and errors."""
    command = ["sh", "-c", f'"$@" {redirection}', "sh", sys.executable, "-m", "mkindex", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return run.returncode, run.stdout, run.stderr


FULL = "error cannot write the results: No space left on device"
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")


@needs_full
@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["check", "--help"],
        ["check", "--explain", "all"],
        ["host", "nginx", "--root", "/srv"],
    ],
    ids=" ".join,
)
def test_results_that_cannot_be_written_are_an_error(arguments: list[str]) -> None:
    assert shell(">/dev/full", *arguments) == (3, "", f"{FULL}\n")


@needs_full
@pytest.mark.slow
@pytest.mark.parametrize("form", ["text", "json", "github"])
def test_a_build_whose_report_cannot_be_written_is_done_with_problems(here: Path, form: str) -> None:
    (here / "wheels/bad.egg").write_bytes(b"x")
    status, out, err = shell(">/dev/full", "wheels", "public", "--no-cache", "--format", form)
    assert (status, out, err.splitlines()[-1]) == (1, "", f"{FULL}, but the build is done")
    assert (here / "public/simple/demo/index.html").exists()


@needs_full
@pytest.mark.slow
@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-"])
def test_messages_that_cannot_be_written_change_no_exit_status(here: Path, redirection: str) -> None:
    (here / "wheels/bad.egg").write_bytes(b"x")
    statuses = [
        shell(redirection, *arguments)[0]
        for arguments in (["wheels", "public", "--no-cache"], ["gone", "public"], ["wheels", "public", "--nothing"])
    ]
    assert statuses == [1, 3, 2]


@pytest.mark.slow
def test_nothing_is_written_into_a_file_that_is_opened_in_place_of_a_closed_stream(here: Path) -> None:
    (here / "wheels/bad.egg").write_bytes(b"x")
    assert shell("<&- >&- 2>&-", "wheels", "public", "--cache-dir", "cache") == (1, "", "")
    status, out, err = shell("", "check", "public", "--no-cache")
    assert (status, out.splitlines()[-1].split(";")[0], err) == (0, "0 errors, 0 warnings, 0 notes", "")
    assert (here / "cache/facts.sqlite3").read_bytes().startswith(b"SQLite format 3\0")
