"""As much of the XML API of Google Cloud Storage as conditional writes need: PUT, GET and HEAD of objects."""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from obstore.store import GCSStore

from support.scripted_server import LONG_AGO

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Objects(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, tuple[bytes, int]] = {}  # bytes and generation, by path
        self.generation = 1_700_000_000_000_000


class _Handler(BaseHTTPRequestHandler):
    server: _Objects
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        wanted = self.headers.get("x-goog-if-generation-match")
        if wanted is not None and int(wanted) != self.server.objects.get(self.path, (b"", 0))[1]:
            self._reply(412, b"<Error><Code>PreconditionFailed</Code></Error>")
            return
        self.server.generation += 1
        self.server.objects[self.path] = (data, self.server.generation)
        self._reply(200, b"")

    def do_GET(self) -> None:
        if self.path in self.server.objects:
            self._reply(200, self.server.objects[self.path][0])
        else:
            self._reply(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def do_HEAD(self) -> None:
        self.do_GET()

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        if status == 200:
            data, generation = self.server.objects[self.path]
            self.send_header("ETag", f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"')
            self.send_header("x-goog-generation", str(generation))
            self.send_header("Last-Modified", LONG_AGO)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def run_google() -> Iterator[GCSStore]:
    """Run a server, and yield a bucket there."""
    with _Objects() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        account = {"client_email": "", "private_key": "", "private_key_id": "", "disable_oauth": True}
        key = json.dumps({**account, "gcs_base_url": address})
        try:
            yield GCSStore("a-bucket", config={"service_account_key": key}, client_options={"allow_http": True})
        finally:
            server.shutdown()
