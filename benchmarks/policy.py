"""Measure what a policy costs: `python -m benchmarks.policy [--files N] [--pairs N] [--first-builds N]`.

Builds of the same files without a policy, with one of 20 rules, and with these and [variants] run in turns, and their
processor time (user and system, with that of their processes) is compared. The rules match almost all files and remove
almost none, so that all builds publish as much. The exit status is 1 if rules take more than LIMIT times as long.
"""

import argparse
import itertools
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
project = "c*"
versions = ">=0"

[[only]]
project = "*"
platforms = ["manylinux*_x86_64"]
pythons = ["3.12"]

[times]
cutoff = "7d"
exempt = ["zz-*"]
"""
VARIANTS = """
[variants]
by = "local"
pattern = 'cu\\d+|cpu'
"""
POLICIES = {"nothing": "", "rules": POLICY, "rules and variants": POLICY + VARIANTS}  # by what each build is with


def main() -> None:
    """Compare builds with and without a policy, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000, help="wheels (default: 100000)")
    parser.add_argument("--pairs", type=int, default=7, help="runs of each with little to do (default: 7)")
    parser.add_argument("--first-builds", type=int, default=3, help="first builds of each (default: 3)")
    parser.add_argument("--place", choices=PLACES, default="memory", help="where to build (default: memory)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mkindex-", dir=PLACES[options.place]) as root:
        is_cheap = measured(Path(root), options.files, options.pairs, options.first_builds)
    sys.exit(not is_cheap)


def measured(root: Path, files: int, pairs: int, first_builds: int) -> bool:
    """Print the times; return whether no median ratio of a build with rules is above the limit."""
    source = root / "wheels"
    source.mkdir()
    corpus.make_tiny(corpus.many(files), str(source))
    commands = [build_command(root, source, name, text) for name, text in POLICIES.items()]
    added = itertools.count()

    def add() -> None:
        corpus.make_tiny([(corpus.project(0), f"9.{next(added)}", corpus.TAGS[0])], str(source))

    time.sleep(RACY)
    works = (
        ("first build", first_builds, lambda: clear(*(str(root / name / "*") for name in POLICIES))),
        ("nothing changed", pairs, list),
        ("one wheel added", pairs, add),
    )
    rows, is_cheap = [], True
    for work, runs, before in works:
        times: list[list[float]] = [[] for _ in commands]
        for turn in range(runs):
            before()
            for number in sorted(range(len(commands)), reverse=turn % 2 == 1):
                times[number].append(processor_time(commands[number]))
        for name, some in zip(list(POLICIES)[1:], times[1:], strict=True):
            ratios = sorted(new / old for old, new in zip(times[0], some, strict=True))
            median, (low, high) = statistics.median(ratios), interval(runs)
            is_cheap &= median <= LIMIT or name != "rules"
            medians = [seconds(statistics.median(one)) for one in (times[0], some)]
            spread = f"{ratios[low]:.3f} to {ratios[high]:.3f}"
            rows.append([f"{work}, with {name}", *medians, f"{median:.3f}", spread, str(runs)])
            print(f"{work}, with {name}: {median:.3f}", file=sys.stderr)
    print(table(["processor time", "without", "with", "median ratio", "95 % interval", "runs"], rows))
    return is_cheap


def build_command(root: Path, source: Path, name: str, policy: str) -> list[str]:
    """Return the command that builds with a policy, which is written to a file; "" is none."""
    place = root / name
    place.mkdir()
    command = [sys.executable, "-m", "mkindex", str(source), f"{place}/public", "--cache-dir", f"{place}/cache"]
    if not policy:
        return command
    path = root / f"{name}.toml"
    path.write_text(policy)
    return [*command, "--policy", str(path)]


if __name__ == "__main__":
    main()
