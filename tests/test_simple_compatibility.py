"""Our own pages are read back, and other pages are read as pip and unearth read them."""

from __future__ import annotations

import json
import random
import re
from contextlib import suppress
from functools import partial
from html import escape
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urljoin, urlsplit

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unearth.collector import IndexPage, parse_html_page, parse_json_response
from unearth.link import Link as UnearthLink

from mkindex.distributions.filenames import FILENAME, SUFFIXES
from mkindex.model.files import Link
from mkindex.model.index import Index, Project, ProjectStatus
from mkindex.simple.media_types import JSON_TYPE
from mkindex.simple.reader import Malformed, Page, parse_html, parse_json
from mkindex.simple.roots import ProjectLink
from mkindex.site.layout import Site
from mkindex.site.resources import Page as Rendered
from mkindex.site.templates import Templates
from mkindex.tree.names import INDEX_HTML as HTML_PAGE
from mkindex.tree.names import INDEX_JSON as JSON_PAGE
from support.index_values import FakeFiles, make_index, render_resources
from support.requirements import skip_or_fail
from support.simple_pages import CUT_OFF, FILE, HOST, MD5, PAGE, URL, A, B, json_result

pytestmark = pytest.mark.slow

# --- our own pages ----------------------------------------------------------------------------------------------------


TEMPLATES = Templates()  # compiled once
shelf = FakeFiles()

words = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1)
reasons = st.lists(words, min_size=1, max_size=3).map(" ".join)
names = st.from_regex(r"[a-z0-9]{1,3}(_[a-z0-9]{1,2}){0,2}", fullmatch=True)
versions = st.sampled_from(["0", "1.0", "1.0.0", "1!2.0", "1.0+cu128", "2.0a1", "2.0.post1", "10", "9"])
endings = st.sampled_from(["-py3-none-any.whl", "-1-py3-none-any.whl", "-cp312-abi3-win32.whl", ".tar.gz", ".zip"])
facts: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {},
    optional={
        "requires_python": reasons,
        "yanked": st.just("") | reasons,
        "provenance": st.sampled_from(["https://host.example/p?a=1&b='2'", "https://host.example/<x>"]),
        "upload_time": st.sampled_from(["2026-01-02T03:04:05Z", "1970-01-01T00:00:00Z", "2026-01-02T03:04:05.120000Z"]),
        "core_metadata": st.just(""),
        "metadata_name": st.just("De.Mo"),
    },
)
statuses = st.builds(ProjectStatus, status=st.sampled_from(["archived", "deprecated"]), reason=st.none() | reasons)


@st.composite
def indexes(draw: st.DrawFn) -> Index:
    filenames = draw(st.sets(st.builds("{}-{}{}".format, names, versions, endings), max_size=8))
    made = make_index(*(shelf.file(name, **draw(facts)) for name in sorted(filenames)))
    return Index(
        projects=tuple(
            Project(name=project.name, files=project.files, status=draw(st.none() | statuses))
            for project in made.projects
        )
    )


sites = st.builds(
    partial(Site, templates=TEMPLATES, links=True),
    simple_path=st.sampled_from(["simple", "", "a/b"]),
    files_url=st.sampled_from([None, None, "https://files.example/whl/"]),
    files_have_metadata=st.booleans(),
)


@given(indexes(), sites)
def test_our_own_pages_are_read_back_equal_from_html_and_json(index: Index, site: Site) -> None:
    pages = {
        page.path: page.render().decode("ascii") for page in render_resources(index, site) if isinstance(page, Rendered)
    }
    listed: list[Link] = []
    for project in index.projects:
        url = f"{HOST}/{site.simple(project.name)}/"
        depth = len(site.simple(project.name).split("/"))
        links = tuple(
            Link(
                url=urljoin(url, site.href(file, depth=depth)),
                filename=file.filename,
                sha256=file.sha256,
                requires_python=file.requires_python,
                yanked=file.yanked,
                core_metadata=site.core_metadata(file) or None,
                size=file.size,
                upload_time=file.upload_time,
                provenance=file.provenance,
            )
            for release in project.releases()
            for file in release.files
        )
        listed += links
        status = project.status
        assert parse_html(pages[site.simple(project.name, HTML_PAGE)], url) == Page(
            links=links, status=status, is_index=True
        )
        assert parse_json(pages[site.simple(project.name, JSON_PAGE)], url) == json_result(
            *links, status=status, name=project.name
        )
    root = f"{HOST}/{site.simple('')}"
    projects = tuple(project.name for project in index.projects)
    assert parse_html(pages[site.simple(HTML_PAGE)], root) == Page(
        projects=tuple(ProjectLink(name, f"{root}{name}/") for name in projects),
        directories=tuple(f"{root}{name}/" for name in projects),
        is_index=True,
    )
    assert parse_json(pages[site.simple(JSON_PAGE)], root) == Page(
        projects=tuple(map(ProjectLink, projects)), is_json=True, is_index=True
    )
    assert parse_html(pages["links.html"], f"{HOST}/links.html") == Page(links=tuple(listed), is_index=True)


