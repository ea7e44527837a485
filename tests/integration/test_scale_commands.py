"""The commands of docs/scale.md, run as they are written: a large list, and a Dask cluster with and without TLS."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import mkindex
from support.authority import issue_certificate
from support.dask_cluster import read_address, running, wait_for_workers
from support.requirements import skip_or_fail
from support.trees import read_tree
from support.wheels import write_wheel

PAGE = (Path(__file__).resolve().parents[2] / "docs/scale.md").read_text()
ENVIRONMENT = os.environ | {
    "PYTHONPATH": str(Path(mkindex.__file__).parents[1]),
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
}


def example(before: str, language: str = "console") -> list[str]:
    """Return the lines of the example that follows a text."""
    return PAGE.partition(before)[2].partition(f"```{language}\n")[2].partition("```")[0].splitlines()


def commands(before: str) -> list[str]:
    return [line[2:].partition("  #")[0].strip() for line in example(before) if line.startswith("$ ")]


def run(command: str, where: Path, **more: str) -> None:
    done = subprocess.run(
        command, shell=True, cwd=where, env=ENVIRONMENT | more, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with wheels, and an index of them that no cluster has made."""
    (tmp_path / "wheels").mkdir()
    for number in range(3):
        write_wheel(tmp_path / "wheels", f"demo{number}", "1.0", requires_python=">=3.9")
    run("mkindex wheels alone --no-cache", tmp_path)
    return tmp_path


def test_the_line_of_a_list_is_listed(tmp_path: Path) -> None:
    before = "## A list of a million files"
    _, build = commands(before)
    (tmp_path / "list.jsonl").write_text(example(before)[1])
    run(build, tmp_path)
    assert (tmp_path / "public/simple/demo/index.html").exists()


@pytest.mark.parametrize("kind", ["plain", "tls"])
def test_a_cluster_is_started_and_used_by_these_commands(
    place: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first command of the plain ones installs mkindex. The address and the directories are those of this test."""
    if not find_spec("distributed"):
        skip_or_fail("distributed: make test-integration")
    if kind == "plain":
        _, scheduler, worker, build = commands("## Many machines")
    else:
        scheduler, worker, build = commands("**TLS.**")
        for made, name in zip(issue_certificate(place), ("ca.pem", "dask.pem", "dask.key"), strict=True):
            made.rename(place / name)
        settings = "\n".join(example("from the Dask configuration", "yaml"))
        (place / "dask.yaml").write_text(settings.replace("/etc/dask/", f"{place}/"))
        monkeypatch.setenv("DASK_CONFIG", str(place / "dask.yaml"))
    with running(place, *arguments_of(scheduler), "--port", "0", "--scheduler-file", "scheduler.json"):
        address = read_address(place)
        with running(place, *arguments_of(worker.replace("10.0.0.1:8786", address)), environment=ENVIRONMENT):
            wait_for_workers(place, f"tls://{address}" if kind == "tls" else address, 1)
            build = build.replace("10.0.0.1:8786", address).replace("/srv/", f"{place}/")
            run(f"{build} --no-cache", place, DASK_CONFIG=os.environ.get("DASK_CONFIG", ""))
    assert read_tree(place / "public") == read_tree(place / "alone")


def arguments_of(command: str) -> list[str]:
    """Return the arguments of a command of `dask`."""
    program, *arguments = shlex.split(command)
    assert program == "dask"
    return arguments
