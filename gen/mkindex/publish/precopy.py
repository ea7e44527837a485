"""Large files, copied while they are hashed, before anybody knows where they belong or whether they are published."""

import errno
import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from io import FileIO
from itertools import count
from threading import Lock

from mkindex.errors import DestinationError
from mkindex.model.files import CHUNK, Artifact
from mkindex.publish.filesystem import Filesystem, os_errors
from mkindex.publish.layout import Layout
from mkindex.tree.names import file_path


class Precopies:
    """The copies that one run makes for the tree at `root`, in a directory that is swept in the end."""

    def __init__(self, layout: Layout, disk: Filesystem) -> None:
        self._root = layout.root
        self._directory = layout.temporary
        self._disk = disk
        self._numbers = count()
        self._lock = Lock()
        self._end: DestinationError | None = None  # why no copy goes on
        self._by_path: dict[str, str] = {}  # where each lies, by the path of the tree that its bytes belong at

    def take(self, artifact: Artifact, source: FileIO) -> str:
        """Copy a file, and return the sha256 of what was copied. May be called by any thread.

        Raises DestinationError when it cannot be written, and OSError when it cannot be read.
        """
        target = f"{self._directory}{os.sep}copy{next(self._numbers)}"
        # Nothing is made or removed behind the back of who sweeps.
        with self._lock, os_errors(self._root):
            self._go_on()
            self._disk.make_directory(self._directory)
            descriptor = self._disk.create(target)
        try:
            sha256 = copy(source, target, descriptor, size=artifact.size, disk=self._disk, write=self._write)
        except DestinationError as error:
            self._end = self._end or error  # and the others, which may have gigabytes before them, need not go on
            raise
        except BaseException:
            self._drop(target)
            raise
        finally:
            with os_errors(self._root):
                os.close(descriptor)
        path = file_path(sha256, artifact.filename)
        # The same file may be in two sources.
        if self._by_path.setdefault(path, target) != target:
            self._drop(target)
        return sha256

    def lies_at(self, path: str) -> str | None:
        """Return where the copy lies that belongs at a path of the tree, None where there is none."""
        return self._by_path.get(path)

    def move(self, path: str, target: str) -> bool:
        """Let the copy that belongs at a path of the tree be `target`; tell whether there was one that could be.

        Raises FileExistsError where somebody has put something there meanwhile.
        """
        found = self._by_path.pop(path, None)
        if found is None:
            return False
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
        try:
            self._disk.replace(found, target)
        except OSError as error:
            if error.errno != errno.EXDEV:  # something is mounted there
                raise
            return False
        return True

    def _drop(self, target: str) -> None:
        """Make room again; unless all is being swept, by who ends the run."""
        with self._lock, suppress(OSError):
            if not self._end:
                self._disk.unlink(target)

    def forget(self) -> None:
        """Know of no copy any more: the directory is swept."""
        self._by_path.clear()

    def stop(self) -> None:
        """Let no copy begin any more, and those that are under way end soon."""
        with self._lock:
            self._end = self._end or DestinationError("stopped")

    def _go_on(self) -> None:
        if self._end:
            raise self._end

    def _write(self, descriptor: int, data: memoryview) -> None:
        self._go_on()
        with os_errors(self._root):
            self._disk.write(descriptor, data)


def copy(
    source: FileIO,
    target: str,
    descriptor: int,
    *,
    size: int,
    disk: Filesystem,
    write: Callable[[int, memoryview], object],
) -> str:
    """Copy the first `size` bytes of a file to `target`, which is open for writing; return the sha256 of the copy.

    Raises OSError when the source cannot be read, DestinationError when the copy cannot, and what `write` does.
    """
    if size > CHUNK and disk.clone(source.fileno(), descriptor):
        # The clone stays as it is whatever happens to the source: it is what has to be hashed.
        with os_errors(target), open(target, "rb", buffering=0) as clone:
            return hashlib.file_digest(clone, "sha256").hexdigest()
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(min(CHUNK, size)))  # the same all the time: to get new pages takes as long as to copy
    while size and (length := source.readinto(buffer[:size])):
        data = buffer[:length]
        digest.update(data)
        write(descriptor, data)
        size -= length
    return digest.hexdigest()
