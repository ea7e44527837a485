"""A remote file as a seekable stream that fetches only the parts that are read (RFC 9110, section 14)."""

import io
import os
from collections.abc import Callable

from mkindex.distributions.zip_directory import MAX_DIRECTORY
from mkindex.distributions.zips import MAX_METADATA
from mkindex.web.responses import RequestFailed

# Bytes at the end of a file that are fetched together. A zip's directory is there, and in most wheels METADATA.
# The end record of a zip is looked for in the last 65,557.
TAIL = 68 << 10
_LEAST = 16 << 10  # bytes that are fetched at once elsewhere
MAX_FETCHED = MAX_DIRECTORY + 2 * MAX_METADATA  # bytes of one wheel that are fetched for its METADATA
MAX_FETCHED_TO_CHECK = MAX_DIRECTORY + 3 * MAX_METADATA  # bytes of one wheel that are fetched to check RECORD, too


class RangeStream(io.BufferedIOBase):
    """A file with some bytes in memory. `fetch(start, length)` gets the others.

    Reading raises OutOfReach if missing bytes are needed and there is no `fetch`, or if more than `most` bytes would be
    fetched in total; and what `fetch` raises.
    """

    def __init__(
        self, url: str, size: int, *, fetch: Callable[[int, int], bytes] | None = None, most: int = MAX_FETCHED
    ) -> None:
        self.size = size
        self._url = url
        self._fetch = fetch
        self._most = most
        self._parts: list[tuple[int, bytes]] = []
        self._fetched = 0
        self._position = 0

    def add(self, start: int, data: bytes) -> None:
        """Add bytes of the file that begin at `start`."""
        self._parts.append((start, data))

    @property
    def is_whole(self) -> bool:
        """Whether all of the file is present."""
        return any(len(data) == self.size for _, data in self._parts)

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        start = min(self._position, self.size)
        end = self.size if size is None or size < 0 else min(start + size, self.size)
        data = self._bytes(start, end)
        self._position = end
        return data

    def _bytes(self, start: int, end: int) -> bytes:
        for offset, part in self._parts:
            if offset <= start and end <= offset + len(part):
                return part[start - offset : end - offset]
        first, last = start, min(max(end, start + _LEAST), self.size)
        if last > self.size - TAIL:
            first, last = min(start, max(self.size - TAIL, 0)), self.size
        self._fetched += last - first
        if self._fetch is None or self._fetched > self._most:
            raise OutOfReach(self._url, f"its metadata cannot be read without fetching more than {self._most:,} bytes")
        part = self._fetch(first, last - first)
        self.add(first, part)
        return part[start - first : end - first]


class OutOfReach(RequestFailed):
    """Bytes of a remote file that are available only by reading all of it."""


class RangesRefused(OutOfReach):
    """A server that sends only whole files."""
