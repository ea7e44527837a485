"""Mirrored files: the second run, damage, interruptions and full disks."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from support import scripted_server
from support.builds import cold_build, publish
from support.remote_builds import (
    GIVEN,
    LISTED,
    METADATA,
    OF_SIBLING,
    OTHER,
    SIBLING,
    STREAMED,
    TRUE,
    UPLOADED,
    WHEEL,
    A,
    B,
    C,
    Run,
    link_with_hash,
    link_with_other_hash,
    page_of_links,
    read_entries,
    read_projects,
    sha256,
)
from support.scripted_server import (
    Reply,
    Request,
    ScriptedServer,
    conditional,
    cut_after,
    endless_body,
    file_route,
    reply_sequence,
    status_reply,
)
from support.trees import find_broken_links, own_files, read_tree
from support.wheels import TIMESTAMP, wheel, write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BIG = wheel("a", "1.0", files={"a.bin": bytes(range(256)) * 8000})  # 2 MB


pytestmark = pytest.mark.usefixtures("isolated")


# --- the second run ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "says", [A, link_with_other_hash("md5"), link_with_hash(A, WHEEL)], ids=["no hash", "md5", "sha256"]
)
def test_a_second_run_downloads_nothing(
    server: ScriptedServer, public: Path, run: Callable[..., Run], says: str
) -> None:
    server.routes |= {
        "/p": conditional(page_of_links(says, link_with_hash(B, OTHER)).with_headers(etag='"1"')),
        f"/{A}": file_route(WHEEL),
        f"/{B}": file_route(OTHER),
    }
    assert run(f"{server.url}p").status == 0
    before = read_tree(public)
    done = run(f"{server.url}p")
    assert (done.status, done.requests) == (0, ["GET 304 /p", f"HEAD 200 /{A}", f"HEAD 200 /{B}"])
    assert (server.sent(), read_tree(public)) == (0, before)


@pytest.mark.parametrize("how", ["reference", "mirror"])
@pytest.mark.parametrize("mark", ["etag", "modified", "size", "nothing"])
def test_a_file_that_changed_is_read_again(
    server: ScriptedServer, public: Path, run: Callable[..., Run], mark: str, how: str
) -> None:
    first, second = wheel("a", "1.0", summary="1"), wheel("a", "1.0", summary="2", body="x" * (mark == "size"))

    def route(content: bytes, number: int) -> scripted_server.Route:
        modified = {"modified": f"Sun, 02 Feb 2020 00:00:0{number} GMT", "nothing": "", "etag": ""}
        return file_route(
            content, etag=f'"{number}"' if mark == "etag" else "", modified=modified.get(mark, scripted_server.LONG_AGO)
        )

    server.routes |= {"/p": page_of_links(A), f"/{A}": route(first, 1)}
    assert run(f"{server.url}p", "--remote", how).status == 0
    server.routes[f"/{A}"] = route(second, 2)
    done = run(f"{server.url}p", "--remote", how)
    assert (done.status, done.requests) == (0, ["GET 200 /p", *STREAMED])
    assert [entry["hashes"] for entry in read_entries(public, "a", server)] == [{"sha256": sha256(second)}]


def test_a_new_hash_on_a_page_takes_effect_at_once(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    """The cached facts of a file do not depend on an earlier version of its page."""
    right, wrong = link_with_other_hash("md5"), f"{A}#md5={'0' * 32}"
    server.routes |= {f"/{A}": file_route(WHEEL), f"/{B}": file_route(OTHER)}
    found = []
    for link in wrong, right, wrong, right:
        server.routes["/p"] = page_of_links(link, link_with_hash(B, OTHER))
        found.append((run(f"{server.url}p").status, read_projects(public)))
    assert found == [(1, ["b"]), (0, ["a", "b"])] * 2


def test_a_new_requires_python_on_a_page_takes_effect_at_once(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes[f"/{A}"] = file_route(WHEEL, ranges=False)
    for python in ">=3.9", ">=3.10":
        server.routes["/p"] = page_of_links(link_with_hash(A, WHEEL, f'data-requires-python="{python}"'))
        assert run(f"{server.url}p").status == 0
        assert [entry["requires-python"] for entry in read_entries(public, "a", server)] == [python]


def test_a_sibling_that_a_page_advertises_later_is_offered(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {f"/{A}": file_route(WHEEL), SIBLING: METADATA}
    for says, more in ("", {}), (GIVEN, OF_SIBLING), ("", {}), (TRUE, OF_SIBLING):
        server.routes["/p"] = page_of_links(link_with_hash(A, WHEEL, says))
        assert run(f"{server.url}p").status == 0
        assert read_entries(public, "a", server) == [LISTED | more]


def test_metadata_is_read_once_the_server_supports_ranges(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {"/p": page_of_links(link_with_hash(A, WHEEL)), f"/{A}": file_route(WHEEL, ranges=False)}
    assert run(f"{server.url}p").status == 0
    server.routes[f"/{A}"] = file_route(WHEEL)
    assert run(f"{server.url}p").status == 0
    assert read_entries(public, "a", server) == [LISTED]


# --- mirror -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A directory of files, small and large."""
    directory = tmp_path / "wheels"
    directory.mkdir()
    write_wheel(directory, "a", "1.0", files={"a.bin": bytes(range(256)) * 8000})
    write_wheel(directory, "a", "1.1+local.1", requires_python=">=3.8,<4")
    write_wheel(directory, "b", "1!2.0", compressed=True)
    write_sdist(directory, "b", "1.0")
    return directory


