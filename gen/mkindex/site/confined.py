"""Render the user's templates in Jinja's sandbox, in a process whose memory and time are limited.

A sandbox keeps a template from running code, but not from making a text of ten gigabytes or from looping for hours.
"""

import os
import pickle
import signal
import subprocess
import sys
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from mkindex.errors import TemplateError
from mkindex.text import printable

MEMORY = 2 << 30  # bytes of address space of the process; a page of 900,000 links takes less
SECONDS = 60  # of processor time for each template
_LENGTH = 8  # bytes before each message that say how long it is
_RENDERED, _FAILED = b"r", b"f"  # the first byte of an answer
# -P: without it, Python would import modules of the current directory, which may belong to whoever wrote the templates.
_COMMAND = (sys.executable, "-P", "-c", "from mkindex.site.confined import answer_requests; answer_requests()")


class ConfinedRenderer:
    """Renders templates of these directories in a process of its own, which is started when it is needed."""

    def __init__(self, directories: Sequence[Path]) -> None:
        self._directories = directories
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0  # the process that started it: a fork of ours needs another one

    def render(self, name: str, context: Mapping[str, object]) -> bytes:
        """Render a template. Raises TemplateError, also if the template needs more memory or time than it may."""
        process = self._running()
        assert process.stdin
        assert process.stdout
        answer = b""
        with suppress(BrokenPipeError):
            _send(process.stdin, pickle.dumps((name, context)))
            answer = _receive(process.stdout)
        if not answer:
            raise TemplateError(f"template {printable(name)} {_why_ended(process.wait())}")
        if answer[:1] == _FAILED:
            raise TemplateError(answer[1:].decode("utf-8", "replace"))
        return answer[1:]

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            self._process = subprocess.Popen(_COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
            self._owner = os.getpid()
            weakref.finalize(self, _stop, self._process, self._owner)
            assert self._process.stdin
            _send(self._process.stdin, pickle.dumps((self._directories, MEMORY, SECONDS)))
        return self._process


def _why_ended(status: int) -> str:
    """Say why the process of a template has ended, from its exit status."""
    if status == -getattr(signal, "SIGXCPU", 0):
        return f"takes more than {SECONDS} s of processor time, the limit for templates that are not those of mkindex"
    return f"cannot be rendered: its process has ended with status {status}"


def _stop(process: subprocess.Popen[bytes], owner: int) -> None:
    """End a process; a fork of its owner leaves it alone."""
    if os.getpid() == owner:
        process.kill()
        process.communicate()


def answer_requests() -> None:
    """Render what standard input asks for, until it ends: the main function of the process."""
    from mkindex.site.jinja import Renderer

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for our parent, which ends this process
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    directories, memory, seconds = pickle.loads(_receive(requests))  # noqa: S301 (from our parent)
    renderer = Renderer(directories, sandboxed=True)
    _limit_memory(memory)
    while request := _receive(requests):
        _limit_time(seconds)
        try:
            name, context = pickle.loads(request)  # noqa: S301 (from our parent)
            answer = _RENDERED + renderer.render(name, context)
        except TemplateError as error:
            answer = _FAILED + str(error).encode("utf-8", "replace")
        except MemoryError:
            answer = _FAILED + f"a page needs more than {memory >> 30} GiB of memory to be rendered".encode()
        _send(answers, answer)


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
