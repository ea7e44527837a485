"""The server, tested with HTTP requests and raw sockets: its answers, and the files that it never sends."""

from __future__ import annotations

import re
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest

from mkindex.errors import ServeError
from mkindex.serve.negotiation import byte_range, negotiate
from mkindex.serve.server import Server
from support.builds import publish
from support.served_trees import BROWSER, FOREVER, HTML_TYPE, JSON_TYPE, LATEST, PIP, V1, Answer, Tree, serving, tree
from support.wheels import write_wheel

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["tree"]


# --- content negotiation --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, HTML_TYPE),
        ("", HTML_TYPE),
        ("*/*", HTML_TYPE),
        ("text/*", HTML_TYPE),
        ("application/*", JSON_TYPE),
        (BROWSER, HTML_TYPE),
        (PIP, JSON_TYPE),
        (f"{V1}+json", JSON_TYPE),
        (f"{LATEST}+json", JSON_TYPE),
        (f"{V1}+html", f"{V1}+html; charset=utf-8"),
        (f"{LATEST}+html", f"{V1}+html; charset=utf-8"),
        ("text/html", HTML_TYPE),
        (f"{V1.upper()}+JSON", JSON_TYPE),
        (f"{V1}+json;q=0.2, text/html;q=0.3", HTML_TYPE),
        (f"text/html;q=0.3,{V1}+json;q=0.31", JSON_TYPE),
        (f"{V1}+json;q=0.1, {LATEST}+json;q=0.9, text/html;q=0.5", JSON_TYPE),
        (f"{V1}+json;q=0, */*", HTML_TYPE),
        ("text/html;q=0, */*;q=0.1", JSON_TYPE),
        (f"text/html;level=1;q=.5, {V1}+json;q=0.4", HTML_TYPE),
        (f"text/html;q=nan, {V1}+json;q=0.001", JSON_TYPE),
        (f"{V1}+json; q=1, text/html; q=1", HTML_TYPE),
        (f"{V1}+json, */*;q=0.01", HTML_TYPE),  # micropip
        (f"{V1}+json, */*;q=0.1", JSON_TYPE),  # poetry
        ("application/vnd.pypi.simple.v2+json", None),
        ("application/json", None),
        ("text/html;q=0", None),
        (f"{V1}+json;q=0.0", None),
        (";;;,,,q", None),
    ],
)
def test_a_client_gets_the_form_that_it_prefers(accept: str | None, expected: str | None) -> None:
    chosen = negotiate(accept)
    assert (chosen.content_type if chosen else None) == expected


@pytest.mark.parametrize("path", ["/simple/", "/simple/demo/", "/inside/demo/"])
def test_a_page_is_served_as_json_and_as_html(tree: Tree, path: str) -> None:
    directory = tree.root / path[1:]
    for accept, name, media in ((PIP, "index.v1_json", JSON_TYPE), (BROWSER, "index.html", HTML_TYPE)):
        answer = tree.get(path, Accept=accept)
        assert answer.body == (directory / name).read_bytes()
        assert {key: answer.headers[key] for key in ("Content-Type", "Vary", "Cache-Control", "Content-Length")} == {
            "Content-Type": media,
            "Vary": "Accept",
            "Cache-Control": "no-cache",
            "Content-Length": str(len(answer.body)),
        }


def test_several_accept_headers_are_one(tree: Tree) -> None:
    answer = tree.say(
        f"GET /simple/ HTTP/1.1\r\nHost: x\r\nAccept: text/html;q=0.1\r\nAccept: {V1}+json\r\n\r\n".encode()
    )
    assert f"Content-Type: {JSON_TYPE}\r\n".encode() in answer


def test_a_client_that_accepts_neither_form_gets_406(tree: Tree) -> None:
    answer = tree.get("/simple/", Accept="application/json")
    assert (answer.status, answer.headers["Vary"]) == (406, "Accept")
    assert f"{V1}+json\n" in answer.body.decode()


