"""`mkindex add`: an index keeps what it lists, and gets what sources have."""

from __future__ import annotations

import builtins
import hashlib
import io
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.sources import write_sources
from mkindex.build.pipeline import build
from mkindex.build.requesting import find_requested
from mkindex.config import Config
from mkindex.errors import ConfigError, DestinationError, Note, NotPublished, PruneRequired, SourceError
from mkindex.options import InvalidOption
from mkindex.sources.requested import parse_request
from support.builds import cold_build, publish, scratch_directory
from support.command_line import Run
from support.growing import add, cold_union, remove, resealed, rounds_of_writers, union
from support.locks import pylock
from support.trees import OWN_DIRECTORY, file_identities, read_tree
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

MTIME = 1_700_000_000
DEMO = "demo-1.0-py3-none-any.whl"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Wheels and an sdist whose names, requirements and metadata are spelled in unusual ways."""
    directory = tmp_path / "old"
    directory.mkdir()
    write_wheel(directory, "demo", "1.0", mtime=MTIME, requires_python=">=3.9", requires_dist=["click", "other>=1"])
    write_wheel(directory, "demo", "1.1", mtime=MTIME + 60)
    write_wheel(directory, "My.Project", "2.0.0", mtime=MTIME)
    write_sdist(directory, "other", "1.0", mtime=MTIME)
    return directory


@pytest.fixture
def new(tmp_path: Path) -> Path:
    directory = tmp_path / "new"
    directory.mkdir()
    write_wheel(directory, "demo", "3.0", mtime=MTIME + 120, requires_dist=["missing"])
    return directory


def manifest(public: Path) -> bytes:
    return (public / OWN_DIRECTORY / "manifest").read_bytes()


def edit_manifest(public: Path, pattern: bytes, replacement: bytes) -> None:
    """Replace text in a manifest, and make its checksum right."""
    (public / OWN_DIRECTORY / "manifest").write_bytes(resealed(manifest(public), pattern, replacement))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of all files that are opened."""
    paths: list[str] = []
    real_open, real_os_open = builtins.open, os.open

    def spy(path: Any, *arguments: Any, **more: Any) -> Any:  # noqa: ANN401 (as open has it)
        paths.append(os.fspath(path) if not isinstance(path, int) else "")
        return real_open(path, *arguments, **more)

    def os_spy(path: Any, *arguments: Any, **more: Any) -> int:  # noqa: ANN401 (as os.open has it)
        paths.append(os.fspath(path))
        return real_os_open(path, *arguments, **more)

    monkeypatch.setattr(builtins, "open", spy)
    monkeypatch.setattr(io, "open", spy)
    monkeypatch.setattr(os, "open", os_spy)
    return paths


