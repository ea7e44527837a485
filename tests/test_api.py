"""The public Python API, as other programs use it."""

from __future__ import annotations

import doctest
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import mkindex
from mkindex.errors import ConfigError, NotPublished, SourceError
from mkindex.watch.loop import BuildEvent
from support.trees import read_tree
from support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
WHEEL = "demo-1.0-py3-none-any.whl"
SHA256 = "0123456789abcdef" * 4
HTML = f'<a href="../../files/{WHEEL}#sha256={SHA256}" data-requires-python="&gt;=3.11">{WHEEL}</a>'
JSON = json.dumps(
    {
        "meta": {"api-version": "1.0"},
        "name": "demo",
        "files": [
            {
                "filename": WHEEL,
                "url": f"../../files/{WHEEL}",
                "hashes": {"sha256": SHA256},
                "requires-python": ">=3.11",
            }
        ],
    }
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a working directory with a wheel in ./wheels."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "demo", "1.0")
    return tmp_path


@pytest.fixture(autouse=True)
def _nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    assert capfd.readouterr() == ("", "")


def in_new_process(code: str) -> str:
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return run.stdout


# --- names ----------------------------------------------------------------------------------------------------------

NAMES = [
    *("Config", "Finding", "MkindexError", "Note", "Rejected", "Report", "__version__"),
    *("add_to_index", "build_index", "check_index", "parse_page", "remove_from_index", "watch_index"),
]


def test_the_public_names_are_exactly_these() -> None:
    assert (sorted(mkindex.__all__), dir(mkindex)) == (NAMES, NAMES)
    assert [name for name in NAMES if not hasattr(mkindex, name)] == []
    with pytest.raises(AttributeError, match="module 'mkindex' has no attribute 'build_indexes'"):
        mkindex.build_indexes  # type: ignore[attr-defined]  # noqa: B018


def test_importing_mkindex_imports_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import mkindex; print(*sorted(set(sys.modules) - before))"
    assert in_new_process(code) == "mkindex\n"


def test_printing_the_version_imports_no_module_of_a_command() -> None:
    code = "import sys; from mkindex import cli; cli.run(['--version']); print(*sorted(sys.modules), sep='\\n')"
    modules = {name for name in in_new_process(code).splitlines() if name.partition(".")[0] == "mkindex"}
    assert modules == {"mkindex", "mkindex.cli", "mkindex.cli.terminal", "mkindex.errors", "mkindex.text"}


@pytest.mark.slow
def test_the_public_names_type_check(here: Path) -> None:
    (here / "use.py").write_text(
        "from pathlib import Path\n"
        "from mkindex import Config, Finding, MkindexError, Note, Rejected, Report, __version__\n"
        "from mkindex import build_index, check_index, parse_page, watch_index\n"
        "report: Report = build_index([Path('wheels')], 'public', strict=True)\n"
        "rejected: tuple[Rejected, ...] = report.rejected\n"
        "notes: tuple[Note, ...] = report.notes\n"
        "findings: tuple[Finding, ...] = check_index(Path('public')).findings\n"
        "fixes: list[str] = [finding.fix for finding in findings]\n"
        "urls: list[str] = [link.url for link in parse_page('', url='https://host/').links]\n"
        "with watch_index('wheels', Path('public')) as events:\n"
        "    for event in events:\n"
        "        assert not isinstance(event, MkindexError)\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", str(here / "c"), "use.py"]
    environment = os.environ | {"MYPYPATH": str(ROOT / "gen")}
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200, env=environment)
    assert (run.stdout, run.stderr, run.returncode) == ("", "", 0)


# --- an index that grows ------------------------------------------------------------------------------------------


def test_an_index_grows_and_keeps_the_options_that_it_was_made_with(here: Path) -> None:
    mkindex.build_index("wheels", "public", links=True)
    (here / "dist").mkdir()
    write_wheel(here / "dist", "demo", "2.0")
    assert mkindex.add_to_index([here / "dist"], Path("public")).added == ("demo-2.0-py3-none-any.whl",)
    assert mkindex.add_to_index("dist", "public", consume=True, links=False).consumed == (
        str(here / "dist/demo-2.0-py3-none-any.whl"),
    )
    assert not (here / "public/links.html").exists()
    write_wheel(here / "dist", "demo", "2.0", summary="other contents")
    rejected = mkindex.add_to_index("dist", "public").rejected
    assert [one.location for one in rejected] == [str(here / "dist/demo-2.0-py3-none-any.whl")]
    assert mkindex.add_to_index("dist", "public", replace=True).rejected == ()
    assert mkindex.remove_from_index("public", "demo<2", grace=0).removed_files == (WHEEL,)
    assert [file.filename for file in mkindex.remove_from_index(Path("public"), ["demo-2.0-*.whl"]).files] == []


