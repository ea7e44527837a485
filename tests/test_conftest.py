"""The test run itself."""

from __future__ import annotations

import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest

from support.secrets import find_secrets, has_secret

TESTS = Path(__file__).parent


@pytest.mark.slow
def test_a_run_that_was_started_with_sigint_ignored_can_interrupt(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "signals_wait", "test_manifest.py")
    ignoring = ("sh", "-c", "trap '' INT; exec \"$@\"", "sh")
    done = subprocess.run(
        [*ignoring, *command, f"--basetemp={tmp_path / 'own'}"],
        cwd=TESTS,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_secrets_are_found_in_trees_and_caches_as_text_and_in_base64(tmp_path: Path) -> None:
    files = ("public/.mkindex/manifest", "public/simple/a/index.html", "cache/facts.sqlite3", "list.txt")
    texts = (b"hunter2", b64encode(b"x:hunter2"), b64encode(b"hunter2"), b"hunter2")
    for path, text in zip(files, texts, strict=True):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"0" + text)
    assert sorted(find_secrets(tmp_path)) == sorted(f"{tmp_path}/{path}" for path in files[:3])
    assert has_secret(b64encode(b"xx:hunter2").decode())
    assert not has_secret("a hunt")
