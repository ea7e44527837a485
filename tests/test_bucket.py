"""Indexes in a bucket: what its objects are, in which order they change, and what happens when a writer dies."""

from __future__ import annotations

import re
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from mkindex.build.growing import Growth
from mkindex.build.pipeline import build
from mkindex.config import Config
from mkindex.errors import ConfigError, DestinationError, Note, NotPublished
from mkindex.model.index import ProjectStatus
from mkindex.publish.claim import ClaimTimes
from mkindex.publish.object_headers import FILE_HEADERS
from mkindex.stores.objects import StoreError
from support.builds import cold_build
from support.crash_scenes import build_quickly, change, change_again, start
from support.fake_store import (
    ADDRESS,
    AT_ONCE,
    FakeStore,
    Object,
    broken_links,
    fail_at,
    pages_of_directories,
    tree_in,
    use,
)
from support.faulty_disk import ProcessKilled
from support.growing import cold_union
from support.variant_wheels import write_release
from support.wheels import wheel, write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mkindex.build.report import Report

HTML_TYPE, JSON_TYPE = "text/html; charset=utf-8", "application/vnd.pypi.simple.v1+json"
SHORT, LONG = "max-age=60, must-revalidate", "public, max-age=31536000, immutable"
MANIFEST, CLAIM = ".mkindex/manifest", ".mkindex/intent"
LEFT = b"mkindex claim 1 left 00000000000000000000000000000000 1\n"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> FakeStore:
    made = FakeStore()
    use(monkeypatch, made)
    return made


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "wheels"
    directory.mkdir()
    start(directory)
    return directory


def publish(source: Path, **options: Any) -> Report:  # noqa: ANN401 (the fields of Config)
    return build(Config(sources=(str(source),), destination=ADDRESS, **({"grace": 0} | options)))


def add(source: Path, **options: Any) -> Report:  # noqa: ANN401 (the fields of Config)
    config = Config(sources=(str(source),), destination=ADDRESS, **options)
    return build(config, growth=Growth(given=frozenset(options)))


def stage(request: str) -> int:
    """When a write is due: files, claim, project pages, root pages, manifest, deletes, end of the claim."""
    method, key = request.split(" ", 1)
    if method == "DELETE":
        return 6 if key == CLAIM else 5
    if key.startswith("files/"):
        return 0
    if key in (CLAIM, MANIFEST):
        return 1 if key == CLAIM else 4
    return 2 if key.count("/") > 1 else 3


def without_run(manifest: Object) -> tuple[bytes, int]:
    """Return what does not tell one write of a manifest from another."""
    return re.sub(rb"run\t[0-9a-f]{32}\n|end [0-9a-f]{8}\n", b"", manifest.data), manifest.modified


def writes(store: FakeStore) -> list[str]:
    return [request for request in store.requests if request.split(" ")[0] in ("PUT", "DELETE")]


# --- objects ----------------------------------------------------------------------------------------------------------


def test_a_bucket_has_the_same_tree_as_a_directory_and_the_pages_of_directories_at_their_keys(
    source: Path, store: FakeStore
) -> None:
    publish(source, links=True, json_root="json")
    expected = cold_build(source, links=True, json_root="json", host="netlify")
    del expected["_headers"]
    assert tree_in(store) == expected
    assert pages_of_directories(store) == {
        path: page for path, page in expected.items() if path.rpartition("/")[2] == "index.html"
    }
    kinds = {"index.v1_json": JSON_TYPE, ".nojekyll": "text/plain; charset=utf-8"}
    assert {key: one.headers for key, one in store.objects.items() if not key.startswith(".mkindex")} == {
        key: ("application/octet-stream", LONG)
        if key.startswith("files/")
        else (JSON_TYPE if key.startswith("json/") else kinds.get(key.rpartition("/")[2], HTML_TYPE), SHORT)
        for key in (*expected, *(path.removesuffix("index.html") for path in pages_of_directories(store)))
    }
    assert store.objects.keys() - expected.keys() - {path.removesuffix("index.html") for path in expected} == {MANIFEST}


def test_a_site_for_people_is_in_a_bucket_as_in_a_directory(source: Path, store: FakeStore) -> None:
    publish(source, site=True)
    assert tree_in(store) == cold_build(source, site=True)
    kinds = {key: one.headers.content_type for key, one in store.objects.items()}
    assert {kinds[key] for key in kinds if key.endswith(".css")} == {"text/css; charset=utf-8"}
    assert {kinds[key] for key in kinds if key.endswith(".svg")} == {"image/svg+xml"}


