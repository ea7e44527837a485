"""What a URL or a file is, is found out by looking at it: row by row."""

from __future__ import annotations

import json
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from mkindex.errors import Note, Rejected, SourceError
from mkindex.simple.read import HTML, JSON, STRANGE_NAME, Link, Status
from mkindex.sources import Artifact, Fingerprint, Found, Marked
from mkindex.sources.selection import Selection
from support.sources import open_with_defaults
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE = "demo-1.0-py3-none-any.whl"
OTHER = "other-2.0.tar.gz"
A, B = "a1" * 32, "b2" * 32
TEXT = "text/html"


class Server:
    """A server of pages on this machine: what it has, and what it was asked for."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[str, str]] = {}  # by path and query: media type and text
        self.redirects: dict[str, str] = {}
        self.received: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16  # an answer goes out in one piece

            def do_GET(self) -> None:
                outer.received.append(self.path)
                found = outer.pages.get(self.path)
                self.send_response(301 if self.path in outer.redirects else 200 if found else 404)
                if self.path in outer.redirects:
                    self.send_header("Location", outer.redirects[self.path])
                kind, text = found or (TEXT, "<title>404</title>")
                body = text.encode()
                if kind:
                    self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.root = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            patch.delenv(name, raising=False)
        patch.setenv("NETRC", os.devnull)
        server = Server()
        yield server
        server.close()


@pytest.fixture
def server(running: Server) -> Server:
    running.pages.clear()
    running.redirects.clear()
    running.received.clear()
    return running


def found(spec: str, *include: str, **chosen: Any) -> list[Found]:  # noqa: ANN401 (fields of Options)
    return list(open_with_defaults(spec, **({"selection": Selection(include=include)} | chosen)).artifacts())


def wrong(spec: str, *include: str, **chosen: Any) -> str:  # noqa: ANN401 (fields of Options)
    with pytest.raises(SourceError) as error:
        found(spec, *include, **chosen)
    return str(error.value)


def html(*hrefs: str, head: str = "") -> str:
    anchors = "".join(f'<a href="{href}">{href.strip("/")}</a><br>\n' for href in hrefs)
    return f"<!DOCTYPE html>\n<html><head>{head}</head><body>\n{anchors}</body></html>\n"


def files(*names: str, **rest: Any) -> str:  # noqa: ANN401 (keys of a JSON page)
    entries = [{"filename": name, "url": f"../../files/{name}", "hashes": {"sha256": A}} for name in names]
    return json.dumps({"meta": {"api-version": "1.4"}, "name": names[0].split("-")[0], "files": entries} | rest)


def root(*names: str) -> str:
    return json.dumps({"meta": {"api-version": "1.4"}, "projects": [{"name": name} for name in names]})


REPOSITORY = '<meta name="pypi:repository-version" content="1.0">'

# Listings as servers write them, of a directory with a wheel, an sdist, other files and one directory.
HTTP_SERVER = f"""\
<!DOCTYPE HTML>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Directory listing for /whl/</title>
</head>
<body>
<h1>Directory listing for /whl/</h1>
<hr>
<ul>
<li><a href="{FILE}">{FILE}</a></li>
<li><a href="{OTHER}">{OTHER}</a></li>
<li><a href="README.md">README.md</a></li>
<li><a href="sub/">sub/</a></li>
</ul>
<hr>
</body>
</html>
"""
NGINX = f"""\
<html>\r
<head><title>Index of /whl/</title></head>\r
<body>\r
<h1>Index of /whl/</h1><hr><pre><a href="../">../</a>\r
<a href="sub/">sub/</a>                                               20-Nov-2026 10:00                   -\r
<a href="{FILE}">demo-1.0-py3-none-any.w..&gt;</a>      20-Nov-2026 10:00                1234\r
<a href="{OTHER}">{OTHER}</a>                                   20-Nov-2026 10:00                 567\r
<a href="README.md">README.md</a>                                          20-Nov-2026 10:00                  89\r
</pre><hr></body>\r
</html>\r
"""
APACHE = f"""\
<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">
<html>
 <head>
  <title>Index of /whl</title>
 </head>
 <body>
