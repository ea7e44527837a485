"""Names that belong to an index even if it has no file of them: globs on normalized names."""

import re
from dataclasses import dataclass
from functools import cached_property

from mkindex.options import InvalidOption
from mkindex.text import printable

_GLOB = re.compile(r"[a-z0-9*?](?:[a-z0-9*?-]*[a-z0-9*?])?")
_LONGEST = 100  # characters of a glob
_MOST_STARS = 2  # the time for a match grows with the length of a name to the power of this
_EXPRESSIONS = {"*": "[a-z0-9-]*", "?": "[a-z0-9-]"}

NORMAL_NAME = "[a-z0-9]+(?:-[a-z0-9]+)*"  # a regular expression, of every language
LONGEST_NAME = 200  # characters of a name that is compared


@dataclass(frozen=True)
class Reserved:
    """The names that match any of some globs. Raises InvalidOption for an invalid glob."""

    given: tuple[str, ...]
    option: str = "reserve"  # the option with the globs

    def __post_init__(self) -> None:
        for given in self.given:
            if not self.is_glob(given):
                raise InvalidOption(
                    self.option,
                    "must be the name of a project, in which up to two * stand for any text, and each ? for one "
                    "character, such as 'acme-*', not {value!r}",
                    value=printable(given),
                )

    @staticmethod
    def is_glob(text: str) -> bool:
        """Tell whether a text can be such a glob."""
        glob = _normalize(text)
        is_short = len(text) <= _LONGEST and glob.count("*") <= _MOST_STARS
        return text.isascii() and is_short and bool(_GLOB.fullmatch(glob))

    @cached_property
    def globs(self) -> tuple[str, ...]:
        """The globs on normalized names, in the order given."""
        return tuple(map(_normalize, self.given))

    @cached_property
    def expressions(self) -> tuple[str, ...]:
        """A regular expression for each glob, of every language; it has to match the whole name."""
        return tuple("".join(_EXPRESSIONS.get(one, one) for one in glob) for glob in dict.fromkeys(self.globs))

    @property
    def names(self) -> tuple[str, ...]:
        """The globs that are the name of a single project."""
        return tuple(glob for glob in self.globs if not re.search("[*?]", glob))

    def has(self, name: str) -> bool:
        """Tell whether a normalized name is reserved."""
        return bool(self._any.fullmatch(name))

    @cached_property
    def _any(self) -> re.Pattern[str]:
        return re.compile("|".join(self.expressions) or "(?!)")


def _normalize(glob: str) -> str:
    return re.sub(r"\*+", "*", re.sub("[-_.]+", "-", glob).lower())
