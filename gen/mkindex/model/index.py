"""The parts of an index (releases and projects), and `assemble()`, which makes an index from files. No I/O."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from mkindex.errors import Note, Rejected
from mkindex.model.files import Artifact, File, Link
from mkindex.text import printable

if TYPE_CHECKING:
    from packaging.version import Version


class Release(NamedTuple):
    """One version of a project, whose files may spell it differently: `1.0` and `1.0.0` are one (PEP 440)."""

    version: str  # the shortest spelling
    files: tuple[File, ...]  # by filename


STATUSES = frozenset({"archived", "quarantined", "deprecated"})  # PEP 792; "active" is the same as none


class ProjectStatus(NamedTuple):
    """A project status marker (PEP 792): archived, quarantined or deprecated, and why."""

    status: str
    reason: str | None = None


class StatusMarker(NamedTuple):
    """The status marker that a source has for a project (PEP 792)."""

    project: str  # normalized
    status: ProjectStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """A normalized name and its files."""

    name: str  # normalized
    files: tuple[File, ...]  # by filename; `releases()` has the order of versions
    status: ProjectStatus | None = None

    def releases(self) -> list[Release]:
        """Return the releases, oldest first as PEP 440 orders them. They are not stored, and expensive to compute."""
        by_version: defaultdict[str, list[File]] = defaultdict(list)
        for file in self.files:
            by_version[without_zeros(file.version)].append(file)
        return [
            Release(version=min(file.version for file in by_version[version]), files=tuple(by_version[version]))
            for version in sorted(by_version, key=parse_version)
        ]

    def offered_releases(self) -> list[Release]:
        """Return the releases that pages may name. PEP 792: of a quarantined project an index MUST NOT offer any."""
        return [] if self.is_quarantined else self.releases()

    @property
    def file_count(self) -> int:
        """The number of files."""
        return len(self.files)

    @property
    def is_reserved(self) -> bool:
        """Whether the index has only its name, for which no other index may answer."""
        return not self.file_count and self.status is None

    @property
    def is_quarantined(self) -> bool:
        return self.status is not None and self.status.status == "quarantined"

    def newest(self) -> str:
        """Return the version to show people: the newest final one that is not yanked, else the newest."""

        def rank(text: str) -> "tuple[bool, Version]":
            version = parse_version(text)
            return not version.is_prerelease, version

        # Without releases(), which is expensive: the landing page shows this for every project.
        files = () if self.is_quarantined else self.files
        versions = {file.version for file in files if file.yanked is None} or {file.version for file in files}
        return max(sorted(versions), key=rank, default="")


class Outline(NamedTuple):
    """What pages of the whole index say about a project, and what tells that its own pages are the same."""

    keys: Mapping[str, str]  # of its pages, by the path of the index that they are in
    newest: str  # version that the main index lists
    listed: int  # the number of files that the main index lists
    file_count: int
    size: int  # bytes, as far as they are known
    requires: tuple[str, ...]  # names of projects
    status: ProjectStatus | None
    in_variants: bool  # whether files of it are variants


@dataclass(frozen=True, kw_only=True, slots=True)
class UnreadProject(Project):
    """A published project that a run does not change, so that its files were not read: `files` is empty."""

    section_key: str
    outline: Outline
    page_key: str  # of its pages in one of the indexes

    @property
    def file_count(self) -> int:
        return self.outline.listed

    @property
    def is_reserved(self) -> bool:
        return not self.outline.file_count and self.status is None

    def newest(self) -> str:
        return self.outline.newest

    def listed_at(self, root: str) -> "UnreadProject | None":
        """Return what the index at the path `root` lists of it; None if it lists nothing."""
        key = self.outline.keys.get(root)
        return None if key is None else replace(self, page_key=key)


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    """All projects, by name. If they have many files, they may be on disk, and each is read when it is needed."""

    projects: Sequence[Project]


@lru_cache(maxsize=4096)
def parse_version(version: str) -> "Version":
    """Parse a PEP 440 version. The last few thousand are kept, since projects share most of theirs."""
    from packaging.version import Version  # here, since it takes some milliseconds, and most builds parse no version

    return Version(version)


def normalize_name(name: str) -> str:
    """Return the name of a project in normal form (PEP 503), as `packaging.utils.canonicalize_name` does.

    Importing that takes a tenth of the time of a build with nothing to do.
    """
    return re.sub("[-_.]+", "-", name).lower()


_ZEROS = re.compile(r"((?:\d+!)?\d+(?:\.\d+)*?)(?:\.0)+(?!\.?\d)")


@lru_cache(maxsize=4096)
def without_zeros(version: str) -> str:
    """Return a normalized version without zeros at the end of its release: the same text for equal versions."""
    match = _ZEROS.match(version)  # parsing the version would take ten times as long
    return match[1] + version[match.end() :] if match else version


def assemble(
    files: Iterable[File],
    markers: Iterable[StatusMarker] = (),
    *,
    prefer_first: bool = False,
    variant_of: Callable[[File], str] | None = None,
) -> tuple[Index, list[Rejected | Note]]:
    """Group files, given in the order of their sources, into projects.

    A file that is there twice with the same bytes is listed once, from where it was found first, with what all its
    sources say of it: see `_merge`. Of files that clients
    cannot tell apart but whose bytes differ none is listed, or with `prefer_first` only the first. Of several status
    markers for a project the first counts; one with a marker is listed even if it has no file.

    With `variant_of`, files of different variants may have the same name: they are listed in different indexes.
    """
    found: defaultdict[str, list[File]] = defaultdict(list)
    markers = tuple(markers)
    for marker in markers:
        found[marker.project] = []
    for file in files:
        found[file.facts.project].append(file)  # reading the field through the file would take three times as long
    findings: list[Rejected | Note] = []
    projects = assemble_groups(
        sorted(found.items()), markers, findings, prefer_first=prefer_first, variant_of=variant_of
    )
    return Index(projects=tuple(projects)), findings


def assemble_groups(
    groups: Iterable[tuple[str, list[File]]],
    markers: Iterable[StatusMarker],
    findings: list[Rejected | Note],
    *,
    prefer_first: bool = False,
    variant_of: Callable[[File], str] | None = None,
) -> Iterator[Project]:
    """Yield the projects that `assemble` makes of files, which are grouped by project and ordered by name.

    Each project with a marker must be among them. What is wrong is added to `findings`.
    """
    statuses: dict[str, ProjectStatus] = {}
    for marker in markers:
        statuses.setdefault(marker.project, marker.status)
    for name, of_project in groups:
        identities = _identities_of(of_project, variant_of)
        listed = _without_twins(of_project, identities, findings, prefer_first=prefer_first)
        if listed or name in statuses:
            in_order = tuple(sorted(listed, key=attrgetter("filename")))
            yield Project(name=name, files=in_order, status=statuses.get(name))


def grow(
    published: Sequence[File],
    added: Sequence[File],
    *,
    replace: bool = False,
    variant_of: Callable[[File], str] | None = None,
) -> tuple[list[File], list[Rejected]]:
    """Join the files that an index lists and those that are added to it.

    An added file that clients cannot tell apart from a published one, and whose bytes differ, is rejected; with
    `replace`, it takes the place of the published one, unless two such files are added.
    """
    projects = {file.facts.project for file in added}
    before, new = defaultdict[str, list[File]](list), defaultdict[str, list[File]](list)
    for file in published:
        if file.facts.project in projects:
            before[file.facts.project].append(file)
    for file in added:
        new[file.facts.project].append(file)
    dropped, findings = set[tuple[str, str]](), list[Rejected]()
    for name in sorted(projects):
        identities = _identities_of([*before[name], *new[name]], variant_of)
        listed = dict(zip(identities, before[name], strict=False))
        arrivals = defaultdict[str, list[File]](list)
        for file, identity in zip(new[name], identities[len(before[name]) :], strict=True):
            arrivals[identity].append(file)
        for identity, files in arrivals.items():
            old = listed.get(identity)
            rivals = [file for file in files if old and not _is_same(file, old)]
            if old and rivals and replace and all(_is_same(file, files[0]) for file in files):
                dropped.add((name, old.filename))
            elif old and rivals:
                findings += [_differs_from_published(file, old, replace=replace) for file in rivals]
    rejected = {finding.location for finding in findings}
    kept = [file for file in published if (file.facts.project, file.filename) not in dropped] if dropped else published
    return [*kept, *(file for file in added if file.artifact.location not in rejected)], findings


def _differs_from_published(file: File, old: File, *, replace: bool) -> Rejected:
    differs = f"sha256 {old.sha256 or 'unknown'}, this file: {file.sha256 or 'unknown'}"
    advice = "Give it a new version, or use --replace: existing lock files will reject it"
    advice_for_many = "Give them a new version, or use --replace: existing lock files will reject them"
    if replace:
        advice = advice_for_many = "Several different files of this name are added: add only one of them"
    return Rejected(
        location=file.artifact.location,
        reason=f"the index lists {old.filename} with other contents ({differs}). {advice}",
        reason_of_many=f"the index lists these files with other contents. {advice_for_many}",
    )


def _without_twins(
    files: list[File], identities: list[str], findings: list[Rejected | Note], *, prefer_first: bool
) -> Iterable[File]:
    """Return the files of a project to list, of which clients can tell any two apart, and add what is wrong."""
    listed: dict[str, File] = {}
    twins: dict[str, list[File]] = {}
    for file, identity in zip(files, identities, strict=True):
        first = listed.setdefault(identity, file)
        if first is not file:
            twins.setdefault(identity, [first]).append(file)
    for identity, rivals in twins.items():
        first = rivals[0]
        same = [file for file in rivals if _is_same(file, first)]
        if len(same) > 1:
            listed[identity] = _merge(same)
        if len(same) == len(rivals):
            continue
        if prefer_first:
            location = printable(first.artifact.location)
            text = f"not published: its contents differ from those of {location}, which comes first"
            findings += [Note(location=f.artifact.location, text=text) for f in rivals if not _is_same(f, first)]
        else:
            del listed[identity]
            for file in rivals:
                rival = next((rival for rival in rivals if not _is_same(rival, file)), first)
                findings.append(Rejected(location=file.artifact.location, reason=_indistinguishable(file, rival)))
    return listed.values()


def _identities_of(files: list[File], variant_of: Callable[[File], str] | None) -> list[str]:
    """Return for each file of a project a text that is the same for files that are in conflict with each other."""
    identities = _identities(files)
    if variant_of:
        return [f"{variant_of(file)}/{identity}" for file, identity in zip(files, identities, strict=True)]
    return identities


def _identities(files: list[File]) -> list[str]:
    """Return for each file of a project a text that is the same for files that clients cannot tell apart."""
    names = [facts.normal_filename or filename for _, facts, filename, _ in files]
    versions = {file.facts.version for file in files}
    if len(set(map(without_zeros, versions))) == len(versions):
        return names
    # A normal filename begins with the project, a separator and the version.
    rests = (name[len(f"{file.project}-{file.version}") :] for name, file in zip(names, files, strict=True))
    return [f"{without_zeros(file.version)}{rest}" for file, rest in zip(files, rests, strict=True)]


def _is_same(file: File, other: File) -> bool:
    """Tell whether two files are known to have the same content; two unknown hashes are not the same."""
    if file.sha256 and other.sha256:
        return file.sha256 == other.sha256
    one, two = file.artifact, other.artifact
    return isinstance(one, Link) and isinstance(two, Link) and one.url == two.url


def _merge(files: list[File]) -> File:
    """Return the first of several Files with the same bytes, with what the sources of all of them say of the file.

    A yank counts even if another source lists the file without one: a directory cannot say that it is yanked. The
    first reason and the first address of a provenance object count, and the last provenance object. Requires-Python is
    that of the METADATA of a file on this machine, if there is one. The upload time is the earliest that a source
    states; an mtime counts only if none does.
    """
    first = files[0]
    listings = [file.listing for file in files if file.listing]
    facts, entry = first.facts, first.listing or Link(url="file:", filename=first.filename)
    reasons = [listing.yanked for listing in listings if listing.yanked is not None]
    if reasons:
        entry = entry._replace(yanked=next(filter(None, reasons), ""))
    entry = entry._replace(provenance=next((one.provenance for one in listings if one.provenance), ""))
    # The time of a listing is not that of its file with --upload-time none.
    if stated := [file.upload_time for file in files if file.upload_time and file.listing and file.listing.upload_time]:
        entry = entry._replace(upload_time=min(stated))
        facts = facts._replace(upload_time=min(stated))
    elif not facts.upload_time:
        facts = facts._replace(upload_time=next((file.upload_time for file in files if file.upload_time), ""))
    read = [file for file in files if isinstance(file.artifact, Artifact)]
    knowing = (read or [file for file in files if file.requires_python] or files)[0]
    if knowing is not first:
        facts = facts._replace(requires_python=knowing.requires_python, warning=knowing.warning)
    # The last one, so that `add` can replace it.
    attested = next((file.attested for file in reversed(files) if file.attested), None)
    if isinstance(first.artifact, Link):
        return File(entry, facts, first.filename, attested)
    is_empty = first.artifact.link is None and entry == Link(url="file:", filename=first.filename)
    artifact = first.artifact._replace(link=None if is_empty else entry)
    return File(artifact, facts, first.filename, attested)


def _indistinguishable(file: File, rival: File) -> str:
    is_equal = f" ({rival.version} and {file.version} are equal versions)" if rival.version != file.version else ""
    return (
        f"clients cannot distinguish it from {printable(rival.artifact.location)}{is_equal}, and their contents "
        "differ: remove one, or use --prefer first"
    )
