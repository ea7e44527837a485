"""Files, from where they were found to what was read from them."""

import os
import time
from sys import intern
from typing import NamedTuple, Self

from packaging.utils import NormalizedName

from mkindex.errors import Rejected
from mkindex.text import redact

CHUNK = 1 << 20  # bytes read at once; a file that is no larger is read whole


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
    """A file that a page or a list names, and what is said of it there. A tuple, since there may be a million."""

    url: str  # absolute, percent-encoded, without fragment
    filename: str
    sha256: str = ""  # lower-case hex; "": not said
    other_hash: str = ""  # the strongest of another kind, as "md5=…", if there is no sha256
    requires_python: str = ""
    yanked: str | None = None  # None: no. "": yes, without a reason
    core_metadata: str | None = None  # sha256 of the `.metadata` sibling. "": it is there, of unknown hash
    size: int | None = None  # bytes
    upload_time: str = ""  # as on the wire
    provenance: str = ""
    trusted: bool = False  # not to be asked for: somebody vouches that it is there

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is not a file of this machine."""
        return not self.url.startswith("file:")

    @property
    def location(self) -> str:
        """What a person may see of its address: credentials could lie in the rest."""
        return redact(self.url)


class Artifact(NamedTuple):
    """A file on this machine that a source found, not yet opened. A tuple, as File is: there may be 100,000."""

    root: str  # the source: an absolute directory
    relative: str  # below it, with "/" between
    fingerprint: Fingerprint
    link: Link | None = None  # of the page or list that names it, with what is said of it there

    @property
    def filename(self) -> str:
        return self.relative.rpartition("/")[2]

    @property
    def path(self) -> str:
        return f"{self.root}/{self.relative}"

    @property
    def location(self) -> str:
        """Where it is, as findings say it: a download is known by the address that it came from."""
        return self.link.location if self.link and self.link.is_elsewhere else self.path

    @property
    def size(self) -> int:
        """Bytes."""
        return self.fingerprint.size


class Facts(NamedTuple):
    """What there is to know of a file, as text, "" for nothing: fields of File, in their order there."""

    project: str
    version: str
    sha256: str = ""
    normal_filename: str = ""
    requires_python: str = ""
    core_metadata: str = ""
    metadata_span: str = ""
    upload_time: str = ""
    warning: str = ""
    metadata_name: str = ""


class File(NamedTuple):
    """One distribution as the simple API lists it: facts only, never a page-relative URL."""

    artifact: Artifact | Link  # Link: it stays where it is, and pages name its address there
    filename: str
    project: NormalizedName
    version: str  # normalised, PEP 440
    sha256: str  # lower-case hex, of the bytes of the artifact; "": unknown, which only that of a Link can be
    # The filename with name, version and tags in normal form, where it differs: two files that clients cannot tell
    # apart have the same.
    normal_filename: str | None = None
    requires_python: str | None = None
    core_metadata: str | None = None  # sha256 of the wheel's METADATA; None: it is not offered
    metadata_span: str | None = None  # where METADATA lies in the wheel: an archive.Span, as text
    upload_time: str | None = None  # UTC, as on the wire: "2026-01-02T03:04:05Z"
    warning: str | None = None  # what a person should know of it
    metadata_name: str | None = None  # the Name in METADATA, where that is not the project's normalized name
    yanked: str | None = None  # None: no. "": yes, without a reason
    provenance: str | None = None  # an absolute https URL (PEP 740)

    @property
    def size(self) -> int | None:
        """Bytes; None: unknown, as it can be of a Link."""
        return self.artifact.size

    @property
    def local(self) -> Artifact:
        """The artifact of a file that is placed in the tree: one of this machine."""
        assert isinstance(self.artifact, Artifact)
        return self.artifact

    @property
    def identity(self) -> str:
        return self.normal_filename or self.filename


def make_file(artifact: Artifact | Link, found: Facts | str) -> File | Rejected:
    """Return the File of an artifact, or its rejection: what is in it, and what is said of it where it was found."""
    if isinstance(found, str):
        return Rejected(location=artifact.location, reason=found)
    (
        project,
        version,
        sha256,
        normal_filename,
        requires_python,
        core_metadata,
        span,
        upload_time,
        warning,
        metadata_name,
    ) = found
    link = artifact if isinstance(artifact, Link) else artifact.link
    if link and link.sha256 not in ("", sha256):
        return Rejected(
            location=artifact.location,
            reason=f"its sha256 is {sha256}, and the page says {link.sha256}: somebody changed it. Mend the page",
        )
    # The time of a copy of something says nothing.
    said = link.upload_time if link else ""
    upload_time = said or ("" if link and link.is_elsewhere else upload_time)
    # Thousands of files share these: in memory each of them once.
    return File(
        artifact,
        artifact.filename,
        NormalizedName(intern(project)),
        intern(version),
        sha256,
        normal_filename or None,
        intern(requires_python) or None,
        core_metadata or None,
        span or None,
        intern(upload_time) or None,
        warning or None,
        metadata_name or None,
        link.yanked if link else None,
        (link.provenance or None) if link else None,
    )


# What is remembered of a file is one line; none of the fields has a tab in it.
def encode_facts(found: Facts | str) -> str:
    """Write facts, or the reason for a rejection, in one line."""
    return f"!{found}" if isinstance(found, str) else "\t".join(found)


def decode_facts(text: str) -> Facts | str:
    """Read back what `dump()` wrote."""
    return text[1:] if text.startswith("!") else Facts._make(text.split("\t"))


def format_upload_time(seconds: int) -> str:
    """Return a time as the API writes it, "" for one that clients cannot read."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)) if 0 <= seconds < YEAR_10000 else ""
