"""The scenarios, one function each. Programs that are compared run in turns, and their medians are compared."""

import itertools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from subprocess import check_call

from benchmarks import corpus, peers, webserver
from benchmarks.bench import (
    BARE,
    COPY,
    HERE,
    LINK,
    Bench,
    bare,
    first_runs,
    one_added,
    settle,
    wait,
)
from benchmarks.machine import cores, read
from benchmarks.measure import Contender, Timing, clear, cpu_seconds, file_calls, peak_memory, race, run
from benchmarks.report import Result, Target, seconds

SETTLE = 0.3  # seconds, the default of --settle
CHECK_LIMITS = (("hash", "read"), ("deep", "members"))  # what reads the same bytes, for --files


def cold(bench: Bench) -> Result:
    """Time the first run over tiny wheels."""
    count = bench.sizes.tiny
    source = bench.make("many", count)
    run(bench.build(source).command)  # so that Python has its compiled modules in the cache
    limits = bench.limit("hash on threads + link", "link", source)
    contenders = {
        COPY: bench.build(source),
        LINK: bench.build(source, "hardlink"),
        **limits,
        **bench.limit("hash + link, one thread", "link", source, jobs=1),
        **first_runs(bench.peers(source)),
    }
    result = Result(title=f"{count:,} tiny wheels, the first run ({bench.place})")
    timings = race(contenders, bench.sizes.rounds, aside=bench.aside)
    result.add(timings, count)
    ours = timings[COPY].median
    target = partial(Target, work=f"{count:,} tiny wheels, cold, copy ({bench.place})")
    for name in ("simple503", "simple-repository-generator"):
        if name in timings:
            value = timings[name].median / ours
            result.targets.append(target(against=name, value=value, bound=3, at_least=True))
    for name in limits:
        result.targets.append(target(against=name, value=ours / timings[name].median, bound=1.3))
    linked = Target(
        work=f"{count:,} tiny wheels, cold, hardlink ({bench.place})",
        against="copy",
        value=timings[LINK].median / ours,
        bound=0.9,
    )
    result.targets.append(linked)
    return result


def huge_link(bench: Bench) -> Result:
    """Time the first run over huge wheels that are linked."""
    source, wheels = bench.make_huge(bench.sizes.huge, copies=1)
    limits = bench.limit("hash on threads", "hash", source)
    timings = race({LINK: bench.build(source, "hardlink"), **limits}, bench.sizes.long_rounds)
    clear(source)
    result = Result(title=f"{wheels}, linked ({bench.place})")
    result.add(timings)
    for name in limits:
        target = Target(
            work=f"{wheels}, cold, hardlink ({bench.place})",
            against=name,
            value=timings[LINK].median / timings[name].median,
            bound=1.2,
        )
        result.targets.append(target)
    return result


def huge_copy(bench: Bench) -> Result:
    """Time the first run over huge wheels that are copied."""
    source, wheels = bench.make_huge(bench.sizes.huge, copies=2)
    limits = {
        **bench.limit("cp, then hash on threads", "cp", source),
        **bench.limit("copy and hash in one pass on threads", "copy", source),
    }
    timings = race({COPY: bench.build(source), **limits}, bench.sizes.long_rounds)
    clear(source)
    result = Result(title=f"{wheels}, copied ({bench.place})")
    result.add(timings)
    for synced in (False, True):
        if times := {name: timings[name].median for name in limits if name.endswith("synced") == synced}:
            best = min(times, key=times.__getitem__)
            target = Target(
                work=f"{wheels}, cold, copy ({bench.place})",
                against=f"{best} (the faster of two limits)",
                value=timings[COPY].median / times[best],
                bound=1.3,
            )
            result.targets.append(target)
    return result


