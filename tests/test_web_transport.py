"""The contract of transports, for any HTTP library."""

from __future__ import annotations

import gzip
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from mkindex import __version__
from mkindex.web.redirects import INVALID
from mkindex.web.reqwest_transport import ReqwestTransport
from mkindex.web.transport import CHUNK, UNREADABLE, NoResponse, Request, Response, TransferBroken, Transport
from support import raw_server, scripted_server
from support.scripted_server import Reply, ScriptedServer, endless_body, page_reply, redirect_reply, status_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TRANSPORTS: list[Callable[..., Transport]] = [ReqwestTransport]


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[float]:
    """Skip pauses; return the list that their seconds are appended to."""
    return scripted_server.isolate_client(monkeypatch, tmp_path)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server.run_server() as server:
        yield server


@pytest.fixture(params=TRANSPORTS)
def make_transport(request: pytest.FixtureRequest) -> Iterator[Callable[..., Transport]]:
    made: list[Transport] = []

    def make(*, timeout: float) -> Transport:
        made.append(request.param(timeout=timeout))
        return made[-1]

    yield make
    for transport in made:
        transport.close()


@pytest.fixture
def transport(make_transport: Callable[..., Transport]) -> Transport:
    return make_transport(timeout=30)


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


def test_closing_a_response_or_discarding_its_body_reads_little_of_it(
    server: ScriptedServer, transport: Transport
) -> None:
    server.routes["/f"] = Reply(endless_body())
    transport.send(get(f"{server.url}f")).close()
    with transport.send(get(f"{server.url}f")) as response:
        response.discard()
    assert server.sent() < 32 << 20


def test_a_connection_is_used_again_after_a_short_body_that_was_discarded(
    server: ScriptedServer, transport: Transport
) -> None:
    server.routes["/p"] = status_reply(404)
    for _ in range(5):
        with transport.send(get(f"{server.url}p")) as response:
            response.discard()
    assert server.connections == 1


@pytest.mark.parametrize("code", [304, 404, 418, 501])
def test_any_status_is_a_response(server: ScriptedServer, transport: Transport, code: int) -> None:
    server.routes["/p"] = status_reply(code)
    with transport.send(get(f"{server.url}p")) as response:
        assert response.status == code
    assert server.requests() == [f"GET {code} /p"]


def test_redirects_are_not_followed(server: ScriptedServer, transport: Transport) -> None:
    server.routes["/r"] = redirect_reply("/p")
    with transport.send(get(f"{server.url}r")) as response:
        assert (response.status, response.url, response.headers["location"]) == (302, f"{server.url}r", "/p")
    assert server.requests() == ["GET 302 /r"]


def test_a_location_that_is_not_ascii_is_known_to_be_there(transport: Transport) -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: /\xc3\xa4\r\nContent-Length: 0\r\n\r\n"
    with raw_server.serve_bytes(head) as url, transport.send(get(url)) as response:
        assert dict(response.headers) == {"location": UNREADABLE, "content-length": "0"}


def test_a_failure_is_not_repeated(server: ScriptedServer, transport: Transport) -> None:
    server.routes["/p"] = status_reply(503)
    with transport.send(get(f"{server.url}p")) as response:
        assert response.status == 503
    assert server.requests() == ["GET 503 /p"]


@pytest.mark.parametrize("url", ["http://[::1", "http://127.0.0.1:99999/", "http://a b/", "http://\x1b/"])
def test_an_invalid_address_is_not_a_response(transport: Transport, url: str) -> None:
    with pytest.raises(NoResponse) as caught:
        transport.send(get(url))
    assert (caught.value.reason, caught.value.stage, caught.value.is_unreachable) == (INVALID, "address", False)


def test_the_error_for_an_unreachable_server_does_not_show_its_address(transport: Transport) -> None:
    with scripted_server.run_server() as gone:
        url = gone.url
    with pytest.raises(NoResponse) as caught:
        transport.send(get(f"{url}p?token=hunter2"))
    assert caught.value.is_unreachable
    assert caught.value.reason == "cannot be reached: Connection refused"


