"""What a command imports: it decides how long a build with nothing to do takes, and so does each new import."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from mkindex.cli import run
from support.wheels import write_wheel

if TYPE_CHECKING:
    from pathlib import Path

# What a build, a check or a watch needs, but not every build.
NOT_ALWAYS = (
    "mkindex.check",
    "mkindex.clients",
    "mkindex.distributions.describe",
    "mkindex.environments",
    "mkindex.policy.rules",
    "mkindex.serve",
    "mkindex.simple.reader",
    "mkindex.site.jinja",
    "mkindex.sources.locks",
    "mkindex.sources.pages",
    "mkindex.watch",
)
# Modules of Python that take some milliseconds.
EXPENSIVE = ("email", "http.client", "pickle", "ssl", "subprocess", "tarfile", "tomllib", "xml", "zipfile")


def imported_by(*arguments: str) -> list[str]:
    """Return the modules that a command imports, in a process of its own."""
    code = (
        "import sys\n"
        "from mkindex.cli import run\n"
        "status = run(sys.argv[1:])\n"
        "print(*sorted(sys.modules), file=sys.stderr)\n"
        "sys.exit(status)\n"
    )
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stderr.splitlines()[-1].split()


def distributions_of(modules: list[str]) -> set[str]:
    """Return the top-level modules that are not part of Python; what starts with an underscore is of an installer."""
    own = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names
    return {name for name in own if not name.startswith("_") and name not in ("mkindex", "sitecustomize")}


def test_a_build_with_nothing_to_do_imports_neither_what_reads_files_nor_what_renders_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mkindex.cache.RACY_NS", -(10**15))  # facts of a new wheel are remembered at once
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "demo", "1.0")
    build = (str(tmp_path / "wheels"), str(tmp_path / "public"), "--cache-dir", str(tmp_path / "cache"))
    assert run([*build]) == 0
    modules = imported_by(*build)
    unwanted = {name for name in modules if name.startswith((*EXPENSIVE, *NOT_ALWAYS))}
    assert (distributions_of(modules), unwanted) == ({"click"}, set())


def test_requests_without_a_proxy_do_not_import_what_reads_the_settings_of_proxies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    code = "import sys; from mkindex.web.proxies import Proxies; Proxies(); print('urllib.request' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{sys.platform in ('darwin', 'win32')}\n"


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_version_and_help_import_no_part_of_a_build(option: str) -> None:
    modules = imported_by(option)
    unwanted = {name for name in modules if name.startswith((*EXPENSIVE, *NOT_ALWAYS, "mkindex.build.", "sqlite3"))}
    assert (distributions_of(modules), unwanted) == ({"click"}, set())
