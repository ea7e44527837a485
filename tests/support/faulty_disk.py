"""A disk that records its operations, and fails at one step. It replaces the real one in tests."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mkindex.publish.filesystem import Filesystem

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self


class ProcessKilled(BaseException):
    """The writer was killed: it does nothing after that."""


@dataclass(frozen=True)
class Fault:
    """What happens at a step."""

    error: Callable[[str | None], BaseException]
    lasting: bool = False  # every later operation fails, too
    writes_half: bool = False  # half of the bytes are written


def failing(number: int) -> Callable[[str | None], OSError]:
    """Return what makes an error of the system."""
    return lambda path: OSError(number, os.strerror(number), path)


KILLED = Fault(lambda _: ProcessKilled(), lasting=True)
KILLED_IN_A_WRITE = Fault(lambda _: ProcessKilled(), lasting=True, writes_half=True)
INTERRUPTED = Fault(lambda _: KeyboardInterrupt(), writes_half=True)
FULL_ONCE, FULL = (Fault(failing(errno.ENOSPC), lasting=lasting, writes_half=True) for lasting in (False, True))
BROKEN_ONCE, BROKEN = (Fault(failing(errno.EIO), lasting=lasting) for lasting in (False, True))


class FaultyDisk(Filesystem):
    """A disk that records its operations, and fails at step number `at`, if any. It never syncs."""

    def __init__(self, root: str = "", *, fault: Fault = KILLED, at: int = 0) -> None:
        super().__init__(root)
        self.fault, self.fails_at = fault, at
        self.operations: list[tuple[str, ...]] = []
        self._names: dict[int, str] = {}

    def mount(self, root: str) -> Self:
        """Become the disk of another tree."""
        self.path = root
        self.forget()
        return self

    def _step(self, operation: str, *paths: str, named: bool = True) -> None:
        self.operations.append((operation, *paths))
        if self.fails_at and (
            len(self.operations) == self.fails_at or (len(self.operations) > self.fails_at and self.fault.lasting)
        ):
            raise self.fault.error(self.at(paths[-1]) if named else None)

    def make_directory(self, path: str) -> None:
        self._step("make_directory", path)
        super().make_directory(path)

    def create(self, path: str) -> int:
        self._step("create", path)
        descriptor = super().create(path)
        self._names[descriptor] = path
        return descriptor

    def write(self, descriptor: int, data: bytes | memoryview) -> None:
        if self.fault.writes_half and len(self.operations) + 1 == self.fails_at:
            super().write(descriptor, data[: len(data) // 2])
        self._step("write", self._names[descriptor], named=False)
        super().write(descriptor, data)

    def clone(self, source: int, target: int) -> bool:
        return False

    def link(self, source: str, target: str) -> None:
        self._step("link", source, target)
        super().link(source, target)

    def replace(self, source: str, target: str) -> None:
        self._step("replace", source, target)
        super().replace(source, target)

    def unlink(self, path: str) -> None:
        self._step("unlink", path)
        super().unlink(path)

    def remove_directory(self, path: str) -> None:
        self._step("remove_directory", path)
        super().remove_directory(path)

    def flush(self, descriptor: int) -> None:
        self._step("flush", self._names[descriptor], named=False)

    def flush_directory(self, path: str) -> None:
        self._step("flush_directory", path)

    def link_again(self, path: str, target: str) -> None:
        self._step("link", path, target)
        super().link_again(path, target)

    def sync(self) -> None:
        self._step("sync", "")
