"""Range requests, and resumed downloads."""

from __future__ import annotations

import gzip
import os
from typing import TYPE_CHECKING

import pytest

from mkindex.web.ranges import TAIL, OutOfReach, RangesRefused, RangeStream
from mkindex.web.responses import FileHead
from support import scripted_server
from support.scripted_server import (
    LONG_AGO,
    Reply,
    Request,
    ScriptedServer,
    cut_after,
    endless_body,
    file_route,
    reply_sequence,
    status_reply,
)
from support.web_requests import CONTENT, failure, failure_text, make_client, stream_bytes

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


# --- ranges -----------------------------------------------------------------------------------------------------------


def test_only_the_requested_range_is_fetched(server: ScriptedServer, client: WebClient) -> None:
    server.routes["/f"] = file_route(CONTENT, etag='"1"')
    url = f"{server.url}f"
    assert client.get_range(url, 1000, 10, validator='"1"') == CONTENT[1000:1010]
    assert client.get_range(url, len(CONTENT) - 10, 10) == CONTENT[-10:]
    assert (server.requests(), server.sent()) == (["GET 206 /f"] * 2, 20)
    assert [request.headers["range"] for request in server.received] == ["bytes=1000-1009", "bytes=102390-102399"]


def test_an_etag_that_becomes_strong_is_not_taken_for_a_change(server: ScriptedServer, client: WebClient) -> None:
    server.routes["/f"] = reply_sequence(file_route(CONTENT, etag='W/"1"'), file_route(CONTENT, etag='"1"'))
    url = f"{server.url}f"
    head = client.head(url)
    assert head == FileHead(url, "application/octet-stream", len(CONTENT), LONG_AGO, "2020-02-02T00:00:00Z")
    assert client.get_range(url, 1000, 10, validator=head.validator) == CONTENT[1000:1010]


def test_a_server_without_range_support_gets_only_one_range_request(server: ScriptedServer, client: WebClient) -> None:
    server.routes["/f"] = server.routes["/g"] = file_route(CONTENT, ranges=False)
    assert client.has_ranges(f"{server.url}f")
    assert (client.get_range(f"{server.url}f", 0, 10), client.get_range(f"{server.url}g", 0, 10)) == (None, None)
    assert (client.has_ranges(f"{server.url}g"), client.has_ranges(f"{server.other_host_url}g")) == (False, True)
    assert server.requests() == ["GET 200 /f"]


def range_reply(start: int, data: bytes, **headers: str) -> Reply:
    headers_of_range = {"Content-Range": f"bytes {start}-{start + len(data) - 1}/1000", "ETag": '"1"'}
    return Reply(data, 206, headers_of_range).with_headers(**headers)


WRONG_REPLIES = {
    "another offset": (range_reply(7, b"x" * 10), "sends another range than the one that was requested (7)"),
    "no offset": (Reply(b"x" * 10, 206), "sends another range than the one that was requested (none)"),
    "a strange offset": (
        range_reply(0, b"x" * 10, content_range="bytes \x1b-9/10"),
        "sends another range than the one that was requested (none)",
    ),
    "a longer offset": (
        range_reply(50, b"x" * 10),
        "sends another range than the one that was requested (50)",
    ),
    "another file": (range_reply(5, b"x" * 10, etag='"2"'), "changed while it was read: run again"),
    "perhaps another": (
        range_reply(5, b"x" * 10, etag='W/"1"', last_modified=LONG_AGO),
        "changed while it was read: run again",
    ),
    "too much": (range_reply(5, b"x" * 11), "sends more than the 10 bytes that were requested"),
    "too little": (range_reply(5, b"x" * 9), "sends 9 of the 10 bytes that were requested"),
    "an error": (status_reply(416), "answers 416: request refused. Ask the operator of the server"),
}