<h1>Index of /whl</h1>
  <table>
   <tr><th valign="top"><img src="/icons/blank.gif" alt="[ICO]"></th><th><a href="?C=N;O=D">Name</a></th>\
<th><a href="?C=M;O=A">Last modified</a></th><th><a href="?C=S;O=A">Size</a></th><th><a href="?C=D;O=A">Description</a>\
</th></tr>
   <tr><th colspan="5"><hr></th></tr>
<tr><td valign="top"><img src="/icons/back.gif" alt="[PARENTDIR]"></td><td><a href="/">Parent Directory</a></td>\
<td>&nbsp;</td><td align="right">  - </td><td>&nbsp;</td></tr>
<tr><td valign="top"><img src="/icons/unknown.gif" alt="[   ]"></td><td><a href="{FILE}">\
demo-1.0-py3-none-any..&gt;</a></td><td align="right">2026-11-20 10:00  </td>\
<td align="right">1.2K</td><td>&nbsp;</td></tr>
<tr><td valign="top"><img src="/icons/compressed.gif" alt="[   ]"></td><td><a href="{OTHER}">{OTHER}</a></td>\
<td align="right">2026-11-20 10:00  </td><td align="right">567 </td><td>&nbsp;</td></tr>
<tr><td valign="top"><img src="/icons/hand.right.gif" alt="[   ]"></td><td><a href="README.md">README.md</a></td>\
<td align="right">2026-11-20 10:00  </td><td align="right"> 89 </td><td>&nbsp;</td></tr>
<tr><td valign="top"><img src="/icons/folder.gif" alt="[DIR]"></td><td><a href="sub/">sub/</a></td>\
<td align="right">2026-11-20 10:00  </td><td align="right">  - </td><td>&nbsp;</td></tr>
   <tr><th colspan="5"><hr></th></tr>
