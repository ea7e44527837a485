"""ETag, Last-Modified and size: how an unchanged page or file is recognized without reading it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mkindex.cache import Cache
from mkindex.web.responses import FileHead, PageResponse
from mkindex.web.validators import last_modified
from support import scripted_server
from support.scripted_server import LONG_AGO, Reply, ScriptedServer, conditional, file_route, page_reply, redirect_reply
from support.web_requests import CONTENT, failure, make_client

MODIFIED = "2020-02-02T00:00:00Z"  # LONG_AGO, as pages have it

if TYPE_CHECKING:
    from collections.abc import Iterator
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
def client() -> WebClient:
    return make_client()


# --- the page cache -------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{"etag": '"1"'}, {"etag": 'W/"1"'}, {"last_modified": LONG_AGO}])
def test_an_unchanged_page_is_not_sent_again(server: ScriptedServer, tmp_path: Path, headers: dict[str, str]) -> None:
    server.routes["/r"] = redirect_reply("/p")
    server.routes["/p"] = conditional(page_reply("<p>ä", **headers))
    for _ in range(2):
        with Cache(tmp_path / "cache") as cache:
            assert make_client(cache).get_page(f"{server.url}r") == PageResponse(f"{server.url}p", "text/html", "<p>ä")
    assert server.requests() == ["GET 302 /r", "GET 200 /p", "GET 302 /r", "GET 304 /p"]
    server.routes["/p"] = conditional(page_reply("other", etag='"2"'))
    with Cache(tmp_path / "cache") as cache:
        assert make_client(cache).get_page(f"{server.url}r").text == "other"


def test_a_page_without_validators_is_read_each_time(server: ScriptedServer, tmp_path: Path) -> None:
    for text in "one", "two":
        server.routes["/p"] = page_reply(text)
        with Cache(tmp_path / "cache") as cache:
            assert make_client(cache).get_page(f"{server.url}p").text == text
    assert [set(request.headers) & {"if-none-match", "if-modified-since"} for request in server.received] == [set()] * 2


def test_an_etag_with_a_tab_does_not_break_the_cache(server: ScriptedServer, tmp_path: Path) -> None:
    server.routes["/p"] = page_reply("page", etag='"a\tb"')
    for _ in range(2):
        with Cache(tmp_path / "cache") as cache:
            assert make_client(cache).get_page(f"{server.url}p").text == "page"


def test_status_304_for_a_page_that_is_not_cached_is_an_error(server: ScriptedServer, client: WebClient) -> None:
    server.routes["/p"] = Reply(status=304)
    assert failure(lambda: client.get_page(f"{server.url}p")).status == 304


def test_no_credentials_are_written_to_the_page_cache(server: ScriptedServer, tmp_path: Path) -> None:
    server.routes["/p"] = page_reply("page", etag='"1"')
    with Cache(tmp_path / "cache") as cache:
        client = make_client(cache)
        client.get_page(client.take_credentials(f"{server.url.replace('//', '//user:hunter2@')}p"))
    written = b"".join(path.read_bytes() for path in (tmp_path / "cache").iterdir())
    assert b"/p" in written
    assert b"hunter2" not in written


# --- heads of files -------------------------------------------------------------------------------------------


def test_head_returns_size_media_type_validator_and_time(server: ScriptedServer, client: WebClient) -> None:
    server.routes["/r"] = redirect_reply("/f")
    server.routes["/f"] = file_route(CONTENT, etag='"1"', media_type="Application/X; a=b")
    assert client.head(f"{server.url}r") == FileHead(f"{server.url}f", "application/x", len(CONTENT), '"1"', MODIFIED)
    assert server.requests() == ["HEAD 302 /r", "HEAD 200 /f"]
    assert server.sent() == 0


@pytest.mark.parametrize("head", [403, 405, 501])
def test_get_replaces_head_if_the_server_refuses_it(server: ScriptedServer, client: WebClient, head: int) -> None:
    server.routes["/f"] = file_route(CONTENT, head=head)
    assert client.head(f"{server.url}f") == FileHead(
        f"{server.url}f", "application/octet-stream", len(CONTENT), LONG_AGO, MODIFIED
    )
    assert server.requests() == [f"HEAD {head} /f", "GET 200 /f"]


HEADS: list[tuple[dict[str, str], int | None, str]] = [
    ({"etag": 'W/"1"'}, 1, ""),
    ({"etag": 'W/"1"', "last_modified": LONG_AGO}, 1, LONG_AGO),
    ({"content_encoding": "gzip", "etag": '"1"'}, None, '"1"'),
    ({"content_length": "x"}, None, ""),
    ({"content_length": "-5"}, None, ""),
    ({"content_length": ""}, None, ""),
    ({"content_length": "9" * 5000}, None, ""),
]


@pytest.mark.parametrize(("headers", "size", "validator"), HEADS)
def test_weak_etags_and_invalid_lengths_are_ignored(
    server: ScriptedServer, client: WebClient, headers: dict[str, str], size: int | None, validator: str
) -> None:
    server.routes["/f"] = Reply(b"x").with_headers(**headers)
    assert client.head(f"{server.url}f")[:4] == (f"{server.url}f", "", size, validator)


@pytest.mark.parametrize(
    ("modified", "sent", "expected"),
    [
        (LONG_AGO, "", MODIFIED),
        (LONG_AGO, "Sun, 02 Feb 2020 00:00:01 GMT", MODIFIED),
        (LONG_AGO, LONG_AGO, ""),
        (LONG_AGO, "Sat, 01 Feb 2020 00:00:00 GMT", ""),
        ("Sun, 02 Feb 2020 01:00:00 +0100", "", MODIFIED),
        ("Sun, 02 Feb 2020 00:00:00 -0000", "", MODIFIED),
        ("Sunday, 02-Feb-20 00:00:00 GMT", "", MODIFIED),
        ("Sun, 99 Feb 2020 00:00:00 GMT", "", ""),
        ("Sun, 02 Feb 99999999999 00:00:00 GMT", "", ""),
        ("Wed, 31 Dec 1969 23:59:59 GMT", "", ""),
        (LONG_AGO, "soon", ""),
        ("", "", ""),
        ("soon", "", ""),
    ],
)
def test_the_time_of_a_file_is_last_modified_unless_that_is_the_time_of_the_response(
    modified: str, sent: str, expected: str
) -> None:
    headers = {"last-modified": modified} | ({"date": sent} if sent else {})
    assert last_modified(headers) == expected
