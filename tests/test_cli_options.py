"""Options on the command line, in the environment, in mkindex.toml, docs/options.md and action.yml; completion."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from mkindex import cli
from mkindex.config import Config
from mkindex.config.growth_options import ADD_OPTIONS
from mkindex.config.table import OPTIONS as OPTIONS_TABLE
from mkindex.errors import MkindexError
from mkindex.text import printable
from support.command_line import Run
from support.man_pages import man_pages
from support.options_page import ROOT, with_options_table
from support.requirements import skip_or_fail
from support.trees import read_tree
from support.wheels import write_wheel

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a working directory with a wheel in ./wheels."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "demo", "1.0")
    return tmp_path


class Captured(MkindexError):
    """Ends a build before it begins."""


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """Return the list of configurations of the builds, which do nothing."""
    seen: list[Config] = []

    def build(config: Config, **_: object) -> None:
        seen.append(config)
        raise Captured

    monkeypatch.setattr("mkindex.build.pipeline.build", build)
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
    "prune": True,
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
    "url": "https://me.example.org/wheels/",
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
def test_the_previous_site_can_be_given_in_each_way(
    how: str, here: Path, configured: list[Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = "https://example.com/"
    if how == "environment":
        monkeypatch.setenv("MKINDEX_PREVIOUS", site)
    if how == "file":
        (here / "mkindex.toml").write_text(f"previous = '{site}'\n")
    cli.run([*(["--previous", site] if how == "command line" else []), "wheels", "public"])
    assert [config.previous for config in configured] == [site]


def test_an_empty_variable_is_ignored_and_a_flag_may_be_false(
    configured: list[Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {*OPTIONS, "previous", "remote", "include", "exclude", "max-download", "format", "json", "no-cache"}
    for value in "", "false":
        for name in names if not value else [name for name, given in OPTIONS.items() if given is True]:
            monkeypatch.setenv(f"MKINDEX_{name.upper().replace('-', '_')}", value)
        cli.run(["--cache-dir", "x", "wheels", "public"])
    assert configured == [Config(sources=("wheels",), destination="public", cache_dir="x")] * 2


def test_patterns_in_the_environment_are_separated_by_white_space(
    configured: list[Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MKINDEX_INCLUDE", "torch\nnumpy-2.*\n\n")
    cli.run(["wheels", "public"])
    assert [config.include for config in configured] == [("torch", "numpy-2.*")]


def test_mkindex_toml_can_set_sources_and_destination(here: Path, configured: list[Config]) -> None:
    (here / "conf").mkdir()
    (here / "conf/index.toml").write_text('sources = ["../wheels", "/x"]\ndestination = "public"\n')
    cli.run(["--config", "conf/index.toml"])
    (config,) = configured
    assert (config.sources, config.destination) == (("conf/../wheels", "/x"), "conf/public")


@pytest.mark.parametrize("arguments", [[], ["build"], ["-v"]], ids=" ".join)
def test_with_sources_and_destination_in_mkindex_toml_no_argument_is_needed(
    here: Path, configured: list[Config], arguments: list[str]
) -> None:
    (here / "mkindex.toml").write_text('sources = ["wheels"]\ndestination = "public"\n')
    cli.run(arguments)
    assert [(config.sources, config.destination) for config in configured] == [(("./wheels",), "./public")]


def test_the_command_line_overrides_the_environment_and_that_overrides_the_file(
    here: Path, configured: list[Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "mkindex.toml").write_text("grace = 1\njobs = 1\nsimple-path = 'one'\n")
    monkeypatch.setenv("MKINDEX_GRACE", "2")
    monkeypatch.setenv("MKINDEX_JOBS", "2")
    cli.run(["--grace", "3", "wheels", "public"])
    assert [(config.grace, config.jobs, config.simple_path) for config in configured] == [(3, 2, "one")]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("colour = 1", "mkindex.toml: unknown key colour"),
        ("jobs = 'many'", "mkindex.toml: jobs: 'many' is not a valid integer range."),
        ("jobs = 0", "mkindex.toml: jobs: 0 is not in the range x>=1."),
        ("recursive = 'x'", "mkindex.toml: recursive must be true or false"),
        ("files-have-metadata = true", "mkindex.toml: files-have-metadata requires files-url"),
        (
            "for = 'nginx'\njson-root = 'json'",
            (
                "mkindex.toml: json-root is useless with for nginx: it sends clients JSON or "
                "HTML, as they prefer, from one root"
            ),
        ),
        (
            "url = 'packages'",
            (
                "mkindex.toml: url must be an http or https URL, such as https://packages.example.com/pypi/, "
                "with a path of letters, digits and - _ . ~, not 'packages'"
            ),
        ),
    ],
    ids=str,
)
def test_an_error_in_mkindex_toml_names_the_file_and_the_key(
    here: Path, capsys: pytest.CaptureFixture[str], content: str, error: str
) -> None:
    (here / "mkindex.toml").write_text(content)
    run = Run(capsys, "wheels", "public")
    assert (run.status, run.err.splitlines()[-1]) == (2, f"error {error}")


def test_an_error_names_each_option_as_it_was_given(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "conf").mkdir()
    (here / "conf/index.toml").write_text("watch = true\nsources = ['../wheels']\ndestination = '../public'\n")
    file = ("--config", "conf/index.toml")
    errors = [Run(capsys, *file, "--dry-run").err]
    monkeypatch.setenv("MKINDEX_DRY_RUN", "1")
    errors.append(Run(capsys, *file).err)
    monkeypatch.setenv("MKINDEX_JOBS", "none")
    errors.append(Run(capsys, *file).err)
    rest = "exclude each other: a dry run looks only once"
    assert [error.splitlines()[-1] for error in errors] == [
        f"error watch (in conf/index.toml) and --dry-run {rest}",
        f"error watch (in conf/index.toml) and MKINDEX_DRY_RUN {rest}",
        "error MKINDEX_JOBS: 'none' is not a valid integer range.",
    ]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("--link_mode", "--link-mode"),
        ("--LinkMode", "--link-mode"),
        ("--exlude", "--exclude"),
        ("--previous-url", "--previous"),
        ("--metadata", "--files-have-metadata"),
        ("--watch-interval", "--interval"),
        ("--config-file", "--config"),
        ("--host", "--for"),
        ("--mirror", "--remote mirror"),
        ("--hard-link", "--link-mode hardlink"),
        ("--github-page", "--for github-pages"),
        ("--hash", ""),
        ("--output", ""),
        ("--\x1b", ""),
    ],
)
def test_an_unknown_option_is_compared_with_options_and_their_choices(
    capsys: pytest.CaptureFixture[str], given: str, meant: str
) -> None:
    suggestion = f" (did you mean {meant}?)" if meant else ""
    error = f"error unknown option {printable(given)}{suggestion}"
    run = Run(capsys, given, "wheels", "public")
    assert (run.status, run.err.splitlines()[-1]) == (2, error)


def test_a_command_suggests_its_own_options_only(capsys: pytest.CaptureFixture[str]) -> None:
    errors = [Run(capsys, "check", option, "public").err.splitlines()[-1] for option in ("--closures", "--link-mode")]
    assert errors == [
        "error unknown option --closures (did you mean --closure?)",
        "error unknown option --link-mode",
    ]


def test_the_environment_and_the_file_can_set_report_options(
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
def test_the_path_of_the_index_may_end_with_a_slash(configured: list[Config], path: str, meant: str | None) -> None:
    status = cli.run(["--simple-path", path, "wheels", "public"])
    assert ([config.simple_path for config in configured], status) == (([meant], 3) if meant is not None else ([], 2))


# --- the public address ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["https://me.example.org/wheels/", "https://me.example.org/wheels"])
@pytest.mark.parametrize("host", [[], ["--for", "netlify"]], ids=["no host", "netlify"])
def test_the_public_address_is_in_the_printed_commands_and_on_no_page(
    here: Path, capsys: pytest.CaptureFixture[str], url: str, host: list[str]
) -> None:
    plain = Run(capsys, *host, "wheels", "plain")
    run = Run(capsys, *host, "--url", url, "wheels", "public")
    index = "https://me.example.org/wheels/simple/"
    assert (plain.status, run.status, run.out.splitlines()[-2:]) == (
        0,
        0,
        [
            f"Install from:  pip install --index-url {index} demo",
            f"               uv pip install --default-index {index} demo",
        ],
    )
    assert read_tree(here / "public") == read_tree(here / "plain")


@pytest.mark.parametrize("command", [["wheels", "public"], ["host", "nginx"]], ids=["build", "host"])
@pytest.mark.parametrize("url", ["ftp://host/", "https://user:s3cret@host/", "https://host/?token=s3cret"])
def test_each_command_checks_the_public_address_alike_and_repeats_no_secret(
    capsys: pytest.CaptureFixture[str], command: list[str], url: str
) -> None:
    run = Run(capsys, *command, "--url", url)
    assert (run.status, run.out) == (2, "")
    assert run.err.splitlines()[-1].startswith("error --url must ")
    assert "s3cret" not in run.err


# --- the table of options in other places ---------------------------------------------------------------------------


def test_the_page_of_options_has_the_table() -> None:
    page = (ROOT / "docs/options.md").read_text("utf-8")
    assert with_options_table(page) == page, "run: make readme"


def test_the_manual_pages_are_those_of_the_commands() -> None:
    found = {path.name: path.read_text("utf-8") for path in (ROOT / "man").iterdir()}
    assert found == man_pages(), "run: make readme"


@pytest.mark.parametrize("command", [["mandoc", "-T", "lint", "-W", "warning"], ["groff", "-ww", "-man", "-z"]])
def test_a_program_that_shows_manual_pages_has_no_warning(command: list[str]) -> None:
    if not shutil.which(command[0]):
        skip_or_fail(command[0])
    pages = sorted(str(path) for path in (ROOT / "man").iterdir())
    done = subprocess.run([*command, *pages], capture_output=True, text=True, timeout=60, check=False)
    # A page is the same on each day, so it has no date.
    assert [line for line in (done.stdout + done.stderr).splitlines() if "missing date" not in line] == []


def test_the_action_has_inputs_only_for_options_and_hands_each_on() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    options = {one.key: one for one in (*OPTIONS_TABLE, *ADD_OPTIONS)}
    inputs = {name: value for name, value in action["inputs"].items() if name not in ("check", "python")}
    assert set(inputs) - set(options) == {"sources", "destination", "add"}
    (build,) = (step for step in action["runs"]["steps"] if step["id"] == "build")
    handed_on = {name: value for name, value in build["env"].items() if name.startswith("MKINDEX_")}
    expected = {one.variable: f"${{{{ inputs.{key} }}}}" for key, one in options.items() if key in inputs}
    assert handed_on == expected
    # An empty input leaves the default to mkindex. Only these have others, as an action makes a site for GitHub.
    assert {name: value["default"] for name, value in inputs.items() if value["default"]} == {
        "sources": "dist",
        "destination": "public",
        "for": "github-pages",
        "site": "true",
    }


def test_the_descriptions_of_the_action_fit_the_options() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    for one in (*OPTIONS_TABLE, *ADD_OPTIONS):
        description = action["inputs"].get(one.key, {}).get("description")
        if description is None:
            continue
        value, colon, _ = description.partition(": ")
        if one.kind is bool:
            assert (value, colon) == ("true", ": "), one.key
        elif colon and " " not in value:
            assert value in one.choices, one.key


# --- shell completion -----------------------------------------------------------------------------------------------


def completions(words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return what a shell is offered for the last of the words."""
    monkeypatch.setenv("_MKINDEX_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    with pytest.raises(SystemExit):
        cli.run([])
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("mkindex --rec", ["plain,--recursive"]),
        ("mkindex --rem", ["plain,--remote"]),
        ("mkindex ch", ["plain,check", "file,ch"]),
        ("mkindex se", ["plain,serve", "file,se"]),
        ("mkindex ./wh", ["file,./wh"]),
        ("mkindex ./wheels ./pu", ["file,./pu"]),
        ("mkindex ./wheels ./public --rec", ["plain,--recursive"]),
        ("mkindex --remote m", ["plain,mirror"]),
        ("mkindex build --rec", ["plain,--recursive"]),
        ("mkindex check --expl", ["plain,--explain"]),
        ("mkindex host ng", ["plain,nginx"]),
    ],
)
def test_a_shell_completes_commands_options_and_values(
    words: str, expected: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert completions(words, monkeypatch, capsys) == expected


def test_a_mkindex_toml_does_not_change_what_a_shell_completes(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "mkindex.toml").write_text('sources = ["wheels"]\ndestination = "public"\n')
    assert completions("mkindex ch", monkeypatch, capsys) == ["plain,check", "file,ch"]


@pytest.mark.parametrize(("shell", "option"), [("bash", "-c"), ("zsh", "-c"), ("fish", "-c")])
def test_a_shell_reads_the_script_for_its_completion(
    here: Path, capsys: pytest.CaptureFixture[str], shell: str, option: str
) -> None:
    run = Run(capsys, "completion", shell)
    assert (run.status, "_MKINDEX_COMPLETE" in run.out) == (0, True)
    if not shutil.which(shell):
        skip_or_fail(f"{shell}: apt install {shell}")
    (here / "script").write_text(run.out)
    load = "autoload -U compinit && compinit -u -D; " if shell == "zsh" else ""
    subprocess.run([shell, option, f"{load}source ./script"], cwd=here, check=True)


# --- what people type -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7200), ("1d", 86_400), ("1.5 h", 5400), ("2W", 1_209_600)],
)
def test_a_time_may_have_a_unit(here: Path, configured: list[Config], given: str, seconds: int) -> None:
    cli.run(["wheels", "public", "--grace", given])
    (here / "mkindex.toml").write_text(f"grace = '{given}'\n")
    cli.run(["wheels", "public"])
    assert [config.grace for config in configured] == [seconds, seconds]


