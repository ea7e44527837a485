"""The limits of the host that a tree is made for: numbers of files, their sizes, reserved paths."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress

from mkindex.config import Config
from mkindex.errors import Note, NotPublished, Rejected
from mkindex.hosts.table import HOSTS, Host
from mkindex.model.index import Index
from mkindex.site.resources import (
    FileResource,
    Page,
    ProvenanceResource,
    Resource,
    Section,
    SiblingResource,
    VariantsResource,
)
from mkindex.text import and_more, plural
from mkindex.tree.names import METADATA_SUFFIX, PROVENANCE_SUFFIX

_PAGES_PER_FILE = 4_000  # bytes: more than all pages together ever contain about one file

Findings = tuple[Rejected | Note, ...]
SizedFile = tuple[int, str]  # bytes, and a name to show


def refuse_beyond_limits(
    config: Config, index: Index, sections: Iterable[Section], kept: Iterable[str], findings: Findings
) -> None:
    """Raise NotPublished if the tree exceeds a limit of the host of --for, or needs a path that the host reserves.

    Only a host with limits needs `sections`.

    `kept` are the paths of retired files, which count in addition to the resources of `sections`. `findings` become
    those of the error.
    """
    host = HOSTS[config.host] if config.host else Host()
    if not host.has_limits:
        return
    resources = [resource for section in sections for resource in section.resources()]
    for resource in resources:
        if resource.path.partition("/")[0] in host.reserved and isinstance(resource, Page):
            text = f"{config.host} reserves the path of the page {resource.path}: choose another --simple-path"
            raise NotPublished(text, findings)
    max_pages = _PAGES_PER_FILE * sum(len(project.files) for project in index.projects)
    if exceeded := _exceeded_limit(config, resources, list(_sizes_in_destination(config, kept)), max_pages):
        raise NotPublished(f"{config.host}: {exceeded}. {host.advice}", findings)


def _sizes_in_destination(config: Config, paths: Iterable[str]) -> Iterator[SizedFile]:
    """Yield size and name of the files at these paths in the destination, as far as they exist."""
    for path in paths:
        with suppress(OSError):
            yield os.stat(os.path.join(config.destination, path)).st_size, os.path.basename(path)


def _exceeded_limit(
    config: Config, resources: Iterable[Resource], retired: list[SizedFile], max_pages: int
) -> str | None:
    """Return the first limit of the host that a tree exceeds, with the largest files; None if there is none.

    `max_pages`: bytes that all pages together can have.
    """
    host, files, pages = HOSTS[config.host or ""], list(retired), []
    for resource in resources:
        if isinstance(resource, FileResource):
            files.append((resource.file.size or 0, resource.file.filename))
        elif isinstance(resource, SiblingResource):
            if span := resource.file.metadata_span:
                from mkindex.distributions.zips import Span  # here, since most hosts have no limits

                files.append((Span.parse(span).size, f"{resource.file.filename}{METADATA_SUFFIX}"))
            else:  # published before, and not read now
                files += _sizes_in_destination(config, [resource.path])
        elif isinstance(resource, VariantsResource):
            files.append((len(resource.document.content), resource.document.filename))
        elif isinstance(resource, ProvenanceResource):
            files.append((resource.attested.size, f"{resource.file.filename}{PROVENANCE_SUFFIX}"))
        elif resource.path not in host.written_files:  # files that the host reads and does not serve
            pages.append(resource)
    number = len(files) + len(pages) + 1  # the manifest
    if host.max_files and number > host.max_files:
        return f"limit {host.max_files:,} files; this tree has {number:,}, including pages{_hint(len(retired))}"
    total = sum(size for size, _ in files)
    # Rendering all pages takes as long as a build, so it is done only if their size can matter.
    if (host.max_bytes and total + max_pages > host.max_bytes) or (host.max_file and max_pages > host.max_file):
        sizes = [(len(page.render()), page.path) for page in pages]
        files, total = files + sizes, total + sum(size for size, _ in sizes)
    files.sort(key=lambda file: (-file[0], file[1]))
    if large := [file for file in files if host.max_file and file[0] > host.max_file]:
        number_retired = sum(file in retired for file in large)
        return f"limit {host.max_file:,} bytes for a file; too large: {_names(large)}{_hint(number_retired)}"
    if host.max_bytes and total > host.max_bytes:
        return f"limit {host.max_bytes:,} bytes; this tree has {total:,}: {_names(files)}{_hint(len(retired))}"
    return None


def _hint(retired: int) -> str:
    """Return how to get rid of the retired files among those that were counted."""
    return f". --grace 0 would delete {plural(retired, 'retired file')} of these" if retired else ""


def _names(files: list[SizedFile]) -> str:
    return and_more([f"{filename} ({size:,} bytes)" for size, filename in files])
