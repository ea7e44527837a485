"""Which projects and files --include and --exclude select."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from mkindex.errors import Note, Rejected
from mkindex.model.files import Link
from mkindex.model.index import ProjectStatus, StatusMarker
from mkindex.sources.selection import EVERYTHING, Selection

if TYPE_CHECKING:
    from mkindex.sources.source import SourceItem

WHEEL = "torch-2.1.0+cpu-cp312-cp312-linux_x86_64.whl"
FILES = [
    WHEEL,
    "torch-1.13.0-cp311-cp311-win_amd64.whl",
    "torch-2.1.0.tar.gz",
    "torchvision-0.16.0-cp312-cp312-linux_x86_64.whl",
    "torch_geometric-2.4.0-py3-none-any.whl",
    "torch-geometric-2.4.0.tar.gz",
    "Zope.Interface-6.0.zip",
    "flake8-2020-1.8.0.tar.gz",
    "flake8_2020-1.8.0-py2.py3-none-any.whl",
    "flake8-6.0.0.tar.gz",
]


def including(*patterns: str) -> list[str]:
    return [file for file in FILES if Selection(include=patterns).includes_file(file)]


def excluding(*patterns: str) -> list[str]:
    return [file for file in FILES if not Selection(exclude=patterns).includes_file(file)]


@pytest.mark.parametrize(
    ("pattern", "files"),
    {
        "torch": [WHEEL, FILES[1], FILES[2]],
        "Torch": [WHEEL, FILES[1], FILES[2]],
        "torch*": FILES[:6],
        "torch-*": FILES[:3] + FILES[4:6],
        "torch-2.*": [WHEEL, FILES[2]],
        "*-cp312-*.whl": [WHEEL, FILES[3]],
        "*.tar.gz": [FILES[2], FILES[5], FILES[7], FILES[9]],
        "torch_geometric": FILES[4:6],
        "torch.geometric": FILES[4:6],
        "Torch-Geometric": FILES[4:6],
        "torch-g*": FILES[4:6],
        "zope.interface": [FILES[6]],
        "zope_*": [FILES[6]],
        "ZOPE--INTERFACE": [FILES[6]],
        "t?rch": [WHEEL, FILES[1], FILES[2]],
        "[tz]orch": [WHEEL, FILES[1], FILES[2]],
        "flake8-2020": FILES[7:9],
        "flake8": [FILES[9]],
        WHEEL: [WHEEL],
        "torch-2.1.0": [],
        "orch": [],
        "": [],
        "*": FILES,
    }.items(),
)
def test_a_pattern_matches_projects_in_any_spelling_and_filenames(pattern: str, files: list[str]) -> None:
    assert (including(pattern), excluding(pattern)) == (files, files)


def test_any_include_pattern_selects_and_any_exclude_pattern_excludes() -> None:
    selection = Selection(include=("torch*", "flake8"), exclude=("torchvision", "*.tar.gz", "*-win_*"))
    assert [file for file in FILES if selection.includes_file(file)] == [WHEEL, FILES[4]]


def test_without_patterns_everything_is_selected() -> None:
    assert [file for file in FILES if EVERYTHING.includes_file(file)] == FILES
    assert [bool(EVERYTHING), bool(Selection(include=("x",))), bool(Selection(exclude=("x",)))] == [False, True, True]
    assert EVERYTHING.may_include_project("Any.Thing")


@pytest.mark.parametrize(
    ("include", "exclude", "projects"),
    [
        (("torch",), (), ["torch"]),
        (("Torch_Geometric",), (), ["torch-geometric"]),
        (("torch*",), (), ["torch", "torch-geometric", "torchvision"]),
        (("torch-2.*-cp312-*.whl",), (), ["torch"]),
        ((), ("torch*",), ["zope-interface"]),
        # A pattern for files excludes no project, since its other files may be selected.
        ((), ("torch-2.*",), ["torch", "torch-geometric", "torchvision", "zope-interface"]),
        (("*.whl",), ("torch",), ["torch-geometric", "torchvision", "zope-interface"]),
    ],
)
def test_projects_that_cannot_have_a_selected_file_are_not_requested(
    include: tuple[str, ...], exclude: tuple[str, ...], projects: list[str]
) -> None:
    selection = Selection(include=include, exclude=exclude)
    names = ["Torch", "torch_geometric", "torchvision", "Zope.Interface"]
    assert [canonicalize_name(name) for name in names if selection.may_include_project(name)] == projects


@pytest.mark.parametrize(
    ("include", "names", "is_all"),
    [
        (("Torch", "torch_geometric"), ("torch", "torch-geometric"), True),
        (("torch-2.*-cp312-*.whl", "torch"), ("torch",), True),  # a wheel has no hyphen in the name of its project
        (("torch", "nvidia-*"), ("torch",), False),
        (("torch-2.1.0.tar.gz", "*.whl", "[tz]orch", "", "a b"), (), False),
        ((), (), False),
    ],
)
def test_patterns_that_name_projects_are_told_from_others(
    include: tuple[str, ...], names: tuple[str, ...], is_all: bool
) -> None:
    selection = Selection(include=include)
    assert (selection.named_projects, selection.only_names_projects) == (names, is_all)


def test_an_include_pattern_that_matches_nothing_is_noted() -> None:
    items: list[SourceItem] = [
        Link(url=f"https://host.example/{WHEEL}", filename=WHEEL),
        StatusMarker("quarantined", ProjectStatus("quarantined")),
        Rejected(location="https://host.example/simple/gone/", reason="its page answers 404"),
        Note(location="https://host.example/simple/noted/", text="skipped"),
    ]
    patterns = ("Torch", "*.whl", "quarantined", "GONE", "noted", "troch", "torch-3*")
    text = "selects no project and no file. Check the spelling"
    notes = [Note(location=f"--include {pattern}", text=text) for pattern in ("noted", "troch", "torch-3*")]
    assert list(Selection(include=patterns).with_unused(items)) == [*items, *notes]
    assert list(Selection(exclude=("x",)).with_unused(items)) == items


# --- any file and any pattern ---------------------------------------------------------------------------------------

names = st.from_regex(r"[a-cA-C][a-c0-9]{0,2}([-_.][a-c0-9]{1,2}){0,3}", fullmatch=True)
versions = st.sampled_from(["1", "1.0", "2020", "1.0+cu.1", "1!2", "1.0-1", "1.0.post1", "v1.0", "1.0a1"])
endings = st.sampled_from(["-py3-none-any.whl", "-1-cp312-abi3-win32.whl", ".tar.gz", ".zip"])


@st.composite
def files(draw: st.DrawFn) -> tuple[str, str]:
    """Return a filename and the name of its project in any spelling."""
    name, version, ending = draw(names), draw(versions), draw(endings)
    if ending.endswith(".whl"):
        return f"{name.replace('-', '_')}-{version.replace('-', '_')}{ending}", name
    return f"{draw(st.sampled_from([name, name.replace('-', '_')]))}-{version}{ending}", name


@st.composite
def patterns(draw: st.DrawFn, text: str) -> str:
    """Return a name with some parts replaced by wildcards that match them, or do not."""
    start, end = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
    head = draw(st.sampled_from(["", "", "*", "?", text[:start]]))
    tail = draw(st.sampled_from(["", "*", "*", "?", text[end:], f"*{text[end:]}"]))
    middle = text[start:end]
    if middle:
        at = draw(st.integers(0, len(middle) - 1))
        piece = draw(st.sampled_from([middle[at], "*", "?", f"[{middle[at]}]", "[!x]", "-", "_"]))
        middle = middle[:at] + piece + middle[at + 1 :]
    made = head + middle + tail
    return draw(st.sampled_from([made, made.upper(), made.lower()]))


@pytest.mark.slow
@given(st.data(), files())
def test_no_project_with_a_selected_file_is_skipped(data: st.DataObject, file: tuple[str, str]) -> None:
    filename, project = file
    made = patterns(data.draw(st.sampled_from([filename, project, canonicalize_name(project)])))
    include = tuple(data.draw(st.lists(made, max_size=2)))
    exclude = tuple(data.draw(st.lists(made, max_size=1)))
    selection = Selection(include=include, exclude=exclude)
    if selection.includes_file(filename):
        assert selection.may_include_project(project)


@given(st.data(), files())
def test_the_name_of_a_project_in_any_spelling_selects_or_excludes_its_files(
    data: st.DataObject, file: tuple[str, str]
) -> None:
    filename, project = file
    spelling = data.draw(
        st.sampled_from([project, project.upper(), canonicalize_name(project), project.replace("-", "_")])
    )
    assert (
        Selection(include=(spelling,)).includes_file(filename),
        Selection(exclude=(spelling,)).includes_file(filename),
    ) == (
        True,
        False,
    )
