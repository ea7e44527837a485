"""The whole tool on one screen: sources, scan, assemble, render, publish."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from mkindex.cache import Cache
from mkindex.config import Config
from mkindex.destinations.directory import OWN, Directory
from mkindex.errors import ConfigError, Note, NotPublished, Rejected, SourceError, printable
from mkindex.model import File, Index, assemble
from mkindex.publish import Applied, Changed, Plan, plan
from mkindex.render import Site, Templates, place, render
from mkindex.scan import YEAR_10000, recall, scan, wire_time
from mkindex.settling import Settling
from mkindex.sources import Artifact, open_source

# Given the bytes to be read, a context in which it is told of the bytes that were.
Progress = Callable[[int], AbstractContextManager[Callable[[int], object]]]

_ATTEMPTS = 3  # at a source that changes while it is copied
_MANY_ATTEMPTS = 10  # where each of them holds more files back


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What a build came to."""

    index: Index
    plan: Plan
    written: int  # resources: files, `.metadata` siblings and pages
    findings: tuple[Rejected | Note, ...]
    seconds: float
    dry_run: bool

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
    settling: Settling | None = None,
    ready: Callable[[], object] = bool,
) -> Report:
    """Make the index that `config` describes; `settling` holds files back, `ready` is called before it is to be seen.

    Raises MkindexError when it cannot be done, and what `ready` raises; every page in the destination is then as it
    was, or whole.
    """
    started = time.monotonic()

    def waiting() -> None:
        nonlocal started
        since = time.monotonic()
        ready()
        started += time.monotonic() - since

    with ExitStack() as stack:
        jobs = config.jobs or _cores()
        executor = ThreadPoolExecutor(jobs)
        stack.callback(executor.shutdown, wait=False, cancel_futures=True)
        destination = Directory(
            config.destination,
            executor=executor,
            hardlink=config.link_mode == "hardlink",
            processes=jobs,
            known=settling.destination if settling else None,
        )
        if not config.dry_run:
            stack.enter_context(destination)
        cache = stack.enter_context(
            Cache(Path(config.cache_dir) if config.cache_dir else None, remember=not config.dry_run)
        )
        attempts = _MANY_ATTEMPTS if settling else _ATTEMPTS
        for attempt in range(1, attempts + 1):
            index, findings = _index(config, cache, executor, jobs, progress=progress, settling=settling)
            todo = plan(
                render(index, _site(config)),
                destination,
                now=int(time.time()),
                grace=config.grace,
                overwrite=config.overwrite,
            )
            try:
                applied = Applied() if config.dry_run else destination.apply(todo, waiting)
                break
            except Changed as changed:
                if attempt == attempts:
                    raise
                cache.forget(changed.file.artifact.path)
                if settling:
                    settling.slow_down()
        cache.linked(applied.links)
    return Report(
        index=index,
        plan=todo,
        written=applied.written,
        findings=(*findings, *_remarks(todo)),
        seconds=time.monotonic() - started,
        dry_run=config.dry_run,
    )


def _index(
    config: Config, cache: Cache, executor: Executor, jobs: int, *, progress: Progress, settling: Settling | None
) -> tuple[Index, tuple[Rejected | Note, ...]]:
    artifacts: list[Artifact] = []
    findings: list[Rejected | Note] = []
    for one in found(config):
        if isinstance(one, Artifact):
            artifacts.append(one)
        else:
            findings.append(one)
    if settling and not config.allow_empty:
        settling.check(artifacts)
    files: list[File] = []
    held: list[Artifact] = []
    taken: list[Artifact] = []
    for artifact in artifacts:
        if settling and (known := settling.known(artifact)):
            files.append(known)
        else:
            (held if settling and settling.holds(artifact) else taken).append(artifact)
    with progress(sum(artifact.fingerprint.size for artifact in taken)) as advance:
        outcomes = scan(taken, cache=cache, executor=executor, progress=advance, processes=jobs)
        for artifact, outcome in zip(taken, outcomes, strict=True):
            if isinstance(outcome, File):
                files.append(outcome)
            elif settling and settling.holds(artifact, outcome.reason):
                held.append(artifact)
                findings.append(Note(location=artifact.path, text=f"held back until it is whole: {outcome.reason}"))
            else:
                findings.append(outcome)
    if settling:
        files = _in_order(artifacts, [*files, *_kept(config, cache, settling, held)])
    index, conflicts = assemble(_upload_times(config, files), prefer_first=config.prefer == "first")
    findings += conflicts
    for project in index.projects:
        for file in project.files:
            if file.warning:
                findings.append(Note(location=file.artifact.path, text=file.warning))
    _refuse(config, index, tuple(findings))
    return index, tuple(findings)


