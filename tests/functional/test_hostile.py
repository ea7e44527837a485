"""Hostile filenames and metadata: pages contain the right anchors and nothing else."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import html5lib
import pytest

from support.wheels import core_metadata, wheel, wheel_filename, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

HTML, JSON = "index.html", "index.v1_json"

# Each is hostile by itself; with their combinations there are more than two hundred.
PIECES = (
    '"',
    "'",
    "<",
    ">",
    "&",
    "&amp;",
    "&lt;",
    "&quot;",
    "&#0;",
    "&#x110000;",
    "&notit",
    "<!--",
    "-->",
    "]]>",
    "</a>",
    "<script>alert(1",
    "<br>",
    "{{7*7}}",
    "{%raw%}",
    "javascript:alert",
    "%22",
    "%00",
    "\\",
    "`",
    "$(id",
    "é",
    "\u202etxt.",  # right to left
    "\u2066",
    "\u200b",
    "\ufeff",
    "\ufffe",
    "\ufffd",
    "\U0001f4a9",
    "\U0010ffff",
    "\u0301",
    "א",
)
CONTROLS = tuple(map(chr, [*range(1, 9), *range(14, 28), *range(127, 133), *range(134, 160)]))
VALUES = [
    *PIECES,
    *(first + second for first, second in itertools.pairwise(PIECES)),
    *(first + second for first, second in zip(PIECES, PIECES[7:], strict=False)),
    *(f"'>{piece}<" for piece in PIECES),
    *(f'">{piece}' for piece in PIECES),
    *(f"v{control}" for control in CONTROLS),
    '"' * 4000,
]

# Filenames are bytes. None of these is a valid name of a wheel.
NAMES = [
    *(f"evil-1.0+{piece}-py3-none-any.whl".encode() for piece in PIECES if "/" not in piece),
    *(f"evil-1.0-py3-none-{control}any.whl".encode() for control in CONTROLS),
    b"evil-1.0\n-py3-none-any.whl",
    b"evil-1.0\r-py3-none-any.whl",
    b"evil-1.0\t-py3-none-any.whl",
    b"evil-1.0\x1b[31m-py3-none-any.whl",
    b"evil-1.0#-py3-none-any.whl",
    b"evil-1.0?-py3-none-any.whl",
    b"evil-1.0 -py3-none-any.whl",
    b"evil-1.0;-py3-none-any.whl",
    b"evil-1.0:-py3-none-any.whl",
    b"evil-1.0\xff-py3-none-any.whl",
    b"evil-1.0\xe9-py3-none-any.whl",
    b"evil-1.0\xed\xa0\x80-py3-none-any.whl",  # half of a surrogate pair
    b"\xc0\xaf..-1.0-py3-none-any.whl",
    b"-1.0-py3-none-any.whl",
    b"evil-1.0-py3-none-" + "é".encode() * 116 + b".whl",
    b'<img src=x onerror="alert(1)">-1.0.tar.gz',
    b"evil\xff-1.0.zip",
]


@dataclass(frozen=True)
class Built:
    """A published tree, and the messages of the build."""

    tree: Path
    messages: str
    status: int

    def entries(self, project: str) -> list[dict[str, Any]]:
        files: list[dict[str, Any]] = json.loads((self.tree / "simple" / project / JSON).read_bytes())["files"]
        return files


def build(*sources: Path, tree: Path, options: tuple[str, ...] = ()) -> Built:
    done = subprocess.run(
        [sys.executable, "-m", "mkindex", *options, *sources, tree], capture_output=True, timeout=120, check=False
    )
    return Built(tree, done.stderr.decode(), done.returncode)


@dataclass(frozen=True)
class Document:
    """A page as a browser parses it."""

    elements: set[str]
    anchors: list[tuple[dict[str, str], str]]  # attributes, text
    errors: list[object]


def parse(page: bytes) -> Document:
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    root = parser.parse(page, transport_encoding=None)
    return Document(
        elements={element.tag if isinstance(element.tag, str) else "comment" for element in root.iter()},
        anchors=[(dict(anchor.attrib), "".join(anchor.itertext())) for anchor in root.iter("a")],
        errors=parser.errors,
    )


def anchor(file: dict[str, Any], path: str) -> tuple[dict[str, str], str]:
    """Return the expected anchor of a file on the page at `path`, made from its entry in JSON."""
    url = "../" * path.count("/") + file["url"].removeprefix("../../")
    digest = f"sha256={file['core-metadata']['sha256']}"
    attributes = {
        "href": f"{url}#sha256={file['hashes']['sha256']}",
        "data-core-metadata": digest,
        "data-size": str(file["size"]),
        "data-upload-time": file["upload-time"],
    }
    if "requires-python" in file:
        attributes["data-requires-python"] = file["requires-python"]
    return attributes, file["filename"]


def without_the_old_name(document: Document) -> list[tuple[dict[str, str], str]]:
    """Return the anchors without data-dist-info-metadata, which must equal data-core-metadata (PEP 714)."""
    for attributes, _ in document.anchors:
        assert attributes.pop("data-dist-info-metadata", None) in (None, attributes["data-core-metadata"])
    return document.anchors


# --- metadata --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile_values(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Return an index of wheels with one of VALUES each as Requires-Python and in every other field."""
    directory = tmp_path_factory.mktemp("values")
    for number, value in enumerate(VALUES):
        headers = [f"Keywords: {value}", f"Home-page: {value}", f"{value}: {value}"]
        write_wheel(
            directory,
            "hostile",
            str(number),
            requires_python=f"==={value}",
            summary=value,
            headers=headers,
            body=value,
        )
    return build(directory, tree=tmp_path_factory.mktemp("tree"), options=("--links", "--verbose"))


