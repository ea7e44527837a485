"""What a manifest records about the files of a project, so that they need not be read again: optional lines of text.

`files` lines have a JSON array for each file, as many as fit into a line. `long` lines have, in numbered parts, those
that do not fit into one, such as of a wheel with a large variant.json. A `status` line has the status of the project. A
record may always be missing, or be of another version: then the pages say what they can.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from sys import intern
from typing import Any, NamedTuple

from mkindex.distributions.filenames import SUFFIXES, split_label
from mkindex.distributions.specifiers import why_unusable
from mkindex.model.files import Artifact, Facts, File, Fingerprint, Link, Provenance
from mkindex.model.index import STATUSES, Project, ProjectStatus, parse_version
from mkindex.model.wheel_variants import read_variant
from mkindex.simple.links import clean_provenance, clean_upload_time
from mkindex.tree.manifest import LONGEST_LINE
from mkindex.tree.names import PROVENANCE_SUFFIX, file_path

_FILES, _LONG, _STATUS = b"files\t", b"long\t", b"status\t"
_FULL = LONGEST_LINE // 2  # bytes after which a line is not continued
_HASH = re.compile(r"[0-9a-f]{64}")
_FILENAME = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9._+!-]*(?:{'|'.join(map(re.escape, SUFFIXES))})")
_new = tuple.__new__  # makes a named tuple in a third of the time; for each of 100,000 files that counts


class Record(NamedTuple):
    """What a manifest says about a project."""

    files: list[File]
    status: ProjectStatus | None


class _Fields(NamedTuple):
    """The array of a file. Defaults at its end are not written."""

    filename: str
    version: str
    sha256: str = ""
    size: int | None = None
    upload_time: str = ""
    requires_python: str = ""
    core_metadata: str = ""  # sha256 of the sibling; "": there is none
    requires: str = ""
    metadata_name: str = ""
    normal_filename: str = ""
    url: str = ""  # "": the file is in the tree
    yanked: str | None = None
    provenance: str = ""
    variant: str = ""
    trusted: bool = False  # no request is made for it
    attested: str = ""  # sha256 of the provenance object in the tree; "": there is none
    attested_size: int = 0  # bytes of that


_DEFAULTS = tuple(_Fields("", ""))
_to_json = json.JSONEncoder(separators=(",", ":")).encode


def encode(project: Project, address: Callable[[File], str], core_metadata: Callable[[File], str]) -> tuple[bytes, ...]:
    """Return the lines of a project.

    `address` returns the URL of a file that is not in the tree, else ""; `core_metadata` the sha256 of its sibling.
    """
    rows = [_fields(file, address(file), core_metadata(file)) for file in project.files]
    text = _to_json(rows)  # all at once, since each call of the encoder costs as much as the array of a file
    lines = [_FILES + f"{text}\n".encode()] if len(text) <= _FULL else _long_lines(rows)
    if project.status:
        lines.append(_STATUS + f"{json.dumps(project.status)}\n".encode())
    return tuple(lines)


def _long_lines(rows: Iterable[Sequence[object]]) -> list[bytes]:
    """Return the lines of files that do not fit into one."""
    arrays = [_to_json(row) for row in rows]
    long = [array for array in arrays if len(array) > _FULL]
    short = [array for array in arrays if len(array) <= _FULL] if long else arrays
    lines = [_FILES + f"[{','.join(some)}]\n".encode() for some in _chunks(short)]
    if long:
        text = f"[{','.join(long)}]"
        parts = (text[at : at + _FULL] for at in range(0, len(text), _FULL))
        lines += (_LONG + f"{number:06d} {part}\n".encode() for number, part in enumerate(parts))
    return lines


def _fields(file: File, url: str, core_metadata: str) -> Sequence[object]:
    facts = file.facts
    fields = [
        *(file.filename, facts.version, facts.sha256, file.size, facts.upload_time, facts.requires_python),
        *(core_metadata, facts.requires, facts.metadata_name, facts.normal_filename, url, file.yanked, file.provenance),
        facts.variant,
        isinstance(file.artifact, Link) and file.artifact.trusted,
        *(file.attested[:2] if file.attested else ("", 0)),
    ]
    while fields[-1] == _DEFAULTS[len(fields) - 1]:
        fields.pop()
    return fields


def _chunks(arrays: Iterable[str]) -> Iterator[list[str]]:
    """Yield the arrays of each line; one line without arrays if there is no file."""
    chunk: list[str] = []
    size = 0
    for array in arrays:
        if size + len(array) > _FULL:
            yield chunk
            chunk, size = [], 0
        chunk.append(array)
        size += len(array) + 1
    yield chunk


def decode(project: str, lines: Sequence[bytes], root: str) -> Record | None:
    """Return the record in the optional lines of a project; None if there is none that this version can read.

    The tree at `root` may come from another person, so nothing in a record is trusted.
    """
    arrays: list[Any] = []
    parts: list[bytes] = []
    status, is_recorded = None, False
    try:
        for line in lines:
            if line.startswith(_FILES):
                arrays += json.loads(line[len(_FILES) :])
                is_recorded = True
            elif line.startswith(_LONG):
                number, _, part = line[len(_LONG) :].rstrip(b"\n").partition(b" ")
                if int(number) != len(parts):
                    raise ValueError
                parts.append(part)
            elif line.startswith(_STATUS):
                status = _status(*json.loads(line[len(_STATUS) :]))
        if parts:
            arrays += json.loads(b"".join(parts))
        return Record([_file(project, _Fields(*array), root) for array in arrays], status) if is_recorded else None
    except (ValueError, TypeError, RecursionError):
        return None


def _status(name: str, reason: str | None) -> ProjectStatus:
    """Return the status of a project. Raises ValueError or TypeError for one that mkindex would not write."""
    if name not in STATUSES or not (reason is None or reason.isprintable()):
        raise ValueError
    return ProjectStatus(name, reason)


def _file(project: str, fields: _Fields, root: str) -> File:
    """Return the File of an array. Raises ValueError or TypeError for one that mkindex would not write."""
    filename, version, sha256, size, time, python, metadata, requires, name, normal, url = fields[:11]
    yanked, provenance, variant, trusted, attested, attested_size = fields[11:]
    texts = "".join(
        (
            filename,
            version,
            sha256,
            time,
            python,
            metadata,
            requires,
            name,
            normal,
            url,
            provenance,
            variant,
            yanked or "",
        )
    )
    if not (texts.isprintable() and _FILENAME.fullmatch(filename) and (yanked is None or isinstance(yanked, str))):
        raise ValueError
    if not (size is None or (type(size) is int and size >= 0)) or (metadata and not _HASH.fullmatch(metadata)):
        raise ValueError
    if clean_upload_time(time) != time or (provenance and clean_provenance(provenance) != provenance):
        raise ValueError
    parse_version(version)  # raises ValueError
    if variant:
        variant = read_variant(variant, split_label(filename)[1])  # raises ValueError
    facts = _new(
        Facts,
        (
            *(project, intern(version), sha256, normal, intern(python), metadata, "", intern(time), "", name, ""),
            *(requires, variant),
        ),
    )
    own = _provenance(filename, attested, attested_size, root) if attested else None
    if url:
        if not (url.startswith(("https://", "http://")) and url.isascii()):
            raise ValueError
        sibling = metadata or None
        link = Link(url, filename, sha256, "", python, yanked, sibling, size, time, provenance, trusted is True)
        return File(link, facts, filename, own)
    if size is None or not _HASH.fullmatch(sha256) or (python and why_unusable(python)):
        raise ValueError
    # Pages state the time of the file, whatever its mtime in the tree is.
    entry = Link("file:", filename, sha256, "", "", yanked, None, None, time, provenance)
    fingerprint = _new(Fingerprint, (0, size, 0, 0))
    artifact = _new(Artifact, (root, file_path(sha256, filename), fingerprint, entry))
    return _new(File, (artifact, facts, filename, own))


def _provenance(filename: str, sha256: str, size: object, root: str) -> Provenance:
    """Return the provenance object of a file. Raises ValueError or TypeError for one that mkindex would not write."""
    if not _HASH.fullmatch(sha256) or type(size) is not int or size < 0:
        raise ValueError
    return Provenance(sha256, size, (os.path.join(root, file_path(sha256, f"{filename}{PROVENANCE_SUFFIX}")),))
