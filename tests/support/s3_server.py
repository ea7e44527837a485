"""An S3 server on this machine (moto), and the AWS CLI, each in its own environment (`make clients`)."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote
from urllib.request import ProxyHandler, build_opener

import boto3
from botocore.config import Config as BotoConfig

from support.clients import CLIENTS, KEPT_VARIABLES
from support.requirements import skip_or_fail

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message

NAME = "an-index"
# S3 answers 404 for a missing key only to users that may list the bucket, and 403 to all others.
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{NAME}/*"},
        {"Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{NAME}"},
    ],
}
KEY, SECRET = "nobody", "nothing"
_REQUESTS = re.compile(r"(GET|HEAD|PUT|POST|DELETE) /an-index/(\S*?)(?:\?\S*)? HTTP")


@dataclass(frozen=True)
class Bucket:
    """A bucket that is public for reading."""

    endpoint: str
    log: Path

    @property
    def url(self) -> str:
        return f"{self.endpoint}/{NAME}/"

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which tools use this server."""
        return {
            "no_proxy": "127.0.0.1",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def run(self, *command: str | Path) -> str:
        """Run a command that finds `aws`, which uses this server; return its output."""
        environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ} | self.environment
        environment |= {"PATH": f"{CLIENTS / 'awscli' / 'bin'}:{os.environ['PATH']}", "HOME": str(self.log.parent)}
        done = subprocess.run(
            command, env=environment, cwd=self.log.parent, capture_output=True, text=True, timeout=120, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    @contextmanager
    def client(self) -> Iterator[Any]:
        """Open a client of boto3, which takes less time than a command of the AWS CLI."""
        keys = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "region_name": "us-east-1"}
        proxies = BotoConfig(proxies={})
        with closing(boto3.client("s3", endpoint_url=self.endpoint, config=proxies, **keys)) as client:
            yield client

    def listed(self) -> set[str]:
        with self.client() as client:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=NAME)
            return {one["Key"] for page in pages for one in page.get("Contents", ())}

    def get(self, key: str) -> tuple[bytes, Message]:
        """Return the bytes and the headers of an object, as a reader gets them over HTTP."""
        with build_opener(ProxyHandler({})).open(self.url + quote(key, safe="/")) as answer:
            return answer.read(), answer.headers

    def unfinished_uploads(self) -> list[str]:
        """Return the keys of the uploads in parts that were begun and did not end."""
        with self.client() as client:
            return [one["Key"] for one in client.list_multipart_uploads(Bucket=NAME).get("Uploads", ())]

    def changes(self) -> list[str]:
        """Return every change since the last call, as "PUT key" or "DELETE key", in the order of the server's log."""
        return [request for request in self.requests() if request.startswith(("PUT ", "DELETE "))]

    def requests(self) -> list[str]:
        """Return every request since the last call, such as "GET key", in the order of the server's log."""
        with self.log.open("r+") as log:
            found = [f"{method} {unquote(key)}" for method, key in _REQUESTS.findall(log.read())]
            log.truncate(0)
        return found


def create_bucket(server: Bucket) -> None:
    """Create the bucket, and let everybody read it."""
    with server.client() as client:
        client.create_bucket(Bucket=NAME)
        client.put_bucket_policy(Bucket=NAME, Policy=json.dumps(POLICY))
    server.changes()


@contextmanager
def run_bucket(own: Path) -> Iterator[Bucket]:
    """Run a server with an empty bucket; its log is in `own`."""
    for client in "moto", "awscli":
        if not (CLIENTS / client / ".ready").exists():
            skip_or_fail(f"{client}: make clients")
    log = own / "log"
    # With -P, the modules beside the script do not hide those of Python that have the same name.
    command = [str(CLIENTS / "moto/bin/python"), "-P", str(Path(__file__).with_name("moto_server.py"))]
    with log.open("a") as errors, subprocess.Popen(command, stdout=errors, stderr=errors) as process:
        try:
            deadline = time.monotonic() + 60
            while not (started := re.search(r"Running on (http://\S+)\n", log.read_text())):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            made = Bucket(started[1], log)
            create_bucket(made)
            yield made
        finally:
            process.kill()
