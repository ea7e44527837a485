"""Commands in a pseudo-terminal, as people run them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class Shown(NamedTuple):
    """What a command showed in a terminal, with its control characters, and its exit status."""

    text: str
    status: int


def in_terminal(*arguments: str, cwd: Path, variables: dict[str, str] | None = None) -> Shown:
    """Run mkindex with standard output and standard error in one terminal, of 100 columns."""
    import pty  # here, since Windows has none

    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    ours, its = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "mkindex", *arguments],
        cwd=cwd,
        env=kept | {"TERM": "xterm", "COLUMNS": "100", **(variables or {})},
        stdin=subprocess.DEVNULL,
        stdout=its,
        stderr=its,
    ) as process:
        os.close(its)
        parts = []
        with contextlib.suppress(OSError):  # Linux: the last writer has closed the terminal
            while part := os.read(ours, 65_536):
                parts.append(part)
        os.close(ours)
        status = process.wait(60)
    return Shown(b"".join(parts).decode("utf-8").replace("\r\n", "\n"), status)
