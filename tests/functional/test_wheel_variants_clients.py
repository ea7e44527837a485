"""uv with its preview feature chooses among wheel variants; every other client takes the wheel without a label."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from support.builds import publish
from support.clients import INSTALLERS, ClientHome
from support.index_server import serve_index
from support.variant_wheels import write_release
from support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

PREVIEW = ("--preview-features", "wheel-variants")
DRIVER = "NV_VARIANT_PROVIDER_FORCE_CUDA_DRIVER_VERSION"  # what uv takes for the version of the CUDA driver
LEFT_OUT = ("*-cu126.whl", "*-cu129.whl", "*-null.whl")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An index with all variants at all/simple/, and others with one kind less each."""
    site, wheels = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("wheels")
    write_release(wheels, "demo", "1.0")
    write_wheel(wheels, "trainer", "1.0", requires_dist=["demo"])
    for name, exclude in (("all", ()), ("plain", LEFT_OUT), ("no-null", LEFT_OUT[2:])):
        publish(wheels, site / name, wheel_variants=True, exclude=exclude)
    with serve_index(site) as server:
        yield server.url


def installed_label(home: ClientHome, url: str, driver: str, *options: str, requirement: str = "demo") -> str:
    """The label of the wheel that uv installs on a machine with this CUDA driver."""
    target = home.path / "target"
    on_machine = replace(home, settings={DRIVER: driver})
    on_machine.uv("pip", "install", "--no-config", *options, "--target", str(target), "--index-url", url, requirement)
    scope: dict[str, str] = {}
    exec((target / "demo.py").read_text(), scope)
    return scope["LABEL"]


@pytest.mark.parametrize(
    ("driver", "index", "label"),
    [
        ("13.0", "all", "cu129"),
        ("12.8", "all", "cu126"),
        ("11.8", "all", "null"),
        ("11.8", "no-null", ""),
        ("13.0", "plain", ""),
    ],
    ids=["newest", "older driver", "null variant", "without a null variant", "without variants"],
)
def test_uv_installs_the_best_variant_then_the_null_variant_then_the_wheel_without_a_label(
    address: str, home: ClientHome, driver: str, index: str, label: str
) -> None:
    assert installed_label(home, f"{address}{index}/simple/", driver, *PREVIEW) == label


def test_uv_chooses_a_variant_of_a_dependency_and_by_time(address: str, home: ClientHome) -> None:
    url = f"{address}all/simple/"
    limit = ("--exclude-newer", "2099-01-01T00:00:00Z")  # uv ignores files without a time then
    assert installed_label(home, url, "13.0", *PREVIEW, *limit, requirement="trainer") == "cu129"


def test_uv_without_the_preview_feature_installs_the_wheel_without_a_label(address: str, home: ClientHome) -> None:
    assert installed_label(home, f"{address}all/simple/", "13.0") == ""


@pytest.mark.parametrize("client", ["pip", "poetry", "pdm"])
def test_other_clients_install_the_wheel_without_a_label(client: str, address: str, home: ClientHome) -> None:
    url = f"{address}all/simple/"
    assert INSTALLERS[client](home, url, ["trainer"]) == {"trainer": "1.0", "demo": "1.0"}
    modules = [path.read_text() for path in home.path.rglob("demo.py")]
    assert set(modules) == {"LABEL = ''\n"}
