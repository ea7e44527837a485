"""Requests to a scripted server, and the errors that they end in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mkindex.cache import Cache
from mkindex.text import printable
from mkindex.web.client import WebClient
from mkindex.web.responses import FileHead, RequestFailed
from support.secrets import has_secret, texts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from support.scripted_server import ScriptedServer


CONTENT = bytes(range(256)) * 400  # 102,400 bytes


def make_client(
    cache: Cache | None = None, *, timeout: float = 30, trusted: Collection[str] = (), anonymous: bool = False
) -> WebClient:
    """A client for servers of this machine, as if a file of this machine named them."""
    client = WebClient(cache or Cache(None), timeout=timeout, trusted=trusted, anonymous=anonymous)
    for host in "127.0.0.1", "localhost":
        client.allow_local_host(f"http://{host}/")
    return client


def failure(call: Callable[[], object]) -> RequestFailed:
    """The error that a call raises; its text has no control characters, and no traceback of it has a secret."""
    with pytest.raises(RequestFailed) as caught:
        call()
    assert printable(str(caught.value)) == str(caught.value)
    assert not has_secret(texts_of(caught.value))
    return caught.value


def failure_text(call: Callable[[], object], server: ScriptedServer) -> str:
    return str(failure(call)).replace(server.url, "HOST/").replace(server.other_host_url, "ELSEWHERE/")


def stream_bytes(client: WebClient, url: str, *, start: int = 0, head: FileHead | None = None) -> bytes:
    return b"".join(client.stream(head or client.head(url), url, start=start))


ADVICE = {
    401: "answers 401: user name and password required. Put them into ~/.netrc",
    403: "answers 403: access denied. Check address and credentials. The server or bucket must let readers read it",
    404: "answers 404: not found. Check the address",
    407: "answers 407: user name and password required by the proxy. Put them into HTTPS_PROXY",
    410: "answers 410: request refused. Ask the operator of the server",
    418: "answers 418: request refused. Ask the operator of the server",
    501: "answers 501: server error. Try again later",
}
