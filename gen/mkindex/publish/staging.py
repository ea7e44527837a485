"""Writes the bytes of a plan to the disk, before any reader can see them.

A file that no page can name yet is written to its path in the tree. Everything else gets a temporary name.
"""

import errno
import hashlib
import os
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from io import FileIO
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, overload

from mkindex.errors import DestinationError, Unreadable
from mkindex.model.files import CHUNK, File, Fingerprint, fingerprint_text
from mkindex.parallel import map_chunks
from mkindex.publish.filesystem import Filesystem
from mkindex.publish.plan import FileChanged, HeldEntry, Put
from mkindex.publish.precopy import Precopies, copy
from mkindex.site.resources import FileResource, Page, ProvenanceResource, SiblingResource, VariantsResource
from mkindex.text import printable
from mkindex.tree.manifest import Entry, Position, Stage
from mkindex.tree.names import DOWNLOADS_DIRECTORY, TEMPORARY_DIRECTORY, file_path

if TYPE_CHECKING:
    from concurrent.futures import Executor

_PAGE = 5  # small files are written in the time that one page takes
_SECOND = 1_000_000_000  # nanoseconds
_PAGE_LENGTH = 33  # bytes: a sha256, and whether there is a temporary file
_NO_LINKS = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP)  # a hard link is not possible here


class UnplacedPut(NamedTuple):
    """A put that was not written to its path in the tree."""

    sha256: str
    is_temporary: bool  # its bytes have a temporary name; otherwise they are already at their path


# What became of a put. There may be 100,000 files that are written to their path: for these, it is their fingerprint.
Outcome = str | UnplacedPut


class StagedPages(Sequence[UnplacedPut]):
    """What became of pages, in 33 bytes for each: there may be a million."""

    def __init__(self, outcomes: Iterable[UnplacedPut]) -> None:
        self._data = bytearray()
        for sha256, is_temporary in outcomes:
            self._data += bytes.fromhex(sha256)
            self._data.append(is_temporary)

    def __len__(self) -> int:
        return len(self._data) // _PAGE_LENGTH

    @overload
    def __getitem__(self, index: int) -> UnplacedPut: ...
    @overload
    def __getitem__(self, index: slice) -> list[UnplacedPut]: ...
    def __getitem__(self, index: int | slice) -> UnplacedPut | list[UnplacedPut]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        at = range(len(self))[index] * _PAGE_LENGTH
        end = at + _PAGE_LENGTH - 1
        return UnplacedPut(self._data[at:end].hex(), is_temporary=bool(self._data[end]))


class Outcomes(NamedTuple):
    """What became of the puts of a plan, in their order."""

    files: Sequence[Outcome]  # and siblings
    pages: Sequence[UnplacedPut]

    def of(self, number: int) -> Outcome:
        """Return what became of the put of this number."""
        files = len(self.files)
        return self.files[number] if number < files else self.pages[number - files]

    def each(self) -> Iterator[Outcome]:
        """Yield what became of each put."""
        return chain(self.files, self.pages)


