"""Clients install from pages that name provenance, and a reader of the Simple API finds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pypi_simple
import pytest

from support.attestations import attest
from support.builds import publish
from support.clients import INSTALLERS, ClientHome
from support.index_server import serve_index
from support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def attested(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an index whose pages name provenance."""
    root = tmp_path_factory.mktemp("attested")
    (root / "wheels").mkdir()
    attest(write_wheel(root / "wheels", "demo", "1.0"))
    publish(root / "wheels", root / "public", url="https://packages.example.com/")
    with serve_index(root / "public") as server:
        yield f"{server.url}simple/"


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_a_client_installs_a_file_that_has_provenance(client: str, attested: str, home: ClientHome) -> None:
    assert INSTALLERS[client](home, attested, ["demo"]) == {"demo": "1.0"}


def test_a_reader_finds_the_provenance_object_of_a_file(attested: str) -> None:
    with pypi_simple.PyPISimple(endpoint=attested) as client:
        (file,) = client.get_project_page("demo").packages
        # The index is served at another address than the one that its pages name.
        file.provenance_url = str(file.provenance_url).replace("https://packages.example.com/", attested[:-7])
        found = client.get_provenance(file)
    assert found["attestation_bundles"][0]["publisher"]["repository"] == "acme/demo"
