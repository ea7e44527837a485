"""Render an index: the resources of the published tree, with keys, and their bytes when they are needed."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from operator import attrgetter
from typing import NamedTuple

from mkindex.closure.unlisted import unlisted
from mkindex.model.files import Artifact, File, Link
from mkindex.model.index import Index, Project, UnreadProject
from mkindex.model.wheel_variants import VariantsJson
from mkindex.simple.writer import (
    PageDocument,
    VariantIndex,
    encode_page,
    encode_root_page,
    make_file_entries,
    make_project_page,
    make_root_page,
    make_variants_entries,
)
from mkindex.site.keys import project_keys
from mkindex.site.layout import Site, quote_path
from mkindex.site.listings import Listings, list_projects, refuse_same_paths, variant_indexes
from mkindex.site.resources import (
    FileResource,
    LegacyPages,
    ListingPage,
    PageResource,
    PagesOfProjects,
    PeoplePages,
    ProjectPage,
    Resource,
    Section,
    SiblingResource,
    with_provenance,
    with_variants,
)
from mkindex.spool import StoredProjects, by_name, may_have_made_files, names_of
from mkindex.tree.manifest import ROOT_SECTION, Stage, digest, section_key
from mkindex.tree.names import (
    GENERATION_TXT,
    INDEX_HTML,
    INDEX_JSON,
    INSTALL_MD,
    LEGACY_DIRECTORY,
    LEGACY_JSON,
    LINKS_HTML,
    LOCKS_DIRECTORY,
    NO_JEKYLL,
    NOT_FOUND_HTML,
    file_path,
)


class _Root(NamedTuple):
    """An index in the tree."""

    path: str  # "", or with a slash at the end
    pages: Sequence[PagesOfProjects]  # that a project has there
    variant: str | None = None  # whose index it is; None: the main index
    has_reserved: bool = True  # whether names without files have pages there, too
    more: str = ""  # a digest of what its pages depend on besides

    def key(self, key: str) -> str:
        """Return the key of the pages that it has of a project. `key`: that of the API pages."""
        return digest(self.more, key) if self.more else key


# The keys of the pages of each project, by variant: None is the main index.
_Keys = Mapping[str | None, Mapping[str, str]]


class ProjectRenderer:
    """Renders the pages of projects, and keeps the last document: HTML and JSON, rendered in turn, share it."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._last: tuple[Project, int, PageDocument] | None = None

    def html(self, project: Project, *, depth: int) -> bytes:
        """Return the HTML page of a project, `depth` directories below the root."""
        page, legacy = self._document(project, depth), _legacy_metadata(project.files)
        templates = self._site.templates
        if templates.has_own("simple/project.html", "simple/link.html"):
            return templates.render("simple/project.html", page=page, legacy=legacy)
        from mkindex.simple.html_writer import encode_project_html  # here, since most builds render no page

        return encode_project_html(page, legacy)

    def json(self, project: Project, *, depth: int) -> bytes:
        """Return the JSON page of a project, `depth` directories below the root."""
        return encode_page(self._document(project, depth))

    def _document(self, project: Project, depth: int) -> PageDocument:
        if self._last is None or self._last[0] is not project or self._last[1] != depth:
            href = partial(self._site.href, depth=depth)
            document = make_project_page(
                project,
                href=href,
                core_metadata=self._site.core_metadata,
                provenance=self._site.provenance,
                variants_href=partial(_variants_href, depth=depth),
            )
            self._last = project, depth, document
        return self._last[2]


def _variants_href(document: VariantsJson, *, depth: int) -> str:
    """Return the address of a file that mkindex makes, which is in the tree wherever the wheels are."""
    return f"{'../' * depth}{quote_path(file_path(document.sha256, document.filename))}"


