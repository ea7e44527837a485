"""Builds that keep what the destination lists: `add` and `remove`. They also keep the options that shape the tree."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from mkindex.build.examining import examine_all, sort_outcomes
from mkindex.build.listing import sort_listing
from mkindex.build.variants import recorded_line
from mkindex.build.workspace import Workspace
from mkindex.config import Config
from mkindex.config.table import OPTIONS
from mkindex.errors import ConfigError, Note, Rejected, SourceError
from mkindex.model.files import File
from mkindex.model.index import ProjectStatus, StatusMarker
from mkindex.options import InvalidOption
from mkindex.site.layout import Site
from mkindex.text import printable
from mkindex.tree.layout import OPTIONS as OPTIONS_LINE
from mkindex.tree.layout import recorded_options
from mkindex.tree.manifest import GROWN, LIMITS, ROOT_SECTION
from mkindex.tree.names import INSTALL_MD, LOCKS_DIRECTORY

if TYPE_CHECKING:
    from mkindex.policy.rules import Policy
    from mkindex.sources.generation import Generation
    from mkindex.sources.locks.lock import Lock

# What reads a published tree is imported where it is used, since most builds keep nothing of it.

_TEMPLATES = "templates"  # of these only the digest is kept: their path is one of this machine
_KEPT = tuple(one for one in OPTIONS if one.shapes)


def _nothing(file: File) -> bool:
    del file
    return False


def _same(file: File) -> File:
    return file


class Growth(NamedTuple):
    """What a build keeps of the index that the destination has."""

    given: frozenset[str] = frozenset()  # options that the user gave; others that shape the tree stay as they were
    first: bool = False  # accept that nothing is published at --previous yet
    replace: bool = False  # an added file takes the place of a published one with the same name and other bytes
    consume: bool = False  # delete the files of the sources that are published
    is_removed: Callable[[File], bool] = _nothing
    edit: Callable[[File], File] = _same  # returns what is listed of a published file from now on
    statuses: Mapping[str, ProjectStatus | None] = MappingProxyType({})  # new ones by project; None: active
    policy: "Policy | None" = None  # instead of that in the policy file
    projects: frozenset[str] | None = None  # that `is_removed` and `edit` are for; None: any

    @property
    def named(self) -> frozenset[str] | None:
        """The projects that change whatever the sources have; None if that is not known."""
        if self.projects is None and (self.is_removed is not _nothing or self.edit is not _same):
            return None
        return (self.projects or frozenset()) | self.statuses.keys()


def removal_of(files: Iterable[File], given: frozenset[str]) -> Growth:
    """Return the growth that takes these published files out of an index."""
    files = tuple(files)
    chosen = {(file.filename, file.sha256) for file in files}
    return Growth(
        given=given,
        is_removed=lambda file: (file.filename, file.sha256) in chosen,
        projects=frozenset(file.project for file in files),
    )


class Published(NamedTuple):
    """What is published already."""

    files: list[File]
    statuses: list[StatusMarker]
    findings: list[Rejected | Note]
    generation: "Generation | None" = None  # of what is built now, if a site is grown; without its listing


def list_published(work: Workspace, without: Collection[str] = ()) -> Published:
    """Return what the destination lists, except some projects. Only files that somebody changed are read."""
    from mkindex.sources.published import PublishedSource

    source = PublishedSource(work.destination.root, partial(work.destination.projects, without), work.destination.read)
    artifacts, known, statuses, _, findings, _ = sort_listing(source.artifacts())
    examined, rejected = sort_outcomes(examine_all(artifacts, work), work.config)
    return Published([*known, *examined], statuses, [*findings, *rejected])


def apply_growth(published: Published, growth: Growth, config: Config) -> Published:
    """Return the published files and statuses that stay, with the changes that the growth makes to them."""
    files = [growth.edit(file) for file in published.files if not growth.is_removed(file)]
    without_status = {*growth.statuses}
    if len(files) < len(published.files):  # a project of which every file is removed is not listed for its status alone
        without_status |= {file.project for file in published.files} - {file.project for file in files}
    statuses = [marker for marker in published.statuses if marker.project not in without_status]
    statuses += [StatusMarker(project, status) for project, status in growth.statuses.items() if status]
    if config.upload_time == "none":
        files = [file.with_upload_time("") for file in files]
    return published._replace(files=files, statuses=statuses)


def kept_locks(work: Workspace, added: "Sequence[Lock]", growth: Growth | None) -> "tuple[Lock, ...]":
    """Return the lock files that stay in the published tree: those that added ones do not replace.

    Raises SourceError for one that cannot be read: its place in the tree must not be taken by an empty one.
    """
    root = next((one for one in work.destination.sections() if one.name == ROOT_SECTION), None) if growth else None
    paths = [entry.path for entry, _ in root.entries() if entry.path.startswith(f"{LOCKS_DIRECTORY}/")] if root else ()
    if not paths:
        return ()
    from mkindex.sources.locks.read import MAX_SIZE, lock_of

    replaced = {f"{LOCKS_DIRECTORY}/{name}" for name in (INSTALL_MD, *(lock.name for lock in added))}
    kept = []
    for path in sorted(set(paths) - replaced):
        place = f"{work.destination.root}/{path}"
        raw = work.destination.read(path, MAX_SIZE + 1)
        if not raw:
            raise SourceError(
                f"{printable(place)} is missing, empty or cannot be read. Give the lock again as a SOURCE, or build "
                "the index from its sources again"
            )
        kept.append(lock_of(raw, place))
    return tuple(kept)


def recorded_lines(
    config: Config, site: Site, limits: Sequence[str], terms: Sequence[bytes], *, is_grown: bool
) -> tuple[bytes, ...]:
    """Return what the manifest records about the whole tree, as optional lines.

    That is its options, limits of time as they were resolved, its variants, whether sources may lack some of it, and
    `terms`.
    """
    templates = site.templates
    values = {one.name: value for one in _KEPT if (value := getattr(config, one.name)) != one.default}
    if config.templates is not None:
        values[_TEMPLATES] = templates.digest
    options = OPTIONS_LINE + f"{json.dumps(values, sort_keys=True)}\n".encode()
    variants = (recorded_line(site.variants),) if site.variants else ()
    resolved = (LIMITS + f"{json.dumps(limits)}\n".encode(),) if limits else ()
    return tuple(sorted((*((GROWN,) if is_grown else ()), options, *resolved, *terms, *variants)))


def keep_options(work: Workspace, growth: Growth) -> tuple[Workspace, list[Note]]:
    """Return the tools with the options that the index was made with, except those given, and a note for each change.

    Raises ConfigError for options that an index cannot change while it grows.
    """
    config, lines = work.config, work.destination.root_lines()
    # In this order, since another process may still compare the sections with the tree.
    if not lines and next(work.destination.sections(), None) is None:
        return work, []  # nothing is published yet
    recorded = _recorded(lines)
    if recorded is None:
        text = "made by an older mkindex, which did not record its options. Give again those that it was made with"
        return work, [Note(location=config.destination, text=text)]
    if _TEMPLATES in recorded and config.templates is None:
        raise InvalidOption(
            "templates", "is required: the index in {path} was made with it", path=printable(config.destination)
        )
    changes, notes = {}, []
    for one in _KEPT:
        value, before = getattr(config, one.name), recorded.get(one.name, one.default)
        if one.name not in growth.given:
            changes[one.name] = before
        elif value != before:
            if one.name == "files_url":
                raise InvalidOption("files_url", "cannot change while an index grows: build it from its sources again")
            text = f"{one.flag} changes for all of the index, from {_shown(before)} to {_shown(value)}"
            notes.append(Note(location=config.destination, text=text))
    try:
        return work._replace(config=config.replace(**changes)), notes
    except (TypeError, InvalidOption) as error:
        raise ConfigError(f"{error} (recorded in {printable(config.destination)})") from error


def _recorded(lines: Sequence[bytes]) -> dict[str, Any] | None:
    """Return the recorded options, None if there is no record that this version can read."""
    values = recorded_options(lines)
    return None if values is None else dict(_usable(values))


def _usable(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the values of a type that their option can have: the tree may come from another person."""
    kinds = {one.name: one.kind for one in _KEPT} | {_TEMPLATES: str}
    for name, value in values.items():
        if isinstance(value, list) and kinds.get(name) is tuple:
            yield name, tuple(map(str, value))
        elif type(value) is kinds.get(name):
            yield name, value


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value is None else printable(str(value) or ".")
