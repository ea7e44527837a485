"""Builds into a tree that someone else prepared, while another process swaps its directories for symlinks."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.part import Part, Result
from lab.processes import FORK, Tally, repeated
from mkindex.errors import DestinationError
from mkindex.tree.manifest import Entry, Stage
from mkindex.tree.names import DOWNLOADS_DIRECTORY, INTENT, LOCK, MANIFEST, TEMPORARY_DIRECTORY
from support.builds import publish, scratch_directory, write_files
from support.crash_scenes import build_quickly, change, start
from support.hostile_trees import NOT_OURS, forge_intent, forge_manifest, seen, swap_directories

if TYPE_CHECKING:
    import random

    from lab.part import Attempts

PLACES = (
    "simple", "simple/demo", "simple/demo/index.html", "simple/index.html", "files", ".mkindex", TEMPORARY_DIRECTORY,
    DOWNLOADS_DIRECTORY, MANIFEST, INTENT, LOCK, "index.html", "404.html", "links.html",
)  # fmt: skip

THEIRS = ("theirs/index.html", "notes")  # files of others in the tree


def prepare(public: Path, outside: Path, chance: random.Random) -> None:
    """Put something in the way, or forge a record."""
    files = sorted(path.relative_to(public).as_posix() for path in public.rglob("*") if path.is_file())
    place = public / chance.choice([*PLACES, *(path for path in files if path not in THEIRS)])
    if place.parent.resolve() != place.parent:  # it is elsewhere, where nothing is to change
        return
    how = chance.choice(["symlink", "pipe", "directory", "manifest", "intent", "bytes"])
    if how in ("manifest", "intent"):
        forge = forge_manifest if how == "manifest" else forge_intent
        stage, path = chance.choice(NOT_OURS) if chance.random() < 0.5 else (Stage.PROJECT, "theirs/index.html")
        sha256 = chance.choice(["", "a" * 64])
        remove(public / ".mkindex")
        forge(public, Entry("docs", stage, path, sha256, sha256, "", 0 if stage < Stage.PROJECT else None))
        return
    remove(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    match how:
        case "symlink":
            place.symlink_to(outside / chance.choice(["simple", "files", ".mkindex", "file", "gone"]))
        case "pipe":
            os.mkfifo(place)
        case "directory":
            place.mkdir()
        case "bytes":
            place.write_bytes(chance.randbytes(chance.randrange(200)))


def remove(path: Path) -> None:
    """Remove anything."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


def attempts(chance: random.Random) -> Attempts:
    """Prepare a tree, build beside the attacker, and count its swaps; nothing elsewhere and nothing foreign changes."""
    with pytest.MonkeyPatch.context() as patch, scratch_directory() as path:
        build_quickly(patch)
        here = Path(path)
        sources, public, outside = (here / "one", here / "two"), here / "public", here / "outside"
        for source in sources:
            source.mkdir()
            start(source)
        change(sources[1])
        publish(sources[0], outside, jobs=1)
        names = [f"{name}/theirs" for name in (TEMPORARY_DIRECTORY, DOWNLOADS_DIRECTORY, "simple")]
        write_files(outside, [(name, b"theirs") for name in (*names, "file")])
        before, tally, number, swapping = seen(outside), Tally(), 0, FORK.Lock()

        def swap() -> None:
            with swapping:
                tally.add(swap_directories(public, outside))

        with repeated(swap, tally):
            while True:
                number += 1
                with swapping:
                    if number % 4 == 1:
                        shutil.rmtree(public, ignore_errors=True)
                        write_files(public, [(name, b"theirs") for name in THEIRS])
                    with suppress(OSError):  # a file is where its directory would be
                        prepare(public, outside, chance)
                with suppress(DestinationError):
                    publish(sources[number % 2], public, jobs=1, overwrite=chance.random() < 0.5)
                count, violations = tally.take()
                violations += [f"{name} has changed" for name in differences(before, seen(outside))]
                violations += [
                    f"{name} is lost"
                    for name in THEIRS
                    if not (public / name).is_file() or (public / name).read_bytes() != b"theirs"
                ]
                yield Result(count, tuple(violations))


def differences(before: dict[str, object], after: dict[str, object]) -> list[str]:
    return [path for path in before.keys() | after.keys() if before.get(path) != after.get(path)]


PART = Part(name="hostile tree", what="directories swapped for symlinks beside builds", attempts=attempts, short=20)
