"""The recipes of docs/publishing.md, run as they are written: over ssh and rsync, and for hosts of Pages."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from support.growing import cold_union
from support.pages_host import PagesHost
from support.ssh_server import USER, SshServer, run_ssh_server
from support.trees import read_tree
from support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (Path(__file__).resolve().parents[2] / "docs/publishing.md").read_text()
MTIME = 1_700_000_000


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with run_ssh_server(tmp_path_factory.mktemp("ssh")) as server:
        yield server


@pytest.fixture
def releases(tmp_path: Path) -> list[Path]:
    """Two checkouts, with the wheel that each of them has built in dist/."""
    checkouts = [tmp_path / "first", tmp_path / "second"]
    for number, checkout in enumerate(checkouts):
        (checkout / "dist").mkdir(parents=True)
        write_wheel(checkout / "dist", "demo", f"{number}.0", mtime=MTIME + number)
    return checkouts


def job(name: str) -> list[str]:
    """Return the script of a job of GitLab CI, without the line that builds the wheel."""
    (found,) = [text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if f"\n{name}:" in f"\n{text}"]
    build, *lines = map(str, yaml.safe_load(found)[name]["script"])
    assert build == "python -m pip wheel --no-deps --wheel-dir dist ."
    return lines


def commands(before: str) -> str:
    """Return the commands of the example that follows a text, as a script."""
    example = PAGE.partition(before)[2].partition("```console\n")[2].partition("```")[0]
    return "".join(f"{line.removeprefix('$ ')}\n" for line in example.splitlines())


def on_server(script: str, root: Path) -> str:
    """Return a script with the user and the directories of this server."""
    return script.replace("deploy@", f"{USER}@").replace("/srv/", f"{root}/")


def without_times(tree: dict[str, bytes]) -> dict[str, bytes]:
    return {path: re.sub(rb"20\d\d-\d\d-\d\dT[\d:]+Z", b"", content) for path, content in tree.items()}


def without_generation(tree: dict[str, bytes]) -> dict[str, bytes]:
    return {path: content for path, content in tree.items() if path != "generation.txt"}


def test_a_job_publishes_on_a_server_that_it_reaches_by_ssh(
    ssh: SshServer, releases: list[Path], tmp_path: Path
) -> None:
    server = tmp_path / "srv"
    (server / "incoming").mkdir(parents=True)
    for checkout in releases:
        ssh.run(on_server("\n".join(job("publish")), server), checkout)
    wanted = cold_union(tmp_path / "all", *(checkout / "dist" for checkout in releases))
    assert without_times(read_tree(server / "index")) == without_times(wanted)  # scp does not keep them
    assert os.listdir(server / "incoming") == []


def test_a_tree_that_is_copied_with_rsync_gets_files_first_and_loses_them_last(
    ssh: SshServer, releases: list[Path], tmp_path: Path
) -> None:
    server = tmp_path / "srv"
    (server / "index").mkdir(parents=True)
    script = on_server(commands("If mkindex is not installed on the server"), server)
    for checkout in releases:
        if checkout is not releases[0]:
            shutil.copytree(releases[0] / "public", checkout / "public", copy_function=shutil.copy2)
        ssh.run(script, checkout)
    assert read_tree(server / "index") == read_tree(releases[1] / "public")
    assert not (server / "index/.mkindex").exists()


def test_a_job_of_gitlab_pages_publishes_all_releases(ssh: SshServer, releases: list[Path], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    with PagesHost() as host:
        for checkout in releases:
            shutil.copytree(cache, checkout / ".mkindex-cache")
            ssh.run("\n".join(job("pages")), checkout, CI_PAGES_URL=host.url.rstrip("/"))
            host.deploy(checkout / "public")
            shutil.rmtree(cache)
            shutil.copytree(checkout / ".mkindex-cache", cache)
        wanted = cold_union(tmp_path / "all", *(checkout / "dist" for checkout in releases))
        assert without_generation(host.content) == wanted