</table>
<address>Apache/2.4.62 (Debian) Server at host.example Port 443</address>
</body></html>
"""
LISTINGS = {"http.server": HTTP_SERVER, "nginx": NGINX, "Apache": APACHE}
AGENT = "this page has no link to a wheel or sdist (.whl, .tar.gz, .zip)"


# --- one page -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", ["", "\ufeff", "\n"])
@pytest.mark.parametrize("kind", [JSON, f"{JSON}; charset=utf-8", JSON.upper()])
def test_a_project_page_in_json_is_what_it_says(server: Server, kind: str, start: str) -> None:
    server.pages["/simple/demo/"] = (
        kind,
        start + files(FILE, **{"project-status": {"status": "archived", "reason": "old"}}),
    )
    assert found(f"{server.root}/simple/demo/") == [
        Marked("demo", Status("archived", "old")),
        Link(url=f"{server.root}/files/{FILE}", filename=FILE, sha256=A),
    ]


@pytest.mark.parametrize("kind", [TEXT, HTML, "application/xhtml+xml", "TEXT/HTML; charset=UTF-8"])
def test_a_project_page_in_html_is_one_of_its_files(server: Server, kind: str) -> None:
    server.pages["/simple/demo/"] = kind, html(f"../../files/{FILE}#sha256={A}", head=REPOSITORY)
    assert found(f"{server.root}/simple/demo/") == [Link(url=f"{server.root}/files/{FILE}", filename=FILE, sha256=A)]


@pytest.mark.parametrize("kind", ["application/octet-stream", "text/plain; charset=utf-8", "binary/octet-stream", ""])
@pytest.mark.parametrize("start", ["", "\n  ", "\ufeff", "<!-- generated -->\n"])
def test_a_flat_page_is_one_whatever_it_is_served_as(server: Server, kind: str, start: str) -> None:
    server.pages["/wheels.html"] = kind, start + html(FILE, f"whl/{OTHER}?a=1&amp;b=2", "page2.html", "a/", "LICENSE")
    kinds = "links to other files passed over: 1 .html"
    assert found(f"{server.root}/wheels.html") == [
        Note(location=f"{server.root}/wheels.html", text=kinds, detail=True),
        Link(url=f"{server.root}/{FILE}", filename=FILE),
        Link(url=f"{server.root}/whl/{OTHER}?a=1&b=2", filename=OTHER),
    ]


def test_addresses_are_relative_to_where_the_page_was_found_in_the_end(server: Server) -> None:
    server.redirects |= {"/wheels": "/wheels/", "/wheels/": "/v2/whl/"}
    server.pages["/v2/whl/"] = TEXT, html(FILE)
    assert found(f"{server.root}/wheels#top") == [Link(url=f"{server.root}/v2/whl/{FILE}", filename=FILE)]


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/octet-stream", TEXT, ""])
@pytest.mark.parametrize("page", [files(FILE), root("demo")], ids=["project", "root"])
def test_a_json_page_served_as_something_else_is_named_as_what_it_is(server: Server, kind: str, page: str) -> None:
    server.pages["/simple/demo/"] = kind, page
    assert wrong(f"{server.root}/simple/demo/", whole_index=True) == (
        f"{server.root}/simple/demo/: this is a JSON API page served as {kind or 'nothing'}: pip and uv refuse it, "
        f"too. Let the server say {JSON}, or save the page and name the file"
    )


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("text/plain", "hello", "/x is of type text/plain and does not look like a page: name one with links to files"),
        ("", "PK\x03\x04", "/x is of type unknown and does not look like a page: name one with links to files"),
        (
            "application/octet-stream",
            "",
            "/x is of type application/octet-stream and does not look like a page: name one with links to files",
        ),
        (TEXT, "", f"/x: {AGENT}"),
        (TEXT, "hello", f"/x: {AGENT}"),
        (TEXT, html("LICENSE", "a.html", "https://else.example/"), f"/x: {AGENT}; 3 went elsewhere"),
        (TEXT, html("a/", "b/"), f"/x: {AGENT}; 2 links went to directories: use --recursive"),
        (
            TEXT,
            html("../", "a/", "a.txt"),
            f"/x: {AGENT}; 1 links went to directories: use --recursive; 2 went elsewhere",
        ),
        (JSON, "[]", "/x is JSON, but no page of the Simple API"),
        (
            JSON,
            '{"meta": {"api-version": "2.0"}, "files": []}',
            "/x is of version 2.0 of the Simple API, and mkindex knows version 1",
        ),
        (JSON, '{"files": [', "/x is no JSON, or not all of it (Expecting value: line 1 column 12 (char 11))"),
        (
            TEXT,
            f'<a href="{FILE}">x</a><a href="',
            "/x ends inside a tag or a comment: it was cut off, so that links may be missing",
        ),
    ],
)
def test_of_a_page_that_is_none_it_is_said_what_was_seen(server: Server, kind: str, text: str, message: str) -> None:
    server.pages["/x"] = kind, text
    assert wrong(f"{server.root}/x") == server.root + message


def test_an_answer_that_is_none_is_an_error_that_says_what_to_do(server: Server) -> None:
    assert wrong(f"{server.root}/gone?token=secret") == f"{server.root}/gone: answers 404: there is no such thing"


def test_a_page_that_is_not_closed_is_read_with_a_note(server: Server) -> None:
    server.pages["/x"] = TEXT, f'<html><a href="{FILE}">x</a>'
    text = "the page has no </html> at its end: it may have been cut off, so that links are missing"
    assert found(f"{server.root}/x") == [
        Note(location=f"{server.root}/x", text=text),
        Link(url=f"{server.root}/{FILE}", filename=FILE),
    ]


def test_hostile_links_are_rejected_and_the_rest_is_listed(server: Server, tmp_path: Path) -> None:
    write_wheel(tmp_path, "demo", "1.0")
    text = f'<a href="{tmp_path.as_uri()}/{FILE}">1</a><a href="https://u:secret@host.example/{FILE}">2</a>'
    server.pages["/x"] = TEXT, f'{text}<a href="{OTHER}">3</a>'
    server.pages["/base"] = (
        TEXT,
        f'<base href="{tmp_path.as_uri()}/"><a href="{FILE}">1</a><a href="{server.root}/{OTHER}">2</a>',
    )
    server.pages["/json"] = JSON, json.dumps({"files": [{"filename": FILE, "url": f"{tmp_path.as_uri()}/{FILE}"}]})
    listed = Link(url=f"{server.root}/{OTHER}", filename=OTHER)
    one, two, three = found(f"{server.root}/x")
    assert isinstance(one, Rejected)
    assert isinstance(two, Rejected)
    assert (two.location, three) == (f"https://host.example/{FILE}", listed)
    for path in ("/base", "/json"):
        assert [one for one in found(server.root + path) if isinstance(one, Artifact)] == []
    assert listed in found(f"{server.root}/base")


def test_only_wanted_files_of_a_page_are_listed(server: Server) -> None:
    server.pages["/x"] = TEXT, html(FILE, OTHER)
    assert found(f"{server.root}/x", "Other") == [Link(url=f"{server.root}/{OTHER}", filename=OTHER)]


# --- listings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("listing", LISTINGS.values(), ids=LISTINGS)
def test_a_listing_of_a_server_is_one_of_its_files_and_names_what_is_below_it(server: Server, listing: str) -> None:
    url = f"{server.root}/whl/"
    server.pages["/whl/"] = TEXT, listing
    expected = [
        Note(location=url, text="links to other files passed over: 1 .md", detail=True),
        Link(url=url + FILE, filename=FILE),
        Link(url=url + OTHER, filename=OTHER),
        Note(location=url, text="1 subdirectory not read (--recursive reads them)"),
    ]
    assert (found(url), server.received) == (expected, ["/whl/"])


@pytest.mark.parametrize("listing", LISTINGS.values(), ids=LISTINGS)
def test_what_is_below_a_listing_is_read_when_asked_for_and_each_directory_once(server: Server, listing: str) -> None:
    server.pages |= {
        "/whl/": (TEXT, listing),
        "/whl/sub/": (
            TEXT,
            html(
                "../",
                "./",
                "/whl/",
                "deep/",
                "/whl/sub/deep/",
                "demo-3.0.zip",
                head="<title>Index of /whl/sub/</title>",
            ),
        ),
        "/whl/sub/deep/": (TEXT, html("../", "demo-4.0.zip")),
    }
    links = [one for one in found(f"{server.root}/whl/", recursive=True) if isinstance(one, Link)]
    paths = [FILE, OTHER, "sub/demo-3.0.zip", "sub/deep/demo-4.0.zip"]
    assert links == [Link(url=f"{server.root}/whl/{path}", filename=path.rpartition("/")[2]) for path in paths]
    assert server.received == ["/whl/", "/whl/sub/", "/whl/sub/deep/"]


@pytest.mark.parametrize(("path", "head"), [("/whl/", "<title>Index of /whl/</title>"), ("/whl/", ""), ("/whl", "")])
def test_a_page_of_directories_only_is_read_when_asked_for(server: Server, path: str, head: str) -> None:
    server.pages |= {path: (TEXT, html("/whl/cu118/", "/whl/cu121/", head=head))}
    server.pages |= {f"/whl/{cuda}/": (TEXT, html(f"demo-1.0+{cuda}.zip", head=head)) for cuda in ("cu118", "cu121")}
    assert (
        wrong(f"{server.root}{path}") == f"{server.root}{path}: {AGENT}; 2 links went to directories: use --recursive"
    )
    assert found(f"{server.root}{path}", recursive=True) == [
        Link(url=f"{server.root}/whl/{cuda}/demo-1.0%2B{cuda}.zip", filename=f"demo-1.0+{cuda}.zip")
        for cuda in ("cu118", "cu121")
    ]


def test_a_directory_that_cannot_be_read_is_an_error_and_not_a_shorter_listing(server: Server) -> None:
    server.pages["/whl/"] = TEXT, HTTP_SERVER
    assert (
        wrong(f"{server.root}/whl/", recursive=True) == f"{server.root}/whl/sub/: answers 404: there is no such thing"
    )


def test_a_directory_that_leads_back_is_read_once(server: Server) -> None:
    server.pages["/whl/"] = TEXT, html("up/", "demo-1.0.zip")
    server.redirects["/whl/up/"] = "/whl/"
    links = [one for one in found(f"{server.root}/whl/", recursive=True) if isinstance(one, Link)]
    assert set(links) == {Link(url=f"{server.root}/whl/demo-1.0.zip", filename="demo-1.0.zip")}
    assert server.received == ["/whl/", "/whl/up/", "/whl/"]


def test_directories_without_end_are_an_error(server: Server) -> None:
    path = "/"
    for _ in range(30):
        server.pages[path] = TEXT, html("a/", "demo-1.0.zip")
        path += "a/"
    assert wrong(f"{server.root}/", recursive=True) == (
        f"{server.root}/: more than 10,000 pages or 20 levels below it: name what is wanted"
    )


# --- whole indexes --------------------------------------------------------------------------------------------------


def an_index(server: Server, how: str, *, path: str = "/simple/") -> None:
    """An index of two projects."""
    projects = {"demo": FILE, "other": OTHER}
    if how == "JSON":
        server.pages[path] = JSON, root("Demo", "other")
        server.pages |= {f"/simple/{name}/": (JSON, files(file)) for name, file in projects.items()}
        return
    head = {"PEP 503": "", "PEP 629": REPOSITORY, "a listing": "<title>Index of /simple/</title>"}[how]
    server.pages[path] = TEXT, html("/simple/demo/", "/simple/other/", head=head)
    server.pages |= {
        f"/simple/{name}/": (TEXT, html(f"../../files/{file}#sha256={A}", head=head)) for name, file in projects.items()
    }


HOW = ["JSON", "PEP 503", "PEP 629", "a listing"]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("path", ["/simple/", "/simple"])
def test_of_an_index_all_projects_are_read_in_its_order(server: Server, how: str, path: str) -> None:
    an_index(server, how, path=path)
    links = [Link(url=f"{server.root}/files/{name}", filename=name, sha256=A) for name in (FILE, OTHER)]
    assert found(f"{server.root}{path}", whole_index=True) == links


@pytest.mark.parametrize("how", HOW)
def test_of_an_index_only_the_chosen_projects_are_asked_for(server: Server, how: str) -> None:
    an_index(server, how)
    server.pages["/simple/demo/"] = TEXT, "<a href="
    link = Link(url=f"{server.root}/files/{OTHER}", filename=OTHER, sha256=A)
    assert found(f"{server.root}/simple/", "Other") == [link]
    assert set(server.received) == {"/simple/", "/simple/other/"}


@pytest.mark.parametrize("how", HOW)
def test_nobody_crawls_an_index_by_mistake(server: Server, how: str) -> None:
    an_index(server, how)
    message = "is an index of 2 projects: name those that you want with --include, or take --all"
    assert wrong(f"{server.root}/simple/") == f"{server.root}/simple/ {message}"
    assert wrong(f"{server.root}/simple/", recursive=True) == f"{server.root}/simple/ {message}"


def test_an_index_is_known_by_what_the_pages_of_its_projects_say_of_themselves(server: Server) -> None:
    server.pages |= {
        "/simple/": (TEXT, html("gone/", "empty/")),
        "/simple/empty/": (TEXT, html(head=REPOSITORY)),
    }
    message = "is an index of 2 projects: name those that you want with --include, or take --all"
    assert wrong(f"{server.root}/simple/") == f"{server.root}/simple/ {message}"


@pytest.mark.parametrize("how", HOW)
def test_a_project_that_is_listed_and_not_there_is_rejected_alone(server: Server, how: str) -> None:
    an_index(server, how)
    del server.pages["/simple/other/"]
    reason = "the index lists this project, and its page answers 404: there is no such thing"
    assert found(f"{server.root}/simple/", whole_index=True) == [
        Link(url=f"{server.root}/files/{FILE}", filename=FILE, sha256=A),
        Rejected(location=f"{server.root}/simple/other/", reason=reason),
    ]


@pytest.mark.parametrize("how", HOW)
def test_a_project_whose_page_makes_no_sense_stops_everything(server: Server, how: str) -> None:
    an_index(server, how)
    server.pages["/simple/other/"] = TEXT, f'<a href="{OTHER}">x</a><a href="'
    text = "ends inside a tag or a comment: it was cut off, so that links may be missing"
    assert wrong(f"{server.root}/simple/", whole_index=True) == f"{server.root}/simple/other/ {text}"


@pytest.mark.parametrize("how", HOW)
def test_an_index_with_a_query_in_its_address_has_its_projects_where_any_index_has_them(
    server: Server, how: str
) -> None:
    an_index(server, how, path="/simple/?format=x")
    server.pages |= {f"{path}?format=x": page for path, page in server.pages.items() if "?" not in path}
    links = [Link(url=f"{server.root}/files/{name}", filename=name, sha256=A) for name in (FILE, OTHER)]
    assert found(f"{server.root}/simple/?format=x", whole_index=True) == links
    assert {path.partition("?")[0] for path in server.received} == {"/simple/", "/simple/demo/", "/simple/other/"}


@pytest.mark.parametrize("path", ["/whl/rocm6.2", "/whl/rocm6.2/", "/3.12", "/my.index"])
def test_the_address_of_an_index_may_have_a_dot_in_it(server: Server, path: str) -> None:
    server.pages[path] = JSON, root("demo")
    server.pages[f"{path.rstrip('/')}/demo/"] = JSON, files(FILE)
    assert [type(one) for one in found(f"{server.root}{path}", whole_index=True)] == [Link]


def test_names_of_projects_lead_nowhere_else(server: Server) -> None:
    names = ["../../secret", "//else.example/x", "a?b#c", "http://else.example/", "", ".", "..", "a b", "é", "a%2F.."]
    an_index(server, "JSON")
    server.pages["/simple/"] = JSON, root(*names, "demo")
    listed = found(f"{server.root}/simple/", whole_index=True)
    link = Link(url=f"{server.root}/files/{FILE}", filename=FILE, sha256=A)
    text = "10 of the projects that it lists have names that no project can have: passed over"
    assert listed == [Note(location=f"{server.root}/simple/", text=text), link]
    assert [path for path in server.received if not re.fullmatch(r"/simple/([^/?#]+/)?", path)] == []


def test_an_index_without_a_project_names_nothing(server: Server) -> None:
    server.pages |= {"/simple/": (JSON, root()), "/simple/demo/": (JSON, json.dumps({"name": "demo", "files": []}))}
    assert [found(f"{server.root}{path}", whole_index=True) for path in ("/simple/", "/simple/demo/")] == [[], []]


@pytest.mark.parametrize("kind", [JSON, TEXT])
def test_a_project_without_a_file_that_has_a_status_keeps_it(server: Server, kind: str) -> None:
    head = f'{REPOSITORY}<meta name="pypi:project-status" content="quarantined">'
    status = {"project-status": {"status": "quarantined"}}
    text = json.dumps({"name": "demo", "files": []} | status) if kind == JSON else html(head=head)
    server.pages["/simple/demo/"] = kind, text
    assert found(f"{server.root}/simple/demo/") == [Marked("demo", Status("quarantined"))]


@pytest.mark.parametrize("name", ["a/b", "a\nb", "../..", "é", "-"])
def test_a_status_is_of_no_project_that_cannot_be_one(server: Server, name: str) -> None:
    text = json.dumps({"name": name, "files": [], "project-status": {"status": "archived"}})
    server.pages |= {"/simple/demo/": (JSON, text), "/a%20b/": (JSON, text)}
    assert found(f"{server.root}/simple/demo/") == [Marked("demo", Status("archived"))]
    assert found(f"{server.root}/a%20b/") == [
        Note(location=f"{server.root}/a%20b/", text="says archived, but not of which project: passed over")
    ]


# --- here -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A directory with a page and files beside it, below it and outside."""
    (tmp_path / "a b/sub").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    write_wheel(tmp_path / "a b", "demo", "1.0")
    write_sdist(tmp_path / "a b/sub", "demo", "1.0")
    write_sdist(tmp_path / "outside", "other", "2.0")
    return tmp_path / "a b"


