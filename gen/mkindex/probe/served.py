"""Find out what a client must know about an index: request it as clients do, with and without credentials."""

import json
import re
import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from fnmatch import fnmatchcase
from urllib.parse import quote, urlsplit

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from mkindex.cache import Cache
from mkindex.check.addresses import resolve
from mkindex.check.fetch import Fetcher
from mkindex.check.freshness import lifetime
from mkindex.check.identify import AccessDenied, Location, fetch_forms, identify
from mkindex.check.observations import Identity, ListedFile, SeenPage
from mkindex.check.options import is_pattern
from mkindex.check.pages import project_links, read_page
from mkindex.check.server import ONE_BYTE, UNKNOWN_PROJECT, fallback_of
from mkindex.clients.served import PAGE_ENDINGS, ServedIndex, ServedVariant
from mkindex.errors import SourceError
from mkindex.model.variants import VARIANT_NAME
from mkindex.probe.required import RequirementReader
from mkindex.simple.links import client_project_url, path_of
from mkindex.text import and_more, printable, redact
from mkindex.tree.names import INDEX_JSON
from mkindex.web.bodies import MAX_PAGE
from mkindex.web.client import WebClient
from mkindex.web.responses import RawResponse

_PROJECT = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")  # a normalized name, which is also a bare key in TOML
_SAMPLE = 3  # projects whose pages are requested
_MAX_PAGE_LIFETIME = 600  # seconds; what the public index says
_MIN_FILE_LIFETIME = 86_400  # seconds
_TIME = {"html": "data-upload-time", "json": "upload-time"}  # the attribute that only uv reads, and the key


def probe(
    target: str, globs: Sequence[str] = (), *, is_default: bool = False, reads_required: bool = False
) -> ServedIndex:
    """Return what a client must know about the index at a directory or an address.

    `globs` are names or patterns of projects; none means all projects. `is_default`: the index is used for everything,
    so that it need not be known what it has. `reads_required`: find out which other projects its variants require.
    Raises SourceError, and RequestFailed if the server does not answer.
    """
    with Cache(None) as cache:
        web = WebClient(cache)
        anonymous = WebClient(cache, trusted=[urlsplit(target).hostname or ""], anonymous=True)
        try:
            location, globs = _locate(target, web, globs)
            probe_kind = _probe_find_links if location.identity.kind == "flat" else _probe_index
            index = replace(probe_kind(location, globs, anonymous), is_default=is_default)
            return _with_required(index, location.fetcher) if reads_required and not is_default else index
        except AccessDenied as denied:
            return replace(_unverified(denied, globs, needs_names=not is_default), is_default=is_default)
        finally:
            web.close()
            anonymous.close()


def _locate(target: str, web: WebClient, globs: Sequence[str]) -> tuple[Location, Sequence[str]]:
    """Identify the target, or the index that it leads to. Return the projects to choose, too."""
    location = identify(target, web, allow_missing_root=bool(globs) and not any(map(is_pattern, globs)))
    identity = location.identity
    if identity.kind in ("people", "page") and identity.index_url and _host(identity.index_url) == _host(location.url):
        return identify(identity.index_url, web), globs
    if identity.kind != "project":
        return location, globs
    page = location.url.rpartition("/")[0]  # …/simple/demo, from …/simple/demo/ or …/simple/demo/index.html
    root = page.rpartition("/")[0] + "/"
    index = identify(root, web, allow_missing_root=True)
    if index.identity.kind != "index":
        index = replace(index, identity=Identity(kind="index"), url=root, pages=())
    return index, globs or (location.pages[0].project,)


# --- an index -------------------------------------------------------------------------------------------------------


def _probe_index(location: Location, globs: Sequence[str], anonymous: WebClient) -> ServedIndex:
    where, fetcher = _display(location), location.fetcher
    if location.identity.kind != "index":
        raise SourceError(f"{where}: {_not_an_index(location)}")
    if location.pages and not any(page.is_usable for page in location.pages):
        fault = _fault(location.pages[0])
        raise SourceError(f"{where}: clients cannot use this page: it {fault}. {_check_advice(where)}")
    projects = _choose(
        project_links(location.pages), globs, where, lambda name: _project_page(fetcher, location.url, name).is_usable
    )
    root, pages = _usable_root(location, projects)
    variants = tuple(_variants(fetcher, location, root, projects))
    index = ServedIndex(
        url=_ascii_url(root),
        projects=projects,
        is_selection=bool(globs),
        variants=variants,
        has_upload_times=_have_upload_times(pages),
    )
    if not fetcher.local:
        unknown = fetcher.get_page(client_project_url(root, UNKNOWN_PROJECT))
        index = replace(index, answers_403=unknown.status == 403, fallback=fallback_of(unknown, UNKNOWN_PROJECT))
        index = _with_server(index, pages, fetcher, anonymous)
        # If its own pages are redirected, too, that is no fallback.
        return replace(index, fallback="") if index.redirect_host else index
    if not any(page.form == "html" for page in pages):
        raise SourceError(f"{where}: clients read only HTML in a directory, and there is none. {_check_advice(where)}")
    return index


