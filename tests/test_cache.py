"""The cache avoids reading unchanged files, and is never needed for correctness."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from mkindex import cache as cache_module
from mkindex.cache import RACY_NS, Cache
from mkindex.examine import local as scan
from mkindex.model.files import Artifact, Fingerprint
from support.sources import open_with_defaults
from support.wheels import wheel, write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mkindex.errors import Rejected
    from mkindex.model.files import File

NOW = 1_700_000_000 * 10**9
OLD = NOW - RACY_NS - 1
FINGERPRINT = Fingerprint(inode=1, size=2, mtime_ns=OLD, ctime_ns=OLD)


def artifact(name: str = "a.whl", fingerprint: Fingerprint = FINGERPRINT) -> Artifact:
    return Artifact(root="/wheels", relative=name, fingerprint=fingerprint)


def remember(directory: Path, *artifacts: Artifact) -> None:
    with Cache(directory) as cache:
        for one in artifacts:
            cache.put(one.path, one.fingerprint, f"facts of {one.relative}", read_ns=NOW)


def recall(directory: Path | None, *artifacts: Artifact) -> list[str | None]:
    with Cache(directory) as cache:
        return list(cache.get(artifacts))


# --- what is remembered ---------------------------------------------------------------------------------------------


def test_facts_survive(tmp_path: Path) -> None:
    artifacts = [artifact(f"{n}.whl") for n in range(1200)]
    remember(tmp_path / "deep/cache", *artifacts[::2])
    assert recall(tmp_path / "deep/cache", *artifacts) == [
        f"facts of {n}.whl" if n % 2 == 0 else None for n in range(1200)
    ]


def test_files_between_those_of_a_source_do_not_hide_their_facts(tmp_path: Path) -> None:
    artifacts = [artifact(f"{n:04}.whl") for n in range(1200)]
    remember(tmp_path, *artifacts)
    ends = [artifacts[0], artifact("0500x.whl"), artifacts[-1]]
    assert recall(tmp_path, *reversed(ends)) == ["facts of 1199.whl", None, "facts of 0000.whl"]


def test_the_last_facts_count(tmp_path: Path) -> None:
    remember(tmp_path, artifact())
    other = artifact(fingerprint=FINGERPRINT._replace(size=3))
    remember(tmp_path, other)
    assert recall(tmp_path, artifact(), other) == [None, "facts of a.whl"]


@pytest.mark.parametrize("field", Fingerprint._fields)
def test_facts_are_those_of_one_fingerprint(tmp_path: Path, field: str) -> None:
    remember(tmp_path, artifact())
    changed = FINGERPRINT._replace(**{field: getattr(FINGERPRINT, field) + 1})
    assert recall(tmp_path, artifact(), artifact(fingerprint=changed)) == ["facts of a.whl", None]


@pytest.mark.parametrize("field", ["mtime_ns", "ctime_ns"])
def test_a_file_that_changed_just_before_it_was_read_is_not_trusted(tmp_path: Path, field: str) -> None:
    ages = [-RACY_NS, 0, RACY_NS - 1, RACY_NS, RACY_NS + 1, 2 * RACY_NS]
    artifacts = [artifact(f"{age}.whl", FINGERPRINT._replace(**{field: NOW - age})) for age in ages]
    remember(tmp_path, *artifacts)
    assert recall(tmp_path, *artifacts) == [None] * 4 + [f"facts of {age}.whl" for age in ages[4:]]


@pytest.mark.parametrize(("seconds", "known"), [(3, False), (60, False), (61, True)])
def test_a_file_with_times_of_whole_seconds_is_trusted_after_a_minute(
    seconds: int, known: bool, tmp_path: Path
) -> None:
    time_ns = NOW - seconds * 10**9
    coarse = artifact("coarse.whl", Fingerprint(inode=1, size=2, mtime_ns=time_ns, ctime_ns=time_ns))
    fine = artifact("fine.whl", Fingerprint(inode=1, size=2, mtime_ns=time_ns, ctime_ns=time_ns - 1))
    remember(tmp_path, coarse, fine)
    assert recall(tmp_path, coarse, fine) == ["facts of coarse.whl" if known else None, "facts of fine.whl"]


def test_facts_that_turn_out_to_be_wrong_are_forgotten_at_once(tmp_path: Path) -> None:
    remember(tmp_path, artifact())
    with Cache(tmp_path) as cache:
        before = list(cache.get([artifact()]))
        cache.forget(artifact().path)
        assert (before, list(cache.get([artifact()]))) == (["facts of a.whl"], [None])


@pytest.mark.parametrize("at_once", [False, True])
def test_a_hard_link_that_we_made_does_not_make_a_file_unknown(tmp_path: Path, at_once: bool) -> None:
    linked = FINGERPRINT._replace(ctime_ns=NOW)
    if not at_once:
        remember(tmp_path, artifact(), artifact("b.whl"))
    with Cache(tmp_path) as cache:
        if at_once:
            cache.put(artifact().path, FINGERPRINT, "facts of a.whl", read_ns=NOW)
        cache.replace_fingerprints([(artifact(), linked), (artifact("b.whl", FINGERPRINT._replace(size=9)), linked)])
    artifacts = artifact(fingerprint=linked), artifact("b.whl", linked)
    assert recall(tmp_path, *artifacts) == ["facts of a.whl", None]


def test_a_cache_without_a_directory_forgets() -> None:
    with Cache(None) as cache:
        cache.put(artifact().path, FINGERPRINT, "facts", read_ns=NOW)
        assert list(cache.get([artifact()])) == [None]


def test_names_that_are_not_utf8_are_at_worst_read_again(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff.whl")
    remember(tmp_path, artifact(name), artifact("b.whl"))
    with Cache(tmp_path) as cache:
        cache.replace_fingerprints([(artifact(name), FINGERPRINT)])
    strange, plain = recall(tmp_path, artifact(name), artifact("b.whl"))
    assert strange in (None, f"facts of {name}")
    assert plain in (None, "facts of b.whl")
    assert recall(tmp_path, artifact("b.whl")) == ["facts of b.whl"]


def test_facts_that_no_run_used_for_ninety_days_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def on_day(day: int) -> None:
        monkeypatch.setattr(cache_module, "time", SimpleNamespace(time=lambda: day * 86_400.0))

    def paths() -> set[str]:
        database = sqlite3.connect(tmp_path / "facts.sqlite3")
        found = {path for (path,) in database.execute("SELECT path FROM facts")}
        database.close()
        return found

    on_day(1000)
    remember(tmp_path, artifact("seen.whl"), artifact("unseen.whl"))
    on_day(1050)
    recall(tmp_path, artifact("seen.whl"))
    on_day(1090)
    remember(tmp_path, artifact("new.whl"))
    before = paths()
    on_day(1091)
    remember(tmp_path, artifact("newer.whl"))
    assert (before, paths()) == (
        {"/wheels/new.whl", "/wheels/seen.whl", "/wheels/unseen.whl"},
        {"/wheels/new.whl", "/wheels/newer.whl", "/wheels/seen.whl"},
    )


# --- what a scan makes of it ----------------------------------------------------------------------------------------


class Scanner:
    """Scans a directory, with or without a cache, and records the files that were read."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.read: list[str] = []
        examine = scan.examine

        def recorded(artifact: Artifact) -> scan.Examined:
            self.read.append(artifact.filename)
            return examine(artifact)

        monkeypatch.setattr(scan, "examine", recorded)

    def __call__(self, cache: Path | None) -> list[File | Rejected]:
        self.read.clear()
        artifacts = [one for one in open_with_defaults(str(self.directory)).artifacts() if isinstance(one, Artifact)]
        with Cache(cache) as facts, ThreadPoolExecutor(1) as executor:
            return list(scan.scan(artifacts, cache=facts, executor=executor, progress=lambda _: None))


