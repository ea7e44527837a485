"""The second index of a server: which requests are redirected to it."""

import os

from mkindex.hosts.fallback import Fallback
from mkindex.tree.layout import Layout, read_layout
from mkindex.tree.names import INDEX_HTML, MANIFEST


class FallbackOfTree:
    """The fallback for a tree that may be built again. Names that the tree was built with are reserved, too."""

    def __init__(self, fallback: Fallback) -> None:
        self._given = fallback
        self._seen: tuple[str, Layout, Fallback] | None = None  # which manifest, and what was read from it

    def page_of(self, tree: str, path: str) -> str | None:
        """Return where to redirect a request for a path of the tree; None: nowhere.

        That is the page of a project that does not exist in the tree, directly below the root of its main index. In an
        index of a variant, projects are missing that the main index has.
        """
        _, _, name = path.removesuffix("/").rpartition("/")
        if not path.endswith("/") or os.path.lexists(os.path.join(tree, path.removesuffix("/"))):
            return None
        layout, fallback = self._read(tree)
        is_in_main = path == f"{layout.main}{name}/" and (layout.reserve or not layout.has_manifest)
        # Without the tree, as on a disk that is not mounted, the names of its projects are not known.
        has_tree = os.path.isfile(os.path.join(tree, layout.main, INDEX_HTML))
        return fallback.page_of(name) if is_in_main and has_tree else None

    def _read(self, tree: str) -> tuple[Layout, Fallback]:
        """Return the layout of the tree, and the fallback with all reserved names; read again if they may differ."""
        manifest = os.path.join(tree, MANIFEST)
        try:
            status = os.stat(manifest)
            found = f"{manifest} {status.st_ino} {status.st_size} {status.st_mtime_ns}"
        except OSError:
            found = ""
        if self._seen is None or self._seen[0] != found:
            layout = read_layout(manifest)
            if self._seen and self._seen[1].has_manifest:  # if it is missing now, so are the names in it
                layout = layout._replace(has_manifest=True)
            self._seen = found, layout, self._given.with_reserved(layout.reserve)
        return self._seen[1:]
