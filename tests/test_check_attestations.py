"""`mkindex check` on attestations: what a page names, and what is there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mkindex.check.engine import check
from mkindex.check.options import CheckOptions
from mkindex.distributions import verification
from support.attestations import REAL, attest, copy_real
from support.builds import publish
from support.wheels import write_wheel

if TYPE_CHECKING:
    from pathlib import Path

RULES = ("provenance", "provenance-content", "attestation", "attestation-unverified")
HOST = "https://packages.example.com"
WHEEL = "demo-1.0-py3-none-any.whl"


@pytest.fixture
def public(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index of the real sdist with its attestation, and of a wheel with one that nobody signed."""
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "xdg"))
    dist = tmp_path / "dist"
    dist.mkdir()
    copy_real(dist)
    write_wheel(dist, "demo", "1.0")
    attest(dist / WHEEL)
    publish(dist, tmp_path / "public", url=HOST)
    return tmp_path / "public"


def findings(public: Path, **options: Any) -> list[tuple[str, str, str]]:  # noqa: ANN401 (the fields of CheckOptions)
    """The findings about attestations: rule, file and text."""
    report = check(CheckOptions(target=public, select=RULES, **options))
    return sorted((str(one.rule), one.file, one.text) for one in report.findings)


def test_an_index_of_mkindex_has_the_provenance_that_its_pages_name(public: Path) -> None:
    assert findings(public) == []


def test_signatures_are_verified_at_level_deep(public: Path) -> None:
    ((rule, file, text),) = set(findings(public, files="deep"))
    assert (rule, file) == ("attestation", WHEEL)
    assert text.startswith("not valid: ")


def test_without_the_extra_a_note_says_what_is_not_verified(public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "is_available", lambda: False)
    text = "its attestations are not verified, since the extra attest is not installed"
    assert set(findings(public, files="deep")) == {("attestation-unverified", name, text) for name in (REAL, WHEEL)}


def test_changed_provenance_is_found(public: Path) -> None:
    (path,) = public.glob(f"files/*/*/{WHEEL}.provenance")
    path.write_text(json.dumps({"version": 2}))
    text = "version 2; the specification has only version 1 (PEP 740)"
    assert set(findings(public)) == {("provenance-content", WHEEL, text)}
