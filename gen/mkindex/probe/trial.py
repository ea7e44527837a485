"""`mkindex client --check`: install a project with the configuration that was printed, in a scratch directory."""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from mkindex.clients.served import ServedIndex
from mkindex.errors import ConfigError

_TIMEOUT = 600  # seconds
_SHOWN = 30  # last lines of the output of a client


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """The result: what was installed, or why not."""

    is_installed: bool
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Run:
    """How a client installs in a project. No wheel is built, because that would run code of the index."""

    arguments: Sequence[str]
    settings: Mapping[str, str]  # environment variables; {} stands for the scratch directory
    table: str = ""  # for pyproject.toml, so that the client does not install the project itself


_RUNS = {
    "uv": _Run(
        arguments=("sync", "--no-build", "--no-progress"),
        settings={"UV_CACHE_DIR": "{}/cache", "UV_PROJECT_ENVIRONMENT": ".venv"},
    ),
    "pip": _Run(
        arguments=("install", "--no-input", "--no-cache-dir", "--only-binary=:all:", "--target=.venv"),
        settings={"PIP_CONFIG_FILE": "{}/project/pip.conf", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    ),
    "poetry": _Run(
        arguments=("install", "--no-interaction", "--no-ansi"),
        settings={
            "POETRY_CACHE_DIR": "{}/cache",
            "POETRY_INSTALLER_ONLY_BINARY": ":all:",
            "POETRY_VIRTUALENVS_IN_PROJECT": "true",
        },
        table="[tool.poetry]\npackage-mode = false\n",
    ),
    "pdm": _Run(
        arguments=("install", "--no-self"),
        settings={
            "PDM_CACHE_DIR": "{}/cache",
            "PDM_CHECK_UPDATE": "false",
            "PDM_IGNORE_ACTIVE_VENV": "true",
            "PDM_ONLY_BINARY": ":all:",
            "PDM_USE_VENV": "false",
        },
        table="[tool.pdm]\ndistribution = false\n",
    ),
}


def try_configuration(text: str, client: str, indexes: Sequence[ServedIndex]) -> Trial:
    """Install the first project of the indexes with the configuration `text` of a client. Raises ConfigError."""
    program = _program(client)
    index = next((index for index in indexes if index.projects), None)
    if index is None:
        raise ConfigError(
            "--check needs a project to install, and the index could not be read: put its password into ~/.netrc"
        )
    project = index.projects[0]
    variant = next((one for one in index.variants if project in one.projects), None) if client == "uv" else None
    run = _RUNS[client]
    with tempfile.TemporaryDirectory(prefix="mkindex-client-") as scratch:
        place = Path(scratch, "project")
        place.mkdir()
        _write_project(place, text, client, [] if variant else [project])
        arguments = [*run.arguments, *(["--extra", variant.extra] if variant else [])]
        arguments += [project] if client == "pip" else []
        settings = {name: value.replace("{}", scratch) for name, value in run.settings.items()}
        environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"} | settings
        try:
            done = subprocess.run(
                [*program, *arguments],
                cwd=place,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Trial(is_installed=False, text=f"{client} did not end within {_TIMEOUT} s")
        lines = done.stdout.decode(errors="replace").splitlines()
        version = _installed_version(place, project)
    if done.returncode or version is None:
        shown = "\n".join(f"  {line}" for line in lines[-_SHOWN:])
        return Trial(is_installed=False, text=f"{client} could not install {project} with this configuration:\n{shown}")
    return Trial(is_installed=True, text=f"{client} installed {project} {version} with this configuration")


def _program(client: str) -> Sequence[str]:
    if found := shutil.which(client):
        return [found]
    if client == "pip":
        return [sys.executable, "-m", "pip"]
    raise ConfigError(f"--check runs {client}, which is not installed (no such program in PATH)")


def _write_project(place: Path, text: str, client: str, requirements: Sequence[str]) -> None:
    if client == "pip":
        (place / "pip.conf").write_text(text)
        return
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    (place / "pyproject.toml").write_text(
        f'[project]\nname = "trial"\nversion = "0"\nrequires-python = "=={python}.*"\n'
        f"dependencies = {json.dumps(list(requirements))}\n\n{_RUNS[client].table}\n{text}"
    )


def _installed_version(place: Path, project: str) -> str | None:
    """Return the version of a project that is installed in a scratch project, None if it is not."""
    paths = [place / ".venv", *place.glob(".venv/lib*/python*/site-packages"), *place.glob("__pypackages__/*/lib")]
    paths.append(place / ".venv/Lib/site-packages")  # on Windows
    for found in importlib.metadata.distributions(path=list(map(str, paths))):
        if canonicalize_name(found.name) == project:
            return found.version
    return None
