"""The scenarios of programs that go on: a watch, and a server."""

import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from benchmarks import corpus
from benchmarks.bench import Bench, wait
from benchmarks.machine import read
from benchmarks.measure import Contender, Timing, cpu_seconds, peak_memory, race, run
from benchmarks.report import Result, Target, seconds

SETTLE = 0.3  # seconds, the default of --settle
STOCK, QUEUED = "python -m http.server", "http.server with a queue of 256"
WITH_QUEUE = """
import runpy, socketserver
socketserver.TCPServer.request_queue_size = 256
runpy.run_module("http.server", run_name="__main__")
"""
# A client that gets no connection tries again; otherwise the kernel waits longer and longer, up to minutes.
AGAIN = ["--connect-timeout", "2", "--retry", "30", "--retry-delay", "1", "--retry-all-errors"]
IDLE = 1 / 600  # of the time, which an idle watch may use the processor


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
                bound=round(bench.sizes.idle * 1000 * IDLE),
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


def serving(bench: Bench) -> Result:
    """Time how long it takes to send one page to many clients, against Python's own server.

    That has room for five connections that it has not accepted yet, so that many clients at once wait for seconds, or
    are refused. With a longer queue it shows what a request costs.
    """
    clients, requests = bench.sizes.clients, bench.sizes.fetched
    source = bench.make("many", bench.sizes.tiny)
    tree = f"{source}-served"
    run([bench.mkindex, source, tree, "--no-cache"])
    page = f"simple/{corpus.project(0).replace('_', '-')}/"
    result = Result(title=f"One page for {clients} clients, {requests:,} times ({bench.place})")
    options = ["--bind", "127.0.0.1", "--directory", tree, "{}"]
    servers = {
        "mkindex serve": [bench.mkindex, "serve", tree, "--quiet", "--bind", "127.0.0.1:{}"],
        STOCK: [sys.executable, "-m", "http.server", *options],
        QUEUED: [sys.executable, "-c", WITH_QUEUE, *options],
    }
    with ExitStack() as running:
        contenders = {}
        for number, (name, command) in enumerate(servers.items()):
            url, config = running.enter_context(_server(command)), f"{source}-{number}.curl"
            Path(config).write_text(f'url = "{url}{page}"\noutput = "/dev/null"\n' * requests)
            curl = ["curl", "--silent", "--fail", "--parallel", "--parallel-max", str(clients), *AGAIN]
            contenders[name] = Contender(command=[*curl, "--config", config])
        timings = race(contenders, bench.sizes.long_rounds)
    result.add(timings, requests)
    for name in (STOCK, QUEUED):
        value = timings[name].median / timings["mkindex serve"].median
        work = f"one page for {clients} clients ({bench.place})"
        result.targets.append(Target(work=work, against=name, value=value, bound=2, at_least=True))
    return result


@contextmanager
def _server(command: list[str]) -> Iterator[str]:
    """Run a server at a free port, which replaces `{}` in its command; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    filled = [word.format(port) if "{}" in word else word for word in command]
    with subprocess.Popen(filled, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(1500):
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.02)
            else:
                raise SystemExit(f"{shlex.join(filled)} does not start")
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()


SCENARIOS: dict[str, Callable[[Bench], Result]] = {"watching": watching, "serving": serving}
