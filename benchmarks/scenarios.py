"""The scenarios of builds. Programs that are compared run in turns, and their medians are compared."""

import shutil
import sys
from collections.abc import Callable
from functools import partial
from subprocess import check_call

from benchmarks import peers
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
)
from benchmarks.measure import Contender, clear, file_calls, race, run
from benchmarks.report import Result, Target


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


SCENARIOS: dict[str, Callable[[Bench], Result]] = {
    "cold": cold,
    "huge-link": huge_link,
    "huge-copy": huge_copy,
    "unchanged": unchanged,
    "growth": growth,
    "memory": memory,
    "shapes": shapes,
    "lists": lists,
    "start": start,
    "calls": calls,
}
ANYWHERE = {"start", "calls"}  # measured in one place only, because the place makes no difference
ON_DISK = {"cold", "huge-link", "huge-copy", "unchanged"}  # of the others, a disk changes only the time of the disk
