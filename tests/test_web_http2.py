"""The contract of transports over HTTP/2."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mkindex.web.reqwest_transport import ReqwestTransport
from mkindex.web.transport import NoResponse, Request, TransferBroken
from support import http2_server, scripted_server
from support.web_requests import make_client, stream_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mkindex.web.transport import Transport

TRANSPORTS: list[Callable[..., Transport]] = [ReqwestTransport]
TIMEOUT = 0.5  # seconds


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An authority, and a certificate with key of this machine."""
    return scripted_server.make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def certificate(certificates: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A certificate with key, whose authority is trusted."""
    scripted_server.isolate_client(monkeypatch, tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates[0]))
    return certificates[1]


@pytest.fixture(params=TRANSPORTS)
def make_transport(request: pytest.FixtureRequest, certificate: Path) -> Iterator[Callable[..., Transport]]:
    del certificate
    made: list[Transport] = []

    def make(*, timeout: float = 30) -> Transport:
        made.append(request.param(timeout=timeout))
        return made[-1]

    yield make
    for transport in made:
        transport.close()


def read_all(transport: Transport, url: str) -> bytes:
    with transport.send(Request("GET", url, {})) as response:
        assert (response.status, response.is_persistent) == (200, True)
        body = b""
        while chunk := response.read():
            body += chunk
        return body


def test_a_response_over_http_2_is_read(make_transport: Callable[..., Transport], certificate: Path) -> None:
    with http2_server.serve(lambda stream, _: iter([http2_server.reply(stream, b"content")]), certificate) as url:
        assert read_all(make_transport(), url) == b"content"


def test_a_stream_that_was_begun_may_end_after_goaway(
    make_transport: Callable[..., Transport], certificate: Path
) -> None:
    def script(stream: int, _: int) -> Iterator[bytes]:
        yield http2_server.head(stream, 7) + http2_server.data(stream, b"con")
        yield http2_server.goaway(stream)
        yield http2_server.data(stream, b"tent", is_last=True)

    with http2_server.serve(script, certificate) as url:
        assert read_all(make_transport(), url) == b"content"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", http2_server.HEADS)
def test_a_head_that_does_not_end_in_time_or_within_bounds_is_not_a_response(
    make_transport: Callable[..., Transport], certificate: Path, kind: str
) -> None:
    with http2_server.serve(http2_server.HEADS[kind], certificate) as url, pytest.raises(NoResponse) as caught:
        make_transport(timeout=TIMEOUT).send(Request("GET", url, {}))
    assert url not in caught.value.reason


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", http2_server.BODIES)
def test_a_body_that_stops_or_is_not_valid_is_a_broken_transfer(
    make_transport: Callable[..., Transport], certificate: Path, kind: str
) -> None:
    with (
        http2_server.serve(http2_server.BODIES[kind], certificate) as url,
        pytest.raises(TransferBroken),
    ):
        read_all(make_transport(timeout=TIMEOUT), url)


@pytest.mark.parametrize("kind", ["GOAWAY", "a refused stream", "the end of the connection"])
def test_a_request_that_was_not_answered_is_sent_again(certificate: Path, kind: str) -> None:
    def script(stream: int, connection: int) -> Iterator[bytes]:
        if connection == 0:
            return http2_server.HEADS[kind](stream, connection)
        return iter([http2_server.reply(stream, b"content")])

    client = make_client(timeout=2)
    with http2_server.serve(script, certificate) as url:
        assert client.get_small(client.take_credentials(url), most=100) == b"content"


@pytest.mark.parametrize("kind", ["GOAWAY and the end", "a reset", "the end of the connection"])
def test_a_file_whose_transfer_breaks_is_complete_in_the_end(certificate: Path, kind: str) -> None:
    content = b"abc" + bytes(997)

    def script(stream: int, connection: int) -> Iterator[bytes]:
        if connection == 0:
            return http2_server.BODIES[kind](stream, connection)
        return iter([http2_server.reply(stream, content)])

    client = make_client(timeout=2)
    with http2_server.serve(script, certificate) as url:
        found = stream_bytes(client, client.take_credentials(url), head=None)
    assert found == content
