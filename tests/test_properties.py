"""After any changes of source, destination, cache and options, each build ends with the tree of a cold build.

MKINDEX_SOAK=1 tries many more sequences.
"""

from __future__ import annotations

import functools
import os
import shutil
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from mkindex.errors import DestinationError
from mkindex.site.templates import Templates
from support.builds import cold_build, publish, scratch_directory, write_files
from support.faulty_disk import (
    BROKEN,
    FULL_ONCE,
    INTERRUPTED,
    KILLED,
    KILLED_IN_A_WRITE,
    Fault,
    FaultyDisk,
    ProcessKilled,
)
from support.trees import OWN_DIRECTORY, file_identities, find_broken_links, is_page, own_files, read_tree
from support.wheels import sdist, wheel

if TYPE_CHECKING:
    from mkindex.build.report import Report

pytestmark = pytest.mark.slow

SOAK = bool(os.environ.get("MKINDEX_SOAK"))
MTIME = 1_700_000_000
TICK = 0.004  # seconds: timestamps of files are at least that precise

CONTENT = {
    f"{name}-{version}{build}-py3-none-any.whl": functools.partial(wheel, name, version, build=build.strip("-") or None)
    for name in ("demo", "other")
    for version in ("1.0", "2.0+cpu")
    for build in ("", "-1")
} | {
    "demo-1.0.tar.gz": functools.partial(sdist, "demo", "1.0"),
    "lone-1.zip": functools.partial(sdist, "lone", "1", suffix=".zip"),
    # Its page has the path that the root page has with another --simple-path.
    "simple-1.0.tar.gz": functools.partial(sdist, "simple", "1.0"),
}
FOREIGN = (
    "README",
    "docs/index.html",
    "simple/notes",
    "simple/demo/notes",
    "simple/nobody/index.html",
    "files/00/x.whl",
)
OPTIONS: dict[str, list[Any]] = {
    "links": [False, True],
    "simple_path": ["simple", "", "a/b"],
    "link_mode": ["copy", "hardlink"],
    "files_url": [None, "https://files.example/"],
    "upload_time": ["mtime", "none"],
}
HOSTED: list[tuple[str | None, str | None]] = [
    (None, None),
    ("github-pages", None),
    ("netlify", "json"),
    ("cloudflare-pages", "simple-json"),
    ("apache", None),
]
filenames = st.sampled_from(sorted(CONTENT))
numbers = st.integers(0, 1000)


