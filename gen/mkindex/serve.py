"""A read-only HTTP server for a published tree, for development and small networks.

A tree does not need it: any web server can serve one.
"""

import ipaddress
import os
import re
import socket
import socketserver
import stat
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import FileIO
from typing import ClassVar
from urllib.parse import quote, unquote, urlsplit

from mkindex import __version__
from mkindex.errors import ServeError
from mkindex.text import printable
from mkindex.tree.names import FILES_DIRECTORY, INDEX_HTML, INDEX_JSON, NOT_FOUND_HTML

_MOST_CONNECTIONS = 500  # each has a thread; further clients wait
_CROWDED = 100  # with more connections than this, each is closed after its answer
_TIMEOUT = 30  # seconds that a client may be silent

_HTML_TYPE = "text/html; charset=utf-8"
_SIMPLE = "application/vnd.pypi.simple."
_TYPES = {
    ".html": _HTML_TYPE,
    ".v1_json": f"{_SIMPLE}v1+json",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
}
# A .tar.gz gets no Content-Encoding: clients would unpack it while they receive it, and its hash would be wrong.
_BYTES_TYPE = "application/octet-stream"

# The content at such a path never changes, because the path is made of its hash.
_IMMUTABLE = re.compile(rf"{FILES_DIRECTORY}/[0-9a-f]{{2}}/[0-9a-f]{{62}}/[^/]+")
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """One form of an index page: the media types that select it, the Content-Type it is sent with, and its file."""

    media_types: tuple[str, ...]
    content_type: str
    filename: str


# PEP 691, "Version + Format Selection". The first one is sent if the client has no preference.
VARIANTS = (
    Variant(media_types=("text/html",), content_type=_HTML_TYPE, filename=INDEX_HTML),
    Variant(
        media_types=(f"{_SIMPLE}v1+json", f"{_SIMPLE}latest+json"),
        content_type=f"{_SIMPLE}v1+json",
        filename=INDEX_JSON,
    ),
    Variant(
        media_types=(f"{_SIMPLE}v1+html", f"{_SIMPLE}latest+html"),
        content_type=f"{_SIMPLE}v1+html; charset=utf-8",
        filename=INDEX_HTML,
    ),
)


def negotiate(accept: str | None, variants: Sequence[Variant] = VARIANTS) -> Variant | None:
    """Return the variant that an Accept header prefers (RFC 9110, section 12.5.1), or None if it accepts none."""
    if accept is None or not accept.strip():
        return variants[0]
    quality: dict[str, float] = {}
    for part in accept.split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((value[2:] for value in parameters if value.startswith("q=")), "1")
        quality[media] = min(float(weight), 1.0) if re.fullmatch(r"\d+(\.\d*)?|\.\d+", weight) else 0.0

    def weight_of(variant: Variant) -> float:
        # The most specific media range that matches counts, even with a lower weight.
        exact = [quality[media] for media in variant.media_types if media in quality]
        any_subtype = f"{variant.media_types[0].partition('/')[0]}/*"
        return max(exact) if exact else quality.get(any_subtype, quality.get("*/*", 0.0))

    best = max(variants, key=weight_of)
    return best if weight_of(best) > 0 else None


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return offset and length of the bytes that a Range header requests, or None for the whole file.

    Several ranges and malformed ones are ignored, as if there were no header (RFC 9110, section 14.2). Raises
    IndexError for a range beyond the end of the file.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if not match or match[0].endswith("=-"):
        return None
    first, last = match.groups()
    start = int(first) if first else max(size - int(last), 0)
    end = min(int(last), size - 1) if first and last else size - 1
    if first and last and int(last) < int(first):
        return None
    if start >= size:
        raise IndexError(start)
    return start, end - start + 1