@pytest.mark.parametrize(("reply", "why"), WRONG_REPLIES.values(), ids=WRONG_REPLIES)
def test_another_range_than_the_requested_one_is_an_error(
    server: ScriptedServer, client: WebClient, reply: Reply, why: str
) -> None:
    server.routes["/f"] = reply
    assert failure_text(lambda: client.get_range(f"{server.url}f", 5, 10, validator='"1"'), server) == f"HOST/f: {why}"


def test_an_endless_range_is_given_up(server: ScriptedServer, client: WebClient) -> None:
    server.routes["/f"] = Reply(endless_body(), 206, {"Content-Range": "bytes 0-9/10"})
    assert failure(lambda: client.get_range(f"{server.url}f", 0, 10)).why == (
        "sends more than the 10 bytes that were requested"
    )


def test_a_range_whose_transfer_breaks_is_requested_again(server: ScriptedServer, client: WebClient) -> None:
    whole = file_route(CONTENT)
    server.routes["/f"] = reply_sequence(cut_after(whole, 5), whole)
    assert client.get_range(f"{server.url}f", 0, 10) == CONTENT[:10]
    assert server.requests() == ["GET 206 /f"] * 2


# --- whole files ------------------------------------------------------------------------------------------------------


def test_a_file_is_streamed(server: ScriptedServer, client: WebClient) -> None:
    server.routes["/f"] = file_route(CONTENT)
    assert stream_bytes(client, f"{server.url}f") == CONTENT
    assert stream_bytes(client, f"{server.url}f", start=100_000) == CONTENT[100_000:]
    assert server.requests() == ["HEAD 200 /f", "GET 200 /f", "HEAD 200 /f", "GET 206 /f"]


def test_a_file_is_not_decompressed(server: ScriptedServer, client: WebClient) -> None:
    body = gzip.compress(b"tar")
    server.routes["/f"] = Reply(body, headers={"Content-Encoding": "gzip"})
    assert stream_bytes(client, f"{server.url}f") == body


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_transfer_is_resumed_where_it_broke(server: ScriptedServer, client: WebClient, ranges: bool) -> None:
    whole = file_route(CONTENT, etag='"1"', ranges=ranges)
    server.routes["/f"] = reply_sequence(whole, cut_after(whole, 30_000), cut_after(whole, 40_000), whole)
    assert stream_bytes(client, f"{server.url}f") == CONTENT
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


def test_a_transfer_that_breaks_after_the_last_byte_is_complete(server: ScriptedServer, client: WebClient) -> None:
    def torn(request: Request) -> Reply:
        return Reply(lambda: iter([CONTENT]), headers={"Last-Modified": LONG_AGO}, cut=len(CONTENT))

    server.routes["/f"] = reply_sequence(file_route(CONTENT), torn, file_route(CONTENT))
    assert stream_bytes(client, f"{server.url}f") == CONTENT


@pytest.mark.parametrize("ranges", [True, False])
def test_a_complete_file_is_not_requested_again(server: ScriptedServer, client: WebClient, ranges: bool) -> None:
    server.routes["/f"] = file_route(CONTENT, ranges=ranges)
    assert stream_bytes(client, f"{server.url}f", start=len(CONTENT)) == b""


@pytest.mark.parametrize("ranges", [True, False])
def test_a_file_that_changes_while_it_is_read_is_an_error(
    server: ScriptedServer, client: WebClient, ranges: bool
) -> None:
    first, second = file_route(CONTENT, etag='"1"', ranges=ranges), file_route(CONTENT[::-1], etag='"2"', ranges=ranges)
    server.routes["/f"] = reply_sequence(first, cut_after(first, 30_000), second)
    why = "changed while it was read: run again"
    assert failure_text(lambda: stream_bytes(client, f"{server.url}f"), server) == f"HOST/f: {why}"


