"""Examine links by workers on other machines.

They get addresses, and what pages say of files, but no credentials: they find those in their own environment.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import lru_cache
from secrets import token_hex
from threading import Lock
from typing import Any, NamedTuple, TypeVar

from mkindex.cache import Cache
from mkindex.errors import Note, SourceError, nothing
from mkindex.examine.files_elsewhere import sees_tree
from mkindex.examine.links import Advance, CheckedLink, LinkWork, recall_row
from mkindex.examine.local import WrittenTree
from mkindex.model.files import CHUNK, Link
from mkindex.web.client import WebClient
from mkindex.web.mounts import FileServer
from mkindex.web.settings import WebSettings
from mkindex.workers.seam import Workers

T = TypeVar("T")
R = TypeVar("R")

_MOST_LINKS, _MOST_BYTES = 50, 64 * CHUNK  # of one batch
_THREADS = 16  # that wait for servers, in each batch

_Row = tuple[str, str]  # validator, text


class LinkWorkers:
    """Workers that examine links. `announce` is called if they do not see the tree."""

    def __init__(self, workers: Workers, announce: Callable[[Note], object]) -> None:
        self._workers = workers
        self._announce = announce
        self._build = token_hex(8)

    def sees(self, tree: WrittenTree) -> bool:
        """Tell whether all workers can write to a tree."""
        return sees_tree(self._workers, tree, self._announce, "files are downloaded by this machine")

    def map(
        self, step: Callable[[T, LinkWork, Advance], R], items: Sequence[T], work: LinkWork, advance: Advance
    ) -> Iterator[R]:
        """Yield the results of a step of the work, in order."""
        if not items:
            return
        options = _Options(
            self._build,
            work.web.settings(),
            work.max_download,
            allow_unhashed=work.allow_unhashed,
            keep_going=work.keep_going,
            dry_run=work.dry_run,
        )
        tasks = (_task(step, batch, options, work) for batch in _batches(items))
        for done in self._workers.map(_perform, tasks):
            advance(done.read)
            for key, (validator, text) in done.learned.items():
                work.cache.remember(key, validator, text)
            yield from done.results


class _Options(NamedTuple):
    """What all batches of a build have in common."""

    build: str  # differs for each, since credentials may change
    web: WebSettings
    max_download: int
    allow_unhashed: bool
    keep_going: bool
    dry_run: bool


class _Task(NamedTuple):
    """A batch of links, for a worker."""

    step: Callable[[Any, LinkWork, Advance], Any]
    items: list[Any]
    options: _Options
    mounts: dict[str, FileServer]
    known: dict[str, _Row]  # facts of earlier runs


class _Done(NamedTuple):
    """The answer of a worker."""

    results: list[Any]
    read: int  # bytes
    learned: Mapping[str, _Row]  # facts to remember


class _CarriedFacts:
    """The facts that a batch needs, and those that it finds. Several threads use it."""

    def __init__(self, known: Mapping[str, _Row]) -> None:
        self._known = known
        self.learned: dict[str, _Row] = {}

    def load(self, keys: Iterable[str]) -> None:
        """Do nothing: all are here."""

    def recall(self, key: str) -> _Row | None:
        """Return the validator and the text that were remembered under `key`, or None."""
        return self._known.get(key)

    def remember(self, key: str, validator: str, text: str) -> None:
        """Keep a text for the cache of the process that waits for the batch."""
        self.learned[key] = validator, text


def _link_of(item: object) -> Link:
    """Return the link of an item: of a link, of a checked link, or of a file that is to be mirrored."""
    if isinstance(item, Link):
        return item
    checked = item if isinstance(item, CheckedLink) else item.checked  # type: ignore[attr-defined]
    return _link_of(checked.link)


def _batches(items: Sequence[T]) -> Iterator[list[T]]:
    batch: list[T] = []
    read = 0
    for item in items:
        # Little is read of links that were not checked yet.
        size = 0 if isinstance(item, Link) else _link_of(item).size or 0
        if batch and (len(batch) == _MOST_LINKS or read + size > _MOST_BYTES):
            yield batch
            batch, read = [], 0
        batch.append(item)
        read += size
    yield batch


def _task(step: Callable[[T, LinkWork, Advance], R], items: list[T], options: _Options, work: LinkWork) -> _Task:
    links = [_link_of(item) for item in items]
    unchecked = [item for item in items if isinstance(item, Link)]
    rows = dict(recall_row(link, work.cache) for link in unchecked)
    known = {key: row for key, row in rows.items() if row}
    return _Task(step, items, options, work.web.mounts_of([link.url for link in links]), known)


# --- what workers do --------------------------------------------------------------------------------------------------


def _perform(task: _Task) -> _Done:
    """Do one step of the work on each item. Raises what it raises."""
    options, facts = task.options, _CarriedFacts(task.known)
    # With mounts it is a client of its own: other threads of this process may have other files of the same bucket.
    web = _client(options.web) if task.mounts else _shared_client(options.build, options.web)
    for source, server in task.mounts.items():
        web.mount(source, server)
    read, lock = 0, Lock()

    def advance(size: int) -> None:
        nonlocal read
        with lock:
            read += size
        if read > options.max_download:
            raise SourceError(f"more bytes were sent than announced; --max-download allows {options.max_download:,}")

    with ThreadPoolExecutor(min(_THREADS, len(task.items))) as executor:
        work = LinkWork(
            web=web,
            cache=facts,
            executor=executor,
            announce=nothing,
            progress=lambda *_: nullcontext(nothing),
            max_download=options.max_download,
            allow_unhashed=options.allow_unhashed,
            keep_going=options.keep_going,
            dry_run=options.dry_run,
        )
        results = list(executor.map(lambda item: task.step(item, work, advance), task.items))
    return _Done(results, read, facts.learned)


@lru_cache(maxsize=1)
def _shared_client(build: str, settings: WebSettings) -> WebClient:
    """Return a client for all batches of one build."""
    del build
    return _client(settings)


def _client(settings: WebSettings) -> WebClient:
    """Return a client with the credentials of this environment."""
    web = WebClient(Cache(None), timeout=settings.timeout, trusted=settings.named, local_hosts=settings.local_hosts)
    for address, variable in settings.variables:
        if token := os.environ.get(variable):
            web.use_token(address, token, variable)
    return web
