"""Details of files, for people: read from their core metadata, unless the cache has them."""

import io
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property

from mkindex.cache import Cache
from mkindex.errors import Unreadable
from mkindex.model.details import Details, decode_details, encode_details
from mkindex.model.files import Artifact, File, Fingerprint
from mkindex.parallel import map_chunks
from mkindex.tree.names import file_path

_PARSERS = ("pkginfo", "packaging")


class DetailsReader:
    """Reads the details of files. Files on other servers, and damaged ones, have none."""

    def __init__(self, cache: Cache, *, processes: int) -> None:
        self._cache = cache
        self._processes = processes

    @cached_property
    def versions(self) -> str:
        """The versions of the parsers: others may read a file differently."""
        from importlib.metadata import version

        return " ".join(f"{name} {version(name)}" for name in _PARSERS)

    def read(self, files: Sequence[File]) -> list[Details | None]:
        """Return the details of each file. Those that were read are remembered by the hash of the file."""
        keys = [f"details {file.sha256}" for file in files]
        found = dict(zip(files, self._cache.recall_each(keys, self.versions), strict=True))
        unknown = [file for file, text in found.items() if text is None and file.sha256]
        for file, text in zip(unknown, map_chunks(_read_each, unknown, processes=self._processes), strict=True):
            found[file] = text
            if text is not None:
                self._cache.remember(f"details {file.sha256}", self.versions, text)
        return [decode_details(text) if text else None for text in found.values()]


def _read_each(files: Sequence[File]) -> list[str | None]:
    return list(map(_read, files))


def _read(file: File) -> str | None:
    """Return the details of a file as text; None if it cannot be read now."""
    from mkindex.distributions.core_metadata import read_details

    raw = read_core_metadata(file)
    if raw is None:
        return None
    try:
        return encode_details(read_details(raw))
    except Exception:  # no error of a parser may stop the other files; the page says that nothing is known
        return encode_details(None)


def read_core_metadata(file: File) -> bytes | None:
    """Return the METADATA or PKG-INFO of a file; None if it has none, is on another server or has changed."""
    with suppress(OSError, Unreadable), _opened(file) as stream:
        from mkindex.distributions.describe import read_sdist
        from mkindex.distributions.zips import Span, random_access, read_span, read_wheel_metadata

        size = file.size or 0
        if not file.filename.endswith(".whl"):
            return read_sdist(file.filename, stream, size).pkg_info
        if file.metadata_span:
            return read_span(random_access(stream), Span.parse(file.metadata_span))
        return read_wheel_metadata(random_access(stream), size)[1]
    return None


def list_contents(file: File) -> list[tuple[str, int]]:
    """Return path and size in bytes of each file in a wheel; none if it is on another server or has changed."""
    with suppress(OSError, Unreadable), _opened(file) as stream:
        from mkindex.distributions.zip_directory import read_members, shown
        from mkindex.distributions.zips import random_access

        members = read_members(random_access(stream), file.size or 0, reads_headers=False)
        return [(shown(path), member[3]) for path, member in members.items() if not path.endswith(b"/")]
    return []


def _opened(file: File) -> io.FileIO:
    """Open a file of this machine. Raises OSError, also if it is not the file that was examined."""
    artifact = file.artifact
    if not isinstance(artifact, Artifact):
        raise FileNotFoundError
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    stream = io.FileIO(os.open(artifact.path, flags))
    found, expected = Fingerprint.of(os.fstat(stream.fileno())), artifact.fingerprint
    # Of a published file only the size is recorded: its path contains the hash.
    is_published = artifact.relative == file_path(file.sha256, file.filename)
    if found != expected and not (is_published and found.size == expected.size):
        stream.close()
        raise FileNotFoundError
    return stream
