"""The index of the examples is byte for byte the one in golden/, on any machine.

After a change of the published tree: `MKINDEX_GOLDEN=write pytest tests/test_golden.py`, then read the diff.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.builds import publish, write_files
from support.trees import is_page, read_tree

pytestmark = pytest.mark.slow

GOLDEN = Path(__file__).parent / "golden"
MAKE = Path(__file__).parent.parent / "examples" / "make.py"
WRITE = os.environ.get("MKINDEX_GOLDEN") == "write"

# mkindex, with the entries of each directory in another order.
SHUFFLED = """
import os, random, sys

scandir, listdir, chance = os.scandir, os.listdir, random.Random(sys.argv[1])

class Shuffled(list):
    def __init__(self, path):
        with scandir(path) as entries:
            super().__init__(chance.sample(there := list(entries), len(there)))
    def __enter__(self):
        return self
    def __exit__(self, *_):
        pass

os.scandir = Shuffled
os.listdir = lambda path=".": chance.sample(there := listdir(path), len(there))
os.umask(int(sys.argv[2], 8))

from mkindex.cli import run

sys.exit(run(sys.argv[3:]))
"""


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    subprocess.run([sys.executable, MAKE, tmp_path / "examples"], check=True)
    return tmp_path / "examples"


def describe(public: Path) -> dict[str, str]:
    """Return pages as text, and files by their hash."""
    return {
        path: data.decode("ascii") if is_page(path) else hashlib.sha256(data).hexdigest()
        for path, data in read_tree(public).items()
    }


def read_golden() -> dict[str, str]:
    pages = {path: data.decode("ascii") for path, data in read_tree(GOLDEN / "pages").items()}
    lines = (line.split("  ", 1) for line in (GOLDEN / "files.sha256").read_text("ascii").splitlines())
    return pages | {path: sha256 for sha256, path in lines}


def write_golden(made: dict[str, str]) -> None:
    shutil.rmtree(GOLDEN, ignore_errors=True)
    write_files(GOLDEN / "pages", ((path, text.encode("ascii")) for path, text in made.items() if is_page(path)))
    lines = sorted(f"{sha256}  {path}\n" for path, sha256 in made.items() if not is_page(path))
    write_files(GOLDEN, [("files.sha256", "".join(lines).encode("ascii"))])


def test_the_index_of_the_examples_is_the_golden_one(examples: Path, tmp_path: Path) -> None:
    publish(examples, tmp_path / "public", links=True)
    if WRITE:
        write_golden(describe(tmp_path / "public"))
    assert describe(tmp_path / "public") == read_golden()


def test_an_index_that_was_built_step_by_step_is_the_golden_one(examples: Path, tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    files = random.Random(1).sample(names := sorted(os.listdir(examples)), len(names))
    for number, name in enumerate(files):
        os.link(examples / name, tmp_path / "wheels" / name)
        if number % 3 == 2:  # one that comes back later
            (tmp_path / "wheels" / files[number - 1]).rename(tmp_path / files[number - 1])
        publish(tmp_path / "wheels", tmp_path / "public", links=True)
    for path in [*tmp_path.glob("*.whl"), *tmp_path.glob("*.tar.gz"), *tmp_path.glob("*.zip")]:
        path.rename(tmp_path / "wheels" / path.name)
    publish(tmp_path / "wheels", tmp_path / "public", links=True)
    assert describe(tmp_path / "public") == read_golden()


@pytest.mark.parametrize(
    ("seed", "zone", "locale", "umask", "jobs"),
    [
        ("0", "UTC", "C", "022", "1"),
        ("1", "Asia/Kathmandu", "C.UTF-8", "077", "2"),
        ("2", "America/St_Johns", "tr_TR.UTF-8", "002", "8"),
        ("random", "XYZ-14", "de_DE.ISO-8859-1", "000", "3"),
    ],
)
def test_hash_seed_time_zone_locale_umask_readdir_order_and_jobs_do_not_matter(
    *, seed: str, zone: str, locale: str, umask: str, jobs: str, examples: Path, tmp_path: Path
) -> None:
    environment = os.environ | {"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale, "LANG": locale}
    command = [sys.executable, "-c", SHUFFLED, seed, umask, "--links", "--no-cache", "--jobs", jobs]
    for _ in range(2):
        subprocess.run([*command, "--quiet", examples, tmp_path / "public"], env=environment, check=True)
        assert describe(tmp_path / "public") == read_golden()
