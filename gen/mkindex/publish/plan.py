"""Make a destination hold exactly these resources: first the plan, which changes nothing, then its execution."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple, Protocol, Self, TypeVar

from mkindex.errors import DestinationError
from mkindex.model.files import Artifact, File, Fingerprint
from mkindex.site.render import FileResource, PageResource, Resource, Section
from mkindex.text import and_more
from mkindex.tree.manifest import Entry, Stage

W = TypeVar("W")
T = TypeVar("T")


class HeldEntry(NamedTuple):
    """An entry, and whether what is there is still what was written."""

    entry: Entry
    intact: bool


class PublishedSection(NamedTuple):
    """A section as a destination knows it."""

    name: str
    key: str  # as Section has it; "": something of it is retired, or not intact
    number: int  # of entries
    held: Callable[[], Iterable[HeldEntry]]  # each of them, ordered by stage and path


class Put(NamedTuple):
    """A resource to be written, and the entry it replaces; `fresh`: no page can have named its path before."""

    resource: Resource
    previous: HeldEntry | None
    fresh: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What makes a destination right. Computed whole before anything is changed."""

    puts: tuple[Put, ...] = ()  # in the order of publishing: by stage, section and path
    updates: tuple[Entry, ...] = ()  # entries of which only the manifest changes
    deletes: tuple[Entry, ...] = ()  # what is published last comes first
    moved: tuple[Entry, ...] = ()  # what is known of paths that are another section's from now on
    unchanged: int = 0
    retired: int = 0  # among the updates: files that no page names from now on
    kept: tuple[str, ...] = ()  # paths of all retired files that stay for now
    next_due: int | None = None  # when the first of them is to go, in seconds since the epoch
    replaced: tuple[str, ...] = ()  # filenames that get other bytes than before
    left: tuple[str, ...] = ()  # paths where somebody's own page stays


@dataclass(frozen=True, kw_only=True, slots=True)
class Applied:
    """What was done: resources written, and artifacts that were hard-linked, with the fingerprints they have since."""

    written: int = 0
    links: tuple[tuple[Artifact, Fingerprint], ...] = ()


class FileChanged(DestinationError):
    """The bytes of a file are not those that were scanned: somebody writes to it. Nothing was published."""

    def __init__(self, file: File) -> None:
        super().__init__(f"{file.local.path} changes while it is read: wait until it is whole, then run again")
        self.file = file

    def __reduce__(self) -> tuple[type[Self], tuple[File]]:
        return type(self), (self.file,)  # or pickle would call it with the text


class Destination(Protocol):
    """A place for resources. One contract test runs against every implementation."""

    def sections(self) -> Iterator[PublishedSection]:
        """Yield all that is known to be ours, by name of section."""

    def digest(self, path: str) -> str | None:
        """Return the sha256 of what is at `path`, whoever wrote it; None: nothing is there."""

    def apply(self, plan: Plan, ready: Callable[[], object] = bool) -> Applied:
        """Carry a plan out, so that readers and a crash at any instant find every page whole and no link dangling.

        `ready` is called when all is prepared and no reader can see any of it. Raises what that raises; Changed; or
        DestinationError when it cannot be done. All is then as it was, but for the last.
        """


