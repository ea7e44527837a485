"""A directory of junk: every good file is published, and every bad file is reported with what to do."""

from __future__ import annotations

import io
import json
import struct
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from mkindex import cli
from support.wheels import metadata, sdist, wheel, write_sdist, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 12345\n" % 0
NAME = "{}-1.0-py3-none-any.whl"
METADATA = metadata("bomb", "1.0")
STORE = "Remove it, or store large members as they are"
GOOD = ["a-1.0-py3-none-any.whl", "a-1.0.tar.gz", "b-2.0-py3-none-any.whl", "z-1.0.zip"]
COMPANIONS = ["README", "README.md", "SHA256SUMS", "a-1.0.tar.gz.asc", "b-2.0-py3-none-any.whl.metadata", "notes.txt"]
HIDDEN = [".DS_Store", ".nfs0001", "a-2.0-py3-none-any.whl.part", "b-3.0.tar.gz.crdownload", "z-2.0.zip~"]


def bomb() -> bytes:
    """Return a wheel that claims to unpack to 800 MiB."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bomb-1.0.dist-info/METADATA", METADATA)
    data = buffer.getvalue()
    end = data.rindex(b"PK\5\6")
    start = data.index(b"PK\1\2")
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 0, 0, 1, 1 << 24, 1, 0, 0, 0, 0, 0, 0) + b"x"
    directory = data[start:end] + entry * 50
    return data[:start] + directory + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 51, 51, len(directory), start, 0)


def tar_bomb() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        info = tarfile.TarInfo("tarbomb-1.0/x")
        info.size = 65 << 20
        file.addfile(info, io.BytesIO(bytes(info.size)))
    return buffer.getvalue()


def two_dist_infos() -> bytes:
    other = {"other-1.0.dist-info/METADATA": metadata("other", "1.0")}
    return wheel("two", "1.0", files=other)


BAD: dict[str, tuple[bytes, str]] = {
    NAME.format("empty"): (b"", "an empty file: copy it again"),
    NAME.format("truncated"): (
        wheel("truncated", "1.0")[:-100],
        "not a zip file (damaged or incomplete download). Copy or build it again",
    ),
    "truncated-1.0.tar.gz": (
        sdist("truncated", "1.0")[:-1],
        "incomplete: the end of the gzip stream is missing. Copy it again",
    ),
    NAME.format("pointer"): (POINTER, "a Git LFS pointer, not the wheel itself: run `git lfs pull`"),
    NAME.format("page"): (b"<!doctype html>", "an HTML or XML page, not a wheel: download it again"),
    NAME.format("renamed"): (
        wheel("renamed", "1.0", metadata=metadata("other", "1.0")),
        "the filename says renamed 1.0, METADATA says other 1.0: build it again, renaming is not enough",
    ),
    NAME.format("two"): (
        two_dist_infos(),
        "2 .dist-info directories (other-1.0.dist-info, two-1.0.dist-info), a wheel has exactly one: build it again",
    ),
    NAME.format("bomb"): (
        bomb(),
        f"a zip bomb: {len(bomb()):,} bytes that unpack to {800 * (1 << 20) + len(METADATA):,}. {STORE}",
    ),
    "tarbomb-1.0.tar.gz": (
        tar_bomb(),
        "a decompression bomb: it unpacks to more than 67,108,864 bytes. Remove it",
    ),
    "egg-1.0-py3.11.egg": (b"x", "eggs are no longer installable: build a wheel"),
    "old-1.0.tar.bz2": (b"x", "uv and packaging ignore .tar.bz2 sdists: rebuild it as .tar.gz"),
    "old-1.0.win32.exe": (b"x", "pip and uv do not install .exe installers: build a wheel"),
    NAME.format("no_version").replace("-1.0", ""): (
        wheel("no-version", "1.0"),
        "not the filename that the metadata says: rename it to no_version-1.0-py3-none-any.whl, or use --fix-names",
    ),
    "archive-1.0.zip": (
        b"PK\5\6" + bytes(18),
        "no pyproject.toml or setup.py in its top directory: pip and uv refuse it. Build it again",
    ),
    "backup-2nd.tar.gz": (
        sdist("x", "1.0"),
        "the filename does not show where the project's name ends, and PKG-INFO says x 1.0: build it again",
    ),
}


@pytest.fixture
def junk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    directory = tmp_path / "junk"
    directory.mkdir()
    write_wheel(directory, "a", "1.0")
    write_sdist(directory, "a", "1.0")
    write_wheel(directory, "b", "2.0")
    write_sdist(directory, "z", "1.0", suffix=".zip")
    for name, content in dict.fromkeys(COMPANIONS + HIDDEN, b"x").items():
        (directory / name).write_bytes(content)
    for name, (content, _) in BAD.items():
        (directory / name).write_bytes(content)
    return directory


def published(root: Path) -> list[str]:
    pages = sorted((root / "simple").glob("*/index.v1_json"))
    return [file["filename"] for page in pages for file in json.loads(page.read_bytes())["files"]]


def content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_every_good_file_is_published_and_every_bad_file_is_reported(
    junk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = cli.run(["junk", "public"])
    out, err = capsys.readouterr()
    lines = [f"rejected {junk}/{name}: {reason}" for name, (_, reason) in BAD.items()]
    assert (status, sorted(err.splitlines())) == (1, sorted(lines))
    assert f"{len(BAD)} files rejected, see above" in out.splitlines()
    assert published(tmp_path / "public") == GOOD


def test_other_files_are_noted_only_with_verbose_and_hidden_files_never(
    junk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.run(["-v", "junk", "public"])
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note ")]
    assert notes == [f"note {junk}/{name}: skipped: not a wheel or sdist" for name in sorted(COMPANIONS)]


@pytest.mark.parametrize("existing", [False, True])
def test_strict_publishes_nothing_and_leaves_the_destination_unchanged(
    junk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], existing: bool
) -> None:
    public = tmp_path / "public"
    if existing:
        (tmp_path / "good").mkdir()
        write_wheel(tmp_path / "good", "old", "1.0")
        cli.run(["good", "public"])
    before = content(public)
    capsys.readouterr()
    status = cli.run(["--strict", "junk", "public"])
    out, err = capsys.readouterr()
    assert (status, out) == (3, "")
    assert err.splitlines()[-1] == f"error nothing published: {len(BAD)} files rejected, and --strict is set"
    assert sorted(err.splitlines()[:-1]) == sorted(
        f"rejected {junk}/{name}: {reason}" for name, (_, reason) in BAD.items()
    )
    assert (public.exists(), content(public)) == (existing, before)


def test_the_source_is_never_changed(junk: Path) -> None:
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in junk.iterdir()}
    cli.run(["junk", "public"])
    assert {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in junk.iterdir()} == before
