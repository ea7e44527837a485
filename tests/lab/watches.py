"""A watch beside a storm of changes: when it is over, its tree is that of a cold build."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lab.part import Part, Result
from support.builds import cold_build, scratch_directory
from support.storms import Storm
from support.trees import find_broken_links, read_tree
from support.watch_process import run_watch
from support.wheels import write_wheel

if TYPE_CHECKING:
    import random

    from lab.part import Attempts

CHANGES = 80  # of a storm


def attempts(chance: random.Random) -> Attempts:
    """Watch a directory, and change it many times."""
    while True:
        with scratch_directory() as path:
            (Path(path) / "wheels").mkdir()
            write_wheel(Path(path) / "wheels", "demo", "1.0")
            try:
                yield Result(CHANGES, tuple(faults_after_a_storm(Path(path), chance)))
            except AssertionError as error:
                yield Result(CHANGES, (str(error),))


def faults_after_a_storm(here: Path, chance: random.Random) -> list[str]:
    """Wait until the tree is that of a cold build. Raises AssertionError if it never is."""
    source, public = here / "wheels", here / "public"
    options = ("--recursive", "--settle", "0.1", "--prune", "--grace", "0")
    with run_watch(*options, source, public, log=here / "log") as watch:
        watch.wait_until(watch.builds, "a first build")
        storm = Storm(source, chance)
        for number in range(CHANGES):
            storm.step()
            if number % 20 == 19:  # so that the storm is longer than a build
                watch.wait_until_quiet(0.1)
        storm.end()
        wanted = cold_build(source, recursive=True)
        watch.wait_until(lambda: read_tree(public) == wanted, "a tree as a cold build makes it")
        return find_broken_links(wanted)


PART = Part(name="watches", what="changes of a directory that is watched", attempts=attempts, short=1)
