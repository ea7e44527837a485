"""A disk whose power fails: the trees that a journalled file system may leave after each operation of a build.

What was not synced may be lost or kept, each change of a directory by itself and in any order; of bytes, all, half,
none or zeros may be there. A rename is atomic. If the directory of a new name was flushed, the file is there under
that name, but its directory may still be lost.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from support.faulty_disk import KILLED, Fault, FaultyDisk

if TYPE_CHECKING:
    import random
    from collections.abc import Collection, Iterator, Sequence

_NAMES = ("mkdir", "create", "link", "rename", "unlink", "rmdir")  # operations that change a directory


class Operation(NamedTuple):
    """One operation: its kind, and what it needs of the rest."""

    kind: str
    path: str = ""
    source: str = ""  # of a rename, or of a link to a file of the tree
    number: int = 0  # of the file that is created, written or flushed
    data: bytes = b""  # that is written, or of a file elsewhere that is linked


@dataclass
class Tree:
    """The names and bytes of a tree, with mkindex's own directory."""

    directories: set[str] = field(default_factory=set)
    files: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def read(cls, root: Path) -> Tree:
        """Return the tree on disk."""
        paths = [path for path in root.rglob("*") if not path.is_symlink()]
        names = {path: path.relative_to(root).as_posix() for path in paths}
        return cls(
            {name for path, name in names.items() if path.is_dir()},
            {name: path.read_bytes() for path, name in names.items() if path.is_file()},
        )

    def write(self, root: Path) -> None:
        """Make the tree on disk, instead of the one that is there."""
        for directory in sorted(self.directories):
            (root / directory).mkdir(parents=True)
        for name, data in self.files.items():
            (root / name).write_bytes(data)


class RecordingDisk(FaultyDisk):
    """A disk that records what would be lost."""

    def __init__(self, *, fault: Fault = KILLED, at: int = 0) -> None:
        super().__init__(fault=fault, at=at)
        self.log: list[Operation] = []
        self._numbers: dict[int, int] = {}

    def _make(self, path: str) -> None:
        is_new = not self.exists(path)
        super()._make(path)
        if is_new:
            self.log.append(Operation("mkdir", path))

    def create(self, path: str) -> int:
        descriptor = super().create(path)
        self._numbers[descriptor] = len(self.log)
        self.log.append(Operation("create", path, number=len(self.log)))
        return descriptor

    def write(self, descriptor: int, data: bytes | memoryview) -> None:
        super().write(descriptor, data)
        self.log.append(Operation("write", number=self._numbers[descriptor], data=bytes(data)))

    def link(self, source: str, target: str) -> None:
        super().link(source, target)
        self.log.append(Operation("link", target, data=Path(source).read_bytes()))

    def link_again(self, path: str, target: str) -> None:
        super().link_again(path, target)
        self.log.append(Operation("link", target, source=path))

    def replace(self, source: str, target: str) -> None:
        super().replace(source, target)
        self.log.append(Operation("rename", target, source=source))

    def unlink(self, path: str) -> None:
        super().unlink(path)
        self.log.append(Operation("unlink", path))

    def remove_directory(self, path: str) -> None:
        super().remove_directory(path)
        self.log.append(Operation("rmdir", path))

    def flush(self, descriptor: int) -> None:
        super().flush(descriptor)
        self.log.append(Operation("flush", number=self._numbers[descriptor]))

    def flush_directory(self, path: str) -> None:
        super().flush_directory(path)
        self.log.append(Operation("flush_directory", path))

    def sync(self) -> None:
        super().sync()
        self.log.append(Operation("sync"))


def trees_after_a_power_loss(
    before: Tree, log: Sequence[Operation], chance: random.Random, *, tries: int
) -> Iterator[tuple[int, Tree]]:
    """Yield trees that a power loss may leave, each with the number of operations before it.

    After each operation: with all and with none of what was not synced, with one change only, without one, and with
    any of them; `tries` of each kind, and of the bytes a part that takes turns.
    """
    for end in range(len(log) + 1):
        done = log[:end]
        safe = _durable(done)
        unsafe = [at for at, one in enumerate(done) if one.kind in _NAMES and at not in safe]
        picked: list[Collection[int]] = [(), unsafe]
        for _ in range(tries if unsafe else 0):
            one = chance.choice(unsafe)
            picked += [[one], [at for at in unsafe if at != one], [at for at in unsafe if chance.random() < 0.5]]
        for number, kept in enumerate(picked):
            yield end, _replay(before, done, {*safe, *kept}, part=(number + end) % 4)


def _durable(done: Sequence[Operation]) -> set[int]:
    """Return the numbers of the changes of directories that are not lost."""
    safe: set[int] = set()
    for at, one in enumerate(done):
        if one.kind == "sync":
            safe |= set(range(at))
        elif one.kind == "flush_directory":
            safe |= {n for n in range(at) if done[n].kind in _NAMES and os.path.dirname(done[n].path) == one.path}
    for at in sorted(safe, reverse=True):  # what was renamed was there
        wanted = done[at].source
        for n in range(at - 1, -1, -1):
            if wanted and done[n].path == wanted and done[n].kind in ("create", "link", "rename"):
                safe.add(n)
                wanted = done[n].source
    return safe


def _replay(before: Tree, done: Sequence[Operation], kept: Collection[int], *, part: int) -> Tree:
    """Return the tree with these changes of directories. `part`: 0: no bytes at risk, 1: half, 2: zeros, 3: all."""
    directories = set(before.directories)
    files: dict[str, bytes | int] = dict(before.files)  # bytes, or the number of a new file
    for at, (kind, path, source, number, data) in enumerate(done):
        if at not in kept:
            continue
        if kind == "mkdir":
            directories.add(path)
        elif kind == "create":
            files[path] = number
        elif kind == "link" and (source in files or not source):
            files[path] = files[source] if source else data
        elif kind == "rename" and source in files:
            files[path] = files.pop(source)
        elif kind == "unlink":
            files.pop(path, None)
        elif kind == "rmdir" and not any(other.startswith(f"{path}/") for other in (*files, *directories)):
            directories.discard(path)
    there = {one for one in directories if _parents(one) <= directories}
    content = _bytes(done, part)
    return Tree(
        there,
        {
            path: data if isinstance(data, bytes) else content[data]
            for path, data in files.items()
            if _parents(path) <= there
        },
    )


def _parents(path: str) -> set[str]:
    parts = path.split("/")
    return {"/".join(parts[:count]) for count in range(1, len(parts))}


def _bytes(done: Sequence[Operation], part: int) -> dict[int, bytes]:
    """Return the bytes of each new file."""
    safe: dict[int, bytes] = {}
    written: dict[int, bytes] = {}
    for one in done:
        if one.kind == "create":
            safe[one.number] = written[one.number] = b""
        elif one.kind == "write":
            written[one.number] += one.data
        elif one.kind == "flush":
            safe[one.number] = written[one.number]
        elif one.kind == "sync":
            safe = dict(written)
    found = {}
    for number, data in written.items():
        rest = data[len(safe[number]) :]
        found[number] = safe[number] + (b"", rest[: len(rest) // 2], bytes(len(rest)), rest)[part]
    return found
