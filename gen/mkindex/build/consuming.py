"""Drop folders: `add --consume` deletes the files of its sources once they are published.

This is the one exception to the rule that sources are never changed. The bytes are copied, because an uploader may
still have the file open. A file is deleted only if its bytes are those that are published under its filename. It loses
its name first, so that what somebody uploads under that name meanwhile stays. After a crash, the next run gives such
files their names back, finds the files of the sources in the index, and deletes them.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from mkindex.cache import COARSE_RACY_NS, RACY_NS
from mkindex.config import Config
from mkindex.distributions.filenames import SUFFIXES
from mkindex.errors import Note
from mkindex.model.files import Artifact, File, Fingerprint
from mkindex.model.index import Index
from mkindex.options import InvalidOption
from mkindex.publish.filesystem import Filesystem
from mkindex.publish.root import SymlinkInTree
from mkindex.sources.open import local_path
from mkindex.text import redact
from mkindex.tree.names import file_path

_ASIDE = ".mkindex-"  # how the name of a file begins that is about to be deleted; no source lists hidden files


class Holder(Protocol):
    """A destination that knows which files it holds."""

    def confirm(self, files: Sequence[tuple[str, int]]) -> Iterator[bool]:
        """Tell of each path of the tree, and size, whether the file is there at this moment as mkindex wrote it."""


class ConsumeResult(NamedTuple):
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
    if config.previous is not None:
        raise InvalidOption(
            "consume", "and {previous} exclude each other: the files would be deleted before the site is deployed"
        )
    for spec in config.inputs:
        path = local_path(spec)
        if path is None or os.path.isfile(path):
            raise InvalidOption(
                "consume", "requires that each SOURCE is a directory: {source} is not", source=redact(spec)
            )


def find_consumable(arrivals: Iterable[File], index: Index) -> tuple[Consumable, ...]:
    """Return the files that the sources have and that the index lists with these bytes, from the destination."""
    arrivals = [file for file in arrivals if isinstance(file.artifact, Artifact)]
    names = {file.project for file in arrivals}
    listed = {
        (file.sha256, file.filename)
        for project in index.projects
        if project.name in names
        for file in project.files
        if isinstance(file.artifact, Artifact)
    }
    return tuple(
        Consumable(file, file_path(file.sha256, file.filename))
        for file in arrivals
        if (file.sha256, file.filename) in listed
    )


def put_back_all(config: Config) -> None:
    """Give those files of the sources their names back that a run which died had not deleted yet."""
    for root in filter(None, map(local_path, config.inputs)):
        disk = Filesystem(root)
        for directory, subdirectories, names in os.walk(root):
            if not config.recursive:
                subdirectories.clear()
            for name in names:
                if name.startswith(_ASIDE) and name.endswith(SUFFIXES):
                    path = os.path.relpath(os.path.join(directory, name.removeprefix(_ASIDE)), root)
                    with suppress(OSError):
                        _put_back(disk, path.replace(os.sep, "/"))


def consume(consumable: Sequence[Consumable], destination: Holder, since_ns: int) -> ConsumeResult:
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
            if _delete(disk, file, since_ns):
                paths.append(file.local.path)
        except FileNotFoundError:
            pass  # somebody else removed it
        except SymlinkInTree:
            notes.append(
                Note(location=file.local.location, text="published, but not deleted: a symlink is in its path")
            )
        except OSError as error:
            text = f"published, but cannot be deleted: {error.strerror}. Delete it, or give this user permission to"
            notes.append(Note(location=file.local.location, text=text))
    return ConsumeResult(tuple(paths), tuple(notes))


def _delete(disk: Filesystem, file: File, since_ns: int) -> bool:
    """Delete a file of a source, and return whether it has the bytes that were examined. Otherwise it stays."""
    path, fingerprint = file.local.relative, file.local.fingerprint
    if _fingerprint(disk, path) != fingerprint:
        return False
    aside = _aside(path)
    disk.replace(path, aside)
    try:
        racy_ns = COARSE_RACY_NS if fingerprint.is_coarse else RACY_NS
        if fingerprint.changed_ns + racy_ns > since_ns:  # a later change may have left the same times
            with disk.open(aside) as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() != file.sha256:
                    return False
        if _fingerprint(disk, aside)._replace(ctime_ns=fingerprint.ctime_ns) != fingerprint:  # a new name changes ctime
            return False
        disk.unlink(aside)
    finally:
        _put_back(disk, path)
    return True


def _fingerprint(disk: Filesystem, path: str) -> Fingerprint:
    """Return the fingerprint of a file of a source. Raises SymlinkInTree."""
    status = disk.status(path)
    if stat.S_ISLNK(status.st_mode):
        raise SymlinkInTree(errno.ENOTDIR, "is a symlink", disk.at(path))
    return Fingerprint.of(status)


def _aside(path: str) -> str:
    directory, slash, name = path.rpartition("/")
    return f"{directory}{slash}{_ASIDE}{name}"


def _put_back(disk: Filesystem, path: str) -> None:
    """Give a file its name back if it was not deleted; if another was uploaded under this name, that replaces it."""
    aside = _aside(path)
    with suppress(FileNotFoundError):
        if disk.exists(path):
            disk.unlink(aside)
        else:
            disk.replace(aside, path)
