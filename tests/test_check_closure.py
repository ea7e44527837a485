"""`check --closure`: what an index lacks for its files, or for --requirements, in some environments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from packaging.specifiers import SpecifierSet

from mkindex.check.engine import CheckOptions, check
from mkindex.check.roots import Roots, read_roots
from mkindex.cli import run
from mkindex.closure.lookup import Root
from mkindex.distributions.build_requires import build_requires
from mkindex.environments import environment_for
from mkindex.errors import ConfigError, Unreadable
from support.builds import publish
from support.index_server import serve_index
from support.locks import sha256
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from mkindex.check.report import CheckReport

HERE = {"python": ("3.12",), "platform": ("linux",)}


def run_check(target: Path | str, **options: Any) -> CheckReport:  # noqa: ANN401 (the fields of CheckOptions)
    return check(CheckOptions(target=target, closure=True, **HERE | options))


def found(report: CheckReport) -> list[tuple[str, str, str]]:
    return [(one.rule.name, one.file, one.text) for one in report.findings if one.rule.name.startswith("unsatisfied")]


def write(directory: Path, name: str, version: str, *requires: str, **more: Any) -> None:  # noqa: ANN401 (of write_wheel)
    directory.mkdir(exist_ok=True)
    write_wheel(directory, name, version, requires_dist=requires, **more)


# --- the files of an index --------------------------------------------------------------------------------------------


def test_markers_extras_and_tags_count(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    windows = "win-only; sys_platform == 'win32'"
    write(wheels, "app", "1.0", "lib[fast]>=1", "old<1", "nowhere; python_version < '3.9'", windows)
    write(wheels, "lib", "1.0", "speed; extra == 'fast'", "docs; extra == 'docs'", extras=["fast", "docs"])
    write(wheels, "old", "2.0")
    write(wheels, "native", "1.0", "gone")
    write(wheels, "needs-native", "1.0", "native-lib")
    write(wheels, "native-lib", "1.0", tag="cp312-cp312-win_amd64")
    publish(wheels, tmp_path / "public")
    report = run_check(tmp_path / "public")
    native = "only native_lib-1.0-cp312-cp312-win_amd64.whl, yanked or for another Python or platform"
    app, lib, needs = "app-1.0-py3-none-any.whl", "lib-1.0-py3-none-any.whl", "needs_native-1.0-py3-none-any.whl"
    assert found(report) == [
        ("unsatisfied", app, "requires old<1, but this index has old 2.0"),
        ("unsatisfied", lib, 'requires speed; extra == "fast", but this index has no speed'),
        ("unsatisfied", "native-1.0-py3-none-any.whl", "requires gone, but this index has no gone"),
        ("unsatisfied", needs, f"requires native-lib, but this index has {native}"),
        (
            "unsatisfied-elsewhere",
            app,
            'requires win-only; sys_platform == "win32", but this index has no win-only',
        ),
    ]
    assert report.closure == "8 requirements of 5 files looked up for Python 3.12 on linux"


def test_projects_that_are_not_checked_are_available(tmp_path: Path) -> None:
    write(tmp_path / "wheels", "app", "1.0", "lib", "gone")
    write(tmp_path / "wheels", "lib", "1.0", "nothing")
    publish(tmp_path / "wheels", tmp_path / "public")
    with serve_index(tmp_path / "public") as server:
        report = run_check(f"{server.url}simple/", project=("app",))
    assert (found(report), report.projects) == (
        [("unsatisfied", "app-1.0-py3-none-any.whl", "requires gone, but this index has no gone")],
        1,
    )


def test_several_environments_are_looked_up_in_one_run(tmp_path: Path) -> None:
    requires = ["always", "new; python_version >= '3.13'", "colors; sys_platform == 'win32'"]
    write(tmp_path / "wheels", "app", "1.0", *requires)
    publish(tmp_path / "wheels", tmp_path / "public")
    report = run_check(tmp_path / "public", python=("3.12", "3.13"), platform=("linux", "windows"))
    app = "app-1.0-py3-none-any.whl"
    windows = "Python 3.12 on windows, Python 3.13 on windows"
    new = "Python 3.13 on linux, Python 3.13 on windows"
    assert found(report) == [
        ("unsatisfied", app, "requires always, but this index has no always"),
        ("unsatisfied", app, f'requires colors; sys_platform == "win32", but this index has no colors ({windows})'),
        ("unsatisfied", app, f'requires new; python_version >= "3.13", but this index has no new ({new})'),
    ]
    names = "Python 3.12 on linux, Python 3.12 on windows, Python 3.13 on linux, Python 3.13 on windows"
    assert report.closure == f"3 requirements of 1 file looked up for {names}"


def test_what_several_files_lack_is_one_finding(tmp_path: Path) -> None:
    for version in ("1.0", "1.1", "1.2"):
        write(tmp_path / "wheels", "app", version, "gone", f"gone=={version}")
    publish(tmp_path / "wheels", tmp_path / "public")
    gone = "but this index has no gone"
    assert found(run_check(tmp_path / "public")) == [
        ("unsatisfied", "app-1.0-py3-none-any.whl", f"requires gone==1.0, {gone}"),
        ("unsatisfied", "app-1.1-py3-none-any.whl", f"requires gone==1.1, {gone}"),
        (
            "unsatisfied",
            "app-1.2-py3-none-any.whl",
            f"requires gone, {gone} (also required by app-1.1-py3-none-any.whl and 1 more)",
        ),
        ("unsatisfied", "app-1.2-py3-none-any.whl", f"requires gone==1.2, {gone}"),
    ]


def test_a_find_links_page_is_looked_up_like_an_index(tmp_path: Path) -> None:
    write(tmp_path / "wheels", "app", "1.0", "lib>=1", "gone")
    write(tmp_path / "wheels", "lib", "1.0")
    publish(tmp_path / "wheels", tmp_path / "public", links=True)
    with serve_index(tmp_path / "public") as server:
        report = run_check(f"{server.url}links.html")
    assert found(report) == [
        ("unsatisfied", "app-1.0-py3-none-any.whl", "requires gone, but this index has no gone"),
    ]


@pytest.mark.parametrize("suffix", [".tar.gz", ".zip"])
def test_what_builds_an_sdist_is_looked_up(tmp_path: Path, suffix: Any) -> None:  # noqa: ANN401 (a Suffix)
    (tmp_path / "wheels").mkdir()
    table = '[build-system]\nrequires = ["gone>=1", "lib", "colors; os_name == \'nt\'"]\n'
    sdist = write_sdist(tmp_path / "wheels", "app", "1.0", files={"pyproject.toml": table.encode()}, suffix=suffix)
    write(tmp_path / "wheels", "lib", "1.0")
    publish(tmp_path / "wheels", tmp_path / "public")
    report = run_check(tmp_path / "public")
    assert found(report) == [("unsatisfied", sdist.name, "requires gone>=1 to be built, but this index has no gone")]
    with serve_index(tmp_path / "public") as server:
        far = [run_check(f"{server.url}simple/", files=level) for level in ("head", "deep")]
    unread = "1 file not read (--files deep also reads sdists on a server)"
    assert [(found(one), one.closure) for one in far] == [
        (
            [],
            f"0 requirements of 2 files looked up for Python 3.12 on linux; {unread}",
        ),
        (found(report), report.closure),
    ]


@pytest.mark.parametrize(
    ("pyproject", "requires"),
    [
        (None, ("setuptools>=40.8.0",)),
        (b"", ("setuptools>=40.8.0",)),
        (b"[project]\nname = 'app'\n", ("setuptools>=40.8.0",)),
        (b"[build-system]\nrequires = []\n", ()),
        (b"[build-system]\nrequires = ['hatchling>=1', 'hatch-vcs']\n", ("hatchling>=1", "hatch-vcs")),
    ],
)
def test_an_sdist_that_does_not_say_what_builds_it_is_built_with_setuptools(
    pyproject: bytes | None, requires: tuple[str, ...]
) -> None:
    assert build_requires(pyproject) == requires


@pytest.mark.parametrize(
    ("pyproject", "reason"),
    [
        (b"[build-system]\n", "its pyproject.toml has no list of texts in build-system.requires: build it again"),
        (b"[build-system]\nrequires = 'a'\n", "its pyproject.toml has no list of texts in build-system.requires"),
        (b"[build-system]\nrequires = [1]\n", "its pyproject.toml has no list of texts in build-system.requires"),
        (b"[build-system", "its pyproject.toml cannot be parsed (Expected ']'"),
        (b"x = '\xff'", "its pyproject.toml cannot be parsed ('utf-8' codec"),
        (b"x = " + b"[" * 100_000, "its pyproject.toml cannot be parsed ("),
    ],
)
def test_a_pyproject_that_clients_refuse_is_refused(pyproject: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as refused:
        build_requires(pyproject)
    assert str(refused.value).startswith(reason)


# --- roots ------------------------------------------------------------------------------------------------------------


def test_only_what_the_requirements_need_is_looked_up(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    write(wheels, "app", "1.0", "lib")
    write(wheels, "lib", "1.0", "gone", "colors; os_name == 'nt'")
    write(wheels, "good", "1.0")
    write(wheels, "unrelated", "1.0", "nothing")
    publish(wheels, tmp_path / "public")
    roots = tmp_path / "requirements.txt"
    roots.write_text("good\napp==1.0  # ours\nmissing>=2\n")
    report = run_check(tmp_path / "public", requirements=(str(roots),))
    assert found(report) == [
        ("unsatisfied", f"{roots}, line 3", "requires missing>=2, but this index has no missing"),
        (
            "unsatisfied",
            "lib-1.0-py3-none-any.whl",
            f"requires gone, but this index has no gone (for app==1.0 in {roots}, line 2)",
        ),
        (
            "unsatisfied-elsewhere",
            "lib-1.0-py3-none-any.whl",
            f'requires colors; os_name == "nt", but this index has no colors (for app==1.0 in {roots}, line 2)',
        ),
    ]
    assert report.closure == "6 requirements of 3 files looked up for Python 3.12 on linux"


def test_projects_that_are_not_checked_are_read_for_the_requirements(tmp_path: Path) -> None:
    write(tmp_path / "wheels", "app", "1.0", "lib")
    write(tmp_path / "wheels", "lib", "1.0", "gone")
    publish(tmp_path / "wheels", tmp_path / "public")
    roots = tmp_path / "requirements.txt"
    roots.write_text("app\n")
    with serve_index(tmp_path / "public") as server:
        report = run_check(f"{server.url}simple/", project=("app",), requirements=(str(roots),))
    text = f"requires gone, but this index has no gone (for app in {roots}, line 1)"
    assert found(report) == [("unsatisfied", "lib-1.0-py3-none-any.whl", text)]


def test_a_requirements_file_is_read_as_pip_reads_it(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    lines = [
        "\ufeff# comment",
        "--index-url https://me:secret@host/simple/",
        "app[fast]>=1 ; python_version > '3' # why",
        "lib==1.0 \\",
        "    --hash=sha256:abc \\",
        f"    --hash=sha256:{'A' * 64}",
        "-r more/others.txt",
        "--constraint=limits.txt",
        "-e ./here",
        "https://host/six-1.0.whl",
        "six @ https://host/six-1.0.whl",
    ]
    main, others, limits = tmp_path / "main.txt", tmp_path / "more/others.txt", tmp_path / "limits.txt"
    main.write_text("\n".join(lines))
    others.write_text("tool\n-r ../main.txt\n")
    limits.write_text("lib<2\nlib>1; os_name == 'nt'\n./elsewhere\n")
    roots = read_roots([str(main)])
    assert roots == Roots(
        requirements=(
            Root("app[fast]>=1 ; python_version > '3'", f"{main}, line 3"),
            Root("lib==1.0", f"{main}, line 4", frozenset({"a" * 64})),
            Root("./here", f"{main}, line 9"),
            Root("https://host/six-1.0.whl", f"{main}, line 10"),
            Root("six @ https://host/six-1.0.whl", f"{main}, line 11"),
            Root("tool", f"{tmp_path}/more/others.txt, line 1"),
        ),
        constraints=(Root("lib<2", f"{limits}, line 1"), Root("lib>1; os_name == 'nt'", f"{limits}, line 2")),
    )
    found = [roots.in_environment(environment_for("3.12", one))[1]["lib"].versions for one in ("linux", "windows")]
    assert found == [SpecifierSet("<2,==1.0"), SpecifierSet("<2,>1,==1.0")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"app\n[project]\n", "line 2: [project] is not a requirement. Give a file as for pip install -r, with lines"),
        (b"-r gone.txt", "gone.txt: cannot be read: No such file or directory"),
        (b"caf\xe9", ": not UTF-8. Give a requirements.txt in UTF-8"),
    ],
    ids=["another format", "a missing file", "another encoding"],
)
def test_a_file_that_has_no_requirements_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "requirements.txt"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        read_roots([str(path)])
    assert (str(refused.value).startswith(f"--requirements {tmp_path}/"), reason in str(refused.value)) == (True, True)


def test_a_file_counts_only_with_a_hash_of_the_requirements(tmp_path: Path) -> None:
    wheels, public = tmp_path / "wheels", tmp_path / "public"
    write(wheels, "app", "1.0", "lib")
    write(wheels, "lib", "1.0")
    publish(wheels, public)
    hashes = {path.name: sha256(path.read_bytes()) for path in wheels.iterdir()}
    app, lib = "app-1.0-py3-none-any.whl", "lib-1.0-py3-none-any.whl"
    roots = tmp_path / "requirements.txt"
    results = []
    for wrong in ("", app, lib):
        lines = (f"{name[:3]}==1.0 --hash=sha256:{'0' * 64 if name == wrong else hashes[name]}" for name in (app, lib))
        roots.write_text("\n".join(lines))
        results.append(found(run_check(public, requirements=(str(roots),))))
    of_app, of_lib = (f"{name} in this index has another hash" for name in (app, lib))
    assert results == [
        [],
        [("unsatisfied", f"{roots}, line 1", f"requires app==1.0, but {of_app}")],
        [
            ("unsatisfied", f"{roots}, line 2", f"requires lib==1.0, but {of_lib}"),
            ("unsatisfied", app, f"requires lib, but {of_lib} (for app==1.0 in {roots}, line 1)"),
        ],
    ]


def test_a_hash_that_no_page_states_is_read_from_the_file(tmp_path: Path) -> None:
    write(tmp_path / "links", "app", "1.0")
    (wheel,) = (tmp_path / "links").iterdir()
    wheel.with_name(f"{wheel.name}.metadata").write_text("Metadata-Version: 2.1\nName: app\nVersion: 1.0\n")
    anchor = f'<a href="{wheel.name}" data-core-metadata="true">{wheel.name}</a>'
    (tmp_path / "links/index.html").write_text(f"<!DOCTYPE html>{anchor}")
    roots = tmp_path / "requirements.txt"
    roots.write_text(f"app==1.0 --hash=sha256:{sha256(wheel.read_bytes())}\n")
    with serve_index(tmp_path / "links") as server:
        results = [found(run_check(server.url, requirements=(str(roots),), files=files)) for files in ("head", "hash")]
    problem = f"this index has no sha256 of {wheel.name} to compare (--files hash reads the file)"
    assert results == [[("unsatisfied", f"{roots}, line 1", f"requires app==1.0, but {problem}")], []]


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_takes_several_environments_and_requirements(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "wheels", "app", "1.0", "lib; sys_platform == 'win32'")
    publish(tmp_path / "wheels", tmp_path / "public")
    roots = tmp_path / "requirements.txt"
    roots.write_text("app\n")
    command = ["check", str(tmp_path / "public"), "--closure", "--requirements", str(roots), "--python", "3.12"]
    statuses = [run([*command, "--platform", "linux"]), run([*command, "--platform", "linux", "--platform", "windows"])]
    output = capsys.readouterr().out
    line = f'requires lib; sys_platform == "win32", but this index has no lib (for app in {roots}, line 1'
    assert (statuses, output.count(f"app-1.0-py3-none-any.whl: {line})"), output.count(line)) == ([0, 1], 1, 2)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"requirements": ("r.txt",)}, "--requirements requires --closure"),
        ({"why": "app", "python": ("3.12", "3.13")}, "--why takes one --python and one --platform"),
        ({"closure": True, "requirements": ("/nowhere/r.txt",)}, "--requirements /nowhere/r.txt: cannot be read: "),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path: Path, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check(CheckOptions(target=tmp_path, **options))
    assert str(refused.value).startswith(reason)
