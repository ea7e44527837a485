"""Read pages of the Simple API, find-links pages and directory listings, in HTML and JSON.

Uses neither network nor disk. No page is trusted: a malformed entry is rejected alone, a malformed page as a whole.
"""

import json
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import urljoin, urlsplit

from mkindex.distributions.attestations import MOST_ATTESTATIONS, attested_filename
from mkindex.distributions.filenames import SUFFIXES
from mkindex.errors import Rejected
from mkindex.model.files import Link
from mkindex.model.index import STATUSES, ProjectStatus
from mkindex.simple.bounds import why_html_is_unbounded, why_json_is_unbounded
from mkindex.simple.links import (
    MAX_SIZE,
    clean_provenance,
    clean_text,
    clean_upload_time,
    filename_in,
    join_address,
    normalize_url,
    pick_hash,
    pick_hash_in,
    read_hash,
    read_hash_in,
    strip_href,
    with_attestations,
)
from mkindex.simple.plain_files import PlainFiles
from mkindex.simple.roots import ProjectLink, project_links
from mkindex.text import printable, redact

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

MAX_LINKS = 1_000_000  # files on a JSON page
MAX_PROJECTS = 10_000_000  # projects of a JSON root, and links on an HTML page; the public index has a million projects
_MAX_NODES_OF_TEXT, _MAX_TEXT = 50, 1_000  # of a link; characters


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """The content of a page."""

    links: tuple[Link, ...] = ()  # to wheels and sdists, in the order of the page, each once
    rejected: tuple[Rejected, ...] = ()  # links to wheels and sdists that cannot be published, and malformed entries
    other_files: tuple[str, ...] = ()  # names of all other files
    projects: tuple[ProjectLink, ...] = ()  # that the page names if it is the root of an index: see `simple.roots`
    directories: tuple[str, ...] = ()  # URLs of the directories one level below an HTML page, each once
    other_links: int = 0  # number of links to anything else
    name: str = ""  # project of a JSON page
    status: ProjectStatus | None = None
    is_json: bool = False
    is_listing: bool = False  # the title is that of a server's directory listing
    is_index: bool = False  # JSON, or HTML that declares to be a page of an index (PEP 629)
    has_end: bool = True  # False: HTML that opens <html> and does not close it


class Malformed(Exception):
    """A page that cannot be trusted. The text says why, and follows the address of the page."""


def parse_html(text: str, url: str, *, any_version: bool = False) -> Page:
    """Read an HTML page as browsers do, whatever its errors. `url` is its address.

    Raises Malformed if the page ends inside a tag or a comment, since the links after that are missing; if it has more
    than MAX_PROJECTS links; if parsing would take too long; and, unless `any_version`, if it declares another major
    version of the API (PEP 629).
    """
    from selectolax.lexbor import LexborHTMLParser

    if why := why_html_is_unbounded(text):
        raise Malformed(why)
    # No error stops a parser of the HTML standard, but the end of the page is lost in a tag that nothing closes.
    tree = LexborHTMLParser(f"{text}<mkindex-end>")
    if tree.css_first("mkindex-end") is None or text.rstrip().endswith("<"):
        raise Malformed("ends inside a tag or a comment: it is truncated, and links may be missing")
    base = tree.css_first("base[href]")
    anchors = tree.css("a[href]")
    if len(anchors) > MAX_PROJECTS:
        raise Malformed(f"has more than {MAX_PROJECTS:,} links")
    location = _Location.of(url, strip_href(base.attributes.get("href") or "") if base else "")
    targets = [_read_anchor(anchor.attributes, location) for anchor in anchors]
    directories = dict.fromkeys(target for target in targets if isinstance(target, _Directory))
    # The text of a link is read only if it is needed: a public index has a million links.
    addresses = [
        (target, partial(link_text, anchor))
        for target, anchor in zip(targets, anchors, strict=True)
        if isinstance(target, _Address)
    ]
    links, other_addresses = _join_attestations(
        dict.fromkeys(target for target in targets if isinstance(target, Link)),
        [target for target in targets if type(target) is _Address],
    )
    others = [urlsplit(target).path for target in other_addresses]
    has_files = any(isinstance(target, (Link, Rejected)) for target in targets)
    metas = {meta.attributes.get("name"): meta.attributes.get("content") for meta in tree.css('meta[name^="pypi:"]')}
    if not any_version:
        # PEP 629: a page without a version, or with an empty one, is of version 1.0.
        _require_version_1(metas.get("pypi:repository-version") or None)
    title = tree.css_first("title")
    lower = text.lower()
    return Page(
        links=links,
        rejected=tuple(target for target in targets if isinstance(target, Rejected)),
        other_files=tuple(filename_in(path) for path in others if "." in filename_in(path)),
        projects=project_links(addresses, location.url, anywhere=not has_files),
        directories=tuple(directories),
        other_links=sum("." not in filename_in(path) for path in others) + targets.count(None),
        status=_parse_status(metas.get("pypi:project-status"), metas.get("pypi:project-status-reason")),
        is_listing=title is not None and _LISTING_TITLE.match(title.text()) is not None,
        is_index="pypi:repository-version" in metas,
        has_end="<html" not in lower or "</html" in lower,
    )


