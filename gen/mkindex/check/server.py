"""Observe how a web server serves an index: formats, caching, redirects, ranges."""

import time
from urllib.parse import urlsplit

from mkindex.check.freshness import describe_freshness
from mkindex.check.identify import Location, fetch_forms
from mkindex.check.observations import ListedFile, SeenProject, ServerBehaviour
from mkindex.simple.links import client_project_url
from mkindex.text import redact
from mkindex.web.responses import RawResponse

UNKNOWN_PROJECT = "mkindex-check-no-such-project"  # the name of no project
ONE_BYTE = {"Accept-Encoding": "identity", "Range": "bytes=0-0"}


def observe_server(location: Location, project: SeenProject | None, file: ListedFile | None) -> ServerBehaviour:
    """Observe how a server behaves, by its root, the page of one project, and one file. Raises RequestFailed."""
    fetcher, root_url = location.fetcher, location.url
    is_index = location.identity.kind == "index"
    root = location.pages[0] if location.pages else None
    page = (project.json or project.html or root) if project else root
    started = time.monotonic()
    second_root = fetcher.get_page(root_url) if root else None
    seconds = time.monotonic() - started
    file_reply = None
    if file and file.url.startswith(("http:", "https:")):
        file_reply = fetcher.request(file.url, ONE_BYTE, most=0)
    pages = [*location.pages, *((project.html, project.json) if project else ())]
    forms = {one.form for one in pages if one and one.is_usable}
    without_slash = None
    unknown_project = fetcher.get_page(client_project_url(root_url, UNKNOWN_PROJECT)) if is_index else None
    if is_index and project:
        without_slash = fetcher.get_page(client_project_url(root_url, project.name).rstrip("/"))
    return ServerBehaviour(
        url=root_url,
        root=root or page or fetch_forms(fetcher, root_url, "root")[0],
        second_root=second_root,
        unknown_project=unknown_project,
        without_slash=without_slash,
        page=page.reply if page else None,
        file=file_reply,
        has_html="html" in forms,
        has_json="json" in forms,
        seconds=seconds,
    )


def fallback_of(unknown: RawResponse, project: str) -> str:
    """Return the index that a request for the page of an unknown project was redirected to; "" if it was not."""
    first = unknown.hops[0] if unknown.hops else unknown.url
    is_elsewhere = urlsplit(first).netloc != urlsplit(unknown.url).netloc
    return (
        redact(unknown.url.removesuffix(f"{project}/")) if is_elsewhere and unknown.url.endswith(f"/{project}/") else ""
    )


def describe_server(server: ServerBehaviour) -> tuple[str, ...]:
    """Describe how a server behaves, whether that is good or bad."""
    forms = " and ".join(name for name, exists in (("HTML", server.has_html), ("JSON", server.has_json)) if exists)
    texts = [f"pages as {forms or 'neither HTML nor JSON'}"]
    if server.page:
        texts.append(describe_freshness(server.page))
        validators = [name for name in ("ETag", "Last-Modified") if name.lower() in server.page.headers]
        texts.append(validators[0] if validators else "no validator")
    if server.file:
        texts.append("Range requests" if server.file.status == 206 else "no Range requests")
    if server.unknown_project:
        texts.append(f"{server.unknown_project.status} for unknown projects")
        if fallback := fallback_of(server.unknown_project, UNKNOWN_PROJECT):
            texts[-1] = f"unknown projects redirected to {fallback}"
    return tuple(texts)
