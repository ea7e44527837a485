"""Builds from lock files: which files are taken, what is announced, and the lock in the published tree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import pytest

from mkindex.build.pipeline import build
from mkindex.config import Config
from support.locks import (
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
    poetry_lock,
    poetry_package,
    project_files,
    published,
    pylock,
    pylock_package,
    requirement,
    serve,
    sha256,
    uv_lock,
    uv_package,
    uv_project,
    write_lock,
)
from support.scripted_server import Reply, file_route, page_reply
from support.trees import find_broken_links, read_tree
from support.wheels import wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.remote_builds import Run
    from support.scripted_server import ScriptedServer

pytestmark = pytest.mark.usefixtures("isolated")


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
    found += [(one.path, one.headers.get("range", "bytes=0-")) for one in last]
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
