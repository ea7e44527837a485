"""Publishing dies, or the disk fails, at each of its steps: every page stays whole, and the next build finishes.

MKINDEX_SOAK=1 tries every kind of failure at each step, and kills more processes.
"""

from __future__ import annotations

import functools
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mkindex.errors import DestinationError
from mkindex.publish import directory
from support.builds import cold_build, publish, scratch_directory
from support.crash_scenes import (
    AFTERWARDS,
    MTIME,
    SCENES,
    Stage,
    build_quickly,
    change,
    divide_files,
    lose_power,
    rebuild_after_a_power_loss,
    start,
)
from support.faulty_disk import (
    BROKEN,
    BROKEN_ONCE,
    FULL,
    FULL_ONCE,
    INTERRUPTED,
    KILLED,
    KILLED_IN_A_WRITE,
    Fault,
    FaultyDisk,
    ProcessKilled,
)
from support.requirements import skip_or_fail
from support.trees import OWN_DIRECTORY, find_broken_links, is_page, own_files, read_tree
from support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow

SOAK = bool(os.environ.get("MKINDEX_SOAK"))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    build_quickly(monkeypatch)


@pytest.fixture
def fast_path() -> Iterator[Path]:
    with scratch_directory() as root:
        yield Path(root)


@pytest.fixture
def stage(request: pytest.FixtureRequest, fast_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Stage]:
    """Makes the scene of the test, at each call."""
    scene = SCENES[request.param]
    if scene.large:
        divide_files(monkeypatch)
    return lambda: Stage(scene, fast_path, monkeypatch)


every_scene = pytest.mark.parametrize("stage", SCENES, indirect=True)


def points(stage: Callable[[], Stage], *kinds: tuple[Fault, ...]) -> Iterator[tuple[int, Fault, str]]:
    """Yield every step of a build, with a fault of each kind and a change of the source before the next build.

    The faults of a kind, and the changes of the source, take turns; with MKINDEX_SOAK=1 each step has all of them.
    """
    stage().run(watched := FaultyDisk())
    for at, number in itertools.product(range(1, len(watched.operations) + 1), range(len(kinds))):
        faults = [(fault, afterwards) for fault in kinds[number] for afterwards in AFTERWARDS]
        for fault, afterwards in faults if SOAK else [faults[(5 * at + number) % len(faults)]]:
            yield at, fault, afterwards


# --- at every step --------------------------------------------------------------------------------------------------


@every_scene
def test_killed_at_any_step_every_page_is_whole_and_the_next_build_finishes(stage: Callable[[], Stage]) -> None:
    wrong = []
    for at, fault, afterwards in points(stage, (KILLED, KILLED_IN_A_WRITE)):
        here = stage()
        assert isinstance(here.run(FaultyDisk(fault=fault, at=at)), ProcessKilled)
        if (here.public / OWN_DIRECTORY).is_dir():
            (here.public / OWN_DIRECTORY / "lock").touch()  # as a process that is really killed would leave it
        wrong += [
            (at, afterwards, what) for what in here.faults_seen() + here.faults_after_next_build(AFTERWARDS[afterwards])
        ]
    assert wrong == []


