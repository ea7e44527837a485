"""Getting pages and files, from a directory or a web server, as they are: answers, good or bad."""

import io
import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mkindex.distributions.zips import MAX_DIRECTORY, MAX_METADATA
from mkindex.errors import SourceError
from mkindex.simple.media_types import HTML_TYPE, JSON_TYPE
from mkindex.text import printable
from mkindex.tree.names import INDEX_HTML, INDEX_JSON
from mkindex.web.client import MAX_PAGE, FileHead, RawResponse, RequestFailed, Unreachable, WebClient

_AS_CLIENTS = f"{JSON_TYPE}, {HTML_TYPE}; q=0.1, text/html; q=0.01"
_ONLY_HTML = f"{HTML_TYPE}, text/html; q=0.9"
_CHUNK = 1 << 18
_NO_HEAD = (403, 405, 501)  # a signed URL allows one method only, and some servers know no HEAD
_TYPES = {".html": "text/html", ".htm": "text/html", ".v1_json": JSON_TYPE, ".v1_html": HTML_TYPE}
_NAMES = {"html": (INDEX_HTML, "index.htm"), "json": (INDEX_JSON,)}
_PART, _TAIL = 16 << 10, 64 << 10  # bytes that are fetched at once of a remote file, and of its end
_PLAIN = {"Accept-Encoding": "identity"}
_PATIENCE = 5  # questions in a row that a host may leave unanswered
_FETCHED = MAX_DIRECTORY + 3 * MAX_METADATA


@dataclass(frozen=True, kw_only=True)
class Fetcher:
    """Where an index is: its root, and whoever is asked for what it names. May be used by several threads."""

    root: str  # a URL, file: for a directory
    web: WebClient
    silent: Counter[str] = field(default_factory=Counter)  # questions in a row that a host did not answer, or with 5xx

    @property
    def local(self) -> bool:
        return self.root.startswith("file:")

    def page(self, url: str, form: str = "") -> RawResponse:
        """Return a page, in the form that clients prefer, or in one form only. Raises Failed."""
        if url.startswith("file:"):
            return _local_page(url, form)
        accept = {"html": _ONLY_HTML, "json": JSON_TYPE}.get(form, _AS_CLIENTS)
        return self.asked(url, {"Accept": accept, "Accept-Encoding": "gzip", "Cache-Control": "max-age=0"})

    def about(self, url: str) -> RawResponse:
        """Return what there is to know of a file without reading it. Raises Failed."""
        if url.startswith("file:"):
            return _local_file(url)
        reply = self.asked(url, _PLAIN, method="HEAD")
        return self.asked(url, _PLAIN, most=0) if reply.status in _NO_HEAD else reply

    def small(self, url: str, most: int) -> RawResponse:
        """Return a small file with its bytes. Raises Failed."""
        if not url.startswith("file:"):
            return self.asked(url, _PLAIN, most=most)
        reply = _local_file(url)
        if reply.status != 200:
            return reply
        try:
            with open(path_of(url), "rb") as file:
                return reply._replace(body=file.read(most))
        except OSError as error:
            return reply._replace(status=403, broken=printable(error.strerror or "cannot be read"))

    def asked(self, url: str, headers: dict[str, str], *, method: str = "GET", most: int = MAX_PAGE) -> RawResponse:
        """Return any answer, of status 0 where none came.

        Raises Failed where the host of the index lets nobody look any more: it is silent, or was asked too often.
        """
        host = urlsplit(url).netloc
        is_ours = host == urlsplit(self.root).netloc
        if self.silent[host] < _PATIENCE:
            try:
                reply = self.web.look(url, headers=headers, method=method, most=most)
            except Unreachable as error:
                self.silent[host] += 1
                reply = RawResponse(url, 0, {}, broken=error.why)
            except RequestFailed as error:
                return RawResponse(url, 0, {}, broken=error.why)
            else:
                self.silent[host] = self.silent[host] + 1 if reply.status >= 500 else 0
        else:
            reply = RawResponse(url, 0, {}, broken="its host does not answer any more")
        if is_ours and self.silent[host] >= _PATIENCE:
            answer = reply.broken or f"answers {reply.status}"
            raise RequestFailed(url, f"{answer}; {_PATIENCE} requests in a row were in vain. Check again later")
        if is_ours and reply.status == 429:
            raise RequestFailed(
                url, "answers 429: it was asked too often. Check again later, or with --jobs 1", status=429
            )
        return reply

    def chunks(self, url: str, size: int | None) -> Iterator[bytes]:
        """Yield the bytes of a file. Raises Failed, OSError."""
        if not url.startswith("file:"):
            yield from self.web.stream(FileHead(url, "", size, ""), url)
            return
        with open(path_of(url), "rb", buffering=0) as file:
            while data := file.read(_CHUNK):
                yield data

    def parts(self, url: str, size: int) -> "Parts | None":
        """Return a remote file as a stream that can seek; None where its server is known to send whole files only."""
        return Parts(self.web, url, size) if self.web.has_ranges(url) else None


