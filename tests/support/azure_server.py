"""Azure Blob Storage on this machine (azurite, `make clients`), with one container."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import subprocess
import time
from contextlib import contextmanager
from email.utils import formatdate
from typing import TYPE_CHECKING
from urllib.request import ProxyHandler, Request, build_opener

from support.clients import CLIENTS
from support.requirements import skip_or_fail

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTAINER = "a-container"
# The account that azurite has; it is no secret.
_ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@contextmanager
def run_container(own: Path) -> Iterator[dict[str, str]]:
    """Run a server with an empty container, and yield the variables with which tools use it."""
    home = CLIENTS / "azurite"
    if not (home / ".ready").exists():
        skip_or_fail("azurite: make clients (requires npm)")
    log = own / "log"
    command = [str(home / "node_modules/.bin/azurite-blob"), "--inMemoryPersistence", "--skipApiVersionCheck"]
    command += ["--silent", "--blobHost", "127.0.0.1", "--blobPort", "0"]
    with log.open("a") as errors, subprocess.Popen(command, stdout=errors, stderr=errors, cwd=own) as process:
        try:
            deadline = time.monotonic() + 60
            while not (started := re.search(r"listens on (http://\S+)\n", log.read_text())):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            endpoint = f"{started[1]}/{_ACCOUNT}"
            _create_container(endpoint)
            yield {
                "no_proxy": "127.0.0.1",
                "AZURE_STORAGE_ENDPOINT": endpoint,
                "AZURE_STORAGE_ACCOUNT_NAME": _ACCOUNT,
                "AZURE_STORAGE_ACCOUNT_KEY": _KEY,
            }
        finally:
            process.kill()


def _create_container(endpoint: str) -> None:
    """Create the container, with a request that is signed as Azure's "Shared Key" says."""
    date, version = formatdate(usegmt=True), "2021-08-06"
    headers = f"x-ms-blob-public-access:container\nx-ms-date:{date}\nx-ms-version:{version}\n"
    # The account is in the path of an emulator, and once more before it.
    resource = f"/{_ACCOUNT}/{_ACCOUNT}/{CONTAINER}\nrestype:container"
    text = "PUT\n" + "\n" * 11 + headers + resource
    digest = hmac.digest(base64.b64decode(_KEY), text.encode(), hashlib.sha256)
    request = Request(f"{endpoint}/{CONTAINER}?restype=container", method="PUT")
    request.add_header("x-ms-blob-public-access", "container")
    request.add_header("x-ms-date", date)
    request.add_header("x-ms-version", version)
    request.add_header("Authorization", f"SharedKey {_ACCOUNT}:{base64.b64encode(digest).decode()}")
    with build_opener(ProxyHandler({})).open(request) as answer:
        assert answer.status == 201
