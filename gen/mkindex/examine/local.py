"""Examine the files of this machine: filename, hash and core metadata. Unchanged files come from the cache."""

import hashlib
import io
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

from mkindex.cache import Cache
from mkindex.errors import Rejected, Unreadable
from mkindex.model.files import (
    CHUNK,
    Artifact,
    Facts,
    File,
    Fingerprint,
    decode_facts,
    encode_facts,
    format_upload_time,
    make_file,
)
from mkindex.parallel import map_chunks
from mkindex.text import printable

if TYPE_CHECKING:
    from concurrent.futures import Executor

# Called with a large file, open at its beginning; returns its sha256. Raises OSError, and MkindexError to end the scan.
Hasher = Callable[[Artifact, io.FileIO], str]


class Examined(NamedTuple):
    """The result of reading an artifact."""

    fingerprint: Fingerprint | None  # None if the file changed while it was read, or cannot be read
    result: Facts | str  # str: the reason for a rejection


class WrittenTree(Protocol):
    """A tree that other processes may write to."""

    @property
    def root(self) -> str:
        """Its path."""

    def probe(self) -> AbstractContextManager[str]:
        """Make a file in it, which exists while the context does. Its value is the absolute path."""


class Examiner(Protocol):
    """What examines files in other processes."""

    def examine(self, artifacts: Sequence[Artifact]) -> Iterator[Examined]:
        """Yield the result for each artifact, in their order."""


def scan(
    artifacts: Sequence[Artifact],
    *,
    cache: Cache,
    executor: "Executor",
    progress: Callable[[int], object],
    processes: int = 1,
    hasher: Hasher | None = None,
    elsewhere: Examiner | None = None,
) -> list[File | Rejected]:
    """Return the File or the rejection of each artifact, in their order.

    `progress` is called with the size of each file after it was examined. Many small files are examined by several
    processes, then large ones by the executor: hashing a large block does not hold the GIL. With 0 processes, the
    executor examines all. `elsewhere` does so instead of both.
    """
    started_ns = time.time_ns()
    results: list[File | Rejected | None] = []
    for artifact, text in zip(artifacts, cache.get(artifacts), strict=True):
        # The cache has what the file says without the page that names it.
        if text is None or (artifact.link and artifact.link.project):
            results.append(None)
        else:
            results.append(make_file(artifact, decode_facts(text)))
            progress(artifact.fingerprint.size)

    def keep(number: int, examined: Examined) -> None:
        artifact, (fingerprint, found) = artifacts[number], examined
        progress(artifact.fingerprint.size)
        if fingerprint is not None:
            artifact = artifact._replace(fingerprint=fingerprint)
            if not _page_project(artifact):
                cache.put(artifact.path, fingerprint, encode_facts(found), read_ns=started_ns)
        results[number] = make_file(artifact, found)

    unknown = [number for number, result in enumerate(results) if result is None]
    if unknown:  # here, since it takes 10 ms, and most builds read no new file; before processes are forked
        import mkindex.distributions.describe  # noqa: F401 (for _facts)
    if elsewhere and unknown:
        for number, examined in zip(unknown, elsewhere.examine([artifacts[one] for one in unknown]), strict=True):
            keep(number, examined)
        unknown = []
    most = CHUNK if processes else -1  # bytes of a small file
    small = [number for number in unknown if artifacts[number].fingerprint.size <= most]
    of_small = map_chunks(_examine_each, [artifacts[number] for number in small], processes=processes)
    for number, examined in zip(small, of_small, strict=True):
        keep(number, examined)
    large = [number for number in unknown if artifacts[number].fingerprint.size > most]
    # Without one, no thread is needed.
    of_large = executor.map(partial(examine, hasher=hasher), [artifacts[number] for number in large]) if large else ()
    for number, examined in zip(large, of_large, strict=True):
        keep(number, examined)
    return [result for result in results if result is not None]


def recall(artifact: Artifact, *, cache: Cache) -> File | None:
    """Return the File that was last read at the path of this artifact, None if it is not in the cache."""
    last = cache.get_last(artifact.path)
    result = make_file(artifact._replace(fingerprint=last[0]), decode_facts(last[1])) if last else None
    return result if isinstance(result, File) else None


def _examine_each(artifacts: Sequence[Artifact]) -> list[Examined]:
    return [examine(artifact) for artifact in artifacts]


def examine(artifact: Artifact, hasher: Hasher | None = None) -> Examined:
    """Read one artifact, once. For a damaged file, the result has the reason; nothing is raised."""
    try:
        # Without O_NONBLOCK, opening a pipe that has replaced the file would wait for a writer.
        descriptor = os.open(artifact.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        return Examined(None, f"cannot be read: {error.strerror}")
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            return Examined(None, "not a regular file. Copy the file itself into the source")
        fingerprint = Fingerprint.of(before)
        # The current size, not the listed one: the file may have grown, and every copied byte must be hashed.
        result = _facts(artifact._replace(fingerprint=fingerprint), descriptor, hasher)
        if Fingerprint.of(os.fstat(descriptor)) != fingerprint:
            return Examined(None, "changed while it was read: the next run takes it when it is complete")
        return Examined(fingerprint, result)
    except OSError as error:
        return Examined(None, f"cannot be read: {error.strerror}")
    except MemoryError:  # not remembered, since the next time there may be enough
        return Examined(None, "reading it takes more memory than there is. Free some, or remove the file")
    finally:
        os.close(descriptor)


def _page_project(artifact: Artifact) -> str:
    return artifact.link.project if artifact.link else ""


def _facts(artifact: Artifact, descriptor: int, hasher: Hasher | None) -> Facts | str:
    """Return the facts of an open file, or why it is rejected. Raises OSError, and what `hasher` raises."""
    from mkindex.distributions.describe import describe

    size = artifact.size
    whole = os.read(descriptor, size) if size <= CHUNK else None
    stream = io.FileIO(descriptor, closefd=False) if whole is None else io.BytesIO(whole)
    # Name and metadata come first, so that a rejected file is neither hashed nor copied.
    try:
        facts = describe(artifact.filename, stream, size, _page_project(artifact))
    except Unreadable as error:
        return str(error)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # no error of a parser may stop the other files
        return f"cannot be parsed ({printable(repr(error))}): build it again"
    if whole is not None:
        sha256 = hashlib.sha256(whole).hexdigest()
    else:
        stream.seek(0)
        # The hasher may copy the file. One whose name was changed on the way is only published with --fix-names.
        if hasher and isinstance(stream, io.FileIO) and not facts.right_filename:
            sha256 = hasher(artifact, stream)
        else:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return facts._replace(sha256=sha256, upload_time=format_upload_time(artifact.fingerprint.mtime_ns // 1_000_000_000))
