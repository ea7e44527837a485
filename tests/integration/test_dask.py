"""Builds whose files are examined by three workers of a Dask cluster: the tree is that of one process."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

import mkindex
from mkindex.model.files import CHUNK
from mkindex.stores.objects import Headers
from mkindex.stores.open import open_bucket
from support.dask_cluster import Cluster, run_cluster
from support.http_servers import LoggedServer, serve_directory
from support.s3_server import NAME, Bucket, run_bucket
from support.trees import read_tree
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE_ROOT = Path(mkindex.__file__).parents[1]
MARKED = "large2-1.0-py3-none-any.whl"
# Ends the process that examines the marked file, the first time. The files that were examined are logged.
PRELOAD = f"""
import os
from mkindex.examine import files_elsewhere, links_elsewhere
from mkindex.examine.links_elsewhere import _link_of as link_of
from mkindex.examine.links_elsewhere import _perform as perform
from mkindex.examine.local import examine

def log_or_die(name):
    with open("examined", "a") as log:
        print(name, file=log)
    if name == {MARKED!r} and os.path.exists("deadly"):
        os.unlink("deadly")
        os._exit(1)

def examine_file(artifact, hasher=None):
    log_or_die(artifact.filename)
    return examine(artifact, hasher)

def perform_step(step):
    def logged(item, work, advance):
        log_or_die(link_of(item).filename)
        return step(item, work, advance)
    return logged

def perform_links(task):
    return perform(task._replace(step=perform_step(task.step)))

def dask_setup(worker):
    files_elsewhere.examine = examine_file
    links_elsewhere._perform = perform_links
"""


class Run(NamedTuple):
    """A run of the command, with its exit status and messages."""

    status: int
    messages: str


def run(*arguments: str | Path, **environment: str) -> Run:
    """Run mkindex in a process of its own, without a cache."""
    done = subprocess.run(
        [sys.executable, "-m", "mkindex", "--no-cache", "--quiet", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(PACKAGE_ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.stdout == ""
    return Run(done.returncode, done.stderr)


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with run_bucket(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the cluster: its log of examined files, and whether a worker is to die."""
    return tmp_path_factory.mktemp("cluster")


@pytest.fixture(scope="module")
def cluster(home: Path) -> Iterator[Cluster]:
    with run_cluster(home, preload=PRELOAD, environment={"PYTHONPATH": str(PACKAGE_ROOT)}) as running:
        yield running


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("source")
    for number in range(40):
        write_wheel(directory, f"small{number}", "1.0", requires_python=">=3.9")
    for number in range(4):
        write_wheel(directory, f"large{number}", "1.0", files={"data": os.urandom(30 * CHUNK)})
    write_sdist(directory, "source", "1.0")
    (directory / "bad-1.0-py3-none-any.whl").write_bytes(b"not a zip file")
    (directory / "cut-1.0-py3-none-any.whl").write_bytes((directory / MARKED).read_bytes()[: 2 * CHUNK])
    (directory / "wrong-2.0.tar.gz").write_bytes((directory / "source-1.0.tar.gz").read_bytes())
    return directory


def examined(home: Path) -> list[str]:
    """Return the names of the files that workers examined, and forget them."""
    log = home / "examined"
    names = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return sorted(names)


def test_a_directory_is_examined_by_workers_with_the_same_result(
    cluster: Cluster, home: Path, source: Path, tmp_path: Path
) -> None:
    alone = run(source, tmp_path / "alone")
    examined(home)
    together = run(source, tmp_path / "together", "--engine", cluster.engine)
    assert together == alone
    assert alone.status == 1
    assert read_tree(tmp_path / "together") == read_tree(tmp_path / "alone")
    assert examined(home) == sorted(os.listdir(source))
    assert os.listdir(tmp_path / "together/.mkindex") == ["manifest"]


def test_a_worker_that_is_killed_changes_nothing(cluster: Cluster, home: Path, source: Path, tmp_path: Path) -> None:
    alone = run(source, tmp_path / "alone")
    examined(home)
    (home / "deadly").touch()
    together = run(source, tmp_path / "together", "--engine", cluster.engine)
    assert not (home / "deadly").exists()
    assert together == alone
    assert read_tree(tmp_path / "together") == read_tree(tmp_path / "alone")
    assert examined(home).count(MARKED) == 2
    assert os.listdir(tmp_path / "together/.mkindex") == ["manifest"]


