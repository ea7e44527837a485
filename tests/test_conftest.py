"""The test run itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
