"""A directory as destination. Every page is whole at every moment, and the next run finishes one that died."""

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from io import FileIO
from itertools import groupby
from operator import attrgetter
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self

from mkindex.errors import DestinationError, Note, nothing
from mkindex.model.files import Artifact, Fingerprint, Link
from mkindex.publish.changes import manifest_changes
from mkindex.publish.downloads import Downloads
from mkindex.publish.filesystem import Filesystem, os_errors
from mkindex.publish.lock import exclusive
from mkindex.publish.ownership import Ownership, TrustedManifest
from mkindex.publish.plan import Applied, HeldEntry, Plan, PublishedSection, Put
from mkindex.publish.precopy import Precopies
from mkindex.publish.signals import signals_delayed
from mkindex.publish.staging import Outcome, Outcomes, Staging, UnplacedPut, staged_entries
from mkindex.site.resources import FileResource
from mkindex.text import printable
from mkindex.tree import intent, manifest
from mkindex.tree.manifest import Change, Entry, Stage
from mkindex.tree.names import INTENT, MANIFEST, STATE_DIRECTORY, TEMPORARY_DIRECTORY

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from mkindex.publish.elsewhere import SharedCopies
    from mkindex.sources.published import PublishedProject


class DirectoryDestination:
    """The tree below `root`. As a context manager it holds the lock, so that it is the only writer.

    mkindex's own directory has the files that Layout lists, and the lock. Between runs there is only the manifest, and
    after a run that failed also what the next run needs to continue.
    """

    url: str | None = None  # no server is known that serves the tree
    takes_objects = False  # objects of buckets are downloaded

    def __init__(
        self,
        root: str,
        *,
        executor: "Executor",
        hardlink: bool = False,
        processes: int = 1,
        patience: float = 60.0,  # seconds to wait for another writer
        disk: Filesystem | None = None,
        trusted: TrustedManifest | None = None,
    ) -> None:
        self._executor = executor
        self._hardlink = hardlink
        self._processes = processes
        self._patience = patience
        self._disk = disk or Filesystem(root)
        self._ownership = Ownership(self._disk, trusted=trusted)
        self._precopies = Precopies(self._disk)
        self.downloads = Downloads(self._disk)  # files from servers that are not published yet
        self._root_names: frozenset[str] | None = None
        self._entered = ExitStack()

    def __enter__(self) -> Self:
        with os_errors(self.root), ExitStack() as entered:
            entered.callback(self._disk.forget)  # at the end: a watch has a destination for each build
            for missing in reversed(_missing(self.root)):  # removed again if nothing is published
                entered.callback(_remove_if_empty, missing)
            entered.callback(self._remove_own_directory_if_empty)
            entered.enter_context(exclusive(self._disk, patience=self._patience))
            self._ownership.refuse_newer()  # a newer version may know files that this one would delete
            self._sweep()  # files of a run that died
            entered.callback(self._remove_precopies)
            # A long manifest is compared with the tree while the sources are listed.
            entered.callback(self._ownership.close)
            if self._processes > 1:
                self._ownership.start_inspection()
            self._entered = entered.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with signals_delayed():
                self._entered.close()
        finally:
            self._entered.close()  # if a signal came before they were delayed; otherwise there is nothing left to do

    @property
    def root(self) -> str:
        return self._disk.path

    def copies_from(self, bucket: str) -> bool:
        """Return False."""
        del bucket
        return False

    @property
    def copies(self) -> "SharedCopies":
        """The copies that other processes make."""
        from mkindex.publish.elsewhere import SharedCopies  # here, since most builds have none

        return SharedCopies(self._disk, self._precopies, self._ownership.lacks)

    @property
    def notes(self) -> tuple[Note, ...]:
        """Notes about the records of mkindex in the tree, after `sections()`."""
        return self._ownership.notes

    def sections(self) -> Iterator[PublishedSection]:
        """Yield the sections that mkindex wrote, ordered by name, including those of a run that died."""
        self._root_names = None
        return self._ownership.sections()

    def projects(self, without: Collection[str] = ()) -> "Iterator[PublishedProject]":
        """Yield what the manifest records about projects, by name, except these."""
        return (project for project in self._ownership.projects() if project.name not in without)

    def root_lines(self) -> Sequence[bytes]:
        """Return what the manifest records about the whole tree."""
        return self._ownership.root_lines()

    def read(self, path: str, most: int, start: int = 0) -> bytes:
        """Return the first bytes of a file of the tree, or those from `start` on; b"" if it cannot be read."""
        with suppress(OSError, DestinationError), self._disk.open(path) as stream:
            stream.seek(start)
            return stream.read(most)
        return b""

    def holds(self, path: str) -> bool:
        """Tell whether the file at `path` is ours and unchanged."""
        return self._ownership.holds(path)

    def confirm(self, files: Iterable[tuple[str, int]]) -> Iterator[bool]:
        """Tell of each path and size whether the file at `path` is ours and unchanged."""
        return (self.holds(path) for path, _ in files)

    def find(self, path: str, link: Link) -> Artifact | None:
        """Return the file at a path of the tree, as that which a link means; None if there is no regular file."""
        with suppress(OSError):
            status = os.stat(f"{self.root}/{path}", follow_symlinks=False)
            if stat.S_ISREG(status.st_mode):
                return Artifact(self.root, path, Fingerprint.of(status), link)
        return None

    def digest(self, path: str) -> str | None:
        """Return the sha256 of the file at `path`, "" for a symlink or a device, and None if there is nothing.

        Raises DestinationError for a directory.
        """
        if self._root_names is None:  # listed once for each plan, so that a first build need not stat all its paths
            self._root_names = self._names_in_root()
        return self._digest(path) if path.partition("/")[0] in self._root_names else None

    def _names_in_root(self) -> frozenset[str]:
        with os_errors(self.root), suppress(FileNotFoundError):
            return frozenset(self._disk.names(""))
        return frozenset()

    def _digest(self, path: str) -> str | None:
        with os_errors(self.root):
            try:
                mode = self._disk.status(path).st_mode
                if stat.S_ISDIR(mode):
                    where = printable(self._disk.at(path))
                    raise DestinationError(f"{where} is a directory, but a file must be there. Move it away")
                if not stat.S_ISREG(mode):
                    return ""
                with self._disk.open(path) as stream:
                    return hashlib.file_digest(stream, "sha256").hexdigest()
            except FileNotFoundError:
                return None

    def are_ours(self, pages: Sequence[HeldEntry]) -> Iterator[bool]:
        """Tell of each page whether what is at its path is as mkindex wrote it, or is missing."""
        return (page.intact or self._is_ours(page.entry) for page in pages)

    def _is_ours(self, entry: Entry) -> bool:
        if not self._disk.fingerprint(entry.path):
            return True
        with suppress(DestinationError):
            return self._ownership.is_ours(entry, self._digest(entry.path) or "")
        return False

    def take(self, artifact: Artifact, source: FileIO) -> str:
        """Return the sha256 of a large file, and copy it at the same time unless the tree seems to have it.

        May be called by any thread. Raises DestinationError if the copy cannot be written, and OSError if the file
        cannot be read.
        """
        if self._ownership.lacks(artifact.filename, artifact.size):
            return self._precopies.take(artifact, source)
        return hashlib.file_digest(source, "sha256").hexdigest()

    def apply(self, plan: Plan, before_commit: Callable[[], object] = nothing) -> Applied:
        """Carry out a plan: pages, intent, new files, sync; then renames in order, sync, manifest, deletes.

        `before_commit` is called before the first rename. If it raises, the tree is left as it was.
        """
        with os_errors(self.root):
            unfinished = self._disk.exists(INTENT)
            if not (plan.has_changes or unfinished or self.downloads.exist()):
                before_commit()
                return Applied()
            staging = self._staging()
            place_new_files = self._ownership.is_recorded
            committed = False
            try:
                self._disk.make_directory(TEMPORARY_DIRECTORY)
                pages = staging.stage_pages(plan.puts)
                self._write_own(INTENT, intent.encode(self._ownership.intend(_intent(plan, pages))))
                self._disk.flush_directory("")  # the directory of the intent may be new
                outcomes = Outcomes(staging.stage_files(plan.puts, place_new_files=place_new_files), pages)
                self._disk.sync()
                before_commit()
                with signals_delayed():
                    committed = True  # a signal before this line withdraws, one after it waits
                    self._publish(plan, outcomes, staging)
            except BaseException as error:
                if not committed:
                    # A file that someone else created meanwhile is not ours to delete.
                    foreign = error.filename if isinstance(error, FileExistsError) else None
                    files = (
                        put.resource.path for put in plan.puts if put.is_new and put.resource.stage < Stage.PROJECT
                    )
                    with signals_delayed():
                        self._withdraw([path for path in files if self._disk.at(path) != foreign], unfinished)
                raise
        return Applied(
            written=sum(isinstance(outcome, str) or outcome.is_temporary for outcome in outcomes.each()),
            links=tuple(self._links(plan.puts, outcomes.files)) if self._hardlink else (),
        )

    def _publish(self, plan: Plan, outcomes: Outcomes, staging: Staging) -> None:
        temporary = (
            number
            for number, outcome in enumerate(outcomes.each())
            if isinstance(outcome, UnplacedPut) and outcome.is_temporary
        )
        # Without a sync after each stage, a power failure could keep a page and lose what it names.
        for _, numbers in groupby(temporary, key=lambda number: plan.puts[number].resource.stage):
            made = ""
            for number in numbers:
                target = plan.puts[number].resource.path
                directory = os.path.dirname(target)
                if directory not in ("", made):  # two pages of a project follow each other
                    self._disk.make_directory(directory)
                    made = directory
                self._disk.replace(staging.temporary_path(number), target)
            self._disk.sync()
        # Before fingerprints are taken: removing a download changes the ctime of its hard link in the tree.
        self.downloads.remove()
        with ExitStack() as stack:
            before: BinaryIO | None = None
            with suppress(FileNotFoundError):
                before = stack.enter_context(self._disk.open(MANIFEST))
            extents = self._ownership.extents
            parts = manifest.encode(self._changes(plan, outcomes), before, extents, plan.lines, plan.recorded)
            self._write_own(MANIFEST, parts)
        self._ownership.renew()
        self._root_names = None
        for _, entries in groupby(plan.deletes, key=attrgetter("stage")):
            for entry in entries:
                self._delete(entry.path)
            self._disk.sync()  # the intent, which is removed below, is the only record of them
        self._sweep()
        self._disk.unlink(INTENT)

    def _staging(self) -> Staging:
        return Staging(
            self._disk,
            precopies=self._precopies,
            executor=self._executor,
            processes=self._processes,
            hardlink=self._hardlink,
            digest=self.digest,
        )

    def _links(self, puts: Iterable[Put], outcomes: Sequence[Outcome]) -> Iterator[tuple[Artifact, Fingerprint]]:
        """Yield the hard-linked artifacts, with their fingerprints right after they were linked.

        A later fingerprint could be that of other bytes.
        """
        for put, outcome in zip(puts, outcomes, strict=False):  # the files are the first puts
            if isinstance(put.resource, FileResource) and isinstance(outcome, str):
                artifact, fingerprint = put.resource.file.local, Fingerprint.parse(outcome)
                if fingerprint and fingerprint.inode == artifact.fingerprint.inode:  # otherwise it was cloned
                    yield artifact, fingerprint

    def _changes(self, plan: Plan, outcomes: Outcomes) -> Iterator[Change]:
        """Yield the changes to the manifest, in its order."""
        for position, entry in manifest_changes(plan, staged_entries(plan.puts, outcomes)):
            if entry is None or entry.fingerprint:
                yield position, entry
            else:  # renaming changed the ctime
                yield position, entry._replace(fingerprint=self._disk.fingerprint(entry.path))

    def _withdraw(self, paths: Sequence[str], keep_intent: bool) -> None:
        """Delete the written files, which no page names yet. If that fails, the intent stays for the next run."""
        with suppress(OSError):
            for path in paths:
                self._delete(path)
            self._sweep()
            if not keep_intent:
                if paths:
                    self._disk.sync()  # before the intent is removed, which is the only record of them
                with suppress(FileNotFoundError):
                    self._disk.unlink(INTENT)

    def _delete(self, path: str) -> None:
        """Delete a file, and the directories above it that are empty then."""
        # Already deleted, by someone else or by a run that died; or replaced by a directory, which is not ours.
        not_there = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
        with suppress(*not_there):
            self._disk.unlink(path)
        while path := os.path.dirname(path):
            try:
                self._disk.remove_directory(path)
            except not_there:
                continue
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                return

    def _remove_precopies(self) -> None:
        """Remove the copies that were not published, also those in progress."""
        self._precopies.stop()
        with suppress(OSError):
            self._sweep()

    def _sweep(self) -> None:
        """Empty and remove the directory of temporary files."""
        self._precopies.forget()
        with suppress(FileNotFoundError):
            for name in self._disk.names(TEMPORARY_DIRECTORY):
                self._disk.unlink(f"{TEMPORARY_DIRECTORY}/{name}")
            self._disk.remove_directory(TEMPORARY_DIRECTORY)

    def _write_own(self, path: str, parts: Iterable[bytes]) -> None:
        """Replace one of mkindex's own files atomically, and wait until it would survive a power failure."""
        temporary = f"{TEMPORARY_DIRECTORY}/{os.path.basename(path)}"
        descriptor = self._disk.create(temporary)
        try:
            for part in parts:
                self._disk.write(descriptor, part)
            self._disk.flush(descriptor)
        finally:
            os.close(descriptor)
        self._disk.replace(temporary, path)
        self._disk.flush_directory(STATE_DIRECTORY)

    def _remove_own_directory_if_empty(self) -> None:
        with suppress(OSError):
            self._disk.remove_directory(STATE_DIRECTORY)


def _intent(plan: Plan, pages: Sequence[UnplacedPut]) -> Iterator[Entry]:
    """Yield an entry for each path that a plan writes or deletes. `pages`: those that are staged, with their hashes."""
    files = len(plan.puts) - len(pages)
    for put in plan.puts[:files]:
        yield Entry.of(put.resource, "")
    for put, page in zip(plan.puts[files:], pages, strict=True):
        yield Entry.of(put.resource, page.sha256)
    yield from plan.deletes


def _missing(path: str) -> list[str]:
    """Return the directories that must be created for `path`, the innermost first."""
    missing = []
    path = os.path.abspath(path)
    while not os.path.lexists(path):
        missing.append(path)
        path = os.path.dirname(path)
    return missing


def _remove_if_empty(directory: str) -> None:
    with suppress(OSError):
        os.rmdir(directory)
