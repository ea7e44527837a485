"""Core metadata of `.tar.gz` sdists, read in bounded time and memory; nothing is extracted."""

import gzip
import tarfile
from io import BufferedIOBase, FileIO

from mkindex.distributions.sdists import Layout, SdistFiles
from mkindex.distributions.zip_directory import BOMB_RATIO, BOMB_SIZE, MAX_MEMBERS
from mkindex.distributions.zips import MAX_METADATA
from mkindex.errors import Unreadable
from mkindex.text import printable

MAX_TAR_HEADER = 1 << 20  # bytes of one long name or pax record


class _BoundedStream:
    """The decompressed bytes of an sdist; reading raises Unreadable if they are too many for the size of the file."""

    def __init__(self, stream: gzip.GzipFile, size: int) -> None:
        self._stream, self._limit, self._total = stream, max(BOMB_SIZE, BOMB_RATIO * size), 0
        self.tail = b""  # the last block so far
        self._ended = False

    def read(self, n: int) -> bytes:
        data = self._stream.read(n)
        # tarfile skips a member by reading as many bytes as its header claims, even after the end of the stream.
        if not data and self._ended:
            raise Unreadable("incomplete, or a member claims more bytes than there are: copy it again")
        self._ended = not data
        self.tail = (self.tail + data[-tarfile.BLOCKSIZE :])[-tarfile.BLOCKSIZE :]
        self._total += len(data)
        if self._total > self._limit:
            raise Unreadable(f"a decompression bomb: it unpacks to more than {self._limit:,} bytes. Remove it")
        return data


class _BoundedHeader(tarfile.TarInfo):
    """A tar header that rejects long names and pax records before they fill the memory."""

    # tarfile calls this method, a hook for subclasses, before it reads the data that belongs to a header.
    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        special = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, *tarfile.GNU_TYPES)
        if self.size < 0 or (self.type in special and self.size > MAX_TAR_HEADER):
            raise Unreadable("a tar header has an impossible size: build it again")
        return super()._proc_member(archive)  # type: ignore[misc,no-any-return]

    def _proc_sparse(self, *_: object) -> tarfile.TarInfo:
        raise Unreadable("sparse tar members are not supported: build it again")

    _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _proc_sparse


def read_tar_sdist(stream: FileIO | BufferedIOBase, size: int) -> SdistFiles:
    """Return PKG-INFO and pyproject.toml of a `.tar.gz` sdist.

    The gzip stream is read to its end, to check its length and checksum. Raises Unreadable.
    """
    bounded = _BoundedStream(gzip.open(stream), size)  # noqa: SIM115 (the caller closes the stream)
    layout = Layout()
    try:
        with tarfile.open(fileobj=bounded, mode="r|", tarinfo=_BoundedHeader, bufsize=1 << 16) as archive:  # type: ignore[call-overload]
            members = 0
            while (member := archive.next()) is not None:
                archive.members.clear()  # tarfile keeps every header for random access
                members += 1
                if members > MAX_MEMBERS:
                    raise Unreadable(f"more than {MAX_MEMBERS:,} members, the limit of mkindex: build it again")
                if layout.add(f"{member.name}/" if member.isdir() else member.name):
                    is_small = member.isreg() and member.size <= MAX_METADATA
                    content = archive.extractfile(member) if is_small else None
                    layout.keep(member.name, content.read() if content else None)
        while bounded.read(1 << 20):  # the padding of tar, and the trailer of gzip
            pass
    except Unreadable:
        raise
    except Exception as error:  # a malformed header can make tarfile raise nearly anything
        raise Unreadable(f"incomplete or damaged ({printable(str(error))}): copy it again") from error
    # tarfile accepts any end of the stream as the end of the archive, which should be at least one block of zeros.
    if bounded.tail != bytes(tarfile.BLOCKSIZE):
        raise Unreadable("incomplete: the end of the tar archive is missing. Copy it again")
    return layout.files()
