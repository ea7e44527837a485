"""The HTTP client: pages, retries, redirects, certificates, proxies and connections."""

from __future__ import annotations

import gc
import gzip
import threading
import time
import tracemalloc
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mkindex import __version__
from mkindex.cache import Cache
from mkindex.errors import ConfigError
from mkindex.web import client as web
from mkindex.web.responses import FileHead, PageResponse, RequestFailed
from support import raw_server, scripted_server
from support.scripted_server import (
    Reply,
    Request,
    ScriptedServer,
    conditional,
    cut_after,
    endless_body,
    page_reply,
    redirect_reply,
    reply_sequence,
    status_reply,
)
from support.web_requests import ADVICE, failure, failure_text, make_client, stream_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mkindex.web.client import WebClient

# urllib3 and requests leave some sockets to the garbage collector when they raise.
left_open = pytest.mark.filterwarnings("ignore:.*socket:pytest.PytestUnraisableExceptionWarning")
TORN = '<!DOCTYPE html><html><a href="a-1.0-py3-none-any.whl">'


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[float]:
    """Skip pauses; return the list that their seconds are appended to."""
    return scripted_server.isolate_client(monkeypatch, tmp_path)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server.run_server() as server:
        yield server


@pytest.fixture
def client() -> WebClient:
    return make_client(trusted=["127.0.0.1"])


def within(call: Callable[[], object], seconds: float = 10) -> object:
    """What a call returns, or why it failed; None if it takes longer."""
    found: list[object] = []

    def run() -> None:
        try:
            found.append(call())
        except RequestFailed as error:
            found.append(error.why)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return found[0] if found else None


# --- pages ------------------------------------------------------------------------------------------------------------


def test_a_page_has_an_address_a_media_type_and_a_text(server: ScriptedServer, client: WebClient) -> None:
    server.routes["/p"] = page_reply("<p>ä</p>", "Text/HTML; charset=utf-8")
    assert client.get_page(f"{server.url}p") == PageResponse(f"{server.url}p", "text/html", "<p>ä</p>")
    (request,) = server.received
    assert {name: request.headers[name] for name in ("user-agent", "accept", "accept-encoding")} == {
        "user-agent": f"mkindex/{__version__}",
        "accept": "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, "
        "text/html; q=0.01, */*; q=0.001",
        "accept-encoding": "gzip",
    }


@pytest.mark.parametrize(
    ("body", "media_type", "text"),
    [
        (b"\xe4", "text/html; charset=latin-1", "ä"),
        (b"\xef\xbb\xbf<p>", "text/html", "<p>"),
        (b"\xe4", "text/html", "\ufffd"),
        (b"x", "text/html; charset=no-such-thing", "x"),
        (b"a-zz", "text/html; charset=punycode", "a-zz"),
        (b"+ADw-", "text/html; charset=utf-7", "+ADw-"),
        (b"\x80", "text/html; charset=ascii", "\u20ac"),
        (b"\xa4", "text/html; charset=ISO-8859-15", "\u20ac"),
        ("\u4e2d".encode("gb18030"), "text/html; charset=GB18030", "\u4e2d"),
        (b"x", "text/html; charset=", "x"),
        (b"x", "text/html; charset=\x1b", "x"),
        (b"x", "text/html; charset=idna", "x"),
        (b"x", "text/html; charset=undefined", "x"),
        (b"x", "text/html; charset=rot13", "x"),
        (b"x", "text/html; charset=hex", "x"),
    ],
)
def test_a_page_is_decoded_with_its_charset_or_else_as_utf_8(
    server: ScriptedServer, client: WebClient, body: bytes, media_type: str, text: str
) -> None:
    server.routes["/p"] = page_reply(body, media_type)
    assert client.get_page(f"{server.url}p").text == text


