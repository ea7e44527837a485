"""A web server that serves an index without faults, except those that a test adds."""

from __future__ import annotations

import hashlib
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import unquote

from support.wheels import TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
LONG_AGO = formatdate(TIMESTAMP, usegmt=True)


@dataclass(frozen=True)
class Reply:
    """An answer; `content_length`: the stated length, if it is to be wrong."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_length: int | None = None

    def with_headers(self, **headers: str | None) -> Reply:
        """The same with other headers: `content_type` is Content-Type; None: without it."""
        changed = {name.replace("_", "-").title().replace("Etag", "ETag"): value for name, value in headers.items()}
        kept = {name: value for name, value in {**self.headers, **changed}.items() if value is not None}
        return replace(self, headers=kept)


Fault = "Callable[[str, Reply], Reply]"  # gets the requested path


class IndexServer:
    """A running server of a directory. `faults` change its answers, one after another.

    `authorization`: the value of that header, which every request must have.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.faults: list[Callable[[str, Reply], Reply]] = []
        self.received: list[str] = []
        self.authorization = ""
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 20
            wbufsize = 1 << 16  # headers and body together
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                host._answer(self)

            do_HEAD = do_GET  # noqa: N815 (as http.server wants it)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 64

            def handle_error(self, request: object, client_address: object) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = unquote(handler.path.partition("?")[0])
        self.received.append(f"{handler.command} {path}")
        if self.authorization and handler.headers.get("Authorization") != self.authorization:
            reply = Reply(401, b"who are you?", {"WWW-Authenticate": 'Basic realm="here"'})
        else:
            reply = self._good(path, handler.headers.get("Accept", ""), handler.headers.get("Range", ""))
        for fault in self.faults:
            reply = fault(path, reply)
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.send_header(
            "Content-Length", str(len(reply.body) if reply.content_length is None else reply.content_length)
        )
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(reply.body)
        handler.close_connection |= reply.content_length is not None

    def _good(self, path: str, accept: str, part: str) -> Reply:
        place = self.root / path.strip("/")
        headers = {"Last-Modified": LONG_AGO, "Vary": "Accept", "Cache-Control": "max-age=600"}
        if place.is_dir():
            if not path.endswith("/"):
                return Reply(301, headers={"Location": f"{path}/"})
            wants_json = JSON_TYPE in accept and (place / "index.v1_json").exists()
            page = place / ("index.v1_json" if wants_json or not (place / "index.html").exists() else "index.html")
            if not page.exists():
                return Reply(404, b"nothing here")
            headers["Content-Type"] = JSON_TYPE if page.name == "index.v1_json" else "text/html"
            return self._tagged(Reply(200, page.read_bytes(), headers))
        if not place.is_file() or path.endswith("/"):
            return Reply(404, b"nothing here")
        is_page = place.suffix == ".html"
        headers["Content-Type"] = "text/html" if is_page else "application/octet-stream"
        if not is_page:
            headers |= {"Cache-Control": "max-age=31536000, immutable", "Accept-Ranges": "bytes"}
        reply = self._tagged(Reply(200, place.read_bytes(), headers))
        if match := re.fullmatch(r"bytes=(\d+)-(\d*)", part):
            start, end = int(match[1]), min(int(match[2] or len(reply.body)), len(reply.body) - 1)
            said = f"bytes {start}-{end}/{len(reply.body)}"
            return replace(reply, status=206, body=reply.body[start : end + 1]).with_headers(content_range=said)
        return reply

    @staticmethod
    def _tagged(reply: Reply) -> Reply:
        return reply.with_headers(etag=f'"{hashlib.sha256(reply.body).hexdigest()[:16]}"')


@contextmanager
def serve_index(root: Path) -> Iterator[IndexServer]:
    """Serve a directory on a free port."""
    host = IndexServer(root)
    try:
        yield host
    finally:
        host.close()
