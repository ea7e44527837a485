"""Links to files, with as few bytes as it takes: asked where they are, read in parts, streamed, or downloaded.

Every link is known to work before it is listed. What was learned is remembered by address, together with the hash that
the page gives, or else with what the server recognises the file by.
"""

import hashlib
import os
import stat
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

from mkindex.cache import Cache
from mkindex.distributions.describe import describe, describe_metadata, describe_name
from mkindex.distributions.zips import MAX_METADATA
from mkindex.errors import DestinationError, Note, Rejected, SourceError, Unreadable
from mkindex.examine.local import Progress, examine
from mkindex.model.files import CHUNK, Artifact, Facts, File, Fingerprint, Link, decode_facts, encode_facts, make_file
from mkindex.text import printable
from mkindex.tree.names import METADATA_SUFFIX, file_path
from mkindex.web.client import FileHead, RequestFailed, WebClient
from mkindex.web.ranges import OutOfReach, RangeStream

_KEPT = 4 << 20  # bytes that are kept of the beginning and of the end of a file while it is streamed

_BY_NAME = "its metadata can only be read there together with the whole file: listed as its name and the page say"
_OF_WHO_ASKS = frozenset({401, 407, 408, 429})  # statuses of a client's error that say nothing of the file

Outcome = File | Rejected


class _Asked(NamedTuple):
    """A link that works: what its server says of the file, and what is known of that from before."""

    link: Link
    about: FileHead
    mark: str  # what is remembered of the file holds as long as this does; "": nothing tells
    found: Facts | str | None  # facts, or the reason for a rejection


