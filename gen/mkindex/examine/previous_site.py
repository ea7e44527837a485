"""Read the upload times of a published site, for files with the same bytes.

Nothing but upload times is taken from it.
"""

import os
from collections.abc import Collection, Iterable
from concurrent.futures import Executor
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from packaging.utils import canonicalize_name

from mkindex.errors import SourceError
from mkindex.model.files import File
from mkindex.simple.links import project_url
from mkindex.simple.reader import Page
from mkindex.sources.fetch import PageMissing, fetch_page, read_page
from mkindex.sources.open import local_path
from mkindex.text import printable, redact
from mkindex.tree.names import SIMPLE_DIRECTORY
from mkindex.web.client import WebClient


def published(
    site: str, files: Collection[File], *, simple_path: str, web: WebClient, executor: Executor
) -> dict[str, str] | None:
    """Return the upload times of those of `files` that a published index lists, by sha256; "" if it gives none.

    `site`: address or directory of a tree, or of the index in it. Only the pages of projects that have one of `files`,
    and that the root page lists, are requested. None if nothing is published yet. Raises SourceError for a site
    that cannot be read or is not an index: without it, upload times would change unnoticed.
    """
    path = local_path(site)
    top = f"{Path(os.path.abspath(path)).as_uri()}/" if path is not None else web.take_credentials(site)
    roots = [_below(top, f"{part}/" if part else "") for part in dict.fromkeys(("", simple_path, SIMPLE_DIRECTORY))]
    hashes = frozenset(file.sha256 for file in files if file.sha256)

    def read_times(url: str) -> dict[str, str] | None:
        """Return the upload times that a project's page gives for `files`; None if there is no such page."""
        try:
            page = read_page(fetch_page(url, web))
        except PageMissing:
            return None
        if not (page.is_index or page.links):
            raise SourceError(f"{redact(url)} is not a page of an index")
        return _earliest((link.sha256, link.upload_time) for link in page.links if link.sha256 in hashes)

    try:
        root = _find_root(roots, web)
        names = sorted({file.project for file in files})
        if root:
            # Only listed projects: a bucket that does not list its contents answers 403 for a missing page.
            urls = [project_url(root.url, name) for name in names if name in root.projects]
        else:
            urls = [project_url(one, name) for one in roots for name in names]
        pages = [times for times in executor.map(read_times, urls) if times is not None]
        if not (root or pages):
            _require_empty(path)
            return None
    except SourceError as error:
        raise SourceError(f"--previous: {error} (without it, all files would get new upload times)") from error
    return _earliest(item for times in pages for item in times.items())


class _Root(NamedTuple):
    """The root page of an index."""

    url: str
    projects: frozenset[str]  # normalized


def _find_root(roots: Iterable[str], web: WebClient) -> _Root | None:
    """Return the root of the index at the first of these addresses that has one; None if all are empty."""
    other_page = ""
    for url in roots:
        try:
            answer = fetch_page(url, web)
        except PageMissing:
            continue
        page = read_page(answer)
        if _is_root(page):
            return _Root(answer.url, frozenset(canonicalize_name(link.name) for link in page.projects))
        other_page = other_page or redact(answer.url)
    if other_page:
        raise SourceError(
            f"{other_page} is not an index, and has none below it: use the address that clients install from"
        )
    return None


def _is_root(page: Page) -> bool:
    """Tell whether a page is the root of an index (PEP 629, PEP 691), and not one of its projects."""
    has_files = page.links or page.rejected or (page.other_files and not page.projects)
    return page.is_index and not has_files and not page.name


def _below(top: str, path: str) -> str:
    """Return the address of a path below a directory, whose address may end in a slash, in a page, or in neither."""
    parts = urlsplit(top)
    directory, _, page = parts.path.rpartition("/")
    directory = directory if not page or page.endswith((".html", ".htm")) else parts.path
    return urlunsplit(parts._replace(path=f"{directory}/{path}", fragment=""))


def _earliest(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the earliest time for each sha256, in any order of the pairs; "" only if no time is known."""
    earliest: dict[str, str] = {}
    for sha256, time in pairs:
        before = earliest.get(sha256)
        earliest[sha256] = min(before, time) if before and time else before or time
    return earliest


def _require_empty(path: str | None) -> None:
    """Raise SourceError for a directory that is not empty and has no index; a server cannot be asked for a listing."""
    if path is None or not os.path.lexists(path):
        return
    try:
        names = [name for name in os.listdir(path) if not name.startswith(".")]
    except OSError as error:
        raise SourceError(f"cannot read directory {printable(path)}: {error.strerror}") from error
    if names:
        raise SourceError(f"{printable(path)} is neither empty nor an index: use the directory of a published index")
