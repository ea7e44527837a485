"""Compare mkindex over HTTP with curl: `python -m benchmarks.wire [MKINDEX...]`.

Wheels of 100 kB are served by nginx on this machine, as a tree that mkindex built. Each MKINDEX is a Python interpreter
that has it installed, or an executable (default: this interpreter). The two numbers are medians of several runs:
seconds, and seconds of processor time without that of nginx.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import corpus, measure, webserver
from benchmarks.run import PLACES
from benchmarks.versions import command_of


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("versions", metavar="MKINDEX", nargs="*", default=[sys.executable])
    parser.add_argument("--wheels", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--runs", type=int, default=3, help="of each command (default: 3)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mkindex-", dir=PLACES["memory"]) as root:
        os.chmod(root, 0o755)  # nginx may run as another user
        work = Path(root)
        make_tree(work, options.wheels)
        with webserver.nginx(str(work / "tree"), str(work / "nginx")) as url:
            files = list_files(work / "tree", url)
            for name, command in commands(work, url, files, options.versions).items():
                timings = [timed(command, work) for _ in range(options.runs)]
                seconds, processor = map(statistics.median, zip(*timings, strict=True))
                print(f"{name:60} {seconds:7.2f} {processor:7.2f}", flush=True)


def make_tree(work: Path, wheels: int) -> None:
    """Build the tree that is served."""
    (work / "wheels").mkdir()
    corpus.make_huge(wheels, 100 << 10, str(work / "wheels"))
    subprocess.run([sys.executable, "-m", "mkindex", str(work / "wheels"), str(work / "tree"), "--quiet"], check=True)


def list_files(tree: Path, url: str) -> list[str]:
    """Return the addresses of all wheels."""
    return [f"{url}{path.relative_to(tree).as_posix().replace('+', '%2B')}" for path in tree.rglob("files/*/*/*.whl")]


def commands(work: Path, url: str, files: list[str], versions: list[str]) -> dict[str, list[str]]:
    """Return what is measured, by name."""
    listed = work / "curl"
    listed.write_text("".join(f'url = "{file}"\noutput = "{work}/got/{n}.whl"\n' for n, file in enumerate(files)))
    heads = work / "heads"
    heads.write_text("".join(f'url = "{file}"\noutput = "/dev/null"\n' for file in files))
    curl = f"curl --silent --parallel --parallel-max 50 --config {listed} && sha256sum {work}/got/*.whl >/dev/null"
    found = {
        "mirror: curl, then sha256sum": ["sh", "-c", f"mkdir -p {work}/got && {curl}"],
        "HEAD of each file: curl": ["sh", "-c", f"curl --silent --head --parallel --parallel-max 50 --config {heads}"],
    }
    for version in versions:
        mkindex, out = command_of(version), str(work / "out")
        own = ["--cache-dir", str(work / "cache")]
        found |= {
            f"mirror: {version}": [*mkindex, f"{url}simple/", out, "--all", "--remote", "mirror", *own],
            f"reference: {version}": [*mkindex, f"{url}simple/", out, "--all", *own],
            f"check: {version}": [*mkindex, "check", f"{url}simple/"],
        }
    return found


def timed(command: list[str], work: Path) -> tuple[float, float]:
    """Run a command, with neither cache nor output of an earlier run; return its seconds and its processor time."""
    for name in ("out", "got", "cache"):
        shutil.rmtree(work / name, ignore_errors=True)
    before = time.perf_counter()
    processor = measure.processor_time(command)
    return time.perf_counter() - before, processor


if __name__ == "__main__":
    main()
