"""Directories as sources: which files they list, in which order, and what they skip."""

from __future__ import annotations

import os
import random
import shutil
from typing import TYPE_CHECKING

import pytest

from mkindex.build.pipeline import build
from mkindex.config import Config
from mkindex.errors import Note, Rejected, SourceError
from mkindex.model.files import Artifact, Fingerprint
from support.sources import open_with_defaults
from support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from mkindex.build.report import Report
    from mkindex.sources.source import SourceItem


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(os.fsencode(name))


def artifact(root: Path, relative: str) -> Artifact:
    return Artifact(root=str(root), relative=relative, fingerprint=Fingerprint.of((root / relative).stat()))


def listing(root: Path, *, recursive: bool = False, follow_symlinks: bool = False) -> list[SourceItem]:
    return list(open_with_defaults(str(root), recursive=recursive, follow_symlinks=follow_symlinks).artifacts())


def skipped(root: Path, name: str) -> Note:
    return Note(location=str(root / name), text="skipped: not a wheel or sdist", detail=True)


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_flat_source_lists_its_files_and_notes_its_subdirectories(tmp_path: Path) -> None:
    touch(tmp_path, "b.whl", "a-1.tar.gz", "sub/c.whl", "other/d.whl")
    note = "subdirectories skipped: other, sub (use --recursive)"
    assert listing(tmp_path) == [
        artifact(tmp_path, "a-1.tar.gz"),
        artifact(tmp_path, "b.whl"),
        Note(location=str(tmp_path), text=note),
    ]


def test_a_note_names_no_more_than_five_subdirectories_and_escapes_them(tmp_path: Path) -> None:
    touch(tmp_path, "1\x1b[31m/x", *(f"{n}/x" for n in range(2, 8)))
    note = r"subdirectories skipped: 1\x1b[31m, 2, 3, 4, 5, … (use --recursive)"
    assert listing(tmp_path) == [Note(location=str(tmp_path), text=note)]


def test_a_recursive_source_lists_the_files_of_its_subdirectories_after_its_own(tmp_path: Path) -> None:
    names = ["z.whl", "a/z-1.zip", "a/b/c.whl", "b/a.whl"]
    touch(tmp_path, *names)
    assert listing(tmp_path, recursive=True) == [artifact(tmp_path, name) for name in names]


def test_a_directory_named_like_a_wheel_is_a_subdirectory(tmp_path: Path) -> None:
    touch(tmp_path, "a-1.0-py3-none-any.whl/METADATA")
    note = "subdirectories skipped: a-1.0-py3-none-any.whl (use --recursive)"
    assert listing(tmp_path) == [Note(location=str(tmp_path), text=note)]


def test_a_path_that_is_too_long_for_the_system_is_rejected(tmp_path: Path) -> None:
    """Such a directory can be made step by step, but its path cannot be used."""
    opened = [os.open(tmp_path, os.O_RDONLY)]
    for _ in range(30):
        os.mkdir("d" * 200, dir_fd=opened[-1])
        opened.append(os.open("d" * 200, os.O_RDONLY, dir_fd=opened[-1]))
    for descriptor in opened:
        os.close(descriptor)
    (found,) = listing(tmp_path, recursive=True)
    assert isinstance(found, Rejected)
    assert found.reason == "cannot be read: File name too long"
    assert found.location.startswith(f"{tmp_path}/{'d' * 200}/")
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize("recursive", [False, True])
def test_hidden_and_temporary_files_are_skipped_silently(tmp_path: Path, recursive: bool) -> None:
    endings = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".download", ".swp", "~")
    touch(tmp_path, ".a.whl", ".a.whl.X7f", ".git/a.whl", ".cache/a/b.zip", *(f"a.whl{e}" for e in endings), "b.tmp/a")
    assert listing(tmp_path, recursive=recursive) == []


