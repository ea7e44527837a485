"""Requires-Dist: what pip and uv cannot use is named, and most requirements are recognized without a parser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mkindex.distributions.requirements import (
    ELSEWHERE,
    PLAIN_REQUIREMENT,
    requirement_problem,
    shown_requirement,
    unusable_requirements,
)
from support.builds import publish
from support.wheels import write_wheel

if TYPE_CHECKING:
    from pathlib import Path

UNPARSEABLE = (
    "cannot be parsed: pip ignores the file and takes an older version, and so does uv unless it can guess the meaning"
)
FOLDED = "is broken over several lines: pip ignores the file and takes an older version"
NOT_FOR_UV = "is not valid for uv, which ignores the file and takes an older version"
NO_ADDRESS = "has no absolute address: pip stops with an error, and uv ignores the file"
NO_MARKER = "has a marker that compares what cannot be compared: pip stops with an error"

NAMES = st.sampled_from(["six", "A.b-c_d", "6", "six_", "-x"])
VERSIONS = st.sampled_from(
    ["1", "1.0", "1.*", "2.0a1", "2.0rc1.post2.dev3", "1.0+x", "x", "1..0", "9" * 19, "1.0.", ""]
)
CLAUSES = st.tuples(st.sampled_from(["<", "<=", "==", "!=", ">=", "~=", "===", "=", "=>", ""]), VERSIONS).map("".join)
MARKERS = st.tuples(
    st.sampled_from(["extra", "python_version", "os_name", "EXTRA", "platform_release", "bogus"]),
    st.sampled_from([" == ", "!=", ">=", " in ", "~="]),
    st.sampled_from(['"x"', "'3.9'", '"3.x"', "x", '""', '"a b"']),
).map("".join)
REQUIREMENTS = st.builds(
    "{}{}{}{}".format,
    NAMES,
    st.sampled_from(["", "[x]", " [x, y_z]", "[]", "[x", "[x_]"]),
    st.one_of(
        st.lists(CLAUSES, max_size=3).map(", ".join),
        st.lists(CLAUSES, max_size=2).map(lambda clauses: f" ({','.join(clauses)})"),
    ),
    st.lists(MARKERS, max_size=3).map(lambda markers: f" ; ({' or '.join(markers)})" if markers else ""),
)


@pytest.mark.parametrize(
    "value",
    [
        "six~=1",
        "six (>=1.0.*)",
        "six>=1.0 # why",
        "git+https://host/six.git",
        "six 1.0",
        "",
        "six; bogus == 'x'",
        "six; extra == 'x' and",
        "other~=1; extra == 'x'",
        "six>=1.0;\n bogus",
        "(" * 9000,
        "six; " + "(" * 9000,
    ],
)
def test_a_requirement_that_pip_cannot_parse_is_named(value: str) -> None:
    assert requirement_problem(value) == UNPARSEABLE


def test_pip_cannot_read_a_requirement_over_several_lines() -> None:
    assert requirement_problem("six>=1.0;\n        python_version > '3'") == FOLDED


@pytest.mark.parametrize(
    "value",
    ["six_", "six[a_]", "six===soon", "six===1.*", "six ()", "six>=18446744073709551615", "six @ svn+https://h/p"],
)
def test_a_requirement_that_only_uv_refuses_is_named(value: str) -> None:
    assert requirement_problem(value) == NOT_FOR_UV


@pytest.mark.parametrize(
    "value", ["six @ ./six", "six@1.0", "six @ file:six.whl", "six @ file://host/six", "a @ https:"]
)
def test_a_requirement_with_a_relative_address_is_named(value: str) -> None:
    assert requirement_problem(value) == NO_ADDRESS


@pytest.mark.parametrize(
    "value",
    ["six @ https://host/six.whl ; extra == 'x'", "six @ git+ssh://git@host/six.git", "six @ file:///six.whl"],
)
def test_a_requirement_with_an_address_of_its_own_is_named(value: str) -> None:
    assert requirement_problem(value) == ELSEWHERE


@pytest.mark.parametrize(
    "value", ["six; python_version ~= '3'", "six; extra == 'x' and os_name ~= 'x'", "a; 'x' in extras"]
)
def test_a_marker_that_pip_cannot_evaluate_is_named(value: str) -> None:
    assert requirement_problem(value) == NO_MARKER


@pytest.mark.parametrize(
    "value",
    [
        "six",
        "six>=1.0,",
        "six [a, b] (<2.0a.0,>=1.0) ; extra == 'x'",
        "six>=18446744073709551614",
        "six===v1",
        "six; python_version in '2.7, 3.0'",
        "six; platform_release >= '1-x' or python_version ~= '3.0'",
    ],
)
def test_a_requirement_that_clients_can_use_is_accepted(value: str) -> None:
    assert requirement_problem(value) == ""


@given(REQUIREMENTS)
def test_nothing_that_clients_cannot_use_matches_the_pattern(value: str) -> None:
    assert not re.fullmatch(PLAIN_REQUIREMENT, value) or requirement_problem(value) == ""


@pytest.mark.parametrize(
    "value",
    [
        "requests",
        "numpy>=1.20",
        "requests (>=2.0,<3)",
        "pandas[all]<3,>=2.1.4; (python_version >= '3.9' and platform_system == \"Linux\") and extra == 'test'",
        'black ~= 24.1 ; extra == "dev"',
        "tomli>=1.1.0; python_full_version<'3.11.0a6'",
    ],
)
def test_the_usual_requirements_match_the_pattern(value: str) -> None:
    assert re.fullmatch(PLAIN_REQUIREMENT, value)


def test_the_time_for_the_requirements_of_one_file_is_bounded() -> None:
    many = [f"a{number}; {' or '.join(['os_name == 1'] * 1000)}" for number in range(100)]
    assert len(unusable_requirements(["a>=1", *many, "b~=1"])) == (1 << 18) // len(many[0])


def test_a_requirement_is_shown_in_one_short_line_without_a_password() -> None:
    values = ("a\n  ; \x1b", "x" * 101, "git+https://me:secret@host/a@1.0", "a @ https://token@host/a")
    shown = [r"a ; \x1b", "x" * 100 + "…", "git+https://host/a@1.0", "a @ https://host/a"]
    assert [shown_requirement(value) for value in values] == shown


def test_a_build_that_reads_nothing_again_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mkindex.cache.RACY_NS", -(10**15))
    source = tmp_path / "wheels"
    source.mkdir()
    for version in ("1.0", "1.1"):
        write_wheel(source, "demo", version, requires_dist=["six~=1", "six_"], requires_python="soon")
    cold = publish(source, tmp_path / "public", cache_dir=str(tmp_path / "cache"))
    monkeypatch.setattr("mkindex.examine.local.examine", lambda *_: pytest.fail("a file was read again"))
    again = publish(source, tmp_path / "public", cache_dir=str(tmp_path / "cache"))
    assert (len(cold.notes), again.findings) == (6, cold.findings)
