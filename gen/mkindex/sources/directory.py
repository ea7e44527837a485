"""A directory of wheels and sdists, flat or with its subdirectories."""

import os
import stat
from collections.abc import Generator, Iterator
from operator import attrgetter
from typing import NamedTuple

from mkindex.distributions.filenames import SUFFIXES, has_version, why_unsupported
from mkindex.errors import Note, Rejected, SourceError
from mkindex.model.files import Artifact, AttestationFile, Fingerprint
from mkindex.sources.selection import EVERYTHING, Selection
from mkindex.text import printable
from mkindex.tree.names import STATE_DIRECTORY

# Endings that editors, browsers, rsync and download tools give to incomplete files.
_TEMPORARY = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".download", ".swp", "~")
# Endings that anything can have.
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tar.z")
_NO_SDIST = "skipped: the filename of an sdist is NAME-VERSION.tar.gz or NAME-VERSION.zip"


class DirectorySource(NamedTuple):
    """The wheels and sdists in the directory `root`."""

    root: str
    recursive: bool = False
    follow_symlinks: bool = False
    exclude: tuple[str, ...] = ()  # real paths of directories that are never read, such as the destination
    selection: Selection = EVERYTHING

    def artifacts(self) -> Iterator[Artifact | AttestationFile | Rejected | Note]:
        """Yield the files sorted by name within each directory, those of subdirectories last.

        Raises SourceError if a directory cannot be read, since its files would look removed.
        """
        if not os.path.isdir(self.root):
            wrong = (
                "is a file. Give the directory that contains it"
                if os.path.exists(self.root)
                else "does not exist. Check the path"
            )
            raise SourceError(f"source {printable(self.root)} {wrong}")
        visited = {os.path.realpath(self.root)}
        pending = [""]
        while pending:
            subdirectories = yield from self._read(pending.pop(), visited)
            if self.recursive:
                pending += [f"{path}/" for path in reversed(subdirectories)]
            elif subdirectories:
                names = ", ".join(map(printable, subdirectories[:5])) + (", …" if len(subdirectories) > 5 else "")
                yield Note(location=self.root, text=f"subdirectories skipped: {names} (use --recursive)")

    def _read(
        self, prefix: str, visited: set[str]
    ) -> Generator[Artifact | AttestationFile | Rejected | Note, None, list[str]]:
        """Yield the items of one directory, and return the paths of its subdirectories.

        `prefix`: path below the root, with a slash at its end, or "". `visited`: real paths, to which those of the
        subdirectories are added.
        """
        is_selective = bool(self.selection)  # outside the loop: there may be 100,000 files
        subdirectories: list[str] = []
        entries = self._sorted_entries(prefix)
        while entries:
            entry = entries.pop()  # each entry keeps its status in memory
            name = entry.name
            is_distribution = name.endswith(SUFFIXES)
            if name.startswith(".") or (not is_distribution and name.endswith(_TEMPORARY)):
                continue
            if is_distribution and is_selective and not self.selection.includes_file(name):
                continue
            status = self._stat(entry, is_distribution)
            if status is None:
                continue
            if isinstance(status, Rejected):
                yield status
            elif is_distribution and stat.S_ISREG(status.st_mode):
                if name.endswith(".whl") or has_version(name):
                    yield Artifact(self.root, prefix + name, Fingerprint.of(status))
                else:
                    yield Note(location=entry.path, text=_NO_SDIST)
            elif stat.S_ISDIR(status.st_mode):
                real = os.path.realpath(entry.path)
                if real in visited or any(f"{real}/".startswith(f"{excluded}/") for excluded in self.exclude):
                    continue
                if os.path.isdir(os.path.join(real, STATE_DIRECTORY)):
                    yield Note(location=entry.path, text="skipped: an index made by mkindex", detail=True)
                    continue
                visited.add(real)
                subdirectories.append(prefix + name)
            elif stat.S_ISREG(status.st_mode) and (subject := _attested_filename(name)):
                if not is_selective or self.selection.includes_file(subject):
                    place = f"{self.root}/{prefix}"
                    yield AttestationFile(place + name, place + subject, Fingerprint.of(status))
            else:
                yield _not_a_distribution(entry, is_distribution)
        return subdirectories

    def _sorted_entries(self, prefix: str) -> list[os.DirEntry[str]]:
        """Return the entries of a directory by name in descending order, so that pop() returns the first."""
        path = os.path.join(self.root, prefix) if prefix else self.root
        try:
            with os.scandir(path) as entries:
                return sorted(entries, key=attrgetter("name"), reverse=True)
        except OSError as error:
            raise SourceError(f"cannot read directory {printable(path)}: {error.strerror}") from error

    def _stat(self, entry: os.DirEntry[str], is_distribution: bool) -> os.stat_result | Rejected | None:
        """Return the status of an entry; None if it is to be ignored."""
        if not self.follow_symlinks and entry.is_symlink() and not self._leads_inside(entry):
            if is_distribution or (self.recursive and os.path.isdir(entry.path)):
                reason = "a symlink that leads out of the source. Copy the file itself, or use --follow-symlinks"
                return Rejected(location=entry.path, reason=reason)
            return None
        try:
            return entry.stat()
        except OSError as error:
            # A missing file was removed since the directory was listed. A broken symlink needs a fix.
            is_removed = isinstance(error, FileNotFoundError) and not entry.is_symlink()
            is_directory = self.recursive and entry.is_dir(follow_symlinks=False)  # whose path is too long
            if (is_distribution or is_directory) and not is_removed:
                return Rejected(location=entry.path, reason=f"cannot be read: {error.strerror}")
            return None

    def _leads_inside(self, symlink: os.DirEntry[str]) -> bool:
        root = os.path.realpath(self.root)
        return os.path.commonpath([root, os.path.realpath(symlink.path)]) == root


def _attested_filename(name: str) -> str:
    from mkindex.distributions.attestations import attested_filename  # here, since most sources have only wheels

    return attested_filename(name)


def _not_a_distribution(entry: os.DirEntry[str], is_distribution: bool) -> Rejected | Note:
    """Return the finding for an entry that is neither a wheel or sdist nor a directory."""
    if is_distribution:
        return Rejected(location=entry.path, reason="not a regular file. Copy the file itself into the source")
    is_sdist = has_version(entry.name) or not entry.name.lower().endswith(_ARCHIVES)
    if is_sdist and (reason := why_unsupported(entry.name)):
        return Rejected(location=entry.path, reason=reason)
    return Note(location=entry.path, text="skipped: not a wheel or sdist", detail=True)
