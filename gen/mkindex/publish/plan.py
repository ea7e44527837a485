"""Plans: the writes and deletes after which a destination holds exactly the wanted resources."""

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple, Protocol, Self, TypeVar

from mkindex.errors import DestinationError, nothing
from mkindex.model.files import Artifact, File, Fingerprint
from mkindex.model.wheel_variants import VARIANTS_JSON
from mkindex.site.resources import FileResource, Page, PageResource, Resource, Section
from mkindex.text import and_more
from mkindex.tree.manifest import GROWN, OPTIONAL_LINES, ROOT_SECTION, Entry, OptionalLines, Stage, no_lines
from mkindex.tree.names import PROVENANCE_SUFFIX

W = TypeVar("W")
T = TypeVar("T")


class HeldEntry(NamedTuple):
    """An entry, and whether the file at its path is still as it was written."""

    entry: Entry
    intact: bool


class PublishedSection(NamedTuple):
    """A section that a destination has."""

    name: str
    key: str  # the key of the Section; "" if a path is retired, or not intact
    entry_count: int
    entries: Callable[[], Iterable[HeldEntry]]  # ordered by stage and path
    lines: Callable[[], Sequence[bytes]] = tuple  # the optional lines of the manifest
    file_count: int | None = None  # of a project, the files that its pages name; None: count them


class Put(NamedTuple):
    """A resource to be written."""

    resource: Resource
    previous: HeldEntry | None  # the entry that it replaces
    is_new: bool  # no page can have named its path before


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """All steps that make a destination right. A plan is complete before anything is changed."""

    puts: tuple[Put, ...] = ()  # in the order of publishing: by stage, section and path
    updates: tuple[Entry, ...] = ()  # entries that change only in the manifest
    deletes: tuple[Entry, ...] = ()  # in the reverse order of publishing
    transfers: tuple[Entry, ...] = ()  # old entries of paths that belong to another section from now on
    unchanged: int = 0  # number of resources
    newly_retired: int = 0  # number of updates that retire a file
    retired_paths: tuple[str, ...] = ()  # of all retired files that are kept for now
    next_deletion: int | None = None  # when the first of them is due, in seconds since the epoch
    replaced_filenames: tuple[str, ...] = ()  # of files whose bytes differ from those published before
    unlisted_filenames: tuple[str, ...] = ()  # of the files in the destination that their pages name no longer
    foreign_pages: tuple[str, ...] = ()  # paths of optional pages that are left to their owner
    edited: tuple[Entry, ...] = ()  # of pages that are not needed any more, and stay because someone changed them
    lines: OptionalLines = field(default=no_lines, compare=False)  # of the sections that change
    recorded: frozenset[str] = frozenset()  # sections whose lines differ from those in the manifest

    @property
    def has_changes(self) -> bool:
        """Whether anything is written, in the tree or in its manifest."""
        changes = self.puts or self.updates or self.deletes or self.transfers or self.edited
        return bool(changes or self.recorded)


class Applied(NamedTuple):
    """The result of applying a plan."""

    written: int = 0  # number of resources
    links: tuple[tuple[Artifact, Fingerprint], ...] = ()  # hard-linked artifacts, whose fingerprints have changed


class FileChanged(DestinationError):
    """The contents of a file changed after it was examined: something is writing to it. Nothing was published."""

    def __init__(self, file: File, path: str = "") -> None:
        """`path`: of the file that changed, if it is one beside `file`."""
        self.path = path or file.local.path
        super().__init__(f"{self.path} changed while it was read: wait until it is completely written, then run again")
        self.file = file

    def __reduce__(self) -> tuple[type[Self], tuple[File, str]]:
        return type(self), (self.file, self.path)  # pickle would call it with the text


class Superseded(DestinationError):
    """Another process published to the destination after its state was read. Nothing was published; plan again."""


class Destination(Protocol):
    """The place that an index is published to. One contract test runs against every implementation."""

    def sections(self) -> Iterator[PublishedSection]:
        """Yield the sections that mkindex wrote, ordered by name."""

    def root_lines(self) -> Sequence[bytes]:
        """Return what its manifest records about the whole tree."""

    def digest(self, path: str) -> str | None:
        """Return the sha256 of the file at `path`, no matter who wrote it, or None if there is none."""

    def are_ours(self, pages: Sequence[HeldEntry]) -> Iterable[bool]:
        """Tell of each page whether what is at its path is as mkindex wrote it, or is missing."""

    def apply(self, plan: Plan, before_commit: Callable[[], object] = nothing) -> Applied:
        """Carry out a plan. At every moment, every page is whole and every link leads to a file with its hash.

        `before_commit` is called when everything is prepared and no reader can see any of it. If it raises, and on
        FileChanged, the destination is left as it was. Raises DestinationError if the plan cannot be carried out.
        """


