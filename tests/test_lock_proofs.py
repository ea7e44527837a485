"""The proof that an index has every file that a lock needs, after a build and by `mkindex check`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mkindex.check.engine import CheckOptions, check
from support.locks import (
    ADD_IT,
    FAST,
    FOR,
    LINUX,
    MACOS,
    MIRROR,
    NEWER_LINUX,
    NUM1,
    NUM2,
    OLD,
    PURE,
    WINDOWS,
    project_files,
    published,
    pylock,
    pylock_package,
    requirement,
    serve,
    uv_lock,
    uv_package,
    uv_project,
    write_lock,
)
from support.wheels import sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.remote_builds import Run
    from support.scripted_server import ScriptedServer

pytestmark = pytest.mark.usefixtures("isolated")


def test_a_build_for_environments_ends_with_a_proof_that_the_index_is_complete(
    server: ScriptedServer, run: Callable[..., Run]
) -> None:
    done = run(write_lock(uv_project(server)), *MIRROR, *FOR, "linux", "--platform", "windows")
    assert done.out.splitlines()[1] == (
        "Every requirement of uv.lock can be installed from this index on: 3.12 linux, 3.12 windows"
    )


def test_what_is_missing_is_named_with_file_requirement_and_environment(
    server: ScriptedServer, run: Callable[..., Run]
) -> None:
    user = project_files("user", "1.0", "py3-none-any", requires=["pure", "gone>=2; sys_platform == 'win32'"])
    serve(server, user, PURE)
    packages = uv_package("user", "1.0", server.url, user), uv_package("pure", "1.0", server.url, PURE)
    lock = write_lock(uv_lock(*packages, root='dependencies = [ { name = "user" }, { name = "pure" } ]'))
    done = run(lock, *MIRROR, *FOR, "linux", "--platform", "windows", "--format", "json")
    missing = (
        'user-1.0-py3-none-any.whl requires gone>=2; sys_platform == "win32", but this index has no gone '
        "(for user==1.0 in uv.lock; Python 3.12 on windows). "
        f"{ADD_IT}"
    )
    assert (done.status, done.messages[-1]) == (1, f"error {missing}")
    assert json.loads(done.out)["closure"] == {
        "targets": ["3.12 linux", "3.12 windows"],
        "missing": [missing],
        "unread": [],
    }


def test_the_proof_names_files_on_a_server_whose_requirements_are_unknown(
    server: ScriptedServer, run: Callable[..., Run]
) -> None:
    done = run(write_lock(uv_project(server)), *FOR, "linux")
    assert done.out.splitlines()[1] == (
        "Every known requirement of uv.lock can be installed from this index on: 3.12 linux. "
        "The requirements of old-3.0.tar.gz are unknown: --remote mirror reads them"
    )


def test_check_finds_each_removed_file_for_the_environments_that_need_it(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    lock = write_lock(uv_project(server))
    found = {}
    for name in ("fast", "num-1.0*", "num-2.0*", "pure", "old"):
        run(lock, *MIRROR, *FOR, "linux", "--platform", "windows", "--exclude", name, "--prune", "--grace", "0")
        options = CheckOptions(
            target=public,
            closure=True,
            select=("unsatisfied",),
            requirements=(lock,),
            python=("3.12",),
            platform=("linux", "windows"),
        )
        found[name] = [(one.file, one.text) for one in check(options).findings]
    lacks = "but this index does not have {}, the file that clients choose from the lock"
    assert found == {
        "fast": [
            ("uv.lock", f"requires fast==2.0, {lacks.format(f'fast-2.0-{LINUX}.whl')} (Python 3.12 on linux)"),
            ("uv.lock", f"requires fast==2.0, {lacks.format(f'fast-2.0-{WINDOWS}.whl')} (Python 3.12 on windows)"),
        ],
        "num-1.0*": [
            ("uv.lock", f"requires num==1.0, {lacks.format('num-1.0-py3-none-any.whl')} (Python 3.12 on windows)")
        ],
        "num-2.0*": [
            ("uv.lock", f"requires num==2.0, {lacks.format('num-2.0-py3-none-any.whl')} (Python 3.12 on linux)")
        ],
        "pure": [("uv.lock", f"requires pure==1.0, {lacks.format('pure-1.0-py3-none-any.whl')}")],
        "old": [("uv.lock", f"requires old==3.0, {lacks.format('old-3.0.tar.gz')}")],
    }


def test_check_names_the_environments_that_lack_a_file_of_a_bundle(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    lock = write_lock(uv_project(server))
    run(lock, *MIRROR, *FOR, "linux", "--platform", "windows")
    options: Any = {"python": ("3.12",), "platform": ("linux", "windows"), "requirements": (lock,)}
    found = {}
    for file in [path for path in public.glob("files/*/*/*") if path.suffix != ".metadata"]:
        hidden = file.rename("hidden")
        report = check(CheckOptions(target=public, closure=True, select=("unsatisfied",), **options))
        hidden.rename(file)
        found[file.name] = [one.text.removeprefix("requires ") for one in report.findings]
    missing = "but {} is missing, although its page lists it"
    linux, windows = "(Python 3.12 on linux)", "(Python 3.12 on windows)"
    where = {
        f"fast-2.0-{LINUX}.whl": ("fast==2.0", linux),
        f"fast-2.0-{WINDOWS}.whl": ("fast==2.0", windows),
        "num-1.0-py3-none-any.whl": ("num==1.0", windows),
        "num-2.0-py3-none-any.whl": ("num==2.0", linux),
        "pure-1.0-py3-none-any.whl": ("pure==1.0", ""),
        "old-3.0.tar.gz": ("old==3.0", ""),
    }
    assert found == {
        f"fast-2.0-{NEWER_LINUX}.whl": [],  # Linux means glibc 2.28, and clients there choose the other one
        **{name: [f"{pin}, {missing.format(name)} {target}".rstrip()] for name, (pin, target) in where.items()},
    }


def test_check_finds_files_with_other_bytes_than_the_lock_lists(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    lock = write_lock(uv_project(server))
    Path("wheels").mkdir()
    wheel = f"fast-2.0-{WINDOWS}.whl"
    for filename, content in {**FAST, **PURE, **OLD, **NUM1, **NUM2}.items():
        Path("wheels", filename).write_bytes(content)
    write_wheel(Path("wheels"), "fast", "2.0", tag=WINDOWS, requires_dist=["pure"])
    write_wheel(Path("wheels"), "num", "2.0", requires_dist=["pure"])
    assert run("wheels").status == 0
    options: Any = {"python": ("3.12",), "platform": ("linux", "windows"), "requirements": (lock,)}
    report = check(CheckOptions(target=public, closure=True, select=("unsatisfied",), **options))
    num = "num-2.0-py3-none-any.whl in this index has another hash"
    assert [(one.file, one.text) for one in report.findings] == [
        ("uv.lock", f"requires fast==2.0, but {wheel} in this index has another hash (Python 3.12 on windows)"),
        ("uv.lock", f"requires num==2.0, but {num} (Python 3.12 on linux)"),
    ]


def test_what_sdists_need_to_be_built_is_missing_or_taken_from_a_second_lock(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    needy = {"needy-1.0.tar.gz": sdist("needy", "1.0", backend=False)}
    setuptools = project_files("setuptools", "80.0", "py3-none-any")
    serve(server, needy, setuptools)
    lock = write_lock(
        uv_lock(uv_package("needy", "1.0", server.url, needy), root='dependencies = [{ name = "needy" }]')
    )
    done = run(lock, *MIRROR, *FOR, "linux")
    assert (done.status, done.messages[-1]) == (
        1,
        (
            "error needy-1.0.tar.gz requires setuptools to be built, but this index has no setuptools "
            f"(for needy==1.0 in uv.lock). {ADD_IT}"
        ),
    )
    line = requirement("setuptools", "80.0", setuptools)
    build = write_lock(f"--index-url {server.url}simple/\n{line}", "build.txt")
    assert run(lock, *MIRROR, *FOR, "linux", "--build-requires", build).status == 0
    assert published(public) == {*needy, *setuptools}
    assert sorted(path.name for path in public.glob("locks/*")) == ["INSTALL.md", "uv.lock"]


def test_installers_are_taken_along_in_their_newest_version_that_fits(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    tool = project_files("tool", "1.0", LINUX, WINDOWS, "sdist") | project_files("tool", "2.0", LINUX, MACOS)
    serve(server, PURE, tool | project_files("tool", "3.0rc1", LINUX))
    lock = write_lock(uv_lock(uv_package("pure", "1.0", server.url, PURE), root='dependencies = [{ name = "pure" }]'))
    options = ("--with", "Tool", *FOR, "linux", "--platform", "windows")
    assert run(lock, *MIRROR, *options).status == 0
    assert published(public) - {*PURE} == {f"tool-2.0-{LINUX}.whl", f"tool-1.0-{WINDOWS}.whl"}
    done = run(lock, *MIRROR, *options, "--platform", "musllinux_1_2_x86_64", "--with", "gone")
    assert (done.status, done.messages[-2:]) == (
        1,
        [
            "rejected --with tool: HOST/simple/ has no wheel of tool for 3.12 musllinux_1_2_x86_64",
            (
                "rejected --with gone: HOST/simple/ has no wheel of gone for 3.12 linux, 3.12 windows, "
                "3.12 musllinux_1_2_x86_64"
            ),
        ],
    )


def test_add_keeps_the_locks_that_are_published(server: ScriptedServer, public: Path, run: Callable[..., Run]) -> None:
    serve(server, PURE, OLD)
    run(write_lock(uv_lock(uv_package("pure", "1.0", server.url, PURE))), *MIRROR)
    before = (public / "locks/uv.lock").read_bytes()
    lock = write_lock(pylock(pylock_package("old", "3.0", server.url, OLD)), "pylock.toml")
    assert run("add", lock, *MIRROR).status == 0
    assert sorted(path.name for path in public.glob("locks/*")) == ["INSTALL.md", "pylock.toml", "uv.lock"]
    assert (public / "locks/uv.lock").read_bytes() == before