class Staging:
    """Writes the puts of one plan to the disk. `digest` returns the sha256 of a file in the tree, by its path."""

    def __init__(
        self,
        disk: Filesystem,
        *,
        precopies: Precopies,
        executor: "Executor",
        processes: int,
        hardlink: bool,
        digest: Callable[[str], str | None],
    ) -> None:
        self._disk = disk
        self._downloads = f"{disk.at(DOWNLOADS_DIRECTORY)}/"
        self._precopies = precopies
        self._executor = executor
        self._processes = processes
        self._place = self._clone_or_link if hardlink else self._copy
        self._clones = True  # whether a clone is worth a try
        self._digest = digest
        self._stopped = False
        self._last_copy: tuple[File, memoryview] | None = None  # the last file, and the part read last

    def temporary_path(self, number: int) -> str:
        """Return where the put of this number waits until it is published."""
        return f"{TEMPORARY_DIRECTORY}/{number}"

    def stage_pages(self, puts: Sequence[Put]) -> StagedPages:
        """Write the pages among the puts, which are the last ones, and return what became of each.

        All of them get temporary names. Raises OSError.
        """

        def stage_one(number: int) -> UnplacedPut:
            put = puts[number]
            assert isinstance(put.resource, Page)
            return self._stage_page(put.resource, put.previous, self.temporary_path(number))

        pages = range(_number_of_files(puts), len(puts))
        staged = map_chunks(lambda part: list(map(stage_one, part)), pages, processes=self._processes, weight=_PAGE)
        return StagedPages(staged)

    def stage_files(self, puts: Sequence[Put], *, place_new_files: bool) -> list[Outcome]:
        """Write the files and siblings among the puts, and return what became of each.

        Small files are written first, by several processes, then large ones. `place_new_files`: write a file that no
        page can name yet to its path in the tree. Raises FileChanged, DestinationError and OSError; all writing has
        ended by then.
        """

        def stage_one(number: int) -> Outcome:
            return self._stage_one(puts[number], number, place_new_files=place_new_files)

        outcomes: list[Outcome] = [""] * _number_of_files(puts)
        small = [number for number in _by_path(puts) if not _is_large(puts[number])]
        results = map_chunks(lambda part: list(map(stage_one, part)), small, processes=self._processes)
        for number, outcome in zip(small, results, strict=True):
            outcomes[number] = outcome
        futures = {
            number: self._executor.submit(stage_one, number) for number, put in enumerate(puts) if _is_large(put)
        }
        try:
            for number, future in futures.items():
                outcomes[number] = future.result()
        except BaseException:
            from concurrent.futures import wait  # here, since most builds succeed

            self._stopped = True
            for future in futures.values():
                future.cancel()
            wait(futures.values())
            raise
        return outcomes

    def _stage_one(self, put: Put, number: int, *, place_new_files: bool) -> Outcome:
        resource = put.resource
        assert not isinstance(resource, Page)
        is_temporary = not (place_new_files and put.is_new)
        target = self.temporary_path(number) if is_temporary else resource.path
        if isinstance(resource, SiblingResource):
            fingerprint = self._create(target, self._metadata(resource.file))
        elif isinstance(resource, VariantsResource | ProvenanceResource):
            fingerprint = self._create(target, made_bytes(resource))
        else:
            if not is_temporary:
                self._disk.make_directory(os.path.dirname(target))
            fingerprint = self._stage_file(resource, target)
        return UnplacedPut(resource.key, is_temporary=True) if is_temporary else fingerprint

    def _stage_page(self, page: Page, previous: HeldEntry | None, target: str) -> UnplacedPut:
        data = page.render()
        sha256 = hashlib.sha256(data).hexdigest()
        if previous:
            entry, intact = previous
            if sha256 == (entry.sha256 if intact else self._digest(entry.path)):
                return UnplacedPut(sha256, is_temporary=False)
        self._create(target, data, after=previous.entry.fingerprint if previous else "")
        return UnplacedPut(sha256, is_temporary=True)

    def _stage_file(self, resource: FileResource, target: str) -> str:
        if resource.file.local.root.startswith(self._downloads):
            return self._adopt(resource.file, target)
        if self._precopies.move(resource.path, target):
            return self._disk.fingerprint(target)
        return self._place(resource.file, target)

    def _create(self, target: str, data: bytes, *, after: str = "") -> str:
        """Write a file, and return its fingerprint.

        `after`: the fingerprint of the page that it replaces. Its time of modification is in a later second than that.
        """
        try:
            descriptor = self._disk.create(target)
        except FileNotFoundError:
            self._disk.make_directory(os.path.dirname(target))
            descriptor = self._disk.create(target)
        try:
            self._disk.write(descriptor, data)
            status = os.fstat(descriptor)
            # If-Modified-Since has a resolution of one second: within the same second, clients would get a 304.
            previous = Fingerprint.parse(after) if after else None
            second = previous.mtime_ns // _SECOND if previous else 0
            if status.st_mtime_ns // _SECOND <= second:
                self._disk.date(descriptor, (second + 1) * _SECOND)
                status = os.fstat(descriptor)
            return fingerprint_text(status)
        finally:
            os.close(descriptor)

    def _copy(self, file: File, target: str) -> str:
        """Copy a file, and return the fingerprint of the copy. Raises FileChanged if it has another hash."""

        def write(descriptor: int, data: memoryview) -> None:
            if self._stopped:
                raise DestinationError("stopped")
            self._disk.write(descriptor, data)
            self._last_copy = file, data

        with _open(file.local.path, file) as source:
            descriptor = self._disk.create(target)
            try:
                if copy(source, descriptor, size=file.local.size, disk=self._disk, write=write) != file.sha256:
                    raise FileChanged(file)
                return fingerprint_text(os.fstat(descriptor))
            finally:
                os.close(descriptor)

    def _metadata(self, file: File) -> bytes:
        """Return the METADATA of a wheel. Raises FileChanged if it is not where it was, or not the same."""
        from mkindex.distributions.zips import random_access  # here, since most builds write nothing

        if self._last_copy and self._last_copy[0] is file and len(self._last_copy[1]) == file.size:
            whole = self._last_copy[1]
            return read_metadata(file, lambda start, length: bytes(whole[start : start + length]))
        copied = self._precopies.find(file_path(file.sha256, file.filename))
        with self._disk.open(copied) if copied else _open(file.local.path, file) as wheel:
            return read_metadata(file, random_access(wheel))

    def _adopt(self, file: File, target: str) -> str:
        """Publish a download itself, not a copy. Its fingerprint is taken later, when the download is deleted."""
        try:
            self._make_link(file, target)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            self._copy(file, target)
        return ""

    def _clone_or_link(self, file: File, target: str) -> str:
        """Clone a file if the file system can, and otherwise hard-link it. Return the fingerprint of the result.

        A source that is overwritten in place changes its hard links, and none of its clones.
        """
        return (self._clones and self._clone(file, target)) or self._link(file, target)

    def _clone(self, file: File, target: str) -> str:
        """Return the fingerprint of a clone, "" if the file system has none. Raises FileChanged."""
        with _open(file.local.path, file) as source:
            descriptor = self._disk.create(target)
            try:
                if self._disk.clone(source.fileno(), descriptor):
                    if Fingerprint.of(os.fstat(source.fileno())) != file.local.fingerprint:
                        raise FileChanged(file)
                    return fingerprint_text(os.fstat(descriptor))
            finally:
                os.close(descriptor)
        self._clones = False
        self._disk.unlink(target)
        return ""

    def _link(self, file: File, target: str) -> str:
        """Hard-link a file, and return the fingerprint of the link. Raises FileChanged if it is another file."""
        try:
            return self._make_link(file, target)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            raise DestinationError(
                f"cannot hard-link {printable(file.local.path)} into {printable(self._disk.path)} ({error.strerror}): "
                "use --link-mode copy"
            ) from error

    def _make_link(self, file: File, target: str) -> str:
        path, scanned = file.local.path, file.local.fingerprint
        own = f"{DOWNLOADS_DIRECTORY}/{path.removeprefix(self._downloads)}" if path.startswith(self._downloads) else ""
        try:
            if Fingerprint.of(self._disk.status(own) if own else os.stat(path)) != scanned:
                raise FileChanged(file)
            if own:
                self._disk.link_again(own, target)
            else:
                self._disk.link(path, target)
        except FileNotFoundError as error:
            raise FileChanged(file) from error
        # Linking changes the ctime, and nothing else.
        linked = Fingerprint.of(self._disk.status(target))
        if linked[:3] != scanned[:3]:
            raise FileChanged(file)
        return str(linked)


