"""The entry point of `python -m mkindex` and of the command `mkindex`."""

import os
import sys
from contextlib import suppress


def main() -> None:
    """Run the command line and exit with its status."""
    from mkindex.cli import run

    status = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        if stream:
            with suppress(OSError):  # a failure to write results was already reported
                stream.flush()
    if sys.getprofile() or sys.gettrace():  # profilers and coverage save their results at exit
        sys.exit(status)
    # A normal exit would wait for threads that still read or send a large file, and would free all values one by one.
    os._exit(status)


if __name__ == "__main__":
    main()
