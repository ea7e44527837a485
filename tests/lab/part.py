"""What a part of the lab is, and how it is run."""

from __future__ import annotations

import random
import time
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    Attempts = Generator["Result", None, None]


class Result(NamedTuple):
    """How many attempts held or did not, and what is wrong: one text for each violation."""

    number: int
    violations: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Part:
    """One kind of attack. `attempts` never ends; the same seed makes the same attempts."""

    name: str
    what: str  # is counted
    attempts: Callable[[random.Random], Attempts]
    short: int  # attempts in `make test`
    guided: Callable[[float, int], Result] | None = None  # instead of `attempts`, if seconds are given

    def run(self, seconds: float, seed: int) -> Result:
        """Attack for that time, or until the attempt that it ends in is over."""
        if self.guided:
            return self.guided(seconds, seed)
        deadline = time.monotonic() + seconds

        def until_then(attempts: Attempts) -> Iterable[Result]:
            for result in attempts:
                yield result
                if time.monotonic() > deadline:
                    return

        with closing(self.attempts(random.Random(seed))) as attempts:
            return total(until_then(attempts))

    def run_briefly(self, seed: int) -> Result:
        """Attack a fixed number of times."""
        with closing(self.attempts(random.Random(seed))) as attempts:
            return total(islice(attempts, self.short))


def total(results: Iterable[Result]) -> Result:
    number, violations = 0, list[str]()
    for result in results:
        number += result.number
        violations += result.violations
    return Result(number, tuple(violations))
