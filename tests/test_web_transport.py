"""The contract of transports, for any HTTP library."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from mkindex import __version__
from mkindex.web.redirects import INSECURE, NOT_WEB, TOO_MANY
from mkindex.web.requests_transport import RequestsTransport
from mkindex.web.transport import CHUNK, NoResponse, Request, Response, TransferBroken, Transport
from support import scripted_server
from support.scripted_server import Reply, ScriptedServer, endless_body, page_reply, redirect_reply, status_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TRANSPORTS: list[Callable[..., Transport]] = [RequestsTransport]


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[float]:
    """Skip pauses; return the list that their seconds are appended to."""
    return scripted_server.isolate_client(monkeypatch, tmp_path)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server.run_server() as server:
        yield server


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> Iterator[Transport]:
    transport: Transport = request.param(connections=2, anonymous=False)
    yield transport
    transport.close()


def get(url: str, **fields: object) -> Request:
    return Request("GET", url, {"Accept-Encoding": "identity"})._replace(**fields)  # type: ignore[arg-type]


def read_all(response: Response) -> bytes:
    body = b""
    while chunk := response.read():
        assert len(chunk) <= CHUNK
        body += chunk
    return body


def test_a_response_has_status_url_lower_case_headers_and_a_body(server: ScriptedServer, transport: Transport) -> None:
    body = bytes(range(256)) * 1000
    server.routes["/f"] = Reply(body).with_headers(etag='"1"', content_type="Application/X")
    with transport.send(get(f"{server.url}f")) as response:
        assert (response.status, response.url) == (200, f"{server.url}f")
        assert (response.headers["etag"], response.headers["content-type"]) == ('"1"', "Application/X")
        assert read_all(response) == body
    (request,) = server.received
    assert (request.headers["user-agent"], request.headers["accept-encoding"]) == (f"mkindex/{__version__}", "identity")


def test_a_head_request_has_no_body(server: ScriptedServer, transport: Transport) -> None:
    server.routes["/f"] = Reply(b"content")
    with transport.send(Request("HEAD", f"{server.url}f", {})) as response:
        assert (response.status, response.headers["content-length"], read_all(response)) == (200, "7", b"")


def test_a_body_is_not_decompressed(server: ScriptedServer, transport: Transport) -> None:
    body = gzip.compress(b"page")
    server.routes["/f"] = page_reply(body, content_encoding="gzip")
    with transport.send(get(f"{server.url}f")) as response:
        assert read_all(response) == body


@pytest.mark.timeout(60)
def test_bytes_can_be_read_as_soon_as_they_arrive(server: ScriptedServer, transport: Transport) -> None:
    server.routes["/f"] = Reply(endless_body(b"x", 0.05), length=1_000_000)
    with transport.send(get(f"{server.url}f")) as response:
        assert 0 < len(response.read()) < 1000


def test_a_body_that_ends_too_early_is_a_broken_transfer(server: ScriptedServer, transport: Transport) -> None:
    server.routes["/f"] = Reply(b"x" * 10, length=100)
    with transport.send(get(f"{server.url}f")) as response, pytest.raises(TransferBroken):
        read_all(response)


def test_discarding_a_body_reads_little_of_it(server: ScriptedServer, transport: Transport) -> None:
    server.routes["/f"] = Reply(endless_body())
    with transport.send(get(f"{server.url}f")) as response:
        response.discard()
    assert server.sent() < 16 << 20


@pytest.mark.parametrize("code", [304, 404, 418, 501])
def test_any_status_is_a_response(server: ScriptedServer, transport: Transport, code: int) -> None:
    server.routes["/p"] = status_reply(code)
    with transport.send(get(f"{server.url}p")) as response:
        assert response.status == code
    assert server.requests() == [f"GET {code} /p"]


def test_redirects_are_followed_on_request_only(server: ScriptedServer, transport: Transport) -> None:
    server.routes |= {"/r": redirect_reply("/p"), "/p": page_reply("page")}
    with transport.send(get(f"{server.url}r")) as response:
        assert (response.status, response.url) == (200, f"{server.url}p")
    with transport.send(get(f"{server.url}r", follow_redirects=False)) as response:
        assert (response.status, response.url, response.headers["location"]) == (302, f"{server.url}r", "/p")


@pytest.mark.parametrize(("to", "why"), [("/r", TOO_MANY), ("file:///etc/passwd", NOT_WEB)])
def test_a_bad_redirect_is_not_a_response(server: ScriptedServer, transport: Transport, to: str, why: str) -> None:
    server.routes["/r"] = redirect_reply(to)
    with pytest.raises(NoResponse) as caught:
        transport.send(get(f"{server.url}r"))
    assert (caught.value.reason, caught.value.is_unreachable) == (why, False)


def test_a_redirect_from_https_to_http_is_not_a_response(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, certificate = scripted_server.make_certificates(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with scripted_server.run_server(certificate=certificate) as secure:
        secure.routes["/r"] = redirect_reply(f"{server.url}p")
        for make in TRANSPORTS:
            with pytest.raises(NoResponse) as caught:
                make(connections=1, anonymous=False).send(get(f"{secure.url}r"))
            assert caught.value.reason == INSECURE
    assert server.requests() == []


def test_the_error_for_an_unreachable_server_does_not_show_its_address(transport: Transport) -> None:
    with scripted_server.run_server() as gone:
        url = gone.url
    with pytest.raises(NoResponse) as caught:
        transport.send(get(f"{url}p?token=hunter2"))
    assert caught.value.is_unreachable
    assert caught.value.reason == "cannot be reached: Connection refused"


@pytest.mark.parametrize("anonymous", [False, True])
def test_credentials_are_those_of_the_request_or_of_netrc_unless_anonymous(
    server: ScriptedServer, tmp_path: Path, anonymous: bool
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login netrc password hunter3\n")
    (tmp_path / ".netrc").chmod(0o600)
    server.routes["/p"] = page_reply("page")
    for make in TRANSPORTS:
        transport = make(connections=1, anonymous=anonymous)
        for credentials in None, ("user", "hunter2"):
            transport.send(get(f"{server.url}p", credentials=credentials)).close()
        transport.close()
    sent = [request.headers.get("authorization") for request in server.received]
    expected = [None, None] if anonymous else ["Basic bmV0cmM6aHVudGVyMw==", "Basic dXNlcjpodW50ZXIy"]
    assert sent == expected * len(TRANSPORTS)
