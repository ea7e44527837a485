"""Pages to what they say, JSON and HTML alike: files with their attributes, projects, and links that go elsewhere.

Knows no network and no disk. Nothing is believed to be well-formed: a file whose entry makes no sense is refused alone,
a page that makes none as a whole.
"""

import json
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple, Self
from urllib.parse import unquote, urljoin, urlsplit

from mkindex.distributions.filenames import SUFFIXES
from mkindex.errors import Rejected
from mkindex.model.files import Link
from mkindex.model.index import ProjectStatus
from mkindex.simple.links import (
    MAX_SIZE,
    address_of,
    hashes_in,
    hashes_of,
    provenance_of,
    strip_address,
    text_of,
    upload_time_of,
)
from mkindex.text import printable, redact

MAX_LINKS = 1_000_000  # on one page, to files
MAX_PROJECTS = 10_000_000  # the public index has a million
_MAX_NESTED = 10_000  # elements one in the other, and attributes of one


_PLAIN = re.compile(r"(/)?(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)+")  # a path to a directory that needs no parsing
# Elements that end at the next of their kind, or have no content.
_TAG = re.compile(
    r"<(/?)(?!(?:a|br|hr|img|li|link|meta|p|td|th|tr|dt|dd|input|option)\b)([a-z][^\s/>]*)", re.IGNORECASE
)
_BETWEEN = re.compile(r"[\s/]+")  # attributes
_STATUSES = frozenset({"active", "archived", "quarantined", "deprecated"})
_LISTING = re.compile(r"\s*(?:index of|directory listing for|directory:)\s", re.IGNORECASE)


class Malformed(Exception):
    """A page that says nothing reliable; the text says what is wrong with it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """What a page says."""

    links: tuple[Link, ...] = ()  # to wheels and sdists, in its order
    refused: tuple[Rejected, ...] = ()  # links to such files that cannot be taken as they are
    other_files: tuple[str, ...] = ()  # names of distributions that clients do not install, and of anything else
    projects: tuple[str, ...] = ()  # a JSON root's, as they are spelled there
    directories: tuple[str, ...] = ()  # URLs of what is one level below the page, each once
    elsewhere: int = 0  # links to anything else
    name: str = ""  # the project that a JSON page is of
    status: ProjectStatus | None = None
    is_json: bool = False
    is_listing: bool = False  # a server's own listing of a directory, by its title
    is_index: bool = False  # says that it is a page of a simple index
    has_end: bool = True  # HTML: whether what was opened as a document is closed as one


def parse_json(text: str, url: str) -> Page:
    """Read a JSON page (specification: "JSON-based Simple API"), whose address is `url`. Raises Malformed."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"is no JSON, or not all of it ({printable(str(error))})") from error
    if not isinstance(document, dict):
        raise Malformed("is JSON, but no page of the Simple API")
    meta = document.get("meta")
    version = meta.get("api-version") if isinstance(meta, dict) else None
    # "a client MUST fail with an appropriate error message to the user" where the major version is another.
    if isinstance(version, str) and version.partition(".")[0] != "1":
        raise Malformed(f"is of version {printable(version)} of the Simple API, and mkindex knows version 1")
    if isinstance(projects := document.get("projects"), list):
        if len(projects) > MAX_PROJECTS:
            raise Malformed(f"names more than {MAX_PROJECTS:,} projects")
        names = [entry.get("name") for entry in projects if isinstance(entry, dict)]
        return Page(projects=tuple(name for name in names if isinstance(name, str)), is_json=True, is_index=True)
    files = document.get("files")
    if not isinstance(files, list):
        raise Malformed("is JSON, but names neither projects nor files")
    if len(files) > MAX_LINKS:
        raise Malformed(f"names more than {MAX_LINKS:,} files")
    found = [_json_link(file, url) for file in files]
    name = document.get("name")
    marker = document.get("project-status")
    return Page(
        links=tuple(dict.fromkeys(link for link in found if isinstance(link, Link))),
        refused=tuple(link for link in found if isinstance(link, Rejected)),
        other_files=tuple(link for link in found if isinstance(link, str)),
        name=name if isinstance(name, str) else "",
        status=_status(marker.get("status"), marker.get("reason")) if isinstance(marker, dict) else None,
        is_json=True,
        is_index=True,
    )


