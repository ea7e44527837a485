"""Servers are asked with manners, and whatever they answer is a page, bytes, or a failure that says why."""

from __future__ import annotations

import gc
import gzip
import sys
import threading
import time
import tracemalloc
import zlib
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from mkindex import __version__, web
from mkindex.cache import Cache
from mkindex.errors import ConfigError, printable
from mkindex.web import About, Answer, Failed, Web
from support import scripted_server
from support.scripted_server import (
    LONG_AGO,
    Reply,
    Request,
    ScriptedServer,
    conditional,
    cut_after,
    endless_body,
    file_route,
    page_reply,
    redirect_reply,
    reply_sequence,
    status_reply,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# What urllib3 and requests leave to the garbage collector when they raise.
left_open = pytest.mark.filterwarnings("ignore:.*socket:pytest.PytestUnraisableExceptionWarning")

CONTENT = bytes(range(256)) * 400  # 102,400 bytes
TORN = '<!DOCTYPE html><html><a href="a-1.0-py3-none-any.whl">'


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[float]:
    """The seconds that were waited for, had they been."""
    return scripted_server.isolate_client(monkeypatch, tmp_path)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server.run_server() as server:
        yield server


@pytest.fixture
def other() -> Iterator[ScriptedServer]:
    with scripted_server.run_server() as server:
        yield server


@pytest.fixture
def client() -> Web:
    return Web(Cache(None), connections=2)


def failure(call: Callable[[], object]) -> Failed:
    """What a call fails with, which no terminal is hurt by."""
    with pytest.raises(Failed) as caught:
        call()
    assert printable(str(caught.value)) == str(caught.value)
    return caught.value


def said(call: Callable[[], object], server: ScriptedServer) -> str:
    return str(failure(call)).replace(server.url, "HOST/").replace(server.other_host_url, "ELSEWHERE/")


def streamed(client: Web, url: str, *, start: int = 0, about: About | None = None) -> bytes:
    return b"".join(client.stream(about or client.about(url), url, start=start))


def within(call: Callable[[], object], seconds: float = 10) -> object:
    """What a call returns, or the reason for which it failed; None if it takes longer."""
    found: list[object] = []

    def run() -> None:
        try:
            found.append(call())
        except Failed as error:
            found.append(error.why)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return found[0] if found else None


# --- pages ----------------------------------------------------------------------------------------------------------


def test_a_page_is_its_address_its_type_and_its_text(server: ScriptedServer, client: Web) -> None:
    server.routes["/p"] = page_reply("<p>ä</p>", "Text/HTML; charset=utf-8")
    assert client.page(f"{server.url}p") == Answer(f"{server.url}p", "text/html", "<p>ä</p>")
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
        (b"x", "text/html; charset=", "x"),
        (b"x", "text/html; charset=\x1b", "x"),
        (b"x", "text/html; charset=idna", "x"),
        (b"x", "text/html; charset=undefined", "x"),
        (b"x", "text/html; charset=rot13", "x"),
        (b"x", "text/html; charset=hex", "x"),
    ],
)
def test_a_page_is_decoded_as_it_says_and_else_as_utf_8(
    server: ScriptedServer, client: Web, body: bytes, media_type: str, text: str
) -> None:
    server.routes["/p"] = page_reply(body, media_type)
    assert client.page(f"{server.url}p").text == text


@pytest.mark.parametrize("name", ["gzip", "deflate"])
def test_a_compressed_page_is_decompressed(server: ScriptedServer, client: Web, name: str) -> None:
    body = gzip.compress(b"page", mtime=0) if name == "gzip" else zlib.compress(b"page")
    server.routes["/p"] = page_reply(body, content_encoding=name)
    assert client.page(f"{server.url}p").text == "page"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"no gzip at all", "is said to be compressed, and is not, or damaged"),
        (gzip.compress(b"page" * 100, mtime=0)[:-12], "broke off (within what was compressed)"),
        (b"", "broke off (within what was compressed)"),
    ],
)
def test_a_page_that_cannot_be_decompressed_to_its_end_is_a_failure(
    server: ScriptedServer, client: Web, body: bytes, why: str
) -> None:
    server.routes["/p"] = page_reply(body, content_encoding="gzip")
    assert said(lambda: client.page(f"{server.url}p"), server) == f"HOST/p: {why}"


@pytest.mark.parametrize(
    ("layers", "why"),
    [
        (1, "a page of more than 1 MiB: more than mkindex reads"),
        (2, "is compressed in a way that was not asked for (gzip, gzip)"),
    ],
)
@pytest.mark.parametrize("code", [200, 404])
def test_a_bomb_is_left_before_it_goes_off(
    *, server: ScriptedServer, client: Web, layers: int, why: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "MAX_PAGE", 1 << 20)
    bomb = bytes(48 << 20)
    for _ in range(layers):
        bomb = gzip.compress(bomb, 6)
    assert len(bomb) < 1 << 16
    server.routes["/p"] = replace(page_reply(bomb, content_encoding=", ".join(["gzip"] * layers)), status=code)
    tracemalloc.start()
    reason = failure(lambda: client.page(f"{server.url}p")).why
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert reason == (why if code == 200 else ADVICE[404])
    assert most < 20 << 20


def test_an_endless_page_is_left(server: ScriptedServer, client: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "MAX_PAGE", 1 << 20)
    server.routes["/p"] = Reply(endless_body())
    assert said(lambda: client.page(f"{server.url}p"), server) == (
        "HOST/p: a page of more than 1 MiB: more than mkindex reads"
    )
    assert server.sent() < 16 << 20


