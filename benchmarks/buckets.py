"""Measure a bucket as source beside `aws s3 sync`: `python -m benchmarks.buckets 10000 --kib 100`.

It needs the S3 emulator in .clients/moto and the AWS CLI in .clients/awscli. In a bucket of N wheels, half of them have
their hash in the metadata of the object. Three runs of each program are measured: the first one, one without changes,
and one after a wheel was added. For each it prints seconds, requests and bytes received, in all and a file, and the
peak of memory. The emulator takes most of the time, so that the rest is what counts.

mkindex writes an index that names the objects where they are; `aws s3 sync` copies them to this machine, which is what
a script that makes an index with a program for directories begins with. `--manage FILE` runs s3_management/manage.py of
github.com/pytorch/test-infra, too, which makes the index of the wheels of PyTorch: it asks for each object and its
`.metadata`, and reads no METADATA. It remembers nothing, so it is run once.
"""

import argparse
import hashlib
import io
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from benchmarks.corpus import Name, many, tiny_wheel

_CLIENTS = Path(__file__).resolve().parents[1] / ".clients"
_BUCKET, _PREFIX = "pytorch", "whl"  # those that manage.py reads


class Line:
    """Forwards connections to a server of this machine, and counts the bytes that it sends."""

    def __init__(self, port: int) -> None:
        self.received = 0
        self._port = port
        self._counting = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=1000)
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            near, _ = self._listening.accept()
            far = socket.create_connection(("127.0.0.1", self._port))
            for one, other, is_answer in (near, far, False), (far, near, True):
                threading.Thread(target=self._forward, args=(one, other, is_answer), daemon=True).start()

    def _forward(self, one: socket.socket, other: socket.socket, is_answer: bool) -> None:
        try:
            while data := one.recv(1 << 16):
                if is_answer:
                    with self._counting:
                        self.received += len(data)
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            other.close()  # which ends the other direction, too


def main() -> None:
    """Measure, and print a line for each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int)
    parser.add_argument("--kib", type=int, default=0, help="KiB of data in each wheel, besides its code (default: 0)")
    parser.add_argument("--manage", metavar="FILE", help="s3_management/manage.py of pytorch/test-infra")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, _serve(Path(scratch, "log")) as port:
        line = Line(port)
        os.environ |= {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
        os.environ |= {"AWS_ENDPOINT_URL": line.url, "no_proxy": "127.0.0.1"}
        client = boto3.client("s3")
        client.create_bucket(Bucket=_BUCKET)
        names = list(many(options.count + 1))
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda number: _put(client, number, names[number], options.kib), range(options.count)))
        where = [f"s3://{_BUCKET}/{_PREFIX}", f"{scratch}/public", "--quiet", "--cache-dir", f"{scratch}/cache"]
        sync = [
            str(_CLIENTS / "awscli/bin/aws"),
            "s3",
            "sync",
            f"s3://{_BUCKET}/{_PREFIX}",
            f"{scratch}/dist",
            "--quiet",
        ]
        commands = {"mkindex": [sys.executable, "-m", "mkindex", *where], "aws s3 sync": sync}
        manage = [sys.executable, os.path.abspath(options.manage or ""), _PREFIX, "--do-not-upload"]
        for what in "first", "no change", "one added":
            if what == "one added":
                _put(client, options.count, names[options.count], options.kib)
            for program, command in commands.items():
                print(f"{what}, {program}: {_measure(command, line, scratch, options.count)}", flush=True)
            if what == "first" and options.manage:
                print(f"each, manage.py: {_measure(manage, line, scratch, options.count)}", flush=True)


@contextmanager
def _serve(log: Path) -> Iterator[int]:
    """Run the emulator, and yield its port."""
    command = [str(_CLIENTS / "moto/bin/moto_server"), "-H", "127.0.0.1", "-p", "0"]
    with log.open("a") as errors, subprocess.Popen(command, stdout=errors, stderr=errors) as server:
        try:
            while not (started := re.search(r"Running on http://\S+:(\d+)\n", log.read_text())):
                time.sleep(0.1)
            yield int(started[1])
        finally:
            server.kill()


def _measure(command: Sequence[str], line: Line, scratch: str, count: int) -> str:
    log = Path(scratch, "log")
    os.truncate(log, 0)
    before, started = line.received, time.monotonic()
    process = subprocess.Popen(command, cwd=scratch, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    seconds, received = time.monotonic() - started, line.received - before
    requests = len(re.findall(rf"(?:GET|HEAD) /{_BUCKET}", log.read_text(errors="replace")))
    return (
        f"{seconds:.1f} s, {requests:,} requests ({requests / count:.2f} a file), "
        f"{received:,} bytes ({received / count:,.0f} a file), {usage.ru_maxrss / 1024:.0f} MiB"
    )


def _put(client: Any, number: int, name: Name, kib: int) -> None:  # noqa: ANN401 (boto3 makes its classes at run time)
    data = _large_wheel(name, kib) if kib else tiny_wheel(*name)
    metadata = {"checksum-sha256": hashlib.sha256(data).hexdigest()} if number % 2 else {}
    client.put_object(Bucket=_BUCKET, Key=f"{_PREFIX}/{'-'.join(name)}.whl", Body=data, Metadata=metadata)


def _large_wheel(name: Name, kib: int) -> bytes:
    """Return a tiny wheel with a large member before the others."""
    data = random.Random(str(name)).randbytes(kib << 10)
    wheel = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(tiny_wheel(*name))) as tiny, zipfile.ZipFile(wheel, "w") as large:
        large.writestr(zipfile.ZipInfo(f"{name[0]}/data"), data)
        for member in tiny.infolist():
            large.writestr(member, tiny.read(member))
    return wheel.getvalue()


if __name__ == "__main__":
    main()
