"""Pages on this machine as sources."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from mkindex.distributions.filenames import STRANGE_NAME
from mkindex.errors import Note, Rejected
from mkindex.model.files import Artifact, Fingerprint, Link
from mkindex.model.index import ProjectStatus, StatusMarker
from support.page_server import (
    AGENT,
    FILE,
    OTHER,
    REPOSITORY,
    TEXT,
    A,
    PageServer,
    error_text,
    find_files,
    html_page,
    json_root,
)
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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
    (here / name).write_text(html_page(*hrefs))
    outside = here.parent / "outside"
    assert find_files(str(here / name) if form == "path" else (here / name).as_uri()) == [
        artifact(here, FILE, (here / FILE).as_uri(), sha256=A),
        artifact(here, "sub/demo-1.0.tar.gz", (here / "sub/demo-1.0.tar.gz").as_uri()),
        artifact(outside, OTHER, (outside / OTHER).as_uri()),
        Link(url=f"https://host.example/{OTHER}", filename=OTHER),
    ]


@pytest.mark.parametrize(
    "form", ["file://{}/page.html", "file:{}/page.html", "file://localhost{}/page.html", "FILE://{}/page.html"]
)
def test_a_page_here_may_be_named_by_any_file_url(here: Path, form: str) -> None:
    (here / "page.html").write_text(html_page(FILE))
    (one,) = find_files(form.format(here.as_uri().removeprefix("file://")))
    assert isinstance(one, Artifact)
    assert (one.root, one.relative) == (str(here), FILE)


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_directory_here_is_named_by_a_file_url_too(here: Path, slash: str) -> None:
    note = Note(location=str(here), text="subdirectories not read: sub (--recursive reads them)")
    listed = Artifact(str(here), FILE, Fingerprint.of((here / FILE).stat()))
    assert find_files(here.as_uri() + slash) == [listed, note]
    (here / "index.html").write_text(html_page("sub/demo-1.0.tar.gz"))
    (one,) = find_files(here.as_uri() + slash)
    assert isinstance(one, Artifact)
    assert (one.root, one.relative) == (str(here), "sub/demo-1.0.tar.gz")


def test_a_file_that_a_page_here_names_and_that_is_not_there_is_rejected_alone(here: Path) -> None:
    (here / "dir-1.0.zip").mkdir()
    os.mkfifo(here / "pipe-1.0.zip")
    (here / "page.html").write_text(
        html_page("gone-1.0.zip", "dir-1.0.zip", "pipe-1.0.zip", f"{FILE}%2Fx-1.0.zip", FILE)
    )
    rejected = [one for one in find_files(str(here / "page.html")) if isinstance(one, Rejected)]
    assert [(one.location.rpartition("/")[2], one.reason) for one in rejected if "gone" in one.location] == [
        ("gone-1.0.zip", "the page names it, and it cannot be read: No such file or directory")
    ]
    assert len(rejected) == 4
    assert artifact(here, FILE, (here / FILE).as_uri()) in find_files(str(here / "page.html"))


@pytest.mark.parametrize(
    "href", ["%2e%2e/outside/{}", "sub/%2E%2E/../../outside/{}", "..%2Foutside/{}", "sub%2F..%2F..%2Foutside/{}"]
)
def test_no_spelling_of_a_link_gives_a_file_a_place_above_its_page(here: Path, href: str) -> None:
    (here / "page.html").write_text(html_page(href.format(OTHER)))
    for one in find_files(str(here / "page.html")):
        assert isinstance(one, Rejected) or ".." not in one.relative.split("/")  # type: ignore[union-attr]


def test_a_page_in_a_directory_that_is_no_unicode_is_read(tmp_path: Path) -> None:
    directory = tmp_path / os.fsdecode(b"caf\xe9")
    directory.mkdir()
    write_wheel(directory, "demo", "1.0")
    (directory / "page.html").write_text(html_page(FILE))
    (one,) = find_files(str(directory / "page.html"))
    assert isinstance(one, Artifact)
    assert (one.root, one.relative) == (str(directory), FILE)


@pytest.mark.parametrize("suffix", ["", "\n"])
@pytest.mark.parametrize("name", ["demo.json", "index.v1_json", "page"])
def test_a_json_page_that_was_saved_is_read(here: Path, name: str, suffix: str) -> None:
    (here / name).write_text(
        json.dumps({"meta": {"api-version": "1.0"}, "files": [{"filename": FILE, "url": FILE, "yanked": True}]})
        + suffix
    )
    assert find_files(str(here / name)) == [artifact(here, FILE, (here / FILE).as_uri(), yanked="")]


@pytest.mark.parametrize("name", ["index.html", "index.v1_json"])
def test_an_index_here_is_read_from_its_root(here: Path, name: str) -> None:
    (here / "simple/demo").mkdir(parents=True)
    (here / "simple" / name).write_text(
        html_page("demo/", head=REPOSITORY) if name == "index.html" else json_root("demo")
    )
    (here / "simple/demo/index.html").write_text(html_page(f"../../{FILE}", head=REPOSITORY))
    (one,) = find_files(str(here / "simple" / name), "demo")
    assert isinstance(one, Artifact)
    assert one.path == str(here / FILE)
    assert error_text(str(here / "simple" / name)).endswith(
        "is an index of 1 projects: name those that you want with --include, or take --all"
    )


@pytest.mark.parametrize(
    ("name", "text"),
    {
        "empty.html": ("", " is of type unknown and does not look like a page: name one with links to files"),
        "text.html": ("hello", " is of type unknown and does not look like a page: name one with links to files"),
        "none.html": (html_page("LICENSE"), f": {AGENT}; 1 went elsewhere"),
        "torn.html": (
            f'<a href="{FILE}',
            " ends inside a tag or a comment: it was cut off, so that links may be missing",
        ),
    }.items(),
)
def test_of_a_page_here_that_is_none_it_is_said_what_was_seen(here: Path, name: str, text: tuple[str, str]) -> None:
    (here / name).write_text(text[0])
    assert error_text(str(here / name)) == f"{(here / name).as_uri()}{text[1]}"


def test_an_address_of_a_file_is_that_file(server: PageServer, tmp_path: Path) -> None:
    address = f"{server.root}/a%2Bb/demo-1.0-py3-none-any.whl"
    assert find_files(address) == [Link(url=address, filename="demo-1.0-py3-none-any.whl")]
    assert server.received == []


def test_the_fragment_of_an_address_of_a_file_is_its_hash(server: PageServer) -> None:
    address = f"{server.root}/demo-1.0-py3-none-any.whl"
    assert find_files(f"{address}#sha256={A}") == [Link(url=address, filename="demo-1.0-py3-none-any.whl", sha256=A)]
    assert find_files(f"{address}#sha256={A}", "other") == []


def test_an_address_of_a_file_that_no_file_can_have_is_an_error(server: PageServer) -> None:
    address = f"{server.root}/a%20b-1.0-py3-none-any.whl"
    assert error_text(address) == f"{address}: {STRANGE_NAME}"


@pytest.mark.parametrize("name", ["demo/", "demo/index.html", "pages/demo.html"])
def test_a_status_is_that_of_the_project_whatever_its_page_is_called(server: PageServer, name: str) -> None:
    marked = '<meta name="pypi:project-status" content="deprecated">'
    server.pages[f"/simple/{name}"] = TEXT, html_page("demo-1.0-py3-none-any.whl", head=marked)
    assert [one for one in find_files(f"{server.root}/simple/{name}") if isinstance(one, StatusMarker)] == [
        StatusMarker("demo", ProjectStatus("deprecated"))
    ]
