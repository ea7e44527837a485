"""`mkindex add --previous`: grow a site that each deployment replaces. Nothing that it lists may be lost."""

from __future__ import annotations

import json
import re
import shutil
import threading
from typing import TYPE_CHECKING, Any

import pytest

from mkindex import remove_from_index
from mkindex.build.deciding import decide_yank
from mkindex.build.growing import Growth
from mkindex.build.pipeline import build
from mkindex.config import Config
from mkindex.errors import Note, NotPublished, SourceError
from support.builds import cold_build
from support.growing import cold_union
from support.pages_host import PagesHost
from support.trees import read_tree
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mkindex.build.report import Report

MTIME = 1_700_000_000
GENERATION = "generation.txt"


@pytest.fixture
def host() -> Iterator[PagesHost]:
    with PagesHost() as started:
        yield started


@pytest.fixture
def releases(tmp_path: Path) -> list[Path]:
    """Three directories, each with one release."""
    directories = []
    for number in range(3):
        directory = tmp_path / f"dist{number}"
        directory.mkdir()
        write_wheel(directory, "Demo_App", f"{number}.0", mtime=MTIME + number, requires_dist=["other"])
        directories.append(directory)
    write_sdist(directories[0], "other", "1.0", mtime=MTIME)
    return directories


class Runner:
    """A workflow: each run has a fresh checkout, and a cache that is kept if the deployment succeeds."""

    def __init__(self, root: Path, host: PagesHost) -> None:
        self.root, self.host, self.runs = root, host, 0
        self.saved = root / "saved"
        self.saved.mkdir()
        (root / "sources").mkdir()

    def build(self, source: Path, *, url: str = "", first: bool = False, **options: Any) -> Report:  # noqa: ANN401
        """Add a release to what is published."""
        self.runs += 1
        public, cache = self.root / f"public{self.runs}", self.root / f"cache{self.runs}"
        shutil.copytree(self.saved, cache)
        config = Config(
            sources=(str(source),),
            destination=str(public),
            previous=url or self.host.url,
            cache_dir=str(cache),
            **options,
        )
        return build(config, growth=Growth(given=frozenset(options), first=first))

    def deploy(self) -> None:
        """Deploy the last build, and keep its cache."""
        self.host.deploy(self.root / f"public{self.runs}")
        shutil.rmtree(self.saved)
        shutil.copytree(self.root / f"cache{self.runs}", self.saved)

    def release(self, source: Path, **options: Any) -> Report:  # noqa: ANN401
        report = self.build(source, **options)
        self.deploy()
        return report


@pytest.fixture
def runner(tmp_path: Path, host: PagesHost) -> Runner:
    return Runner(tmp_path, host)


def without_generation(content: dict[str, bytes]) -> dict[str, bytes]:
    return {path: data for path, data in content.items() if path != GENERATION}


def test_runs_on_fresh_checkouts_publish_all_releases(
    tmp_path: Path, host: PagesHost, runner: Runner, releases: list[Path]
) -> None:
    first = runner.release(releases[0], links=True)
    assert [note.text for note in first.notes] == ["nothing is published there yet"]
    for number, release in enumerate(releases[1:], 2):
        report = runner.release(release, links=True)
        assert (report.rejected, report.new) == ((), (f"demo_app-{number - 1}.0-py3-none-any.whl",))
        assert host.content[GENERATION].startswith(b"%d " % number)
    assert without_generation(host.content) == cold_union(tmp_path / "all", *releases, links=True)


def test_a_directory_that_is_kept_need_not_be_downloaded_again(
    host: PagesHost, runner: Runner, releases: list[Path]
) -> None:
    runner.release(releases[0])
    shutil.copytree(runner.root / "public1", runner.root / "public2")
    host.requests.clear()
    runner.release(releases[1])
    assert [path for path in host.requests if "/files/" in path] == []
    assert len([path for path in host.content if path.endswith((".whl", ".tar.gz"))]) == 3


