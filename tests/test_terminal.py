"""What people see in a terminal, and programs do not: progress and colors."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from mkindex.build.pipeline import build
from mkindex.config import Config
from support.fake_store import FakeStore, tree_in, use
from support.http_servers import serve_directory
from support.terminal import in_terminal
from support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mkindex.progress import Advance

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="this system has no pseudo-terminals"),
    pytest.mark.slow,
]

SIZE, RATE, LEFT = r"[\d.]+ (?:bytes|kB)", r"[\d.]+ (?:bytes|[kMG]B)/s", r"(?:\d\d:\d\d:\d\d)?"


@pytest.fixture(autouse=True)
def here(tmp_path: Path) -> Path:
    """A directory with wheels of two projects, and a file that is rejected."""
    (tmp_path / "wheels").mkdir()
    for name in "demo", "other":
        write_wheel(tmp_path / "wheels", name, "1.0")
    (tmp_path / "wheels/bad-1.0-py3-none-any.whl").write_bytes(b"bad")
    return tmp_path


def bars(text: str) -> list[str]:
    """The bars that were shown, each as it was at the end."""
    shown = [line.rpartition("\r")[2].strip() for line in text.split("\n") if "%" in line]
    return [re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", line).strip() for line in shown]


def test_a_build_shows_how_much_is_read_and_how_fast(here: Path) -> None:
    shown = in_terminal("wheels", "public", cwd=here)
    assert "None" not in shown.text
    (bar,) = bars(shown.text)
    assert re.fullmatch(rf"reading  \[#+\]  100% +{SIZE} of {SIZE}, {RATE}", bar)
    assert shown.status == 1


def test_a_mirror_shows_how_much_is_downloaded(here: Path) -> None:
    (here / "wheels/bad-1.0-py3-none-any.whl").unlink()
    with serve_directory(here / "wheels", here / "log") as server:
        shown = in_terminal("--remote", "mirror", server.url, "public", cwd=here)
    assert shown.status == 0
    assert any(re.fullmatch(rf"reading  \[#+\]  100% +{SIZE} of {SIZE}, {RATE}", bar) for bar in bars(shown.text))


def test_a_check_shows_how_many_projects_are_checked_and_how_fast(here: Path) -> None:
    in_terminal("-q", "wheels", "public", cwd=here)
    (bar,) = bars(in_terminal("check", "public", cwd=here).text)
    assert re.fullmatch(r"checking  \[#+\]  100% +2 of 2 projects, \d+/s", bar)


def test_quiet_shows_no_progress(here: Path) -> None:
    assert bars(in_terminal("-q", "wheels", "public", cwd=here).text) == []


def test_programs_see_neither_progress_nor_colors(here: Path) -> None:
    command = [sys.executable, "-m", "mkindex", "wheels", "public"]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "%" in done.stderr, "\x1b" in done.stdout + done.stderr) == (1, False, False)


def test_uploads_to_a_bucket_report_each_byte(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FakeStore()
    use(monkeypatch, store)
    seen: list[tuple[str, int, int]] = []

    @contextmanager
    def record(activity: str, total: int) -> Iterator[Advance]:
        steps: list[int] = []
        yield steps.append
        seen.append((activity, total, sum(steps)))

    build(Config(sources=(str(here / "wheels"),), destination="s3://bucket/x"), progress=record)
    size = sum(len(data) for path, data in tree_in(store).items() if path.endswith(".whl"))
    assert seen == [("reading", size + len(b"bad"), size + len(b"bad")), ("uploading", size, size)]


@pytest.mark.parametrize(
    ("variables", "is_terminal", "has_color"),
    [
        ({}, True, True),
        ({"NO_COLOR": "1"}, True, False),
        ({}, False, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False),
    ],
)
def test_labels_have_colors_in_a_terminal_unless_variables_say_otherwise(
    here: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], is_terminal: bool, has_color: bool
) -> None:
    for name in "NO_COLOR", "FORCE_COLOR":
        monkeypatch.delenv(name, raising=False)
    if is_terminal:
        text = in_terminal("wheels", "public", cwd=here, variables=variables).text
    else:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        command = [sys.executable, "-m", "mkindex", "wheels", "public"]
        text = subprocess.run(command, cwd=here, capture_output=True, text=True, timeout=60, check=False).stderr
    assert ("\x1b[31mrejected\x1b[0m " in text, "rejected " in text) == (has_color, not has_color)
