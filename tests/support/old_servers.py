"""The servers that people move to mkindex from, each with the files of a directory, in environments of their own."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from support.clients import CLIENTS
from support.http_servers import serve_directory
from support.requirements import skip_or_fail
from support.s3_server import NAME, run_bucket
from support.web_servers import run_on_free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

_PEERS = Path(__file__).resolve().parents[2] / ".peers"


def _program(name: str, environment: str) -> str:
    path = (_PEERS if environment == "dumb-pypi" else CLIENTS) / environment / "bin" / name
    if not path.exists():
        skip_or_fail(f"{environment}: make test-integration")
    return str(path)


def _run(*command: str | Path, **variables: str) -> None:
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done


@contextmanager
def run_pypiserver(files: Path, own: Path) -> Iterator[str]:
    """Yield the address of the index of a server whose packages are these files."""
    program = _program("pypi-server", "pypiserver")
    with run_on_free_port(lambda port: [program, "run", "-i", "127.0.0.1", "-p", str(port), str(files)], own) as url:
        yield f"{url}simple/"


@contextmanager
def run_devpi(files: Path, own: Path) -> Iterator[str]:
    """Yield the address of an index to which these files were uploaded."""
    program, client = _program("devpi-server", "devpi-server"), _program("devpi", "devpi-client")
    data, home = str(own / "data"), {"HOME": str(own), "DEVPI_CLIENTDIR": str(own / "client")}
    _run(_program("devpi-init", "devpi-server"), "--serverdir", data, "--no-root-pypi")
    command = [program, "--serverdir", data, "--host", "127.0.0.1", "--port"]
    with run_on_free_port(lambda port: [*command, str(port)], own / "log", patience=180) as url:
        _run(client, "use", url, **home)
        _run(client, "login", "root", "--password=", **home)
        _run(client, "index", "--create", "root/dev", "bases=", **home)
        _run(client, "use", "root/dev", **home)
        _run(client, "upload", *sorted(files.iterdir()), **home)
        yield f"{url}root/dev/+simple/"


@contextmanager
def run_dumb_pypi(files: Path, own: Path) -> Iterator[str]:
    """Yield the address of the index that dumb-pypi makes of these files."""
    program, tree = _program("dumb-pypi", "dumb-pypi"), own / "tree"
    listing = own / "list.txt"
    listing.write_text("".join(f"{path.name}\n" for path in sorted(files.iterdir())))
    _run(program, "--package-list", listing, "--packages-url", "../../packages/", "--output-dir", tree)
    (tree / "packages").symlink_to(files)
    with serve_directory(tree, own / "log") as server:
        yield f"{server.url}simple/"


@contextmanager
def run_s3pypi(files: Path, own: Path) -> Iterator[str]:
    """Yield the address of the index that s3pypi keeps in a bucket, as its website."""
    program, copy = _program("s3pypi", "s3pypi"), own / "copy"
    with run_bucket(own) as bucket:
        options = ["--bucket", NAME, "--s3-endpoint-url", bucket.endpoint, "--put-root-index", "--index.html"]
        _run(program, "upload", *options, *sorted(files.iterdir()), **bucket.environment)
        bucket.run("aws", "s3", "sync", "--no-progress", f"s3://{NAME}", str(copy))
    with serve_directory(copy, own / "website") as server:
        yield server.url


OLD_SERVERS: dict[str, Callable[[Path, Path], AbstractContextManager[str]]] = {
    "pypiserver": run_pypiserver,
    "devpi": run_devpi,
    "dumb-pypi": run_dumb_pypi,
    "s3pypi": run_s3pypi,
}
