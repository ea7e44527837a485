"""The seam between mkindex and an HTTP library: `send(request)` returns a response, or raises NoResponse.

Everything above this seam (client.py and the modules that it uses) knows no HTTP library. The one implementation is
requests_transport.py; another one must implement these protocols, and pass the same tests.
"""

from collections.abc import Mapping
from types import TracebackType
from typing import NamedTuple, Protocol, Self

CHUNK = 1 << 16  # bytes of a body that are read at once
CONNECT_TIMEOUT, READ_TIMEOUT = 10, 30  # seconds


class Request(NamedTuple):
    """One request. A transport adds its own User-Agent, and nothing else that identifies the user."""

    method: str  # "GET" or "HEAD"
    url: str  # without user, password and fragment
    headers: Mapping[str, str]
    credentials: tuple[str, str] | None = None  # user and password; None: those in ~/.netrc for the host
    follow_redirects: bool = True  # at most MAX_REDIRECTS, by the rules of redirects.py


class Response(Protocol):
    """One response, whose body has not been read yet."""

    @property
    def url(self) -> str:
        """The address that answered, after redirects."""

    @property
    def status(self) -> int:
        """The status code."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The header fields, with names in lower case."""

    def read(self) -> bytes:
        """Return the next bytes of the body as they were sent, at most CHUNK; b"" at the end.

        Returns as soon as there are any. Raises TransferBroken.
        """

    def discard(self) -> None:
        """Drop the body without reading more than CHUNK bytes of it: it may be endless, or expand without end."""

    def close(self) -> None:
        """Give the connection back, or close it if the body was not read to its end."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class Transport(Protocol):
    """A pool of connections. Several threads may use it."""

    def send(self, request: Request) -> Response:
        """Send a request, and repeat it if retries.py says so. Raises NoResponse."""

    def close(self) -> None:
        """Close all connections."""


class NoResponse(Exception):
    """A request without a usable response. `reason` has no address, user or password in it."""

    def __init__(self, reason: str, *, is_unreachable: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_unreachable = is_unreachable  # further requests to this host will probably fail, too


class TransferBroken(Exception):
    """A body that ended too early; the transfer can be resumed. The text has no address in it."""
