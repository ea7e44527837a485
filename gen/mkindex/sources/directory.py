"""A directory of wheels and sdists, flat or with its subdirectories."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter

from mkindex.distributions.filenames import SUFFIXES, why_unsupported
from mkindex.errors import Note, Rejected, SourceError
from mkindex.model.files import Artifact, Fingerprint
from mkindex.sources.selection import EVERYTHING, Selection
from mkindex.text import printable

# What editors, browsers, rsync and download tools call a file that is not whole yet.
_TEMPORARY = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".download", ".swp", "~")

_LEAVES = "a symlink that leaves the source: copy the file itself in, or use --follow-symlinks"


@dataclass(frozen=True)
class DirectorySource:
    """The distributions in `root`, by name. `exclude`: real paths never entered (our own output)."""

    root: str
    recursive: bool = False
    follow_symlinks: bool = False
    exclude: tuple[str, ...] = ()
    selection: Selection = EVERYTHING

    def artifacts(self) -> Iterator[Artifact | Rejected | Note]:
        """Yield what is there, sorted by name within each directory, subdirectories last.

        Raises SourceError when a directory cannot be read: an unreadable one must not look empty.
        """
        if not os.path.isdir(self.root):
            wrong = "is a file: name the directory it lies in" if os.path.exists(self.root) else "does not exist"
            raise SourceError(f"source {printable(self.root)} {wrong}")
        seen = {os.path.realpath(self.root)}
        selective = bool(self.selection)  # asked for once: there may be 100,000 files
        pending = [""]
        while pending:
            prefix = pending.pop()
            directories: list[str] = []
            entries = self._listing(prefix)
            while entries:
                entry = entries.pop()  # and forget it: each keeps its whole status
                name = entry.name
                is_distribution = name.endswith(SUFFIXES)
                if name.startswith(".") or (not is_distribution and name.endswith(_TEMPORARY)):
                    continue
                if is_distribution and selective and not self.selection.file(name):
                    continue
                if not self.follow_symlinks and entry.is_symlink() and not self._leads_inside(entry):
                    if is_distribution or (self.recursive and os.path.isdir(entry.path)):
                        yield Rejected(location=entry.path, reason=_LEAVES)
                    continue
                try:
                    status = entry.stat()
                except OSError as error:
                    # A file that is gone by now was removed while we looked; a dangling link stays wrong.
                    missing = isinstance(error, FileNotFoundError) and not entry.is_symlink()
                    if is_distribution and not missing:
                        yield Rejected(location=entry.path, reason=f"cannot be read: {error.strerror}")
                    continue
                if is_distribution and stat.S_ISREG(status.st_mode):
                    yield Artifact(self.root, prefix + name, Fingerprint.of(status))
                elif stat.S_ISDIR(status.st_mode):
                    real = os.path.realpath(entry.path)
                    if real in seen or any(f"{real}/".startswith(f"{output}/") for output in self.exclude):
                        continue
                    if os.path.isdir(os.path.join(real, ".mkindex")):
                        yield Note(location=entry.path, text="an index made by mkindex: not read", detail=True)
                        continue
                    seen.add(real)
                    directories.append(prefix + name)
                elif is_distribution:
                    yield Rejected(location=entry.path, reason="not a regular file: copy the file itself in")
                elif reason := why_unsupported(name):
                    yield Rejected(location=entry.path, reason=reason)
                else:
                    yield Note(location=entry.path, text="not a wheel or sdist: passed over", detail=True)
            if self.recursive:
                pending += [f"{name}/" for name in reversed(directories)]
            elif directories:
                shown = ", ".join(map(printable, directories[:5])) + (", …" if len(directories) > 5 else "")
                yield Note(location=self.root, text=f"subdirectories not read: {shown} (--recursive reads them)")

    def _leads_inside(self, link: os.DirEntry[str]) -> bool:
        root = os.path.realpath(self.root)
        return os.path.commonpath([root, os.path.realpath(link.path)]) == root

    def _listing(self, prefix: str) -> list[os.DirEntry[str]]:
        """Return what is in a directory, by name, the first at the end."""
        path = os.path.join(self.root, prefix) if prefix else self.root
        try:
            with os.scandir(path) as entries:
                return sorted(entries, key=attrgetter("name"), reverse=True)
        except OSError as error:
            raise SourceError(f"cannot read directory {printable(path)}: {error.strerror}") from error
