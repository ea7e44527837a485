"""For each defect, pip and uv react as its rule says: they fail, or install something that was not meant."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from mkindex.check.findings import Effect, Rule
from mkindex.check.judge import rules_by_name
from support.clients import INSTALLERS, ClientFailed, ClientHome
from support.index_copy import Form, build_good_index, copy_index
from support.index_server import serve_index
from support.mutations import MUTATIONS, Mutation

if TYPE_CHECKING:
    from pathlib import Path

RULES = rules_by_name()
CLIENTS = {"pip": partial(INSTALLERS["pip"]), "uv": INSTALLERS["uv"]}


def effect(rule: Rule, client: str) -> Effect:
    return rule.pip if client == "pip" else rule.uv


CASES = [
    (mutation, form, client)
    for mutation in MUTATIONS
    for form in mutation.forms
    for client in CLIENTS
    if mutation.try_clients and effect(RULES[mutation.rule], client) in (Effect.FAILS, Effect.WRONG)
]


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_good_index(tmp_path_factory.mktemp("agreement"))


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("form", ["html", "json"])
def test_clients_install_from_the_good_index(
    good: Path, tmp_path: Path, home: ClientHome, client: str, form: str
) -> None:
    index_copy = copy_index(good, tmp_path, "html" if form == "html" else "json")
    with serve_index(index_copy.tree) as host:
        assert CLIENTS[client](home, f"{host.url}simple/", ["alpha"]) == {"alpha": "2.0", "gamma": "1.0"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)).replace(" ", "-"))
def test_a_client_reacts_as_the_rule_says(
    good: Path, tmp_path: Path, home: ClientHome, case: tuple[Mutation, Form, str]
) -> None:
    mutation, form, client = case
    index_copy = copy_index(good, tmp_path / "index_copy", form)
    with serve_index(index_copy.tree) as index_copy.host:
        mutation.apply(index_copy)
        # A find-links page is given as an index, not with the option for such pages.
        index = f"{index_copy.host.url}{index_copy.address}".replace("flat.html", "flat.html/")
        try:
            installed: dict[str, str] | None = CLIENTS[client](home, index, list(mutation.install))
        except ClientFailed:
            installed = None
    if effect(RULES[mutation.rule], client) is Effect.FAILS:
        assert installed is None
    else:
        assert installed is not None
        assert installed != mutation.intended


def test_every_claim_about_a_client_is_tested() -> None:
    claims = {
        (rule.name, client)
        for rule in RULES.values()
        for client in CLIENTS
        if effect(rule, client) in (Effect.FAILS, Effect.WRONG)
    }
    assert {(mutation.rule, client) for mutation, _, client in CASES} == claims
