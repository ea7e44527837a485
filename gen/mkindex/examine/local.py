"""Read artifacts on this machine: filename, hash and core metadata make a File or a rejection."""

import hashlib
import io
import os
import stat
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from functools import partial
from typing import NamedTuple

from mkindex.cache import Cache
from mkindex.distributions.describe import describe
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

# Called with the bytes to read; returns a context, whose value is called with each number of bytes that was read.
Progress = Callable[[int], AbstractContextManager[Callable[[int], object]]]

# Called with a large file, open at its start; returns its sha256. May raise OSError, and MkindexError to end a scan.
Hasher = Callable[[Artifact, io.FileIO], str]


class Examined(NamedTuple):
    """The result of reading an artifact: facts or a reason. `fingerprint` is None if it changed or was unreadable."""

    fingerprint: Fingerprint | None
    result: Facts | str


def scan(
    artifacts: Sequence[Artifact],
    *,
    cache: Cache,
    executor: Executor,
    progress: Callable[[int], object],
    processes: int = 1,
    hasher: Hasher | None = None,
) -> list[File | Rejected]:
    """Return the File or the rejection of each artifact, in their order; `progress` is called with numbers of bytes.

    Only artifacts that the cache does not know are read: small files by several processes, if there are many, and then
    large ones by the executor, since hashing does not hold the interpreter lock.
    """
    started_ns = time.time_ns()
    results: list[File | Rejected | None] = []
    for artifact, text in zip(artifacts, cache.get(artifacts), strict=True):
        results.append(None if text is None else make_file(artifact, decode_facts(text)))
        if text is not None:
            progress(artifact.fingerprint.size)

    def finish(number: int, outcome: Examined) -> None:
        artifact, (fingerprint, found) = artifacts[number], outcome
        progress(artifact.fingerprint.size)
        if fingerprint is not None:
            artifact = artifact._replace(fingerprint=fingerprint)
            cache.put(artifact.path, fingerprint, encode_facts(found), read_ns=started_ns)
        results[number] = make_file(artifact, found)

    unknown = [number for number, result in enumerate(results) if result is None]
    small = [number for number in unknown if artifacts[number].fingerprint.size <= CHUNK]
    outcomes = map_chunks(_examine_each, [artifacts[number] for number in small], processes=processes)
    for number, outcome in zip(small, outcomes, strict=True):
        finish(number, outcome)
    large = [number for number in unknown if artifacts[number].fingerprint.size > CHUNK]
    outcomes_of_large = executor.map(partial(examine, hasher=hasher), [artifacts[number] for number in large])
    for number, outcome in zip(large, outcomes_of_large, strict=True):
        finish(number, outcome)
    return [result for result in results if result is not None]


def recall(artifact: Artifact, *, cache: Cache) -> File | None:
    """Return the File that was last read at the path of this artifact, if the cache still has it."""
    last = cache.get_last(artifact.path)
    result = make_file(artifact._replace(fingerprint=last[0]), decode_facts(last[1])) if last else None
    return result if isinstance(result, File) else None


def _examine_each(artifacts: Sequence[Artifact]) -> list[Examined]:
    return [examine(artifact) for artifact in artifacts]


def examine(artifact: Artifact, hasher: Hasher | None = None) -> Examined:
    """Read one artifact, once. A file that cannot be read or published is an outcome; no exception is raised for it."""
    try:
        # Non-blocking, since the file may have been replaced by a pipe since it was listed.
        descriptor = os.open(artifact.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        return Examined(None, f"cannot be read: {error.strerror}")
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            return Examined(None, "not a regular file: copy the file itself in")
        fingerprint = Fingerprint.of(before)
        # With its present size: it may have grown since it was listed, and all that is copied later must be hashed.
        result = _facts(artifact._replace(fingerprint=fingerprint), descriptor, hasher)
        if Fingerprint.of(os.fstat(descriptor)) != fingerprint:
            return Examined(None, "changed while it was read: the next run reads it again")
        return Examined(fingerprint, result)
    except OSError as error:
        return Examined(None, f"cannot be read: {error.strerror}")
    finally:
        os.close(descriptor)


def _facts(artifact: Artifact, descriptor: int, hasher: Hasher | None) -> Facts | str:
    """Return the facts of an open file, or the reason for its rejection. Raises OSError, and what `hasher` raises."""
    size = artifact.size
    whole = os.read(descriptor, size) if size <= CHUNK else None
    stream = io.FileIO(descriptor, closefd=False) if whole is None else io.BytesIO(whole)
    # Name and metadata first, since a rejected file need not be hashed.
    try:
        facts = describe(artifact.filename, stream, size)
    except Unreadable as error:
        return str(error)
    except OSError:
        raise
    except Exception as error:  # an unforeseen error in a parser must not stop the others
        return f"cannot be parsed ({printable(repr(error))}): build it again"
    stream.seek(0)
    if hasher and isinstance(stream, io.FileIO):
        sha256 = hasher(artifact, stream)
    else:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return facts._replace(sha256=sha256, upload_time=format_upload_time(artifact.fingerprint.mtime_ns // 1_000_000_000))
