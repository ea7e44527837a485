"""Processes of this machine."""

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from mkindex.errors import MkindexError
from mkindex.workers.seam import in_order

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 4  # items for each process


class LocalWorkers:
    """New processes, which are started for the first items."""

    share_environment = True

    def __init__(self, processes: int) -> None:
        self._processes = processes
        # Not forks, because this process may have threads, whose locks would stay locked.
        self._pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _ignore_interrupts)

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Yield the result of `work` for each item, in order."""
        return in_order(lambda item: self._pool.submit(work, item), items, ahead=_AHEAD * self._processes, wait=_result)

    def ask_each(self, question: Callable[[T], R], about: T) -> dict[str, R]:
        """Return {}: they see what this process sees."""
        del question, about
        return {}

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown(cancel_futures=True)


def _ignore_interrupts() -> None:
    # Ctrl-C is sent to all processes of a terminal. The first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _result(future: Future[R]) -> R:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise MkindexError("a worker process was killed (out of memory?): try --jobs 1") from error
