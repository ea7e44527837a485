"""Reasons not to publish an index: what raises an error here leaves the destination as it was."""

import json
import os
import re
import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import BinaryIO, NamedTuple
from urllib.parse import unquote, urlsplit

from mkindex.config import Config
from mkindex.errors import DestinationError, Note, NotPublished, PruneRequired, Rejected, SourceError
from mkindex.hosts.buckets import is_bucket
from mkindex.hosts.table import HOSTS
from mkindex.model.files import Artifact, File, Link
from mkindex.model.index import Index
from mkindex.publish.plan import Destination, Plan, count_listed_files, is_grown
from mkindex.sources.open import local_path
from mkindex.text import and_more, plural, printable, redact
from mkindex.tree.manifest import Extent, Stage, is_whole
from mkindex.tree.names import FILES_DIRECTORY, INDEX_JSON, MANIFEST, SIMPLE_DIRECTORY

_LARGEST_PAGE = 1 << 28  # bytes
_PLACED = re.compile(rf"/{FILES_DIRECTORY}/[0-9a-f]{{2}}/[0-9a-f]{{62}}/[^/]+$")  # how addresses of our files end
_SMALL_INDEX = 10  # files: an index that has no more may lose any number of them

Findings = tuple[Rejected | Note, ...]


def refuse_damaged(stream: BinaryIO, extents: Sequence[Extent], path: str) -> None:
    """Raise DestinationError for a manifest, at a path, whose readable sections are not all that it has."""
    if not is_whole(stream, extents):
        raise DestinationError(
            f"{printable(path)} is damaged, so it is not known what this index lists: build it from its sources again"
        )


def refuse_source_as_destination(config: Config) -> None:
    """Raise SourceError for a source directory that is the destination, unless an index has been published there.

    Otherwise `mkindex wheels wheels` would write the site between the wheels, which is hardly ever intended.
    """
    if os.path.lexists(os.path.join(config.destination, MANIFEST)):
        return
    destination = os.path.realpath(config.destination)
    for spec in config.sources:
        path = local_path(spec)
        if path and os.path.isdir(path) and os.path.realpath(path) == destination:
            raise SourceError(
                f"source {printable(spec)} is also DEST: the pages of the index would be written between its files. "
                f"Give another directory as DEST, such as: mkindex {shlex.quote(printable(spec))} ./public"
            )


def refuse_links_to_replaced_site(config: Config, artifacts: Iterable[Artifact | Link], findings: Findings) -> None:
    """Raise NotPublished if pages would link to files of the site that this build replaces.

    That is everything at --previous and below, and what mkindex places in a tree that is published at --url. The files
    are not part of the new tree, so they go when it takes the place of the old one.
    """
    if config.remote == "mirror":
        return
    kept = _place(config.files_url) if config.files_url else None  # the user says that these files stay
    places = list(_places_of_site(config))
    if not places and config.host and HOSTS[config.host].is_replaced:
        _refuse_links_to_placed_files(artifacts, findings)
    for site, place in places:
        links = [
            artifact
            for artifact in artifacts
            # The address is parsed only if it can be one of these: there may be a million.
            if isinstance(artifact, Link) and place.host in artifact.url.lower() and place.has(artifact.url)
        ]
        names = [link.filename for link in links if not (kept and kept.has(link.url))]
        if names:
            raise NotPublished(
                f"nothing published: pages would link to {plural(len(names), 'file')} on {redact(site)}, the site that "
                f"this build replaces ({and_more(names, 3)}). These files are not part of the new tree and would be "
                "lost. `mkindex add SOURCE... DEST --previous URL` keeps what is published there; --remote mirror "
                "publishes them again",
                findings,
            )


def _refuse_links_to_placed_files(artifacts: Iterable[Artifact | Link], findings: Findings) -> None:
    """Raise NotPublished if pages would link to files that mkindex placed in a tree, perhaps in the one it replaces."""
    links = [one for one in artifacts if isinstance(one, Link) and _PLACED.search(one.url)]
    if links:
        site = redact(_PLACED.sub("/", links[0].url))
        raise NotPublished(
            f"nothing published: pages would link to {plural(len(links), 'file')} on {site} "
            f"({and_more([link.filename for link in links], 3)}). If this tree replaces that site, they would be lost: "
            "`mkindex add SOURCE... DEST --previous URL` keeps what is published there. If it is published elsewhere, "
            "say where with --url",
            findings,
        )


