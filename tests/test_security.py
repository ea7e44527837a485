"""SECURITY.md and docs/reliability.md name tests: they exist, and each row of the threat model has some."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from lab import __main__ as lab

TOP = Path(__file__).parents[1]
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def functions(path: str) -> set[str]:
    """The names of the functions of a module; none if it is missing."""
    file = TOP / path
    nodes = ast.parse(file.read_text()).body if file.exists() else []
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("page", ["SECURITY.md", "docs/reliability.md"])
def test_every_test_that_is_named_exists(page: str) -> None:
    named = TEST.findall((TOP / page).read_text())
    assert named
    assert [f"{path}::{name}" for path, name in named if name not in functions(path)] == []


def test_each_row_of_the_threat_model_names_its_tests() -> None:
    model, _, tests = (TOP / "SECURITY.md").read_text().partition("### Tests of each row\n")
    threats = re.findall(r"^\| \*\*(.+?)\*\*", model, re.MULTILINE)
    held = re.findall(r"^\| ([^|]+?) \| `tests/", tests, re.MULTILINE)
    assert held == threats


def test_each_part_of_the_lab_is_described_and_has_a_result() -> None:
    page = (TOP / "docs/reliability.md").read_text()
    results = re.findall(r"^\| ([a-z ]+?) +\| [^|]+\| +([\d,]+) \| +(\d+) \|$", page, re.MULTILINE)
    described = re.findall(r"^\| ([a-z, ]+?) \| [^|]+ \| [^|]+ \|$", page, re.MULTILINE)
    assert [name for name, *_ in results] == [*lab.PARTS]
    assert {violations for *_, violations in results} == {"0"}
    assert [one for row in described for one in row.split(", ") if one != "part"] == [*lab.PARTS]
