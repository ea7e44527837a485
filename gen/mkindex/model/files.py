"""Files: their places, and the facts that were read from them."""

import os
import time
from sys import intern
from typing import NamedTuple, Self

from mkindex.errors import Note, Rejected
from mkindex.text import redact

CHUNK = 1 << 20  # bytes that are read at once; a smaller file is read whole
YEAR_10000 = 253_402_300_800  # seconds since the epoch


_SECOND = 1_000_000_000  # nanoseconds
_new = tuple.__new__  # makes a named tuple in a third of the time; for each of 100,000 files that counts
COARSE_TICK = 2 * _SECOND  # the coarsest times that are in use: those of FAT


class Fingerprint(NamedTuple):
    """The result of `stat` for a file: while it is the same, the contents are assumed to be the same.

    The cache and manifests contain it as text: four numbers, separated by spaces.
    """

    inode: int
    size: int  # bytes
    mtime_ns: int
    ctime_ns: int

    def __str__(self) -> str:
        inode, size, mtime_ns, ctime_ns = self
        return f"{inode} {size} {mtime_ns} {ctime_ns}"

    @property
    def changed_ns(self) -> int:
        """When the file was last changed, or the newest of the times that it was given."""
        return max(self.mtime_ns, self.ctime_ns)

    @property
    def is_coarse(self) -> bool:
        """Whether the file system seems to keep whole seconds: a second change within them would not be seen."""
        return self.mtime_ns % _SECOND == self.ctime_ns % _SECOND == 0

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        return _new(cls, (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read the text of a fingerprint; None if it is not one, such as "" or text from another program."""
        try:
            return cls(*map(int, text.split()))
        except (TypeError, ValueError):
            return None

    @staticmethod
    def text_at(path: str) -> str:
        """Return the fingerprint of the file or symlink at `path` as text; "" if there is nothing."""
        try:
            status = os.lstat(path)
        except OSError:
            return ""
        return fingerprint_text(status)


def fingerprint_text(status: os.stat_result) -> str:
    """Return the text of a fingerprint in half the time that creating one first would take."""
    return f"{status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


class Link(NamedTuple):
    """A file elsewhere, with what a page or a list says about it. A tuple, since there may be a million."""

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
    # A text that changes with the file, from an API that listed it in this run: if facts were read for the same
    # revision, no request is made. "": not listed by an API.
    revision: str = ""
    # Addresses of files of attestations (PEP 740) that pages cannot name, as they do a provenance object at https.
    attestations: tuple[str, ...] = ()

    @property
    def is_elsewhere(self) -> bool:
        """Whether the file is on another machine."""
        return not self.url.startswith("file:")

    @property
    def location(self) -> str:
        """Its address for messages, without anything that could be credentials."""
        return redact(self.url)


class Artifact(NamedTuple):
    """A file on this machine that a source found, not yet opened. A tuple, as File is: there may be 100,000."""

    root: str  # the source: an absolute directory
    relative: str  # relative to the root, with "/" between its parts
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
        """Its place in findings: a path, or for a download the address that it came from."""
        return self.link.location if self.link and self.link.is_elsewhere else self.path

    @property
    def size(self) -> int:
        """Bytes."""
        return self.fingerprint.size


class Provenance(NamedTuple):
    """The provenance object of a file (PEP 740), which is published beside it: the text of its `.provenance` file.

    Its bytes are not kept in memory; there may be one for each file.
    """

    sha256: str  # of its bytes
    size: int  # bytes
    # Files on this machine: the provenance object itself, or with `publishers` the attestations that it is made from.
    paths: tuple[str, ...] = ()
    publishers: tuple[str, ...] = ()  # who made the attestation at each path, as JSON


class AttestationFile(NamedTuple):
    """A file of attestations of one file (PEP 740) that a source found on this machine, not yet opened."""

    path: str  # absolute
    subject: str  # the path of the file that they are about
    fingerprint: Fingerprint


class Facts(NamedTuple):
    """The facts that were read from a file, as text; "" for missing or unknown ones."""

    project: str  # normalized name
    version: str  # PEP 440, normalized
    sha256: str = ""  # lower-case hex, of the bytes of the file
    # The filename with name, version and tags in normal form, if that differs from the filename. It is the same for
    # files that clients cannot distinguish.
    normal_filename: str = ""
    requires_python: str = ""
    core_metadata: str = ""  # sha256 of the METADATA of a wheel
    metadata_span: str = ""  # position of METADATA in the wheel: a zips.Span, as text
    upload_time: str = ""  # the mtime or Last-Modified, in UTC and as on the wire: "2026-01-02T03:04:05Z"
    warning: str = ""  # what a person should know about the file, one sentence a line
    metadata_name: str = ""  # the Name in METADATA, if that is not the normalized name
    # The filename that the metadata says, if the file has another: it is published under this one, or rejected.
    right_filename: str = ""
    requires: str = ""  # normalized names of the projects that it requires without an extra, with spaces between them
    variant: str = ""  # the variant.json of a wheel variant, as `wheel_variants.read_variant` returns it


class File(NamedTuple):
    """One distribution as the Simple API lists it. Missing values are "", except for `size` and `yanked`."""

    artifact: Artifact | Link  # a Link is not copied: pages contain its address
    facts: Facts
    filename: str  # the filename of the artifact: files are sorted by it
    attested: Provenance | None = None  # None: no provenance object is in the tree

    @property
    def listing(self) -> Link | None:
        """The entry of the page or list that names the file; None if it was found in a directory."""
        return self.artifact if isinstance(self.artifact, Link) else self.artifact.link

    @property
    def local(self) -> Artifact:
        """The artifact of a file that is placed in the tree, which is always on this machine."""
        assert isinstance(self.artifact, Artifact)
        return self.artifact

    @property
    def size(self) -> int | None:
        """Bytes; None if unknown, which is possible only for a Link."""
        return self.artifact.size

    @property
    def project(self) -> str:
        return self.facts.project

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
        """Why the file is yanked (PEP 592), "" without a reason; None if it is not yanked."""
        return self.listing.yanked if self.listing else None

    @property
    def provenance(self) -> str:
        """The address of a provenance object elsewhere (PEP 740): an absolute https URL."""
        return self.listing.provenance if self.listing else ""

    def with_yanked(self, reason: str | None) -> Self:
        """Return the file yanked for a reason, which may be ""; None: not yanked."""
        artifact, link = self.artifact, self.listing
        if (link.yanked if link else None) == reason:
            return self
        link = link._replace(yanked=reason) if link else Link(url="file:", filename=self.filename, yanked=reason)
        return self._replace(artifact=link if isinstance(artifact, Link) else artifact._replace(link=link))

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
    filename = found.right_filename or artifact.filename
    link = artifact if isinstance(artifact, Link) else artifact.link
    if link is None:
        return _new(File, (artifact, found, filename, None))
    if link.sha256 not in ("", found.sha256):
        return Rejected(location=artifact.location, reason=describe_mismatch("sha256", link.sha256, found.sha256))
    if link.upload_time:
        found = found._replace(upload_time=link.upload_time)
    return File(artifact, found, filename)


def judge_filename(file: File, *, fix_names: bool, is_placed: bool) -> Rejected | Note:
    """Return the rejection of a file that has another filename than its metadata says; a note if it gets the right one.

    That is possible only if mkindex places the file: clients refuse a link whose address ends in another name.
    """
    right, location = file.facts.right_filename, file.artifact.location
    if fix_names and is_placed:
        of_many = "published under the filenames that their metadata says"
        return Note(location=location, text=f"published as {right}, as its metadata says", text_of_many=of_many)
    option = "--fix-names" if is_placed else "--remote mirror --fix-names" if isinstance(file.artifact, Link) else ""
    wrong, way_out = "not the filename that the metadata says", f", or use {option}" if option else ""
    return Rejected(
        location=location,
        reason=f"{wrong}: rename it to {right}{way_out}",
        reason_of_many=f"{wrong}: rename them{way_out}",
    )


def encode_facts(facts: Facts | str) -> str:
    """Return facts, or the reason for a rejection, as text. No field contains a tab."""
    return f"!{facts}" if isinstance(facts, str) else "\t".join(facts)


# Thousands of files share these texts, so each is kept in memory once.
_SHARED = tuple(map(Facts._fields.index, ("project", "version", "requires_python", "upload_time", "requires")))


def decode_facts(text: str) -> Facts | str:
    """Read what `encode_facts` wrote."""
    if text.startswith("!"):
        return text[1:]
    fields = text.split("\t")
    if len(fields) != len(Facts._fields):
        raise ValueError(text)
    for number in _SHARED:
        fields[number] = intern(fields[number])
    return _new(Facts, fields)


def format_upload_time(seconds: int) -> str:
    """Return a time, in seconds since the epoch, as the API writes it; "" if clients could not read it."""
    if not 0 <= seconds < YEAR_10000:
        return ""
    return intern(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)))
