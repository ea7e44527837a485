"""Mirror files: download them into the tree, verify them, and resume downloads that an earlier run did not finish."""

import hashlib
import os
from collections.abc import Sequence
from io import BufferedReader
from typing import BinaryIO, NamedTuple, Protocol

from mkindex.distributions.describe import describe
from mkindex.errors import DestinationError, Rejected, Unreadable
from mkindex.examine.links import (
    Advance,
    CheckedLink,
    Digests,
    LinkWork,
    Outcome,
    announce_reading,
    check_link,
    describe_wrong_head,
    load_facts,
    recall_facts,
    reject,
    remember_facts,
)
from mkindex.examine.local import WrittenTree, examine
from mkindex.examine.objects import examine_object, find_object, is_read_whole
from mkindex.examine.reference import list_file
from mkindex.model.files import CHUNK, Artifact, Facts, Fingerprint, Link, make_file
from mkindex.parallel import map_pulled
from mkindex.text import printable
from mkindex.tree.names import file_path
from mkindex.web.responses import FileHead, RequestFailed


class MirrorTree(Protocol):
    """A published tree that files are mirrored into."""

    @property
    def takes_objects(self) -> bool:
        """Whether objects of other buckets get into the tree without a copy on this machine."""

    def copies_from(self, bucket: str) -> bool:
        """Tell whether the store of the tree copies the objects of a bucket itself."""

    @property
    def downloads(self) -> "Downloads":
        """Its files that are not complete, or not published yet."""

    def holds(self, path: str) -> bool:
        """Tell whether the file at a path of the tree is as mkindex wrote it."""

    def find(self, path: str, link: Link) -> Artifact | None:
        """Return the file at a path of the tree, as that which a link means; None if there is none."""


class Downloads(WrittenTree, Protocol):
    """A directory for each download, which `key` names. All methods raise DestinationError. It can be pickled."""

    def directory(self, key: str) -> str:
        """Return its path on this machine."""

    def open(self, key: str, filename: str, *, largest: int) -> BinaryIO:
        """Open a file for a download, with the bytes of an earlier run if there are at most `largest`."""

    def complete(self, key: str, filename: str) -> BufferedReader:
        """Give a complete download its filename, and open it for reading."""

    def drop(self, key: str) -> None:
        """Delete the bytes of a download that are wrong."""


def mirror(links: Sequence[Link], tree: MirrorTree, work: LinkWork) -> list[Outcome]:
    """Return the File or the rejection of each link, with artifacts in the tree or among its downloads.

    Nothing is requested for a file whose sha256 the page gives and that is already in the tree. Raises SourceError if
    a server gives no usable response, DestinationError if a download cannot be written.
    """
    different = list(dict.fromkeys(links))
    load_facts(different, work, mirrored=True)
    checked = map_pulled(work.executor, lambda link: _find_in_tree(link, tree, work), different)
    missing = [one for one in checked if isinstance(one, CheckedLink)]
    objects = {one.link.url: found for one in missing if tree.takes_objects and (found := find_object(one, work))}

    downloads = None
    if not work.dry_run and len(objects) < len({one.link.url for one in missing}):
        downloads = tree.downloads if not work.elsewhere or work.elsewhere.sees(tree.downloads) else None
    wanted = [_Wanted(one, objects.get(one.link.url), downloads) for one in missing]
    read = [one for one in missing if not _is_copied(one, objects.get(one.link.url), tree)]
    with announce_reading(read, "to mirror them", work) as advance:
        results = list(work.map(_get, wanted, advance))
        unread = [one for one in results if isinstance(one, CheckedLink)]
        downloaded = work.executor.map(lambda one: _download(one, tree.downloads, work, advance), unread)
        got = (next(downloaded) if isinstance(one, CheckedLink) else _at_its_place(one, tree, work) for one in results)
        outcomes = [next(got) if isinstance(one, CheckedLink) else one for one in checked]
        by_link = dict(zip(different, outcomes, strict=True))
    return [by_link[link] for link in links]


class _Wanted(NamedTuple):
    """A file that the tree does not have."""

    checked: CheckedLink
    found: Artifact | None  # the object that it is, if the tree takes objects
    downloads: Downloads | None  # where it is downloaded to; None: nowhere by this process


def _get(wanted: _Wanted, work: LinkWork, advance: Advance) -> Outcome | CheckedLink:
    """Examine a file, and download it unless its object is enough. A checked link has yet to be downloaded."""
    checked, found, downloads = wanted
    if work.dry_run:
        return list_file(checked, work, advance)
    outcome = examine_object(found, checked, work, advance) if found else None
    return outcome or (_download(checked, downloads, work, advance) if downloads else checked)


def _at_its_place(outcome: Outcome, tree: MirrorTree, work: LinkWork) -> Outcome:
    """Return the outcome for a download of a worker, which names directories and inodes as its machine does."""
    if not work.elsewhere or isinstance(outcome, Rejected) or not isinstance(outcome.artifact, Artifact):
        return outcome
    artifact = outcome.artifact
    if not os.path.isabs(artifact.root):  # an object
        return outcome
    artifact = artifact._replace(root=tree.downloads.directory(os.path.basename(artifact.root)))
    try:
        fingerprint = Fingerprint.of(os.stat(artifact.path))
    except OSError as error:
        raise _cannot_write(artifact.path, error) from error
    return outcome._replace(artifact=artifact._replace(fingerprint=fingerprint))


