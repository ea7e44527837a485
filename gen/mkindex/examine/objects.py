"""Files of buckets that get into an index in a bucket, without a copy on this machine.

Only what describes a wheel is read, and all of one whose sha256 the store does not know. An sdist is read once: a
`.tar.gz` as its bytes arrive, and a `.zip` into memory, since the header of each member is read. Of a larger `.zip`,
these are requested.
"""

import hashlib
from io import BufferedIOBase, BytesIO

from mkindex.distributions.describe import describe
from mkindex.errors import Unreadable
from mkindex.examine.links import Advance, CheckedLink, Digests, LinkWork, Outcome, reject, remember_facts
from mkindex.examine.reference import open_parts
from mkindex.model.files import Artifact, Facts, Fingerprint, make_file
from mkindex.web.ranges import MAX_FETCHED, OutOfReach
from mkindex.web.responses import RequestFailed


def find_object(checked: CheckedLink, work: LinkWork) -> Artifact | None:
    """Return the object of a bucket that a link means; None for a file of the web.

    Its root is the address of the bucket, and the revision of its link is its ETag.
    """
    link, head = checked.link, checked.head
    place = work.web.find_object(link.url)
    if place is None or head is None or not head.size:
        return None
    bucket, key = place
    return Artifact(bucket, key, Fingerprint(0, head.size, 0, 0), link._replace(revision=head.validator))


def examine_object(artifact: Artifact, checked: CheckedLink, work: LinkWork, advance: Advance) -> Outcome | None:
    """Return the File or the rejection of an object; None if it cannot be described by parts of it."""
    link = checked.link
    try:
        facts = _describe(checked, work, advance) if checked.facts is None else checked.facts
    except Unreadable as error:
        facts = str(error)
    except OutOfReach:
        return None
    except RequestFailed as error:
        return reject(link, error, work)
    remember_facts(link, checked.fingerprint, facts, work.cache, mirrored=True)
    return make_file(artifact, facts)


def is_read_whole(checked: CheckedLink) -> bool:
    """Tell whether all of an object is read to know its facts."""
    return checked.facts is None and not (checked.link.sha256 and checked.link.filename.endswith(".whl"))


class _PassingStream(BufferedIOBase):
    """An object that is read as its bytes arrive, with their hashes. A seek to its begin may read it again."""

    def __init__(self, checked: CheckedLink, work: LinkWork, advance: Advance) -> None:
        self._checked, self._web, self._advance = checked, work.web, advance
        self._begin()

    def _begin(self) -> None:
        self._chunks = self._web.stream(self._checked.head, self._checked.link.url)
        self._chunk, self._at, self._number = b"", 0, 0
        self.digests = Digests(self._checked.link)

    def seek(self, offset: int, whence: int = 0) -> int:
        assert (offset, whence) == (0, 0)
        if self._number > 1:
            self._begin()
        self._at = 0
        return 0

    def read(self, size: int | None = -1) -> bytes:
        """Return at most `size` bytes, b"" at the end."""
        if self._at == len(self._chunk):
            self._chunk, self._at = next(self._chunks, b""), 0
            self._number += 1
            self.digests.update(self._chunk)
            self._advance(len(self._chunk))
        end = len(self._chunk) if size is None or size < 0 else self._at + size
        part = self._chunk[self._at : end]
        self._at += len(part)
        return part


def _describe_passing(checked: CheckedLink, work: LinkWork, advance: Advance) -> Facts:
    link, head = checked.link, checked.head
    assert head
    assert head.size
    stream = _PassingStream(checked, work, advance)
    facts = describe(link.filename, stream, head.size, link.project)
    while stream.read():
        pass
    if mismatch := stream.digests.mismatch():
        raise Unreadable(mismatch)
    return facts._replace(sha256=stream.digests.sha256, upload_time=head.last_modified)


def _describe_in_memory(checked: CheckedLink, work: LinkWork, advance: Advance) -> Facts:
    link, head = checked.link, checked.head
    assert head
    digests, parts = Digests(link), []
    for part in work.web.stream(head, link.url):
        digests.update(part)
        parts.append(part)
        advance(len(part))
    data = b"".join(parts)
    facts = describe(link.filename, BytesIO(data), len(data), link.project)
    if mismatch := digests.mismatch():
        raise Unreadable(mismatch)
    return facts._replace(sha256=digests.sha256, upload_time=head.last_modified)


def _describe(checked: CheckedLink, work: LinkWork, advance: Advance) -> Facts:
    link, head = checked.link, checked.head
    if link.filename.endswith(".tar.gz"):
        return _describe_passing(checked, work, advance)
    assert head
    if link.filename.endswith(".zip") and (head.size or 0) <= MAX_FETCHED:
        return _describe_in_memory(checked, work, advance)
    stream = open_parts(checked, work)
    assert stream
    facts = describe(link.filename, stream, stream.size, link.project, whole=stream.is_whole)
    sha256 = link.sha256
    if not sha256:
        digest = hashlib.sha256()
        for chunk in work.web.stream(head, link.url):
            digest.update(chunk)
            advance(len(chunk))
        sha256 = digest.hexdigest()
    return facts._replace(sha256=sha256, upload_time=head.last_modified)
