"""A build that would remove more than half of an index of more than ten files needs --prune."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from threading import Timer
from typing import TYPE_CHECKING

import pytest

from mkindex import cli
from mkindex.config import Config
from mkindex.errors import PruneRequired
from mkindex.watch.loop import BuildEvent, Event, Watch
from support.builds import cold_build, publish
from support.trees import read_tree
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def wheels(directory: Path, number: int) -> list[Path]:
    """Write wheels of one project each, and return their paths."""
    directory.mkdir(exist_ok=True)
    return [write_wheel(directory, f"p{count:02}", "1.0") for count in range(number)]


def remove(paths: list[Path]) -> None:
    for path in paths:
        path.unlink()


@pytest.mark.parametrize("grace", [0, 900])
@pytest.mark.parametrize("dry_run", [False, True])
def test_removing_more_than_half_is_refused_with_numbers_and_the_way_out(
    tmp_path: Path, grace: int, dry_run: bool
) -> None:
    paths = wheels(tmp_path / "wheels", 11)
    publish(tmp_path / "wheels", tmp_path / "public")
    before = read_tree(tmp_path / "public")
    remove(paths[:6])
    with pytest.raises(PruneRequired) as error:
        publish(tmp_path / "wheels", tmp_path / "public", grace=grace, dry_run=dry_run)
    assert str(error.value) == (
        f"nothing published: this build would remove 6 of the 11 files that the index in {tmp_path}/public lists "
        f"({', '.join(path.name for path in paths[:3])} and 3 more). Check that the sources are complete. "
        "To remove these files, use --prune (--prune --dry-run only prints what would be removed)"
    )
    assert read_tree(tmp_path / "public") == before


@pytest.mark.parametrize(("number", "removed"), [(11, 5), (12, 6), (10, 9)])
def test_half_of_an_index_and_all_but_one_of_ten_files_may_go(tmp_path: Path, number: int, removed: int) -> None:
    paths = wheels(tmp_path / "wheels", number)
    publish(tmp_path / "wheels", tmp_path / "public")
    remove(paths[:removed])
    report = publish(tmp_path / "wheels", tmp_path / "public")
    assert report.removed_files == tuple(path.name for path in paths[:removed])
    assert read_tree(tmp_path / "public") == cold_build(tmp_path / "wheels")


def test_prune_removes_them(tmp_path: Path) -> None:
    paths = wheels(tmp_path / "wheels", 20)
    publish(tmp_path / "wheels", tmp_path / "public")
    remove(paths[1:])
    report = publish(tmp_path / "wheels", tmp_path / "public", prune=True)
    assert (len(report.files), len(report.removed_files)) == (1, 19)
    assert read_tree(tmp_path / "public") == cold_build(tmp_path / "wheels")


def test_allow_empty_alone_does_not_remove_all_files(tmp_path: Path) -> None:
    paths = wheels(tmp_path / "wheels", 11)
    publish(tmp_path / "wheels", tmp_path / "public")
    remove(paths)
    with pytest.raises(PruneRequired, match="would remove 11 of the 11 files"):
        publish(tmp_path / "wheels", tmp_path / "public", allow_empty=True)
    assert len(publish(tmp_path / "wheels", tmp_path / "public", allow_empty=True, prune=True).removed_files) == 11


def test_a_file_with_other_contents_is_not_removed(tmp_path: Path) -> None:
    paths = wheels(tmp_path / "wheels", 11)
    publish(tmp_path / "wheels", tmp_path / "public")
    for count, path in enumerate(paths):
        path.unlink()
        write_wheel(tmp_path / "wheels", f"p{count:02}", "1.0", summary="changed")
    assert publish(tmp_path / "wheels", tmp_path / "public").removed_files == ()


def test_files_of_one_project_count_as_files(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    paths = [write_sdist(tmp_path / "wheels", "demo", f"1.{count}") for count in range(12)]
    publish(tmp_path / "wheels", tmp_path / "public")
    remove(paths[:7])
    with pytest.raises(PruneRequired, match="would remove 7 of the 12 files"):
        publish(tmp_path / "wheels", tmp_path / "public")


def test_retired_files_count_neither_as_listed_nor_as_removed(tmp_path: Path) -> None:
    paths = wheels(tmp_path / "wheels", 21)
    publish(tmp_path / "wheels", tmp_path / "public", grace=900)
    for start, end in (0, 10), (10, 15):  # 21 are listed, then 11
        remove(paths[start:end])
        assert len(publish(tmp_path / "wheels", tmp_path / "public", grace=900).removed_files) == end - start
    # Six files are listed and fifteen are retired.
    remove(paths[15:20])
    assert len(publish(tmp_path / "wheels", tmp_path / "public", grace=900).removed_files) == 5


def test_files_that_are_listed_at_another_address_from_now_on_are_not_removed(tmp_path: Path) -> None:
    wheels(tmp_path / "wheels", 11)
    publish(tmp_path / "wheels", tmp_path / "public")
    report = publish(tmp_path / "wheels", tmp_path / "public", files_url="https://files.example/")
    assert (report.removed_files, len(report.plan.deletes) >= 11) == ((), True)


def test_an_included_part_of_the_sources_can_be_too_small(tmp_path: Path) -> None:
    wheels(tmp_path / "wheels", 11)
    publish(tmp_path / "wheels", tmp_path / "public")
    with pytest.raises(PruneRequired, match="would remove 10 of the 11 files"):
        publish(tmp_path / "wheels", tmp_path / "public", include=("p00",))


def test_a_run_that_died_does_not_hide_the_files_that_are_listed(tmp_path: Path) -> None:
    paths = wheels(tmp_path / "wheels", 11)
    publish(tmp_path / "wheels", tmp_path / "public")
    before = read_tree(tmp_path / "public")
    intent = b"mkindex intent 2\np00\t0\tfiles/00/ff/p00-2.0-py3-none-any.whl\n"
    (tmp_path / "public/.mkindex/intent").write_bytes(intent)
    remove(paths[:6])
    with pytest.raises(PruneRequired, match="would remove 6 of the 11 files"):
        publish(tmp_path / "wheels", tmp_path / "public")
    (tmp_path / "public/.mkindex/intent").unlink()
    assert read_tree(tmp_path / "public") == before


def test_the_command_ends_with_3_and_the_destination_is_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    paths = wheels(tmp_path / "wheels", 11)
    assert cli.run(["wheels", "public"]) == 0
    remove(paths[:6])
    before = read_tree(tmp_path / "public")
    for options in [], ["--dry-run"], ["--allow-empty"]:
        capsys.readouterr()
        assert cli.run(["wheels", "public", *options]) == 3
        assert "would remove 6 of the 11 files" in capsys.readouterr().err
    assert read_tree(tmp_path / "public") == before
    assert cli.run(["wheels", "public", "--prune"]) == 0


# --- a watch ----------------------------------------------------------------------------------------------------------


class Done(Exception):
    """Ends a watch."""


def write_list(path: Path, wheels: list[Path]) -> None:
    """Replace a list of files at once."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text("".join(f"{wheel}\n" for wheel in wheels))
    temporary.replace(path)


