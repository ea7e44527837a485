"""A cutoff lists what pypi-timemachine, a server that filters an index by time, lists at the same moment."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

from support.builds import publish
from support.clients import CLIENTS, KEPT_VARIABLES
from support.index_server import serve_index
from support.requirements import skip_or_fail
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = 86_400
NOW = 1_767_225_600  # 2026-01-01T00:00:00Z
MOMENTS = ("2025-11-01", "2025-12-01", "2025-12-15T12:00:00Z", "2025-12-31T00:00:00Z", "2026-01-02")
JSON = "application/vnd.pypi.simple.v1+json"
PROJECTS = ("demo", "other", "third")


@contextmanager
def timemachine(index: str, home: Path) -> Iterator[str]:
    """The address of a running server for an index."""
    if not (CLIENTS / "pypi-timemachine/.ready").exists():
        skip_or_fail("pypi-timemachine: make clients")
    environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    environment |= {"no_proxy": "127.0.0.1,localhost", "HOME": str(home), "PYTHONUNBUFFERED": "1"}
    program = CLIENTS / "pypi-timemachine/bin/pypi-timemachine"
    command = [str(program), "2026-01-01", "--index-url", index]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        try:
            assert server.stdout
            address = next(match for line in server.stdout if (match := re.search(r"listening at \S+:(\d+)", line)))
            yield f"http://127.0.0.1:{address[1]}"
        finally:
            server.terminate()


def listed(address: str, moment: str, project: str) -> list[str]:
    """The files that a server lists of a project. It may not have started yet."""
    request = Request(f"{address}/snapshot/{moment}/{project}/", headers={"Accept": JSON})
    for _ in range(1_200):
        try:
            with build_opener(ProxyHandler({})).open(request, timeout=30) as answer:
                return sorted(one["filename"] for one in json.load(answer)["files"])
        except URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError):
                raise
            time.sleep(0.05)
    raise AssertionError("the server does not answer")


def test_a_cutoff_lists_what_pypi_timemachine_lists(tmp_path: Path) -> None:
    rng = random.Random(19)
    (wheels := tmp_path / "wheels").mkdir()
    for project in PROJECTS:
        for number in range(8):
            seconds = NOW - rng.randrange(70 * DAY) if number else 1_764_547_200  # the last one: 2025-12-01, midnight
            write_wheel(wheels, project, f"1.{number}", mtime=seconds)
            write_sdist(wheels, project, f"1.{number}", mtime=seconds + rng.randrange(DAY))
    publish(wheels, tmp_path / "all")
    ours, theirs = {}, {}
    with serve_index(tmp_path / "all") as server, timemachine(f"{server.url}simple/", tmp_path) as address:
        for moment in MOMENTS:
            (tmp_path / "policy.toml").write_text(f"[times]\ncutoff = {moment}\n")
            publish(wheels, tmp_path / moment, policy=str(tmp_path / "policy.toml"), allow_empty=True)
            for project in PROJECTS:
                page = tmp_path / moment / "simple" / project / "index.v1_json"
                files = json.loads(page.read_bytes())["files"] if page.exists() else []
                ours[moment, project] = sorted(one["filename"] for one in files)
                theirs[moment, project] = listed(address, moment, project)
    assert ours == theirs
    assert len({len(files) for files in ours.values()}) > len(MOMENTS)  # the moments differ
