"""Files and projects in temporary files, and builds that use them."""

from __future__ import annotations

import errno
import gc
import json
import os
import pickle
import random
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mkindex import cli, spool
from mkindex.build import listing
from mkindex.errors import MkindexError
from mkindex.model.files import Facts, File, Link, Provenance
from mkindex.model.index import Project, ProjectStatus
from mkindex.spool import FilesByProject, StoredProjects, Totals
from support.index_values import FakeFiles
from support.lists import FILES_URL, objects
from support.trees import read_tree

if TYPE_CHECKING:
    from collections.abc import Sequence

made = FakeFiles()


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a build store more than two files on disk, two at a time."""
    if spool.MOST_IN_MEMORY > 1_000_000:
        pytest.skip("this system has no pread()")
    monkeypatch.setattr(spool, "MOST_IN_MEMORY", 3)
    monkeypatch.setattr(listing, "_AT_A_TIME", 2)


def linked(project: str, version: str) -> File:
    """A file elsewhere, with values in all kinds of fields."""
    filename = f"{project}-{version}.tar.gz"
    link = Link(f"https://example.com/{filename}", filename, yanked="", size=7, core_metadata=None, trusted=True)
    return File(link, Facts(project, version, requires_python=">=3.9"), filename)


def some_files() -> list[File]:
    local = [
        made.file(f"p{number % 7}-{number}.0.tar.gz", yanked="broken" if number % 3 else None) for number in range(40)
    ]
    local[0] = local[0]._replace(attested=Provenance("ab" * 32, 7, ("/a", "/b"), ("{}", "{}")))
    return [*local, *(linked(f"p{number % 9}", f"{number}.5") for number in range(40))]


def projects() -> list[Project]:
    files = sorted(some_files(), key=lambda file: file.filename)
    names = sorted({file.project for file in files})
    status = ProjectStatus("deprecated", "use another")
    return [
        Project(
            name=name,
            files=tuple(file for file in files if file.project == name),
            status=status if name == "p3" else None,
        )
        for name in names
    ]


@pytest.mark.usefixtures("on_disk")
@pytest.mark.parametrize("part", [1, 5, 100])
def test_files_are_grouped_by_project_in_the_order_in_which_they_came(part: int) -> None:
    files = some_files()
    random.Random(part).shuffle(files)
    by_project = FilesByProject()
    by_project.extend(files[:1])
    by_project.add_project("empty")
    for start in range(1, len(files), part):
        by_project.extend(files[start : start + part])
        by_project.spill()
    by_project.extend([linked("zz", "1.0")])
    everything = [*files, linked("zz", "1.0")]
    names = sorted({file.project for file in everything})
    expected = [(name, [file for file in everything if file.project == name]) for name in names]
    assert by_project.is_on_disk
    assert list(by_project.groups()) == sorted([("empty", []), *expected])


def test_a_few_files_stay_in_memory() -> None:
    by_project = FilesByProject()
    by_project.extend(some_files())
    by_project.spill()
    assert not by_project.is_on_disk
    assert [name for name, _ in by_project.groups()] == [f"p{number}" for number in range(9)]


def test_stored_projects_are_a_sequence() -> None:
    expected: Sequence[Project] = projects()
    stored = StoredProjects(iter(expected))
    assert list(stored) == expected
    assert [stored[number] for number in range(-9, 9)] == [*expected, *expected]
    assert (stored[2:4], len(stored)) == (tuple(expected[2:4]), 9)
    assert stored[1] is stored[1]
    with pytest.raises(IndexError):
        stored[9]
    assert pickle.loads(pickle.dumps(stored)) == tuple(expected)


def test_stored_projects_are_found_by_name() -> None:
    expected = projects()
    stored = StoredProjects(expected)
    names = spool.by_name(stored)
    assert (list(names), dict(names)) == ([one.name for one in expected], spool.by_name(expected))
    assert (names.get("p33"), names.get("zz"), "p3" in names) == (None, None, True)
    assert spool.in_order(names) is stored
    assert spool.totals(stored) == spool.totals(expected) == Totals(80, sum(one.size or 0 for one in some_files()))


def test_digests_of_stored_projects_are_found_by_name() -> None:
    expected = projects()
    digests = [f"{number:032x}" for number in range(len(expected))]
    found = spool.with_digests(spool.by_name(StoredProjects(expected)), digests)
    assert (dict(found), [*found.values()]) == (spool.with_digests(spool.by_name(expected), digests), digests)
    assert (found.get("p33"), found.get("zz"), "p3" in found, len(found)) == (None, None, True, 9)


def test_the_file_is_closed_with_the_last_reference() -> None:
    gc.disable()  # which would free a cycle of references, some time later
    try:
        stored = StoredProjects(projects())
        names, alive = spool.by_name(stored), weakref.ref(stored)
        del stored, names
        assert alive() is None
    finally:
        gc.enable()


def test_a_project_can_be_larger_than_what_is_read_at_a_time() -> None:
    large = Project(name="b", files=tuple(linked("b", f"{number}.0") for number in range(5_000)))
    some = [Project(name="a", files=(linked("a", "1.0"),)), large, Project(name="c", files=(linked("c", "1.0"),))]
    stored = StoredProjects(some)
    assert (list(stored), stored[1], stored[2]) == (some, large, some[2])


def test_a_full_disk_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", fail)
    with pytest.raises(MkindexError, match=r"^cannot use a temporary file in .*: No space left on device\. .*TMPDIR"):
        list(StoredProjects(projects()))


def lines(count: int) -> list[dict[str, object]]:
    """Lines of a list, in no order: several files of each project, one of them twice, one that is rejected."""
    some: list[dict[str, object]] = [
        {
            "filename": f"sub/p{number % 5}-{number // 5}.{number % 3}-py3-none-any.whl",
            "hash": f"sha256={number:064x}",
            "requires_python": ">=3.9",
            "upload_timestamp": 1_700_000_000 + number,
            "yanked_reason": "broken" if number % 4 == 0 else None,
        }
        for number in range(count)
    ]
    some.append(some[3])
    some.append({"filename": "not-a-wheel-py3-none-any.whl"})
    random.Random(count).shuffle(some)
    return some


def build(capsys: pytest.CaptureFixture[str], where: str, *arguments: str) -> tuple[int, str]:
    """Build from a list without a cache; return the status, and what was printed without time and place."""
    status = cli.run(["list.jsonl", where, "--files-url", FILES_URL, "--no-cache", "--json", *arguments])
    said = json.loads(capsys.readouterr().out)
    return status, json.dumps({**said, "seconds": 0})


LAYOUTS = [
    [],
    ["--for", "netlify", "--json-root", "json", "--links", "--legacy-json", "--pyodide-json"],
    ["--reserve", "private-*", "--reserve", "p3"],
    ["--site"],
    ["--upload-time", "none", "--include", "p[12]"],
]


@pytest.mark.parametrize("arguments", LAYOUTS, ids=lambda arguments: arguments[0] if arguments else "plain")
def test_a_build_on_disk_is_the_same_as_one_in_memory(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    builds = []
    for content in (lines(30), lines(33)):  # the second time something is added
        Path("list.jsonl").write_bytes(objects(*content))
        builds.append(build(capsys, "memory", *arguments))
    with monkeypatch.context() as patched:
        patched.setattr(spool, "MOST_IN_MEMORY", 3)
        patched.setattr(listing, "_AT_A_TIME", 2)
        for number, content in enumerate((lines(30), lines(33))):
            Path("list.jsonl").write_bytes(objects(*content))
            assert build(capsys, "disk", *arguments) == builds[number]
        assert build(capsys, "cold", *arguments)[0] == builds[1][0]
    assert read_tree(Path("disk")) == read_tree(Path("memory")) == read_tree(Path("cold"))


@pytest.mark.usefixtures("on_disk")
def test_files_that_need_a_request_keep_their_place_among_links_that_need_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    missing = f"file://{tmp_path}/none-1.0.tar.gz\n".encode()
    Path("list.jsonl").write_bytes(objects(*lines(9)) + missing + objects(*lines(30)))
    status, said = build(capsys, "some")
    assert (status, json.loads(said)["projects"]) == (1, 5)
    assert {one["location"].rpartition("/")[2] for one in json.loads(said)["rejected"]} >= {"none-1.0.tar.gz"}
