"""Real servers: `python -m http.server`, with a log of its requests, and nginx."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import unquote

from support.requirements import skip_or_fail

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NGINX = """\
daemon off;
worker_processes 1;
pid {own}/pid;
error_log {own}/errors;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {own}/body;
  proxy_temp_path {own}/proxy;
  fastcgi_temp_path {own}/fastcgi;
  uwsgi_temp_path {own}/uwsgi;
  scgi_temp_path {own}/scgi;
  map $http_accept $page {{
    default index.html;
    "~*application/vnd\\.pypi\\.simple\\.(v1|latest)\\+json" index.v1_json;
  }}
  server {{
    listen 127.0.0.1:{port};
    root {root};
    location /simple/ {{
      index $page;
      types {{ text/html html; application/vnd.pypi.simple.v1+json v1_json; }}
      add_header Vary Accept;
      add_header Cache-Control no-cache;
    }}
    location /files/ {{ types {{ }} default_type application/octet-stream; }}
  }}
}}
"""
_LOGGED = re.compile(r'"(?P<method>[A-Z]+) (?P<path>\S+) HTTP/[0-9.]+" (?P<status>\d+)')


class LoggedServer:
    """A running server: its address, and its log since `forget` was called."""

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
        """Return the last part of each requested path: a filename, or the name of a project with a slash."""
        return {re.sub(r".*/(?=[^/]+/?$)", "", request) for request in self.requests()}


@contextmanager
def serve_directory(directory: Path, log: Path) -> Iterator[LoggedServer]:
    """Serve a directory on a free port."""
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
            yield LoggedServer(f"http://127.0.0.1:{port[1]}/", log)
        finally:
            process.kill()


@contextmanager
def serve_with_nginx(directory: Path, own: Path) -> Iterator[str]:
    """Serve a directory with nginx, which keeps its own files in `own`; yield its address."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        skip_or_fail("nginx")
    own.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (own / "nginx.conf").write_text(_NGINX.format(own=own, port=port, root=directory))
    own.chmod(0o755)
    command = [program, "-p", str(own), "-c", str(own / "nginx.conf"), "-g", "user root;" if os.getuid() == 0 else ""]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 20
            while process.poll() is None and time.monotonic() < deadline:
                with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.02)
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()
