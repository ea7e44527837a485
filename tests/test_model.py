"""Files become projects in one total order, and files that clients cannot distinguish are never both listed."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name, canonicalize_version
from packaging.version import Version

from mkindex.errors import Note, Rejected
from mkindex.model.files import Artifact, Facts, File, Fingerprint, Link
from mkindex.model.index import Index, Project, Release, assemble, without_zeros

if TYPE_CHECKING:
    from collections.abc import Callable


def file(
    filename: str,
    project: str = "demo",
    version: str = "1.0",
    *,
    content: str = "",
    source: str = "a",
    normal: str = "",
    yanked: str | None = None,
) -> File:
    link = None if yanked is None else Link(url="file:", filename=filename, yanked=yanked)
    artifact = Artifact(f"/{source}", filename, Fingerprint(0, 1, 0, 0), link)
    facts = Facts(canonicalize_name(project), version, sha256=content, normal_filename=normal)
    return File(artifact, facts, filename)


def project(name: str, *files: File) -> Project:
    return Project(name=canonicalize_name(name), files=files)


def rival(path: str, why: str = "") -> str:
    return (
        f"clients cannot distinguish it from {path}{why}, and their contents differ: remove one, or use --prefer first"
    )


def releases(*versions: str) -> list[str]:
    files = (file(f"demo-{version}.zip", version=version) for version in versions)
    return [release.version for release in project("demo", *files).releases()]


def newest(*versions: str, yanked: str = "") -> str:
    files = (
        file(f"demo-{version}.zip", version=version, yanked="" if version in yanked.split() else None)
        for version in versions
    )
    return project("demo", *files).newest()


# --- assemble -------------------------------------------------------------------------------------------------------


def test_no_files_make_an_empty_index() -> None:
    assert assemble([]) == (Index(projects=()), [])


def test_projects_are_ordered_by_name_and_their_files_by_filename() -> None:
    b2, b1 = file("b-2.zip", "b", "2"), file("b-10.zip", "b", "10")
    a, ab = file("a-1.zip", "a"), file("a_b-1.zip", "a-b")
    assert assemble([b2, ab, b1, a]) == (
        Index(projects=(project("a", a), project("a-b", ab), project("b", b1, b2))),
        [],
    )


@given(st.permutations([file(f"{n}-{v}.zip", n, str(v)) for n in ("a", "b", "a-b") for v in (1, 2, 10)]))
def test_the_index_does_not_depend_on_the_order_of_files_that_differ(files: list[File]) -> None:
    assert assemble(files) == assemble(sorted(files, key=lambda file: file.filename))


def test_a_file_found_twice_with_the_same_bytes_is_listed_once_from_the_first_place() -> None:
    first, second = (file("demo-1.0.zip", content="x", source=source) for source in ("b", "a"))
    assert assemble([first, second]) == (Index(projects=(project("demo", first),)), [])


# --- assemble: what several sources say of one file -------------------------------------------------------------------

WHEEL = "demo-1.0-py3-none-any.whl"
EARLY, LATE, MTIME = "2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z", "2025-01-01T00:00:00Z"


def in_directory(*, requires_python: str = "", **entry: Any) -> File:  # noqa: ANN401 (fields of Link)
    """Return a file of this machine, which a list names if it says something of it."""
    link = Link(url="file:", filename=WHEEL, **entry) if entry else None
    facts = Facts("demo", "1.0", sha256="x", requires_python=requires_python)
    facts = facts._replace(upload_time=entry.get("upload_time") or MTIME)
    return File(Artifact("/a", WHEEL, Fingerprint(0, 1, 0, 0), link), facts, WHEEL)


def on_page(host: str = "host.example", *, requires_python: str = "", warning: str = "", **entry: Any) -> File:  # noqa: ANN401
    """Return a file that stays on its server, with what its page says."""
    link = Link(url=f"https://{host}/{WHEEL}", filename=WHEEL, **entry)
    facts = Facts("demo", "1.0", sha256="x", requires_python=requires_python, warning=warning)
    return File(link, facts._replace(upload_time=entry.get("upload_time", "")), WHEEL)


def merged(*files: File) -> File:
    """Return the only file that an index lists, which is the first of these."""
    index, findings = assemble(files)
    ((found,),) = [project.files for project in index.projects]
    assert findings == []
    assert found.artifact.location == files[0].artifact.location
    return found


SAYINGS = {
    "a yank with a reason": ({"yanked": "broken"}, {}, "yanked", "broken"),
    "a yank without a reason": ({"yanked": ""}, {}, "yanked", ""),
    "two yanks, one with a reason": ({"yanked": ""}, {"yanked": "broken"}, "yanked", "broken"),
    "provenance": ({"provenance": "https://host.example/p"}, {}, "provenance", "https://host.example/p"),
    "an upload time": ({"upload_time": LATE}, {}, "upload_time", LATE),
    "two upload times": ({"upload_time": LATE}, {"upload_time": EARLY}, "upload_time", EARLY),
}


@pytest.mark.parametrize(("one", "other", "field", "expected"), SAYINGS.values(), ids=SAYINGS)
@pytest.mark.parametrize("others", [in_directory, on_page])
@pytest.mark.parametrize("is_listed", [True, False], ids=["a list", "a page"])
def test_what_a_source_says_of_a_file_is_kept_whichever_comes_first(
    one: dict[str, str],
    other: dict[str, str],
    field: str,
    expected: str,
    others: Callable[..., File],
    *,
    is_listed: bool,
) -> None:
    says = in_directory(**one) if is_listed else on_page("other.example", **one)
    for files in itertools.permutations([says, others(**other)]):
        assert getattr(merged(*files), field) == expected


def test_a_file_of_which_its_sources_say_nothing_stays_as_it_is() -> None:
    assert merged(in_directory(), on_page()) == in_directory()
    assert merged(in_directory(), in_directory()) == in_directory()
    assert merged(on_page(), on_page("other.example")) == on_page()


def test_an_mtime_counts_only_if_no_source_states_an_upload_time() -> None:
    assert merged(on_page(), in_directory()).upload_time == MTIME
    assert merged(in_directory(), on_page(upload_time=EARLY)).upload_time == EARLY


def test_without_upload_times_none_is_taken_from_a_listing() -> None:
    files = [file.with_upload_time("") for file in (in_directory(), on_page(upload_time=EARLY))]
    assert [merged(*each).upload_time for each in itertools.permutations(files)] == ["", ""]


def test_requires_python_is_that_of_a_file_that_was_read() -> None:
    page = on_page(requires_python=">=2", warning="not read")
    for files in itertools.permutations([in_directory(requires_python=">=3.9"), page]):
        assert (merged(*files).requires_python, merged(*files).warning) == (">=3.9", "")


def test_requires_python_is_taken_from_the_page_that_has_it() -> None:
    unread = on_page(warning="unknown")
    for files in itertools.permutations([unread, on_page("other.example", requires_python=">=3.9")]):
        assert (merged(*files).requires_python, merged(*files).warning) == (">=3.9", "")


@pytest.mark.parametrize("prefer_first", [True, False])
def test_nothing_is_taken_from_a_file_with_other_bytes(*, prefer_first: bool) -> None:
    first, other = in_directory(), on_page(yanked="broken")
    other = other._replace(facts=other.facts._replace(sha256="y"))
    index, _ = assemble([first, other], prefer_first=prefer_first)
    assert [file for project in index.projects for file in project.files] == ([first] if prefer_first else [])


# --- assemble: files that clients cannot tell apart -------------------------------------------------------------------

ALIKE = {
    "the same name": [file("demo-1.0.zip", content=c, source=c) for c in "xy"],
    "another spelling of the name": [
        file("demo-1.0.zip", content="x"),
        file("Demo-1.0.zip", content="y", normal="demo-1.0.zip"),
    ],
    "another order of tags": [
        file("demo-1.0-py2.py3-none-any.whl", content="x"),
        file("demo-1.0-py3.py2-none-any.whl", content="y", normal="demo-1.0-py2.py3-none-any.whl"),
    ],
}


@pytest.mark.parametrize("twins", ALIKE.values(), ids=ALIKE)
def test_files_that_clients_cannot_distinguish_are_both_rejected_and_named(twins: list[File]) -> None:
    other = file("demo-2.0.zip", version="2.0")
    one, two = twins
    assert assemble([one, other, two]) == (
        Index(projects=(project("demo", other),)),
        [
            Rejected(location=one.artifact.location, reason=rival(two.artifact.location)),
            Rejected(location=two.artifact.location, reason=rival(one.artifact.location)),
        ],
    )


@pytest.mark.parametrize("twins", ALIKE.values(), ids=ALIKE)
def test_with_prefer_first_the_first_is_listed_and_the_other_named(twins: list[File]) -> None:
    one, two = twins
    text = f"not published: its contents differ from those of {one.artifact.location}, which comes first"
    assert assemble(twins, prefer_first=True) == (
        Index(projects=(project("demo", one),)),
        [Note(location=two.artifact.location, text=text)],
    )


@pytest.mark.parametrize(
    ("short", "long"),
    [
        (
            file("demo-1.0-py3-none-any.whl", content="x"),
            file("demo-1.0.0-py3-none-any.whl", version="1.0.0", content="y"),
        ),
        (file("Demo-1.zip", version="1", normal="demo-1.zip", content="x"), file("demo-1.0.zip", content="y")),
        (
            file("demo-1!1a1.zip", version="1!1a1", content="x"),
            file("demo-1!1.0.0a1.zip", version="1!1.0.0a1", content="y"),
        ),
    ],
    ids=["wheels", "another spelling of the name", "pre-releases"],
)
def test_files_of_equal_versions_that_clients_cannot_distinguish_are_both_rejected(short: File, long: File) -> None:
    assert assemble([short, long]) == (
        Index(projects=()),
        [
            Rejected(
                location=one.artifact.location,
                reason=rival(two.artifact.location, f" ({two.version} and {one.version} are equal versions)"),
            )
            for one, two in [(short, long), (long, short)]
        ],
    )


def test_a_file_of_equal_versions_with_the_same_bytes_is_listed_once() -> None:
    one, two = file("demo-1.0.zip", content="x"), file("demo-1.0.0.zip", version="1.0.0", content="x")
    assert assemble([one, two]) == (Index(projects=(project("demo", one),)), [])


def test_files_of_equal_versions_that_clients_can_distinguish_are_listed() -> None:
    files = (
        file("demo-1.0-1-py3-none-any.whl", content="x"),
        file("demo-1.0-py3-none-any.whl", content="y"),
        file("demo-1.0.0-py2-none-any.whl", version="1.0.0", content="z"),
        file("demo-1.0.0.zip", version="1.0.0", content="a"),
    )
    assert assemble(files) == (Index(projects=(project("demo", *files),)), [])


def test_a_project_whose_files_are_all_rejected_is_not_listed() -> None:
    index, _ = assemble([file("demo-1.0.zip", content=c, source=c) for c in "xy"])
    assert index == Index(projects=())


@pytest.mark.parametrize("contents", sorted(set(itertools.permutations("xxyz"))), ids="".join)
def test_every_one_of_several_rivals_is_named(contents: tuple[str, ...]) -> None:
    files = [file("demo-1.0.zip", content=content, source=str(n)) for n, content in enumerate(contents)]
    index, findings = assemble(files)
    assert index == Index(projects=())
    assert {finding.location for finding in findings} == {file.artifact.location for file in files}


def test_names_in_messages_are_escaped() -> None:
    one, two = (file("demo-1.0.zip", content=c, source=f"\x1b{c}") for c in "xy")
    _, findings = assemble([one, two])
    assert [finding.reason for finding in findings if isinstance(finding, Rejected)] == [
        rival(r"/\x1by/demo-1.0.zip"),
        rival(r"/\x1bx/demo-1.0.zip"),
    ]


# --- releases -------------------------------------------------------------------------------------------------------


def test_releases_are_in_the_order_of_pep_440_and_not_of_text() -> None:
    assert releases("1!0.1", "10.0", "2.0", "2.0.post1", "2.0rc1", "2.0.dev1", "2.0+cu128", "2.0a1", "2.0+cpu") == [
        *("2.0.dev1", "2.0a1", "2.0rc1", "2.0", "2.0+cpu", "2.0+cu128", "2.0.post1", "10.0", "1!0.1"),
    ]


def test_a_release_holds_its_files_by_name() -> None:
    wheel, old, sdist = file("demo-1.0-py3-none-any.whl"), file("demo-0.9.zip", version="0.9"), file("demo-1.0.zip")
    assert project("demo", old, wheel, sdist).releases() == [
        Release(version="0.9", files=(old,)),
        Release(version="1.0", files=(wheel, sdist)),
    ]


def test_equal_versions_are_one_release() -> None:
    long, short = file("demo-1.0.0.zip", version="1.0.0"), file("demo-1.0-py3-none-any.whl")
    assert project("demo", long, short).releases() == [Release(version="1.0", files=(long, short))]


VERSION = st.from_regex(
    r"([12]!)?[0-2](\.[0-2]){0,2}((a|b|rc)[012])?(\.post[01])?(\.dev[01])?(\+[ab012](\.0)?)?", fullmatch=True
)


@pytest.mark.slow
@given(st.lists(VERSION.map(lambda text: str(Version(text))), unique_by=Version), st.randoms())
def test_the_order_of_releases_is_total_and_that_of_pep_440(
    versions: list[str],
    random: object,
) -> None:
    ordered = releases(*versions)
    shuffled = list(versions)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert sorted(ordered) == sorted(versions)
    assert releases(*shuffled) == ordered
    parsed = [Version(version) for version in ordered]
    assert parsed == sorted(parsed)


@given(VERSION.map(lambda text: str(Version(text))))
def test_zeros_are_removed_as_packaging_does(version: str) -> None:
    assert without_zeros(version) == canonicalize_version(version)


# --- newest ---------------------------------------------------------------------------------------------------------


def test_the_newest_is_the_highest_final_version_that_is_not_yanked() -> None:
    assert {
        "a final one": newest("1.0", "2.0", "10.0", "11.0rc1", "12.0.dev1"),
        "only pre-releases": newest("1.0a1", "1.0b1"),
        "the last one yanked": newest("1.0", "2.0", yanked="2.0"),
        "all final ones yanked": newest("1.0", "2.0", "3.0rc1", yanked="1.0 2.0"),
        "all yanked": newest("1.0", "2.0", "3.0rc1", yanked="1.0 2.0 3.0rc1"),
        "nothing": newest(),
    } == {
        "a final one": "10.0",
        "only pre-releases": "1.0b1",
        "the last one yanked": "1.0",
        "all final ones yanked": "3.0rc1",
        "all yanked": "2.0",
        "nothing": "",
    }


def test_a_release_with_one_file_that_is_not_yanked_can_be_the_newest() -> None:
    old, yanked = file("demo-1.0.zip"), file("demo-2.0.zip", version="2.0", yanked="broken")
    whole = file("demo-2.0-py3-none-any.whl", version="2.0")
    assert (project("demo", old, yanked).newest(), project("demo", old, whole, yanked).newest()) == ("1.0", "2.0")
