"""Pages as they are out there, read: every attribute, every crooked form, and nothing of what a page must not say."""

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

from mkindex.errors import Rejected
from mkindex.model import Index, Project, ProjectStatus
from mkindex.render import HTML as HTML_PAGE
from mkindex.render import JSON as JSON_PAGE
from mkindex.render import Page as Rendered
from mkindex.render import Site
from mkindex.simple import read
from mkindex.simple.read import (
    DISTRIBUTIONS,
    FILENAME,
    JSON,
    STRANGE_NAME,
    Link,
    Malformed,
    Page,
    Status,
    parse_html,
    parse_json,
)
from mkindex.templating import Templates
from support.index_values import FakeFiles, make_index, render_resources
from support.requirements import skip_or_fail

HOST = "https://host.example"
PAGE = f"{HOST}/whl/page.html"
FILE = "demo-1.0-py3-none-any.whl"
URL = f"{HOST}/whl/{FILE}"
A, B = "a1" * 32, "b2" * 32  # sha256
MD5 = "c3" * 16

CREDENTIALS = "the link has a user name or a password in it, which every reader would see: mend the page"
NO_HOST = "the link names no host: mend the page"
TOO_DEEP = "nests more than 10,000 elements, or has as many attributes in one"
CUT_OFF = "ends inside a tag or a comment: it was cut off, so that links may be missing"


def anchor(href: str = FILE, attributes: str = "") -> Page:
    """What a page says that has one link, its address in double quotes."""
    return parse_html(f'<a href="{href}" {attributes}>text</a>', PAGE)


def entry(**keys: Any) -> Page:  # noqa: ANN401 (whatever JSON has)
    """What a JSON page says that has one file."""
    file = {"filename": FILE, "url": FILE} | {name.replace("_", "-"): value for name, value in keys.items()}
    return parse_json(json.dumps({"meta": {"api-version": "1.4"}, "name": "demo", "files": [file]}), PAGE)


def said(*links: Link, **rest: Any) -> Page:  # noqa: ANN401 (fields of Page)
    return Page(links=links, **rest)


def json_page(*links: Link, **rest: Any) -> Page:  # noqa: ANN401 (fields of Page)
    fields: dict[str, Any] = {"is_json": True, "is_index": True, "name": "demo"} | rest
    return Page(links=links, **fields)


DEMO = Link(url=URL, filename=FILE)


def at(url: str, filename: str = FILE) -> Page:
    return said(Link(url=url, filename=filename))


# --- HTML: what a link says -----------------------------------------------------------------------------------------


def test_every_attribute_of_a_link_is_read() -> None:
    attributes = (
        'data-requires-python="&gt;=3.9, &lt;4" data-yanked="broken &amp; &quot;old&quot;" '
        f'data-core-metadata="sha256={B}" data-dist-info-metadata="true" data-size="1234" '
        'data-upload-time="2026-01-02T03:04:05Z" data-provenance="https://host.example/p?a=1&amp;b=2" '
        'data-gpg-sig="true" rel="internal" class="x"'
    )
    assert anchor(f"{FILE}#sha256={A}", attributes) == said(
        Link(
            url=URL,
            filename=FILE,
            sha256=A,
            requires_python=">=3.9, <4",
            yanked='broken & "old"',
            core_metadata=B,
            size=1234,
            upload_time="2026-01-02T03:04:05Z",
            provenance="https://host.example/p?a=1&b=2",
        )
    )


@pytest.mark.parametrize(
    ("fragment", "expected"),
    {
        f"#sha256={A}": (A, ""),
        f"#SHA256={A.upper()}": (A, ""),
        f"#sha256%3D{A}": (A, ""),
        f"#sha256={A}&egg=demo": (A, ""),
        f"#sha256={A}&amp;egg=demo": (A, ""),
        f"#egg=demo&sha256={A}": (A, ""),
        f"#egg=demo-1.0&amp;subdirectory=x&amp;md5={MD5}": ("", f"md5={MD5}"),
        f"#md5={MD5}&sha256={A}": (A, ""),
        f"#md5={MD5}": ("", f"md5={MD5}"),
        f"#md5={MD5}&sha1={'d' * 40}&sha512={'e' * 128}": ("", f"sha512={'e' * 128}"),
        "#egg=demo": ("", ""),
        "#": ("", ""),
        "": ("", ""),
        # What is no hash is none: the bytes are hashed instead.
        "#sha256=": ("", ""),
        "#sha256=zz": ("", ""),
        f"#sha256={A}0": ("", ""),
        f"#sha256={A[:-1]}": ("", ""),
        f"#sha256={A[:-1]}g": ("", ""),
        f"#{A}": ("", ""),
        f"#sha3={A}": ("", ""),
        f"#md5={A}": ("", ""),
    }.items(),
)
def test_the_strongest_hash_that_is_one_counts(fragment: str, expected: tuple[str, str]) -> None:
    assert anchor(FILE + fragment) == said(DEMO._replace(sha256=expected[0], other_hash=expected[1]))


@pytest.mark.parametrize(
    ("attributes", "yanked"),
    {
        "": None,
        "data-yanked": "",
        'data-yanked=""': "",
        'data-yanked="a reason"': "a reason",
        "DATA-YANKED=reason": "reason",
        'data-yanked="false"': "false",
        'data-yanked="one" data-yanked="two"': "one",
    }.items(),
)
def test_a_link_is_yanked_with_or_without_a_reason_and_even_without_a_value(
    attributes: str, yanked: str | None
) -> None:
    assert anchor(attributes=attributes) == said(DEMO._replace(yanked=yanked))


@pytest.mark.parametrize(
    ("attributes", "core_metadata"),
    {
        "": None,
        'data-core-metadata="true"': "",
        'data-core-metadata="false"': None,
        "data-core-metadata": "",
        f'data-core-metadata="sha256={A}"': A,
        f'data-core-metadata="SHA256={A.upper()}"': A,
        'data-core-metadata="sha256=zz"': "",
        f'data-core-metadata="sha512={"e" * 128}"': "",
        'data-core-metadata="garbage"': "",
        f'data-dist-info-metadata="sha256={A}"': A,
        'data-dist-info-metadata="true"': "",
        'data-dist-info-metadata="false"': None,
        f'data-core-metadata="sha256={A}" data-dist-info-metadata="sha256={B}"': A,
        f'data-core-metadata="false" data-dist-info-metadata="sha256={B}"': None,
    }.items(),
)
def test_core_metadata_is_there_with_a_hash_or_without_one(attributes: str, core_metadata: str | None) -> None:
    assert anchor(attributes=attributes) == said(DEMO._replace(core_metadata=core_metadata))


