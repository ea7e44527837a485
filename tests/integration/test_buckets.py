"""Indexes in buckets of a real S3 API: installs, and writers at the same time."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import quote, unquote

import boto3
import pytest

from mkindex import cli
from mkindex.build.growing import Growth
from mkindex.build.pipeline import build
from mkindex.check.engine import CheckOptions, check
from mkindex.config import Config
from mkindex.publish.claim import ClaimTimes
from mkindex.stores.objects import ABSENT, Conflict, Headers, ObjectStore
from mkindex.stores.open import open_bucket
from support.builds import cold_build
from support.clients import INSTALLERS, ClientHome
from support.divided import divide, is_divided, listed_parts, stored_parts
from support.growing import cold_union
from support.s3_server import NAME, Bucket, run_bucket
from support.store_contract import CONTRACT
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ANY = Headers("text/plain", "no-store")
PREFIX = "some where/+1"
TO = f"s3://{NAME}/{PREFIX}"
HTML_TYPE, JSON_TYPE = "text/html; charset=utf-8", "application/vnd.pypi.simple.v1+json"
SHORT, LONG = "max-age=60, must-revalidate", "public, max-age=31536000, immutable"


@pytest.fixture(scope="module", params=["moto", "ceph"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    if request.param == "ceph":
        yield request.getfixturevalue("ceph")
        return
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


@pytest.fixture(params=["whole", "divided"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The form of every manifest that is written."""
    if request.param == "divided":
        divide(monkeypatch)
    return str(request.param)


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


def test_writers_at_the_same_time_lose_no_file(tmp_path: Path, there: Bucket, form: str) -> None:
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
    store = open_store()
    assert is_divided(store) == (form == "divided")
    assert listed_parts(store) <= stored_parts(store)


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


@contextmanager
def website(there: Bucket) -> Iterator[str]:
    """Serve the bucket as the website endpoint of S3 does: with index documents and an error document."""

    keys = there.listed()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            key = unquote(self.path.partition("?")[0]).lstrip("/")
            key = f"{key}index.html" if key.endswith("/") or not key else key
            if f"{key}/index.html" in keys:
                self.send_response(302)
                self.send_header("Location", f"{self.path}/")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body, headers = there.get(key if key in keys else f"{PREFIX}/404.html")
            part = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            self.send_response(404 if key not in keys else 206 if part else 200)
            if part:
                start, end = int(part[1]), int(part[2] or len(body) - 1)
                self.send_header("Content-Range", f"bytes {start}-{end}/{len(body)}")
                body = body[start : end + 1]
            for name in "Content-Type", "Cache-Control", "ETag", "Last-Modified":
                self.send_header(name, headers[name])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 (http.server calls it so)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 (http.server calls it so)
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def test_both_forms_of_address_are_clean_for_check_and_clients(source: Path, tmp_path: Path, there: Bucket) -> None:
    publish(source)
    with website(there) as site:
        # Only the website knows that an address without a slash at its end is that of a directory.
        for number, (start, expected) in enumerate([(there.url, {"no-redirect"}), (site, set[str]())]):
            url = f"{start}{quote(PREFIX)}/simple/"
            found = check(CheckOptions(target=url, files="hash", cache_dir=None)).findings
            assert {one.rule.name for one in found if one.rule.severity in ("error", "warning")} == expected
            home = ClientHome(tmp_path / f"home-{number}")
            home.path.mkdir()
            assert INSTALLERS["uv"](home, url, ["demo-cuda"]) == {"demo-cuda": "1!1.0+cu128"}