OPTIONS: list[dict[str, Any]] = [
    {},
    {"links": True, "host": "nginx", "grace": 0},
    {"simple_path": "a/b", "upload_time": "none", "host": "netlify", "json_root": "json"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_tree_is_that_of_a_cold_build_from_all_files_with_the_options_that_it_was_made_with(
    tmp_path: Path, old: Path, new: Path, options: dict[str, Any]
) -> None:
    publish(old, tmp_path / "public", **options)
    report = add(new, tmp_path / "public")
    assert (report.rejected, report.notes, report.removed_files) == ((), (), ())
    assert read_tree(tmp_path / "public") == cold_union(tmp_path / "both", old, new, **options)
    before = manifest(tmp_path / "public")
    assert add(new, tmp_path / "public").written == 0
    assert manifest(tmp_path / "public") == before


def test_a_new_destination_becomes_the_index_of_what_is_added(tmp_path: Path, old: Path) -> None:
    add(old, tmp_path / "public")
    assert read_tree(tmp_path / "public") == cold_build(old)


def test_no_published_file_and_no_page_of_an_untouched_project_is_opened(
    tmp_path: Path, old: Path, new: Path, opened: list[str]
) -> None:
    publish(old, tmp_path / "public")
    opened.clear()
    add(new, tmp_path / "public")
    of_tree = {path for path in opened if path.endswith((".whl", ".tar.gz", ".metadata", "index.v1_json"))}
    assert of_tree <= {str(new / "demo-3.0-py3-none-any.whl"), "demo-3.0-py3-none-any.whl", "index.v1_json"} | {
        path for path in of_tree if path.startswith("demo-3.0-py3-none-any.whl")
    }
    identities = file_identities(tmp_path / "public")
    add(new, tmp_path / "public")
    assert file_identities(tmp_path / "public") == identities


def test_everything_that_a_page_said_of_a_file_stays(tmp_path: Path, new: Path) -> None:
    listed, page = write_sources(tmp_path / "sources")
    config = Config(sources=(str(listed), str(page)), destination=str(tmp_path / "public"), links=True)
    build(config)
    add(new, tmp_path / "public")
    everything = Config(sources=(str(listed), str(page), str(new)), destination=str(tmp_path / "cold"), links=True)
    build(everything)
    assert b'"yanked":"broken on Python 3.14"' in (tmp_path / "public/simple/demo/index.v1_json").read_bytes()
    assert b'"project-status":{"status":"archived"' in (tmp_path / "public/simple/zoo/index.v1_json").read_bytes()
    assert read_tree(tmp_path / "public") == read_tree(tmp_path / "cold")


def test_links_to_files_elsewhere_stay(tmp_path: Path, new: Path, old: Path) -> None:
    entries = [
        {"filename": "elsewhere-1.0-py3-none-any.whl", "hash": "sha256=" + "a1" * 32, "yanked_reason": "why\t“”"},
        {
            "filename": "elsewhere-1.1-py3-none-any.whl",
            "requires_python": ">=3.9",
            "core_metadata": "sha256=" + "b2" * 32,
        },
    ]
    (tmp_path / "list.jsonl").write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))
    options: dict[str, Any] = {"files_url": "https://files.example/a%20b", "files_have_metadata": True}
    build(Config(sources=(str(tmp_path / "list.jsonl"), str(old)), destination=str(tmp_path / "public"), **options))
    add(new, tmp_path / "public")
    sources = (str(tmp_path / "list.jsonl"), str(old), str(new))
    build(Config(sources=sources, destination=str(tmp_path / "cold"), **options))
    assert read_tree(tmp_path / "public") == read_tree(tmp_path / "cold")
    assert b"https://files.example/a%20b/demo-3.0" in (tmp_path / "public/simple/demo/index.html").read_bytes()
    with pytest.raises(InvalidOption, match="files_url cannot change while an index grows"):
        add(new, tmp_path / "public", files_url="https://other.example/")


def test_a_tree_without_siblings_at_files_url_is_touched_only_where_something_is_added(
    tmp_path: Path, old: Path, new: Path
) -> None:
    publish(old, tmp_path / "public", files_url="https://files.example/")
    before = file_identities(tmp_path / "public")
    add(new, tmp_path / "public")
    after = file_identities(tmp_path / "public")
    assert {path for path in before if before[path] != after[path]} == {
        "index.html",
        "simple/demo/index.html",
        "simple/demo/index.v1_json",
    }


# --- files of the same name -------------------------------------------------------------------------------------------


def test_other_bytes_under_a_published_name_are_rejected_with_both_hashes(tmp_path: Path, old: Path, new: Path) -> None:
    publish(old, tmp_path / "public")
    before = read_tree(tmp_path / "public")
    (new / "demo-3.0-py3-none-any.whl").unlink()
    write_wheel(new, "demo", "1.0", mtime=MTIME, summary="other bytes")
    write_wheel(new, "demo", "1.1.0", mtime=MTIME, summary="an equal version")
    report = add(new, tmp_path / "public")
    shown = [re.sub("[0-9a-f]{64}", "…", one.reason) for one in report.rejected]
    assert shown == [
        f"the index lists {name} with other contents (sha256 …, this file: …). Give it a new version, or use "
        "--replace: existing lock files will reject it"
        for name in (DEMO, "demo-1.1-py3-none-any.whl")
    ]
    assert len({*re.findall("[0-9a-f]{64}", str(report.rejected))}) == 4
    assert read_tree(tmp_path / "public") == before


