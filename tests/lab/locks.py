"""Target of fuzzing: lock files, compared with their text, and with what `tomllib` and `json` read."""

from __future__ import annotations

import json
import tomllib
from urllib.parse import unquote

from mkindex.sources.locks.fields import BadLock
from mkindex.sources.locks.read import decode, parse_lock
from support.locks import (
    poetry_lock,
    poetry_package,
    project_files,
    pylock,
    pylock_package,
    requirement,
    sha256,
    uv_lock,
    uv_package,
)

URL = "https://host.example/"
NAMES = ("uv.lock", "pylock.toml", "poetry.lock", "Pipfile.lock", "requirements.txt")


def locks() -> list[bytes]:
    """A lock of each format; the first byte stands for its name."""
    files = project_files("demo", "1.0", "py3-none-any", "sdist", requires=["other; python_version < '3.9'"])
    hashes = [f"sha256:{sha256(content)}" for content in files.values()]
    pipfile = {
        "_meta": {"sources": [{"name": "main", "url": f"{URL}simple/"}]},
        "default": {"demo": {"version": "==1.0", "hashes": hashes, "markers": "os_name == 'nt'", "extras": ["x"]}},
    }
    root = 'dependencies = [{ name = "demo", marker = "os_name == \'nt\'", extra = ["x"] }]'
    texts = [
        uv_lock(uv_package("demo", "1.0", URL, files), root=root),
        pylock(pylock_package("demo", "1.0", URL, files, "marker = \"os_name == 'nt'\"")),
        poetry_lock(
            poetry_package("demo", "1.0", files, markers='extra == "x"', source=f"{URL}simple/"), extras="x = []"
        ),
        json.dumps(pipfile),
        requirement("demo", "1.0", files, "os_name == 'nt'"),
    ]
    return [bytes([number]) + text.encode() for number, text in enumerate(texts)]


def check_lock(data: bytes) -> str:
    """Each hash and filename of a lock is in its text, which an independent parser reads."""
    name, data = NAMES[data[0] % len(NAMES) if data else 0], data[1:]
    try:
        lock = parse_lock(data, f"/project/{name}")
    except BadLock:
        return ""
    text = decode(data)
    if lock.kind != "requirements":
        (json.loads if text.lstrip().startswith("{") else tomllib.loads)(text)
    if "\\" in text:  # it may be written in another way
        return ""
    plain = unquote(text)
    for link in (link for package in lock.packages for link in package.files):
        if link.sha256 not in text.lower() or link.filename not in plain:
            return f"{link} is not in it"
    return ""