def path_of(url: str) -> str:
    """Return the path that a file: address means."""
    return url2pathname(urlsplit(url).path)


def _local_page(url: str, form: str) -> RawResponse:
    path = path_of(url)
    paths = [path]
    if os.path.isdir(path) or url.endswith("/"):
        names = _NAMES[form] if form else (*_NAMES["json"], *_NAMES["html"])
        url = url if url.endswith("/") else f"{url}/"
        paths = [os.path.join(path, name) for name in names]
    for candidate in paths:
        try:
            if not stat.S_ISREG(os.stat(candidate).st_mode):  # a pipe would be waited for
                continue
            with open(candidate, "rb") as file:
                data = file.read(MAX_PAGE + 1)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:
            return RawResponse(url, 403 if isinstance(error, PermissionError) else 404, {})
        kind = _TYPES.get(os.path.splitext(candidate)[1], "")
        if not kind:  # a page of another name, saved from somewhere
            kind = JSON_TYPE if data.lstrip()[:1] == b"{" else "text/html"
        broken = f"has more than {MAX_PAGE >> 20} MiB" if len(data) > MAX_PAGE else ""
        return RawResponse(Path(candidate).as_uri(), 200, {"content-type": kind}, data, broken=broken)
    return RawResponse(url, 404, {})


def _local_file(url: str) -> RawResponse:
    try:
        found = os.stat(path_of(url))
    except PermissionError:
        return RawResponse(url, 403, {})
    except (OSError, ValueError):
        return RawResponse(url, 404, {})
    if not stat.S_ISREG(found.st_mode):
        return RawResponse(url, 404, {})
    return RawResponse(url, 200, {"content-length": str(found.st_size)})


def directory_of(url: str) -> str:
    """Return the path of a directory that is there and can be read. Raises SourceError."""
    path = path_of(url)
    try:
        with os.scandir(path):
            return path
    except OSError as error:
        raise SourceError(f"cannot read {printable(path)}: {error.strerror}") from error


class Parts(io.BufferedIOBase):
    """A remote file as a stream that can seek, of which only what is read is fetched. Reading raises Failed."""

    def __init__(self, web: WebClient, url: str, size: int) -> None:
        self._web, self._url, self._size = web, url, size
        self._kept: list[tuple[int, bytes]] = []
        self._at = self._fetched = 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence])
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        start = min(self._at, self._size)
        end = self._size if size is None or size < 0 else min(start + size, self._size)
        self._at = end
        for kept, some in self._kept:
            if kept <= start and end <= kept + len(some):
                return some[start - kept : end - kept]
        first, last = start, min(max(end, start + _PART), self._size)
        if last > self._size - _TAIL:
            first, last = min(start, max(self._size - _TAIL, 0)), self._size
        self._fetched += last - first
        if self._fetched > _FETCHED:
            raise RequestFailed(self._url, f"more than {_FETCHED:,} bytes would have to be read to see what is in it")
        data = self._web.part(self._url, first, last - first)
        if data is None:
            raise NoParts(self._url, "sends whole files only")
        self._kept.append((first, data))
        return data[start - first : end - first]


class NoParts(RequestFailed):
    """A server that sends whole files only."""
