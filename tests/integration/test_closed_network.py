"""Applications carried to a closed network: locked by real clients, installed by them from the bundle alone."""

from __future__ import annotations

import shutil
import sys
from contextlib import nullcontext
from dataclasses import replace
from platform import machine
from typing import TYPE_CHECKING, Any

import pytest

from mkindex import cli
from mkindex.check.engine import CheckOptions, check
from support.builds import publish
from support.clients import (
    ClientFailed,
    ClientHome,
    installed_in_project,
    installed_versions,
    write_poetry_project,
    write_project,
    write_uv_project,
)
from support.closed_network import FailingProxy, Upstream, cut, proxy
from support.http_servers import serve_with_nginx
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["cut", "proxy"]

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
TAG = f"cp{sys.version_info[0]}{sys.version_info[1]}"
REQUIREMENTS = ("web[fast]", "colour; sys_platform == 'win32'", "only-sdist")
INSTALLED = {"web": "1.0", "speed": "1.0", "native": "1.0", "only-sdist": "3.0"}
NATIVE = tuple(
    f"{TAG}-{TAG}-{platform}"
    for platform in (
        "manylinux_2_17_x86_64.manylinux2014_x86_64",
        "manylinux_2_28_x86_64",
        "manylinux_2_34_x86_64",
        "manylinux_2_28_aarch64",
        "musllinux_1_2_x86_64",
        "win_amd64",
        "macosx_11_0_arm64",
        "macosx_14_0_arm64",
    )
)

# pip takes a tag as it is given, and no older one.
OLDER = {
    "manylinux_2_28_x86_64": ("manylinux_2_17_x86_64",),
    "manylinux_2_36_x86_64": ("manylinux_2_34_x86_64", "manylinux_2_28_x86_64", "manylinux_2_17_x86_64"),
    "macosx_14_0_arm64": ("macosx_11_0_arm64",),
}


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    wheels, tree = tmp_path / "wheels", tmp_path / "upstream"
    wheels.mkdir()
    write_wheel(wheels, "web", "1.0", requires_dist=["native", "speed; extra == 'fast'"], extras=["fast"])
    write_wheel(wheels, "speed", "1.0")
    write_wheel(wheels, "colour", "1.0")
    for tag in NATIVE:
        write_wheel(wheels, "native", "1.0", tag=tag)
    write_sdist(wheels, "only-sdist", "3.0")
    publish(wheels, tree)
    with serve_with_nginx(tree, tmp_path / "nginx") as url:
        yield Upstream(tree, url)


def bundle(home: ClientHome, lock: str, *options: str) -> Path:
    """The bundle of a lock for this Python on Linux, complete."""
    directory = home.path / "bundle"
    arguments = [str(home.project / lock), str(directory), "--remote", "mirror", "--no-cache", "--quiet", *options]
    assert cli.run([*arguments, "--python", PYTHON, "--platform", f"linux_{machine()}"]) == 0
    return directory


def test_uv_and_pip_install_without_any_network(
    upstream: Upstream, home: ClientHome, cut: tuple[str, ...], tmp_path: Path
) -> None:
    write_uv_project(home, f"{upstream.url}simple/", REQUIREMENTS)
    home.uv("lock")
    for form, name in (("pylock.toml", "pylock.toml"), ("requirements-txt", "requirements.txt")):
        home.uv("export", "--format", form, "--output-file", name)
    others = [str(home.project / name) for name in ("pylock.toml", "requirements.txt")]
    tree = bundle(home, "uv.lock")
    arguments = [*others, str(home.path / "others"), "--remote", "mirror", "--no-cache", "--quiet"]
    assert cli.run([*arguments, "--index", f"{upstream.url}simple/"]) == 0
    upstream.exchange(home.path / "others")  # and the network is cut besides
    home.forget()
    assert cli.run(["relocate", str(tree)]) == 0
    home.project.joinpath("uv.lock").write_text((tree / "locks/uv.lock").read_text())
    offline = replace(home, wrapper=cut)
    offline.uv("sync", "--locked", "--offline")
    assert installed_in_project(home) == INSTALLED
    locks, index = home.path / "others/locks", f"{(home.path / 'others').as_uri()}/simple/"
    offline.pip("pip", "install", "--no-index", "--target", tmp_path / "pip", "-r", locks / "pylock.toml")
    required = ("--require-hashes", "--index-url", index, "-r", locks / "requirements.txt")
    offline.pip("pip", "install", "--target", tmp_path / "hashes", *required)
    offline.uv("pip", "sync", "--offline", "--target", tmp_path / "uv", locks / "pylock.toml")
    assert [installed_versions(tmp_path / name) for name in ("pip", "hashes", "uv")] == [INSTALLED] * 3


