"""Run commands and measure what they cost: time, peak memory, system calls."""

import glob
import os
import re
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from benchmarks.machine import read

# System calls that do not concern files, and the line with the total of strace.
NOT_FILES = re.compile(
    "total|brk|m(map|unmap|protect|remap|advise)|futex|clone3?|execve|exit|arch_prctl|prlimit64|[a-z_]*sig[a-z_]*"
    "|rseq|sched_.*|set_.*|get(random|[a-z]*id|cwd|rusage|timeofday)|sysinfo|uname|wait4|kill|prctl|clock_.*|poll|epoll.*"
    "|restart_syscall|vfork|pipe2?|membarrier|getcpu"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Contender:
    """A command; the patterns of paths that must not exist when it starts; a function to call before each run."""

    command: list[str]
    fresh: tuple[str, ...] = ()
    before: Callable[[], object] = list


@dataclass(kw_only=True, slots=True)
class Timing:
    """The time of each run of a command, and its peak memory."""

    seconds: list[float] = field(default_factory=list)
    peak: int = 0  # bytes, the worst of all runs

    @property
    def median(self) -> float:
        """Return the median of the times."""
        return statistics.median(self.seconds)


def run(command: list[str]) -> tuple[float, int]:
    """Run a command that must succeed; return the seconds and the peak memory in bytes."""
    seconds, used = _run(command)
    return seconds, used.ru_maxrss * 1024


class Cost(NamedTuple):
    """What a command costs."""

    seconds: float
    processor: float  # seconds, of all its processes
    peak: int  # bytes, of the largest process


def cost(command: list[str]) -> Cost:
    """Run a command that must succeed; return what it costs."""
    elapsed, used = _run(command)
    return Cost(elapsed, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def processor_time(command: list[str], *, directory: str | None = None) -> float:
    """Run a command that must succeed; return its processor time and that of its children, in seconds."""
    _, used = _run(command, directory)
    return used.ru_utime + used.ru_stime


def _run(command: list[str], directory: str | None = None) -> tuple[float, resource.struct_rusage]:
    with tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, cwd=directory
        )
        # Until exec, Linux counts the memory of the parent as the child's: this program must be the smaller one.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"{command} ended with {process.returncode}:\n{said.read().decode()}")
    return seconds, usage


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used so far, in seconds."""
    user, system = read(f"/proc/{pid}/stat").rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def peak_memory(pid: int) -> int:
    """Return the peak memory of a process so far, in bytes."""
    lines = dict(line.split(":", 1) for line in read(f"/proc/{pid}/status").splitlines())
    return int(lines["VmHWM"].split()[0]) * 1024


ENOUGH = 12  # seconds that all runs of one command take before it is not run again


def race(contenders: Mapping[str, Contender], rounds: int, *, aside: str | None = None) -> dict[str, Timing]:
    """Run all contenders in turns, so that whatever disturbs the machine affects all of them.

    A command that takes many seconds runs in fewer rounds: what disturbs the machine for a moment matters less to it.
    If `aside` is a directory, trees of many files are moved there, because removing them would slow down the next run.
    """
    timings = {name: Timing() for name in contenders}
    for turn in range(rounds):
        for name in sorted(contenders, reverse=turn % 2 == 1):
            contender = contenders[name]
            if sum(timings[name].seconds) >= ENOUGH:
                continue
            clear(*contender.fresh, aside=aside)
            contender.before()
            os.sync()
            seconds, peak = run(contender.command)
            timings[name].seconds.append(seconds)
            timings[name].peak = max(timings[name].peak, peak)
            clear(*contender.fresh, aside=aside)
    return timings


def clear(*patterns: str, aside: str | None = None) -> None:
    """Remove all paths that match, or move them into the directory `aside`."""
    for pattern in patterns:
        for path in glob.glob(pattern):
            if aside:
                os.makedirs(aside, exist_ok=True)
                os.rename(path, f"{aside}/{len(os.listdir(aside))}")
            elif os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)


def file_calls(contender: Contender) -> Counter[str]:
    """Return the number of system calls that concern files, by name."""
    clear(*contender.fresh)
    contender.before()
    with tempfile.NamedTemporaryFile("r") as summary:
        run(["strace", "-f", "-c", "-o", summary.name, *contender.command])
        calls = Counter[str]()
        for line in summary:
            match line.split():
                # % time, seconds, microseconds per call, calls, errors (if any), name
                case [_, _, _, count, *_, name] if count.isdigit() and not NOT_FILES.fullmatch(name):
                    calls[name] += int(count)
    clear(*contender.fresh)
    return calls