def test_wheel_variants_are_in_a_bucket_as_in_a_directory(source: Path, store: FakeStore) -> None:
    write_release(source, "torchish", "2.9.0")
    publish(source, wheel_variants=True)
    assert tree_in(store) == cold_build(source, wheel_variants=True)


def test_a_site_that_grows_knows_what_is_in_the_bucket_without_a_cache(tmp_path: Path, store: FakeStore) -> None:
    for name in "many", "new":
        (tmp_path / name).mkdir()
    write_wheel(tmp_path / "many", "demo", "1.0", summary="what it does")
    write_wheel(tmp_path / "new", "other", "1.0", requires_dist=["demo"])
    publish(tmp_path / "many", site=True)
    add(tmp_path / "new")
    expected = cold_union(tmp_path / "all", tmp_path / "many", tmp_path / "new", site=True)
    assert tree_in(store) == expected
    assert b"what it does" in expected["project/demo/index.html"]
    assert b"demo/__init__.py" in expected["project/demo/contents.html"]


def test_a_page_lacks_the_contents_of_a_wheel_that_somebody_deleted(tmp_path: Path, store: FakeStore) -> None:
    for name in "many", "new":
        (tmp_path / name).mkdir()
    write_wheel(tmp_path / "many", "demo", "1.0", tag="py3-none-any")
    write_wheel(tmp_path / "new", "demo", "1.0", tag="cp312-cp312-linux_x86_64")
    publish(tmp_path / "many", site=True)
    del store.objects[next(key for key in store.objects if key.endswith("any.whl"))]
    add(tmp_path / "new")
    page = tree_in(store)["project/demo/contents.html"]
    assert page.count(b"demo/__init__.py") == 1


def test_a_build_without_changes_writes_nothing(source: Path, store: FakeStore) -> None:
    publish(source)
    store.requests.clear()
    assert publish(source).written == 0
    assert store.requests == [f"GET {MANIFEST}", f"HEAD {CLAIM}"]


def test_a_dry_run_writes_nothing(source: Path, store: FakeStore) -> None:
    report = publish(source, dry_run=True)
    assert (len(report.plan.puts), writes(store)) == (len(cold_build(source)), [])


def test_a_changed_source_changes_a_bucket_as_a_directory_and_in_order(source: Path, store: FakeStore) -> None:
    publish(source)
    for edit in change, change_again:
        store.requests.clear()
        edit(source)
        publish(source)
        assert tree_in(store) == cold_build(source)
        assert {f"{key}index.html" for key in store.objects if key.endswith("/")} <= tree_in(store).keys()
        stages = [stage(request) for request in writes(store)]
        assert stages == sorted(stages)
        assert set(stages) == set(range(7))


def test_objects_of_others_stay_and_one_in_the_way_is_refused(source: Path, store: FakeStore) -> None:
    theirs = {"README": b"theirs", "simple/notes": b"theirs", "files/notes": b"theirs"}
    for key, data in theirs.items():
        store.put(key, data, ("", ""))  # type: ignore[arg-type]
    publish(source)
    change(source)
    publish(source)
    assert tree_in(store) == cold_build(source) | theirs
    store.put("simple/another/index.html", b"theirs", ("", ""))  # type: ignore[arg-type]
    write_wheel(source, "another", "1.0")
    with pytest.raises(DestinationError, match=r"^this file is in the way.*: simple/another/index\.html\."):
        publish(source)
    publish(source, overwrite=True)
    assert tree_in(store) == cold_build(source) | theirs


# --- add, remove, yank, status ----------------------------------------------------------------------------------------


