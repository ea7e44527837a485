"""Programs without any network, and servers whose directory can be exchanged."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import pytest

from support.requirements import skip_or_fail

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Upstream(NamedTuple):
    """An index on a server, whose directory can be exchanged."""

    directory: Path
    url: str

    def exchange(self, directory: Path) -> None:
        """Let the server have another tree at the same address."""
        shutil.rmtree(self.directory)
        shutil.copytree(directory, self.directory)


@pytest.fixture
def cut() -> tuple[str, ...]:
    """The beginning of a command that has no network, not even this machine."""
    command = ("unshare", "--map-root-user", "--net")
    if shutil.which("unshare") is None or subprocess.run([*command, "true"], check=False).returncode:
        skip_or_fail("unshare: network namespaces")
    return command


@dataclass
class FailingProxy:
    """A proxy that closes every connection after its request, and keeps the requests."""

    url: str
    requests: list[bytes] = field(default_factory=list)

    @property
    def settings(self) -> dict[str, str]:
        """Variables with which clients use it for all other machines."""
        names = ("http_proxy", "https_proxy", "all_proxy")
        return dict.fromkeys((*names, *map(str.upper, names)), self.url)


@pytest.fixture
def proxy() -> Iterator[FailingProxy]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = FailingProxy(f"http://127.0.0.1:{listener.getsockname()[1]}")
        ended = threading.Event()

        def serve() -> None:
            while True:
                connection, _ = listener.accept()
                with connection:
                    if ended.is_set():
                        return
                    proxy.requests.append(connection.recv(1000))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield proxy
        finally:
            ended.set()
            socket.create_connection(listener.getsockname()).close()
            thread.join()
