"""Which Requires-Python pip and uv can use.

Seen with pip 26.3 and uv 0.13: `tests/functional/test_unusual_metadata.py`. What pip cannot read it ignores, and takes
the file. uv reads a few values more, such as `>=3.6.*` or `'>=3.6'`; if it cannot read one, on the page or in METADATA,
it ignores the file.
"""

import re
from functools import lru_cache

from packaging.specifiers import InvalidSpecifier, SpecifierSet

# Each part of a version has 64 bits, and only the last clause may be empty.
_NOT_FOR_UV = re.compile(r"\d{19}|^\s*,.|,\s*,")


@lru_cache(maxsize=1024)
def why_unusable(requires_python: str) -> str:
    """Return what clients do with a Requires-Python that one of them cannot use; "" if both can."""
    try:
        SpecifierSet(requires_python)
    except InvalidSpecifier:
        return "pip ignores it, but uv may ignore the file"
    # packaging accepts control characters after "===", but a page cannot contain them.
    if not (requires_python.isascii() and requires_python.isprintable()):
        return "pip ignores it, but uv may ignore the file"
    return "pip uses it, but uv ignores the file" if _NOT_FOR_UV.search(requires_python) else ""
