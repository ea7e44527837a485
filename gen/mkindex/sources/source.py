"""The protocol of a source, and what it yields."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from mkindex.errors import Note, Rejected
    from mkindex.model.files import Artifact, AttestationFile, File, Link
    from mkindex.model.index import StatusMarker
    from mkindex.sources.locks.lock import Lock

# What a source yields: artifacts and the attestations beside them, links, known files, project statuses, the lock file
# that it is, and findings.
SourceItem: TypeAlias = "Artifact | AttestationFile | Link | File | StatusMarker | Lock | Rejected | Note"


class Source(Protocol):
    """A source lists artifacts, always in the same order.

    `artifacts()` raises SourceError if it cannot list everything: with half of a listing, files would look removed.
    """

    def artifacts(self) -> Iterator[SourceItem]: ...
