"""Functions to examine links, both for files that stay on their server and for mirrored ones.

Every link is requested from its server before it is listed. The facts of a file are cached by address, with the hash
that the page gives, or without one with the validator and size that the server sends.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple, Protocol, TypeVar
from urllib.parse import urlsplit

from mkindex.distributions.describe import describe_name
from mkindex.errors import Note, Rejected, SourceError, Unreadable, nothing
from mkindex.examine.local import WrittenTree
from mkindex.model.files import Facts, File, Link, decode_facts, describe_mismatch, encode_facts
from mkindex.parallel import map_pulled
from mkindex.progress import Progress
from mkindex.simple.links import filename_in, has_expiring_signature
from mkindex.text import plural
from mkindex.web.client import WebClient
from mkindex.web.responses import FileHead, Refused, RequestFailed

T = TypeVar("T")
R = TypeVar("R")
Outcome = File | Rejected
Advance = Callable[[int], object]  # called with the number of bytes that were read
_ZIPS = (".whl", ".zip")
_PAGES = ("text/html", "application/xhtml+xml")
# Client errors that do not mean that the file is missing: 401 and 407 ask for credentials, 408 and 429 for patience.
_NOT_ABOUT_THE_FILE = frozenset({401, 407, 408, 429})


class KnownFacts(Protocol):
    """Facts of earlier runs, by address: a Cache, or what a worker was given of one."""

    def load(self, keys: Iterable[str]) -> None:
        """Prepare for recall()."""

    def recall(self, key: str) -> tuple[str, str] | None:
        """Return the validator and the text that were remembered under `key`, or None."""

    def remember(self, key: str, validator: str, text: str) -> None:
        """Remember a text, and the validator of the server's answer."""


