"""Walk through a directory, and find what its pages do not name."""

import hashlib
import os
import stat
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from mkindex.check.identify import Location
from mkindex.check.observations import SeenDirectory, SeenProject
from mkindex.distributions.filenames import SUFFIXES
from mkindex.simple.links import path_of
from mkindex.simple.reader import Malformed, parse_json
from mkindex.tree.layout import read_layout
from mkindex.tree.manifest import (
    DamagedManifest,
    Entry,
    NewerManifest,
    Stage,
    decode,
    sections,
)
from mkindex.tree.names import (
    INDEX_HTML,
    INDEX_JSON,
    INTENT,
    LOCKS_DIRECTORY,
    MANIFEST,
    STATE_DIRECTORY,
    TEMPORARY_DIRECTORY,
)
from mkindex.tree.parts import open_manifest
from mkindex.web.bodies import MAX_PAGE

# "Do not use the following reserved names for the name of a file": also with an extension (Microsoft, Naming Files).
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))}
_TEMPORARY = (".tmp", ".temp", ".part", ".partial", ".crdownload", ".download", ".swp", "~")
_PAGES = (INDEX_HTML, INDEX_JSON)
_TOLERANCE_NS = 2_000_000_000  # a page may be this much older than its files: all are written in one go


class NamedFiles(NamedTuple):
    """What the pages of a project say about the directory."""

    paths: set[str]  # of the files that they name
    newer: list[tuple[str, str]]  # a page, and a file that is newer than it


def find_named(location: Location, project: SeenProject) -> NamedFiles:
    """Return the files that the pages of a project name."""
    named, times = NamedFiles(set(), []), dict[str, int | None]()
    for page in (project.html, project.json):
        if page is None or page.reply.status != 200:
            continue
        urls = [entry.url for entry in page.entries if entry.url.startswith(location.fetcher.root)]
        paths = [location.relative_path(url) for url in urls]
        named.paths.update(paths)
        path = location.relative_path(page.reply.url)
        for one in paths:
            if one not in times:  # most files are on two pages
                times[one] = _written_ns(location.directory, one)
        if (written := _written_ns(location.directory, path)) is not None:
            latest = written + _TOLERANCE_NS
            named.newer.extend((path, one) for one in paths if (times[one] or 0) > latest)
    return named


class DirectoryObserver:
    """Collects which files pages name while projects are checked, then walks through the directory."""

    def __init__(self, location: Location) -> None:
        self._location = location
        self._listed: set[str] = set()  # paths
        self._newer_files: list[tuple[str, str]] = []

    def add(self, named: NamedFiles) -> None:
        """Add what the pages of a project name."""
        self._listed |= named.paths
        self._newer_files += named.newer

    def observe(self, projects: Collection[str], *, is_complete: bool) -> SeenDirectory:
        """Return the observations. `projects`: names on the root; `is_complete`: every project was added."""
        root = self._location.directory
        has_manifest = os.path.isdir(os.path.join(root, STATE_DIRECTORY))
        retired, manifest_errors = _compare_manifest(root, self._listed) if has_manifest else (set(), ())
        walked = _walk(root)
        unlisted_projects: Iterable[str] = ()
        unlisted_files: Iterable[str] = ()
        if is_complete:
            simple = self._location.relative_path(self._location.url)
            unlisted_projects = _unlisted_projects(root, simple, walked.directories, projects)
            # A file is listed if a listed path is a symlink or a hard link to it.
            listed = {found for path in self._listed if (found := _file_id(os.path.join(root, path)))}
            unlisted_files = [
                path for path, file_id in walked.distributions if path not in retired and file_id not in listed
            ]
            if unlisted_files:
                elsewhere = set(_listed_elsewhere(root, simple))
                unlisted_files = [path for path in unlisted_files if path not in elsewhere]
        return SeenDirectory(
            root=root,
            leftovers=(*walked.leftovers, *_own_leftovers(root)),
            unlisted_files=tuple(unlisted_files),
            unlisted_projects=tuple(unlisted_projects),
            manifest_errors=manifest_errors,
            outside_links=tuple(walked.outside_links),
            collisions=tuple(tuple(sorted(paths)) for paths in walked.names.values() if len(paths) > 1),
            devices=tuple(walked.devices),
            unreadable=tuple(walked.unreadable),
            newer_files=tuple(self._newer_files),
        )


@dataclass
class _Walked:
    """The contents of a directory; all paths are relative to it."""

    directories: set[str] = field(default_factory=set)
    distributions: list[tuple[str, tuple[int, int]]] = field(default_factory=list)  # with device and inode
    leftovers: list[str] = field(default_factory=list)
    outside_links: list[tuple[str, str]] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    names: dict[str, list[str]] = field(default_factory=dict)  # paths, by their form on some file systems


