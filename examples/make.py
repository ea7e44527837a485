"""Write the example wheels and sdists: python examples/make.py [DIRECTORY]."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from support.wheels import write_sdist, write_wheel  # noqa: E402

SUFFIXES = (".whl", ".tar.gz", ".zip")
NATIVE = ("cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64", "cp312-cp312-macosx_11_0_arm64")


def write(directory: Path) -> list[Path]:
    """Write all examples into `directory`, the oldest first, and return their paths."""
    return [
        write_wheel(directory, "demo", "1.0", summary="A project with three versions"),
        write_wheel(directory, "demo", "1.1", summary="A project with three versions"),
        write_wheel(
            directory,
            "demo",
            "2.0",
            summary="A version for Pythons yet to come",
            requires_python=">=3.99",
        ),
        write_wheel(directory, "demo-colors", "1.0", summary="What an extra of demo-app requires"),
        write_wheel(
            directory,
            "demo-app",
            "1.0",
            summary="A project with a dependency and an extra",
            requires_python=">=3.9,<4",
            requires_dist=["demo>=1.1", 'demo-colors; extra == "color"'],
            extras=["color"],
        ),
        *(
            write_wheel(directory, "demo-cuda", version, summary="A project with local versions")
            for version in ("1.0+cpu", "1.0+cu128")
        ),
        write_wheel(directory, "demo-epoch", "1!2.0", summary="A version with an epoch"),
        *(
            write_wheel(directory, "demo-build", "1.0", build=build, summary="A version built twice")
            for build in ("1", "2")
        ),
        *(
            write_wheel(directory, "demo-native", "1.0", tag=tag, summary="Platform wheels beside a pure one")
            for tag in (*NATIVE, "py3-none-any")
        ),
        write_wheel(directory, "Demo.Names", "1.0", summary="A name that needs normalising"),
        write_sdist(directory, "demo-source", "1.0", summary="An sdist that brings its build backend"),
        write_sdist(directory, "demo-zip", "1.0", suffix=".zip", summary="An sdist that is a zip file"),
    ]


def make(directory: Path) -> None:
    """Write all examples, with modification times one day apart, and delete files of examples that no longer exist."""
    directory.mkdir(parents=True, exist_ok=True)
    written = write(directory)
    for day, path in enumerate(written):
        mtime = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)).timestamp()
        os.utime(path, (mtime, mtime))
    for path in set(directory.iterdir()) - set(written):
        if path.name.endswith(SUFFIXES):
            path.unlink()


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "wheels")
