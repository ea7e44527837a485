"""Resources: the paths of the published tree, with the keys by which a change is noticed. Sections of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple, Protocol, Self

from mkindex.model.files import File, Provenance
from mkindex.model.index import Index, Project
from mkindex.model.wheel_variants import VariantsJson, variants_documents
from mkindex.tree.manifest import Stage
from mkindex.tree.names import METADATA_SUFFIX, PROVENANCE_SUFFIX, file_path


class FileResource(NamedTuple):
    """A file in the published tree. Its path contains its hash, so it never changes there."""

    file: File
    section: str
    path: str
    key: str
    stage: Stage = Stage.FILE

    @classmethod
    def of(cls, file: File) -> Self:
        facts = file.facts
        return cls(file, facts.project, file_path(facts.sha256, file.filename), facts.sha256)


class SiblingResource(NamedTuple):
    """The core metadata beside a wheel in the tree (PEP 658): exactly the bytes of its METADATA."""

    file: File
    section: str
    path: str
    key: str
    stage: Stage = Stage.METADATA

    @classmethod
    def of(cls, file: File) -> Self:
        facts = file.facts
        path = f"{file_path(facts.sha256, file.filename)}{METADATA_SUFFIX}"
        return cls(file, facts.project, path, facts.core_metadata)


class VariantsResource(NamedTuple):
    """The file that says what the wheel variants of a release are for (PEP 825). Like a file, its path has its hash."""

    section: str
    document: VariantsJson
    stage: Stage = Stage.FILE

    @property
    def path(self) -> str:
        return file_path(self.document.sha256, self.document.filename)

    @property
    def key(self) -> str:
        return self.document.sha256

    def content(self) -> bytes:
        """Return its bytes."""
        return self.document.content


class ProvenanceResource(NamedTuple):
    """The provenance object of a file (PEP 740). Its path has its own hash: later, the file may have another one."""

    file: File
    attested: Provenance
    stage: Stage = Stage.FILE

    @property
    def section(self) -> str:
        return self.file.project

    @property
    def path(self) -> str:
        return provenance_path(self.file)

    @property
    def key(self) -> str:
        return self.attested.sha256

    def content(self) -> bytes:
        """Return its bytes. Raises OSError, and Unreadable if they have changed."""
        from mkindex.examine.attestations import read_sources  # here, since few files have attestations

        return read_sources(self.attested)


class PageResource(NamedTuple):
    """A page. Pages with the same key have the same bytes, so an unchanged page is not rendered."""

    section: str
    stage: Stage
    path: str
    key: str  # a digest of everything that the page is made from
    render: Callable[[], bytes]
    optional: bool = False  # clients do not need it: a page that someone else put there stays


class PagesOfProjects(NamedTuple):
    """A page that each project of an index has."""

    root: str  # path of the index: "", or with a slash at the end
    filename: str
    render: Callable[..., bytes]  # of a project, `depth` directories below the root
    projects: Mapping[str, Project]


class ProjectPage(NamedTuple):
    """A page of a project. It has no text or closure of its own, since an index may have a million of them."""

    section: str  # the name of the project
    pages: PagesOfProjects
    key: str  # as that of a PageResource

    @property
    def stage(self) -> Stage:
        return Stage.PROJECT

    @property
    def path(self) -> str:
        return f"{self.pages.root}{self.section}/{self.pages.filename}"

    def render(self) -> bytes:
        """Return the page. The project is read for it: there may be more of them than memory has room for."""
        pages = self.pages
        return pages.render(pages.projects[self.section], depth=len(pages.root.split("/")))


Page = PageResource | ProjectPage
Resource = FileResource | SiblingResource | VariantsResource | ProvenanceResource | PageResource | ProjectPage


def provenance_path(file: File) -> str:
    """Return the path of the provenance object of a file that has one."""
    assert file.attested
    return file_path(file.attested.sha256, f"{file.filename}{PROVENANCE_SUFFIX}")


class SectionSource(Protocol):
    """Makes what sections consist of when it is needed, by the name of the section."""

    def resources(self, name: str, /) -> Iterable[Resource]:
        """Yield the resources, ordered by stage and path."""

    def lines(self, name: str, /) -> Sequence[bytes]:
        """Return what the manifest records about the section, besides its paths."""


class Section(NamedTuple):
    """All resources of a project, or the pages that name every project."""

    name: str  # of the project, or ROOT_SECTION
    key: str  # a digest of all resources, computed without making them
    source: SectionSource

    def resources(self) -> Iterable[Resource]:
        """Return the resources, ordered by stage and path."""
        return self.source.resources(self.name)

    def lines(self) -> Sequence[bytes]:
        """Return what the manifest records about the section, besides its paths."""
        return self.source.lines(self.name)


class PeoplePages(Protocol):
    """The pages for people. `key`: that of the API pages of a project."""

    def root_pages(self, keys: Mapping[str, str]) -> Iterable[PageResource]:
        """Yield the pages that belong to no project. Called first."""

    def project_keys(self, project: Project, key: str) -> Iterable[tuple[str, str]]:
        """Yield path and key of each page of a project."""

    def project_pages(self, project: Project, key: str) -> Iterable[PageResource]:
        """Yield the pages of a project."""


class ListingPage(Protocol):
    """Makes one more page of the main index."""

    def __call__(self, index: Index, keys: Mapping[str, str], /) -> PageResource:
        """Return the page. `keys`: those of the API pages of each project."""


class LegacyPages(Protocol):
    """The legacy JSON of projects."""

    @property
    def key(self) -> str:
        """A digest of what all of them depend on, besides the keys of the API pages."""

    def page(self, project: Project, *, depth: int) -> bytes:
        """Return the page of a project, `depth` directories below the root."""


def with_variants(files: Iterable[FileResource], project: Project, listed: Iterable[Project]) -> Iterable[Resource]:
    """Return files and, for wheel variants, the files that say what these are for, in the order of their paths.

    `listed`: what each index of the tree lists of the project.
    """
    if not any(file.facts.variant for file in project.files):
        return files
    documents = (one for each in listed for one in variants_documents(each.offered_releases()))
    made = {resource.path: resource for resource in (VariantsResource(project.name, one) for one in documents)}
    return sorted((*files, *made.values()), key=attrgetter("path"))


def with_provenance(resources: Iterable[Resource], project: Project) -> Iterable[Resource]:
    """Return resources of the first stage, and the provenance objects of files, in the order of their paths."""
    made = (ProvenanceResource(file, file.attested) for file in project.files if file.attested)
    attested = {resource.path: resource for resource in made}
    return sorted((*resources, *attested.values()), key=attrgetter("path")) if attested else resources
