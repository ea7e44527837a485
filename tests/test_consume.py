"""`mkindex add --consume`: the files of a drop folder are deleted once they are published, and only then."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from mkindex.build.growing import Growth
from mkindex.build.pipeline import build
from mkindex.config import Config
from mkindex.errors import Note
from mkindex.model.files import Fingerprint
from mkindex.options import InvalidOption
from mkindex.publish.filesystem import Filesystem
from support.builds import cold_build, publish, scratch_directory
from support.command_line import Run
from support.faulty_disk import KILLED_IN_A_WRITE, FaultyDisk, ProcessKilled
from support.growing import add
from support.trees import read_tree
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from mkindex.build.report import Report

DEMO = "demo-1.0-py3-none-any.whl"
MTIME = 1_700_000_000


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    """A drop folder with a wheel and an sdist."""
    return drop_folder(tmp_path / "incoming")


def drop_folder(directory: Path) -> Path:
    directory.mkdir()
    write_wheel(directory, "demo", "1.0", mtime=MTIME)
    write_sdist(directory, "other", "1.0", mtime=MTIME)
    return directory


def consume(
    source: Path,
    public: Path,
    *,
    before_commit: Callable[[], object] = lambda: None,
    replace: bool = False,
    **options: Any,  # noqa: ANN401 (the fields of Config)
) -> Report:
    config = Config(sources=(str(source),), destination=str(public), **({"grace": 0} | options))
    growth = Growth(given=frozenset({"grace", *options}), consume=True, replace=replace)
    return build(config, growth=growth, before_commit=before_commit)


def published(public: Path, filename: str) -> Path:
    return next((public / "files").rglob(filename))


def test_published_files_are_deleted_and_the_tree_is_that_of_a_build(tmp_path: Path, incoming: Path) -> None:
    wanted = cold_build(incoming)
    report = consume(incoming, tmp_path / "public")
    names = [DEMO, "other-1.0.tar.gz"]
    assert (report.consumed, report.added) == (tuple(f"{incoming}/{name}" for name in names), tuple(names))
    assert (os.listdir(incoming), read_tree(tmp_path / "public")) == ([], wanted)


def test_rejected_files_and_files_of_other_kinds_stay(tmp_path: Path, incoming: Path) -> None:
    (incoming / "half-1.0-py3-none-any.whl").write_bytes((incoming / DEMO).read_bytes()[:-9])
    (incoming / "notes.txt").write_text("mine")
    report = consume(incoming, tmp_path / "public")
    assert sorted(os.listdir(incoming)) == ["half-1.0-py3-none-any.whl", "notes.txt"]
    assert [rejected.location for rejected in report.rejected] == [f"{incoming}/half-1.0-py3-none-any.whl"]


def test_a_file_with_other_contents_than_the_published_one_stays_until_it_replaces_that(
    tmp_path: Path, incoming: Path
) -> None:
    consume(incoming, tmp_path / "public")
    write_wheel(incoming, "demo", "1.0", summary="other contents")
    assert (len(consume(incoming, tmp_path / "public").rejected), os.listdir(incoming)) == (1, [DEMO])
    assert (consume(incoming, tmp_path / "public", replace=True).rejected, os.listdir(incoming)) == ((), [])


def test_a_file_that_is_published_already_is_deleted(tmp_path: Path, incoming: Path) -> None:
    add(incoming, tmp_path / "public")  # as after a crash between publishing and deleting
    (incoming / "a").mkdir()
    shutil.copy2(incoming / DEMO, incoming / "a")
    report = consume(incoming, tmp_path / "public", recursive=True)
    assert (len(report.consumed or ()), report.added, os.listdir(incoming)) == (3, (), ["a"])


def test_a_file_stays_if_its_published_copy_is_not_as_it_was_written(tmp_path: Path, incoming: Path) -> None:
    consume(incoming, tmp_path / "public")
    copy = published(tmp_path / "public", DEMO)
    again = write_wheel(incoming, "demo", "1.0", mtime=MTIME)

    def damage() -> None:
        copy.write_bytes(b"damaged while it is compared")

    assert (consume(incoming, tmp_path / "public", before_commit=damage).consumed, again.exists()) == ((), True)
    assert (len(consume(incoming, tmp_path / "public").consumed or ()), again.exists()) == (1, False)
    assert published(tmp_path / "public", DEMO).read_bytes() != b"damaged while it is compared"


@pytest.mark.parametrize("is_old", [False, True])
def test_a_file_that_is_written_to_while_it_is_published_stays(tmp_path: Path, incoming: Path, is_old: bool) -> None:
    upload = incoming / DEMO
    before, times = upload.read_bytes(), os.stat(upload)
    if is_old:  # its times show every change
        elsewhere = shutil.move(upload, tmp_path / DEMO)
        shutil.move(elsewhere, upload)

    def write_again() -> None:
        upload.write_bytes(before[::-1])
        os.utime(upload, ns=(times.st_atime_ns, times.st_mtime_ns))

    consume(incoming, tmp_path / "public", before_commit=write_again)
    assert upload.read_bytes() == before[::-1]
    assert published(tmp_path / "public", DEMO).read_bytes() == before


def test_same_times_after_a_change_are_not_enough_to_delete_a_file(
    tmp_path: Path, incoming: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload, other = incoming / DEMO, b"x" * (incoming / DEMO).stat().st_size
    fingerprint = Fingerprint.of(os.stat(upload))

    class SameTimes:
        of = staticmethod(lambda _: fingerprint)

    monkeypatch.setattr("mkindex.build.consuming.Fingerprint", SameTimes)
    consume(incoming, tmp_path / "public", before_commit=lambda: upload.write_bytes(other))
    assert upload.read_bytes() == other


def replacing_at(step: str, upload: Path, contents: bytes) -> type[Filesystem]:
    """Return a disk on which an uploader moves a file into the place of another one just before a step."""

    class Uploading(Filesystem):
        def _upload(self, path: str) -> None:
            if path.endswith(upload.name):
                upload.with_name("arriving").write_bytes(contents)
                os.replace(upload.with_name("arriving"), upload)

        def replace(self, source: str, target: str) -> None:
            if step == "replace" and not source.startswith("."):
                self._upload(source)
            super().replace(source, target)

        def unlink(self, path: str) -> None:
            if step == "unlink":
                self._upload(path)
            super().unlink(path)

    return Uploading


@pytest.mark.parametrize("step", ["replace", "unlink"])
def test_a_file_that_is_moved_into_the_place_of_one_that_is_being_deleted_stays(
    tmp_path: Path, incoming: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = (incoming / DEMO).read_bytes()
    monkeypatch.setattr("mkindex.build.consuming.Filesystem", replacing_at(step, incoming / DEMO, b"later"))
    consume(incoming, tmp_path / "public")
    assert {name: (incoming / name).read_bytes() for name in os.listdir(incoming)} == {DEMO: b"later"}
    assert published(tmp_path / "public", DEMO).read_bytes() == before


def test_files_that_a_run_had_not_deleted_yet_when_it_died_get_their_names_back(tmp_path: Path, incoming: Path) -> None:
    (incoming / "a").mkdir()
    for name in (DEMO, f"a/{DEMO}", "other-1.0.tar.gz"):
        path = incoming / name
        path.with_name(f".mkindex-{path.name}").write_bytes(b"unpublished")
    (incoming / DEMO).unlink()
    (incoming / ".mkindex-notes").write_text("mine")
    report = consume(incoming, tmp_path / "public", recursive=True)
    assert report.consumed == (f"{incoming}/other-1.0.tar.gz",)
    assert sorted(path.relative_to(incoming).as_posix() for path in incoming.rglob("*")) == [
        ".mkindex-notes",
        "a",
        f"a/{DEMO}",
        DEMO,
    ]


def test_a_copy_under_another_filename_stays_until_that_is_published(tmp_path: Path) -> None:
    (incoming := tmp_path / "incoming").mkdir()
    first = write_wheel(incoming, "demo", "1.0", mtime=MTIME)
    second = Path(shutil.copy(first, incoming / "demo-1.0-1-py3-none-any.whl"))  # with a time after the limit
    (policy := tmp_path / "policy.toml").write_text("[times]\ncutoff = 2024-01-01\n")
    report = consume(incoming, tmp_path / "public", policy=str(policy))
    assert (report.consumed, os.listdir(incoming)) == ((str(first),), [second.name])


def test_the_published_file_is_a_copy_that_an_uploader_cannot_write_to(tmp_path: Path, incoming: Path) -> None:
    before = (incoming / DEMO).read_bytes()
    with (incoming / DEMO).open("r+b") as uploader:
        inode = os.fstat(uploader.fileno()).st_ino
        consume(incoming, tmp_path / "public")
        uploader.write(b"late")
    copy = published(tmp_path / "public", DEMO)
    assert (copy.stat().st_ino != inode, copy.stat().st_nlink, copy.read_bytes()) == (True, 1, before)


def test_a_symlink_stays_with_a_note(tmp_path: Path, incoming: Path) -> None:
    shutil.move(incoming / DEMO, incoming / ".data.whl")
    (incoming / DEMO).symlink_to(".data.whl")
    report = consume(incoming, tmp_path / "public")
    text = "published, but not deleted: a symlink is in its path"
    assert report.notes == (Note(location=f"{incoming}/{DEMO}", text=text),)
    assert sorted(os.listdir(incoming)) == [".data.whl", DEMO]


def test_a_directory_that_became_a_symlink_leads_to_no_other_file(tmp_path: Path, incoming: Path) -> None:
    (tmp_path / "mine").mkdir()
    shutil.move(incoming / DEMO, tmp_path / "mine" / DEMO)
    (incoming / "a").mkdir()
    os.link(tmp_path / "mine" / DEMO, incoming / "a" / DEMO)

    def swap() -> None:
        shutil.rmtree(incoming / "a")
        (incoming / "a").symlink_to(tmp_path / "mine")

    report = consume(incoming, tmp_path / "public", recursive=True, before_commit=swap)
    assert (os.listdir(tmp_path / "mine"), [note.location for note in report.notes]) == (
        [DEMO],
        [f"{incoming}/a/{DEMO}"],
    )


def test_a_file_that_this_user_may_not_delete_is_noted(
    tmp_path: Path, incoming: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing(Filesystem):
        def unlink(self, path: str) -> None:
            raise PermissionError(1, "Operation not permitted", self.at(path))

    monkeypatch.setattr("mkindex.build.consuming.Filesystem", Refusing)
    report = consume(incoming, tmp_path / "public")
    text = "published, but cannot be deleted: Operation not permitted. Delete it, or give this user permission to"
    assert [(note.location, note.text) for note in report.notes] == [
        (f"{incoming}/{name}", text) for name in (DEMO, "other-1.0.tar.gz")
    ]
    assert report.consumed == ()


def test_a_file_that_the_policy_does_not_list_stays(tmp_path: Path, incoming: Path) -> None:
    (tmp_path / "policy.toml").write_text('[[only]]\nproject = "other"\nversions = "<1"\n')
    report = consume(incoming, tmp_path / "public", policy=str(tmp_path / "policy.toml"))
    assert (len(report.consumed or ()), os.listdir(incoming)) == (1, ["other-1.0.tar.gz"])


@pytest.mark.slow
def test_a_run_that_dies_at_any_step_loses_nothing_and_the_next_one_consumes() -> None:
    survived = 0
    with scratch_directory() as directory:
        uploads = drop_folder(Path(directory, "uploads"))
        files = {hashlib.sha256(path.read_bytes()).hexdigest(): path.name for path in uploads.iterdir()}
        wanted = cold_build(uploads)
        for room in ("publish.directory", "build.consuming"):
            for at in range(1, 200, 2 if room == "publish.directory" else 1):
                incoming, public = (Path(directory, f"{name}-{room}-{at}") for name in ("incoming", "public"))
                shutil.copytree(uploads, incoming)
                disk = FaultyDisk(fault=KILLED_IN_A_WRITE, at=at)
                with mock.patch(f"mkindex.{room}.Filesystem", disk.mount), suppress(ProcessKilled):
                    consume(incoming, public, jobs=1)
                    break
                survived += 1
                tree = read_tree(public) if public.exists() else {}
                for sha256, name in files.items():
                    path = f"files/{sha256[:2]}/{sha256[2:]}/{name}"
                    assert (incoming / name).exists() or sha256 == hashlib.sha256(tree[path]).hexdigest()
                consume(incoming, public, jobs=1)
                assert (os.listdir(incoming), read_tree(public)) == ([], wanted)
    assert survived > 20


# --- options --------------------------------------------------------------------------------------------------------


def test_what_leaves_no_copy_in_the_destination_is_refused(tmp_path: Path, incoming: Path) -> None:
    publish(incoming, tmp_path / "linked", files_url="https://files.example.com/")
    (tmp_path / "list.txt").write_text(f"{incoming}/{DEMO}\n")
    messages = []
    cases: tuple[tuple[Path, str, dict[str, Any]], ...] = (
        (incoming, "public", {"link_mode": "hardlink"}),
        (incoming, "linked", {}),
        (incoming, "public", {"previous": str(tmp_path / "deployed")}),
        (tmp_path / "list.txt", "public", {}),
    )
    for source, public, options in cases:
        with pytest.raises(InvalidOption) as error:
            consume(source, tmp_path / public, **options)
        messages.append(str(error.value))
    assert messages == [
        "consume and link_mode hardlink exclude each other: an uploader may still write to the file",
        "consume and files_url exclude each other: DEST would have no copy of the files",
        "consume and previous exclude each other: the files would be deleted before the site is deployed",
        f"consume requires that each SOURCE is a directory: {tmp_path}/list.txt is not",
    ]
    assert sorted(os.listdir(incoming)) == [DEMO, "other-1.0.tar.gz"]


def test_reports_say_what_is_added_and_consumed(
    tmp_path: Path, incoming: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("add", str(incoming), str(tmp_path / "public"), "--consume", "--no-cache")
    done = Run(capsys, *arguments, "--dry-run")
    assert (done.status, len(os.listdir(incoming))) == (0, 2)
    assert "unchanged, 0 files to remove, 2 files to consume) in " in done.out
    assert f"\nto add: {DEMO}, other-1.0.tar.gz\n" in done.out
    report = json.loads(Run(capsys, *arguments, "--json").out)
    assert report["consumed"] == [f"{incoming}/{DEMO}", f"{incoming}/other-1.0.tar.gz"]
    assert report["added"] == [DEMO, "other-1.0.tar.gz"]
