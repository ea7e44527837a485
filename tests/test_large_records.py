"""What the manifest records of a project stays whole however large it is; without it, nothing is lost silently."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mkindex import cli
from mkindex.build.growing import Growth
from mkindex.build.pipeline import build
from mkindex.build.requesting import require_project
from mkindex.config import Config
from mkindex.errors import SourceError
from mkindex.model.index import ProjectStatus
from support.builds import publish
from support.fake_store import ADDRESS, FakeStore, use
from support.growing import add, cold_union, resealed
from support.trees import read_tree
from support.variant_wheels import variant_json, write_variant
from support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from mkindex.model.files import File

pytestmark = pytest.mark.usefixtures("isolated")

MANIFEST = ".mkindex/manifest"
QUARANTINED = ProjectStatus("quarantined", None)
AGAIN = "So it is not known what this index lists: build it from its sources again"


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Three wheels of a release, of which two need more than a line of a manifest each, and one needs three."""
    directory = tmp_path / "large"
    directory.mkdir()
    for label, count in (("a", 8_000), ("b", 4_000), ("c", 1)):
        values = [f"{number:06d}" for number in range(count)]
        write_variant(directory, "torchish", "2.0", label, variant_json(label, {"nvidia": {"cuda": values}}))
    return directory


@pytest.fixture
def small(tmp_path: Path) -> Path:
    directory = tmp_path / "small"
    directory.mkdir()
    write_wheel(directory, "x", "1.0")
    return directory


def decide(
    destination: Path | str,
    *,
    status: ProjectStatus | None = None,
    edit: Callable[[File], File] = lambda file: file,
    **options: Any,  # noqa: ANN401 (the fields of Config)
) -> None:
    """Give the project a status, or change what is listed of its files."""
    growth = Growth(given=frozenset(options), statuses={"torchish": status}, edit=edit)
    build(Config(sources=(), destination=str(destination), **options), growth=growth)


def test_a_quarantined_project_with_large_wheel_variants_is_kept_whole(
    tmp_path: Path, large: Path, small: Path
) -> None:
    options: dict[str, Any] = {"wheel_variants": True, "grace": 0}
    publish(large, tmp_path / "public", **options)
    assert max(map(len, (tmp_path / "public" / MANIFEST).read_bytes().splitlines())) < 1 << 16
    decide(tmp_path / "public", status=QUARANTINED)
    add(small, tmp_path / "public", grace=0)
    decide(tmp_path / "public")
    assert read_tree(tmp_path / "public") == cold_union(tmp_path / "both", large, small, wheel_variants=True)


def test_a_large_reason_of_a_yank_stays_through_a_quarantine(tmp_path: Path, small: Path) -> None:
    (releases := tmp_path / "releases").mkdir()
    write_wheel(releases, "torchish", "2.0")
    publish(releases, tmp_path / "public")
    decide(tmp_path / "public", edit=lambda file: file.with_yanked("“r”" * 40_000))
    page = tmp_path / "public/simple/torchish/index.v1_json"
    before = page.read_bytes()
    decide(tmp_path / "public", status=QUARANTINED)
    add(small, tmp_path / "public", grace=0)
    decide(tmp_path / "public")
    reasons = [entry["yanked"] for entry in json.loads(before)["files"]]
    assert (page.read_bytes(), reasons) == (before, ["“r”" * 40_000])


def test_a_site_that_is_deployed_anew_keeps_large_files_of_a_quarantined_project(
    tmp_path: Path, large: Path, small: Path
) -> None:
    (tmp_path / "nothing").mkdir()
    options: dict[str, Any] = {"wheel_variants": True}
    given = frozenset(options)
    for number, (sources, growth) in enumerate(
        (
            ((str(large),), Growth(given=given, first=True)),
            ((), Growth(given=given, statuses={"torchish": QUARANTINED})),
            ((str(small),), Growth(given=given)),
            ((), Growth(given=given, statuses={"torchish": None})),
        )
    ):
        previous = tmp_path / (f"public{number - 1}" if number else "nothing")
        destination = str(tmp_path / f"public{number}")
        build(Config(sources=sources, destination=destination, previous=str(previous), **options), growth=growth)
    page = json.loads((tmp_path / "public3/simple/torchish/index.v1_json").read_bytes())
    names = [*(f"torchish-2.0-py3-none-any-{label}.whl" for label in "abc"), "torchish-2.0-variants.json"]
    assert sorted(entry["filename"] for entry in page["files"]) == names


def test_a_bucket_keeps_large_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: Path, small: Path
) -> None:
    store = FakeStore()
    use(monkeypatch, store)
    publish(large, ADDRESS, wheel_variants=True, grace=0)
    before = store.objects["simple/torchish/index.v1_json"].data
    add(small, ADDRESS, grace=0)
    decide(ADDRESS, status=QUARANTINED)
    decide(ADDRESS)
    assert store.objects["simple/torchish/index.v1_json"].data == before


# --- without a record -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("record", [rb"files\t[^\n]*\n", rb"long\t000001[^\n]*\n"])
def test_a_quarantined_project_without_a_record_stops_the_run(
    tmp_path: Path, large: Path, small: Path, record: bytes
) -> None:
    public = tmp_path / "public"
    publish(large, public, wheel_variants=True)
    decide(public, status=QUARANTINED)
    (public / MANIFEST).write_bytes(resealed((public / MANIFEST).read_bytes(), record, b""))
    before = read_tree(public)
    message = f"the manifest of {public} has no record of the files of torchish that this version can read. {AGAIN}"
    for action in (
        lambda: add(small, public, grace=0),
        lambda: require_project(Config(sources=(), destination=str(public)), "torchish"),
    ):
        with pytest.raises(SourceError) as error:
            action()
        assert str(error.value) == message
    assert read_tree(public) == before


def test_the_pages_of_a_bucket_do_not_replace_a_record(
    monkeypatch: pytest.MonkeyPatch, small: Path, tmp_path: Path
) -> None:
    store = FakeStore()
    use(monkeypatch, store)
    publish(small, ADDRESS, grace=0)
    found = store.objects[MANIFEST]
    store.objects[MANIFEST] = found._replace(data=resealed(found.data, rb"files\t\[[^\n]*", b"unknown\t"))
    (more := tmp_path / "more").mkdir()
    write_wheel(more, "y", "1.0")
    with pytest.raises(SourceError) as error:
        add(more, ADDRESS)
    assert str(error.value) == (
        f"the manifest of {ADDRESS} has no record of the files of x that this version can read. {AGAIN}"
    )


def test_a_tree_of_0_1_0_at_a_relative_path_grows_and_is_changed(
    tmp_path: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(Path(__file__).parent / "fixtures/tree-0.1.0", tmp_path / "absolute")
    shutil.copytree(tmp_path / "absolute", tmp_path / "relative")
    monkeypatch.chdir(tmp_path)
    trees = []
    for public in (str(tmp_path / "absolute"), "relative"):
        for arguments in (
            ["add", str(small), public, "--links", "--grace", "0"],
            ["yank", public, "x==1.0"],
            ["status", public, "x", "archived"],
        ):
            assert cli.run(arguments) == 0
        trees.append(read_tree(tmp_path / public))
    assert trees[0] == trees[1]
