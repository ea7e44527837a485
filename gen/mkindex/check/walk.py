"""Walk through the projects of an index, and through the files that their pages list, several at a time."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple

from packaging.utils import canonicalize_name

from mkindex.check.candidates import Candidate, age_key, candidates_on
from mkindex.check.files import FileInspector
from mkindex.check.findings import Finding
from mkindex.check.identify import Location, fetch_forms
from mkindex.check.judge import Judge
from mkindex.check.observations import Content, ListedFile, SeenFile, SeenPage, SeenProject, SeenVariants
from mkindex.check.offers import FileNeeds
from mkindex.check.options import is_pattern
from mkindex.check.pages import project_links
from mkindex.check.unsent import unsent_page
from mkindex.check.variants import VariantText, variant_text, variants_on, with_texts
from mkindex.simple.links import client_project_url

_SERVERS = ("http:", "https:")
_LARGE = 1 << 28  # bytes of the files of a project, from which on threads share them better than processes
AHEAD = 2  # for each connection: projects whose pages are fetched, and projects whose files are inspected


class ProjectLink(NamedTuple):
    """A project to check."""

    name: str  # normalized
    url: str  # where clients look for its page
    linked_url: str = ""  # the address that the root links to, if it is another


class FileLink(NamedTuple):
    """A file to inspect."""

    entry: ListedFile
    page: str  # the address of its page, for people
    page_redirected: bool


class FileResult(NamedTuple):
    """The result for a file, without its observations."""

    findings: tuple[Finding, ...] = ()
    inspected: bool = False
    read: bool = False
    needs: FileNeeds | None = None  # for --closure
    variant: VariantText | None = None


class ProjectResult(NamedTuple):
    """The result for a project, without its pages."""

    project: SeenProject
    findings: tuple[Finding, ...]
    files: tuple[FileLink, ...]  # to inspect; at most one of them once they were
    listed: int  # files that its pages list
    candidates: dict[str, list[Candidate]]  # for --closure, by project
    variants: tuple[SeenVariants, ...] = ()  # of each release, without what is in the files


def list_projects(location: Location, globs: tuple[str, ...]) -> Iterator[ProjectLink]:
    """Yield the projects to check: those of the root that match, and others that are named without a pattern."""
    kind = location.identity.kind
    if kind in ("project", "flat"):
        yield ProjectLink(location.pages[0].project, location.url)
        return
    if kind != "index":
        return
    patterns = [canonicalize_name(glob) for glob in globs]
    links = {
        name: url
        for name, url in project_links(location.pages).items()
        if not globs or any(fnmatchcase(name, pattern) for pattern in patterns)
    }
    for name, linked_url in links.items():
        url = client_project_url(location.url, name)
        yield ProjectLink(name, url, linked_url if linked_url.rstrip("/") != url.rstrip("/") else "")
    for glob in globs:
        if not is_pattern(glob) and (name := canonicalize_name(glob)) not in links:
            yield ProjectLink(name, client_project_url(location.url, name))


@dataclass(frozen=True, kw_only=True)
class Walk:
    """Fetches, inspects and judges projects and their files."""

    location: Location
    judge: Judge
    inspector: FileInspector
    executor: Executor
    ahead: int  # how many projects may be in progress in each of the two steps
    sample: int | None = None  # number of the newest files of each project to check
    has_closure: bool = False  # collect what --closure needs

    def results(self, projects: Iterable[ProjectLink]) -> Iterator[tuple[ProjectResult, list[FileResult]]]:
        """Yield each project with the results of its files, in order. Raises RequestFailed if the server gives up."""
        fetching: deque[Future[ProjectResult]] = deque()
        inspecting: deque[tuple[ProjectResult, list[Future[FileResult]]]] = deque()

        def inspect_files() -> None:
            result = fetching.popleft().result()
            futures = [self.executor.submit(self._check_file, file) for file in result.files]
            # Later only one file is needed; a project may have a hundred thousand.
            inspecting.append((result._replace(files=result.files[:1]), futures))

        def finish() -> tuple[ProjectResult, list[FileResult]]:
            result, futures = inspecting.popleft()
            for future in reversed(futures):  # to wait for the last one first wakes this thread only once
                future.result()
            files = [future.result() for future in futures]
            return (self._with_variants(result, files) if result.variants else result), files

        for project in projects:
            fetching.append(self.executor.submit(self._check_project, project))
            if len(fetching) >= self.ahead:
                inspect_files()
            if len(inspecting) >= self.ahead:
                yield finish()
        while fetching:
            inspect_files()
        while inspecting:
            yield finish()

    def check_here(self, link: ProjectLink) -> tuple[ProjectResult, list[FileResult]] | None:
        """Check a project of a directory in this thread; None if that would wait for servers, or for large files."""
        if link.linked_url.startswith(_SERVERS):
            return None
        result = self._check_project(link)
        entries = [file.entry for file in result.files]
        if any(entry.url.startswith(_SERVERS) for entry in entries) or sum(e.size or 0 for e in entries) > _LARGE:
            return None
        files = [self._check_file(file) for file in result.files]
        return (self._with_variants(result, files) if result.variants else result), files

    def _check_project(self, link: ProjectLink) -> ProjectResult:
        location, judge = self.location, self.judge
        pages = location.project_pages(link.name, link.url)
        by_form = {page.form or "html": page for page in pages}
        unsent = None
        if location.identity.kind == "index":
            unsent = unsent_page(location.fetcher, link.url, pages[0], "project", link.name)
        project = SeenProject(
            name=link.name,
            html=by_form.get("html"),
            json=by_form.get("json"),
            linked_page="" if unsent else self._linked_page(link, pages),
            unsent_page=unsent.url if unsent else "",
            root_forms=frozenset(page.form for page in location.pages if page.is_usable),
        )
        findings = list(judge.findings(project, location.display(link.url)))
        for page in () if unsent else pages:  # what is sent instead is no page of the index
            findings += judge.findings(page, location.display_page(page))
        files = _files_to_inspect(location, pages)
        if self.sample is not None:
            files = sorted(files, key=lambda file: age_key(file.entry, link.name))[-self.sample :]
        return ProjectResult(
            project=project,
            findings=tuple(findings),
            files=tuple(files),
            listed=len({entry.filename for page in pages for entry in page.entries}),
            candidates=candidates_on(pages, link.name) if self.has_closure else {},
            variants=tuple(variants_on(pages)),
        )

    def _with_variants(self, result: ProjectResult, files: list[FileResult]) -> ProjectResult:
        """Add the findings on wheel variants, for which all files of a release have to be known."""
        page = next(page for page in (result.project.json, result.project.html) if page)
        texts = dict(filter(None, (file.variant for file in files)))
        findings = (
            finding
            for variants in result.variants
            for finding in self.judge.findings(with_texts(variants, texts), self.location.display_page(page))
        )
        return result._replace(findings=(*result.findings, *findings))

    def _linked_page(self, link: ProjectLink, pages: tuple[SeenPage, ...]) -> str:
        """Return the address of a page that the root links to, "" if it is not needed or does not exist."""
        if not link.linked_url or any(page.reply.status == 200 for page in pages):
            return ""
        linked = fetch_forms(self.location.fetcher, link.linked_url, "project", link.name)
        return link.linked_url if linked[0].reply.status == 200 else ""

    def _check_file(self, file: FileLink) -> FileResult:
        seen = self.inspector.inspect(file.entry, page_redirected=file.page_redirected)
        if seen is None:
            return FileResult()
        return FileResult(
            findings=tuple(self.judge.findings(seen, file.page, file.entry.filename)),
            inspected=True,
            read=bool(seen.sha256 or seen.content),
            needs=_needs(seen) if self.has_closure else None,
            variant=variant_text(seen),
        )


def _needs(seen: SeenFile) -> FileNeeds:
    """Return what a file requires, as far as it was read."""
    content = seen.content or Content()
    metadata = content.metadata or seen.sibling_metadata
    is_wheel = seen.entry.filename.endswith(".whl")
    return FileNeeds(
        seen.entry.filename,
        metadata.requires_dist if metadata else None,
        () if is_wheel else content.build_requires,
        seen.sha256 or seen.other_hash,
        is_missing=not seen.exists,
    )


def _files_to_inspect(location: Location, pages: Iterable[SeenPage]) -> list[FileLink]:
    """Return each file once, although both forms of a page list it; entries that differ are separate files."""
    files: dict[tuple[str | None, ...], FileLink] = {}
    for page in sorted(pages, key=lambda page: page.form == "json"):  # JSON says more, and replaces HTML
        for entry in page.entries:
            key = entry.url, entry.sha256, entry.other_hash, entry.metadata
            files[key] = FileLink(entry, location.display_page(page), page.is_redirected)
    return list(files.values())
