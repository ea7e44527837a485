"""Reading HTML pages: every attribute, and malformed pages that browsers and clients accept."""

from __future__ import annotations

import json

import pytest

from mkindex.errors import Rejected
from mkindex.model.files import Link
from mkindex.model.index import ProjectStatus
from mkindex.simple.reader import Malformed, Page, parse_html, parse_json
from mkindex.simple.roots import ProjectLink
from support.simple_pages import (
    DEMO,
    FILE,
    HOST,
    MD5,
    PAGE,
    URL,
    A,
    B,
    html_result,
    json_file_page,
    json_result,
    malformed_hash,
)


def parse_anchor(href: str = FILE, attributes: str = "") -> Page:
    """Read a page with one link, whose address is in double quotes."""
    return parse_html(f'<a href="{href}" {attributes}>text</a>', PAGE)


def page_linking_to(url: str, filename: str = FILE) -> Page:
    return html_result(Link(url=url, filename=filename))


# --- attributes of a link ---------------------------------------------------------------------------------------------


def test_every_attribute_of_a_link_is_read() -> None:
    attributes = (
        'data-requires-python="&gt;=3.9, &lt;4" data-yanked="broken &amp; &quot;old&quot;" '
        f'data-core-metadata="sha256={B}" data-dist-info-metadata="true" data-size="1234" '
        'data-upload-time="2026-01-02T03:04:05Z" data-provenance="https://host.example/p?a=1&amp;b=2" '
        'data-gpg-sig="true" rel="internal" class="x"'
    )
    assert parse_anchor(f"{FILE}#sha256={A}", attributes) == html_result(
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
        # Anything that is not a hash of a known kind is ignored: mkindex computes the hash itself.
        f"#{A}": ("", ""),
        f"#sha3={A}": ("", ""),
    }.items(),
)
def test_the_strongest_valid_hash_is_read(fragment: str, expected: tuple[str, str]) -> None:
    assert parse_anchor(FILE + fragment) == html_result(DEMO._replace(sha256=expected[0], other_hash=expected[1]))


@pytest.mark.parametrize(
    ("fragment", "kind", "value"),
    [
        ("#sha256=", "sha256", ""),
        ("#sha256", "sha256", ""),
        ("#sha256=zz", "sha256", "zz"),
        (f"#sha256={A}0", "sha256", f"{A}0"),
        (f"#sha256={A[:-1]}", "sha256", A[:-1]),
        (f"#SHA256={A[:-1]}", "sha256", A[:-1]),
        (f"#sha256={A[:-1]}g", "sha256", f"{A[:-1]}g"),
        (f"#md5={A}", "md5", A),
        (f"#md5={MD5[:-1]}&sha256={A}", "md5", MD5[:-1]),
        (f"#sha256={A[:-1]}&md5={MD5}", "sha256", A[:-1]),
        (f"#sha256={'z' * 1000}", "sha256", "z" * 80),
    ],
)
def test_a_malformed_hash_rejects_its_link_and_is_not_replaced(fragment: str, kind: str, value: str) -> None:
    rejected = Rejected(location=URL, reason=malformed_hash(kind, repr(value)))
    assert parse_anchor(FILE + fragment) == html_result(rejected=(rejected,))


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
def test_data_yanked_yanks_a_link_with_a_reason_or_an_empty_or_missing_value(
    attributes: str, yanked: str | None
) -> None:
    assert parse_anchor(attributes=attributes) == html_result(DEMO._replace(yanked=yanked))


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
def test_core_metadata_is_read_with_or_without_a_hash(attributes: str, core_metadata: str | None) -> None:
    assert parse_anchor(attributes=attributes) == html_result(DEMO._replace(core_metadata=core_metadata))


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
    assert parse_anchor(attributes=f'data-requires-python="{value}"') == html_result(
        DEMO._replace(requires_python=requires_python)
    )


@pytest.mark.parametrize(
    ("value", "size"),
    {"0": 0, "1234": 1234, "": None, "-1": None, "1.5": None, "1e3": None, "٣": None, "9" * 30: None}.items(),
)
def test_a_size_that_is_not_a_number_of_bytes_is_ignored(value: str, size: int | None) -> None:
    assert parse_anchor(attributes=f'data-size="{value}"') == html_result(DEMO._replace(size=size))


