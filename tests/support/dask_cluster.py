"""A Dask cluster on this machine: a scheduler and its workers, each a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from support.requirements import skip_or_fail

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# Waits until the cluster has as many workers as the second argument says.
_WAIT = "import sys; from distributed import Client; Client(sys.argv[1]).wait_for_workers(int(sys.argv[2]), 120)"


class Cluster(NamedTuple):
    """A cluster, whose scheduler is at an address."""

    address: str  # HOST:PORT

    @property
    def engine(self) -> str:
        """The --engine that means it."""
        return f"dask://{self.address}"


@contextmanager
def run_cluster(
    own: Path, *, workers: int = 3, preload: str = "", environment: Mapping[str, str] | None = None
) -> Iterator[Cluster]:
    """Run a cluster; its logs, and files with the ids of its processes, are in `own`.

    Workers run the code `preload` first, in this environment besides ours.
    """
    if not find_spec("distributed"):
        skip_or_fail("distributed: make test-integration")
    own.mkdir(exist_ok=True)
    with running(own, "scheduler", "--port", "0", "--scheduler-file", "scheduler.json"):
        address = read_address(own)
        arguments = ["--nworkers", str(workers), "--nthreads", "1", "--local-directory", str(own)]
        if preload:
            (own / "preload.py").write_text(preload)
            arguments += ["--preload", "preload.py"]
        if not workers:
            yield Cluster(address)
            return
        with running(own, "worker", address, *arguments, environment=environment or {}):
            wait_for_workers(own, address, workers)
            yield Cluster(address)


def read_address(own: Path) -> str:
    """Return HOST:PORT of the scheduler in a directory, as soon as it has written it."""
    while not (own / "scheduler.json").exists():
        time.sleep(0.05)
    address: str = json.loads((own / "scheduler.json").read_text())["address"]
    return address.rpartition("://")[2]


def wait_for_workers(own: Path, address: str, workers: int) -> None:
    """Return as soon as a cluster has this many workers."""
    wait = [sys.executable, "-c", _WAIT, address, str(workers)]
    done = subprocess.run(wait, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, (done.stderr, (own / "worker.log").read_text())


@contextmanager
def running(own: Path, command: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[None]:
    """Run a command of `dask` in a directory, with its log and process id there."""
    variables = os.environ | dict(environment or {})
    with (own / f"{command}.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", command, *arguments, "--host", "127.0.0.1", "--no-dashboard"],
            cwd=own,
            env=variables,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        (own / f"{command}.pid").write_text(str(process.pid))
        try:
            yield
        finally:
            with suppress(ProcessLookupError):  # a test has killed it
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