def test_a_new_cuda_wheel_is_published_by_one_command_and_installed_from_its_variant(
    tmp_path: Path, there: Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    many, dist = tmp_path / "wheels", tmp_path / "dist"
    for directory in many, dist:
        directory.mkdir()
    for version in "2.8.0", "2.8.1", "2.9.0", "2.9.1", "2.10.0":
        for label in "cpu", "cu126", "cu128":
            write_wheel(dist if (version, label) == ("2.10.0", "cu128") else many, "demo-cuda", f"{version}+{label}")
    (tmp_path / "policy.toml").write_text('[variants]\nby = "local"\ndefault = "cpu"\n')
    given = ["--policy", str(tmp_path / "policy.toml"), "--no-cache"]
    assert cli.run([str(many), TO, *given]) == 0
    there.changes()
    assert cli.run(["add", str(dist), TO, *given]) == 0
    assert "15 files" in capsys.readouterr().out
    requests = there.requests()
    files = [request.split(" ", 1) for request in requests if "/files/" in request]
    assert [method for method, _ in files] == ["HEAD", "HEAD", "PUT", "PUT"]
    assert all("demo_cuda-2.10.0+cu128-" in key for _, key in files)
    pages = {request.removeprefix(f"PUT {PREFIX}/") for request in requests if request.startswith("PUT ")}
    assert {page for page in pages if page.startswith(("simple/", "whl/")) and not page.endswith("/")} == {
        f"whl/cu128/demo-cuda/{page}" for page in ("index.html", "index.v1_json")
    }
    assert f"GET {PREFIX}/.mkindex/manifest" in requests
    home = ClientHome(tmp_path / "home")
    home.path.mkdir()
    url = f"{there.url}{quote(PREFIX)}/whl/cu128/"
    assert INSTALLERS["uv"](home, url, ["demo-cuda"]) == {"demo-cuda": "2.10.0+cu128"}


@pytest.mark.parametrize("at_once", [512 << 20, 5 << 20], ids=["whole", "parts"])
def test_wheels_of_one_bucket_are_copied_within_the_store(
    at_once: int, source: Path, tmp_path: Path, there: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mkindex.stores.s3._COPIED_AT_ONCE", at_once)
    write_wheel(source, "large", "1.0", files={"large/data": os.urandom(12 << 20)})
    store = open_bucket(f"s3://{NAME}/dist", (), timeout=30.0)
    for path in source.glob("*.whl"):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        store.upload(path.name, iter([path.read_bytes()]), ANY, size=path.stat().st_size, sha256=digest)
    next(source.glob("*.tar.gz")).unlink()
    announced: list[str] = []
    config = Config(sources=(f"s3://{NAME}/dist",), destination=TO, remote="mirror", upload_time="none")
    build(config, announce=lambda note: announced.append(note.text))
    assert announced == []
    assert stored(there) == objects(cold_build(source, upload_time="none"))
    assert there.unfinished_uploads() == []


def test_uploads_that_a_killed_writer_left_are_aborted_by_the_next_and_no_others(
    source: Path, there: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(boto3.client("s3")) as client:
        for key in f"{PREFIX}/files/aa/killed.whl", f"{PREFIX}/dist/theirs.whl", "files/aa/theirs.whl":
            begun = client.create_multipart_upload(Bucket=NAME, Key=key)["UploadId"]
            client.upload_part(Bucket=NAME, Key=key, UploadId=begun, PartNumber=1, Body=b"a part")
    others = [f"{PREFIX}/dist/theirs.whl", "files/aa/theirs.whl"]
    publish(source)  # a part has arrived just now: the writer may be alive
    assert sorted(there.unfinished_uploads()) == sorted([*others, f"{PREFIX}/files/aa/killed.whl"])
    monkeypatch.setattr("mkindex.publish.bucket.ClaimTimes", lambda: ClaimTimes(patience=-3600.0))
    write_wheel(source, "another", "1.0")
    publish(source)
    assert sorted(there.unfinished_uploads()) == sorted(others)


@pytest.mark.parametrize("server", ["moto"], indirect=True)  # radosgw 16 computes no SHA-256 checksums
def test_hashes_come_from_metadata_and_checksums_of_whole_objects(tmp_path: Path, there: Bucket) -> None:
    wheels = {kind: write_wheel(tmp_path, f"demo-{kind}", "1.0") for kind in ("metadata", "checksum", "parts")}
    store = open_bucket(f"s3://{NAME}/dist", (), timeout=30.0)
    digests = {kind: hashlib.sha256(path.read_bytes()).hexdigest() for kind, path in wheels.items()}
    for kind, path in wheels.items():
        how = {"metadata": ["--metadata", f"sha256={digests[kind]}"], "checksum": ["--checksum-algorithm", "SHA256"]}
        put = ["aws", "s3api", "put-object", "--bucket", NAME, "--key", f"dist/{path.name}", "--body"]
        there.run(*put, path, *how.get(kind, ["--checksum-algorithm", "CRC32"]))
    assert {kind: store.read_end(path.name, 9).sha256 for kind, path in wheels.items()} == {
        "metadata": digests["metadata"],
        "checksum": "",
        "parts": "",
    }
    found = {kind: store.checksum(path.name) for kind, path in wheels.items() if kind != "metadata"}
    assert found == {"checksum": digests["checksum"], "parts": ""}
    announced: list[str] = []
    config = Config(sources=(f"s3://{NAME}/dist",), destination=str(tmp_path / "public"))
    report = build(config, announce=lambda note: announced.append(note.text))
    assert {file.filename: file.sha256 for file in report.files} == {
        path.name: digests[kind] for kind, path in wheels.items()
    }
    size = wheels["parts"].stat().st_size
    assert [text for text in announced if "read" in text] == [
        f"{size:,} bytes in 1 file will be read to compute sha256 (--allow-unhashed skips this)"
    ]