def plan(
    sections: Iterable[Section], destination: Destination, *, now: int, grace: int, overwrite: bool = False
) -> Plan:
    """Compare the wanted sections, ordered by name, with those that mkindex wrote. Change nothing.

    The resources of a section are not made if its key is the published one. A file that no page names any more is
    retired at `now` (seconds since the epoch), and deleted once it has been retired for `grace` seconds. If a path
    holds something that is not known to be ours, it is adopted if the bytes are the same. Otherwise an optional page is
    left to its owner, and any other resource raises DestinationError unless `overwrite`.
    """
    difference = _compare(sections, destination, overwrite=overwrite)
    transferred = _transferred_paths(difference)
    foreign = [resource for resource in difference.foreign if resource.path not in transferred]
    foreign_pages = _foreign_pages(foreign)
    puts = _ordered_puts(difference, transferred)
    edited = _edited_pages(difference.unlisted, transferred, destination)
    kept = transferred | {entry.path for entry in edited}
    unlisted = sorted((held.entry for held in difference.unlisted if held.entry.path not in kept), key=itemgetter(1, 2))
    retired = [entry for entry in unlisted if _deletion_time(entry, now, grace) > now]
    newly_retired = [entry._replace(retired=now) for entry in retired if entry.retired is None]
    return Plan(
        puts=tuple(puts),
        updates=tuple(sorted((*difference.updates, *newly_retired), key=itemgetter(1, 2))),
        deletes=tuple(entry for entry in reversed(unlisted) if _deletion_time(entry, now, grace) <= now),
        transfers=tuple(held.entry for held in difference.unlisted if held.entry.path in transferred),
        unchanged=difference.unchanged,
        newly_retired=len(newly_retired),
        retired_paths=tuple(entry.path for entry in retired),
        next_deletion=min((_deletion_time(entry, now, grace) for entry in retired), default=None),
        replaced_filenames=tuple(_replaced_filenames(puts, unlisted)),
        unlisted_filenames=tuple(sorted({_filename(entry) for entry in unlisted if _is_listed_file(entry)})),
        foreign_pages=tuple(foreign_pages),
        edited=tuple(edited),
        lines=partial(_lines_of, difference.changed),
        recorded=frozenset(difference.recorded),
    )


def count_listed_files(destination: Destination) -> int:
    """Return the number of files in a destination that its pages name. This reads the whole manifest of a directory."""
    return sum(
        sum(_is_listed_file(held.entry) for held in section.entries())
        if section.file_count is None
        else section.file_count
        for section in destination.sections()
    )


def is_grown(destination: Destination) -> bool:
    """Tell whether a destination has files that the sources of a build may lack."""
    return GROWN in destination.root_lines()


@dataclass(slots=True)
class _Difference:
    """The result of a comparison, ordered by section, stage and path."""

    puts: list[Put] = field(default_factory=list)
    updates: list[Entry] = field(default_factory=list)
    unlisted: list[HeldEntry] = field(default_factory=list)  # at paths that their section does not have any more
    foreign: list[Resource] = field(default_factory=list)  # at paths that hold something not known to be ours
    changed: list[Section] = field(default_factory=list)
    recorded: list[str] = field(default_factory=list)  # names of sections whose lines differ
    unchanged: int = 0  # number of resources


def _compare(sections: Iterable[Section], destination: Destination, *, overwrite: bool) -> _Difference:
    difference = _Difference()
    for section, published in _pair(sections, destination.sections(), attrgetter("name"), attrgetter("name")):
        is_same = section and published and section.key == published.key != ""
        # Pages say what is recorded about a project, but not all that is recorded about the tree.
        is_project = section is not None and section.name != ROOT_SECTION
        if (
            section
            and published
            and not (is_same and is_project)
            and _known(section.lines()) != _known(published.lines())
        ):
            difference.recorded.append(section.name)
        elif is_same and published:
            difference.unchanged += published.entry_count
            continue
        if section:
            difference.changed.append(section)
        resources = section.resources() if section else ()
        entries = published.entries() if published else ()
        for resource, held in _pair(resources, entries, _position, lambda held: held.entry[1:3]):
            if resource is not None:
                _compare_resource(difference, resource, held, destination, overwrite=overwrite)
            elif held is not None:
                difference.unlisted.append(held)
    return difference


def _lines_of(sections: Sequence[Section], name: str) -> Sequence[bytes]:
    """Return the lines of the section of that name; () if it is not among `sections`, which are ordered by name."""
    at = bisect_left(sections, name, key=attrgetter("name"))
    return sections[at].lines() if at < len(sections) and sections[at].name == name else ()