def test_no_credentials_are_added(server: ScriptedServer, transport: Transport, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login netrc password hunter3\n")
    server.routes["/p"] = status_reply(401)
    transport.send(get(f"{server.url}p")).close()
    assert "authorization" not in server.received[0].headers


def test_only_the_proxy_of_the_request_is_used(
    server: ScriptedServer, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    server.routes |= {"/p": page_reply("direct"), "http://wheels.test/p": page_reply("by proxy")}
    with transport.send(get(f"{server.url}p")) as response:
        assert read_all(response) == b"direct"
    with transport.send(get("http://wheels.test/p", proxy=server.url.replace("//", "//me:hunter2@"))) as response:
        assert read_all(response) == b"by proxy"
    assert server.received[1].headers["proxy-authorization"] == "Basic bWU6aHVudGVyMg=="


@pytest.mark.parametrize("other", [b"", b"name: \xe4\r\n", "Name: \u00e4\r\n".encode()])
def test_several_fields_of_one_name_are_joined_and_those_that_are_not_ascii_are_dropped(
    transport: Transport, other: bytes
) -> None:
    head = b"HTTP/1.1 200 OK\r\nA: b\r\na: c\r\n" + other + b"folded: 1\r\n 2\r\nContent-Length: 1\r\n\r\nx"
    with raw_server.serve_bytes(head) as url, transport.send(get(url)) as response:
        assert dict(response.headers) == {"a": "b, c", "folded": "1 2", "content-length": "1"}
        assert read_all(response) == b"x"


# --- certificates -----------------------------------------------------------------------------------------------------


def test_a_certificate_of_an_own_authority_is_trusted(
    make_transport: Callable[..., Transport], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority, certificate = scripted_server.make_certificates(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with scripted_server.run_server(certificate=certificate) as server:
        server.routes["/p"] = page_reply("page")
        with make_transport(timeout=30).send(get(f"{server.url}p")) as response:
            assert read_all(response) == b"page"


CERTIFICATES: dict[str, tuple[dict[str, Any], str]] = {
    "expired": (
        {"days": -1},
        "certificate expired: check the clock of this machine, or ask the operator of the server to renew it",
    ),
    "of another address": ({"names": "IP:127.0.0.2"}, "certificate of another host: check the address"),
    "of another name": ({"names": "DNS:example.com"}, "certificate of another host: check the address"),
    "of another authority": ({}, "certificate not trusted (invalid peer certificate: "),
}


@pytest.mark.parametrize("kind", CERTIFICATES)
def test_a_wrong_certificate_is_not_a_response_and_nothing_is_sent(
    make_transport: Callable[..., Transport], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    options, reason = CERTIFICATES[kind]
    authority, certificate = scripted_server.make_certificates(tmp_path, **options)
    if kind == "of another authority":
        (tmp_path / "other").mkdir()
        authority, _ = scripted_server.make_certificates(tmp_path / "other")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with scripted_server.run_server(certificate=certificate) as server, pytest.raises(NoResponse) as caught:
        make_transport(timeout=30).send(get(f"{server.url}p?token=hunter2"))
    assert (caught.value.stage, caught.value.reason[: len(reason)]) == ("certificate", reason)
    assert ("hunter2" in caught.value.reason, server.received) == (False, [])


# --- proxies ----------------------------------------------------------------------------------------------------------


def test_a_proxy_that_requires_a_password_answers_407(server: ScriptedServer, transport: Transport) -> None:
    server.routes["http://wheels.test/p"] = lambda request: (
        page_reply("page") if "proxy-authorization" in request.headers else status_reply(407)
    )
    statuses = []
    for proxy in server.url, server.url.replace("//", "//me:hunter2@"):
        with transport.send(get("http://wheels.test/p", proxy=proxy)) as response:
            statuses.append(response.status)
    assert statuses == [407, 200]


@pytest.mark.parametrize(
    "status", [b"407 Proxy Authentication Required", b"403 Forbidden", b"502 Bad Gateway", b"200 OK"]
)
def test_a_proxy_that_opens_no_tunnel_is_not_a_response(transport: Transport, status: bytes) -> None:
    """Neither does a response of the proxy count as that of the server."""
    reply = b"HTTP/1.1 " + status + b"\r\nContent-Length: 7\r\n\r\ncontent"
    with raw_server.serve_bytes(reply) as proxy, pytest.raises(NoResponse) as caught:
        transport.send(get("https://wheels.test/p?token=hunter2", proxy=proxy.replace("//", "//me:hunter3@")))
    assert "hunter" not in caught.value.reason


# --- servers that misbehave -------------------------------------------------------------------------------------------

TIMEOUT = 0.5  # seconds


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", raw_server.HEADS)
def test_a_head_that_does_not_end_in_time_or_within_bounds_is_not_a_response(
    make_transport: Callable[..., Transport], kind: str
) -> None:
    with raw_server.serve_forever(raw_server.HEADS[kind]) as url, pytest.raises(NoResponse):
        make_transport(timeout=TIMEOUT).send(get(url))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", raw_server.BODIES)
def test_a_body_that_stops_or_is_not_valid_is_a_broken_transfer(
    make_transport: Callable[..., Transport], kind: str
) -> None:
    with (
        raw_server.serve_forever(raw_server.BODIES[kind]) as url,
        make_transport(timeout=TIMEOUT).send(get(url)) as response,
        pytest.raises(TransferBroken),
    ):
        read_all(response)


NOT_PERSISTENT = ("HTTP/1.0", "a closed connection")


@pytest.mark.parametrize("replies", raw_server.VALID.items(), ids=raw_server.VALID)
def test_an_unusual_but_valid_response_is_read(transport: Transport, replies: tuple[str, bytes]) -> None:
    with raw_server.serve_bytes(replies[1]) as url, transport.send(get(url)) as response:
        assert (response.status, read_all(response)) == (200, b"content")
        assert response.is_persistent == (replies[0] not in NOT_PERSISTENT)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("how", ["closed", "reset"])
@pytest.mark.parametrize(
    "whole",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\ncontent\r\n0\r\n\r\n",
        b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\ncontent",
    ],
    ids=["chunks", "length"],
)
def test_a_connection_that_ends_at_any_byte_is_an_error_and_never_a_shorter_body(
    transport: Transport, whole: bytes, how: str
) -> None:
    serve = raw_server.serve_bytes if how == "closed" else raw_server.serve_bytes_and_reset
    for end in range(len(whole)):
        with (
            serve(whole[:end]) as url,
            pytest.raises((NoResponse, TransferBroken)),
            transport.send(get(url)) as response,
        ):
            read_all(response)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["silence", "endless interim responses"])
def test_closing_the_transport_ends_what_waits_for_a_response(
    make_transport: Callable[..., Transport], kind: str
) -> None:
    transport, errors = make_transport(timeout=50), list[Exception]()

    def ask(url: str) -> None:
        try:
            transport.send(get(url))
        except NoResponse as error:
            errors.append(error)

    with raw_server.serve_forever(raw_server.HEADS[kind]) as url:
        thread = threading.Thread(target=ask, args=(url,), daemon=True)
        thread.start()
        raw_server.wait_for_request(url)
        transport.close()
        thread.join(30)
        assert (thread.is_alive(), len(errors)) == (False, 1)


@pytest.mark.timeout(60)
def test_an_interrupt_does_not_wait_for_the_rest_of_a_body(make_transport: Callable[..., Transport]) -> None:
    transport = make_transport(timeout=1000)

    def interrupt() -> None:
        while not any(thread.name.startswith("ThreadPoolExecutor") for thread in threading.enumerate()):
            time.sleep(0.01)
        time.sleep(0.1)  # until that thread waits for the network
        os.kill(os.getpid(), signal.SIGINT)

    def read_twice(url: str) -> None:
        with transport.send(get(url)) as response:
            assert response.read() == b"a"
            threading.Thread(target=interrupt, daemon=True).start()
            response.read()

    with raw_server.serve_forever(raw_server.BODIES["silence in the body"]) as url:
        with pytest.raises(KeyboardInterrupt):
            read_twice(url)
        transport.close()
