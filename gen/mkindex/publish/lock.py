"""A lock, so that only one process writes to a tree. The kernel releases it if its holder dies."""

import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mkindex.errors import DestinationError
from mkindex.publish.root import Root
from mkindex.text import printable
from mkindex.tree.names import LOCK, STATE_DIRECTORY

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _try_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK)  # by another process


@contextmanager
def exclusive(root: Root, *, patience: float) -> Iterator[None]:
    """Create the lock file of a tree and the directories that it is in, hold the lock, and remove the file.

    Waits up to `patience` seconds for another holder. Raises DestinationError if that still holds the lock, or if the
    file system has no locks, and OSError if the file cannot be created.
    """
    deadline = time.monotonic() + patience
    while (descriptor := _try_open_locked(root)) is None:
        if time.monotonic() >= deadline:
            raise DestinationError(
                f"another mkindex process has held {printable(root.at(LOCK))} for {patience:.0f} s: "
                "wait until it has finished, or stop it, then run again"
            )
        time.sleep(0.05)
    try:
        yield
    finally:
        with (
            suppress(OSError),
            root.place(LOCK) as place,
        ):  # Windows cannot remove an open file; an empty one is harmless
            os.unlink(place.name, dir_fd=place.descriptor)
        os.close(descriptor)


def _try_open_locked(root: Root) -> int | None:
    # Each time: the previous holder may have removed the directories if they were empty.
    root.forget()
    os.makedirs(root.path, exist_ok=True)
    try:
        with suppress(FileExistsError), root.place(STATE_DIRECTORY) as place:
            os.mkdir(place.name, dir_fd=place.descriptor)
        descriptor = root.open_file(LOCK, os.O_RDWR | os.O_CREAT)
    except FileNotFoundError:
        return None
    is_ours = False
    try:
        is_ours = _lock(descriptor, root)
    finally:
        if not is_ours:
            os.close(descriptor)
    return descriptor if is_ours else None


def _lock(descriptor: int, root: Root) -> bool:
    """Lock the open lock file, and return whether this process holds the lock of the tree."""
    try:
        _try_lock(descriptor)
    except OSError as error:
        if error.errno in _HELD:
            return False
        raise DestinationError(
            f"cannot lock {printable(root.at(LOCK))}: {error.strerror}. This file system has no locks: "
            "publish to a directory on another one, and copy the tree here"
        ) from error
    # The previous holder may have removed the file after we opened it.
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), root.status(LOCK))
    return False
