"""Credentials of addresses, netrc and keyrings: which host gets them, and where they never appear."""

from __future__ import annotations

import sys
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from mkindex.cache import Cache
from mkindex.web.responses import FileHead, RequestFailed
from support import scripted_server
from support.scripted_server import Reply, Request, ScriptedServer, file_route, page_reply, redirect_reply, status_reply
from support.web_requests import ADVICE, CONTENT, failure, failure_text, make_client, stream_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mkindex.web.client import WebClient


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[float]:
    """Skip pauses; return the list that their seconds are appended to."""
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
def client() -> WebClient:
    return make_client(trusted=("127.0.0.1", "localhost"))


BASIC = "Basic dXNlcjpodW50ZXIy"  # user:hunter2
OF_NETRC = "Basic bmV0cmM6aHVudGVyMw=="  # netrc:hunter3
OF_KEYRING = "Basic a2V5cmluZzpodW50ZXI0"  # keyring:hunter4


def require_credentials(authorization: str, reply: Reply) -> Callable[[Request], Reply]:
    return lambda request: reply if request.headers.get("authorization") == authorization else status_reply(401)


def authorizations(server: ScriptedServer) -> list[str | None]:
    return [request.headers.get("authorization") for request in server.received]


def test_credentials_of_an_address_are_sent_only_to_its_host(
    server: ScriptedServer, other: ScriptedServer, client: WebClient
) -> None:
    assert client.take_credentials(server.url) == server.url
    assert client.take_credentials(f"{server.url.replace('//', '//user:hunter2@')}p?q") == f"{server.url}p?q"
    for one in server, other:
        one.routes |= {"/p": page_reply("page"), "/f": file_route(CONTENT)}
    client.get_page(f"{server.url}p")
    stream_bytes(client, f"{server.url}f")
    client.get_range(f"{server.url}f", 0, 10)
    client.get_page(f"{server.other_host_url}p")
    assert authorizations(server) == [BASIC] * 4 + [None]
    client.get_page(f"{other.url}p")
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
def test_credentials_are_unquoted(server: ScriptedServer, client: WebClient, netloc: str, expected: str) -> None:
    server.routes["/p"] = page_reply("page")
    client.get_page(client.take_credentials(f"{server.url.replace('//', f'//{netloc}@')}p"))
    assert authorizations(server) == [expected]


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_credentials_do_not_follow_a_redirect_to_another_host(
    server: ScriptedServer, other: ScriptedServer, client: WebClient, code: int
) -> None:
    address = client.take_credentials(server.url.replace("//", "//user:hunter2@"))
    server.routes |= {
        "/p": redirect_reply(f"{other.url}p", code),
        "/q": redirect_reply(f"{server.other_host_url}here", code),
        "/r": redirect_reply("/here", code),
        "/here": page_reply("page"),
    }
    other.routes["/p"] = page_reply("page")
    for path in "pqr":
        client.get_page(f"{address}{path}")
    assert authorizations(other) == [None]
    assert [(request.path, request.headers.get("authorization")) for request in server.received] == [
        ("/p", BASIC),
        ("/q", BASIC),
        ("/here", None),
        ("/r", BASIC),
        ("/here", BASIC),
    ]


def test_a_host_cannot_hand_out_credentials_in_a_redirect(
    server: ScriptedServer, other: ScriptedServer, client: WebClient
) -> None:
    server.routes["/p"] = redirect_reply(f"{other.url.replace('//', '//user:hunter2@')}p")
    server.routes["/q"] = redirect_reply(f"{server.url.replace('//', '//user:hunter2@')}r")
    server.routes["/r"] = other.routes["/p"] = page_reply("page")
    assert client.get_page(f"{server.url}p").url == f"{other.url}p"
    assert client.get_page(f"{server.url}q").url == f"{server.url}r"
    assert authorizations(other) + authorizations(server) == [None] * 4


