"""The content type and the Cache-Control of each object of an index in a bucket."""

from mkindex.hosts.caching import FILE_CACHING, PAGE_CACHING
from mkindex.simple.media_types import JSON_TYPE
from mkindex.stores.objects import Headers

_TYPES = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "json": "application/json",
    "xml": "application/atom+xml",  # feeds
    "md": "text/markdown",
    "svg": "image/svg+xml",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "ico": "image/vnd.microsoft.icon",
}
FILE_HEADERS = Headers("application/octet-stream", FILE_CACHING)


def page_headers(path: str, data: bytes) -> Headers:
    """Return the headers of a page: clients judge a page of the Simple API by its type, not by its name."""
    if path.endswith(".v1_json") or (path.endswith("/index.html") and data.startswith(b"{")):  # a page of --json-root
        return Headers(JSON_TYPE, PAGE_CACHING)
    kind = _TYPES.get(path.rpartition("/")[2].rpartition(".")[2], "text/plain")
    return Headers(f"{kind}; charset=utf-8" if kind.startswith("text/") else kind, PAGE_CACHING)
