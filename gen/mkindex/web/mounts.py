"""Addresses whose files are not requested over HTTP, but read in another way, such as objects of a bucket."""

from collections.abc import Collection, Iterator
from typing import Protocol

from mkindex.web.responses import FileHead


class FileServer(Protocol):
    """What reads the files below an address. All methods raise RequestFailed; several threads may call them."""

    def holds(self, url: str) -> bool:
        """Tell whether there is a file that the user named, by its own address or by that of its directory."""

    def head(self, url: str) -> FileHead:
        """Return what is known about a file without reading it."""

    def kept_sha256(self, url: str) -> tuple[str, bytes]:
        """Return the sha256 that is kept with a file, "" if none is, and the end of the file if it came with that."""

    def stream(self, url: str, start: int, validator: str) -> Iterator[bytes]:
        """Yield the bytes of a file from `start` on. `validator`: that of the file when its head was read."""

    def get_range(self, url: str, start: int, length: int, validator: str) -> bytes:
        """Return some bytes of a file."""

    def find_object(self, url: str) -> tuple[str, str]:
        """Return the address of the bucket of a file, and its key there."""

    def part(self, urls: Collection[str]) -> "FileServer":
        """Return what reads these files in another process. It can be pickled, and has no credentials."""


class Mounts:
    """What reads files instead of a server of the web.

    A page of another source may name any other file of a private bucket: that is requested without credentials.
    """

    def __init__(self) -> None:
        self._servers: dict[str, FileServer] = {}

    def add(self, source: str, server: FileServer) -> None:
        """Read the files that `server` holds in this way. It replaces what an earlier listing of the source held."""
        self._servers[source] = server

    def part(self, urls: Collection[str]) -> dict[str, FileServer]:
        """Return what reads those of some files that are mounted, by source."""
        parts = {}
        for source, server in self._servers.items():
            if held := [url for url in urls if server.holds(url)]:
                parts[source] = server.part(held)
        return parts

    def find(self, url: str) -> FileServer | None:
        """Return what reads a file; None: a server of the web."""
        if not self._servers:
            return None
        return next((server for server in self._servers.values() if server.holds(url)), None)