@pytest.mark.parametrize("address", ["/moved/", "/moved/simple/", "/wheels/simple/", "/wheels/simple/index.html"])
def test_files_are_published_again_whatever_the_address_of_the_site_is(
    host: PagesHost, runner: Runner, releases: list[Path], address: str
) -> None:
    host.content = cold_build(releases[0])  # by a build: without a generation
    runner.build(releases[1], url=host.url.replace("/wheels/", address))
    runner.deploy()
    assert sorted(path.rpartition("/")[2] for path in host.content if path.endswith((".whl", ".tar.gz"))) == [
        "demo_app-0.0-py3-none-any.whl",
        "demo_app-1.0-py3-none-any.whl",
        "other-1.0.tar.gz",
    ]


def test_what_pages_say_is_kept(tmp_path: Path, host: PagesHost, runner: Runner, releases: list[Path]) -> None:
    listed = releases[0] / "list.jsonl"
    listed.write_text(json.dumps({"filename": "demo_app-0.0-py3-none-any.whl", "yanked_reason": "“bad”"}) + "\n")
    runner.release(listed)
    runner.release(releases[1])
    page = json.loads(host.content["simple/demo-app/index.v1_json"])
    assert [(file["filename"], file.get("yanked")) for file in page["files"]] == [
        ("demo_app-0.0-py3-none-any.whl", "“bad”"),
        ("demo_app-1.0-py3-none-any.whl", None),
    ]


def write_status(path: Path, status: str) -> str:
    """Write a policy with a status of the project other, and return its path."""
    path.write_text(f'[[status]]\nproject = "other"\nstatus = "{status}"\n')
    return str(path)


def test_the_files_of_a_quarantined_project_are_kept_although_no_page_lists_them(
    tmp_path: Path, host: PagesHost, runner: Runner, releases: list[Path]
) -> None:
    listed = releases[0] / "list.jsonl"
    listed.write_text(json.dumps({"filename": "other-1.0.tar.gz", "yanked_reason": "“bad”"}) + "\n")
    runner.release(listed)
    page = host.content["simple/other/index.v1_json"]
    policy = write_status(tmp_path / "policy.toml", "quarantined")
    for release in releases:
        notes = (*runner.release(release, policy=policy).notes, *runner.release(release).notes)
        assert [note for note in notes if not note.detail] == []
        assert b"other-1.0" not in host.content["simple/other/index.v1_json"]
    write_status(tmp_path / "policy.toml", "active")
    runner.release(releases[2], policy=policy)
    assert host.content["simple/other/index.v1_json"] == page


def test_the_files_of_a_quarantined_project_are_noted_if_the_site_does_not_record_them(
    tmp_path: Path, host: PagesHost, runner: Runner, releases: list[Path]
) -> None:
    host.content = cold_build(releases[0], policy=write_status(tmp_path / "policy.toml", "quarantined"))
    text = "quarantined: the site lists no file of it, so none is published again. If it has files, add them"
    assert runner.release(releases[1]).notes == (Note(location="other", text=text),)


@pytest.mark.parametrize(
    "line",
    [
        "other",
        "other\tfiles\t[]\tx",
        "other\tstatus\tnull",
        'other\tfiles\t[["../x-1.0.zip","1.0","0000000000000000000000000000000000000000000000000000000000000000",1]]',
        'other\tfiles\t[["other-1.0.zip","1.0","0",1]]',
    ],
)
def test_a_damaged_record_of_hidden_files_stops_the_run(
    host: PagesHost, runner: Runner, releases: list[Path], line: str
) -> None:
    runner.release(releases[0])
    host.content[GENERATION] += f"{line}\n".encode()
    with pytest.raises(SourceError, match="damaged, or not of mkindex"):
        runner.build(releases[1])


