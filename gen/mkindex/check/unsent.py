"""Pages that a host has as index.html, but does not send for the address of their directory, which clients request."""

from packaging.utils import canonicalize_name

from mkindex.check.fetch import Fetcher
from mkindex.check.observations import NamedProject, PageKind, SeenPage
from mkindex.check.pages import is_page_of, read_page
from mkindex.simple.links import client_project_url
from mkindex.simple.roots import is_root
from mkindex.tree.names import INDEX_HTML

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

    def has_page(project: NamedProject) -> bool:
        name, directory = canonicalize_name(project.name), client_project_url(url, project.name)
        pages = (fetcher.get_page(address) for address in (f"{directory}{INDEX_HTML}", directory))
        return any(is_page_of(name, read_page(reply, "project", project=name)) for reply in pages)

    return page if is_root(page.projects, has_page) else None


def is_bucket_listing(page: SeenPage) -> bool:
    """Tell whether a response is the list of objects that a bucket sends for its root: XML of S3, Google or Azure."""
    start = page.reply.body[:2000]
    return page.reply.media_type in _XML and any(
        name in start for name in (b"<ListBucketResult", b"<EnumerationResults")
    )


def _is_document(link: str) -> bool:
    return link.rpartition("/")[2] == INDEX_HTML
