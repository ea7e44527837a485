"""The second half of a build: apply the policy, render, and plan. Nothing is changed yet."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from mkindex.build.collecting import Collected
from mkindex.build.growing import Growth, kept_locks, recorded_lines
from mkindex.build.policy import govern
from mkindex.build.report import warnings
from mkindex.build.reserving import refuse_unreserve, reserve_names
from mkindex.build.terms import Terms
from mkindex.build.variants import refuse_losing_variants
from mkindex.build.workspace import Workspace
from mkindex.errors import Note, Rejected
from mkindex.model.index import Index, Project
from mkindex.model.wheel_variants import keep_consistent_lists
from mkindex.policy.result import PolicyResult
from mkindex.publish.plan import Plan, is_grown, plan
from mkindex.publish.refusals import (
    note_removal_from_grown,
    read_withdrawn,
    refuse_empty_or_rejected,
    refuse_large_removal,
    refuse_lifting_quarantine,
    refuse_unyank,
    refuse_waiting_in_grown,
    removed_filenames,
)
from mkindex.site.layout import Site
from mkindex.site.limits import refuse_beyond_limits
from mkindex.site.render import render
from mkindex.site.resources import ListingPage, Section

if TYPE_CHECKING:
    from mkindex.site.legacy_json import LegacyJson
    from mkindex.site.people import People


@dataclass(frozen=True, kw_only=True, slots=True)
class Preparation:
    """Everything that a build is about to do."""

    plan: Plan
    index: Index
    policy_result: PolicyResult
    readers: "tuple[People | LegacyJson, ...]"  # the pages that need more of files than the index does
    removed: tuple[str, ...]  # filenames that the index lists no more
    findings: tuple[Rejected | Note, ...]


def prepare(work: Workspace, collected: Collected, terms: Terms, growth: Growth | None) -> Preparation:
    """Return what is to be published, and how. Raises MkindexError if it must not be."""
    config, destination, site = work.config, work.destination, terms.site
    # A published index lacks what the policy takes out, so that rules for it match nothing there.
    has_all = growth is None or (bool(config.sources) and not collected.has_unread)
    result = govern(collected.index, terms.policy, terms.now, explain=config.dry_run, has_all=has_all)
    index, withheld = result.index, result.removed_filenames
    findings = (*terms.notes, *collected.findings, *result.findings)
    if config.wheel_variants:
        index, inconsistent = keep_consistent_lists(index, site.variants.lists if site.variants else _whole)
        findings = (*findings, *inconsistent)
    findings = (*findings, *warnings(index, site))
    refuse_empty_or_rejected(config, index, findings, withheld=len(withheld), grows=growth is not None)
    with_names, notes = reserve_names(index, collected.index, config, destination)
    findings = (*findings, *notes)
    # `remove`, `yank` and `status` have no sources: they add nothing that the sources of a build could lack.
    grown = growth is not None and (bool(config.sources) or is_grown(destination))
    if grown:
        refuse_waiting_in_grown(result.waiting, collected.previous or {}, findings)
    lines = recorded_lines(config, site, result.moments, terms.recorded, is_grown=grown)
    locks = (*kept_locks(work, collected.locks, growth), *collected.locks)
    whole = replace(site, locks=locks, generation=collected.generation)
    people = _people(index, whole, work, growth) if config.site else None
    legacy = _legacy_json(index, whole, work) if config.legacy_json else None
    listing = _pyodide_json(whole) if config.pyodide_json else None
    sections = _sections(with_names, whole, lines, people, legacy=legacy, listing=listing)
    todo = plan(sections, destination, now=int(time.time()), grace=config.grace, overwrite=config.overwrite)
    if todo.has_changes:
        refuse_unreserve(config, destination)
        refuse_losing_variants(config, site.variants, destination)
    removed = removed_filenames(todo, index)
    missing = [name for name in removed if name not in withheld]
    refuse_large_removal(config, destination, missing, findings)
    if not config.unyank:
        withdrawn = read_withdrawn(todo, destination.read)
        refuse_unyank(config, index, withdrawn.files, result.unyanked_filenames)
        if not growth:
            refuse_lifting_quarantine(config, index, withdrawn.projects)
    if not growth:
        findings = (*findings, *note_removal_from_grown(config, destination, missing))
    refuse_beyond_limits(config, index, sections, todo.retired_paths, findings)
    readers = tuple(pages for pages in (people, legacy) if pages)
    return Preparation(
        plan=todo, index=index, policy_result=result, readers=readers, removed=removed, findings=findings
    )


def _whole(project: Project) -> tuple[Project]:
    """Return the only list of a project in an index without variants."""
    return (project,)


def _people(index: Index, site: Site, work: Workspace, growth: Growth | None) -> "People":
    from mkindex.build.people import make_people  # here, since it takes time, and most builds have no such pages

    return make_people(index, site, work, growth)


def _legacy_json(index: Index, site: Site, work: Workspace) -> "LegacyJson":
    from mkindex.build.people import make_legacy_json  # here, for the same reason

    return make_legacy_json(index, site, work)


def _pyodide_json(site: Site) -> ListingPage:
    from mkindex.site.pyodide_json import pyodide_page  # here, for the same reason

    return partial(pyodide_page, site)


def _sections(
    index: Index,
    site: Site,
    lines: Sequence[bytes],
    people: "People | None",
    *,
    legacy: "LegacyJson | None",
    listing: ListingPage | None,
) -> Iterable[Section]:
    """Return the sections to publish: an iterator, or all at once if the host limits the size of a tree."""
    sections = render(index, site, lines, people, legacy, listing=listing)
    return tuple(sections) if site.host.has_limits else sections
