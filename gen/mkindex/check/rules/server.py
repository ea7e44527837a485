"""Rules on how a web server serves an index."""

import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from mkindex.check.findings import DEPENDS, NOTE, WARNING, Observation, rule
from mkindex.check.observations import ServerBehaviour
from mkindex.simple.links import is_loopback
from mkindex.simple.media_types import HTML_TYPE, JSON_TYPE
from mkindex.text import redact
from mkindex.web.responses import RawResponse

_LONGEST = 600  # seconds that pages may be cached: ten minutes, as the public index does
_SLOW = 5.0
_UV_GUESS = 600  # seconds that uv takes a page for fresh that has a Last-Modified and no Cache-Control


@rule(
    ServerBehaviour,
    "unknown-project",
    WARNING,
    uv=DEPENDS,
    clients="Where there are several indexes, uv stops at one that answers 403 (or 200) for a project that it does not "
    "have, and never asks the next; pip goes on.",
    mend="Answer 404: give a bucket's readers s3:ListBucket, a single-page host a 404.html; or tell uv "
    "ignore-error-codes = [403].",
)
def unknown_project(host: ServerBehaviour) -> Iterator[Observation]:
    """A project that is not there is answered with 404."""
    if host.unknown is not None and host.unknown.status not in (404, 410):
        yield Observation(
            f"a project that does not exist is answered with {host.unknown.status or host.unknown.broken}"
        )


@rule(
    ServerBehaviour,
    "no-redirect",
    WARNING,
    clients="Both ask with the slash; people, proxies and older tools without it.",
    mend="Redirect ROOT/PROJECT to ROOT/PROJECT/, on the same host.",
)
def no_redirect(host: ServerBehaviour) -> Iterator[Observation]:
    """The page of a project is found without the slash at its end, too."""
    reply = host.without_slash
    if reply is None or host.page is None:
        return
    if reply.status != 200:
        yield Observation(f"without the slash {redact(reply.url)} answers {reply.status or reply.broken}")
    elif not reply.url.endswith("/"):
        yield Observation(
            f"{redact(reply.url)} is answered without a redirect, so that relative links on it go one level wrong"
        )


@rule(
    ServerBehaviour,
    "plain-http",
    WARNING,
    pip=DEPENDS,
    clients="pip passes over such a host unless it is told --trusted-host; uv takes it. Whoever is between may change "
    "what is installed.",
    mend="Serve it over https.",
)
def plain_http(host: ServerBehaviour) -> Iterator[Observation]:
    """An index that is not on this machine is served over https."""
    parts = urlsplit(host.url)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        yield Observation("is served over http")


@rule(
    ServerBehaviour,
    "no-validator",
    WARNING,
    clients="Both have to read pages anew that did not change.",
    mend="Let the server send ETag or Last-Modified.",
)
def no_validator(host: ServerBehaviour) -> Iterator[Observation]:
    """Pages have an ETag or a Last-Modified."""
    if host.page and not {"etag", "last-modified"} & host.page.headers.keys():
        yield Observation("neither ETag nor Last-Modified")


@rule(
    ServerBehaviour,
    "page-cache",
    WARNING,
    clients="uv takes a page without Cache-Control for fresh for ten minutes, and one with it for as long as it says; "
    "pip, over https, as it says since 26.2. Until then a new release is not seen.",
    mend='Send "Cache-Control: max-age=600" or less with pages; --refresh-package reads them again.',
)
def page_cache(host: ServerBehaviour) -> Iterator[Observation]:
    """Pages say how long they may be cached, and that is not long."""
    if host.page is None:
        return
    control = host.page.headers.get("cache-control", "")
    seconds = freshness(host.page)
    if not control and "expires" not in host.page.headers:
        yield Observation("no Cache-Control: " + freshness_told(host.page))
    elif seconds > _LONGEST:
        yield Observation(f"Cache-Control: {control}: " + freshness_told(host.page))


def freshness(reply: RawResponse) -> int:
    """Return for how many seconds a client that heeds what a server says takes a page for fresh from now on."""
    return max(0, lifetime(reply) - _age(reply))


def lifetime(reply: RawResponse) -> int:
    """Return for how many seconds an answer may be kept from when its server made it; 0 where nothing is said."""
    control = reply.headers.get("cache-control", "").lower()
    if "no-store" in control or "no-cache" in control:
        return 0
    if match := re.search(r"max-age\s*=\s*\"?(\d{1,12})", control):
        return int(match[1])
    try:
        expires = parsedate_to_datetime(reply.headers["expires"])
        return max(0, int((expires - parsedate_to_datetime(reply.headers["date"])).total_seconds()))
    except (KeyError, ValueError, TypeError, OverflowError):
        return 0


