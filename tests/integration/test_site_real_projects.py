"""The site of 300 popular projects: every page is valid and inert, and shows each field that two parsers read."""

from __future__ import annotations

import re
from email.utils import getaddresses
from typing import TYPE_CHECKING
from zipfile import ZipFile

import html5lib
import pytest
from packaging.metadata import parse_email
from packaging.utils import parse_wheel_filename
from pkginfo import Distribution

from mkindex.site.graph import parse_requirement
from support import atom, nu_checker
from support.builds import publish
from support.clients import CLIENTS
from support.requirements import skip_or_fail
from support.site_wheels import write_examples, write_hostile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from xml.etree import ElementTree

WHEELS = CLIENTS / "popular-wheels"
# What the authors of READMEs write: addresses that browsers repair, blocks in headings, rows without cells.
OF_AUTHORS = re.compile(
    "Bad value .* for attribute “href” on element “a”|Element “(p|div)” not allowed as child of element “h[3-6]”"
    "|Table column .* has no cells|Empty heading|not in Unicode Normalization Form C"
)


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the tree of the real projects."""
    if not (WHEELS / ".ready").exists():
        skip_or_fail("popular wheels: make clients")
    public = tmp_path_factory.mktemp("real") / "public"
    publish(WHEELS, public, site=True, url="https://packages.example/")
    return public


@pytest.fixture(scope="module")
def pages(top: Path) -> dict[str, ElementTree.Element]:
    """Return the pages for people. Raises ParseError for any error that the HTML standard defines."""
    paths = [top / "index.html", top / "licenses.html", *top.glob("project/*/*.html")]
    return {
        path.relative_to(top).as_posix(): html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(
            path.read_bytes()
        )
        for path in paths
    }


def parts(name: str, text: str) -> list[str]:
    """Return the parts in which a page shows a value of a field."""
    match name:
        case "project_urls":
            return [part.strip() for part in text.split(",", 1)]
        case "keywords":
            return re.split(",", text) if "," in text else text.split()
        case "classifiers":
            return text.split(" :: ", 1)
        case "author_email" | "maintainer_email":
            return [part for pair in getaddresses([text]) for part in pair]
        case "requires_dist":
            required = parse_requirement(text)
            return [required.text, required.marker, required.extra]
    return [text]


def values(raw: bytes) -> Iterator[tuple[str, str]]:
    """Yield name and value of each field that pkginfo or packaging reads, but the description."""
    known = Distribution()
    known.parse(raw)
    found = [(name, getattr(known, name)) for name in known] + list(parse_email(raw)[0].items())
    for name, value in found:
        listed = [f"{label}, {address}" for label, address in value.items()] if isinstance(value, dict) else value
        texts = [listed] if isinstance(listed, str) else listed or ()
        yield from ((name, text) for text in texts if name != "description" and text != "UNKNOWN")


def test_no_field_of_a_popular_project_is_lost(pages: dict[str, ElementTree.Element]) -> None:
    wheels = sorted(WHEELS.glob("*.whl"))
    lost = []
    for path in wheels:
        with ZipFile(path) as wheel:
            raw = wheel.read(next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")))
        page = pages[f"project/{parse_wheel_filename(path.name)[0]}/index.html"]
        links = {link.attrib["href"] for link in page.iter("a") if "href" in link.attrib}
        shown = f"{' '.join(' '.join(page.itertext()).split())} {' '.join(links)}"
        lost += [
            (path.name, name, part)
            for name, text in values(raw)
            for part in parts(name, text)
            if " ".join(part.split()) not in shown
        ]
    assert (len(wheels), lost) == (300, [])


def test_no_readme_breaks_out_of_its_place_or_acts(pages: dict[str, ElementTree.Element]) -> None:
    assert len(pages) == 902
    for path, page in pages.items():
        ids = [element.attrib["id"] for element in page.iter() if "id" in element.attrib]
        assert len(ids) == len(set(ids)), path
        assert len(list(page.iter("main"))) == len(list(page.iter("script"))) == 1, path
        assert [one.tag for one in page.iter() if one.tag in ("style", "iframe", "form", "base", "svg")] == [], path
        names = {name for element in page.iter() for name in element.attrib}
        assert [name for name in names if name.startswith("on") or name == "style"] == [], path
        loaded = [element.attrib["src"] for element in page.iter() if "src" in element.attrib]
        assert [address for address in loaded if "//" in address] == [], path
        for readme in page.iter("div"):
            if readme.attrib.get("class") == "readme":
                inside = {element.attrib["id"] for element in readme.iter() if "id" in element.attrib}
                assert [one for one in inside if not one.startswith("user-content-")] == [], path


def test_the_nu_checker_finds_nothing_but_what_authors_wrote(top: Path) -> None:
    found = [(path, text) for path, text in nu_checker.findings(top) if not OF_AUTHORS.search(text)]
    assert found == []


def test_the_nu_checker_finds_nothing_in_examples_and_hostile_metadata(tmp_path: Path) -> None:
    write_examples(tmp_path / "wheels")
    write_hostile(tmp_path / "wheels")
    publish(tmp_path / "wheels", tmp_path / "public", site=True, url="https://packages.example/", jobs=1)
    publish(tmp_path / "wheels", tmp_path / "public/plain", links=True, jobs=1)
    assert list(nu_checker.findings(tmp_path / "public")) == []


def test_feeds_of_popular_projects_are_valid(top: Path) -> None:
    feeds = [*top.glob("feed.xml"), *top.glob("project/*/feed.xml")]
    assert len(feeds) == 301
    assert {str(feed): atom.problems(feed.read_bytes()) for feed in feeds} == {str(feed): [] for feed in feeds}
