"""Names that belong to an index even if it has no file of them: they keep a page, so that no other index answers."""

from collections.abc import Iterator
from heapq import merge
from operator import attrgetter

from mkindex.config import Config
from mkindex.errors import Note, NotPublished
from mkindex.model.index import Index, Project
from mkindex.publish.plan import Destination
from mkindex.spool import StoredProjects
from mkindex.text import and_more, printable
from mkindex.tree.layout import recorded_options, reserve_of
from mkindex.tree.manifest import ROOT_SECTION

_WITH_FILES, _WITHOUT = b"files\t", b"files\t[]\n"  # how the record of a project begins; that of one without files


def reserve_names(index: Index, found: Index, config: Config, destination: Destination) -> tuple[Index, list[Note]]:
    """Return the index with a project without files for each name that is reserved, withheld or published.

    `found`: the index before the policy withheld anything. A note tells of each name that is reserved from now on
    because its project was removed.
    """
    if not config.reserve:
        return index, []
    from mkindex.hosts.reserved import Reserved  # here, since most builds reserve nothing

    listed = {project.name for project in index.projects}
    reserved, released = Reserved(config.reserve), Reserved(config.release, "release")
    names, notes = {*reserved.names, *(project.name for project in found.projects)} - listed, list[Note]()
    for name, had_files in _published(destination):
        if name in listed or (released.has(name) and not reserved.has(name)):
            continue
        names.add(name)
        if had_files and not reserved.has(name):
            text = "no longer has files, but its name stays reserved. To give it up: --release {name}"
            notes.append(Note(location=name, text=text.format(name=name), text_of_many=text.format(name="NAME")))
    without_files = (Project(name=name, files=()) for name in sorted(names))
    merged = merge(index.projects, without_files, key=attrgetter("name"))
    return Index(
        projects=StoredProjects(merged) if isinstance(index.projects, StoredProjects) else tuple(merged)
    ), notes


def _published(destination: Destination) -> Iterator[tuple[str, bool]]:
    """Yield the projects that a destination has, and whether files are recorded of them."""
    for section in destination.sections():
        if section.name != ROOT_SECTION:
            yield section.name, any(line.startswith(_WITH_FILES) and line != _WITHOUT for line in section.lines())


def refuse_unreserve(config: Config, destination: Destination) -> None:
    """Raise NotPublished if the build would reserve less than the index in DEST, without --release."""
    found = reserve_of(recorded_options(destination.root_lines()) or {})
    if not found:
        return
    from mkindex.hosts.reserved import Reserved

    # Only valid globs: the tree may come from another person.
    recorded = Reserved(tuple(glob for glob in found if Reserved.is_glob(glob)))
    kept = {*Reserved(config.reserve).globs, *Reserved(config.release, "release").globs}
    if lost := [glob for glob in recorded.globs if glob not in kept]:
        raise NotPublished(
            f"nothing published: the index in {printable(config.destination)} reserves {and_more(lost, 3)}, and this "
            f"build does not. Add --reserve '{lost[0]}', or give it up: --release '{lost[0]}'",
            (),
        )