def test_a_transfer_without_progress_is_given_up(server: ScriptedServer, client: WebClient) -> None:
    whole = file_route(CONTENT)
    server.routes["/f"] = reply_sequence(whole, cut_after(whole, 10_000), cut_after(whole, 0))
    assert failure(lambda: stream_bytes(client, f"{server.url}f")).why.startswith(
        "incomplete response after 10,000 bytes ("
    )
    assert len(server.requests()) <= 12


def test_a_transfer_with_some_progress_each_time_is_completed(server: ScriptedServer, client: WebClient) -> None:
    server.routes["/f"] = reply_sequence(file_route(CONTENT), cut_after(file_route(CONTENT), 9_000))
    assert stream_bytes(client, f"{server.url}f") == CONTENT
    assert (len(server.requests()), server.sent()) == (13, len(CONTENT))


def test_a_file_shorter_than_its_content_length_is_an_error(server: ScriptedServer, client: WebClient) -> None:
    server.routes["/f"] = reply_sequence(file_route(CONTENT), Reply(b"x" * 10))
    assert failure(lambda: stream_bytes(client, f"{server.url}f")).why == "ended after 10 of 102,400 bytes"


def test_a_file_longer_than_its_content_length_is_not_read_further(server: ScriptedServer, client: WebClient) -> None:
    server.routes["/f"] = reply_sequence(file_route(CONTENT), Reply(endless_body()))
    received = 0

    def read() -> None:
        nonlocal received
        for chunk in client.stream(client.head(f"{server.url}f"), f"{server.url}f"):
            received += len(chunk)
            assert received < 4 << 20, "it reads on and on"

    assert failure(read).status == 0
    assert received <= len(CONTENT)


def test_a_transfer_resumed_at_another_offset_is_an_error(server: ScriptedServer, client: WebClient) -> None:
    whole = file_route(CONTENT)
    server.routes["/f"] = reply_sequence(
        whole, cut_after(whole, 30_000), range_reply(0, CONTENT, last_modified=LONG_AGO, etag="")
    )
    assert failure(lambda: stream_bytes(client, f"{server.url}f")).why == (
        "sends another range than the one that was requested (0)"
    )


# --- a file as a stream -----------------------------------------------------------------------------------------------


def test_a_stream_fetches_only_the_bytes_that_are_read_and_none_twice() -> None:
    fetched: list[tuple[int, int]] = []

    def fetch(start: int, length: int) -> bytes:
        fetched.append((start, length))
        return content[start : start + length]

    content = bytes(range(256)) * 4000  # 1,024,000 bytes
    stream = RangeStream("https://host/f", len(content), fetch=fetch)
    stream.seek(-22, os.SEEK_END)
    assert (stream.read(), stream.tell()) == (content[-22:], len(content))
    stream.seek(1000)
    assert (stream.read(10), stream.read(10)) == (content[1000:1010], content[1010:1020])
    stream.seek(len(content) - 60_000)
    assert stream.read(100) == content[-60_000:-59_900]
    # The end of a file is fetched in one request of 68 KiB, and elsewhere at least 16 KiB at once.
    assert fetched == [(len(content) - 69_632, 69_632), (1000, 16_384)]
    assert not stream.is_whole


def test_a_stream_fetches_no_more_than_its_limit() -> None:
    stream = RangeStream("https://host/f?token=hunter2", 1 << 20, fetch=lambda _, length: bytes(length), most=100_000)
    stream.seek(-1, os.SEEK_END)
    stream.read()
    stream.seek(0)
    stream.read(20_000)
    stream.seek(100_000)
    with pytest.raises(OutOfReach, match="without fetching more than 100,000 bytes") as caught:
        stream.read(20_000)
    assert "hunter2" not in str(caught.value)


def test_a_stream_without_a_server_has_only_the_bytes_that_were_added() -> None:
    stream = RangeStream("https://host/f", 10)
    stream.add(4, b"456789")
    stream.seek(-6, os.SEEK_CUR)
    assert stream.tell() == 0
    with pytest.raises(OutOfReach):
        stream.read()
    stream.seek(5)
    assert (stream.read(2), stream.is_whole) == (b"56", False)
    stream.add(0, b"0123456789")
    stream.seek(0)
    assert (stream.read(), stream.is_whole) == (b"0123456789", True)


