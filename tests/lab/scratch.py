"""A directory in memory for inputs that are read from a file. It is removed when the process ends."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_VARIABLE = "MKINDEX_LAB_SCRATCH"


def scratch() -> Path:
    """Return the directory of this process, or that of the process which started it."""
    return Path(os.environ.get(_VARIABLE) or _own().name)


@contextmanager
def scratch_for_child() -> Iterator[dict[str, str]]:
    """Yield the environment of a child process, whose directory is removed even if it is killed."""
    with _create() as directory:
        yield os.environ | {_VARIABLE: directory}


@cache
def _own() -> tempfile.TemporaryDirectory[str]:
    return _create()


def _create() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="mkindex-lab-", dir="/dev/shm")
