"""Trees that are served by mkindex's own server."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import TYPE_CHECKING, NamedTuple

import pytest

from mkindex.serve.server import Server
from support.builds import publish
from support.watch_process import wait_until
from support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

V1 = "application/vnd.pypi.simple.v1"
LATEST = "application/vnd.pypi.simple.latest"
HTML_TYPE, JSON_TYPE = "text/html; charset=utf-8", f"{V1}+json"
PIP = f"{V1}+json, {V1}+html; q=0.1, text/html; q=0.01"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
FOREVER = "public, max-age=31536000, immutable"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Tree(NamedTuple):
    """A published tree that is being served."""

    root: Path
    port: int
    log: list[tuple[str, int]]
    server: Server

    def get(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        answer = Answer(response.status, dict(response.getheaders()), response.read())
        connection.close()
        return answer

    def say(self, data: bytes) -> bytes:
        """Send bytes and return everything until the server closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(1 << 16), b""))

    def status(self, data: bytes) -> int:
        return int(self.say(data).split(b" ", 2)[1])

    def wait_for_connections(self, count: int) -> None:
        wait_until(lambda: self.server.connections.count == count, f"{count} connections")

    @property
    def wheel(self) -> str:
        (path,) = self.root.glob("files/*/*/demo-1.0-py3-none-any.whl")
        return path.relative_to(self.root).as_posix()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    directory = tmp_path_factory.mktemp("serve")
    (directory / "wheels").mkdir()
    write_wheel(directory / "wheels", "demo", "1.0", files={"demo/data": os.urandom(300_000)}, compressed=False)
    publish(directory / "wheels", directory / "public")
    (directory / "secret").write_text("secret")
    (directory / "outside").mkdir()
    (directory / "outside/index.html").write_text("secret")
    public = directory / "public"
    (public / "link").symlink_to("../secret")
    (public / "way-out").symlink_to("../outside")
    (public / "to-own").symlink_to(".mkindex")
    (public / "inside").symlink_to("simple")
    (public / "empty").mkdir()
    os.mkfifo(public / "pipe")
    with serving(public) as tree:
        yield tree


@contextmanager
def serving(root: Path, *, metrics: bool = False) -> Iterator[Tree]:
    log: list[tuple[str, int]] = []
    address = ("127.0.0.1", 0)
    with Server(str(root), address, lambda line, status: log.append((line, status)), metrics=metrics) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield Tree(root, server.server_port, log, server)
        server.shutdown()
        thread.join()
