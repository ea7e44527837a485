"""Rules on how a web server serves an index."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from mkindex.check.findings import DEPENDS, NOTE, WARNING, Violation, rule
from mkindex.check.freshness import describe_freshness, freshness
from mkindex.check.observations import ServerBehaviour
from mkindex.simple.links import is_loopback
from mkindex.simple.media_types import HTML_TYPE, JSON_TYPE
from mkindex.text import redact

_LONGEST = 600  # seconds that pages may be cached: ten minutes, as the public index does
_SLOW = 5.0


@rule(
    ServerBehaviour,
    "unknown-project",
    WARNING,
    uv=DEPENDS,
    impact="Where there are several indexes, uv stops at one that answers 403 (or 200) for a project that it does not "
    "have, and never asks the next; pip goes on.",
    fix="Answer 404: give a bucket's readers s3:ListBucket, a single-page host a 404.html; or tell uv "
    "ignore-error-codes = [403].",
)
def unknown_project(server: ServerBehaviour) -> Iterator[Violation]:
    """A project that is not there is answered with 404."""
    reply = server.unknown_project
    if reply is not None and reply.status not in (404, 410):
        yield Violation(f"a project that does not exist is answered with {reply.status or reply.broken}")


@rule(
    ServerBehaviour,
    "no-redirect",
    WARNING,
    impact="Both ask with the slash; people, proxies and older tools without it.",
    fix="Redirect ROOT/PROJECT to ROOT/PROJECT/, on the same host.",
)
def no_redirect(server: ServerBehaviour) -> Iterator[Violation]:
    """The page of a project is found without the slash at its end, too."""
    reply = server.without_slash
    if reply is None or server.page is None:
        return
    if reply.status != 200:
        yield Violation(f"without the slash {redact(reply.url)} answers {reply.status or reply.broken}")
    elif not reply.url.endswith("/"):
        yield Violation(
            f"{redact(reply.url)} is answered without a redirect, so that relative links on it go one level wrong"
        )


@rule(
    ServerBehaviour,
    "plain-http",
    WARNING,
    pip=DEPENDS,
    impact="pip passes over such a host unless it is told --trusted-host; uv takes it. Whoever is between may change "
    "what is installed.",
    fix="Serve it over https.",
)
def plain_http(server: ServerBehaviour) -> Iterator[Violation]:
    """An index that is not on this machine is served over https."""
    parts = urlsplit(server.url)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        yield Violation("is served over http")


@rule(
    ServerBehaviour,
    "no-validator",
    WARNING,
    impact="Both have to read pages anew that did not change.",
    fix="Let the server send ETag or Last-Modified.",
)
def no_validator(server: ServerBehaviour) -> Iterator[Violation]:
    """Pages have an ETag or a Last-Modified."""
    if server.page and not {"etag", "last-modified"} & server.page.headers.keys():
        yield Violation("neither ETag nor Last-Modified")


@rule(
    ServerBehaviour,
    "page-cache",
    WARNING,
    impact="uv takes a page without Cache-Control for fresh for ten minutes, and one with it for as long as it says; "
    "pip, over https, as it says since 26.2. Until then a new release is not seen.",
    fix='Send "Cache-Control: max-age=600" or less with pages; --refresh-package reads them again.',
)
def page_cache(server: ServerBehaviour) -> Iterator[Violation]:
    """Pages say how long they may be cached, and that is not long."""
    if server.page is None:
        return
    control = server.page.headers.get("cache-control", "")
    seconds = freshness(server.page)
    if not control and "expires" not in server.page.headers:
        yield Violation("no Cache-Control: " + describe_freshness(server.page))
    elif seconds > _LONGEST:
        yield Violation(f"Cache-Control: {control}: " + describe_freshness(server.page))


@rule(
    ServerBehaviour,
    "file-cache",
    NOTE,
    impact="Both ask for a file again, or whether it has changed, where it could not have.",
    fix='Where a file never changes at its address, send "Cache-Control: max-age=31536000, immutable" with it.',
)
def file_cache(server: ServerBehaviour) -> Iterator[Violation]:
    """Files may be cached for long."""
    if server.file and server.file.status in (200, 206) and freshness(server.file) < 86_400:
        yield Violation(f"Cache-Control of files: {server.file.headers.get('cache-control', 'none')[:80]}")


@rule(
    ServerBehaviour,
    "no-vary",
    WARNING,
    pip=DEPENDS,
    uv=DEPENDS,
    impact="A cache between may hand out JSON to who asked for HTML, and the other way round.",
    fix='Send "Vary: Accept" with pages.',
)
def no_vary(server: ServerBehaviour) -> Iterator[Violation]:
    """Where the form of a page depends on what is asked for, the answer says so."""
    if server.has_html and server.has_json and server.page:
        vary = server.page.headers.get("vary", "")
        if not {"accept", "*"} & {word.strip().lower() for word in vary.split(",")}:
            yield Violation("HTML or JSON as is asked for, and no Vary: Accept")


@rule(
    ServerBehaviour,
    "no-range",
    WARNING,
    impact="Where there is no .metadata, uv and pip's fast-deps download whole wheels to read what they require; an "
    "interrupted download begins anew.",
    fix="Serve files from something that knows Range: nginx, Apache, Caddy, a bucket.",
)
def no_range(server: ServerBehaviour) -> Iterator[Violation]:
    """Parts of a file can be asked for."""
    if server.file and server.file.status == 200:
        yield Violation("the whole file comes where one byte was asked for")


@rule(
    ServerBehaviour,
    "unstable",
    WARNING,
    pip=DEPENDS,
    uv=DEPENDS,
    impact="Two clients, or one in two steps, see different releases.",
    fix="Purge the caches between: some of them keep an older page. If it was published just now, check again.",
)
def unstable(server: ServerBehaviour) -> Iterator[Violation]:
    """A page is the same when it is asked for twice."""
    first, again = server.root.reply, server.second_root
    if again is None or first.status != 200 or again.status != 200:
        return
    if again.media_type == first.media_type and again.body != first.body:
        yield Violation(f"{len(first.body):,} bytes the first time, {len(again.body):,} others the second")


@rule(
    ServerBehaviour,
    "no-json",
    NOTE,
    impact="Upload times, by which pip --uploaded-prior-to chooses, are in JSON only; HTML gets no new features "
    "(PEP 833).",
    fix="Serve the JSON pages to who asks for them: `mkindex host` prints configurations that do.",
)
def no_json(server: ServerBehaviour) -> Iterator[Violation]:
    """Pages are to be had as JSON."""
    if server.has_html and not server.has_json:
        yield Violation(f"who asks for {JSON_TYPE} gets HTML")


@rule(
    ServerBehaviour,
    "no-html",
    NOTE,
    impact="Today's get JSON; older ones, and tools that read HTML only, get nothing.",
    fix=f"Serve HTML to who asks for text/html or {HTML_TYPE}.",
)
def no_html(server: ServerBehaviour) -> Iterator[Violation]:
    """Pages are to be had as HTML."""
    if server.has_json and not server.has_html:
        yield Violation("who asks for HTML gets JSON, or nothing")


@rule(
    ServerBehaviour,
    "slow",
    NOTE,
    impact="Every install waits for it, once for each project.",
    fix="Put a cache before it, or serve static pages.",
)
def slow(server: ServerBehaviour) -> Iterator[Violation]:
    """A page comes within five seconds."""
    if server.seconds > _SLOW:
        yield Violation(f"a page took {server.seconds:.1f} s")
