"""Listings of real servers become an index, which real clients can lock and install from."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from support.clients import INSTALLERS, ClientFailed, installed_in_project, installed_versions, write_uv_project
from support.http_servers import serve_directory
from support.trees import find_broken_links, read_tree
from support.web_servers import WEB_SERVERS
from support.wheels import TIMESTAMP, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.clients import ClientHome
    from support.http_servers import LoggedServer


def mkindex(source: str, destination: Path, *options: str) -> str:
    """Run the command; return its output."""
    command = [sys.executable, "-m", "mkindex", source, str(destination), *options]
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=kept)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


# --- listings ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared(wheels: Path) -> Iterator[Path]:
    """Return a world-readable directory, for servers that drop privileges: the examples and more."""
    with tempfile.TemporaryDirectory(prefix="mkindex-") as name:
        directory = Path(name)
        shutil.copytree(wheels, directory / "wheels")
        (directory / "wheels/README.txt").write_text("read me")
        # Servers shorten such a name in the text of the link. A Last-Modified of the second of the response is no
        # upload time, so these files are older.
        write_wheel(directory / "wheels", "a" * 60, "1.0", mtime=TIMESTAMP)
        (directory / "wheels/more & more").mkdir()
        write_wheel(directory / "wheels/more & more", "below", "1.0+local", mtime=TIMESTAMP)
        for path in (directory, *directory.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield directory


@pytest.fixture(params=WEB_SERVERS)
def listing(request: pytest.FixtureRequest, shared: Path, tmp_path: Path) -> Iterator[str]:
    """Return the address of a directory listing of the examples."""
    (tmp_path / "server").mkdir()
    with WEB_SERVERS[request.param](shared, tmp_path / "server") as url:
        yield f"{url}wheels/"


@pytest.fixture(scope="module")
def expected(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the tree that the directory itself becomes."""
    directory = tmp_path_factory.mktemp("expected")
    mkindex(str(shared / "wheels"), directory, "--recursive")
    return read_tree(directory)


def test_a_mirrored_listing_gives_the_tree_of_its_directory(
    listing: str, expected: dict[str, bytes], tmp_path: Path
) -> None:
    mkindex(listing, tmp_path / "public", "--remote", "mirror", "--recursive")
    assert read_tree(tmp_path / "public") == expected
    output = mkindex(listing, tmp_path / "public", "--remote", "mirror", "--recursive")
    assert "(0 written, " in output


def test_a_referenced_listing_gives_an_index_of_files_on_its_server(
    listing: str, expected: dict[str, bytes], shared: Path, tmp_path: Path
) -> None:
    output = mkindex(listing, tmp_path / "public")
    assert "1 subdirectory skipped (use --recursive)" in output
    mkindex(listing, tmp_path / "public", "--recursive")
    found = read_tree(tmp_path / "public")
    assert [path for path in found if path.startswith("files/")] == []
    assert find_broken_links(found, files_url=listing) == []
    entries, expected_entries = [], []
    for path, content in expected.items():
        if path.endswith("index.v1_json") and path != "simple/index.v1_json":
            entries += json.loads(found[path])["files"]
            expected_entries += json.loads(content)["files"]
    for entry in expected_entries:
        below = "more%20%26%20more/" if entry["filename"].startswith("below") else ""
        entry["url"] = listing + below + entry["url"].rpartition("/")[2]
        entry.pop("core-metadata", None)  # the server has none
    assert entries == expected_entries


# --- clients --------------------------------------------------------------------------------------------------------

