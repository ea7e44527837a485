"""`python -m mkindex`, and what the command `mkindex` runs."""

import gc
import os
import sys
import threading


def main() -> None:
    """Run the command line and exit with its status."""
    # Of the hundred thousand values that a build makes hardly one is part of a cycle: to look for those at every 700,
    # as Python does, takes a tenth of the time of a build that has nothing to do.
    gc.set_threshold(50_000)
    from mkindex.cli import INTERRUPTED, run

    status = run(sys.argv[1:])
    if status == INTERRUPTED or threading.active_count() > 1:
        for stream in (sys.stdout, sys.stderr):
            if stream:
                stream.flush()
        os._exit(status)  # threads that still read a large file, or send one, would be waited for
    sys.exit(status)


if __name__ == "__main__":
    main()
