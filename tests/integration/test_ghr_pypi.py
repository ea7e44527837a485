"""An index of releases has all that ghr-pypi, which only makes such indexes, writes of the same releases, and more."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.releases import UPLOADED, FakeGitHub
from support.remote_builds import sha256
from support.requirements import skip_or_fail
from support.scripted_server import make_certificates, run_server
from support.trees import anchors
from support.tunnel import run_tunnel
from support.wheels import metadata, wheel, write_sdist

if TYPE_CHECKING:
    from collections.abc import Iterator

GHR_PYPI = Path(__file__).resolve().parents[2] / ".peers/ghr-pypi/bin/ghr-pypi"
HOME = "https://github.com/"
OLD, NEW, RENAMED = (f"core-{version}-py3-none-any.whl" for version in ("1.0", "1.10", "2.0.cu128"))
NOT_INSTALLABLE = {RENAMED, "lib_b-1.0-py3-none-any.whl"}
NEW_WHEEL = wheel("core", "1.10", requires_python=">=3.9")
SIBLING = metadata("core", "1.10", requires_python=">=3.9")
SPECS = ["me/core", "me/lib-*"]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Variables with which programs find repositories of ours under the addresses of GitHub, through a proxy."""
    if not GHR_PYPI.exists():
        skip_or_fail("ghr-pypi: make peers")
    directory = tmp_path_factory.mktemp("github")
    authority, certificate = make_certificates(directory, names="DNS:api.github.com,DNS:github.com")
    kept = {name: value for name, value in os.environ.items() if not re.match("github_|.*_proxy$", name, re.IGNORECASE)}
    with run_server(certificate=certificate) as server, run_tunnel(server.port) as proxy:
        github = FakeGitHub(server, api="https://api.github.com", home=HOME)
        add_releases(github, directory)
        github.publish()
        yield kept | {
            "HTTPS_PROXY": proxy,
            "SSL_CERT_FILE": str(authority),
            "GITHUB_TOKEN": "token",
            "HOME": str(directory),
        }


def add_releases(github: FakeGitHub, directory: Path) -> None:
    """Add more releases than the API sends at once, and what real releases have besides wheels."""
    sdist = write_sdist(directory, "core", "1.10").read_bytes()
    new = {
        NEW: NEW_WHEEL,
        f"{NEW}.metadata": SIBLING,
        "core-1.10.tar.gz": sdist,
        "checksums.txt": b"",
    }
    github.add("me/core", "v1.0", {OLD: wheel("core", "1.0", requires_python=">=3.8")}, digests=False)
    github.add("me/core", "v1.10", new)
    github.add("me/core", "v2.0rc1", {"core-2.0rc1-py3-none-any.whl": wheel("core", "2.0rc1")}, prerelease=True)
    github.add("me/core", "v3.0", {"core-3.0-py3-none-any.whl": wheel("core", "3.0")}, draft=True)
    github.add("me/core", "cu128", {RENAMED: wheel("core", "2.0+cu128")})
    for number in range(101):
        name = f"Lib_A-{number}.0-py3-none-any.whl"
        github.add(
            "me/lib-a", f"v{number}", {name: wheel("Lib_A", f"{number}.0", dist_info=f"Lib_A-{number}.0.dist-info")}
        )
    github.add("me/lib-b", "v1", {"lib_b-1.0-py3-none-any.whl": b"not a zip file"})
    github.add("me/other", "v1", {"other-1.0-py3-none-any.whl": wheel("other", "1.0")})


def run_ghr_pypi(environment: dict[str, str], root: Path, *options: str) -> None:
    command = [str(GHR_PYPI), "index", *SPECS, "--out", str(root), *options]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)


@pytest.fixture(scope="module")
def theirs(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Simple API that ghr-pypi writes."""
    root = tmp_path_factory.mktemp("theirs")
    run_ghr_pypi(environment, root)
    return root / "simple"


def build(environment: dict[str, str], root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    sources = [f"github:{spec}" for spec in SPECS]
    command = [sys.executable, "-m", "mkindex", *sources, str(root), "--no-cache", "--prereleases", *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def ours(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Simple API of the same releases that mkindex writes."""
    root = tmp_path_factory.mktemp("ours")
    done = build(environment, root)
    assert done.returncode == 1, done.stderr  # two files are rejected
    return root / "simple"


def entries(simple: Path, page: str) -> dict[str, dict[str, Any]]:
    """The files of all JSON pages, by name, with their project."""
    pages = {path.parent.name: json.loads(path.read_text()) for path in sorted(simple.glob(f"*/{page}"))}
    return {one["filename"]: {"project": name, **one} for name, page in pages.items() for one in page["files"]}


def links(simple: Path) -> set[tuple[str, str]]:
    """The names and addresses, with hashes, that the HTML pages list."""
    pages = simple.glob("*/index.html")
    return {(one.text, one.attributes["href"] or "") for page in pages for one in anchors(page.read_bytes())}


def test_all_files_that_it_lists_are_listed_with_the_same_facts(theirs: Path, ours: Path) -> None:
    expected, found = entries(theirs, "index.json"), entries(ours, "index.v1_json")
    # Nobody can install these two: one is damaged, and GitHub has changed the name of the other.
    assert expected.keys() - found.keys() == NOT_INSTALLABLE
    more = {}
    for name, entry in found.items():
        theirs_of_it = expected[name]
        theirs_of_it.pop("dist-info-metadata", None)  # the older name of core-metadata
        assert {key: value for key, value in entry.items() if key in theirs_of_it} == theirs_of_it
        if added := {key: value for key, value in entry.items() if key not in theirs_of_it}:
            more[name] = added
    assert more == {OLD: {"requires-python": ">=3.8"}, NEW: {"requires-python": ">=3.9"}}
    assert len(found) == 105
    assert {tuple(one["hashes"]) for one in found.values()} == {("sha256",)}
    assert found[NEW] == {
        "project": "core",
        "filename": NEW,
        "url": f"{HOME}me/core/releases/download/v1.10/{NEW}",
        "hashes": {"sha256": sha256(NEW_WHEEL)},
        "requires-python": ">=3.9",
        "core-metadata": {"sha256": sha256(SIBLING)},
        "size": len(NEW_WHEEL),
        "upload-time": UPLOADED,
    }


def test_html_pages_have_the_same_links(theirs: Path, ours: Path) -> None:
    assert links(ours) == {link for link in links(theirs) if link[0] not in NOT_INSTALLABLE}


def test_copies_have_metadata_for_all_wheels_as_its_copies_do(environment: dict[str, str], tmp_path: Path) -> None:
    run_ghr_pypi(environment, tmp_path / "theirs", "--mirror")
    assert build(environment, tmp_path / "ours", "--remote", "mirror", "--fix-names").returncode == 1
    expected = entries(tmp_path / "theirs/simple", "index.json")
    found = entries(tmp_path / "ours/simple", "index.v1_json")
    facts = "hashes", "size", "core-metadata", "upload-time"
    wanted = {name: [one.get(key) for key in facts] for name, one in expected.items() if name not in NOT_INSTALLABLE}
    corrected = found.pop(RENAMED.replace("2.0.cu128", "2.0+cu128"))
    assert {name: [one.get(key) for key in facts] for name, one in found.items()} == wanted
    assert [corrected[key] for key in facts] == [expected[RENAMED][key] for key in facts]