def test_a_server_without_range_support_is_not_streamed_from(server: ScriptedServer, client: WebClient) -> None:
    server.routes["/f"] = file_route(CONTENT, ranges=False)
    stream = client.open_ranges(f"{server.url}f", len(CONTENT))
    assert stream
    with pytest.raises(RangesRefused, match="does not support range requests"):
        stream.read(1)
    assert client.open_ranges(f"{server.url}f", len(CONTENT)) is None


# --- the end of a file ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [CONTENT, CONTENT[:1000]], ids=["long", "short"])
def test_one_request_returns_the_head_and_the_end_of_a_file(
    server: ScriptedServer, client: WebClient, content: bytes
) -> None:
    server.routes["/f"] = file_route(content, etag='"1"')
    url = f"{server.url}f"
    assert client.head_with_end(url) == (
        FileHead(url, "application/octet-stream", len(content), '"1"', "2020-02-02T00:00:00Z"),
        content[-TAIL:],
    )
    assert server.requests() == ["GET 206 /f"]


@pytest.mark.parametrize(
    ("route", "requests"),
    [
        (file_route(CONTENT, ranges=False), ["GET 200 /f", "HEAD 200 /f"]),
        (file_route(CONTENT, ends=False), ["GET 200 /f", "HEAD 200 /f"]),
        (file_route(b""), ["GET 416 /f", "HEAD 200 /f", "GET 416 /f", "HEAD 200 /f"]),
        (lambda request: status_reply(400 if "range" in request.headers else 200), ["GET 400 /f", "HEAD 200 /f"] * 2),
        (
            lambda request: Reply(CONTENT[:9], 206 if "range" in request.headers else 200),
            ["GET 206 /f", "HEAD 200 /f"],
        ),
    ],
    ids=["no ranges", "only ranges with a start", "an empty file", "an error for a range", "a part of unknown offset"],
)
def test_a_server_that_sends_no_end_of_a_file_sends_its_head(
    server: ScriptedServer, client: WebClient, route: scripted_server.Route, requests: list[str]
) -> None:
    server.routes["/f"] = route
    (first, one), (second, other) = [client.head_with_end(f"{server.url}f") for _ in range(2)]
    assert (one, other, first.url, second.size is None) == (b"", b"", second.url, False)
    assert server.requests() == requests
    assert server.sent() < len(CONTENT) * 2


@pytest.mark.parametrize(
    ("offset", "body", "why"),
    [
        (0, CONTENT, "sends another range than the one that was requested (0)"),
        (len(CONTENT) - TAIL, CONTENT[-TAIL:] + b"x", f"sends more than the {TAIL:,} bytes that were requested"),
        (len(CONTENT) - TAIL, CONTENT[-TAIL:-1], f"sends {TAIL - 1:,} of the {TAIL:,} bytes that were requested"),
    ],
)
def test_another_part_than_the_end_of_a_file_is_an_error(
    server: ScriptedServer, client: WebClient, offset: int, body: bytes, why: str
) -> None:
    end = len(CONTENT) - 1
    server.routes["/f"] = Reply(body, 206, {"Content-Range": f"bytes {offset}-{end}/{len(CONTENT)}"})
    assert failure(lambda: client.head_with_end(f"{server.url}f")).why == why


@pytest.mark.parametrize("code", [401, 403, 404])
def test_a_file_whose_end_is_refused_is_requested_once(server: ScriptedServer, client: WebClient, code: int) -> None:
    server.routes["/f"] = status_reply(code)
    assert failure(lambda: client.head_with_end(f"{server.url}f")).status == code
    assert server.requests() == [f"GET {code} /f"]