@pytest.mark.parametrize(
    ("value", "requires_python"),
    {
        "&gt;=3.8": ">=3.8",
        ">=3.8": ">=3.8",
        "&#62;=3.8": ">=3.8",
        "": "",
        " \n&gt;=3.8\n ": ">=3.8",
        "&gt;=3.8,\n  &lt;4": ">=3.8, <4",
        "&gt;=3.8,\t&lt;4": ">=3.8, <4",
        "soon": "soon",
    }.items(),
)
def test_requires_python_is_read_across_lines(value: str, requires_python: str) -> None:
    assert anchor(attributes=f'data-requires-python="{value}"') == said(DEMO._replace(requires_python=requires_python))


@pytest.mark.parametrize(
    ("value", "size"),
    {"0": 0, "1234": 1234, "": None, "-1": None, "1.5": None, "1e3": None, "٣": None, "9" * 30: None}.items(),
)
def test_a_size_is_a_number_of_bytes_or_not_said(value: str, size: int | None) -> None:
    assert anchor(attributes=f'data-size="{value}"') == said(DEMO._replace(size=size))


TIMES = {
    "2026-01-02T03:04:05Z": "2026-01-02T03:04:05Z",
    "2026-01-02T03:04:05.123456Z": "2026-01-02T03:04:05.123456Z",
    "2026-01-02T03:04:05.12Z": "2026-01-02T03:04:05.120000Z",
    "2026-01-02T03:04:05.123456789Z": "2026-01-02T03:04:05.123456Z",
    "2026-01-02T03:04:05.000Z": "2026-01-02T03:04:05Z",
    "2024-02-29T23:59:59Z": "2024-02-29T23:59:59Z",
    # Each of these makes pip, or uv, fail on the whole page.
    "2026-02-29T00:00:00Z": "",
    "2026-13-45T25:61:61Z": "",
    "2026-01-01T23:59:60Z": "",
    "0000-01-01T00:00:00Z": "",
    # PEP 700: "must be in the form yyyy-mm-ddThh:mm:ss.ffffffZ".
    "2026-01-02T03:04:05": "",
    "2026-01-02T03:04:05+00:00": "",
    "2026-01-02": "",
    "2026-01-02 03:04:05Z": "",
    "1767323045": "",
    "\u0662026-01-02T03:04:05Z": "",
    "": "",
}


@pytest.mark.parametrize(("value", "time"), TIMES.items())
def test_an_upload_time_is_one_that_clients_can_read_or_not_said(value: str, time: str) -> None:
    assert (anchor(attributes=f'data-upload-time="{value}"'), entry(upload_time=value)) == (
        said(DEMO._replace(upload_time=time)),
        json_page(DEMO._replace(upload_time=time)),
    )


@pytest.mark.parametrize(
    "value", ["http://host.example/p", "javascript:x", "/p", "https://host.example/\u202e", "https://ä.example", ""]
)
def test_provenance_is_an_https_url_or_not_said(value: str) -> None:
    assert (anchor(attributes=f'data-provenance="{value}"'), entry(provenance=value)) == (said(DEMO), json_page(DEMO))


# --- HTML: where a link leads ---------------------------------------------------------------------------------------

PLUS = "demo-1.0+cu128-py3-none-any.whl"
PLUS_URL = f"{HOST}/whl/demo-1.0%2Bcu128-py3-none-any.whl"


@pytest.mark.parametrize(
    ("href", "expected"),
    {
        FILE: said(DEMO),
        f"./{FILE}": said(DEMO),
        f"/{FILE}": at(f"{HOST}/{FILE}"),
        f"../{FILE}": at(f"{HOST}/{FILE}"),
        f"../../../{FILE}": at(f"{HOST}/{FILE}"),
        f"//other.example/{FILE}": at(f"https://other.example/{FILE}"),
        f"http://other.example:8080/a/{FILE}": at(f"http://other.example:8080/a/{FILE}"),
        f"HTTPS://host.example/whl/{FILE}": said(DEMO),
        f"https://[::1]:8080/{FILE}": at(f"https://[::1]:8080/{FILE}"),
        f"  \n {FILE}\t ": said(DEMO),
        "demo-1.0\n-py3-\r\n\tnone-any.whl": said(DEMO),
        # As it stands on so many pages: a query whose ampersand is not escaped.
        f"{FILE}?a=1&copy=2": at(f"{URL}?a=1&copy=2"),
        f"{FILE}?a=1&amp;copy=2": at(f"{URL}?a=1&copy=2"),
        f"{FILE}?sig=a%2Bb%3D&amp;se=2026": at(f"{URL}?sig=a%2Bb%3D&se=2026"),
        f"{FILE}?name=a b": at(f"{URL}?name=a%20b"),
        f"{FILE}?": said(DEMO),
        PLUS: at(PLUS_URL, PLUS),
        PLUS.replace("+", "&#43;"): at(PLUS_URL, PLUS),
        PLUS.replace("+", "&plus;"): at(PLUS_URL, PLUS),
        PLUS.replace("+", "%2B"): at(PLUS_URL, PLUS),
        PLUS.replace("+", "%2b"): at(PLUS_URL, PLUS),
        "demo%2D1.0-py3-none-any.whl": said(DEMO),
        f"a b/{FILE}": at(f"{HOST}/whl/a%20b/{FILE}"),
        f"a%20b/{FILE}": at(f"{HOST}/whl/a%20b/{FILE}"),
        f"ä/{FILE}": at(f"{HOST}/whl/%C3%A4/{FILE}"),
        f"%C3%A4/{FILE}": at(f"{HOST}/whl/%C3%A4/{FILE}"),
        f"%e4/{FILE}": at(f"{HOST}/whl/%E4/{FILE}"),
        f"a%2Fb/{FILE}": at(f"{HOST}/whl/a%2Fb/{FILE}"),
        f"a%23b%3Fc/{FILE}": at(f"{HOST}/whl/a%23b%3Fc/{FILE}"),
        f"https://bücher.example/{FILE}": at(f"https://xn--bcher-kva.example/{FILE}"),
        "demo-1.0.tar.gz": at(f"{HOST}/whl/demo-1.0.tar.gz", "demo-1.0.tar.gz"),
        "demo-1.0.zip": at(f"{HOST}/whl/demo-1.0.zip", "demo-1.0.zip"),
    }.items(),
)
def test_an_address_is_made_absolute_and_spelled_in_one_way(href: str, expected: Page) -> None:
    assert anchor(href) == expected


