"""A destination that someone else prepared, or changes while a build runs: nothing outside of it changes.

MKINDEX_SOAK=1 swaps directories at every step, and for longer.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import threading
import zlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mkindex import cli
from mkindex.errors import DestinationError
from mkindex.publish import directory, lock, root
from mkindex.publish.downloads import Downloads
from mkindex.publish.filesystem import Filesystem
from mkindex.publish.root import Root
from mkindex.tree import manifest
from mkindex.tree.manifest import Entry, Stage
from mkindex.tree.names import DOWNLOADS_DIRECTORY, INTENT, LOCK, MANIFEST, TEMPORARY_DIRECTORY
from support.builds import cold_build, publish, scratch_directory, write_files
from support.faulty_disk import FaultyDisk
from support.hostile_trees import NOT_OURS, forge_intent, forge_manifest, lead_out, seen, swap_directories
from support.publishing import MTIME, change_source
from support.trees import OWN_DIRECTORY, own_files, read_tree
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mkindex.build.report import Report

pytestmark = pytest.mark.slow

SOAK = bool(os.environ.get("MKINDEX_SOAK"))


@pytest.fixture
def place() -> Iterator[Path]:
    with scratch_directory() as path:
        yield Path(path)


@pytest.fixture
def wheels(place: Path) -> Path:
    """A source: two projects, two wheels and an sdist."""
    source = place / "wheels"
    source.mkdir()
    write_wheel(source, "demo", "1.0", mtime=MTIME)
    write_wheel(source, "demo", "2.0+cpu", mtime=MTIME)
    write_sdist(source, "other", "1.0", mtime=MTIME)
    return source


@pytest.fixture
def public(place: Path) -> Path:
    return place / "public"


@pytest.fixture
def outside(place: Path) -> Path:
    """A directory that is not part of the destination."""
    (place / "outside").mkdir()
    return place / "outside"


@pytest.fixture(params=[True, False], ids=["with descriptors", "without"])
def _systems(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Systems that have descriptors of directories, and systems that do not."""
    monkeypatch.setattr(root, "_HAS_DESCRIPTORS", request.param)


# --- symlinks that are there --------------------------------------------------------------------------------------


def new_directory(wheels: Path, filename: str) -> str:
    """The directory of a file that the next build writes, or the last one wrote."""
    return next(os.path.dirname(path) for path in cold_build(wheels) if path.endswith(f"/{filename}"))


LEVELS: dict[str, Callable[[Path], str]] = {
    "the state directory": lambda _: OWN_DIRECTORY,
    "temporary files": lambda _: TEMPORARY_DIRECTORY,
    "downloads": lambda _: DOWNLOADS_DIRECTORY,
    "one download": lambda _: f"{DOWNLOADS_DIRECTORY}/0123",
    "files": lambda _: "files",
    "some files": lambda source: os.path.dirname(new_directory(source, "demo-1.0-py3-none-any.whl")),
    "one file": lambda source: new_directory(source, "demo-1.0-py3-none-any.whl"),
    "the index": lambda _: "simple",
    "a project": lambda _: "simple/demo",
    "a project that goes": lambda _: "simple/other",
    "a project that comes": lambda _: "simple/added",
}


@pytest.mark.usefixtures("_systems")
@pytest.mark.parametrize("when", ["old", "new"])
@pytest.mark.parametrize("options", [{}, {"link_mode": "hardlink"}], ids=str)
@pytest.mark.parametrize("level", LEVELS)
def test_a_symlink_to_a_directory_leads_no_build_out_of_the_destination(  # noqa: PLR0917 (three parameters)
    level: str, options: dict[str, Any], when: str, wheels: Path, public: Path, outside: Path
) -> None:
    publish(wheels, public)
    path = LEVELS[level](wheels)
    change_source(wheels)
    if when == "new":
        path = LEVELS[level](wheels)
    lead_out(public, path, outside)
    before = seen(outside)
    try:
        publish(wheels, public, **options)
    except DestinationError as error:
        assert re.match(rf"{re.escape(str(public / path))} is a symlink, and mkindex follows none", str(error))  # noqa: PT017
    else:
        assert level in ("some files", "one file", "a project that goes")
        assert when == "old" or level == "a project that goes"
    assert seen(outside) == before
    (public / path).unlink()
    if level == "the state directory":
        shutil.copytree(outside / "there", public / path, ignore=shutil.ignore_patterns("precious"))
    elif path.startswith("files/"):
        shutil.rmtree(public / path.rpartition("/")[0])
    publish(wheels, public)
    assert (read_tree(public), own_files(public)) == (cold_build(wheels), {"manifest"})


