"""Run two versions of mkindex in turns, and compare the processor time that they use."""

import itertools
import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import corpus
from benchmarks.measure import clear, processor_time
from benchmarks.report import seconds, table
from benchmarks.scenarios import RACY

LIMIT = 1.03  # what the median ratio may be
URL = "https://example.com/packages"


def timed(versions: Sequence[list[str]], root: Path, pairs: int) -> bool:
    """Measure everything, and print a table."""
    root.mkdir()
    tiny, many, listing = root / "tiny", root / "many", root / "list.jsonl"
    for directory, count in ((tiny, 5_000), (many, 20_000)):
        directory.mkdir()
        corpus.make_tiny(corpus.many(count), str(directory))
    corpus.make_list(100_000, str(root))
    dest, cache = [[str(root / f"{name}{number}") for number in (0, 1)] for name in ("public", "cache")]
    builds = {
        source: [
            [*version, str(source), dest[number], "--cache-dir", cache[number]]
            for number, version in enumerate(versions)
        ]
        for source in (tiny, many)
    }
    from_list = [
        [*version, str(listing), dest[number], "--files-url", URL, "--no-cache"]
        for number, version in enumerate(versions)
    ]
    fresh = [*dest, *cache]
    added = itertools.count()

    def settle() -> None:
        time.sleep(RACY)
        for command in builds[many]:
            processor_time(command)

    def add() -> None:
        settle()
        corpus.make_tiny([(corpus.project(0), f"9.{next(added)}", corpus.TAGS[0])], str(many))

    for command in builds[tiny]:
        processor_time(command)  # Python compiles and keeps its modules
    rows, is_fast = [], True
    works: list[tuple[str, list[list[str]], Callable[[], object]]] = [
        ("5,000 wheels, cold", builds[tiny], lambda: clear(*fresh)),
        ("a list of 100,000 lines", from_list, lambda: clear(*fresh)),
        ("20,000 wheels, nothing changed", builds[many], bool),
        ("20,000 wheels, one added", builds[many], add),
    ]
    for name, commands, before in works:
        if before is bool:
            clear(*fresh)
            settle()
            settle()
        times: tuple[list[float], list[float]] = [], []
        for turn in range(pairs):
            before()
            for number in (0, 1) if turn % 2 == 0 else (1, 0):
                times[number].append(processor_time(commands[number]))
        ratios = sorted(new / old for old, new in zip(*times, strict=True))
        low, high = interval(pairs)
        median = statistics.median(ratios)
        is_fast &= median <= LIMIT
        both_times = [seconds(statistics.median(some)) for some in times]
        rows.append([name, *both_times, f"{median:.3f}", f"{ratios[low]:.3f} to {ratios[high]:.3f}", f"{pairs}"])
        print(rows[-1], file=sys.stderr)
    head = ["processor time", "old", "new", "median ratio", "95 % interval", "pairs"]
    print(table(head, rows), flush=True)
    return is_fast


def interval(number: int) -> tuple[int, int]:
    """Return which of so many sorted values enclose the true median with at least 95 % probability (all, if few)."""
    low, outside = 0, 2 / 2**number
    while outside + 2 * math.comb(number, low + 1) / 2**number <= 0.05:
        low += 1
        outside += 2 * math.comb(number, low) / 2**number
    return low, number - 1 - low
