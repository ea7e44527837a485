"""Builds from one directory into another, and the trees of cold builds."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkindex.build.pipeline import build
from mkindex.config import Config
from support.trees import read_tree

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mkindex.build.report import Report


_MEMORY = "/dev/shm"  # on Linux, a file system in memory, which is many times faster


def scratch_directory() -> tempfile.TemporaryDirectory[str]:
    """A directory for thousands of builds."""
    return tempfile.TemporaryDirectory(prefix="mkindex-", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None)


def publish(source: Path, destination: Path | str, **options: Any) -> Report:  # noqa: ANN401 (the fields of Config)
    """Build, without --grace unless `options` have it."""
    where: Any = {"sources": (str(source),), "destination": str(destination)}
    return build(Config(**where, **({"grace": 0} | options)))


def cold_build(source: Path, **options: Any) -> dict[str, bytes]:  # noqa: ANN401 (the fields of Config)
    """The tree that a build makes in an empty directory; always with copies, because it is on another disk."""
    with scratch_directory() as directory:
        publish(source, Path(directory) / "cold", **options | {"link_mode": "copy"})
        return read_tree(Path(directory) / "cold")


def write_files(root: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Write files, and create their directories."""
    for name, content in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