def test_distributions_that_clients_ignore_are_rejected_and_other_files_are_not(tmp_path: Path) -> None:
    reasons = {
        "a.EXE": "pip and uv do not install .exe installers: build a wheel",
        "a-1.0.TAR.GZ": "clients do not recognize an ending in capitals: rename it to .tar.gz",
        "a.Whl": "clients do not recognize an ending in capitals: rename it to .whl",
        "a.egg": "eggs are no longer installable: build a wheel",
        "a.msi": "pip and uv do not install .msi installers: build a wheel",
        "a.rpm": "pip and uv do not install .rpm packages: build a wheel",
        "a-1.0.tar": "uv and packaging ignore .tar sdists: rebuild it as .tar.gz",
        "a-1.0.tar.Z": "no client but poetry installs .tar.Z sdists: rebuild it as .tar.gz",
        "a-1.0.tar.bz2": "uv and packaging ignore .tar.bz2 sdists: rebuild it as .tar.gz",
        "a-1.0.tar.xz": "uv and packaging ignore .tar.xz sdists: rebuild it as .tar.gz",
        "a-1.0.tar.zst": "no client installs .tar.zst sdists: rebuild it as .tar.gz",
        "a-1.0.tgz": "uv and packaging ignore .tgz sdists: rename it to .tar.gz",
    }
    companions = ["README", "SHA256SUMS", "a.json", "a.tar.gz.asc", "a.whl.metadata", "a.whl.sig", "index.html"]
    touch(tmp_path, *reasons, *companions)
    expected: dict[str, Rejected | Note] = {name: skipped(tmp_path, name) for name in companions}
    expected |= {name: Rejected(location=str(tmp_path / name), reason=reason) for name, reason in reasons.items()}
    assert listing(tmp_path) == [expected[name] for name in sorted(expected)]


@pytest.mark.parametrize("name", ["docs.zip", "data.tar.gz", "v1.0.zip", "1.0.tar.gz", "my-data.tar.gz", "a_1.0.zip"])
def test_an_archive_without_a_version_in_its_name_is_skipped_with_a_note(tmp_path: Path, name: str) -> None:
    touch(tmp_path, name)
    text = "skipped: the filename of an sdist is NAME-VERSION.tar.gz or NAME-VERSION.zip"
    assert listing(tmp_path) == [Note(location=str(tmp_path / name), text=text)]


@pytest.mark.parametrize("name", ["demo-1.0.cu12.tar.gz", "a-v1.zip", "a-b-2-rc.tar.gz", "a-1.0 (1).zip", "x.whl"])
def test_a_file_whose_name_may_have_been_changed_is_read(tmp_path: Path, name: str) -> None:
    touch(tmp_path, name)
    assert listing(tmp_path) == [artifact(tmp_path, name)]


@pytest.mark.parametrize("name", ["docs.tgz", "backup.tar.bz2", "data.ZIP"])
def test_another_archive_without_a_version_is_skipped_as_others_are(tmp_path: Path, name: str) -> None:
    touch(tmp_path, name)
    assert listing(tmp_path) == [skipped(tmp_path, name)]


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_files_does_not_depend_on_the_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    names = [f"{directory}{n}.whl" for directory in ("", "a/", "a/a/", "b/") for n in range(8)]
    touch(tmp_path, *names)
    scandir = os.scandir

    class Shuffled:
        def __init__(self, path: str) -> None:
            with scandir(path) as entries:
                self.entries = list(entries)
            random.Random(seed).shuffle(self.entries)

        def __enter__(self) -> Iterable[os.DirEntry[str]]:
            return self.entries

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(os, "scandir", Shuffled)
    assert listing(tmp_path, recursive=True) == [artifact(tmp_path, name) for name in names]


