"""What was measured, and the page that shows it."""

import json
import os
import platform
import ssl
import sys
from dataclasses import asdict, dataclass, field

from benchmarks.measure import Timing
from benchmarks.peers import installed


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """One line of the table of targets."""

    work: str
    against: str
    value: float
    bound: float
    beyond: float | None = None
    at_least: bool = False
    unit: str = "x"

    def reaches(self, bound: float) -> bool:
        """Say whether the value is on the right side of a bound."""
        return self.value >= bound if self.at_least else self.value <= bound

    @property
    def wanted(self) -> str:
        """The bound in words."""
        words = f"{'at least' if self.at_least else 'at most'} {self.bound:g}{self.unit}"
        return words if self.beyond is None else f"{words} (beyond: {self.beyond:g}{self.unit})"

    @property
    def verdict(self) -> str:
        """Whether the target was met."""
        if self.beyond is not None and self.reaches(self.beyond):
            return "beyond"
        return "met" if self.reaches(self.bound) else "**missed**"


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
    """What one scenario found in one place."""

    title: str
    targets: list[Target] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    calls: dict[str, dict[str, float]] = field(default_factory=dict)  # command → system call → times a file

    def add(self, timings: dict[str, Timing], files: int | None = None) -> None:
        """Take in the times of a race."""
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """The kind of machine, without its name."""

    processor: str
    cores: int
    memory: str
    kernel: str
    python: str
    openssl: str

    @classmethod
    def here(cls) -> "Machine":
        """Describe this one."""
        cpu = read("/proc/cpuinfo")
        model = next((v for k, v in pairs(cpu) if k == "model name"), platform.processor() or platform.machine())
        sha = ", with SHA instructions" if " sha_ni" in cpu or " sha2" in cpu else ""
        memory = next((v for k, v in pairs(read("/proc/meminfo")) if k == "MemTotal"), "0")
        return cls(
            processor=model + sha,
            cores=len(os.sched_getaffinity(0)),
            memory=f"{int(memory.split()[0]) / (1 << 20):.0f} GB",
            kernel=f"{platform.system()} {platform.release()}",
            python=f"{platform.python_implementation()} {platform.python_version()}",
            openssl=ssl.OPENSSL_VERSION,
        )


def read(path: str) -> str:
    """Read a file of the kernel's, where there is one."""
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def pairs(text: str) -> list[tuple[str, str]]:
    """Split `key: value` lines."""
    return [(key.strip(), value.strip()) for key, _, value in (line.partition(":") for line in text.splitlines())]


def remember(path: str, results: dict[str, Result]) -> dict[str, Result]:
    """Keep the results beside those of earlier runs, so that one scenario can be measured again alone."""
    known: dict[str, Result] = {}
    if os.path.exists(path):
        with open(path) as file:
            for key, value in json.load(file).items():
                value["targets"] = [Target(**target) for target in value["targets"]]
                value["rows"] = [Row(**row) for row in value["rows"]]
                known[key] = Result(**value)
    known |= results
    with open(path, "w") as file:
        json.dump({key: asdict(result) for key, result in known.items()}, file)
    return known


def page(mkindex: str, results: dict[str, Result]) -> str:
    """Write the whole page."""
    machine = asdict(Machine.here())
    peers = ", ".join(f"{name} {version}" for name, version in installed().items())
    command = " ".join(["python -m benchmarks.run", *sys.argv[1:]])
    parts = [
        "# How fast mkindex is, beside its peers and its limits",
        f"Written by `make bench` (last part: `{command}`); the scripts beside this page say how.",
        table(["", ""], [[key, str(value)] for key, value in machine.items()]),
        f"{mkindex}; peers: {peers or 'none installed'}.",
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
        parts.append(f"## {result.title}")
        if result.rows:
            parts.append(times(result.rows))
        if result.calls:
            parts.append(calls(result.calls))
    return "\n\n".join(parts) + "\n"


def times(rows: list[Row]) -> str:
    """Write a table of times."""
    return table(
        ["", "median", "best to worst", "runs", "a file", "peak memory"],
        [
            [
                row.name,
                seconds(row.median),
                f"{seconds(row.best)} to {seconds(row.worst)}",
                str(row.runs),
                f"{row.median / row.files * 1e6:,.0f} µs" if row.files else "",
                f"{row.peak / (1 << 20):.0f} MB",
            ]
            for row in rows
        ],
    )


def calls(counts: dict[str, dict[str, float]]) -> str:
    """Write a table of system calls a file, the most frequent first."""
    names = {name: sum(by.get(name, 0) for by in counts.values()) for by in counts.values() for name in by}
    shown = [name for name in sorted(names, key=lambda name: (-names[name], name)) if names[name] >= 0.01]
    lines = [[name, *(f"{by.get(name, 0):.2f}" for by in counts.values())] for name in shown]
    return table(
        ["calls a file", *counts], [*lines, ["all", *(f"{sum(by.values()):.1f}" for by in counts.values())]]
    )


def seconds(time: float) -> str:
    """Write a time."""
    return f"{time:.2f} s" if time >= 1 else f"{time * 1000:.0f} ms"


def table(head: list[str], lines: list[list[str]]) -> str:
    """Write a table in Markdown."""
    rule = ["---"] * len(head)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rule, *lines])
