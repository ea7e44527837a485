"""A new build keeps the upload times of what is published already, and takes nothing else from there."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from mkindex.build import Report, build
from mkindex.config import Config
from mkindex.errors import ConfigError, Note, SourceError
from support.builds import publish
from support.index_server import JSON_TYPE, IndexServer, Reply, serve_index
from support.trees import html_entries, read_tree
from support.wheels import wheel, write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

THEN, LATER = "2024-05-06T07:08:09Z", 1_765_432_100
TOLD = " (without it, files would count as uploaded now)"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A directory with two projects, that was published in 2024."""
    directory = tmp_path / "wheels"
    directory.mkdir()
    for version in ("1.0", "1.1"):
        write_wheel(directory, "demo", version)
    write_sdist(directory, "other", "2.0")
    touch(directory, 1_714_979_289)
    return directory


@pytest.fixture
def site(source: Path, tmp_path: Path) -> Path:
    """Its tree, as a host may have it: without what has a dot before its name."""
    publish(source, tmp_path / "site")
    for path in (tmp_path / "site").glob(".*"):
        path.rename(tmp_path / f"dropped{path.name}")
    touch(source, LATER)  # as a fresh checkout would
    return tmp_path / "site"


@pytest.fixture
def host(site: Path) -> Iterator[IndexServer]:
    with serve_index(site) as host:
        yield host


def touch(directory: Path, seconds: int) -> None:
    for path in directory.iterdir():
        os.utime(path, (seconds, seconds))


def times(tree: Path, simple: str = "simple") -> dict[str, str]:
    """The upload time of each file, by its name."""
    pages = (tree / simple).glob("*/index.html")
    return {entry["filename"]: entry["upload-time"] for page in pages for entry in html_entries(page.read_bytes())}


def publish_from(index: str, destination: Path, **options: Any) -> Report:  # noqa: ANN401 (the fields of Config)
    return build(Config(sources=(index,), destination=str(destination), all=True, **options))


def notes(report: Report) -> list[tuple[str, str]]:
    return [(found.location, found.text) for found in report.findings if isinstance(found, Note)]


def refusal(source: Path, destination: Path, previous: str, **options: object) -> str:
    """What stops a build, which has published nothing then."""
    with pytest.raises(SourceError) as caught:
        publish(source, destination, previous=previous, cache_dir=None, **options)
    assert not destination.exists() or read_tree(destination) == {}
    return str(caught.value)


# --- what is carried over -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["directory", "its index", "file:", "server", "index on a server", "no slash", "page"])
def test_an_unchanged_site_is_made_again_byte_for_byte_in_a_fresh_checkout(
    form: str, source: Path, site: Path, host: IndexServer, tmp_path: Path
) -> None:
    previous = {
        "directory": str(site),
        "its index": str(site / "simple"),
        "file:": site.as_uri(),
        "server": host.url,
        "index on a server": f"{host.url}simple/",
        "no slash": f"{host.url}simple",
        "page": f"{host.url}simple/index.html",
    }[form]
    report = publish(source, tmp_path / "new", previous=previous)
    new = read_tree(tmp_path / "new")
    assert {path: new[path] for path in new if path != ".nojekyll"} == read_tree(site)
    assert notes(report) == []


def test_without_a_previous_site_the_times_are_those_of_the_checkout(source: Path, site: Path, tmp_path: Path) -> None:
    publish(source, tmp_path / "new")
    assert set(times(site).values()) == {"2024-05-06T07:08:09Z"}
    assert set(times(tmp_path / "new").values()) == {"2025-12-11T05:48:20Z"}


def test_one_wheel_more_changes_the_pages_of_its_project_and_the_roots(
    source: Path, site: Path, host: IndexServer, tmp_path: Path
) -> None:
    added = write_wheel(source, "demo", "1.2", mtime=LATER)
    publish(source, tmp_path / "new", previous=host.url)
    old, new = read_tree(site), read_tree(tmp_path / "new")
    changed = {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}
    where = f"files/{(sha := hashlib.sha256(added.read_bytes()).hexdigest())[:2]}/{sha[2:]}/{added.name}"
    pages = {"simple/demo/index.html", "simple/demo/index.v1_json", "index.html", ".nojekyll"}
    assert changed == pages | {where, f"{where}.metadata"}
    assert times(tmp_path / "new") == times(site) | {added.name: "2025-12-11T05:48:20Z"}


def test_a_file_is_known_by_its_bytes_and_not_by_its_name(source: Path, host: IndexServer, tmp_path: Path) -> None:
    (source / "demo-1.0-py3-none-any.whl").write_bytes(wheel("demo", "1.0", summary="built again"))
    touch(source, LATER)
    publish(source, tmp_path / "new", previous=host.url)
    assert times(tmp_path / "new") == {
        "demo-1.0-py3-none-any.whl": "2025-12-11T05:48:20Z",
        "demo-1.1-py3-none-any.whl": THEN,
        "other-2.0.tar.gz": THEN,
    }


