"""What pip 26.3 and uv 0.13 do with odd wheels: what `distributions/dist_info.py` and `zip_directory.py` claim."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from support.clients import ClientFailed, ClientHome
from support.http_servers import serve_directory
from support.odd_wheels import FINE, MEMBERS, METADATA, NAME, ODD

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLIENTS = {
    **dict.fromkeys(FINE, "both"),
    **{name: odd.clients for name, odd in ODD.items()},
}
DATA = {**FINE, **{name: odd.data for name, odd in ODD.items()}}

# One process for all, since pip takes most of a second to start.
INSTALL_EACH = """
import contextlib, io, sys
from pip._internal.cli.main import main
url, target, count = sys.argv[1:]
for number in range(int(count)):
    options = ["--index-url", f"{url}{number}/", "--target", f"{target}/{number}", "--no-deps", "--no-cache-dir"]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        status = main(["install", "--quiet", "--quiet", "--quiet", *options, "foo"])
    print("installed" if status == 0 else "refused", flush=True)
"""


def write_indexes(root: Path) -> None:
    """Write an index for each wheel, with its METADATA beside it, as mkindex would publish it."""
    sibling = MEMBERS[METADATA].content
    for number, data in enumerate(DATA.values()):
        directory = root / f"{number}/foo"
        directory.mkdir(parents=True)
        (directory / NAME).write_bytes(data)
        attribute = ""
        if sibling in data:
            (directory / f"{NAME}.metadata").write_bytes(sibling)
            attribute = f' data-core-metadata="sha256={hashlib.sha256(sibling).hexdigest()}"'
        link = f'<a href="{NAME}#sha256={hashlib.sha256(data).hexdigest()}"{attribute}>{NAME}</a>'
        (directory / "index.html").write_text(f"<!DOCTYPE html><html><body>{link}</body></html>")


def install_with_uv(home: ClientHome, url: str, number: int) -> str:
    target = home.path / f"uv/{number}"
    try:
        home.uv("pip", "install", "--no-config", "--index-url", f"{url}{number}/", "--target", target, "foo")
    except ClientFailed:
        return "refused"
    return "installed"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of the indexes."""
    directory = tmp_path_factory.mktemp("odd")
    write_indexes(directory / "indexes")
    with serve_directory(directory / "indexes", directory / "log") as server:
        yield server.url


def test_pip_installs_and_refuses_what_is_claimed(home: ClientHome, url: str) -> None:
    said = home.run("pip", "python", "-c", INSTALL_EACH, url, home.path / "pip", str(len(DATA))).split()
    expected = {name: "installed" if by in ("both", "pip") else "refused" for name, by in CLIENTS.items()}
    # Since Python 3.12, zipfile reads the name in the extra field, so that pip finds two members of the same name.
    if home.run("pip", "python", "-c", "import sys; print(sys.version_info >= (3, 12))").strip() == "True":
        expected["METADATA by an extra field"] = "refused"
    assert dict(zip(DATA, said, strict=True)) == expected


def test_uv_installs_and_refuses_what_is_claimed(home: ClientHome, url: str) -> None:
    said = {name: install_with_uv(home, url, number) for number, name in enumerate(DATA)}
    expected = {name: "installed" if by in ("both", "uv") else "refused" for name, by in CLIENTS.items()}
    assert said == expected
