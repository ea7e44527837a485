"""A large new file is read once: it is hashed while it is copied to a temporary file, which is then renamed."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import threading
from typing import TYPE_CHECKING, Any

import pytest

from mkindex.build.examining import examine_all
from mkindex.build.pipeline import build
from mkindex.config import Config
from mkindex.errors import DestinationError, NotPublished
from mkindex.examine import local
from mkindex.model.files import Artifact, Facts, Fingerprint
from mkindex.publish import directory, ownership, precopy, staging
from mkindex.publish.precopy import Precopies
from mkindex.tree.names import file_path
from mkindex.watch.young_files import HoldBack, LastBuild, YoungFiles
from support.builds import cold_build, publish, write_files
from support.faulty_disk import FULL_ONCE, INTERRUPTED, FaultyDisk, ProcessKilled
from support.trees import OWN_DIRECTORY, find_broken_links, own_files, read_tree
from support.wheels import wheel, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mkindex.build.report import Report

pytestmark = pytest.mark.slow

MTIME = 1_700_000_000
LARGE = {"large/data": bytes(range(250)) * 20}
FILENAME = "large-1.0-py3-none-any.whl"


@pytest.fixture(autouse=True)
def _use_small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (local, staging, precopy, ownership):
        monkeypatch.setattr(module, "CHUNK", 3000)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A large wheel and a small one."""
    source = tmp_path / "wheels"
    source.mkdir()
    write_wheel(source, "large", "1.0", mtime=MTIME, files=LARGE)
    write_wheel(source, "small", "1.0", mtime=MTIME)
    return source


@pytest.fixture
def small(source: Path) -> Path:
    """The same without the large wheel."""
    shutil.copytree(source, small := source.parent / "small", ignore=shutil.ignore_patterns("large*"))
    return small


class Builder:
    """Builds on a disk that records its operations."""

    def __init__(self, public: Path, patch: pytest.MonkeyPatch) -> None:
        self.public, self._patch, self.disk = public, patch, FaultyDisk()

    def __call__(self, source: Path, disk: FaultyDisk | None = None, **options: Any) -> Report:  # noqa: ANN401 (Config's)
        self.disk = disk or FaultyDisk()
        self._patch.setattr(directory, "Filesystem", self.disk.mount)
        return publish(source, self.public, **{"jobs": 1} | options)

    @property
    def copies(self) -> list[str]:
        """The operations on copies, in their order: "replace A B"."""
        names = ([name, *paths] for name, *paths in self.disk.operations)
        return [
            " ".join(words).replace(f"{OWN_DIRECTORY}/tmp/", "")
            for words in names
            if f"{OWN_DIRECTORY}/tmp/copy" in words[1]
        ]


@pytest.fixture
def builder(public: Path, monkeypatch: pytest.MonkeyPatch) -> Builder:
    return Builder(public, monkeypatch)


def published_path(path: Path) -> str:
    """The path of a file in the tree."""
    return file_path(hashlib.sha256(path.read_bytes()).hexdigest(), path.name)


TAKEN = ["create copy0", "write copy0", "write copy0"]


# --- what is copied while it is scanned -----------------------------------------------------------------------------


def test_a_large_file_that_is_new_is_read_and_written_once(source: Path, builder: Builder) -> None:
    wanted = cold_build(source)
    report = builder(source)
    assert builder.copies == [*TAKEN, f"replace copy0 {published_path(source / FILENAME)}"]
    assert (read_tree(builder.public), own_files(builder.public), report.written) == (wanted, {"manifest"}, len(wanted))
    assert builder(source).plan.unchanged == len(wanted)
    assert builder.copies == []


def test_the_same_bytes_under_two_names_are_two_copies(source: Path, builder: Builder) -> None:
    other = source / "large-1.0-1-py3-none-any.whl"
    other.write_bytes((source / FILENAME).read_bytes())
    builder(source)
    assert builder.copies == [
        *TAKEN,
        *(line.replace("0", "1") for line in TAKEN),
        f"replace copy0 {published_path(other)}",
        f"replace copy1 {published_path(source / FILENAME)}",
    ]
    assert read_tree(builder.public) == cold_build(source)


def test_the_clone_is_hashed_and_published(source: Path, builder: Builder) -> None:
    cloned = wheel("large", "1.0", files={"large/data": bytes(5000)})

    class Cloning(FaultyDisk):
        def clone(self, source: int, target: int) -> bool:
            os.write(target, cloned)  # as if the file had other bytes at that moment
            return True

    builder(source, Cloning())
    (source / FILENAME).write_bytes(cloned)
    path = published_path(source / FILENAME)
    assert builder.copies == ["create copy0", f"replace copy0 {path}"]
    assert ((builder.public / path).read_bytes(), find_broken_links(read_tree(builder.public))) == (cloned, [])


