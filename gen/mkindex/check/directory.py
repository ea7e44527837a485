"""A walk through a directory: what lies there beside what its pages name."""

import hashlib
import os
import stat
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from itertools import chain

from mkindex.check.observations import SeenDirectory
from mkindex.distributions.filenames import SUFFIXES
from mkindex.tree.manifest import DamagedManifest, Entry, NewerManifest, Stage, decode, sections
from mkindex.tree.names import INDEX_HTML, INDEX_JSON, INTENT, MANIFEST, STATE_DIRECTORY, TEMPORARY_DIRECTORY

_TEMPORARY = (".tmp", ".temp", ".part", ".partial", ".crdownload", ".download", ".swp", "~")
_PAGES = (INDEX_HTML, INDEX_JSON)
_HASTE_NS = 2_000_000_000


def walked(
    root: str,
    *,
    simple: str,
    listed: Collection[str],
    projects: Collection[str],
    all_seen: bool,
    stale: Iterable[tuple[str, str]] = (),
) -> SeenDirectory:
    """Return what is in `root`.

    `simple`: the path of the index in it, with a slash at its end or empty; `listed`: paths of files that pages name;
    `projects`: names that its root lists; `all_seen`: whether those are all, and not only some that were chosen.
    """
    leftovers, unlisted, unreadable, leaving = [], [], [], []
    names: dict[str, list[str]] = {}
    directories: set[str] = set()
    ours = os.path.isdir(os.path.join(root, STATE_DIRECTORY))
    retired, manifest = _manifest(root, listed) if ours else (set(), ())
    real = os.path.realpath(root)
    # What a listed path links to, by symlink or hard link, is listed.
    same = {(found.st_dev, found.st_ino) for path in listed if (found := _status(os.path.join(root, path)))}
    for path, entry in _below(root, ""):
        name = entry.name
        names.setdefault(unicodedata.normalize("NFC", path).casefold(), []).append(path)
        if entry.is_symlink() and not (os.path.realpath(entry.path) + os.sep).startswith(real + os.sep):
            leaving.append((path, os.readlink(entry.path)))
        try:
            found = entry.stat()
        except OSError:
            continue
        is_directory = stat.S_ISDIR(found.st_mode)
        wanted = 0o005 if is_directory else 0o004
        if found.st_mode & wanted != wanted:
            unreadable.append((path, f"{stat.S_IMODE(found.st_mode):04o}"))
        if is_directory:
            directories.add(path)
        elif name.endswith(_TEMPORARY) or (name.startswith((".~", ".tmp."))):
            leftovers.append(path)
        elif all_seen and name.endswith(SUFFIXES) and path not in retired and (found.st_dev, found.st_ino) not in same:
            unlisted.append(path)
    leftovers += _own_leftovers(os.path.join(root, STATE_DIRECTORY))
    return SeenDirectory(
        root=root,
        ours=ours,
        leftovers=tuple(leftovers),
        unlisted_files=tuple(unlisted),
        unlisted_projects=tuple(_not_on_root(root, simple, directories, projects)) if all_seen else (),
        manifest=tuple(manifest),
        leaving=tuple(leaving),
        colliding=tuple(tuple(sorted(paths)) for paths in names.values() if len(paths) > 1),
        unreadable=tuple(unreadable),
        stale=tuple(stale),
    )


def _below(root: str, prefix: str) -> Iterator[tuple[str, "os.DirEntry[str]"]]:
    """Yield everything below a directory but what mkindex keeps for itself; symlinks are not followed."""
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


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except (OSError, ValueError):
        return None


def _own_leftovers(own: str) -> Iterator[str]:
    """Yield what an interrupted run of mkindex left among what it keeps for itself."""
    with suppress(OSError):
        yield from (
            os.path.join(STATE_DIRECTORY, TEMPORARY_DIRECTORY, name)
            for name in sorted(os.listdir(os.path.join(own, TEMPORARY_DIRECTORY)))
        )
    if os.path.exists(os.path.join(own, INTENT)):
        yield f"{STATE_DIRECTORY}/intent"


def _not_on_root(root: str, simple: str, directories: Collection[str], projects: Collection[str]) -> Iterator[str]:
    for directory in sorted(directories):
        if not directory.startswith(simple) or "/" in (name := directory[len(simple) :]) or not name:
            continue
        if name not in projects and any(os.path.exists(os.path.join(root, directory, page)) for page in _PAGES):
            yield f"{directory}/"


def _manifest(root: str, listed: Collection[str]) -> tuple[set[str], tuple[str, ...]]:
    """Return the paths that wait for their removal, and in which way a manifest of mkindex and the tree disagree."""
    retired: set[str] = set()
    wrong: list[str] = []
    try:
        with open(os.path.join(root, STATE_DIRECTORY, MANIFEST), "rb") as stream:
            for entry in chain.from_iterable(decode(extent.name, lines) for extent, lines in sections(stream)):
                if entry.retired is not None:
                    retired.add(entry.path)
                elif entry.path not in listed and (text := _changed(os.path.join(root, entry.path), entry)):
                    wrong.append(f"{entry.path}\t{text}")
    except FileNotFoundError:
        wrong.append(f"{STATE_DIRECTORY}/manifest\tis not there, although mkindex made this tree")
    except NewerManifest as error:
        wrong.append(f"{STATE_DIRECTORY}/manifest\t{error}")
    except (OSError, DamagedManifest) as error:
        wrong.append(f"{STATE_DIRECTORY}/manifest\tis damaged or cannot be read ({type(error).__name__})")
    return retired, tuple(wrong)


def _changed(path: str, entry: Entry) -> str:
    """Say in which way what is at a path is not what was written; files are compared with their pages instead."""
    if not os.path.isfile(path):
        return "is no regular file" if os.path.lexists(path) else "the manifest has it, and it is not there"
    if entry.stage == Stage.FILE or not entry.sha256:
        return ""
    try:
        with open(path, "rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256
    except FileNotFoundError:
        return "the manifest has it, and it is not there"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return "" if same else "is not what mkindex wrote"


def newer_files(root: str, page: str, files: Collection[str]) -> Iterator[str]:
    """Yield the files that were changed after the page which names them."""
    try:
        written = os.stat(os.path.join(root, page)).st_mtime_ns
    except OSError:
        return
    for file in files:
        try:
            changed = os.stat(os.path.join(root, file)).st_mtime_ns
        except OSError:
            continue
        if changed > written + _HASTE_NS:
            yield file
