"""Later versions build over a tree that 0.1.0 published, and over manifests of other versions, without --overwrite."""

from __future__ import annotations

import io
import shutil
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.sources import write_sources
from mkindex import cli
from mkindex.build.pipeline import build
from mkindex.check.engine import CheckOptions, check
from mkindex.config import Config
from mkindex.tree import manifest
from support.trees import OWN_DIRECTORY, file_identities, own_files, read_tree
from support.wheels import TIMESTAMP, sdist_filename, wheel_filename, write_wheel

if TYPE_CHECKING:
    from mkindex.build.report import Report
    from mkindex.tree.manifest import Entry

FIXTURE = Path(__file__).parent / "fixtures" / "tree-0.1.0"
LONG = 10**11  # seconds of grace: nothing that is retired is deleted
OLD_WHEEL = wheel_filename("demo", "0.9")  # the retired wheel
PROSE = {"index.html", "404.html"}  # pages for people, whose wording may change with the version
OF_ALL = {"links.html", "simple/index.html", "simple/index.v1_json"}  # pages of all projects


@pytest.fixture
def sources(tmp_path: Path) -> list[Path]:
    return write_sources(tmp_path / "sources")


@pytest.fixture
def public(tmp_path: Path) -> Path:
    return shutil.copytree(FIXTURE, tmp_path / "public")


def publish(sources: list[Path], public: Path, **options: Any) -> Report:  # noqa: ANN401 (the fields of Config)
    options = {"links": True, "grace": LONG} | options
    return build(Config(sources=tuple(map(str, sources)), destination=str(public), **options))


def read_manifest(public: Path) -> list[Entry]:
    with (public / OWN_DIRECTORY / "manifest").open("rb") as file:
        return [entry for extent, lines in manifest.sections(file) for entry in manifest.decode(extent.name, lines)]


def reseal(public: Path, old: bytes, new: bytes) -> None:
    """Change the manifest, and its checksum with it."""
    path = public / OWN_DIRECTORY / "manifest"
    data = path.read_bytes()[: -len(b"end 01234567\n")]
    assert old in data
    data = data.replace(old, new, 1)
    path.write_bytes(data + b"end %08x\n" % zlib.crc32(data))


def api(public: Path) -> dict[str, tuple[int, int]]:
    """Inode and mtime of everything that clients read."""
    return {path: identity for path, identity in file_identities(public).items() if path not in PROSE}


