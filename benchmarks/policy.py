"""Measure what a policy costs: `python -m benchmarks.policy [--files N] [--pairs N]`.

Builds of the same files with and without a policy of 20 rules run in turns, and the processor time that they use is
compared. The rules match almost all files and remove almost none, so that both builds publish as much. The exit status
is 1 if a policy takes more than LIMIT times as long.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import corpus
from benchmarks.bench import RACY
from benchmarks.machine import PLACES
from benchmarks.measure import clear, processor_time
from benchmarks.ratios import interval
from benchmarks.report import seconds, table

LIMIT = 1.10  # what the median ratio may be
POLICY = """
[[yank]]
project = "*"
versions = "==4.3.0"
reason = "broken"

[[yank]]
project = "a*"
files = "*-4.2.0-*none*"

[[yank]]
project = "*"
versions = "==0.0.*"
yanked = false

[[yank]]
project = "*"
files = "archive_*-0.0.0-*"

[[yank]]
project = "*"
versions = ">=4.1,<4.2"

[[status]]
project = "a*"
status = "archived"
reason = "use another"

[[status]]
project = "b*"
status = "deprecated"

[[status]]
project = "c*"
status = "active"

[[keep]]
project = "*"
newest = 20

[[keep]]
project = "*"
prereleases = 5

[[keep]]
project = "a*"
newest = 20
younger-than = "30d"

[[keep]]
project = "*"
newest = 60
prereleases = 5
younger-than = "30d"

[[only]]
project = "*"
versions = ">=0"

[[only]]
project = "*"
platforms = ["linux", "windows"]

[[only]]
project = "*"
pythons = ["3.11", "3.12"]

[[only]]
project = "*"
versions = "!=4.0.1"
platforms = ["linux", "windows", "macos"]

[[only]]
project = "b*"
versions = ">=0.1"

[[only]]
project = "*"
platforms = ["manylinux*_x86_64"]
pythons = ["3.12"]

[times]
cutoff = "7d"
exempt = ["zz-*"]

[variants]
by = "local"
pattern = 'cu\\d+|cpu'
"""


def main() -> None:
    """Compare builds with and without a policy, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000, help="wheels (default: 100000)")
    parser.add_argument("--pairs", type=int, default=5, help="runs of each (default: 5)")
    parser.add_argument("--place", choices=PLACES, default="memory", help="where to build (default: memory)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mkindex-", dir=PLACES[options.place]) as root:
        is_cheap = measured(Path(root), options.files, options.pairs)
    sys.exit(not is_cheap)


def measured(root: Path, files: int, pairs: int) -> bool:
    """Print the times; return whether no median ratio is above the limit."""
    source, policy = root / "wheels", root / "policy.toml"
    source.mkdir()
    corpus.make_tiny(corpus.many(files), str(source))
    policy.write_text(POLICY)
    made = [root / "without", root / "with"]
    commands = [
        [sys.executable, "-m", "mkindex", str(source), f"{one}/public", "--cache-dir", f"{one}/cache"] for one in made
    ]
    commands[1] += ["--policy", str(policy)]
    time.sleep(RACY)
    rows, is_cheap = [], True
    for name, is_cold in (("first build", True), ("nothing changed", False)):
        times: tuple[list[float], list[float]] = [], []
        for turn in range(pairs):
            for number in (0, 1) if turn % 2 == 0 else (1, 0):
                if is_cold:
                    clear(str(made[number]))
                times[number].append(processor_time(commands[number]))
        ratios = sorted(new / old for old, new in zip(*times, strict=True))
        median, (low, high) = statistics.median(ratios), interval(pairs)
        is_cheap &= median <= LIMIT
        medians = [seconds(statistics.median(some)) for some in times]
        rows.append([name, *medians, f"{median:.3f}", f"{ratios[low]:.3f} to {ratios[high]:.3f}", str(pairs)])
    print(table(["processor time", "without", "with 20 rules", "median ratio", "95 % interval", "pairs"], rows))
    return is_cheap


if __name__ == "__main__":
    main()