def artifact(root: Path, relative: str, url: str, **said: Any) -> Artifact:  # noqa: ANN401 (fields of Link)
    path = root / relative
    return Artifact(str(root), relative, Fingerprint.of(path.stat()), Link(url=url, filename=path.name, **said))


@pytest.mark.parametrize(
    "name", ["page.html", "page.htm", "page", "page.txt", "index.html", "p#ge?.html", "p%20.html", "é.html"]
)
@pytest.mark.parametrize("form", ["path", "URL"])
def test_a_page_here_names_files_here_and_elsewhere(here: Path, name: str, form: str) -> None:
    hrefs = [f"{FILE}#sha256={A}", "sub/demo-1.0.tar.gz", f"../outside/{OTHER}", f"https://host.example/{OTHER}"]
    (here / name).write_text(html(*hrefs))
    outside = here.parent / "outside"
    assert found(str(here / name) if form == "path" else (here / name).as_uri()) == [
        artifact(here, FILE, (here / FILE).as_uri(), sha256=A),
        artifact(here, "sub/demo-1.0.tar.gz", (here / "sub/demo-1.0.tar.gz").as_uri()),
        artifact(outside, OTHER, (outside / OTHER).as_uri()),
        Link(url=f"https://host.example/{OTHER}", filename=OTHER),
    ]


