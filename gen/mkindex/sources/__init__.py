"""Where artifacts come from: one protocol, and `open_source()` which tells what a spec means."""

import os
import re
from collections.abc import Iterator
from typing import NamedTuple, Protocol, Self

from mkindex.errors import Note, Rejected, SourceError, printable

# The endings that uv, pip and poetry all install from (PEP 427, PEP 625; `.zip` for older sdists).
DISTRIBUTIONS = (".whl", ".tar.gz", ".zip")

# Endings of what is or was a distribution; anything else beside the wheels (README, .asc, .txt …) is nobody's mistake.
_UNSUPPORTED = {
    ".tar.bz2": "uv and packaging ignore .tar.bz2 sdists: rebuild it as .tar.gz",
    ".tar.xz": "uv and packaging ignore .tar.xz sdists: rebuild it as .tar.gz",
    ".tar.zst": "no client installs .tar.zst sdists: rebuild it as .tar.gz",
    ".tar.z": "no client but poetry installs .tar.Z sdists: rebuild it as .tar.gz",
    ".tgz": "uv and packaging ignore .tgz sdists: rename it to .tar.gz",
    ".tar": "uv and packaging ignore .tar sdists: rebuild it as .tar.gz",
    ".egg": "eggs are no longer installable: build a wheel",
    ".exe": "pip and uv do not install .exe installers: build a wheel",
    ".msi": "pip and uv do not install .msi installers: build a wheel",
    ".rpm": "pip and uv do not install .rpm packages: build a wheel",
}


class Fingerprint(NamedTuple):
    """What `stat` says of a file's bytes; while it stays the same they are taken to be the same."""

    inode: int
    size: int  # bytes
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, stat: os.stat_result) -> Self:
        return cls(stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


class Artifact(NamedTuple):
    """What a source found, not yet opened. A tuple, as File is: they are made by the hundred thousand."""

    root: str  # the source: an absolute directory
    relative: str  # below it, with "/" between
    fingerprint: Fingerprint

    @property
    def filename(self) -> str:
        return self.relative.rpartition("/")[2]

    @property
    def path(self) -> str:
        return f"{self.root}/{self.relative}"


class Source(Protocol):
    """Something that lists artifacts, in an order of its own that is the same each time.

    `artifacts()` raises SourceError when it cannot see all there is: half a listing would look like files removed.
    """

    def artifacts(self) -> Iterator[Artifact | Rejected | Note]: ...


def is_remote(spec: str) -> bool:
    """Tell whether a source is one that has to be asked for over the network."""
    return spec.lower().startswith(("http://", "https://")) and not os.path.exists(spec)


def unsupported(filename: str) -> str | None:
    """Say why a file that looks like a distribution is none that clients install; None: it does not look like one."""
    lower = filename.lower()
    for ending in DISTRIBUTIONS:
        if lower.endswith(ending):
            return f"clients do not recognise an ending in capitals: rename it to {ending}"
    return next((reason for ending, reason in _UNSUPPORTED.items() if lower.endswith(ending)), None)


def open_source(
    spec: str, *, recursive: bool = False, follow_symlinks: bool = False, exclude: tuple[str, ...] = ()
) -> Source:
    """Tell what `spec` is by its form. `exclude`: real paths of directories that are never entered.

    Raises SourceError where it is nothing that can be read; a malformed URL is never taken for a path.
    """
    from mkindex.sources.directory import Directory

    if not spec:
        raise SourceError("an empty SOURCE: name a directory, . for this one")
    # One letter before the colon is a Windows drive; "./a:b" says that a path is meant.
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", spec) and not os.path.exists(spec):
        raise SourceError(
            f"{printable(spec)} looks like a URL, and mkindex reads directories: "
            f"download the files and name their directory (a directory of that name is ./{printable(spec)})"
        )
    return Directory(os.path.abspath(spec), recursive=recursive, follow_symlinks=follow_symlinks, exclude=exclude)
