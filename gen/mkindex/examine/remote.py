"""Examine links, whose files are either listed at their own address (reference.py) or mirrored (mirror.py)."""

from collections.abc import Sequence
from dataclasses import dataclass

from mkindex.examine.links import LinkWork, Outcome
from mkindex.examine.mirror import MirrorTree, mirror
from mkindex.examine.reference import refer
from mkindex.model.files import Link


@dataclass(frozen=True, kw_only=True, slots=True)
class Remote(LinkWork):
    """The two ways to examine the links of one build. Both raise SourceError if a server gives no response."""

    def refer(self, links: Sequence[Link]) -> list[Outcome]:
        """Return the File or the rejection of each link, for files that stay at their own address."""
        return refer(links, self)

    def mirror(self, links: Sequence[Link], tree: MirrorTree) -> list[Outcome]:
        """Return the File or the rejection of each link, with artifacts in the tree or among its downloads."""
        return mirror(links, tree, self)
