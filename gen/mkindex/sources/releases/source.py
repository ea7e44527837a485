"""The sources `github:OWNER/REPOSITORY` and `gitlab:GROUP/PROJECT`, and a file with the response of such an API."""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple

from mkindex.distributions.attestations import attested_filename
from mkindex.distributions.filenames import SUFFIXES, has_version
from mkindex.errors import Note, Rejected, SourceError
from mkindex.model.files import Link
from mkindex.simple.links import normalize_url, with_attestations
from mkindex.sources.releases.documents import Asset, BadDocument, Release, load_all, read_releases
from mkindex.sources.releases.forges import Api, Repository
from mkindex.sources.selection import Selection
from mkindex.sources.source import SourceItem
from mkindex.text import plural, printable, redact
from mkindex.tree.names import METADATA_SUFFIX, PROVENANCE_SUFFIX

_SPEC = re.compile(r"[a-z]+:(?P<owner>[\w./-]+)/(?P<name>[\w.*?\[\]!-]+)(?:@(?P<tag>\S+))?", re.ASCII)
_MAX_FILE = 256 << 20  # bytes


class ReleaseFilter(NamedTuple):
    """Which releases are taken: those whose tag matches a pattern; prereleases only with `prereleases`."""

    tag: str
    prereleases: bool

    def includes(self, release: Release) -> bool:
        """Tell whether a release is taken. Drafts never are: nobody but their author can download them."""
        return (
            not release.is_draft
            and (self.prereleases or not release.is_prerelease)
            and fnmatchcase(release.tag, self.tag)
        )


@dataclass(frozen=True, kw_only=True)
class ReleasesSource:
    """The wheels and sdists of the releases of one or more repositories."""

    spec: str
    api: Api
    executor: Executor  # reads listings
    selection: Selection
    prereleases: bool = False
    mirrored: bool = False  # --remote mirror

    def artifacts(self) -> Iterator[SourceItem]:
        """Yield the files in the order of the repositories' names. Raises SourceError if not all can be listed."""
        found = _SPEC.fullmatch(self.spec)
        if not found:
            raise SourceError(
                f"source {printable(self.spec)}: give {self.api.forge.scheme}:OWNER/REPOSITORY, and for some of its "
                "releases a pattern of tags after @, such as @v2.*"
            )
        repositories = self.api.repositories(found["owner"], found["name"])
        if not repositories:
            raise SourceError(f"source {printable(self.spec)}: no repository has such a name. Check the pattern")
        release_filter = ReleaseFilter(found["tag"] or "*", self.prereleases)
        for repository, releases in zip(repositories, self.executor.map(self.api.releases, repositories), strict=True):
            taken = [release for release in releases if release_filter.includes(release)]
            self._refuse_private(repository, taken)
            location = f"{self.api.forge.scheme}:{repository.path}"
            yield from _list_files(taken, location, self.selection, by_api=repository.is_private)
            yield from _note_others(releases, taken, location)

    def _refuse_private(self, repository: Repository, releases: Iterable[Release]) -> None:
        if repository.is_private and not self.mirrored and any(release.assets for release in releases):
            raise SourceError(
                f"{repository.path} is private, so that clients cannot download files of its releases. "
                "Use --remote mirror"
            )


