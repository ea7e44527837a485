"""Fetch pages and files of the index to be judged, from a directory or a web server: any response, good or bad."""

import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from urllib.parse import urlsplit

from mkindex.check.archives import Archive
from mkindex.errors import SourceError
from mkindex.simple.links import path_of
from mkindex.simple.media_types import HTML_TYPE, JSON_TYPE
from mkindex.text import printable
from mkindex.tree.names import INDEX_HTML, INDEX_JSON
from mkindex.web.bodies import MAX_PAGE
from mkindex.web.client import WebClient
from mkindex.web.ranges import MAX_FETCHED_TO_CHECK, RangeStream
from mkindex.web.responses import FileHead, RawResponse, RequestFailed, Unreachable, describe_failure
from mkindex.web.validators import head_or_get

_ACCEPT = {  # "": the header of pip and uv
    "": f"{JSON_TYPE}, {HTML_TYPE}; q=0.1, text/html; q=0.01",
    "html": f"{HTML_TYPE}, text/html; q=0.9",
    "json": JSON_TYPE,
}
_UNCOMPRESSED = {"Accept-Encoding": "identity"}
_CHUNK = 1 << 18  # bytes that are read at once from a local file
_TYPES = {".html": "text/html", ".htm": "text/html", ".v1_json": JSON_TYPE, ".v1_html": HTML_TYPE}
_NAMES = {"html": (INDEX_HTML, "index.htm"), "json": (INDEX_JSON,)}
_MAX_FAILURES = 5  # requests in a row that a host may fail to answer


@dataclass(frozen=True, kw_only=True)
class Fetcher:
    """The index to be judged: its root, and a client that requests its pages and files. Several threads may use it."""

    root: str  # a URL, file: for a directory or an archive
    web: WebClient
    archive: Archive | None = None  # that local files are read from
    failures: Counter[str] = field(default_factory=Counter)  # by host: requests in a row without response, or with 5xx

    @property
    def local(self) -> bool:
        return self.root.startswith("file:")

    def get_page(self, url: str, form: str = "") -> RawResponse:
        """Return a page; `form`: "html" or "json", or "" for the form that clients prefer. Raises RequestFailed."""
        if url.startswith("file:"):
            return _local_page(url, form, self.archive)
        headers = {"Accept": _ACCEPT[form], "Accept-Encoding": "gzip", "Cache-Control": "max-age=0"}
        return self.request(url, headers)

    def head(self, url: str) -> RawResponse:
        """Return status and headers of a file, without reading it. Raises RequestFailed."""
        if url.startswith("file:"):
            return _local_file(url, self.archive)
        return head_or_get(lambda method: self.request(url, _UNCOMPRESSED, method=method, most=0))

    def get_small(self, url: str, most: int) -> RawResponse:
        """Return a file of at most `most` bytes. Raises RequestFailed."""
        if not url.startswith("file:"):
            return self.request(url, _UNCOMPRESSED, most=most)
        reply = _local_file(url, self.archive)
        if reply.status != 200:
            return reply
        try:
            with self.open(url) as file:
                return reply._replace(body=file.read(most))
        except OSError as error:
            return reply._replace(status=403, broken=printable(error.strerror or "cannot be read"))

    def request(self, url: str, headers: dict[str, str], *, method: str = "GET", most: int = MAX_PAGE) -> RawResponse:
        """Return any response, with status 0 if there was none.

        Raises RequestFailed if further requests to the host of the index are useless: too many in a row have failed, or
        it answers 429.
        """
        host = urlsplit(url).netloc
        is_of_index = host == urlsplit(self.root).netloc
        if self.failures[host] < _MAX_FAILURES:
            try:
                reply = self.web.request(url, headers=headers, method=method, most=most)
            except Unreachable as error:
                self.failures[host] += 1
                reply = RawResponse(url, 0, {}, broken=error.why)
            except RequestFailed as error:
                return RawResponse(url, 0, {}, broken=error.why)
            else:
                self.failures[host] = self.failures[host] + 1 if reply.status >= 500 else 0
        else:
            reply = RawResponse(url, 0, {}, broken="its host no longer responds")
        if is_of_index and self.failures[host] >= _MAX_FAILURES:
            answer = reply.broken or f"answers {reply.status}"
            raise RequestFailed(url, f"{answer}; {_MAX_FAILURES} requests in a row failed. Try again later")
        if is_of_index and reply.status == 429:
            raise RequestFailed(url, describe_failure(429), status=429)
        return reply

    def stream(self, url: str, size: int | None) -> Iterator[bytes]:
        """Yield the bytes of a file. Raises RequestFailed, OSError."""
        if not url.startswith("file:"):
            yield from self.web.stream(FileHead(url, "", size, ""), url)
            return
        with self.open(url) as file:
            while data := file.read(_CHUNK):
                yield data

    def open(self, url: str) -> BufferedReader:
        """Open a file of this machine. Raises OSError."""
        return self.archive.open(path_of(url)) if self.archive else open(path_of(url), "rb")

    def open_ranges(self, url: str, size: int) -> RangeStream | None:
        """Return a remote file as a stream that can seek; None if its server is known to send only whole files."""
        return self.web.open_ranges(url, size, most=MAX_FETCHED_TO_CHECK)


def directory_of(url: str) -> str:
    """Return the path of a directory that can be read. Raises SourceError."""
    path = path_of(url)
    try:
        with os.scandir(path):
            return path
    except OSError as error:
        raise SourceError(f"cannot read {printable(path)}: {error.strerror}") from error


def _local_page(url: str, form: str, archive: Archive | None) -> RawResponse:
    path = path_of(url)
    paths = [path]
    if (not archive and os.path.isdir(path)) or url.endswith("/"):
        names = _NAMES[form] if form else (*_NAMES["json"], *_NAMES["html"])
        url = url if url.endswith("/") else f"{url}/"
        paths = [os.path.join(path, name) for name in names]
    for candidate in paths:
        try:
            if not archive and not stat.S_ISREG(os.stat(candidate).st_mode):  # opening a pipe would block
                continue
            with archive.open(candidate) if archive else open(candidate, "rb") as file:
                data = file.read(MAX_PAGE + 1)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:
            return RawResponse(url, 403 if isinstance(error, PermissionError) else 404, {})
        media_type = _TYPES.get(os.path.splitext(candidate)[1], "")
        if not media_type:  # a page that was saved under another name
            media_type = JSON_TYPE if data.lstrip()[:1] == b"{" else "text/html"
        broken = f"has more than {MAX_PAGE >> 20} MiB" if len(data) > MAX_PAGE else ""
        return RawResponse(Path(candidate).as_uri(), 200, {"content-type": media_type}, data, broken=broken)
    return RawResponse(url, 404, {})


def _local_file(url: str, archive: Archive | None) -> RawResponse:
    if archive:
        size = archive.size(path_of(url))
        return RawResponse(url, 404, {}) if size is None else RawResponse(url, 200, {"content-length": str(size)})
    try:
        status = os.stat(path_of(url))
    except PermissionError:
        return RawResponse(url, 403, {})
    except (OSError, ValueError):
        return RawResponse(url, 404, {})
    if not stat.S_ISREG(status.st_mode):
        return RawResponse(url, 404, {})
    return RawResponse(url, 200, {"content-length": str(status.st_size)})
