"""Builds with a Dask cluster that fails, or that requires TLS: the message says what happened and what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

import mkindex
from support.authority import issue_certificate
from support.dask_cluster import run_cluster
from support.trees import read_tree
from support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PACKAGE_ROOT = Path(mkindex.__file__).parents[1]
HERE = {"PYTHONPATH": str(PACKAGE_ROOT)}
# Runs a command as the first file is examined: each worker is a child of the process of `dask worker`.
PRELOAD = """
import os
import signal
from mkindex.examine import files_elsewhere

def fail(artifact, hasher=None):
    {action}

def dask_setup(worker):
    files_elsewhere.examine = fail
"""
# Wait less than a minute for new workers.
IMPATIENT = """
import sys
from mkindex import cli
from mkindex.workers import dask
dask._PATIENCE = 0.1
sys.exit(cli.run(sys.argv[1:]))
"""
ADVICE = (
    "Give its address as tls://HOST:PORT, and ca-file, client.cert and client.key below distributed.comm.tls in the "
    "Dask configuration\n"
)


class Run(NamedTuple):
    """A run of the command, with its exit status and messages."""

    status: int
    messages: str


def run(
    *arguments: str | Path, program: Sequence[str] = ("-m", "mkindex"), settings: Mapping[str, str] | None = None
) -> Run:
    command = [sys.executable, *program, *map(str, arguments), "--no-cache", "--quiet"]
    variables = os.environ | HERE | dict(settings or {})
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == ""
    return Run(done.returncode, done.stderr)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("source")
    for number in range(20):
        write_wheel(directory, f"demo{number}", "1.0", requires_python=">=3.9")
    return directory


def test_a_lost_scheduler_ends_the_build_with_one_line(source: Path, tmp_path: Path) -> None:
    kill = "os.kill(int(open('scheduler.pid').read()), signal.SIGKILL)"
    with run_cluster(tmp_path / "cluster", workers=2, preload=PRELOAD.format(action=kill), environment=HERE) as cluster:
        found = run(source, tmp_path / "public", "--engine", cluster.engine)
    text = f"error the connection to the Dask scheduler at {cluster.address} was lost. Run again when it is there\n"
    assert found == Run(3, text)
    assert not (tmp_path / "public").exists()


def test_a_cluster_that_has_lost_all_workers_is_not_waited_for_without_end(source: Path, tmp_path: Path) -> None:
    kill = "os.kill(os.getppid(), signal.SIGKILL)"
    with run_cluster(tmp_path / "cluster", workers=2, preload=PRELOAD.format(action=kill), environment=HERE) as cluster:
        found = run(source, tmp_path / "public", "--engine", cluster.engine, program=("-c", IMPATIENT))
    text = f"error the Dask cluster at {cluster.address} has lost all its workers. Start some, and run again\n"
    assert found == Run(3, text)
    assert not (tmp_path / "public").exists()


def test_files_with_which_every_worker_ends_are_not_tried_without_end(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "1")
    with run_cluster(
        tmp_path / "cluster", workers=2, preload=PRELOAD.format(action="os._exit(1)"), environment=HERE
    ) as cluster:
        found = run(source, tmp_path / "public", "--engine", cluster.engine)
    text = (
        "error 2 workers of the Dask cluster ended while they examined the same files (out of memory?). Give workers "
        "more memory, and run again\n"
    )
    assert found == Run(3, text)
    assert not (tmp_path / "public").exists()


# --- TLS ----------------------------------------------------------------------------------------------------------


def tls(role: str, authority: Path, certificate: Path, key: Path) -> dict[str, str]:
    """Variables with the files of TLS for the scheduler, the worker, or the client."""
    prefix = "DASK_DISTRIBUTED__COMM__TLS__"
    own = f"{prefix}{role.upper()}__"
    return {f"{prefix}CA_FILE": str(authority), f"{own}CERT": str(certificate), f"{own}KEY": str(key)}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    return issue_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, files: tuple[Path, Path, Path]) -> Iterator[str]:
    """The address of a cluster whose scheduler and workers accept TLS only."""
    with pytest.MonkeyPatch.context() as patch:
        for role in "scheduler", "worker", "client":
            for name, value in tls(role, *files).items():
                patch.setenv(name, value)
        patch.setenv("DASK_DISTRIBUTED__COMM__DEFAULT_SCHEME", "tls")
        patch.setenv("DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION", "true")
        with run_cluster(tmp_path_factory.mktemp("cluster"), workers=2, environment=HERE) as cluster:
            patch.undo()
            yield cluster.address


def test_a_cluster_with_tls_gives_the_same_tree(
    address: str, files: tuple[Path, Path, Path], source: Path, tmp_path: Path
) -> None:
    alone = run(source, tmp_path / "alone")
    together = run(source, tmp_path / "together", "--engine", f"tls://{address}", settings=tls("client", *files))
    assert (together, alone) == (Run(0, ""), Run(0, ""))
    assert read_tree(tmp_path / "together") == read_tree(tmp_path / "alone")


def test_the_scheme_may_be_set_in_the_configuration(
    address: str, files: tuple[Path, Path, Path], source: Path, tmp_path: Path
) -> None:
    scheme = {"DASK_DISTRIBUTED__COMM__DEFAULT_SCHEME": "tls"}
    found = run(source, tmp_path / "public", "--engine", f"dask://{address}", settings=tls("client", *files) | scheme)
    assert found == Run(0, "")


@pytest.mark.parametrize("wrong", ["nothing set", "another authority", "another certificate", "a missing file"])
def test_wrong_settings_of_tls_are_told_from_a_wrong_address(
    address: str, files: tuple[Path, Path, Path], source: Path, tmp_path: Path, wrong: str
) -> None:
    others = issue_certificate(tmp_path)
    settings = {
        "nothing set": {},
        "another authority": tls("client", others[0], *files[1:]),
        "another certificate": tls("client", files[0], *others[1:]),
        "a missing file": tls("client", *files[:2], tmp_path / "missing.key"),
    }[wrong]
    found = run(source, tmp_path / "public", "--engine", f"tls://{address}", settings=settings)
    assert found.status == 3
    assert found.messages.startswith(f"error no TLS connection to the Dask scheduler at tls://{address} (")
    assert found.messages.endswith(f"). {ADVICE}")
    assert found.messages.count("\n") == 1


def test_a_plain_address_of_a_cluster_with_tls_answers_nothing(address: str, source: Path, tmp_path: Path) -> None:
    found = run(source, tmp_path / "public", "--engine", f"dask://{address}", "--timeout", "2")
    text = (
        f"error no Dask scheduler answers at {address}. Give the address that `dask scheduler` prints, which is not "
        "that of its dashboard\n"
    )
    assert found == Run(3, text)
