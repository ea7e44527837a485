"""Lock files that lie, that no one can install from, or that name passwords."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mkindex.check.engine import CheckOptions, check
from mkindex.errors import SourceError
from mkindex.sources.locks.choice import EVERY_FILE
from mkindex.sources.locks.choose import Chosen, choose_packages
from mkindex.sources.locks.lock import Dependency, Lock, LockedPackage
from mkindex.sources.locks.read import is_lock
from support.locks import (
    FAST,
    FOR,
    MIRROR,
    NUM1,
    NUM2,
    OLD,
    PURE,
    poetry_lock,
    poetry_package,
    published,
    requirement,
    serve,
    sha256,
    uv_lock,
    uv_package,
    uv_project,
    write_lock,
)
from support.scripted_server import redirect_reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.remote_builds import Run
    from support.scripted_server import ScriptedServer

pytestmark = pytest.mark.usefixtures("isolated")


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
