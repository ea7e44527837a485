"""Run two versions of mkindex in turns, and compare the processor time that they use, with that of their processes."""

import itertools
import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import corpus
from benchmarks.bench import RACY
from benchmarks.measure import clear, processor_time
from benchmarks.report import seconds, table

LIMIT = 1.03  # what the median ratio may be
URL = "https://example.com/packages"


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What is timed: a command for each version, and what has to be done before each pair of runs."""

    name: str
    commands: Sequence[list[str]]
    before: Callable[[], object]


def timed(versions: Sequence[list[str]], root: Path, pairs: int) -> bool:
    """Measure everything, and print a table; return whether no median ratio is above the limit."""
    root.mkdir()
    rows, is_fast = [], True
    for work in works(versions, root):
        times: tuple[list[float], list[float]] = [], []
        for turn in range(pairs):
            work.before()
            for number in (0, 1) if turn % 2 == 0 else (1, 0):
                times[number].append(processor_time(work.commands[number]))
        ratios = sorted(new / old for old, new in zip(*times, strict=True))
        median, (low, high) = statistics.median(ratios), interval(pairs)
        is_fast &= median <= LIMIT
        medians = [seconds(statistics.median(some)) for some in times]
        rows.append([work.name, *medians, f"{median:.3f}", f"{ratios[low]:.3f} to {ratios[high]:.3f}", str(pairs)])
        print(f"{work.name}: {median:.3f}", file=sys.stderr)
    print(table(["processor time", "old", "new", "median ratio", "95 % interval", "pairs"], rows), flush=True)
    return is_fast


def works(versions: Sequence[list[str]], root: Path) -> Sequence[Work]:
    """Make the corpora, and say what is timed."""
    tiny, many, listing = root / "tiny", root / "many", root / "list.jsonl"
    for directory, count in ((tiny, 5_000), (many, 20_000)):
        directory.mkdir()
        corpus.make_tiny(corpus.many(count), str(directory))
    corpus.make_list(100_000, str(root))

    def commands(source: Path, *options: str) -> list[list[str]]:
        made = [f"{source}-public-{number}" for number in range(len(versions))]
        each = zip(versions, made, strict=True)
        return [[*version, str(source), dest, "--cache-dir", f"{dest}-cache", *options] for version, dest in each]

    def fresh() -> None:
        clear(f"{tiny}-public-*", f"{listing}-public-*")

    def settle() -> None:
        """Build, wait until nothing is too recent to be trusted, and build again."""
        for wait in (0, RACY):
            time.sleep(wait)
            for command in again:
                processor_time(command)

    added = itertools.count()

    def add() -> None:
        settle()
        corpus.make_tiny([(corpus.project(0), f"9.{next(added)}", corpus.TAGS[0])], str(many))

    again = commands(many)
    settle()  # so that Python has compiled all modules, too
    return (
        Work(name="20,000 wheels, nothing changed", commands=again, before=list),
        Work(name="20,000 wheels, one added", commands=again, before=add),
        Work(name="5,000 wheels, cold", commands=commands(tiny), before=fresh),
        Work(name="a list of 100,000 lines", commands=commands(listing, "--files-url", URL), before=fresh),
    )


def interval(number: int) -> tuple[int, int]:
    """Return which of so many sorted values enclose the true median with at least 95 % probability; all, if few."""
    low, outside = 0, 2 / 2**number
    while (more := outside + 2 * math.comb(number, low + 1) / 2**number) <= 0.05:
        low, outside = low + 1, more
    return low, number - 1 - low