class Server(ThreadingHTTPServer):
    """Serves the tree below `root`. `log` is called for each request, with a line of text and the status."""

    daemon_threads = True
    request_queue_size = 256
    allow_reuse_port = False  # two servers at one address would take turns

    def __init__(self, root: str, address: tuple[str, int], log: Callable[[str, int], object]) -> None:
        """Listen on the address, host and port. Raises ServeError if that is not possible."""
        self._root = os.path.abspath(root)
        self.log = log
        self._slots = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        self._open: set[int] = set()  # ids of the open connections
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

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        self._slots.acquire()
        self._open.add(id(request))
        super().process_request(request, client_address)

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._open.discard(id(request))
            self._slots.release()

    @property
    def is_crowded(self) -> bool:
        return len(self._open) > _CROWDED

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing when a client hangs up."""


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
    _methods: ClassVar = ("GET", "HEAD")

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_GET  # noqa: N815

    def _answer(self) -> None:
        # The body is not read. On the same connection, it would be taken for the next request.
        if self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            self.close_connection = True
        try:
            self._send(*self._find())
        except _ErrorResponse as answer:
            self._send_error(answer.status, answer.headers)

    def _find(self) -> tuple[str, str, dict[str, str]]:
        """Return path, media type and further headers of the requested file. Raises _ErrorResponse."""
        path = self._path()
        if path and not path.endswith("/"):
            if os.path.isdir(self._real(path)):
                # Relative, because behind a proxy the tree can be below any path, and "//host" would be another host.
                query = self.path.partition("?")[2]
                where = f"./{quote(path.rpartition('/')[2], errors='surrogateescape')}/"
                raise _ErrorResponse(HTTPStatus.MOVED_PERMANENTLY, Location=where + (f"?{query}" if query else ""))
            return path, self._type(path), {}
        if not all(os.path.isfile(self._real(path + name)) for name in (INDEX_HTML, INDEX_JSON)):
            return path + INDEX_HTML, _HTML_TYPE, {}
        variant = negotiate(", ".join(self.headers.get_all("Accept", [])))
        if variant is None:
            raise _ErrorResponse(HTTPStatus.NOT_ACCEPTABLE, Vary="Accept")
        return path + variant.filename, variant.content_type, {"Vary": "Accept"}

    def _path(self) -> str:
        """Return the requested path, relative to the root. Raises _ErrorResponse if it is not a path of a tree."""
        target = self.path
        if re.match(r"https?://", target, re.IGNORECASE):  # RFC 9112, section 3.2.2: a server MUST accept this form
            with suppress(ValueError):
                target = urlsplit(target).path or "/"
        if not target.startswith("/"):
            raise _ErrorResponse(HTTPStatus.BAD_REQUEST)
        parts = [
            unquote(one, errors="surrogateescape") for one in re.split(r"[?#]", target, maxsplit=1)[0][1:].split("/")
        ]
        for number, one in enumerate(parts):
            # Names with a dot are hidden files. ".." is never needed, because clients resolve it themselves.
            is_last = number == len(parts) - 1
            if one.startswith(".") or "/" in one or "\0" in one or (not one and not is_last):
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

    @staticmethod
    def _type(path: str) -> str:
        return _TYPES.get(os.path.splitext(path)[1], _BYTES_TYPE)

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
                "Cache-Control": "public, max-age=31536000, immutable" if _IMMUTABLE.fullmatch(path) else "no-cache",
            }
            if _matches(self.headers.get("If-None-Match"), etag):
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
                if self.connection.sendfile(file, offset, length) != length:
                    self.close_connection = True  # the file was truncated: the client must not wait for the rest

    def _send_error(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        body, media = f"{status} {status.phrase}\n".encode(), "text/plain; charset=utf-8"
        if status == HTTPStatus.NOT_FOUND:
            with suppress(_ErrorResponse, OSError), self._open(NOT_FOUND_HTML) as file:
                body, media = file.read(), _HTML_TYPE
        elif status == HTTPStatus.NOT_ACCEPTABLE:
            offered = "\n".join(media for variant in VARIANTS for media in variant.media_types)
            body = f"This page is available as\n{offered}\n".encode()
        usual = {"Content-Type": media, "Content-Length": str(len(body)), "Cache-Control": "no-cache"}
        self._begin(status, usual | headers)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _begin(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("X-Content-Type-Options", "nosniff")
        if self.close_connection or self.server.is_crowded:
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

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        del size
        self.server.log(printable(f'{self.client_address[0]} "{self.requestline}"'), int(code))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (as http.server calls it)
        """Ignore the messages of http.server: only requests are logged."""


def _matches(header: str | None, etag: str) -> bool:
    """Return whether an If-None-Match header names the etag, by weak comparison (RFC 9110, section 13.1.2)."""
    etags = [one.strip().removeprefix("W/") for one in header.split(",")] if header else []
    return etag in etags or etags == ["*"]