def test_a_page_with_one_form_is_sent_to_every_client(tree: Tree) -> None:
    answer = tree.get("/", Accept=f"{V1}+json")
    assert (answer.status, answer.headers["Content-Type"], "Vary" in answer.headers) == (200, HTML_TYPE, False)


def test_the_index_may_be_the_root(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "demo", "1.0")
    publish(tmp_path / "wheels", tmp_path / "public", simple_path="")
    with serving(tmp_path / "public") as tree:
        assert [tree.get(path, Accept=PIP).headers["Content-Type"] for path in ("/", "/demo/")] == [JSON_TYPE] * 2


@pytest.mark.parametrize(
    ("path", "media", "cached"),
    [
        ("/simple/demo/index.html", HTML_TYPE, "no-cache"),
        ("/simple/demo/index.v1_json", JSON_TYPE, "no-cache"),
        ("/{wheel}", "application/octet-stream", FOREVER),
        ("/{wheel}.metadata", "application/octet-stream", FOREVER),
        ("/404.html", HTML_TYPE, "no-cache"),
    ],
)
def test_files_have_their_type_and_may_be_cached(tree: Tree, path: str, media: str, cached: str) -> None:
    path = path.format(wheel=tree.wheel)
    answer = tree.get(path)
    assert (answer.status, answer.body) == (200, (tree.root / path[1:]).read_bytes())
    assert [answer.headers.get(name) for name in ("Content-Type", "Cache-Control", "Content-Encoding")] == [
        media,
        cached,
        None,
    ]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


# --- redirects ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/simple", "./simple/"),
        ("/simple/demo", "./demo/"),
        ("/simple/demo?a=b/c", "./demo/?a=b/c"),
        ("/simple/%64emo", "./demo/"),
        ("//simple", "./simple/"),
        ("/simple//demo", "./demo/"),
        ("http://elsewhere.example/simple", "./simple/"),
    ],
)
def test_a_missing_slash_is_added_and_leads_nowhere_else(tree: Tree, path: str, location: str) -> None:
    answer = tree.say(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert re.findall(rb"^(?:HTTP/1.1|Location:) (.*)\r$", answer, re.MULTILINE) == [
        b"301 Moved Permanently",
        location.encode(),
    ]


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/simple/Demo", "./demo/"),
        ("/simple/DEMO/", "../demo/"),
        ("/simple/Demo?a=b", "./demo/?a=b"),
        ("/Simple/", "../simple/"),
        ("/simple/de_mo/", None),
        ("/simple/%2e%2e/Demo/", None),
        ("/simple/demo/Index.html", None),
    ],
)
def test_a_name_that_is_not_normalized_leads_to_the_page_of_the_project(
    tree: Tree, path: str, location: str | None
) -> None:
    answer = tree.get(path)
    assert (answer.status, answer.headers.get("Location")) == (301 if location else 404, location)


def test_several_slashes_count_as_one(tree: Tree) -> None:
    assert tree.get("//simple///demo//").body == tree.get("/simple/demo/").body


@pytest.mark.parametrize("path", ["//elsewhere.example/", "//elsewhere.example/simple", "/way-out"])
def test_no_redirect_leads_to_another_host(tree: Tree, path: str) -> None:
    assert tree.status(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()) == 404


# --- ranges, conditions, HEAD ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-0", (0, 1)),
        ("bytes=0-", (0, 100)),
        ("bytes=90-", (90, 10)),
        ("bytes=90-1000", (90, 10)),
        ("bytes=-10", (90, 10)),
        ("bytes=-1000", (0, 100)),
        ("bytes=99-99", (99, 1)),
        ("bytes=-", None),
        ("bytes=5-4", None),
        ("bytes=0-1,5-6", None),
        ("bytes=a-b", None),
        ("bytes = 0-1", None),
        ("items=0-1", None),
        ("bytes=0-" + "9" * 30, None),
    ],
)
def test_a_range_header_selects_bytes(header: str | None, expected: tuple[int, int] | None) -> None:
    assert byte_range(header, 100) == expected


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=999999999999999999-"])
def test_a_range_beyond_the_end_is_refused(header: str) -> None:
    with pytest.raises(IndexError):
        byte_range(header, 100)


