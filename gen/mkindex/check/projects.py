"""Check projects, several at a time: those of a server in threads, those of a directory in processes."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from mkindex.check.directory import NamedFiles, find_named
from mkindex.check.findings import Finding
from mkindex.check.observations import ListedFile, SeenProject
from mkindex.check.offers import ProjectFiles
from mkindex.check.walk import FileResult, ProjectLink, ProjectResult, Walk
from mkindex.parallel import can_fork, map_chunks

_AT_A_TIME = 1_000  # projects, before anything is known of them
_WEIGHT = 20  # a project takes as long as so many small files, at least
_LEAST = 50  # projects: for fewer, processes cost more than they save


class CheckedProject(NamedTuple):
    """What is kept of a project after it was checked."""

    findings: list[Finding]
    listed: int  # files that its pages list
    inspected: int
    read: int
    is_quarantined: bool  # it lists no files because of its status
    named: NamedFiles | None  # of a directory
    offers: ProjectFiles | None  # for --closure
    sample: tuple[SeenProject, ListedFile | None] | None  # of a server: pages of it, and a file


def check_projects(walk: Walk, projects: Sequence[ProjectLink], processes: int) -> Iterator[CheckedProject]:
    """Yield what is kept of each project. Raises RequestFailed if the server gives up.

    Reading small files and judging pages holds the interpreter lock, so that threads would not help.
    """
    if walk.location.directory and not walk.has_closure and processes > 1 and len(projects) >= _LEAST and can_fork():
        return _in_processes(walk, projects, processes)
    return (_kept(walk, *found) for found in walk.results(projects))


def _in_processes(walk: Walk, projects: Iterable[ProjectLink], processes: int) -> Iterator[CheckedProject]:
    """Check most projects in processes, and then in threads those that wait for servers, or for large files."""

    def check_each(links: Sequence[ProjectLink]) -> list[CheckedProject | None]:
        return [_kept(walk, *found) if (found := walk.check_here(link)) else None for link in links]

    others: list[ProjectLink] = []
    rest = iter(projects)
    while some := list(islice(rest, _AT_A_TIME)):
        for link, checked in zip(some, map_chunks(check_each, some, processes=processes, weight=_WEIGHT), strict=True):
            if checked:
                yield checked
            else:
                others.append(link)
    yield from (_kept(walk, *found) for found in walk.results(others))


def _kept(walk: Walk, result: ProjectResult, files: list[FileResult]) -> CheckedProject:
    project, location = result.project, walk.location
    pages = [page for page in (project.html, project.json) if page]
    sample = project, result.files[0].entry if result.files else None
    return CheckedProject(
        findings=[*result.findings, *(finding for file in files for finding in file.findings)],
        listed=result.listed,
        inspected=sum(file.inspected for file in files),
        read=sum(file.read for file in files),
        is_quarantined=not result.listed and any(page.status == "quarantined" for page in pages),
        named=find_named(location, project) if location.directory else None,
        offers=ProjectFiles(result.candidates, [file.needs for file in files]) if walk.has_closure else None,
        sample=sample if result.listed and not location.fetcher.local else None,
    )
