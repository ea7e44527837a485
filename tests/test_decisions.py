"""yank, unyank and status: the pages of a published index change, and what governs it remembers the decision."""

from __future__ import annotations

import builtins
import errno
import json
import os
from typing import TYPE_CHECKING

import pytest

from mkindex.build.deciding import decide_yank
from mkindex.build.pipeline import build
from mkindex.config import Config
from mkindex.errors import MkindexError
from support.builds import publish
from support.command_line import Run, snapshot
from support.trees import read_tree
from support.wheels import write_wheel

if TYPE_CHECKING:
    from pathlib import Path

FILES = {version: f"demo-{version}-py3-none-any.whl" for version in ("1.0", "1.1", "1.2")}
TOML = """\
# Our index.
sources = ["wheels"]
destination = "public"  # served by nginx

[[keep]]
project = "*"
newest = 10  # enough
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with an index of two projects in ./public."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wheels").mkdir()
    for version in FILES:
        write_wheel(tmp_path / "wheels", "demo", version)
    write_wheel(tmp_path / "wheels", "other", "1.0")
    publish(tmp_path / "wheels", tmp_path / "public")
    return tmp_path


@pytest.fixture
def governed(here: Path) -> Path:
    """The mkindex.toml that governs ./public."""
    (here / "mkindex.toml").write_text(TOML)
    return here / "mkindex.toml"


def page(here: Path, project: str = "demo") -> dict[str, object]:
    document: dict[str, object] = json.loads((here / f"public/simple/{project}/index.v1_json").read_bytes())
    return document


def yanked(here: Path) -> dict[str, object]:
    """The yanked releases of demo, and why."""
    files = page(here)["files"]
    assert isinstance(files, list)
    return {file["filename"].split("-")[1]: file["yanked"] for file in files if "yanked" in file}


# --- an index without a policy ---------------------------------------------------------------------------------------


def test_a_yank_changes_the_pages_and_nothing_else(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = read_tree(here / "public")
    run = Run(capsys, "yank", "public", "demo==1.1", "--reason", "corrupts <data>")
    assert (run.status, run.err) == (0, "")
    assert yanked(here) == {"1.1": "corrupts <data>"}
    after = read_tree(here / "public")
    assert {path for path in after if after[path] != before.get(path) and not path.startswith(".mkindex")} == {
        "simple/demo/index.html",
        "simple/demo/index.v1_json",
    }


def test_the_index_remembers_a_yank_while_it_grows(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Run(capsys, "yank", "public", "demo==1.1", "--reason", "broken")
    (here / "new").mkdir()
    write_wheel(here / "new", "demo", "2.0")
    assert Run(capsys, "add", "new", "public").status == 0
    assert yanked(here) == {"1.1": "broken"}
    assert Run(capsys, "unyank", "public", "demo==1.1").status == 0
    assert yanked(here) == {}


def test_files_are_yanked_by_a_pattern_and_without_a_reason(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Run(capsys, "yank", "public", "demo-1.[01]-*", "other").status == 0
    assert yanked(here) == {"1.0": True, "1.1": True}


def test_a_build_that_would_list_a_file_as_not_yanked_is_refused_without_unyank(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Run(capsys, "yank", "public", "demo<1.2")
    before = read_tree(here / "public")
    run = Run(capsys, "wheels", "public")
    refusal = (
        "nothing published: the index in public yanks 2 files that this build would list as not yanked "
        f"({FILES['1.0']}, {FILES['1.1']}). Yank them in the policy, too, or use --unyank"
    )
    assert (run.status, run.err) == (3, f"error {refusal}\n")
    assert read_tree(here / "public") == before
    assert Run(capsys, "wheels", "public", "--unyank").status == 0
    assert yanked(here) == {}


def test_a_build_that_would_list_a_quarantined_project_is_refused_without_unyank(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Run(capsys, "status", "public", "demo", "quarantined")
    before = read_tree(here / "public")
    run = Run(capsys, "wheels", "public")
    refusal = (
        "nothing published: the index in public quarantines 1 project that this build would list (demo). Set the "
        "status in the policy, too, or use --unyank"
    )
    assert (run.status, run.err) == (3, f"error {refusal}\n")
    assert read_tree(here / "public") == before
    (here / "policy.toml").write_text('[[status]]\nproject = "demo"\nstatus = "deprecated"\n')
    assert Run(capsys, "wheels", "public", "--policy", "policy.toml").status == 0
    Run(capsys, "status", "public", "demo", "quarantined", "--policy", "policy.toml")
    (here / "policy.toml").write_text("")
    assert Run(capsys, "wheels", "public", "--unyank").status == 0


def test_a_build_after_a_decision_does_not_say_that_the_index_was_grown(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Run(capsys, "yank", "public", "other").status == 0
    assert Run(capsys, "remove", "public", "other", "--yes").status == 0
    (here / "wheels" / FILES["1.0"]).unlink()
    assert publish(here / "wheels", here / "public").notes == ()


def test_a_project_with_a_status_can_be_removed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for project in ("demo", "other"):
        assert Run(capsys, "status", "public", project, "archived").status == 0
    assert Run(capsys, "remove", "public", "other", "demo==1.0", "--yes").status == 0
    assert sorted(path.name for path in (here / "public/simple").iterdir() if path.is_dir()) == ["demo"]
    assert page(here)["project-status"] == {"status": "archived"}


def test_a_build_may_remove_or_replace_a_yanked_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Run(capsys, "yank", "public", "demo<1.2")
    (here / "wheels" / FILES["1.0"]).unlink()
    write_wheel(here / "wheels", "demo", "1.1", summary="other bytes")
    assert Run(capsys, "wheels", "public").status == 0
    assert yanked(here) == {}


def test_a_policy_that_says_so_may_list_a_file_as_not_yanked(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Run(capsys, "yank", "public", "demo==1.1")
    (here / "policy.toml").write_text('[[yank]]\nproject = "demo"\nyanked = false\n')
    assert Run(capsys, "wheels", "public", "--policy", "policy.toml").status == 0
    assert yanked(here) == {}


def test_a_project_that_is_only_listed_for_its_status_can_get_another(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = '[[status]]\nproject = "demo"\nstatus = "archived"\n[[only]]\nproject = "demo"\nversions = ">9"\n'
    (here / "policy.toml").write_text(rules)
    publish(here / "wheels", here / "public", policy=str(here / "policy.toml"))
    assert (page(here)["project-status"], page(here)["files"]) == ({"status": "archived"}, [])
    assert Run(capsys, "status", "public", "demo", "deprecated").status == 0
    assert page(here)["project-status"] == {"status": "deprecated"}


def test_the_status_of_a_project_is_set_and_taken_back(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Run(capsys, "status", "public", "Demo", "archived", "--reason", "use other").status == 0
    assert page(here)["project-status"] == {"status": "archived", "reason": "use other"}
    assert Run(capsys, "status", "public", "demo", "quarantined").status == 0
    assert (page(here)["project-status"], page(here)["files"]) == ({"status": "quarantined"}, [])
    assert Run(capsys, "status", "public", "demo", "active").status == 0
    assert "project-status" not in page(here)
    assert yanked(here) == {}


MISTAKES = {
    ("yank", "public", "demo==9"): (
        3,
        "nothing yanked: no file in public matches 'demo==9'. It lists demo 1.0, 1.1, 1.2",
    ),
    ("unyank", "public", "none"): (3, "nothing unyanked: public has no project 'none'. Check the name"),
    ("status", "public", "none", "archived"): (3, "nothing changed: public has no project 'none'. Check the name"),
    ("status", "public", "Demmo", "archived"): (
        3,
        "nothing changed: public has no project 'demmo'. Did you mean demo?",
    ),
    ("status", "public", "demo==1.1", "archived"): (
        2,
        "'demo==1.1' is not the name of a project, and a status is that of all its files",
    ),
    ("status", "public", "demo*", "archived"): (
        2,
        "'demo*' is not the name of a project, and a status is that of all its files",
    ),
    ("status", "public", "", "archived"): (
        2,
        "'' is neither a requirement, such as demo==1.0, nor a pattern for filenames, such as 'demo-1.0-*.whl'",
    ),
    ("yank", "public", "demo", "--reason", "a\nb"): (2, "--reason must be printable text of one line"),
    ("status", "public", "demo", "archived", "--reason", "a\nb"): (2, "--reason must be printable text of one line"),
    ("yank", "elsewhere", "demo"): (3, "nothing yanked: there is no index in elsewhere"),
    ("status", "public", "demo", "active", "--reason", "x"): (2, "active and --reason exclude each other"),
    ("yank", "public", "=="): (
        2,
        "'==' is neither a requirement, such as demo==1.0, nor a pattern for filenames, such as 'demo-1.0-*.whl'",
    ),
}


@pytest.mark.parametrize("arguments", MISTAKES, ids=repr)
def test_a_mistake_changes_nothing(arguments: tuple[str, ...], here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = snapshot(here)
    run = Run(capsys, *arguments)
    assert (run.status, run.err.splitlines()[-1]) == (MISTAKES[arguments][0], f"error {MISTAKES[arguments][1]}")
    assert snapshot(here) == before


# --- an index that a policy governs ----------------------------------------------------------------------------------


def test_the_policy_gets_the_rule_and_keeps_its_comments(
    here: Path, governed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Run(capsys, "yank", "public", "demo==1.1", "--reason", "broken").status == 0
    assert Run(capsys, "status", "public", "other", "deprecated").status == 0
    assert governed.read_text() == TOML + (
        '\n[[yank]]\nproject = "demo"\nversions = "==1.1"\nreason = "broken"\n'
        '\n[[status]]\nproject = "other"\nstatus = "deprecated"\n'
    )
    assert (yanked(here), page(here, "other")["project-status"]) == ({"1.1": "broken"}, {"status": "deprecated"})


def test_a_build_after_a_decision_writes_nothing(
    here: Path, governed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Run(capsys, "yank", "public", "demo==1.1", "--reason", "broken")
    Run(capsys, "status", "public", "other", "deprecated")
    pages = {path: data for path, data in read_tree(here / "public").items() if not path.startswith(".mkindex")}
    run = Run(capsys)
    assert (run.status, "(0 written," in run.out) == (0, True)
    assert {path: data for path, data in read_tree(here / "public").items() if not path.startswith(".mkindex")} == pages


def test_a_rule_is_replaced_and_dropped(here: Path, governed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Run(capsys, "yank", "public", "demo==1.1", "--reason", "broken")
    Run(capsys, "yank", "public", "Demo == 1.1", "--reason", "worse")
    assert governed.read_text() == TOML + '\n[[yank]]\nproject = "demo"\nversions = "==1.1"\nreason = "worse"\n'
    assert yanked(here) == {"1.1": "worse"}
    Run(capsys, "unyank", "public", "demo==1.1")
    assert (governed.read_text(), yanked(here)) == (TOML, {})


def test_a_release_is_excepted_from_a_rule_for_more(
    here: Path, governed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Run(capsys, "yank", "public", "demo", "--reason", "old")
    Run(capsys, "unyank", "public", "demo==1.2")
    assert governed.read_text() == TOML + (
        '\n[[yank]]\nproject = "demo"\nreason = "old"\n'
        '\n[[yank]]\nproject = "demo"\nversions = "==1.2"\nyanked = false\n'
    )
    assert yanked(here) == {"1.0": "old", "1.1": "old"}


def test_a_dry_run_and_a_request_that_matches_nothing_leave_the_policy(
    here: Path, governed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in ("demo==1.1", "--dry-run"), ("demo==9",):
        before = snapshot(here)
        Run(capsys, "yank", "public", *arguments)
        assert snapshot(here) == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[keep]]\nproject = "x"\n', "policy.toml:1: [[keep]] needs newest, prereleases or younger-than"),
        ("yank = 5\n", "policy.toml:1: yank must be a table, written as [[yank]]"),
        ("yank = [5]\n", "policy.toml:1: yank must be a table, written as [[yank]]"),
        ("[[yank\n", "cannot read policy.toml: Expected ']]' at the end of an array declaration (at line 1, column 7)"),
    ],
)
@pytest.mark.parametrize("command", [("yank", "public", "demo==1.1"), ("status", "public", "demo", "archived")])
def test_a_policy_that_is_not_valid_stops_a_decision(
    here: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...], text: str, message: str
) -> None:
    (here / "policy.toml").write_text(text)
    before = snapshot(here)
    run = Run(capsys, *command, "--policy", "policy.toml")
    assert (run.status, run.err.splitlines()[-1]) == (2, f"error {message}")
    assert snapshot(here) == before


def test_the_message_of_a_failure_says_that_the_policy_has_the_change(
    here: Path, governed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "public/simple")

    with monkeypatch.context() as patch:
        patch.setattr("mkindex.publish.directory.DirectoryDestination._publish", fail)
        failed = Run(capsys, "yank", "public", "demo==1.1", "--reason", "bad")
    assert (failed.status, yanked(here)) == (3, {})
    assert failed.err.endswith(
        "No space left on device. Free some space and run again. mkindex.toml has the change, so the next build "
        "publishes it\n"
    )
    assert not (here / "mkindex.toml.mkindex").exists()
    assert Run(capsys).status == 0
    assert yanked(here) == {"1.1": "bad"}


def test_remove_shows_what_the_policy_takes_out_as_well(
    here: Path, governed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    governed.write_text(TOML.replace("10", "1"))
    questions: list[str] = []

    def decline(text: str, **_: object) -> bool:
        questions.append(text)
        return False

    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("click.confirm", decline)
    asked = Run(capsys, "remove", "public", "demo==1.2")
    assert asked.err.splitlines() == ["  demo-1.0-py3-none-any.whl (because of the policy)", f"  {FILES['1.2']}"]
    assert questions == ["Remove 2 files from public?"]
    assert len(page(here)["files"]) == 3  # type: ignore[arg-type]


def test_two_decisions_at_once_do_not_undo_each_other(here: Path, governed: Path) -> None:
    config = Config(sources=(), destination="public", policy="mkindex.toml")
    decisions = [decide_yank(config, [request], "", frozenset()) for request in ("demo==1.0", "demo==1.1")]
    build(config, growth=decisions[0].growth, before_commit=decisions[0].write)
    before = snapshot(here)
    with pytest.raises(MkindexError) as error:
        build(config, growth=decisions[1].growth, before_commit=decisions[1].write)
    assert str(error.value) == "another process changed mkindex.toml meanwhile. Nothing was published. Run again"
    assert snapshot(here) == before


def test_a_policy_file_of_its_own_is_made_and_a_foreign_mkindex_toml_is_left(
    here: Path, governed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    governed.write_text(TOML.replace('"public"', '"elsewhere"'))
    Run(capsys, "yank", "public", "demo==1.1")
    assert (governed.read_text(), yanked(here)) == (TOML.replace('"public"', '"elsewhere"'), {"1.1": True})
    Run(capsys, "yank", "public", "demo==1.0", "--policy", "policy.toml")
    assert (here / "policy.toml").read_text() == '[[yank]]\nproject = "demo"\nversions = "==1.0"\n'
    assert yanked(here) == {"1.0": True, "1.1": True}


def test_a_policy_that_governs_another_destination_removes_nothing(
    here: Path, governed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    governed.write_text(TOML.replace('"public"', '"elsewhere"').replace("10", "1"))
    assert Run(capsys, "remove", "public", "other", "--yes").status == 0
    assert page(here)["versions"] == ["1.0", "1.1", "1.2"]


def test_without_tomlkit_the_advice_names_the_extra(
    here: Path, governed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without_tomlkit(name: str, *arguments: object, **more: object) -> object:
        if name == "tomlkit":
            raise ImportError(name)
        return real(name, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without_tomlkit)
    run = Run(capsys, "yank", "public", "demo==1.1")
    advice = (
        "to edit mkindex.toml, mkindex needs tomlkit: install mkindex with its extra `policy`. Or edit it yourself and "
        "build"
    )
    assert (run.status, run.err.splitlines()[-1]) == (2, f"error {advice}")


# --- variants --------------------------------------------------------------------------------------------------------


def test_an_index_with_variants_keeps_them_without_its_policy(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for label in ("cpu", "cu128"):
        write_wheel(here / "wheels", "torch-like", f"2.8+{label}")
    (here / "policy.toml").write_text('[variants]\nby = "local"\ndefault = "cpu"\n')
    publish(here / "wheels", here / "public", policy=str(here / "policy.toml"))
    assert Run(capsys, "remove", "public", "other", "--yes").status == 0
    assert sorted(str(path.relative_to(here / "public/whl")) for path in (here / "public/whl").glob("*/*/")) == [
        "cpu/demo",
        "cpu/torch-like",
        "cu128/demo",
        "cu128/torch-like",
    ]


def test_an_index_divided_by_directories_cannot_grow(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "policy.toml").write_text('[variants]\nby = "directory"\n')
    publish(here / "wheels", here / "public", policy=str(here / "policy.toml"), recursive=True)
    run = Run(capsys, "remove", "public", "other", "--yes")
    assert (run.status, run.err.splitlines()[-1]) == (
        2,
        "error the variants of the index in public are directories of its sources. Build it from these again",
    )


# --- what a policy decides -------------------------------------------------------------------------------------------


def test_explain_lists_each_file_of_a_project_with_the_rule_that_decided(
    here: Path, governed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    governed.write_text(
        TOML.replace("newest = 10", "newest = 1")
        + '[[yank]]\nproject = "demo"\nversions = "==1.2"\nreason = "broken"\n'
    )
    before = snapshot(here / "public")
    run = Run(capsys, "policy", "--explain", "Demo")
    always = "the newest release that is neither yanked nor a prerelease always stays"
    assert run.out.splitlines() == [
        "demo",
        f"  {FILES['1.0']}  not kept  mkindex.toml:5: newest = 1 does not keep it",
        f"  {FILES['1.1']}  kept  mkindex.toml:5: {always}",
        f"  {FILES['1.2']}  kept  mkindex.toml:5: newest = 1",
        f"  {FILES['1.2']}  yanked  mkindex.toml:8: broken",
    ]
    run = Run(capsys, "policy", "--dry-run")
    assert run.out.splitlines() == [
        f"{FILES['1.0']}  not kept  removed from DEST  mkindex.toml:5: newest = 1 does not keep it",
        "Policy: 1 file yanked, 1 file not listed ([[keep]])",
    ]
    assert snapshot(here / "public") == before


def test_the_command_policy_needs_a_policy_and_a_question(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Run(capsys, "policy", "wheels", "public", "--explain", "demo").err.splitlines()[-1] == (
        "error there is no policy: mkindex.toml has no table of a policy, and --policy is not given"
    )
    assert Run(capsys, "policy", "wheels", "public").err.splitlines()[-1] == (
        "error give --explain PROJECT or --dry-run: a build applies the policy"
    )
    assert Run(capsys, "policy", "wheels", "public", "--explain", "demo", "--dry-run").err.splitlines()[-1] == (
        "error --explain and --dry-run exclude each other: give one of them"
    )