def unchanged(bench: Bench) -> Result:
    """Time a run with nothing to do, and one with one wheel to add."""
    count = bench.sizes.many
    source = bench.make("many", count)
    build = bench.build(source, cold=False)
    calls = bench.peers(source)
    for call in calls.values():
        run(call.first)
    settle(build)
    dest, listing = build.command[2], f"{source}-listing"
    with open(listing, "w+") as paths:
        check_call([sys.executable, f"{HERE}/limits.py", "list", dest], stdout=paths)
        paths.seek(0)
        if (wheels := sum(path.endswith(".whl\n") for path in paths)) != count:
            raise SystemExit(f"mkindex published {wheels} wheels of {count}")
    # Without the peers: they run for seconds in between, which disturbs commands that take milliseconds.
    timings = race(
        {
            "mkindex": build,
            "mkindex --version": Contender(command=[bench.mkindex, "--version"]),
            "walk + stat": Contender(command=[sys.executable, f"{HERE}/limits.py", "walk", source, dest, listing]),
            BARE: bare(),
        },
        2 * bench.sizes.rounds,
    )
    again = {f"{name}, again": Contender(command=call.second) for name, call in calls.items()}
    among = race({"mkindex, among peers": build, **again}, bench.sizes.long_rounds)
    result = Result(title=f"{count:,} wheels: nothing changed, and one added ({bench.place})")
    result.add(timings | among, count)
    ours, limit, start, python = (
        timings[name].median for name in ("mkindex", "walk + stat", "mkindex --version", BARE)
    )
    target = partial(Target, work=f"{count:,} wheels, nothing changed ({bench.place})")
    result.targets += [
        target(
            against="walk + stat, both without start-up (mkindex --version)",
            value=(ours - start) / (limit - python),
            bound=1.5,
        ),
        target(against="walk + stat, without 0.05 s of start-up", value=(ours - 0.05) / limit, bound=1.5),
        *(
            target(
                against=name, value=among[name].median / among["mkindex, among peers"].median, bound=1, at_least=True
            )
            for name in again
        ),
    ]
    added = one_added(build, source, bench.sizes.rounds)
    result.add({f"mkindex, {name}": timing for name, timing in added.items()}, count)
    result.targets.append(
        Target(
            work=f"{count:,} wheels, one added ({bench.place})",
            against="nothing changed",
            value=added["one added"].median / added["nothing changed"].median,
            bound=1.15,
        )
    )
    return result


def grow(bench: Bench) -> Result:
    """Time `mkindex add` with a source that has only the new wheel, beside a build with nothing to do."""
    count = bench.sizes.many
    source = bench.make("many", count)
    build = bench.build(source, cold=False)
    settle(build)
    new, grown, cache = f"{source}-new", f"{source}-grown", f"{source}-grown-cache"
    shutil.copytree(build.command[2], grown, symlinks=True)
    add = [bench.mkindex, "add", new, grown, "--cache-dir", cache]
    versions = itertools.count()

    def make_new() -> None:
        shutil.rmtree(new, ignore_errors=True)
        os.makedirs(new)
        corpus.make_tiny([(corpus.project(0), f"9.{next(versions)}", corpus.TAGS[0])], new)

    make_new()
    run(add)  # which takes note of the copies
    contenders = {"nothing changed": build, "one added by add": Contender(command=add, before=make_new)}
    timings = race(contenders, 2 * bench.sizes.rounds)
    result = Result(
        title=f"{count:,} wheels, and one added by `mkindex add` from a directory of its own ({bench.place})"
    )
    result.add({f"mkindex, {name}": timing for name, timing in timings.items()}, count)
    result.targets.append(
        Target(
            work=f"{count:,} wheels, one added by add ({bench.place})",
            against="nothing changed",
            value=timings["one added by add"].median / timings["nothing changed"].median,
            bound=1.5,
        )
    )
    return result


def shapes(bench: Bench) -> Result:
    """Time the extremes: one project with all of the files, and a project for each."""
    count = bench.sizes.many
    result = Result(title=f"{count:,} wheels, other shapes ({bench.place})")
    for shape, words in (("one-project", "all of one project"), ("projects", "each its own project")):
        source = bench.make(shape, count)
        cold = {f"{words}, cold": bench.build(source)}
        result.add(race(cold, bench.sizes.long_rounds, aside=bench.aside), count)
        build = bench.build(source, cold=False)
        timings = one_added(build, source, bench.sizes.long_rounds)
        result.add({f"{words}, {name}": timing for name, timing in timings.items()}, count)
    return result