def changed(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> set[str]:
    return {path for path in before if after.get(path) != before[path]}


def of_project(content: dict[str, bytes], name: str) -> set[str]:
    return {path for path in content if path.startswith(f"simple/{name}/") and not path.endswith("/")}


# --- a tree -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["0.1.0", "9.9"])
def test_the_same_sources_write_nothing(
    sources: list[Path], public: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr("mkindex.site.layout.__version__", version)  # a part of the key of every page
    before, entries = api(public), read_manifest(public)
    report = publish(sources, public)
    assert (report.findings, report.plan.deletes) == ((), ())
    assert (api(public), own_files(public)) == (before, {"manifest"})
    # The fingerprints are those of the copy; keys and the hashes of pages for people depend on the version.
    assert [(entry.position, entry.retired) for entry in read_manifest(public)] == [
        (entry.position, entry.retired) for entry in entries
    ]
    assert [entry.sha256 for entry in read_manifest(public) if entry.path not in PROSE] == [
        entry.sha256 for entry in entries if entry.path not in PROSE
    ]
    again = file_identities(public), (public / OWN_DIRECTORY / "manifest").stat().st_ino
    assert publish(sources, public).written == 0
    assert (file_identities(public), (public / OWN_DIRECTORY / "manifest").stat().st_ino) == again


def test_the_tree_is_the_one_that_this_version_makes_of_the_same_sources(
    sources: list[Path], public: Path, tmp_path: Path
) -> None:
    publish(sources, public, grace=0)  # without the retired wheel
    publish(sources, tmp_path / "new")
    assert read_tree(public) == read_tree(tmp_path / "new")


def test_a_retired_wheel_is_deleted_after_the_grace_and_nothing_else(sources: list[Path], public: Path) -> None:
    before = api(public)
    report = publish(sources, public, grace=900)
    gone = {path for path in before if OLD_WHEEL in path}
    assert {entry.path for entry in report.plan.deletes} == gone
    assert len(gone) == 2
    assert api(public) == {path: identity for path, identity in before.items() if path not in gone}


def test_a_retired_wheel_that_is_listed_again_is_not_written_again(sources: list[Path], public: Path) -> None:
    before = api(public)
    retired = sources[0].with_name("retired.jsonl")
    publish([*sources, retired], public)
    assert changed(before, api(public)) == {"links.html", *of_project(read_tree(public), "demo")}
    assert all(entry.retired is None for entry in read_manifest(public))


def test_a_wheel_that_is_added_changes_the_pages_of_its_project_only(
    sources: list[Path], public: Path, tmp_path: Path
) -> None:
    before = api(public)
    (tmp_path / "more").mkdir()
    write_wheel(tmp_path / "more", "other", "2.0", mtime=TIMESTAMP)
    publish([*sources, tmp_path / "more"], public)
    after = api(public)
    assert changed(before, after) == {"links.html", *of_project(read_tree(public), "other")}
    new = wheel_filename("other", "2.0")
    assert {path.rpartition("/")[2] for path in after.keys() - before.keys()} == {new, f"{new}.metadata"}


def test_a_project_that_is_added_changes_the_pages_of_all_projects_too(
    sources: list[Path], public: Path, tmp_path: Path
) -> None:
    before = api(public)
    (tmp_path / "more").mkdir()
    write_wheel(tmp_path / "more", "added", "1.0", mtime=TIMESTAMP)
    publish([*sources, tmp_path / "more"], public)
    assert changed(before, api(public)) == OF_ALL
    assert of_project(read_tree(public), "added") == {"simple/added/index.html", "simple/added/index.v1_json"}


def test_another_reason_to_yank_and_an_unyank_change_the_pages_of_the_project_only(
    sources: list[Path], public: Path
) -> None:
    lines = sources[0].read_text()
    for reason in ("other reason", ""):
        before = api(public)
        sources[0].write_text(lines.replace("broken on Python 3.14", reason))
        publish(sources, public, unyank=not reason)
        assert changed(before, api(public)) == {"links.html", *of_project(read_tree(public), "demo")}
        assert (b"data-yanked" in read_tree(public)["simple/demo/index.html"]) == bool(reason)


def test_a_project_that_is_removed_takes_its_pages_with_it(sources: list[Path], public: Path) -> None:
    publish(sources[:1], public, grace=0)
    assert of_project(read_tree(public), "zoo") == set()
    assert sdist_filename("zoo", "0.1", ".zip") not in str(read_tree(public).keys())


def test_a_page_of_someone_else_still_stays(sources: list[Path], public: Path) -> None:
    (public / "simple/notes").write_text("theirs")
    publish(sources[:1], public, grace=0)
    assert (public / "simple/notes").read_text() == "theirs"


def test_check_finds_no_error_in_it(sources: list[Path], public: Path) -> None:
    report = check(CheckOptions(target=str(public), files="deep"))
    assert [f"{one.rule.name}: {one.text}" for one in report.findings if one.rule.name != "page-older"] == []


# --- a manifest of another version -----------------------------------------------------------------------------------


@pytest.mark.parametrize("extra", [[], ["--overwrite"], ["--dry-run"]])
@pytest.mark.parametrize("number", [4, 12])
def test_a_newer_manifest_is_an_error_and_the_tree_is_unchanged(
    sources: list[Path], public: Path, capsys: pytest.CaptureFixture[str], number: int, extra: list[str]
) -> None:
    reseal(public, b"mkindex manifest 2\n", b"mkindex manifest %d\nof\tnobody knows what\n" % number)
    (public / OWN_DIRECTORY / "tmp").mkdir()
    (public / OWN_DIRECTORY / "tmp" / "theirs").write_text("theirs")
    before, kept = file_identities(public), file_identities(public / OWN_DIRECTORY)
    status = cli.run(["--no-cache", *extra, *map(str, sources[:1]), str(public)])
    assert status == 3
    assert capsys.readouterr().err == (
        f"error {public}/.mkindex/manifest was written by a newer mkindex (format {number}; this version reads 2): "
        "upgrade mkindex, or publish to a new directory\n"
    )
    assert (file_identities(public), file_identities(public / OWN_DIRECTORY)) == (before, kept)


def test_check_says_that_a_manifest_is_newer(public: Path) -> None:
    reseal(public, b"mkindex manifest 2\n", b"mkindex manifest 4\n")
    report = check(CheckOptions(target=str(public)))
    assert [one.text for one in report.findings if one.rule.name == "manifest"] == [
        "was written by a newer mkindex (format 4; this version reads 2)"
    ]


def test_a_flipped_bit_makes_no_newer_manifest() -> None:
    data = bytearray((FIXTURE / OWN_DIRECTORY / "manifest").read_bytes())
    at = data.index(b"2\n")
    data[at] ^= 1
    assert data.startswith(b"mkindex manifest 3\n")
    with pytest.raises(manifest.DamagedManifest) as raised:
        list(manifest.sections(io.BytesIO(data)))
    assert not isinstance(raised.value, manifest.NewerManifest)


KNOWN = b"\n[other]\n"


def test_optional_lines_stay_in_unchanged_sections_and_are_dropped_from_changed_ones(
    sources: list[Path], public: Path, tmp_path: Path
) -> None:
    publish(sources, public)  # notes the fingerprints of the copy
    reseal(public, KNOWN, b"\nx-demo\t../x\t.mkindex\n[other]\n")
    reseal(public, b"\n[zoo]\n", b"\nx-other\t1\nx-other\t2\n[zoo]\n")
    before, noted = file_identities(public), (public / OWN_DIRECTORY / "manifest").read_bytes()
    report = publish(sources, public)
    assert (report.plan.puts, report.plan.updates, report.plan.deletes) == ((), (), ())
    assert (file_identities(public), (public / OWN_DIRECTORY / "manifest").read_bytes()) == (before, noted)
    (tmp_path / "more").mkdir()
    write_wheel(tmp_path / "more", "other", "2.0", mtime=TIMESTAMP)
    publish([*sources, tmp_path / "more"], public)
    noted = (public / OWN_DIRECTORY / "manifest").read_bytes()
    assert b"\nx-demo\t../x\t.mkindex\n[other]\n" in noted
    assert b"x-other" not in noted
    assert publish([*sources, tmp_path / "more"], public).written == 0


_NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,5}", fullmatch=True)
_TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126) | st.just("\t"), max_size=20)
_LINES = st.lists(st.builds(lambda name, text: f"{name}\t{text}\n".encode(), _NAMES, _TEXTS), max_size=4).map(sorted)


