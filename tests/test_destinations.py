"""Every destination holds what it was given; a directory shares itself with others, and survives them."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import itertools
import os
import shutil
import signal
import subprocess
import sys
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mkindex.destinations import directory, inventory, manifest
from mkindex.destinations.directory import Directory
from mkindex.destinations.disk import Disk
from mkindex.destinations.inventory import Known
from mkindex.destinations.lock import exclusive
from mkindex.destinations.memory import Memory
from mkindex.errors import DestinationError, NotPublished
from mkindex.publish import Changed, Destination, Entry, Plan, Position, plan
from mkindex.render import PlacedFile, Resource, Sibling, Site, Stage
from mkindex.templating import Templates
from support.builds import cold_build, publish, write_files
from support.index_values import group_sections, render_resources
from support.trees import OWN_DIRECTORY, file_identities, find_broken_links, is_page, own_files, read_tree
from support.wheels import sdist, wheel, write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mkindex.build import Report

MTIME = 1_700_000_000
SITE = Site(templates=Templates())


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A source: two projects, two wheels and an sdist."""
    source = tmp_path / "wheels"
    source.mkdir()
    write_wheel(source, "demo", "1.0", mtime=MTIME)
    write_wheel(source, "demo", "2.0+cpu", mtime=MTIME)
    write_sdist(source, "other", "1.0", mtime=MTIME)
    return source


@pytest.fixture
def public(tmp_path: Path) -> Path:
    return tmp_path / "public"


def resources(source: Path, site: Site = SITE) -> list[Resource]:
    return render_resources(publish(source, source.parent / "nowhere", dry_run=True).index, site)


def change(source: Path) -> None:
    """Add a wheel, give another other bytes, and remove the sdist."""
    write_wheel(source, "added", "1.0", mtime=MTIME)
    (source / "demo-1.0-py3-none-any.whl").unlink()  # another file, not the linked one written to
    write_wheel(source, "demo", "1.0", mtime=MTIME, summary="other bytes")
    (source / "other-1.0.tar.gz").unlink()


# --- what a process that stays knows --------------------------------------------------------------------------------


def test_a_long_manifest_that_it_wrote_is_believed_until_another_writes_it(
    wheels: Path, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventory, "_LONG", 100)
    known = Known()

    def there(known: Known | None) -> list[bool]:
        with ThreadPoolExecutor(1) as executor, Directory(str(public), executor=executor, known=known) as destination:
            wanted = resources(wheels)
            destination.apply(planned(wanted, destination))
            (public / "404.html").write_text("other")
            assert [entry for entry, _ in held(destination)] == [entry for entry, _ in whole(wanted)]
            return sorted({intact for _, intact in held(destination)})

    assert there(None) == [False, True]
    (public / "404.html").unlink()
    assert there(known) == [True]
    known.forget()
    with ThreadPoolExecutor(1) as executor, Directory(str(public), executor=executor, known=known) as destination:
        assert sorted({intact for _, intact in held(destination)}) == [False, True]
    change(wheels)
    assert there(known) == [True]
    write_wheel(wheels, "another", "1.0")
    publish(wheels, public)
    with ThreadPoolExecutor(1) as executor, Directory(str(public), executor=executor, known=known) as destination:
        assert [entry for entry, _ in held(destination)] == [entry for entry, _ in whole(resources(wheels))]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_wait_while_pages_are_replaced(wheels: Path, public: Path, number: signal.Signals) -> None:
    class Interrupted(Disk):
        def replace(self, source: str, target: str) -> None:
            super().replace(source, target)
            if target.endswith("/index.html"):
                signal.raise_signal(number)

    before = signal.signal(number, signal.default_int_handler)
    try:
        wanted = resources(wheels)
        with ThreadPoolExecutor(1) as executor, Directory(str(public), executor=executor, disk=Interrupted()) as there:
            with pytest.raises(KeyboardInterrupt):
                there.apply(planned(wanted, there))
            assert signal.getsignal(number) is signal.default_int_handler
            assert held(there) == whole(wanted)
    finally:
        signal.signal(number, before)
    assert own_files(public) == {"manifest"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("what", ["tmp/", "intent", ".mkindex"])
def test_signals_wait_while_what_was_prepared_is_withdrawn(
    wheels: Path, public: Path, number: signal.Signals, what: str
) -> None:
    class Interrupted(Disk):
        def unlink(self, path: str) -> None:
            if what in path:
                signal.raise_signal(number)
            super().unlink(path)

        def remove_directory(self, path: str) -> None:
            if path.endswith(what):
                signal.raise_signal(number)
            super().remove_directory(path)

    def not_ready() -> None:
        raise TimeoutError

    before = signal.signal(number, signal.default_int_handler)
    try:
        with (
            pytest.raises(KeyboardInterrupt),
            ThreadPoolExecutor(1) as executor,
            Directory(str(public), executor=executor, disk=Interrupted()) as there,
        ):
            there.apply(planned(resources(wheels), there), not_ready)
    finally:
        signal.signal(number, before)
    assert not public.exists()


# --- the contract ---------------------------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "copy", "hardlink"])
def destination(request: pytest.FixtureRequest, public: Path) -> Iterator[Destination]:
    if request.param == "memory":
        yield Memory(read)
        return
    with (
        ThreadPoolExecutor(2) as executor,
        Directory(str(public), executor=executor, hardlink=request.param == "hardlink") as there,
    ):
        yield there


def read(resource: PlacedFile | Sibling) -> bytes:
    path = Path(resource.file.local.path)
    if isinstance(resource, PlacedFile):
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith("/METADATA")))


