"""Where everything is in a published tree, and how pages name it."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote

from mkindex import __version__
from mkindex.hosts.table import Host
from mkindex.model.files import Artifact, File, Link
from mkindex.site.resources import provenance_path
from mkindex.site.templates import Templates
from mkindex.tree.manifest import digest
from mkindex.tree.names import file_path

if TYPE_CHECKING:
    from mkindex.model.variants import Variants
    from mkindex.sources.generation import Generation
    from mkindex.sources.locks.lock import Lock


def names_provenance(url: str | None) -> bool:
    """Tell whether pages below the public address of a tree can name what is in it by an absolute https URL."""
    return url is not None and url.lower().startswith("https://")


@dataclass(frozen=True, kw_only=True)
class Site:
    """The layout and addresses of the published tree. Only here are addresses joined and quoted."""

    simple_path: str = "simple"  # of the Simple API, below the root; "": it is the root
    files_url: str | None = None  # where files are served from, if they are not in the tree
    files_have_metadata: bool = False  # whether there are `.metadata` siblings at files_url
    links: bool = False  # whether there is a page with every file
    json_root: str | None = None  # path of a second root, with JSON pages that are called index.html
    legacy_json: bool = False  # whether there is legacy JSON, which `render()` is given
    locks: "tuple[Lock, ...]" = ()  # that files were taken from
    generation: "Generation | None" = None  # of a site that each deployment replaces; without its listing
    url: str | None = None  # public address of the root, for lock files
    reserves_names: bool = False  # whether the main index has a page even for a project of which it lists no file
    variants: "Variants | None" = None  # that have an index of their own
    host: Host = field(default_factory=Host)  # that the tree is published on
    templates: Templates = field(default_factory=Templates)

    def simple(self, *parts: str) -> str:
        """Return a path in the Simple API."""
        return "/".join([self.simple_path, *parts] if self.simple_path else parts)

    def href(self, file: File, *, depth: int) -> str:
        """Return the address of a file as seen from a page `depth` directories below the root."""
        if isinstance(file.artifact, Link):
            return file.artifact.url
        if self.files_url is not None:
            return f"{self.files_url.rstrip('/')}/{quote_path(file.artifact.relative)}"
        # Only the filename can need quoting.
        return f"{'../' * depth}{file_path(file.sha256, '')}{quote_path(file.filename)}"

    def address(self, file: File) -> str:
        """Return the URL of a file that is not in the tree, "" for one that is."""
        return "" if self.files_url is None and isinstance(file.artifact, Artifact) else self.href(file, depth=0)

    def provenance(self, file: File) -> str:
        """Return the address of the provenance object of a file, "" without one (PEP 740: an absolute https URL)."""
        if file.attested and names_provenance(self.url):
            return f"{(self.url or '').rstrip('/')}/{quote_path(provenance_path(file))}"
        return file.provenance

    def provenance_href(self, file: File, *, depth: int) -> str:
        """Return the URL of the provenance object of a file on pages for people, which may be relative."""
        return f"{'../' * depth}{quote_path(provenance_path(file))}" if file.attested else file.provenance

    def core_metadata(self, file: File) -> str:
        """Return the sha256 of the file's `.metadata` sibling, or "" if there is no sibling."""
        # A link has core metadata only if the page that it comes from says that there is a sibling.
        has_sibling = self.files_url is None or self.files_have_metadata or isinstance(file.artifact, Link)
        return file.core_metadata if has_sibling else ""

    @property
    def notice_key(self) -> str:
        """The key of `.nojekyll`: a digest of the notice of the host. If it is new, the notice has not been shown."""
        return digest(self.host.notice) if self.host.notice else "nothing"

    @cached_property
    def key(self) -> str:
        """A digest of everything that all pages depend on."""
        return digest(
            __version__, self.simple_path, self.files_url, self.files_have_metadata, self.links, self.templates.digest
        )


def quote_path(path: str) -> str:
    """Return a path, or a part of one, as it stands in an address."""
    # S3 reads a literal "+" as a space. pip quotes the addresses that it requests, uv sends them as they are.
    return "/".join(quote(segment, safe="", errors="surrogateescape") for segment in path.split("/"))
