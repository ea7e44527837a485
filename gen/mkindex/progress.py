"""Reports of how much of a long piece of work is done, for people who wait for it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext

from mkindex.errors import nothing

# Called with the number of steps that are done since the last call. May be called by any thread.
Advance = Callable[[int], object]
# Called before the work, with a verb such as "reading" and the number of steps: bytes, or projects that are checked.
Progress = Callable[[str, int], AbstractContextManager[Advance]]


def no_progress(activity: str, total: int) -> AbstractContextManager[Advance]:
    """Report nothing."""
    del activity, total
    return nullcontext(nothing)


def counted(parts: Iterable[bytes], advance: Advance) -> Iterator[bytes]:
    """Yield the parts of a file, and report each once the next one is wanted."""
    for part in parts:
        yield part
        advance(len(part))
