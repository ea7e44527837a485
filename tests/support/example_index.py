"""Fixtures for tests with real clients: an index of the examples, servers for it, and an empty home directory."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.clients import ClientHome
from support.http_servers import LoggedServer, serve_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SUB_PATH = "some/where/"


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with the example wheels and sdists, whose modification times are a day apart."""
    directory = tmp_path_factory.mktemp("wheels")
    subprocess.run([sys.executable, EXAMPLES / "make.py", directory], check=True, timeout=60)
    return directory


@pytest.fixture(scope="session")
def hashes(wheels: Path) -> dict[str, str]:
    """Return the sha256 of each example file by filename."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in wheels.iterdir()}


@pytest.fixture(scope="session")
def site(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory that has the index of the examples below SUB_PATH."""
    directory = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkindex", "--links", str(wheels), str(directory / SUB_PATH)]
    subprocess.run(command, check=True, timeout=60)
    return directory


@pytest.fixture(scope="session")
def tree(site: Path) -> Path:
    """Return the root of the published tree."""
    return site / SUB_PATH


@pytest.fixture(scope="session")
def index_server(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoggedServer]:
    with serve_directory(tree, tmp_path_factory.mktemp("server") / "log") as server:
        yield server


@pytest.fixture(scope="session")
def site_server(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoggedServer]:
    with serve_directory(site, tmp_path_factory.mktemp("server") / "log") as server:
        yield server


@pytest.fixture
def server(index_server: LoggedServer) -> LoggedServer:
    """Return a server with the index at its root and an empty request log."""
    index_server.forget()
    return index_server


@pytest.fixture(params=["root", "sub-path", "file"])
def base(request: pytest.FixtureRequest, index_server: LoggedServer, site_server: LoggedServer, tree: Path) -> str:
    """Return an address of the index, with a trailing slash: at a root, below a path, or as a file: URL."""
    return {"root": index_server.url, "sub-path": f"{site_server.url}{SUB_PATH}", "file": f"{tree.as_uri()}/"}[
        request.param
    ]


@pytest.fixture
def home(tmp_path: Path) -> ClientHome:
    """Return an empty home directory for one client."""
    return ClientHome(tmp_path)
