"""Pages that a host has as index.html, but does not send for the address of their directory, which clients request."""

from packaging.utils import canonicalize_name

from mkindex.check.fetch import Fetcher
from mkindex.check.observations import PageKind, SeenPage
from mkindex.check.pages import read_page
from mkindex.simple.links import name_at_end
from mkindex.tree.names import INDEX_HTML

_SAMPLE = 3  # pages of projects that are requested to tell a root
_XML = ("application/xml", "text/xml")
_ABSENT = (403, 404, 410)  # a bucket whose readers may not list it answers 403 for what does not exist


def unsent_page(fetcher: Fetcher, url: str, sent: SeenPage, kind: PageKind, project: str = "") -> SeenPage | None:
    """Return the index document of a directory, None if clients need not miss one.

    `sent` is what the server sends for `url`, the address of the directory: nothing, or a list of what is in it.
    """
    listed = sent.is_usable and not sent.entries and any(map(_is_document, sent.stray_links))
    is_missing = sent.reply.status in _ABSENT or listed or is_bucket_listing(sent)
    if fetcher.local or not url.endswith("/") or not is_missing:
        return None
    page = read_page(fetcher.get_page(f"{url}{INDEX_HTML}"), kind, project=project)
    if not page.is_usable or page.reply.body == sent.reply.body:
        return None
    return page if kind == "root" or page.is_index or page.entries else None


def unsent_root(fetcher: Fetcher, url: str, sent: SeenPage) -> SeenPage | None:
    """Return the root page of an index that the server has as an index document but does not send."""
    page = unsent_page(fetcher, url, sent, "root")
    if page is None or page.is_index:
        return page
    for _, linked in page.projects[:_SAMPLE]:
        project = canonicalize_name(name_at_end(linked))
        for address in (f"{linked}{INDEX_HTML}", linked):
            child = read_page(fetcher.get_page(address), "project", project=project)
            if any(canonicalize_name(entry.filename).startswith(f"{project}-") for entry in child.entries):
                return page
    return None


def is_bucket_listing(page: SeenPage) -> bool:
    """Tell whether a response is the list of objects that a bucket sends for its root: XML of S3, Google or Azure."""
    start = page.reply.body[:2000]
    return page.reply.media_type in _XML and any(
        name in start for name in (b"<ListBucketResult", b"<EnumerationResults")
    )


def _is_document(link: str) -> bool:
    return link.rpartition("/")[2] == INDEX_HTML