def test_poetry_installs_from_the_address_that_its_lock_names(
    upstream: Upstream, home: ClientHome, proxy: FailingProxy
) -> None:
    write_poetry_project(home, f"{upstream.url}simple/", REQUIREMENTS)
    home.run("poetry", "poetry", "lock")
    upstream.exchange(bundle(home, "poetry.lock"))
    home.forget()
    replace(home, settings=proxy.settings).run("poetry", "poetry", "install")
    assert (installed_in_project(home), proxy.requests) == (INSTALLED, [])


@pytest.mark.parametrize("strategy", [(), ("--static-urls",)], ids=["names", "addresses"])
def test_pdm_syncs_from_a_server_at_the_address_of_the_bundle(
    upstream: Upstream, home: ClientHome, proxy: FailingProxy, strategy: tuple[str, ...]
) -> None:
    write_project(home, REQUIREMENTS, "[tool.pdm]\ndistribution = false\n")
    index = f"{upstream.url}simple/"
    with_index = replace(home, settings={"PDM_PYPI_URL": index} | proxy.settings)
    with_index.run("pdm", "pdm", "lock", *strategy)
    tree = bundle(home, "pdm.lock", "--index", index, "--url", upstream.url)
    upstream.exchange(tree)
    home.forget()
    shutil.copy(tree / "locks/pdm.lock", home.project)
    proxy.requests.clear()
    with_index.run("pdm", "pdm", "sync")
    assert (installed_in_project(home), proxy.requests) == (INSTALLED, [])


@pytest.mark.parametrize(
    ("platform", "uv_platform"),
    [
        ("manylinux_2_17_x86_64", "x86_64-manylinux_2_17"),
        ("manylinux_2_28_x86_64", "x86_64-manylinux_2_28"),
        ("manylinux_2_36_x86_64", "x86_64-manylinux_2_36"),
        ("manylinux_2_28_aarch64", "aarch64-manylinux_2_28"),
        ("musllinux_1_2_x86_64", "x86_64-unknown-linux-musl"),
        ("win_amd64", "x86_64-pc-windows-msvc"),
        ("macosx_14_0_arm64", "aarch64-apple-darwin"),
    ],
)
def test_the_chosen_files_are_those_that_pip_and_uv_choose(
    upstream: Upstream, home: ClientHome, tmp_path: Path, platform: str, uv_platform: str
) -> None:
    index = f"{upstream.url}simple/"
    write_uv_project(home, index, ["web[fast]", "colour; sys_platform == 'win32'"])
    home.uv("lock")
    tree = tmp_path / "tree"
    arguments = [str(home.project / "uv.lock"), str(tree), "--remote", "mirror", "--no-cache", "--quiet"]
    assert cli.run([*arguments, "--python", PYTHON, "--platform", platform]) == 0
    chosen = {path.name for path in tree.glob("files/*/*/*.whl")}
    by_pip, by_uv = tmp_path / "pip", tmp_path / "uv"
    tags = [part for tag in (platform, *OLDER.get(platform, ())) for part in ("--platform", tag)]
    home.pip("pip", "download", "--only-binary", ":all:", "--dest", by_pip, "--index-url", index, *tags, "web[fast]")
    settings = {"MACOSX_DEPLOYMENT_TARGET": "14.0"}
    required = ("web[fast]", "colour; sys_platform == 'win32'")
    target = ("--target", by_uv, "--python-platform", uv_platform, "--no-build", "--default-index", index)
    replace(home, settings=settings).uv("pip", "install", *target, *required)
    tags_by_uv = {
        line.removeprefix("Tag: ")
        for line in next(by_uv.glob("native-*.dist-info/WHEEL")).read_text().splitlines()
        if line.startswith("Tag: ")
    }
    colour = {"colour-1.0-py3-none-any.whl"} if platform == "win_amd64" else set()
    assert {path.name for path in by_pip.iterdir()} | colour == chosen
    (native,) = (name for name in chosen if name.startswith("native-"))
    python, abi, platforms = native.removesuffix(".whl").split("-")[2:]
    assert tags_by_uv == {f"{python}-{abi}-{one}" for one in platforms.split(".")}