class _Place(NamedTuple):
    """A directory on a web server; https and http are the same."""

    host: str  # lower case
    port: int | None  # None: the usual one
    path: str  # decoded, with a slash at both ends

    def has(self, url: str) -> bool:
        """Tell whether a URL is below this directory."""
        place = _place(url)
        return place is not None and self[:2] == place[:2] and place.path.startswith(self.path)


def _place(url: str) -> _Place | None:
    """Return where a URL is, taken as that of a directory; None if it is not a valid http or https URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    usual = 443 if parts.scheme == "https" else 80
    return _Place(parts.hostname, None if port == usual else port, f"{unquote(parts.path).rstrip('/')}/")


def _places_of_site(config: Config) -> Iterator[tuple[str, _Place]]:
    """Yield the option and the directory of each part of the site that is replaced."""
    previous = _place(config.previous) if config.previous and local_path(config.previous) is None else None
    if config.previous and previous:
        path = re.sub(r"[^/]*\.html?/$", "", previous.path)
        # --previous can also be the address of the index in the tree.
        for simple_path in (config.simple_path, SIMPLE_DIRECTORY):
            if simple_path and path.endswith(f"/{simple_path}/"):
                path = path.removesuffix(f"{simple_path}/")
                break
        yield config.previous, previous._replace(path=path)
    if config.url and (public := _place(config.url)):
        yield config.url, public._replace(path=f"{public.path}{FILES_DIRECTORY}/")


def refuse_empty_or_rejected(
    config: Config, index: Index, findings: Findings, *, withheld: int, grows: bool = False
) -> None:
    """Raise NotPublished for an empty index without --allow-empty, and for a rejected file with --strict.

    `withheld`: the number of files that the policy does not list. `grows`: the sources add to the index in DEST.
    """
    rejected = sum(isinstance(finding, Rejected) for finding in findings)
    if config.strict and rejected:
        raise NotPublished(f"nothing published: {plural(rejected, 'file')} rejected, and --strict is set", findings)
    if not index.projects and not config.allow_empty:
        why = f"no wheel or sdist in {', '.join(map(redact, config.sources))}"
        if config.include or config.exclude:
            why += " matches --include and --exclude"
        if rejected:
            why = f"all files were rejected ({rejected})"
        if withheld:
            why = f"the policy lists none of {plural(withheld, 'file')}"
        is_flat = not (config.recursive or withheld) and any(
            is_bucket(spec) or os.path.isdir(local_path(spec) or "") for spec in config.sources
        )
        hint = " (--recursive also reads subdirectories)" if is_flat else ""
        advice = "" if grows else ". Use --allow-empty to publish an empty index"  # `add` has no such option
        raise NotPublished(f"nothing to publish: {why}{hint}{advice}", findings)


def removed_filenames(plan: Plan, index: Index) -> tuple[str, ...]:
    """Return the names of the files in the destination that its pages name now, and that `index` does not list.

    A file with the same name and other contents is not removed, nor is one that the index lists elsewhere.
    """
    if not plan.unlisted_filenames:
        return ()
    unlisted = set(plan.unlisted_filenames)
    listed = {file.filename for project in index.projects for file in project.files if file.filename in unlisted}
    return tuple(name for name in plan.unlisted_filenames if name not in listed)


def refuse_large_removal(config: Config, destination: Destination, removed: Sequence[str], findings: Findings) -> None:
    """Raise PruneRequired if more than half of an index of more than ten files would go without --prune."""
    if config.prune or 2 * len(removed) <= _SMALL_INDEX:
        return
    before = count_listed_files(destination)
    why = "Check that the sources are complete. To remove these files, use --prune"
    if is_grown(destination):
        why = "It was grown with `mkindex add`, which keeps them. To remove them, use --prune"
    if before > _SMALL_INDEX and 2 * len(removed) > before:
        raise PruneRequired(
            f"nothing published: this build would remove {len(removed):,} of the {before:,} files that the index in "
            f"{printable(config.destination)} lists ({and_more(removed, 3)}). "
            f"{why} (--prune --dry-run only prints what would be removed)",
            findings,
        )


def note_removal_from_grown(config: Config, destination: Destination, removed: Sequence[str]) -> Iterator[Note]:
    """Yield a note if a build removes files from an index that was grown: no source need have them."""
    if removed and is_grown(destination):
        text = (
            f"{plural(len(removed), 'file')} removed that no SOURCE has ({and_more(removed, 3)}): this index was grown "
            "with `mkindex add`, which keeps them"
        )
        yield Note(location=config.destination, text=text)


def refuse_waiting_in_grown(waiting: Iterable[File], published: Collection[str], findings: Findings) -> None:
    """Raise NotPublished if published files of a grown index are to wait: no source would have them afterwards.

    `published`: the sha256 of each file that is published.
    """
    names = [file.filename for file in waiting if file.sha256 in published]
    if names:
        raise NotPublished(
            f"nothing published: the cutoff of the policy does not list {plural(len(names), 'file')} that the index "
            f"lists already ({and_more(names, 3)}). This index was grown with `mkindex add`, so no SOURCE need have "
            "them, and they would be lost. Name their projects in exempt, or take them out with `mkindex remove`",
            findings,
        )


class Withdrawn(NamedTuple):
    """What pages that will be replaced keep clients from."""

    files: frozenset[tuple[str, str]]  # the filename and sha256 of each yanked file
    projects: frozenset[str]  # the names of quarantined projects


def read_withdrawn(plan: Plan, read: Callable[[str, int], bytes]) -> Withdrawn:
    """Return what the pages that a plan replaces yank and quarantine. `read` returns the first bytes of a page."""
    files: set[tuple[str, str]] = set()
    projects: set[str] = set()
    for put in plan.puts:
        path = put.resource.path
        if not put.previous or put.resource.stage is not Stage.PROJECT or not path.endswith(f"/{INDEX_JSON}"):
            continue
        text = read(path, _LARGEST_PAGE)
        if b'"yanked":' in text or b'"quarantined"' in text:
            with suppress(ValueError, KeyError, TypeError, AttributeError):  # somebody changed it
                page = json.loads(text)
                if page.get("project-status", {}).get("status") == "quarantined":
                    projects.add(page["name"])
                files |= {
                    (file["filename"], file["hashes"].get("sha256", "")) for file in page["files"] if file.get("yanked")
                }
    return Withdrawn(frozenset(files), frozenset(projects))


def refuse_unyank(config: Config, index: Index, yanked: Collection[tuple[str, str]], intended: Collection[str]) -> None:
    """Raise NotPublished if a file that the index in DEST yanks would be listed as not yanked.

    `yanked`: the filename and sha256 of each yanked file. `intended`: the filenames that the policy lists as not
    yanked.
    """
    listed = (file for project in index.projects for file in project.files) if yanked else ()
    names = [
        file.filename
        for file in listed
        if file.yanked is None and (file.filename, file.sha256) in yanked and file.filename not in intended
    ]
    if names:
        files, them = ("a file", "it") if len(names) == 1 else (plural(len(names), "file"), "them")
        raise NotPublished(
            f"nothing published: the index in {printable(config.destination)} yanks {files} that this build would list "
            f"as not yanked ({and_more(names, 3)}). Yank {them} in the policy, too, or use --unyank",
            (),
        )


def refuse_lifting_quarantine(config: Config, index: Index, quarantined: Collection[str]) -> None:
    """Raise NotPublished if a project that the index in DEST quarantines would have files and no status."""
    listed = index.projects if quarantined else ()
    names = [project.name for project in listed if project.name in quarantined and project.files and not project.status]
    if names:
        raise NotPublished(
            f"nothing published: the index in {printable(config.destination)} quarantines "
            f"{plural(len(names), 'project')} that this build would list ({and_more(names, 3)}). Set the status in the "
            "policy, too, or use --unyank",
            (),
        )