def plan(
    sections: Iterable[Section], destination: Destination, *, now: int, grace: int, overwrite: bool = False
) -> Plan:
    """Compare what should be there, by name of section, with what is there of ours.

    Of a section whose key is that of what is there, nothing else is looked at. Files that no page names any more are
    retired at `now`, and deleted when they have been for `grace` seconds. A path that is taken by something not ours is
    adopted if the bytes are the same; else an optional page is left to its owner, and anything else raises
    DestinationError unless `overwrite`.
    """
    puts: list[Put] = []
    updates: list[Entry] = []
    foreign: list[Resource] = []
    gone: list[Entry] = []
    changed: list[Section] = []
    unchanged = 0
    for section, published in _paired(sections, destination.sections(), attrgetter("name"), attrgetter("name")):
        if section and published and section.key == published.key != "":
            unchanged += published.number
            continue
        if section:
            changed.append(section)
        resources = section.resources() if section else ()
        known = published.held() if published else ()
        for resource, held in _paired(resources, known, _position, lambda held: held.entry[1:3]):
            if resource is None:
                assert held is not None
                gone.append(held.entry)
                continue
            if held and held.intact and held.entry.key == resource.key:
                unchanged += 1
                if held.entry.retired is not None:
                    updates.append(held.entry._replace(retired=None))
                continue
            found = (held.entry.sha256 if held and held.intact else "") or destination.digest(resource.path)
            if found is None:
                puts.append(Put(resource, held, fresh=held is None))
            elif found == _expected(resource, held):
                unchanged += 1
                updates.append(Entry.of(resource, found))
            elif held or overwrite:
                puts.append(Put(resource, held, fresh=False))
            else:
                foreign.append(resource)
    # Where the index moves, the root page of one place may be the page of a project in the other: it is ours then.
    paths = {entry.path for entry in gone}
    wanted = (resource.path for section in changed for resource in section.resources()) if paths else ()
    ours = {path for path in wanted if path in paths}
    moved = [entry for entry in gone if entry.path in ours]
    if ours:
        puts += [Put(resource, None, fresh=False) for resource in foreign if resource.path in ours]
        puts.sort(key=lambda put: (put.resource.section, *_position(put.resource)))
    gone = sorted((entry for entry in gone if entry.path not in ours), key=itemgetter(1, 2))
    foreign = sorted((resource for resource in foreign if resource.path not in ours), key=_position)
    left = [resource.path for resource in foreign if isinstance(resource, PageResource) and resource.optional]
    blocked = [resource.path for resource in foreign if resource.path not in left]
    if blocked:
        shown = and_more(blocked)
        raise DestinationError(
            f"in the way, and not known to be written by mkindex: {shown}. "
            "Move it away, choose another destination, or let --overwrite take its place"
        )
    kept = [entry for entry in gone if _due(entry, now, grace) > now]
    retired = [entry._replace(retired=now) for entry in kept if entry.retired is None]
    orphaned = {
        entry.path.rpartition("/")[2] for entry in gone if entry.stage <= Stage.METADATA and entry.retired is None
    }
    return Plan(
        # As sections and their resources came, they are by section and path already.
        puts=tuple(sorted(puts, key=lambda put: put.resource.stage)),
        updates=tuple(sorted((*updates, *retired), key=itemgetter(1, 2))),
        deletes=tuple(entry for entry in reversed(gone) if _due(entry, now, grace) <= now),
        moved=tuple(moved),
        unchanged=unchanged,
        retired=len(retired),
        kept=tuple(entry.path for entry in kept),
        next_due=min((_due(entry, now, grace) for entry in kept), default=None),
        replaced=tuple(
            put.resource.file.filename
            for put in puts
            if isinstance(put.resource, FileResource) and put.resource.file.filename in orphaned
        ),
        left=tuple(left),
    )


def _due(entry: Entry, now: int, grace: int) -> int:
    """Return when something that no page names any more is to go, in seconds since the epoch; a page goes at once."""
    if entry.stage > Stage.METADATA:
        return now
    return (now if entry.retired is None else entry.retired) + grace


def _expected(resource: Resource, held: HeldEntry | None) -> str | None:
    """Return the sha256 of a resource where that is known, or must be: None: write it, and see."""
    if not isinstance(resource, PageResource):
        return resource.key
    if held is None:
        return hashlib.sha256(resource.render()).hexdigest()
    return held.entry.sha256 if held.entry.key == resource.key else None


def _position(resource: Resource) -> tuple[int, str]:
    return resource.stage, resource.path


def _paired(
    wanted: Iterable[W], there: Iterable[T], of_wanted: Callable[[W], Any], of_there: Callable[[T], Any]
) -> Iterator[tuple[W | None, T | None]]:
    """Merge two sequences, each in the order of its keys, neither of which is ever held whole."""
    waiting = iter(there)
    found = next(waiting, None)
    for one in wanted:
        if found is None:  # a key costs as much as all else here
            yield one, None
            continue
        key = of_wanted(one)
        while found is not None and of_there(found) < key:
            yield None, found
            found = next(waiting, None)
        if found is not None and of_there(found) == key:
            yield one, found
            found = next(waiting, None)
        else:
            yield one, None
    while found is not None:
        yield None, found
        found = next(waiting, None)
