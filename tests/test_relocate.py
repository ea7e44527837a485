"""`mkindex relocate`: the addresses in the lock files of a tree, for another place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mkindex import cli
from support.command_line import Run as Command
from support.locks import project_files, pylock, pylock_package, serve, sha256, uv_lock, uv_package
from support.trees import read_tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.remote_builds import Run
    from support.scripted_server import ScriptedServer

pytestmark = pytest.mark.usefixtures("isolated")

PURE = project_files("pure", "1.0", "py3-none-any")


@pytest.fixture
def tree(server: ScriptedServer, public: Path, run: Callable[..., Run]) -> Path:
    serve(server, PURE)
    Path("uv.lock").write_text(uv_lock(uv_package("pure", "1.0", server.url, PURE)))
    Path("pylock.toml").write_text(pylock(pylock_package("pure", "1.0", server.url, PURE)))
    assert run("uv.lock", "pylock.toml", "--remote", "mirror").status == 0
    return public


def addresses(tree: Path) -> list[str]:
    """The address of the file in each lock."""
    texts = [(tree / "locks" / name).read_text() for name in ("uv.lock", "pylock.toml")]
    return [text.split('{ url = "' if "{ url" in text else '{ path = "')[1].partition('"')[0] for text in texts]


def test_a_bundle_is_relocated_to_its_directory_or_to_a_server_and_back(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ((filename, content),) = PURE.items()
    path = f"files/{sha256(content)[:2]}/{sha256(content)[2:]}/{filename}"
    before = read_tree(tree)
    capsys.readouterr()
    here = Command(capsys, "relocate", str(tree))
    assert (here.status, here.out) == (0, f"2 files changed in locks/ for {tree.as_uri()}/\n")
    assert addresses(tree) == [f"{tree.as_uri()}/{path}", f"../{path}"]
    assert cli.run(["relocate", str(tree), "--url", "https://host.example/x"]) == 0
    assert addresses(tree) == [f"https://host.example/x/{path}", f"../{path}"]
    assert cli.run(["relocate", str(tree), "--url", "http://localhost:8000"]) == 0
    assert read_tree(tree) == before


def test_a_relocated_bundle_is_no_problem_for_check_and_the_next_build_restores_it(
    tree: Path, run: Callable[..., Run], capsys: pytest.CaptureFixture[str]
) -> None:
    before = read_tree(tree)
    assert cli.run(["relocate", str(tree)]) == 0
    capsys.readouterr()
    assert Command(capsys, "check", str(tree), "--strict").status == 0
    assert run("uv.lock", "pylock.toml", "--remote", "mirror").status == 0
    assert read_tree(tree) == before


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, ("public is not a bundle: locks/INSTALL.md cannot be read (No such file or directory). "
         "Make one: mkindex uv.lock public --remote mirror")),
        ("# something else\n", "public: locks/INSTALL.md is not one that mkindex wrote"),
    ],
)  # fmt: skip
def test_another_directory_is_not_relocated(capsys: pytest.CaptureFixture[str], text: str | None, problem: str) -> None:
    if text is not None:
        Path("public/locks").mkdir(parents=True)
        Path("public/locks/INSTALL.md").write_text(text)
    run = Command(capsys, "relocate", "public")
    assert (run.status, run.err) == (3, f"error {problem}\n")