@pytest.mark.parametrize("place", ["HOME", "NETRC"])
def test_credentials_of_netrc_are_sent_only_to_the_host_it_names(
    server: ScriptedServer, client: WebClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    path = tmp_path / (".netrc" if place == "HOME" else "elsewhere")
    path.write_text("machine localhost login netrc password hunter3\n")
    path.chmod(0o600)
    if place == "NETRC":
        monkeypatch.setenv("NETRC", str(path))
    server.routes |= {
        "/p": require_credentials(OF_NETRC, page_reply("page")),
        "/r": redirect_reply(f"{server.url}q"),
        "/q": page_reply("open"),
    }
    assert client.get_page(f"{server.other_host_url}p").text == "page"
    assert client.get_page(f"{server.other_host_url}r").text == "open"
    assert failure_text(lambda: client.get_page(f"{server.url}p"), server) == f"HOST/p: {ADVICE[401]}"
    assert authorizations(server) == [OF_NETRC, OF_NETRC, None, None]


def test_an_anonymous_client_sends_no_credentials(server: ScriptedServer, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login netrc password hunter3\n")
    (tmp_path / ".netrc").chmod(0o600)
    server.routes |= {"/p": page_reply("page"), "/r": redirect_reply("/p")}
    with Cache(None) as cache:
        for anonymous in (False, True):
            client = make_client(cache, trusted=["127.0.0.1"], anonymous=anonymous)
            assert client.request(f"{server.url}r", headers={}).body == b"page"
            client.close()
    assert authorizations(server) == [OF_NETRC, OF_NETRC, None, None]


def test_an_invalid_netrc_is_ignored(server: ScriptedServer, client: WebClient, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text('machine 127.0.0.1 login "x\npassword\n\x00')
    (tmp_path / ".netrc").chmod(0o600)
    server.routes["/p"] = page_reply("page")
    assert client.get_page(f"{server.url}p").text == "page"


@pytest.fixture
def keyring(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Install a keyring that has credentials for the server; return the services that it is asked for."""
    services: list[str] = []

    def get_credential(service: str, username: str | None) -> object:
        services.append(service)
        known = service == urlsplit(server.url).netloc
        return SimpleNamespace(username="keyring", password="hunter4") if known else None

    monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_credential=get_credential))
    return services


def test_the_keyring_is_used_once_when_a_server_requires_credentials(
    server: ScriptedServer, client: WebClient, keyring: list[str]
) -> None:
    server.routes["/open"] = page_reply("open")
    server.routes["/p"] = require_credentials(OF_KEYRING, page_reply("page"))
    server.routes["/f"] = require_credentials(OF_KEYRING, Reply(b"file"))
    assert client.get_page(f"{server.url}open").text == "open"
    assert keyring == []
    assert client.get_page(f"{server.url}p?token=hunter5").text == "page"
    assert stream_bytes(client, f"{server.url}f") == b"file"
    assert authorizations(server) == [None, None, OF_KEYRING, OF_KEYRING, OF_KEYRING]
    assert "hunter5" not in "".join(keyring)
    assert keyring[-1] == urlsplit(server.url).netloc


def test_credentials_of_a_keyring_are_sent_only_to_their_host(
    server: ScriptedServer, other: ScriptedServer, client: WebClient, keyring: list[str]
) -> None:
    server.routes["/p"] = redirect_reply(f"{other.url}p")
    other.routes["/p"] = status_reply(401)
    assert failure(lambda: client.get_page(f"{server.url}p")).status == 401
    assert set(authorizations(other)) == {None}


def test_a_wrong_password_is_told_from_a_missing_one(server: ScriptedServer, client: WebClient) -> None:
    server.routes["/p"] = server.routes["/f"] = status_reply(401)
    assert failure_text(lambda: client.get_page(f"{server.url}p"), server) == f"HOST/p: {ADVICE[401]}"
    client.take_credentials(server.url.replace("//", "//user:hunter2@"))
    wrong = "answers 401: user name or password is wrong. Check the address, ~/.netrc and your keyring"
    for path, call in (("p", client.get_page), ("f", client.head)):
        assert failure_text(lambda: call(f"{server.url}{path}"), server) == f"HOST/{path}: {wrong}"  # noqa: B023


def test_an_empty_or_broken_keyring_is_ignored(
    server: ScriptedServer, client: WebClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(service: str, username: str | None) -> object:
        raise RuntimeError("hunter4")

    server.routes["/p"] = status_reply(401)
    for get in broken, lambda service, username: None:
        monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_credential=get))
        assert failure_text(lambda: client.get_page(f"{server.url}p"), server) == f"HOST/p: {ADVICE[401]}"
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
def test_no_error_shows_credentials_or_a_query(
    server: ScriptedServer, client: WebClient, trouble: Callable[[ScriptedServer], Reply | Callable[[Request], Reply]]
) -> None:
    server.routes["/x"] = trouble(server)
    url = client.take_credentials(f"{server.url.replace('//', '//user:hunter2@')}x?token=hunter2")
    head = FileHead(url, "", 10, "")
    for call in (
        lambda: client.get_page(url),
        lambda: client.get_range(url, 0, 1),
        lambda: stream_bytes(client, url, head=head),
        lambda: client.head(url),
    ):
        with suppress(RequestFailed):
            call()
            continue
        error = str(failure(call))
        assert error.startswith(f"{server.url}x: ")
        assert ("hunter2" in error, "token" in error) == (False, False)
