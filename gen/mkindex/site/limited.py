"""A process whose memory and time are limited, for work on untrusted input."""

import os
import pickle
import signal
import subprocess
import sys
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO, Any, NamedTuple

MEMORY = 2 << 30  # bytes of address space of the process; a page of 900,000 links takes less
_LENGTH = 8  # bytes before each message that say how long it is


class Limits(NamedTuple):
    """What a process may use."""

    seconds: int  # of processor time for each request
    memory: int = MEMORY  # bytes


class ProcessEnded(Exception):
    """The process ended before it answered a request. The next request starts another one."""

    def __init__(self, status: int) -> None:
        super().__init__(f"its process has ended with status {status}")
        self.took_too_long = status == -getattr(signal, "SIGXCPU", 0)


def command(function: str) -> tuple[str, ...]:
    """Return the command that runs a function, given as module and name: one that calls `answer_requests()`."""
    module, _, name = function.rpartition(".")
    # -P: without it, Python would import modules of the current directory, which may belong to a stranger.
    return (sys.executable, "-P", "-c", f"from {module} import {name}; {name}()")


class LimitedProcess:
    """A process that answers requests, started when it is needed. `setup` is what `answer_requests()` is given."""

    def __init__(self, command: Sequence[str], setup: object, limits: Limits) -> None:
        self._command = command
        self._start = pickle.dumps((setup, limits))
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0  # the process that started it: a fork of ours needs another one

    def ask(self, request: object) -> bytes:
        """Return the answer to a request. Raises ProcessEnded."""
        process = self._running()
        assert process.stdin
        assert process.stdout
        answer = b""
        with suppress(BrokenPipeError):
            _send(process.stdin, pickle.dumps(request))
            answer = _receive(process.stdout)
        if not answer:
            raise ProcessEnded(process.wait())
        return answer

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
            )
            self._owner = os.getpid()
            weakref.finalize(self, _stop, self._process, self._owner)
            assert self._process.stdin
            with suppress(BrokenPipeError):  # it has ended already, which the request finds, too
                _send(self._process.stdin, self._start)
        return self._process


def _stop(process: subprocess.Popen[bytes], owner: int) -> None:
    """End a process; a fork of its owner leaves it alone."""
    if os.getpid() == owner:
        process.kill()
        process.communicate()


def answer_requests(prepare: Callable[[Any], Callable[[Any], bytes]]) -> None:
    """Answer the requests on standard input until it ends: the main function of the process.

    `prepare` is called with the setup, and returns the function that answers a request with at least one byte.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for our parent, which ends this process
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    setup, limits = pickle.loads(_receive(requests))  # noqa: S301 (from our parent)
    answer = prepare(setup)
    _limit_memory(limits.memory)
    while request := _receive(requests):
        _limit_time(limits.seconds)
        _send(answers, answer(pickle.loads(request)))  # noqa: S301 (from our parent)


def _limit_memory(size: int) -> None:
    with suppress(ImportError):  # Windows
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (size, size))


def _limit_time(seconds: int) -> None:
    with suppress(ImportError):  # Windows
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        _, most = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds, most))


def _send(stream: IO[bytes], message: bytes) -> None:
    stream.write(len(message).to_bytes(_LENGTH) + message)
    stream.flush()


def _receive(stream: IO[bytes]) -> bytes:
    """Return the next message; b"" if the other process has ended."""
    length = stream.read(_LENGTH)
    message = stream.read(int.from_bytes(length)) if len(length) == _LENGTH else b""
    return message if len(message) == int.from_bytes(length) else b""
