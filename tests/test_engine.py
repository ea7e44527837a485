"""What examines files: `--engine processes`, `threads`, and workers that may not see the same files."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, TypeVar

import pytest

from mkindex.build import workspace
from mkindex.config import Config
from mkindex.errors import ConfigError, Note, SourceError
from mkindex.model.files import CHUNK
from support.builds import cold_build, publish
from support.trees import read_tree
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

T = TypeVar("T")
R = TypeVar("R")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "wheels"
    directory.mkdir()
    write_wheel(directory, "small", "1.0")
    write_wheel(directory, "large", "1.0", files={"large/data": os.urandom(2 * CHUNK)})
    write_sdist(directory, "source", "1.0")
    (directory / "bad-1.0-py3-none-any.whl").write_bytes(b"x" * 2 * CHUNK)
    return directory


class FarWorkers:
    """Workers that run here, on another machine as it were: `seen` maps each path to the path where it is there."""

    share_environment = False

    def __init__(self, seen: Callable[[str], str]) -> None:
        self._seen = seen

    def map(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "open", self._translated(os.open))
            results = [work(item) for item in items]
        return iter(results)

    def ask_each(self, question: Callable[[T], R], about: T) -> dict[str, R]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "stat", self._translated(os.stat))
            patch.setattr(os.path, "isfile", self._translated(os.path.isfile))
            return {"tcp://far:1": question(about)}

    def close(self) -> None:
        pass

    def _translated(self, function: Callable[..., R]) -> Callable[..., R]:
        return lambda path, *rest, **more: function(self._seen(path) if isinstance(path, str) else path, *rest, **more)


def use_workers(monkeypatch: pytest.MonkeyPatch, workers: FarWorkers) -> None:
    """Let the next builds use these workers, whatever their --engine."""
    real = workspace.Workspace
    monkeypatch.setattr(workspace, "Workspace", lambda **fields: real(**fields | {"workers": workers}))


@pytest.mark.parametrize("engine", ["processes", "threads"])
def test_every_engine_makes_the_same_tree(source: Path, public: Path, engine: str) -> None:
    report = publish(source, public, engine=engine)
    assert read_tree(public) == cold_build(source)
    assert [os.path.basename(one.location) for one in report.rejected] == ["bad-1.0-py3-none-any.whl"]
    assert os.listdir(public / ".mkindex") == ["manifest"]


def test_processes_start_for_few_files(source: Path, public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One process is enough to see that this one opens no file of the source."""
    opened: list[str] = []
    real = os.open

    def observe(path: str, flags: int, *rest: int, dir_fd: int | None = None) -> int:
        opened.append(str(path))
        return real(path, flags, *rest, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", observe)
    publish(source, public, engine="processes", jobs=1, dry_run=True)
    assert [path for path in opened if path.startswith(f"{source}/")] == []


def test_large_files_are_copied_by_workers_that_see_the_destination(
    source: Path, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_workers(monkeypatch, FarWorkers(lambda path: path))
    monkeypatch.setattr("mkindex.publish.staging.Staging._copy", None)  # small files only
    (source / "small-1.0-py3-none-any.whl").unlink()
    (source / "source-1.0.tar.gz").unlink()
    report = publish(source, public)
    assert read_tree(public) == cold_build_without(monkeypatch, source)
    assert [one for one in report.findings if isinstance(one, Note)] == []


def cold_build_without(monkeypatch: pytest.MonkeyPatch, source: Path) -> dict[str, bytes]:
    """The tree of a build without workers and other changes."""
    monkeypatch.undo()
    return cold_build(source)


def test_a_destination_that_workers_do_not_see_is_written_here(
    source: Path, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[Note] = []
    use_workers(monkeypatch, FarWorkers(lambda path: path.replace(str(public), "/nowhere")))
    from mkindex.build.pipeline import build

    build(Config(sources=(str(source),), destination=str(public), grace=0), announce=notes.append)
    assert read_tree(public) == cold_build_without(monkeypatch, source)
    assert notes == [
        Note(
            location=str(public),
            text="1 worker of 1, such as tcp://far:1, cannot write there, so large files are copied by this machine. "
            "Mount it there at the same path, writable",
        )
    ]


def test_a_source_that_a_worker_does_not_see_is_named(
    source: Path, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_workers(monkeypatch, FarWorkers(lambda path: path.replace(str(source), "/nowhere")))
    with pytest.raises(SourceError) as error:
        publish(source, public)
    assert str(error.value) == (
        f"source {source} is not the same on 1 worker of 1, such as tcp://far:1 (bad-1.0-py3-none-any.whl: No such "
        "file or directory). Mount it there at the same path, or examine it here, without --engine dask://…"
    )
    assert not public.exists()


def test_a_source_that_is_another_one_where_a_worker_is_is_named(
    tmp_path: Path, source: Path, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    shutil.copytree(source, other)
    for path in other.iterdir():
        os.utime(path, (1, 1))
    use_workers(monkeypatch, FarWorkers(lambda path: path.replace(str(source), str(other))))
    with pytest.raises(SourceError, match=r"tcp://far:1 \(bad-1.0-py3-none-any.whl is another file there\)"):
        publish(source, public)


def test_a_file_that_a_worker_sees_otherwise_is_examined_here(
    tmp_path: Path, source: Path, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All files but one are the same there; that one has other bytes and another time."""
    other = write_wheel(tmp_path, "large", "1.0", files={"large/data": b"old"})
    large = str(source / other.name)
    use_workers(monkeypatch, FarWorkers(lambda path: str(other) if path == large else path))
    publish(source, public)
    assert read_tree(public) == cold_build_without(monkeypatch, source)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"engine": "dask"},
            (
                "engine must be processes, threads, or the address of a Dask scheduler such as dask://10.0.0.1:8786, "
                "not 'dask'"
            ),
        ),
        (
            {"engine": "dask://host:99999"},
            (
                "engine must be processes, threads, or the address of a Dask scheduler such as dask://10.0.0.1:8786, "
                "not 'dask://host:99999'"
            ),
        ),
        (
            {"engine": "dask://host:8786", "sources": ("https://me:secret@host/simple/",)},
            (
                "engine sends no credentials to workers, and https://host/simple/ has some. Put them into ~/.netrc, "
                "here and where the workers are"
            ),
        ),
        (
            {"engine": "tls://host:8786", "store_option": ("region=x", "secret_access_key=secret")},
            (
                "engine sends no credentials to workers, and store_option secret_access_key may be one. Set it in the "
                "environment, here and of the workers"
            ),
        ),
    ],
)
def test_an_engine_that_cannot_be_used_is_a_usage_error(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        Config(**{"sources": ("wheels",), "destination": "public"} | options)  # type: ignore[arg-type]
    assert str(error.value) == message


@pytest.mark.parametrize("engine", ["processes", "threads", "dask://host:1", "tcp://10.0.0.1:8786", "tls://[::1]:8786"])
def test_an_engine_with_public_settings_is_accepted(engine: str) -> None:
    settings = ("endpoint=http://127.0.0.1:9000", "aws_region=us-east-1", "skip_signature=true")
    Config(sources=("s3://bucket",), destination="public", engine=engine, store_option=settings)
