"""Requests for files of an index: a requirement such as `demo==1.0`, or a pattern for filenames."""

import re
from dataclasses import dataclass
from fnmatch import translate

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from mkindex.distributions.filenames import SUFFIXES
from mkindex.errors import ConfigError
from mkindex.model.files import File
from mkindex.model.index import parse_version
from mkindex.text import printable


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """The files of a project whose version fits, or those whose filename matches."""

    text: str
    project: str = ""  # normalized; "": any
    versions: SpecifierSet | None = None
    filenames: re.Pattern[str] | None = None

    def matches(self, file: File) -> bool:
        """Tell whether a file is requested. A prerelease is, if the versions contain it."""
        if self.filenames:
            return self.filenames.match(file.filename) is not None
        if file.facts.project != self.project:
            return False
        return not self.versions or self.versions.contains(parse_version(file.version), prereleases=True)

    def may_mean(self, project: str) -> bool:
        """Tell whether files of a project can be requested, as far as its name tells."""
        if self.project:
            return project == self.project
        start = canonicalize_name(re.split(r"[*?\[]", self.text, maxsplit=1)[0])
        return start.startswith(project) or project.startswith(start)


def parse_request(text: str) -> Request:
    """Parse a request. Raises ConfigError."""
    is_pattern = text.endswith(SUFFIXES) or any(character in text for character in "*?")
    if is_pattern and "=" not in text:  # `demo==1.*` and `demo!=1.*` are requirements, and filenames have no "="
        return Request(text=text, filenames=re.compile(translate(text)))
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise ConfigError(
            f"{printable(text)!r} is neither a requirement, such as demo==1.0, nor a pattern for filenames, such as "
            "'demo-1.0-*.whl'"
        ) from error
    if requirement.extras or requirement.marker or requirement.url:
        raise ConfigError(f"{printable(text)!r}: give a project and versions, without extras, markers and addresses")
    return Request(text=text, project=canonicalize_name(requirement.name), versions=requirement.specifier)