def _json_link(file: object, page: str) -> Link | Rejected | str:
    """Return what a file's entry says, its name if it is none that clients install, or why it cannot be taken."""
    if not isinstance(file, dict):
        return Rejected(location=redact(page), reason="an entry of this page is no object: ask who runs it")
    filename, address = file.get("filename"), file.get("url")
    if not isinstance(filename, str) or not isinstance(address, str):
        return Rejected(location=redact(page), reason="an entry of this page has no filename or url: ask who runs it")
    if not filename.endswith(SUFFIXES):
        return filename
    try:
        url = address_of(urljoin(page, strip_address(address)), filename, from_file=page.startswith("file:"))
    except ValueError as error:
        return Rejected(location=f"{redact(page)}: {printable(filename)}", reason=str(error))
    hashes = file.get("hashes")
    sha256, other = hashes_of(hashes if isinstance(hashes, dict) else {})
    metadata = file.get("core-metadata", file.get("dist-info-metadata"))
    yanked = file.get("yanked")
    size = file.get("size")
    return Link(
        url=url,
        filename=filename,
        sha256=sha256,
        other_hash=other,
        requires_python=text_of(file.get("requires-python")),
        yanked=text_of(yanked) if yanked else None,  # whatever it is; of no text the reason is ""
        core_metadata=hashes_of(metadata)[0] if isinstance(metadata, dict) else "" if metadata is True else None,
        size=size if isinstance(size, int) and not isinstance(size, bool) and 0 <= size < MAX_SIZE else None,
        upload_time=upload_time_of(text_of(file.get("upload-time"))),
        provenance=provenance_of(file.get("provenance")),
    )


def parse_html(text: str, url: str) -> Page:
    """Read an HTML page, as crooked as it may be, whose address is `url`.

    Raises Malformed where it ends inside a tag, a comment or the like: what was to follow is missing without a sign.
    """
    from selectolax.lexbor import LexborHTMLParser

    # The HTML standard knows no error that stops a parser; but a tag that nothing closes swallows what comes after it.
    if _is_bait(text):
        raise Malformed(f"nests more than {_MAX_NESTED:,} elements, or has as many attributes in one")
    tree = LexborHTMLParser(f"{text}<mkindex-end>")
    if tree.css_first("mkindex-end") is None or text.rstrip().endswith("<"):
        raise Malformed("ends inside a tag or a comment: it was cut off, so that links may be missing")
    base = tree.css_first("base[href]")
    nodes = tree.css("a[href]")
    if len(nodes) > MAX_PROJECTS:
        raise Malformed(f"has more than {MAX_PROJECTS:,} links")
    here = _Here.of(url, strip_address(base.attributes.get("href") or "") if base else "")
    found = [_html_link(node.attributes, here) for node in nodes]
    below = dict.fromkeys(target for target in found if isinstance(target, _Below))
    metas = {meta.attributes.get("name"): meta.attributes.get("content") for meta in tree.css('meta[name^="pypi:"]')}
    title = tree.css_first("title")
    lower = text.lower()
    return Page(
        links=tuple(dict.fromkeys(link for link in found if isinstance(link, Link))),
        refused=tuple(link for link in found if isinstance(link, Rejected)),
        other_files=tuple(link for link in found if type(link) is str),
        directories=tuple(below),
        elsewhere=sum(link is None for link in found),
        status=_status(metas.get("pypi:project-status"), metas.get("pypi:project-status-reason")),
        is_listing=title is not None and _LISTING.match(title.text()) is not None,
        is_index="pypi:repository-version" in metas,
        has_end="<html" not in lower or "</html" in lower,
    )


