"""The names of the projects that a file requires: less than its requirements, but small enough to be remembered."""

import re
from collections.abc import Iterable
from functools import lru_cache
from sys import intern

from packaging.utils import canonicalize_name

_MAX_LINE = 2_000  # bytes of a requirement; what is longer is not found
_MAX_NAMES = 1_000  # of one file
_MAX_MARKERS = 1 << 18  # bytes of the markers of one file; evaluating them takes up to 5 µs for each
# Name and marker of a requirement without an address of its own, which is not taken from an index.
_REQUIREMENT = re.compile(rb"[ \t]*([A-Za-z0-9][A-Za-z0-9._-]*)[^;@\n]*(?:;([^\n]*))?(?:\n|$)")


def required_names(raw: bytes, requires_python: str, build_requires: Iterable[str] = ()) -> str:
    """Return the normalized names of what core metadata and a build require, sorted, with spaces between them.

    What is required only for an extra is left out, and what no Python needs that `requires_python` allows. Fields that
    no build tool writes in this way are not found.
    """
    end = raw.find(b"\n\n")
    lines = raw[: end if end >= 0 else len(raw)].split(b"\nRequires-Dist:")
    if len(lines) == 1 and not build_requires:
        return ""
    lines.append(lines.pop().partition(b"\n")[0])  # other fields follow the last one
    lines[:1] = (one.encode() for one in build_requires)
    length = sum(map(len, lines))
    if length > _MAX_LINE:
        lines = [line for line in lines if len(line) <= _MAX_LINE and not (length > _MAX_MARKERS and b";" in line)]
    names = {_required_name(line, requires_python) for line in lines}
    names.discard("")
    return intern(" ".join(sorted(names)[:_MAX_NAMES]))


@lru_cache(maxsize=16_384)  # most files require what another version of the same project requires, too
def _required_name(line: bytes, requires_python: str) -> str:
    """Return the name of the project that a requirement is for; "" if it has an address, or may be left out."""
    found = _REQUIREMENT.match(line)
    if found is None or (found[2] and not _may_apply(found[2].strip(), requires_python)):
        return ""
    return _normal_name(found[1])


@lru_cache(maxsize=4096)
def _normal_name(name: bytes) -> str:
    return canonicalize_name(name.decode())


@lru_cache(maxsize=4096)
def _may_apply(marker: bytes, requires_python: str) -> bool:
    """Tell whether a marker may be true for a Python that `requires_python` allows, if no extra is requested."""
    if b"extra" in marker:
        return False
    # Here, since importing them takes some milliseconds, and most builds read no new file.
    from packaging.markers import InvalidMarker, Marker

    from mkindex.environments import on_any_python

    try:
        return on_any_python(requires_python).applies(Marker(marker.decode("utf-8", "replace")))
    except (InvalidMarker, RecursionError):
        return False
