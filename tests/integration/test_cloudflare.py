"""A tree for Cloudflare Pages, served by Cloudflare's server for development, which reads `_headers` as Pages does."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import time
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from support.builds import publish
from support.clients import CLIENTS, INSTALLERS, KEPT_VARIABLES, SETTINGS, ClientHome
from support.trees import read_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PYPI_JSON = "application/vnd.pypi.simple.v1+json"
PAGE, FILE = "public, max-age=0, must-revalidate", "public, max-age=31536000, immutable"


@pytest.fixture(scope="module")
def public(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pages") / "public"
    publish(wheels, directory, host="cloudflare-pages", json_root="simple-json", legacy_json=True)
    return directory


@pytest.fixture(scope="module")
def address(public: Path) -> Iterator[str]:
    """The address of the tree, without a slash at its end."""
    program = CLIENTS / "wrangler/node_modules/.bin/wrangler"
    if not (CLIENTS / "wrangler/.ready").exists() or not shutil.which("node"):
        pytest.skip("MISSING: wrangler: make clients, with npm")  # whose registry is not reachable from everywhere
    own = public.parent
    # The origin of requests, which it would otherwise request from Cloudflare.
    (own / "node_modules/.mf").mkdir(parents=True)
    (own / "node_modules/.mf/cf.json").write_text("{}")
    environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ} | SETTINGS
    environment |= {"HOME": str(own), "WRANGLER_SEND_METRICS": "false", "NO_UPDATE_NOTIFIER": "1", "CI": "1"}
    command = [program, "pages", "dev", public, "--ip=127.0.0.1", "--port=0", "--compatibility-date=2025-09-01"]
    log = own / "log"
    with (
        log.open("w") as output,
        subprocess.Popen(
            list(map(str, command)),
            cwd=own,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            deadline = time.monotonic() + 60
            while not (started := re.search(r"Ready on (http://\S+)", log.read_text())):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield started[1]
        finally:
            os.killpg(process.pid, 9)


def get(url: str) -> tuple[int, str | None, str | None, str | None, bytes]:
    """Return status, type, Cache-Control, Content-Encoding and bytes of the answer at an address."""
    try:
        answer = build_opener(ProxyHandler({})).open(Request(url, headers={"Accept-Encoding": "gzip"}))
    except HTTPError as error:
        answer = error
    with answer:
        headers = answer.headers
        assert headers["Access-Control-Allow-Origin"] == "*"
        encoding = headers["Content-Encoding"]
        return answer.status, headers["Content-Type"], headers["Cache-Control"], encoding, answer.read()


def test_everything_has_its_type_and_files_arrive_as_they_are(public: Path, address: str) -> None:
    for path, content in read_tree(public).items():
        if path in ("_headers", ".nojekyll"):
            continue
        status, kind, cached, encoding, received = get(
            f"{address}/{path.removesuffix('index.html').replace('+', '%2B')}"
        )
        if path.startswith("files/"):
            assert (status, kind, cached, encoding, received) == (200, "application/octet-stream", FILE, None, content)
        elif path.endswith("v1_json") or path.startswith("simple-json/"):
            assert (status, kind, cached, encoding, received) == (200, PYPI_JSON, PAGE, None, content)
        elif path.startswith("pypi/"):
            # Pages compresses this type, as any page; readers ask for what they can decompress.
            body = gzip.decompress(received) if encoding == "gzip" else received
            assert (status, kind, cached, body) == (200, "application/json", PAGE, content)
        else:
            assert (status, kind, cached) == (200, "text/html; charset=utf-8", PAGE)
    assert get(f"{address}/simple/nix/")[:2] == (404, "text/html; charset=utf-8")
    assert get(f"{address}/simple-json/nix/")[0] == 404
    assert get(f"{address}/_headers")[0] == 404


@pytest.mark.parametrize("root", ["simple", "simple-json"])
@pytest.mark.parametrize("client", ["pip", "uv", "poetry"])
def test_clients_install_from_both_roots(client: str, root: str, home: ClientHome, address: str) -> None:
    found = INSTALLERS[client](
        home, f"{address}/{root}/", ["demo-app[color]==1.0", "demo-cuda==1.0+cu128", "demo-source"]
    )
    assert found == {
        "demo": "1.1",
        "demo-app": "1.0",
        "demo-colors": "1.0",
        "demo-cuda": "1.0+cu128",
        "demo-source": "1.0",
    }
