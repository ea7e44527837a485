"""Compare mkindex with peers and limits, and write RESULTS.md: `python -m benchmarks.run [SCENARIO...]`.

Earlier results of other scenarios stay on the page, so that one scenario can be measured again alone.
"""

import argparse
import itertools
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from subprocess import check_output

from benchmarks import checks, journeys, scenarios, services
from benchmarks.bench import QUICK, Bench, Sizes
from benchmarks.journeys import lines
from benchmarks.machine import BUILD, PLACES, file_system, forget_settings
from benchmarks.picture import draw
from benchmarks.report import Result, page, recall, remember
from benchmarks.scenarios import ANYWHERE, ON_DISK

SCENARIOS = scenarios.SCENARIOS | journeys.SCENARIOS | services.SCENARIOS | checks.SCENARIOS
HERE = os.path.dirname(os.path.abspath(__file__))


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"{', '.join(SCENARIOS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="small sizes; print the page, and save nothing")
    parser.add_argument("--place", choices=PLACES, action="append", help="default: memory and disk")
    parser.add_argument("--rounds", type=int, help="number of runs of each command")
    parser.add_argument(
        "--mkindex", default=f"{os.path.dirname(sys.executable)}/mkindex", help="the executable of mkindex"
    )
    parser.add_argument("--output", default=f"{HERE}/RESULTS.md", help="the page to write")
    chosen = parser.parse_args()
    if unknown := set(chosen.scenarios) - set(SCENARIOS):
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    return chosen


def main() -> None:
    """Measure the chosen scenarios, and write the page after each of them."""
    chosen = options()
    forget_settings()
    os.makedirs(BUILD, exist_ok=True)
    sizes = QUICK if chosen.quick else Sizes()
    if chosen.rounds:
        sizes = replace(sizes, rounds=chosen.rounds, long_rounds=chosen.rounds)
    version = check_output([chosen.mkindex, "--version"], text=True).split()[-1]
    # A run of all scenarios shows no results of an older version.
    results = recall(f"{BUILD}/results.json") if chosen.scenarios and not chosen.quick else {}
    places = [place for place in chosen.place or PLACES if os.path.isdir(PLACES[place])]
    with ExitStack() as later:
        for place, scenario in itertools.product(places, chosen.scenarios or SCENARIOS):
            if scenario not in ON_DISK and place != places[0]:
                continue
            started = time.monotonic()
            root = later.enter_context(tempfile.TemporaryDirectory(prefix="mkindex-", dir=PLACES[place]))
            bench = Bench(
                mkindex=os.path.abspath(chosen.mkindex),
                place=f"{place}, {file_system(root)}",
                root=root,
                sizes=sizes,
            )
            results[scenario if scenario in ANYWHERE else f"{scenario}, {place}"] = SCENARIOS[scenario](bench)
            if not bench.aside:
                later.close()
            print(f"{place}: {scenario} took {time.monotonic() - started:.0f} s", file=sys.stderr)
            results = {key: results[key] for key in sorted(results, key=in_order)}
            if not chosen.quick:
                remember(f"{BUILD}/results.json", results)
                write(chosen.output, version, results)
    if chosen.quick:
        print(page(version, results))


def write(output: str, version: str, results: dict[str, Result]) -> None:
    """Write the page, and the picture beside it."""
    picture = ""
    for result in (results[key] for key in results if key.startswith("curve")):
        picture = f"{os.path.splitext(output)[0]}.svg"
        with open(picture, "w") as file:
            file.write(draw(lines(result)))
    with open(output, "w") as file:
        file.write(page(version, results, picture=os.path.basename(picture)))


def in_order(key: str) -> tuple[int, bool]:
    """Return a sort key: in the order of the scenarios, memory before disk."""
    scenario, _, place = key.partition(", ")
    return list(SCENARIOS).index(scenario), place == "disk"


if __name__ == "__main__":
    main()