@pytest.mark.parametrize(
    ("base", "url"),
    {
        '<base href="https://other.example/x/">': "https://other.example/x/",
        '<base href="https://other.example/x">': "https://other.example/",
        '<base href="/other/">': f"{HOST}/other/",
        '<base href="sub/">': f"{HOST}/whl/sub/",
        '<base href="../sub/">': f"{HOST}/sub/",
        "<base href=' /other/\n'>": f"{HOST}/other/",
        "<BASE HREF=/other/>": f"{HOST}/other/",
        # "If there are multiple base elements with href attributes, all but the first are ignored."
        '<base href="/one/"><base href="/two/">': f"{HOST}/one/",
        '<base target="_blank"><base href="/two/">': f"{HOST}/two/",
        '<base href=""><base href="/two/">': f"{HOST}/whl/",
        # One that is no address counts for nothing, as in a browser.
        '<base href="https://[x/">': f"{HOST}/whl/",
        '<base href="javascript:alert(1)">': f"{HOST}/whl/",
        '<base href="data:text/html,x">': f"{HOST}/whl/",
        '<template><base href="/one/"></template>': f"{HOST}/whl/",
        '<!-- <base href="/one/"> -->': f"{HOST}/whl/",
    }.items(),
)
def test_addresses_are_joined_to_the_first_base(base: str, url: str) -> None:
    assert parse_html(f'<html><head>{base}</head><a href="{FILE}">x</a></html>', PAGE) == at(url + FILE)


def test_a_base_behind_the_links_counts_for_them_too() -> None:
    assert parse_html(f'<a href="{FILE}">x</a><base href="/other/">', PAGE) == at(f"{HOST}/other/{FILE}")


@pytest.mark.parametrize(
    "text",
    [
        f'<a href="{FILE}">x</a>',
        f'<!DOCTYPE html><html><head><title>x</title></head><body><a href="{FILE}">x</a></body></html>\n',
        f'<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN"><html><a href="{FILE}">x</a></html>',
        f'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><a href="{FILE}">x</a></html>',
        f'<A HREF="{FILE}">x</A>',
        f"<a href={FILE}>x</a>",
        f"<a href='{FILE}'>x</a>",
        f"<a\nhref\n=\n'{FILE}'\n>x</a\n>",
        f"<a href={FILE} href=other-1.0.zip>x</a>",
        f'<a href="{FILE}"/>x',
        f'<a href="{FILE}">x',
        f'<a name="top"></a><a>x</a><a href>y</a><a href="{FILE}"><b>x</b></a>',
        f'<table><tr><td><a href="{FILE}">x</a><td>today</table>',
        f'<table><a href="{FILE}">x</a></table>',
        f'<pre><img src="x.png"> <a href="{FILE}">demo-1.0-py3-no..&gt;</a> 01-Jan-2026 00:00 1K</pre>',
        f'<center><font size=7><li><a href="{FILE}"><p>wheels/{FILE}</p></a></ol></font>',
        f'<a href="{FILE}">/srv/wheels/{FILE}</a>',
        f'<a href="{FILE}">other-2.0.zip</a>',
        f'<a href="{FILE}" data-yanked-not=x data-size="many" onclick="alert(\'</a>\')">x</a>',
        f'\ufeff<a href="{FILE}">x</a>',
        f'<a href="{FILE}">a < b && c > d &nosuch; &#x110000;</a>',
        f'<a href="{FILE}">x</a>\x00\x01\x7f\ud800',
    ],
)
def test_a_page_may_be_as_crooked_as_it_likes(text: str) -> None:
    page = parse_html(text, PAGE)
    assert (page.links, page.refused) == ((DEMO,), ())


@pytest.mark.parametrize(
    "hidden",
    [
        "<!-- {} -->",
        "<!--> <!-- {} -->",
        "<template>{}</template>",
        "<title>{}</title>",
        "<textarea>{}</textarea>",
        "<script>{}</script>",
        "<style>{}</style>",
        "<iframe>{}</iframe>",
        "<xmp>{}</xmp>",
        "<noframes>{}</noframes>",
        "<p title='{}'>",
    ],
)
def test_what_only_looks_like_a_link_is_none(hidden: str) -> None:
    text = hidden.format('<a href="hidden-1.0.zip">x</a>') + f'<a href="{FILE}">x</a>'
    assert parse_html(text, PAGE) == said(DEMO)


@pytest.mark.parametrize(
    "text",
    [
        f'<a href="{FILE}">x</a> <a href="{FILE}">again</a>',
        f'<a href="{FILE}">x</a> <a href="./{FILE}#egg=demo">again</a>',
        # The HTML standard has an anchor that nothing closes begin again in every paragraph.
        f'<p><a href="{FILE}">x</p><p>y</p><p>z</p>',
    ],
)
def test_a_link_that_is_there_twice_is_one(text: str) -> None:
    assert parse_html(text, PAGE) == said(DEMO)


@pytest.mark.parametrize(
    ("start", "has_end"),
    {
        "<html>{}</html>": True,
        "<HTML>{}</HTML >": True,
        "{}": True,
        "<html>{}": False,
        "<!doctype html><html>{}</body>": False,
    }.items(),
)
def test_a_document_that_is_not_closed_is_noticed(start: str, has_end: bool) -> None:
    assert parse_html(start.format(f'<a href="{FILE}">x</a>'), PAGE) == said(DEMO, has_end=has_end)


def test_links_to_anything_else_are_counted_by_kind() -> None:
    hrefs = [
        *("demo-1.0.tar.bz2", "demo-1.0.exe", "demo-1.0.WHL", f"{FILE}.asc", f"{FILE}.metadata", "x.html?a.whl"),
        *(
            "sub/",
            "sub/#top",
            "./sub/",
            "other/",
            "../",
            "/",
            "/whl/",
            "sub/deeper/",
            "https://host.example/whl/third/",
        ),
        *(
            "http://host.example/whl/sub/",
            "https://else.example/",
            "?C=N;O=D",
            "mailto:x",
            "javascript:void(0)",
            "README",
        ),
        *("https://[x/", f"{FILE}/"),
    ]
    page = parse_html("".join(f'<a href="{href}">x</a>' for href in hrefs), f"{HOST}/whl/")
    assert page == Page(
        other_files=("demo-1.0.tar.bz2", "demo-1.0.exe", "demo-1.0.WHL", f"{FILE}.asc", f"{FILE}.metadata", "x.html"),
        directories=tuple(f"{HOST}/whl/{name}/" for name in ("sub", "other", "third", FILE)),
        elsewhere=page.elsewhere,
    )
    assert page.elsewhere == 11


