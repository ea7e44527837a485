"""Addresses as a check needs them: resolved as clients do, and displayed without secrets."""

import re
from functools import lru_cache
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from mkindex.simple.plain_files import PLAIN
from mkindex.text import printable, redact

CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MAX_LINK = 160  # characters that are displayed


def resolve(base: str, link: str, root: str = "") -> str:
    """Return the absolute address of a link, without fragment; "" if it is not an address.

    Unlike `simple.links.address_of`, this rejects as little and respells nothing, so that rules can judge the address
    that clients would request. `root` is the file: URL of the checked directory, if any: links that begin with a slash
    are taken to be below it.
    """
    link = link.strip()
    plain = PLAIN.fullmatch(link.partition("#")[0])
    if plain and not CONTROL.search(link) and (start := _resolve(base, f"{plain[1] or ''}x", root)):
        return start.removesuffix("x") + plain[2]
    return _resolve(base, link, root)


@lru_cache
def _resolve(base: str, link: str, root: str) -> str:
    try:
        url = root + link.lstrip("/") if root and re.match(r"/(?!/)", link) else urljoin(base, link)
        parts = urlsplit(url)
        if (parts.port or 0) < 0 or CONTROL.search(url):
            return ""
    except ValueError:
        return ""
    return urlunsplit(parts._replace(fragment=""))


def display_url(url: str, root: str = "") -> str:
    """Return an address for people: without secrets, and relative to `root` if it is below it."""
    if root and url.startswith(root):
        return printable(unquote(url[len(root) :])) or "."
    return redact(url)


def display_link(link: str) -> str:
    """Return a link for people, as written, without secrets and cut to a readable length."""
    return shorten(redact(link) if "://" in link else printable(re.split(r"[?#]", link, maxsplit=1)[0]))


def shorten(link: str, limit: int = _MAX_LINK) -> str:
    """Cut the beginning of a long link, so that what is left is not taken for an address, and still names the file."""
    return link if len(link) <= limit else f"…{link[1 - limit :]}"
