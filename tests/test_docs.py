"""The pages in docs/: their commands can be parsed, and their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mkindex.cli import run
from test_readme import shown_commands

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
PAGES = [path for path in sorted((*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))) if "generated" not in path.parts]
KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]  # of Keep a Changelog, in this order
_LINK = re.compile(r"\[[^\]\n]*\]\((?P<path>[^)#\s:]*)(?:#(?P<anchor>[^)\s]*))?\)")
_BLOCK = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors_of(page: Path) -> set[str]:
    """The anchors that GitHub makes of the headings of a page."""
    text = _BLOCK.sub("", page.read_text("utf-8"))
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> Iterator[str]:
    """Yield the links of a page to files of the repository that are missing, or have no such heading."""
    for link in _LINK.finditer(_BLOCK.sub("", page.read_text("utf-8"))):
        target = (page.parent / link["path"]).resolve() if link["path"] else page
        if not target.exists() or (link["anchor"] and link["anchor"] not in anchors_of(target)):
            yield link[0]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    assert list(broken_links(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_of_a_page_can_be_parsed(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    failed = {}
    for shown in shown_commands(page.read_text("utf-8")):
        status = run([*shown.arguments, "--help"])
        out, err = capsys.readouterr()
        if status or not out.startswith("Usage: "):
            failed[shown.command] = err
    assert failed == {}


def test_the_changelog_has_the_headings_of_keep_a_changelog_and_no_change_twice() -> None:
    log = (ROOT / "CHANGELOG.md").read_text("utf-8")
    versions = re.split(r"^## ", log, flags=re.MULTILINE)[1:]
    assert versions[0].partition("\n")[0] == "[Unreleased]"
    for version in versions:
        kinds = re.findall(r"^### (.*)", version, re.MULTILINE)
        assert kinds == [kind for kind in KINDS if kind in kinds]
        changes = [" ".join(change.split()) for change in re.findall(r"^\* (.*(?:\n  .*)*)", version, re.MULTILINE)]
        assert sorted(changes) == sorted(set(changes))