@pytest.mark.parametrize(
    "form", ["file://{}/page.html", "file:{}/page.html", "file://localhost{}/page.html", "FILE://{}/page.html"]
)
def test_a_page_here_may_be_named_by_any_file_url(here: Path, form: str) -> None:
    (here / "page.html").write_text(html(FILE))
    (one,) = found(form.format(here.as_uri().removeprefix("file://")))
    assert isinstance(one, Artifact)
    assert (one.root, one.relative) == (str(here), FILE)


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_directory_here_is_named_by_a_file_url_too(here: Path, slash: str) -> None:
    note = Note(location=str(here), text="subdirectories not read: sub (--recursive reads them)")
    listed = Artifact(str(here), FILE, Fingerprint.of((here / FILE).stat()))
    assert found(here.as_uri() + slash) == [listed, note]
    (here / "index.html").write_text(html("sub/demo-1.0.tar.gz"))
    (one,) = found(here.as_uri() + slash)
    assert isinstance(one, Artifact)
    assert (one.root, one.relative) == (str(here), "sub/demo-1.0.tar.gz")


def test_a_file_that_a_page_here_names_and_that_is_not_there_is_rejected_alone(here: Path) -> None:
    (here / "dir-1.0.zip").mkdir()
    os.mkfifo(here / "pipe-1.0.zip")
    (here / "page.html").write_text(html("gone-1.0.zip", "dir-1.0.zip", "pipe-1.0.zip", f"{FILE}%2Fx-1.0.zip", FILE))
    rejected = [one for one in found(str(here / "page.html")) if isinstance(one, Rejected)]
    assert [(one.location.rpartition("/")[2], one.reason) for one in rejected if "gone" in one.location] == [
        ("gone-1.0.zip", "the page names it, and it cannot be read: No such file or directory")
    ]
    assert len(rejected) == 4
    assert artifact(here, FILE, (here / FILE).as_uri()) in found(str(here / "page.html"))


