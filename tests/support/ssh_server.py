"""A real sshd on this machine, for one user: the one who runs the tests."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from support.requirements import skip_or_fail
from support.web_servers import run_on_free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SSHD = "/usr/sbin/sshd"
HOST = "packages.example.com"


@dataclass(frozen=True)
class SshServer:
    """A server that ssh, scp and rsync reach as packages.example.com, with mkindex installed."""

    programs: Path  # a directory with ssh, scp and mkindex

    def run(self, script: str, cwd: Path, **variables: str) -> None:
        """Run a script of the client with bash, which stops at the first command that fails."""
        environment = os.environ | {"PATH": f"{self.programs}:{os.environ['PATH']}"} | variables
        command = ["bash", "-euo", "pipefail", "-c", script]
        done = subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done


@contextmanager
def run_ssh_server(own: Path) -> Iterator[SshServer]:
    """Run sshd with keys in `own`."""
    for program in (SSHD, "ssh", "rsync"):
        if not shutil.which(program):
            skip_or_fail(f"{program}: apt-get install openssh-server rsync")
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)  # where sshd separates privileges
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(own / name)], check=True)
    shutil.copy(own / "user.pub", own / "authorized_keys")
    programs = own / "programs"
    programs.mkdir()
    _write_program(programs / "mkindex", [sys.executable, "-m", "mkindex"])
    (own / "sshd_config").write_text(
        f"HostKey {own}/host\nAuthorizedKeysFile {own}/authorized_keys\nStrictModes no\nUsePAM no\nPidFile none\n"
        f"PermitRootLogin yes\nSubsystem sftp internal-sftp\n"
        f'SetEnv "PATH={programs}:{os.environ["PATH"]}" "PYTHONPATH={os.environ.get("PYTHONPATH", "")}"\n'
    )

    def command(port: int) -> list[str]:
        (own / "config").write_text(
            f"Host {HOST}\nHostName 127.0.0.1\nPort {port}\nIdentityFile {own}/user\nIdentitiesOnly yes\n"
            f"StrictHostKeyChecking no\nUserKnownHostsFile {own}/known_hosts\nLogLevel ERROR\n"
        )
        listen = ["-o", "ListenAddress=127.0.0.1", "-p", str(port)]
        return [SSHD, "-D", "-e", "-f", str(own / "sshd_config"), *listen]

    with run_on_free_port(command, own / "log"):
        for name in ("ssh", "scp"):
            _write_program(programs / name, [str(shutil.which(name)), "-F", str(own / "config")])
        yield SshServer(programs)


def _write_program(path: Path, command: list[str]) -> None:
    path.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    path.chmod(0o755)


USER = getpass.getuser()
