"""After any builds, additions, removals and yanks, the tree is that of a cold build from what should be listed.

MKINDEX_SOAK=1 tries many more sequences.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from mkindex.build.deciding import decide_yank
from mkindex.build.growing import Growth
from mkindex.build.pipeline import build
from mkindex.config import Config
from mkindex.errors import DestinationError
from mkindex.site.templates import Templates
from support.builds import scratch_directory
from support.faulty_disk import FULL_ONCE, INTERRUPTED, KILLED, KILLED_IN_A_WRITE, Fault, FaultyDisk, ProcessKilled
from support.trees import OWN_DIRECTORY, file_identities, own_files, read_tree
from support.wheels import sdist, wheel

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

SOAK = bool(os.environ.get("MKINDEX_SOAK"))
MTIME = 1_700_000_000
CONTENT: dict[str, Callable[..., bytes]] = {
    "Demo_App-1.0-py3-none-any.whl": functools.partial(wheel, "Demo_App", "1.0", requires_dist=["missing", "other"]),
    "Demo_App-1.0-1-py3-none-any.whl": functools.partial(wheel, "Demo_App", "1.0", build="1"),
    "demo_app-2.0.tar.gz": functools.partial(sdist, "demo-app", "2.0", requires_python=">=3.9"),
    "other-1.0-py3-none-any.whl": functools.partial(wheel, "other", "1.0", requires_python=">=3.9"),
    "other-2.0+cpu-py3-none-any.whl": functools.partial(wheel, "other", "2.0+cpu"),
    "lone-1.zip": functools.partial(sdist, "lone", "1", suffix=".zip"),
}
# What is listed of a file: a text in its metadata, so that there are other bytes, and why it is yanked.
Listed = tuple[str, str | None]
choices = st.dictionaries(
    st.sampled_from(sorted(CONTENT)),
    st.tuples(st.sampled_from(["", "one"]), st.sampled_from([None, "", "broken “so”\ttoo"])),
    max_size=4,
)
OPTIONS: list[dict[str, Any]] = [{"links": True}, {"simple_path": "a/b"}, {"host": "netlify", "json_root": "json"}]
OPTIONS += [{"legacy_json": True}, {"pyodide_json": True, "legacy_json": True, "files_url": "https://files.example/"}]


class Growing(RuleBasedStateMachine):
    """An index, what it should list, and everything that can happen to it."""

    runs = 0

    def __init__(self) -> None:
        super().__init__()
        self.patches = ExitStack()
        self.root = Path(self.patches.enter_context(scratch_directory()))
        patch = self.patches.enter_context(pytest.MonkeyPatch.context())
        patch.setattr("mkindex.build.terms.Templates", functools.cache(Templates))
        patch.setattr("mkindex.publish.directory.Filesystem", FaultyDisk)
        self.public = self.root / "public"
        self.listed: dict[str, Listed] = {}
        self.options: dict[str, Any] = {}
        self.damaged: set[str] = set()

    def teardown(self) -> None:
        self.patches.close()

    def source(self, name: str, files: dict[str, Listed]) -> str:
        """Write files, and a list that says which of them are yanked; return its path."""
        directory = self.root / name
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        lines = []
        for filename, (summary, yanked) in files.items():
            (directory / filename).write_bytes(CONTENT[filename](summary=summary))
            os.utime(directory / filename, (MTIME, MTIME))
            lines.append(json.dumps({"filename": filename} | ({} if yanked is None else {"yanked_reason": yanked})))
        (directory / "list.jsonl").write_text("".join(f"{line}\n" for line in lines))
        return str(directory / "list.jsonl")

    def run(self, sources: tuple[str, ...], growth: Growth | None, **options: Any) -> None:  # noqa: ANN401 (Config)
        type(self).runs += 1
        settings = {"allow_empty": True, "prune": True, "unyank": True, "jobs": 1, "grace": 0}
        config = Config(sources=sources, destination=str(self.public), **(settings | options))
        build(config, growth=growth)

    def expect(self, listed: dict[str, Listed]) -> None:
        """Compare the tree with that of a cold build."""
        self.listed, self.damaged = listed, set()
        with scratch_directory() as directory:
            cold = Config(
                sources=(self.source("cold", listed),),
                destination=f"{directory}/cold",
                allow_empty=True,
                jobs=1,
                **self.options,
            )
            build(cold)
            wanted = read_tree(Path(directory) / "cold")
        there = read_tree(self.public)
        assert [path for path in wanted.keys() | there.keys() if wanted.get(path) != there.get(path)] == []
        assert own_files(self.public) == {"manifest"}
        before = file_identities(self.public)
        self.run((), Growth(given=frozenset({"grace"})))
        assert file_identities(self.public) == before
        time.sleep(0.004)  # timestamps of files are at least that precise

    def perform(self, run: Callable[[], None], at: int, fault: Fault) -> None:
        """Run something that fails at a step, and again; `at` 0: only once."""
        if at:
            disk = FaultyDisk(fault=fault, at=at)
            with (
                mock.patch("mkindex.publish.directory.Filesystem", disk.mount),
                suppress(ProcessKilled, KeyboardInterrupt, DestinationError),
            ):
                run()
        run()

    steps = st.integers(0, 60)
    faults = st.sampled_from([KILLED, KILLED_IN_A_WRITE, INTERRUPTED, FULL_ONCE])

    @rule(files=choices, replace=st.booleans(), at=steps, fault=faults)
    def add(self, files: dict[str, Listed], replace: bool, at: int, fault: Fault) -> None:
        source = self.source("new", files)
        # A file that is damaged is not listed any more, unless it is added again.
        before = {name: listed for name, listed in self.listed.items() if name not in self.damaged}
        after = dict(before)
        for name, (summary, yanked) in files.items():
            there = before.get(name)
            if there is None or (replace and there[0] != summary):
                after[name] = summary, yanked
            elif there[0] == summary:  # a yank of any source counts, and the first reason
                reasons = [reason for reason in (there[1], yanked) if reason is not None]
                after[name] = summary, next(filter(None, reasons), "") if reasons else None
        self.perform(lambda: self.run((source,), Growth(given=frozenset({"grace"}), replace=replace)), at, fault)
        self.expect(after)

    @rule(names=st.sets(st.sampled_from(sorted(CONTENT)), max_size=2), at=steps, fault=faults)
    def remove(self, names: set[str], at: int, fault: Fault) -> None:
        growth = Growth(given=frozenset({"grace"}), is_removed=lambda file: file.filename in names)
        self.perform(lambda: self.run((), growth), at, fault)
        self.expect(
            {name: listed for name, listed in self.listed.items() if name not in names and name not in self.damaged}
        )

    @precondition(lambda self: self.listed.keys() - self.damaged)
    @rule(number=st.integers(0, 1000), reason=st.sampled_from([None, "broken"]), at=steps, fault=faults)
    def yank(self, number: int, reason: str | None, at: int, fault: Fault) -> None:
        after = {name: listed for name, listed in self.listed.items() if name not in self.damaged}
        name = sorted(after)[number % len(after)]
        after[name] = after[name][0], reason
        config = Config(sources=(), destination=str(self.public), jobs=1)
        growth = decide_yank(config, [name], reason, frozenset({"grace"})).growth
        self.perform(lambda: self.run((), growth), at, fault)
        self.expect(after)

    @rule(files=choices, options=st.sampled_from(OPTIONS), at=steps, fault=faults)
    def build(self, files: dict[str, Listed], options: dict[str, Any], at: int, fault: Fault) -> None:
        source = self.source("new", files)
        self.options = options
        self.perform(lambda: self.run((source,), None, **options), at, fault)
        self.expect(files)

    @precondition(lambda self: self.public.exists())
    @rule(number=st.integers(0, 1000), delete=st.booleans())
    def change_what_is_published(self, number: int, delete: bool) -> None:
        paths = sorted(path for path in read_tree(self.public) if not path.endswith("/"))
        if not paths:
            return
        path = self.public / paths[number % len(paths)]
        if path.name in self.listed:
            self.damaged.add(path.name)
        data = path.read_bytes()
        path.unlink()
        # A page that someone edited stays if the index has no such page any more.
        if not delete and path.is_relative_to(self.public / "files"):
            path.write_bytes(data + b"x")

    @precondition(lambda self: (self.public / OWN_DIRECTORY / "manifest").exists())
    @rule()
    def move(self) -> None:
        """Copy the tree, so that no fingerprint is right any more."""
        shutil.copytree(self.public, self.root / "moved")
        shutil.rmtree(self.public)
        (self.root / "moved").rename(self.public)


@pytest.mark.timeout(24 * 3600 if SOAK else 900)
def test_an_index_that_grows_has_the_tree_of_a_cold_build() -> None:
    Growing.runs = 0
    run_state_machine_as_test(
        Growing,
        settings=settings(
            max_examples=2000 if SOAK else 15,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
    assert Growing.runs > 20
