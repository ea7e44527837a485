"""Work in processes of its own, forked from this one: they can really be killed."""

from __future__ import annotations

import multiprocessing
import os
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.process import BaseProcess
    from multiprocessing.queues import SimpleQueue

FORK = multiprocessing.get_context("fork")


class Tally:
    """What several processes count and find."""

    def __init__(self) -> None:
        self._count = FORK.Value("q", 0)
        self._found: SimpleQueue[str] = FORK.SimpleQueue()

    def add(self, count: int) -> None:
        with self._count.get_lock():
            self._count.value += count

    def report(self, violation: str) -> None:
        self._found.put(violation)

    def take(self) -> tuple[int, list[str]]:
        """Return what was counted and found since the last call."""
        with self._count.get_lock():
            count, self._count.value = self._count.value, 0
        found = []
        while not self._found.empty():
            found.append(self._found.get())
        return count, found


def start(work: Callable[[], object], tally: Tally) -> BaseProcess:
    """Do some work in another process; an error is reported."""

    def run() -> None:
        try:
            work()
        except BaseException:
            tally.report(traceback.format_exc())
            os._exit(1)
        os._exit(0)  # nothing of the parent is cleaned up twice

    process = FORK.Process(target=run, daemon=True)
    process.start()
    return process


@contextmanager
def repeated(work: Callable[[], object], tally: Tally, *, processes: int = 1) -> Iterator[None]:
    """Do some work again and again in other processes, until the context ends."""

    parent = os.getpid()

    def forever() -> None:
        while os.getppid() == parent:  # it may be killed
            work()

    running = [start(forever, tally) for _ in range(processes)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.join()
