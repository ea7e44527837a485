"""Indexes that grow, and what a cold build makes of all that they should list."""

from __future__ import annotations

import multiprocessing
import re
import shutil
import zlib
from typing import TYPE_CHECKING, Any

from mkindex.build.growing import Growth
from mkindex.build.pipeline import build
from mkindex.config import Config
from support.builds import cold_build
from support.trees import read_tree
from support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.synchronize import Barrier
    from pathlib import Path

    from mkindex.build.report import Report
    from mkindex.model.files import File


def add(source: Path | str, public: Path | str, *, replace: bool = False, **options: Any) -> Report:  # noqa: ANN401 (Config)
    """Add what a source has, with these options given."""
    config = Config(sources=(str(source),), destination=str(public), **options)
    return build(config, growth=Growth(given=frozenset(options), replace=replace))


def remove(public: Path, is_removed: Callable[[File], bool], **options: Any) -> Report:  # noqa: ANN401 (Config)
    """Remove files, with these options given."""
    config = Config(sources=(), destination=str(public), prune=True, allow_empty=True, **options)
    return build(config, growth=Growth(given=frozenset(options), is_removed=is_removed))


def resealed(manifest: bytes, pattern: bytes, replacement: bytes) -> bytes:
    """Return a manifest with another text, and the right checksum."""
    data = re.sub(pattern, replacement, manifest[: -len(b"end 01234567\n")])
    return data + b"end %08x\n" % zlib.crc32(data)


def union(into: Path, *sources: Path) -> Path:
    """Copy the files of several directories, with their times, into a new one."""
    into.mkdir()
    for source in sources:
        for file in source.iterdir():
            shutil.copy2(file, into)
    return into


def cold_union(scratch: Path, *sources: Path, **options: Any) -> dict[str, bytes]:  # noqa: ANN401 (Config)
    """The tree that a cold build makes of all files of several directories."""
    tree = cold_build(union(scratch, *sources), **options)
    shutil.rmtree(scratch)
    return tree


def add_at_once(public: Path, *sources: Path) -> None:
    """Add each of several sources in a process of its own, all starting at the same time."""
    fork = multiprocessing.get_context("fork")
    barrier = fork.Barrier(len(sources))
    processes = [fork.Process(target=_add_after, args=(barrier, source, public)) for source in sources]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * len(sources)


def _add_after(barrier: Barrier, source: Path, public: Path) -> None:
    barrier.wait()
    assert not add(source, public, grace=0).rejected


def rounds_of_writers(scratch: Path, rounds: int) -> None:
    """Have three writers add to one index at once, again and again, and compare with a cold build each time."""
    everything = scratch / "everything"
    everything.mkdir()
    for number in range(rounds):
        sources = []
        for writer in range(3):
            sources.append(scratch / f"{number}-{writer}")
            sources[-1].mkdir()
            for name in ("shared", f"own-{writer}"):
                path = write_wheel(sources[-1], name, f"{number}.{writer}", mtime=1_700_000_000)
                shutil.copy2(path, everything)
        add_at_once(scratch / "public", *sources)
        assert read_tree(scratch / "public") == cold_build(everything)
