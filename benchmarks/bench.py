"""Where and with which sizes the scenarios measure, and the steps that several of them share."""

import itertools
import os
import shlex
import sys
import time
from dataclasses import dataclass
from functools import partial

from benchmarks import corpus, peers
from benchmarks.machine import cores, room
from benchmarks.measure import Contender, Timing, race, run

HERE = os.path.dirname(os.path.abspath(__file__))
RACY = 2.5  # seconds; mkindex reads a file again if it had changed less than two seconds before the last look
BARE = "python -c pass"
COPY, LINK = "mkindex, copy", "mkindex, hardlink"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """The sizes of all scenarios."""

    tiny: int = 5_000
    many: int = 20_000
    growth: tuple[int, ...] = (1_000, 10_000, 100_000)
    huge: tuple[int, str] = (16, "256M")
    giant: tuple[int, str] = (2, "1G")
    calls: int = 1_000
    lines: int = 1_000_000
    watched: tuple[int, ...] = (1_000, 20_000)
    arrivals: int = 20  # files added while a watch runs
    idle: float = 30  # seconds
    checked: tuple[int, ...] = (1_000, 10_000)
    curve: tuple[int, ...] = (100, 1_000, 10_000)
    sites: int = 1_000
    clients: int = 200
    fetched: int = 10_000
    mirrored: tuple[int, str] = (2_000, "100K")
    listed: tuple[int, str] = (5_000, "10K")
    rounds: int = 5
    long_rounds: int = 3  # for commands that take seconds


QUICK = Sizes(
    tiny=500,
    many=1_000,
    growth=(100, 300, 1_000),
    huge=(4, "32M"),
    giant=(2, "128M"),
    calls=200,
    lines=10_000,
    watched=(100, 1_000),
    arrivals=10,
    idle=5,
    checked=(100, 500),
    curve=(50, 200),
    sites=50,
    clients=20,
    fetched=500,
    mirrored=(50, "100K"),
    listed=(60, "10K"),
    rounds=3,
    long_rounds=2,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """Where to measure, and with which sizes."""

    mkindex: str
    place: str
    root: str
    sizes: Sizes

    @property
    def aside(self) -> str | None:
        """Return the directory that keeps trees of many files until the end; None in memory, where they are removed.

        For some minutes ext4 does not reuse the inodes of removed files, and skips each of them whenever it creates a
        file. That takes several times as long as the creation itself.
        """
        return None if self.place.startswith("memory") else f"{self.root}/aside"

    def make(self, shape: str, *arguments: int | str) -> str:
        """Make a corpus, and wait until mkindex trusts the ages of its files."""
        source = f"{self.root}/{shape}-{'-'.join(map(str, arguments))}"
        run([sys.executable, f"{HERE}/corpus.py", shape, *map(str, arguments), source])
        wait()
        return source

    def build(self, source: str, mode: str = "copy", *, cold: bool = True) -> Contender:
        """Return a run of mkindex; cold: without destination and cache, on files whose links did not just change."""
        dest, cache = f"{source}-{mode}", f"{source}-{mode}-cache"
        command = [self.mkindex, source, dest, "--link-mode", mode, "--cache-dir", cache]
        return Contender(command=command, fresh=(dest, cache), before=wait) if cold else Contender(command=command)

    def limit(self, name: str, limit: str, source: str, jobs: int | None = None) -> dict[str, Contender]:
        """Return the runs of a limit: on a disk also one that waits for the disk, as mkindex does and cp does not."""
        dest = f"{source}-limit"
        command = [sys.executable, f"{HERE}/limits.py", limit, str(jobs or cores()), source]
        if limit == "hash":
            return {name: Contender(command=command)}
        contenders = {name: Contender(command=[*command, dest], fresh=(dest,))}
        if not self.place.startswith("memory"):
            synced = ["sh", "-c", f"{shlex.join([*command, dest])} && sync -f {shlex.quote(dest)}"]
            contenders[f"{name}, synced"] = Contender(command=synced, fresh=(dest,))
        return contenders

    def peers(self, source: str, *names: str) -> dict[str, peers.Calls]:
        """Prepare the peers that are installed."""
        calls = {}
        for name in names or peers.PEERS:
            if name.partition(",")[0] in peers.installed():
                os.makedirs(work := f"{source}-{name}")
                calls[name] = peers.PEERS[name](source, work)
        return calls

    def make_huge(self, wanted: tuple[int, str], copies: int) -> tuple[str, str]:
        """Make as many huge wheels as fit `copies` times; return the corpus and a description of it."""
        free = room(self.root, in_memory=self.place.startswith("memory"))
        count, size = wanted
        while count > 1 and count * corpus.parse_size(size) * copies > free * 2 // 3:
            count //= 2
        words = f"{count} wheels of {size}"
        if count < wanted[0]:
            words += f" (not enough space for {wanted[0]})"
        return self.make("huge", count, size), words


def settle(*builds: Contender) -> None:
    """Build, wait until no file is too recent to be trusted, and build again."""
    for build in builds:
        run(build.command)
    wait()
    for build in builds:
        run(build.command)


def one_added(build: Contender, source: str, rounds: int) -> dict[str, Timing]:
    """Time runs without changes and runs with one new wheel, in turns."""
    versions = itertools.count()

    def add() -> None:
        settle(build)
        corpus.make_tiny([(corpus.project(0), f"9.{next(versions)}", corpus.TAGS[0])], source)

    nothing = Contender(command=build.command, before=partial(settle, build))
    return race({"nothing changed": nothing, "one added": Contender(command=build.command, before=add)}, rounds)


def wait() -> None:
    """Wait until mkindex trusts the ages of all files."""
    time.sleep(RACY)


def first_runs(calls: dict[str, peers.Calls]) -> dict[str, Contender]:
    """Return the first runs of the peers, without any output of earlier runs."""
    return {name: Contender(command=call.first, fresh=(call.made,)) for name, call in calls.items()}


def bare() -> Contender:
    """Return a run of Python that does nothing."""
    return Contender(command=[sys.executable, "-c", "pass"])
