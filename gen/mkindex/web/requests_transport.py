"""The transport that is built on requests and urllib3, restricted to features that a server cannot abuse.

It follows redirects and repeats requests itself, by the rules of redirects.py and retries.py.
"""

import os
from contextlib import suppress
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Any, Self

import requests
import urllib3
from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse
from urllib3.connectionpool import ConnectionPool
from urllib3.util import Retry

from mkindex import __version__
from mkindex.errors import ConfigError
from mkindex.text import printable
from mkindex.web import redirects
from mkindex.web.retries import BACKOFF, JITTER, MAX_CONNECT_RETRIES, MAX_RETRIES, MAX_RETRY_AFTER, RETRIED_STATUSES
from mkindex.web.transport import CHUNK, CONNECT_TIMEOUT, READ_TIMEOUT, NoResponse, Request, TransferBroken

# Servers can cause more than RequestException: not all errors of urllib3, sockets and URL parsers are wrapped in it.
_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError)
_ERRORS_IN_BODY = (urllib3.exceptions.HTTPError, OSError)
_UNREACHABLE = (requests.ConnectionError, requests.Timeout)


class RequestsTransport:
    """Connections of requests, without cookies. Raises ConfigError for a wrong SSL_CERT_FILE."""

    def __init__(self, *, connections: int, anonymous: bool) -> None:
        self._session = _Session(connections=connections, anonymous=anonymous)
        self._anonymous = anonymous

    def send(self, request: Request) -> "RequestsResponse":
        """Send a request, and repeat it if retries.py says so. Raises NoResponse."""
        # Without `auth`, requests looks into ~/.netrc.
        auth = _add_nothing if self._anonymous else request.credentials
        try:
            response = self._session.request(
                request.method,
                request.url,
                headers=dict(request.headers),
                auth=auth,
                stream=True,
                timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
                allow_redirects=request.follow_redirects,
                verify=self._session.verify,  # or REQUESTS_CA_BUNDLE would take precedence over SSL_CERT_FILE
            )
        except _ERRORS as error:
            raise NoResponse(_reason(error), is_unreachable=isinstance(error, _UNREACHABLE)) from error
        return RequestsResponse(response, request.url)

    def close(self) -> None:
        """Close all connections."""
        self._session.close()


class RequestsResponse:
    """A response of requests, its body not yet read."""

    def __init__(self, response: requests.Response, url: str) -> None:
        self._response = response
        self.url: str = response.url or url
        self.status = response.status_code
        self.headers = {name.lower(): value for name, value in response.headers.items()}

    def read(self) -> bytes:
        """Return the next bytes of the body as they were sent, at most CHUNK; b"" at the end. Raises TransferBroken."""
        try:
            # Not `read`, which waits until all requested bytes have arrived.
            data: bytes = self._response.raw.read1(CHUNK, decode_content=False)
        except _ERRORS_IN_BODY as error:
            raise TransferBroken(_reason(error)) from error
        return data

    def discard(self) -> None:
        """Drop the body without reading more than CHUNK bytes of it."""
        _discard(self._response)

    def close(self) -> None:
        """Give the connection back, or close it if the body was not read to its end."""
        self._response.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _Session(requests.Session):
    def __init__(self, *, connections: int, anonymous: bool) -> None:
        super().__init__()
        self._anonymous = anonymous
        self.max_redirects = redirects.MAX_REDIRECTS
        self.headers["User-Agent"] = f"mkindex/{__version__}"
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        if authorities := os.environ.get("SSL_CERT_FILE"):
            if not os.path.isfile(authorities):
                raise ConfigError(f"SSL_CERT_FILE: file {printable(authorities)} does not exist")
            self.verify = authorities
        adapter = _Adapter(pool_connections=connections, pool_maxsize=connections, max_retries=_RETRIES)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return where a response redirects to, None if it does not."""
        target = super().get_redirect_target(resp)
        if target and redirects.is_insecure(resp.url, target):
            raise requests.exceptions.InvalidSchema(redirects.INSECURE)
        return target

    def rebuild_auth(self, prepared_request: PreparedRequest, response: requests.Response) -> None:
        """Send credentials only to the host that they are for."""
        prepared_request.url = redirects.without_userinfo(prepared_request.url or "")
        if not self._anonymous:
            super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]


class _Adapter(HTTPAdapter):
    def send(self, *args: Any, **options: Any) -> requests.Response:  # noqa: ANN401 (as requests declares it)
        response = super().send(*args, **options)
        if response.is_redirect:
            _discard(response)
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
        with suppress(ValueError, urllib3.exceptions.HTTPError):  # a date that cannot be parsed
            pause = super().get_retry_after(response)
            return None if pause is None else min(pause, MAX_RETRY_AFTER)
        return None


_RETRIES = _Retry(
    total=MAX_RETRIES,
    connect=MAX_CONNECT_RETRIES,
    other=0,
    redirect=False,
    status_forcelist=RETRIED_STATUSES,
    allowed_methods=("GET", "HEAD"),
    backoff_factor=BACKOFF,
    backoff_jitter=JITTER,
    raise_on_status=False,
)


def _add_nothing(request: PreparedRequest) -> PreparedRequest:
    """Add no credentials: without this callback, requests would add those of ~/.netrc."""
    return request


def _discard(response: requests.Response) -> None:
    """Drop a body that is of no use: it may be endless, or expand without end.

    If the body is short, one read is enough to use the connection again. A body that arrives slowly is not worth the
    wait.
    """
    with suppress(urllib3.exceptions.HTTPError, OSError):
        response.raw.read1(CHUNK, decode_content=False)
    if not response.raw.closed:
        response.raw.close()
    response._content = b""  # or requests would read it before it follows a redirect


def _reason(error: BaseException) -> str:
    """Return why there is no response. The error texts of requests would show the whole address, with secrets."""
    if isinstance(error, requests.exceptions.TooManyRedirects):
        return redirects.TOO_MANY
    if isinstance(error, requests.exceptions.InvalidSchema):
        text = str(error)
        return text if text == redirects.INSECURE else redirects.NOT_WEB
    if isinstance(error, requests.exceptions.SSLError):
        return f"certificate not trusted ({_cause(error)}): set SSL_CERT_FILE to the certificate of its authority"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy does not respond: check HTTPS_PROXY and NO_PROXY"
    if isinstance(error, requests.exceptions.Timeout):
        return f"no response within {READ_TIMEOUT} s"
    is_unreachable = isinstance(error, requests.ConnectionError)
    if isinstance(error, requests.exceptions.InvalidURL | ValueError) and not is_unreachable:
        return redirects.INVALID
    return f"cannot be reached: {_cause(error)}" if is_unreachable else _cause(error)


def _cause(error: BaseException) -> str:
    """Return the text of the innermost error, which is that of the operating system."""
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
