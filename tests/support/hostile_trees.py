"""Destinations that someone else prepares, or changes while a build runs."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from mkindex.tree import intent, manifest
from mkindex.tree.manifest import Entry, Stage
from mkindex.tree.names import INTENT, MANIFEST, TEMPORARY_DIRECTORY
from support.builds import write_files
from support.trees import OWN_DIRECTORY

if TYPE_CHECKING:
    from pathlib import Path

# Paths that mkindex publishes in no stage, or not in this one.
NOT_OURS = [
    (Stage.FILE, "README.md"),
    (Stage.FILE, "files/notes"),
    (Stage.FILE, f"files/aa/{'b' * 62}/sub/a.whl"),
    (Stage.METADATA, f"files/aa/{'b' * 62}/a.whl"),
    (Stage.PROJECT, ".git/config"),
    (Stage.PROJECT, "docs/.hidden/index.html"),
    (Stage.PROJECT, f"files/aa/{'b' * 62}/a.whl"),
    (Stage.PROJECT, "docs//index.html"),
    (Stage.PROJECT, "./docs/index.html"),
    (Stage.PROJECT, "/etc/passwd"),
    (Stage.PROJECT, "docs/../../outside/index.html"),
    (Stage.ROOT, "notes with spaces.txt"),
    (Stage.ROOT, ".env"),
]


def seen(path: Path) -> dict[str, object]:
    """Everything below a directory: kind, inode, mtime, and bytes or names."""
    found: dict[str, object] = {}
    for one in (path, *sorted(path.rglob("*"))):
        status = one.lstat()
        content = sorted(os.listdir(one)) if one.is_dir() else one.read_bytes() if one.is_file() else None
        found[str(one)] = status.st_mode, status.st_ino, status.st_mtime_ns, content
    return found


def lead_out(public: Path, path: str, outside: Path) -> None:
    """Replace a directory of the tree by a symlink to the same directory elsewhere, with one more file."""
    target = public / path
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(target, outside / "there") if target.exists() else (outside / "there").mkdir()
    shutil.rmtree(target, ignore_errors=True)
    (outside / "there" / "precious").write_text("theirs")
    target.symlink_to(outside / "there")


def forge_manifest(public: Path, *entries: Entry) -> None:
    parts = manifest.encode((entry.position, entry) for entry in sorted(entries))
    write_files(public, [(MANIFEST, b"".join(parts))])


def forge_intent(public: Path, *entries: Entry) -> None:
    write_files(public, [(INTENT, b"".join(intent.encode(entries)))])


def swap_directories(public: Path, outside: Path) -> int:
    """Replace each of some directories by a symlink and back; return how many were there."""
    count = 0
    for path in (TEMPORARY_DIRECTORY, "simple", "simple/demo", "files", OWN_DIRECTORY):
        above, _, name = path.rpartition("/")
        with suppress(OSError):
            # The directory above may be a symlink, and what it leads to is not to change.
            descriptor = os.open(public / above, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                os.rename(name, "aside", src_dir_fd=descriptor, dst_dir_fd=descriptor)
                os.symlink(outside / path, name, dir_fd=descriptor)
                os.unlink(name, dir_fd=descriptor)
                os.rename("aside", name, src_dir_fd=descriptor, dst_dir_fd=descriptor)
            finally:
                os.close(descriptor)
            count += 1
    return count
