"""Many changes of a directory in a short time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from support.wheels import wheel

if TYPE_CHECKING:
    import random
    from pathlib import Path


class Storm:
    """Random operations on a directory, one after another."""

    def __init__(self, root: Path, chance: random.Random) -> None:
        self._root = root
        self._random = chance
        self._there: dict[Path, bytes] = {path: path.read_bytes() for path in root.iterdir()}  # the bytes it is to have
        self._copying: tuple[Path, int] | None = None  # and how many bytes of it are written
        self._made = 0

    def step(self) -> None:
        self._made += 1
        name = f"{self._random.choice(('demo', 'other', 'third'))}-{self._random.randrange(30)}.0-py3-none-any.whl"
        match self._random.choice(("create", "rename in", "rename over", "delete", "copy", "copy", "copy", "mkdir")):
            case "create":
                self._write(self._root / name)
            case "rename in" | "rename over":
                self._write(self._root / ".new", name)
                (self._root / ".new").rename(self._root / name)
                self._there[self._root / name] = self._there.pop(self._root / ".new")
            case "delete" if self._there:
                path = self._random.choice(list(self._there))
                path.unlink()
                del self._there[path]
            case "copy":
                self._copy(self._root / f"slow-{self._made}.0-py3-none-any.whl")
            case "mkdir":
                (self._root / f"d{self._made}/e/f").mkdir(parents=True)
                self._write(self._root / f"d{self._made}/e/f/deep-{self._made}-py3-none-any.whl")

    def end(self) -> None:
        while self._copying:
            self._copy(self._root)

    def _bytes(self, name: str) -> bytes:
        project, version, *_ = name.split("-")
        return wheel(project, version, files={f"{project}.py": b"%d" % self._made, "data": os.urandom(100_000)})

    def _write(self, path: Path, name: str = "") -> None:
        self._there[path] = self._bytes(name or path.name)
        path.write_bytes(self._there[path])

    def _copy(self, path: Path) -> None:
        """Write the next part of the file that is being copied, or the first of another."""
        if self._copying is None:
            self._there[path] = self._bytes(path.name)
        path, start = self._copying or (path, 0)
        self._copying = None
        if path in self._there:
            with path.open("ab") as file:
                file.write(self._there[path][start : start + (1 << 16)])
            if start + (1 << 16) < len(self._there[path]):
                self._copying = path, start + (1 << 16)
