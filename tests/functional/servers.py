"""A real `python -m http.server`, and what it was asked for."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOGGED = re.compile(r'"(?P<method>[A-Z]+) (?P<path>\S+) HTTP/[0-9.]+" (?P<status>\d+)')


class Server:
    """What is known of a running server: its address, and its log since `forget` was called."""

    def __init__(self, url: str, log: Path) -> None:
        self.url = url
        self._log = log
        self._start = 0

    def forget(self) -> None:
        self._start = self._log.stat().st_size

    def requests(self) -> list[str]:
        """Return every request as "GET 200 /path", in the order of the log."""
        with self._log.open() as log:
            log.seek(self._start)
            found = _LOGGED.finditer(log.read())
        return [f"{one['method']} {one['status']} {unquote(one['path'])}" for one in found]

    def names(self) -> set[str]:
        """Return the last part of each path asked for: a filename, or the name of a project with a slash."""
        return {re.sub(r".*/(?=[^/]+/?$)", "", request) for request in self.requests()}


@contextmanager
def serving(directory: Path, log: Path) -> Iterator[Server]:
    """Serve a directory, on a port that nobody uses."""
    command = [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(directory), "0"]
    with (
        log.open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        try:
            assert process.stdout
            started = process.stdout.readline()
            port = re.search(r" port (\d+) ", started)
            assert port, f"http.server says {started!r}, {log.read_text()!r}"
            yield Server(f"http://127.0.0.1:{port[1]}/", log)
        finally:
            process.kill()
