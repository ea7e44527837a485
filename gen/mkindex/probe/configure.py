"""What `mkindex client` prints: the configuration of a client for one or several indexes."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from packaging.utils import canonicalize_name

from mkindex.clients.configurations import configuration_text
from mkindex.clients.served import RESERVED_NAME, ServedIndex
from mkindex.errors import ConfigError, SourceError
from mkindex.probe.served import probe
from mkindex.text import and_more, printable, redact

_INDEX_NAME = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9._-]+")  # as uv accepts it


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientOptions:
    """The options of `mkindex client`. Raises ConfigError for values that make no sense."""

    targets: tuple[str, ...]
    client: str | None = None  # one of CLIENTS; None: uv, with a comment that names the others
    project: tuple[str, ...] = ()  # names and patterns; none: all projects
    name: tuple[str, ...] = ()  # of each index, in their order; none: made from their addresses
    default: bool = False  # the last index takes the place of the public one
    variant: str = ""  # use only the index of this variant

    def __post_init__(self) -> None:
        if not self.targets or "" in self.targets:
            raise ConfigError("give an address or a directory: mkindex client https://packages.example.com/simple/")
        for target in self.targets:
            if target.startswith(("http:", "https:")) and "?" in target.partition("#")[0]:
                raise ConfigError(
                    f"{redact(target)}: give the address without the question mark and what follows it. That may be "
                    "a secret, and clients lose it when they append the name of a project. Put passwords into ~/.netrc"
                )
        if len(self.name) > len(self.targets):
            raise ConfigError("--name is given more often than there are indexes")
        for name in self.name:
            self._check_name(name)
        if self.default and len(self.targets) == 1 and self.project:
            raise ConfigError("--default and --project exclude each other: all projects come from the default index")
        if self.default and self.client == "pdm" and len(self.name) == len(self.targets):
            raise ConfigError(f"--default and --name exclude each other for pdm: its default source is {RESERVED_NAME}")

    def _check_name(self, name: str) -> None:
        if not _INDEX_NAME.fullmatch(name) or name.lower() == RESERVED_NAME:
            raise ConfigError(
                f"--name {printable(name)!r}: use only letters, digits, hyphens, underscores and periods. "
                f"{RESERVED_NAME} is the name of the public index"
            )
        if self.client == "poetry" and "." in name:
            raise ConfigError(
                f"--name {name!r}: poetry makes an environment variable of it, so it cannot contain a period"
            )


def served_indexes(options: ClientOptions) -> list[ServedIndex]:
    """Return the indexes of these options, as their servers describe them.

    Raises SourceError, and RequestFailed if a server does not answer.
    """
    names = (*options.name, *[""] * (len(options.targets) - len(options.name)))
    found, is_uv = [], options.client in (None, "uv")
    for number, (target, name) in enumerate(zip(options.targets, names, strict=True), 1):
        is_default = options.default and number == len(options.targets)
        globs = () if is_default or len(options.targets) > 1 else options.project
        found.append(replace(probe(target, globs, is_default=is_default, reads_required=is_uv), name=name))
    if options.variant:
        # Of several indexes, one may have no variants at all.
        has_any = any(index.variants for index in found)
        found = [_variant_of(one, options.variant) if one.variants or not has_any else one for one in found]
    return _select(found, options.project) if options.project and len(found) > 1 else found


def configuration(options: ClientOptions) -> str:
    """Return the text to paste. Raises ConfigError, SourceError, and RequestFailed if a server does not answer."""
    return configuration_text(served_indexes(options), options.client)


def _variant_of(index: ServedIndex, name: str) -> ServedIndex:
    """Return the index of one variant, with the projects that it lists. Raises SourceError."""
    variant = next((one for one in index.variants if one.name == name), None)
    if variant is None:
        known = and_more([one.name for one in index.variants]) or "no variants"
        raise SourceError(f"{redact(index.url)}: --variant {printable(name)}: no such variant; the index has {known}")
    others = {project for one in index.variants for project in one.projects} - {*variant.projects}
    projects = tuple(project for project in index.projects if project not in others)
    return replace(index, url=variant.url, projects=projects, variants=())


def _select(indexes: Iterable[ServedIndex], globs: Sequence[str]) -> list[ServedIndex]:
    """Return several indexes with the projects that match; those of which none matches are left out.

    Raises SourceError for a pattern that matches nothing in any of them.
    """
    patterns = [canonicalize_name(glob) for glob in globs]
    matched, found = set[str](), []
    for index in indexes:
        if index.is_default:
            found.append(index)
            continue
        chosen = []
        for project in index.projects:
            if fitting := [pattern for pattern in patterns if fnmatchcase(project, pattern)]:
                chosen.append(project)
                matched.update(fitting)
        if chosen:
            found.append(replace(index, projects=tuple(chosen), is_selection=True))
    for glob, pattern in zip(globs, patterns, strict=True):
        if pattern not in matched:
            raise SourceError(f"--project {printable(glob)}: no such project in any of the indexes")
    return found
