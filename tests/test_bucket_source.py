"""Buckets as sources: which objects are listed, where their hashes come from, and how little is read."""

from __future__ import annotations

import hashlib
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from mkindex.build.pipeline import build
from mkindex.config import Config
from mkindex.errors import Note, Rejected, SourceError
from mkindex.stores.objects import Headers, StoreError
from support.builds import publish
from support.fake_store import FakeStore, use
from support.page_server import PageServer, html_page
from support.trees import read_tree
from support.wheels import sdist, wheel

if TYPE_CHECKING:
    from pathlib import Path

    from mkindex.build.report import Report

HERE = "https://a-bucket.example/python/"
PLAIN = Headers("application/octet-stream", "")
DEMO = "demo-1.0-py3-none-any.whl"
CUDA = "demo_cuda-1!1.0+cu128-py3-none-any.whl"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> FakeStore:
    made = FakeStore()
    use(monkeypatch, made)
    made.put(DEMO, wheel("demo", "1.0", requires_python=">=3.9"), PLAIN)
    made.put(CUDA, wheel("demo-cuda", "1!1.0+cu128"), PLAIN)
    made.put("demo_source-1.0.tar.gz", sdist("demo-source", "1.0"), PLAIN)
    return made


def index(public: Path, **options: Any) -> Report:  # noqa: ANN401 (the fields of Config)
    return publish("s3://a-bucket/python", public, **options)  # type: ignore[arg-type]


def entries(public: Path) -> dict[str, dict[str, Any]]:
    pages = (page for path, page in read_tree(public).items() if path.endswith("/index.v1_json"))
    return {entry["filename"]: entry for page in pages for entry in json.loads(page).get("files", [])}


def sha256(store: FakeStore, key: str) -> str:
    return hashlib.sha256(store.objects[key].data).hexdigest()


def reads(store: FakeStore) -> list[str]:
    """Return the requests since the last call."""
    found, store.requests[:] = list(store.requests), []
    return found


def test_pages_name_objects_where_they_are(store: FakeStore, tmp_path: Path) -> None:
    index(tmp_path / "public")
    time = "2023-11-14T22:13:20Z"
    assert entries(tmp_path / "public") == {
        key: {
            "filename": key,
            "url": HERE + address,
            "hashes": {"sha256": sha256(store, key)},
            "size": len(store.objects[key].data),
            "upload-time": time,
            **({"requires-python": ">=3.9"} if key == DEMO else {}),
        }
        for key, address in {
            DEMO: DEMO,
            CUDA: "demo_cuda-1%211.0%2Bcu128-py3-none-any.whl",
            "demo_source-1.0.tar.gz": "demo_source-1.0.tar.gz",
        }.items()
    }
    assert not any(path.startswith("files/") for path in read_tree(tmp_path / "public"))


def test_a_hash_is_taken_from_metadata_or_a_checksum_and_otherwise_the_object_is_read_once(
    store: FakeStore, tmp_path: Path
) -> None:
    store.sha256[DEMO] = sha256(store, DEMO)
    store.checksums[CUDA] = sha256(store, CUDA)
    reads(store)
    index(tmp_path / "public", cache_dir=str(tmp_path / "cache"))
    assert sorted(reads(store)) == [
        f"CHECKSUM {CUDA}",
        "CHECKSUM demo_source-1.0.tar.gz",
        f"END {DEMO}",
        f"END {CUDA}",
        "END demo_source-1.0.tar.gz",
        "LIST ",
        "STREAM demo_source-1.0.tar.gz",
    ]
    assert {name: entry["hashes"]["sha256"] for name, entry in entries(tmp_path / "public").items()} == {
        key: sha256(store, key) for key in store.objects
    }
    assert index(tmp_path / "public", cache_dir=str(tmp_path / "cache")).written == 0
    assert reads(store) == ["LIST "]
    store.put(DEMO, wheel("demo", "1.0", summary="another"), PLAIN)
    del store.sha256[DEMO]
    index(tmp_path / "public", cache_dir=str(tmp_path / "cache"))
    assert reads(store) == [f"PUT {DEMO}", "LIST ", f"END {DEMO}", f"CHECKSUM {DEMO}", f"STREAM {DEMO}"]
    assert entries(tmp_path / "public")[DEMO]["hashes"] == {"sha256": sha256(store, DEMO)}


def test_the_metadata_of_a_large_wheel_is_read_in_parts(store: FakeStore, tmp_path: Path) -> None:
    store.put(DEMO, wheel("demo", "1.0", requires_python=">=3.10", files={"a": b"x" * (1 << 20)}), PLAIN)
    store.sha256[DEMO] = sha256(store, DEMO)
    reads(store)
    index(tmp_path / "public", include=("demo",))
    found = [request for request in reads(store) if request != "LIST "]
    assert found[0] == f"END {DEMO}"
    assert set(found[1:]) <= {f"READ {DEMO}"}
    assert len(found) <= 3
    assert entries(tmp_path / "public")[DEMO]["requires-python"] == ">=3.10"


def test_a_sibling_in_the_bucket_is_published(store: FakeStore, tmp_path: Path) -> None:
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(store.objects[DEMO].data)) as archive:
        metadata = archive.read(next(name for name in archive.namelist() if name.endswith("/METADATA")))
    store.put(f"{DEMO}.metadata", metadata, PLAIN)
    index(tmp_path / "public")
    found = {name: entry.get("core-metadata") for name, entry in entries(tmp_path / "public").items()}
    assert found == {
        DEMO: {"sha256": hashlib.sha256(metadata).hexdigest()},
        CUDA: None,
        "demo_source-1.0.tar.gz": None,
    }