def test_over_two_hundred_hostile_values_are_published_or_dropped_with_a_note(hostile_values: Built) -> None:
    entries = hostile_values.entries("hostile")
    assert [file["filename"] for file in entries] == [wheel_filename("hostile", str(n)) for n in range(len(VALUES))]
    assert len(entries) > 200
    pythons = {int(file["filename"].split("-")[1]): file.get("requires-python") for file in entries}
    changed = {VALUES[n]: value for n, value in pythons.items() if value not in (None, f"==={VALUES[n]}")}
    assert changed == {}
    for number, value in pythons.items():
        note = f"{wheel_filename('hostile', str(number))}: Requires-Python "
        assert (note in hostile_values.messages) == (value is None)
    # packaging accepts these values, although they make no sense.
    kept = {VALUES[n] for n, value in pythons.items() if value is not None}
    assert kept >= {"&", "<!--", '"', "'><br><", "{{7*7}}", "%00", '"' * 4000}


@pytest.mark.parametrize("path", ["simple/hostile/index.html", "links.html"])
def test_an_html5_parser_finds_the_anchors_of_the_files_and_nothing_else(hostile_values: Built, path: str) -> None:
    document = parse((hostile_values.tree / path).read_bytes())
    expected = [anchor(file, path) for file in hostile_values.entries("hostile")]
    found = without_the_old_name(document)
    assert [pair for pair in zip(found, expected, strict=True) if pair[0] != pair[1]] == []
    assert document.elements == {"html", "head", "meta", "title", "body", "h1", "a", "br"}
    assert document.errors == []


@pytest.mark.parametrize("path", [HTML, "404.html", "simple/index.html"])
def test_no_hostile_value_gets_onto_the_other_pages(hostile_values: Built, path: str) -> None:
    page = (hostile_values.tree / path).read_bytes()
    assert parse(page).errors == []
    assert b"7*7" not in page
    assert b"alert" not in page


def test_messages_about_hostile_values_have_no_control_characters(hostile_values: Built) -> None:
    assert hostile_values.messages != ""
    assert [line for line in hostile_values.messages.split("\n") if not line.isprintable()] == []


def test_markup_in_the_name_of_metadata_is_not_a_name(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    write_wheel(source, "good", "1.0")
    for number, name in enumerate(("<b>", 'a"b', "a b", "a\u202eb", "good\n", "..", "a/b", "")):
        (source / wheel_filename("evil", str(number))).write_bytes(
            wheel("evil", str(number), metadata=core_metadata(name, str(number)))
        )
    built = build(source, tree=tmp_path / "tree")
    assert built.status == 1
    assert {path.parent.name for path in (tmp_path / "tree").glob("simple/*/index.html")} == {"good"}
    assert built.messages.count("rejected ") == 8
    assert [line for line in built.messages.split("\n") if not line.isprintable()] == []


# --- names of files --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile_names(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Return an index of good wheels, and of wheels under hostile names."""
    directory = tmp_path_factory.mktemp("names")
    write_wheel(directory, "good", "1.0", requires_python=">=3.8,<4")
    write_wheel(directory, "good", "1.1+local.1")
    content = wheel("evil", "1.0")
    for name in NAMES:
        with open(os.path.join(os.fsencode(directory), name), "wb") as file:
            file.write(content)
    return build(directory, tree=tmp_path_factory.mktemp("tree"), options=("--links", "--verbose"))


def test_every_hostile_name_is_rejected_in_a_line_of_its_own(hostile_names: Built) -> None:
    rejected = [line for line in hostile_names.messages.splitlines() if line.startswith("rejected ")]
    assert (hostile_names.status, len(rejected)) == (1, len(NAMES))
    assert [line for line in hostile_names.messages.split("\n") if not line.isprintable()] == []
    assert hostile_names.messages.count("\n") == len(hostile_names.messages.splitlines())


@pytest.mark.parametrize("path", ["simple/good/index.html", "links.html"])
def test_pages_have_anchors_only_for_files_with_valid_names(hostile_names: Built, path: str) -> None:
    document = parse((hostile_names.tree / path).read_bytes())
    expected = [anchor(file, path) for file in hostile_names.entries("good")]
    assert [text for _, text in expected] == ["good-1.0-py3-none-any.whl", "good-1.1+local.1-py3-none-any.whl"]
    assert without_the_old_name(document) == expected
    assert document.errors == []
    assert [path.name for path in (hostile_names.tree / "simple").iterdir() if path.is_dir()] == ["good"]


def test_everything_in_the_tree_has_a_harmless_name(hostile_names: Built) -> None:
    names = [name for _, directories, files in os.walk(hostile_names.tree) for name in (*directories, *files)]
    assert [name for name in names if not name.isascii() or set(name) & set("<>\"'&#?% \\\n")] == []


@pytest.mark.parametrize("length", [255, 246, 200])
def test_a_file_with_a_long_name_is_published_or_rejected_and_others_are_published(length: int, tmp_path: Path) -> None:
    source, tree = tmp_path / "source", tmp_path / "tree"
    source.mkdir()
    write_wheel(source, "good", "1.0")
    name = "n" * (length - len("-1.0-py3-none-any.whl"))
    path = write_wheel(source, name, "1.0")
    assert len(path.name) == length
    built = build(source, tree=tree)
    published = {page.parent.name for page in tree.glob("simple/*/index.html")}
    rejected = f"rejected {path}: " in built.messages
    assert (built.status, published) == ((1, {"good"}) if rejected else (0, {"good", name})), built.messages
