"""The command line: exit status, usage errors, help, and the report."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import mkindex
from mkindex.config.table import BY_NAME, GROUPS
from support.command_line import WHEEL, Run, snapshot
from support.wheels import metadata, wheel, write_sdist, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

SOON = (
    "Requires-Python 'soon' is not valid and is left out: pip ignores it, but uv may ignore the file. Correct it and "
    "build the file again"
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a working directory with a wheel in ./wheels."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "demo", "1.0")
    return tmp_path


def directory_times(root: Path) -> dict[str, int]:
    """Return the modification time of each directory."""
    return {directory: os.stat(directory).st_mtime_ns for directory, _, _ in os.walk(root)}


# --- exit status ------------------------------------------------------------------------------------------------------


def test_success_is_0_and_the_report_shows_the_next_steps(capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(capsys, "./wheels", "./public")
    size = os.path.getsize(f"wheels/{WHEEL}")
    assert (run.status, re.sub(r"in \d+\.\d\d s", "in 0.00 s", run.out), run.err) == (
        0,
        f"""\
./public: 1 project, 1 file, {size} bytes (9 written, 0 unchanged, 0 files removed) in 0.00 s

Serve it:      python3 -m http.server --directory ./public
Install from:  pip install --index-url http://localhost:8000/simple/ demo
               uv pip install --default-index http://localhost:8000/simple/ demo
""",
        "",
    )


def test_a_build_with_a_rejected_file_is_1(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
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
def test_a_usage_error_is_2_and_writes_nothing(
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
                "source htps:/x has an unsupported scheme. Give a path, or an http, https, file, s3, gs or az address "
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
def test_a_build_that_fails_is_3_and_writes_nothing(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], error: str
) -> None:
    (here / "empty").mkdir()
    (here / "bad").mkdir()
    (here / "bad/x.egg").write_bytes(b"x")
    before = snapshot(here)
    run = Run(capsys, *arguments)
    assert (run.status, run.out, run.err.splitlines()[-1]) == (3, "", "error " + error.format(here=here))
    assert snapshot(here) == before


def test_a_note_names_subdirectories_if_nothing_was_found(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
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


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(capsys, "--version")
    assert (run.status, run.out, run.err) == (0, f"mkindex {mkindex.__version__}\n", "")


@pytest.mark.parametrize("argument", ["--help", "-h"])
def test_help_describes_every_option(capsys: pytest.CaptureFixture[str], argument: str) -> None:
    run = Run(capsys, argument)
    shown = [word for line in run.out.splitlines() for word in re.findall(r"^  (?:-\w, )?(--[a-z-]+)", line)]
    assert (run.status, run.err) == (0, "")
    assert sorted(shown) == sorted(["--help", "--version", "--config", *(option.flag for option in BY_NAME.values())])
    assert [option.name for option in BY_NAME.values() if not option.help] == []


def test_build_is_the_default_command(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [Run(capsys, *arguments) for arguments in (["wheels", "a"], ["build", "wheels", "b"], ["-q", "wheels", "c"])]
    assert [run.status for run in runs] == [0, 0, 0]
    assert sorted(os.listdir(here)) == ["a", "b", "c", "wheels"]


def test_a_directory_with_the_name_of_a_command_is_written_with_a_dot(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "wheels").rename(here / "build")
    run = Run(capsys, "build", "./public")
    assert run.status == 2
    assert "a directory that has the name of a command is written with a dot: ./build" in run.err
    assert Run(capsys, "./build", "public").status == 0


COMMANDS = """\
Commands:
  build       Make an index. The default: mkindex SOURCE... DEST.
  add         Add files to an index, and keep what it lists.
  remove      Take releases or files out of an index.
  yank        Yank releases or files (PEP 592): clients skip them.
  unyank      List yanked releases or files as not yanked.
  status      Set the status of a project (PEP 792).
  policy      Print what the policy decides about files, and why.
  check       Check an index, and report what clients will do wrong with it.
  client      Print a configuration with which a client uses an index safely.
  host        Print the configuration of a web server for an index.
  relocate    Change the addresses in the lock files of a bundle.
  serve       Serve an index over HTTP.
  completion  Print a script that completes commands in a shell.
"""
USAGE = """\
Usage: mkindex [OPTIONS] SOURCE... DEST
       mkindex COMMAND [OPTIONS] ...
