"""Pages, and the links and messages that readers return for them."""

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

CREDENTIALS = "the link contains a user name or a password, which would be published. Remove it from the link"
NO_HOST = "the link has no valid host. Fix the link"
CUT_OFF = "ends inside a tag or a comment: it is truncated, and links may be missing"


def json_file_page(**keys: Any) -> Page:  # noqa: ANN401 (any JSON)
    """Read a JSON page with one file, which has these keys."""
    file = {"filename": FILE, "url": FILE} | {name.replace("_", "-"): value for name, value in keys.items()}
    return parse_json(json.dumps({"meta": {"api-version": "1.4"}, "name": "demo", "files": [file]}), PAGE)


def html_result(*links: Link, **rest: Any) -> Page:  # noqa: ANN401 (fields of Page)
    return Page(links=links, **rest)


def json_result(*links: Link, **rest: Any) -> Page:  # noqa: ANN401 (fields of Page)
    fields: dict[str, Any] = {"is_json": True, "is_index": True, "name": "demo"} | rest
    return Page(links=links, **fields)


DEMO = Link(url=URL, filename=FILE)


def scheme_not_allowed(name: str) -> str:
    return f"{name}: links are not allowed. Use an http or https address"


def malformed_hash(kind: str, value: str) -> str:
    digits = {"sha256": 64, "md5": 32}[kind]
    return (
        f"malformed hash: {kind} has {digits} hexadecimal digits, got {value}. "
        "pip and uv refuse it. Fix or remove the hash"
    )