@dataclass(frozen=True, kw_only=True, slots=True)
class Remote:
    """How links are dealt with in one build. All methods raise SourceError when a server cannot be asked."""

    web: WebClient
    cache: Cache
    executor: Executor
    announce: Callable[[Note], object]  # told what is going to be read, and why
    progress: Progress
    max_download: int  # bytes
    allow_unhashed: bool = False
    keep_going: bool = False  # a file whose server is in trouble is rejected, instead of stopping everything
    dry_run: bool = False  # nothing is streamed or downloaded

    # --- reference: files stay where they are -----------------------------------------------------------------------

    def refer(self, links: Sequence[Link]) -> list[Outcome]:
        """Return the File or the rejection of each link, for pages that name files where they are.

        A file of which no sha256 is given is streamed for it. Raises SourceError where that is more than is allowed.
        """
        if all(link.trusted for link in links):
            return [_trusted(link) for link in links]  # there may be a million
        different = list(dict.fromkeys(links))
        asked = list(self.executor.map(self._ask, different))
        unknown = [one for one in asked if isinstance(one, _Asked) and self._is_streamed(one)]
        with self._reading(unknown, "to compute sha256 (--allow-unhashed leaves it out)") as advance:
            outcomes = self.executor.map(
                lambda one: self._file(one, advance) if isinstance(one, _Asked) else one, asked
            )
            by_link = dict(zip(different, outcomes, strict=True))
        return [by_link[link] for link in links]

    def _ask(self, link: Link, *, mirrored: bool = False) -> _Asked | Outcome:
        if link.trusted:
            return _trusted(link)
        if not mirrored and unquote(urlsplit(link.url).path.rpartition("/")[2]) != link.filename:
            reason = "its address does not end in its filename, which pip goes by: use --remote mirror"
            return Rejected(location=f"{link.location} ({link.filename})", reason=reason)
        try:
            about = self.web.about(link.url)
        except RequestFailed as error:
            return self._rejected(link, error)
        if about.media_type in ("text/html", "application/xhtml+xml"):
            return Rejected(location=link.location, reason="answers with a page, not with a file: mend the link")
        if link.size is not None and about.size is not None and link.size != about.size:
            reason = f"has {about.size:,} bytes, and the page says {link.size:,}: somebody changed it. Mend the page"
            return Rejected(location=link.location, reason=reason)
        mark = link.sha256
        if not mark and about.validator and about.size:
            mark = f"{about.validator} {about.size} {link.other_hash}"
        if mark and not mirrored:  # then it also counts what the page says
            mark = f"{mark} {link.core_metadata} {link.requires_python}"
        found = self._recalled(link, mark, mirrored=mirrored)
        if isinstance(found, Facts) and not found.sha256 and not self.allow_unhashed:
            found = None
        return _Asked(link._replace(size=about.size if link.size is None else link.size), about, mark, found)

    def _recalled(self, link: Link, mark: str, *, mirrored: bool) -> Facts | str | None:
        known = self.cache.recall(_key(link, mirrored=mirrored)) if mark else None
        return decode_facts(known[1]) if known and known[0] == mark else None

    def _remember(self, link: Link, mark: str, found: Facts | str, *, mirrored: bool) -> None:
        if mark:
            self.cache.remember(_key(link, mirrored=mirrored), mark, encode_facts(found))

    def _is_streamed(self, asked: _Asked) -> bool:
        return asked.found is None and not asked.link.sha256 and not self.allow_unhashed

    def _file(self, asked: _Asked, advance: Callable[[int], object]) -> Outcome:
        link, found = asked.link, asked.found
        try:
            if found is None:
                link, found = self._read(asked, advance)
            elif isinstance(found, Facts) and found.core_metadata and not self._has_sibling(link):
                found = found._replace(core_metadata="")
        except Unreadable as error:
            found = str(error)
            self._remember(link, asked.mark, found, mirrored=False)
        except RequestFailed as error:
            return self._rejected(link, error)
        return make_file(link, found)

    def _read(self, asked: _Asked, advance: Callable[[int], object]) -> tuple[Link, Facts]:
        """Return what is to be known of a file that stays where it is. Raises Unreadable and Failed."""
        link, about, *_ = asked
        window: RangeStream | None
        if self._is_streamed(asked) and not self.dry_run:
            sha256, size, window = self._streamed(link, about, advance)
            link = link._replace(size=size)
        else:
            sha256, window = link.sha256, self._window(link, about)
        sibling = self._sibling(link)
        try:
            if sibling is not None and link.core_metadata:
                facts = describe_metadata(link.filename, sibling)
            else:
                facts = self._described(link, window)
        except OutOfReach:
            # Not remembered: another time the server may be asked for a part.
            facts = describe_name(link.filename, link.requires_python)._replace(sha256=sha256)
            # Of an sdist the name is enough.
            return link, facts._replace(warning=facts.warning or _BY_NAME) if link.filename.endswith(".whl") else facts
        if sibling is None or hashlib.sha256(sibling).hexdigest() != facts.core_metadata:
            facts = facts._replace(core_metadata="")
        facts = facts._replace(sha256=sha256, metadata_span="")
        self._remember(link, asked.mark, facts, mirrored=False)
        return link, facts

    @staticmethod
    def _described(link: Link, window: "RangeStream | None") -> Facts:
        if window is None or (link.filename.endswith(".tar.gz") and not window.is_whole):
            raise OutOfReach
        return describe(link.filename, window, window.size)

    def _sibling(self, link: Link) -> bytes | None:
        """Return the `.metadata` that the origin says is there, None when it is not, or not with that hash."""
        # pip puts the ending behind a query, where no server looks for it.
        if link.core_metadata is None or urlsplit(link.url).query:
            return None
        try:
            data = self.web.content(f"{link.url}{METADATA_SUFFIX}", most=MAX_METADATA)
        except RequestFailed as error:
            if not _is_of_the_file(error):
                raise
            return None
        return data if link.core_metadata in ("", hashlib.sha256(data).hexdigest()) else None

    def _has_sibling(self, link: Link) -> bool:
        try:
            return self.web.about(f"{link.url}{METADATA_SUFFIX}").media_type != "text/html"
        except RequestFailed as error:
            if not _is_of_the_file(error):
                raise
            return False

    def _window(self, link: Link, about: FileHead) -> "RangeStream | None":
        """Return a file as a stream of which only what is read is fetched; None where that cannot be."""
        if not about.size or not self.web.has_ranges(link.url):
            return None

        def fetch(start: int, length: int) -> bytes:
            part = self.web.part(link.url, start, length, validator=about.validator)
            if part is None:
                raise OutOfReach
            return part

        return RangeStream(about.size, fetch=fetch)

    def _streamed(
        self, link: Link, about: FileHead, advance: Callable[[int], object]
    ) -> tuple[str, int, "RangeStream"]:
        """Read a file once, keeping nothing on the disk: return its sha256, its length, and what is kept of it."""
        digests = _Digests(link)
        head, tail, kept = bytearray(), deque[bytes](), 0
        size = 0
        for chunk in self.web.stream(about, link.url):
            digests.update(chunk)
            size += len(chunk)
            advance(len(chunk))
            if len(head) < _KEPT:
                head += chunk
            tail.append(chunk)
            kept += len(chunk)
            while kept - len(tail[0]) >= _KEPT:
                kept -= len(tail.popleft())
        if wrong := digests.wrong():
            raise Unreadable(wrong)
        window = RangeStream(size)
        window.keep(size - kept, b"".join(tail))
        window.keep(0, bytes(head))
        return digests.sha256, size, window

    # --- mirror: files become ours ----------------------------------------------------------------------------------

    def mirror(self, links: Sequence[Link], tree: "MirrorTree") -> list[Outcome]:
        """Return the File or the rejection of each link, with artifacts in the tree or among its downloads.

        Nothing is asked of a file whose sha256 the page gives and that is in its place already. Raises DestinationError
        when a download cannot be written.
        """
        different = list(dict.fromkeys(links))
        first = list(self.executor.map(lambda link: self._placed(link, tree), different))
        missing = [one for one in first if isinstance(one, _Asked)]

        def settled(one: _Asked | Outcome) -> Outcome:
            if not isinstance(one, _Asked):
                return one
            return self._file(one, advance) if self.dry_run else self._download(one, tree.downloads, advance)

        with self._reading(missing, "to mirror them") as advance:
            by_link = dict(zip(different, self.executor.map(settled, first), strict=True))
        return [by_link[link] for link in links]

    def _placed(self, link: Link, tree: "MirrorTree") -> "_Asked | Outcome":
        """Return the outcome for a file that is where it belongs, or what is needed to download it."""
        asked = None if link.sha256 else self._ask(link, mirrored=True)
        if asked is not None and not isinstance(asked, _Asked):
            return asked
        mark = asked.mark if asked else link.sha256
        found = asked.found if asked else self._recalled(link, mark, mirrored=True)
        sha256 = link.sha256 or (found.sha256 if isinstance(found, Facts) else "")
        if isinstance(found, str):
            return make_file(link, found)
        path = file_path(sha256, link.filename)
        if sha256 and (artifact := _artifact(tree.root, path, link)):
            learned: Facts | str = found if found and tree.holds(path) else examine(artifact).result
            if isinstance(learned, Facts) and learned.sha256 == sha256:
                self._remember(link, mark, learned, mirrored=True)
                return make_file(artifact, learned)
        return asked or self._ask(link, mirrored=True)

    def _download(self, asked: _Asked, downloads: str, advance: Callable[[int], object]) -> Outcome:
        """Download a file and verify it; what a run before this one got of it is not asked for again."""
        link, about, mark, _ = asked
        directory = os.path.join(downloads, hashlib.sha256(repr(link).encode()).hexdigest()[:32])
        part, target = os.path.join(directory, "part"), os.path.join(directory, link.filename)
        try:
            os.makedirs(directory, exist_ok=True)
            with suppress(FileNotFoundError):  # whole, but the run that had it published nothing
                os.replace(target, part)
            # Without a hash nobody could tell whether two parts are of the same file.
            resumed = bool(link.sha256) and os.path.exists(part) and os.path.getsize(part) <= (about.size or 0)
            digests = _Digests(link)
            with open(part, "r+b" if resumed else "w+b") as file:
                while data := file.read(CHUNK):
                    digests.update(data)
                for chunk in self.web.stream(about, link.url, start=file.tell()):
                    digests.update(chunk)
                    file.write(chunk)
                    advance(len(chunk))
            if wrong := digests.wrong():
                os.unlink(part)
                return self._download(asked, downloads, advance) if resumed else make_file(link, wrong)
            os.replace(part, target)
            with open(target, "rb", buffering=0) as stream:
                fingerprint = Fingerprint.of(os.fstat(stream.fileno()))
                found: Facts | str
                try:
                    found = describe(link.filename, stream, fingerprint.size)._replace(sha256=digests.sha256)
                except Unreadable as error:
                    found = str(error)
        except RequestFailed as error:
            return self._rejected(link, error)
        except OSError as error:
            raise DestinationError(
                f"cannot write {printable(part)}: {error.strerror}; free some space, or mend that, and run again"
            ) from error
        self._remember(link, mark, found, mirrored=True)
        return make_file(Artifact(directory, link.filename, fingerprint, link), found)

    # --- both -------------------------------------------------------------------------------------------------------

    def _rejected(self, link: Link, error: RequestFailed) -> Rejected:
        """Return the rejection of a file that its server does not give. Raises SourceError where it may yet do so."""
        if self.keep_going or _is_of_the_file(error):
            return Rejected(location=link.location, reason=error.why)
        raise SourceError(f"{error} (--keep-going publishes the rest)") from error

    @contextmanager
    def _reading(self, asked: Sequence[_Asked], why: str) -> Iterator[Callable[[int], object]]:
        """Say what will be read; yield what is told of it. Raises SourceError when it is more than is allowed."""
        if not asked:
            yield id
            return
        total = sum(one.link.size or 0 for one in asked)
        unsaid = sum(one.link.size is None for one in asked)
        hosts = sorted({urlsplit(one.link.url).netloc for one in asked})
        where = ", ".join(hosts[:3]) + (", …" if len(hosts) > 3 else "")
        what = f"{total:,} bytes in {len(asked):,} file{'' if len(asked) == 1 else 's'}"
        what += f", {unsaid:,} of them of unknown size," if unsaid else ""
        too_much = f"--max-download allows {self.max_download:,}: raise it, or choose fewer files with --include"
        if total > self.max_download:
            raise SourceError(f"{where}: {what} would have to be read {why}, and {too_much}")
        self.announce(Note(location=where, text=f"{what} {'would' if self.dry_run else 'will'} be read {why}"))
        if self.dry_run:
            yield id
            return
        read, lock = 0, Lock()
        with self.progress(total) as advance:

            def counted(size: int) -> None:
                nonlocal read
                with lock:
                    read += size
                if read > self.max_download:  # of what had no size before
                    raise SourceError(f"{where}: more came than was announced, and {too_much}")
                advance(size)

            yield counted


