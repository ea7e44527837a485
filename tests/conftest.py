"""What every test stands on: nothing that the user has set or cached reaches mkindex."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

# The same examples each time: what a change breaks is then its own doing. `make soak` looks for new ones.
settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("default" if os.environ.get("MKINDEX_SOAK") else "same")


@pytest.fixture(scope="session", autouse=True)
def _own_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("MKINDEX_") and name != "MKINDEX_REQUIRE":
                patch.delenv(name)
        patch.delenv("SOURCE_DATE_EPOCH", raising=False)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print which defects of an index `check` caught, which it missed, and where it raised a false alarm."""
    reports = [one for group in ("passed", "failed") for one in terminalreporter.stats.get(group, [])]
    told = sorted({str(value) for one in reports for name, value in one.user_properties if name == "mutation"})
    if not told:
        return
    by_rule: dict[str, Counter[str]] = defaultdict(Counter)
    for line in told:
        rule, _, outcome, _ = line.split("\t")
        by_rule[rule][outcome] += 1
    kinds = ("caught", "missed", "other errors", "false alarm")
    terminalreporter.section("defects of an index that check has to find")
    for rule, counts in {**by_rule, "all": sum(by_rule.values(), Counter[str]())}.items():
        terminalreporter.write_line("  ".join([f"{rule:26}", *(f"{counts[kind]:4} {kind}" for kind in kinds)]))
    for line in told:
        rule, where, outcome, name = line.split("\t")
        if outcome != "caught":
            terminalreporter.write_line(f"{outcome}: {name} ({where}), {rule}")