def content(resource: Resource) -> bytes:
    return read(resource) if isinstance(resource, PlacedFile | Sibling) else resource.render()


def planned(wanted: list[Resource], there: Destination, *, now: int = 0, grace: int = 0) -> Plan:
    return plan(group_sections(wanted), there, now=now, grace=grace)


def held(there: Destination) -> list[tuple[Entry, bool]]:
    found = (held for section in there.sections() for held in section.held())
    return [(held.entry._replace(mark=""), held.intact) for held in found]


def whole(wanted: list[Resource]) -> list[tuple[Entry, bool]]:
    hashes = [hashlib.sha256(content(each)).hexdigest() for each in wanted]
    return sorted((Entry.of(each, sha), True) for each, sha in zip(wanted, hashes, strict=True))


def test_a_destination_holds_exactly_what_was_applied(destination: Destination, wheels: Path) -> None:
    wanted = resources(wheels)
    applied = destination.apply(planned(wanted, destination))
    assert applied.written == len(wanted)
    assert held(destination) == whole(wanted)
    assert {each.path: destination.digest(each.path) for each in wanted} == {
        each.path: hashlib.sha256(content(each)).hexdigest() for each in wanted
    }
    assert destination.digest("simple/nothing.html") is None


def test_what_is_not_ready_is_not_applied(destination: Destination, wheels: Path) -> None:
    class NotReady(Exception):
        pass

    def never() -> None:
        raise NotReady

    wanted = resources(wheels)
    with pytest.raises(NotReady):
        destination.apply(planned(wanted, destination), never)
    assert held(destination) == []
    wanted = resources(wheels)  # a hard link, though withdrawn, has changed the change time
    destination.apply(planned(wanted, destination))
    before = whole(wanted)
    change(wheels)
    with pytest.raises(NotReady):
        destination.apply(planned(resources(wheels), destination), never)
    with pytest.raises(NotReady):
        destination.apply(Plan(), never)
    assert [entry for entry, _ in held(destination)] == [entry for entry, _ in before]
    destination.apply(planned(resources(wheels), destination))
    assert held(destination) == whole(resources(wheels))


def test_applying_what_is_there_changes_nothing(destination: Destination, wheels: Path) -> None:
    wanted = resources(wheels)
    destination.apply(planned(wanted, destination))
    again = planned(wanted, destination)
    assert again == Plan(unchanged=len(wanted))
    assert destination.apply(again).written == 0
    assert held(destination) == whole(wanted)


def test_a_destination_holds_what_was_applied_last(destination: Destination, wheels: Path) -> None:
    destination.apply(planned(before := resources(wheels), destination))
    change(wheels)
    destination.apply(planned(after := resources(wheels), destination))
    assert held(destination) == whole(after)
    gone = {each.path for each in before} - {each.path for each in after}
    assert [destination.digest(path) for path in sorted(gone)] == [None] * len(gone)


def test_a_destination_remembers_what_is_retired_and_since_when(destination: Destination, wheels: Path) -> None:
    destination.apply(planned(before := resources(wheels), destination))
    all_there = whole(before)
    (retired,) = (entry._replace(retired=77) for entry, _ in all_there if entry.path.endswith(".tar.gz"))
    (wheels / "other-1.0.tar.gz").unlink()
    destination.apply(planned(after := resources(wheels), destination, now=77, grace=5))
    assert [entry for entry, _ in held(destination)] == sorted([*(entry for entry, _ in whole(after)), retired])
    write_sdist(wheels, "other", "1.0", mtime=MTIME)
    destination.apply(planned(resources(wheels), destination, now=78, grace=5))
    assert held(destination) == all_there


@pytest.mark.parametrize("paths", [("", "simple"), ("simple", "")])
def test_a_page_of_a_project_and_the_root_page_can_change_places(
    destination: Destination, wheels: Path, paths: tuple[str, str]
) -> None:
    write_wheel(wheels, "simple", "1.0", mtime=MTIME)
    for path in paths:
        wanted = resources(wheels, replace(SITE, simple_path=path))
        destination.apply(planned(wanted, destination))
        assert held(destination) == whole(wanted)


