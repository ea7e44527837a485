"""Bytes that other processes write into a tree, on their way to their place.

They may run on other machines, which have the tree at the same path. A process that is taken for lost may still write
while another one repeats its work, so no two of them ever use the same name.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO

from mkindex.model.files import Artifact
from mkindex.publish.filesystem import Filesystem, os_errors
from mkindex.publish.precopy import Precopies, copy
from mkindex.tree.names import TEMPORARY_DIRECTORY


@dataclass(frozen=True, slots=True)
class SharedCopies:
    """The copies that other processes make while they hash large files. `lacks` tells of which it is worthwhile."""

    disk: Filesystem
    precopies: Precopies
    lacks: Callable[[str, int], bool]

    @property
    def root(self) -> str:
        """The path of the tree."""
        return self.disk.path

    @contextmanager
    def probe(self) -> Iterator[str]:
        """Make a file that exists while the context does. Its value is the absolute path."""
        with probe(self.disk) as path:
            yield path

    def copier(self, artifact: Artifact) -> "CopyElsewhere | None":
        """Return what copies a large file in another process, None if the tree seems to have it."""
        if not self.lacks(artifact.filename, artifact.size):
            return None
        return CopyElsewhere(os.path.abspath(self.disk.path))

    def accept(self, artifact: Artifact, sha256: str, copy: str) -> None:
        """Use a copy that another process made."""
        self.precopies.accept(artifact, sha256, copy)


@dataclass(frozen=True, slots=True)
class CopyElsewhere:
    """Copies files in another process, which has the tree at the path `root`."""

    root: str

    def __call__(self, artifact: Artifact, source: FileIO) -> tuple[str, str]:
        """Copy a file; return the sha256 of the copied bytes, and the path of the copy in the tree.

        Raises DestinationError if the copy cannot be written, and OSError if the file cannot be read.
        """
        disk = Filesystem(self.root)
        target = f"{TEMPORARY_DIRECTORY}/{os.urandom(16).hex()}"
        with os_errors(self.root):
            disk.make_directory(TEMPORARY_DIRECTORY)
            descriptor = disk.create(target)
        try:

            def write(descriptor: int, data: memoryview) -> None:
                with os_errors(self.root):
                    disk.write(descriptor, data)

            return copy(source, descriptor, size=artifact.size, disk=disk, write=write), target
        finally:
            with os_errors(self.root):
                os.close(descriptor)


@contextmanager
def probe(disk: Filesystem) -> Iterator[str]:
    """Make a file that shows other processes whether they have a tree. Its absolute path is the value."""
    path = f"{TEMPORARY_DIRECTORY}/{os.urandom(16).hex()}"
    with os_errors(disk.path):
        disk.make_directory(TEMPORARY_DIRECTORY)
        os.close(disk.create(path))
    try:
        yield os.path.abspath(disk.at(path))
    finally:
        with os_errors(disk.path):
            disk.unlink(path)