@pytest.fixture(scope="module")
def page_server(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoggedServer]:
    """A find-links page with hashes for some files, and a link to a file that is missing."""
    place = tmp_path_factory.mktemp("page")
    served = shutil.copytree(source, place / "served")
    names = sorted(os.listdir(source))
    links = [f'<a href="{name}{hash_of(source / name) if name < "large3" else ""}">{name}</a>' for name in names]
    page = "".join([*links, '<a href="missing-1.0-py3-none-any.whl">missing-1.0-py3-none-any.whl</a>'])
    (served / "index.html").write_text(f"<!DOCTYPE html><html><body>{page}</body></html>")
    with serve_directory(served, place / "log") as running:
        yield running


def hash_of(path: Path) -> str:
    return f"#sha256={hashlib.sha256(path.read_bytes()).hexdigest()}"


@pytest.mark.parametrize("remote", ["reference", "mirror"])
def test_links_of_a_page_are_examined_by_workers_with_the_same_result(
    cluster: Cluster, home: Path, page_server: LoggedServer, tmp_path: Path, remote: str
) -> None:
    examined(home)
    (home / "deadly").touch()
    alone = run(page_server.url, tmp_path / "alone", "--remote", remote)
    together = run(page_server.url, tmp_path / "together", "--remote", remote, "--engine", cluster.engine)
    assert not (home / "deadly").exists()
    assert together == alone
    assert alone.status == 1
    assert read_tree(tmp_path / "together") == read_tree(tmp_path / "alone")
    assert {"large0-1.0-py3-none-any.whl", "small0-1.0-py3-none-any.whl"} < {*examined(home)}
    assert os.listdir(tmp_path / "together/.mkindex") == ["manifest"]


def test_facts_that_workers_read_are_remembered_here(
    cluster: Cluster, page_server: LoggedServer, tmp_path: Path
) -> None:
    """Files without a hash are read once. This server sends no ranges, so others are tried again by every build."""
    command = [sys.executable, "-m", "mkindex", "--quiet", "--cache-dir", str(tmp_path / "cache"), page_server.url]
    environment = os.environ | {"PYTHONPATH": str(PACKAGE_ROOT)}
    subprocess.run([*command, str(tmp_path / "first"), "--engine", cluster.engine], env=environment, check=False)
    page_server.forget()
    subprocess.run([*command, str(tmp_path / "second"), "--engine", cluster.engine], env=environment, check=False)
    again = [request for request in page_server.requests() if request.startswith("GET 200 /")]
    assert [request for request in again if request.removeprefix("GET 200 /") >= "large3"] == []
    assert read_tree(tmp_path / "second") == read_tree(tmp_path / "first")


