"""Paste every configuration that `mkindex client` prints, and install with it.

A second index, where clients look by default, has a higher version of everything: if a client installs that, the
configuration is not safe.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from mkindex.cli import run
from support import scripted_server
from support.builds import publish
from support.clients import ClientFailed, ClientHome, installed_in_project, installed_versions, write_project
from support.http_servers import serve_directory
from support.index_server import IndexServer, Reply, serve_index
from support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

OURS = {"demo": "1.0", "helper": "1.0"}
CLIENTS = ("uv", "pip", "poetry", "pdm")


@pytest.fixture(scope="session")
def private(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tree with our two projects, in a directory with a space in its name. One requires the other."""
    wheels = tmp_path_factory.mktemp("ours")
    write_wheel(wheels, "demo", "1.0", requires_dist=["helper"])
    write_wheel(wheels, "helper", "1.0")
    tree = tmp_path_factory.mktemp("private") / "our own"
    publish(wheels, tree, links=True)
    return tree


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of an index with higher versions of our projects, published by someone else."""
    wheels, tree = tmp_path_factory.mktemp("theirs"), tmp_path_factory.mktemp("public")
    for name in (*OURS, "gone"):
        write_wheel(wheels, name, "9.0")
    write_wheel(wheels, "other", "1.0")
    publish(wheels, tree)
    with serve_directory(tree, tree / "log") as server:
        yield f"{server.url}simple/"


@pytest.fixture(scope="session")
def served(private: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_directory(private, tmp_path_factory.mktemp("log") / "log") as server:
        yield server.url


@pytest.fixture
def host(private: Path) -> Iterator[IndexServer]:
    with serve_index(private) as host:
        yield host


@dataclass(frozen=True)
class User:
    """A user who pastes the output into a project. `public` is the index that clients use by default."""

    home: ClientHome
    public: str
    capsys: pytest.CaptureFixture[str]

    def printed(self, target: str, client: str, *options: str) -> str:
        """Return the output of `mkindex client`."""
        if client == "poetry" and not options:  # poetry needs the names
            options = ("--project", "*")
        status = run(["client", target, "--for", client, *options])
        out, err = self.capsys.readouterr()
        assert (status, err) == (0, "")
        return out

    def install(self, client: str, text: str, *requirements: str, **settings: str) -> dict[str, str]:
        """Return the projects that are installed with a configuration; `settings` are environment variables."""
        return INSTALL[client](replace(self.home, settings=settings), text, requirements, self.public)

    def start_over(self) -> None:
        """Delete installed projects, the cache and the lock file."""
        self.home.forget()
        for lock in self.home.project.glob("*.lock"):
            lock.unlink()


@pytest.fixture
def user(home: ClientHome, stranger: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> User:
    scripted_server.isolate_client(monkeypatch, home.path)
    return User(home, stranger, capsys)


# --- each client, with the public index as its default ----------------------------------------------------------------


def _uv(home: ClientHome, text: str, requirements: Sequence[str], public: str) -> dict[str, str]:
    write_project(home, requirements, f"[tool.uv]\npackage = false\n\n{text}")
    home.uv("sync", "--default-index", public)
    return installed_in_project(home)


def _pip(home: ClientHome, text: str, requirements: Sequence[str], public: str) -> dict[str, str]:
    home.project.mkdir(exist_ok=True)
    (home.project / "pip.conf").write_text(text)
    # Another configuration of the same machine.
    (home.path / "etc/pip").mkdir(parents=True, exist_ok=True)
    (home.path / "etc/pip/pip.conf").write_text(f"[global]\nextra-index-url = {public}\n")
    settings = {**home.settings, "PIP_CONFIG_FILE": str(home.project / "pip.conf")}
    replace(home, settings=settings).pip("pip", "install", "--target", home.path / "target", *requirements)
    return installed_versions(home.path / "target")


def _poetry(home: ClientHome, text: str, requirements: Sequence[str], public: str) -> dict[str, str]:
    source = f'[[tool.poetry.source]]\nname = "public"\nurl = "{public}"\npriority = "primary"\n'
    write_project(home, requirements, f"[tool.poetry]\npackage-mode = false\n\n{source}\n{text}")
    home.run("poetry", "poetry", "install")
    return installed_in_project(home)


def _pdm(home: ClientHome, text: str, requirements: Sequence[str], public: str) -> dict[str, str]:
    source = f'[[tool.pdm.source]]\nname = "pypi"\nurl = "{public}"\n'
    write_project(home, requirements, f"[tool.pdm]\ndistribution = false\n\n{source}\n{text}")
    home.run("pdm", "pdm", "install")
    return installed_in_project(home)


INSTALL: dict[str, Callable[[ClientHome, str, Sequence[str], str], dict[str, str]]] = {
    "uv": _uv,
    "pip": _pip,
    "poetry": _poetry,
    "pdm": _pdm,
}
# The lines for uv and poetry apply only to direct dependencies.
REQUIRED = {client: ["demo", "helper"] if client in ("uv", "poetry") else ["demo"] for client in CLIENTS}


# --- safe configurations ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["simple/", "links.html"])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_installs_our_versions_from_a_server(client: str, page: str, served: str, user: User) -> None:
    text = user.printed(f"{served}{page}", client)
    assert user.install(client, text, *REQUIRED[client]) == OURS


@pytest.mark.parametrize("page", ["", "links.html"])
@pytest.mark.parametrize("client", [client for client in CLIENTS if client != "poetry"])  # it reads no directories
def test_a_client_installs_our_versions_from_a_directory(client: str, page: str, private: Path, user: User) -> None:
    text = user.printed(str(private / page), client)
    assert "our%20own" in text
    assert user.install(client, text, *REQUIRED[client]) == OURS


def _without(text: str, pattern: str) -> str:
    changed = re.sub(pattern, "", text, flags=re.MULTILINE | re.DOTALL)
    assert changed != text
    return changed


@pytest.mark.parametrize(
    ("client", "guard"),
    [
        ("uv", r"^\[tool.uv.sources\].*\Z"),
        ("poetry", r'^priority = "explicit".*\Z'),
        ("pdm", r"^include_packages = .*\Z"),
        ("pip", r"^extra-index-url =$"),
    ],
)
def test_without_the_protecting_lines_the_higher_versions_are_installed(
    client: str, guard: str, served: str, user: User
) -> None:
    text = _without(user.printed(f"{served}simple/", client), guard)
    text += 'priority = "supplemental"\n' if client == "poetry" else ""
    assert user.install(client, text, "demo")["demo"] == "9.0"


def test_uv_installs_the_higher_version_from_a_plain_extra_index(served: str, stranger: str, home: ClientHome) -> None:
    indexes = ("--index-url", f"{served}simple/", "--extra-index-url", stranger)
    home.uv("pip", "install", "--no-config", *indexes, "--target", home.path / "target", "demo")
    assert installed_versions(home.path / "target") == {"demo": "9.0"}


def test_uv_sources_apply_only_to_direct_dependencies(served: str, user: User) -> None:
    text = user.printed(f"{served}simple/", "uv")
    assert user.install("uv", text, "demo") == {"demo": "1.0", "helper": "9.0"}
    user.start_over()
    # As its comment says, a group is enough, even if it is not installed.
    assert user.install("uv", f'[dependency-groups]\nprivate = ["helper"]\n\n{text}', "demo") == OURS


def test_poetry_sources_apply_only_to_project_dependencies(served: str, user: User) -> None:
    text = user.printed(f"{served}simple/", "poetry")
    assert user.install("poetry", text, "demo") == {"demo": "1.0", "helper": "9.0"}
    user.start_over()
    # As its comment says, if there are no dependencies, these lines are.
    assert user.install("poetry", text) == OURS
    user.start_over()
    group = '[dependency-groups]\ndev = ["helper"]\n\n'
    assert user.install("poetry", group + text, "other") == {"other": "1.0", "helper": "9.0"}
    user.start_over()
    (line,) = re.findall("^helper = .*", text, re.MULTILINE)
    group += f"[tool.poetry.group.dev.dependencies]\n{line}\n\n"
    assert user.install("poetry", group + text, "other") == {"other": "1.0", "helper": "1.0"}


@pytest.mark.parametrize("client", ["uv", "poetry", "pdm"])
def test_other_projects_still_come_from_the_default_index(client: str, served: str, user: User) -> None:
    text = user.printed(f"{served}simple/", client, "--project", "d*", "--name", "Our_own")
    assert user.install(client, text, "other", "helper") == {"other": "1.0", "helper": "9.0"}


def test_pip_installs_from_a_list_with_hashes_with_the_command_in_a_comment(
    served: str, stranger: str, private: Path, user: User
) -> None:
    (command,) = re.findall(r"^#   pip (.*)$", user.printed(f"{served}simple/", "pip"), re.MULTILINE)
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in private.rglob("*.whl")}
    user.home.project.mkdir()
    (user.home.project / "requirements.txt").write_text(
        "".join(f"{name} --hash=sha256:{hashes[f'{name}-1.0-py3-none-any.whl']}\n" for name in OURS)
    )
    user.home.pip("pip", *command.split(), "--index-url", stranger, "--target", user.home.path / "target")
    assert installed_versions(user.home.path / "target") == OURS


# --- passwords --------------------------------------------------------------------------------------------------------

NAME, PASSWORD = "somebody", "hunter2"


@pytest.fixture
def guarded(host: IndexServer) -> IndexServer:
    host.authorization = "Basic " + base64.b64encode(f"{NAME}:{PASSWORD}".encode()).decode()
    return host


def _credentials(text: str) -> dict[str, str]:
    """Set the variables of the environment that a configuration names."""
    names = set(re.findall(r"\b[A-Z0-9_]+_(?:USERNAME|PASSWORD)\b", text))
    assert len(names) == 2
    return {name: NAME if name.endswith("USERNAME") else PASSWORD for name in names}


@pytest.mark.parametrize("page", ["simple/", "links.html"])
@pytest.mark.parametrize("how", ["uv", "uv netrc", "pip netrc", "poetry", "pdm netrc"])
def test_a_client_logs_in_with_the_printed_configuration(how: str, page: str, guarded: IndexServer, user: User) -> None:
    client, _, netrc = how.partition(" ")
    text = user.printed(guarded.url.replace("//", f"//{NAME}:{PASSWORD}@") + page, client)
    assert not re.search(f"{NAME}|{PASSWORD}|@", text)
    with pytest.raises(ClientFailed):
        user.install(client, text, *REQUIRED[client])
    settings = {}
    if netrc:
        (line,) = re.findall(r"machine \S+ login .*", text)
        (user.home.path / ".netrc").write_text(line.replace("USERNAME", NAME).replace("PASSWORD", PASSWORD))
        (user.home.path / ".netrc").chmod(0o600)
    else:
        settings = _credentials(text)
    assert user.install(client, text, *REQUIRED[client], **settings) == OURS
    written = [path.read_text(errors="replace") for path in user.home.project.rglob("*") if path.is_file()]
    assert not any(PASSWORD in content for content in written)


@pytest.mark.parametrize("client", ["uv", "poetry"])
def test_an_unreadable_index_is_configured_by_the_names_of_its_projects(
    client: str, guarded: IndexServer, user: User
) -> None:
    text = user.printed(f"{guarded.url}simple/", client, "--project", "demo", "--project", "helper")
    assert user.install(client, text, "demo", "helper", **_credentials(text)) == OURS


# --- imperfect hosts --------------------------------------------------------------------------------------------------


def forbidding(path: str, reply: Reply) -> Reply:
    return Reply(403, b"no") if reply.status == 404 else reply


def test_uv_continues_after_403_but_never_for_our_projects(host: IndexServer, user: User) -> None:
    host.faults.append(forbidding)
    text = user.printed(f"{host.url}simple/", "uv")
    assert user.install("uv", text, "demo", "helper", "other") == {**OURS, "other": "1.0"}
    (line,) = re.findall("^helper = .*", text, re.MULTILINE)
    with pytest.raises(ClientFailed, match="gone was not found in the package registry"):
        user.install("uv", text + line.replace("helper", "gone"), "gone")


@pytest.mark.parametrize("line", [True, False])
def test_uv_needs_ignore_error_codes_if_it_looks_for_everything_there(
    line: bool, host: IndexServer, user: User
) -> None:
    host.faults.append(forbidding)
    text = _without(user.printed(f"{host.url}simple/", "uv"), "^explicit = true[^\n]*$")
    if line:
        assert user.install("uv", text, "demo", "other") == {**OURS, "other": "1.0"}
    else:
        with pytest.raises(ClientFailed, match="403"):
            user.install("uv", _without(text, "^ignore-error-codes[^\n]*$"), "demo", "other")


@pytest.mark.parametrize(("line", "seen"), [(True, "1.1"), (False, "1.0")])
def test_uv_sees_a_new_release_at_once_without_cache_control(line: bool, seen: str, user: User, tmp_path: Path) -> None:
    wheels, tree = tmp_path / "wheels", tmp_path / "tree"
    wheels.mkdir()
    write_wheel(wheels, "demo", "1.0")
    publish(wheels, tree)
    with serve_index(tree) as host:
        host.faults.append(lambda path, reply: reply.with_headers(cache_control=None))
        text = user.printed(f"{host.url}simple/", "uv")
        assert 'cache-control = { api = "no-cache", files = "max-age=365000000, immutable" }' in text
        text = text if line else _without(text, "^cache-control[^\n]*$")
        assert user.install("uv", text, "demo") == {"demo": "1.0"}
        write_wheel(wheels, "demo", "1.1")
        publish(wheels, tree)
        (user.home.project / "uv.lock").unlink()
        assert user.install("uv", text, "demo") == {"demo": seen}
        user.home.uv("sync", "--upgrade", "--default-index", user.public)
        assert installed_in_project(user.home) == {"demo": "1.1"}


def test_the_printed_command_installs_what_the_index_has_from_there_and_the_rest_from_the_public_one(
    stranger: str, home: ClientHome, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_wheel(tmp_path, "demo", "1.0", requires_dist=["helper", "other"])
    write_wheel(tmp_path, "helper", "1.0")
    tree = tmp_path / "tree"
    tree.mkdir()
    with serve_directory(tree, tmp_path / "log") as server:
        assert run(["--no-cache", "--url", server.url, str(tmp_path), str(tree)]) == 0
        (command,) = re.findall("^Install from:  uv (.*)$", capsys.readouterr().out, re.MULTILINE)
        public = ("--no-config", "--default-index", stranger)
        home.uv(*command.split(), *public, "--target", home.path / "target")
        assert installed_versions(home.path / "target") == {"demo": "1.0", "helper": "1.0", "other": "1.0"}
        with pytest.raises(ClientFailed, match="No matching distribution found for other"):
            home.pip("pip", "install", "--dry-run", "--index-url", f"{server.url}simple/", "demo")