@pytest.fixture
def scanner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scanner:
    """Scans of files that are old enough to be trusted."""
    monkeypatch.setattr(cache_module, "RACY_NS", -(10**15))
    directory = tmp_path / "wheels"
    directory.mkdir()
    write_wheel(directory, "a", "1.0", requires_python=">=3.9")
    write_wheel(directory, "b", "1.0", requires_python="soon")
    write_sdist(directory, "c", "1.0")
    (directory / "d-1.0.zip").write_bytes(b"PK\3\4")
    return Scanner(directory, monkeypatch)


FILES = ["a-1.0-py3-none-any.whl", "b-1.0-py3-none-any.whl", "c-1.0.tar.gz", "d-1.0.zip"]


def test_an_unchanged_file_is_not_read_again_and_has_the_same_facts(tmp_path: Path, scanner: Scanner) -> None:
    expected = scanner(None)
    reads = []
    for _ in range(3):
        assert scanner(tmp_path / "cache") == expected
        reads.append(list(scanner.read))
    assert reads == [FILES, [], []]


def grow(path: Path) -> None:
    path.write_bytes(wheel("a", "1.0", requires_python=">=3.10"))


def rewrite(path: Path) -> None:
    path.write_bytes(wheel("a", "1.0", requires_python=">=3.8"))


