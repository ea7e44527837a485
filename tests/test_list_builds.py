"""Builds from lists on the command line, and the same lists given to dumb-pypi."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urldefrag, urljoin

import pytest

from mkindex.examine.local import scan
from mkindex.simple.reader import parse_json
from mkindex.sources.open import FileSource
from support.lists import EVERYTHING, FILE, FILES_URL, A, B, make_wheels, objects, run
from support.requirements import skip_or_fail
from support.sources import open_with_defaults
from support.trees import HTML, JSON, read_tree
from support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mkindex.model.files import Artifact


MISMATCH = "Damaged download or replaced file; not published"
DUMB_PYPI = Path(__file__).parent.parent / ".peers/dumb-pypi/bin/dumb-pypi"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return make_wheels(tmp_path, monkeypatch)


def published(root: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the files on the JSON pages of an index, by project."""
    names = json.loads((root / "simple" / JSON).read_text())["projects"]
    return {name["name"]: json.loads((root / "simple" / name["name"] / JSON).read_text())["files"] for name in names}


def filenames(root: Path) -> list[str]:
    return [file["filename"] for files in published(root).values() for file in files]


def set_standard_input(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_a_list_and_a_directory_make_the_same_index(here: Path) -> None:
    (here / "wheels/list.txt").write_text(f"{FILE}\ndemo-1.0.tar.gz\nsub/other-2.0-py3-none-any.whl\n")
    assert [run(str(here / "wheels/list.txt"), "one"), run("--recursive", str(here / "wheels"), "two")] == [0, 0]
    assert read_tree(Path("one")) == read_tree(Path("two"))


def test_paths_from_standard_input_are_relative_to_the_working_directory(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(here / "wheels")
    set_standard_input(monkeypatch, f"./{FILE}\nsub/other-2.0-py3-none-any.whl".encode())
    assert run("-", str(here / "public")) == 0
    assert filenames(here / "public") == [FILE, "other-2.0-py3-none-any.whl"]


def test_a_list_with_files_url_makes_an_index_without_local_files(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = objects(
        EVERYTHING, {"filename": "demo-2.0.tar.gz"}, {"filename": "a/De_Mo.x-1.0+cu.zip", "hash": f"sha256={B}"}
    )
    set_standard_input(monkeypatch, entries)
    assert run("-", "public", "--files-url", f"{FILES_URL}/") == 0
    assert published(Path("public")) == {
        "de-mo-x": [
            {"filename": "De_Mo.x-1.0+cu.zip", "url": f"{FILES_URL}/a/De_Mo.x-1.0%2Bcu.zip", "hashes": {"sha256": B}}
        ],
        "demo": [
            {
                "filename": FILE,
                "url": f"{FILES_URL}/{FILE}",
                "hashes": {"sha256": A},
                "requires-python": ">=3.9, <4",
                "core-metadata": {"sha256": B},
                "yanked": 'broken <on> "purpose"',
                "upload-time": "2026-01-02T03:04:05Z",
            },
            {"filename": "demo-2.0.tar.gz", "url": f"{FILES_URL}/demo-2.0.tar.gz", "hashes": {}},
        ],
    }
    assert not Path("public/files").exists()


def test_a_list_and_a_directory_may_be_mixed(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "list.txt").write_text("wheels/sub/other-2.0-py3-none-any.whl\n")
    assert run(str(here / "list.txt"), str(here / "wheels"), "public") == 0
    assert sorted(filenames(Path("public"))) == [FILE, "demo-1.0.tar.gz", "other-2.0-py3-none-any.whl"]


def test_a_bad_line_is_rejected_and_the_others_are_published(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "wheels/list.jsonl").write_bytes(
        objects({"filename": FILE}) + b"{nonsense\n" + objects({"filename": "gone-1.0.zip"})
    )
    assert run(str(here / "wheels/list.jsonl"), "public") == 1
    assert filenames(Path("public")) == [FILE]
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"rejected {here}/wheels/list.jsonl, line 2: ")
    assert second.startswith(f"rejected {here}/wheels/gone-1.0.zip: named in the list, but cannot be read: ")


def test_a_file_with_another_hash_than_a_local_page_says_is_rejected(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "wheels/page.html").write_text(f'<a href="{FILE}#sha256={A}">x</a> <a href="demo-1.0.tar.gz">y</a>')
    assert run(str(here / "wheels/page.html"), "public") == 1
    got = hashlib.sha256((here / "wheels" / FILE).read_bytes()).hexdigest()
    assert f"{FILE}: sha256 mismatch: expected {A}, got {got}. {MISMATCH}\n" in capsys.readouterr().err


def test_a_file_with_another_hash_than_the_list_says_is_rejected(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "wheels/list.jsonl").write_bytes(
        objects({"filename": FILE, "hash": f"sha256={A}"}, {"filename": "demo-1.0.tar.gz"})
    )
    assert run(str(here / "wheels/list.jsonl"), "public") == 1
    assert filenames(Path("public")) == ["demo-1.0.tar.gz"]
    got = hashlib.sha256((here / "wheels" / FILE).read_bytes()).hexdigest()
    assert f"{FILE}: sha256 mismatch: expected {A}, got {got}. {MISMATCH}\n" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"README\n"])
