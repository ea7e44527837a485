"""Requests as mkindex sends them: as pip's users know them, but for what a server could make of them.

Imported by who asks, when it asks: that takes longer than to check an unchanged index.
"""

import os
from contextlib import suppress
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import requests
import urllib3
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse
from urllib3.connectionpool import ConnectionPool
from urllib3.util import Retry

from mkindex import __version__
from mkindex.errors import ConfigError
from mkindex.text import printable

CHUNK = 1 << 16
REDIRECTS = 5
TIMEOUT = _CONNECT, _READ = 10, 30  # seconds
_LONGEST_PAUSE = 60  # seconds that a server may ask to wait before the next attempt

# Not all that a server can make go wrong becomes one of the first.
ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError)
BREAKS = (urllib3.exceptions.HTTPError, OSError)  # within an answer
NO_ANSWER = (requests.ConnectionError, requests.Timeout)


class Session(requests.Session):
    """So many connections, no cookies, few redirects and fewer credentials. Raises ConfigError."""

    def __init__(self, *, connections: int, anonymous: bool) -> None:
        super().__init__()
        self._anonymous = anonymous
        self.max_redirects = REDIRECTS
        self.headers["User-Agent"] = f"mkindex/{__version__}"
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        if authorities := os.environ.get("SSL_CERT_FILE"):
            if not os.path.isfile(authorities):
                raise ConfigError(f"SSL_CERT_FILE: there is no file {printable(authorities)}")
            self.verify = authorities
        adapter = _Adapter(pool_connections=connections, pool_maxsize=connections, max_retries=_RETRIES)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def get_redirect_target(self, resp: Response) -> str | None:
        """Return where an answer leads, if it does."""
        target = super().get_redirect_target(resp)
        if target and resp.url.startswith("https:") and target.lower().startswith("http:"):
            raise requests.exceptions.InvalidSchema("redirects from https to http, where anybody can listen")
        return target

    def rebuild_auth(self, prepared_request: PreparedRequest, response: Response) -> None:
        """Send credentials only to the host that they are for."""
        # A host may not hand out credentials for another one in an address, either.
        parts = urlsplit(prepared_request.url or "")
        prepared_request.url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        if not self._anonymous:
            super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]


class _Adapter(HTTPAdapter):
    def send(self, *args: Any, **options: Any) -> Response:  # noqa: ANN401 (as it is)
        response = super().send(*args, **options)
        if response.is_redirect:
            leave(response)
        return response


class _Retry(Retry):
    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        if response:
            response.close()  # or it would be read to its end
        return super().increment(method, url, response, error, _pool, _stacktrace)

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        with suppress(ValueError, urllib3.exceptions.HTTPError):  # a date that makes no sense
            asked = super().get_retry_after(response)
            return None if asked is None else min(asked, _LONGEST_PAUSE)
        return None


_RETRIES = _Retry(
    total=4,
    connect=2,
    other=0,
    redirect=False,
    status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods=("GET", "HEAD"),
    backoff_factor=0.5,
    backoff_jitter=0.2,
    raise_on_status=False,
)


def nobody(request: PreparedRequest) -> PreparedRequest:
    """Authenticate as a stranger: else requests would look into ~/.netrc."""
    return request


def leave(response: Response) -> None:
    """Let nobody read the body of an answer that is none: it may be endless, or a bomb.

    A short one is read: what is not read to its end costs the connection. What trickles is not worth it.
    """
    with suppress(urllib3.exceptions.HTTPError, OSError):
        response.raw.read1(CHUNK, decode_content=False)
    if not response.raw.closed:
        response.raw.close()
    response._content = b""  # or requests would read it before it follows a redirect


def reason(error: BaseException) -> str:
    """Say what went wrong on the way; the texts of requests would show the whole address, with what is secret in it."""
    if isinstance(error, requests.exceptions.TooManyRedirects):
        return f"redirects more than {REDIRECTS} times"
    if isinstance(error, requests.exceptions.InvalidSchema):
        text = str(error)
        return text if text.startswith("redirects") else "redirects to what is no web address"
    if isinstance(error, requests.exceptions.SSLError):
        return f"its certificate is not accepted ({_innermost(error)}): name the file of its authority in SSL_CERT_FILE"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy does not answer: see HTTPS_PROXY and NO_PROXY"
    if isinstance(error, requests.exceptions.Timeout):
        return f"does not answer within {_READ} s"
    is_no_connection = isinstance(error, requests.ConnectionError)
    if isinstance(error, requests.exceptions.InvalidURL | ValueError) and not is_no_connection:
        return "it, or what it redirects to, is no valid address"
    return f"cannot be reached: {_innermost(error)}" if is_no_connection else _innermost(error)


def _innermost(error: BaseException) -> str:
    """Return what the system said first of all."""
    while True:
        why = getattr(error, "reason", None)
        deeper = why if isinstance(why, BaseException) else error.__cause__ or error.__context__
        deeper = deeper or next((arg for arg in error.args if isinstance(arg, BaseException)), None)
        if deeper is None:
            break
        error = deeper
    if isinstance(error, OSError) and error.strerror:
        return printable(error.strerror)
    return printable(type(error).__name__ if "/" in str(error) else str(error) or type(error).__name__)
