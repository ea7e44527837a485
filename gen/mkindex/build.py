"""The whole tool on one screen: sources, scan, assemble, render, publish."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mkindex.cache import Cache
from mkindex.config import Config
from mkindex.errors import Note, Rejected, SourceError
from mkindex.examine.local import Progress, recall, scan
from mkindex.examine.mirror import in_place
from mkindex.examine.remote import Remote
from mkindex.examine.upload_times import dated, published
from mkindex.hosts.table import HOSTS, Host
from mkindex.model.files import Artifact, File, Link
from mkindex.model.index import Index, StatusMarker, assemble
from mkindex.publish.directory import DirectoryDestination
from mkindex.publish.plan import Applied, FileChanged, Plan, plan
from mkindex.site.limits import refuse, refuse_what_is_too_much
from mkindex.site.render import Site, render
from mkindex.site.templates import Templates
from mkindex.sources.open import Found, SourceOptions, is_remote, local_path, open_source
from mkindex.sources.selection import Selection
from mkindex.text import printable, redact
from mkindex.tree.names import FILES_DIRECTORY, NO_JEKYLL, STATE_DIRECTORY, file_path
from mkindex.watch.young_files import Settling
from mkindex.web.client import WebClient

_ATTEMPTS = 3  # at a source that changes while it is copied
_MANY_ATTEMPTS = 10  # where each of them holds more files back
Scanned = Callable[[Sequence[Artifact]], list[File | Rejected]]

# To servers, where --jobs does not say how many: `python -m http.server` lets more than five wait for a second.
_CONNECTIONS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What a build came to."""

    index: Index
    plan: Plan
    written: int  # resources: files, `.metadata` siblings and pages
    findings: tuple[Rejected | Note, ...]
    seconds: float
    dry_run: bool
    new: tuple[str, ...] | None = None  # filenames that the previous site does not have; None: there is none to ask

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        return tuple(finding for finding in self.findings if isinstance(finding, Rejected))


def _unseen(size: int) -> AbstractContextManager[Callable[[int], object]]:
    del size
    return nullcontext(id)


def build(
    config: Config,
    *,
    progress: Progress = _unseen,
    announce: Callable[[Note], object] = id,
    settling: Settling | None = None,
    ready: Callable[[], object] = bool,
) -> Report:
    """Make the index that `config` describes.

    `announce` is told what is going to be read from far away; `settling` holds files back, and knows what a process
    that stays found before; `ready` is called before anything is to be seen. Raises MkindexError when it cannot be
    done, and what `ready` raises; every page in the destination is then as it was, or whole.
    """
    started = time.monotonic()

    def waiting() -> None:
        nonlocal started
        since = time.monotonic()
        ready()
        started += time.monotonic() - since

    with ExitStack() as stack:
        jobs = config.jobs or _cores()
        executor = _executor(stack, jobs)
        destination = DirectoryDestination(
            config.destination,
            executor=executor,
            hardlink=config.link_mode == "hardlink",
            processes=jobs,
            trusted=settling.destination if settling else None,
        )
        if not config.dry_run:
            stack.enter_context(destination)
        cache = stack.enter_context(
            Cache(Path(config.cache_dir) if config.cache_dir else None, remember=not config.dry_run)
        )
        web = WebClient(cache, connections=config.jobs or _CONNECTIONS)
        stack.callback(web.close)
        remote = Remote(
            web=web,
            cache=cache,
            executor=_executor(stack, config.jobs or _CONNECTIONS),
            announce=announce,
            progress=progress,
            max_download=config.max_download,
            allow_unhashed=config.allow_unhashed,
            keep_going=config.keep_going,
            dry_run=config.dry_run,
        )

        copies = config.files_url is None and config.link_mode == "copy" and not config.dry_run
        hasher = destination.take if copies else None

        def scanned(artifacts: Sequence[Artifact]) -> list[File | Rejected]:
            size = sum(artifact.size for artifact in artifacts)
            with progress(size) if artifacts else nullcontext(id) as advance:
                return scan(artifacts, cache=cache, executor=executor, progress=advance, processes=jobs, hasher=hasher)

        site = _site(config)
        attempts = _MANY_ATTEMPTS if settling else _ATTEMPTS
        for attempt in range(1, attempts + 1):
            index, new, findings = _index(config, destination, remote, scanned, settling)
            # Kept only where the host may refuse some of them: there may be a million.
            judged = tuple(render(index, site)) if site.host.has_limits else ()
            todo = plan(
                judged or render(index, site),
                destination,
                now=int(time.time()),
                grace=config.grace,
                overwrite=config.overwrite,
            )
            resources = [resource for section in judged for resource in section.resources()]
            refuse_what_is_too_much(config, index, resources, todo.retired_paths, findings)
            try:
                applied = Applied() if config.dry_run else destination.apply(todo, waiting)
                break
            except FileChanged as changed:
                if attempt == attempts or "-" in config.sources:  # standard input comes only once
                    raise
                cache.forget(changed.file.local.path)
                if settling:
                    settling.slow_down()
        cache.replace_fingerprints(applied.links)
    return Report(
        index=index,
        plan=todo,
        written=applied.written,
        findings=(*findings, *_remarks(config, site, todo)),
        seconds=time.monotonic() - started,
        dry_run=config.dry_run,
        new=new,
    )


def _executor(stack: ExitStack, threads: int) -> Executor:
    """Return an executor, which starts no thread before it is needed, and waits for none in the end."""
    executor = ThreadPoolExecutor(threads)
    stack.callback(executor.shutdown, wait=False, cancel_futures=True)
    return executor