@pytest.mark.parametrize(
    "href", ["%2e%2e/outside/{}", "sub/%2E%2E/../../outside/{}", "..%2Foutside/{}", "sub%2F..%2F..%2Foutside/{}"]
)
def test_no_spelling_of_a_link_gives_a_file_a_place_above_its_page(here: Path, href: str) -> None:
    (here / "page.html").write_text(html(href.format(OTHER)))
    for one in found(str(here / "page.html")):
        assert isinstance(one, Rejected) or ".." not in one.relative.split("/")  # type: ignore[union-attr]


def test_a_page_in_a_directory_that_is_no_unicode_is_read(tmp_path: Path) -> None:
    directory = tmp_path / os.fsdecode(b"caf\xe9")
    directory.mkdir()
    write_wheel(directory, "demo", "1.0")
    (directory / "page.html").write_text(html(FILE))
    (one,) = found(str(directory / "page.html"))
    assert isinstance(one, Artifact)
    assert (one.root, one.relative) == (str(directory), FILE)


@pytest.mark.parametrize("suffix", ["", "\n"])
@pytest.mark.parametrize("name", ["demo.json", "index.v1_json", "page"])
def test_a_json_page_that_was_saved_is_read(here: Path, name: str, suffix: str) -> None:
    (here / name).write_text(
        json.dumps({"meta": {"api-version": "1.0"}, "files": [{"filename": FILE, "url": FILE, "yanked": True}]})
        + suffix
    )
    assert found(str(here / name)) == [artifact(here, FILE, (here / FILE).as_uri(), yanked="")]