def test_replace_puts_the_added_file_in_the_place_of_the_published_one(tmp_path: Path, old: Path, new: Path) -> None:
    publish(old, tmp_path / "public")
    write_wheel(new, "demo", "1.0", mtime=MTIME, summary="other bytes")
    report = add(new, tmp_path / "public", replace=True, grace=0)
    text = "its contents have changed since it was published: existing lock files will reject the new hash"
    assert Note(location=DEMO, text=text) in report.notes
    (old / DEMO).unlink()
    assert read_tree(tmp_path / "public") == cold_union(tmp_path / "both", old, new)


def test_two_added_files_that_differ_replace_nothing(tmp_path: Path, old: Path) -> None:
    publish(old, tmp_path / "public")
    before = read_tree(tmp_path / "public")
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        write_wheel(tmp_path / str(number), "demo", "1.0", mtime=MTIME, summary=f"bytes {number}")
    shutil.copy2(old / DEMO, tmp_path / "2" / DEMO)
    report = add(union_of_directories(tmp_path), tmp_path / "public", replace=True, recursive=True)
    (rejected,) = report.rejected
    advice = "Several different files of this name are added: add only one of them"
    assert (rejected.location, rejected.reason.partition("). ")[2]) == (str(tmp_path / "two/1" / DEMO), advice)
    assert read_tree(tmp_path / "public") == before


def union_of_directories(root: Path) -> Path:
    (root / "two").mkdir()
    for number in (1, 2):
        shutil.move(root / str(number), root / "two")
    return root / "two"


# --- options ----------------------------------------------------------------------------------------------------------


def test_an_option_that_differs_is_said_and_counts_from_then_on(tmp_path: Path, old: Path, new: Path) -> None:
    publish(old, tmp_path / "public", links=True, grace=0)
    report = add(new, tmp_path / "public", simple_path="")
    text = "--simple-path changes for all of the index, from simple to ."
    assert report.notes == (Note(location=str(tmp_path / "public"), text=text),)
    assert (report.config.links, report.config.simple_path, report.config.grace) == (True, "", 0)
    assert read_tree(tmp_path / "public") == cold_union(tmp_path / "both", old, new, links=True, simple_path="")
    assert add(new, tmp_path / "public").notes == ()


def test_an_index_with_templates_of_the_user_grows_only_with_templates(tmp_path: Path, old: Path, new: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/404.html").write_text("gone\n")
    publish(old, tmp_path / "public", templates=str(tmp_path / "templates"))
    assert str(tmp_path).encode() not in manifest(tmp_path / "public")
    with pytest.raises(InvalidOption) as error:
        add(new, tmp_path / "public")
    assert str(error.value) == f"templates is required: the index in {tmp_path}/public was made with it"
    add(new, tmp_path / "public", templates=str(tmp_path / "templates"))
    assert (tmp_path / "public/404.html").read_text() == "gone\n"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b'{"links": true, "simple_path": 5, "no-such": [1]}', ""),
        (b"not json", ""),
        (b'{"simple_path": "../up"}', "simple_path '../up' must be a relative path"),
    ],
)
def test_recorded_options_that_nobody_could_have_given_do_no_harm(
    tmp_path: Path, old: Path, new: Path, text: bytes, error: str
) -> None:
    publish(old, tmp_path / "public", links=True)
    edit_manifest(tmp_path / "public", rb"options\t[^\n]*", b"options\t" + text)
    if error:
        with pytest.raises(ConfigError, match=error):
            add(new, tmp_path / "public")
    else:
        add(new, tmp_path / "public", links=True, grace=0)
        assert read_tree(tmp_path / "public") == cold_union(tmp_path / "both", old, new, links=True)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            b'{"by": "local", "path": "../up/{variant}"}',
            "path must be a relative path with {variant} as one of its parts",
        ),
        (b'{"by": "local", "path": ".mkindex/{variant}"}', "path must be a relative path with {variant} as one of its"),
        (b'{"by": "local", "path": 5}', "path must be a string of one line"),
        (b'{"by": "local", "other": ""}', "unknown key other"),
        (b"[" * 30_000, "variants must be a table"),
    ],
)
def test_recorded_variants_that_nobody_could_have_given_stop_the_run(
    tmp_path: Path, old: Path, new: Path, text: bytes, error: str
) -> None:
    write_wheel(old, "demo", "1.0+cpu")
    publish(old, tmp_path / "public")
    edit_manifest(tmp_path / "public", rb"options\t[^\n]*\n", rb"\g<0>variants\t" + text + b"\n")
    with pytest.raises(ConfigError, match=re.escape(f"manifest of {tmp_path}/public: variants: {error}")):
        add(new, tmp_path / "public")
    with pytest.raises(NotPublished, match="has an index for each variant, and this build has no"):
        publish(old, tmp_path / "public")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "old", "public"]


