"""Which projects and files are selected: `--include` and `--exclude`."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property

from mkindex.distributions.filenames import SUFFIXES
from mkindex.errors import Note, Rejected
from mkindex.model.files import Artifact, Link
from mkindex.model.index import StatusMarker, normalize_name, parse_version
from mkindex.simple.roots import is_project_name
from mkindex.sources.source import SourceItem


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
        name = normalize_name(name)
        is_possible = not self.include or self._project_pattern.match(name)
        return bool(is_possible) and not self._exclude_pattern.match(name)

    @cached_property
    def named_projects(self) -> tuple[str, ...]:
        """The normalized projects that patterns of `include` name, whether an index lists them or not."""
        return tuple(dict.fromkeys(filter(None, map(_named_project, self.include))))

    @property
    def only_names_projects(self) -> bool:
        """Whether `include` selects files of `named_projects` only."""
        return bool(self.include) and all(map(_named_project, self.include))

    def with_unused(self, items: Iterable[SourceItem]) -> Iterable[SourceItem]:
        """Return items, then a note for each pattern of `include` that none of them matches."""
        return self._with_unused(items) if self.include else items

    def _with_unused(self, items: Iterable[SourceItem]) -> Iterator[SourceItem]:
        names = []
        for item in items:
            names.append(_name_of(item))
            yield item
        for given in self.include:
            if not any(map(Selection(include=(given,)).includes_file, names)):
                yield Note(location=f"--include {given}", text="selects no project and no file. Check the spelling")

    @cached_property
    def _include_pattern(self) -> re.Pattern[str]:
        return _join(pattern for given in self.include for pattern in (given, normalize_name(given)))

    @cached_property
    def _exclude_pattern(self) -> re.Pattern[str]:
        return _join(pattern for given in self.exclude for pattern in (given, normalize_name(given)))

    @cached_property
    def _project_pattern(self) -> re.Pattern[str]:
        """The pattern of the projects whose files can be included: for `torch-2.*.whl` that is also `torch`."""
        return _join(normalize_name(start) for pattern in self.include for start in _project_patterns(pattern))


EVERYTHING = Selection()


def _name_of(item: SourceItem) -> str:
    """Return the name of a file or project that a source yields, or that it rejects; "" for a note."""
    if isinstance(item, (Artifact, Link)):
        return item.filename
    if isinstance(item, StatusMarker):
        return item.project
    return item.location.rstrip("/").rpartition("/")[2] if isinstance(item, Rejected) else ""


def _join(patterns: Iterable[str]) -> re.Pattern[str]:
    """Return one pattern that matches what any of the shell patterns matches."""
    return re.compile("|".join(map(translate, patterns)) or r"(?!)")  # without patterns: nothing


def _project_patterns(pattern: str) -> list[str]:
    """Return a pattern, and each part at its start that can be for the project: up to a hyphen, or up to a star."""
    ends = [match.end() if match[0] == "*" else match.start() for match in re.finditer(r"[-*]", pattern)]
    return [pattern, *(pattern[:end] for end in ends if end)]


def _named_project(pattern: str) -> str:
    """Return the normalized project that a pattern stands for, or for whose wheels it is; "" for other patterns."""
    name = pattern.partition("-")[0] if pattern.endswith(".whl") else pattern
    return normalize_name(name) if is_project_name(name) and not pattern.endswith(SUFFIXES[1:]) else ""


def _possible_projects(filename: str) -> Iterator[str]:
    """Yield the normalized names of projects that a file can belong to: an sdist's name may have several readings."""
    if filename.endswith(".whl"):
        yield normalize_name(filename.partition("-")[0])
        return
    stem = next((filename.removesuffix(ending) for ending in SUFFIXES if filename.endswith(ending)), filename)
    for hyphen in re.finditer("-", stem):
        with suppress(ValueError):
            parse_version(stem[hyphen.end() :])
            yield normalize_name(stem[: hyphen.start()])
