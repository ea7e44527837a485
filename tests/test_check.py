"""`check`: rules, what it recognises, how much it reads, and which file an installer would take."""

from __future__ import annotations

import json
import random
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement

from mkindex.check.candidates import Choice, why
from mkindex.check.engine import CheckOptions, check
from mkindex.check.findings import Severity
from mkindex.check.judge import Judge
from mkindex.check.observations import ListedFile, SeenPage, SeenProject, ServerBehaviour
from mkindex.check.pages import read
from mkindex.check.targets import target
from mkindex.web.responses import RawResponse as Answer
from support.builds import publish
from support.index_copy import NEW, OLD, build_good_index, copy_index
from support.index_server import JSON_TYPE, Reply, serve_index
from support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mkindex.check.engine import CheckReport


URL = "https://example.com/simple/demo/"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_good_index(tmp_path_factory.mktemp("check"))


def no_progress(total: int) -> nullcontext[Callable[[int], object]]:
    return nullcontext(id)


def checked(where: Path | str, **options: Any) -> CheckReport:  # noqa: ANN401 (the fields of Options)
    return check(CheckOptions(target=str(where), **options), progress=no_progress)


def names(report: CheckReport) -> list[str]:
    return [found.rule.name for found in report.findings]


def page(text: str, url: str = URL, media_type: str = "text/html", **headers: str) -> SeenPage:
    """A page of the project demo, as a server sends it."""
    reply = Answer(url, 200, {"content-type": media_type, **headers}, text.encode())
    return read(reply, "project", project="demo")


def broken(subject: object) -> list[tuple[str, str]]:
    return [(found.rule.name, found.text) for found in Judge().findings(subject, "page")]


# --- rules that no server of this machine can break -------------------------------------------------------------------


def test_an_http_link_on_an_https_page_is_an_error() -> None:
    link = "http://example.com/demo-1.0-py3-none-any.whl"
    text = f'<!DOCTYPE html><a href="{link}#sha256={"0" * 64}" data-core-metadata="true">demo-1.0-py3-none-any.whl</a>'
    assert broken(page(text)) == [("insecure-link", "an http link on an https page")]


def test_a_redirect_from_https_to_http_is_an_error() -> None:
    why = "redirects from https to http, which is not encrypted"
    project = SeenProject(name="demo", html=read(Answer(URL, 0, {}, broken=why), "project", project="demo"))
    assert broken(project) == [("insecure-redirect", why)]


def host(url: str = "https://example.com/simple/", **seen: Any) -> ServerBehaviour:  # noqa: ANN401 (the fields of Host)
    good = {"etag": '"1"', "cache-control": "max-age=600", "content-type": "text/html"}
    root = read(Answer(url, 200, good, b"<!DOCTYPE html>"), "root")
    fields: Any = {"page": root.reply, "html": True, "json": True, "seconds": 0.1} | seen
    return ServerBehaviour(url=url, root=root, **fields)


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
def test_plain_http_is_a_warning_but_for_this_machine(url: str, is_plain: bool) -> None:
    assert ("plain-http", "is served over http") in broken(host(url)) if is_plain else True
    assert ("plain-http" in [name for name, _ in broken(host(url))]) == is_plain


def test_a_slow_server_is_a_note() -> None:
    assert ("slow", "a page took 7.2 s") in broken(host(seconds=7.25))


@pytest.mark.slow
def test_a_page_of_too_many_files_is_a_note() -> None:
    files = [{"filename": f"demo-{n}-py3-none-any.whl"} for n in range(10_001)]
    text = json.dumps({"meta": {"api-version": "1.0"}, "name": "demo", "files": files})
    large = page(text, media_type=JSON_TYPE)
    assert ("large-page", f"{len(text):,} bytes, 10,001 files") in broken(large)


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({}, "no Cache-Control: pip asks each time, and so does uv"),
        ({"last-modified": "x"}, "no Cache-Control: pip asks each time, uv takes a page for fresh for 600 s"),
        (
            {"cache-control": "max-age=3600"},
            "Cache-Control: max-age=3600: pip for 3,600 s, uv takes a page for fresh for 3,600 s",
        ),
    ],
)
def test_how_long_each_client_takes_a_page_for_fresh_is_told(headers: dict[str, str], told: str) -> None:
    seen = host(page=Answer("https://example.com/simple/demo/", 200, headers))
    assert ("page-cache", told) in broken(seen)


@pytest.mark.parametrize(
    "control", ["max-age=600", "no-cache", "no-store, max-age=9999", 'max-age="60"', "max-age=900"]
)
def test_a_page_that_is_fresh_for_ten_minutes_at_most_is_right(control: str) -> None:
    headers = {"cache-control": control, "etag": '"1"', "vary": "Accept", "age": "300"}
    assert broken(host(page=Answer(URL, 200, headers))) == []