def link_text(anchor: "LexborNode") -> str:
    """Return the text of a link, from its first nodes only: elements such as <object> can nest thousands of links."""
    parts, waiting = list[str](), [anchor.first_child]
    for _ in range(_MAX_NODES_OF_TEXT):
        node = waiting.pop() if waiting else None
        if node is None:
            break
        if node.tag == "-text":
            parts.append((node.text_content or "")[:_MAX_TEXT])
        waiting += [one for one in (node.next, node.first_child) if one is not None]
    return "".join(parts)[:_MAX_TEXT]


def parse_json(text: str, url: str) -> Page:
    """Read a JSON page (specification: "JSON-based Simple API"). `url` is its address.

    Raises Malformed if it is neither a root nor the page of a project, or of another major version of the API.
    """
    document = _load_json(text)
    if isinstance(projects := document.get("projects"), list):
        if len(projects) > MAX_PROJECTS:
            raise Malformed(f"has more than {MAX_PROJECTS:,} projects")
        names = [entry.get("name") for entry in projects if isinstance(entry, dict)]
        links = tuple(ProjectLink(name) for name in names if isinstance(name, str))
        return Page(projects=links, is_json=True, is_index=True)
    files = document.get("files")
    if not isinstance(files, list):
        raise Malformed("is JSON, but has neither projects nor files")
    if len(files) > MAX_LINKS:
        raise Malformed(f"has more than {MAX_LINKS:,} files")
    plain = PlainFiles(url, allow_local=url.startswith("file:"))
    targets = [_read_json_file(file, url, plain) for file in files]
    name = document.get("name")
    marker = document.get("project-status")
    return Page(
        links=tuple(dict.fromkeys(target for target in targets if isinstance(target, Link))),
        rejected=tuple(target for target in targets if isinstance(target, Rejected)),
        other_files=tuple(target for target in targets if isinstance(target, str)),
        name=name if isinstance(name, str) else "",
        status=_parse_status(marker.get("status"), marker.get("reason")) if isinstance(marker, dict) else None,
        is_json=True,
        is_index=True,
    )


# --- HTML -------------------------------------------------------------------------------------------------------------

# A relative or absolute path to a directory in which nothing is encoded: all but a few links of an index.
_PLAIN_DIRECTORY = re.compile(r"(/)?(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)+")
_LISTING_TITLE = re.compile(r"\s*(?:index of|directory listing for|directory:)\s", re.IGNORECASE)


class _Location(NamedTuple):
    """The address of a page, and the addresses that its links are compared with."""

    page: str
    url: str  # that links are relative to: the page, or its <base>
    origin: str  # scheme and host of `url`
    directories: tuple[str, ...]  # paths whose subdirectories are one level below the page
    is_local: bool
    files: PlainFiles

    @classmethod
    def of(cls, page: str, base: str) -> Self:
        url, parts = page, urlsplit(page)
        with suppress(ValueError):  # the HTML standard ignores a <base> that is malformed or of another scheme
            joined = urlsplit(urljoin(page, base))
            if joined.scheme in ("http", "https", "file"):
                url, parts = joined.geturl(), joined
        # The address of a root may lack its slash, which clients append.
        directories = parts.path.rpartition("/")[0] + "/", f"{parts.path}/"
        is_local = page.startswith("file:")
        files = PlainFiles(url, allow_local=is_local)
        return cls(page, url, f"{parts.scheme}://{parts.netloc}", directories, is_local, files)

    def directory_below(self, target: str) -> str:
        """Return an absolute address without its fragment if it is a directory one level below the page, else ""."""
        path = target.removeprefix(self.origin).partition("#")[0]
        parent = path.rstrip("/").rpartition("/")[0] + "/"
        is_below = target.startswith(self.origin) and path.endswith("/") and "?" not in path
        return self.origin + path if is_below and parent in self.directories and path not in self.directories else ""


class _Address(str):
    """The URL that a link to anything but a wheel or sdist leads to, without its fragment."""

    __slots__ = ()


def _join_attestations(
    links: Iterable[Link], addresses: Sequence[_Address]
) -> tuple[tuple[Link, ...], Sequence[_Address]]:
    """Return links with the files of attestations that the page has beside their files, and all other addresses."""
    beside: dict[str, list[str]] = {}
    for address in addresses:
        if subject := attested_filename(filename_in(urlsplit(address).path)):
            found = beside.setdefault(f"{_directory(address)}/{subject}", [])
            if len(found) <= MOST_ATTESTATIONS:  # with one more, all are refused
                found.append(address)
    if not beside:
        return tuple(links), addresses
    places = {link: f"{_directory(link.url)}/{link.filename}" for link in links}
    used = {address for place in places.values() for address in beside.get(place, ())}
    joined = tuple(with_attestations(link, beside.get(place, ())) for link, place in places.items())
    return joined, [address for address in addresses if address not in used]


