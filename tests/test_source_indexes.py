"""Indexes as sources: which projects are requested, and how an index is recognized."""

from __future__ import annotations

import json
import re

import pytest

from mkindex.errors import Note, Rejected
from mkindex.model.files import Link
from mkindex.model.index import ProjectStatus, StatusMarker
from mkindex.simple.media_types import JSON_TYPE
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


@pytest.fixture
def server(page_server: PageServer) -> PageServer:
    return page_server


def serve_index(server: PageServer, form: str, *, path: str = "/simple/") -> None:
    """Serve an index of two projects."""
    projects = {"demo": FILE, "other": OTHER}
    if form == "JSON":
        server.pages[path] = JSON_TYPE, json_root("Demo", "other")
        server.pages |= {f"/simple/{name}/": (JSON_TYPE, json_page(file)) for name, file in projects.items()}
        return
    head = {"PEP 503": "", "PEP 629": REPOSITORY, "a listing": "<title>Index of /simple/</title>"}[form]
    server.pages[path] = TEXT, html_page("/simple/demo/", "/simple/other/", head=head)
    server.pages |= {
        f"/simple/{name}/": (TEXT, html_page(f"../../files/{file}#sha256={A}", head=head))
        for name, file in projects.items()
    }


FORMS = ["JSON", "PEP 503", "PEP 629", "a listing"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("path", ["/simple/", "/simple"])
def test_all_projects_of_an_index_are_read_in_its_order(server: PageServer, form: str, path: str) -> None:
    serve_index(server, form, path=path)
    links = [Link(url=f"{server.root}/files/{name}", filename=name, sha256=A) for name in (FILE, OTHER)]
    assert find_files(f"{server.root}{path}", whole_index=True) == links


@pytest.mark.parametrize("form", FORMS)
def test_only_the_selected_projects_of_an_index_are_requested(server: PageServer, form: str) -> None:
    serve_index(server, form)
    server.pages["/simple/demo/"] = TEXT, "<a href="
    link = Link(url=f"{server.root}/files/{OTHER}", filename=OTHER, sha256=A)
    assert find_files(f"{server.root}/simple/", "Oth*") == [link]
    assert set(server.received) == {"/simple/", "/simple/other/"}


@pytest.mark.parametrize("include", [("Other",), ("other", "gone"), ("other-*.whl", "OTHER")])
@pytest.mark.parametrize("form", FORMS)
def test_projects_that_are_named_are_requested_without_the_root(
    server: PageServer, form: str, include: tuple[str, ...]
) -> None:
    serve_index(server, form)
    server.pages["/simple/"] = TEXT, "<a href="
    link = Link(url=f"{server.root}/files/{OTHER}", filename=OTHER, sha256=A)
    assert find_files(f"{server.root}/simple/", *include) == [link]
    assert set(server.received) <= {"/simple/other/", "/simple/gone/"}


@pytest.mark.parametrize("form", FORMS)
def test_a_whole_index_is_read_only_when_requested(server: PageServer, form: str) -> None:
    serve_index(server, form)
    message = "is an index of 2 projects. Choose projects with --include, or use --all"
    assert error_text(f"{server.root}/simple/") == f"{server.root}/simple/ {message}"
    assert error_text(f"{server.root}/simple/", recursive=True) == f"{server.root}/simple/ {message}"


def test_an_index_is_recognized_by_the_pages_of_its_projects(server: PageServer) -> None:
    server.pages |= {
        "/simple/": (TEXT, html_page("gone/", "empty/")),
        "/simple/empty/": (TEXT, html_page(head=REPOSITORY)),
    }
    message = "is an index of 2 projects. Choose projects with --include, or use --all"
    assert error_text(f"{server.root}/simple/") == f"{server.root}/simple/ {message}"


@pytest.mark.parametrize("form", FORMS)
def test_the_error_for_a_page_above_an_index_names_the_index(server: PageServer, form: str) -> None:
    serve_index(server, form)
    server.pages["/"] = server.pages["/start.html"] = TEXT, html_page("/packages/", "/simple/", "LICENSE")
    contents = f"{NO_FILES}, but 2 links to directories (use --recursive) and 1 other link"
    hint = f"There is an index at {server.root}/simple/: give that address"
    for path in ("/", "/start.html"):
        assert error_text(f"{server.root}{path}", whole_index=True) == f"{server.root}{path}: {contents}. {hint}"


@pytest.mark.parametrize("form", FORMS)
def test_a_listed_project_without_a_page_is_rejected_and_the_others_are_read(server: PageServer, form: str) -> None:
    serve_index(server, form)
    del server.pages["/simple/other/"]
    reason = "the index lists this project, but its page answers 404: not found. Check the address"
    assert find_files(f"{server.root}/simple/", whole_index=True) == [
        Link(url=f"{server.root}/files/{FILE}", filename=FILE, sha256=A),
        Rejected(location=f"{server.root}/simple/other/", reason=reason),
    ]


def test_a_project_that_is_only_where_the_root_links_to_is_read_from_there(server: PageServer) -> None:
    server.pages |= {
        "/simple/": (TEXT, html_page("My_Demo/", "other/index.html", "http://else.example/third/")),
        "/simple/My_Demo/": (TEXT, html_page(f"/files/my_{FILE}")),
        "/simple/other/index.html": (TEXT, html_page(f"/files/{OTHER}")),
    }
    links = [Link(url=f"{server.root}/files/{name}", filename=name) for name in (f"my_{FILE}", OTHER)]
    assert find_files(f"{server.root}/simple/", whole_index=True) == links
    assert find_files(f"{server.root}/simple/", "my-demo", "other") == links


def test_a_link_that_may_lead_to_something_else_is_skipped_with_a_note(server: PageServer) -> None:
    found = {}
    for path, head in (("simple", ""), ("declared", REPOSITORY)):
        server.pages |= {
            f"/{path}/": (TEXT, html_page("demo", "login", "gone/", head=head)),
            f"/{path}/demo/": (TEXT, html_page(f"/files/{FILE}")),
        }
        found[path] = find_files(f"{server.root}/{path}/", whole_index=True)
    link = Link(url=f"{server.root}/files/{FILE}", filename=FILE)
    why = "its page answers 404: not found. Check the address"
    assert found == {
        "simple": [
            Rejected(location=f"{server.root}/simple/gone/", reason=f"the index lists this project, but {why}"),
            link,
            Note(location=f"{server.root}/simple/login/", text=f"skipped: the index links to this name, but {why}"),
        ],
        "declared": [
            Rejected(location=f"{server.root}/declared/gone/", reason=f"the index lists this project, but {why}"),
            link,
            Rejected(location=f"{server.root}/declared/login/", reason=f"the index lists this project, but {why}"),
        ],
    }


def test_a_page_of_files_that_is_a_root_too_is_read_as_both_if_projects_are_chosen(server: PageServer) -> None:
    server.pages |= {
        "/simple/": (TEXT, html_page("demo/", "sub/", OTHER)),
        "/simple/demo/": (TEXT, html_page(f"/files/{FILE}")),
        "/simple/sub/": (TEXT, html_page("/files/third-1.0.zip")),
    }
    other = Link(url=f"{server.root}/simple/{OTHER}", filename=OTHER)
    links = [Link(url=f"{server.root}/files/{name}", filename=name) for name in (FILE, "third-1.0.zip")]
    assert find_files(f"{server.root}/simple/") == [other]
    assert find_files(f"{server.root}/simple/", whole_index=True) == [other, *links]
    assert find_files(f"{server.root}/simple/", "*-2.0*", "dem*") == [other, links[0]]
    assert find_files(f"{server.root}/simple/", recursive=True) == [other, *links]


@pytest.mark.parametrize("form", FORMS)
def test_a_malformed_project_page_is_an_error(server: PageServer, form: str) -> None:
    serve_index(server, form)
    server.pages["/simple/other/"] = TEXT, f'<a href="{OTHER}">x</a><a href="'
    text = "ends inside a tag or a comment: it is truncated, and links may be missing"
    assert error_text(f"{server.root}/simple/", whole_index=True) == f"{server.root}/simple/other/ {text}"


@pytest.mark.parametrize("form", FORMS)
def test_the_query_of_an_index_is_kept_for_its_projects(server: PageServer, form: str) -> None:
    serve_index(server, form, path="/simple/?format=x")
    server.pages |= {f"{path}?format=x": page for path, page in server.pages.items() if "?" not in path}
    links = [Link(url=f"{server.root}/files/{name}", filename=name, sha256=A) for name in (FILE, OTHER)]
    assert find_files(f"{server.root}/simple/?format=x", whole_index=True) == links
    assert {path.partition("?")[0] for path in server.received} == {"/simple/", "/simple/demo/", "/simple/other/"}


@pytest.mark.parametrize("path", ["/whl/rocm6.2", "/whl/rocm6.2/", "/3.12", "/my.index"])
def test_the_address_of_an_index_may_have_a_dot_in_it(server: PageServer, path: str) -> None:
    server.pages[path] = JSON_TYPE, json_root("demo")
    server.pages[f"{path.rstrip('/')}/demo/"] = JSON_TYPE, json_page(FILE)
    assert [type(one) for one in find_files(f"{server.root}{path}", whole_index=True)] == [Link]


def test_invalid_project_names_never_lead_to_other_addresses(server: PageServer) -> None:
    names = ["../../secret", "//else.example/x", "a?b#c", "http://else.example/", "", ".", "..", "a b", "é", "a%2F.."]
    serve_index(server, "JSON")
    server.pages["/simple/"] = JSON_TYPE, json_root(*names, "demo")
    listed = find_files(f"{server.root}/simple/", whole_index=True)
    link = Link(url=f"{server.root}/files/{FILE}", filename=FILE, sha256=A)
    text = "10 projects skipped: not a valid project name"
    assert listed == [Note(location=f"{server.root}/simple/", text=text), link]
    assert [path for path in server.received if not re.fullmatch(r"/simple/([^/?#]+/)?", path)] == []


def test_an_index_without_projects_has_no_files(server: PageServer) -> None:
    server.pages |= {
        "/simple/": (JSON_TYPE, json_root()),
        "/simple/demo/": (JSON_TYPE, json.dumps({"name": "demo", "files": []})),
    }
    assert [find_files(f"{server.root}{path}", whole_index=True) for path in ("/simple/", "/simple/demo/")] == [[], []]


@pytest.mark.parametrize("kind", [JSON_TYPE, TEXT])
def test_the_status_of_a_project_without_files_is_read(server: PageServer, kind: str) -> None:
    head = f'{REPOSITORY}<meta name="pypi:project-status" content="quarantined">'
    status = {"project-status": {"status": "quarantined"}}
    text = json.dumps({"name": "demo", "files": []} | status) if kind == JSON_TYPE else html_page(head=head)
    server.pages["/simple/demo/"] = kind, text
    assert find_files(f"{server.root}/simple/demo/") == [StatusMarker("demo", ProjectStatus("quarantined"))]


@pytest.mark.parametrize("name", ["a/b", "a\nb", "../..", "é", "-"])
def test_a_status_without_a_valid_project_name_is_ignored(server: PageServer, name: str) -> None:
    text = json.dumps({"name": name, "files": [], "project-status": {"status": "archived"}})
    server.pages |= {"/simple/demo/": (JSON_TYPE, text), "/a%20b/": (JSON_TYPE, text)}
    assert find_files(f"{server.root}/simple/demo/") == [StatusMarker("demo", ProjectStatus("archived"))]
    assert find_files(f"{server.root}/a%20b/") == [
        Note(
            location=f"{server.root}/a%20b/", text="project status archived ignored: the page does not name its project"
        )
    ]


# --- indexes without a root -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [403, 404])
def test_an_index_without_a_root_is_read_if_projects_are_named(server: PageServer, status: int) -> None:
    server.status = status  # of anything else
    server.pages["/pypi/simple/demo/"] = server.pages["/x.json/demo/"] = TEXT, html_page(f"/files/{FILE}")
    link = Link(url=f"{server.root}/files/{FILE}", filename=FILE)
    for address in ("/pypi/simple/", "/pypi/simple", "/pypi/simple/demo/", "/x.json/"):
        assert find_files(f"{server.root}{address}", "Demo", "gone") == [link]


def test_without_a_root_the_error_says_to_name_projects(server: PageServer) -> None:
    where = f"{server.root}/simple/"
    server.pages["/simple/demo/"] = TEXT, html_page(FILE)
    error = f"{where}: answers 404: not found. Check the address"
    hint = "If this is an index that does not list its projects, name them: --include NAME"
    assert error_text(where, whole_index=True) == error_text(where, "dem*", "other") == f"{error}. {hint}"
    assert error_text(where, "other", "third") == f"{error}. Nor is there a page of other, third below it"


def test_projects_that_are_named_beside_patterns_need_not_be_listed(server: PageServer) -> None:
    serve_index(server, "JSON")
    server.pages["/simple/"] = JSON_TYPE, json_root("demo")
    links = [Link(url=f"{server.root}/files/{name}", filename=name, sha256=A) for name in (FILE, OTHER)]
    assert find_files(f"{server.root}/simple/", "other", "d*", "gone") == links


@pytest.mark.parametrize("page", [html_page(FILE, OTHER), html_page(FILE, "demo/", OTHER)])
def test_a_page_of_files_is_read_if_the_named_projects_have_no_pages(server: PageServer, page: str) -> None:
    server.pages["/whl/"] = TEXT, page
    server.pages["/whl/demo/"] = TEXT, html_page("demo_extra-1.0-py3-none-any.whl")
    assert find_files(f"{server.root}/whl/", "demo") == [Link(url=f"{server.root}/whl/{FILE}", filename=FILE)]


def test_the_page_that_a_host_sends_for_any_address_is_no_project(server: PageServer) -> None:
    everywhere = TEXT, html_page("/", "/about/", FILE)
    server.pages |= {"/whl/": everywhere, "/whl/other/": everywhere}
    assert find_files(f"{server.root}/whl/", "other") == []


@pytest.mark.parametrize("path", ["/simple/demo", "/simple/demo/"])
def test_the_address_of_a_project_may_lack_its_slash(server: PageServer, path: str) -> None:
    server.pages["/simple/demo/"] = TEXT, html_page(f"/files/{FILE}")
    assert find_files(f"{server.root}{path}") == [Link(url=f"{server.root}/files/{FILE}", filename=FILE)]


def test_recursive_reads_a_tree_of_directories_even_if_a_project_is_named(server: PageServer) -> None:
    server.pages |= {"/whl/": (TEXT, html_page("demo/", FILE)), "/whl/demo/": (TEXT, html_page("demo-2.0.zip"))}
    paths = (FILE, "demo/demo-2.0.zip")
    links = [Link(url=f"{server.root}/whl/{path}", filename=path.rpartition("/")[2]) for path in paths]
    assert find_files(f"{server.root}/whl/", "demo", recursive=True) == links