def _kept(config: Config, cache: Cache, settling: Settling, held: Iterable[Artifact]) -> Iterator[File]:
    """Yield what files that are held back were before, as long as those bytes are published."""
    for artifact in held:
        before = settling.listed(artifact.path)
        if config.files_url is None:
            before = before or recall(artifact, cache=cache)
            # A hard link to what is being overwritten has not the old bytes any more.
            if before and not _is_published(config, before, artifact.fingerprint.inode):
                continue
        if before:
            yield before


def _is_published(config: Config, file: File, inode: int) -> bool:
    with suppress(OSError):
        status = os.stat(os.path.join(config.destination, place(file)))
        return status.st_size == file.size and status.st_ino != inode
    return False


def _in_order(artifacts: Iterable[Artifact], files: Iterable[File]) -> list[File]:
    """Return files in the order of their sources."""
    by_path = {file.artifact.path: file for file in files}
    return [by_path[path] for path in (artifact.path for artifact in artifacts) if path in by_path]


def outputs(config: Config) -> list[str]:
    """Return the real paths of the directories that mkindex writes below the destination."""
    destination = os.path.realpath(config.destination)
    return [os.path.join(destination, name) for name in (OWN, "files", config.simple_path.split("/")[0]) if name]


def found(config: Config) -> Iterator[Artifact | Rejected | Note]:
    """Yield what all sources list, but never what mkindex wrote itself."""
    written = outputs(config)
    sources = [
        open_source(
            spec,
            recursive=config.recursive,
            follow_symlinks=config.follow_symlinks,
            # A source that is the destination, or lies in it, is read but for the output.
            exclude=(*written, os.path.realpath(config.destination)),
        )
        for spec in config.sources
    ]
    for spec, source in zip(config.sources, sources, strict=True):
        real = os.path.realpath(spec)
        if any(os.path.commonpath([real, output]) == output for output in written):
            raise SourceError(f"source {printable(spec)} is what mkindex wrote into {printable(config.destination)}")
        yield from source.artifacts()


def _refuse(config: Config, index: Index, findings: tuple[Rejected | Note, ...]) -> None:
    """Raise NotPublished where what was found must not become the index."""
    rejected = sum(isinstance(finding, Rejected) for finding in findings)
    if config.strict and rejected:
        raise NotPublished(f"{rejected} rejected, and --strict publishes nothing then", findings)
    if not index.projects and not config.allow_empty:
        where = ", ".join(map(printable, config.sources))
        why = f"all {rejected} were rejected" if rejected else f"no wheel or sdist in {where}"
        hint = "" if config.recursive else "; --recursive also looks into subdirectories"
        raise NotPublished(f"nothing to publish: {why}{hint}. An empty index is made with --allow-empty", findings)


def _site(config: Config) -> Site:
    return Site(
        simple_path=config.simple_path,
        files_url=config.files_url,
        files_have_metadata=config.files_have_metadata,
        links=config.links,
        templates=Templates(Path(config.templates) if config.templates else None),
    )


def _upload_times(config: Config, files: list[File]) -> list[File]:
    """Leave the upload times, which are the mtimes, out or bring them down to SOURCE_DATE_EPOCH."""
    if config.upload_time == "none":
        return [file._replace(upload_time=None) for file in files]
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if not epoch:
        return files
    if not (epoch.isascii() and epoch.isdecimal()):
        raise ConfigError(f"SOURCE_DATE_EPOCH is {printable(epoch)!r}: give a number of seconds, or unset it")
    latest = wire_time(int(epoch[:20])) or wire_time(YEAR_10000 - 1)
    return [
        file._replace(upload_time=latest) if file.upload_time and file.upload_time > latest else file for file in files
    ]


def _remarks(todo: Plan) -> Iterator[Note]:
    for filename in todo.replaced:
        text = "its bytes have changed since it was published: lock files that know it will refuse it"
        yield Note(location=filename, text=text)
    for path in todo.left:
        yield Note(location=path, text="a page of your own, left as it is (--overwrite replaces it)")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
