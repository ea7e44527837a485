"""micropip, the installer of Pyodide, in Node.js and in Chromium: it installs from every server, as documented."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.browser import run_browser
from support.clients import CLIENTS, KEPT_VARIABLES
from support.http_servers import serve_directory
from support.web_servers import serve_printed_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOME = CLIENTS / "pyodide"
INSTALL = """
import importlib.metadata, micropip
await micropip.install("demo-app", index_urls=index)
" ".join(importlib.metadata.version(name) for name in ("demo-app", "demo"))
"""
# micropip does not look at the Requires-Python of pages: demo 2.0 is for Pythons yet to come.
INSTALLED = "1.0 2.0"
SCRIPT = """
import { loadPyodide } from "pyodide";
import { readdirSync, readFileSync } from "fs";
const [wheels, index, code] = process.argv.slice(2);
const python = await loadPyodide();
for (const name of readdirSync(wheels)) python.unpackArchive(new Uint8Array(readFileSync(`${wheels}/${name}`)), "whl");
python.globals.set("index", index);
console.log("installed", await python.runPythonAsync(code));
process.exit(0);
"""
IN_BROWSER = """async ([wheels, index, code]) => {
  const { loadPyodide } = await import("/pyodide/pyodide.mjs");
  const python = await loadPyodide();
  for (const name of wheels) python.unpackArchive(await (await fetch(`/wheels/${name}`)).arrayBuffer(), "whl");
  python.globals.set("index", index);
  return await python.runPythonAsync(code);
}"""


@pytest.fixture(scope="module")
def script() -> Path:
    if not (HOME / ".ready").exists() or not shutil.which("node"):
        pytest.skip("MISSING: pyodide: make clients, with npm")  # whose registry is not reachable from everywhere
    path = HOME / "install.mjs"
    path.write_text(SCRIPT)
    return path


@pytest.fixture(params=["http.server", "mkindex serve", "nginx"])
def address(request: pytest.FixtureRequest, tree: Path, tmp_path: Path) -> Iterator[str]:
    """The address of the tree of the examples, with a slash at its end."""
    match request.param:
        case "http.server":
            with serve_directory(tree, tmp_path / "log") as server:
                yield server.url
        case "nginx":
            with serve_printed_config("nginx", tree, tmp_path) as url:
                yield url
        case _:
            command = [sys.executable, "-m", "mkindex", "serve", str(tree), "--bind", "127.0.0.1:0", "--quiet"]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout
                yield process.stdout.readline().partition(" at ")[2].partition(" ")[0]
                process.kill()


@pytest.mark.parametrize("index", ["simple", "simple/{package_name}/index.html"])
def test_micropip_installs(script: Path, address: str, index: str) -> None:
    command = ["node", str(script), str(HOME / "wheels"), f"{address}{index}", INSTALL]
    environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=200, check=False
    )
    assert done.stdout.splitlines()[-1:] == [f"installed {INSTALLED}"], f"{done.stdout[-2000:]} {done.stderr[-2000:]}"


@pytest.mark.usefixtures("script")
def test_micropip_installs_in_a_browser(
    request: pytest.FixtureRequest, address: str, tree: Path, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("<!DOCTYPE html><title>Pyodide</title>")
    (site / "pyodide").symlink_to(HOME / "node_modules/pyodide")
    (site / "wheels").symlink_to(HOME / "wheels")
    for path in tree.iterdir():
        if path.name != "index.html":
            (site / path.name).symlink_to(path)
    wheels = [path.name for path in (HOME / "wheels").iterdir()]
    with serve_directory(site, tmp_path / "site.log") as server, run_browser() as browser:
        page = browser.new_page()
        page.goto(server.url)
        # A page may read the index of another server only if that allows it (CORS), which http.server does not.
        url = server.url if request.node.callspec.params["address"] == "http.server" else address
        found = page.evaluate(IN_BROWSER, [wheels, f"{url}simple/{{package_name}}/index.html", INSTALL])
    assert found == INSTALLED
