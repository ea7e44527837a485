"""Run the reliability lab: attack, and print one table. Exits with 1 if there is a violation."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from typing import TYPE_CHECKING

from lab import buckets, full_disk, fuzzing, hostile_tree, kills, power_loss, servers, serving, watches, writers
from lab.part import Part, Result

if TYPE_CHECKING:
    from collections.abc import Iterable

PARTS: dict[str, Part] = {
    part.name: part
    for part in (
        *(room.PART for room in (kills, full_disk, power_loss, hostile_tree, writers, watches, servers, serving)),
        *fuzzing.parts(),
        buckets.PART,
    )
}
SHOWN = 5  # violations of each part


def table(results: Iterable[tuple[Part, Result]]) -> str:
    """Return a row for each part: what, how many, violations."""
    rows = [("part", "what", "how many", "violations")]
    rows += [(part.name, part.what, f"{one.number:,}", f"{len(one.violations):,}") for part, one in results]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "| {:{}} | {:{}} | {:>{}} | {:>{}} |".format(*(x for pair in zip(row, widths, strict=True) for x in pair))
        for row in (rows[0], tuple("-" * width for width in widths), *rows[1:])
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"default: all. {', '.join(PARTS)}")
    parser.add_argument("--minutes", type=float, default=1.0, help="in all, for the parts one after the other")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="of all that is random")
    parser.add_argument("--short", action="store_true", help="a fixed number of attempts instead, as in `make test`")
    options = parser.parse_args()
    possible = [name for name in PARTS if name != buckets.PART.name or buckets.IS_POSSIBLE]
    parts = [PARTS[name] for name in options.parts or possible]
    seconds = options.minutes * 60 / len(parts)
    results = []
    for part in parts:
        try:
            result = part.run_briefly(options.seed) if options.short else part.run(seconds, options.seed)
        except Exception:  # the other parts go on
            result = Result(0, (traceback.format_exc(),))
        results.append((part, result))
        for violation in result.violations[:SHOWN]:
            print(f"{part.name}: {violation}", file=sys.stderr)  # noqa: T201
    print(f"{options.minutes:g} minutes, seed {options.seed}\n" if not options.short else "")  # noqa: T201
    print(table(results))  # noqa: T201
    if not options.parts and not buckets.IS_POSSIBLE:
        print("\nLEFT OUT: buckets. apt-get install radosgw ceph-mon ceph-osd ceph-common")  # noqa: T201
    return int(any(result.violations for _, result in results))


if __name__ == "__main__":
    sys.exit(main())
