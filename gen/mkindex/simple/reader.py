"""Pages to what they say, JSON and HTML alike: files with their attributes, projects, and links that go elsewhere.

Knows no network and no disk. Nothing is believed to be well-formed: a file whose entry makes no sense is refused alone,
a page that makes none as a whole.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Self
from urllib.parse import quote_from_bytes, unquote, unquote_to_bytes, urljoin, urlsplit, urlunsplit

from mkindex.errors import Rejected, printable, shown

JSON, HTML = "application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.v1+html"
MAX_LINKS = 1_000_000  # on one page, to files
MAX_PROJECTS = 10_000_000  # the public index has a million
_MAX_NESTED = 10_000  # elements one in the other, and attributes of one
_MAX_SIZE = 10**18  # bytes of a file that clients read as 64 bits

# The endings that uv, pip and poetry all install from (PEP 427, PEP 625; `.zip` for older sdists).
DISTRIBUTIONS = (".whl", ".tar.gz", ".zip")
# packaging's parsers let quotes, line breaks and percent signs through.
FILENAME = re.compile(r"[A-Za-z0-9._+!-]{1,255}")
STRANGE_NAME = "a name with characters other than letters, digits and ._+!- in it: build it again"

_HEX = re.compile(r"[0-9a-fA-F]+")
# Longest first: the strongest of the hashes that a page gives is the one that counts.
_DIGITS = {"sha512": 128, "sha384": 96, "sha256": 64, "sha224": 56, "sha1": 40, "md5": 32}
_PLAIN = re.compile(r"(/)?(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)+")  # a path to a directory that needs no parsing
_HOST = re.compile(r"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::\d+)?")
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# Elements that end at the next of their kind, or have no content.
_TAG = re.compile(
    r"<(/?)(?!(?:a|br|hr|img|li|link|meta|p|td|th|tr|dt|dd|input|option)\b)([a-z][^\s/>]*)", re.IGNORECASE
)
_BETWEEN = re.compile(r"[\s/]+")  # attributes
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?Z", re.ASCII)
_STATUSES = frozenset({"active", "archived", "quarantined", "deprecated"})
_LISTING = re.compile(r"\s*(?:index of|directory listing for|directory:)\s", re.IGNORECASE)


class Malformed(Exception):
    """A page that says nothing reliable; the text says what is wrong with it."""


class Link(NamedTuple):
    """A file that a page or a list names, and what is said of it there. A tuple, since there may be a million."""

    url: str  # absolute, percent-encoded, without fragment
    filename: str
    sha256: str = ""  # lower-case hex; "": not said
    other_hash: str = ""  # the strongest of another kind, as "md5=…", if there is no sha256
    requires_python: str = ""
    yanked: str | None = None  # None: no. "": yes, without a reason
    core_metadata: str | None = None  # sha256 of the `.metadata` sibling. "": it is there, of unknown hash
    size: int | None = None  # bytes
    upload_time: str = ""  # as on the wire
    provenance: str = ""
    trusted: bool = False  # not to be asked for: somebody vouches that it is there

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is not a file of this machine."""
        return not self.url.startswith("file:")

    @property
    def location(self) -> str:
        """What a person may see of its address: credentials could lie in the rest."""
        return shown(self.url)


class Status(NamedTuple):
    """The status marker of a project (PEP 792)."""

    status: str
    reason: str = ""


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
    status: Status | None = None
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
        return Rejected(location=shown(page), reason="an entry of this page is no object: ask who runs it")
    filename, address = file.get("filename"), file.get("url")
    if not isinstance(filename, str) or not isinstance(address, str):
        return Rejected(location=shown(page), reason="an entry of this page has no filename or url: ask who runs it")
    if not filename.endswith(DISTRIBUTIONS):
        return filename
    try:
        url = address_of(urljoin(page, _stripped(address)), filename, from_file=page.startswith("file:"))
    except ValueError as error:
        return Rejected(location=f"{shown(page)}: {printable(filename)}", reason=str(error))
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
        size=size if isinstance(size, int) and not isinstance(size, bool) and 0 <= size < _MAX_SIZE else None,
        upload_time=_upload_time(text_of(file.get("upload-time"))),
        provenance=_provenance(file.get("provenance")),
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
    here = _Here.of(url, _stripped(base.attributes.get("href") or "") if base else "")
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
    href = _stripped(attributes["href"] or "")
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
    if not filename.endswith(DISTRIBUTIONS):
        below = here.below(target)
        return _Below(below) if below else filename if "." in filename else None
    try:
        url = address_of(target, filename, from_file=here.page.startswith("file:"))
    except ValueError as error:
        return Rejected(location=shown(target), reason=str(error))
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
        upload_time=_upload_time(attributes.get("data-upload-time") or ""),
        provenance=_provenance(attributes.get("data-provenance")),
    )


