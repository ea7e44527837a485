"""Indexes in buckets of a real S3 API: installs, and writers at the same time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import quote

import pytest

from mkindex.build.growing import Growth
from mkindex.build.pipeline import build
from mkindex.config import Config
from mkindex.stores.objects import ABSENT, Conflict, Headers, ObjectStore
from mkindex.stores.open import open_bucket
from support.builds import cold_build
from support.clients import INSTALLERS, ClientHome
from support.growing import cold_union
from support.s3_server import NAME, Bucket, run_bucket
from support.store_contract import CONTRACT
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PREFIX = "some where/+1"
TO = f"s3://{NAME}/{PREFIX}"
HTML_TYPE, JSON_TYPE = "text/html; charset=utf-8", "application/vnd.pypi.simple.v1+json"
SHORT, LONG = "max-age=60, must-revalidate", "public, max-age=31536000, immutable"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with run_bucket(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def there(server: Bucket) -> Iterator[Bucket]:
    """An empty bucket, and an environment in which mkindex uses it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield server
        store = open_bucket(f"s3://{NAME}", (), timeout=30.0)
        store.delete(list(server.listed()))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "wheels"
    directory.mkdir()
    write_wheel(directory, "demo", "1.0")
    write_wheel(directory, "demo-cuda", "1!1.0+cu128")
    write_sdist(directory, "demo-source", "1.0")
    return directory


def objects(tree: dict[str, bytes]) -> dict[str, tuple[bytes, str, str]]:
    """The objects that a tree becomes in a bucket: bytes, type and Cache-Control."""
    found = {}
    for path, page in tree.items():
        if path.startswith("files/"):
            found[path] = (page, "application/octet-stream", LONG)
            continue
        is_json = path.endswith(".v1_json") or path.startswith("json/")
        kind = JSON_TYPE if is_json else "text/plain; charset=utf-8" if path == ".nojekyll" else HTML_TYPE
        found[path] = (page, kind, SHORT)
        if path.endswith("index.html"):
            found[path.removesuffix("index.html")] = found[path]
    return found


def stored(there: Bucket) -> dict[str, tuple[bytes, str, str]]:
    found = {}
    for key in there.listed():
        if key.startswith(f"{PREFIX}/") and "/.mkindex/" not in key:
            content, headers = there.get(key)
            found[key.removeprefix(f"{PREFIX}/")] = (content, headers["Content-Type"], headers["Cache-Control"])
            assert "Content-Encoding" not in headers
    return found


def publish(source: Path, to: str = TO, **options: object) -> None:
    build(Config(sources=(str(source),), destination=to, grace=0, **options))  # type: ignore[arg-type]


def add(source: Path, to: str = TO) -> None:
    build(Config(sources=(str(source),), destination=to, grace=0), growth=Growth())


def open_store() -> ObjectStore:
    return open_bucket(TO, (), timeout=30.0)


@pytest.mark.parametrize("rule", CONTRACT)
def test_a_bucket_keeps_the_contract_of_stores(rule: Callable[[ObjectStore], None], there: Bucket) -> None:
    rule(open_store())
    assert there.unfinished_uploads() == []


def test_clients_install_from_a_bucket_and_only_changes_are_written(
    source: Path, tmp_path: Path, there: Bucket
) -> None:
    publish(source, json_root="json")
    tree = cold_build(source, json_root="json", host="netlify")
    del tree["_headers"]
    assert stored(there) == objects(tree)
    for number, client in enumerate(["pip", "uv", "poetry"]):
        for root in ("simple", "json") if client != "poetry" else ("simple",):
            home = ClientHome(tmp_path / f"home-{number}-{root}")
            home.path.mkdir()
            assert INSTALLERS[client](home, f"{there.url}{quote(PREFIX)}/{root}/", ["demo", "demo-cuda"]) == {
                "demo": "1.0",
                "demo-cuda": "1!1.0+cu128",
            }
    with pytest.raises(HTTPError) as missing:
        there.get(f"{PREFIX}/simple/nix/")
    assert missing.value.code == 404
    there.changes()
    publish(source, json_root="json")
    assert there.changes() == []


def test_writers_at_the_same_time_lose_no_file(tmp_path: Path, there: Bucket) -> None:
    sources = []
    for number in range(10):
        sources.append(tmp_path / f"wheels-{number}")
        sources[-1].mkdir()
        write_wheel(sources[-1], "demo", f"{number}.0")
    add(sources[0])
    for writers in 2, 5:
        with ThreadPoolExecutor(writers) as threads:
            list(threads.map(add, sources[:writers] if writers == 2 else sources[5:]))
    assert stored(there) == objects(cold_union(tmp_path / "all", *sources[:2], *sources[5:]))


@pytest.mark.parametrize("writers", [2, 5])
def test_conditional_writes_lose_none_of_200(writers: int, there: Bucket) -> None:
    headers, each = Headers("text/plain", "no-store"), 200 // writers
    together = threading.Barrier(writers)

    def count(writer: int) -> None:
        store = open_store()
        together.wait()
        done = 0
        while done < each:
            found = store.get("count", most=100)
            text = f"{int(found.data.split()[0]) + 1 if found else 1} {writer} {done}"  # never the same bytes twice
            try:
                store.put("count", text.encode(), headers, condition=found.etag if found else ABSENT)
            except Conflict:
                continue
            done += 1

    with ThreadPoolExecutor(writers) as threads:
        list(threads.map(count, range(writers)))
    found = open_store().get("count", most=100)
    assert found is not None
    assert int(found.data.split()[0]) == 200