def growth(bench: Bench) -> Result:
    """Time more and more wheels: time and memory per file must not grow."""
    sources = {count: bench.make("many", count) for count in bench.sizes.growth}
    *_, middle, most = sources
    result = Result(title=f"From {min(sources):,} to {most:,} wheels ({bench.place})")
    for state in ("cold", "nothing changed"):
        builds = {count: bench.build(source, cold=state == "cold") for count, source in sources.items()}
        if state != "cold":
            settle(*builds.values())
        contenders = {f"{count:,}, {state}": build for count, build in builds.items()}
        timings = race(contenders, bench.sizes.long_rounds, aside=bench.aside)
        by_count = {count: timings[f"{count:,}, {state}"] for count in builds}
        for count, timing in by_count.items():
            result.add({f"{count:,}, {state}": timing}, count)
        target = partial(Target, work=f"{most:,} wheels, {state} ({bench.place})")
        a_file = {count: timing.median / count for count, timing in by_count.items()}
        more = (by_count[most].peak - by_count[middle].peak) / (most - middle) / 1024
        slope = (by_count[most].median - by_count[middle].median) / (most - middle) * 1e6
        result.notes.append(f"{state.capitalize()}, each file after the first {middle:,} costs {slope:,.1f} µs.")
        result.targets += [
            target(against=f"time per file at {middle:,}", value=a_file[most] / a_file[middle], bound=1.3),
            target(against="peak memory", value=by_count[most].peak / (1 << 20), bound=200, unit=" MB"),
            target(against=f"memory per file beyond {middle:,}", value=more, bound=2, unit=" kB"),
        ]
    return result


def memory(bench: Bench) -> Result:
    """Measure the memory that giant wheels take."""
    source, wheels = bench.make_huge(bench.sizes.giant, copies=3)
    contenders = {
        COPY: bench.build(source),
        LINK: bench.build(source, "hardlink"),
        **first_runs(bench.peers(source, "simple503", "simple-repository-generator", "index-503")),
    }
    timings = race(contenders, 1)
    clear(source)
    result = Result(title=f"{wheels}, peak memory ({bench.place})")
    result.add(timings)
    for name in (COPY, LINK):
        target = Target(
            work=f"{wheels}, {name} ({bench.place})",
            against="peak memory",
            value=timings[name].peak / (1 << 20),
            bound=60,
            unit=" MB",
        )
        result.targets.append(target)
    return result


def lists(bench: Bench) -> Result:
    """Time an index built from a package list alone, without any file, which is what dumb-pypi does."""
    count = bench.sizes.lines
    listing, url = f"{bench.make('list', count)}/list.jsonl", "https://example.com/packages"
    ours, theirs = f"{listing}-mkindex", f"{listing}-dumb-pypi"
    command = [bench.mkindex, listing, ours, "--files-url", url, "--no-cache"]
    contenders = {"mkindex": Contender(command=command, fresh=(ours,))}
    if "dumb-pypi" in peers.installed():
        contenders["dumb-pypi"] = Contender(command=peers.of_list(listing, url, theirs), fresh=(theirs,))
    result = Result(title=f"A list of {count:,} lines, the first run ({bench.place})")
    timings = race(contenders, 1)
    result.add(timings, count)
    work = f"a list of {count:,} lines ({bench.place})"
    if "dumb-pypi" in timings:
        value = timings["dumb-pypi"].median / timings["mkindex"].median
        result.targets.append(Target(work=work, against="dumb-pypi", value=value, bound=6, at_least=True))
    peak = timings["mkindex"].peak / (1 << 20)
    result.targets.append(Target(work=work, against="peak memory", value=peak, bound=300, unit=" MB"))
    return result


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


def start(bench: Bench) -> Result:
    """Time the start-up."""
    ours = Contender(command=[bench.mkindex, "--version"])
    timings = race({"mkindex --version": ours, BARE: bare()}, 3 * bench.sizes.rounds)
    result = Result(title="Start-up")
    result.add(timings)
    more = timings["mkindex --version"].median - timings[BARE].median
    target = Target(
        work="mkindex --version",
        against=f"additional time compared with {BARE}",
        value=more * 1000,
        bound=80,
        unit=" ms",
    )
    result.targets.append(target)
    return result