def serve_files(server: ScriptedServer, directory: Path) -> list[str]:
    """Serve each file of a directory; return links with their hashes."""
    contents = {path.name: path.read_bytes() for path in sorted(directory.iterdir())}
    server.routes |= {f"/{name}": file_route(content) for name, content in contents.items()}
    server.routes |= {f"/{name.replace('+', '%2B').replace('!', '%21')}": file_route(c) for name, c in contents.items()}
    return [link_with_hash(name, content) for name, content in contents.items()]


@pytest.mark.parametrize("with_hash", [True, False])
def test_a_mirror_of_a_directory_is_the_tree_that_the_directory_gives(
    server: ScriptedServer, public: Path, wheels: Path, run: Callable[..., Run], with_hash: bool
) -> None:
    for path in wheels.iterdir():
        os.utime(path, (TIMESTAMP, TIMESTAMP))  # Last-Modified
    links = serve_files(server, wheels)
    server.routes["/p"] = page_of_links(*(link if with_hash else link.partition("#")[0] for link in links))
    done = run(f"{server.url}p", "--remote", "mirror", "--links")
    assert (done.status, read_tree(public), own_files(public)) == (
        0,
        cold_build(wheels, links=True),
        {"manifest"},
    )
    done = run(f"{server.url}p", "--remote", "mirror", "--links")
    heads = [] if with_hash else sorted(f"HEAD 200 /{name}" for name in os.listdir(wheels))
    requests = sorted(request.replace("%2B", "+").replace("%21", "!") for request in done.requests[1:])
    assert (done.status, requests) == (0, heads)
    assert "(0 written, " in done.out


