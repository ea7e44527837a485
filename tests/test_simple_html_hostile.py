"""Hostile, huge and truncated HTML pages."""

from __future__ import annotations

import json
import re

import pytest
from selectolax.lexbor import LexborHTMLParser

from mkindex.distributions.filenames import STRANGE_NAME
from mkindex.errors import Rejected
from mkindex.model.files import Link
from mkindex.simple import reader
from mkindex.simple.reader import Malformed, link_text, parse_html, parse_json
from support.simple_pages import (
    CREDENTIALS,
    CUT_OFF,
    DEMO,
    FILE,
    HOST,
    NO_HOST,
    PAGE,
    URL,
    A,
    B,
    html_result,
    scheme_not_allowed,
)

MANY = 3_000
TOO_MANY = "has more elements than a page with its links needs"
TOO_DEEP = "has more than 10,000 nested elements, or attributes of one element"


# --- hostile ----------------------------------------------------------------------------------------------------------


def test_the_text_of_nested_links_is_read_only_in_part() -> None:
    tree = LexborHTMLParser("<a href=/x/1><object>" * MANY + "z" * 100_000)
    links = tree.css("a")
    assert len(links) == MANY
    assert sum(len(link_text(link)) for link in links) <= 50_000


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<a>demo</a> after", "demo"),
        ("<a> <b>de<i>m</i></b><!-- no --><img alt=no>o </a>", " demo "),
        ("<a><b><i><u>1</u></i></b>2<b>3</b></a>4", "123"),
        ("<a></a>after", ""),
        (f"<a>{'z' * 2_000}</a>", "z" * 1_000),
    ],
)
def test_the_text_of_a_link_is_that_of_its_elements_in_order(html: str, text: str) -> None:
    (link,) = LexborHTMLParser(html).css("a")
    assert link_text(link) == text


