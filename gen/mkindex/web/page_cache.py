"""Pages of earlier runs, which are fetched again only if they have changed (RFC 9110, section 13)."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from mkindex.cache import Cache
from mkindex.web.responses import PageResponse

_SIGNED_LINK = re.compile(r"[?&;](?:X-(?:Amz|Goog)-Signature|Signature|sig)=", re.IGNORECASE)
_LONGEST = 8 << 20  # characters of a page that is remembered


class CachedPage(NamedTuple):
    """A page of an earlier run, with its validators."""

    page: PageResponse
    etag: str
    last_modified: str

    @property
    def conditions(self) -> dict[str, str]:
        """The header field that asks for the page only if it has changed."""
        return {"If-None-Match": self.etag} if self.etag else {"If-Modified-Since": self.last_modified}


def recall_page(cache: Cache, url: str) -> CachedPage | None:
    """Return the page that was last read from an address, None if it is unknown."""
    cached = cache.recall(f"page {url}")
    if not cached:
        return None
    final, media_type, etag, last_modified = cached[0].split("\t")
    return CachedPage(PageResponse(final, media_type, cached[1]), etag, last_modified)


def remember_page(cache: Cache, url: str, page: PageResponse, headers: Mapping[str, str]) -> None:
    """Remember a page for the next run, if the server sends a validator for it."""
    etag, last_modified = headers.get("etag", ""), headers.get("last-modified", "")
    # A query may be a secret, and secrets are not written to disk: neither that of the page nor those of its links.
    if "?" in f"{url}{page.url}" or _SIGNED_LINK.search(page.text):
        return
    validators = "\t".join((page.url, page.media_type, etag, last_modified))
    if (etag or last_modified) and len(page.text) <= _LONGEST and validators.count("\t") == 3:
        cache.remember(f"page {url}", validators, page.text)
