"""The command `mkindex check`: exit status, reports and errors."""

from __future__ import annotations

import json
import re
import shutil
import socket
from pathlib import Path

import pytest

from mkindex.check.engine import CheckOptions, check
from mkindex.check.findings import Rule, Severity
from mkindex.check.judge import rules_by_name
from mkindex.cli import run
from mkindex.errors import ConfigError, MkindexError
from mkindex.reports import check as report_text
from support import scripted_server
from support.builds import publish
from support.index_copy import NEW, OLD, build_good_index, copy_index
from support.index_server import Reply, serve_index
from support.wheels import write_sdist

DOCS = Path(__file__).parent.parent / "docs/check.md"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_good_index(tmp_path_factory.mktemp("check"))


class Run:
    """One run of `mkindex check`, and what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> None:
        self.status = self._status(list(map(str, arguments)))
        self.out, self.err = capsys.readouterr()

    @staticmethod
    def _status(arguments: list[str]) -> int:
        return run(["check", "--no-cache", *arguments])


def test_a_good_index_exits_with_0_and_a_summary(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = Run(capsys, good)
    lines = done.out.splitlines()
    assert (done.status, done.err, lines[:2]) == (0, "", [f"{good}/simple/: an index", ""])
    assert re.fullmatch(
        r"0 errors, 0 warnings, 0 notes; 3 projects, 5 files \(5 looked at, 5 hashed\) in \d+\.\d\d s", lines[2]
    )


def test_errors_exit_with_1_and_warnings_only_with_strict(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index_copy = copy_index(good, tmp_path, "html")
    index_copy.anchor(OLD, r"#sha256=\w+", "")
    statuses = [Run(capsys, index_copy.tree).status, Run(capsys, index_copy.tree, "--strict").status]
    index_copy.file(NEW).write_bytes(b"PK")
    statuses.append(Run(capsys, index_copy.tree).status)
    statuses.append(Run(capsys, index_copy.tree, "--ignore", "file-hash", "--ignore", "file-size").status)
    statuses.append(Run(capsys, index_copy.tree, "--select", "no-hash").status)
    assert statuses == [0, 1, 1, 0, 0]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["x", "y"],
        ["x", "--ignore", "nothing"],
        ["x", "--select", "nothing"],
        ["x", "--why", "not a requirement!"],
        ["x", "--why", "demo @ https://example.com/demo.whl"],
        ["x", "--why", "demo", "--python", "2.7"],
        ["x", "--why", "demo", "--platform", "amiga"],
        ["x", "--python", "3.12"],
        ["x", "--require-hashes"],
        ["x", "--files", "all"],
        ["x", "--sample", "0"],
        ["--explain", "nothing"],
        [""],
    ],
    ids=" ".join,
)
def test_usage_errors_exit_with_2(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(Path(__file__).parent / "golden", tmp_path / "x", dirs_exist_ok=True)
    done = Run(capsys, *arguments)
    assert (done.status, done.out) == (2, "")
    assert done.err


@pytest.mark.slow
def test_unreadable_targets_exit_with_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        silent = f"http://127.0.0.1:{nobody.getsockname()[1]}/simple/"
        found = {
            given: Run(capsys, given) for given in (silent, f"{tmp_path}/gone", "ftp://example.com/", "http://[x/")
        }
    assert {given: (done.status, done.out) for given, done in found.items()} == dict.fromkeys(found, (3, ""))
    assert found[silent].err == f"error {silent}: cannot be reached: Connection refused\n"
    assert found[f"{tmp_path}/gone"].err == (
        f"error {tmp_path}/gone does not exist: give the directory or the address of an index\n"
    )


@pytest.mark.parametrize("status", [401, 403, 429, 500])
def test_a_server_that_refuses_requests_exits_with_3(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    scripted_server.isolate_client(monkeypatch, tmp_path)
    with serve_index(good) as server:
        server.faults.append(lambda *_: Reply(status))
        assert Run(capsys, f"{server.url}simple/").status == 3


@pytest.mark.slow
def test_no_secret_in_an_address_is_printed(good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    index_copy = copy_index(good, tmp_path, "html")
    index_copy.anchor(NEW, r'href="[^"#]*', f'href="http://me:geheim@127.0.0.1:9/{NEW}?signature=geheim')
    with serve_index(index_copy.tree) as server:
        given = server.url.replace("://", "://me:geheim@")
        for more in (["--files", "none"], ["--json"], ["--format", "github"], ["--why", "alpha"]):
            done = Run(capsys, f"{given}simple/?key=geheim" if more[0] == "--why" else f"{given}simple/", *more)
            assert "geheim" not in done.out + done.err
            assert done.out + done.err


def test_a_server_that_stops_answering_exits_with_3(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scripted_server.isolate_client(monkeypatch, tmp_path)
    with serve_index(good) as server:

        def die(path: str, reply: Reply) -> Reply:
            if path.startswith("/files/"):
                raise ConnectionError
            return reply

        server.faults.append(die)
        done = Run(capsys, f"{server.url}simple/")
    assert (done.status, done.out) == (3, "")
    assert "5 requests in a row failed. Try again later" in done.err


def test_the_json_report_has_the_documented_shape(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index_copy = copy_index(good, tmp_path, "html")
    index_copy.file(NEW).unlink()
    done = Run(capsys, index_copy.tree, "--json")
    report = json.loads(done.out)
    rule = rules_by_name()["file-missing"]
    assert report.pop("seconds") >= 0
    (found,) = report.pop("findings")
    assert re.fullmatch(rf"is missing \(\.\./\.\./files/.*{NEW}\)", found.pop("text"))
    assert found == {
        "rule": "file-missing",
        "severity": "error",
        "page": "simple/alpha/index.html",
        "file": NEW,
        "clients": rule.impact,
        "fix": rule.fix,
        "mend": rule.fix,
        "change": None,
    }
    assert report == {
        "version": 1,
        "target": str(index_copy.tree),
        "url": f"{index_copy.tree}/simple/",
        "kind": "index",
        "projects": 3,
        "files": 5,
        "looked-at": 5,
        "read": 4,
        "level": "hash",
        "host": [],
        "hosting": None,
        "closure": None,
        "counts": {"error": 1, "warning": 0, "note": 0},
    }
    example = re.search(r"```json\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert example
    documented = json.loads(example[1])
    assert set(documented) - {"why"} == {*report, "seconds", "findings"}
    assert set(documented["findings"][0]) == {*found, "text"}


def test_findings_become_annotations_of_a_workflow(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index_copy = copy_index(good, tmp_path, "html")
    index_copy.anchor(NEW, f">{NEW}<", ">100% new:\nit<")
    done = Run(capsys, index_copy.tree, "--format", "github")
    place = f"simple/alpha/index.html {NEW}"
    assert done.out == (
        f"::warning title=mkindex check%3A anchor-text::{place}: its text is '100%25 new:\\nit'. "
        "Use the filename as the text of the link, and nothing else.\n"
    )


def test_errors_become_annotations_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = Run(capsys, tmp_path / "##[add-mask]x", "--format", "github")
    assert (done.status, done.err) == (3, "")
    assert done.out.startswith("::error title=mkindex check::")
    assert done.out.count("\n") == 1
    assert Run(capsys, tmp_path / "gone", "--format", "github", "--json").out == ""


def test_explain_describes_one_rule_or_lists_all(capsys: pytest.CaptureFixture[str]) -> None:
    rule = rules_by_name()["metadata-hash"]
    assert Run(capsys, "--explain", "metadata-hash").out == report_text.explain_rule(rule) + "\n"
    done = Run(capsys, "--explain", "all")
    assert [line.split()[1] for line in done.out.splitlines()] == list(rules_by_name())


def test_why_exits_with_1_if_no_file_fits(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fits, none = (Run(capsys, good, "--why", text, "--python", "3.12") for text in ("alpha", "alpha>2"))
    assert (fits.status, none.status) == (0, 1)
    assert fits.out == f"simple/alpha/index.html: 2 files\n  takes {NEW}\n  also fits {OLD}\n"
    assert none.out.endswith("No file fits: clients report that there is no such version.\n")
    as_json = json.loads(Run(capsys, good, "--why", "alpha", "--json").out)["why"]
    assert as_json[0] == {"file": NEW, "version": "2.0", "taken": True, "reasons": []}


def test_why_of_an_unknown_project_exits_with_3(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = Run(capsys, good, "--why", "nothing")
    assert (done.status, done.err) == (
        3,
        "error simple/nothing/: no page of nothing that clients can read: answers 404\n",
    )


def test_invalid_options_raise_an_error() -> None:
    with pytest.raises(ConfigError):
        CheckOptions(target="")
    assert issubclass(ConfigError, MkindexError)


def test_many_findings_of_a_rule_are_shortened_unless_verbose(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wheels").mkdir()
    for number in range(15):
        write_sdist(tmp_path / "wheels", "demo", f"{number}.0")
    publish(tmp_path / "wheels", tmp_path / "public")
    shutil.rmtree(tmp_path / "public/files")
    short, whole = (Run(capsys, tmp_path / "public", "--select", "file-missing", *more).out for more in ((), ("-v",)))
    assert ("  … and 5 more (-v shows all)" in short.splitlines(), whole.count("is missing (")) == (True, 15)


def test_a_finding_says_its_rule_place_and_fix(good: Path, tmp_path: Path) -> None:
    index_copy = copy_index(good, tmp_path, "html")
    index_copy.file(NEW).unlink()
    (finding,) = check(CheckOptions(target=index_copy.tree)).findings
    rule = rules_by_name()["file-missing"]
    assert (str(finding.rule), finding.page, finding.file) == ("file-missing", "simple/alpha/index.html", NEW)
    assert finding.fix == rule.fix


def row(rule: Rule) -> str:
    return f"| `{rule.name}` | {rule.summary} | {rule.pip} | {rule.uv} | {rule.impact} | {rule.fix} |"


def test_the_documentation_lists_every_rule() -> None:
    sections = re.split(r"^### ", DOCS.read_text(), flags=re.MULTILINE)
    for severity in Severity:
        (section,) = (one for one in sections if one.lower().startswith(f"{severity}s"))
        rows = [line for line in section.splitlines() if line.startswith("| `")]
        assert rows == [row(rule) for rule in rules_by_name().values() if rule.severity == severity]


@pytest.mark.parametrize(("variable", "value"), [("MKINDEX_JSON", "1"), ("MKINDEX_FORMAT", "json")])
def test_environment_variables_set_the_format_of_the_report(
    good: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    done = Run(capsys, good)
    assert (done.status, json.loads(done.out)["version"]) == (0, 1)
