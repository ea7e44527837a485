"""Targets of fuzzing: pages, lists, metadata, names and requirements, compared with independent readers."""

from __future__ import annotations

import email
import json
import re
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

import html5lib
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from lab.scratch import scratch
from mkindex.distributions.describe import describe_metadata, describe_name
from mkindex.distributions.filenames import FILENAME, SUFFIXES
from mkindex.distributions.requirements import PLAIN_REQUIREMENT, unusable_requirements
from mkindex.errors import SourceError, Unreadable
from mkindex.model.files import Link, decode_facts, encode_facts
from mkindex.simple.reader import Malformed, parse_html, parse_json
from mkindex.sources.lists import ListSource
from mkindex.sources.selection import Selection
from support.wheels import metadata

PAGE = "https://host.example/simple/demo/"
FILES_URL = "https://files.example/whl"
WHEEL = "demo-1.0-py3-none-any.whl"
SHA256 = "0123456789abcdef" * 4

# --- pages ------------------------------------------------------------------------------------------------------------

_PLAIN = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9._+-]*")
# html5lib is older than some rules of the HTML standard about these.
_CHANGED = "select|template|menuitem|search|ruby|rb|rtc|isindex|frameset|svg|math|base"
_CHANGED_SINCE = re.compile(f"<(?:{_CHANGED})", re.IGNORECASE)


def html_pages() -> list[bytes]:
    attributes = f'data-requires-python="&gt;=3.9" data-yanked="a&amp;b" data-core-metadata="sha256={SHA256}"'
    return [
        f'<!DOCTYPE html><html><head><title>x</title></head><body><a href="{WHEEL}#sha256={SHA256}" {attributes}>d</a>'
        f"<br/>\n<a href='demo-2.0.tar.gz'>e</a></body></html>".encode(),
        b"<a href=a-1.0.zip><table><a href=b-1.0.zip><tr><td><a href=c-1.0.zip></table><!-- <a href=d-1.0.zip> -->",
        b"<script><a href=a-1.0.zip></script><textarea><a href=b-1.0.zip></textarea><p><a\nHREF = c-1.0.zip >",
        b'<meta name="pypi:repository-version" content="1.1"><a href="../../x/a-1.0.zip?y=z#egg=a&md5=0">',
    ]


def check_html(data: bytes) -> str:
    """Compare the links of a page with those that html5lib finds."""
    text = data.decode("utf-8", "replace")
    try:
        page = parse_html(text, PAGE)
    except Malformed:
        return ""
    if _CHANGED_SINCE.search(text) or "\0" in text:
        return ""
    document = html5lib.parse(text, namespaceHTMLElements=False)
    # URLs lose tabs and line ends (WHATWG URL, section 4.4).
    hrefs = [re.sub(r"[\t\n\r]", "", one.get("href") or "").strip() for one in document.iter("a")]
    theirs = {href for href in hrefs if _PLAIN.fullmatch(href) and href.endswith(SUFFIXES) and FILENAME.fullmatch(href)}
    ours = {link.filename for link in page.links if unquote(link.url) == f"{PAGE}{link.filename}"}
    missing = theirs - ours
    more = {name for name in ours - theirs if not any(name in href for href in hrefs)}
    return f"html5lib finds {missing} more, and we find {more} more" if missing or more else ""


def json_pages() -> list[bytes]:
    file = {"filename": WHEEL, "url": f"../../{WHEEL}", "hashes": {"sha256": SHA256}, "size": 3, "yanked": "why"}
    more = {"requires-python": ">=3.9", "core-metadata": {"sha256": SHA256}, "upload-time": "2026-01-02T03:04:05Z"}
    meta = {"api-version": "1.4"}
    pages: list[Any] = [
        {"meta": meta, "name": "demo", "files": [file | more, file | {"filename": "demo-1.0.tar.gz"}], "versions": []},
        {"meta": meta, "projects": [{"name": "demo"}, {"name": "Other"}]},
        {"meta": meta, "files": [{}, [], None, 1e999, file], "project-status": {"status": "archived", "reason": "x"}},
    ]
    return [json.dumps(page).encode() for page in pages]


def check_json(data: bytes) -> str:
    """Compare the files of a page with those in the values that `json` reads."""
    text = data.decode("utf-8", "replace")
    try:
        page = parse_json(text, PAGE)
    except Malformed:
        return ""
    document = json.loads(text)
    if isinstance(document.get("projects"), list):
        theirs = [
            one["name"] for one in document["projects"] if isinstance(one, dict) and isinstance(one.get("name"), str)
        ]
        return "" if [one.name for one in page.projects] == theirs else f"json reads {theirs}"
    entries = [one for one in document["files"] if isinstance(one, dict) and isinstance(one.get("filename"), str)]
    names = {one["filename"] for one in entries}
    if strangers := {link.filename for link in page.links} - names:
        return f"json does not read {strangers}"
    for link in page.links:
        same = [one for one in entries if one["filename"] == link.filename]
        hashes = [one["hashes"] for one in same if isinstance(one.get("hashes"), dict)]
        if link.sha256 and not any(link.sha256 in str(one).lower() for one in hashes):
            return f"json does not read the hash {link.sha256}"
        if link.size is not None and link.size not in [one.get("size") for one in same]:
            return f"json does not read the size {link.size}"
    return ""


