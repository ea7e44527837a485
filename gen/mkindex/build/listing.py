"""The first step of a build: open the sources, and list what they have."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from mkindex.config import Config
from mkindex.errors import Note, Rejected, SourceError
from mkindex.model.files import Artifact, AttestationFile, File, Link
from mkindex.model.index import StatusMarker, normalize_name
from mkindex.options import InvalidOption
from mkindex.publish.refusals import refuse_source_as_destination
from mkindex.sources.open import SourceOptions, local_path, open_source
from mkindex.sources.selection import Selection
from mkindex.sources.source import Source, SourceItem
from mkindex.text import printable, redact
from mkindex.tree.names import FILES_DIRECTORY, LOCKS_DIRECTORY, STATE_DIRECTORY
from mkindex.web.client import WebClient

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from mkindex.sources.locks.choice import Choice
    from mkindex.sources.locks.lock import Lock

_AT_A_TIME = 10_000  # links that are examined early
_CHOOSING = ("implementation", "python", "platform", "extra", "group", "no_sdists", "installers")  # options, in locks


def open_sources(config: Config, web: WebClient, executor: "Executor") -> list[Source]:
    """Return the sources that `config` names, in its order; `executor` fetches pages.

    Raises SourceError for one that cannot be read, that mkindex wrote itself, or that is a new destination.
    """
    written = output_directories(config)
    options = SourceOptions(
        web=web,
        executor=executor,
        selection=selection(config),
        recursive=config.recursive,
        follow_symlinks=config.follow_symlinks,
        whole_index=config.all,
        files_url=config.files_url,
        verify_links=config.verify_links,
        choice=_choice(config),
        indexes=config.index,
        store=config.store_option,
        timeout=config.timeout,
        # A source that is the destination, or is in it, is read without the published tree.
        exclude=(*written, os.path.realpath(config.destination)),
        prereleases=config.prereleases,
        api_url=config.api_url,
        mirrored=config.remote == "mirror",
    )
    sources = [open_source(spec, options) for spec in config.sources]
    if config.build_requires:
        every = options._replace(choice=_choice(config, for_builds=True))
        sources.append(open_source(config.build_requires, every))
    for spec in config.inputs:
        real = os.path.realpath(local_path(spec) or os.sep)
        if any(os.path.commonpath([real, output]) == output for output in written):
            raise SourceError(f"source {printable(spec)} is part of the index in {printable(config.destination)}")
    refuse_source_as_destination(config)
    return sources


def selection(config: Config) -> Selection:
    """Return what --include and --exclude select."""
    return Selection(include=config.include, exclude=config.exclude)


def _choice(config: Config, *, for_builds: bool = False) -> "Choice | None":
    """Return what is taken from lock files, or from that of build requirements; None: all files. Raises ConfigError."""
    if not for_builds and not any(getattr(config, name) for name in _CHOOSING):
        return None
    # Here, since it takes many milliseconds, and most builds read no lock file.
    from mkindex.sources.locks.choice import Choice, chosen_names, targets_for

    return Choice(
        targets=targets_for(config.implementation or ("cpython",), config.python, config.platform),
        extras=None if for_builds else chosen_names(config.extra),
        groups=None if for_builds else chosen_names(config.group),
        sdists=not config.no_sdists,
        installers=() if for_builds else tuple(map(normalize_name, config.installers)),
        for_builds=for_builds,
    )


def refuse_without_lock(config: Config, locks: "Sequence[Lock]") -> None:
    """Raise InvalidOption for an option that is only for lock files, if no source is one."""
    for name in ("python", "index", "extra", "group", "no_sdists", "build_requires", "installers"):
        if getattr(config, name) and not locks:
            raise InvalidOption(name, "is for lock files, and no SOURCE is one")


def output_directories(config: Config) -> list[str]:
    """Return the real paths of the directories that mkindex writes below the destination."""
    destination = os.path.realpath(config.destination)
    roots = [path.split("/")[0] for path in (config.simple_path, config.json_root or "")]
    return [
        os.path.join(destination, name) for name in (STATE_DIRECTORY, FILES_DIRECTORY, LOCKS_DIRECTORY, *roots) if name
    ]


def list_sources(config: Config, sources: Iterable[Source]) -> Iterator[SourceItem]:
    """Yield what the sources list. With --keep-going a source that fails is rejected as a whole."""
    for spec, source in zip(config.inputs, sources, strict=True):
        if not config.keep_going:
            yield from source.artifacts()
            continue
        try:
            yield from list(source.artifacts())  # everything, or nothing
        except SourceError as error:
            yield Rejected(location=redact(spec), reason=f"source skipped: {error}")


def take_early(items: Iterable[SourceItem], take: Callable[[Sequence[Link]], object]) -> Iterator[SourceItem]:
    """Pass trusted links to `take`, some thousand at a time, and yield everything else.

    There may be millions of them. From the first file that is not one on, everything is yielded, and so are the last
    few thousand links: files must stay in their order.
    """
    links: list[Link] = []
    rest = iter(items)
    for item in rest:
        if isinstance(item, Link) and item.trusted:
            links.append(item)
            if len(links) == _AT_A_TIME:
                take(links)
                links = []
        elif isinstance(item, (Artifact, Link)):
            yield from (*links, item)
            yield from rest
            return
        else:
            yield item
    yield from links


class Listing(NamedTuple):
    """What all sources list, in their order."""

    artifacts: list[Artifact | Link]
    files: list[File]  # that are known already
    statuses: list[StatusMarker]
    locks: "list[Lock]"
    findings: list[Rejected | Note]
    attestations: list[AttestationFile]


def sort_listing(items: Iterable[SourceItem]) -> Listing:
    """Separate artifacts and links, known files, status markers, lock files, and findings.

    Raises SourceError if two lock files have the same name.
    """
    listing = Listing([], [], [], [], [], [])
    for item in items:
        if isinstance(item, (Artifact, Link)):  # the union type would be created for each of 100,000 files
            listing.artifacts.append(item)
        elif isinstance(item, File):
            listing.files.append(item)
        elif isinstance(item, AttestationFile):
            listing.attestations.append(item)
        elif isinstance(item, StatusMarker):
            listing.statuses.append(item)
        elif isinstance(item, (Rejected, Note)):
            listing.findings.append(item)
        else:
            if any(other.name == item.name for other in listing.locks):
                raise SourceError(
                    f"two lock files are called {item.name}, and both would be locks/{item.name}. Rename one"
                )
            listing.locks.append(item)
    return listing
