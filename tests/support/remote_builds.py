"""Builds from a scripted server, with their output, requests and trees."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from mkindex import cli
from support.scripted_server import Reply, ScriptedServer, page_reply
from support.secrets import has_secret
from support.trees import anchors
from support.wheels import metadata, wheel

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

A, B, C = "a-1.0-py3-none-any.whl", "b-1.0-py3-none-any.whl", "c-1.0-py3-none-any.whl"
UPLOADED = "2020-02-02T00:00:00Z"  # LONG_AGO, as pages have it
WHEEL = wheel("a", "1.0", requires_python=">=3.8")
METADATA = metadata("a", "1.0", requires_python=">=3.8")
OTHER = wheel("b", "1.0")


class Run:
    """A run of the command: status, output, messages, and the requests that it sent."""

    def __init__(self, capsys: pytest.CaptureFixture[str], server: ScriptedServer, *arguments: str) -> None:
        server.forget()
        capsys.readouterr()
        self.status = cli.run([*arguments, "public", "--jobs", "1", "--cache-dir", "cache"])
        self.out, err = capsys.readouterr()
        self.requests = server.requests()
        self.messages = [line.replace(server.url, "HOST/") for line in err.splitlines()]
        assert [line for line in (self.out + err).split("\n") if not line.isprintable() or has_secret(line)] == []


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def page_of_links(*names: str) -> Reply:
    """A page of links to files beside it."""
    return page_reply("<!DOCTYPE html>\n" + "".join(f'<a href="{name}">x</a>\n' for name in names))


def link_with_hash(name: str, content: bytes, more: str = "") -> str:
    """A link with the sha256 of the file, and more attributes."""
    return f"{name}#sha256={sha256(content)}" + (f'" {more} data-x="' if more else "")


def read_entries(root: Path, project: str, server: ScriptedServer) -> list[dict[str, Any]]:
    """The entries of the JSON page, whose files the HTML page lists too."""
    text = (root / "simple" / project / "index.v1_json").read_text()
    html = (root / "simple" / project / "index.html").read_bytes()
    files: list[dict[str, Any]] = json.loads(text.replace(server.url, "HOST/"))["files"]
    assert [anchor.text for anchor in anchors(html)] == [file["filename"] for file in files]
    return files


def read_projects(root: Path) -> list[str]:
    return [entry["name"] for entry in json.loads((root / "simple/index.v1_json").read_text())["projects"]]


def expected_entry(name: str, content: bytes, **more: object) -> dict[str, Any]:
    return {
        "filename": name,
        "url": f"HOST/{name}",
        "hashes": {"sha256": sha256(content)},
        "size": len(content),
        "upload-time": UPLOADED,
        **{key.replace("_", "-"): value for key, value in more.items()},
    }


LISTED = expected_entry(A, WHEEL, requires_python=">=3.8")
STREAMED = [f"HEAD 200 /{A}", f"GET 200 /{A}"]


def link_with_other_hash(name: str) -> str:
    return f"{A}#{name}={hashlib.new(name, WHEEL).hexdigest()}"


SIBLING = f"/{A}.metadata"
OF_SIBLING = {"core-metadata": {"sha256": sha256(METADATA)}}
GIVEN = f'data-core-metadata="sha256={sha256(METADATA)}"'
TRUE = 'data-core-metadata="true"'
