"""Serve a published tree with nginx and the configuration that `mkindex host nginx` prints."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from mkindex.hosts.server_config import ServerConfig
from mkindex.site.templates import Templates


def program() -> str | None:
    """Return the path of nginx, None if it is not installed."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def nginx(tree: str, work: str, *, certificate: tuple[str, str] | None = None) -> Iterator[str]:
    """Serve `tree` on a free port and yield the address. `work` is a new directory; its file `log` has the requests.

    `certificate`: files of a certificate and its key, for https and HTTP/2.
    """
    nginx = program()
    assert nginx
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.makedirs(work)
    url = f"{'https' if certificate else 'http'}://127.0.0.1:{port}/"
    own, key = certificate or (None, None)
    hosting = ServerConfig(root=os.path.abspath(tree), url=url, certificate=own, key=key)
    printed = Templates().render("hosts/nginx.conf", hosting=hosting).decode().replace(" ssl;", " ssl http2;")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {work}/{kind};\n" for kind in kinds)
    # If nginx starts as root, its workers run as another user, who may not read the directories of tests.
    user = "user root;\n" if os.geteuid() == 0 else ""
    with open(f"{work}/nginx.conf", "w") as configuration:
        configuration.write(
            f"daemon off;\n{user}pid {work}/pid;\nworker_processes 1;\nerror_log {work}/error;\nevents {{}}\n"
            f"http {{\naccess_log {work}/log;\n{temporary}{printed}}}\n"
        )
    command = [nginx, "-c", f"{work}/nginx.conf", "-e", f"{work}/error"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for(port, server)
            yield url
        finally:
            server.terminate()


def _wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(1500):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            if server.poll() is not None:
                break
            time.sleep(0.02)
    raise SystemExit("nginx does not start")
