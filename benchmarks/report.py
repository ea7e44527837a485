"""The results of the measurements, and the page that shows them."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.machine import describe, read
from benchmarks.measure import Timing
from benchmarks.peers import installed, version

INTRODUCTION = """# The speed of mkindex, compared with peers and limits

This page is written by `make bench`; the scripts beside it are the whole benchmark.

The programs that are compared ran in turns. The file system was synced before each run, and the medians are compared.
Times are those of whole processes including start-up, with the data in the page cache. Peak memory is that of the
largest process; values below about 25 MB cannot be distinguished. A limit is a minimal Python program; "synced" means
that it also waits until everything is on the disk, as mkindex does and the peers do not. Files that a first run wrote
to a disk are removed only at the end, because ext4 skips recently freed inodes whenever it creates a file, which takes
several times as long as the creation itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """One line of the table of targets."""

    work: str
    against: str
    value: float
    bound: float
    at_least: bool = False
    unit: str = "x"

    @property
    def wanted(self) -> str:
        """Return the bound in words."""
        return f"{'at least' if self.at_least else 'at most'} {self.bound:g}{self.unit}"

    @property
    def verdict(self) -> str:
        """Return whether the target was met, in words."""
        is_met = self.value >= self.bound if self.at_least else self.value <= self.bound
        return "met" if is_met else "**missed**"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of a table of times."""

    name: str
    median: float
    best: float
    worst: float
    runs: int
    peak: int
    files: int | None = None


@dataclass(kw_only=True, slots=True)
class Result:
    """The results of one scenario in one place."""

    title: str
    notes: list[str] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    calls: dict[str, dict[str, float]] = field(default_factory=dict)  # command → system call → calls per file

    def add(self, timings: dict[str, Timing], files: int | None = None) -> None:
        """Add the times of a race."""
        for name, timing in timings.items():
            times = sorted(timing.seconds)
            row = Row(
                name=name,
                median=timing.median,
                best=times[0],
                worst=times[-1],
                runs=len(times),
                peak=timing.peak,
                files=files,
            )
            self.rows.append(row)


def recall(path: str) -> dict[str, Result]:
    """Read the results of earlier runs."""
    text = read(path)
    return {key: from_dict(result) for key, result in json.loads(text).items()} if text else {}


def from_dict(result: dict[str, Any]) -> Result:
    """Create a result from the dictionary that `asdict` made of one."""
    targets = [Target(**target) for target in result["targets"]]
    return Result(**result | {"targets": targets, "rows": [Row(**row) for row in result["rows"]]})


def remember(path: str, results: dict[str, Result]) -> None:
    """Save the results for later runs."""
    with open(path, "w") as file:
        json.dump({key: asdict(result) for key, result in results.items()}, file)


def page(mkindex: str, results: dict[str, Result], *, picture: str = "") -> str:
    """Return the whole page, as Markdown. `picture`: the name of its picture, "" for none."""
    versions = {"mkindex": mkindex, "peers": ", ".join(f"{name} {version(name)}" for name in installed())}
    parts = [
        INTRODUCTION,
        table(["measured on", ""], [list(fact) for fact in (describe() | versions).items()]),
        *([f"![The time of the first run against the number of wheels]({picture})"] if picture else []),
        "## Targets",
        table(
            ["work", "against", "measured", "target", ""],
            [
                [target.work, target.against, f"{target.value:.3g}{target.unit}", target.wanted, target.verdict]
                for result in results.values()
                for target in result.targets
            ],
        ),
    ]
    for result in results.values():
        parts += [f"## {result.title}", *result.notes]
        if result.rows:
            parts.append(times(result.rows))
        if result.calls:
            parts.append(calls(result.calls))
    return "\n\n".join(parts) + "\n"


def times(rows: list[Row]) -> str:
    """Return a table of times."""
    return table(
        ["", "median", "best to worst", "runs", "per file", "peak memory"],
        [
            [
                row.name,
                seconds(row.median),
                f"{seconds(row.best)} to {seconds(row.worst)}",
                str(row.runs),
                f"{row.median / row.files * 1e6:,.0f} µs" if row.files else "",
                f"{row.peak / (1 << 20):.0f} MB" if row.peak else "",
            ]
            for row in rows
        ],
    )


def calls(counts: dict[str, dict[str, float]]) -> str:
    """Return a table of system calls per file, the most frequent first."""
    names = {name: sum(by.get(name, 0) for by in counts.values()) for by in counts.values() for name in by}
    shown = [name for name in sorted(names, key=lambda name: (-names[name], name)) if names[name] >= 0.01]
    lines = [[name, *(f"{by.get(name, 0):.2f}" for by in counts.values())] for name in shown]
    return table(["calls per file", *counts], [*lines, ["all", *(f"{sum(by.values()):.1f}" for by in counts.values())]])


def seconds(time: float) -> str:
    """Format a time."""
    return f"{time:.2f} s" if time >= 1 else f"{time * 1000:.0f} ms"


def table(head: list[str], lines: list[list[str]]) -> str:
    """Return a table in Markdown."""
    rule = ["---"] * len(head)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rule, *lines])
