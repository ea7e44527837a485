"""Every change to a published tree on disk, in one class, so that a test can replace the disk and make it fail."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from mkindex.errors import DestinationError
from mkindex.publish.root import NotRegular, Root, SymlinkInTree
from mkindex.text import printable

_CLONE = 0x40049409  # FICLONE, linux/fs.h: share the blocks of one file with another, copied when written to
_FOLLOWS_LINKS = (
    os.link not in os.supports_follow_symlinks
)  # whether a hard link of a symlink must be one of its target
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Filesystem(Root):
    """A root whose tree can be changed. Each operation raises OSError."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self._can_clone = sys.platform == "linux"

    def make_directory(self, path: str) -> None:
        """Make a directory and its missing parents."""
        try:
            self._make(path)
        except FileNotFoundError:
            above = path.rpartition("/")[0]
            self.forget()  # one of the open directories may have been deleted
            if above:
                self.make_directory(above)
            self._make(path)

    def _make(self, path: str) -> None:
        try:
            with self.place(path) as place:
                os.mkdir(place.name, dir_fd=place.descriptor)
        except FileExistsError:
            pass

    def create(self, path: str) -> int:
        """Create a file that must not exist, and return its descriptor, for writing and reading."""
        # The umask decides who may read it, because a web server runs as another user.
        with self.place(path) as place:
            return os.open(place.name, _CREATE, 0o666, dir_fd=place.descriptor)

    def write(self, descriptor: int, data: bytes | memoryview) -> None:
        """Write all of `data`."""
        written = os.write(descriptor, data)
        while written < len(data):  # after a signal, or on a disk that is nearly full
            data = data[written:]
            written = os.write(descriptor, data)

    def date(self, descriptor: int, mtime_ns: int) -> None:
        """Set the time of the last modification."""
        if os.utime in os.supports_fd:
            os.utime(descriptor, ns=(mtime_ns, mtime_ns))

    def clone(self, source: int, target: int) -> bool:
        """Make `target` share the blocks of `source`, and return whether the file system can."""
        if self._can_clone:
            import fcntl

            try:
                fcntl.ioctl(target, _CLONE, source)
            except OSError:
                self._can_clone = False
        return self._can_clone

    def link(self, source: str, target: str) -> None:
        """Hard-link a file of this machine, or the one that a symlink leads to, into the tree."""
        with self.place(target) as new:
            # With a descriptor, the system follows the symlink itself; to do that here takes longer than the link.
            is_followed = new.descriptor is not None and os.link in os.supports_follow_symlinks
            os.link(source if is_followed else os.path.realpath(source), new.name, dst_dir_fd=new.descriptor)

    def link_again(self, path: str, target: str) -> None:
        """Give a file of the tree a second path."""
        with self.place(path) as old, self.place(target) as new:
            os.link(
                old.name, new.name, src_dir_fd=old.descriptor, dst_dir_fd=new.descriptor, follow_symlinks=_FOLLOWS_LINKS
            )

    def replace(self, source: str, target: str) -> None:
        with self.place(source) as old, self.place(target) as new:
            os.replace(old.name, new.name, src_dir_fd=old.descriptor, dst_dir_fd=new.descriptor)

    def unlink(self, path: str) -> None:
        with self.place(path) as place:
            os.unlink(place.name, dir_fd=place.descriptor)

    def remove_directory(self, path: str) -> None:
        with self.place(path) as place:
            os.rmdir(place.name, dir_fd=place.descriptor)
        self.forget_directory(path)

    def flush(self, descriptor: int) -> None:
        """Wait until the bytes of a file would survive a power failure."""
        os.fsync(descriptor)

    def flush_directory(self, path: str) -> None:
        """Wait until the names in a directory would survive a power failure."""
        if sys.platform != "win32":
            directory = self.directory(path)
            os.fsync(directory.descriptor)

    def sync(self) -> None:
        """Wait until everything written to the file system of the tree would survive a power failure."""
        if sys.platform == "linux":
            import ctypes

            directory = self.directory("")
            if ctypes.CDLL(None, use_errno=True).syncfs(directory.descriptor) != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), self.path)
        elif hasattr(os, "sync"):
            os.sync()


@contextmanager
def os_errors(path: str) -> Iterator[None]:
    """Raise each OSError as a DestinationError that says what to do. `path`: where, if the error does not say."""
    try:
        yield
    except SymlinkInTree as error:
        raise DestinationError(
            f"{printable(str(error.filename))} is a symlink, and mkindex follows none in a destination: "
            "replace it by what it leads to. To keep a directory on another disk, mount it there"
        ) from error
    except NotRegular as error:
        raise DestinationError(
            f"{printable(str(error.filename))} is not a regular file: mkindex did not make it. Delete it"
        ) from error
    except OSError as error:
        where = printable(str(error.filename or path))
        hint = {
            errno.ENOSPC: "Free some space and run again",
            errno.EDQUOT: "Free some space and run again",
            errno.EACCES: "Give this user permission to write there",
            errno.EPERM: "Give this user permission to write there",
            errno.EROFS: "Choose a writable destination",
            errno.ENOTDIR: "A file is where a directory must be. Move it away",
            errno.EISDIR: "A directory is where a file must be. Move it away",
        }.get(error.errno or 0, "Fix the cause and run again")
        raise DestinationError(f"cannot write {where}: {error.strerror}. {hint}") from error
