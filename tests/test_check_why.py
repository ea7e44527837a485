"""`--why`: which file a client takes, and why it skips the others; and the tags that fit a platform."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

from mkindex.check.why import Choice, explain
from mkindex.environments import environment_for
from support.index_values import listed_file

if TYPE_CHECKING:
    from mkindex.check.observations import ListedFile

LINUX = environment_for("3.12", "linux")


def unread(entry: ListedFile) -> None:
    """Stand for a file that cannot be read."""
    del entry


def test_why_gives_every_reason_for_each_file() -> None:
    linux = "demo-2.0-cp312-cp312-manylinux_2_17_x86_64.whl"
    entries = [
        listed_file("demo-1.0.tar.gz"),
        listed_file("demo-2.0-cp312-cp312-win_amd64.whl"),
        listed_file(linux),
        listed_file("demo-2.1-py3-none-any.whl", python=">=3.13"),
        listed_file("demo-2.2-py3-none-any.whl", yanked="broken"),
        listed_file("demo-3.0rc1-py3-none-any.whl", sha256=""),
        listed_file("demo-4.0-py3-none-any.whl"),
        listed_file("demo_2.0.whl"),
    ]
    found = explain(Requirement("demo<4"), entries, LINUX, unread, require_hashes=True)
    windows = "it is for cp312-cp312-win_amd64, not for Python 3.12 on linux"
    assert found == [
        Choice("demo-4.0-py3-none-any.whl", "4.0", ("its version 4.0 does not match <4",)),
        Choice("demo-3.0rc1-py3-none-any.whl", "3.0rc1", ("its page has no sha256, which --require-hashes needs",)),
        Choice("demo-2.2-py3-none-any.whl", "2.2", ("it is yanked (broken), and not pinned with ==",)),
        Choice("demo-2.1-py3-none-any.whl", "2.1", ("it requires Python >=3.13, but this is 3.12.0",)),
        Choice(linux, "2.0", (), chosen=True),
        Choice("demo-2.0-cp312-cp312-win_amd64.whl", "2.0", (windows,)),
        Choice("demo-1.0.tar.gz", "1.0", ()),
        Choice(
            "demo_2.0.whl",
            "",
            ("clients cannot parse the name (Invalid wheel filename (wrong number of parts): 'demo_2.0')",),
        ),
    ]


def test_a_pinned_yanked_file_and_a_sole_pre_release_are_chosen() -> None:
    entries = [listed_file("demo-1.0-py3-none-any.whl", yanked=""), listed_file("demo-2.0a1-py3-none-any.whl")]
    chosen = [
        next(
            (one.filename for one in explain(Requirement(text), entries, LINUX, unread) if one.chosen),
            None,
        )
        for text in ("demo==1.0", "demo", "demo<2")
    ]
    assert chosen == ["demo-1.0-py3-none-any.whl", "demo-2.0a1-py3-none-any.whl", None]


def test_a_final_release_is_preferred_to_a_pre_release() -> None:
    entries = [listed_file("demo-1.0-py3-none-any.whl"), listed_file("demo-2.0a1-py3-none-any.whl")]
    reason = "it is a pre-release, and there are final releases (--pre allows it)"
    assert explain(Requirement("demo"), entries, LINUX, unread) == [
        Choice("demo-2.0a1-py3-none-any.whl", "2.0a1", (reason,)),
        Choice("demo-1.0-py3-none-any.whl", "1.0", (), chosen=True),
    ]


@pytest.mark.parametrize(
    ("platform", "fits"),
    [
        ("linux", ["manylinux_2_17_x86_64", "manylinux2014_x86_64", "linux_x86_64"]),
        ("manylinux_2_12_x86_64", ["manylinux2010_x86_64", "linux_x86_64"]),
        ("manylinux2014_aarch64", ["manylinux_2_17_aarch64"]),
        ("musllinux_1_2_x86_64", ["musllinux_1_1_x86_64", "linux_x86_64"]),
        ("macos", ["macosx_11_0_arm64", "macosx_10_9_universal2"]),
        ("macosx_12_0_x86_64", ["macosx_10_9_universal2", "macosx_12_0_x86_64"]),
        ("windows", ["win_amd64"]),
        ("win32", ["win32"]),
    ],
)
def test_a_platform_accepts_the_tags_that_installers_accept(platform: str, fits: list[str]) -> None:
    every = ["manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux_2_17_aarch64"]
    every += ["linux_x86_64", "musllinux_1_1_x86_64", "macosx_11_0_arm64", "macosx_10_9_universal2"]
    every += ["macosx_12_0_x86_64", "win_amd64", "win32"]
    wanted = environment_for("3.12", platform)
    found = [tag for tag in every if not wanted.tag_mismatch(f"demo-1.0-cp312-cp312-{tag}.whl")]
    assert set(fits) <= set(found)
    assert {tag[:5] for tag in found} <= {tag[:5] for tag in fits} | {"linux", "manyl"}
