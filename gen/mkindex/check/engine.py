"""Check an index: `check(options)` shows all steps.

Shares nothing with what renders and publishes, so that it can judge the output of mkindex like any other.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from mkindex.cache import Cache
from mkindex.check.candidates import candidates_on
from mkindex.check.directory import DirectoryObserver
from mkindex.check.elsewhere import find_namesakes
from mkindex.check.fetch import Fetcher
from mkindex.check.files import FileInspector
from mkindex.check.findings import ERROR, Finding
from mkindex.check.hosting import find_host
from mkindex.check.identify import Location, identify, project_of
from mkindex.check.judge import Judge, worst_first
from mkindex.check.observations import Coverage, Level, ListedFile, SeenPage, SeenProject
from mkindex.check.offers import ClosureResult, Lookup, Offers, ProjectFiles
from mkindex.check.options import CheckOptions
from mkindex.check.pages import seen_root
from mkindex.check.projects import CheckedProject, check_projects
from mkindex.check.report import CheckReport
from mkindex.check.roots import read_roots
from mkindex.check.server import describe_server, observe_server
from mkindex.check.walk import AHEAD, ProjectLink, Walk, list_projects
from mkindex.check.why import explain, parse_requirement, project_page
from mkindex.progress import Progress, no_progress
from mkindex.simple.links import client_project_url, path_of
from mkindex.text import printable, redact
from mkindex.web.client import WebClient

__all__ = ["CheckOptions", "CheckReport", "check"]


def check(options: CheckOptions, *, progress: Progress = no_progress) -> CheckReport:
    """Read an index and judge it.

    Raises SourceError if the target cannot be read, RequestFailed if its server does not answer, and ConfigError.
    """
    started = time.monotonic()
    environments = options.environments
    roots = read_roots(options.requirements, options.choice) if options.requirements else None
    with Cache(options.cache_path) as cache:
        web = WebClient(cache, timeout=options.timeout, trusted=options.trust_host)
        executor = ThreadPoolExecutor(options.connections)
        try:
            needs_no_root = options.names_projects or options.why is not None
            location = identify(options.location, web, allow_missing_root=needs_no_root)
            if options.why:
                report = _explain(options, options.why, location, cache)
            else:
                walk = _walk(options, location, cache, executor)
                lookup = None
                if options.closure:
                    offers = Offers(partial(_files_of, walk, with_needs=roots is not None))
                    lookup = Lookup(offers=offers, environments=environments, roots=roots)
                report = _check_target(options, walk, lookup, progress)
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
            web.close()
    return replace(report, seconds=time.monotonic() - started)


def _explain(options: CheckOptions, why: str, location: Location, cache: Cache) -> CheckReport:
    """Explain for each file of one project why a client would not choose it."""
    requirement = parse_requirement(why)
    page, entries = project_page(location, requirement)
    inspector = FileInspector(
        fetcher=location.fetcher,
        cache=cache,
        level="head",
        far_level="head",
        wants_requirements=True,
        reads_far_sdists=True,
    )
    inspect = partial(inspector.inspect, page_redirected=page.is_redirected)
    choices = explain(requirement, entries, options.environments[0], inspect, require_hashes=options.require_hashes)
    return CheckReport(
        target=redact(options.location),
        kind=location.identity.kind,
        url=location.display(page.url),
        projects=1,
        files=len(entries),
        why=tuple(choices),
    )


def _walk(options: CheckOptions, location: Location, cache: Cache, executor: ThreadPoolExecutor) -> Walk:
    return Walk(
        location=location,
        judge=Judge(select=options.select, ignore=options.ignore),
        inspector=FileInspector(
            fetcher=location.fetcher,
            cache=cache,
            level=_level(options, location.fetcher),
            far_level=options.files or "head",
            wants_requirements=options.closure,
        ),
        executor=executor,
        ahead=AHEAD * options.connections,
        sample=options.sample,
        has_closure=options.closure,
    )


def _files_of(walk: Walk, project: str, *, with_needs: bool) -> ProjectFiles:
    """Read a project that is not checked, because `--project` left it out or the root does not name it."""
    location = walk.location
    if location.identity.kind != "index":
        return ProjectFiles({})
    url = client_project_url(location.url, project)
    if not with_needs:
        return ProjectFiles(candidates_on(location.project_pages(project, url), project))
    ((result, files),) = walk.results([ProjectLink(project, url)])
    return ProjectFiles(result.candidates, [file.needs for file in files])


def _level(options: CheckOptions, fetcher: Fetcher) -> Level:
    level: Level = options.files or ("hash" if fetcher.local else "head")
    return "head" if options.closure and level == "none" else level  # requirements are in the files


@dataclass
class _Totals:
    """Counts and results that are collected while projects are checked."""

    files: int = 0
    inspected: int = 0
    read: int = 0
    quarantined: int = 0  # projects that list no files because of their status
    project: SeenProject | None = None  # the first that lists files, as a sample of how the server behaves
    file: ListedFile | None = None

    def add(self, checked: CheckedProject) -> None:
        self.files += checked.listed
        self.inspected += checked.inspected
        self.read += checked.read
        self.quarantined += checked.is_quarantined
        if self.project is None and checked.sample:
            self.project, self.file = checked.sample

    def seen_pages(self, location: Location) -> list[SeenPage]:
        """Return the pages of the root and of the first project, which show what the host is."""
        of_project = (self.project.html, self.project.json) if self.project else ()
        return [*location.pages, *(page for page in of_project if page)]


def _check_target(options: CheckOptions, walk: Walk, lookup: Lookup | None, progress: Progress) -> CheckReport:
    """Judge the whole target: root, projects, files, server, directory, requirements."""
    location, judge = walk.location, walk.judge
    kind, root = location.identity.kind, location.display(location.url)
    totals, observer = _Totals(), DirectoryObserver(location)
    findings = list(_root_findings(location, judge))
    projects = list(list_projects(location, options.project))
    with progress("checking", len(projects)) as advance:
        for checked in check_projects(walk, projects, options.connections):
            totals.add(checked)
            findings += checked.findings
            if checked.named:
                observer.add(checked.named)
            if lookup and checked.offers:
                lookup.offers.add(checked.offers)
            advance(1)
    if kind in ("index", "project", "flat") and not any(one.rule.severity == ERROR for one in findings):
        findings += judge.findings(_coverage(options, location, len(projects), totals), root)
    host: tuple[str, ...] = ()
    if not location.fetcher.local and kind in ("index", "project", "flat"):
        server = observe_server(location, totals.project, totals.file)
        findings += judge.findings(server, root)
        host = describe_server(server)
    if location.directory and kind == "index":
        directory = observer.observe([project.name for project in projects], is_complete=not options.project)
        findings += judge.findings(directory, options.location)
    closure = lookup.result() if lookup else ClosureResult()
    if options.elsewhere and kind == "index":
        names = [project.name for project in projects]
        for namesake in find_namesakes(options.elsewhere, names, location.fetcher.web, walk.executor):
            findings += judge.findings(namesake, root)
    for missing in closure.unsatisfied:
        findings += judge.findings(missing, root)
    return CheckReport(
        target=redact(options.location),
        kind=kind,
        url=printable(path_of(location.url)) if location.fetcher.local else root,
        findings=tuple(worst_first(dict.fromkeys(findings))),
        projects=len(projects) if kind != "flat" else len({project_of(entry) for entry in location.pages[0].entries}),
        files=totals.files,
        inspected=totals.inspected,
        read=totals.read,
        level=walk.inspector.level,
        host=host,
        hosting=find_host(totals.seen_pages(location), totals.file),
        closure=closure.summary,
        unread=closure.unread,
    )


def _coverage(options: CheckOptions, location: Location, projects: int, totals: _Totals) -> Coverage:
    return Coverage(
        projects=projects,
        files=totals.files,
        quarantined=totals.quarantined,
        patterns=options.project,
        other_links=tuple(link for page in location.pages for link in page.stray_links),
    )


def _root_findings(location: Location, judge: Judge) -> Iterator[Finding]:
    yield from judge.findings(location.identity, location.display(location.url))
    if location.identity.kind in ("index", "mistyped", "page"):
        for page in location.pages:
            yield from judge.findings(page, location.display_page(page))
    if location.identity.kind == "index" and (root := seen_root(location.pages)):
        yield from judge.findings(root, location.display(location.url))
