"""Every change that is made to a published tree on disk, so that a test can stand in for the disk and let it fail."""

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
    """The operations; all raise OSError."""

    def __init__(self) -> None:
        self._can_clone = sys.platform == "linux"

    def make_directory(self, path: str) -> None:
        """Make a directory, and those above it where they are missing."""
        try:
            os.mkdir(path)
        except FileNotFoundError:
            self.make_directory(os.path.dirname(path))
            self.make_directory(path)
        except FileExistsError:
            pass

    def create(self, path: str) -> int:
        """Create a file that must not exist; return its descriptor."""
        # The umask decides who may read it: a web server runs as somebody else.
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | _BINARY, 0o666)

    def write(self, descriptor: int, data: bytes | memoryview) -> None:
        """Write all of `data`."""
        written = os.write(descriptor, data)
        while written < len(data):  # a signal, or a disk that is filling up
            data = data[written:]
            written = os.write(descriptor, data)

    def date(self, descriptor: int, mtime_ns: int) -> None:
        """Set when a file was changed last."""
        if os.utime in os.supports_fd:
            os.utime(descriptor, ns=(mtime_ns, mtime_ns))

    def clone(self, source: int, target: int) -> bool:
        """Let `target` share the bytes of `source`; return whether the file system can."""
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
        """Return when what was written to a file would survive a power failure."""
        os.fsync(descriptor)

    def flush_directory(self, path: str) -> None:
        """Return when the names in a directory would survive one."""
        if sys.platform != "win32":
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def sync(self, directory: str) -> None:
        """Return when all that was written to the file system of `directory` would survive a power failure."""
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
    """Turn what the system says into what to do about it."""
    try:
        yield
    except OSError as error:
        where = printable(str(error.filename or path))
        hint = {
            errno.ENOSPC: "free some space and run again",
            errno.EDQUOT: "free some space and run again",
            errno.EACCES: "give this user the right to write there",
            errno.EPERM: "give this user the right to write there",
            errno.EROFS: "choose a destination that can be written to",
            errno.ENOTDIR: "a file stands where a directory belongs: move it away",
        }.get(error.errno or 0, "mend that and run again")
        raise DestinationError(f"cannot write {where}: {error.strerror}; {hint}") from error