@pytest.mark.parametrize("name", ["gzip", "deflate"])
def test_a_compressed_page_is_decompressed(server: ScriptedServer, client: WebClient, name: str) -> None:
    body = gzip.compress(b"page", mtime=0) if name == "gzip" else zlib.compress(b"page")
    server.routes["/p"] = page_reply(body, content_encoding=name)
    assert client.get_page(f"{server.url}p").text == "page"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"no gzip at all", "not compressed as its Content-Encoding says, or damaged"),
        (
            gzip.compress(b"page" * 100, mtime=0)[:-12],
            "incomplete response (compressed data is cut off). Try again later",
        ),
        (b"", "incomplete response (compressed data is cut off). Try again later"),
    ],
)
def test_a_page_that_cannot_be_fully_decompressed_is_an_error(
    server: ScriptedServer, client: WebClient, body: bytes, why: str
) -> None:
    server.routes["/p"] = page_reply(body, content_encoding="gzip")
    assert failure_text(lambda: client.get_page(f"{server.url}p"), server) == f"HOST/p: {why}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layers", "why"),
    [
        (1, "a page of more than 1 MiB, the limit of mkindex"),
        (2, "unsupported Content-Encoding: gzip, gzip"),
    ],
)
@pytest.mark.parametrize("code", [200, 404])
def test_a_compression_bomb_is_not_expanded(
    *, server: ScriptedServer, client: WebClient, layers: int, why: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "MAX_PAGE", 1 << 20)
    bomb = bytes(48 << 20)
    for _ in range(layers):
        bomb = gzip.compress(bomb, 6)
    assert len(bomb) < 1 << 16
    server.routes["/p"] = replace(page_reply(bomb, content_encoding=", ".join(["gzip"] * layers)), status=code)
    tracemalloc.start()
    reason = failure(lambda: client.get_page(f"{server.url}p")).why
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert reason == (why if code == 200 else ADVICE[404])
    assert most < 20 << 20


def test_an_endless_page_is_given_up(
    server: ScriptedServer, client: WebClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "MAX_PAGE", 1 << 20)
    server.routes["/p"] = Reply(endless_body())
    assert failure_text(lambda: client.get_page(f"{server.url}p"), server) == (
        "HOST/p: a page of more than 1 MiB, the limit of mkindex"
    )
    assert server.sent() < 16 << 20


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", raw_server.SLOW)
def test_a_body_that_hardly_arrives_is_given_up(kind: str) -> None:
    """Nothing else ends these: each part comes within the timeout."""
    client = make_client(timeout=0.3)
    with raw_server.serve_forever(raw_server.SLOW[kind]) as url:
        for call in lambda: client.get_page(url), lambda: client.get_small(url, most=1000):
            assert failure(call).why.partition(":")[0] == "too slow"


@pytest.mark.timeout(60)
def test_closing_the_client_stops_a_slow_transfer_at_once(server: ScriptedServer, client: WebClient) -> None:
    server.routes["/f"] = Reply(endless_body(b"x", 0.01), length=1_000_000)
    reasons: list[str] = []
    asking = threading.Thread(
        target=lambda: reasons.append(failure(lambda: stream_bytes(client, f"{server.url}f")).why)
    )
    asking.daemon = True
    asking.start()
    server.wait_until_sent(10, "/f")
    client.close()
    asking.join(10)
    assert reasons == ["stopped"]
    assert failure(lambda: client.get_page(f"{server.url}p")).why == "stopped"


def test_a_page_shorter_than_its_content_length_is_an_error(server: ScriptedServer, client: WebClient) -> None:
    server.routes["/p"] = Reply(TORN.encode(), length=1000)
    assert failure_text(lambda: client.get_page(f"{server.url}p"), server).startswith("HOST/p: incomplete response (")


def test_a_page_whose_transfer_breaks_is_requested_again(server: ScriptedServer, client: WebClient) -> None:
    whole = page_reply("<p>" + "x" * 50_000)
    server.routes["/p"] = reply_sequence(cut_after(lambda _: whole, 20_000), whole)
    assert client.get_page(f"{server.url}p").text == "<p>" + "x" * 50_000
    assert server.requests() == ["GET 200 /p", "GET 200 /p"]


@pytest.mark.parametrize(("code", "why"), ADVICE.items())
def test_an_error_status_has_advice_and_is_not_requested_again(
    server: ScriptedServer, client: WebClient, code: int, why: str
) -> None:
    server.routes["/p"] = status_reply(code)
    error = failure(lambda: client.get_page(f"{server.url}p"))
    assert (error.status, error.why, str(error)) == (code, why, f"{server.url}p: {why}")
    assert server.requests() == [f"GET {code} /p"]


TORN_ERRORS = {
    "torn": replace(status_reply(404), length=10),
    "no gzip": status_reply(404, content_encoding="gzip"),
    "endless": Reply(endless_body(), 404),
    "no length": replace(status_reply(404), says_length=False),
}