def _variants(fetcher: Fetcher, location: Location, root: str, projects: Collection[str]) -> Iterator[ServedVariant]:
    """Yield the indexes of variants that the root names in JSON. What is not valid is ignored."""
    pages = [page for page in location.pages if page.form == "json"]
    reply = pages[0].reply if pages else fetcher.get_small(resolve(root, INDEX_JSON), MAX_PAGE)
    try:
        found = json.loads(reply.body)["meta"]["_variants"] if reply.status == 200 else []
        for one in found:
            name, url = one["name"], resolve(root, one["url"])
            chosen = tuple(sorted(set(one["projects"]) & set(projects)))
            if VARIANT_NAME.fullmatch(name) and _host(url) == _host(root) and chosen:
                yield ServedVariant(name=name, url=_ascii_url(url), projects=chosen)
    except (KeyError, TypeError, ValueError, RecursionError):
        return


def _with_required(index: ServedIndex, fetcher: Fetcher) -> ServedIndex:
    """Add to each variant the other projects of the index that it requires."""
    reader = RequirementReader(fetcher, index.projects)
    variants = tuple(
        replace(variant, required=reader.beside(variant.url, variant.projects, index.url)) for variant in index.variants
    )
    return replace(index, variants=variants)


def _usable_root(location: Location, projects: Sequence[str]) -> tuple[str, list[SeenPage]]:
    """Return the address below which clients find the projects, with a few of their pages. Raises SourceError."""
    for root in _possible_roots(location):
        pages = [_project_page(location.fetcher, root, name) for name in _sample(projects)]
        if usable := [page for page in pages if page.is_usable]:
            return root, usable
    raise SourceError(
        f"{redact(pages[0].url)}: clients request this page, but it {_fault(pages[0])}. "
        f"{_check_advice(_display(location))}"
    )


def _project_page(fetcher: Fetcher, root: str, name: str) -> SeenPage:
    """Return the page of a project in the form that clients use: in a directory they never read JSON."""
    pages = fetch_forms(fetcher, client_project_url(root, name), "project", name)
    return next((page for page in pages if page.form == "html"), pages[0]) if fetcher.local else pages[0]


def _possible_roots(location: Location) -> list[str]:
    """Return the addresses that may be the root: the one that the same server redirects to before the given one."""
    if location.fetcher.local or not location.pages:
        return [location.url]
    final = location.pages[0].reply.url
    given_parts, final_parts = urlsplit(location.url), urlsplit(final)
    # Another port is another server, except the one for https.
    is_same_server = given_parts.hostname == final_parts.hostname and (
        given_parts.port == final_parts.port or given_parts.scheme != final_parts.scheme
    )
    is_root = location.identity.kind == "flat" or final.endswith("/")
    if is_same_server and is_root and not final_parts.query:
        return list(dict.fromkeys([final, location.url]))
    return [location.url]