def test_adding_costs_as_many_requests_in_a_large_index_as_in_a_small_one(
    tmp_path: Path, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []
    for number in 2, 60:
        many, new = tmp_path / f"many-{number}", tmp_path / f"new-{number}"
        for directory in many, new:
            directory.mkdir()
        for project in range(number):
            write_wheel(many, f"project-{project}", "1.0")
        write_wheel(new, "project-1", "2.0")
        use(monkeypatch, one := FakeStore())
        publish(many)
        one.requests.clear()
        add(new)
        assert tree_in(one) == cold_union(tmp_path / "all", many, new)
        counts.append(one.requests)
    assert len(counts[0]) == len(counts[1]) == 21
    assert [request for request in counts[1] if request.startswith("LIST")] == ["LIST /"]


def test_files_are_added_removed_and_yanked_as_in_a_directory(source: Path, tmp_path: Path, store: FakeStore) -> None:
    new = tmp_path / "new"
    new.mkdir()
    write_wheel(new, "demo", "2.0")
    publish(source)
    add(new)
    assert tree_in(store) == cold_union(tmp_path / "all", source, new)
    nothing = Config(sources=(), destination=ADDRESS, grace=0, prune=True)
    build(nothing, growth=Growth(is_removed=lambda file: file.version == "2.0"))
    assert tree_in(store) == cold_build(source)
    yanked = Growth(edit=lambda file: file.with_yanked("bad"), statuses={"other": ProjectStatus("archived", None)})
    build(nothing, growth=yanked)
    pages = tree_in(store)
    assert b'"yanked":"bad"' in pages["simple/demo/index.v1_json"]
    assert b'"status":"archived"' in pages["simple/other/index.v1_json"]
    add(new)
    assert b'"yanked":"bad"' in tree_in(store)["simple/demo/index.v1_json"]


def test_a_bucket_grows_by_itself_and_not_from_a_site(source: Path, store: FakeStore) -> None:
    with pytest.raises(ConfigError, match=r"^previous is for hosts on which each deployment replaces the site"):
        add(source, previous="https://example.com/")
    assert store.objects == {}


def test_a_wheel_is_added_to_the_index_of_its_variant(tmp_path: Path, store: FakeStore) -> None:
    many, new = tmp_path / "many", tmp_path / "new"
    for directory in many, new:
        directory.mkdir()
    for version in "1.0", "1.1":
        for label in "cpu", "cu126", "cu128":
            write_wheel(many, "demo-cuda", f"{version}+{label}")
    write_wheel(new, "demo-cuda", "1.2+cu128")
    (tmp_path / "policy.toml").write_text('[variants]\nby = "local"\n')
    rules = str(tmp_path / "policy.toml")
    publish(many, policy=rules)
    before = dict(store.objects)
    add(new)
    assert tree_in(store) == cold_union(tmp_path / "all", many, new, policy=rules)
    changed = {key for key, one in store.objects.items() if before.get(key) != one} - {MANIFEST}
    assert {key for key in changed if key.startswith("whl/")} == {
        f"whl/cu128/demo-cuda/{page}" for page in ("", "index.html", "index.v1_json")
    }
    assert len({key for key in changed if key.startswith("files/")}) == 2
    with pytest.raises(
        NotPublished, match=r"has an index for each variant \(cpu, cu126, cu128\), and this build has no"
    ):
        publish(many)
    publish(many, prune=True)
    assert tree_in(store) == cold_build(many)


def test_a_mirror_of_objects_of_the_same_bucket_reads_each_of_them_once(
    source: Path, tmp_path: Path, store: FakeStore
) -> None:
    for path in source.iterdir():
        store.put(path.name, path.read_bytes(), FILE_HEADERS)
    cached = {"remote": "mirror", "cache_dir": str(tmp_path / "cache"), "upload_time": "none"}
    expected = cold_build(source, upload_time="none") | {path.name: path.read_bytes() for path in source.iterdir()}
    for reads in 2, 0:
        store.requests.clear()
        build(Config(sources=(ADDRESS,), destination=ADDRESS, **cached))  # type: ignore[arg-type]
        assert tree_in(store) == expected
        assert len([request for request in store.requests if request.startswith("STREAM")]) == reads


def test_a_page_that_cannot_be_read_does_not_undo_a_yank(source: Path, store: FakeStore) -> None:
    def fail(number: int, request: str) -> None:
        if request == "GET simple/demo/index.v1_json":
            raise StoreError("the store does not answer (operation timed out)")

    publish(source)
    build(
        Config(sources=(), destination=ADDRESS),
        growth=Growth(given=frozenset(), edit=lambda file: file.with_yanked("bad")),
    )
    store.fails = fail
    with pytest.raises(DestinationError, match=rf"^{ADDRESS}: the store does not answer \(operation timed out\)$"):
        publish(source)
    assert b'"yanked":"bad"' in tree_in(store)["simple/demo/index.v1_json"]


# --- drop folders -----------------------------------------------------------------------------------------------------


def consume(source: Path) -> Report:
    return build(Config(sources=(str(source),), destination=ADDRESS), growth=Growth(consume=True))


def test_published_files_are_deleted_from_a_drop_folder(source: Path, store: FakeStore) -> None:
    before = cold_build(source)
    assert len(consume(source).consumed or ()) == 2
    assert (list(source.iterdir()), tree_in(store)) == ([], before)


@pytest.mark.parametrize("data", [None, b"damaged"], ids=["missing", "damaged"])
def test_a_file_whose_object_is_not_whole_stays_in_a_drop_folder(
    source: Path, store: FakeStore, data: bytes | None
) -> None:
    publish(source)
    key = next(key for key in store.objects if key.endswith(".whl"))
    store.delete([key]) if data is None else store.put(key, data, FILE_HEADERS)
    report = consume(source)
    demo = source / "demo-1.0-py3-none-any.whl"
    text = "listed, and not deleted, because its copy in DEST is missing or damaged. Check DEST"
    assert (report.notes, list(source.iterdir())) == ((Note(location=str(demo), text=text),), [demo])


@pytest.mark.parametrize("grace", [0, 7])
def test_a_file_that_another_writer_removes_meanwhile_stays_in_a_drop_folder(
    source: Path, store: FakeStore, grace: int
) -> None:
    add(source)
    nothing = Config(sources=(), destination=ADDRESS, grace=grace, prune=True)
    waiting = [Growth(given=frozenset({"grace"}), is_removed=lambda file: file.project == "demo")]

    def remove_after_plan(number: int, request: str) -> None:
        if request == f"HEAD {CLAIM}" and waiting:
            growth = waiting.pop()
            store._lock.release()
            build(nothing, growth=growth)
            store._lock.acquire()

    store.fails = remove_after_plan
    consume(source)
    assert [path.name for path in source.iterdir()] == ["demo-1.0-py3-none-any.whl"]


# --- writers that die -------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("taking_effect", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("edit", [start, change], ids=["first build", "change"])
def test_a_writer_killed_at_any_request_leaves_no_broken_link_and_the_next_finishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edit: Callable[[Path], None], taking_effect: bool
) -> None:
    """A killed writer makes no more requests: neither does this process, in the place of that one."""
    source = tmp_path / "wheels"
    source.mkdir()
    start(source)
    store = FakeStore()
    use(monkeypatch, store)
    build_quickly(monkeypatch)
    if edit is change:
        publish(source)
        change(source)
    before = dict(store.objects)
    store.requests.clear()
    publish(source)
    whole, number = cold_build(source), len(store.requests)
    assert tree_in(store) == whole
    for at in range(1, number + 1):
        store.objects = dict(before)
        store.requests.clear()
        store.fails = fail_at(at + taking_effect, ProcessKilled)
        with suppress(ProcessKilled):  # after the last request there is nothing left to fail
            publish(source)
        store.fails = lambda number, request: None
        assert broken_links(store) == []
        publish(source)
        assert broken_links(store) == []
        assert tree_in(store) == whole
        assert CLAIM not in store.objects