def test_a_list_without_a_file_publishes_nothing(here: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    set_standard_input(monkeypatch, content)
    assert (run("-", "public"), (Path("public") / "simple").exists()) == (3, False)


def test_a_file_that_changes_while_standard_input_is_read_is_an_error(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = here / "wheels" / FILE
    set_standard_input(monkeypatch, f"{wheel}\n{here}/wheels/demo-1.0.tar.gz\n".encode())
    calls: list[int] = []

    def changing(artifacts: Iterable[Artifact], **options: Any) -> object:  # noqa: ANN401 (passed on)
        files = scan(artifacts, **options)  # type: ignore[arg-type]
        write_wheel(wheel.parent, "demo", "1.0", summary="built again")
        calls.append(len(files))
        return files

    monkeypatch.setattr("mkindex.build.examining.scan", changing)
    assert (run("-", "public"), calls) == (3, [2])
    assert (
        capsys.readouterr().err
        == f"error {wheel} changed while it was read: wait until it is completely written, then run again\n"
    )
    assert not Path("public/simple").exists()


@pytest.mark.parametrize(
    ("content", "kind"),
    {
        b"": "ListSource",
        b"demo-1.0.zip": "ListSource",
        b'{"filename": "demo-1.0.zip"}\n{"filename": "x-1.0.zip"}': "ListSource",
        b'\xef\xbb\xbf{"filename": "demo-1.0.zip", "requires_dist": ["x"]}': "ListSource",
        b'{"meta": {"api-version": "1.0"}, "files": []}': "PageSource",
        b'\n\n {\n "files": []}': "PageSource",
        b'{"name": "x", "versions": ["1"], "files": []}': "PageSource",
        b'{"projects": []}': "PageSource",
        b'{"project-status": {"status": "archived"}, "files": []}': "PageSource",
        b"<a href=x.whl>": "PageSource",
        b"\xef\xbb\xbf\n<!DOCTYPE html>": "PageSource",
    }.items(),
)
def test_the_beginning_of_a_file_decides_how_it_is_read(here: Path, content: bytes, kind: str) -> None:
    (here / "file").write_bytes(content)
    opened = open_with_defaults(str(here / "file"))
    assert isinstance(opened, FileSource)
    assert type(opened.source).__name__ == kind


# --- compared with dumb-pypi ------------------------------------------------------------------------------------------

LIST: list[dict[str, Any]] = [
    EVERYTHING,
    {"filename": "demo-1.0.tar.gz", "hash": f"sha256={B}", "requires_python": ">=3.8,<4", "upload_timestamp": 1},
    {"filename": "Demo-1.1.zip", "yanked_reason": "é & <b> \"quoted\" 'reason'"},
    {"filename": "demo-2.0+cu128-py3-none-any.whl", "hash": f"sha256={A}", "yanked_reason": ""},
    {"filename": "other_thing-0.1-cp312-cp312-manylinux_2_17_x86_64.whl", "requires_python": "!=3.9.*"},
    {"filename": "a.b-2024.1.1.tar.gz", "hash": f"sha256={B}"},
]


class Anchors(HTMLParser):
    """The attributes of every anchor."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.append(dict(attrs))


def read_anchors(root: Path) -> set[tuple[object, ...]]:
    """Return project, address, hash, requires-python, yanked and core-metadata of every anchor of project pages."""
    found: set[tuple[object, ...]] = set()
    for path in (root / "simple").glob(f"*/{HTML}"):
        for attributes in Anchors(path.read_text("utf-8")).found:
            url, fragment = urldefrag(urljoin("https://host.example/", attributes["href"] or ""))
            names = ("data-requires-python", "data-yanked", "data-core-metadata")
            found.add((path.parent.name, unquote(url), fragment, *(attributes.get(name) for name in names)))
    return found


def test_dumb_pypi_makes_equal_pages_from_the_same_list(here: Path) -> None:
    if not DUMB_PYPI.exists():
        skip_or_fail("dumb-pypi (make peers)")
    (here / "list.jsonl").write_bytes(objects(*LIST))
    command = [str(DUMB_PYPI), "--package-list-json", str(here / "list.jsonl"), "--packages-url", FILES_URL]
    subprocess.run([*command, "--output-dir", "theirs"], check=True, timeout=60)
    assert run(str(here / "list.jsonl"), "ours", "--files-url", FILES_URL) == 0
    theirs = read_anchors(Path("theirs"))
    assert len(theirs) == len(LIST)
    assert read_anchors(Path("ours")) == theirs
    for path in Path("ours/simple").glob(f"*/{JSON}"):
        links = parse_json(path.read_text(), f"https://host.example/{path}").links
        assert {unquote(link.url) for link in links} == {
            anchor[1] for anchor in theirs if anchor[0] == path.parent.name
        }
