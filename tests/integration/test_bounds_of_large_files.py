"""Files and pages that are large when unpacked, or have as many parts as is allowed, within the same bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.bounded import build_beside, only_on_linux, refuse_page
from support.hostile_files import EXPENSIVE, EXPENSIVE_PAGES

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, only_on_linux]


@pytest.mark.parametrize("file", EXPENSIVE)
def test_a_file_is_bounded_in_time_and_memory(tmp_path: Path, file: str) -> None:
    build_beside(tmp_path, EXPENSIVE[file]())


@pytest.mark.parametrize("page", EXPENSIVE_PAGES)
def test_a_page_is_refused_within_the_same_bounds(tmp_path: Path, page: str) -> None:
    refuse_page(tmp_path, EXPENSIVE_PAGES[page])