def test_releases_are_taken_out_of_a_site_and_yanked_in_it(
    tmp_path: Path, host: PagesHost, runner: Runner, releases: list[Path]
) -> None:
    for release in releases[:2]:
        runner.release(release)
    options: dict[str, Any] = {"previous": host.url, "cache_dir": str(runner.saved)}
    removed = remove_from_index(tmp_path / "removed", ["demo-app<1", "other"], **options)
    host.deploy(tmp_path / "removed")
    assert (host.content[GENERATION][:2], [file.filename for file in removed.files]) == (
        b"3 ",
        ["demo_app-1.0-py3-none-any.whl"],
    )
    config = Config(sources=(), destination=str(tmp_path / "yanked"), **options)
    decision = decide_yank(config, ["demo-app"], "bad", frozenset())
    build(config, growth=decision.growth)
    host.deploy(tmp_path / "yanked")
    runner.release(releases[2])
    (releases[1] / "list.jsonl").write_text('{"filename": "demo_app-1.0-py3-none-any.whl", "yanked_reason": "bad"}\n')
    write_wheel(releases[1], "Demo_App", "2.0", mtime=MTIME + 2, requires_dist=["other"])
    with (releases[1] / "list.jsonl").open("a") as lines:
        lines.write('{"filename": "demo_app-2.0-py3-none-any.whl"}\n')
    assert without_generation(host.content) == cold_build(releases[1] / "list.jsonl")
    with pytest.raises(NotPublished, match=re.escape(f"nothing removed: {host.url} has no project 'gone'")):
        remove_from_index(tmp_path / "nothing", "gone", **options)


# --- what cannot be known stops ---------------------------------------------------------------------------------------


def test_an_address_with_nothing_is_a_mistake_once_something_was_deployed(
    host: PagesHost, runner: Runner, releases: list[Path]
) -> None:
    runner.release(releases[0])
    wrong = host.url.replace("wheels", "wheel")
    with pytest.raises(SourceError) as error:
        runner.build(releases[1], url=wrong)
    assert str(error.value) == (
        f"--previous: nothing is published at {wrong}, but {runner.root}/cache2/generations.json has generation 1 of "
        f"{host.url}. Check the address. If nothing was published there yet, use --first"
    )
    assert not (runner.root / "public2").exists()
    report = runner.build(releases[1], url=wrong, first=True)
    assert [file.filename for file in report.files] == ["demo_app-1.0-py3-none-any.whl"]


