"""Indexes as sources: which projects there are, and their pages."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name

from mkindex.errors import Note, Rejected, SourceError
from mkindex.simple.links import project_url
from mkindex.simple.reader import Page
from mkindex.simple.roots import ProjectLink, is_project_name, is_project_page, is_root, linked_directory
from mkindex.sources.fetch import PageMissing, fetch_page, read_page
from mkindex.sources.selection import Selection
from mkindex.text import and_more, plural, redact
from mkindex.web.client import WebClient
from mkindex.web.responses import PageResponse

_PAGE_ENDINGS = (".html", ".htm", ".json", ".v1_json", ".v1_html")
_ABSENT = (403, 404, 410)  # a bucket whose readers may not list it answers 403 for what does not exist


class ProjectPage(NamedTuple):
    """The page of a project."""

    name: str  # as the index, or --include, spells it
    url: str  # after redirects
    page: Page


@dataclass(frozen=True, kw_only=True)
class IndexReader:
    """Finds the selected projects of an index."""

    web: WebClient
    executor: Executor
    selection: Selection
    whole_index: bool = False

    @property
    def is_wanted(self) -> bool:
        """Whether projects were chosen, so that an index may be read."""
        return self.whole_index or bool(self.selection.include)

    def find_named(self, url: str) -> list[ProjectPage]:
        """Return the pages that exist below an address, if --include consists of names of projects.

        If there is one, this is the address of an index, whose root is not needed: some indexes have none, and that of
        the public index has a million links.
        """
        if not self.selection.only_names_projects or _is_page(url):
            return []
        names = [name for name in self.selection.named_projects if self.selection.may_include_project(name)]
        return self._find_all(names, url)

    def _find_all(self, names: Sequence[str], root: str) -> list[ProjectPage]:
        pages = self.executor.map(self._find, names, (project_url(root, name) for name in names))
        return [page for page in pages if page]

    def _find(self, name: str, url: str) -> ProjectPage | None:
        """Return the page of a project; None if there is nothing at this address, or something else."""
        try:
            response = fetch_page(url, self.web, missing=_ABSENT)
        except PageMissing:
            return None
        page = read_page(response)
        return ProjectPage(name, response.url, page) if _is_project_page(page, canonicalize_name(name)) else None

    def is_root(self, page: Page, roots: Sequence[str]) -> bool:
        """Tell whether a page is the root of an index, by the pages of some of its projects.

        `roots`: the address as it was given, below which clients look for projects, and that after redirects.
        """

        def has_page(link: ProjectLink) -> bool:
            with suppress(SourceError):
                return any(self._find(link.name, address) for address in _addresses(link, roots))
            return False

        if page.is_index:
            return bool(page.projects)
        selected, others = list[ProjectLink](), list[ProjectLink]()
        for link in page.projects:
            (selected if self.selection.may_include_project(link.name) else others).append(link)
        return is_root(selected, has_page) or is_root(others, has_page)

    def find_below(self, url: str) -> str:
        """Return the address of the index in `simple/` below a page for people, "" if there is none."""
        below = project_url(url, "simple")
        with suppress(SourceError):
            response = fetch_page(below, self.web)
            page = read_page(response)
            return below if not page.links and self.is_root(page, (below, response.url)) else ""
        return ""

    def projects(self, page: Page, roots: Sequence[str]) -> Iterator[ProjectPage | Rejected | Note]:
        """Yield the pages of the selected projects of an index, in the order of its root, and findings.

        Raises SourceError if no projects were chosen, or if a page cannot be read.
        """
        url, links = roots[-1], dict[str, ProjectLink]()
        for link in page.projects:
            if is_project_name(link.name):
                links.setdefault(canonicalize_name(link.name), link)
        if strange := sum(not is_project_name(link.name) for link in page.projects):
            yield Note(location=redact(url), text=f"{plural(strange, 'project')} skipped: not a valid project name")
        if not self.is_wanted:
            raise SourceError(
                f"{redact(url)} is an index of {plural(len(links), 'project')}. "
                "Choose projects with --include, or use --all"
            )
        selected = [link for name, link in links.items() if self.selection.may_include_project(name)]
        pages = self.executor.map(self._read, selected, (_addresses(link, roots) for link in selected))
        for link, found in zip(selected, pages, strict=True):
            if isinstance(found, str):
                yield _describe_missing(link, found, roots[0], is_index=page.is_index)
            else:
                yield found
        yield from self._find_all([name for name in self.selection.named_projects if name not in links], roots[0])

    def _read(self, link: ProjectLink, addresses: Sequence[str]) -> ProjectPage | str:
        """Return the first page of a project that exists, or why there is none where clients look for it."""
        problems = []
        for url in addresses:
            try:
                response = fetch_page(url, self.web)
            except PageMissing as error:
                problems.append(error.why)
            else:
                return ProjectPage(link.name, response.url, read_page(response))
        return problems[0]


def fetch_root(url: str, web: WebClient, selection: Selection) -> PageResponse:
    """Return the page at an address, or at the same with a slash, which clients append to the address of an index."""
    try:
        return fetch_page(url, web)
    except PageMissing as missing:
        if _is_page(url) or url.startswith("file:"):
            raise
        if not url.endswith("/"):
            with suppress(PageMissing):
                return fetch_page(f"{url}/", web)
        hint = "If this is an index that does not list its projects, name them: --include NAME"
        if selection.only_names_projects:
            hint = f"Nor is there a page of {and_more(selection.named_projects, 3)} below it"
        raise SourceError(f"{missing}. {hint}") from missing


def _is_page(url: str) -> bool:
    """Tell whether an address is that of a page, to which clients cannot append the name of a project."""
    return url.partition("?")[0].endswith(_PAGE_ENDINGS)


def _is_project_page(page: Page, project: str) -> bool:
    """Tell whether a page is that of a project."""
    if page.is_json:
        return not page.projects
    has_links = page.links or page.rejected or page.other_files or page.other_links or page.directories
    filenames = (link.filename for link in page.links)
    return is_project_page(project, filenames, is_empty=page.is_index and not has_links)


def _addresses(link: ProjectLink, roots: Sequence[str]) -> tuple[str, ...]:
    """Return where the page of a project may be: where clients look for it, then where the root leads.

    The last finds projects in trees whose directories are spelled otherwise, and on hosts without index documents.
    """
    expected = [project_url(root, link.name) for root in roots]
    is_same_server = bool(link.url) and urlsplit(link.url)[:2] == urlsplit(roots[-1])[:2]
    return tuple(dict.fromkeys((*expected, link.url) if is_same_server else expected))


def _describe_missing(link: ProjectLink, why: str, root: str, *, is_index: bool) -> Rejected | Note:
    """Return the finding for a project without a page. A link without a slash may lead to something else."""
    location = redact(project_url(root, link.name))
    if link.url and not is_index and linked_directory(link.url) == f"{link.url}/":
        return Note(location=location, text=f"skipped: the index links to this name, but its page {why}")
    return Rejected(location=location, reason=f"the index lists this project, but its page {why}")
