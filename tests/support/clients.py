"""The real clients, each in its own environment (`make clients`), with no settings except those of a test."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
from packaging.utils import canonicalize_name

from support.requirements import skip_or_fail

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CLIENTS = Path(__file__).resolve().parents[2] / ".clients"
PIPS = ("pip", "pip-23.1.2", "pip-22.3.1")

# The newest Python that runs a client, and why no newer one does. CLIENTS in the Makefile has the same condition.
NEWEST_PYTHON: dict[str, tuple[tuple[int, int], str]] = {
    "pip-22.3.1": ((3, 11), "it needs pkgutil.ImpImporter, which Python 3.12 removed"),
}

# The variables of the caller that clients get: how to run programs, and which certificates to trust.
KEPT_VARIABLES = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
)
UNREACHABLE_PROXY = "http://127.0.0.1:9"  # nothing listens there, so a request to another machine fails
SETTINGS = {
    **dict.fromkeys(
        ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), UNREACHABLE_PROXY
    ),
    **dict.fromkeys(("no_proxy", "NO_PROXY"), "127.0.0.1"),
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "UV_PYTHON_DOWNLOADS": "never",
    "UV_PYTHON": sys.executable,
    "UV_LINK_MODE": "copy",
    "POETRY_VIRTUALENVS_IN_PROJECT": "true",
    "POETRY_VIRTUALENVS_USE_POETRY_PYTHON": "true",
    "POETRY_NO_INTERACTION": "1",
    "PDM_CHECK_UPDATE": "false",
    "PDM_USE_VENV": "false",  # except __pypackages__, which is created quickly
}


def why_not_run(client: str, python: tuple[int, ...]) -> str:
    """Return why a version of Python cannot run a client, or an empty string if it can."""
    newest, reason = NEWEST_PYTHON.get(client, (python, ""))
    if python <= newest:
        return ""
    return (
        f"{client} does not run with Python {python[0]}.{python[1]}: {reason} (make clients CLIENT_PYTHON=python3.11)"
    )


def python_of(client: str) -> tuple[int, ...] | None:
    """Return the version of the Python that a client was installed with, or None if it is not installed."""
    try:
        settings = (CLIENTS / client / "pyvenv.cfg").read_text()
    except FileNotFoundError:
        return None
    version = re.search(r"^version = (\d+)\.(\d+)", settings, re.MULTILINE)
    return (int(version[1]), int(version[2])) if version else None


class ClientFailed(Exception):
    """A client that exited with another status than 0. The text is its output."""


@dataclass(frozen=True)
class ClientHome:
    """An empty home directory: a client that runs here has no settings, no cache and no project of its own.

    `settings`: variables of the environment, in addition to those that every client gets. `wrapper`: the beginning of
    the command that runs a client.
    """

    path: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    wrapper: tuple[str, ...] = ()

    @property
    def project(self) -> Path:
        return self.path / "project"

    def run(self, client: str, *command: str | Path) -> str:
        """Run a program of `client` in the project; return its output. Raises Refused."""
        self.project.mkdir(exist_ok=True)
        program = CLIENTS / client / "bin" / command[0]
        if reason := why_not_run(client, python_of(client) or sys.version_info[:2]):
            skip_or_fail(reason)
        if not (CLIENTS / client / ".ready").exists():
            skip_or_fail(f"{client}: make clients")
        environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ} | SETTINGS
        environment["HOME"] = str(self.path)
        for kind in ("config", "cache", "data", "state"):
            environment[f"XDG_{kind.upper()}_HOME"] = str(self.path / kind)
        environment["XDG_CONFIG_DIRS"] = str(self.path / "etc")
        environment |= self.settings
        done = subprocess.run(
            [*self.wrapper, program, *command[1:]],
            cwd=self.project,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            raise ClientFailed(f"{client} {' '.join(map(str, command))}\n{done.stdout}")
        return done.stdout

    def pip(self, client: str, *arguments: str | Path) -> str:
        return self.run(client, "python", "-m", "pip", *arguments)

    def uv(self, *arguments: str | Path) -> str:
        return self.run("uv", "uv", *arguments)

    def forget(self) -> None:
        """Delete the cache and the installed projects; keep the project and its lock file."""
        for path in (self.path / "cache", self.project / ".venv", self.project / "__pypackages__"):
            shutil.rmtree(path, ignore_errors=True)


def installed_versions(directory: Path) -> dict[str, str]:
    """Return project and version of every distribution in a directory that Python imports from; not pip's own."""
    distributions = importlib.metadata.distributions(path=[str(directory)])
    return {canonicalize_name(found.name): found.version for found in distributions if found.name != "pip"}


