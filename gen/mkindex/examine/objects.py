"""Wheels of buckets that get into an index in a bucket, without a copy on this machine.

Only what describes them is read, and all of one whose sha256 the store does not know.
"""

import hashlib
from collections.abc import Callable

from mkindex.distributions.describe import describe
from mkindex.errors import Unreadable
from mkindex.examine.links import CheckedLink, LinkWork, Outcome, reject, remember_facts
from mkindex.examine.reference import open_parts
from mkindex.model.files import Artifact, Facts, Fingerprint, make_file
from mkindex.web.ranges import OutOfReach
from mkindex.web.responses import RequestFailed


def find_object(checked: CheckedLink, work: LinkWork) -> Artifact | None:
    """Return the wheel of a bucket that a link means; None for any other file.

    Its root is the address of the bucket, and the revision of its link is its ETag.
    """
    link, head = checked.link, checked.head
    place = work.web.find_object(link.url) if link.filename.endswith(".whl") else None
    if place is None or head is None or not head.size:
        return None
    bucket, key = place
    return Artifact(bucket, key, Fingerprint(0, head.size, 0, 0), link._replace(revision=head.validator))


def examine_object(
    artifact: Artifact, checked: CheckedLink, work: LinkWork, advance: Callable[[int], object]
) -> Outcome | None:
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


def _describe(checked: CheckedLink, work: LinkWork, advance: Callable[[int], object]) -> Facts:
    link, head = checked.link, checked.head
    stream = open_parts(checked, work)
    assert head
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
