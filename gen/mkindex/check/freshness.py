"""The time for which clients consider a page fresh, by its headers (RFC 9111)."""

import re
from email.utils import parsedate_to_datetime

from mkindex.web.responses import RawResponse

_UV_GUESS = 600  # seconds for which uv considers a page fresh that has Last-Modified but no Cache-Control


def lifetime(reply: RawResponse) -> int:
    """Return the seconds for which an answer may be cached, from when the server made it; 0 if it does not say."""
    control = reply.headers.get("cache-control", "").lower()
    if "no-store" in control or "no-cache" in control:
        return 0
    if match := re.search(r"max-age\s*=\s*\"?(\d{1,12})", control):
        return int(match[1])
    try:
        expires = parsedate_to_datetime(reply.headers["expires"])
        return max(0, int((expires - parsedate_to_datetime(reply.headers["date"])).total_seconds()))
    except (KeyError, ValueError, TypeError, OverflowError):
        return 0


def freshness(reply: RawResponse) -> int:
    """Return the seconds for which an answer may still be cached, from now on."""
    age = reply.headers.get("age", "")
    seconds = int(age) if age.isascii() and age.isdecimal() and len(age) < 10 else 0
    return max(0, lifetime(reply) - seconds)


def describe_freshness(reply: RawResponse) -> str:
    """Describe how long pip and uv consider a page fresh."""
    seconds, is_stated = freshness(reply), "cache-control" in reply.headers or "expires" in reply.headers
    uv = seconds if is_stated else _UV_GUESS if "last-modified" in reply.headers else 0
    is_https = reply.url.startswith("https:")
    pip = f"pip caches pages for {seconds:,} s" if is_https and seconds else "pip asks every time"
    return f"{pip}, uv caches pages for {uv:,} s" if uv else "pip and uv ask every time"