"""


def headings(text: str) -> list[str]:
    return re.findall(r"^([A-Z][a-z ]+):$", text, re.MULTILINE)


@pytest.mark.parametrize("arguments", [[], ["--help"]], ids=["nothing", "--help"])
def test_help_shows_the_commands_first_and_then_options_in_groups(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    run = Run(capsys, *arguments)
    text = run.out or run.err
    assert (run.status, bool(run.out)) == ((0, True) if arguments else (2, False))
    assert text.startswith(USAGE)
    assert f"\n{COMMANDS}\n" in text
    assert headings(text) == ["Commands", *GROUPS, "Other options"]


@pytest.mark.parametrize(
    ("arguments", "usage", "error"),
    [
        (
            ["--nope", "wheels", "public"],
            USAGE,
            "unknown option --nope",
        ),
        (["--jobs", "0", "wheels", "public"], USAGE, "Invalid value for '-j' / '--jobs': 0 is not in the range x>=1."),
        (
            ["--max-download", "5 km", "wheels", "public"],
            USAGE,
            (
                "Invalid value for '--max-download': '5 km' is not a size. "
                "Give bytes, or a number with a unit: 500MB, 5GB, 2GiB"
            ),
        ),
        (["--files-have-metadata", "wheels", "public"], USAGE, "--files-have-metadata requires --files-url"),
        (["chekc"], USAGE, "chekc is neither a command nor an existing path. Did you mean: mkindex check"),
        (
            ["-q", "sever", "public"],
            USAGE,
            "sever is neither a command nor an existing path. Did you mean: mkindex serve",
        ),
        (["serve"], "Usage: mkindex serve [OPTIONS] DIR\n", "Missing argument 'DIR'."),
        (
            ["host", "nginx", "--root", "/"],
            "Usage: mkindex host [OPTIONS] NAME\n",
            "--root / would publish every file of the machine: give the directory of the tree",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_usage_error_shows_the_usage_the_commands_and_the_error_last(
    capsys: pytest.CaptureFixture[str], arguments: list[str], usage: str, error: str
) -> None:
    path = re.sub(r" (\[|COMMAND).*", "", usage.splitlines()[0].removeprefix("Usage: "))
    run = Run(capsys, *arguments)
    assert (run.status, run.out) == (2, "")
    assert run.err == f"{usage}\n{COMMANDS}\n'{path} --help' explains all options.\n\nerror {error}\n"


def test_a_path_that_exists_is_not_taken_for_a_misspelled_command(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "wheels").rename(here / "chekc")
    assert Run(capsys, "chekc", "public").status == 0


@pytest.mark.parametrize("name", ["build", "check", "client", "host", "serve"])
def test_a_path_that_ends_in_the_name_of_a_command_is_a_source(
    here: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (here / "wheels").rename(here / name)
    assert Run(capsys, f"./{name}", "./public").status == 0


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
            "removed-files": [],
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


def test_a_dry_run_lists_paths_only_if_it_is_verbose(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = Run(capsys, "--dry-run", "wheels", "public").out
    hint = "Nothing was written (-v lists the paths)\n"
    assert re.sub(r"[0-9.]+ (?=s\n|bytes)", "N ", out) == (
        f"public: 1 project, 1 file, N bytes (9 to write, 0 unchanged, 0 files to remove) in N s\n{hint}"
    )
    Run(capsys, "wheels", "public")
    assert hint not in Run(capsys, "--dry-run", "wheels", "public").out  # there is nothing to list


def test_a_dry_run_prints_its_steps_and_writes_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = snapshot(here), directory_times(here)
    first = Run(capsys, "--dry-run", "-v", "wheels", "public")
    assert (snapshot(here), directory_times(here)) == before
    Run(capsys, "--grace", "0", "wheels", "public")
    (here / f"wheels/{WHEEL}").unlink()
    write_sdist(here / "wheels", "other", "1.0")
    before = snapshot(here), directory_times(here)
    second = Run(capsys, "--dry-run", "-v", "--grace", "0", "wheels", "public")
    assert (snapshot(here), directory_times(here)) == before
    done = Run(capsys, "-v", "--grace", "0", "wheels", "public")

    def steps(run: Run) -> list[str]:
        return re.findall(r"^(?:write|update|remove) .*", run.out, re.MULTILINE)

    assert (first.status, len(steps(first)), second.status) == (0, 9, 0)
    assert steps(second) == steps(done)
    assert "(9 to write, 0 unchanged, 0 files to remove)" in first.out


def test_quiet_prints_problems_only_and_verbose_prints_skipped_files_too(
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


def test_control_characters_in_names_and_contents_are_escaped(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
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
def test_names_that_are_not_utf8_are_printed_in_any_locale(here: Path) -> None:
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
