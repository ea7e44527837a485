"""Running the command line in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mkindex import cli

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


WHEEL = "demo-1.0-py3-none-any.whl"


class Run:
    """A run of the command, with its exit status and output."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        capsys.readouterr()
        self.status = cli.run([*arguments])
        self.out, self.err = capsys.readouterr()


def snapshot(root: Path) -> dict[str, tuple[object, ...]]:
    """Return every path below `root`, with inode, modification time and bytes of files."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        file = (status.st_ino, status.st_mtime_ns, path.read_bytes()) if path.is_file() else ()
        found[str(path.relative_to(root))] = status.st_mode, *file
    return found