def test_ranges_are_served(tree: Tree) -> None:
    path, whole = f"/{tree.wheel}", (tree.root / tree.wheel).read_bytes()
    size = len(whole)
    answer = tree.get(path, Range="bytes=1000-70999")
    assert (answer.status, answer.body) == (206, whole[1000:71000])
    assert answer.headers["Content-Range"] == f"bytes 1000-70999/{size}"
    assert tree.get(path, Range="bytes=-100").body == whole[-100:]
    beyond = tree.get(path, Range=f"bytes={size}-")
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{size}")
    assert tree.get(path, Range="bytes=0-1,5-6")[::2] == (200, whole)
    assert tree.get(path).headers["Accept-Ranges"] == "bytes"


def test_a_range_of_a_file_that_changed_is_not_sent(tree: Tree) -> None:
    path, whole = f"/{tree.wheel}", (tree.root / tree.wheel).read_bytes()
    etag = tree.get(path).headers["ETag"]
    same = tree.get(path, Range="bytes=0-9", If_Range=etag)
    assert (same.status, same.body) == (206, whole[:10])
    for other in ('"other"', f"W/{etag}", "Fri, 20 Nov 2026 00:00:00 GMT"):
        assert tree.get(path, Range="bytes=0-9", If_Range=other)[::2] == (200, whole)


def test_a_client_with_the_current_file_gets_304(tree: Tree) -> None:
    for path, accept in (("/simple/demo/", PIP), (f"/{tree.wheel}", "*/*")):
        first = tree.get(path, Accept=accept)
        etag = first.headers["ETag"]
        for condition in (etag, f"W/{etag}", f'"a", {etag}', "*"):
            again = tree.get(path, Accept=accept, If_None_Match=condition)
            assert (again.status, again.body) == (304, b"")
            kept = ("ETag", "Cache-Control", "Vary")
            assert [again.headers.get(name) for name in kept] == [first.headers.get(name) for name in kept]
        assert tree.get(path, Accept=accept, If_None_Match='"a", "b"').status == 200


def test_the_two_forms_of_a_page_have_different_etags(tree: Tree) -> None:
    assert tree.get("/simple/", Accept=PIP).headers["ETag"] != tree.get("/simple/", Accept=BROWSER).headers["ETag"]


def test_head_has_the_headers_of_get(tree: Tree) -> None:
    for path in ("/simple/", f"/{tree.wheel}", "/gone", "/simple"):
        get, head = tree.get(path, Accept=PIP), tree.get(path, method="HEAD", Accept=PIP)
        del get.headers["Date"], head.headers["Date"]
        assert head == Answer(get.status, get.headers, b"")


def test_one_connection_carries_many_requests(tree: Tree) -> None:
    connection = HTTPConnection("127.0.0.1", tree.port, timeout=20)
    found = []
    for path in ("/simple/", "/gone", "/simple", f"/{tree.wheel}", "/"):
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        found.append((response.status, response.will_close))
    connection.close()
    assert found == [(200, False), (404, False), (301, False), (200, False), (200, False)]


# --- paths that are not served --------------------------------------------------------------------------------------

