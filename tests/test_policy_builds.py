"""Builds with a policy: what is published, what is refused, and what is reported."""

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from mkindex.errors import ConfigError, MkindexError, NotPublished, PruneRequired
from support.builds import cold_build, publish
from support.command_line import Run
from support.growing import add, remove
from support.trees import html_entries, read_tree
from support.wheels import write_wheel

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_767_323_045  # 2026-01-02T03:04:05Z
DAY = 86_400


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with wheels of twelve releases, a day apart, and the time of the last one as the present."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(NOW))
    (tmp_path / "wheels").mkdir()
    for number in range(12):
        path = write_wheel(tmp_path / "wheels", "demo", f"1.{number}")
        os.utime(path, (NOW - (11 - number) * DAY,) * 2)
    return tmp_path


def write_policy(here: Path, text: str) -> str:
    (here / "policy.toml").write_text(text)
    return str(here / "policy.toml")


def versions(here: Path) -> list[str]:
    page = (here / "public/simple/demo/index.html").read_bytes()
    return [entry["filename"].split("-")[1] for entry in html_entries(page)]


def test_the_policy_in_mkindex_toml_is_published_and_reported(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "mkindex.toml").write_text(
        'sources = ["wheels"]\ndestination = "public"\n\n'
        '[[yank]]\nproject = "demo"\nversions = "==1.8"\nreason = "corrupts <data>"\n\n'
        '[[status]]\nproject = "demo"\nstatus = "deprecated"\nreason = "use other"\n\n'
        '[[keep]]\nproject = "demo"\nnewest = 2\n\n[times]\ncutoff = "2d"\n'
    )
    run = Run(capsys)
    assert (run.status, run.err) == (0, "")
    assert run.out.splitlines()[1:3] == [
        "Policy: 1 file yanked, 8 files not listed ([[keep]]), 2 files waiting (the first until 2026-01-03T03:04:05Z)",
        "        2d = 2025-12-31T03:04:05Z",
    ]
    page = json.loads((here / "public/simple/demo/index.v1_json").read_bytes())
    assert page["project-status"] == {"status": "deprecated", "reason": "use other"}
    assert [(file["filename"], file.get("yanked")) for file in page["files"]] == [
        ("demo-1.8-py3-none-any.whl", "corrupts <data>"),
        ("demo-1.9-py3-none-any.whl", None),
    ]


def test_a_published_index_does_not_tell_which_rules_match_nothing(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_wheel(here / "wheels", "other", "1.0")
    rule = '[[only]]\nproject = "other"\nversions = ">=2"\n'  # "other" is not in the published index
    (here / "mkindex.toml").write_text(f'sources = ["wheels"]\ndestination = "public"\n\n{rule}')
    assert (Run(capsys).err, Run(capsys, "yank", "public", "demo==1.8", "--reason", "bad").err) == ("", "")


def test_files_of_a_quarantined_project_are_counted_and_explained(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = write_policy(here, '[[status]]\nproject = "demo"\nstatus = "quarantined"\n')
    built = Run(capsys, "wheels", "public", "--policy", policy)
    assert built.out.splitlines()[1] == "Policy: 12 files not listed (quarantined)"
    explained = Run(capsys, "policy", "--explain", "demo", "wheels", "public", "--policy", policy)
    assert explained.out.splitlines()[:2] == [
        "demo: quarantined",
        "  demo-1.0-py3-none-any.whl  not listed  quarantined",
    ]


def test_a_policy_is_applied_to_what_other_sources_say_of_a_file(here: Path) -> None:
    (here / "list.jsonl").write_text('{"filename": "wheels/demo-1.0-py3-none-any.whl", "yanked_reason": "old"}\n')
    policy = write_policy(here, '[[yank]]\nproject = "demo"\nversions = "==1.0"\nreason = "new"\n')
    publish(here / "list.jsonl", here / "public", policy=policy)
    (entry,) = html_entries((here / "public/simple/demo/index.html").read_bytes())
    assert entry["yanked"] == "new"


def test_what_a_policy_removes_needs_no_prune(here: Path) -> None:
    publish(here / "wheels", here / "public")
    report = publish(
        here / "wheels", here / "public", policy=write_policy(here, '[[keep]]\nproject = "*"\nnewest = 1\n')
    )
    assert len(report.removed_files) == 11
    assert versions(here) == ["1.11"]


def test_what_a_source_lacks_still_needs_prune_beside_a_policy(here: Path) -> None:
    publish(here / "wheels", here / "public")
    for number in range(8):
        (here / f"wheels/demo-1.{number}-py3-none-any.whl").unlink()
    with pytest.raises(PruneRequired, match=r"would remove 8 of the 12 files"):
        publish(here / "wheels", here / "public", policy=write_policy(here, '[[keep]]\nproject = "*"\nnewest = 1\n'))


def test_a_source_is_not_touched_and_a_pruned_release_comes_back_without_the_policy(here: Path) -> None:
    before = read_tree(here / "wheels")
    publish(here / "wheels", here / "public", policy=write_policy(here, '[[keep]]\nproject = "*"\nnewest = 1\n'))
    assert read_tree(here / "wheels") == before
    publish(here / "wheels", here / "public")
    assert versions(here) == [f"1.{number}" for number in range(12)]


def test_an_index_of_which_the_policy_lists_nothing_is_not_published(here: Path) -> None:
    policy = write_policy(here, '[[only]]\nproject = "*"\nversions = ">2"\n')
    with pytest.raises(NotPublished) as error:
        publish(here / "wheels", here / "public", policy=policy)
    assert str(error.value) == (
        "nothing to publish: the policy lists none of 12 files. Use --allow-empty to publish an empty index"
    )


def test_a_cutoff_does_not_take_files_from_a_grown_index(here: Path) -> None:
    policy = write_policy(here, '[times]\ncutoff = "2d"\n')
    add(here / "wheels", here / "public")
    before = read_tree(here / "public")
    with pytest.raises(NotPublished) as error:
        add(here / "wheels", here / "public", policy=policy)
    assert str(error.value) == (
        "nothing published: the cutoff of the policy does not list 2 files that the index lists already "
        "(demo-1.10-py3-none-any.whl, demo-1.11-py3-none-any.whl). This index was grown with `mkindex add`, so no "
        "SOURCE need have them, and they would be lost. Name their projects in exempt, or take them out with `mkindex "
        "remove`"
    )
    assert read_tree(here / "public") == before
    remove(here / "public", lambda file: file.filename in ("demo-1.10-py3-none-any.whl", "demo-1.11-py3-none-any.whl"))
    assert add(here / "wheels", here / "public", policy=policy).policy is not None  # the files of the SOURCE wait
    assert versions(here) == [f"1.{number}" for number in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)]


@pytest.mark.parametrize("text", ['[[keep]]\nproject = "*"\nnewest = 3\n', '[times]\ncutoff = "3d"\n'])
def test_a_build_with_a_policy_equals_a_cold_one_and_a_second_one_writes_nothing(here: Path, text: str) -> None:
    policy = write_policy(here, text)
    publish(here / "wheels", here / "public")
    publish(here / "wheels", here / "public", policy=policy)
    assert publish(here / "wheels", here / "public", policy=policy).written == 0
    assert read_tree(here / "public") == cold_build(here / "wheels", policy=policy)


def test_the_manifest_keeps_how_limits_of_time_were_resolved_and_is_written_only_if_pages_change(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = write_policy(here, '[times]\ncutoff = "3d"\n')
    manifest = here / "public/.mkindex/manifest"
    publish(here / "wheels", here / "public", policy=policy)
    written = manifest.read_bytes()
    assert b'\nlimits\t["3d = 2025-12-30T03:04:05Z"]\n' in written
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(NOW + 3600))
    assert publish(here / "wheels", here / "public", policy=policy).written == 0
    assert manifest.read_bytes() == written
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(NOW + DAY))
    publish(here / "wheels", here / "public", policy=policy)
    assert versions(here) == [f"1.{number}" for number in range(10)]
    assert b'\nlimits\t["3d = 2025-12-31T03:04:05Z"]\n' in manifest.read_bytes()


