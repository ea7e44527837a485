"""Lists of files, and the wheels that they name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mkindex import cli
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

FILES_URL = "https://files.example/whl"
FILE = "demo-1.0-py3-none-any.whl"
A, B, MD5 = "a1" * 32, "b2" * 32, "c3" * 16


def make_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with wheels and sdists, and another one as working directory."""
    (tmp_path / "wheels/sub").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    write_wheel(tmp_path / "wheels", "demo", "1.0", requires_python=">=3.9")
    write_sdist(tmp_path / "wheels", "demo", "1.0")
    write_wheel(tmp_path / "wheels/sub", "other", "2.0")
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path


def objects(*entries: dict[str, Any]) -> bytes:
    return "".join(f"{json.dumps(entry)}\n" for entry in entries).encode()


EVERYTHING: dict[str, Any] = {
    "filename": FILE,
    "hash": f"sha256={A}",
    "requires_dist": ["click", "attrs; extra == 'x'"],
    "requires_python": ">=3.9, <4",
    "core_metadata": f"sha256={B}",
    "uploaded_by": "asottile",
    "upload_timestamp": 1767323045,
    "yanked_reason": 'broken <on> "purpose"',
}


def run(*arguments: str) -> int:
    """Build without a cache, and return the exit status."""
    return cli.run([*arguments, "--no-cache", "--quiet"])
