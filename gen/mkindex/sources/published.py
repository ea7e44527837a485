"""What a destination lists already, as a source: its files stay where they are, and are not read again."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mkindex.distributions.filenames import project_on_page
from mkindex.errors import Rejected, SourceError
from mkindex.hosts.buckets import is_bucket
from mkindex.model.files import Artifact, File, Fingerprint, Link
from mkindex.model.index import StatusMarker
from mkindex.simple.links import path_of
from mkindex.simple.reader import Malformed, Page, parse_json
from mkindex.sources.recorded import decode
from mkindex.sources.source import SourceItem
from mkindex.text import printable
from mkindex.tree.manifest import ROOT_SECTION, Entry, Stage
from mkindex.tree.names import INDEX_JSON, METADATA_SUFFIX, PROVENANCE_SUFFIX, file_path
from mkindex.web.bodies import MAX_PAGE

_BUILD_AGAIN = "So it is not known what this index lists: build it from its sources again"


class PublishedProject(NamedTuple):
    """A section of a manifest, compared with the tree."""

    name: str
    record: Sequence[bytes]  # its optional lines
    is_intact: Callable[[], bool]  # everything is as mkindex wrote it; this may wait for the comparison of the tree
    entries: Callable[[], Iterable[tuple[Entry, bool]]]  # and whether what is at its path is as mkindex wrote it


@dataclass(frozen=True)
class PublishedSource:
    """The files that the tree at `root` lists.

    The manifest has what is known of each file; nothing else is read. A file that somebody changed is examined again,
    and so are the files of a project without a record, as in trees that 0.1.0 wrote.
    """

    root: str
    projects: Callable[[], Iterator[PublishedProject]]
    read: Callable[[str, int], bytes]  # the first bytes of a regular file of the tree; b"" if it cannot be read

    def artifacts(self) -> Iterator[SourceItem]:
        """Yield the files by project. Raises SourceError for a project of which neither record nor page can be read."""
        projects = (project for project in self.projects() if project.name != ROOT_SECTION)
        # All records, before the first question whether a project is intact.
        records = [(project, decode(project.name, project.record, self.root)) for project in projects]
        for project, record in records:
            if record is None:
                yield from self._items_of_page(project)
                continue
            if record.status:
                yield StatusMarker(project.name, record.status)
            if project.is_intact():
                yield from record.files
            else:
                changed = {entry.path for entry, is_intact in project.entries() if not is_intact}
                yield from (self._verified(file, changed) for file in record.files)

    def _verified(self, file: File, changed: set[str]) -> File | Artifact | Rejected:
        """Return a file whose bytes are as they were published; otherwise what is to be examined in its place.

        A provenance object that somebody changed is listed no more.
        """
        if file.attested and file_path(file.attested.sha256, f"{file.filename}{PROVENANCE_SUFFIX}") in changed:
            file = file._replace(attested=None)
        if isinstance(file.artifact, Link) or changed.isdisjoint(
            (file.artifact.relative, f"{file.artifact.relative}{METADATA_SUFFIX}")
        ):
            return file
        assert file.artifact.link
        return self._find(file.artifact.relative, file.artifact.link, file.project)

    def _items_of_page(self, project: PublishedProject) -> Iterator[SourceItem]:
        """Yield what the page of a project says. Raises SourceError if it does not say which files are published."""
        for entry, _ in project.entries():
            if entry.stage == Stage.PROJECT and entry.path.endswith(f"/{INDEX_JSON}"):
                page = None if is_bucket(self.root) else self._page(entry)
                # No page lists the files of a quarantined project (PEP 792).
                if page is None or (page.status and page.status.status == "quarantined"):
                    raise SourceError(
                        f"the manifest of {printable(self.root)} has no record of the files of {project.name} that "
                        f"this version can read. {_BUILD_AGAIN}"
                    )
                if page.status:
                    yield StatusMarker(project.name, page.status)
                for link in page.links:
                    path = "" if link.is_elsewhere else os.path.relpath(path_of(link.url), self.root)
                    yield self._find(path.replace(os.sep, "/"), link, project.name) if path else link

    def _page(self, entry: Entry) -> Page:
        path = os.path.join(self.root, entry.path)
        data = self.read(entry.path, MAX_PAGE + 1)
        why = "is missing, or was changed since mkindex wrote it"
        if hashlib.sha256(data).hexdigest() == entry.sha256:
            try:
                return parse_json(data.decode(), Path(os.path.abspath(path)).as_uri())
            except (Malformed, ValueError) as error:
                why = str(error)
        raise SourceError(f"{printable(path)} {why}. {_BUILD_AGAIN}")

    def _find(self, path: str, link: Link, project: str) -> Artifact | Rejected:
        """Return a file of the tree that has to be examined."""
        place = os.path.join(self.root, path)
        if os.path.realpath(place) != os.path.join(os.path.realpath(self.root), path):
            # Otherwise a tree of another person could publish a file of the user.
            return Rejected(location=place, reason="listed by the index, but its path leads out of the index")
        try:
            status = os.lstat(place)
        except OSError:
            status = None
        if status is None or not stat.S_ISREG(status.st_mode):
            return Rejected(
                location=place,
                reason="listed by the index, but missing in DEST. Add it again from its source",
                reason_of_many="listed by the index, but missing in DEST. Add them again from their source",
            )
        link = link._replace(project=project_on_page(link.filename, project))
        return Artifact(self.root, path, Fingerprint.of(status), link)
