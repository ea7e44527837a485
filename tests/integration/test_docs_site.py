"""The documentation site is built without a warning: no broken link, no page that nothing leads to."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from mkindex.config.table import OPTIONS, RUN_OPTIONS
from support.requirements import skip_or_fail

ROOT = Path(__file__).resolve().parents[2]


def test_the_site_has_every_page_and_option_and_no_broken_link(tmp_path: Path) -> None:
    if not find_spec("sphinx"):
        skip_or_fail("sphinx: make docs")
    options = ["--quiet", "--nitpicky", "--fail-on-warning", "--keep-going", "--doctree-dir", f"{tmp_path}/doctrees"]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *options, str(ROOT / "docs"), f"{tmp_path}/site"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    pages = {str(page.relative_to(ROOT / "docs").with_suffix("")) for page in (ROOT / "docs").rglob("*.md")}
    built = {str(page.relative_to(tmp_path / "site").with_suffix("")) for page in (tmp_path / "site").rglob("*.html")}
    assert pages - built == set()
    text = (tmp_path / "site/options.html").read_text("utf-8")
    assert [one.flag for one in (*OPTIONS, *RUN_OPTIONS) if f"{one.flag}" not in text] == []