@pytest.mark.parametrize("level", ["files", "the index", "the state directory"])
def test_a_first_build_into_a_cloned_directory_with_symlinks_writes_nothing(
    level: str, wheels: Path, public: Path, outside: Path
) -> None:
    lead_out(public, LEVELS[level](wheels), outside)
    before = read_tree(public), seen(outside)
    with pytest.raises(DestinationError, match="is a symlink, and mkindex follows none"):
        publish(wheels, public, overwrite=True)
    assert (read_tree(public), seen(outside)) == before


def test_a_dry_run_says_that_there_is_a_symlink(wheels: Path, public: Path, outside: Path) -> None:
    publish(wheels, public)
    lead_out(public, OWN_DIRECTORY, outside)
    with pytest.raises(DestinationError, match=r"\.mkindex is a symlink, and mkindex follows none"):
        publish(wheels, public, dry_run=True)


# --- records that are not files -----------------------------------------------------------------------------------


def make_symlink(path: Path) -> None:
    path.symlink_to("elsewhere")


def make_symlink_to_a_file(path: Path) -> None:
    (path.parent.parent.parent / "outside/file").write_text("theirs")
    path.symlink_to(path.parent.parent.parent / "outside/file")


KINDS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a dangling symlink": (make_symlink, "is a symlink, and mkindex follows none"),
    "a symlink to a file": (make_symlink_to_a_file, "is a symlink, and mkindex follows none"),
    "a pipe": (os.mkfifo, r"is not a regular file: mkindex did not make it\. Delete it"),
    "a directory": (Path.mkdir, r"(is not a regular file|Is a directory\. A directory is where a file must be)"),
}


@pytest.mark.timeout(60)  # opening a pipe would wait for ever
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", [MANIFEST, INTENT, LOCK])
def test_a_record_that_is_not_a_file_is_an_error_that_names_it(
    path: str, kind: str, wheels: Path, public: Path, outside: Path
) -> None:
    publish(wheels, public)
    (public / path).unlink(missing_ok=True)
    make, text = KINDS[kind]
    make(public / path)
    before = read_tree(public), seen(outside)
    with pytest.raises(DestinationError, match=f"{re.escape(str(public / path))}.*{text}"):
        publish(wheels, public, overwrite=True)
    if path != LOCK:
        with pytest.raises(DestinationError, match=f"{re.escape(str(public / path))}.*{text}"):
            publish(wheels, public, dry_run=True)
    assert (read_tree(public), seen(outside)) == before


