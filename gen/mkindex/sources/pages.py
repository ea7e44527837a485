"""Pages that name files: find-links pages, directory listings, project pages and indexes; remote or on this machine.

The content of a page decides what it is: see the table in `docs/sources.md`.
"""

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from packaging.utils import canonicalize_name

from mkindex.distributions.filenames import SUFFIXES, has_version, project_on_page
from mkindex.errors import Note, Rejected, SourceError
from mkindex.model.files import Artifact, AttestationFile, Fingerprint, Link
from mkindex.model.index import ProjectStatus, StatusMarker
from mkindex.simple.links import name_at_end, parse_link, path_of
from mkindex.simple.reader import Page
from mkindex.simple.roots import is_project_name
from mkindex.sources.fetch import fetch_ahead, read_page
from mkindex.sources.indexes import IndexReader, ProjectPage, fetch_root
from mkindex.sources.selection import Selection
from mkindex.sources.source import SourceItem
from mkindex.text import plural, printable, redact
from mkindex.tree.names import INDEX_HTML
from mkindex.web.client import WebClient

_MAX_LEVELS, _MAX_PAGES = 20, 10_000  # of a directory listing with --recursive


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
        index = IndexReader(
            web=self.web, executor=self.executor, selection=self.selection, whole_index=self.whole_index
        )
        if not self.recursive and (projects := index.find_named(url)):
            yield from self._list_projects(projects)
            return
        response = fetch_root(url, self.web, self.selection)
        page, roots = read_page(response), tuple(dict.fromkeys((url, response.url)))
        if page.links or page.rejected:
            yield from self._list_files(page, response.url)
            if index.is_wanted and not self.recursive and index.is_root(replace(page, is_index=False), roots):
                yield from self._list_projects(index.projects(page, roots))
            else:
                yield from self._read_subdirectories(page, response.url)
        elif page.is_index and (page.status or (page.is_json and not page.projects)):  # no files, or no projects
            yield from self._list_files(page, response.url)
        elif index.is_root(page, roots):
            yield from self._list_projects(index.projects(page, roots))
        elif page.directories and self.recursive:
            yield from self._read_subdirectories(page, response.url)
        else:
            below = index.find_below(response.url)
            hint = f". There is an index at {redact(below)}: give that address" if below else ""
            raise SourceError(f"{redact(response.url)}: {_describe_without_files(page)}{hint}")

    def _list_projects(self, projects: Iterable[ProjectPage | Rejected | Note]) -> Iterator[SourceItem]:
        for project in projects:
            if isinstance(project, ProjectPage):
                yield from self._list_files(project.page, project.url, name=project.name)
            else:
                yield project

    def _read_single_file(self) -> Iterator[SourceItem]:
        try:
            link = parse_link(self.url)
        except ValueError as error:
            raise SourceError(f"{redact(self.url)}: {error}") from error
        if self.selection.includes_file(link.filename):
            yield link if link.is_elsewhere else find_local(link, link.url)

    # --- a page of files ----------------------------------------------------------------------------------------------

    def _list_files(self, page: Page, url: str, *, name: str = "") -> Iterator[SourceItem]:
        """Yield the selected files of a page, and its findings. `name`: its project, as an index spells it."""
        if page.status:
            yield _make_status_marker(page, page.status, url, name)
        if not page.has_end:
            text = "no </html> at the end of the page: it may be truncated, and links may be missing"
            yield Note(location=redact(url), text=text)
        project = _page_project(page, url, name)
        archives = () if project else tuple(link.filename for link in page.links if _is_source_archive(link))
        endings = Counter(printable(os.path.splitext(name)[1].lower()) for name in (*page.other_files, *archives))
        if endings:
            count = ", ".join(f"{number:,} {ending or 'others'}" for ending, number in sorted(endings.items()))
            yield Note(location=redact(url), text=f"skipped links to other files: {count}", detail=True)
        yield from page.rejected
        for link in page.links:
            if self.selection.includes_file(link.filename) and not (archives and _is_source_archive(link)):
                if project and (decisive := project_on_page(link.filename, project)):
                    link = link._replace(project=decisive)  # noqa: PLW2901
                if link.is_elsewhere:
                    yield link
                else:
                    yield from _find_local_with_attestations(link, url)

    def _read_subdirectories(self, page: Page, url: str) -> Iterator[SourceItem]:
        """Yield the files below a directory listing with --recursive; otherwise a note that there may be some."""
        if self.recursive and page.directories:
            yield from self._crawl(page.directories, url)
        elif page.directories and page.is_listing:
            count = len(page.directories)
            text = f"{count:,} subdirector{'y' if count == 1 else 'ies'} skipped (use --recursive)"
            yield Note(location=redact(url), text=text)

    def _crawl(self, directories: Iterable[str], top: str) -> Iterator[SourceItem]:
        """Yield the files of directories and of all below them, level by level, each directory once."""
        seen = {top}
        for _ in range(_MAX_LEVELS):
            level = [url for url in dict.fromkeys(directories) if url not in seen]
            seen.update(level)
            if len(seen) > _MAX_PAGES:
                break
            below: list[str] = []
            for response in fetch_ahead(level, self.web, self.executor):
                page = read_page(response)
                below += page.directories
                yield from self._list_files(page, response.url)
            if not below:
                return
            directories = below
        raise SourceError(
            f"{redact(top)}: more than {_MAX_PAGES:,} pages or {_MAX_LEVELS} levels of subdirectories. "
            "Give a directory further down"
        )


def _is_source_archive(link: Link) -> bool:
    """Tell whether a file is an archive that cannot be an sdist, such as those of a tag on GitHub and GitLab.

    Its name has no version after a hyphen, or it has the address of an archive that these make of a repository.
    """
    is_made = "/archive/refs/" in link.url or "/-/archive/" in link.url
    return not link.filename.endswith(".whl") and (is_made or not has_version(link.filename))


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
        if is_project_name(project):
            return StatusMarker(canonicalize_name(project), status)
    return Note(
        location=redact(url), text=f"project status {status.status} ignored: the page does not name its project"
    )


def _page_project(page: Page, url: str, name: str) -> str:
    """Return the normalized project of a page of an index, "" for any other page. `name`: as the index spells it."""
    # A find-links page may declare a version of the API, too, but not at the address of a directory.
    is_directory = not name_at_end(url).endswith((".html", ".htm")) or url.endswith(f"/{INDEX_HTML}")
    project = page.name or name or (_directory_name(url) if page.is_index and is_directory else "")
    return canonicalize_name(project) if is_project_name(project) else ""


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


# --- files of this machine --------------------------------------------------------------------------------------------


def _find_local_with_attestations(link: Link, page: str) -> Iterator[SourceItem]:
    """Yield a file of this machine that a page names, and the files of attestations that the page has beside it."""
    found = find_local(link._replace(attestations=()), page)
    yield found
    if isinstance(found, Artifact):
        for path in map(path_of, link.attestations):
            if os.path.isfile(path):
                yield AttestationFile(path, found.path, Fingerprint.of(os.stat(path)))


def find_local(link: Link, page: str) -> Artifact | Rejected:
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
