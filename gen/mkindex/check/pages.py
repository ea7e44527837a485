"""A second, strict look at pages: what the reader of sources forgives is what a check is for."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from packaging.utils import canonicalize_name

from mkindex.check.observations import Form, Kind, ListedFile, SeenPage
from mkindex.simple.links import pick_hash, pick_hash_in
from mkindex.simple.media_types import HTML_TYPE, JSON_TYPE
from mkindex.simple.reader import Malformed, parse_html, parse_json
from mkindex.text import printable, redact
from mkindex.tree.names import INDEX_HTML
from mkindex.web.responses import RawResponse

HTML_TYPES = ("text/html", HTML_TYPE)
# Whatever somebody may once have installed: as a link it is meant as a file, and not as a companion of one.
FILES = (
    *(".whl", ".tar.gz", ".zip", ".tgz", ".tar", ".tar.bz2", ".tar.xz", ".tar.zst", ".tar.Z", ".egg", ".exe", ".msi"),
    *(".rpm", ".deb", ".dmg"),
)
_HANDLER = re.compile(r"on[a-z]+|style|.*[\"'<>=`].*", re.DOTALL)
_RUNS = ("javascript", "data", "vbscript", "file", "blob")
NOBODY = "mkindex-check-no-such-project"  # the name of a project that no index has
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")  # bidi marks among them
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)


def read(reply: RawResponse, kind: Kind, *, project: str = "", root: str = "") -> SeenPage:
    """Return what a page says. Nothing is raised: what makes no sense is said in it.

    `root`: the file: URL of the directory that is checked, which links that begin with a slash are taken to be below.
    """
    form: Form = "json" if reply.media_type == JSON_TYPE else "html" if reply.media_type in HTML_TYPES else ""
    page = SeenPage(kind=kind, project=project, form=form, reply=reply, root=root, base=reply.url, broken=reply.broken)
    if reply.status != 200 or reply.broken or not form:
        return page
    text = reply.body.decode("utf-8-sig", "replace")
    if not text.strip():
        return _but(page, broken="is empty")
    return _json(page, text) if form == "json" else _html(page, text)


def _but(page: SeenPage, **changes: Any) -> SeenPage:  # noqa: ANN401 (the fields of Page)
    from dataclasses import replace

    return replace(page, **changes)


# --- JSON -----------------------------------------------------------------------------------------------------------


def _json(page: SeenPage, text: str) -> SeenPage:
    try:
        parse_json(text, page.base)
    except Malformed as error:
        # That of another major version is read all the same: clients do so.
        if "of version" not in str(error):
            return _but(page, broken=str(error))
    document = json.loads(text)
    odd: list[str] = []
    meta = document.get("meta")
    if not isinstance(meta, dict):
        odd.append("has no object `meta`")
    files, projects = document.get("files", []), document.get("projects", [])
    entries, names = [], []
    for number, file in enumerate(files if isinstance(files, list) else []):
        if isinstance(file, dict):
            entries.append(_json_entry(file, page))
        else:
            odd.append(f"files[{number}] is {_kind(file)}, and must be an object")
    for number, one in enumerate(projects if isinstance(projects, list) else []):
        name = one.get("name") if isinstance(one, dict) else None
        if isinstance(name, str):
            names.append((name, ""))
        else:
            odd.append(f"projects[{number}] has no text `name`")
    if page.kind == "project" and "files" not in document:
        return _but(page, broken="is the page of no project: it has no `files`")
    marker = document.get("project-status")
    if "project-status" in document and not (isinstance(marker, dict) and isinstance(marker.get("status"), str)):
        odd.append(f"project-status is {_kind(marker)}, and must be an object with a text `status`")
    return _but(
        page,
        entries=tuple(entries),
        projects=tuple(names),
        odd=tuple(odd),
        document={key: value for key, value in document.items() if key not in ("files", "projects")},
        api_version=meta.get("api-version") if isinstance(meta, dict) else None,
        status=str(marker.get("status", "")) if isinstance(marker, dict) else "",
        is_index=True,
    )


def _json_entry(raw: Mapping[str, Any], page: SeenPage) -> ListedFile:
    link, filename = raw.get("url"), raw.get("filename")
    hashes, metadata = raw.get("hashes"), raw.get("core-metadata", raw.get("dist-info-metadata"))
    sha256, other = pick_hash(hashes if isinstance(hashes, dict) else {})
    yanked, size, python = raw.get("yanked"), raw.get("size"), raw.get("requires-python")
    return ListedFile(
        raw=raw,
        form="json",
        link=link if isinstance(link, str) else "",
        url=absolute(page.base, link, page.root) if isinstance(link, str) else "",
        filename=filename if isinstance(filename, str) else "",
        page=page.base,
        sha256=sha256,
        other_hash=other,
        requires_python=python if isinstance(python, str) else "",
        yanked=(yanked if isinstance(yanked, str) else "") if yanked else None,
        metadata=pick_hash(metadata)[0]
        if isinstance(metadata, dict) and metadata
        else ""
        if metadata is True
        else None,
        size=size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None,
    )


def _kind(value: object) -> str:
    names = {type(None): "null", str: "a text", bool: "true or false", list: "a list", dict: "an object"}
    return names.get(type(value), "a number")


kind_of = _kind


# --- HTML -----------------------------------------------------------------------------------------------------------


def _html(page: SeenPage, text: str) -> SeenPage:
    from selectolax.lexbor import LexborHTMLParser

    try:
        known = parse_html(text, page.base)
    except Malformed as error:
        return _but(page, broken=str(error))
    tree = LexborHTMLParser(text)
    metas = {meta.attributes.get("name"): meta.attributes.get("content") for meta in tree.css('meta[name^="pypi:"]')}
    element = tree.css_first("base[href]")
    base_link = (element.attributes.get("href") or "") if element else None
    base = page.base
    if base_link:
        base = absolute(page.base, base_link) or page.base
    entries: list[ListedFile] = []
    stray: list[str] = []
    dangerous: list[str] = []
    projects: list[tuple[str, str]] = []
    links: list[str] = []
    for node in tree.css("a"):
        attributes = node.attributes
        dangerous += _dangers(attributes)
        if (href := attributes.get("href")) is None:
            continue
        link = href.strip()
        url, shows = absolute(base, link, page.root), node.text(deep=True)
        if _filename(link):
            entries.append(_html_entry(attributes, url, base, shows))
        elif page.kind == "root" and (project := _project_page(link, url, base)):
            projects.append((shows.strip(), project))
            links.append(link)
        elif not link.startswith("#") and (scheme := _SCHEME.match(link)) and scheme[1].lower() in _RUNS:
            dangerous.append(f"a link to a {scheme[1].lower()}: address: {link[:80]}")
        else:
            stray.append(link)
    return _but(
        page,
        base=base,
        entries=tuple(entries),
        projects=tuple(projects),
        project_links=tuple(links),
        stray=tuple(stray),
        dangerous=tuple(dangerous),
        base_link=base_link,
        api_version=metas.get("pypi:repository-version"),
        status=metas.get("pypi:project-status") or "",
        has_doctype=text.lstrip()[:9].lower() == "<!doctype",
        has_end=known.has_end,
        is_listing=known.is_listing,
        is_index=known.is_index,
        is_login=tree.css_first('input[type="password"]') is not None,
    )


def _project_page(link: str, url: str, base: str) -> str:
    """Return the address of a directory one level below a root that a link of it leads to, "" if it leads elsewhere."""
    page = url.removesuffix(INDEX_HTML).rstrip("/")
    directory, _, name = page.rpartition("/")
    is_below = f"{directory}/" == base.rpartition("/")[0] + "/" and name not in ("", ".", "..")
    is_page = url != page or re.fullmatch(r"[A-Za-z0-9_-]+", link)
    return f"{page}/" if is_below and is_page and "?" not in url else ""


def _html_entry(raw: Mapping[str, str | None], url: str, base: str, shows: str) -> ListedFile:
    link = (raw["href"] or "").strip()
    sha256, other = pick_hash_in(link.partition("#")[2])
    metadata = raw.get("data-core-metadata", raw.get("data-dist-info-metadata", "false"))
    size = raw.get("data-size") or ""
    return ListedFile(
        raw=raw,
        form="html",
        link=link,
        url=url,
        filename=_filename(link),
        page=base,
        text=shows,
        sha256=sha256,
        other_hash=other,
        requires_python=raw.get("data-requires-python") or "",
        yanked=(raw["data-yanked"] or "") if "data-yanked" in raw else None,
        metadata=None if metadata == "false" else pick_hash_in(metadata or "")[0],
        size=int(size) if size.isascii() and size.isdecimal() and len(size) < 18 else None,
    )


def _filename(link: str) -> str:
    """Return the name of the file that a link leads to, "" where it is none."""
    name = unquote(re.split(r"[?#]", link, maxsplit=1)[0].rpartition("/")[2])
    return name if name.endswith(FILES) or name.lower().endswith((".whl", ".tar.gz", ".zip")) else ""


def _dangers(attributes: Mapping[str, str | None]) -> Iterator[str]:
    for name, value in attributes.items():
        if _HANDLER.fullmatch(name):
            yield f"an anchor with an attribute {printable(name)[:60]!r}: a quote that was not escaped, or a script"
        if value and _HIDDEN.search(value):
            yield f"an anchor whose {printable(name)[:60]} holds control characters: {printable(value)[:80]}"


# --- addresses ------------------------------------------------------------------------------------------------------


def absolute(base: str, link: str, root: str = "") -> str:
    """Return where a link leads, without fragment; "" where that is no address. `root`: as for `read`."""
    link = link.strip()
    try:
        url = root + link.lstrip("/") if root and re.match(r"/(?!/)", link) else urljoin(base, link)
        parts = urlsplit(url)
        if (parts.port or 0) < 0 or CONTROL.search(url):
            return ""
    except ValueError:
        return ""
    return urlunsplit(parts._replace(fragment=""))


def project_url(root: str, name: str) -> str:
    """Return the address of a project's page, as clients make it from that of the root."""
    return f"{root.rstrip('/')}/{canonicalize_name(name)}/"


def listed(roots: Iterable[SeenPage]) -> dict[str, str]:
    """Return the normalized names of the projects on a root page, in any form, with the links to them if it has any.

    HTML: clients never look at the root, but whoever does goes where the link leads.
    """
    found: dict[str, str] = {}
    for page in roots:
        for name, url in page.projects:
            found.setdefault(canonicalize_name(last(url) if page.form == "html" else name), url)
    return found


def last(url: str) -> str:
    """Return the last part of the path of an address."""
    return unquote(url.partition("?")[0].partition("#")[0].rstrip("/").rpartition("/")[2])


def link_shown(link: str) -> str:
    """Return a link as a person may see it: without what can be a secret in it, and not too long."""
    return redact(link)[:160] if "://" in link else printable(re.split(r"[?#]", link, maxsplit=1)[0])[:160]


def address(url: str, root: str = "") -> str:
    """Return how a person is shown an address: below a directory that is checked, as a path in that."""
    if root and url.startswith(root):
        return printable(unquote(url[len(root) :])) or "."
    return redact(url)
