"""Files that are written and examined at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from mkindex.cache import Cache
from mkindex.examine import local as scan
from mkindex.examine.local import examine
from mkindex.model.files import Artifact, Facts, File, Fingerprint

if TYPE_CHECKING:
    from pathlib import Path

    from mkindex.errors import Rejected


MTIME, UPLOADED = 1_600_000_000, "2020-09-13T12:26:40Z"
WHEEL = "foo-1.0-py3-none-any.whl"


def artifact(path: Path) -> Artifact:
    """The file at a path, as a source lists it."""
    return Artifact(root=str(path.parent), relative=path.name, fingerprint=Fingerprint.of(path.stat()))


def scanned(*paths: Path) -> list[File | Rejected]:
    """What a scan without a cache finds."""
    with ThreadPoolExecutor(2) as executor:
        return list(
            scan.scan([artifact(path) for path in paths], cache=Cache(None), executor=executor, progress=lambda _: None)
        )


def written(path: Path, content: bytes) -> Path:
    """The path, after it was written."""
    path.write_bytes(content)
    return path


def result(directory: Path, filename: str, content: bytes) -> Facts | str:
    """The outcome for a file with this name and these bytes."""
    outcome = examine(artifact(written(directory / filename, content)))
    assert outcome.fingerprint == Fingerprint.of((directory / filename).stat())
    return outcome.result


def meaning(directory: Path, filename: str, content: bytes) -> tuple[str, str] | str:
    """The project and version that a file is listed as, or why it is rejected; a warning follows a "but"."""
    found = result(directory, filename, content)
    if isinstance(found, str):
        return found
    return found.project, found.version + (f" but {found.warning}" if found.warning else "")
