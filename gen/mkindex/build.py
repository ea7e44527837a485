"""The pipeline: list sources, examine files, assemble an index, render it, plan, publish."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from mkindex.cache import Cache
from mkindex.config import Config
from mkindex.errors import Note, Rejected, SourceError, nothing
from mkindex.examine.local import Progress, scan
from mkindex.examine.upload_times import dated
from mkindex.hosts.table import HOSTS, Host
from mkindex.model.files import Artifact, File, Link, judge_filename
from mkindex.model.index import Index, StatusMarker, assemble
from mkindex.publish.directory import DirectoryDestination
from mkindex.publish.ownership import TrustedManifest
from mkindex.publish.plan import Applied, FileChanged, Plan, plan
from mkindex.publish.refusals import (
    refuse_empty_or_rejected,
    refuse_large_removal,
    refuse_links_to_replaced_site,
    refuse_source_as_destination,
    removed_filenames,
)
from mkindex.site.limits import refuse_beyond_limits
from mkindex.site.render import Section, Site, render
from mkindex.site.templates import Templates
from mkindex.sources.open import SourceOptions, local_path, open_source
from mkindex.sources.selection import Selection
from mkindex.sources.source import Source, SourceItem
from mkindex.text import printable, redact, without_quoted
from mkindex.tree.names import FILES_DIRECTORY, NO_JEKYLL, STATE_DIRECTORY
from mkindex.web.client import WebClient

# Requests at a time without --jobs; web/throttle.py decides how many of them one host gets.
_REQUESTS = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """The result of a build."""

    index: Index
    plan: Plan
    written: int  # resources: files, `.metadata` siblings and pages
    removed_files: tuple[str, ...]  # filenames in DEST that the index listed before; in a dry run, would be removed
    findings: tuple[Rejected | Note, ...]
    seconds: float
    dry_run: bool
    new: tuple[str, ...] | None = None  # filenames that the --previous site lacks; None: no previous site was given

    @property
    def files(self) -> tuple[File, ...]:
        """All files that the index lists, by project and filename."""
        return tuple(file for project in self.index.projects for file in project.files)

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        """The files that are not published, with reasons."""
        return tuple(finding for finding in self.findings if isinstance(finding, Rejected))

    @property
    def notes(self) -> tuple[Note, ...]:
        """The other findings, which change no exit status."""
        return tuple(finding for finding in self.findings if isinstance(finding, Note))

    @property
    def removed(self) -> int:
        """The number of paths that were removed from the destination."""
        return 0 if self.dry_run else len(self.plan.deletes)


@dataclass(frozen=True, kw_only=True, slots=True)
class Workspace:
    """The tools of a build, which is the only writer of its destination."""

    config: Config
    destination: DirectoryDestination
    cache: Cache
    web: WebClient
    executor: Executor  # threads that read files of this machine
    connections: Executor  # threads that wait for servers
    progress: Progress
    announce: Callable[[Note], object]  # called before many bytes are read from servers


def no_progress(size: int) -> AbstractContextManager[Callable[[int], object]]:
    """Show no progress."""
    del size
    return nullcontext(nothing)


OpenSources = Callable[[Config, WebClient, Executor], Sequence[Source]]
Examine = Callable[[Sequence[Artifact | Link], Workspace], Iterable[File | Rejected | Note]]


def build(
    config: Config,
    *,
    sources: OpenSources | None = None,
    examine: Examine | None = None,
    before_commit: Callable[[], object] = nothing,
    attempts: int = 3,
    trusted: TrustedManifest | None = None,
    progress: Progress = no_progress,
    announce: Callable[[Note], object] = nothing,
) -> Report:
    """Build the index that `config` describes, and publish it.

    `sources` and `examine` replace the steps `open_sources` and `examine_all`, for a watch. `before_commit` is called
    when everything is prepared, before readers can see any change; what it raises ends the build. `attempts` limits how
    often a build is tried when files change while they are copied. `trusted` is the manifest of a previous
    build of this process. `progress` and `announce` are called before many bytes are read from files and servers.

    Returns a report with all findings. Raises MkindexError if the index cannot be built or published. Every page
    in the destination is then either as it was before, or complete.
    """
    started = time.monotonic()
    with _workspace(config, trusted, progress, announce) as work:
        site = _site(config)
        for attempt in count(1):
            listing = list_sources(config, (sources or open_sources)(config, work.web, work.connections))
            artifacts, statuses, source_findings = _sort_listing(_selection(config).with_unused(listing))
            refuse_links_to_replaced_site(config, artifacts, tuple(source_findings))
            files, file_findings = _sort_outcomes((examine or examine_all)(artifacts, work), config)
            files, previous = dated(config, files, web=work.web, executor=work.connections)
            index, conflicts = assemble(files, statuses, prefer_first=config.prefer == "first")
            found = (*source_findings, *file_findings, *_note_missing(config, previous))
            findings = (*found, *conflicts, *_warnings(index))
            refuse_empty_or_rejected(config, index, findings)
            sections = _sections(index, site)
            todo = plan(
                sections, work.destination, now=int(time.time()), grace=config.grace, overwrite=config.overwrite
            )
            removed = removed_filenames(todo, index)
            refuse_large_removal(config, work.destination, removed, findings)
            refuse_beyond_limits(config, index, sections, todo.retired_paths, findings)
            try:
                applied = Applied() if config.dry_run else work.destination.apply(todo, before_commit)
                break
            except FileChanged as changed:
                if attempt >= attempts or "-" in config.sources:  # standard input can be read only once
                    raise
                work.cache.forget(changed.file.local.path)
        work.cache.replace_fingerprints(applied.links)
    return Report(
        index=index,
        plan=todo,
        written=applied.written,
        removed_files=removed,
        findings=(*findings, *work.destination.notes, *_remarks(config, site, todo)),
        seconds=time.monotonic() - started,
        dry_run=config.dry_run,
        new=None if config.previous is None else _new_filenames(index, previous or {}),
    )


@contextmanager
def _workspace(
    config: Config, trusted: TrustedManifest | None, progress: Progress, announce: Callable[[Note], object]
) -> Iterator[Workspace]:
    """Lock the destination, and open cache, connections and threads."""
    with ExitStack() as stack:
        executor = _executor(stack, _processes(config))
        destination = DirectoryDestination(
            config.destination,
            executor=executor,
            hardlink=config.link_mode == "hardlink",
            processes=_processes(config),
            trusted=trusted,
        )
        if not config.dry_run:
            stack.enter_context(destination)
        directory = Path(config.cache_dir) if config.cache_dir else None
        cache = stack.enter_context(Cache(directory, remember=not config.dry_run))
        web = WebClient(cache, timeout=config.timeout, trusted=config.named_hosts)
        stack.callback(web.close)
        yield Workspace(
            config=config,
            destination=destination,
            cache=cache,
            web=web,
            executor=executor,
            connections=_executor(stack, config.jobs or _REQUESTS),
            progress=progress,
            announce=announce,
        )


def _executor(stack: ExitStack, threads: int) -> Executor:
    """Return an executor that starts threads when they are needed and does not wait for them at the end."""
    executor = ThreadPoolExecutor(threads)
    stack.callback(executor.shutdown, wait=False, cancel_futures=True)
    return executor


def _processes(config: Config) -> int:
    """Return --jobs, or the number of cores that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return config.jobs or cores


