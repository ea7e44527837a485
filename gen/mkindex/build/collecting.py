"""The first half of a build: what the sources have, examined, dated and assembled to an index."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mkindex.build.attesting import attest, has_attestations
from mkindex.build.examining import sort_outcomes
from mkindex.build.growing import Growth, Published, apply_growth
from mkindex.build.listing import list_sources, refuse_without_lock, selection, sort_listing, take_early
from mkindex.build.report import note_missing
from mkindex.build.terms import Terms
from mkindex.build.unread import unread_projects, with_unread
from mkindex.build.workspace import Workspace
from mkindex.config import Config
from mkindex.errors import Note, Rejected
from mkindex.examine.upload_times import dated
from mkindex.model.files import Artifact, File, Link
from mkindex.model.index import Index, UnreadProject, assemble_groups, grow
from mkindex.model.wheel_variants import keep_consistent
from mkindex.publish.refusals import refuse_links_to_replaced_site
from mkindex.sources.source import Source
from mkindex.spool import FilesByProject, StoredProjects

if TYPE_CHECKING:
    from mkindex.sources.generation import Generation
    from mkindex.sources.locks.lock import Lock

Examine = Callable[[Sequence[Artifact | Link], Workspace], Iterable[File | Rejected | Note]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Collected:
    """What is to be published, before the policy is applied."""

    index: Index
    has_unread: bool  # whether projects of it were not read
    locks: "tuple[Lock, ...]"
    findings: tuple[Rejected | Note, ...]
    arrivals: tuple[File, ...]  # what the sources have, if an index grows
    previous: Mapping[str, str] | None  # upload times of the --previous site, by sha256
    generation: "Generation | None"  # if that site is grown


def collect(
    work: Workspace, sources: Sequence[Source], examine: Examine, growth: Growth | None, terms: Terms
) -> Collected:
    """List and examine what the sources have, and assemble the index."""
    config, policy, generation = work.config, terms.policy, None
    unread: Mapping[str, UnreadProject] = {}
    by_project, early_findings = FilesByProject(), list[Rejected | Note]()
    items = selection(config).with_unused(list_sources(config, sources))
    if not growth and _is_independent(config):

        def take(links: Sequence[Link]) -> None:
            refuse_links_to_replaced_site(config, links, ())
            taken, rejected = sort_outcomes(examine(links, work), config)
            by_project.extend(dated(config, taken, web=work.web, executor=work.connections)[0])
            by_project.spill()
            early_findings.extend(rejected)

        items = take_early(items, take)
    listed = sort_listing(items)
    artifacts, _, statuses, locks, source_findings, beside = listed
    refuse_without_lock(config, locks)
    for lock in locks:
        work.announce(Note(location=lock.name, text=lock.summary))
    refuse_links_to_replaced_site(config, artifacts, tuple(source_findings))
    files, file_findings = sort_outcomes(examine(artifacts, work), config)
    if has_attestations(files, beside, config):
        files, of_attestations = attest(files, beside, work)
        file_findings += of_attestations
    # Only directories can have different files of one name.
    variant_of = policy.variants.of if policy and policy.variants and policy.variants.by == "directory" else None
    # With growth, the times of what is published come with it.
    dating = config.replace(previous=None) if growth else config
    files, previous = dated(dating, files, web=work.web, executor=work.connections)
    findings = [*source_findings, *early_findings, *file_findings, *note_missing(dating, previous)]
    arrivals: tuple[File, ...] = ()
    if growth:
        arrivals = tuple(files)
        unread = unread_projects(work, growth, terms, arrivals, statuses)
        published = apply_growth(_list_index(work, growth, without=unread), growth, config)
        previous, generation = {file.sha256: file.upload_time for file in published.files}, published.generation
        files, rejected = grow(published.files, files, replace=growth.replace, variant_of=variant_of)
        statuses = [*published.statuses, *statuses]
        findings += (*published.findings, *rejected)
    if config.wheel_variants:
        files, inconsistent = keep_consistent(files, variant_of)
        findings += inconsistent
    by_project.extend(files)
    for marker in statuses:
        by_project.add_project(marker.project)
    prefer_first, groups = config.prefer == "first", by_project.groups()
    projects = assemble_groups(groups, statuses, findings, prefer_first=prefer_first, variant_of=variant_of)
    index = Index(projects=StoredProjects(projects) if by_project.is_on_disk else tuple(projects))
    return Collected(
        index=with_unread(index, unread),
        has_unread=bool(unread),
        locks=tuple(lock for lock in locks if not lock.for_builds),
        findings=tuple(findings),
        arrivals=arrivals,
        previous=previous,
        generation=generation,
    )


def _is_independent(config: Config) -> bool:
    """Tell whether what becomes of a link that needs no request depends on no other file."""
    is_listed = config.files_url is not None and config.remote != "mirror"
    return is_listed and config.previous is None and not config.require_attestations


def _list_index(work: Workspace, growth: Growth, *, without: Collection[str]) -> Published:
    from mkindex.build.requesting import list_index  # here, since most builds keep nothing of an index

    return list_index(work, first=growth.first, without=without)
