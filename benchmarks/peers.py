"""The peers, each in a virtual environment of its own under .peers/: `python -m benchmarks.peers` installs them."""

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
    """How a peer is run on one source: the first time, and again when nothing changed."""

    first: list[str]
    second: list[str]
    made: str  # pattern of the paths that it makes


def simple503(source: str, work: str) -> Calls:
    """Copy: by default it moves the wheels out of the source."""
    command = [program("simple503"), "--copy", source, f"{work}/out"]
    return Calls(first=command, second=command, made=f"{work}/out")


def simple_repository_generator(source: str, work: str) -> Calls:
    """Copy: by default the pages point into the source."""
    command = [program("simple-repository-generator"), "--copy", "--force", source, "-o", f"{work}/out"]
    return Calls(first=command, second=command, made=f"{work}/out")


def pages_only(source: str, work: str) -> Calls:
    """Let it place no file: neither hashes nor metadata are left."""
    command = [program("simple-repository-generator"), "--force", source, "-o", f"{work}/out"]
    return Calls(first=command, second=command, made=f"{work}/out")


def index_503(source: str, work: str) -> Calls:
    """Give it a source of its own: it links, and that touches the inodes which others look at."""
    own = f"{work}/wheels"
    subprocess.run(["cp", "-a", source, own], check=True)
    command = [program("index-503"), own]
    return Calls(first=command, second=command, made=f"{own}-index*")


def dumb_pypi(source: str, work: str) -> Calls:
    """Give it the list that it wants ready: it never opens a file."""
    listing = f"{work}/list.json"
    with open(listing, "w") as lines, os.scandir(source) as entries:
        for entry in entries:
            with open(entry.path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            lines.write(json.dumps({"filename": entry.name, "hash": f"sha256={digest}"}) + "\n")
    command = of_list(listing, "../../packages/", f"{work}/out")
    return Calls(first=command, second=[*command, "--previous-package-list-json", listing], made=f"{work}/out")


def of_list(listing: str, url: str, made: str) -> list[str]:
    """Let dumb-pypi make what it makes of a list, but for the pages that nobody installs from."""
    command = [program("dumb-pypi"), "--package-list-json", listing, "--packages-url", url]
    return [*command, "--no-per-release-json", "--output-dir", made]


PEERS: dict[str, Callable[[str, str], Calls]] = {
    "simple503": simple503,
    "simple-repository-generator": simple_repository_generator,
    "simple-repository-generator, pages only": pages_only,
    "index-503": index_503,
    "dumb-pypi": dumb_pypi,
}


# Too old to be compared in speed: what they make is what `mkindex check` is tried on.
CHECKED = ["pip2pi", "piprepo"]
DISTRIBUTIONS = [name for name in PEERS if "," not in name] + CHECKED


def program(distribution: str) -> str:
    """Name a peer's executable."""
    return f"{HOME}/{distribution}/bin/{distribution}"


def installed() -> list[str]:
    """Say which of the peers that are compared are there."""
    return [name for name in DISTRIBUTIONS if name not in CHECKED and os.path.exists(program(name))]


def version(name: str) -> str:
    """Read a peer's version from what pins it."""
    with open(f"{HERE}/requirements/{name}.txt") as pins:
        return next(line.strip().partition("==")[2] for line in pins if line.startswith(f"{name}=="))


def install(name: str) -> None:
    """Install a peer and exactly what is pinned with it."""
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