@pytest.mark.parametrize(
    ("option", "value", "error"),
    [
        ("--grace", "1y", "'1y' is not a time. Give seconds, or a number with a unit: 30s, 15m, 2h, 7d"),
        ("--grace", "", "'' is not a time. Give seconds, or a number with a unit: 30s, 15m, 2h, 7d"),
        ("--grace", "-1", "-1 is not in the range x>=0."),
        ("--settle", "2d", "172800.0 is not in the range 0<=x<=86400."),
        ("--settle", "nan", "nan"),
    ],
)
def test_a_time_that_is_none_or_out_of_bounds_is_an_error(
    here: Path, capsys: pytest.CaptureFixture[str], option: str, value: str, error: str
) -> None:
    run = Run(capsys, "wheels", "public", option, value)
    assert (run.status, error in run.err.splitlines()[-1]) == (2, True), run.err


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("localhost:9001/x.html", "http://localhost:9001/x.html"),
        ("127.0.0.1:80", "http://127.0.0.1:80"),
        ("[::1]:8000/simple/", "http://[::1]:8000/simple/"),
        ("packages.example.com:8443/simple/", "https://packages.example.com:8443/simple/"),
        ("wheels:80", "wheels:80"),
        ("C:/wheels", "C:/wheels"),
        ("there.d:80", "there.d:80"),
    ],
)
def test_a_host_with_a_port_is_an_address_unless_it_is_a_path(
    here: Path, configured: list[Config], given: str, taken: str
) -> None:
    (here / "there.d:80").mkdir()
    cli.run([given, "public"])
    assert [config.sources for config in configured] == [(taken,)]


def test_force_color_colors_what_no_terminal_shows(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in Run(capsys, "missing", "public").err
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in Run(capsys, "missing", "public").err
