"""The pipeline: list sources, examine files, assemble an index, render it, plan, publish."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from mkindex.build.examining import examine_all, sort_outcomes
from mkindex.build.growing import (
    Growth,
    Published,
    keep_options,
    keep_variants,
    kept_locks,
    list_published,
    recorded_lines,
)
from mkindex.build.listing import list_sources, open_sources, refuse_without_lock, selection, sort_listing
from mkindex.build.policy import govern, policy_of
from mkindex.build.report import Report, new_filenames, note_missing, remarks, warnings
from mkindex.build.workspace import Workspace, no_progress, open_workspace
from mkindex.config import Config
from mkindex.errors import Note, Rejected, nothing
from mkindex.examine.local import Progress
from mkindex.examine.upload_times import dated, source_date_epoch
from mkindex.hosts.table import HOSTS, Host
from mkindex.model.files import Artifact, File, Link
from mkindex.model.index import Index, assemble, grow
from mkindex.publish.ownership import TrustedManifest
from mkindex.publish.plan import Applied, FileChanged, plan
from mkindex.publish.refusals import (
    note_removal_from_grown,
    refuse_empty_or_rejected,
    refuse_large_removal,
    refuse_links_to_replaced_site,
    refuse_unyank,
    removed_filenames,
)
from mkindex.site.limits import refuse_beyond_limits
from mkindex.site.listings import list_projects, refuse_same_paths
from mkindex.site.render import Site, render
from mkindex.site.resources import Section
from mkindex.site.templates import Templates
from mkindex.sources.source import Source
from mkindex.web.client import WebClient

if TYPE_CHECKING:
    from mkindex.policy.rules import Policy
    from mkindex.site.people import People
    from mkindex.sources.generation import Generation
    from mkindex.sources.locks.lock import Lock

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
    growth: Growth | None = None,
    progress: Progress = no_progress,
    announce: Callable[[Note], object] = nothing,
) -> Report:
    """Build the index that `config` describes, and publish it.

    `sources` and `examine` replace the steps `open_sources` and `examine_all`, for a watch. `before_commit` is called
    when everything is prepared, before readers can see any change; what it raises ends the build. `attempts` limits how
    often a build is tried when files change while they are copied. `trusted` is the manifest of a previous
    build of this process. With `growth`, the sources add to what the destination lists. `progress` and `announce` are
    called before many bytes are read from files and servers.

    Returns a report with all findings. Raises MkindexError if the index cannot be built or published. Every page
    in the destination is then either as it was before, or complete.
    """
    started = time.monotonic()
    with open_workspace(config, trusted, progress, announce) as opened:
        work, kept = keep_options(opened, growth) if growth else (opened, [])
        config = work.config
        policy = policy_of(config) if not growth else keep_variants(work, growth.policy or policy_of(config))
        epoch = source_date_epoch()
        now = int(time.time()) if epoch is None else epoch
        site = _site(config, policy)
        for attempt in count(1):
            opened_sources = (sources or open_sources)(config, work.web, work.connections)
            collected = _collect(work, opened_sources, examine or examine_all, growth, policy)
            governed = govern(collected.index, policy, now, explain=config.dry_run)
            index, locks, generation = governed.index, collected.locks, collected.generation
            findings = (*kept, *collected.findings, *governed.findings, *warnings(index, site))
            withheld = governed.removed_filenames
            refuse_empty_or_rejected(config, index, findings, withheld=len(withheld))
            lines = recorded_lines(config, site, governed.moments, is_grown=bool(growth))
            whole = replace(site, locks=(*kept_locks(work, locks, growth), *locks), generation=generation)
            people = _people(index, whole, work) if config.site else None
            sections = _sections(index, whole, lines, people)
            todo = plan(
                sections, work.destination, now=int(time.time()), grace=config.grace, overwrite=config.overwrite
            )
            removed = removed_filenames(todo, index)
            missing = [name for name in removed if name not in withheld]
            refuse_large_removal(config, work.destination, missing, findings)
            if not config.unyank:
                refuse_unyank(config, todo, index, work.destination.read, governed.unyanked_filenames)
            if not growth:
                findings = (*findings, *note_removal_from_grown(config, work.destination, missing))
            refuse_beyond_limits(config, index, sections, todo.retired_paths, findings)
            try:
                if people and not config.dry_run:
                    people.prepare(put.resource for put in todo.puts)
                applied = Applied() if config.dry_run else work.destination.apply(todo, before_commit)
                break
            except FileChanged as changed:
                if attempt >= attempts or "-" in config.sources:  # standard input can be read only once
                    raise
                work.cache.forget(changed.file.local.path)
        work.cache.replace_fingerprints(applied.links)
        if generation and not config.dry_run:
            _remember(config, generation, index)
        if config.archive and not config.dry_run:
            from mkindex.publish.archive import write_archive  # here, since it takes some milliseconds

            write_archive(work.destination.root, config.archive)
    return Report(
        config=config,
        index=index,
        policy=governed if config.policy else None,
        plan=todo,
        written=applied.written,
        removed_files=removed,
        findings=(*findings, *work.destination.notes, *remarks(config, site, todo)),
        seconds=time.monotonic() - started,
        dry_run=config.dry_run,
        locks=locks,
        new=None if config.previous is None else new_filenames(index, collected.previous or {}),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Collected:
    """What is to be published, before the policy is applied."""

    index: Index
    locks: "tuple[Lock, ...]"
    findings: tuple[Rejected | Note, ...]
    previous: Mapping[str, str] | None  # upload times of the --previous site, by sha256
    generation: "Generation | None"  # if that site is grown


def _collect(
    work: Workspace, sources: Sequence[Source], examine: Examine, growth: Growth | None, policy: "Policy | None"
) -> _Collected:
    """List and examine what the sources have, and assemble the index."""
    config, generation = work.config, None
    listed = sort_listing(selection(config).with_unused(list_sources(config, sources)))
    artifacts, _, statuses, locks, source_findings = listed
    refuse_without_lock(config, locks)
    for lock in locks:
        work.announce(Note(location=lock.name, text=lock.summary))
    refuse_links_to_replaced_site(config, artifacts, tuple(source_findings))
    files, file_findings = sort_outcomes(examine(artifacts, work), config)
    variant_of = policy.variants.of if policy and policy.variants else None
    # With growth, the times of what is published come with it.
    dating = replace(config, previous=None) if growth else config
    files, previous = dated(dating, files, web=work.web, executor=work.connections)
    findings = [*source_findings, *file_findings, *note_missing(dating, previous)]
    if growth:
        published = _list_site(work, growth) if config.previous else list_published(work, growth)
        previous, generation = {file.sha256: file.upload_time for file in published.files}, published.generation
        files, rejected = grow(published.files, files, replace=growth.replace, variant_of=variant_of)
        statuses = [*published.statuses, *statuses]
        findings += (*published.findings, *rejected)
    index, conflicts = assemble(files, statuses, prefer_first=config.prefer == "first", variant_of=variant_of)
    of_application = tuple(lock for lock in locks if not lock.for_builds)
    return _Collected(
        index=index,
        locks=of_application,
        findings=(*findings, *conflicts),
        previous=previous,
        generation=generation,
    )


def _list_site(work: Workspace, growth: Growth) -> Published:
    from mkindex.build.republishing import list_site  # here, since most builds need nothing that reads sites

    return list_site(work, growth)


def _remember(config: Config, generation: "Generation", index: Index) -> None:
    from mkindex.build.republishing import remember_generation

    remember_generation(config, generation.listing_index(index))


def _site(config: Config, policy: "Policy | None") -> Site:
    return Site(
        simple_path=config.simple_path,
        files_url=config.files_url,
        files_have_metadata=config.files_have_metadata,
        links=config.links,
        url=config.url,
        json_root=config.json_root,
        host=HOSTS[config.host] if config.host else Host(),
        variants=policy.variants if policy else None,
        templates=Templates(Path(config.templates) if config.templates else None),
    )


def _people(index: Index, site: Site, work: Workspace) -> "People":
    from mkindex.build.people import make_people  # here, since it takes time, and most builds have no such pages

    return make_people(index, site, work)


def _sections(index: Index, site: Site, lines: Sequence[bytes], people: "People | None") -> Iterable[Section]:
    """Return the sections to publish: an iterator, or all at once if the host limits the size of a tree."""
    refuse_same_paths(list_projects(index.projects, site.variants), site.variants, site.simple(""))
    sections = render(index, site, lines, people)
    return tuple(sections) if site.host.has_limits else sections