def test_adding_files_and_keeping_some_equals_a_build_of_what_is_kept(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = write_policy(here, '[[keep]]\nproject = "*"\nnewest = 3\n')
    publish(here / "wheels", here / "public")
    (here / "new").mkdir()
    os.utime(write_wheel(here / "new", "demo", "1.12"), (NOW, NOW))
    assert Run(capsys, "add", "new", "public", "--policy", policy, "--grace", "0").status == 0
    pages = {path: data for path, data in read_tree(here / "public").items() if not path.startswith(".mkindex")}
    for number in range(10):
        (here / f"wheels/demo-1.{number}-py3-none-any.whl").unlink()
    os.utime(write_wheel(here / "wheels", "demo", "1.12"), (NOW, NOW))
    cold = cold_build(here / "wheels")
    assert pages == {path: data for path, data in cold.items() if not path.startswith(".mkindex")}


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "recursive", "is_refused"),
    [("wheels", False, True), ("wheels/conf", False, False), ("wheels/conf", True, True), ("conf", True, False)],
)
def test_a_policy_among_the_wheels_is_refused(here: Path, place: str, *, recursive: bool, is_refused: bool) -> None:
    (here / place).mkdir(exist_ok=True)
    policy = here / place / "policy.toml"
    policy.write_text('[[keep]]\nproject = "*"\nnewest = 1\n')
    link = here / "link.toml"
    link.symlink_to(policy)
    for path in (policy, link):
        refused = pytest.raises(ConfigError) if is_refused else nullcontext()
        with refused as error:
            publish(here / "wheels", here / "public", policy=str(path), recursive=recursive)
        assert not error or str(error.value) == (
            f"the policy {path} is in the source {here}/wheels: anybody who can add a wheel there could change it. "
            "Move it to another directory"
        )


def test_limits_of_time_require_upload_times(here: Path) -> None:
    policy = write_policy(here, '[times]\ncutoff = "1d"\n')
    with pytest.raises(ConfigError) as error:
        publish(here / "wheels", here / "public", policy=policy, upload_time="none")
    assert str(error.value) == f"{policy}: cutoff and younger-than require upload times: remove --upload-time none"


def test_a_policy_in_mkindex_toml_beside_the_option_policy_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "mkindex.toml").write_text('policy = "other.toml"\n[[keep]]\nproject = "*"\nnewest = 1\n')
    run = Run(capsys, "wheels", "public")
    assert run.status == 2
    assert run.err.splitlines()[-1] == (
        "error mkindex.toml: policy names another file, so the table keep must be there, not here"
    )


def test_a_policy_that_cannot_be_read_leaves_the_index_as_it_was(here: Path) -> None:
    publish(here / "wheels", here / "public")
    before = read_tree(here / "public")
    with pytest.raises(MkindexError, match=r"^cannot read .*/policy\.toml: "):
        publish(here / "wheels", here / "public", policy=str(here / "policy.toml"))
    assert read_tree(here / "public") == before
