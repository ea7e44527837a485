"""Find the attestations of files (PEP 740): beside them, in their release, or at the address that a page gives.

They are read again only if they or their file change. Provenance objects of servers that are published in the tree
are not requested again while they are in it.
"""

import errno
import hashlib
import json
import os
import stat
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple

from mkindex.cache import Cache, is_settled
from mkindex.distributions.attestations import (
    MAX_PROVENANCE,
    make_provenance,
    read_attestation,
    read_provenance,
    refuse_many,
)
from mkindex.errors import Note, Rejected, SourceError, Unreadable
from mkindex.examine.links import is_about_the_file
from mkindex.examine.mirror import MirrorTree
from mkindex.model.files import Artifact, AttestationFile, File, Link, Provenance
from mkindex.model.identities import Identity
from mkindex.text import printable, redact
from mkindex.tree.names import PROVENANCE_SUFFIX, file_path
from mkindex.web.client import WebClient
from mkindex.web.responses import RequestFailed

_STORING = Lock()
_LONGEST_NAME = 255 - len(PROVENANCE_SUFFIX)  # bytes
_INSTALL = "pip install 'mkindex[attest]'"
_UNVERIFIED = f"not published: its publisher is known only when it is verified. To publish it: {_INSTALL}"
_ALL_UNVERIFIED = f"not published: their publisher is known only when they are verified. To publish them: {_INSTALL}"


class Demand(NamedTuple):
    """What --require-attestations demands of each file."""

    allowed: tuple[Identity, ...]  # the values of --attested-by; none: any Trusted Publisher


