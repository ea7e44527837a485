"""Makes the values that an index consists of, without files on disk."""

from __future__ import annotations

import hashlib
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, TypedDict, Unpack

from packaging.utils import parse_sdist_filename, parse_wheel_filename

from mkindex.check.observations import ListedFile
from mkindex.model.files import Artifact, Facts, File, Fingerprint, Link
from mkindex.model.index import Index, assemble
from mkindex.site.render import render
from mkindex.site.resources import Page, Section
from mkindex.tree.manifest import section_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mkindex.site.layout import Site
    from mkindex.site.resources import FileResource, Resource, SiblingResource


class FactFields(TypedDict, total=False):
    """Facts of a file."""

    sha256: str
    core_metadata: str
    metadata_name: str
    requires: str
    requires_python: str
    upload_time: str


class FakeFiles:
    """Makes files from names and bytes, and remembers the bytes."""

    def __init__(self) -> None:
        self._bytes: dict[str, bytes] = {}

    def file(
        self,
        filename: str,
        content: bytes = b"",
        *,
        yanked: str | None = None,
        provenance: str = "",
        **fields: Unpack[FactFields],
    ) -> File:
        """Make a file with these bytes (default: its name). Wheels have core metadata."""
        content = content or filename.encode()
        wheel = filename.endswith(".whl")
        project, version = parse_wheel_filename(filename)[:2] if wheel else parse_sdist_filename(filename)
        is_listed = yanked is not None or provenance
        link = Link(url="file:", filename=filename, yanked=yanked, provenance=provenance) if is_listed else None
        facts = Facts(
            project=project,
            version=str(version),
            sha256=self._keep(content),
            core_metadata=self._keep(b"METADATA of " + content) if wheel else "",
        )
        artifact = Artifact("/wheels", filename, Fingerprint(0, len(content), 0, 0), link)
        return File(artifact, facts._replace(**fields), filename)

    def read(self, resource: FileResource | SiblingResource) -> bytes:
        """Return the bytes of a file or of its core metadata."""
        return self._bytes[resource.key]

    def _keep(self, content: bytes) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        self._bytes[sha256] = content
        return sha256


def render_resources(index: Index, site: Site) -> list[Resource]:
    """Return all resources of the tree, in the order of publishing."""
    found = (resource for section in render(index, site) for resource in section.resources())
    return sorted(found, key=lambda resource: (resource.stage, resource.path))


def group_sections(resources: Iterable[Resource]) -> list[Section]:
    """Group resources into sections, as a plan expects them."""
    made = []
    for name, some in groupby(sorted(resources, key=attrgetter("section")), key=attrgetter("section")):
        each = sorted(some, key=lambda resource: (resource.stage, resource.path))
        key = section_key((one.path, one.key) for one in each if isinstance(one, Page))
        made.append(Section(name, key, GivenResources(each)))
    return made


class GivenResources(NamedTuple):
    """The source of a section with these resources."""

    given: Sequence[Resource]

    def resources(self, _name: str, /) -> Sequence[Resource]:
        return self.given

    def lines(self, _name: str, /) -> Sequence[bytes]:
        return ()


def make_index(*files: File) -> Index:
    """Make the index of files that do not conflict."""
    made, findings = assemble(files)
    assert not findings
    return made


def listed_file(filename: str, *, python: str = "", yanked: str | None = None, sha256: str = "0" * 64) -> ListedFile:
    """A file as a page of the project demo lists it."""
    address = f"https://example.com/{filename}"
    return ListedFile(
        {}, "json", address, address, filename, "https://example.com/simple/demo/", "", sha256, "", python, yanked
    )
