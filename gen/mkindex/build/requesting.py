"""What is published already, in the destination or at --previous, and which of these files a request means."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from mkindex.build.growing import Published, list_published
from mkindex.build.workspace import Workspace, open_workspace
from mkindex.config import Config
from mkindex.errors import NotPublished, nothing
from mkindex.hosts.buckets import is_bucket
from mkindex.model.files import File
from mkindex.model.index import parse_version
from mkindex.options import InvalidOption, suggest
from mkindex.progress import no_progress
from mkindex.text import and_more, printable, redact

if TYPE_CHECKING:
    from mkindex.sources.requested import Request

_SHOWN = 5  # versions in a message


def list_index(work: Workspace, *, first: bool, without: Collection[str] = ()) -> Published:
    """Return what the index lists that a command changes. `first` accepts that nothing is published at --previous.

    `without`: projects of DEST that are not read.
    """
    if work.config.previous is None:
        return list_published(work, without)
    if is_bucket(work.config.destination):
        raise InvalidOption(
            "previous", "is for hosts on which each deployment replaces the site: a bucket keeps what it lists"
        )
    from mkindex.build.republishing import list_site  # here, since most builds need nothing that reads sites

    return list_site(work, first=first)


def find_requested(config: Config, requests: "Sequence[Request]", done: str = "removed") -> list[File]:
    """Return the published files that match any of the requests, in the order of the index.

    Raises NotPublished if there is no index, or if one of them matches nothing; `done` would have happened to it.
    """
    files = _published(config, done, requests).files
    for request in requests:
        if not any(map(request.matches, files)):
            files = _published(config, done).files
            raise NotPublished(f"nothing {done}: {_mismatch(request.text, request.project, files, _where(config))}", ())
    return [file for file in files if any(request.matches(file) for request in requests)]


def require_project(config: Config, project: str) -> None:
    """Raise NotPublished if the index has no such project. It may have a status, and no file."""
    from mkindex.sources.requested import Request  # here, since most builds keep nothing of an index

    published = _published(config, "changed", [Request(text=project, project=project)])
    if project not in {*(one.project for one in published.files), *(one.project for one in published.statuses)}:
        files = _published(config, "changed").files
        raise NotPublished(f"nothing changed: {_mismatch(project, project, files, _where(config))}", ())


def _published(config: Config, done: str, requests: "Sequence[Request]" = ()) -> Published:
    """Return what is published; with requests, at least of the projects that these can mean.

    Raises NotPublished if there is no index; `done` would have happened to it.
    """
    with open_workspace(config.replace(dry_run=True), None, no_progress, nothing) as work:
        without = _beside(work, requests) if requests and is_bucket(config.destination) else ()
        published = list_index(work, first=False, without=without)
        if config.previous is None and next(work.destination.sections(), None) is None:
            raise NotPublished(f"nothing {done}: there is no index in {printable(config.destination)}", ())
    return published


def _beside(work: Workspace, requests: "Sequence[Request]") -> Collection[str]:
    """Return the projects of an index in a bucket that no request can mean."""
    from mkindex.publish.bucket import BucketDestination

    assert isinstance(work.destination, BucketDestination)
    names = work.destination.outlines()
    return [name for name in names if not any(request.may_mean(name) for request in requests)]


def _where(config: Config) -> str:
    return printable(config.destination) if config.previous is None else redact(config.previous)


def _mismatch(text: str, name: str, files: Sequence[File], where: str) -> str:
    """Return why a request matches no file of the index at a place, and what to do. `name`: of its project."""
    versions = sorted({file.version for file in files if file.project == name}, key=parse_version)
    if name and not versions:
        similar = suggest(name, {file.project: file.project for file in files})
        return f"{where} has no project {name!r}. {f'Did you mean {similar}?' if similar else 'Check the name'}"
    lists = f"It lists {name} {and_more(versions, _SHOWN)}" if name else "Check the name"
    return f"no file in {where} matches {printable(text)!r}. {lists}"
