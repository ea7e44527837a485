"""`mkindex serve` under attack: damaged requests, connections that are left open, and beside them a client."""

from __future__ import annotations

import os
import re
import socket
import struct
import threading
from collections import deque
from contextlib import ExitStack, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

from lab.fuzzing import mutate
from lab.part import Part, Result
from mkindex.serve.server import Server
from support.builds import publish, scratch_directory
from support.wheels import write_wheel

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from lab.part import Attempts

PATHS = [
    "/", "/simple/", "/simple/demo/", "/simple/demo", "/files/", "/404.html", "/.mkindex/manifest", "/../secret",
    "/link", "/%2e%2e/secret", "/way-out/secret", "/simple/demo/?a=b", "//host.example/simple", "http://host.example/simple",
    "/simple/Demo/", "/simple/%64emo",
]  # fmt: skip
HEADERS = [
    "Accept: application/vnd.pypi.simple.v1+json", "Range: bytes=0-9", "Range: bytes=-5", "If-None-Match: *",
    "Content-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: x", "Transfer-Encoding: chunked", "Connection: close",
    "Expect: 100-continue", "Content-Length: 0", "Host: x", " folded", "A : b",
]  # fmt: skip
_STATUS = re.compile(rb"HTTP/1\.[01] [1-5][0-9][0-9] [ -~]*")
_FIELD = re.compile(rb"[A-Za-z-]+: [\t\x20-\x7e\x80-\xff]*")
LEFT_OPEN = 100
TIMEOUT = 30  # seconds; only for something that would never end


def requests() -> list[bytes]:
    lines = [f"{method} {path} HTTP/1.1\r\n" for path in PATHS for method in ("GET", "HEAD")]
    return [f"{line}Host: x\r\n{header}\r\n\r\n".encode() for line, header in zip(lines * 2, HEADERS * 9, strict=False)]


def serve(root: Path) -> Iterator[Server]:
    with Server(str(root), ("127.0.0.1", 0), lambda *_: None) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def attack(port: int, data: bytes, chance: random.Random, left: deque[socket.socket]) -> str:
    """Send some bytes; return what is wrong with the answer."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
    with suppress(ConnectionError):
        connection.sendall(data)
        match chance.randrange(8):
            case 0:  # leave it open
                left.append(connection)
                if len(left) > LEFT_OPEN:
                    left.popleft().close()
                return ""
            case 1:  # reset it
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()
                return ""
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        with suppress(ConnectionError):
            while part := connection.recv(1 << 16):
                answer += part
        connection.close()
        return fault(answer)
    connection.close()
    return ""


def close(connections: deque[socket.socket]) -> None:
    for one in connections:
        one.close()


def fault(answer: bytes) -> str:
    """Return what is wrong with an answer."""
    if b"secret" in answer or b"mkindex manifest" in answer:
        return "it sends what it must not"
    if not answer:
        return ""
    status, *fields = answer.partition(b"\r\n\r\n")[0].split(b"\r\n")
    if not _STATUS.fullmatch(status):
        return f"no status: {status!r}"
    return next((f"no header: {field!r}" for field in fields if not _FIELD.fullmatch(field)), "")


def attempts(chance: random.Random) -> Attempts:
    """Send damaged requests, and after every few of them one that must be answered."""
    with scratch_directory() as path, ExitStack() as stack:
        here = Path(path)
        (here / "wheels").mkdir()
        write_wheel(here / "wheels", "demo", "1.0", files={"demo/data": os.urandom(300_000)})
        public = here / "public"
        publish(here / "wheels", public)
        (here / "secret").write_text("secret")
        (public / "link").symlink_to("../secret")
        (public / "way-out").symlink_to("..")
        pages = {f"/simple/{name}": (public / "simple" / name / "index.html").read_bytes() for name in ("", "demo/")}
        left: deque[socket.socket] = deque()
        stack.callback(lambda: close(left))
        known = requests()
        for server in serve(public):
            while True:
                data = [mutate(chance.choice(known), chance, known) for _ in range(20)]
                wrong = [why for one in data if (why := attack(server.server_port, one, chance, left))]
                for page, content in pages.items():
                    wrong += [f"{page}: {why}"] if (why := why_not_served(server.server_port, page, content)) else []
                yield Result(len(data), tuple(wrong))


def why_not_served(port: int, path: str, content: bytes) -> str:
    """Request a page as a client does; return what is wrong."""
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return "" if (response.status, response.read()) == (200, content) else f"status {response.status}"
    except (OSError, HTTPException) as error:
        return repr(error)
    finally:
        connection.close()


PART = Part(name="serve", what="damaged requests to `mkindex serve`", attempts=attempts, short=30)
