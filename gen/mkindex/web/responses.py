"""Responses, and the errors of requests."""

from collections.abc import Mapping
from typing import NamedTuple, Self

from mkindex.errors import MkindexError
from mkindex.text import redact
from mkindex.web.validators import fingerprint, last_modified, media_type, validator

_ADVICE = {
    401: "user name and password required. Put them into ~/.netrc",
    403: "access denied. Check address and credentials. The server or bucket must let readers read it",
    404: "not found. Check the address",
    407: "user name and password required by the proxy. Put them into HTTPS_PROXY",
    429: "too many requests. Try again later, or with --jobs 1",
}
_WRONG = "user name or password is wrong. Check the address, ~/.netrc and your keyring"


class RequestFailed(MkindexError):
    """A request without a usable response. `why` is the text without the address; `status` is 0 without a response."""

    def __init__(self, url: str, why: str, *, status: int = 0) -> None:
        super().__init__(f"{redact(url)}: {why}")
        self.why = why
        self.status = status


class Unreachable(RequestFailed):
    """A request without any response. Further requests to this host will probably fail, too."""


class Refused(RequestFailed):
    """A request that was not sent, because of where its address leads."""


class PageResponse(NamedTuple):
    """A page as it was sent."""

    url: str  # after redirects
    media_type: str  # lower case, without parameters; "": unknown
    text: str


class FileHead(NamedTuple):
    """The facts about a file that a server states in headers."""

    url: str  # after redirects
    media_type: str  # lower case, without parameters; "": unknown
    size: int | None  # bytes
    validator: str  # strong ETag or Last-Modified, see validators.py; "" without either
    last_modified: str = ""  # as on the wire of the Simple API; "" if the server does not know

    @classmethod
    def of(cls, url: str, headers: Mapping[str, str], size: int | None) -> Self:
        """Return what the headers of a response state about a file of this size."""
        return cls(url, media_type(headers), size, validator(headers), last_modified(headers))

    @property
    def fingerprint(self) -> str:
        """The text that changes with the file; "" if the headers cannot show whether it has changed."""
        return fingerprint(self.validator, self.size)


class RawResponse(NamedTuple):
    """A response as it was sent, even if it is an error, so that a server can be judged."""

    url: str  # after redirects, without credentials
    status: int  # 0: there was no response
    headers: dict[str, str]  # names in lower case
    body: bytes = b""  # decompressed; b"" if it was not read
    hops: tuple[str, ...] = ()  # addresses that redirected here, from the requested one on
    broken: str = ""  # why the body is incomplete or missing; "" if it is complete

    @property
    def media_type(self) -> str:
        """Lower case, without parameters; "": unknown."""
        return media_type(self.headers)


def describe_failure(status: int, *, authorized: bool = False) -> str:
    """Return what a status other than 2xx means, and what to do about it. `authorized`: credentials were sent."""
    if status == 401 and authorized:
        return f"answers 401: {_WRONG}"
    others = "request refused. Ask the operator of the server" if status < 500 else "server error. Try again later"
    return f"answers {status}: {_ADVICE.get(status, others)}"


def require_success(status: int, url: str, *, unnamed_host: str = "", authorized: bool = False) -> None:
    """Raise RequestFailed for any status but 2xx.

    `unnamed_host`: the host, if the user did not name it. `authorized`: credentials were sent.
    """
    if 200 <= status < 300:
        return
    why = describe_failure(status, authorized=authorized)
    if status == 401 and unnamed_host:
        why = (
            f"answers 401: user name and password required, which are sent only to hosts that you name. If you trust "
            f"{unnamed_host}, use --trust-host {unnamed_host}"
        )
    raise RequestFailed(url, why, status=status)
