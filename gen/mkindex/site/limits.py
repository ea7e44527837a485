"""When nothing is published although it could be: an index that nobody can want, or one that its host does not take."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from mkindex.config import Config
from mkindex.distributions.zips import Span
from mkindex.errors import Note, NotPublished, Rejected
from mkindex.hosts.table import HOSTS, Host
from mkindex.model.index import Index
from mkindex.site.render import FileResource, PageResource, Resource, SiblingResource
from mkindex.sources.open import local_path
from mkindex.text import redact
from mkindex.tree.names import METADATA_SUFFIX

_A_FILE = 4_000  # bytes that all pages together have for a file, at the very most

Findings = tuple[Rejected | Note, ...]


def refuse(config: Config, index: Index, findings: Findings) -> None:
    """Raise NotPublished where what was found must not become the index: nothing is left of it, or --strict says so."""
    rejected = sum(isinstance(finding, Rejected) for finding in findings)
    if config.strict and rejected:
        raise NotPublished(f"{rejected} rejected, and --strict publishes nothing then", findings)
    if not index.projects and not config.allow_empty:
        where = ", ".join(map(redact, config.sources))
        why = f"all {rejected} were rejected" if rejected else f"no wheel or sdist in {where}"
        if config.include or config.exclude:
            why += " that --include and --exclude leave"
        is_flat = not config.recursive and any(os.path.isdir(local_path(spec) or "") for spec in config.sources)
        hint = "; --recursive also looks into subdirectories" if is_flat else ""
        raise NotPublished(f"nothing to publish: {why}{hint}. An empty index is made with --allow-empty", findings)


def _sizes(config: Config, paths: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield size and name of files in the destination, as far as they are there."""
    for path in paths:
        with suppress(OSError):
            yield os.stat(os.path.join(config.destination, path)).st_size, os.path.basename(path)


def refuse_what_is_too_much(
    config: Config, index: Index, resources: Sequence[Resource], kept: Iterable[str], findings: Findings
) -> None:
    """Raise NotPublished where the host that a tree is for does not take all of it, or not for what it is.

    `kept`: paths of files that lie in the destination besides `resources`.
    """
    host = HOSTS[config.host] if config.host else Host()
    if not host.has_limits:
        return
    listed = sum(len(project.files) for project in index.projects)
    for resource in resources:
        if resource.path.partition("/")[0] in host.reserved and isinstance(resource, PageResource):
            text = f"{config.host} takes {resource.path} for something else: choose another --simple-path"
            raise NotPublished(text, findings)
    if too_much := _too_much(host, resources, list(_sizes(config, kept)), _A_FILE * listed):
        raise NotPublished(f"{config.host} takes {too_much}. {host.advice}", findings)


def _too_much(host: Host, resources: Iterable[Resource], old: list[tuple[int, str]], most: int) -> str | None:
    """Say what a host does not take of a tree, the largest files first; None: it takes all of it.

    `old` are sizes and names of files that are there besides; `most`: the bytes that pages can have.
    """
    files, pages = list(old), []
    for resource in resources:
        if isinstance(resource, FileResource):
            files.append((resource.file.size or 0, resource.file.filename))
        elif isinstance(resource, SiblingResource):
            files.append((Span.parse(resource.file.metadata_span).size, f"{resource.file.filename}{METADATA_SUFFIX}"))
        elif resource.path not in host.written_files:  # which is read, and not served
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
