"""ETag, Last-Modified and size: what is known of a page or file without reading it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mkindex.cache import Cache
from mkindex.web.client import WebClient
from mkindex.web.responses import FileHead, PageResponse
from support import scripted_server
from support.scripted_server import LONG_AGO, Reply, ScriptedServer, conditional, file_route, page_reply, redirect_reply
from support.web_requests import CONTENT, failure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[float]:
    """The seconds that were waited for, had they been."""
    return scripted_server.isolate_client(monkeypatch, tmp_path)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server.run_server() as server:
        yield server


@pytest.fixture
def client() -> WebClient:
    return WebClient(Cache(None), connections=2)


# --- what is known from last time -------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{"etag": '"1"'}, {"etag": 'W/"1"'}, {"last_modified": LONG_AGO}])
def test_a_page_that_has_not_changed_is_not_sent_again(
    server: ScriptedServer, tmp_path: Path, headers: dict[str, str]
) -> None:
    server.routes["/r"] = redirect_reply("/p")
    server.routes["/p"] = conditional(page_reply("<p>ä", **headers))
    for _ in range(2):
        with Cache(tmp_path / "cache") as cache:
            assert WebClient(cache, connections=1).get_page(f"{server.url}r") == PageResponse(
                f"{server.url}p", "text/html", "<p>ä"
            )
    assert server.requests() == ["GET 302 /r", "GET 200 /p", "GET 302 /r", "GET 304 /p"]
    server.routes["/p"] = conditional(page_reply("other", etag='"2"'))
    with Cache(tmp_path / "cache") as cache:
        assert WebClient(cache, connections=1).get_page(f"{server.url}r").text == "other"


def test_a_page_that_nothing_tells_apart_is_read_each_time(server: ScriptedServer, tmp_path: Path) -> None:
    for text in "one", "two":
        server.routes["/p"] = page_reply(text)
        with Cache(tmp_path / "cache") as cache:
            assert WebClient(cache, connections=1).get_page(f"{server.url}p").text == text
    assert [set(request.headers) & {"if-none-match", "if-modified-since"} for request in server.received] == [set()] * 2


def test_an_etag_with_a_tab_in_it_does_no_harm(server: ScriptedServer, tmp_path: Path) -> None:
    server.routes["/p"] = page_reply("page", etag='"a\tb"')
    for _ in range(2):
        with Cache(tmp_path / "cache") as cache:
            assert WebClient(cache, connections=1).get_page(f"{server.url}p").text == "page"


def test_not_modified_of_what_is_not_known_is_a_failure(server: ScriptedServer, client: WebClient) -> None:
    server.routes["/p"] = Reply(status=304)
    assert failure(lambda: client.get_page(f"{server.url}p")).status == 304


def test_nothing_secret_is_remembered_of_a_page(server: ScriptedServer, tmp_path: Path) -> None:
    server.routes["/p"] = page_reply("page", etag='"1"')
    with Cache(tmp_path / "cache") as cache:
        client = WebClient(cache, connections=1)
        client.get_page(client.take_credentials(f"{server.url.replace('//', '//user:hunter2@')}p"))
    written = b"".join(path.read_bytes() for path in (tmp_path / "cache").iterdir())
    assert b"/p" in written
    assert b"hunter2" not in written


# --- what is said of a file -------------------------------------------------------------------------------------------


def test_a_file_is_asked_for_by_head(server: ScriptedServer, client: WebClient) -> None:
    server.routes["/r"] = redirect_reply("/f")
    server.routes["/f"] = file_route(CONTENT, etag='"1"', media_type="Application/X; a=b")
    assert client.head(f"{server.url}r") == FileHead(f"{server.url}f", "application/x", len(CONTENT), '"1"')
    assert server.requests() == ["HEAD 302 /r", "HEAD 200 /f"]
    assert server.sent() == 0


@pytest.mark.parametrize("head", [403, 405, 501])
def test_a_server_that_knows_no_head_is_asked_by_get(server: ScriptedServer, client: WebClient, head: int) -> None:
    server.routes["/f"] = file_route(CONTENT, head=head)
    assert client.head(f"{server.url}f") == FileHead(
        f"{server.url}f", "application/octet-stream", len(CONTENT), LONG_AGO
    )
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
    server: ScriptedServer, client: WebClient, headers: dict[str, str], size: int | None, validator: str
) -> None:
    server.routes["/f"] = Reply(b"x").with_headers(**headers)
    assert client.head(f"{server.url}f") == FileHead(f"{server.url}f", "", size, validator)
