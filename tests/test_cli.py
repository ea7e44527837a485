"""The command line: what it takes, what it prints where, and its exit status."""

from __future__ import annotations

import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
import zlib
from typing import TYPE_CHECKING, Any
from urllib.request import ProxyHandler, build_opener

import pytest

import mkindex
from mkindex import cli
from mkindex.config import Config
from mkindex.errors import MkindexError
from support.wheels import metadata, wheel, write_sdist, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

WHEEL = "demo-1.0-py3-none-any.whl"
SOON = "Requires-Python 'soon' is not valid and is left out: uv would not see the file"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory to stand in, with a wheel in ./wheels."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "demo", "1.0")
    return tmp_path


class Run:
    """What a run of the command came to."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        capsys.readouterr()
        self.status = cli.run([*arguments])
        self.out, self.err = capsys.readouterr()


def snapshot(root: Path) -> dict[str, tuple[object, ...]]:
    """Every path below `root`, with the inode, the mtime and the bytes of a file."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        file = (status.st_ino, status.st_mtime_ns, path.read_bytes()) if path.is_file() else ()
        found[str(path.relative_to(root))] = status.st_mode, *file
    return found


def directory_times(root: Path) -> dict[str, int]:
    """When something was last made or removed in each directory."""
    return {directory: os.stat(directory).st_mtime_ns for directory, _, _ in os.walk(root)}


# --- exit status ----------------------------------------------------------------------------------------------------


def test_done_is_0_and_says_what_was_done_and_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(capsys, "./wheels", "./public")
    size = os.path.getsize(f"wheels/{WHEEL}")
    assert (run.status, re.sub(r"in \d+\.\d\d s", "in 0.00 s", run.out), run.err) == (
        0,
        f"""\
./public: 1 project, 1 file, {size} bytes (9 written, 0 unchanged, 0 removed) in 0.00 s

Serve it:      python3 -m http.server --directory ./public
Install from:  pip install --index-url http://localhost:8000/simple/ demo
               uv pip install --default-index http://localhost:8000/simple/ demo
""",
        "",
    )


def test_done_with_a_rejected_file_is_1(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "wheels/bad.egg").write_bytes(b"x")
    run = Run(capsys, "wheels", "public")
    assert (run.status, run.err) == (
        1,
        f"rejected {here}/wheels/bad.egg: eggs are no longer installable: build a wheel\n",
    )
    assert run.out.splitlines()[1] == "1 file rejected, see above"


