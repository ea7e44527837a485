"""Whatever people are shown, in a terminal, a log or an annotation, is escaped."""

from __future__ import annotations

import json
import sys
import unicodedata
from typing import TYPE_CHECKING

import pytest

from mkindex.text import printable, redact
from support.command_line import Run
from support.index_server import serve_index
from support.wheels import core_metadata, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

# A colour, the end of a line, C1, bidirectional overrides and isolates, zero width, a filler, a variation selector.
EVIL = "\x1b[31m\r\x9b0m\u202e\u2066\u200b\u2060\ufeff\u034f\u3164\ufe0f"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wheels").mkdir()
    return tmp_path


def is_clean(text: str) -> bool:
    return all(line == printable(line) for line in text.split("\n"))


def assert_clean(run: Run, *, shows: str = r"\u202e") -> None:
    assert shows in run.out + run.err
    assert (is_clean(run.out), is_clean(run.err)) == (True, True), ascii(run.out + run.err)


# --- the function -----------------------------------------------------------------------------------------------------


def test_every_character_that_is_not_seen_or_changes_what_is_seen_is_escaped() -> None:
    shown = {chr(number) for number in range(sys.maxunicode + 1) if printable(chr(number)) == chr(number)}
    categories = {unicodedata.category(character) for character in shown - {" "}}
    assert categories.isdisjoint({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
    assert shown.isdisjoint("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u200c\u200d\u2060\ufeff")
    assert shown.isdisjoint("\u034f\u115f\u1160\u17b4\u3164\uffa0\ufe00\ufe0f\U000e0100")
    assert {"a", "é", "ß", "中", "\N{GREEK SMALL LETTER ALPHA}", " ", "\\"} <= shown


def test_an_escaped_text_stays_as_it_is() -> None:
    assert printable(EVIL) == r"\x1b[31m\r\x9b0m\u202e\u2066\u200b\u2060\ufeff\u034f\u3164\ufe0f"
    assert printable(printable(EVIL)) == printable(EVIL)
    assert redact(f"https://host/{EVIL}?secret") == f"https://host/{printable(EVIL)}"


# --- the commands -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        [f"gone{EVIL}", "public"],
        [f"https://127.0.0.1:9/{EVIL}", "public", "--timeout", "1"],
        [f"file:///{EVIL}", "public"],
        ["wheels", "public", f"--{EVIL}"],
        ["wheels", "public", "--jobs", EVIL],
        ["wheels", "public", "--for", EVIL],
        ["wheels", "public", "--files-url", EVIL],
        ["wheels", "public", "--simple-path", EVIL],
        ["wheels", "public", "--max-download", EVIL],
        ["wheels", "public", "--templates", EVIL],
        ["wheels", "public", "--config", EVIL],
        ["wheels", "public", "--bind", EVIL, "--watch"],
        ["wheels", "public", "--previous", EVIL],
        ["wheels", f"public{EVIL}", "--nothing"],
        ["check", EVIL],
        ["check", ".", "--select", EVIL],
        ["check", ".", "--explain", EVIL],
        ["check", ".", "--closure", "--python", EVIL],
        ["check", ".", "--closure", "--platform", EVIL],
        ["check", ".", "--closure", "--requirements", EVIL],
        ["check", ".", "--why", EVIL],
        ["client", EVIL],
        ["client", ".", "--for", EVIL],
        ["host", EVIL],
        ["host", "nginx", "--root", EVIL],
        ["serve", EVIL],
        ["serve", ".", "--bind", EVIL],
    ],
    ids=lambda arguments: ascii(" ".join(arguments).replace(EVIL, "EVIL")),
)
@pytest.mark.parametrize("form", ["", "github"])
def test_what_is_typed(capsys: pytest.CaptureFixture[str], arguments: list[str], form: str) -> None:
    more = ["--format", form] if form and arguments[0] not in ("client", "host", "serve") else []
    run = Run(capsys, *arguments, *more)
    assert run.status in (1, 2, 3)
    assert_clean(run, shows="")


