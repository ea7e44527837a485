"""Drop folders: `add --consume` deletes the files of its sources once they are published.

This is the one exception to the rule that sources are never changed. The bytes are copied, because whoever uploads a
file may still hold it open, and only a file whose bytes are certainly those that are published is deleted. After a
crash, the next run finds the files of the sources in the index, and deletes them.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from mkindex.cache import COARSE_RACY_NS, RACY_NS
from mkindex.config import Config
from mkindex.errors import Note
from mkindex.model.files import Artifact, File, Fingerprint
from mkindex.model.index import Index
from mkindex.options import InvalidOption
from mkindex.publish.filesystem import Filesystem
from mkindex.publish.root import SymlinkInTree
from mkindex.sources.open import local_path
from mkindex.text import redact
from mkindex.tree.names import file_path


class Holder(Protocol):
    """A destination that knows which files it holds."""

    def confirm(self, files: Iterable[tuple[str, int]]) -> Iterator[bool]:
        """Tell of each path of the tree, and size, whether the file is there at this moment as mkindex wrote it."""


class Consumed(NamedTuple):
    """What was deleted from the sources, or would be in a dry run."""

    paths: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()  # about published files that could not be deleted


class Consumable(NamedTuple):
    """A file of a source whose bytes the index lists, and their path in the tree."""

    file: File
    path: str


def refuse_consuming(config: Config) -> None:
    """Raise InvalidOption for --consume with options or sources that leave no copy of a file in the destination."""
    if config.link_mode == "hardlink":
        raise InvalidOption(
            "consume", "and {link_mode} hardlink exclude each other: an uploader may still write to the file"
        )
    if config.files_url is not None:
        raise InvalidOption("consume", "and {files_url} exclude each other: DEST would have no copy of the files")
    for spec in config.inputs:
        path = local_path(spec)
        if path is None or os.path.isfile(path):
            raise InvalidOption(
                "consume", "requires that each SOURCE is a directory: {source} is not", source=redact(spec)
            )


def find_consumable(arrivals: Iterable[File], index: Index) -> tuple[Consumable, ...]:
    """Return the files that the sources have and whose bytes the index lists, from files in the destination."""
    arrivals = [file for file in arrivals if isinstance(file.artifact, Artifact)]
    names = {file.project for file in arrivals}
    listed = {
        file.sha256: file_path(file.sha256, file.filename)
        for project in index.projects
        if project.name in names
        for file in project.files
        if isinstance(file.artifact, Artifact)
    }
    return tuple(Consumable(file, listed[file.sha256]) for file in arrivals if file.sha256 in listed)


def consume(consumable: Sequence[Consumable], destination: Holder, since_ns: int) -> Consumed:
    """Delete these files from their sources, if the destination holds them at this moment.

    `since_ns`: when the sources began to be listed, since the epoch. A file that has changed by now stays.
    """
    paths: list[str] = []
    notes: list[Note] = []
    disks: dict[str, Filesystem] = {}
    held = destination.confirm([(path, file.local.size) for file, path in consumable])
    for (file, _), is_held in zip(consumable, held, strict=True):
        if not is_held:
            text = "listed, and not deleted, because its copy in DEST is missing or damaged. Check DEST"
            notes.append(Note(location=file.local.location, text=text))
            continue
        root = file.local.root
        disk = disks.setdefault(root, Filesystem(root))
        try:
            if _is_unchanged(disk, file, since_ns):
                disk.unlink(file.local.relative)
                paths.append(file.local.path)
        except FileNotFoundError:
            pass  # somebody else removed it
        except SymlinkInTree:
            notes.append(Note(location=file.local.location, text="published, and not deleted, because of a symlink"))
        except OSError as error:
            text = f"published, but cannot be deleted: {error.strerror}. Give this user permission to, or delete it"
            notes.append(Note(location=file.local.location, text=text))
    return Consumed(tuple(paths), tuple(notes))


def _is_unchanged(disk: Filesystem, file: File, since_ns: int) -> bool:
    """Tell whether a file of a source has the bytes that were examined."""
    relative, fingerprint = file.local.relative, file.local.fingerprint
    if stat.S_ISLNK(disk.status(relative).st_mode):
        raise SymlinkInTree(errno.ENOTDIR, "is a symlink", file.local.path)
    racy_ns = COARSE_RACY_NS if fingerprint.is_coarse else RACY_NS
    if fingerprint.changed_ns + racy_ns > since_ns:  # a later change may have left the same times
        with disk.open(relative) as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != file.sha256:
                return False
    return Fingerprint.of(disk.status(relative)) == fingerprint
