"""A web server that sends scripted replies, right or wrong, and records the requests."""

from __future__ import annotations

import re
import shutil
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import TYPE_CHECKING, TypeAlias

from support.requirements import skip_or_fail
from support.wheels import TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import pytest

_CHUNK = 1 << 14
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
LONG_AGO = formatdate(TIMESTAMP, usegmt=True)


@dataclass
class Request:
    """A request, with the status and size of the reply."""

    method: str
    path: str  # with the query
    headers: dict[str, str]  # names in lower case
    status: int = 0
    sent: int = 0  # bytes of the body

    def __str__(self) -> str:
        return f"{self.method} {self.status} {self.path}"


@dataclass(frozen=True)
class Reply:
    """A reply. A callable `body` is sent part by part, as it yields them."""

    body: bytes | Callable[[], Iterator[bytes]] = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None  # in Content-Length; None: the length of the body, or no header if it is unknown
    says_length: bool = True  # False: the body is sent chunked
    cut: int | None = None  # close the connection after this many bytes of the body

    def with_headers(self, **headers: str) -> Reply:
        """The same reply with other headers: `content_type` is Content-Type."""
        return replace(self, headers={**self.headers, **{_header_name(name): value for name, value in headers.items()}})


Route: TypeAlias = "Reply | bytes | Callable[[Request], Reply]"


class ScriptedServer:
    """A running server. `routes` has replies by path, without the query; other paths answer 404."""

    def __init__(self, *, certificate: Path | None = None) -> None:
        self.routes: dict[str, Route] = {}
        self.received: list[Request] = []
        self.connections = 0
        self.stopped = threading.Event()
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 20
            disable_nagle_algorithm = True  # with Nagle's algorithm, every other body would wait for 40 ms

            def setup(self) -> None:
                outer.connections += 1
                super().setup()

            def do_GET(self) -> None:
                outer._answer(self)

            do_HEAD = do_GET  # noqa: N815 (the name that http.server calls)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 64

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # clients that close a connection early are part of the tests

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self._scheme = "https"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}/"

    @property
    def other_host_url(self) -> str:
        """The address of the same server under another host name."""
        return f"{self._scheme}://localhost:{self.port}/"

    def close(self) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def requests(self) -> list[str]:
        """All requests as "GET 200 /path", in the order of arrival."""
        with self._lock:
            return [str(request) for request in self.received]

    def forget(self) -> None:
        with self._lock:
            self.received.clear()

    def sent(self) -> int:
        """The number of bytes of all bodies sent."""
        with self._lock:
            return sum(request.sent for request in self.received)

    def wait_until_sent(self, number: int, path: str) -> None:
        """Wait until `number` bytes of the reply for a path have been sent."""
        deadline = time.monotonic() + 30
        while not any(request.path == path and request.sent >= number for request in list(self.received)):
            assert time.monotonic() < deadline, self.requests()
            time.sleep(0.01)

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        request = Request(handler.command, handler.path, headers)
        with self._lock:
            self.received.append(request)
        route = self.routes.get(handler.path.partition("?")[0], Reply(b"nothing here", 404))
        reply = Reply(route) if isinstance(route, bytes) else route if isinstance(route, Reply) else route(request)
        request.status = reply.status
        handler.send_response(reply.status)
        has_body = reply.status not in (204, 304)
        is_chunked = has_body and not (
            reply.says_length and (isinstance(reply.body, bytes) or reply.length is not None)
        )
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        if is_chunked:
            handler.send_header("Transfer-Encoding", "chunked")
        elif has_body and "Content-Length" not in reply.headers:
            length = len(reply.body) if isinstance(reply.body, bytes) and reply.length is None else reply.length
            handler.send_header("Content-Length", str(length))
        handler.end_headers()
        if handler.command == "HEAD" or not has_body:
            return
        whole = reply.body
        parts = (whole[i : i + _CHUNK] for i in range(0, len(whole), _CHUNK)) if isinstance(whole, bytes) else whole()
        try:
            for part in parts:
                some = part if reply.cut is None else part[: reply.cut - request.sent]
                request.sent += len(some)
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(some), some) if is_chunked else some)
                if self.stopped.is_set() or request.sent == reply.cut:
                    handler.close_connection = True
                    return
            if is_chunked:
                handler.wfile.write(b"0\r\n\r\n")
        except OSError:  # the client has closed the connection
            handler.close_connection = True
        if reply.length is not None and reply.length != request.sent:
            handler.close_connection = True


def _header_name(name: str) -> str:
    return name.replace("_", "-").title().replace("Etag", "ETag")


@contextmanager
def run_server(*, certificate: Path | None = None) -> Iterator[ScriptedServer]:
    """A scripted server on a free port."""
    server = ScriptedServer(certificate=certificate)
    try:
        yield server
    finally:
        server.close()


# --- replies ------------------------------------------------------------------------------------------------


def page_reply(text: str | bytes, media_type: str = "text/html", **headers: str) -> Reply:
    """A page; `headers`: etag='"1"' is ETag."""
    body = text if isinstance(text, bytes) else text.encode()
    return Reply(body).with_headers(content_type=media_type, **headers)


def status_reply(code: int, **headers: str) -> Reply:
    return Reply(b"no", code).with_headers(**headers)


def redirect_reply(to: str, code: int = 302) -> Reply:
    return status_reply(code, location=to)


