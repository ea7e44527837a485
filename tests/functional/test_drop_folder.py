"""A real `mkindex add --watch --consume`: what is copied into its folder is published, and then deleted there."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.builds import cold_build, scratch_directory
from support.trees import own_files, read_tree
from support.watch_process import MKINDEX, WatchProcess, run_watch
from support.wheels import sdist, wheel, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

pytestmark = pytest.mark.slow

MTIME = 1_700_000_000


@pytest.fixture
def here() -> Iterator[Path]:
    """A directory with ./incoming, the drop folder, and ./uploads."""
    with scratch_directory() as directory:
        for name in ("incoming", "uploads"):
            Path(directory, name).mkdir()
        yield Path(directory)


def start(here: Path) -> AbstractContextManager[WatchProcess]:
    options = ("--consume", "--grace", "0", "--settle", "0.1", "--no-cache")
    return run_watch(*options, here / "incoming", here / "public", log=here / "log", verb="add")


def upload(here: Path, name: str, content: bytes, watch: WatchProcess | None = None) -> None:
    """Write a file as scp does: under its own name, with a break in the middle, and then its time."""
    (here / "uploads" / name).write_bytes(content)
    with (here / "incoming" / name).open("wb", 0) as stream:
        stream.write(content[: len(content) // 2])
        if watch:
            watch.wait_until(lambda: watch.events and name in str(watch.builds()[-1:]), f"{name} to be held back")
        stream.write(content[len(content) // 2 :])
    for directory in ("uploads", "incoming"):
        if (path := here / directory / name).exists():
            os.utime(path, (MTIME, MTIME))


def wait_until_consumed(here: Path, watch: WatchProcess, *left: str) -> None:
    watch.wait_until(lambda: sorted(os.listdir(here / "incoming")) == sorted(left), "the uploads to be consumed")


def test_uploads_are_published_and_consumed_whatever_happens_to_the_process(here: Path) -> None:
    with start(here) as watch:
        watch.wait_until(lambda: watch.texts("error"), "the first build")
        assert watch.texts("error") == [
            f"nothing to publish: no wheel or sdist in {here}/incoming (--recursive also reads subdirectories)"
        ]
        upload(here, "demo-1.0.tar.gz", sdist("demo", "1.0"))
        (here / "incoming/old-1.0-py3.9.egg").write_bytes(b"egg")
        upload(here, "demo-1.0-py3-none-any.whl", wheel("demo", "1.0"), watch)
        wait_until_consumed(here, watch, "old-1.0-py3.9.egg")
        watch.process.kill()
    for number in range(5):
        with start(here) as watch:
            upload(here, f"demo-2.{number}-py3-none-any.whl", wheel("demo", f"2.{number}"))
            if number % 2:
                watch.wait_until(lambda: (here / "public/.mkindex/intent").exists() or watch.builds(), "a build")
            watch.process.kill()
    with start(here) as watch:
        wait_until_consumed(here, watch, "old-1.0-py3.9.egg")
        watch.wait_until_quiet(0.7)
        assert watch.stop() == 0
    assert read_tree(here / "public") == cold_build(here / "uploads")
    assert own_files(here / "public") == {"manifest"}
    assert watch.errors.count("old-1.0-py3.9.egg") == 1


def test_others_may_add_and_remove_at_the_same_time(here: Path) -> None:
    with start(here) as watch:
        upload(here, "demo-1.0-py3-none-any.whl", wheel("demo", "1.0"))
        wait_until_consumed(here, watch)
        (here / "dist").mkdir()
        write_wheel(here / "dist", "other", "1.0", mtime=MTIME)
        write_wheel(here / "uploads", "other", "1.0", mtime=MTIME)
        for command in (["add", "dist", "public"], ["remove", "public", "demo", "--yes"]):
            subprocess.run([*MKINDEX, *command, "--no-cache", "-q"], cwd=here, check=True)
        (here / "uploads/demo-1.0-py3-none-any.whl").unlink()
        upload(here, "demo-2.0-py3-none-any.whl", wheel("demo", "2.0"))
        wait_until_consumed(here, watch)
        watch.wait_until_quiet(0.7)
    assert read_tree(here / "public") == cold_build(here / "uploads")
    assert watch.texts("error")[1:] == []