@pytest.mark.parametrize("reply", TORN_ERRORS.values(), ids=TORN_ERRORS)
def test_the_body_of_an_error_status_does_not_change_the_error(
    server: ScriptedServer, client: WebClient, reply: Reply
) -> None:
    server.routes["/x"] = reply
    url = f"{server.url}x"
    for call in (
        lambda: client.get_page(url),
        lambda: client.head(url),
        lambda: client.get_range(url, 0, 1),
        lambda: stream_bytes(client, url, head=FileHead(url, "", 10, "")),
    ):
        assert failure(call).why == ADVICE[404]


@pytest.mark.parametrize("length", ["9" * 5000, "-1", "1, 2"])
def test_a_response_with_an_invalid_length_is_an_error(server: ScriptedServer, client: WebClient, length: str) -> None:
    """RFC 9112, section 6.3: a recipient cannot know where such a message ends."""
    server.routes["/x"] = status_reply(404, content_length=length)
    assert failure_text(lambda: client.get_page(f"{server.url}x"), server) == (
        "HOST/x: invalid HTTP response (invalid content-length parsed). Ask the operator of the server"
    )
    assert len(server.requests()) == 1


def trickle(code: int, length: int | None, **headers: str) -> Reply:
    return Reply(endless_body(b"x", 0.02), code, length=length).with_headers(**headers)


@pytest.mark.parametrize("length", [10_000, 10_000_000, None])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_slow_bodies_of_errors_and_redirects_are_not_waited_for(
    server: ScriptedServer, client: WebClient, length: int | None
) -> None:
    server.routes |= {
        "/404": trickle(404, length),
        "/302": trickle(302, length, location="/p"),
        "/503": reply_sequence(trickle(503, length), page_reply("fine")),
        "/p": page_reply("fine"),
    }
    answers = [within(lambda path=path: client.get_page(f"{server.url}{path}"), 2) for path in ("404", "302", "503")]  # type: ignore[misc]
    assert [answer.text if isinstance(answer, PageResponse) else answer for answer in answers] == [
        ADVICE[404],
        "fine",
        "fine",
    ]


def test_a_compression_bomb_in_a_redirect_is_not_expanded(server: ScriptedServer, client: WebClient) -> None:
    bomb = gzip.compress(bytes(48 << 20))
    server.routes |= {
        "/r": replace(page_reply(bomb, content_encoding="gzip", location="/p"), status=302),
        "/p": page_reply("fine"),
    }
    tracemalloc.start()
    assert client.get_page(f"{server.url}r").text == "fine"
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20 << 20


# --- retries -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_a_request_is_repeated_after_a_server_error(server: ScriptedServer, client: WebClient, code: int) -> None:
    server.routes["/p"] = reply_sequence(status_reply(code), status_reply(code), page_reply("fine"))
    assert client.get_page(f"{server.url}p").text == "fine"
    assert server.requests() == [f"GET {code} /p", f"GET {code} /p", "GET 200 /p"]


@pytest.mark.parametrize("code", [429, 503])
def test_a_request_is_sent_at_most_five_times_with_growing_pauses(
    server: ScriptedServer, client: WebClient, code: int, pauses: list[float]
) -> None:
    server.routes["/p"] = status_reply(code)
    error = failure(lambda: client.get_page(f"{server.url}p"))
    assert error.status == code
    assert server.requests() == [f"GET {code} /p"] * 5
    # Each pause is twice as long as the one before, plus a random jitter; there is none before the second attempt.
    assert [round(pause, 1) for pause in pauses if pause] == [
        pytest.approx(expected, abs=0.3) for expected in (1, 2, 4)
    ]


@pytest.mark.parametrize(("retry_after", "pause"), [("7", 7), ("0", 0), ("86400", 60), ("9" * 30, 60)])
def test_retry_after_is_respected_up_to_a_minute(
    server: ScriptedServer, client: WebClient, retry_after: str, pause: float, pauses: list[float]
) -> None:
    server.routes["/p"] = reply_sequence(status_reply(429, retry_after=retry_after), page_reply("fine"))
    assert client.get_page(f"{server.url}p").text == "fine"
    assert [one for one in pauses if one] == [pause] * bool(pause)


@pytest.mark.parametrize("retry_after", ["soon", "Mon, 01 Jan 99999 00:00:00 GMT", "-1", "\x1b[31m"])
def test_an_invalid_retry_after_is_ignored(server: ScriptedServer, client: WebClient, retry_after: str) -> None:
    server.routes["/p"] = reply_sequence(status_reply(429, retry_after=retry_after), page_reply("fine"))
    assert client.get_page(f"{server.url}p").text == "fine"


