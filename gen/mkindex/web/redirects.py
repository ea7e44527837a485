"""The redirects that are followed: at most five, only to http(s) addresses, and never from https to http."""

from collections.abc import Mapping
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from mkindex.web.transport import UNREADABLE

MAX_REDIRECTS = 5
_STATUSES = frozenset({301, 302, 303, 307, 308})
_SAFE = "!#$%&'()*+,/:;=?@[]~"  # what stays as it is in an address that a server sends
TOO_MANY = f"redirects more than {MAX_REDIRECTS} times"
NOT_WEB = "redirects to an address that is not http or https"
INSECURE = "redirects from https to http, which is not encrypted"
NOT_ASCII = "redirects to an address that is not ASCII, which HTTP does not allow. Ask the operator of the server"
INVALID = "not a valid address, or redirects to one that is not valid"


class BadRedirect(Exception):
    """A redirect that is not followed; the text says why, and has no address in it."""


def redirect_location(status: int, headers: Mapping[str, str]) -> str:
    """Return the Location header of a redirect, "" for any other response."""
    return headers.get("location", "") if status in _STATUSES else ""


def redirect_target(url: str, location: str) -> str:
    """Return the absolute address that the Location header of a response from `url` means. Raises BadRedirect.

    It is without user and password: a server may not hand out credentials for another one.
    """
    if location == UNREADABLE:
        raise BadRedirect(NOT_ASCII)
    try:
        parts = urlsplit(urljoin(url, quote(location, safe=_SAFE)))
    except ValueError:  # its text has parts of the address
        raise BadRedirect(INVALID) from None
    if parts.scheme not in ("http", "https"):
        raise BadRedirect(NOT_WEB)
    if parts.scheme == "http" and url.startswith("https:"):
        raise BadRedirect(INSECURE)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
