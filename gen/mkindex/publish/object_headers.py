"""The content type and the Cache-Control of each object of an index in a bucket."""

from mkindex.hosts.caching import FILE_CACHING, PAGE_CACHING
from mkindex.stores.objects import Headers
from mkindex.tree.content_types import BYTES_TYPE, JSON_TYPE, TEXT_TYPE, content_type

FILE_HEADERS = Headers(BYTES_TYPE, FILE_CACHING)


def page_headers(path: str, data: bytes) -> Headers:
    """Return the headers of a page: clients judge a page of the Simple API by its type, not by its name."""
    if path.endswith("/index.html") and data.startswith(b"{"):  # a page of --json-root
        return Headers(JSON_TYPE, PAGE_CACHING)
    kind = content_type(path)
    return Headers(TEXT_TYPE if kind == BYTES_TYPE else kind, PAGE_CACHING)
