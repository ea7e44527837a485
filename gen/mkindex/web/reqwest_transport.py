"""The transport that is built on pyreqwest, with everything switched off that belongs above the seam.

Its runtime is not written in Python and does not see signals. So that Ctrl-C works, the main thread waits for another
thread.
"""

import os
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlsplit

from pyreqwest.client import SyncClient, SyncClientBuilder
from pyreqwest.exceptions import ConnectError, ConnectTimeoutError, DecodeError, PyreqwestError, RequestTimeoutError
from pyreqwest.http import HeaderMap
from pyreqwest.proxy import ProxyBuilder
from pyreqwest.request import SyncStreamRequest

from mkindex import __version__
from mkindex.errors import ConfigError
from mkindex.text import printable
from mkindex.web.redirects import INVALID
from mkindex.web.transport import CHUNK, CONNECT_TIMEOUT, UNREADABLE, NoResponse, Request, TransferBroken

T = TypeVar("T")

_MAX_CLIENTS = 50  # each has its own connections; the one that was used longest ago is dropped
_WINDOW = 1 << 20  # bytes of one HTTP/2 stream that are sent before they are read
_ERRORS = (PyreqwestError, ValueError, OSError)
_OS_ERROR = re.compile(r" \(os error -?\d+\)$")


class ReqwestTransport:
    """Connections of reqwest, without cookies. Raises ConfigError for a wrong SSL_CERT_FILE."""

    def __init__(self, *, timeout: float) -> None:
        self._timeout = timeout
        self._authorities = _read_authorities()
        self._clients: dict[tuple[str, ...], SyncClient] = {}  # by proxy, or by host and address
        self._lock = threading.Lock()

    def send(self, request: Request) -> "ReqwestResponse":
        """Send a request, and return when the head of the response is complete. Raises NoResponse."""
        try:
            client = self._client(request)
            builder = client.request(request.method, request.url).headers(dict(request.headers))
            # Without this limit, the start of the body would be awaited, too.
            stream = builder.streamed_read_buffer_limit(0).build_streamed()
            return _call(lambda: ReqwestResponse(stream, request))
        except _ERRORS as error:
            raise self._failure(error, request) from None  # its texts have the whole address, with secrets

    def close(self) -> None:
        """Close all connections. What waits for a response fails at once; a body that is being read, at the timeout."""
        with self._lock:
            for client in self._clients.values():
                client.close()

    def _client(self, request: Request) -> SyncClient:
        host = urlsplit(request.url).hostname or "" if request.address else ""
        key = request.proxy, host, request.address
        with self._lock:
            client = self._clients.pop(key, None) or self._build_client(*key)
            self._clients[key] = client  # at the end, as the one that was used last
            if len(self._clients) > _MAX_CLIENTS:
                del self._clients[next(iter(self._clients))]
            return client

    def _build_client(self, proxy: str, host: str, address: str) -> SyncClient:
        builder = (
            SyncClientBuilder()
            .user_agent(f"mkindex/{__version__}")
            .follow_redirects(enable=False)
            .referer(enable=False)
            .gzip(enable=False)
            .deflate(enable=False)
            .brotli(enable=False)
            .zstd(enable=False)
            .connect_timeout(timedelta(seconds=min(CONNECT_TIMEOUT, self._timeout)))
            .read_timeout(timedelta(seconds=self._timeout))
            .http1_allow_obsolete_multiline_headers_in_responses(value=True)
            .http1_allow_spaces_after_header_name_in_responses(value=True)
            .http1_ignore_invalid_headers_in_responses(value=True)
            .http2(enable=True)
            .http2_initial_stream_window_size(_WINDOW)
            .http2_initial_connection_window_size(8 * _WINDOW)
            .no_proxy()
        )
        if proxy:
            builder = builder.proxy(ProxyBuilder.all(proxy))
        if address:
            builder = builder.resolve(host, address, 0)
        if self._authorities:
            builder = builder.add_root_certificate_pem(self._authorities)
        return builder.build()

    def _failure(self, error: Exception, request: Request) -> NoResponse:
        """Return why there is no response. The error texts of reqwest would show the whole address, with secrets."""
        if isinstance(error, RequestTimeoutError):
            is_connecting = isinstance(error, ConnectTimeoutError) and "Connect" in " ".join(_causes(error))
            return NoResponse(f"no response within {self._timeout:g} s", "connection" if is_connecting else "response")
        causes = _causes(error)
        if not isinstance(error, PyreqwestError) or not causes or "builder error" in causes[0]:
            return NoResponse(INVALID, "address")
        why = _reason(causes)
        if "certificate" in why:
            return NoResponse(_describe_certificate_error(why), "certificate")
        if isinstance(error, DecodeError):
            return NoResponse(f"invalid HTTP response ({why}). Ask the operator of the server", "head")
        is_connecting = isinstance(error, ConnectError) and "client error (Connect)" in causes
        if is_connecting and request.proxy:
            return NoResponse("the proxy does not respond: check HTTPS_PROXY and NO_PROXY", "proxy")
        return NoResponse(f"cannot be reached: {why}", "connection" if is_connecting else "response")


