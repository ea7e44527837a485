"""Hints that a source may have changed: from the kernel, by watchdog, or from a look at it every now and then.

A hint says no more than that a build is worth it. What has changed the build finds for itself, so that a hint too many
costs a look, and one that is lost is made up for by the next.
"""

import errno
import logging
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import NamedTuple, Self

from watchdog.events import (
    DirAttribEvent,
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileAttribEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

from mkindex.build import found, outputs
from mkindex.cache import Cache
from mkindex.config import Config
from mkindex.distributions.filenames import SUFFIXES, why_unsupported
from mkindex.errors import MkindexError
from mkindex.sources.open import local_path
from mkindex.watch.young_files import Settling
from mkindex.web.client import WebClient

# Not: opened, and closed without having been written to. A build does that itself.
_EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileModifiedEvent,
    FileAttribEvent,
    FileClosedEvent,
    FileMovedEvent,
    FileDeletedEvent,
    DirCreatedEvent,
    DirAttribEvent,
    DirMovedEvent,
    DirDeletedEvent,
]
_MOST_PLACES = 100  # each has a thread of its own

# watchdog logs what it makes up for, and what a look now and then finds anyway.
logging.getLogger("watchdog").addHandler(logging.NullHandler())


class _Place(NamedTuple):
    """A directory to be watched, `inside`: with all below it; `identity`: its device and inode."""

    path: str
    inside: bool
    identity: tuple[int, int]


class _Limit(Exception):
    """The system lets nobody watch more directories."""


class Triggers:
    """Hints about the directories among the sources of `config`, while the context is entered.

    `told` is called once with the reason where the kernel cannot be asked and is not.
    """

    def __init__(self, config: Config, settling: Settling, told: Callable[[str], object]) -> None:
        self._config = config
        self._local = tuple(filter(None, map(local_path, config.sources)))
        self._settling = settling
        self._told = told
        self._queue = SimpleQueue[float]()
        self.last = 0.0  # when the last hint came
        self._observer: BaseObserver | None = None
        self._watches: dict[_Place, ObservedWatch] = {}
        self._listing = 0

    def __enter__(self) -> Self:
        if self._config.poll:
            self._listing = self._look()
        else:
            try:
                self._observer = Observer()
                self._observer.start()
            except OSError as error:
                self._poll(str(error.strerror))
            self.arm()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._observer:
            self._observer.stop()
            self._observer.join()
            self._observer = None

    def give(self) -> None:
        """Give a hint. Signal handlers and other threads may."""
        self._queue.put(time.monotonic())

    def wait(self, seconds: float) -> bool:
        """Wait for a hint, no longer than that; tell whether there was one."""
        try:
            self.last = self._queue.get(timeout=max(seconds, 0))
        except Empty:
            return False
        with suppress(Empty):
            while True:
                self.last = self._queue.get_nowait()
        return True

    def arm(self) -> None:
        """Watch what is there now, and give a hint where that is something else than before."""
        if self._observer is None:
            return
        try:
            self._watch(self._observer, set(self._places()))
        except _Limit as limit:
            self._poll(str(limit))

    def _poll(self, why: str) -> None:
        """Ask the kernel no more, but look."""
        if self._observer and self._observer.is_alive():
            self._observer.stop()
            self._observer.join()
        self._observer = None
        self._listing = self._look()
        self._told(f"{why}: looking every {self._config.poll_interval:g} s instead")

    def beat(self) -> None:
        """Look, as is done every `poll_interval`, for what the kernel does not tell."""
        if self._observer:
            self.arm()
            return
        listing = self._look()
        if listing != self._listing:
            self._listing = listing
            self.give()

    def _look(self) -> int:
        """Return something that is another when the sources list something else."""
        try:
            if not self._local:
                return 0
            local = replace(self._config, sources=self._local)
            with ThreadPoolExecutor(1) as executor:
                return hash(tuple(found(local, web=WebClient(Cache(None), connections=1), executor=executor)))
        except MkindexError as error:
            return hash(str(error))

    def _watch(self, observer: BaseObserver, places: set[_Place]) -> None:
        # What watched a directory that is gone has ended.
        alive = {emitter.watch for emitter in observer.emitters if emitter.should_keep_running()}
        changed = False
        for place, watch in list(self._watches.items()):
            if place not in places or watch not in alive:
                observer.unschedule(watch)
                del self._watches[place]
                changed = True
        try:
            for place in places - self._watches.keys():
                with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                    self._watches[place] = self._schedule(observer, place)
                    changed = True
            if any(place.inside for place in places):
                # watchdog does not say so when the limit is reached below a directory.
                observer.unschedule(self._schedule(observer, _Place(os.path.abspath(os.sep), False, (0, 0))))
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EMFILE):
                raise
            raise _Limit("the system's limit of watched directories is reached (sysctl fs.inotify)") from error
        if changed:
            self.give()

    def _schedule(self, observer: BaseObserver, place: _Place) -> ObservedWatch:
        return observer.schedule(
            _Handler(self, place, self._config, self._settling),
            place.path,
            recursive=place.inside,
            event_filter=_EVENTS,
            follow_symlink=self._config.follow_symlinks,
        )

    def _places(self) -> Iterator[_Place]:
        count = 0
        for spec in self._local:
            root = os.path.realpath(spec)
            for path, inside in _spread(root, inside=self._config.recursive, without=_own(self._config, root)):
                with suppress(OSError):
                    status = os.stat(path)
                    yield _Place(path, inside, (status.st_dev, status.st_ino))
                count += 1
                if count > _MOST_PLACES:
                    raise _Limit(f"there are more than {_MOST_PLACES} directories beside the destination")


