"""The start page of the site and the other pages about all projects."""

from collections import defaultdict
from collections.abc import Callable
from functools import cached_property
from heapq import nlargest

from mkindex.closure.unlisted import Unlisted
from mkindex.model.index import Index, without_zeros
from mkindex.site.files_view import release_anchor
from mkindex.site.install import instructions
from mkindex.site.library import Library
from mkindex.site.project_view import licenses, project_line
from mkindex.site.search import search_script, shard_of
from mkindex.site.views import NewRelease, ProjectLine, SiteView

_RECENT = 12  # releases on the start page
_IN_FEED = 50
_NAMED = 3  # projects that the index does not have


class StartPages:
    """Renders the pages about all projects. `render` renders a template with values."""

    def __init__(self, index: Index, library: Library, site: SiteView, render: Callable[..., bytes]) -> None:
        self._index = index
        self._library = library
        self._site = site
        self._render = render

    def index(self, missing: Unlisted, search_version: str) -> bytes:
        """Return the start page. `missing`: what projects require and the index does not have."""
        names = [project.name for project in self._index.projects]
        install = instructions(
            names[0] if names else "NAME", url=self._site.url, simple=self._site.simple, is_complete=not missing.names
        )
        return self._render(
            "site/index.html",
            projects=self._lines,
            recent=self._recent(_RECENT),
            install=install,
            missing=missing.names[:_NAMED],
            search_version=search_version,
        )

    def licenses(self) -> bytes:
        """Return the page with the licenses of all projects."""
        by_license: defaultdict[str, list[ProjectLine]] = defaultdict(list)
        for line in self._lines:
            for name in licenses(self._library.details.get(line.name)) or ("",):
                by_license[name].append(line)
        unknown = by_license.pop("", [])
        found = sorted(by_license.items(), key=lambda one: (one[0].lower(), one[0]))
        return self._render("site/licenses.html", licenses=found, unknown=unknown)

    def search(self, number: int) -> bytes:
        """Return a script with the projects that the search finds."""
        shards = len(self._site.search)
        details = self._library.details
        return search_script(
            (line, details.get(line.name)) for line in self._lines if shard_of(line.name, shards) == number
        )

    def feed(self) -> bytes:
        """Return the Atom feed of all projects."""
        return self._render(
            "site/feed.xml", title=self._site.title, path="", page="index.html", releases=self._recent(_IN_FEED)
        )

    @cached_property
    def _lines(self) -> list[ProjectLine]:
        details = self._library.details
        return [project_line(project, details.get(project.name)) for project in self._index.projects]

    def _recent(self, number: int) -> list[NewRelease]:
        """Return the newest releases by date, apart from those without one."""
        first: dict[tuple[str, str], tuple[str, str]] = {}
        for project in self._index.projects:
            if project.is_quarantined:
                continue
            for file in project.files:
                if file.upload_time:
                    key, found = (project.name, without_zeros(file.version)), (file.upload_time, file.version)
                    first[key] = min(first.get(key, found), found)
        newest = nlargest(number, ((time, name, version) for (name, _), (time, version) in first.items()))
        summaries = {line.name: line.summary for line in self._lines}
        return [
            NewRelease(
                name=name,
                version=version,
                anchor=release_anchor(version),
                date=time[:10],
                time=time,
                summary=summaries[name],
            )
            for time, name, version in newest
        ]
