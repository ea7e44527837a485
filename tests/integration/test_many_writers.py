"""Several processes add to one index at once, many times: nothing that one of them added is lost."""

from __future__ import annotations

from pathlib import Path

from support.builds import scratch_directory
from support.growing import rounds_of_writers


def test_nothing_is_lost_in_fifty_rounds_of_three_writers_at_once() -> None:
    with scratch_directory() as directory:
        rounds_of_writers(Path(directory), 50)
