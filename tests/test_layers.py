"""The rooms of the house: which may import which."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import mkindex

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(mkindex.__file__).parent
DESIGN = Path(__file__).resolve().parents[1] / "docs/design.md"
# From left to right. A room imports only from groups to its left; rooms of one group do not import each other.
GROUPS = (
    {"errors"},
    {"progress", "text", "options"},
    {"model", "tree", "hosts", "parallel", "workers", "environments"},
    {"config", "distributions", "spool"},
    {"config_file"},
    {"simple"},
    {"clients", "cache"},
    {"web"},
    {"stores"},
    {"sources"},
    {"examine"},
    {"closure", "policy"},
    {"site"},
    {"publish"},
    {"build"},
    {"watch", "check"},
    {"probe", "proof", "relocate", "serve"},
    {"reports"},
    {"cli", "api"},
    {"__main__"},
)
LEVEL = {room: level for level, group in enumerate(GROUPS) for room in group}
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path != PACKAGE / "__init__.py"
}


def imported(module: str) -> Iterator[str]:
    """Yield the modules of mkindex that a module imports anywhere, also lazily or for types only."""
    for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (
                alias.name.removeprefix("mkindex.") for alias in node.names if alias.name.startswith("mkindex.")
            )
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "mkindex":
            package = node.module.removeprefix("mkindex").removeprefix(".")
            for alias in node.names:
                name = f"{package}.{alias.name}".removeprefix(".")
                yield name if name in MODULES else package


def room(module: str) -> str:
    return module.partition(".")[0]


def test_every_module_belongs_to_a_room() -> None:
    assert {room(module) for module in MODULES} == set(LEVEL)


def test_the_design_lists_the_rooms_in_their_order() -> None:
    text = DESIGN.read_text("utf-8")
    table = text[text.index("| room | contents |") : text.index("Where to make a change")]
    lines = [re.findall(r"`(\w+)/?`", line.split("|")[1]) for line in table.splitlines() if line.startswith("| `")]
    levels = [LEVEL[name] for names in lines for name in names]
    assert sorted(name for names in lines for name in names) == sorted(LEVEL)
    assert levels == sorted(levels)


@pytest.mark.parametrize("module", MODULES)
def test_a_room_imports_only_rooms_to_its_left(module: str) -> None:
    others = {name for name in imported(module) if name and room(name) != room(module)}
    assert {name for name in others if LEVEL[room(name)] >= LEVEL[room(module)]} == set()


def test_no_module_imports_itself_through_others() -> None:
    graph = {module: {name for name in imported(module) if name in MODULES} for module in MODULES}
    while leaves := {module for module, names in graph.items() if not names & graph.keys()}:
        graph = {module: names for module, names in graph.items() if module not in leaves}
    assert graph == {}


def test_check_shares_nothing_with_rendering_and_publishing() -> None:
    reached, waiting = set[str](), [module for module in MODULES if room(module) == "check"]
    while waiting:
        module = waiting.pop()
        reached.add(module)
        waiting += {name for name in imported(module) if name in MODULES} - reached
    assert {name for name in reached if room(name) in ("site", "publish") or name == "simple.writer"} == set()
