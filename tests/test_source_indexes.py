"""Whole indexes as sources: which projects are asked for, and how an index is recognised."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

import pytest

from mkindex.errors import Note, Rejected
from mkindex.model.files import Link
from mkindex.model.index import ProjectStatus, StatusMarker
from mkindex.simple.media_types import JSON_TYPE
from support.page_server import (
    FILE,
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

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def running() -> Iterator[PageServer]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            patch.delenv(name, raising=False)
        patch.setenv("NETRC", os.devnull)
        server = PageServer()
        yield server
        server.close()


@pytest.fixture
def server(running: PageServer) -> PageServer:
    running.pages.clear()
    running.redirects.clear()
    running.received.clear()
    return running


def an_index(server: PageServer, how: str, *, path: str = "/simple/") -> None:
    """An index of two projects."""
    projects = {"demo": FILE, "other": OTHER}
    if how == "JSON":
        server.pages[path] = JSON_TYPE, json_root("Demo", "other")
        server.pages |= {f"/simple/{name}/": (JSON_TYPE, json_page(file)) for name, file in projects.items()}
        return
    head = {"PEP 503": "", "PEP 629": REPOSITORY, "a listing": "<title>Index of /simple/</title>"}[how]
    server.pages[path] = TEXT, html_page("/simple/demo/", "/simple/other/", head=head)
    server.pages |= {
        f"/simple/{name}/": (TEXT, html_page(f"../../files/{file}#sha256={A}", head=head))
        for name, file in projects.items()
    }


HOW = ["JSON", "PEP 503", "PEP 629", "a listing"]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("path", ["/simple/", "/simple"])
def test_of_an_index_all_projects_are_read_in_its_order(server: PageServer, how: str, path: str) -> None:
    an_index(server, how, path=path)
    links = [Link(url=f"{server.root}/files/{name}", filename=name, sha256=A) for name in (FILE, OTHER)]
    assert find_files(f"{server.root}{path}", whole_index=True) == links


@pytest.mark.parametrize("how", HOW)
def test_of_an_index_only_the_chosen_projects_are_asked_for(server: PageServer, how: str) -> None:
    an_index(server, how)
    server.pages["/simple/demo/"] = TEXT, "<a href="
    link = Link(url=f"{server.root}/files/{OTHER}", filename=OTHER, sha256=A)
    assert find_files(f"{server.root}/simple/", "Other") == [link]
    assert set(server.received) == {"/simple/", "/simple/other/"}


@pytest.mark.parametrize("how", HOW)
def test_nobody_crawls_an_index_by_mistake(server: PageServer, how: str) -> None:
    an_index(server, how)
    message = "is an index of 2 projects: name those that you want with --include, or take --all"
    assert error_text(f"{server.root}/simple/") == f"{server.root}/simple/ {message}"
    assert error_text(f"{server.root}/simple/", recursive=True) == f"{server.root}/simple/ {message}"


def test_an_index_is_known_by_what_the_pages_of_its_projects_say_of_themselves(server: PageServer) -> None:
    server.pages |= {
        "/simple/": (TEXT, html_page("gone/", "empty/")),
        "/simple/empty/": (TEXT, html_page(head=REPOSITORY)),
    }
    message = "is an index of 2 projects: name those that you want with --include, or take --all"
    assert error_text(f"{server.root}/simple/") == f"{server.root}/simple/ {message}"


@pytest.mark.parametrize("how", HOW)
def test_a_project_that_is_listed_and_not_there_is_rejected_alone(server: PageServer, how: str) -> None:
    an_index(server, how)
    del server.pages["/simple/other/"]
    reason = "the index lists this project, and its page answers 404: there is no such thing"
    assert find_files(f"{server.root}/simple/", whole_index=True) == [
        Link(url=f"{server.root}/files/{FILE}", filename=FILE, sha256=A),
        Rejected(location=f"{server.root}/simple/other/", reason=reason),
    ]


@pytest.mark.parametrize("how", HOW)
def test_a_project_whose_page_makes_no_sense_stops_everything(server: PageServer, how: str) -> None:
    an_index(server, how)
    server.pages["/simple/other/"] = TEXT, f'<a href="{OTHER}">x</a><a href="'
    text = "ends inside a tag or a comment: it was cut off, so that links may be missing"
    assert error_text(f"{server.root}/simple/", whole_index=True) == f"{server.root}/simple/other/ {text}"


@pytest.mark.parametrize("how", HOW)
def test_an_index_with_a_query_in_its_address_has_its_projects_where_any_index_has_them(
    server: PageServer, how: str
) -> None:
    an_index(server, how, path="/simple/?format=x")
    server.pages |= {f"{path}?format=x": page for path, page in server.pages.items() if "?" not in path}
    links = [Link(url=f"{server.root}/files/{name}", filename=name, sha256=A) for name in (FILE, OTHER)]
    assert find_files(f"{server.root}/simple/?format=x", whole_index=True) == links
    assert {path.partition("?")[0] for path in server.received} == {"/simple/", "/simple/demo/", "/simple/other/"}


@pytest.mark.parametrize("path", ["/whl/rocm6.2", "/whl/rocm6.2/", "/3.12", "/my.index"])
def test_the_address_of_an_index_may_have_a_dot_in_it(server: PageServer, path: str) -> None:
    server.pages[path] = JSON_TYPE, json_root("demo")
    server.pages[f"{path.rstrip('/')}/demo/"] = JSON_TYPE, json_page(FILE)
    assert [type(one) for one in find_files(f"{server.root}{path}", whole_index=True)] == [Link]


def test_names_of_projects_lead_nowhere_else(server: PageServer) -> None:
    names = ["../../secret", "//else.example/x", "a?b#c", "http://else.example/", "", ".", "..", "a b", "é", "a%2F.."]
    an_index(server, "JSON")
    server.pages["/simple/"] = JSON_TYPE, json_root(*names, "demo")
    listed = find_files(f"{server.root}/simple/", whole_index=True)
    link = Link(url=f"{server.root}/files/{FILE}", filename=FILE, sha256=A)
    text = "10 of the projects that it lists have names that no project can have: passed over"
    assert listed == [Note(location=f"{server.root}/simple/", text=text), link]
    assert [path for path in server.received if not re.fullmatch(r"/simple/([^/?#]+/)?", path)] == []


def test_an_index_without_a_project_names_nothing(server: PageServer) -> None:
    server.pages |= {
        "/simple/": (JSON_TYPE, json_root()),
        "/simple/demo/": (JSON_TYPE, json.dumps({"name": "demo", "files": []})),
    }
    assert [find_files(f"{server.root}{path}", whole_index=True) for path in ("/simple/", "/simple/demo/")] == [[], []]


@pytest.mark.parametrize("kind", [JSON_TYPE, TEXT])
def test_a_project_without_a_file_that_has_a_status_keeps_it(server: PageServer, kind: str) -> None:
    head = f'{REPOSITORY}<meta name="pypi:project-status" content="quarantined">'
    status = {"project-status": {"status": "quarantined"}}
    text = json.dumps({"name": "demo", "files": []} | status) if kind == JSON_TYPE else html_page(head=head)
    server.pages["/simple/demo/"] = kind, text
    assert find_files(f"{server.root}/simple/demo/") == [StatusMarker("demo", ProjectStatus("quarantined"))]


@pytest.mark.parametrize("name", ["a/b", "a\nb", "../..", "é", "-"])
def test_a_status_is_of_no_project_that_cannot_be_one(server: PageServer, name: str) -> None:
    text = json.dumps({"name": name, "files": [], "project-status": {"status": "archived"}})
    server.pages |= {"/simple/demo/": (JSON_TYPE, text), "/a%20b/": (JSON_TYPE, text)}
    assert find_files(f"{server.root}/simple/demo/") == [StatusMarker("demo", ProjectStatus("archived"))]
    assert find_files(f"{server.root}/a%20b/") == [
        Note(location=f"{server.root}/a%20b/", text="says archived, but not of which project: passed over")
    ]
