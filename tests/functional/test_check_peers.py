"""The findings of a check in the trees of other generators, and in our own, also served by nginx."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks import webserver

from support.requirements import skip_or_fail
from support.wheels import TAG, wheel, write_sdist, write_wheel

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / ".peers"


def checked(target: str | Path, *options: str) -> tuple[int, dict[str, list[str]]]:
    """Check a tree on the command line; return the exit status, and the pages and files that break each rule."""
    command = [sys.executable, "-m", "mkindex", "check", str(target), "--no-cache", "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.stderr == ""
    found: dict[str, list[str]] = {}
    for one in json.loads(done.stdout)["findings"]:
        if one["severity"] != "note":
            found.setdefault(one["rule"], []).append(one["file"] or one["page"])
    return done.returncode, found


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two spellings of one project, a local version, sdists, and Requires-Python."""
    directory = tmp_path_factory.mktemp("peers") / "wheels"
    directory.mkdir()
    write_wheel(directory, "foo", "1.0", requires_python=">=3.8")
    write_wheel(directory, "foo", "2.0", requires_python=">=3.9")
    write_sdist(directory, "foo", "2.0")
    write_wheel(directory, "bare", "1.0")
    write_wheel(directory, "torchish", "2.1.0+cu121")
    content = wheel("Foo.Bar", "1.0", dist_info="Foo_Bar-1.0.dist-info")
    (directory / f"Foo_Bar-1.0-{TAG}.whl").write_bytes(content)
    write_wheel(directory, "foo-bar", "2.0")
    return directory


CUDA = "torchish-2.1.0+cu121"
WHEELS = sorted(f"{name}-{TAG}.whl" for name in ("bare-1.0", "foo-1.0", "foo-2.0", "Foo_Bar-1.0", "foo_bar-2.0", CUDA))
EVERY = sorted([*WHEELS, "foo-2.0.tar.gz"])
PLUS = [f"{CUDA}-{TAG}.whl"]
PYTHONS = [f"foo-1.0-{TAG}.whl", f"foo-2.0-{TAG}.whl"]
PAGES = ["bare", "foo", "foo-bar", "torchish"]


def run(peer: str, program: str, *arguments: str | Path, stdin: str = "") -> None:
    path = PEERS / peer / "bin" / program
    if not path.exists():
        skip_or_fail(f"{peer}: make peers")
    subprocess.run([path, *arguments], input=stdin, check=True, capture_output=True, text=True, timeout=120)


def simple503(source: Path, work: Path) -> Path:
    run("simple503", "simple503", "--copy", source, work / "out")
    return work / "out"


def dumb_pypi(source: Path, work: Path) -> Path:
    names = "\n".join(sorted(path.name for path in source.iterdir()))
    listing = work / "names"
    listing.write_text(names)
    run(
        "dumb-pypi",
        "dumb-pypi",
        "--package-list",
        listing,
        "--packages-url",
        "../../packages/",
        "--output-dir",
        work / "out",
    )
    shutil.copytree(source, work / "out/packages")
    return work / "out"


def generator(source: Path, work: Path) -> Path:
    run("simple-repository-generator", "simple-repository-generator", "--copy", "--force", source, "-o", work / "out")
    return work / "out"


def index_503(source: Path, work: Path) -> Path:
    shutil.copytree(source, work / "wheels")
    run("index-503", "index-503", work / "wheels")
    return work / "wheels-index"


def dir2pi(source: Path, work: Path) -> Path:
    shutil.copytree(source, work / "wheels")
    run("pip2pi", "dir2pi", work / "wheels")
    return work / "wheels"


def piprepo(source: Path, work: Path) -> Path:
    shutil.copytree(source, work / "wheels")
    run("piprepo", "piprepo", "build", work / "wheels")
    return work / "wheels"


FOUND = {
    simple503: {
        "root-relative": sorted(["index.html", *(f"{name}/index.html" for name in PAGES)]),
        "raw-plus": PLUS,
        "name-collision": ["index.html"],
        "not-listed": [f"foo_bar-2.0-{TAG}.whl"],  # lost: the page of the other spelling was overwritten
    },
    index_503: {"raw-plus": PLUS},
    dumb_pypi: {
        "no-hash": EVERY,
        "raw-plus": PLUS,
        "requires-python-missing": PYTHONS,
        "root-link": ["simple/index.html"],
    },
    generator: {"no-hash": EVERY, "raw-plus": PLUS, "requires-python-missing": PYTHONS},
    dir2pi: {
        "no-hash": EVERY,
        "raw-plus": PLUS,
        "requires-python-missing": PYTHONS,
        "name-collision": ["simple/index.html"],
        "no-doctype": sorted(["simple/index.html", *(f"simple/{name}/index.html" for name in PAGES)]),
    },
    piprepo: {"no-hash": EVERY, "raw-plus": PLUS, "requires-python-missing": PYTHONS},
}


@pytest.mark.parametrize("peer", FOUND, ids=lambda peer: peer.__name__)
def test_faults_of_other_generators_are_found(source: Path, tmp_path: Path, peer: object) -> None:
    assert callable(peer)
    status, found = checked(peer(source, tmp_path), "--files", "deep")
    assert (status, {rule: sorted(where) for rule, where in found.items()}) == (0, FOUND[peer])


# --- our own --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the examples, and one of a few hundred generated files."""
    directory = tmp_path_factory.mktemp("many")
    (directory / "wheels").mkdir()
    for number in range(100):
        name, python = f"project-{number % 40}", f">=3.{number % 10}"
        write_wheel(directory / "wheels", name, f"1.{number}", requires_python=python, requires_dist=["project-1>=1"])
        write_wheel(
            directory / "wheels", name, f"1.{number}+cu12{number % 10}", tag="cp312-cp312-win_amd64", extras=["x"]
        )
        write_sdist(directory / "wheels", name, f"1.{number}", requires_python=python)
    for source, tree in ((directory / "wheels", "many"), (ROOT / "examples/wheels", "examples")):
        command = [sys.executable, "-m", "mkindex", str(source), str(directory / tree), "--links", "--no-cache"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    return directory


@pytest.mark.parametrize("level", ["head", "hash", "deep"])
@pytest.mark.parametrize("tree", ["many", "examples"])
def test_our_own_tree_has_no_findings_in_a_directory(many: Path, tree: str, level: str) -> None:
    assert checked(many / tree, "--files", level) == (0, {})


@pytest.mark.parametrize("tree", ["many", "examples"])
def test_our_own_tree_has_no_findings_behind_nginx(many: Path, tmp_path: Path, tree: str) -> None:
    if not webserver.program():
        skip_or_fail("nginx: apt-get install nginx-light")
    with webserver.nginx(str(many / tree), str(tmp_path / "nginx")) as url:
        assert checked(f"{url}simple/", "--files", "deep") == (0, {})
