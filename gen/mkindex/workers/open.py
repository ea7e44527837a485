"""The processes of --engine, which a build without changes does not need."""

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TypeVar

from mkindex.workers.seam import Workers

T = TypeVar("T")
R = TypeVar("R")


class NewWorkers:
    """The workers of a Dask cluster, or without one some processes of this machine. They start for the first work."""

    def __init__(self, cluster: str | None, processes: int, *, timeout: float) -> None:
        self._cluster = cluster
        self._processes = processes
        self._timeout = timeout
        self.share_environment = cluster is None

    @cached_property
    def _opened(self) -> Workers:
        if self._cluster is None:
            from mkindex.workers.local import LocalWorkers

            return LocalWorkers(self._processes)
        from mkindex.workers.dask import DaskWorkers

        return DaskWorkers(self._cluster, timeout=self._timeout)

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Yield the result of `work` for each item, in order."""
        return self._opened.map(work, items)

    def ask_each(self, question: Callable[[T], R], about: T) -> dict[str, R]:
        """Return what each worker answers now."""
        return self._opened.ask_each(question, about)

    def close(self) -> None:
        """End or leave them, if they were needed."""
        if "_opened" in self.__dict__:
            self._opened.close()
