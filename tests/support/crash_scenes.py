"""Builds at the moment of a crash: what was there before, what is wanted, and what readers see."""

from __future__ import annotations

import functools
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mkindex.errors import DestinationError
from mkindex.examine import local
from mkindex.publish import directory, ownership, precopy, staging
from mkindex.site.templates import Templates
from support.builds import cold_build, publish, write_files
from support.faulty_disk import Fault, FaultyDisk, ProcessKilled
from support.power_loss import Operation, RecordingDisk, Tree, trees_after_a_power_loss
from support.trees import OWN_DIRECTORY, file_identities, find_broken_links, is_page, own_files, read_tree
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    import pytest

MTIME = 1_700_000_000
FOREIGN = {"README": b"theirs", "simple/notes": b"theirs", "files/notes": b"theirs"}


def start(source: Path) -> None:
    write_wheel(source, "demo", "1.0", mtime=MTIME)
    write_sdist(source, "other", "1.0", mtime=MTIME)


def change(source: Path) -> None:
    """Change the bytes of a wheel, add a project, and remove one."""
    (source / "demo-1.0-py3-none-any.whl").unlink()
    write_wheel(source, "demo", "1.0", mtime=MTIME, summary="other bytes")
    write_wheel(source, "added", "1.0", mtime=MTIME)
    (source / "other-1.0.tar.gz").unlink()


def change_again(source: Path) -> None:
    """Undo the addition and the removal of `change`, and add another file."""
    (source / "added-1.0-py3-none-any.whl").unlink(missing_ok=True)
    write_sdist(source, "other", "1.0", mtime=MTIME)
    write_wheel(source, "demo", "2.0", mtime=MTIME)


def revert(source: Path) -> None:
    """Make the source as it was at the start."""
    shutil.rmtree(source)
    source.mkdir()
    start(source)


def damage(public: Path) -> None:
    """Edit a page and a file, and delete others."""
    (public / "simple/index.html").write_bytes(b"edited")
    (public / "simple/demo/index.v1_json").unlink()
    wheel, _ = sorted(public.glob("files/*/*/demo*"))
    wheel.write_bytes(b"edited")
    shutil.rmtree(public / "simple/other")


def nothing(path: Path) -> None:
    pass


def lose(public: Path) -> None:
    """Delete the manifest, and a file that pages name."""
    (public / OWN_DIRECTORY / "manifest").unlink()
    min(public.glob("files/*/*/demo*")).unlink()


