"""Measure a bucket as source: `python -m benchmarks.buckets 10000`, with the S3 emulator in .clients/moto.

For a bucket of N wheels, half of them with their hash in the metadata of the object, it prints the time, the requests
and the peak memory of three builds: the first one, one without changes, and one after a wheel was added. The emulator
takes most of the time; requests and memory are what counts.
"""

import argparse
import hashlib
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
from benchmarks.corpus import many

_MOTO = Path(__file__).resolve().parents[1] / ".clients/moto/bin/moto_server"
_BUCKET = "wheels"


def main() -> None:
    """Measure, and print a line for each build."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int)
    count = parser.parse_args().count
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch, "log")
        command = [str(_MOTO), "-H", "127.0.0.1", "-p", "0"]
        with log.open("a") as errors, subprocess.Popen(command, stdout=errors, stderr=errors) as server:
            try:
                while not (started := re.search(r"Running on (http://\S+)\n", log.read_text())):
                    time.sleep(0.1)
                os.environ |= {"AWS_ENDPOINT_URL": started[1], "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
                os.environ |= {"AWS_DEFAULT_REGION": "us-east-1", "no_proxy": "127.0.0.1"}
                _measure(count, scratch, log)
            finally:
                server.kill()


def _measure(count: int, scratch: str, log: Path) -> None:
    client = boto3.client("s3")
    client.create_bucket(Bucket=_BUCKET)
    names = list(many(count + 1))
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: _put(client, number, *names[number]), range(count)))
    for what in "first build", "no change", "one added":
        if what == "one added":
            _put(client, count, *names[count])
        with log.open("r+") as file:
            file.truncate(0)
        started = time.monotonic()
        where = [f"s3://{_BUCKET}", f"{scratch}/public", "--quiet", "--cache-dir", f"{scratch}/cache"]
        subprocess.run([sys.executable, "-m", "mkindex", *where], check=True, stderr=subprocess.DEVNULL)
        seconds = time.monotonic() - started
        requests = log.read_text(errors="replace").count(f"/{_BUCKET}")
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024  # of any build so far
        print(f"{what}: {seconds:.1f} s, {requests:,} requests ({requests / count:.2f} a file), {memory:.0f} MiB")


def _put(client: object, number: int, project: str, version: str, tag: str) -> None:
    from benchmarks.corpus import tiny_wheel

    data = tiny_wheel(project, version, tag)
    metadata = {"sha256": hashlib.sha256(data).hexdigest()} if number % 2 else {}
    key = f"{project}-{version}-{tag}.whl"
    client.put_object(Bucket=_BUCKET, Key=key, Body=data, Metadata=metadata)  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
