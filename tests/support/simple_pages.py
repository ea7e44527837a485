"""Pages to read, and the links that they contain."""

from __future__ import annotations

import json
from typing import Any

from mkindex.model.files import Link
from mkindex.simple.reader import Page, parse_json

HOST = "https://host.example"
PAGE = f"{HOST}/whl/page.html"
FILE = "demo-1.0-py3-none-any.whl"
URL = f"{HOST}/whl/{FILE}"
A, B = "a1" * 32, "b2" * 32  # sha256
MD5 = "c3" * 16

CREDENTIALS = "the link has a user name or a password in it, which every reader would see: mend the page"
NO_HOST = "the link names no host: mend the page"
CUT_OFF = "ends inside a tag or a comment: it was cut off, so that links may be missing"


def json_file_page(**keys: Any) -> Page:  # noqa: ANN401 (whatever JSON has)
    """What a JSON page says that has one file."""
    file = {"filename": FILE, "url": FILE} | {name.replace("_", "-"): value for name, value in keys.items()}
    return parse_json(json.dumps({"meta": {"api-version": "1.4"}, "name": "demo", "files": [file]}), PAGE)


def html_result(*links: Link, **rest: Any) -> Page:  # noqa: ANN401 (fields of Page)
    return Page(links=links, **rest)


def json_result(*links: Link, **rest: Any) -> Page:  # noqa: ANN401 (fields of Page)
    fields: dict[str, Any] = {"is_json": True, "is_index": True, "name": "demo"} | rest
    return Page(links=links, **fields)


DEMO = Link(url=URL, filename=FILE)


def refused_scheme(name: str) -> str:
    return f"a page may not link to a {name}: address: mend the page"
