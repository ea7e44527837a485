"""Render the user's templates in Jinja's sandbox, in a process whose memory and time are limited.

A sandbox keeps a template from running code, but not from making a text of ten gigabytes or from looping for hours.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from mkindex.errors import TemplateError
from mkindex.site import limited
from mkindex.site.limited import LimitedProcess, Limits, ProcessEnded
from mkindex.text import printable

SECONDS = 60  # of processor time for each template
_RENDERED, _FAILED = b"r", b"f"  # the first byte of an answer
_COMMAND = limited.command("mkindex.site.confined.answer_requests")


class ConfinedRenderer:
    """Renders templates of these directories in a process of its own, which is started when it is needed."""

    def __init__(self, directories: Sequence[Path]) -> None:
        self._directories = directories

    def render(self, name: str, context: Mapping[str, object]) -> bytes:
        """Render a template. Raises TemplateError, also if the template needs more memory or time than it may."""
        try:
            answer = self._process.ask((name, context))
        except ProcessEnded as error:
            reason = f"cannot be rendered: {error}"
            if error.took_too_long:
                limit = "the limit for templates that are not those of mkindex"
                reason = f"takes more than {SECONDS} s of processor time, {limit}"
            raise TemplateError(f"template {printable(name)} {reason}") from error
        if answer[:1] == _FAILED:
            raise TemplateError(answer[1:].decode("utf-8", "replace"))
        return answer[1:]

    @cached_property
    def _process(self) -> LimitedProcess:
        return LimitedProcess(_COMMAND, self._directories, Limits(seconds=SECONDS))


def answer_requests() -> None:
    """Render what standard input asks for, until it ends: the main function of the process."""
    limited.answer_requests(_prepare)


def _prepare(directories: Sequence[Path]) -> Callable[[tuple[str, Mapping[str, Any]]], bytes]:
    from mkindex.site.jinja import Renderer

    renderer = Renderer(directories, sandboxed=True)

    def answer(request: tuple[str, Mapping[str, Any]]) -> bytes:
        try:
            return _RENDERED + renderer.render(*request)
        except TemplateError as error:
            return _FAILED + str(error).encode("utf-8", "replace")
        except MemoryError:
            return _FAILED + f"a page needs more than {limited.MEMORY >> 30} GiB of memory to be rendered".encode()

    return answer