@pytest.mark.parametrize("root", [f"{HOST}/simple/", f"{HOST}/simple", f"{HOST}/simple/index.html"])
@pytest.mark.parametrize("href", ["/simple/demo/", f"{HOST}/simple/demo/", "//host.example/simple/demo/"])
def test_a_root_may_be_named_with_its_slash_without_it_and_by_its_file(root: str, href: str) -> None:
    expected = (f"{HOST}/simple/demo/",)
    assert (
        parse_html(f'<a href="{href}">demo</a>', root).directories == (() if root.endswith("html") else expected)
        or expected
    )


@pytest.mark.parametrize(
    ("title", "is_listing"),
    {
        "Index of /whl/": True,
        "Directory listing for /whl/": True,
        "\n  index of /": True,
        "Links for demo": False,
        "My index of wheels": False,
        "": False,
    }.items(),
)
def test_a_listing_of_a_server_is_known_by_its_title(title: str, is_listing: bool) -> None:
    page = parse_html(f'<html><head><title>{title}</title></head><a href="{FILE}">x</a></html>', PAGE)
    assert page == said(DEMO, is_listing=is_listing)


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        ("archived", "see demo2", Status("archived", "see demo2")),
        ("quarantined", None, Status("quarantined")),
        ("deprecated", "", Status("deprecated")),
        ("deprecated", "two\n lines", Status("deprecated", "two lines")),
        ("active", "why not", None),
        ("retired", "x", None),
        ("", "x", None),
    ],
)
def test_the_status_of_a_project_is_read(status: str, reason: str | None, expected: Status | None) -> None:
    why = "" if reason is None else f'<meta name="pypi:project-status-reason" content="{reason}">'
    text = (
        f'<meta name="pypi:repository-version" content="1.4"><meta name="pypi:project-status" content="{status}">{why}'
    )
    marker = {"status": status} | ({} if reason is None else {"reason": reason})
    document = {"name": "demo", "project-status": marker, "files": []}
    assert parse_html(text, PAGE) == Page(status=expected, is_index=True)
    assert parse_json(json.dumps(document), PAGE) == json_page(status=expected)


# --- HTML: hostile --------------------------------------------------------------------------------------------------


def scheme(name: str) -> str:
    return f"a page may not link to a {name}: address: mend the page"


@pytest.mark.parametrize(
    ("href", "location", "reason"),
    [
        (f"javascript:{FILE}", f"javascript:{FILE}", scheme("javascript")),
        (f"JavaScript:{FILE}", f"JavaScript:{FILE}", scheme("javascript")),
        (f"java\nscript:{FILE}", f"javascript:{FILE}", scheme("javascript")),
        (f"file:///srv/{FILE}", f"file:///srv/{FILE}", scheme("file")),
        (f"FILE:/srv/{FILE}", f"FILE:/srv/{FILE}", scheme("file")),
        (f"ftp://host.example/{FILE}", f"ftp://host.example/{FILE}", scheme("ftp")),
        (f"git+https://host.example/{FILE}", f"git+https://host.example/{FILE}", scheme("git+https")),
        (f"data:,{FILE}", f"data:,{FILE}", STRANGE_NAME),
        (f"https://user:secret@host.example/{FILE}", f"https://host.example/{FILE}", CREDENTIALS),
        (f"https://user@host.example/{FILE}?t=secret", f"https://host.example/{FILE}", CREDENTIALS),
        (f"//user:secret@host.example/{FILE}", f"https://host.example/{FILE}", CREDENTIALS),
        (f"https://:@host.example/{FILE}", f"https://host.example/{FILE}", CREDENTIALS),
        (f"http:///{FILE}", f"http:///{FILE}", NO_HOST),
        (f"http:{FILE}", f"http:{FILE}", NO_HOST),
        (f"http://:80/{FILE}", f"http://:80/{FILE}", NO_HOST),
        ("a%2Fb-1.0.zip", f"{HOST}/whl/a%2Fb-1.0.zip", STRANGE_NAME),
        ("..%2Fb-1.0.zip", f"{HOST}/whl/..%2Fb-1.0.zip", STRANGE_NAME),
        ("a%5Cb-1.0.zip", f"{HOST}/whl/a%5Cb-1.0.zip", STRANGE_NAME),
        ("a%00b-1.0.zip", f"{HOST}/whl/a%00b-1.0.zip", STRANGE_NAME),
        ("a%0Ab-1.0.zip", f"{HOST}/whl/a%0Ab-1.0.zip", STRANGE_NAME),
        ("a%20b-1.0.zip", f"{HOST}/whl/a%20b-1.0.zip", STRANGE_NAME),
        ("a%22b-1.0.zip", f"{HOST}/whl/a%22b-1.0.zip", STRANGE_NAME),
        ("a&quot;b-1.0.zip", f'{HOST}/whl/a"b-1.0.zip', STRANGE_NAME),
        ("a'b-1.0.zip", f"{HOST}/whl/a'b-1.0.zip", STRANGE_NAME),
        ("a&lt;b-1.0.zip", f"{HOST}/whl/a<b-1.0.zip", STRANGE_NAME),
        ("%252e-1.0.zip", f"{HOST}/whl/%252e-1.0.zip", STRANGE_NAME),
        ("ä-1.0.zip", f"{HOST}/whl/ä-1.0.zip", STRANGE_NAME),
        ("%C3%A4-1.0.zip", f"{HOST}/whl/%C3%A4-1.0.zip", STRANGE_NAME),
        ("%FF-1.0.zip", f"{HOST}/whl/%FF-1.0.zip", STRANGE_NAME),
        ("a&#x202e;b-1.0.zip", f"{HOST}/whl/a\\u202eb-1.0.zip", STRANGE_NAME),
        ("a&#27;b-1.0.zip", f"{HOST}/whl/a\\x1bb-1.0.zip", STRANGE_NAME),
        (f"{'a' * 300}-1.0.zip", f"{HOST}/whl/{'a' * 300}-1.0.zip", STRANGE_NAME),
    ],
)
def test_a_hostile_link_is_refused_alone(href: str, location: str, reason: str) -> None:
    page = parse_html(f'<a href="{href}">x</a><a href="{FILE}">y</a>', PAGE)
    assert page == said(DEMO, refused=(Rejected(location=location, reason=reason),))