@pytest.mark.parametrize("name", ["index.html", "index.v1_json"])
def test_an_index_here_is_read_from_its_root(here: Path, name: str) -> None:
    (here / "simple/demo").mkdir(parents=True)
    (here / "simple" / name).write_text(html("demo/", head=REPOSITORY) if name == "index.html" else root("demo"))
    (here / "simple/demo/index.html").write_text(html(f"../../{FILE}", head=REPOSITORY))
    (one,) = found(str(here / "simple" / name), "demo")
    assert isinstance(one, Artifact)
    assert one.path == str(here / FILE)
    assert wrong(str(here / "simple" / name)).endswith(
        "is an index of 1 projects: name those that you want with --include, or take --all"
    )


@pytest.mark.parametrize(
    ("name", "text"),
    {
        "empty.html": ("", " is of type unknown and does not look like a page: name one with links to files"),
        "text.html": ("hello", " is of type unknown and does not look like a page: name one with links to files"),
        "none.html": (html("LICENSE"), f": {AGENT}; 1 went elsewhere"),
        "torn.html": (
            f'<a href="{FILE}',
            " ends inside a tag or a comment: it was cut off, so that links may be missing",
        ),
    }.items(),
)
def test_of_a_page_here_that_is_none_it_is_said_what_was_seen(here: Path, name: str, text: tuple[str, str]) -> None:
    (here / name).write_text(text[0])
    assert wrong(str(here / name)) == f"{(here / name).as_uri()}{text[1]}"


