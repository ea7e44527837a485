"""One writer at a time, by a lock that the kernel frees when its holder dies."""

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
    """Hold the lock file at `path`, made with its directory and removed again.

    Another holder is waited for, `patience` seconds; raises DestinationError when it stays taken.
    """
    deadline = time.monotonic() + patience
    while (descriptor := _locked(path)) is None:
        if time.monotonic() >= deadline:
            raise DestinationError(
                f"another mkindex has been writing there for {patience:.0f} s (it holds {printable(path)}): "
                "wait for it, or stop it, then run again"
            )
        time.sleep(0.05)
    try:
        yield
    finally:
        with suppress(OSError):  # on Windows an open file cannot be removed; an empty one left behind does no harm
            os.unlink(path)
        os.close(descriptor)


def _locked(path: str) -> int | None:
    # In the loop: whoever held it may remove an empty directory, too.
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except FileNotFoundError:
        return None
    with suppress(OSError):
        _try_lock(descriptor)
        # The holder before us may have removed the file that we opened while it was still there.
        if os.path.exists(path) and os.path.samestat(os.fstat(descriptor), os.stat(path)):
            return descriptor
    os.close(descriptor)
    return None
