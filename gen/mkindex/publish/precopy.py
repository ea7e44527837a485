"""Copies of large files that are made while the files are hashed.

A large new file would otherwise be read twice: to hash it, and to copy it to the path that follows from its hash. It is
copied to a temporary file instead, and renamed if it is published.
"""

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
from mkindex.tree.names import TEMPORARY_DIRECTORY, file_path


class Precopies:
    """The copies that one run makes, in a directory that is emptied at the end."""

    def __init__(self, disk: Filesystem) -> None:
        self._disk = disk
        self._numbers = count()
        self._lock = Lock()
        self._end: DestinationError | None = None  # why all copying has stopped
        self._by_path: dict[str, str] = {}  # each copy, by its path in the tree

    def take(self, artifact: Artifact, source: FileIO) -> str:
        """Copy a file, and return the sha256 of the copied bytes. May be called by any thread.

        Raises DestinationError if the copy cannot be written, and OSError if the file cannot be read.
        """
        target = f"{TEMPORARY_DIRECTORY}/copy{next(self._numbers)}"
        # Locked: the thread that ends the run must not empty the directory meanwhile.
        with self._lock, os_errors(self._disk.path):
            self._raise_if_stopped()
            self._disk.make_directory(TEMPORARY_DIRECTORY)
            descriptor = self._disk.create(target)
        try:
            sha256 = copy(source, descriptor, size=artifact.size, disk=self._disk, write=self._write)
        except DestinationError as error:
            self._end = self._end or error  # the other threads, which may have gigabytes left, need not continue
            raise
        except BaseException:
            self._drop(target)
            raise
        finally:
            with os_errors(self._disk.path):
                os.close(descriptor)
        self.accept(artifact, sha256, target)
        return sha256

    def accept(self, artifact: Artifact, sha256: str, target: str) -> None:
        """Use a copy, which may come from another process."""
        path = file_path(sha256, artifact.filename)
        # The same file can be in two sources.
        if self._by_path.setdefault(path, target) != target:
            self._drop(target)

    def find(self, path: str) -> str | None:
        """Return the copy of the file at a path of the tree, or None if there is none."""
        return self._by_path.get(path)

    def move(self, path: str, target: str) -> bool:
        """Rename the copy of the file at a path of the tree to `target`, and return whether that was possible.

        Raises FileExistsError if someone else has created `target` meanwhile.
        """
        found = self._by_path.pop(path, None)
        if found is None:
            return False
        if self._disk.exists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), self._disk.at(target))
        try:
            self._disk.replace(found, target)
        except OSError as error:
            if error.errno != errno.EXDEV:  # another file system is mounted there
                raise
            return False
        return True

    def _drop(self, target: str) -> None:
        """Delete a copy that is not needed, unless the run is ending and the directory is being emptied."""
        with self._lock, suppress(OSError):
            if not self._end:
                self._disk.unlink(target)

    def forget(self) -> None:
        """Forget all copies, because the directory has been emptied."""
        self._by_path.clear()

    def stop(self) -> None:
        """Prevent further copies, and make those in progress end soon."""
        with self._lock:
            self._end = self._end or DestinationError("stopped")

    def _raise_if_stopped(self) -> None:
        if self._end:
            raise self._end

    def _write(self, descriptor: int, data: memoryview) -> None:
        self._raise_if_stopped()
        with os_errors(self._disk.path):
            self._disk.write(descriptor, data)


def copy(
    source: FileIO,
    descriptor: int,
    *,
    size: int,
    disk: Filesystem,
    write: Callable[[int, memoryview], object],
) -> str:
    """Copy the first `size` bytes of a file to an empty one, and return the sha256 of the copy.

    Raises OSError if the source cannot be read, DestinationError if a cloned copy cannot be read, and what `write`
    raises.
    """
    if size > CHUNK and disk.clone(source.fileno(), descriptor):
        # The clone is hashed, not the source, which can change after it was cloned.
        with os_errors(disk.path), FileIO(descriptor, "rb", closefd=False) as clone:
            clone.seek(0)
            return hashlib.file_digest(clone, "sha256").hexdigest()
    digest = hashlib.sha256()
    buffer = memoryview(
        bytearray(min(CHUNK, size))
    )  # used again for each part: getting new memory takes as long as copying
    while size and (length := source.readinto(buffer[:size])):
        data = buffer[:length]
        digest.update(data)
        write(descriptor, data)
        size -= length
    return digest.hexdigest()