def test_a_download_that_was_not_published_is_used_by_the_next_run(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {
        "/p": page_of_links(link_with_hash(A, BIG), B),
        f"/{A}": file_route(BIG),
        f"/{B}": file_route(b"no wheel"),
    }
    done = run(f"{server.url}p", "--remote", "mirror", "--strict")
    assert (done.status, read_tree(public)) == (3, {})
    done = run(f"{server.url}p", "--remote", "mirror")
    assert (done.status, done.requests) == (1, ["GET 200 /p", f"HEAD 200 /{A}", f"HEAD 200 /{B}"])
    assert read_entries(public, "a", server)[0]["hashes"] == {"sha256": sha256(BIG)}


def test_a_mirror_is_rebuilt_without_its_server(
    public: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "page.html"
    with scripted_server.run_server() as server:
        server.routes[f"/{A}"] = file_route(WHEEL)
        path.write_text(f'<a href="{server.url}{link_with_hash(A, WHEEL)}">a</a>')
        assert Run(capsys, server, str(path), "--remote", "mirror").requests == STREAMED
    before = read_tree(public)
    done = Run(capsys, server, str(path), "--remote", "mirror")
    assert (done.status, done.messages, read_tree(public)) == (0, [], before)
    cache = tmp_path / "cache"
    for one in cache.iterdir():
        one.unlink()
    done = Run(capsys, server, str(path), "--remote", "mirror")
    assert (done.status, done.messages, read_tree(public)) == (0, [], before)


@pytest.mark.parametrize(
    "harm", ["cut", "changed", "torn", "gone", "a link", "no metadata", "other metadata", "no manifest"]
)
def test_damage_in_a_mirror_is_repaired(
    server: ScriptedServer, public: Path, tmp_path: Path, run: Callable[..., Run], harm: str
) -> None:
    server.routes |= {"/p": page_of_links(link_with_hash(A, BIG)), f"/{A}": file_route(BIG)}
    assert run(f"{server.url}p", "--remote", "mirror").status == 0
    before = read_tree(public)
    (path,) = public.glob(f"files/*/*/{A}")
    metadata_path = path.with_name(f"{A}.metadata")
    if harm == "cut":
        os.truncate(path, 1000)
    elif harm == "changed":
        path.write_bytes(BIG[:1000] + b"xx" + BIG[1002:])
    elif harm == "torn":
        path.write_bytes(BIG[:-9] + b"x" + BIG[-8:])
    elif harm in ("gone", "a link"):
        path.unlink()
        if harm == "a link":
            (tmp_path / "mine").write_bytes(b"mine")
            path.symlink_to(tmp_path / "mine")
    elif harm == "no metadata":
        metadata_path.unlink()
    elif harm == "other metadata":
        metadata_path.write_bytes(b"x")
    else:
        (public / ".mkindex/manifest").unlink()
    done = run(f"{server.url}p", "--remote", "mirror")
    assert (done.status, read_tree(public)) == (0, before)
    assert done.requests[1:] == (STREAMED if harm in ("cut", "changed", "torn", "gone", "a link") else [])
    assert harm != "a link" or (tmp_path / "mine").read_bytes() == b"mine"
    assert own_files(public) == {"manifest"}


def test_a_file_that_is_missing_here_and_on_the_server_is_rejected_alone(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {
        "/p": page_of_links(link_with_hash(A, WHEEL), link_with_hash(B, OTHER)),
        f"/{A}": file_route(WHEEL),
        f"/{B}": file_route(OTHER),
    }
    assert run(f"{server.url}p", "--remote", "mirror").status == 0
    (path,) = public.glob(f"files/*/*/{A}")
    path.unlink()
    server.routes[f"/{A}"] = status_reply(404)
    done = run(f"{server.url}p", "--remote", "mirror")
    assert (done.status, read_projects(public), find_broken_links(read_tree(public))) == (1, ["b"], [])


def parts(public: Path) -> list[Path]:
    return list(public.glob(".mkindex/downloads/**/part"))


def test_a_download_is_not_published_before_it_is_verified(server: ScriptedServer, public: Path) -> None:
    content = file_route(BIG, pause=0.002)
    server.routes |= {"/p": page_of_links(A), f"/{A}": content}
    published: list[list[str]] = []

    def watched(request: Request) -> Reply:
        reply = content(request)
        body = reply.body
        assert not isinstance(body, bytes)

        def watching() -> Iterator[bytes]:
            for part in body():
                published.append(sorted(read_tree(public)) if public.exists() else [])
                yield part

        return replace(reply, body=watching)

    server.routes[f"/{A}"] = watched
    publish(f"{server.url}p", public, remote="mirror")  # type: ignore[arg-type]
    assert (len(published) > 100, [paths for paths in published if paths]) == (True, [])
    assert find_broken_links(read_tree(public)) == []


LEFT = {
    "a half": BIG[:1_000_000],
    "nothing": b"",
    "all": BIG,
    "another half": b"x" * 1_000_000,
    "another of that length": b"x" * len(BIG),
    "more": BIG + b"x" * 1000,
}


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("left", LEFT.values(), ids=LEFT)
def test_the_next_run_completes_any_unfinished_download(
    server: ScriptedServer, public: Path, run: Callable[..., Run], left: bytes, ranges: bool
) -> None:
    server.routes |= {
        "/p": page_of_links(link_with_hash(A, BIG)),
        f"/{A}": cut_after(file_route(BIG, ranges=ranges), 500_000),
    }
    server.routes[f"/{A}"] = reply_sequence(file_route(BIG), cut_after(file_route(BIG), 500_000), status_reply(503))
    assert run(f"{server.url}p", "--remote", "mirror").status == 3
    (part,) = parts(public)
    assert part.read_bytes() == BIG[:500_000]
    part.write_bytes(left)
    server.routes[f"/{A}"] = file_route(BIG, ranges=ranges)
    assert (run(f"{server.url}p", "--remote", "mirror").status, own_files(public)) == (0, {"manifest"})
    assert find_broken_links(read_tree(public)) == []
    if left == BIG[:1_000_000] and ranges:
        assert server.sent() == len(BIG) - 1_000_000 + len(page_of_links(link_with_hash(A, BIG)).body)  # type: ignore[arg-type]


def test_a_file_that_is_linked_twice_is_mirrored_correctly(server: ScriptedServer, public: Path) -> None:
    """Two threads must not write the same download."""
    server.routes |= {
        "/p": page_of_links(A, link_with_hash(A, BIG), f"./{A}", f"{A}#egg=a"),
        f"/{A}": file_route(BIG, pause=0.001),
    }
    report = publish(f"{server.url}p", public, remote="mirror", jobs=4)  # type: ignore[arg-type]
    assert (report.rejected, find_broken_links(read_tree(public)), read_projects(public)) == ((), [], ["a"])


def test_a_file_with_two_addresses_is_mirrored_from_the_first(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {
        "/p": page_of_links(f"1/{A}", f"2/{A}"),
        f"/1/{A}": file_route(WHEEL),
        f"/2/{A}": file_route(WHEEL),
    }
    assert run(f"{server.url}p", "--remote", "mirror").status == 0
    assert [path for path in read_tree(public) if path.endswith(A)] == [
        f"files/{sha256(WHEEL)[:2]}/{sha256(WHEEL)[2:]}/{A}"
    ]


def test_hard_links_give_the_same_mirror(
    server: ScriptedServer, public: Path, wheels: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {"/p": page_of_links(link_with_hash(C, BIG)), f"/{C}": file_route(wheel("c", "1.0"))}
    server.routes |= {"/p": page_of_links(C)}
    arguments = (str(wheels), f"{server.url}p", "--remote", "mirror", "--upload-time", "none")
    assert run(*arguments, "--link-mode", "hardlink").status == 0
    before = read_tree(public)
    assert "(0 written, " in run(*arguments, "--link-mode", "hardlink").out
    assert "(0 written, " in run(*arguments).out
    assert (read_tree(public), read_projects(public)) == (before, ["a", "b", "c"])


def test_a_mirror_has_no_addresses_of_its_own(server: ScriptedServer, run: Callable[..., Run]) -> None:
    server.routes |= {"/p": page_of_links(link_with_hash(A, WHEEL)), f"/{A}": file_route(WHEEL)}
    done = run(f"{server.url}p", "--remote", "mirror", "--files-url", "https://cdn.test/")
    assert (done.status, done.requests) == (2, [])
    assert "files-url" in done.messages[-1]


# --- stopped, killed, full --------------------------------------------------------------------------------------------


def start_process(server: ScriptedServer, *arguments: str, limit: int = 0) -> subprocess.Popen[str]:
    """A process that runs mkindex; `limit`: bytes of the largest file that it may write."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    return subprocess.Popen(
        [sys.executable, "-m", "mkindex", f"{server.url}p", "public", "--cache-dir", "cache", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment | {"no_proxy": "127.0.0.1"},
        preexec_fn=(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))) if limit else None,  # noqa: PLW1509
    )


@pytest.mark.slow
def test_the_next_run_resumes_the_download_of_a_killed_one(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {"/p": page_of_links(link_with_hash(A, BIG)), f"/{A}": file_route(BIG, pause=0.01)}
    with start_process(server, "--remote", "mirror") as process:
        try:
            server.wait_until_sent(600_000, f"/{A}")
        finally:
            process.kill()
    (part,) = parts(public)
    there = part.stat().st_size
    assert (200_000 < there < len(BIG), read_tree(public)) == (True, {})
    server.routes[f"/{A}"] = file_route(BIG)
    done = run(f"{server.url}p", "--remote", "mirror")
    assert (done.status, done.requests) == (0, ["GET 200 /p", f"HEAD 200 /{A}", f"GET 206 /{A}"])
    assert server.received[-1].headers["range"] == f"bytes={there}-"
    assert (find_broken_links(read_tree(public)), own_files(public)) == ([], {"manifest"})


@pytest.mark.slow
@pytest.mark.parametrize("how", ["reference", "mirror"])
@pytest.mark.parametrize("slow", ["file", "page", "head"])
def test_a_run_that_is_interrupted_ends_at_once(
    server: ScriptedServer, public: Path, run: Callable[..., Run], how: str, slow: str
) -> None:
    def late(request: Request) -> Reply:
        if request.method == "HEAD":
            server.stopped.wait(20)
        return file_route(BIG)(request)

    trickle = Reply(endless_body(b" ", 0.05), length=1_000_000)
    server.routes |= {
        "/p": trickle if slow == "page" else page_of_links(A),
        f"/{A}": late if slow == "head" else reply_sequence(file_route(BIG), file_route(BIG, pause=0.2)),
    }
    with start_process(server, "--remote", how) as process:
        try:
            deadline = time.monotonic() + 20
            expected = {"file": f"GET 200 /{A}", "page": "GET 200 /p", "head": f"HEAD 0 /{A}"}[slow]
            while expected not in server.requests() and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            _, output = process.communicate(timeout=5)
        finally:
            process.kill()
    assert (process.returncode, output.splitlines()[-1]) == (130, "interrupted: the next run finishes the job")
    assert "Traceback" not in output
    assert not public.exists() or read_tree(public) == {}
    server.routes |= {"/p": page_of_links(A), f"/{A}": file_route(BIG)}
    assert (run(f"{server.url}p", "--remote", how).status, read_projects(public)) == (0, ["a"])


@pytest.mark.slow
def test_a_full_disk_is_an_error_and_leaves_the_tree_unchanged(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {
        "/p": page_of_links(link_with_hash(B, OTHER)),
        f"/{B}": file_route(OTHER),
        f"/{A}": file_route(BIG),
    }
    assert run(f"{server.url}p", "--remote", "mirror").status == 0
    before = read_tree(public)
    server.routes["/p"] = page_of_links(link_with_hash(A, BIG), link_with_hash(B, OTHER))
    with start_process(server, "--remote", "mirror", limit=1_000_000) as process:
        _, output = process.communicate(timeout=30)
    assert process.returncode == 3
    assert output.splitlines()[-1].startswith("error cannot write public/.mkindex/downloads/")
    assert output.splitlines()[-1].endswith("/part: File too large. Free some space or fix the cause, then run again")
    assert read_tree(public) == before
    assert run(f"{server.url}p", "--remote", "mirror").status == 0
    assert (read_projects(public), find_broken_links(read_tree(public)), own_files(public)) == (
        ["a", "b"],
        [],
        {"manifest"},
    )


# --- files of which a page says all ---------------------------------------------------------------------------------


def page_in_json(content: bytes, size: int) -> Reply:
    """The page of a project that gives the hash and the size of its file."""
    file = {"filename": A, "url": f"/{A}", "hashes": {"sha256": sha256(content)}, "size": size}
    page = {"meta": {"api-version": "1.1"}, "name": "a", "versions": ["1.0"], "files": [file]}
    return Reply(json.dumps(page).encode(), headers={"Content-Type": "application/vnd.pypi.simple.v1+json"})


def test_a_file_with_hash_and_size_is_mirrored_with_one_request(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {"/simple/a/": page_in_json(WHEEL, len(WHEEL)), f"/{A}": file_route(WHEEL)}
    done = run(f"{server.url}simple/a/", "--remote", "mirror")
    assert (done.status, done.requests) == (0, ["GET 200 /simple/a/", f"GET 200 /{A}"])
    (entry,) = read_entries(public, "a", server)
    assert (entry["size"], entry["upload-time"]) == (len(WHEEL), UPLOADED)
    assert run(f"{server.url}simple/a/", "--remote", "mirror", "--dry-run").requests == ["GET 200 /simple/a/"]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (file_route(WHEEL, media_type="text/html"), "the server sends a page instead of the file: fix the link"),
        (file_route(WHEEL + b"x"), f"size mismatch: expected {len(WHEEL)} bytes, got {len(WHEEL) + 1}."),
        (file_route(OTHER), f"size mismatch: expected {len(WHEEL)} bytes, got {len(OTHER)}."),
        (file_route(bytes(len(WHEEL))), f"sha256 mismatch: expected {sha256(WHEEL)}"),
        (status_reply(404), "answers 404: not found. Check the address"),
    ],
)
def test_another_file_than_the_page_says_is_rejected_after_one_request(
    server: ScriptedServer, public: Path, run: Callable[..., Run], reply: scripted_server.Route, reason: str
) -> None:
    server.routes |= {"/simple/a/": page_in_json(WHEEL, len(WHEEL)), f"/{A}": reply}
    done = run(f"{server.url}simple/a/", "--remote", "mirror", "--keep-going")
    assert [line for line in done.messages if reason in line], done.messages
    assert [request[:3] + request[-len(A) :] for request in done.requests[1:]] == [f"GET{A}"]
    assert [path for path in read_tree(public) if A in path] == []
