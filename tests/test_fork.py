"""Work in other processes. Each test runs it in a new process, because one with threads cannot be forked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.skipif(not hasattr(os, "fork"), reason="this system copies no process"), pytest.mark.slow]

# Arguments: the work, the number of items 0, 1 …, and the number of processes. Prints the results.
SCRIPT = """
import json, os, signal, sys, time
from mkindex import parallel

work, count, processes = sys.argv[1], *map(int, sys.argv[2:4])
first = os.getpid()

def double(items):
    return [2 * item for item in items]

def is_first(items):
    time.sleep(1 if os.getpid() == first else 0.001)
    return [os.getpid() == first for _ in items]

def fails(items):
    if 1234 in items:
        raise ValueError("1234")
    return double(items)

def others_fail(items):
    if os.getpid() != first:
        raise ValueError("others")
    with open(sys.argv[4], "a") as done:
        print(len(items), file=done)
    time.sleep(0.1)
    return items

def interrupted(items):
    with open(sys.argv[4], "a") as done:
        print(len(items), file=done)
    time.sleep(0.1)
    if os.getpid() == first:
        os.kill(first, signal.SIGKILL)
    return items

def ctrl_c(items):
    if os.getpid() != first:
        raise KeyboardInterrupt
    time.sleep(0.05)
    return double(items)

def needs_memory(items):
    if os.getpid() != first:
        raise MemoryError
    time.sleep(0.05)
    return double(items)

def dies(items):
    if os.getpid() != first:
        os._exit(1)
    time.sleep(0.05)
    return double(items)

try:
    print(json.dumps(list(parallel.map_chunks(globals()[work], range(count), processes=processes))))
except BaseException as error:
    print(json.dumps(repr(error)))
"""


def run_map_chunks(work: str, count: int, processes: int, *paths: Path) -> object:
    command = [sys.executable, "-c", SCRIPT, work, str(count), str(processes), *map(str, paths)]
    said = subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout
    return json.loads(said or "null")


def count_items(path: Path) -> int:
    """The number of completed items, by their own output."""
    return sum(map(int, path.read_text().split()))


@pytest.mark.parametrize("processes", [1, 2, 40])
@pytest.mark.parametrize("count", [0, 999, 1001, 5000, 12_345])
def test_results_are_those_of_all_items_in_their_order(count: int, processes: int) -> None:
    assert run_map_chunks("double", count, processes) == [2 * item for item in range(count)]


@pytest.mark.parametrize(("count", "processes", "is_shared"), [(999, 2, False), (1000, 1, False), (1000, 2, True)])
def test_only_many_items_are_shared(count: int, processes: int, is_shared: bool) -> None:
    done_by_first = run_map_chunks("is_first", count, processes)
    assert isinstance(done_by_first, list)
    assert (done_by_first != [True] * count) is is_shared


def test_a_faster_process_does_more() -> None:
    done_by_first = run_map_chunks("is_first", 1000, 2)
    assert isinstance(done_by_first, list)
    assert sum(done_by_first) < 100


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_an_exception_in_a_process_is_raised(processes: int) -> None:
    assert run_map_chunks("fails", 5000, processes) == "ValueError('1234')"


@pytest.mark.parametrize(("work", "error"), [("ctrl_c", "KeyboardInterrupt()"), ("needs_memory", "MemoryError()")])
def test_an_interrupt_and_too_little_memory_in_a_process_end_all(work: str, error: str) -> None:
    assert run_map_chunks(work, 5000, 2) == error


def test_a_failure_in_one_process_stops_the_others(tmp_path: Path) -> None:
    (tmp_path / "done").touch()  # the first process may start too late to get an item
    assert run_map_chunks("others_fail", 5000, 2, tmp_path / "done") == "ValueError('others')"
    assert count_items(tmp_path / "done") < 2500


def test_all_processes_stop_when_the_first_was_killed(tmp_path: Path) -> None:
    assert run_map_chunks("interrupted", 5000, 2, tmp_path / "done") is None  # after all output has arrived
    assert count_items(tmp_path / "done") < 2500


def test_a_process_that_dies_is_an_error() -> None:
    assert str(run_map_chunks("dies", 5000, 2)).startswith("MkindexError('a worker process was killed ")