def _sample(names: Sequence[str]) -> list[str]:
    """Return a few names, spread over the whole list."""
    last = len(names) - 1
    return [names[index] for index in sorted({last * part // (_SAMPLE - 1) for part in range(_SAMPLE)})]


# --- a find-links page ----------------------------------------------------------------------------------------------


def _probe_find_links(location: Location, globs: Sequence[str], anonymous: WebClient) -> ServedIndex:
    (page, *_), fetcher = location.pages, location.fetcher
    projects = _choose(_projects_of(page.entries), globs, _display(location), lambda _: False)
    url = _ascii_url(_possible_roots(location)[0])
    index = ServedIndex(
        url=url,
        projects=projects,
        is_find_links=True,
        is_selection=bool(globs),
        has_upload_times=_have_upload_times([page]),
    )
    return index if fetcher.local else _with_server(index, [page], fetcher, anonymous)


def _projects_of(entries: Iterable[ListedFile]) -> Iterator[str]:
    """Yield the projects of the files that clients can install."""
    for entry in entries:
        with suppress(InvalidWheelFilename, InvalidSdistFilename):
            parse = parse_wheel_filename if entry.filename.endswith(".whl") else parse_sdist_filename
            yield parse(entry.filename)[0]


# --- properties of a server -------------------------------------------------------------------------------------------


def _with_server(index: ServedIndex, pages: Sequence[SeenPage], fetcher: Fetcher, anonymous: WebClient) -> ServedIndex:
    """Add the properties of the server, observed on a few of its pages."""
    page = pages[0]
    reply = Fetcher(root=fetcher.root, web=anonymous).get_page(page.url)
    anonymous_page = read_page(reply, page.kind, project=page.project)
    return replace(
        index,
        # A server may show something else without credentials: a login page, or the public index.
        needs_password=_listed_files(anonymous_page) != _listed_files(page),
        stale_pages=next(filter(None, (_stale_pages(page.reply) for page in pages)), ""),
        caches_files=_caches_files(fetcher, [entry for page in pages for entry in page.entries]),
        redirect_host=next((host for page in pages if (host := _host(page.reply.url)) != _host(index.url)), ""),
    )


def _have_upload_times(pages: Sequence[SeenPage]) -> bool:
    """Tell whether any file has the time that uv compares with its exclude-newer, or there is no file."""
    entries = [entry for page in pages for entry in page.entries]
    return not entries or any(entry.raw.get(_TIME[entry.form]) for entry in entries)


def _listed_files(page: SeenPage) -> list[tuple[str, str]] | None:
    """Return the files of a page, without values that differ between requests; None if it cannot be read."""
    return sorted((entry.filename, entry.sha256) for entry in page.entries) if page.is_usable else None


def _stale_pages(reply: RawResponse) -> str:
    """Return why uv would miss a new release for some time, "" if it would not."""
    if not {"cache-control", "expires"} & reply.headers.keys():
        return (
            "Pages have no Cache-Control header, so uv would cache them for ten minutes"
            if "last-modified" in reply.headers
            else ""
        )
    seconds = lifetime(reply)
    return (
        f"Pages may be cached for {seconds:,} s, so uv would miss new releases" if seconds > _MAX_PAGE_LIFETIME else ""
    )


def _caches_files(fetcher: Fetcher, entries: Collection[ListedFile]) -> bool:
    """Tell whether clients keep files for as long as they may: for ever only if the address contains the hash."""
    if not all(entry.sha256 and entry.sha256 in urlsplit(entry.url).path.replace("/", "") for entry in entries):
        return True
    first = next((entry for entry in entries if entry.url.startswith(("http:", "https:"))), None)
    if first is None:
        return True
    reply = fetcher.request(first.url, ONE_BYTE, most=0)
    return reply.status not in (200, 206) or lifetime(reply) >= _MIN_FILE_LIFETIME


def _unverified(denied: AccessDenied, globs: Sequence[str], *, needs_names: bool) -> ServedIndex:
    """Return an index that needs a password, described only by the values that the user gave. Raises SourceError."""
    names = {canonicalize_name(name) for name in globs}
    if denied.status == 401 and (names or not needs_names) and all(map(_PROJECT.fullmatch, names)):
        url = _ascii_url(denied.url)
        return ServedIndex(
            url=url,
            projects=tuple(sorted(names)),
            is_find_links=url.endswith(PAGE_ENDINGS),
            is_selection=True,
            needs_password=True,
            is_unverified=True,
        )
    if denied.status in (401, 403):
        raise SourceError(f"{denied}. Or name each project that you need, without patterns: --project demo") from denied
    raise denied


# --- projects -------------------------------------------------------------------------------------------------------


def _choose(names: Iterable[str], globs: Sequence[str], where: str, exists: Callable[[str], bool]) -> tuple[str, ...]:
    """Return the chosen names, sorted. `exists` tells whether an unlisted project has a page. Raises SourceError."""
    listed = {name for name in names if _PROJECT.fullmatch(name)}
    chosen = set() if globs else listed
    for glob in globs:
        pattern = canonicalize_name(glob)
        matches = {name for name in listed if fnmatchcase(name, pattern)}
        if not matches and _PROJECT.fullmatch(pattern) and exists(pattern):
            matches = {pattern}
        if not matches:
            some = f"the index has {and_more(sorted(listed))}" if listed else "the index does not list its projects"
            raise SourceError(f"{where}: --project {printable(glob)}: no such project; {some}")
        chosen |= matches
    if not chosen:
        raise SourceError(
            f"{where}: there are no projects in it yet, and the configuration of a client needs their names"
        )
    return tuple(sorted(chosen))


# --- words and addresses --------------------------------------------------------------------------------------------


def _not_an_index(location: Location) -> str:
    """Return the kind of page that is not an index, and what to do."""
    identity = location.identity
    if identity.kind == "mistyped":
        return f"it {_fault(location.pages[0])}. {_check_advice(_display(location))}"
    if identity.kind == "login":
        return f"{identity.description}. Put user name and password into ~/.netrc, and give the address of the index"
    if identity.index_url:
        return f"{identity.description}; there seems to be an index at {identity.index_url}: give that address"
    description = identity.description or "there is no index"
    if "mkindex" in description:
        return description
    return (
        f"{description}. Give the address of the index, often …/simple/. If it does not list its projects, name them "
        "with --project"
    )


def _fault(page: SeenPage) -> str:
    """Return why clients cannot use a page."""
    if page.broken or page.reply.status != 200:
        return page.broken or f"answers {page.reply.status}"
    media_type = printable(page.reply.media_type)[:80] or "an unknown type"
    return f"is served as {media_type}, which clients do not accept"


def _check_advice(where: str) -> str:
    return f"For details, run: mkindex check {shlex.quote(where)}"


def _display(location: Location) -> str:
    return printable(path_of(location.url)) if location.fetcher.local else redact(location.url)


def _host(url: str) -> str:
    """Return host and port without credentials."""
    return printable(urlsplit(url).netloc.rpartition("@")[2].lower())


def _ascii_url(url: str) -> str:
    """Return an address in ASCII, whose path has no characters that are special in a file format or to a client."""
    parts = urlsplit(url)
    host = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode()
    return parts._replace(netloc=host, path=quote(parts.path, safe="/%:@!&()*+,;=~"), query="", fragment="").geturl()