@pytest.mark.parametrize(
    "options", [{"dry_run": True}, {"link_mode": "hardlink"}, {"files_url": "https://files.example.com/"}], ids=str
)
def test_nothing_is_copied_if_files_are_not_published_as_copies(
    source: Path, builder: Builder, options: dict[str, Any]
) -> None:
    assert builder(source, **options).rejected == ()
    assert builder.copies == []


def test_a_file_that_the_cache_knows_is_copied_only_when_it_is_published(
    source: Path, builder: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mkindex.cache.RACY_NS", -10_000_000_000)
    cached: dict[str, Any] = {"cache_dir": str(tmp_path / "cache")}
    builder(source, files_url="https://files.example.com/", **cached)
    builder(source, **cached)
    assert (builder.copies, read_tree(builder.public)) == ([], cold_build(source))


def test_a_file_that_is_held_back_is_not_copied(source: Path, builder: Builder) -> None:
    os.utime(source / FILENAME)
    young = YoungFiles(600)
    young.begin(hasty=False)
    builder(source, dry_run=True)
    config = Config(sources=(str(source),), destination=str(builder.public), jobs=1)
    build(config, examine=HoldBack(examine_all, young, LastBuild()))
    assert (young.held, builder.copies) == ((str(source / FILENAME),), [])


# --- what is there already ------------------------------------------------------------------------------------------


def lose_the_manifest(public: Path) -> None:
    (public / OWN_DIRECTORY / "manifest").unlink()


def check_out(public: Path) -> None:
    """Replace the tree by a copy, with other inodes and times."""
    shutil.copytree(public, other := public.with_name("other"))
    shutil.rmtree(public)
    other.rename(public)


@pytest.mark.parametrize("damage", [lose_the_manifest, check_out])
def test_a_file_that_the_tree_already_has_is_not_copied(
    source: Path, builder: Builder, damage: Callable[[Path], object]
) -> None:
    builder(source)
    damage(builder.public)
    assert builder(source).written == 0
    assert (builder.copies, read_tree(builder.public)) == ([], cold_build(source))


def test_a_file_with_the_name_and_size_of_a_published_one_is_copied_after_its_hash_is_known(
    source: Path, builder: Builder
) -> None:
    builder(source)
    write_wheel(source, "large", "1.0", mtime=MTIME, files={"large/data": bytes(5000)})
    builder(source)
    assert (builder.copies, read_tree(builder.public)) == ([], cold_build(source))
    write_wheel(source, "large", "1.0", mtime=MTIME, files={"large/data": bytes(5001)})
    builder(source)
    assert (builder.copies, read_tree(builder.public)) == (
        [*TAKEN, f"replace copy0 {published_path(source / FILENAME)}"],
        cold_build(source),
    )


def test_a_file_that_a_dead_run_placed_is_not_copied_again(source: Path, small: Path, builder: Builder) -> None:
    builder(small)
    builder(source)
    synced = [name for name, *_ in builder.disk.operations].index("sync")
    shutil.rmtree(builder.public)
    builder(small)
    with pytest.raises(ProcessKilled):
        builder(source, FaultyDisk(at=synced + 1))
    assert (builder.public / published_path(source / FILENAME)).exists()
    builder(source)
    assert (builder.copies, read_tree(builder.public), own_files(builder.public)) == (
        [],
        cold_build(source),
        {"manifest"},
    )


def test_if_files_are_on_another_disk_they_are_copied_there(
    source: Path, small: Path, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder(small)
    monkeypatch.setattr(os.path, "ismount", lambda path: path == f"{builder.public}/files")
    builder(source)
    wanted = (source / FILENAME).read_bytes()
    assert (builder.copies, (builder.public / published_path(source / FILENAME)).read_bytes()) == ([], wanted)


def test_a_copy_that_cannot_be_renamed_is_copied(source: Path, builder: Builder) -> None:
    class Mounted(FaultyDisk):
        def replace(self, source: str, target: str) -> None:
            if source.endswith("/copy0"):
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), source)
            super().replace(source, target)

    builder(source, Mounted())
    assert (builder.copies, read_tree(builder.public)) == ([*TAKEN, "unlink copy0"], cold_build(source))


# --- what is not published ------------------------------------------------------------------------------------------


def test_a_file_that_is_rejected_for_its_name_or_metadata_is_not_copied(source: Path, builder: Builder) -> None:
    data = wheel("large", "1.0", files=LARGE)
    write_files(source, [("large-2.0-py3-none-any.whl", data), ("large-1.0-py2-none-any.whl", data[:-30])])
    write_files(source, [("page-1.0-py3-none-any.whl", b"<html>" + bytes(9000)), ("lar ge-3.0-py3-none-any.whl", data)])
    assert len(builder(source).rejected) == 4
    assert builder.copies == [*TAKEN, f"replace copy0 {published_path(source / FILENAME)}"]


