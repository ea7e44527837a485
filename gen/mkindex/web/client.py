"""Asking web servers, with manners: what pip's users know of requests, bounded in bytes, time and redirects.

Nothing here knows what a page or a wheel is. No text that leaves this module has a password or a query string in it.
"""

import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from mkindex.cache import Cache
from mkindex.errors import MkindexError
from mkindex.simple.media_types import HTML_TYPE, JSON_TYPE
from mkindex.text import printable, redact

if TYPE_CHECKING:
    from requests import Response

    from mkindex.web.transport import Session

T = TypeVar("T")

MAX_PAGE = 256 << 20  # bytes of a page, decompressed; the root page of the public index has some 40 MB
_KEPT_PAGE = 8 << 20  # characters of a page that the cache remembers
_PATIENCE, _SLOWEST = 60, 1000  # after so many seconds, so many bytes a second are the least that is waited for
_BREAKS = 5  # how often a transfer may break and be resumed

# What pip asks for, and anything: what a page is shows when one looks at it.
_ACCEPT = f"{JSON_TYPE}, {HTML_TYPE}; q=0.1, text/html; q=0.01, */*; q=0.001"
_ADVICE = {
    401: "it lets nobody in without the right user name and password: put them into ~/.netrc",
    403: "it lets nobody, or not you, read it",
    404: "there is no such thing",
    407: "the proxy wants a user name and a password: put them into HTTPS_PROXY",
    429: "it was asked too often: try again later, or with --jobs 1",
}


class RequestFailed(MkindexError):
    """An answer that did not come, or is none that can be used. `status`: that of HTTP, 0 where there was none."""

    def __init__(self, url: str, why: str, *, status: int = 0) -> None:
        super().__init__(f"{redact(url)}: {why}")
        self.why = why
        self.status = status


class Unreachable(RequestFailed):
    """No answer at all, which the next question will hardly get either."""


class PageResponse(NamedTuple):
    """A page as it came."""

    url: str  # after redirects
    media_type: str  # lower case, without parameters; "": not said
    text: str


class FileHead(NamedTuple):
    """What a server says of a file before it sends it."""

    url: str  # after redirects
    media_type: str
    size: int | None  # bytes
    validator: str  # a strong ETag, or else Last-Modified: what tells whether the file has changed; "": nothing does


