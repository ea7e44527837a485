"""The whole core metadata of files, for people: of this machine, or from other servers, as little as possible."""

import hashlib
import io
import os
from collections.abc import Callable
from contextlib import suppress

from mkindex.cache import Cache
from mkindex.distributions.zips import MAX_METADATA, Span, random_access, read_span, read_wheel_metadata
from mkindex.errors import Unreadable
from mkindex.examine.links import is_about_the_file
from mkindex.hosts.buckets import is_bucket
from mkindex.model.files import Artifact, File, Fingerprint, Link
from mkindex.tree.names import METADATA_SUFFIX, file_path
from mkindex.web.client import WebClient
from mkindex.web.ranges import OutOfReach
from mkindex.web.responses import Refused, RequestFailed

_ENCODING = "latin-1"  # of metadata in the cache, which contains text: every byte is a character


class CoreMetadataReader:
    """Reads the core metadata of files. What other servers send is remembered by address and hash."""

    def __init__(self, cache: Cache, web: WebClient, *, read: Callable[[str, int], bytes]) -> None:
        self._cache = cache
        self._web = web
        self._read = read  # returns the first bytes of a file of the published tree
        self._fetched: dict[str, bytes | None] = {}  # by key

    def read(self, file: File) -> bytes | None:
        """Return METADATA or PKG-INFO of a file; None if there is none to be read. Raises OSError: not now."""
        if is_here(file):
            return read_core_metadata(file)
        key = f"core metadata {metadata_key(file)}"
        if key not in self._fetched:
            known = self._cache.recall(key)
            raw = known[1].encode(_ENCODING) if known else self._elsewhere(file)
            if raw is not None and not known and file.sha256:
                self._cache.remember(key, "", raw.decode(_ENCODING))
            self._fetched[key] = raw
        return self._fetched[key]

    def _elsewhere(self, file: File) -> bytes | None:
        if isinstance(file.artifact, Link):
            return self._fetch(file, file.artifact)
        if file.artifact.link and not is_published(file, file.artifact):
            return self._fetch(file, file.artifact.link)
        # It is in a bucket, where its index is: so there is a sibling, unless it is an sdist.
        raw = self._read(f"{file.artifact.relative}{METADATA_SUFFIX}", MAX_METADATA) if file.core_metadata else b""
        return raw if hashlib.sha256(raw).hexdigest() == file.core_metadata else None

    def _fetch(self, file: File, link: Link) -> bytes | None:
        """Return METADATA from the server of a file: the sibling, or else a part of the wheel. Raises OSError."""
        if link.trusted:  # no request may be made for it
            return None
        try:
            return self._sibling(file, link) or self._part(file, link)
        except (OutOfReach, Unreadable):
            return None
        except RequestFailed as error:
            if is_about_the_file(error) and not isinstance(error, Refused):  # the next run may name its host
                return None
            raise ConnectionError(str(error)) from error

    def _sibling(self, file: File, link: Link) -> bytes | None:
        if not file.core_metadata or isinstance(file.artifact, Artifact):  # an object may have none
            return None
        raw = self._web.get_small(f"{link.url}{METADATA_SUFFIX}", most=MAX_METADATA)
        return raw if hashlib.sha256(raw).hexdigest() == file.core_metadata else None

    def _part(self, file: File, link: Link) -> bytes | None:
        if not file.filename.endswith(".whl") or not file.size:  # an sdist would have to be read as a whole
            return None
        validator = link.revision if isinstance(file.artifact, Artifact) else ""
        stream = self._web.open_ranges(link.url, file.size, validator=validator)
        return read_wheel_metadata(random_access(stream), file.size)[1] if stream else None


def is_here(file: File) -> bool:
    """Tell whether a file is on this machine."""
    return isinstance(file.artifact, Artifact) and not is_bucket(file.artifact.root)


def metadata_key(file: File) -> str:
    """Return a text that is the same only for files with the same metadata.

    That of a file elsewhere is what its server says: the hash on a page may be that of another file.
    """
    return f"{file.artifact.url} {file.sha256}" if isinstance(file.artifact, Link) else file.sha256


def read_core_metadata(file: File) -> bytes | None:
    """Return METADATA or PKG-INFO of a file on this machine; None if it has none. Raises OSError, as `open_file`."""
    with suppress(Unreadable), open_file(file) as stream:
        from mkindex.distributions.describe import read_sdist

        size = file.size or 0
        if not file.filename.endswith(".whl"):
            return read_sdist(file.filename, stream, size).pkg_info
        if file.metadata_span:
            return read_span(random_access(stream), Span.parse(file.metadata_span))
        return read_wheel_metadata(random_access(stream), size)[1]
    return None


def open_file(file: File) -> io.FileIO:
    """Open a file. Raises OSError, also if it is on another server, or is not the file that was examined."""
    artifact = file.artifact
    if not isinstance(artifact, Artifact):
        raise FileNotFoundError
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    stream = io.FileIO(os.open(artifact.path, flags))
    found, expected = Fingerprint.of(os.fstat(stream.fileno())), artifact.fingerprint
    # Of a published file only the size is recorded.
    if found != expected and not (is_published(file, artifact) and found.size == expected.size):
        stream.close()
        raise FileNotFoundError
    return stream


def is_published(file: File, artifact: Artifact) -> bool:
    """Tell whether an artifact is the file in a published tree, whose path contains its hash."""
    return artifact.relative == file_path(file.sha256, file.filename)
