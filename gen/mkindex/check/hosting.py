"""Recognize the host of a checked index, so that a report can say what to change there."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from mkindex.check.observations import ListedFile, SeenPage
from mkindex.hosts.recognize import KnownHost, recognize_host

_OF_FILES = frozenset({"content-encoding", "file-cache", "no-range"})  # rules


def find_host(pages: Sequence[SeenPage], file: ListedFile | None) -> KnownHost | None:
    """Return the host of these pages, if their answers show it. What concerns files is left out if they are elsewhere.

    `file` is one of those that the pages list.
    """
    remote = [page for page in pages if not page.is_local]
    if not remote:
        return None
    here = urlsplit(remote[0].reply.url)
    host = recognize_host(here.hostname or "", (page.reply.headers for page in remote))
    if host and file and urlsplit(file.url).netloc != here.netloc:
        return host._replace(changes={rule: one for rule, one in host.changes.items() if rule not in _OF_FILES})
    return host