def keeping_mtime(change: Callable[[Path], None]) -> Callable[[Path], None]:
    def changed(path: Path) -> None:
        status = path.stat()
        change(path)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    return changed


def replace(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_bytes(wheel("a", "1.0", requires_python=">=3.8"))
    other.replace(path)


@pytest.mark.parametrize("change", [grow, rewrite, replace, keeping_mtime(rewrite), keeping_mtime(replace)])
def test_a_file_that_changes_in_any_way_is_read_again(
    tmp_path: Path, scanner: Scanner, change: Callable[[Path], None]
) -> None:
    scanner(tmp_path / "cache")
    change(scanner.directory / FILES[0])
    outcomes = scanner(tmp_path / "cache")
    assert scanner.read == FILES[:1]
    assert outcomes == scanner(None)


def test_files_written_a_moment_ago_are_read_again_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wheels").mkdir()
    scanner = Scanner(tmp_path / "wheels", monkeypatch)
    old = write_wheel(tmp_path / "wheels", "a", "1.0")
    reads = []
    for seconds in (0, 0, 3, 3):
        now = old.stat().st_ctime_ns + seconds * 10**9
        monkeypatch.setattr(scan, "time", SimpleNamespace(**vars(time) | {"time_ns": lambda now=now: now}))
        scanner(tmp_path / "cache")
        reads.append(list(scanner.read))
    assert reads == [FILES[:1], FILES[:1], FILES[:1], []]


# --- damage ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def filled(tmp_path: Path, scanner: Scanner) -> Path:
    scanner(tmp_path / "cache")
    return tmp_path / "cache/facts.sqlite3"


FOUND = ["facts of a.whl", None]
UNKNOWN = [None, None]


def use_damaged(path: Path, content: bytes) -> list[object]:
    """Give the database at `path` this content, and return what the next two runs find of two files.

    An undamaged cache knows the first of them. Both runs write to the cache.
    """
    for ending in ("-wal", "-shm"):
        path.with_name(f"{path.name}{ending}").unlink(missing_ok=True)
    path.write_bytes(content)
    outcomes: list[object] = []
    for _ in range(2):
        with Cache(path.parent) as cache:
            outcomes.append(list(cache.get([artifact(), artifact("unknown.whl")])))
            assert cache.get_last(artifact().path) in (None, (FINGERPRINT, "facts of a.whl"))
            assert cache.recall("page b") in (None, ("etag", "text of b"))
            cache.put(artifact().path, FINGERPRINT, "facts of a.whl", read_ns=NOW)
            cache.remember("page b", "etag", "text of b")
    return outcomes


def header_and_schema(content: bytes) -> list[int]:
    """Return the offset of each byte of the first page of a database that is not free space (file format, 1.6)."""
    page_size, cells, first_cell = (int.from_bytes(content[at : at + 2], "big") for at in (16, 103, 105))
    assert content[first_cell:page_size].count(b"CREATE TABLE facts") == 1
    return [*range(108 + 2 * cells), *range(first_cell, page_size)]


@pytest.mark.slow
def test_a_wrong_bit_in_the_header_or_the_schema_at_worst_makes_files_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "time", SimpleNamespace(time=lambda: NOW / 10**9))
    remember(tmp_path, artifact())
    path = tmp_path / "facts.sqlite3"
    content = path.read_bytes()
    outcomes = {}
    for at in header_and_schema(content):
        for bit in range(8):
            damaged = content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :]
            try:
                outcomes[at, bit] = use_damaged(path, damaged)
            except Exception as error:
                outcomes[at, bit] = [repr(error)]
    harmless = ([FOUND, FOUND], [UNKNOWN, FOUND], [UNKNOWN, UNKNOWN])
    assert {where: outcome for where, outcome in outcomes.items() if outcome not in harmless} == {}
    # Nearly all damage is repaired by the run that finds it: otherwise every later run would read every file again.
    assert sum(outcome == [UNKNOWN, UNKNOWN] for outcome in outcomes.values()) < len(outcomes) / 100