def calls(bench: Bench) -> Result:
    """Count the system calls per additional file: the difference between N and 2 N files, divided by N."""
    count = bench.sizes.calls
    result = Result(title=f"File system calls per additional wheel (from {count:,} to {2 * count:,})")
    if shutil.which("strace") is None:
        result.title += ": not counted, because strace is not installed"
        return result
    counts = []
    for number in (count, 2 * count):
        source = bench.make("many", number)
        contenders = {
            COPY: bench.build(source),
            LINK: bench.build(source, "hardlink"),
            **bench.limit("hash + link", "link", source, jobs=1),
            **first_runs(bench.peers(source)),
        }
        settled = bench.build(source, cold=False)
        of_each = {name: file_calls(contender) for name, contender in contenders.items()}
        settle(settled)
        counts.append(of_each | {"mkindex, nothing changed": file_calls(settled)})
    few, many = counts
    result.calls = {name: {call: (many[name][call] - few[name][call]) / count for call in many[name]} for name in many}
    return result


def watching(bench: Bench) -> Result:
    """Time how soon a page lists a wheel that is renamed into the source, and what an idle watch costs."""
    result = Result(title=f"From renaming a wheel into a watched source until its page lists it ({bench.place})")
    for count in bench.sizes.watched:
        source = bench.make("many", count)
        dest = f"{source}-watched"
        command = [bench.mkindex, source, dest, "--cache-dir", f"{dest}-cache", "--watch", "--quiet"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        try:
            timing = Timing(seconds=[arrival(source, dest, number) for number in range(bench.sizes.arrivals + 1)][1:])
            wait()
            before = cpu_seconds(process.pid)
            time.sleep(bench.sizes.idle)
            idle = cpu_seconds(process.pid) - before
            timing.peak = peak_memory(process.pid)
        finally:
            process.terminate()
            process.wait()
        result.add({f"{count:,} wheels": timing})
        times = sorted(timing.seconds)
        late = times[len(times) * 99 // 100]
        result.notes.append(
            f"With {count:,} wheels the 99th percentile is {seconds(late)}; "
            f"while idle, it used {idle:.2f} s of processor time in {bench.sizes.idle:.0f} s."
        )
        target = partial(Target, work=f"{count:,} wheels, one renamed in ({bench.place})", unit=" ms")
        more = (timing.median - SETTLE) * 1000
        bound = 50 if count <= 1_000 else 250
        result.targets += [
            target(against=f"median beyond --settle ({SETTLE:g} s)", value=more, bound=bound),
            Target(
                work=f"{count:,} wheels, an idle watch ({bench.place})",
                against=f"processor time in {bench.sizes.idle:.0f} s",
                value=idle * 1000,
                bound=100,
                unit=" ms",
            ),
        ]
    return result


def arrival(source: str, dest: str, number: int) -> float:
    """Rename a new wheel into the source; return the seconds until its page lists it."""
    project = corpus.project(number % 7)
    made = f"{source}-new"
    os.makedirs(made, exist_ok=True)
    corpus.make_tiny([(project, f"8.{number}", corpus.TAGS[0])], made)
    (name,) = os.listdir(made)
    page = f"{dest}/simple/{project.replace('_', '-')}/index.html"
    while number == 0 and not os.path.exists(page):  # the first build
        time.sleep(0.01)
    time.sleep(0.7)  # until everything for the wheel before is done
    start = time.perf_counter()
    os.rename(f"{made}/{name}", f"{source}/{name}")
    while name not in read(page):
        time.sleep(0.001)
        if time.perf_counter() - start > 60:
            raise SystemExit(f"{page} does not list {name} after a minute")
    return time.perf_counter() - start


SCENARIOS: dict[str, Callable[[Bench], Result]] = {
    "cold": cold,
    "huge-link": huge_link,
    "huge-copy": huge_copy,
    "unchanged": unchanged,
    "add": grow,
    "growth": growth,
    "memory": memory,
    "shapes": shapes,
    "lists": lists,
    "watching": watching,
    "check": check,
    "start": start,
    "calls": calls,
}
ANYWHERE = {"start", "calls"}  # measured in one place only, because the place makes no difference
