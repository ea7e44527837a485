"""Run the commands that README shows, so that it stays true.

A command that cannot run here (it needs a network, a path outside the working directory, or never ends) has its options
parsed instead. No command is left out.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from support.wheels import write_wheel

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"

_BLOCK = re.compile(r"^```(?:console|sh|shell|bash)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROMPT = re.compile(r"(?:\$ )?mkindex(?: |$)")
_SUMMARY = re.compile(r"\d+ projects?, \d+ files?(?:, [\d.]+ [kMG]?B)?")
_ENDLESS = {"serve", "--serve", "--watch"}
_ONLY_PRINTS = {"host", "--help", "--version"}  # these commands open no address and no path


class Shown(NamedTuple):
    """A command as README shows it, with the output below it."""

    line: int
    command: str
    output: str

    @property
    def arguments(self) -> list[str]:
        """The arguments of mkindex: redirections and pipes of the shell are cut off."""
        lexer = shlex.shlex(self.command, posix=True, punctuation_chars="|&<>;")
        lexer.whitespace_split = True
        words = list(lexer)
        end = next((at for at, word in enumerate(words) if set(word) <= set("|&<>;")), len(words))
        return words[1:end]


def shown_commands(text: str) -> list[Shown]:
    """Return every mkindex command in the fenced blocks of a Markdown text."""
    found = []
    for block in _BLOCK.finditer(text):
        start = text.count("\n", 0, block.start(1)) + 1
        lines = block[1].splitlines()
        has_prompts = any(line.startswith("$ ") for line in lines)
        at = 0
        while at < len(lines):
            first, command = at, lines[at]
            while command.endswith("\\") and at + 1 < len(lines):
                at += 1
                command = command[:-1] + lines[at].strip()
            at += 1
            if not _PROMPT.match(command) or (has_prompts and not command.startswith("$ ")):
                continue
            below = at
            while below < len(lines) and not (lines[below].startswith("$ ") or not has_prompts):
                below += 1
            found.append(Shown(start + first, command.removeprefix("$ "), "\n".join(lines[at:below])))
    return found


def why_not_run(arguments: list[str]) -> str:
    """Return why a command cannot run in a test, or an empty string if it can."""
    if _ENDLESS & set(arguments):
        return "it does not end by itself"
    if arguments and _ONLY_PRINTS & {arguments[0], arguments[-1]}:
        return ""
    if any(re.search(r"^\w+://(?!localhost)", argument) for argument in arguments):
        return "it needs a network"
    if "uv.lock" in arguments:
        return "it needs the lock of an application, whose files are on a network"
    if any(argument.startswith(("/", "~")) for argument in arguments):
        return "it needs a directory of the machine"
    return ""


def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkindex", *arguments],
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def parse_only(directory: Path, arguments: list[str]) -> str:
    """Let mkindex parse the arguments and print its help; return the error, if any."""
    done = run(directory, *arguments, "--help")
    return "" if done.returncode == 0 and done.stdout.startswith("Usage: ") else done.stdout + done.stderr


COMMANDS = shown_commands(README.read_text())


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory as README assumes it: wheels in ./wheels, their index in ./public, a new one in ./dist."""
    directory = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "examples/wheels", directory / "wheels")
    assert run(directory, "./wheels", "./public").returncode == 0
    (directory / "dist").mkdir()
    write_wheel(directory / "dist", "demo", "3.0")
    return directory


def test_readme_shows_commands_of_both_kinds() -> None:
    reasons = [bool(why_not_run(shown.arguments)) for shown in COMMANDS]
    assert len(reasons) >= 5
    assert {True, False} == set(reasons)


@pytest.mark.slow
@pytest.mark.parametrize("shown", COMMANDS, ids=[f"line {shown.line}: {shown.command}" for shown in COMMANDS])
def test_a_command_of_readme_works(shown: Shown, example: Path, tmp_path: Path) -> None:
    directory = tmp_path / "here"
    shutil.copytree(example, directory)
    if why_not_run(shown.arguments):
        assert parse_only(directory, shown.arguments) == ""
        return
    done = run(directory, *shown.arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stdout + done.stderr
    if promised := _SUMMARY.search(shown.output):
        printed = done.stdout + done.stderr
        assert promised[0] in printed, f"README shows {promised[0]!r}, mkindex prints {printed}"


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "mkindex ./wheels ./public --wacth",
        "mkindex check https://host/simple/ --why",
        "mkindex ./wheels ./public --for x",
    ],
)
def test_a_command_that_mkindex_would_refuse_is_noticed(command: str, example: Path) -> None:
    (shown,) = shown_commands(f"```console\n$ {command}\n```\n")
    refused = parse_only(example, shown.arguments) or run(example, *shown.arguments).returncode
    assert refused


def test_commands_are_found_with_their_output_and_without_redirections() -> None:
    console = "```console\n$ mkindex client URL \\\n    --for uv >> pyproject.toml\nmkindex: note\n$ ls\n```\n"
    found = shown_commands(f"text\n{console}```sh\nmkindex a b\n```\n")
    assert [(shown.line, shown.arguments, shown.output) for shown in found] == [
        (3, ["client", "URL", "--for", "uv"], "mkindex: note"),
        (9, ["a", "b"], ""),
    ]
