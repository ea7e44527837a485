"""The manual pages in man/, which follow from the commands and their options. `make readme` writes them."""

from __future__ import annotations

import re
from inspect import cleandoc
from pathlib import Path

import click

from mkindex.cli import cli
from mkindex.cli.options import Command
from mkindex.cli.terminal import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
MAN = ROOT / "man"
_FLAG = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")
# Roff would typeset these otherwise: a hyphen, an accent, a control line. A plain " ends an argument of a macro.
_SPECIAL = str.maketrans(
    {"\\": r"\e", "-": r"\-", "'": r"\(aq", "^": r"\(ha", "~": r"\(ti", "`": r"\(ga", '"': r"\(dq"}
)


def man_pages() -> dict[str, str]:
    """Return the text of each manual page by its filename. mkindex.1 is that of the default command."""
    return {f"{_name(command)}.1": _page(command) for command in COMMANDS}


def _name(command: str) -> str:
    return "mkindex" if command == "build" else f"mkindex-{command}"


def _page(name: str) -> str:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    words = _name(name).replace("-", " ")
    with click.Context(command, info_name=words, **command.context_settings) as context:
        usage = " ".join(command.collect_usage_pieces(context))
        lines = [
            f'.TH {_name(name).upper()} 1 "" mkindex "mkindex manual"',
            ".SH NAME",
            f"{_escape(_name(name))} \\- {_escape(COMMANDS[name].partition('.')[0].partition(':')[0])}",
            ".SH SYNOPSIS",
            f".B {_escape(words)}",
            _escape(usage),
        ]
        if name == "build":
            lines += [".PP", ".B mkindex", _escape("COMMAND [OPTIONS] ...")]
        lines += [".SH DESCRIPTION", *_paragraphs(command.help or "")]
        if name == "build":
            lines += [".SH COMMANDS", "Each has a manual page: mkindex\\-COMMAND(1)."]
            lines += [line for one, text in COMMANDS.items() for line in _entry(_escape(one), text)]
        lines += [".SH OPTIONS", *_options(command, context)]
    lines += _epilog(command.epilog or "")
    others = [f"mkindex\\-{one}" for one in COMMANDS if one != "build"] if name == "build" else ["mkindex"]
    lines += [".SH SEE ALSO", ",\n".join(f".BR {one} (1)" for one in sorted(others)).replace(" (1),", " (1),")]
    return "\n".join([*lines, ""])


def _options(command: click.Command, context: click.Context) -> list[str]:
    """Return the options of a command below the headings that its help has."""
    assert isinstance(command, Command)
    lines = []
    for group, records in command.option_groups(context).items():
        lines += [f".SS {_escape(group)}"] if group != "Options" else []
        lines += [line for flags, text in records for line in _entry(_bold_flags(flags), text)]
    return lines


def _entry(term: str, text: str) -> list[str]:
    return [".TP", term, _escape(re.sub("  +", " ", text))]


def _bold_flags(text: str) -> str:
    return _FLAG.sub(lambda match: rf"\fB{match[0]}\fR", text).replace("-", r"\-")


def _epilog(text: str) -> list[str]:
    """Return the sections of the text below the options: examples, the exit status, and notes."""
    lines, notes = list[str](), list[str]()
    for paragraph in cleandoc(text).split("\n\n"):
        title, _, rest = paragraph.removeprefix("\b\n").partition(":")
        if title in ("Example", "Examples"):
            lines += [".SH EXAMPLES", ".nf", *(_escape(line) for line in rest.strip("\n").splitlines()), ".fi"]
        elif title == "Exit status":
            lines += [".SH EXIT STATUS", *_paragraphs(rest)]
        elif paragraph:
            notes += [*([".PP"] if notes else []), *_paragraphs(paragraph)]
    return [*([".SH NOTES", *notes] if notes else []), *lines]


def _paragraphs(text: str) -> list[str]:
    """Return a text with a macro between its paragraphs."""
    found = [" ".join(one.replace("\b", "").split()) for one in cleandoc(text).split("\n\n")]
    return "\n.PP\n".join(_escape(one) for one in found).splitlines()


def _escape(text: str) -> str:
    r"""Return a text that roff prints as it is. A line that begins with a dot gets \& before it."""
    escaped = re.sub(r"[^\0-\x7f]", lambda match: rf"\[u{ord(match[0]):04X}]", text.translate(_SPECIAL))
    return rf"\&{escaped}" if escaped.startswith(".") else escaped


if __name__ == "__main__":
    MAN.mkdir(exist_ok=True)
    for filename, text in man_pages().items():
        (MAN / filename).write_text(text, "utf-8")
