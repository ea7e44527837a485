"""Pages that name files: a flat find-links page, a server's listing, a project page, a whole index; here or elsewhere.

What a page is, is found out by looking at it. `docs/sources.md` has the table.
"""

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from packaging.utils import InvalidName, canonicalize_name

from mkindex.distributions.filenames import SUFFIXES
from mkindex.errors import Note, Rejected, SourceError
from mkindex.model.files import Artifact, Fingerprint, Link
from mkindex.model.index import ProjectStatus, StatusMarker
from mkindex.simple.links import last_segment, link_to, path_of, project_url
from mkindex.simple.media_types import HTML_TYPE, JSON_TYPE
from mkindex.simple.reader import Malformed, Page, parse_html, parse_json
from mkindex.sources.open import Found
from mkindex.sources.selection import Selection
from mkindex.text import printable, redact
from mkindex.web.client import MAX_PAGE, PageResponse, RequestFailed, WebClient

_DEEPEST, _MOST = 20, 10_000  # levels below a listing that are read, and pages in all
_TRIED = 3  # projects that are looked at to tell an index from a page of other directories


@dataclass(frozen=True, kw_only=True)
class PageSource:
    """The files that the page at `url`, and what it leads to, names."""

    url: str  # http, https or file, without credentials; the fragment counts where it is that of a file
    web: WebClient
    executor: Executor
    selection: Selection
    recursive: bool = False
    whole_index: bool = False  # of an index, all projects

    def artifacts(self) -> Iterator[Found]:
        """Yield what the pages name, in their order. Raises SourceError where a page cannot be read or understood."""
        url = self.url.partition("#")[0]
        if last_segment(url).endswith(SUFFIXES):  # no page, but a file itself
            yield from self._itself()
            return
        answer = self._get(url)
        page = parsed(answer)
        if page.projects or page.is_json:
            names = [(name, project_url(answer.url, name)) for name in page.projects if _is_name(name)]
            if strange := len(page.projects) - len(names):
                text = f"{strange:,} of the projects that it lists have names that no project can have: passed over"
                yield Note(location=redact(answer.url), text=text)
            yield from self._index(names, answer) if names else self._files(page, answer.url)
        elif page.links or page.refused:
            yield from self._files(page, answer.url)
            yield from self._below(page, answer.url)
        elif self._is_index(page):
            yield from self._index([(last_segment(url), url) for url in page.directories], answer)
        elif page.status and page.is_index:  # a project of which nothing is offered
            yield _marked(page, page.status, answer.url)
        elif page.directories and self.recursive:
            yield from self._below(page, answer.url)
        else:
            raise SourceError(f"{redact(answer.url)}: {_nothing(page)}")

    def _itself(self) -> Iterator[Found]:
        try:
            link = link_to(self.url)
        except ValueError as error:
            raise SourceError(f"{redact(self.url)}: {error}") from error
        if self.selection.file(link.filename):
            yield link if link.is_elsewhere else _local(link, link.url)

    # --- what a page is ---------------------------------------------------------------------------------------------

    def _is_index(self, page: Page) -> bool:
        """Tell whether a page without files is the root of an index: its links lead to the pages of projects."""
        if not page.directories or not (page.is_index or page.is_listing or not (page.elsewhere or page.other_files)):
            return False
        wanted = [url for url in page.directories if self.selection.project(last_segment(url))]
        for url in (wanted or page.directories)[:_TRIED]:
            try:
                child = parsed(self._get(url))
            except SourceError:
                continue
            name = canonicalize_name(last_segment(url))
            if child.is_index or any(_is_of(link, name) for link in child.links):
                return True
        return False

    def _index(self, projects: Sequence[tuple[str, str]], answer: PageResponse) -> Iterator[Found]:
        """Yield what the pages of the projects name. Each: name and URL."""
        if not (self.whole_index or self.selection.include):
            raise SourceError(
                f"{redact(answer.url)} is an index of {len(projects):,} projects: name those that you want "
                "with --include, or take --all"
            )
        chosen = [(name, url) for name, url in projects if self.selection.project(name)]
        pages = self.executor.map(self._project, (url for _, url in chosen))
        for (name, _), found in zip(chosen, pages, strict=True):
            if isinstance(found, Rejected):
                yield found
            else:
                yield from self._files(found[1], found[0], name=name)

    def _project(self, url: str) -> tuple[str, Page] | Rejected:
        """Return the page of a project, with its URL; a project that is listed and not there is rejected alone."""
        try:
            answer = self._get(url)
        except Missing as error:
            return Rejected(location=redact(url), reason=f"the index lists this project, and its page {error.why}")
        return answer.url, parsed(answer)

    def _below(self, page: Page, url: str) -> Iterator[Found]:
        """Yield what lies below a listing, if that is wanted."""
        if not page.directories:
            return
        if not self.recursive:
            if page.is_listing:
                count = len(page.directories)
                text = f"{count:,} subdirector{'y' if count == 1 else 'ies'} not read (--recursive reads them)"
                yield Note(location=redact(url), text=text)
            return
        seen, level = {url}, list(page.directories)
        for _ in range(_DEEPEST):
            level = [below for below in dict.fromkeys(level) if below not in seen]
            seen.update(level)
            if len(seen) > _MOST:
                break
            answers = list(self.executor.map(self._get, level))
            pages = list(map(parsed, answers))
            for found, answer in zip(pages, answers, strict=True):
                yield from self._files(found, answer.url)
            level = [below for found in pages for below in found.directories]
            if not level:
                return
        raise SourceError(
            f"{redact(url)}: more than {_MOST:,} pages or {_DEEPEST} levels below it: name what is wanted"
        )

    # --- what it names ----------------------------------------------------------------------------------------------

    def _files(self, page: Page, url: str, *, name: str = "") -> Iterator[Found]:
        """Yield the files that a page names, the marker of its project, and what is to be said of it."""
        if page.status:
            yield _marked(page, page.status, url, name)
        if not page.has_end:
            text = "the page has no </html> at its end: it may have been cut off, so that links are missing"
            yield Note(location=redact(url), text=text)
        kinds = Counter(printable(os.path.splitext(name)[1].lower()) for name in page.other_files)
        if kinds:
            count = ", ".join(f"{number:,} {kind or 'others'}" for kind, number in sorted(kinds.items()))
            yield Note(location=redact(url), text=f"links to other files passed over: {count}", detail=True)
        yield from page.refused
        for link in page.links:
            if self.selection.file(link.filename):
                yield link if link.is_elsewhere else _local(link, url)

    # --- getting it -------------------------------------------------------------------------------------------------

    def _get(self, url: str) -> PageResponse:
        return fetched(url, self.web)