@pytest.fixture(scope="module")
def filled_bucket(bucket: Bucket, source: Path) -> Bucket:
    """The bucket with some of the files below wheels/."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in bucket.environment.items():
            patch.setenv(name, value)
        store = open_bucket(f"s3://{NAME}/wheels", (), timeout=30.0)
        for path in source.glob("*[a-z].*"):
            if path.stat().st_size < 4 * CHUNK:
                store.put(path.name, path.read_bytes(), Headers("application/octet-stream", "no-store"))
    return bucket


def test_objects_of_a_bucket_are_examined_by_workers_with_the_same_result(
    filled_bucket: Bucket, tmp_path: Path
) -> None:
    environment = filled_bucket.environment
    with run_cluster(
        tmp_path / "cluster", workers=2, environment={"PYTHONPATH": str(PACKAGE_ROOT), **environment}
    ) as rich:
        for remote in "reference", "mirror":
            arguments = [f"s3://{NAME}/wheels", "--remote", remote]
            alone = run(*arguments, tmp_path / remote / "alone", **environment)
            together = run(*arguments, tmp_path / remote / "together", "--engine", rich.engine, **environment)
            assert together == alone
            assert alone.status == 1
            assert read_tree(tmp_path / remote / "together") == read_tree(tmp_path / remote / "alone")


def test_no_credential_is_sent_to_workers(cluster: Cluster, filled_bucket: Bucket, tmp_path: Path) -> None:
    """Workers that know the server but have no credentials cannot read the bucket: they got none from here."""
    settings = ["--store-option", f"endpoint={filled_bucket.endpoint}", "--store-option", "region=us-east-1"]
    settings += ["--store-option", "allow_http=true"]
    arguments = [f"s3://{NAME}/wheels", *settings]
    credentials = {name: filled_bucket.environment[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    assert run(*arguments, tmp_path / "alone", **credentials).status == 1  # one machine can
    found = run(*arguments, tmp_path / "public", "--engine", cluster.engine, **credentials)
    assert found.status == 3
    assert "redential" in found.messages, found.messages
    assert not (tmp_path / "public").exists()


def test_a_cluster_without_workers_says_how_to_start_one(source: Path, tmp_path: Path) -> None:
    with run_cluster(tmp_path / "empty", workers=0) as empty:
        found = run(source, tmp_path / "public", "--engine", empty.engine)
    assert found == Run(
        3,
        f"error the Dask cluster at {empty.address} has no workers. Start some: dask worker {empty.address}\n",
    )
    assert not (tmp_path / "public").exists()


def test_workers_with_another_version_are_refused(source: Path, tmp_path: Path) -> None:
    other = tmp_path / "other/mkindex-9.9.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: mkindex\nVersion: 9.9\n")
    with run_cluster(tmp_path / "cluster", workers=1, environment={"PYTHONPATH": str(other.parent)}) as old:
        found = run(source, tmp_path / "public", "--engine", old.engine)
    own = version("mkindex")
    worker = re.escape("1 worker of 1 cannot examine files: tcp://127.0.0.1:") + r"\d+"
    assert found.status == 3
    assert re.fullmatch(
        f"error {worker} has mkindex 9.9, not {own}. Install mkindex=={own} there, and start the worker again\n",
        found.messages,
    )


def test_an_address_without_a_scheduler_is_an_error(source: Path, tmp_path: Path) -> None:
    """Nothing listens there, or something that is no scheduler, as the dashboard is none."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        found = run(source, tmp_path / "public", "--engine", f"dask://127.0.0.1:{port}", "--timeout", "1")
    text = (
        f"error no Dask scheduler answers at 127.0.0.1:{port}. Give the address that `dask scheduler` prints, which is "
        "not that of its dashboard\n"
    )
    assert found == Run(3, text)
    assert run(source, tmp_path / "public", "--engine", f"dask://127.0.0.1:{port}", "--timeout", "1") == Run(3, text)


def test_a_source_that_workers_do_not_see_is_named(cluster: Cluster, source: Path, tmp_path: Path) -> None:
    """A private mount, as on another machine, is not possible here: the workers of this cluster see another root."""
    root = ["unshare", "--map-root-user", "--mount"]
    if not shutil.which("unshare") or subprocess.run([*root, "true"], capture_output=True, check=False).returncode:
        pytest.skip("unshare: this system has no private mounts")
    inner = (
        f"mount -t tmpfs none {source} && cp -r {tmp_path}/copy/. {source} && "
        f"exec {sys.executable} -m mkindex --no-cache --quiet {source} {tmp_path}/public --engine {cluster.engine}"
    )
    shutil.copytree(source, tmp_path / "copy", ignore=shutil.ignore_patterns("large*"))
    done = subprocess.run(
        [*root, "sh", "-c", inner],
        env=os.environ | {"PYTHONPATH": str(PACKAGE_ROOT)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 3
    assert re.fullmatch(
        f"error source {re.escape(str(source))} is not the same on 3 workers of 3, such as tcp://127.0.0.1:\\d+ "
        r"\(bad-1.0-py3-none-any.whl is another file there\). Mount it there at the same path, or examine it here, "
        "without --engine dask://…\n",
        done.stderr,
    )


def test_without_the_library_the_error_says_what_to_install(source: Path, tmp_path: Path) -> None:
    (tmp_path / "missing").mkdir()
    (tmp_path / "missing/distributed.py").write_text("raise ImportError\n")
    path = f"{tmp_path}/missing:{PACKAGE_ROOT}"
    found = run(source, tmp_path / "public", "--engine", "dask://127.0.0.1:8786", PYTHONPATH=path)
    assert found.status == 2
    assert found.messages.endswith("error --engine dask://… requires more packages: pip install 'mkindex[dask]'\n")
