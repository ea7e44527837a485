"""--previous: a new build keeps the upload times of published files, and takes nothing else from the site."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from mkindex.build.pipeline import build
from mkindex.config import Config
from mkindex.errors import ConfigError, Note, NotPublished, SourceError
from mkindex.model.files import Link
from mkindex.publish.refusals import refuse_links_to_replaced_site
from support.builds import publish
from support.index_server import JSON_TYPE, IndexServer, Reply, serve_index
from support.trees import html_entries, read_tree
from support.wheels import wheel, write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mkindex.build.report import Report

THEN, LATER, LATER_TEXT = "2024-05-06T07:08:09Z", 1_765_432_100, "2025-12-11T05:48:20Z"
MODIFIED = "2020-02-02T00:00:00Z"  # LONG_AGO, the Last-Modified of the server
CONSEQUENCE = " (without it, all files would get new upload times)"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A directory with two projects that was published in 2024."""
    directory = tmp_path / "wheels"
    directory.mkdir()
    for version in ("1.0", "1.1"):
        write_wheel(directory, "demo", version)
    write_sdist(directory, "other", "2.0")
    touch(directory, 1_714_979_289)
    return directory


@pytest.fixture
def site(source: Path, tmp_path: Path) -> Path:
    """Its tree as a host may serve it: without names that begin with a dot."""
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
    """The error that stops a build, which has published nothing then."""
    with pytest.raises(SourceError) as caught:
        publish(source, destination, previous=previous, cache_dir=None, **options)
    assert not destination.exists() or read_tree(destination) == {}
    return str(caught.value)


