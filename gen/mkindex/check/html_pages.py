"""Read pages in the HTML form (PEP 503)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

from mkindex.check.addresses import resolve, shorten
from mkindex.check.observations import ListedFile, NamedProject, SeenPage
from mkindex.model.wheel_variants import VARIANTS_JSON
from mkindex.simple.links import pick_hash_in
from mkindex.simple.reader import Malformed, link_text, parse_html
from mkindex.simple.roots import project_links
from mkindex.text import printable

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser

# Formats that could once be installed, too: a link to one is meant as a file of the project.
_FILES = (
    *(".whl", ".tar.gz", ".zip", ".tgz", ".tar", ".tar.bz2", ".tar.xz", ".tar.zst", ".tar.Z", ".egg", ".exe", ".msi"),
    *(".rpm", ".deb", ".dmg", VARIANTS_JSON),
)
_HANDLER = re.compile(r"on[a-z]+|style|.*[\"'<>=`].*", re.DOTALL)
_UNSAFE_SCHEMES = ("javascript", "data", "vbscript", "file", "blob")
_HIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")  # includes bidi marks
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_MAX_NAME, _MAX_VALUE = 60, 80  # characters that are displayed


def read_html(page: SeenPage, text: str) -> SeenPage:
    """Return a page with what its HTML says."""
    from selectolax.lexbor import LexborHTMLParser

    if not text.strip():
        return replace(page, broken="is empty")
    try:
        parsed = parse_html(text, page.base, any_version=True)  # clients read pages of all versions
    except Malformed as error:
        return replace(page, broken=str(error))
    tree = LexborHTMLParser(text)
    metas = {meta.attributes.get("name"): meta.attributes.get("content") for meta in tree.css("meta[name]")}
    element = tree.css_first("base[href]")
    base_href = (element.attributes.get("href") or "") if element else None
    base = (resolve(page.base, base_href) if base_href else "") or page.base
    links = _links(page, tree, base)
    return replace(
        page,
        base=base,
        entries=tuple(links.entries),
        projects=tuple(links.projects),
        stray_links=tuple(links.stray),
        dangers=tuple(links.dangers),
        base_href=base_href,
        api_version=metas.get("pypi:repository-version"),
        status=metas.get("pypi:project-status") or "",
        is_reserved=metas.get("mkindex:reserved") == "true",
        has_doctype=text.lstrip()[:9].lower() == "<!doctype",
        has_end=parsed.has_end,
        is_listing=parsed.is_listing,
        is_index=parsed.is_index,
        is_login=tree.css_first('input[type="password"]') is not None,
    )


@dataclass
class _Links:
    """The anchors of a page, sorted by what they link to."""

    entries: list[ListedFile] = field(default_factory=list)
    projects: list[NamedProject] = field(default_factory=list)
    stray: list[str] = field(default_factory=list)
    dangers: list[str] = field(default_factory=list)


def _links(page: SeenPage, tree: "LexborHTMLParser", base: str) -> _Links:
    links, others = _Links(), list[tuple[str, str, str]]()
    for node in tree.css("a"):
        attributes = node.attributes
        links.dangers += _dangers(attributes)
        if (href := attributes.get("href")) is None:
            continue
        link = href.strip()
        url, text = resolve(base, link, page.root), link_text(node)
        if _filename(link):
            links.entries.append(_entry(attributes, url, base, text))
        else:
            others.append((link, url, text))
    addresses = [(url, text.strip) for _, url, text in others] if page.kind == "root" else []
    names = {url: name for name, url in project_links(addresses, base, anywhere=not links.entries)}
    for link, url, text in others:
        if url in names:
            links.projects.append(NamedProject(names[url], url, link, text.strip()))
        elif not link.startswith("#") and (scheme := _SCHEME.match(link)) and scheme[1].lower() in _UNSAFE_SCHEMES:
            links.dangers.append(f"a link to a {scheme[1].lower()}: address: {shorten(link, _MAX_VALUE)}")
        else:
            links.stray.append(link)
    return links


def _entry(raw: Mapping[str, str | None], url: str, base: str, text: str) -> ListedFile:
    link = (raw["href"] or "").strip()
    sha256, other_hash = pick_hash_in(link.partition("#")[2])
    metadata = raw.get("data-core-metadata", raw.get("data-dist-info-metadata", "false"))
    size = raw.get("data-size") or ""
    return ListedFile(
        raw=raw,
        form="html",
        link=link,
        url=url,
        filename=_filename(link),
        page=base,
        anchor_text=text,
        sha256=sha256,
        other_hash=other_hash,
        requires_python=raw.get("data-requires-python") or "",
        yanked=(raw["data-yanked"] or "") if "data-yanked" in raw else None,
        metadata=None if metadata == "false" else pick_hash_in(metadata or "")[0],
        size=int(size) if size.isascii() and size.isdecimal() and len(size) < 18 else None,
    )


def _filename(link: str) -> str:
    """Return the name of the file that a link leads to, "" if it does not lead to a file."""
    name = unquote(re.split(r"[?#]", link, maxsplit=1)[0].rpartition("/")[2])
    return name if name.endswith(_FILES) or name.lower().endswith((".whl", ".tar.gz", ".zip")) else ""


def _dangers(attributes: Mapping[str, str | None]) -> Iterator[str]:
    for name, value in attributes.items():
        shown = printable(name)[:_MAX_NAME]
        if _HANDLER.fullmatch(name):
            yield f"an anchor has the attribute {shown!r}: an unescaped quote, or a script"
        if value and _HIDDEN.search(value):
            yield f"an anchor has control characters in {shown}: {shorten(printable(value), _MAX_VALUE)}"
