"""The pipeline: list sources, examine files, assemble an index, render it, plan, publish."""

import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import TYPE_CHECKING

from mkindex.build.collecting import Collected, Examine, collect
from mkindex.build.examining import examine_all
from mkindex.build.growing import Growth, keep_options
from mkindex.build.listing import open_sources
from mkindex.build.preparing import Preparation, prepare
from mkindex.build.report import Report, new_filenames, remarks
from mkindex.build.terms import Terms, terms_of
from mkindex.build.workspace import Workspace, open_workspace
from mkindex.config import Config
from mkindex.errors import Note, Rejected, nothing
from mkindex.model.index import Index
from mkindex.progress import Progress, no_progress
from mkindex.publish.ownership import TrustedManifest
from mkindex.publish.plan import Applied, FileChanged, Superseded
from mkindex.sources.source import Source
from mkindex.web.client import WebClient

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from mkindex.build.consuming import ConsumeResult
    from mkindex.sources.generation import Generation

OpenSources = Callable[[Config, WebClient, "Executor"], Sequence[Source]]


def build(
    config: Config,
    *,
    sources: OpenSources | None = None,
    examine: Examine | None = None,
    before_commit: Callable[[], object] = nothing,
    attempts: int = 3,
    trusted: TrustedManifest | None = None,
    growth: Growth | None = None,
    progress: Progress = no_progress,
    announce: Callable[[Note], object] = nothing,
) -> Report:
    """Build the index that `config` describes, and publish it.

    `sources` and `examine` replace the steps `open_sources` and `examine_all`, for a watch. `before_commit` is called
    when everything is prepared, before readers can see any change; what it raises ends the build. `attempts` limits how
    often a build is tried when files change while they are copied. `trusted` is the manifest of an earlier build of
    this process. With `growth`, the sources add to what is listed. `progress` and `announce` precede long reading.

    Returns a report with all findings. Raises MkindexError if the index cannot be built or published. Every page
    in the destination is then either as it was before, or complete.
    """
    started = time.monotonic()
    with open_workspace(config, trusted, progress, announce) as opened:
        if growth and growth.consume and not config.dry_run:
            _put_back_all(config)
        for attempt in count(1):
            work, kept = keep_options(opened, growth) if growth else (opened, [])
            config = work.config
            terms = terms_of(work, growth, kept)
            began_ns = time.time_ns()
            opened_sources = (sources or open_sources)(config, work.web, work.connections)
            collected = collect(work, opened_sources, examine or examine_all, growth, terms)
            prepared = prepare(work, collected, terms, growth)
            try:
                applied = Applied() if config.dry_run else _apply(work, prepared, before_commit)
                break
            except (FileChanged, Superseded) as reason:
                if attempt >= attempts or "-" in config.sources:  # standard input can be read only once
                    raise
                if isinstance(reason, FileChanged):
                    work.cache.forget(reason.path)
        work.cache.replace_fingerprints(applied.links)
        if not config.dry_run:
            _finish(work, prepared.index, collected.generation)
        consumed = _consume(work, collected, prepared.index, began_ns) if growth and growth.consume else None
    return Report(
        config=config,
        index=prepared.index,
        policy=prepared.policy_result if config.policy else None,
        plan=prepared.plan,
        written=applied.written,
        removed_files=prepared.removed,
        findings=(*_findings(work, prepared, terms), *(consumed.notes if consumed else ())),
        seconds=time.monotonic() - started,
        dry_run=config.dry_run,
        url=work.destination.url,
        locks=collected.locks,
        new=None if config.previous is None else new_filenames(prepared.index, collected.previous or {}),
        added=None if growth is None else new_filenames(prepared.index, collected.previous or {}),
        consumed=consumed.paths if consumed else None,
    )


def _findings(work: Workspace, prepared: Preparation, terms: Terms) -> tuple[Rejected | Note, ...]:
    return *prepared.findings, *work.destination.notes, *remarks(work.config, terms.site, prepared.plan)


def _apply(work: Workspace, prepared: Preparation, before_commit: Callable[[], object]) -> Applied:
    for pages in prepared.readers:
        pages.prepare(put.resource for put in prepared.plan.puts)
    return work.destination.apply(prepared.plan, before_commit)


def _put_back_all(config: Config) -> None:
    from mkindex.build.consuming import put_back_all  # here, since few builds need it

    put_back_all(config)


def _consume(work: Workspace, collected: Collected, index: Index, began_ns: int) -> "ConsumeResult":
    from mkindex.build.consuming import ConsumeResult, consume, find_consumable  # here, for the same reason

    consumable = find_consumable(collected.arrivals, index)
    if work.config.dry_run:
        return ConsumeResult(tuple(file.local.path for file, _ in consumable))
    return consume(consumable, work.destination, began_ns)


def _finish(work: Workspace, index: Index, generation: "Generation | None") -> None:
    """Write the archive and the generation of a published build. The imports are here, since few builds need them."""
    if generation:
        from mkindex.build.republishing import remember_generation

        remember_generation(work.config, generation.of(index))
    if work.config.archive:
        from mkindex.publish.archive import write_archive

        write_archive(work.destination.root, work.config.archive)