def render(
    index: Index,
    site: Site,
    lines: Sequence[bytes] = (),
    people: PeoplePages | None = None,
    legacy: LegacyPages | None = None,
    *,
    listing: ListingPage | None = None,
) -> Iterator[Section]:
    """Yield the sections of the tree, ordered by name. Resources are made when they are iterated over.

    `lines`: what the manifest records about the whole tree. Raises NotPublished if two pages would have the same path.
    """
    listings = list_projects(index.projects, site.variants, site.simple(""), all_names=site.reserves_names)
    refuse_same_paths(listings, site.variants, site.simple(""))
    keys = {variant: project_keys(projects, site) for variant, projects in listings.indexes.items()}
    projects = by_name(index.projects) if site.variants else listings.indexes[None]
    # Only pages for people are of all variants.
    all_keys = project_keys(projects, site) if site.variants and people else keys[None]
    pages = [*_root_pages(index, site, listings, keys, people.root_pages(all_keys) if people else None)]
    if listing:
        pages.append(listing(listings.of(None), keys[None]))
    pages.sort(key=attrgetter("stage", "path"))
    key = section_key((page.path, page.key) for page in pages)
    yield Section(ROOT_SECTION, key, _KnownSection(pages, lines))
    in_memory = () if isinstance(index.projects, StoredProjects) else index.projects
    unread = {project.name: project for project in in_memory if isinstance(project, UnreadProject)}
    source = _ProjectSections(site, projects, keys, _roots(site, listings, legacy), people, all_keys)
    for name in projects:
        if name in unread:
            yield Section(name, unread[name].section_key, _UNREAD)
        else:
            yield Section(name, source.key(name), source)


class _KnownSection(NamedTuple):
    """The resources of a section that are known already: those of the pages that belong to no project."""

    pages: Sequence[Resource]
    recorded: Sequence[bytes]

    def resources(self, _name: str, /) -> Sequence[Resource]:
        return self.pages

    def lines(self, _name: str, /) -> Sequence[bytes]:
        return self.recorded


_UNREAD = _KnownSection((), ())  # of a project, which stays as it is


@dataclass(frozen=True)
class _ProjectSections:
    """Makes what belongs to a project. Projects may be on disk, so one is read only if it must be."""

    site: Site
    projects: Mapping[str, Project]
    keys: _Keys
    roots: Sequence[_Root]
    people: PeoplePages | None
    all_keys: Mapping[str, str]  # of the API pages with all variants, for people's pages

    @cached_property
    def _knows_reserved(self) -> bool:
        return self.people is None and all(root.has_reserved for root in self.roots)

    @cached_property
    def _may_have_made_files(self) -> bool:
        return may_have_made_files(self.projects)

    def key(self, name: str) -> str:
        """Return the key of the section of a project."""
        pages = ((page.path, page.key) for page in self._api_pages(name))
        if self.people and not self._is_reserved(name):
            return section_key(sorted((*pages, *self.people.project_keys(self.projects[name], self.all_keys[name]))))
        return section_key(pages)

    def resources(self, name: str, /) -> Iterable[Resource]:
        """Return the resources of a project."""
        own = (*self._files(name), *self._api_pages(name))
        if self.people and not self._is_reserved(name):
            made = self.people.project_pages(self.projects[name], self.all_keys[name])
            return sorted((*own, *made), key=attrgetter("stage", "path"))
        return own

    def lines(self, name: str, /) -> Sequence[bytes]:
        """Return what the manifest records about a project."""
        return _record(self.projects[name], self.site)

    def _is_reserved(self, name: str) -> bool:
        return not self._knows_reserved and self.projects[name].is_reserved

    def _api_pages(self, name: str) -> Iterator[ProjectPage]:
        """Yield the pages of a project in each index that lists it."""
        is_reserved = self._is_reserved(name)
        for root in self.roots:
            key = self.keys[root.variant].get(name)
            if key is not None and (root.has_reserved or not is_reserved):
                yield from (ProjectPage(name, pages, root.key(key)) for pages in root.pages)

    def _files(self, name: str) -> Iterator[Resource]:
        """Yield the resources that pages of a project name."""
        if self.site.files_url is not None and not self._may_have_made_files:
            return
        project = self.projects[name]
        listed = (pages.projects[name] for root in self.roots for pages in root.pages[:1] if name in pages.projects)
        if self.site.files_url is not None:
            yield from with_provenance(with_variants((), project, listed), project)
            return
        # Variants can share a file.
        placed = {(file.sha256, file.filename): file for file in project.files if isinstance(file.artifact, Artifact)}
        files = [placed[position] for position in sorted(placed)]  # the order of their paths
        yield from with_provenance(with_variants(map(FileResource.of, files), project, listed), project)
        # Sorted again: "a.whl.metadata" comes after "a.whl.b.whl.metadata", but "a.whl" comes before "a.whl.b.whl".
        yield from sorted((SiblingResource.of(file) for file in files if file.core_metadata), key=attrgetter("path"))


