"""The report of a build for a workflow on GitHub, and that no filename can give the runner a command."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from html import unescape
from typing import TYPE_CHECKING

import pytest

from mkindex import cli
from mkindex.errors import MkindexError, Note, NotPublished, Rejected
from mkindex.reports.github import annotate, annotation, failure
from support.wheels import write_wheel

if TYPE_CHECKING:
    from pathlib import Path

# On Linux a filename may have any characters but "/" and NUL.
HOSTILE = (
    "a\n::error title=x::y-1.0.zip",
    "##[add-mask]a-1.0.zip",
    "::set-output name=path::b-1.0.zip",
    "b|c`d`<img src=x onerror=1>-1.0.zip",
    "c](https:%0A)[x-1.0.zip",
    "d\r\n### heading\n* item-1.0.zip",
    "e\nrejected=0\nEOF\n-1.0.zip",
    "f**_~~&lt;!--$(id)@someone-1.0.zip",
    "g\u202e\x1b[31m-1.0.zip",
    "h%0A::stop-commands::x-1.0.zip",
)


@dataclass
class StepResult:
    """The output of a build in a workflow."""

    status: int
    log: list[str]  # its lines
    err: str
    summary: str
    outputs: str


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with a wheel in ./dist, and the environment that a runner gives to a step."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dist").mkdir()
    write_wheel(tmp_path / "dist", "demo", "1.0")
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
        (tmp_path / name).write_text("before\n")
        monkeypatch.setenv(name, str(tmp_path / name))
    return tmp_path


def run(here: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> StepResult:
    capsys.readouterr()
    status = cli.run(["dist", "public", "--format", "github", *arguments])
    out, err = capsys.readouterr()
    files = [(here / name).read_text() for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")]
    assert all(text.startswith("before\n") for text in files)
    return StepResult(status, out.split("\n"), err, *(text.removeprefix("before\n") for text in files))


def commands(log: list[str]) -> list[str]:
    """The lines that a runner treats as commands: they begin with "::", or contain "##["."""
    return [line for line in log if line.lstrip().startswith("::") or "##[" in line]


def cells(summary: str) -> list[list[str]]:
    """The rows of all tables as a reader sees them. Each must be a valid row."""
    rows = [line for line in summary.splitlines() if line.startswith("|")]
    assert all(re.fullmatch(r"\|( [^|]+ \|)+", row) for row in rows)
    return [[unescape(re.sub("</?code>", "", cell)) for cell in row[2:-2].split(" | ")] for row in rows]


def test_a_build_leaves_a_summary_and_outputs(runner: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = (runner / "dist/demo-1.0-py3-none-any.whl").stat().st_size
    result = run(runner, capsys)
    assert (result.status, result.err, commands(result.log)) == (0, "", [])
    assert result.log[0].startswith(
        f"public: 1 project, 1 file, {size} bytes (9 written, 0 unchanged, 0 files removed) in "
    )
    assert result.outputs == "projects=1\nfiles=1\nrejected=0\n"
    assert (
        result.summary
        == f"""\
### Package index in <code>public</code>

| projects | files | size | rejected |
| --- | --- | --- | --- |
| 1 | 1 | {size} bytes | 0 |

Files and pages: 9 written, 0 unchanged, 0 deleted. Removed from the index: 0 files.