@dataclass(frozen=True, kw_only=True)
class ReleasesFile:
    """The wheels and sdists of releases that a JSON file lists, as an API or `gh api` wrote it."""

    path: str  # absolute, or "-" for standard input
    selection: Selection
    prereleases: bool = False

    def artifacts(self) -> Iterator[SourceItem]:
        """Yield the files in the order of the document. Raises SourceError."""
        name = "standard input" if self.path == "-" else printable(self.path)
        try:
            if self.path == "-":
                data = sys.stdin.buffer.read(_MAX_FILE + 1)
            else:
                with open(self.path, "rb") as file:
                    data = file.read(_MAX_FILE + 1)
        except OSError as error:
            raise SourceError(f"cannot read {name}: {error.strerror}") from error
        if len(data) > _MAX_FILE:
            raise SourceError(f"{name}: larger than {_MAX_FILE >> 20} MiB, the limit for a list of releases")
        try:
            releases = list(read_releases(load_all(data.decode("utf-8-sig", "replace"))))
        except BadDocument as error:
            raise SourceError(f"{name} {error}") from error
        release_filter = ReleaseFilter("*", self.prereleases)
        taken = [release for release in releases if release_filter.includes(release)]
        yield from _list_files(taken, name, self.selection, by_api=False)
        yield from _note_others(releases, taken, name)


def is_release_list(start: bytes) -> bool:
    """Tell whether a file begins like a list of releases."""
    return bool(re.match(rb"\s*[\[{]", start) and re.search(rb'"(tag_name|tagName|browser_download_url)"\s*:', start))


def _list_files(
    releases: Iterable[Release], location: str, selection: Selection, *, by_api: bool
) -> Iterator[SourceItem]:
    """Yield the files of releases. `by_api`: clients with a token download them from the API."""
    others = 0
    for release in releases:
        by_name = {asset.name: asset for asset in release.assets}
        beside: dict[str, list[str]] = {}
        selected: list[Asset] = []
        for asset in release.assets:
            subject = attested_filename(asset.name)
            if subject in by_name:
                beside.setdefault(subject, []).append(asset.name)
            elif asset.name.removesuffix(METADATA_SUFFIX) in by_name.keys() - {asset.name}:
                continue
            elif not asset.name.endswith(SUFFIXES) or not (asset.name.endswith(".whl") or has_version(asset.name)):
                others += 1
            elif selection.includes_file(asset.name):
                selected.append(asset)
        yield from (_link(one, by_name, beside.get(one.name, ()), by_api=by_api) for one in selected)
    if others:
        text = f"skipped {plural(others, 'file')} of releases that are neither wheels nor sdists"
        yield Note(location=location, text=text, detail=True)


def _link(asset: Asset, by_name: Mapping[str, Asset], beside: Sequence[str], *, by_api: bool) -> Link | Rejected:
    """Return the link to a file of a release, with the files beside it that describe it.

    `beside`: the names of those with attestations.
    """
    metadata = by_name.get(f"{asset.name}{METADATA_SUFFIX}")
    try:
        url = normalize_url(asset.api_url or asset.url if by_api else asset.url, asset.name, allow_local=False)
    except ValueError as error:
        return Rejected(location=f"{redact(asset.url)}", reason=str(error))
    revisions = [asset.revision, *([metadata.revision] if metadata else [])]
    link = Link(
        url=url,
        filename=asset.name,
        sha256=asset.sha256,
        size=asset.size,
        upload_time=asset.upload_time,
        core_metadata=metadata.sha256 if metadata and not by_api else None,
        revision=" ".join(revisions) if all(revisions) else "",
    )
    if by_api:  # only the API has them, at addresses without their names
        names = [name for name in beside if name.endswith(PROVENANCE_SUFFIX)] or sorted(beside)
        return link._replace(attestations=tuple(by_name[name].api_url or by_name[name].url for name in names))
    return with_attestations(link, [by_name[name].url for name in beside])


def _note_others(releases: Iterable[Release], taken: list[Release], location: str) -> Iterator[Note]:
    """Yield notes about releases that are not taken, if that may surprise: all of them, or prereleases."""
    releases = [release for release in releases if not release.is_draft]
    if not releases:
        yield Note(location=location, text="has no releases")
    elif not taken:
        prereleases = sum(release.is_prerelease for release in releases)
        of_them = f", {prereleases:,} of them prereleases (--prereleases takes them)" if prereleases else ""
        yield Note(location=location, text=f"none of {plural(len(releases), 'release')} is taken{of_them}")