@pytest.mark.parametrize("gone", [False, True])
def test_a_destination_takes_no_file_that_is_not_what_was_scanned(
    destination: Destination, wheels: Path, gone: bool
) -> None:
    destination.apply(planned(before := resources(wheels), destination))
    pages = whole(before)
    new = write_wheel(wheels, "new", "1.0", mtime=MTIME)
    wanted = resources(wheels)
    if gone and not isinstance(destination, Memory):
        new.unlink()
    else:
        new.write_bytes(wheel("new", "1.0", summary="not what was scanned"))
    with pytest.raises(Changed, match=r"new-1.0-py3-none-any.whl changes while it is read"):
        destination.apply(planned(wanted, destination))
    assert held(destination) == pages
    assert [destination.digest(each.path) for each in wanted if "new-1.0" in each.path] == [None, None]


# --- what somebody else has there -----------------------------------------------------------------------------------

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


def test_files_of_somebody_else_stay_as_they_are(wheels: Path, public: Path) -> None:
    write_files(public, FOREIGN.items())
    before = file_identities(public)
    for alter in (lambda _: None, change, lambda source: (source / "added-1.0-py3-none-any.whl").unlink()):
        alter(wheels)
        publish(wheels, public)
        assert read_tree(public) == FOREIGN | cold_build(wheels)
    assert file_identities(public).items() >= before.items()


def test_a_landing_page_of_the_users_own_is_left_and_told(wheels: Path, public: Path) -> None:
    write_files(public, [("index.html", b"mine"), ("404.html", b"mine")])
    for _ in range(2):
        report = publish(wheels, public)
        assert [(note.location, note.text) for note in notes(report)] == [
            ("404.html", "a page of your own, left as it is (--overwrite replaces it)"),
            ("index.html", "a page of your own, left as it is (--overwrite replaces it)"),
        ]
        assert read_tree(public) == cold_build(wheels) | {"index.html": b"mine", "404.html": b"mine"}
    publish(wheels, public, overwrite=True)
    assert read_tree(public) == cold_build(wheels)


def notes(report: Report) -> list[Any]:
    return [finding for finding in report.findings if finding not in report.rejected]


def test_a_page_in_the_way_stops_the_build_unless_it_may_be_overwritten(wheels: Path, public: Path) -> None:
    for path in cold_build(wheels):
        if path in ("index.html", "404.html", ".nojekyll"):
            continue
        write_files(public, [(path, b"theirs")])
        with pytest.raises(DestinationError, match=f"^in the way, .*: {path.replace('+', '.')}. Move it away"):
            publish(wheels, public)
        assert (read_tree(public), own_files(public)) == ({path: b"theirs"}, set())
        publish(wheels, public, overwrite=True)
        assert read_tree(public) == cold_build(wheels)
        shutil.rmtree(public)


def test_the_same_bytes_of_somebody_else_are_adopted_where_they_lie(wheels: Path, public: Path) -> None:
    write_files(public, cold_build(wheels).items())
    before = file_identities(public)
    report = publish(wheels, public)
    assert (report.written, report.plan.unchanged) == (0, len(before))
    assert file_identities(public) == before
    assert publish(wheels, public).plan == Plan(unchanged=len(before))


@pytest.mark.parametrize("path", ["simple/demo/index.html", "index.html"])
def test_a_directory_where_a_file_belongs_stops_the_build(path: str, wheels: Path, public: Path) -> None:
    write_files(public, [(f"{path}/theirs", b"theirs")])
    for overwrite in (False, True):
        with pytest.raises(DestinationError, match=f"{path} is a directory where a file belongs: move it away"):
            publish(wheels, public, overwrite=overwrite)
        assert read_tree(public) == {f"{path}/theirs": b"theirs"}


@pytest.mark.parametrize("path", ["simple", "simple/demo", "files"])
def test_a_file_where_a_directory_belongs_stops_the_build(path: str, wheels: Path, public: Path) -> None:
    write_files(public, [(path, b"theirs")])
    for overwrite in (False, True):
        with pytest.raises(DestinationError, match=f"{path}.*a file stands where a directory belongs: move it away"):
            publish(wheels, public, overwrite=overwrite)
        assert read_tree(public) == {path: b"theirs"}


