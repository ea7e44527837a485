"""Scenarios of commands and options: what each costs in comparison with a build without it, or with a limit."""

import argparse
import itertools
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks import corpus, site, webserver
from benchmarks.bench import Bench, first_runs, settle
from benchmarks.measure import Contender, Timing, race
from benchmarks.report import Result, Target

POLICY = """
[[yank]]
project = "ar*"
versions = "==1.1.0"
reason = "benchmark"

[[status]]
project = "bin*"
status = "deprecated"

[[keep]]
project = "*"
newest = 15
"""
VARIANTS = '[variants]\nby = "local"\n'
LABELS = ("cpu", "cu126", "cu128", "rocm6.4")
DELAY = 40  # milliseconds


def add(bench: Bench) -> Result:
    """Time `add` with one new wheel, against a build with nothing to do."""
    count = bench.sizes.many
    source = bench.make("many", count)
    build = bench.build(source, cold=False)
    grown = replace(build, command=[*build.command[:2], f"{source}-grown", *build.command[3:]])
    settle(build, grown)
    versions = itertools.count()

    def renew() -> None:
        arrivals = f"{source}-arrivals-{(number := next(versions))}"
        os.mkdir(arrivals)
        corpus.make_tiny([(corpus.project(0), f"9.{number}", corpus.TAGS[0])], arrivals)
        command[2] = arrivals

    command = [bench.mkindex, "add", "", f"{source}-grown", *build.command[5:]]
    contenders = {"nothing changed": build, "add, one wheel": Contender(command=command, before=renew)}
    timings = race(contenders, bench.sizes.rounds)
    result = Result(title=f"One wheel added to an index of {count:,} ({bench.place})")
    result.add(timings, count)
    value = timings["add, one wheel"].median / timings["nothing changed"].median
    work = f"add of one wheel to {count:,} ({bench.place})"
    result.targets.append(Target(work=work, against="a build, nothing changed", value=value, bound=1.15))
    return result


def policy(bench: Bench) -> Result:
    """Time builds with a policy and with variants, against those without."""
    count = bench.sizes.tiny
    plain = bench.make("many", count)
    labelled = f"{bench.root}/labelled"
    os.mkdir(labelled)
    corpus.make_tiny(_labelled(count), labelled)
    result = Result(title=f"{count:,} wheels, with a policy and with variants ({bench.place})")
    for words, source, text in (("a policy", plain, POLICY), ("variants", labelled, VARIANTS)):
        path = f"{source}.toml"
        Path(path).write_text(text)
        ruled = f"{source}-ruled"
        os.symlink(source, ruled)
        options = ["--policy", path]
        cold = {"without": bench.build(source), f"with {words}": _with(bench.build(ruled), options)}
        again = {
            "without": bench.build(source, cold=False),
            f"with {words}": _with(bench.build(ruled, cold=False), options),
        }
        for state, contenders in (("cold", cold), ("nothing changed", again)):
            if state != "cold":
                settle(*contenders.values())
            named = {f"{words}, {state}: {name}": contender for name, contender in contenders.items()}
            timings = race(named, bench.sizes.long_rounds, aside=bench.aside)
            result.add(timings, count)
            without, ours = (timing.median for timing in timings.values())
            work = f"{count:,} wheels, {words}, {state} ({bench.place})"
            result.targets.append(Target(work=work, against=f"without {words}", value=ours / without, bound=1.5))
    return result


def _labelled(count: int) -> Iterator[corpus.Name]:
    """Yield the files of releases that each have a file for each variant."""
    for number, (name, version, tag) in enumerate(corpus.many(count)):
        label = LABELS[number % len(LABELS)]
        yield name, f"{version.rpartition('.')[0]}+{label}", tag


def _with(contender: Contender, options: list[str]) -> Contender:
    return replace(contender, command=[*contender.command, *options])


def locks(bench: Bench) -> Result:
    """Time a build from a lock file, against one from the directory of the files that it names."""
    count = bench.sizes.tiny
    source = bench.make("projects", count)
    lock = f"{source}-lock/pylock.toml"
    os.mkdir(os.path.dirname(lock))
    Path(lock).write_text(_pylock(source))
    contenders = {}
    for name, given in (("a directory", source), ("pylock.toml", lock)):
        dest = f"{source}-from-{'lock' if given == lock else 'directory'}"
        contenders[name] = Contender(command=[bench.mkindex, given, dest, "--no-cache"], fresh=(dest,))
    timings = race(contenders, bench.sizes.long_rounds, aside=bench.aside)
    result = Result(title=f"A lock of {count:,} packages, cold ({bench.place})")
    result.add(timings, count)
    value = timings["pylock.toml"].median / timings["a directory"].median
    work = f"a lock of {count:,} packages, cold ({bench.place})"
    result.targets.append(Target(work=work, against="the directory of its files", value=value, bound=1.5))
    return result


