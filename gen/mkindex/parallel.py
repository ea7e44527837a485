"""Run the same work on many items: in processes, if it holds the interpreter lock, or in threads that wait for servers.

Threads would not help to read small files.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from mkindex.errors import MkindexError

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future
else:
    Executor = object

T = TypeVar("T")
R = TypeVar("R")

_MIN_ITEMS = 1000  # for fewer items, a process costs more than it saves
_BATCH = 5_000  # items whose results are in memory at the same time
_PIECES = 16  # for each process
_MAX_PIECES = 256  # the number of a piece is one byte
_PULLERS = 50  # calls that take items at the same time, if the executor has as many threads

_END_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Threads(Executor):
    """A pool of threads that is made when it is first used. Most builds need none, and importing it takes 5 ms."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._pool: Executor | None = None
        self._making = threading.Lock()

    def submit(self, call: Callable[..., R], /, *arguments: Any, **keywords: Any) -> "Future[R]":  # noqa: ANN401
        return self._made().submit(call, *arguments, **keywords)

    def map(
        self, call: Callable[..., R], *items: Iterable[Any], timeout: float | None = None, chunksize: int = 1
    ) -> Iterator[R]:
        return self._made().map(call, *items, timeout=timeout, chunksize=chunksize)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        if self._pool:
            self._pool.shutdown(wait, cancel_futures=cancel_futures)

    def _made(self) -> "Executor":
        from concurrent.futures import ThreadPoolExecutor

        with self._making:
            self._pool = self._pool or ThreadPoolExecutor(self._most)
        return self._pool


class ForkedCall(Generic[R]):
    """A call that runs in a fork of this process, with the current values."""

    def __init__(self, call: Callable[[], R]) -> None:
        import pickle  # noqa: F401 (for both processes; here, since most builds start none)

        reading, writing = os.pipe()
        try:
            self._pid = os.fork()
        except OSError:
            os.close(reading)
            os.close(writing)
            raise
        if self._pid == 0:
            os.close(reading)
            _answer(call, writing)
        os.close(writing)
        self._pipe = open(reading, "rb")  # noqa: SIM115 (closed by stop)

    def result(self) -> R:
        """Wait for the result. Raises what the call raised, and MkindexError if the process was killed."""
        data = self._pipe.read()
        self.stop()
        if not data:
            raise MkindexError("a worker process was killed (out of memory?): try --jobs 1")
        import pickle

        is_returned, value = pickle.loads(data)  # noqa: S301 (written by the copy of this process)
        if not is_returned:
            raise value
        result: R = value
        return result

    def stop(self) -> None:
        """End the process if it is running, and wait for its end."""
        self._pipe.close()
        if self._pid:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
            self._pid = 0


def _answer(call: Callable[[], R], writing: int) -> NoReturn:
    """Write what a call returns or raises to a pipe, and end the process without its inherited exit handlers."""
    import pickle

    try:
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _END_SIGNALS)
            answer = pickle.dumps((True, call()))
        except BaseException as error:
            answer = pickle.dumps((False, error))
        with open(writing, "wb") as pipe:
            pipe.write(answer)
    finally:
        os._exit(0)


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Hold SIGINT and SIGTERM back until the id of a new process is recorded, so that it can be ended."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _END_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def can_fork() -> bool:
    """Tell whether this process can be forked: not with other threads, whose locks would stay locked."""
    return hasattr(os, "fork") and threading.active_count() == 1


def map_chunks(
    work: Callable[[Sequence[T]], list[R]], items: Sequence[T], *, processes: int, weight: int = 1
) -> Iterator[R]:
    """Yield the results of `work(items)`, in order. Many items are shared by processes, some thousand at a time.

    `weight`: how many small files take as long as one item.
    """
    parts = -(-len(items) // _BATCH)
    for number in range(parts):
        batch = _part(items, number, parts)
        is_shared = processes > 1 and len(batch) * weight >= _MIN_ITEMS and can_fork()
        yield from _map_shared(work, batch, processes) if is_shared else work(batch)


def _part(items: Sequence[T], number: int, parts: int) -> Sequence[T]:
    """Return the part of that number when items are divided into `parts` of about the same size."""
    return items[len(items) * number // parts : len(items) * (number + 1) // parts]


def _map_shared(work: Callable[[Sequence[T]], list[R]], items: Sequence[T], processes: int) -> Iterator[R]:
    """Yield the results of `work(items)`. Each process takes the number of its next piece from a pipe."""
    pieces = min(processes * _PIECES, _MAX_PIECES, len(items))
    first = os.getpid()
    reading, writing = os.pipe()
    os.write(writing, bytes(range(pieces)))
    os.close(writing)

    def share() -> dict[int, list[R]]:
        results = {}
        try:
            # If the first process was killed, the results of the others are useless.
            while first in (os.getpid(), os.getppid()) and (number := os.read(reading, 1)):
                results[number[0]] = work(_part(items, number[0], pieces))
        except BaseException:
            os.read(reading, pieces)  # stops the other processes after their current pieces
            raise
        return results

    others: list[ForkedCall[dict[int, list[R]]]] = []
    try:
        with signals_blocked():
            others += (ForkedCall(share) for _ in range(min(processes, pieces) - 1))
        results = share()
        for other in others:
            results |= other.result()
    finally:
        os.close(reading)
        for other in others:
            other.stop()
    for number in range(pieces):
        yield from results.pop(number)


def map_pulled(executor: "Executor", work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Return the results of `work(item)`, in order. Threads take one item after the other.

    With a Future for each item, this thread would wake up for each, which takes as long as a request. Raises what the
    first item that fails raises; work that is in progress on later ones is not awaited.
    """
    from collections import deque
    from concurrent.futures import as_completed

    waiting = deque(enumerate(items))
    results: dict[int, R] = {}
    failures: dict[int, BaseException] = {}

    def pull() -> None:
        with suppress(IndexError):
            while True:
                number, item = waiting.popleft()
                try:
                    results[number] = work(item)
                except BaseException as error:
                    failures[number] = error
                    waiting.clear()

    pulling = [executor.submit(pull) for _ in range(min(len(items), _PULLERS))]
    try:
        for _ in as_completed(pulling):
            if failures and all(number in results for number in range(min(failures))):
                raise failures[min(failures)]
    finally:
        waiting.clear()
    return [results[number] for number in range(len(items))]
