"""Two and five builds at once into one tree."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.kills import make_source
from lab.part import Part, Result
from lab.processes import Tally, start
from support.builds import cold_build, publish, scratch_directory
from support.crash_scenes import build_quickly
from support.trees import find_broken_links, own_files, read_tree

if TYPE_CHECKING:
    import random

    from lab.part import Attempts


def attempts(chance: random.Random) -> Attempts:
    """Start several builds. The tree is that of the one that was last."""
    with pytest.MonkeyPatch.context() as patch, scratch_directory() as path:
        build_quickly(patch)
        sources = [make_source(Path(path), number) for number in range(5)]
        wanted = [cold_build(source, jobs=1) for source in sources]
        public, tally = Path(path, "public"), Tally()
        while True:
            some = chance.sample(sources, chance.choice([2, 5]))
            building = [start(functools.partial(publish, source, public, jobs=1), tally) for source in some]
            for process in building:
                process.join()
            _, violations = tally.take()
            yield Result(len(some), (*violations, *faults(public, wanted)))


def faults(public: Path, wanted: list[dict[str, bytes]]) -> list[str]:
    content = read_tree(public)
    wrong = [] if content in wanted else ["the tree is that of no source"]
    wrong += [f"{name} is left" for name in own_files(public) - {"manifest"}]
    return wrong + find_broken_links(content)


PART = Part(name="writers", what="builds at once into one tree, two or five", attempts=attempts, short=6)