def test_a_request_is_repeated_after_a_closed_connection(server: ScriptedServer, client: WebClient) -> None:
    calls: list[Request] = []

    def route(request: Request) -> Reply:
        calls.append(request)
        if len(calls) < 3:
            raise ConnectionAbortedError
        return page_reply("fine")

    server.routes["/p"] = route
    assert client.get_page(f"{server.url}p").text == "fine"
    assert len(calls) == 3


def test_an_unreachable_server_is_an_error(client: WebClient) -> None:
    with scripted_server.run_server() as gone:
        url = gone.url
    assert str(failure(lambda: client.get_page(f"{url}p?secret"))) == f"{url}p: cannot be reached: Connection refused"


# --- redirects --------------------------------------------------------------------------------------------------------


def test_five_redirects_are_followed_and_no_more(server: ScriptedServer, client: WebClient) -> None:
    for number in range(6):
        server.routes[f"/{number}"] = redirect_reply(f"/{number + 1}", (301, 302, 303, 307, 308, 301)[number])
    server.routes["/6"] = page_reply("far")
    assert client.get_page(f"{server.url}1") == PageResponse(f"{server.url}6", "text/html", "far")
    server.forget()
    assert failure_text(lambda: client.get_page(f"{server.url}0"), server) == "HOST/0: redirects more than 5 times"
    assert len(server.requests()) == 6


def test_a_redirect_loop_ends(server: ScriptedServer, client: WebClient) -> None:
    server.routes["/f"] = redirect_reply("/f")
    assert failure_text(lambda: client.head(f"{server.url}f"), server) == "HOST/f: redirects more than 5 times"
    assert server.requests() == ["HEAD 302 /f"] * 6


@pytest.mark.parametrize(
    ("to", "why"),
    [
        ("file:///etc/passwd", "redirects to an address that is not http or https"),
        ("javascript:alert(1)", "redirects to an address that is not http or https"),
        ("ftp://127.0.0.1/x", "redirects to an address that is not http or https"),
        ("mailto:", "redirects to an address that is not http or https"),
        (
            "/\u00e4",
            "redirects to an address that is not ASCII, which HTTP does not allow. Ask the operator of the server",
        ),
    ],
)
def test_a_redirect_to_another_scheme_is_an_error(server: ScriptedServer, client: WebClient, to: str, why: str) -> None:
    server.routes["/f"] = redirect_reply(to)
    assert failure(lambda: client.head(f"{server.url}f")).why == why


@pytest.mark.slow
@left_open
@pytest.mark.parametrize(
    "to",
    [
        "http://[::1",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:x/",
        "http://\xff/",
        f"http://{'a' * 300}/",
        "//",
        "http:",
        "http://\x1b[31m/",
        "http://a b/",
        "http://.a/",
        "http://*/",
    ],
)
def test_a_redirect_to_an_invalid_address_is_an_error_without_credentials(
    server: ScriptedServer, client: WebClient, to: str
) -> None:
    server.routes["/f"] = redirect_reply(to)
    address = client.take_credentials(server.url.replace("//", "//user:hunter2@"))
    for ask in client.head, client.get_page:
        assert "hunter2" not in str(failure(lambda ask=ask: ask(f"{address}f")))  # type: ignore[misc]
        gc.collect()


