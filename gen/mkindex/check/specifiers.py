"""The meaning of version specifiers."""

from packaging.specifiers import InvalidSpecifier, SpecifierSet


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