class RawResponse(NamedTuple):
    """An answer as it came, whatever it says."""

    url: str  # after redirects, without credentials
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes = b""  # unpacked; b"" of what was not read
    hops: tuple[str, ...] = ()  # addresses that redirected here, from the one that was asked for on
    broken: str = ""  # why what came is not all of it

    @property
    def media_type(self) -> str:
        """Lower case, without parameters; "": not said."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class WebClient:
    """The servers that one build talks to: one pool of connections, one set of credentials, one cache of pages.

    `anonymous`: without any credentials, as a stranger asks. May be used by many threads. All methods raise Failed.
    """

    def __init__(self, cache: Cache, *, connections: int, anonymous: bool = False) -> None:
        self._cache = cache
        self._connections = connections
        self._anonymous = anonymous
        self._credentials: dict[tuple[str, str], tuple[str, str]] = {}
        self._without_ranges: set[tuple[str, str]] = set()
        self._closed = threading.Event()
        self._lock = threading.Lock()

    def close(self) -> None:
        """Break off whatever is under way, and close all connections."""
        self._closed.set()
        if "_session" in self.__dict__:
            self._session.close()

    def without_credentials(self, url: str) -> str:
        """Return a URL without user and password, which are kept for requests to that host, and only to that."""
        parts = urlsplit(url)
        if parts.username is None and parts.password is None:
            return url
        bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        self._credentials[_origin(bare)] = unquote(parts.username or ""), unquote(parts.password or "")
        return bare

    def page(self, url: str) -> PageResponse:
        """Return a page; one that is known from last time is only asked whether it has changed."""
        known = self._cache.recall(f"page {url}")
        headers = {"Accept": _ACCEPT, "Accept-Encoding": "gzip"}
        if known:
            final, media_type, etag, modified = known[0].split("\t")
            headers |= {"If-None-Match": etag} if etag else {"If-Modified-Since": modified}

        def ask() -> PageResponse:
            with self._asked("GET", url, headers) as response:
                if response.status_code == 304 and known:
                    return PageResponse(final, media_type, known[1])
                _refuse(response, url)
                answer = PageResponse(
                    response.url or url,
                    _media_type(response),
                    _text(self._body(response, url, most=MAX_PAGE), response),
                )
                self._keep(url, answer, response)
                return answer

        return self._persistently(url, ask)

    def _keep(self, url: str, answer: PageResponse, response: "Response") -> None:
        """Remember a page with what it can be asked for again."""
        etag, modified = response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")
        if "?" in f"{url}{answer.url}":  # what may be a secret is written nowhere
            return
        mark = "\t".join((answer.url, answer.media_type, etag, modified))
        if (etag or modified) and len(answer.text) <= _KEPT_PAGE and mark.count("\t") == 3:
            self._cache.remember(f"page {url}", mark, answer.text)

    def _body(self, response: "Response", url: str, *, most: int) -> bytes:
        """Return a page, unpacked. That is done here, where its end can be told from a break."""
        encoding = response.headers.get("Content-Encoding", "identity").lower()
        if encoding not in ("identity", "gzip", "x-gzip", "deflate"):
            raise RequestFailed(url, f"is compressed in a way that was not asked for ({printable(encoding)})")
        unpacker = None if encoding == "identity" else zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # either
        body = bytearray()
        try:
            for chunk in self._received(response, url):
                body += unpacker.decompress(chunk, most + 1) if unpacker else chunk
                if len(body) > most:
                    raise RequestFailed(url, f"a page of more than {most >> 20} MiB: more than mkindex reads")
        except zlib.error as error:
            raise RequestFailed(url, "is said to be compressed, and is not, or damaged") from error
        if unpacker and not unpacker.eof:
            raise _Broken("within what was compressed")
        if unpacker and unpacker.unused_data:
            raise RequestFailed(url, "has something behind what is compressed, that clients read or do not")
        return bytes(body)

    def about(self, url: str) -> FileHead:
        """Return what there is to know of a file without reading it."""
        with self._asked("HEAD", url, {"Accept-Encoding": "identity"}) as response:
            if response.status_code not in (403, 405, 501):
                _refuse(response, url)
                return _about(response, url)
        # A signed URL allows one method only, and some servers know no HEAD.
        with self._asked("GET", url, {"Accept-Encoding": "identity"}) as response:
            _refuse(response, url)
            return _about(response, url)

    def content(self, url: str, *, most: int) -> bytes:
        """Return a small file, of at most so many bytes."""
        data = bytearray()
        for chunk in self.stream(FileHead(url, "", None, ""), url):
            data += chunk
            if len(data) > most:
                raise RequestFailed(url, f"more than {most:,} bytes", status=413)
        return bytes(data)

    def look(self, url: str, *, headers: dict[str, str], method: str = "GET", most: int = MAX_PAGE) -> RawResponse:
        """Return the answer to one question, be it good or bad: for who judges servers instead of using them.

        `most`: bytes of the body that are read; 0: none. Failed only where no answer came at all.
        """
        from mkindex.web.transport import REDIRECTS

        hops: list[str] = []
        while True:
            reply = self._looked(method, hops[-1] if hops else url, headers, most)
            location = reply.headers.get("location")
            if not 300 <= reply.status < 400 or not location:
                return reply._replace(hops=tuple([url, *hops][:-1]))
            # Each step is a request of its own, which takes along no credentials but those for its own host.
            target = self._target(url, reply.url, location)
            hops.append(target)
            if len(hops) > REDIRECTS:
                raise RequestFailed(url, f"redirects more than {REDIRECTS} times")

    @staticmethod
    def _target(url: str, here: str, location: str) -> str:
        try:
            parts = urlsplit(urljoin(here, location))
        except ValueError as error:
            raise RequestFailed(url, "it, or what it redirects to, is no valid address") from error
        if parts.scheme not in ("http", "https"):
            raise RequestFailed(url, "redirects to what is no web address")
        if parts.scheme == "http" and here.startswith("https:"):
            raise RequestFailed(url, "redirects from https to http, where anybody can listen")
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))

    def _looked(self, method: str, url: str, headers: dict[str, str], most: int) -> RawResponse:
        seen: RawResponse | None = None

        def ask() -> RawResponse:
            nonlocal seen
            with self._asked(method, url, headers, follow=False) as response:
                seen = RawResponse(
                    url, response.status_code, {name.lower(): value for name, value in response.headers.items()}
                )
                is_read = method == "GET" and most and 200 <= response.status_code < 300
                return seen._replace(body=self._body(response, url, most=most)) if is_read else seen

        try:
            return self._persistently(url, ask)
        except RequestFailed as error:
            if seen is None:
                raise
            return seen._replace(broken=error.why)

    def has_ranges(self, url: str) -> bool:
        """Tell whether the host of a file is not known to send whole files only."""
        return _origin(url) not in self._without_ranges

    def part(self, url: str, start: int, length: int, *, validator: str = "") -> bytes | None:
        """Return `length` bytes of a file from `start` on; None where the server only sends whole files.

        `validator`: what the file had when it was first asked for; another one now is a failure.
        """
        if not self.has_ranges(url):
            return None
        headers = {"Accept-Encoding": "identity", "Range": f"bytes={start}-{start + length - 1}"}

        def ask() -> bytes | None:
            with self._asked("GET", url, headers) as response:
                if response.status_code == 200:
                    self._without_ranges.add(_origin(url))
                    return None
                _refuse(response, url)
                _refuse_other(response, url, start=start, validator=validator)
                data = bytearray()
                for chunk in self._received(response, url):
                    data += chunk
                    if len(data) > length:
                        raise RequestFailed(url, f"more bytes came than the {length:,} that were asked for")
            if len(data) < length:
                raise RequestFailed(url, f"{len(data):,} bytes came of {length:,} that were asked for")
            return bytes(data)

        return self._persistently(url, ask)

    def _persistently(self, url: str, ask: Callable[[], T]) -> T:
        """Ask again when a transfer breaks off."""
        for attempt in range(1, _BREAKS + 1):
            try:
                return ask()
            except _Broken as error:
                if attempt == _BREAKS or self._closed.is_set():
                    raise RequestFailed(url, f"broke off ({error})") from error
                self._closed.wait(0.5 * attempt)
        raise AssertionError

    def stream(self, about: FileHead, url: str, *, start: int = 0) -> Iterator[bytes]:
        """Yield the bytes of a file from `start` on; a transfer that breaks goes on where it broke."""
        breaks = 0
        while not start or start != about.size:
            before = start
            try:
                for chunk in self._rest(about, url, start):
                    start += len(chunk)
                    if about.size is not None and start > about.size:
                        raise RequestFailed(url, f"sends more than the {about.size:,} bytes that it said")
                    yield chunk
            except _Broken as error:
                breaks = breaks + 1 if start == before else 1
                if breaks == _BREAKS or self._closed.is_set():
                    raise RequestFailed(url, f"broke off after {start:,} bytes ({error})") from error
                self._closed.wait(0.5 * breaks)
                continue
            if about.size is not None and start != about.size:
                raise RequestFailed(url, f"ended after {start:,} bytes of {about.size:,}")
            return

    def _rest(self, about: FileHead, url: str, start: int) -> Iterator[bytes]:
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        with self._asked("GET", url, headers) as response:
            _refuse(response, url)
            skip = 0 if response.status_code == 206 else start
            _refuse_other(response, url, start=start - skip, validator=about.validator)
            for chunk in self._received(response, url):
                # What came before the break comes again from a server without ranges.
                rest = chunk[skip:]
                skip -= len(chunk) - len(rest)
                if rest:
                    yield rest

    def _received(self, response: "Response", url: str) -> Iterator[bytes]:
        """Yield a body as it comes in and as it was sent. Raises _Broken; Failed when it comes too slowly."""
        from mkindex.web.transport import BREAKS, CHUNK, reason

        started, received = time.monotonic(), 0
        try:
            # Not `read`, which returns when it has all that it was asked for, be that in a day.
            while chunk := response.raw.read1(CHUNK, decode_content=False):
                received += len(chunk)
                elapsed = time.monotonic() - started
                if self._closed.is_set():
                    raise RequestFailed(url, "stopped")
                if elapsed > _PATIENCE and received < _SLOWEST * elapsed:
                    raise RequestFailed(url, f"too slow: {received:,} bytes in {elapsed:.0f} s")
                yield chunk
        except BREAKS as error:
            raise _Broken(reason(error)) from error

    @contextmanager
    def _asked(self, method: str, url: str, headers: dict[str, str], *, follow: bool = True) -> Iterator["Response"]:
        """Yield the answer to a request, its body not yet read."""
        from mkindex.web.transport import ERRORS, NO_ANSWER, leave, reason

        if self._closed.is_set():
            raise RequestFailed(url, "stopped")
        try:
            response = self._sent(method, url, headers, follow=follow)
            if response.status_code == 401 and self._ask_keyring(url):
                response.close()
                response = self._sent(method, url, headers, follow=follow)
        except ERRORS as error:
            kind = Unreachable if isinstance(error, NO_ANSWER) else RequestFailed
            raise kind(url, reason(error)) from error
        with response:
            if method == "HEAD" or response.status_code >= 300:
                leave(response)
            yield response

    def _sent(self, method: str, url: str, headers: dict[str, str], *, follow: bool) -> "Response":
        from mkindex.web.transport import TIMEOUT, nobody

        # None: requests looks into ~/.netrc
        auth = nobody if self._anonymous else self._credentials.get(_origin(url))
        session = self._session
        return session.request(
            method,
            url,
            headers=headers,
            auth=auth,
            stream=True,
            timeout=TIMEOUT,
            allow_redirects=follow,
            verify=session.verify,  # or REQUESTS_CA_BUNDLE would count before SSL_CERT_FILE
        )

    def _ask_keyring(self, url: str) -> bool:
        """Look for credentials in the user's keyring, if that is installed; tell whether there are new ones."""
        origin = _origin(url)
        if self._anonymous or origin in self._credentials:
            return False
        with suppress(Exception), self._lock:  # a keyring that is locked, or none
            import keyring  # type: ignore[import-not-found,unused-ignore] # the extra `keyring`

            for service in (redact(url).rpartition("/")[0], "://".join(origin), origin[1]):
                if found := keyring.get_credential(service, None):
                    self._credentials[origin] = found.username, found.password
                    return True
        return False

    @cached_property
    def _session(self) -> "Session":
        from mkindex.web.transport import Session

        return Session(connections=self._connections, anonymous=self._anonymous)


