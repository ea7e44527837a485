"""Independent readers of the Simple API find the facts of the files on every page, and nothing else."""

from __future__ import annotations

import email
import hashlib
import json
import re
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urldefrag, urljoin

import mousebender.simple
import pypi_simple
import pytest
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename
from unearth.collector import IndexPage, parse_html_page, parse_json_response
from unearth.link import Link

from mkindex.model.index import Index, Project, ProjectStatus
from mkindex.site.layout import Site
from mkindex.site.resources import Page
from support.index_values import FakeFiles, make_index, render_resources
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

HOST = "https://index.example/below/"
HTML, JSON = "index.html", "index.v1_json"

Entry = dict[str, Any]
Pages = dict[str, bytes]  # by their path

pytestmark = pytest.mark.filterwarnings("ignore::mousebender.simple.APIVersionWarning")  # it supports HTML 1.1


# --- the readers -----------------------------------------------------------------------------------------------------


def entry(url: str, hashes: dict[str, str], requires_python: str | None, metadata: object, yanked: object) -> Entry:
    """Return the facts of a file that all readers find, in one form; `yanked`: None, or a reason, maybe ""."""
    assert hashes.keys() == {"sha256"}
    return {
        "url": urldefrag(url).url,
        "sha256": hashes["sha256"],
        "requires-python": requires_python,
        "core-metadata": metadata,
        "yanked": "" if yanked is True else yanked,
    }


def by_pypi_simple(page: pypi_simple.ProjectPage) -> dict[str, Entry]:
    return {
        file.filename: entry(
            file.url,
            file.digests,
            file.requires_python,
            file.metadata_digests if file.has_metadata else None,
            (file.yanked_reason or "") if file.is_yanked else None,
        )
        for file in page.packages
    }


def by_pypi_simple_html(page: bytes, project: str, url: str) -> dict[str, Entry]:
    return by_pypi_simple(pypi_simple.ProjectPage.from_html(project, page, url))


def by_pypi_simple_json(page: bytes, project: str, url: str) -> dict[str, Entry]:
    del project
    return by_pypi_simple(pypi_simple.ProjectPage.from_json_data(json.loads(page), url))


def by_mousebender(page: bytes, project: str, url: str, *, kind: str) -> dict[str, Entry]:
    details = mousebender.simple.parse_project_details(page.decode("ascii"), kind, project)
    return {
        file["filename"]: entry(
            urljoin(url, file["url"]),
            file["hashes"],
            file.get("requires-python"),
            file.get("core-metadata"),
            file.get("yanked"),
        )
        for file in details["files"]
    }


def by_mousebender_html(page: bytes, project: str, url: str) -> dict[str, Entry]:
    return by_mousebender(page, project, url, kind="text/html")


def by_mousebender_json(page: bytes, project: str, url: str) -> dict[str, Entry]:
    return by_mousebender(page, project, url, kind=mousebender.simple.ACCEPT_JSON_V1)


def by_unearth(links: Iterable[Link]) -> dict[str, Entry]:
    return {
        link.filename: entry(
            link.url,
            {name: value for name, (value,) in (link.hash_option or {}).items()},
            link.requires_python,
            link.dist_info_metadata,
            link.yank_reason,
        )
        for link in links
    }


def by_unearth_html(page: bytes, project: str, url: str) -> dict[str, Entry]:
    del project
    return by_unearth(parse_html_page(IndexPage(Link(url), page, None, "text/html")))


def by_unearth_json(page: bytes, project: str, url: str) -> dict[str, Entry]:
    del project
    return by_unearth(parse_json_response(IndexPage(Link(url), page, None, mousebender.simple.ACCEPT_JSON_V1)))


READERS: dict[str, tuple[str, Callable[[bytes, str, str], dict[str, Entry]]]] = {
    "pypi-simple, HTML": (HTML, by_pypi_simple_html),
    "pypi-simple, JSON": (JSON, by_pypi_simple_json),
    "mousebender, HTML": (HTML, by_mousebender_html),
    "mousebender, JSON": (JSON, by_mousebender_json),
    "unearth, HTML": (HTML, by_unearth_html),
    "unearth, JSON": (JSON, by_unearth_json),
}


