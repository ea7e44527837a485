"""Ten shapes of set-ups: the output of `mkindex client`, pasted as it is, makes the client install our versions.

A second index, which clients use as the public one, has a higher version of everything.
"""

from __future__ import annotations

import base64
import re
import subprocess
import sys
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from mkindex.cli import run
from support import scripted_server
from support.builds import publish
from support.clients import (
    ClientFailed,
    ClientHome,
    installed_in_project,
    installed_versions,
    why_not_run,
    write_project,
)
from support.http_servers import serve_directory
from support.index_server import serve_index
from support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

OURS = {"demo": "1.0", "helper": "1.0"}


FILES = {
    "ours": ("demo==1.0", "helper==1.0"),
    "team": ("tool==1.0", "demo==5.0"),
    "gpu": ("accel==1.0+cpu", "accel==1.0+cu128", "plain==1.0"),
    "public": ("demo==9.0", "helper==9.0", "tool==9.0", "accel==9.0", "plain==9.0", "other==1.0"),
}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The trees of our index, of another of ours, of one with variants, and of a stranger."""
    found = {}
    for name, policy in ("ours", ""), ("team", ""), ("gpu", '[variants]\nby = "local"\n'), ("public", ""):
        wheels, found[name] = tmp_path_factory.mktemp(f"{name}-wheels"), tmp_path_factory.mktemp(name) / "public"
        for release in FILES[name]:
            project, _, version = release.partition("==")
            write_wheel(wheels, project, version, requires_dist=["helper"] if release == "demo==1.0" else [])
        (wheels.parent / f"{name}.toml").write_text(policy)
        reserve = ("ours-*",) if name == "ours" else ()  # as a fallback requires
        publish(wheels, found[name], links=True, policy=str(wheels.parent / f"{name}.toml"), reserve=reserve)
    return found


@pytest.fixture(scope="module")
def urls(places: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The address of each tree, with a slash at its end."""
    log = tmp_path_factory.mktemp("logs")
    with (
        serve_directory(places["ours"], log / "ours") as ours,
        serve_directory(places["team"], log / "team") as team,
        serve_directory(places["gpu"], log / "gpu") as gpu,
        serve_directory(places["public"], log / "public") as public,
    ):
        yield {"ours": ours.url, "team": team.url, "gpu": gpu.url, "public": public.url}


@dataclass(frozen=True)
class User:
    """A user of uv who pastes the output into a project. `public` is the index that uv uses by default."""

    home: ClientHome
    public: str
    capsys: pytest.CaptureFixture[str]

    def printed(self, *arguments: str) -> str:
        """Return the output of `mkindex client`."""
        self.capsys.readouterr()
        assert run(["client", *arguments]) == 0
        out, err = self.capsys.readouterr()
        assert err == ""
        return out

    def sync(self, text: str, requirements: Sequence[str], *options: str, **settings: str) -> dict[str, str]:
        """Return what `uv sync` installs in a project with this text."""
        write_project(self.home, requirements, f"\n{text}")
        home = replace(self.home, settings=settings)
        home.uv("sync", *(() if "default = true" in text else ("--default-index", self.public)), *options)
        return installed_in_project(home)