def test_a_file_that_changes_while_it_is_copied_leaves_nothing(source: Path, small: Path, builder: Builder) -> None:
    class Meanwhile(FaultyDisk):
        def write(self, descriptor: int, data: bytes | memoryview) -> None:
            super().write(descriptor, data)
            if self.operations[-1][1].endswith("copy0"):
                os.utime(source / FILENAME, (0, len(self.operations)))

    (rejected,) = builder(source, Meanwhile()).rejected
    assert (rejected.location, rejected.reason[:26]) == (str(source / FILENAME), "changed while it was read:")
    assert builder.copies == [*TAKEN, "unlink copy0"]
    assert (read_tree(builder.public), own_files(builder.public)) == (cold_build(small), {"manifest"})


@pytest.mark.parametrize("first", [True, False])
def test_a_refused_build_changes_nothing(source: Path, small: Path, builder: Builder, first: bool) -> None:
    if not first:
        builder(small)
    before = sorted(builder.public.rglob("*"))
    write_files(source, [("broken-1.0-py3-none-any.whl", b"PK")])
    with pytest.raises(NotPublished):
        builder(source, strict=True)
    assert builder.copies == [*TAKEN, "unlink copy0"]
    assert (sorted(builder.public.rglob("*")), builder.public.exists()) == (before, not first)


def test_if_a_file_is_in_two_directories_one_copy_is_deleted_at_once(source: Path, builder: Builder) -> None:
    shutil.copytree(source, source / "again")
    builder(source, recursive=True)
    second = [line.replace("0", "1") for line in TAKEN]
    assert builder.copies == [*TAKEN, *second, "unlink copy1", f"replace copy0 {published_path(source / FILENAME)}"]
    assert read_tree(builder.public) == cold_build(source, recursive=True)


def test_the_copies_of_two_indistinguishable_files_are_deleted(source: Path, small: Path, builder: Builder) -> None:
    (source / "again").mkdir()
    write_wheel(source / "again", "large", "1.0", mtime=MTIME, files={"large/data": bytes(5000)})
    assert len(builder(source, recursive=True).rejected) == 2
    assert sorted(builder.copies[6:]) == ["unlink copy0", "unlink copy1"]
    assert (read_tree(builder.public), own_files(builder.public)) == (cold_build(small), {"manifest"})


def test_the_copies_of_a_dead_run_are_deleted_by_a_build_without_changes(source: Path, builder: Builder) -> None:
    builder(source)
    write_files(builder.public, [(f"{OWN_DIRECTORY}/tmp/copy7", b"half")])
    assert builder(source).written == 0
    assert (builder.copies, own_files(builder.public)) == (["unlink copy7"], {"manifest"})


# --- what goes wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("step", "where"), [("create", f"/{OWN_DIRECTORY}/tmp/copy0"), ("write", "")])
def test_a_file_is_not_rejected_for_a_full_disk(source: Path, builder: Builder, step: str, where: str) -> None:
    builder(source)
    at = 1 + builder.disk.operations.index((step, f"{OWN_DIRECTORY}/tmp/copy0"))
    shutil.rmtree(builder.public)
    with pytest.raises(DestinationError) as caught:
        builder(source, FaultyDisk(fault=FULL_ONCE, at=at))
    wanted = f"cannot write {builder.public}{where}: {os.strerror(errno.ENOSPC)}. Free some space and run again"
    assert (str(caught.value), builder.public.exists()) == (wanted, False)


def test_an_interrupted_copy_leaves_nothing(source: Path, builder: Builder) -> None:
    builder(source)
    at = 1 + builder.disk.operations.index(("write", f"{OWN_DIRECTORY}/tmp/copy0"))
    shutil.rmtree(builder.public)
    with pytest.raises(KeyboardInterrupt):
        builder(source, FaultyDisk(fault=INTERRUPTED, at=at))
    assert not builder.public.exists()


def test_if_one_copy_fails_the_others_end_and_leave_nothing(source: Path, builder: Builder) -> None:
    write_wheel(source, "larger", "1.0", mtime=MTIME, files={"large/data": bytes(9000)})
    begun, left = threading.Barrier(2, timeout=10), threading.Event()
    threads: list[threading.Thread] = []

    class Failing(FaultyDisk):
        def write(self, descriptor: int, data: bytes | memoryview) -> None:
            super().write(descriptor, data)
            begun.wait()
            threads.append(threading.current_thread())
            if self._names[descriptor].endswith("copy0"):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            left.wait(10)

        def remove_directory(self, path: str) -> None:
            super().remove_directory(path)
            if path == OWN_DIRECTORY:
                left.set()

    with pytest.raises(DestinationError, match="Free some space"):
        builder(source, Failing(), jobs=2)
    for thread in threads:
        thread.join()
    assert (builder.public.exists(), [line.split()[0] for line in builder.copies].count("write")) == (False, 2)


