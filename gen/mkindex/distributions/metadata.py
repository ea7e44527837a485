"""Core metadata: the few header fields that an index needs, read within bounds."""

import re
from functools import cache, lru_cache
from typing import NamedTuple

from packaging.utils import canonicalize_name

from mkindex.distributions.requirements import PLAIN_REQUIREMENT
from mkindex.errors import Unreadable

MAX_HEADER_LINES = 10_000
MAX_FIELD = 10_000  # bytes of a name, a version or a Requires-Python
_MOST_REMEMBERED = 1_000  # bytes of a requirement; a longer one is judged as if it were unusual


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


_END_OF_FIELD = re.compile(rb"\n(?![ \t])")
_FIELDS = frozenset({b"metadata-version", b"name", b"version", b"requires-python"})


def parse_metadata(raw: bytes) -> Metadata:
    """Read the fields of core metadata that an index needs. Raises Unreadable.

    Not through `email.parser`: that takes 30 times as long, and a time quadratic in the number of distinct fields.
    """
    head = header_of(raw)
    if head.count(b"\n") > MAX_HEADER_LINES:
        raise Unreadable(f"its metadata has more than {MAX_HEADER_LINES:,} header lines: build it again")
    is_folded = b"\n " in head or b"\n\t" in head
    fields: dict[str, str] = {}
    requirements: list[str] = []
    for line in _END_OF_FIELD.split(head) if is_folded else head.split(b"\n"):
        name, colon, value = line.partition(b":")
        name = name.lower()
        if name == b"requires-dist":
            if colon and not (len(value) <= _MOST_REMEMBERED and _is_plain_requirement(value)):
                requirements.append(value.decode("utf-8", "replace").strip())
        elif name in _FIELDS and colon:
            key = name.decode()
            if len(line) > MAX_FIELD:
                raise Unreadable(
                    f"its metadata has a field {key.title()} of more than {MAX_FIELD:,} bytes: build it again"
                )
            # RFC 822 unfolding: the white space at the start of a continuation line counts as one space.
            text_value = " ".join(value.decode("utf-8", "replace").split())
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


@lru_cache(maxsize=4096)  # most files require what another version of the same project requires, too
def _is_plain_requirement(value: bytes) -> bool:
    """Tell whether a Requires-Dist is valid without a doubt, as most are."""
    return _plain_requirement().fullmatch(value) is not None


@cache
def _plain_requirement() -> re.Pattern[bytes]:
    # Compiling it takes some ms, so it is done when it is needed, not in a build that reads no new file.
    return re.compile(rf"[ \t]*+{PLAIN_REQUIREMENT}[ \t]*+".encode())


def is_utf8(raw: bytes) -> bool:
    """Tell whether all of a METADATA, the description too, is UTF-8, as pip needs it."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
