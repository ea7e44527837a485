"""What was seen of an index: frozen values, which rules judge without looking at anything else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from mkindex.web.responses import RawResponse

Form = Literal["html", "json", ""]  # "": neither
Kind = Literal["root", "project", "flat"]
Level = Literal["none", "head", "hash", "deep"]


class ListedFile(NamedTuple):
    """A file as one page lists it: what stands there, and what that comes to as far as it makes sense."""

    raw: Mapping[str, Any]  # the object in JSON, the attributes of the anchor in HTML
    form: Form
    link: str  # as it is written
    url: str  # absolute, without fragment; "": the link is no address
    filename: str  # what clients take for it
    page: str  # the address that the link is relative to
    text: str = ""  # HTML: what the anchor shows
    sha256: str = ""  # lower case; "": not said
    other_hash: str = ""  # the strongest of another kind, as "md5=…", if there is no sha256
    requires_python: str = ""
    yanked: str | None = None  # None: no. "": yes, without a reason
    metadata: str | None = None  # sha256 of the sibling; "": it is there, of unknown hash; None: it is not
    size: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenPage:
    """A page as it came, and what it says."""

    kind: Kind
    project: str = ""  # the normalized name that it was asked for with
    form: Form = ""
    reply: RawResponse
    root: str = ""  # of a directory that is checked, its file: URL; "": a server's
    base: str = ""  # what its links are relative to
    broken: str = ""  # why nothing on it can be believed
    entries: tuple[ListedFile, ...] = ()
    odd: tuple[str, ...] = ()  # what has the wrong type or is missing, apart from the fields of entries
    stray: tuple[str, ...] = ()  # links that lead to no file, or on a root to no project
    dangerous: tuple[str, ...] = ()  # what a browser could be made to run, and signs of an attribute that broke open
    projects: tuple[tuple[str, str], ...] = ()  # a root's: the name that it shows, and in HTML the address
    project_links: tuple[str, ...] = ()  # HTML: as they are written
    document: Mapping[str, Any] = field(default_factory=dict)  # JSON, without files and projects
    base_link: str | None = None  # HTML: what stands in <base>
    api_version: object = None  # None: not said
    status: str = ""
    has_doctype: bool = True
    has_end: bool = True
    is_listing: bool = False  # a server's own listing of a directory, by its title
    is_index: bool = False  # says that it is a page of a simple index
    is_login: bool = False  # asks for a password

    @property
    def url(self) -> str:
        """Where it was asked for."""
        return self.reply.hops[0] if self.reply.hops else self.reply.url

    @property
    def local(self) -> bool:
        return bool(self.root)

    @property
    def usable(self) -> bool:
        """Whether there is a page at all that says something."""
        return self.reply.status == 200 and not self.broken and bool(self.form)


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenProject:
    """A project: its name as the index links to it, and its page in each form that there is."""

    name: str  # normalized
    html: SeenPage | None = None
    json: SeenPage | None = None
    as_listed: str = ""  # the link on the root page, where it is spelled differently
    forms: frozenset[Form] = frozenset()  # those that the root is there in


class Requirements(NamedTuple):
    """The fields of core metadata that decide what is installed."""

    name: str
    version: str
    requires_python: str
    requires_dist: tuple[str, ...]  # sorted
    extras: tuple[str, ...]  # sorted


class Content(NamedTuple):
    """What is in a wheel or an sdist (--files deep)."""

    metadata_sha256: str = ""  # of METADATA; "": there is none that could be read
    metadata: Requirements | None = None
    broken: str = ""  # why it cannot be read
    ambiguous: tuple[str, ...] = ()  # what different readers of the zip would see differently
    record: tuple[str, ...] = ()  # in which way RECORD and the members differ


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenFile:
    """A file, as its page lists it and as it is."""

    entry: ListedFile
    reply: RawResponse  # without a body
    local: bool
    moved: bool = False  # its page was redirected, so that relative links lead elsewhere
    flat: bool = False  # its page is one of many projects
    failed: str = ""  # why its bytes could not be read, though it is there
    is_page: bool = False  # it begins as HTML does
    size: int | None = None
    sha256: str = ""  # of its bytes; "": not computed
    other: str = ""  # of the kind of `entry.other_hash`, as "md5=…"; "": not computed
    sibling: RawResponse | None = None  # None: not asked for
    sibling_sha256: str = ""  # "": not read
    sibling_metadata: Requirements | None = None
    signature: RawResponse | None = None  # the `.asc` that the page says is there
    provenance: RawResponse | None = None
    content: Content | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerBehaviour:
    """How a web server serves an index."""

    url: str  # the root
    root: SeenPage
    again: RawResponse | None = None  # the root page, asked for a second time
    unknown: RawResponse | None = None  # the page of a project that there is not
    without_slash: RawResponse | None = None  # of a project, its redirects not followed
    page: RawResponse | None = None  # of a project, as clients ask for it
    file: RawResponse | None = None  # the first bytes of a file, asked for alone
    html: bool = False
    json: bool = False
    seconds: float = 0.0  # that the page took


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenDirectory:
    """What lies in a directory beside what its pages say."""

    root: str
    ours: bool = False  # mkindex made it
    leftovers: tuple[str, ...] = ()
    unlisted_files: tuple[str, ...] = ()
    unlisted_projects: tuple[str, ...] = ()
    manifest: tuple[str, ...] = ()  # in which way manifest and tree disagree
    leaving: tuple[tuple[str, str], ...] = ()  # links out of it: path, and where to
    colliding: tuple[tuple[str, ...], ...] = ()
    unreadable: tuple[tuple[str, str], ...] = ()  # path, and its mode
    stale: tuple[tuple[str, str], ...] = ()  # page, and a file that is newer


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """What was found at the address that was given."""

    kind: Literal["index", "project", "flat", "mistyped", "login", "people", "page", "nothing"]
    says: str = ""  # more of it
    index: str = ""  # where an index seems to be


@dataclass(frozen=True, kw_only=True, slots=True)
class Unsatisfied:
    """A requirement that nothing in the index satisfies."""

    file: str
    requirement: str
    has: str  # what there is instead