# --- compared with pip and unearth ------------------------------------------------------------------------------------


class Reading(NamedTuple):
    """The facts about a file that all readers return, in one form."""

    url: str
    digest: str  # "name=hex"
    requires_python: str
    yanked: str | None


def normalize_url(url: str) -> str:
    """Return an address with its path percent-encoded in one way."""
    parts = urlsplit(url)
    path = "/".join(quote(unquote(segment), safe="") for segment in parts.path.split("/"))
    return parts._replace(path=path, query=quote(parts.query, safe="%&=+"), fragment="").geturl()


def is_wanted(url: str) -> bool:
    return urlsplit(url).scheme in ("http", "https") and urlsplit(url).path.endswith(SUFFIXES)


def read_with_mkindex(text: str, media_type: str = "text/html") -> set[Reading] | str:
    try:
        page = parse_json(text, PAGE) if media_type == JSON_TYPE else parse_html(text, PAGE)
    except Malformed as error:
        return str(error)
    return {
        Reading(
            normalize_url(link.url),
            f"sha256={link.sha256}" if link.sha256 else link.other_hash,
            link.requires_python,
            link.yanked,
        )
        for link in page.links
    }


def collapse(value: str | None) -> str:
    return " ".join((value or "").split())


def read_with_pip(text: str, media_type: str = "text/html") -> set[Reading]:
    try:
        from pip._internal.index.collector import IndexContent, parse_links
    except ImportError:
        skip_or_fail("pip, beside mkindex")
    content = IndexContent(text.encode(), media_type, "utf-8", PAGE, cache_link_parsing=False)
    return {
        Reading(
            normalize_url(link.url_without_fragment),
            f"{link.hash_name}={link.hash}" if link.hash_name else "",
            collapse(link.requires_python),
            link.yanked_reason,
        )
        for link in parse_links(content)
        if is_wanted(link.url_without_fragment)
    }


def read_with_unearth(text: str, media_type: str = "text/html") -> set[Reading]:
    page = IndexPage(UnearthLink(PAGE), text.encode(), "utf-8", media_type)
    found = (parse_json_response if media_type == JSON_TYPE else parse_html_page)(page)
    return {
        Reading(
            normalize_url(link.url_without_fragment),
            next((f"{name}={values[0]}" for name, values in (link.hash_option or {}).items()), ""),
            collapse(link.requires_python),
            None if link.yank_reason is None else str(link.yank_reason).removeprefix("True"),  # as read from JSON
        )
        for link in found
        if is_wanted(link.url_without_fragment)
    }


# Without "&copy=2": how pip reads an ampersand that is not escaped depends on the version of Python.
HREFS = [
    *("{}", "./{}", "/whl/{}", "../{}", "sub/{}", "a%20b/{}", "//other.example/{}", "https://other.example/x/{}"),
    *("http://other.example:8080/{}", "{}?a=1&b=2", "{}?X-Amz-Signature=ab%2Bc%3D&X-Amz-Date=2026"),
]
STEMS = ["demo-1.0", "Demo-1.0.post1", "de.mo-2!1.0rc1", "demo-1.0%2Bcu128", "demo-1.0+cpu", "a_b-3"]
ENDINGS = ["-py3-none-any.whl", "-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", ".tar.gz", ".zip"]
OTHERS = ["-py3.egg", ".tar.bz2", ".exe", "-py3-none-any.whl.metadata", ".tar.gz.asc", "/", ".html"]
FRAGMENTS = [
    "",
    f"#sha256={A}",
    f"#sha256={B}",
    f"#md5={MD5}",
    f"#sha512={'e' * 128}",
    "#egg=demo",
    f"#sha256={A}&egg=demo",
]
SPECIFIERS = [None, None, "", ">=3.8", ">=3.8,<4", ">= 3.8, != 3.9.*", "~=3.10"]
YANKED = [None, None, None, "", "broken", 'says "no" & <b>more</b>', "é 字"]


def random_file(draw: random.Random) -> dict[str, Any]:
    """Return the attributes of a link to a file."""
    ending = draw.choice(ENDINGS * 3 + OTHERS)
    href = draw.choice(HREFS).format(draw.choice(STEMS) + ending) + draw.choice(FRAGMENTS)
    attributes = {
        "href": href,
        "data-requires-python": draw.choice(SPECIFIERS),
        "data-yanked": draw.choice(YANKED),
        "data-core-metadata": draw.choice([None, "true", f"sha256={B}"]),
        "rel": draw.choice([None, "internal"]),
    }
    return {name: value for name, value in attributes.items() if value is not None}


