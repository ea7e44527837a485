"""What can be installed from an index: the answer of `closure`, on values."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from mkindex.closure.lookup import Answer, Closure, Limit, Missing, Offer, Root
from mkindex.distributions.filenames import parse_filename
from mkindex.environments import environment_for, on_any_platform

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mkindex.environments import Environment

LINUX = environment_for("3.12", "linux")
WINDOWS = environment_for("3.12", "windows")

Files = dict[str, tuple[str, ...]]


def offer(filename: str, *requires: str, python: str = "", yanked: str | None = None) -> Offer:
    _, version, _ = parse_filename(filename)
    return Offer(filename, Version(version), python, yanked, requires)


def wheel(name: str, *requires: str, version: str = "1.0", python: str = "", yanked: str | None = None) -> Offer:
    return offer(f"{name}-{version}-py3-none-any.whl", *requires, python=python, yanked=yanked)


def closure(*offers: Offer, environment: Environment = LINUX, limits: Mapping[str, Limit] | None = None) -> Closure:
    index = defaultdict[str, list[Offer]](list)
    for one in offers:
        index[parse_filename(one.filename)[0]].append(one)
    return Closure(lambda name: index.get(name, ()), environment, limits=limits)


def of_root(requirement: str, *offers: Offer, environment: Environment = LINUX) -> list[tuple[str, str]]:
    """Return where the requirements are that keep a root from being installed, and these requirements."""
    found = closure(*offers, environment=environment).of_roots([Root(requirement, "line 1")])
    return [(one.place, one.requirement) for one in found.missing]


# --- roots ------------------------------------------------------------------------------------------------------------


def test_a_root_is_satisfied_through_all_that_it_requires() -> None:
    app, lib, core = wheel("app", "lib>=1"), wheel("lib", "core"), wheel("core")
    other = wheel("other", "gone")
    answer = closure(app, lib, core, other).of_roots([Root("app", "line 1")])
    assert answer == Answer(missing=(), offers=(app, lib, core))


def test_a_requirement_that_is_missing_is_reported_once_where_it_is_with_the_root() -> None:
    answer = closure(wheel("app", "lib"), wheel("tool", "lib"), wheel("lib", "gone>1"), wheel("one")).of_roots(
        [Root("app>0", "line 1"), Root("tool", "line 2"), Root("one>=2", "line 3")]
    )
    assert answer.missing == (
        Missing("lib-1.0-py3-none-any.whl", "gone>1", "this index has no gone", root="app>0 in line 1"),
        Missing("line 3", "one>=2", "this index has one 1.0"),
    )


def test_an_older_version_that_can_be_installed_satisfies_a_root() -> None:
    files = wheel("app", version="1.0"), wheel("app", "gone", version="2.0")
    assert of_root("app", *files) == []
    assert of_root("app>=2", *files) == [("app-2.0-py3-none-any.whl", "gone")]


def test_only_the_newest_file_explains_why_a_root_cannot_be_installed() -> None:
    files = wheel("app", "older", version="1.0"), wheel("app", "newer", version="2.0")
    assert of_root("app", *files) == [("app-2.0-py3-none-any.whl", "newer")]


def test_versions_that_pin_each_other_are_looked_up_in_linear_time() -> None:
    numbers = range(4_000)
    files = [
        wheel(name, f"{other}=={number}", version=str(number)) for number in numbers for name, other in ("ab", "ba")
    ]
    assert closure(*files).of_files("ab").missing == ()


def test_one_missing_version_of_thousands_is_found_in_linear_time() -> None:
    numbers = range(1, 2_000)
    files = [wheel("a", f"a=={number + 1}", "a>=0", version=str(number)) for number in numbers]
    found = closure(*files).of_roots([Root(f"a=={number}", "line 1") for number in numbers]).missing
    assert [(one.place, one.requirement) for one in found] == [("a-1999-py3-none-any.whl", "a==2000")]


@pytest.mark.parametrize(
    ("requirement", "versions"),
    [
        ("lib==1.0", ["1.0", "1.0+cpu"]),
        ("lib==1", ["1.0", "1.0+cpu"]),
        ("lib==1.0+cpu", ["1.0+cpu"]),
        ("lib==1.*", ["1.0", "1.0+cpu", "1.1"]),
        ("lib==1.0,>=1", ["1.0", "1.0+cpu"]),
        ("lib===1.0", ["1.0"]),
        ("lib!=1.0", ["1.1", "2.0"]),
    ],
)
def test_a_version_is_pinned_as_the_specification_says(requirement: str, versions: list[str]) -> None:
    files = [offer(f"lib-{version}-py3-none-any.whl", "gone") for version in ("1.0", "1.0+cpu", "1.1", "2.0")]
    reached = closure(*files).of_roots([Root(requirement, "line 1")]).offers
    assert sorted(str(one.version) for one in reached) == versions


def test_files_that_require_each_other_can_be_installed() -> None:
    assert of_root("app", wheel("app", "lib"), wheel("lib", "app")) == []
    assert of_root("app", wheel("app", "lib"), wheel("lib", "app", "gone")) == [("lib-1.0-py3-none-any.whl", "gone")]


def test_a_chain_of_a_thousand_files_is_followed_to_its_end() -> None:
    chain = [wheel(f"p{number}", f"p{number + 1}") for number in range(1200)]
    assert of_root("p0", *chain) == [("p1199-1.0-py3-none-any.whl", "p1200")]


def test_extras_count_where_they_are_requested_also_through_other_extras() -> None:
    app = wheel("app", "app[fast]; extra == 'all'", "speed; extra == 'fast'", "docs; extra == 'docs'")
    assert of_root("app", app) == []
    assert of_root("app[docs]", app) == [("app-1.0-py3-none-any.whl", 'docs; extra == "docs"')]
    assert of_root("app[All]", app) == [("app-1.0-py3-none-any.whl", 'speed; extra == "fast"')]
    assert of_root("tool", wheel("tool", "app[docs]"), app) == [("app-1.0-py3-none-any.whl", 'docs; extra == "docs"')]


def test_markers_and_tags_are_those_of_the_environment() -> None:
    app = wheel("app", "colors; sys_platform == 'win32'", "old; python_version < '3.9'")
    native = offer("native-1.0-cp312-cp312-win_amd64.whl")
    assert of_root("app", app) == []
    assert of_root("app", app, environment=WINDOWS) == [("app-1.0-py3-none-any.whl", 'colors; sys_platform == "win32"')]
    assert of_root("app", app, environment=on_any_platform(LINUX)) == [
        ("app-1.0-py3-none-any.whl", 'colors; sys_platform == "win32"')
    ]
    assert of_root("native", native) == [("line 1", "native")]
    assert of_root("native", native, environment=WINDOWS) == []
    assert of_root("native", native, environment=on_any_platform(LINUX)) == []
    assert of_root("gone; sys_platform == 'win32'", app) == []


def test_a_file_for_another_python_and_a_yanked_one_do_not_count() -> None:
    assert of_root("app", wheel("app", python=">=3.13")) == [("line 1", "app")]
    assert of_root("app>=1", wheel("app", yanked="")) == [("line 1", "app>=1")]
    assert of_root("app==1.0", wheel("app", yanked="")) == []


def test_constraints_limit_the_versions_of_all_requirements() -> None:
    files = wheel("app", "lib"), wheel("lib", version="2.0")
    limited = closure(*files, limits={"lib": Limit(SpecifierSet("<2"))}).of_roots([Root("app", "line 1")])
    assert limited.missing == (
        Missing("app-1.0-py3-none-any.whl", "lib", "this index has lib 2.0", root="app in line 1"),
    )


@pytest.mark.parametrize(
    ("digest", "problem"),
    [
        ("a" * 64, None),
        ("b" * 64, "lib-1.0-py3-none-any.whl in this index has another hash"),
        (
            "md5=c",
            "this index has no sha256 of lib-1.0-py3-none-any.whl to compare (--files hash reads the file)",
        ),
        ("", "this index has no sha256 of lib-1.0-py3-none-any.whl to compare (--files hash reads the file)"),
    ],
    ids=["the same", "another", "of another kind", "unknown"],
)
def test_only_files_with_the_hashes_of_a_project_satisfy_a_requirement(digest: str, problem: str | None) -> None:
    files = wheel("app", "lib"), wheel("lib")._replace(digest=digest)
    limits = {"lib": Limit(digests=frozenset({"a" * 64, "f" * 64}))}
    found = closure(*files, limits=limits).of_roots([Root("app", "line 1")])
    place = "app-1.0-py3-none-any.whl"
    assert found.missing == ((Missing(place, "lib", problem, root="app in line 1"),) if problem else ())


def test_a_file_with_a_required_hash_is_taken_before_a_better_one_with_another() -> None:
    sdist = offer("lib-1.0.tar.gz")._replace(digest="a" * 64)
    files = wheel("lib")._replace(digest="b" * 64), sdist
    limits = {"lib": Limit(digests=frozenset({"a" * 64}))}
    assert closure(*files, limits=limits).of_roots([Root("lib", "line 1")]) == Answer((), (sdist,))


def test_the_limits_of_several_places_hold_together() -> None:
    first, second = Limit(SpecifierSet(">1"), frozenset("ab")), Limit(SpecifierSet("<2"), frozenset("bc"))
    versions = SpecifierSet(">1,<2")
    assert [first & second, first & Limit(second.versions), Limit(first.versions) & second] == [
        Limit(versions, frozenset("b")),
        Limit(versions, frozenset("ab")),
        Limit(versions, frozenset("bc")),
    ]


@pytest.mark.parametrize(
    ("requirement", "shown", "problem"),
    [
        ("six~=1", "'six~=1'", "clients cannot parse it, and pass over the file"),
        ("six @ git+https://host/six", "six @ git+https://host/six", "pip takes it from that address"),
        (f"six; {'(' * 5000}os_name == 'nt'{')' * 5000}", "six", "clients cannot parse it, and pass over the file"),
    ],
    ids=["not valid", "an address", "in thousands of parentheses"],
)
def test_a_requirement_that_no_index_can_satisfy_is_reported(requirement: str, shown: str, problem: str) -> None:
    (found,) = closure(wheel("app", requirement), wheel("six")).of_files(["app"]).missing
    assert (found.place, shown in found.requirement, found.problem.startswith(problem)) == (
        "app-1.0-py3-none-any.whl",
        True,
        True,
    )


def test_a_root_with_an_address_is_reported_without_its_password() -> None:
    roots = [Root("six @ https://me:secret@host/six.whl", "line 1"), Root("git+https://me:secret@host/six", "line 2")]
    problem = "clients do not look it up in this index, but take it from its own address"
    assert closure().of_roots(roots).missing == (
        Missing("line 1", "six @ https://host/six.whl", problem),
        Missing("line 2", "git+https://host/six", problem),
    )


# --- files ------------------------------------------------------------------------------------------------------------


def test_of_all_files_each_requirement_that_is_missing_is_reported() -> None:
    old, new, lib = wheel("app", "older"), wheel("app", "lib", version="2.0"), wheel("lib", "gone")
    assert closure(old, new, lib).of_files(["app", "lib"]) == Answer(
        missing=(
            Missing("app-1.0-py3-none-any.whl", "older", "this index has no older"),
            Missing("lib-1.0-py3-none-any.whl", "gone", "this index has no gone"),
        ),
        offers=(new, old, lib),
    )


def test_of_each_version_the_file_counts_that_clients_prefer() -> None:
    native = offer("app-1.0-cp312-cp312-linux_x86_64.whl")
    sdist = offer("app-1.0.tar.gz")._replace(build_requires=("hatchling",))
    assert closure(native, wheel("app", "gone"), sdist).of_files(["app"]) == Answer((), (native,))
    yanked = native._replace(yanked="broken")
    assert closure(yanked, sdist).of_files(["app"]) == Answer(
        missing=(Missing("app-1.0.tar.gz", "hatchling", "this index has no hatchling", is_build=True),),
        offers=(sdist,),
    )


def test_what_builds_an_sdist_is_required_with_its_own_requirements() -> None:
    sdist = offer("app-1.0.tar.gz", "lib")._replace(build_requires=("hatchling>1", "wheel; os_name == 'nt'"))
    files = sdist, wheel("lib"), wheel("hatchling", "pathspec", version="1.2")
    assert of_root("app", *files) == [("hatchling-1.2-py3-none-any.whl", "pathspec")]
    assert of_root("app", *files, wheel("pathspec")) == []
    locked = Closure(lambda name: [sdist] if name == "app" else [wheel(name)], on_any_platform(LINUX), builds=False)
    assert locked.of_roots([Root("app", "line 1")]).missing == ()
