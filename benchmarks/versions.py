"""Compare two versions of mkindex: `python -m benchmarks.versions OLD NEW`.

OLD and NEW are Python interpreters that have mkindex installed, or `mkindex` executables. Install both in the same way
(`pip install DIRECTORY`): an editable installation starts more slowly.

--same       only compare what they publish and report (same.py)
--time       only compare the processor time that they use (ratios.py)

The exit status is 1 if anything is different, or if a median ratio of times is above the limit.
"""

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks.machine import BUILD, PLACES, forget_settings
from benchmarks.ratios import timed
from benchmarks.same import same


def command_of(path: str) -> list[str]:
    """Return how to run the mkindex of an interpreter, or of an executable."""
    path = os.path.abspath(path)
    return [path, "-m", "mkindex"] if os.path.basename(path).startswith(("python", "pypy")) else [path]


def main() -> None:
    """Compare what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("old", metavar="OLD")
    parser.add_argument("new", metavar="NEW")
    parser.add_argument("--same", action="store_true", help="only: do they publish and report the same?")
    parser.add_argument("--time", action="store_true", help="only: how long does each take?")
    parser.add_argument("--place", choices=PLACES, default="memory", help="where to build (default: memory)")
    parser.add_argument("--pairs", type=int, default=15, help="runs of each version (default: 15)")
    parser.add_argument("--aside", action="append", default=[], metavar="GLOB", help="do not compare these paths")
    options = parser.parse_args()
    forget_settings()
    versions = [command_of(options.old), command_of(options.new)]
    os.makedirs(BUILD, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # after it has removed what it made
    is_good = True
    with tempfile.TemporaryDirectory(prefix="mkindex-", dir=PLACES[options.place]) as root:
        if options.same or not options.time:
            is_good &= same(versions, Path(root, "same"), options.aside)
        if options.time or not options.same:
            is_good &= timed(versions, Path(root, "time"), options.pairs)
    sys.exit(not is_good)


if __name__ == "__main__":
    main()