@pytest.mark.parametrize(
    "netloc",
    [
        "host:port",
        "host:99999",
        "host:-1",
        "ho st",
        "ho%20st",
        "h%40",
        "host<b>",
        f"{'a' * 70}.ä",
        "xn--\u0301",
        "[::1",
        "a\u2100b",
    ],
)
def test_an_address_that_nobody_can_ask_is_not_listed(netloc: str) -> None:
    page = parse_html(f'<a href="https://{netloc}/{FILE}">x</a><a href="{FILE}">y</a>', PAGE)
    assert (page.links, len(page.refused) + page.elsewhere) == ((DEMO,), 1)


@pytest.mark.parametrize("base", ["file:///srv/", "FILE:/srv/", "file://localhost/srv/"])
def test_a_page_from_a_server_names_no_file_of_this_machine_not_even_by_its_base(base: str) -> None:
    page = parse_html(f'<base href="{base}"><a href="{FILE}">x</a>', PAGE)
    assert [link for link in page.links if not link.url.startswith(HOST)] == []


def test_a_page_of_this_machine_may_name_its_files_and_those_of_servers() -> None:
    text = f'<a href="{FILE}">1</a><a href="../a%20b/demo-1.0.zip">2</a><a href="{URL}">3</a>'
    assert parse_html(text, "file:///srv/whl/page.html") == said(
        Link(url=f"file:///srv/whl/{FILE}", filename=FILE),
        Link(url="file:///srv/a%20b/demo-1.0.zip", filename="demo-1.0.zip"),
        DEMO,
    )


@pytest.mark.parametrize("netloc", ["other.example", "10.0.0.1", "user@"])
def test_a_file_of_another_machine_is_not_taken_for_one_of_this(netloc: str) -> None:
    page = parse_html(f'<a href="file://{netloc}/srv/{FILE}">x</a>', "file:///srv/page.html")
    assert (page.links, len(page.refused)) == ((), 1)


@pytest.mark.parametrize("password", ["secret", "sec/ret", "sec?ret", "sec#ret", "sec%2Fret", "se:cr@et"])
def test_a_password_is_shown_to_nobody(password: str) -> None:
    page = parse_html(f'<a href="https://user:{password}@host.example/{FILE}">x</a>', PAGE)
    shown = [f"{refused.location} {refused.reason}" for refused in page.refused]
    assert page.links == ()
    assert [text for text in shown if "sec" in text or "ret" in text or "se:cr" in text] == []


def test_more_links_than_a_page_may_have_are_an_error_and_not_a_shorter_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "MAX_LINKS", 2)
    monkeypatch.setattr(read, "MAX_PROJECTS", 2)
    hrefs = [f"demo-{n}.zip" for n in range(3)]
    documents = [
        (parse_html, "".join(f'<a href="{href}">x</a>' for href in hrefs)),
        (parse_json, json.dumps({"files": [{"filename": href, "url": href} for href in hrefs]})),
        (parse_json, json.dumps({"projects": [{"name": href} for href in hrefs]})),
    ]
    for parse, text in documents:
        with pytest.raises(Malformed, match="more than 2"):
            parse(text, PAGE)


@pytest.mark.parametrize(
    "text",
    [
        "<a " * 100_000,
        "<!--" * 100_000,
        "<a href='" * 100_000,
        '<a href="' + "&amp" * 100_000,
        "<title>" * 100_000,
        "<![CDATA[" * 100_000,
        "</" * 100_000,
        "&" * 1_000_000,
        "<b><p>" * 2_000,
        "<table>" * 20_000,
        "<div>" * 10_000,
    ],
    ids=lambda text: text[:9],
)
def test_bait_for_slow_parsers_is_read_or_refused_in_time(text: str) -> None:
    try:
        assert parse_html(text, PAGE).links == ()
    except Malformed as error:
        assert str(error) in (CUT_OFF, TOO_DEEP)  # noqa: PT017 (some of it may be read)


@pytest.mark.parametrize("text", ["<div>" * 30_000, "</p>" * 30_000 + "<div>" * 30_000, "<div></x>" * 30_000])
def test_elements_nested_without_end_are_refused_before_they_are_read(text: str) -> None:
    with pytest.raises(Malformed) as error:
        parse_html(text, PAGE)
    assert str(error.value) == TOO_DEEP


@pytest.mark.parametrize(
    "row", ["<li>{}", "<p>{}", "<tr><td>{}", "<dt>{}<dd>", "{}<br>", "<div><b>{}</b></div>", "{}<hr><img src=x>"]
)
def test_a_long_page_is_not_a_deep_one_whatever_it_leaves_open(row: str) -> None:
    names = [f"demo-{number}.zip" for number in range(12_000)]
    text = "".join(row.format(f"<a href={name}>{name}</a>\n") for name in names)
    start = "<table>" if "<tr>" in row else ""
    assert [link.filename for link in parse_html(start + text, PAGE).links] == names


# --- torn -----------------------------------------------------------------------------------------------------------

REAL = f"""\
<!DOCTYPE html>
<html>
  <head><meta name="pypi:repository-version" content="1.1"><title>Links for demo</title></head>
  <body><!-- <a href="hidden-1.0.zip"> served by > cache 7 -->
    <h1>Links for demo</h1>
<a href="https://files.example/ab/demo-0.9.tar.gz#sha256={A}" data-requires-python="&gt;=3.7">demo-0.9.tar.gz</a><br />
<a href='../../d/demo-1.0+cu-py3-none-any.whl#sha256={B}' data-core-metadata=true data-yanked=">x</a>">demo</a><br/>
<A HREF=demo-1.0.zip DATA-YANKED>demo-1.0.zip</A> <a href=demo-1.0.zip.whl>x<br>
</body>
</html>
<!--SERIAL 123456-->"""
TAGS = re.compile(r"<!--.*?-->|<(?:\"[^\"]*\"|'[^']*'|[^>\"'])*>", re.DOTALL)


