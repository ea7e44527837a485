"""Recognize and open the source that SOURCE means."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, urlsplit

from mkindex.distributions.filenames import SUFFIXES
from mkindex.errors import SourceError
from mkindex.hosts.buckets import is_bucket, parse_bucket
from mkindex.model.files import Link
from mkindex.simple.links import path_of
from mkindex.sources.selection import EVERYTHING, Selection
from mkindex.sources.source import Source, SourceItem
from mkindex.text import printable, redact
from mkindex.tree.names import INDEX_HTML

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from mkindex.sources.locks.choice import Choice
    from mkindex.web.client import WebClient

_FORGES = ("github", "gitlab")
_REPOSITORIES = tuple(f"{forge}:" for forge in _FORGES)
_START = 1 << 16  # bytes of a file that tell what it is


class SourceOptions(NamedTuple):
    """Options that apply to all sources of a build."""

    web: "WebClient"
    executor: "Executor"  # requests pages
    selection: Selection = EVERYTHING
    recursive: bool = False
    follow_symlinks: bool = False
    whole_index: bool = False  # read all projects of an index
    files_url: str | None = None  # paths in lists are relative to this address
    verify_links: bool = False  # request files at `files_url`
    choice: "Choice | None" = None  # of what lock files have; None: all
    indexes: tuple[str, ...] = ()  # for packages of lock files that name none
    store: tuple[str, ...] = ()  # settings of buckets: KEY=VALUE
    timeout: float = 30.0  # seconds, of requests to buckets
    exclude: tuple[str, ...] = ()  # real paths of directories that are never read
    prereleases: bool = False  # of repositories
    api_url: str | None = None  # where the releases of repositories are listed; None: where they usually are
    mirrored: bool = False  # files of servers are downloaded


class FileSource(NamedTuple):
    """A page, list or lock file of this machine. The hosts that it names may be in private networks."""

    source: Source
    web: "WebClient"

    def artifacts(self) -> Iterator[SourceItem]:
        """Yield the artifacts of the source."""
        for item in self.source.artifacts():
            if isinstance(item, Link) and not item.trusted:
                self.web.allow_local_host(item.url)
            yield item


def open_source(spec: str, options: SourceOptions) -> Source:
    """Return the source that SOURCE means: its form decides, and the beginning of a file on this machine.

    Raises SourceError if it cannot be a source. A malformed URL is never taken for a path.
    """
    if not spec:
        raise SourceError("SOURCE is empty. Give a directory (. is the current one), a page or a list")
    if spec == "-":
        return FileSource(_open_stdin(options), options.web)
    # A single letter before the colon is a Windows drive. "./a:b" is a path.
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", spec)
    if not scheme or os.path.exists(spec):
        return _open_path(os.path.abspath(spec), options)
    if is_bucket(spec):
        return _open_bucket(spec, options)
    parts = _split_url(spec)
    kind = scheme[1].lower()
    if kind == "file" and parts and parts.path and not parts.netloc.replace("localhost", ""):
        path = path_of(spec)
        is_page = os.path.isfile(os.path.join(path, INDEX_HTML))
        page = FileSource(_open_page(spec, options), options.web) if is_page else None
        return page or _open_path(os.path.abspath(path), options)
    if kind in ("http", "https") and parts and parts.hostname:
        return _open_page(options.web.take_credentials(spec), options)
    if kind in _FORGES:
        return _open_repositories(spec, kind, options)
    wrong = "is not a valid address" if kind in ("http", "https", "file") else "has an unsupported scheme"
    raise SourceError(
        f"source {redact(spec)} {wrong}. Give a path, or an http, https, file, s3, gs or az address "
        f"(for a directory of that name: ./{redact(spec)})"
    )


def is_remote(spec: str) -> bool:
    """Tell whether a SOURCE is read over the network."""
    schemes = ("http://", "https://", *_REPOSITORIES)
    return (is_bucket(spec) or spec.lower().startswith(schemes)) and not os.path.exists(spec)


def local_path(spec: str) -> str | None:
    """Return the path of a SOURCE on this machine; None if it is remote or standard input."""
    if spec == "-" or is_remote(spec):
        return None
    return path_of(spec) if spec.lower().startswith("file:") and not os.path.exists(spec) else spec


def _open_path(path: str, options: SourceOptions) -> Source:
    """Return the source at a path: a directory, or a page or list, which the beginning of the file decides."""
    from mkindex.sources.directory import DirectorySource

    if not os.path.isfile(path):
        return DirectorySource(
            path,
            recursive=options.recursive,
            follow_symlinks=options.follow_symlinks,
            exclude=options.exclude,
            selection=options.selection,
        )
    if path.endswith(SUFFIXES):
        raise SourceError(f"source {printable(path)} is a file. Give the directory that contains it")
    try:
        with open(path, "rb") as file:
            start = file.read(_START).removeprefix(b"\xef\xbb\xbf").lstrip()
    except OSError as error:
        raise SourceError(f"cannot read {printable(path)}: {error.strerror}") from error
    # These keys are those of JSON pages; the JSON objects in a list have none of them.
    is_json = start.startswith(b"{") and re.search(rb'"(meta|files|projects)"\s*:', start)
    is_page = start.startswith(b"<") or bool(is_json) or path.endswith((".html", ".htm"))
    return FileSource(_open_file(path, start, options, is_page=is_page), options.web)


def _open_file(path: str, start: bytes, options: SourceOptions, *, is_page: bool) -> Source:
    if is_page:
        return _open_page(Path(path).as_uri(), options)
    if start.startswith((b"[", b"{")) and (releases := _open_release_list(path, start, options)):
        return releases
    if _may_be_lock(start):
        from mkindex.sources.locks.read import is_lock

        if is_lock(start, os.path.basename(path)):
            return _open_lock(path, options)
    return _open_list(path, options)


def _may_be_lock(start: bytes) -> bool:
    """Tell whether a file cannot be a list, by its first line: most lists have a path or an object on each line."""
    line = start.partition(b"\n")[0].rstrip()
    is_path = line.endswith(tuple(suffix.encode() for suffix in SUFFIXES)) and b"@" not in line
    return not is_path and b'"filename"' not in line


def _open_stdin(options: SourceOptions) -> Source:
    from mkindex.sources.lists import peek_at_stdin

    start = peek_at_stdin(_START)
    is_array = start.lstrip().startswith(b"[")
    return (_open_release_list("-", start, options) if is_array else None) or _open_list("-", options)


def _open_release_list(path: str, start: bytes, options: SourceOptions) -> Source | None:
    """Return the source of a file that lists releases in JSON; None if the file is something else."""
    from mkindex.sources.releases.source import ReleasesFile, is_release_list

    if not is_release_list(start):
        return None
    return ReleasesFile(path=path, selection=options.selection, prereleases=options.prereleases)


def _open_repositories(spec: str, kind: str, options: SourceOptions) -> Source:
    from mkindex.sources.releases.forges import FORGES, open_api
    from mkindex.sources.releases.source import ReleasesSource

    return ReleasesSource(
        spec=spec,
        api=open_api(FORGES[kind], options.api_url, options.web),
        executor=options.executor,
        selection=options.selection,
        prereleases=options.prereleases,
        mirrored=options.mirrored,
    )


def _open_page(url: str, options: SourceOptions) -> Source:
    from mkindex.sources.pages import PageSource

    return PageSource(
        url=url,
        web=options.web,
        executor=options.executor,
        selection=options.selection,
        recursive=options.recursive,
        whole_index=options.whole_index,
    )


def _open_bucket(location: str, options: SourceOptions) -> Source:
    from mkindex.sources.bucket import BucketSource

    try:
        parse_bucket(location)
    except ValueError as error:
        raise SourceError(f"source {redact(location)} {error}") from error
    return BucketSource(
        location=location,
        settings=options.store,
        timeout=options.timeout,
        web=options.web,
        selection=options.selection,
        recursive=options.recursive,
        files_url=options.files_url,
    )


def _open_list(path: str, options: SourceOptions) -> Source:
    from mkindex.sources.lists import ListSource

    return ListSource(path=path, selection=options.selection, files_url=options.files_url, verify=options.verify_links)


def _open_lock(path: str, options: SourceOptions) -> Source:
    from mkindex.sources.locks.choice import EVERY_FILE
    from mkindex.sources.locks.source import LockSource

    return LockSource(
        path=path,
        web=options.web,
        executor=options.executor,
        selection=options.selection,
        choice=options.choice or EVERY_FILE,
        indexes=tuple(map(options.web.take_credentials, options.indexes)),
    )


def _split_url(url: str) -> SplitResult | None:
    """Return the parts of a URL, None if it is malformed."""
    try:
        parts = urlsplit(url)
        return parts if url.isprintable() and " " not in url and (parts.port or 0) >= 0 else None
    except ValueError:
        return None
