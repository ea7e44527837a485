"""List files at their own address, and read as little as possible: the `.metadata` sibling, or parts of the wheel.

A file without a sha256 is read completely, once, to compute it. Nothing is written to disk.
"""

import hashlib
from collections import deque
from collections.abc import Sequence
from urllib.parse import urlsplit

from mkindex.distributions.describe import describe, describe_metadata, describe_name
from mkindex.distributions.zips import MAX_METADATA
from mkindex.errors import Misnamed, Unreadable
from mkindex.examine.links import (
    Advance,
    CheckedLink,
    Digests,
    LinkWork,
    Outcome,
    announce_reading,
    check_link,
    is_about_the_file,
    list_trusted,
    load_facts,
    reject,
    remember_facts,
)
from mkindex.model.files import Facts, Link, make_file
from mkindex.tree.names import METADATA_SUFFIX
from mkindex.web.ranges import OutOfReach, RangeStream
from mkindex.web.responses import FileHead, RequestFailed

# Bytes that are kept from each end of a file while it is streamed: METADATA is near one of them.
_KEPT = 4 << 20
_NO_RANGES = "the server does not support range requests, so"
_UNKNOWN_PYTHON = f"{_NO_RANGES} Requires-Python is unknown. Installs work, more slowly"
_PYTHON_OF_PAGE = f"{_NO_RANGES} Requires-Python is as the page says. Installs work, more slowly"


def refer(links: Sequence[Link], work: LinkWork) -> list[Outcome]:
    """Return the File or the rejection of each link, for files that stay at their own address.

    Raises SourceError if a server gives no usable response, or if more bytes must be read than --max-download allows.
    """
    if all(link.trusted for link in links):
        return [list_trusted(link) for link in links]  # there may be a million
    different = list(dict.fromkeys(links))
    load_facts(different, work, mirrored=False)
    checked = list(work.map(_list_without_reading_whole, different))
    whole = [one for one in checked if isinstance(one, CheckedLink)]
    with announce_reading(whole, "to compute sha256 (--allow-unhashed skips this)", work) as advance:
        read = work.map(list_file, whole, advance)
        outcomes = [next(read) if isinstance(one, CheckedLink) else one for one in checked]
        by_link = dict(zip(different, outcomes, strict=True))
    return [by_link[link] for link in links]


def _list_without_reading_whole(link: Link, work: LinkWork, advance: Advance) -> CheckedLink | Outcome:
    """Return the File or the rejection of a link, or the checked link if its file must be read completely."""
    checked = check_link(link, work)
    if not isinstance(checked, CheckedLink) or _is_read_whole(checked, work):
        return checked
    return list_file(checked, work, advance)


def list_file(checked: CheckedLink, work: LinkWork, advance: Advance) -> Outcome:
    """Return the File or the rejection of one link. `advance` is called with the number of bytes that were read."""
    link, facts = checked.link, checked.facts
    try:
        if facts is None:
            link, facts = _read(checked, work, advance)
        elif isinstance(facts, Facts) and facts.core_metadata and not (link.revision or _has_sibling(link, work)):
            facts = facts._replace(core_metadata="")
    except Unreadable as error:
        facts = str(error)
        remember_facts(link, checked.fingerprint, facts, work.cache, mirrored=False)
    except RequestFailed as error:
        return reject(link, error, work)
    if isinstance(facts, Facts) and checked.head and facts.upload_time != checked.head.last_modified:
        facts = facts._replace(upload_time=checked.head.last_modified)
    return make_file(link, facts)


def _is_read_whole(checked: CheckedLink, work: LinkWork) -> bool:
    return checked.facts is None and not checked.link.sha256 and not work.allow_unhashed