"""
    )


def test_rejected_files_are_errors_and_notes_are_notices(runner: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runner / "dist/bad.egg").write_bytes(b"x")
    (runner / "dist/sub").mkdir()
    (runner / "dist/README").write_bytes(b"x")
    result = run(runner, capsys)
    where, egg = f"{runner}/dist", "eggs are no longer installable: build a wheel"
    assert (result.status, result.err) == (1, "")
    assert commands(result.log) == [
        f"::error title=mkindex::rejected {where}/bad.egg: {egg}",
        f"::notice title=mkindex::{where}: subdirectories skipped: sub (use --recursive)",
    ]
    assert result.outputs == "projects=1\nfiles=1\nrejected=1\n"
    assert cells(result.summary)[3:] == [
        *(["rejected", "why"], ["---", "---"], [f"{where}/bad.egg", egg]),
        *(["note on", "what"], ["---", "---"], [where, "subdirectories skipped: sub (use --recursive)"]),
    ]


def test_quiet_hides_notes_and_verbose_shows_details(runner: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runner / "dist/sub").mkdir()
    (runner / "dist/README").write_bytes(b"x")
    assert run(runner, capsys, "--quiet").log == [""]
    lines = commands(run(runner, capsys, "--verbose").log)
    assert [line.rpartition(": ")[2] for line in lines] == ["not a wheel or sdist", "sub (use --recursive)"]


def test_files_that_the_previous_site_lacks_are_named(runner: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = run(runner, capsys, "--previous", "site")
    assert "Not on the previous site: 1 file.\n\n* <code>demo-1&#46;0-py3-none-any&#46;whl</code>\n" in first.summary
    os.rename("public", "site")
    (runner / "GITHUB_STEP_SUMMARY").write_text("before\n")
    assert "\nEvery file was on the previous site.\n" in run(runner, capsys, "--previous", "site").summary
    write_wheel(runner / "dist", "demo", "1.1")
    (runner / "GITHUB_STEP_SUMMARY").write_text("before\n")
    again = run(runner, capsys, "--previous", "site/simple")
    assert "Not on the previous site: 1 file.\n\n* <code>demo-1&#46;1-py3-none-any&#46;whl</code>\n" in again.summary
    capsys.readouterr()
    cli.run(["dist", "public", "--json", "--previous", "site"])
    assert json.loads(capsys.readouterr().out)["new"] == ["demo-1.1-py3-none-any.whl"]


def test_no_filename_becomes_a_command_an_output_or_markup(runner: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in HOSTILE:
        (runner / "dist" / name).write_bytes(b"x")
    result = run(runner, capsys)
    assert (result.status, result.err, result.outputs) == (1, "", f"projects=1\nfiles=1\nrejected={len(HOSTILE)}\n")
    assert len(commands(result.log)) == len(HOSTILE)
    for line in commands(result.log):
        assert line.startswith("::error title=mkindex::rejected ")
    shown = [name.encode("unicode_escape").decode() for name in HOSTILE]
    rows = cells(result.summary)
    assert sorted(row[0] for row in rows[5:]) == sorted(f"{runner}/dist/{name}" for name in shown)
    assert {len(row) for row in rows[3:]} == {2}
    others = [line for line in result.summary.splitlines() if not line.startswith("|")]
    assert others == ["### Package index in <code>public</code>", "", "", OTHERS, "", "", ""]
    assert set(re.findall("[<>`\\\\\\[\\]]", re.sub("</?code>", "", result.summary))) == set()


OTHERS = "Files and pages: 9 written, 0 unchanged, 0 deleted. Removed from the index: 0 files."


def test_a_refused_build_is_an_error_with_a_summary_and_no_outputs(
    runner: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (runner / "dist" / HOSTILE[1]).write_bytes(b"x")
    result = run(runner, capsys, "--strict")
    why = "nothing published: 1 file rejected, and --strict is set"
    assert (result.status, result.err, result.outputs) == (3, "", "")
    assert commands(result.log)[1:] == [f"::error title=mkindex::{why}"]
    assert result.summary.startswith(
        "### Package index: not published\n\nnothing published&#58; 1 file rejected, and --strict is set"
    )
    assert cells(result.summary)[2][0] == f"{runner}/dist/##[add-mask]a-1.0.zip"
    assert not (runner / "public").exists() or os.listdir("public") == [".mkindex"]


def test_the_summary_stays_below_the_limit_of_github(runner: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(1500):
        (runner / "dist" / f"{'😀' * 60}{number}.egg").write_bytes(b"")
    result = run(runner, capsys, "--previous", "nowhere")
    assert len(commands(result.log)) == 1501
    assert len(result.summary.encode()) < 1 << 20
    assert "… and 1,400 more, see the log.\n" in result.summary
    worst = Rejected(location="\U0001f600" * 10_000, reason="\U0001f600|" * 10_000)
    note = Note(location=worst.location, text=worst.reason)
    assert len(failure(NotPublished(worst.reason, (worst, note) * 10_000)).encode()) < 1 << 20


def test_without_a_runner_only_the_log_is_written(
    runner: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "")
    monkeypatch.delenv("GITHUB_OUTPUT")
    result = run(runner, capsys)
    assert (result.status, result.summary, result.outputs) == (0, "", "")


def test_other_formats_leave_the_runner_alone(runner: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for form in "text", "json":
        result = run(runner, capsys, "--format", form)
        assert (result.status, commands(result.log), result.summary, result.outputs) == (0, [], "", "")


@pytest.mark.parametrize(
    ("arguments", "is_json"), [((), True), (("--format", "github"), False), (("--format", "text", "--json"), True)]
)
def test_a_format_on_the_command_line_has_priority_over_mkindex_toml(
    runner: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], is_json: bool
) -> None:
    (runner / "mkindex.toml").write_text("json = true\n")
    capsys.readouterr()
    assert cli.run(["dist", "public", *arguments]) == 0
    assert capsys.readouterr().out.startswith("{") == is_json


def test_json_and_format_json_are_the_same(runner: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.run(["dist", "public", "--format", "json", "--dry-run"])
    one = json.loads(capsys.readouterr().out)
    cli.run(["dist", "public", "--json", "--dry-run"])
    assert {**json.loads(capsys.readouterr().out), "seconds": 0} == {**one, "seconds": 0}


def test_a_file_of_the_runner_that_cannot_be_written_is_a_warning(
    runner: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(runner))
    capsys.readouterr()
    assert cli.run(["dist", "public", "--format", "github"]) == 0
    lines = commands(capsys.readouterr().out.split("\n"))
    assert lines == ["::warning title=mkindex::cannot write the file in GITHUB_OUTPUT: Is a directory"]


def test_a_watch_has_no_format_github(runner: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(runner, capsys, "--watch")
    assert (result.status, result.err.splitlines()[-1]) == (
        2,
        "error --format github and --watch exclude each other: it reports one build",
    )


def test_mkindex_toml_may_set_the_format(runner: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runner / "mkindex.toml").write_text("format = 'github'\n")
    (runner / "dist/bad.egg").write_bytes(b"x")
    capsys.readouterr()
    assert cli.run(["dist", "public"]) == 1
    assert len(commands(capsys.readouterr().out.split("\n"))) == 1
    (runner / "mkindex.toml").write_text("format = 'xml'\n")
    assert cli.run(["dist", "public"]) == 2


def test_an_annotation_is_one_line_whatever_the_text() -> None:
    assert annotation("notice", "a: b,\nc\r%", "x: y,\r\n%0A::error::") == (
        "::notice title=a%3A b%2C%0Ac%0D%25::x: y,\\r%0A%250A::error::"
    )
    found: list[Rejected | Note] = [
        Rejected(location="a\nb", reason="no\ngood"),
        Note(location="c", text="d", detail=True),
    ]
    assert list(annotate(found, quiet=False, verbose=False)) == [
        "::error title=mkindex::rejected a\\nb: no%0Agood",
    ]


def test_an_error_without_findings_has_a_summary_without_tables() -> None:
    assert failure(MkindexError("no|disk\nleft")) == ("### Package index: not published\n\nno&#124;disk&#92;nleft\n\n")
