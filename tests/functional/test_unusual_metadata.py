"""Core metadata that is not quite right: mkindex says of it what pip and uv do with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mkindex.distributions.requirements import requirement_problem
from mkindex.distributions.specifiers import why_unusable
from support.builds import publish
from support.clients import INSTALLERS, ClientFailed, ClientHome
from support.http_servers import serve_directory
from support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

OLD, NEW, ERROR = "1.0", "1.1", None

# Each of these is in version 1.1 of a project; what pip and uv install.
REQUIREMENTS: dict[str, tuple[str, str | None, str | None]] = {
    "invalid": ("helper~=1", OLD, OLD),
    "guessed": ("helper>=1.0.*", OLD, NEW),
    "commented": ("helper>=1 # why", OLD, OLD),
    "repository": ("git+https://host/helper.git", OLD, OLD),
    "of-an-extra": ("other~=1; extra == 'x'", OLD, OLD),
    "folded": ("helper>=1;\n        python_version > '3'", OLD, NEW),
    "for-pip-only": ("helper ()", NEW, OLD),
    "relative": ("helper @ ./helper", ERROR, OLD),
    "uncomparable": ("helper; python_version ~= '3'", ERROR, NEW),
    "elsewhere": ("helper @ {wheels}/helper-1.0-py3-none-any.whl", NEW, ERROR),
    "valid": ("helper[x] (>=1,<2.0a.0) ; extra == 'x' or python_version in '2.7, 3.0'", NEW, NEW),
}
# Each of these is in version 1.1 of a project; what uv installs. pip installs that version.
PYTHONS = {
    ",>=3.6": OLD,
    ">=3.6,": NEW,
    ">=3.6,,<4": OLD,
    ">=3.6, ,<4": OLD,
    ">=3.6 <4": OLD,
    ">=3.6.*": NEW,
    "!=3.0*": NEW,
    "'>=3.6'": NEW,
    ">3": NEW,
    "~=3": OLD,
    "3.6": OLD,
    "^3.6": OLD,
    "<3.99999999999999999999": OLD,
}
CLAIMS: dict[str, list[tuple[str | None, str | None]]] = {
    "pip ignores the file and takes an older version, and so does uv unless it can guess the meaning": [
        (OLD, OLD),
        (OLD, NEW),
    ],
    "pip ignores the file and takes an older version": [(OLD, NEW)],
    "is not valid for uv, which ignores the file and takes an older version": [(NEW, OLD)],
    "pip stops with an error, and uv ignores the file": [(ERROR, OLD)],
    "pip stops with an error": [(ERROR, NEW)],
    "pip takes it from there, but uv stops with an error unless the user requires that address, too": [(NEW, ERROR)],
    "": [(NEW, NEW)],
}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of an index with an old and a new version of each project."""
    directory = tmp_path_factory.mktemp("metadata")
    wheels = directory / "wheels"
    wheels.mkdir()
    write_wheel(wheels, "helper", "1.0")
    for project, (requirement, _, _) in REQUIREMENTS.items():
        write_wheel(wheels, project, OLD)
        write_wheel(wheels, project, NEW, requires_dist=[requirement.format(wheels=wheels.as_uri())])
    for number, requires_python in enumerate(PYTHONS):
        write_wheel(wheels, f"python{number}", OLD)
        write_wheel(wheels, f"python{number}", NEW, requires_python=requires_python)
    write_wheel(wheels, "future", OLD)
    write_wheel(wheels, "future", NEW, metadata_version="3.0", extras=["a b", ""], headers=["Dynamic: Name"])
    publish(wheels, directory / "public")
    with serve_directory(directory / "public", directory / "log") as server:
        yield f"{server.url}simple/"


def installed(client: str, home: ClientHome, index: str, project: str) -> str | None:
    try:
        return INSTALLERS[client](home, index, [project])[project]
    except ClientFailed:
        return None


@pytest.mark.parametrize("project", REQUIREMENTS)
@pytest.mark.parametrize("client", ["pip", "uv"])
def test_a_client_does_with_a_requirement_what_is_said(home: ClientHome, index: str, client: str, project: str) -> None:
    expected = dict(zip(("pip", "uv"), REQUIREMENTS[project][1:], strict=True))
    assert installed(client, home, index, project) == expected[client]


@pytest.mark.parametrize("project", REQUIREMENTS)
def test_what_is_said_of_a_requirement_is_what_clients_do(project: str) -> None:
    requirement, by_pip, by_uv = REQUIREMENTS[project]
    said = requirement_problem(requirement.format(wheels="file:///wheels")).rpartition(": ")[2]
    assert (by_pip, by_uv) in CLAIMS[said]


@pytest.mark.parametrize("client", ["pip", "uv", "poetry", "pdm"])
def test_clients_install_an_unknown_metadata_version_and_do_not_read_extras_and_dynamic(
    home: ClientHome, index: str, client: str
) -> None:
    assert installed(client, home, index, "future") == NEW


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_a_client_does_with_a_requires_python_what_is_said(home: ClientHome, index: str, client: str) -> None:
    projects = [f"python{number}" for number in range(len(PYTHONS))]
    by_uv = dict(zip(projects, PYTHONS.values(), strict=True))
    assert INSTALLERS[client](home, index, projects) == (by_uv if client == "uv" else dict.fromkeys(projects, NEW))


def test_what_is_said_of_a_requires_python_is_what_uv_does() -> None:
    claims = {
        "": {NEW},
        "pip ignores it, but uv may ignore the file": {OLD, NEW},
        "pip uses it, but uv ignores the file": {OLD},
    }
    assert [value for value, by_uv in PYTHONS.items() if by_uv not in claims[why_unusable(value)]] == []
