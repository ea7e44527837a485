"""Servers that send bytes as given, right or wrong, over a plain socket."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    Script = Callable[[], Iterator[bytes]]

_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
_PAUSE = 0.02  # seconds between parts that are sent slowly
_requests: dict[int, threading.Event] = {}  # by port, set when there was a request


def _slowly(start: bytes, part: bytes) -> Script:
    """Send `start`, and then the part again and again, with pauses."""

    def script() -> Iterator[bytes]:
        yield start
        while True:
            time.sleep(_PAUSE)
            yield part

    return script


def _quickly(start: bytes, part: bytes) -> Script:
    """Send `start`, and then 64 MB of the part without a pause: more than any client should read."""

    def script() -> Iterator[bytes]:
        yield start
        for _ in range((64 << 20) // len(part)):
            yield part

    return script


def _once(data: bytes) -> Script:
    return lambda: iter([data])


def _silence(start: bytes) -> Script:
    def script() -> Iterator[bytes]:
        yield start
        time.sleep(60)

    return script


# Responses whose head never ends, or is not valid.
HEADS: dict[str, Script] = {
    "silence": _silence(b""),
    "a status line a byte at a time": _slowly(b"HTTP/1.1 200 ", b"O"),
    "a header a byte at a time": _slowly(_OK + b"a: ", b"b"),
    "headers a line at a time": _slowly(_OK, b"a: b\r\n"),
    "endless interim responses": _slowly(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "endless 100 Continue": _slowly(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a flood of interim responses": _quickly(b"", b"HTTP/1.1 103 Early Hints\r\na: b\r\n\r\n" * 500),
    "an interim response whose header is endless": _quickly(b"HTTP/1.1 103 Early Hints\r\na: ", b"b" * 60_000),
    "an endless status line": _quickly(b"HTTP/1.1 200 ", b"O" * 60_000),
    "an endless header": _quickly(_OK + b"a: ", b"b" * 60_000),
    "an endless name of a header": _quickly(_OK, b"a" * 60_000),
    "endless headers": _quickly(_OK, b"a: b\r\n" * 10_000),
    "an endless folded header": _quickly(_OK + b"a: b", b"\r\n c" * 10_000),
    "endless empty lines": _quickly(b"", b"\r\n" * 30_000),
    "nothing": _once(b""),
    "half a head": _once(_OK + b"a: b\r\n"),
    "another protocol": _once(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "HTTP/0.9": _once(b"<!DOCTYPE html><html>"),
    "a future version": _once(b"HTTP/7.0 200 OK\r\n\r\n"),
    "HTTP/2 without a request for it": _once(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "a status of letters": _once(b"HTTP/1.1 abc OK\r\n\r\n"),
    "a status of two digits": _once(b"HTTP/1.1 20 OK\r\n\r\n"),
    "a TLS alert": _once(b"\x15\x03\x01\x00\x02\x02\x50"),
    "a negative length": _once(_OK + b"Content-Length: -1\r\n\r\n"),
    "a length of letters": _once(_OK + b"Content-Length: 0x10\r\n\r\n"),
    "two lengths": _once(_OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
    "a length beyond 64 bits": _once(_OK + b"Content-Length: 99999999999999999999999\r\n\r\nab"),
}

# Responses whose body never ends, or is not valid.
BODIES: dict[str, Script] = {
    "silence in the body": _silence(_OK + b"Content-Length: 10\r\n\r\na"),
    "silence in a chunk": _silence(_CHUNKED + b"a\r\nb"),
    "silence after a chunk": _silence(_CHUNKED + b"1\r\nb\r\n"),
    "silence after the last chunk": _silence(_CHUNKED + b"1\r\nb\r\n0\r\n"),
    "a short body": _once(_OK + b"Content-Length: 10\r\n\r\nabc"),
    "a short chunk": _once(_CHUNKED + b"a\r\nabc"),
    "no last chunk": _once(_CHUNKED + b"3\r\nabc\r\n"),
    "half a last chunk": _once(_CHUNKED + b"3\r\nabc\r\n0\r\n"),
    "a chunk without a size": _once(_CHUNKED + b"\r\nabc\r\n0\r\n\r\n"),
    "a size of letters": _once(_CHUNKED + b"zz\r\nabc\r\n0\r\n\r\n"),
    "a negative size": _once(_CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n"),
    "a size beyond 64 bits": _once(_CHUNKED + b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
    "a chunk longer than its size": _once(_CHUNKED + b"2\r\nabc\r\n0\r\n\r\n"),
    "a size a digit at a time": _slowly(_CHUNKED, b"0"),
    "endless zeros in a size": _quickly(_CHUNKED, b"0" * 60_000),
    "an endless chunk extension": _quickly(_CHUNKED + b"1;", b"a" * 60_000),
    "a slow chunk extension": _slowly(_CHUNKED + b"1;", b"a"),
    "endless trailers": _quickly(_CHUNKED + b"0\r\n", b"a: b\r\n" * 10_000),
    "an endless trailer": _quickly(_CHUNKED + b"0\r\na: ", b"b" * 60_000),
    "trailers a line at a time": _slowly(_CHUNKED + b"0\r\n", b"a: b\r\n"),
    "a trailer a byte at a time": _slowly(_CHUNKED + b"0\r\na: ", b"b"),
}

# Responses whose body arrives, but hardly.
SLOW: dict[str, Script] = {
    "a trickle": _slowly(_OK + b"Content-Length: 100000000\r\n\r\n", b"a"),
    "a chunk of one byte at a time": _slowly(_CHUNKED, b"1\r\na\r\n"),
    "empty lines of a page": _slowly(_OK + b"\r\n", b"\n"),
}

# Responses with the body "content".
VALID: dict[str, bytes] = {
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\ncontent",
    "a closed connection": _OK + b"Connection: Close\r\n\r\ncontent",
    "no reason": b"HTTP/1.1 200\r\nContent-Length: 7\r\n\r\ncontent",
    "no length": _OK + b"\r\ncontent",
    "interim responses": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    + _OK
    + b"Content-Length: 7\r\n\r\ncontent",
    "chunks": _CHUNKED + b"3\r\ncon\r\n4\r\ntent\r\n0\r\n\r\n",
    "chunks with extensions": _CHUNKED + b'3;a=b\r\ncon\r\n4;c="d"\r\ntent\r\n0\r\n\r\n',
    "trailers": _CHUNKED + b"7\r\ncontent\r\n0\r\nDigest: x\r\nExpires: y\r\n\r\n",
    "a size in capital letters with zeros": _CHUNKED + b"0007\r\ncontent\r\n0\r\n\r\n",
    "line feeds only": b"HTTP/1.1 200 OK\nContent-Length: 7\n\ncontent",
    "the same length twice": _OK + b"Content-Length: 7\r\nContent-Length: 7\r\n\r\ncontent",
    "more than its length": _OK + b"Content-Length: 7\r\n\r\ncontent and more",
    "an invalid header": _OK + b"no colon\r\na b: c\r\nContent-Length: 7\r\n\r\ncontent",
    "an unknown protocol to upgrade to": _OK + b"Upgrade: h7\r\nContent-Length: 7\r\n\r\ncontent",
}


@contextmanager
def serve_forever(script: Script, *, is_reset: bool = False) -> Iterator[str]:
    """Answer each request with the parts that a script yields, until the client closes the connection.

    `is_reset`: afterwards, reset the connection instead of ending it.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        _requests[port] = threading.Event()
        stopped = threading.Event()

        def answer(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                connection.settimeout(20)
                connection.recv(1 << 16)
                _requests[port].set()
                for part in script():
                    if stopped.is_set():
                        return
                    connection.sendall(part)
                if is_reset:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1 << 16):
                    pass

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{port}/"
        finally:
            stopped.set()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


def serve_bytes(data: bytes) -> AbstractContextManager[str]:
    """Answer each request with the same bytes, and close the connection."""
    return serve_forever(_once(data))


def serve_bytes_and_reset(data: bytes) -> AbstractContextManager[str]:
    """Answer each request with the same bytes, and reset the connection."""
    return serve_forever(_once(data), is_reset=True)


def wait_for_request(url: str) -> None:
    """Wait until a server has received a request."""
    assert _requests[urlsplit(url).port or 0].wait(30)
