"""Rules on how a web server serves an index."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from mkindex.check.findings import DEPENDS, NOTE, WARNING, Violation, rule
from mkindex.check.freshness import describe_freshness, freshness
from mkindex.check.observations import ServerBehaviour
from mkindex.simple.links import is_loopback
from mkindex.simple.media_types import HTML_TYPE, JSON_TYPE
from mkindex.text import redact

_MAX_PAGE_FRESHNESS = 600  # seconds, as on the public index
_MIN_FILE_FRESHNESS = 86_400  # seconds
_SLOW = 5.0  # seconds


@rule(
    ServerBehaviour,
    "unknown-project",
    WARNING,
    uv=DEPENDS,
    impact="With several indexes, uv stops at one that answers 403 (or 200) for an unknown project, and never asks "
    "the next one. pip goes on.",
    fix="Answer 404. In a bucket, grant readers s3:ListBucket; on a host for single-page applications, add a "
    "404.html. Or set ignore-error-codes = [403] in the configuration of uv.",
)
def unknown_project(server: ServerBehaviour) -> Iterator[Violation]:
    """A request for an unknown project is answered with 404."""
    reply = server.unknown_project
    if reply is not None and reply.status not in (404, 410):
        yield Violation(f"an unknown project is answered with {reply.status or reply.broken}")


@rule(
    ServerBehaviour,
    "no-redirect",
    WARNING,
    impact="pip and uv request the address with the slash. People, proxies and older tools may omit it.",
    fix="Redirect ROOT/PROJECT to ROOT/PROJECT/ on the same host.",
)
def no_redirect(server: ServerBehaviour) -> Iterator[Violation]:
    """The page of a project is also found without the slash at the end."""
    reply = server.without_slash
    if reply is None or server.page is None:
        return
    if reply.status != 200:
        yield Violation(f"{redact(reply.url)} (without the slash) answers {reply.status or reply.broken}")
    elif not reply.url.endswith("/"):
        yield Violation(
            f"{redact(reply.url)} is answered without a redirect, so relative links on it are one level off"
        )


@rule(
    ServerBehaviour,
    "plain-http",
    WARNING,
    pip=DEPENDS,
    impact="pip ignores such a host without --trusted-host; uv uses it. Anybody on the network path can change what "
    "is installed.",
    fix="Serve it over https.",
)
def plain_http(server: ServerBehaviour) -> Iterator[Violation]:
    """An index is served over https, unless it is on this machine."""
    parts = urlsplit(server.url)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        yield Violation("is served over http")


@rule(
    ServerBehaviour,
    "no-validator",
    WARNING,
    impact="pip and uv have to download pages again that have not changed.",
    fix="Configure the server to send ETag or Last-Modified.",
)
def no_validator(server: ServerBehaviour) -> Iterator[Violation]:
    """Pages have an ETag or a Last-Modified header."""
    if server.page and not {"etag", "last-modified"} & server.page.headers.keys():
        yield Violation("neither ETag nor Last-Modified")


@rule(
    ServerBehaviour,
    "page-cache",
    WARNING,
    impact="uv caches a page without Cache-Control for ten minutes, and one with it for as long as it allows. pip "
    "follows it over https since 26.2. Until the cached page expires, a new release is not seen.",
    fix='Send "Cache-Control: max-age=600" or less with pages. uv --refresh-package reads a page again.',
)
def page_cache(server: ServerBehaviour) -> Iterator[Violation]:
    """Pages say how long they may be cached, and that is at most ten minutes."""
    if server.page is None:
        return
    control = server.page.headers.get("cache-control", "")
    seconds = freshness(server.page)
    if not control and "expires" not in server.page.headers:
        yield Violation("no Cache-Control: " + describe_freshness(server.page))
    elif seconds > _MAX_PAGE_FRESHNESS:
        yield Violation(f"Cache-Control: {control}: " + describe_freshness(server.page))


@rule(
    ServerBehaviour,
    "file-cache",
    NOTE,
    impact="pip and uv request a file again, or ask whether it has changed, although it cannot have changed.",
    fix='If a file never changes at its address, send "Cache-Control: max-age=31536000, immutable" with it.',
)
def file_cache(server: ServerBehaviour) -> Iterator[Violation]:
    """Files may be cached for a long time."""
    if server.file and server.file.status in (200, 206) and freshness(server.file) < _MIN_FILE_FRESHNESS:
        yield Violation(f"Cache-Control of files: {server.file.headers.get('cache-control', 'none')[:80]}")


@rule(
    ServerBehaviour,
    "no-vary",
    WARNING,
    pip=DEPENDS,
    uv=DEPENDS,
    impact="A cache in between may send JSON to a client that asked for HTML, or the reverse.",
    fix='Send "Vary: Accept" with pages.',
)
def no_vary(server: ServerBehaviour) -> Iterator[Violation]:
    """If the form of a page depends on the request, the answer has Vary: Accept."""
    if server.has_html and server.has_json and server.page:
        vary = server.page.headers.get("vary", "")
        if not {"accept", "*"} & {word.strip().lower() for word in vary.split(",")}:
            yield Violation("sends HTML or JSON, as requested, without Vary: Accept")


@rule(
    ServerBehaviour,
    "no-range",
    WARNING,
    impact="Without a .metadata file, uv and pip's fast-deps download whole wheels to read their requirements. An "
    "interrupted download starts from the beginning.",
    fix="Serve files with a server that supports Range requests: nginx, Apache, Caddy, or a bucket.",
)
def no_range(server: ServerBehaviour) -> Iterator[Violation]:
    """The server supports Range requests for files."""
    if server.file and server.file.status == 200:
        yield Violation("a request for one byte returned the whole file")


@rule(
    ServerBehaviour,
    "unstable",
    WARNING,
    pip=DEPENDS,
    uv=DEPENDS,
    impact="Two clients, or two requests of one client, see different releases.",
    fix="Purge the caches in between: some of them have an older page. If the page was published just now, check "
    "again.",
)
def unstable(server: ServerBehaviour) -> Iterator[Violation]:
    """Two requests for the same page return the same page."""
    first, again = server.root.reply, server.second_root
    if again is None or first.status != 200 or again.status != 200:
        return
    if again.media_type == first.media_type and again.body != first.body:
        yield Violation(
            f"{len(first.body):,} bytes the first time, {len(again.body):,} different bytes the second time"
        )


@rule(
    ServerBehaviour,
    "no-json",
    NOTE,
    impact="Only JSON has upload times, which pip --uploaded-prior-to needs. HTML gets no new features (PEP 833).",
    fix="Serve the JSON pages to clients that request them: `mkindex host` prints configurations that do so.",
)
def no_json(server: ServerBehaviour) -> Iterator[Violation]:
    """Pages are available as JSON."""
    if server.has_html and not server.has_json:
        yield Violation(f"a request for {JSON_TYPE} returns HTML")


@rule(
    ServerBehaviour,
    "no-html",
    NOTE,
    impact="Current versions of pip and uv use JSON. Older versions, and tools that read only HTML, get nothing.",
    fix=f"Serve HTML to clients that request text/html or {HTML_TYPE}.",
)
def no_html(server: ServerBehaviour) -> Iterator[Violation]:
    """Pages are available as HTML."""
    if server.has_json and not server.has_html:
        yield Violation("a request for HTML returns JSON, or nothing")


@rule(
    ServerBehaviour,
    "slow",
    NOTE,
    impact="Every install waits for it, once for each project.",
    fix="Put a cache in front of it, or serve static pages.",
)
def slow(server: ServerBehaviour) -> Iterator[Violation]:
    """A page arrives within five seconds."""
    if server.seconds > _SLOW:
        yield Violation(f"a page took {server.seconds:.1f} s")
