"""Inspect one file that a page lists: its existence, its hash and its contents, as far as the options require.

Results from the network are cached with the fingerprint of the file, so that an interrupted check continues where it
stopped.
"""

import hashlib
import json
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from mkindex.cache import Cache
from mkindex.check.fetch import Fetcher
from mkindex.check.observations import Content, Level, ListedFile, Requirements, SeenFile
from mkindex.check.wheels import content_of, requirements
from mkindex.distributions.attestations import MAX_PROVENANCE, read_provenance
from mkindex.distributions.filenames import SUFFIXES
from mkindex.distributions.zips import MAX_METADATA
from mkindex.errors import Unreadable
from mkindex.model.wheel_variants import MAX_VARIANTS_JSON, VARIANTS_JSON
from mkindex.tree.names import FILES_DIRECTORY, METADATA_SUFFIX, PROVENANCE_SUFFIX
from mkindex.web.ranges import RangesRefused
from mkindex.web.responses import RequestFailed
from mkindex.web.validators import content_length, fingerprint, validator

if TYPE_CHECKING:
    from io import BufferedIOBase

_SPOOLED = 8 << 20  # bytes of a file that are kept in memory instead of on disk
_FETCHED_WHOLE = 1 << 20  # bytes: up to this size, reading the whole file takes fewer requests
_OWN_PROVENANCE = re.compile(rf"/{FILES_DIRECTORY}/[0-9a-f]{{2}}/[0-9a-f]{{62}}/[^/?#]+{re.escape(PROVENANCE_SUFFIX)}$")
_PAGES = ("text/html", "application/xhtml+xml")


