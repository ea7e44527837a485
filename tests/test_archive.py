"""`--archive`: the tree as one file, and `mkindex check` of that file."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import zipfile
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mkindex.tree.manifest import decode, sections
from support.command_line import Run
from support.requirements import skip_or_fail
from support.trees import read_tree
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = ("tar", "zip")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("wheels").mkdir()
    write_wheel(Path("wheels"), "demo", "1.0", requires_dist=["other"], mtime=1_700_000_000)
    write_wheel(Path("wheels"), "a" * 100, "1.0", mtime=1_700_000_000)
    write_sdist(Path("wheels"), "other", "2.0", mtime=1_700_000_000)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Run]:
    return lambda *arguments: Run(capsys, *arguments)


def members(archive: str) -> dict[str, bytes]:
    """The files in an archive, which has nothing else."""
    if archive.endswith(".zip"):
        with zipfile.ZipFile(archive) as opened:
            return {one.filename: opened.read(one) for one in opened.infolist()}
    with tarfile.open(archive) as tar:
        return {one.name: file.read() for one in tar if (file := tar.extractfile(one))}


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_has_the_tree_and_the_hash_of_each_file(run: Callable[..., Run], kind: str) -> None:
    assert run("wheels", "public", "--archive", f"bundle.{kind}").status == 0
    found = members(f"bundle.{kind}")
    sums = found.pop("SHA256SUMS").decode()
    assert sums == "".join(f"{hashlib.sha256(found[path]).hexdigest()}  {path}\n" for path in sorted(found))
    manifest = found.pop(".mkindex/manifest")
    assert found == {path: data for path, data in read_tree(Path("public")).items() if not path.startswith(".mkindex/")}
    entries = chain.from_iterable(decode(one.name, lines) for one, lines in sections(BytesIO(manifest)))
    recorded = {entry.path: (entry.sha256, entry.fingerprint, entry.retired) for entry in entries}
    assert recorded == {path: (hashlib.sha256(data).hexdigest(), "", None) for path, data in found.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_an_extracted_archive_is_changed_like_the_tree_that_it_was_made_of(
    run: Callable[..., Run], kind: str, tmp_path: Path
) -> None:
    run("wheels", "public", "--archive", f"bundle.{kind}", "--simple-path", "pypi/simple")
    shutil.unpack_archive(f"bundle.{kind}", "copy", filter="data" if kind == "tar" else None)
    Path("copy/SHA256SUMS").unlink()
    assert run("check", "copy", "--strict").status == 0
    (tmp_path / "more").mkdir()
    write_wheel(tmp_path / "more", "extra", "1.0", mtime=1_700_000_000)
    steps = (
        ("add", "more", "{}"),
        ("remove", "{}", "other", "--yes"),
        ("wheels", "{}", "--prune", "--grace", "0"),
        ("wheels", "more", "{}", "--simple-path", "pypi/simple"),
    )
    for step in steps:
        done = [run(*(part.format(tree) for part in step)) for tree in ("public", "copy")]
        assert [one.status for one in done] == [0, 0]
        assert read_tree(Path("copy")) == read_tree(Path("public"))
        assert run("check", "copy", "--strict").status == 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_tree_gives_the_same_archive_wherever_and_however_it_was_built(
    run: Callable[..., Run], kind: str
) -> None:
    assert run("wheels", "public", "--archive", f"first.{kind}", "--grace", "9999").status == 0
    extra = write_wheel(Path("wheels"), "extra", "1.0")
    assert run("wheels", "other", "--grace", "9999").status == 0
    extra.unlink()
    umask = os.umask(0o077)
    assert run("wheels", "other", "--archive", f"second.{kind}", "--grace", "9999").status == 0  # extra is retired
    os.umask(umask)
    assert Path(f"first.{kind}").read_bytes() == Path(f"second.{kind}").read_bytes()


def test_only_those_who_may_read_the_tree_may_read_the_archive(run: Callable[..., Run]) -> None:
    umask = os.umask(0o027)
    assert run("wheels", "public", "--archive", "bundle.tar").status == 0
    os.umask(umask)
    assert [Path(one).stat().st_mode & 0o777 for one in ("bundle.tar", "public/index.html")] == [0o640, 0o640]


@pytest.mark.parametrize("kind", KINDS)
def test_check_reads_an_archive_in_place(run: Callable[..., Run], kind: str) -> None:
    run("wheels", "public", "--archive", f"bundle.{kind}", "--simple-path", "pypi/simple")
    shutil.rmtree("public")
    before = sorted(os.listdir())
    done = run("check", f"bundle.{kind}", "--files", "deep", "--closure", "--strict")
    assert (done.status, done.out.splitlines()[0]) == (0, f"{Path(f'bundle.{kind}').resolve()}/pypi/simple/: an index")
    assert "3 projects, 3 files (3 looked at, 3 read)" in done.out.splitlines()[-1]
    assert sorted(os.listdir()) == before


def test_other_programs_read_an_archive(run: Callable[..., Run]) -> None:
    if not (shutil.which("tar") and shutil.which("sha256sum")):
        skip_or_fail("tar and sha256sum")
    run("wheels", "public", "--archive", "bundle.tar")
    Path("x").mkdir()
    subprocess.run(["tar", "-xf", "../bundle.tar"], cwd="x", check=True)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd="x", check=True)


def damage(archive: str, old: bytes, new: bytes) -> None:
    content = Path(archive).read_bytes()
    assert content.count(old) >= 1
    Path(archive).write_bytes(content.replace(old, new, 1))


def test_a_damaged_page_or_file_of_an_archive_is_found(run: Callable[..., Run]) -> None:
    run("wheels", "public", "--archive", "bundle.tar")
    shutil.copy("bundle.tar", "other.tar")
    damage("bundle.tar", b'"api-version":"1.4"', b'"api-version":"1.5"')
    path = Path("bundle.tar").resolve()
    done = run("check", "bundle.tar")
    assert (done.status, done.err.partition(" does not match")[0]) == (
        3,
        f"error {path} is damaged: simple/{'a' * 100}/index.v1_json",
    )
    damage("other.tar", b'__version__ = "2.0"', b'__version__ = "3.0"')
    done = run("check", "other.tar")
    assert (done.status, "error file-hash, in 1 place" in done.out) == (1, True)


def test_what_is_no_archive_of_mkindex_is_one_error(run: Callable[..., Run]) -> None:
    Path("text.tar").write_text("no archive")
    with tarfile.open("foreign.tar", "w") as archive:
        archive.add("wheels")
    with tarfile.open("link.tar", "w") as archive:
        link = tarfile.TarInfo("SHA256SUMS")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    no_sums = "has no SHA256SUMS: it was not written by mkindex. Extract it, and check the directory"
    found = {name: run("check", name) for name in ("text.tar", "foreign.tar", "link.tar")}
    assert {name: (done.status, done.err) for name, done in found.items()} == {
        "text.tar": (3, f"error {Path('text.tar').resolve()} cannot be read as an archive (truncated header)\n"),
        "foreign.tar": (3, f"error {Path('foreign.tar').resolve()} {no_sums}\n"),
        "link.tar": (3, f"error {Path('link.tar').resolve()} {no_sums}\n"),
    }


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--archive", "x.tgz"), "--archive must be a file whose name ends in .tar or .zip, not x.tgz"),
        (("--archive", "x.tar", "--watch"), "--archive and --watch exclude each other: an archive is of one build"),
        (
            ("--archive", "x.tar", "--files-url", "https://host.example/"),
            "--archive and --files-url exclude each other: the files would not be in it",
        ),
    ],
)
def test_options_that_exclude_an_archive(run: Callable[..., Run], arguments: tuple[str, ...], problem: str) -> None:
    done = run("wheels", "public", *arguments)
    assert (done.status, done.err.splitlines()[-1]) == (2, f"error {problem}")


def test_an_archive_that_cannot_be_written_leaves_the_old_one(run: Callable[..., Run]) -> None:
    assert run("wheels", "public", "--archive", "missing/x.tar").err.splitlines()[-1] == (
        "error cannot write missing/x.tar: No such file or directory"
    )
    run("wheels", "public", "--archive", "x.tar")
    before = Path("x.tar").read_bytes()
    (page,) = Path("public/simple/demo").glob("*.v1_json")
    text = page.read_text()
    page.write_text(f"{text} ")
    # The next build repairs the page before it writes the archive.
    assert run("wheels", "public", "--archive", "x.tar").status == 0
    assert (Path("x.tar").read_bytes(), sorted(Path().glob("tmp*"))) == (before, [])
