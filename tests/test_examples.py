"""The committed examples: `examples/make.py` writes the same bytes, and they are valid."""

from __future__ import annotations

import base64
import csv
import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.utils import parse_sdist_filename, parse_wheel_filename

if TYPE_CHECKING:
    from collections.abc import Iterable

EXAMPLES = Path(__file__).parent.parent / "examples"
FILES = sorted((EXAMPLES / "wheels").glob("demo[-_]*"))
WHEELS = [path for path in FILES if path.suffix == ".whl"]


def make(directory: Path) -> None:
    subprocess.run([sys.executable, EXAMPLES / "make.py", directory], check=True, timeout=60)


def contents(files: Iterable[Path]) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in files}


@pytest.mark.slow
def test_making_the_examples_again_gives_the_committed_bytes(tmp_path: Path) -> None:
    make(tmp_path)
    assert contents(tmp_path.iterdir()) == contents(FILES)


def test_making_the_examples_deletes_stale_ones_and_keeps_other_files(tmp_path: Path) -> None:
    for name in ("demo-0.9-py3-none-any.whl", "demo-0.9.tar.gz", "demo-0.9.zip", "notes.txt"):
        (tmp_path / name).write_bytes(b"old")
    make(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in FILES} | {"notes.txt"}


def test_the_examples_are_dated_a_day_apart(tmp_path: Path) -> None:
    make(tmp_path)
    day, first = 24 * 60 * 60, 1767225600  # 2026-01-01T00:00:00Z
    mtimes = sorted(path.stat().st_mtime for path in tmp_path.iterdir())
    assert mtimes == [first + day * n for n in range(len(FILES))]


@pytest.mark.parametrize("path", WHEELS, ids=lambda path: path.name)
def test_the_record_of_a_wheel_lists_every_member_with_its_hash_and_size(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (record,) = (name for name in members if name.endswith(".dist-info/RECORD"))
    rows = csv.reader(members[record].decode().splitlines())
    listed = {name: (digest, size) for name, digest, size in rows}
    assert listed == {name: entry(content) for name, content in members.items()} | {record: ("", "")}


def entry(content: bytes) -> tuple[str, str]:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    return f"sha256={digest}", str(len(content))


def test_the_filenames_parse_into_these_projects_and_versions() -> None:
    parsed = [
        parse_wheel_filename(path.name)[:2] if path in WHEELS else parse_sdist_filename(path.name) for path in FILES
    ]
    assert sorted((name, str(version)) for name, version in parsed) == [
        ("demo", "1.0"),
        ("demo", "1.1"),
        ("demo", "2.0"),
        ("demo-app", "1.0"),
        ("demo-build", "1.0"),
        ("demo-build", "1.0"),
        ("demo-colors", "1.0"),
        ("demo-cuda", "1.0+cpu"),
        ("demo-cuda", "1.0+cu128"),
        ("demo-epoch", "1!2.0"),
        ("demo-names", "1.0"),
        ("demo-native", "1.0"),
        ("demo-native", "1.0"),
        ("demo-native", "1.0"),
        ("demo-source", "1.0"),
        ("demo-zip", "1.0"),
    ]
