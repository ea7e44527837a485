"""Files of someone else in a destination, and damage to our own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mkindex.errors import DestinationError
from mkindex.model import files
from mkindex.model.files import Fingerprint
from mkindex.publish import root, staging
from mkindex.publish.plan import Plan
from support.builds import cold_build, publish, write_files
from support.publishing import MTIME, change_source, flip_bit
from support.trees import file_identities, own_files, read_tree
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from mkindex.build.report import Report


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A source: two projects, two wheels and an sdist."""
    source = tmp_path / "wheels"
    source.mkdir()
    write_wheel(source, "demo", "1.0", mtime=MTIME)
    write_wheel(source, "demo", "2.0+cpu", mtime=MTIME)
    write_sdist(source, "other", "1.0", mtime=MTIME)
    return source


# --- files of someone else -------------------------------------------------------------------------------------


FOREIGN = {
    "README": b"theirs",
    ".git/HEAD": b"theirs",
    ".mkindexrc": b"theirs",
    "simple/notes.txt": b"theirs",
    "simple/demo/notes.txt": b"theirs",
    "simple/nobody/index.html": b"theirs",
    "files/00/theirs.whl": b"theirs",
    "docs/index.html": b"theirs",
    "links.html": b"theirs",
}


def test_files_of_someone_else_are_not_changed(wheels: Path, public: Path) -> None:
    write_files(public, FOREIGN.items())
    before = file_identities(public)
    for alter in (lambda _: None, change_source, lambda source: (source / "added-1.0-py3-none-any.whl").unlink()):
        alter(wheels)
        publish(wheels, public)
        assert read_tree(public) == FOREIGN | cold_build(wheels)
    assert file_identities(public).items() >= before.items()


def test_a_landing_page_of_the_users_own_is_left_alone_with_a_note(wheels: Path, public: Path) -> None:
    write_files(public, [("index.html", b"mine"), ("404.html", b"mine")])
    for _ in range(2):
        report = publish(wheels, public)
        assert [(note.location, note.text) for note in notes(report)] == [
            ("404.html", "not written by mkindex, left as it is (--overwrite replaces it)"),
            ("index.html", "not written by mkindex, left as it is (--overwrite replaces it)"),
        ]
        assert read_tree(public) == cold_build(wheels) | {"index.html": b"mine", "404.html": b"mine"}
    publish(wheels, public, overwrite=True)
    assert read_tree(public) == cold_build(wheels)


def notes(report: Report) -> list[Any]:
    return [finding for finding in report.findings if finding not in report.rejected]


def test_a_file_in_the_way_stops_the_build_unless_it_may_be_overwritten(wheels: Path, public: Path) -> None:
    for path in cold_build(wheels):
        if path in ("index.html", "404.html", ".nojekyll"):
            continue
        write_files(public, [(path, b"theirs")])
        with pytest.raises(
            DestinationError, match=f"^this file is in the way, .*: {path.replace('+', '.')}. Move it away"
        ):
            publish(wheels, public)
        assert (read_tree(public), own_files(public)) == ({path: b"theirs"}, set())
        publish(wheels, public, overwrite=True)
        assert read_tree(public) == cold_build(wheels)
        shutil.rmtree(public)


def test_files_of_someone_else_with_the_same_bytes_are_adopted(wheels: Path, public: Path) -> None:
    write_files(public, cold_build(wheels).items())
    before = file_identities(public)
    report = publish(wheels, public)
    assert (report.written, report.plan.unchanged) == (0, len(before))
    assert file_identities(public) == before
    assert publish(wheels, public).plan == Plan(unchanged=len(before))


@pytest.mark.parametrize("path", ["simple/demo/index.html", "index.html"])
def test_a_directory_in_place_of_a_file_stops_the_build(path: str, wheels: Path, public: Path) -> None:
    write_files(public, [(f"{path}/theirs", b"theirs")])
    for overwrite in (False, True):
        with pytest.raises(DestinationError, match=f"{path} is a directory, but a file must be there. Move it away"):
            publish(wheels, public, overwrite=overwrite)
        assert read_tree(public) == {f"{path}/theirs": b"theirs"}


@pytest.mark.parametrize("path", ["simple", "simple/demo", "files"])
def test_a_file_in_place_of_a_directory_stops_the_build(path: str, wheels: Path, public: Path) -> None:
    write_files(public, [(path, b"theirs")])
    for overwrite in (False, True):
        with pytest.raises(DestinationError, match=f"{path}.*A file is where a directory must be. Move it away"):
            publish(wheels, public, overwrite=overwrite)
        assert read_tree(public) == {path: b"theirs"}


