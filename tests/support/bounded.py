"""The command within limits of processor time and memory, which the system holds.

For memory it is RLIMIT_DATA, all that the process can write to. RLIMIT_AS would count what is only reserved, 64 MiB
for each thread. The memory of an idle process, with all modules loaded, is added.
"""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING

import pytest

from support.archives import MIB
from support.hostile_files import hostile_name
from support.scripted_server import page_reply, run_server
from support.wheels import write_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from support.hostile_files import HostilePage

resource = pytest.importorskip("resource")
only_on_linux = pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA has no effect elsewhere")

MEMORY, SECONDS = 512 * MIB, 10


@cache
def memory_of_idle_process() -> int:
    """Bytes that a process can write to after it has loaded what a build needs."""
    code = "import mkindex.cli.build, mkindex.build.pipeline, mkindex.distributions.describe, mkindex.web.client, "
    code += "mkindex.web.reqwest_transport\nprint(open('/proc/self/status').read())"
    status = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout
    found = re.search(r"VmData:\s+(\d+) kB", status)
    assert found
    return int(found[1]) << 10


def run_bounded(tmp_path: Path, *arguments: str | Path) -> tuple[int, str]:
    """Run a command within the limits; return its exit status and what it prints."""

    memory = MEMORY + memory_of_idle_process()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))

    done = subprocess.run(
        [sys.executable, "-m", "mkindex", *arguments],
        cwd=tmp_path,
        preexec_fn=limit,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def build_beside(tmp_path: Path, *files: bytes) -> None:
    """Build an index of hostile files and one good wheel, which has to be published."""
    wheels = tmp_path / "wheels"
    for number, data in enumerate(files):
        (wheels / f"{number}").mkdir(parents=True)
        (wheels / f"{number}" / hostile_name(data)).write_bytes(data)
    write_wheel(wheels, "good", "1.0")
    status, output = run_bounded(tmp_path, "--recursive", wheels, tmp_path / "public")
    assert (status in (0, 1), (tmp_path / "public/simple/good/index.html").exists()) == (True, True), output


def refuse_page(tmp_path: Path, page: HostilePage) -> None:
    """Build an index of a page, which has to be refused with its error."""
    with run_server() as server:
        body = gzip.compress(page.text(), 1)
        server.routes["/simple/demo/"] = page_reply(body, page.media_type, content_encoding="gzip")
        status, output = run_bounded(tmp_path, f"{server.url}/simple/demo/", tmp_path / "public")
    assert (status, page.error in output, (tmp_path / "public").exists()) == (3, True, False), output