def _record(project: Project, site: Site) -> Sequence[bytes]:
    """Return what the manifest records about a project, besides its paths."""
    from mkindex.sources.recorded import encode  # here, since most builds write no manifest

    return encode(project, site.address, site.core_metadata)


def _roots(site: Site, listings: Listings, legacy: LegacyPages | None) -> list[_Root]:
    """Return the indexes of the tree, ordered by path."""
    renderer = ProjectRenderer(site)

    def pages(root: str, variant: str | None, *kinds: tuple[str, Callable[..., bytes]]) -> tuple[PagesOfProjects, ...]:
        projects = listings.indexes[variant]
        return tuple(PagesOfProjects(root, filename, render_page, projects) for filename, render_page in kinds)

    def both(root: str, variant: str | None = None) -> _Root:
        kinds = ((INDEX_HTML, renderer.html), (INDEX_JSON, renderer.json))
        return _Root(root, pages(root, variant, *kinds), variant)

    roots = [both(site.simple(""))]
    if site.json_root is not None:
        path = f"{site.json_root}/"
        roots.append(_Root(path, pages(path, None, (INDEX_HTML, renderer.json))))
    if site.variants:
        roots += [both(site.variants.root(variant), variant) for variant in listings.variants]
    if legacy:
        path = f"{LEGACY_DIRECTORY}/"
        kinds = pages(path, None, (LEGACY_JSON, legacy.page))
        roots.append(_Root(path, kinds, has_reserved=False, more=legacy.key))
    return sorted(roots, key=attrgetter("path"))


def _legacy_metadata(files: Iterable[File]) -> frozenset[str]:
    """Return the filenames for which a page also has the attribute that pip 22.3 to 23.1 read (PEP 658).

    Those versions compare METADATA's Name with the requested name as it is spelled, and fail if they differ.
    """
    return frozenset(file.filename for file in files if not file.metadata_name)


