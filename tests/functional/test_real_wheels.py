"""Real wheels, by build tools of many years: neither a build nor a check finds anything wrong with them."""

from __future__ import annotations

from pathlib import Path

from mkindex.check.engine import CheckOptions, check
from support.builds import publish
from support.clients import CLIENTS
from support.requirements import skip_or_fail

LIST = Path(__file__).resolve().parents[1] / "fixtures/real-wheels.txt"
WHEELS = CLIENTS / "real-wheels"


def test_a_build_and_a_deep_check_of_real_wheels_find_nothing(tmp_path: Path) -> None:
    if not (WHEELS / ".ready").exists():
        skip_or_fail("real wheels: make clients")
    pinned = [line for line in LIST.read_text().splitlines() if "==" in line]
    report = publish(WHEELS, tmp_path / "public")
    assert (len(report.files), report.findings) == (len(pinned), ())
    checked = check(CheckOptions(target=tmp_path / "public", files="deep"))
    assert (checked.read, checked.findings) == (len(pinned), ())
