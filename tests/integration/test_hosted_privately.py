"""The printed configurations with https, passwords and a fallback at once: checked, and installed from."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from support.authority import issue_certificate, write_users
from support.builds import publish
from support.clients import INSTALLERS, ClientFailed, ClientHome
from support.web_servers import HOSTS, serve_printed_config
from support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NAME, PASSWORD = "reader", "s3cret-and-long"


class Private(NamedTuple):
    """A tree, and what its servers and clients need."""

    tree: Path
    authority: Path
    options: Mapping[str, tuple[str | Path, ...]]  # of `mkindex host`, by server

    def settings(self, home: Path) -> dict[str, str]:
        """Return the variables of a client that trusts the authority, and write the password into its ~/.netrc."""
        (home / ".netrc").write_text(f"machine localhost\nlogin {NAME}\npassword {PASSWORD}\n")
        (home / ".netrc").chmod(0o600)
        trusted = dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT"), str(self.authority))
        poetry = {"POETRY_HTTP_BASIC_OURS_USERNAME": NAME, "POETRY_HTTP_BASIC_OURS_PASSWORD": PASSWORD}
        return trusted | poetry | dict.fromkeys(("no_proxy", "NO_PROXY"), "127.0.0.1,localhost")


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Private]:
    """An index in a directory that every user may enter, because Apache gives up the rights of root."""
    source = tmp_path_factory.mktemp("source")
    write_wheel(source, "demo-app", "1.0", requires_dist=["demo"])
    write_wheel(source, "demo", "1.1")
    with tempfile.TemporaryDirectory(prefix="mkindex-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        publish(source, directory / "tree", reserve=("acme-*", "secret"))
        authority, certificate, key = issue_certificate(directory)
        key.chmod(0o644)
        users = write_users(directory, NAME, PASSWORD)
        of_all = ("--auth", "--certificate", certificate, "--key", key, "--fallback", "https://public.invalid/simple/")
        options = {server: (*of_all, "--users", users[server]) for server in HOSTS}
        yield Private(directory / "tree", authority, options)


@pytest.mark.parametrize("url", ["https://localhost/", "https://localhost/a.b/pypi"])
@pytest.mark.parametrize("server", HOSTS)
def test_a_check_finds_nothing(private: Private, tmp_path: Path, server: str, url: str) -> None:
    with serve_printed_config(server, private.tree, tmp_path / "scratch", url, *private.options[server]) as base:
        options = ("--strict", "--no-cache", "--ignore", "unknown-project")  # the second index does not exist
        done = subprocess.run(
            [sys.executable, "-m", "mkindex", "check", f"{base}simple/", *options],
            env={**os.environ, "HOME": str(tmp_path), **private.settings(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert (done.returncode, "0 errors, 0 warnings, 0 notes; 3 projects, 2 files" in done.stdout) == (0, True), (
        done.stdout + done.stderr
    )


@pytest.mark.parametrize("client", ["pip", "uv", "poetry", "pdm"])
@pytest.mark.parametrize("server", HOSTS)
def test_clients_install_with_a_password_and_are_refused_without(
    private: Private, tmp_path: Path, server: str, client: str
) -> None:
    home, stranger = tmp_path / "home", tmp_path / "stranger"
    home.mkdir()
    stranger.mkdir()
    settings = private.settings(home)
    url = "https://localhost/pypi"
    with serve_printed_config(server, private.tree, tmp_path / "scratch", url, *private.options[server]) as base:
        found = INSTALLERS[client](ClientHome(home, settings=settings), f"{base}simple/", ["demo-app"])
        if client in ("pip", "uv"):  # for the others, that takes long
            with pytest.raises(ClientFailed):
                INSTALLERS[client](ClientHome(stranger, settings=settings), f"{base}simple/", ["demo-app"])
    assert found == {"demo": "1.1", "demo-app": "1.0"}
