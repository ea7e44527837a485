"""When files were uploaded: as their source says, as a site that is published says of the same bytes, or their mtime.

Of that site nothing else is believed.
"""

import os
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from packaging.utils import canonicalize_name

from mkindex.config import Config
from mkindex.errors import ConfigError, SourceError
from mkindex.model.files import YEAR_10000, Artifact, File, format_upload_time
from mkindex.simple.links import last_segment, project_url
from mkindex.simple.reader import Page
from mkindex.sources.open import local_path
from mkindex.sources.pages import Missing, fetched, parsed
from mkindex.text import printable, redact
from mkindex.web.client import WebClient

_USUAL = "simple"  # where an index lies in its tree, if nobody wants it elsewhere


def published(
    site: str, files: Collection[File], *, simple_path: str, web: WebClient, executor: Executor
) -> dict[str, str] | None:
    """Return the upload time of each of `files` that a published index lists, by sha256; "": listed without one.

    `site`: address or directory of a tree, or of the index in it. Only the pages of projects that `files` are of are
    asked for, and of these only those that its root lists. None: nothing is published yet. Raises SourceError for what
    cannot be read or is no index, since upload times would change without anybody being told.
    """
    path = local_path(site)
    top = f"{Path(os.path.abspath(path)).as_uri()}/" if path is not None else web.without_credentials(site)
    places = [_below(top, f"{part}/" if part else "") for part in dict.fromkeys(("", simple_path, _USUAL))]
    wanted = frozenset(file.sha256 for file in files if file.sha256)

    def times(url: str) -> dict[str, str] | None:
        """Return what a project's page says of files that are ours, too; None: there is no such page."""
        try:
            page = parsed(fetched(url, web))
        except Missing:
            return None
        if not (page.is_index or page.links):
            raise SourceError(f"{redact(url)} is no page of an index")
        return _earliest((link.sha256, link.upload_time) for link in page.links if link.sha256 in wanted)

    try:
        root = _root(places, web)
        names = sorted({file.project for file in files})
        if root:
            # Not of others: where nobody may list a bucket, it answers 403 for what is not there.
            urls = [project_url(root.url, name) for name in names if name in root.projects]
        else:
            urls = [project_url(place, name) for place in places for name in names]
        found = [page for page in executor.map(times, urls) if page is not None]
        if not (root or found):
            _expect_nothing(path)
            return None
    except SourceError as error:
        raise SourceError(f"previous site: {error} (without it, files would count as uploaded now)") from error
    return _earliest(said for page in found for said in page.items())


def dated(config: Config, files: list[File], before: Mapping[str, str]) -> list[File]:
    """Leave the upload times out; or mend those that are mtimes, by what was published before or SOURCE_DATE_EPOCH."""
    if config.upload_time == "none":
        return [file.with_upload_time("") for file in files]
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch and not (epoch.isascii() and epoch.isdecimal()):
        raise ConfigError(f"SOURCE_DATE_EPOCH is {printable(epoch)!r}: give a number of seconds, or unset it")
    if not (epoch or before):
        return files
    latest = epoch and (format_upload_time(int(epoch[:20])) or format_upload_time(YEAR_10000 - 1))
    return [_dated(file, before.get(file.sha256), latest) for file in files]


def _dated(file: File, before: str | None, latest: str | None) -> File:
    """Return a file with the time that it was published with before, or an mtime that is no later than `latest`."""
    if before and (_is_mtime(file) or not file.upload_time):
        return file.with_upload_time(before)
    if latest and _is_mtime(file) and file.upload_time > latest:
        return file.with_upload_time(latest)
    return file


def _is_mtime(file: File) -> bool:
    """Tell whether nobody but the file system says when a file was uploaded."""
    return isinstance(file.artifact, Artifact) and not (file.artifact.link and file.artifact.link.upload_time)


class _Root(NamedTuple):
    """The root page of an index."""

    url: str
    projects: frozenset[str]  # normalized


def _root(places: Iterable[str], web: WebClient) -> _Root | None:
    """Return the root of the index, at the first of these that has one; None: nothing is at any of them."""
    strange = ""
    for place in places:
        try:
            answer = fetched(place, web)
        except Missing:
            continue
        page = parsed(answer)
        if _is_root(page):
            names = page.projects or map(last_segment, page.directories)
            return _Root(answer.url, frozenset(map(canonicalize_name, names)))
        strange = strange or redact(answer.url)
    if strange:
        raise SourceError(f"{strange} is no index, and has none below it: name the address that clients install from")
    return None


def _is_root(page: Page) -> bool:
    """Tell whether a page is that of an index (PEP 629, PEP 691), and not of one of its projects."""
    return page.is_index and not (page.links or page.refused or page.other_files or page.name)


def _below(top: str, path: str) -> str:
    """Return the address of what lies below a directory, whose own may end in a slash, in a page, or in neither."""
    parts = urlsplit(top)
    directory, _, page = parts.path.rpartition("/")
    directory = directory if not page or page.endswith((".html", ".htm")) else parts.path
    return urlunsplit(parts._replace(path=f"{directory}/{path}", fragment=""))


def _earliest(said: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return one time for each sha256, whatever the order in which they come; one that is known before "" is not."""
    times: dict[str, str] = {}
    for sha256, time in said:
        before = times.get(sha256)
        times[sha256] = min(before, time) if before and time else before or time
    return times


def _expect_nothing(path: str | None) -> None:
    """Raise SourceError for a directory that holds something, but no index; what is elsewhere, nobody can list."""
    if path is None or not os.path.lexists(path):
        return
    try:
        names = [name for name in os.listdir(path) if not name.startswith(".")]
    except OSError as error:
        raise SourceError(f"cannot read directory {printable(path)}: {error.strerror}") from error
    if names:
        raise SourceError(f"{printable(path)} is neither empty nor an index: name the directory of one")