def test_a_redirect_from_https_to_http_is_not_followed(
    server: ScriptedServer, client: WebClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, certificate = scripted_server.make_certificates(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    server.routes["/p"] = page_reply("fine")
    with scripted_server.run_server(certificate=certificate) as secure:
        secure.routes["/p"] = redirect_reply(f"{server.url}p")
        secure.routes["/P"] = redirect_reply(f"{server.url}p".replace("http", "HTTP"))
        server.routes["/up"] = redirect_reply(f"{secure.url}fine")
        secure.routes["/fine"] = page_reply("secure")
        assert client.get_page(f"{server.url}up") == PageResponse(f"{secure.url}fine", "text/html", "secure")
        server.forget()
        for path in "p", "P":
            assert failure(lambda path=path: client.get_page(f"{secure.url}{path}")).why == (  # type: ignore[misc]
                "redirects from https to http, which is not encrypted"
            )
    assert server.requests() == []


# --- certificates, proxies, cookies -----------------------------------------------------------------------------------


@left_open
def test_only_a_certificate_of_the_authority_in_ssl_cert_file_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    authority, certificate = scripted_server.make_certificates(tmp_path)
    with scripted_server.run_server(certificate=certificate) as secure:
        secure.routes["/p"] = page_reply("secret")
        error = failure(lambda: make_client().get_page(f"{secure.url}p"))
        assert error.why.startswith("certificate not trusted (")
        assert error.why.endswith("): set SSL_CERT_FILE to the certificate of its authority")
        assert pauses == []
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        assert make_client().get_page(f"{secure.url}p").text == "secret"
        del error
        gc.collect()


@left_open
@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_an_unreadable_ssl_cert_file_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    _, certificate = scripted_server.make_certificates(tmp_path)
    if content is not None:
        (tmp_path / "mine.pem").write_bytes(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "mine.pem"))
    with scripted_server.run_server(certificate=certificate) as secure:
        with pytest.raises((RequestFailed, ConfigError), match="SSL_CERT_FILE"):
            make_client().get_page(f"{secure.url}p")
        gc.collect()


def test_the_proxy_of_the_environment_is_used(
    server: ScriptedServer, client: WebClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url.replace("//", "//me:hunter2@"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server.routes["http://wheels.test/p"] = page_reply("by proxy")
    server.routes["/p"] = page_reply("direct")
    assert client.get_page("http://wheels.test/p").text == "by proxy"
    assert client.get_page(f"{server.url}p").text == "direct"
    server.routes["http://wheels.test/p"] = status_reply(407)
    assert str(failure(lambda: client.get_page("http://wheels.test/p"))) == f"http://wheels.test/p: {ADVICE[407]}"


def test_an_error_about_an_unreachable_proxy_does_not_show_its_password(
    client: WebClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scripted_server.run_server() as gone:
        monkeypatch.setenv("http_proxy", gone.url.replace("//", "//me:hunter2@"))
    assert str(failure(lambda: client.get_page("http://wheels.test/p"))) == (
        "http://wheels.test/p: the proxy does not respond: check HTTPS_PROXY and NO_PROXY"
    )


def test_cookies_are_not_kept(server: ScriptedServer, client: WebClient) -> None:
    server.routes["/p"] = page_reply("page", set_cookie="a=b; Path=/")
    server.routes["/r"] = redirect_reply(f"{server.other_host_url}p").with_headers(set_cookie="c=d; Path=/")
    for path in "p", "r", "p":
        client.get_page(f"{server.url}{path}")
    assert [request.headers.get("cookie") for request in server.received] == [None] * 4


# --- threads and connections ------------------------------------------------------------------------------------------


def test_connections_are_reused(server: ScriptedServer, client: WebClient) -> None:
    server.routes["/p"] = page_reply("page")
    ports: set[object] = set()
    accept = server._server.get_request

    def counted() -> tuple[object, object]:
        connection, address = accept()
        ports.add(address)
        return connection, address

    server._server.get_request = counted  # type: ignore[method-assign, assignment]
    for _ in range(20):
        client.get_page(f"{server.url}p")
    assert len(ports) == 1


def test_threads_share_the_page_cache(server: ScriptedServer, tmp_path: Path) -> None:
    for number in range(40):
        server.routes[f"/{number}"] = conditional(page_reply(str(number) * 3000, etag=f'"{number}"'))
    for _ in range(2):
        found: dict[int, str] = {}
        with Cache(tmp_path / "cache") as cache:
            client = make_client(cache)

            def ask(numbers: range, client: WebClient = client, found: dict[int, str] = found) -> None:
                for number in numbers:
                    found[number] = client.get_page(f"{server.url}{number}").text

            threads = [threading.Thread(target=ask, args=(range(start, 40, 4),)) for start in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert found == {number: str(number) * 3000 for number in range(40)}
    assert sorted(server.requests()) == sorted(f"GET {code} /{number}" for code in (200, 304) for number in range(40))


def test_these_tests_do_not_wait_between_attempts(server: ScriptedServer, client: WebClient) -> None:
    """A test of the tests: pauses between attempts are replaced."""
    started = time.monotonic()
    server.routes["/p"] = status_reply(503)
    failure(lambda: client.get_page(f"{server.url}p"))
    assert time.monotonic() - started < 20
