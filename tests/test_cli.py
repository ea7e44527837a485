"""The command line: exit status, usage, and what is printed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import mkindex
from mkindex import cli
from support.command_line import WHEEL, Run, snapshot
from support.wheels import metadata, wheel, write_sdist, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

SOON = "Requires-Python 'soon' is not valid and is left out, since uv would ignore the file"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory to stand in, with a wheel in ./wheels."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "demo", "1.0")
    return tmp_path


def directory_times(root: Path) -> dict[str, int]:
    """When something was last made or removed in each directory."""
    return {directory: os.stat(directory).st_mtime_ns for directory, _, _ in os.walk(root)}


# --- exit status ------------------------------------------------------------------------------------------------------


def test_done_is_0_and_says_what_was_done_and_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(capsys, "./wheels", "./public")
    size = os.path.getsize(f"wheels/{WHEEL}")
    assert (run.status, re.sub(r"in \d+\.\d\d s", "in 0.00 s", run.out), run.err) == (
        0,
        f"""\
./public: 1 project, 1 file, {size} bytes (9 written, 0 unchanged, 0 removed) in 0.00 s

Serve it:      python3 -m http.server --directory ./public
Install from:  pip install --index-url http://localhost:8000/simple/ demo
               uv pip install --default-index http://localhost:8000/simple/ demo