def test_an_address_of_a_file_is_that_file(server: Server, tmp_path: Path) -> None:
    address = f"{server.root}/a%2Bb/demo-1.0-py3-none-any.whl"
    assert found(address) == [Link(url=address, filename="demo-1.0-py3-none-any.whl")]
    assert server.received == []


def test_the_fragment_of_an_address_of_a_file_is_its_hash(server: Server) -> None:
    address = f"{server.root}/demo-1.0-py3-none-any.whl"
    assert found(f"{address}#sha256={A}") == [Link(url=address, filename="demo-1.0-py3-none-any.whl", sha256=A)]
    assert found(f"{address}#sha256={A}", "other") == []


def test_an_address_of_a_file_that_no_file_can_have_is_an_error(server: Server) -> None:
    address = f"{server.root}/a%20b-1.0-py3-none-any.whl"
    assert wrong(address) == f"{address}: {STRANGE_NAME}"


@pytest.mark.parametrize("name", ["demo/", "demo/index.html", "pages/demo.html"])
def test_a_status_is_that_of_the_project_whatever_its_page_is_called(server: Server, name: str) -> None:
    marked = '<meta name="pypi:project-status" content="deprecated">'
    server.pages[f"/simple/{name}"] = TEXT, html("demo-1.0-py3-none-any.whl", head=marked)
    assert [one for one in found(f"{server.root}/simple/{name}") if isinstance(one, Marked)] == [
        Marked("demo", Status("deprecated"))
    ]