@pytest.mark.parametrize(
    ("pattern", "forged"),
    [
        (rb"2023-11-14T22:13:20Z", b"2023-99-14T22:13:20Z"),
        (rb'">=3.9"', b'">=3."'),
        (rb'(\["demo-1.0[^\]]*)\]', rb'\1,"","",null,"http://host/provenance"]'),
        (rb'(">=3.9",")[0-9a-f]{64}', rb"\g<1>" + b"x" * 64),
        (rb"(files\t\[\[.demo[^\n]*\n)", rb'\1status\t["gone",null]\n'),
    ],
)
def test_a_record_that_mkindex_would_not_write_is_ignored(
    tmp_path: Path, old: Path, new: Path, pattern: bytes, forged: bytes
) -> None:
    publish(old, tmp_path / "public")
    before = manifest(tmp_path / "public")
    edit_manifest(tmp_path / "public", pattern, forged)
    assert manifest(tmp_path / "public") != before
    add(new, tmp_path / "public", grace=0)
    assert read_tree(tmp_path / "public") == cold_union(tmp_path / "both", old, new)


@pytest.mark.parametrize("section", ["", "demo", "other"])
def test_a_manifest_of_which_a_part_cannot_be_read_stops_the_run(
    tmp_path: Path, old: Path, new: Path, section: str
) -> None:
    publish(old, tmp_path / "public")
    edit_manifest(tmp_path / "public", rb"\[%b\]\n(.*\n)(.*\n)" % section.encode(), rb"[%b]\n\2\1" % section.encode())
    before = read_tree(tmp_path / "public")
    for change in (
        lambda: add(new, tmp_path / "public", overwrite=True),
        lambda: find_requested(Config(sources=(), destination=str(tmp_path / "public")), [parse_request("demo")]),
    ):
        with pytest.raises(DestinationError, match="manifest is damaged, so it is not known what this index lists"):
            change()
    assert read_tree(tmp_path / "public") == before


# --- a destination that others changed --------------------------------------------------------------------------------


def test_a_published_file_with_other_bytes_is_rejected_and_the_same_file_repairs_it(
    tmp_path: Path, old: Path, new: Path
) -> None:
    publish(old, tmp_path / "public")
    (path,) = (tmp_path / "public/files").rglob(DEMO)
    good = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(good[:-1] + b"x")
    (gone,) = (tmp_path / "public/files").rglob("other-1.0.tar.gz")
    gone.unlink()
    report = add(union(tmp_path / "both", old, new), tmp_path / "public", grace=0)
    assert {one.location: one.reason.partition(":")[0] for one in report.rejected} == {
        str(path): "the zip has extra bytes after its end",
        str(gone): "listed by the index, but missing in DEST. Add it again from its source",
    }
    assert read_tree(tmp_path / "public") == cold_build(tmp_path / "both")


def test_a_copy_of_a_tree_grows_like_the_tree(tmp_path: Path, old: Path, new: Path) -> None:
    publish(old, tmp_path / "public", links=True)
    shutil.copytree(tmp_path / "public", tmp_path / "copy")
    (sibling,) = (tmp_path / "copy/files").rglob(f"{DEMO}.metadata")
    sibling.unlink()
    report = add(new, tmp_path / "copy")
    assert report.findings == ()
    assert read_tree(tmp_path / "copy") == cold_union(tmp_path / "both", old, new, links=True)


