"""The end of a command with an error that nobody foresaw: a bug, which people should be able to report."""

import os
import re
import shlex
import traceback
from collections.abc import Sequence
from pathlib import Path

from mkindex import __version__
from mkindex.text import printable, printable_lines, redact

DEBUG = "MKINDEX_DEBUG"
_PACKAGE = Path(__file__).parents[1]
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]+")
_MAX_TEXT = 500  # characters


def describe_unexpected(error: BaseException, arguments: Sequence[str]) -> str:
    """Return what happened, where, and how to report it; with MKINDEX_DEBUG=1 the whole traceback comes first."""
    trace = "".join(traceback.format_exception(error)) if os.environ.get(DEBUG) else ""
    text = _ADDRESS.sub(lambda match: redact(match[0]), " ".join(str(error).split()))[:_MAX_TEXT]
    command = shlex.join(["mkindex", *map(_without_secrets, arguments)])
    report = f"open an issue with this text and with what this prints: {DEBUG}=1 {command}"
    return printable_lines(
        f"{trace}unexpected {type(error).__name__} in {_place(error)}: {printable(text) or 'no message'}. "
        f"This is a bug in mkindex {__version__}. The next run finishes the job. Please {report}"
    )


def _place(error: BaseException) -> str:
    """Return the last line of mkindex that was running."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
    return f"{Path(ours[-1].filename).relative_to(_PACKAGE)}, line {ours[-1].lineno}" if ours else "unknown code"


def _without_secrets(argument: str) -> str:
    option, equals, value = argument.partition("=") if argument.startswith("-") else ("", "", argument)
    return f"{option}{equals}{redact(value)}"
