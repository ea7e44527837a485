"""Programs that read an index and are no installers, with the settings that docs/readers.md gives."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import time
from base64 import b64encode
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from support.builds import publish
from support.clients import CLIENTS, KEPT_VARIABLES, SETTINGS, ClientFailed, ClientHome, installed_versions
from support.http_servers import serve_directory
from support.pages_host import PagesHost
from support.trees import read_tree
from support.web_servers import serve_printed_config
from support.wheels import metadata, write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINKS = ["Project-URL: Source, https://github.com/acme/demo", "Project-URL: Changelog, https://demo.example/changes"]


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with two releases of demo, a year and a half apart, in every form that readers know."""
    wheels, public = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("tree") / "public"
    write_wheel(wheels, "demo", "1.0", mtime=1_700_000_000)
    write_wheel(wheels, "demo", "1.1", metadata=metadata("demo", "1.1", headers=LINKS), mtime=1_750_000_000)
    write_sdist(wheels, "demo", "1.1", mtime=1_750_000_000)
    publish(wheels, public, host="github-pages", json_root="json/simple", legacy_json=True)
    return public


# --- Renovate ---------------------------------------------------------------------------------------------------------


class Update(NamedTuple):
    """What Renovate says of an update."""

    version: str
    released: str | None
    source: str | None
    changelog: str | None


def ask_renovate(registries: dict[str, str], scratch: Path) -> dict[str, Update]:
    """Look up the updates of one requirements file for each registry."""
    home = CLIENTS / "renovate"
    if not (home / ".ready").exists():
        pytest.skip("MISSING: renovate: make test-integration, with npm")  # which is not reachable from everywhere
    for name in registries:
        (scratch / name).mkdir(parents=True)
        (scratch / name / "requirements.txt").write_text("demo==1.0\n")
    rules = [{"matchFileNames": [f"{name}/**"], "registryUrls": [url]} for name, url in registries.items()]
    (scratch / "renovate.json").write_text(json.dumps({"packageRules": rules}))
    environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    environment |= {"HOME": str(scratch.parent), "LOG_LEVEL": "debug", "LOG_FORMAT": "json", "no_proxy": "127.0.0.1"}
    for command in ["git", "init", "--quiet"], ["git", "add", "."]:
        subprocess.run(command, cwd=scratch, env=environment, check=True)
    program = [home / "node/node_modules/.bin/node", home / "node_modules/renovate/dist/renovate.js"]
    done = subprocess.run(
        [*program, "--platform=local", "--dry-run=lookup", "--require-config=ignored"],
        cwd=scratch,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    found = next((one["config"] for one in messages if one["msg"] == "packageFiles with updates"), None)
    assert found, done.stdout[-2000:] + done.stderr
    return {file["packageFile"].partition("/")[0]: _update(*file["deps"]) for file in found["pip_requirements"]}


def _update(dependency: dict[str, Any]) -> Update:
    (update,) = dependency["updates"]
    links = dependency.get("sourceUrl"), dependency.get("changelogUrl")
    return Update(update["newVersion"], update.get("releaseTimestamp"), *links)


def test_renovate_reads_versions_times_and_links_where_the_documentation_says(public: Path, tmp_path: Path) -> None:
    with serve_printed_config("nginx", public, tmp_path / "nginx") as nginx, PagesHost() as pages:
        pages.content = read_tree(public)
        registries = {
            "nginx": f"{nginx}simple/",
            "nginx-legacy": f"{nginx}pypi/",
            "pages": f"{pages.url}simple/",
            "pages-json": f"{pages.url}json/simple/",
            "pages-legacy": f"{pages.url}pypi/",
        }
        found = ask_renovate(registries, tmp_path / "work")
    html = Update("1.1", None, None, None)
    times = html._replace(released="2025-06-15T15:06:40.000Z")
    everything = times._replace(source="https://github.com/acme/demo", changelog="https://demo.example/changes")
    assert found == {
        "nginx": times,
        "nginx-legacy": everything,
        "pages": html,
        "pages-json": times,
        "pages-legacy": everything,
    }


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_installers_find_nothing_where_pages_send_json_as_html(public: Path, home: ClientHome, client: str) -> None:
    target = home.path / "target"
    with PagesHost() as host:
        host.content = read_tree(public)

        def install(root: str) -> None:
            arguments = ["install", "--index-url", f"{host.url}{root}/", "--target", str(target), "demo==1.0"]
            home.pip("pip", *arguments) if client == "pip" else home.uv("pip", *arguments)

        with pytest.raises(ClientFailed, match=r"No matching distribution found|no versions? of demo"):
            install("json/simple")
        install("simple")
    assert installed_versions(target) == {"demo": "1.0"}


# --- hashin, devpi ----------------------------------------------------------------------------------------------------


def test_hashin_writes_the_hashes_with_which_pip_installs(public: Path, home: ClientHome) -> None:
    home.project.mkdir()
    requirements = home.project / "requirements.txt"
    requirements.write_text("")
    with serve_directory(public, home.path / "log") as server:
        home.run("hashin-1.0.5", "hashin", "--index-url", server.url, "-r", requirements, "demo")
        hashes = {hashlib.sha256(path.read_bytes()).hexdigest() for path in public.glob("files/*/*/demo-1.1*[lz]")}
        assert set(re.findall("sha256:([0-9a-f]{64})", requirements.read_text())) == hashes
        arguments = ["--require-hashes", "-r", str(requirements), "--target", str(home.path / "target")]
        home.pip("pip", "install", "--index-url", f"{server.url}simple/", *arguments)
    assert installed_versions(home.path / "target") == {"demo": "1.1"}


def _devpi(url: str, method: str, path: str, content: object, token: str = "") -> Any:  # noqa: ANN401 (JSON)
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if token:
        headers["X-Devpi-Auth"] = b64encode(f"root:{token}".encode()).decode()
    request = Request(f"{url}{path}", method=method, headers=headers, data=json.dumps(content).encode())
    with build_opener(ProxyHandler({})).open(request, timeout=60) as answer:
        return json.load(answer)


@contextmanager
def run_devpi(home: ClientHome) -> Iterator[str]:
    """Run a devpi server without indexes; yield its address, with a slash at its end."""
    place, log = home.path / "devpi", home.path / "devpi.log"
    home.run("devpi-server", "devpi-init", "--serverdir", place, "--no-root-pypi")
    program = CLIENTS / "devpi-server/bin/devpi-server"
    environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ} | SETTINGS
    with (
        log.open("w") as output,
        subprocess.Popen(
            [program, "--serverdir", place, "--port", "0"],
            env=environment | {"HOME": str(home.path)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            deadline = time.monotonic() + 120
            while not (started := re.search(r"Serving on (http://127\.0\.0\.1:\d+)", log.read_text())):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            yield f"{started[1]}/"
        finally:
            process.kill()


def test_devpi_mirrors_an_index(public: Path, home: ClientHome) -> None:
    with serve_directory(public, home.path / "log") as server, run_devpi(home) as url:
        token = _devpi(url, "POST", "+login", {"user": "root", "password": ""})["result"]["password"]
        mirror = {"type": "mirror", "mirror_url": f"{server.url}simple/"}
        _devpi(url, "PUT", "root/ours", mirror, token)
        for version in "1.0", "1.1":
            home.pip("pip", "download", "--index-url", f"{url}root/ours/+simple/", "--dest", "got", f"demo=={version}")
    got = {path.name: path.read_bytes() for path in (home.project / "got").iterdir()}
    assert got == {path.name: path.read_bytes() for path in public.glob("files/*/*/*.whl")}
