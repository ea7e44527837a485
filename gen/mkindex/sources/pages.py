"""Pages that name files: find-links pages, directory listings, project pages and indexes; remote or on this machine.

The content of a page decides what it is: see the table in `docs/sources.md`.
"""

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from packaging.utils import InvalidName, canonicalize_name

from mkindex.distributions.filenames import SUFFIXES, project_on_page
from mkindex.errors import Note, Rejected, SourceError
from mkindex.model.files import Artifact, Fingerprint, Link
from mkindex.model.index import ProjectStatus, StatusMarker
from mkindex.simple.links import name_at_end, parse_link, path_of, project_url
from mkindex.simple.media_types import HTML_TYPE, JSON_TYPE
from mkindex.simple.reader import Malformed, Page, parse_html, parse_json
from mkindex.sources.selection import Selection
from mkindex.sources.source import SourceItem
from mkindex.text import plural, printable, redact
from mkindex.tree.names import INDEX_HTML
from mkindex.web.bodies import MAX_PAGE
from mkindex.web.client import WebClient
from mkindex.web.responses import PageResponse, RequestFailed

_MAX_LEVELS, _MAX_PAGES = 20, 10_000  # of a directory listing with --recursive
_MAX_SAMPLES = 3  # pages that are read to tell an index from a page with links to other directories


