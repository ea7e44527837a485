"""The addresses of files on a page that need no normalizing, which are nearly all of them."""

import re
from urllib.parse import urljoin

from mkindex.distributions.filenames import may_be_linked
from mkindex.simple.links import normalize_url

# Two groups: a host, "/", "../" or nothing, and a path in which nothing but the "+" of a local version is encoded.
PLAIN = re.compile(
    r"(https?://[A-Za-z0-9.-]+(?::[0-9]+)?/|/|(?:\.\./)+)?"
    r"((?:[A-Za-z0-9_-][A-Za-z0-9._~-]*/)*[A-Za-z0-9_-](?:[A-Za-z0-9._~-]|%2B)*)"
)
_ANY_FILE = "x-1.zip"


class PlainFiles:
    """Reads addresses that are relative to `base`. To join, split and normalize each takes four times as long.

    `allow_local`: whether they may be `file:` addresses, as `base` can be.
    """

    def __init__(self, base: str, *, allow_local: bool) -> None:
        self._base = base
        self._allow_local = allow_local
        self._starts: dict[str | None, str] = {}  # what is before a path, by the first group; "": not allowed

    def read(self, address: str) -> tuple[str, str]:
        """Return what `normalize_url` returns for an address, and the filename; "" twice for one that is not plain."""
        found = PLAIN.fullmatch(address)
        if not found:
            return "", ""
        before, path = found.groups()
        start = self._starts.get(before)
        if start is None:
            start = self._starts[before] = self._normalize_start(before or "")
        filename = path.rpartition("/")[2].replace("%2B", "+")
        return (start + path, filename) if start and may_be_linked(filename) else ("", "")

    def _normalize_start(self, before: str) -> str:
        try:
            url = normalize_url(urljoin(self._base, before + _ANY_FILE), _ANY_FILE, allow_local=self._allow_local)
        except ValueError:
            return ""
        start = url.removesuffix(_ANY_FILE)
        return start if start.endswith("/") else ""  # with too many "../", urljoin() of Python 3.13 returns file:NAME