def watch_list(tmp_path: Path, on_event: Callable[[Watch, Event], object]) -> None:
    """Watch wheels.txt until `on_event` raises Done; a reload adds --prune."""
    config = Config(
        sources=(str(tmp_path / "wheels.txt"),),
        destination=str(tmp_path / "public"),
        grace=0,
        watch=True,
        settle=0.05,
        rescan=0.2,
    )
    watch = Watch(
        config, on_event=lambda event: on_event(watch, event), read_config=lambda: (config.replace(prune=True), None)
    )
    with suppress(Done):
        watch.run()


@pytest.mark.slow
@pytest.mark.parametrize("is_first_build", [False, True])
def test_a_watch_keeps_the_index_says_so_once_and_goes_on_when_the_files_are_back(
    tmp_path: Path, is_first_build: bool
) -> None:
    paths = wheels(tmp_path / "wheels", 20)
    write_list(tmp_path / "wheels.txt", paths)
    trees: list[dict[str, bytes]] = []
    events: list[Event] = []
    if is_first_build:
        publish(tmp_path / "wheels.txt", tmp_path / "public")
        write_list(tmp_path / "wheels.txt", paths[:5])

    def restore() -> None:
        trees.append(read_tree(tmp_path / "public"))
        write_list(tmp_path / "wheels.txt", paths)

    def on_event(_: Watch, event: Event) -> None:
        events.append(event)
        if isinstance(event, PruneRequired):
            trees.append(read_tree(tmp_path / "public"))
            write_list(tmp_path / "wheels.txt", paths[:4])  # another number
            Timer(1, restore).start()  # after some builds
        elif isinstance(event, BuildEvent) and event.recovered:
            trees.append(read_tree(tmp_path / "public"))
            raise Done
        elif len(events) == 1:
            write_list(tmp_path / "wheels.txt", paths[:5])

    watch_list(tmp_path, on_event)
    kinds = [type(event) for event in events]
    assert kinds == [BuildEvent, PruneRequired, BuildEvent][is_first_build:]
    assert "would remove 15 of the 20 files" in str(events[-2])
    assert trees == [trees[0]] * 3