@pytest.mark.slow
def test_a_wrong_byte_anywhere_in_the_cache_does_not_change_the_outcome(filled: Path, scanner: Scanner) -> None:
    expected = scanner(None)
    content = filled.read_bytes()
    chance = random.Random(1)
    places = [*range(100), *(at for at, byte in enumerate(content) if byte and at >= 100)]
    wrong = []
    for at in chance.sample(places, min(len(places), 700)):
        flipped = content[at] ^ 1 << chance.randrange(8)
        filled.write_bytes(content[:at] + bytes([flipped]) + content[at + 1 :])
        if scanner(filled.parent) != expected:
            wrong.append(at)
    assert wrong == []


def older_schema(path: Path, content: bytes) -> None:
    path.unlink()
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE facts (name TEXT)")
    database.close()


def other_values(path: Path, content: bytes) -> None:
    database = sqlite3.connect(path)
    database.executescript("UPDATE facts SET facts = NULL; UPDATE facts SET day = 'soon' WHERE path LIKE '%a-%'")
    database.close()


def undated(path: Path, content: bytes) -> None:
    database = sqlite3.connect(path)
    database.executescript("UPDATE facts SET day = 'soon'")
    database.close()


DAMAGES: dict[str, Callable[[Path, bytes], object]] = {
    "empty": lambda path, content: path.write_bytes(b""),
    "half": lambda path, content: path.write_bytes(content[: len(content) // 2]),
    "no whole page": lambda path, content: path.write_bytes(content[:100]),
    "zeros": lambda path, content: path.write_bytes(bytes(len(content))),
    "noise": lambda path, content: path.write_bytes(random.Random(1).randbytes(len(content))),
    "noise behind the header": lambda path, content: path.write_bytes(content[:100] + random.Random(1).randbytes(9000)),
    "text": lambda path, content: path.write_bytes(b"{}"),
    "an older schema": older_schema,
    "other values": other_values,
    "no date": undated,
    "a log of another database": lambda path, content: path.with_name("facts.sqlite3-wal").write_bytes(content),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_cache_changes_no_outcome_and_is_repaired(
    filled: Path, scanner: Scanner, damage: Callable[[Path, bytes], object]
) -> None:
    expected = scanner(None)
    damage(filled, filled.read_bytes())
    assert [scanner(filled.parent), scanner(filled.parent)] == [expected] * 2
    assert scanner.read == []


def test_a_table_with_other_columns_changes_nothing(filled: Path, scanner: Scanner) -> None:
    expected = scanner(None)
    database = sqlite3.connect(filled)
    database.executescript("DROP TABLE facts; CREATE TABLE facts (path TEXT, x INTEGER)")
    database.executemany("INSERT INTO facts VALUES (?, 1)", [(f"{scanner.directory}/{name}",) for name in FILES])
    database.commit()
    database.close()
    assert [scanner(filled.parent), scanner(filled.parent)] == [expected] * 2


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_cache_directory_that_cannot_be_made_is_not_used(tmp_path: Path, scanner: Scanner, name: str) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    assert scanner(tmp_path / name) == scanner(None)
    assert (tmp_path / "file").read_bytes() == b"mine"


@pytest.mark.parametrize("text", ["unable to open database file", "attempt to write a readonly database", "locked"])
def test_a_cache_that_cannot_be_opened_is_not_used_and_not_changed(
    filled: Path, scanner: Scanner, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    content = filled.read_bytes()

    def failing(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError(text)

    monkeypatch.setattr(sqlite3, "connect", failing)
    assert scanner(filled.parent) == scanner(None)
    assert filled.read_bytes() == content


def test_a_cache_that_another_process_has_locked_is_not_used(filled: Path, scanner: Scanner) -> None:
    # (this would not detect one that waits for five seconds)
    holder = sqlite3.connect(filled, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        assert scanner(filled.parent) == scanner(None)
    finally:
        holder.close()


@pytest.mark.slow
def test_several_runs_share_a_cache(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for number in range(30):
        write_wheel(wheels, "a", f"{number}.0", mtime=1_600_000_000)
    command = [sys.executable, "-m", "mkindex", "--cache-dir", str(tmp_path / "cache"), "--quiet", str(wheels)]
    runs = [
        subprocess.Popen([*command, str(tmp_path / f"{n}")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for n in range(4)
    ]
    assert [(run.communicate(timeout=60)[0], run.returncode) for run in runs] == [(b"", 0)] * 4
    pages = {(tmp_path / f"{n}/simple/a/index.v1_json").read_bytes() for n in range(4)}
    assert len(pages) == 1
    shutil.rmtree(tmp_path / "cache")


def test_the_query_of_an_address_is_not_written_to_disk(tmp_path: Path) -> None:
    keys = ["file https://host/a.whl?token=hunter2", "file https://host/a.whl?token=hunter3 on the page of a"]
    with Cache(tmp_path) as cache:
        for key in keys:
            cache.remember(key, "validator", key[-1])
    with Cache(tmp_path) as cache:
        assert [cache.recall(key) for key in keys] == [("validator", key[-1]) for key in keys]
        assert cache.recall("file https://host/a.whl?token=other") is None
    assert [path.name for path in tmp_path.iterdir() if b"hunter" in path.read_bytes()] == []


# --- many keys at once ------------------------------------------------------------------------------------------------


def test_what_was_loaded_at_once_is_recalled_as_one_by_one(tmp_path: Path) -> None:
    keys = [f"file https://host/{number}?sig=hunter2" for number in range(1200)]
    with Cache(tmp_path) as cache:
        for key in keys[::2]:
            cache.remember(key, "validator", key)
    with Cache(tmp_path) as cache:
        one_by_one = [cache.recall(key) for key in keys]
    with Cache(tmp_path) as cache:
        cache.load([*keys, "file \udcff"])
        assert [cache.recall(key) for key in keys] == one_by_one
    assert one_by_one == [("validator", key) if number % 2 == 0 else None for number, key in enumerate(keys)]


def test_a_text_that_is_remembered_after_it_was_loaded_replaces_it(tmp_path: Path) -> None:
    with Cache(tmp_path) as cache:
        cache.remember("file a", "1", "one")
    with Cache(tmp_path) as cache:
        cache.load(["file a", "file b"])
        cache.remember("file a", "2", "two")
        cache.remember("file b", "2", "x" * 4_000_001)  # written at once
        assert (cache.recall("file a"), cache.recall("file b")) == (("2", "two"), ("2", "x" * 4_000_001))
