"""Install and read while wheels are added, replaced and removed: nothing fails, and no version is wrong."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import threading
import time
import traceback
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin
from urllib.request import ProxyHandler, build_opener

import pytest
from packaging.version import Version

from support.builds import scratch_directory
from support.clients import INSTALLERS, ClientHome
from support.http_servers import serve_directory, serve_with_nginx
from support.trees import html_entries
from support.watch_process import run_watch
from support.wheels import wheel

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 20 * 60 if os.environ.get("MKINDEX_SOAK") else 20  # with each of three servers
KEPT = 40  # versions of a project: on a slow machine, a build takes as long as the writer takes for some of them


class Writer:
    """Adds versions of `demo`, removes the oldest, and replaces the only version of `same`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.number = 0
        self.counts: Counter[str] = Counter()

    def step(self) -> None:
        self.number += 1
        self._put("demo", f"1.{self.number}", in_place=False)
        self._put("same", "1.0", in_place=self.number % 2 == 0)
        self.counts.update(["added", "replaced"])
        if self.number > KEPT:
            (self._root / f"demo-1.{self.number - KEPT}-py3-none-any.whl").unlink()
            self.counts["removed"] += 1

    def _put(self, project: str, version: str, *, in_place: bool) -> None:
        data = wheel(project, version, files={f"{project}.py": b"number = %d\n" % self.number})
        path = self._root / f"{project}-{version}-py3-none-any.whl"
        if in_place:
            path.write_bytes(data)
        else:
            path.with_name(".new").write_bytes(data)
            path.with_name(".new").rename(path)


def newest_version(public: Path) -> Version:
    """The newest version of demo that is listed."""
    page = (public / "simple/demo/index.html").read_bytes()
    return max(Version(entry["filename"].split("-")[1]) for entry in html_entries(page))


def install(client: str, url: str, public: Path, home: Path) -> None:
    """Install both projects: the versions listed at the start, or newer ones."""
    least = newest_version(public)
    home.mkdir()
    installed = INSTALLERS[client](ClientHome(home), f"{url}simple/", ["demo", "same"])
    assert set(installed) == {"demo", "same"}, installed
    assert Version(installed["demo"]) >= least, (installed, least)
    number = int((home / "target/demo.py").read_text().removeprefix("number = "))
    assert installed["demo"] == f"1.{number}", (installed, number)
    shutil.rmtree(home)


def read(url: str) -> None:
    """Read each page and each file that it lists: the hashes are right."""
    get = build_opener(ProxyHandler({})).open
    for project in ("demo", "same"):
        page = f"{url}simple/{project}/"
        with get(page, timeout=30) as response:
            files = html_entries(response.read())
        assert files
        for file in files:
            with get(urljoin(page, file["url"]), timeout=30) as response:
                assert hashlib.sha256(response.read()).hexdigest() == file["hashes"]["sha256"]


@pytest.mark.timeout(SECONDS + 200)
@pytest.mark.parametrize("server", ["mkindex --serve", "http.server", "nginx"])
def test_clients_install_while_wheels_are_added_replaced_and_removed(server: str) -> None:
    successes: Counter[str] = Counter()
    failures: list[str] = []
    with scratch_directory() as directory, ExitStack() as stack:
        here = Path(directory)
        here.chmod(0o755)
        (here / "wheels").mkdir()
        writer = Writer(here / "wheels")
        writer.step()
        public = here / "public"
        serve = ["--serve", "--bind", "127.0.0.1:0"] if server == "mkindex --serve" else []
        watch = stack.enter_context(run_watch("--settle", "0.1", *serve, here / "wheels", public, log=here / "log"))
        watch.wait_until((public / "simple/same/index.html").exists, "an index")
        if server == "nginx":
            url = stack.enter_context(serve_with_nginx(public, here / "nginx"))
        elif server == "http.server":
            url = stack.enter_context(serve_directory(public, here / "server.log")).url
        else:
            url = watch.url
        deadline = time.monotonic() + SECONDS

        def loop(name: str, work: Callable[[int], None]) -> None:
            for number in itertools.count():
                if time.monotonic() > deadline:
                    return
                try:
                    work(number)
                    successes[name] += 1
                except BaseException:
                    failures.append(f"{name}: {traceback.format_exc()}")
                    time.sleep(0.1)

        def write(_: int) -> None:
            writer.step()
            time.sleep(0.2)

        loops: dict[str, Callable[[int], None]] = {
            "writes": write,
            "pip": lambda number: install("pip", url, public, here / f"pip{number}"),
            "uv": lambda number: install("uv", url, public, here / f"uv{number}"),
            "reads": lambda _: read(url),
        }
        threads = [threading.Thread(target=loop, args=item) for item in loops.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        builds = watch.builds()
    print(f"{server}: {dict(successes)}, {dict(writer.counts)}, {len(builds)} builds, {len(failures)} failures")  # noqa: T201
    assert failures == []
    assert {name: bool(count) for name, count in successes.items()} == dict.fromkeys(loops, True)
    assert {tuple(build["rejected"]) for build in builds} == {()}