def test_a_watch_goes_on_when_its_configuration_allows_to_prune(tmp_path: Path) -> None:
    paths = wheels(tmp_path / "wheels", 20)
    write_list(tmp_path / "wheels.txt", paths)
    events: list[Event] = []

    def on_event(watch: Watch, event: Event) -> None:
        events.append(event)
        if isinstance(event, PruneRequired):
            watch.reload()
        elif isinstance(event, BuildEvent) and event.recovered:
            raise Done
        elif len(events) == 1:
            write_list(tmp_path / "wheels.txt", paths[:5])

    watch_list(tmp_path, on_event)
    last = events[-1]
    assert isinstance(last, BuildEvent)
    assert (len(last.report.files), len(last.report.removed_files)) == (5, 15)
    assert [type(event) for event in events] == [BuildEvent, PruneRequired, str, BuildEvent]


def test_the_first_build_of_a_watch_names_the_files_that_it_removes(tmp_path: Path) -> None:
    paths = wheels(tmp_path / "wheels", 3)
    publish(tmp_path / "wheels", tmp_path / "public")
    write_list(tmp_path / "wheels.txt", paths[1:])
    events: list[Event] = []

    def on_event(_: Watch, event: Event) -> None:
        events.append(event)
        raise Done

    watch_list(tmp_path, on_event)
    (event,) = events
    assert isinstance(event, BuildEvent)
    assert event.removed == (paths[0].name,)


# --- reports ----------------------------------------------------------------------------------------------------------


def test_the_report_counts_the_files_that_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    paths = wheels(tmp_path / "wheels", 8)
    assert cli.run(["wheels", "public"]) == 0
    remove(paths[:3])
    parts = []
    for options in ["--dry-run"], [], ["--grace", "0"]:
        capsys.readouterr()
        assert cli.run(["wheels", "public", *options]) == 0
        parts += re.findall(r"\(.* unchanged, (.*)\) in ", capsys.readouterr().out)
    assert parts == [
        "3 files to remove, 6 paths to delete, 6 retired (kept for --grace)",
        "3 files removed, 6 paths deleted, 6 retired (kept for --grace)",
        "0 files removed, 6 paths deleted",  # they were removed by the build before
    ]


@pytest.mark.parametrize("option", ["--dry-run", "--grace=0"])
def test_the_json_report_names_the_files_that_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    monkeypatch.chdir(tmp_path)
    paths = wheels(tmp_path / "wheels", 8)
    assert cli.run(["wheels", "public"]) == 0
    remove(paths[:3])
    capsys.readouterr()
    assert cli.run(["wheels", "public", "--json", option]) == 0
    assert json.loads(capsys.readouterr().out)["removed-files"] == [path.name for path in paths[:3]]
