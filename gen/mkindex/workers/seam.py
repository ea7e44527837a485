"""What examines files by other processes needs of them, and the results of their work in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Workers(Protocol):
    """Processes that share the directories of this one at the same paths, unless `ask_each` shows that they do not.

    Work is a function of a module, and what it is given can be pickled. All methods raise MkindexError if the processes
    cannot be used, or cannot be used any longer.
    """

    @property
    def share_environment(self) -> bool:
        """Whether they run on this machine, for this user, with this environment."""

    def close(self) -> None:
        """End the processes, or leave them."""

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Yield the result of `work` for each item, in order. What it raises is raised here."""

    def ask_each(self, question: Callable[[T], R], about: T) -> dict[str, R]:
        """Return what each process answers now, by its name; {} if all would answer as this one."""


def in_order(
    submit: Callable[[T], Future[R]], items: Iterable[T], *, ahead: int, wait: Callable[[Future[R]], R]
) -> Iterator[R]:
    """Yield the result of each item in their order, with up to `ahead` items submitted. `wait` returns one result."""
    waiting: deque[Future[R]] = deque()
    try:
        for item in items:
            waiting.append(submit(item))
            if len(waiting) >= ahead:
                yield wait(waiting.popleft())
        while waiting:
            yield wait(waiting.popleft())
    finally:
        for future in waiting:
            future.cancel()