def _is_bait(text: str) -> bool:
    """Tell whether HTML is made to take long: lexbor's time grows with the square of depth and attributes."""
    if any(len(part) > _MAX_NESTED and len(_BETWEEN.findall(part)) > _MAX_NESTED for part in text.split(">")):
        return True
    depth, total = Counter[str](), 0
    for slash, spelled in _TAG.findall(text):
        name = spelled.lower()
        if not slash:
            depth[name] += 1
            total += 1
            if total > _MAX_NESTED:
                return True
        elif depth[name]:  # a tag that closes nothing closes nothing else
            depth[name] -= 1
            total -= 1
    return False


class _Here(NamedTuple):
    """The address that links are relative to, and what they are compared with."""

    page: str
    url: str  # the page's, or what it has in <base>
    origin: str  # scheme and host
    directories: tuple[str, ...]  # paths whose subdirectories are one level below

    @classmethod
    def of(cls, page: str, base: str) -> Self:
        url, parts = page, urlsplit(page)
        with suppress(ValueError):  # the HTML standard ignores a base that is no address, or none of the web
            joined = urlsplit(urljoin(page, base))
            if joined.scheme in ("http", "https", "file"):
                url, parts = joined.geturl(), joined
        # A root may be asked for without its slash: clients put one behind it.
        directories = parts.path.rpartition("/")[0] + "/", f"{parts.path}/"
        return cls(page, url, f"{parts.scheme}://{parts.netloc}", directories)

    def below(self, target: str) -> str:
        """Return an absolute address, without fragment, if it is one of a directory one level below, else ""."""
        path = target.removeprefix(self.origin).partition("#")[0]
        parent = path.rstrip("/").rpartition("/")[0] + "/"
        is_below = target.startswith(self.origin) and path.endswith("/") and "?" not in path
        return self.origin + path if is_below and parent in self.directories and path not in self.directories else ""


class _Below(str):
    """The URL of a directory one level below a page."""

    __slots__ = ()


def _html_link(attributes: dict[str, str | None], here: _Here) -> Link | Rejected | _Below | str | None:
    """Return what an anchor leads to: a file, one that cannot be taken, a directory, another file's name, None."""
    href = strip_address(attributes["href"] or "")
    if plain := _PLAIN.fullmatch(href):  # of a public index there are a million
        target = here.origin + href if plain[1] else here.origin + here.directories[0] + href
        below = here.below(target)
        return _Below(below) if below else None
    try:
        target = urljoin(here.url, href)
        parts = urlsplit(target)
    except ValueError:
        return None
    filename = unquote(parts.path.rpartition("/")[2])
    if not filename.endswith(SUFFIXES):
        below = here.below(target)
        return _Below(below) if below else filename if "." in filename else None
    try:
        url = address_of(target, filename, from_file=here.page.startswith("file:"))
    except ValueError as error:
        return Rejected(location=redact(target), reason=str(error))
    sha256, other = hashes_in(parts.fragment)
    metadata = attributes.get("data-core-metadata", attributes.get("data-dist-info-metadata", "false"))
    size = attributes.get("data-size") or ""
    return Link(
        url=url,
        filename=filename,
        sha256=sha256,
        other_hash=other,
        requires_python=text_of(attributes.get("data-requires-python")),
        # Without a value it is yanked, too, whatever pip makes of it.
        yanked=text_of(attributes["data-yanked"]) if "data-yanked" in attributes else None,
        core_metadata=None if metadata == "false" else hashes_in(metadata or "")[0],
        size=int(size) if size.isascii() and size.isdecimal() and len(size) < 18 else None,
        upload_time=upload_time_of(attributes.get("data-upload-time") or ""),
        provenance=provenance_of(attributes.get("data-provenance")),
    )


def _status(status: object, reason: object) -> ProjectStatus | None:
    if not isinstance(status, str) or status not in _STATUSES or status == "active":
        return None
    return ProjectStatus(status, text_of(reason) or None)
