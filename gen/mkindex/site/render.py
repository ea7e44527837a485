"""Index to resources: which paths there are, what each is made of, and, only when somebody asks, its bytes."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from operator import attrgetter
from typing import ClassVar, NamedTuple
from urllib.parse import quote

from packaging.utils import NormalizedName

from mkindex import __version__
from mkindex.hosts.table import Host
from mkindex.model.files import Artifact, File, Link
from mkindex.model.index import Index, Project
from mkindex.simple import writer as write
from mkindex.site.templates import Templates
from mkindex.tree.manifest import ROOT_SECTION, Stage, digest, section_key
from mkindex.tree.names import INDEX_HTML, INDEX_JSON, file_path


@dataclass(frozen=True, slots=True)
class FileResource:
    """A file in the published tree, at a path made of its own hash: it never changes there."""

    file: File
    stage: ClassVar = Stage.FILE

    @property
    def section(self) -> str:
        return self.file.project

    @property
    def path(self) -> str:
        return file_path(self.file.sha256, self.file.filename)

    @property
    def key(self) -> str:
        return self.file.sha256


@dataclass(frozen=True, slots=True)
class SiblingResource:
    """The core metadata beside a placed wheel (PEP 658): the very bytes of its METADATA."""

    file: File
    stage: ClassVar = Stage.METADATA

    @property
    def section(self) -> str:
        return self.file.project

    @property
    def path(self) -> str:
        return f"{file_path(self.file.sha256, self.file.filename)}.metadata"

    @property
    def key(self) -> str:
        return self.file.core_metadata or ""


@dataclass(frozen=True, slots=True)
class PageResource:
    """A page: `key` is a digest of all that it is made from, so that an unchanged one is known without rendering."""

    section: str
    stage: Stage
    path: str
    key: str
    render: Callable[[], bytes]
    optional: bool = False  # clients do without it: where somebody has a page of their own, that stays


Resource = FileResource | SiblingResource | PageResource

# Where a root is, with its slash, and which pages a project has there.
_Root = tuple[str, list[tuple[str, Callable[..., bytes]]]]


class Section(NamedTuple):
    """All resources of a project, or the pages that name every project."""

    name: str  # of the project, or ALL
    key: str  # a digest of all resources, for which none has to be made
    resources: Callable[[], Iterable[Resource]]  # ordered by stage and path


@dataclass(frozen=True, kw_only=True)
class Site:
    """What the published tree looks like; the only place where addresses are joined and quoted."""

    simple_path: str = "simple"  # where the Simple API is, below the root; "": it is the root
    files_url: str | None = None  # where files are served from, if they are not placed in the tree
    files_have_metadata: bool = False  # whether `.metadata` siblings are there, too
    links: bool = False  # whether there is a page with every file
    json_root: str | None = None  # where a second root is, of JSON pages named as a host's index documents are
    host: Host = field(default_factory=Host)  # where the tree goes
    templates: Templates = field(default_factory=Templates)
    _made: list[tuple[Project, int, write.PageDocument]] = field(
        default_factory=list, init=False, repr=False, compare=False
    )

    def simple(self, *parts: str) -> str:
        """Return the path of something in the Simple API."""
        return "/".join([self.simple_path, *parts] if self.simple_path else parts)

    def href(self, file: File, *, depth: int) -> str:
        """Return the address of a file as seen from a page `depth` directories below the root."""
        if isinstance(file.artifact, Link):
            return file.artifact.url
        if self.files_url is not None:
            return f"{self.files_url.rstrip('/')}/{_quoted(file.artifact.relative)}"
        # Of the path of a placed file only its last part can need quoting.
        return f"{'../' * depth}{file_path(file.sha256, '')}{_quoted(file.filename)}"

    def core_metadata(self, file: File) -> str | None:
        """Return the sha256 of the file's `.metadata` sibling if there is one beside the file."""
        # That of a Link is there: else it would have none.
        is_there = self.files_url is None or self.files_have_metadata or isinstance(file.artifact, Link)
        return file.core_metadata if is_there else None

    def project_page(self, project: Project, *, depth: int) -> write.PageDocument:
        """Return what the page of a project says that lies `depth` directories below the root.

        The last one is kept: HTML and JSON, made in turn, say the same.
        """
        if not self._made or self._made[0][0] is not project or self._made[0][1] != depth:
            page = write.project_page(project, href=partial(self.href, depth=depth), core_metadata=self.core_metadata)
            self._made[:] = [(project, depth, page)]
        return self._made[0][2]

    @property
    def notice_key(self) -> str:
        """The key of `.nojekyll`: a digest of what whoever publishes was told. If it is new, that is to be told."""
        return digest(self.host.notice) if self.host.notice else "nothing"

    @cached_property
    def key(self) -> str:
        """A digest of all that every page depends on, but for its own path."""
        return digest(
            __version__, self.simple_path, self.files_url, self.files_have_metadata, self.links, self.templates.digest
        )


def _quoted(path: str) -> str:
    # A literal "+" is a space to S3; pip quotes what it requests, uv sends what the page says.
    return "/".join(quote(segment, safe="", errors="surrogateescape") for segment in path.split("/"))


