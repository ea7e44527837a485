"""Readers beside builds that are killed at any step."""

from __future__ import annotations

import functools
import hashlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lab.part import Part, Result
from lab.processes import Tally, repeated, start
from mkindex.publish import directory
from support.builds import cold_build, publish, scratch_directory
from support.crash_scenes import build_quickly
from support.faulty_disk import Fault, FaultyDisk
from support.trees import find_broken_links, html_entries, is_page, own_files, read_tree
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    import random

    from lab.part import Attempts

MTIME = 1_700_000_000
STEPS = 120  # of the longest build, or more
PROJECTS = ("always", "sometimes")


def make_source(root: Path, number: int) -> Path:
    """Make a source: each has other files, and every second one another project."""
    source = root / f"wheels{number}"
    source.mkdir()
    for version in range(number, number + 4):
        write_wheel(source, "always", f"{version}.0", mtime=MTIME, summary=f"of {number}" if version % 2 else None)
    write_sdist(source, "always", "0.1", mtime=MTIME)
    if number % 2:
        write_wheel(source, "sometimes", "1.0", mtime=MTIME, summary=f"of {number}")
    return source


class Reader:
    """Reads a tree as a client does, and reports what no client should see."""

    def __init__(self, public: Path, pages: dict[str, set[bytes]], tally: Tally) -> None:
        self._public, self._pages, self._tally = public, pages, tally

    def read(self) -> None:
        """Read both forms of the root page, the pages of the projects, and their files."""
        for root in ("simple/index.html", "simple/index.v1_json"):
            self._page(root)
        for project in PROJECTS:
            for name in ("index.v1_json", "index.html"):
                page = self._page(f"simple/{project}/{name}", may_be_missing=project == "sometimes")
            for entry in html_entries(page) if page else ():
                self._file(entry, f"simple/{project}/")

    def _page(self, path: str, *, may_be_missing: bool = False) -> bytes:
        try:
            page = (self._public / path).read_bytes()
        except FileNotFoundError:
            if not may_be_missing:
                self._tally.report(f"{path} is missing")
            return b""
        if page not in self._pages[path]:
            self._tally.report(f"{path} is not whole: {page[-60:]!r}")
        self._tally.add(1)
        return page

    def _file(self, entry: dict[str, Any], base: str) -> None:
        wanted = {entry["url"]: entry["hashes"]["sha256"]}
        if "core-metadata" in entry:
            wanted[f"{entry['url']}.metadata"] = entry["core-metadata"]["sha256"]
        for url, sha256 in wanted.items():
            path = os.path.normpath(base + url)
            try:
                found = hashlib.sha256((self._public / path).read_bytes()).hexdigest()
            except FileNotFoundError:
                found = "missing"
            if found != sha256:
                self._tally.report(f"{path} is {found}")
            self._tally.add(1)


def kill(_: str | None) -> BaseException:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


KILLS = [Fault(kill), Fault(kill, writes_half=True)]


def build_until_killed(source: Path, public: Path, fault: Fault, at: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(directory, "Filesystem", FaultyDisk(fault=fault, at=at).mount)
        publish(source, public, jobs=1, grace=900)


def attempts(chance: random.Random) -> Attempts:
    """Kill a build at some step, and count what was read meanwhile."""
    with pytest.MonkeyPatch.context() as patch, scratch_directory() as path:
        build_quickly(patch)
        sources = [make_source(Path(path), number) for number in range(5)]
        wanted = [cold_build(source, jobs=1) for source in sources]
        pages = {page: {tree[page] for tree in wanted if page in tree} for tree in wanted for page in tree}
        public, tally = Path(path, "public"), Tally()
        publish(sources[0], public, jobs=1, grace=900)
        with repeated(Reader(public, pages, tally).read, tally, processes=2):
            while True:
                number = chance.randrange(len(sources))
                fault, at = chance.choice(KILLS), chance.randrange(1, STEPS)
                process = start(functools.partial(build_until_killed, sources[number], public, fault, at), tally)
                process.join()
                count, violations = tally.take()
                yield Result(count, tuple(violations))
                if not process.exitcode:
                    yield Result(0, tuple(finished(public, wanted[number])))


def finished(public: Path, wanted: dict[str, bytes]) -> list[str]:
    """Return what is wrong after a build that was not killed."""
    content = read_tree(public)
    wrong = [f"{path} is not that of a cold build" for path, data in wanted.items() if content.get(path) != data]
    wrong += [f"{path} is left" for path in content.keys() - wanted.keys() if is_page(path)]
    wrong += [f"{name} is left" for name in own_files(public) - {"manifest"}]
    return wrong + find_broken_links(content)


PART = Part(name="kills", what="pages and files read beside killed builds", attempts=attempts, short=12)