@pytest.mark.parametrize(
    "record",
    [
        b"files\tnot json",
        b'files\t[["../../../x","1.0"]]',
        b'files\t[["demo-1.0-py3-none-any.whl","1.0","../../..",5]]',
        b'files\t[["demo-1.0-py3-none-any.whl","one","aa",5]]',
        b'files\t[["demo-1.0-py3-none-any.whl",1]]',
        b'files\t{"a":1}',
        b'files\t[["demo-1.0-py3-none-any.whl","1.0","%b",5,"","","","","","","",1]]' % (b"a" * 64),
        b"unknown\t",
    ],
)
def test_without_a_record_that_can_be_read_the_pages_say_what_is_listed(
    tmp_path: Path, old: Path, new: Path, record: bytes
) -> None:
    publish(old, tmp_path / "public")
    edit_manifest(tmp_path / "public", rb"files\t\[[^\n]*", record)
    assert add(new, tmp_path / "public").findings == ()
    assert read_tree(tmp_path / "public") == cold_union(tmp_path / "both", old, new)


@pytest.mark.parametrize("how", ["path", "symlink"])
def test_a_page_whose_links_lead_out_of_the_tree_publishes_nothing_of_the_user(
    tmp_path: Path, old: Path, new: Path, how: str
) -> None:
    publish(old, tmp_path / "public")
    page = tmp_path / "public/simple/my-project/index.v1_json"
    before = page.read_text()
    filename = "my_project-2.0.0-py3-none-any.whl"
    (tmp_path / "private").mkdir()
    secret = write_wheel(tmp_path / "private", "my.project", "2.0.0", files={"secret": b"x"})
    assert secret.name == filename
    link = json.loads(before)["files"][0]
    after = before.replace(link["hashes"]["sha256"], hashlib.sha256(secret.read_bytes()).hexdigest())
    if how == "path":
        after = after.replace(link["url"], f"../../../private/{filename}")
    else:
        (tmp_path / "public/other").symlink_to(tmp_path / "private")
        after = after.replace(link["url"], f"../../other/{filename}")
    page.write_text(after)
    old_hash, new_hash = (hashlib.sha256(text.encode()).hexdigest() for text in (before, after))
    edit_manifest(tmp_path / "public", rb"files\t\[[^\n]*", b"unknown\t")
    edit_manifest(tmp_path / "public", old_hash.encode(), new_hash.encode())
    (rejected,) = add(new, tmp_path / "public").rejected
    assert rejected.reason == "listed by the index, but its path leads out of the index"
    assert not list((tmp_path / "public").rglob(f"files/*/*/{filename}"))


def test_a_tree_of_0_1_0_grows(tmp_path: Path, new: Path) -> None:
    shutil.copytree(Path(__file__).parent / "fixtures/tree-0.1.0", tmp_path / "public")
    listed, page = write_sources(tmp_path / "sources")
    report = add(new, tmp_path / "public", links=True, grace=0)
    text = "made by an older mkindex, which did not record its options. Give again those that it was made with"
    assert report.findings == (Note(location=str(tmp_path / "public"), text=text),)
    sources = (str(listed), str(page), str(new))
    build(Config(sources=sources, destination=str(tmp_path / "cold"), links=True))
    assert read_tree(tmp_path / "public") == read_tree(tmp_path / "cold")


def test_a_project_whose_record_and_page_are_damaged_stops_the_run(tmp_path: Path, old: Path, new: Path) -> None:
    publish(old, tmp_path / "public")
    edit_manifest(tmp_path / "public", rb"files\t\[[^\n]*", b"other\t")
    (tmp_path / "public/simple/demo/index.v1_json").write_text("{}")
    before = read_tree(tmp_path / "public")
    with pytest.raises(SourceError, match=r"demo/index\.v1_json is missing, or was changed since mkindex"):
        add(new, tmp_path / "public")
    assert read_tree(tmp_path / "public") == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in directories")
