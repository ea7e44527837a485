"""Writes the tables of values in docs/site.md: python -m support.site_docs."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "site.md"
VIEWS = ROOT / "gen" / "mkindex" / "site" / "views.py"
_START, _END = re.escape("from gen/mkindex/site/views.py -->\n"), re.escape("<!-- end of values -->")


def values() -> str:
    """Return a table for each value that templates have, made from its class."""
    source = VIEWS.read_text("utf-8")
    lines = source.splitlines()
    tables = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            described = (ast.get_docstring(node) or "").rstrip(".")
            fields = [one for one in node.body if isinstance(one, ast.AnnAssign)]
            rows = [_row(one, lines[one.lineno - 1]) for one in fields]
            head = (f"#### {node.name}", "", f"{described}.", "", "| value | type | is |", "|---|---|---|")
            tables.append("\n".join((*head, *rows)))
    return "\n\n".join(tables) + "\n"


def with_values(page: str) -> str:
    """Return the page with the current tables."""
    return re.sub(rf"(?<={_START}).*(?={_END})", lambda _: f"\n{values()}\n", page, flags=re.DOTALL)


def _row(field: ast.AnnAssign, line: str) -> str:
    kind = ast.unparse(field.annotation).replace("'", "")
    texts = (f"`{ast.unparse(field.target)}`", f"`{kind}`", line.partition("  # ")[2])
    return "| " + " | ".join(text.replace("|", r"\|") for text in texts) + " |"


if __name__ == "__main__":
    PAGE.write_text(with_values(PAGE.read_text("utf-8")), "utf-8")
