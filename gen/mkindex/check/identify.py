"""What is it? An index, one project, a find-links page, a listing, a login, a page for people, or nothing."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name

from mkindex.check.fetch import Fetcher, directory_of, path_of
from mkindex.check.observations import Kind, ListedFile, SeenPage, Start
from mkindex.check.pages import absolute, address, last, read
from mkindex.distributions.filenames import SUFFIXES
from mkindex.errors import SourceError
from mkindex.text import printable, redact
from mkindex.tree.manifest import index_roots
from mkindex.tree.names import INDEX_HTML, INDEX_JSON, MANIFEST, STATE_DIRECTORY
from mkindex.web.client import WebClient
from mkindex.web.responses import RequestFailed

_TRIED = 3  # pages that are looked at to tell a root from a page of other directories
_PAGE_NAMES = (".html", ".htm", ".v1_json", ".v1_html", ".json")
_ADVICE = {
    401: "it lets nobody in without the right user name and password: put them into ~/.netrc",
    403: "it lets nobody, or not you, read it",
}


@dataclass(frozen=True, kw_only=True)
class Identified:
    """What was given, and how it goes on from there."""

    place: Fetcher
    start: Start
    url: str  # of the index, with a slash at its end; or of the one page
    pages: tuple[SeenPage, ...] = ()  # the root, or the one page, in each form that there is
    directory: str = ""  # that was given; "": a server


class AccessDenied(SourceError):
    """A server that does not show what is at an address; `status`: that of its answer."""

    def __init__(self, url: str, status: int) -> None:
        super().__init__(f"{redact(url)} answers {status}: {_ADVICE.get(status, 'it cannot be looked at')}")
        self.url = url
        self.status = status


def identify(given: str, web: WebClient, *, patient: bool = False) -> Identified:
    """Find out what a directory or an address is. Raises SourceError and Failed where it cannot be looked at.

    `patient`: a root that is not there is none to complain about, since the projects are named.
    """
    if given.startswith(("http:", "https:")):
        try:
            bare = web.take_credentials(given)
            has_host = urlsplit(bare).hostname and (urlsplit(bare).port or 0) >= 0
        except ValueError:
            has_host = None
        if not has_host:
            raise SourceError(f"{redact(given)} is no address that can be asked")
        return _served(bare, web, patient=patient)
    if "://" in given and not given.startswith("file:"):
        raise SourceError(f"{redact(given)}: name a directory, or an address that begins with https:// or http://")
    path = path_of(given) if given.startswith("file:") else given
    if not os.path.exists(path):
        raise SourceError(f"{printable(path)} does not exist: name a directory with an index in it, or its address")
    absolute_path = os.path.abspath(path)
    if not os.path.isdir(absolute_path):
        if not os.path.isfile(absolute_path) or absolute_path.endswith(SUFFIXES):
            raise SourceError(f"{printable(path)} is neither a directory nor a page: name the directory of an index")
        parent = f"{Path(absolute_path).parent.as_uri()}/"
        is_index = os.path.basename(absolute_path) in (INDEX_HTML, INDEX_JSON)
        return _told(Fetcher(root=parent, web=web), parent if is_index else Path(absolute_path).as_uri())
    place = Fetcher(root=f"{Path(absolute_path).as_uri()}/".replace("file:////", "file:///"), web=web)
    return _directory(place, absolute_path, given)


# --- a directory ----------------------------------------------------------------------------------------------------


def _directory(place: Fetcher, path: str, given: str) -> Identified:
    directory_of(place.root)
    for below in (*index_roots(os.path.join(path, STATE_DIRECTORY, MANIFEST)), "simple/", ""):
        url = absolute(place.root, below) if below else place.root
        if any(place.get_page(url, form).status == 200 for form in ("html", "json")):
            begun = _told(place, url)
            if below or begun.start.kind != "nothing":
                return Identified(place=place, start=begun.start, url=begun.url, pages=begun.pages, directory=path)
    files = sum(entry.name.endswith(SUFFIXES) for entry in os.scandir(path))
    says = "there is no page in it: neither simple/index.html nor index.html"
    if files:
        says = (
            f"a directory of {files:,} wheels and sdists without a page; mkindex {given} ./public makes an index of it"
        )
    return Identified(place=place, start=Start(kind="nothing", says=says), url=place.root, directory=path)


# --- a server -------------------------------------------------------------------------------------------------------


def _served(url: str, web: WebClient, *, patient: bool) -> Identified:
    parts = urlsplit(url)
    is_page = parts.path.endswith(_PAGE_NAMES) or parts.query
    url = parts._replace(fragment="").geturl()
    url = url if is_page or url.endswith("/") else f"{url}/"
    place = Fetcher(root=url if not is_page else url.rpartition("/")[0] + "/", web=web)
    return _told(place, url, patient=patient)


def _told(place: Fetcher, url: str, *, patient: bool = False) -> Identified:
    pages = fetch_forms(place, url, "root")
    page = pages[0]
    status = page.reply.status
    if not status:
        raise RequestFailed(url, page.reply.broken or "does not answer")
    if patient and status in (403, 404, 410):  # a bucket that lists nothing answers so
        return Identified(place=place, start=Start(kind="index"), url=url)
    if status not in (200, 404, 410):
        raise AccessDenied(url, status)
    start = _start(place, url, page)
    if start.kind in ("project", "flat"):
        kind: Kind = "project" if start.kind == "project" else "flat"
        name = _named(place, url, page) if kind == "project" else ""
        root = place.root if place.local else ""
        pages = tuple(read(one.reply, kind, project=name, root=root) for one in pages)
    return Identified(place=place, start=start, url=url, pages=pages)


def fetch_forms(place: Fetcher, url: str, kind: Kind, project: str = "") -> tuple[SeenPage, ...]:
    """Return a page in each form that there is, that which clients prefer first; at least one."""
    if place.local and url.endswith("/"):
        found = [place.get_page(url, form) for form in ("html", "json")]
        found = [reply for reply in found if reply.status != 404] or found[:1]
        return tuple(read(reply, kind, project=project, root=place.root) for reply in found)
    first = read(place.get_page(url), kind, project=project, root=place.root if place.local else "")
    if first.form != "json" or place.local:
        return (first,)
    second = read(place.get_page(url, "html"), kind, project=project)
    return (first, second) if second.form == "html" and second.reply.status == 200 else (first,)


def _start(place: Fetcher, url: str, page: SeenPage) -> Start:
    if page.reply.status != 200:
        return Start(kind="nothing", says=f"there is nothing: it answers {page.reply.status}")
    if page.broken or not page.form:
        return Start(kind="index" if page.broken else "mistyped")
    if page.is_login and not page.entries:
        says = "a page that asks for a password: clients send theirs as HTTP authentication, to no form"
        return Start(kind="login", says=says)
    if page.entries and not page.projects:
        return _with_files(place, url, page)
    if page.form == "json" or _is_root(place, page):
        name = last(url)
        if name.endswith(_PAGE_NAMES) and not place.local:
            says = f"the root of an index, but clients put a project's name behind {name}"
            return Start(kind="page", says=says, index=url.rpartition("/")[0] + "/")
        return Start(kind="index")
    if page.entries:
        return _with_files(place, url, page)
    says = "a page for people" if page.projects or page.stray else "a page without any link to a project or a file"
    index = absolute(page.base, "simple/")
    return Start(kind="people", says=says, index=address(index) if _names_projects(place, index) else "")


def _with_files(place: Fetcher, url: str, page: SeenPage) -> Start:
    name = _named(place, url, page)
    names = Counter(map(_project_of, page.entries))
    if page.form == "json" or (not page.is_listing and names[name] * 2 > len(page.entries)):
        return Start(kind="project")
    what = "a server's listing of a directory" if page.is_listing else "a find-links page"
    projects = f"{len(names):,} project{'' if len(names) == 1 else 's'}"
    where = path_of(url) if place.local else address(url)
    says = (
        f"{what}, not an index: {len(page.entries):,} files of {projects} on one page. As it is: "
        f'pip install --no-index --find-links {where} …, uv with --find-links or format = "flat". '
        f"As an index: mkindex {where} ./public"
    )
    return Start(kind="flat", says=says)


def _named(place: Fetcher, url: str, page: SeenPage) -> str:
    """Return the name of the project that a page is of, as its address says it; "" where that is of a page."""
    came = url if place.local else page.reply.url
    directory, _, name = came.rpartition("/")
    return canonicalize_name(last(directory)) if not name or name.startswith("index.") else ""


def _project_of(entry: ListedFile) -> str:
    stem = entry.filename.partition("-")[0] if entry.filename.endswith(".whl") else entry.filename.rpartition("-")[0]
    return canonicalize_name(stem) if stem else ""


def _is_root(place: Fetcher, page: SeenPage) -> bool:
    """Tell whether a page without files is the root of an index: it says so, or leads to pages of projects."""
    if page.is_index:
        return True
    for _, url in page.projects[:_TRIED]:
        project = canonicalize_name(last(url))
        child = fetch_forms(place, url, "project", project)[0]
        is_empty_project = child.is_index and not child.entries and not child.stray
        if is_empty_project or any(_project_of(entry) == project for entry in child.entries):
            return True
    return False


def _names_projects(place: Fetcher, url: str) -> bool:
    if not url:
        return False
    page = fetch_forms(place, url, "root")[0]
    return page.usable and bool(page.projects)
