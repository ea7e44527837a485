"""The contract of destinations, in memory, on disk and in a bucket."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mkindex.publish.bucket import BucketDestination
from mkindex.publish.directory import DirectoryDestination
from mkindex.publish.memory import MemoryDestination
from mkindex.publish.origins import Origins
from mkindex.publish.plan import Destination, FileChanged, Plan
from support.divided import divide
from support.fake_store import FakeStore
from support.publishing import (
    MTIME,
    SITE,
    change_source,
    expected_entries,
    held_entries,
    list_resources,
    make_plan,
    read_file,
    read_resource,
)
from support.wheels import wheel, write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A source: two projects, two wheels and an sdist."""
    source = tmp_path / "wheels"
    source.mkdir()
    write_wheel(source, "demo", "1.0", mtime=MTIME)
    write_wheel(source, "demo", "2.0+cpu", mtime=MTIME)
    write_sdist(source, "other", "1.0", mtime=MTIME)
    return source


@pytest.fixture(params=["memory", "copy", "hardlink", "bucket", "divided"])
def destination(request: pytest.FixtureRequest, public: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Destination]:
    if request.param == "memory":
        yield MemoryDestination(read_file)
        return
    if request.param in ("bucket", "divided"):
        if request.param == "divided":
            divide(monkeypatch)
        store = FakeStore()
        origins = Origins(lambda location: store)
        with (
            ThreadPoolExecutor(2) as executor,
            BucketDestination(store, executor=executor, readers=executor, origins=origins) as made,
        ):
            yield made
        return
    with (
        ThreadPoolExecutor(2) as executor,
        DirectoryDestination(str(public), executor=executor, hardlink=request.param == "hardlink") as there,
    ):
        yield there


def test_a_destination_holds_exactly_what_was_applied(destination: Destination, wheels: Path) -> None:
    wanted = list_resources(wheels)
    applied = destination.apply(make_plan(wanted, destination))
    assert applied.written == len(wanted)
    assert held_entries(destination) == expected_entries(wanted)
    assert {each.path: destination.digest(each.path) for each in wanted} == {
        each.path: hashlib.sha256(read_resource(each)).hexdigest() for each in wanted
    }
    assert destination.digest("simple/nothing.html") is None


def test_nothing_is_applied_if_before_commit_raises(destination: Destination, wheels: Path) -> None:
    class Stopped(Exception):
        pass

    def stop() -> None:
        raise Stopped

    wanted = list_resources(wheels)
    with pytest.raises(Stopped):
        destination.apply(make_plan(wanted, destination), stop)
    assert held_entries(destination) == []
    wanted = list_resources(wheels)  # the ctime was changed by a hard link, although that was removed again
    destination.apply(make_plan(wanted, destination))
    before = expected_entries(wanted)
    change_source(wheels)
    with pytest.raises(Stopped):
        destination.apply(make_plan(list_resources(wheels), destination), stop)
    with pytest.raises(Stopped):
        destination.apply(Plan(), stop)
    assert [entry for entry, _ in held_entries(destination)] == [entry for entry, _ in before]
    destination.apply(make_plan(list_resources(wheels), destination))
    assert held_entries(destination) == expected_entries(list_resources(wheels))


def test_applying_the_same_resources_again_changes_nothing(destination: Destination, wheels: Path) -> None:
    wanted = list_resources(wheels)
    destination.apply(make_plan(wanted, destination))
    again = make_plan(wanted, destination)
    assert again == Plan(unchanged=len(wanted))
    assert destination.apply(again).written == 0
    assert held_entries(destination) == expected_entries(wanted)


def test_a_destination_holds_the_resources_that_were_applied_last(destination: Destination, wheels: Path) -> None:
    destination.apply(make_plan(before := list_resources(wheels), destination))
    change_source(wheels)
    destination.apply(make_plan(after := list_resources(wheels), destination))
    assert held_entries(destination) == expected_entries(after)
    gone = {each.path for each in before} - {each.path for each in after}
    assert [destination.digest(path) for path in sorted(gone)] == [None] * len(gone)


def test_a_destination_remembers_which_files_are_retired_and_since_when(destination: Destination, wheels: Path) -> None:
    destination.apply(make_plan(before := list_resources(wheels), destination))
    all_there = expected_entries(before)
    (retired,) = (entry._replace(retired=77) for entry, _ in all_there if entry.path.endswith(".tar.gz"))
    (wheels / "other-1.0.tar.gz").unlink()
    destination.apply(make_plan(after := list_resources(wheels), destination, now=77, grace=5))
    assert [entry for entry, _ in held_entries(destination)] == sorted(
        [*(entry for entry, _ in expected_entries(after)), retired]
    )
    write_sdist(wheels, "other", "1.0", mtime=MTIME)
    destination.apply(make_plan(list_resources(wheels), destination, now=78, grace=5))
    assert held_entries(destination) == all_there


@pytest.mark.parametrize("paths", [("", "simple"), ("simple", "")])
def test_a_project_page_and_the_root_page_can_swap_paths(
    destination: Destination, wheels: Path, paths: tuple[str, str]
) -> None:
    write_wheel(wheels, "simple", "1.0", mtime=MTIME)
    for path in paths:
        wanted = list_resources(wheels, replace(SITE, simple_path=path))
        destination.apply(make_plan(wanted, destination))
        assert held_entries(destination) == expected_entries(wanted)


@pytest.mark.parametrize("gone", [False, True])
def test_a_destination_rejects_a_file_that_changed_since_it_was_examined(
    destination: Destination, wheels: Path, gone: bool
) -> None:
    destination.apply(make_plan(before := list_resources(wheels), destination))
    pages = expected_entries(before)
    new = write_wheel(wheels, "new", "1.0", mtime=MTIME)
    wanted = list_resources(wheels)
    if gone and not isinstance(destination, MemoryDestination):
        new.unlink()
    else:
        new.write_bytes(wheel("new", "1.0", summary="not what was scanned"))
    with pytest.raises(FileChanged, match=r"new-1.0-py3-none-any.whl changed while it was read"):
        destination.apply(make_plan(wanted, destination))
    assert held_entries(destination) == pages
    assert [destination.digest(each.path) for each in wanted if "new-1.0" in each.path] == [None, None]
