"""The redirects that are followed: at most five, only to http(s) addresses, and never from https to http."""

from urllib.parse import urljoin, urlsplit, urlunsplit

MAX_REDIRECTS = 5
TOO_MANY = f"redirects more than {MAX_REDIRECTS} times"
NOT_WEB = "redirects to an address that is not http or https"
INSECURE = "redirects from https to http, which is not encrypted"
INVALID = "not a valid address, or redirects to one that is not valid"


class BadRedirect(Exception):
    """A redirect that is not followed; the text says why, and has no address in it."""


def is_insecure(url: str, target: str) -> bool:
    """Tell whether a redirect leads from https to http, so that others could read or change the traffic."""
    return url.startswith("https:") and target.lower().startswith("http:")


def without_userinfo(url: str) -> str:
    """Return an address without user and password: a server may not hand out credentials for another one."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def redirect_target(url: str, location: str) -> str:
    """Return the absolute address that the Location header of a response from `url` means. Raises BadRedirect."""
    try:
        parts = urlsplit(urljoin(url, location))
    except ValueError as error:
        raise BadRedirect(INVALID) from error
    if parts.scheme not in ("http", "https"):
        raise BadRedirect(NOT_WEB)
    if parts.scheme == "http" and url.startswith("https:"):
        raise BadRedirect(INSECURE)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))
