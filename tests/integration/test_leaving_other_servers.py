"""Each command of docs/publishing.md that reads another server's index, with that server, and the check after it."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.clients import INSTALLERS, ClientHome
from support.http_servers import serve_directory
from support.old_servers import OLD_SERVERS
from support.wheels import write_sdist, write_wheel

PAGE = Path(__file__).resolve().parents[2] / "docs/publishing.md"
# The address of each server in the documentation.
ADDRESSES = {
    "pypiserver": "https://pypi.example.com/simple/",
    "devpi": "https://devpi.example.com/USER/INDEX/+simple/",
    "dumb-pypi": "https://pypi.example.com/simple/",
    "s3pypi": "https://pypi.example.com/",
}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Files of two projects, of which one requires the other."""
    directory = tmp_path / "files"
    directory.mkdir()
    write_wheel(directory, "demo", "1.0", requires_dist=["other-lib"])
    write_wheel(directory, "demo", "1.1+local.1", requires_dist=["other-lib"], requires_python=">=3.8")
    write_wheel(directory, "other-lib", "2.0")
    write_sdist(directory, "other-lib", "1.0")
    return directory


def command_for(name: str) -> str:
    """Return the command in the table of the page."""
    (command,) = re.findall(rf"^\| {name} \| `mkindex ([^`]+)` \|$", PAGE.read_text(), re.MULTILINE)
    assert ADDRESSES[name] in command
    return str(command)


def run_mkindex(*arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "mkindex", *arguments], cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done
    return done.stdout


@pytest.mark.parametrize("name", sorted(OLD_SERVERS))
def test_one_command_takes_all_files_of_another_server(name: str, files: Path, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    with OLD_SERVERS[name](files, tmp_path / "own") as address:
        command = command_for(name).replace(ADDRESSES[name], address)
        run_mkindex(*command.split(), "--no-cache", cwd=tmp_path)
        old = json.loads(
            subprocess.run(
                [sys.executable, "-m", "mkindex", "check", address, "--json", "--no-cache"],
                capture_output=True,
                check=False,
            ).stdout
        )
    published = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / "public/files").rglob("*.*[lz]")}
    assert published == {hashlib.sha256(path.read_bytes()).hexdigest() for path in files.iterdir()}
    assert old["projects"] == 2
    run_mkindex("check", "public", "--no-cache", cwd=tmp_path)
    with serve_directory(tmp_path / "public", tmp_path / "log") as server:
        installed = INSTALLERS["pip"](ClientHome(tmp_path), f"{server.url}simple/", ["demo"])
    assert installed == {"demo": "1.1+local.1", "other-lib": "2.0"}
