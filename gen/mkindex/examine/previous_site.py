"""Read the upload times of a published site, for files with the same bytes.

Nothing but upload times is taken from it.
"""

from collections.abc import Collection, Iterable
from concurrent.futures import Executor

from mkindex.errors import SourceError
from mkindex.model.files import File
from mkindex.simple.links import project_url
from mkindex.sources.fetch import PageMissing, fetch_page, read_page
from mkindex.sources.open import local_path
from mkindex.sources.published_site import address_of, find_root, possible_roots, require_empty
from mkindex.text import redact
from mkindex.web.client import WebClient


def published(
    site: str, files: Collection[File], *, simple_path: str, web: WebClient, executor: Executor
) -> dict[str, str] | None:
    """Return the upload times of those of `files` that a published index lists, by sha256; "" if it gives none.

    `site`: address or directory of a tree, or of the index in it. Only the pages of projects that have one of `files`,
    and that the root page lists, are requested. None if nothing is published yet. Raises SourceError for a site
    that cannot be read or is not an index: without it, upload times would change unnoticed.
    """
    path = local_path(site)
    roots = possible_roots(address_of(site, web), simple_path)
    hashes = frozenset(file.sha256 for file in files if file.sha256)

    def read_times(url: str) -> dict[str, str] | None:
        """Return the upload times that a project's page gives for `files`; None if there is no such page."""
        try:
            page = read_page(fetch_page(url, web))
        except PageMissing:
            return None
        if not (page.is_index or page.links):
            raise SourceError(f"{redact(url)} is not a page of an index")
        return _earliest((link.sha256, link.upload_time) for link in page.links if link.sha256 in hashes)

    try:
        root = find_root(roots, web)
        names = sorted({file.project for file in files})
        if root:
            # Only listed projects: a bucket that does not list its contents answers 403 for a missing page.
            urls = [project_url(root.url, name) for name in names if name in root.projects]
        else:
            urls = [project_url(one, name) for one in roots for name in names]
        pages = [times for times in executor.map(read_times, urls) if times is not None]
        if not (root or pages):
            require_empty(path)
            return None
    except SourceError as error:
        raise SourceError(f"--previous: {error} (without it, all files would get new upload times)") from error
    return _earliest(item for times in pages for item in times.items())


def _earliest(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the earliest time for each sha256, in any order of the pairs; "" only if no time is known."""
    earliest: dict[str, str] = {}
    for sha256, time in pairs:
        before = earliest.get(sha256)
        earliest[sha256] = min(before, time) if before and time else before or time
    return earliest
