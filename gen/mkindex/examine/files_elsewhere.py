"""Examine the files of this machine by workers, which see them at the same paths.

A worker says nothing about a file that it does not see as it was listed: such a file is examined here.
"""

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import FileIO
from typing import NamedTuple, Protocol

from mkindex.errors import Note, SourceError
from mkindex.examine.local import Examined, Hasher, WrittenTree, examine
from mkindex.model.files import CHUNK, Artifact, Fingerprint
from mkindex.text import plural, printable
from mkindex.workers.seam import Workers

_MOST_FILES, _MOST_BYTES = 200, 64 * CHUNK  # of one batch
_SAMPLES = 3  # files of a directory that each worker is asked for

# Called by a worker with a large file, open at its beginning; returns its sha256, and the name of a copy that it made.
Copier = Callable[[Artifact, FileIO], tuple[str, str]]


class CopyTree(WrittenTree, Protocol):
    """A published tree that files are copied into while they are hashed. All methods raise DestinationError."""

    def copier(self, artifact: Artifact) -> Copier | None:
        """Return what copies a large file in another process; None if it need not be copied. It can be pickled."""

    def accept(self, artifact: Artifact, sha256: str, copy: str) -> None:
        """Use a copy that another process made."""


class _Order(NamedTuple):
    """A file that a worker is to examine."""

    artifact: Artifact
    copier: Copier | None


class _Answer(NamedTuple):
    """What a worker says of a file."""

    examined: Examined
    copy: str  # the name of the copy that it made; "": none


class FileWorkers:
    """Workers that examine files. `tree`: where they are copied to while they are hashed; None: nowhere.

    `hasher` is for files that are examined here. `announce` is called if workers do not see the tree.
    """

    def __init__(
        self, workers: Workers, tree: CopyTree | None, hasher: Hasher | None, announce: Callable[[Note], object]
    ) -> None:
        self._workers = workers
        self._tree = tree
        self._hasher = hasher
        self._announce = announce

    def examine(self, artifacts: Sequence[Artifact]) -> Iterator[Examined]:
        """Yield the result for each artifact, in their order. Raises SourceError if a worker does not see a source."""
        require_same_files(self._workers, artifacts)
        tree = self._tree
        if tree and not sees_tree(self._workers, tree, self._announce, "large files are copied by this machine"):
            tree = None
        orders = (_Order(one, tree.copier(one) if tree and one.size > CHUNK else None) for one in artifacts)
        answers = self._workers.map(_examine_batch, _batches(orders))
        answer_of_each = (answer for batch in answers for answer in batch)
        for artifact, answer in zip(artifacts, answer_of_each, strict=True):
            if answer is None:
                yield examine(artifact, self._hasher)
                continue
            if answer.copy and tree and not isinstance(answer.examined.result, str):
                tree.accept(artifact, answer.examined.result.sha256, answer.copy)
            yield answer.examined


def require_same_files(workers: Workers, artifacts: Sequence[Artifact]) -> None:
    """Raise SourceError if a worker does not have the directories of these files at the same paths."""
    by_root: dict[str, list[Artifact]] = {}
    for artifact in artifacts:
        by_root.setdefault(artifact.root, []).append(artifact)
    samples = [one for some in by_root.values() for one in some[:: -(-len(some) // _SAMPLES)]]
    answers = workers.ask_each(_look_at, samples)
    for root in by_root:
        numbers = [number for number, one in enumerate(samples) if one.root == root]
        blind = {
            worker: found[numbers[0]]
            for worker, found in sorted(answers.items())
            if not any(found[number] == samples[number].fingerprint[1:3] for number in numbers)
        }
        for worker, seen in blind.items():
            first = printable(samples[numbers[0]].relative)
            what = f"{first} is another file there" if isinstance(seen, tuple) else f"{first}: {os.strerror(seen)}"
            some = f"{plural(len(blind), 'worker')} of {len(answers)}"
            raise SourceError(
                f"source {printable(root)} is not the same on {some}, such as {worker} ({what}). Mount "
                "it there at the same path, or examine it here, without --engine dask://…"
            )


def sees_tree(workers: Workers, tree: WrittenTree, announce: Callable[[Note], object], otherwise: str) -> bool:
    """Tell whether all workers can write to a tree, and announce what is done if they cannot."""
    with tree.probe() as path:
        answers = workers.ask_each(_can_write_beside, path)
    blind = sorted(worker for worker, can_write in answers.items() if not can_write)
    if blind:
        some = (
            f"{plural(len(blind), 'worker')} of {len(answers)}, such as {blind[0]}, cannot write there, so {otherwise}"
        )
        announce(Note(location=printable(tree.root), text=f"{some}. Mount it there at the same path, writable"))
    return not blind


def _batches(orders: Iterable[_Order]) -> Iterator[list[_Order]]:
    batch: list[_Order] = []
    size = 0
    for order in orders:
        if batch and (len(batch) == _MOST_FILES or size + order.artifact.size > _MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(order)
        size += order.artifact.size
    if batch:
        yield batch


# --- what workers do --------------------------------------------------------------------------------------------------


def _look_at(artifacts: Sequence[Artifact]) -> list[tuple[int, int] | int]:
    """Return the size and the time of each file, or the number of the error."""
    found: list[tuple[int, int] | int] = []
    for artifact in artifacts:
        try:
            size, mtime_ns = Fingerprint.of(os.stat(artifact.path))[1:3]
            found.append((size, mtime_ns))
        except OSError as error:
            found.append(error.errno or errno.EIO)
    return found


def _can_write_beside(path: str) -> bool:
    return os.path.isfile(path) and os.access(os.path.dirname(path), os.W_OK | os.X_OK)


def _examine_batch(orders: Sequence[_Order]) -> list[_Answer | None]:
    return [_examine(order) for order in orders]


def _examine(order: _Order) -> _Answer | None:
    """Examine a file; None if it is not the one that was listed, or cannot be read by this process."""
    artifact, copier = order
    copy = ""

    def hash_and_copy(artifact: Artifact, source: FileIO) -> str:
        nonlocal copy
        assert copier
        sha256, copy = copier(artifact, source)
        return sha256

    fingerprint, result = examine(artifact, hash_and_copy if copier else None)
    # Another machine may give it another inode.
    if fingerprint is None or fingerprint[1:3] != artifact.fingerprint[1:3]:
        return None
    return _Answer(Examined(artifact.fingerprint, result), copy)