@pytest.fixture
def user(
    home: ClientHome, urls: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> User:
    scripted_server.isolate_client(monkeypatch, home.path)
    monkeypatch.chdir(home.path)  # `mkindex client` looks at the pyproject.toml of the current directory
    return User(home, f"{urls['public']}simple/", capsys)


def test_one_index(user: User, urls: dict[str, str]) -> None:
    text = user.printed(f"{urls['ours']}simple/")
    assert user.sync(text, ["demo", "helper", "other"]) == {**OURS, "other": "1.0"}


def test_some_projects_of_an_explicit_index(user: User, urls: dict[str, str]) -> None:
    text = user.printed(f"{urls['ours']}simple/", "--project", "demo")
    assert user.sync(text, ["demo"]) == {"demo": "1.0", "helper": "9.0"}


def test_two_indexes_the_first_of_which_has_priority(user: User, urls: dict[str, str]) -> None:
    text = user.printed(f"{urls['ours']}simple/", f"{urls['team']}simple/")
    assert user.sync(text, ["demo", "helper", "tool", "other"]) == {**OURS, "tool": "1.0", "other": "1.0"}


def test_a_default_index(user: User, urls: dict[str, str]) -> None:
    text = user.printed(f"{urls['ours']}simple/", "--default")
    assert user.sync(text, ["demo"]) == OURS


def test_variants_that_exclude_each_other(user: User, urls: dict[str, str]) -> None:
    text = user.printed(f"{urls['gpu']}simple/")
    for variant in ("cpu", "cu128"):
        assert user.sync(text, ["plain"], "--extra", variant) == {"accel": f"1.0+{variant}", "plain": "1.0"}
    with pytest.raises(ClientFailed, match="incompatible"):
        user.sync(text, ["plain"], "--extra", "cpu", "--extra", "cu128")
    text = user.printed(f"{urls['gpu']}simple/", "--variant", "cpu")
    assert user.sync(text, ["accel", "plain"]) == {"accel": "1.0+cpu", "plain": "1.0"}


@contextmanager
def _serving(tree: Path, *options: str) -> Iterator[str]:
    command = [sys.executable, "-m", "mkindex", "serve", str(tree), "--bind", "127.0.0.1:0", "--quiet", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().partition(" at ")[2].partition(" ")[0]
        process.kill()


def test_pip_with_an_index_that_falls_back_to_the_public_one(user: User, places: dict[str, Path]) -> None:
    with _serving(places["ours"], "--fallback", user.public) as url:
        text = user.printed(f"{url}simple/", "--for", "pip")
        user.home.project.mkdir()
        (user.home.project / "pip.conf").write_text(text)
        home = replace(user.home, settings={"PIP_CONFIG_FILE": str(user.home.project / "pip.conf")})
        home.pip("pip", "install", "--target", home.path / "target", "demo", "other")
        assert installed_versions(home.path / "target") == {**OURS, "other": "1.0"}


@pytest.mark.parametrize("how", ["netrc", "keyring"])
def test_an_index_with_a_password(user: User, places: dict[str, Path], how: str) -> None:
    with serve_index(places["ours"]) as host:
        host.authorization = f"Basic {base64.b64encode(b'reader:s3cret').decode()}"
        text = user.printed(f"{host.url.replace('//', '//reader:s3cret@')}simple/")
        assert "s3cret" not in text
        settings = {}
        if how == "netrc":
            (line,) = re.findall(r"machine \S+ login .*", text)
            (user.home.path / ".netrc").write_text(line.replace("USERNAME", "reader").replace("PASSWORD", "s3cret"))
        else:
            (name,) = re.findall(r"with (\w+_KEYRING_PROVIDER)=subprocess", text)
            (address,) = re.findall(r"^#   keyring set (\S+) USERNAME$", text, re.MULTILINE)
            program = user.home.path / "bin/keyring"
            program.parent.mkdir()
            # As the keyring of this name answers: a user name and a password for one address.
            program.write_text(f'#!/bin/sh\n[ "$2" = "{address}" ] && printf "reader\\ns3cret\\n"\n')
            program.chmod(0o755)
            settings = {name: "subprocess", "PATH": f"{program.parent}:/usr/bin:/bin"}
        assert user.sync(text, ["demo", "helper"], **settings) == OURS


def test_a_find_links_page(user: User, urls: dict[str, str]) -> None:
    text = user.printed(f"{urls['ours']}links.html")
    assert user.sync(text, ["demo", "helper", "other"]) == {**OURS, "other": "1.0"}


@pytest.mark.parametrize("client", ["uv", "poetry", "pdm"])
def test_a_closed_network_with_two_indexes(user: User, urls: dict[str, str], client: str) -> None:
    # Nothing else can be reached: every other address goes to a proxy that is not there.
    both = [f"{urls['ours']}simple/", f"{urls['team']}simple/", "--default"]
    text = user.printed(*both, "--for", client, *(["--project", "*"] if client == "poetry" else []))
    tables = {"uv": "", "poetry": "[tool.poetry]\npackage-mode = false\n", "pdm": "[tool.pdm]\ndistribution = false\n"}
    write_project(user.home, ["demo", "helper", "tool"], f"{tables[client]}\n{text}")
    user.home.run(client, client, "sync" if client == "uv" else "install")
    assert installed_in_project(user.home) == {**OURS, "tool": "1.0"}


def test_several_pythons(user: User, tmp_path: Path) -> None:
    wheels, tree = tmp_path / "wheels", tmp_path / "tree"
    wheels.mkdir()
    for version, tag, python in ("1.0", "py3-none-any", ">=3.9"), ("2.0", "cp314-cp314-win_amd64", ">=3.14"):
        text = f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\nRequires-Python: {python}\n"
        write_wheel(wheels, "demo", version, tag=tag, metadata=text.encode())
    publish(wheels, tree)
    with serve_directory(tree, tmp_path / "log") as server:
        text = user.printed(f"{server.url}simple/")
        write_project(user.home, ["demo<2; python_version < '3.14'", "demo; python_version >= '3.14'"], f"\n{text}")
        user.home.uv("lock", "--default-index", user.public)
    locked = tomllib.loads((user.home.project / "uv.lock").read_text())["package"]
    assert {(one["version"], one["source"]["registry"]) for one in locked if one["name"] == "demo"} == {
        (version, f"{server.url}simple/") for version in ("1.0", "2.0")
    }


def test_a_workspace_whose_members_use_the_index_of_its_root(user: User, urls: dict[str, str]) -> None:
    text = user.printed(f"{urls['ours']}simple/")
    write_project(user.home, ["app"], f"\n{text}app = {{ workspace = true }}\n")
    root = user.home.project / "pyproject.toml"
    # The printed text ends with a comment, so the line above belongs to [tool.uv.sources].
    root.write_text(root.read_text() + '\n[tool.uv.workspace]\nmembers = ["packages/*"]\n')
    member = user.home.project / "packages/app"
    member.mkdir(parents=True)
    member.joinpath("pyproject.toml").write_text(
        '[project]\nname = "app"\nversion = "0"\nrequires-python = ">=3.11,<4"\ndependencies = ["demo", "helper"]\n'
        "[tool.uv]\npackage = false\n"
    )
    user.home.uv("sync", "--default-index", user.public)
    assert installed_in_project(user.home) == OURS


@pytest.mark.parametrize("client", ["uv", "pip", "poetry", "pdm"])
def test_check_installs_with_what_it_printed(
    user: User, urls: dict[str, str], client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if why_not_run(client, sys.version_info[:2]):
        pytest.skip("it does not run here")
    from support.clients import CLIENTS, SETTINGS

    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(user.home.path))
    monkeypatch.setenv("PATH", f"{CLIENTS / client / 'bin'}:/usr/bin:/bin")
    arguments = ["client", f"{urls['team']}simple/", "--for", client, "--project", "tool", "--check"]
    user.capsys.readouterr()
    assert run(arguments) == 0
    assert user.capsys.readouterr().err == f"{client} installed tool 1.0 with this configuration\n"
    monkeypatch.setenv("PATH", str(user.home.path))
    if client != "pip":
        assert run(arguments) == 2
        assert user.capsys.readouterr().err.endswith(
            f"error --check runs {client}, which is not installed (no such program in PATH)\n"
        )
