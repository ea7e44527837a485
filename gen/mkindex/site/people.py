"""The pages for people: their keys, and their bytes when they are needed."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property, partial
from operator import attrgetter

from mkindex.closure.unlisted import unlisted
from mkindex.examine.contents import ContentsReader
from mkindex.model.files import File
from mkindex.model.index import Index, Project
from mkindex.site.files_view import Addresses, choices
from mkindex.site.graph import Graph
from mkindex.site.install import instructions
from mkindex.site.layout import Site
from mkindex.site.library import Library
from mkindex.site.project_view import newest_files, project_view
from mkindex.site.resources import PageResource, Resource
from mkindex.site.search import search_paths
from mkindex.site.settings import Settings
from mkindex.site.start import StartPages
from mkindex.site.views import Contents, NewRelease, ProjectView, SiteView
from mkindex.text import format_size
from mkindex.tree.manifest import ROOT_SECTION, Stage, digest
from mkindex.tree.names import (
    ASSETS_DIRECTORY,
    BADGE_SVG,
    CONTENTS_HTML,
    FEED_XML,
    INDEX_HTML,
    LICENSES_HTML,
    METADATA_SUFFIX,
    PROJECT_DIRECTORY,
    RELEASES_HTML,
)

_DEPTH = 2  # of the directory of a project's pages below the root
_MAX_ENTRIES = 5_000  # files of wheels that a page lists
_ASSETS = ("icon.svg", "site.css", "site.js")


class People:
    """The pages for people of an index. What they are made from is read when a page needs it."""

    def __init__(
        self, index: Index, site: Site, settings: Settings, library: Library, contents: ContentsReader
    ) -> None:
        self._index = index
        self._site = site
        self._settings = settings
        self._library = library
        self._reader = contents
        self._missing = unlisted(index)
        self._incomplete = frozenset(self._missing.dependents)
        self._graph = Graph({}, {})
        self._last: tuple[Project, ProjectView] | None = None

    # --- keys -------------------------------------------------------------------------------------------------------

    @cached_property
    def _key(self) -> str:
        """A digest of everything that all pages for people depend on."""
        return digest(self._site.key, self._settings.key, self._library.versions, *self._view.search)

    def root_pages(self, keys: Mapping[str, str]) -> Iterator[PageResource]:
        """Yield the pages that belong to no project. `keys`: those of the API pages of each project."""
        self._graph = self._library.graph((f"{name} {key}" for name, key in keys.items()))
        unknown = (*self._missing.dependents, *self._missing.names, *sorted(self._library.unread))
        everything = digest(self._key, *self._view.variants, *keys, *keys.values(), *unknown)
        start = StartPages(self._index, self._library, self._view, self._render)
        page = partial(PageResource, ROOT_SECTION, Stage.ROOT)
        for name in _ASSETS:
            path = f"{ASSETS_DIRECTORY}/{name}"
            yield PageResource(ROOT_SECTION, Stage.PROJECT, path, self._key, partial(self._render, f"site/{name}"))
        if self._settings.logo:
            path, content = self._settings.logo
            yield PageResource(ROOT_SECTION, Stage.PROJECT, path, self._settings.key, lambda: content)
        for number, path in enumerate(self._view.search):
            yield page(path, everything, partial(start.search, number))
        yield page(INDEX_HTML, everything, partial(start.index, self._missing, everything[:8]), optional=True)
        yield page(LICENSES_HTML, everything, start.licenses)
        if self._settings.url:
            yield page(FEED_XML, everything, start.feed)

    def project_keys(self, project: Project, key: str) -> Iterator[tuple[str, str]]:
        """Yield path and key of the pages of a project, by path. `key`: that of its API pages."""
        own = digest(
            self._key,
            key,
            self._graph.requires.get(project.name),
            self._graph.dependents.get(project.name),
            self._variants_of(project),
            project.name in self._incomplete,
            project.name in self._library.unread,
        )
        for name in self._pages:
            yield f"{PROJECT_DIRECTORY}/{project.name}/{name}", own

    def project_pages(self, project: Project, key: str) -> Iterator[PageResource]:
        """Yield the pages of a project, by path."""
        for (path, own), render_page in zip(self.project_keys(project, key), self._pages.values(), strict=True):
            yield PageResource(project.name, Stage.PROJECT, path, own, partial(render_page, project))

    def prepare(self, resources: Iterable[Resource]) -> None:
        """Render the READMEs that these resources show now, several at a time."""
        names = {
            resource.section
            for resource in resources
            if isinstance(resource, PageResource) and resource.path == _path(resource.section, INDEX_HTML)
        }
        if names:
            self._library.prepare(project for project in self._index.projects if project.name in names)

    # --- pages ------------------------------------------------------------------------------------------------------

    @cached_property
    def _pages(self) -> Mapping[str, Callable[[Project], bytes]]:
        """The pages of each project, by name."""
        pages: dict[str, Callable[[Project], bytes]] = {BADGE_SVG: self._badge, CONTENTS_HTML: self._contents}
        if self._settings.url:
            pages[FEED_XML] = self._feed
        return pages | {INDEX_HTML: self._project, RELEASES_HTML: self._releases}

    @cached_property
    def _view(self) -> SiteView:
        settings = self._settings
        return SiteView(
            title=settings.title,
            description=settings.description,
            footer=settings.footer,
            color=settings.color,
            logo=settings.logo[0] if settings.logo else "",
            url=settings.url,
            simple=self._site.simple(""),
            version=digest(self._site.key, settings.key)[:8],
            readme_images=settings.readme_images,
            renders_readmes=self._library.renders_readmes,
            search=search_paths(len(self._index.projects)),
            variants=tuple(sorted({one for project in self._index.projects for one in self._variants_of(project)})),
        )

    def _render(self, template: str, *, depth: int = 0, **values: object) -> bytes:
        templates = self._site.templates
        return templates.render(template, site=self._view, words=templates.words, root="../" * depth, **values)

    def _project(self, project: Project) -> bytes:
        view = self._project_view(project)
        return self._render(
            "site/project.html",
            depth=_DEPTH,
            project=view,
            choices=choices(view.newest.files if view.newest else ()),
            install=instructions(
                project.name,
                url=self._settings.url,
                simple=self._view.simple,
                is_complete=project.name not in self._incomplete,
            ),
        )

    def _releases(self, project: Project) -> bytes:
        view = self._project_view(project)
        files = [file for release in view.releases for file in release.files]
        return self._render("site/releases.html", depth=_DEPTH, project=view, choices=choices(files))

    def _contents(self, project: Project) -> bytes:
        return self._render(
            "site/contents.html",
            depth=_DEPTH,
            project=self._project_view(project),
            wheels=list(_contents(newest_files(project), self._reader)),
        )

    def _feed(self, project: Project) -> bytes:
        view = self._project_view(project)
        releases = [
            NewRelease(
                name=view.name,
                version=release.version,
                anchor=release.anchor,
                date=release.date,
                time=release.time,
                summary=view.summary,
            )
            for release in sorted(view.releases, key=attrgetter("time"), reverse=True)
            if release.time
        ]
        path = _path(project.name, "")
        return self._render("site/feed.xml", title=view.shown, path=path, page=path, releases=releases)

    def _badge(self, project: Project) -> bytes:
        name, version = project.name, project.newest()
        return self._render(
            "site/badge.svg", depth=_DEPTH, name=name, version=version, widths=_badge_widths(name, version)
        )

    def _project_view(self, project: Project) -> ProjectView:
        """Return what pages show of a project. The last one is kept: all of its pages are rendered in turn."""
        if self._last is None or self._last[0] is not project:
            details = self._library.details.get(project.name)
            site = self._site
            addresses = Addresses(
                file=partial(site.href, depth=_DEPTH),
                metadata=self._metadata_address,
                provenance=partial(site.provenance_href, depth=_DEPTH),
                variant=self._variant_of,
            )
            view = project_view(
                project,
                details,
                self._graph,
                addresses,
                readme=self._library.readme(project),
                feed=FEED_XML if self._settings.url else "",
            )
            self._last = project, replace(view, variants=self._variants_of(project))
        return self._last[1]

    def _variants_of(self, project: Project) -> tuple[tuple[str, str], ...]:
        """Return name and path of the index of each variant that a project has files of."""
        variants = self._site.variants
        return tuple((name, variants.root(name)) for name in variants.split(project)) if variants else ()

    def _variant_of(self, file: File) -> str:
        return self._site.variants.of(file) if self._site.variants else ""

    def _metadata_address(self, file: File) -> str:
        is_published = self._site.core_metadata(file)
        return f"{self._site.href(file, depth=_DEPTH)}{METADATA_SUFFIX}" if is_published else ""


def _path(project: str, name: str) -> str:
    return f"{PROJECT_DIRECTORY}/{project}/{name}"


def _contents(files: Iterable[File], reader: ContentsReader) -> Iterator[Contents]:
    """Yield what is inside of each wheel, all together no more than a page can have."""
    left = _MAX_ENTRIES
    wheels = sorted((file for file in files if file.filename.endswith(".whl")), key=lambda file: file.filename)
    for file, entries in zip(wheels, reader.list_each(wheels), strict=True):
        if entries:
            shown = entries[:left]
            left -= len(shown)
            yield Contents(
                filename=file.filename,
                entries=tuple((path, format_size(size)) for path, size in shown),
                more=len(entries) - len(shown),
                size=format_size(sum(size for _, size in entries)),
            )


_NARROW, _WIDE = frozenset("ijlft.-!1"), frozenset("mw")


def _badge_widths(*texts: str) -> tuple[int, ...]:
    """Return how wide texts are, about, in pixels of Verdana 11."""
    return tuple(round(sum(4.5 if c in _NARROW else 10 if c in _WIDE else 7 for c in text)) + 12 for text in texts)
