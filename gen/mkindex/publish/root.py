"""The root of a tree, below which nothing follows a symlink.

A tree may come from another person, and others may be able to write to it. A symlink in it must not lead mkindex to
other files of this machine, so each directory is opened by its name in the open directory above it, and must not be a
symlink; then every operation names one file in an open directory. A directory that someone replaces by a symlink
between two operations changes nothing elsewhere. The root itself may be a symlink: the user gave its path.

Windows has no descriptors of directories. There, each part of a path is checked before it is used, and a directory may
be replaced between the two.
"""

import errno
import os
import stat
from contextlib import suppress
from io import BufferedReader
from types import TracebackType
from typing import Self

from mkindex.model.files import fingerprint_text

_HAS_DESCRIPTORS = {os.open, os.mkdir, os.unlink, os.rename, os.link, os.stat} <= os.supports_dir_fd
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
# Without O_NONBLOCK, opening a pipe would wait for a writer.
_SAFELY = _NO_FOLLOW | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_DIRECTORY = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_FEW = 64  # directories that are kept open: the number of open files may be limited to 256
_JUNCTION = 0xA0000003  # IO_REPARSE_TAG_MOUNT_POINT: a symlink of Windows, for directories


class SymlinkInTree(NotADirectoryError):
    """A symlink is where a directory or a file must be."""


class NotRegular(OSError):
    """A pipe or a device is where a file must be."""


class _Directory:
    """An open directory. It is closed when no operation uses it any more, so several threads can share it."""

    __slots__ = ("descriptor",)

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __del__(self) -> None:
        os.close(self.descriptor)


class Place:
    """One path of a tree, as a name in an open directory. As a context, it puts the whole path into errors."""

    __slots__ = ("_directory", "_path", "_root", "descriptor", "name")

    def __init__(self, root: str, path: str, name: str, directory: _Directory | None) -> None:
        self.name = name  # for `dir_fd`; without descriptors the whole path
        self.descriptor = directory.descriptor if directory else None  # for `dir_fd`
        self._directory = directory
        self._root = root
        self._path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and isinstance(error, OSError) and error.filename == self.name:
            error.filename = f"{self._root}{os.sep}{self._path}"


class Root:
    """The directory at `path`, or where a symlink at `path` leads to. All other paths are below it, with "/"."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._open_directories: dict[str, _Directory] = {}

    def at(self, path: str) -> str:
        """Return a path of the tree as a path of this machine: for messages, and to look at what may be anything."""
        return f"{self.path}{os.sep}{path}"

    def forget(self) -> None:
        """Close all directories, because others may have deleted them."""
        self._open_directories.clear()

    def forget_directory(self, path: str) -> None:
        """Close a directory that has been deleted."""
        self._open_directories.pop(path, None)

    def place(self, path: str) -> Place:
        """Return where an operation finds a path. Raises SymlinkInTree, and OSError if its directory is missing."""
        above, _, name = path.rpartition("/")
        if _HAS_DESCRIPTORS:
            return Place(self.path, path, name, self._open_directories.get(above) or self.directory(above))
        self._refuse_links(above)
        return Place(self.path, path, self.at(path), None)

    def directory(self, path: str) -> _Directory:
        """Return an open directory; "" is the root."""
        found = self._open_directories.get(path)
        if found is None:
            found = _Directory(self._open(path))
            if len(self._open_directories) >= _FEW:
                self._open_directories.clear()
            self._open_directories[path] = found
        return found

    def status(self, path: str) -> os.stat_result:
        """Return the status of a path, or of the symlink there."""
        with self.place(path) as place:
            return os.stat(place.name, dir_fd=place.descriptor, follow_symlinks=False)

    def exists(self, path: str) -> bool:
        """Tell whether there is anything at a path. Raises OSError, as for a symlink on the way."""
        try:
            self.status(path)
        except SymlinkInTree:
            raise
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def fingerprint(self, path: str) -> str:
        """Return the fingerprint of the file or symlink at a path as text; "" if there is nothing."""
        with suppress(OSError):
            return fingerprint_text(self.status(path))
        return ""

    def open(self, path: str) -> BufferedReader:
        """Open a file for reading. Raises SymlinkInTree, and NotRegular for something else than a file."""
        return open(self.open_file(path, os.O_RDONLY), "rb")

    def open_file(self, path: str, flags: int) -> int:
        """Return the descriptor of a file. Raises SymlinkInTree, and NotRegular for something else than a file."""
        with self.place(path) as place:
            try:
                descriptor = os.open(place.name, flags | _SAFELY, 0o666, dir_fd=place.descriptor)
            except OSError as error:
                self._explain(error, path)
                raise
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise NotRegular(errno.EINVAL, "is not a regular file", self.at(path))
        return descriptor

    def names(self, path: str) -> list[str]:
        """Return the names in a directory, in any order."""
        if _HAS_DESCRIPTORS:
            return os.listdir(self.directory(path).descriptor)
        self._refuse_links(path)
        return os.listdir(self.at(path))

    def _open(self, path: str) -> int:
        if not path:
            return os.open(self.path, _DIRECTORY)
        above, _, name = path.rpartition("/")
        parent = self.directory(above)
        try:
            return os.open(name, _DIRECTORY | _NO_FOLLOW, dir_fd=parent.descriptor)
        except OSError as error:
            self._explain(error, path)
            raise

    def _explain(self, error: OSError, path: str) -> None:
        """Put the whole path into an error, or raise SymlinkInTree if that is its cause."""
        error.filename = self.at(path)
        # Systems differ in the error for a symlink that is not followed.
        is_link = False
        if error.errno in (errno.ENOTDIR, errno.ELOOP, errno.EMLINK):
            with suppress(OSError):
                is_link = _is_link(self.status(path))
        if is_link:
            raise SymlinkInTree(errno.ENOTDIR, "is a symlink", error.filename) from error

    def _refuse_links(self, path: str) -> None:
        above = path.rpartition("/")[0]
        if above:
            self._refuse_links(above)
        if path and _is_link(os.lstat(self.at(path))):
            raise SymlinkInTree(errno.ENOTDIR, "is a symlink", self.at(path))


def _is_link(status: os.stat_result) -> bool:
    return stat.S_ISLNK(status.st_mode) or getattr(status, "st_reparse_tag", 0) == _JUNCTION