@dataclass(frozen=True, kw_only=True)
class PageSource:
    """The files that a page names, or the pages that it links to."""

    url: str  # http, https or file; without credentials. The fragment is used if this is the address of a file
    web: WebClient
    executor: Executor
    selection: Selection
    recursive: bool = False
    whole_index: bool = False  # read all projects of an index

    def artifacts(self) -> Iterator[SourceItem]:
        """Yield the files in the order of the pages. Raises SourceError if a page cannot be read or understood."""
        url = self.url.partition("#")[0]
        if name_at_end(url).endswith(SUFFIXES):
            yield from self._read_single_file()
            return
        response = self._fetch(url)
        page = read_page(response)
        if page.projects or page.is_json:
            names = [(name, project_url(response.url, name)) for name in page.projects if _is_project_name(name)]
            if strange := len(page.projects) - len(names):
                text = f"{plural(strange, 'project')} skipped: not a valid project name"
                yield Note(location=redact(response.url), text=text)
            yield from self._read_index(names, response) if names else self._list_files(page, response.url)
        elif page.links or page.rejected:
            yield from self._list_files(page, response.url)
            yield from self._read_subdirectories(page, response.url)
        elif self._is_index(page):
            yield from self._read_index([(name_at_end(url), url) for url in page.directories], response)
        elif page.status and page.is_index:  # a project without files
            yield _make_status_marker(page, page.status, response.url)
        elif page.directories and self.recursive:
            yield from self._read_subdirectories(page, response.url)
        else:
            raise SourceError(f"{redact(response.url)}: {_describe_without_files(page)}")

    def _read_single_file(self) -> Iterator[SourceItem]:
        try:
            link = parse_link(self.url)
        except ValueError as error:
            raise SourceError(f"{redact(self.url)}: {error}") from error
        if self.selection.includes_file(link.filename):
            yield link if link.is_elsewhere else _find_local(link, link.url)

    def _fetch(self, url: str) -> PageResponse:
        return fetch_page(url, self.web)

    # --- an index -----------------------------------------------------------------------------------------------------

    def _is_index(self, page: Page) -> bool:
        """Tell whether an HTML page without files is the root of an index: its links lead to pages of projects."""
        if not page.directories or not (page.is_index or page.is_listing or not (page.other_links or page.other_files)):
            return False
        selected = [url for url in page.directories if self.selection.may_include_project(name_at_end(url))]
        for url in (selected or page.directories)[:_MAX_SAMPLES]:
            try:
                child = read_page(self._fetch(url))
            except SourceError:
                continue
            prefix = f"{canonicalize_name(name_at_end(url))}-"
            if child.is_index or any(canonicalize_name(link.filename).startswith(prefix) for link in child.links):
                return True
        return False

    def _read_index(self, projects: Sequence[tuple[str, str]], root: PageResponse) -> Iterator[SourceItem]:
        """Yield the files of the selected projects. `projects`: name and URL of each."""
        if not (self.whole_index or self.selection.include):
            raise SourceError(
                f"{redact(root.url)} is an index of {plural(len(projects), 'project')}. "
                "Choose projects with --include, or use --all"
            )
        selected = [(name, url) for name, url in projects if self.selection.may_include_project(name)]
        pages = self.executor.map(self._read_project, (url for _, url in selected))
        for (name, _), page in zip(selected, pages, strict=True):
            if isinstance(page, Rejected):
                yield page
            else:
                yield from self._list_files(page[1], page[0], name=name)

    def _read_project(self, url: str) -> tuple[str, Page] | Rejected:
        """Return the page of a project and its URL after redirects; a missing page rejects only this project."""
        try:
            response = self._fetch(url)
        except PageMissing as error:
            return Rejected(location=redact(url), reason=f"the index lists this project, but its page {error.why}")
        return response.url, read_page(response)

    # --- a page of files ----------------------------------------------------------------------------------------------

    def _list_files(self, page: Page, url: str, *, name: str = "") -> Iterator[SourceItem]:
        """Yield the selected files of a page, and its findings. `name`: its project, as an index spells it."""
        if page.status:
            yield _make_status_marker(page, page.status, url, name)
        if not page.has_end:
            text = "no </html> at the end of the page: it may be truncated, and links may be missing"
            yield Note(location=redact(url), text=text)
        endings = Counter(printable(os.path.splitext(name)[1].lower()) for name in page.other_files)
        if endings:
            count = ", ".join(f"{number:,} {ending or 'others'}" for ending, number in sorted(endings.items()))
            yield Note(location=redact(url), text=f"skipped links to other files: {count}", detail=True)
        yield from page.rejected
        project = _page_project(page, url, name)
        for link in page.links:
            if self.selection.includes_file(link.filename):
                if project and (decisive := project_on_page(link.filename, project)):
                    link = link._replace(project=decisive)  # noqa: PLW2901
                yield link if link.is_elsewhere else _find_local(link, url)

    def _read_subdirectories(self, page: Page, url: str) -> Iterator[SourceItem]:
        """Yield the files below a directory listing with --recursive; otherwise a note that there may be some."""
        if self.recursive and page.directories:
            yield from self._crawl(page.directories, url)
        elif page.directories and page.is_listing:
            count = len(page.directories)
            text = f"{count:,} subdirector{'y' if count == 1 else 'ies'} skipped (use --recursive)"
            yield Note(location=redact(url), text=text)

    def _crawl(self, directories: Sequence[str], top: str) -> Iterator[SourceItem]:
        """Yield the files of directories and of all below them, level by level, each directory once."""
        seen = {top}
        for _ in range(_MAX_LEVELS):
            level = [url for url in dict.fromkeys(directories) if url not in seen]
            seen.update(level)
            if len(seen) > _MAX_PAGES:
                break
            responses = list(self.executor.map(self._fetch, level))
            pages = list(map(read_page, responses))
            for page, response in zip(pages, responses, strict=True):
                yield from self._list_files(page, response.url)
            directories = [url for page in pages for url in page.directories]
            if not directories:
                return
        raise SourceError(
            f"{redact(top)}: more than {_MAX_PAGES:,} pages or {_MAX_LEVELS} levels of subdirectories. "
            "Give a directory further down"
        )


# --- fetching and reading one page ------------------------------------------------------------------------------------


