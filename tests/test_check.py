"""Checking an index: rules, targets and requests."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mkindex.check.engine import CheckOptions, check
from mkindex.check.findings import Severity
from mkindex.check.judge import Judge
from mkindex.check.observations import (
    Content,
    Identity,
    Requirements,
    SeenFile,
    SeenPage,
    SeenProject,
    ServerBehaviour,
)
from mkindex.check.pages import read_page
from mkindex.check.why import Choice
from mkindex.errors import ConfigError, SourceError
from mkindex.simple.links import client_project_url
from mkindex.web.redirects import INSECURE
from mkindex.web.responses import RawResponse
from support.builds import publish
from support.index_copy import NEW, OLD, build_good_index, copy_index
from support.index_server import JSON_TYPE, Reply, serve_index
from support.index_values import listed_file
from support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mkindex.check.engine import CheckReport


URL = "https://example.com/simple/demo/"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_good_index(tmp_path_factory.mktemp("check"))


def run_check(target: Path | str, **options: Any) -> CheckReport:  # noqa: ANN401 (the fields of CheckOptions)
    return check(CheckOptions(target=target, **options))


def broken_rules(report: CheckReport) -> list[str]:
    return [found.rule.name for found in report.findings]


def page(text: str, url: str = URL, media_type: str = "text/html", **headers: str) -> SeenPage:
    """A page of the project demo, as a server sends it."""
    reply = RawResponse(url, 200, {"content-type": media_type, **headers}, text.encode())
    return read_page(reply, "project", project="demo")


def violations(subject: object) -> list[tuple[str, str]]:
    return [(found.rule.name, found.text) for found in Judge().findings(subject, "page")]


# --- rules that no server on this machine can break -------------------------------------------------------------------


def test_an_http_link_on_an_https_page_is_an_error() -> None:
    link = "http://example.com/demo-1.0-py3-none-any.whl"
    text = f'<!DOCTYPE html><a href="{link}#sha256={"0" * 64}" data-core-metadata="true">demo-1.0-py3-none-any.whl</a>'
    assert violations(page(text)) == [("insecure-link", "an http link on an https page")]


def test_versions_that_are_spelled_differently_from_filenames_are_no_finding() -> None:
    files = [
        {
            "filename": name,
            "url": name,
            "hashes": {"sha256": "0" * 64},
            "size": 1,
            "core-metadata": True,
        }
        for name in ("demo-1.0-py3-none-any.whl", "demo-1.0.0-py2-none-any.whl")
    ]
    text = json.dumps({"meta": {"api-version": "1.1"}, "name": "demo", "versions": ["1"], "files": files})
    assert violations(page(text, media_type=JSON_TYPE)) == []


def test_a_redirect_from_https_to_http_is_an_error() -> None:
    page = read_page(RawResponse(URL, 0, {}, broken=INSECURE), "project", project="demo")
    assert violations(SeenProject(name="demo", html=page)) == [("insecure-redirect", INSECURE)]


def server_behaviour(url: str = "https://example.com/simple/", **fields: Any) -> ServerBehaviour:  # noqa: ANN401 (the fields of ServerBehaviour)
    good = {"etag": '"1"', "cache-control": "max-age=600", "content-type": "text/html"}
    root = read_page(RawResponse(url, 200, good, b"<!DOCTYPE html>"), "root")
    values: Any = {"page": root.reply, "has_html": True, "has_json": True, "seconds": 0.1} | fields
    return ServerBehaviour(url=url, root=root, **values)


@pytest.mark.parametrize(
    ("url", "is_plain"),
    [
        ("http://example.com/simple/", True),
        ("http://10.0.0.1:8000/simple/", True),
        ("https://example.com/simple/", False),
        ("http://localhost:8000/", False),
        ("http://127.0.0.2/", False),
        ("http://[::1]:80/", False),
    ],
)
def test_plain_http_is_a_warning_except_on_this_machine(url: str, is_plain: bool) -> None:
    assert ("plain-http", "is served over http") in violations(server_behaviour(url)) if is_plain else True
    assert ("plain-http" in [name for name, _ in violations(server_behaviour(url))]) == is_plain


def test_a_slow_server_is_a_note() -> None:
    assert ("slow", "a page took 7.2 s") in violations(server_behaviour(seconds=7.25))


@pytest.mark.slow
def test_a_page_of_too_many_files_is_a_note() -> None:
    files = [{"filename": f"demo-{n}-py3-none-any.whl"} for n in range(10_001)]
    text = json.dumps({"meta": {"api-version": "1.0"}, "name": "demo", "files": files})
    large = page(text, media_type=JSON_TYPE)
    assert ("large-page", f"{len(text):,} bytes, 10,001 files") in violations(large)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, "no Cache-Control: pip and uv ask every time"),
        ({"last-modified": "x"}, "no Cache-Control: pip asks every time, uv caches pages for 600 s"),
        (
            {"cache-control": "max-age=3600"},
            "Cache-Control: max-age=3600: pip caches pages for 3,600 s, uv caches pages for 3,600 s",
        ),
    ],
)
def test_the_finding_says_how_long_each_client_caches_a_page(headers: dict[str, str], expected: str) -> None:
    seen = server_behaviour(page=RawResponse("https://example.com/simple/demo/", 200, headers))
    assert ("page-cache", expected) in violations(seen)


@pytest.mark.parametrize(
    "control", ["max-age=600", "no-cache", "no-store, max-age=9999", 'max-age="60"', "max-age=900"]
)
def test_a_page_may_be_cached_for_ten_minutes(control: str) -> None:
    headers = {"cache-control": control, "etag": '"1"', "vary": "Accept", "age": "300"}
    assert violations(server_behaviour(page=RawResponse(URL, 200, headers))) == []


def test_the_address_of_a_project_is_the_one_that_clients_request() -> None:
    urls = [client_project_url(f"https://example.com/{root}", "Demo_App") for root in ("simple", "simple/", "x.html")]
    assert [url.removeprefix("https://example.com/") for url in urls] == [
        "simple/demo-app/",
        "simple/demo-app/",
        "x.html/demo-app/",
    ]


# --- targets ----------------------------------------------------------------------------------------------------------


def test_a_find_links_page_is_reported_with_both_ways_to_use_it(good: Path, tmp_path: Path) -> None:
    index_copy = copy_index(good, tmp_path, "html")
    (index_copy.tree / "wheels.html").write_text(
        f'<!DOCTYPE html><a href="{NEW}#sha256={"0" * 64}">{NEW}</a><a href="x/gamma-1.0-py3-none-any.whl">x</a>'
    )
    with serve_index(index_copy.tree) as server:
        report = run_check(f"{server.url}wheels.html", files="none")
        text = next(found.text for found in report.findings if found.rule.name == "find-links-page")
    address = f"{server.url}wheels.html"
    expected = (
        "a find-links page, not an index: 2 files of 2 projects on one page. To use it as it is: "
        f'pip install --no-index --find-links {address} …, or uv with --find-links or format = "flat". '
        f"To make an index of it: mkindex {address} ./public"
    )
    assert (report.kind, text) == ("flat", expected)


@pytest.mark.parametrize(
    ("target", "kind", "error"),
    [
        ("simple/", "index", None),
        ("simple", "index", None),
        ("simple/alpha/", "project", None),
        ("simple/index.html", "page", "not-an-index"),
        ("", "people", "not-an-index"),
        ("links.html", "flat", "find-links-page"),
        ("files/", "nothing", "not-an-index"),
    ],
)
def test_the_target_is_identified(good: Path, target: str, kind: str, error: str | None) -> None:
    (good / "links.html").write_text((good / "simple/alpha/index.html").read_text().replace("../../", ""))
    with serve_index(good) as server:
        report = run_check(f"{server.url}{target}")
    (good / "links.html").unlink()
    worst = [found.rule.name for found in report.findings if found.rule.severity == Severity.ERROR]
    assert (report.kind, worst) == (kind, [error] if error else [])


def test_the_finding_for_a_directory_of_wheels_says_how_to_make_an_index(tmp_path: Path) -> None:
    write_wheel(tmp_path, "demo", "1.0")
    report = run_check(tmp_path)
    (found,) = report.findings
    assert (found.rule.name, found.text) == (
        "not-an-index",
        f"a directory with a wheel or sdist, but without a page. Make an index of it: mkindex {tmp_path} ./public",
    )


def test_an_index_at_another_simple_path_is_found(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "demo", "1.0")
    for simple_path in ("", "a/b"):
        publish(tmp_path / "wheels", tmp_path / f"x{simple_path[:1]}", simple_path=simple_path)
        report = run_check(tmp_path / f"x{simple_path[:1]}")
        assert (report.kind, report.projects, report.read, broken_rules(report)) == ("index", 1, 1, [])


# --- what is read -----------------------------------------------------------------------------------------------------


def test_project_selects_the_projects_to_check(good: Path) -> None:
    with serve_index(good) as server:
        report = run_check(f"{server.url}simple/", project=("Alp*", "GAMMA"))
    assert (report.projects, report.files, report.inspected) == (2, 3, 3)


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("address", ["simple/", "simple/index.html"])
def test_a_host_without_index_documents_is_a_finding_of_its_own(good: Path, status: int, address: str) -> None:
    with serve_index(good) as server:
        server.faults.append(lambda path, reply: Reply(status) if path.endswith("/") else reply)
        report = run_check(server.url + address)
        named = run_check(f"{server.url}simple/", project=("alpha",))
        with pytest.raises(SourceError, match=r"exists only as index\.html.*no-index-document"):
            run_check(f"{server.url}simple/", why="alpha")
    errors = [(found.rule.name, found.text) for found in report.findings if found.rule.severity == Severity.ERROR]
    assert errors == [("no-index-document", f"answers {status}, but the page exists as index.html")] * 3
    assert (report.kind, report.url, report.projects) == ("index", f"{server.url}simple/", 3)
    assert "no-index-document" in broken_rules(named)


def test_a_tool_without_api_versions_on_a_host_without_index_documents_is_recognized(tmp_path: Path) -> None:
    page = tmp_path / "simple/demo/index.html"
    page.parent.mkdir(parents=True)
    page.write_text('<!DOCTYPE html><a href="demo-1.0-py3-none-any.whl">demo-1.0-py3-none-any.whl</a>')
    (tmp_path / "simple/index.html").write_text('<!DOCTYPE html><a href="demo/index.html">demo</a>')
    with serve_index(tmp_path) as server:
        server.faults.append(lambda path, reply: Reply(404) if path.endswith("/") else reply)
        assert "no-index-document" in broken_rules(run_check(f"{server.url}simple/"))


def test_a_root_that_only_the_bucket_lacks_is_no_error(good: Path) -> None:
    with serve_index(good) as server:
        server.faults.append(lambda path, reply: Reply(403) if path == "/simple/" else reply)
        report = run_check(f"{server.url}simple/")
    assert (report.kind, report.projects, report.files, broken_rules(report)) == ("index", 3, 5, [])


def test_an_error_page_for_people_is_no_index_document(good: Path) -> None:
    welcome = Reply(200, b'<!DOCTYPE html><a href="about/">About</a>', {"Content-Type": "text/html"})
    with serve_index(good) as server:
        server.faults.append(lambda path, reply: Reply(404) if path.endswith("/") else welcome)
        assert broken_rules(run_check(f"{server.url}simple/")) == ["not-an-index"]


@pytest.mark.parametrize("link", ["/simple/gamma", "gamma", "gamma/index.html", "Gamma/"])
def test_roots_that_name_the_same_projects_in_other_words_agree(good: Path, tmp_path: Path, link: str) -> None:
    index = copy_index(good, tmp_path, "both")
    index.html("", lambda text: text.replace('"gamma/"', f'"{link}"'))
    report = run_check(index.tree, ignore=("root-link", "stray-link", "not-listed"))
    assert "roots-disagree" not in broken_rules(report)


def test_roots_that_name_different_projects_are_a_warning_with_and_without_a_manifest(
    good: Path, tmp_path: Path
) -> None:
    for manifest in (True, False):
        index = copy_index(good, tmp_path / str(manifest), "both", manifest=manifest)
        index.html("", lambda text: text.replace('<a href="gamma/">gamma</a><br>\n', ""))
        found = [
            (one.rule.severity, one.text) for one in run_check(index.tree).findings if one.rule.name == "roots-disagree"
        ]
        assert found == [(Severity.WARNING, "only the JSON page names gamma")]


def test_a_dangling_egg_is_no_missing_file(good: Path, tmp_path: Path) -> None:
    index = copy_index(good, tmp_path, "html")
    egg = "alpha-2.0-py2.7.egg"
    index.html("alpha", lambda text: text.replace("<a ", f'<a href="../../../gone/{egg}">{egg}</a><br>\n<a ', 1))
    with serve_index(index.tree) as server:
        for report in (run_check(index.tree), run_check(f"{server.url}simple/")):
            assert [found.rule.name for found in report.findings if found.file == egg] == ["unusable-name"]
            assert not report.failed()


def test_white_space_around_the_text_of_a_link_is_no_difference() -> None:
    name = "demo-1.0-py3-none-any.whl"
    link = f'<a href="{name}#sha256={"0" * 64}" data-core-metadata="true">\n  {name}\n</a>'
    assert violations(page(f"<!DOCTYPE html>{link}")) == []


@pytest.mark.parametrize(
    ("on_page", "in_file", "differs"),
    [
        (">=3.13", ">=3.13.0", False),
        (">=3.8,<4", "<4.0, >=3.8", False),
        ("==3.13", "==3.13.0", False),
        (">=3.13", ">3.13", True),
        (">=3.13", ">=3.13.1", True),
        ("~=3.13", "~=3.13.0", True),
        ("==3.13.*", "==3.13", True),
        ("3.13", "3.13", False),  # invalid, but the same
        ("3.13", "3.12", True),
    ],
)
def test_requires_python_is_compared_by_what_it_means(on_page: str, in_file: str, differs: bool) -> None:
    name = "demo-1.0-py3-none-any.whl"
    entry = listed_file(name, python=on_page)
    requirements = Requirements("demo", "1.0", in_file, (), ())
    seen = SeenFile(entry=entry, reply=RawResponse(URL, 200, {}), is_local=True, content=Content(metadata=requirements))
    assert ("requires-python-differs" in [rule for rule, _ in violations(seen)]) == differs
    anchor = f'<!DOCTYPE html><a href="{name}" data-requires-python="{on_page.replace("<", "&lt;")}">{name}</a>'
    file = {"filename": name, "url": name, "hashes": {}, "requires-python": in_file}
    text = json.dumps({"meta": {"api-version": "1.0"}, "name": "demo", "files": [file]})
    project = SeenProject(name="demo", html=page(anchor), json=page(text, media_type=JSON_TYPE))
    assert ("forms-disagree" in [rule for rule, _ in violations(project)]) == differs


def test_metadata_files_that_differ_only_in_how_requires_python_is_written_do_not_differ() -> None:
    inside, beside = (Requirements("demo", "1.0", python, (), ()) for python in (">=3.13", ">=3.13.0"))
    seen = SeenFile(
        entry=listed_file("demo-1.0-py3-none-any.whl", python=">=3.13")._replace(metadata=""),
        reply=RawResponse(URL, 200, {}),
        is_local=True,
        content=Content(metadata_sha256="1" * 64, metadata=inside),
        sibling=RawResponse(URL, 200, {}),
        sibling_sha256="2" * 64,
        sibling_metadata=beside,
    )
    assert [rule for rule, _ in violations(seen)] == ["metadata-bytes"]


@pytest.mark.parametrize("sends_documents", [True, False])
def test_the_list_of_a_bucket_is_identified_and_the_index_below_it_is_named(good: Path, sends_documents: bool) -> None:
    listing = Reply(
        200, b"<?xml version='1.0'?><ListBucketResult></ListBucketResult>", {"Content-Type": "application/xml"}
    )
    with serve_index(good) as server:
        if not sends_documents:
            server.faults.append(lambda path, reply: Reply(404) if path.endswith("/") else reply)
        server.faults.append(lambda path, reply: listing if path == "/" else reply)
        server.faults.append(lambda path, reply: Reply(404) if path == "/index.html" else reply)
        report = run_check(server.url)
    assert [(found.rule.name, found.text) for found in report.findings] == [
        (
            "not-an-index",
            f"a list of the objects in a bucket, in XML, which is no page; there is an index at {server.url}simple/",
        )
    ]


def test_an_index_at_the_root_of_a_bucket_is_recognized_by_its_index_document(good: Path) -> None:
    listing = Reply(200, b"<ListBucketResult/>", {"Content-Type": "application/xml"})
    with serve_index(good) as server:
        server.faults.append(lambda path, reply: listing if path == "/simple/" else reply)
        report = run_check(f"{server.url}simple/")
    assert (report.kind, report.projects, report.failed()) == ("index", 3, False)


def test_a_link_that_is_cut_does_not_look_like_an_address() -> None:
    link = f"https://example.com/{'long/' * 100}demo.html"
    text = dict(violations(page(f'<!DOCTYPE html><a href="{link}">demo</a>')))["stray-link"]
    assert ("://" in text, text.endswith("long/demo.html"), len(text) < 200) == (False, True, True)
    short = "https://example.com/demo.html"
    assert ("stray-link", f"1 other link: {short}") in violations(page(f'<!DOCTYPE html><a href="{short}">demo</a>'))
    base = f"{'long/' * 100}demo/"
    assert ("base-link", f"<base href={'…' + base[-79:]!r}> is relative") in violations(
        page(f'<!DOCTYPE html><base href="{base}">')
    )


def test_a_long_finding_is_cut_between_words() -> None:
    identity = Identity(kind="people", description="https://example.com/simple/ " * 100)
    ((_, text),) = violations(identity)
    assert len(text) <= 2000
    assert text.endswith("https://example.com/simple/ …")


def find_links_at(path: str, below: int = 404) -> Callable[[str, Reply], Reply]:
    """A find-links page at an address without a slash; `below`: the status of the same address with one."""
    page = (
        f'<!DOCTYPE html><ul><li><a href="/f/{NEW}">{NEW}</a><li><a href="/f/beta-1.0.tar.gz">beta-1.0.tar.gz</a></ul>'
    )
    replies = {
        path: Reply(200, page.encode(), {"Content-Type": "text/html"}),
        f"{path}/": Reply(below, b'<!DOCTYPE html><a href="about">About</a>', {"Content-Type": "text/html"}),
    }
    return lambda requested, reply: replies.get(requested, Reply(200, b"x") if "/f/" in requested else reply)


@pytest.mark.parametrize("below", [404, 403, 200])
@pytest.mark.parametrize("project", [(), ("alpha",)])
def test_a_find_links_page_at_an_address_without_a_slash_is_found(
    good: Path, below: int, project: tuple[str, ...]
) -> None:
    with serve_index(good) as server:
        server.faults.append(find_links_at("/o/expanded_assets/v1.0", below))
        url = f"{server.url}o/expanded_assets/v1.0"
        report = run_check(url, ignore=("find-links-page",), project=project)
        chosen = run_check(url, why="alpha").why
    seen = report.kind, report.url, report.projects, report.files, report.inspected
    assert seen == ("flat", url, 2, 2, 2)
    assert chosen == (Choice(NEW, "2.0", (), chosen=True),)


@pytest.mark.slow
@pytest.mark.parametrize("status", [401, 500])
def test_an_address_without_a_slash_is_not_tried_after_another_error(good: Path, status: int) -> None:
    with serve_index(good) as server:
        server.faults.append(lambda path, reply: Reply(status) if path == "/simple/" else reply)
        with pytest.raises(SourceError, match=f"/simple/: answers {status}"):
            run_check(f"{server.url}simple")
        assert "GET /simple" not in server.received


def test_an_index_is_requested_with_the_slash_only(good: Path) -> None:
    with serve_index(good) as server:
        report = run_check(f"{server.url}simple")
        assert "GET /simple" not in server.received
    assert (report.kind, report.url) == ("index", f"{server.url}simple/")


def test_a_check_that_saw_no_file_fails_whatever_was_selected(good: Path) -> None:
    report = run_check(good, project=("x*",), select=("file-hash",))
    assert [(found.rule.name, found.text) for found in report.findings] == [
        ("no-files", "no file was seen: no project matches --project x*")
    ]
    assert report.failed()


@pytest.mark.parametrize("name", ["celery", "celery/"])
def test_a_root_with_links_above_its_own_path_is_not_a_pass(tmp_path: Path, name: str) -> None:
    root = tmp_path / "pypi/simple/index.html"
    root.parent.mkdir(parents=True)
    head = '<!DOCTYPE html><head><meta name="pypi:repository-version" content="1.0"></head>'
    root.write_text(f'{head}<a href="/{name}">celery</a>')
    with serve_index(tmp_path) as server:
        report = run_check(f"{server.url}pypi/simple/")
    assert report.failed()
    findings = [(found.rule.name, found.text) for found in report.findings if found.rule.severity != Severity.NOTE]
    assert [found for found in findings if found[0] in ("page-missing", "root-link")] == [
        ("page-missing", "answers 404"),
        ("root-link", f"1 other link: /{name}"),
    ]


def test_a_root_whose_links_name_no_project_is_not_a_pass(tmp_path: Path) -> None:
    head = '<!DOCTYPE html><head><meta name="pypi:repository-version" content="1.0"></head>'
    (tmp_path / "index.html").write_text(f'{head}<a href="https://example.com/a/b">All about it</a>')
    report = run_check(tmp_path)
    (error,) = (found for found in report.findings if found.rule.severity == Severity.ERROR)
    assert (error.rule.name, error.text) == (
        "no-files",
        "no file was seen: the root has links, but none that names a project: https://example.com/a/b",
    )


def test_an_index_of_quarantined_projects_only_passes(tmp_path: Path) -> None:
    page = tmp_path / "simple/demo/index.html"
    page.parent.mkdir(parents=True)
    head = '<!DOCTYPE html><head><meta name="pypi:repository-version" content="1.4">'
    page.write_text(f'{head}<meta name="pypi:project-status" content="quarantined"></head>')
    (tmp_path / "simple/index.html").write_text(f'{head}</head><a href="demo/">demo</a>')
    assert "no-files" not in broken_rules(run_check(tmp_path))


@pytest.mark.parametrize("status", [403, 404])
def test_named_projects_are_checked_without_a_root_page(good: Path, status: int) -> None:
    with serve_index(good) as server:
        server.faults.append(lambda path, reply: Reply(status) if path == "/simple/" else reply)
        report = run_check(f"{server.url}simple/", project=("Alpha",))
        chosen = run_check(f"{server.url}simple/", why="alpha").why
    assert (report.kind, report.projects, report.inspected, broken_rules(report)) == ("index", 1, 2, [])
    assert chosen == (Choice(NEW, "2.0", (), chosen=True), Choice(OLD, "1.0", ()))


def test_sample_checks_the_newest_files(good: Path) -> None:
    with serve_index(good) as server:
        report = run_check(f"{server.url}simple/", project=("alpha",), sample=1)
        asked = [path for path in server.received if path.endswith(".whl") and path.startswith("HEAD")]
    assert (report.files, report.inspected, [path.rpartition("/")[2] for path in asked]) == (2, 1, [NEW])


def test_files_none_requests_no_files(good: Path) -> None:
    with serve_index(good) as server:
        report = run_check(f"{server.url}simple/", files="none")
        assert (report.inspected, [path for path in server.received if path.startswith("HEAD")]) == (0, [])


@pytest.mark.parametrize("level", ["hash", "deep"])
def test_files_that_were_read_from_a_server_are_not_read_again(good: Path, tmp_path: Path, level: str) -> None:
    def got(server_asked: list[str]) -> set[str]:
        return {path.rpartition("/")[2] for path in server_asked if path.startswith("GET") and path.endswith(".whl")}

    with serve_index(good) as server:
        first = run_check(f"{server.url}simple/", files=level, cache_dir=str(tmp_path))
        before = got(server.received)
        server.received.clear()
        again = run_check(f"{server.url}simple/", files=level, cache_dir=str(tmp_path))
        one_byte = got(server.received)
    assert (len(before), len(one_byte)) == (4, 1)  # the host is still asked for one byte of one file
    assert replace(first, seconds=0) == replace(again, seconds=0)


def test_a_changed_page_is_noticed_although_its_file_is_cached(good: Path, tmp_path: Path) -> None:
    index_copy = copy_index(good, tmp_path / "x", "html")
    with serve_index(index_copy.tree) as server:
        run_check(f"{server.url}simple/", files="hash", cache_dir=str(tmp_path / "cache"))
        index_copy.anchor(NEW, r"#sha256=\w+", f"#sha256={'0' * 64}")
        report = run_check(f"{server.url}simple/", files="hash", cache_dir=str(tmp_path / "cache"))
    assert "file-hash" in broken_rules(report)


def test_a_large_wheel_is_read_in_parts(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "big", "1.0", files={"big/data": random.Random(1).randbytes(3 << 20)})
    publish(tmp_path / "wheels", tmp_path / "public")
    with serve_index(tmp_path / "public") as server:
        report = run_check(f"{server.url}simple/", files="deep")
        sizes: list[int] = []

        def count(path: str, reply: Reply) -> Reply:
            sizes.extend([len(reply.body)] if path.endswith(".whl") else [])
            return reply

        server.faults.append(count)
        again = run_check(f"{server.url}simple/", files="deep")
    assert broken_rules(report) == broken_rules(again) == []
    assert 0 < sum(size for size in sizes if size < 3 << 20) < 200_000


def test_a_server_without_head_is_sent_get_requests(good: Path) -> None:
    with serve_index(good) as server:
        server.faults.append(lambda _, reply: Reply(405) if server.received[-1].startswith("HEAD") else reply)
        report = run_check(f"{server.url}simple/", jobs=1)
    assert (report.inspected, [name for name in broken_rules(report) if name != "file-cache"]) == (5, [])


def test_an_endless_redirect_is_a_finding(good: Path) -> None:
    with serve_index(good) as server:
        server.faults.append(
            lambda path, reply: Reply(302, headers={"Location": path}) if path == "/simple/alpha/" else reply
        )
        report = run_check(f"{server.url}simple/")
    (found,) = [one for one in report.findings if one.rule.severity == Severity.ERROR]
    assert (found.rule.name, found.text) == ("page-missing", "redirects more than 5 times")


# --- another index --------------------------------------------------------------------------------------------------


def test_projects_that_another_index_has_are_found_on_request(good: Path, tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / f"{name} wheels").mkdir()
    for name in ("ours", "shared", "empty", "broken"):
        write_wheel(tmp_path / "here wheels", name, "1.0")
    for name in ("shared", "theirs"):
        write_wheel(tmp_path / "there wheels", name, "9.0")
    for name in ("here", "there"):
        publish(tmp_path / f"{name} wheels", tmp_path / name, reserve=("empty",))
    with serve_index(tmp_path / "there") as other:
        other.faults.append(lambda path, reply: Reply(403) if path == "/simple/broken/" else reply)
        asked = run_check(tmp_path / "here", elsewhere=f"{other.url}simple")
        assert sorted(other.received) == [f"GET /simple/{name}/" for name in ("broken", "empty", "ours", "shared")]
        unasked = run_check(tmp_path / "here")
        assert len(other.received) == 4
    texts = [
        f"broken: it is not known whether {other.url}simple/broken/ exists (403)",
        f"shared: {other.url}simple/shared/ lists 1 file",
    ]
    assert [(found.rule.name, found.text) for found in asked.findings] == [("also-elsewhere", text) for text in texts]
    assert unasked.findings == ()


@pytest.mark.parametrize("url", ["", "there", "file:///srv", "https://"])
def test_another_index_must_be_on_a_server(url: str) -> None:
    with pytest.raises(ConfigError, match="--elsewhere must be the http or https URL of an index"):
        CheckOptions(target="x", elsewhere=url)
