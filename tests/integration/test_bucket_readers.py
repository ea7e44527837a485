"""What readers of an index in a bucket see while it changes, and after its writer was killed at any request."""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urljoin

import pytest

from mkindex.build.growing import Growth
from mkindex.build.pipeline import build
from mkindex.config import Config
from mkindex.stores.open import open_bucket
from support.azure_server import CONTAINER, run_container
from support.builds import cold_build
from support.clients import INSTALLERS, ClientHome
from support.crash_scenes import build_quickly, change, revert, start
from support.divided import divide, is_divided, listed_parts, stored_parts
from support.faulty_disk import ProcessKilled
from support.s3_server import NAME, run_bucket
from support.trees import find_broken_links
from support.watched_store import broken_links, read_objects, watch
from support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mkindex.stores.objects import ObjectStore


class Place(NamedTuple):
    """An empty bucket on this machine."""

    address: str
    store: ObjectStore
    is_divided: bool


@contextmanager
def open_place(address: str, variables: dict[str, str], *, is_divided: bool = False) -> Iterator[Place]:
    """Open a bucket in which every manifest is divided, or none."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        if is_divided:
            divide(patch)
        yield Place(address, open_bucket(address, (), timeout=30.0), is_divided)


@pytest.fixture(params=["s3", "azure"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    own = tmp_path / "server"
    own.mkdir()
    kind, _, form = request.param.partition(" ")
    is_divided = form == "divided"
    if kind == "azure":
        with run_container(own) as variables:
            address = f"az://{CONTAINER}/python"
            with open_place(address, variables, is_divided=is_divided) as opened:
                yield opened
    elif kind == "ceph":  # one server for all tests
        running, address = request.getfixturevalue("ceph"), f"s3://{NAME}/{request.node.name}"
        with open_place(address, running.environment, is_divided=is_divided) as opened:
            yield opened
    else:
        with run_bucket(own) as running:
            address = f"s3://{NAME}/python"
            with open_place(address, running.environment, is_divided=is_divided) as opened:
                yield opened


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "wheels"
    directory.mkdir()
    start(directory)
    return directory


def publish(source: Path, place: Place, *, grace: int = 0) -> None:
    build(Config(sources=(str(source),), destination=place.address, grace=grace, jobs=1, prune=True))


def add(source: Path, place: Place) -> None:
    build(Config(sources=(str(source),), destination=place.address, jobs=1), growth=Growth())


def remove(version: str, place: Place) -> None:
    growth = Growth(is_removed=lambda file: file.version == version)
    build(Config(sources=(), destination=place.address, jobs=1, prune=True), growth=growth)


@pytest.mark.parametrize("place", ["s3", "azure", "azure divided"], indirect=True)
def test_a_writer_killed_at_any_request_leaves_no_broken_link_and_the_next_finishes(
    source: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_quickly(monkeypatch)
    monkeypatch.setattr("mkindex.publish.bucket_manifest.KEPT_FOR", 0)
    watched = watch(monkeypatch, place.store)
    publish(source, place)
    change(source)
    watched.requests = 0
    publish(source, place)
    whole, number = cold_build(source), watched.requests
    assert read_objects(place.store) == whole
    for at in range(1, number + 1):
        revert(source)
        publish(source, place)
        change(source)
        watched.requests, watched.killed_at = 0, at
        with suppress(ProcessKilled):  # the last requests are those of a writer that gives up its claim
            publish(source, place)
        watched.killed_at = 0
        assert (at, broken_links(place.store)) == (at, [])
        assert (at, listed_parts(place.store) - stored_parts(place.store)) == (at, set())
        publish(source, place)
        assert (at, read_objects(place.store)) == (at, whole)
        assert (at, stored_parts(place.store)) == (at, listed_parts(place.store))
    assert is_divided(place.store) == place.is_divided


@pytest.mark.parametrize("place", ["s3", "azure", "azure divided"], indirect=True)
def test_a_reader_who_looks_after_every_request_finds_all_that_pages_name(
    source: Path, tmp_path: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_quickly(monkeypatch)
    watched = watch(monkeypatch, place.store)
    new = tmp_path / "new"
    new.mkdir()
    write_wheel(new, "demo", "2.0")
    write_wheel(new, "newer", "1.0")
    seen: set[bytes] = set()

    def look() -> None:
        tree = read_objects(place.store)
        assert find_broken_links(tree) == []
        seen.add(tree.get("simple/demo/index.v1_json", b""))

    watched.look = look
    publish(source, place)
    add(new, place)
    remove("2.0", place)
    change(source)
    publish(source, place)
    assert len(seen) == 4  # none, the page of 1.0 before and after 2.0, that with both, and that of the changed 1.0


class Reader:
    """Follows every link, as a client does that begins at the root, until the writer has finished."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.rounds = 0
        self.broken: list[str] = []

    def read_until(self, finished: threading.Event) -> None:
        while not (finished.is_set() and self.rounds):
            for name in self._projects():
                page = self._get(f"simple/{name}/index.v1_json")
                if page is None and name not in self._projects():
                    continue  # it was removed meanwhile
                self._read_files(f"simple/{name}/index.v1_json", page)
            self.rounds += 1

    def _projects(self) -> list[str]:
        return [one["name"] for one in json.loads(self._get("simple/index.v1_json") or b"")["projects"]]

    def _read_files(self, path: str, page: bytes | None) -> None:
        if page is None:
            self.broken.append(f"no {path}")
            return
        for file in json.loads(page)["files"]:
            key = unquote(urljoin(f"http://host/{path}", file["url"]).removeprefix("http://host/"))
            found = hashlib.sha256(self._get(key) or b"").hexdigest()
            if found != file["hashes"]["sha256"]:
                self.broken.append(f"{path}: {key}")

    def _get(self, key: str) -> bytes | None:
        found = self._store.get(key, most=1 << 30)
        return found.data if found else None


