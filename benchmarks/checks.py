"""The scenario of checks, in a directory and on a server."""

import sys
from collections.abc import Callable

from benchmarks import webserver
from benchmarks.bench import HERE, Bench
from benchmarks.machine import cores
from benchmarks.measure import Contender, race, run
from benchmarks.report import Result, Target

CHECK_LIMITS = (("hash", "read"), ("deep", "members"))  # what reads the same bytes, for --files


def check(bench: Bench) -> Result:
    """Time a check of an index: in a directory, and on a server on this machine."""
    result = Result(title=f"Checks ({bench.place})")
    if not webserver.program():
        result.title += ": without a server, because nginx is not installed"
    peaks = {}
    for count in bench.sizes.checked:
        source = bench.make("many", count)
        tree, cache = f"{source}-checked", f"{source}-check-cache"
        run([bench.mkindex, source, tree, "--no-cache"])
        levels = ("none", "hash", "deep")
        contenders = {level: [bench.mkindex, "check", tree, "--no-cache", "--files", level] for level in levels}
        limits = {
            level: [sys.executable, f"{HERE}/limits.py", limit, str(cores()), tree] for level, limit in CHECK_LIMITS
        }
        contenders |= {f"limit of {level}": call for level, call in limits.items()}
        timings = race({level: Contender(command=call) for level, call in contenders.items()}, bench.sizes.long_rounds)
        result.add({f"{count:,} files in a directory, {level}": timing for level, timing in timings.items()}, count)
        slower = {level: timings[level].median / timings[f"limit of {level}"].median for level in limits}
        peaks[count] = timings["hash"].peak
        if not webserver.program():
            continue
        with webserver.nginx(tree, f"{source}-nginx") as url:
            for words, level, kept in (
                ("head", "head", False),
                ("hash", "hash", False),
                ("hash, again", "hash", True),
                ("deep", "deep", False),
            ):
                options = ["--files", level, *(["--cache-dir", cache] if kept else ["--no-cache"])]
                call = Contender(command=[bench.mkindex, "check", f"{url}simple/", *options])
                if kept:
                    run(call.command)
                asked = _lines(f"{source}-nginx/log")
                timing = race({words: call}, 1)[words]
                requests = _lines(f"{source}-nginx/log") - asked
                result.add({f"{count:,} files on a server, {words}: {requests:,} requests": timing}, count)
                peaks[count] = max(peaks[count], timing.peak)
    few, most = min(peaks), max(peaks)
    grown = (peaks[most] - peaks[few]) / (1 << 20)
    work = f"a check of {most:,} files ({bench.place})"
    result.targets = [
        Target(work=work, against="peak memory", value=peaks[most] / (1 << 20), bound=100, unit=" MB"),
        Target(work=work, against=f"additional memory compared with {few:,}", value=grown, bound=20, unit=" MB"),
        *(
            Target(work=f"{work} in a directory, {level}", against="its limit", value=value, bound=1.5)
            for level, value in slower.items()
        ),
    ]
    return result


def _lines(path: str) -> int:
    with open(path, "rb") as file:
        return sum(1 for _ in file)


SCENARIOS: dict[str, Callable[[Bench], Result]] = {"check": check}
