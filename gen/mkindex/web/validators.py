"""The type, size and time of a file by its response headers, and whether it has changed (RFC 9110, section 8).

Building and checking use the same rules.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Literal, Protocol, TypeVar

from mkindex.model.files import format_upload_time

# A signed URL is valid for one method only, and some servers do not implement HEAD: GET is tried instead.
_HEAD_REFUSED = frozenset({403, 405, 501})
_LONGEST_LENGTH = 18  # digits of a Content-Length that fits into 64 bits
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})")


class _HasStatus(Protocol):
    @property
    def status(self) -> int: ...


R = TypeVar("R", bound=_HasStatus)


def head_or_get(ask: Callable[[Literal["HEAD", "GET"]], R]) -> R:
    """Request headers by HEAD, or if the server refuses that, by a GET whose body is not read."""
    response = ask("HEAD")
    return ask("GET") if response.status in _HEAD_REFUSED else response


def media_type(headers: Mapping[str, str]) -> str:
    """Return the media type in lower case, without parameters; "" if the headers do not give one."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def content_length(headers: Mapping[str, str]) -> int | None:
    """Return the size of a file in bytes, None if it is unknown."""
    length = headers.get("content-length", "")
    # With a Content-Encoding, it is the length of the encoded body, not of the file.
    is_plain = headers.get("content-encoding", "identity") == "identity"
    is_number = length.isascii() and length.isdecimal() and len(length) <= _LONGEST_LENGTH
    return int(length) if is_plain and is_number else None


def content_range(headers: Mapping[str, str]) -> tuple[int, int] | None:
    """Return the offset of the part of a file that is sent, and the size of the file; None if they are unknown."""
    found = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
    is_plain = headers.get("content-encoding", "identity") == "identity"
    return (int(found[1]), int(found[2])) if found and is_plain else None


def validator(headers: Mapping[str, str]) -> str:
    """Return a strong ETag, or else Last-Modified; "" without either.

    A weak ETag may stay the same while bytes change (RFC 9110, section 8.8.1).
    """
    etag = headers.get("etag", "")
    return etag if etag and not etag.startswith("W/") else headers.get("last-modified", "")


def last_modified(headers: Mapping[str, str]) -> str:
    """Return Last-Modified as the Simple API writes times; "" without one, or if it is only the time of the response.

    That is what servers send that create a response or do not know more. It would be another one for each request.
    """
    if "last-modified" not in headers:
        return ""
    modified = _seconds(headers["last-modified"])
    sent = _seconds(headers["date"]) if "date" in headers else None if modified is None else modified + 1
    return _upload_time(modified) if modified is not None and sent is not None and modified < sent else ""


_upload_time = lru_cache(format_upload_time)


@lru_cache
def _seconds(date: str) -> int | None:
    """Return the time that a date of HTTP means, in seconds since 1970; None if it is not one."""
    # Here, since builds without remote files do not need them.
    from calendar import timegm
    from email.utils import parsedate_to_datetime

    try:
        return timegm(parsedate_to_datetime(date).utctimetuple())
    except (TypeError, ValueError, OverflowError):
        return None


def has_changed(headers: Mapping[str, str], before: str) -> bool:
    """Tell whether a response is of another version of a file than the one that had the validator `before`."""
    # Without a strong ETag at first, compare Last-Modified: Apache's ETag is weak only for the first second after a
    # file was written, and strong afterwards.
    now = validator(headers) if before.startswith('"') else headers.get("last-modified", "")
    return bool(before and now and now != before)


def fingerprint(validator: str, size: int | None) -> str:
    """Return a text that changes with a remote file; "" if it has no validator, or an unknown size."""
    return f"{validator} {size}" if validator and size else ""
