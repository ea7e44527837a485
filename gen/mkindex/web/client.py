"""The client that all parts of mkindex use for HTTP: it adds credentials, retries, bounds and a cache to a transport.

It knows neither pages of an index nor wheels. No error that it raises has a password or a query string in its text.
"""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mkindex.cache import Cache
from mkindex.errors import nothing
from mkindex.simple.media_types import HTML_TYPE, JSON_TYPE
from mkindex.text import printable
from mkindex.web.bodies import MAX_PAGE, Patience, decode_page, read_chunks, read_page
from mkindex.web.credentials import CredentialStore, host_name, origin
from mkindex.web.mounts import FileServer, Mounts
from mkindex.web.page_cache import recall_page, remember_page
from mkindex.web.redirects import MAX_REDIRECTS, TOO_MANY, BadRedirect, redirect_location, redirect_target
from mkindex.web.responses import FileHead, PageResponse, RawResponse, RequestFailed, require_success
from mkindex.web.retries import MAX_BREAKS, PAUSE_AFTER_BREAK, repeat_broken
from mkindex.web.transport import DEFAULT_TIMEOUT, Response, TransferBroken
from mkindex.web.validators import content_length, content_range, has_changed, head_or_get, media_type

if TYPE_CHECKING:
    from mkindex.web.ranges import RangeStream
    from mkindex.web.sender import Sender
    from mkindex.web.settings import WebSettings

# The types that pip accepts, and any other, because the content of a page shows what it is.
_ACCEPT = f"{JSON_TYPE}, {HTML_TYPE}; q=0.1, text/html; q=0.01, */*; q=0.001"
_END_REFUSED = (400, 416, 501)  # an empty file has no end, and some servers know only ranges with a start
_UNCOMPRESSED = {"Accept-Encoding": "identity"}