NUMBER = 40
NAMES = [f"demo-{number:02}" for number in range(NUMBER)]
EVERYTHING = dict.fromkeys(NAMES, "1.0")


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory of forty wheels, each of which needs the next one, and a page of links to them."""
    directory = tmp_path_factory.mktemp("origin")
    (directory / "pool").mkdir()
    for name, following in zip(NAMES, [*NAMES[1:], None], strict=True):
        write_wheel(directory / "pool", name, "1.0", requires_dist=[following] if following else [])
    links = "".join(f"<A HREF=pool/{path.name}>{path.name}</A><br>\n" for path in sorted(directory.glob("pool/*")))
    (directory / "wheels.html").write_text(f"<title>Our wheels</title>\n{links}")
    return directory


class Published(NamedTuple):
    """A served index, and the page that it was made of, if that is still served."""

    url: str
    page: str


@pytest.fixture(params=["reference", "mirror"])
def published(request: pytest.FixtureRequest, origin: Path, tmp_path: Path) -> Iterator[Published]:
    with ExitStack() as stack:
        with ExitStack() as until_then:
            # Mirrored files must be installable without the origin.
            life = stack if request.param == "reference" else until_then
            page = f"{life.enter_context(serve_directory(origin, tmp_path / 'origin.log')).url}wheels.html"
            mkindex(page, tmp_path / "public", "--remote", request.param)
        server: LoggedServer = stack.enter_context(serve_directory(tmp_path / "public", tmp_path / "public.log"))
        yield Published(f"{server.url}simple/", page)


@pytest.fixture
def hashes(origin: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in origin.glob("pool/*")}


def test_no_client_can_install_from_the_page_itself(origin: Path, home: ClientHome, tmp_path: Path) -> None:
    with serve_directory(origin, tmp_path / "log") as server:
        write_uv_project(home, f"{server.url}wheels.html", NAMES[:1])
        path = home.project / "pyproject.toml"
        path.write_text(path.read_text().replace('format = "flat"\n', ""))
        with pytest.raises(ClientFailed, match=r"demo-00 was not found in the (package|provided package)"):
            home.uv("lock")
        with pytest.raises(ClientFailed, match=r"No matching distribution found for demo-00"):
            home.pip("pip", "install", "--dry-run", "--index-url", f"{server.url}wheels.html", "demo-00")


def test_uv_locks_with_a_hash_for_every_file_and_syncs(
    published: Published, home: ClientHome, hashes: dict[str, str]
) -> None:
    write_uv_project(home, published.url, NAMES[:1])
    home.uv("lock")
    packages = tomllib.loads((home.project / "uv.lock").read_text())["package"]
    locked = {
        wheel["url"].rpartition("/")[2]: wheel["hash"] for package in packages for wheel in package.get("wheels", [])
    }
    assert locked == {name: f"sha256:{sha256}" for name, sha256 in hashes.items()}
    home.uv("sync", "--locked")
    assert installed_in_project(home) == EVERYTHING


def test_pip_installs_with_hashes_required(published: Published, home: ClientHome, hashes: dict[str, str]) -> None:
    home.project.mkdir()
    requirements = home.project / "requirements.txt"
    by_project = {name.partition("-")[0].replace("_", "-"): sha256 for name, sha256 in hashes.items()}
    requirements.write_text("".join(f"{name}==1.0 --hash=sha256:{by_project[name]}\n" for name in NAMES))
    target = home.path / "target"
    options = ("--require-hashes", "--index-url", published.url, "--target", target, "-r", requirements)
    home.pip("pip", "install", *options)
    assert installed_versions(target) == EVERYTHING


# --- indexes without a root -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_neither_a_client_nor_a_build_of_named_projects_requests_the_root(
    home: ClientHome, tmp_path: Path, client: str
) -> None:
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "demo", "1.0")
    mkindex(str(tmp_path / "wheels"), tmp_path / "origin")
    for root in (tmp_path / "origin/simple").glob("index.*"):
        root.unlink()
    with serve_directory(tmp_path / "origin", tmp_path / "log") as server:
        assert INSTALLERS[client](home, f"{server.url}simple/", ["demo"]) == {"demo": "1.0"}
        mkindex(f"{server.url}simple/", tmp_path / "public", "--include", "Demo", "--remote", "mirror")
        assert [request for request in server.requests() if request.endswith((" /simple/", " /simple"))] == []
    (tmp_path / "again").mkdir()
    mkindex(str(tmp_path / "wheels"), tmp_path / "again")
    assert read_tree(tmp_path / "public") == read_tree(tmp_path / "again")
