"""A directory as destination: whole pages at every instant, and a next run that finishes what a dead one began."""

import errno
import hashlib
import os
import signal
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager, suppress
from heapq import merge
from io import FileIO
from itertools import groupby
from operator import itemgetter
from types import TracebackType
from typing import BinaryIO, Self

from mkindex.errors import DestinationError, nothing
from mkindex.model.files import Artifact, Fingerprint
from mkindex.publish.filesystem import Filesystem, os_errors
from mkindex.publish.layout import Layout
from mkindex.publish.lock import exclusive
from mkindex.publish.ownership import Ownership, TrustedManifest
from mkindex.publish.plan import Applied, Plan, PublishedSection, Put
from mkindex.publish.precopy import Precopies
from mkindex.publish.staging import Outcome, Staged, Staging
from mkindex.site.render import FileResource
from mkindex.text import printable
from mkindex.tree import manifest
from mkindex.tree.manifest import Change, Entry, Position


class DirectoryDestination:
    """The tree below `root`; whoever enters it as a context manager is its only writer.

    Its own subdirectory holds `manifest`, all that is ours; `intent`, what a run writes and deletes, while it does;
    `tmp/`, bytes that have no right to be seen yet; `downloads/`, files that come from far away; `lock`. Between runs
    there is only the first of these, and after one that failed what the next goes on with.
    """

    def __init__(
        self,
        root: str,
        *,
        executor: Executor,
        hardlink: bool = False,
        processes: int = 1,
        patience: float = 60.0,  # seconds to wait for another writer
        disk: Filesystem | None = None,
        trusted: TrustedManifest | None = None,
    ) -> None:
        self._layout = Layout(root)
        self._executor = executor
        self._hardlink = hardlink
        self._processes = processes
        self._patience = patience
        self._disk = disk or Filesystem()
        self._ownership = Ownership(self._layout, trusted=trusted)
        self._precopies = Precopies(self._layout, self._disk)
        self._root_names: frozenset[str] | None = None
        self._entered = ExitStack()

    def __enter__(self) -> Self:
        with os_errors(self._layout.root), ExitStack() as entered:
            for missing in reversed(_missing(self._layout.root)):  # a run that publishes nothing leaves nothing
                entered.callback(self._remove_if_empty, missing)
            entered.callback(self._remove_if_empty, self._layout.own_directory)
            entered.enter_context(exclusive(self._layout.own("lock"), patience=self._patience))
            self._sweep()  # what a dead run left
            entered.callback(self._remove_copies)
            # A long manifest is compared with the tree while the source is being listed.
            entered.callback(self._ownership.close)
            if self._processes > 1:
                self._ownership.start_inspection()
            self._entered = entered.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with _unbroken():
            self._entered.close()

    @property
    def root(self) -> str:
        return self._layout.root

    @property
    def downloads(self) -> str:
        """Where files wait that come from far away: the next run goes on with what a dead one got."""
        return self._layout.downloads

    def sections(self) -> Iterator[PublishedSection]:
        """Yield what the manifest knows, and what a dead run intended, as far as that is more."""
        self._root_names = None
        return self._ownership.sections()

    def holds(self, path: str) -> bool:
        """Tell whether the file at `path` is ours and still what was written."""
        return self._ownership.holds(path)

    def digest(self, path: str) -> str | None:
        """Return the sha256 of the file at `path`, "" for a link or a device, None if there is nothing.

        Raises DestinationError for a directory.
        """
        if self._root_names is None:  # listed once for a plan: a first build need not look for each of its paths
            with os_errors(self._layout.root):
                exists = os.path.lexists(self._layout.root)
                self._root_names = frozenset(os.listdir(self._layout.root) if exists else ())
        return _digest(self._layout.at(path)) if path.partition("/")[0] in self._root_names else None

    def take(self, artifact: Artifact, source: FileIO) -> str:
        """Return the sha256 of a large file, having copied what was hashed, unless it may well be there already.

        May be called by any thread. Raises DestinationError when it cannot be written, OSError when it cannot be read.
        """
        if self._ownership.lacks(artifact.filename, artifact.size):
            return self._precopies.take(artifact, source)
        return hashlib.file_digest(source, "sha256").hexdigest()

    def apply(self, plan: Plan, before_commit: Callable[[], object] = nothing) -> Applied:
        """Write the plan: intent; all bytes; sync; when ready renames in order; sync; manifest; deletes."""
        unfinished = os.path.lexists(self._layout.intent)
        if not (plan.puts or plan.updates or plan.deletes or unfinished or os.path.lexists(self.downloads)):
            before_commit()
            return Applied()
        staging = self._staging()
        place_new_files = self._ownership.is_recorded
        with os_errors(self._layout.root):
            try:
                self._disk.make_directory(self._layout.temporary)
                self._write_own("intent", manifest.encode_intent(_intent(plan, unfinished=unfinished)))
                staged = staging.stage(plan.puts, place_new_files=place_new_files)
                self._disk.sync(self._layout.root)
                before_commit()
            except BaseException as error:
                theirs = error.filename if isinstance(error, FileExistsError) else None  # put there meanwhile
                with _unbroken():
                    self._withdraw(
                        [put for put in plan.puts if self._layout.at(put.resource.path) != theirs],
                        forget=not unfinished,
                    )
                raise
            with _unbroken():
                self._publish(plan, staged, staging)
        return Applied(
            written=sum(isinstance(one, str) or one.is_temporary for one in staged),
            links=tuple(self._links(plan.puts, staged)) if self._hardlink else (),
        )

    def _publish(self, plan: Plan, staged: Sequence[Outcome], staging: Staging) -> None:
        moved = [number for number, one in enumerate(staged) if isinstance(one, Staged) and one.is_temporary]
        for number in moved:
            target = self._layout.at(plan.puts[number].resource.path)
            self._disk.make_directory(os.path.dirname(target))
            self._disk.replace(staging.temporary_path(number), target)
        if moved:
            self._disk.sync(self._layout.root)
        # Before fingerprints are taken: a file that was linked from there gets another change time by that.
        self._remove_downloads()
        with ExitStack() as stack:
            before: BinaryIO | None = None
            with suppress(FileNotFoundError, NotADirectoryError):
                before = stack.enter_context(open(self._layout.manifest, "rb"))
            extents = self._ownership.extents
            self._write_own("manifest", manifest.encode(self._changes(plan, staged), before, extents))
        self._ownership.renew()
        self._root_names = None
        for entry in plan.deletes:
            self._delete(entry.path)
        if plan.deletes:
            self._disk.sync(self._layout.root)  # once the intent is gone, nobody would know of them
        self._sweep()
        self._disk.unlink(self._layout.intent)

    def _staging(self) -> Staging:
        return Staging(
            self._layout,
            precopies=self._precopies,
            disk=self._disk,
            executor=self._executor,
            processes=self._processes,
            hardlink=self._hardlink,
            digest=self.digest,
        )

    def _links(self, puts: Iterable[Put], staged: Iterable[Outcome]) -> Iterator[tuple[Artifact, Fingerprint]]:
        for put, one in zip(puts, staged, strict=True):
            # As it was when the link was made: what came later may have been a change of the bytes.
            if isinstance(put.resource, FileResource) and isinstance(one, str) and (known := Fingerprint.parse(one)):
                yield put.resource.file.local, known

    def _changes(self, plan: Plan, staged: Sequence[Outcome]) -> Iterator[Change]:
        """Yield what is otherwise in the manifest from now on, in its order."""
        updates = sorted((entry.position, entry) for entry in plan.updates)
        gone = ((position, None) for position in sorted(entry.position for entry in (*plan.deletes, *plan.transfers)))
        # Of two for a position the new one comes first.
        changes = merge(self._new(plan, staged), updates, gone, key=itemgetter(0))
        for position, same in groupby(changes, key=itemgetter(0)):
            _, entry = next(same)
            # Renaming changed the change time.
            yield (
                position,
                entry._replace(fingerprint=Fingerprint.text_at(self._layout.at(entry.path)))
                if entry and not entry.fingerprint
                else entry,
            )

    def _new(self, plan: Plan, staged: Sequence[Outcome]) -> Iterator[tuple[Position, Entry]]:
        """Yield the entries of what was put, in the order of the manifest."""
        # In a section they are in the order in which they were put.
        for number in sorted(range(len(plan.puts)), key=lambda number: plan.puts[number].resource.section):
            resource, one = plan.puts[number].resource, staged[number]
            known = (resource.key, one) if isinstance(one, str) else (one.sha256, "")
            entry = Entry.of(resource, *known)
            yield entry.position, entry

    def _withdraw(self, puts: Iterable[Put], *, forget: bool) -> None:
        """Take back what was written where it belongs, before anything names it; keep the intent if that fails."""
        with suppress(OSError):
            for put in puts:
                if put.is_new:
                    self._delete(put.resource.path)
            self._sweep()
            if forget:
                with suppress(FileNotFoundError):
                    self._disk.unlink(self._layout.intent)

    def _delete(self, path: str) -> None:
        # Somebody, or a run that died, was faster; a directory was never ours to begin with.
        gone = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
        with suppress(*gone):
            self._disk.unlink(self._layout.at(path))
        while path := os.path.dirname(path):
            try:
                self._disk.remove_directory(self._layout.at(path))
            except gone:
                continue
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                return

    def _remove_downloads(self) -> None:
        if os.path.lexists(self.downloads):
            for directory, _, names in os.walk(self.downloads, topdown=False):
                for name in names:
                    self._disk.unlink(os.path.join(directory, name))
                self._disk.remove_directory(directory)

    def _remove_copies(self) -> None:
        """Leave nothing of what was not published in the end, though it be copied at this moment."""
        self._precopies.stop()
        with suppress(OSError):
            self._sweep()

    def _sweep(self) -> None:
        self._precopies.forget()
        directory = self._layout.temporary
        with suppress(FileNotFoundError):
            for name in os.listdir(directory):
                self._disk.unlink(os.path.join(directory, name))
            self._disk.remove_directory(directory)

    def _write_own(self, name: str, parts: Iterable[bytes]) -> None:
        """Replace a file of our own by one that is whole and on the disk."""
        temporary, target = self._layout.own(f"tmp/{name}"), self._layout.own(name)
        descriptor = self._disk.create(temporary)
        try:
            for part in parts:
                self._disk.write(descriptor, part)
            self._disk.flush(descriptor)
        finally:
            os.close(descriptor)
        self._disk.replace(temporary, target)
        self._disk.flush_directory(self._layout.own_directory)

    def _remove_if_empty(self, directory: str) -> None:
        with suppress(OSError):
            self._disk.remove_directory(directory)