@pytest.mark.timeout(60)
@pytest.mark.parametrize("length", [None, 1_000_000], ids=["chunked", "with a length"])
def test_a_page_that_comes_too_slowly_is_left(
    server: ScriptedServer, client: Web, length: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "_PATIENCE", 0.2)
    monkeypatch.setattr(web, "_SLOWEST", 100_000)
    server.routes["/p"] = Reply(endless_body(b"x", 0.01), length=length)
    assert str(within(lambda: client.page(f"{server.url}p"))).partition(":")[0] == "too slow"


@pytest.mark.timeout(60)
def test_a_file_that_comes_too_slowly_is_left(
    server: ScriptedServer, client: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "_PATIENCE", 0.2)
    monkeypatch.setattr(web, "_SLOWEST", 100_000)
    server.routes["/f"] = Reply(endless_body(b"x", 0.01), length=1_000_000)
    assert str(within(lambda: streamed(client, f"{server.url}f"))).partition(":")[0] == "too slow"


@pytest.mark.timeout(60)
def test_a_file_that_trickles_is_left_as_soon_as_the_build_ends(server: ScriptedServer, client: Web) -> None:
    server.routes["/f"] = Reply(endless_body(b"x", 0.01), length=1_000_000)
    reasons: list[str] = []
    asking = threading.Thread(target=lambda: reasons.append(failure(lambda: streamed(client, f"{server.url}f")).why))
    asking.daemon = True
    asking.start()
    server.wait_until_sent(10, "/f")
    client.close()
    asking.join(10)
    assert reasons == ["stopped"]
    assert failure(lambda: client.page(f"{server.url}p")).why == "stopped"


def test_a_page_that_says_to_be_longer_than_it_is_is_a_failure(server: ScriptedServer, client: Web) -> None:
    server.routes["/p"] = Reply(TORN.encode(), length=1000)
    assert said(lambda: client.page(f"{server.url}p"), server).startswith("HOST/p: broke off (")


def test_a_page_that_breaks_off_once_is_asked_for_again(server: ScriptedServer, client: Web) -> None:
    whole = page_reply("<p>" + "x" * 50_000)
    server.routes["/p"] = reply_sequence(cut_after(lambda _: whole, 20_000), whole)
    assert client.page(f"{server.url}p").text == "<p>" + "x" * 50_000
    assert server.requests() == ["GET 200 /p", "GET 200 /p"]


ADVICE = {
    401: "answers 401: it lets nobody in without the right user name and password: put them into ~/.netrc",
    403: "answers 403: it lets nobody, or not you, read it",
    404: "answers 404: there is no such thing",
    407: "answers 407: the proxy wants a user name and a password: put them into HTTPS_PROXY",
    410: "answers 410: ask who runs it",
    418: "answers 418: ask who runs it",
    501: "answers 501: the server is in trouble: try again later",
}


@pytest.mark.parametrize(("code", "why"), ADVICE.items())
def test_an_answer_that_is_none_is_a_failure_with_advice_and_not_asked_for_again(
    server: ScriptedServer, client: Web, code: int, why: str
) -> None:
    server.routes["/p"] = status_reply(code)
    error = failure(lambda: client.page(f"{server.url}p"))
    assert (error.status, error.why, str(error)) == (code, why, f"{server.url}p: {why}")
    assert server.requests() == [f"GET {code} /p"]


TORN_ERRORS = {
    "torn": replace(status_reply(404), length=10),
    "no gzip": status_reply(404, content_encoding="gzip"),
    "a length of nonsense": status_reply(404, content_length="9" * 5000),
    "a length below zero": status_reply(404, content_length="-1"),
    "endless": Reply(endless_body(), 404),
    "no length": replace(status_reply(404), says_length=False),
}


@pytest.mark.parametrize("reply", TORN_ERRORS.values(), ids=TORN_ERRORS)
def test_an_error_is_what_it_is_whatever_comes_with_it(server: ScriptedServer, client: Web, reply: Reply) -> None:
    server.routes["/x"] = reply
    url = f"{server.url}x"
    for call in (
        lambda: client.page(url),
        lambda: client.about(url),
        lambda: client.part(url, 0, 1),
        lambda: streamed(client, url, about=About(url, "", 10, "")),
    ):
        assert failure(call).why == ADVICE[404]


def trickle(code: int, length: int | None, **headers: str) -> Reply:
    return Reply(endless_body(b"x", 0.02), code, length=length).with_headers(**headers)


@pytest.mark.parametrize("length", [10_000, 10_000_000, None])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_comes_with_an_error_or_a_redirect_is_not_waited_for(
    server: ScriptedServer, client: Web, length: int | None
) -> None:
    server.routes |= {
        "/404": trickle(404, length),
        "/302": trickle(302, length, location="/p"),
        "/503": reply_sequence(trickle(503, length), page_reply("fine")),
        "/p": page_reply("fine"),
    }
    answers = [within(lambda path=path: client.page(f"{server.url}{path}"), 2) for path in ("404", "302", "503")]  # type: ignore[misc]
    assert [answer.text if isinstance(answer, Answer) else answer for answer in answers] == [
        ADVICE[404],
        "fine",
        "fine",
    ]


def test_a_bomb_in_a_redirect_does_not_go_off(server: ScriptedServer, client: Web) -> None:
    bomb = gzip.compress(bytes(48 << 20))
    server.routes |= {
        "/r": replace(page_reply(bomb, content_encoding="gzip", location="/p"), status=302),
        "/p": page_reply("fine"),
    }
    tracemalloc.start()
    assert client.page(f"{server.url}r").text == "fine"
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20 << 20


