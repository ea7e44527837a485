"""Decompress a gzip file piece by piece, within bounds.

Not with `gzip`, which reads the name in the header of a stream byte by byte: 20 s for one of 16 MB.
"""

import zlib
from io import BufferedIOBase, FileIO

from mkindex.distributions.zip_directory import BOMB_RATIO, BOMB_SIZE
from mkindex.errors import Unreadable
from mkindex.text import printable

MAX_STREAMS = 10_000  # in one file: some programs begin one every 64 KiB
_CHUNK = 64 << 10
_CUT_OFF = "incomplete: the end of the gzip stream is missing. Copy it again"


class Gunzip:
    """The decompressed bytes of a file of `size` bytes.

    Reading raises Unreadable if they are damaged, or too many for that size. The checksum and length at the end of each
    stream are checked when it is reached.
    """

    def __init__(self, stream: FileIO | BufferedIOBase, size: int) -> None:
        self._stream = stream
        self._limit = self._left = max(BOMB_SIZE, BOMB_RATIO * size)
        self._inflater = _inflater()
        self._streams = 1
        self._input = b""
        self._output = bytearray()  # decompressed, and not read yet
        self.position = 0  # of the next byte

    def read(self, size: int) -> bytes:
        """Return the next bytes; fewer than `size` only at the end."""
        while len(self._output) < size and (more := self._decompress()):
            self._output += more
        data = bytes(self._output[:size])
        del self._output[:size]
        self.position += len(data)
        return data

    def skip_to(self, position: int) -> bool:
        """Pass over the bytes before `position`; tell whether there are that many."""
        while (left := position - self.position) > len(self._output):
            self.position += len(self._output)
            self._output = bytearray(self._decompress())
            if not self._output:
                return False
        del self._output[:left]
        self.position = position
        return True

    def check_rest(self) -> None:
        """Read to the end. Raises Unreadable if what comes is damaged."""
        while self._decompress():
            pass

    def _decompress(self) -> bytes:
        """Return some bytes; none at the end."""
        while not self._inflater.eof or self._begin_next():
            self._input = self._input or self._stream.read(_CHUNK) or b""
            is_end = not self._input
            try:
                data = self._inflater.decompress(self._input, _CHUNK)
            except zlib.error as error:
                raise Unreadable(f"incomplete or damaged ({printable(str(error))}): copy it again") from error
            self._input = self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail
            self._left -= len(data)
            if self._left < 0:
                raise Unreadable(f"a decompression bomb: it unpacks to more than {self._limit:,} bytes. Remove it")
            if data:
                return data
            if is_end and not self._inflater.eof:
                raise Unreadable(_CUT_OFF)
        return b""

    def _begin_next(self) -> bool:
        """Begin the next stream of the file, after any zeros; tell whether there is one."""
        while not (rest := self._input.lstrip(b"\0")):
            self._input = self._stream.read(_CHUNK) or b""
            if not self._input:
                return False
        self._input = rest
        self._streams += 1
        if self._streams > MAX_STREAMS:
            raise Unreadable(f"more than {MAX_STREAMS:,} gzip streams, the limit of mkindex: build it again")
        self._inflater = _inflater()
        return True


def _inflater() -> "zlib._Decompress":
    return zlib.decompressobj(zlib.MAX_WBITS | 16)
