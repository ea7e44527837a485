"""Options on the command line, in the environment and in mkindex.toml."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mkindex import cli
from mkindex.config import Config
from mkindex.errors import MkindexError
from support.command_line import Run
from support.wheels import write_wheel

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory to stand in, with a wheel in ./wheels."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "demo", "1.0")
    return tmp_path


class Captured(MkindexError):
    """Stands in for a build."""


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The configurations of the builds that were asked for, which do nothing."""
    seen: list[Config] = []

    def build(config: Config, **_: object) -> None:
        seen.append(config)
        raise Captured

    monkeypatch.setattr("mkindex.build.build", build)
    return seen


OPTIONS: dict[str, Any] = {
    "recursive": True,
    "follow-symlinks": True,
    "link-mode": "hardlink",
    "files-url": "https://example.com/x",
    "files-have-metadata": True,
    "prefer": "first",
    "upload-time": "none",
    "simple-path": "a/b",
    "for": "netlify",
    "json-root": "a/c",
    "links": True,
    "templates": "wheels",
    "grace": 5,
    "overwrite": True,
    "allow-empty": True,
    "strict": True,
    "dry-run": True,
    "jobs": 3,
    "cache-dir": "cache",
    "settle": 1.5,
    "poll": True,
    "poll-interval": 5.0,
    "rescan": 60.0,
    "interval": 3600.0,
    "bind": "localhost:80",
}


def expected(**other: str) -> list[Config]:
    values = {name.replace("for", "host").replace("-", "_"): value for name, value in OPTIONS.items()} | other
    return [Config(sources=("wheels",), destination="public", **values)]


def test_every_option_can_be_given_on_the_command_line(configured: list[Config]) -> None:
    arguments = []
    for name, value in OPTIONS.items():
        arguments += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    cli.run([*arguments, "wheels", "public"])
    assert configured == expected()


def test_every_option_can_be_given_in_the_environment(
    configured: list[Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in OPTIONS.items():
        monkeypatch.setenv(f"MKINDEX_{name.upper().replace('-', '_')}", "1" if value is True else str(value))
    cli.run(["wheels", "public"])
    assert configured == expected()


def test_every_option_can_be_given_in_mkindex_toml(here: Path, configured: list[Config]) -> None:
    (here / "mkindex.toml").write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in OPTIONS.items()))
    cli.run(["wheels", "public"])
    assert configured == expected(templates="./wheels", cache_dir="./cache")


@pytest.mark.parametrize("how", ["command line", "environment", "file"])
def test_so_can_the_previous_site(
    how: str, here: Path, configured: list[Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = "https://example.com/"
    if how == "environment":
        monkeypatch.setenv("MKINDEX_PREVIOUS", site)
    if how == "file":
        (here / "mkindex.toml").write_text(f"previous = '{site}'\n")
    cli.run([*(["--previous", site] if how == "command line" else []), "wheels", "public"])
    assert [config.previous for config in configured] == [site]


def test_a_variable_that_is_empty_is_as_good_as_none_and_a_flag_may_be_false(
    configured: list[Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {*OPTIONS, "previous", "remote", "include", "exclude", "max-download", "format", "json", "no-cache"}
    for value in "", "false":
        for name in names if not value else [name for name, given in OPTIONS.items() if given is True]:
            monkeypatch.setenv(f"MKINDEX_{name.upper().replace('-', '_')}", value)
        cli.run(["--cache-dir", "x", "wheels", "public"])
    assert configured == [Config(sources=("wheels",), destination="public", cache_dir="x")] * 2


def test_several_patterns_of_the_environment_stand_with_white_space_between(
    configured: list[Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MKINDEX_INCLUDE", "torch\nnumpy-2.*\n\n")
    cli.run(["wheels", "public"])
    assert [config.include for config in configured] == [("torch", "numpy-2.*")]


def test_sources_and_destination_can_stand_in_mkindex_toml(here: Path, configured: list[Config]) -> None:
    (here / "conf").mkdir()
    (here / "conf/index.toml").write_text('sources = ["../wheels", "/x"]\ndestination = "public"\n')
    cli.run(["--config", "conf/index.toml"])
    (config,) = configured
    assert (config.sources, config.destination) == (("conf/../wheels", "/x"), "conf/public")


@pytest.mark.parametrize("arguments", [[], ["build"], ["-v"]], ids=" ".join)
def test_a_mkindex_toml_that_says_it_all_needs_no_argument(
    here: Path, configured: list[Config], arguments: list[str]
) -> None:
    (here / "mkindex.toml").write_text('sources = ["wheels"]\ndestination = "public"\n')
    cli.run(arguments)
    assert [(config.sources, config.destination) for config in configured] == [(("./wheels",), "./public")]


def test_the_command_line_counts_before_the_environment_and_that_before_the_file(
    here: Path, configured: list[Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "mkindex.toml").write_text("grace = 1\njobs = 1\nsimple-path = 'one'\n")
    monkeypatch.setenv("MKINDEX_GRACE", "2")
    monkeypatch.setenv("MKINDEX_JOBS", "2")
    cli.run(["--grace", "3", "wheels", "public"])
    assert [(config.grace, config.jobs, config.simple_path) for config in configured] == [(3, 2, "one")]


def test_a_wrong_key_of_mkindex_toml_is_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for content, named in (("colour = 1", "colour"), ("jobs = 'many'", "jobs"), ("recursive = 'x'", "recursive")):
        (here / "mkindex.toml").write_text(content)
        run = Run(capsys, "wheels", "public")
        assert (run.status, named in run.err) == (2, True), (content, run.err)


def test_what_is_printed_can_be_set_in_the_environment_and_the_file(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MKINDEX_QUIET", "1")
    assert Run(capsys, "wheels", "public").out == ""
    monkeypatch.setenv("MKINDEX_JSON", "1")
    assert Run(capsys, "wheels", "public").out[:1] == "{"
    monkeypatch.delenv("MKINDEX_QUIET")
    monkeypatch.delenv("MKINDEX_JSON")
    (here / "mkindex.toml").write_text("quiet = true\nno-cache = true\n")
    run = Run(capsys, "wheels", "public")
    assert (run.status, run.out, run.err) == (0, "", "")


@pytest.mark.parametrize(
    ("path", "meant"), [(".", ""), ("./", ""), ("a", "a"), ("a/", "a"), (".a", None), ("../a", None), ("..", None)]
)
def test_the_path_of_the_index_is_the_one_that_was_given(
    configured: list[Config], path: str, meant: str | None
) -> None:
    status = cli.run(["--simple-path", path, "wheels", "public"])
    assert ([config.simple_path for config in configured], status) == (([meant], 3) if meant is not None else ([], 2))
