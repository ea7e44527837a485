"""An artifact becomes a File with the facts that its name and its bytes agree on, or a rejection that says why."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import struct
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from mkindex import parallel
from mkindex.cache import Cache
from mkindex.distributions import tarballs as tarball
from mkindex.distributions import zips as archive
from mkindex.errors import DestinationError, Rejected
from mkindex.examine import local as scan
from mkindex.examine.local import examine
from mkindex.model.files import CHUNK, Artifact, Facts, File, format_upload_time
from support.examined import MTIME, UPLOADED, WHEEL, artifact, result, scanned, written
from support.wheels import metadata, sdist, wheel, write_sdist, write_wheel

if TYPE_CHECKING:
    import io
    from pathlib import Path

    from mkindex.distributions.zip_directory import ReadAt


# --- files ----------------------------------------------------------------------------------------------------------


def test_a_wheel_and_an_sdist_become_files_with_all_their_facts(tmp_path: Path) -> None:
    paths = [
        write_wheel(tmp_path, "Foo.Bar", "1.0", requires_python=">=3.9", mtime=MTIME),
        write_sdist(tmp_path, "foo", "1!2.0rc1", requires_python="~= 3.9", mtime=MTIME),
    ]
    raw = metadata("Foo.Bar", "1.0", requires_python=">=3.9")
    start = paths[0].read_bytes().index(raw)
    assert scanned(*paths) == [
        File(
            artifact(paths[0]),
            Facts(
                project="foo-bar",
                version="1.0",
                sha256=hashlib.sha256(paths[0].read_bytes()).hexdigest(),
                requires_python=">=3.9",
                core_metadata=hashlib.sha256(raw).hexdigest(),
                metadata_span=f"{start} {len(raw)} {len(raw)} 0",
                upload_time=UPLOADED,
                metadata_name="Foo.Bar",
            ),
            "foo_bar-1.0-py3-none-any.whl",
        ),
        File(
            artifact(paths[1]),
            Facts(
                project="foo",
                version="1!2.0rc1",
                sha256=hashlib.sha256(paths[1].read_bytes()).hexdigest(),
                requires_python="~= 3.9",
                upload_time=UPLOADED,
            ),
            "foo-1!2.0rc1.tar.gz",
        ),
    ]


def test_outcomes_are_in_the_order_of_the_artifacts_whatever_their_size(tmp_path: Path) -> None:
    large = {"foo/data": bytes(2 * CHUNK)}
    paths = [
        write_wheel(tmp_path, "foo", f"{n}.0", files=large if n % 2 else None)
        if n % 3
        else written(tmp_path / f"{n}.whl", b"")
        for n in range(12)
    ]
    assert [
        os.path.basename(outcome.location) if isinstance(outcome, Rejected) else outcome.filename
        for outcome in scanned(*paths)
    ] == [path.name for path in paths]


def test_a_large_file_is_hashed_by_the_given_hasher_from_its_start(tmp_path: Path) -> None:
    large = write_wheel(tmp_path, "large", "1.0", files={"foo/data": bytes(2 * CHUNK)})
    small = write_wheel(tmp_path, "small", "1.0")
    told: list[tuple[str, bytes]] = []

    def hasher(artifact: Artifact, stream: io.FileIO) -> str:
        told.append((artifact.path, stream.read()))
        return "told"

    facts = [examine(artifact(path), hasher).result for path in (large, small)]
    assert [one.sha256 for one in facts if isinstance(one, Facts)] == [
        "told",
        hashlib.sha256(small.read_bytes()).hexdigest(),
    ]
    assert told == [(str(large), large.read_bytes())]


def test_a_hasher_may_reject_a_file_that_cannot_be_read_or_end_the_scan(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "large", "1.0", files={"foo/data": bytes(2 * CHUNK)})
    errors: list[Exception] = [OSError(errno.EIO, "broken"), DestinationError("full")]

    def hasher(artifact: Artifact, stream: io.FileIO) -> str:
        raise errors.pop(0)

    assert examine(artifact(path), hasher) == scan.Examined(None, "cannot be read: broken")
    with pytest.raises(DestinationError, match="full"):
        examine(artifact(path), hasher)


@pytest.mark.parametrize(
    "content", [wheel("foo", "1.0"), wheel("foo", "1.0", compressed=True), b"", b"x", wheel("f", "1")]
)
def test_a_file_read_in_pieces_has_the_same_facts_as_one_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    whole = result(tmp_path, WHEEL, content)
    monkeypatch.setattr(scan, "CHUNK", 10)
    assert result(tmp_path, WHEEL, content) == whole


def test_many_processes_find_the_same_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_MIN_ITEMS", 2)
    paths = [write_wheel(tmp_path, "foo", f"{n}.0") for n in range(9)] + [written(tmp_path / "bad.whl", b"x")]
    artifacts = [artifact(path) for path in paths]
    found = []
    for processes in (1, 2, 4, 20):
        with ThreadPoolExecutor(1) as executor:
            outcomes = scan.scan(
                artifacts, cache=Cache(None), executor=executor, progress=lambda _: None, processes=processes
            )
            found.append(list(outcomes))
    assert found == [scanned(*paths)] * 4


def test_progress_is_called_with_every_byte_of_a_file(tmp_path: Path) -> None:
    paths = [write_wheel(tmp_path, "foo", "1.0"), written(tmp_path / "bad.whl", b"x" * 100)]
    told: list[int] = []
    with ThreadPoolExecutor(1) as executor:
        list(scan.scan([artifact(p) for p in paths], cache=Cache(None), executor=executor, progress=told.append))
    assert told == [path.stat().st_size for path in paths]


def test_the_upload_time_is_the_mtime_in_whole_seconds(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "foo", "1.0")
    os.utime(path, ns=(0, MTIME * 10**9 + 999_999_999))
    (file,) = scanned(path)
    assert isinstance(file, File)
    assert file.upload_time == UPLOADED


def test_a_time_that_clients_cannot_read_is_no_upload_time() -> None:
    assert {seconds: format_upload_time(seconds) for seconds in (-1, 0, 253_402_300_799, 253_402_300_800)} == {
        -1: "",
        0: "1970-01-01T00:00:00Z",
        253_402_300_799: "9999-12-31T23:59:59Z",
        253_402_300_800: "",
    }


# --- what is no distribution ----------------------------------------------------------------------------------------

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 12345\n" % 0


@pytest.mark.parametrize("ending", ["whl", "tar.gz", "zip"])
def test_the_reason_names_the_format_of_a_file_that_is_not_an_archive(tmp_path: Path, ending: str) -> None:
    filename = f"foo-1.0{'-py3-none-any' * (ending == 'whl')}.{ending}"
    kind = {"whl": "wheel", "tar.gz": "gzip archive", "zip": "zip archive"}[ending]
    page = b"\n  <!doctype html><title>404</title>"
    contents = {"pointer": POINTER, "page": page, "nothing": b"", "noise": b"x" * 99}
    assert {name: result(tmp_path, filename, content) for name, content in contents.items()} == {
        "pointer": f"a Git LFS pointer, not the {kind} itself: run `git lfs pull`",
        "page": f"an HTML or XML page, not a {kind}: download it again",
        "nothing": "an empty file: copy it again",
        "noise": f"not a {kind} (damaged or incomplete): copy it again",
    }


def test_a_path_that_is_not_a_file_any_more_is_refused_without_waiting(tmp_path: Path) -> None:
    artifacts = [artifact(written(tmp_path / f"{name}.whl", b"x")) for name in ("gone", "pipe", "directory")]
    for found in artifacts:
        os.unlink(found.path)
    os.mkfifo(tmp_path / "pipe.whl")
    (tmp_path / "directory.whl").mkdir()
    assert [tuple(examine(found)) for found in artifacts] == [
        (None, "cannot be read: No such file or directory"),
        (None, "not a regular file. Copy the file itself into the source"),
        (None, "not a regular file. Copy the file itself into the source"),
    ]


def test_a_file_that_changes_while_it_is_read_is_left_to_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_wheel(tmp_path, "foo", "1.0")
    found = artifact(path)
    read = archive.read_wheel

    def growing(read_at: ReadAt, size: int) -> archive.Wheel:
        with path.open("ab") as file:
            file.write(b"more")
        return read(read_at, size)

    monkeypatch.setattr(archive, "read_wheel", growing)
    assert tuple(examine(found)) == (
        None,
        "changed while it was read: the next run takes it when it is complete",
    )


def test_a_file_that_changed_since_it_was_listed_is_read_in_its_new_state(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, "foo", "1.0")
    listed = artifact(path)
    path.write_bytes(wheel("foo", "1.0", requires_python=">=3.9"))
    with ThreadPoolExecutor(1) as executor:
        (file,) = scan.scan([listed], cache=Cache(None), executor=executor, progress=lambda _: None)
    assert isinstance(file, File)
    assert (file.artifact, file.sha256) == (artifact(path), hashlib.sha256(path.read_bytes()).hexdigest())


def test_a_disk_error_is_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_wheel(tmp_path, "foo", "1.0")

    def failing(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(archive, "read_wheel", failing)
    assert scanned(path) == [Rejected(location=str(path), reason="cannot be read: Input/output error")]


@pytest.mark.parametrize("error", [RuntimeError, RecursionError, IndexError, OverflowError, ValueError, KeyError])
def test_an_unforeseen_error_in_a_parser_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    bad, good = write_sdist(tmp_path, "foo", "1.0"), write_wheel(tmp_path, "foo", "1.0")

    def stumbling(*_: object) -> bytes:
        raise error("odd")

    monkeypatch.setattr(tarball, "read_tar_sdist", stumbling)
    outcomes = scanned(bad, good)
    assert [(type(outcome), getattr(outcome, "location", None)) for outcome in outcomes] == [
        (Rejected, str(bad)),
        (File, None),
    ]


# --- damage ---------------------------------------------------------------------------------------------------------

DAMAGED = {
    WHEEL: wheel("foo", "1.0", requires_python=">=3.9"),
    "foo-1.0-1-py3-none-any.whl": wheel("foo", "1.0", requires_python=">=3.9", compressed=True),
    "foo-1.0.zip": sdist("foo", "1.0", requires_python=">=3.9", suffix=".zip", backend=False, files={}),
    "foo-1.0.tar.gz": gzip.compress(
        gzip.decompress(sdist("foo", "1.0", requires_python=">=3.9", backend=False, files={})), mtime=0
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("filename", DAMAGED)
def test_a_file_with_any_one_bit_wrong_is_refused_or_means_the_same(tmp_path: Path, filename: str) -> None:
    content = DAMAGED[filename]
    whole = result(tmp_path, filename, content)
    assert isinstance(whole, Facts)
    wrong = []
    descriptor = os.open(tmp_path / filename, os.O_WRONLY)
    try:
        for at, byte in enumerate(content):
            for bit in range(8):
                flipped = bytes([byte ^ 1 << bit])
                os.pwrite(descriptor, flipped, at)
                found = examine(artifact(tmp_path / filename)).result
                if isinstance(found, Facts):
                    sha256 = hashlib.sha256(content[:at] + flipped + content[at + 1 :]).hexdigest()
                    # The end of a deflated member is also in the zip's directory, and not needed there.
                    expected = whole._replace(
                        upload_time=found.upload_time, metadata_span=found.metadata_span, sha256=sha256
                    )
                    if found != expected:
                        wrong.append((at, bit, found))
            os.pwrite(descriptor, bytes([byte]), at)
    finally:
        os.close(descriptor)
    assert wrong == []


@pytest.mark.parametrize("filename", DAMAGED)
def test_a_file_that_is_cut_off_anywhere_is_refused(tmp_path: Path, filename: str) -> None:
    path = written(tmp_path / filename, DAMAGED[filename])
    accepted = []
    for size in reversed(range(len(DAMAGED[filename]))):
        os.truncate(path, size)
        if isinstance(examine(artifact(path)).result, Facts):
            accepted.append(size)
    assert accepted == []


def test_an_offset_in_a_zip_that_no_file_has_is_refused(tmp_path: Path) -> None:
    name = b"foo-1.0.dist-info/METADATA"
    extra = struct.pack("<HHQ", 1, 8, (1 << 64) - 1)
    fields = (20, 20, 0, 0, 0, 0, 0, 1, 1, len(name), len(extra), 0, 0, 0, 0, 0xFFFFFFFF)
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", *fields) + name + extra
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(entry), 4, 0)
    for padding in (b"PK\3\4", b"PK\3\4" + bytes(2 * CHUNK)):
        moved = end[:16] + struct.pack("<L", len(padding)) + end[20:]
        assert isinstance(result(tmp_path, WHEEL, padding + entry + moved), str)


def test_a_wheel_costs_memory_for_its_metadata_only(tmp_path: Path) -> None:
    path = tmp_path / WHEEL
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("foo/data", bytes(64 << 20))
        file.writestr("foo-1.0.dist-info/METADATA", metadata("foo", "1.0"))
        file.writestr("foo-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        file.writestr("foo-1.0.dist-info/RECORD", "")
    tracemalloc.start()
    try:
        assert isinstance(examine(artifact(path)).result, Facts)
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()
