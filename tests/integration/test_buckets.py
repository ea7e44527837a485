"""An index in a bucket: its own script uploads it with the AWS CLI, and clients use the REST endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import quote

import pytest

from support.builds import publish, write_files
from support.clients import INSTALLERS, ClientHome
from support.s3_server import Bucket, run_bucket
from support.trees import read_tree
from support.wheels import wheel, write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PREFIX = "some where/+1"
HTML_TYPE = "text/html; charset=utf-8"
JSON_TYPE = "application/vnd.pypi.simple.v1+json"
SHORT, LONG = "max-age=60, must-revalidate", "public, max-age=31536000, immutable"


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Bucket]:
    (tmp_path / "server").mkdir()
    with run_bucket(tmp_path / "server") as server:
        yield server


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "wheels"
    directory.mkdir()
    write_wheel(directory, "demo", "1.0")
    write_wheel(directory, "demo-cuda", "1!1.0+cu128")
    write_sdist(directory, "demo-source", "1.0")
    return directory


def objects(content: dict[str, bytes]) -> dict[str, tuple[bytes, str, str]]:
    """The objects that a tree becomes in a bucket: bytes, type and Cache-Control."""
    found = {}
    for path, page in content.items():
        is_json = path.endswith(".v1_json") or path.startswith("json/")
        if path.startswith("files/"):
            found[path] = (page, "application/octet-stream", LONG)
        elif path.startswith("pypi/"):
            found[path] = (page, "application/json", SHORT)
        elif path not in (".nojekyll", "upload.sh"):
            found[path] = (page, JSON_TYPE if is_json else HTML_TYPE, SHORT)
            if path.endswith("index.html"):
                found[path.removesuffix("index.html")] = found[path]
    return found


def stored(there: Bucket, prefix: str) -> dict[str, tuple[bytes, str, str]]:
    found = {}
    for key in there.listed():
        if key.startswith(prefix):
            content, headers = there.get(key)
            found[key.removeprefix(prefix)] = (content, headers["Content-Type"], headers["Cache-Control"])
            assert "Content-Encoding" not in headers
    return found


def test_clients_install_from_an_uploaded_index_and_only_changes_are_uploaded_again(
    source: Path, tmp_path: Path, there: Bucket
) -> None:
    public, to = tmp_path / "the public", f"s3://an-index/{PREFIX}/"
    foreign = [f"{PREFIX}/simple.txt", f"{PREFIX}/simple/notes/read me", "simple/demo/index.v1_json", "files/a"]
    write_files(tmp_path / "theirs", ((key, b"theirs") for key in foreign))
    there.fill(tmp_path / "theirs")
    there.changes()

    publish(source, public, host="s3", json_root="json", legacy_json=True)
    first = there.run("sh", public / "upload.sh", to)
    assert first == f"uploaded to {to}: 26 pages, 0 pages deleted, 0 files deleted\n"
    ours = {key: one for key, one in stored(there, f"{PREFIX}/").items() if f"{PREFIX}/{key}" not in foreign}
    assert ours == objects(read_tree(public))
    stages = [_stage(change) for change in there.changes()]
    assert stages == sorted(stages)
    assert set(stages) == {0, 1, 2}

    url = f"{there.url}{quote(PREFIX)}"
    for number, client in enumerate(["pip", "uv"]):
        for root in "simple", "json":
            home = ClientHome(tmp_path / f"home-{number}-{root}")
            home.path.mkdir()
            assert INSTALLERS[client](home, f"{url}/{root}/", ["demo", "demo-cuda", "demo-source"]) == {
                "demo": "1.0",
                "demo-cuda": "1!1.0+cu128",
                "demo-source": "1.0",
            }
    with pytest.raises(HTTPError) as missing:
        there.get(f"{PREFIX}/simple/nix/")
    assert missing.value.code == 404

    assert there.run("sh", public / "upload.sh", to) == f"uploaded to {to}: 0 pages, 0 pages deleted, 0 files deleted\n"
    assert there.changes() == []

    (source / "demo_source-1.0.tar.gz").unlink()
    (source / "demo-1.0-py3-none-any.whl").write_bytes(wheel("demo", "1.0", summary="another"))
    publish(source, public, host="s3", json_root="json", legacy_json=True)
    there.run("env", "PRUNE=1", "sh", public / "upload.sh", to)
    changes = there.changes()
    stages = [_stage(change) for change in changes]
    assert stages == sorted(stages)
    assert not [change for change in changes if "demo-cuda" in change or "demo_cuda" in change]
    gone = ["simple/demo-source/", "simple/demo-source/index.html", "simple/demo-source/index.v1_json"]
    gone += ["json/demo-source/", "json/demo-source/index.html", "pypi/demo-source/json"]
    assert {change for change in changes if _stage(change) == 3} == {f"DELETE {PREFIX}/{key}" for key in gone}
    assert {key for key in stored(there, "") if key in foreign} == set(foreign)
    ours = {key: one for key, one in stored(there, f"{PREFIX}/").items() if f"{PREFIX}/{key}" not in foreign}
    assert ours == objects(read_tree(public))


def _stage(change: str) -> int:
    """When a change is due: files, pages of projects, pages that name all; removed pages, removed files."""
    method, key = change.split(" ", 1)
    key = key.removeprefix(f"{PREFIX}/")
    if method == "DELETE":
        return 4 if key.startswith("files/") else 3
    return 0 if key.startswith("files/") else 1 if key.count("/") > 1 else 2


def test_an_index_at_the_root_of_a_bucket_leaves_other_objects_alone(
    source: Path, tmp_path: Path, there: Bucket
) -> None:
    # It may belong to another index, or to a removed project: there is no way to tell.
    write_files(tmp_path / "theirs", [("other/index.v1_json", b"theirs")])
    there.fill(tmp_path / "theirs")
    publish(source, tmp_path / "public", host="s3", simple_path="", links=True)
    there.run("sh", tmp_path / "public/upload.sh", "s3://an-index")
    expected = objects(read_tree(tmp_path / "public"))
    del expected[""]  # no object has such a name
    assert there.listed() == expected.keys() | {"other/index.v1_json"}
    there.changes()
    there.run("sh", tmp_path / "public/upload.sh", "s3://an-index/")
    assert there.changes() == []
