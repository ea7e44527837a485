"""The legacy JSON API of a package index, `pypi/NAME/json`, for readers that do not read the Simple API."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from mkindex.examine.details import DetailsReader
from mkindex.model.details import HOME_PAGE, Details
from mkindex.model.files import Artifact, File, Link
from mkindex.model.index import Project, without_zeros
from mkindex.simple.writer import encode_page
from mkindex.site.layout import Site
from mkindex.site.project_view import LABELS, is_address, newest_files, shown_name
from mkindex.site.resources import Page, Resource
from mkindex.tree.manifest import digest
from mkindex.tree.names import LEGACY_DIRECTORY

_NO_DETAILS = Details()


class LegacyJson:
    """The legacy JSON pages of the projects of an index. What they say of a release is read by `prepare()`."""

    def __init__(self, projects: Iterable[Project], site: Site, reader: DetailsReader) -> None:
        self._projects = projects
        self._site = site
        self._reader = reader
        self._details: Mapping[str, Details | None] = {}

    @cached_property
    def key(self) -> str:
        """A digest of everything that all pages depend on."""
        return digest(self._site.key, self._site.url, self._reader.versions)

    def prepare(self, resources: Iterable[Resource]) -> None:
        """Read the details of the projects that these resources show, several at a time.

        Details are left out with --files-url, because `add` could not read them again and would make another page; and
        for files on other servers, which may not answer the next time.
        """
        if self._site.files_url is not None:
            return
        names = {
            resource.section
            for resource in resources
            if isinstance(resource, Page) and resource.path.startswith(f"{LEGACY_DIRECTORY}/")
        }
        newest = {one.name: files[0] for one in self._projects if one.name in names and (files := newest_files(one))}
        here = {name: file for name, file in newest.items() if isinstance(file.artifact, Artifact)}
        found = self._reader.read([*here.values()])
        self._details = {name: found.get(file) for name, file in here.items()}

    def page(self, project: Project, *, depth: int) -> bytes:
        """Return the page of a project, `depth` directories below the root.

        Unknown values are null, and times have no zone in `upload_time`, as readers know it from the public index.
        """
        releases = {
            release.version: [file_entry(self._site, file, depth) for file in release.files]
            for release in project.offered_releases()
        }
        newest = without_zeros(project.newest())
        version = next((version for version in releases if without_zeros(version) == newest), None)
        document = {
            "info": self._info(project, version, depth),
            "releases": releases,
            "urls": releases[version] if version is not None else [],
        }
        return encode_page(document)

    def _info(self, project: Project, version: str | None, depth: int) -> dict[str, Any]:
        details = self._details.get(project.name) or _NO_DETAILS
        urls = [(label, address) for label, address in details.urls if label and is_address(address)]
        files = newest_files(project)
        return {
            "name": shown_name(project, details),
            "version": version,
            "summary": details.summary or None,
            "home_page": next((address for label, address in urls if label == HOME_PAGE), None),
            "project_urls": {LABELS.get(label, label): address for label, address in urls} or None,
            "package_url": _absolute(self._site, self._site.simple(project.name, ""), depth),
            "requires_python": next((file.requires_python for file in files if file.requires_python), None),
        }


def file_entry(site: Site, file: File, depth: int) -> dict[str, Any]:
    """Return what a page, `depth` directories below the root, says of a file."""
    is_elsewhere = isinstance(file.artifact, Link) or site.files_url is not None
    path = site.href(file, depth=0)
    return {
        "filename": file.filename,
        "packagetype": "bdist_wheel" if file.filename.endswith(".whl") else "sdist",
        "digests": {"sha256": file.sha256} if file.sha256 else {},
        "size": file.size,
        "upload_time": file.upload_time.removesuffix("Z") or None,
        "upload_time_iso_8601": file.upload_time or None,
        "requires_python": file.requires_python or None,
        "yanked": file.yanked is not None,
        "yanked_reason": file.yanked or None,
        "url": path if is_elsewhere else _absolute(site, path, depth),
    }


def _absolute(site: Site, path: str, depth: int) -> str:
    """Return the address of a path of the tree; relative to the page if the public address is unknown."""
    return f"{site.url.rstrip('/')}/{path}" if site.url else f"{'../' * depth}{path}"