@given(lines=st.lists(_LINES, min_size=4, max_size=4), changed=st.sets(st.sampled_from(["", "demo", "other"])))
def test_entries_are_read_and_amended_as_if_there_were_no_optional_lines(
    lines: list[list[bytes]], changed: set[str]
) -> None:
    plain = (FIXTURE / OWN_DIRECTORY / "manifest").read_bytes()
    sections = list(manifest.sections(io.BytesIO(plain)))
    body = b"".join(
        b"[%s]\n" % extent.name.encode() + b"".join([*entries, *more])
        for (extent, entries), more in zip(sections, lines, strict=True)
    )
    data = b"mkindex manifest 2\n" + body
    data += b"end %08x\n" % zlib.crc32(data)
    read = list(manifest.sections(io.BytesIO(data)))
    assert [(extent.name, entries) for extent, entries in read] == [
        (extent.name, entries) for extent, entries in sections
    ]
    assert [manifest.read(io.BytesIO(data), extent) for extent, _ in read] == [entries for _, entries in sections]
    first = {extent.name: next(manifest.decode(extent.name, entries)) for extent, entries in sections}
    changes = [(first[name].position, first[name]._replace(key="other")) for name in sorted(changed)]
    amended = b"".join(manifest.encode(changes, io.BytesIO(data), [extent for extent, _ in read]))
    kept = {extent.name: more for (extent, _), more in zip(sections, lines, strict=True) if extent.name not in changed}
    expected = b"".join(manifest.encode(changes, io.BytesIO(plain), [extent for extent, _ in sections]))
    assert [entries for _, entries in manifest.sections(io.BytesIO(amended))] == [
        entries for _, entries in manifest.sections(io.BytesIO(expected))
    ]
    left = [line for line in amended.splitlines(keepends=True)[1:-1] if line[:1].isalpha()]
    assert left == [line for more in kept.values() for line in more]


@pytest.mark.parametrize(
    "line", [b"Name\tx\n", b"name\n", b"name x\n", b"4\tx\n", b"\n", b"name\t\x7f\n", "name\tä\n".encode(), b"n\t\0\n"]
)
def test_a_line_that_is_neither_entry_nor_optional_is_damage(line: bytes, public: Path) -> None:
    reseal(public, KNOWN, b"\n" + line + b"[other]\n")
    with pytest.raises(manifest.DamagedManifest):
        read_manifest(public)


def test_optional_lines_are_in_order_after_the_entries(public: Path) -> None:
    for lines in (b"b\t1\na\t1\n[other]\n", b"[other]\na\t1\n"):
        copy = shutil.copytree(public, public.parent / f"copy{len(lines)}")
        reseal(copy, KNOWN, b"\n" + lines)
        with pytest.raises(manifest.DamagedManifest):
            read_manifest(copy)
