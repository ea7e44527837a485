"""A destination in memory, for tests of plans."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter

from mkindex.errors import nothing
from mkindex.publish.plan import Applied, FileChanged, HeldEntry, Plan, PublishedSection
from mkindex.site.resources import (
    FileResource,
    Page,
    ProvenanceResource,
    Resource,
    SiblingResource,
    VariantsResource,
)
from mkindex.tree.manifest import Entry, Position, Stage, section_key


class MemoryDestination:
    """A dictionary of paths and bytes. `read` returns the bytes of a file, or of the core metadata beside it."""

    def __init__(self, read: Callable[[FileResource | SiblingResource], bytes]) -> None:
        self.content: dict[str, bytes] = {}  # also of what others wrote
        self._read = read
        self._known: dict[Position, Entry] = {}

    def sections(self) -> Iterator[PublishedSection]:
        """Yield the sections that were applied, ordered by name."""
        for name, entries in groupby(
            sorted(self._known.values(), key=attrgetter("position")), key=attrgetter("section")
        ):
            held = [
                HeldEntry(entry, intact=entry.fingerprint != "" and entry.fingerprint == self.digest(entry.path))
                for entry in entries
            ]
            is_whole = all(one.intact and one.entry.retired is None for one in held)
            pages = [(one.entry.path, one.entry.key) for one in held if one.entry.stage > Stage.METADATA]
            yield PublishedSection(name, section_key(pages) if is_whole else "", len(held), partial(list, held))

    def root_lines(self) -> Sequence[bytes]:
        """Return nothing: there is no manifest."""
        return ()

    def digest(self, path: str) -> str | None:
        """Return the sha256 of the file at `path`, or None if there is nothing."""
        return _sha256(self.content[path]) if path in self.content else None

    def are_ours(self, pages: Sequence[HeldEntry]) -> Iterator[bool]:
        """Tell of each page whether what is at its path is as it was applied, or is missing."""
        return (self.digest(page.entry.path) in (None, page.entry.sha256) for page in pages)

    def apply(self, plan: Plan, before_commit: Callable[[], object] = nothing) -> Applied:
        """Carry out a plan. Raises FileChanged before anything is changed."""
        staged = [(put.resource, self._bytes(put.resource)) for put in plan.puts]
        before_commit()
        written = sum(self.content.get(resource.path) != data for resource, data in staged)
        for entry in plan.deletes:
            self.content.pop(entry.path, None)
        for entry in (*plan.deletes, *plan.transfers, *plan.edited):
            del self._known[entry.position]
        self.content |= {resource.path: data for resource, data in staged}
        new = (Entry.of(resource, _sha256(data)) for resource, data in staged)
        for entry in (*plan.updates, *new):
            fingerprint = self.digest(entry.path) or ""
            self._known[entry.position] = entry._replace(fingerprint=entry.fingerprint or fingerprint)
        return Applied(written=written)

    def _bytes(self, resource: Resource) -> bytes:
        if isinstance(resource, Page):
            return resource.render()
        if isinstance(resource, VariantsResource | ProvenanceResource):
            return resource.content()
        data = self._read(resource)
        if _sha256(data) != resource.key:
            raise FileChanged(resource.file)
        return data


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
