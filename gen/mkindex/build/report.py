"""The result of a build, and its findings about the index as a whole."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mkindex.config import Config
from mkindex.errors import Note, Rejected
from mkindex.model.files import File
from mkindex.model.index import Index, Project
from mkindex.policy.result import PolicyResult
from mkindex.publish.plan import Plan
from mkindex.site.layout import Site, names_provenance
from mkindex.site.listings import has_labels, variant_findings
from mkindex.spool import Totals, totals
from mkindex.text import plural, redact, without_quoted
from mkindex.tree.names import NO_JEKYLL

if TYPE_CHECKING:
    from mkindex.sources.locks.lock import Lock


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """The result of a build."""

    config: Config  # with the options of the index that was there, if the build kept it
    index: Index
    plan: Plan
    written: int  # resources: files, `.metadata` siblings and pages
    removed_files: tuple[str, ...]  # filenames in DEST that the index listed before; in a dry run, would be removed
    findings: tuple[Rejected | Note, ...]
    seconds: float
    dry_run: bool
    url: str | None = None  # where readers find the tree, if it is in a bucket
    locks: "tuple[Lock, ...]" = ()  # the lock files among the sources
    policy: PolicyResult | None = None  # what the policy did; None: there is none
    new: tuple[str, ...] | None = None  # filenames that the --previous site lacks; None: no previous site was given
    added: tuple[str, ...] | None = None  # filenames that an index which grows did not list; None: it does not grow
    consumed: tuple[str, ...] | None = None  # paths of sources that were deleted; None: without --consume

    @property
    def files(self) -> tuple[File, ...]:
        """All files that the index lists, by project and filename."""
        return tuple(file for project in self.index.projects for file in project.files)

    @property
    def totals(self) -> Totals:
        """The number of these files, and their size."""
        return totals(self.index.projects)

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


def note_missing(config: Config, previous: Mapping[str, str] | None) -> Iterator[Note]:
    """Yield a note if nothing is published at the --previous site."""
    if config.previous is not None and previous is None:
        yield Note(location=redact(config.previous), text="nothing is published there yet")


def new_filenames(index: Index, previous: Mapping[str, str]) -> tuple[str, ...]:
    """Return the filenames that the previous site lacks, or has with other bytes."""
    return tuple(file.filename for project in index.projects for file in project.files if file.sha256 not in previous)


def warnings(index: Index, site: Site) -> Iterator[Note]:
    """Yield what a person should know about the files of an index."""
    unnamed = 0
    labelled: list[Project] = []
    for project in index.projects:  # once: they may be on disk
        if has_labels(project):
            labelled.append(project)
        for artifact, facts, _, attested in project.files:
            if attested:
                unnamed += 1
            for text in facts.warning.splitlines() if facts.warning else ():
                yield Note(location=artifact.location, text=text, text_of_many=without_quoted(text))
    if unnamed and not names_provenance(site.url):
        # PEP 740: "The value … SHALL be a fully qualified URL", of a secure origin.
        advice = "--url must begin with https" if site.url else "give --url to name them, as https://…"
        verb = "has attestations" if unnamed == 1 else "have attestations"
        text = f"{plural(unnamed, 'file')} {verb} that pages can name only by an absolute https address: {advice}"
        yield Note(location="attestations", text=text)
    yield from variant_findings(index.projects if site.variants else labelled, site.variants)


def remarks(config: Config, site: Site, todo: Plan) -> Iterator[Note]:
    """Yield notes about the changes of a plan, and about foreign files that it leaves."""
    if site.host.notice:
        # The key of `.nojekyll` records that the notice of the host was given. A foreign file records nothing.
        written = (*(put.resource for put in todo.puts), *todo.updates)
        is_new = any(resource.path == NO_JEKYLL and resource.key == site.notice_key for resource in written)
        if is_new or NO_JEKYLL in todo.foreign_pages:
            yield Note(location=config.destination, text=site.host.notice)
    for template in site.templates.unused:
        yield Note(
            location=str(template),
            text="replaces no template of mkindex, so it is ignored unless another template names it. docs/site.md "
            "lists the names",
            text_of_many="replace no template of mkindex, so they are ignored unless other templates name them",
        )
    for filename in todo.replaced_filenames:
        text = "its contents have changed since it was published: existing lock files will reject the new hash"
        yield Note(location=filename, text=text)
    for entry in todo.edited:
        yield Note(
            location=entry.path,
            text="changed since mkindex wrote it, so it was not deleted. The index no longer has this page",
        )
    for path in todo.foreign_pages:
        yield Note(location=path, text="not written by mkindex, left as it is (--overwrite replaces it)")
