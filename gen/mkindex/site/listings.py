"""Which projects each index of the tree lists: the main index, and those of variants."""

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from mkindex.errors import Note, NotPublished
from mkindex.model.index import Index, Project, UnreadProject, parse_version
from mkindex.simple.writer import VariantIndex
from mkindex.spool import by_name, in_order
from mkindex.text import and_more, plural

if TYPE_CHECKING:
    from mkindex.model.variants import Variants


class Listings(NamedTuple):
    """The projects that each index lists, by variant and name; None is the main index."""

    indexes: Mapping[str | None, Mapping[str, Project]]
    own: Mapping[str, Sequence[str]] = MappingProxyType({})  # those of which a variant has files of its own

    @property
    def variants(self) -> list[str]:
        return [name for name in self.indexes if name is not None]

    def of(self, variant: str | None) -> Index:
        """Return the index of a variant; None is the main index."""
        return Index(projects=in_order(self.indexes[variant]))


def list_projects(
    projects: Iterable[Project], variants: "Variants | None", simple: str = "", *, all_names: bool = False
) -> Listings:
    """Return what each index lists of these projects. Projects without variants are in all of them.

    `simple` is the path of the main index. With `all_names`, that also has the projects of which it can list no file.
    """
    if variants is None:
        return Listings(indexes={None: by_name(projects)})
    indexes: dict[str | None, dict[str, Project]] = {None: {}}
    parts = {project.name: (project, _split(project, variants)) for project in projects}
    names = sorted({name for _, own in parts.values() for name in own})
    indexes |= {name: {} for name in names}
    for project, own in parts.values():
        main = _main(project, variants, simple) if own else project
        if main and (main.file_count or main.status or all_names):
            indexes[None][project.name] = main
        for name in own or names:
            indexes[name][project.name] = own.get(name, project)
    own_projects = {name: [project for project, (_, own) in parts.items() if name in own] for name in names}
    return Listings(indexes=indexes, own=own_projects)


def _split(project: Project, variants: "Variants") -> Mapping[str, Project]:
    """Return what the index of each variant lists of a project."""
    if not isinstance(project, UnreadProject):
        return variants.split(project)
    if not project.outline.in_variants:
        return {}
    listed = {variants.variant_at(root): project.listed_at(root) for root in project.outline.keys}
    return {name: part for name, part in sorted(listed.items()) if name and part}


def _main(project: Project, variants: "Variants", simple: str) -> Project | None:
    """Return what the main index, at the path `simple`, lists of a project that has variants."""
    return project.listed_at(simple) if isinstance(project, UnreadProject) else variants.main(project)


def variant_indexes(listings: Listings, variants: "Variants | None", *, start: str) -> list[VariantIndex]:
    """Return the indexes of variants, with their paths relative to the one at the path `start`."""
    return [
        VariantIndex(name, f"{posixpath.relpath(variants.root(name), start or '.')}/", tuple(listings.own[name]))
        for name in listings.variants
        if variants
    ]


def has_labels(project: Project) -> bool:
    """Tell whether a version of a project has a label, as those of variants have: 1.0+cu128."""
    return any("+" in file.facts.version for file in project.files)


def variant_findings(projects: Sequence[Project], variants: "Variants | None") -> Iterator[Note]:
    """Yield what clients make of variants on the pages of the main index, and which files its pages cannot list.

    Without `variants`, only projects that have labels matter.
    """
    listings = list_projects(projects, variants)
    for project in filter(has_labels, in_order(listings.indexes[None])):
        labelled = [(file.facts.version, file.filename) for file in project.files if "+" in file.facts.version]
        from mkindex.model.variants import mixed_labels  # here, since most indexes have no variants

        if mixed := mixed_labels(labelled):
            public, labels = max(mixed.items(), key=lambda item: parse_version(item[0]))
            advice = "[variants] default selects one" if variants else "[variants] gives each an index of its own"
            yield Note(
                location=project.name,
                text=f"release {public} has variants on one page ({and_more(labels)}): clients install "
                f"{public}+{labels[-1]} on every machine. {advice} (docs/policy.md)",
                text_of_many="variants of a version on one page: clients install the last label on every machine. "
                f"{advice} (docs/policy.md)",
            )
    if variants is None:
        return
    if variants.default and variants.default not in listings.variants:
        text = (
            f"the default variant {variants.default} has no file, so the main index lists no variant. Correct default"
        )
        yield Note(location="[variants]", text=text)
    if not variants.default:
        unlisted = sum(len(project.files) for project in projects) - sum(
            len(one.files) for one in listings.of(None).projects
        )
        if unlisted:
            text = (
                f"the main index does not list {plural(unlisted, 'file')} whose filename several variants have. "
                "Set default to one of the variants"
            )
            yield Note(location="[variants]", text=text)


def refuse_same_paths(listings: Listings, variants: "Variants | None", simple: str) -> None:
    """Raise NotPublished if two pages of the tree would have the same path. `simple`: that of the main index."""
    if variants is None:
        return
    roots = {simple: listings.indexes[None]} | {
        variants.root(name): listings.indexes[name] for name in listings.variants
    }
    paths = {f"{root}{project}/" for root, projects in roots.items() for project in projects}
    if len(roots) < len(listings.indexes):
        raise NotPublished(f"nothing published: a variant and the main index have the same path, {simple!r}", ())
    for root in roots:
        if root in paths:
            name = root.rstrip("/").rpartition("/")[2]
            raise NotPublished(
                f"nothing published: the project {name} and the variant {name} would have the same page {root}. "
                "Give the variants another path in [variants]",
                (),
            )
