"""Triggers of builds: changes that the system reports through watchdog, or that polling finds.

A trigger says only that a source may have changed; the build finds the changes. So a superfluous trigger costs
little, and the next trigger makes up for a lost one.
"""

import errno
import logging
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
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
from watchdog.utils import BaseThread

from mkindex.build.listing import list_sources, open_sources, output_directories
from mkindex.cache import Cache
from mkindex.config import Config
from mkindex.distributions.attestations import attested_filename
from mkindex.distributions.filenames import SUFFIXES, why_unsupported
from mkindex.errors import MkindexError
from mkindex.sources.open import local_path
from mkindex.watch.young_files import LastBuild, YoungFiles
from mkindex.web.client import WebClient

# Not "opened" or "closed without writing": a build causes both itself.
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
_MAX_DIRECTORIES = 100  # each has a thread of its own

# watchdog logs errors that it recovers from, or that polling makes up for, and warns of its own races.
logging.getLogger("watchdog").addHandler(logging.NullHandler())
warnings.filterwarnings("ignore", module=r"watchdog\.")


class _Directory(NamedTuple):
    """A directory to watch, `recursive`: with its subdirectories; `identity`: its device and inode."""

    path: str
    recursive: bool
    identity: tuple[int, int]


class _LimitReached(Exception):
    """The system does not let us watch more directories."""


class Triggers:
    """Triggers of builds by the directories among the sources of `config`, while the context is entered.

    `on_note` is called with the reason when the system cannot report changes, and polling begins.
    """

    def __init__(
        self, config: Config, young: YoungFiles, last_build: LastBuild, on_note: Callable[[str], object]
    ) -> None:
        self._config = config
        self._local = tuple(filter(None, map(local_path, config.inputs)))
        self._young = young
        self._last_build = last_build
        self._on_note = on_note
        self._queue = SimpleQueue[float]()
        self.last = 0.0  # when the last trigger came, on the monotonic clock
        self._observer: BaseObserver | None = None
        self._threads: set[BaseThread] = set()  # of the observer; all are needed
        self._watches: dict[_Directory, ObservedWatch] = {}
        self._listing = 0  # a hash of what the sources listed when they were polled last

    def __enter__(self) -> Self:
        if self._config.poll:
            self._listing = self._hash_listing()
        else:
            try:
                self._observer = Observer()
                self._observer.start()
            except OSError as error:
                self._fall_back(str(error.strerror))
            self.watch_directories()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._observer:
            self._observer.stop()
            self._observer.join()
            self._observer = None

    def fire(self) -> None:
        """Trigger a build. Signal handlers and other threads may call this."""
        self._queue.put(time.monotonic())

    def wake(self) -> None:
        """End a wait without triggering a build. Signal handlers and other threads may call this."""
        self._queue.put(0.0)

    def wait(self, seconds: float) -> None:
        """Wait for a trigger, no longer than `seconds`."""
        with suppress(Empty):
            self.last = max(self.last, self._queue.get(timeout=max(seconds, 0)))
            while True:
                self.last = max(self.last, self._queue.get_nowait())

    def watch_directories(self) -> None:
        """Watch the directories that exist now; trigger a build if they are others than before."""
        if self._observer is None:
            return
        try:
            self._schedule_all(self._observer, set(self._directories()))
            running = {thread for thread in threading.enumerate() if isinstance(thread, BaseThread)}
            self._threads = {thread for thread in self._threads | running if thread.should_keep_running()}
        except _LimitReached as limit:
            self._fall_back(str(limit))

    def poll(self) -> None:
        """Look for changes that the system does not report. This is called every `poll_interval` seconds."""
        if self._observer:
            if any(not thread.is_alive() and thread.should_keep_running() for thread in self._threads):
                self._fall_back("the thread that reports changes has ended with an error")
            else:
                self.watch_directories()
            return
        listing = self._hash_listing()
        if listing != self._listing:
            self._listing = listing
            self.fire()

    def _fall_back(self, why: str) -> None:
        """Poll from now on, and watch no directory."""
        if self._observer and self._observer.ident:  # it was started
            self._observer.stop()
            self._observer.join()
        self._observer = None
        self._listing = self._hash_listing()
        self._on_note(f"{why}: falling back to polling every {self._config.poll_interval:g} s")

    def _hash_listing(self) -> int:
        """Return a number that changes with the list of files in the sources."""
        if not self._local:
            return 0
        local = self._config.replace(sources=self._local)
        try:
            with ThreadPoolExecutor(1) as executor:
                sources = open_sources(local, WebClient(Cache(None)), executor)
                return hash(tuple(list_sources(local, sources)))
        except MkindexError as error:
            return hash(str(error))

    def _schedule_all(self, observer: BaseObserver, directories: set[_Directory]) -> None:
        # The emitter of a directory that is gone has ended.
        alive = {emitter.watch for emitter in observer.emitters if emitter.should_keep_running()}
        changed = False
        for directory, watch in list(self._watches.items()):
            if directory not in directories or watch not in alive:
                observer.unschedule(watch)
                del self._watches[directory]
                changed = True
        try:
            for directory in directories - self._watches.keys():
                with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                    self._watches[directory] = self._schedule(observer, directory)
                    changed = True
            if any(directory.recursive for directory in directories):
                # watchdog does not report that the limit is reached in a subdirectory: watch one more directory.
                root = _Directory(os.path.abspath(os.sep), recursive=False, identity=(0, 0))
                observer.unschedule(self._schedule(observer, root))
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EMFILE):
                raise
            raise _LimitReached("the system's limit of watched directories is reached (sysctl fs.inotify)") from error
        if changed:
            self.fire()

    def _schedule(self, observer: BaseObserver, directory: _Directory) -> ObservedWatch:
        return observer.schedule(
            _Handler(self.fire, directory, self._config, self._young, self._last_build),
            directory.path,
            recursive=directory.recursive,
            event_filter=_EVENTS,
            follow_symlink=self._config.follow_symlinks,
        )

    def _directories(self) -> Iterator[_Directory]:
        count = 0
        for spec in self._local:
            root = os.path.realpath(spec)
            written = _output_below(self._config, root)
            for path, recursive in _cover(root, recursive=self._config.recursive, without=written):
                with suppress(OSError):
                    status = os.stat(path)
                    yield _Directory(path, recursive, (status.st_dev, status.st_ino))
                count += 1
                if count > _MAX_DIRECTORIES:
                    raise _LimitReached(f"more than {_MAX_DIRECTORIES} directories to watch beside the destination")


