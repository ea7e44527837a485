"""A read-only HTTP server for a published tree, for development and small networks.

A tree does not need it: any web server can serve one.
"""

import ipaddress
import os
import re
import socket
import socketserver
import stat
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO, FileIO
from typing import Any, ClassVar
from urllib.parse import quote, unquote, urlsplit

from mkindex import __version__
from mkindex.errors import ServeError
from mkindex.hosts.caching import FILE_CACHING
from mkindex.hosts.fallback import Fallback
from mkindex.serve.connections import Connections
from mkindex.serve.fallback import FallbackOfTree
from mkindex.serve.heads import REQUEST_LINE, BadHead, read_head
from mkindex.serve.negotiation import VARIANTS, byte_range, matches_etag, negotiate
from mkindex.serve.status import HEALTH_PATH, METRICS_PATH, METRICS_TYPE, Metrics, access_line, has_index, utc_now
from mkindex.text import printable
from mkindex.tree.content_types import HTML_TYPE, TEXT_TYPE, content_type
from mkindex.tree.names import (
    FILES_DIRECTORY,
    INDEX_HTML,
    INDEX_JSON,
    LEGACY_JSON,
    NOT_FOUND_HTML,
    is_legacy_page,
)

_TIMEOUT = 30  # seconds that a client may be silent
_STEP = 1 << 18  # bytes that are sent at a time; the next step shows that the client takes them

# The content at such a path never changes, because the path is made of its hash.
_IMMUTABLE = re.compile(rf"{FILES_DIRECTORY}/[0-9a-f]{{2}}/[0-9a-f]{{62}}/[^/]+")


