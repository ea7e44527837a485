"""A policy decides which files of a project are listed, which are yanked, and what status a project has."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import pytest

from mkindex.config.table import POLICY_TABLES
from mkindex.errors import ConfigError, Note
from mkindex.model.index import ProjectStatus
from mkindex.policy.apply import apply_policy
from mkindex.policy.result import PolicyResult
from mkindex.policy.rules import NO_POLICY
from support.index_values import make_index
from support.policies import NOW, SHELF, decided, files, index_of, listed, policy_from

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DEMO = ("demo-1.0-py3-none-any.whl", "demo-1.1-cp312-cp312-win_amd64.whl", "demo-1.1.tar.gz", "demo-2.0a1.tar.gz")


# --- the file --------------------------------------------------------------------------------------------------------

STATUSES = "active, archived, quarantined or deprecated"
MISTAKES = {
    '[[yank]]\nproject = "demo"\nversions = "1.1"': '3: versions must be a specifier such as "==1.1" or ">=2,<3", '
    "not '1.1'",
    '[[yank]]\nproject = "demo"\n\nreson = "x"': "4: unknown key reson (did you mean reason?)",
    '[[yank]]\nproject = "demo"\ncolor = "x"': "3: unknown key color. yank has project, versions, files, reason, "
    "yanked",
    '[[yank]]\nreason = "x"': '1: [[yank]] needs a project: a name, or a pattern such as "acme-*"',
    '[[yank]]\nproject = "de mo"': "2: project 'de mo' can match no project: use a name, or a pattern such as "
    '"acme-*"',
    "[[yank]]\nproject = 3": "2: project must be a string of one line",
    '[[yank]]\nproject = "demo"\nreason = "a\\nb"': "3: reason must be a string of one line",
    '[[yank]]\nproject = "demo"\nversions = "==1"\nfiles = "*"': "4: give versions or files, not both",
    '[[yank]]\nproject = "demo"\nyanked = 0': "3: yanked must be true or false",
    '[[yank]]\nproject = "demo"\nreason = "x"\nyanked = false': "3: yanked = false has no reason",
    '[yank]\nproject = "demo"': "1: yank must be a table, written as [[yank]]",
    '[[yanks]]\nproject = "demo"': "1: unknown key yanks (did you mean yank?)",
    "# a comment\ncolour = 1": f"2: unknown key colour (a policy has the tables {', '.join(POLICY_TABLES)})",
    '[[status]]\nproject = "x"\nstatus = "archive"': f"3: status must be {STATUSES}, not 'archive'",
    '[[status]]\nproject = "x"': f"1: status must be {STATUSES}, and is missing",
    '[[status]]\nproject = "x"\nstatus = "active"\nreason = "y"': "4: status active has no reason",
    '[[keep]]\nproject = "x"': "1: [[keep]] needs newest, prereleases or younger-than",
    '[[keep]]\nproject = "x"\nnewest = -1': "3: newest must be a number of releases, not -1",
    '[[keep]]\nproject = "x"\nnewest = true': "3: newest must be a number of releases, not True",
    '[[keep]]\nproject = "x"\nyounger-than = "30"': '3: younger-than must be an age such as "30d", "12h" or "8w", '
    "not '30'",
    '[[only]]\nproject = "x"': "1: [[only]] needs versions, platforms or pythons",
    '[[only]]\nproject = "x"\nplatforms = ["linus"]': "3: platforms: 'linus' is neither linux, macos, windows, "
    "android, ios, emscripten nor a tag such as win_amd64",
    '[[only]]\nproject = "x"\npythons = [3.11]': "3: pythons must be a list of strings",
    '[[only]]\nproject = "x"\npythons = ["2.7"]': "3: pythons: '2.7' is not a version such as 3.12",
    '[times]\ncutoff = "soon"': "2: cutoff must be an age such as \"7d\", or a date, not 'soon'",
    "[times]": "1: [times] needs cutoff",
    # A table in another form, or one whose line cannot be told from a text that looks like it:
    'keep = [{project = "x", newest = 1}, {project = "y"}]': "1 (number 2): [[keep]] needs newest, prereleases or "
    "younger-than",
    '[[yank]]\nproject = "x"\nreason = """\n[[yank]]\n"""': " yank: reason must be a string of one line",
}


@pytest.mark.parametrize(("text", "message"), MISTAKES.items(), ids=map(str, range(len(MISTAKES))))
def test_a_mistake_in_a_policy_is_named_with_file_and_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        policy_from(tmp_path, text)
    assert str(error.value) == f"{tmp_path}/policy.toml:{message}"


def test_a_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        policy_from(tmp_path, "[[yank]")
    assert str(error.value).startswith(f"cannot read {tmp_path}/policy.toml: ")


def test_options_in_the_same_file_are_no_policy(tmp_path: Path) -> None:
    assert policy_from(tmp_path, 'sources = ["wheels"]\nlink-mode = "copy"\n') == NO_POLICY


# --- yank ------------------------------------------------------------------------------------------------------------


def test_a_release_is_yanked_by_its_version_and_a_local_version_with_it(tmp_path: Path) -> None:
    policy = policy_from(tmp_path, '[[yank]]\nproject = "Demo"\nversions = "==1.1"\nreason = "broken"\n')
    names = ["demo-1.0.tar.gz", "demo-1.1+cpu.tar.gz", "demo-1.1.post1.tar.gz", "demo-1.1.tar.gz"]
    assert listed(policy, files(*names)) == [
        "demo-1.0.tar.gz",
        "demo-1.1+cpu.tar.gz yanked: broken",
        "demo-1.1.post1.tar.gz",
        "demo-1.1.tar.gz yanked: broken",
    ]


def test_files_are_yanked_by_a_pattern(tmp_path: Path) -> None:
    policy = policy_from(tmp_path, '[[yank]]\nproject = "d*"\nfiles = "demo-1.1-*win*"\n')
    assert listed(policy, files(*DEMO)) == [DEMO[0], f"{DEMO[1]} yanked: ", *DEMO[2:]]


@pytest.mark.parametrize(
    "pattern",
    ["*", "*win*", "demo-1.?*", "demo-[12].[!1]*", "*-1.1[.-]*gz", "[d]emo-2*", "demo-1.1.tar.gz", "*.zip", "demo-[1"],
)
def test_a_pattern_selects_the_filenames_that_a_shell_pattern_does(pattern: str, tmp_path: Path) -> None:
    policy = policy_from(tmp_path, f'[[yank]]\nproject = "demo"\nfiles = "{pattern}"\n')
    yanked = [decision.file.filename for decision in decided(policy, files(*DEMO)).decisions]
    assert yanked == [name for name in DEMO if fnmatchcase(name, pattern)]


@pytest.mark.parametrize("selectors", [("*", "demo"), ("demo", "*"), ("d*", "demo", "*o"), ("*o", "d*", "demo")])
def test_rules_for_a_name_and_for_patterns_keep_their_order(selectors: Sequence[str], tmp_path: Path) -> None:
    rules = [f'[[yank]]\nproject = "{one}"\nreason = "{number}"\n' for number, one in enumerate(selectors)]
    policy = policy_from(tmp_path, "".join(rules))
    assert [rule.reason for rule in policy.of("demo").yanks] == [str(number) for number in range(len(selectors))]
    assert listed(policy, files(DEMO[0])) == [f"{DEMO[0]} yanked: {len(selectors) - 1}"]


def test_the_last_yank_that_matches_a_file_counts_also_against_its_source(tmp_path: Path) -> None:
    policy = policy_from(
        tmp_path,
        '[[yank]]\nproject = "demo"\nreason = "all"\n'
        '[[yank]]\nproject = "demo"\nversions = "==1.1"\nreason = "broken"\n'
        '[[yank]]\nproject = "demo"\nversions = "==1.0"\nyanked = false\n',
    )
    some = files(*DEMO, yanked={DEMO[0]: "its source", DEMO[1]: "its source"})
    result = apply_policy(make_index(*some), policy, NOW)
    assert [(file.filename, file.yanked) for file in result.index.projects[0].files] == [
        (DEMO[0], None),
        (DEMO[1], "broken"),
        (DEMO[2], "broken"),
        (DEMO[3], "all"),
    ]
    where = f"{tmp_path}/policy.toml"
    assert result.findings == (
        Note(
            location=f"/wheels/{DEMO[0]}",
            text=f"listed as not yanked, as {where}:8 says, although its source yanks it",
        ),
        Note(
            location=f"/wheels/{DEMO[1]}",
            text=f"yanked as {where}:4 says, instead of for the reason that its source gives",
        ),
    )


# --- status ----------------------------------------------------------------------------------------------------------


def test_the_last_status_of_a_project_counts(tmp_path: Path) -> None:
    policy = policy_from(
        tmp_path,
        '[[status]]\nproject = "*"\nstatus = "deprecated"\n'
        '[[status]]\nproject = "demo"\nstatus = "archived"\nreason = "use other"\n',
    )
    result = apply_policy(index_of("demo-1.0.tar.gz", "other-1.0.tar.gz"), policy, NOW)
    assert {project.name: project.status for project in result.index.projects} == {
        "demo": ProjectStatus("archived", "use other"),
        "other": ProjectStatus("deprecated"),
    }


def test_a_quarantined_project_offers_no_release(tmp_path: Path) -> None:
    policy = policy_from(tmp_path, '[[status]]\nproject = "demo"\nstatus = "quarantined"\n')
    assert decided(policy, files(*DEMO)).project.offered_releases() == []


# --- only ------------------------------------------------------------------------------------------------------------

NATIVE = [
    "demo-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    "demo-1.0-cp312-cp312-musllinux_1_2_aarch64.whl",
    "demo-1.0-cp312-cp312-win_amd64.whl",
    "demo-1.0-cp313-cp313t-macosx_14_0_arm64.whl",
    "demo-1.0-cp39-abi3-win32.whl",
    "demo-1.0-cp310-none-win32.whl",
    "demo-1.0-pp311-pypy311_pp73-win_amd64.whl",
    "demo-1.0-py2.py3-none-any.whl",
    "demo-1.0-py312-none-any.whl",
    "demo-1.0.tar.gz",
]
ONLY = {
    'platforms = ["linux"]': [0, 1, 7, 8, 9],
    'platforms = ["windows", "*_arm64"]': [2, 3, 4, 5, 6, 7, 8, 9],
    'platforms = ["manylinux2014_x86_64"]': [0, 7, 8, 9],
    'pythons = ["3.11"]': [0, 4, 6, 7, 9],
    'pythons = ["3.10", "3.13"]': [3, 4, 5, 7, 8, 9],
    'pythons = ["3.11"]\nplatforms = ["linux"]': [0, 7, 9],
    'versions = ">=2"': [],
    'versions = "<2"\npythons = ["3.8"]': [7, 9],
}


@pytest.mark.parametrize(("rule", "expected"), ONLY.items(), ids=ONLY)
def test_only_lists_files_for_these_versions_platforms_and_pythons(
    rule: str, expected: list[int], tmp_path: Path
) -> None:
    policy = policy_from(tmp_path, f'[[only]]\nproject = "demo"\n{rule}\n')
    assert listed(policy, files(*NATIVE)) == sorted(NATIVE[at] for at in expected)


def test_every_rule_of_only_must_select_a_file(tmp_path: Path) -> None:
    policy = policy_from(
        tmp_path, '[[only]]\nproject = "demo"\nversions = ">1"\n[[only]]\nproject = "*"\nversions = "<2"\n'
    )
    assert listed(policy, files("demo-1.tar.gz", "demo-1.5.tar.gz", "demo-2.tar.gz")) == ["demo-1.5.tar.gz"]


# --- times -----------------------------------------------------------------------------------------------------------

CUTOFFS = {
    '"7d"': "2025-12-26T03:04:05Z",
    '"2w"': "2025-12-19T03:04:05Z",
    '"90min"': "2026-01-02T01:34:05Z",
    '"2025-12-26"': "2025-12-26T00:00:00Z",
    "2025-12-26": "2025-12-26T00:00:00Z",
    "2025-12-26T01:00:00+02:00": "2025-12-25T23:00:00Z",
    '"2025-12-26T01:00:00Z"': "2025-12-26T01:00:00Z",
}


@pytest.mark.parametrize(("cutoff", "moment"), CUTOFFS.items(), ids=CUTOFFS)
def test_files_that_are_newer_than_the_cutoff_or_have_no_time_wait(cutoff: str, moment: str, tmp_path: Path) -> None:
    policy = policy_from(tmp_path, f"[times]\ncutoff = {cutoff}\n")
    some = [
        SHELF.file("demo-1.tar.gz", upload_time=moment),
        SHELF.file("demo-2.tar.gz", upload_time=f"{moment[:-1]}.000000Z"),
        SHELF.file("demo-3.tar.gz", upload_time=f"{moment[:-1]}.000001Z"),
        SHELF.file("demo-4.tar.gz", upload_time="2026-01-02T03:04:05Z"),
        SHELF.file("demo-5.tar.gz"),
    ]
    assert listed(policy, some) == ["demo-1.tar.gz", "demo-2.tar.gz"]


def test_what_waits_is_counted_with_the_time_when_the_first_appears(tmp_path: Path) -> None:
    policy = policy_from(tmp_path, '[times]\ncutoff = "7d"\nexempt = ["Acme_*"]\n')
    index = make_index(
        SHELF.file("acme-a-1.tar.gz", upload_time="2026-01-02T00:00:00Z"),
        SHELF.file("demo-1.tar.gz", upload_time="2026-01-01T00:00:00Z"),
        SHELF.file("demo-2.tar.gz", upload_time="2025-12-31T00:00:00Z"),
        SHELF.file("demo-3.tar.gz"),
    )
    result = apply_policy(index, policy, NOW)
    assert [project.name for project in result.index.projects] == ["acme-a"]
    assert (result.count("waits"), result.first_appears, result.moments) == (
        3,
        "2026-01-07T00:00:00Z",
        ("7d = 2025-12-26T03:04:05Z",),
    )


# --- rules that match nothing ----------------------------------------------------------------------------------------


def test_every_rule_that_matches_nothing_is_noted_with_its_line(tmp_path: Path) -> None:
    policy = policy_from(
        tmp_path,
        '[[yank]]\nproject = "demo"\nversions = "==1.0"\n\n[[yank]]\nproject = "demo"\nversions = "==9"\n\n'
        '[[status]]\nproject = "none"\nstatus = "archived"\n\n[[keep]]\nproject = "n*"\nnewest = 1\n\n'
        '[[only]]\nproject = "no-[a-z]"\nversions = ">1"\n',
    )
    text = "this rule matches nothing. Check the spelling, or remove it"
    where = f"{tmp_path}/policy.toml"
    assert apply_policy(index_of("demo-1.0.tar.gz"), policy, NOW).findings == tuple(
        Note(location=f"{where}:{line}", text=text) for line in (5, 9, 17, 13)
    )


def test_an_age_that_several_rules_have_is_resolved_once(tmp_path: Path) -> None:
    rule = '[[keep]]\nproject = "demo"\nyounger-than = "30d"\n'
    policy = policy_from(tmp_path, f'{rule}{rule}[times]\ncutoff = "7d"\n')
    assert apply_policy(index_of(*DEMO), policy, NOW).moments == (
        "30d = 2025-12-03T03:04:05Z",
        "7d = 2025-12-26T03:04:05Z",
    )


def test_without_a_policy_the_index_stays_as_it_is() -> None:
    index = index_of(*DEMO)
    assert apply_policy(index, NO_POLICY, NOW) == PolicyResult(index=index)