def test_what_a_dead_writer_published_is_undone_by_a_build_of_other_files(source: Path, store: FakeStore) -> None:
    publish(source)
    unchanged = cold_build(source)
    write_wheel(source, "added", "1.0")
    store.requests.clear()
    store.fails = lambda number, request: (
        fail_at(1, ProcessKilled)(1, request) if request == f"PUT {MANIFEST}" else None
    )
    with pytest.raises(ProcessKilled):
        publish(source)
    store.fails = lambda number, request: None
    assert b"added" in tree_in(store)["simple/index.html"]
    (source / "added-1.0-py3-none-any.whl").unlink()
    publish(source)
    pages = {path: page for path, page in tree_in(store).items() if not path.startswith("files/")}
    assert pages == {path: page for path, page in unchanged.items() if not path.startswith("files/")}
    assert broken_links(store) == []


def test_a_request_that_fails_leaves_the_claim_to_the_next_writer_at_once(source: Path, store: FakeStore) -> None:
    def fail(number: int, request: str) -> None:
        if request == "PUT simple/index.html":
            raise StoreError("the store answered 500 InternalError")

    publish(source)
    write_wheel(source, "added", "1.0")
    store.fails = fail
    with pytest.raises(DestinationError, match=rf"^{ADDRESS}: the store answered 500 InternalError$"):
        publish(source)
    assert store.objects[CLAIM].data.startswith(b"mkindex claim 1 left ")
    store.fails = lambda number, request: None
    publish(source)
    assert tree_in(store) == cold_build(source)


