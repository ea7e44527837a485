"""Resources: the paths of the published tree, with the keys by which a change is noticed. Sections of them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from mkindex.model.files import File
from mkindex.tree.manifest import Stage
from mkindex.tree.names import METADATA_SUFFIX, file_path


@dataclass(frozen=True, slots=True)
class FileResource:
    """A file in the published tree. Its path contains its hash, so it never changes there."""

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
    """The core metadata beside a wheel in the tree (PEP 658): exactly the bytes of its METADATA."""

    file: File
    stage: ClassVar = Stage.METADATA

    @property
    def section(self) -> str:
        return self.file.project

    @property
    def path(self) -> str:
        return f"{file_path(self.file.sha256, self.file.filename)}{METADATA_SUFFIX}"

    @property
    def key(self) -> str:
        return self.file.core_metadata


class PageResource(NamedTuple):
    """A page. Pages with the same key have the same bytes, so an unchanged page is not rendered."""

    section: str
    stage: Stage
    path: str
    key: str  # a digest of everything that the page is made from
    render: Callable[[], bytes]
    optional: bool = False  # clients do not need it: a page that someone else put there stays


Resource = FileResource | SiblingResource | PageResource


class Section(NamedTuple):
    """All resources of a project, or the pages that name every project."""

    name: str  # of the project, or ROOT_SECTION
    key: str  # a digest of all resources, computed without making them
    resources: Callable[[], Iterable[Resource]]  # ordered by stage and path
    lines: Callable[[], Sequence[bytes]] = tuple  # what the manifest records about the section, besides its paths
