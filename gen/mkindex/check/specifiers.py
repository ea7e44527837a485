"""The meaning of versions and of version specifiers."""

from functools import lru_cache

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_version


@lru_cache(maxsize=4096)
def canonical_version(version: str) -> str:
    """Return the same text for equal versions. Projects share most of theirs."""
    return canonicalize_version(version)


def same_specifiers(one: str, other: str) -> bool:
    """Tell whether two specifiers mean the same: order, spaces, and zeros at the end of versions do not matter."""
    if one == other:
        return True
    try:
        return SpecifierSet(one) == SpecifierSet(other)
    except InvalidSpecifier:
        return _clauses(one) == _clauses(other)


def _clauses(value: str) -> list[str]:
    return sorted("".join(clause.split()) for clause in value.split(",") if clause.strip())