def random_anchor(draw: random.Random, attributes: dict[str, str]) -> str:
    """Return an anchor in one of many ways to write it."""
    parts = []
    for name, value in draw.sample([*attributes.items()], len(attributes)):
        spelling = draw.choice([name, name.upper(), name.title()])
        text = escape(value) if draw.random() < 0.7 or "<" in value or '"' in value else value
        text = text.replace("+", draw.choice(["+", "&#43;", "&#x2B;"]))
        marks = ['"'] + (["'"] if "'" not in text else []) + ([""] if re.fullmatch(r"[\w./%:#;&-]+", text) else [])
        mark = draw.choice(marks)
        equals = draw.choice(["=", " = ", "=\n"])
        parts.append(f"{spelling}{equals}{mark}{text}{mark}")
    space = draw.choice([" ", "\n  ", "\t", "\r\n"])
    tag = draw.choice("aA")
    text = draw.choice(["text", "/srv/wheels/x.whl", "<b>text</b>", "other-9.zip", "", "a &lt; b"])
    end = draw.choice(["</a>", "</A>", "</a >", "</a><br/>"])
    return f"<{tag}{space}{space.join(parts)}{space}>{text}{end}"


def random_page(seed: int) -> str:
    draw = random.Random(seed)
    start = draw.choice(
        [
            "",
            "<!DOCTYPE html><html><head><title>Links for demo</title></head><body>\n",
            "<html><head><title>Index of /whl/</title></head><body><h1>Index of /whl/</h1><hr><pre>",
            '<!doctype html>\n<meta charset="utf-8"><title>a &amp; b</title>',
            "<!-- generated --> <ul>",
        ]
    )
    base = draw.choice(["", "", "", '<base href="https://base.example/x/y">', "<BASE HREF='https://base.example/'>"])
    between = draw.choice(
        ["\n", "<br>\n", "<br/>\r\n", " | ", "</li><li>", "<!-- > -->", " <hr> ", "<p>", "   01-Jan-2026\n"]
    )
    return base + start + between.join(random_anchor(draw, random_file(draw)) for _ in range(draw.randrange(12)))


@pytest.mark.parametrize("seed", range(0, 400, 50))
def test_pages_are_read_as_pip_and_unearth_read_them(seed: int) -> None:
    for number in range(seed, seed + 50):
        text = random_page(number)
        assert read_with_mkindex(text) == read_with_pip(text) == read_with_unearth(text), text


def mutate(draw: random.Random, text: str) -> str:
    """Return a page with some characters removed, repeated or replaced."""
    for _ in range(draw.randrange(1, 6)):
        at = draw.randrange(len(text) + 1)
        piece = draw.choice(
            ["", "", '"', "'", "<", ">", "&", "=", " ", "\n", "/", "#", "<!--", "-->", "</a>", "<a ", "é"]
        )
        text = text[:at] + piece + text[at + draw.choice([0, 0, 1, 3]) :]
    return text


def read_with_html5lib(text: str) -> set[str]:
    """Return the addresses of files that a parser finds which follows the HTML standard exactly."""
    tree = html5lib.parse(text, namespaceHTMLElements=False)
    base = next(
        (urljoin(PAGE, node.attrib["href"].strip()) for node in tree.iter("base") if "href" in node.attrib), PAGE
    )
    found = set()
    for node in tree.iter("a"):
        with suppress(ValueError):
            url = urljoin(base, re.sub(r"[\t\r\n]", "", node.attrib.get("href", "").strip()))
            parts = urlsplit(url)
            name = unquote(parts.path.rpartition("/")[2])
            is_valid = FILENAME.fullmatch(name) and re.fullmatch(r"[a-z0-9.-]+(:\d+)?", parts.netloc)
            if is_wanted(url) and is_valid and not has_malformed_hash(parts.fragment):
                found.add(normalize_url(url))
    return found


def has_malformed_hash(fragment: str) -> bool:
    """Return whether a hash of a known kind has the wrong digits: pip refuses such a file, and uv the whole page."""
    digits = {"sha512": 128, "sha384": 96, "sha256": 64, "sha224": 56, "sha1": 40, "md5": 32}
    pairs = (part.partition("=") for part in unquote(fragment).split("&"))
    hashes = ((name.lower(), value) for name, _, value in pairs if name.lower() in digits)
    return any(not re.fullmatch(rf"[0-9a-fA-F]{{{digits[name]}}}", value) for name, value in hashes)


@pytest.mark.parametrize("seed", range(0, 200, 50))
def test_a_damaged_page_is_read_by_the_html_standard_or_refused(seed: int) -> None:
    refused = 0
    for number in range(seed, seed + 50):
        text = mutate(random.Random(number), random_page(number))
        found = read_with_mkindex(text)
        if isinstance(found, str):
            refused += 1
        else:
            assert {one.url for one in found} == read_with_html5lib(text), text
    assert refused < 25