def test_a_page_that_ends_inside_a_tag_is_no_shorter_page() -> None:
    whole = parse_html(REAL, PAGE).links
    assert len(whole) == 4
    inside = {at for match in TAGS.finditer(REAL) for at in range(match.start() + 1, match.end())}
    accepted = set()
    for end in range(len(REAL)):
        try:
            links = parse_html(REAL[:end], PAGE).links
        except Malformed as error:
            assert str(error) == CUT_OFF  # noqa: PT017 (most cuts raise, some do not)
            continue
        accepted.add(end)
        assert links == whole[: len(links)]
    assert accepted & inside == set()
    ends = {match.end() for match in re.finditer("</h1>|</a>|<br */?>|</body>", REAL)} - {REAL.index('</a>"') + 4}
    assert ends - accepted == set()


def test_a_json_page_that_was_cut_off_anywhere_is_none() -> None:
    whole = json.dumps({"files": [{"filename": FILE, "url": FILE, "hashes": {"sha256": A}}], "name": "demo"})
    for end in range(len(whole)):
        with pytest.raises(Malformed):
            parse_json(whole[:end], PAGE)


# --- JSON -----------------------------------------------------------------------------------------------------------


def test_every_key_of_a_file_is_read() -> None:
    assert entry(
        hashes={"sha256": A, "md5": MD5},
        requires_python=">=3.9, <4",
        yanked='broken & "old"',
        core_metadata={"sha256": B},
        dist_info_metadata=True,
        size=1234,
        upload_time="2026-01-02T03:04:05.5Z",
        provenance="https://host.example/p",
        gpg_sig=True,
        _unknown=[1],
    ) == json_page(
        Link(
            url=URL,
            filename=FILE,
            sha256=A,
            requires_python=">=3.9, <4",
            yanked='broken & "old"',
            core_metadata=B,
            size=1234,
            upload_time="2026-01-02T03:04:05.500000Z",
            provenance="https://host.example/p",
        )
    )


GARBAGE: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    1.5,
    "",
    "garbage",
    [],
    [1],
    {},
    {"x": 1},
    {"sha256": 1},
    {"sha256": "z"},
]


@pytest.mark.parametrize(
    ("key", "field", "known"),
    [
        ("hashes", "sha256", {}),
        ("requires-python", "requires_python", {"garbage": "garbage"}),
        ("size", "size", {"0": 0, "1": 1}),
        ("upload-time", "upload_time", {}),
        ("provenance", "provenance", {}),
    ],
)
@pytest.mark.parametrize("value", GARBAGE, ids=repr)
def test_a_value_of_the_wrong_type_says_nothing(key: str, field: str, known: dict[str, Any], value: object) -> None:
    expected = known.get(str(value), getattr(DEMO, field))
    assert entry(**{key: value}) == json_page(DEMO._replace(**{field: expected}))


@pytest.mark.parametrize("value", GARBAGE, ids=repr)
def test_what_is_not_said_to_be_yanked_is_not_and_anything_else_is(value: object) -> None:
    yanked = None if not value else value if isinstance(value, str) else ""
    assert entry(yanked=value) == json_page(DEMO._replace(yanked=yanked))


@pytest.mark.parametrize(
    ("keys", "core_metadata"),
    [
        ({}, None),
        ({"core-metadata": True}, ""),
        ({"core-metadata": False}, None),
        ({"core-metadata": None}, None),
        ({"core-metadata": {}}, ""),
        ({"core-metadata": {"sha256": A}}, A),
        ({"core-metadata": {"sha256": A.upper()}}, A),
        ({"core-metadata": {"sha512": "e" * 128}}, ""),
        ({"core-metadata": {"sha256": None}}, ""),
        ({"dist-info-metadata": {"sha256": A}}, A),
        ({"dist-info-metadata": True}, ""),
        ({"core-metadata": {"sha256": A}, "dist-info-metadata": {"sha256": B}}, A),
        ({"core-metadata": False, "dist-info-metadata": {"sha256": B}}, None),
    ],
)
def test_core_metadata_in_json_is_there_with_a_hash_or_without_one(
    keys: dict[str, Any], core_metadata: str | None
) -> None:
    assert entry(**keys) == json_page(DEMO._replace(core_metadata=core_metadata))


def test_a_size_that_no_client_can_read_is_not_said() -> None:
    assert [entry(size=size).links[0].size for size in (2**53, 10**30)] == [2**53, None]


def test_text_that_no_client_can_read_does_not_get_any_further() -> None:
    (link,) = entry(yanked="a\ud800b\x00c", requires_python=">=3\ud800").links
    texts = (link.yanked or "", link.requires_python)
    assert [text for text in texts if "\ud800" in text or "\x00" in text] == []
    assert link.yanked is not None


@pytest.mark.parametrize(
    "file",
    [
        None,
        True,
        1,
        "x",
        [],
        {},
        {"filename": FILE},
        {"url": FILE},
        {"filename": 1, "url": FILE},
        {"filename": FILE, "url": None},
        {"filename": None, "url": FILE},
    ],
    ids=repr,
)
def test_an_entry_that_makes_no_sense_is_refused_alone(file: object) -> None:
    page = parse_json(json.dumps({"files": [file, {"filename": FILE, "url": FILE}], "name": "demo"}), PAGE)
    wrong = "has no filename or url" if isinstance(file, dict) else "is no object"
    wrong = f"an entry of this page {wrong}: ask who runs it"
    assert page == json_page(DEMO, refused=(Rejected(location=PAGE, reason=wrong),))


@pytest.mark.parametrize(
    ("filename", "url", "reason"),
    [
        (FILE, f"file:///srv/{FILE}", scheme("file")),
        (FILE, f"javascript:{FILE}", scheme("javascript")),
        (FILE, f"https://user:secret@host.example/{FILE}", CREDENTIALS),
        (FILE, f"http:///{FILE}", NO_HOST),
        (f"../{FILE}", FILE, STRANGE_NAME),
        ('"-1.0.zip', FILE, STRANGE_NAME),
        ("a\n-1.0.zip", FILE, STRANGE_NAME),
        ("ä-1.0.zip", FILE, STRANGE_NAME),
        (f"{'a' * 300}.zip", FILE, STRANGE_NAME),
    ],
)
def test_a_hostile_entry_is_refused_alone(filename: str, url: str, reason: str) -> None:
    page = entry(filename=filename, url=url)
    assert [(refused.reason, "secret" in refused.location) for refused in page.refused] == [(reason, False)]
    assert page.links == ()


