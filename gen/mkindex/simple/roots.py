"""The root of an index: which projects it names, and what distinguishes it from other pages.

pip and uv never read a root: they append the name of a project to its address. So a link of a root stands for a name,
wherever it leads. Pure functions, so that a build, a check and `mkindex client` recognize the same indexes.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar
from urllib.parse import unquote

from mkindex.model.index import normalize_name

_SAMPLE = 10  # pages that are requested to distinguish a root from a page that links to other directories
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")  # PEP 508
# The directory at the end of an address, with or without a slash, index.html or a query.
_LAST = re.compile(r"[^?]*/(?!index\.html?(?:\?|\Z))(?P<name>[^/?]+)(?P<slash>/(?:index\.html?)?)?(?:\?.*)?", re.DOTALL)
# Pages and files that clients do not install; the name of a project may contain a period, too.
_NO_PROJECT = re.compile(
    r"\.(?:html?|egg|exe|msi|rpm|deb|dmg|whl|zip|tgz|tar|gz|bz2|xz|zst|asc|sig|metadata)\Z", re.IGNORECASE
)


Project = TypeVar("Project")  # as a root names it


class ProjectLink(NamedTuple):
    """A project that a root names."""

    name: str  # as the root spells it
    url: str = ""  # absolute address that the root links to, without fragment; "" in JSON


def is_project_name(text: str) -> bool:
    """Tell whether a text can be the name of a project, in any spelling."""
    return _NAME.fullmatch(text) is not None


def project_links(
    links: Iterable[tuple[str, Callable[[], str]]], base: str, *, anywhere: bool = True
) -> tuple[ProjectLink, ...]:
    """Return the projects that an HTML page names if it is the root of an index, each link once.

    `links`: the absolute address, without fragment, and the text of each link that does not lead to a file. `base`: the
    address that they are relative to. Links to one level below name projects; if there are none, so do links to
    `anywhere` that end in their text.
    """
    above = _directories_above(base)
    directories, pages, elsewhere = dict[ProjectLink, None](), dict[ProjectLink, None](), dict[ProjectLink, None]()
    for url, text in links:
        match = _LAST.fullmatch(url)
        name = _decode(match["name"]) if match else ""
        if not match or not is_project_name(name) or (not match["slash"] and _NO_PROJECT.search(name)):
            continue
        parent = url[: match.start("name")]
        if parent in above:
            if url[: match.end("name")] + "/" not in above:
                (directories if match["slash"] else pages)[ProjectLink(name, url)] = None
        elif anywhere and not directories and (label := _label(text(), name, url)):
            elsewhere[ProjectLink(label, url)] = None
    if directories:  # a name with a period beside directories is that of a file: README.md, favicon.ico
        pages = {link: None for link in pages if "." not in link.name}
    return (*directories, *pages) or tuple(elsewhere)


def _directories_above(base: str) -> tuple[str, str]:
    """Return the addresses whose subdirectories are one level below a page; clients append a slash to a root."""
    path = base.partition("?")[0]
    return f"{path.rpartition('/')[0]}/", f"{path}/"


def _decode(segment: str) -> str:
    return unquote(segment) if "%" in segment else segment


def _label(text: str, last: str, url: str) -> str:
    """Return the text of a link if that is the name of a project, with which its path or its query ends; else ""."""
    label = text.strip(" \t\r\n/")
    ends = normalize_name(last), normalize_name(_decode(url.rpartition("=")[2]))
    return label if is_project_name(label) and normalize_name(label) in ends else ""


def linked_directory(url: str) -> str:
    """Return the address of the directory that a link of a root means: without query and index.html, with a slash."""
    match = _LAST.fullmatch(url)
    return f"{url[: match.end('name')] if match else url.rstrip('/')}/"


def is_root(projects: Sequence[Project], has_page: Callable[[Project], bool]) -> bool:
    """Tell whether a page is the root of an index, by requesting the pages of some of the projects that it names.

    A page that declares itself a page of an index (PEP 629) need not be asked about. `has_page` requests a page.
    """
    last = len(projects) - 1
    spread = sorted({last * part // (_SAMPLE - 1) for part in range(_SAMPLE)}) if projects else ()  # some may be empty
    return any(has_page(projects[index]) for index in spread)


def is_project_page(project: str, filenames: Iterable[str], *, is_empty: bool) -> bool:
    """Tell whether a page is the page of a project, by its files.

    `project`: the normalized name. `is_empty`: the page declares itself a page of an index, and has no link.
    """
    return is_empty or any(_is_file_of(project, filename) for filename in filenames)


def _is_file_of(project: str, filename: str) -> bool:
    if filename.endswith(".whl"):
        return normalize_name(filename.partition("-")[0]) == project
    return normalize_name(filename).startswith(f"{project}-")