class Builds(RuleBasedStateMachine):
    """A source, a destination, and everything that can happen to them."""

    grace: ClassVar = 0
    builds: ClassVar = 0
    racy_ns: ClassVar[int | None] = (
        None  # None: the default, with which the cache hardly ever trusts files that a test wrote
    )

    def __init__(self) -> None:
        super().__init__()
        self.patches = ExitStack()
        root = Path(self.patches.enter_context(scratch_directory()))
        patch = self.patches.enter_context(pytest.MonkeyPatch.context())
        patch.setattr("mkindex.build.terms.Templates", functools.cache(Templates))
        patch.setattr("mkindex.publish.directory.Filesystem", FaultyDisk)
        for module in ("examine.local", "publish.precopy", "publish.ownership", "publish.staging"):
            patch.setattr(f"mkindex.{module}.CHUNK", 950)  # so that half of the files are large
        if self.racy_ns is not None:
            patch.setattr("mkindex.cache.RACY_NS", self.racy_ns)
        self.source, self.public, self.cache = root / "wheels", root / "public", root / "cache"
        self.source.mkdir()
        self.options: dict[str, Any] = {}
        self.overwrite = False
        self.foreign: dict[str, bytes] = {}
        self.perhaps: set[str] = set()  # those that a build that died may have replaced
        self.retired: dict[str, tuple[int, int | None]] = {}  # the earliest and the latest time since when
        self.edits: dict[str, tuple[bytes, bytes]] = {}  # the bytes of edited pages before and after
        self.now = 0

    def teardown(self) -> None:
        self.patches.close()

    # --- the source -------------------------------------------------------------------------------------------------

    def files(self) -> list[str]:
        return sorted(os.listdir(self.source))

    def put(self, filename: str, data: bytes, mtime: int) -> None:
        (self.source / filename).write_bytes(data)
        os.utime(self.source / filename, (MTIME + mtime, MTIME + mtime))

    @initialize(filenames=st.sets(filenames))
    def begin(self, filenames: set[str]) -> None:
        for filename in filenames:
            self.put(filename, CONTENT[filename](), 0)

    @rule(filename=filenames, summary=st.sampled_from(["", "one", "two"]), mtime=st.integers(0, 2))
    def add_or_replace(self, filename: str, summary: str, mtime: int) -> None:
        self.put(filename, CONTENT[filename](summary=summary), mtime)

    @rule(filename=filenames, summary=st.sampled_from(["", "one", "two"]))
    def move_in(self, filename: str, summary: str) -> None:
        self.put("new.part", CONTENT[filename](summary=summary), 0)
        (self.source / "new.part").rename(self.source / filename)

    @precondition(lambda self: self.files())
    @rule(number=numbers)
    def remove(self, number: int) -> None:
        (self.source / self.files()[number % len(self.files())]).unlink()

    @precondition(lambda self: self.files())
    @rule(number=numbers)
    def rename(self, number: int) -> None:
        """Rename a file to another build number, or to a name that contradicts its metadata."""
        name = self.files()[number % len(self.files())]
        there, back = ("-py3", "-1-py3") if "-1-py3" not in name else ("-1-py3", "-py3")
        (self.source / name).rename(self.source / (name.replace(there, back) if there in name else f"un{name}"))

    @precondition(lambda self: self.files())
    @rule(number=numbers, mtime=st.integers(0, 2))
    def touch(self, number: int, mtime: int) -> None:
        os.utime(self.source / self.files()[number % len(self.files())], (MTIME, MTIME + mtime))

    @precondition(lambda self: self.files())
    @rule(number=numbers, at=numbers, cut=st.booleans())
    def corrupt(self, number: int, at: int, cut: bool) -> None:
        path = self.source / self.files()[number % len(self.files())]
        data, mtime = bytearray(path.read_bytes()), int(path.stat().st_mtime) - MTIME
        if data and not cut:
            data[at % len(data)] ^= 1
        self.put(path.name, bytes(data[: at if cut else len(data)]), mtime)

    # --- the destination --------------------------------------------------------------------------------------------

    def published(self) -> list[str]:
        content = read_tree(self.public) if self.public.exists() else {}
        return sorted(path for path in content if path not in self.foreign and not path.endswith("/"))

    @rule(path=st.sampled_from(FOREIGN), data=st.sampled_from([b"theirs", b""]))
    def foreign_file(self, path: str, data: bytes) -> None:
        if os.path.lexists(self.public / path) and path not in self.foreign:
            return  # it is ours
        write_files(self.public, [(path, data)])
        self.foreign[path] = data

    @precondition(lambda self: self.published())
    @rule(number=numbers)
    def delete_ours(self, number: int) -> None:
        (self.public / self.published()[number % len(self.published())]).unlink()

    @precondition(lambda self: self.published())
    @rule(number=numbers, how=st.sampled_from(["in place", "exchanged", "longer", "symlink"]))
    def edit_ours(self, number: int, how: str) -> None:
        name = self.published()[number % len(self.published())]
        path = self.public / name
        original = self.edits.get(name, (self.what_is_there()[name], b""))[0]
        data = path.read_bytes() if path.is_file() else b""
        if how == "longer":
            data += b"x"
        elif data:
            data = bytes([data[0] ^ 1]) + data[1:]
        if how in ("exchanged", "symlink") or path.is_symlink():
            path.unlink()
        if how == "symlink":
            path.symlink_to("elsewhere")
        else:
            path.write_bytes(data)
        if is_page(name):
            self.edits[name] = original, self.what_is_there()[name]

    def left(self, wanted: dict[str, bytes]) -> dict[str, bytes]:
        """Return the pages of ours that a build does not need, but leaves because someone edited them."""
        content = self.what_is_there()
        edited = {path: data for path, (original, data) in self.edits.items() if original != data}
        return {path: data for path, data in edited.items() if content.get(path) == data and path not in wanted}

    @precondition(lambda self: self.public.exists())
    @rule(directory=st.sampled_from(["simple", "files", "simple/demo"]))
    def delete_directory(self, directory: str) -> None:
        if not any(path.startswith(f"{directory}/") for path in self.foreign):
            shutil.rmtree(self.public / directory, ignore_errors=True)

    @precondition(lambda self: (self.public / OWN_DIRECTORY / "manifest").exists())
    @rule(at=st.none() | numbers, cut=st.booleans())
    def lose_manifest(self, at: int | None, cut: bool) -> None:
        """Delete or damage the manifest. From now on no file is known to be ours, and builds use --overwrite."""
        manifest = self.public / OWN_DIRECTORY / "manifest"
        data = bytearray(manifest.read_bytes())
        if at is None or not data:
            manifest.unlink()
        else:
            data[at % len(data)] = (data[at % len(data)] + 1) % 256  # a flipped bit could be flipped back
            manifest.write_bytes(data[: at % len(data)] if cut else data)
        self.overwrite = True
        self.retired.clear()
        self.foreign |= {path: data for path, data in read_tree(self.public).items() if not path.endswith("/")}
        with suppress(FileNotFoundError):  # the intent of a build that died is still known
            intent = (self.public / OWN_DIRECTORY / "intent").read_text("ascii")
            self.perhaps |= {line.split("\t")[2] for line in intent.splitlines()[1:]}

    # --- the rest ---------------------------------------------------------------------------------------------------

    @rule(at=st.none() | numbers, cut=st.booleans())
    def lose_cache(self, at: int | None, cut: bool) -> None:
        for path in self.cache.glob("*"):
            data = bytearray(path.read_bytes())
            if at is None:
                path.unlink()
            elif data:
                data[at * 37 % len(data)] = (data[at * 37 % len(data)] + 1) % 256
                path.write_bytes(data[: at * 37 % len(data)] if cut else data)

    @rule(option=st.sampled_from(sorted(OPTIONS)), number=numbers)
    def change_option(self, option: str, number: int) -> None:
        self.options[option] = OPTIONS[option][number % len(OPTIONS[option])]
        if self.options.get("simple_path") == "":
            self.options["json_root"] = None

    @rule(number=numbers)
    def choose_a_host(self, number: int) -> None:
        host, root = HOSTED[number % len(HOSTED)]
        self.options |= {"host": host, "json_root": None if self.options.get("simple_path") == "" else root}

    @rule(seconds=st.sampled_from([1, 299, 300, 301]))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    def what_is_there(self) -> dict[str, bytes]:
        return read_tree(self.public) if self.public.exists() else {}

    def gone(self, before: dict[str, bytes], wanted: dict[str, bytes]) -> list[str]:
        """Return our files that exist and are not wanted."""
        ours = before.keys() - self.foreign.keys() - wanted.keys()
        return [path for path in ours if not is_page(path) and not path.endswith("/")]

    def wanted(self) -> dict[str, bytes]:
        return cold_build(self.source, **self.options, allow_empty=True, jobs=1)

    def publish(self) -> Report:
        settings = {"allow_empty": True, "prune": True, "jobs": 1, "grace": self.grace, "overwrite": self.overwrite}
        type(self).builds += 1
        with mock.patch("time.time", return_value=self.now):
            return publish(self.source, self.public, **self.options, **settings, cache_dir=str(self.cache))

    def dangling(self, content: dict[str, bytes]) -> list[str]:
        return find_broken_links(
            content, simple=self.options.get("simple_path", "simple"), files_url=self.options.get("files_url")
        )

    @rule(at=st.integers(1, 90), fault=st.sampled_from([KILLED, KILLED_IN_A_WRITE, INTERRUPTED, FULL_ONCE, BROKEN]))
    def die(self, at: int, fault: Fault) -> None:
        wanted, before = self.wanted(), self.what_is_there()
        self.overwrite |= bool(self.left(wanted))  # they may be unknown from now on, and needed again
        disk = FaultyDisk(fault=fault, at=at)
        with (
            mock.patch("mkindex.publish.directory.Filesystem", disk.mount),
            suppress(ProcessKilled, KeyboardInterrupt, DestinationError),
        ):
            self.publish()
        content = self.what_is_there()
        pages = {path: page for path, page in content.items() if is_page(path) and not path.endswith("/")}
        assert [path for path, page in pages.items() if page not in (before.get(path), wanted.get(path))] == []
        new = {*self.dangling(content)} - {*self.dangling(before)}
        lost = self.foreign.keys() - wanted.keys()  # pages that are not known to be ours may name anything
        assert [what for what in new if what.partition(": ")[0] not in lost] == []
        self.perhaps |= self.foreign.keys() & wanted.keys()
        for path in self.gone(before, {}):
            if path in self.retired or path not in wanted:  # retired by this build, or by the next one
                self.retired[path] = self.retired.get(path, (self.now, None))[0], None

    @rule()
    def build(self) -> None:
        wanted, before = self.wanted(), self.what_is_there()
        touched = file_identities(self.public) if self.public.exists() else {}
        left = self.left(wanted)
        self.foreign = {path: before[path] for path in self.foreign.keys() & before.keys() - wanted.keys()} | left
        self.overwrite |= bool(left)
        missing = {path: self.retired.get(path, (self.now, None)) for path in self.gone(before, wanted)}
        self.publish()
        after = self.what_is_there()
        for path in self.perhaps - after.keys():
            self.foreign.pop(path, None)
        if not self.grace:  # otherwise they may be retired
            self.perhaps.clear()
        if self.grace or self.overwrite:  # a directory may be empty if a retired or unknown file was deleted
            after = {path: data for path, data in after.items() if not path.endswith("/")}
        since = {path: (first, self.now if last is None else last) for path, (first, last) in missing.items()}
        self.retired = {
            path: (first, last)
            for path, (first, last) in since.items()
            if self.now - first < self.grace or (self.now - last < self.grace and path in after)
        }
        expected = wanted | self.foreign | {path: before[path] for path in self.retired}
        assert [path for path in after.keys() | expected.keys() if after.get(path) != expected.get(path)] == []
        assert own_files(self.public) == {"manifest"}
        assert self.dangling(wanted) == []
        then = file_identities(self.public)
        assert [path for path in then if before.get(path) == after[path] and then[path] != touched[path]] == []
        again = self.publish()
        assert (again.written, again.plan.puts, file_identities(self.public)) == (0, (), then)
        time.sleep(TICK)


class BuildsWithGrace(Builds):
    """Builds that keep unlisted files for a while."""

    grace = 300


class BuildsOnTrust(Builds):
    """Builds with a cache that trusts even the most recent timestamps, which are precise enough here."""

    racy_ns = 0


@pytest.mark.timeout(24 * 3600 if SOAK else 900)
@pytest.mark.parametrize("machine", [Builds, BuildsWithGrace, BuildsOnTrust])
def test_any_build_ends_with_the_tree_of_a_cold_one(machine: type[Builds]) -> None:
    machine.builds = 0
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=3000 if SOAK else 20,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
    assert machine.builds > 20
