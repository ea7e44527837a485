"""Where a published tree is on this machine, and where mkindex keeps its own files in it."""

import os
from dataclasses import dataclass

from mkindex.tree.names import DOWNLOADS_DIRECTORY, INTENT, LOCK, MANIFEST, STATE_DIRECTORY, TEMPORARY_DIRECTORY


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths on this machine of the tree below `root`."""

    root: str

    def at(self, path: str) -> str:
        """Return where a path of the tree is."""
        return f"{self.root}{os.sep}{path}"

    def own(self, name: str) -> str:
        """Return where one of mkindex's own files is."""
        return os.path.join(self.root, STATE_DIRECTORY, name)

    @property
    def own_directory(self) -> str:
        return os.path.join(self.root, STATE_DIRECTORY)

    @property
    def manifest(self) -> str:
        """All paths of the tree that mkindex wrote."""
        return self.own(MANIFEST)

    @property
    def intent(self) -> str:
        """The paths that a run writes or deletes, while it does."""
        return self.own(INTENT)

    @property
    def lock(self) -> str:
        """Held by the process that writes to the tree."""
        return self.own(LOCK)

    @property
    def temporary(self) -> str:
        """A directory of files that no reader may see yet."""
        return self.own(TEMPORARY_DIRECTORY)

    @property
    def downloads(self) -> str:
        """A directory of files from servers: the next run continues where an interrupted one stopped."""
        return self.own(DOWNLOADS_DIRECTORY)