# The lab kills writers to Ceph, which takes longer.
@pytest.mark.parametrize("place", ["s3", "ceph", "azure", "ceph divided"], indirect=True)
def test_readers_that_follow_every_link_while_an_index_changes_find_them_all(
    source: Path, tmp_path: Path, place: Place
) -> None:
    new = tmp_path / "new"
    new.mkdir()
    write_wheel(new, "demo", "2.0")
    write_wheel(new, "newer", "1.0")
    publish(source, place)
    readers, finished = [Reader(place.store) for _ in range(2)], threading.Event()
    threads = [threading.Thread(target=reader.read_until, args=(finished,)) for reader in readers]
    for thread in threads:
        thread.start()
    try:
        for edit in change, revert, change, revert:
            add(new, place)
            remove("2.0", place)
            edit(source)
            publish(source, place, grace=3600)
    finally:
        finished.set()
        for thread in threads:
            thread.join()
    assert [reader.broken for reader in readers] == [[], []]
    assert all(reader.rounds for reader in readers)


def test_uv_installs_after_every_request_that_changes_an_index(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, new = tmp_path / "server", tmp_path / "new"
    own.mkdir()
    new.mkdir()
    write_wheel(new, "demo", "2.0")
    with run_bucket(own) as running, open_place(f"s3://{NAME}/python", running.environment) as place:
        watched = watch(monkeypatch, place.store)
        publish(source, place)
        versions: list[str] = []

        def install() -> None:
            home = ClientHome(tmp_path / f"home-{len(versions)}")  # a new one, since pages are cached for a minute
            home.path.mkdir()
            versions.append(INSTALLERS["uv"](home, f"{place.store.url}simple/", ["demo"])["demo"])

        watched.look = install
        add(new, place)
    assert versions == sorted(versions)
    assert set(versions) == {"1.0", "2.0"}
