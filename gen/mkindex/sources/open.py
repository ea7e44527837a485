"""Where artifacts come from: one protocol, and `open_source()` which tells what a spec means."""

import os
import re
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import SplitResult, urlsplit

from mkindex.distributions.filenames import SUFFIXES
from mkindex.errors import Note, Rejected, SourceError
from mkindex.model.files import Artifact, Link
from mkindex.model.index import StatusMarker
from mkindex.simple.links import path_of
from mkindex.sources.selection import EVERYTHING, Selection
from mkindex.text import printable, redact

if TYPE_CHECKING:
    from mkindex.web.client import WebClient


# An artifact is a file of this machine, or what a page says of one elsewhere.
Found = Artifact | Link | StatusMarker | Rejected | Note


class Source(Protocol):
    """Something that lists artifacts, in an order of its own that is the same each time.

    `artifacts()` raises SourceError when it cannot see all there is: half a listing would look like files removed.
    """

    def artifacts(self) -> Iterator[Found]: ...


def is_remote(spec: str) -> bool:
    """Tell whether a source is one that has to be asked for over the network."""
    return spec.lower().startswith(("http://", "https://")) and not os.path.exists(spec)


def local_path(spec: str) -> str | None:
    """Return the path on this machine that a source is at; None: it is elsewhere, or standard input."""
    if spec == "-" or is_remote(spec):
        return None
    return path_of(spec) if spec.lower().startswith("file:") and not os.path.exists(spec) else spec


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """How sources are read, all of them alike."""

    web: "WebClient"
    executor: Executor  # for pages
    selection: Selection = EVERYTHING
    recursive: bool = False
    follow_symlinks: bool = False
    whole_index: bool = False
    files_url: str | None = None
    verify_links: bool = False
    exclude: tuple[str, ...] = ()  # real paths of directories that are never entered


def open_source(spec: str, options: SourceOptions) -> Source:
    """Tell what `spec` is by its form; what a URL or a file is, is found out by looking at it.

    Raises SourceError where it is nothing that can be read; a malformed URL is never taken for a path.
    """
    if not spec:
        raise SourceError("an empty SOURCE: name a directory, . for this one")
    if spec == "-":
        return _list("-", options)
    # One letter before the colon is a Windows drive; "./a:b" says that a path is meant.
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", spec)
    if not scheme or os.path.exists(spec):
        return _local(os.path.abspath(spec), options)
    parts = _split(spec)
    kind = scheme[1].lower()
    if kind == "file" and parts and parts.path and not parts.netloc.replace("localhost", ""):
        path = path_of(spec)
        is_page = os.path.isfile(os.path.join(path, "index.html"))
        return _pages(spec, options) if is_page else _local(os.path.abspath(path), options)
    if kind in ("http", "https") and parts and parts.hostname:
        return _pages(options.web.without_credentials(spec), options)
    wrong = "is no address that can be asked" if kind in ("http", "https", "file") else "is of a kind that is not known"
    raise SourceError(
        f"{redact(spec)} {wrong}: name a directory, a page or a list, here or at https://… "
        f"(a directory of that name is ./{redact(spec)})"
    )


def _local(path: str, options: SourceOptions) -> Source:
    """Return the source at a path: a directory; or a file, of which the beginning tells what it is."""
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
        raise SourceError(f"source {printable(path)} is a file: name the directory it lies in")
    try:
        with open(path, "rb") as file:
            start = file.read(1 << 16).removeprefix(b"\xef\xbb\xbf").lstrip()
    except OSError as error:
        raise SourceError(f"cannot read {printable(path)}: {error.strerror}") from error
    # Keys of a page of the JSON API, which no line of a list has.
    is_page = start.startswith(b"<") or (start.startswith(b"{") and re.search(rb'"(meta|files|projects)"\s*:', start))
    return _pages(Path(path).as_uri(), options) if is_page or path.endswith((".html", ".htm")) else _list(path, options)


def _pages(url: str, options: SourceOptions) -> Source:
    from mkindex.sources.pages import PageSource

    return PageSource(
        url=url,
        web=options.web,
        executor=options.executor,
        selection=options.selection,
        recursive=options.recursive,
        whole_index=options.whole_index,
    )


def _list(path: str, options: SourceOptions) -> Source:
    from mkindex.sources.lists import ListSource

    return ListSource(path=path, selection=options.selection, files_url=options.files_url, verify=options.verify_links)


def _split(url: str) -> SplitResult | None:
    """Return the parts of a URL, None where it is none."""
    try:
        parts = urlsplit(url)
        return parts if url.isprintable() and " " not in url and (parts.port or 0) >= 0 else None
    except ValueError:
        return None