def read(pages: Pages, reader: str) -> dict[str, dict[str, Entry]]:
    """Return the entries that a reader finds on the page of every project."""
    name, parse = READERS[reader]
    return {
        place[1]: parse(page, place[1], f"{HOST}simple/{place[1]}/")
        for path, page in pages.items()
        if (place := re.fullmatch(f"simple/([^/]+)/{name}", path))
    }


# --- an index of files -----------------------------------------------------------------------------------------------

REQUIRES_PYTHON = (None, "", ">=3.8", ">=3.8,<4", "!=3.9.*,>=3.7", "~=3.10", "==3.11.*", "===3.12", ">2.7, <3", "<=4")
NAMES = ("a", "a-b", "A.B_C", "x" * 60, "0", "Zope.Interface", "ruamel.yaml", "under_score")
VERSIONS = ("0", "1.0", "1.0.0a1", "2!1.0", "1.0+cu128", "1.0+cu128.1", "2026.11.20", "1.0.post1", "1.0.dev3", "1.0rc1")
TAGS = (
    "py3-none-any",
    "py2.py3-none-any",
    "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64",
    "cp39-abi3-macosx_10_12_x86_64.macosx_11_0_arm64",
    "cp313-cp313t-win_amd64",
)


@pytest.fixture(scope="session")
def files(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the examples and many other files, by name."""
    directory = tmp_path_factory.mktemp("generated")
    options: list[dict[str, Any]] = [{"requires_python": value} for value in REQUIRES_PYTHON]
    for number, name in enumerate(NAMES):
        for version in VERSIONS:
            for offset, tag in enumerate(TAGS):
                build = f"{offset}b" if offset % 2 else None
                chosen = options[(number + offset) % len(options)]
                write_wheel(directory, name, version, tag=tag, build=build, mtime=1_700_000_000 + number, **chosen)
            write_sdist(directory, name, version, **options[number % len(options)])
            write_sdist(directory, name, version, suffix=".zip", backend=False)
    return {path.name: path for path in (*wheels.iterdir(), *directory.iterdir())}


@pytest.fixture(scope="session")
def published(files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """Return the pages of an index of these files."""
    tree = tmp_path_factory.mktemp("tree")
    sources = sorted({str(path.parent) for path in files.values()})
    subprocess.run([sys.executable, "-m", "mkindex", *sources, str(tree)], check=True, timeout=120)
    return {
        path.relative_to(tree).as_posix(): path.read_bytes()
        for name in (HTML, JSON)
        for path in tree.glob(f"simple/**/{name}")
    }


def expected(path: Path) -> tuple[str, Entry]:
    """Return the project of a file and its entry, read from the file alone."""
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    url = f"{HOST}files/{sha256[:2]}/{sha256[2:]}/{path.name.replace('+', '%2B').replace('!', '%21')}"
    if path.suffix != ".whl":
        project = parse_sdist_filename(path.name)[0]
        with_value = requires_python_of_sdists(path)
        return project, entry(url, {"sha256": sha256}, with_value, None, None)
    with zipfile.ZipFile(path) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = archive.read(name)
    requires_python = email.message_from_bytes(metadata)["Requires-Python"]
    digest = {"sha256": hashlib.sha256(metadata).hexdigest()}
    return parse_wheel_filename(path.name)[0], entry(url, {"sha256": sha256}, requires_python or None, digest, None)


def requires_python_of_sdists(path: Path) -> str | None:
    """Return the Requires-Python of a file that `files` wrote; zip files have none."""
    if path.suffix == ".zip":
        return None
    names = [canonicalize_name(name) for name in NAMES]
    project = parse_sdist_filename(path.name)[0]
    return (REQUIRES_PYTHON[names.index(project)] or None) if project in names else None


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_finds_every_file_with_the_facts_of_the_file(
    reader: str, published: Pages, files: dict[str, Path]
) -> None:
    wanted: dict[str, dict[str, Entry]] = {}
    for name, path in files.items():
        project, facts = expected(path)
        wanted.setdefault(project, {})[name] = facts
    assert read(published, reader) == wanted


def test_pypi_simple_finds_size_and_time_of_every_file(published: Pages, files: dict[str, Path]) -> None:
    found = {
        file.filename: (file.size, file.upload_time)
        for path, page in published.items()
        if path.endswith(f"/{JSON}") and path != f"simple/{JSON}"
        for file in pypi_simple.ProjectPage.from_json_data(json.loads(page)).packages
    }
    assert found == {
        name: (path.stat().st_size, datetime.fromtimestamp(int(path.stat().st_mtime), UTC))
        for name, path in files.items()
    }


def test_readers_find_every_project_on_the_root_pages(published: Pages, files: dict[str, Path]) -> None:
    html, data = published[f"simple/{HTML}"], published[f"simple/{JSON}"]
    names = sorted({expected(path)[0] for path in files.values()})
    found = {
        "pypi-simple, HTML": pypi_simple.IndexPage.from_html(html).projects,
        "pypi-simple, JSON": pypi_simple.IndexPage.from_json_data(json.loads(data)).projects,
        "mousebender, HTML": [
            project["name"] for project in mousebender.simple.from_project_index_html(html.decode("ascii"))["projects"]
        ],
        "mousebender, JSON": [
            project["name"]
            for project in mousebender.simple.parse_project_index(data.decode(), mousebender.simple.ACCEPT_JSON_V1)[
                "projects"
            ]
        ],
    }
    assert found == dict.fromkeys(found, names)


# --- what no directory says ------------------------------------------------------------------------------------------

REASON = 'broken: "quoted" <b>&amp;</b> d\u00e9j\u00e0 \u202evu'


def pages_of(made: Index) -> Pages:
    return {part.path: part.render() for part in render_resources(made, Site()) if isinstance(part, Page)}


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_finds_yanked_files_and_their_reasons(reader: str) -> None:
    shelf = FakeFiles()
    files = [
        shelf.file("demo-1.0-py3-none-any.whl"),
        shelf.file("demo-1.1-py3-none-any.whl", yanked=""),
        shelf.file("demo-1.2-py3-none-any.whl", yanked=REASON),
        shelf.file("demo-1.2.tar.gz", yanked=REASON, requires_python=">=3.8"),
    ]
    found = read(pages_of(make_index(*files)), reader)
    assert {name: (facts["yanked"], facts["requires-python"]) for name, facts in found["demo"].items()} == {
        "demo-1.0-py3-none-any.whl": (None, None),
        "demo-1.1-py3-none-any.whl": ("", None),
        "demo-1.2-py3-none-any.whl": (REASON, None),
        "demo-1.2.tar.gz": (REASON, ">=3.8"),
    }


def test_pypi_simple_finds_provenance_and_the_status_of_a_project() -> None:
    provenance = "https://index.example/demo.provenance?a=1&b=2"
    file = FakeFiles().file("demo-1.0-py3-none-any.whl", provenance=provenance)
    status = ProjectStatus(status="deprecated", reason=REASON)
    made = Index(
        projects=tuple(Project(name=one.name, files=one.files, status=status) for one in make_index(file).projects)
    )
    pages = pages_of(made)
    found = [
        pypi_simple.ProjectPage.from_html("demo", pages[f"simple/demo/{HTML}"]),
        pypi_simple.ProjectPage.from_json_data(json.loads(pages[f"simple/demo/{JSON}"])),
    ]
    assert [(page.status, page.status_reason) for page in found] == [(pypi_simple.ProjectStatus.DEPRECATED, REASON)] * 2
    assert [[file.provenance_url for file in page.packages] for page in found] == [[provenance]] * 2
