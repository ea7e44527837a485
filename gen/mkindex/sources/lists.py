"""Lists of files: a path or a URL on each line, or a JSON object with the keys of dumb-pypi's package lists."""

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
from urllib.parse import quote

from mkindex.distributions.filenames import FILENAME, STRANGE_NAME, SUFFIXES, why_unsupported
from mkindex.errors import Note, Rejected, SourceError
from mkindex.model.files import Artifact, Fingerprint, Link, format_upload_time
from mkindex.simple.links import clean_text, filename_in, parse_link, path_of, pick_hash_in, split_address
from mkindex.sources.selection import Selection
from mkindex.sources.source import SourceItem
from mkindex.text import printable, redact

_MAX_LINE = 1 << 20  # bytes
_decode = json.JSONDecoder().decode  # without the questions that json.loads() asks for each line
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_USUAL_HASH = re.compile(r"sha256=[0-9a-f]{64}")
_PLAIN_PATH = re.compile(r"[A-Za-z0-9._~/-]*")  # needs no percent-encoding


@dataclass(frozen=True, kw_only=True)
class ListSource:
    """The files that a list names. Relative paths start at the directory of the list.

    With `files_url` paths are relative to that address instead, and no file is opened.
    """

    path: str  # absolute, or "-" for standard input
    selection: Selection
    files_url: str | None = None
    verify: bool = False  # request the files at `files_url`

    def artifacts(self) -> Iterator[SourceItem]:
        """Yield the files in the order of the lines. Raises SourceError if the list cannot be read to its end."""
        name = "standard input" if self.path == "-" else printable(self.path)
        try:
            with nullcontext(sys.stdin.buffer) if self.path == "-" else open(self.path, "rb") as stream:
                yield from self._read(stream, name)
        except OSError as error:
            raise SourceError(f"cannot read the list {name}: {error.strerror}") from error

    def _read(self, stream: BinaryIO, name: str) -> Iterator[SourceItem]:
        number = 0
        is_first = True
        while line := stream.readline(_MAX_LINE):
            number += 1
            if len(line) == _MAX_LINE:
                raise SourceError(
                    f"{name}, line {number}: longer than {_MAX_LINE:,} bytes. Give a list with one file per line"
                )
            entry = (line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).strip()
            if not entry or entry.startswith(b"#"):
                continue
            if is_first and (kind := _identify_other_file(entry, os.path.basename(self.path))):
                raise SourceError(f"{name} is {kind[0]}, not a list of files. {kind[1]}")
            is_first = False
            try:
                is_object = entry.startswith(b"{")
                item = self._parse_object(entry) if is_object else self._parse_text(os.fsdecode(entry))
            except ValueError as error:
                item = Rejected(location=f"{name}, line {number}", reason=str(error))
            if item is not None:
                yield item

    def _parse_text(self, text: str) -> "SourceItem | None":
        """Return the file at a path or URL; None if it is not selected. Raises ValueError."""
        if _SCHEME.match(text):
            if _CONTROL.search(text):  # urlsplit() removes line breaks and tabs, so that another file would be named
                raise ValueError("the address contains a control character. Give one path or URL per line")
            filename = filename_in(split_address(text).path)
            link = parse_link(text) if filename.endswith(SUFFIXES) else Link(url=text, filename=filename)
            return self._select(text, link)
        return self._select(text, Link(url="", filename=text.rpartition("/")[2]))

    def _parse_object(self, line: bytes) -> "SourceItem | None":
        """Return the file of a JSON object; None if it is not selected. Raises ValueError."""
        try:
            entry: dict[str, Any] = _decode(line.decode())
        except (ValueError, RecursionError) as error:
            reason = f" ({error.msg})" if isinstance(error, json.JSONDecodeError) else ""
            raise ValueError(f"not a JSON object{reason}. Write each object on one line") from error
        filename = entry.get("filename")
        if not isinstance(filename, str) or _SCHEME.match(filename):
            raise ValueError("`filename` is missing, or not a path. Give a path, or an address without an object")
        sha256, other_hash = _parse_hash(entry.get("hash"))
        if entry.get("hash") and not (sha256 or other_hash):
            raise ValueError("`hash` is not a known hash. Give sha256= and 64 hexadecimal digits")
        metadata = entry.get("core_metadata")
        link = Link(
            url="",
            filename=filename.rpartition("/")[2],
            sha256=sha256,
            other_hash=other_hash,
            requires_python=clean_text(entry.get("requires_python")),
            yanked=clean_text(entry["yanked_reason"]) if entry.get("yanked_reason") else None,
            core_metadata=_parse_hash(metadata)[0] if metadata else None,
            upload_time=_parse_timestamp(entry.get("upload_timestamp")),
        )
        return self._select(filename, link)

    def _select(self, text: str, link: Link) -> "SourceItem | None":
        """Return the file at a path or URL, with what its line says about it; None if it is not selected.

        Raises ValueError if it cannot be a file of an index.
        """
        if not link.filename.endswith(SUFFIXES):
            if reason := why_unsupported(link.filename):
                return Note(location=redact(text), text=f"skipped: {reason}", detail=True)
            raise ValueError("not a wheel or sdist. Give one path or URL per line")
        if not self.selection.includes_file(link.filename):
            return None
        if link.url:
            return link if link.is_elsewhere else self._find_local(path_of(link.url), link)
        if self.files_url is None:
            return self._find_local(text, link)
        return link._replace(url=_url_below(self.files_url, text, link.filename), trusted=not self.verify)

    def _find_local(self, path: str, link: Link) -> Artifact | Rejected:
        """Return the file at a path of this machine. Raises ValueError if it cannot be a path."""
        root = os.getcwd() if self.path == "-" else os.path.dirname(self.path)
        path = os.path.normpath(os.path.join(root, path))
        if not path.startswith(f"{root.rstrip('/')}/"):
            root = os.path.dirname(path)
        try:
            status = os.stat(path)
        except ValueError as error:  # a NUL, or half of a surrogate pair
            raise ValueError("not a valid path. Give one path or URL per line") from error
        except OSError as error:
            return Rejected(location=path, reason=f"named in the list, but cannot be read: {error.strerror}")
        if not stat.S_ISREG(status.st_mode):
            return Rejected(location=path, reason="named in the list, but not a regular file. Give the path of a file")
        relative = os.path.relpath(path, root).replace(os.sep, "/")
        return Artifact(root, relative, Fingerprint.of(status), link._replace(url="file:"))


