"""Which projects and files are wanted: `--include` and `--exclude`."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from packaging.utils import canonicalize_name

from mkindex.simple.read import DISTRIBUTIONS

# Where the project ends and the version begins: version numbers begin with a digit, or with a "v" and one.
_VERSION = re.compile(r"-(?=v?\d)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Patterns of the shell, each of them for the names of projects, in any spelling, and for filenames.

    A file is wanted if a pattern of `include` fits it or its project, or if there is none, and none of `exclude` does.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.include or self.exclude)

    def file(self, filename: str) -> bool:
        """Tell whether a file is wanted, from its name."""
        if not self:
            return True
        names = filename, _project(filename)
        return (not self.include or _fits(names, self.include)) and not _fits(names, self.exclude)

    def project(self, name: str) -> bool:
        """Tell whether a project can have a file that is wanted."""
        name = canonicalize_name(name)
        wanted = not self.include or any(
            fnmatchcase(name, start) for pattern in self.include for start in _starts(pattern)
        )
        return wanted and not _fits((name,), self.exclude)


EVERYTHING = Selection()


def _fits(names: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, spelled) for pattern in patterns for spelled in _spelled(pattern) for name in names)


@lru_cache
def _spelled(pattern: str) -> tuple[str, ...]:
    """Return a pattern as it is, for filenames, and in the normal form of project names."""
    return pattern, _normal(pattern)


def _normal(pattern: str) -> str:
    return re.sub(r"[-_.]+", "-", pattern).lower()


@lru_cache
def _starts(pattern: str) -> tuple[str, ...]:
    """Return patterns for the projects whose files `pattern` can fit: a hyphen may be where the project's name ends."""
    ends = [match.end() if match[0] == "*" else match.start() for match in re.finditer(r"[-*]", pattern)]
    return tuple(dict.fromkeys(_normal(pattern[:end]) for end in (*ends, len(pattern)) if end))


def _project(filename: str) -> str:
    """Return the project that a filename most likely is of, normalized."""
    if filename.endswith(".whl"):
        return canonicalize_name(filename.partition("-")[0])
    stem = next((filename.removesuffix(ending) for ending in DISTRIBUTIONS if filename.endswith(ending)), filename)
    return canonicalize_name(_VERSION.split(stem, maxsplit=1)[0])