def _site(config: Config) -> Site:
    return Site(
        simple_path=config.simple_path,
        files_url=config.files_url,
        files_have_metadata=config.files_have_metadata,
        links=config.links,
        json_root=config.json_root,
        host=HOSTS[config.host] if config.host else Host(),
        templates=Templates(Path(config.templates) if config.templates else None),
    )


# --- list -----------------------------------------------------------------------------------------------------------


def open_sources(config: Config, web: WebClient, executor: Executor) -> list[Source]:
    """Return the sources that `config` names, in its order; `executor` fetches pages.

    Raises SourceError for one that cannot be read, that mkindex wrote itself, or that is a new destination.
    """
    written = output_directories(config)
    options = SourceOptions(
        web=web,
        executor=executor,
        selection=_selection(config),
        recursive=config.recursive,
        follow_symlinks=config.follow_symlinks,
        whole_index=config.all,
        files_url=config.files_url,
        verify_links=config.verify_links,
        # A source that is the destination, or is in it, is read without the published tree.
        exclude=(*written, os.path.realpath(config.destination)),
    )
    sources = [open_source(spec, options) for spec in config.sources]
    for spec in config.sources:
        real = os.path.realpath(local_path(spec) or os.sep)
        if any(os.path.commonpath([real, output]) == output for output in written):
            raise SourceError(f"source {printable(spec)} is part of the index in {printable(config.destination)}")
    refuse_source_as_destination(config)
    return sources


def _selection(config: Config) -> Selection:
    return Selection(include=config.include, exclude=config.exclude)


def output_directories(config: Config) -> list[str]:
    """Return the real paths of the directories that mkindex writes below the destination."""
    destination = os.path.realpath(config.destination)
    roots = [path.split("/")[0] for path in (config.simple_path, config.json_root or "")]
    return [os.path.join(destination, name) for name in (STATE_DIRECTORY, FILES_DIRECTORY, *roots) if name]


def list_sources(config: Config, sources: Iterable[Source]) -> Iterator[SourceItem]:
    """Yield what the sources list. With --keep-going a source that fails is rejected as a whole."""
    for spec, source in zip(config.sources, sources, strict=True):
        if not config.keep_going:
            yield from source.artifacts()
            continue
        try:
            yield from list(source.artifacts())  # everything, or nothing
        except SourceError as error:
            yield Rejected(location=redact(spec), reason=f"source skipped: {error}")