def lose_and_damage(public: Path) -> None:
    """Damage the manifest, and delete a file that pages name."""
    (public / OWN_DIRECTORY / "manifest").write_bytes(b"damaged")
    min(public.glob("files/*/*/demo*")).unlink()


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A change of the source or the destination since the last build."""

    first: bool = False
    large: bool = False  # files are copied in several parts, most of them while they are hashed
    change: Callable[[Path], object] = nothing
    damage: Callable[[Path], object] = nothing
    options: dict[str, Any] = field(default_factory=dict)


SCENES = {
    "the first build": Scene(first=True),
    "a change": Scene(change=change),
    "a change, with a grace": Scene(change=change, options={"grace": 900}),
    "a repair": Scene(damage=damage),
    "a lost manifest and file": Scene(damage=lose, options={"overwrite": True}),
    "a damaged manifest and a lost file": Scene(damage=lose_and_damage, options={"overwrite": True}),
    "another place for the index": Scene(change=change, options={"simple_path": "a/b"}),
    "another host": Scene(change=change, options={"host": "netlify", "json_root": "json"}),
    "a change of hard links": Scene(change=change, options={"link_mode": "hardlink"}),
    "the first build, of large files": Scene(first=True, large=True),
    "a change of large files": Scene(change=change, large=True),
    "a lost manifest and a large file": Scene(damage=lose, large=True, options={"overwrite": True}),
}
AFTERWARDS: dict[str, Callable[[Path], object]] = {
    "unchanged": nothing,
    "changed": change_again,
    "reverted": revert,
}


def build_quickly(patch: pytest.MonkeyPatch) -> None:
    """Read the templates once, and write to a disk that does not sync."""
    patch.setattr("mkindex.build.terms.Templates", functools.cache(Templates))
    patch.setattr(directory, "Filesystem", FaultyDisk)


def divide_files(patch: pytest.MonkeyPatch) -> None:
    """Read and copy files in several parts, as if they were large."""
    for module in (local, staging, precopy, ownership):
        patch.setattr(module, "CHUNK", 400)


class Stage:
    """A scene on disk: the state before a build, and the required state after it."""

    def __init__(self, scene: Scene, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.source, self.public, self.patch = root / "wheels", root / "public", patch
        self.options: dict[str, Any] = {"jobs": 1} | scene.options
        self.simple = self.options.get("simple_path", "simple")
        for path in (self.source, self.public):
            shutil.rmtree(path, ignore_errors=True)
        self.source.mkdir(parents=True)
        start(self.source)
        self.foreign = {} if scene.first else FOREIGN
        if not scene.first:
            write_files(self.public, FOREIGN.items())
            publish(self.source, self.public, jobs=1)
        scene.change(self.source)
        scene.damage(self.public)
        self.before, self.own = read_tree(self.public), own_files(self.public)
        self.untouched = {path: file_identities(self.public)[path] for path in self.foreign}
        self.wanted = self.made()

    def made(self) -> dict[str, bytes]:
        """The tree of a cold build, with the files of others."""
        key = (tuple((path.name, path.read_bytes()) for path in sorted(self.source.iterdir())), str(self.options))
        if key not in _made:
            _made[key] = cold_build(self.source, **self.options)
        return _made[key] | self.foreign

    def run(self, disk: FaultyDisk) -> BaseException | None:
        """Build on that disk, and return the error, if any."""
        with self.patch.context() as patch:
            patch.setattr(directory, "Filesystem", disk.mount)
            try:
                publish(self.source, self.public, **self.options)
            except (ProcessKilled, KeyboardInterrupt, DestinationError) as error:
                return error
        return None

    def differences(self, content: dict[str, bytes], wanted: dict[str, bytes]) -> list[str]:
        """Return the paths where a tree differs from the wanted one. With a grace, it may also have retired files."""
        if self.options.get("grace"):
            content = {path: data for path, data in content.items() if path in wanted or is_page(path)}
        return [path for path in content.keys() | wanted.keys() if content.get(path) != wanted.get(path)]

    def faults_seen(self) -> list[str]:
        """Return the faults of the tree that readers could see at this moment."""
        there = file_identities(self.public)
        moved = [path for path, identity in self.untouched.items() if there[path] != identity]
        return self.faults_of(read_tree(self.public)) + moved

    def faults_of(self, content: dict[str, bytes]) -> list[str]:
        """Return the pages that are not whole, and links that lead nowhere."""
        pages = {path: data for path, data in content.items() if is_page(path) and not path.endswith("/")}
        wrong = [path for path, data in pages.items() if data not in (self.before.get(path), self.wanted.get(path))]
        for simple in {"simple", self.simple}:
            wrong += {*find_broken_links(content, simple=simple)} - {*find_broken_links(self.before, simple=simple)}
        return wrong

    def faults_after_next_build(self, afterwards: Callable[[Path], object]) -> list[str]:
        """Build again, and return the differences from the tree of a cold build."""
        afterwards(self.source)
        publish(self.source, self.public, **self.options)
        content, wanted = read_tree(self.public), self.made()
        wrong = self.differences(content, wanted)
        return wrong + find_broken_links(content, simple=self.simple) + [*(own_files(self.public) - {"manifest"})]


_made: dict[object, dict[str, bytes]] = {}


def lose_power(
    stage: Callable[[], Stage], fault: Fault | None, chance: random.Random, *, tries: int
) -> tuple[list[tuple[int, str]], list[tuple[int, Tree]]]:
    """Build, and return the different trees that a power loss may leave, after the faults that readers see in them.

    Each has the number of operations before the loss. With `fault` the build fails when everything is prepared.
    """
    here = stage()
    before = Tree.read(here.public) if here.public.exists() else Tree()
    disk = RecordingDisk()
    if fault:
        here.run(disk)
        here = stage()
        synced = [operation for operation, *_ in disk.operations].index("sync")
        disk = RecordingDisk(fault=fault, at=synced + 1)
    assert isinstance(here.run(disk), DestinationError) == bool(fault)
    log = disk.log if OWN_DIRECTORY in before.directories else [Operation("mkdir", OWN_DIRECTORY), *disk.log]
    trees: dict[str, tuple[int, Tree]] = {}
    wrong: list[tuple[int, str]] = []
    for at, tree in trees_after_a_power_loss(before, log, chance, tries=tries):
        if trees.setdefault(str(tree), (at, tree))[1] is tree:
            wrong += [(at, what) for what in here.faults_of(_published(tree))]
    return wrong, [*trees.values()]


def _published(tree: Tree) -> dict[str, bytes]:
    """The tree without mkindex's own directory."""
    return {path: data for path, data in tree.files.items() if not path.startswith(f"{OWN_DIRECTORY}/")}


def rebuild_after_a_power_loss(
    stage: Callable[[], Stage], tree: Tree, afterwards: Callable[[Path], object]
) -> list[str]:
    """Build again in such a tree, and return the differences from the tree of a cold build."""
    here = stage()
    shutil.rmtree(here.public, ignore_errors=True)
    here.public.mkdir()
    tree.write(here.public)
    return here.faults_after_next_build(afterwards)