class Server(ThreadingHTTPServer):
    """Serves the tree below `root`. `log` is called for each request, with a line of text and the status.

    `/-/health` tells whether there is an index to serve; with `metrics`, `/-/metrics` has counters for Prometheus.
    `fallback` is asked for projects that the tree does not have.
    """

    daemon_threads = True
    request_queue_size = 256
    allow_reuse_port = False  # two servers at one address would take turns

    def __init__(
        self,
        root: str,
        address: tuple[str, int],
        log: Callable[[str, int], object],
        *,
        metrics: bool = False,
        fallback: Fallback | None = None,
    ) -> None:
        """Listen on the address, host and port. Raises ServeError if that is not possible."""
        self._root = os.path.abspath(root)
        self.log = log
        self.connections = Connections()
        self.metrics = Metrics() if metrics else None
        self.fallback = FallbackOfTree(fallback) if fallback else None
        if not os.path.isdir(root):
            raise ServeError(
                f"{printable(root)}: not a directory. Build an index there first: mkindex SOURCE {printable(root)}"
            )
        where = f"{address[0]}:{address[1]}"
        try:
            addresses = socket.getaddrinfo(*address, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            self.address_family, *_, resolved = addresses[0]
            super().__init__((str(resolved[0]), int(resolved[1])), Handler)
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or error
            raise ServeError(
                f"cannot listen on {printable(where)}: {why}. Choose another address with --bind"
            ) from error

    def server_bind(self) -> None:
        # Like HTTPServer, but without a DNS query for the name of this machine.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    @property
    def root(self) -> str:
        """The real path of the tree. It can change, if the path given is a symlink."""
        return os.path.realpath(self._root)

    @property
    def url(self) -> str:
        host = f"[{self.server_name}]" if ":" in self.server_name else self.server_name
        return f"http://{host}:{self.server_port}/"

    @property
    def is_public(self) -> bool:
        """Whether other machines can connect."""
        return not ipaddress.ip_address(self.server_name.partition("%")[0]).is_loopback

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if not self.connections.admit(connection, address[0]):
            raise ConnectionRefusedError  # socketserver then goes on
        return connection, address

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        assert isinstance(request, socket.socket)
        self.connections.forget(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        self.connections.close_refused()

    def service_actions(self) -> None:
        """Close connections that take too long. socketserver calls this at least every half second."""
        self.connections.close_overdue()

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing when a client hangs up."""


def _quote(name: str) -> str:
    return quote(name, errors="surrogateescape")


class _ErrorResponse(Exception):
    """An answer that is not a file: a redirect or an error."""

    def __init__(self, status: HTTPStatus, **headers: str) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    timeout = _TIMEOUT
    disable_nagle_algorithm = True
    wbufsize = 1 << 16  # headers and a small body in one packet
    raw_requestline: bytes
    _methods: ClassVar = ("GET", "HEAD")

    def handle_one_request(self) -> None:
        self.server.connections.expect_request(self.connection)
        super().handle_one_request()

    def parse_request(self) -> bool:
        """Read the head of a request, strictly, and answer it if it is malformed."""
        self.command, self.requestline = "", self.raw_requestline.decode("latin-1").rstrip("\r\n")
        try:
            if not self.raw_requestline.endswith(b"\n"):
                raise BadHead(None)
            if not REQUEST_LINE.fullmatch(self.raw_requestline):
                raise BadHead(HTTPStatus.BAD_REQUEST)
            head = read_head(self.rfile)
        except BadHead as bad:
            self.close_connection = True
            if bad.status:
                self.send_error(bad.status)
            return False
        self.server.connections.expect_progress(self.connection)
        stream, self.rfile = self.rfile, BytesIO(head)
        try:
            return super().parse_request()
        finally:
            self.rfile = stream

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_GET  # noqa: N815

    def _answer(self) -> None:
        # The body is not read. On the same connection, it would be taken for the next request.
        if self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            self.close_connection = True
        path = self.path.partition("?")[0]
        try:
            if path == HEALTH_PATH:
                self._send_health()
            elif path == METRICS_PATH and self.server.metrics:
                text = self.server.metrics.as_text(self.server.connections.count)
                self._send_text(HTTPStatus.OK, text, {"Content-Type": METRICS_TYPE})
            else:
                self._send(*self._find())
        except _ErrorResponse as answer:
            self._send_error(answer.status, answer.headers)

    def _find(self) -> tuple[str, str, dict[str, str]]:
        """Return path, media type and further headers of the requested file. Raises _ErrorResponse."""
        path = self._path()
        self._redirect_to_normal_name(path)
        if self.server.fallback and (page := self.server.fallback.page_of(self.server.root, path)):
            raise _ErrorResponse(HTTPStatus.FOUND, Location=page)
        if path and not path.endswith("/"):
            if os.path.isdir(self._real(path)):
                raise self._redirect(f"./{_quote(path.rpartition('/')[2])}/")
            return path, content_type(path), {}
        if not all(os.path.isfile(self._real(path + name)) for name in (INDEX_HTML, INDEX_JSON)):
            return path + INDEX_HTML, HTML_TYPE, {}
        variant = negotiate(", ".join(self.headers.get_all("Accept", [])))
        if variant is None:
            raise _ErrorResponse(HTTPStatus.NOT_ACCEPTABLE, Vary="Accept")
        return path + variant.filename, variant.content_type, {"Vary": "Accept"}

    def _redirect_to_normal_name(self, path: str) -> None:
        """Redirect from a page that does not exist to that of the normalized name, if there is one.

        PEP 503: a repository MAY redirect unnormalized URLs. Some readers of indexes request Flask_Login.
        """
        is_legacy = is_legacy_page(path)
        parent, _, name = path.removesuffix(f"/{LEGACY_JSON}" if is_legacy else "/").rpartition("/")
        normal = re.sub(r"[-_.]+", "-", name).lower()
        if normal in ("", name) or not name.isascii() or os.path.lexists(self._real(path)):
            return
        target = f"{parent}/{normal}/{LEGACY_JSON if is_legacy else ''}".lstrip("/")
        has_page = os.path.isfile(self._real(target if is_legacy else f"{target}{INDEX_HTML}"))
        if has_page or (self.server.fallback and self.server.fallback.page_of(self.server.root, target)):
            page = f"{_quote(normal)}/{LEGACY_JSON if is_legacy else ''}"
            raise self._redirect(f"{'../' if is_legacy or path.endswith('/') else './'}{page}")

    def _redirect(self, location: str) -> _ErrorResponse:
        """Return a redirect with the query of the request.

        `location` is relative: behind a proxy the tree can be below any path, and "//host" would be another host.
        """
        query = self.path.partition("?")[2]
        return _ErrorResponse(HTTPStatus.MOVED_PERMANENTLY, Location=location + (f"?{query}" if query else ""))

    def _path(self) -> str:
        """Return the requested path, relative to the root. Raises _ErrorResponse if it is not a path of a tree."""
        target = self.path
        if re.match(r"https?://", target, re.IGNORECASE):  # RFC 9112, section 3.2.2: a server MUST accept this form
            with suppress(ValueError):
                target = urlsplit(target).path or "/"
        if not target.startswith("/"):
            raise _ErrorResponse(HTTPStatus.BAD_REQUEST)
        # Several slashes count as one: pipenv and micropip join addresses that end and begin with one.
        target = re.sub("/+", "/", re.split(r"[?#]", target, maxsplit=1)[0])
        parts = [unquote(one, errors="surrogateescape") for one in target[1:].split("/")]
        for one in parts:
            # Names with a dot are hidden files. ".." is never needed, because clients resolve it themselves.
            if one.startswith(".") or "/" in one or "\0" in one:
                raise _ErrorResponse(HTTPStatus.NOT_FOUND)
            if os.name == "nt" and re.search(r'[\\:*?"<>|]', one):
                raise _ErrorResponse(HTTPStatus.NOT_FOUND)
        return "/".join(parts)

    def _real(self, path: str) -> str:
        """Return the real path of a path of the tree. Raises _ErrorResponse if a symlink leads out of the tree."""
        root = self.server.root
        real = os.path.realpath(os.path.join(root, path))
        if any(one.startswith(".") and one != "." for one in os.path.relpath(real, root).split(os.sep)):
            raise _ErrorResponse(HTTPStatus.NOT_FOUND)
        return real

    def _open(self, path: str) -> FileIO:
        """Open a regular file of the tree. Raises _ErrorResponse for anything else."""
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        try:
            file = FileIO(os.open(self._real(path), flags))
        except (OSError, ValueError) as error:
            raise _ErrorResponse(HTTPStatus.NOT_FOUND) from error
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise _ErrorResponse(HTTPStatus.NOT_FOUND)
        return file

    def _send(self, path: str, media: str, headers: dict[str, str]) -> None:
        # Headers and body come from one descriptor, so they fit each other even if the file is replaced meanwhile.
        with self._open(path) as file:
            status = os.fstat(file.fileno())
            size, etag = status.st_size, f'"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"'
            headers = {
                **headers,
                "ETag": etag,
                "Cache-Control": FILE_CACHING if _IMMUTABLE.fullmatch(path) else "no-cache",
            }
            if matches_etag(self.headers.get("If-None-Match"), etag):
                self._begin(HTTPStatus.NOT_MODIFIED, headers)
                self.end_headers()
                return
            wanted = None
            if self.command == "GET" and self.headers.get("If-Range", etag) == etag:
                try:
                    wanted = byte_range(self.headers.get("Range"), size)
                except IndexError as error:
                    satisfiable = {"Content-Range": f"bytes */{size}"}
                    raise _ErrorResponse(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, **satisfiable) from error
            offset, length = wanted or (0, size)
            headers |= {"Content-Type": media, "Content-Length": str(length), "Accept-Ranges": "bytes"}
            if wanted:
                headers["Content-Range"] = f"bytes {offset}-{offset + length - 1}/{size}"
            self._begin(HTTPStatus.PARTIAL_CONTENT if wanted else HTTPStatus.OK, headers)
            self.end_headers()
            if self.command == "GET" and length:
                self.wfile.flush()
                self._send_bytes(file, offset, length)

    def _send_bytes(self, file: FileIO, offset: int, length: int) -> None:
        for start in range(offset, offset + length, _STEP):
            size = min(_STEP, offset + length - start)
            self.server.connections.expect_progress(self.connection)
            if self.connection.sendfile(file, start, size) != size:
                self.close_connection = True  # the file was truncated: the client must not wait for the rest
                return

    def _send_health(self) -> None:
        if has_index(self.server.root):
            self._send_text(HTTPStatus.OK, "ok\n", {})
        else:
            self._send_text(HTTPStatus.SERVICE_UNAVAILABLE, "there is no index to serve\n", {})

    def _send_error(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        body, media = f"{status} {status.phrase}\n".encode(), TEXT_TYPE
        if status == HTTPStatus.NOT_FOUND:
            with suppress(_ErrorResponse, OSError), self._open(NOT_FOUND_HTML) as file:
                body, media = file.read(), HTML_TYPE
        elif status == HTTPStatus.NOT_ACCEPTABLE:
            offered = "\n".join(media for variant in VARIANTS for media in variant.media_types)
            body = f"This page is available as\n{offered}\n".encode()
        self._send_body(status, body, {"Content-Type": media} | headers)

    def _send_text(self, status: HTTPStatus, text: str, headers: dict[str, str]) -> None:
        self._send_body(status, text.encode(), {"Content-Type": TEXT_TYPE} | headers)

    def _send_body(self, status: HTTPStatus, body: bytes, headers: dict[str, str]) -> None:
        self._begin(status, {"Content-Length": str(len(body)), "Cache-Control": "no-cache"} | headers)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _begin(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        self._record(status, 0 if self.command == "HEAD" else int(headers.get("Content-Length", "0")))
        self.send_header("Server", self.version_string())
        self.send_header("Date", self.date_time_string())
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Access-Control-Allow-Origin", "*")  # micropip reads an index from the page of another site
        if self.close_connection or self.server.connections.are_crowded:
            self.send_header("Connection", "close")  # http.server then closes it after the answer

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a malformed request, or one with another method than GET and HEAD."""
        del message, explain
        self.close_connection = True
        self.request_version = self.protocol_version  # without one, the answer would have no headers (HTTP/0.9)
        if code == HTTPStatus.NOT_IMPLEMENTED:  # http.server's answer to every other method
            self._send_error(HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": ", ".join(self._methods)})
        else:
            self._send_error(HTTPStatus(code), {})

    def version_string(self) -> str:
        return f"mkindex/{__version__}"

    def _record(self, status: HTTPStatus, size: int) -> None:
        """Log and count an answer with a body of `size` bytes."""
        self.server.log(access_line(self, status, str(size or "-"), utc_now()), status)
        if self.server.metrics:
            self.server.metrics.count(status, size)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (as http.server calls it)
        """Ignore the messages of http.server: only requests are logged."""
