"""`python -m mkindex`, and what the command `mkindex` runs."""

import os
import sys
from contextlib import suppress


def main() -> None:
    """Run the command line and exit with its status."""
    from mkindex.cli import run

    status = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        if stream:
            with suppress(OSError):  # whoever wrote results has flushed them, and said so if that failed
                stream.flush()
    if sys.getprofile() or sys.gettrace():  # who looks on has something to do at exit
        sys.exit(status)
    # Threads that still read a large file, or send one, would be waited for; and to take all values apart takes long.
    os._exit(status)


if __name__ == "__main__":
    main()