def test_a_request_that_matches_nothing_and_an_option_without_effect_are_errors() -> None:
    mkindex.build_index("wheels", "public")
    with pytest.raises(NotPublished, match="public has no project 'other'"):
        mkindex.remove_from_index("public", ["demo", "other"])
    with pytest.raises(ConfigError, match="remove_from_index has no option recursive"):
        mkindex.remove_from_index("public", "demo", recursive=True)
    with pytest.raises(ConfigError, match="add_to_index has no option prune"):
        mkindex.add_to_index("wheels", "public", prune=True)
    with pytest.raises(ConfigError, match="first requires previous"):
        mkindex.add_to_index("wheels", "public", first=True)
    assert (Path("public/simple/demo")).is_dir()


# --- build_index ----------------------------------------------------------------------------------------------------


def test_a_build_returns_a_report(here: Path) -> None:
    (here / "wheels/bad.egg").write_bytes(b"x")
    (here / "wheels/README").write_bytes(b"x")
    report = mkindex.build_index([here / "wheels"], here / "public")
    (wheel, metadata) = sorted(path.name for path in (here / "public/files").rglob("*.*") if path.is_file())
    assert [file.filename for file in report.files] == [wheel] == [WHEEL]
    assert metadata == f"{WHEEL}.metadata"
    assert [finding.location for finding in report.rejected] == [f"{here}/wheels/bad.egg"]
    assert [finding.location for finding in report.notes] == [f"{here}/wheels/README"]
    assert (report.written, report.removed) == (9, 0)
    os.unlink("wheels/bad.egg")
    os.rename(f"wheels/{WHEEL}", "demo")
    write_wheel(here / "wheels", "other", "1.0")
    second = mkindex.build_index("wheels", "public", grace=0)
    assert ([file.project for file in second.files], second.removed) == (["other"], 4)


@pytest.mark.parametrize("sources", ["wheels", Path("wheels"), ["wheels"], (Path("wheels"),)], ids=repr)
def test_sources_are_one_path_or_several(here: Path, sources: str | Path | list[str | Path]) -> None:
    mkindex.build_index(sources, Path("public"), include=["demo"])
    assert mkindex.build_index("wheels", "other").written == 9
    assert read_tree(here / "public") == read_tree(here / "other")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"files_have_metadata": True}, "files_have_metadata requires files_url"),
        ({"jobs": 0}, "jobs must be at least 1, not 0"),
        ({"watch": True}, "build_index builds once: watch with watch_index, and serve with `mkindex serve`"),
    ],
)
def test_an_invalid_option_is_a_config_error_that_names_the_keyword(options: dict[str, object], error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        mkindex.build_index("wheels", "public", **options)
    assert str(caught.value) == error


def test_an_unknown_option_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="Config has no option colour"):
        mkindex.build_index("wheels", "public", colour="red")


def test_a_build_that_fails_raises_an_mkindex_error_and_writes_nothing(here: Path) -> None:
    (here / "wheels/bad.egg").write_bytes(b"x")
    with pytest.raises(NotPublished) as caught:
        mkindex.build_index("wheels", "public", strict=True)
    assert [finding.location for finding in caught.value.findings] == [f"{here}/wheels/bad.egg"]
    with pytest.raises(mkindex.MkindexError):
        mkindex.build_index("gone", "public")
    assert sorted(os.listdir(here)) == ["wheels"]


# --- check_index and parse_page -------------------------------------------------------------------------------------


def test_a_check_returns_findings_with_rule_page_and_fix(here: Path) -> None:
    mkindex.build_index("wheels", "public")
    assert mkindex.check_index(here / "public").findings == ()
    (wheel,) = (here / "public/files").rglob(WHEEL)
    wheel.unlink()
    (finding,) = mkindex.check_index(Path("public"), select=["file-missing"]).findings
    assert (str(finding.rule), finding.page, finding.file, bool(finding.fix)) == (
        "file-missing",
        "simple/demo/index.v1_json",
        WHEEL,
        True,
    )