@pytest.mark.parametrize("url", ["https://[x/a.zip", "https://host:port/a.zip", "https://ho st/a.zip", "\ud800/a.zip"])
def test_an_entry_that_nobody_can_ask_for_is_refused_alone(url: str) -> None:
    page = entry(filename="a.zip", url=url)
    assert (page.links, len(page.refused)) == ((), 1)


def test_a_file_that_clients_do_not_install_is_named() -> None:
    assert entry(filename="demo-1.0.exe", url="demo-1.0.exe") == json_page(other_files=("demo-1.0.exe",))


def test_a_root_names_its_projects_as_they_are_spelled() -> None:
    document = {
        "meta": {"api-version": "1.0"},
        "projects": [{"name": "De.Mo"}, None, {}, {"name": 1}, "x", {"name": "a"}],
    }
    assert parse_json(json.dumps(document), PAGE) == Page(projects=("De.Mo", "a"), is_json=True, is_index=True)


@pytest.mark.parametrize(
    ("text", "wrong"),
    {
        "": "is no JSON, or not all of it",
        "{": "is no JSON, or not all of it",
        '{"files": []}}': "is no JSON, or not all of it",
        "<html>": "is no JSON, or not all of it",
        "[" * 100_000: "is no JSON, or not all of it",
        '{"files":' * 100_000: "is no JSON, or not all of it",
        '{"files": [' + "9" * 5000 + "]}": "is no JSON, or not all of it",
        "[]": "is JSON, but no page of the Simple API",
        "null": "is JSON, but no page of the Simple API",
        '"files"': "is JSON, but no page of the Simple API",
        "{}": "is JSON, but names neither projects nor files",
        '{"files": null}': "is JSON, but names neither projects nor files",
        '{"files": {}}': "is JSON, but names neither projects nor files",
        '{"projects": "x"}': "is JSON, but names neither projects nor files",
        '{"meta": {"api-version": "2.0"}, "files": []}': "is of version 2.0 of the Simple API",
        '{"meta": {"api-version": "10.1"}, "files": []}': "is of version 10.1 of the Simple API",
        '{"meta": {"api-version": ""}, "files": []}': "is of version  of the Simple API",
    }.items(),
    ids=lambda text: text[:20],
)
def test_a_json_page_that_says_nothing_reliable_is_an_error(text: str, wrong: str) -> None:
    with pytest.raises(Malformed) as error:
        parse_json(text, PAGE)
    assert str(error.value).startswith(wrong)


@pytest.mark.parametrize(
    "meta", [None, 1, [], {}, {"api-version": None}, {"api-version": "1.99"}, {"api-version": "1"}]
)
def test_a_version_that_is_missing_or_higher_in_its_second_number_is_read(meta: object) -> None:
    document = {"meta": meta, "name": "demo", "files": [{"filename": FILE, "url": FILE}]}
    assert parse_json(json.dumps(document), PAGE) == json_page(DEMO)


@pytest.mark.parametrize("name", [None, 1, [], {}])
@pytest.mark.parametrize("marker", [None, 1, "archived", [], {}, *({"status": value} for value in GARBAGE)], ids=repr)
def test_a_name_or_a_status_that_makes_no_sense_says_nothing(name: object, marker: object) -> None:
    document = {"name": name, "project-status": marker, "files": [{"filename": FILE, "url": FILE}]}
    assert parse_json(json.dumps(document), PAGE) == json_page(DEMO, name="")


# --- what we write, read --------------------------------------------------------------------------------------------

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
        "core_metadata": st.none(),
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
def test_what_is_written_is_read_back_from_html_and_from_json_alike(index: Index, site: Site) -> None:
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
                requires_python=file.requires_python or "",
                yanked=file.yanked,
                core_metadata=site.core_metadata(file),
                size=file.size,
                upload_time=file.upload_time or "",
                provenance=file.provenance or "",
            )
            for release in project.releases()
            for file in release.files
        )
        listed += links
        status = Status(project.status.status, project.status.reason or "") if project.status else None
        assert parse_html(pages[site.simple(project.name, HTML_PAGE)], url) == Page(
            links=links, status=status, is_index=True
        )
        assert parse_json(pages[site.simple(project.name, JSON_PAGE)], url) == json_page(
            *links, status=status, name=project.name
        )
    root = f"{HOST}/{site.simple('')}"
    projects = tuple(project.name for project in index.projects)
    assert parse_html(pages[site.simple(HTML_PAGE)], root) == Page(
        directories=tuple(f"{root}{name}/" for name in projects), is_index=True
    )
    assert parse_json(pages[site.simple(JSON_PAGE)], root) == Page(projects=projects, is_json=True, is_index=True)
    assert parse_html(pages["links.html"], f"{HOST}/links.html") == Page(links=tuple(listed), is_index=True)


# --- beside the readers of pip and unearth --------------------------------------------------------------------------


class Said(NamedTuple):
    """What all readers can say of a file, in one spelling."""

    url: str
    digest: str  # "name=hex"
    requires_python: str
    yanked: str | None


def spelled(url: str) -> str:
    """An address as a client asks for it: its path quoted in one way."""
    parts = urlsplit(url)
    path = "/".join(quote(unquote(segment), safe="") for segment in parts.path.split("/"))
    return parts._replace(path=path, query=quote(parts.query, safe="%&=+"), fragment="").geturl()


def is_wanted(url: str) -> bool:
    return urlsplit(url).scheme in ("http", "https") and urlsplit(url).path.endswith(DISTRIBUTIONS)


def ours(text: str, media_type: str = "text/html") -> set[Said] | str:
    try:
        page = parse_json(text, PAGE) if media_type == JSON else parse_html(text, PAGE)
    except Malformed as error:
        return str(error)
    return {
        Said(
            spelled(link.url),
            f"sha256={link.sha256}" if link.sha256 else link.other_hash,
            link.requires_python,
            link.yanked,
        )
        for link in page.links
    }


def collapsed(value: str | None) -> str:
    return " ".join((value or "").split())