def test_pipes_in_the_tree_are_not_opened(tmp_path: Path, old: Path, new: Path) -> None:
    publish(old, tmp_path / "public")
    (tmp_path / "public/locks").mkdir()
    (tmp_path / "public/locks/INSTALL.md").touch()
    os.mkfifo(tmp_path / "public/locks/uv.lock")
    assert add(new, tmp_path / "public").findings == ()
    edit_manifest(tmp_path / "public", rb"files\t\[[^\n]*", b"other\t")
    (tmp_path / "public/simple/demo/index.v1_json").unlink()
    os.mkfifo(tmp_path / "public/simple/demo/index.v1_json")
    with pytest.raises(SourceError, match=r"demo/index\.v1_json is missing, or was changed since mkindex"):
        add(new, tmp_path / "public")


@pytest.mark.parametrize(
    "damage", [Path.unlink, lambda path: path.write_bytes(b""), lambda path: path.write_bytes(b"[metadata]\n[")]
)
def test_a_published_lock_that_cannot_be_read_stops_the_run(
    tmp_path: Path, new: Path, damage: Callable[[Path], object]
) -> None:
    wheel = write_wheel(tmp_path, "locked", "1.0")
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    entry = f'{{ path = "{wheel.name}", hashes = {{ sha256 = "{sha256}" }} }}'
    package = f'[[packages]]\nname = "locked"\nversion = "1.0"\nwheels = [{entry}]\n'
    (tmp_path / "pylock.toml").write_text(pylock(package))
    publish(tmp_path / "pylock.toml", tmp_path / "public")
    published = tmp_path / "public/locks/pylock.toml"
    damage(published)
    before = read_tree(tmp_path / "public")
    with pytest.raises(SourceError, match=rf"^{published}(: cannot be parsed| is missing, empty or cannot be read)"):
        add(new, tmp_path / "public")
    assert read_tree(tmp_path / "public") == before
    add(tmp_path / "pylock.toml", tmp_path / "public")
    assert published.stat().st_size > 100


# --- builds over an index that was grown ------------------------------------------------------------------------------


def test_a_build_says_what_it_removes_from_an_index_that_was_grown(tmp_path: Path, old: Path, new: Path) -> None:
    publish(old, tmp_path / "public")
    add(new, tmp_path / "public")
    report = publish(old, tmp_path / "public")
    text = (
        "1 file removed that no SOURCE has (demo-3.0-py3-none-any.whl): this index was grown with `mkindex add`, "
        "which keeps them"
    )
    assert report.notes == (Note(location=str(tmp_path / "public"), text=text),)
    assert read_tree(tmp_path / "public") == cold_build(old)
    assert publish(old, tmp_path / "public").notes == ()


def test_a_build_stops_before_it_removes_most_of_an_index_that_was_grown(tmp_path: Path, new: Path) -> None:
    (tmp_path / "many").mkdir()
    for number in range(11):
        write_wheel(tmp_path / "many", f"p{number:02}", "1.0", mtime=MTIME)
    add(tmp_path / "many", tmp_path / "public")
    with pytest.raises(PruneRequired) as error:
        publish(new, tmp_path / "public")
    assert str(error.value) == (
        f"nothing published: this build would remove 11 of the 11 files that the index in {tmp_path}/public lists "
        "(p00-1.0-py3-none-any.whl, p01-1.0-py3-none-any.whl, p02-1.0-py3-none-any.whl and 8 more). It was grown with "
        "`mkindex add`, which keeps them. To remove them, use --prune (--prune --dry-run only prints what would be "
        "removed)"
    )


# --- removing ---------------------------------------------------------------------------------------------------------


def test_what_is_removed_is_retired_and_deleted_after_the_grace_of_the_index(
    tmp_path: Path, old: Path, new: Path
) -> None:
    publish(old, tmp_path / "public", grace=3600, links=True)
    report = remove(tmp_path / "public", lambda file: file.filename == DEMO)
    assert (report.removed_files, report.plan.newly_retired) == ((DEMO,), 2)
    (old / DEMO).unlink()
    pages = {path: data for path, data in read_tree(tmp_path / "public").items() if not path.startswith("files/")}
    expected = cold_build(old, links=True)
    assert pages == {path: data for path, data in expected.items() if not path.startswith("files/")}
    remove(tmp_path / "public", lambda file: False, grace=0)
    assert read_tree(tmp_path / "public") == expected


