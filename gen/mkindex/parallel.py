"""Work in other processes. Work on tiny files holds the interpreter's lock: threads would only take turns at it."""

import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Generic, NoReturn, TypeVar

from mkindex.errors import MkindexError

T = TypeVar("T")
R = TypeVar("R")

_WORTH_IT = 1000  # items: below that a process costs more than it saves
_AT_ONCE = 5_000  # items whose results are held together
_PIECES = 16  # for each process
_MOST_PIECES = 256  # each has a byte for a number

# What ends a process, and is to wait for a moment.
_ENDING = (signal.SIGINT, signal.SIGTERM)


class ForkedCall(Generic[R]):
    """A call that goes on in a copy of this process: it sees all values as they are now, and returns its result."""

    def __init__(self, call: Callable[[], R]) -> None:
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
        self._pipe = open(reading, "rb")  # noqa: SIM115 (until the process has ended)

    def result(self) -> R:
        """Wait for the result. Raises what the call raised; MkindexError when the process was killed."""
        data = self._pipe.read()
        self.stop()
        if not data:
            raise MkindexError(
                "a process that helped was killed: see whether there is enough memory, or let one do it all (--jobs 1)"
            )
        done, value = pickle.loads(data)  # noqa: S301 (from a copy of ourselves, through a pipe that nobody else has)
        if not done:
            raise value
        result: R = value
        return result

    def stop(self) -> None:
        """End the process, if it has not ended, and wait until it has."""
        self._pipe.close()
        if self._pid:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
            self._pid = 0


def _answer(call: Callable[[], R], writing: int) -> NoReturn:
    """Write what a call returns or raises to a pipe, and end the process without what it inherited to do at its end."""
    try:
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
            answer = pickle.dumps((True, call()))
        except BaseException as error:
            answer = pickle.dumps((False, error))
        with open(writing, "wb") as pipe:
            pipe.write(answer)
    finally:
        os._exit(0)


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait until who forks knows of the other process, which could not be ended before."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def can_fork() -> bool:
    """Tell whether this process can be copied: a copy has only one thread, and locks that others held stay locked."""
    return hasattr(os, "fork") and threading.active_count() == 1


def map_chunks(work: Callable[[Sequence[T]], list[R]], items: Sequence[T], *, processes: int) -> Iterator[R]:
    """Yield the results of `work(items)`, done in as many processes as are worth it, some thousand items at a time."""
    parts = -(-len(items) // _AT_ONCE)
    for number in range(parts):
        some = _part(items, number, parts)
        is_shared = processes > 1 and len(some) >= _WORTH_IT and can_fork()
        yield from _shared(work, some, processes) if is_shared else work(some)


def _part(items: Sequence[T], number: int, parts: int) -> Sequence[T]:
    """Return one of so many parts of about the same size."""
    return items[len(items) * number // parts : len(items) * (number + 1) // parts]


def _shared(work: Callable[[Sequence[T]], list[R]], items: Sequence[T], processes: int) -> Iterator[R]:
    """Yield the results of `work(items)`; who is done with a piece takes the next, whose number is in a pipe."""
    pieces = min(processes * _PIECES, _MOST_PIECES, len(items))
    first = os.getpid()
    reading, writing = os.pipe()
    os.write(writing, bytes(range(pieces)))
    os.close(writing)

    def share() -> dict[int, list[R]]:
        results = {}
        try:
            # Nobody needs what a process does when the first one has been killed.
            while first in (os.getpid(), os.getppid()) and (taken := os.read(reading, 1)):
                results[taken[0]] = work(_part(items, taken[0], pieces))
        except BaseException:
            os.read(reading, pieces)  # the others need not go on
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
