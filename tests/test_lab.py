"""The reliability lab in its short form: each part attacks a fixed number of times and finds nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest

from lab import __main__ as lab
from lab import buckets
from lab.fuzzing import Target, attempts
from lab.part import Part, Result
from support.requirements import skip_or_fail

if TYPE_CHECKING:
    import random

    from lab.part import Attempts

TESTS = os.path.dirname(__file__)
PATHS = os.pathsep.join([TESTS, *filter(None, [os.environ.get("PYTHONPATH")])])


# In a process of its own, because some parts fork, which is safe only before there are threads.
@pytest.mark.slow
@pytest.mark.parametrize("name", lab.PARTS)
def test_a_part_of_the_lab_finds_no_violation(name: str) -> None:
    if name == buckets.PART.name and not buckets.IS_POSSIBLE:
        skip_or_fail("Ceph: apt-get install radosgw ceph-mon ceph-osd ceph-common")
    command = [sys.executable, "-m", "lab", "--short", "--seed", "1", name]
    process = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": PATHS}, capture_output=True, text=True, check=False
    )
    assert (process.returncode, process.stderr) == (0, "")


def count(_: random.Random) -> Attempts:
    for number in range(1000):
        yield Result(number, (f"violation {number}",) if number == 3 else ())


def test_a_short_run_makes_a_fixed_number_of_attempts_and_finds_what_is_wrong() -> None:
    parts = [Part(name="a part", what="numbers", attempts=count, short=short) for short in (3, 4)]
    results = [part.run_briefly(seed=1) for part in parts]
    assert results == [Result(3), Result(6, ("violation 3",))]
    assert lab.table(zip(parts, results, strict=True)).splitlines() == [
        "| part   | what    | how many | violations |",
        "| ------ | ------- | -------- | ---------- |",
        "| a part | numbers |        3 |          0 |",
        "| a part | numbers |        6 |          1 |",
    ]


def test_a_run_for_a_time_makes_at_least_one_attempt() -> None:
    assert Part(name="a part", what="numbers", attempts=count, short=9).run(seconds=0, seed=1).number == 0


def fail(_: random.Random) -> Attempts:
    yield Result(1)
    raise KeyError


def test_a_part_that_ends_with_an_error_is_a_violation_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = [Part(name=name, what="x", attempts=call, short=2) for name, call in (("broken", fail), ("other", count))]
    monkeypatch.setattr(lab, "PARTS", {part.name: part for part in parts})
    monkeypatch.setattr("sys.argv", ["lab", "--short", "--seed", "1"])
    assert lab.main() == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[3:] == [
        "| broken | x    |        0 |          1 |",
        "| other  | x    |        1 |          0 |",
    ]
    assert err.startswith("broken: Traceback")


def test_fuzzing_reads_the_seeds_and_then_changes_of_them_and_reports_errors() -> None:
    inputs: list[bytes] = []

    def check(data: bytes) -> str:
        inputs.append(data)
        if len(inputs) == 3:
            raise KeyError
        return "wrong" if len(inputs) == 4 else ""

    target = Target(lambda: [b"one", b"two"], check, 0)
    found = Part(name="x", what="inputs", attempts=partial(attempts, target), short=50).run_briefly(seed=1)
    assert (inputs[:2], found.number, len(found.violations)) == ([b"one", b"two"], 50, 2)
    assert "KeyError" in found.violations[0]
    assert found.violations[1] == f"wrong for {inputs[3]!r}"
    assert len({*inputs}) > 25
