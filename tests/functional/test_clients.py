"""Real clients install from the index: served at the root of a server, below it, and from the disk."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.clients import (
    INSTALLERS,
    PIPS,
    ClientFailed,
    ClientHome,
    installed_in_project,
    installed_versions,
    write_pdm_project,
    write_poetry_project,
    write_project,
    write_uv_project,
)

if TYPE_CHECKING:
    from support.http_servers import LoggedServer

PLACES = ("root", "sub-path", "file")
REACHES = [
    (client, place)
    for client in INSTALLERS
    for place in PLACES
    if (client, place) != ("poetry", "file")  # it supports only http
]
EVERYWHERE = pytest.mark.parametrize(("client", "base"), REACHES, indirect=["base"])

CASES = {
    "by name": (["demo"], {"demo": "1.1"}),
    "one version": (["demo==1.0"], {"demo": "1.0"}),
    "a local version": (["demo-cuda==1.0+cu128"], {"demo-cuda": "1.0+cu128"}),
    "extras": (["demo-app[color]"], {"demo-app": "1.0", "demo": "1.1", "demo-colors": "1.0"}),
    "sdists": (["demo-source", "demo-zip"], {"demo-source": "1.0", "demo-zip": "1.0"}),
    "an epoch, build tags, platforms": (
        ["demo-epoch", "demo-build", "demo-native"],
        {"demo-epoch": "1!2.0", "demo-build": "1.0", "demo-native": "1.0"},
    ),
    "a name spelled as in no file": (["DEMO-names"], {"demo-names": "1.0"}),
}


@EVERYWHERE
@pytest.mark.parametrize(("requirements", "expected"), CASES.values(), ids=CASES)
def test_a_client_installs(
    client: str, base: str, requirements: list[str], expected: dict[str, str], home: ClientHome
) -> None:
    assert INSTALLERS[client](home, f"{base}simple/", requirements) == expected


@EVERYWHERE
def test_a_client_installs_from_the_page_of_all_links(client: str, base: str, home: ClientHome) -> None:
    requirements = ["demo-app[color]", "demo-cuda==1.0+cu128", "demo-source", "demo-epoch"]
    assert INSTALLERS[client](home, f"{base}links.html", requirements) == {
        "demo": "1.1",
        "demo-app": "1.0",
        "demo-colors": "1.0",
        "demo-cuda": "1.0+cu128",
        "demo-epoch": "1!2.0",
        "demo-source": "1.0",
    }


@pytest.mark.parametrize("client", INSTALLERS)
def test_a_client_does_not_install_a_missing_file(client: str, home: ClientHome, server: LoggedServer) -> None:
    with pytest.raises(ClientFailed, match=r"demo\b"):
        INSTALLERS[client](home, f"{server.url}simple/", ["demo==1.2"])


@pytest.mark.parametrize("client", INSTALLERS)
def test_a_version_that_is_not_for_this_python_is_not_downloaded(
    client: str, home: ClientHome, server: LoggedServer
) -> None:
    INSTALLERS[client](home, f"{server.url}simple/", ["demo"])
    assert {name for name in server.names() if name.endswith((".whl", ".tar.gz", ".zip"))} == {
        "demo-1.1-py3-none-any.whl"
    }


@pytest.mark.parametrize("client", ["uv", *PIPS])
def test_no_file_of_a_version_that_the_page_rules_out_is_requested(
    client: str, home: ClientHome, server: LoggedServer
) -> None:
    INSTALLERS[client](home, f"{server.url}simple/", ["demo"])
    assert {name for name in server.names() if "2.0" in name} == set()


# --- the `.metadata` sibling -----------------------------------------------------------------------------------------

REQUIREMENTS = ["demo-app[color]", "demo==1.1"]
# Everything that a resolver needs, and no wheel.
RESOLVED = {
    "demo-app/",
    "demo/",
    "demo-colors/",
    "demo_app-1.0-py3-none-any.whl.metadata",
    "demo-1.1-py3-none-any.whl.metadata",
    "demo_colors-1.0-py3-none-any.whl.metadata",
}


def test_pip_resolves_without_a_wheel(home: ClientHome, server: LoggedServer) -> None:
    pip_output = home.pip("pip", "install", "--dry-run", "--index-url", f"{server.url}simple/", *REQUIREMENTS)
    assert re.findall(r"^Would install (.*)$", pip_output, re.MULTILINE) == ["demo-1.1 demo-app-1.0 demo-colors-1.0"]
    assert server.names() == RESOLVED


def test_uv_compiles_without_a_wheel(home: ClientHome, server: LoggedServer) -> None:
    home.project.mkdir()
    home.project.joinpath("requirements.in").write_text("\n".join(REQUIREMENTS))
    index = f"{server.url}simple/"
    options = ["--no-config", "--no-header", "--no-annotate", "--quiet"]
    compiled = home.uv("pip", "compile", *options, "--default-index", index, "requirements.in")
    assert compiled.split() == ["demo==1.1", "demo-app==1.0", "demo-colors==1.0"]
    assert server.names() == RESOLVED


def test_uv_locks_without_a_wheel(home: ClientHome, server: LoggedServer) -> None:
    write_uv_project(home, f"{server.url}simple/", REQUIREMENTS)
    home.uv("lock")
    assert server.names() == RESOLVED


def test_poetry_locks_without_a_wheel(home: ClientHome, server: LoggedServer) -> None:
    write_poetry_project(home, f"{server.url}simple/", REQUIREMENTS)
    home.run("poetry", "poetry", "lock")
    assert server.names() == RESOLVED


def test_pdm_locks_without_a_wheel(home: ClientHome, server: LoggedServer) -> None:
    write_pdm_project(home, f"{server.url}simple/", REQUIREMENTS)
    home.run("pdm", "pdm", "lock")
    assert server.names() == RESOLVED


# --- lock files and hashes -------------------------------------------------------------------------------------------

EVERY_PROJECT = [
    "demo-app[color]",
    "demo==1.1",
    "demo-build",
    "demo-cuda==1.0+cu128",
    "demo-epoch",
    "demo-names",
    "demo-native",
    "demo-source",
    "demo-zip",
]
NOT_LOCKED = {"demo-1.0-py3-none-any.whl", "demo-2.0-py3-none-any.whl", "demo_cuda-1.0+cpu-py3-none-any.whl"}
INSTALLED = {
    "demo": "1.1",
    "demo-app": "1.0",
    "demo-build": "1.0",
    "demo-colors": "1.0",
    "demo-cuda": "1.0+cu128",
    "demo-epoch": "1!2.0",
    "demo-names": "1.0",
    "demo-native": "1.0",
    "demo-source": "1.0",
    "demo-zip": "1.0",
}


def locked(hashes: dict[str, str]) -> dict[str, str]:
    return {name: f"sha256:{digest}" for name, digest in hashes.items() if name not in NOT_LOCKED}


@pytest.mark.parametrize("base", PLACES, indirect=True)
def test_uv_locks_every_file_as_the_index_lists_it_and_syncs_from_a_cold_cache(
    base: str, home: ClientHome, tree: Path
) -> None:
    write_uv_project(home, f"{base}simple/", EVERY_PROJECT)
    home.uv("lock")
    packages = tomllib.loads(home.project.joinpath("uv.lock").read_text())["package"]
    files = [file for package in packages for file in (*package.get("wheels", ()), package.get("sdist"))]
    # Without a server they are paths.
    assert {file.pop("url", None) or Path(file.pop("path")).as_uri(): file for file in files if file} == {
        f"{base}{file['url'].removeprefix('../../')}": {
            "hash": f"sha256:{file['hashes']['sha256']}",
            "size": file["size"],
            "upload-time": file["upload-time"],
        }
        for page in tree.glob("simple/*/index.v1_json")
        for file in json.loads(page.read_bytes())["files"]
        if file["filename"] not in NOT_LOCKED
    }
    home.forget()
    home.uv("sync", "--frozen")
    assert installed_in_project(home) == INSTALLED


def test_uv_syncs_from_a_lock_file_without_requesting_a_page(
    home: ClientHome, server: LoggedServer, hashes: dict[str, str]
) -> None:
    write_uv_project(home, f"{server.url}simple/", EVERY_PROJECT)
    home.uv("lock")
    home.forget()
    server.forget()
    home.uv("sync", "--frozen")
    requested = server.names()
    assert len(requested) == len(INSTALLED)
    assert requested < locked(hashes).keys()


def test_poetry_locks_every_hash_and_installs_from_a_cold_cache(
    home: ClientHome, server: LoggedServer, hashes: dict[str, str]
) -> None:
    write_poetry_project(home, f"{server.url}simple/", EVERY_PROJECT)
    home.run("poetry", "poetry", "lock")
    packages = tomllib.loads(home.project.joinpath("poetry.lock").read_text())["package"]
    assert {file["file"]: file["hash"] for package in packages for file in package["files"]} == locked(hashes)
    home.forget()
    home.run("poetry", "poetry", "sync")
    assert installed_in_project(home) == INSTALLED


@pytest.mark.parametrize("base", PLACES, indirect=True)
def test_pdm_locks_every_hash_and_installs_from_a_cold_cache(
    base: str, home: ClientHome, hashes: dict[str, str]
) -> None:
    write_pdm_project(home, f"{base}simple/", EVERY_PROJECT)
    home.run("pdm", "pdm", "lock")
    packages = tomllib.loads(home.project.joinpath("pdm.lock").read_text())["package"]
    assert {file["file"]: file["hash"] for package in packages for file in package["files"]} == locked(hashes)
    home.forget()
    home.run("pdm", "pdm", "sync")
    assert installed_in_project(home) == INSTALLED


@pytest.mark.parametrize("client", ["uv", *PIPS])
@pytest.mark.parametrize("base", PLACES, indirect=True)
def test_a_client_that_is_given_hashes_takes_these_files_and_no_others(
    client: str, base: str, home: ClientHome, hashes: dict[str, str]
) -> None:
    def install(demo: str) -> dict[str, str]:
        home.project.mkdir(exist_ok=True)
        home.project.joinpath("requirements.txt").write_text(
            f"demo==1.1 --hash=sha256:{demo}\ndemo-source==1.0 --hash=sha256:{hashes['demo_source-1.0.tar.gz']}\n"
        )
        return INSTALLERS[client](home, f"{base}simple/", ["--require-hashes", "--requirement", "requirements.txt"])

    with pytest.raises(ClientFailed, match=r"(?i)\bhash"):
        install(hashes["demo-1.0-py3-none-any.whl"])
    assert install(hashes["demo-1.1-py3-none-any.whl"]) == {"demo": "1.1", "demo-source": "1.0"}


# --- what uv asks for besides ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", PLACES, indirect=True)
@pytest.mark.parametrize(
    ("day", "expected"),
    [("2026-01-01T12:00:00Z", {"demo": "1.0"}), ("2026-01-02T12:00:00Z", {"demo": "1.1"})],
    ids=["the first day", "the second day"],
)
def test_uv_ignores_files_newer_than_a_day(base: str, day: str, expected: dict[str, str], home: ClientHome) -> None:
    assert INSTALLERS["uv"](home, f"{base}simple/", ["demo", "--exclude-newer", day]) == expected


def test_uv_finds_nothing_that_is_older_than_the_oldest_file(home: ClientHome, server: LoggedServer) -> None:
    with pytest.raises(ClientFailed, match="demo"):
        INSTALLERS["uv"](home, f"{server.url}simple/", ["demo", "--exclude-newer", "2025-12-31T12:00:00Z"])


def test_uv_takes_only_the_named_projects_from_an_explicit_index(home: ClientHome, server: LoggedServer) -> None:
    index = f'[[tool.uv.index]]\nname = "private"\nurl = "{server.url}simple/"\nexplicit = true\n'
    write_project(
        home, ["demo"], f'[tool.uv]\npackage = false\n{index}[tool.uv.sources]\ndemo = {{ index = "private" }}\n'
    )
    home.uv("sync", "--default-index", "http://127.0.0.1:9/")
    assert installed_in_project(home) == {"demo": "1.1"}


def test_pip_takes_the_wheel_with_the_highest_build_tag(home: ClientHome, server: LoggedServer) -> None:
    INSTALLERS["pip"](home, f"{server.url}simple/", ["demo-build"])
    assert installed_versions(home.path / "target") == {"demo-build": "1.0"}
    assert {name for name in server.names() if name.endswith(".whl")} == {"demo_build-1.0-2-py3-none-any.whl"}
