"""Whether a configuration can be appended to a pyproject.toml as it is."""

import re
import tomllib
from contextlib import suppress

_TABLE = re.compile(r"^\[([a-z.-]+)\]$", re.MULTILINE)


def repeated_tables(text: str, existing: str) -> list[str]:
    """Return the tables of a configuration that a pyproject.toml has already, if TOML does not allow both of them."""
    with suppress(tomllib.TOMLDecodeError):
        document = tomllib.loads(existing)
        try:
            tomllib.loads(f"{existing}\n{text}")
        except tomllib.TOMLDecodeError:
            return [table for table in _TABLE.findall(text) if _has(document, table)]
    return []


def _has(document: object, table: str) -> bool:
    for key in table.split("."):
        if not isinstance(document, dict) or key not in document:
            return False
        document = document[key]
    return True
