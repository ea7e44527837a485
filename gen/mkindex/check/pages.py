"""Read pages strictly: what `simple.reader` forgives is what a check looks for."""

from collections.abc import Iterable

from packaging.utils import canonicalize_name

from mkindex.check.html_pages import read_html
from mkindex.check.json_pages import read_json
from mkindex.check.observations import Form, PageKind, SeenPage, SeenRoot
from mkindex.simple.links import name_at_end
from mkindex.simple.media_types import HTML_TYPE, JSON_TYPE
from mkindex.simple.roots import is_project_page, linked_directory
from mkindex.web.responses import RawResponse

_HTML_TYPES = ("text/html", HTML_TYPE)


def read_page(reply: RawResponse, kind: PageKind, *, project: str = "", root: str = "") -> SeenPage:
    """Return what a page says. Never raises: errors on the page become part of the value.

    `root` is the file: URL of the checked directory, if any; see `addresses.resolve`.
    """
    form: Form = "json" if reply.media_type == JSON_TYPE else "html" if reply.media_type in _HTML_TYPES else ""
    page = SeenPage(kind=kind, project=project, form=form, reply=reply, root=root, base=reply.url, broken=reply.broken)
    if reply.status != 200 or reply.broken or not form:
        return page
    text = reply.body.decode("utf-8-sig", "replace")
    return read_json(page, text) if form == "json" else read_html(page, text)


def project_links(roots: Iterable[SeenPage]) -> dict[str, str]:
    """Return the projects that root pages name, in any form: normalized name to linked directory, "" in JSON."""
    links: dict[str, str] = {}
    for page in roots:
        for project in page.projects:
            links.setdefault(canonicalize_name(project.name), project.url and linked_directory(project.url))
    return links


def is_page_of(project: str, page: SeenPage) -> bool:
    """Tell whether a page is that of a project, by its normalized name."""
    is_empty = page.is_index and not page.entries and not page.stray_links
    return is_project_page(project, (entry.filename for entry in page.entries), is_empty=is_empty)


def seen_root(roots: Iterable[SeenPage]) -> SeenRoot | None:
    """Return the projects that both forms of a root name; None if it does not exist in both."""
    pages = {page.form: page for page in roots if page.is_usable and not page.field_errors}
    if not {"html", "json"} <= pages.keys():
        return None
    html = pages["html"]
    return SeenRoot(
        html=frozenset(project_links([html])),
        json=frozenset(project_links([pages["json"]])),
        html_links=frozenset(canonicalize_name(name_at_end(link.rstrip("/"))) for link in html.stray_links),
    )
