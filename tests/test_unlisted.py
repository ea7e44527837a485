"""What an index does not list of what its files require, and what it says about that."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from mkindex.cli import run
from mkindex.closure.unlisted import Unlisted, unlisted
from mkindex.distributions.build_requires import MAX_SIZE, build_requires, build_table
from mkindex.distributions.dependencies import required_names
from support.builds import publish
from support.index_values import FakeFiles, make_index
from support.trees import read_tree
from support.wheels import core_metadata, write_sdist, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

file = FakeFiles().file


def test_nothing_is_unlisted_in_an_index_that_has_all_that_its_files_require() -> None:
    index = make_index(
        file("demo-1.0-py3-none-any.whl", requires="helper other"),
        file("helper-1.0-py3-none-any.whl"),
        file("other-1.0.tar.gz"),
    )
    assert (unlisted(index), str(unlisted(index))) == (Unlisted(), "")


def test_unlisted_names_come_with_the_projects_that_require_them() -> None:
    index = make_index(
        file("demo-1.0-py3-none-any.whl", requires="numpy"),
        file("demo-2.0-py3-none-any.whl", requires="helper requests"),
        file("helper-1.0-py3-none-any.whl", requires="numpy"),
        file("other-1.0-py3-none-any.whl"),
    )
    found = unlisted(index)
    assert found == Unlisted(("demo", "helper"), ("numpy", "requests"))
    assert str(found) == "demo and 1 more require numpy, requests"
    assert str(Unlisted(("demo",), ("a", "b", "c", "d"))) == "demo requires a, b, c and 1 more"


def test_what_builds_an_sdist_counts_only_if_there_is_no_wheel_of_its_version() -> None:
    files = [file("demo-1.0.tar.gz", requires="setuptools"), file("demo-2.0-py3-none-any.whl", requires="numpy")]
    wheel = file("demo-1.0-py3-none-any.whl")
    assert unlisted(make_index(*files)).names == ("numpy", "setuptools")
    assert unlisted(make_index(*files, wheel)).names == ("numpy",)


@pytest.mark.parametrize(
    ("requirement", "requires_python", "names"),
    [
        ("Some_Thing[extra]>=1,<2", "", "some-thing"),
        ("numpy (>=1.0)", "", "numpy"),
        ("pytest; extra == 'test'", "", ""),
        ("colorama; sys_platform == 'win32'", "", "colorama"),
        ("tomli; python_version < '3.11'", "", "tomli"),
        ("tomli; python_version < '3.11'", ">=3.11", ""),
        ("tomli; python_version < '3.11'", ">=3.10", "tomli"),
        ("futures; python_version < '3'", "", ""),
        ("six @ https://host/six.whl", "", ""),
        ("six; not a marker", "", ""),
        ("!", "", ""),
    ],
)
def test_the_name_of_a_requirement_counts_where_it_may_apply(
    requirement: str, requires_python: str, names: str
) -> None:
    assert required_names(core_metadata("demo", "1.0", requires_dist=[requirement]), requires_python) == names


def test_names_are_read_from_the_header_only_and_each_once() -> None:
    requires = ["b", "a>1", "B<3"]
    raw = core_metadata("demo", "1.0", requires_dist=requires, body="\nRequires-Dist: text\n")
    assert required_names(raw, "", ["hatchling>1", "a"]) == "a b hatchling"
    assert required_names(core_metadata("demo", "1.0"), "") == ""


@pytest.mark.parametrize(
    "text",
    [
        "[project]\nname = 'demo'\n\n[build-system]\nrequires = [\n  'a[b]>1',\n  'c',\n]\n\n[tool.x]\ny = 1\n",
        "[build-system]\r\nrequires = ['a[b]>1', 'c']\r\nbuild-backend = 'x'\r\n[tool.x]\r\n",
        "[build-system] # comment\nrequires = ['a[b]>1', 'c']",
        "build-system.requires = ['a[b]>1', 'c']\n",
        "x = '''\n[build-system]\nrequires = []\n'''\n[build-system]\nrequires = ['a[b]>1', 'c']\n",
        "build-system = {requires = ['a[b]>1', 'c']}\n[tool.x]\n",
        "[ build-system ]\nrequires = ['a[b]>1', 'c']\n",
    ],
)
def test_a_part_of_pyproject_says_what_builds_an_sdist(text: str) -> None:
    assert build_requires(build_table(text.encode())) == ("a[b]>1", "c")


# --- what is said about it --------------------------------------------------------------------------------------------


def write_wheels(directory: Path, *requires: str) -> None:
    directory.mkdir(exist_ok=True)
    write_wheel(directory, "demo", "1.0", requires_dist=["helper", *requires])
    write_wheel(directory, "helper", "1.0")


def test_a_build_prints_how_to_install_from_an_index_that_lacks_something(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_wheels(tmp_path / "wheels", "numpy>1", "requests")
    missing = "demo requires numpy, requests"
    for _ in range(2):  # with new files, and with those from the cache
        command = ["--cache-dir", str(tmp_path / "cache"), str(tmp_path / "wheels"), str(tmp_path / "public")]
        assert run(command) == 0
        assert capsys.readouterr().out.splitlines()[3:] == [
            "Install from:  uv pip install --index http://localhost:8000/simple/ demo",
            "In a project:  mkindex client http://localhost:8000/simple/ >> pyproject.toml",
            f"               (not with pip --index-url alone: {missing}, which this index does not have)",
        ]


def test_the_landing_page_shows_how_to_install_from_an_index_that_lacks_something(tmp_path: Path) -> None:
    wheels, public = tmp_path / "wheels", tmp_path / "public"
    write_wheels(wheels, "numpy>1")
    publish(wheels, public)
    lacking = read_tree(public)
    commands = [re.sub("<.*?>", "", one) for one in re.findall("<pre>(.*)</pre>", lacking["index.html"].decode())]
    assert "<p>demo requires numpy, which this index does not have." in lacking["index.html"].decode()
    assert commands == [
        "uv pip install --index ADDRESS/simple/ demo",
        "mkindex client ADDRESS/simple/ --for pdm",
    ]
    write_wheel(wheels, "numpy", "2.0")
    publish(wheels, public)
    publish(wheels, tmp_path / "cold")
    assert read_tree(public)["index.html"] == read_tree(tmp_path / "cold")["index.html"]
    assert "pip install --index-url" in read_tree(public)["index.html"].decode()


def test_an_sdist_without_a_wheel_needs_what_builds_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    write_sdist(wheels, "demo", "1.0", backend=False)
    write_sdist(wheels, "other", "1.0", backend=False, suffix=".zip")
    assert run(["--no-cache", str(wheels), str(tmp_path / "public")]) == 0
    assert "demo and 1 more require setuptools, which this index does not have" in capsys.readouterr().out


def test_what_would_take_long_to_evaluate_or_much_memory_is_left_out_of_required_names() -> None:
    long = "a; " + " and ".join(['os_name == "posix"'] * 200)
    many = [f"a{number}; os_name == 'posix'" for number in range(12_000)]
    without_marker = [f"b{number:04}" for number in range(1_100)]
    assert required_names(core_metadata("demo", "1.0", requires_dist=[long, "b"]), "") == "b"
    assert required_names(core_metadata("demo", "1.0", requires_dist=[*many, "b"]), "") == "b"
    assert required_names(core_metadata("demo", "1.0", requires_dist=without_marker), "") == " ".join(
        without_marker[:1_000]
    )


def test_a_pyproject_that_would_take_long_to_parse_requires_nothing_that_is_known() -> None:
    start = b'[build-system]\nrequires = ["hatchling"]\n'
    contents = (start, start + b"a." * 51 + b"a = 1\n", start + b"#" * MAX_SIZE)
    assert [build_requires(build_table(content)) for content in contents] == [("hatchling",), (), ()]
