"""The content types of what is published, by path."""

import os.path

from mkindex.tree.names import is_legacy_page

HTML_TYPE, TEXT_TYPE = "text/html; charset=utf-8", "text/plain; charset=utf-8"
JSON_TYPE = "application/vnd.pypi.simple.v1+json"
# Of files, too. A .tar.gz gets no Content-Encoding: clients would unpack it while they receive it, and its hash would
# be wrong.
BYTES_TYPE = "application/octet-stream"
_TYPES = {  # by suffix
    ".html": HTML_TYPE,
    ".v1_json": JSON_TYPE,
    ".json": "application/json",
    ".txt": TEXT_TYPE,
    ".md": "text/markdown; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".xml": "application/atom+xml",  # feeds
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".ico": "image/x-icon",  # as nginx and Apache send it
}


def content_type(path: str) -> str:
    """Return the type of a path of the tree; BYTES_TYPE for all that have no type of their own, such as files."""
    suffix = ".json" if is_legacy_page(path) else os.path.splitext(path)[1]
    return _TYPES.get(suffix, BYTES_TYPE)
