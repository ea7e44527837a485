"""Ceph's Object Gateway (radosgw) on this machine: a cluster of one monitor and one OSD in memory, with one bucket.

Debian's packages: radosgw, ceph-mon, ceph-osd and ceph-common. Nothing of them is running before or after.
"""

from __future__ import annotations

import base64
import os
import shutil
import socket
import struct
import subprocess
import time
import uuid
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from support.requirements import skip_or_fail
from support.s3_server import KEY, SECRET, Bucket, create_bucket

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
_CONFIGURATION = """\
[global]
fsid = {cluster}
mon_host = v2:127.0.0.1:{port}
keyring = {own}/keyring
auth_allow_insecure_global_id_reclaim = false
run_dir = {own}
log_file = {own}/$name.log
mon_cluster_log_file = {own}/cluster.log
admin_socket =
mon_data = {own}/mon
osd_data = {own}/osd
rgw_data = {own}/rgw
osd_objectstore = memstore
memstore_device_bytes = 2147483648
osd_pool_default_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_data_avail_crit = 1
paxos_propose_interval = 0.05
paxos_min_wait = 0.01
[osd]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
[client]
debug_rgw = 1
"""


# The monitor creates all users from this. The gateway does not run without keys, as monitor and OSD would.
_KEYRING = """\
[mon.]
key = {key}
caps mon = "allow *"
[osd.0]
key = {key}
caps mon = "allow *"
caps osd = "allow *"
[client.admin]
key = {key}
caps mon = "allow *"
caps osd = "allow *"
"""


@contextmanager
def run_ceph(own: Path) -> Iterator[Bucket]:
    """Run a cluster with an empty bucket; its files are in `own`."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        skip_or_fail(f"{', '.join(missing)}: apt-get install radosgw ceph-mon ceph-osd ceph-common")
    for name in "mon", "osd", "rgw":
        (own / name).mkdir()
    cluster, port, web_port = str(uuid.uuid4()), _free_port(), _free_port()
    configuration = own / "ceph.conf"
    configuration.write_text(_CONFIGURATION.format(cluster=cluster, port=port, own=own))

    (own / "keyring").write_text(_KEYRING.format(key=_make_key()))

    def run(program: str, *arguments: str) -> None:
        command = [program, "--conf", str(configuration), *arguments]
        done = subprocess.run(command, cwd=own, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done

    with ExitStack() as running:

        def start(program: str, *arguments: str) -> None:
            command = [program, "--conf", str(configuration), "--foreground", *arguments]
            output = running.enter_context((own / f"{program}.out").open("w"))
            process = running.enter_context(subprocess.Popen(command, cwd=own, stdout=output, stderr=output))
            running.callback(process.kill)

        run("monmaptool", "--create", "--fsid", cluster, "--addv", "a", f"[v2:127.0.0.1:{port}]", "monmap")
        run("ceph-mon", "--mkfs", "--id", "a", "--monmap", "monmap", "--keyring", "keyring")
        start("ceph-mon", "--id", "a")
        disk = str(uuid.uuid4())
        run("ceph", "--connect-timeout", "30", "osd", "new", disk)
        run("ceph-osd", "--mkfs", "--id", "0", "--osd-uuid", disk)
        start("ceph-osd", "--id", "0")
        user = ["--uid=nobody", "--display-name=nobody", f"--access-key={KEY}", f"--secret-key={SECRET}"]
        run("radosgw-admin", "user", "create", *user)
        start("radosgw", "--name", "client.admin", f"--rgw-frontends=beast endpoint=127.0.0.1:{web_port}")
        made = Bucket(f"http://127.0.0.1:{web_port}", own / "client.admin.log")
        _wait_for(made.endpoint)
        create_bucket(made)
        yield made


def _make_key() -> str:
    """Return a new key: its type, when it was made, and 16 bytes."""
    return base64.b64encode(struct.pack("<HIIH", 1, 0, 0, 16) + os.urandom(16)).decode()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            build_opener(ProxyHandler({})).open(address).close()
            return
        except URLError:
            assert time.monotonic() < deadline, address
            time.sleep(0.1)
