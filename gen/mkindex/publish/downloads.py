"""Files from servers on their way into a tree: the next run continues where an interrupted one stopped."""

import os
from contextlib import AbstractContextManager, suppress
from io import BufferedReader
from typing import BinaryIO

from mkindex.publish.filesystem import Filesystem, os_errors
from mkindex.tree.names import DOWNLOADS_DIRECTORY

_PART = "part"  # the name of a file that is not complete


class Downloads:
    """A directory for each download, which `key` names. May be used by any thread.

    What a mirror calls raises DestinationError, the rest OSError. Another process that gets a pickled one shares the
    directories, but no download: one that is taken for lost may still write while another one repeats its work.
    """

    def __init__(self, disk: Filesystem, ending: str = "") -> None:
        self._disk = disk
        self._ending = ending  # of the directories of downloads

    def __reduce__(self) -> tuple[object, ...]:
        return _share, (os.path.abspath(self._disk.path),)

    @property
    def root(self) -> str:
        """The path of the tree."""
        return self._disk.path

    def probe(self) -> AbstractContextManager[str]:
        """Make a file that shows other processes whether they have the tree. Its absolute path is the value."""
        from mkindex.publish.elsewhere import probe  # here, since most builds have no other processes

        return probe(self._disk)

    def directory(self, key: str) -> str:
        """Return the path on this machine of the directory of a download."""
        return self._disk.at(self._place(key))

    def _place(self, key: str) -> str:
        return f"{DOWNLOADS_DIRECTORY}/{key}{self._ending}"

    def open(self, key: str, filename: str, *, largest: int) -> BinaryIO:
        """Open a file for a download, with the bytes of an earlier run if there are at most `largest`."""
        directory = self._place(key)
        part = f"{directory}/{_PART}"
        with os_errors(self._disk.path):
            self._disk.make_directory(directory)
            with suppress(FileNotFoundError):  # complete, but the run that downloaded it published nothing
                self._disk.replace(f"{directory}/{filename}", part)
            with suppress(FileNotFoundError):
                descriptor = self._disk.open_file(part, os.O_RDWR)
                status = os.fstat(descriptor)
                # A file with a second path may be published already, or be someone else's.
                if status.st_size <= largest and status.st_nlink == 1:
                    return open(descriptor, "r+b")
                os.close(descriptor)
                self._disk.unlink(part)
            return open(self._disk.create(part), "r+b")

    def complete(self, key: str, filename: str) -> BufferedReader:
        """Give a complete download its filename, and open it for reading."""
        place = self._place(key)
        target = f"{place}/{filename}"
        with os_errors(self._disk.path):
            self._disk.replace(f"{place}/{_PART}", target)
            return self._disk.open(target)

    def drop(self, key: str) -> None:
        """Delete the bytes of a download that are wrong."""
        with os_errors(self._disk.path):
            self._disk.unlink(f"{self._place(key)}/{_PART}")

    def exist(self) -> bool:
        """Tell whether there are any."""
        return self._disk.exists(DOWNLOADS_DIRECTORY)

    def remove(self) -> None:
        """Delete all of them, when the files have been published."""
        if not self.exist():
            return
        for key in self._disk.names(DOWNLOADS_DIRECTORY):
            directory = f"{DOWNLOADS_DIRECTORY}/{key}"
            for name in self._disk.names(directory):
                self._disk.unlink(f"{directory}/{name}")
            self._disk.remove_directory(directory)
        self._disk.remove_directory(DOWNLOADS_DIRECTORY)


def _share(root: str) -> Downloads:
    return Downloads(Filesystem(root), os.urandom(8).hex())
