"""The function for CloudFront that docs/hosting/s3.md shows, run by Node.js on requests like those of CloudFront."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.requirements import skip_or_fail

PAGE = Path(__file__).resolve().parents[2] / "docs/hosting/s3.md"
PIP = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
UV = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
FILE = "/python/files/aa/bb/demo-1.0-py3-none-any.whl"


@pytest.mark.parametrize(
    ("path", "accept", "expected"),
    [
        *((f"/python/simple/{name}", accept, "index.v1_json") for name in ("", "demo-app/") for accept in (PIP, UV)),
        ("/simple/demo/", "application/vnd.pypi.simple.latest+json", "index.v1_json"),
        ("/simple/demo/", "Application/Vnd.PyPI.Simple.v1+JSON", "index.v1_json"),
        *(("/simple/demo/", accept, "index.html") for accept in (None, "*/*", BROWSER, "application/json")),
        ("/simple/demo/", "application/vnd.pypi.simple.v1+html", "index.html"),
        ("/python/", PIP, "index.html"),
        ("/", PIP, "index.html"),
        (FILE, PIP, ""),
        (f"{FILE}.metadata", UV, ""),
        ("/simple/demo/index.html", PIP, ""),
        ("/python/simple/demo", UV, 301),
        ("/simple", None, 301),
        ("/simple.css", None, ""),
    ],
)
def test_the_function_names_the_page_that_a_client_wants(path: str, accept: str | None, expected: str | int) -> None:
    if not shutil.which("node"):
        skip_or_fail("node")
    (function,) = re.findall(r"```js\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    headers = {"accept": {"value": accept}} if accept else {}
    event = json.dumps({"request": {"method": "GET", "uri": path, "headers": headers}})
    script = f"{function}\nconsole.log(JSON.stringify(handler({event})))"
    done = subprocess.run(["node", "-"], input=script, capture_output=True, text=True, timeout=60, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    if expected == 301:
        assert (answer["statusCode"], answer["headers"]) == (301, {"location": {"value": f"{path}/"}})
    else:
        assert answer == {"method": "GET", "uri": f"{path}{expected}", "headers": headers}