def render(index: Index, site: Site) -> Iterator[Section]:
    """Yield every resource of the tree, in sections, by name."""
    keys = {project.name: _project_key(project, site) for project in index.projects}
    pages = sorted(_root_pages(index, site, keys), key=attrgetter("path"))
    yield Section(ROOT_SECTION, section_key((page.path, page.key) for page in pages), partial(iter, pages))
    roots = _roots(site)
    for project in index.projects:
        key = keys[project.name]
        said = ((f"{root}{project.name}/{name}", key) for root, renderers in roots for name, _ in renderers)
        yield Section(project.name, section_key(said), partial(_project_resources, project, key, roots, site))


def _project_resources(project: Project, key: str, roots: Iterable[_Root], site: Site) -> Iterator[Resource]:
    if site.files_url is None:
        placed = (file for file in project.files if isinstance(file.artifact, Artifact))
        # As paths are ordered, which begin with the hash.
        files = sorted(placed, key=attrgetter("sha256", "filename"))
        yield from map(FileResource, files)
        # One name may be the beginning of another.
        yield from sorted((SiblingResource(file) for file in files if file.core_metadata), key=attrgetter("path"))
    for root, renderers in roots:
        depth = len(root.split("/"))
        for name, renderer in renderers:
            render = partial(renderer, project, site, depth=depth)
            yield PageResource(project.name, Stage.PROJECT, f"{root}{project.name}/{name}", key, render)


def _roots(site: Site) -> list[_Root]:
    """Return the roots, as paths are ordered."""
    roots: list[_Root] = [(site.simple(""), [(INDEX_HTML, _project_html), (INDEX_JSON, _project_json)])]
    if site.json_root is not None:
        roots.append((f"{site.json_root}/", [(INDEX_HTML, _project_json)]))
    return sorted(roots)


def _project_key(project: Project, site: Site) -> str:
    said = [site.key, str(project.status)]
    # Taken apart at once: to ask each file for a dozen attributes takes longer.
    for (
        artifact,
        filename,
        _,
        version,
        sha256,
        _,
        python,
        metadata,
        _,
        time,
        _,
        name,
        yanked,
        provenance,
    ) in project.files:
        where = artifact.url if isinstance(artifact, Link) else site.files_url and artifact.relative
        said.append(
            f"{filename} {version} {sha256} {artifact.size} {metadata} {time} {python} {yanked!r} {provenance} {name} "
            f"{where}"
        )
    return digest(*said)


def _project_html(project: Project, site: Site, *, depth: int) -> bytes:
    return site.templates.render(
        "simple/project.html", page=site.project_page(project, depth=depth), legacy=_legacy_metadata(project.files)
    )


def _legacy_metadata(files: Iterable[File]) -> frozenset[str]:
    """Return the filenames for which pip 22.3 to 23.1 can be told of the metadata, too.

    Those compare METADATA's Name with what was asked for as it is spelled, and fail where a wheel would do.
    """
    return frozenset(file.filename for file in files if file.metadata_name is None)


def _project_json(project: Project, site: Site, *, depth: int) -> bytes:
    return write.encode(site.project_page(project, depth=depth))


def _root_pages(index: Index, site: Site, keys: dict[NormalizedName, str]) -> Iterator[PageResource]:
    """Yield the pages that name every project or file, and those that name none."""
    names = digest(site.key, *keys)
    everything = digest(site.key, *keys.values())

    def root() -> bytes:
        return site.templates.render("simple/root.html", page=write.root_page(index))

    def json() -> bytes:
        return write.encode(write.root_page(index))

    def landing() -> bytes:
        return site.templates.render("index.html", projects=index.projects, simple=site.simple(""))

    def links() -> bytes:
        files = [file for project in index.projects for release in project.offered() for file in release.files]
        entries = write.file_entries(files, href=partial(site.href, depth=0), core_metadata=site.core_metadata)
        return site.templates.render("links.html", files=entries, legacy=_legacy_metadata(files))

    yield PageResource(ROOT_SECTION, Stage.ROOT, site.simple(INDEX_HTML), names, root)
    yield PageResource(ROOT_SECTION, Stage.ROOT, site.simple(INDEX_JSON), names, json)
    yield PageResource(
        ROOT_SECTION, Stage.ROOT, "404.html", site.key, lambda: site.templates.render("404.html"), optional=True
    )
    yield PageResource(ROOT_SECTION, Stage.ROOT, ".nojekyll", site.notice_key, bytes, optional=True)
    if site.simple_path:
        yield PageResource(ROOT_SECTION, Stage.ROOT, INDEX_HTML, everything, landing, optional=True)
    if site.links:
        yield PageResource(ROOT_SECTION, Stage.ROOT, "links.html", everything, links)
    if site.json_root is not None:
        yield PageResource(ROOT_SECTION, Stage.ROOT, f"{site.json_root}/{INDEX_HTML}", names, json)
    roots = {"simple": site.simple(""), "json_root": None if site.json_root is None else f"{site.json_root}/"}
    for path, template in site.host.writes.items():
        key = digest(site.key, template, *roots.values())
        yield PageResource(ROOT_SECTION, Stage.ROOT, path, key, partial(site.templates.render, template, **roots))
