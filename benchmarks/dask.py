"""Compare two workers of a Dask cluster on this machine with two threads: `python -m benchmarks.dask [--megabytes N]`.

Files of random bytes are read, hashed and copied into a new tree. The processor time of the workers is counted, too.
"""

import argparse
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from benchmarks.machine import PLACES
from benchmarks.measure import Cost, cost, cpu_seconds
from benchmarks.report import seconds, table
from distributed import LocalCluster

FILE_SIZE = 20_000_000
WORKERS = 2


def write_wheels(directory: Path, megabytes: int) -> None:
    """Write wheels of random bytes."""
    directory.mkdir()
    for number in range(-(-megabytes * 1_000_000 // FILE_SIZE)):
        info = f"random{number}-1.0.dist-info"
        with zipfile.ZipFile(directory / f"random{number}-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"random{number}/data", os.urandom(FILE_SIZE))
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: random{number}\nVersion: 1.0\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")


def measure(place: Path, engine: str, pids: list[int]) -> Cost:
    """Return what a build costs, with the processor time of the cluster's processes."""
    command = [sys.executable, "-m", "mkindex", str(place / "wheels"), str(place / "tree"), "--no-cache", "--quiet"]
    before = sum(map(cpu_seconds, pids))
    build = cost([*command, "--jobs", str(WORKERS), "--engine", engine])
    shutil.rmtree(place / "tree")
    return build._replace(processor=build.processor + sum(map(cpu_seconds, pids)) - before)


def main() -> None:
    """Measure both, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=2_000, help="of all files")
    parser.add_argument("--rounds", type=int, default=3, help="the fastest of them counts")
    parser.add_argument("--place", default=PLACES["memory"], help="directory for the files and the trees")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="mkindex-dask-", dir=options.place) as directory,
        LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None) as cluster,
    ):
        place = Path(directory)
        write_wheels(place / "wheels", options.megabytes)
        with cluster.get_client() as client:
            pids = [os.getpid(), *client.run(os.getpid).values()]  # the scheduler is a part of this process
        engines = {"threads": "threads", "Dask": cluster.scheduler_address}
        turns = [
            {name: measure(place, engine, pids) for name, engine in engines.items()} for _ in range(options.rounds)
        ]
    best = {name: min(turn[name] for turn in turns) for name in engines}
    lines = [[name, seconds(one.seconds), seconds(one.processor)] for name, one in best.items()]
    ratio = best["Dask"].seconds / best["threads"].seconds
    print(table(["", "time", "processor time"], lines), f"Dask takes {ratio:.2f} times as long.", sep="\n")


if __name__ == "__main__":
    main()