def _sort_listing(
    listing: Iterable[SourceItem],
) -> tuple[list[Artifact | Link], list[StatusMarker], list[Rejected | Note]]:
    artifacts: list[Artifact | Link] = []
    statuses: list[StatusMarker] = []
    findings: list[Rejected | Note] = []
    for item in listing:
        if isinstance(item, (Artifact, Link)):  # the union type would be created for each of 100,000 files
            artifacts.append(item)
        elif isinstance(item, StatusMarker):
            statuses.append(item)
        else:
            findings.append(item)
    return artifacts, statuses, findings


# --- examine --------------------------------------------------------------------------------------------------------


def examine_all(artifacts: Sequence[Artifact | Link], work: Workspace) -> list[File | Rejected]:
    """Return the File of each artifact and link, or its rejection, in their order."""
    files = iter(_examine_local([artifact for artifact in artifacts if isinstance(artifact, Artifact)], work))
    links = iter(_examine_links([link for link in artifacts if isinstance(link, Link)], work))
    return [next(links if isinstance(artifact, Link) else files) for artifact in artifacts]


def _examine_local(artifacts: Sequence[Artifact], work: Workspace) -> list[File | Rejected]:
    config = work.config
    copies = config.files_url is None and config.link_mode == "copy" and not config.dry_run
    size = sum(artifact.size for artifact in artifacts)
    with work.progress(size) if artifacts else nullcontext(nothing) as advance:
        return scan(
            artifacts,
            cache=work.cache,
            executor=work.executor,
            progress=advance,
            processes=_processes(config),
            hasher=work.destination.take if copies else None,
        )


def _examine_links(links: Sequence[Link], work: Workspace) -> list[File | Rejected]:
    if not links:
        return []
    from mkindex.examine.remote import Remote

    config = work.config
    remote = Remote(
        web=work.web,
        cache=work.cache,
        executor=work.connections,
        announce=work.announce,
        progress=work.progress,
        max_download=config.max_download,
        allow_unhashed=config.allow_unhashed,
        keep_going=config.keep_going,
        dry_run=config.dry_run,
    )
    return remote.mirror(links, work.destination) if config.remote == "mirror" else remote.refer(links)


def _sort_outcomes(
    outcomes: Iterable[File | Rejected | Note], config: Config
) -> tuple[list[File], list[Rejected | Note]]:
    files: list[File] = []
    findings: list[Rejected | Note] = []
    for outcome in outcomes:
        if isinstance(outcome, File) and not outcome.facts.right_filename:
            files.append(outcome)
        elif isinstance(outcome, File):
            is_placed = config.remote == "mirror" or (isinstance(outcome.artifact, Artifact) and not config.files_url)
            finding = judge_filename(outcome, fix_names=config.fix_names, is_placed=is_placed)
            findings.append(finding)
            files += [outcome] if isinstance(finding, Note) else []
        else:
            findings.append(outcome)
    return files, findings


# --- the previous site ----------------------------------------------------------------------------------------------


def _note_missing(config: Config, previous: Mapping[str, str] | None) -> Iterator[Note]:
    if config.previous is not None and previous is None:
        yield Note(location=redact(config.previous), text="nothing is published there yet")


def _new_filenames(index: Index, previous: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(file.filename for project in index.projects for file in project.files if file.sha256 not in previous)


# --- render ---------------------------------------------------------------------------------------------------------


def _sections(index: Index, site: Site) -> Iterable[Section]:
    """Return the sections to publish: an iterator, or all at once if the host limits the size of a tree."""
    sections = render(index, site)
    return tuple(sections) if site.host.has_limits else sections


# --- findings -------------------------------------------------------------------------------------------------------


def _warnings(index: Index) -> Iterator[Note]:
    for project in index.projects:
        for file in project.files:
            for text in file.warning.splitlines() if file.warning else ():
                yield Note(location=file.artifact.location, text=text, text_of_many=without_quoted(text))


def _remarks(config: Config, site: Site, todo: Plan) -> Iterator[Note]:
    """Yield notes about the changes of a plan, and about foreign files that it leaves."""
    if site.host.notice:
        # The key of `.nojekyll` records that the notice of the host was given. A foreign file records nothing.
        written = (*(put.resource for put in todo.puts), *todo.updates)
        is_new = any(resource.path == NO_JEKYLL and resource.key == site.notice_key for resource in written)
        if is_new or NO_JEKYLL in todo.foreign_pages:
            yield Note(location=config.destination, text=site.host.notice)
    for filename in todo.replaced_filenames:
        text = "its contents have changed since it was published: existing lock files will reject the new hash"
        yield Note(location=filename, text=text)
    for entry in todo.edited:
        yield Note(
            location=entry.path,
            text="changed since mkindex wrote it, left as it is. The index has no such page any more",
        )
    for path in todo.foreign_pages:
        yield Note(location=path, text="not written by mkindex, left as it is (--overwrite replaces it)")
