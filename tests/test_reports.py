"""The report of a build for a person: the same problem with many files is one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mkindex import cli
from mkindex.errors import Note, Rejected
from mkindex.reports.text import finding_lines, first_names
from mkindex.text import without_quoted

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

EGG = "eggs are no longer installable: build a wheel"


def eggs(count: int) -> list[Rejected | Note]:
    return [Rejected(location=f"/wheels/{number}.egg", reason=EGG) for number in range(count)]


def test_the_same_text_about_many_files_is_one_line() -> None:
    other = Rejected(location="/wheels/a.whl", reason="not a zip file")
    assert list(finding_lines([*eggs(1), other, *eggs(1200)], quiet=False, verbose=False)) == [
        ("rejected", f"1,201 files: {EGG} (0.egg, 0.egg, 1.egg and 1,198 more; -v names all)"),
        ("rejected", "/wheels/a.whl: not a zip file"),
    ]


def test_texts_that_differ_only_in_what_they_quote_are_one_line() -> None:
    texts = ["Requires-Dist 'a~=1' is not valid: b", """Requires-Dist "a; os_name = 'x'" is not valid: b"""]

    def notes(*numbers: int) -> list[Rejected | Note]:
        used = [texts[number] for number in numbers]
        return [
            Note(location=f"/w/{n}.whl", text=text, text_of_many=without_quoted(text)) for n, text in enumerate(used)
        ]

    names = "(0.whl, 1.whl, 2.whl and 1 more; -v names all)"
    found = (notes(0, 0, 0, 0), notes(0, 1, 0, 1), notes(0, 1))
    assert [list(finding_lines(each, quiet=False, verbose=False)) for each in found] == [
        [("note", f"4 files: {texts[0]} {names}")],
        [("note", f"4 files: Requires-Dist '…' is not valid: b {names}")],
        [("note", f"/w/0.whl: {texts[0]}"), ("note", f"/w/1.whl: {texts[1]}")],
    ]


def test_few_files_are_named_by_their_locations() -> None:
    lines = [("rejected", f"/wheels/{number}.egg: {EGG}") for number in range(3)]
    assert list(finding_lines(eggs(3), quiet=False, verbose=False)) == lines


def test_verbose_names_all_files() -> None:
    lines = [("rejected", f"/wheels/{number}.egg: {EGG}") for number in range(100)]
    assert list(finding_lines(eggs(100), quiet=True, verbose=True)) == lines


def test_a_note_and_a_rejection_with_the_same_text_are_not_one_line() -> None:
    notes = [Note(location=f"/wheels/{number}.egg", text=EGG) for number in range(4)]
    labels = [label for label, _ in finding_lines([*notes, *eggs(4)], quiet=False, verbose=False)]
    assert labels == ["note", "rejected"]


def test_quiet_hides_notes_and_only_verbose_shows_details() -> None:
    findings = [Note(location="a", text="b"), Note(location="c", text="d", detail=True)]
    shown = {
        (quiet, verbose): [text for _, text in finding_lines(findings, quiet=quiet, verbose=verbose)]
        for quiet in (False, True)
        for verbose in (False, True)
    }
    assert shown == {
        (False, False): ["a: b"],
        (False, True): ["a: b", "c: d"],
        (True, False): [],
        (True, True): ["a: b", "c: d"],
    }


def test_hostile_names_are_escaped_wherever_they_are_shown() -> None:
    hostile: list[Rejected | Note] = [Rejected(location="/w/\x1b[31m.egg", reason=EGG)] * 4
    texts = [text for count in (1, 4) for _, text in finding_lines(hostile[:count], quiet=False, verbose=False)]
    assert [text.isprintable() for text in texts] == [True, True]


def test_names_are_counted_after_the_third() -> None:
    assert [first_names(list("abcd")[:count]) for count in range(1, 5)] == [
        "a",
        "a, b",
        "a, b, c",
        "a, b, c and 1 more",
    ]


def test_the_command_prints_one_line_for_many_rejected_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wheels").mkdir()
    for number in range(570):
        (tmp_path / "wheels" / f"{number:03}.egg").touch()
    capsys.readouterr()
    assert cli.run(["wheels", "public", "--allow-empty"]) == 1
    assert capsys.readouterr().err == (
        f"rejected 570 files: {EGG} (000.egg, 001.egg, 002.egg and 567 more; -v names all)\n"
    )
    assert cli.run(["wheels", "public", "--allow-empty", "-v"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 570
