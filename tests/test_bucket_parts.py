"""Large indexes in buckets, whose manifest has parts: what a run reads, and what happens to parts."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from mkindex.build.deciding import decide_status, decide_yank
from mkindex.build.growing import Growth, removal_of
from mkindex.build.pipeline import build
from mkindex.build.requesting import find_requested
from mkindex.check.engine import check
from mkindex.check.options import CheckOptions
from mkindex.config import Config
from mkindex.errors import DestinationError, NotPublished
from mkindex.model.index import ProjectStatus
from mkindex.publish.claim import ClaimTimes
from mkindex.publish.object_headers import FILE_HEADERS
from mkindex.sources.requested import parse_request
from mkindex.tree import parts
from mkindex.tree.layout import read_layout
from support.builds import cold_build
from support.crash_scenes import build_quickly
from support.fake_store import ADDRESS, FakeStore, broken_links, fail_at, tree_in, use
from support.faulty_disk import ProcessKilled
from support.growing import cold_union, resealed, union
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from mkindex.build.report import Report

MANIFEST, PARTS = ".mkindex/manifest", ".mkindex/parts/"


@pytest.fixture(autouse=True)
def has_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Divide every manifest."""
    monkeypatch.setattr("mkindex.publish.bucket_manifest.MOST_WHOLE", 0)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> FakeStore:
    made = FakeStore()
    use(monkeypatch, made)
    return made


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Projects of several kinds."""
    directory = tmp_path / "many"
    directory.mkdir()
    for number in range(6):
        write_wheel(directory, f"project-{number}", "1.0", requires_dist=["demo", f"project-{(number + 1) % 6}"])
    write_wheel(directory, "project-1", "1.1", requires_dist=["missing"])
    write_sdist(directory, "project-2", "2.0rc1")
    return directory


@pytest.fixture
def new(tmp_path: Path) -> Path:
    directory = tmp_path / "new"
    directory.mkdir()
    write_wheel(directory, "project-1", "2.0")
    return directory


def publish(source: Path, **options: Any) -> Report:  # noqa: ANN401 (the fields of Config)
    return build(Config(sources=(str(source),), destination=ADDRESS, **({"grace": 0} | options)))


def add(source: Path, **options: Any) -> Report:  # noqa: ANN401 (the fields of Config)
    config = Config(sources=(str(source),), destination=ADDRESS, **({"grace": 0} | options))
    return build(config, growth=Growth(given=frozenset(options)))


def listed(store: FakeStore) -> dict[str, str]:
    """Return the paths of the parts that the manifest lists, by project."""
    values: Any = parts.decode_list(store.objects[MANIFEST].data)
    return {name: parts.part_path(part[0]) for name, part in values["parts"].items()}


def parts_in(store: FakeStore) -> set[str]:
    return {key for key in store.objects if key.startswith(PARTS)}


def parts_read(store: FakeStore, paths: dict[str, str]) -> set[str]:
    """Return the projects whose parts were read."""
    return {name for name, path in paths.items() if f"GET {path}" in store.requests}


# --- what is read and written -----------------------------------------------------------------------------------------


def test_a_run_that_adds_a_file_reads_and_writes_the_part_of_its_project(
    many: Path, new: Path, tmp_path: Path, store: FakeStore
) -> None:
    publish(many)
    before = listed(store)
    store.requests.clear()
    report = add(new)
    assert tree_in(store) == cold_union(tmp_path / "all", many, new)
    assert parts_read(store, before) == {"", "project-1"}
    after = listed(store)
    assert {name for name, path in after.items() if path != before[name]} == {"", "project-1"}
    assert (report.totals.files, len(report.index.projects), report.removed_files) == (9, 6, ())
    assert report.added == ("project_1-2.0-py3-none-any.whl",)


def test_the_number_of_requests_does_not_depend_on_the_size_of_the_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []
    for number in 2, 60:
        source, new = tmp_path / f"many-{number}", tmp_path / f"new-{number}"
        for directory in source, new:
            directory.mkdir()
        for project in range(number):
            write_wheel(source, f"project-{project}", "1.0")
        write_wheel(new, "project-1", "2.0")
        use(monkeypatch, store := FakeStore())
        publish(source)
        store.requests.clear()
        add(new)
        counts.append(len(store.requests))
    assert counts == [25, 25]


@pytest.mark.parametrize(
    "options",
    [
        {"links": True},
        {"site": True},
        {"simple_path": ""},
        {"reserve": ("acme-*", "other")},
        {"legacy_json": True},
        {"pyodide_json": True},
        {"upload_time": "none"},
        {"url": "https://example.org/"},
    ],
    ids=lambda options: next(iter(options)),
)
def test_an_index_with_any_option_grows_to_what_a_cold_build_makes(
    many: Path, new: Path, tmp_path: Path, store: FakeStore, options: dict[str, Any]
) -> None:
    publish(many, **options)
    add(new)
    assert tree_in(store) == cold_union(tmp_path / "all", many, new, **options)


def test_an_index_with_a_second_root_grows_to_what_a_build_of_all_makes(
    many: Path, new: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees = []
    for sources in (many, new), (union(tmp_path / "all", many, new),):
        use(monkeypatch, store := FakeStore())
        publish(sources[0], json_root="json")
        for source in sources[1:]:
            add(source)
        trees.append(tree_in(store))
    assert trees[0] == trees[1]


def test_a_build_from_all_sources_finds_a_grown_index_up_to_date(
    many: Path, new: Path, tmp_path: Path, store: FakeStore
) -> None:
    publish(many)
    add(new)
    for path in new.iterdir():
        shutil.copy2(path, many)
    before = listed(store)
    store.requests.clear()
    assert publish(many).written == 0
    assert parts_read(store, before) == {""}


def test_options_that_change_are_applied_to_all_projects(
    many: Path, new: Path, tmp_path: Path, store: FakeStore
) -> None:
    publish(many)
    add(new, simple_path="other")
    assert tree_in(store) == cold_union(tmp_path / "all", many, new, simple_path="other")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"json_root": "json"}),
        ({"json_root": "json"}, {"json_root": None}),
        ({"json_root": "json"}, {"json_root": "other"}),
        ({"site": True}, {"site": False}),
        ({"legacy_json": True}, {"legacy_json": False}),
    ],
)
def test_pages_that_an_option_adds_or_takes_away_change_in_all_projects(
    many: Path, new: Path, monkeypatch: pytest.MonkeyPatch, before: dict[str, Any], after: dict[str, Any]
) -> None:
    trees = []
    for longest in 0, 1 << 30:
        monkeypatch.setattr("mkindex.publish.bucket_manifest.MOST_WHOLE", longest)
        use(monkeypatch, store := FakeStore())
        publish(many, **before)
        add(new, **after)
        trees.append(tree_in(store))
    assert trees[0] == trees[1]


LABELS = '[variants]\nby = "local"\npattern = "cu[0-9]+|cpu"\n'


@pytest.mark.parametrize(
    ("added", "is_read"),
    [("torch-2.0+cu128", False), ("torch-2.0+cu130", True), ("plain-2.0", False), ("fresh-1.0+cu128", False)],
)
@pytest.mark.parametrize("default", ["", "cpu"])
def test_an_index_of_variants_grows_to_what_a_cold_build_makes(
    tmp_path: Path, store: FakeStore, added: str, is_read: bool, default: str
) -> None:
    source, new, rules = tmp_path / "many", tmp_path / "new", tmp_path / "policy.toml"
    rules.write_text(LABELS + f'default = "{default}"\n' * bool(default))
    for directory in source, new:
        directory.mkdir()
    for name, labels in ("torch", ("cpu", "cu128")), ("vision", ("cpu",)), ("only-cuda", ("cu128",)):
        for label in labels:
            write_wheel(source, name, f"1.0+{label}")
    for name in "plain", "simple":
        write_wheel(source, name, "1.0")
    name, _, version = added.rpartition("-")
    write_wheel(new, name, version)
    publish(source, policy=str(rules))
    before = listed(store)
    store.requests.clear()
    add(new, policy=str(rules))
    assert tree_in(store) == cold_union(tmp_path / "all", source, new, policy=str(rules))
    assert ("simple" in parts_read(store, before)) == is_read


def test_a_policy_is_applied_to_what_is_added_and_a_changed_one_to_everything(
    many: Path, new: Path, tmp_path: Path, store: FakeStore
) -> None:
    rules = tmp_path / "policy.toml"
    rules.write_text('[[yank]]\nproject = "project-*"\nversions = "==1.0"\nreason = "old"\n')
    publish(many, policy=str(rules))
    before = listed(store)
    store.requests.clear()
    add(new, policy=str(rules))
    assert tree_in(store) == cold_union(tmp_path / "all", many, new, policy=str(rules))
    assert parts_read(store, before) == {"", "project-1"}
    rules.write_text('[[keep]]\nproject = "*"\nnewest = 1\n')
    write_wheel(new, "project-1", "3.0")
    add(new, policy=str(rules), prune=True)
    found = find_requested(Config(sources=(), destination=ADDRESS), [parse_request("project-1")])
    assert [file.version for file in found] == ["3.0"]
    assert b"1.0" not in tree_in(store)["simple/project-2/index.v1_json"]


def test_remove_and_yank_and_status_read_the_parts_of_their_projects(
    many: Path, tmp_path: Path, store: FakeStore
) -> None:
    publish(many)
    before = listed(store)
    config = Config(destination=ADDRESS, sources=(), grace=0)
    changes: Sequence[tuple[str, Callable[[], Growth]]] = [
        ("project-1", lambda: removal_of(find_requested(config, [parse_request("project_1-1.1-*.whl")]), frozenset())),
        ("project-2", lambda: decide_yank(config, ["project-2==1.0"], "broken", frozenset()).growth),
        ("project-3", lambda: decide_status(config, "project-3", ProjectStatus("archived"), frozenset()).growth),
    ]
    for name, growth in changes:
        store.requests.clear()
        build(config, growth=growth())
        assert parts_read(store, before) - {""} == {name}
        before = listed(store)
    pages = tree_in(store)
    assert b"1.1" not in pages["simple/project-1/index.v1_json"]
    assert b'"yanked":"broken"' in pages["simple/project-2/index.v1_json"]
    assert b'"status":"archived"' in pages["simple/project-3/index.v1_json"]
    with pytest.raises(NotPublished, match=r"has no project 'projekt-1'. Did you mean project-1\?"):
        find_requested(config, [parse_request("projekt-1")])


def test_a_project_is_removed_with_its_part(many: Path, tmp_path: Path, store: FakeStore) -> None:
    publish(many)
    config = Config(destination=ADDRESS, sources=(), grace=0)
    build(config, growth=removal_of(find_requested(config, [parse_request("project-5")]), frozenset()))
    next(many.glob("project_5*")).unlink()
    assert tree_in(store) == cold_build(many)
    assert "project-5" not in listed(store)


def test_a_retired_file_is_deleted_by_a_run_for_another_project(many: Path, new: Path, store: FakeStore) -> None:
    publish(many)
    config = Config(destination=ADDRESS, sources=(), grace=7)
    build(config, growth=removal_of(find_requested(config, [parse_request("project-3")]), frozenset({"grace"})))
    assert any("project_3" in key for key in store.objects)
    add(new, grace=0)  # once it is due
    assert not any("project_3" in key for key in store.objects)


def test_published_files_are_deleted_from_a_drop_folder(many: Path, new: Path, store: FakeStore) -> None:
    publish(many)
    before = listed(store)
    store.requests.clear()
    report = build(Config(sources=(str(new),), destination=ADDRESS), growth=Growth(consume=True))
    assert (len(report.consumed or ()), list(new.iterdir())) == (1, [])
    assert parts_read(store, before) == {"", "project-1"}


# --- parts ------------------------------------------------------------------------------------------------------------


def test_a_long_manifest_is_divided_at_the_next_write_and_stays_so(
    many: Path, new: Path, tmp_path: Path, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mkindex.publish.bucket_manifest.MOST_WHOLE", 1 << 20)
    publish(many)
    assert (parts_in(store), store.objects[MANIFEST].data[:19]) == (set(), b"mkindex manifest 2\n")
    monkeypatch.setattr("mkindex.publish.bucket_manifest.MOST_WHOLE", 0)
    publish(many)
    assert parts_in(store) == set()  # nothing changed
    add(new)
    assert tree_in(store) == cold_union(tmp_path / "all", many, new)
    assert parts_in(store) == {*listed(store).values()}
    monkeypatch.setattr("mkindex.publish.bucket_manifest.MOST_WHOLE", 1 << 20)
    write_wheel(new, "project-0", "2.0")
    add(new)
    assert tree_in(store) == cold_union(tmp_path / "all", many, new)
    assert parts.is_list(store.objects[MANIFEST].data)


def test_replaced_parts_stay_for_an_hour(
    many: Path, new: Path, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(many)
    before = {*listed(store).values()}
    add(new)
    current = {*listed(store).values()}
    assert parts_in(store) == before | current
    monkeypatch.setattr("mkindex.publish.bucket_manifest.KEPT_FOR", 0)
    write_wheel(new, "project-2", "2.0")
    add(new)
    assert parts_in(store) == {*listed(store).values()}


@pytest.mark.slow
@pytest.mark.parametrize("taking_effect", [False, True], ids=["before", "after"])
def test_a_writer_killed_at_any_request_leaves_no_broken_link_and_the_next_leaves_no_stray_part(
    many: Path, new: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taking_effect: bool
) -> None:
    store = FakeStore()
    use(monkeypatch, store)
    build_quickly(monkeypatch)
    monkeypatch.setattr("mkindex.publish.bucket_manifest.KEPT_FOR", 0)
    publish(many)
    before = dict(store.objects)
    store.requests.clear()
    add(new)
    whole, number = cold_union(tmp_path / "all", many, new), len(store.requests)
    assert tree_in(store) == whole
    for at in range(1, number + 1):
        store.objects = dict(before)
        store.requests.clear()
        store.fails = fail_at(at + taking_effect, ProcessKilled)
        with suppress(ProcessKilled):
            add(new)
        store.fails = lambda number, request: None
        assert broken_links(store) == []
        assert {*listed(store).values()} <= parts_in(store)
        add(new)
        assert tree_in(store) == whole
        assert parts_in(store) == {*listed(store).values()}


def test_what_somebody_put_among_the_parts_stays_when_stray_parts_are_deleted(
    many: Path, new: Path, monkeypatch: pytest.MonkeyPatch, store: FakeStore
) -> None:
    build_quickly(monkeypatch)
    publish(many)
    store.put(foreign := f"{PARTS}notes.txt", b"notes", FILE_HEADERS)
    store.put(stray := f"{PARTS}{'0' * 64}", b"stray", FILE_HEADERS)

    def fail(_number: int, request: str) -> None:
        if request.startswith("PUT") and MANIFEST in request:
            raise ProcessKilled

    store.fails = fail
    with pytest.raises(ProcessKilled):
        add(new)
    store.fails = lambda _number, _request: None
    add(new)
    assert [path in store.objects for path in (foreign, stray)] == [True, False]


@pytest.mark.parametrize("count", [2, 5])
def test_writers_at_the_same_time_lose_no_file(
    many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    store = FakeStore()
    use(monkeypatch, store, ClaimTimes())
    publish(many)
    sources = []
    for number in range(count):
        sources.append(tmp_path / f"wheels-{number}")
        sources[-1].mkdir()
        write_wheel(sources[-1], "project-1", f"2.{number}")
        write_wheel(sources[-1], f"other-{number}", "1.0")
    together = threading.Barrier(count)

    def add_after(source: Path) -> None:
        together.wait()
        add(source)

    with ThreadPoolExecutor(count) as threads:
        list(threads.map(add_after, sources))
    assert tree_in(store) == cold_union(tmp_path / "all", many, *sources)
    assert {*listed(store).values()} <= parts_in(store)


@pytest.mark.parametrize("how", ["missing", "damaged"])
def test_a_part_that_somebody_deleted_or_changed_is_named(many: Path, new: Path, store: FakeStore, how: str) -> None:
    publish(many)
    part = listed(store)["project-1"]
    store.delete([part]) if how == "missing" else store.put(part, b"theirs", FILE_HEADERS)
    before = dict(store.objects)
    with pytest.raises(DestinationError) as raised:
        add(new)
    assert str(raised.value) == (
        f"{ADDRESS}/{part} is {how}, so it is not known which files of project-1 are published. If another mkindex ran "
        "meanwhile, run again. Otherwise delete .mkindex/manifest, and build the index from its sources with "
        "--overwrite"
    )
    assert {key: store.objects[key] for key in before} == before
    store.delete([MANIFEST])
    write_wheel(many, "project-3", "2.0")
    publish(many, overwrite=True)
    assert tree_in(store) == cold_build(many)
    assert parts_in(store) == {*listed(store).values()}


@pytest.mark.parametrize(
    "change", [(b'"project-1":["', b'"project-1":["../../'), (b'"replaced":{', b'"replaced":{"../../simple":0'), None]
)
def test_a_damaged_list_of_parts_lists_nothing(
    many: Path, new: Path, store: FakeStore, change: tuple[bytes, bytes] | None
) -> None:
    publish(many)
    data = store.objects[MANIFEST].data
    damaged = data[:-1] if change is None else parts.encode_list(_changed(data, *change))
    store.put(MANIFEST, damaged, FILE_HEADERS)
    with pytest.raises(DestinationError, match=r"/\.mkindex/manifest is damaged, so it is not known what this index"):
        add(new)
    publish(many)
    assert tree_in(store) == cold_build(many)


def _changed(data: bytes, old: bytes, new: bytes) -> object:
    import json

    line = data.splitlines()[1]
    assert old in line
    return json.loads(line.replace(old, new))


def test_a_copy_of_a_bucket_on_this_machine_is_checked(many: Path, tmp_path: Path, store: FakeStore) -> None:
    publish(many, reserve=("acme-*",))
    for key, one in store.objects.items():
        if key and not key.endswith("/"):
            path = tmp_path / "copy" / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(one.data)
    copy = tmp_path / "copy"
    assert read_layout(str(copy / MANIFEST)) == ("simple/", ("simple/",), ("acme-*",), True)
    assert "manifest" not in {one.rule.name for one in check(CheckOptions(target=str(copy))).findings}
    with pytest.raises(DestinationError, match=r"is that of a bucket, in parts"):
        build(Config(sources=(str(many),), destination=str(copy)))
    (copy / listed(store)["project-1"]).unlink()
    findings = check(CheckOptions(target=str(copy))).findings
    assert [one.text for one in findings if one.rule.name == "manifest"] == [
        "is damaged or cannot be read (DamagedManifest)"
    ]


def test_a_part_with_paths_that_mkindex_does_not_publish_is_damaged(many: Path, new: Path, store: FakeStore) -> None:
    """Another person's bucket: mkindex deletes what a manifest names."""
    import hashlib
    import json

    publish(many)
    path = listed(store)["project-1"]
    theirs = resealed(store.objects[path].data, rb"3?simple/project-1/index.html", b"simple/../../project-1")
    sha256 = hashlib.sha256(theirs).hexdigest()
    store.put(parts.part_path(sha256), theirs, FILE_HEADERS)
    changed = store.objects[MANIFEST].data.replace(path.rpartition("/")[2].encode(), sha256.encode())
    store.put(MANIFEST, parts.encode_list(json.loads(changed.splitlines()[1])), FILE_HEADERS)
    with pytest.raises(DestinationError, match=rf"{sha256} is damaged, so it is not known which files of project-1"):
        add(new)