def index_option(url: str) -> str:
    """Return the option that pip and uv take an address with: a find-links page's name ends in .html."""
    return "--find-links" if url.endswith(".html") else "--index-url"


def write_project(home: ClientHome, requirements: Sequence[str], tool: str) -> None:
    """Write the pyproject.toml of a project that only has dependencies."""
    home.project.mkdir(exist_ok=True)
    home.project.joinpath("pyproject.toml").write_text(
        '[project]\nname = "consumer"\nversion = "0"\nrequires-python = ">=3.11,<4"\n'
        f"dependencies = {list(requirements)}\n{tool}"
    )


def write_uv_project(home: ClientHome, url: str, requirements: Sequence[str]) -> None:
    flat = 'format = "flat"\n' if url.endswith(".html") else ""
    index = f'[[tool.uv.index]]\nname = "ours"\nurl = "{url}"\ndefault = true\n{flat}'
    write_project(home, requirements, f"[tool.uv]\npackage = false\n{index}")


def write_poetry_project(home: ClientHome, url: str, requirements: Sequence[str]) -> None:
    source = f'[[tool.poetry.source]]\nname = "ours"\nurl = "{url}"\npriority = "primary"\n'
    write_project(home, requirements, f"[tool.poetry]\npackage-mode = false\n{source}")


def write_pdm_project(home: ClientHome, url: str, requirements: Sequence[str]) -> None:
    kind = "find_links" if url.endswith(".html") else "index"
    # A source of this name replaces the default source of PDM.
    source = f'[[tool.pdm.source]]\nname = "pypi"\nurl = "{url}"\ntype = "{kind}"\n'
    write_project(home, requirements, f"[tool.pdm]\ndistribution = false\n{source}")


class Installer(Protocol):
    """Install requirements from an index, or from a find-links page; return the installed projects."""

    def __call__(self, home: ClientHome, url: str, requirements: Sequence[str]) -> dict[str, str]: ...


def _pip(home: ClientHome, url: str, requirements: Sequence[str], *, client: str) -> dict[str, str]:
    alone = ["--no-index"] if url.endswith(".html") else []
    home.pip(client, "install", *alone, index_option(url), url, "--target", home.path / "target", *requirements)
    return installed_versions(home.path / "target")


def _uv(home: ClientHome, url: str, requirements: Sequence[str]) -> dict[str, str]:
    alone = ["--no-index"] if url.endswith(".html") else []
    home.uv(
        "pip", "install", "--no-config", *alone, index_option(url), url, "--target", home.path / "target", *requirements
    )
    return installed_versions(home.path / "target")


def _uv_sync(home: ClientHome, url: str, requirements: Sequence[str]) -> dict[str, str]:
    write_uv_project(home, url, requirements)
    home.uv("sync")
    return installed_in_project(home)


def _poetry(home: ClientHome, url: str, requirements: Sequence[str]) -> dict[str, str]:
    write_poetry_project(home, url, requirements)
    home.run("poetry", "poetry", "install")
    return installed_in_project(home)


def _pdm(home: ClientHome, url: str, requirements: Sequence[str]) -> dict[str, str]:
    write_pdm_project(home, url, requirements)
    home.run("pdm", "pdm", "install")
    return installed_in_project(home)


def installed_in_project(home: ClientHome) -> dict[str, str]:
    """Return the projects that are installed in the environment of the project, wherever that is."""
    places = [*home.project.glob(".venv/lib/python*/site-packages"), *home.project.glob("__pypackages__/*/lib")]
    if len(places) != 1:
        pytest.fail(f"there should be one environment in {home.project}: {places}")
    return installed_versions(places[0])


INSTALLERS: dict[str, Installer] = {
    **{client: partial(_pip, client=client) for client in PIPS},
    "uv": _uv,
    "uv sync": _uv_sync,
    "poetry": _poetry,
    "pdm": _pdm,
}
