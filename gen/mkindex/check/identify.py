"""Identify the target of a check: an index, a project, a find-links page, a login page, another page, or nothing."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name

from mkindex.check.addresses import display_url, resolve
from mkindex.check.archives import ARCHIVE_SUFFIXES, Archive
from mkindex.check.fetch import Fetcher, directory_of
from mkindex.check.observations import Identity, ListedFile, NamedProject, PageKind, SeenPage
from mkindex.check.pages import is_page_of, project_links, read_page
from mkindex.check.unsent import is_bucket_listing, unsent_page, unsent_root
from mkindex.distributions.filenames import SUFFIXES
from mkindex.errors import SourceError
from mkindex.hosts.buckets import is_bucket
from mkindex.simple.links import client_project_url, name_at_end, path_of
from mkindex.simple.roots import is_root, linked_directory
from mkindex.text import plural, printable, redact
from mkindex.tree.layout import read_layout
from mkindex.tree.names import INDEX_HTML, INDEX_JSON, MANIFEST
from mkindex.web.client import WebClient
from mkindex.web.responses import RequestFailed, describe_failure

_PAGE_ENDINGS = (".html", ".htm", ".v1_json", ".v1_html", ".json")


@dataclass(frozen=True, kw_only=True)
class Location:
    """The identified target, and access to the pages that it names."""

    fetcher: Fetcher
    identity: Identity
    url: str  # of the index, with a slash at the end; or of the single page
    pages: tuple[SeenPage, ...] = ()  # the root or the single page, in each form that exists
    directory: str = ""  # path of the directory that was given; "" for a server

    def project_pages(self, name: str, url: str) -> tuple[SeenPage, ...]:
        """Return the page of a project in each form that exists, at least one; `url`: where it should be."""
        if self.identity.kind in ("project", "flat"):
            return self.pages
        return fetch_forms(self.fetcher, url, "project", name)

    def display(self, url: str) -> str:
        """Return an address for people."""
        return display_url(url, self.fetcher.root if self.fetcher.local else "")

    def display_page(self, page: SeenPage) -> str:
        """Return the address of a page for people: the one that clients request, or the path of the file."""
        return self.display(page.reply.url if self.fetcher.local else page.url)

    def relative_path(self, url: str) -> str:
        """Return the path, in the given directory, of an address below it."""
        return path_of(url[len(self.fetcher.root) - 1 :])[1:]


class AccessDenied(SourceError):
    """A server refuses access to an address with `status`."""

    def __init__(self, url: str, status: int, *, authorized: bool) -> None:
        super().__init__(f"{redact(url)}: {describe_failure(status, authorized=authorized)}")
        self.url = url
        self.status = status


def identify(target: str, web: WebClient, *, allow_missing_root: bool = False) -> Location:
    """Identify a directory or an address. Raises SourceError and RequestFailed if it cannot be read.

    `allow_missing_root`: treat a missing or forbidden root as an index, because the user named the projects.
    """
    if target.startswith(("http:", "https:")):
        try:
            url = web.take_credentials(target)
            is_valid = bool(urlsplit(url).hostname) and (urlsplit(url).port or 0) >= 0
        except ValueError:
            is_valid = False
        if not is_valid:
            raise SourceError(f"{redact(target)} is not a valid address")
        return _identify_address(url, web, allow_missing_root=allow_missing_root)
    if is_bucket(target):
        raise SourceError(_bucket_advice(target))
    if "://" in target and not target.startswith("file:"):
        raise SourceError(f"{redact(target)}: give a directory, or an address that begins with https:// or http://")
    path = path_of(target) if target.startswith("file:") else target
    if not os.path.exists(path):
        raise SourceError(f"{printable(path)} does not exist: give the directory or the address of an index")
    absolute_path = os.path.abspath(path)
    if os.path.isdir(absolute_path):
        fetcher = Fetcher(root=f"{Path(absolute_path).as_uri()}/".replace("file:////", "file:///"), web=web)
        return _identify_directory(fetcher, absolute_path, target)
    if absolute_path.endswith(ARCHIVE_SUFFIXES) and os.path.isfile(absolute_path):
        return _identify_archive(absolute_path, web)
    if not os.path.isfile(absolute_path) or absolute_path.endswith(SUFFIXES):
        raise SourceError(f"{printable(path)} is neither a directory nor a page: give the directory of an index")
    parent = f"{Path(absolute_path).parent.as_uri()}/"
    is_index = os.path.basename(absolute_path) in (INDEX_HTML, INDEX_JSON)
    return _identify_page(Fetcher(root=parent, web=web), parent if is_index else Path(absolute_path).as_uri())


def _bucket_advice(location: str) -> str:
    """Say which address of a bucket is that of its index, as far as the settings of this machine tell."""
    from mkindex.stores.open import public_url

    url = public_url(location)
    where = f", such as {printable(url)}simple/" if url else '. A build prints it after "Check it:"'
    return f"{redact(location)} is a bucket, which clients read by https. Give the address of its index there{where}"


# --- a directory ----------------------------------------------------------------------------------------------------


def _identify_directory(fetcher: Fetcher, path: str, target: str) -> Location:
    directory_of(fetcher.root)  # raises SourceError if it cannot be read
    for root in (*read_layout(os.path.join(path, MANIFEST)).roots, "simple/", ""):
        url = resolve(fetcher.root, root) if root else fetcher.root
        if any(fetcher.get_page(url, form).status == 200 for form in ("html", "json")):
            found = _identify_page(fetcher, url)
            if root or found.identity.kind != "nothing":
                return Location(
                    fetcher=fetcher, identity=found.identity, url=found.url, pages=found.pages, directory=path
                )
    count = sum(entry.name.endswith(SUFFIXES) for entry in os.scandir(path))
    description = "it contains no page, neither simple/index.html nor index.html"
    if count:
        files = f"{count:,} wheels and sdists" if count > 1 else "a wheel or sdist"
        description = f"a directory with {files}, but without a page. Make an index of it: mkindex {target} ./public"
    identity = Identity(kind="nothing", description=description)
    return Location(fetcher=fetcher, identity=identity, url=fetcher.root, directory=path)


def _identify_archive(path: str, web: WebClient) -> Location:
    """Identify the index in an archive that mkindex wrote. Raises SourceError if its pages are damaged."""
    archive = Archive(path)
    archive.verify()
    roots = [name.removesuffix(INDEX_JSON) for name in archive.names if name.endswith(INDEX_JSON)]
    root = min(roots, key=lambda root: (root.count("/"), root), default="simple/")
    fetcher = Fetcher(root=f"{Path(path).as_uri()}/", web=web, archive=archive)
    return _identify_page(fetcher, resolve(fetcher.root, root) if root else fetcher.root)


# --- a server -------------------------------------------------------------------------------------------------------


def _identify_address(url: str, web: WebClient, *, allow_missing_root: bool) -> Location:
    parts = urlsplit(url)
    is_page = parts.path.endswith(_PAGE_ENDINGS) or parts.query
    url = parts._replace(fragment="").geturl()
    if is_page or url.endswith("/"):
        fetcher = Fetcher(root=url if not is_page else url.rpartition("/")[0] + "/", web=web)
        return _identify_page(fetcher, url, allow_missing_root=allow_missing_root)
    try:
        location = _identify_page(Fetcher(root=f"{url}/", web=web), f"{url}/", allow_missing_root=allow_missing_root)
    except AccessDenied as denied:
        if denied.status == 403 and (found := _find_links_page(url, web)):
            return found
        raise
    if location.identity.kind in ("nothing", "people") or not location.pages:
        return _find_links_page(url, web) or location
    return location


def _find_links_page(url: str, web: WebClient) -> Location | None:
    """Return the find-links page at an address without a slash, which clients request as it is; None if there is none.

    Clients append a slash only to the address of an index.
    """
    fetcher = Fetcher(root=url.rpartition("/")[0] + "/", web=web)
    page = fetch_forms(fetcher, url, "root")[0]
    if page.reply.status != 200 or page.form != "html" or page.reply.url == f"{url}/":
        return None
    location = _identify_page(fetcher, url)
    return location if location.identity.kind == "flat" else None


def _identify_page(fetcher: Fetcher, url: str, *, allow_missing_root: bool = False) -> Location:
    pages = fetch_forms(fetcher, url, "root")
    page = pages[0]
    status = page.reply.status
    if not status:
        raise RequestFailed(url, page.reply.broken or "does not answer")
    if allow_missing_root and status in (403, 404, 410):  # a bucket that does not list its contents answers 403
        return Location(fetcher=fetcher, identity=Identity(kind="index"), url=url)
    if status not in (200, 403, 404, 410):
        raise AccessDenied(url, status, authorized=fetcher.web.has_credentials(url))
    identity = _identity(fetcher, url, page)
    if identity.kind in ("nothing", "people") and (unsent := unsent_root(fetcher, url, page)):
        return Location(fetcher=fetcher, identity=Identity(kind="index"), url=url, pages=(unsent,))
    if status == 403:
        raise AccessDenied(url, status, authorized=fetcher.web.has_credentials(url))
    if identity.kind == "page" and _lacks_index_documents(fetcher, identity.index_url, pages):
        # The directory is no better address: report what is wrong there.
        return Location(fetcher=fetcher, identity=Identity(kind="index"), url=identity.index_url, pages=pages)
    if identity.kind in ("project", "flat"):
        kind: PageKind = "project" if identity.kind == "project" else "flat"
        name = _project_name(fetcher, url, page) if kind == "project" else ""
        root = fetcher.root if fetcher.local else ""
        pages = tuple(read_page(one.reply, kind, project=name, root=root) for one in pages)
    return Location(fetcher=fetcher, identity=identity, url=url, pages=pages)


def fetch_forms(fetcher: Fetcher, url: str, kind: PageKind, project: str = "") -> tuple[SeenPage, ...]:
    """Return a page in each form that exists, at least one, the form that clients prefer first."""
    root = fetcher.root if fetcher.local else ""
    if fetcher.local and url.endswith("/"):
        replies = [fetcher.get_page(url, form) for form in ("html", "json")]
        replies = [reply for reply in replies if reply.status != 404] or replies[:1]
        return tuple(read_page(reply, kind, project=project, root=root) for reply in replies)
    first = read_page(fetcher.get_page(url), kind, project=project, root=root)
    if first.form != "json" or fetcher.local:
        return (first,)
    second = read_page(fetcher.get_page(url, "html"), kind, project=project)
    return (first, second) if second.form == "html" and second.reply.status == 200 else (first,)


def _identity(fetcher: Fetcher, url: str, page: SeenPage) -> Identity:
    if page.reply.status != 200:
        return Identity(kind="nothing", description=f"there is no page: it answers {page.reply.status}")
    if is_bucket_listing(page):
        index = resolve(page.base, "simple/")
        description = "a list of the objects in a bucket, in XML, which is no page"
        return Identity(kind="nothing", description=description, index_url=_index_below(fetcher, index))
    if page.broken or not page.form:
        return Identity(kind="index" if page.broken else "mistyped")
    if page.is_login and not page.entries:
        description = "a login page: clients send passwords by HTTP authentication, not in a form"
        return Identity(kind="login", description=description)
    if page.entries and not page.projects:
        return _identity_by_files(fetcher, url, page)
    if page.form == "json" or _is_root(fetcher, url, page):
        name = name_at_end(url)
        if name.endswith(_PAGE_ENDINGS) and not fetcher.local:
            description = f"the root of an index, but clients append the name of a project to {name}"
            return Identity(kind="page", description=description, index_url=url.rpartition("/")[0] + "/")
        return Identity(kind="index")
    if page.entries:
        return _identity_by_files(fetcher, url, page)
    has_links = page.projects or page.stray_links
    description = "a page for people" if has_links else "a page without links to projects or files"
    index_url = _index_below(fetcher, resolve(page.base, "simple/"))
    return Identity(kind="people", description=description, index_url=index_url)


def _identity_by_files(fetcher: Fetcher, url: str, page: SeenPage) -> Identity:
    """Distinguish the page of a project, most of whose files belong to it, from a page of many projects."""
    names = Counter(map(project_of, page.entries))
    if page.form == "json" or (
        not page.is_listing and names[_project_name(fetcher, url, page)] * 2 > len(page.entries)
    ):
        return Identity(kind="project")
    what = "a directory listing" if page.is_listing else "a find-links page"
    where = path_of(url) if fetcher.local else display_url(url)
    description = (
        f"{what}, not an index: {plural(len(page.entries), 'file')} of {plural(len(names), 'project')} on one page. "
        f"To use it as it is: pip install --no-index --find-links {where} …, "
        'or uv with --find-links or format = "flat". '
        f"To make an index of it: mkindex {where} ./public"
    )
    return Identity(kind="flat", description=description)


def _project_name(fetcher: Fetcher, url: str, page: SeenPage) -> str:
    """Return the project of a page, by the directory in its address; "" if it has another filename."""
    final = url if fetcher.local else page.reply.url
    directory, _, name = final.rpartition("/")
    return canonicalize_name(name_at_end(directory)) if not name or name.startswith("index.") else ""


def project_of(entry: ListedFile) -> str:
    """Return the project that a filename seems to be of, "" if it has no name."""
    stem = entry.filename.partition("-")[0] if entry.filename.endswith(".whl") else entry.filename.rpartition("-")[0]
    return canonicalize_name(stem) if stem else ""


def _is_root(fetcher: Fetcher, url: str, page: SeenPage) -> bool:
    """Tell whether a page is the root of an index: it says so, or it names projects that have pages."""
    if page.is_index:
        return True
    root = url.rpartition("/")[0]

    def has_page(project: NamedProject) -> bool:
        name = canonicalize_name(project.name)
        addresses = dict.fromkeys((client_project_url(root, name), linked_directory(project.url)))
        return any(is_page_of(name, fetch_forms(fetcher, address, "project", name)[0]) for address in addresses)

    return is_root(page.projects, has_page)


def _lacks_index_documents(fetcher: Fetcher, url: str, roots: tuple[SeenPage, ...]) -> bool:
    """Tell whether the page of the first project exists, but is not sent where clients look for it."""
    name = next(iter(project_links(roots)), None)
    if name is None:
        return False
    address = client_project_url(url, name)
    sent = fetch_forms(fetcher, address, "project", name)[0]
    return unsent_page(fetcher, address, sent, "project", name) is not None


def _index_below(fetcher: Fetcher, url: str) -> str:
    """Return the address of a root for people, "" if there is none; a host may have it, but not send it."""
    if not url:
        return ""
    page = fetch_forms(fetcher, url, "root")[0]
    is_root = (page.is_usable and page.projects) or unsent_root(fetcher, url, page)
    return display_url(url) if is_root else ""