def _stripped(href: str) -> str:
    """Drop what the URL standard has a browser drop: white space around, line breaks and tabs within."""
    return href.strip().translate({9: None, 10: None, 13: None})


def address_of(url: str, filename: str, *, from_file: bool) -> str:
    """Return the absolute address of a file, spelled in one way only. Raises ValueError, which says what is wrong.

    `from_file`: a page or a list of this machine names it, which may name files of this machine, too.
    """
    if not FILENAME.fullmatch(filename):
        raise ValueError(STRANGE_NAME)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") and not (parts.scheme == "file" and from_file):
        raise ValueError(f"a page may not link to a {printable(parts.scheme)}: address: mend the page")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the link has a user name or a password in it, which every reader would see: mend the page")
    host = parts.netloc
    if not host.isascii():
        host = (parts.hostname or "").encode("idna").decode() + (f":{parts.port}" if parts.port else "")
    is_host = host in ("", "localhost") if parts.scheme == "file" else _HOST.fullmatch(host)
    if not is_host or (parts.port or 0) < 0:
        raise ValueError("the link names no host: mend the page")
    # A literal "+" is a space to S3; pip spells all paths anew in this way before it asks.
    path = "/".join(quote_from_bytes(unquote_to_bytes(segment), safe="") for segment in parts.path.split("/"))
    query = quote_from_bytes(parts.query.encode(), safe="%/:=&?~+!$,;'@()*[]|")
    return urlunsplit((parts.scheme, host, path, query, ""))


def link_to(address: str) -> Link:
    """Return the link that a user's own address of a file is, with the hash in its fragment. Raises ValueError."""
    parts = urlsplit(address)
    filename = unquote(parts.path.rpartition("/")[2])
    sha256, other = hashes_in(parts.fragment)
    url = address_of(address, filename, from_file=True)
    return Link(url=url, filename=filename, sha256=sha256, other_hash=other)


def hashes_in(fragment: str) -> tuple[str, str]:
    """Return the hashes in the fragment of an address, "sha256=…" and what may stand beside it, as `hashes_of` does."""
    return hashes_of(dict(part.partition("=")[::2] for part in unquote(fragment).split("&")))


def hashes_of(hashes: Mapping[Any, Any]) -> tuple[str, str]:
    """Return the sha256, and where there is none the strongest other hash as "name=hex"; each "" for none."""
    known = {
        str(name).lower(): value.lower()
        for name, value in hashes.items()
        if isinstance(value, str) and len(value) == _DIGITS.get(str(name).lower()) and _HEX.fullmatch(value)
    }
    if "sha256" in known:
        return known["sha256"], ""
    return "", next(
        (f"{name}={known[name]}" for name in _DIGITS if name in known and name in hashlib.algorithms_available), ""
    )


def text_of(value: object) -> str:
    """Return a text on one line, without what no page can hold: control characters and halves of surrogate pairs."""
    return " ".join(_UNWRITABLE.sub(" ", value).split()) if isinstance(value, str) else ""


def _upload_time(value: str) -> str:
    """Return a time in the form that all clients read, with no fraction or one of six digits; "" for no time."""
    match = _TIME.fullmatch(value)
    try:
        datetime.fromisoformat(match[1] if match else "")
    except ValueError:
        return ""
    assert match
    return f"{match[1]}.{match[2][:6]:0<6}Z" if match[2] and match[2].strip("0") else f"{match[1]}Z"


def _provenance(value: object) -> str:
    # PEP 740: "The value … MUST be a fully qualified URL", and https.
    return (
        value
        if isinstance(value, str) and value.startswith("https://") and value.isprintable() and value.isascii()
        else ""
    )


def _status(status: object, reason: object) -> Status | None:
    if not isinstance(status, str) or status not in _STATUSES or status == "active":
        return None
    return Status(status, text_of(reason))