@pytest.mark.parametrize("form", ["text", "json", "github"])
@pytest.mark.parametrize("more", [["--dry-run"], ["-v"], ["--strict"], []], ids=" ".join)
def test_names_and_metadata_of_files(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, form: str, more: list[str]
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(here / "summary.md"))
    monkeypatch.setenv("GITHUB_OUTPUT", str(here / "output"))
    for number, evil in enumerate([EVIL, f"{EVIL}\n", "\udcff"]):
        (here / "wheels" / f"demo{evil}-1.{number}-py3-none-any.whl").write_bytes(b"x")
        (here / "wheels" / f"demo{number}{evil}.egg").write_bytes(b"x")
    text = EVIL.replace("\r", "")
    raw = {
        "named": core_metadata(f"demo{text}", "1.0"),
        "versioned": core_metadata("versioned", f"1.0{text}"),
        "python": core_metadata("python", "1.0", requires_python=f">=3{text}"),
        "required": core_metadata("required", "1.0", requires_dist=[f"six{text}", f"!{text}", f"six; {text}"]),
        "format": core_metadata("format", "1.0", metadata_version=f"2.1{text}"),
    }
    for name, metadata in raw.items():
        write_wheel(here / "wheels", name, "1.0", metadata=metadata)
    run = Run(capsys, "wheels", "public", "--no-cache", "--format", form, *more)
    assert_clean(run, shows=r"u202e")
    summary = here / "summary.md"
    assert is_clean(summary.read_text() if summary.exists() else "")


def test_lines_of_a_list_and_links_of_a_page(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"gone{EVIL}.whl", f"https://[{EVIL}", f'{{"filename": "a{EVIL}.whl"}}']
    (here / "list.txt").write_text("\n".join(lines).replace("\r", ""))
    links = [f"demo{EVIL}-1.0-py3-none-any.whl", f"http://[{EVIL}/demo.whl", f"demo-2.0-py3-none-any.whl#sha256={EVIL}"]
    anchors = "".join(f"<a href='{link}' data-yanked='{EVIL}'>{EVIL}</a>" for link in links)
    (here / "page.html").write_text(f"<!DOCTYPE html><title>{EVIL}</title>{anchors}")
    for source in ("list.txt", "page.html"):
        for form in ("text", "github"):
            assert_clean(Run(capsys, source, "public", "--no-cache", "-v", "--format", form), shows="u202e")


@pytest.mark.parametrize(
    "text", [f'"{EVIL}" = 1', f'jobs = "{EVIL}"', f'sources = ["{EVIL}"]\ndestination = "public"', EVIL]
)
def test_keys_and_values_of_a_configuration(here: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    escaped = "".join(f"\\U{ord(c):08x}" if not c.isascii() or c < " " else c for c in text)
    (here / "mkindex.toml").write_text(text if text == EVIL else escaped.replace("\\U0000000a", "\n"))
    run = Run(capsys, "build")
    assert run.status == (3 if "sources" in text else 2)
    assert_clean(run, shows="")


def test_values_in_the_environment(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MKINDEX_JOBS", EVIL)
    assert_clean(Run(capsys, "wheels", "public"))


def test_the_errors_of_a_template(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "templates").mkdir()
    (here / "templates/index.html").write_text(f"{{{{ '{EVIL}'.nothing.more }}}}{{% {EVIL} %}}")
    write_wheel(here / "wheels", "demo", "1.0")
    assert_clean(Run(capsys, "wheels", "public", "--no-cache", "--templates", "templates"), shows="")


@pytest.mark.parametrize("form", ["text", "json", "github"])
@pytest.mark.parametrize("served", [False, True])
def test_what_check_finds(here: Path, capsys: pytest.CaptureFixture[str], form: str, served: bool) -> None:
    evil = EVIL.replace("\r", "")
    write_wheel(here / "wheels", "demo", "1.0", requires_dist=[f"six{evil}", f"'{evil}", f"a @ https://host/{evil}"])
    Run(capsys, "wheels", "public", "--no-cache")
    simple = here / "public/simple"
    (simple / "index.v1_json").unlink()
    page = simple / "demo/index.html"
    page.write_text(
        page.read_text().replace("</body>", f"<a href='{evil}.whl' data-requires-python='{evil}'>{evil}</a></body>")
    )
    document = json.loads((simple / "demo/index.v1_json").read_text())
    document |= {"name": evil, evil: evil, "project-status": {"status": evil}, "versions": [evil]}
    document["files"][0] |= {"url": f"https://[{evil}", "yanked": evil, "hashes": {evil: evil}, "size": evil, evil: 1}
    (simple / "demo/index.v1_json").write_text(json.dumps(document, ensure_ascii=False))
    (here / f"public/files/{evil}").write_bytes(b"x")
    (here / f"public/{evil}.tmp").write_bytes(b"x")
    options = ("--files", "deep", "--closure", "--format", form, "--no-cache", "-v")
    if not served:
        assert_clean(Run(capsys, "check", "public", *options), shows="u202e")
        return
    with serve_index(here / "public") as server:
        assert_clean(Run(capsys, "check", f"{server.url}simple/", *options), shows="u202e")
        assert_clean(Run(capsys, "check", f"{server.url}simple/", "--why", "demo", "--no-cache"), shows="")