def test_a_name_that_is_not_utf8_is_listed_and_can_be_opened(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9-1.0.tar.gz")
    touch(tmp_path, name)
    (found,) = listing(tmp_path)
    assert found == artifact(tmp_path, name)
    assert os.path.exists(found.path)


def test_a_pipe_or_a_device_is_rejected_and_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.whl")
    (tmp_path / "zero.tar.gz").symlink_to("/dev/zero")
    assert listing(tmp_path, follow_symlinks=True) == [
        Rejected(location=str(tmp_path / name), reason="not a regular file. Copy the file itself into the source")
        for name in ("pipe.whl", "zero.tar.gz")
    ]


def test_a_file_removed_during_the_listing_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.whl", "b.whl")
    expected = [artifact(tmp_path, "a.whl")]
    source = open_with_defaults(str(tmp_path)).artifacts()
    found = [next(source)]
    (tmp_path / "b.whl").unlink()
    assert [*found, *source] == expected


# --- symlinks ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """A source directory, next to another directory with a file."""
    touch(tmp_path, "outside/far.whl", "inside/near/a.whl")
    return tmp_path / "inside"


def leads_out(link: Path) -> Rejected:
    reason = "a symlink that leads out of the source. Copy the file itself, or use --follow-symlinks"
    return Rejected(location=str(link), reason=reason)


def test_a_symlink_out_of_the_source_is_rejected_unless_followed(inside: Path) -> None:
    (inside / "far.whl").symlink_to("../outside/far.whl")
    assert listing(inside, recursive=True) == [leads_out(inside / "far.whl"), artifact(inside, "near/a.whl")]
    assert listing(inside, recursive=True, follow_symlinks=True) == [
        artifact(inside, "far.whl"),
        artifact(inside, "near/a.whl"),
    ]


def test_a_symlink_to_a_directory_out_of_the_source_is_rejected_unless_followed(inside: Path) -> None:
    (inside / "out").symlink_to("../outside")
    found = [one for one in listing(inside, recursive=True) if not isinstance(one, Artifact)]
    assert [one.location for one in found if isinstance(one, Rejected)] == [str(inside / "out")]
    assert listing(inside, recursive=True, follow_symlinks=True) == [
        artifact(inside, "near/a.whl"),
        artifact(inside, "out/far.whl"),
    ]


def test_a_symlink_inside_the_source_is_read(inside: Path) -> None:
    (inside / "b.whl").symlink_to("near/a.whl")
    note = Note(location=str(inside), text="subdirectories skipped: near (use --recursive)")
    assert listing(inside) == [artifact(inside, "b.whl"), note]


def test_a_broken_symlink_is_rejected(inside: Path) -> None:
    (inside / "b.whl").symlink_to("near/gone.whl")
    assert listing(inside, recursive=True) == [
        Rejected(location=str(inside / "b.whl"), reason="cannot be read: No such file or directory"),
        artifact(inside, "near/a.whl"),
    ]


def test_a_broken_symlink_that_is_not_a_distribution_is_ignored(inside: Path) -> None:
    (inside / "README").symlink_to("gone")
    assert [found for found in listing(inside, recursive=True) if isinstance(found, Rejected)] == []


def test_a_symlink_to_itself_is_rejected(inside: Path) -> None:
    (inside / "b.whl").symlink_to("b.whl")
    assert listing(inside, recursive=True) == [
        Rejected(location=str(inside / "b.whl"), reason="cannot be read: Too many levels of symbolic links"),
        artifact(inside, "near/a.whl"),
    ]


@pytest.mark.parametrize("follow_symlinks", [False, True])
def test_a_directory_reached_by_several_symlinks_is_read_once(inside: Path, follow_symlinks: bool) -> None:
    (inside / "near/up").symlink_to("..")
    (inside / "near/self").symlink_to(".")
    assert listing(inside, recursive=True, follow_symlinks=follow_symlinks) == [artifact(inside, "near/a.whl")]


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "sub"])
def test_an_unreadable_directory_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    touch(tmp_path, "a.whl", "sub/b.whl")
    scandir = os.scandir

    def denied(path: str) -> object:  # the superuser may read everything
        if os.path.samefile(path, tmp_path / name):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(SourceError) as error:
        listing(tmp_path, recursive=True)
    path = f"{tmp_path}/sub/" if name else str(tmp_path)
    assert str(error.value) == f"cannot read directory {path}: Permission denied"