class WebClient:
    """The servers that one build or check talks to: one pool of connections, one set of credentials, one cache.

    Several threads may use it. All methods raise RequestFailed. `timeout`: seconds that each attempt may take without
    progress. `trusted`: hosts that the user named, without port. `local_hosts`: hosts that may be in private
    networks. `anonymous`: send no credentials.
    """

    def __init__(
        self,
        cache: Cache,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        trusted: Collection[str] = (),
        local_hosts: Collection[str] = (),
        anonymous: bool = False,
    ) -> None:
        self.cache = cache
        self._credentials = CredentialStore(trusted, anonymous=anonymous)
        self._local_hosts = set(local_hosts)
        self._without_ranges: set[tuple[str, str]] = set()  # origins
        self._without_ends: set[tuple[str, str]] = set()  # origins that send no range without its start
        self._stopped = threading.Event()
        self._patience = Patience(timeout, self._stopped)
        self._opening = threading.Lock()
        self._opened: Sender | None = None
        self._mounts = Mounts()

    def close(self) -> None:
        """Stop all transfers, and close all connections."""
        self._stopped.set()
        if self._opened:
            self._opened.close()

    def mount(self, source: str, server: FileServer) -> None:
        """Read the files of a source that `server` holds from it, instead of the web."""
        self._mounts.add(source, server)

    def take_credentials(self, url: str) -> str:
        """Return an address that the user named, without user and password, which are kept for its host only."""
        return self._credentials.take_from(url)

    def use_token(self, url: str, token: str, variable: str) -> None:
        """Send a token to an address of an API that the user named and to those below it. `variable` has the token.

        Files below it are requested as they are, not as the JSON that describes them.
        """
        self._credentials.add_token(url, token, variable)

    def has_credentials(self, url: str) -> bool:
        """Tell whether credentials are sent to an address."""
        return bool(self._credentials.headers(url))

    def has_token(self, url: str) -> bool:
        """Tell whether a token is sent to an address."""
        return bool(self._credentials.token_for(url))

    def allow_local_host(self, url: str) -> None:
        """Allow the host of an address in a private network or on this machine: a file of this machine names it."""
        self._local_hosts.add(host_name(url))

    def settings(self) -> "WebSettings":
        """Return the settings of a client in another process that reads the same files."""
        from mkindex.web.settings import WebSettings  # here, since most builds have no other processes

        tokens = tuple(sorted(self._credentials.variables.items()))
        return WebSettings(self._patience.timeout, self._credentials.named, frozenset(self._local_hosts), tokens)

    def mounts_of(self, urls: Collection[str]) -> dict[str, FileServer]:
        """Return what reads those of some files that are not requested over HTTP. It can be pickled."""
        return self._mounts.part(urls)

    # --- pages --------------------------------------------------------------------------------------------------------

    def get_page(self, url: str) -> PageResponse:
        """Return a page; if it is in the cache, only ask the server whether it has changed."""
        cached = recall_page(self.cache, url)
        headers = {"Accept": _ACCEPT, "Accept-Encoding": "gzip"} | (cached.conditions if cached else {})

        def ask() -> PageResponse:
            with self._open("GET", url, headers) as response:
                if response.status == 304 and cached:
                    return cached.page
                self._require_success(response, url)
                # The body is not named: with its text, a large page is in memory twice as long as this line runs.
                text = decode_page(
                    read_page(response, url, self._patience, most=MAX_PAGE), response.headers.get("content-type", "")
                )
                page = PageResponse(response.url, media_type(response.headers), text)
                remember_page(self.cache, url, page, response.headers)
                return page

        return repeat_broken(url, ask, self._stopped)

    # --- files --------------------------------------------------------------------------------------------------------

    def head(self, url: str) -> FileHead:
        """Return what the server says about a file, without reading it."""
        if mounted := self._mounts.find(url):
            return mounted.head(url)

        def ask(method: str) -> Response:
            with self._open(method, url, self._file_headers(url)) as response:
                return response  # closed, but its headers can be read

        response = head_or_get(ask)
        self._require_success(response, url)
        return FileHead.of(response.url, response.headers, content_length(response.headers))

    def head_with_end(self, url: str) -> tuple[FileHead, bytes]:
        """Return what head() returns, and the end of the file from the same response, b"" if the server sends none."""
        from mkindex.web.ranges import TAIL  # here, since that needs all of what reads zip files

        host = origin(url)
        if self._mounts.find(url) or host in self._without_ranges or host in self._without_ends:
            return self.head(url), b""

        def ask() -> tuple[FileHead, bytes] | None:
            with self._open("GET", url, self._file_headers(url) | {"Range": f"bytes=-{TAIL}"}) as response:
                if response.status in _END_REFUSED:
                    return None
                self._require_success(response, url)
                start, size = content_range(response.headers) or (0, None)
                if response.status != 206 or size is None:
                    self._without_ends.add(host)
                    return FileHead.of(response.url, response.headers, _whole_size(response)), b""
                _require_same(response, url, start=max(0, size - TAIL), validator="")
                return FileHead.of(response.url, response.headers, size), self._read_part(response, url, size - start)

        return repeat_broken(url, ask, self._stopped) or (self.head(url), b"")

    def kept_sha256(self, url: str) -> tuple[str, bytes]:
        """Return the sha256 that is kept with a file, "" if none is, and the end of the file if it came with that."""
        mounted = self._mounts.find(url)
        return mounted.kept_sha256(url) if mounted else ("", b"")

    def find_object(self, url: str) -> tuple[str, str] | None:
        """Return the address of the bucket of a file, and its key there; None for a file of the web."""
        mounted = self._mounts.find(url)
        return mounted.find_object(url) if mounted else None

    def get_small(self, url: str, *, most: int) -> bytes:
        """Return a file of at most `most` bytes."""
        data = bytearray()
        for chunk in self.stream(None, url):
            data += chunk
            if len(data) > most:
                raise RequestFailed(url, f"larger than {most:,} bytes", status=413)
        return bytes(data)

    def stream(
        self, head: FileHead | None, url: str, *, start: int = 0, on_head: Callable[[FileHead], object] = nothing
    ) -> Iterator[bytes]:
        """Yield the bytes of a file from `start` on; a transfer that breaks is resumed where it broke.

        `head`: what head() returned. If it was not called, `on_head` is called with the same, before the first bytes.
        """
        if mounted := self._mounts.find(url):
            if head is None:
                on_head(head := mounted.head(url))
            yield from mounted.stream(url, start, head.validator)
            return
        breaks = 0
        while head is None or not start or start != head.size:
            before = start
            headers = self._file_headers(url) | ({"Range": f"bytes={start}-"} if start else {})
            try:
                with self._open("GET", url, headers) as response:
                    self._require_success(response, url)
                    if head is None:
                        head = FileHead.of(response.url, response.headers, _whole_size(response))
                        on_head(head)
                    for chunk in self._rest(response, url, start, head.validator):
                        start += len(chunk)
                        if head.size is not None and start > head.size:
                            raise RequestFailed(url, f"sends more than the {head.size:,} bytes that it announced")
                        yield chunk
            except TransferBroken as error:
                breaks = breaks + 1 if start == before else 1
                if breaks == MAX_BREAKS or self._stopped.is_set():
                    raise RequestFailed(
                        url, f"incomplete response after {start:,} bytes ({error}): try again later"
                    ) from error
                self._stopped.wait(PAUSE_AFTER_BREAK * breaks)
                continue
            if head.size is not None and start != head.size:
                raise RequestFailed(url, f"ended after {start:,} of {head.size:,} bytes")
            return

    def _rest(self, response: Response, url: str, start: int, validator: str) -> Iterator[bytes]:
        skip = 0 if response.status == 206 else start
        _require_same(response, url, start=start - skip, validator=validator)
        for chunk in read_chunks(response, url, self._patience):
            # A server without range support sends again what came before the break.
            rest = chunk[skip:] if skip else chunk
            skip -= len(chunk) - len(rest)
            if rest:
                yield rest

    # --- parts of files -----------------------------------------------------------------------------------------------

    def has_ranges(self, url: str) -> bool:
        """Tell whether the host of a file may support range requests: False once it has sent a whole file instead."""
        return self._mounts.find(url) is not None or origin(url) not in self._without_ranges

    def get_range(self, url: str, start: int, length: int, *, validator: str = "") -> bytes | None:
        """Return `length` bytes of a file from `start` on; None if the server sends only whole files.

        `validator`: the one of the file when its head was read; if it is another one now, the request fails.
        """
        if mounted := self._mounts.find(url):
            return mounted.get_range(url, start, length, validator)
        if not self.has_ranges(url):
            return None
        headers = self._file_headers(url) | {"Range": f"bytes={start}-{start + length - 1}"}

        def ask() -> bytes | None:
            with self._open("GET", url, headers) as response:
                if response.status == 200:
                    self._without_ranges.add(origin(url))
                    return None
                self._require_success(response, url)
                _require_same(response, url, start=start, validator=validator)
                return self._read_part(response, url, length)

        return repeat_broken(url, ask, self._stopped)

    def _read_part(self, response: Response, url: str, length: int) -> bytes:
        parts, size = list[bytes](), 0
        for chunk in read_chunks(response, url, self._patience):
            parts.append(chunk)
            size += len(chunk)
            if size > length:
                raise RequestFailed(url, f"sends more than the {length:,} bytes that were requested")
        if size < length:
            raise RequestFailed(url, f"sends {size:,} of the {length:,} bytes that were requested")
        return b"".join(parts)

    def open_ranges(self, url: str, size: int, *, validator: str = "", most: int = 0) -> "RangeStream | None":
        """Return a file as a stream that fetches only the parts that are read; None if has_ranges() is False.

        `most`: maximum of bytes to fetch; 0: what METADATA of a wheel may need. Reading raises RangesRefused if the
        server sends only whole files.
        """
        if not self.has_ranges(url):
            return None
        from mkindex.web.ranges import MAX_FETCHED, RangesRefused, RangeStream

        def fetch(start: int, length: int) -> bytes:
            data = self.get_range(url, start, length, validator=validator)
            if data is None:
                raise RangesRefused(url, "the server does not support range requests")
            return data

        return RangeStream(url, size, fetch=fetch, most=most or MAX_FETCHED)

    # --- for judging a server -----------------------------------------------------------------------------------------

    def request(self, url: str, *, headers: dict[str, str], method: str = "GET", most: int = MAX_PAGE) -> RawResponse:
        """Return the response to a request, whatever its status, after redirects; fails only if there is none.

        `most`: maximum of bytes to read from the body; 0: none.
        """
        hops: list[str] = []
        while True:
            response = self._request_once(method, hops[-1] if hops else url, headers, most)
            location = redirect_location(response.status, response.headers)
            if not location:
                return response._replace(hops=tuple([url, *hops][:-1]))
            try:
                hops.append(redirect_target(response.url, location))
            except BadRedirect as error:
                raise RequestFailed(url, str(error)) from error
            if len(hops) > MAX_REDIRECTS:
                raise RequestFailed(url, TOO_MANY)

    def _request_once(self, method: str, url: str, headers: dict[str, str], most: int) -> RawResponse:
        without_body: RawResponse | None = None

        def ask() -> RawResponse:
            nonlocal without_body
            with self._open(method, url, headers, follow_redirects=False) as response:
                without_body = RawResponse(url, response.status, dict(response.headers))
                if method != "GET" or not most or not 200 <= response.status < 300:
                    return without_body
                return without_body._replace(body=bytes(read_page(response, url, self._patience, most=most)))

        try:
            return repeat_broken(url, ask, self._stopped)
        except RequestFailed as error:
            if without_body is None:
                raise
            return without_body._replace(broken=error.why)

    # --- one request --------------------------------------------------------------------------------------------------

    @contextmanager
    def _open(
        self, method: str, url: str, headers: Mapping[str, str], *, follow_redirects: bool = True
    ) -> Iterator[Response]:
        """Yield the response to a request; its body is unread."""
        if self._stopped.is_set():
            raise RequestFailed(url, "stopped")
        sender = self._sender()
        with (
            sender.throttle(url),
            sender.send(method, url, headers, follow_redirects=follow_redirects) as response,
        ):
            if response.status >= 300:
                response.discard()
            yield response

    def _file_headers(self, url: str) -> dict[str, str]:
        # The API of GitHub describes a file in JSON, unless it is asked for its bytes.
        return _UNCOMPRESSED | {"Accept": "application/octet-stream"} if self.has_token(url) else _UNCOMPRESSED

    def _require_success(self, response: Response, url: str) -> None:
        if 200 <= response.status < 300:
            return
        is_named = self._credentials.is_named(response.url)
        host = "" if is_named else urlsplit(response.url).hostname or ""
        require_success(response.status, url, unnamed_host=host, authorized=self.has_credentials(response.url))

    def _sender(self) -> "Sender":
        if self._opened:
            return self._opened
        with self._opening:
            if self._opened is None:
                # Importing an HTTP library takes longer than checking an unchanged index, so it waits for the first
                # request.
                from mkindex.web.addresses import Networks
                from mkindex.web.loading import load_library
                from mkindex.web.sender import Sender

                load_library()
                from mkindex.web.reqwest_transport import ReqwestTransport

                transport = ReqwestTransport(timeout=self._patience.timeout)
                networks = Networks(self._local_hosts)
                self._opened = Sender(transport, self._credentials, networks, self._stopped)
            return self._opened


def _whole_size(response: Response) -> int | None:
    """Return the size of a file of which a response sends all, or the rest."""
    if response.status != 206:
        return content_length(response.headers)
    part = content_range(response.headers)
    return part[1] if part else None


def _require_same(response: Response, url: str, *, start: int, validator: str) -> None:
    """Raise RequestFailed if the bytes are of another version of the file, or not of the requested part."""
    if has_changed(response.headers, validator):
        raise RequestFailed(url, "changed while it was read: run again")
    if response.status == 206:
        offset = response.headers.get("content-range", "").removeprefix("bytes ").partition("-")[0]
        if offset != str(start):
            raise RequestFailed(
                url, f"sends another range than the one that was requested ({printable(offset) or 'none'})"
            )