def test_a_store_that_does_not_show_unfinished_uploads_is_published_to(source: Path, store: FakeStore) -> None:
    def refuse(number: int, request: str) -> None:
        if request.startswith("ABORT"):
            assert request == "ABORT files/ 30"
            raise StoreError("access denied")

    store.fails = refuse
    publish(source)
    assert tree_in(store) == cold_build(source)


def test_nothing_that_readers_see_changes_if_before_commit_raises(source: Path, store: FakeStore) -> None:
    class Stopped(Exception):
        pass

    def stop() -> None:
        raise Stopped

    publish(source)
    before = dict(store.objects)
    change(source)
    with pytest.raises(Stopped):
        build(Config(sources=(str(source),), destination=ADDRESS), before_commit=stop)
    assert {key: one for key, one in store.objects.items() if key in before} == before
    assert CLAIM not in store.objects


# --- several writers --------------------------------------------------------------------------------------------------


def test_writers_at_the_same_time_lose_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FakeStore()
    use(monkeypatch, store, ClaimTimes())
    sources = []
    for number in range(5):
        sources.append(tmp_path / f"wheels-{number}")
        sources[-1].mkdir()
        write_wheel(sources[-1], "demo", f"{number}.0")
        write_sdist(sources[-1], f"other-{number}", "1.0")
    together = threading.Barrier(len(sources))

    def add_after(source: Path) -> None:
        together.wait()
        add(source)

    with ThreadPoolExecutor(len(sources)) as threads:
        list(threads.map(add_after, sources))
    assert tree_in(store) == cold_union(tmp_path / "all", *sources)
    assert CLAIM not in store.objects


