"""What `mkindex add` opens of an index with two thousand files, as the kernel sees it."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

from support.requirements import skip_or_fail
from support.wheels import write_wheel

if TYPE_CHECKING:
    from pathlib import Path

_OPENED = re.compile(r'openat\(\S+ "(?P<path>[^"]+)".* = \d+$', re.MULTILINE)


def test_adding_one_file_opens_no_published_file_and_no_page_of_another_project(tmp_path: Path) -> None:
    for name in ("wheels", "dist"):
        (tmp_path / name).mkdir()
    for number in range(2_000):
        write_wheel(tmp_path / "wheels", f"p{number:04}", "1.0", mtime=1_700_000_000)
    new = write_wheel(tmp_path / "dist", "p0007", "2.0", mtime=1_700_000_000)
    mkindex = [sys.executable, "-m", "mkindex"]
    subprocess.run([*mkindex, "wheels", "public", "-q", "--no-cache"], cwd=tmp_path, check=True)
    trace = tmp_path / "trace"
    try:
        strace = ["strace", "-f", "-e", "trace=open,openat", "-o", str(trace)]
        subprocess.run([*strace, *mkindex, "add", "dist", "public", "-q", "--no-cache"], cwd=tmp_path, check=True)
    except FileNotFoundError:
        skip_or_fail("strace")
    opened = [match["path"] for match in _OPENED.finditer(trace.read_text("utf-8", "replace"))]
    files = {path.rpartition("/")[2].removesuffix(".metadata") for path in opened if ".whl" in path}
    pages = [path for path in opened if path.endswith("index.v1_json")]
    assert (files, len(pages) <= 2) == ({new.name}, True)
