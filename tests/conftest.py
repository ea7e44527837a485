"""Settings for all tests: no option, cache or signal handling of the caller reaches mkindex."""

from __future__ import annotations

import os
import signal
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from support import scripted_server
from support.page_server import PageServer
from support.remote_builds import Run
from support.secrets import find_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.scripted_server import ScriptedServer

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


@pytest.fixture(autouse=True)
def _no_secret_is_written(request: pytest.FixtureRequest) -> Iterator[None]:
    """Search trees and caches for passwords and signatures after each test with a server."""
    has_server = {"server", "page_server"} & {*request.fixturenames}
    directory = request.getfixturevalue("tmp_path") if has_server and "tmp_path" in request.fixturenames else None
    yield
    if directory:
        assert find_secrets(directory) == []


@pytest.fixture
def public(tmp_path: Path) -> Path:
    """The destination of a build."""
    return tmp_path / "public"


@pytest.fixture
def isolated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Work in an empty directory, without the proxies and passwords of the caller."""
    scripted_server.isolate_client(monkeypatch, tmp_path / "home")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A server that misbehaves as it is told."""
    with scripted_server.run_server() as server:
        yield server


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], server: ScriptedServer) -> Callable[..., Run]:
    """Run the command into `public`, and return its output and the requests that it sent to `server`."""
    return lambda *arguments: Run(capsys, server, *arguments)


@pytest.fixture(scope="module")
def _module_page_server() -> Iterator[PageServer]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            patch.delenv(name, raising=False)
        patch.setenv("NETRC", os.devnull)
        server = PageServer()
        yield server
        server.close()


@pytest.fixture
def page_server(_module_page_server: PageServer) -> PageServer:
    """A server of pages, without any page."""
    _module_page_server.pages.clear()
    _module_page_server.redirects.clear()
    _module_page_server.received.clear()
    _module_page_server.status = 404
    return _module_page_server


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
