"""The GitHub Action: its steps on a runner, installs from the published site, and linters of its YAML."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from base64 import b64encode
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from mkindex.cli import run
from support.action_runner import BASH, ROOT, ActionResult, Runner, checkout
from support.clients import CLIENTS, INSTALLERS, ClientHome
from support.http_servers import serve_directory
from support.index_server import Reply, serve_index
from support.requirements import skip_or_fail
from support.trees import find_broken_links, read_tree
from support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = ROOT / "docs/hosting/github-pages.md"
EXAMPLES = ROOT / "examples/wheels"
OFFLINE = re.compile(r"name resolution|No matching distribution|NewConnectionError|ProxyError|Network is unreachable")


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """A runner on which the action is already installed, because that takes seconds each time."""
    if not BASH:
        skip_or_fail("bash")
    directory = tmp_path_factory.mktemp("runner")
    runner = Runner(checkout(directory / "action"), directory / "temp")
    (directory / "workspace").mkdir()
    used = runner.use(directory / "workspace", {"python": sys.executable})
    if used.steps["install"].status and OFFLINE.search(used.log):
        skip_or_fail("a package registry, to install what the action needs")
    assert used.steps["install"].status == 0, used.log
    return runner


def workspace(directory: Path, *, days: int = 0) -> Path:
    """Return a fresh checkout of a repository with the examples in dist/, all of them `days` old."""
    (directory / "dist").mkdir(parents=True)
    for path in EXAMPLES.iterdir():
        shutil.copyfile(path, directory / "dist" / path.name)
        os.utime(directory / "dist" / path.name, (time.time() - days * 86_400,) * 2)
    return directory


def artifact(public: Path, to: Path) -> Path:
    """Return the tree that the host gets: the artifact of a Pages site contains no names that begin with a dot."""
    return Path(shutil.copytree(public, to, ignore=shutil.ignore_patterns(".*")))


@pytest.fixture(scope="module")
def first(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> tuple[ActionResult, Path]:
    """The first publication: the result of the action, and the site."""
    directory = tmp_path_factory.mktemp("first")
    used = runner.use(workspace(directory / "work", days=3), {"previous": str(directory / "nothing")})
    return used, artifact(directory / "work/public", directory / "site")


def remembered(*places: Path) -> Iterator[tuple[Path, bytes]]:
    """All texts that were written to these places."""
    for place in places:
        for path in place.rglob("*"):
            if path.is_file() and not path.is_symlink():
                yield path, path.read_bytes()


# --- what it does ---------------------------------------------------------------------------------------------------


def unexpected(used: ActionResult) -> list[str]:
    """Return the annotations without those on demo-cuda, an example that has two variants on one page."""
    return [line for line in used.annotations if "demo-cuda" not in line]


def test_the_action_makes_a_tree_a_summary_and_outputs_from_wheels(first: tuple[ActionResult, Path]) -> None:
    used, site = first
    assert used.status == 0, used.log
    assert used.outputs == {"path": "public", "projects": "10", "files": "16", "rejected": "0"}
    assert used.summary.startswith(
        "### Package index in <code>public</code>\n\n| projects | files | size | rejected |\n"
    )
    assert "\n| 10 | 16 | 27.1 kB | 0 |\n" in used.summary
    assert "\nNot on the previous site: 16 files.\n" in used.summary
    assert [line for line in unexpected(used) if not line.startswith("::notice title=mkindex::")] == []
    assert find_broken_links(read_tree(site)) == []
    assert not list(site.rglob(".*"))


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_clients_install_from_the_site_that_the_artifact_makes(
    client: str, first: tuple[ActionResult, Path], tmp_path: Path
) -> None:
    with serve_directory(first[1], tmp_path / "log") as server:
        assert INSTALLERS[client](ClientHome(tmp_path), f"{server.url}simple/", ["demo-app[color]"]) == {
            "demo": "1.1",
            "demo-app": "1.0",
            "demo-colors": "1.0",
        }


def test_the_next_run_on_a_fresh_checkout_changes_only_pages_with_new_files(
    runner: Runner, first: tuple[ActionResult, Path], tmp_path: Path
) -> None:
    fresh = workspace(tmp_path / "work")
    with serve_directory(first[1], tmp_path / "log") as server:
        again = runner.use(fresh, {"previous": server.url, "destination": "again"})
        added = write_wheel(fresh / "dist", "demo", "1.2", mtime=int(time.time()))
        used = runner.use(fresh, {"previous": f"{server.url}simple/"})
    old = read_tree(first[1])
    same = read_tree(artifact(fresh / "again", tmp_path / "again"))
    number, listing = old["generation.txt"].split()
    assert (again.status, same) == (0, {**old, "generation.txt": b"%d %b\n" % (int(number) + 1, listing)}), again.log
    new = read_tree(artifact(fresh / "public", tmp_path / "public"))
    changed = {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}
    assert {path for path in changed if not path.startswith("files/")} == {
        *("generation.txt", "index.html", "simple/demo/index.html", "simple/demo/index.v1_json"),
        *("project/demo/index.html", "project/demo/releases.html"),
    }
    files = {path for path in changed if path.startswith("files/")}
    assert (changed & old.keys()).isdisjoint(files)
    assert sorted(path.rpartition("/")[2] for path in files) == [added.name, f"{added.name}.metadata"]
    assert used.outputs == {"path": "public", "projects": "10", "files": "17", "rejected": "0"}
    assert "\nNot on the previous site: 1 file.\n\n* <code>demo-1&#46;2-py3-none-any&#46;whl</code>\n" in used.summary
    assert "\nEvery file was on the previous site.\n" in again.summary


def test_two_runs_on_fresh_checkouts_with_different_wheels_publish_both(runner: Runner, tmp_path: Path) -> None:
    site = tmp_path / "site0"
    for number in (1, 2):
        fresh = tmp_path / f"work{number}"
        (fresh / "dist").mkdir(parents=True)
        write_wheel(fresh / "dist", "released", f"{number}.0", mtime=int(time.time()))
        with serve_directory(site, tmp_path / "log") if number > 1 else nullcontext() as server:
            previous = server.url if server else str(tmp_path / "nothing")
            used = runner.use(fresh, {"previous": previous}, home=tmp_path)
        assert used.status == 0, used.log
        site = artifact(fresh / "public", tmp_path / f"site{number}")
    with serve_directory(site, tmp_path / "log") as server:
        for client in ("pip", "uv"):
            for version in ("1.0", "2.0"):
                (home := tmp_path / f"{client}{version}").mkdir()
                installed = INSTALLERS[client](ClientHome(home), f"{server.url}simple/", [f"released=={version}"])
                assert installed == {"released": version}


@pytest.mark.parametrize("previous", ["http://127.0.0.1:9/", "nowhere"])
def test_a_site_that_is_unreachable_or_gone_fails_the_job_and_leaves_nothing_to_deploy(
    previous: str, runner: Runner, tmp_path: Path
) -> None:
    first = workspace(tmp_path / "first")
    assert runner.use(first, {"previous": str(tmp_path / "site")}, home=tmp_path).status == 0
    fresh = workspace(tmp_path / "fresh")
    used = runner.use(fresh, {"previous": previous}, home=tmp_path)
    assert (used.status, used.outputs["path"], (fresh / "public").exists()) == (3, "", False), used.log
    if previous == "nowhere":
        again = runner.use(fresh, {"previous": previous, "first": "true"}, home=tmp_path)
        assert (again.status, again.outputs["files"]) == (0, "16"), again.log


def test_a_new_project_changes_the_roots_too(runner: Runner, first: tuple[ActionResult, Path], tmp_path: Path) -> None:
    fresh = workspace(tmp_path / "work")
    write_wheel(fresh / "dist", "newcomer", "1.0", mtime=int(time.time()))
    used = runner.use(fresh, {"previous": str(first[1])})
    old, new = read_tree(first[1]), read_tree(artifact(fresh / "public", tmp_path / "public"))
    changed = {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}
    assert used.status == 0, used.log
    assert {path for path in changed if not path.startswith("files/")} == {
        *("generation.txt", "index.html", "simple/index.html", "simple/index.v1_json"),
        *("simple/newcomer/index.html", "simple/newcomer/index.v1_json"),
        *("licenses.html", "assets/search-0.js"),
        *(f"project/newcomer/{page}" for page in ("badge.svg", "contents.html", "index.html", "releases.html")),
    }


def test_older_releases_stay_with_the_published_index_as_a_source(
    runner: Runner, first: tuple[ActionResult, Path], tmp_path: Path
) -> None:
    (tmp_path / "dist").mkdir()
    write_wheel(tmp_path / "dist", "demo", "1.2")
    write_wheel(tmp_path / "dist", "demo", "1.1", summary="the same version, built again")
    options = {
        "add": "false",
        "remote": "mirror",
        "all": "true",
        "prefer": "first",
        "recursive": "false",
        "max-download": "1MB",
    }
    with serve_directory(first[1], tmp_path / "log") as server:
        sources = f"\n{server.url}simple/\r\n  dist  "
        used = runner.use(tmp_path, {"sources": sources, "previous": server.url, **options})
    assert (used.status, used.outputs["files"], used.outputs["rejected"]) == (0, "17", "0"), used.log
    old, new = read_tree(first[1]), read_tree(tmp_path / "public")
    assert find_broken_links(new) == []
    assert {path for path in old if old[path] != new.get(path)} == {
        *("generation.txt", "index.html", "simple/demo/index.html", "simple/demo/index.v1_json"),
        *("project/demo/index.html", "project/demo/releases.html"),
    }


def test_files_on_other_hosts_are_checked_too(runner: Runner, tmp_path: Path) -> None:
    for tag in "v1.0", "v1.1":
        (tmp_path / "dist" / tag).mkdir(parents=True)
        write_wheel(tmp_path / "dist" / tag, "demo", tag[1:])
    with serve_directory(tmp_path / "dist", tmp_path / "log") as server:
        given = {"recursive": "true", "files-url": server.url.rstrip("/")}
        used = runner.use(tmp_path, given)
        shutil.move(tmp_path / "dist", tmp_path / "elsewhere")
        shutil.copytree(tmp_path / "elsewhere", tmp_path / "sources")
        lost = runner.use(tmp_path, {**given, "sources": "sources", "files-url": f"{server.url}gone"})
    assert (used.status, used.outputs["files"]) == (0, "2"), used.log
    assert not (tmp_path / "public/files").exists()
    assert (lost.status, lost.outputs["path"], list(lost.steps)) == (1, "", ["install", "build", "check"])


def test_options_reach_the_build(runner: Runner, tmp_path: Path) -> None:
    fresh = workspace(tmp_path)
    given = {
        "destination": "a tree",
        "include": "demo\ndemo-c*",
        "exclude": "*cuda*",
        "links": "true",
        "upload-time": "none",
        "simple-path": ".",
    }
    used = runner.use(fresh, given)
    assert (used.status, used.outputs) == (0, {"path": "a tree", "projects": "2", "files": "4", "rejected": "0"})
    assert {path.name for path in (fresh / "a tree").glob("*")} >= {"demo", "demo-colors", "links.html"}
    assert "upload-time" not in (fresh / "a tree/demo/index.html").read_text()


# --- what goes wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sources", ["dist", "gone", "", "\n \n"])
def test_without_wheels_it_fails_and_leaves_no_tree_to_upload(sources: str, runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "dist").mkdir()
    used = runner.use(tmp_path, {"sources": sources})
    assert (used.status, list(used.steps)) == (3 if sources.strip() else 2, ["install", "build"])
    assert used.outputs == {"path": "", "projects": "", "files": "", "rejected": ""}
    assert len(used.annotations) == 1
    assert used.annotations[0].startswith("::error title=mkindex::")
    assert not (tmp_path / "public").exists() or read_tree(tmp_path / "public") == {}


def test_a_rejected_wheel_is_an_annotation_and_the_rest_is_published(runner: Runner, tmp_path: Path) -> None:
    fresh = workspace(tmp_path)
    (fresh / "dist/broken-1.0-py3-none-any.whl").write_bytes(b"PK\x03\x04 cut off")
    used = runner.use(fresh)
    assert (used.status, used.outputs["rejected"], used.outputs["files"]) == (0, "1", "16"), used.log
    annotation, public = unexpected(used)
    assert public.startswith("::notice title=mkindex::public: a GitHub Pages site is public")
    assert annotation.startswith("::error title=mkindex::rejected ")
    assert "/broken-1.0-py3-none-any.whl: not a zip file (damaged or incomplete download)" in annotation
    assert not list((fresh / "public").rglob("broken*"))
    assert "| rejected | why |\n" in used.summary


def test_strict_fails_if_a_wheel_is_rejected(runner: Runner, tmp_path: Path) -> None:
    fresh = workspace(tmp_path)
    (fresh / "dist/broken-1.0-py3-none-any.whl").write_bytes(b"PK\x03\x04 cut off")
    used = runner.use(fresh, {"strict": "true"})
    assert (used.status, used.outputs["path"]) == (3, "")
    assert unexpected(used)[1:] == ["::error title=mkindex::nothing published: 1 file rejected, and --strict is set"]
    assert used.summary.startswith("### Package index: not published\n")
    assert read_tree(fresh / "public") == {}


def test_a_published_site_that_cannot_be_read_stops_it(
    runner: Runner, first: tuple[ActionResult, Path], tmp_path: Path
) -> None:
    fresh = workspace(tmp_path)
    with serve_index(first[1]) as host:
        host.faults.append(lambda path, reply: Reply(403) if path == "/simple/demo/" else reply)
        used = runner.use(fresh, {"previous": host.url})
    assert (used.status, used.outputs["path"]) == (3, "")
    assert read_tree(fresh / "public") == {}


def test_a_tree_that_check_rejects_is_not_an_output(runner: Runner, tmp_path: Path) -> None:
    fresh = workspace(tmp_path)
    (fresh / "templates/simple").mkdir(parents=True)
    link = (ROOT / "templates/simple/link.html").read_text()
    (fresh / "templates/simple/link.html").write_text(link.replace('href="', 'href="no/'))
    used = runner.use(fresh, {"templates": "templates"})
    assert (list(used.steps), used.status, used.outputs["path"]) == (["install", "build", "check"], 1, "")
    assert [line for line in used.annotations if line.startswith("::error title=mkindex check%3A ")]
    assert runner.use(fresh, {"templates": "templates", "check": "false"}).outputs["path"] == "public"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("add", "yes"),
        ("add", "true"),
        ("check", "maybe"),
        ("strict", "perhaps"),
        ("remote", "x"),
        ("links", "2"),
        ("for", "x"),
        ("json-root", "../json"),
    ],
)
def test_an_input_that_makes_no_sense_fails(name: str, value: str, runner: Runner, tmp_path: Path) -> None:
    used = runner.use(workspace(tmp_path), {name: value})
    assert (used.status, used.outputs["path"]) == (2, "")


def test_if_no_python_is_new_enough_the_error_says_what_to_do(runner: Runner, tmp_path: Path) -> None:
    old = tmp_path / "bin/python3"
    old.parent.mkdir()
    old.write_text(f'#!{BASH}\n[ "$2" = x ]\n')
    old.chmod(0o755)
    why = "no Python 3.11 or newer with venv: put actions/setup-python before this step"
    for chosen in "", str(old), "gone":
        step = runner.step("install", tmp_path, {"python": chosen}, {}, path=str(old.parent))
        assert (step.status, step.log, step.outputs) == (1, f"::error title=mkindex::{why}\n", {})


# --- what is hostile ------------------------------------------------------------------------------------------------


def test_no_name_of_a_file_is_a_command_or_an_output(runner: Runner, tmp_path: Path) -> None:
    fresh = workspace(tmp_path)
    names = [
        "a\n::error title=x::y-1.0.zip",
        "##[add-mask]demo-1.0.zip",
        "::stop-commands::x-1.0-py3-none-any.whl",
        "b\npath=elsewhere\nrejected=0\n-1.0.zip",
        "$(touch injected)`touch injected`-1.0.zip",
        "';touch injected;'-1.0.zip",
        "c|d](x)<b>-1.0.zip",
    ]
    for name in names:
        (fresh / "dist" / name).write_bytes(b"x")
    used = runner.use(fresh)
    assert used.outputs == {"path": "public", "projects": "10", "files": "16", "rejected": str(len(names))}, used.log
    assert [line[:32] for line in unexpected(used)[:-1]] == ["::error title=mkindex::rejected "] * len(names)
    assert not list(tmp_path.rglob("injected"))
    rows = [line for line in used.summary.splitlines() if line.startswith("| <code>")]
    assert len(rows) == len(names) + 2  # and the notes that a site is public, and on the variants of an example
    assert all(re.fullmatch(r"\| <code>[^|<>`\]\[]*</code> \| [^|<>`\]\[]* \|", row) for row in rows)


@pytest.mark.parametrize("name", ["sources", "destination", "include", "previous", "simple-path", "templates", "check"])
def test_no_input_is_a_command(name: str, runner: Runner, tmp_path: Path) -> None:
    fresh = workspace(tmp_path)
    for value in (
        "$(touch injected)",
        "`touch injected`",
        '"; touch injected; "',
        "x\npath=evil\nrejected=9",
        "--help",
    ):
        used = runner.use(fresh, {name: value})
        assert "evil" not in used.outputs["path"], used.log
        assert used.outputs["rejected"] in ("", "0")
        assert not list(tmp_path.rglob("injected"))


def answering(path: str, status: int, asked: str, good: Reply) -> Reply:
    return Reply(status) if asked == path else good


def test_no_password_is_in_anything_that_is_written(
    runner: Runner, first: tuple[ActionResult, Path], tmp_path: Path
) -> None:
    user, password, token = "alice", "hunter2-of-the-url", "t0ken-of-the-query"
    netrc = tmp_path / "home/.netrc"
    netrc.parent.mkdir()
    fresh = workspace(tmp_path / "work")
    secret = [password, token, b64encode(f"{user}:{password}".encode()).decode().rstrip("=")]
    logs = []
    with serve_index(first[1]) as host:
        for path, status in (("", 200), ("/simple/demo/", 403), ("/simple/", 401), ("/simple/other/", 404)):
            host.faults[:] = [partial(answering, path, status)]
            address = host.url.removeprefix("http://")
            for previous in (
                f"http://{user}:{password}@{address}?token={token}",
                f"http://{address}simple/?token={token}",
            ):
                netrc.write_text(f"machine 127.0.0.1 login {user} password {password}\n")
                used = runner.use(fresh, {"previous": previous}, home=netrc.parent)
                logs.append(used.log + used.summary + repr(used.outputs))
                netrc.unlink()
    assert len(logs) == 8
    written = [content for _, content in remembered(tmp_path, *runner.temp.glob("step-*"))]
    everything = "\n".join(logs).encode() + b"".join(written)
    assert b"previous site" in everything
    assert [word for word in secret if word.encode() in everything] == []


# --- what it is made of ---------------------------------------------------------------------------------------------


def test_the_installed_projects_are_pinned_with_hashes_and_satisfy_the_requirements_of_mkindex() -> None:
    import tomllib

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*map(Requirement, (*project["project"]["dependencies"], *project["build-system"]["requires"]))]
    text = (ROOT / "action/requirements.txt").read_text()
    blocks = re.findall(
        r"^([a-z0-9-]+)==([^ ]+)(?: ; [^\\]*)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", text, re.MULTILINE
    )
    pins = {name: version for name, version, _ in blocks}
    assert sum(len(lines.splitlines()) + 1 for *_, lines in blocks) == len(text.splitlines())
    assert {
        canonicalize_name(one.name): one.specifier.contains(pins.get(canonicalize_name(one.name), "0"))
        for one in wanted
    } == dict.fromkeys([canonicalize_name(one.name) for one in wanted], True)


def test_no_script_of_the_action_holds_an_expression_and_no_step_uses_another_action() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    for step in action["runs"]["steps"]:
        assert set(step) == {"name", "id", "shell", "env", "run"}
        assert step["run"].startswith("set -euo pipefail\n")
        assert "${{" not in step["run"]
    text = (ROOT / "action.yml").read_text()
    assert re.findall(r"secrets|github\.token|GITHUB_TOKEN", text) == []
    used = set(re.findall(r"inputs\.([a-z-]+)", text))
    assert used == set(action["inputs"])


def judged(*command: str | Path) -> None:
    judge = CLIENTS / command[0] / "bin" / str(command[0]).rpartition("-")[0]
    if not judge.exists():
        skip_or_fail(f"{command[0]}: make clients")
    done = subprocess.run([judge, *command[1:]], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def workflows() -> list[str]:
    """The workflows in the documentation."""
    pages = [ROOT / "README.md", PAGE]
    blocks = [block for page in pages for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)]
    return [block for block in blocks if re.search("^jobs:", block, re.MULTILINE)]


@pytest.mark.parametrize("judge", ["check-jsonschema-0.39.0", "zizmor-1.32.0"])
def test_the_action_and_the_workflows_pass_their_linters(judge: str, tmp_path: Path) -> None:
    directory = tmp_path / ".github/workflows"
    directory.mkdir(parents=True)
    assert len(workflows()) >= 1
    for number, text in enumerate(workflows()):
        (directory / f"{number}.yml").write_text(text)
    paths = [*sorted(directory.iterdir()), *sorted((ROOT / ".github/workflows").iterdir())]
    if judge.startswith("zizmor"):
        judged(judge, "--offline", "--persona", "pedantic", "--no-config", ROOT / "action.yml", *paths)
    else:
        judged(judge, "--builtin-schema", "vendor.github-actions", ROOT / "action.yml")
        judged(judge, "--builtin-schema", "vendor.github-workflows", *paths)


def test_the_workflow_in_the_readme_is_a_part_of_the_whole_workflow() -> None:
    (steps,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert set(steps.splitlines()) <= set(PAGE.read_text().splitlines())


def test_the_command_host_prints_the_workflow_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["host", "github-pages"]) == 0
    assert f"```yaml\n{capsys.readouterr().out}```" in PAGE.read_text()


def test_the_page_names_every_input_and_output() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    named = set(re.findall(r"`([a-z-]+)`", PAGE.read_text().partition("## Inputs and outputs")[2]))
    assert {*action["inputs"], *action["outputs"]} <= named


def test_the_example_gives_each_job_no_more_than_it_needs() -> None:
    (whole,) = [yaml.safe_load(text) for text in workflows() if "deploy-pages" in text]
    assert whole["permissions"] == {}
    assert {name: job["permissions"] for name, job in whole["jobs"].items()} == {
        "wheel": {"contents": "read"},
        "publish": {"contents": "read", "pages": "write", "id-token": "write"},
    }
    assert whole["concurrency"] == {"group": "pages", "queue": "max"}
    for job in whole["jobs"].values():
        for step in job["steps"]:
            if "uses" in step and not step["uses"].startswith("OWNER/"):
                assert re.fullmatch(r"[a-z]+/[a-z-]+@[0-9a-f]{40}", step["uses"])
