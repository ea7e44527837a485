"""Feeds as RFC 4287 wants them: its grammar, as far as a feed of releases can break it, and its rules in words."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from xml.etree import ElementTree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ATOM = "{http://www.w3.org/2005/Atom}"
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")  # RFC 3339, with capitals
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+")
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
# How often an element may be in another: least and most. Sections 4.1.1, 4.1.2 and 3.2.
_MANY = 1_000_000
_FEED = {
    "id": (1, 1),
    "title": (1, 1),
    "updated": (1, 1),
    "author": (0, _MANY),
    "link": (0, _MANY),
    "entry": (0, _MANY),
}
_ENTRY = {"id": (1, 1), "title": (1, 1), "updated": (1, 1), "author": (0, _MANY), "link": (0, _MANY), "summary": (0, 1)}
_PERSON = {"name": (1, 1), "uri": (0, 1), "email": (0, 1)}
_CONTAINERS = {"feed": _FEED, "entry": _ENTRY, "author": _PERSON}


def problems(feed: bytes) -> list[str]:
    """Return what is wrong in a feed."""
    root = ElementTree.fromstring(feed)
    if root.tag != f"{_ATOM}feed":
        return [f"the root is {root.tag}"]
    return [*_of_children(root, "feed"), *_of_feed(root)]


def _of_children(parent: ElementTree.Element, name: str) -> Iterator[str]:
    allowed = _CONTAINERS[name]
    counts = Counter(child.tag.removeprefix(_ATOM) for child in parent)
    yield from (f"{name}: {child} is not allowed" for child in counts.keys() - allowed.keys())
    yield from (
        f"{name}: {counts[child]} of {child}"
        for child, (least, most) in allowed.items()
        if not least <= counts[child] <= most
    )
    if (parent.text or "").strip() or any((child.tail or "").strip() for child in parent):
        yield f"{name}: text between elements"
    for child in parent:
        yield from _of_element(child, child.tag.removeprefix(_ATOM))


def _of_element(element: ElementTree.Element, name: str) -> Iterator[str]:
    text = element.text or ""
    if name in _CONTAINERS:
        yield from _of_children(element, name)
    elif name == "link":
        yield from _of_link(element.attrib)
    elif len(element) or element.attrib:  # all others are plain text
        yield f"{name}: has elements or attributes"
    elif name == "updated" and not _DATE.fullmatch(text):
        yield f"updated: {text}"
    elif name == "id" and not _is_absolute(text):
        yield f"id: {text}"
    elif name == "name" and not text.strip():
        yield "name: empty"


def _of_link(attributes: Mapping[str, str]) -> Iterator[str]:
    if attributes.keys() - {"href", "rel", "type"} or not _is_absolute(attributes.get("href", "")):
        yield f"link: {attributes}"
    if not _MEDIA_TYPE.fullmatch(attributes.get("type", "")):
        yield f"link: type {attributes.get('type')}"


def _of_feed(root: ElementTree.Element) -> Iterator[str]:
    """Yield problems of the rules in words: unique ids, one alternate of a type, an author, a link to itself."""
    if not re.fullmatch(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*", root.attrib.get(_LANGUAGE, "en")):
        yield f"language {root.attrib[_LANGUAGE]}"
    ids = Counter(one.text for one in root.iter(f"{_ATOM}id"))
    yield from (f"{count} of id {one}" for one, count in ids.items() if count > 1)
    entries = root.findall(f"{_ATOM}entry")
    for one in (root, *entries):
        links = Counter((link.get("rel", "alternate"), link.get("type")) for link in one.findall(f"{_ATOM}link"))
        yield from (f"{count} links of {kind}" for kind, count in links.items() if count > 1)
        # Without content, an entry needs a link to what it is about.
        if not any(rel == "alternate" for rel, _ in links):
            yield "no alternate link"
    if not any(link.get("rel") == "self" for link in root.findall(f"{_ATOM}link")):
        yield "no link to itself"
    if root.find(f"{_ATOM}author") is None and any(one.find(f"{_ATOM}author") is None for one in entries):
        yield "no author"
    times = [one.findtext(f"{_ATOM}updated", "") for one in entries]
    if times != sorted(times, reverse=True):
        yield "entries are not ordered by time"


def _is_absolute(address: str) -> bool:
    """Tell whether it is an absolute IRI without characters that an IRI cannot have."""
    parts = urlsplit(address)
    return bool(parts.scheme and parts.netloc) and not re.search(r"[\s<>\"{}|\\^`]", address)