def _read(checked: CheckedLink, work: LinkWork, advance: Advance) -> tuple[Link, Facts]:
    """Return the link, with its size, and the facts of its file. Raises Unreadable and RequestFailed."""
    link, head = checked.link, checked.head
    stream: RangeStream | None
    if _is_read_whole(checked, work) and not work.dry_run:
        sha256, stream = _read_whole(link, head, work, advance)
        link = link._replace(size=stream.size)
    else:
        sha256 = link.sha256
        stream = open_parts(checked, work)
    sibling = _read_sibling(link, work)
    try:
        if sibling is not None and link.core_metadata:
            facts = _describe_by_sibling(link, sibling, stream)
        else:
            facts = _describe(link, stream)
    except OutOfReach:
        # Not remembered: at another time the server may send parts.
        facts = describe_name(link.filename, link.requires_python, link.project)._replace(sha256=sha256)
        if link.filename.endswith(".whl"):  # of an sdist the name is enough
            text = _PYTHON_OF_PAGE if facts.requires_python else _UNKNOWN_PYTHON
            facts = facts._replace(warning=facts.warning or text)
        return link, facts
    if sibling is None or hashlib.sha256(sibling).hexdigest() != facts.core_metadata:
        facts = facts._replace(core_metadata="")
    facts = facts._replace(sha256=sha256, metadata_span="")
    remember_facts(link, checked.fingerprint, facts, work.cache, mirrored=False)
    return link, facts


def open_parts(checked: CheckedLink, work: LinkWork) -> RangeStream | None:
    """Return a file as a stream of which parts are requested; None if its server sends only whole files."""
    head, url = checked.head, checked.link.url
    if head is None or not head.size:
        return None
    stream = work.web.open_ranges(url, head.size, validator=head.validator)
    if stream and checked.end:
        stream.add(head.size - len(checked.end), checked.end)
    return stream


def _describe_by_sibling(link: Link, sibling: bytes, stream: RangeStream | None) -> Facts:
    try:
        return describe_metadata(link.filename, sibling)
    except Misnamed:
        facts = _describe(link, stream)  # only the file says what its name should be, or what the variant is for
        if not (facts.right_filename or facts.variant):
            raise
        return facts


def _describe(link: Link, stream: RangeStream | None) -> Facts:
    # Parts of a .tar.gz cannot be decompressed.
    if stream is None or (link.filename.endswith(".tar.gz") and not stream.is_whole):
        raise OutOfReach(link.url, "can only be read as a whole")
    return describe(link.filename, stream, stream.size, link.project, whole=stream.is_whole)


def _read_sibling(link: Link, work: LinkWork) -> bytes | None:
    """Return the `.metadata` that the page says is there (PEP 658), None if it is missing or has another hash."""
    # pip appends `.metadata` after a query, which no server understands.
    if link.core_metadata is None or urlsplit(link.url).query:
        return None
    try:
        data = work.web.get_small(f"{link.url}{METADATA_SUFFIX}", most=MAX_METADATA)
    except RequestFailed as error:
        if not is_about_the_file(error):
            raise
        return None
    return data if link.core_metadata in ("", hashlib.sha256(data).hexdigest()) else None


def _has_sibling(link: Link, work: LinkWork) -> bool:
    try:
        return work.web.head(f"{link.url}{METADATA_SUFFIX}").media_type != "text/html"
    except RequestFailed as error:
        if not is_about_the_file(error):
            raise
        return False


def _read_whole(link: Link, head: FileHead | None, work: LinkWork, advance: Advance) -> tuple[str, RangeStream]:
    """Read a file once; return its hashes, and a stream of its beginning and end, which are kept in memory."""
    digests = Digests(link)
    start, end, kept = bytearray(), deque[bytes](), 0
    size = 0
    for chunk in work.web.stream(head, link.url):
        digests.update(chunk)
        size += len(chunk)
        advance(len(chunk))
        if len(start) < _KEPT:
            start += chunk
        end.append(chunk)
        kept += len(chunk)
        while kept - len(end[0]) >= _KEPT:
            kept -= len(end.popleft())
    if mismatch := digests.mismatch():
        raise Unreadable(mismatch)
    stream = RangeStream(link.url, size)
    stream.add(size - kept, b"".join(end))
    stream.add(0, bytes(start))
    return digests.sha256, stream
