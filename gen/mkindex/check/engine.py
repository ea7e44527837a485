"""Prove an index right, or say what a client will do wrong with it: `check(options)` is the whole on one screen.

Shares nothing with what renders pages, so that it can judge our own as it judges anybody's.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name
from packaging.version import Version

from mkindex.cache import Cache
from mkindex.check import directory as trees
from mkindex.check.candidates import Candidate, Choice, Needs, candidate, requirement, unsatisfied, why
from mkindex.check.fetch import Fetcher, path_of
from mkindex.check.files import FileInspector
from mkindex.check.findings import ERROR, WARNING, Finding, Severity
from mkindex.check.identify import Identified, fetch_forms, identify
from mkindex.check.judge import Judge, rules_by_name, worst_first
from mkindex.check.observations import Level, ListedFile, SeenPage, SeenProject, ServerBehaviour
from mkindex.check.pages import NOBODY, address, listed, project_url
from mkindex.check.rules.server import freshness_told
from mkindex.check.targets import Target, target
from mkindex.errors import ConfigError, SourceError
from mkindex.text import printable, redact
from mkindex.web.client import WebClient

if TYPE_CHECKING:
    from mkindex.web.responses import RawResponse

_CONNECTIONS = 5  # to servers, at once, where nothing else is said
_MOST_THREADS = 8  # in a directory
_AHEAD = 4  # pages, and projects whose files are looked at, for each connection

Progress = Callable[[int], AbstractContextManager[Callable[[int], object]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckOptions:
    """One check. The fields are the options of the command line, whose help says more of each.

    Raises ConfigError for a value that makes no sense.
    """

    target: str
    files: Level | None = None  # None: hash in a directory, head on a server
    sample: int | None = None
    project: tuple[str, ...] = ()
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    closure: bool = False
    why: str | None = None
    require_hashes: bool = False
    python: str | None = None
    platform: str | None = None
    jobs: int | None = None
    cache_dir: str | None = None

    def __post_init__(self) -> None:
        if not self.target:
            raise ConfigError("name a directory or an address: mkindex check ./public")
        for option, names in (("select", self.select), ("ignore", self.ignore)):
            for name in names:
                if name not in rules_by_name():
                    raise ConfigError(
                        f"{option} {printable(name)!r}: there is no such rule (mkindex check --explain all lists them)"
                    )
        if self.require_hashes and self.why is None:
            raise ConfigError("require-hashes says how --why is meant, which is not given")
        if (self.python or self.platform) and not (self.closure or self.why):
            raise ConfigError("python and platform say what --closure or --why is for, and neither is given")


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckReport:
    """What was looked at, and what was found."""

    target: str
    kind: str  # what it is
    url: str  # of the index, or of the page
    findings: tuple[Finding, ...] = ()
    projects: int = 0
    files: int = 0  # that pages list
    looked: int = 0  # of them, those that were looked at
    read: int = 0  # of these, those whose bytes were read
    level: Level = "none"
    host: tuple[str, ...] = ()  # how a server serves it, in words
    closure: str = ""  # how many requirements of how many files were looked for, and what for
    why: tuple[Choice, ...] | None = None
    seconds: float = 0.0

    def count(self, severity: Severity) -> int:
        """Return how many findings are of one severity."""
        return sum(found.rule.severity == severity for found in self.findings)

    def failed(self, *, strict: bool = False) -> bool:
        """Tell whether there are errors; `strict`: or warnings."""
        if self.why is not None and not any(choice.chosen for choice in self.why):
            return True
        return bool(self.count(ERROR) or (strict and self.count(WARNING)))


def check(options: CheckOptions, *, progress: Progress) -> CheckReport:
    """Look at an index and judge it. Raises SourceError, and Failed where a server cannot be asked."""
    started = time.monotonic()
    wanted = target(options.python, options.platform) if options.closure or options.why else None
    is_far = options.target.startswith(("http:", "https:"))
    jobs = options.jobs or (_CONNECTIONS if is_far else min(_MOST_THREADS, os.cpu_count() or 1))
    with Cache(Path(options.cache_dir) if options.cache_dir else None) as cache:
        web = WebClient(cache, connections=jobs)
        executor = ThreadPoolExecutor(jobs)
        try:
            literal = bool(options.project) and not any(c in glob for glob in options.project for c in "*?[")
            begun = identify(options.target, web, patient=literal or options.why is not None)
            run = _Run(options=options, begun=begun, cache=cache, executor=executor, jobs=jobs, target=wanted)
            report = run.why() if options.why else run.report(progress)
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
            web.close()
    return replace(report, seconds=time.monotonic() - started)


class _Looked(NamedTuple):
    """What is kept of a file once it was judged."""

    findings: tuple[Finding, ...] = ()
    asked: bool = False
    read: bool = False
    needs: Needs | None = None


class _Judged(NamedTuple):
    """What is kept of a project once its pages were judged, and the files that are to be looked at."""

    project: SeenProject
    findings: tuple[Finding, ...]
    entries: tuple[tuple[ListedFile, str, bool], ...]  # with the page, and whether that was redirected
    listed: int
    candidates: tuple[Candidate, ...]


@dataclass(kw_only=True)
class _Run:
    options: CheckOptions
    begun: Identified
    cache: Cache
    executor: ThreadPoolExecutor
    jobs: int
    target: Target | None
    files: int = 0
    looked: int = 0
    read: int = 0
    listed: set[str] = field(default_factory=set)  # of a directory: paths of the files that pages name
    stale: list[tuple[str, str]] = field(default_factory=list)
    needs: list[Needs] = field(default_factory=list)
    candidates: dict[str, tuple[Candidate, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.place: Fetcher = self.begun.place
        self.judge = Judge(select=self.options.select, ignore=self.options.ignore)
        level: Level = self.options.files or ("hash" if self.place.local else "head")
        self.level: Level = "head" if self.options.closure and level == "none" else level
        self.looker = FileInspector(
            fetcher=self.place,
            cache=self.cache,
            level=self.level,
            far_level=self.options.files or "head",
            wants_requirements=self.options.closure,
        )

    # --- the whole --------------------------------------------------------------------------------------------------

    def report(self, progress: Progress) -> CheckReport:
        begun, start = self.begun, self.begun.start
        findings = list(self.judge.findings(start, self._shown(begun.url)))
        for page in begun.pages if start.kind in ("index", "mistyped", "page") else ():
            findings += self.judge.findings(page, self._page_shown(page))
        projects = list(self._projects())
        first: SeenProject | None = None
        a_file: ListedFile | None = None
        with progress(len(projects)) as advance:
            for judged, looked in self._looked(projects):
                findings += judged.findings
                for one in looked:
                    findings += one.findings
                    self.looked += one.asked
                    self.read += one.read
                    if one.needs:
                        self.needs.append(one.needs)
                self._keep(judged)
                if judged.listed and first is None:
                    first = judged.project
                    a_file = judged.entries[0][0] if judged.entries else None
                advance(1)
        told: tuple[str, ...] = ()
        if not self.place.local and start.kind in ("index", "project", "flat"):
            host = self._host(first, a_file)
            findings += self.judge.findings(host, self._shown(begun.url))
            told = _told(host)
        if begun.directory and start.kind == "index":
            findings += self._tree([name for name, _, _ in projects])
        closure = ""
        if self.options.closure and self.target:
            count = sum(len(one.requires_dist) for one in self.needs)
            closure = f"{count:,} requirements of {len(self.needs):,} files looked for, on {self.target.name}"
            for missing in unsatisfied(self.needs, self._candidates, self.target):
                findings += self.judge.findings(missing, self._shown(begun.url))
        return CheckReport(
            target=redact(self.options.target),
            kind=start.kind,
            url=address(begun.url) if not self.place.local else printable(path_of(begun.url)),
            findings=tuple(worst_first(dict.fromkeys(findings))),
            projects=len(projects) if start.kind == "index" else int(start.kind == "project"),
            files=self.files,
            looked=self.looked,
            read=self.read,
            level=self.level,
            host=told,
            closure=closure,
        )

    def why(self) -> CheckReport:
        """Say of each file of one project why a client takes it or passes over it."""
        assert self.target
        assert self.options.why
        wanted = requirement(self.options.why)
        name = canonicalize_name(wanted.name)
        is_root = self.begun.start.kind in ("index", "page", "nothing", "mistyped", "people")
        pages = self._pages(name, project_url(self.begun.url, name)) if is_root else self.begun.pages
        if not any(page.usable for page in pages):
            answer = pages[0].broken or f"answers {pages[0].reply.status}"
            raise SourceError(f"{self._shown(pages[0].url)}: there is no page of {name} that can be read: {answer}")
        entries = next(page for page in pages if page.usable).entries
        if self.begun.start.kind == "flat":
            entries = tuple(entry for entry in entries if canonicalize_name(entry.filename).startswith(f"{name}-"))
        return CheckReport(
            target=redact(self.options.target),
            kind=self.begun.start.kind,
            url=self._shown(pages[0].url),
            projects=1,
            files=len(entries),
            why=tuple(why(wanted, entries, self.target, require_hashes=self.options.require_hashes)),
        )

    # --- projects ---------------------------------------------------------------------------------------------------

    def _projects(self) -> Iterator[tuple[str, str, str]]:
        """Yield name, address, and the address that the root gives where that is another, of what is to be checked."""
        start, begun = self.begun.start, self.begun
        if start.kind in ("project", "flat"):
            yield begun.pages[0].project, begun.url, ""
            return
        if start.kind != "index":
            return
        seen = {name: url for name, url in listed(begun.pages).items() if self._is_wanted(name)}
        for name, url in seen.items():
            mine = project_url(begun.url, name)
            yield name, mine, url if url.rstrip("/") != mine.rstrip("/") else ""
        for glob in self.options.project:
            if not any(c in glob for c in "*?[") and (name := canonicalize_name(glob)) not in seen:
                yield name, project_url(begun.url, name), ""

    def _is_wanted(self, name: str) -> bool:
        globs = self.options.project
        return not globs or any(fnmatchcase(name, canonicalize_name(glob)) for glob in globs)

    def _looked(self, projects: Iterable[tuple[str, str, str]]) -> Iterator[tuple[_Judged, list[_Looked]]]:
        """Yield each project with what came of its files, in order; a few are under way at a time."""
        pages: deque[Future[_Judged]] = deque()
        files: deque[tuple[_Judged, list[Future[_Looked]]]] = deque()
        ahead = _AHEAD * self.jobs

        def on() -> None:
            judged = pages.popleft().result()
            futures = [self.executor.submit(self._file, *one, judged.project.name) for one in judged.entries]
            files.append((judged._replace(entries=judged.entries[:1]), futures))

        def done() -> tuple[_Judged, list[_Looked]]:
            judged, futures = files.popleft()
            return judged, [future.result() for future in futures]

        for project in projects:
            pages.append(self.executor.submit(self._project, *project))
            if len(pages) >= ahead:
                on()
            if len(files) >= ahead:
                yield done()
        while pages:
            on()
        while files:
            yield done()

    def _pages(self, name: str, url: str) -> tuple[SeenPage, ...]:
        if self.begun.start.kind in ("project", "flat"):
            return self.begun.pages
        return fetch_forms(self.place, url, "project", name)

    def _project(self, name: str, url: str, listed_url: str) -> _Judged:
        pages = self._pages(name, url)
        elsewhere = ""
        if listed_url and all(page.reply.status != 200 for page in pages):
            other = fetch_forms(self.place, listed_url, "project", name)
            elsewhere = listed_url if other[0].reply.status == 200 else ""
        by_form = {page.form or "html": page for page in pages}
        project = SeenProject(
            name=name,
            html=by_form.get("html"),
            json=by_form.get("json"),
            as_listed=elsewhere,
            forms=frozenset(page.form for page in self.begun.pages if page.usable),
        )
        findings = list(self.judge.findings(project, self._shown(url)))
        for page in pages:
            findings += self.judge.findings(page, self._page_shown(page))
        wanted: dict[tuple[str | None, ...], tuple[ListedFile, str, bool]] = {}
        for page in sorted(pages, key=lambda page: page.form == "json"):  # which says more, and counts
            for entry in page.entries:
                key = entry.url, entry.sha256, entry.other_hash, entry.metadata
                wanted[key] = entry, self._page_shown(page), _is_moved(page)
        entries = tuple(wanted.values())
        if self.options.sample is not None:
            entries = tuple(sorted(entries, key=lambda one: _newness(one[0], name))[-self.options.sample :])
        every = {entry.filename: entry for page in pages for entry in page.entries}
        candidates = tuple(c for e in every.values() if isinstance(c := candidate(e, name), Candidate))
        return _Judged(
            project,
            tuple(findings),
            entries,
            len(every),
            candidates if self.options.closure else (),
        )

    def _file(self, entry: ListedFile, page: str, moved: bool, project: str) -> _Looked:
        seen = self.looker.inspect(entry, moved=moved, flat=self.begun.start.kind == "flat")
        if seen is None:
            return _Looked()
        found = seen.content.metadata if seen.content else seen.sibling_metadata
        needs = None
        if self.options.closure and found and self.target and self.target.takes(entry.filename, entry.requires_python):
            needs = Needs(project or canonicalize_name(found.name), entry.filename, found.requires_dist)
        findings = tuple(self.judge.findings(seen, page, entry.filename))
        return _Looked(findings=findings, asked=True, read=bool(seen.sha256 or seen.content), needs=needs)

    def _keep(self, judged: _Judged) -> None:
        """Keep what is needed at the end: of a directory which files are listed, and what requirements look for."""
        self.files += judged.listed
        if self.options.closure:
            self.candidates[judged.project.name] = judged.candidates
        if not self.begun.directory:
            return
        for page in (judged.project.html, judged.project.json):
            if page is None or page.reply.status != 200:
                continue
            paths = [self._relative(entry.url) for entry in page.entries if entry.url.startswith(self.place.root)]
            self.listed.update(paths)
            path = self._relative(page.reply.url)
            self.stale += [(path, newer) for newer in trees.newer_files(self.begun.directory, path, paths)]

    def _candidates(self, name: str) -> Sequence[Candidate]:
        """Return the files of a project, which may be one that was not to be checked itself."""
        if name not in self.candidates:
            found: tuple[Candidate, ...] = ()
            if self.begun.start.kind == "index":
                every = {
                    e.filename: e for page in self._pages(name, project_url(self.begun.url, name)) for e in page.entries
                }
                found = tuple(c for e in every.values() if isinstance(c := candidate(e, name), Candidate))
            self.candidates[name] = found
        return self.candidates[name]

    # --- around them ------------------------------------------------------------------------------------------------

    def _host(self, project: SeenProject | None, file: ListedFile | None) -> ServerBehaviour:
        begun = self.begun
        root = begun.pages[0] if begun.pages else None
        page = (project.json or project.html or root) if project else root
        is_index = begun.start.kind == "index"
        started = time.monotonic()
        again = self.place.get_page(begun.url) if root else None
        seconds = time.monotonic() - started
        reply: RawResponse | None = None
        if file and file.url.startswith(("http:", "https:")):
            reply = self.place.request(file.url, _ONE_BYTE, most=0)
        forms_seen = {one.form for one in begun.pages if one.usable}
        forms_seen |= {"html" if project and project.html and project.html.usable else ""}
        forms_seen |= {"json" if project and project.json and project.json.usable else ""}
        return ServerBehaviour(
            url=begun.url,
            root=root or page or fetch_forms(self.place, begun.url, "root")[0],
            again=again,
            unknown=self.place.get_page(project_url(begun.url, NOBODY)) if is_index else None,
            without_slash=self.place.get_page(project_url(begun.url, project.name).rstrip("/"))
            if is_index and project
            else None,
            page=page.reply if page else None,
            file=reply,
            html="html" in forms_seen,
            json="json" in forms_seen,
            seconds=seconds,
        )

    def _tree(self, projects: Sequence[str]) -> Iterator[Finding]:
        tree = trees.walked(
            self.begun.directory,
            simple=self._relative(self.begun.url),
            listed=self.listed,
            projects=set(projects),
            all_seen=not self.options.project,
            stale=self.stale,
        )
        return self.judge.findings(tree, self.options.target)

    # --- words ------------------------------------------------------------------------------------------------------

    def _relative(self, url: str) -> str:
        return path_of(url[len(self.place.root) - 1 :])[1:]

    def _shown(self, url: str) -> str:
        return address(url, self.place.root if self.place.local else "")

    def _page_shown(self, page: SeenPage) -> str:
        return self._shown(page.reply.url if self.place.local else page.url)


_ONE_BYTE = {"Accept-Encoding": "identity", "Range": "bytes=0-0"}


def _is_moved(page: SeenPage) -> bool:
    """Tell whether a page was redirected to another directory than the one that was asked for."""
    return page.url.rstrip("/") != page.reply.url.rstrip("/")


def _newness(entry: ListedFile, project: str) -> tuple[bool, Version, str]:
    """Return what sorts the newest files last, and what clients do not see before them."""
    one = candidate(entry, project)
    return (False, Version("0"), entry.filename) if isinstance(one, str) else (True, one.version, entry.filename)


def _told(host: ServerBehaviour) -> tuple[str, ...]:
    """Say how a server serves an index, whether that is good or bad."""
    served = " and ".join(name for name, there in (("HTML", host.html), ("JSON", host.json)) if there)
    told = [f"pages as {served or 'neither HTML nor JSON'}"]
    if host.page:
        told.append(freshness_told(host.page))
        told.append(
            next((name for name in ("ETag", "Last-Modified") if name.lower() in host.page.headers), "no validator")
        )
    if host.file:
        told.append("parts of files" if host.file.status == 206 else "whole files only")
    if host.unknown:
        told.append(f"{host.unknown.status} for a project that there is not")
    return tuple(told)