def test_a_source_that_does_not_exist_or_is_a_file_is_an_error(tmp_path: Path) -> None:
    touch(tmp_path, "a.whl")
    texts = {}
    for name in ("gone", "a.whl"):
        with pytest.raises(SourceError) as error:
            listing(tmp_path / name)
        texts[name] = str(error.value)
    assert texts == {
        "gone": f"source {tmp_path}/gone does not exist. Check the path",
        "a.whl": f"source {tmp_path}/a.whl is a file. Give the directory that contains it",
    }


@pytest.mark.parametrize(
    ("spec", "wrong"),
    {
        "htps:/x": "has an unsupported scheme",
        "ftp://bucket": "has an unsupported scheme",
        "git+ssh:x": "has an unsupported scheme",
        "https:/host/x": "is not a valid address",
        "https://": "is not a valid address",
        "http://ho st/": "is not a valid address",
        "file://host/x": "is not a valid address",
    }.items(),
)
def test_a_malformed_address_is_an_error_and_never_a_path(spec: str, wrong: str) -> None:
    with pytest.raises(SourceError) as error:
        open_with_defaults(spec)
    assert str(error.value) == (
        f"source {spec} {wrong}. Give a path, or an http, https, file, s3, gs or az address "
        f"(for a directory of that name: ./{spec})"
    )


@pytest.mark.parametrize("spec", ["http://host:port/", "http://[::1/", "http://user:pass/word@host/"])
def test_the_error_for_a_malformed_address_shows_no_password(spec: str) -> None:
    with pytest.raises(SourceError) as error:
        open_with_defaults(spec)
    assert str(error.value) == (
        "source http:… is not a valid address. Give a path, or an http, https, file, s3, gs or az address "
        "(for a directory of that name: ./http:…)"
    )


def test_an_empty_source_is_an_error() -> None:
    with pytest.raises(SourceError):
        list(open_with_defaults("").artifacts())


def test_a_directory_with_a_colon_in_its_name_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "htps:/a.whl")
    monkeypatch.chdir(tmp_path)
    assert list(open_with_defaults("htps:").artifacts()) == [artifact(tmp_path / "htps:", "a.whl")]


# --- the destination --------------------------------------------------------------------------------------------------


def run(sources: Iterable[Path], destination: Path, *, recursive: bool, simple_path: str = "simple") -> Report:
    config = Config(
        sources=tuple(map(str, sources)), destination=str(destination), recursive=recursive, simple_path=simple_path
    )
    return build(config)


def published(report: Report) -> list[str]:
    return [file.local.path for project in report.index.projects for file in project.files]


@pytest.mark.parametrize("simple_path", ["simple", "", "a/b"])
@pytest.mark.parametrize("recursive", [False, True])
@pytest.mark.parametrize(
    ("source", "destination"),
    [("wheels", "wheels/public"), ("wheels", "wheels/deep/public"), ("public/wheels", "public"), ("public", "public")],
)
def test_the_destination_is_never_indexed(
    tmp_path: Path, source: str, destination: str, recursive: bool, simple_path: str
) -> None:
    (tmp_path / source).mkdir(parents=True)
    if source == destination:  # allowed only where an index is published already
        (tmp_path / "before").mkdir()
        write_wheel(tmp_path / "before", "old", "1.0")
        run([tmp_path / "before"], tmp_path / destination, recursive=False, simple_path=simple_path)
    wheel = write_wheel(tmp_path / source, "demo", "1.0")
    first, second = (
        run([tmp_path / source], tmp_path / destination, recursive=recursive, simple_path=simple_path) for _ in range(2)
    )
    assert [published(first), published(second)] == [[str(wheel)]] * 2
    assert (second.written, second.plan.deletes) == (0, ())


