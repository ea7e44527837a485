"""Documents of a JSON API, such as that of GitHub: listings in several parts, conditional requests, rate limits."""

import re
import time
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urljoin

from mkindex.web.bodies import MAX_PAGE
from mkindex.web.client import WebClient
from mkindex.web.credentials import origin
from mkindex.web.responses import RawResponse, RequestFailed, require_success

_NEXT = re.compile(r'<([^>]*)>\s*;[^,<]*\brel="?next\b')
_LONGEST = 8 << 20  # characters of a document that is remembered
_LIMITED = (403, 429)


class ApiDocument(NamedTuple):
    """One document, which may be a part of a listing."""

    text: str
    next: str  # address of the next part; "": this is the last


def get_document(url: str, web: WebClient) -> ApiDocument:
    """Return a document; if it is in the cache, only ask the server whether it has changed. Raises RequestFailed."""
    cached = web.cache.recall(f"api {url}")
    etag, _, following = cached[0].partition("\t") if cached else ("", "", "")
    headers = {"Accept": "application/json", "Accept-Encoding": "gzip"} | ({"If-None-Match": etag} if etag else {})
    response = web.request(url, headers=headers)
    if response.status == 304 and cached:
        return ApiDocument(cached[1], following)
    if response.status == 401 and web.has_token(url):
        raise RequestFailed(url, "answers 401: the token is wrong, or has expired", status=401)
    _require_document(response, url)
    document = ApiDocument(response.body.decode("utf-8", "replace"), _next_part(response))
    etag = response.headers.get("etag", "")
    if etag and "\t" not in etag and len(document.text) <= _LONGEST:
        web.cache.remember(f"api {url}", f"{etag}\t{document.next}", document.text)
    return document


def _require_document(response: RawResponse, url: str) -> None:
    if response.status in _LIMITED and (until := _end_of_limit(response.headers)):
        raise RequestFailed(url, f"no more requests are allowed {until}", status=429)
    require_success(response.status, url)
    if response.broken:
        raise RequestFailed(url, response.broken)
    if len(response.body) >= MAX_PAGE:
        raise RequestFailed(url, f"larger than {MAX_PAGE >> 20} MiB, the limit for a page")


def _next_part(response: RawResponse) -> str:
    """Return the address in the Link header (RFC 8288); "" without one. Raises RequestFailed for another host."""
    found = _NEXT.search(response.headers.get("link", ""))
    if not found:
        return ""
    following = str(urljoin(response.url, found[1]))
    if origin(following) != origin(response.url):
        raise RequestFailed(response.url, "the rest of the listing is on another host. Check --api-url")
    return following


def _end_of_limit(headers: Mapping[str, str]) -> str:
    """Return until when a server takes no more requests, "" if it refuses them for another reason."""
    for prefix in ("x-ratelimit", "ratelimit"):
        reset = headers.get(f"{prefix}-reset", "")
        if headers.get(f"{prefix}-remaining") == "0" and reset.isascii() and reset.isdecimal() and len(reset) < 12:
            return f"until {time.strftime('%H:%M:%S', time.gmtime(int(reset)))} UTC"
    return "for now" if "retry-after" in headers else ""
