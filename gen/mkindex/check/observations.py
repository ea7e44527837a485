"""Observations of an index: frozen values, from which alone rules judge."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from mkindex.closure.lookup import Missing
from mkindex.web.responses import RawResponse

Form = Literal["html", "json", ""]  # "" means neither
PageKind = Literal["root", "project", "flat"]
Level = Literal["none", "head", "hash", "deep"]
TargetKind = Literal["index", "project", "flat", "mistyped", "login", "people", "page", "nothing"]


# Formats that no client installs from an index: what is wrong with such a file does not matter to pip and uv.
_UNUSED = (".egg", ".exe", ".msi", ".rpm", ".deb", ".dmg", ".tar.zst")


class ListedFile(NamedTuple):
    """A file as one page lists it: the raw entry, and its meaning as far as it can be understood."""

    raw: Mapping[str, Any]  # JSON: the object; HTML: the attributes of the anchor
    form: Form
    link: str  # as written
    url: str  # absolute, without fragment; "" if the link is not an address
    filename: str  # as clients read it
    page: str  # the address that the link is relative to
    anchor_text: str = ""  # HTML only
    sha256: str = ""  # lower case
    other_hash: str = ""  # the strongest hash of another algorithm, as "md5=…", if there is no sha256
    requires_python: str = ""
    yanked: str | None = None  # the reason, "" without one; None: not yanked
    metadata: str | None = None  # sha256 of the sibling, "" if unknown; None: there is no sibling
    size: int | None = None

    @property
    def provenance(self) -> str:
        """The address of the provenance object, as written (PEP 740); "" without one."""
        found = self.raw.get("provenance", self.raw.get("data-provenance"))
        return found if isinstance(found, str) else ""

    @property
    def is_unused(self) -> bool:
        """Whether pip and uv pass over it by its name; `unusable-name` reports it."""
        return self.filename.endswith(_UNUSED)


class NamedProject(NamedTuple):
    """A project as a root names it."""

    name: str
    url: str = ""  # HTML: the absolute address that it links to
    link: str = ""  # HTML: as written
    text: str = ""  # HTML: of the link


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenPage:
    """A page as it was received, and what it says."""

    kind: PageKind
    project: str = ""  # the normalized name that it was requested for
    form: Form = ""
    reply: RawResponse
    root: str = ""  # file: URL of the checked directory; "" for a server
    base: str = ""  # the address that its links are relative to
    broken: str = ""  # why nothing on the page can be trusted
    entries: tuple[ListedFile, ...] = ()
    field_errors: tuple[str, ...] = ()  # JSON: missing or mistyped fields outside the entries
    stray_links: tuple[str, ...] = ()  # links to neither files nor, on a root, projects
    dangers: tuple[str, ...] = ()  # what a browser could be made to run, and signs of an unescaped attribute
    projects: tuple[NamedProject, ...] = ()  # of a root
    document: Mapping[str, Any] = field(default_factory=dict)  # JSON, without files and projects
    base_href: str | None = None  # HTML: the address in <base>
    api_version: object = None  # None if the page has none
    status: str = ""
    is_reserved: bool = False  # says that it has no files, so that no other index answers for its name
    has_doctype: bool = True
    has_end: bool = True
    is_listing: bool = False  # a server's directory listing, by its title
    is_index: bool = False  # declares itself a page of a simple index
    is_login: bool = False  # has a password field

    @property
    def url(self) -> str:
        """The address that was requested, before redirects."""
        return self.reply.hops[0] if self.reply.hops else self.reply.url

    @property
    def is_redirected(self) -> bool:
        """Whether a redirect led to another directory, which relative links are then resolved against."""
        return self.url.rstrip("/") != self.reply.url.rstrip("/")

    @property
    def is_local(self) -> bool:
        """Whether it is a file in the checked directory."""
        return bool(self.root)

    @property
    def is_usable(self) -> bool:
        """Whether a client can read it."""
        return self.reply.status == 200 and not self.broken and bool(self.form)

    @property
    def is_json_as_html(self) -> bool:
        """Whether it is JSON that is served as HTML, in which clients find no links."""
        return self.form == "html" and self.reply.body.lstrip()[:1] == b"{"


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenRoot:
    """The projects that the root of an index names, in both forms."""

    html: frozenset[str]  # normalized names
    json: frozenset[str]
    html_links: frozenset[str] = frozenset()  # what other links of the HTML page end in, as a normalized name


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenProject:
    """A project, with its page in each form that exists."""

    name: str  # normalized
    html: SeenPage | None = None
    json: SeenPage | None = None
    linked_page: str = ""  # a page at the address that the root links to, if there is none where clients look
    unsent_page: str = (
        ""  # the index document of its directory, if the host has it but does not send it for the directory
    )
    root_forms: frozenset[Form] = frozenset()  # the forms that the root exists in


class Requirements(NamedTuple):
    """The fields of core metadata that decide what is installed."""

    name: str
    version: str
    requires_python: str
    requires_dist: tuple[str, ...]  # sorted
    extras: tuple[str, ...]  # sorted
    unusable: tuple[str, ...] = ()  # each Requires-Dist that pip or uv cannot use, with what they do then
    elsewhere: tuple[str, ...] = ()  # each Requires-Dist with an address of its own
    is_utf8: bool = True


class Content(NamedTuple):
    """The contents of a wheel or an sdist (--files deep)."""

    metadata_sha256: str = ""  # of METADATA; "" if it could not be read
    metadata: Requirements | None = None
    build_requires: tuple[str, ...] | None = None  # what an sdist has to be built with; None: unknown
    broken: str = ""  # why neither pip nor uv can install it
    ambiguous: tuple[str, ...] = ()  # what different zip readers would see differently
    record: tuple[str, ...] = ()  # differences between RECORD and the members
    refused: tuple[str, ...] = ()  # what one of pip and uv refuses, and which of them
    missing_tags: tuple[str, ...] = ()  # in the filename, but not in WHEEL
    variant: tuple[str, ...] = ()  # variant.json, if there is one


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenFile:
    """A file as its page lists it, and as it is."""

    entry: ListedFile
    reply: RawResponse  # without a body
    is_local: bool
    page_redirected: bool = False  # its page was redirected to another directory
    read_error: str = ""  # why its contents could not be read although the file exists
    is_page: bool = False  # it begins like HTML
    size: int | None = None
    sha256: str = ""  # "" if not computed
    other_hash: str = ""  # by the algorithm of `entry.other_hash`, as "md5=…"; "" if not computed
    sibling: RawResponse | None = None  # None if not requested
    sibling_sha256: str = ""  # "" if not read
    sibling_metadata: Requirements | None = None
    signature: RawResponse | None = None  # of the `.asc` that the page announces
    provenance: RawResponse | None = None  # of the provenance object that the page names, without its body
    provenance_error: str = ""  # what is wrong with its form, or that it is of another file
    signature_error: str = ""  # why its attestations are not valid
    is_unverified: bool = False  # whether they would be verified, if the extra `attest` were installed
    content: Content | None = None
    variants: str | None = None  # the text of a file that says what wheel variants are for; None: not read

    @property
    def exists(self) -> bool:
        """Whether there is a file, and not an error or an HTML page in its place."""
        return self.reply.status == 200 and not self.reply.broken and not self.is_page


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenVariants:
    """The wheel variants of one release (PEP 825), and the file that says what they are for."""

    filename: str  # of this file, as it is or should be
    wheels: Mapping[str, str | None]  # variant.json by filename; "": it has none. None: not read
    is_listed: bool = False  # whether a page lists the file
    text: str | None = None  # of the file; None: not read


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerBehaviour:
    """The behavior of a web server that serves an index."""

    url: str  # the root
    root: SeenPage
    second_root: RawResponse | None = None  # the root page, requested again
    unknown_project: RawResponse | None = None  # the page of a project that does not exist
    without_slash: RawResponse | None = None  # a project's page, requested without the slash at the end
    page: RawResponse | None = None  # a project's page
    file: RawResponse | None = None  # the first byte of a file
    has_html: bool = False
    has_json: bool = False
    seconds: float = 0.0  # how long the root page took


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenDirectory:
    """The contents of a directory that its pages do not describe."""

    root: str
    leftovers: tuple[str, ...] = ()
    unlisted_files: tuple[str, ...] = ()
    unlisted_projects: tuple[str, ...] = ()
    manifest_errors: tuple[tuple[str, str], ...] = ()  # path, and how it differs from the manifest of mkindex
    outside_links: tuple[tuple[str, str], ...] = ()  # symlinks out of the directory: path and target
    collisions: tuple[tuple[str, ...], ...] = ()  # paths that are one path on some file systems
    devices: tuple[str, ...] = ()  # paths whose last name is that of a device on Windows
    unreadable: tuple[tuple[str, str], ...] = ()  # path and mode
    newer_files: tuple[tuple[str, str], ...] = ()  # a page, and a file that is newer than it


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """The kind of the target: an index, or something else."""

    kind: TargetKind
    description: str = ""
    index_url: str = ""  # where an index seems to be instead


@dataclass(frozen=True, kw_only=True, slots=True)
class Unsatisfied:
    """A requirement that nothing in the index satisfies."""

    missing: Missing
    others: tuple[str, ...] = ()  # other files that have the same requirement
    environments: tuple[str, ...] = ()  # where; none means everywhere that was asked for
    is_elsewhere: bool = False  # only on platforms that were not asked for


@dataclass(frozen=True, kw_only=True, slots=True)
class Namesake:
    """What another index answers for a project of this one."""

    project: str
    url: str
    files: int = 0  # that its page lists
    problem: str = ""  # why it is not known


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """How much of an index was seen."""

    projects: int  # whose pages were requested
    files: int  # that their pages list
    quarantined: int = 0  # projects that list no files because of their status
    patterns: tuple[str, ...] = ()  # of --project
    other_links: tuple[str, ...] = ()  # of the root, to something else than pages of projects below it