def test_a_check_of_nothing_is_a_source_error() -> None:
    with pytest.raises(SourceError):
        mkindex.check_index("gone")


@pytest.mark.parametrize(
    ("text", "media_type"),
    [
        (HTML, None),
        (JSON, None),
        (f"\n {JSON}", None),
        (HTML, "text/html; charset=utf-8"),
        (JSON, "application/vnd.pypi.simple.v1+json"),
    ],
)
def test_a_page_is_read_in_both_forms(text: str, media_type: str | None) -> None:
    page = mkindex.parse_page(text, url="https://host/simple/demo/", media_type=media_type)
    assert [(link.filename, link.url, link.sha256, link.requires_python) for link in page.links] == [
        (WHEEL, f"https://host/files/{WHEEL}", SHA256, ">=3.11")
    ]


@pytest.mark.parametrize(("text", "media_type"), [("{", None), ("<a href='x", None), (HTML, "application/json")])
def test_a_malformed_page_is_a_source_error_without_the_password(text: str, media_type: str | None) -> None:
    with pytest.raises(SourceError) as caught:
        mkindex.parse_page(text, url="https://user:s3cret@host/", media_type=media_type)
    assert str(caught.value).startswith("https://host/ ")


# --- watch_index ----------------------------------------------------------------------------------------------------


def next_build(events: Iterator[object]) -> BuildEvent:
    return next(event for event in events if isinstance(event, BuildEvent))


def watching_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "mkindex-watch"]


def test_a_watch_yields_an_event_for_each_build_and_ends_with_its_block(here: Path) -> None:
    with mkindex.watch_index([here / "wheels"], here / "public", settle=0.05) as events:
        first = next_build(events)
        assert watching_threads() == ["mkindex-watch"]
        whole = write_wheel(here, "demo", "2.0")
        whole.rename(here / "wheels" / whole.name)  # a watch could see a wheel that is being written
        second = next_build(events)
    assert (first.added, second.added) == ((WHEEL,), ("demo-2.0-py3-none-any.whl",))
    assert [file.filename for file in second.report.files] == [WHEEL, "demo-2.0-py3-none-any.whl"]
    # On a busy machine a late sign of the change may have led to one more build.
    changes = [event.added + event.replaced + event.removed for event in events if isinstance(event, BuildEvent)]
    assert (watching_threads(), any(changes)) == ([], False)
    write_wheel(here / "wheels", "demo", "3.0")
    assert not list((here / "public/files").rglob("demo-3.0*"))


def test_a_watch_yields_the_error_of_a_later_build(here: Path) -> None:
    with mkindex.watch_index("wheels", "public", settle=0.05) as events:
        next_build(events)
        (here / "wheels" / WHEEL).unlink()
        error = next(event for event in events if isinstance(event, mkindex.MkindexError))
    assert isinstance(error, mkindex.MkindexError)


def test_a_watch_stops_after_an_exception_in_its_block() -> None:
    with pytest.raises(ZeroDivisionError), mkindex.watch_index("wheels", "public", settle=0.05) as events:
        _ = next_build(events).report.written // 0
    assert watching_threads() == []


def test_a_watch_may_end_before_its_first_build() -> None:
    with mkindex.watch_index("wheels", "public", settle=0.05):
        pass
    assert watching_threads() == []


def test_a_watch_that_cannot_begin_raises_its_error_once() -> None:
    with pytest.raises(SourceError) as iterated, mkindex.watch_index("gone", "public") as events:
        next(events)
    with pytest.raises(SourceError) as ended, mkindex.watch_index("gone", "public"):
        pass
    assert str(iterated.value) == str(ended.value) == f"source {os.getcwd()}/gone does not exist. Check the path"
    with pytest.raises(ConfigError, match="watch_index does not serve"), mkindex.watch_index("x", "y", serve=True):
        pass


# --- the documentation ----------------------------------------------------------------------------------------------


def test_the_examples_in_the_documentation_work(here: Path) -> None:
    write_wheel(here / "wheels", "demo", "1.1")
    result = doctest.testfile(
        str(ROOT / "docs/api.md"), module_relative=False, optionflags=doctest.ELLIPSIS, raise_on_error=True
    )
    assert result.attempted > 10
