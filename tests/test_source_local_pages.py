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
    json_root,
)
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def server(page_server: PageServer) -> PageServer:
    return page_server


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A directory with a page and files beside it, below it and outside."""
    (tmp_path / "a b/sub").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    write_wheel(tmp_path / "a b", "demo", "1.0")
    write_sdist(tmp_path / "a b/sub", "demo", "1.0")
    write_sdist(tmp_path / "outside", "other", "2.0")
    return tmp_path / "a b"


def artifact(root: Path, relative: str, url: str, **fields: Any) -> Artifact:  # noqa: ANN401 (fields of Link)
    path = root / relative
    return Artifact(str(root), relative, Fingerprint.of(path.stat()), Link(url=url, filename=path.name, **fields))


@pytest.mark.parametrize(
    "name", ["page.html", "page.htm", "page", "page.txt", "index.html", "p#ge?.html", "p%20.html", "é.html"]
)
@pytest.mark.parametrize("form", ["path", "URL"])
def test_a_local_page_names_local_and_remote_files(here: Path, name: str, form: str) -> None:
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
def test_a_local_page_may_be_given_as_any_form_of_file_url(here: Path, form: str) -> None:
    (here / "page.html").write_text(html_page(FILE))
    (one,) = find_files(form.format(here.as_uri().removeprefix("file://")))
    assert isinstance(one, Artifact)
    assert (one.root, one.relative) == (str(here), FILE)


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_directory_may_be_given_as_a_file_url(here: Path, slash: str) -> None:
    note = Note(location=str(here), text="subdirectories skipped: sub (use --recursive)")
    listed = Artifact(str(here), FILE, Fingerprint.of((here / FILE).stat()))
    assert find_files(here.as_uri() + slash) == [listed, note]
    (here / "index.html").write_text(html_page("sub/demo-1.0.tar.gz"))
    (one,) = find_files(here.as_uri() + slash)
    assert isinstance(one, Artifact)
    assert (one.root, one.relative) == (str(here), "sub/demo-1.0.tar.gz")


def test_a_missing_file_of_a_local_page_is_rejected_and_the_others_are_read(here: Path) -> None:
    (here / "dir-1.0.zip").mkdir()
    os.mkfifo(here / "pipe-1.0.zip")
    (here / "page.html").write_text(
        html_page("gone-1.0.zip", "dir-1.0.zip", "pipe-1.0.zip", f"{FILE}%2Fx-1.0.zip", FILE)
    )
    rejected = [one for one in find_files(str(here / "page.html")) if isinstance(one, Rejected)]
    assert [(one.location.rpartition("/")[2], one.reason) for one in rejected if "gone" in one.location] == [
        ("gone-1.0.zip", "named on the page, but cannot be read: No such file or directory")
    ]
    assert len(rejected) == 4
    assert artifact(here, FILE, (here / FILE).as_uri()) in find_files(str(here / "page.html"))


@pytest.mark.parametrize(
    "href", ["%2e%2e/outside/{}", "sub/%2E%2E/../../outside/{}", "..%2Foutside/{}", "sub%2F..%2F..%2Foutside/{}"]
)
def test_no_form_of_a_link_gives_a_path_that_leads_upwards(here: Path, href: str) -> None:
    (here / "page.html").write_text(html_page(href.format(OTHER)))
    for one in find_files(str(here / "page.html")):
        assert isinstance(one, Rejected) or ".." not in one.relative.split("/")  # type: ignore[union-attr]


def test_a_page_in_a_directory_whose_name_is_not_utf8_is_read(tmp_path: Path) -> None:
    directory = tmp_path / os.fsdecode(b"caf\xe9")
    directory.mkdir()
    write_wheel(directory, "demo", "1.0")
    (directory / "page.html").write_text(html_page(FILE))
    (one,) = find_files(str(directory / "page.html"))
    assert isinstance(one, Artifact)
    assert (one.root, one.relative) == (str(directory), FILE)


@pytest.mark.parametrize("suffix", ["", "\n"])
@pytest.mark.parametrize("name", ["demo.json", "index.v1_json", "page"])
def test_a_saved_json_page_is_read(here: Path, name: str, suffix: str) -> None:
    (here / name).write_text(
        json.dumps({"meta": {"api-version": "1.0"}, "files": [{"filename": FILE, "url": FILE, "yanked": True}]})
        + suffix
    )
    assert find_files(str(here / name)) == [artifact(here, FILE, (here / FILE).as_uri(), yanked="")]


@pytest.mark.parametrize("name", ["index.html", "index.v1_json"])
def test_a_local_index_is_read_from_its_root(here: Path, name: str) -> None:
    (here / "simple/demo").mkdir(parents=True)
    (here / "simple" / name).write_text(
        html_page("demo/", head=REPOSITORY) if name == "index.html" else json_root("demo")
    )
    (here / "simple/demo/index.html").write_text(html_page(f"../../{FILE}", head=REPOSITORY))
    (one,) = find_files(str(here / "simple" / name), "demo")
    assert isinstance(one, Artifact)
    assert one.path == str(here / FILE)
    assert error_text(str(here / "simple" / name)).endswith(
        "is an index of 1 project. Choose projects with --include, or use --all"
    )


@pytest.mark.parametrize(
    ("name", "text"),
    {
        "empty.html": ("", ": not a page (content type unknown). Give a page with links to wheels or sdists"),
        "text.html": ("hello", ": not a page (content type unknown). Give a page with links to wheels or sdists"),
        "none.html": (html_page("LICENSE"), f": {NO_FILES}, but 1 other link"),
        "torn.html": (
            f'<a href="{FILE}',
            " ends inside a tag or a comment: it is truncated, and links may be missing",
        ),
    }.items(),
)
def test_the_error_for_a_local_file_that_is_not_a_page_describes_it(
    here: Path, name: str, text: tuple[str, str]
) -> None:
    (here / name).write_text(text[0])
    assert error_text(str(here / name)) == f"{(here / name).as_uri()}{text[1]}"


def test_the_address_of_a_file_is_a_source_of_that_file(server: PageServer, tmp_path: Path) -> None:
    address = f"{server.root}/a%2Bb/demo-1.0-py3-none-any.whl"
    assert find_files(address) == [Link(url=address, filename="demo-1.0-py3-none-any.whl")]
    assert server.received == []


def test_the_fragment_of_a_file_address_is_its_hash(server: PageServer) -> None:
    address = f"{server.root}/demo-1.0-py3-none-any.whl"
    assert find_files(f"{address}#sha256={A}") == [Link(url=address, filename="demo-1.0-py3-none-any.whl", sha256=A)]
    assert find_files(f"{address}#sha256={A}", "other") == []


def test_the_address_of_a_file_with_an_invalid_name_is_an_error(server: PageServer) -> None:
    address = f"{server.root}/a%20b-1.0-py3-none-any.whl"
    assert error_text(address) == f"{address}: {STRANGE_NAME}"


@pytest.mark.parametrize("name", ["demo/", "demo/index.html", "pages/demo.html"])
def test_a_status_belongs_to_the_project_whatever_its_page_is_called(server: PageServer, name: str) -> None:
    marked = '<meta name="pypi:project-status" content="deprecated">'
    server.pages[f"/simple/{name}"] = TEXT, html_page("demo-1.0-py3-none-any.whl", head=marked)
    assert [one for one in find_files(f"{server.root}/simple/{name}") if isinstance(one, StatusMarker)] == [
        StatusMarker("demo", ProjectStatus("deprecated"))
    ]