def _intent(plan: Plan, *, unfinished: bool) -> Iterator[Position]:
    """Yield what a plan writes and deletes; after a run that died also what stays of it, which only its intent knew."""
    for put in plan.puts:
        yield put.resource.section, put.resource.stage, put.resource.path
    for entry in (*plan.deletes, *(plan.updates if unfinished else ())):
        yield entry.position


def _digest(path: str) -> str | None:
    with os_errors(path):
        try:
            mode = os.lstat(path).st_mode
        except FileNotFoundError:
            return None
        if stat.S_ISDIR(mode):
            raise DestinationError(f"{printable(path)} is a directory where a file belongs: move it away")
        if not stat.S_ISREG(mode):
            return ""
        with open(path, "rb", buffering=0) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()


def _missing(path: str) -> list[str]:
    """Return the directories that are to be made for `path`, the innermost first."""
    missing = []
    path = os.path.abspath(path)
    while not os.path.lexists(path):
        missing.append(path)
        path = os.path.dirname(path)
    return missing


@contextmanager
def _unbroken() -> Iterator[None]:
    """Let Ctrl-C, and SIGTERM where it has a handler, wait for a moment until all is as it should be."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
    if threading.current_thread() is not threading.main_thread():
        handlers.clear()
    came: list[int] = []
    for number in handlers:
        signal.signal(number, lambda caught, _: came.append(caught))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
