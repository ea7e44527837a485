"""The generation of a site that each deployment replaces: the number of the deployment, and a digest of its files.

Pages list no file of a quarantined project (PEP 792). The next run knows only what the site says, so the text of a
generation records these files.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Self
from urllib.parse import quote

from mkindex.distributions.filenames import project_on_page
from mkindex.model.files import Artifact, Link
from mkindex.model.index import Index, Project
from mkindex.sources.recorded import decode
from mkindex.tree.names import file_path

MOST = 1 << 24  # bytes of its text
_TEXT = re.compile(rb"([0-9]{1,15}) ([0-9a-f]{64})\n")
_RECORD = re.compile(rb"([a-z0-9-]+)\t([a-z]+\t[^\n]*\n)")  # a line of a project


class Generation(NamedTuple):
    """The number of a deployment, and a digest of what it has; "" while that is not known."""

    number: int
    listing: str = ""

    @classmethod
    def parse(cls, data: bytes, base: str) -> tuple[Self, list[Link]] | None:
        """Return the generation that a text of mkindex says, and the files that no page lists; None for other text.

        `base`: the address of the root of the tree, with a slash at the end.
        """
        first, *lines = data.splitlines(keepends=True) or [b""]
        match, records = _TEXT.fullmatch(first), [_RECORD.fullmatch(line) for line in lines]
        if not match or None in records:
            return None
        by_project: dict[str, list[bytes]] = {}
        for record in filter(None, records):
            by_project.setdefault(record[1].decode(), []).append(record[2])
        try:
            links = [link for project, own in by_project.items() for link in _links(project, own, base)]
        except ValueError:
            return None
        return cls(int(match[1]), match[2].decode()), links

    def of(self, index: Index) -> Self:
        """Return the generation as that of a site with this index."""
        files = (file for project in index.projects for file in project.files)
        return self._replace(listing=digest_of((file.filename, file.sha256, file.yanked) for file in files))

    def text(self, index: Index, record: Callable[[Project], Sequence[bytes]]) -> bytes:
        """Return the text of the generation of an index; `record` returns what a manifest records about a project."""
        number, listing = self.of(index)
        hidden = (project for project in index.projects if project.is_quarantined)
        lines = (f"{project.name}\t".encode() + line for project in hidden for line in record(project))
        return f"{number} {listing}\n".encode() + b"".join(lines)


def _links(project: str, lines: Sequence[bytes], base: str) -> Iterator[Link]:
    """Yield links to the recorded files of a project. Raises ValueError for what mkindex would not write."""
    record = decode(project, lines, "")
    if record is None:
        raise ValueError
    for file in record.files:
        link = file.listing
        assert link
        if isinstance(file.artifact, Artifact):
            url = f"{base}{file_path(file.sha256, '')}{quote(file.filename, safe='')}"
            link = link._replace(url=url, size=file.size, core_metadata=file.core_metadata or None)
        yield link._replace(project=project_on_page(file.filename, project))


def digest_of(entries: Iterable[tuple[str, str, str | None]]) -> str:
    """Return a digest of files: filename, sha256, and why it is yanked."""
    lines = sorted(f"{filename} {sha256} {yanked!r}" for filename, sha256, yanked in entries)
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()
