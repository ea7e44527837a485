"""Which projects of a large index in a bucket need not be read when it grows: those that stay as they are."""

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter

from mkindex.build.growing import Growth
from mkindex.build.terms import Terms
from mkindex.build.workspace import Workspace
from mkindex.hosts.buckets import is_bucket
from mkindex.model.files import File
from mkindex.model.index import Index, StatusMarker, UnreadProject
from mkindex.tree.manifest import ROOT_SECTION
from mkindex.tree.names import LOCKS_DIRECTORY

# Options of pages that name each file, or of what depends on all files.
_READ_ALL = ("site", "links", "legacy_json", "pyodide_json", "reserve", "wheel_variants", "templates")


def unread_projects(
    work: Workspace, growth: Growth, terms: Terms, arrivals: Sequence[File], statuses: Iterable[StatusMarker]
) -> Mapping[str, UnreadProject]:
    """Return the projects that a run neither changes nor reads, by name; none if it must read all.

    They stay as they are, since pages of a project depend on its files, the policy and the options, and only another
    project has other files. `arrivals` and `statuses` are what the sources have.
    """
    named = growth.named
    if named is None or not is_bucket(work.config.destination) or _reads_all(work, terms):
        return {}
    from mkindex.publish.bucket import BucketDestination

    assert isinstance(work.destination, BucketDestination)
    outlines = work.destination.outlines()
    changed = {*named, *(file.project for file in arrivals), *(marker.project for marker in statuses)}
    unread = {name: project for name, project in outlines.items() if name not in changed}
    return {} if _may_change_variants(growth, terms, arrivals, unread.values()) else unread


def with_unread(index: Index, unread: Mapping[str, UnreadProject]) -> Index:
    """Return an index with these projects, too."""
    if not unread:
        return index
    return Index(projects=tuple(sorted((*index.projects, *unread.values()), key=attrgetter("name"))))


def _reads_all(work: Workspace, terms: Terms) -> bool:
    """Tell whether all files must be known to make the pages of the whole index, or to apply the policy."""
    config, destination = work.config, work.destination
    if any(getattr(config, name) for name in _READ_ALL) or config.upload_time == "none" or terms.site.host.has_limits:
        return True
    if (terms.policy and terms.policy.limits) or not {*terms.recorded} <= {*destination.root_lines()}:
        return True
    root = next((section for section in destination.sections() if section.name == ROOT_SECTION), None)
    return root is None or any(entry.path.startswith(f"{LOCKS_DIRECTORY}/") for entry, _ in root.entries())


def _may_change_variants(
    growth: Growth, terms: Terms, arrivals: Iterable[File], unread: Iterable[UnreadProject]
) -> bool:
    """Tell whether there may be other variants afterwards: each lists all projects that have none of their own."""
    policy, variants = terms.policy, terms.site.variants
    plain = next((project for project in unread if not project.outline.in_variants), None)
    if not (policy and variants and plain):
        return False
    published = {variants.variant_at(root) for root in plain.outline.keys}
    arriving = {variants.of(file) for file in arrivals} - {""}
    return bool(growth.projects or policy.keep or policy.only or arriving - published)
