"""Builds from lock files: which files are taken, what is announced, and the lock in the published tree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from mkindex.build.pipeline import build
from mkindex.check.engine import CheckOptions, check
from mkindex.config import Config
from mkindex.errors import SourceError
from mkindex.sources.locks.choice import EVERY_FILE
from mkindex.sources.locks.choose import Chosen, choose_packages
from mkindex.sources.locks.lock import Dependency, Lock, LockedPackage
from mkindex.sources.locks.read import is_lock
from support.locks import (
    LINUX,
    MACOS,
    NEWER_LINUX,
    WINDOWS,
    poetry_lock,
    poetry_package,
    project_files,
    pylock,
    pylock_package,
    requirement,
    serve,
    sha256,
    uv_lock,
    uv_package,
)
from support.scripted_server import Reply, file_route, page_reply, redirect_reply
from support.trees import find_broken_links, read_tree
from support.wheels import sdist, wheel, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.remote_builds import Run
    from support.scripted_server import ScriptedServer

pytestmark = pytest.mark.usefixtures("isolated")

FAST = project_files("fast", "2.0", LINUX, NEWER_LINUX, WINDOWS, MACOS, "sdist")
PURE = project_files("pure", "1.0", "py3-none-any", "sdist")
OLD = project_files("old", "3.0", "sdist")
NUM1, NUM2 = project_files("num", "1.0", "py3-none-any"), project_files("num", "2.0", "py3-none-any")
FOR = ("--python", "3.12", "--platform")
ADD_IT = (
    "Add what is missing (pip download REQUIREMENT; in a bundle, what builds sdists with --build-requires), then "
    "rebuild the index."
)
MIRROR = ("--remote", "mirror")


def uv_project(server: ScriptedServer) -> str:
    """A uv.lock with two versions of a project, an extra, two groups and a package that only Windows needs."""
    serve(server, FAST, PURE, OLD, {**NUM1, **NUM2})
    url, marker = server.url, "resolution-markers = [ \"sys_platform == 'win32'\" ]"
    root = (
        "dependencies = [\n"
        '    { name = "fast" },\n'
        '    { name = "num", version = "1.0", marker = "sys_platform == \'win32\'" },\n'
        '    { name = "num", version = "2.0", marker = "sys_platform != \'win32\'" },\n]\n'
        '[package.optional-dependencies]\nextra1 = [ { name = "pure" } ]\n'
        '[package.dev-dependencies]\ndev = [ { name = "old" } ]\n'
    )
    return uv_lock(
        uv_package("fast", "2.0", url, FAST),
        uv_package("num", "1.0", url, NUM1, marker),
        uv_package("num", "2.0", url, NUM2),
        uv_package("pure", "1.0", url, PURE),
        uv_package("old", "3.0", url, OLD),
        root=root,
    )


def published(root: Path) -> set[str]:
    """The names of the files in a tree."""
    return {path.name for path in root.glob("files/*/*/*") if path.suffix != ".metadata"}


def write_lock(text: str, name: str = "uv.lock") -> str:
    Path(name).write_text(text)
    return name


def test_all_files_of_a_lock_are_mirrored_and_its_copy_leads_to_them(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    text = uv_project(server)
    done = run(write_lock(text), *MIRROR)
    every = {**FAST, **PURE, **OLD, **NUM1, **NUM2}
    size = sum(map(len, every.values()))
    assert done.messages == [
        "note uv.lock: 5 packages, 10 files, 37.3 kB",
        f"note {server.url.split('/')[2]}: {size:,} bytes in 10 files will be read to mirror them",
    ]
    assert (done.status, published(public)) == (0, set(every))
    expected = text
    for filename, content in every.items():
        path = f"files/{sha256(content)[:2]}/{sha256(content)[2:]}/{filename}"
        expected = expected.replace(f"{server.url}files/{filename}", f"http://localhost:8000/{path}")
    assert (public / "locks/uv.lock").read_text() == expected
    assert find_broken_links(read_tree(public)) == []


def test_files_are_chosen_as_clients_do_for_each_environment(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    lock = write_lock(uv_project(server))
    done = run(lock, *MIRROR, *FOR, "linux", "--platform", "windows")
    assert done.messages[0] == (
        "note uv.lock: 5 packages, 10 files, 37.3 kB; for CPython 3.12 on linux, windows: 7 files, 15.8 kB"
    )
    # A newer Linux prefers the wheel for glibc 2.34. old has no wheel.
    assert published(public) == set(FAST) - {f"fast-2.0-{MACOS}.whl", "fast-2.0.tar.gz"} | {
        "pure-1.0-py3-none-any.whl",
        "old-3.0.tar.gz",
        *NUM1,
        *NUM2,
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            ("linux",),
            {f"fast-2.0-{LINUX}.whl", f"fast-2.0-{NEWER_LINUX}.whl", *NUM2, *OLD, "pure-1.0-py3-none-any.whl"},
        ),
        (("manylinux_2_28_x86_64", "--extra", "none", "--group", "none"), {f"fast-2.0-{LINUX}.whl", *NUM2}),
        (("manylinux_2_36_x86_64", "--extra", "none", "--group", "dev"), {f"fast-2.0-{NEWER_LINUX}.whl", *NUM2, *OLD}),
        (("musllinux_1_2_x86_64", "--extra", "none", "--group", "none"), {"fast-2.0.tar.gz", *NUM2}),
        (
            ("windows", "--extra", "Extra1", "--group", "none"),
            {f"fast-2.0-{WINDOWS}.whl", *NUM1, "pure-1.0-py3-none-any.whl"},
        ),
        (("macos", "--implementation", "pypy", "--extra", "none", "--group", "none"), {"fast-2.0.tar.gz", *NUM2}),
    ],
    ids=["linux", "without extras", "a group", "musl", "an extra", "PyPy"],
)
def test_markers_tags_extras_and_groups_decide(
    server: ScriptedServer, public: Path, run: Callable[..., Run], options: tuple[str, ...], expected: set[str]
) -> None:
    assert run(write_lock(uv_project(server)), *MIRROR, *FOR, *options).status == 0
    assert published(public) == expected


def test_the_extras_that_a_script_requires_are_chosen(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    web = project_files("web", "1.0", "py3-none-any")
    serve(server, web, PURE, NUM1)
    head = (
        '[manifest]\nrequirements = [{ name = "web", extras = ["more"] }]\n'
        '[manifest.dependency-groups]\ndev = [{ name = "web", extras = ["num"] }]\n'
    )
    more = '[package.optional-dependencies]\nmore = [{ name = "pure" }]\nnum = [{ name = "num" }]'
    packages = uv_package("web", "1.0", server.url, web, more), uv_package("pure", "1.0", server.url, PURE)
    text = f'version = 1\nrequires-python = ">=3.11"\n{head}' + "".join(packages)
    lock = write_lock(text + uv_package("num", "1.0", server.url, NUM1), "script.py.lock")
    assert run(lock, *MIRROR, *FOR, "linux", "--group", "none").status == 0
    assert published(public) == {*web, "pure-1.0-py3-none-any.whl"}
    assert run(lock, *MIRROR, *FOR, "linux").status == 0
    assert published(public) == {*web, "pure-1.0-py3-none-any.whl", *NUM1}


def test_a_package_without_a_fitting_file_is_rejected_by_name(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    done = run(write_lock(uv_project(server)), *MIRROR, *FOR, "linux", "--platform", "windows", "--no-sdists")
    assert (
        done.messages[2]
        == "rejected uv.lock, old 3.0: no file fits 3.12 linux, 3.12 windows, and --no-sdists leaves out sdists"
    )
    assert (done.status, "old-3.0.tar.gz" in published(public)) == (1, False)


def test_conflicting_extras_are_taken_together_or_one_by_one(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    serve(server, {**NUM1, **NUM2})
    conflict = "extra == 'extra-3-app-cpu' and extra != 'extra-3-app-gpu'"
    root = (
        "[package.optional-dependencies]\n"
        f'cpu = [ {{ name = "num", version = "1.0", marker = "{conflict}" }} ]\n'
        'gpu = [ { name = "num", version = "2.0", marker = "extra == \'extra-3-app-gpu\'" } ]\n'
    )
    packages = uv_package("num", "1.0", server.url, NUM1), uv_package("num", "2.0", server.url, NUM2)
    lock = write_lock(uv_lock(*packages, root=root))
    found = []
    for options in ((), ("--extra", "cpu"), ("--extra", "gpu"), ("--extra", "none")):
        assert run(lock, *MIRROR, *FOR, "linux", "--grace", "0", "--allow-empty", *options).status == 0
        found.append(published(public))
    assert found == [{*NUM1, *NUM2}, {*NUM1}, {*NUM2}, set()]


def test_a_lock_of_the_standard_gets_relative_paths_or_public_addresses(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    serve(server, PURE)
    text = pylock(pylock_package("pure", "1.0", server.url, PURE))
    lock = write_lock(text, "pylock.web.toml")
    copies = []
    for options in ((), ("--url", "https://packages.example.org/x")):
        assert run(lock, *MIRROR, *options).status == 0
        copies.append((public / "locks/pylock.web.toml").read_text())
    relative = public_text = text
    for filename, content in PURE.items():
        path = f"files/{sha256(content)[:2]}/{sha256(content)[2:]}/{filename}"
        old = f'url = "{server.url}files/{filename}"'
        relative = relative.replace(old, f'path = "../{path}"')
        public_text = public_text.replace(old, f'url = "https://packages.example.org/x/{path}"')
    assert copies == [relative, public_text]


def test_in_the_reference_form_pages_and_lock_lead_to_the_original_files(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    text = uv_project(server)
    assert run(write_lock(text)).status == 0
    (entry,) = list(json.loads((public / "simple/old/index.v1_json").read_text())["files"])
    assert (entry["url"], (public / "locks/uv.lock").read_text()) == (f"{server.url}files/old-3.0.tar.gz", text)
    install = (public / "locks/INSTALL.md").read_text()
    assert "Clients also need the servers that files are on" in install
    assert "uv sync --project APP --locked --index ./simple/\n" in install


def test_groups_and_extras_of_each_format_are_chosen(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    serve(server, PURE, OLD, {**NUM1, **NUM2})
    index = f"{server.url}simple/"
    marker = 'extra == "web" or sys_platform == "win32"'
    poetry = poetry_lock(
        poetry_package("pure", "1.0", PURE, source=index),
        poetry_package("old", "3.0", OLD, groups="dev", source=index),
        poetry_package("num", "2.0", NUM2, markers=marker, source=index),
        extras='web = ["num"]',
    )
    standard = pylock(
        pylock_package("pure", "1.0", server.url, PURE),
        pylock_package("old", "3.0", server.url, OLD, "marker = \"'dev' in dependency_groups\""),
        pylock_package("num", "2.0", server.url, NUM2, "marker = \"'web' in extras or sys_platform == 'win32'\""),
        head='extras = ["web"]\ndependency-groups = ["dev"]\ndefault-groups = []',
    )
    pdm = "".join(
        f'[[package]]\nname = "{name}"\nversion = "{version}"\ngroups = ["{group}"]\n{more}files = [\n'
        + "".join(f'{{url = "{server.url}files/{one}", hash = "sha256:{sha256(files[one])}"}},\n' for one in files)
        + "]\n\n"
        for name, version, group, files, more in (
            ("pure", "1.0", "default", PURE, ""),
            ("old", "3.0", "dev", OLD, ""),
            ("num", "2.0", "web", NUM2, ""),
        )
    )
    pipfile = {
        "_meta": {"sources": [{"name": "ours", "url": index.replace("//", "//user:secret@")}], "requires": {}},
        "default": {"pure": {"version": "==1.0", "hashes": [f"sha256:{sha256(one)}" for one in PURE.values()]}},
        "dev": {"old": {"version": "==3.0", "hashes": [f"sha256:{sha256(one)}" for one in OLD.values()]}},
        "web": {"num": {"version": "==2.0", "hashes": [f"sha256:{sha256(one)}" for one in NUM2.values()]}},
    }
    texts = {
        "poetry.lock": poetry,
        "pylock.toml": standard,
        "pdm.lock": f'[metadata]\ngroups = ["default"]\nlock_version = "4.5.1"\n\n{pdm}',
        "Pipfile.lock": json.dumps(pipfile, indent=4),
    }
    always, dev, web = "pure-1.0-py3-none-any.whl", "old-3.0.tar.gz", "num-2.0-py3-none-any.whl"
    found: dict[str, list[set[str]]] = {}
    for name, text in texts.items():
        kinds = ("--group", "--group") if name in ("pdm.lock", "Pipfile.lock") else ("--extra", "--group")
        found[name] = []
        for web_is, dev_is in (("web", "none"), ("none", "dev"), ("none", "none"), (None, None)):
            options = [
                part for kind, value in zip(kinds, (web_is, dev_is), strict=True) if value for part in (kind, value)
            ]
            run(write_lock(text, name), *MIRROR, *FOR, "linux", "--grace", "0", *options)
            found[name].append(published(public))
    assert found == {key: [{always, web}, {always, dev}, {always}, {always, dev, web}] for key in texts}
    assert "secret" not in (public / "locks/Pipfile.lock").read_text()


@pytest.mark.parametrize("kind", ["poetry.lock", "requirements.txt", "--index"])
def test_where_a_lock_has_no_addresses_its_index_is_asked_for_files_with_its_hashes(
    server: ScriptedServer, public: Path, run: Callable[..., Run], kind: str
) -> None:
    serve(server, FAST, PURE | {"pure-1.0-py2-none-any.whl": b"not in the lock"})
    index = f"{server.url}simple/"
    if kind == "poetry.lock":
        packages = [
            poetry_package("fast", "2.0", FAST, source=index),
            poetry_package("pure", "1.0", PURE, source=index),
        ]
        lock, options = write_lock(poetry_lock(*packages), kind), list[str]()
    else:
        lines = requirement("fast", "2.0", FAST), requirement("pure", "1.0", PURE)
        head, options = (f"--index-url {index}\n", []) if kind == "requirements.txt" else ("", ["--index", index])
        lock = write_lock("".join((head, *lines)), "requirements.txt")
    assert run(lock, *MIRROR, *options, *FOR, "windows").status == 0
    assert published(public) == {f"fast-2.0-{WINDOWS}.whl", "pure-1.0-py3-none-any.whl"}


@pytest.mark.parametrize("kind", ["poetry.lock", "requirements.txt", "pins.txt"])
def test_files_that_an_index_lacks_are_named_or_counted(
    server: ScriptedServer, public: Path, run: Callable[..., Run], kind: str
) -> None:
    wheel, windows = f"fast-2.0-{LINUX}.whl", f"fast-2.0-{WINDOWS}.whl"
    serve(server, {windows: FAST[windows]})
    files = {name: FAST[name] for name in (wheel, windows)}
    if kind == "poetry.lock":
        text = poetry_lock(poetry_package("fast", "2.0", files))
    else:
        text = requirement("fast", "2.0", files) if kind == "requirements.txt" else "fast==1.0\n"
    lock = write_lock(text, kind)
    found = []
    for options in ((), (*FOR, "windows"), (*FOR, "linux")):
        done = run(lock, *MIRROR, "--index", f"{server.url}simple/", *options)
        found.append([one for one in done.messages if f"{kind}, fast" in one])
    head, linux = f"{kind}, fast 2.0: HOST/simple/ has", f"rejected {kind}, fast 2.0: no file fits 3.12 linux"
    named, some = f"no {wheel} with the sha256 of the lock", "1 of the 2 files whose hashes are in the lock"
    none = f"rejected {kind}, fast 1.0: HOST/simple/ has no file of this version"
    expected = {
        "poetry.lock": [[f"rejected {head} {named}"], [], [f"rejected {head} {named}"]],
        "requirements.txt": [[f"rejected {head} {some}"], [f"note {head} {some}"], [f"note {head} {some}", linux]],
        "pins.txt": [[none]] * 3,
    }
    assert found == expected[kind]


def test_a_file_without_a_hash_is_found_by_its_name_alone(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    serve(server, PURE)
    server.routes["/simple/pure/"] = page_reply("".join(f'<a href="/files/{name}">x</a>' for name in reversed(PURE)))
    entry = '[[package]]\nname = "pure"\nversion = "1.0"\nfiles = [ { file = "pure-1.0-py3-none-any.whl" } ]\n'
    run(write_lock(poetry_lock(entry), "poetry.lock"), *MIRROR, "--index", f"{server.url}simple/")
    assert published(public) == {"pure-1.0-py3-none-any.whl"}


def test_the_index_option_of_requirements_leads_to_the_tree(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    serve(server, PURE)
    line = requirement("pure", "1.0", PURE)
    lock = write_lock(f"--index-url {server.url.replace('//', '//user:secret@')}simple/\n{line}", "requirements.txt")
    assert run(lock, *MIRROR).status == 0
    assert (public / "locks/requirements.txt").read_text() == f"--index-url http://localhost:8000/simple/\n{line}"


def test_what_cannot_be_mirrored_is_named_and_the_rest_is_published(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    serve(server, PURE)
    others = (
        '\n[[package]]\nname = "lib"\nversion = "1"\nsource = { editable = "packages/lib" }\n'
        '\n[[package]]\nname = "tool"\nversion = "1"\nsource = { git = "https://user:token@host.example/tool#1" }\n'
        '\n[[package]]\nname = "local"\nversion = "1"\nsource = { path = "../local-1-py3-none-any.whl" }\n'
    )
    lock = write_lock(uv_lock(uv_package("pure", "1.0", server.url, PURE), others))
    done = run(lock, *MIRROR)
    again = "publish a wheel of it in an index, and lock again. Or leave it out: --exclude"
    path = "which belongs to the project: copy it with the project, or build a wheel. Or leave it out: --exclude"
    assert done.messages[2:] == [
        f"rejected uv.lock, lib 1: it is a path (packages/lib), {path} lib",
        f"rejected uv.lock, tool 1: it is from a Git repository (https://host.example/tool): {again} tool",
        f"rejected uv.lock, local 1: it is a path (../local-1-py3-none-any.whl), {path} local",
    ]
    assert (done.status, published(public)) == (1, {*PURE})
    assert run(lock, *MIRROR, "--exclude", "lib", "--exclude", "tool", "--exclude", "local").status == 0


def test_files_of_a_directory_and_with_an_address_of_their_own_are_taken(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    serve(server, OLD)
    Path("wheels").mkdir()
    for filename, content in PURE.items():
        Path("wheels", filename).write_bytes(content)
    (old,) = OLD
    packages = (
        '\n[[package]]\nname = "pure"\nversion = "1.0"\nsource = { registry = "wheels" }\n'
        'sdist = { path = "pure-1.0.tar.gz" }\nwheels = [ { path = "pure-1.0-py3-none-any.whl" } ]\n'
        f'\n[[package]]\nname = "old"\nversion = "3.0"\nsource = {{ url = "{server.url}files/{old}" }}\n'
        f'sdist = {{ hash = "sha256:{sha256(OLD[old])}" }}\n'
    )
    done = run(write_lock(uv_lock(packages)), *MIRROR)
    assert (done.status, published(public)) == (0, {*PURE, old})
    assert done.messages[-1] == (
        "note uv.lock, old 3.0: has an address of its own in pyproject.toml: with the lock in the tree, uv installs it "
        "only from a server and with --frozen. Take it from an index, and lock again"
    )


def test_locks_and_other_sources_are_mixed(server: ScriptedServer, public: Path, run: Callable[..., Run]) -> None:
    serve(server, PURE)
    Path("wheels").mkdir()
    for filename, content in OLD.items():
        Path("wheels", filename).write_bytes(content)
    locks = write_lock(uv_lock(uv_package("pure", "1.0", server.url, PURE))), "wheels"
    assert (run(*locks, *MIRROR).status, published(public)) == (0, {*PURE, *OLD})


def test_an_unchanged_lock_changes_nothing_and_equals_a_cold_build(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    lock = write_lock(uv_project(server))
    run(lock, *MIRROR, *FOR, "linux")
    run(lock, *MIRROR)
    tree = read_tree(public)
    done = run(lock, *MIRROR)
    assert ([request for request in done.requests if "/files/" in request], read_tree(public)) == ([], tree)
    public.rename(public.with_name("other"))
    assert run(lock, *MIRROR).status == 0
    assert read_tree(public) == tree


@pytest.mark.slow
@pytest.mark.parametrize("name", ["uv.lock", "requirements.txt"])
def test_a_build_that_is_killed_again_and_again_downloads_nothing_twice(
    server: ScriptedServer, public: Path, run: Callable[..., Run], name: str
) -> None:
    wheels = {
        f"{project}-1.0-py3-none-any.whl": wheel(project, "1.0", files={f"{project}.bin": bytes(range(256)) * 4000})
        for project in ("one", "two", "six")
    }
    projects = {one[:3]: {one: content} for one, content in wheels.items()}
    serve(server, *projects.values())
    if name == "uv.lock":
        text = uv_lock(*(uv_package(project, "1.0", server.url, files) for project, files in projects.items()))
    else:
        lines = (requirement(project, "1.0", files) for project, files in projects.items())
        text = "".join((f"--index-url {server.url}simple/\n", *lines))
    lock, starts = write_lock(text, name), [0]
    for filename, sent in zip(wheels, (300_000, 1, 900_000), strict=True):
        path = f"/files/{filename}"
        killed = Event()
        server.routes[path] = stalled(wheels[filename], sent, killed)
        with start_build(lock) as process:
            try:
                server.wait_until_sent(sent, path)
            finally:
                process.kill()
        killed.set()
        server.routes[path] = file_route(wheels[filename])
        (part,) = public.glob(".mkindex/downloads/*/part")
        starts += [part.stat().st_size, 0]
    requests = [one for one in server.received if one.method == "GET" and one.path.startswith("/files/")]
    ranges = [one.headers.get("range", "bytes=0-") for one in requests]
    done = run(lock, *MIRROR)
    last = [one for one in server.received if one.method == "GET" and one.path.startswith("/files/")]
    found = [*zip((one.path for one in requests), ranges, strict=True)]
    found += [(one.path, one.headers["range"]) for one in last]
    paths = [f"/files/{filename}" for filename in wheels for _ in range(2)]
    # A file is requested from where its download ended; one of which nothing was written, from its beginning.
    assert found == [*zip(paths, (f"bytes={start}-" for start in starts), strict=False)]
    assert (done.status, published(public)) == (0, set(wheels))


def test_a_build_that_is_killed_before_it_publishes_downloads_nothing_twice(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    lock = write_lock(uv_project(server))

    def die() -> None:
        raise KeyboardInterrupt

    config = Config(sources=(lock,), destination="public", remote="mirror")
    with pytest.raises(KeyboardInterrupt):
        build(config, before_commit=die)
    done = run(lock, *MIRROR)
    assert [one for one in done.requests if one.startswith("GET")] == []
    assert (done.status, published(public)) == (0, {*FAST, *PURE, *OLD, *NUM1, *NUM2})


def stalled(content: bytes, sent: int, end: Event) -> Reply:
    """A file of which the server sends the beginning, and the rest after an event."""

    def body() -> Iterator[bytes]:
        yield content[:sent]
        end.wait(30)
        yield content[sent:]

    return Reply(body, length=len(content))


def start_build(lock: str) -> subprocess.Popen[bytes]:
    """A process that mirrors the files of a lock, one after another."""
    command = [sys.executable, "-m", "mkindex", lock, "public", *MIRROR, "--jobs", "1", "--cache-dir", "cache"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment | {"no_proxy": "127.0.0.1"})


# --- the proof --------------------------------------------------------------------------------------------------------


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


# --- locks that lie ---------------------------------------------------------------------------------------------------


def test_files_with_another_hash_size_or_name_than_the_lock_says_are_rejected(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    serve(server, PURE, OLD, NUM1, FAST)
    damaged = uv_package("old", "3.0", server.url, OLD).replace(sha256(*OLD.values()), "0" * 64)
    shorter = uv_package("num", "1.0", server.url, NUM1).replace("size = ", "size = 1")
    renamed = uv_package("fast", "2.0", server.url, NUM2)
    malformed = uv_package("pure", "1.0", server.url, PURE).replace(sha256(PURE["pure-1.0.tar.gz"]), "abc")
    done = run(write_lock(uv_lock(damaged, shorter, renamed, malformed)), *MIRROR)
    (num,) = NUM1.values()
    assert sorted(done.messages[2:]) == [
        "rejected HOST/files/num-1.0-py3-none-any.whl: size mismatch: expected "
        f"1{len(num)} bytes, got {len(num)}. Damaged download or replaced file; not published".replace(
            f"1{len(num)}", f"{int(f'1{len(num)}'):,}"
        ),
        (
            f"rejected HOST/files/old-3.0.tar.gz: sha256 mismatch: expected {'0' * 64}, got {sha256(*OLD.values())}. "
            "Damaged download or replaced file; not published"
        ),
        (
            "rejected uv.lock, fast 2.0: num-2.0-py3-none-any.whl is not a file of this package: the lock is wrong. "
            "Lock again"
        ),
        (
            "rejected uv.lock, pure 1.0: malformed hash: sha256 has 64 hexadecimal digits, got 'abc'. "
            "pip and uv refuse it. Fix or remove the hash"
        ),
    ]
    assert (done.status, published(public)) == (1, {"pure-1.0-py3-none-any.whl"})


@pytest.mark.parametrize("name", ["requirements.txt", "Pipfile.lock"])
def test_a_malformed_hash_rejects_a_file_and_not_the_whole_lock(
    name: str, server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    serve(server, PURE)
    text = f"--index-url {server.url}simple/\n" + requirement("pure", "1.0", PURE)
    if name == "Pipfile.lock":
        hashes = [f"sha256:{sha256(content)}" for content in PURE.values()]
        sources = [{"name": "main", "url": f"{server.url}simple/"}]
        text = json.dumps(
            {"_meta": {"sources": sources}, "default": {"pure": {"version": "==1.0", "hashes": hashes}}}, indent=1
        )
    done = run(write_lock(text.replace(sha256(PURE["pure-1.0.tar.gz"]), "abc"), name), *MIRROR)
    why = "malformed hash: sha256 has 64 hexadecimal digits, got 'abc'. pip and uv refuse it. Fix or remove the hash"
    assert [one for one in done.messages if one.startswith("rejected")] == [f"rejected {name}, pure 1.0: {why}"]
    assert (done.status, published(public)) == (1, {"pure-1.0-py3-none-any.whl"})


def test_an_address_that_leads_elsewhere_is_verified_by_the_hash_of_the_lock(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    serve(server, PURE, OLD)
    server.routes["/files/pure-1.0-py3-none-any.whl"] = redirect_reply("/files/old-3.0.tar.gz")
    done = run(write_lock(uv_lock(uv_package("pure", "1.0", server.url, PURE))), *MIRROR)
    assert [message.partition(":")[0] for message in done.messages[2:]] == [
        "rejected HOST/files/pure-1.0-py3-none-any.whl"
    ]
    assert (done.status, published(public)) == (1, {"pure-1.0.tar.gz"})


HOSTILE = {
    "deep": ("version = 1\nx = " + "[" * 100_000, "cannot be parsed (it is nested too deeply). Lock again"),
    "dotted": ("version = 1\n" + "a." * 10_000 + "b = 1\n", "has a key of more than 50 parts. Lock again"),
    "many": (
        "version = 1\n" + '[[package]]\nname = "a"\n' * 10_000,
        "names 10,000 packages and 0 files, more than the 5,000 and 200,000 that mkindex reads",
    ),
    "new version": ('version = 9\n[[package]]\nname = "a"\n', "`version` is 9, and mkindex reads 1"),
    "wrong type": ("version = 1\npackage = 1\n", "`package` is not a list of tables"),
    "bad name": ('version = 1\n[[package]]\nname = "../a"\n', "'../a' is not the name of a project"),
    "bad version": ('version = 1\n[[package]]\nname = "a"\nversion = "1.0!"\n', "'1.0!' is not a version"),
    "bad version of a requirement": ("a===2004d\n", "'2004d' is not a version"),
    "cut": (
        'version = 1\n[[package]]\nname = "a',
        "cannot be parsed (Illegal character '\\n' (at line 3, column 10)). Lock again",
    ),
    "other": ('version = 1\n[tool]\nname = "a"\n', ("is TOML, but not a uv.lock, pylock.toml, poetry.lock or pdm.lock. "
        "Give one of these, or a directory of wheels")),
    # Quadratic work on these would take hours.
    "long word": (
        f'version = "{"a" * 1_000_000}"\n[[package]]\nname = "a"\n',
        f"`version` is '{'a' * 79}, and mkindex reads 1",
    ),
    "spaces": (
        f"a >= 1{' ' * 1_000_000}b\n",
        "line 1: a >= 1" + " " * 94 + " is not a requirement such as demo==1.0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_lock_is_one_error_and_leaves_the_destination(
    public: Path, run: Callable[..., Run], case: str
) -> None:
    text, problem = HOSTILE[case]
    lock = write_lock(f"{text}\n")
    done = run(lock)
    assert (done.status, done.messages, public.exists()) == (3, [f"error {Path(lock).resolve()}: {problem}"], False)


def test_the_work_on_extras_does_not_grow_with_the_square_of_their_number(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    serve(server, PURE)
    numbers = range(30_000)
    extras = ", ".join(f'"e{number}"' for number in numbers)
    required = ", ".join(f'{{ name = "b{number}" }}' for number in numbers)
    root, requires = f'dependencies = [ {{ name = "pure", extra = [{extras}] }} ]', f"dependencies = [{required}]"
    run(write_lock(uv_lock(uv_package("pure", "1.0", server.url, PURE, requires), root=root)), *MIRROR, *FOR, "linux")
    assert published(public) == {"pure-1.0-py3-none-any.whl"}


def test_the_work_on_versions_does_not_grow_with_the_square_of_their_number() -> None:
    many = 10 * (Dependency("a", extras=("x",)),)
    packages = tuple(LockedPackage("a", str(number), dependencies=many) for number in range(10_000))
    lock = Lock(name="uv.lock", kind="uv", text="", packages=packages, roots=many)
    assert choose_packages(lock, EVERY_FILE, None) == [Chosen(package, ()) for package in packages]


def test_requirements_may_begin_with_one_that_has_an_address(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    serve(server, PURE, NUM1)
    name = "pure-1.0-py3-none-any.whl"
    lock = write_lock(f"pure @ {server.url}files/{name}#sha256={sha256(PURE[name])}\nnum==1.0\n", "requirements.txt")
    assert run(lock, *MIRROR, "--index", f"{server.url}simple/").status == 0
    assert published(public) == {name, *NUM1}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16-le", "utf-16-be"])
def test_requirements_may_be_in_the_encodings_that_clients_read(
    server: ScriptedServer, public: Path, run: Callable[..., Run], encoding: str
) -> None:
    serve(server, PURE)
    text = f"--index-url {server.url}simple/\n{requirement('pure', '1.0', PURE)}"
    Path("requirements.txt").write_bytes((text if encoding == "utf-8-sig" else f"\ufeff{text}").encode(encoding))
    assert (run("requirements.txt", *MIRROR).status, published(public)) == (0, {*PURE})
    assert (public / "locks/requirements.txt").read_text().startswith("--index-url http://localhost:8000/simple/\n")
    assert check(CheckOptions(target=public, closure=True, requirements=("requirements.txt",))).findings == ()


def test_requirements_may_begin_with_a_repository_or_have_paths(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    serve(server, PURE)
    lines = "git+https://host.example/tool.git@v1\npure==1.0\n./here\n"
    options = (*MIRROR, "--index", f"{server.url}simple/")
    done = run(write_lock(lines, "requirements.txt"), *options)
    assert [one.partition(":")[0] for one in done.messages if one.startswith("rejected")] == [
        "rejected requirements.txt, tool",
        "rejected requirements.txt, here",
    ]
    assert (done.status, published(public)) == (1, {*PURE})
    assert run("requirements.txt", *options, "--exclude", "tool", "--exclude", "here").status == 0
    done = run("requirements.txt", *options, *FOR, "linux")
    assert [one.partition(":")[0] for one in done.messages if one.startswith("rejected")] == [
        "rejected requirements.txt, tool",
        "rejected requirements.txt, here",
    ]


def test_a_project_is_not_mirrored_with_its_requirements(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    serve(server, PURE)
    lock = write_lock("-e .\npure==1.0\n", "requirements.txt")
    done = run(lock, *MIRROR, "--index", f"{server.url}simple/", *FOR, "linux")
    assert (done.status, published(public)) == (0, {"pure-1.0-py3-none-any.whl"})
    assert done.out.splitlines()[1] == (
        "Every requirement of requirements.txt can be installed from this index on: 3.12 linux"
    )


def test_an_address_without_a_name_is_an_error_that_says_how_to_name_it(run: Callable[..., Run]) -> None:
    address = "https://host.example/six-1.0-py3-none-any.whl"
    done = run(write_lock(f"six==1.0\n{address}\n", "requirements.txt"))
    path = Path("requirements.txt").resolve()
    assert done.messages == [f"error {path}: line 2: {address} has no name. Write NAME @ {address}"]


def test_blank_lines_before_a_list_are_skipped_in_linear_time() -> None:
    assert is_lock(b"\n" * 1_000_000 + b"demo==1.0\n", "requirements.txt")


def test_loose_requirements_are_an_error_that_says_how_to_lock(run: Callable[..., Run]) -> None:
    done = run(write_lock("demo>=1\nother==1.0\nthird\n", "requirements.txt"))
    path = Path("requirements.txt").resolve()
    assert (done.status, done.messages) == (
        3,
        [
            (
                f"error {path}: 2 requirements without == and without hashes (demo, third): "
                "lock it first: uv lock / pip lock / pip-compile --generate-hashes"
            )
        ],
    )


@pytest.mark.parametrize(
    ("arguments", "status", "problem"),
    [
        (("--extra", "x"), 3, "--extra x: {lock} has no such extra (it has extra1)"),
        (("--python", "3.9", "--platform", "linux"), 3, ("{lock} is locked for Python >=3.11, not for 3.9.0. "
         "Choose another --python, or lock again")),
        (("--python", "3.12"), 2, "--python requires --platform: clients choose files by both"),
        (("--implementation", "jython", *FOR, "linux"), 2, "--implementation must be cpython or pypy, not jython"),
        (("--index", "ftp://host.example"), 2, "--index must be an http, https or file URL, not ftp://host.example"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit_the_lock_are_errors(
    server: ScriptedServer, run: Callable[..., Run], arguments: tuple[str, ...], status: int, problem: str
) -> None:
    lock = write_lock(uv_project(server))
    done = run(lock, *arguments)
    assert (done.status, done.messages[-1]) == (status, f"error {problem.format(lock=Path(lock).resolve())}")


@pytest.mark.parametrize("option", ["extra", "group"])
def test_check_refuses_an_extra_or_group_that_the_lock_does_not_have(
    server: ScriptedServer, public: Path, run: Callable[..., Run], option: str
) -> None:
    lock = write_lock(uv_project(server))
    run(lock, *MIRROR)
    known = {"extra": "extra1", "group": "dev"}[option]
    options: Any = {option: ("x",)}
    with pytest.raises(SourceError) as caught:
        check(CheckOptions(target=public, closure=True, requirements=(lock,), **options))
    assert str(caught.value) == f"--{option} x: uv.lock has no such {option} (it has {known})"


def test_check_refuses_a_python_that_the_lock_is_not_for(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    lock = write_lock(uv_project(server))
    run(lock, *MIRROR)
    options: Any = {"python": ("3.9",), "platform": ("linux",), "requirements": (lock,)}
    with pytest.raises(SourceError) as caught:
        check(CheckOptions(target=public, closure=True, **options))
    assert str(caught.value) == (
        "uv.lock is locked for Python >=3.11, not for 3.9.0. Choose another --python, or lock again"
    )


def test_options_for_locks_need_a_lock(run: Callable[..., Run]) -> None:
    Path("wheels").mkdir()
    done = run("wheels", *FOR, "linux")
    assert (done.status, done.messages[-1]) == (2, "error --python is for lock files, and no SOURCE is one")


def test_a_lock_without_addresses_and_without_an_index_asks_for_one(run: Callable[..., Run]) -> None:
    done = run(write_lock(poetry_lock(poetry_package("pure", "1.0", PURE)), "poetry.lock"))
    assert (done.status, done.messages) == (
        3,
        [
            (
                "error poetry.lock has no addresses for pure 1.0, and names no index. "
                "Give the address of the index that it was made with: --index URL"
            )
        ],
    )


def test_two_locks_of_one_name_are_an_error(server: ScriptedServer, run: Callable[..., Run]) -> None:
    lock = write_lock(uv_project(server))
    Path("b").mkdir()
    done = run(lock, write_lock(Path(lock).read_text(), "b/uv.lock"))
    assert (done.status, done.messages[-1]) == (
        3,
        "error two lock files are called uv.lock, and both would be locks/uv.lock. Rename one",
    )


def test_passwords_of_a_lock_are_neither_used_nor_published(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    serve(server, PURE)
    secret = server.url.replace("//", "//user:secret@")
    assert run(write_lock(uv_lock(uv_package("pure", "1.0", secret, PURE))), *MIRROR).status == 0
    assert {request.headers.get("authorization") for request in server.received} == {None}
    assert "secret" not in (public / "locks/uv.lock").read_text()


def test_the_password_of_a_repository_is_not_published(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    serve(server, PURE)
    tool = '\n[[package]]\nname = "tool"\nversion = "1"\nsource = { git = "ssh://git:sec@ret@host.example:22/tool" }\n'
    lock = write_lock(uv_lock(uv_package("pure", "1.0", server.url, PURE), tool))
    assert run(lock, *MIRROR, "--exclude", "tool").status == 0
    assert '{ git = "ssh://git@host.example:22/tool" }' in (public / "locks/uv.lock").read_text()


def test_no_part_of_a_password_in_a_requirements_file_is_printed_or_published(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    serve(server, PURE)
    index = server.url.replace("//", "//user:sec@ret@")
    repository = "git+https://user:sec@ret@host.example/repo.git"
    lines = f"--index-url {index}simple/\n-e {repository}\n{repository}@v1#egg=Other\npure==1.0\n"
    done = run(write_lock(lines, "requirements.txt"), *MIRROR)
    assert done.messages[2:] == [
        (
            "rejected requirements.txt, repo: it is from a Git repository (git+https://host.example/repo.git): "
            "publish a wheel of it in an index, and lock again. Or leave it out: --exclude repo"
        ),
        (
            "rejected requirements.txt, other: it is from a Git repository (git+https://host.example/repo.git@v1): "
            "publish a wheel of it in an index, and lock again. Or leave it out: --exclude other"
        ),
    ]
    assert "ret@" not in (public / "locks/requirements.txt").read_text()
    other = "-r https://user:sec@ret@host.example/other.txt\n"
    bad = "demo==1.0 git+https://user:sec@ret@host.example/repo.git\n"
    path = Path("requirements.txt").resolve()
    assert run(write_lock(other, "requirements.txt")).messages == [
        (
            f"error {path}: line 1: -r https://host.example/other.txt: a lock has to be one file. Lock both together: "
            "uv pip compile requirements.txt --generate-hashes --output-file locked.txt"
        )
    ]
    assert run(write_lock(bad, "requirements.txt")).messages == [
        (f"error {path}: line 1: demo==1.0 git+https://host.example/repo.git is not a requirement such as demo==1.0")
    ]
