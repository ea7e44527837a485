"""What the templates of pages for people see: frozen values of texts and addresses. docs/site.md describes each."""

from dataclasses import dataclass
from typing import NamedTuple


class Required(NamedTuple):
    """A requirement."""

    name: str  # normalized; "" if it cannot be parsed
    text: str  # "demo>=1"
    marker: str = ""  # "python_version < '3.11'"
    extra: str = ""  # for which it is required; "": always


class Edge(NamedTuple):
    """A project on the other side of a requirement."""

    project: str
    extra: str  # for which it is required; "": always


class Instructions(NamedTuple):
    """How one client installs from this index."""

    client: str
    label: str
    command: tuple[str, ...]  # a command line; () if none is safe. The address of the index stands between the parts
    configuration: tuple[str, ...]  # a file, in the same way


@dataclass(frozen=True, kw_only=True, slots=True)
class SiteView:
    """The whole site: what every template has as `site`."""

    title: str
    description: str
    footer: str
    color: str  # as CSS has it
    logo: str  # path from the root of the tree; ""
    url: str  # public address of the root, with a slash at the end; "" if unknown
    simple: str  # path of the Simple API, "" or with a slash at the end
    version: str  # of the assets, which changes with them
    readme_images: bool
    renders_readmes: bool  # whether readme_renderer is installed
    search: tuple[str, ...]  # paths of the scripts with the data for the search
    variants: tuple[tuple[str, str], ...]  # name and path of the index of each variant


@dataclass(frozen=True, kw_only=True, slots=True)
class FileView:
    """One file."""

    filename: str
    href: str  # from this page
    size: str  # "887.9 MB", "" if unknown
    date: str  # "2026-01-02", "" if unknown
    sha256: str  # "" if unknown
    kind: str  # "wheel" or "sdist"
    runs_on: str  # "CPython 3.12, Linux x86-64, glibc ≥ 2.28"; "" if on everything, and for an sdist
    build: str  # the build tag
    variant: str  # "" if it has none
    requires_python: str
    metadata: str  # address of the core metadata, "" if it is not published
    provenance: str
    yanked: str | None  # the reason; "": without one; None: not yanked
    pythons: tuple[str, ...]  # choices of the filter that it runs on
    platforms: tuple[str, ...]  # the same


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseView:
    """One release of a project."""

    version: str
    anchor: str  # the id of the release on the page with all releases
    date: str  # when its first file was uploaded: "2026-01-02"
    time: str  # the same with the time, as in an Atom feed
    is_prerelease: bool
    is_newest: bool
    yanked: str | None  # if all of its files are yanked: the reason, "" without one
    files: tuple[FileView, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectLine:
    """A project in a list."""

    name: str  # normalized
    shown: str  # as its metadata spells it
    summary: str
    version: str
    date: str
    status: str  # "archived", "deprecated", "quarantined" or ""


@dataclass(frozen=True, kw_only=True, slots=True)
class NewRelease:
    """A release in the list of recent ones."""

    name: str
    version: str
    anchor: str  # the id of the release on the page with all releases
    date: str
    time: str  # with the date, as Atom has it
    summary: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Requirements:
    """The requirements of a release, for one extra."""

    extra: str  # "": those without an extra
    requirements: tuple[Required, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectView:
    """A project."""

    name: str
    shown: str
    version: str
    status: str
    status_reason: str
    is_known: bool  # whether the core metadata of its newest release was read
    is_elsewhere: bool  # whether its files are on another server, so that their metadata was not read
    summary: str
    readme: str  # HTML in which nothing is active; "" if there is none
    requires_python: str
    licenses: tuple[str, ...]
    license_text: str
    people: tuple["Person", ...]
    keywords: tuple[str, ...]
    links: tuple[tuple[str, str, bool], ...]  # label, address, and whether a page may link to it
    classifiers: tuple[tuple[str, tuple[str, ...]], ...]  # by their first part
    import_names: tuple[str, ...]
    others: tuple[tuple[str, str], ...]  # name and value of all other fields of the metadata
    requires: tuple[Requirements, ...]
    extras: tuple[str, ...]
    listed: frozenset[str]  # the projects of this index among those that it requires
    dependents: tuple[Edge, ...]
    releases: tuple[ReleaseView, ...]  # the newest first
    newest: ReleaseView | None
    variants: tuple[tuple[str, str], ...]  # name and path of the index of each variant that it has files of
    feed: str  # its path from this page, "" without one


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """An author or maintainer."""

    role: str  # "author" or "maintainer"
    name: str
    email: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """What the files of a table can be filtered by."""

    pythons: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """The files in a wheel."""

    filename: str
    entries: tuple[tuple[str, str], ...]  # path and size
    more: int  # number of those that are not listed
    size: str  # of all, unpacked


VIEWS = (
    *(SiteView, ProjectView, ProjectLine, ReleaseView, NewRelease, FileView),
    *(Requirements, Person, Choices, Contents),
)