class Missing(SourceError):
    """A page that is not there."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(text)
        self.why = why


def fetched(url: str, web: WebClient) -> PageResponse:
    """Return a page, here or elsewhere. Raises Missing where there is none, SourceError where it cannot be had."""
    if url.startswith("file:"):
        return _read_file(url)
    try:
        return web.page(url)
    except RequestFailed as error:
        if error.status in (404, 410):
            raise Missing(str(error), error.why) from error
        raise SourceError(str(error)) from error


def _read_file(url: str) -> PageResponse:
    path = path_of(url)
    if os.path.isdir(path):
        path, url = os.path.join(path, "index.html"), f"{url.rstrip('/')}/"
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_PAGE + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Missing(f"cannot read {redact(url)}: {error.strerror}", "is not there") from error
    except OSError as error:
        raise SourceError(f"cannot read {redact(url)}: {error.strerror}") from error
    if len(data) > MAX_PAGE:
        raise SourceError(f"{redact(url)}: a page of more than {MAX_PAGE >> 20} MiB: more than mkindex reads")
    text = data.decode("utf-8-sig", "replace")
    return PageResponse(url, JSON_TYPE if text.lstrip().startswith("{") else "", text)


def parsed(answer: PageResponse) -> Page:
    """Read a page as what it says it is, or what it looks like. Raises SourceError where it is none."""
    where, kind, start = redact(answer.url), printable(answer.media_type), answer.text.lstrip()[:1]
    try:
        if kind == JSON_TYPE:
            return parse_json(answer.text, answer.url)
        if start == "<" or (start != "{" and kind in ("text/html", HTML_TYPE, "application/xhtml+xml")):
            return parse_html(answer.text, answer.url)
        if start == "{":
            parse_json(answer.text, answer.url)
            raise SourceError(
                f"{where}: this is a JSON API page served as {kind or 'nothing'}: pip and uv refuse it, too. "
                f"Let the server say {JSON_TYPE}, or save the page and name the file"
            )
    except Malformed as error:
        raise SourceError(f"{where} {error}") from error
    raise SourceError(
        f"{where} is of type {kind or 'unknown'} and does not look like a page: name one with links to files"
    )


def _nothing(page: Page) -> str:
    """Say what was seen on a page that names no file."""
    seen = []
    if page.directories:
        seen.append(f"{len(page.directories):,} links went to directories: use --recursive")
    if page.other_files or page.elsewhere:
        seen.append(f"{len(page.other_files) + page.elsewhere:,} went elsewhere")
    return "; ".join([f"this page has no link to a wheel or sdist ({', '.join(SUFFIXES)})", *seen])


def _directory(url: str) -> str:
    """Return the name of the directory that a page is the index of."""
    name = last_segment(url)
    return last_segment(url.partition("?")[0].rpartition("/")[0]) if name.endswith((".html", ".htm")) else name


def _project_of(page: Page) -> str:
    """Return the project that all wheels of a page are of, "" for none or several."""
    names = {
        canonicalize_name(link.filename.partition("-")[0]) for link in page.links if link.filename.endswith(".whl")
    }
    return names.pop() if len(names) == 1 else ""


def _marked(page: Page, status: ProjectStatus, url: str, name: str = "") -> StatusMarker | Note:
    """Return the status marker of a page's project; which that is, the first says that can be a project's name."""
    for project in (page.name, name, _project_of(page), _directory(url)):
        if _is_name(project):
            return StatusMarker(canonicalize_name(project), status)
    return Note(location=redact(url), text=f"says {status.status}, but not of which project: passed over")


def _is_name(name: str) -> bool:
    """Tell whether something is the name of a project: an index may list anything."""
    try:
        return bool(canonicalize_name(name, validate=True))
    except InvalidName:
        return False


def _is_of(link: Link, project: str) -> bool:
    return canonicalize_name(link.filename).startswith(f"{project}-")


def _local(link: Link, page: str) -> Artifact | Rejected:
    """Return the file of this machine that a page of this machine names."""
    path = os.path.normpath(path_of(link.url))
    root = os.path.dirname(path_of(page))
    # Below the page it keeps its place, which is a part of its address with --files-url.
    if not path.startswith(f"{root}/"):
        root = os.path.dirname(path)
    relative = path[len(root) :].lstrip("/")
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no valid path"
        return Rejected(location=link.location, reason=f"the page names it, and it cannot be read: {reason}")
    if not stat.S_ISREG(status.st_mode) or os.path.basename(path) != link.filename:
        return Rejected(location=link.location, reason="the page names it, and it is no regular file: mend the page")
    return Artifact(root, relative, Fingerprint.of(status), link)