TIMES = {
    "2026-01-02T03:04:05Z": "2026-01-02T03:04:05Z",
    "2026-01-02T03:04:05.123456Z": "2026-01-02T03:04:05.123456Z",
    "2026-01-02T03:04:05.12Z": "2026-01-02T03:04:05.120000Z",
    "2026-01-02T03:04:05.123456789Z": "2026-01-02T03:04:05.123456Z",
    "2026-01-02T03:04:05.000Z": "2026-01-02T03:04:05Z",
    "2024-02-29T23:59:59Z": "2024-02-29T23:59:59Z",
    # Each of these makes pip or uv fail for the whole page.
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
def test_an_upload_time_that_clients_cannot_read_is_ignored(value: str, time: str) -> None:
    assert (parse_anchor(attributes=f'data-upload-time="{value}"'), json_file_page(upload_time=value)) == (
        html_result(DEMO._replace(upload_time=time)),
        json_result(DEMO._replace(upload_time=time)),
    )


@pytest.mark.parametrize(
    "value", ["http://host.example/p", "javascript:x", "/p", "https://host.example/\u202e", "https://ä.example", ""]
)
def test_provenance_that_is_not_an_https_url_is_ignored(value: str) -> None:
    assert (parse_anchor(attributes=f'data-provenance="{value}"'), json_file_page(provenance=value)) == (
        html_result(DEMO),
        json_result(DEMO),
    )


# --- address of a link ------------------------------------------------------------------------------------------------


PLUS = "demo-1.0+cu128-py3-none-any.whl"
PLUS_URL = f"{HOST}/whl/demo-1.0%2Bcu128-py3-none-any.whl"


@pytest.mark.parametrize(
    ("href", "expected"),
    {
        FILE: html_result(DEMO),
        f"./{FILE}": html_result(DEMO),
        f"/{FILE}": page_linking_to(f"{HOST}/{FILE}"),
        f"../{FILE}": page_linking_to(f"{HOST}/{FILE}"),
        f"../../../{FILE}": page_linking_to(f"{HOST}/{FILE}"),
        f"//other.example/{FILE}": page_linking_to(f"https://other.example/{FILE}"),
        f"http://other.example:8080/a/{FILE}": page_linking_to(f"http://other.example:8080/a/{FILE}"),
        f"HTTPS://host.example/whl/{FILE}": html_result(DEMO),
        f"https://[::1]:8080/{FILE}": page_linking_to(f"https://[::1]:8080/{FILE}"),
        f"  \n {FILE}\t ": html_result(DEMO),
        "demo-1.0\n-py3-\r\n\tnone-any.whl": html_result(DEMO),
        # Many pages do not escape the ampersand of a query.
        f"{FILE}?a=1&copy=2": page_linking_to(f"{URL}?a=1&copy=2"),
        f"{FILE}?a=1&amp;copy=2": page_linking_to(f"{URL}?a=1&copy=2"),
        f"{FILE}?sig=a%2Bb%3D&amp;se=2026": page_linking_to(f"{URL}?sig=a%2Bb%3D&se=2026"),
        f"{FILE}?name=a b": page_linking_to(f"{URL}?name=a%20b"),
        f"{FILE}?": html_result(DEMO),
        PLUS: page_linking_to(PLUS_URL, PLUS),
        PLUS.replace("+", "&#43;"): page_linking_to(PLUS_URL, PLUS),
        PLUS.replace("+", "&plus;"): page_linking_to(PLUS_URL, PLUS),
        PLUS.replace("+", "%2B"): page_linking_to(PLUS_URL, PLUS),
        PLUS.replace("+", "%2b"): page_linking_to(PLUS_URL, PLUS),
        "demo%2D1.0-py3-none-any.whl": html_result(DEMO),
        f"a b/{FILE}": page_linking_to(f"{HOST}/whl/a%20b/{FILE}"),
        f"a%20b/{FILE}": page_linking_to(f"{HOST}/whl/a%20b/{FILE}"),
        f"ä/{FILE}": page_linking_to(f"{HOST}/whl/%C3%A4/{FILE}"),
        f"%C3%A4/{FILE}": page_linking_to(f"{HOST}/whl/%C3%A4/{FILE}"),
        f"%e4/{FILE}": page_linking_to(f"{HOST}/whl/%E4/{FILE}"),
        f"a%2Fb/{FILE}": page_linking_to(f"{HOST}/whl/a%2Fb/{FILE}"),
        f"a%23b%3Fc/{FILE}": page_linking_to(f"{HOST}/whl/a%23b%3Fc/{FILE}"),
        f"https://bücher.example/{FILE}": page_linking_to(f"https://xn--bcher-kva.example/{FILE}"),
        "demo-1.0.tar.gz": page_linking_to(f"{HOST}/whl/demo-1.0.tar.gz", "demo-1.0.tar.gz"),
        "demo-1.0.zip": page_linking_to(f"{HOST}/whl/demo-1.0.zip", "demo-1.0.zip"),
    }.items(),
)
def test_an_address_becomes_absolute_and_percent_encoded_in_one_way(href: str, expected: Page) -> None:
    assert parse_anchor(href) == expected


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
        # Browsers ignore a base that is not an address.
        '<base href="https://[x/">': f"{HOST}/whl/",
        '<base href="javascript:alert(1)">': f"{HOST}/whl/",
        '<base href="data:text/html,x">': f"{HOST}/whl/",
        '<template><base href="/one/"></template>': f"{HOST}/whl/",
        '<!-- <base href="/one/"> -->': f"{HOST}/whl/",
    }.items(),
)
def test_links_are_relative_to_the_first_base(base: str, url: str) -> None:
    assert parse_html(f'<html><head>{base}</head><a href="{FILE}">x</a></html>', PAGE) == page_linking_to(url + FILE)