def test_a_symlink_in_the_way_is_not_followed(wheels: Path, public: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").write_bytes(cold_build(wheels)["simple/index.html"])
    (public / "simple").mkdir(parents=True)
    (public / "simple/index.html").symlink_to(tmp_path / "theirs")
    with pytest.raises(DestinationError, match=r"^this file is in the way, .*: simple/index.html\."):
        publish(wheels, public)
    publish(wheels, public, overwrite=True)
    assert read_tree(public) == cold_build(wheels)
    assert (tmp_path / "theirs").read_bytes() == cold_build(wheels)["simple/index.html"]


# --- damage -----------------------------------------------------------------------------------------------------------


def _edit(path: Path) -> None:
    path.write_bytes(flip_bit(path.read_bytes() or b"x", 0))


def _exchange(path: Path) -> None:
    other = path.with_name(".exchange")
    other.write_bytes(flip_bit(path.read_bytes() or b"x", 0))
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)


def _link_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def _make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "edited in place": _edit,
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "emptied": lambda path: path.write_bytes(b""),
    "exchanged with its size and mtime kept": _exchange,
    "deleted": Path.unlink,
    "a dangling symlink": _link_nowhere,
    "a pipe": _make_pipe,
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_to_one_of_our_files_is_repaired(damage: str, wheels: Path, public: Path) -> None:
    publish(wheels, public)
    expected = cold_build(wheels)
    for path in expected:
        before = file_identities(public)
        if damage in ("emptied", "edited in place") and path == ".nojekyll":
            continue
        DAMAGE[damage](public / path)
        publish(wheels, public)
        assert read_tree(public) == expected
        assert {name for name, identity in file_identities(public).items() if before[name] != identity} == {path}


@pytest.mark.parametrize(("seconds", "seen"), [(0, True), (2, True), (3, False)])
def test_on_a_file_system_with_coarse_times_what_was_written_just_before_the_manifest_is_compared(
    seconds: int, seen: bool, wheels: Path, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def coarse(status: os.stat_result) -> Fingerprint:
        is_manifest = status.st_ino == (public / ".mkindex/manifest").stat().st_ino
        time_ns = (MTIME + seconds * is_manifest) * 1_000_000_000
        return Fingerprint(status.st_ino, status.st_size, time_ns, time_ns)

    publish(wheels, public)
    monkeypatch.setattr(Fingerprint, "of", coarse)
    for module in (files, root, staging):
        monkeypatch.setattr(module, "fingerprint_text", lambda status: str(coarse(status)))
    publish(wheels, public)  # writes a manifest with such times
    page = public / "simple/demo/index.html"
    page.write_bytes(flip_bit(page.read_bytes(), 0))
    report = publish(wheels, public)
    assert (report.written, read_tree(public) == cold_build(wheels)) == (int(seen), seen)
    assert publish(wheels, public).written == 0


@pytest.mark.parametrize("path", ["simple", "simple/demo", "files", "."])
def test_a_deleted_directory_of_ours_is_made_again(path: str, wheels: Path, public: Path) -> None:
    publish(wheels, public)
    shutil.rmtree(public / path)
    publish(wheels, public)
    assert read_tree(public) == cold_build(wheels)


def test_a_file_of_ours_that_became_a_symlink_is_replaced_and_its_target_is_not_touched(
    wheels: Path, public: Path, tmp_path: Path
) -> None:
    publish(wheels, public)
    for number, path in enumerate(cold_build(wheels)):
        theirs = tmp_path / f"theirs-{number}"
        (public / path).rename(theirs)
        (public / path).symlink_to(theirs)
    publish(wheels, public)
    assert read_tree(public) == cold_build(wheels)
    assert [(tmp_path / f"theirs-{number}").read_bytes() for number in range(len(cold_build(wheels)))] == [
        *cold_build(wheels).values()
    ]


def test_a_symlink_to_itself_in_place_of_a_directory_is_an_error_that_names_it(wheels: Path, public: Path) -> None:
    publish(wheels, public)
    shutil.rmtree(public / "simple/demo")
    (public / "simple/demo").symlink_to("demo")
    with pytest.raises(DestinationError, match="simple/demo"):
        publish(wheels, public)


def test_files_to_delete_may_already_be_deleted(wheels: Path, public: Path) -> None:
    publish(wheels, public)
    (wheels / "other-1.0.tar.gz").unlink()
    shutil.rmtree(public / "simple/other")
    (public / "simple/other").write_bytes(b"theirs")
    publish(wheels, public)
    assert (read_tree(public), own_files(public)) == (cold_build(wheels) | {"simple/other": b"theirs"}, {"manifest"})