class PageMissing(SourceError):
    """A page that does not exist. `why`: the text without its address."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(text)
        self.why = why


def fetch_page(url: str, web: WebClient) -> PageResponse:
    """Return a page from this machine or from a server. Raises PageMissing, or SourceError for any other failure."""
    if url.startswith("file:"):
        return _read_file(url)
    try:
        return web.get_page(url)
    except RequestFailed as error:
        if error.status in (404, 410):
            raise PageMissing(str(error), error.why) from error
        raise SourceError(str(error)) from error


def _read_file(url: str) -> PageResponse:
    path = path_of(url)
    if os.path.isdir(path):
        path, url = os.path.join(path, INDEX_HTML), f"{url.rstrip('/')}/"
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_PAGE + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise PageMissing(f"cannot read {redact(url)}: {error.strerror}", "does not exist") from error
    except OSError as error:
        raise SourceError(f"cannot read {redact(url)}: {error.strerror}") from error
    if len(data) > MAX_PAGE:
        raise SourceError(f"{redact(url)}: larger than {MAX_PAGE >> 20} MiB, the limit for a page")
    text = data.decode("utf-8-sig", "replace")
    return PageResponse(url, JSON_TYPE if text.lstrip().startswith("{") else "", text)


def read_page(response: PageResponse) -> Page:
    """Read a page as JSON or HTML by its media type, or by its beginning. Raises SourceError if it is neither."""
    where, kind, start = redact(response.url), printable(response.media_type), response.text.lstrip()[:1]
    try:
        if kind == JSON_TYPE:
            return parse_json(response.text, response.url)
        if start == "<" or (start != "{" and kind in ("text/html", HTML_TYPE, "application/xhtml+xml")):
            return parse_html(response.text, response.url)
        if start == "{":
            parse_json(response.text, response.url)
            raise SourceError(
                f"{where}: a JSON page of the Simple API with the content type {kind or '(none)'}, which pip and uv "
                f"refuse. Serve it as {JSON_TYPE}, or save the page and give the file as SOURCE"
            )
    except Malformed as error:
        raise SourceError(f"{where} {error}") from error
    raise SourceError(
        f"{where}: not a page (content type {kind or 'unknown'}). Give a page with links to wheels or sdists"
    )


def _describe_without_files(page: Page) -> str:
    """Return the message for a page that names no files, with what it contains instead."""
    contents: list[str] = []
    if page.directories:
        contents.append(f"{plural(len(page.directories), 'link')} to directories (use --recursive)")
    if others := len(page.other_files) + page.other_links:
        contents.append(plural(others, "other link"))
    text = f"no links to wheels or sdists ({', '.join(SUFFIXES)})"
    return f"{text}, but {' and '.join(contents)}" if contents else text


# --- the project of a page --------------------------------------------------------------------------------------------


def _make_status_marker(page: Page, status: ProjectStatus, url: str, name: str = "") -> StatusMarker | Note:
    """Return the status of the project of a page; a note if it is not clear which project that is.

    The first that can be the name of a project counts: that in JSON, that in the index, that of all wheels, and that of
    the directory of the page.
    """
    for project in (page.name, name, _project_of_wheels(page), _directory_name(url)):
        if _is_project_name(project):
            return StatusMarker(canonicalize_name(project), status)
    return Note(
        location=redact(url), text=f"project status {status.status} ignored: the page does not name its project"
    )


def _page_project(page: Page, url: str, name: str) -> str:
    """Return the normalized project of a page of an index, "" for any other page. `name`: as the index spells it."""
    # A find-links page may declare a version of the API, too, but not at the address of a directory.
    is_directory = not name_at_end(url).endswith((".html", ".htm")) or url.endswith(f"/{INDEX_HTML}")
    project = page.name or name or (_directory_name(url) if page.is_index and is_directory else "")
    return canonicalize_name(project) if _is_project_name(project) else ""


def _project_of_wheels(page: Page) -> str:
    """Return the project of all wheels of a page; "" if there are none, or of several projects."""
    names = {
        canonicalize_name(link.filename.partition("-")[0]) for link in page.links if link.filename.endswith(".whl")
    }
    return names.pop() if len(names) == 1 else ""


def _directory_name(url: str) -> str:
    """Return the name of the directory of a page, whose address may lack the slash at its end."""
    name = name_at_end(url)
    return name_at_end(url.partition("?")[0].rpartition("/")[0]) if name.endswith((".html", ".htm")) else name


def _is_project_name(name: str) -> bool:
    """Tell whether a text can be the name of a project: an index may list anything."""
    try:
        return bool(canonicalize_name(name, validate=True))
    except InvalidName:
        return False


# --- files of this machine --------------------------------------------------------------------------------------------


def _find_local(link: Link, page: str) -> Artifact | Rejected:
    """Return the file of this machine that a page of this machine names."""
    path = os.path.normpath(path_of(link.url))
    root = os.path.dirname(path_of(page))
    # With --files-url the path relative to the root becomes part of its address, so below the page that path is kept.
    if not path.startswith(f"{root}/"):
        root = os.path.dirname(path)
    relative = path[len(root) :].lstrip("/")
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a valid path"
        return Rejected(location=link.location, reason=f"named on the page, but cannot be read: {reason}")
    if not stat.S_ISREG(status.st_mode) or os.path.basename(path) != link.filename:
        return Rejected(location=link.location, reason="named on the page, but not a regular file. Fix the page")
    return Artifact(root, relative, Fingerprint.of(status), link)