def _walk(root: str) -> _Walked:
    walked = _Walked()
    real_root = os.path.realpath(root) + os.sep
    for path, entry in _below(root, ""):
        name = entry.name
        plain = path.lower() if path.isascii() else unicodedata.normalize("NFC", path).casefold()
        walked.names.setdefault(plain, []).append(path)
        if name.partition(".")[0].lower() in _DEVICES:
            walked.devices.append(path)
        if entry.is_symlink() and not (os.path.realpath(entry.path) + os.sep).startswith(real_root):
            walked.outside_links.append((path, os.readlink(entry.path)))
        try:
            status = entry.stat()
        except OSError:
            continue
        is_directory = stat.S_ISDIR(status.st_mode)
        needed = 0o005 if is_directory else 0o004  # others may read it, and enter a directory
        if status.st_mode & needed != needed:
            walked.unreadable.append((path, f"{stat.S_IMODE(status.st_mode):04o}"))
        if is_directory:
            walked.directories.add(path)
        elif name.endswith(_TEMPORARY) or name.startswith((".~", ".tmp.")):
            walked.leftovers.append(path)
        elif name.endswith(SUFFIXES):
            walked.distributions.append((path, (status.st_dev, status.st_ino)))
    return walked


def _below(root: str, prefix: str) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
    """Yield paths and entries below a directory, except what mkindex keeps for itself; symlinks are not followed."""
    try:
        with os.scandir(os.path.join(root, prefix)) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in found:
        path = f"{prefix}{entry.name}"
        if path in (STATE_DIRECTORY, ".git"):
            continue
        yield path, entry
        if entry.is_dir(follow_symlinks=False):
            yield from _below(root, f"{path}/")


def _file_id(path: str) -> tuple[int, int] | None:
    """Return the device and inode of the target of a path."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _own_leftovers(root: str) -> Iterator[str]:
    """Yield what an interrupted run of mkindex left in its own directory."""
    with suppress(OSError):
        yield from (
            f"{TEMPORARY_DIRECTORY}/{name}" for name in sorted(os.listdir(os.path.join(root, TEMPORARY_DIRECTORY)))
        )
    if os.path.exists(os.path.join(root, INTENT)):
        yield INTENT


def _unlisted_projects(
    root: str, simple: str, directories: Collection[str], projects: Collection[str]
) -> Iterator[str]:
    """Yield directories of pages that the root does not list; `simple`: the path of the index, "" or ending in "/"."""
    for directory in sorted(directories):
        if not directory.startswith(simple) or "/" in (name := directory[len(simple) :]) or not name:
            continue
        if name not in projects and any(os.path.exists(os.path.join(root, directory, page)) for page in _PAGES):
            yield f"{directory}/"


def _listed_elsewhere(root: str, simple: str) -> Iterator[str]:
    """Yield the paths of files that pages of other indexes in the tree name, such as those of variants."""
    base = Path(root).as_uri()
    for other in read_layout(os.path.join(root, MANIFEST)).roots:
        for page in Path(root, other).glob(f"*/{INDEX_JSON}") if other != simple else ():
            with suppress(OSError, ValueError, Malformed):
                data = page.read_bytes() if page.stat().st_size <= MAX_PAGE else b""
                links = parse_json(data.decode(), page.as_uri()).links
                yield from (path_of(link.url)[len(path_of(base)) + 1 :] for link in links if link.url.startswith(base))


def _compare_manifest(root: str, listed: Collection[str]) -> tuple[set[str], tuple[tuple[str, str], ...]]:
    """Return the retired paths in the manifest of mkindex, and the paths that differ from it, each with how."""
    retired: set[str] = set()
    errors: list[tuple[str, str]] = []
    try:
        with open_manifest(os.path.join(root, MANIFEST)) as stream:
            for entry in chain.from_iterable(decode(extent.name, lines) for extent, lines in sections(stream)):
                if entry.retired is not None:
                    retired.add(entry.path)
                elif entry.path not in listed and (text := _difference(os.path.join(root, entry.path), entry)):
                    errors.append((entry.path, text))
    except FileNotFoundError:
        errors.append((MANIFEST, "is missing, although mkindex made this tree"))
    except NewerManifest as error:
        errors.append((MANIFEST, str(error)))
    except (OSError, DamagedManifest) as error:
        errors.append((MANIFEST, f"is damaged or cannot be read ({type(error).__name__})"))
    return retired, tuple(errors)


def _difference(path: str, entry: Entry) -> str:
    """Return how a path differs from its entry, "" if it does not. Files are compared with pages, not here."""
    if not os.path.isfile(path):
        return "is not a regular file" if os.path.lexists(path) else "is missing, although the manifest lists it"
    if entry.stage == Stage.FILE or not entry.sha256 or entry.path.startswith(f"{LOCKS_DIRECTORY}/"):
        return ""  # `mkindex relocate` changes lock files
    try:
        with open(path, "rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256
    except FileNotFoundError:
        return "is missing, although the manifest lists it"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return "" if same else "is not what mkindex wrote"


def _written_ns(root: str, path: str) -> int | None:
    """Return when a file was last written, in nanoseconds; None if there is none."""
    try:
        return os.stat(os.path.join(root, path)).st_mtime_ns
    except OSError:
        return None
