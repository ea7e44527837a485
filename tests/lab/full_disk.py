"""A disk that is full, broken or read-only at any step of a build, once or from then on."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.part import Part, Result
from mkindex.errors import DestinationError
from support.builds import scratch_directory
from support.crash_scenes import AFTERWARDS, SCENES, Stage, build_quickly, divide_files
from support.faulty_disk import Fault, FaultyDisk, failing
from support.trees import read_tree

if TYPE_CHECKING:
    import random

    from lab.part import Attempts

ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES)


def attempts(chance: random.Random) -> Attempts:
    """Let a build fail at some step, and build again."""
    while True:
        scene = SCENES[chance.choice([*SCENES])]
        with pytest.MonkeyPatch.context() as patch, scratch_directory() as path:
            build_quickly(patch)
            if scene.large:
                divide_files(patch)
            Stage(scene, Path(path), patch).run(watched := FaultyDisk())
            for _ in range(5):
                at = chance.randrange(1, len(watched.operations) + 1)
                number, lasting = chance.choice(ERRORS), chance.random() < 0.5
                fault = Fault(failing(number), lasting=lasting, writes_half=chance.random() < 0.5)
                wrong = faults(Stage(scene, Path(path), patch), FaultyDisk(fault=fault, at=at), chance)
                yield Result(1, tuple(f"{errno.errorcode[number]} at {at}: {what}" for what in wrong))


def faults(stage: Stage, disk: FaultyDisk, chance: random.Random) -> list[str]:
    """Build on a disk that fails, and then on one that does not; return what is wrong."""
    wrong = []
    match stage.run(disk):
        case None if stage.differences(
            read_tree(stage.public), stage.wanted
        ):  # it failed, if at all, when everything was published
            wrong = ["done, and not right"]
        case DestinationError() as error if str(stage.public) not in str(error):
            wrong = [f"no path in {error}"]
    wrong += stage.faults_seen()
    return wrong + stage.faults_after_next_build(AFTERWARDS[chance.choice([*AFTERWARDS])])


PART = Part(name="full disk", what="builds whose disk fails at a step", attempts=attempts, short=25)