def _root_pages(
    index: Index, site: Site, listings: Listings, keys: _Keys, people: Iterable[PageResource] | None
) -> Iterator[PageResource]:
    """Yield the pages that name every project or file, and those that name none."""
    main = listings.of(None)
    names = digest(site.key, *keys[None])
    everything = digest(site.key, *keys[None].values())
    missing = unlisted(index)
    render_template = site.templates.render
    variants = variant_indexes(listings, site.variants, start="")

    def render_landing() -> bytes:
        projects = main.projects
        if site.reserves_names:
            projects = [project for project in projects if not project.is_reserved]
        return render_template(
            "index.html",
            projects=projects,
            simple=site.simple(""),
            unlisted=str(missing),
            variants={variant.name: variant.path for variant in variants},
        )

    def render_links() -> bytes:
        files = [file for project in main.projects for release in project.offered_releases() for file in release.files]
        href = partial(site.href, depth=0)
        entries = make_file_entries(files, href=href, core_metadata=site.core_metadata, provenance=site.provenance)
        releases = (release for project in main.projects for release in project.offered_releases())
        entries += make_variants_entries(releases, partial(_variants_href, depth=0))
        return render_template("links.html", files=entries, legacy=_legacy_metadata(files))

    page = partial(PageResource, ROOT_SECTION, Stage.ROOT)
    beside = variant_indexes(listings, site.variants, start=site.simple_path)
    yield from _pages_of_root(site, site.simple(""), main, names, beside)
    for variant in variants:
        listed = digest(site.key, *keys[variant.name])
        yield from _pages_of_root(site, variant.path, listings.of(variant.name), listed)
    yield page(NOT_FOUND_HTML, site.key, partial(render_template, "404.html"), optional=True)
    yield page(NO_JEKYLL, site.notice_key, bytes, optional=True)
    if people is not None:
        yield from people
    elif site.simple_path:
        key = digest(everything, *missing.dependents, *missing.names, *(variant.path for variant in variants))
        yield page(INDEX_HTML, key, render_landing, optional=True)
    if site.links:
        yield page(LINKS_HTML, everything, render_links)
    if site.json_root is not None:
        yield page(f"{site.json_root}/{INDEX_HTML}", names, lambda: encode_root_page(names_of(main.projects)))
    roots = {
        "simple": site.simple(""),
        "json_root": None if site.json_root is None else f"{site.json_root}/",
        "legacy_json": f"{LEGACY_DIRECTORY}/" if site.legacy_json else None,
    }
    yield from _lock_pages(index, site, everything)
    if site.generation:
        generation = site.generation.text(index, partial(_record, site=site))
        yield page(GENERATION_TXT, digest(generation), lambda: generation)
    for path, template in site.host.written_files.items():
        paths = [variant.path for variant in variants]
        key = digest(site.key, template, *roots.values(), *paths)
        yield page(path, key, partial(render_template, template, variants=paths, **roots))


def _lock_pages(index: Index, site: Site, everything: str) -> Iterator[PageResource]:
    """Yield the lock files, and how to install from them."""
    if not site.locks:
        return
    # Here, since most builds have no lock file.
    from mkindex.clients.bundle import Bundle, installation_text
    from mkindex.site.locks import base_of, lock_for_tree

    page = partial(PageResource, ROOT_SECTION, Stage.ROOT)
    for lock in site.locks:
        key = digest(everything, lock.text, site.url, site.simple_path)
        render_lock = partial(lock_for_tree, lock, index, url=site.url, simple_path=site.simple_path)
        yield page(f"{LOCKS_DIRECTORY}/{lock.name}", key, render_lock)
    files = [file for project in index.projects for file in project.files]
    bundle = Bundle(
        base=base_of(site.url),
        is_public=site.url is not None,
        simple_path=site.simple_path,
        locks=[(lock.name, lock.kind) for lock in site.locks],
        has_sdists=any(not file.filename.endswith(".whl") for file in files),
        has_links=any(isinstance(file.artifact, Link) for file in files),
    )
    text = installation_text(bundle)
    yield page(f"{LOCKS_DIRECTORY}/{INSTALL_MD}", digest(text), text.encode)


def _pages_of_root(
    site: Site, root: str, index: Index, digest_of_names: str, variants: Sequence[VariantIndex] = ()
) -> Iterator[PageResource]:
    """Yield the two pages that name all projects of one index. Both depend on what `digest_of_names` is a digest of.

    The JSON page also names `variants`, whose paths are relative to this root, for `mkindex client`.
    """
    key = digest(digest_of_names, *variants) if variants else digest_of_names

    def render_html() -> bytes:
        names = names_of(index.projects)
        if site.templates.has_own("simple/root.html"):
            return site.templates.render("simple/root.html", page=make_root_page(names))
        from mkindex.simple.html_writer import encode_root_html  # here, for the same reason

        return encode_root_html(names)

    def render_json() -> bytes:
        return encode_root_page(names_of(index.projects), variants)

    page = partial(PageResource, ROOT_SECTION, Stage.ROOT)
    yield page(f"{root}{INDEX_HTML}", digest_of_names, render_html)
    yield page(f"{root}{INDEX_JSON}", key, render_json)
