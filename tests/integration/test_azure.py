"""Indexes in Azure Blob Storage (azurite): the contract of stores, and a bucket as destination and as source."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.request import ProxyHandler, build_opener

import pytest

from mkindex.build.growing import Growth
from mkindex.build.pipeline import build
from mkindex.config import Config
from mkindex.stores.open import open_bucket
from support.azure_server import CONTAINER, run_container
from support.builds import cold_build, publish
from support.divided import divide, is_divided, listed_parts, stored_parts
from support.growing import cold_union
from support.store_contract import CONTRACT
from support.trees import OWN_DIRECTORY
from support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mkindex.stores.objects import ObjectStore

TO = f"az://{CONTAINER}/some where/+1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with run_container(tmp_path_factory.mktemp("server")) as variables:
        yield variables


@pytest.fixture
def store(server: dict[str, str]) -> Iterator[ObjectStore]:
    """An empty container, and an environment in which mkindex uses it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in server.items():
            patch.setenv(name, value)
        made = open_bucket(TO, (), timeout=30.0)
        yield made
        made.delete([one.key for one in made.list()])


def tree_in(store: ObjectStore) -> dict[str, bytes]:
    keys = [one.key for one in store.list() if not one.key.startswith(f"{OWN_DIRECTORY}/")]
    found = {key: store.get(key, most=1 << 30) for key in keys}
    return {key: content.data for key, content in found.items() if content}


@pytest.mark.parametrize("rule", CONTRACT)
def test_a_container_keeps_the_contract_of_stores(rule: Callable[[ObjectStore], None], store: ObjectStore) -> None:
    rule(store)


@pytest.mark.parametrize("form", ["whole", "divided"])
def test_writers_at_the_same_time_lose_no_file(
    form: str, tmp_path: Path, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    if form == "divided":
        divide(monkeypatch)
    sources = []
    for number in range(5):
        sources.append(tmp_path / f"wheels-{number}")
        sources[-1].mkdir()
        write_wheel(sources[-1], "demo", f"{number}.0")

    def add(source: Path) -> None:
        build(Config(sources=(str(source),), destination=TO, grace=0), growth=Growth())

    with ThreadPoolExecutor(len(sources)) as threads:
        list(threads.map(add, sources))
    assert tree_in(store) == cold_union(tmp_path / "all", *sources)
    assert is_divided(store) == (form == "divided")
    assert listed_parts(store) <= stored_parts(store)


def test_a_container_is_a_source_and_readers_find_its_files(tmp_path: Path, store: ObjectStore) -> None:
    source = tmp_path / "wheels"
    source.mkdir()
    path = write_wheel(source, "demo", "1!1.0+cu128", requires_python=">=3.9")
    build(Config(sources=(str(source),), destination=TO))
    assert tree_in(store) == cold_build(source)
    (directory,) = {one.key.rpartition("/")[0] for one in store.list("files/")}
    publish(f"{TO}/{directory}", tmp_path / "public")  # type: ignore[arg-type]
    (file,) = json.loads((tmp_path / "public/simple/demo/index.v1_json").read_bytes())["files"]
    assert (file["filename"], file["requires-python"], "core-metadata" in file) == (path.name, ">=3.9", True)
    with build_opener(ProxyHandler({})).open(file["url"]) as answer:
        assert answer.read() == path.read_bytes()