def _age(reply: RawResponse) -> int:
    age = reply.headers.get("age", "")
    return int(age) if age.isascii() and age.isdecimal() and len(age) < 10 else 0


def freshness_told(reply: RawResponse) -> str:
    """Say what each client assumes."""
    seconds, said = freshness(reply), "cache-control" in reply.headers or "expires" in reply.headers
    uv = seconds if said else _UV_GUESS if "last-modified" in reply.headers else 0
    secure = reply.url.startswith("https:")
    pip = f"pip for {seconds:,} s" if secure and seconds else "pip asks each time"
    return f"{pip}, uv takes a page for fresh for {uv:,} s" if uv else f"{pip}, and so does uv"


@rule(
    ServerBehaviour,
    "file-cache",
    NOTE,
    clients="Both ask for a file again, or whether it has changed, where it could not have.",
    mend='Where a file never changes at its address, send "Cache-Control: max-age=31536000, immutable" with it.',
)
def file_cache(host: ServerBehaviour) -> Iterator[Observation]:
    """Files may be cached for long."""
    if host.file and host.file.status in (200, 206) and freshness(host.file) < 86_400:
        yield Observation(f"Cache-Control of files: {host.file.headers.get('cache-control', 'none')[:80]}")


@rule(
    ServerBehaviour,
    "no-vary",
    WARNING,
    pip=DEPENDS,
    uv=DEPENDS,
    clients="A cache between may hand out JSON to who asked for HTML, and the other way round.",
    mend='Send "Vary: Accept" with pages.',
)
def no_vary(host: ServerBehaviour) -> Iterator[Observation]:
    """Where the form of a page depends on what is asked for, the answer says so."""
    if host.html and host.json and host.page and "accept" not in _words(host.page.headers.get("vary", "")):
        yield Observation("HTML or JSON as is asked for, and no Vary: Accept")


def _words(value: str) -> list[str]:
    words = [word.strip().lower() for word in value.split(",")]
    return ["accept"] if "*" in words else words


@rule(
    ServerBehaviour,
    "no-range",
    WARNING,
    clients="Where there is no .metadata, uv and pip's fast-deps download whole wheels to read what they require; an "
    "interrupted download begins anew.",
    mend="Serve files from something that knows Range: nginx, Apache, Caddy, a bucket.",
)
def no_range(host: ServerBehaviour) -> Iterator[Observation]:
    """Parts of a file can be asked for."""
    if host.file and host.file.status == 200:
        yield Observation("the whole file comes where one byte was asked for")


@rule(
    ServerBehaviour,
    "unstable",
    WARNING,
    pip=DEPENDS,
    uv=DEPENDS,
    clients="Two clients, or one in two steps, see different releases.",
    mend="Purge the caches between: some of them keep an older page. If it was published just now, check again.",
)
def unstable(host: ServerBehaviour) -> Iterator[Observation]:
    """A page is the same when it is asked for twice."""
    first, again = host.root.reply, host.again
    if again is None or first.status != 200 or again.status != 200:
        return
    if again.media_type == first.media_type and again.body != first.body:
        yield Observation(f"{len(first.body):,} bytes the first time, {len(again.body):,} others the second")


@rule(
    ServerBehaviour,
    "no-json",
    NOTE,
    clients="Upload times, by which pip --uploaded-prior-to chooses, are in JSON only; HTML gets no new features "
    "(PEP 833).",
    mend="Serve the JSON pages to who asks for them: `mkindex host` prints configurations that do.",
)
def no_json(host: ServerBehaviour) -> Iterator[Observation]:
    """Pages are to be had as JSON."""
    if host.html and not host.json:
        yield Observation(f"who asks for {JSON_TYPE} gets HTML")


@rule(
    ServerBehaviour,
    "no-html",
    NOTE,
    clients="Today's get JSON; older ones, and tools that read HTML only, get nothing.",
    mend=f"Serve HTML to who asks for text/html or {HTML_TYPE}.",
)
def no_html(host: ServerBehaviour) -> Iterator[Observation]:
    """Pages are to be had as HTML."""
    if host.json and not host.html:
        yield Observation("who asks for HTML gets JSON, or nothing")


@rule(
    ServerBehaviour,
    "slow",
    NOTE,
    clients="Every install waits for it, once for each project.",
    mend="Put a cache before it, or serve static pages.",
)
def slow(host: ServerBehaviour) -> Iterator[Observation]:
    """A page comes within five seconds."""
    if host.seconds > _SLOW:
        yield Observation(f"a page took {host.seconds:.1f} s")
