"""The table of options in docs/options.md, which follows from the one in mkindex.config. `make readme` writes it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkindex.config.table import GROUPS, OPTIONS, RUN_OPTIONS

if TYPE_CHECKING:
    from mkindex.options import Option

ROOT = Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- options: written by `make readme` -->", "<!-- end of options -->"
_CODE = re.compile(
    r"`[^`]+`|--format json|--watch --poll|--[a-z][a-z-]+|\.metadata|links\.html|SOURCE_DATE_EPOCH|'[^']+'|URL/<[^>]+>"
)


def options_table() -> str:
    """Return the table of options as Markdown, in groups."""
    lines = ["| option | | default |", "|---|---|---|"]
    for group in GROUPS:
        lines.append(f"| **{group}** | | |")
        lines += [_row(one) for one in (*OPTIONS, *RUN_OPTIONS) if one.group == group]
    lines += [
        "| **Other options** | | |",
        "| `--config FILE` | Read options from this file. | `mkindex.toml` in the current directory, if it exists |",
    ]
    return "\n".join(lines)


def with_options_table(page: str) -> str:
    """Return docs/options.md with the table between the two markers replaced."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin, f"docs/options.md has no line {BEGIN}"
    assert end, f"docs/options.md has no line {END}"
    return f"{before}{BEGIN}\n{options_table()}\n{END}{after}"


def _row(option: Option) -> str:
    metavar = option.metavar or "\\|".join(option.choices)
    flags = ", ".join(f"`{flag}`" for flag in [option.short] if flag)
    spelled = f"{flags + ', ' if flags else ''}`{f'{option.flag} {metavar}'.rstrip()}`"
    text = re.sub(_CODE, lambda match: f"`{match[0].strip('`')}`", option.help)
    default = option.default_text if option.automatic else f"`{option.default_text}`" if option.default_text else ""
    return f"| {spelled} | {text} | {default} |"


if __name__ == "__main__":
    path = ROOT / "docs/options.md"
    path.write_text(with_options_table(path.read_text("utf-8")), "utf-8")