def _index(
    config: Config, destination: DirectoryDestination, remote: Remote, scanned: Scanned, settling: Settling | None
) -> tuple[Index, tuple[str, ...] | None, tuple[Rejected | Note, ...]]:
    """Return what is to be published, the filenames that the previous site has not, and what was found."""
    artifacts: list[Artifact | Link] = []
    markers: list[StatusMarker] = []
    findings: list[Rejected | Note] = []
    for one in found(config, web=remote.web, executor=remote.executor, settling=settling):
        if isinstance(one, (Artifact, Link)):  # not Artifact | Link, which is made anew for each of 100,000
            artifacts.append(one)
        elif isinstance(one, StatusMarker):
            markers.append(one)
        else:
            findings.append(one)
    local = [artifact for artifact in artifacts if isinstance(artifact, Artifact)]
    links = [artifact for artifact in artifacts if isinstance(artifact, Link)]
    if settling:
        if not config.allow_empty:
            directories = {
                os.path.abspath(path) for path in map(local_path, config.sources) if path and os.path.isdir(path)
            }
            settling.check(local, directories)
        of_local = iter(settling.scan(local, scanned, lambda artifact: _kept(config, remote.cache, settling, artifact)))
        findings += settling.notes
    else:
        of_local = iter(scanned(local))
    refer = partial(remote.mirror, tree=destination) if config.remote == "mirror" else remote.refer
    of_links = iter(settling.refer(links, refer, partial(in_place, tree=destination)) if settling else refer(links))
    files: list[File] = []
    for artifact in artifacts:
        outcome = next(of_links if isinstance(artifact, Link) else of_local)
        if isinstance(outcome, File):
            files.append(outcome)
        elif outcome:
            findings.append(outcome)
    before: Mapping[str, str] = {}
    if config.previous is not None:
        there = published(
            config.previous, files, simple_path=config.simple_path, web=remote.web, executor=remote.executor
        )
        before = there or {}
        if there is None:
            findings.append(Note(location=redact(config.previous), text="nothing is published there yet"))
    files = dated(config, files, before)
    index, conflicts = assemble(files, markers, prefer_first=config.prefer == "first")
    findings += conflicts
    for project in index.projects:
        for file in project.files:
            if file.warning:
                findings.append(Note(location=file.artifact.location, text=file.warning))
    refuse(config, index, tuple(findings))
    if config.previous is None:
        return index, None, tuple(findings)
    new = tuple(file.filename for project in index.projects for file in project.files if file.sha256 not in before)
    return index, new, tuple(findings)


def _kept(config: Config, cache: Cache, settling: Settling, artifact: Artifact) -> File | None:
    """Return what a file that is held back was before, as long as those bytes are published."""
    before = settling.listed(artifact.path)
    if config.files_url is not None:
        return before
    before = before or recall(artifact, cache=cache)
    # A hard link to what is being overwritten has not the old bytes any more.
    is_there = before and _is_published(config, before, artifact.fingerprint.inode)
    return before if is_there else None


def _is_published(config: Config, file: File, inode: int) -> bool:
    with suppress(OSError):
        status = os.stat(os.path.join(config.destination, file_path(file.sha256, file.filename)))
        return status.st_size == file.size and status.st_ino != inode
    return False


def outputs(config: Config) -> list[str]:
    """Return the real paths of the directories that mkindex writes below the destination."""
    destination = os.path.realpath(config.destination)
    roots = [path.split("/")[0] for path in (config.simple_path, config.json_root or "")]
    return [os.path.join(destination, name) for name in (STATE_DIRECTORY, FILES_DIRECTORY, *roots) if name]


def found(config: Config, *, web: WebClient, executor: Executor, settling: Settling | None = None) -> Iterator[Found]:
    """Yield what all sources list, but never what mkindex wrote itself; `executor` is for pages."""
    written = outputs(config)
    options = SourceOptions(
        web=web,
        executor=executor,
        selection=Selection(include=config.include, exclude=config.exclude),
        recursive=config.recursive,
        follow_symlinks=config.follow_symlinks,
        whole_index=config.all,
        files_url=config.files_url,
        verify_links=config.verify_links,
        # A source that is the destination, or lies in it, is read but for the output.
        exclude=(*written, os.path.realpath(config.destination)),
    )
    sources = [open_source(spec, options) for spec in config.sources]
    for spec, source in zip(config.sources, sources, strict=True):
        real = os.path.realpath(local_path(spec) or os.sep)
        if any(os.path.commonpath([real, output]) == output for output in written):
            raise SourceError(f"source {printable(spec)} is what mkindex wrote into {printable(config.destination)}")
        listed = source.artifacts
        if settling and is_remote(spec):
            listed = partial(settling.ask, spec, source.artifacts)
        if not config.keep_going:
            yield from listed()
            continue
        try:
            yield from list(listed())  # all of it, or nothing
        except SourceError as error:
            yield Rejected(location=redact(spec), reason=f"left out as a whole: {error}")


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


def _remarks(config: Config, site: Site, todo: Plan) -> Iterator[Note]:
    if site.host.notice:
        known = (*(put.resource for put in todo.puts), *todo.updates)
        is_new = any(one.path == NO_JEKYLL and one.key == site.notice_key for one in known)
        if is_new or NO_JEKYLL in todo.foreign_pages:  # where that is somebody else's, nobody knows what was said
            yield Note(location=config.destination, text=site.host.notice)
    for filename in todo.replaced_filenames:
        text = "its bytes have changed since it was published: lock files that know it will refuse it"
        yield Note(location=filename, text=text)
    for path in todo.foreign_pages:
        yield Note(location=path, text="a page of your own, left as it is (--overwrite replaces it)")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
