"""Cheap scans of a page before it is parsed: for some pages, parsers need far more memory than their size suggests."""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice

_MAX_NESTED = 10_000  # elements inside one another, and attributes of one element
_FREE = 100_000  # elements, or JSON values, that any page may have
_PER_LINK = 20  # elements for each link; a row of a listing has up to eight
_PER_VALUE = 6  # characters for each JSON value; a project of an index has more

# Except elements without content, and those that the next element of their kind ends.
_TAG = re.compile(
    r"<(/?)(?!(?:a|br|hr|img|li|link|meta|p|td|th|tr|dt|dd|input|option)\b)([a-z][^\s/>]*)", re.IGNORECASE
)
_TOO_MANY = "has more elements than a page with its links needs"
_ATTRIBUTE_GAP = re.compile(r"[\s/]+")
# Elements that a parser opens again in each block that follows, until an end tag closes them.
_FORMATTING = frozenset(
    {"b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"},
)


def why_html_is_unbounded(text: str) -> str:
    """Return why a page of HTML is not parsed, as it follows the address of the page; "" if it is."""
    elements = text.count("<")
    if _are_too_many(elements, text):
        return _TOO_MANY
    if any(_has_too_many_attributes(text, *tag) for tag in _long_tags(text)):
        return f"has more than {_MAX_NESTED:,} nested elements, or attributes of one element"
    depth, total, formatting, most = Counter[str](), 0, 0, 0
    for match in _TAG.finditer(text):
        slash, name = match[1], match[2].lower()
        change = 0
        if not slash:
            change = 1
        elif depth[name]:  # an end tag without a start tag closes nothing
            change = -1
        depth[name] += change
        total += change
        if name in _FORMATTING:
            formatting += change
            most = max(most, formatting)
        if total > _MAX_NESTED:
            return f"has more than {_MAX_NESTED:,} nested elements, or attributes of one element"
    # Each element may open all formatting elements again that are not closed.
    return _TOO_MANY if _are_too_many(elements * (1 + most), text) else ""


def _long_tags(text: str) -> Iterator[tuple[int, int]]:
    """Yield the beginning and end of each part without a `>` that is long enough for too many attributes."""
    at = 0
    while at < len(text):
        last = text.rfind(">", at, at + _MAX_NESTED)
        if last < 0:
            last = end if (end := text.find(">", at)) >= 0 else len(text)
            yield at, last
        at = last + 1


def _has_too_many_attributes(text: str, start: int, end: int) -> bool:
    return next(islice(_ATTRIBUTE_GAP.finditer(text, start, end), _MAX_NESTED, None), None) is not None


def why_json_is_unbounded(text: str) -> str:
    """Return why a JSON page is not decoded, as it follows the address of the page; "" if it is."""
    values = text.count(",") + text.count("[") + text.count("{")
    return "has more values than a page of its size needs" if values > _FREE + len(text) // _PER_VALUE else ""


def _are_too_many(elements: int, text: str) -> bool:
    return elements > _FREE and elements > _FREE + _PER_LINK * (text.count("href") + text.count("HREF"))
