"""Files, from where they were found to what was read from them."""

import os
import time
from sys import intern
from typing import NamedTuple, Self

from packaging.utils import NormalizedName

from mkindex.errors import Rejected
from mkindex.text import redact

CHUNK = 1 << 20  # bytes that are read at once; a smaller file is read whole
YEAR_10000 = 253_402_300_800  # seconds since the epoch


_FINGERPRINT = "%d %d %d %d"  # as text


class Fingerprint(NamedTuple):
    """What `stat` says of a file's bytes; while it stays the same they are taken to be the same.

    Its text, four numbers with spaces between, stands in the cache and in manifests.
    """

    inode: int
    size: int  # bytes
    mtime_ns: int
    ctime_ns: int

    def __str__(self) -> str:
        return _FINGERPRINT % self

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        return cls(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read the text of a fingerprint; None: it is none, as "" or what somebody else wrote."""
        try:
            return cls(*map(int, text.split()))
        except (TypeError, ValueError):
            return None

    @staticmethod
    def text_at(path: str) -> str:
        """Return the text of the fingerprint of what is at `path`, itself if it is a symlink; "": nothing is there."""
        try:
            status = os.lstat(path)
        except OSError:
            return ""
        # Without a Fingerprint in between, which would take as long again: this is done for each path of a tree.
        return _FINGERPRINT % (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


class Link(NamedTuple):
    """A file elsewhere, with what a page or a list says of it. A tuple, since there may be a million."""

    url: str  # absolute, percent-encoded, without fragment
    filename: str
    sha256: str = ""  # lower-case hex; "": unknown
    other_hash: str = ""  # the strongest of another kind, as "md5=…", if there is no sha256
    requires_python: str = ""
    yanked: str | None = None  # the reason; "": without one. None: not yanked
    core_metadata: str | None = None  # sha256 of the `.metadata` sibling; "": unknown. None: there is no sibling
    size: int | None = None  # bytes
    upload_time: str = ""  # as on the wire
    provenance: str = ""
    trusted: bool = False  # the user says that it is there: no request is made for it
    project: str = ""  # normalized name of the project of its page, if an sdist is read differently there

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is not a file on this machine."""
        return not self.url.startswith("file:")

    @property
    def location(self) -> str:
        """Its address as people may see it, without what could be credentials."""
        return redact(self.url)


class Artifact(NamedTuple):
    """A file on this machine that a source found, not yet opened. A tuple, as File is: there may be 100,000."""

    root: str  # the source: an absolute directory
    relative: str  # below it, with "/" between
    fingerprint: Fingerprint
    link: Link | None = None  # the entry of the page or list that names it

    @property
    def filename(self) -> str:
        return self.relative.rpartition("/")[2]

    @property
    def path(self) -> str:
        return f"{self.root}/{self.relative}"

    @property
    def location(self) -> str:
        """Where it is, for findings: for a download the address that it came from."""
        return self.link.location if self.link and self.link.is_elsewhere else self.path

    @property
    def size(self) -> int:
        """Bytes."""
        return self.fingerprint.size


class Facts(NamedTuple):
    """What was read from a file, as text; "" is what it does not say, or is not known."""

    project: str  # normalized name
    version: str  # PEP 440, normalized
    sha256: str = ""  # lower-case hex, of the bytes of the file
    # The filename with name, version and tags in normal form, where that differs from the filename: two files that
    # clients cannot tell apart have the same.
    normal_filename: str = ""
    requires_python: str = ""
    core_metadata: str = ""  # sha256 of the METADATA of a wheel
    metadata_span: str = ""  # where METADATA lies in the wheel: a zips.Span, as text
    upload_time: str = ""  # UTC, as on the wire: "2026-01-02T03:04:05Z"
    warning: str = ""  # what a person should know of the file
    metadata_name: str = ""  # the Name in METADATA, where that is not the normalized name


class File(NamedTuple):
    """One distribution as the Simple API lists it. What it does not have is "", but for `size` and `yanked`."""

    artifact: Artifact | Link  # a Link stays where it is, and pages have its address
    facts: Facts
    filename: str  # that of the artifact: files are sorted by it

    @property
    def listing(self) -> Link | None:
        """The entry of the page or list that names the file, None if a directory was read."""
        return self.artifact if isinstance(self.artifact, Link) else self.artifact.link

    @property
    def local(self) -> Artifact:
        """The artifact of a file that is placed in the tree: one of this machine."""
        assert isinstance(self.artifact, Artifact)
        return self.artifact

    @property
    def identity(self) -> str:
        """What clients tell files of a project apart by."""
        return self.facts.normal_filename or self.filename

    @property
    def size(self) -> int | None:
        """Bytes; None: unknown, which only that of a Link can be."""
        return self.artifact.size

    @property
    def project(self) -> NormalizedName:
        return NormalizedName(self.facts.project)

    @property
    def version(self) -> str:
        return self.facts.version

    @property
    def sha256(self) -> str:
        return self.facts.sha256

    @property
    def requires_python(self) -> str:
        return self.facts.requires_python

    @property
    def core_metadata(self) -> str:
        return self.facts.core_metadata

    @property
    def metadata_span(self) -> str:
        return self.facts.metadata_span

    @property
    def upload_time(self) -> str:
        return self.facts.upload_time

    @property
    def warning(self) -> str:
        return self.facts.warning

    @property
    def metadata_name(self) -> str:
        return self.facts.metadata_name

    @property
    def yanked(self) -> str | None:
        """Why the file is yanked (PEP 592), "" without a reason; None: it is not."""
        return self.listing.yanked if self.listing else None

    @property
    def provenance(self) -> str:
        """An absolute https URL (PEP 740)."""
        return self.listing.provenance if self.listing else ""

    def with_upload_time(self, upload_time: str) -> Self:
        """Return the file with another upload time."""
        return self._replace(facts=self.facts._replace(upload_time=upload_time))


def describe_mismatch(kind: str, expected: str, got: str) -> str:
    """Return the reason to reject a file whose hash or size (`kind`) is not the one that its page or list gives."""
    return f"{kind} mismatch: expected {expected}, got {got}. Damaged download or replaced file; not published"


def make_file(artifact: Artifact | Link, found: Facts | str) -> File | Rejected:
    """Return the File of an artifact with these facts, or its rejection for a reason, or for what a page says of it."""
    if isinstance(found, str):
        return Rejected(location=artifact.location, reason=found)
    link = artifact if isinstance(artifact, Link) else artifact.link
    if link is None:
        return File(artifact, found, artifact.filename)
    if link.sha256 not in ("", found.sha256):
        return Rejected(location=artifact.location, reason=describe_mismatch("sha256", link.sha256, found.sha256))
    # The modification time of a download says nothing of the upload.
    upload_time = link.upload_time or ("" if link.is_elsewhere else found.upload_time)
    return File(artifact, found._replace(upload_time=upload_time), artifact.filename)


def encode_facts(found: Facts | str) -> str:
    """Write facts, or the reason for a rejection, in one line; none of the fields has a tab in it."""
    return f"!{found}" if isinstance(found, str) else "\t".join(found)


def decode_facts(text: str) -> Facts | str:
    """Read what `encode_facts` wrote."""
    if text.startswith("!"):
        return text[1:]
    project, version, sha256, normal, python, metadata, span, time, warning, name = text.split("\t")
    # Thousands of files share these texts: in memory each of them once.
    python, time = intern(python), intern(time)
    return Facts._make((intern(project), intern(version), sha256, normal, python, metadata, span, time, warning, name))


def format_upload_time(seconds: int) -> str:
    """Return a time, in seconds since the epoch, as the API writes it; "": clients could not read it."""
    if not 0 <= seconds < YEAR_10000:
        return ""
    return intern(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)))