def reply_sequence(*replies: Route) -> Callable[[Request], Reply]:
    """Send each reply once, in order, and then always the last one."""
    left = list(replies)
    lock = threading.Lock()

    def route(request: Request) -> Reply:
        with lock:
            reply = left.pop(0) if len(left) > 1 else left[0]
        return reply if isinstance(reply, Reply) else Reply(reply) if isinstance(reply, bytes) else reply(request)

    return route


def conditional(reply: Reply) -> Callable[[Request], Reply]:
    """A reply, or 304 for a client that has it according to the ETag or else Last-Modified."""

    def route(request: Request) -> Reply:
        etag, modified = reply.headers.get("ETag"), reply.headers.get("Last-Modified")
        is_unchanged = (
            request.headers.get("if-none-match") == etag
            if etag
            else (modified is not None and request.headers.get("if-modified-since") == modified)
        )
        return replace(reply, body=b"", status=304) if is_unchanged else reply

    return route


def file_route(
    content: bytes | Path,
    *,
    etag: str = "",
    modified: str = LONG_AGO,
    ranges: bool = True,
    ends: bool = True,
    head: int = 200,
    length: bool = True,
    media_type: str = "application/octet-stream",
    pause: float = 0.0,
) -> Callable[[Request], Reply]:
    """A file, as a good server sends it.

    `ends`: ranges of the last bytes are known; `head`: status of HEAD; `pause`: seconds between parts of 16 kB.
    """
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    whole = {"Content-Type": media_type} | ({"ETag": etag} if etag else {})
    whole |= {"Last-Modified": modified} if modified else {}

    def read(start: int, end: int) -> Iterator[bytes]:
        if isinstance(content, bytes):
            for at in range(start, end, _CHUNK):
                yield content[at : min(at + _CHUNK, end)]
                time.sleep(pause)
            return
        with content.open("rb") as stream:
            stream.seek(start)
            while start < end and (data := stream.read(min(_CHUNK, end - start))):
                start += len(data)
                yield data
                time.sleep(pause)

    def route(request: Request) -> Reply:
        if request.method == "HEAD" and head != 200:
            return status_reply(head)
        requested = _RANGE.fullmatch(request.headers.get("range", "")) if ranges else None
        start, end = 0, size
        headers = dict(whole)
        if requested and not (requested[1] or ends):
            requested = None
        if requested:
            start, end = int(requested[1] or 0), min(int(requested[2] or size - 1) + 1, size)
            if not requested[1]:
                start, end = max(0, size - int(requested[2])), size
            if start >= end:
                return status_reply(416, content_range=f"bytes */{size}")
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        return Reply(
            lambda: read(start, end),
            206 if requested else 200,
            headers,
            length=end - start if length else None,
            says_length=length,
        )

    return route


def cut_after(route: Callable[[Request], Reply], after: int) -> Callable[[Request], Reply]:
    """The reply of another route, cut off after this many bytes."""
    return lambda request: replace(route(request), cut=after)


def endless_body(part: bytes = b"\0" * _CHUNK, pause: float = 0.0) -> Callable[[], Iterator[bytes]]:
    """A body that never ends."""

    def parts() -> Iterator[bytes]:
        while True:
            yield part
            time.sleep(pause)

    return parts


# --- clients ----------------------------------------------------------------------------------------------------


def isolate_client(patch: pytest.MonkeyPatch, home: Path) -> list[float]:
    """Hide proxies, certificates and credentials of this machine from clients in this process, and skip their pauses.

    Returns a list that the seconds of skipped pauses are appended to.
    """
    kinds = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    for name in (*kinds, *map(str.upper, kinds), "NETRC", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        patch.delenv(name, raising=False)
    patch.setenv("HOME", str(home))
    pauses: list[float] = []

    class NoWaitEvent(threading.Event):
        """An event whose wait() returns at once: there is no pause between attempts."""

        def wait(self, timeout: float | None = None) -> bool:
            if timeout is not None:
                pauses.append(timeout)
            return super().wait(None if timeout is None else 0)

    patch.setattr("mkindex.web.client.threading", SimpleNamespace(Event=NoWaitEvent, Lock=threading.Lock))
    return pauses


def make_certificates(
    directory: Path, *, names: str = "IP:127.0.0.1,DNS:localhost", days: int = 2
) -> tuple[Path, Path]:
    """Create a certificate authority and a certificate with key for this machine; return both files.

    `names`: for other machines; `days`: how long it is valid from now on.
    """
    if not shutil.which("openssl"):
        skip_or_fail("openssl")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True, timeout=60)

    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")  # Python 3.13 is strict about it
    openssl(*new, "-x509", *usage, "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2")
    openssl(*new, "-subj", "/CN=host", "-keyout", "host.key", "-out", "host.csr")
    (directory / "ext").write_text(f"subjectAltName={names}\nbasicConstraints=CA:FALSE\nauthorityKeyIdentifier=keyid\n")
    authority = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial")
    openssl("x509", "-req", "-in", "host.csr", *authority, "-days", str(days), "-extfile", "ext", "-out", "host.pem")
    both = directory / "both.pem"
    both.write_text((directory / "host.pem").read_text() + (directory / "host.key").read_text())
    with suppress(OSError):
        (directory / "ca.key").unlink()
    return directory / "ca.pem", both
