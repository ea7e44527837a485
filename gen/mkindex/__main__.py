"""The entry point of `python -m mkindex` and of the command `mkindex`."""

import os
import sys
from contextlib import suppress


def main() -> None:
    """Run the command line and exit with its status."""
    _open_closed_streams()
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


def _open_closed_streams() -> None:
    """Let what is written to a closed standard stream go nowhere, instead of into the next file that is opened."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 (open until the process ends)
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115


if __name__ == "__main__":
    main()
