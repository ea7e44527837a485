"""Every tree that a journalled file system may leave when the power fails during a build."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.part import Part, Result
from support.builds import scratch_directory
from support.crash_scenes import (
    AFTERWARDS,
    SCENES,
    Stage,
    build_quickly,
    divide_files,
    lose_power,
    rebuild_after_a_power_loss,
)
from support.faulty_disk import FULL_ONCE

if TYPE_CHECKING:
    import random

    from lab.part import Attempts

REBUILT = 10  # of the trees of a scene


def attempts(chance: random.Random) -> Attempts:
    """Make the trees of a scene, read all of them, and build again in some."""
    while True:
        name = chance.choice([*SCENES])
        with pytest.MonkeyPatch.context() as patch, scratch_directory() as path:
            build_quickly(patch)
            if SCENES[name].large:
                divide_files(patch)
            stage = functools.partial(Stage, SCENES[name], Path(path), patch)
            wrong, trees = lose_power(stage, chance.choice([None, None, FULL_ONCE]), chance, tries=2)
            yield Result(len(trees), tuple(f"{name}, after {at} steps: {what}" for at, what in wrong))
            for at, tree in chance.sample(trees, min(REBUILT, len(trees))):
                afterwards = chance.choice([*AFTERWARDS])
                after = rebuild_after_a_power_loss(stage, tree, AFTERWARDS[afterwards])
                yield Result(0, tuple(f"{name}, after {at} steps, {afterwards}: {what}" for what in after))


PART = Part(name="power loss", what="trees after a power loss", attempts=attempts, short=1 + REBUILT)
