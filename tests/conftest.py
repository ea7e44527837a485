"""Settings for all tests: no option, cache or signal handling of the caller reaches mkindex."""

from __future__ import annotations

import os
import signal
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

# A shell without job control starts a background job (`make test &`) with SIGINT ignored, and child processes inherit
# that. Tests that interrupt mkindex need the handler that Python installs otherwise.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Use the same examples in each run, so that a failure comes from a change of the code. `make soak` looks for new ones.
settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("default" if os.environ.get("MKINDEX_SOAK") else "same")


@pytest.fixture(scope="session", autouse=True)
def _own_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Remove the variables that mkindex reads, and give it an empty cache directory."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("MKINDEX_") and name != "MKINDEX_REQUIRE":
                patch.delenv(name)
        patch.delenv("SOURCE_DATE_EPOCH", raising=False)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many defects of an index `check` found and missed, and how many false alarms it raised, by rule."""
    reports = [one for group in ("passed", "failed") for one in terminalreporter.stats.get(group, [])]
    lines = sorted({str(value) for one in reports for name, value in one.user_properties if name == "mutation"})
    if not lines:
        return
    by_rule: dict[str, Counter[str]] = defaultdict(Counter)
    for line in lines:
        rule, _, outcome, _ = line.split("\t")
        by_rule[rule][outcome] += 1
    kinds = ("caught", "missed", "other errors", "false alarm")
    terminalreporter.section("defects that check must find")
    for rule, counts in {**by_rule, "all": sum(by_rule.values(), Counter[str]())}.items():
        terminalreporter.write_line("  ".join([f"{rule:26}", *(f"{counts[kind]:4} {kind}" for kind in kinds)]))
    for line in lines:
        rule, where, outcome, name = line.split("\t")
        if outcome != "caught":
            terminalreporter.write_line(f"{outcome}: {name} ({where}), {rule}")
