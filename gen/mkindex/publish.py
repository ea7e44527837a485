"""Make a destination hold exactly these resources: first the plan, which changes nothing, then its execution."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self

from mkindex.errors import DestinationError
from mkindex.model import File
from mkindex.render import Page, PlacedFile, Resource, Stage
from mkindex.sources import Artifact, Fingerprint


class Entry(NamedTuple):
    """A path of the destination that is ours, as the manifest knows it."""

    stage: int
    path: str
    key: str  # of the resource it was made from; "": unknown, a run died while it wrote
    sha256: str  # of its bytes; "": unknown
    mark: str  # what the destination recognises the bytes by without reading them; "": look again
    retired: int | None = None  # since when no page names it, in seconds since the epoch


class Held(NamedTuple):
    """An entry, and whether what is there is still what was written."""

    entry: Entry
    intact: bool


class Put(NamedTuple):
    """A resource to be written, and the entry it replaces; `fresh`: no page can have named its path before."""

    resource: Resource
    previous: Held | None
    fresh: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What makes a destination right. Computed whole before anything is changed."""

    puts: tuple[Put, ...] = ()  # in the order of publishing
    updates: tuple[Entry, ...] = ()  # entries of which only the manifest changes
    deletes: tuple[Entry, ...] = ()  # in the reverse order of publishing
    moved: tuple[Entry, ...] = ()  # what is known of paths that a page of another stage takes over
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


class Changed(DestinationError):
    """The bytes of a file are not those that were scanned: somebody writes to it. Nothing was published."""

    def __init__(self, file: File) -> None:
        super().__init__(f"{file.local.path} changes while it is read: wait until it is whole, then run again")
        self.file = file

    def __reduce__(self) -> tuple[type[Self], tuple[File]]:
        return type(self), (self.file,)  # or pickle would call it with the text


class Destination(Protocol):
    """A place for resources. One contract test runs against every implementation."""

    def entries(self) -> Iterator[Held]:
        """Yield all that is known to be ours, ordered by stage and path."""

    def digest(self, path: str) -> str | None:
        """Return the sha256 of what is at `path`, whoever wrote it; None: nothing is there."""

    def apply(self, plan: Plan, ready: Callable[[], object] = bool) -> Applied:
        """Carry a plan out, so that readers and a crash at any instant find every page whole and no link dangling.

        `ready` is called when all is prepared and no reader can see any of it. Raises what that raises; Changed; or
        DestinationError when it cannot be done. All is then as it was, but for the last.
        """


def plan(
    resources: Iterable[Resource], destination: Destination, *, now: int, grace: int, overwrite: bool = False
) -> Plan:
    """Compare what should be there, in publish order, with what is there of ours.

    Files that no page names any more are retired at `now`, and deleted when they have been for `grace` seconds. A path
    that is taken by something not ours is adopted if the bytes are the same; else an optional page is left to its
    owner, and anything else raises DestinationError unless `overwrite`.
    """
    puts: list[Put] = []
    updates: list[Entry] = []
    deletes: list[Entry] = []
    foreign: list[Resource] = []
    kept: list[str] = []
    new_pages: set[str] = set()
    orphaned: set[str] = set()
    unchanged = retired = 0
    next_due: int | None = None
    for resource, held in _paired(resources, destination.entries()):
        if resource is None:
            assert held is not None
            entry = held.entry
            is_file = entry.stage <= Stage.METADATA
            if is_file and entry.retired is None:
                orphaned.add(entry.path.rpartition("/")[2])
            due = (now if entry.retired is None else entry.retired) + grace
            if not is_file or now >= due:
                deletes.append(entry)
                continue
            kept.append(entry.path)
            next_due = min(next_due or due, due)
            if entry.retired is None:
                updates.append(entry._replace(retired=now))
                retired += 1
            continue
        if held is None and isinstance(resource, Page):
            new_pages.add(resource.path)
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
            updates.append(Entry(resource.stage, resource.path, resource.key, found, mark=""))
        elif held or overwrite:
            puts.append(Put(resource, held, fresh=False))
        else:
            foreign.append(resource)
    # Where the index moves, the root page of one place may be the page of a project in the other: it is ours then.
    moved = [entry for entry in deletes if entry.path in new_pages]
    deletes = [entry for entry in deletes if entry.path not in new_pages]
    ours = {entry.path for entry in moved}
    taken_over = [Put(resource, None, fresh=False) for resource in foreign if resource.path in ours]
    puts = sorted([*puts, *taken_over], key=lambda put: (put.resource.stage, put.resource.path)) if taken_over else puts
    foreign = [resource for resource in foreign if resource.path not in ours]
    left = [resource.path for resource in foreign if isinstance(resource, Page) and resource.optional]
    blocked = [resource.path for resource in foreign if resource.path not in left]
    if blocked:
        shown = ", ".join(blocked[:5]) + (f" and {len(blocked) - 5} more" if len(blocked) > 5 else "")
        raise DestinationError(
            f"in the way, and not known to be written by mkindex: {shown}. "
            "Move it away, choose another destination, or let --overwrite take its place"
        )
    return Plan(
        puts=tuple(puts),
        updates=tuple(updates),
        deletes=tuple(reversed(deletes)),
        moved=tuple(moved),
        unchanged=unchanged,
        retired=retired,
        kept=tuple(kept),
        next_due=next_due,
        replaced=tuple(
            put.resource.file.filename
            for put in puts
            if isinstance(put.resource, PlacedFile) and put.resource.file.filename in orphaned
        ),
        left=tuple(left),
    )


def _expected(resource: Resource, held: Held | None) -> str | None:
    """Return the sha256 of a resource where that is known, or must be: None: write it, and see."""
    if not isinstance(resource, Page):
        return resource.key
    if held is None:
        return hashlib.sha256(resource.render()).hexdigest()
    return held.entry.sha256 if held.entry.key == resource.key else None


def _paired(resources: Iterable[Resource], entries: Iterable[Held]) -> Iterator[tuple[Resource | None, Held | None]]:
    """Merge two sequences, both ordered by stage and path, neither of which is ever held whole."""
    waiting = iter(entries)
    held = next(waiting, None)
    for resource in resources:
        path = resource.path
        while held is not None and held.entry.path != path and held.entry[:2] < (resource.stage, path):
            yield None, held
            held = next(waiting, None)
        if held is not None and held.entry.path == path:
            yield resource, held
            held = next(waiting, None)
        else:
            yield resource, None
    while held is not None:
        yield None, held
        held = next(waiting, None)
