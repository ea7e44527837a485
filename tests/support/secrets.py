"""Passwords and signatures in tests contain "hunter", and nothing that mkindex writes may contain them."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from mkindex.tree.names import STATE_DIRECTORY

if TYPE_CHECKING:
    from pathlib import Path

# The last three are parts of it in Base64, by its offset.
_SECRET = re.compile(b"hunter|aHVudGVy|h1bnRlc|odW50ZX")


def find_secrets(directory: Path) -> list[str]:
    """The files of published trees and caches below a directory that contain a secret."""
    found, trees = [], list[str]()
    for root, directories, files in os.walk(directory):
        if STATE_DIRECTORY in directories:
            trees.append(f"{root}/")
        for name in files:
            if name.startswith("facts.sqlite3") or f"{root}/".startswith(tuple(trees)):
                with open(f"{root}/{name}", "rb") as file:
                    found += [f"{root}/{name}"] if _SECRET.search(file.read()) else []
    return found


def has_secret(text: str) -> bool:
    """Tell whether an output contains a secret."""
    return bool(_SECRET.search(text.encode()))


def texts_of(error: BaseException | None) -> str:
    """The texts of an error, and of all errors that a traceback shows with it."""
    texts = []
    while error:
        texts += [str(error), repr(error)]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(texts)