def missing_for(lock: Path, index: Path, platform: str) -> set[str]:
    """The requirements of a lock that `check --closure` finds missing."""
    options: Any = {"python": (PYTHON,), "platform": (platform,), "requirements": (str(lock),)}
    found = check(CheckOptions(target=index, closure=True, select=("unsatisfied",), **options))
    return {one.text.partition(",")[0] for one in found.findings}


def test_without_a_file_check_and_client_agree_that_something_is_missing(
    upstream: Upstream, home: ClientHome, tmp_path: Path
) -> None:
    platform = "manylinux_2_36_x86_64"
    write_uv_project(home, f"{upstream.url}simple/", REQUIREMENTS)
    home.uv("lock")
    requirements = home.project / "requirements.txt"  # with hashes
    home.uv("export", "--format", "requirements-txt", "--output-file", requirements)
    lock, tree, wheels = home.project / "uv.lock", tmp_path / "tree", tmp_path / "wheels"
    for_here = ("--python", PYTHON, "--platform", platform)
    assert cli.run([str(lock), str(tree), "--remote", "mirror", "--no-cache", "--quiet", *for_here]) == 0
    assert cli.run(["relocate", str(tree)]) == 0
    shutil.copy(tree / "locks/uv.lock", lock)
    chosen = {path.name: path for path in tree.glob("files/*/*/*") if path.suffix != ".metadata"}
    missing = {}
    for name, file in chosen.items():
        shutil.rmtree(wheels)
        wheels.mkdir()
        for other in chosen.values():
            if other != file:
                shutil.copy(other, wheels)
        # The index still has another wheel of the project, which clients do not choose by the lock.
        write_wheel(wheels, "native", "1.0", tag=NATIVE[0])
        publish(wheels, tmp_path / "index", prune=True)
        found = [missing_for(path, tmp_path / "index", platform) for path in (lock, requirements)]
        hidden = file.rename(tmp_path / name)
        home.forget()
        with pytest.raises(ClientFailed):
            home.uv("sync", "--locked", "--offline", "--no-cache")
        index = f"{(tmp_path / 'index').as_uri()}/simple/"
        with pytest.raises(ClientFailed) if found[1] else nullcontext():
            home.pip("pip", "install", "--index-url", index, "--target", tmp_path / f"of {name}", "-r", requirements)
        hidden.rename(file)
        missing[name] = found
    native = next(name for name in chosen if name.startswith("native"))
    assert missing == {
        native: [{"requires native==1.0"}, set()],  # pip takes the other wheel, whose hash is in the requirements
        "only_sdist-3.0.tar.gz": [{"requires only-sdist==3.0"}] * 2,
        "speed-1.0-py3-none-any.whl": [
            {'requires speed; extra == "fast"', "requires speed==1.0"},
            {"requires speed==1.0"},
        ],
        "web-1.0-py3-none-any.whl": [{"requires web[fast]==1.0"}, {"requires web==1.0"}],
    }
