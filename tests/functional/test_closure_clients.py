"""`check --closure` and the clients agree on what can be installed, where no version conflict is involved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mkindex.check.engine import CheckOptions, check
from support.builds import publish
from support.clients import ClientFailed, ClientHome, write_uv_project
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

INSTALLABLE = (
    *("app", "newest-is-broken", "extras", "extras[fast]", "circle", "for-windows", "only-pre-releases"),
    *("sdist", "sdist-that-needs-core"),
)
NOT_INSTALLABLE = (
    *("app>=2", "nothing", "newest-is-broken>=2", "extras[docs,fast]", "extras[all]", "next-python", "native"),
    *("not-parsed", "has-address", "sdist-of-setuptools", "sdist-that-needs-more"),
)


def pyproject(requires: str) -> dict[str, bytes]:
    text = f'[build-system]\nrequires = ["{requires}"]\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    return {"module.py": b"", "pyproject.toml": text.encode()}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wheels, public = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("public")
    write_wheel(wheels, "app", "1.0", requires_dist=["lib>=1,<2"])
    write_wheel(wheels, "lib", "1.5", requires_dist=["core"])
    write_wheel(wheels, "core", "1.0")
    write_wheel(wheels, "newest-is-broken", "1.0")
    write_wheel(wheels, "newest-is-broken", "2.0", requires_dist=["gone"])
    extras = ["extras[docs]; extra == 'all'", "gone; extra == 'docs'", "core; extra == 'fast'"]
    write_wheel(wheels, "extras", "1.0", requires_dist=extras, extras=["all", "docs", "fast"])
    write_wheel(wheels, "circle", "1.0", requires_dist=["circle-back"])
    write_wheel(wheels, "circle-back", "1.0", requires_dist=["circle"])
    write_wheel(wheels, "for-windows", "1.0", requires_dist=["gone; sys_platform == 'win32'"])
    write_wheel(wheels, "next-python", "1.0", requires_python=">=3.99")
    write_wheel(wheels, "native", "1.0", tag="cp312-cp312-win_amd64")
    write_wheel(wheels, "not-parsed", "1.0", requires_dist=["core~=1"])
    write_wheel(wheels, "has-address", "1.0", requires_dist=["core @ file:///nowhere/core-1.0-py3-none-any.whl"])
    write_wheel(wheels, "only-pre-releases", "1.0a1")
    write_sdist(wheels, "sdist", "1.0")
    write_sdist(wheels, "sdist-of-setuptools", "1.0", backend=False)
    write_sdist(wheels, "sdist-that-needs-more", "1.0", files=pyproject("gone"))
    write_sdist(wheels, "sdist-that-needs-core", "1.0", files=pyproject("core"))
    publish(wheels, public)
    return public


def broken_rules(
    tree: Path, requirements: Path, *roots: str, python: tuple[str, ...] = (), platform: tuple[str, ...] = ()
) -> list[str]:
    """Return the rules of --closure that are broken for these roots."""
    requirements.write_text("".join(f"{root}\n" for root in roots))
    options = CheckOptions(
        target=tree, closure=True, requirements=(str(requirements),), python=python, platform=platform
    )
    return [name for one in check(options).findings if (name := one.rule.name).startswith("unsatisfied")]


def dry_run(home: ClientHome, client: str, tree: Path, roots: Sequence[str]) -> None:
    """Let a client find everything for an install, and build sdists for it. Raises ClientFailed."""
    index = f"{tree.as_uri()}/simple/"
    if client == "pip":
        home.pip("pip", "install", "--dry-run", "--no-cache-dir", "--index-url", index, *roots)
    else:
        home.uv("pip", "install", "--dry-run", "--target", home.path / "target", "--default-index", index, *roots)


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_the_client_installs_what_closure_says_can_be_installed(
    tree: Path, tmp_path: Path, home: ClientHome, client: str
) -> None:
    assert "unsatisfied" not in broken_rules(tree, tmp_path / "requirements.txt", *INSTALLABLE)
    dry_run(home, client, tree, INSTALLABLE)


@pytest.mark.parametrize("client", ["pip", "uv"])
@pytest.mark.parametrize("root", NOT_INSTALLABLE)
def test_the_client_does_not_install_what_closure_says_cannot_be_installed(
    tree: Path, tmp_path: Path, home: ClientHome, root: str, client: str
) -> None:
    assert "unsatisfied" in broken_rules(tree, tmp_path / "requirements.txt", root)
    with pytest.raises(ClientFailed):
        dry_run(home, client, tree, [root])


@pytest.mark.parametrize(("root", "is_installed"), [("app", True), ("native", True), ("for-windows", False)])
def test_closure_says_for_another_platform_what_uv_does(
    tree: Path, tmp_path: Path, home: ClientHome, root: str, is_installed: bool
) -> None:
    found = broken_rules(tree, tmp_path / "requirements.txt", root, python=("3.12",), platform=("windows",))
    platform = ("--python-version", "3.12", "--python-platform", "windows")
    try:
        index = f"{tree.as_uri()}/simple/"
        home.uv("pip", "compile", tmp_path / "requirements.txt", *platform, "--default-index", index)
    except ClientFailed:
        assert not is_installed
    assert found == ([] if is_installed else ["unsatisfied"])


@pytest.mark.parametrize(("root", "is_locked"), [("app", True), ("for-windows", False)])
def test_a_requirement_for_another_platform_stops_a_lock_for_all(
    tree: Path, tmp_path: Path, home: ClientHome, root: str, is_locked: bool
) -> None:
    found = broken_rules(tree, tmp_path / "requirements.txt", root)
    write_uv_project(home, f"{tree.as_uri()}/simple/", [root])
    try:
        home.uv("lock")
    except ClientFailed:
        assert not is_locked
    assert found == ([] if is_locked else ["unsatisfied-elsewhere"])