@pytest.mark.parametrize(
    ("href", "location", "reason"),
    [
        (f"javascript:{FILE}", f"javascript:{FILE}", scheme_not_allowed("javascript")),
        (f"JavaScript:{FILE}", f"JavaScript:{FILE}", scheme_not_allowed("javascript")),
        (f"java\nscript:{FILE}", f"javascript:{FILE}", scheme_not_allowed("javascript")),
        (f"file:///srv/{FILE}", f"file:///srv/{FILE}", scheme_not_allowed("file")),
        (f"FILE:/srv/{FILE}", f"FILE:/srv/{FILE}", scheme_not_allowed("file")),
        (f"ftp://host.example/{FILE}", f"ftp://host.example/{FILE}", scheme_not_allowed("ftp")),
        (f"git+https://host.example/{FILE}", f"git+https://host.example/{FILE}", scheme_not_allowed("git+https")),
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
def test_a_hostile_link_is_rejected_and_the_others_are_read(href: str, location: str, reason: str) -> None:
    page = parse_html(f'<a href="{href}">x</a><a href="{FILE}">y</a>', PAGE)
    assert page == html_result(DEMO, rejected=(Rejected(location=location, reason=reason),))


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
def test_a_link_with_a_malformed_host_is_not_listed(netloc: str) -> None:
    page = parse_html(f'<a href="https://{netloc}/{FILE}">x</a><a href="{FILE}">y</a>', PAGE)
    assert (page.links, len(page.rejected) + page.other_links) == ((DEMO,), 1)


@pytest.mark.parametrize("base", ["file:///srv/", "FILE:/srv/", "file://localhost/srv/"])
def test_a_remote_page_cannot_name_local_files_even_with_a_base(base: str) -> None:
    page = parse_html(f'<base href="{base}"><a href="{FILE}">x</a>', PAGE)
    assert [link for link in page.links if not link.url.startswith(HOST)] == []


def test_a_local_page_may_name_local_and_remote_files() -> None:
    text = f'<a href="{FILE}">1</a><a href="../a%20b/demo-1.0.zip">2</a><a href="{URL}">3</a>'
    assert parse_html(text, "file:///srv/whl/page.html") == html_result(
        Link(url=f"file:///srv/whl/{FILE}", filename=FILE),
        Link(url="file:///srv/a%20b/demo-1.0.zip", filename="demo-1.0.zip"),
        DEMO,
    )


@pytest.mark.parametrize("netloc", ["other.example", "10.0.0.1", "user@"])
def test_a_file_address_with_another_host_is_rejected(netloc: str) -> None:
    page = parse_html(f'<a href="file://{netloc}/srv/{FILE}">x</a>', "file:///srv/page.html")
    assert (page.links, len(page.rejected)) == ((), 1)


@pytest.mark.parametrize("password", ["secret", "sec/ret", "sec?ret", "sec#ret", "sec%2Fret", "se:cr@et"])
def test_a_password_in_a_link_is_never_shown(password: str) -> None:
    page = parse_html(f'<a href="https://user:{password}@host.example/{FILE}">x</a>', PAGE)
    shown = [f"{rejected.location} {rejected.reason}" for rejected in page.rejected]
    assert page.links == ()
    assert [text for text in shown if "sec" in text or "ret" in text or "se:cr" in text] == []


def test_too_many_links_are_an_error_instead_of_a_truncated_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_LINKS", 2)
    monkeypatch.setattr(reader, "MAX_PROJECTS", 2)
    hrefs = [f"demo-{n}.zip" for n in range(3)]
    documents = [
        (parse_html, "".join(f'<a href="{href}">x</a>' for href in hrefs)),
        (parse_json, json.dumps({"files": [{"filename": href, "url": href} for href in hrefs]})),
        (parse_json, json.dumps({"projects": [{"name": href} for href in hrefs]})),
    ]
    for parse, text in documents:
        with pytest.raises(Malformed, match="more than 2"):
            parse(text, PAGE)


@pytest.mark.slow
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
def test_html_made_to_slow_down_parsers_is_read_or_refused_in_time(text: str) -> None:
    try:
        assert parse_html(text, PAGE).links == ()
    except Malformed as error:
        assert str(error) in (CUT_OFF, TOO_DEEP, TOO_MANY)  # noqa: PT017 (some of it may be read)


@pytest.mark.parametrize(
    "text",
    [
        "<br>" * 200_000,
        "<p>" * 200_000,
        "".join(f"<b x={number}><p>" for number in range(2_000)),
        "".join(f"<I x={number}>" for number in range(400)) + "<div></div>" * 400,
    ],
    ids=lambda text: text[:9],
)
def test_a_page_that_needs_far_more_memory_than_its_links_do_is_refused_before_parsing(text: str) -> None:
    with pytest.raises(Malformed) as error:
        parse_html(f'{text}<a href="{FILE}">x</a>', PAGE)
    assert str(error.value) == TOO_MANY


@pytest.mark.parametrize(
    "row",
    [
        "<br>" * 1_000,
        "<b>Wheels</b>" * 300,
        "<b><i><tt>" + "<p>text" * 1_000,
        '<table><tr><td><img src="x"></td><td><a href="x">x</a></td><td>1</td><td>2</td></tr></table>' * 1_000,
    ],
    ids=lambda text: text[:9],
)
def test_a_page_with_usual_elements_around_its_links_is_read(row: str) -> None:
    assert len(parse_html(f'{row}<a href="{FILE}">x</a>', PAGE).links) == 1


@pytest.mark.parametrize("text", ["<div>" * 30_000, "</p>" * 30_000 + "<div>" * 30_000, "<div></x>" * 30_000])
def test_deeply_nested_elements_are_refused_before_parsing(text: str) -> None:
    with pytest.raises(Malformed) as error:
        parse_html(text, PAGE)
    assert str(error.value) == TOO_DEEP


@pytest.mark.slow
@pytest.mark.parametrize(
    "row", ["<li>{}", "<p>{}", "<tr><td>{}", "<dt>{}<dd>", "{}<br>", "<div><b>{}</b></div>", "{}<hr><img src=x>"]
)
def test_a_long_page_without_end_tags_does_not_count_as_nested(row: str) -> None:
    names = [f"demo-{number}.zip" for number in range(12_000)]
    text = "".join(row.format(f"<a href={name}>{name}</a>\n") for name in names)
    start = "<table>" if "<tr>" in row else ""
    assert [link.filename for link in parse_html(start + text, PAGE).links] == names


# --- truncated --------------------------------------------------------------------------------------------------------


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


def test_a_page_that_ends_inside_a_tag_is_an_error() -> None:
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


def test_a_json_page_truncated_anywhere_is_an_error() -> None:
    whole = json.dumps({"files": [{"filename": FILE, "url": FILE, "hashes": {"sha256": A}}], "name": "demo"})
    for end in range(len(whole)):
        with pytest.raises(Malformed):
            parse_json(whole[:end], PAGE)