def test_a_base_after_the_links_applies_to_them() -> None:
    assert parse_html(f'<a href="{FILE}">x</a><base href="/other/">', PAGE) == page_linking_to(f"{HOST}/other/{FILE}")


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
def test_malformed_html_is_read_as_browsers_read_it(text: str) -> None:
    page = parse_html(text, PAGE)
    assert (page.links, page.rejected) == ((DEMO,), ())


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
def test_text_that_only_looks_like_a_link_is_ignored(hidden: str) -> None:
    text = hidden.format('<a href="hidden-1.0.zip">x</a>') + f'<a href="{FILE}">x</a>'
    assert parse_html(text, PAGE) == html_result(DEMO)


@pytest.mark.parametrize(
    "text",
    [
        f'<a href="{FILE}">x</a> <a href="{FILE}">again</a>',
        f'<a href="{FILE}">x</a> <a href="./{FILE}#egg=demo">again</a>',
        # By the HTML standard an anchor without end tag starts again in every paragraph.
        f'<p><a href="{FILE}">x</p><p>y</p><p>z</p>',
    ],
)
def test_repeated_links_count_once(text: str) -> None:
    assert parse_html(text, PAGE) == html_result(DEMO)


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
def test_a_document_without_end_tag_is_detected(start: str, has_end: bool) -> None:
    assert parse_html(start.format(f'<a href="{FILE}">x</a>'), PAGE) == html_result(DEMO, has_end=has_end)


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
    directories = ("sub", "other", "third", FILE)
    assert page == Page(
        other_files=("demo-1.0.tar.bz2", "demo-1.0.exe", "demo-1.0.WHL", f"{FILE}.asc", f"{FILE}.metadata", "x.html"),
        projects=(
            *(ProjectLink(name, f"{HOST}/whl/{name}/") for name in directories),
            ProjectLink("README", f"{HOST}/whl/README"),
        ),
        directories=tuple(f"{HOST}/whl/{name}/" for name in directories),
        other_links=page.other_links,
    )
    assert page.other_links == 11


@pytest.mark.parametrize("root", [f"{HOST}/simple/", f"{HOST}/simple", f"{HOST}/simple/index.html"])
@pytest.mark.parametrize("href", ["/simple/demo/", f"{HOST}/simple/demo/", "//host.example/simple/demo/"])
def test_the_address_of_a_root_may_end_in_a_slash_or_not_or_in_its_filename(root: str, href: str) -> None:
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
def test_a_directory_listing_is_recognized_by_its_title(title: str, is_listing: bool) -> None:
    page = parse_html(f'<html><head><title>{title}</title></head><a href="{FILE}">x</a></html>', PAGE)
    assert page == html_result(DEMO, is_listing=is_listing)


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        ("archived", "see demo2", ProjectStatus("archived", "see demo2")),
        ("quarantined", None, ProjectStatus("quarantined")),
        ("deprecated", "", ProjectStatus("deprecated")),
        ("deprecated", "two\n lines", ProjectStatus("deprecated", "two lines")),
        ("active", "why not", None),
        ("retired", "x", None),
        ("", "x", None),
    ],
)
def test_the_status_of_a_project_is_read(status: str, reason: str | None, expected: ProjectStatus | None) -> None:
    why = "" if reason is None else f'<meta name="pypi:project-status-reason" content="{reason}">'
    text = (
        f'<meta name="pypi:repository-version" content="1.4"><meta name="pypi:project-status" content="{status}">{why}'
    )
    marker = {"status": status} | ({} if reason is None else {"reason": reason})
    document = {"name": "demo", "project-status": marker, "files": []}
    assert parse_html(text, PAGE) == Page(status=expected, is_index=True)
    assert parse_json(json.dumps(document), PAGE) == json_result(status=expected)


# --- version of the API -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["2.0", "2", "10.1", "0.9", "x"])
def test_an_html_page_of_another_major_version_is_an_error(version: str) -> None:
    text = f'<meta name="pypi:repository-version" content="{version}"><a href="{FILE}">text</a>'
    with pytest.raises(Malformed) as error:
        parse_html(text, PAGE)
    assert str(error.value) == f"is of version {version} of the Simple API, but mkindex supports only version 1"
    assert parse_html(text, PAGE, any_version=True).links == (DEMO,)


@pytest.mark.parametrize(
    "content", ['content="1.0"', 'content="1.99"', 'content="1"', 'content=" 1.4 "', 'content=""', ""]
)
def test_a_missing_version_and_any_minor_version_of_html_are_read(content: str) -> None:
    text = f'<meta name="pypi:repository-version" {content}><a href="{FILE}">text</a>'
    assert parse_html(text, PAGE).links == (DEMO,)