def staged_entries(puts: Sequence[Put], outcomes: Outcomes) -> Iterator[tuple[Position, Entry]]:
    """Yield the entries of the puts of a plan, in the order of the manifest."""
    # The puts of each stage are already in this order.
    ends = [bisect_right(puts, stage, key=lambda put: put.resource.stage) for stage in Stage]
    of_stages = [range(start, end) for start, end in zip([0, *ends], ends, strict=False)]
    for number in merge(*of_stages, key=lambda number: puts[number].resource.section):
        resource, outcome = puts[number].resource, outcomes.of(number)
        if isinstance(outcome, str):
            entry = Entry.of(resource, resource.key, outcome)
        else:
            entry = Entry.of(resource, outcome.sha256)
        yield entry.position, entry


def read_metadata(file: File, read: Callable[[int, int], bytes]) -> bytes:
    """Return the METADATA of a wheel, of which `read(start, length)` returns bytes. Raises FileChanged."""
    from mkindex.distributions.zips import Span, read_span

    try:
        raw = read_span(read, Span.parse(file.metadata_span))
    except Unreadable as error:
        raise FileChanged(file) from error
    if hashlib.sha256(raw).hexdigest() != file.core_metadata:
        raise FileChanged(file)
    return raw


def made_bytes(resource: VariantsResource | ProvenanceResource) -> bytes:
    """Return the bytes of a resource that is no copy of a file. Raises FileChanged."""
    try:
        return resource.content()
    except (OSError, Unreadable) as error:
        assert isinstance(resource, ProvenanceResource)
        raise FileChanged(resource.file, " ".join(resource.attested.paths) or resource.path) from error


def _is_large(put: Put) -> bool:
    return isinstance(put.resource, FileResource) and put.resource.file.local.size > CHUNK


def _number_of_files(puts: Sequence[Put]) -> int:
    """Return the number of files and siblings among the puts, which are ordered by stage."""
    return bisect_right(puts, Stage.METADATA, key=lambda put: put.resource.stage)


def _by_path(puts: Sequence[Put]) -> list[int]:
    """Return the numbers of files and siblings, by path.

    So a wheel comes directly before its metadata, which is then read from memory, and a directory is opened once.
    """
    return sorted(range(_number_of_files(puts)), key=lambda number: puts[number].resource.path)


def _open(path: str, file: File) -> FileIO:
    try:
        return FileIO(path)
    except FileNotFoundError as error:
        raise FileChanged(file) from error