def test_only_mtimes_are_brought_down_to_source_date_epoch(
    source: Path, host: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wheel(source, "demo", "1.2", mtime=LATER)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    publish(source, tmp_path / "new", previous=host.url)
    assert times(tmp_path / "new") == {
        "demo-1.0-py3-none-any.whl": THEN,
        "demo-1.1-py3-none-any.whl": THEN,
        "demo-1.2-py3-none-any.whl": "1970-01-02T00:00:00Z",
        "other-2.0.tar.gz": THEN,
    }


def test_what_a_source_says_itself_of_upload_times_stays(source: Path, site: Path, tmp_path: Path) -> None:
    publish(source, tmp_path / "recent")
    with serve_index(tmp_path / "recent") as recent:
        report = publish_from(f"{recent.url}simple/", tmp_path / "new", previous=str(site))
    assert notes(report) == []
    assert set(times(tmp_path / "new").values()) == {"2025-12-11T05:48:20Z"}


def test_a_link_without_an_upload_time_gets_the_one_that_is_published(source: Path, site: Path, tmp_path: Path) -> None:
    publish(source, tmp_path / "timeless", upload_time="none")
    with serve_index(tmp_path / "timeless") as timeless:
        spec = f"{timeless.url}simple/"
        publish_from(spec, tmp_path / "new", previous=str(site))
        publish_from(spec, tmp_path / "ours", previous=str(site), remote="mirror")
    assert set(times(tmp_path / "new").values()) == {THEN}
    assert set(times(tmp_path / "ours").values()) == {THEN}


def test_the_index_may_have_been_elsewhere_in_its_tree(source: Path, tmp_path: Path) -> None:
    for simple_path in ("", "simple", "pypi/all"):
        touch(source, 1_714_979_289)
        publish(source, tmp_path / f"old{simple_path}", simple_path=simple_path)
    touch(source, LATER)
    for number, (old, simple_path) in enumerate(
        [("old", "simple"), ("oldsimple", ""), ("oldsimple", "pypi"), ("oldpypi/all", "pypi/all")]
    ):
        new = tmp_path / str(number)
        publish(source, new, simple_path=simple_path, previous=str(tmp_path / old))
        assert set(times(new, simple_path).values()) == {THEN}


def test_only_the_pages_of_projects_that_are_published_again_are_asked_for(
    source: Path, host: IndexServer, tmp_path: Path
) -> None:
    (source / "other-2.0.tar.gz").unlink()
    write_wheel(source, "new-one", "1.0", mtime=LATER)
    publish(source, tmp_path / "new", previous=f"{host.url}simple/", cache_dir=None)
    assert sorted(host.received) == ["GET /simple/", "GET /simple/demo/"]


def test_a_new_project_is_published_where_what_is_not_there_is_forbidden(
    source: Path, host: IndexServer, tmp_path: Path
) -> None:
    host.faults.append(lambda path, reply: Reply(403) if reply.status == 404 else reply)
    write_wheel(source, "new-one", "1.0", mtime=LATER)
    report = publish(source, tmp_path / "new", previous=f"{host.url}simple/", cache_dir=None)
    assert report.new == ("new_one-1.0-py3-none-any.whl",)


def test_of_several_times_for_the_same_bytes_the_earliest_counts(source: Path, site: Path, tmp_path: Path) -> None:
    page = site / "simple/demo/index.html"
    lines = page.read_text().splitlines(keepends=True)
    (first,) = [line for line in lines if "demo-1.0-" in line]
    said = [f"2023-0{month}-01T00:00:00Z" for month in (3, 1, 2)]
    twins = [first.replace(THEN, time).replace("demo-1.0-", f"demo-1.0-{number}-") for number, time in enumerate(said)]
    nothing = first.replace(f' data-upload-time="{THEN}"', "").replace("demo-1.0-", "demo-1.0-9-")
    page.write_text("".join([*lines[:-2], nothing, *twins, *lines[-2:]]))
    publish(source, tmp_path / "new", previous=str(site))
    assert times(tmp_path / "new")["demo-1.0-py3-none-any.whl"] == "2023-01-01T00:00:00Z"


# --- what is not believed -------------------------------------------------------------------------------------------


def lied(source: Path, **claims: object) -> Reply:
    """A page that says all sorts of things of a file that is ours."""
    name = "demo-1.0-py3-none-any.whl"
    sha256 = hashlib.sha256((source / name).read_bytes()).hexdigest()
    file = {"filename": name, "url": f"../../{name}", "hashes": {"sha256": sha256}, **claims}
    page = {"meta": {"api-version": "1.1"}, "name": "demo", "files": [file]}
    return Reply(200, json.dumps(page).encode(), {"Content-Type": JSON_TYPE})


def test_nothing_but_the_time_is_taken_from_the_page(source: Path, host: IndexServer, tmp_path: Path) -> None:
    lie = lied(
        source,
        **{"upload-time": THEN, "requires-python": ">=99", "yanked": "evil", "size": 1, "provenance": "https://a.b/c"},
        **{"core-metadata": {"sha256": "0" * 64}, "gpg-sig": True},
    )
    old = read_tree(host.root)
    host.faults.append(lambda path, reply: lie if path == "/simple/demo/" else reply)
    for name in ("demo-1.1-py3-none-any.whl", "other-2.0.tar.gz"):
        os.utime(source / name, (1_714_979_289, 1_714_979_289))
    publish(source, tmp_path / "new", previous=host.url, cache_dir=None)
    assert read_tree(tmp_path / "new") == old | {".nojekyll": b""}


@pytest.mark.parametrize(
    "time",
    [
        *("", "yesterday", "2024-05-06", "2024-05-06T07:08:09", "2024-05-06T07:08:09+00:00", "2024-13-06T07:08:09Z"),
        *('"><script>', "9" * 100_000, 1_714_979_289, None, True, ["2024-05-06T07:08:09Z"]),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_no_time_is_passed_over(time: object, source: Path, host: IndexServer, tmp_path: Path) -> None:
    lie = lied(source, **{"upload-time": time})
    host.faults.append(lambda path, reply: lie if path == "/simple/demo/" else reply)
    publish(source, tmp_path / "new", previous=host.url, cache_dir=None)
    assert times(tmp_path / "new")["demo-1.0-py3-none-any.whl"] == "2025-12-11T05:48:20Z"


def test_a_hash_of_another_kind_proves_nothing(source: Path, host: IndexServer, tmp_path: Path) -> None:
    data = (source / "demo-1.0-py3-none-any.whl").read_bytes()
    hashes = {name: hashlib.new(name, data).hexdigest() for name in ("md5", "sha1", "sha512")}
    lie = lied(source, **{"upload-time": THEN, "hashes": hashes})
    host.faults.append(lambda path, reply: lie if path == "/simple/demo/" else reply)
    publish(source, tmp_path / "new", previous=host.url, cache_dir=None)
    assert times(tmp_path / "new")["demo-1.0-py3-none-any.whl"] == "2025-12-11T05:48:20Z"


def test_a_file_of_unknown_hash_is_like_no_other(source: Path, host: IndexServer, tmp_path: Path) -> None:
    files = [f'<a href="{name}">{name}</a>' for name in ("demo-1.0-py3-none-any.whl", "demo-1.1-py3-none-any.whl")]
    (source / "index.html").write_text("<!DOCTYPE html>" + "".join(files))
    lie = lied(source, **{"upload-time": THEN, "hashes": {}})
    host.faults.append(lambda path, reply: lie if path == "/simple/demo/" else reply)
    with serve_index(source) as flat:
        options: dict[str, Any] = {"allow_unhashed": True, "include": ("demo",), "previous": host.url}
        report = build(Config(sources=(flat.url,), destination=str(tmp_path / "new"), **options))
    assert [file.upload_time for project in report.index.projects for file in project.files] == ["", ""]
    assert report.new == ("demo-1.0-py3-none-any.whl", "demo-1.1-py3-none-any.whl")


# --- a first publication --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["missing", "empty", "dots", "server"])
def test_where_nothing_is_published_yet_a_note_says_so(form: str, source: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    if form != "missing":
        there.mkdir()
    if form == "dots":
        (there / ".git").mkdir()
    with serve_index(there) as host:
        previous = host.url if form == "server" else str(there)
        report = publish(source, tmp_path / "new", previous=previous, cache_dir=None)
        assert notes(report) == [(previous, "nothing is published there yet")]
    assert len(times(tmp_path / "new")) == 3


def test_a_server_that_shows_no_root_may_have_the_projects(source: Path, host: IndexServer, tmp_path: Path) -> None:
    host.faults.append(lambda path, reply: Reply(404) if path in ("/", "/simple/") else reply)
    report = publish(source, tmp_path / "new", previous=host.url, cache_dir=None)
    assert set(times(tmp_path / "new").values()) == {THEN}
    assert notes(report) == []


# --- what cannot be read --------------------------------------------------------------------------------------------


ADVICE = {
    401: "it lets nobody in without the right user name and password: put them into ~/.netrc",
    403: "it lets nobody, or not you, read it",
    418: "ask who runs it",
}


@pytest.mark.parametrize("path", ["/", "/simple/", "/simple/demo/"])
@pytest.mark.parametrize("status", ADVICE)
def test_a_server_that_does_not_answer_stops_everything(
    path: str, status: int, source: Path, host: IndexServer, tmp_path: Path
) -> None:
    why = f"answers {status}: {ADVICE[status]}"
    host.faults.append(lambda asked, good: Reply(status) if asked == path else good)
    assert refusal(source, tmp_path / "new", host.url) == f"previous site: {host.url[:-1]}{path}: {why}{TOLD}"


def test_so_does_a_server_in_trouble_and_one_that_cannot_be_reached(
    source: Path, host: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("urllib3.util.Retry.sleep", lambda *_: None)
    host.faults.append(lambda path, good: Reply(503) if path == "/simple/other/" else good)
    why = "answers 503: the server is in trouble: try again later"
    assert refusal(source, tmp_path / "new", host.url) == f"previous site: {host.url}simple/other/: {why}{TOLD}"
    host.close()
    why = "cannot be reached: Connection refused"
    assert refusal(source, tmp_path / "new", host.url) == f"previous site: {host.url}: {why}{TOLD}"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("<!DOCTYPE html><title>Log in</title><form>", "is no page of an index"),
        ("<a href='x.whl'", "ends inside a tag or a comment: it was cut off, so that links may be missing"),
        ('{"meta": {}, "files": {}}', "is JSON, but names neither projects nor files"),
    ],
)
def test_a_page_that_is_none_stops_everything(
    body: str, why: str, source: Path, host: IndexServer, tmp_path: Path
) -> None:
    broken = Reply(200, body.encode(), {"Content-Type": JSON_TYPE if body.startswith("{") else "text/html"})
    host.faults.append(lambda path, good: broken if path == "/simple/demo/" else good)
    told = refusal(source, tmp_path / "new", host.url)
    assert told == f"previous site: {host.url}simple/demo/ {why}{TOLD}"


def test_a_project_or_a_page_for_people_is_no_index(source: Path, host: IndexServer, tmp_path: Path) -> None:
    (host.root / "about").mkdir()
    (host.root / "about/index.html").write_text("<!DOCTYPE html><title>About</title><a href='simple/'>us</a></html>")
    for path in ("simple/demo/", "about/"):
        why = f"{host.url}{path} is no index, and has none below it: name the address that clients install from"
        assert refusal(source, tmp_path / "new", f"{host.url}{path}") == f"previous site: {why}{TOLD}"


def test_a_directory_with_something_else_is_no_first_publication(source: Path, tmp_path: Path) -> None:
    wanted = f"previous site: {source} is neither empty nor an index: name the directory of one{TOLD}"
    assert refusal(source, tmp_path / "new", str(source)) == wanted
    wheel = source / "demo-1.0-py3-none-any.whl"
    assert refusal(source, tmp_path / "new", str(wheel)) == (
        f"previous site: cannot read directory {wheel}: Not a directory{TOLD}"
    )


def test_no_user_password_or_token_is_told(source: Path, host: IndexServer, tmp_path: Path) -> None:
    host.faults.append(lambda path, good: Reply(403) if "demo" in path else good)
    secret = host.url.replace("//", "//alice:hunter2@") + "?token=s3cret"
    told = refusal(source, tmp_path / "new", secret)
    assert told == f"previous site: {host.url}simple/demo/: answers 403: it lets nobody, or not you, read it{TOLD}"


# --- the option -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"upload_time": "none"}, "previous and upload-time none exclude each other: no upload time is carried over"),
        ({"watch": True}, "previous and watch do not go together: a watch has the files that it published before"),
        ({"previous": ""}, "previous: name the address of a published site, or a directory with one"),
        ({"previous": "ftp://host/"}, "previous ftp://host/: give an http or https URL, or a directory"),
        ({"previous": "https:///x"}, "previous https:///x: give an http or https URL, or a directory"),
        ({"previous": "https://u:p@[/?t=s"}, "previous https://[/: give an http or https URL, or a directory"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(options: dict[str, object], why: str, source: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        publish(source, source / "new", **{"previous": str(source), **options})
    assert str(caught.value) == why


def test_mkindex_toml_names_it_from_where_it_lies(site: Path, tmp_path: Path) -> None:
    from mkindex.config import read_file

    (tmp_path / "mkindex.toml").write_text('previous = "site"\n')
    assert read_file(tmp_path / "mkindex.toml") == {"previous": str(site)}
    (tmp_path / "mkindex.toml").write_text('previous = "https://example.com/"\n')
    assert read_file(tmp_path / "mkindex.toml") == {"previous": "https://example.com/"}
    (tmp_path / "mkindex.toml").write_text('previous = ["site"]\n')
    with pytest.raises(ConfigError, match="previous must be one value"):
        read_file(tmp_path / "mkindex.toml")
