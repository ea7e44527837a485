"""What a request returns, and the errors that it ends in."""

from typing import NamedTuple

from mkindex.errors import MkindexError
from mkindex.text import redact
from mkindex.web.validators import fingerprint, media_type

_ADVICE = {
    401: "user name and password required. Put them into ~/.netrc",
    403: "access denied. Check the address and your credentials",
    404: "not found. Check the address",
    407: "user name and password required by the proxy. Put them into HTTPS_PROXY",
    429: "too many requests. Try again later, or with --jobs 1",
}


class RequestFailed(MkindexError):
    """A request without a usable response. `why` is the text without the address; `status` is 0 without a response."""

    def __init__(self, url: str, why: str, *, status: int = 0) -> None:
        super().__init__(f"{redact(url)}: {why}")
        self.why = why
        self.status = status


class Unreachable(RequestFailed):
    """A request without any response: the next one to this host will hardly get one either."""


class PageResponse(NamedTuple):
    """A page as it was sent."""

    url: str  # after redirects
    media_type: str  # lower case, without parameters; "": unknown
    text: str


class FileHead(NamedTuple):
    """What a server says of a file before it sends it."""

    url: str  # after redirects
    media_type: str  # lower case, without parameters; "": unknown
    size: int | None  # bytes
    validator: str  # strong ETag or Last-Modified, see validators.py; "": the server sends neither

    @property
    def fingerprint(self) -> str:
        """What tells, without reading it, that the file is the same; "": nothing does."""
        return fingerprint(self.validator, self.size)


class RawResponse(NamedTuple):
    """A response as it was sent, also an unusable one: for judging a server instead of using it."""

    url: str  # after redirects, without credentials
    status: int  # 0: there was no response
    headers: dict[str, str]  # names in lower case
    body: bytes = b""  # decompressed; b"" where it was not read
    hops: tuple[str, ...] = ()  # addresses that redirected here, from the requested one on
    broken: str = ""  # why the body is incomplete or missing; "": it is not

    @property
    def media_type(self) -> str:
        """Lower case, without parameters; "": unknown."""
        return media_type(self.headers)


def require_success(status: int, url: str) -> None:
    """Raise RequestFailed for any status but 2xx, with what to do about it."""
    if not 200 <= status < 300:
        advice = _ADVICE.get(
            status,
            "request refused. Ask the operator of the server" if status < 500 else "server error. Try again later",
        )
        raise RequestFailed(url, f"answers {status}: {advice}", status=status)