def test_a_symlink_in_the_way_is_not_followed(wheels: Path, public: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").write_bytes(cold_build(wheels)["simple/index.html"])
    (public / "simple").mkdir(parents=True)
    (public / "simple/index.html").symlink_to(tmp_path / "theirs")
    with pytest.raises(DestinationError, match=r"^in the way, .*: simple/index.html\."):
        publish(wheels, public)
    publish(wheels, public, overwrite=True)
    assert read_tree(public) == cold_build(wheels)
    assert (tmp_path / "theirs").read_bytes() == cold_build(wheels)["simple/index.html"]


# --- what we know of it ---------------------------------------------------------------------------------------------


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


LOSSES: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda _: b"",
    "cut off": lambda data: data[: len(data) // 2],
    "without its end": lambda data: data[:-1],
    "flipped in its first line": lambda data: flipped(data, 3),
    "flipped in the middle": lambda data: flipped(data, len(data) // 2),
    "longer": lambda data: data + b"\n",
    "twice": lambda data: data + data,
    "binary": lambda _: bytes(range(256)),
}


def lose(public: Path, loss: str) -> None:
    path = public / OWN_DIRECTORY / "manifest"
    path.unlink() if loss == "lost" else path.write_bytes(LOSSES[loss](path.read_bytes()))


@pytest.mark.parametrize("loss", ["lost", *LOSSES])
def test_without_a_sound_manifest_identical_bytes_are_adopted(loss: str, wheels: Path, public: Path) -> None:
    publish(wheels, public)
    before = file_identities(public)
    lose(public, loss)
    report = publish(wheels, public)
    assert (report.written, report.plan.unchanged) == (0, len(before))
    assert file_identities(public) == before
    assert publish(wheels, public).plan == Plan(unchanged=len(before))


@pytest.mark.parametrize("loss", ["lost", *LOSSES])
def test_without_a_sound_manifest_other_bytes_need_overwrite(loss: str, wheels: Path, public: Path) -> None:
    publish(wheels, public)
    lose(public, loss)
    before = read_tree(public)
    write_wheel(wheels, "demo", "3.0", mtime=MTIME)
    with pytest.raises(DestinationError, match=r": simple/demo/index.html, simple/demo/index.v1_json\. Move"):
        publish(wheels, public)
    assert read_tree(public) == before
    publish(wheels, public, overwrite=True)
    assert read_tree(public) == cold_build(wheels)


def test_a_page_that_replaces_another_is_younger_by_a_second_for_readers_who_see_whole_seconds(
    wheels: Path, public: Path
) -> None:
    page = public / "simple/demo/index.html"
    seconds = []
    for number in range(3):
        write_wheel(wheels, "demo", "3.0", mtime=MTIME, summary=f"bytes {number}")
        publish(wheels, public)
        seconds.append(page.stat().st_mtime_ns // 1_000_000_000)
    assert seconds == sorted(set(seconds))
    assert read_tree(public) == cold_build(wheels)


def test_the_old_manifest_is_closed_when_the_new_one_takes_its_place(
    wheels: Path, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(wheels, public)
    write_wheel(wheels, "demo", "3.0", mtime=MTIME)
    opened: list[Path] = []
    replace = os.replace

    def watched(source: str, target: str) -> None:
        if os.path.exists(target):
            links = list(Path("/proc/self/fd").iterdir())
            opened.extend(link for link in links if link.exists() and link.samefile(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    publish(wheels, public)
    assert opened == []


def read_manifest(data: bytes) -> list[Entry]:
    return [
        entry for extent, lines in manifest.sections(io.BytesIO(data)) for entry in manifest.decode(extent.name, lines)
    ]


def test_a_manifest_reads_back_and_no_flipped_bit_or_lost_end_goes_unseen() -> None:
    entries = [
        Entry("", 3, "index.html", "", "", ""),
        Entry("b-c", 0, "files/aa/b+c-1.0.tar.gz", "a" * 64, "a" * 64, "1 2 3 4"),
        Entry("demo", 2, "simple/demo/index.html", "key", "b" * 64, "1 2 3 4", 77),
    ]
    data = b"".join(manifest.encode((entry.position, entry) for entry in entries))
    assert read_manifest(data) == entries
    damaged = [flipped(data, at) for at in range(len(data))] + [data[:length] for length in range(len(data))]
    for each in damaged:
        with pytest.raises(manifest.Damaged):
            read_manifest(each)


LINE = b"0\tfiles/a\t=\tb\t1 2 3 4\t\n"
HOSTILE = {
    "a line below no heading": LINE + b"[]\n",
    "no heading": LINE,
    "a heading that is none": b"[a\n" + LINE,
    "a name that no project has": "[ä]\n".encode() + LINE,
    "two sections of one name": b"[a]\n" + LINE + b"[a]\n" + LINE,
    "sections in another order": b"[a]\n" + LINE + b"[]\n" + LINE,
    "lines in another order": b"[]\n" + LINE.replace(b"/a", b"/b") + LINE,
    "a field too many": b"[]\n" + LINE.replace(b"=", b"=\t"),
    "other than ASCII": b"[]\n" + LINE.replace(b"/a", "/ä".encode()),
    "a way out": b"[]\n" + LINE.replace(b"/a", b"/../../a"),
    "a path of its own": b"[]\n" + LINE.replace(b"files/a", b".mkindex/manifest"),
    "a path that is none": b"[]\n" + LINE.replace(b"/a", b"/\0"),
}


def sealed(lines: bytes) -> bytes:
    data = b"mkindex manifest 2\n" + lines
    return data + b"end %08x\n" % zlib.crc32(data)


@pytest.mark.parametrize("lines", HOSTILE.values(), ids=HOSTILE)
def test_a_manifest_that_says_what_none_of_ours_says_is_a_damaged_one(lines: bytes, wheels: Path, public: Path) -> None:
    assert read_manifest(sealed(b"[]\n" + LINE)) == [Entry("", 0, "files/a", "b", "b", "1 2 3 4")]
    with pytest.raises(manifest.Damaged):
        read_manifest(sealed(lines))
    publish(wheels, public)
    (public / OWN_DIRECTORY / "manifest").write_bytes(sealed(lines))
    publish(wheels, public, overwrite=True)
    assert (read_tree(public), own_files(public)) == (cold_build(wheels), {"manifest"})


@pytest.mark.parametrize("line", [LINE.replace(b"1 2 3 4", b"1 x"), LINE.replace(b"0\t", b"x\t"), LINE[:-1] + b"x\n"])
def test_a_manifest_with_values_that_none_of_ours_has_stops_nobody(line: bytes, wheels: Path, public: Path) -> None:
    write_wheel(wheels, "large", "1.0", files={"x": os.urandom(2 << 20)})
    for lines in (b"[]\n" + line, b"[]\n3\tindex.html\tkey\tsha\tx\t\n[large]\n" + line):
        shutil.rmtree(public, ignore_errors=True)
        (public / OWN_DIRECTORY).mkdir(parents=True)
        (public / "index.html").write_text("other")
        (public / OWN_DIRECTORY / "manifest").write_bytes(sealed(lines))
        publish(wheels, public, overwrite=True)
        assert (read_tree(public), own_files(public)) == (cold_build(wheels), {"manifest"})


_POSITIONS = st.tuples(
    st.sampled_from(["", "demo", "e"]),
    st.sampled_from(Stage),
    st.sampled_from([a + b for a in ("a", "a-b", "a/", "b") for b in ("", "+", "x", "/y")]),
)


@given(
    before=st.dictionaries(_POSITIONS, st.booleans()),
    changes=st.dictionaries(_POSITIONS, st.booleans()),
    length=st.sampled_from([2, 100, 1 << 18]),
)
def test_an_amended_manifest_is_the_one_that_would_have_been_written_from_nothing(
    before: dict[Position, bool], changes: dict[Position, bool], length: int
) -> None:
    old: dict[Position, Entry | None] = {
        place: Entry(*place, "old", "b" * 64, "1 2 3 4", 7 if retired else None) for place, retired in before.items()
    }
    new = {place: Entry(*place, "new", "", "") if stays else None for place, stays in changes.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest, "_PART", length)
        first = b"".join(manifest.encode(sorted(old.items())))
        extents = [extent for extent, _ in manifest.sections(io.BytesIO(first))]
        amended = b"".join(manifest.encode(sorted(new.items()), io.BytesIO(first), extents))
        whole = b"".join(manifest.encode((place, entry) for place, entry in sorted((old | new).items()) if entry))
    assert amended == whole


@pytest.mark.parametrize(
    "intent", [b"", b"mkindex intent 2\ndemo\t2\tsimple", b"mkindex intent 2\nx\n", bytes(range(256))]
)
def test_a_damaged_intent_stops_nobody(intent: bytes, wheels: Path, public: Path) -> None:
    publish(wheels, public)
    (public / OWN_DIRECTORY / "intent").write_bytes(intent)
    publish(wheels, public)
    assert (read_tree(public), own_files(public)) == (cold_build(wheels), {"manifest"})


def test_no_path_of_the_machine_is_in_what_we_keep(wheels: Path, public: Path) -> None:
    publish(wheels, public, link_mode="hardlink")
    assert own_files(public) == {"manifest"}
    assert str(public.parent).encode() not in (public / OWN_DIRECTORY / "manifest").read_bytes()


# --- damage ---------------------------------------------------------------------------------------------------------


def _edit(path: Path) -> None:
    path.write_bytes(flipped(path.read_bytes() or b"x", 0))


def _exchange(path: Path) -> None:
    other = path.with_name(".exchange")
    other.write_bytes(flipped(path.read_bytes() or b"x", 0))
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


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_somebody_did_to_one_of_our_files_is_put_right(damage: str, wheels: Path, public: Path) -> None:
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


@pytest.mark.parametrize("path", ["simple", "simple/demo", "files", "."])
def test_a_directory_of_ours_that_somebody_deleted_is_made_again(path: str, wheels: Path, public: Path) -> None:
    publish(wheels, public)
    shutil.rmtree(public / path)
    publish(wheels, public)
    assert read_tree(public) == cold_build(wheels)


def test_one_of_our_files_that_became_a_symlink_is_a_file_again_and_its_target_is_not_touched(
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


def test_a_symlink_to_itself_in_place_of_a_directory_of_ours_is_an_error_that_names_it(
    wheels: Path, public: Path
) -> None:
    publish(wheels, public)
    shutil.rmtree(public / "simple/demo")
    (public / "simple/demo").symlink_to("demo")
    with pytest.raises(DestinationError, match="simple/demo"):
        publish(wheels, public)


def test_what_is_gone_already_need_not_be_removed(wheels: Path, public: Path) -> None:
    publish(wheels, public)
    (wheels / "other-1.0.tar.gz").unlink()
    shutil.rmtree(public / "simple/other")
    (public / "simple/other").write_bytes(b"theirs")
    publish(wheels, public)
    assert (read_tree(public), own_files(public)) == (cold_build(wheels) | {"simple/other": b"theirs"}, {"manifest"})


# --- unchanged pages, options ---------------------------------------------------------------------------------------


def test_a_build_touches_only_what_it_changes(wheels: Path, public: Path) -> None:
    publish(wheels, public)
    before = file_identities(public)
    write_wheel(wheels, "other", "2.0", mtime=MTIME)
    publish(wheels, public)
    touched = {path for path, identity in file_identities(public).items() if before.get(path) != identity}
    assert {path for path in touched if is_page(path)} == {
        "simple/other/index.html",
        "simple/other/index.v1_json",
        "index.html",
    }
    assert len(touched) == 5


SWITCHES: list[dict[str, Any]] = [
    {},
    {"simple_path": ""},
    {"simple_path": "a/b"},
    {"links": True},
    {"files_url": "https://files.example"},
    {"upload_time": "none"},
    {"link_mode": "hardlink"},
]


@pytest.mark.parametrize(("before", "after"), [*itertools.permutations(SWITCHES, 2)], ids=str)
def test_other_options_make_what_a_cold_build_makes_and_touch_no_page_that_stays(
    before: dict[str, Any], after: dict[str, Any], wheels: Path, public: Path
) -> None:
    publish(wheels, public, **before)
    old, identity = read_tree(public), file_identities(public)
    publish(wheels, public, **after)
    new = read_tree(public)
    assert new == cold_build(wheels, **after)
    same = {path for path in old if new.get(path) == old[path]}
    assert {path: file_identities(public)[path] for path in same} == {path: identity[path] for path in same}


def test_with_a_files_url_nothing_is_placed_and_what_was_is_retired(wheels: Path, public: Path) -> None:
    publish(wheels, public)
    before = read_tree(public)
    report = publish(wheels, public, files_url="https://files.example", grace=60)
    files = {path: data for path, data in before.items() if not is_page(path)}
    assert (report.plan.retired, len(report.plan.deletes)) == (len(files), 0)
    assert read_tree(public) == cold_build(wheels, files_url="https://files.example") | files


def test_a_retired_file_goes_after_its_grace(wheels: Path, public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(wheels, public)
    before = read_tree(public)
    change(wheels)
    kept = {path: data for path, data in before.items() if not is_page(path)} | cold_build(wheels)
    for now, expected in (1000, kept), (1599, kept), (1600, cold_build(wheels)):
        monkeypatch.setattr("time.time", lambda now=now: now)
        publish(wheels, public, grace=600)
        assert read_tree(public) == expected


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_the_umask_decides_who_may_read(umask: int, wheels: Path, public: Path) -> None:
    before = os.umask(umask)
    try:
        publish(wheels, public)
    finally:
        os.umask(before)
    for path in public.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o777 if path.is_dir() else 0o666) & ~umask, path


def test_hard_links_are_the_files_of_the_source_which_stays_as_it_is(wheels: Path, public: Path) -> None:
    before = {path.name: (path.read_bytes(), path.stat().st_ino, path.stat().st_mtime_ns) for path in wheels.iterdir()}
    publish(wheels, public, link_mode="hardlink")
    placed = [path for path in public.glob("files/*/*/*") if path.suffix != ".metadata"]
    assert {path.name: (path.read_bytes(), path.stat().st_ino, path.stat().st_mtime_ns) for path in placed} == before
    change(wheels)
    publish(wheels, public, link_mode="hardlink")
    assert read_tree(public) == cold_build(wheels)


def test_a_destination_may_be_a_symlink_to_a_directory(wheels: Path, public: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    public.symlink_to("elsewhere")
    publish(wheels, public)
    assert read_tree(tmp_path / "elsewhere") == cold_build(wheels)


# --- the disk, as it can be -----------------------------------------------------------------------------------------


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[Disk], None]:
    """Lets builds write to the disk given."""
    return lambda disk: monkeypatch.setattr(directory, "Disk", lambda: disk)


class Refusing(Disk):
    """A disk that makes no hard links, for this reason."""

    def __init__(self, reason: int) -> None:
        super().__init__()
        self.reason = reason

    def link(self, source: str, target: str) -> None:
        raise OSError(self.reason, os.strerror(self.reason), source, None, target)


@pytest.mark.parametrize("reason", [errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP])
def test_where_no_hard_link_can_be_made_the_error_says_what_to_do(
    reason: int, wheels: Path, public: Path, on_disk: Callable[[Disk], None]
) -> None:
    on_disk(Refusing(reason))
    with pytest.raises(DestinationError, match=r"\.(whl|tar\.gz).*--link-mode copy"):
        publish(wheels, public, link_mode="hardlink")
    assert not public.exists()


class Meddling(Disk):
    """A disk on which somebody meddles right before an operation: the first of its kind in each of the first runs."""

    def __init__(self, meddle: Callable[[], object], *, before: str, times: int) -> None:
        super().__init__()
        self.meddle, self.before, self.times = meddle, before, times

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401
        if name in ("create", "link", "sync") and name == self.before:
            return partial(self._meddled, super().__getattribute__(name))
        return super().__getattribute__(name)

    def _meddled(self, operation: Callable[..., object], *arguments: str) -> object:
        if self.times and f"{OWN_DIRECTORY}/" not in arguments[-1]:
            self.times -= 1
            self.meddle()
        return operation(*arguments)


def _rewrite(path: Path, counter: itertools.count[int]) -> None:
    path.write_bytes(wheel("demo", "1.0", summary=f"version {next(counter)}"))


def _put_another(path: Path, counter: itertools.count[int]) -> None:
    _rewrite(other := path.with_suffix(".new"), counter)
    other.replace(path)


def _remove(path: Path, counter: itertools.count[int]) -> None:
    path.unlink(missing_ok=True)


MEDDLING = {"rewritten": _rewrite, "replaced": _put_another, "removed": _remove}


@pytest.mark.parametrize("mode", [("copy", "create"), ("hardlink", "link")], ids=lambda mode: mode[0])
@pytest.mark.parametrize("meddling", MEDDLING)
def test_a_file_that_changes_between_scan_and_copy_is_read_again(
    meddling: str, mode: tuple[str, str], wheels: Path, public: Path, on_disk: Callable[[Disk], None]
) -> None:
    link_mode, operation = mode
    meddle = partial(MEDDLING[meddling], wheels / "demo-1.0-py3-none-any.whl", itertools.count())
    on_disk(Meddling(meddle, before=operation, times=2))
    options = {"link_mode": link_mode, "cache_dir": str(public.parent / "cache")}
    publish(wheels, public, **options)
    assert find_broken_links(read_tree(public)) == []
    publish(wheels, public, **options)
    assert (read_tree(public), own_files(public)) == (cold_build(wheels), {"manifest"})


@pytest.mark.parametrize("link_mode", ["copy", "hardlink"])
def test_a_file_that_keeps_changing_is_an_error_and_nothing_is_published(
    link_mode: str, wheels: Path, public: Path, on_disk: Callable[[Disk], None]
) -> None:
    meddle = partial(_rewrite, wheels / "demo-1.0-py3-none-any.whl", itertools.count())
    on_disk(Meddling(meddle, before="create" if link_mode == "copy" else "link", times=99))
    with pytest.raises(Changed, match=r"demo-1.0-py3-none-any.whl changes while it is read: wait until it is whole"):
        publish(wheels, public, link_mode=link_mode)
    assert not public.exists()


def test_a_hard_linked_file_that_is_written_to_before_it_is_published_is_put_right_by_the_next_build(
    wheels: Path, public: Path, on_disk: Callable[[Disk], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mkindex.cache.RACY_NS", 0)
    options = {"link_mode": "hardlink", "cache_dir": str(tmp_path / "cache")}
    publish(wheels, tmp_path / "other", cache_dir=options["cache_dir"])
    meddle = partial((wheels / "other-1.0.tar.gz").write_bytes, sdist("other", "1.0", summary="other bytes"))
    on_disk(Meddling(meddle, before="sync", times=1))
    publish(wheels, public, **options)
    publish(wheels, public, **options)
    assert read_tree(public) == cold_build(wheels)


# mkindex with several processes for a handful of sdists. Whenever one but the first is about to copy a file, somebody
# writes to it: to the time in its gzip header. Or only the first time.
IN_PROCESSES = """
import os, sys, time
from contextlib import suppress
from mkindex import fork
from mkindex.destinations import directory, disk

always, *arguments = sys.argv[1:]
fork._WORTH_IT = 1
first = os.getpid()

class Meddled(disk.Disk):
    def create(self, path):
        if os.getpid() == first:
            time.sleep(0.1)  # or it might be done before the others begin
        elif path.endswith(".tar.gz"):
            with suppress(FileNotFoundError):
                always == "always" or os.unlink(always)
                with open(os.path.join(arguments[-2], os.path.basename(path)), "r+b") as file:
                    file.seek(4)
                    file.write(os.urandom(4))
        return super().create(path)

directory.Disk = Meddled
from mkindex.cli import run
sys.exit(run(arguments))
"""


@pytest.mark.parametrize("always", [False, True])
def test_a_file_that_changes_while_several_processes_copy_is_noticed(
    always: bool, wheels: Path, public: Path, tmp_path: Path
) -> None:
    for number in range(12):
        write_sdist(wheels, f"more-{number}", "1.0", mtime=MTIME)
    (tmp_path / "flag").touch()
    arguments = ["always" if always else tmp_path / "flag", "--no-cache", "--jobs=4", wheels, public]
    done = subprocess.run([sys.executable, "-c", IN_PROCESSES, *arguments], capture_output=True, text=True, check=False)
    if always:
        assert (done.returncode, public.exists()) == (3, False)
        assert "tar.gz changes while it is read: wait until it is whole" in done.stderr
    else:
        assert (done.returncode, (tmp_path / "flag").exists()) == (0, False)
        assert (read_tree(public), own_files(public)) == (cold_build(wheels), {"manifest"})


def test_the_manifest_is_in_order_where_one_filename_is_the_beginning_of_another(wheels: Path, public: Path) -> None:
    (wheels / "demo-1.0-py3-none-any.whl.a.whl").write_bytes((wheels / "demo-1.0-py3-none-any.whl").read_bytes())
    for version in ("1.0", "2.0"):
        write_wheel(wheels, "zoo", version, mtime=MTIME)
        publish(wheels, public)
    assert read_tree(public) == cold_build(wheels)
    with (public / OWN_DIRECTORY / "manifest").open("rb") as file:
        assert [extent.name for extent, _ in manifest.sections(file)] == ["", "demo", "other", "zoo"]


# --- one at a time --------------------------------------------------------------------------------------------------


def test_a_second_writer_gives_up_after_a_while(wheels: Path, public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(wheels, public)
    before = read_tree(public)
    change(wheels)
    monkeypatch.setattr("mkindex.build.Directory", partial(Directory, patience=0.1))
    with (
        exclusive(str(public / OWN_DIRECTORY / "lock"), patience=0),
        pytest.raises(DestinationError, match=r"another mkindex has been writing there .*lock\): wait for it"),
    ):
        publish(wheels, public)
    assert read_tree(public) == before
    publish(wheels, public)
    assert read_tree(public) == cold_build(wheels)


def test_a_second_writer_waits_for_the_first(wheels: Path, public: Path) -> None:
    with ThreadPoolExecutor(1) as executor:
        with exclusive(str(public / OWN_DIRECTORY / "lock"), patience=0):
            second = executor.submit(publish, wheels, public)
            with pytest.raises(TimeoutError):
                second.result(0.3)
            assert read_tree(public) == {}
        second.result(10)
    assert read_tree(public) == cold_build(wheels)


HOLD = """
import sys, time
from mkindex.destinations.lock import exclusive
with exclusive(sys.argv[1], patience=0):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_whose_holder_was_killed_holds_nobody_up(
    wheels: Path, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = public / OWN_DIRECTORY / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, lock], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        monkeypatch.setattr("mkindex.build.Directory", partial(Directory, patience=0))
        with pytest.raises(DestinationError, match="another mkindex"):
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


# --- no trace -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("there", [None, {}, {"README": b"theirs"}], ids=["no directory", "an empty one", "theirs"])
@pytest.mark.parametrize("options", [{}, {"dry_run": True, "allow_empty": True}], ids=["nothing found", "a dry run"])
def test_a_run_that_publishes_nothing_leaves_no_trace(
    options: dict[str, bool], there: dict[str, bytes] | None, public: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    if there is not None:
        public.mkdir()
        write_files(public, there.items())
    with pytest.raises(NotPublished) if not options else contextlib.nullcontext():
        publish(tmp_path / "empty", public, **options)
    assert (sorted(os.listdir(public)) if public.exists() else None) == (None if there is None else sorted(there))


def test_a_run_that_publishes_nothing_leaves_no_directory_above_its_destination(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotPublished):
        publish(tmp_path / "empty", tmp_path / "a/b/public")
    assert not (tmp_path / "a").exists()


def test_a_dry_run_says_what_would_be_done_and_does_not_do_it(wheels: Path, public: Path) -> None:
    publish(wheels, public)
    before, kept = file_identities(public), file_identities(public / OWN_DIRECTORY)
    change(wheels)
    dry = publish(wheels, public, dry_run=True)
    assert (file_identities(public), file_identities(public / OWN_DIRECTORY)) == (before, kept)
    wet = publish(wheels, public)
    assert [put.resource.path for put in dry.plan.puts] == [put.resource.path for put in wet.plan.puts]
    assert dry.plan.deletes == wet.plan.deletes


@pytest.mark.parametrize("which", ["manifest", "intent"])
def test_a_manifest_or_intent_from_somebody_else_deletes_nothing_outside_of_the_tree(
    wheels: Path, public: Path, which: str
) -> None:
    mine = public.parent / "mine"
    mine.write_text("mine")
    publish(wheels, public)
    if which == "manifest":
        hostile = Entry("demo", 2, "simple/../../mine", "key", "sha", "mark")
        parts = manifest.encode([(hostile.position, hostile)])
    else:
        parts = manifest.encode_intent([("demo", 2, "../mine")])
    (public / ".mkindex" / which).write_bytes(b"".join(parts))
    publish(wheels, public, overwrite=True)
    assert (mine.read_text(), read_tree(public)) == ("mine", cold_build(wheels))