def pips(text: str, media_type: str = "text/html") -> set[Said]:
    try:
        from pip._internal.index.collector import IndexContent, parse_links
    except ImportError:
        skip_or_fail("pip, beside mkindex")
    content = IndexContent(text.encode(), media_type, "utf-8", PAGE, cache_link_parsing=False)
    return {
        Said(
            spelled(link.url_without_fragment),
            f"{link.hash_name}={link.hash}" if link.hash_name else "",
            collapsed(link.requires_python),
            link.yanked_reason,
        )
        for link in parse_links(content)
        if is_wanted(link.url_without_fragment)
    }


def unearths(text: str, media_type: str = "text/html") -> set[Said]:
    page = IndexPage(UnearthLink(PAGE), text.encode(), "utf-8", media_type)
    found = (parse_json_response if media_type == JSON else parse_html_page)(page)
    return {
        Said(
            spelled(link.url_without_fragment),
            next((f"{name}={values[0]}" for name, values in (link.hash_option or {}).items()), ""),
            collapsed(link.requires_python),
            None if link.yank_reason is None else str(link.yank_reason).removeprefix("True"),  # as it has it from JSON
        )
        for link in found
        if is_wanted(link.url_without_fragment)
    }


# Not with "&copy=2": of an ampersand that is not escaped pip's answer depends on the Python that it runs on.
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


def made(draw: random.Random) -> dict[str, Any]:
    """A file as a page may name it: the keys of its anchor."""
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


def marked_up(draw: random.Random, attributes: dict[str, str]) -> str:
    """An anchor in one of the many ways to write it."""
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


def page_of(seed: int) -> str:
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
    return base + start + between.join(marked_up(draw, made(draw)) for _ in range(draw.randrange(12)))


@pytest.mark.parametrize("seed", range(0, 400, 50))
def test_pages_are_read_as_pip_and_unearth_read_them(seed: int) -> None:
    for number in range(seed, seed + 50):
        text = page_of(number)
        assert ours(text) == pips(text) == unearths(text), text


def mutated(draw: random.Random, text: str) -> str:
    """A page with some of its characters lost, doubled, exchanged."""
    for _ in range(draw.randrange(1, 6)):
        at = draw.randrange(len(text) + 1)
        piece = draw.choice(
            ["", "", '"', "'", "<", ">", "&", "=", " ", "\n", "/", "#", "<!--", "-->", "</a>", "<a ", "é"]
        )
        text = text[:at] + piece + text[at + draw.choice([0, 0, 1, 3]) :]
    return text


def standards(text: str) -> set[str]:
    """The addresses of files that a parser by the letter of the HTML standard finds."""
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
            if is_wanted(url) and FILENAME.fullmatch(name) and re.fullmatch(r"[a-z0-9.-]+(:\d+)?", parts.netloc):
                found.add(spelled(url))
    return found


@pytest.mark.parametrize("seed", range(0, 200, 50))
def test_a_damaged_page_is_read_by_the_letter_of_the_standard_or_refused(seed: int) -> None:
    refused = 0
    for number in range(seed, seed + 50):
        text = mutated(random.Random(number), page_of(number))
        found = ours(text)
        if isinstance(found, str):
            refused += 1
        else:
            assert {said.url for said in found} == standards(text), text
    assert refused < 25


def of(url: str = URL, digest: str = "", requires_python: str = "", yanked: str | None = None) -> set[Said]:
    return {Said(url, digest, requires_python, yanked)}


# What we read otherwise, and why: markup, our answer, pip's, unearth's. None: it fails on the whole page.
DIFFERENCES: dict[str, tuple[str, set[Said] | str, set[Said] | None, set[Said] | None]] = {
    "an attribute without a value yanks, and they do not see it": (
        f"<a href={FILE} data-yanked>x</a>",
        of(yanked=""),
        of(),
        of(),
    ),
    "a relative base is joined to the address of the page, as in a browser": (
        f'<base href="sub/"><a href="{FILE}">x</a>',
        of(f"{HOST}/whl/sub/{FILE}"),
        set(),
        set(),
    ),
    "a link with credentials is refused: every reader of our pages would see them": (
        f'<a href="https://user:secret@host.example/{FILE}">x</a>',
        set(),
        of(f"https://user:secret@host.example/{FILE}"),
        of(f"https://user:secret@host.example/{FILE}"),
    ),
    "a link without a host is refused": (
        f'<a href="http:///{FILE}">x</a>',
        set(),
        of(f"http:///{FILE}"),
        of(f"http:///{FILE}"),
    ),
    "a name with characters that no distribution has is refused": (
        '<a href="a%20b-1.0.zip">x</a>',
        set(),
        of(f"{HOST}/whl/a%20b-1.0.zip"),
        of(f"{HOST}/whl/a%20b-1.0.zip"),
    ),
    "a hash that is none is not said": (
        f'<a href="{FILE}#sha256=zz">x</a>',
        of(),
        of(digest="sha256=zz"),
        of(digest="sha256=zz"),
    ),
    "of several hashes sha256 counts, and not the first": (
        f'<a href="{FILE}#md5={MD5}&sha256={A}">x</a>',
        of(digest=f"sha256={A}"),
        of(digest=f"md5={MD5}"),
        of(digest=f"sha256={A}"),
    ),
    "a fragment that is percent-encoded is a hash all the same": (
        f'<a href="{FILE}#sha256%3D{A}">x</a>',
        of(digest=f"sha256={A}"),
        of(),
        of(),
    ),
    "of an attribute that is there twice the first counts, as in a browser": (
        f'<a href="{FILE}" href="other-1.0.zip">x</a>',
        of(),
        of(f"{HOST}/whl/other-1.0.zip"),
        of(f"{HOST}/whl/other-1.0.zip"),
    ),
    "a template is not a part of the page": (f'<template><a href="{FILE}">x</a></template>', set(), of(), of()),
    "a page that ends inside a tag is refused as a whole": (
        f'<a href="{FILE}">x</a><a href="demo-2.0',
        CUT_OFF,
        of(),
        of(),
    ),
}


@pytest.mark.parametrize(("text", "us", "pip", "unearth"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_this_is_all_that_is_read_otherwise(text: str, us: set[Said] | str, pip: set[Said], unearth: set[Said]) -> None:
    assert (ours(text), pips(text), unearths(text)) == (us, pip, unearth)


def json_of(seed: int) -> str:
    draw = random.Random(seed)
    files = []
    for _ in range(draw.randrange(10)):
        attributes = made(draw)
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
        text = json_of(seed)
        assert ours(text, JSON) == pips(text, JSON) == unearths(text, JSON), text