def test_warnings_do_not_change_the_status(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_wheel(here / "wheels", "demo", "2.0", requires_python="soon")
    run = Run(capsys, "--strict", "wheels", "public")
    assert (run.status, run.err) == (
        0,
        f"note {here}/wheels/demo-2.0-py3-none-any.whl: {SOON}\n",
    )


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["wheels"],
        ["--nope", "wheels", "public"],
        ["--link-mode", "symlink", "wheels", "public"],
        ["--jobs", "0", "wheels", "public"],
        ["--grace", "-1", "wheels", "public"],
        ["--grace", "soon", "wheels", "public"],
        ["--simple-path", "../x", "wheels", "public"],
        ["--files-url", "x", "wheels", "public"],
        ["--files-url", "https://[", "wheels", "public"],
        ["--files-have-metadata", "wheels", "public"],
        ["--templates", "gone", "wheels", "public"],
        ["--config", "gone", "wheels", "public"],
        ["wheels", "https://example.com/"],
        ["wheels", ""],
        ["", "public"],
        ["check"],
        ["serve"],
        ["serve", "--bind", "8000", "wheels"],
        ["--serve", "wheels", "public"],
        ["--watch", "--dry-run", "wheels", "public"],
        ["--settle", "-1", "wheels", "public"],
        ["--poll-interval", "0", "wheels", "public"],
        ["--rescan", "nan", "wheels", "public"],
        ["--bind", "localhost", "wheels", "public"],
        ["client"],
        ["client", "--for", "npm", "x"],
        ["client", "--name", "pypi", "public"],
        ["host"],
        ["host", "x"],
        ["host", "nginx", "--users", "/etc/x"],
        ["build"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_asked_for_is_2_and_writes_nothing(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    run = Run(capsys, *arguments)
    assert (run.status, run.out, sorted(os.listdir(here))) == (2, "", ["wheels"])
    assert run.err


SUBDIRECTORIES = "subdirectories not read: wheels (--recursive reads them)"
NOTHING = "no wheel or sdist in"
RECURSIVE = "; --recursive also looks into subdirectories"
EMPTY = ". An empty index is made with --allow-empty"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["gone", "public"], "source {here}/gone does not exist"),
        (
            [f"wheels/{WHEEL}", "public"],
            f"source {{here}}/wheels/{WHEEL} is a file: name the directory it lies in",
        ),
        (
            ["htps:/x", "public"],
            (
                "htps:/x is of a kind that is not known: name a directory, a page or a list, here or at https://… "
                "(a directory of that name is ./htps:/x)"
            ),
        ),
        (
            ["empty", "public"],
            f"nothing to publish: {NOTHING} empty{RECURSIVE}{EMPTY}",
        ),
        (
            ["--recursive", "empty", "public"],
            f"nothing to publish: {NOTHING} empty{EMPTY}",
        ),
        (
            ["bad", "public"],
            f"nothing to publish: all 1 were rejected{RECURSIVE}{EMPTY}",
        ),
        (["--strict", "wheels", "bad", "public"], "1 rejected, and --strict publishes nothing then"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_3_and_writes_nothing(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], error: str
) -> None:
    (here / "empty").mkdir()
    (here / "bad").mkdir()
    (here / "bad/x.egg").write_bytes(b"x")
    before = snapshot(here)
    run = Run(capsys, *arguments)
    assert (run.status, run.out, run.err.splitlines()[-1]) == (3, "", "error " + error.format(here=here))
    assert snapshot(here) == before


def test_nothing_found_names_what_lies_in_subdirectories(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(capsys, ".", "public")
    assert (run.status, run.err) == (
        3,
        f"note {here}: {SUBDIRECTORIES}\nerror nothing to publish: {NOTHING} .{RECURSIVE}{EMPTY}\n",
    )


def test_an_index_stays_as_it_was_when_there_is_nothing_to_publish(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Run(capsys, "wheels", "public")
    (here / f"wheels/{WHEEL}").rename(here / "wheels/.hidden")
    before = snapshot(here / "public")
    assert Run(capsys, "wheels", "public").status == 3
    assert snapshot(here / "public") == before
    assert Run(capsys, "--allow-empty", "wheels", "public").status == 0


# --- usage ----------------------------------------------------------------------------------------------------------


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    run = Run(capsys, "--version")
    assert (run.status, run.out, run.err) == (0, f"mkindex {mkindex.__version__}\n", "")


@pytest.mark.parametrize("argument", ["--help", "-h"])
def test_help_tells_of_every_option(capsys: pytest.CaptureFixture[str], argument: str) -> None:
    run = Run(capsys, argument)
    told = {word for line in run.out.splitlines() for word in re.findall(r"^  (?:-\w, )?(--[a-z-]+)", line)}
    options = [parameter for parameter in cli.cli.commands["build"].params if parameter.param_type_name == "option"]
    assert (run.status, run.err) == (0, "")
    assert told == {"--help", "--version"} | {max(option.opts, key=len) for option in options}
    assert [option.name for option in options if not getattr(option, "help", None)] == []


def test_build_is_the_command_that_is_meant(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [Run(capsys, *arguments) for arguments in (["wheels", "a"], ["build", "wheels", "b"], ["-q", "wheels", "c"])]
    assert [run.status for run in runs] == [0, 0, 0]
    assert sorted(os.listdir(here)) == ["a", "b", "c", "wheels"]


def test_a_directory_that_is_called_like_a_command_is_named_with_a_dot(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "wheels").rename(here / "build")
    run = Run(capsys, "build", "./public")
    assert run.status == 2
    assert "a directory whose name is that of a command is ./build" in run.err
    assert Run(capsys, "./build", "public").status == 0


# --- options --------------------------------------------------------------------------------------------------------


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


# --- output ---------------------------------------------------------------------------------------------------------


def test_json_is_the_whole_report(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "wheels/bad.egg").write_bytes(b"x")
    (here / "wheels/README").write_bytes(b"x")
    run = Run(capsys, "--json", "wheels", "public")
    report = json.loads(run.out)
    assert isinstance(report.pop("seconds"), float)
    content = (here / f"wheels/{WHEEL}").read_bytes()
    reason = "eggs are no longer installable: build a wheel"
    (placed,) = (here / "public/files").rglob(WHEEL)
    place = str(placed.relative_to(here / "public"))
    assert (run.status, report) == (
        1,
        {
            "version": 1,
            "dry-run": False,
            "projects": 1,
            "files": 1,
            "bytes": len(content),
            "written": 9,
            "unchanged": 0,
            "removed": 0,
            "retired": 0,
            "rejected": [{"location": f"{here}/wheels/bad.egg", "reason": reason}],
            "notes": [{"location": f"{here}/wheels/README", "text": "not a wheel or sdist: passed over"}],
            "write": [
                *(place, f"{place}.metadata", "simple/demo/index.html", "simple/demo/index.v1_json"),
                *(".nojekyll", "404.html", "index.html", "simple/index.html", "simple/index.v1_json"),
            ],
            "remove": [],
        },
    )
    assert run.err == f"rejected {here}/wheels/bad.egg: {reason}\n"


def test_dry_run_says_what_would_be_done_and_writes_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = snapshot(here), directory_times(here)
    first = Run(capsys, "--dry-run", "wheels", "public")
    assert (snapshot(here), directory_times(here)) == before
    Run(capsys, "--grace", "0", "wheels", "public")
    (here / f"wheels/{WHEEL}").unlink()
    write_sdist(here / "wheels", "other", "1.0")
    before = snapshot(here), directory_times(here)
    second = Run(capsys, "--dry-run", "--grace", "0", "wheels", "public")
    assert (snapshot(here), directory_times(here)) == before
    done = Run(capsys, "-v", "--grace", "0", "wheels", "public")

    def steps(run: Run) -> list[str]:
        return re.findall(r"^(?:write|update|remove) .*", run.out, re.MULTILINE)

    assert (first.status, len(steps(first)), second.status) == (0, 9, 0)
    assert steps(second) == steps(done)
    assert "(9 to write, 0 unchanged, 0 to remove)" in first.out


def test_quiet_prints_problems_only_and_verbose_what_was_passed_over(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "wheels/bad.egg").write_bytes(b"x")
    (here / "wheels/README").write_bytes(b"x")
    (here / "wheels/sub").mkdir()
    bad = f"rejected {here}/wheels/bad.egg: eggs are no longer installable: build a wheel\n"
    sub = f"note {here}/wheels: subdirectories not read: sub (--recursive reads them)\n"
    readme = f"note {here}/wheels/README: not a wheel or sdist: passed over\n"
    runs = {option: Run(capsys, option, "wheels", "public") for option in ("-q", "--links", "-v")}
    assert {option: sorted(run.err.splitlines(keepends=True)) for option, run in runs.items()} == {
        "-q": [bad],
        "--links": sorted([bad, sub]),
        "-v": sorted([bad, sub, readme]),
    }
    assert runs["-q"].out == ""


def test_no_name_and_no_content_reaches_the_terminal_as_it_is(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b[31m\r\n\u202e\x9b"
    wheels = here / f"w{evil}"
    wheels.mkdir()
    write_wheel(wheels, "demo", "2.0", requires_python=evil.strip())
    for name, content in {
        f"a{evil}-1.0.tar.gz": b"x",
        f"README{evil}": b"x",
        "b-1.0-py3-none-any.whl": wheel("b", "1.0", metadata=metadata(f"b{evil[:5]}", f"1{evil[-1]}")),
        "c-1.0-py3-none-any.whl": wheel("c", "1.0", dist_info=f"c{evil[:5]}.dist-info"),
        "d-1.0-py3-none-any.whl": wheel("d", "1.0", metadata_version=evil[:5]),
        "e-1.0.tar.gz": b"\x1f\x8b\x08" + evil.encode(),
        f"x{evil}.egg": b"x",
    }.items():
        (wheels / name).write_bytes(content)
    (wheels / "l-1.0.zip").symlink_to(f"/{evil}")
    (wheels / f"sub{evil}").mkdir()
    other = here / "other"
    other.mkdir()
    write_wheel(other, "demo", "2.0")
    (here / f"file{evil}").write_bytes(b"x")
    runs = [
        Run(capsys, *arguments)
        for arguments in (
            ["-v", str(wheels), f"public{evil}"],
            ["-v", "--prefer", "first", str(wheels), str(other), "public"],
            ["-v", str(wheels), str(other), f"file{evil}"],
            [f"gone{evil}", "public"],
            [f"x:{evil}", "public"],
            ["wheels", f"s3:{evil}"],
            [f"sub{evil}", f"file{evil}", "public"],
            ["--templates", evil, "wheels", "public"],
            ["--simple-path", evil, "wheels", "public"],
            ["--files-url", evil, "wheels", "public"],
            ["--config", evil, "wheels", "public"],
            ["--json", str(wheels), "public"],
        )
    ]
    assert [run.status for run in runs[:2]] == [1, 1]
    assert [
        (number, character)
        for number, run in enumerate(runs)
        for character in run.out + run.err
        if not character.isprintable() and character != "\n"
    ] == []


def test_names_that_are_no_utf8_are_told_of_in_any_locale(here: Path) -> None:
    names = [os.fsdecode(name) for name in (b"w\xff", b"public\xff")]
    (here / names[0]).mkdir()
    write_wheel(here / names[0], "demo", "1.0")
    (here / names[0] / os.fsdecode(b"\xff.whl")).write_bytes(b"x")
    for encoding in ("ascii:strict", "utf-8:strict"):
        run = subprocess.run(
            [sys.executable, "-m", "mkindex", "-v", *names],
            env=os.environ | {"PYTHONIOENCODING": encoding},
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert (run.returncode, b"Traceback" in run.stderr) == (1, False), run.stderr


# --- watch and serve ------------------------------------------------------------------------------------------------


def running(here: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "mkindex", *arguments]
    return subprocess.Popen(command, cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_server_says_where_it_is_and_what_it_is_asked_for_until_it_is_stopped(
    here: Path, number: signal.Signals
) -> None:
    assert cli.run(["wheels", "public", "-q"]) == 0
    with running(here, "serve", "public", "--bind", "127.0.0.1:0") as server:
        assert server.stdout
        said = server.stdout.readline()
        match = re.fullmatch(r"serving public at (http://127\.0\.0\.1:\d+/) \(Ctrl-C stops it\)\n", said)
        assert match, said
        with build_opener(ProxyHandler({})).open(f"{match[1]}simple/demo/", timeout=20) as answer:
            assert WHEEL in answer.read().decode()
        server.send_signal(number)
        out, err = server.communicate(timeout=20)
    assert (server.returncode, out, err) == (0, "", '127.0.0.1 "GET /simple/demo/ HTTP/1.1" 200\n')


def test_a_server_that_others_can_reach_says_so(here: Path) -> None:
    assert cli.run(["wheels", "public", "-q"]) == 0
    with running(here, "serve", "public", "--bind", "0.0.0.0:0") as server:
        assert server.stdout
        server.stdout.readline()
        server.terminate()
        _, err = server.communicate(timeout=20)
    text = "other machines can reach this server: it asks nobody for a password, and encrypts nothing"
    assert err == f"warning 0.0.0.0:0: {text}\n"


@pytest.mark.parametrize("arguments", [("serve", "gone"), ("serve", "public", "--bind", "nowhere.invalid:0")])
def test_what_cannot_be_served_is_3(here: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str]) -> None:
    (here / "public").mkdir()
    run = Run(capsys, *arguments)
    assert (run.status, run.out, run.err.count("\n")) == (3, "", 1)


def test_a_watch_that_cannot_begin_is_3(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (Run(capsys, "gone", "public", "--watch").status, sorted(os.listdir(here))) == (3, ["wheels"])


def test_a_watch_speaks_to_a_person(here: Path) -> None:
    (here / "wheels/bad.egg").write_bytes(b"x")
    with running(here, "wheels", "public", "--watch", "--serve", "--bind", "127.0.0.1:0") as watch:
        assert watch.stdout
        said = [watch.stdout.readline() for _ in range(2)]
        watch.terminate()
        _, err = watch.communicate(timeout=20)
    time = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d "
    assert re.fullmatch(time + r"serving public at http://127\.0\.0\.1:\d+/\n", said[0])
    assert re.fullmatch(time + rf"added {re.escape(WHEEL)}; 1 rejected; 1 file in \d\.\d\d s\n", said[1])
    assert (watch.returncode, err) == (
        0,
        f"rejected {here}/wheels/bad.egg: eggs are no longer installable: build a wheel\n",
    )


# --- pipes and signals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rejected", "status"), [(False, 0), (True, 1)])
def test_a_reader_that_has_seen_enough_is_no_error(here: Path, rejected: bool, status: int) -> None:
    if rejected:
        (here / "wheels/bad.egg").write_bytes(b"x")
    reading, writing = os.pipe()
    os.close(reading)
    run = subprocess.run(
        [sys.executable, "-m", "mkindex", "-v", "wheels", "public"],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    os.close(writing)
    assert (run.returncode, b"Error" in run.stderr) == (status, False), run.stderr
    assert (here / "public/simple/demo/index.html").exists()


def test_a_standard_output_that_is_closed_is_no_error(here: Path) -> None:
    command = [sys.executable, "-m", "mkindex", "wheels", "public"]
    run = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *command], stderr=subprocess.PIPE, check=False, timeout=60)
    assert (run.returncode, run.stderr) == (0, b"")


def write_large_wheel(path: Path, size: int) -> None:
    """A wheel with a member of `size` zeros, which take no room on the disk."""
    members = {"foo-1.0.dist-info/METADATA": metadata("foo", "1.0"), "foo/data": None}
    directory = b""
    with path.open("wb") as file:
        for name, content in members.items():
            length = size if content is None else len(content)
            crc = 0 if content is None else zlib.crc32(content)
            common = (0, 0, 0, 0, crc, length, length, len(name), 0)
            directory += struct.pack("<4s2H4H3L2H", b"PK\1\2", 20, 20, *common)
            directory += struct.pack("<3H2L", 0, 0, 0, 0, file.tell()) + name.encode()
            file.write(struct.pack("<4sH4H3L2H", b"PK\3\4", 20, *common) + name.encode())
            file.write(content) if content else file.seek(size, os.SEEK_CUR)
        start = file.tell()
        file.write(directory + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 2, 2, len(directory), start, 0))


def test_ctrl_c_is_130_and_leaves_the_destination_as_it_was(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Run(capsys, "wheels", "public")
    before = snapshot(here / "public")
    write_large_wheel(here / "wheels/foo-1.0-py3-none-any.whl", 1 << 30)
    run = subprocess.Popen(
        [sys.executable, "-m", "mkindex", "wheels", "public"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    while not (here / "public/.mkindex/lock").exists():
        assert run.poll() is None
        time.sleep(0.01)
    time.sleep(0.1)
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=120)
    assert (run.returncode, out, err.strip()) == (130, b"", b"interrupted: the next run finishes the job")
    assert snapshot(here / "public") == before
