"""Read an index in an archive in place, as if it were a directory: the paths of its files begin with its own."""

import hashlib
import os
import re
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from io import BufferedReader, RawIOBase

from mkindex.errors import SourceError
from mkindex.text import printable
from mkindex.tree.names import ARCHIVE_SUMS, FILES_DIRECTORY

ARCHIVE_SUFFIXES = (".tar", ".zip")
_MAX_FILES = 1_000_000
_MAX_SUMS = 1 << 28  # bytes
_SUM = re.compile(r"([0-9a-f]{64})  ([^\n]+)")
_LOCAL_HEADER = 30  # bytes, before the name and the extra field


class Archive:
    """The files of a tar or zip archive that are stored as they are. Several threads may use it."""

    def __init__(self, path: str) -> None:
        """Read the list of files. Raises SourceError for something else than an archive of mkindex."""
        self.path = path
        try:
            found = _zip_members(path) if path.endswith(".zip") else _tar_members(path)
            self._members = {name: (start, size) for name, start, size in found}
        except (OSError, ValueError, tarfile.TarError, zipfile.BadZipFile, NotImplementedError, OverflowError) as error:
            raise SourceError(
                f"{printable(path)} cannot be read as an archive ({printable(str(error))[:200]})"
            ) from error

    @property
    def names(self) -> Iterable[str]:
        """The paths of all files, relative to the root of the archive."""
        return self._members.keys()

    def size(self, path: str) -> int | None:
        """Return the size of a file by its path, which begins with that of the archive; None if there is none."""
        member = self._members.get(self._name(path))
        return member[1] if member else None

    def open(self, path: str) -> BufferedReader:
        """Open a file. Raises OSError."""
        name = self._name(path)
        if name not in self._members:
            raise FileNotFoundError(2, "no such file in the archive", path)
        return BufferedReader(_Part(self.path, *self._members[name]))

    def _name(self, path: str) -> str:
        return os.path.normpath(path)[len(self.path) + 1 :].replace(os.sep, "/")

    def verify(self) -> None:
        """Compare the archive with its SHA256SUMS. Files of projects are compared with their pages, not here.

        Raises SourceError if a file is missing, is not listed, or has other bytes.
        """
        sums = self._sums()
        differ = sorted(self._members.keys() - sums.keys() - {ARCHIVE_SUMS}) + sorted(
            sums.keys() - self._members.keys()
        )
        for name, sha256 in sums.items():
            if name in self._members and not name.startswith(f"{FILES_DIRECTORY}/"):
                with self.open(f"{self.path}/{name}") as file:
                    differ += [name] if hashlib.file_digest(file, "sha256").hexdigest() != sha256 else []
        if differ:
            raise SourceError(
                f"{printable(self.path)} is damaged: {printable(differ[0])} does not match {ARCHIVE_SUMS}. "
                "Copy it again"
            )

    def _sums(self) -> dict[str, str]:
        try:
            with self.open(f"{self.path}/{ARCHIVE_SUMS}") as file:
                text = file.read(_MAX_SUMS).decode()
        except (OSError, ValueError) as error:
            raise SourceError(
                f"{printable(self.path)} has no {ARCHIVE_SUMS}: it was not written by mkindex. Extract it, and check "
                "the directory"
            ) from error
        return {found[2]: found[1] for found in map(_SUM.fullmatch, text.splitlines()) if found}


class _Part(RawIOBase):
    """A part of a file, as a file."""

    def __init__(self, path: str, start: int, size: int) -> None:
        super().__init__()
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115 (closed with this)
        self._start, self._size, self._at = start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        self._file.seek(self._start + self._at)
        data = self._file.read(max(0, min(len(buffer), self._size - self._at)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def _tar_members(path: str) -> Iterator[tuple[str, int, int]]:
    with tarfile.open(path, "r:") as archive:
        for number, member in enumerate(archive):
            _refuse_too_many(number)
            if member.isreg() and not member.issparse():
                yield member.name, member.offset_data, member.size


def _zip_members(path: str) -> Iterator[tuple[str, int, int]]:
    with zipfile.ZipFile(path) as archive, open(path, "rb") as file:
        for number, member in enumerate(archive.infolist()):
            _refuse_too_many(number)
            if member.compress_type == zipfile.ZIP_STORED and not member.flag_bits & 1:
                file.seek(member.header_offset)
                header = file.read(_LOCAL_HEADER)
                lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
                yield member.filename, member.header_offset + _LOCAL_HEADER + lengths, member.file_size


def _refuse_too_many(number: int) -> None:
    if number > _MAX_FILES:
        raise ValueError(f"more than {_MAX_FILES:,} files")
