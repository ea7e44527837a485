"""Bundles from locks of real clients, installed by them after the index that they were locked with is gone."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest

from mkindex import cli
from mkindex.clients.bundle import Bundle, installation_text
from support.builds import publish
from support.clients import ClientHome, installed_in_project, installed_versions, write_uv_project
from support.http_servers import serve_directory
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REQUIREMENTS = ("web[fast]", "num<2; sys_platform == 'win32'", "num>=2; sys_platform != 'win32'", "only-sdist")
INSTALLED = {"web": "1.0", "speed": "1.0", "num": "2.0", "only-sdist": "3.0", "native": "1.0"}


class Locked(NamedTuple):
    """A locked project, and a bundle of its lock."""

    home: ClientHome
    bundle: Path


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of the index that projects are locked with."""
    wheels, tree = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("upstream")
    write_wheel(wheels, "web", "1.0", requires_dist=["native", "speed; extra == 'fast'"], extras=["fast"])
    for name, version in (("speed", "1.0"), ("num", "1.0"), ("num", "2.0")):
        write_wheel(wheels, name, version)
    for tag in ("py3-none-manylinux_2_17_x86_64", "py3-none-manylinux_2_17_aarch64", "py3-none-win_amd64"):
        write_wheel(wheels, "native", "1.0", tag=tag)
    write_sdist(wheels, "only-sdist", "3.0")
    publish(wheels, tree)
    return tree


@pytest.fixture(scope="module")
def locked_by_uv(upstream: Path, tmp_path_factory: pytest.TempPathFactory) -> Locked:
    """A project that uv locked, and also exported, with the bundle of all its locks. The index is gone."""
    home, bundle = ClientHome(tmp_path_factory.mktemp("home")), tmp_path_factory.mktemp("public") / "a bündle"
    with serve_directory(upstream, tmp_path_factory.mktemp("server") / "log") as server:
        write_uv_project(home, f"{server.url}simple/", REQUIREMENTS)
        home.uv("lock")
        locks = {"pylock.toml": "pylock.toml", "requirements.txt": "requirements-txt"}
        for name, form in locks.items():
            options = ("--emit-index-url",) if form == "requirements-txt" else ()
            home.uv("export", "--format", form, "--output-file", name, *options)
        sources = [str(home.project / name) for name in ("uv.lock", *locks)]
        assert cli.run([*sources, str(bundle), "--remote", "mirror", "--no-cache", "--quiet"]) == 0
    home.forget()
    return Locked(home, bundle)


@pytest.fixture
def elsewhere(locked_by_uv: Locked, tmp_path: Path) -> Iterator[ClientHome]:
    """The project on another machine."""
    home = ClientHome(tmp_path / "home")
    home.project.mkdir(parents=True)
    home.project.joinpath("pyproject.toml").write_text((locked_by_uv.home.project / "pyproject.toml").read_text())
    yield home
    home.forget()


def commands(bundle: Path, heading: str) -> list[str]:
    """The commands below a heading of INSTALL.md."""
    section = (bundle / "locks/INSTALL.md").read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [line for block in section.split("```sh\n")[1:] for line in block.split("\n```")[0].splitlines()]


def test_uv_syncs_offline_with_the_command_in_the_bundle(locked_by_uv: Locked, elsewhere: ClientHome) -> None:
    bundle = locked_by_uv.bundle
    with_app = (one.replace("APP", str(elsewhere.project)) for one in commands(bundle, "uv.lock")[-2:])
    relocate, sync = (shlex.split(one.replace("$PWD", str(bundle))) for one in with_app)
    assert [(one[0], "--offline" in one) for one in (relocate, sync)] == [("uv", True), ("uv", True)]
    for command in (relocate, sync):
        elsewhere.uv("--directory", bundle, *command[1:])
    assert installed_in_project(elsewhere) == INSTALLED


def test_uv_syncs_a_script_offline_with_the_command_in_the_bundle(upstream: Path, home: ClientHome) -> None:
    script, bundle = home.project / "job.py", home.path / "bundle"
    home.project.mkdir()
    script.write_text('# /// script\n# dependencies = ["web[fast]"]\n# ///\nimport web, speed, native\n')
    with serve_directory(upstream, home.path / "log") as server:
        home.uv("lock", "--script", script, "--default-index", f"{server.url}simple/")
        lock = f"{script}.lock"
        assert cli.run([lock, str(bundle), "--remote", "mirror", "--no-cache", "--quiet"]) == 0
    home.forget()
    for command in commands(bundle, "job.py.lock")[-2:]:
        words = shlex.split(command.replace("APP", str(home.project)).replace("$PWD", str(bundle)))
        home.uv("--directory", bundle, *words[1:])
    home.uv("run", "--locked", "--offline", "--script", script)


def test_uv_syncs_from_a_server_at_the_address_in_the_lock(
    locked_by_uv: Locked, elsewhere: ClientHome, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(locked_by_uv.bundle, moved)
    with serve_directory(moved, tmp_path / "log") as server:
        assert cli.run(["relocate", str(moved), "--url", server.url]) == 0
        elsewhere.project.joinpath("uv.lock").write_text((moved / "locks/uv.lock").read_text())
        elsewhere.uv("sync", "--locked")
    assert installed_in_project(elsewhere) == INSTALLED


@pytest.mark.parametrize("option", ["-i", "--index-url", "--extra-index-url", "--pypi-url"])
def test_the_command_for_requirements_removes_each_index_that_they_name(tmp_path: Path, option: str) -> None:
    bundle = Bundle(base="", is_public=False, simple_path="simple", locks=[("requirements.txt", "requirements")])
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks/INSTALL.md").write_text(installation_text(bundle))
    lines = f"{option} https://host.example/simple/\n-e .\ndemo==1.0\n"
    (tmp_path / "locks/requirements.txt").write_text(lines)
    grep, *_ = commands(tmp_path, "requirements.txt")
    subprocess.run(["sh", "-ec", grep.replace("APP", ".")], cwd=tmp_path, check=True)
    assert (tmp_path / "requirements.txt").read_text() == "demo==1.0\n"


@pytest.mark.parametrize("client", ["pip", "uv"])
@pytest.mark.parametrize("lock", ["pylock.toml", "requirements.txt"])
def test_other_locks_install_without_a_server(
    locked_by_uv: Locked, elsewhere: ClientHome, tmp_path: Path, client: str, lock: str
) -> None:
    bundle, target = locked_by_uv.bundle, tmp_path / "target"
    path, index = bundle / "locks" / lock, f"{bundle.as_uri()}/simple/"
    if lock == "requirements.txt":  # the index that the file names has precedence
        text = path.read_text().replace("http://localhost:8000/", f"{bundle.as_uri()}/")
        (path := tmp_path / lock).write_text(text)
    if client == "pip":
        source = ("--no-index",) if lock == "pylock.toml" else ("--require-hashes",)
        elsewhere.pip("pip", "install", *source, "--target", target, "-r", path)
    elif lock == "pylock.toml":
        elsewhere.uv("pip", "install", "--offline", "--target", target, "-r", path)
    else:
        elsewhere.uv("pip", "install", "--offline", "--default-index", index, "--target", target, "-r", path)
    assert installed_versions(target) == INSTALLED
