"""A build and a check say of each odd wheel what `functional/test_unusual_wheels.py` sees pip and uv do."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from mkindex.check.engine import CheckOptions, check
from mkindex.check.findings import Severity
from mkindex.check.wheels import content_of
from mkindex.distributions.dist_info import WheelFile, missing_tags
from support.builds import publish
from support.odd_wheels import FINE, NAME, ODD, Odd

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def build_messages(directory: Path, data: bytes) -> tuple[bool, list[str]]:
    """Return whether a build publishes a wheel, and what it says."""
    (directory / "in").mkdir()
    (directory / "in" / NAME).write_bytes(data)
    report = publish(directory / "in", directory / "public", allow_empty=True)
    said = [one.reason for one in report.rejected] + [one.text for one in report.notes]
    return (directory / "public/simple/foo").exists(), said


@pytest.mark.parametrize("data", FINE.values(), ids=FINE)
def test_a_wheel_that_pip_and_uv_install_is_published(data: bytes, tmp_path: Path) -> None:
    is_published, said = build_messages(tmp_path, data)
    report = check(CheckOptions(target=tmp_path / "public", files="deep"))
    assert (is_published, [one for one in said if "Metadata-Version" not in one]) == (True, [])
    assert [one.text for one in report.findings if one.rule.severity is Severity.ERROR] == []


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_a_build_rejects_what_both_clients_refuse_and_says_what_one_does(odd: Odd, tmp_path: Path) -> None:
    expected = odd.is_published or not odd.says
    assert build_messages(tmp_path, odd.data) == (expected, [odd.says] if odd.says else [])


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_a_check_finds_it(odd: Odd) -> None:
    content = content_of(NAME, io.BytesIO(odd.data), len(odd.data), whole=True)
    found = {
        "wheel-broken": bool(content.broken),
        "wheel-refused": bool(content.refused),
        "wheel-ambiguous": bool(content.ambiguous),
        "wheel-tags": bool(content.missing_tags),
    }
    assert found[odd.rule]
    if odd.clients == "both":  # no rule claims that a client cannot install it
        assert not content.broken


@pytest.mark.parametrize(
    ("tags", "missing"),
    [("py2.py3-none-any", []), ("cp27.py3-none-any", []), ("py3.py4-none-any", ["py4-none-any"])],
)
def test_a_tag_of_python_2_need_not_be_in_wheel(tags: str, missing: list[str]) -> None:
    assert missing_tags(f"foo-2.0-{tags}.whl", WheelFile((), frozenset({"py3-none-any"}))) == missing
