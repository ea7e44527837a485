"""The Nu HTML checker: what the W3C finds wrong in pages."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from support.clients import CLIENTS
from support.requirements import skip_or_fail

if TYPE_CHECKING:
    from collections.abc import Iterator

_JAR = CLIENTS / "vnu-jar/node_modules/vnu-jar/build/dist/vnu.jar"
# The checker compares the addresses of files as if they were of several sites, which browsers do not.
_NOT_OURS = "Resource violates Content Security Policy"


def findings(root: Path) -> Iterator[tuple[str, str]]:
    """Yield path and text of everything that the checker says about the HTML pages below a directory."""
    if not (_JAR.exists() and shutil.which("java")):
        skip_or_fail("Nu HTML checker: make clients, with npm, and Java")
    command = [
        "java",
        "-Xmx1g",
        "-jar",
        str(_JAR),
        "--format",
        "json",
        "--skip-non-html",
        "--exit-zero-always",
        str(root),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    for message in json.loads(done.stderr)["messages"]:
        if _NOT_OURS not in message["message"]:
            path = Path(unquote(urlsplit(message["url"]).path)).relative_to(root.resolve())
            yield path.as_posix(), message["message"]
