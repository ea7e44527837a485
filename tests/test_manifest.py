"""The manifest and the intent file: their codec, damage, and the memory of a long-running process."""

from __future__ import annotations

import io
import os
import shutil
import signal
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mkindex.errors import DestinationError
from mkindex.publish import ownership as inventory
from mkindex.publish.directory import DirectoryDestination
from mkindex.publish.filesystem import Filesystem
from mkindex.publish.ownership import TrustedManifest
from mkindex.publish.plan import Plan
from mkindex.tree import manifest
from mkindex.tree.manifest import Entry, Position, Stage
from support.builds import cold_build, publish
from support.publishing import MTIME, change_source, expected_entries, flip_bit, held_entries, list_resources, make_plan
from support.trees import OWN_DIRECTORY, file_identities, own_files, read_tree
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable


FILES = f"files/aa/{'b' * 62}"


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A source: two projects, two wheels and an sdist."""
    source = tmp_path / "wheels"
    source.mkdir()
    write_wheel(source, "demo", "1.0", mtime=MTIME)
    write_wheel(source, "demo", "2.0+cpu", mtime=MTIME)
    write_sdist(source, "other", "1.0", mtime=MTIME)
    return source


# --- what a process that stays knows ----------------------------------------------------------------------------------


def test_a_watch_trusts_a_long_manifest_until_another_process_writes_it(
    wheels: Path, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventory, "_LONG", 100)
    known = TrustedManifest()

    def there(known: TrustedManifest | None) -> list[bool]:
        with (
            ThreadPoolExecutor(1) as executor,
            DirectoryDestination(str(public), executor=executor, trusted=known) as destination,
        ):
            wanted = list_resources(wheels)
            destination.apply(make_plan(wanted, destination))
            (public / "404.html").write_text("other")
            assert [entry for entry, _ in held_entries(destination)] == [entry for entry, _ in expected_entries(wanted)]
            return sorted({intact for _, intact in held_entries(destination)})

    assert there(None) == [False, True]
    (public / "404.html").unlink()
    assert there(known) == [True]
    known.forget()
    with (
        ThreadPoolExecutor(1) as executor,
        DirectoryDestination(str(public), executor=executor, trusted=known) as destination,
    ):
        assert sorted({intact for _, intact in held_entries(destination)}) == [False, True]
    change_source(wheels)
    assert there(known) == [True]
    write_wheel(wheels, "another", "1.0")
    publish(wheels, public)
    with (
        ThreadPoolExecutor(1) as executor,
        DirectoryDestination(str(public), executor=executor, trusted=known) as destination,
    ):
        assert [entry for entry, _ in held_entries(destination)] == [
            entry for entry, _ in expected_entries(list_resources(wheels))
        ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_wait_while_pages_are_replaced(wheels: Path, public: Path, number: signal.Signals) -> None:
    class Interrupted(Filesystem):
        def replace(self, source: str, target: str) -> None:
            super().replace(source, target)
            if target.endswith("/index.html"):
                signal.raise_signal(number)

    before = signal.signal(number, signal.default_int_handler)
    try:
        wanted = list_resources(wheels)
        with (
            ThreadPoolExecutor(1) as executor,
            DirectoryDestination(str(public), executor=executor, disk=Interrupted(str(public))) as there,
        ):
            with pytest.raises(KeyboardInterrupt):
                there.apply(make_plan(wanted, there))
            assert signal.getsignal(number) is signal.default_int_handler
            assert held_entries(there) == expected_entries(wanted)
    finally:
        signal.signal(number, before)
    assert own_files(public) == {"manifest"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("what", ["tmp/", "intent", ".mkindex"])
def test_signals_wait_while_prepared_files_are_withdrawn(
    wheels: Path, public: Path, number: signal.Signals, what: str
) -> None:
    class Interrupted(Filesystem):
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
            DirectoryDestination(str(public), executor=executor, disk=Interrupted(str(public))) as there,
        ):
            there.apply(make_plan(list_resources(wheels), there), not_ready)
    finally:
        signal.signal(number, before)
    assert not public.exists()


# --- what we know of it -----------------------------------------------------------------------------------------------


LOSSES: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda _: b"",
    "cut off": lambda data: data[: len(data) // 2],
    "without its end": lambda data: data[:-1],
    "flipped in its first line": lambda data: flip_bit(data, 3),
    "flipped in the middle": lambda data: flip_bit(data, len(data) // 2),
    "longer": lambda data: data + b"\n",
    "twice": lambda data: data + data,
    "binary": lambda _: bytes(range(256)),
}


def lose(public: Path, loss: str) -> None:
    path = public / OWN_DIRECTORY / "manifest"
    path.unlink() if loss == "lost" else path.write_bytes(LOSSES[loss](path.read_bytes()))


@pytest.mark.parametrize("loss", ["lost", *LOSSES])
def test_without_a_valid_manifest_identical_bytes_are_adopted(loss: str, wheels: Path, public: Path) -> None:
    publish(wheels, public)
    before = file_identities(public)
    lose(public, loss)
    report = publish(wheels, public)
    assert (report.written, report.plan.unchanged) == (0, len(before))
    assert file_identities(public) == before
    assert publish(wheels, public).plan == Plan(unchanged=len(before))


@pytest.mark.parametrize("loss", ["lost", *LOSSES])
def test_without_a_valid_manifest_other_bytes_need_overwrite(loss: str, wheels: Path, public: Path) -> None:
    publish(wheels, public)
    lose(public, loss)
    before = read_tree(public)
    write_wheel(wheels, "demo", "3.0", mtime=MTIME)
    with pytest.raises(DestinationError, match=r": simple/demo/index.html, simple/demo/index.v1_json\. Move"):
        publish(wheels, public)
    assert read_tree(public) == before
    publish(wheels, public, overwrite=True)
    assert read_tree(public) == cold_build(wheels)


def test_a_page_is_at_least_a_second_younger_than_the_page_it_replaces(wheels: Path, public: Path) -> None:
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
    replace = Filesystem.replace

    def watched(self: Filesystem, source: str, target: str) -> None:
        if os.path.exists(path := self.at(target)):
            links = list(Path("/proc/self/fd").iterdir())
            opened.extend(link for link in links if link.exists() and link.samefile(path))
        replace(self, source, target)

    monkeypatch.setattr(Filesystem, "replace", watched)
    publish(wheels, public)
    assert opened == []


def read_manifest(data: bytes) -> list[Entry]:
    return [
        entry for extent, lines in manifest.sections(io.BytesIO(data)) for entry in manifest.decode(extent.name, lines)
    ]


def test_a_manifest_reads_back_and_no_flipped_bit_or_lost_end_goes_unseen() -> None:
    entries = [
        Entry("", 3, "index.html", "", "", ""),
        Entry("b-c", 0, f"{FILES}/b+c-1.0.tar.gz", "a" * 64, "a" * 64, "1 2 3 4"),
        Entry("demo", 2, "simple/demo/index.html", "key", "b" * 64, "1 2 3 4", 77),
    ]
    data = b"".join(manifest.encode((entry.position, entry) for entry in entries))
    assert read_manifest(data) == entries
    damaged = [flip_bit(data, at) for at in range(len(data))] + [data[:length] for length in range(len(data))]
    for each in damaged:
        with pytest.raises(manifest.DamagedManifest):
            read_manifest(each)


LINE = f"0\t{FILES}/a\t=\tb\t1 2 3 4\t\n".encode()
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
    "a path of its own": b"[]\n" + LINE.replace(FILES.encode() + b"/a", b".mkindex/manifest"),
    "a path that is none": b"[]\n" + LINE.replace(b"/a", b"/\0"),
}


def sealed(lines: bytes) -> bytes:
    data = b"mkindex manifest 2\n" + lines
    return data + b"end %08x\n" % zlib.crc32(data)


@pytest.mark.parametrize("lines", HOSTILE.values(), ids=HOSTILE)
def test_a_manifest_that_mkindex_would_not_write_is_damaged(lines: bytes, wheels: Path, public: Path) -> None:
    assert read_manifest(sealed(b"[]\n" + LINE)) == [Entry("", 0, f"{FILES}/a", "b", "b", "1 2 3 4")]
    with pytest.raises(manifest.DamagedManifest):
        read_manifest(sealed(lines))
    publish(wheels, public)
    (public / OWN_DIRECTORY / "manifest").write_bytes(sealed(lines))
    publish(wheels, public, overwrite=True)
    assert (read_tree(public), own_files(public)) == (cold_build(wheels), {"manifest"})


@pytest.mark.parametrize("line", [LINE.replace(b"1 2 3 4", b"1 x"), LINE.replace(b"0\t", b"x\t"), LINE[:-1] + b"x\n"])
def test_a_manifest_with_values_that_mkindex_would_not_write_does_not_stop_a_build(
    line: bytes, wheels: Path, public: Path
) -> None:
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
    st.sampled_from([(Stage.FILE, f"{FILES}/"), (Stage.PROJECT, ""), (Stage.ROOT, "a/")]),
    st.sampled_from([a + b for a in ("a", "a-b", "a.b", "b") for b in ("", "-", "x", ".y")]),
).map(lambda drawn: (drawn[0], drawn[1][0], drawn[1][1] + drawn[2]))


@given(
    before=st.dictionaries(_POSITIONS, st.booleans()),
    changes=st.dictionaries(_POSITIONS, st.booleans()),
    length=st.sampled_from([2, 100, 1 << 18]),
)
def test_a_changed_manifest_is_the_same_as_one_written_from_nothing(
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
def test_a_damaged_intent_does_not_stop_a_build(intent: bytes, wheels: Path, public: Path) -> None:
    publish(wheels, public)
    (public / OWN_DIRECTORY / "intent").write_bytes(intent)
    publish(wheels, public)
    assert (read_tree(public), own_files(public)) == (cold_build(wheels), {"manifest"})


def test_no_path_of_the_machine_is_in_the_state_directory(wheels: Path, public: Path) -> None:
    publish(wheels, public, link_mode="hardlink")
    assert own_files(public) == {"manifest"}
    assert str(public.parent).encode() not in (public / OWN_DIRECTORY / "manifest").read_bytes()
