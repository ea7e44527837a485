"""A published site: where its index is, which generation it is of, and what it lists."""

import os
import re
import time
from collections.abc import Iterable
from concurrent.futures import Executor
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from packaging.utils import canonicalize_name

from mkindex.distributions.filenames import project_on_page
from mkindex.errors import SourceError
from mkindex.model.files import Link
from mkindex.model.index import StatusMarker
from mkindex.simple.links import path_of, project_url
from mkindex.simple.reader import Page
from mkindex.sources.fetch import PageMissing, fetch_page, read_page
from mkindex.sources.generation import MOST, Generation, digest_of
from mkindex.sources.open import local_path
from mkindex.sources.pages import find_local
from mkindex.sources.source import SourceItem
from mkindex.text import printable, redact
from mkindex.tree.manifest import open_record
from mkindex.tree.names import GENERATION_TXT, SIMPLE_DIRECTORY
from mkindex.web.client import WebClient
from mkindex.web.responses import RequestFailed


class SiteContent(NamedTuple):
    """What a published site lists."""

    items: list[SourceItem]  # also the files that its generation records, and no page lists
    roots: tuple[str, ...]  # addresses below which everything is of the site, with a slash at the end
    generation: Generation | None  # None: it was not grown with --previous
    base: str  # the address of the root of its tree, with a slash at the end


class OtherPage(SourceError):
    """There is a page, and no index."""


def read_site(site: str, *, simple_path: str, web: WebClient, executor: Executor) -> SiteContent | None:
    """Return everything that a published site lists; None if nothing is published there.

    Its pages may be in a cache on the way, which is avoided by a query that changes with each generation. The digest in
    the generation shows whether that helped. Raises SourceError if the site cannot be read as a whole, and OtherPage if
    it is none of mkindex, and has no index.
    """
    top = address_of(site, web)
    bases = _bases(top, simple_path)
    found = ((base, _read_generation(base, web)) for base in bases)
    base, recorded = next((one for one in found if one[1]), (bases[0], None))
    generation, unlisted = recorded or (None, [])
    query = f"generation={generation.number if generation else time.time_ns()}"
    try:
        root = find_root(possible_roots(top, simple_path), web, query=query)
    except OtherPage as error:
        raise SourceError(str(error)) if recorded else error from None
    if root is None:
        require_empty(local_path(site))
        return None
    urls = [_with_query(project_url(root.url, name), query) for name in sorted(root.projects)]
    pages = list(executor.map(lambda url: _read_page(url, web), urls))
    links = [*unlisted, *(link for page in pages for link in page.links)]
    if generation and generation.listing != digest_of((link.filename, link.sha256, link.yanked) for link in links):
        raise SourceError(
            f"{redact(base)}: its pages are not those of generation {generation.number}, which its {GENERATION_TXT} "
            "names: a cache sent older pages, or it is being deployed. Run again in ten minutes"
        )
    items: list[SourceItem] = [link if link.is_elsewhere else find_local(link, link.url) for link in unlisted]
    for name, url, page in zip(sorted(root.projects), urls, pages, strict=True):
        items += [StatusMarker(name, page.status)] if page.status else []
        for link in page.links:
            link = link._replace(project=project_on_page(link.filename, name))  # noqa: PLW2901
            items.append(link if link.is_elsewhere else find_local(link, url))
    # The server may redirect to another address, such as that of a custom domain: links of pages are below that one.
    roots = (*bases, *_bases(_with_query(root.url, ""), simple_path))
    return SiteContent(items, roots, generation, base if recorded else roots[-1])


def _bases(url: str, simple_path: str) -> list[str]:
    """Return the addresses where the tree can be whose index, or root, is at a URL."""
    base = below(url, "")
    paths = "|".join(map(re.escape, filter(None, (simple_path, SIMPLE_DIRECTORY))))
    return list(dict.fromkeys((base, re.sub(rf"/(?:{paths})/$", "/", base))))


