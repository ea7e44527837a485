"""The recipes in docs/recipes.md, run as they stand, against a real server and with real clients."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mkindex.build.pipeline import build
from mkindex.config import Config
from support.clients import CLIENTS, KEPT_VARIABLES, SETTINGS
from support.http_servers import LoggedServer, serve_directory
from support.requirements import skip_or_fail
from support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
RECIPES = {
    section.partition("\n")[0]: section for section in (ROOT / "docs/recipes.md").read_text("utf-8").split("\n## ")[1:]
}
# Recipes that need a network, another machine or a lock; their own tests are named.
ELSEWHERE = {
    "Carry an application to a closed network": "test_lock_bundles.py",
    "Publish to a bucket": "test_buckets.py",
    "Index the wheels of GitHub releases": "test_releases.py",
    "A private index with passwords": "test_hosted.py",
    "Give everybody one safe address": "test_fallback.py",
}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoggedServer]:
    """Serve an index of the examples, and a find-links page of the same files."""
    directory = tmp_path_factory.mktemp("published")
    build(Config(sources=(str(ROOT / "examples/wheels"),), destination=str(directory / "public"), links=True))
    shutil.copyfile(directory / "public/links.html", directory / "public/wheels.html")
    with serve_directory(directory / "public", directory / "log") as server:
        yield server


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A directory with wheels, an index of them, a new wheel in dist, and a project."""
    here = tmp_path / "here"
    shutil.copytree(ROOT / "examples/wheels", here / "wheels")
    build(Config(sources=(str(here / "wheels"),), destination=str(here / "public")))
    (here / "dist").mkdir()
    write_wheel(here / "dist", "demo", "9.0")
    (here / "pyproject.toml").write_text('[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\n')
    (here / "bin").mkdir()
    (here / "bin/mkindex").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mkindex "$@"\n')
    (here / "bin/mkindex").chmod(0o755)
    return here


def blocks(recipe: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", RECIPES[recipe], re.DOTALL)


def follow(recipe: str, here: Path, published: LoggedServer) -> str:
    """Write the files of a recipe and run its commands; return what they print. Every command must succeed."""
    if not (CLIENTS / "uv/.ready").exists():
        skip_or_fail("uv: make clients")
    for text in blocks(recipe, "toml"):
        (here / "mkindex.toml").write_text(text)
    commands = [line[2:] for block in blocks(recipe, "console") for line in block.splitlines() if line.startswith("$ ")]
    script = "\n".join(commands).replace("https://host/", published.url)
    environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ} | SETTINGS
    paths = str(here / "bin"), str(CLIENTS / "uv/bin"), os.environ["PATH"]
    environment |= {"HOME": str(here), "PATH": os.pathsep.join(paths), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    done = subprocess.run(
        ["bash", "-euc", script],
        cwd=here,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}"
    return done.stdout


def files_of(here: Path, project: str, index: str = "simple") -> dict[str, str | bool]:
    """The filenames that the page of a project lists, and whether each is yanked."""
    page = json.loads((here / f"public/{index}/{project}/index.v1_json").read_text())
    return {file["filename"]: file.get("yanked", False) for file in page["files"]}


def test_each_recipe_is_run_here_or_by_its_own_test() -> None:
    tests = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    assert set(ELSEWHERE) <= set(RECIPES)
    assert set(ELSEWHERE.values()) <= tests
    followed = re.findall(r"""follow\((["'])(.*?)\1,""", Path(__file__).read_text("utf-8"))
    assert {*ELSEWHERE, *(title for _, title in followed)} == set(RECIPES)


def test_each_task_in_readme_has_a_recipe() -> None:
    tasks = (ROOT / "README.md").read_text("utf-8").partition("## I want to…")[2].partition("\n## ")[0]
    rows = [line for line in tasks.splitlines() if line.startswith("| ") and not line.startswith("| task")]
    anchors = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in RECIPES}
    assert {anchor for row in rows for anchor in re.findall(r"\(docs/recipes\.md#([^)]*)\)", row)} == anchors
    assert len(rows) == len(RECIPES)


def test_uv_installs_from_a_find_links_page(here: Path, published: LoggedServer) -> None:
    follow("Install from a find-links page with uv", here, published)
    assert 'name = "demo"\nversion = "1.1"' in (here / "uv.lock").read_text()


def test_a_find_links_page_becomes_an_index(here: Path, published: LoggedServer) -> None:
    shutil.rmtree(here / "public")
    assert "0 errors, 0 warnings" in follow("Make an index of a find-links page", here, published)


def test_a_release_is_added_and_the_others_stay(here: Path, published: LoggedServer) -> None:
    follow("Publish a release from CI, instead of `twine upload`", here, published)
    assert [*files_of(here, "demo")][-1] == "demo-9.0-py3-none-any.whl"
    assert len(files_of(here, "demo")) == 4


def test_nightlies_are_kept_and_releases_yanked(here: Path, published: LoggedServer) -> None:
    follow("Keep the newest nightlies, and yank a broken one", here, published)
    assert files_of(here, "demo") == {
        "demo-1.0-py3-none-any.whl": "broken metadata",
        "demo-1.1-py3-none-any.whl": "corrupts data on Windows",
        "demo-2.0-py3-none-any.whl": False,
    }


def test_each_variant_has_an_index(here: Path, published: LoggedServer) -> None:
    for label in ("cpu", "cu128"):
        write_wheel(here / "wheels", "torchish", f"2.9.0+{label}")
    printed = follow("One index for each CUDA variant", here, published)
    assert [*files_of(here, "torchish", "whl/cu128")] == ["torchish-2.9.0+cu128-py3-none-any.whl"]
    assert re.findall(r'^name = "(.*)"', printed, re.MULTILINE) == ["public", "public-cpu", "public-cu128"]


def test_another_server_can_be_left(here: Path, published: LoggedServer) -> None:
    shutil.rmtree(here / "public")
    follow("Leave pypiserver, devpi, dumb-pypi or Artifactory", here, published)
    assert files_of(here, "demo")


def test_a_reason_is_given_for_each_file(here: Path, published: LoggedServer) -> None:
    printed = follow('Know why pip says "No matching distribution found"', here, published)
    assert "skips demo_native-1.0-cp312-cp312-macosx_11_0_arm64.whl" in printed