# --- what is kept -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["directory", "its index", "file:", "server", "index on a server", "no slash", "page"])
def test_a_fresh_checkout_rebuilds_an_unchanged_site_byte_for_byte(
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


def test_without_previous_upload_times_are_those_of_the_checkout(source: Path, site: Path, tmp_path: Path) -> None:
    publish(source, tmp_path / "new")
    assert set(times(site).values()) == {"2024-05-06T07:08:09Z"}
    assert set(times(tmp_path / "new").values()) == {"2025-12-11T05:48:20Z"}


def test_one_more_wheel_changes_only_its_project_and_the_root_pages(
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


def test_a_file_is_recognized_by_its_bytes_not_by_its_name(source: Path, host: IndexServer, tmp_path: Path) -> None:
    (source / "demo-1.0-py3-none-any.whl").write_bytes(wheel("demo", "1.0", summary="built again"))
    touch(source, LATER)
    publish(source, tmp_path / "new", previous=host.url)
    assert times(tmp_path / "new") == {
        "demo-1.0-py3-none-any.whl": "2025-12-11T05:48:20Z",
        "demo-1.1-py3-none-any.whl": THEN,
        "other-2.0.tar.gz": THEN,
    }


def test_source_date_epoch_limits_only_mtimes(
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


def test_the_earlier_of_the_time_of_a_source_and_the_published_one_is_used(
    source: Path, site: Path, tmp_path: Path
) -> None:
    publish(source, tmp_path / "recent")
    with serve_index(tmp_path / "recent") as recent, serve_index(site) as early:
        report = publish_from(f"{recent.url}simple/", tmp_path / "new", previous=str(site))
        publish_from(f"{early.url}simple/", tmp_path / "old", previous=str(tmp_path / "recent"))
    assert notes(report) == []
    assert [set(times(tmp_path / name).values()) for name in ("recent", "new", "old")] == [{LATER_TEXT}, {THEN}, {THEN}]


def test_a_link_without_an_upload_time_gets_the_published_one(source: Path, site: Path, tmp_path: Path) -> None:
    publish(source, tmp_path / "timeless", upload_time="none")
    with serve_index(tmp_path / "timeless") as timeless:
        spec = f"{timeless.url}simple/"
        publish_from(spec, tmp_path / "new", previous=str(site))
        publish_from(spec, tmp_path / "ours", previous=str(site), remote="mirror")
    assert set(times(tmp_path / "new").values()) == {THEN}
    assert set(times(tmp_path / "ours").values()) == {THEN}


@pytest.mark.parametrize("remote", ["reference", "mirror"])
@pytest.mark.parametrize(
    ("options", "epoch", "expected"),
    [
        ({}, "", MODIFIED),
        ({}, "86400", "1970-01-02T00:00:00Z"),
        ({"previous": "site"}, "", THEN),
        ({"upload_time": "none"}, "", None),
    ],
    ids=["", "SOURCE_DATE_EPOCH", "--previous", "--upload-time none"],
)
def test_a_link_without_an_upload_time_gets_last_modified_of_the_server(
    *,
    site: Path,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    remote: str,
    options: dict[str, str],
    epoch: str,
    expected: str | None,
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    monkeypatch.chdir(tmp_path)
    assert site.name == options.get("previous", "site")
    (source / "index.html").write_text("".join(f'<a href="{path.name}">x</a>' for path in source.iterdir()))
    with serve_index(source) as flat:
        for _ in range(2):
            report = publish_from(flat.url, tmp_path / "new", remote=remote, cache_dir=str(tmp_path / "c"), **options)
            assert (len(report.files), {file.upload_time or None for file in report.files}) == (3, {expected})


def test_the_index_may_have_had_another_simple_path(source: Path, tmp_path: Path) -> None:
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


def test_only_pages_of_projects_that_are_published_again_are_requested(
    source: Path, host: IndexServer, tmp_path: Path
) -> None:
    (source / "other-2.0.tar.gz").unlink()
    write_wheel(source, "new-one", "1.0", mtime=LATER)
    publish(source, tmp_path / "new", previous=f"{host.url}simple/", cache_dir=None)
    assert sorted(host.received) == ["GET /simple/", "GET /simple/demo/"]


def test_a_new_project_is_published_if_missing_pages_answer_403(
    source: Path, host: IndexServer, tmp_path: Path
) -> None:
    host.faults.append(lambda path, reply: Reply(403) if reply.status == 404 else reply)
    write_wheel(source, "new-one", "1.0", mtime=LATER)
    report = publish(source, tmp_path / "new", previous=f"{host.url}simple/", cache_dir=None)
    assert report.new == ("new_one-1.0-py3-none-any.whl",)


def test_the_earliest_of_several_times_for_the_same_bytes_is_used(source: Path, site: Path, tmp_path: Path) -> None:
    page = site / "simple/demo/index.html"
    lines = page.read_text().splitlines(keepends=True)
    (first,) = [line for line in lines if "demo-1.0-" in line]
    several = [f"2023-0{month}-01T00:00:00Z" for month in (3, 1, 2)]
    twins = [
        first.replace(THEN, time).replace("demo-1.0-", f"demo-1.0-{number}-") for number, time in enumerate(several)
    ]
    nothing = first.replace(f' data-upload-time="{THEN}"', "").replace("demo-1.0-", "demo-1.0-9-")
    page.write_text("".join([*lines[:-2], nothing, *twins, *lines[-2:]]))
    publish(source, tmp_path / "new", previous=str(site))
    assert times(tmp_path / "new")["demo-1.0-py3-none-any.whl"] == "2023-01-01T00:00:00Z"


# --- what is ignored -------------------------------------------------------------------------------------------


def page_with_claims(source: Path, **claims: object) -> Reply:
    """A page with any claims about one of our files."""
    name = "demo-1.0-py3-none-any.whl"
    sha256 = hashlib.sha256((source / name).read_bytes()).hexdigest()
    file = {"filename": name, "url": f"../../{name}", "hashes": {"sha256": sha256}, **claims}
    page = {"meta": {"api-version": "1.1"}, "name": "demo", "files": [file]}
    return Reply(200, json.dumps(page).encode(), {"Content-Type": JSON_TYPE})


def test_only_the_upload_time_is_taken_from_the_page(source: Path, host: IndexServer, tmp_path: Path) -> None:
    reply_with_claims = page_with_claims(
        source,
        **{"upload-time": THEN, "requires-python": ">=99", "yanked": "evil", "size": 1, "provenance": "https://a.b/c"},
        **{"core-metadata": {"sha256": "0" * 64}, "gpg-sig": True},
    )
    old = read_tree(host.root)
    host.faults.append(lambda path, reply: reply_with_claims if path == "/simple/demo/" else reply)
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
def test_an_invalid_upload_time_is_ignored(time: object, source: Path, host: IndexServer, tmp_path: Path) -> None:
    reply_with_claims = page_with_claims(source, **{"upload-time": time})
    host.faults.append(lambda path, reply: reply_with_claims if path == "/simple/demo/" else reply)
    publish(source, tmp_path / "new", previous=host.url, cache_dir=None)
    assert times(tmp_path / "new")["demo-1.0-py3-none-any.whl"] == "2025-12-11T05:48:20Z"


def test_hashes_other_than_sha256_are_ignored(source: Path, host: IndexServer, tmp_path: Path) -> None:
    data = (source / "demo-1.0-py3-none-any.whl").read_bytes()
    hashes = {name: hashlib.new(name, data).hexdigest() for name in ("md5", "sha1", "sha512")}
    reply_with_claims = page_with_claims(source, **{"upload-time": THEN, "hashes": hashes})
    host.faults.append(lambda path, reply: reply_with_claims if path == "/simple/demo/" else reply)
    publish(source, tmp_path / "new", previous=host.url, cache_dir=None)
    assert times(tmp_path / "new")["demo-1.0-py3-none-any.whl"] == "2025-12-11T05:48:20Z"


def test_a_file_without_a_hash_gets_no_published_upload_time(source: Path, host: IndexServer, tmp_path: Path) -> None:
    files = [f'<a href="{name}">{name}</a>' for name in ("demo-1.0-py3-none-any.whl", "demo-1.1-py3-none-any.whl")]
    (source / "index.html").write_text("<!DOCTYPE html>" + "".join(files))
    reply_with_claims = page_with_claims(source, **{"upload-time": THEN, "hashes": {}})
    host.faults.append(lambda path, reply: reply_with_claims if path == "/simple/demo/" else reply)
    with serve_index(source) as flat:
        options: dict[str, Any] = {"allow_unhashed": True, "include": ("demo",), "previous": host.url}
        report = build(Config(sources=(flat.url,), destination=str(tmp_path / "new"), **options))
    assert [file.upload_time for project in report.index.projects for file in project.files] == [MODIFIED] * 2
    assert report.new == ("demo-1.0-py3-none-any.whl", "demo-1.1-py3-none-any.whl")


# --- a first publication --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["missing", "empty", "dots", "server"])
def test_a_note_says_that_nothing_is_published_yet(form: str, source: Path, tmp_path: Path) -> None:
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


def test_project_pages_are_found_without_a_root_page(source: Path, host: IndexServer, tmp_path: Path) -> None:
    host.faults.append(lambda path, reply: Reply(404) if path in ("/", "/simple/") else reply)
    report = publish(source, tmp_path / "new", previous=host.url, cache_dir=None)
    assert set(times(tmp_path / "new").values()) == {THEN}
    assert notes(report) == []


# --- what cannot be read --------------------------------------------------------------------------------------------


ADVICE = {
    401: "user name and password required. Put them into ~/.netrc",
    403: "access denied. Check address and credentials. The server or bucket must let readers read it",
    418: "request refused. Ask the operator of the server",
}


@pytest.mark.parametrize("path", ["/", "/simple/", "/simple/demo/"])
@pytest.mark.parametrize("status", ADVICE)
def test_an_error_status_stops_the_build(
    path: str, status: int, source: Path, host: IndexServer, tmp_path: Path
) -> None:
    why = f"answers {status}: {ADVICE[status]}"
    host.faults.append(lambda requested, good: Reply(status) if requested == path else good)
    assert refusal(source, tmp_path / "new", host.url) == f"--previous: {host.url[:-1]}{path}: {why}{CONSEQUENCE}"


def test_a_server_error_or_an_unreachable_server_stops_the_build(
    source: Path, host: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("urllib3.util.Retry.sleep", lambda *_: None)
    host.faults.append(lambda path, good: Reply(503) if path == "/simple/other/" else good)
    why = "answers 503: server error. Try again later"
    assert refusal(source, tmp_path / "new", host.url) == f"--previous: {host.url}simple/other/: {why}{CONSEQUENCE}"
    host.close()
    why = "cannot be reached: Connection refused"
    assert refusal(source, tmp_path / "new", host.url) == f"--previous: {host.url}: {why}{CONSEQUENCE}"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("<!DOCTYPE html><title>Log in</title><form>", "is not a page of an index"),
        ("<a href='x.whl'", "ends inside a tag or a comment: it is truncated, and links may be missing"),
        ('{"meta": {}, "files": {}}', "is JSON, but has neither projects nor files"),
    ],
)
def test_a_page_that_is_not_of_an_index_stops_the_build(
    body: str, why: str, source: Path, host: IndexServer, tmp_path: Path
) -> None:
    broken = Reply(200, body.encode(), {"Content-Type": JSON_TYPE if body.startswith("{") else "text/html"})
    host.faults.append(lambda path, good: broken if path == "/simple/demo/" else good)
    error = refusal(source, tmp_path / "new", host.url)
    assert error == f"--previous: {host.url}simple/demo/ {why}{CONSEQUENCE}"


def test_a_project_page_or_another_website_is_not_an_index(source: Path, host: IndexServer, tmp_path: Path) -> None:
    (host.root / "about").mkdir()
    (host.root / "about/index.html").write_text("<!DOCTYPE html><title>About</title><a href='simple/'>us</a></html>")
    for path in ("simple/demo/", "about/"):
        why = f"{host.url}{path} is not an index, and has none below it: use the address that clients install from"
        assert refusal(source, tmp_path / "new", f"{host.url}{path}") == f"--previous: {why}{CONSEQUENCE}"


def test_a_directory_with_other_files_is_not_a_first_publication(source: Path, tmp_path: Path) -> None:
    expected = (
        f"--previous: {source} is neither empty nor an index: use the directory of a published index{CONSEQUENCE}"
    )
    assert refusal(source, tmp_path / "new", str(source)) == expected
    wheel = source / "demo-1.0-py3-none-any.whl"
    assert refusal(source, tmp_path / "new", str(wheel)) == (
        f"--previous: cannot read directory {wheel}: Not a directory{CONSEQUENCE}"
    )


def test_no_user_password_or_token_is_shown(source: Path, host: IndexServer, tmp_path: Path) -> None:
    host.faults.append(lambda path, good: Reply(403) if "demo" in path else good)
    secret = host.url.replace("//", "//alice:hunter2@") + "?token=s3cret"
    error = refusal(source, tmp_path / "new", secret)
    why = "answers 403: access denied. Check address and credentials. The server or bucket must let readers read it"
    assert error == f"--previous: {host.url}simple/demo/: {why}{CONSEQUENCE}"


# --- the files of the previous site ---------------------------------------------------------------------------------


def replaced(count: int, site: str, names: str) -> str:
    return (
        f"nothing published: pages would link to {count} files on {site}, the site that this build replaces ({names}). "
        "These files are not part of the new tree and would be lost. `mkindex add SOURCE... DEST --previous URL` keeps "
        "what is published there; --remote mirror publishes them again"
    )


NAMES = "demo-1.0-py3-none-any.whl, demo-1.1-py3-none-any.whl, other-2.0.tar.gz"


@pytest.mark.parametrize("previous", ["", "simple/", "simple", "simple/index.html", "index.html"])
@pytest.mark.parametrize("dry_run", [False, True])
def test_links_to_files_of_the_site_that_is_replaced_are_refused(
    source: Path, host: IndexServer, tmp_path: Path, previous: str, dry_run: bool
) -> None:
    with pytest.raises(NotPublished) as caught:
        publish_from(f"{host.url}simple/", tmp_path / "new", previous=f"{host.url}{previous}", dry_run=dry_run)
    assert str(caught.value) == replaced(3, f"{host.url}{previous}", NAMES)
    assert not (tmp_path / "new").exists()
    report = publish_from(
        f"{host.url}simple/", tmp_path / "new", previous=f"{host.url}{previous}", remote="mirror", dry_run=dry_run
    )
    assert len(report.files) == 3


def test_links_to_another_site_are_not_refused(source: Path, host: IndexServer, tmp_path: Path) -> None:
    publish(source, tmp_path / "other")
    with serve_index(tmp_path / "other") as other:
        report = publish_from(f"{host.url}simple/", tmp_path / "new", previous=other.url, url=other.url)
    assert len(report.files) == 3


def test_links_below_the_public_address_of_the_destination_are_refused(
    source: Path, host: IndexServer, tmp_path: Path
) -> None:
    public = host.url.upper().replace("HTTP", "http").rstrip("/")
    with pytest.raises(NotPublished) as caught:
        publish_from(f"{host.url}simple/", tmp_path / "new", url=public)
    assert str(caught.value) == replaced(3, public, NAMES)


def test_links_beside_the_files_of_the_destination_are_not_refused(
    source: Path, host: IndexServer, tmp_path: Path
) -> None:
    """A directory of wheels that something else serves on the same host."""
    (host.root / "wheels").mkdir()
    for path in source.iterdir():
        (host.root / "wheels" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "list.txt").write_text("".join(f"{host.url}wheels/{path.name}\n" for path in source.iterdir()))
    report = publish_from(str(tmp_path / "list.txt"), tmp_path / "new", url=host.url)
    assert len(report.files) == 3
    with pytest.raises(NotPublished):
        publish_from(str(tmp_path / "list.txt"), tmp_path / "new", previous=host.url)


def test_links_below_files_url_are_not_refused(source: Path, host: IndexServer, tmp_path: Path) -> None:
    (tmp_path / "list.jsonl").write_text(json.dumps({"filename": "demo-1.0-py3-none-any.whl"}) + "\n")
    report = publish_from(
        str(tmp_path / "list.jsonl"), tmp_path / "new", previous=host.url, files_url=f"{host.url}wheels/"
    )
    assert [file.filename for file in report.files] == ["demo-1.0-py3-none-any.whl"]


@pytest.mark.parametrize(
    ("previous", "url", "is_refused"),
    [
        ("https://host.example/a/", "http://HOST.example:80/a/files/demo-1.0.tar.gz", True),
        ("https://host.example/a", "https://host.example/a/demo-1.0.tar.gz", True),
        ("https://host.example/%7Ea/simple/", "https://host.example/~a/files/demo-1.0.tar.gz", True),
        ("https://u:p@host.example/a", "https://host.example/a/demo-1.0.tar.gz", True),
        ("https://host.example/a", "https://host.example/ab/demo-1.0.tar.gz", False),
        ("https://host.example:8443/a", "https://host.example/a/demo-1.0.tar.gz", False),
        ("https://host.example/a", "https://other.example/a/demo-1.0.tar.gz", False),
        ("https://host.example/a", "https://xhost.example/a/demo-1.0.tar.gz", False),
    ],
)
def test_which_addresses_are_on_a_site(previous: str, url: str, is_refused: bool) -> None:
    config = Config(sources=("x",), destination="public", previous=previous)
    link = Link(url, "demo-1.0.tar.gz")
    with pytest.raises(NotPublished) if is_refused else nullcontext() as caught:
        refuse_links_to_replaced_site(config, [link], ())
    if caught:
        assert "u:p" not in str(caught.value)


# --- the option -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"upload_time": "none"}, "previous and upload_time none exclude each other: no upload times are published"),
        ({"watch": True}, "previous and watch exclude each other: a watch knows what it published before"),
        ({"previous": ""}, "previous must be the URL of a published site, or a directory with one"),
        ({"previous": "ftp://host/"}, "previous must be an http or https URL, or a directory, not ftp://host/"),
        ({"previous": "https:///x"}, "previous must be an http or https URL, or a directory, not https:///x"),
        ({"previous": "https://u:p@[/?t=s"}, "previous must be an http or https URL, or a directory, not https://[/"),
    ],
)
def test_invalid_combinations_of_options_are_errors(options: dict[str, object], why: str, source: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        publish(source, source / "new", **{"previous": str(source), **options})
    assert str(caught.value) == why


def test_previous_in_mkindex_toml_is_relative_to_that_file(site: Path, tmp_path: Path) -> None:
    from mkindex.config_file import read_config_file

    (tmp_path / "mkindex.toml").write_text('previous = "site"\n')
    assert read_config_file(tmp_path / "mkindex.toml") == {"previous": str(site)}
    (tmp_path / "mkindex.toml").write_text('previous = "https://example.com/"\n')
    assert read_config_file(tmp_path / "mkindex.toml") == {"previous": "https://example.com/"}
    (tmp_path / "mkindex.toml").write_text('previous = ["site"]\n')
    with pytest.raises(ConfigError, match="previous must be a string"):
        read_config_file(tmp_path / "mkindex.toml")
