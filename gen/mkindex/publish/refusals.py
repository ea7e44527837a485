"""Reasons not to publish an index: what raises an error here leaves the destination as it was."""

import os
import shlex
from collections.abc import Sequence

from mkindex.config import Config
from mkindex.errors import Note, NotPublished, PruneRequired, Rejected, SourceError
from mkindex.model.index import Index
from mkindex.publish.layout import Layout
from mkindex.publish.plan import Destination, Plan, count_listed_files
from mkindex.sources.open import local_path
from mkindex.text import and_more, plural, printable, redact

_SMALL_INDEX = 10  # files: an index that has no more may lose any number of them

Findings = tuple[Rejected | Note, ...]


def refuse_source_as_destination(config: Config) -> None:
    """Raise SourceError for a source directory that is the destination, unless an index has been published there.

    Otherwise `mkindex wheels wheels` would write the site between the wheels, which is hardly ever intended.
    """
    if os.path.lexists(Layout(config.destination).manifest):
        return
    destination = os.path.realpath(config.destination)
    for spec in config.sources:
        path = local_path(spec)
        if path and os.path.isdir(path) and os.path.realpath(path) == destination:
            raise SourceError(
                f"source {printable(spec)} is also DEST: the pages of the index would be written between its files. "
                f"Give another directory as DEST, such as: mkindex {shlex.quote(printable(spec))} ./public"
            )


def refuse_empty_or_rejected(config: Config, index: Index, findings: Findings) -> None:
    """Raise NotPublished for an empty index without --allow-empty, and for a rejected file with --strict."""
    rejected = sum(isinstance(finding, Rejected) for finding in findings)
    if config.strict and rejected:
        raise NotPublished(f"nothing published: {plural(rejected, 'file')} rejected, and --strict is set", findings)
    if not index.projects and not config.allow_empty:
        why = f"no wheel or sdist in {', '.join(map(redact, config.sources))}"
        if config.include or config.exclude:
            why += " matches --include and --exclude"
        if rejected:
            why = f"all files were rejected ({rejected})"
        is_flat = not config.recursive and any(os.path.isdir(local_path(spec) or "") for spec in config.sources)
        hint = " (--recursive also reads subdirectories)" if is_flat else ""
        raise NotPublished(f"nothing to publish: {why}{hint}. Use --allow-empty to publish an empty index", findings)


def removed_filenames(plan: Plan, index: Index) -> tuple[str, ...]:
    """Return the names of the files in the destination that its pages name now, and that `index` does not list.

    A file with the same name and other contents is not removed, nor is one that the index lists elsewhere.
    """
    if not plan.unlisted_filenames:
        return ()
    listed = {file.filename for project in index.projects for file in project.files}
    return tuple(name for name in plan.unlisted_filenames if name not in listed)


def refuse_large_removal(config: Config, destination: Destination, removed: Sequence[str], findings: Findings) -> None:
    """Raise PruneRequired if more than half of an index of more than ten files would go without --prune."""
    if config.prune or 2 * len(removed) <= _SMALL_INDEX:
        return
    before = count_listed_files(destination)
    if before > _SMALL_INDEX and 2 * len(removed) > before:
        raise PruneRequired(
            f"nothing published: this build would remove {len(removed):,} of the {before:,} files that the index in "
            f"{printable(config.destination)} lists ({and_more(removed, 3)}). "
            "Check that the sources are complete. If these files are to go, use --prune "
            "(--prune --dry-run only prints what would be removed)",
            findings,
        )
