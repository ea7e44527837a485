"""A server that speaks HTTP/2 over TLS as it is told, right or wrong."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    # Called for each request with the number of its stream, and of its connection from 0 on; yields what is sent.
    Script = Callable[[int, int], Iterator[bytes]]

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _CONTINUATION = 0, 1, 3, 4, 6, 7, 9
_END_STREAM, _ACK, _END_HEADERS = 1, 1, 4
_PAUSE = 0.02  # seconds between parts that are sent slowly
NO_ERROR, INTERNAL_ERROR, REFUSED_STREAM = 0, 2, 7


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A frame (RFC 9113, section 4.1)."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name: str, value: str) -> bytes:
    """A field that is not added to the table of HPACK (RFC 7541, section 6.2.2), of less than 127 bytes each."""
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def head(stream: int, length: int, *, status: int = 200) -> bytes:
    """The head of a response."""
    fields = literal(":status", str(status)) + (literal("content-length", str(length)) if status >= 200 else b"")
    return frame(_HEADERS, _END_HEADERS, stream, fields)


def data(stream: int, body: bytes, *, is_last: bool = False) -> bytes:
    """A part of a body."""
    return frame(_DATA, _END_STREAM if is_last else 0, stream, body)


def reset(stream: int, error: int) -> bytes:
    """The end of a stream by an error."""
    return frame(_RESET, 0, stream, struct.pack(">I", error))


def goaway(last: int, error: int = NO_ERROR) -> bytes:
    """The announcement that streams after `last` are not answered any more."""
    return frame(_GOAWAY, 0, 0, struct.pack(">II", last, error))


def reply(stream: int, body: bytes) -> bytes:
    """A whole response."""
    return head(stream, len(body)) + data(stream, body, is_last=True)


def _repeat(part: Callable[[int], bytes], *, start: Callable[[int], bytes] = lambda _: b"", pause: float = 0) -> Script:
    """Send `start`, and then a part again and again."""

    def script(stream: int, _: int) -> Iterator[bytes]:
        yield start(stream)
        for _ in range(1000 if pause else 20_000):
            yield part(stream)
            time.sleep(pause)

    return script


def _once(reply: Callable[[int], bytes]) -> Script:
    return lambda stream, _: iter([reply(stream)])


def _hang(reply: Callable[[int], bytes]) -> Script:
    """Send something, and keep the connection open."""

    def script(stream: int, _: int) -> Iterator[bytes]:
        yield reply(stream)
        time.sleep(30)

    return script


_FIELD = literal("a", "b" * 100)

# Instead of a head that is complete and valid.
HEADS: dict[str, Script] = {
    "silence": _hang(lambda _: b""),
    "the end of the connection": _once(lambda _: b""),
    "GOAWAY": _once(lambda _: goaway(0)),
    "GOAWAY with an error": _once(lambda stream: goaway(stream, INTERNAL_ERROR)),
    "a reset": _once(lambda stream: reset(stream, INTERNAL_ERROR)),
    "a refused stream": _once(lambda stream: reset(stream, REFUSED_STREAM)),
    "endless interim responses": _repeat(lambda stream: head(stream, 0, status=103), pause=_PAUSE),
    "a flood of interim responses": _repeat(lambda stream: head(stream, 0, status=103)),
    "endless continuation": _repeat(
        lambda stream: frame(_CONTINUATION, 0, stream, _FIELD * 100),
        start=lambda stream: frame(_HEADERS, 0, stream, literal(":status", "200")),
    ),
    "slow continuation": _repeat(
        lambda stream: frame(_CONTINUATION, 0, stream, literal("a", "b")),
        start=lambda stream: frame(_HEADERS, 0, stream, literal(":status", "200")),
        pause=_PAUSE,
    ),
    "no status": _hang(lambda stream: frame(_HEADERS, _END_HEADERS, stream, literal("a", "b"))),
    "a body before the head": _hang(lambda stream: data(stream, b"content")),
    "damaged HPACK": _hang(lambda stream: frame(_HEADERS, _END_HEADERS, stream, b"\xff" * 20)),
    "an index beyond the table": _hang(lambda stream: frame(_HEADERS, _END_HEADERS, stream, b"\xfe")),
    "a stream that nobody opened": _hang(lambda _: head(99, 7)),
    "a frame of 16 MB": _hang(lambda stream: b"\xff\xff\xff" + bytes([_HEADERS, 4]) + struct.pack(">I", stream)),
    "settings that are not valid": _hang(lambda _: frame(_SETTINGS, 0, 0, b"12345")),
    "a window of zero": _hang(lambda _: frame(8, 0, 0, bytes(4))),
    "text of HTTP/1.1": _hang(lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\ncontent"),
    "endless pings": _repeat(lambda _: frame(_PING, 0, 0, bytes(8)), pause=_PAUSE),
    "endless settings": _repeat(lambda _: frame(_SETTINGS, 0, 0), pause=_PAUSE),
}

# After the head and the first bytes of a body of a thousand.
BODIES: dict[str, Script] = {
    "silence": _hang(lambda stream: head(stream, 1000) + data(stream, b"abc")),
    "the end of the connection": _once(lambda stream: head(stream, 1000) + data(stream, b"abc")),
    "GOAWAY and the end": _once(lambda stream: head(stream, 1000) + data(stream, b"abc") + goaway(stream)),
    "GOAWAY with an error": _once(
        lambda stream: head(stream, 1000) + data(stream, b"abc") + goaway(stream, INTERNAL_ERROR)
    ),
    "a reset": _once(lambda stream: head(stream, 1000) + data(stream, b"abc") + reset(stream, INTERNAL_ERROR)),
    "a reset without an error": _hang(
        lambda stream: head(stream, 1000) + data(stream, b"abc") + reset(stream, NO_ERROR)
    ),
    "the end of the stream": _hang(lambda stream: head(stream, 1000) + data(stream, b"abc", is_last=True)),
    "more than its length": _hang(lambda stream: head(stream, 1) + data(stream, b"abc", is_last=True)),
    "empty frames": _repeat(lambda stream: data(stream, b""), start=lambda stream: head(stream, 1000), pause=_PAUSE),
    "a flood of empty frames": _repeat(lambda stream: data(stream, b""), start=lambda stream: head(stream, 1000)),
    "endless trailers": _repeat(
        lambda stream: frame(_CONTINUATION, 0, stream, _FIELD * 100),
        start=lambda stream: head(stream, 3) + data(stream, b"abc") + frame(_HEADERS, _END_STREAM, stream, _FIELD),
    ),
    "pings": _repeat(lambda _: frame(_PING, 0, 0, bytes(8)), start=lambda stream: head(stream, 9), pause=_PAUSE),
}


@contextmanager
def serve(script: Script, certificate: Path) -> Iterator[str]:
    """Answer each request with what a script yields; the connection ends when the script does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["h2"])
    stopped = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            number = 0
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=answer, args=(connection, number), daemon=True).start()
                    number += 1

        def answer(plain: socket.socket, number: int) -> None:
            with suppress(OSError), plain:
                plain.settimeout(20)
                with context.wrap_socket(plain, server_side=True) as connection:
                    stream = _read_request(connection)
                    for part in script(stream, number):
                        if stopped.is_set():
                            return
                        connection.sendall(part)
                    connection.unwrap()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"https://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            stopped.set()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


def _read_request(connection: ssl.SSLSocket) -> int:
    """Greet the client, and return the stream of its first request."""
    received = connection.makefile("rb")
    received.read(len(_PREFACE))
    connection.sendall(frame(_SETTINGS, 0, 0))
    while True:
        start = received.read(9)
        size, kind, flags, stream = int.from_bytes(start[:3]), start[3], start[4], int.from_bytes(start[5:])
        received.read(size)
        if kind == _SETTINGS and not flags & _ACK:
            connection.sendall(frame(_SETTINGS, _ACK, 0))
        if kind == _HEADERS:
            return stream