class Attested(NamedTuple):
    """A file with what was found out about its attestations."""

    file: File | None  # None: rejected
    findings: tuple[Rejected | Note, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class AttestationWork:
    """The tools with which the attestations of one build are examined."""

    web: WebClient
    cache: Cache
    executor: Executor  # threads that wait for servers
    tree: MirrorTree
    is_mirrored: bool = False  # --remote mirror
    demand: Demand | None = None
    keep_going: bool = False
    dry_run: bool = False


class _Found(NamedTuple):
    """Files of attestations, read into memory."""

    names: tuple[str, ...]  # paths or addresses
    raw: tuple[bytes, ...]
    is_whole: bool  # one provenance object, and not attestations


def attach_attestations(
    files: Sequence[File], beside: Iterable[AttestationFile], work: AttestationWork
) -> tuple[list[File], list[Rejected | Note]]:
    """Return the files with their provenance objects, and what is wrong with them.

    `beside`: the files of attestations that sources have. With a demand, a file that does not meet it is rejected.
    Raises SourceError if a server fails, and ConfigError if a demand needs an extra that is not installed.
    """
    by_subject: dict[str, list[AttestationFile]] = {}
    for one in beside:
        by_subject.setdefault(one.subject, []).append(one)
    results: list[Attested] = []
    remote: list[tuple[int, File]] = []
    for file in files:
        listing = file.listing
        is_here = isinstance(file.artifact, Artifact)
        own = by_subject.pop(file.local.path, None) if by_subject and is_here else None
        if own:
            results.append(_attach_local(file, own, work))
        elif listing and (listing.attestations or (listing.provenance and (work.is_mirrored or work.demand))):
            remote.append((len(results), file))
            results.append(Attested(file))
        elif work.demand:
            results.append(Attested(None, (_reject_without(file),)))
        else:
            results.append(Attested(file))
    found = work.executor.map(lambda one: _attach_remote(one[1], work), remote)
    for (number, _), attested in zip(remote, found, strict=True):
        results[number] = attested
    findings = [finding for attested in results for finding in attested.findings]
    text = "skipped: the file that it attests is not published from here"
    findings += [Note(location=one.path, text=text, detail=True) for own in by_subject.values() for one in own]
    return [attested.file for attested in results if attested.file], findings


def read_sources(provenance: Provenance) -> bytes:
    """Return the bytes of a provenance object from files of this machine. Raises OSError, and Unreadable if changed."""
    raw = [_read(path) for path in provenance.paths]
    whole = make_provenance(zip(provenance.publishers, raw, strict=True)) if provenance.publishers else b"".join(raw)
    if hashlib.sha256(whole).hexdigest() != provenance.sha256:
        raise Unreadable("changed while it was read")
    return whole


# --- files of this machine --------------------------------------------------------------------------------------------


def _attach_local(file: File, beside: Sequence[AttestationFile], work: AttestationWork) -> Attested:
    """Return a file with the attestations that are beside it."""
    whole = [one for one in beside if one.path.endswith(PROVENANCE_SUFFIX)]
    used = whole or sorted(beside)
    notes = tuple(
        Note(location=one.path, text="skipped: the .provenance file beside it is used", detail=True)
        for one in (beside if whole else ())
        if one not in whole
    )
    key, started_ns = f"attestations of {file.local.path}", time.time_ns()
    validator = " ".join((_validator(file, work), *(f"{one.path} {one.fingerprint}" for one in used)))
    if text := next(work.cache.recall_each([key], validator), None):
        known = _decode(text)._replace(paths=tuple(one.path for one in used))
        return Attested(file._replace(attested=known), notes)
    try:
        refuse_many(len(used))
        raw = tuple(_read(one.path) for one in used)
    except Unreadable as error:
        return _without(file, used[0].path, str(error), work, notes)
    except OSError as error:
        return _without(file, used[0].path, f"cannot be read: {error.strerror}", work, notes)
    found = _Found(tuple(one.path for one in used), raw, bool(whole))
    outcome = _judge(file, found, work)
    if isinstance(outcome, Attested):
        return outcome._replace(findings=(*notes, *outcome.findings))
    if all(is_settled(one.fingerprint, started_ns) for one in used):
        work.cache.remember(key, validator, _encode(outcome))
    return Attested(file._replace(attested=outcome._replace(paths=found.names)), notes)


def _read(path: str) -> bytes:
    # Without O_NONBLOCK, opening a pipe that has replaced the file would wait for a writer.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return file.read(MAX_PROVENANCE + 1)


# --- files of servers -------------------------------------------------------------------------------------------------


def _attach_remote(file: File, work: AttestationWork) -> Attested:
    """Return a file with the attestations of its release, or with a copy of the provenance object of its page."""
    listing = file.listing
    assert listing
    urls = (listing.provenance,) if listing.provenance else listing.attestations
    key, validator = f"provenance {' '.join(urls)}", _validator(file, work)
    is_published = work.is_mirrored or not listing.provenance
    recalled = work.cache.recall(key)
    if recalled and recalled[0] == validator:
        known = _decode(recalled[1])
        if not is_published or work.dry_run or work.tree.holds(_path(known, file)):
            return Attested(file._replace(attested=known) if is_published else file)
    raw: list[bytes] = []
    try:
        refuse_many(len(urls))
    except Unreadable as error:
        return _without(file, redact(urls[0]), str(error), work)
    for url in urls:
        try:
            raw.append(work.web.get_small(url, most=MAX_PROVENANCE))
        except RequestFailed as error:
            if not (work.keep_going or is_about_the_file(error)):
                raise SourceError(f"{error} (--keep-going publishes the rest)") from error
            return _without(file, redact(url), error.why, work)
    is_whole = bool(listing.provenance) or (len(raw) == 1 and b'"attestation_bundles"' in raw[0])
    found = _Found(tuple(map(redact, urls)), tuple(raw), is_whole)
    outcome = _judge(file, found, work)
    if isinstance(outcome, Attested):
        return outcome
    work.cache.remember(key, validator, _encode(outcome))
    if not is_published:
        return Attested(file)
    paths = () if work.dry_run else tuple(_store(url, data, work.tree) for url, data in zip(urls, raw, strict=True))
    return Attested(file._replace(attested=outcome._replace(paths=paths)))


def _store(url: str, data: bytes, tree: MirrorTree) -> str:
    """Write a file of a server among the downloads of the tree, and return its path."""
    key, name = hashlib.sha256(f"attestation {url}".encode()).hexdigest()[:32], "attestation"
    with _STORING:  # a page may list a file more than once
        with tree.downloads.open(key, name, largest=0) as file:
            file.write(data)
        tree.downloads.complete(key, name).close()
    return os.path.join(tree.downloads.directory(key), name)


# --- both -------------------------------------------------------------------------------------------------------------


def _judge(file: File, found: _Found, work: AttestationWork) -> Provenance | Attested:
    """Return the provenance object that files of attestations are or make; otherwise the file without it, and why."""
    from mkindex.distributions.verification import is_available, verify

    name = printable(found.names[0])
    if not file.sha256:
        return _without(file, name, "the sha256 of its file is not known", work)
    if len(os.fsencode(file.filename)) > _LONGEST_NAME:
        return _without(file, name, "the filename is too long for a .provenance file", work)
    try:
        if found.is_whole:
            attestations = read_provenance(found.raw[0], file.filename, file.sha256)
        else:
            attestations = [read_attestation(raw, file.filename, file.sha256) for raw in found.raw]
        if not found.is_whole and not work.demand and not is_available():
            note = Note(location=name, text=_UNVERIFIED, text_of_many=_ALL_UNVERIFIED)
            return Attested(file, (note,))
        publishers: Sequence[object] = ()
        if work.demand or not found.is_whole:
            publishers = verify(attestations, work.demand.allowed if work.demand else ())
        texts = () if found.is_whole else tuple(json.dumps(one, sort_keys=True) for one in publishers)
        data = make_provenance(zip(texts, found.raw, strict=True)) if texts else found.raw[0]
    except Unreadable as error:
        return _without(file, name, str(error), work)
    return Provenance(hashlib.sha256(data).hexdigest(), len(data), publishers=texts)


def _without(
    file: File, location: str, reason: str, work: AttestationWork, notes: tuple[Rejected | Note, ...] = ()
) -> Attested:
    """Return a file without attestations that cannot be used; with a demand, its rejection."""
    if not work.demand:
        link = file.artifact if isinstance(file.artifact, Link) else file.artifact.link
        if link and link.provenance:  # what is known to be wrong is not named
            link = link._replace(provenance="")
            artifact = link if isinstance(file.artifact, Link) else file.artifact._replace(link=link)
            file = file._replace(artifact=artifact)
        return Attested(file, (*notes, Rejected(location=location, reason=f"attestation not published: {reason}")))
    reason = f"has no valid attestation: {os.path.basename(location)}: {reason}"
    rejection = Rejected(
        location=file.artifact.location, reason=reason, reason_of_many="have no valid attestation (-v: why)"
    )
    return Attested(None, (*notes, rejection))


def _reject_without(file: File) -> Rejected:
    advice = "Put the file NAME.publish.attestation or NAME.provenance beside it"
    reason = "has no attestation, which --require-attestations demands"
    return Rejected(location=file.artifact.location, reason=f"{reason}. {advice}")


def _path(provenance: Provenance, file: File) -> str:
    return file_path(provenance.sha256, f"{file.filename}{PROVENANCE_SUFFIX}")


def _validator(file: File, work: AttestationWork) -> str:
    """Return what has to be the same for the same outcome, besides the attestations themselves."""
    from mkindex.distributions.verification import is_available

    demand = "" if work.demand is None else f"verified {sorted(work.demand.allowed)}"
    # Without the extra, a cache must not publish more than a build without a cache would.
    return f"{file.sha256} {file.filename} {is_available()} {demand}"


def _encode(provenance: Provenance) -> str:
    return json.dumps([provenance.sha256, provenance.size, provenance.publishers])


def _decode(text: str) -> Provenance:
    sha256, size, publishers = json.loads(text)
    return Provenance(sha256, size, publishers=tuple(publishers))
