"""Roots of indexes: the same projects for a build, a check and `mkindex client`, as pip and uv find them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mkindex.check.engine import CheckOptions, check
from mkindex.model.files import Link
from mkindex.probe.served import probe
from mkindex.simple.reader import parse_html
from mkindex.simple.roots import ProjectLink, is_project_page, is_root, linked_directory
from support.index_roots import EMPTY, ROOTS, Root
from support.page_server import FILE, OTHER, TEXT, A, PageServer, find_files, html_page

if TYPE_CHECKING:
    from mkindex.sources.source import SourceItem

HOST = "https://host.example"


def serve(server: PageServer, root: Root) -> str:
    """Serve an index of two projects with this root, and return its address."""
    host = server.root.removeprefix("http://")
    server.pages |= {
        root.path: (TEXT, root.html.replace("HOST", host)),
        **{path: (TEXT, html) for path, html in root.pages.items()},
        f"{root.path}demo/": (TEXT, html_page(f"/files/{FILE}#sha256={A}")),
        f"{root.path}other/": (TEXT, html_page(f"/files/{OTHER}#sha256={A}")),
    }
    return f"{server.root}{root.path}"


def listed(server: PageServer, *names: str) -> list[SourceItem]:
    return [Link(url=f"{server.root}/files/{name}", filename=name, sha256=A) for name in names]


@pytest.fixture(params=ROOTS)
def root(request: pytest.FixtureRequest) -> Root:
    return ROOTS[request.param]


def test_a_build_reads_all_projects_of_any_root(page_server: PageServer, root: Root) -> None:
    address = serve(page_server, root)
    found = [item for item in find_files(address, whole_index=True) if isinstance(item, Link)]
    assert [link for link in found if "docs" not in link.url] == listed(page_server, FILE, OTHER)


def test_a_build_reads_the_selected_projects_of_any_root(page_server: PageServer, root: Root) -> None:
    address = serve(page_server, root)
    assert find_files(address, "oth*") == listed(page_server, OTHER)
    page_server.received.clear()
    assert find_files(address, "Other") == listed(page_server, OTHER)
    assert page_server.received == [f"{root.path}other/"]


def test_a_check_finds_the_projects_of_any_root(page_server: PageServer, root: Root) -> None:
    report = check(CheckOptions(target=serve(page_server, root), files="none"))
    assert (report.kind, report.projects - len(root.pages), report.files) == ("index", 2, 2)
    assert not report.failed()


def test_the_client_command_finds_the_projects_of_any_root(page_server: PageServer, root: Root) -> None:
    address = serve(page_server, root)
    found = probe(address)
    assert (found.url, found.projects) == (address, (*(["demo"]), *(EMPTY if root.pages else []), "other"))


@pytest.mark.parametrize("include", ["empty01", "empty*"])
def test_an_index_is_recognized_if_the_selected_projects_are_empty(page_server: PageServer, include: str) -> None:
    assert find_files(serve(page_server, ROOTS["the first projects are empty"]), include) == []


@pytest.mark.parametrize("path", ["/simple", "/simple/index.html"])
def test_the_address_of_a_root_may_lack_its_slash_or_name_its_page(page_server: PageServer, path: str) -> None:
    serve(page_server, ROOTS["GitLab"])
    page_server.pages[path] = page_server.pages["/simple/"]
    assert find_files(f"{page_server.root}{path}", whole_index=True) == listed(page_server, FILE, OTHER)


def test_projects_are_requested_below_the_address_that_was_given(page_server: PageServer) -> None:
    serve(page_server, ROOTS["a directory for each project"])
    page_server.redirects["/simple/"] = "/login/"
    page_server.pages["/login/"] = page_server.pages["/simple/"]
    assert find_files(f"{page_server.root}/simple/", whole_index=True) == listed(page_server, FILE, OTHER)
    assert page_server.received[:3] == ["/simple/", "/login/", "/simple/demo/"]


# --- the projects that a page names -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hrefs", "names"),
    [
        (["demo", "zope.interface", "a_B"], ["demo", "zope.interface", "a_B"]),
        (["demo/", "zope.interface/", "README.md", "other"], ["demo", "zope.interface", "other"]),
        (["demo/", "demo/", "demo/#top", "../", "./", "/", "/simple/", "index.html", "?C=N"], ["demo"]),
        (["de%6Do/", "%2e%2e/", "a%2Fb/", "a%3Fb/", "a%20b/", "é/", "-/"], ["demo"]),
        (["demo-1.0.tar.bz2", "demo-1.0.egg", "demo.html", "demo-1.0-py3-none-any.whl.metadata"], []),
        (["mailto:demo", "javascript:demo", "#demo", "", "http://[/demo/"], []),
        (["sub/demo/", "https://else.example/demo/"], []),
    ],
)
def test_a_link_to_one_level_below_names_a_project(hrefs: list[str], names: list[str]) -> None:
    page = parse_html("".join(f'<a href="{href}">x</a>' for href in hrefs), f"{HOST}/simple/")
    assert [link.name for link in page.projects] == names


@pytest.mark.parametrize(
    ("links", "names"),
    [
        ([("/Zope.Interface/", "zope-interface/"), ("/x?name=demo", "\n Demo "), ("/about", "About us")],
         ["zope-interface", "Demo"]),
        ([("/demo/", "demo"), ("here/", "x")], ["here"]),  # a menu
        ([("/demo/", "demo"), ("demo-1.0.zip", "x")], []),  # a page of files
        ([("/a b/", "a b"), ("/../", ".."), ("/", "")], []),
    ],
)  # fmt: skip
def test_if_there_is_none_a_link_that_ends_in_its_text_names_a_project(
    links: list[tuple[str, str]], names: list[str]
) -> None:
    page = parse_html("".join(f'<a href="{href}">{text}</a>' for href, text in links), f"{HOST}/simple/")
    assert [link.name for link in page.projects] == names


def test_the_first_projects_may_be_empty_and_no_more_than_ten_are_requested() -> None:
    links = [ProjectLink(f"p{number}") for number in range(1000)]
    requested: list[str] = []

    def has_page(link: ProjectLink) -> bool:
        requested.append(link.name)
        return link.name == "p999"

    assert (is_root(links, has_page), len(requested)) == (True, 10)
    assert (is_root(links[:500], has_page), len(requested), is_root([], has_page)) == (False, 20, False)


@pytest.mark.parametrize(
    ("filenames", "expected"),
    [
        (["demo_app-1.0-py3-none-any.whl"], True),
        (["Demo.App-1.0.tar.gz"], True),
        (["other-1.0.zip", "demo-app-1.0.zip"], True),
        (["demo_app_extra-1.0-py3-none-any.whl", "demo-1.0.zip"], False),
        ([], False),
    ],
)
def test_the_page_of_a_project_has_a_file_of_it(filenames: list[str], expected: bool) -> None:
    assert is_project_page("demo-app", filenames, is_empty=False) == expected
    assert is_project_page("demo-app", [], is_empty=True)


def test_a_link_means_a_directory() -> None:
    ends = ["demo", "demo/", "demo/index.html", "demo/index.htm", "demo/?a=/b/c", "demo?a", "demo/index.html?a"]
    assert {linked_directory(f"{HOST}/simple/{end}") for end in ends} == {f"{HOST}/simple/demo/"}