def _read_page(url: str, web: WebClient) -> Page:
    page = read_page(fetch_page(url, web))
    if page.rejected:
        raise SourceError(f"{page.rejected[0].location}: {page.rejected[0].reason}")
    if not (page.is_index or page.links):
        raise SourceError(f"{redact(url)} is not a page of an index")
    return page


def _read_generation(base: str, web: WebClient) -> tuple[Generation, list[Link]] | None:
    """Return the generation of the site with this root, past all caches, and its unlisted files; None without one."""
    try:
        if base.startswith("file:"):
            data = _read_file(f"{path_of(base)}{GENERATION_TXT}")
        else:
            data = web.get_small(_with_query(f"{base}{GENERATION_TXT}", f"now={time.time_ns()}"), most=MOST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SourceError(f"cannot read {redact(base)}{GENERATION_TXT}: {error.strerror}") from error
    except RequestFailed as error:
        if error.status in (403, 404, 410):  # a bucket whose readers may not list it answers 403
            return None
        raise SourceError(str(error)) from error
    recorded = Generation.parse(data, base)
    if recorded is None:
        raise SourceError(f"{redact(base)}{GENERATION_TXT} is damaged, or not of mkindex")
    return recorded


def has_page(url: str, web: WebClient) -> bool:
    """Tell whether a page of a site exists, as far as can be known."""
    if url.startswith("file:"):
        return os.path.isfile(path_of(url))
    try:
        web.head(url)
    except RequestFailed:
        return False
    return True


def _read_file(path: str) -> bytes:
    with open_record(path) as file:
        return file.read(MOST)


def _with_query(url: str, query: str) -> str:
    parts = urlsplit(url)
    return url if parts.scheme == "file" else urlunsplit(parts._replace(query=query))


def address_of(site: str, web: WebClient) -> str:
    """Return the address of a site, without credentials; `site` may be a directory."""
    path = local_path(site)
    return f"{Path(os.path.abspath(path)).as_uri()}/" if path is not None else web.take_credentials(site)


def possible_roots(top: str, simple_path: str) -> list[str]:
    """Return the addresses where the root of the index of a site can be."""
    return [below(top, f"{part}/" if part else "") for part in dict.fromkeys(("", simple_path, SIMPLE_DIRECTORY))]


class Root(NamedTuple):
    """The root page of an index."""

    url: str
    projects: frozenset[str]  # normalized


def find_root(roots: Iterable[str], web: WebClient, *, query: str = "") -> Root | None:
    """Return the root of the index at the first of these addresses that has one; None if all are empty.

    `query` is added to the addresses that are requested. Raises OtherPage if there are only other pages.
    """
    other_page = ""
    for url in roots:
        try:
            answer = fetch_page(_with_query(url, query) if query else url, web)
        except PageMissing:
            continue
        page = read_page(answer)
        if _is_root(page):
            return Root(answer.url, frozenset(canonicalize_name(link.name) for link in page.projects))
        other_page = other_page or redact(answer.url)
    if other_page:
        raise OtherPage(
            f"{other_page} is not an index, and has none below it: use the address that clients install from"
        )
    return None


def _is_root(page: Page) -> bool:
    """Tell whether a page is the root of an index (PEP 629, PEP 691), and not one of its projects."""
    has_files = page.links or page.rejected or (page.other_files and not page.projects)
    return page.is_index and not has_files and not page.name


def below(top: str, path: str) -> str:
    """Return the address of a path below a directory, whose address may end in a slash, in a page, or in neither."""
    parts = urlsplit(top)
    directory, _, page = parts.path.rpartition("/")
    directory = directory if not page or page.endswith((".html", ".htm")) else parts.path
    return urlunsplit(parts._replace(path=f"{directory}/{path}", fragment=""))


def require_empty(path: str | None) -> None:
    """Raise SourceError for a directory that is not empty and has no index; a server cannot be asked for a listing."""
    if path is None or not os.path.lexists(path):
        return
    try:
        names = [name for name in os.listdir(path) if not name.startswith(".")]
    except OSError as error:
        raise SourceError(f"cannot read directory {printable(path)}: {error.strerror}") from error
    if names:
        raise SourceError(f"{printable(path)} is neither empty nor an index: use the directory of a published index")
