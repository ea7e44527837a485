"""Wheels with the filenames of real releases: mkindex chooses for each target what pip and uv choose there."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mkindex import cli
from support.builds import publish
from support.closed_network import Upstream
from support.http_servers import serve_with_nginx
from support.locks import requirement
from support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.clients import ClientHome

FILENAMES = Path(__file__).parent.parent / "fixtures/real-filenames.txt"
UV_PLATFORMS = {
    "manylinux_2_17_x86_64": "x86_64-manylinux_2_17",
    "manylinux_2_28_x86_64": "x86_64-manylinux_2_28",
    "manylinux_2_36_aarch64": "aarch64-manylinux_2_36",
    "musllinux_1_2_x86_64": "x86_64-unknown-linux-musl",
    "musllinux_1_2_aarch64": "aarch64-unknown-linux-musl",
    "win_amd64": "x86_64-pc-windows-msvc",
    "win_arm64": "aarch64-pc-windows-msvc",
    "macosx_14_0_arm64": "aarch64-apple-darwin",
    "macosx_14_0_x86_64": "x86_64-apple-darwin",
}


def platforms_for(platform: str) -> Iterator[str]:
    """The tags of a platform and of older ones, for pip, which takes a Linux tag as it is given."""
    match = re.fullmatch(r"(many|musl)linux_(\d)_(\d+)_(\w+)", platform)
    if match is None:
        yield platform
        return
    kind, major, minor, machine = match.groups()
    for one in range(int(minor), -1, -1):
        yield f"{kind}linux_{major}_{one}_{machine}"
        old = {17: "2014", 12: "2010", 5: "1"}.get(one)
        if kind == "many" and old:
            yield f"manylinux{old}_{machine}"


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstream]:
    """An index of wheels with these names, and a requirements.txt of all of them beside it."""
    directory = tmp_path_factory.mktemp("filenames")
    wheels = directory / "wheels"
    wheels.mkdir()
    projects: dict[tuple[str, str], dict[str, bytes]] = defaultdict(dict)
    for filename in FILENAMES.read_text().splitlines()[1:]:
        name, version, tag = filename.removesuffix(".whl").split("-", 2)
        path = write_wheel(wheels, name, version, tag=tag).rename(wheels / filename)
        projects[name, version][filename] = path.read_bytes()
    lines = [requirement(name, version, files) for (name, version), files in projects.items()]
    (directory / "requirements.txt").write_text("".join(lines))
    publish(wheels, directory / "tree")
    with serve_with_nginx(directory / "tree", directory / "nginx") as url:
        yield Upstream(directory / "tree", url)


def tags_of(installed: Path) -> dict[str, set[str]]:
    """The tags in the WHEEL file of each installed project."""
    return {
        path.parent.name.removesuffix(".dist-info"): set(re.findall(r"^Tag: (.+)$", path.read_text(), re.MULTILINE))
        for path in installed.glob("*.dist-info/WHEEL")
    }


def tags_in(filename: str) -> set[str]:
    pythons, abis, platforms = filename.removesuffix(".whl").split("-")[2:]
    return {
        f"{one}-{abi}-{platform}"
        for one in pythons.split(".")
        for abi in abis.split(".")
        for platform in platforms.split(".")
    }


@pytest.mark.parametrize("python", ["3.11", "3.14"])
@pytest.mark.parametrize("platform", UV_PLATFORMS)
def test_the_chosen_wheels_are_those_that_pip_and_uv_choose(
    upstream: Upstream, home: ClientHome, python: str, platform: str
) -> None:
    index, lock = f"{upstream.url}simple/", upstream.directory.parent / "requirements.txt"
    tree, by_pip, by_uv = (home.path / name for name in ("tree", "pip", "uv"))
    from_index = ("--index", index, "--remote", "mirror", "--no-cache", "--quiet")
    assert cli.run([str(lock), str(tree), *from_index, "--python", python, "--platform", platform]) in (0, 1)
    chosen = {path.name for path in tree.glob("files/*/*/*.whl")}
    projects = {name.split("-")[0] for name in chosen}
    tags = [part for tag in platforms_for(platform) for part in ("--platform", tag)]
    for_pip = ("--only-binary", ":all:", "--no-deps", "--index-url", index, "--python-version", python)
    home.pip("pip", "download", *for_pip, *tags, "--dest", by_pip, *sorted(projects))
    assert {path.name for path in by_pip.iterdir()} == chosen
    here = replace(home, settings={"MACOSX_DEPLOYMENT_TARGET": "14.0"})
    for_uv = ("--python-version", python, "--python-platform", UV_PLATFORMS[platform], "--no-build", "--no-deps")
    here.uv("pip", "install", *for_uv, "--default-index", index, "--target", by_uv, *sorted(projects))
    assert tags_of(by_uv) == {"-".join(name.split("-")[:2]): tags_in(name) for name in chosen}