class LinkExaminer(Protocol):
    """What examines links in other processes."""

    def map(
        self, step: "Callable[[T, LinkWork, Advance], R]", items: Sequence[T], work: "LinkWork", advance: "Advance"
    ) -> Iterator[R]:
        """Yield the results of a step of the work, in order."""

    def sees(self, tree: WrittenTree) -> bool:
        """Tell whether all processes can write to a tree."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkWork:
    """The client, the cache and the options with which the links of one build are examined."""

    web: WebClient
    cache: KnownFacts
    executor: Executor
    announce: Callable[[Note], object]  # called before files are read, with a note of how much will be read, and why
    progress: Progress
    max_download: int  # bytes
    allow_unhashed: bool = False
    keep_going: bool = False  # reject a file whose server fails, instead of raising SourceError
    dry_run: bool = False  # list files without a hash, instead of reading them to compute one
    elsewhere: LinkExaminer | None = None

    def map(
        self, step: "Callable[[T, LinkWork, Advance], R]", items: Sequence[T], advance: Advance = nothing
    ) -> Iterator[R]:
        """Yield the results of a step of the work, in order. `advance` is called with the bytes that were read."""
        if self.elsewhere:
            return self.elsewhere.map(step, items, self, advance)
        return iter(map_pulled(self.executor, lambda item: step(item, self, advance), items))


class CheckedLink(NamedTuple):
    """A link that works, with the headers of its server, and the facts that earlier runs read."""

    link: Link
    head: FileHead | None  # None: not requested, because the download sends it
    fingerprint: str  # facts are valid while it is the same; "" if nothing shows whether the file has changed
    facts: Facts | str | None  # str: the reason for a rejection; None: unknown
    end: bytes = b""  # of the file, if it came with the headers


def check_link(link: Link, work: LinkWork, *, mirrored: bool = False) -> CheckedLink | Outcome:
    """Request the headers of a file. Raises SourceError if its server gives no usable response."""
    if link.trusted:
        return list_trusted(link)
    if not mirrored and filename_in(link.url.partition("?")[0]) != link.filename:
        reason = "the address does not end in the filename, as pip requires: use --remote mirror"
        return Rejected(location=f"{link.location} ({link.filename})", reason=reason)
    if not mirrored and has_expiring_signature(link.url):
        reason = "the address has a signature that expires, and would be published: use --remote mirror"
        return Rejected(location=link.location, reason=reason)
    fingerprint = _fingerprint(link, None, mirrored=mirrored)
    facts = recall_facts(link, fingerprint, work.cache, mirrored=mirrored)
    if link.revision and _is_usable(facts, work):
        return CheckedLink(link, None, fingerprint, facts)
    is_read_in_parts = link.sha256 and not mirrored and link.core_metadata is None and facts is None
    try:
        if is_read_in_parts and link.filename.endswith(_ZIPS):
            head, end = work.web.head_with_end(link.url)
        else:
            head, end = work.web.head(link.url), b""
    except RequestFailed as error:
        return reject(link, error, work)
    if reason := describe_wrong_head(link, head):
        return Rejected(location=link.location, reason=reason)
    if not link.sha256:
        fingerprint = _fingerprint(link, head, mirrored=mirrored)
        facts = recall_facts(link, fingerprint, work.cache, mirrored=mirrored)
    if not _is_usable(facts, work):
        facts = None
    if facts is None and not link.sha256:
        try:
            sha256, end = work.web.kept_sha256(link.url)
        except RequestFailed as error:
            return reject(link, error, work)
        link = link._replace(sha256=sha256)
    if link.size is None:
        link = link._replace(size=head.size)
    return CheckedLink(link, head, fingerprint, facts, end)


def _is_usable(facts: Facts | str | None, work: LinkWork) -> bool:
    """Tell whether known facts are enough: those without a sha256 only with --allow-unhashed."""
    if not isinstance(facts, Facts):
        return facts is not None  # the reason for a rejection
    return bool(facts.sha256) or work.allow_unhashed


def describe_wrong_head(link: Link, head: FileHead) -> str:
    """Return why a server does not send the file that a link means; "" if it does."""
    if head.media_type in _PAGES:
        return "the server sends a page instead of the file: fix the link"
    if link.size is not None and head.size is not None and link.size != head.size:
        return describe_mismatch("size", f"{link.size:,} bytes", f"{head.size:,}")
    return ""


def _fingerprint(link: Link, head: FileHead | None, *, mirrored: bool) -> str:
    """Return what changes with a file: the sha256 that its page gives, or else what an API or its server says."""
    fingerprint = link.sha256
    if not fingerprint and link.revision:
        fingerprint = f"{link.revision} {link.other_hash}"
    elif not fingerprint and head and head.fingerprint:
        fingerprint = f"{head.fingerprint} {link.other_hash}"
    if fingerprint and not mirrored:  # facts of a file that is not mirrored depend on its page, too
        fingerprint = f"{fingerprint} {link.core_metadata} {link.requires_python}"
    return fingerprint


def list_trusted(link: Link) -> Outcome:
    """Return the File of a link without a request, from its filename and its list, because the user vouches for it."""
    try:
        facts = describe_name(link.filename, link.requires_python)
    except Unreadable as error:
        return Rejected(location=link.location, reason=str(error))
    upload_time = link.upload_time or facts.upload_time
    facts = facts._replace(sha256=link.sha256, core_metadata=link.core_metadata or "", upload_time=upload_time)
    return File(link, facts, link.filename)


def recall_facts(link: Link, fingerprint: str, cache: KnownFacts, *, mirrored: bool) -> Facts | str | None:
    """Return the facts that an earlier run read, None if there are none or the file has changed."""
    cached = cache.recall(_cache_key(link, mirrored=mirrored)) if fingerprint else None
    return decode_facts(cached[1]) if cached and cached[0] == fingerprint else None


def remember_facts(link: Link, fingerprint: str, facts: Facts | str, cache: KnownFacts, *, mirrored: bool) -> None:
    """Remember the facts of a file, or the reason for its rejection."""
    if fingerprint:
        cache.remember(_cache_key(link, mirrored=mirrored), fingerprint, encode_facts(facts))


def load_facts(links: Iterable[Link], work: LinkWork, *, mirrored: bool) -> None:
    """Read what recall_facts() returns for these links, all at once."""
    work.cache.load(_cache_key(link, mirrored=mirrored) for link in links if not link.trusted)


def recall_row(link: Link, cache: KnownFacts) -> tuple[str, tuple[str, str] | None]:
    """Return what another process needs to recall the facts of a link that is not mirrored: its key, and the row."""
    key = _cache_key(link, mirrored=False)
    return key, cache.recall(key)


def _cache_key(link: Link, *, mirrored: bool) -> str:
    # A mirrored file gets a `.metadata` sibling, whatever it has elsewhere.
    key = f"{'mirrored' if mirrored else 'file'} {link.url}"
    return f"{key} on the page of {link.project}" if link.project else key


def reject(link: Link, error: RequestFailed, work: LinkWork) -> Rejected:
    """Return the rejection of a file that its server does not send.

    Raises SourceError if the server may send it later, unless --keep-going is set.
    """
    if work.keep_going or is_about_the_file(error):
        return Rejected(location=link.location, reason=error.why)
    raise SourceError(f"{error} (--keep-going publishes the rest)") from error


def is_about_the_file(error: RequestFailed) -> bool:
    """Tell whether the file is the problem: it is not there, or its address is refused. Otherwise it is the server."""
    return isinstance(error, Refused) or (400 <= error.status < 500 and error.status not in _NOT_ABOUT_THE_FILE)


@contextmanager
def announce_reading(links: Sequence[CheckedLink], why: str, work: LinkWork) -> Iterator[Callable[[int], object]]:
    """Announce how much of these files will be read; yield a callback for the number of bytes that were read.

    Raises SourceError for more than --max-download: before anything is read or, if sizes are unknown, while reading.
    """
    if not links:
        yield nothing
        return
    total = sum(one.link.size or 0 for one in links)
    without_size = sum(one.link.size is None for one in links)
    hosts = sorted({urlsplit(one.link.url).netloc for one in links})
    where = ", ".join(hosts[:3]) + (", …" if len(hosts) > 3 else "")
    what = f"{total:,} bytes in {plural(len(links), 'file')}"
    what += f", {without_size:,} of them of unknown size," if without_size else ""
    too_much = f"--max-download allows {work.max_download:,}. Raise it, or choose fewer files with --include"
    if total > work.max_download:
        raise SourceError(f"{where}: {what} would have to be read {why}; {too_much}")
    work.announce(Note(location=where, text=f"{what} {'would' if work.dry_run else 'will'} be read {why}"))
    if work.dry_run:
        yield nothing
        return
    read, lock = 0, Lock()
    with work.progress("reading", total) as advance:

        def count(size: int) -> None:
            nonlocal read
            with lock:
                read += size
            if read > work.max_download:  # possible only if a size was unknown
                raise SourceError(f"{where}: more bytes were sent than announced; {too_much}")
            advance(size)

        yield count


class Digests:
    """The hashes of a file, computed while it is read: sha256, and the hash that the page gives."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._sha256 = hashlib.sha256()
        name, _, self._expected = link.other_hash.partition("=")
        self._other = hashlib.new(name, usedforsecurity=False) if name else None

    def update(self, data: bytes) -> None:
        self._sha256.update(data)
        if self._other:
            self._other.update(data)

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    def mismatch(self) -> str:
        """Return a message if a hash is not the one that the page gives, "" if all match."""
        if self._link.sha256 not in ("", self.sha256):
            return describe_mismatch("sha256", self._link.sha256, self.sha256)
        if self._other and self._other.hexdigest() != self._expected:
            return describe_mismatch(self._other.name, self._expected, self._other.hexdigest())
        return ""