def _known(lines: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return what is compared of the lines of a section: not those of a newer version, nor limits of time."""
    return tuple(line for line in lines if line.startswith(OPTIONAL_LINES))


def _compare_resource(
    difference: _Difference, resource: Resource, held: HeldEntry | None, destination: Destination, *, overwrite: bool
) -> None:
    """Add the steps after which the destination has this resource."""
    intact = held.entry if held and held.intact else None
    if intact and intact.key == resource.key:
        difference.unchanged += 1
        if intact.retired is not None:
            difference.updates.append(intact._replace(retired=None))
        return
    sha256 = (intact.sha256 if intact else "") or destination.digest(resource.path)
    if sha256 is None:
        difference.puts.append(Put(resource, held, is_new=held is None))
    elif sha256 == _expected_sha256(resource, held):
        difference.unchanged += 1
        difference.updates.append(Entry.of(resource, sha256))
    elif held or overwrite:
        difference.puts.append(Put(resource, held, is_new=False))
    else:
        difference.foreign.append(resource)


def _transferred_paths(difference: _Difference) -> set[str]:
    """Return the paths that one section gives up and another one has from now on.

    The root page of an index can be at the path where the page of a project was before --simple-path changed.
    """
    unlisted = {held.entry.path for held in difference.unlisted}
    if not unlisted:
        return unlisted
    return {
        resource.path for section in difference.changed for resource in section.resources() if resource.path in unlisted
    }


def _edited_pages(unlisted: Iterable[HeldEntry], transferred: Collection[str], destination: Destination) -> list[Entry]:
    """Return the pages that are not needed any more, but may not be deleted.

    The manifest may come from someone else, and name a page of the user. Nobody but mkindex has files at paths with
    their hash.
    """
    pages = [held for held in unlisted if held.entry.stage > Stage.METADATA and held.entry.path not in transferred]
    return [held.entry for held, is_ours in zip(pages, destination.are_ours(pages), strict=True) if not is_ours]


def _ordered_puts(difference: _Difference, transferred: set[str]) -> list[Put]:
    """Return the puts in the order of publishing, including those that replace a page of another section."""
    puts = difference.puts
    if transferred:
        puts = puts + [
            Put(resource, None, is_new=False) for resource in difference.foreign if resource.path in transferred
        ]
        puts.sort(key=lambda put: (put.resource.section, *_position(put.resource)))
    # They are already ordered by section and path.
    return sorted(puts, key=lambda put: put.resource.stage)


def _foreign_pages(foreign: Iterable[Resource]) -> list[str]:
    """Return the paths of optional pages that are left to their owner.

    Raises DestinationError if a resource that is not optional is among `foreign`.
    """
    foreign = sorted(foreign, key=_position)
    pages = [resource.path for resource in foreign if isinstance(resource, PageResource) and resource.optional]
    blocked = [resource.path for resource in foreign if resource.path not in pages]
    if blocked:
        files, them = ("this file is", "it") if len(blocked) == 1 else ("these files are", "them")
        raise DestinationError(
            f"{files} in the way, and mkindex has no record of writing {them}: {and_more(blocked)}. "
            f"Move {them} away, choose another destination, or use --overwrite to replace {them}"
        )
    return pages


def _replaced_filenames(puts: Iterable[Put], unlisted: Iterable[Entry]) -> Iterator[str]:
    """Yield the names of files that get other bytes: the old ones are no longer listed, and new ones are put."""
    old = {_filename(entry) for entry in unlisted if entry.stage <= Stage.METADATA and entry.retired is None}
    for put in puts:
        if isinstance(put.resource, FileResource) and put.resource.file.filename in old:
            yield put.resource.file.filename


def _is_listed_file(entry: Entry) -> bool:
    """Tell whether an entry is a wheel or sdist that a page names; without a key it is from a run that died."""
    is_file = entry.stage == Stage.FILE and entry.retired is None and entry.key != ""
    return is_file and not entry.path.endswith((VARIANTS_JSON, PROVENANCE_SUFFIX))


def _filename(entry: Entry) -> str:
    return entry.path.rpartition("/")[2]


def _deletion_time(entry: Entry, now: int, grace: int) -> int:
    """Return when something that is not listed any more is due, in seconds since the epoch. Pages are due at once."""
    if entry.stage > Stage.METADATA:
        return now
    return (now if entry.retired is None else entry.retired) + grace


def _expected_sha256(resource: Resource, held: HeldEntry | None) -> str | None:
    """Return the sha256 that the file of a resource has if it is up to date, or None if only rendering would tell."""
    if not isinstance(resource, Page):
        return resource.key
    if held is None:
        return hashlib.sha256(resource.render()).hexdigest()
    return held.entry.sha256 if held.entry.key == resource.key else None


def _position(resource: Resource) -> tuple[int, str]:
    return resource.stage, resource.path


def _pair(
    wanted: Iterable[W], others: Iterable[T], wanted_key: Callable[[W], Any], other_key: Callable[[T], Any]
) -> Iterator[tuple[W | None, T | None]]:
    """Merge two streams, each ordered by its key, into pairs of equal keys. Neither is ever held whole."""
    rest = iter(others)
    other = next(rest, None)
    for one in wanted:
        if other is None:  # computing a key takes as long as all the rest
            yield one, None
            continue
        key = wanted_key(one)
        while other is not None and other_key(other) < key:
            yield None, other
            other = next(rest, None)
        if other is not None and other_key(other) == key:
            yield one, other
            other = next(rest, None)
        else:
            yield one, None
    while other is not None:
        yield None, other
        other = next(rest, None)
