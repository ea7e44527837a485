"""Installations from a wheel, an sdist and a checkout have the templates and build the same tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from mkindex import __version__
from support.trees import read_tree

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples" / "wheels"
# The files that an installation is built from, without the leftovers of builds and tests.
SOURCES = (
    *("gen", "templates", "man", "tests", "examples", "docs", "action", "action.yml"),
    *("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"),
)
LEFT_BEHIND = shutil.ignore_patterns("__pycache__", ".*", "*.egg-info")


def run(*command: str | Path, cwd: Path | None = None) -> str:
    # The installed package must not be found in the paths of the tests.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"  # keep the checkout clean, because it is compared
    done = subprocess.run(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        pytest.fail(f"{command}\n{done.stdout}", pytrace=False)
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of this checkout."""
    directory = tmp_path_factory.mktemp("checkout")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, directory / name, ignore=LEFT_BEHIND)
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, directory / name)
    return directory


@pytest.fixture(scope="module")
def sdist(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", directory, cwd=checkout)
    (built,) = directory.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", directory, cwd=checkout)
    (built,) = directory.iterdir()
    return built


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the tree that the mkindex of these tests builds."""
    directory = tmp_path_factory.mktemp("expected")
    run(sys.executable, "-m", "mkindex", "--links", EXAMPLES, directory)
    return read_tree(directory)


def install(what: str, source: Path, directory: Path) -> Path:
    """Install mkindex into its own environment, with access to its dependencies, and return the command."""
    venv.create(directory, symlinks=True)
    scheme = {"base": str(directory), "platbase": str(directory)}
    packages = Path(sysconfig.get_path("purelib", "venv", scheme))
    # A directory in a .pth file comes last in sys.path, and its own .pth files (that of this checkout) are not read.
    packages.joinpath("needed.pth").write_text(sysconfig.get_path("purelib"))
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
    editable = ["--editable"] if what == "editable" else []
    scripts = Path(sysconfig.get_path("scripts", "venv", scheme))
    python = scripts / Path(sys.executable).name
    run(sys.executable, "-m", "pip", "--python", python, "install", "--ignore-installed", *options, *editable, source)
    where = run(python, "-c", "import mkindex; print(mkindex.__file__)").strip()
    assert Path(where).is_relative_to(source if editable else packages)
    return scripts / "mkindex"


@pytest.mark.parametrize("what", ["wheel", "sdist", "editable"])
def test_an_installed_mkindex_builds_the_same_tree(
    what: str, expected: dict[str, bytes], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    source: Path = request.getfixturevalue({"editable": "checkout"}.get(what, what))
    command = install(what, source, tmp_path / "environment")
    assert run(command, "--version") == f"mkindex {__version__}\n"
    run(command, "--links", EXAMPLES, tmp_path / "tree")
    assert read_tree(tmp_path / "tree") == expected


def test_the_wheel_holds_the_package_its_templates_its_manual_and_nothing_else(wheel: Path, checkout: Path) -> None:
    info = f"mkindex-{__version__}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        found = set(archive.namelist())
    code = {path.relative_to(checkout / "gen").as_posix() for path in checkout.glob("gen/mkindex/**/*.*")}
    files = [path for path in checkout.glob("templates/**/*") if path.is_file()]
    templates = {f"mkindex/{path.relative_to(checkout).as_posix()}" for path in files}
    assert {"mkindex/py.typed", "mkindex/templates/hosts/Caddyfile"} <= code | templates
    pages = [path.name for path in (checkout / "man").iterdir()]
    manual = {f"mkindex-{__version__}.data/data/share/man/man1/{name}" for name in pages}
    names = ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")
    assert found == code | templates | manual | {f"{info}/{name}" for name in names}


def test_the_sdist_holds_all_that_the_tests_need(sdist: Path, checkout: Path) -> None:
    with tarfile.open(sdist) as archive:
        found = {name.partition("/")[2] for name in archive.getnames()}
    needed = [
        path for name in ("gen", "templates", "man", "tests", "examples") for path in checkout.glob(f"{name}/**/*")
    ]
    missing = {path.relative_to(checkout).as_posix() for path in needed if path.is_file()} - found
    assert missing == set()
    assert {"pyproject.toml", "README.md", "LICENSE", "PKG-INFO", "CONTRIBUTING.md", "SECURITY.md"} <= found
    assert {"action.yml", "action/requirements.txt", "docs/hosting/github-pages.md"} <= found
