"""The HTTP library in a process whose threads come and go."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support import scripted_server
from support.scripted_server import file_route

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.scripted_server import ScriptedServer

PROGRAM = """
import sys, threading
from mkindex.cache import Cache
from mkindex.web.client import WebClient

def ask():
    client = WebClient(Cache(None))
    client.head(client.take_credentials(sys.argv[1]))
    client.close()

for _ in range(20):
    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
print("done")
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ScriptedServer]:
    scripted_server.isolate_client(monkeypatch, tmp_path)
    with scripted_server.run_server() as server:
        yield server


def test_the_thread_that_sent_the_first_request_may_end(server: ScriptedServer) -> None:
    """The allocator of pyreqwest crashes if the thread that loaded it has ended."""
    server.routes["/f"] = file_route(b"content")
    command = [sys.executable, "-c", PROGRAM, f"{server.url}f"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
