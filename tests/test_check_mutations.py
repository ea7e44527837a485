"""Defects put into a good index, one at a time: the right rule finds each, and there is no other error."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from mkindex.check.engine import CheckOptions, check
from mkindex.check.findings import Severity
from mkindex.check.judge import rules_by_name
from support.index_copy import Form, IndexCopy, Place, build_good_index, copy_index
from support.index_server import serve_index
from support.mutations import MUTATIONS, Mutation

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mkindex.check.engine import CheckReport

pytestmark = pytest.mark.slow

CASES = [(mutation, form, place) for mutation in MUTATIONS for form in mutation.forms for place in mutation.places]
# These would need a certificate, or a host other than this machine: test_check.py tests them with values.
ELSEWHERE = {
    "attestation-unverified",  # in test_check_attestations
    "also-elsewhere",
    "insecure-link",
    "insecure-redirect",
    "plain-http",
    "large-page",
    "slow",
    "unsatisfied-elsewhere",
}


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_good_index(tmp_path_factory.mktemp("mutations"))


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urllib3.util.retry.time.sleep", lambda _: None)
    monkeypatch.setattr("mkindex.web.client.threading.Event.wait", lambda *_: False)


def run_check(index_copy: IndexCopy, place: Place, mutation: Mutation | None = None) -> CheckReport:
    """Check an index in a directory, or served by a host."""
    options = {name: value for name, value in (mutation.options if mutation else {}).items() if name != "manifest"}
    level = mutation.files if mutation else "deep"
    if place == "served":
        assert index_copy.host
        return check(CheckOptions(target=f"{index_copy.host.url}{index_copy.address}", files=level, **options))
    path = index_copy.tree if index_copy.address == "simple/" else index_copy.tree / index_copy.address
    return check(CheckOptions(target=path, files=level, **options))


def broken_rules(report: CheckReport, *severities: Severity) -> set[str]:
    return {one.rule.name for one in report.findings if one.rule.severity in severities}


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)).replace(" ", "-"))
def test_a_defect_is_found_by_its_rule_and_causes_no_other_error(
    good: Path, tmp_path: Path, record_property: Callable[[str, object], None], case: tuple[Mutation, Form, Place]
) -> None:
    mutation, form, place = case
    index_copy = copy_index(good, tmp_path, form, manifest="manifest" in mutation.options)
    with ExitStack() as stack:
        if place == "served":
            index_copy.host = stack.enter_context(serve_index(index_copy.tree))
        mutation.apply(index_copy)
        report = run_check(index_copy, place, mutation)
    every = broken_rules(report, *Severity)
    others = broken_rules(report, Severity.ERROR) - {mutation.rule}
    outcome = "missed" if mutation.rule not in every else "other errors" if others else "caught"
    record_property("mutation", f"{mutation.rule}\t{form}, {place}\t{outcome}\t{mutation}")
    assert (mutation.rule in every, others) == (True, set()), [f"{f.rule.name}: {f.text}" for f in report.findings]


@pytest.mark.parametrize("form", ["html", "json", "both"])
@pytest.mark.parametrize("place", ["local", "served"])
def test_nothing_is_found_in_the_good_index(
    good: Path, tmp_path: Path, record_property: Callable[[str, object], None], form: Form, place: Place
) -> None:
    index_copy = copy_index(good, tmp_path, form, manifest=form == "both")
    with serve_index(index_copy.tree) as index_copy.host:
        report = run_check(index_copy, place)
    false = broken_rules(report, Severity.ERROR, Severity.WARNING)
    for rule in false:
        record_property("mutation", f"{rule}\t{form}, {place}\tfalse alarm\tthe good index")
    assert (report.files, report.inspected, report.read, false) == (5, 5, 5, set())


def test_there_is_a_defect_for_every_rule() -> None:
    assert {mutation.rule for mutation in MUTATIONS} | ELSEWHERE == set(rules_by_name())


def test_there_are_at_least_sixty_defects() -> None:
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS) >= 60