@dataclass(frozen=True, kw_only=True)
class FileInspector:
    """Inspects files at the requested level. Several threads may use it."""

    fetcher: Fetcher
    cache: Cache
    level: Level
    far_level: Level  # of files on servers that the pages of a directory name
    wants_requirements: bool = False  # read core metadata of all files if parts of them suffice
    reads_far_sdists: bool = False  # for that, also read sdists on servers, whole

    def inspect(self, entry: ListedFile, *, page_redirected: bool) -> SeenFile | None:
        """Return what a file is; None where it is not looked at, since clients never request it or nobody can.

        Raises RequestFailed if further requests to its server are useless.
        """
        level = self.level if not self.fetcher.local or entry.url.startswith("file:") else self.far_level
        if level == "none" or entry.is_unused or not _can_be_fetched(entry, self.fetcher):
            return None
        if self.fetcher.local:
            self.fetcher.web.allow_local_host(entry.url)
        reply = self.fetcher.head(entry.url)
        local, size = entry.url.startswith("file:"), content_length(reply.headers)
        seen = SeenFile(entry=entry, reply=reply, is_local=local, page_redirected=page_redirected, size=size)
        if reply.status != 200:
            return seen
        if reply.media_type in _PAGES:
            return replace(seen, is_page=True)
        seen = self._with_companions(seen, level)
        if entry.filename.endswith(VARIANTS_JSON):
            body = self.fetcher.get_small(entry.url, MAX_VARIANTS_JSON).body
            seen = replace(seen, variants=body.decode("utf-8", "replace"))
        if level in ("hash", "deep"):
            seen = self._with_bytes(seen, level)
        if self.wants_requirements and not seen.content:
            is_wheel = entry.filename.endswith(".whl")
            if not seen.sibling_metadata if is_wheel else local or self.reads_far_sdists:
                seen = self._with_bytes(seen, "deep")
        return self._with_provenance(seen, level)

    def _with_companions(self, seen: SeenFile, level: Level) -> SeenFile:
        """Add the companions that the page announces: core metadata and signature."""
        entry, reads = seen.entry, level != "head" or self.wants_requirements
        if entry.metadata is not None:
            url = f"{entry.url}{METADATA_SUFFIX}"
            sibling = self.fetcher.get_small(url, MAX_METADATA) if reads else self.fetcher.head(url)
            body = sibling.body
            is_read = reads and sibling.status == 200 and not sibling.broken
            seen = replace(
                seen,
                sibling=sibling._replace(body=b""),
                sibling_sha256=hashlib.sha256(body).hexdigest() if is_read else "",
                sibling_metadata=requirements(body) if is_read else None,
            )
        if entry.raw.get("gpg-sig") is True or entry.raw.get("data-gpg-sig") == "true":
            seen = replace(seen, signature=self.fetcher.head(f"{entry.url}.asc"))
        return seen

    def _with_provenance(self, seen: SeenFile, level: Level) -> SeenFile:
        """Add the provenance object that the page names (PEP 740), verified at level "deep" with the extra `attest`."""
        url = self._provenance_url(seen.entry)
        if not url:
            return seen
        reply = self.fetcher.get_small(url, MAX_PROVENANCE + 1)
        seen = replace(seen, provenance=reply._replace(body=b""))
        if reply.status != 200 or reply.broken:
            return seen
        try:
            attestations = read_provenance(reply.body, seen.entry.filename, seen.sha256 or seen.entry.sha256)
        except Unreadable as error:
            return replace(seen, provenance_error=str(error))
        if level != "deep":
            return seen
        from mkindex.distributions.verification import is_available, verify  # here, since it takes a second

        if not is_available():
            return replace(seen, is_unverified=True)
        try:
            verify(attestations)
        except Unreadable as error:
            return replace(seen, signature_error=str(error))
        return seen

    def _provenance_url(self, entry: ListedFile) -> str:
        """Return where a provenance object is; "" without one, and where nothing may be requested."""
        url = entry.provenance
        if not self.fetcher.local:
            return url if url.startswith("https://") else ""
        # In a directory, one of its own is looked for where it will be served.
        found = _OWN_PROVENANCE.search(url)
        root, files, _ = entry.url.rpartition(f"/{FILES_DIRECTORY}/")
        own = f"{root}{found[0]}" if found and files else ""
        return own if own and self.fetcher.head(own).status == 200 else ""

    # --- bytes ------------------------------------------------------------------------------------------------------

    def _with_bytes(self, seen: SeenFile, level: Level) -> SeenFile:
        """Add hashes, or at level "deep" the content, from the cache if the file has not changed."""
        unchanged = "" if seen.is_local else fingerprint(validator(seen.reply.headers), seen.size)
        key = f"check {level} {seen.entry.other_hash.partition('=')[0]} {seen.entry.url}"
        cached = self.cache.recall(key) if unchanged else None
        if cached and cached[0] == unchanged:
            return _decode(seen, cached[1])
        try:
            result = self._with_content(seen) if level == "deep" else self._with_hashes(seen)
        except (RequestFailed, OSError) as error:
            reason = error.why if isinstance(error, RequestFailed) else error.strerror
            return replace(seen, read_error=reason or "cannot be read")
        if unchanged:
            self.cache.remember(key, unchanged, _encode(result))
        return result

    def _with_hashes(self, seen: SeenFile, copy: "tempfile.SpooledTemporaryFile[bytes] | None" = None) -> SeenFile:
        """Add hashes and size by reading all of a file, and write it to `copy`."""
        digest = hashlib.sha256()
        name = seen.entry.other_hash.partition("=")[0]
        other = hashlib.new(name, usedforsecurity=False) if name else None
        size, start = 0, b""
        for chunk in self.fetcher.stream(seen.entry.url, seen.size):
            digest.update(chunk)
            if other:
                other.update(chunk)
            if copy:
                copy.write(chunk)
            start = start or chunk[:64]
            size += len(chunk)
        return replace(
            seen,
            sha256=digest.hexdigest(),
            other_hash=f"{name}={other.hexdigest()}" if other else "",
            size=size,
            is_page=start.lstrip()[:1] == b"<",
        )

    def _with_content(self, seen: SeenFile) -> SeenFile:
        """Add the contents of a wheel or sdist, and fetch as little of it as possible."""
        url, filename = seen.entry.url, seen.entry.filename
        if not filename.endswith(SUFFIXES):
            return self._with_hashes(seen)
        in_parts = not seen.is_local and filename.endswith(".whl") and seen.size and seen.size > _FETCHED_WHOLE
        if in_parts and seen.size and (stream := self.fetcher.open_ranges(url, seen.size)):
            with suppress(RangesRefused):
                return replace(seen, content=content_of(filename, stream, seen.size, whole=False))
        if seen.is_local:
            seen = self._with_hashes(seen)
            with self.fetcher.open(url) as file:
                return replace(seen, content=content_of(filename, file, seen.size or 0, whole=True))
        with tempfile.SpooledTemporaryFile(_SPOOLED) as copy:
            seen = self._with_hashes(seen, copy)
            copy.seek(0)
            return replace(seen, content=content_of(filename, cast("BufferedIOBase", copy), seen.size or 0, whole=True))


def _can_be_fetched(entry: ListedFile, fetcher: Fetcher) -> bool:
    scheme = entry.url.partition(":")[0].lower()
    # A page on this machine may link to files relative to it. An absolute file: address could name
    # any file of the machine.
    return scheme in ("http", "https") or (fetcher.local and scheme == "file" and not entry.link.startswith("file:"))


def _encode(seen: SeenFile) -> str:
    """Return the results for a file as text for the cache."""
    return json.dumps([seen.sha256, seen.other_hash, seen.size, seen.is_page, seen.content])


def _decode(seen: SeenFile, text: str) -> SeenFile:
    """Add the results in a text of _encode()."""
    sha256, other_hash, size, is_page, content = json.loads(text)
    if content is not None:
        digest, metadata, build, broken, *lists = content
        if metadata is not None:
            metadata = Requirements._make(tuple(one) if isinstance(one, list) else one for one in metadata)
        build = None if build is None else tuple(build)
        content = Content(digest, metadata, build, broken, *map(tuple, lists))
    return replace(seen, sha256=sha256, other_hash=other_hash, size=size, is_page=is_page, content=content)