def _pylock(source: str) -> str:
    parts = ['lock-version = "1.0"\ncreated-by = "benchmark"\n']
    for entry in sorted(os.scandir(source), key=lambda entry: entry.name):
        name, version, _ = entry.name.split("-", 2)
        digest = corpus.file_digest(entry.path)
        parts.append(
            f'[[packages]]\nname = "{name.replace("_", "-")}"\nversion = "{version}"\n'
            f"wheels = [{{path = {json.dumps(entry.path)}, hashes = {{sha256 = {json.dumps(digest)}}}}}]\n"
        )
    return "\n".join(parts)


def people(bench: Bench) -> Result:
    """Measure the pages for people with real READMEs."""
    count = bench.sizes.sites
    result = Result(title=f"Pages for people, {count:,} projects, processor time ({bench.place})")
    if not site.REAL.is_dir():
        result.title += ": not measured, because `make clients` was not run"
        return result
    os.mkdir(root := f"{bench.root}/site")
    used = {}
    for name, processor, _ in site.results(root, count, program=[bench.mkindex]):
        used[name] = processor
        result.add({name: Timing(seconds=[processor])}, count)
    cost = used["cold build with --site"] - used["cold build"]
    target = partial(Target, work=f"{count:,} projects, --site ({bench.place})")
    result.targets = [
        target(
            against="pkginfo and readme_renderer alone",
            value=cost / used["pkginfo and readme_renderer alone"],
            bound=site.LIMIT,
        ),
        target(
            against="nothing changed, without --site",
            value=used["nothing changed, with --site"] / used["nothing changed"],
            bound=1.5,
        ),
    ]
    return result


def network(bench: Bench) -> Result:
    """Time mkindex over HTTP, against curl with the same requests: nearby, and far away."""
    from benchmarks import wire  # here, since it imports the tests: this program must stay smaller than mkindex

    result = Result(title=f"Over HTTP, against curl with the same requests ({bench.place})")
    if not webserver.program():
        result.title += ": not measured, because nginx is not installed"
        return result
    mirrored, listed = bench.sizes.mirrored, bench.sizes.listed
    mirrors = [work for work in wire.WORKS if work.is_mirror]
    others = [work for work in wire.WORKS if not work.is_mirror]
    places = {count: Path(bench.root, f"wire-{count}-{size}") for count, size in (mirrored, listed)}
    for count, size in (mirrored, listed):
        wire.make_tree(places[count], count, corpus.parse_size(size))
    for (count, _), works, delay, http2 in (
        (mirrored, mirrors, 0, False),
        (listed, others, 0, False),
        (listed, others, DELAY, False),
        (listed, others, DELAY, True),
    ):
        far = f", {delay} ms away, HTTP/{2 if http2 else 1.1:g}" if delay else ""
        options = argparse.Namespace(delay=delay, runs=bench.sizes.long_rounds)
        with wire.serve(places[count], delay=delay, http2=http2) as server:
            for work in works:
                requests, times = wire.measured(work, [bench.mkindex], server, places[count], options)
                seconds = {name: Timing(seconds=[wall for wall, _ in some]) for name, some in times.items()}
                words = f"{work.name}{far}"
                result.add({f"{words}, {requests:,} requests: {name}": one for name, one in seconds.items()})
                target = Target(
                    work=f"{count:,} wheels, {words}",
                    against="curl",
                    value=seconds["mkindex"].median / seconds["curl"].median,
                    bound=work.target_with_delay if delay else work.target,
                )
                result.targets.append(target)
    return result


def curve(bench: Bench) -> Result:
    """Time the first runs of mkindex and its peers over more and more wheels: the data of the picture."""
    result = Result(title=f"The first run over more and more wheels ({bench.place})")
    for count in bench.sizes.curve:
        source = bench.make("many", count)
        contenders = {"mkindex": bench.build(source), **first_runs(bench.peers(source))}
        timings = race(contenders, bench.sizes.long_rounds)
        result.add({f"{name}, {count:,} wheels": timing for name, timing in timings.items()}, count)
    return result


def lines(result: Result) -> dict[str, list[tuple[int, float]]]:
    """Return for each program of `curve` its points: number of wheels, and seconds."""
    points: dict[str, list[tuple[int, float]]] = {}
    for row in result.rows:
        name = re.sub(r", [\d,]+ wheels$", "", row.name)
        points.setdefault(name, []).append((row.files or 0, row.median))
    return points


SCENARIOS: dict[str, Callable[[Bench], Result]] = {
    "curve": curve,
    "add": add,
    "policy": policy,
    "locks": locks,
    "people": people,
    "network": network,
}