def test_the_first_pages_of_another_writer_are_not_in_the_way(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FakeStore()
    use(monkeypatch, store, ClaimTimes())
    new = tmp_path / "new"
    new.mkdir()
    write_wheel(new, "demo", "2.0")
    begun, planned = threading.Event(), threading.Event()

    def meet(number: int, request: str) -> None:
        if request == f"PUT {MANIFEST}" and not begun.is_set():  # all pages are there
            begun.set()
            store._lock.release()
            assert planned.wait(30)
            store._lock.acquire()
        elif begun.is_set() and request.startswith("PUT files/"):
            planned.set()

    store.fails = meet
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(add, source)
        assert begun.wait(30)
        add(new)
        first.result()
    assert tree_in(store) == cold_union(tmp_path / "all", source, new)


def test_a_writer_plans_again_if_another_one_published_meanwhile(
    source: Path, tmp_path: Path, store: FakeStore
) -> None:
    others = tmp_path / "others"
    others.mkdir()
    write_wheel(others, "demo", "3.0")
    publish(source)
    new = tmp_path / "new"
    new.mkdir()
    write_wheel(new, "demo", "2.0")
    waiting = [others]

    def publish_between(number: int, request: str) -> None:
        if request == f"PUT {CLAIM}" and waiting:
            store._lock.release()
            add(waiting.pop())
            store._lock.acquire()

    store.fails = publish_between
    add(new)
    assert tree_in(store) == cold_union(tmp_path / "all", source, others, new)


@pytest.mark.parametrize("grace", [0, 7], ids=["page and file", "page"])
def test_what_another_writer_is_about_to_delete_is_not_taken_for_published(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, grace: int
) -> None:
    store = FakeStore()
    use(monkeypatch, store, ClaimTimes())
    publish(source)
    again = tmp_path / "again"
    again.mkdir()
    shutil.copy2(source / "demo-1.0-py3-none-any.whl", again)
    begun, waits = threading.Event(), threading.Event()
    adder: list[int] = []

    def meet(number: int, request: str) -> None:
        if request.startswith("DELETE ") and not begun.is_set():  # the manifest is that without the project
            begun.set()
            store._lock.release()
            assert waits.wait(30)
            store._lock.acquire()
        elif threading.get_ident() in adder and request == f"GET {CLAIM}":  # the plan is made
            waits.set()

    def add_again() -> None:
        adder.append(threading.get_ident())
        add(again)

    store.fails = meet
    nothing = Config(sources=(), destination=ADDRESS, grace=grace, prune=True)
    with ThreadPoolExecutor(2) as threads:
        removed = threads.submit(build, nothing, growth=Growth(is_removed=lambda file: file.project == "demo"))
        assert begun.wait(30)
        threads.submit(add_again).result()
        removed.result()
    assert broken_links(store) == []
    assert {"simple/demo/index.html", "simple/demo/"} <= store.objects.keys()


def test_a_writer_that_another_one_took_for_dead_publishes_nothing_more(
    source: Path, tmp_path: Path, store: FakeStore
) -> None:
    publish(source)
    new = tmp_path / "new"
    new.mkdir()
    write_wheel(new, "demo", "2.0")
    taken = threading.Event()

    def take_over(number: int, request: str) -> None:
        if request == "PUT simple/demo/index.html" and not taken.is_set():
            taken.set()
            store._lock.release()
            write_wheel(source, "demo", "3.0")
            publish(source)
            store._lock.acquire()

    store.fails = take_over
    with pytest.raises(DestinationError, match="another mkindex process"):
        add(new)
    assert tree_in(store).keys() >= cold_build(source).keys()
    assert broken_links(store) == []


def test_a_writer_that_did_not_run_for_a_while_looks_whether_it_still_has_the_claim(
    source: Path, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, store, ClaimTimes(renewal=0.0, lease=60.0, patience=0.0))
    monkeypatch.setattr("mkindex.publish.claim.Claim._start_renewing", lambda claim: None)

    def take_over(number: int, request: str) -> None:
        if request == "PUT simple/demo/index.html":
            theirs = LEFT.replace(b"left", b"held")
            store.objects[CLAIM] = store.objects[CLAIM]._replace(data=theirs, etag='"of another writer"')

    store.fails = take_over
    with pytest.raises(DestinationError, match=rf"^{ADDRESS}: another mkindex process took over, because this one"):
        publish(source)
    assert MANIFEST not in store.objects
    assert store.objects[CLAIM].etag == '"of another writer"'
    assert "simple/index.html" not in store.objects


def test_a_renewal_whose_answer_was_lost_is_no_loss_of_the_claim(
    source: Path, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, store, ClaimTimes(renewal=0.0, lease=60.0, patience=0.0))
    monkeypatch.setattr("mkindex.publish.claim.Claim._start_renewing", lambda claim: None)

    def renew_unseen(number: int, request: str) -> None:
        if request == "PUT simple/demo/index.html":
            claim = store.objects[CLAIM]
            store.objects[CLAIM] = claim._replace(data=claim.data.replace(b" 1\n", b" 99\n", 1), etag='"unseen"')

    store.fails = renew_unseen
    publish(source)
    assert tree_in(store) == cold_build(source)
    assert CLAIM not in store.objects


def test_a_file_that_others_added_and_removed_within_a_second_is_uploaded_again(
    source: Path, tmp_path: Path, store: FakeStore
) -> None:
    store.has_digests = True
    new = tmp_path / "new"
    new.mkdir()
    write_wheel(new, "demo", "2.0")
    add(source, grace=0)
    before = store.objects[MANIFEST]
    others = [add]

    def add_and_remove(number: int, request: str) -> None:
        if request == f"PUT {CLAIM}" and others:  # the first writer has uploaded its file
            others.pop()
            store._lock.release()
            add(new)
            nothing = Config(sources=(), destination=ADDRESS, grace=0)
            build(nothing, growth=Growth(is_removed=lambda file: file.version == "2.0"))
            assert without_run(store.objects[MANIFEST]) == without_run(before)
            store._lock.acquire()

    store.fails = add_and_remove
    add(new)
    assert tree_in(store) == cold_union(tmp_path / "all", source, new)


def test_a_page_that_somebody_replaced_is_not_deleted(source: Path, store: FakeStore) -> None:
    publish(source)
    theirs = store.objects["simple/demo/index.html"]._replace(data=b"a page of somebody else")
    store.objects["simple/demo/index.html"] = theirs
    (source / "demo-1.0-py3-none-any.whl").unlink()
    report = publish(source, prune=True)
    assert tree_in(store) == cold_build(source) | {"simple/demo/index.html": theirs.data}
    assert any("simple/demo/index.html" in note.location + note.text for note in report.notes)


def test_a_site_whose_logo_is_missing_is_published_without_one(tmp_path: Path, store: FakeStore) -> None:
    logo = tmp_path / "logo.svg"
    logo.write_bytes(b"<svg/>")
    for name in "many", "new":
        (tmp_path / name).mkdir()
        write_wheel(tmp_path / name, name, "1.0")
    publish(tmp_path / "many", site=True, site_logo=str(logo))
    del store.objects["assets/logo.svg"]
    add(tmp_path / "new")
    assert tree_in(store) == cold_union(tmp_path / "all", tmp_path / "many", tmp_path / "new", site=True)


def test_a_writer_waits_for_another_one_and_gives_up_after_a_while(
    source: Path, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, store, ClaimTimes(lease=60.0, patience=0.0))
    store.put(CLAIM, b"mkindex claim 1 held 00000000000000000000000000000000 1\nmkindex intent 3\n", ("", ""))  # type: ignore[arg-type]
    with pytest.raises(DestinationError, match=rf"^another mkindex process has been publishing to {ADDRESS} for 0 s"):
        publish(source)
    assert MANIFEST not in store.objects


@pytest.mark.parametrize("has_absent", [False, True], ids=["no conditions", "If-None-Match only"])
@pytest.mark.parametrize("is_taken_over", [False, True], ids=["new claim", "claim of a dead writer"])
def test_a_store_without_conditional_writes_is_named(
    source: Path, store: FakeStore, monkeypatch: pytest.MonkeyPatch, has_absent: bool, is_taken_over: bool
) -> None:
    monkeypatch.setattr("mkindex.publish.claim.SETTLING_TIME", 0.0)
    store.ignores_conditions, store.ignores_etags = not has_absent, has_absent
    if is_taken_over:
        store.put(CLAIM, LEFT, FILE_HEADERS)
    report = publish(source)
    text = (
        "this store has no conditional writes, so another mkindex that publishes at the same moment can undo this. "
        "Let one process at a time write"
    )
    assert Note(location=ADDRESS, text=text) in report.findings
    assert tree_in(store) == cold_build(source)


def test_an_intent_that_was_taken_over_is_not_lost_if_the_store_fails_then(source: Path, store: FakeStore) -> None:
    publish(source)
    write_wheel(source, "added", "1.0")
    store.fails = lambda number, request: (
        fail_at(1, ProcessKilled)(1, request) if request == f"PUT {MANIFEST}" else None
    )
    with pytest.raises(ProcessKilled):
        publish(source)
    (source / "added-1.0-py3-none-any.whl").unlink()
    writes_of_claim: list[str] = []

    def fail(number: int, request: str) -> None:
        if request == f"PUT {CLAIM}":
            writes_of_claim.append(request)
            if len(writes_of_claim) == 2:
                raise StoreError("the store answered 500 InternalError")

    store.fails = fail
    with pytest.raises(DestinationError):
        publish(source)
    store.fails = lambda number, request: None
    publish(source)
    assert broken_links(store) == []
    assert b"added" not in tree_in(store)["simple/index.html"]


# --- what else can be there -------------------------------------------------------------------------------------------


def test_a_manifest_of_a_newer_version_is_refused_and_a_damaged_one_ignored(source: Path, store: FakeStore) -> None:
    import zlib

    publish(source)
    newer = b"mkindex manifest 4\n"
    store.put(MANIFEST, newer + b"end %08x\n" % zlib.crc32(newer), ("", ""))  # type: ignore[arg-type]
    with pytest.raises(
        DestinationError, match=r"^s3://a-bucket/python/\.mkindex/manifest was written by a newer mkindex"
    ):
        publish(source)
    store.put(MANIFEST, b"damaged", ("", ""))  # type: ignore[arg-type]
    publish(source)
    assert tree_in(store) == cold_build(source)


def test_a_file_that_changes_while_it_is_read_is_examined_again(source: Path, store: FakeStore) -> None:
    target = source / "demo-1.0-py3-none-any.whl"

    def replace(number: int, request: str) -> None:
        if request == "LIST /":
            target.write_bytes(wheel("demo", "1.0", summary="another"))

    store.fails = replace
    publish(source)
    assert tree_in(store) == cold_build(source)


def test_waiting_has_bounds() -> None:
    assert ClaimTimes() == (15.0, 60.0, 600.0)
    assert AT_ONCE.lease == 0.0
