"""Work that threads pull, one item after the other."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from mkindex.parallel import map_pulled


@pytest.mark.parametrize("threads", [1, 3, 60])
def test_results_are_in_the_order_of_the_items(threads: int) -> None:
    with ThreadPoolExecutor(threads) as executor:
        assert map_pulled(executor, lambda item: item * item, range(500)) == [item * item for item in range(500)]
        assert map_pulled(executor, str, []) == []


def test_the_first_item_that_fails_decides_even_if_a_later_one_fails_sooner() -> None:
    later = threading.Event()

    def work(item: int) -> int:
        if item == 3:
            assert later.wait(30)
            time.sleep(0.1)  # meanwhile, the other failure would be noticed
            raise ValueError(item)
        if item == 5:
            later.set()
            raise ValueError(item)
        return item

    with ThreadPoolExecutor(8) as executor, pytest.raises(ValueError, match=r"^3$"):
        map_pulled(executor, work, range(1000))


def test_work_on_later_items_is_not_awaited_after_a_failure_and_no_more_is_begun() -> None:
    begun: list[int] = []
    busy, over = threading.Event(), threading.Event()

    def work(item: int) -> None:
        begun.append(item)
        if item == 1:
            busy.set()
            over.wait(30)
        elif item == 0:
            busy.wait(30)
            raise ValueError(item)

    with ThreadPoolExecutor(2) as executor:
        with pytest.raises(ValueError, match=r"^0$"):
            map_pulled(executor, work, range(1000))
        is_waiting = not over.is_set()
        over.set()
    assert (sorted(begun), is_waiting) == ([0, 1], True)


def test_an_error_of_the_work_that_looks_like_the_end_of_the_items_is_raised() -> None:
    with ThreadPoolExecutor(2) as executor, pytest.raises(IndexError):
        map_pulled(executor, lambda item: [][item], range(3))