# --- trying again ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_a_server_in_trouble_is_asked_again(server: ScriptedServer, client: Web, code: int) -> None:
    server.routes["/p"] = reply_sequence(status_reply(code), status_reply(code), page_reply("fine"))
    assert client.page(f"{server.url}p").text == "fine"
    assert server.requests() == [f"GET {code} /p", f"GET {code} /p", "GET 200 /p"]


@pytest.mark.parametrize("code", [429, 503])
def test_a_server_that_stays_in_trouble_is_asked_five_times(
    server: ScriptedServer, client: Web, code: int, pauses: list[float]
) -> None:
    server.routes["/p"] = status_reply(code)
    error = failure(lambda: client.page(f"{server.url}p"))
    assert error.status == code
    assert server.requests() == [f"GET {code} /p"] * 5
    # From one attempt to the next at least twice as long; but for the first, with a little chance in it.
    assert [round(pause, 1) for pause in pauses if pause] == [
        pytest.approx(expected, abs=0.3) for expected in (1, 2, 4)
    ]


@pytest.mark.parametrize(("asked", "waited"), [("7", 7), ("0", 0), ("86400", 60), ("9" * 30, 60)])
def test_a_pause_that_a_server_asks_for_is_kept_within_bounds(
    server: ScriptedServer, client: Web, asked: str, waited: float, pauses: list[float]
) -> None:
    server.routes["/p"] = reply_sequence(status_reply(429, retry_after=asked), page_reply("fine"))
    assert client.page(f"{server.url}p").text == "fine"
    assert [pause for pause in pauses if pause] == [waited] * bool(waited)


@pytest.mark.parametrize("asked", ["soon", "Mon, 01 Jan 99999 00:00:00 GMT", "-1", "\x1b[31m"])
def test_a_pause_that_makes_no_sense_is_none(server: ScriptedServer, client: Web, asked: str) -> None:
    server.routes["/p"] = reply_sequence(status_reply(429, retry_after=asked), page_reply("fine"))
    assert client.page(f"{server.url}p").text == "fine"


def test_a_server_that_hangs_up_is_asked_again(server: ScriptedServer, client: Web) -> None:
    calls: list[Request] = []

    def route(request: Request) -> Reply:
        calls.append(request)
        if len(calls) < 3:
            raise ConnectionAbortedError
        return page_reply("fine")

    server.routes["/p"] = route
    assert client.page(f"{server.url}p").text == "fine"
    assert len(calls) == 3


def test_a_server_that_is_not_there_is_a_failure(client: Web) -> None:
    with scripted_server.run_server() as gone:
        url = gone.url
    assert str(failure(lambda: client.page(f"{url}p?secret"))) == f"{url}p: cannot be reached: Connection refused"


# --- redirects ------------------------------------------------------------------------------------------------------


def test_five_redirects_are_followed_and_no_more(server: ScriptedServer, client: Web) -> None:
    for number in range(6):
        server.routes[f"/{number}"] = redirect_reply(f"/{number + 1}", (301, 302, 303, 307, 308, 301)[number])
    server.routes["/6"] = page_reply("far")
    assert client.page(f"{server.url}1") == Answer(f"{server.url}6", "text/html", "far")
    server.forget()
    assert said(lambda: client.page(f"{server.url}0"), server) == "HOST/0: redirects more than 5 times"
    assert len(server.requests()) == 6


def test_a_loop_ends(server: ScriptedServer, client: Web) -> None:
    server.routes["/f"] = redirect_reply("/f")
    assert said(lambda: client.about(f"{server.url}f"), server) == "HOST/f: redirects more than 5 times"
    assert server.requests() == ["HEAD 302 /f"] * 6


@pytest.mark.parametrize(
    ("to", "why"),
    [
        ("file:///etc/passwd", "redirects to what is no web address"),
        ("javascript:alert(1)", "redirects to what is no web address"),
        ("ftp://127.0.0.1/x", "redirects to what is no web address"),
        ("mailto:", "redirects to what is no web address"),
    ],
)
def test_a_redirect_to_something_else_is_a_failure(server: ScriptedServer, client: Web, to: str, why: str) -> None:
    server.routes["/f"] = redirect_reply(to)
    assert failure(lambda: client.about(f"{server.url}f")).why == why


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
def test_a_redirect_to_nonsense_is_a_failure(server: ScriptedServer, client: Web, to: str) -> None:
    server.routes["/f"] = redirect_reply(to)
    address = client.without_credentials(server.url.replace("//", "//user:hunter2@"))
    for ask in client.about, client.page:
        assert "hunter2" not in str(failure(lambda ask=ask: ask(f"{address}f")))  # type: ignore[misc]
        gc.collect()


