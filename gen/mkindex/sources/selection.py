"""Which projects and files are wanted: `--include` and `--exclude`."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property

from packaging.utils import canonicalize_name
from packaging.version import Version

from mkindex.distributions.filenames import SUFFIXES


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
        names = filename, *_projects(filename)
        included = not self.include or any(map(self._included.match, names))
        return included and not any(map(self._excluded.match, names))

    def project(self, name: str) -> bool:
        """Tell whether a project can have a file that is wanted."""
        if not self:
            return True
        name = canonicalize_name(name)
        return bool(not self.include or self._begun.match(name)) and not self._excluded.match(name)

    @cached_property
    def _included(self) -> re.Pattern[str]:
        return _any(spelled for pattern in self.include for spelled in (pattern, _normal(pattern)))

    @cached_property
    def _excluded(self) -> re.Pattern[str]:
        return _any(spelled for pattern in self.exclude for spelled in (pattern, _normal(pattern)))

    @cached_property
    def _begun(self) -> re.Pattern[str]:
        """What fits the project of every file that is included: of `torch-2.*.whl` the part before a hyphen."""
        return _any(_normal(start) for pattern in self.include for start in _starts(pattern))


EVERYTHING = Selection()


def _any(patterns: Iterable[str]) -> re.Pattern[str]:
    # What fits nothing, where there is no pattern.
    return re.compile("|".join(map(translate, patterns)) or r"(?!)")


def _normal(pattern: str) -> str:
    """Return a pattern in the normal form of project names."""
    return re.sub(r"[-_.]+", "-", pattern).lower()


def _starts(pattern: str) -> list[str]:
    """Return a pattern, and what of it can be for the project alone: a hyphen or a star may reach beyond that."""
    ends = [match.end() if match[0] == "*" else match.start() for match in re.finditer(r"[-*]", pattern)]
    return [pattern, *(pattern[:end] for end in ends if end)]


def _projects(filename: str) -> Iterator[str]:
    """Yield the projects, normalized, that a filename can be of: the name of an sdist does not always tell."""
    if filename.endswith(".whl"):
        yield canonicalize_name(filename.partition("-")[0])
        return
    stem = next((filename.removesuffix(ending) for ending in SUFFIXES if filename.endswith(ending)), filename)
    for hyphen in re.finditer("-", stem):
        with suppress(ValueError):
            Version(stem[hyphen.end() :])
            yield canonicalize_name(stem[: hyphen.start()])
