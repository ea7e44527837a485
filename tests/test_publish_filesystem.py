"""Files that change while they are copied, missing hard links, and several writers at once."""

from __future__ import annotations

import errno
import itertools
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from mkindex import cli
from mkindex.errors import DestinationError
from mkindex.publish import directory
from mkindex.publish.directory import DirectoryDestination
from mkindex.publish.filesystem import Filesystem
from mkindex.publish.lock import exclusive
from mkindex.publish.plan import FileChanged
from mkindex.publish.root import Root
from mkindex.tree import manifest
from support.builds import cold_build, publish
from support.publishing import MTIME, change_source
from support.trees import OWN_DIRECTORY, find_broken_links, own_files, read_tree
from support.wheels import sdist, wheel, write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A source: two projects, two wheels and an sdist."""
    source = tmp_path / "wheels"
    source.mkdir()
    write_wheel(source, "demo", "1.0", mtime=MTIME)
    write_wheel(source, "demo", "2.0+cpu", mtime=MTIME)
    write_sdist(source, "other", "1.0", mtime=MTIME)
    return source


# --- the disk, as it can be -------------------------------------------------------------------------------------------


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[Filesystem], None]:
    """Makes builds write to the given disk."""

    def mount(disk: Filesystem, root: str) -> Filesystem:
        disk.path = root
        disk.forget()
        return disk

    return lambda disk: monkeypatch.setattr(directory, "Filesystem", partial(mount, disk))


class DiskWithoutLinks(Filesystem):
    """A disk that cannot make hard links, with this error number."""

    def __init__(self, reason: int) -> None:
        super().__init__("")
        self.reason = reason

    def link(self, source: str, target: str) -> None:
        raise OSError(self.reason, os.strerror(self.reason), source, None, target)


@pytest.mark.parametrize("reason", [errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP])
def test_if_hard_links_are_not_possible_the_error_says_what_to_do(
    reason: int, wheels: Path, public: Path, on_disk: Callable[[Filesystem], None]
) -> None:
    on_disk(DiskWithoutLinks(reason))
    with pytest.raises(DestinationError, match=r"\.(whl|tar\.gz).*--link-mode copy"):
        publish(wheels, public, link_mode="hardlink")
    assert not public.exists()


class ChangingDisk(Filesystem):
    """A disk on which `meddle` is called before an operation, the first `times` times."""

    def __init__(self, meddle: Callable[[], object], *, before: str, times: int) -> None:
        super().__init__("")
        self.meddle, self.before, self.times = meddle, before, times

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401
        if name in ("create", "link", "sync") and name == self.before:
            return partial(self._meddled, super().__getattribute__(name))
        return super().__getattribute__(name)

    def _meddled(self, operation: Callable[..., object], *arguments: str) -> object:
        if self.times and not (arguments and arguments[-1].startswith(f"{OWN_DIRECTORY}/")):
            self.times -= 1
            self.meddle()
        return operation(*arguments)


def _rewrite(path: Path, counter: itertools.count[int]) -> None:
    path.write_bytes(wheel("demo", "1.0", summary=f"version {next(counter)}"))


def _replace(path: Path, counter: itertools.count[int]) -> None:
    _rewrite(other := path.with_suffix(".new"), counter)
    other.replace(path)


def _remove(path: Path, counter: itertools.count[int]) -> None:
    path.unlink(missing_ok=True)


CHANGES = {"rewritten": _rewrite, "replaced": _replace, "removed": _remove}


@pytest.mark.parametrize("mode", [("copy", "create"), ("hardlink", "link")], ids=lambda mode: mode[0])
@pytest.mark.parametrize("change_name", CHANGES)
def test_a_file_that_changes_before_it_is_copied_is_read_again(
    change_name: str, mode: tuple[str, str], wheels: Path, public: Path, on_disk: Callable[[Filesystem], None]
) -> None:
    link_mode, operation = mode
    meddle = partial(CHANGES[change_name], wheels / "demo-1.0-py3-none-any.whl", itertools.count())
    on_disk(ChangingDisk(meddle, before=operation, times=2))
    options = {"link_mode": link_mode, "cache_dir": str(public.parent / "cache")}
    publish(wheels, public, **options)
    assert find_broken_links(read_tree(public)) == []
    publish(wheels, public, **options)
    assert (read_tree(public), own_files(public)) == (cold_build(wheels), {"manifest"})


@pytest.mark.parametrize("link_mode", ["copy", "hardlink"])
def test_a_file_that_keeps_changing_is_an_error_and_nothing_is_published(
    link_mode: str, wheels: Path, public: Path, on_disk: Callable[[Filesystem], None]
) -> None:
    meddle = partial(_rewrite, wheels / "demo-1.0-py3-none-any.whl", itertools.count())
    on_disk(ChangingDisk(meddle, before="create" if link_mode == "copy" else "link", times=99))
    with pytest.raises(
        FileChanged, match=r"demo-1.0-py3-none-any.whl changed while it was read: wait until it is completely written"
    ):
        publish(wheels, public, link_mode=link_mode)
    assert not public.exists()


def test_the_next_build_corrects_a_hard_linked_file_that_changed_before_it_was_published(
    wheels: Path, public: Path, on_disk: Callable[[Filesystem], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mkindex.cache.RACY_NS", 0)
    options = {"link_mode": "hardlink", "cache_dir": str(tmp_path / "cache")}
    publish(wheels, tmp_path / "other", cache_dir=options["cache_dir"])
    meddle = partial((wheels / "other-1.0.tar.gz").write_bytes, sdist("other", "1.0", summary="other bytes"))
    on_disk(ChangingDisk(meddle, before="sync", times=1))
    publish(wheels, public, **options)
    publish(wheels, public, **options)
    assert read_tree(public) == cold_build(wheels)


def test_a_hard_linked_source_that_is_overwritten_is_reported_by_check_and_repaired_by_the_next_build(
    wheels: Path, public: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(wheels, public, link_mode="hardlink")
    (wheels / "demo-1.0-py3-none-any.whl").write_bytes(wheel("demo", "1.0", summary="other bytes"))
    assert cli.run(["check", str(public)]) == 1
    assert "error file-hash" in capsys.readouterr().out
    publish(wheels, public, link_mode="hardlink")
    assert read_tree(public) == cold_build(wheels)


class CloningDisk(Filesystem):
    """A disk that seems to share blocks, as some file systems do. `meddle` is called after each clone."""

    meddle: Callable[[], object] = staticmethod(lambda: None)

    def clone(self, source: int, target: int) -> bool:
        os.write(target, os.pread(source, os.fstat(source).st_size, 0))
        self.meddle()
        return True


def test_files_are_cloned_rather_than_hard_linked(
    wheels: Path, public: Path, on_disk: Callable[[Filesystem], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mkindex.cache.RACY_NS", 0)
    options = {"link_mode": "hardlink", "cache_dir": str(public.parent / "cache")}
    on_disk(CloningDisk(""))
    publish(wheels, public, **options)
    assert {path.stat().st_nlink for path in public.glob("files/*/*/*")} == {1}
    wanted = cold_build(wheels)
    assert publish(wheels, public, **options).written == 0
    (wheels / "demo-1.0-py3-none-any.whl").write_bytes(bytes(100))
    assert read_tree(public) == wanted


def test_a_file_that_changes_while_it_is_cloned_is_an_error(
    wheels: Path, public: Path, on_disk: Callable[[Filesystem], None]
) -> None:
    disk = CloningDisk("")
    disk.meddle = partial(_rewrite, wheels / "demo-1.0-py3-none-any.whl", itertools.count())
    on_disk(disk)
    with pytest.raises(FileChanged, match=r"demo-1.0-py3-none-any.whl changed while it was read"):
        publish(wheels, public, link_mode="hardlink")
    assert not public.exists()


# mkindex with several processes for a few sdists. Whenever another process than the first is about to copy a file, its
# bytes change: the time in its gzip header. With a path in place of "always", only the first time.
IN_PROCESSES = """
import os, sys, time
from contextlib import suppress
from mkindex import parallel
from mkindex.publish import directory, filesystem

