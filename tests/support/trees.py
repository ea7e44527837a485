"""Reads published trees as clients do, without any code of mkindex."""

from __future__ import annotations

import hashlib
import json
import os
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urldefrag, urljoin

OWN_DIRECTORY = ".mkindex"
HTML, JSON = "index.html", "index.v1_json"


class Anchor(NamedTuple):
    """An `a` element: its attributes and its text."""

    attributes: dict[str, str | None]
    text: str


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.anchors: list[Anchor] = []
        self._open: dict[str, str | None] | None = None
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "a":
            self._open, self._text = dict(attrs), ""

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._open is not None:
            self.anchors.append(Anchor(self._open, self._text))


def anchors(page: bytes) -> list[Anchor]:
    """Return all anchors of an HTML page."""
    reader = _Reader()
    reader.feed(page.decode("ascii"))
    reader.close()
    return reader.anchors


def html_entries(page: bytes) -> list[dict[str, Any]]:
    """Return the files of an HTML project page in the form of its JSON."""
    return [_entry(*anchor) for anchor in anchors(page)]


def _entry(attributes: dict[str, str | None], text: str) -> dict[str, Any]:
    data = {name.removeprefix("data-"): value for name, value in attributes.items()}
    url, fragment = urldefrag(data.pop("href") or "")
    entry: dict[str, Any] = {"filename": text, "url": url, "hashes": dict([fragment.split("=")]), **data}
    entry["size"] = int(entry["size"])
    if "yanked" in entry:
        entry["yanked"] = entry["yanked"] or True
    if "core-metadata" in entry:
        assert entry["core-metadata"] == entry.pop("dist-info-metadata", entry["core-metadata"])
        entry["core-metadata"] = dict([entry["core-metadata"].split("=")])
    return entry


def read_tree(root: Path) -> dict[str, bytes]:
    """Return all paths below `root` with their bytes, without mkindex's own directory.

    The bytes of a symlink are its target. An empty directory has a "/" at the end, and no bytes.
    """
    found: dict[str, bytes] = {}
    for directory, directories, names in os.walk(root):
        here = Path(directory).relative_to(root)
        if here == Path():
            directories[:] = set(directories) - {OWN_DIRECTORY}
        if here != Path() and not names and not directories:
            found[f"{here.as_posix()}/"] = b""
        for name in (*names, *(name for name in directories if (root / here / name).is_symlink())):
            path = root / here / name
            found[(here / name).as_posix()] = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
    return found


def own_files(root: Path) -> set[str]:
    """Return the names in mkindex's own directory."""
    return set(os.listdir(root / OWN_DIRECTORY)) if (root / OWN_DIRECTORY).exists() else set()


def file_identities(root: Path) -> dict[str, tuple[int, int]]:
    """Return inode and mtime of every file of the tree."""
    return {
        path: ((root / path).lstat().st_ino, (root / path).lstat().st_mtime_ns)
        for path in read_tree(root)
        if not path.endswith("/")
    }


def is_page(path: str) -> bool:
    """Tell whether a path is that of a page, not of a file or its metadata."""
    return not path.startswith("files/")


def find_broken_links(content: dict[str, bytes], *, simple: str = "simple", files_url: str | None = None) -> list[str]:
    """Return the faults that clients would fail on: incomplete pages, and links to missing or different files."""
    wrong: list[str] = []
    for path, page in content.items():
        directory, _, name = path.rpartition("/")
        if simple and directory != simple and not directory.startswith(f"{simple}/"):
            continue
        if name not in (HTML, JSON) or directory.startswith("files/"):
            continue
        files, projects = _links(name, page, wrong, path)
        for project in projects:
            target = urljoin(path, f"{project}/")
            wrong += [f"{path}: no {target + name}" for name in (HTML, JSON) if target + name not in content]
        for file in files:
            if files_url is not None:
                if not file["url"].startswith(files_url):
                    wrong.append(f"{path}: {file['url']}")
                continue
            target = unquote(urljoin(f"http://host/{path}", file["url"]).removeprefix("http://host/"))
            expected = {target: file["hashes"]["sha256"]}
            if "core-metadata" in file:
                expected[f"{target}.metadata"] = file["core-metadata"]["sha256"]
            for place, sha256 in expected.items():
                found = hashlib.sha256(content[place]).hexdigest() if place in content else "nothing"
                if found != sha256:
                    wrong.append(f"{path}: {place} is {found}")
    return wrong


def _links(name: str, page: bytes, wrong: list[str], path: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the files and projects that a page links to."""
    if name == JSON:
        try:
            data = json.loads(page)
        except ValueError:
            wrong.append(f"{path}: no JSON")
            return [], []
        return data.get("files", []), [project["name"] for project in data.get("projects", [])]
    if not page.startswith(b"<!DOCTYPE html>") or not page.endswith(b"</html>\n"):
        wrong.append(f"{path}: not whole")
        return [], []
    found = anchors(page)
    projects = [(a.attributes["href"] or "").rstrip("/") for a in found if "data-size" not in a.attributes]
    return [_entry(*a) for a in found if "data-size" in a.attributes], projects
