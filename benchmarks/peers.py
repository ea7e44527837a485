"""The peers, each in its own virtual environment in .peers/: `python -m benchmarks.peers` installs them."""

import hashlib
import json
import os
import shutil
import subprocess
import venv
from collections.abc import Callable
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = f"{os.path.dirname(HERE)}/.peers"


@dataclass(frozen=True, kw_only=True, slots=True)
class Calls:
    """The commands of a peer for one source: for the first run, and for another one when nothing has changed."""

    first: list[str]
    second: list[str]
    made: str  # pattern of the paths that it creates


def simple503(source: str, work: str) -> Calls:
    """Copy, because by default it moves the wheels out of the source."""
    command = [program("simple503"), "--copy", source, f"{work}/out"]
    return Calls(first=command, second=command, made=f"{work}/out")


def simple_repository_generator(source: str, work: str) -> Calls:
    """Copy, because by default the pages link into the source."""
    command = [program("simple-repository-generator"), "--copy", "--force", source, "-o", f"{work}/out"]
    return Calls(first=command, second=command, made=f"{work}/out")


def pages_only(source: str, work: str) -> Calls:
    """Publish pages only, which have neither hashes nor metadata."""
    command = [program("simple-repository-generator"), "--force", source, "-o", f"{work}/out"]
    return Calls(first=command, second=command, made=f"{work}/out")


def index_503(source: str, work: str) -> Calls:
    """Use its own copy of the source: it creates hard links, which changes the inodes that others look at."""
    own = f"{work}/wheels"
    subprocess.run(["cp", "-a", source, own], check=True)
    command = [program("index-503"), own]
    return Calls(first=command, second=command, made=f"{own}-index*")


def dumb_pypi(source: str, work: str) -> Calls:
    """Create the list that it requires beforehand, because it never opens a file."""
    listing = f"{work}/list.json"
    with open(listing, "w") as lines, os.scandir(source) as entries:
        for entry in entries:
            with open(entry.path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            lines.write(json.dumps({"filename": entry.name, "hash": f"sha256={digest}"}) + "\n")
    command = of_list(listing, "../../packages/", f"{work}/out")
    return Calls(first=command, second=[*command, "--previous-package-list-json", listing], made=f"{work}/out")


def of_list(listing: str, url: str, made: str) -> list[str]:
    """Return the command of dumb-pypi for a list, without the pages that nobody installs from."""
    command = [program("dumb-pypi"), "--package-list-json", listing, "--packages-url", url]
    return [*command, "--no-per-release-json", "--output-dir", made]


PEERS: dict[str, Callable[[str, str], Calls]] = {
    "simple503": simple503,
    "simple-repository-generator": simple_repository_generator,
    "simple-repository-generator, pages only": pages_only,
    "index-503": index_503,
    "dumb-pypi": dumb_pypi,
}


# Too old for comparing the speed. The tests run `mkindex check` on their output.
CHECKED = ["pip2pi", "piprepo"]
MIRRORS = ["python-pypi-mirror"]  # what mirrors.py compares, beside simple-repository-generator
RELEASES = ["ghr-pypi"]  # what the tests run on releases of GitHub
DISTRIBUTIONS = [name for name in PEERS if "," not in name] + CHECKED + MIRRORS + RELEASES


def program(distribution: str) -> str:
    """Return the path of the executable of a peer."""
    return f"{HOME}/{distribution}/bin/{distribution}"


def installed() -> list[str]:
    """Return those of the compared peers that are installed."""
    return [name for name in DISTRIBUTIONS if name in PEERS and os.path.exists(program(name))]


def version(name: str) -> str:
    """Return the pinned version of a peer."""
    with open(f"{HERE}/requirements/{name}.txt") as pins:
        return next(line.strip().partition("==")[2] for line in pins if line.startswith(f"{name}=="))


def install(name: str) -> None:
    """Install a peer with exactly its pinned dependencies."""
    shutil.rmtree(f"{HOME}/{name}", ignore_errors=True)
    venv.create(f"{HOME}/{name}", with_pip=True)
    pip = [f"{HOME}/{name}/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "--requirement", f"{HERE}/requirements/{name}.txt"], check=True)


def main() -> None:
    """Install every peer."""
    for name in DISTRIBUTIONS:
        install(name)
        print(f"{name} {version(name)}")


if __name__ == "__main__":
    main()
