"""What a workflow on GitHub is told of a build, and that no name of a file can tell it anything."""

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
from mkindex.reports.github import annotated, annotation, failure
from support.wheels import write_wheel

if TYPE_CHECKING:
    from pathlib import Path

# What names of files can be, on Linux anything but "/" and NUL.
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
class Ran:
    """What a build in a workflow left behind."""

    status: int
    log: list[str]  # its lines
    err: str
    summary: str
    outputs: str


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with a wheel in ./dist, and what a runner gives to a step."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dist").mkdir()
    write_wheel(tmp_path / "dist", "demo", "1.0")
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
        (tmp_path / name).write_text("before\n")
        monkeypatch.setenv(name, str(tmp_path / name))
    return tmp_path


def run(here: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> Ran:
    capsys.readouterr()
    status = cli.run(["dist", "public", "--format", "github", *arguments])
    out, err = capsys.readouterr()
    left = [(here / name).read_text() for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")]
    assert all(text.startswith("before\n") for text in left)
    return Ran(status, out.split("\n"), err, *(text.removeprefix("before\n") for text in left))


def commands(log: list[str]) -> list[str]:
    """The lines that a runner takes for commands: they begin with "::", or else have "##[" in them."""
    return [line for line in log if line.lstrip().startswith("::") or "##[" in line]


def cells(summary: str) -> list[list[str]]:
    """The rows of all tables, as a reader sees them; each must be a table's own."""
    rows = [line for line in summary.splitlines() if line.startswith("|")]
    assert all(re.fullmatch(r"\|( [^|]+ \|)+", row) for row in rows)
    return [[unescape(re.sub("</?code>", "", cell)) for cell in row[2:-2].split(" | ")] for row in rows]


def test_a_build_leaves_a_summary_and_outputs(runner: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = (runner / "dist/demo-1.0-py3-none-any.whl").stat().st_size
    ran = run(runner, capsys)
    assert (ran.status, ran.err, commands(ran.log)) == (0, "", [])
    assert ran.log[0].startswith(f"public: 1 project, 1 file, {size} bytes (9 written, 0 unchanged, 0 removed) in ")
    assert ran.outputs == "projects=1\nfiles=1\nrejected=0\n"
    assert (
        ran.summary
        == f"""\
### Package index in <code>public</code>

| projects | files | size | rejected |
| --- | --- | --- | --- |
| 1 | 1 | {size} bytes | 0 |

Files and pages: 9 written, 0 unchanged, 0 removed.

"""
    )


def test_rejected_files_are_errors_and_notes_are_notices(runner: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runner / "dist/bad.egg").write_bytes(b"x")
    (runner / "dist/sub").mkdir()
    (runner / "dist/README").write_bytes(b"x")
    ran = run(runner, capsys)
    where, egg = f"{runner}/dist", "eggs are no longer installable: build a wheel"
    assert (ran.status, ran.err) == (1, "")
    assert commands(ran.log) == [
        f"::error title=mkindex::rejected {where}/bad.egg: {egg}",
        f"::notice title=mkindex::{where}: subdirectories skipped: sub (use --recursive)",
    ]
    assert ran.outputs == "projects=1\nfiles=1\nrejected=1\n"
    assert cells(ran.summary)[3:] == [
        *(["rejected", "why"], ["---", "---"], [f"{where}/bad.egg", egg]),
        *(["note on", "what"], ["---", "---"], [where, "subdirectories skipped: sub (use --recursive)"]),
    ]


def test_notes_are_left_out_on_request_and_details_told_on_request(
    runner: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (runner / "dist/sub").mkdir()
    (runner / "dist/README").write_bytes(b"x")
    assert run(runner, capsys, "--quiet").log == [""]
    told = commands(run(runner, capsys, "--verbose").log)
    assert [line.rpartition(": ")[2] for line in told] == ["not a wheel or sdist", "sub (use --recursive)"]


def test_what_the_previous_site_has_not_is_named(runner: Path, capsys: pytest.CaptureFixture[str]) -> None:
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


def test_no_name_is_a_command_an_output_or_a_part_of_the_page(runner: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in HOSTILE:
        (runner / "dist" / name).write_bytes(b"x")
    ran = run(runner, capsys)
    assert (ran.status, ran.err, ran.outputs) == (1, "", f"projects=1\nfiles=1\nrejected={len(HOSTILE)}\n")
    assert len(commands(ran.log)) == len(HOSTILE)
    for line in commands(ran.log):
        assert line.startswith("::error title=mkindex::rejected ")
    shown = [name.encode("unicode_escape").decode() for name in HOSTILE]
    rows = cells(ran.summary)
    assert sorted(row[0] for row in rows[5:]) == sorted(f"{runner}/dist/{name}" for name in shown)
    assert {len(row) for row in rows[3:]} == {2}
    others = [line for line in ran.summary.splitlines() if not line.startswith("|")]
    assert others == ["### Package index in <code>public</code>", "", "", OTHERS, "", "", ""]
    assert set(re.findall("[<>`\\\\\\[\\]]", re.sub("</?code>", "", ran.summary))) == set()


OTHERS = "Files and pages: 9 written, 0 unchanged, 0 removed."


def test_nothing_published_is_an_error_with_a_summary_and_no_outputs(
    runner: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (runner / "dist" / HOSTILE[1]).write_bytes(b"x")
    ran = run(runner, capsys, "--strict")
    why = "1 rejected, and --strict publishes nothing then"
    assert (ran.status, ran.err, ran.outputs) == (3, "", "")
    assert commands(ran.log)[1:] == [f"::error title=mkindex::{why}"]
    assert ran.summary.startswith("### Package index: not published\n\n1 rejected, and --strict publishes")
    assert cells(ran.summary)[2][0] == f"{runner}/dist/##[add-mask]a-1.0.zip"
    assert not (runner / "public").exists() or os.listdir("public") == [".mkindex"]


def test_the_summary_stays_below_what_github_takes(runner: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(1500):
        (runner / "dist" / f"{'😀' * 60}{number}.egg").write_bytes(b"")
    ran = run(runner, capsys, "--previous", "nowhere")
    assert len(commands(ran.log)) == 1501
    assert len(ran.summary.encode()) < 1 << 20
    assert "… and 1,400 more, which the log names.\n" in ran.summary
    worst = Rejected(location="\U0001f600" * 10_000, reason="\U0001f600|" * 10_000)
    note = Note(location=worst.location, text=worst.reason)
    assert len(failure(NotPublished(worst.reason, (worst, note) * 10_000)).encode()) < 1 << 20


def test_without_a_runner_only_the_log_is_written(
    runner: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "")
    monkeypatch.delenv("GITHUB_OUTPUT")
    ran = run(runner, capsys)
    assert (ran.status, ran.summary, ran.outputs) == (0, "", "")


def test_other_forms_leave_the_runner_alone(runner: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for form in "text", "json":
        ran = run(runner, capsys, "--format", form)
        assert (ran.status, commands(ran.log), ran.summary, ran.outputs) == (0, [], "", "")


@pytest.mark.parametrize(
    ("said", "is_json"), [((), True), (("--format", "github"), False), (("--format", "text", "--json"), True)]
)
def test_what_the_command_line_says_counts_before_what_mkindex_toml_does(
    runner: Path, capsys: pytest.CaptureFixture[str], said: tuple[str, ...], is_json: bool
) -> None:
    (runner / "mkindex.toml").write_text("json = true\n")
    capsys.readouterr()
    assert cli.run(["dist", "public", *said]) == 0
    assert capsys.readouterr().out.startswith("{") == is_json


def test_json_is_the_same_by_either_name(runner: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.run(["dist", "public", "--format", "json", "--dry-run"])
    one = json.loads(capsys.readouterr().out)
    cli.run(["dist", "public", "--json", "--dry-run"])
    assert {**json.loads(capsys.readouterr().out), "seconds": 0} == {**one, "seconds": 0}


def test_what_cannot_be_written_is_a_warning(
    runner: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(runner))
    capsys.readouterr()
    assert cli.run(["dist", "public", "--format", "github"]) == 0
    told = commands(capsys.readouterr().out.split("\n"))
    assert told == ["::warning title=mkindex::cannot write what GITHUB_OUTPUT names: Is a directory"]


def test_a_watch_is_no_step_of_a_workflow(runner: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran = run(runner, capsys, "--watch")
    assert (ran.status, ran.err.splitlines()[-1]) == (
        2,
        "Error: --format github is for one build, and --watch makes many: leave one out",
    )


def test_mkindex_toml_may_ask_for_it(runner: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runner / "mkindex.toml").write_text("format = 'github'\n")
    (runner / "dist/bad.egg").write_bytes(b"x")
    capsys.readouterr()
    assert cli.run(["dist", "public"]) == 1
    assert len(commands(capsys.readouterr().out.split("\n"))) == 1
    (runner / "mkindex.toml").write_text("format = 'xml'\n")
    assert cli.run(["dist", "public"]) == 2


def test_an_annotation_is_one_line_whatever_is_said() -> None:
    assert annotation("notice", "a: b,\nc\r%", "x: y,\r\n%0A::error::") == (
        "::notice title=a%3A b%2C%0Ac%0D%25::x: y,%0D%0A%250A::error::"
    )
    found: list[Rejected | Note] = [
        Rejected(location="a\nb", reason="no\ngood"),
        Note(location="c", text="d", detail=True),
    ]
    assert list(annotated(found, quiet=False, verbose=False)) == [
        "::error title=mkindex::rejected a\\nb: no%0Agood",
    ]


def test_an_error_is_told_without_its_findings_where_it_has_none() -> None:
    assert failure(MkindexError("no|disk\nleft")) == ("### Package index: not published\n\nno&#124;disk&#92;nleft\n\n")
