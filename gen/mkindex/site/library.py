"""What is known of the newest releases of an index, for people: details, READMEs, relations. Read when it is needed."""

from collections.abc import Iterable, Mapping
from functools import cached_property

from mkindex.cache import Cache
from mkindex.examine.details import DetailsReader
from mkindex.model.details import Details
from mkindex.model.index import Index, Project
from mkindex.site.graph import Graph, decode_edges, encode_edges, make_graph, requirements_between
from mkindex.site.project_view import newest_files
from mkindex.site.readmes import Readmes
from mkindex.tree.manifest import digest


class Library:
    """Details, READMEs and relations of the projects of an index.

    `place` tells the index from others of this user, so that the relations of each are remembered.
    """

    unread: frozenset[str] = frozenset()  # the projects whose details cannot be read now, known after `graph()`

    def __init__(self, index: Index, cache: Cache, details: DetailsReader, readmes: Readmes, *, place: str) -> None:
        self._index = index
        self._cache = cache
        self._reader = details
        self._readmes = readmes
        self._place = place

    @property
    def versions(self) -> str:
        """The versions of all that reads metadata and READMEs, on which pages depend."""
        return f"{self._reader.versions} {self._readmes.versions}"

    @property
    def renders_readmes(self) -> bool:
        """Whether READMEs are rendered; otherwise they are plain text."""
        return bool(self._readmes.versions)

    @cached_property
    def details(self) -> Mapping[str, Details | None]:
        """What the newest release of each project says of itself; None if that is not known."""
        newest = {project.name: files[0] for project in self._index.projects if (files := newest_files(project))}
        found = self._reader.read(list(newest.values()))
        self.unread = frozenset(name for name, file in newest.items() if file not in found)
        return {name: found.get(file) for name, file in newest.items()}

    def graph(self, keys: Iterable[str]) -> Graph:
        """Return the relations between the projects, which the pages with these keys show."""
        name, validator = f"relations {self._place}", digest(self._reader.versions, *keys)
        remembered = self._cache.recall(name)
        if remembered and remembered[0] == validator:
            return make_graph(decode_edges(remembered[1]))
        edges = requirements_between(self.details, {project.name for project in self._index.projects})
        if not self.unread:
            self._cache.remember(name, validator, encode_edges(edges))
        return make_graph(edges)

    def prepare(self, projects: Iterable[Project]) -> None:
        """Render the READMEs of these projects now, several at a time."""
        self._readmes.prepare([newest_files(project)[0] for project in projects if self._has_readme(project)])

    def readme(self, project: Project) -> str:
        """Return the README of the newest release as HTML, "" if there is none."""
        return self._readmes.html(newest_files(project)[0]) if self._has_readme(project) else ""

    def _has_readme(self, project: Project) -> bool:
        details = self.details.get(project.name)
        return details is not None and details.has_readme
