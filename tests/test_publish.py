"""Plans, with a destination in memory: they follow from the wanted and the published resources."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mkindex.errors import DestinationError
from mkindex.publish.memory import MemoryDestination
from mkindex.publish.plan import Destination, FileChanged, HeldEntry, Plan, PublishedSection, Put, plan
from mkindex.publish.staging import Outcomes, StagedPages, UnplacedPut
from mkindex.site.layout import Site
from mkindex.site.render import render
from mkindex.site.resources import FileResource, Page, PageResource, Resource, SiblingResource
from mkindex.site.templates import Templates
from mkindex.tree.manifest import ROOT_SECTION, Entry, Stage
from support.index_values import FakeFiles, group_sections, make_index, render_resources
from support.trees import is_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mkindex.model.files import File

SITE = Site(templates=Templates())
NOON = 43_200

fake_files = FakeFiles()
WHEEL = fake_files.file("demo-1.0-py3-none-any.whl")
PLACED, METADATA = FileResource.of(WHEEL), SiblingResource.of(WHEEL)
PAGES = [resource for resource in render_resources(make_index(WHEEL), SITE) if isinstance(resource, Page)]
BYTES = fake_files.read(PLACED)


def page(path: str, text: str = "", *, optional: bool = False, key: str = "") -> PageResource:
    return PageResource(ROOT_SECTION, Stage.PROJECT, path, key or f"key of {text}", text.encode, optional)


def sha256(data: bytes | str) -> str:
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def entry(resource: Resource, text: bytes | str, *, retired: int | None = None) -> Entry:
    """The entry of a published resource with these bytes."""
    return Entry.of(resource, sha256(text), sha256(text))._replace(retired=retired)


def held(resource: Resource, text: bytes | str, *, intact: bool = True, retired: int | None = None) -> HeldEntry:
    return HeldEntry(entry(resource, text, retired=retired), intact)


def sections_with(*held: HeldEntry) -> Callable[[], Iterator[PublishedSection]]:
    """The `sections` method of a destination with one section, which has these entries."""
    return lambda: iter([PublishedSection(held[0].entry.section, "", len(held), partial(list, held))])


def fail() -> NoReturn:
    raise AssertionError("rendered")


def memory(*published: Resource, **foreign: str) -> MemoryDestination:
    made = MemoryDestination(fake_files.read)
    made.apply(plan(group_sections(published), made, now=0, grace=0))
    made.content |= {path.replace("_", "."): text.encode() for path, text in foreign.items()}
    return made


def make_plan(
    resources: Sequence[Resource], destination: Destination, *, overwrite: bool = False, grace: int = 0
) -> Plan:
    return plan(group_sections(resources), destination, now=NOON, grace=grace, overwrite=overwrite)


# --- one rule at a time ---------------------------------------------------------------------------------------------


def test_new_resources_are_put_in_the_order_of_publishing() -> None:
    resources: list[Resource] = [PLACED, METADATA, *PAGES]
    assert make_plan(resources, memory()) == Plan(puts=tuple(Put(each, None, is_new=True) for each in resources))


def test_unchanged_resources_are_left_alone() -> None:
    resources: list[Resource] = [PLACED, METADATA, *PAGES]
    assert make_plan(resources, memory(*resources)) == Plan(unchanged=len(resources))


def test_a_page_is_not_rendered_if_its_key_is_unchanged() -> None:
    before, after = page("a", "one"), PageResource(ROOT_SECTION, Stage.PROJECT, "a", "key of one", fail)
    assert make_plan([after], memory(before)) == Plan(unchanged=1)


class Unmade:
    """The source of a section of which nothing may be made."""

    def resources(self, name: str, /) -> Iterable[Resource]:
        raise AssertionError(name)

    def lines(self, _name: str, /) -> Sequence[bytes]:
        return ()


def test_no_resource_is_made_if_the_key_of_its_section_is_unchanged() -> None:
    before: list[Resource] = [PLACED, METADATA, *PAGES]
    destination = memory(*before)
    wanted = [section._replace(source=Unmade()) for section in group_sections(before)]
    assert plan(wanted, destination, now=NOON, grace=0) == Plan(unchanged=len(before))


def test_a_page_with_another_key_replaces_the_old_one() -> None:
    before, after = page("a", "one"), page("a", "two")
    assert make_plan([after], memory(before)) == Plan(puts=(Put(after, held(before, "one"), is_new=False),))


def test_an_edited_page_is_put_again() -> None:
    destination = memory(before := page("a", "one"))
    destination.content["a"] = b"edited"
    assert make_plan([before], destination) == Plan(
        puts=(Put(before, held(before, "one", intact=False), is_new=False),)
    )


def test_a_deleted_file_is_put_again_but_is_not_new() -> None:
    destination = memory(PLACED)
    del destination.content[PLACED.path]
    lost = held(PLACED, BYTES, intact=False)
    assert make_plan([PLACED], destination) == Plan(puts=(Put(PLACED, lost, is_new=False),))


def test_unlisted_pages_are_deleted_at_once_in_reverse_order() -> None:
    pages = [page("a", "one"), page("b", "two")]
    gone = tuple(entry(each, text) for each, text in zip(reversed(pages), ("two", "one"), strict=True))
    assert make_plan([], memory(*pages), grace=900) == Plan(deletes=gone)


def test_an_unlisted_file_is_retired() -> None:
    retired = entry(PLACED, BYTES, retired=NOON)
    expected = Plan(
        updates=(retired,),
        newly_retired=1,
        retired_paths=(PLACED.path,),
        next_deletion=NOON + 900,
        unlisted_filenames=(WHEEL.filename,),
    )
    assert make_plan([], memory(PLACED), grace=900) == expected


def test_without_grace_an_unlisted_file_is_deleted_at_once() -> None:
    assert make_plan([], memory(PLACED)) == Plan(deletes=(entry(PLACED, BYTES),), unlisted_filenames=(WHEEL.filename,))


@pytest.mark.parametrize(("later", "gone"), [(0, False), (899, False), (900, True), (901, True), (-60, False)])
def test_a_retired_file_is_deleted_after_its_grace(later: int, gone: bool) -> None:
    destination = memory(PLACED)
    destination.apply(make_plan([], destination, grace=900))
    retired = entry(PLACED, BYTES, retired=NOON)
    expected = Plan(deletes=(retired,)) if gone else Plan(retired_paths=(PLACED.path,), next_deletion=NOON + 900)
    assert plan([], destination, now=NOON + later, grace=900) == expected


def test_a_retired_file_that_is_listed_again_is_not_retired_any_more() -> None:
    destination = memory(PLACED)
    destination.apply(make_plan([], destination, grace=900))
    wanted = make_plan([PLACED], destination, grace=900)
    assert wanted == Plan(unchanged=1, updates=(entry(PLACED, BYTES),))


def test_files_and_pages_of_others_with_the_same_bytes_are_adopted() -> None:
    destination = memory(page_html="one")
    destination.content[PLACED.path] = BYTES
    resources: list[Resource] = [PLACED, page("page.html", "one")]
    texts = [BYTES, b"one"]
    adopted = tuple(entry(each, text)._replace(fingerprint="") for each, text in zip(resources, texts, strict=True))
    assert make_plan(resources, destination) == Plan(updates=adopted, unchanged=2)


def test_an_optional_page_of_someone_else_is_left_alone() -> None:
    destination = memory(page_html="theirs")
    assert make_plan([page("page.html", "ours", optional=True)], destination) == Plan(foreign_pages=("page.html",))


def test_an_edited_optional_page_of_ours_is_put_again() -> None:
    destination = memory(ours := page("page.html", "ours", optional=True))
    destination.content["page.html"] = b"edited"
    assert make_plan([ours], destination) == Plan(puts=(Put(ours, held(ours, "ours", intact=False), is_new=False),))


def test_other_files_of_someone_else_are_in_the_way() -> None:
    destination = memory(a="theirs", c="theirs")
    with pytest.raises(
        DestinationError,
        match=r"^these files are in the way, and mkindex has no record of writing them: a, c\. Move them",
    ):
        make_plan([page("a", "ours"), page("b", "ours"), page("c", "ours")], destination)


def test_at_most_five_of_the_paths_in_the_way_are_named() -> None:
    destination = memory(**dict.fromkeys("abcdefg", "theirs"))
    with pytest.raises(DestinationError, match=r": a, b, c, d, e and 2 more\. Move"):
        make_plan([page(path, "ours") for path in "abcdefg"], destination)


@pytest.mark.parametrize("optional", [False, True])
def test_overwrite_replaces_what_is_in_the_way(optional: bool) -> None:
    destination, ours = memory(page_html="theirs"), page("page.html", "ours", optional=optional)
    assert make_plan([ours], destination, overwrite=True) == Plan(puts=(Put(ours, None, is_new=False),))


def test_a_file_in_the_intent_of_a_dead_run_is_ours_but_its_bytes_are_compared() -> None:
    destination, ours = memory(page_html="half"), page("page.html", "whole")
    unsure = HeldEntry(Entry.of(ours, "")._replace(key=""), intact=False)
    destination.sections = sections_with(unsure)  # type: ignore[method-assign]
    assert make_plan([ours], destination) == Plan(puts=(Put(ours, unsure, is_new=False),))


def test_a_whole_file_of_a_dead_run_is_adopted() -> None:
    destination = memory(PLACED)
    unsure = HeldEntry(Entry.of(PLACED, "")._replace(key=""), intact=False)
    destination.sections = sections_with(unsure)  # type: ignore[method-assign]
    adopted = entry(PLACED, BYTES)._replace(fingerprint="")
    assert make_plan([PLACED], destination) == Plan(updates=(adopted,), unchanged=1)


def test_a_retired_file_of_a_dead_run_is_adopted_when_it_is_listed_again() -> None:
    destination = memory(PLACED)
    unread = entry(PLACED, BYTES, retired=NOON - 1)._replace(key="", sha256="")
    destination.sections = sections_with(HeldEntry(unread, intact=True))  # type: ignore[method-assign]
    assert make_plan([PLACED], destination) == Plan(
        updates=(entry(PLACED, BYTES)._replace(fingerprint=""),), unchanged=1
    )


def test_a_filename_with_other_bytes_is_reported_as_replaced() -> None:
    old, new = (FileResource.of(fake_files.file("demo-1.0.tar.gz", content)) for content in (b"old", b"new"))
    assert make_plan([new], memory(old)) == Plan(
        puts=(Put(new, None, is_new=True),),
        deletes=(entry(old, b"old"),),
        replaced_filenames=("demo-1.0.tar.gz",),
        unlisted_filenames=("demo-1.0.tar.gz",),
    )


def test_a_file_that_changed_since_it_was_examined_is_not_published() -> None:
    destination = MemoryDestination(lambda _: b"other bytes")
    with pytest.raises(FileChanged, match=r"^/wheels/demo-1.0-py3-none-any.whl changed while it was read"):
        destination.apply(make_plan([PLACED], destination))
    assert (destination.content, list(destination.sections())) == ({}, [])


@pytest.mark.parametrize("paths", [("", "simple"), ("simple", "")])
def test_a_project_page_and_the_root_page_can_swap_paths(paths: tuple[str, str]) -> None:
    project = make_index(fake_files.file("simple-1.0.tar.gz"))
    before, after = (render_resources(project, Site(simple_path=path, templates=SITE.templates)) for path in paths)
    destination = memory(*before)
    destination.apply(make_plan(after, destination))
    assert destination.content == memory(*after).content


def test_a_file_that_belongs_to_another_project_now_stays_at_its_path() -> None:
    destination, moved = memory(PLACED), FileResource.of(WHEEL._replace(facts=WHEEL.facts._replace(project="other")))
    todo = make_plan([moved], destination)
    assert todo == Plan(updates=(Entry.of(moved, WHEEL.sha256),), transfers=(entry(PLACED, BYTES),), unchanged=1)
    destination.apply(todo)
    assert make_plan([moved], destination) == Plan(unchanged=1)
    assert destination.content == {PLACED.path: BYTES}


@pytest.mark.parametrize(
    ("stays", "edited", "text"),
    [(page("a", "one"), page("b", "two"), b"two"), (PLACED, METADATA, fake_files.read(METADATA))],
)
def test_a_path_in_the_intent_for_another_section_is_not_deleted(
    stays: Resource, edited: Resource, text: bytes
) -> None:
    destination = memory(stays, edited)
    destination.content[edited.path] = b"edited"
    unsure = HeldEntry(Entry.of(stays, "")._replace(key="", section="another"), intact=False)
    published = sorted([*destination.sections(), PublishedSection("another", "", 1, partial(list, [unsure]))])
    destination.sections = lambda: iter(published)  # type: ignore[method-assign]
    lost = held(edited, text, intact=False)
    expected = Plan(puts=(Put(edited, lost, is_new=False),), transfers=(unsure.entry,), unchanged=1)
    assert make_plan([stays, edited], destination) == expected


# --- any two indexes ------------------------------------------------------------------------------------------------

filenames = st.sampled_from(
    [f"{name}-{end}" for name in ("demo", "e", "f_g") for end in ("1.0.tar.gz", "1-py3-none-any.whl")]
)
files = st.dictionaries(filenames, st.sampled_from([b"", b"one", b"two"]), max_size=5)
sites = st.builds(
    partial(Site, templates=SITE.templates),
    simple_path=st.sampled_from(["simple", "", "a", "a/b"]),
    files_url=st.sampled_from([None, None, "https://files.example/"]),
    links=st.booleans(),
)


def resources(files: dict[str, bytes], site: Site) -> list[Resource]:
    made: list[File] = [fake_files.file(name, content) for name, content in files.items()]
    return render_resources(make_index(*made), site)


@given(st.tuples(files, sites), st.tuples(files, sites))
def test_sections_have_the_same_key_if_and_only_if_they_have_the_same_resources(
    one: tuple[dict[str, bytes], Site], other: tuple[dict[str, bytes], Site]
) -> None:
    def known(files: dict[str, bytes], site: Site) -> dict[str, tuple[str, list[tuple[str, str]]]]:
        made = render(make_index(*(fake_files.file(name, content) for name, content in files.items())), site)
        return {each.name: (each.key, [(part.path, part.key) for part in each.resources()]) for each in made}

    before, after = known(*one), known(*other)
    for name in before.keys() & after.keys():
        (old_key, old), (new_key, new) = before[name], after[name]
        assert (old_key == new_key) == (old == new)


def cold(wanted: Sequence[Resource]) -> dict[str, bytes]:
    return memory(*wanted).content


@pytest.mark.slow
@given(st.lists(st.tuples(files, sites), min_size=2, max_size=5), st.booleans())
def test_the_plans_of_any_builds_end_with_the_tree_of_a_cold_build_and_edited_pages_that_it_does_not_have(
    builds: list[tuple[dict[str, bytes], Site]], damage: bool
) -> None:
    destination = memory()
    for each in builds:
        wanted = resources(*each)
        edited = {path: data for path, data in destination.content.items() if data == b"edited" and is_page(path)}
        destination.apply(make_plan(wanted, destination, overwrite=damage))
        assert destination.content == edited | cold(wanted)
        assert make_plan(wanted, destination) == Plan(unchanged=len(wanted))
        if damage:
            destination.content |= dict.fromkeys(list(destination.content)[::2], b"edited")
            for path in list(destination.content)[1::4]:
                del destination.content[path]


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 900), files), max_size=8))
def test_an_unlisted_file_is_kept_for_exactly_the_grace(
    builds: list[tuple[int, dict[str, bytes]]],
) -> None:
    destination, now = memory(), 0
    since: dict[str, int] = {}  # when each file was first unlisted
    for passed, wanted in builds:
        now += passed
        destination.apply(plan(group_sections(resources(wanted, SITE)), destination, now=now, grace=600))
        named = cold(resources(wanted, SITE))
        since = {path: since.get(path, now) for path in destination.content.keys() | since.keys() if path not in named}
        since = {path: when for path, when in since.items() if now - when < 600}
        assert destination.content.keys() == named.keys() | since.keys()
        assert all(destination.content[path] == data for path, data in named.items())


def test_what_became_of_many_pages_is_kept_as_it_was() -> None:
    outcomes = [UnplacedPut(hashlib.sha256(bytes([number])).hexdigest(), number % 3 == 0) for number in range(7)]
    staged = StagedPages(iter(outcomes))
    assert ([*staged], staged[-1], staged[2:5], len(staged)) == (outcomes, outcomes[-1], outcomes[2:5], 7)
    with pytest.raises(IndexError):
        staged[7]
    both = Outcomes(["fingerprint"], staged)
    assert ([*both.each()], both.of(0), both.of(3)) == (["fingerprint", *outcomes], "fingerprint", outcomes[2])
