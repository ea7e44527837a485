"""Which projects and files are selected: `--include` and `--exclude`."""

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
    """Shell patterns (fnmatch). Each applies to filenames, and to names of projects in any spelling.

    A file is selected if it or its project matches a pattern of `include` (or `include` is empty), and neither matches
    one of `exclude`.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.include or self.exclude)

    def includes_file(self, filename: str) -> bool:
        """Tell whether a file is selected."""
        if not self:
            return True
        names = filename, *_possible_projects(filename)
        is_included = not self.include or any(map(self._include_pattern.match, names))
        return is_included and not any(map(self._exclude_pattern.match, names))

    def may_include_project(self, name: str) -> bool:
        """Tell whether a project can have a selected file: if not, its page need not be requested."""
        if not self:
            return True
        name = canonicalize_name(name)
        is_possible = not self.include or self._project_pattern.match(name)
        return bool(is_possible) and not self._exclude_pattern.match(name)

    @cached_property
    def _include_pattern(self) -> re.Pattern[str]:
        return _join(pattern for given in self.include for pattern in (given, _normalize(given)))

    @cached_property
    def _exclude_pattern(self) -> re.Pattern[str]:
        return _join(pattern for given in self.exclude for pattern in (given, _normalize(given)))

    @cached_property
    def _project_pattern(self) -> re.Pattern[str]:
        """The pattern of the projects whose files can be included: for `torch-2.*.whl` that is also `torch`."""
        return _join(_normalize(start) for pattern in self.include for start in _project_patterns(pattern))


EVERYTHING = Selection()


def _join(patterns: Iterable[str]) -> re.Pattern[str]:
    """Return one pattern that matches what any of the shell patterns matches."""
    return re.compile("|".join(map(translate, patterns)) or r"(?!)")  # without patterns: nothing


def _normalize(pattern: str) -> str:
    """Return a pattern in the normal form of project names."""
    return re.sub(r"[-_.]+", "-", pattern).lower()


def _project_patterns(pattern: str) -> list[str]:
    """Return a pattern, and each part at its start that can be for the project: up to a hyphen, or up to a star."""
    ends = [match.end() if match[0] == "*" else match.start() for match in re.finditer(r"[-*]", pattern)]
    return [pattern, *(pattern[:end] for end in ends if end)]


def _possible_projects(filename: str) -> Iterator[str]:
    """Yield the normalized names of projects that a file can belong to: an sdist's name may have several readings."""
    if filename.endswith(".whl"):
        yield canonicalize_name(filename.partition("-")[0])
        return
    stem = next((filename.removesuffix(ending) for ending in SUFFIXES if filename.endswith(ending)), filename)
    for hyphen in re.finditer("-", stem):
        with suppress(ValueError):
            Version(stem[hyphen.end() :])
            yield canonicalize_name(stem[: hyphen.start()])
