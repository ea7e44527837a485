"""Every change to a published tree on disk, in one class, so that a test can replace the disk and make it fail."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from mkindex.errors import DestinationError
from mkindex.text import printable

_CLONE = 0x40049409  # FICLONE, linux/fs.h: share the blocks of one file with another, copied when written to
_BINARY = getattr(os, "O_BINARY", 0)
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)


class Filesystem:
    """The operations on a disk. Each of them raises OSError."""

    def __init__(self) -> None:
        self._can_clone = sys.platform == "linux"

    def make_directory(self, path: str) -> None:
        """Make a directory and its missing parents."""
        try:
            os.mkdir(path)
        except FileNotFoundError:
            self.make_directory(os.path.dirname(path))
            self.make_directory(path)
        except FileExistsError:
            pass

    def create(self, path: str) -> int:
        """Create a file that must not exist, and return its descriptor."""
        # The umask decides who may read it, because a web server runs as another user.
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | _BINARY, 0o666)

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
        os.link(source, target)

    def replace(self, source: str, target: str) -> None:
        os.replace(source, target)

    def unlink(self, path: str) -> None:
        os.unlink(path)

    def remove_directory(self, path: str) -> None:
        os.rmdir(path)

    def flush(self, descriptor: int) -> None:
        """Wait until the bytes of a file would survive a power failure."""
        os.fsync(descriptor)

    def flush_directory(self, path: str) -> None:
        """Wait until the names in a directory would survive a power failure."""
        if sys.platform != "win32":
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def sync(self, directory: str) -> None:
        """Wait until everything written to the file system of `directory` would survive a power failure."""
        if sys.platform == "linux":
            import ctypes

            descriptor = os.open(directory, os.O_RDONLY)
            try:
                if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
                    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), directory)
            finally:
                os.close(descriptor)
        elif hasattr(os, "sync"):
            os.sync()


@contextmanager
def os_errors(path: str) -> Iterator[None]:
    """Raise each OSError as a DestinationError that says what to do. `path`: where, if the error does not say."""
    try:
        yield
    except OSError as error:
        where = printable(str(error.filename or path))
        hint = {
            errno.ENOSPC: "Free some space and run again",
            errno.EDQUOT: "Free some space and run again",
            errno.EACCES: "Give this user permission to write there",
            errno.EPERM: "Give this user permission to write there",
            errno.EROFS: "Choose a writable destination",
            errno.ENOTDIR: "A file is where a directory must be. Move it away",
        }.get(error.errno or 0, "Fix the cause and run again")
        raise DestinationError(f"cannot write {where}: {error.strerror}. {hint}") from error
