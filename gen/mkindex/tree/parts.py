"""The parts of the manifest of a large index in a bucket, and the whole manifest that they make.

Each part is a manifest of one section in an object of its own, named by its sha256. The manifest lists them.
"""

import hashlib
import json
import os
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import BinaryIO

from mkindex.tree.manifest import END, END_LENGTH, FIRST_LINE, IN_PARTS, LARGEST, DamagedManifest, open_record
from mkindex.tree.names import MANIFEST, PARTS_DIRECTORY

_LIST = b"mkindex manifest %d\n" % IN_PARTS  # so that a version that does not know parts refuses it
_DIGITS = frozenset("0123456789abcdef")


def part_path(sha256: str) -> str:
    """Return the path of a part."""
    return f"{PARTS_DIRECTORY}/{sha256}"


def is_part(path: str) -> bool:
    """Tell whether mkindex gives a part this path: another file there is not its own."""
    name = path.removeprefix(f"{PARTS_DIRECTORY}/")
    return len(name) == 64 and _DIGITS.issuperset(name)


def part_digest(data: bytes) -> str:
    """Return the sha256 of a part."""
    return hashlib.sha256(data).hexdigest()


def checked_digest(sha256: object) -> str:
    """Return a sha256. Raises ValueError for anything else: mkindex reads and deletes what has this name."""
    if not isinstance(sha256, str) or len(sha256) != 64 or not _DIGITS.issuperset(sha256):
        raise ValueError
    return sha256


def is_list(data: bytes) -> bool:
    """Tell whether a manifest is a list of parts."""
    return data.startswith(_LIST)


def encode_list(values: object) -> bytes:
    """Return a list of parts: one line of JSON, and a checksum as every manifest has."""
    data = _LIST + json.dumps(values, separators=(",", ":")).encode() + b"\n"
    return data + END % zlib.crc32(data)


def decode_list(data: bytes) -> object:
    """Return what `encode_list` made bytes of. Raises DamagedManifest."""
    at = len(data) - END_LENGTH
    if not is_list(data) or at < len(_LIST) or data[at:] != END % zlib.crc32(data[:at]):
        raise DamagedManifest
    try:
        return json.loads(data[len(_LIST) : at])
    except (ValueError, RecursionError) as error:
        raise DamagedManifest from error


def open_manifest(path: str) -> BinaryIO:
    """Open the whole manifest of a tree on this machine, which may be a copy of a bucket.

    Raises OSError, and DamagedManifest for parts that are missing or damaged.
    """
    stream = open_record(path)
    try:
        if stream.read(len(_LIST)) != _LIST:
            stream.seek(0)
            return stream
    except OSError:  # of a pipe, for example
        stream.close()
        raise
    root = path.removesuffix(MANIFEST)

    def read(part: str) -> bytes:
        try:
            with open_record(os.path.join(root, part)) as file:
                return file.read(LARGEST)
        except OSError as error:
            raise DamagedManifest from error

    with stream:
        return BytesIO(joined_manifest(_LIST + stream.read(LARGEST), read))


def joined_manifest(data: bytes, read: Callable[[str], bytes]) -> bytes:
    """Return the whole manifest for a list of parts. `read` returns the file at a path. Raises DamagedManifest."""
    whole = [FIRST_LINE]
    try:
        values = decode_list(data)
        for _, (sha256, *_) in sorted(values["parts"].items()):  # type: ignore[index]
            part = read(part_path(checked_digest(sha256)))
            if part_digest(part) != sha256:
                raise DamagedManifest
            whole.append(part[len(FIRST_LINE) : -END_LENGTH])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DamagedManifest from error
    text = b"".join(whole)
    return text + END % zlib.crc32(text)