def test_a_site_that_does_not_answer_stops_the_run(
    host: PagesHost, runner: Runner, releases: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mkindex.web.retries._PAUSES", (), raising=False)
    runner.release(releases[0])
    with pytest.raises(SourceError):
        runner.build(releases[1], url="http://127.0.0.1:9/wheels/", timeout=0.5)
    assert not (runner.root / "public2").exists()


@pytest.mark.parametrize("damage", ["other bytes", "missing", "missing page"])
def test_a_site_whose_files_are_not_those_that_it_lists_stops_the_run(
    host: PagesHost, runner: Runner, releases: list[Path], damage: str
) -> None:
    runner.release(releases[0])
    path = next(path for path in host.content if path.endswith(".whl"))
    if damage == "other bytes":
        host.content[path] = host.content[path][:-1] + b"x"
    else:
        del host.content[path if damage == "missing" else "simple/demo-app/index.html"]
    with pytest.raises(SourceError, match=r"sha256 mismatch|404"):
        runner.build(releases[1])
    assert not (runner.root / "public2").exists() or read_tree(runner.root / "public2") == {}


def test_pages_are_read_past_a_cache_on_the_way(host: PagesHost, runner: Runner, releases: list[Path]) -> None:
    runner.release(releases[0])
    old = host.content
    runner.release(releases[1])
    host.cached = old
    assert len(runner.release(releases[2]).files) == 4


def test_a_cache_that_sends_older_pages_all_the_same_stops_the_run(
    host: PagesHost, runner: Runner, releases: list[Path]
) -> None:
    runner.release(releases[0])
    old = host.content
    runner.release(releases[1])
    host.cached, host.ignores_queries = old, True
    with pytest.raises(SourceError, match=r"has generation 1, but generation 2 was built here last"):
        runner.build(releases[2])
    host.cached = old | {GENERATION: host.content[GENERATION]}
    with pytest.raises(SourceError, match=r"its pages are not those of generation 2"):
        runner.build(releases[2])
    host.cached = None
    assert len(runner.release(releases[2]).files) == 4


def test_a_release_that_another_run_replaced_is_noticed(host: PagesHost, runner: Runner, releases: list[Path]) -> None:
    runner.release(releases[0])
    other = Runner.__new__(Runner)
    other.root, other.host, other.runs, other.saved = runner.root / "other", host, 0, runner.root / "other-saved"
    other.root.mkdir()
    shutil.copytree(runner.saved, other.saved)
    runner.build(releases[1])
    other.build(releases[2])
    runner.deploy()
    host.deploy(other.root / "public1")  # without its cache: the last one that was kept is that of the first runner
    with pytest.raises(SourceError, match="generation 2 was built here last, with other files"):
        runner.build(releases[1])


def test_a_site_without_a_generation_can_grow_and_one_that_lost_it_cannot(
    tmp_path: Path, host: PagesHost, runner: Runner, releases: list[Path]
) -> None:
    host.content = cold_build(releases[0])
    runner.release(releases[1])
    assert host.content[GENERATION].startswith(b"1 ")
    assert without_generation(host.content) == cold_union(tmp_path / "both", *releases[:2])
    host.content = cold_build(releases[0])
    for url in (host.url, host.url.rstrip("/")):
        with pytest.raises(SourceError, match="has generation none, but generation 1 was built here last"):
            runner.build(releases[2], url=url)


def test_what_was_built_and_not_deployed_is_kept_if_dest_has_it_and_can_be_given_up_for_this_site_alone(
    tmp_path: Path, host: PagesHost, runner: Runner, releases: list[Path]
) -> None:
    runner.release(releases[0])
    options: dict[str, Any] = {"previous": host.url, "cache_dir": str(runner.saved)}
    public = tmp_path / "public"

    def add(release: Path) -> Report:
        config = Config(sources=(str(release),), destination=str(public), **options)
        return build(config, growth=Growth(given=frozenset()))

    known = runner.saved / "generations.json"
    known.write_text(known.read_text() + '{"https://other.example.org/": [7, "x"]}\n')
    assert add(releases[1]).notes == ()
    text = (
        f"has generation 1; {public} has generation 2, which was built here last: its files are kept, whether or not "
        "it was deployed"
    )
    assert add(releases[2]).notes == (Note(location=host.url, text=text),)
    expected = cold_union(tmp_path / "all", *releases)
    assert without_generation(read_tree(public)) == expected
    assert read_tree(public)[GENERATION].startswith(b"3 ")
    shutil.rmtree(public)
    with pytest.raises(SourceError) as error:
        add(releases[2])
    assert str(error.value) == (
        f"--previous: {host.url} has generation 1, but generation 3 was built here last, with other files. If it was "
        "deployed, a cache sent an older site, or two runs deployed at the same time: run again in ten minutes. If it "
        f"was not, continue with the published site: delete the line of {host.url} in {known}"
    )
    lines = known.read_text().splitlines(keepends=True)
    known.write_text("".join(line for line in lines if host.url not in line))
    assert [file.filename for file in add(releases[2]).files if file.project == "demo-app"] == [
        "demo_app-0.0-py3-none-any.whl",
        "demo_app-2.0-py3-none-any.whl",
    ]
    assert '"https://other.example.org/": [7, "x"]' in known.read_text()


def test_what_was_built_last_is_not_taken_from_a_dest_that_lacks_some_of_it(
    tmp_path: Path, host: PagesHost, runner: Runner, releases: list[Path]
) -> None:
    runner.release(releases[0])
    runner.build(releases[1])
    next((tmp_path / "public2").rglob("demo_app-1*.whl")).unlink()
    config = Config(
        sources=(str(releases[2]),),
        destination=str(tmp_path / "public2"),
        previous=host.url,
        cache_dir=str(tmp_path / "cache2"),
    )
    with pytest.raises(SourceError, match="has generation 1, but generation 2 was built here last"):
        build(config, growth=Growth())


def test_pages_of_the_site_that_a_run_does_not_write_are_noted(
    host: PagesHost, runner: Runner, releases: list[Path]
) -> None:
    every: dict[str, Any] = {"links": True, "site": True, "pyodide_json": True}
    runner.release(releases[0], host="github-pages", json_root="json/simple", **every)
    text = (
        "the site has pages that this run does not write. To keep them, give --links --site --json-root json/simple "
        "--pyodide-json"
    )
    found = Note(location=host.url, text=text)
    assert found in runner.build(releases[1]).notes
    notes = runner.build(releases[1], host="github-pages", json_root="json/simple", **every).notes
    assert [note for note in notes if note.location == host.url] == []


# --- other pages at the address ---------------------------------------------------------------------------------------


def test_another_page_at_the_address_is_replaced_only_with_first(
    host: PagesHost, runner: Runner, releases: list[Path]
) -> None:
    host.content = {"index.html": b"<!DOCTYPE html><title>Our project</title><p>Welcome"}
    with pytest.raises(SourceError) as error:
        runner.build(releases[0])
    assert str(error.value) == (
        f"--previous: {host.url} is not an index, and has none below it: use the address that clients install from. "
        "Another page is published there. To replace it, use --first"
    )
    report = runner.release(releases[0], first=True)
    assert report.notes == (Note(location=host.url, text="another page is published there, which is replaced"),)
    assert host.content[GENERATION].startswith(b"1 ")
    assert len(runner.release(releases[1]).files) == 3


def test_first_does_not_replace_a_site_of_mkindex_whose_index_cannot_be_read(
    host: PagesHost, runner: Runner, releases: list[Path]
) -> None:
    runner.release(releases[0])
    host.content["simple/index.html"] = b"<p>maintenance"
    with pytest.raises(SourceError, match="is not an index, and has none below it"):
        runner.build(releases[1], first=True)


def test_a_build_that_would_link_to_the_site_that_it_replaces_names_add(
    tmp_path: Path, host: PagesHost, runner: Runner, releases: list[Path]
) -> None:
    runner.release(releases[0])
    config = Config(
        sources=(f"{host.url}simple/", str(releases[1])),
        destination=str(tmp_path / "public"),
        previous=host.url,
        all=True,
    )
    with pytest.raises(NotPublished, match=r"mkindex add SOURCE\.\.\. DEST --previous URL"):
        build(config)
    assert read_tree(tmp_path / "public") == {}


def test_on_a_host_that_replaces_sites_links_to_files_of_mkindex_are_refused_unless_the_tree_is_published_elsewhere(
    tmp_path: Path, host: PagesHost, runner: Runner, releases: list[Path]
) -> None:
    runner.release(releases[0])
    config = Config(
        sources=(f"{host.url}simple/", str(releases[1])),
        destination=str(tmp_path / "public"),
        host="github-pages",
        all=True,
    )
    with pytest.raises(NotPublished) as error:
        build(config)
    assert str(error.value) == (
        f"nothing published: pages would link to 2 files on {host.url} (demo_app-0.0-py3-none-any.whl, "
        "other-1.0.tar.gz). If this tree replaces that site, they would be lost: `mkindex add SOURCE... DEST "
        "--previous URL` keeps what is published there. If it is published elsewhere, say where with --url"
    )
    assert len(build(config.replace(url="https://other.example.org/")).files) == 3


@pytest.mark.parametrize("troubles", [["", "late", "wrong address"], ["", "wrong address", "late"]], ids="-".join)
def test_three_runs_at_once_that_wait_for_each_other_lose_no_release_behind_a_late_proxy(
    tmp_path: Path, host: PagesHost, runner: Runner, releases: list[Path], troubles: list[str]
) -> None:
    queue, left, stopped = threading.Lock(), iter(troubles), []

    def run(release: Path) -> None:
        """Run a workflow until it succeeds; the group of the workflow lets only one run at a time."""
        while True:
            with queue:
                trouble, before = next(left, ""), host.content
                host.ignores_queries = trouble == "late"
                try:
                    runner.build(release, url=host.url[:-2] if trouble == "wrong address" else "")
                except SourceError as error:
                    stopped.append(str(error))
                    continue
                runner.deploy()
                host.cached = before
                return

    runs = [threading.Thread(target=run, args=(release,)) for release in releases]
    for one in runs:
        one.start()
    for one in runs:
        one.join()
    assert without_generation(host.content) == cold_union(tmp_path / "all", *releases)
    assert len(stopped) == 2
