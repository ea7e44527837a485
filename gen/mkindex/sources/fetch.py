"""Fetch and read one page, from this machine or from a server."""

import os
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Executor, Future
from itertools import islice

from mkindex.errors import SourceError
from mkindex.simple.links import path_of
from mkindex.simple.media_types import HTML_TYPE, JSON_TYPE
from mkindex.simple.reader import Malformed, Page, parse_html, parse_json
from mkindex.text import printable, redact
from mkindex.tree.names import INDEX_HTML
from mkindex.web.bodies import MAX_PAGE
from mkindex.web.client import WebClient
from mkindex.web.responses import PageResponse, RequestFailed

_AHEAD = 32  # pages that are requested before they are needed, at most
_LARGE = 1 << 20  # characters: after such a page, there is one


class PageMissing(SourceError):
    """A page that does not exist. `why`: the text without its address."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(text)
        self.why = why


def fetch_page(url: str, web: WebClient, *, missing: Collection[int] = (404, 410)) -> PageResponse:
    """Return a page from this machine or from a server.

    Raises PageMissing if it does not exist or is answered with one of the statuses of `missing`, and SourceError for
    any other failure.
    """
    if url.startswith("file:"):
        return _read_file(url)
    try:
        return web.get_page(url)
    except RequestFailed as error:
        if error.status in missing:
            raise PageMissing(str(error), error.why) from error
        raise SourceError(str(error)) from error


def fetch_ahead(urls: Iterable[str], web: WebClient, executor: Executor) -> Iterator[PageResponse]:
    """Yield the pages at addresses, in their order; few of them are in memory at a time. Raises as fetch_page()."""
    rest, ahead = iter(urls), 1
    fetching = deque[Future[PageResponse]]()
    while True:
        missing = max(0, ahead - len(fetching))
        fetching.extend(executor.submit(fetch_page, url, web) for url in islice(rest, missing))
        if not fetching:
            return
        response = fetching.popleft().result()
        ahead = min(2 * ahead, _AHEAD) if len(response.text) <= _LARGE else 1
        yield response


def _read_file(url: str) -> PageResponse:
    path = path_of(url)
    if os.path.isdir(path):
        path, url = os.path.join(path, INDEX_HTML), f"{url.rstrip('/')}/"
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_PAGE + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise PageMissing(f"cannot read {redact(url)}: {error.strerror}", "does not exist") from error
    except OSError as error:
        raise SourceError(f"cannot read {redact(url)}: {error.strerror}") from error
    if len(data) > MAX_PAGE:
        raise SourceError(f"{redact(url)}: larger than {MAX_PAGE >> 20} MiB, the limit for a page")
    text = data.decode("utf-8-sig", "replace")
    return PageResponse(url, JSON_TYPE if text.lstrip().startswith("{") else "", text)


def read_page(response: PageResponse) -> Page:
    """Read a page as JSON or HTML by its media type, or by its beginning. Raises SourceError if it is neither."""
    where, kind, start = redact(response.url), printable(response.media_type), response.text.lstrip()[:1]
    try:
        if kind == JSON_TYPE:
            return parse_json(response.text, response.url)
        if start == "<" or (start != "{" and kind in ("text/html", HTML_TYPE, "application/xhtml+xml")):
            return parse_html(response.text, response.url)
        if start == "{":
            parse_json(response.text, response.url)
            raise SourceError(
                f"{where}: a JSON page of the Simple API with the content type {kind or '(none)'}, which pip and uv "
                f"refuse. Serve it as {JSON_TYPE}, or save the page and give the file as SOURCE"
            )
    except Malformed as error:
        raise SourceError(f"{where} {error}") from error
    raise SourceError(
        f"{where}: not a page (content type {kind or 'unknown'}). Give a page with links to wheels or sdists"
    )
