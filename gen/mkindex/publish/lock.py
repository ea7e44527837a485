"""A lock, so that only one process writes to a tree. The kernel releases it if its holder dies."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mkindex.errors import DestinationError
from mkindex.text import printable

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _try_lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def exclusive(path: str, *, patience: float) -> Iterator[None]:
    """Create the lock file at `path` and its directory, hold the lock, and remove the file.

    Waits up to `patience` seconds for another holder. Raises DestinationError if that still holds the lock.
    """
    deadline = time.monotonic() + patience
    while (descriptor := _try_open_locked(path)) is None:
        if time.monotonic() >= deadline:
            raise DestinationError(
                f"another mkindex process has held {printable(path)} for {patience:.0f} s: "
                "wait until it has finished, or stop it, then run again"
            )
        time.sleep(0.05)
    try:
        yield
    finally:
        with suppress(OSError):  # Windows cannot remove an open file; an empty one does no harm
            os.unlink(path)
        os.close(descriptor)


def _try_open_locked(path: str) -> int | None:
    # Each time: the previous holder may have removed the directory if it was empty.
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except FileNotFoundError:
        return None
    with suppress(OSError):
        _try_lock(descriptor)
        # The previous holder may have removed the file after we opened it.
        if os.path.exists(path) and os.path.samestat(os.fstat(descriptor), os.stat(path)):
            return descriptor
    os.close(descriptor)
    return None