always, *arguments = sys.argv[1:]
parallel._MIN_ITEMS = 1
first = os.getpid()

class Changing(filesystem.Filesystem):
    def create(self, path):
        if os.getpid() == first:
            time.sleep(0.1)  # otherwise it might finish before the others begin
        elif path.endswith(".tar.gz"):
            with suppress(FileNotFoundError):
                always == "always" or os.unlink(always)
                with open(os.path.join(arguments[-2], os.path.basename(path)), "r+b") as file:
                    file.seek(4)
                    file.write(os.urandom(4))
        return super().create(path)

directory.Filesystem = Changing
from mkindex.cli import run
sys.exit(run(arguments))
"""


@pytest.mark.parametrize("always", [False, True])
def test_a_file_that_changes_while_several_processes_copy_is_detected(
    always: bool, wheels: Path, public: Path, tmp_path: Path
) -> None:
    for number in range(12):
        write_sdist(wheels, f"more-{number}", "1.0", mtime=MTIME)
    (tmp_path / "flag").touch()
    arguments = ["always" if always else tmp_path / "flag", "--no-cache", "--jobs=4", wheels, public]
    done = subprocess.run([sys.executable, "-c", IN_PROCESSES, *arguments], capture_output=True, text=True, check=False)
    if always:
        assert (done.returncode, public.exists()) == (3, False)
        assert "tar.gz changed while it was read: wait until it is completely written" in done.stderr
    else:
        assert (done.returncode, (tmp_path / "flag").exists()) == (0, False)
        assert (read_tree(public), own_files(public)) == (cold_build(wheels), {"manifest"})


def test_the_manifest_is_ordered_if_one_filename_is_a_prefix_of_another(wheels: Path, public: Path) -> None:
    (wheels / "demo-1.0-py3-none-any.whl.a.whl").write_bytes((wheels / "demo-1.0-py3-none-any.whl").read_bytes())
    for version in ("1.0", "2.0"):
        write_wheel(wheels, "zoo", version, mtime=MTIME)
        publish(wheels, public)
    assert read_tree(public) == cold_build(wheels)
    with (public / OWN_DIRECTORY / "manifest").open("rb") as file:
        assert [extent.name for extent, _ in manifest.sections(file)] == ["", "demo", "other", "zoo"]


# --- one at a time ----------------------------------------------------------------------------------------------------


def test_a_second_writer_gives_up_after_a_while(wheels: Path, public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(wheels, public)
    before = read_tree(public)
    change_source(wheels)
    monkeypatch.setattr("mkindex.build.workspace.DirectoryDestination", partial(DirectoryDestination, patience=0.1))
    with (
        exclusive(Root(str(public)), patience=0),
        pytest.raises(DestinationError, match=r"another mkindex process has held .*lock for 0 s: wait until"),
    ):
        publish(wheels, public)
    assert read_tree(public) == before
    publish(wheels, public)
    assert read_tree(public) == cold_build(wheels)


def test_a_second_writer_waits_for_the_first(wheels: Path, public: Path) -> None:
    with ThreadPoolExecutor(1) as executor:
        with exclusive(Root(str(public)), patience=0):
            second = executor.submit(publish, wheels, public)
            with pytest.raises(TimeoutError):
                second.result(0.3)
            assert read_tree(public) == {}
        second.result(10)
    assert read_tree(public) == cold_build(wheels)


HOLD = """
import sys, time
from mkindex.publish.lock import exclusive
from mkindex.publish.root import Root
with exclusive(Root(sys.argv[1]), patience=0):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_whose_holder_was_killed_is_free(wheels: Path, public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = public / OWN_DIRECTORY / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, public], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        monkeypatch.setattr("mkindex.build.workspace.DirectoryDestination", partial(DirectoryDestination, patience=0))
        with pytest.raises(DestinationError, match="another mkindex process"):
            publish(wheels, public)
        holder.send_signal(signal.SIGKILL)
    assert lock.exists()
    publish(wheels, public)
    assert (read_tree(public), own_files(public)) == (cold_build(wheels), {"manifest"})


def test_eight_writers_at_once_all_succeed(wheels: Path, public: Path) -> None:
    with ThreadPoolExecutor(8) as executor:
        reports = list(executor.map(lambda _: publish(wheels, public), range(8)))
    assert sorted(report.written for report in reports) == [0] * 7 + [len(cold_build(wheels))]
    assert (read_tree(public), own_files(public)) == (cold_build(wheels), {"manifest"})
