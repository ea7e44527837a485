"""The bytes of a plan brought to the disk: what no page can name yet where it belongs, the rest under other names."""

import errno
import hashlib
import os
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, wait
from heapq import merge
from io import FileIO
from typing import NamedTuple

from mkindex.distributions.zips import Span, random_access, read_span
from mkindex.errors import DestinationError, Unreadable
from mkindex.model.files import CHUNK, File, Fingerprint
from mkindex.parallel import map_chunks
from mkindex.publish.filesystem import Filesystem
from mkindex.publish.layout import Layout
from mkindex.publish.plan import FileChanged, Put
from mkindex.publish.precopy import Precopies, copy
from mkindex.site.render import FileResource, PageResource, SiblingResource
from mkindex.text import printable
from mkindex.tree.manifest import Stage
from mkindex.tree.names import file_path

_SECOND = 1_000_000_000  # nanoseconds


class Staged(NamedTuple):
    """A put whose bytes have no place yet: they lie under a temporary name, or turned out to be there already."""

    sha256: str
    is_temporary: bool


# What a put became: of the many that are in their place at once only the fingerprint is kept.
Outcome = str | Staged


class Staging:
    """Writes the puts of one plan to the disk. `digest` returns the sha256 of what is at a path of the tree."""

    def __init__(
        self,
        layout: Layout,
        *,
        precopies: Precopies,
        disk: Filesystem,
        executor: Executor,
        processes: int,
        hardlink: bool,
        digest: Callable[[str], str | None],
    ) -> None:
        self._layout = layout
        self._temporary = layout.temporary
        self._downloads = f"{layout.downloads}{os.sep}"
        self._precopies = precopies
        self._disk = disk
        self._executor = executor
        self._processes = processes
        self._place = self._link if hardlink else self._copy
        self._digest = digest
        self._stopped = False
        self._last_copy: tuple[File, memoryview] | None = None  # the last part that was read of the last file

    def temporary_path(self, number: int) -> str:
        """Return where the put of this number waits until it is published."""
        return f"{self._temporary}{os.sep}{number}"

    def stage(self, puts: Sequence[Put], *, place_new_files: bool) -> list[Outcome]:
        """Write the puts: small resources by several processes, if there are many, then large files by the executor.

        `place_new_files`: write a file that no page can name yet to its path in the tree at once.
        Raises Changed, DestinationError and OSError; nothing is written any more by then.
        """

        def stage_one(number: int) -> Outcome:
            return self._stage_one(puts[number], number, place_new_files=place_new_files)

        staged: list[Outcome] = [""] * len(puts)
        small = [number for number in _together(puts) if not _is_large(puts[number])]
        results = map_chunks(lambda part: list(map(stage_one, part)), small, processes=self._processes)
        for number, result in zip(small, results, strict=True):
            staged[number] = result
        futures = {
            number: self._executor.submit(stage_one, number) for number, put in enumerate(puts) if _is_large(put)
        }
        try:
            for number, future in futures.items():
                staged[number] = future.result()
        except BaseException:
            self._stopped = True
            for future in futures.values():
                future.cancel()
            wait(futures.values())
            raise
        return staged

    def _stage_one(self, put: Put, number: int, *, place_new_files: bool) -> Outcome:
        resource = put.resource
        is_temporary = not (place_new_files and put.is_new) or isinstance(resource, PageResource)
        target = self.temporary_path(number) if is_temporary else self._layout.at(resource.path)
        if isinstance(resource, PageResource):
            data = resource.render()
            sha256 = hashlib.sha256(data).hexdigest()
            if put.previous:
                entry, intact = put.previous
                if sha256 == (entry.sha256 if intact else self._digest(entry.path)):
                    return Staged(sha256, is_temporary=False)
            self._create(target, data, after=put.previous.entry.fingerprint if put.previous else "")
            return Staged(sha256, is_temporary=True)
        if isinstance(resource, SiblingResource):
            fingerprint = self._create(target, self._metadata(resource.file))
        else:
            if not is_temporary:
                self._disk.make_directory(os.path.dirname(target))
            if resource.file.local.root.startswith(self._downloads):
                fingerprint = self._adopt(resource.file, target)
            elif self._precopies.move(resource.path, target):
                fingerprint = str(Fingerprint.of(os.lstat(target)))
            else:
                fingerprint = self._place(resource.file, target)
        return Staged(resource.key, is_temporary=True) if is_temporary else fingerprint

    def _create(self, target: str, data: bytes, *, after: str = "") -> str:
        """Write a file that must not look to a reader like the one that it replaces, whose fingerprint is `after`."""
        try:
            descriptor = self._disk.create(target)
        except FileNotFoundError:
            self._disk.make_directory(os.path.dirname(target))
            descriptor = self._disk.create(target)
        try:
            self._disk.write(descriptor, data)
            status = os.fstat(descriptor)
            # Many servers tell a page from the one before by whole seconds: who asks whether it has changed hears no.
            known = Fingerprint.parse(after)
            second = known.mtime_ns // _SECOND if known else 0
            if status.st_mtime_ns // _SECOND <= second:
                self._disk.date(descriptor, (second + 1) * _SECOND)
                status = os.fstat(descriptor)
            return str(Fingerprint.of(status))
        finally:
            os.close(descriptor)

    def _copy(self, file: File, target: str) -> str:
        """Copy a file, hashing what is copied; Changed when that is not what was scanned."""

        def write(descriptor: int, data: memoryview) -> None:
            if self._stopped:
                raise DestinationError("stopped")
            self._disk.write(descriptor, data)
            self._last_copy = file, data

        with _source(file.local.path, file) as source:
            descriptor = self._disk.create(target)
            try:
                if copy(source, target, descriptor, size=file.local.size, disk=self._disk, write=write) != file.sha256:
                    raise FileChanged(file)
                return str(Fingerprint.of(os.fstat(descriptor)))
            finally:
                os.close(descriptor)

    def _metadata(self, file: File) -> bytes:
        """Return the METADATA of a wheel, cut from where the scan found it; Changed when it is not that any more."""
        path = self._precopies.find(file_path(file.sha256, file.filename)) or file.local.path
        span = Span.parse(file.metadata_span or "")
        try:
            if self._last_copy and self._last_copy[0] is file and len(self._last_copy[1]) == file.size:
                whole = self._last_copy[1]
                raw = read_span(lambda start, length: bytes(whole[start : start + length]), span)
            else:
                with _source(path, file) as wheel:
                    raw = read_span(random_access(wheel), span)
        except Unreadable as error:
            raise FileChanged(file) from error
        if hashlib.sha256(raw).hexdigest() != file.core_metadata:
            raise FileChanged(file)
        return raw

    def _adopt(self, file: File, target: str) -> str:
        """Publish a download itself, without another copy; its fingerprint is taken when the download is gone."""
        try:
            self._link(file, target)
        except FileChanged:
            raise
        except DestinationError:  # a disk without hard links
            self._copy(file, target)
        return ""

    def _link(self, file: File, target: str) -> str:
        """Link a file; Changed when it is not the one that was scanned, before or since."""
        path, scanned = file.local.path, file.local.fingerprint
        try:
            if Fingerprint.of(os.stat(path)) != scanned:
                raise FileChanged(file)
            path = os.path.realpath(path)
        except FileNotFoundError as error:
            raise FileChanged(file) from error
        try:
            self._disk.link(path, target)
        except FileNotFoundError as error:
            raise FileChanged(file) from error
        except OSError as error:
            if error.errno in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP):
                raise DestinationError(
                    f"{printable(path)} cannot be linked into {printable(self._layout.root)} ({error.strerror}): "
                    "use --link-mode copy"
                ) from error
            raise
        # The link itself changes the change time, and nothing else.
        status = os.lstat(target)
        if Fingerprint.of(status)[:3] != scanned[:3]:
            raise FileChanged(file)
        return str(Fingerprint.of(status))


def _is_large(put: Put) -> bool:
    return isinstance(put.resource, FileResource) and put.resource.file.local.size > CHUNK


def _together(puts: Sequence[Put]) -> Iterator[int]:
    """Yield the numbers of the puts, so that a wheel's metadata is cut from what has just been copied."""

    def of_one_file(number: int) -> tuple[str, str]:
        resource = puts[number].resource
        return resource.section, "" if isinstance(resource, PageResource) else resource.file.sha256  # as paths begin

    ends = [bisect_right(puts, stage, key=lambda put: put.resource.stage) for stage in Stage]
    return merge(*map(range, [0, *ends], ends), key=of_one_file)


def _source(path: str, file: File) -> FileIO:
    try:
        return FileIO(path)
    except FileNotFoundError as error:
        raise FileChanged(file) from error
