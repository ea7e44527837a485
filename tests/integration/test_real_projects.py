"""Real projects that real clients lock, carried to a machine without any network, and installed there."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import replace
from platform import machine
from typing import TYPE_CHECKING

import pytest

from mkindex import cli
from support.builds import publish
from support.clients import (
    CLIENTS,
    ClientHome,
    installed_in_project,
    installed_versions,
    write_poetry_project,
    write_project,
    write_uv_project,
)
from support.closed_network import Upstream, cut
from support.http_servers import serve_with_nginx
from support.requirements import skip_or_fail

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["cut"]

FILES = CLIENTS / "real-projects"
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
HERE = f"linux_{machine()}"
WEB = ("flask", "uvicorn[standard]")
PROJECTS = {
    "a web app": (WEB, "flask, uvicorn, uvloop"),
    "a science stack": (("numpy", "pandas"), "pandas"),
    "markers and extras": (("requests[socks]; sys_platform != 'win32'", "click; sys_platform == 'win32'"), "socks"),
    "only an sdist": (("docopt",), "docopt"),
}


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    """The index that projects are locked with, of files that `make clients` downloads."""
    if not (FILES / ".ready").exists():
        skip_or_fail("real projects: make clients")
    tree = tmp_path / "upstream"
    publish(FILES, tree)
    with serve_with_nginx(tree, tmp_path / "nginx") as url:
        yield Upstream(tree, url)


def bundle(home: ClientHome, lock: str, *options: str, platforms: tuple[str, ...] = (HERE,)) -> Path:
    """The bundle of a lock for this Python, which is proven complete."""
    directory = home.path / "a bundle"
    for_targets = ("--python", PYTHON, *(part for one in platforms for part in ("--platform", one)))
    arguments = [str(home.project / lock), str(directory), "--remote", "mirror", "--no-cache", *options, *for_targets]
    assert cli.run([*arguments, "--quiet"]) == 0
    return directory


def commands(tree: Path, home: ClientHome, heading: str, count: int) -> list[list[str]]:
    """The last commands below a heading of INSTALL.md, for the project."""
    section = (tree / "locks/INSTALL.md").read_text().split(f"\n## {heading}\n")[1]
    lines = [line for block in section.split("```sh\n")[1:] for line in block.split("\n```")[0].splitlines()]
    return [shlex.split(line.replace("APP", str(home.project)).replace("$PWD", str(tree))) for line in lines[-count:]]


@pytest.mark.parametrize("project", PROJECTS)
def test_uv_syncs_a_real_project_without_any_network(
    upstream: Upstream, home: ClientHome, cut: tuple[str, ...], project: str
) -> None:
    requirements, modules = PROJECTS[project]
    write_uv_project(home, f"{upstream.url}simple/", requirements)
    home.uv("lock")
    expected = would_install(home, HERE)
    options: tuple[str, ...] = ()
    if project == "only an sdist":
        (home.project / "build.in").write_text("setuptools")
        compile_build = ("pip", "compile", "--generate-hashes", "--emit-index-url", "build.in", "-o", "build.txt")
        home.uv(*compile_build, "--default-index", f"{upstream.url}simple/")
        options = ("--build-requires", str(home.project / "build.txt"))
    tree = bundle(home, "uv.lock", *options)
    home.forget()
    offline = replace(home, wrapper=cut)
    for _, *arguments in commands(tree, home, "uv.lock", 2):
        offline.uv("--directory", tree, *arguments)
    assert {f"{name}=={version}" for name, version in installed_in_project(home).items()} == expected
    offline.uv("run", "--frozen", "--offline", "python", "-c", f"import {modules}")


def would_install(home: ClientHome, platform: str) -> set[str]:
    """What `uv sync` would install there."""
    names = {HERE: f"{machine()}-manylinux_2_28", "windows": "x86_64-pc-windows-msvc"}
    output = home.uv("sync", "--frozen", "--dry-run", "--python-platform", names[platform])
    return set(re.findall(r"^ \+ (\S+)$", output, re.MULTILINE))


def test_the_chosen_files_of_a_real_project_are_those_that_uv_would_install(
    upstream: Upstream, home: ClientHome
) -> None:
    write_uv_project(home, f"{upstream.url}simple/", WEB)
    home.uv("lock")
    chosen = {}
    for platform in (HERE, "windows"):
        files = bundle(home, "uv.lock", "--prune", "--grace", "0", platforms=(platform,)).glob("files/*/*/*.whl")
        parts = [path.name.split("-") for path in files]
        chosen[platform] = {f"{name.lower().replace('_', '-')}=={version}" for name, version, *_ in parts}
    assert chosen == {platform: would_install(home, platform) for platform in chosen}


def test_pip_and_uv_install_a_lock_of_pip_without_any_network(
    upstream: Upstream, home: ClientHome, cut: tuple[str, ...]
) -> None:
    home.pip("pip", "lock", "--index-url", f"{upstream.url}simple/", *WEB)
    tree = bundle(home, "pylock.toml")
    home.forget()
    offline, lock = replace(home, wrapper=cut), tree / "locks/pylock.toml"
    offline.pip("pip", "install", "--no-index", "--target", home.path / "pip", "-r", lock)
    offline.uv("pip", "sync", "--offline", "--target", home.path / "uv", lock)
    by_pip, by_uv = (installed_versions(home.path / client) for client in ("pip", "uv"))
    assert (by_pip, {"flask", "uvicorn", "uvloop"} - by_pip.keys()) == (by_uv, set())


def test_pip_installs_what_poetry_exports_without_any_network(
    upstream: Upstream, home: ClientHome, cut: tuple[str, ...]
) -> None:
    write_poetry_project(home, f"{upstream.url}simple/", WEB)
    plugin = "poetry-plugin-export"
    home.run(plugin, "poetry", "lock")
    tree = bundle(home, "poetry.lock")
    *_, (_, *export), (_, *install) = commands(tree, home, "poetry.lock", 2)
    home.run(plugin, "poetry", *export)
    home.forget()
    assert "--hash=sha256:" in (home.project / "requirements.txt").read_text()
    replace(home, wrapper=cut).pip("pip", *install, "--target", home.path / "target")
    assert {"flask", "uvicorn", "uvloop"} - installed_versions(home.path / "target").keys() == set()


@pytest.mark.parametrize("strategy", [(), ("--static-urls",)], ids=["names", "addresses"])
def test_pdm_syncs_a_real_project_without_any_network(
    upstream: Upstream, home: ClientHome, cut: tuple[str, ...], strategy: tuple[str, ...]
) -> None:
    index = f"{upstream.url}simple/"
    write_project(home, WEB, "[tool.pdm]\ndistribution = false\n")
    replace(home, settings={"PDM_PYPI_URL": index}).run("pdm", "pdm", "lock", *strategy)
    tree = bundle(home, "pdm.lock", "--index", index)
    home.forget()
    (_, *relocate), (setting, _, *sync) = commands(tree, home, "pdm.lock", 2)
    home.uv("--directory", tree, "run", "--no-project", "python", *relocate)
    name, _, value = setting.partition("=")
    replace(home, settings={name: value}, wrapper=cut).run("pdm", "pdm", *sync)
    assert {"flask", "uvicorn", "uvloop"} - installed_in_project(home).keys() == set()


def test_pipenv_syncs_a_real_project_without_any_network(
    upstream: Upstream, home: ClientHome, cut: tuple[str, ...]
) -> None:
    home.project.mkdir()
    (home.project / "Pipfile").write_text(
        f'[[source]]\nname = "ours"\nurl = "{upstream.url}simple/"\nverify_ssl = false\n\n'
        '[packages]\nflask = "*"\nuvicorn = { version = "*", extras = ["standard"] }\n'
    )
    here = replace(home, settings={"PIPENV_VENV_IN_PROJECT": "1", "PIPENV_PYTHON": sys.executable})
    here.run("pipenv", "pipenv", "lock")
    tree = bundle(home, "Pipfile.lock")
    home.forget()
    (_, *relocate), *_ = commands(tree, home, "Pipfile.lock", 2)
    home.uv("--directory", tree, "run", "--no-project", "python", *relocate)
    replace(here, wrapper=cut).run("pipenv", "pipenv", "sync")
    assert {"flask", "uvicorn", "uvloop"} - installed_in_project(home).keys() == set()
