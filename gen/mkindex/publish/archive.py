"""A published tree as one file: the same bytes for the same tree, with the hashes of all its files."""

import hashlib
import os
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import BufferedReader, BytesIO
from shutil import copyfileobj
from tempfile import NamedTemporaryFile
from typing import IO

from mkindex.errors import DestinationError
from mkindex.model.files import CHUNK
from mkindex.publish.root import Root
from mkindex.text import printable
from mkindex.tree.manifest import OPTIONAL_LINES, Entry, decode, encode, read_optional, sections
from mkindex.tree.names import ARCHIVE_SUMS, MANIFEST

ARCHIVE_SUFFIXES = (".tar", ".zip")
_TIME = 315_532_800  # 1980-01-01, the earliest time that a zip file can have
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_MODE = 0o644  # of each file in it

# Adds a file with a path and a size, whose bytes are read from a stream.
_Add = Callable[[str, int, IO[bytes]], None]


def write_archive(tree: str, path: str) -> None:
    """Write all files that the manifest of a tree lists, but no retired ones, its manifest and SHA256SUMS.

    Raises DestinationError if the archive cannot be written, or a file is not as it was published.
    """
    root = Root(tree)
    try:
        entries, manifest = _read_manifest(root)
        entries.sort(key=lambda entry: entry.path)
        with NamedTemporaryFile(dir=os.path.dirname(os.path.abspath(path)), delete=False) as file:
            try:
                (_write_zip if path.endswith(".zip") else _write_tar)(root, entries, manifest, file)
                file.flush()
                os.fsync(file.fileno())
                os.chmod(file.name, _mode_of_tree(root))  # the archive is for those who may read the tree
                os.replace(file.name, path)
            except BaseException:
                with suppress(OSError):
                    os.unlink(file.name)
                raise
    except OSError as error:
        raise DestinationError(f"cannot write {printable(path)}: {error.strerror or error}") from error


def _mode_of_tree(root: Root) -> int:
    with root.open(MANIFEST) as stream:
        return os.fstat(stream.fileno()).st_mode & 0o666


def _read_manifest(root: Root) -> tuple[list[Entry], bytes]:
    """Return the entries of a tree that are not retired, and a manifest of them.

    With that, mkindex can change the tree wherever it is extracted. It has nothing of this machine: no fingerprints of
    files, and no limits of time, which may be those of an earlier build.
    """
    entries: list[Entry] = []
    optional: dict[str, list[bytes]] = {}
    with root.open(MANIFEST) as stream:
        for extent, lines in [*sections(stream)]:
            found = decode(extent.name, lines)
            entries += [entry._replace(fingerprint="") for entry in found if entry.retired is None]
            found_lines = read_optional(stream, extent)
            optional[extent.name] = [line for line in found_lines if line.startswith(OPTIONAL_LINES)]
    return entries, b"".join(encode(((entry.position, entry) for entry in entries), optional=optional.__getitem__))


def _write_tar(root: Root, entries: Sequence[Entry], manifest: bytes, file: IO[bytes]) -> None:
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:

        def add(path: str, size: int, stream: IO[bytes]) -> None:
            member = tarfile.TarInfo(path)  # of user and group 0
            member.size, member.mtime, member.mode = size, _TIME, _MODE
            archive.addfile(member, stream)

        _add_all(root, entries, manifest, add)


def _write_zip(root: Root, entries: Sequence[Entry], manifest: bytes, file: IO[bytes]) -> None:
    with zipfile.ZipFile(file, "w") as archive:

        def add(path: str, size: int, stream: IO[bytes]) -> None:
            member = zipfile.ZipInfo(path, _ZIP_TIME)
            member.file_size, member.create_system, member.external_attr = size, 3, (0o100000 | _MODE) << 16
            with archive.open(member, "w") as target:
                copyfileobj(stream, target, CHUNK)

        _add_all(root, entries, manifest, add)


def _add_all(root: Root, entries: Sequence[Entry], manifest: bytes, add: _Add) -> None:
    """Add the list of hashes, in the format of sha256sum, the manifest, and then every file."""
    hashes = [(hashlib.sha256(manifest).hexdigest(), MANIFEST), *((entry.sha256, entry.path) for entry in entries)]
    sums = "".join(f"{sha256}  {path}\n" for sha256, path in hashes).encode()
    add(ARCHIVE_SUMS, len(sums), BytesIO(sums))
    add(MANIFEST, len(manifest), BytesIO(manifest))
    for entry in entries:
        with root.open(entry.path) as stream:
            verified = _Verified(stream)
            add(entry.path, os.fstat(stream.fileno()).st_size, verified)
        if verified.digest.hexdigest() != entry.sha256:
            raise OSError(0, f"{entry.path} is not as it was published. Run mkindex again")


class _Verified(BytesIO):
    """A file that is hashed while it is read."""

    def __init__(self, stream: BufferedReader) -> None:
        super().__init__()
        self._stream = stream
        self.digest = hashlib.sha256()

    def read(self, size: int | None = -1, /) -> bytes:
        data = self._stream.read(size if size is not None else -1)
        self.digest.update(data)
        return data
