"""Compare mkindex over HTTP with curl: `python -m benchmarks.wire [MKINDEX...]`.

A tree that mkindex built is served by nginx on this machine: wheels of 100 kB, ten of each project. For each work,
nginx logs the requests of mkindex, and then curl sends the same ones, up to fifty at a time: HEADs, GETs and ranges,
each kind with its own run of curl. Pages that have not changed are left out, to the advantage of curl. After a mirror,
sha256sum reads what curl fetched. Both run in turns, and the numbers are medians: seconds, and seconds of processor
time without that of nginx, then both ratios. `--peers` also runs the peers in .peers that mirror an index, once, and
compares the time for each file.

Each MKINDEX is a Python interpreter that has it installed, or an executable (default: this interpreter).
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks import corpus, measure, mirrors, webserver
from benchmarks.machine import PLACES
from benchmarks.versions import command_of

from mkindex.web.ranges import TAIL

_LOGGED = re.compile(r'"(\w+) (\S+) HTTP/[\d.]+" (\d+) .*"mkindex/')
_PER_PROJECT = 10  # wheels


class Work(NamedTuple):
    """A command of mkindex, without the program; `{}` is the address of the server."""

    name: str
    arguments: str
    target: float  # times the time of curl
    target_with_delay: float = 0.0  # 0: not measured with a delay
    is_mirror: bool = False  # sha256sum reads the files that curl fetched
    is_second: bool = False  # keep the tree and the cache of the run before


WORKS = (
    Work("mirror", "{}links.html out --remote mirror", 1.5, is_mirror=True),
    Work("mirror of an index", "{}simple/ out --all --remote mirror", 1.5, is_mirror=True),
    Work("reference, METADATA by Range", "{}ranges.html out", 3, 1.5),
    Work("nothing changed", "{}ranges.html out", 2, 1.5, is_second=True),
    Work("check", "check {}simple/ --no-cache", 3, 1.5),
)
LARGE = Work("mirror of large wheels", "{}links.html out --remote mirror", 1.15, is_mirror=True)


class Server(NamedTuple):
    """A running nginx, perhaps far away."""

    url: str
    log: Path
    options: list[str]  # of curl


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("versions", metavar="MKINDEX", nargs="*", default=[sys.executable])
    parser.add_argument("--wheels", type=int, default=1000, help="how many of 100 kB (default: 1000)")
    parser.add_argument("--large", type=int, default=0, metavar="N", help="also mirror N large wheels")
    parser.add_argument("--large-size", type=int, default=256, metavar="MB", help="of each of them (default: 256)")
    parser.add_argument("--peers", action="store_true", help="also compare the peers that mirror an index")
    parser.add_argument("--delay", type=int, default=0, metavar="MS", help="milliseconds to the server and back")
    parser.add_argument("--http2", action="store_true", help="https and HTTP/2, with a certificate made for it")
    parser.add_argument("--runs", type=int, default=3, help="of each command (default: 3)")
    options = parser.parse_args()
    works = [work for work in WORKS if work.target_with_delay] if options.delay else WORKS
    with tempfile.TemporaryDirectory(prefix="mkindex-", dir=PLACES["memory"]) as root:
        os.chmod(root, 0o755)  # nginx may run as another user
        # Without bytecode of its own modules, as some environments ask for, Python would compile them in each run.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = f"{root}/bytecode"
        large = options.large_size << 20
        for count, size, chosen in ((options.wheels, 100 << 10, works), (options.large, large, [LARGE])):
            if not count:
                continue
            place = Path(root, str(size))
            make_tree(place, count, size)
            with serve(place, delay=options.delay, http2=options.http2) as server:
                for work in chosen:
                    for version in options.versions:
                        compare(work, command_of(version), server, place, options)
                if options.peers and chosen is works:
                    compare_peers(command_of(options.versions[-1]), server, place, count)
            shutil.rmtree(place)


def make_tree(place: Path, count: int, size: int) -> None:
    """Build the tree that is served, and a page without metadata siblings."""
    (place / "wheels").mkdir(parents=True)
    corpus.make_huge(count, size, str(place / "wheels"), per_project=_PER_PROJECT)
    command = [sys.executable, "-m", "mkindex", f"{place}/wheels", f"{place}/tree", "--quiet", "--links"]
    subprocess.run([*command, "--link-mode", "hardlink"], check=True)
    tree = place / "tree"
    links = []
    for path in sorted(tree.glob("files/*/*/*.whl")):
        address = path.relative_to(tree).as_posix().replace("+", "%2B")
        links.append(f'<a href="{address}#sha256={path.parts[-3]}{path.parts[-2]}">x</a>')
    (tree / "ranges.html").write_text("<!DOCTYPE html>\n<html>\n" + "\n".join(links) + "\n</html>\n")


@contextmanager
def serve(place: Path, *, delay: int, http2: bool) -> Iterator[Server]:
    """Run nginx, and between it and its clients what delays them."""
    certificate = make_certificate(place) if http2 else None
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, f"{place}/nginx")
        url = stack.enter_context(webserver.nginx(f"{place}/tree", f"{place}/nginx", certificate=certificate))
        if delay:
            port = re.findall(r"\d+", url)[-1]
            command = [sys.executable, "-m", "benchmarks.delay", port, str(delay)]
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            stack.callback(process.terminate)
            assert process.stdout
            url = url.replace(port, process.stdout.readline().strip())
        options = ["--silent", "--fail", "--parallel", "--parallel-max", "50"]
        if certificate:
            os.environ["SSL_CERT_FILE"] = certificate[0]
            stack.callback(os.environ.pop, "SSL_CERT_FILE")  # other programs must not look for it later
            options += ["--http2", "--cacert", certificate[0]]
        yield Server(url, place / "nginx/log", options)


def make_certificate(place: Path) -> tuple[str, str]:
    """Create a certificate for this machine that signs itself; return its file and that of its key."""
    files = f"{place}/certificate.pem", f"{place}/key.pem"
    name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-x509"]
    command = ["openssl", "req", *new, *name, "-addext", "basicConstraints=critical,CA:FALSE"]
    subprocess.run([*command, "-out", files[0], "-keyout", files[1]], check=True, capture_output=True)
    return files


def compare(work: Work, mkindex: list[str], server: Server, place: Path, options: argparse.Namespace) -> None:
    """Print the medians of mkindex and curl for one work, and their ratio."""
    requests, times = measured(work, mkindex, server, place, options)
    medians = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in times.items()}
    ratios = [ours / theirs for ours, theirs in zip(medians["mkindex"], medians["curl"], strict=True)]
    target = work.target_with_delay if options.delay else work.target
    text = "   ".join(f"{name} {wall:6.2f} {processor:6.2f}" for name, (wall, processor) in medians.items())
    print(
        f"{work.name:29} {requests:6,} requests   {text}   {ratios[0]:5.2f} x {ratios[1]:5.2f} x"
        f"   (target {target:g} x)",
        flush=True,
    )


def compare_peers(mkindex: list[str], server: Server, place: Path, wheels: int) -> None:
    """Print how long each peer takes to mirror one file of the index, and how many times as long as mkindex."""
    own = [*mkindex, f"{server.url}simple/", "out", "--all", "--remote", "mirror", "--no-cache", "--quiet"]
    seconds = run(own, place, is_second=False)[0] / wheels
    for peer in mirrors.mirrors(f"{server.url}simple/", str(place), wheels=wheels):
        theirs = run(peer.command, place, is_second=False)[0] / peer.files
        print(
            f"{peer.name:29} {peer.files:6,} files      {theirs * 1000:6.1f} ms each, mkindex {seconds * 1000:.1f} ms"
            f"   {theirs / seconds:5.1f} x   (target 3 x)",
            flush=True,
        )


def measured(
    work: Work, mkindex: list[str], server: Server, place: Path, options: argparse.Namespace
) -> tuple[int, dict[str, list[tuple[float, float]]]]:
    """Return the number of requests of one work, and the times of mkindex and curl: seconds, and of processor time."""
    arguments = work.arguments.format(server.url).split()
    own = [] if arguments[0] == "check" else ["--cache-dir", "cache", "--quiet", "--max-download", "1TB"]
    command = [*mkindex, *arguments, *own]
    if work.is_second:
        run(command, place, is_second=False)
    requests = logged(server, lambda: run(command, place, is_second=work.is_second))
    replay = curl(requests, server, place)
    if work.is_mirror:
        replay += f"; sha256sum {place}/got/* >/dev/null"
    times: dict[str, list[tuple[float, float]]] = {"mkindex": [], "curl": []}
    for _ in range(options.runs):
        times["curl"].append(run(["sh", "-c", f"mkdir -p {place}/got; {replay}"], place, is_second=True))
        times["mkindex"].append(run(command, place, is_second=work.is_second))
    return len(requests), times


def logged(server: Server, action: Callable[[], object]) -> list[tuple[str, str, int]]:
    """Return method, path and status of the requests that an action sends."""
    start = server.log.stat().st_size
    action()
    time.sleep(0.5)  # nginx writes the line after the response
    with server.log.open() as log:
        log.seek(start)
        return [(found[1], found[2], int(found[3])) for line in log if (found := _LOGGED.search(line))]


def curl(requests: list[tuple[str, str, int]], server: Server, place: Path) -> str:
    """Return the shell commands that send the same requests with curl."""
    commands = []
    for name, method, status, more in (
        ("heads", "HEAD", 200, ["--head"]),
        ("ranges", "GET", 206, ["--range", f"-{TAIL}"]),
        ("gets", "GET", 200, ["--header", "'Accept: application/vnd.pypi.simple.v1+json'"]),
    ):
        chosen = [path for how, path, code in requests if how == method and code == status]
        if chosen:
            outputs = [f"{place}/got/{n}" if name == "gets" else "/dev/null" for n in range(len(chosen))]
            text = "".join(
                f'url = "{server.url}{path[1:]}"\noutput = "{output}"\n'
                for path, output in zip(chosen, outputs, strict=True)
            )
            (place / name).write_text(text)
            commands.append(" ".join(["curl", *server.options, *more, "--config", str(place / name)]))
    return "; ".join(commands)


def run(command: list[str], place: Path, *, is_second: bool) -> tuple[float, float]:
    """Run a command, with neither cache nor output of an earlier run; return its seconds and its processor time."""
    for name in ("got",) if is_second else ("got", "out", "cache"):
        shutil.rmtree(place / name, ignore_errors=True)
    before = time.perf_counter()
    processor = measure.processor_time(command, directory=str(place))
    return time.perf_counter() - before, processor


if __name__ == "__main__":
    main()
