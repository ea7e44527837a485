"""Indexes that grow, and what a cold build makes of all that they should list."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from mkindex.build.growing import Growth
from mkindex.build.pipeline import build
from mkindex.config import Config
from support.builds import cold_build

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mkindex.build.report import Report
    from mkindex.model.files import File


def add(source: Path | str, public: Path, *, replace: bool = False, **options: Any) -> Report:  # noqa: ANN401 (Config)
    """Add what a source has, with these options given."""
    config = Config(sources=(str(source),), destination=str(public), **options)
    return build(config, growth=Growth(given=frozenset(options), replace=replace))


def remove(public: Path, is_removed: Callable[[File], bool], **options: Any) -> Report:  # noqa: ANN401 (Config)
    """Remove files, with these options given."""
    config = Config(sources=(), destination=str(public), prune=True, allow_empty=True, **options)
    return build(config, growth=Growth(given=frozenset(options), is_removed=is_removed))


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