class _Broken(Exception):
    """A transfer that can be resumed."""


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.rpartition("@")[2].lower()


def _refuse(response: "Response", url: str) -> None:
    """Raise Failed for an answer that is none, with what to do about it."""
    status = response.status_code
    if not 200 <= status < 300:
        advice = _ADVICE.get(status, "ask who runs it" if status < 500 else "the server is in trouble: try again later")
        raise RequestFailed(url, f"answers {status}: {advice}", status=status)


def _refuse_other(response: "Response", url: str, *, start: int, validator: str) -> None:
    """Raise Failed when bytes come from another place, or of another file, than those that were asked for."""
    # Where the ETag was no strong one, it may have become one: Apache's is weak for a second after a file was written.
    now = _validator(response) if validator.startswith('"') else response.headers.get("Last-Modified", "")
    if validator and now and now != validator:
        raise RequestFailed(url, "changed while it was read: run again")
    if response.status_code == 206:
        place = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
        if place != str(start):
            raise RequestFailed(
                url, f"sends another part than the one that was asked for ({printable(place) or 'none'})"
            )


def _about(response: "Response", url: str) -> FileHead:
    length = response.headers.get("Content-Length", "")
    # What is compressed on the way has another length then.
    is_plain = response.headers.get("Content-Encoding", "identity") == "identity"
    return FileHead(
        url=response.url or url,
        media_type=_media_type(response),
        size=int(length) if is_plain and length.isascii() and length.isdecimal() and len(length) < 19 else None,
        validator=_validator(response),
    )


def _validator(response: "Response") -> str:
    """Return what tells whether a file has changed; a weak ETag does not tell it to the byte (RFC 9110, 8.8.1)."""
    etag: str = response.headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")


def _media_type(response: "Response") -> str:
    return response.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _text(body: bytes, response: "Response") -> str:
    from requests.utils import get_encoding_from_headers

    declared = "charset" in response.headers.get("Content-Type", "").lower()
    encoding = (get_encoding_from_headers(response.headers) if declared else None) or "utf-8"
    try:
        text = body.decode(encoding, "replace")
    except (LookupError, ValueError):
        text = body.decode(errors="replace")
    return text.removeprefix("\ufeff")
