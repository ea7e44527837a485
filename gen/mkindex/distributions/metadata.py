"""Core metadata: the few header fields that an index needs, read within bounds."""

import re
from functools import cache
from typing import NamedTuple

from packaging.utils import canonicalize_name

from mkindex.distributions.requirements import PLAIN_REQUIREMENT
from mkindex.errors import Unreadable

MAX_HEADER_LINES = 10_000
MAX_FIELD = 10_000  # bytes of a name, a version or a Requires-Python


class Metadata(NamedTuple):
    """The fields of core metadata that an index needs, as written there."""

    metadata_version: str
    name: str
    version: str
    requires_python: str | None
    unusual_requirements: tuple[str, ...] = ()  # each Requires-Dist that may not be valid, with its line breaks


# email.parser, with which most clients read core metadata, ends the header at the first line that is neither a field
# nor the continuation of one.
_HEADER = re.compile(rb"(?:(?:From |[\x21-\x39\x3b-\x7e]*+:|[ \t]).*+(?:\n|\Z))*+")


def header_of(raw: bytes) -> bytes:
    """Return the header of core metadata, or of another file in this format, with LF line ends."""
    text = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in raw else raw
    header = _HEADER.match(text)
    return header[0] if header else b""


@cache
def _fields() -> re.Pattern[bytes]:
    """Return a pattern for the fields that an index needs.

    Compiling it takes some ms, so it is done when it is needed, not in a build that reads no new file.
    """
    # Every Requires-Dist but those that are valid without a doubt, as most are.
    requirement = rf"Requires-Dist(?!:[ \t]*+(?-i:{PLAIN_REQUIREMENT})[ \t]*+$(?!\n[ \t]))"
    key = f"Metadata-Version|Name|Version|Requires-Python|{requirement}"
    field = rf"^(?P<key>{key}):(?P<value>.*(?:\n[ \t].*)*)"
    return re.compile(field.encode(), re.MULTILINE | re.IGNORECASE)


def parse_metadata(raw: bytes) -> Metadata:
    """Read the fields of core metadata that an index needs. Raises Unreadable.

    Not through `email.parser`: that takes 30 times as long, and a time quadratic in the number of distinct fields.
    """
    head = header_of(raw)
    if head.count(b"\n") > MAX_HEADER_LINES:
        raise Unreadable(f"its metadata has more than {MAX_HEADER_LINES:,} header lines: build it again")
    fields: dict[str, str] = {}
    requirements: list[str] = []
    for match in _fields().finditer(head):
        key = match["key"].decode().lower()
        if key == "requires-dist":
            requirements.append(match["value"].decode("utf-8", "replace").strip())
            continue
        if match.end() - match.start() > MAX_FIELD:
            raise Unreadable(f"its metadata has a field {key.title()} of more than {MAX_FIELD:,} bytes: build it again")
        # RFC 822 unfolding: the white space at the start of a continuation line counts as one space.
        text_value = " ".join(match["value"].decode("utf-8", "replace").split())
        if not _is_same(key, fields.setdefault(key, text_value), text_value):
            raise Unreadable(f"its metadata has two different {key.title()} fields: build it again")
    missing = [key for key in ("name", "version") if not fields.get(key)]
    if missing:
        raise Unreadable(f"its metadata has no {', '.join(missing).title()}: build it again")
    return Metadata(
        fields.get("metadata-version", ""),
        fields["name"],
        fields["version"],
        fields.get("requires-python") or None,
        tuple(requirements),
    )


def _is_same(key: str, first: str, second: str) -> bool:
    """Tell whether clients can take either of two fields: pip 26.3 and uv 0.13 take the first.

    Neither of them looks at Metadata-Version.
    """
    if first == second or key == "metadata-version":
        return True
    return key == "name" and canonicalize_name(first) == canonicalize_name(second)


def is_utf8(raw: bytes) -> bool:
    """Tell whether all of a METADATA, the description too, is UTF-8, as pip needs it."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
