"""The properties of an index that the configuration of a client depends on."""

import re
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from mkindex.simple.links import is_loopback

PAGE_ENDINGS = (".html", ".htm")
RESERVED_NAME = "pypi"  # what clients call the public index


class RequiredProject(NamedTuple):
    """A project that others require."""

    name: str  # normalized
    marker: str = ""  # in which environments; "": in all

    def __str__(self) -> str:
        return f"{self.name}; {self.marker}" if self.marker else self.name


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedVariant:
    """The index of a variant: some projects have other files there."""

    name: str  # letters, digits and . _ -
    url: str  # of its index, as that of ServedIndex
    projects: tuple[str, ...]  # normalized names, sorted: those of which it has files of its own
    required: tuple[RequiredProject, ...] = ()  # other projects of the index that these require, as far as known

    @property
    def extra(self) -> str:
        """A normalized name for an extra that selects the variant."""
        return re.sub(r"[-_.]+", "-", self.name).strip("-")


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedIndex:
    """The properties of an index that the configuration of a client depends on."""

    url: str  # of the index or find-links page: ASCII, without credentials, query and fragment
    projects: tuple[str, ...]  # normalized names, sorted: those that come only from this index
    is_find_links: bool = False
    is_selection: bool = False  # the user chose the projects; otherwise they are all that it has
    needs_password: bool = False
    is_unverified: bool = False  # it could not be read: all other values come from the user
    answers_403: bool = False  # for unknown projects
    stale_pages: str = ""  # why uv would miss a new release for some time
    caches_files: bool = True  # clients keep files for as long as they may, as far as known
    fallback: str = ""  # another index, to which requests for unknown projects are redirected
    redirect_host: str = ""  # another host that requests for its pages are redirected to
    variants: tuple[ServedVariant, ...] = ()  # indexes beside it, of which a project uses one
    has_upload_times: bool = True  # its pages have them, as far as known
    name: str = ""  # what the user calls it; "": a name made from its address
    is_default: bool = False  # it takes the place of the public index

    @property
    def is_local(self) -> bool:
        """Whether it is a directory."""
        return self.url.startswith("file:")

    @property
    def is_plain_http(self) -> bool:
        """Whether anybody on the network path can change what is installed."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and not is_loopback(parts.hostname or "")


def index_name(index: ServedIndex) -> str:
    """Return the name of an index: the user's, or one made from its host, port and path, or from its directory."""
    if index.name:
        return index.name
    parts = urlsplit(index.url)
    path = [unquote(part) for part in parts.path.removesuffix(".html").removesuffix(".htm").split("/") if part]
    if path[-1:] == ["simple"]:
        path.pop()
    words = path[-2 if index.is_find_links else -1 :] if index.is_local else [parts.netloc, *path]
    name = re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")
    return f"{name}-index".lstrip("-") if name in ("", RESERVED_NAME) else name