def test_objects_are_named_at_the_address_of_files_url(store: FakeStore, tmp_path: Path) -> None:
    store.put("a b/demo-2.0-py3-none-any.whl", wheel("demo", "2.0"), PLAIN)
    index(tmp_path / "public", files_url="https://cdn.example/whl", include=("demo",), recursive=True)
    assert {entry["url"] for entry in entries(tmp_path / "public").values()} == {
        f"https://cdn.example/whl/{DEMO}",
        "https://cdn.example/whl/a%20b/demo-2.0-py3-none-any.whl",
    }


def test_two_buckets_can_be_behind_one_address(
    store: FakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = FakeStore(address="s3://other")
    other.put("other-1.0-py3-none-any.whl", wheel("other", "1.0"), PLAIN)
    use(monkeypatch, store, others={"s3://other": other})
    location = ("s3://a-bucket/python", "s3://other")
    build(Config(sources=location, destination=str(tmp_path / "public"), files_url="https://cdn.example/"))
    assert {name: one["hashes"]["sha256"] for name, one in entries(tmp_path / "public").items()} == {
        **{name: sha256(store, name) for name in store.objects},
        "other-1.0-py3-none-any.whl": sha256(other, "other-1.0-py3-none-any.whl"),
    }


@pytest.mark.parametrize("path", ["below/secret-1.0-py3-none-any.whl", "../secret-1.0-py3-none-any.whl"])
def test_a_page_of_another_source_does_not_reach_what_the_user_did_not_name(
    path: str, store: FakeStore, tmp_path: Path
) -> None:
    store.put(path, wheel("secret", "1.0"), PLAIN)  # it is private, and the listing does not have it
    reads(store)
    with closing(PageServer()) as server:
        store.url = f"{server.root}/python/"
        page = tmp_path / "page.html"
        page.write_text(html_page(f"{store.url}{path}"))
        sources = ("s3://a-bucket/python", str(page))
        report = build(Config(sources=sources, destination=str(tmp_path / "public"), remote="mirror"))
    assert [request for request in reads(store) if "secret" in request] == []
    assert [one.location.rpartition("/")[2] for one in report.rejected] == ["secret-1.0-py3-none-any.whl"]
    assert entries(tmp_path / "public").keys() == {DEMO, CUDA, "demo_source-1.0.tar.gz"}


def test_a_mirror_has_the_objects_in_its_tree(store: FakeStore, tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    for key, one in store.objects.items():
        (tmp_path / "wheels" / key).write_bytes(one.data)
    index(tmp_path / "public", remote="mirror", upload_time="none")
    publish(tmp_path / "wheels", tmp_path / "expected", upload_time="none")
    assert read_tree(tmp_path / "public") == read_tree(tmp_path / "expected")


def test_a_wrong_hash_in_the_metadata_of_an_object_is_found_by_a_mirror(store: FakeStore, tmp_path: Path) -> None:
    store.sha256[DEMO] = "0" * 64
    report = index(tmp_path / "public", remote="mirror")
    assert [one.location for one in report.rejected] == [HERE + DEMO]
    assert DEMO not in entries(tmp_path / "public")


def test_other_objects_are_skipped_or_rejected_and_so_is_an_index_in_the_bucket(
    store: FakeStore, tmp_path: Path
) -> None:
    for key in ("README", ".hidden.whl", "demo-1.0.egg", "source.zip", "de mo-1.0.whl", "index/.mkindex/manifest"):
        store.put(key, b"data", PLAIN)
    store.put("index/files/00/11/demo-9.0-py3-none-any.whl", wheel("demo", "9.0"), PLAIN)
    report = index(tmp_path / "public", recursive=True)
    where = "s3://a-bucket/python"
    assert [one.location for one in report.findings if isinstance(one, Rejected)] == [
        f"{where}/de mo-1.0.whl",
        f"{where}/demo-1.0.egg",
    ]
    assert [one.location for one in report.findings if isinstance(one, Note)] == [
        f"{where}/index/",
        f"{where}/README",
        f"{where}/source.zip",
    ]
    assert len(entries(tmp_path / "public")) == 3


def test_an_empty_object_is_rejected(store: FakeStore, tmp_path: Path) -> None:
    names = (DEMO, "demo_source-1.0.tar.gz")
    for name in names:
        store.put(name, b"", PLAIN)
    report = index(tmp_path / "public")
    assert [(one.location, one.reason) for one in report.rejected] == [
        (HERE + name, "an empty file: copy it again") for name in names
    ]
    assert entries(tmp_path / "public").keys() == {CUDA}


def test_a_store_that_fails_publishes_nothing(store: FakeStore, tmp_path: Path) -> None:
    def fail(number: int, request: str) -> None:
        if request == f"END {DEMO}":
            raise StoreError("access denied. Check the credentials and what they permit")

    store.fails = fail
    with pytest.raises(SourceError, match=rf"^{HERE}{DEMO}: access denied\. Check the credentials"):
        index(tmp_path / "public")
    assert not (tmp_path / "public").exists()
    report = index(tmp_path / "public", keep_going=True)
    assert [one.location for one in report.rejected] == [HERE + DEMO]


def test_an_object_that_is_replaced_while_it_is_read_is_an_error(store: FakeStore, tmp_path: Path) -> None:
    def replace(number: int, request: str) -> None:
        if request == f"STREAM {DEMO}":
            store.objects[DEMO] = store.objects[DEMO]._replace(etag='"another"')

    store.fails = replace
    with pytest.raises(SourceError, match="changed while it was read: run again"):
        index(tmp_path / "public")


def test_a_bucket_whose_address_is_not_known_needs_files_url(store: FakeStore, tmp_path: Path) -> None:
    store.url = None
    with pytest.raises(SourceError, match=r"the address of its files is not known\. Give --files-url$"):
        index(tmp_path / "public")
