"""Looking at one file that a page lists, as far as it is wanted: is it there, are its bytes right, what is in them.

What was read over the network is remembered with what its server recognises the file by, so that a check which was
interrupted goes on where it was.
"""

import hashlib
import json
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from mkindex.cache import Cache
from mkindex.check.fetch import Fetcher, NoParts, path_of
from mkindex.check.observations import Content, Level, ListedFile, Requirements, SeenFile
from mkindex.check.wheels import content_of, requirements
from mkindex.distributions.filenames import SUFFIXES
from mkindex.distributions.zips import MAX_METADATA
from mkindex.tree.names import METADATA_SUFFIX
from mkindex.web.client import RawResponse, RequestFailed

if TYPE_CHECKING:
    from io import BufferedIOBase

_SPOOLED = 8 << 20  # bytes of a file that are kept in memory and not on the disk
_FETCHED_WHOLE = 1 << 20  # a file this small costs less as a whole than in parts
_PAGES = ("text/html", "application/xhtml+xml")


@dataclass(frozen=True, kw_only=True)
class FileInspector:
    """Looks at files. May be used by several threads."""

    place: Fetcher
    cache: Cache
    level: Level
    far_level: Level  # of files elsewhere that a directory's pages name
    wants_requirements: bool = False  # of every file of which they can be had without reading all of it

    def seen(self, entry: ListedFile, *, moved: bool, flat: bool) -> SeenFile | None:
        """Return what a file is; None where it is not looked at. Raises Failed where its server says nothing at all."""
        level = self.level if not self.place.local or entry.url.startswith("file:") else self.far_level
        if level == "none" or not _can_be_asked(entry, self.place):
            return None
        reply = self.place.about(entry.url)
        local = entry.url.startswith("file:")
        seen = SeenFile(entry=entry, reply=reply, local=local, moved=moved, flat=flat, size=_size(reply))
        if reply.status != 200:
            return seen
        if reply.media_type in _PAGES:
            return replace(seen, is_page=True)
        seen = self._with_companions(seen, level)
        if level in ("hash", "deep"):
            seen = self._with_bytes(seen, level)
        if self.wants_requirements and not seen.sibling_metadata and not seen.content:
            seen = self._with_bytes(seen, "deep") if local or entry.filename.endswith(".whl") else seen
        return seen

    def _with_companions(self, seen: SeenFile, level: Level) -> SeenFile:
        entry, reads = seen.entry, level != "head" or self.wants_requirements
        if entry.metadata is not None:
            url = f"{entry.url}{METADATA_SUFFIX}"
            sibling = self.place.small(url, MAX_METADATA) if reads else self.place.about(url)
            body = sibling.body
            seen = replace(seen, sibling=sibling._replace(body=b""))
            if reads and sibling.status == 200 and not sibling.broken:
                digest = hashlib.sha256(body).hexdigest()
                seen = replace(seen, sibling_sha256=digest, sibling_metadata=requirements(body))
        if entry.raw.get("gpg-sig") is True or entry.raw.get("data-gpg-sig") == "true":
            seen = replace(seen, signature=self.place.about(f"{entry.url}.asc"))
        provenance = entry.raw.get("provenance", entry.raw.get("data-provenance"))
        if isinstance(provenance, str) and provenance.startswith("https://") and not self.place.local:
            seen = replace(seen, provenance=self.place.about(provenance))
        return seen

    # --- bytes ------------------------------------------------------------------------------------------------------

    def _with_bytes(self, seen: SeenFile, level: Level) -> SeenFile:
        mark = _mark(seen)
        key = f"check {level} {seen.entry.other_hash.partition('=')[0]} {seen.entry.url}"
        known = self.cache.recall(key) if mark else None
        if known and known[0] == mark:
            return _loaded(seen, known[1])
        try:
            read = self._deep(seen) if level == "deep" else self._hashed(seen)
        except (RequestFailed, OSError) as error:
            return replace(seen, failed=getattr(error, "why", "") or getattr(error, "strerror", "") or "cannot be read")
        if mark:
            self.cache.remember(key, mark, _dumped(read))
        return read

    def _hashed(self, seen: SeenFile, into: "tempfile.SpooledTemporaryFile[bytes] | None" = None) -> SeenFile:
        digest = hashlib.sha256()
        name = seen.entry.other_hash.partition("=")[0]
        other = hashlib.new(name, usedforsecurity=False) if name else None
        size, start = 0, b""
        for chunk in self.place.chunks(seen.entry.url, seen.size):
            digest.update(chunk)
            if other:
                other.update(chunk)
            if into:
                into.write(chunk)
            start = start or chunk[:64]
            size += len(chunk)
        return replace(
            seen,
            sha256=digest.hexdigest(),
            other=f"{name}={other.hexdigest()}" if other else "",
            size=size,
            is_page=start.lstrip()[:1] == b"<",
        )

    def _deep(self, seen: SeenFile) -> SeenFile:
        url, filename = seen.entry.url, seen.entry.filename
        if not filename.endswith(SUFFIXES):
            return self._hashed(seen)
        in_parts = not seen.local and filename.endswith(".whl") and seen.size and seen.size > _FETCHED_WHOLE
        if in_parts and seen.size and (stream := self.place.parts(url, seen.size)):
            with suppress(NoParts):
                return replace(seen, content=content_of(filename, stream, seen.size, whole=False))
        if seen.local:
            seen = self._hashed(seen)
            with open(path_of(url), "rb") as file:
                return replace(seen, content=content_of(filename, file, seen.size or 0, whole=True))
        with tempfile.SpooledTemporaryFile(_SPOOLED) as spooled:
            seen = self._hashed(seen, spooled)
            spooled.seek(0)
            return replace(
                seen, content=content_of(filename, cast("BufferedIOBase", spooled), seen.size or 0, whole=True)
            )


def _can_be_asked(entry: ListedFile, place: Fetcher) -> bool:
    scheme = urlsplit(entry.url).scheme if entry.url else ""
    # A page of this machine may name files beside it, and none by their whole path.
    return scheme in ("http", "https") or (place.local and scheme == "file" and not entry.link.startswith("file:"))


def _size(reply: RawResponse) -> int | None:
    length = reply.headers.get("content-length", "")
    plain = reply.headers.get("content-encoding", "identity") == "identity"
    return int(length) if plain and length.isascii() and length.isdecimal() and len(length) < 19 else None


def _mark(seen: SeenFile) -> str:
    """Return what tells whether a remote file is still the same; "": nothing does."""
    etag, modified = seen.reply.headers.get("etag", ""), seen.reply.headers.get("last-modified", "")
    validator = etag if etag and not etag.startswith("W/") else modified
    return f"{validator} {seen.size}" if validator and seen.size and not seen.local else ""


def _dumped(seen: SeenFile) -> str:
    return json.dumps([seen.sha256, seen.other, seen.size, seen.is_page, seen.content])


def _loaded(seen: SeenFile, text: str) -> SeenFile:
    sha256, other, size, is_page, content = json.loads(text)
    if content is not None:
        digest, metadata, broken, ambiguous, record = content
        if metadata is not None:
            name, version, python, dist, extras = metadata
            metadata = Requirements(name, version, python, tuple(dist), tuple(extras))
        content = Content(digest, metadata, broken, tuple(ambiguous), tuple(record))
    return replace(seen, sha256=sha256, other=other, size=size, is_page=is_page, content=content)