def _output_below(config: Config, root: str) -> list[str]:
    """Return the directories below `root`, or above it, that only mkindex writes."""
    destination = os.path.realpath(config.destination)
    return output_directories(config) if _lies_in(root, destination) else [destination]


def _cover(root: str, *, recursive: bool, without: list[str]) -> Iterator[tuple[str, bool]]:
    """Yield the directories to watch so that all of `root` except `without` is covered, and whether recursively.

    The tree that mkindex writes has a directory for each file, too many to watch.
    """
    if os.path.isfile(root):
        yield os.path.dirname(root), False
    elif not recursive or not any(_lies_in(path, root) for path in without):
        yield root, recursive
    elif root not in without:
        yield root, False
        below: list[str] = []
        with suppress(OSError), os.scandir(root) as entries:
            below += (entry.path for entry in entries if entry.is_dir(follow_symlinks=False))
        for path in below:
            if not os.path.basename(path).startswith("."):
                yield from _cover(path, recursive=True, without=without)


class _Handler(FileSystemEventHandler):
    """Calls `fire` for each event of one directory that can affect a build."""

    def __init__(
        self,
        fire: Callable[[], object],
        directory: _Directory,
        config: Config,
        young: YoungFiles,
        last_build: LastBuild,
    ) -> None:
        self._fire = fire
        self._directory = directory
        self._recursive = config.recursive
        self._hardlink = config.link_mode == "hardlink"
        self._young = young
        self._last_build = last_build
        self._files = {os.path.realpath(spec) for spec in config.inputs}
        self._written = _output_below(config, directory.path)

    def dispatch(self, event: FileSystemEvent) -> None:
        """Judge an event by its paths."""
        if any(self._matters(event, os.fsdecode(path)) for path in (event.src_path, event.dest_path) if path):
            self._fire()

    def _matters(self, event: FileSystemEvent, path: str) -> bool:
        if path == self._directory.path:
            return True
        if any(_lies_in(path, directory) for directory in self._written):
            return False
        if event.is_directory:
            return self._recursive
        name = os.path.basename(path)
        # Wheels may be symlinks through a symlink that is switched, as in a volume of Kubernetes: a.whl -> ..data/a.whl
        if os.path.islink(path):
            return True
        is_read = name.endswith(SUFFIXES) or why_unsupported(name) or attested_filename(name)
        if path not in self._files and (name.startswith(".") or not is_read):
            return False
        if isinstance(event, FileModifiedEvent):  # a watch looks again at the files that it holds back
            return not self._young.is_held(path)
        # Hard-linking a file changes its status.
        return not (self._hardlink and isinstance(event, FileAttribEvent) and self._last_build.file(path))


def _lies_in(path: str, directory: str) -> bool:
    return path == directory or path.startswith(os.path.join(directory, ""))