def _trusted(link: Link) -> Outcome:
    """Return the File of a link that somebody vouches for: what its name and its list say."""
    try:
        facts = describe_name(link.filename, link.requires_python)
    except Unreadable as error:
        return Rejected(location=link.location, reason=str(error))
    return make_file(link, facts._replace(sha256=link.sha256, core_metadata=link.core_metadata or ""))


def in_place(outcome: Outcome, tree: "MirrorTree") -> Outcome | None:
    """Return what came of a link before, as it is once that was published; None: a mirrored file is not there."""
    if isinstance(outcome, Rejected) or isinstance(outcome.artifact, Link) or not outcome.artifact.link:
        return outcome
    path = file_path(outcome.sha256, outcome.filename)
    artifact = _artifact(tree.root, path, outcome.artifact.link) if tree.holds(path) else None
    return outcome._replace(artifact=artifact) if artifact else None


class MirrorTree(Protocol):
    """A published tree that files are mirrored into."""

    @property
    def root(self) -> str:
        """Its directory."""

    @property
    def downloads(self) -> str:
        """A directory for what belongs into it but is not whole, or not published yet."""

    def holds(self, path: str) -> bool:
        """Tell whether what is at a path below it is what was written there."""


class _Digests:
    """The hashes of bytes that go by: sha256, and the one that the page gives."""

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

    def wrong(self) -> str:
        """Say which hash is not the one that the page gives, "" for none."""
        if self._link.sha256 not in ("", self.sha256):
            return f"its sha256 is {self.sha256}, and the page says {self._link.sha256}: somebody changed it"
        if self._other and self._other.hexdigest() != self._expected:
            name = self._other.name
            return f"its {name} is {self._other.hexdigest()}, and the page says {self._expected}: somebody changed it"
        return ""


def _artifact(root: str, path: str, link: Link) -> Artifact | None:
    """Return the artifact at a path of the tree, if there is one."""
    with suppress(OSError):
        status = os.stat(f"{root}/{path}", follow_symlinks=False)
        if stat.S_ISREG(status.st_mode):
            return Artifact(root, path, Fingerprint.of(status), link)
    return None


def _is_of_the_file(error: RequestFailed) -> bool:
    """Tell whether it is the file that is not there; otherwise the server could not be asked, or would not answer."""
    return 400 <= error.status < 500 and error.status not in _OF_WHO_ASKS


def _key(link: Link, *, mirrored: bool) -> str:
    # A file of our own has core metadata beside it, whatever it has elsewhere.
    return f"{'mirrored' if mirrored else 'file'} {link.url}"
