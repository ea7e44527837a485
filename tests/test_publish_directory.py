"""A directory as destination: unchanged pages, other options, dry runs."""

from __future__ import annotations

import contextlib
import itertools
import os
from typing import TYPE_CHECKING, Any

import pytest

from mkindex.errors import NotPublished
from mkindex.tree import intent, manifest
from mkindex.tree.manifest import Entry
from support.builds import cold_build, publish, write_files
from support.publishing import MTIME, change_source
from support.trees import OWN_DIRECTORY, file_identities, is_page, read_tree
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A source: two projects, two wheels and an sdist."""
    source = tmp_path / "wheels"
    source.mkdir()
    write_wheel(source, "demo", "1.0", mtime=MTIME)
    write_wheel(source, "demo", "2.0+cpu", mtime=MTIME)
    write_sdist(source, "other", "1.0", mtime=MTIME)
    return source


# --- unchanged pages, options -----------------------------------------------------------------------------------------


def test_a_build_touches_only_what_it_changes(wheels: Path, public: Path) -> None:
    publish(wheels, public)
    before = file_identities(public)
    write_wheel(wheels, "other", "2.0", mtime=MTIME)
    publish(wheels, public)
    touched = {path for path, identity in file_identities(public).items() if before.get(path) != identity}
    assert {path for path in touched if is_page(path)} == {
        "simple/other/index.html",
        "simple/other/index.v1_json",
        "index.html",
    }
    assert len(touched) == 5


SWITCHES: list[dict[str, Any]] = [
    {},
    {"simple_path": ""},
    {"simple_path": "a/b"},
    {"links": True},
    {"files_url": "https://files.example"},
    {"upload_time": "none"},
    {"link_mode": "hardlink"},
]


@pytest.mark.parametrize(("before", "after"), [*itertools.permutations(SWITCHES, 2)], ids=str)
def test_with_other_options_the_tree_is_that_of_a_cold_build_and_unchanged_pages_are_not_touched(
    before: dict[str, Any], after: dict[str, Any], wheels: Path, public: Path
) -> None:
    publish(wheels, public, **before)
    old, identity = read_tree(public), file_identities(public)
    publish(wheels, public, **after)
    new = read_tree(public)
    assert new == cold_build(wheels, **after)
    same = {path for path in old if new.get(path) == old[path]}
    assert {path: file_identities(public)[path] for path in same} == {path: identity[path] for path in same}


def test_with_a_files_url_no_file_is_placed_and_the_old_ones_are_retired(wheels: Path, public: Path) -> None:
    publish(wheels, public)
    before = read_tree(public)
    report = publish(wheels, public, files_url="https://files.example", grace=60)
    files = {path: data for path, data in before.items() if not is_page(path)}
    assert (report.plan.newly_retired, len(report.plan.deletes)) == (len(files), 0)
    assert read_tree(public) == cold_build(wheels, files_url="https://files.example") | files


def test_a_retired_file_is_deleted_after_its_grace(wheels: Path, public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(wheels, public)
    before = read_tree(public)
    change_source(wheels)
    kept = {path: data for path, data in before.items() if not is_page(path)} | cold_build(wheels)
    for now, expected in (1000, kept), (1599, kept), (1600, cold_build(wheels)):
        monkeypatch.setattr("time.time", lambda now=now: now)
        publish(wheels, public, grace=600)
        assert read_tree(public) == expected


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_the_umask_decides_who_can_read(umask: int, wheels: Path, public: Path) -> None:
    before = os.umask(umask)
    try:
        publish(wheels, public)
    finally:
        os.umask(before)
    for path in public.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o777 if path.is_dir() else 0o666) & ~umask, path


def test_hard_links_are_the_files_of_the_source_which_is_not_changed(wheels: Path, public: Path) -> None:
    before = {path.name: (path.read_bytes(), path.stat().st_ino, path.stat().st_mtime_ns) for path in wheels.iterdir()}
    publish(wheels, public, link_mode="hardlink")
    placed = [path for path in public.glob("files/*/*/*") if path.suffix != ".metadata"]
    assert {path.name: (path.read_bytes(), path.stat().st_ino, path.stat().st_mtime_ns) for path in placed} == before
    change_source(wheels)
    publish(wheels, public, link_mode="hardlink")
    assert read_tree(public) == cold_build(wheels)


@pytest.mark.parametrize("is_supported", [True, False], ids=["by-the-system", "here"])
def test_a_hard_link_of_a_symlink_is_one_of_its_target(
    is_supported: bool, wheels: Path, public: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_supported:
        monkeypatch.setattr(os, "supports_follow_symlinks", os.supports_follow_symlinks - {os.link})
    linked = tmp_path / "linked"
    linked.mkdir()
    targets = sorted(wheels.iterdir())
    for target in targets:
        (linked / target.name).symlink_to(target)
    publish(linked, public, link_mode="hardlink", follow_symlinks=True)
    published = [path for path in public.glob("files/*/*/*") if not path.name.endswith(".metadata")]
    assert sorted(path.lstat().st_ino for path in published) == sorted(target.lstat().st_ino for target in targets)


def test_a_destination_may_be_a_symlink_to_a_directory(wheels: Path, public: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    public.symlink_to("elsewhere")
    publish(wheels, public)
    assert read_tree(tmp_path / "elsewhere") == cold_build(wheels)


# --- no trace ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("there", [None, {}, {"README": b"theirs"}], ids=["no directory", "an empty one", "theirs"])
@pytest.mark.parametrize("options", [{}, {"dry_run": True, "allow_empty": True}], ids=["nothing found", "a dry run"])
def test_a_run_that_publishes_nothing_leaves_no_trace(
    options: dict[str, bool], there: dict[str, bytes] | None, public: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    if there is not None:
        public.mkdir()
        write_files(public, there.items())
    with pytest.raises(NotPublished) if not options else contextlib.nullcontext():
        publish(tmp_path / "empty", public, **options)
    assert (sorted(os.listdir(public)) if public.exists() else None) == (None if there is None else sorted(there))


def test_a_run_that_publishes_nothing_leaves_no_directory_above_its_destination(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotPublished):
        publish(tmp_path / "empty", tmp_path / "a/b/public")
    assert not (tmp_path / "a").exists()


def test_a_dry_run_reports_the_plan_and_changes_nothing(wheels: Path, public: Path) -> None:
    publish(wheels, public)
    before, kept = file_identities(public), file_identities(public / OWN_DIRECTORY)
    change_source(wheels)
    dry = publish(wheels, public, dry_run=True)
    assert (file_identities(public), file_identities(public / OWN_DIRECTORY)) == (before, kept)
    wet = publish(wheels, public)
    assert [put.resource.path for put in dry.plan.puts] == [put.resource.path for put in wet.plan.puts]
    assert dry.plan.deletes == wet.plan.deletes


@pytest.mark.parametrize("which", ["manifest", "intent"])
def test_a_hostile_manifest_or_intent_deletes_nothing_outside_the_tree(wheels: Path, public: Path, which: str) -> None:
    mine = public.parent / "mine"
    mine.write_text("mine")
    publish(wheels, public)
    if which == "manifest":
        hostile = Entry("demo", 2, "simple/../../mine", "key", "sha", "mark")
        parts = manifest.encode([(hostile.position, hostile)])
    else:
        parts = intent.encode([Entry("demo", 2, "../mine", "", "", "")])
    (public / ".mkindex" / which).write_bytes(b"".join(parts))
    publish(wheels, public, overwrite=True)
    assert (mine.read_text(), read_tree(public)) == ("mine", cold_build(wheels))
