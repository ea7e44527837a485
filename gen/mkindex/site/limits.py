"""What the host of --for does not take: too many files, too large ones, reserved paths."""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress

from mkindex.config import Config
from mkindex.distributions.zips import Span
from mkindex.errors import Note, NotPublished, Rejected
from mkindex.hosts.table import HOSTS, Host
from mkindex.model.index import Index
from mkindex.site.render import FileResource, PageResource, Resource, Section, SiblingResource

_A_FILE = 4_000  # bytes that all pages together have for a file, at the very most

Findings = tuple[Rejected | Note, ...]


def _sizes(config: Config, paths: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield size and name of files in the destination, as far as they are there."""
    for path in paths:
        with suppress(OSError):
            yield os.stat(os.path.join(config.destination, path)).st_size, os.path.basename(path)


def refuse_beyond_limits(
    config: Config, index: Index, sections: Iterable[Section], kept: Iterable[str], findings: Findings
) -> None:
    """Raise NotPublished if the host of --for has limits that the tree exceeds, or reserves a path of it.

    `kept`: paths of retired files, which lie in the destination besides what `sections` hold.
    """
    host = HOSTS[config.host] if config.host else Host()
    resources = [resource for section in sections for resource in section.resources()]
    listed = sum(len(project.files) for project in index.projects)
    for resource in resources:
        if resource.path.partition("/")[0] in host.reserved and isinstance(resource, PageResource):
            text = f"{config.host} takes {resource.path} for something else: choose another --simple-path"
            raise NotPublished(text, findings)
    if too_much := _too_much(host, resources, list(_sizes(config, kept)), _A_FILE * listed):
        raise NotPublished(f"{config.host} takes {too_much}. {host.way_out}", findings)


def _too_much(host: Host, resources: Iterable[Resource], old: list[tuple[int, str]], most: int) -> str | None:
    """Say what a host does not take of a tree, the largest files first; None: it takes all of it.

    `old` are sizes and names of files that are there besides; `most`: the bytes that pages can have.
    """
    files, pages = list(old), []
    for resource in resources:
        if isinstance(resource, FileResource):
            files.append((resource.file.size or 0, resource.file.filename))
        elif isinstance(resource, SiblingResource):
            files.append((Span.parse(resource.file.metadata_span or "").size, f"{resource.file.filename}.metadata"))
        elif resource.path not in host.writes:  # which is read, and not served
            pages.append(resource)
    number = len(files) + len(pages) + 1  # the manifest
    if host.max_files and number > host.max_files:
        return f"no more than {host.max_files:,} files, and these are {number:,}, pages and all{_hint(len(old))}"
    total = sum(size for size, _ in files)
    # To render all pages takes as long as a build: only where they can make a difference.
    if (host.max_bytes and total + most > host.max_bytes) or (host.max_file and most > host.max_file):
        sizes = [(len(page.render()), page.path) for page in pages]
        files, total = files + sizes, total + sum(size for size, _ in sizes)
    files.sort(key=lambda file: (-file[0], file[1]))
    if large := [file for file in files if host.max_file and file[0] > host.max_file]:
        are_old = sum(one in old for one in large)
        return f"no file above {host.max_file:,} bytes: {_named(large)}{_hint(are_old)}"
    if host.max_bytes and total > host.max_bytes:
        return f"no more than {host.max_bytes:,} bytes, and these are {total:,}: {_named(files)}{_hint(len(old))}"
    return None


def _hint(old: int) -> str:
    """Say of some of the files that were counted how they go."""
    return f". Of them {old:,} are on no page any more, and go with --grace 0" if old else ""


def _named(files: list[tuple[int, str]]) -> str:
    text = ", ".join(f"{filename} ({size:,} bytes)" for size, filename in files[:5])
    return text + (f" and {len(files) - 5} more" if len(files) > 5 else "")