def _directory(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[0]


class _Directory(_Address):
    """The URL of a directory one level below a page."""

    __slots__ = ()


def _read_anchor(attributes: dict[str, str | None], location: _Location) -> Link | Rejected | _Address | None:
    """Return the target of a link: a wheel or sdist, a directory, anything else, or None if it is not an address."""
    href = strip_href(attributes["href"] or "")
    if plain := _PLAIN_DIRECTORY.fullmatch(href):  # without urljoin(): a public index has a million of these
        target = location.origin + href if plain[1] else location.origin + location.directories[0] + href
        directory = location.directory_below(target)
        return _Directory(directory) if directory else _Address(target)
    address, _, fragment = href.partition("#")
    url, filename = location.files.read(address)
    target = url
    if not url:
        try:
            target = urljoin(location.url, href)
            parts = urlsplit(target)
        except ValueError:
            return None
        filename, fragment = filename_in(parts.path), parts.fragment
    if not filename.endswith(SUFFIXES):
        directory = location.directory_below(target)
        return _Directory(directory) if directory else _Address(target.partition("#")[0])
    try:
        url = url or normalize_url(target, filename, allow_local=location.is_local)
        sha256, other_hash = read_hash_in(fragment)
    except ValueError as error:
        return Rejected(location=redact(target), reason=str(error))
    metadata = attributes.get("data-core-metadata", attributes.get("data-dist-info-metadata", "false"))
    size = attributes.get("data-size") or ""
    return Link(
        url=url,
        filename=filename,
        sha256=sha256,
        other_hash=other_hash,
        requires_python=clean_text(attributes.get("data-requires-python")),
        # PEP 592: the value is optional. pip ignores the attribute without one.
        yanked=clean_text(attributes["data-yanked"]) if "data-yanked" in attributes else None,
        core_metadata=None if metadata == "false" else pick_hash_in(metadata or "")[0],
        size=int(size) if size.isascii() and size.isdecimal() and len(size) < 18 else None,
        upload_time=clean_upload_time(attributes.get("data-upload-time") or ""),
        provenance=clean_provenance(attributes.get("data-provenance")),
    )


# --- JSON -------------------------------------------------------------------------------------------------------------


def _load_json(text: str) -> dict[str, Any]:
    """Return the object of a JSON page whose API version mkindex knows."""
    if why := why_json_is_unbounded(text):
        raise Malformed(why)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"is not valid JSON: damaged or truncated ({printable(str(error))})") from error
    if not isinstance(document, dict):
        raise Malformed("is JSON, but not a page of the Simple API")
    meta = document.get("meta")
    _require_version_1(meta.get("api-version") if isinstance(meta, dict) else None)
    return document


def _read_json_file(file: object, page: str, plain: PlainFiles) -> Link | Rejected | str:
    """Return the link in an entry of `files`, or the name of a file that is not a wheel or sdist."""
    if not isinstance(file, dict):
        return Rejected(
            location=redact(page), reason="an entry of `files` is not an object. Ask the operator of the server"
        )
    filename, address = file.get("filename"), file.get("url")
    if not isinstance(filename, str) or not isinstance(address, str):
        return Rejected(
            location=redact(page), reason="an entry of `files` has no filename or url. Ask the operator of the server"
        )
    if not filename.endswith(SUFFIXES):
        return filename
    try:
        url, name = plain.read(address)
        if name != filename:
            url = normalize_url(join_address(page, address), filename, allow_local=page.startswith("file:"))
        hashes = file.get("hashes")
        sha256, other_hash = read_hash(hashes if isinstance(hashes, dict) else {})
    except ValueError as error:
        return Rejected(location=f"{redact(page)}: {printable(filename)}", reason=str(error))
    metadata = file.get("core-metadata", file.get("dist-info-metadata"))
    yanked = file.get("yanked")
    size = file.get("size")
    return Link(
        url=url,
        filename=filename,
        sha256=sha256,
        other_hash=other_hash,
        requires_python=clean_text(file.get("requires-python")),
        yanked=clean_text(yanked) if yanked else None,  # any true value yanks; only a text is a reason
        core_metadata=pick_hash(metadata)[0] if isinstance(metadata, dict) else "" if metadata is True else None,
        size=size if isinstance(size, int) and not isinstance(size, bool) and 0 <= size < MAX_SIZE else None,
        upload_time=clean_upload_time(clean_text(file.get("upload-time"))),
        provenance=clean_provenance(file.get("provenance")),
    )


# --- both -------------------------------------------------------------------------------------------------------------


def _require_version_1(version: object) -> None:
    """Raise Malformed for a page of another major version of the API; one that states none is of version 1.0."""
    # PEP 629 and 691: for another major version "a client MUST fail with an appropriate error message to the user".
    if isinstance(version, str) and version.partition(".")[0].strip() != "1":
        raise Malformed(f"is of version {printable(version)} of the Simple API, but mkindex supports only version 1")


def _parse_status(status: object, reason: object) -> ProjectStatus | None:
    """Return a project status other than "active"; None for that and for anything unknown."""
    if not isinstance(status, str) or status not in STATUSES:
        return None
    return ProjectStatus(status, clean_text(reason) or None)
