"""What a policy says is what clients do: they pass over yanked releases, and choose by upload time as a cutoff does."""

from __future__ import annotations

import json
import os
import re
import tomllib
from typing import TYPE_CHECKING

import pytest

from mkindex.probe.configure import ClientOptions, configuration
from support.builds import publish
from support.clients import INSTALLERS, ClientFailed, ClientHome, installed_in_project
from support.index_server import serve_index
from support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = 86_400
NOW = 1_767_225_600  # 2026-01-01T00:00:00Z
DAYS = {"1.0": 30, "1.1": 20, "1.2": 10}  # the age of each release
CUTOFFS = [("2025-12-21T12:00:00Z", "1.1"), ("2025-12-03T00:00:00Z", "1.0")]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheels")
    for version, days in DAYS.items():
        os.utime(write_wheel(directory, "demo", version), (NOW - days * DAY,) * 2)
    return directory


@pytest.fixture(scope="module")
def yanked(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an index whose policy yanks the newest release."""
    site = tmp_path_factory.mktemp("site")
    (site / "policy.toml").write_text('[[yank]]\nproject = "demo"\nversions = "==1.2"\nreason = "broken"\n')
    publish(wheels, site / "public", policy=str(site / "policy.toml"))
    with serve_index(site / "public") as server:
        yield f"{server.url}simple/"


@pytest.mark.parametrize("client", ["pip", "uv", "poetry", "pdm"])
@pytest.mark.parametrize(("requirement", "version"), [("demo", "1.1"), ("demo==1.2", "1.2")], ids=["any", "pinned"])
def test_a_client_installs_a_release_that_the_policy_yanks_only_if_it_is_pinned(
    client: str, requirement: str, version: str, yanked: str, home: ClientHome
) -> None:
    assert INSTALLERS[client](home, yanked, [requirement]) == {"demo": version}


# --- times -----------------------------------------------------------------------------------------------------------


def chosen(home: ClientHome, client: str, url: str, *options: str) -> str:
    """The version that a client would install, or "none"."""
    place = ["--dry-run", "--target", str(home.path / "target"), "--index-url", url, "demo"]
    try:
        run = home.uv("pip", "install", "--no-config", *options, *place) if client == "uv" else ""
        run = run or home.pip("pip", "install", *options, *place)
    except ClientFailed as failed:
        run = str(failed)
    return "".join(re.findall(r"(?:\+ demo==|Would install demo-)(\S+)", run)) or "none"


OPTION = {"pip": "--uploaded-prior-to", "uv": "--exclude-newer"}


@pytest.mark.parametrize("client", OPTION)
@pytest.mark.parametrize("moment", CUTOFFS, ids=["two", "one"])
def test_a_cutoff_lists_what_a_client_chooses_among_up_to_that_time(
    client: str, moment: tuple[str, str], wheels: Path, tmp_path: Path, home: ClientHome
) -> None:
    cutoff, version = moment
    (tmp_path / "policy.toml").write_text(f"[times]\ncutoff = {cutoff}\n")
    publish(wheels, tmp_path / "all")
    publish(wheels, tmp_path / "cut", policy=str(tmp_path / "policy.toml"), allow_empty=True)
    with serve_index(tmp_path) as server:
        assert (
            chosen(home, client, f"{server.url}all/simple/", OPTION[client], cutoff),
            chosen(home, client, f"{server.url}cut/simple/"),
        ) == (version, version)


@pytest.mark.parametrize("client", OPTION)
def test_clients_with_such_a_limit_choose_no_file_without_an_upload_time(
    client: str, wheels: Path, tmp_path: Path, home: ClientHome
) -> None:
    publish(wheels, tmp_path / "public", upload_time="none")
    with serve_index(tmp_path) as server:
        assert chosen(home, client, f"{server.url}public/simple/", OPTION[client], "2026-01-01T00:00:00Z") == "none"


@pytest.mark.parametrize(("client", "version"), [("uv", "1.1"), ("pip", "none")])
def test_of_files_with_and_without_a_time_uv_ignores_those_without_and_pip_stops(
    client: str, version: str, wheels: Path, tmp_path: Path, home: ClientHome
) -> None:
    publish(wheels, tmp_path / "public")
    page = tmp_path / "public/simple/demo/index.v1_json"
    document = json.loads(page.read_bytes())
    document["files"][-1].pop("upload-time")  # that of 1.2
    page.write_text(json.dumps(document))
    with serve_index(tmp_path) as server:
        assert chosen(home, client, f"{server.url}public/simple/", OPTION[client], "2026-01-01T00:00:00Z") == version


# --- variants --------------------------------------------------------------------------------------------------------

CORE = {"core": "1.0", "base": "1.0"}  # what each variant requires from the same index


@pytest.fixture
def torch_like(tmp_path: Path) -> Path:
    """The wheels of a project in two variants, of what it requires, and of a project that requires it."""
    wheels = tmp_path / "variants"
    wheels.mkdir()
    for label in ("cpu", "cu128"):
        write_wheel(wheels, "torch-like", f"2.8+{label}", requires_dist=["core", "win; sys_platform == 'win32'"])
    write_wheel(wheels, "core", "1.0", requires_dist=["base"])
    for name in ("base", "win", "plain"):
        write_wheel(wheels, name, "1.0")
    write_wheel(wheels, "trainer", "1.0", requires_dist=["torch-like>=2"])
    return wheels


@pytest.mark.parametrize("client", ["pip", "uv", "poetry", "pdm"])
def test_a_client_installs_the_last_label_from_a_page_that_mixes_variants(
    client: str, torch_like: Path, tmp_path: Path, home: ClientHome
) -> None:
    publish(torch_like, tmp_path / "public")
    with serve_index(tmp_path / "public") as server:
        assert INSTALLERS[client](home, f"{server.url}simple/", ["torch-like"]) == CORE | {"torch-like": "2.8+cu128"}


def test_uv_locks_all_variants_with_the_printed_configuration_and_installs_the_one_of_an_extra(
    torch_like: Path, tmp_path: Path, home: ClientHome
) -> None:
    (tmp_path / "policy.toml").write_text('[variants]\nby = "local"\n')
    publish(torch_like, tmp_path / "public", policy=str(tmp_path / "policy.toml"))
    with serve_index(tmp_path / "public") as server:
        printed = configuration(ClientOptions(targets=(f"{server.url}simple/",), name=("ours",)))
        project = '[project]\nname = "app"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = ["plain"]\n'
        home.project.mkdir()
        home.project.joinpath("pyproject.toml").write_text(f"{project}\n{printed}")
        home.uv("lock")
        packages = tomllib.loads(home.project.joinpath("uv.lock").read_text())["package"]
        assert {(one["version"], one["source"]["registry"]) for one in packages if one["name"] == "torch-like"} >= {
            ("2.8+cpu", f"{server.url}whl/cpu/"),
            ("2.8+cu128", f"{server.url}whl/cu128/"),
        }
        for variant in ("cpu", "cu128"):
            home.uv("sync", "--extra", variant)
            assert installed_in_project(home) == CORE | {"plain": "1.0", "torch-like": f"2.8+{variant}"}


def test_pip_installs_from_the_index_of_a_variant_alone(torch_like: Path, tmp_path: Path, home: ClientHome) -> None:
    (tmp_path / "policy.toml").write_text('[variants]\nby = "local"\n')
    publish(torch_like, tmp_path / "public", policy=str(tmp_path / "policy.toml"))
    with serve_index(tmp_path / "public") as server:
        installed = INSTALLERS["pip"](home, f"{server.url}whl/cpu/", ["trainer"])
    assert installed == CORE | {"trainer": "1.0", "torch-like": "2.8+cpu"}