class ReqwestResponse:
    """A response of reqwest, its body not yet read."""

    def __init__(self, stream: SyncStreamRequest, request: Request) -> None:
        response = stream.__enter__()
        self._opened: SyncStreamRequest | None = stream
        self._body = response.body_reader
        self._rest = b""
        self.url = request.url
        self.status = response.status
        self.headers = fields = _fields(response.headers)
        # In HTTP/2, a reset without an error ends a body, and the library takes the body for complete.
        has_body = response.version == "HTTP/2.0" and request.method != "HEAD" and self.status not in (204, 304)
        length = fields.get("content-length", "")
        self._missing = int(length) if has_body and length.isdecimal() else 0  # bytes
        self.is_persistent = response.version != "HTTP/1.0" and "close" not in fields.get("connection", "").lower()

    def read(self) -> bytes:
        """Return the next bytes of the body as they were sent, at most CHUNK; b"" at the end. Raises TransferBroken."""
        chunk = self._rest
        if not chunk:
            try:
                chunk = bytes(_call(self._body.read_chunk) or b"")
            except _ERRORS as error:
                is_late = isinstance(error, RequestTimeoutError)
                why = "no more data within the timeout" if is_late else _reason(_causes(error))
                raise TransferBroken(why) from None
            except KeyboardInterrupt:
                self._opened = None  # a thread still reads: closing the response would wait for it
                raise
            self._missing -= len(chunk)
            if not chunk and self._missing > 0:
                raise TransferBroken("connection closed")
            if len(chunk) <= CHUNK:
                return chunk
        self._rest = chunk[CHUNK:]
        return chunk[:CHUNK]

    def discard(self) -> None:
        """Drop the body without reading more than CHUNK bytes of it."""
        # If the body is short, one read is enough to use the connection again. A body that arrives slowly is not worth
        # the wait.
        with suppress(TransferBroken):
            self.read()
        self.close()

    def close(self) -> None:
        """Give the connection back, or close it if the body was not read to its end."""
        opened, self._opened = self._opened, None
        if opened:
            with suppress(*_ERRORS):
                opened.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _fields(headers: HeaderMap) -> dict[str, str]:
    fields: dict[str, str] = {}
    try:
        for name, value in headers.items():
            fields[name] = f"{fields[name]}, {value}" if name in fields else value
    except ValueError:
        return _readable_fields(headers)
    return fields


def _readable_fields(headers: HeaderMap) -> dict[str, str]:
    """Return the fields without those that are not ASCII, whose values the library does not show.

    No field that mkindex reads needs other characters. Of a Location it matters that there is one.
    """
    fields: dict[str, str] = {}
    for name in headers:
        try:
            fields[name] = ", ".join(headers.getall(name))
        except ValueError:
            if name == "location":
                fields[name] = UNREADABLE
    return fields


def _call(function: Callable[[], T]) -> T:
    """Call a function that waits for the network. Ctrl-C, which only the main thread sees, can interrupt it."""
    if threading.current_thread() is not threading.main_thread():
        return function()
    executor = ThreadPoolExecutor(1)
    try:
        return executor.submit(function).result()
    finally:
        executor.shutdown(wait=False)


def _describe_certificate_error(why: str) -> str:
    if why.endswith("Expired"):
        return "certificate expired: check the clock of this machine, or ask the operator of the server to renew it"
    if "not valid for name" in why:
        return "certificate of another host: check the address"
    return f"certificate not trusted ({why}): set SSL_CERT_FILE to the certificate of its authority"


def _read_authorities() -> bytes:
    """Return the certificates of the authorities that the user chose, b"" for those of the system."""
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        path = os.environ.get(name)
        if path and os.path.isfile(path):
            with open(path, "rb") as file:
                return file.read()
        if path and name == "SSL_CERT_FILE":
            raise ConfigError(f"SSL_CERT_FILE: file {printable(path)} does not exist")
    return b""


def _causes(error: Exception) -> list[str]:
    """Return the texts of an error, from the outermost to the innermost; the first one has the address in it."""
    details = getattr(error, "details", None) or {}
    return [cause["message"] for cause in details.get("causes") or ()]


def _reason(causes: list[str]) -> str:
    """Return the innermost text, which is that of the operating system or of the TLS library."""
    why = causes[-1] if causes else "connection closed"
    return printable(_OS_ERROR.sub("", why) if "/" not in why else "invalid response")
