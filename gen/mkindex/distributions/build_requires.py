"""What has to be installed before an sdist can be built (PEP 518)."""

import re

from mkindex.errors import Unreadable
from mkindex.text import printable

# What pip and uv install if nothing else is said (pip 26.3, uv 0.13).
DEFAULT = ("setuptools>=40.8.0",)
# tomllib takes a time that is quadratic in the parts of a key (`a.b.c`), which is in one line.
MAX_SIZE, _MAX_DOTS = 256 << 10, 50  # bytes of a pyproject.toml; dots in one of its lines
_TABLE = re.compile(rb"^\[build-system\].*\n(?:(?!\[).*\n?)*", re.MULTILINE)


def build_requires(pyproject: bytes | None) -> tuple[str, ...]:
    """Return `build-system.requires` of a pyproject.toml; None means that the sdist has no such file.

    What a backend requires besides while it runs (PEP 517, `get_requires_for_build_wheel`) is not known without running
    it, nor what a pyproject.toml says that would take long to parse. Raises Unreadable where clients refuse the file.
    """
    if pyproject is None:
        return DEFAULT
    if len(pyproject) > MAX_SIZE or any(line.count(b".") > _MAX_DOTS for line in pyproject.split(b"\n")):
        return ()
    import tomllib  # here, since it takes some milliseconds, and most builds have wheels only

    try:
        table = tomllib.loads(pyproject.decode("utf-8")).get("build-system")
    except (ValueError, RecursionError) as error:
        raise Unreadable(
            f"its pyproject.toml cannot be parsed ({printable(str(error))[:200]}): build it again"
        ) from error
    if table is None:
        return DEFAULT
    requires = table.get("requires") if isinstance(table, dict) else None
    if not isinstance(requires, list) or not all(isinstance(one, str) for one in requires):
        raise Unreadable("its pyproject.toml has no list of texts in build-system.requires: build it again")
    return tuple(requires)


def build_table(pyproject: bytes | None) -> bytes | None:
    """Return the part of a pyproject.toml that `build_requires` needs: all of it takes 30 times as long to parse."""
    if (
        pyproject is None or len(pyproject) > MAX_SIZE or b'"""' in pyproject or b"'''" in pyproject
    ):  # what looks like a table may be text
        return pyproject
    tables = _TABLE.findall(pyproject.replace(b"\r\n", b"\n"))
    return b"".join(tables) or pyproject
