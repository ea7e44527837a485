"""Pages for a bucket, which are rendered before the first of them is written."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from mkindex.publish.plan import Plan, Put
from mkindex.site.resources import Page
from mkindex.tree.manifest import Entry, Position


class RenderedPage(NamedTuple):
    """A page that was rendered."""

    put: Put
    data: bytes
    sha256: str

    @property
    def is_published(self) -> bool:
        """Whether the page is there with the same bytes."""
        previous = self.put.previous
        return previous is not None and previous.intact and previous.entry.sha256 == self.sha256


def render_pages(puts: Sequence[Put]) -> list[RenderedPage]:
    """Render pages."""
    pages = []
    for put in puts:
        assert isinstance(put.resource, Page)
        data = put.resource.render()
        pages.append(RenderedPage(put, data, hashlib.sha256(data).hexdigest()))
    return pages


def intended_entries(plan: Plan, pages: Iterable[RenderedPage]) -> Iterator[Entry]:
    """Yield an entry for each page, and each path that is deleted. Nobody sees a new file before a page names it."""
    for page in pages:
        yield Entry.of(page.put.resource, page.sha256)
    yield from plan.deletes


def new_entries(files: Iterable[Put], pages: Iterable[RenderedPage]) -> list[tuple[Position, Entry]]:
    """Return the entries of the puts, in the order of the manifest."""
    entries = [Entry.of(put.resource, put.resource.key) for put in files]
    entries += [Entry.of(page.put.resource, page.sha256) for page in pages]
    return sorted((entry.position, entry) for entry in entries)
