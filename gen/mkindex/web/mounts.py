"""Addresses whose files are not requested over HTTP, but read in another way, such as objects of a bucket."""

from collections.abc import Iterator
from typing import Protocol

from mkindex.web.responses import FileHead


class FileServer(Protocol):
    """What reads the files below an address. All methods raise RequestFailed; several threads may call them."""

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


class Mounts:
    """The addresses, each with what reads the files below it."""

    def __init__(self) -> None:
        self._servers: dict[str, FileServer] = {}

    def add(self, address: str, server: FileServer) -> None:
        """Read all files below an address, which ends with a slash, in this way."""
        self._servers[address] = server

    def find(self, url: str) -> FileServer | None:
        """Return what reads a file; None: a server of the web."""
        if not self._servers:
            return None
        return next((server for address, server in self._servers.items() if url.startswith(address)), None)
