"""Lists of files: a path or a URL on each line, or a JSON object as dumb-pypi's package lists have them."""

import json
import math
import os
import posixpath
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import quote, unquote, urlsplit

from mkindex.distributions.filenames import FILENAME, STRANGE_NAME, SUFFIXES, why_unsupported
from mkindex.errors import Note, Rejected, SourceError
from mkindex.model.files import Artifact, Fingerprint, Link, format_upload_time
from mkindex.simple.links import hashes_in, link_to, path_of, text_of
from mkindex.sources.open import Found
from mkindex.sources.selection import Selection
from mkindex.text import printable, redact

_LONGEST = 1 << 20  # bytes of a line
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_SHA256 = re.compile(r"sha256=[0-9a-f]{64}")  # as nearly all of a million lines have it
_PLAIN = re.compile(r"[A-Za-z0-9._~/-]*")  # a path that an address can hold as it is


@dataclass(frozen=True, kw_only=True)
class ListSource:
    """The files that a list names; `path` is absolute, or "-" for standard input. Relative paths start beside the list.

    With `files_url` the list is all there is: the files are there, and are not looked at unless `verify`.
    """

    path: str
    selection: Selection
    files_url: str | None = None
    verify: bool = False

    def artifacts(self) -> Iterator[Found]:
        """Yield the files, in the order of the lines. Raises SourceError where the list cannot be read to its end."""
        name = "standard input" if self.path == "-" else printable(self.path)
        try:
            with nullcontext(sys.stdin.buffer) if self.path == "-" else open(self.path, "rb") as stream:
                yield from self._read(stream, name)
        except OSError as error:
            raise SourceError(f"cannot read the list {name}: {error.strerror}") from error

    def _read(self, stream: BinaryIO, name: str) -> Iterator[Found]:
        number = 0
        while line := stream.readline(_LONGEST):
            number += 1
            if len(line) == _LONGEST:
                raise SourceError(f"{name}, line {number}: longer than {_LONGEST:,} bytes: is it a list?")
            entry = (line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).strip()
            if not entry or entry.startswith(b"#"):
                continue
            try:
                if entry.startswith(b"{"):
                    found = self._of_object(json.loads(entry))
                else:
                    found = self._of_text(os.fsdecode(entry))
            except (ValueError, TypeError, AttributeError, RecursionError) as error:
                found = Rejected(location=f"{name}, line {number}", reason=str(error))
            if found is not None:
                yield found

    def _of_text(self, text: str) -> Found | None:
        if _SCHEME.match(text):
            name = unquote(urlsplit(text).path.rpartition("/")[2])
            return self._found(text, link_to(text) if name.endswith(SUFFIXES) else Link(url=text, filename=name))
        return self._found(text, Link(url="", filename=text.rpartition("/")[2]))

    def _of_object(self, entry: Any) -> Found | None:  # noqa: ANN401 (whatever JSON has)
        """Return the file of a JSON object, whose keys are those of dumb-pypi's package lists."""
        filename = entry.get("filename")
        if not isinstance(filename, str) or _SCHEME.match(filename):
            raise ValueError("an object without a filename: give a path, or the address alone on its line")
        sha256, other = _hashes(entry.get("hash"))
        if entry.get("hash") and not (sha256 or other):
            raise ValueError(f"the hash of {redact(filename)} is none that is known: give sha256=… and 64 digits")
        metadata = entry.get("core_metadata")
        link = Link(
            url="",
            filename=filename.rpartition("/")[2],
            sha256=sha256,
            other_hash=other,
            requires_python=text_of(entry.get("requires_python")),
            yanked=text_of(entry["yanked_reason"]) if entry.get("yanked_reason") else None,
            core_metadata=_hashes(metadata)[0] if metadata else None,
            upload_time=_time(entry.get("upload_timestamp")),
        )
        return self._found(filename, link)

    def _found(self, text: str, link: Link) -> Found | None:
        """Return what a line comes to: a link, a file of this machine, or why neither."""
        if not link.filename.endswith(SUFFIXES):
            if reason := why_unsupported(link.filename):
                return Note(location=redact(text), text=f"passed over: {reason}", detail=True)
            raise ValueError(f"{redact(text)} is neither a wheel nor an sdist: give a path or a URL a line")
        if not self.selection.file(link.filename):
            return None
        if link.url:
            return link if link.is_elsewhere else self._local(path_of(link.url), link)
        if self.files_url is not None:
            if not FILENAME.fullmatch(link.filename):
                raise ValueError(f"{redact(text)}: {STRANGE_NAME}")
            path = posixpath.normpath(text) if "/" in text else text
            if path.startswith(("/", "../")):
                raise ValueError(f"{redact(text)}: no path below --files-url: give it relative to that")
            path = path if _PLAIN.fullmatch(path) else quote(path, safe="/", errors="surrogateescape")
            return link._replace(url=f"{self.files_url.rstrip('/')}/{path}", trusted=not self.verify)
        return self._local(text, link)

    def _local(self, path: str, link: Link) -> Artifact | Rejected:
        root = os.getcwd() if self.path == "-" else os.path.dirname(self.path)
        path = os.path.normpath(os.path.join(root, path))
        if not path.startswith(f"{root.rstrip('/')}/"):
            root = os.path.dirname(path)
        try:
            status = os.stat(path)
        except OSError as error:
            return Rejected(location=path, reason=f"the list names it, and it cannot be read: {error.strerror}")
        if not stat.S_ISREG(status.st_mode):
            return Rejected(location=path, reason="the list names it, and it is no regular file: name the files in it")
        relative = os.path.relpath(path, root).replace(os.sep, "/")
        return Artifact(root, relative, Fingerprint.of(status), link._replace(url="file:"))


def _hashes(text: object) -> tuple[str, str]:
    """Return the sha256 in a text like "sha256=…", or the hash of another kind as it is there."""
    if not isinstance(text, str):
        return "", ""
    return (text[7:], "") if _SHA256.fullmatch(text) else hashes_in(text)


def _time(timestamp: object) -> str:
    """Return a time in seconds since the epoch as the API writes it, "" for what is none."""
    if isinstance(timestamp, bool) or not isinstance(timestamp, int | float) or not math.isfinite(timestamp):
        return ""
    return format_upload_time(int(timestamp))
