"""Measure time and memory against the number of files of a list: `python -m benchmarks.scale [--files N…] [--jobs N…]`.

A list of JSON lines is made with fourteen files a project, as the public index has on average, and built twice: into an
empty directory, and again with nothing to do. With `--per-project 2` it has more projects, which take memory. Tables go
to standard output; --pictures DIR also draws them. Pages and temporary files need about 3 KB of disk for each file:
--place says where they go.
"""

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.corpus import OLD, TAGS, project
from benchmarks.machine import PLACES
from benchmarks.measure import Cost, cost
from benchmarks.picture import draw
from benchmarks.report import seconds, table

URL = "https://example.com/packages"
Point = tuple[int, Cost]  # number of files, and what a build of them costs


def listing(count: int, per_project: int, *, in_order: bool) -> Iterator[str]:
    """Yield the lines: all files of a project together, or those of all projects in turn."""
    rng = random.Random(count)
    projects = -(-count // per_project)
    for number in range(count):
        which, release = divmod(number, per_project) if in_order else reversed(divmod(number, projects))
        line = {
            "filename": f"{project(which)}-1.{release // 2}.{rng.randrange(9)}-{TAGS[release % 2]}.whl",
            "hash": f"sha256={rng.randbytes(32).hex()}",
            "requires_python": ">=3.9",
            "core_metadata": f"sha256={rng.randbytes(32).hex()}",
            "upload_timestamp": OLD + number,
        }
        yield f"{json.dumps(line)}\n"


def measure(count: int, per_project: int, jobs: int, place: Path, *, in_order: bool) -> tuple[Cost, Cost]:
    """Return what the first build of a list and one with nothing to do cost."""
    lines, tree = place / "list.jsonl", place / "tree"
    with lines.open("w") as file:
        file.writelines(listing(count, per_project, in_order=in_order))
    command = [sys.executable, "-m", "mkindex", str(lines), str(tree), "--files-url", URL, "--no-cache", "--quiet"]
    command += ["--jobs", str(jobs)]
    first, again = cost(command), cost(command)
    shutil.rmtree(tree)
    return first, again


def lines_of(name: str, points: Sequence[Point]) -> list[list[str]]:
    """Return the lines of the table for one series."""
    return [
        [
            name,
            f"{count:,}",
            seconds(one.seconds),
            seconds(one.processor),
            f"{one.processor / count * 1e6:.0f} µs",
            f"{one.peak / (1 << 20):.0f} MB",
        ]
        for count, one in points
    ]


def main() -> None:
    """Measure, print the table, and draw the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="files of each list")
    parser.add_argument("--per-project", type=int, default=14, help="files of each project")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2], help="processes")
    parser.add_argument("--in-order", action="store_true", help="all files of a project are together in the list")
    parser.add_argument("--place", default=PLACES["memory"], help="directory for lists, trees and temporary files")
    parser.add_argument("--pictures", help="directory for scale-time.svg and scale-memory.svg")
    options = parser.parse_args()
    os.environ["TMPDIR"] = options.place
    series: dict[str, list[Point]] = {}
    for jobs in options.jobs:
        name = f"{jobs} process{'es' if jobs > 1 else ''}"
        for count in options.files:
            with tempfile.TemporaryDirectory(prefix="mkindex-scale-", dir=options.place) as place:
                first, again = measure(count, options.per_project, jobs, Path(place), in_order=options.in_order)
            series.setdefault(name, []).append((count, first))
            series.setdefault(f"{name}, nothing changed", []).append((count, again))
    head = ["", "files", "time", "processor time", "per file", "peak memory"]
    print(table(head, [line for name, points in series.items() for line in lines_of(name, points)]))
    if options.pictures:
        times = {name: [(count, one.processor) for count, one in points] for name, points in series.items()}
        peaks = {name: [(count, one.peak / (1 << 20)) for count, one in points] for name, points in series.items()}
        title, where = "of a list against its number of files", Path(options.pictures)
        drawn = draw(times, title=f"Processor time {title}", across="files")
        (where / "scale-time.svg").write_text(drawn)
        drawn = draw(peaks, title=f"Peak memory {title}", across="files", unit="MB")
        (where / "scale-memory.svg").write_text(drawn)


if __name__ == "__main__":
    main()
