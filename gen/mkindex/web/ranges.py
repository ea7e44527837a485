"""A remote file as a stream of which only what is read is fetched."""

import io
import os
from collections.abc import Callable

from mkindex.distributions.zips import MAX_DIRECTORY, MAX_METADATA

_TAIL = 64 << 10  # bytes at the end of a file that are fetched together: a zip's directory lies there, and METADATA


_LEAST = 16 << 10  # bytes fetched at once elsewhere


_FETCHED = MAX_DIRECTORY + 2 * MAX_METADATA  # bytes of one wheel that are fetched in parts at most


class RangeStream(io.BufferedIOBase):
    """A file elsewhere as a stream that can seek: some of its bytes are there, the rest `fetch` gets, or nothing does.

    Reading raises _OutOfReach for bytes that are not to be had.
    """

    def __init__(self, size: int, *, fetch: Callable[[int, int], bytes] | None = None) -> None:
        self.size = size
        self._fetch = fetch
        self._kept: list[tuple[int, bytes]] = []
        self._fetched = 0
        self._at = 0

    def keep(self, start: int, data: bytes) -> None:
        """Make bytes of the file readable that begin at `start`."""
        self._kept.append((start, data))

    @property
    def is_whole(self) -> bool:
        """Whether all of the file is there."""
        return any(len(data) == self.size for _, data in self._kept)

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        end = self.size if size is None or size < 0 else min(self._at + size, self.size)
        data = self._bytes(self._at, max(end - self._at, 0))
        self._at += len(data)
        return data

    def _bytes(self, start: int, length: int) -> bytes:
        for kept, data in self._kept:
            if kept <= start and start + length <= kept + len(data):
                return data[start - kept : start - kept + length]
        first, last = start, max(start + length, min(start + _LEAST, self.size))
        if last > self.size - _TAIL:
            first, last = min(start, max(self.size - _TAIL, 0)), self.size
        self._fetched += last - first
        if self._fetch is None or self._fetched > _FETCHED:
            raise OutOfReach
        data = self._fetch(first, last - first)
        self.keep(first, data)
        return data[start - first : start - first + length]


class OutOfReach(Exception):
    """Bytes of a remote file that cannot be had without reading all of it."""