_GIVE_WHEELS = "Give the directory that contains its wheels, or give a list with one path or URL per line"
_GIVE_OBJECTS = "Write each JSON object on one line, with `filename`"
_MAX_START = 1000  # characters of a line that tell what a file is
_LOCK_FILES = {
    "uv.lock": "a lock file of uv",
    "poetry.lock": "a lock file of Poetry",
    "pdm.lock": "a lock file of PDM",
    "Pipfile.lock": "a lock file of Pipenv",
}
TOML = re.compile(r'\[\[?[\w."\' -]+\]\]?\s*(#.*)?|[\w.-]+\s*=\s*(["\'\[{]|\d|true|false).*', re.ASCII)
_TOML_OF_LOCK = re.compile(r"\[\[packages?\]\]|(lock-)?version\s*=", re.ASCII)
REQUIREMENT = re.compile(r"[\w.-]+\s*(\[[^\]]*\])?\s*([=~!<>]=|[<>@;]).*|--?[a-z][a-z-]*[ =].*", re.ASCII)
_JSON_ARRAY = re.compile(r'\[\s*([\[{"]|$)')
_PAGE_KEYS = re.compile(rb'"(meta|files|projects)"\s*:')


def _identify_other_file(line: bytes, filename: str) -> tuple[str, str] | None:
    """Return what a file is whose first line that is not a comment cannot be in a list, and what to do. None: a list.

    Otherwise each of its lines would be rejected.
    """
    text = os.fsdecode(line)
    if text.endswith(SUFFIXES):
        return None
    start = text[:_MAX_START]
    if text.startswith("<"):
        return "an HTML or XML page", "Save it and give the file, whose name ends in .html, or give its address"
    if TOML.fullmatch(start):
        if filename in _LOCK_FILES or _TOML_OF_LOCK.match(start):
            return _LOCK_FILES.get(filename, "a lock file"), _GIVE_WHEELS
        return "a TOML file", _GIVE_WHEELS
    if text.startswith("{") and _PAGE_KEYS.search(line) and b'"filename"' not in line.partition(b'"files"')[0]:
        return "a JSON page of the Simple API", "Save it and give the file, or give its address"
    # A JSON document that begins here and does not end on this line, or an array.
    if _JSON_ARRAY.match(text) or (text.startswith("{") and text[-1] in "{[,"):
        kind = _LOCK_FILES.get(filename)
        return (kind, _GIVE_WHEELS) if kind else ("a JSON document", _GIVE_OBJECTS)
    if REQUIREMENT.fullmatch(start):
        return "a requirements file", _GIVE_WHEELS
    return None


def _url_below(files_url: str, path: str, filename: str) -> str:
    """Return the address of a path relative to --files-url. Raises ValueError if it leads elsewhere."""
    if not FILENAME.fullmatch(filename):
        raise ValueError(STRANGE_NAME)
    normal = posixpath.normpath(path) if "/" in path else path
    if normal.startswith(("/", "../")):
        raise ValueError("the path leads out of --files-url. Give a path relative to it")
    quoted = normal if _PLAIN_PATH.fullmatch(normal) else quote(normal, safe="/", errors="surrogateescape")
    return f"{files_url.rstrip('/')}/{quoted}"


def _parse_hash(text: object) -> tuple[str, str]:
    """Return the hash in a text such as "sha256=…", as `pick_hash` does; "" and "" for anything else."""
    if not isinstance(text, str):
        return "", ""
    return (text[7:], "") if _USUAL_HASH.fullmatch(text) else pick_hash_in(text)


def _parse_timestamp(timestamp: object) -> str:
    """Return seconds since the epoch as the Simple API writes times; "" for anything but a number."""
    if isinstance(timestamp, bool) or not isinstance(timestamp, int | float):
        return ""
    is_finite = isinstance(timestamp, int) or math.isfinite(timestamp)  # isfinite() raises for an int beyond any float
    return format_upload_time(int(timestamp)) if is_finite else ""


def peek_at_stdin(size: int) -> bytes:
    """Return the beginning of standard input, which stays there to be read; b"" if there is nothing to see."""
    peek = getattr(sys.stdin.buffer, "peek", None)
    return bytes(peek(size)[:size]) if peek else b""
