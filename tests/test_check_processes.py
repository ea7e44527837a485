"""A check of a directory in processes: it finds what a check in threads finds."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.wheels import wheel

if TYPE_CHECKING:
    from pathlib import Path

COUNT = 60
MISSING, FAR, LARGE, DAMAGED = 3, 7, 20, 59  # projects that differ from the others
# In a process of its own, since one with threads cannot be forked.
SCRIPT = """
import json, os, sys
from mkindex.check.engine import CheckOptions, check
from mkindex.check.walk import Walk

tree, jobs, log = sys.argv[1:]
check_here = Walk.check_here

def counted(walk, link):
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, f"{link.name}\\n".encode())
    os.close(descriptor)
    return check_here(walk, link)

Walk.check_here = counted
report = check(CheckOptions(target=tree, jobs=int(jobs), files="deep"))
findings = [[one.rule.name, one.page, one.file, one.text] for one in report.findings]
print(json.dumps([findings, report.projects, report.files, report.inspected, report.read]))
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of many projects, each with one wheel; some of them are wrong."""
    tree = tmp_path_factory.mktemp("tree")
    names = [f"demo{number}" for number in range(COUNT)]
    for number, name in enumerate(names):
        page, filename = tree / "simple" / name, f"{name}-1.0-py3-none-any.whl"
        page.mkdir(parents=True)
        content = wheel(name, "1.0")
        if number != MISSING:
            (page / filename).write_bytes(content[:99] if number == DAMAGED else content)
        url = f"http://127.0.0.1:9/{filename}" if number == FAR else filename
        size = 1 << 30 if number == LARGE else len(content)
        entry = {"filename": filename, "url": url, "hashes": {}, "size": size}
        document = {"meta": {"api-version": "1.1"}, "name": name, "versions": ["1.0"], "files": [entry]}
        (page / "index.v1_json").write_text(json.dumps(document))
    root = {"meta": {"api-version": "1.1"}, "projects": [{"name": name} for name in names]}
    (tree / "simple/index.v1_json").write_text(json.dumps(root))
    return tree


def run_check(tree: Path, jobs: int, log: Path) -> object:
    command = [sys.executable, "-c", SCRIPT, str(tree), str(jobs), str(log)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def test_processes_find_what_threads_find(tree: Path, tmp_path: Path) -> None:
    alone, shared = run_check(tree, 1, tmp_path / "alone"), run_check(tree, 2, tmp_path / "shared")
    assert alone == shared
    assert isinstance(alone, list)
    wrong = {file.partition("-")[0] for rule, _, file, _ in alone[0] if rule in ("file-missing", "file-size")}
    assert wrong == {f"demo{number}" for number in (MISSING, FAR, LARGE, DAMAGED)}
    assert not (tmp_path / "alone").exists()  # all in threads
    assert sorted((tmp_path / "shared").read_text().split()) == sorted(f"demo{number}" for number in range(COUNT))
