"""Variants: one project for several machines, such as CUDA 12.8 and CPU, each in an index of its own. No I/O."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal
from urllib.parse import unquote, urlsplit

from mkindex.model.files import Artifact, File
from mkindex.model.index import Project, parse_version, without_zeros
from mkindex.model.patterns import LONGEST_TEXT, refuse_slow

PLACEHOLDER = "{variant}"
VARIANT_NAME = re.compile(r"[a-z0-9_][a-z0-9._-]*")  # what can be a directory of the published tree


@dataclass(frozen=True, kw_only=True)
class Variants:
    """How the files of an index are divided into variants, and where the index of each is published."""

    by: Literal["local", "directory", "project"]
    pattern: str = ""  # a regular expression for the name of a variant; "": anything
    path: str = f"whl/{PLACEHOLDER}"
    default: str = ""  # the variant that the main index lists; "": all

    def __post_init__(self) -> None:
        refuse_slow(self.pattern)
        re.compile(self.pattern)
        _ = self._whole, self._at_start, self._in_name  # a group may be called "variant", too: raises re.error

    def of(self, file: File) -> str:
        """Return the variant of a file; "" if it has none."""
        if self.by == "local":
            name = self._of_label(file.version.partition("+")[2])
        elif self.by == "project":
            match = self._in_name.search(file.project) if len(file.project) <= LONGEST_TEXT else None
            name = match["variant"] if match else ""
        else:
            name = self._of_directory(file)
        return name if VARIANT_NAME.fullmatch(name) else ""

    def root(self, variant: str) -> str:
        """Return the path of the index of a variant, with a slash at its end."""
        return f"{self.path.replace(PLACEHOLDER, variant)}/"

    def variant_at(self, root: str) -> str:
        """Return the variant whose index has this path; "" if none has."""
        before, _, after = f"{self.path}/".partition(PLACEHOLDER)
        name = root.removeprefix(before).removesuffix(after)
        return name if VARIANT_NAME.fullmatch(name) and self.root(name) == root else ""

    def split(self, project: Project) -> Mapping[str, Project]:
        """Return what the index of each variant lists of a project, by variant; nothing for one without variants."""
        if self._has_no_label(project):
            return {}
        parts = defaultdict[str, list[File]](list)
        for file in project.files:
            parts[self.of(file)].append(file)
        return {variant: replace(project, files=tuple(parts[variant])) for variant in sorted(parts) if variant != ""}

    def main(self, project: Project) -> Project:
        """Return what the main index lists of a project: files without a variant, and the default variant, or all.

        Of files with the same name in several variants, which can only be directories, it lists none.
        """
        if self._has_no_label(project):
            return project
        if self.default:
            files = [file for file in project.files if self.of(file) in ("", self.default)]
        else:
            files = [*project.files]
        counts = Counter(file.filename for file in files)
        files = [file for file in files if counts[file.filename] == 1 or not self.of(file)]
        return project if len(files) == len(project.files) else replace(project, files=tuple(files))

    def lists(self, project: Project) -> list[Project]:
        """Return what each index lists of a project: the main index first."""
        return [self.main(project), *self.split(project).values()]

    def _has_no_label(self, project: Project) -> bool:
        """Tell whether no file can be a variant, as of most projects."""
        return self.by == "local" and "+" not in "".join([facts.version for _, facts, _, _ in project.files])

    def _of_label(self, label: str) -> str:
        match = self._at_start.match(label) if 0 < len(label) <= LONGEST_TEXT else None
        return match["variant"] if match else ""

    def _of_directory(self, file: File) -> str:
        """Return the innermost directory that is a variant; without a pattern, the one that the file is in."""
        if isinstance(file.artifact, Artifact):
            directories = file.artifact.relative.lower().split("/")[:-1]
        else:
            directories = unquote(urlsplit(file.artifact.url).path).lower().split("/")[:-1]
        if not self.pattern:
            return directories[-1] if directories else ""
        short = (name for name in reversed(directories) if len(name) <= LONGEST_TEXT)
        return next(filter(self._whole.fullmatch, short), "")

    @cached_property
    def _whole(self) -> re.Pattern[str]:
        return re.compile(self.pattern)

    @cached_property
    def _at_start(self) -> re.Pattern[str]:
        """The pattern of a variant at the start of a local label, up to the end of a segment."""
        return re.compile(rf"(?P<variant>{self.pattern or '.+'})(?:\.|$)")

    @cached_property
    def _in_name(self) -> re.Pattern[str]:
        """The pattern of a variant as whole words of the name of a project."""
        return re.compile(rf"(?:^|-)(?P<variant>{self.pattern})(?:-|$)")


def mixed_labels(files: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the public versions of which clients see several variants on one page, each with its local labels.

    `files` are versions and filenames. Two files are variants of each other if only their local labels differ. Of these
    clients install the one with the last label, in the order of PEP 440, on every machine.
    """
    labels = defaultdict[tuple[str, str], set[str]](set)
    spelled: dict[str, str] = {}  # one of the equal versions 1 and 1.0, as a file spells it
    for version, filename in files:
        public, _, label = version.partition("+")
        if label:
            tags = filename.rsplit("-", 3)[1:] if filename.endswith(".whl") else []
            labels[spelled.setdefault(without_zeros(public), public), "-".join(tags)].add(label)
    mixed = defaultdict[str, set[str]](set)
    for (public, _), found in labels.items():
        if len(found) > 1:
            mixed[public] |= found
    return {public: sorted(found, key=lambda label: parse_version(f"0+{label}")) for public, found in mixed.items()}