def test_a_file_is_not_rejected_for_an_unreadable_clone(source: Path, builder: Builder) -> None:
    class Lost(FaultyDisk):
        def clone(self, source: int, target: int) -> bool:
            os.unlink(builder.public / OWN_DIRECTORY / "tmp/copy0")
            return True

    with pytest.raises(DestinationError, match=r"^cannot write .*/copy0: No such file or directory\. Fix the cause"):
        builder(source, Lost())
    assert not builder.public.exists()


def test_only_the_examined_size_of_a_growing_file_is_copied(source: Path, public: Path) -> None:
    path = source / FILENAME
    seen = path.read_bytes()
    artifact = Artifact(str(source), FILENAME, Fingerprint.of(path.stat()))
    path.write_bytes(seen + bytes(10_000))
    public.mkdir()
    taken = Precopies(FaultyDisk(str(public)))
    with path.open("rb", buffering=0) as stream:
        assert taken.take(artifact, stream) == hashlib.sha256(seen).hexdigest()
    assert read_tree(public / OWN_DIRECTORY / "tmp") == {"copy0": seen}


def test_a_file_that_has_grown_since_it_was_listed_is_copied_whole(source: Path, public: Path) -> None:
    path = source / FILENAME
    listed = Artifact(str(source), FILENAME, Fingerprint.of(path.stat()))
    path.write_bytes(larger := wheel("large", "1.0", files={"large/data": bytes(range(250)) * 40}))
    public.mkdir()
    taken = Precopies(FaultyDisk(str(public)))
    fingerprint, found = local.examine(listed, taken.take)
    assert isinstance(found, Facts)
    assert (fingerprint, found.sha256) == (Fingerprint.of(path.stat()), hashlib.sha256(larger).hexdigest())
    assert read_tree(public / OWN_DIRECTORY / "tmp") == {"copy0": larger}


def test_no_copy_starts_after_copying_was_stopped(source: Path, public: Path) -> None:
    path = source / FILENAME
    taken = Precopies(FaultyDisk(str(public)))
    taken.stop()
    with path.open("rb", buffering=0) as stream, pytest.raises(DestinationError, match="stopped"):
        taken.take(Artifact(str(source), FILENAME, Fingerprint.of(path.stat())), stream)
    assert not public.exists()


class DiskWithEvent(FaultyDisk):
    """A disk on which something happens when all files have been examined."""

    def __init__(self, happens: Callable[[], object]) -> None:
        super().__init__()
        self._happens = happens

    def create(self, path: str) -> int:
        if path.endswith("/intent"):
            self._happens()
        return super().create(path)


@pytest.mark.parametrize("gone", [True, False])
def test_a_copy_is_published_even_if_its_source_changes_or_vanishes(source: Path, builder: Builder, gone: bool) -> None:
    wanted = cold_build(source)
    path = source / FILENAME
    report = builder(source, DiskWithEvent(path.unlink if gone else lambda: path.write_bytes(bytes(5000))))
    assert (read_tree(builder.public), own_files(builder.public), report.rejected) == (wanted, {"manifest"}, ())


@pytest.mark.parametrize("data", [LARGE["large/data"], bytes(5000)], ids=["unchanged", "changed"])
def test_another_attempt_copies_again(source: Path, builder: Builder, data: bytes) -> None:
    def change() -> None:
        if not changed:
            changed.append(write_wheel(source, "small", "1.0", mtime=MTIME, summary="other bytes"))
            write_wheel(source, "large", "1.0", mtime=MTIME, files={"large/data": data})

    changed: list[Path] = []
    builder(source, DiskWithEvent(change))
    again = [line.replace("0", "1") for line in TAKEN]
    assert builder.copies == [*TAKEN, "unlink copy0", *again, f"replace copy1 {published_path(source / FILENAME)}"]
    assert (read_tree(builder.public), own_files(builder.public)) == (cold_build(source), {"manifest"})


@pytest.mark.parametrize("filename", [FILENAME, "middle-1.0-py3-none-any.whl"])
def test_a_file_that_someone_creates_meanwhile_at_the_path_of_a_new_one_stays(
    filename: str, source: Path, small: Path, builder: Builder
) -> None:
    write_wheel(source, "middle", "1.0", mtime=MTIME)
    builder(small)
    before, path = read_tree(builder.public), published_path(source / filename)
    with pytest.raises(DestinationError, match=r"^cannot write .*: File exists\. Fix the cause"):
        builder(source, DiskWithEvent(lambda: write_files(builder.public, [(path, b"theirs")])))
    after = {
        path: data for path, data in read_tree(builder.public).items() if path not in before and not path.endswith("/")
    }
    assert (after, own_files(builder.public)) == ({path: b"theirs"}, {"manifest"})