def reading(url: str = URL, digest: str = "", requires_python: str = "", yanked: str | None = None) -> set[Reading]:
    return {Reading(url, digest, requires_python, yanked)}


# Differences and their reasons: markup, and what mkindex, pip and unearth read. None: it refuses the whole page.
DIFFERENCES: dict[str, tuple[str, set[Reading] | str, set[Reading] | None, set[Reading] | None]] = {
    "data-yanked without a value yanks; pip and unearth ignore it": (
        f"<a href={FILE} data-yanked>x</a>",
        reading(yanked=""),
        reading(),
        reading(),
    ),
    "a relative base is joined to the address of the page, as in a browser": (
        f'<base href="sub/"><a href="{FILE}">x</a>',
        reading(f"{HOST}/whl/sub/{FILE}"),
        set(),
        set(),
    ),
    "a link with credentials is rejected, since they would be published": (
        f'<a href="https://user:secret@host.example/{FILE}">x</a>',
        set(),
        reading(f"https://user:secret@host.example/{FILE}"),
        reading(f"https://user:secret@host.example/{FILE}"),
    ),
    "a link without a host is rejected": (
        f'<a href="http:///{FILE}">x</a>',
        set(),
        reading(f"http:///{FILE}"),
        reading(f"http:///{FILE}"),
    ),
    "a filename with characters that no distribution has is rejected": (
        '<a href="a%20b-1.0.zip">x</a>',
        set(),
        reading(f"{HOST}/whl/a%20b-1.0.zip"),
        reading(f"{HOST}/whl/a%20b-1.0.zip"),
    ),
    "a file with a malformed hash is rejected when it is listed, not first when it is installed": (
        f'<a href="{FILE}#sha256=zz">x</a>',
        set(),
        reading(digest="sha256=zz"),
        reading(digest="sha256=zz"),
    ),
    "of several hashes sha256 counts, not the first one": (
        f'<a href="{FILE}#md5={MD5}&sha256={A}">x</a>',
        reading(digest=f"sha256={A}"),
        reading(digest=f"md5={MD5}"),
        reading(digest=f"sha256={A}"),
    ),
    "a percent-encoded fragment is a hash": (
        f'<a href="{FILE}#sha256%3D{A}">x</a>',
        reading(digest=f"sha256={A}"),
        reading(),
        reading(),
    ),
    "of a repeated attribute the first counts, as in a browser": (
        f'<a href="{FILE}" href="other-1.0.zip">x</a>',
        reading(),
        reading(f"{HOST}/whl/other-1.0.zip"),
        reading(f"{HOST}/whl/other-1.0.zip"),
    ),
    "the content of a template is not part of the page": (
        f'<template><a href="{FILE}">x</a></template>',
        set(),
        reading(),
        reading(),
    ),
    "a page that ends inside a tag is refused as a whole": (
        f'<a href="{FILE}">x</a><a href="demo-2.0',
        CUT_OFF,
        reading(),
        reading(),
    ),
}


@pytest.mark.parametrize(("text", "us", "pip", "unearth"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_these_are_the_only_differences_from_pip_and_unearth(
    text: str, us: set[Reading] | str, pip: set[Reading], unearth: set[Reading]
) -> None:
    assert (read_with_mkindex(text), read_with_pip(text), read_with_unearth(text)) == (us, pip, unearth)


def random_json_page(seed: int) -> str:
    draw = random.Random(seed)
    files = []
    for _ in range(draw.randrange(10)):
        attributes = random_file(draw)
        url, _, fragment = attributes["href"].partition("#")
        name, _, digest = fragment.partition("&")[0].partition("=")
        files.append(
            {
                "filename": unquote(urlsplit(url).path.rpartition("/")[2]),
                "url": url,
                "hashes": {name: digest} if name and name != "egg" else {},
                "size": draw.randrange(10**6),
                "yanked": draw.choice([attributes.get("data-yanked", False) or False, True, None]),
                "requires-python": draw.choice([attributes.get("data-requires-python"), None]),
                "core-metadata": draw.choice([True, False, None, {}, {"sha256": B}]),
                "upload-time": "2026-01-02T03:04:05.000006Z",
            }
        )
    return json.dumps({"meta": {"api-version": "1.1"}, "name": "demo", "files": files, "versions": []})


def test_json_pages_are_read_as_pip_and_unearth_read_them() -> None:
    for seed in range(200):
        text = random_json_page(seed)
        assert (
            read_with_mkindex(text, JSON_TYPE) == read_with_pip(text, JSON_TYPE) == read_with_unearth(text, JSON_TYPE)
        ), text