@pytest.mark.parametrize("grace", [0, 900])
def test_no_page_is_lost_if_a_build_with_another_simple_path_is_killed(
    grace: int, fast_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The root page of one layout is the page of a project in the other, and it is in the intent of the dead build."""
    both, one, public = fast_path / "both", fast_path / "one", fast_path / "public"
    for source, projects in ((both, ("demo", "simple")), (one, ("demo",))):
        source.mkdir()
        for project in projects:
            write_wheel(source, project, "1.0", mtime=MTIME)
    before = functools.partial(publish, both, public, simple_path="", jobs=1, grace=grace)
    wanted = cold_build(both, simple_path="", jobs=1)
    wrong = []
    for at in itertools.count(1):
        shutil.rmtree(public, ignore_errors=True)
        before()
        with monkeypatch.context() as patch:
            patch.setattr(directory, "Filesystem", functools.partial(FaultyDisk, at=at))
            try:
                publish(one, public, jobs=1, grace=grace)
                break
            except ProcessKilled:
                pass
        before()
        wrong += [(at, path) for path, data in wanted.items() if read_tree(public).get(path) != data]
    assert wrong == []


@every_scene
def test_failing_at_any_step_names_the_path_and_keeps_pages_whole_and_the_next_build_finishes(
    stage: Callable[[], Stage],
) -> None:
    wrong = []
    for at, fault, afterwards in points(stage, (FULL_ONCE, BROKEN_ONCE, INTERRUPTED), (FULL, BROKEN)):
        here = stage()
        match here.run(FaultyDisk(fault=fault, at=at)):
            case None:  # it failed while temporary files were deleted
                wrong += [(at, "done", path) for path in here.faults_seen() if read_tree(here.public) != here.wanted]
            case DestinationError() as error:
                assert str(here.public) in str(error)
            case error:
                assert isinstance(error, KeyboardInterrupt)
        wrong += [
            (at, afterwards, what) for what in here.faults_seen() + here.faults_after_next_build(AFTERWARDS[afterwards])
        ]
    assert wrong == []


@every_scene
def test_failing_before_the_first_page_is_published_leaves_everything_as_it_was(stage: Callable[[], Stage]) -> None:
    wrong = []
    for at, fault, _ in points(stage, (FULL_ONCE, INTERRUPTED)):
        here = stage()
        outcome = here.run(disk := FaultyDisk(fault=fault, at=at))
        if outcome is None or any(operation == "sync" for operation, *_ in disk.operations[: at - 1]):
            break
        if (read_tree(here.public), own_files(here.public)) != (here.before, here.own):
            wrong.append((at, *disk.operations[at - 1], own_files(here.public) - here.own))
    assert wrong == []


def test_a_write_that_takes_some_bytes_at_a_time_writes_all(fast_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Stage(SCENES["the first build"], fast_path, monkeypatch)
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:7]))
    assert here.run(FaultyDisk()) is None
    monkeypatch.undo()
    assert read_tree(here.public) == here.wanted


# --- power failures -------------------------------------------------------------------------------------------------


def premature_operations(done: list[tuple[str, ...]], before: dict[str, bytes]) -> list[str]:
    """Return each operation that could survive a power failure without the operations that it relies on.

    `before`: the tree before the first operation.
    """
    wrong: list[str] = []
    bytes_at_risk: set[str] = set()  # files whose bytes may not be on the disk yet
    names_at_risk: set[str] = set()  # published paths whose names may not be
    renamed: set[str] = set()  # our own files whose names may not be
    durable: set[str] = set()  # our own files whose names are
    for operation, *paths in done:
        path = paths[-1]
        is_own = path.startswith(f"{OWN_DIRECTORY}/")
        relied_on = True
        if operation == "sync":
            bytes_at_risk.clear()
            names_at_risk.clear()
        elif operation == "flush":
            bytes_at_risk.discard(path)
        elif operation == "flush_directory":
            durable |= renamed
        elif not is_own and operation != "remove_directory":
            relied_on = "intent" in durable
        if operation in ("create", "write", "link"):
            bytes_at_risk.add(path)
        if operation == "replace":
            if paths[0] in bytes_at_risk:
                bytes_at_risk.add(path)
                # At a path that no page names yet, bytes may come later.
                relied_on &= path.startswith(f"{OWN_DIRECTORY}/tmp/") or (
                    path.startswith("files/") and path not in before
                )
            renamed |= {path.removeprefix(f"{OWN_DIRECTORY}/")} if is_own else set()
        if path == f"{OWN_DIRECTORY}/manifest" or (operation, path) == ("unlink", f"{OWN_DIRECTORY}/intent"):
            relied_on &= not names_at_risk and not bytes_at_risk - {path}
        elif not is_own and operation == "unlink":
            relied_on &= "manifest" in durable or path not in before
        if not is_own and operation in ("create", "link", "replace", "unlink"):
            names_at_risk.add(path)
        if not relied_on:
            wrong.append(f"{operation} {path}")
    return wrong


@every_scene
def test_nothing_relies_on_what_a_power_failure_could_undo(stage: Callable[[], Stage]) -> None:
    here = stage()
    assert here.run(disk := FaultyDisk()) is None
    assert premature_operations(disk.operations, here.before) == []


@every_scene
@pytest.mark.parametrize("fault", [None, FULL_ONCE], ids=["a build", "one that fails"])
def test_after_a_power_loss_every_page_is_whole_and_the_next_build_finishes(
    fault: Fault | None, stage: Callable[[], Stage]
) -> None:
    chance = random.Random(20)
    wrong, trees = lose_power(stage, fault, chance, tries=20 if SOAK else 2)
    for at, tree in trees if SOAK else chance.sample(trees, min(6, len(trees))):
        afterwards = AFTERWARDS[chance.choice([*AFTERWARDS])]
        wrong += [(at, what) for what in rebuild_after_a_power_loss(stage, tree, afterwards)]
    assert wrong == []


# --- real processes, really killed ----------------------------------------------------------------------------------


QUIET = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}  # Python itself must not write files


def command(source: Path, public: Path) -> list[str]:
    return [sys.executable, "-m", "mkindex", "--grace", "0", "--no-cache", "--quiet", str(source), str(public)]


def test_processes_that_are_killed_at_any_moment_leave_every_page_whole(fast_path: Path) -> None:
    sources = fast_path / "one", fast_path / "two"
    for number, source in enumerate(sources):
        source.mkdir()
        for version in range(1, 400):  # enough for several processes
            write_wheel(source, f"demo-{version % 150}", str(version), mtime=MTIME, summary=f"{number * (version % 9)}")
    wanted = [cold_build(source) for source in sources]
    seconds = 60.0
    for number in range(2):
        started = time.monotonic()
        subprocess.run(command(sources[0], fast_path / f"whole{number}"), check=True)
        seconds = min(seconds, time.monotonic() - started)
    chance, killed = random.Random(20), 0
    for number in range(500 if SOAK else 20):
        public, which = fast_path / f"public{number // 5}", number % 2
        with subprocess.Popen(command(sources[which], public)) as process:
            time.sleep(chance.uniform(0.3, 0.9) * seconds)
            process.send_signal(signal.SIGKILL if number % 4 else signal.SIGINT)
        killed += process.returncode != 0
        content = read_tree(public) if public.exists() else {}
        assert find_broken_links(content) == []
        pages = {path: page for path, page in content.items() if is_page(path) and not path.endswith("/")}
        assert [path for path, page in pages.items() if page not in (made.get(path) for made in wanted)] == []
        if number % 5 == 4:
            publish(sources[1 - which], public)
            assert (read_tree(public), own_files(public)) == (wanted[1 - which], {"manifest"})
    assert killed > 0


@pytest.mark.parametrize("call", ["/^rename", "/^unlink", "/^mkdir", "fsync", "syncfs"])
def test_a_process_that_is_killed_in_a_system_call_leaves_every_page_whole(call: str, tmp_path: Path) -> None:
    strace = shutil.which("strace") or skip_or_fail("strace")
    if subprocess.run([strace, "-qq", "-o", os.devnull, "true"], check=False).returncode:
        skip_or_fail("the right to use strace")
    source, public = tmp_path / "wheels", tmp_path / "public"
    source.mkdir()
    start(source)
    publish(source, public)
    change(source)
    old, new, killed = read_tree(public), cold_build(source), 0
    for when in range(1, 99) if SOAK else (1, 2, 4, 7):
        kill = [strace, "-f", "-qq", "-o", os.devnull, f"--trace={call}", f"--inject={call}:signal=SIGKILL:when={when}"]
        process = subprocess.run([*kill, *command(source, public)], env=QUIET, check=False)
        content = read_tree(public)
        assert find_broken_links(content) == []
        pages = {path: page for path, page in content.items() if is_page(path) and not path.endswith("/")}
        assert [path for path, page in pages.items() if page not in (old.get(path), new.get(path))] == []
        if process.returncode == 0:
            break
        killed += 1
    assert killed
    publish(source, public)
    assert (read_tree(public), own_files(public)) == (new, {"manifest"})
