"""Pages and listings as sources."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from mkindex.errors import Note, Rejected
from mkindex.model.files import Artifact, Link
from mkindex.model.index import ProjectStatus, StatusMarker
from mkindex.simple.media_types import HTML_TYPE, JSON_TYPE
from mkindex.sources.fetch import fetch_ahead
from mkindex.web.responses import PageResponse
from support.page_server import (
    FILE,
    NO_FILES,
    OTHER,
    REPOSITORY,
    TEXT,
    A,
    PageServer,
    error_text,
    find_files,
    html_page,
    json_page,
    json_root,
)
from support.wheels import write_wheel

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def server(page_server: PageServer) -> PageServer:
    return page_server


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


# --- one page ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", ["", "\ufeff", "\n"])
@pytest.mark.parametrize("kind", [JSON_TYPE, f"{JSON_TYPE}; charset=utf-8", JSON_TYPE.upper()])
def test_a_project_page_in_json_is_read_with_its_status(server: PageServer, kind: str, start: str) -> None:
    server.pages["/simple/demo/"] = (
        kind,
        start + json_page(FILE, **{"project-status": {"status": "archived", "reason": "old"}}),
    )
    assert find_files(f"{server.root}/simple/demo/") == [
        StatusMarker("demo", ProjectStatus("archived", "old")),
        Link(url=f"{server.root}/files/{FILE}", filename=FILE, sha256=A),
    ]


@pytest.mark.parametrize("kind", [TEXT, HTML_TYPE, "application/xhtml+xml", "TEXT/HTML; charset=UTF-8"])
def test_a_project_page_in_html_is_read_with_any_html_type(server: PageServer, kind: str) -> None:
    server.pages["/simple/demo/"] = kind, html_page(f"../../files/{FILE}#sha256={A}", head=REPOSITORY)
    assert find_files(f"{server.root}/simple/demo/") == [
        Link(url=f"{server.root}/files/{FILE}", filename=FILE, sha256=A)
    ]


@pytest.mark.parametrize("kind", ["application/octet-stream", "text/plain; charset=utf-8", "binary/octet-stream", ""])
@pytest.mark.parametrize("start", ["", "\n  ", "\ufeff", "<!-- generated -->\n"])
def test_a_find_links_page_is_read_with_any_content_type(server: PageServer, kind: str, start: str) -> None:
    server.pages["/wheels.html"] = (
        kind,
        start + html_page(FILE, f"whl/{OTHER}?a=1&amp;b=2", "page2.html", "a/", "LICENSE"),
    )
    kinds = "skipped links to other files: 1 .html"
    assert find_files(f"{server.root}/wheels.html") == [
        Note(location=f"{server.root}/wheels.html", text=kinds, detail=True),
        Link(url=f"{server.root}/{FILE}", filename=FILE),
        Link(url=f"{server.root}/whl/{OTHER}?a=1&b=2", filename=OTHER),
    ]


def test_links_are_relative_to_the_address_after_redirects(server: PageServer) -> None:
    server.redirects |= {"/wheels": "/wheels/", "/wheels/": "/v2/whl/"}
    server.pages["/v2/whl/"] = TEXT, html_page(FILE)
    assert find_files(f"{server.root}/wheels#top") == [Link(url=f"{server.root}/v2/whl/{FILE}", filename=FILE)]


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/octet-stream", TEXT, ""])
@pytest.mark.parametrize("page", [json_page(FILE), json_root("demo")], ids=["project", "root"])
def test_a_json_page_with_another_content_type_is_an_error_that_says_so(
    server: PageServer, kind: str, page: str
) -> None:
    server.pages["/simple/demo/"] = kind, page
    assert error_text(f"{server.root}/simple/demo/", whole_index=True) == (
        f"{server.root}/simple/demo/: a JSON page of the Simple API with the content type {kind or '(none)'}, which "
        f"pip and uv refuse. Serve it as {JSON_TYPE}, or save the page and give the file as SOURCE"
    )


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("text/plain", "hello", "/x: not a page (content type text/plain). Give a page with links to wheels or sdists"),
        ("", "PK\x03\x04", "/x: not a page (content type unknown). Give a page with links to wheels or sdists"),
        (
            "application/octet-stream",
            "",
            "/x: not a page (content type application/octet-stream). Give a page with links to wheels or sdists",
        ),
        (TEXT, "", f"/x: {NO_FILES}"),
        (TEXT, "hello", f"/x: {NO_FILES}"),
        (TEXT, html_page("LICENSE", "a.html", "https://else.example/"), f"/x: {NO_FILES}, but 3 other links"),
        (TEXT, html_page("a/", "b/"), f"/x: {NO_FILES}, but 2 links to directories (use --recursive)"),
        (
            TEXT,
            html_page("../", "a/", "a.txt"),
            f"/x: {NO_FILES}, but 1 link to directories (use --recursive) and 2 other links",
        ),
        (JSON_TYPE, "[]", "/x is JSON, but not a page of the Simple API"),
        (
            JSON_TYPE,
            '{"meta": {"api-version": "2.0"}, "files": []}',
            "/x is of version 2.0 of the Simple API, but mkindex supports only version 1",
        ),
        (
            JSON_TYPE,
            '{"files": [',
            "/x is not valid JSON: damaged or truncated (Expecting value: line 1 column 12 (char 11))",
        ),
        (
            TEXT,
            f'<a href="{FILE}">x</a><a href="',
            "/x ends inside a tag or a comment: it is truncated, and links may be missing",
        ),
    ],
)
def test_the_error_for_a_response_that_is_not_a_page_describes_it(
    server: PageServer, kind: str, text: str, message: str
) -> None:
    server.pages["/x"] = kind, text
    assert error_text(f"{server.root}/x") == server.root + message


def test_the_error_for_a_missing_page_hides_its_query(server: PageServer) -> None:
    message = f"{server.root}/gone: answers 404: not found. Check the address"
    hint = "If this is an index that does not list its projects, name them: --include NAME"
    assert error_text(f"{server.root}/gone?token=secret") == f"{message}. {hint}"
    assert error_text(f"{server.root}/gone.html?token=secret") == message.replace("gone", "gone.html")


def test_a_page_without_end_tag_is_read_with_a_note(server: PageServer) -> None:
    server.pages["/x"] = TEXT, f'<html><a href="{FILE}">x</a>'
    text = "no </html> at the end of the page: it may be truncated, and links may be missing"
    assert find_files(f"{server.root}/x") == [
        Note(location=f"{server.root}/x", text=text),
        Link(url=f"{server.root}/{FILE}", filename=FILE),
    ]


def test_hostile_links_are_rejected_and_the_others_are_listed(server: PageServer, tmp_path: Path) -> None:
    write_wheel(tmp_path, "demo", "1.0")
    text = f'<a href="{tmp_path.as_uri()}/{FILE}">1</a><a href="https://u:secret@host.example/{FILE}">2</a>'
    server.pages["/x"] = TEXT, f'{text}<a href="{OTHER}">3</a>'
    server.pages["/base"] = (
        TEXT,
        f'<base href="{tmp_path.as_uri()}/"><a href="{FILE}">1</a><a href="{server.root}/{OTHER}">2</a>',
    )
    server.pages["/json"] = JSON_TYPE, json.dumps({"files": [{"filename": FILE, "url": f"{tmp_path.as_uri()}/{FILE}"}]})
    listed = Link(url=f"{server.root}/{OTHER}", filename=OTHER)
    one, two, three = find_files(f"{server.root}/x")
    assert isinstance(one, Rejected)
    assert isinstance(two, Rejected)
    assert (two.location, three) == (f"https://host.example/{FILE}", listed)
    for path in ("/base", "/json"):
        assert [one for one in find_files(server.root + path) if isinstance(one, Artifact)] == []
    assert listed in find_files(f"{server.root}/base")


def test_only_selected_files_of_a_page_are_listed(server: PageServer) -> None:
    server.pages["/x"] = TEXT, html_page(FILE, OTHER)
    assert find_files(f"{server.root}/x", "Other") == [Link(url=f"{server.root}/{OTHER}", filename=OTHER)]


@pytest.mark.parametrize(
    "address",
    [
        "v1.0.zip",
        "1.0.tar.gz",
        "docs.zip",
        "me/demo/archive/refs/tags/demo-1.0.tar.gz",
        "me/demo/-/archive/v1.0/demo-v1.0.zip",
    ],
)
def test_archives_of_sources_on_a_find_links_page_are_skipped_by_name(server: PageServer, address: str) -> None:
    url = f"{server.root}/me/demo/releases/expanded_assets/v1.0"
    server.pages["/me/demo/releases/expanded_assets/v1.0"] = TEXT, html_page(f"/{FILE}", f"/{address}", f"/{OTHER}")
    ending = address.rpartition(".")[2]
    assert find_files(url) == [
        Note(location=url, text=f"skipped links to other files: 1 .{ending}", detail=True),
        Link(url=f"{server.root}/{FILE}", filename=FILE),
        Link(url=f"{server.root}/{OTHER}", filename=OTHER),
    ]


def test_an_archive_on_the_page_of_a_project_is_no_other_file(server: PageServer) -> None:
    server.pages["/simple/demo/"] = TEXT, html_page("../../demo-final.zip", head=REPOSITORY)
    filename = "demo-final.zip"
    assert find_files(f"{server.root}/simple/demo/") == [Link(url=f"{server.root}/{filename}", filename=filename)]


# --- listings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("listing", LISTINGS.values(), ids=LISTINGS)
def test_a_directory_listing_lists_its_files_and_notes_its_subdirectories(server: PageServer, listing: str) -> None:
    url = f"{server.root}/whl/"
    server.pages["/whl/"] = TEXT, listing
    expected = [
        Note(location=url, text="skipped links to other files: 1 .md", detail=True),
        Link(url=url + FILE, filename=FILE),
        Link(url=url + OTHER, filename=OTHER),
        Note(location=url, text="1 subdirectory skipped (use --recursive)"),
    ]
    assert (find_files(url), server.received) == (expected, ["/whl/"])


@pytest.mark.parametrize("listing", LISTINGS.values(), ids=LISTINGS)
def test_recursive_reads_each_directory_below_a_listing_once(server: PageServer, listing: str) -> None:
    server.pages |= {
        "/whl/": (TEXT, listing),
        "/whl/sub/": (
            TEXT,
            html_page(
                "../",
                "./",
                "/whl/",
                "deep/",
                "/whl/sub/deep/",
                "demo-3.0.zip",
                head="<title>Index of /whl/sub/</title>",
            ),
        ),
        "/whl/sub/deep/": (TEXT, html_page("../", "demo-4.0.zip")),
    }
    links = [one for one in find_files(f"{server.root}/whl/", recursive=True) if isinstance(one, Link)]
    paths = [FILE, OTHER, "sub/demo-3.0.zip", "sub/deep/demo-4.0.zip"]
    assert links == [Link(url=f"{server.root}/whl/{path}", filename=path.rpartition("/")[2]) for path in paths]
    assert server.received == ["/whl/", "/whl/sub/", "/whl/sub/deep/"]


@pytest.mark.parametrize(("path", "head"), [("/whl/", "<title>Index of /whl/</title>"), ("/whl/", ""), ("/whl", "")])
def test_a_page_with_only_directories_is_read_with_recursive(server: PageServer, path: str, head: str) -> None:
    server.pages |= {path: (TEXT, html_page("/whl/cu118/", "/whl/cu121/", head=head))}
    server.pages |= {
        f"/whl/{cuda}/": (TEXT, html_page(f"demo-1.0+{cuda}.zip", head=head)) for cuda in ("cu118", "cu121")
    }
    assert (
        error_text(f"{server.root}{path}")
        == f"{server.root}{path}: {NO_FILES}, but 2 links to directories (use --recursive)"
    )
    assert find_files(f"{server.root}{path}", recursive=True) == [
        Link(url=f"{server.root}/whl/{cuda}/demo-1.0%2B{cuda}.zip", filename=f"demo-1.0+{cuda}.zip")
        for cuda in ("cu118", "cu121")
    ]


def test_a_missing_directory_below_a_listing_is_an_error(server: PageServer) -> None:
    server.pages["/whl/"] = TEXT, HTTP_SERVER
    assert (
        error_text(f"{server.root}/whl/", recursive=True)
        == f"{server.root}/whl/sub/: answers 404: not found. Check the address"
    )


def test_a_directory_that_redirects_to_its_parent_is_read_once(server: PageServer) -> None:
    server.pages["/whl/"] = TEXT, html_page("up/", "demo-1.0.zip")
    server.redirects["/whl/up/"] = "/whl/"
    links = [one for one in find_files(f"{server.root}/whl/", recursive=True) if isinstance(one, Link)]
    assert set(links) == {Link(url=f"{server.root}/whl/demo-1.0.zip", filename="demo-1.0.zip")}
    assert server.received == ["/whl/", "/whl/up/", "/whl/"]


def test_endless_directories_are_an_error(server: PageServer) -> None:
    path = "/"
    for _ in range(30):
        server.pages[path] = TEXT, html_page("a/", "demo-1.0.zip")
        path += "a/"
    assert error_text(f"{server.root}/", recursive=True) == (
        f"{server.root}/: more than 10,000 pages or 20 levels of subdirectories. Give a directory further down"
    )


# --- the project of a page --------------------------------------------------------------------------------------------

ODD = ["foo-1.0-1.tar.gz", "foo-bar-1.0.tar.gz", "other-1.0-1.tar.gz", "foo-1.0.tar.gz", "foo-1.0-1-py3-none-any.whl"]
DECIDED = {"foo-1.0-1.tar.gz": "foo", "foo-bar-1.0.tar.gz": "foo"}  # the others mean the same on every page


def projects_of_links(server: PageServer, path: str) -> dict[str, str]:
    """Return the project of the page for each file whose name it decides the meaning of."""
    links = [item for item in find_files(f"{server.root}{path}") if isinstance(item, Link)]
    assert [link.filename for link in links] == ODD
    return {link.filename: link.project for link in links if link.project}


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        pytest.param("/simple/Foo/", html_page(*ODD, head=REPOSITORY), DECIDED, id="a page of an index"),
        pytest.param("/simple/foo/index.html", html_page(*ODD, head=REPOSITORY), DECIDED, id="its file"),
        pytest.param("/foo/", html_page(*ODD), {}, id="a page without a version"),
        pytest.param("/foo/links.html", html_page(*ODD, head=REPOSITORY), {}, id="a find-links page"),
        pytest.param("/_/", html_page(*ODD, head=REPOSITORY), {}, id="not the name of a project"),
    ],
)
def test_only_the_page_of_a_project_says_which_project_its_sdists_belong_to(
    server: PageServer, path: str, text: str, expected: dict[str, str]
) -> None:
    server.pages[path] = "text/html", text
    assert projects_of_links(server, path) == expected


def test_the_name_on_a_json_page_says_which_project_its_sdists_belong_to(server: PageServer) -> None:
    server.pages["/x/"] = JSON_TYPE, json_page(*ODD)
    assert projects_of_links(server, "/x/") == DECIDED


@pytest.mark.parametrize(("size", "most"), [(100, 32), (2_000_000, 1)])
def test_few_pages_of_a_listing_are_in_memory_at_a_time(size: int, most: int) -> None:
    requested, taken, ahead = list[str](), 0, list[int]()

    class Web:
        def get_page(self, url: str) -> PageResponse:
            requested.append(url)
            return PageResponse(url, "text/html", "x" * size)

    urls = [f"https://host/{number}/" for number in range(100)]
    with ThreadPoolExecutor(1) as executor:
        for number, page in enumerate(fetch_ahead(urls, Web(), executor)):  # type: ignore[arg-type]
            assert page.url == urls[number]
            taken += 1
            executor.submit(int).result()  # after all that were submitted before
            ahead.append(len(requested) - taken)
    assert (requested, max(ahead)) == (urls, most - 1)