""",
        "",
    )


def test_done_with_a_rejected_file_is_1(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "wheels/bad.egg").write_bytes(b"x")
    run = Run(capsys, "wheels", "public")
    assert (run.status, run.err) == (
        1,
        f"rejected {here}/wheels/bad.egg: eggs are no longer installable: build a wheel\n",
    )
    assert run.out.splitlines()[1] == "1 file rejected, see above"


def test_warnings_do_not_change_the_status(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_wheel(here / "wheels", "demo", "2.0", requires_python="soon")
    run = Run(capsys, "--strict", "wheels", "public")
    assert (run.status, run.err) == (
        0,
        f"note {here}/wheels/demo-2.0-py3-none-any.whl: {SOON}\n",
    )


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["wheels"],
        ["--nope", "wheels", "public"],
        ["--link-mode", "symlink", "wheels", "public"],
        ["--jobs", "0", "wheels", "public"],
        ["--grace", "-1", "wheels", "public"],
        ["--grace", "soon", "wheels", "public"],
        ["--simple-path", "../x", "wheels", "public"],
        ["--files-url", "x", "wheels", "public"],
        ["--files-url", "https://[", "wheels", "public"],
        ["--files-have-metadata", "wheels", "public"],
        ["--templates", "gone", "wheels", "public"],
        ["--config", "gone", "wheels", "public"],
        ["wheels", "https://example.com/"],
        ["wheels", ""],
        ["", "public"],
        ["check"],
        ["serve"],
        ["serve", "--bind", "8000", "wheels"],
        ["--serve", "wheels", "public"],
        ["--watch", "--dry-run", "wheels", "public"],
        ["--settle", "-1", "wheels", "public"],
        ["--poll-interval", "0", "wheels", "public"],
        ["--rescan", "nan", "wheels", "public"],
        ["--bind", "localhost", "wheels", "public"],
        ["client"],
        ["client", "--for", "npm", "x"],
        ["client", "--name", "pypi", "public"],
        ["host"],
        ["host", "x"],
        ["host", "nginx", "--users", "/etc/x"],
        ["build"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_asked_for_is_2_and_writes_nothing(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    run = Run(capsys, *arguments)
    assert (run.status, run.out, sorted(os.listdir(here))) == (2, "", ["wheels"])
    assert run.err


SUBDIRECTORIES = "subdirectories skipped: wheels (use --recursive)"
NOTHING = "no wheel or sdist in"
RECURSIVE = " (--recursive also reads subdirectories)"
EMPTY = ". Use --allow-empty to publish an empty index"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["gone", "public"], "source {here}/gone does not exist. Check the path"),
        (
            [f"wheels/{WHEEL}", "public"],
            f"source {{here}}/wheels/{WHEEL} is a file. Give the directory that contains it",
        ),
        (
            ["htps:/x", "public"],
            (
                "source htps:/x has an unsupported scheme. Give a path, or an http, https or file address "
                "(for a directory of that name: ./htps:/x)"
            ),
        ),
        (
            ["empty", "public"],
            f"nothing to publish: {NOTHING} empty{RECURSIVE}{EMPTY}",
        ),
        (
            ["--recursive", "empty", "public"],
            f"nothing to publish: {NOTHING} empty{EMPTY}",
        ),
        (
            ["bad", "public"],
            f"nothing to publish: all files were rejected (1){RECURSIVE}{EMPTY}",
        ),
        (["--strict", "wheels", "bad", "public"], "nothing published: 1 file rejected, and --strict is set"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_3_and_writes_nothing(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], error: str
) -> None:
    (here / "empty").mkdir()
    (here / "bad").mkdir()
    (here / "bad/x.egg").write_bytes(b"x")
    before = snapshot(here)
    run = Run(capsys, *arguments)
    assert (run.status, run.out, run.err.splitlines()[-1]) == (3, "", "error " + error.format(here=here))
    assert snapshot(here) == before


def test_nothing_found_names_what_lies_in_subdirectories(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(capsys, ".", "public")
    assert (run.status, run.err) == (
        3,
        f"note {here}: {SUBDIRECTORIES}\nerror nothing to publish: {NOTHING} .{RECURSIVE}{EMPTY}\n",
    )


def test_an_index_stays_as_it_was_when_there_is_nothing_to_publish(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Run(capsys, "wheels", "public")
    (here / f"wheels/{WHEEL}").rename(here / "wheels/.hidden")
    before = snapshot(here / "public")
    assert Run(capsys, "wheels", "public").status == 3
    assert snapshot(here / "public") == before
    assert Run(capsys, "--allow-empty", "wheels", "public").status == 0


# --- usage ------------------------------------------------------------------------------------------------------------


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(capsys, "--version")
    assert (run.status, run.out, run.err) == (0, f"mkindex {mkindex.__version__}\n", "")


@pytest.mark.parametrize("argument", ["--help", "-h"])
def test_help_tells_of_every_option(capsys: pytest.CaptureFixture[str], argument: str) -> None:
    run = Run(capsys, argument)
    told = {word for line in run.out.splitlines() for word in re.findall(r"^  (?:-\w, )?(--[a-z-]+)", line)}
    options = [parameter for parameter in cli.cli.commands["build"].params if parameter.param_type_name == "option"]
    assert (run.status, run.err) == (0, "")
    assert told == {"--help", "--version"} | {max(option.opts, key=len) for option in options}
    assert [option.name for option in options if not getattr(option, "help", None)] == []


def test_build_is_the_command_that_is_meant(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [Run(capsys, *arguments) for arguments in (["wheels", "a"], ["build", "wheels", "b"], ["-q", "wheels", "c"])]
    assert [run.status for run in runs] == [0, 0, 0]
    assert sorted(os.listdir(here)) == ["a", "b", "c", "wheels"]


def test_a_directory_that_is_called_like_a_command_is_named_with_a_dot(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "wheels").rename(here / "build")
    run = Run(capsys, "build", "./public")
    assert run.status == 2
    assert "a directory whose name is that of a command is ./build" in run.err
    assert Run(capsys, "./build", "public").status == 0


# --- output -----------------------------------------------------------------------------------------------------------


def test_json_is_the_whole_report(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "wheels/bad.egg").write_bytes(b"x")
    (here / "wheels/README").write_bytes(b"x")
    run = Run(capsys, "--json", "wheels", "public")
    report = json.loads(run.out)
    assert isinstance(report.pop("seconds"), float)
    content = (here / f"wheels/{WHEEL}").read_bytes()
    reason = "eggs are no longer installable: build a wheel"
    (placed,) = (here / "public/files").rglob(WHEEL)
    place = str(placed.relative_to(here / "public"))
    assert (run.status, report) == (
        1,
        {
            "version": 1,
            "dry-run": False,
            "projects": 1,
            "files": 1,
            "bytes": len(content),
            "written": 9,
            "unchanged": 0,
            "removed": 0,
            "retired": 0,
            "rejected": [{"location": f"{here}/wheels/bad.egg", "reason": reason}],
            "notes": [{"location": f"{here}/wheels/README", "text": "skipped: not a wheel or sdist"}],
            "write": [
                *(place, f"{place}.metadata", "simple/demo/index.html", "simple/demo/index.v1_json"),
                *(".nojekyll", "404.html", "index.html", "simple/index.html", "simple/index.v1_json"),
            ],
            "remove": [],
        },
    )
    assert run.err == f"rejected {here}/wheels/bad.egg: {reason}\n"


def test_dry_run_says_what_would_be_done_and_writes_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = snapshot(here), directory_times(here)
    first = Run(capsys, "--dry-run", "wheels", "public")
    assert (snapshot(here), directory_times(here)) == before
    Run(capsys, "--grace", "0", "wheels", "public")
    (here / f"wheels/{WHEEL}").unlink()
    write_sdist(here / "wheels", "other", "1.0")
    before = snapshot(here), directory_times(here)
    second = Run(capsys, "--dry-run", "--grace", "0", "wheels", "public")
    assert (snapshot(here), directory_times(here)) == before
    done = Run(capsys, "-v", "--grace", "0", "wheels", "public")

    def steps(run: Run) -> list[str]:
        return re.findall(r"^(?:write|update|remove) .*", run.out, re.MULTILINE)

    assert (first.status, len(steps(first)), second.status) == (0, 9, 0)
    assert steps(second) == steps(done)
    assert "(9 to write, 0 unchanged, 0 to remove)" in first.out


def test_quiet_prints_problems_only_and_verbose_what_was_passed_over(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "wheels/bad.egg").write_bytes(b"x")
    (here / "wheels/README").write_bytes(b"x")
    (here / "wheels/sub").mkdir()
    bad = f"rejected {here}/wheels/bad.egg: eggs are no longer installable: build a wheel\n"
    sub = f"note {here}/wheels: subdirectories skipped: sub (use --recursive)\n"
    readme = f"note {here}/wheels/README: skipped: not a wheel or sdist\n"
    runs = {option: Run(capsys, option, "wheels", "public") for option in ("-q", "--links", "-v")}
    assert {option: sorted(run.err.splitlines(keepends=True)) for option, run in runs.items()} == {
        "-q": [bad],
        "--links": sorted([bad, sub]),
        "-v": sorted([bad, sub, readme]),
    }
    assert runs["-q"].out == ""


def test_no_name_and_no_content_reaches_the_terminal_as_it_is(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b[31m\r\n\u202e\x9b"
    wheels = here / f"w{evil}"
    wheels.mkdir()
    write_wheel(wheels, "demo", "2.0", requires_python=evil.strip())
    for name, content in {
        f"a{evil}-1.0.tar.gz": b"x",
        f"README{evil}": b"x",
        "b-1.0-py3-none-any.whl": wheel("b", "1.0", metadata=metadata(f"b{evil[:5]}", f"1{evil[-1]}")),
        "c-1.0-py3-none-any.whl": wheel("c", "1.0", dist_info=f"c{evil[:5]}.dist-info"),
        "d-1.0-py3-none-any.whl": wheel("d", "1.0", metadata_version=evil[:5]),
        "e-1.0.tar.gz": b"\x1f\x8b\x08" + evil.encode(),
        f"x{evil}.egg": b"x",
    }.items():
        (wheels / name).write_bytes(content)
    (wheels / "l-1.0.zip").symlink_to(f"/{evil}")
    (wheels / f"sub{evil}").mkdir()
    other = here / "other"
    other.mkdir()
    write_wheel(other, "demo", "2.0")
    (here / f"file{evil}").write_bytes(b"x")
    runs = [
        Run(capsys, *arguments)
        for arguments in (
            ["-v", str(wheels), f"public{evil}"],
            ["-v", "--prefer", "first", str(wheels), str(other), "public"],
            ["-v", str(wheels), str(other), f"file{evil}"],
            [f"gone{evil}", "public"],
            [f"x:{evil}", "public"],
            ["wheels", f"s3:{evil}"],
            [f"sub{evil}", f"file{evil}", "public"],
            ["--templates", evil, "wheels", "public"],
            ["--simple-path", evil, "wheels", "public"],
            ["--files-url", evil, "wheels", "public"],
            ["--config", evil, "wheels", "public"],
            ["--json", str(wheels), "public"],
        )
    ]
    assert [run.status for run in runs[:2]] == [1, 1]
    assert [
        (number, character)
        for number, run in enumerate(runs)
        for character in run.out + run.err
        if not character.isprintable() and character != "\n"
    ] == []


@pytest.mark.slow
def test_names_that_are_no_utf8_are_told_of_in_any_locale(here: Path) -> None:
    names = [os.fsdecode(name) for name in (b"w\xff", b"public\xff")]
    (here / names[0]).mkdir()
    write_wheel(here / names[0], "demo", "1.0")
    (here / names[0] / os.fsdecode(b"\xff.whl")).write_bytes(b"x")
    for encoding in ("ascii:strict", "utf-8:strict"):
        run = subprocess.run(
            [sys.executable, "-m", "mkindex", "-v", *names],
            env=os.environ | {"PYTHONIOENCODING": encoding},
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert (run.returncode, b"Traceback" in run.stderr) == (1, False), run.stderr