@pytest.mark.parametrize("form", ["wheels", "wheels/", "./wheels/../wheels", "link", "file"])
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_source_is_not_a_new_destination(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, dry_run: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other").mkdir()
    (tmp_path / "wheels").mkdir()
    (tmp_path / "link").symlink_to("wheels")
    write_wheel(tmp_path / "wheels", "demo", "1.0")
    spec = (tmp_path / "wheels").as_uri() if form == "file" else form
    with pytest.raises(SourceError) as error:
        build(Config(sources=("other", spec), destination="wheels", dry_run=dry_run))
    assert str(error.value) == (
        f"source {spec} is also DEST: the pages of the index would be written between its files. "
        f"Give another directory as DEST, such as: mkindex {spec} ./public"
    )
    assert os.listdir(tmp_path / "wheels") == ["demo-1.0-py3-none-any.whl"]


def test_a_destination_reached_through_a_symlink_is_never_indexed(tmp_path: Path) -> None:
    (tmp_path / "wheels/public").mkdir(parents=True)
    (tmp_path / "link").symlink_to("wheels/public")
    wheel = write_wheel(tmp_path / "wheels", "demo", "1.0")
    reports = [run([tmp_path / "wheels"], tmp_path / "link", recursive=True) for _ in range(2)]
    assert [published(report) for report in reports] == [[str(wheel)]] * 2


def test_a_symlink_into_the_destination_is_not_read(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, "demo", "1.0")
    run([tmp_path], tmp_path / "public", recursive=True)
    (prefix,) = (tmp_path / "public/files").iterdir()
    (tmp_path / "again").symlink_to(prefix)
    wheel.unlink()
    other = write_wheel(tmp_path, "other", "1.0")
    assert published(run([tmp_path], tmp_path / "public", recursive=True)) == [str(other)]


def test_another_index_below_a_source_is_skipped_with_a_note(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    wheel = write_wheel(tmp_path / "wheels", "demo", "1.0")
    (tmp_path / "old").mkdir()
    write_wheel(tmp_path / "old", "old", "1.0")
    run([tmp_path / "old"], tmp_path / "wheels/old-index", recursive=False)
    report = run([tmp_path / "wheels"], tmp_path / "public", recursive=True)
    note = Note(location=str(tmp_path / "wheels/old-index"), text="skipped: an index made by mkindex", detail=True)
    assert (published(report), report.findings) == ([str(wheel)], (note,))


@pytest.mark.parametrize("name", ["files", "simple", ".mkindex", "files/aa"])
def test_a_source_inside_the_destination_is_an_error(tmp_path: Path, name: str) -> None:
    source = tmp_path / "public" / name
    source.mkdir(parents=True)
    write_wheel(source, "demo", "1.0")
    with pytest.raises(SourceError) as error:
        run([source], tmp_path / "public", recursive=True)
    assert str(error.value) == f"source {source} is part of the index in {tmp_path}/public"


@pytest.mark.parametrize("path", ["simple/demo/index.html", "files", "simple"])
def test_our_own_pages_are_an_error_as_path_and_as_url(tmp_path: Path, path: str) -> None:
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "demo", "1.0")
    build(Config(sources=(str(tmp_path / "wheels"),), destination=str(tmp_path / "public")))
    for spec in (f"{tmp_path}/public/{path}", f"file://{tmp_path}/public/{path}"):
        with pytest.raises(SourceError) as error:
            build(Config(sources=(spec,), destination=str(tmp_path / "public"), all=True))
        assert str(error.value) == f"source {spec} is part of the index in {tmp_path}/public"


@pytest.mark.slow
def test_a_remote_source_is_never_taken_for_the_destination(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "demo", "1.0")
    build(Config(sources=(str(tmp_path / "wheels"),), destination=str(tmp_path / "public")))
    monkeypatch.chdir(tmp_path / "public/simple")
    with pytest.raises(SourceError) as error:
        build(Config(sources=("http://127.0.0.1:9/",), destination="../../public"))
    assert "what mkindex wrote" not in str(error.value)