def _is_copied(checked: CheckedLink, found: Artifact | None, tree: MirrorTree) -> bool:
    """Tell whether a file gets into the tree without being read here as a whole."""
    return found is not None and not is_read_whole(checked) and tree.copies_from(found.root)


def in_place(outcome: Outcome, tree: MirrorTree) -> Outcome | None:
    """Return an outcome of an earlier build, its mirrored file now in the tree; None if that file is missing."""
    if isinstance(outcome, Rejected) or isinstance(outcome.artifact, Link) or not outcome.artifact.link:
        return outcome
    path = file_path(outcome.sha256, outcome.filename)
    artifact = tree.find(path, outcome.artifact.link) if tree.holds(path) else None
    return outcome._replace(artifact=artifact) if artifact else None


def _find_in_tree(link: Link, tree: MirrorTree, work: LinkWork) -> CheckedLink | Outcome:
    """Return the outcome for a file that is already in the tree, or the checked link of one to download."""
    checked = None if link.sha256 else check_link(link, work, mirrored=True)
    if checked is not None and not isinstance(checked, CheckedLink):
        return checked
    fingerprint = checked.fingerprint if checked else link.sha256
    cached = checked.facts if checked else recall_facts(link, fingerprint, work.cache, mirrored=True)
    sha256 = link.sha256 or (cached.sha256 if isinstance(cached, Facts) else "")
    if isinstance(cached, str):
        return make_file(link, cached)
    right_filename = cached.right_filename if cached else ""
    path = file_path(sha256, right_filename or link.filename)
    if sha256 and (artifact := tree.find(path, link)):
        facts: Facts | str = cached if cached and tree.holds(path) else examine(artifact).result
        if isinstance(facts, Facts) and facts.sha256 == sha256:
            # The mtime is that of the download.
            head = checked.head if checked else None
            upload_time = head.last_modified if head else cached.upload_time if cached else ""
            facts = facts._replace(right_filename=right_filename, upload_time=upload_time)
            remember_facts(link, fingerprint, facts, work.cache, mirrored=True)
            return make_file(artifact, facts)
    if link.sha256 and link.size is not None and not link.trusted and not work.dry_run:
        return CheckedLink(link, None, fingerprint, None)
    return checked or check_link(link, work, mirrored=True)


def _download(checked: CheckedLink, downloads: Downloads, work: LinkWork, advance: Advance) -> Outcome:
    """Download, verify and examine a file. Bytes that an earlier run downloaded are not requested again."""
    link = checked.link
    key = hashlib.sha256(repr(link).encode()).hexdigest()[:32]
    digests = Digests(link)
    try:
        # Without a hash, the two parts could be of different files.
        largest = (link.size or 0) if link.sha256 else 0
        with downloads.open(key, link.filename, largest=largest) as file:
            is_resumed = os.fstat(file.fileno()).st_size > 0
            last_modified = _write(file, checked, digests, work, advance)
        if mismatch := digests.mismatch():
            downloads.drop(key)
            return _download(checked, downloads, work, advance) if is_resumed else make_file(link, mismatch)
        with downloads.complete(key, link.filename) as stream:
            fingerprint = Fingerprint.of(os.fstat(stream.fileno()))
            facts: Facts | str
            try:
                facts = describe(link.filename, stream, fingerprint.size, link.project)
                facts = facts._replace(sha256=digests.sha256, upload_time=last_modified)
            except Unreadable as error:
                facts = str(error)
    except _WrongFile as error:
        return make_file(link, str(error))
    except RequestFailed as error:
        return reject(link, error, work)
    except OSError as error:
        raise _cannot_write(f"{downloads.directory(key)}/part", error) from error
    remember_facts(link, checked.fingerprint, facts, work.cache, mirrored=True)
    return make_file(Artifact(downloads.directory(key), link.filename, fingerprint, link), facts)


def _cannot_write(path: str, error: OSError) -> DestinationError:
    return DestinationError(
        f"cannot write {printable(path)}: {error.strerror}. Free some space or fix the cause, then run again"
    )


def _write(file: BinaryIO, checked: CheckedLink, digests: Digests, work: LinkWork, advance: Advance) -> str:
    """Append the bytes to `file` that it does not have yet. `digests` gets every byte. Return the Last-Modified."""
    while data := file.read(CHUNK):
        digests.update(data)
    link, start = checked.link, file.tell()
    head = checked.head

    def judge(found: FileHead) -> None:
        nonlocal head
        head = found
        if reason := describe_wrong_head(link, found):
            raise _WrongFile(reason)

    if start and not head:
        judge(work.web.head(link.url))
    for chunk in work.web.stream(head, link.url, start=start, on_head=judge):
        digests.update(chunk)
        file.write(chunk)
        advance(len(chunk))
    return head.last_modified if head else ""


class _WrongFile(Exception):
    """A server that does not send the file that a link means. The text is the reason for its rejection."""
