"""A certificate authority of the tests, and files of users: what the printed configurations of servers need."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from support.requirements import skip_or_fail
from support.web_servers import HOSTS

if TYPE_CHECKING:
    from pathlib import Path

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def issue_certificate(directory: Path) -> tuple[Path, Path, Path]:
    """Return the certificate of a new authority, and a certificate that it issued for localhost, with its key."""
    openssl = shutil.which("openssl") or skip_or_fail("openssl")
    authority, certificate, key = (directory / name for name in ("authority.pem", "localhost.pem", "localhost.key"))
    request, extensions = directory / "localhost.csr", directory / "extensions"
    extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    own: list[str | Path] = [
        "-subj",
        "/CN=Authority of the tests",
        "-out",
        authority,
        "-keyout",
        directory / "authority.key",
    ]
    issued_by: list[str | Path] = ["-CA", authority, "-CAkey", directory / "authority.key", "-CAcreateserial"]
    commands: list[list[str | Path]] = [
        ["req", "-x509", *_KEY, "-days", "2", *own],
        ["req", *_KEY, "-subj", "/CN=localhost", "-out", request, "-keyout", key],
        ["x509", "-req", "-in", request, *issued_by, "-days", "2", "-extfile", extensions, "-out", certificate],
    ]
    for command in commands:
        subprocess.run([openssl, *command], check=True, capture_output=True, timeout=60)
    return authority, certificate, key


def write_users(directory: Path, name: str, password: str) -> dict[str, Path]:
    """Write the file of users of each server, as the comments in the printed configurations say."""
    caddy = shutil.which("caddy") or skip_or_fail("caddy: apt-get install caddy")
    command = [caddy, "hash-password", "--plaintext", password]
    hashed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()
    (directory / "caddy").write_text(f"{name} {hashed}\n")
    openssl = shutil.which("openssl") or skip_or_fail("openssl")
    command = [openssl, "passwd", "-6", "-stdin"]
    crypted = subprocess.run(command, input=password, check=True, capture_output=True, text=True, timeout=60).stdout
    for server in ("nginx", "apache"):
        (directory / server).write_text(f"{name}:{crypted}")
    return {server: directory / server for server in HOSTS}
