"""The documentation site, which `make docs` builds from the pages in this directory.

The pages in `generated/` are written here: the page of the commands, from the code, so that it is never out of date,
and copies of Markdown files at the top of the repository.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mkindex import __version__
from mkindex.cli import cli

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HERE = Path(__file__).parent
GENERATED = HERE / "generated"
# Files at the top of the repository, and their pages.
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "generated/changelog.md",
    "CONTRIBUTING.md": "generated/contributing.md",
    "SECURITY.md": "generated/security.md",
    "benchmarks/RESULTS.md": "generated/performance.md",
}
# Links that differ on the site: a directory has no page there.
ELSEWHERE = {"hosting": "hosting/README.md"}
_LINK = re.compile(r"\[(?P<text>[^\]\n]*)\]\((?P<path>[^)#\s:]+)(?P<anchor>#[^)\s]*)?\)")

project = "mkindex"
author = "The mkindex developers"
release = version = __version__
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "mkindex"
html_copy_source = False
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
highlight_language = "none"


def write_commands() -> str:
    """Return a page with the `--help` of every command."""
    parts = ["# Commands", "", "What `mkindex COMMAND --help` prints."]
    context = click.Context(cli, info_name="mkindex", terminal_width=100, max_content_width=100)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        of_command = click.Context(command, info_name=name, parent=context, terminal_width=100, max_content_width=100)
        parts += ["", f"## mkindex {name}", "", "```text", command.get_help(of_command), "```"]
    return "\n".join([*parts, ""])


def with_links_of_site(text: str, path: str) -> str:
    """Return a page whose links to files of the repository lead to pages. Links to files without a page become text.

    `path` is that of the page in the repository.
    """

    def replace(match: re.Match[str]) -> str:
        target = os.path.normpath(os.path.join(os.path.dirname(path), match["path"]))
        page = target.removeprefix("docs/") if target.startswith("docs/") else PAGES.get(target, "")
        address = f"{page}{match['anchor'] or ''}"
        return f"[{match['text']}](/{ELSEWHERE.get(address, address)})" if page else match["text"]

    return _LINK.sub(replace, text)


def setup(app: Sphinx) -> None:
    """Write the generated pages, and change the links of the others while they are read."""
    GENERATED.mkdir(exist_ok=True)
    texts = {page: with_links_of_site((HERE.parent / file).read_text("utf-8"), file) for file, page in PAGES.items()}
    texts["generated/commands.md"] = write_commands()
    for old in GENERATED.glob("*.md"):
        if f"generated/{old.name}" not in texts:
            old.unlink()
    for page, text in texts.items():
        path = HERE / page
        # An unchanged page is not built again.
        if page.startswith("generated/") and (not path.exists() or path.read_text("utf-8") != text):
            path.write_text(text, "utf-8")

    def change_links(app: Sphinx, docname: str, content: list[str]) -> None:
        del app
        if not docname.startswith("generated/"):
            content[0] = with_links_of_site(content[0], f"docs/{docname}.md")

    app.connect("source-read", change_links)