HIDDEN = [
    "/.mkindex/",
    "/.mkindex/manifest",
    "/%2emkindex/manifest",
    "/simple/../.mkindex/manifest",
    "/simple/%2e%2e/.mkindex/manifest",
    "/../secret",
    "/..%2fsecret",
    "/%2e%2e%2fsecret",
    "/simple/..%2f..%2fsecret",
    "/....//secret",
    "/simple/\\..\\..\\secret",
    "/link",
    "/way-out/",
    "/way-out/index.html",
    "/to-own/manifest",
    "/.nojekyll",
    "/index.html%00",
    "/index.html%00.txt",
    "/index.html/",
    "/simple/./",
    "/pipe",
    "/empty/",
    "/files/",
    "/gone/",
    "/" + "a" * 5000,
    "/" + "a/" * 3000,
    "/%ff%fe",
    "/%",
    "/%zz",
]


@pytest.mark.parametrize("path", HIDDEN)
def test_other_paths_are_404(tree: Tree, path: str) -> None:
    answer = tree.say(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"secret" not in answer
    assert answer.endswith((tree.root / "404.html").read_bytes())


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST /simple/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 405),
        (b"PUT /x HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"DELETE /simple/ HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"GET simple HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 505),
        (b"GET / HTTP/x\r\n\r\n", 400),
        (b"GET / a b HTTP/1.1\r\n\r\n", 400),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nA: " + b"b" * 70_000 + b"\r\n\r\n", 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    ],
    ids=lambda value: str(value)[:40],
)
def test_requests_that_are_not_for_a_file_are_refused(tree: Tree, request_: bytes, status: int) -> None:
    assert tree.status(request_) == status


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /simple/ HTTP/1.1\nHost: x\n\n",
        b"GET /simple/\r\n\r\n",
        b"GET /simple/ HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET /simple/ HTTP/1.1\r\nHost: x\nA: b\r\n\r\n",
        b"GET /simple/ HTTP/1.1\r\nHost: x\rA: b\r\n\r\n",
        b"GET /simple/ HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
        b"GET /simple/ HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        b"GET /simple/ HTTP/1.1\r\nHost: x\0\r\n\r\n",
        b"GET /simple/ HTTP/1.1\r\nHost: x\r\nContent-Length: +0\r\n\r\n",
        b"GET /simple/ HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /simple/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        b"GET /simple/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=lambda value: str(value)[2:-1].removeprefix("GET /simple/"),
)
def test_a_malformed_head_is_refused_with_all_that_follows(tree: Tree, request_: bytes) -> None:
    answer = tree.say(request_ + b"GET /simple/ HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (answer[:13], answer.count(b"HTTP/1.1 ")) == (b"HTTP/1.1 400 ", 1)


def test_a_body_is_not_taken_for_a_request(tree: Tree) -> None:
    inner = b"GET /simple/ HTTP/1.1\r\nHost: x\r\n\r\n"
    for header in (b"Content-Length: %d" % len(inner), b"Transfer-Encoding: chunked"):
        answer = tree.say(b"GET /404.html HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n\r\n" + inner)
        assert answer.count(b"HTTP/1.1 ") == 1


# --- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "is_public"), [(("127.0.0.1", 0), False), (("localhost", 0), False), (("0.0.0.0", 0), True)]
)
def test_the_server_knows_whether_other_machines_can_connect(
    tmp_path: Path, address: tuple[str, int], is_public: bool
) -> None:
    with Server(str(tmp_path), address, print) as server:
        assert server.is_public == is_public
        assert server.url == f"http://{server.server_name}:{server.server_port}/"


def test_an_address_in_use_is_an_error(tmp_path: Path) -> None:
    with Server(str(tmp_path), ("127.0.0.1", 0), print) as server, pytest.raises(ServeError) as error:
        Server(str(tmp_path), ("127.0.0.1", server.server_port), print)
    where = f"127.0.0.1:{server.server_port}"
    assert str(error.value) == f"cannot listen on {where}: Address already in use. Choose another address with --bind"


def test_only_a_directory_can_be_served(tmp_path: Path) -> None:
    with pytest.raises(ServeError, match=r"gone: not a directory\. Build an index there first: mkindex SOURCE "):
        Server(str(tmp_path / "gone"), ("127.0.0.1", 0), print)