def test_a_whole_project_can_be_removed_and_added_again(tmp_path: Path, old: Path) -> None:
    publish(old, tmp_path / "public", grace=3600)
    whole = read_tree(tmp_path / "public")
    remove(tmp_path / "public", lambda file: file.project in ("demo", "other"))
    assert not (tmp_path / "public/simple/demo").exists()
    remove(tmp_path / "public", lambda file: True)
    assert (tmp_path / "public/simple/index.html").exists()
    add(old, tmp_path / "public")
    assert read_tree(tmp_path / "public") == whole


COMMANDS = [
    (["demo==1.0"], [DEMO]),
    (["demo<2", "other"], [DEMO, "demo-1.1-py3-none-any.whl", "other-1.0.tar.gz"]),
    (["Demo == 1.*"], [DEMO, "demo-1.1-py3-none-any.whl"]),
    (["Demo != 1.1.*, <2"], [DEMO]),
    (["my_*.whl"], ["my_project-2.0.0-py3-none-any.whl"]),
    ([DEMO], [DEMO]),
]


@pytest.mark.parametrize(("requests", "gone"), COMMANDS, ids=str)
def test_the_command_removes_what_requirements_and_patterns_mean(
    tmp_path: Path, old: Path, capsys: pytest.CaptureFixture[str], requests: list[str], gone: list[str]
) -> None:
    publish(old, tmp_path / "public")
    run = Run(capsys, "remove", str(tmp_path / "public"), *requests, "--yes", "--json", "--no-cache")
    assert (run.status, json.loads(run.out)["removed-files"]) == (0, gone)


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ("demo==9", "no file in {} matches 'demo==9'. It lists demo 1.0, 1.1"),
        ("nobody", "{} has no project 'nobody'. Check the name"),
        ("x*.whl", "no file in {} matches 'x*.whl'. Check the name"),
    ],
)
def test_a_request_that_matches_nothing_changes_nothing(
    tmp_path: Path, old: Path, capsys: pytest.CaptureFixture[str], request_: str, error: str
) -> None:
    publish(old, tmp_path / "public")
    before = read_tree(tmp_path / "public")
    run = Run(capsys, "remove", str(tmp_path / "public"), "demo", request_, "--yes")
    assert (run.status, run.err) == (3, f"error nothing removed: {error.format(tmp_path / 'public')}\n")
    assert read_tree(tmp_path / "public") == before


@pytest.mark.parametrize("text", ["@x", "demo[extra]", "demo @ https://example.com/x", "demo; python_version>'3'"])
def test_a_request_that_cannot_be_read_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    assert Run(capsys, "remove", str(tmp_path), text, "--yes").status == 2


def test_first_is_for_a_site(tmp_path: Path, new: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(capsys, "add", str(new), str(tmp_path / "public"), "--first")
    assert (run.status, run.err.splitlines()[-1]) == (2, "error --first requires --previous")


def test_nothing_is_removed_without_an_answer(tmp_path: Path, old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(old, tmp_path / "public")
    run = Run(capsys, "remove", str(tmp_path / "public"), "demo", "--no-cache")
    assert (run.status, run.err.splitlines()[-1]) == (
        2,
        "error cannot ask, because standard input is not a terminal. Use --yes, or --dry-run to print the files",
    )
    assert DEMO in str(read_tree(tmp_path / "public").keys())


def test_the_command_adds_with_the_options_of_the_index(
    tmp_path: Path, old: Path, new: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    public = str(tmp_path / "public")
    assert Run(capsys, str(old), public, "--links", "--no-cache").status == 0
    run = Run(capsys, "add", str(new), public, "--no-cache", "--for", "nginx")
    assert (run.status, run.err) == (0, f"note {public}: --for changes for all of the index, from none to nginx\n")
    assert run.out.startswith(f"{public}: 3 projects, 5 files")
    assert read_tree(tmp_path / "public") == cold_union(tmp_path / "both", old, new, links=True, host="nginx")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_nothing_is_lost_when_three_writers_add_at_once() -> None:
    with scratch_directory() as directory:
        rounds_of_writers(Path(directory), 3)
