"""What [[keep]] keeps, compared with an oracle that counts, and with the documented examples of two other tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from mkindex.model.files import format_upload_time
from mkindex.policy.rules import Keep, Policy
from mkindex.policy.times import parse_age
from support.policies import NOW, SHELF, decided, files, listed, policy_from

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from mkindex.model.files import File

DAY = 86_400


def keep(*rules: str) -> Policy:
    """Make a policy of rules such as "newest=3 younger-than=30d"."""
    made = []
    for number, text in enumerate(rules):
        values = dict(part.split("=") for part in text.split())
        made.append(
            Keep(
                where=f"policy.toml:{number}",
                project="*",
                newest=int(values["newest"]) if "newest" in values else None,
                prereleases=int(values["prereleases"]) if "prereleases" in values else None,
                younger_than=parse_age(values.get("younger-than")),
            )
        )
    return Policy(keep=tuple(made))


def versions(policy: Policy, *given: str) -> list[str]:
    """The versions that are kept of files without an upload time."""
    some = files(*(f"demo-{version}.tar.gz" for version in given))
    return [name.removeprefix("demo-").removesuffix(".tar.gz") for name in listed(policy, some)]


# --- single limits ---------------------------------------------------------------------------------------------------

HISTORY = ("1.0", "1.1", "1.2", "1.10", "2.0a1", "2.0b1", "2.0rc1")
EXAMPLES = {
    ("newest=2",): ["1.10", "2.0b1", "2.0rc1"],  # the newest final release always stays
    ("newest=5",): ["1.10", "1.2", "2.0a1", "2.0b1", "2.0rc1"],
    ("newest=0",): ["1.10"],
    ("newest=2 prereleases=1",): ["1.10", "1.2", "2.0rc1"],
    ("prereleases=0",): ["1.0", "1.1", "1.10", "1.2"],
    ("newest=5", "newest=2 prereleases=2"): ["1.10", "1.2", "2.0b1", "2.0rc1"],
}


@pytest.mark.parametrize(("rules", "expected"), EXAMPLES.items(), ids=map(", ".join, EXAMPLES))
def test_the_newest_releases_stay(rules: tuple[str, ...], expected: list[str]) -> None:
    assert versions(keep(*rules), *HISTORY) == expected


def test_local_versions_of_a_release_count_as_one_and_stay_together() -> None:
    given = ("1.0", "1.0+cpu", "1.1+cpu", "1.1+cu128", "1.2+cpu")
    assert versions(keep("newest=2"), *given) == ["1.1+cpu", "1.1+cu128", "1.2+cpu"]


def test_a_yanked_release_is_not_the_one_that_always_stays(tmp_path: Path) -> None:
    policy = policy_from(
        tmp_path, '[[yank]]\nproject = "demo"\nversions = "==1.2"\n[[keep]]\nproject = "demo"\nnewest = 1\n'
    )
    assert versions(policy, "1.0", "1.1", "1.2", "2.0a1") == ["1.1", "2.0a1"]


def test_a_release_is_as_young_as_its_youngest_file_and_one_without_a_time_stays() -> None:
    def file(name: str, days: int | None) -> File:
        return SHELF.file(name, upload_time="" if days is None else format_upload_time(NOW - days * DAY))

    some = [
        file("demo-1.0.tar.gz", 40),
        file("demo-1.1.tar.gz", 40),
        file("demo-1.1-py3-none-any.whl", 20),
        file("demo-1.2.tar.gz", None),
        file("demo-1.3.tar.gz", 30),
        file("demo-1.4.tar.gz", 30),
    ]
    assert listed(keep("younger-than=30d"), some) == [
        "demo-1.1-py3-none-any.whl",
        "demo-1.1.tar.gz",
        "demo-1.2.tar.gz",
        "demo-1.4.tar.gz",
    ]


# --- other tools -----------------------------------------------------------------------------------------------------


def test_the_example_of_the_retention_of_sleet_keeps_what_sleet_keeps() -> None:
    """`sleet retention prune --stable 2 --prerelease 1`: so many of each kind, whatever there is of the other."""
    given = ("1.0", "1.1a1", "1.1", "1.2b1", "1.2", "1.3a1", "1.3a2")
    assert versions(keep("newest=2 prereleases=1"), *given) == ["1.1", "1.2", "1.3a2"]


def test_the_example_of_latest_release_of_bandersnatch_keeps_what_it_keeps() -> None:
    """`[latest_release] keep = 3`: the three newest; and the newest final one, if they are all prereleases."""
    assert versions(keep("newest=3"), "1.0", "1.1", "1.2", "1.3") == ["1.1", "1.2", "1.3"]
    assert versions(keep("newest=3"), "1.0", "1.1", "2.0a1", "2.0a2", "2.0a3") == ["1.1", "2.0a1", "2.0a2", "2.0a3"]


# --- any history -----------------------------------------------------------------------------------------------------


class Uploaded(NamedTuple):
    """A file of a random history."""

    version: str
    days: int | None
    yanked: bool


def oracle(history: Iterable[Uploaded], rules: Iterable[Keep]) -> set[str]:
    """Return the public versions that stay, by the words of the documentation, release by release."""
    releases: dict[Version, list[Uploaded]] = {}
    for uploaded in history:
        releases.setdefault(Version(Version(uploaded.version).public), []).append(uploaded)

    def stays(version: Version, rule: Keep) -> bool:
        def newer(only_prereleases: bool | None) -> int:
            return sum(other > version for other in releases if only_prereleases in (None, other.is_prerelease))

        limits = []
        if rule.prereleases is not None and version.is_prerelease:
            limits.append(newer(only_prereleases=True) < rule.prereleases)
        elif rule.newest is not None:
            limits.append(newer(None if rule.prereleases is None else False) < rule.newest)
        if rule.younger_than and rule.younger_than.age:
            days = rule.younger_than.age // DAY
            limits.append(any(one.days is None or one.days < days for one in releases[version]))
        return any(limits) or not limits

    kept = {version for version in releases if all(stays(version, rule) for rule in rules)}
    final = [version for version in releases if not version.is_prerelease]
    kept |= set(sorted(one for one in final if not all(file.yanked for file in releases[one]))[-1:])
    return {uploaded.version for version in kept for uploaded in releases[version]}


VERSIONS = st.builds(
    "{}.{}{}{}".format,
    st.integers(0, 2),
    st.integers(0, 3),
    st.sampled_from(["", "", "a1", "rc2", ".dev1", ".post1"]),
    st.sampled_from(["", "", "+cpu", "+cu128"]),
)
HISTORIES = st.lists(
    st.builds(Uploaded, VERSIONS, st.none() | st.integers(0, 9), st.booleans()),
    min_size=1,
    max_size=12,
    unique_by=lambda one: one.version,
)
LIMITS = st.fixed_dictionaries(
    {},
    optional={
        "newest": st.integers(0, 4),
        "prereleases": st.integers(0, 3),
        "younger-than": st.sampled_from(["1d", "3d", "8d"]),
    },
).filter(bool)
POLICIES = st.lists(LIMITS, min_size=1, max_size=3)


def shelve(history: Iterable[Uploaded]) -> list[File]:
    return [
        SHELF.file(
            f"demo-{one.version}.tar.gz",
            upload_time="" if one.days is None else format_upload_time(NOW - one.days * DAY),
            yanked="" if one.yanked else None,
        )
        for one in history
    ]


@given(HISTORIES, POLICIES)
def test_retention_equals_the_oracle_and_doing_it_twice_changes_nothing(
    history: list[Uploaded], limits: Sequence[dict[str, object]]
) -> None:
    policy = keep(*(" ".join(f"{key}={value}" for key, value in one.items()) for one in limits))
    kept = decided(policy, shelve(history)).project
    assert {file.version for file in kept.files} == oracle(history, policy.keep)
    if kept.files:
        assert decided(policy, kept.files).project == kept
