"""The seam between mkindex and an HTTP library: `send(request)` returns one response, or raises NoResponse.

Everything above this seam (client.py and the modules that it uses) knows no HTTP library, and everything below it knows
no policy: no redirects, credentials, retries or caches. The one implementation is reqwest_transport.py; another one
must implement these protocols, and pass the same tests.
"""

from collections.abc import Mapping
from types import TracebackType
from typing import Literal, NamedTuple, Protocol, Self

CHUNK = 1 << 19  # bytes of a body that are read at once
DEFAULT_TIMEOUT = 30.0  # seconds
CONNECT_TIMEOUT = 10.0  # seconds; the timeout, if that is shorter

UNREADABLE = "\N{REPLACEMENT CHARACTER}"

# What failed: the address is invalid, the certificate or the proxy is not usable, there is no connection, it breaks
# before the head of the response is complete, or the head is not valid HTTP. "refused": nothing was sent.
Stage = Literal["address", "refused", "certificate", "proxy", "connection", "response", "head"]


class Request(NamedTuple):
    """One request. A transport adds its own User-Agent, and nothing else that identifies the user."""

    method: str  # "GET" or "HEAD"
    url: str  # without user, password and fragment
    headers: Mapping[str, str]
    proxy: str = ""  # address of the proxy, with user and password; "": none
    address: str = ""  # IP address to connect to; "": any of the host


class Response(Protocol):
    """One response, whose body has not been read yet."""

    @property
    def url(self) -> str:
        """The address that was requested."""

    @property
    def status(self) -> int:
        """The status code."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The header fields, with names in lower case; a Location that cannot be read is UNREADABLE."""

    @property
    def is_persistent(self) -> bool:
        """Whether the server keeps the connection for further requests."""

    def read(self) -> bytes:
        """Return the next bytes of the body as they were sent, at most CHUNK; b"" at the end.

        Returns as soon as there are any. Raises TransferBroken, also without any for the timeout.
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
        """Send a request, and return when the head of the response is complete. Raises NoResponse.

        The timeout bounds everything before: connecting, interim responses and the head itself.
        """

    def close(self) -> None:
        """Close all connections. What waits for a response fails at once; a body that is being read, at the timeout."""


class NoResponse(Exception):
    """A request without a usable response. `reason` has no address, user or password in it."""

    def __init__(self, reason: str, stage: Stage) -> None:
        super().__init__(reason)
        self.reason = reason
        self.stage = stage

    @property
    def is_unreachable(self) -> bool:
        """Whether further requests to this host will probably fail, too."""
        return self.stage not in ("address", "refused", "head")


class TransferBroken(Exception):
    """A body that ended too early; the transfer can be resumed. The text has no address in it."""