# --- lists ------------------------------------------------------------------------------------------------------------


def lists() -> list[bytes]:
    objects = [{"filename": WHEEL, "hash": f"sha256={SHA256}", "upload_timestamp": 1.5, "yanked_reason": "x"}]
    return [
        f"# files\n{WHEEL}\nsub/demo-1.0.tar.gz\nhttps://host.example/{WHEEL}#sha256={SHA256}\n".encode(),
        "\n".join(map(json.dumps, objects)).encode(),
        b"\xef\xbb\xbf../demo-1.0.zip\r\n\r\nfile:///etc/demo-1.0.zip\n{}\n[]\n",
    ]


def check_list(data: bytes) -> str:
    """Read a list of files below an address: no link leads elsewhere, and `json` reads the same names."""
    path = scratch() / "list.txt"
    path.write_bytes(data)
    source = ListSource(path=str(path), selection=Selection(), files_url=FILES_URL)
    try:
        links = [item for item in source.artifacts() if isinstance(item, Link)]
    except SourceError:
        return ""
    text = data.decode("utf-8", "surrogateescape")
    for link in links:
        below = link.url.removeprefix(f"{FILES_URL}/")
        if (below == link.url and not link.url.startswith(("http://", "https://"))) or "/../" in link.url:
            return f"a link leads to {link.url}"
        if link.filename not in text and "\\" not in text and "%" not in text:
            return f"{link.filename} is not in the list"
    return ""


# --- metadata ---------------------------------------------------------------------------------------------------------


def metadata_files() -> list[bytes]:
    return [
        metadata("demo", "1.0", requires_python=">=3.9", requires_dist=["a", "b>=1; extra == 'x'"], body="text"),
        b"Metadata-Version: 2.1\r\nName: demo\r\nVersion: 1.0\r\nRequires-Python: >=3\r\n\t,<4\r\n\r\nName: other\r\n",
        b"Name: demo\nName: Demo\nVersion: 1.0\nFrom here\nRequires-Dist: x @ https://host.example/y\n",
    ]


def check_metadata(data: bytes) -> str:
    """Compare the facts with what email.parser reads, and read them back from their text."""
    try:
        facts = describe_metadata(WHEEL, data)
    except Unreadable:
        return ""
    if decode_facts(encode_facts(facts)) != facts:
        return f"the cache would read {decode_facts(encode_facts(facts))}"
    message = email.message_from_bytes(data)
    versions = {plain(value) for key, value in message.raw_items() if key.lower() == "version"}
    python = [plain(value) for key, value in message.raw_items() if key.lower() == "requires-python"]
    if not any(version.removeprefix("v") for version in versions):
        return "email.parser reads no version"
    return "" if facts.requires_python in ("", *python) else f"email.parser reads {python}"


def plain(value: object) -> str:
    """A value as email.parser found it, its line folding undone."""
    return " ".join(str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace").split())


def filenames() -> list[bytes]:
    return [
        WHEEL.encode(),
        b"demo-1.0-1abc-cp312.cp313-abi3-win32.whl",
        b"a_b-1!2.0rc1+cpu-py3-none-any.whl",
        b"x-1.zip",
    ]


def check_filename(data: bytes) -> str:
    """Compare the project and version in the name of a wheel with those that packaging reads."""
    filename = data.decode("latin-1")
    try:
        facts = describe_name(filename, "")
    except Unreadable:
        return ""
    if re.search(r"[^A-Za-z0-9._+!-]", filename):
        return "a name with other characters"
    if not filename.endswith(".whl"):
        return ""
    try:
        name, version, _, _ = parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        return f"packaging refuses it: {error}"
    return "" if (facts.project, facts.version) == (name, str(version)) else f"packaging reads {name} {version}"


def requirements() -> list[bytes]:
    return [
        b"demo", b"a.b[c,d] (>=1.0,<2)", b'x~=1.1; python_version < "3.9" and extra == \'y\'', b"n @ https://h.example/n",
        b"e>=1; (os_name == 'nt' or sys_platform == 'x')",
    ]  # fmt: skip


def check_requirement(data: bytes) -> str:
    """A requirement that is called usable is one that packaging can parse."""
    text = data.decode("utf-8", "replace")
    if unusable_requirements((text,)) and not re.fullmatch(PLAIN_REQUIREMENT, text):
        return ""
    with suppress(InvalidRequirement):
        Requirement(text)
        return ""
    return "packaging refuses it" if text.strip() else ""