@pytest.mark.timeout(60)
@pytest.mark.parametrize("command", [["check"], ["host", "nginx", "--root"]])
def test_a_pipe_in_place_of_the_manifest_stops_no_command(
    command: list[str], wheels: Path, public: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(wheels, public)
    (public / MANIFEST).unlink()
    os.mkfifo(public / MANIFEST)
    status = cli.run([*command, str(public)])
    output = capsys.readouterr().out
    assert (status in (0, 1), "manifest" in output or command[0] == "host") == (True, True)


def test_a_file_system_without_locks_is_an_error_that_says_so(
    wheels: Path, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(lock, "_try_lock", fail)
    with pytest.raises(DestinationError) as caught:
        publish(wheels, public)
    assert str(caught.value) == (
        f"cannot lock {public}/.mkindex/lock: No locks available. This file system has no locks: "
        "publish to a directory on another one, and copy the tree here"
    )


# --- downloads ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["a symlink", "a hard link", "a pipe"])
def test_a_download_is_never_written_to_a_file_that_is_elsewhere_too(how: str, public: Path, outside: Path) -> None:
    (outside / "theirs").write_bytes(b"theirs")
    part = public / DOWNLOADS_DIRECTORY / "0123" / "part"
    part.parent.mkdir(parents=True)
    if how == "a symlink":
        part.symlink_to(outside / "theirs")
    elif how == "a hard link":
        part.hardlink_to(outside / "theirs")
    else:
        os.mkfifo(part)
    downloads = Downloads(Filesystem(str(public)))
    if how == "a hard link":
        with downloads.open("0123", "demo.whl", largest=9) as file:
            file.write(b"ours")
        assert (part.read_bytes(), part.stat().st_nlink) == (b"ours", 1)
    else:
        with pytest.raises(DestinationError, match=f"{re.escape(str(part))} is (a symlink|not a regular file)"):
            downloads.open("0123", "demo.whl", largest=9)
    assert (outside / "theirs").read_bytes() == b"theirs"


@pytest.mark.parametrize(("largest", "kept"), [(3, b""), (4, b"half"), (5, b"half")])
def test_a_download_continues_with_the_bytes_of_an_earlier_run(largest: int, kept: bytes, public: Path) -> None:
    public.mkdir()
    downloads = Downloads(Filesystem(str(public)))
    for name in ("part", "demo.whl"):  # not complete; complete, but not published
        write_files(public, [(f"{DOWNLOADS_DIRECTORY}/0123/{name}", b"half")])
        with downloads.open("0123", "demo.whl", largest=largest) as file:
            assert file.read() == kept
        downloads.remove()
    assert own_files(public) == set()


# --- records that someone made ------------------------------------------------------------------------------------


@pytest.mark.parametrize("forge", [forge_manifest, forge_intent])
@pytest.mark.parametrize(("stage", "path"), NOT_OURS)
def test_a_record_of_a_path_that_mkindex_does_not_publish_deletes_nothing(  # noqa: PLR0917 (two parameters)
    stage: Stage, path: str, forge: Callable[..., None], wheels: Path, public: Path, outside: Path
) -> None:
    (outside / "index.html").write_bytes(b"theirs")
    theirs = {path: b"theirs"} if not re.search(r"//|\./|^/", path) else {"docs/index.html": b"theirs"}
    write_files(public, theirs.items())
    sha256 = "d2b4a2cb2ec1b3a3e8a1d2f7f3dfc1fd0fd2cbcb5a2a7d5e0a4f6f2f4f9f2b60"
    forge(public, Entry("docs", stage, path, sha256, sha256, "", 0 if stage < Stage.PROJECT else None))
    publish(wheels, public)
    assert (read_tree(public), (outside / "index.html").read_bytes()) == (cold_build(wheels) | theirs, b"theirs")


@pytest.mark.parametrize("forge", [forge_manifest, forge_intent])
@pytest.mark.parametrize("sha256", ["", "a" * 64])
@pytest.mark.parametrize("kind", ["a file", "a symlink", "a directory"])
def test_a_page_whose_bytes_are_not_those_in_the_record_is_left_with_a_note(  # noqa: PLR0917 (two parameters)
    kind: str, sha256: str, forge: Callable[..., None], wheels: Path, public: Path, outside: Path
) -> None:
    theirs = public / "docs/index.html"
    theirs.parent.mkdir(parents=True)
    if kind == "a directory":
        theirs.mkdir()
        (theirs / "file").write_bytes(b"theirs")
    elif kind == "a symlink":
        theirs.symlink_to(outside)
    else:
        theirs.write_bytes(b"theirs")
    forge(public, Entry("docs", Stage.PROJECT, "docs/index.html", "key", sha256, ""))
    before = seen(theirs.parent)
    report = publish(wheels, public)
    assert notes(report) == [
        ("docs/index.html", "changed since mkindex wrote it, so it was not deleted. The index no longer has this page")
    ]
    assert (seen(theirs.parent), own_files(public)) == (before, {"manifest"})
    assert notes(publish(wheels, public)) == []


def notes(report: Report) -> list[tuple[str, str]]:
    return [(note.location, note.text) for note in report.notes]


def test_a_page_that_is_as_mkindex_wrote_it_is_deleted_even_in_a_copy_of_the_tree(wheels: Path, public: Path) -> None:
    publish(wheels, public)
    shutil.copytree(public, copy := public.with_name("copy"))  # with other inodes and times
    (wheels / "other-1.0.tar.gz").unlink()
    report = publish(wheels, copy)
    assert (notes(report), read_tree(copy)) == ([], cold_build(wheels))


LARGE = "mkindex manifest 2\n[docs]\n"


@pytest.mark.parametrize(
    "text",
    [
        f"{LARGE}2\tdocs/index.html\t\t\t\t{'9' * 5000}\n",
        f"{LARGE}2\tdocs/{'a' * (1 << 20)}.html\t\t\t\t\n",
        f"{LARGE}2\tdocs/index.html\t{'k' * 5000}\t\t\t\n",
        f"{LARGE}{'x' * (1 << 20)}",
        LARGE,
    ],
    ids=["a number", "a path", "a key", "a line", "a section without entries"],
)
def test_a_manifest_with_values_that_are_too_long_is_damaged(text: str, wheels: Path, public: Path) -> None:
    data = text.encode()
    write_files(public, [(MANIFEST, data + b"end %08x\n" % zlib.crc32(data)), ("docs/index.html", b"theirs")])
    publish(wheels, public)
    assert read_tree(public) == cold_build(wheels) | {"docs/index.html": b"theirs"}


@pytest.mark.parametrize("name", ["_LARGEST_ON_DISK", "_LARGEST_SECTION"])
def test_a_manifest_that_is_larger_than_any_index_is_damaged(
    name: str, wheels: Path, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(wheels, public)
    monkeypatch.setattr(manifest, name, 300)
    with (public / MANIFEST).open("rb") as file, pytest.raises(manifest.DamagedManifest):
        list(manifest.sections(file))


def test_an_intent_of_a_newer_version_is_an_error(wheels: Path, public: Path) -> None:
    publish(wheels, public)
    (public / INTENT).write_bytes(b"mkindex intent 4\nof nobody knows what\n")
    before = seen(public)
    for options in ({}, {"dry_run": True}):
        with pytest.raises(DestinationError) as caught:
            publish(wheels, public, **options)
        assert str(caught.value) == (
            f"{public}/.mkindex/intent was written by a newer mkindex (format 4; this version reads 3): "
            "upgrade mkindex, or publish to a new directory"
        )
    assert {path: what for path, what in seen(public).items() if path != f"{public}/.mkindex"} == {
        path: what for path, what in before.items() if path != f"{public}/.mkindex"
    }


def test_a_damaged_intent_is_ignored_with_a_note(wheels: Path, public: Path) -> None:
    publish(wheels, public)
    (public / INTENT).write_bytes(b"mkindex intent 3\ndocs\t2\t../../outside\t\n")
    assert notes(publish(wheels, public)) == [
        (
            f"{public}/.mkindex/intent",
            "damaged, or not written by mkindex: ignored. If a build was interrupted, its files may be in the way",
        )
    ]
    assert notes(publish(wheels, public)) == []


def test_an_intent_without_hashes_is_read(wheels: Path, public: Path) -> None:
    """Versions before 0.2.0 wrote it like this."""
    publish(wheels, public)
    (path,) = public.glob("files/*/*/other*")
    (wheels / "other-1.0.tar.gz").unlink()
    (public / MANIFEST).unlink()
    relative = path.relative_to(public)
    (public / INTENT).write_text(f"mkindex intent 2\nother\t0\t{relative}\n")
    publish(wheels, public, overwrite=True)
    assert not path.exists()


# --- an attacker who is faster --------------------------------------------------------------------------------------


class SwappingDisk(FaultyDisk):
    """A disk on which a directory becomes a symlink right before an operation in it, the one of this number."""

    def __init__(self, outside: Path, number: int) -> None:
        super().__init__()
        self.outside, self.number, self.count = outside, number, 0

    def place(self, path: str) -> root.Place:
        place = super().place(path)
        above = path.rpartition("/")[0]
        self.count += bool(above)
        if above and self.count == self.number:
            directory = Path(self.path, above)
            shutil.copytree(directory, self.outside / "there")
            directory.rename(self.outside.with_name("aside"))
            directory.symlink_to(self.outside / "there")
            self.before = seen(self.outside)
        return place


@pytest.mark.parametrize("link_mode", ["copy", "hardlink"])
def test_a_directory_that_becomes_a_symlink_at_any_moment_changes_nothing_elsewhere(
    link_mode: str, wheels: Path, public: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = shutil.copytree(wheels, wheels.with_name("old"))
    change_source(wheels)
    number, swapped = 1 if link_mode == "copy" else 4, True
    while swapped:
        number += 1 if SOAK else 9
        for path in (public, outside, outside.with_name("aside")):
            shutil.rmtree(path, ignore_errors=True)
        outside.mkdir()
        publish(old, public)
        with monkeypatch.context() as patch:
            disk = SwappingDisk(outside, number)
            patch.setattr(directory, "Filesystem", disk.mount)
            with suppress(DestinationError):
                publish(wheels, public, jobs=1, link_mode=link_mode)
        swapped = disk.count >= number
        assert not swapped or (number, seen(outside)) == (number, disk.before)
    assert number > 60


def test_builds_beside_a_thread_that_swaps_directories_change_nothing_elsewhere(
    wheels: Path, public: Path, outside: Path
) -> None:
    old = shutil.copytree(wheels, wheels.with_name("old"))
    change_source(wheels)
    publish(old, outside)
    for name in (TEMPORARY_DIRECTORY, DOWNLOADS_DIRECTORY):
        write_files(outside, [(f"{name}/theirs", b"theirs")])
    before, stop = seen(outside), threading.Event()

    def swap() -> None:
        while not stop.is_set():
            swap_directories(public, outside)

    attacker = threading.Thread(target=swap)
    attacker.start()
    try:
        for number in range(400 if SOAK else 16):
            if number % 4 == 0:
                shutil.rmtree(public, ignore_errors=True)
            with suppress(DestinationError):
                publish((old, wheels)[number % 2], public, jobs=1, overwrite=True)
    finally:
        stop.set()
        attacker.join()
    assert seen(outside) == before


# --- the root -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_systems")
def test_a_root_reads_files_of_its_tree_only(place: Path) -> None:
    tree = place / "tree"
    write_files(tree, [("a/b/file", b"text")])
    (tree / "a/link").symlink_to("b")
    (tree / "a/b/link").symlink_to("file")
    (place / "also").symlink_to(tree)
    there = Root(str(place / "also"))
    with there.open("a/b/file") as file:
        assert file.read() == b"text"
    assert sorted(there.names("a")) == ["b", "link"]
    assert (there.exists("a/b"), there.exists("a/c"), there.exists("c/d")) == (True, False, False)
    for path in ("a/link/file", "a/b/link"):
        with pytest.raises(root.SymlinkInTree, match="is a symlink"):
            there.open(path)
    with pytest.raises(root.SymlinkInTree, match="is a symlink"):
        there.names("a/link")
    assert there.fingerprint("a/link/file") == ""


def test_a_root_keeps_few_directories_open_and_closes_them(tmp_path: Path) -> None:
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("needs /proc")
    disk = Filesystem(str(tmp_path))
    before = len(os.listdir("/proc/self/fd"))
    for number in range(200):
        disk.make_directory(f"a/{number}")
        os.close(disk.create(f"a/{number}/file"))
        assert len(os.listdir("/proc/self/fd")) <= before + 66
    disk.forget()
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_paths_of_every_host_can_be_in_a_manifest() -> None:
    from mkindex.hosts.table import HOSTS

    paths = sorted({path for host in HOSTS.values() for path in host.written_files})
    entries = [Entry("", Stage.ROOT, path, "", "", "") for path in paths]
    with scratch_directory() as path:
        forge_manifest(Path(path), *entries)
        with open(os.path.join(path, MANIFEST), "rb") as file:
            assert [
                entry for extent, lines in manifest.sections(file) for entry in manifest.decode("", lines)
            ] == entries
