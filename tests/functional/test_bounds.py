"""Whatever a file or a page contains costs at most 10 s of processor time and 512 MB, and never the rest of the run.

`integration/test_bounds_of_large_files.py` has files that may cost seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.bounded import build_beside, only_on_linux, refuse_page
from support.hostile_files import CHEAP, CHEAP_PAGES

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, only_on_linux]


def test_all_cheap_files_together_cost_no_more_than_one_may(tmp_path: Path) -> None:
    build_beside(tmp_path, *(make() for make in CHEAP.values()))


@pytest.mark.parametrize("page", CHEAP_PAGES)
def test_a_hostile_page_is_refused_within_the_same_bounds(tmp_path: Path, page: str) -> None:
    refuse_page(tmp_path, CHEAP_PAGES[page])
