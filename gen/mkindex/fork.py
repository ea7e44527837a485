"""Work in other processes. Work on tiny files holds the interpreter's lock: threads would only take turns at it."""

import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Generic, NoReturn, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_WORTH_IT = 1000  # items: below that a process costs more than it saves
_AT_ONCE = 5_000  # items whose results are held together
_PIECES = 16  # for each process; all of their numbers fit a byte


class Forked(Generic[R]):
    """A call that goes on in a copy of this process: it sees all values as they are now, and returns its result."""

    def __init__(self, call: Callable[[], R]) -> None:
        self._reading, writing = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._reading)
            _answer(call, writing)
        os.close(writing)

    def result(self) -> R:
        """Wait for the result. Raises what the call raised; ChildProcessError when the process died."""
        with open(self._reading, "rb") as pipe:
            data = pipe.read()
        os.waitpid(self._pid, 0)
        if not data:
            raise ChildProcessError("a process that mkindex had started was killed")
        done, value = pickle.loads(data)  # noqa: S301 (from a copy of ourselves, through a pipe that nobody else has)
        if not done:
            raise value
        result: R = value
        return result

    def stop(self) -> None:
        """End the process, and wait until it has ended."""
        with suppress(OSError):
            os.close(self._reading)
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)


def _answer(call: Callable[[], R], writing: int) -> NoReturn:
    """Write what a call returns or raises to a pipe, and end the process without what it inherited to do at its end."""
    try:
        try:
            answer = pickle.dumps((True, call()))
        except BaseException as error:
            answer = pickle.dumps((False, error))
        with open(writing, "wb") as pipe:
            pipe.write(answer)
    finally:
        os._exit(0)


def possible() -> bool:
    """Tell whether this process can be copied: a copy has only one thread, and locks that others held stay locked."""
    return hasattr(os, "fork") and threading.active_count() == 1


def split(work: Callable[[Sequence[T]], list[R]], items: Sequence[T], *, processes: int) -> Iterator[R]:
    """Yield the results of `work(items)`, done in as many processes as are worth it, some thousand items at a time."""
    is_shared = processes > 1 and len(items) >= _WORTH_IT and possible()
    for start in range(0, len(items), _AT_ONCE):
        some = items[start : start + _AT_ONCE]
        yield from _shared(work, some, processes) if is_shared else work(some)


def _shared(work: Callable[[Sequence[T]], list[R]], items: Sequence[T], processes: int) -> Iterator[R]:
    """Yield the results of `work(items)`; who is done with a piece takes the next, whose number is in a pipe."""
    size = -(-len(items) // min(processes * _PIECES, 256))
    reading, writing = os.pipe()
    os.write(writing, bytes(range(-(-len(items) // size))))
    os.close(writing)

    def share() -> dict[int, list[R]]:
        results = {}
        while taken := os.read(reading, 1):
            results[taken[0]] = work(items[taken[0] * size : (taken[0] + 1) * size])
        return results

    others: list[Forked[dict[int, list[R]]]] = []
    try:
        others += (Forked(share) for _ in range(processes - 1))
        results = share()
        while others:
            results |= others[0].result()
            del others[0]
    except BaseException:
        for other in others:
            other.stop()
        raise
    finally:
        os.close(reading)
    for number in range(len(results)):
        yield from results.pop(number)
