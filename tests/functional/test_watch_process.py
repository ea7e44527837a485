"""A real watch while files are added, changed and removed: at the end, its tree is that of a cold build."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support import scripted_server
from support.builds import cold_build, publish, scratch_directory
from support.requirements import skip_or_fail
from support.storms import Storm
from support.trees import find_broken_links, own_files, read_tree
from support.watch_process import WatchProcess, run_watch, wait_until
from support.wheels import wheel, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

SOAK = bool(os.environ.get("MKINDEX_SOAK"))
NAME = "demo-1.0-py3-none-any.whl"


@pytest.fixture
def here() -> Iterator[Path]:
    with scratch_directory() as directory:
        (Path(directory) / "wheels").mkdir()
        yield Path(directory)


@pytest.fixture
def wheels(here: Path) -> Path:
    write_wheel(here / "wheels", "demo", "1.0")
    return here / "wheels"


def start(here: Path, *arguments: str, **options: Any) -> AbstractContextManager[WatchProcess]:  # noqa: ANN401 (of Popen)
    return run_watch("--grace", "0", *arguments, here / "wheels", here / "public", log=here / "log", **options)


def project_page(here: Path, name: str = "demo") -> str:
    page = here / f"public/simple/{name}/index.html"
    return page.read_text() if page.exists() else ""


def wait_until_correct(watch: WatchProcess, here: Path) -> None:
    """Wait until the tree is that of a cold build."""
    watch.wait_until_quiet(0.7)
    expected = cold_build(here / "wheels")
    watch.wait_until(lambda: read_tree(here / "public") == expected, f"a tree as a cold build makes it: {watch.errors}")
    watch.wait_until(lambda: own_files(here / "public") == {"manifest"}, "no file of a build that is not over")


# --- remote sources -------------------------------------------------------------------------------------------------


def test_a_remote_source_is_requested_every_interval_and_not_at_each_local_change(here: Path, wheels: Path) -> None:
    content = wheel("far", "1.0")
    with scripted_server.run_server() as server:
        server.routes |= {
            "/links.html": scripted_server.page_reply('<a href="far-1.0-py3-none-any.whl">far</a>'),
            "/far-1.0-py3-none-any.whl": scripted_server.file_route(content),
            "/far-2.0-py3-none-any.whl": scripted_server.file_route(wheel("far", "2.0")),
        }
        with start(here, f"{server.url}links.html", "--interval", "3") as watch:
            watch.wait_until(lambda: project_page(here, "far"), "the remote project")
            why = "in 1 file will be read to compute sha256 (--allow-unhashed skips this)"
            host = server.url.removeprefix("http://").rstrip("/")
            assert watch.texts("note") == [f"{host}: {len(content)} bytes {why}"]
            watch.wait_until_quiet(0.5)
            server.forget()
            write_wheel(wheels, "demo", "2.0")
            watch.wait_until(lambda: "demo-2.0" in project_page(here), "the new wheel here")
            assert server.requests() == []
            two = "".join(f'<a href="far-{version}-py3-none-any.whl">far</a>' for version in ("1.0", "2.0"))
            server.routes["/links.html"] = scripted_server.page_reply(two)
            watch.wait_until(lambda: "far-2.0" in project_page(here, "far"), "the new wheel there")
            server.routes["/links.html"] = scripted_server.status_reply(503)
            watch.wait_until(lambda: watch.texts("error"), "an error")
            write_wheel(wheels, "demo", "3.0")
            watch.wait_until(
                lambda: "demo-3.0" in project_page(here), "a new wheel here while the server is in trouble"
            )
            assert "far-2.0" in project_page(here, "far")


# --- storms ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [10, 100, 1000])
def test_after_a_storm_the_tree_is_that_of_a_cold_build(here: Path, wheels: Path, rate: int) -> None:
    storm = Storm(wheels, random.Random(rate))
    # On a slow machine, most of the files of a build are gone before the next one.
    with start(here, "--recursive", "--settle", "0.1", "--prune") as watch:
        begin = time.monotonic()
        steps = 0
        while (now := time.monotonic() - begin) < (60 if SOAK else 3):
            while steps < now * rate:
                storm.step()
                steps += 1
            time.sleep(0.002)
        storm.end()
        watch.wait_until_quiet(1)
        expected = cold_build(wheels, recursive=True)
        watch.wait_until(lambda: read_tree(here / "public") == expected, "a tree as a cold build makes it")
        assert find_broken_links(expected) == []
        print(f"{steps} operations in {now:.1f} s, {len(watch.builds())} builds")  # noqa: T201


def test_nothing_is_lost_when_the_queue_of_events_overflows(here: Path, wheels: Path) -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    with start(here, "--rescan", "20") as watch:
        watch.wait_until_quiet(0.5)
        watch.process.send_signal(signal.SIGSTOP)
        # Fill the queue with events of files that cannot be published.
        for number in range(0 if SOAK else limit):
            (wheels / f"{number}.egg").touch()
        for number in range(20_000 if SOAK else 1_000):
            write_wheel(wheels, "demo", f"2.{number}")
        watch.process.send_signal(signal.SIGCONT)
        watch.wait_until(lambda: "demo-2.999-" in project_page(here), "a page with the last file")
        wait_until_correct(watch, here)


# --- incomplete files -----------------------------------------------------------------------------------------------


def copy_slowly(data: bytes, path: Path, seconds: float) -> None:
    """Write in a hundred parts, with a pause in the middle that takes half of the time."""
    part = len(data) // 100 + 1
    with path.open("wb") as file:
        for start in range(0, len(data), part):
            file.write(data[start : start + part])
            file.flush()
            time.sleep(seconds / 2 if start // part == 50 else seconds / 200)


@pytest.mark.parametrize("polling", [(), ("--poll", "--poll-interval", "0.1")], ids=["events", "polling"])
def test_a_file_that_is_copied_slowly_is_listed_once_and_complete(
    here: Path, wheels: Path, polling: tuple[str]
) -> None:
    name = "demo-2.0-py3-none-any.whl"
    data = wheel("demo", "2.0", files={"demo/data": os.urandom(200_000)}, compressed=False)
    with start(here, *polling) as watch:
        watch.wait_until_quiet(0.5)
        copy_slowly(data, wheels / name, 10 if SOAK else 3)
        watch.wait_until(lambda: name in project_page(here), "a page with the file")
        watch.wait_until_quiet(1)
        assert [build["added"] for build in watch.builds() if name in build["added"]] == [[name]]
        assert {len(build["rejected"]) for build in watch.builds()} == {0}
        assert hashlib.sha256(data).hexdigest() in project_page(here)
        wait_until_correct(watch, here)


def test_the_old_page_stays_until_the_new_file_is_complete(here: Path, wheels: Path) -> None:
    data = wheel("demo", "1.0", files={"demo/new": os.urandom(50_000)}, compressed=False)
    old = hashlib.sha256((wheels / NAME).read_bytes()).hexdigest()
    with start(here) as watch:
        watch.wait_until_quiet(0.5)
        with (wheels / NAME).open("wb") as file:
            file.write(data[:20_000])
            file.flush()
            write_wheel(wheels, "other", "1.0")
            watch.wait_until(lambda: "other-1.0" in project_page(here, "other"), "another file, published meanwhile")
            assert old in project_page(here)
            assert find_broken_links(read_tree(here / "public")) == []
            file.write(data[20_000:])
        watch.wait_until(lambda: hashlib.sha256(data).hexdigest() in project_page(here), "the new file")
        # The page is published before the build is reported.
        watch.wait_until(
            lambda: any(build["replaced"] == [NAME] for build in watch.builds()), "the event of that build"
        )
        assert not any(NAME in build["removed"] for build in watch.builds())
        wait_until_correct(watch, here)


def test_a_restart_while_a_file_is_overwritten_keeps_the_old_page(here: Path, wheels: Path) -> None:
    os.utime(wheels / NAME, (1e9, 1e9))
    time.sleep(2.1)  # the cache does not remember younger files
    cache = ("--cache-dir", str(here / "cache"))
    publish(wheels, here / "public", cache_dir=str(here / "cache"))
    old = project_page(here)
    with (wheels / NAME).open("r+b") as file:
        file.truncate(100)
        write_wheel(wheels, "other", "1.0")
        with start(here, *cache) as watch:
            watch.wait_until(lambda: "other-1.0" in project_page(here, "other"), "another file, published meanwhile")
            assert project_page(here) == old


def test_a_file_that_is_renamed_into_place_is_taken_at_once(here: Path, wheels: Path) -> None:
    with start(here, "--settle", "0.5") as watch:
        watch.wait_until_quiet(0.7)
        write_wheel(here, "demo", "2.0")
        os.utime(here / "demo-2.0-py3-none-any.whl", (1e9, 1e9))
        (here / "demo-2.0-py3-none-any.whl").rename(wheels / "demo-2.0-py3-none-any.whl")
        watch.wait_until(lambda: "demo-2.0" in project_page(here), "a page with the file")
        assert [build["held"] for build in watch.builds()] == [[]] * len(watch.builds())


# --- missing sources ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["removed", "moved", "moved at once"])
def test_a_source_that_is_removed_and_created_again_is_watched_again(here: Path, wheels: Path, how: str) -> None:
    with start(here, "--poll-interval", "0.2") as watch:
        watch.wait_until_quiet(0.5)
        before = read_tree(here / "public")
        if how == "removed":
            shutil.rmtree(wheels)
        else:
            wheels.rename(here / "away")
        if how != "moved at once":
            watch.wait_until(lambda: "does not exist" in watch.errors + str(watch.texts("error")), "an error")
        assert read_tree(here / "public") == before
        wheels.mkdir()
        write_wheel(wheels, "demo", "2.0")
        watch.wait_until(lambda: "demo-2.0" in project_page(here), "the new directory's file")
        write_wheel(wheels, "demo", "3.0")
        watch.wait_until(lambda: "demo-3.0" in project_page(here), "a later change in it")
        wait_until_correct(watch, here)


def test_a_source_that_becomes_empty_removes_nothing(here: Path, wheels: Path) -> None:
    (here / "more").mkdir()
    write_wheel(here / "more", "other", "1.0")
    with run_watch(wheels, here / "more", here / "public", log=here / "log") as watch:
        watch.wait_until_quiet(0.5)
        before = read_tree(here / "public")
        (wheels / NAME).rename(here / "away")
        watch.wait_until(lambda: watch.texts("error"), "an error")
        assert read_tree(here / "public") == before
        why = "has become empty: the index stays as it is. Is a disk not mounted? Use --allow-empty"
        assert [text for text in watch.texts("error") if why not in text] == []
        (here / "away").rename(wheels / NAME)
        watch.wait_until(lambda: len(watch.builds()) > 1, "a build that succeeds")
        assert read_tree(here / "public") == before


def test_a_source_that_cannot_be_read_removes_nothing(here: Path, wheels: Path) -> None:
    if shutil.which("setpriv") is None:
        skip_or_fail("setpriv (util-linux)")
    # A process that may override permissions could still read it.
    capabilities = "-dac_override,-dac_read_search"
    prefix = ["setpriv", "--bounding-set", capabilities, "--inh-caps", capabilities] if os.getuid() == 0 else []
    with start(here, prefix=prefix) as watch:
        watch.wait_until_quiet(0.5)
        before = read_tree(here / "public")
        wheels.chmod(0)
        try:
            watch.wait_until(lambda: watch.texts("error"), "an error")
            assert watch.texts("error") == [f"cannot read directory {wheels}: Permission denied"]
            assert read_tree(here / "public") == before
        finally:
            wheels.chmod(0o755)
        write_wheel(wheels, "demo", "2.0")
        watch.wait_until(lambda: "demo-2.0" in project_page(here), "a later change")
        wait_until_correct(watch, here)


def test_a_limit_of_the_system_makes_a_watch_poll(here: Path, wheels: Path) -> None:
    limited = ["unshare", "-Ur", "sh", "-c", 'echo 2 >/proc/sys/user/max_inotify_watches && exec "$@"', "sh"]
    if subprocess.run([*limited, "true"], check=False, capture_output=True).returncode:
        skip_or_fail("user namespaces, to lower the limit of watched directories in")
    for number in range(5):
        (wheels / f"d{number}").mkdir()
    with start(here, "--recursive", "--poll-interval", "0.2", prefix=limited) as watch:
        watch.wait_until(lambda: watch.texts("note"), "a note")
        write_wheel(wheels / "d4", "demo", "2.0")
        watch.wait_until(lambda: "demo-2.0" in project_page(here), "a page with the file")
        reason = "the system's limit of watched directories is reached (sysctl fs.inotify)"
        assert watch.texts("note") == [f"{reason}: falling back to polling every 0.2 s"]


# --- what triggers a build, and what does not -----------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["copy", "hardlink"])
@pytest.mark.parametrize("where", ["beside", "inside", "same"])
def test_a_build_does_not_trigger_the_next_one(here: Path, wheels: Path, where: str, mode: str) -> None:
    public = {"beside": here / "public", "inside": wheels / "public", "same": wheels}[where]
    if where == "same":  # allowed only where an index is published already
        publish(shutil.copytree(wheels, here / "copy"), public)
    options = ["--recursive", "--link-mode", mode, "--grace", "1", "--verbose"]
    with run_watch(*options, wheels, public, log=here / "log") as watch:
        watch.wait_until_quiet(1)
        write_wheel(wheels, "demo", "2.0")
        write_wheel(wheels, "demo", "3.0")
        watch.wait_until(
            lambda: (public / "simple/demo/index.html").read_text().count("<a ") == 3, "all of them listed"
        )
        (wheels / "demo-2.0-py3-none-any.whl").unlink()
        watch.wait_until(
            lambda: not list(public.glob("files/*/*/demo-2*")), "the removed one gone, when its grace was over"
        )
        watch.wait_until_quiet(1)
        before = len(watch.builds())
        time.sleep(1.5)
        assert watch.builds()[before:] == [], watch.builds()
        assert before <= 8  # the first two, and two for each of three changes


def test_a_file_that_is_not_a_distribution_triggers_nothing(here: Path, wheels: Path) -> None:
    with start(here, "--verbose") as watch:
        watch.wait_until_quiet(1)
        before = len(watch.builds())
        for name in ("README.md", ".hidden.whl", "a.whl.part", "x.whl~"):
            (wheels / name).write_text("x")
        (wheels / "directory").mkdir()
        (wheels / NAME).read_bytes()
        time.sleep(1)
        assert len(watch.builds()) == before


def test_new_and_removed_directories_are_noticed(here: Path, wheels: Path) -> None:
    with start(here, "--recursive") as watch:
        watch.wait_until_quiet(0.5)
        (wheels / "a/b").mkdir(parents=True)
        write_wheel(wheels / "a/b", "deep", "1.0")
        watch.wait_until(lambda: "deep-1.0" in project_page(here, "deep"), "a file in a new directory")
        write_wheel(wheels / "a/b", "deep", "2.0")
        watch.wait_until(lambda: "deep-2.0" in project_page(here, "deep"), "a later one")
        shutil.rmtree(wheels / "a")
        watch.wait_until(lambda: not project_page(here, "deep"), "no page of the removed project")


@pytest.mark.parametrize("name", ["..data", "current"])
def test_a_switch_of_the_symlink_through_which_wheels_are_found_is_noticed(here: Path, wheels: Path, name: str) -> None:
    for number in (2, 3):
        (wheels / f"..{number}").mkdir()
        write_wheel(wheels / f"..{number}", "far", "1.0", files={"number": b"%d" % number})
    new = hashlib.sha256((wheels / "..3/far-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    (wheels / name).symlink_to("..2")
    (wheels / "far-1.0-py3-none-any.whl").symlink_to(f"{name}/far-1.0-py3-none-any.whl")
    with start(here, "--rescan", "600") as watch:
        watch.wait_until(lambda: "far-1.0" in project_page(here, "far"), "a page with the file")
        assert new not in project_page(here, "far")
        watch.wait_until_quiet(0.7)
        (wheels / "..new").symlink_to("..3")
        (wheels / "..new").rename(wheels / name)
        watch.wait_until(lambda: new in project_page(here, "far"), "the new file")
        wait_until_correct(watch, here)


def test_a_watch_waits_for_the_first_file(here: Path) -> None:
    with start(here) as watch:
        watch.wait_until(lambda: watch.texts("error"), "an error")
        write_wheel(here / "wheels", "demo", "1.0")
        watch.wait_until(lambda: NAME in project_page(here), "a page with the file")
        assert [text.partition(":")[0] for text in watch.texts("error")] == ["nothing to publish"]


def test_an_error_is_reported_once_and_the_next_change_tries_again(here: Path, wheels: Path) -> None:
    with start(here) as watch:
        watch.wait_until_quiet(0.5)
        (here / "public/simple/other").mkdir()
        (here / "public/simple/other/index.html").write_text("mine")
        write_wheel(wheels, "other", "1.0")
        watch.wait_until(lambda: watch.texts("error"), "an error")
        write_wheel(wheels, "demo", "2.0")
        watch.wait_until_quiet(1)
        assert [text.partition(":")[0] for text in watch.texts("error")] == [
            "this file is in the way, and mkindex has no record of writing it"
        ]
        assert "demo-2.0" not in project_page(here)
        (here / "public/simple/other/index.html").unlink()
        write_wheel(wheels, "demo", "3.0")
        watch.wait_until(lambda: "demo-3.0" in project_page(here), "a page with the file")
        wait_until_correct(watch, here)


def test_a_command_runs_after_each_build_that_changed_something(here: Path, wheels: Path) -> None:
    command = "cat >> builds; echo seen; test ! -e fail"
    warning = f"warning --on-build: {command} ended with status 1"
    with start(here, "--on-build", command, cwd=here) as watch:
        watch.wait_until((here / "builds").exists, "the first build")
        watch.wait_until_quiet(0.7)
        (here / "fail").touch()
        write_wheel(here, "demo", "2.0").rename(wheels / "demo-2.0-py3-none-any.whl")
        watch.wait_until(lambda: warning in watch.errors, "the warning")
    builds = [json.loads(line)["added"] for line in (here / "builds").read_text().splitlines()]
    assert builds == [[NAME], ["demo-2.0-py3-none-any.whl"]]
    assert (here / "log").read_text().splitlines() == ["seen", "seen", warning]


def test_a_rescan_restores_the_tree(here: Path, wheels: Path) -> None:
    with start(here, "--rescan", "1") as watch:
        watch.wait_until_quiet(0.5)
        before = read_tree(here / "public")
        (here / "public/simple/demo/index.html").unlink()
        watch.wait_until(lambda: read_tree(here / "public") == before, "the restored page")


# --- signals --------------------------------------------------------------------------------------------------------


def test_sighup_reads_the_configuration_again(here: Path, wheels: Path) -> None:
    configuration = here / "mkindex.toml"
    configuration.write_text("sources = ['wheels']\ndestination = 'public'\n")
    with run_watch(log=here / "log", cwd=here) as watch:
        watch.wait_until(lambda: NAME in project_page(here), "a page")
        configuration.write_text("sources = ['wheels']\ndestination = 'public'\nlinks = true\n")
        watch.process.send_signal(signal.SIGHUP)
        watch.wait_until((here / "public/links.html").exists, "the page that the new configuration asks for")
        for number, (wrong, reason) in enumerate(
            (("nonsense = true", "unknown key nonsense"), ("grace = -1", "grace"))
        ):
            configuration.write_text(f"{wrong}\n")
            watch.process.send_signal(signal.SIGHUP)
            watch.wait_until(partial(watch.has_reported, "error", number), "an error")
            assert reason in watch.texts("error")[number]
        write_wheel(wheels, "demo", "2.0")
        watch.wait_until(
            lambda: "demo-2.0" in (here / "public/links.html").read_text(), "a change, as configured before"
        )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_watch_between_two_steps(here: Path, wheels: Path, number: signal.Signals) -> None:
    for turn in range(10 if SOAK else 3):
        with start(here, "--settle", "0") as watch:
            watch.wait_until(watch.builds, "a first build")
            for version in range(20):
                # A new file each time: an incomplete one, or one that is replaced while it is read, would be reported.
                whole = write_wheel(here, "other", f"{turn}.{version}")
                whole.rename(wheels / whole.name)
                time.sleep(0.003)
            assert (watch.stop(number), watch.errors) == (0, "")
        assert own_files(here / "public") == {"manifest"}
        assert find_broken_links(read_tree(here / "public")) == []


# --- long runs ------------------------------------------------------------------------------------------------------


def test_memory_and_open_files_do_not_grow(here: Path, wheels: Path) -> None:
    builds, files, memory = (3000 if SOAK else 300), 0, 0
    with start(here, "--settle", "0", "--verbose") as watch:
        watch.wait_until_quiet(0.5)
        for number in range(builds):
            before = len(watch.builds())
            (wheels / ".new").write_bytes(wheel("demo", "2.0", files={"x": b"%d" % number}))
            (wheels / ".new").rename(wheels / "demo-2.0-py3-none-any.whl")
            wait_until(partial(watch.has_built, before), "a build")
            if number == builds // 3:
                watch.wait_until_quiet(0.5)
                files, memory = watch.open_files(), watch.resident()
        watch.wait_until_quiet(0.5)
        later_files, later_memory = watch.open_files(), watch.resident()
    print(f"{builds} builds: {files} open files, {later_files} later; {memory >> 20} MB, {later_memory >> 20} later")  # noqa: T201
    # Some directories stay open until the garbage collector finds them; a leak would be one for each build.
    assert later_files < files + 20
    assert later_memory - memory < 4 << 20