def _own(config: Config, root: str) -> list[str]:
    """Return the directories that are written by us alone, as far as `root` is concerned."""
    destination = os.path.realpath(config.destination)
    return outputs(config) if _lies_in(root, destination) else [destination]


def _spread(root: str, *, inside: bool, without: list[str]) -> Iterator[tuple[str, bool]]:
    """Yield the directories to watch for all of `root`, and whether with all below them, but for `without`.

    The tree that mkindex writes has a directory for each file.
    """
    if os.path.isfile(root):
        yield os.path.dirname(root), False
    elif not inside or not any(_lies_in(path, root) for path in without):
        yield root, inside
    elif root not in without:
        yield root, False
        below: list[str] = []
        with suppress(OSError), os.scandir(root) as entries:
            below += (entry.path for entry in entries if entry.is_dir(follow_symlinks=False))
        for path in below:
            if not os.path.basename(path).startswith("."):
                yield from _spread(path, inside=True, without=without)


class _Handler(FileSystemEventHandler):
    """Gives a hint for the events of one place that can make a difference."""

    def __init__(self, hints: Triggers, place: _Place, config: Config, settling: Settling) -> None:
        self._hints = hints
        self._place = place
        self._recursive = config.recursive
        self._hardlink = config.link_mode == "hardlink"
        self._settling = settling
        self._files = {os.path.realpath(spec) for spec in config.sources}
        self._own = _own(config, place.path)

    def dispatch(self, event: FileSystemEvent) -> None:
        if any(self._matters(event, os.fsdecode(path)) for path in (event.src_path, event.dest_path) if path):
            self._hints.give()

    def _matters(self, event: FileSystemEvent, path: str) -> bool:
        if path == self._place.path:
            return True
        if any(_lies_in(path, own) for own in self._own):
            return False
        if event.is_directory:
            return self._recursive
        name = os.path.basename(path)
        if path not in self._files and (name.startswith(".") or not (name.endswith(SUFFIXES) or why_unsupported(name))):
            return False
        if isinstance(event, FileModifiedEvent):  # what is held back is looked at again anyway
            return not self._settling.is_held(path)
        # Linking a file changes its status.
        return not (self._hardlink and isinstance(event, FileAttribEvent) and self._settling.listed(path))


def _lies_in(path: str, directory: str) -> bool:
    return path == directory or path.startswith(os.path.join(directory, ""))
