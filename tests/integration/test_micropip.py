"""micropip, the installer of Pyodide, in Node.js: it installs from every server, with the documented addresses."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.clients import CLIENTS, KEPT_VARIABLES
from support.http_servers import serve_directory
from support.web_servers import serve_printed_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOME = CLIENTS / "pyodide"
SCRIPT = """
import { loadPyodide } from "pyodide";
import { readdirSync, readFileSync } from "fs";
const [wheels, index] = process.argv.slice(2);
const python = await loadPyodide();
for (const name of readdirSync(wheels)) python.unpackArchive(new Uint8Array(readFileSync(`${wheels}/${name}`)), "whl");
python.globals.set("index", index);
console.log("installed", await python.runPythonAsync(`
import importlib.metadata, micropip
await micropip.install("demo-app", index_urls=index)
" ".join(importlib.metadata.version(name) for name in ("demo-app", "demo"))
`));
process.exit(0);
"""


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
    command = ["node", str(script), str(HOME / "wheels"), f"{address}{index}"]
    environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=200, check=False
    )
    # micropip does not look at the Requires-Python of pages: demo 2.0 is for Pythons yet to come.
    assert done.stdout.splitlines()[-1:] == ["installed 1.0 2.0"], f"{done.stdout[-2000:]} {done.stderr[-2000:]}"