def test_a_secure_page_does_not_redirect_to_where_anybody_can_listen(
    server: ScriptedServer, client: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, certificate = scripted_server.make_certificates(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    server.routes["/p"] = page_reply("fine")
    with scripted_server.run_server(certificate=certificate) as secure:
        secure.routes["/p"] = redirect_reply(f"{server.url}p")
        secure.routes["/P"] = redirect_reply(f"{server.url}p".replace("http", "HTTP"))
        server.routes["/up"] = redirect_reply(f"{secure.url}fine")
        secure.routes["/fine"] = page_reply("secure")
        assert client.page(f"{server.url}up") == Answer(f"{secure.url}fine", "text/html", "secure")
        server.forget()
        for path in "p", "P":
            assert failure(lambda path=path: client.page(f"{secure.url}{path}")).why == (  # type: ignore[misc]
                "redirects from https to http, where anybody can listen"
            )
    assert server.requests() == []


# --- certificates, proxies, cookies ---------------------------------------------------------------------------------


@left_open
def test_a_certificate_of_ones_own_authority_is_accepted_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    authority, certificate = scripted_server.make_certificates(tmp_path)
    with scripted_server.run_server(certificate=certificate) as secure:
        secure.routes["/p"] = page_reply("secret")
        error = failure(lambda: Web(Cache(None), connections=1).page(f"{secure.url}p"))
        assert error.why.startswith("its certificate is not accepted (")
        assert error.why.endswith("): name the file of its authority in SSL_CERT_FILE")
        assert pauses == []
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        assert Web(Cache(None), connections=1).page(f"{secure.url}p").text == "secret"
        del error
        gc.collect()


@left_open
@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_an_authority_that_cannot_be_read_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    _, certificate = scripted_server.make_certificates(tmp_path)
    if content is not None:
        (tmp_path / "mine.pem").write_bytes(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "mine.pem"))
    with scripted_server.run_server(certificate=certificate) as secure:
        with pytest.raises((Failed, ConfigError), match="SSL_CERT_FILE"):
            Web(Cache(None), connections=1).page(f"{secure.url}p")
        gc.collect()


def test_a_proxy_of_the_environment_is_used(
    server: ScriptedServer, client: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url.replace("//", "//me:hunter2@"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server.routes["http://wheels.test/p"] = page_reply("by proxy")
    server.routes["/p"] = page_reply("direct")
    assert client.page("http://wheels.test/p").text == "by proxy"
    assert client.page(f"{server.url}p").text == "direct"
    server.routes["http://wheels.test/p"] = status_reply(407)
    assert str(failure(lambda: client.page("http://wheels.test/p"))) == f"http://wheels.test/p: {ADVICE[407]}"


def test_a_proxy_that_is_not_there_is_named_without_its_password(client: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted_server.run_server() as gone:
        monkeypatch.setenv("http_proxy", gone.url.replace("//", "//me:hunter2@"))
    assert str(failure(lambda: client.page("http://wheels.test/p"))) == (
        "http://wheels.test/p: the proxy does not answer: see HTTPS_PROXY and NO_PROXY"
    )


def test_cookies_are_not_kept(server: ScriptedServer, client: Web) -> None:
    server.routes["/p"] = page_reply("page", set_cookie="a=b; Path=/")
    server.routes["/r"] = redirect_reply(f"{server.other_host_url}p").with_headers(set_cookie="c=d; Path=/")
    for path in "p", "r", "p":
        client.page(f"{server.url}{path}")
    assert [request.headers.get("cookie") for request in server.received] == [None] * 4


# --- credentials ----------------------------------------------------------------------------------------------------

BASIC = "Basic dXNlcjpodW50ZXIy"  # user:hunter2
OF_NETRC = "Basic bmV0cmM6aHVudGVyMw=="  # netrc:hunter3
OF_KEYRING = "Basic a2V5cmluZzpodW50ZXI0"  # keyring:hunter4


def wanting(authorization: str, reply: Reply) -> Callable[[Request], Reply]:
    return lambda request: reply if request.headers.get("authorization") == authorization else status_reply(401)


def authorizations(server: ScriptedServer) -> list[str | None]:
    return [request.headers.get("authorization") for request in server.received]


def test_credentials_of_an_address_are_kept_for_its_host_alone(
    server: ScriptedServer, other: ScriptedServer, client: Web
) -> None:
    assert client.without_credentials(server.url) == server.url
    assert client.without_credentials(f"{server.url.replace('//', '//user:hunter2@')}p?q") == f"{server.url}p?q"
    for one in server, other:
        one.routes |= {"/p": page_reply("page"), "/f": file_route(CONTENT)}
    client.page(f"{server.url}p")
    streamed(client, f"{server.url}f")
    client.part(f"{server.url}f", 0, 10)
    client.page(f"{server.other_host_url}p")
    assert authorizations(server) == [BASIC] * 4 + [None]
    client.page(f"{other.url}p")
    assert authorizations(other) == [None]


@pytest.mark.parametrize(
    ("netloc", "expected"),
    [
        ("user:p%40ss%3A%2F", "Basic dXNlcjpwQHNzOi8="),
        ("user", "Basic dXNlcjo="),
        (":only", "Basic Om9ubHk="),
        ("a@b:c", "Basic YUBiOmM="),
    ],
)
def test_credentials_are_unquoted(server: ScriptedServer, client: Web, netloc: str, expected: str) -> None:
    server.routes["/p"] = page_reply("page")
    client.page(client.without_credentials(f"{server.url.replace('//', f'//{netloc}@')}p"))
    assert authorizations(server) == [expected]


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_credentials_do_not_follow_a_redirect_to_another_host(
    server: ScriptedServer, other: ScriptedServer, client: Web, code: int
) -> None:
    address = client.without_credentials(server.url.replace("//", "//user:hunter2@"))
    server.routes |= {
        "/p": redirect_reply(f"{other.url}p", code),
        "/q": redirect_reply(f"{server.other_host_url}here", code),
        "/r": redirect_reply("/here", code),
        "/here": page_reply("page"),
    }
    other.routes["/p"] = page_reply("page")
    for path in "pqr":
        client.page(f"{address}{path}")
    assert authorizations(other) == [None]
    assert [(request.path, request.headers.get("authorization")) for request in server.received] == [
        ("/p", BASIC),
        ("/q", BASIC),
        ("/here", None),
        ("/r", BASIC),
        ("/here", BASIC),
    ]


def test_a_host_cannot_hand_out_credentials_in_a_redirect(
    server: ScriptedServer, other: ScriptedServer, client: Web
) -> None:
    server.routes["/p"] = redirect_reply(f"{other.url.replace('//', '//user:hunter2@')}p")
    server.routes["/q"] = redirect_reply(f"{server.url.replace('//', '//user:hunter2@')}r")
    server.routes["/r"] = other.routes["/p"] = page_reply("page")
    assert client.page(f"{server.url}p").url == f"{other.url}p"
    assert client.page(f"{server.url}q").url == f"{server.url}r"
    assert authorizations(other) + authorizations(server) == [None] * 4


@pytest.mark.parametrize("place", ["HOME", "NETRC"])
def test_credentials_of_netrc_are_for_the_host_that_it_names(
    server: ScriptedServer, client: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    path = tmp_path / (".netrc" if place == "HOME" else "elsewhere")
    path.write_text("machine localhost login netrc password hunter3\n")
    path.chmod(0o600)
    if place == "NETRC":
        monkeypatch.setenv("NETRC", str(path))
    server.routes |= {
        "/p": wanting(OF_NETRC, page_reply("page")),
        "/r": redirect_reply(f"{server.url}q"),
        "/q": page_reply("open"),
    }
    assert client.page(f"{server.other_host_url}p").text == "page"
    assert client.page(f"{server.other_host_url}r").text == "open"
    assert said(lambda: client.page(f"{server.url}p"), server) == f"HOST/p: {ADVICE[401]}"
    assert authorizations(server) == [OF_NETRC, OF_NETRC, None, None]


def test_who_asks_as_a_stranger_shows_no_credentials_at_all(server: ScriptedServer, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login netrc password hunter3\n")
    (tmp_path / ".netrc").chmod(0o600)
    server.routes |= {"/p": page_reply("page"), "/r": redirect_reply("/p")}
    with Cache(None) as cache:
        for anonymous in (False, True):
            client = Web(cache, connections=1, anonymous=anonymous)
            assert client.look(f"{server.url}r", headers={}).body == b"page"
            client.close()
    assert authorizations(server) == [OF_NETRC, OF_NETRC, None, None]


def test_a_netrc_that_is_broken_is_none(server: ScriptedServer, client: Web, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text('machine 127.0.0.1 login "x\npassword\n\x00')
    (tmp_path / ".netrc").chmod(0o600)
    server.routes["/p"] = page_reply("page")
    assert client.page(f"{server.url}p").text == "page"


@pytest.fixture
def keyring(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Put a keyring in place that knows the server; return what it is asked for."""
    asked: list[str] = []

    def get_credential(service: str, username: str | None) -> object:
        asked.append(service)
        known = service == urlsplit(server.url).netloc
        return SimpleNamespace(username="keyring", password="hunter4") if known else None

    monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_credential=get_credential))
    return asked


def test_a_keyring_is_asked_when_a_server_wants_credentials_and_once(
    server: ScriptedServer, client: Web, keyring: list[str]
) -> None:
    server.routes["/open"] = page_reply("open")
    server.routes["/p"] = wanting(OF_KEYRING, page_reply("page"))
    server.routes["/f"] = wanting(OF_KEYRING, Reply(b"file"))
    assert client.page(f"{server.url}open").text == "open"
    assert keyring == []
    assert client.page(f"{server.url}p?token=hunter5").text == "page"
    assert streamed(client, f"{server.url}f") == b"file"
    assert authorizations(server) == [None, None, OF_KEYRING, OF_KEYRING, OF_KEYRING]
    assert "hunter5" not in "".join(keyring)
    assert keyring[-1] == urlsplit(server.url).netloc


def test_credentials_of_a_keyring_stay_with_their_host(
    server: ScriptedServer, other: ScriptedServer, client: Web, keyring: list[str]
) -> None:
    server.routes["/p"] = redirect_reply(f"{other.url}p")
    other.routes["/p"] = status_reply(401)
    assert failure(lambda: client.page(f"{server.url}p")).status == 401
    assert set(authorizations(other)) == {None}


def test_a_keyring_without_an_answer_or_with_an_error_leaves_it_at_that(
    server: ScriptedServer, client: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(service: str, username: str | None) -> object:
        raise RuntimeError("hunter4")

    server.routes["/p"] = status_reply(401)
    for get in broken, lambda service, username: None:
        monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_credential=get))
        assert said(lambda: client.page(f"{server.url}p"), server) == f"HOST/p: {ADVICE[401]}"
    assert server.requests() == ["GET 401 /p"] * 2


TROUBLES: dict[str, Callable[[ScriptedServer], Reply | Callable[[Request], Reply]]] = {
    "401": lambda _: status_reply(401),
    "403": lambda _: status_reply(403),
    "503": lambda _: status_reply(503),
    "a loop": lambda server: redirect_reply(f"{server.url}x?token=hunter2"),
    "a redirect to nothing": lambda _: redirect_reply("http://127.0.0.1:1/?token=hunter2"),
    "a redirect to nonsense": lambda _: redirect_reply("foo:hunter2"),
    "a redirect to credentials": lambda _: redirect_reply("http://user:hunter2@127.0.0.1:1/"),
    "torn": lambda _: Reply(b"x", length=10),
    "another part": lambda _: Reply(b"x", 206, {"Content-Range": "bytes 7-7/8"}),
    "no gzip": lambda _: Reply(b"x", headers={"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_no_failure_tells_credentials_or_a_query(
    server: ScriptedServer, client: Web, trouble: Callable[[ScriptedServer], Reply | Callable[[Request], Reply]]
) -> None:
    server.routes["/x"] = trouble(server)
    url = client.without_credentials(f"{server.url.replace('//', '//user:hunter2@')}x?token=hunter2")
    about = About(url, "", 10, "")
    for call in (
        lambda: client.page(url),
        lambda: client.part(url, 0, 1),
        lambda: streamed(client, url, about=about),
        lambda: client.about(url),
    ):
        with suppress(Failed):
            call()
            continue
        error = str(failure(call))
        assert error.startswith(f"{server.url}x: ")
        assert ("hunter2" in error, "token" in error) == (False, False)


# --- what is known from last time -----------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{"etag": '"1"'}, {"etag": 'W/"1"'}, {"last_modified": LONG_AGO}])
def test_a_page_that_has_not_changed_is_not_sent_again(
    server: ScriptedServer, tmp_path: Path, headers: dict[str, str]
) -> None:
    server.routes["/r"] = redirect_reply("/p")
    server.routes["/p"] = conditional(page_reply("<p>ä", **headers))
    for _ in range(2):
        with Cache(tmp_path / "cache") as cache:
            assert Web(cache, connections=1).page(f"{server.url}r") == Answer(f"{server.url}p", "text/html", "<p>ä")
    assert server.requests() == ["GET 302 /r", "GET 200 /p", "GET 302 /r", "GET 304 /p"]
    server.routes["/p"] = conditional(page_reply("other", etag='"2"'))
    with Cache(tmp_path / "cache") as cache:
        assert Web(cache, connections=1).page(f"{server.url}r").text == "other"


def test_a_page_that_nothing_tells_apart_is_read_each_time(server: ScriptedServer, tmp_path: Path) -> None:
    for text in "one", "two":
        server.routes["/p"] = page_reply(text)
        with Cache(tmp_path / "cache") as cache:
            assert Web(cache, connections=1).page(f"{server.url}p").text == text
    assert [set(request.headers) & {"if-none-match", "if-modified-since"} for request in server.received] == [set()] * 2


def test_an_etag_with_a_tab_in_it_does_no_harm(server: ScriptedServer, tmp_path: Path) -> None:
    server.routes["/p"] = page_reply("page", etag='"a\tb"')
    for _ in range(2):
        with Cache(tmp_path / "cache") as cache:
            assert Web(cache, connections=1).page(f"{server.url}p").text == "page"


def test_not_modified_of_what_is_not_known_is_a_failure(server: ScriptedServer, client: Web) -> None:
    server.routes["/p"] = Reply(status=304)
    assert failure(lambda: client.page(f"{server.url}p")).status == 304


def test_nothing_secret_is_remembered_of_a_page(server: ScriptedServer, tmp_path: Path) -> None:
    server.routes["/p"] = page_reply("page", etag='"1"')
    with Cache(tmp_path / "cache") as cache:
        client = Web(cache, connections=1)
        client.page(client.without_credentials(f"{server.url.replace('//', '//user:hunter2@')}p"))
    written = b"".join(path.read_bytes() for path in (tmp_path / "cache").iterdir())
    assert b"/p" in written
    assert b"hunter2" not in written


# --- what is said of a file -----------------------------------------------------------------------------------------


def test_a_file_is_asked_for_by_head(server: ScriptedServer, client: Web) -> None:
    server.routes["/r"] = redirect_reply("/f")
    server.routes["/f"] = file_route(CONTENT, etag='"1"', media_type="Application/X; a=b")
    assert client.about(f"{server.url}r") == About(f"{server.url}f", "application/x", len(CONTENT), '"1"')
    assert server.requests() == ["HEAD 302 /r", "HEAD 200 /f"]
    assert server.sent() == 0


@pytest.mark.parametrize("head", [403, 405, 501])
def test_a_server_that_knows_no_head_is_asked_by_get(server: ScriptedServer, client: Web, head: int) -> None:
    server.routes["/f"] = file_route(CONTENT, head=head)
    assert client.about(f"{server.url}f") == About(f"{server.url}f", "application/octet-stream", len(CONTENT), LONG_AGO)
    assert server.requests() == [f"HEAD {head} /f", "GET 200 /f"]


ABOUT: list[tuple[dict[str, str], int | None, str]] = [
    ({"etag": 'W/"1"'}, 1, ""),
    ({"etag": 'W/"1"', "last_modified": LONG_AGO}, 1, LONG_AGO),
    ({"content_encoding": "gzip", "etag": '"1"'}, None, '"1"'),
    ({"content_length": "x"}, None, ""),
    ({"content_length": "-5"}, None, ""),
    ({"content_length": ""}, None, ""),
    ({"content_length": "9" * 5000}, None, ""),
]


@pytest.mark.parametrize(("headers", "size", "validator"), ABOUT)
def test_what_a_server_says_of_a_file_is_taken_with_care(
    server: ScriptedServer, client: Web, headers: dict[str, str], size: int | None, validator: str
) -> None:
    server.routes["/f"] = Reply(b"x").with_headers(**headers)
    assert client.about(f"{server.url}f") == About(f"{server.url}f", "", size, validator)


# --- parts ----------------------------------------------------------------------------------------------------------


def test_a_part_is_fetched_alone(server: ScriptedServer, client: Web) -> None:
    server.routes["/f"] = file_route(CONTENT, etag='"1"')
    url = f"{server.url}f"
    assert client.part(url, 1000, 10, validator='"1"') == CONTENT[1000:1010]
    assert client.part(url, len(CONTENT) - 10, 10) == CONTENT[-10:]
    assert (server.requests(), server.sent()) == (["GET 206 /f"] * 2, 20)
    assert [request.headers["range"] for request in server.received] == ["bytes=1000-1009", "bytes=102390-102399"]


def test_an_etag_that_was_weak_and_is_not_any_more_tells_of_no_change(server: ScriptedServer, client: Web) -> None:
    server.routes["/f"] = reply_sequence(file_route(CONTENT, etag='W/"1"'), file_route(CONTENT, etag='"1"'))
    url = f"{server.url}f"
    about = client.about(url)
    assert about == About(url, "application/octet-stream", len(CONTENT), LONG_AGO)
    assert client.part(url, 1000, 10, validator=about.validator) == CONTENT[1000:1010]


def test_a_server_without_ranges_is_asked_once(server: ScriptedServer, client: Web) -> None:
    server.routes["/f"] = server.routes["/g"] = file_route(CONTENT, ranges=False)
    assert client.has_ranges(f"{server.url}f")
    assert (client.part(f"{server.url}f", 0, 10), client.part(f"{server.url}g", 0, 10)) == (None, None)
    assert (client.has_ranges(f"{server.url}g"), client.has_ranges(f"{server.other_host_url}g")) == (False, True)
    assert server.requests() == ["GET 200 /f"]


def part_of(start: int, data: bytes, **headers: str) -> Reply:
    said = {"Content-Range": f"bytes {start}-{start + len(data) - 1}/1000", "ETag": '"1"'}
    return Reply(data, 206, said).with_headers(**headers)


LIES = {
    "another offset": (part_of(7, b"x" * 10), "sends another part than the one that was asked for (7)"),
    "no offset": (Reply(b"x" * 10, 206), "sends another part than the one that was asked for (none)"),
    "a strange offset": (
        part_of(0, b"x" * 10, content_range="bytes \x1b-9/10"),
        "sends another part than the one that was asked for (\\x1b)",
    ),
    "a longer offset": (
        part_of(50, b"x" * 10),
        "sends another part than the one that was asked for (50)",
    ),
    "another file": (part_of(5, b"x" * 10, etag='"2"'), "changed while it was read: run again"),
    "perhaps another": (
        part_of(5, b"x" * 10, etag='W/"1"', last_modified=LONG_AGO),
        "changed while it was read: run again",
    ),
    "too much": (part_of(5, b"x" * 11), "more bytes came than the 10 that were asked for"),
    "too little": (part_of(5, b"x" * 9), "9 bytes came of 10 that were asked for"),
    "an error": (status_reply(416), "answers 416: ask who runs it"),
}


@pytest.mark.parametrize(("reply", "why"), LIES.values(), ids=LIES)
def test_a_part_that_is_another_than_the_one_asked_for_is_a_failure(
    server: ScriptedServer, client: Web, reply: Reply, why: str
) -> None:
    server.routes["/f"] = reply
    assert said(lambda: client.part(f"{server.url}f", 5, 10, validator='"1"'), server) == f"HOST/f: {why}"


def test_a_part_without_an_end_is_left(server: ScriptedServer, client: Web) -> None:
    server.routes["/f"] = Reply(endless_body(), 206, {"Content-Range": "bytes 0-9/10"})
    assert failure(lambda: client.part(f"{server.url}f", 0, 10)).why == (
        "more bytes came than the 10 that were asked for"
    )


def test_a_part_that_breaks_off_once_is_asked_for_again(server: ScriptedServer, client: Web) -> None:
    whole = file_route(CONTENT)
    server.routes["/f"] = reply_sequence(cut_after(whole, 5), whole)
    assert client.part(f"{server.url}f", 0, 10) == CONTENT[:10]
    assert server.requests() == ["GET 206 /f"] * 2


# --- whole files ----------------------------------------------------------------------------------------------------


def test_a_file_is_streamed(server: ScriptedServer, client: Web) -> None:
    server.routes["/f"] = file_route(CONTENT)
    assert streamed(client, f"{server.url}f") == CONTENT
    assert streamed(client, f"{server.url}f", start=100_000) == CONTENT[100_000:]
    assert server.requests() == ["HEAD 200 /f", "GET 200 /f", "HEAD 200 /f", "GET 206 /f"]


def test_a_file_is_not_decompressed(server: ScriptedServer, client: Web) -> None:
    body = gzip.compress(b"tar")
    server.routes["/f"] = Reply(body, headers={"Content-Encoding": "gzip"})
    assert streamed(client, f"{server.url}f") == body


@pytest.mark.parametrize("ranges", [True, False])
def test_a_transfer_that_breaks_goes_on_where_it_broke(server: ScriptedServer, client: Web, ranges: bool) -> None:
    whole = file_route(CONTENT, etag='"1"', ranges=ranges)
    server.routes["/f"] = reply_sequence(whole, cut_after(whole, 30_000), cut_after(whole, 40_000), whole)
    assert streamed(client, f"{server.url}f") == CONTENT
    if ranges:
        assert [request.headers.get("range") for request in server.received] == [
            None,
            None,
            "bytes=30000-",
            "bytes=70000-",
        ]
        assert server.sent() == len(CONTENT)
    else:
        assert server.requests() == ["HEAD 200 /f"] + ["GET 200 /f"] * 3


def test_a_transfer_that_breaks_at_its_very_end_is_whole(server: ScriptedServer, client: Web) -> None:
    def torn(request: Request) -> Reply:
        return Reply(lambda: iter([CONTENT]), headers={"Last-Modified": LONG_AGO}, cut=len(CONTENT))

    server.routes["/f"] = reply_sequence(file_route(CONTENT), torn, file_route(CONTENT))
    assert streamed(client, f"{server.url}f") == CONTENT


@pytest.mark.parametrize("ranges", [True, False])
def test_a_transfer_is_not_begun_that_has_come_to_its_end(server: ScriptedServer, client: Web, ranges: bool) -> None:
    server.routes["/f"] = file_route(CONTENT, ranges=ranges)
    assert streamed(client, f"{server.url}f", start=len(CONTENT)) == b""


@pytest.mark.parametrize("ranges", [True, False])
def test_a_file_that_changes_while_it_is_read_is_a_failure(server: ScriptedServer, client: Web, ranges: bool) -> None:
    first, second = file_route(CONTENT, etag='"1"', ranges=ranges), file_route(CONTENT[::-1], etag='"2"', ranges=ranges)
    server.routes["/f"] = reply_sequence(first, cut_after(first, 30_000), second)
    why = "changed while it was read: run again"
    assert said(lambda: streamed(client, f"{server.url}f"), server) == f"HOST/f: {why}"


def test_a_transfer_that_never_gets_on_is_given_up(server: ScriptedServer, client: Web) -> None:
    whole = file_route(CONTENT)
    server.routes["/f"] = reply_sequence(whole, cut_after(whole, 10_000), cut_after(whole, 0))
    assert failure(lambda: streamed(client, f"{server.url}f")).why.startswith("broke off after 10,000 bytes (")
    assert len(server.requests()) <= 12


def test_a_transfer_that_gets_on_a_little_each_time_comes_to_its_end(server: ScriptedServer, client: Web) -> None:
    server.routes["/f"] = reply_sequence(file_route(CONTENT), cut_after(file_route(CONTENT), 9_000))
    assert streamed(client, f"{server.url}f") == CONTENT
    assert (len(server.requests()), server.sent()) == (13, len(CONTENT))


def test_a_file_that_is_shorter_than_was_said_is_a_failure(server: ScriptedServer, client: Web) -> None:
    server.routes["/f"] = reply_sequence(file_route(CONTENT), Reply(b"x" * 10))
    assert failure(lambda: streamed(client, f"{server.url}f")).why == "ended after 10 bytes of 102,400"


def test_a_file_that_is_longer_than_was_said_is_left_there(server: ScriptedServer, client: Web) -> None:
    server.routes["/f"] = reply_sequence(file_route(CONTENT), Reply(endless_body()))
    received = 0

    def read() -> None:
        nonlocal received
        for chunk in client.stream(client.about(f"{server.url}f"), f"{server.url}f"):
            received += len(chunk)
            assert received < 4 << 20, "it reads on and on"

    assert failure(read).status == 0
    assert received <= len(CONTENT)


def test_a_transfer_that_goes_on_elsewhere_than_where_it_broke_is_a_failure(
    server: ScriptedServer, client: Web
) -> None:
    whole = file_route(CONTENT)
    server.routes["/f"] = reply_sequence(
        whole, cut_after(whole, 30_000), part_of(0, CONTENT, last_modified=LONG_AGO, etag="")
    )
    assert failure(lambda: streamed(client, f"{server.url}f")).why == (
        "sends another part than the one that was asked for (0)"
    )


# --- many at once ---------------------------------------------------------------------------------------------------


def test_connections_are_kept_and_used_again(server: ScriptedServer, client: Web) -> None:
    server.routes["/p"] = page_reply("page")
    ports: set[object] = set()
    accept = server._server.get_request

    def counted() -> tuple[object, object]:
        connection, address = accept()
        ports.add(address)
        return connection, address

    server._server.get_request = counted  # type: ignore[method-assign, assignment]
    for _ in range(20):
        client.page(f"{server.url}p")
    assert len(ports) == 1


def test_threads_share_what_is_known(server: ScriptedServer, tmp_path: Path) -> None:
    for number in range(40):
        server.routes[f"/{number}"] = conditional(page_reply(str(number) * 3000, etag=f'"{number}"'))
    for _ in range(2):
        found: dict[int, str] = {}
        with Cache(tmp_path / "cache") as cache:
            client = Web(cache, connections=4)

            def ask(numbers: range, client: Web = client, found: dict[int, str] = found) -> None:
                for number in numbers:
                    found[number] = client.page(f"{server.url}{number}").text

            threads = [threading.Thread(target=ask, args=(range(start, 40, 4),)) for start in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert found == {number: str(number) * 3000 for number in range(40)}
    assert sorted(server.requests()) == sorted(f"GET {code} /{number}" for code in (200, 304) for number in range(40))


def test_nothing_waits_in_these_tests(server: ScriptedServer, client: Web) -> None:
    """A test of the tests: what waits between two attempts is stood in for."""
    started = time.monotonic()
    server.routes["/p"] = status_reply(503)
    failure(lambda: client.page(f"{server.url}p"))
    assert time.monotonic() - started < 20