# --- what it is -------------------------------------------------------------------------------------------------------


def test_who_gives_a_find_links_page_for_an_index_is_told_both_ways_out(good: Path, tmp_path: Path) -> None:
    index_copy = copy_index(good, tmp_path, "html")
    (index_copy.tree / "wheels.html").write_text(
        f'<!DOCTYPE html><a href="{NEW}#sha256={"0" * 64}">{NEW}</a><a href="x/gamma-1.0-py3-none-any.whl">x</a>'
    )
    with serve_index(index_copy.tree) as server:
        report = checked(f"{server.url}wheels.html", files="none")
        text = next(found.text for found in report.findings if found.rule.name == "find-links-page")
    address = f"{server.url}wheels.html"
    told = (
        "a find-links page, not an index: 2 files of 2 projects on one page. As it is: pip install --no-index "
        f'--find-links {address} …, uv with --find-links or format = "flat". As an index: mkindex {address} ./public'
    )
    assert (report.kind, text) == ("flat", told)


@pytest.mark.parametrize(
    ("given", "kind", "first"),
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
def test_what_was_given_is_recognised(good: Path, given: str, kind: str, first: str | None) -> None:
    (good / "links.html").write_text((good / "simple/alpha/index.html").read_text().replace("../../", ""))
    with serve_index(good) as server:
        report = checked(f"{server.url}{given}")
    (good / "links.html").unlink()
    worst = [found.rule.name for found in report.findings if found.rule.severity == Severity.ERROR]
    assert (report.kind, worst) == (kind, [first] if first else [])


def test_a_directory_of_wheels_is_no_index_and_the_way_to_one_is_told(tmp_path: Path) -> None:
    write_wheel(tmp_path, "demo", "1.0")
    report = checked(tmp_path)
    (found,) = report.findings
    assert (found.rule.name, found.text) == (
        "not-an-index",
        f"a directory of 1 wheels and sdists without a page; mkindex {tmp_path} ./public makes an index of it",
    )


def test_an_index_below_another_path_is_found_in_its_tree(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "demo", "1.0")
    for simple_path in ("", "a/b"):
        publish(tmp_path / "wheels", tmp_path / f"x{simple_path[:1]}", simple_path=simple_path)
        report = checked(tmp_path / f"x{simple_path[:1]}")
        assert (report.kind, report.projects, report.read, names(report)) == ("index", 1, 1, [])


# --- how much ---------------------------------------------------------------------------------------------------------


def test_only_projects_that_were_asked_for_are_looked_at(good: Path) -> None:
    with serve_index(good) as server:
        report = checked(f"{server.url}simple/", project=("Alp*", "GAMMA"))
    assert (report.projects, report.files, report.looked) == (2, 3, 3)


@pytest.mark.parametrize("status", [403, 404])
def test_projects_that_are_named_are_found_without_a_root(good: Path, status: int) -> None:
    with serve_index(good) as server:
        server.faults.append(lambda path, reply: Reply(status) if path == "/simple/" else reply)
        report = checked(f"{server.url}simple/", project=("Alpha",))
        chosen = checked(f"{server.url}simple/", why="alpha").why
    assert (report.kind, report.projects, report.looked, names(report)) == ("index", 1, 2, [])
    assert chosen == (Choice(NEW, "2.0", (), chosen=True), Choice(OLD, "1.0", ()))


def test_of_a_sample_the_newest_files_are_looked_at(good: Path) -> None:
    with serve_index(good) as server:
        report = checked(f"{server.url}simple/", project=("alpha",), sample=1)
        asked = [path for path in server.received if path.endswith(".whl") and path.startswith("HEAD")]
    assert (report.files, report.looked, [path.rpartition("/")[2] for path in asked]) == (2, 1, [NEW])


def test_without_files_none_is_asked_for(good: Path) -> None:
    with serve_index(good) as server:
        report = checked(f"{server.url}simple/", files="none")
        assert (report.looked, [path for path in server.received if path.startswith("HEAD")]) == (0, [])


@pytest.mark.parametrize("level", ["hash", "deep"])
def test_what_was_read_of_a_server_is_not_read_again(good: Path, tmp_path: Path, level: str) -> None:
    def got(server_asked: list[str]) -> set[str]:
        return {path.rpartition("/")[2] for path in server_asked if path.startswith("GET") and path.endswith(".whl")}

    with serve_index(good) as server:
        first = checked(f"{server.url}simple/", files=level, cache_dir=str(tmp_path))
        before = got(server.received)
        server.received.clear()
        again = checked(f"{server.url}simple/", files=level, cache_dir=str(tmp_path))
        one_byte = got(server.received)
    assert (len(before), len(one_byte)) == (4, 1)  # the host is still asked for one byte of one file
    assert replace(first, seconds=0) == replace(again, seconds=0)


def test_what_is_remembered_of_a_file_does_not_hide_that_the_page_changed(good: Path, tmp_path: Path) -> None:
    index_copy = copy_index(good, tmp_path / "x", "html")
    with serve_index(index_copy.tree) as server:
        checked(f"{server.url}simple/", files="hash", cache_dir=str(tmp_path / "cache"))
        index_copy.anchor(NEW, r"#sha256=\w+", f"#sha256={'0' * 64}")
        report = checked(f"{server.url}simple/", files="hash", cache_dir=str(tmp_path / "cache"))
    assert "file-hash" in names(report)


def test_a_large_wheel_is_read_in_parts(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "big", "1.0", files={"big/data": random.Random(1).randbytes(3 << 20)})
    publish(tmp_path / "wheels", tmp_path / "public")
    with serve_index(tmp_path / "public") as server:
        report = checked(f"{server.url}simple/", files="deep")
        sizes: list[int] = []

        def count(path: str, reply: Reply) -> Reply:
            sizes.extend([len(reply.body)] if path.endswith(".whl") else [])
            return reply

        server.faults.append(count)
        again = checked(f"{server.url}simple/", files="deep")
    assert names(report) == names(again) == []
    assert 0 < sum(size for size in sizes if size < 3 << 20) < 200_000


def test_a_server_that_knows_no_head_is_asked_for_files_otherwise(good: Path) -> None:
    with serve_index(good) as server:
        server.faults.append(lambda _, reply: Reply(405) if server.received[-1].startswith("HEAD") else reply)
        report = checked(f"{server.url}simple/", jobs=1)
    assert (report.looked, [name for name in names(report) if name != "file-cache"]) == (5, [])


def test_a_redirect_without_an_end_is_a_finding_and_not_the_end(good: Path) -> None:
    with serve_index(good) as server:
        server.faults.append(
            lambda path, reply: Reply(302, headers={"Location": path}) if path == "/simple/alpha/" else reply
        )
        report = checked(f"{server.url}simple/")
    (found,) = [one for one in report.findings if one.rule.severity == Severity.ERROR]
    assert (found.rule.name, found.text) == ("page-missing", "redirects more than 5 times")


# --- why and closure --------------------------------------------------------------------------------------------------


def entry(filename: str, *, python: str = "", yanked: str | None = None, sha256: str = "0" * 64) -> ListedFile:
    address = f"https://example.com/{filename}"
    return ListedFile({}, "json", address, address, filename, URL, "", sha256, "", python, yanked)


def test_each_file_is_named_with_the_reasons_for_which_it_is_passed_over() -> None:
    linux = "demo-2.0-cp312-cp312-manylinux_2_17_x86_64.whl"
    entries = [
        entry("demo-1.0.tar.gz"),
        entry("demo-2.0-cp312-cp312-win_amd64.whl"),
        entry(linux),
        entry("demo-2.1-py3-none-any.whl", python=">=3.13"),
        entry("demo-2.2-py3-none-any.whl", yanked="broken"),
        entry("demo-3.0rc1-py3-none-any.whl", sha256=""),
        entry("demo-4.0-py3-none-any.whl"),
        entry("demo_2.0.whl"),
    ]
    found = why(Requirement("demo<4"), entries, target("3.12", "linux"), require_hashes=True)
    windows = "it is for cp312-cp312-win_amd64, and not for Python 3.12 on linux"
    assert found == [
        Choice("demo-4.0-py3-none-any.whl", "4.0", ("its version 4.0 is not <4",)),
        Choice("demo-3.0rc1-py3-none-any.whl", "3.0rc1", ("its page gives no sha256, which --require-hashes wants",)),
        Choice("demo-2.2-py3-none-any.whl", "2.2", ("it is yanked (broken), and not asked for with ==",)),
        Choice("demo-2.1-py3-none-any.whl", "2.1", ("it requires Python >=3.13, and this is 3.12.0",)),
        Choice(linux, "2.0", (), chosen=True),
        Choice("demo-2.0-cp312-cp312-win_amd64.whl", "2.0", (windows,)),
        Choice("demo-1.0.tar.gz", "1.0", ()),
        Choice(
            "demo_2.0.whl",
            "",
            ("the name is none that clients read (Invalid wheel filename (wrong number of parts): 'demo_2.0')",),
        ),
    ]


def test_a_yanked_file_is_taken_when_it_is_pinned_and_a_pre_release_when_there_is_nothing_else() -> None:
    entries = [entry("demo-1.0-py3-none-any.whl", yanked=""), entry("demo-2.0a1-py3-none-any.whl")]
    chosen = [
        next((one.filename for one in why(Requirement(text), entries, target("3.12", "linux")) if one.chosen), None)
        for text in ("demo==1.0", "demo", "demo<2")
    ]
    assert chosen == ["demo-1.0-py3-none-any.whl", "demo-2.0a1-py3-none-any.whl", None]


def test_a_final_release_is_taken_before_a_pre_release() -> None:
    entries = [entry("demo-1.0-py3-none-any.whl"), entry("demo-2.0a1-py3-none-any.whl")]
    reason = "it is a pre-release, and there are final releases (--pre takes it)"
    assert why(Requirement("demo"), entries, target("3.12", "linux")) == [
        Choice("demo-2.0a1-py3-none-any.whl", "2.0a1", (reason,)),
        Choice("demo-1.0-py3-none-any.whl", "1.0", (), chosen=True),
    ]


@pytest.mark.parametrize(
    ("platform", "fits"),
    [
        ("linux", ["manylinux_2_17_x86_64", "manylinux2014_x86_64", "linux_x86_64"]),
        ("manylinux_2_12_x86_64", ["manylinux2010_x86_64", "linux_x86_64"]),
        ("manylinux2014_aarch64", ["manylinux_2_17_aarch64"]),
        ("musllinux_1_2_x86_64", ["musllinux_1_1_x86_64", "linux_x86_64"]),
        ("macos", ["macosx_11_0_arm64", "macosx_10_9_universal2"]),
        ("macosx_12_0_x86_64", ["macosx_10_9_universal2", "macosx_12_0_x86_64"]),
        ("windows", ["win_amd64"]),
        ("win32", ["win32"]),
    ],
)
def test_a_platform_takes_what_installers_take_there(platform: str, fits: list[str]) -> None:
    every = ["manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux_2_17_aarch64"]
    every += ["linux_x86_64", "musllinux_1_1_x86_64", "macosx_11_0_arm64", "macosx_10_9_universal2"]
    every += ["macosx_12_0_x86_64", "win_amd64", "win32"]
    wanted = target("3.12", platform)
    found = [tag for tag in every if not wanted.unfit(f"demo-1.0-cp312-cp312-{tag}.whl")]
    assert set(fits) <= set(found)
    assert {tag[:5] for tag in found} <= {tag[:5] for tag in fits} | {"linux", "manyl"}


def test_requirements_are_looked_for_with_markers_extras_and_the_files_that_fit(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()

    def write(name: str, version: str, *requires: str, **more: Any) -> None:  # noqa: ANN401 (of write_wheel)
        write_wheel(tmp_path / "wheels", name, version, requires_dist=requires, **more)

    write("app", "1.0", "lib[fast]>=1", "old<1", "nowhere; python_version < '3.9'", "win-only; sys_platform == 'win32'")
    write("lib", "1.0", "speed; extra == 'fast'", "docs; extra == 'docs'", extras=["fast", "docs"])
    write("old", "2.0")
    write("native", "1.0", "gone")
    write("needs-native", "1.0", "native-lib")
    write("native-lib", "1.0", tag="cp312-cp312-win_amd64")
    publish(tmp_path / "wheels", tmp_path / "public")
    report = checked(tmp_path / "public", closure=True, python="3.12", platform="linux")
    native = "native_lib-1.0-cp312-cp312-win_amd64.whl and the like, which are yanked or not for Python 3.12 on linux"
    assert [(found.rule.name, found.file, found.text) for found in report.findings] == [
        ("unsatisfied", "app-1.0-py3-none-any.whl", "requires old<1, and this index has old 2.0"),
        ("unsatisfied", "lib-1.0-py3-none-any.whl", 'requires speed; extra == "fast", and this index has no speed'),
        ("unsatisfied", "native-1.0-py3-none-any.whl", "requires gone, and this index has no gone"),
        (
            "unsatisfied",
            "needs_native-1.0-py3-none-any.whl",
            f"requires native-lib, and this index has {native}",
        ),
    ]
    assert report.closure == "8 requirements of 5 files looked for, on Python 3.12 on linux"


def test_requirements_are_looked_for_beyond_the_projects_that_are_checked(good: Path) -> None:
    with serve_index(good) as server:
        report = checked(f"{server.url}simple/", project=("alpha",), closure=True)
    assert ("unsatisfied" in names(report), report.projects) == (False, 1)
