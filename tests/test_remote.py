"""Builds from a server that misbehaves: what is listed is there, what is ours is whole, the rest is as it was."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile, ZipInfo

import pytest

from mkindex import cli, remote
from mkindex.build import build
from mkindex.config import Config
from mkindex.destinations.directory import Directory
from mkindex.model import File, place
from mkindex.remote import in_place
from support import scripted_server
from support.builds import cold_build, publish
from support.scripted_server import (
    Reply,
    Request,
    ScriptedServer,
    conditional,
    cut_after,
    endless_body,
    file_route,
    page_reply,
    redirect_reply,
    reply_sequence,
    status_reply,
)
from support.trees import anchors, find_broken_links, own_files, read_tree
from support.wheels import DATE, metadata, sdist, wheel, wheel_filename, write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

A, B, C = "a-1.0-py3-none-any.whl", "b-1.0-py3-none-any.whl", "c-1.0-py3-none-any.whl"
WHEEL = wheel("a", "1.0", requires_python=">=3.8")
METADATA = metadata("a", "1.0", requires_python=">=3.8")
OTHER = wheel("b", "1.0")
BIG = wheel("a", "1.0", files={"a.bin": bytes(range(256)) * 8000})  # 2 MB
SECOND = "2026-01-02T03:04:05Z"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    scripted_server.isolate_client(monkeypatch, tmp_path / "home")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server.run_server() as server:
        yield server


@pytest.fixture
def public(tmp_path: Path) -> Path:
    return tmp_path / "public"


class Run:
    """What a run of the command came to, and what the server was asked for meanwhile."""

    def __init__(self, capsys: pytest.CaptureFixture[str], server: ScriptedServer, *arguments: str) -> None:
        server.forget()
        capsys.readouterr()
        self.status = cli.run([*arguments, "public", "--jobs", "1", "--cache-dir", "cache"])
        self.out, err = capsys.readouterr()
        self.requests = server.requests()
        self.said = [line.replace(server.url, "HOST/") for line in err.splitlines()]
        assert [line for line in (self.out + err).split("\n") if not line.isprintable()] == []


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], server: ScriptedServer) -> Callable[..., Run]:
    return lambda *arguments: Run(capsys, server, *arguments)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def linked(*names: str) -> Reply:
    """A page of links to files beside it."""
    return page_reply("<!DOCTYPE html>\n" + "".join(f'<a href="{name}">x</a>\n' for name in names))


def hashed(name: str, content: bytes, more: str = "") -> str:
    """A link with the hash of the file, and more attributes."""
    return f"{name}#sha256={sha256(content)}" + (f'" {more} data-x="' if more else "")


def entries(root: Path, project: str, server: ScriptedServer) -> list[dict[str, Any]]:
    """What the JSON page says, which the HTML page says, too."""
    text = (root / "simple" / project / "index.v1_json").read_text()
    html = (root / "simple" / project / "index.html").read_bytes()
    files: list[dict[str, Any]] = json.loads(text.replace(server.url, "HOST/"))["files"]
    assert [anchor.text for anchor in anchors(html)] == [file["filename"] for file in files]
    return files


def projects(root: Path) -> list[str]:
    return [entry["name"] for entry in json.loads((root / "simple/index.v1_json").read_text())["projects"]]


def listed(name: str, content: bytes, **more: object) -> dict[str, Any]:
    return {
        "filename": name,
        "url": f"HOST/{name}",
        "hashes": {"sha256": sha256(content)},
        "size": len(content),
        **{key.replace("_", "-"): value for key, value in more.items()},
    }


LISTED = listed(A, WHEEL, requires_python=">=3.8")
SEEN = [f"HEAD 200 /{A}", f"GET 206 /{A}"]
STREAMED = [f"HEAD 200 /{A}", f"GET 200 /{A}"]


def weaker(name: str) -> str:
    return f"{A}#{name}={hashlib.new(name, WHEEL).hexdigest()}"


# --- reference: the hash ---------------------------------------------------------------------------------------------


def test_a_file_with_a_hash_is_looked_into_and_not_read(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {"/p": linked(hashed(A, WHEEL)), f"/{A}": file_route(WHEEL)}
    done = run(f"{server.url}p")
    assert (done.status, done.said, done.requests) == (0, [], ["GET 200 /p", *SEEN])
    assert entries(public, "a", server) == [LISTED]
    assert sorted(path for path in read_tree(public) if path.startswith("files")) == []


@pytest.mark.parametrize(
    "link", [A, weaker("md5"), weaker("sha512"), f"{A}#md5=nonsense", f"{A}#egg=a", f"{A}#sha256="]
)
def test_a_file_without_a_sha256_is_read_once_for_it(
    server: ScriptedServer, public: Path, run: Callable[..., Run], link: str
) -> None:
    server.routes |= {"/p": linked(link), f"/{A}": file_route(WHEEL)}
    done = run(f"{server.url}p")
    note = f"{len(WHEEL)} bytes in 1 file will be read to compute sha256 (--allow-unhashed leaves it out)"
    assert (done.status, done.requests) == (0, ["GET 200 /p", *STREAMED])
    assert done.said == [f"note 127.0.0.1:{server.port}: {note}"]
    assert entries(public, "a", server) == [LISTED]


@pytest.mark.parametrize("options", [{}, {"remote": "mirror"}])
def test_what_will_be_read_is_announced_before_it_is(
    server: ScriptedServer, tmp_path: Path, options: dict[str, str]
) -> None:
    from mkindex.build import build
    from mkindex.config import Config

    server.routes |= {"/p": linked(A, B), f"/{A}": file_route(WHEEL), f"/{B}": file_route(OTHER)}
    before: list[list[str]] = []
    config: Any = {"sources": (f"{server.url}p",), "destination": str(tmp_path / "public"), **options}
    build(Config(**config), announce=lambda note: before.append(server.requests()))
    assert [sorted(requests) for requests in before] == [["GET 200 /p", f"HEAD 200 /{A}", f"HEAD 200 /{B}"]]


@pytest.mark.parametrize("how", ["reference", "mirror"])
def test_more_than_may_be_downloaded_stops_before_anything_is(
    server: ScriptedServer, public: Path, run: Callable[..., Run], how: str
) -> None:
    server.routes |= {"/p": linked(A, B), f"/{A}": file_route(WHEEL), f"/{B}": file_route(OTHER)}
    total = len(WHEEL) + len(OTHER)
    done = run(f"{server.url}p", "--max-download", str(total - 1), "--remote", how)
    why = "to mirror them" if how == "mirror" else "to compute sha256 (--allow-unhashed leaves it out)"
    assert (done.status, done.said) == (
        3,
        [
            (
                f"error 127.0.0.1:{server.port}: {total:,} bytes in 2 files would have to be read {why}, and "
                f"--max-download allows {total - 1:,}: raise it, or choose fewer files with --include"
            )
        ],
    )
    assert done.requests == ["GET 200 /p", f"HEAD 200 /{A}", f"HEAD 200 /{B}"]
    assert not public.exists()
    assert run(f"{server.url}p", "--max-download", str(total), "--remote", how).status == 0


@pytest.mark.parametrize("how", ["reference", "mirror"])
def test_files_of_unknown_size_are_read_no_further_than_may_be_downloaded_in_all(
    server: ScriptedServer, public: Path, run: Callable[..., Run], how: str
) -> None:
    half = wheel("a", "1.0", files={"x": bytes(60_000)})
    other = wheel("b", "1.0", files={"x": bytes(60_000)})
    server.routes |= {
        "/p": linked(A, B),
        f"/{A}": file_route(half, length=False),
        f"/{B}": file_route(other, length=False),
    }
    done = run(f"{server.url}p", "--max-download", "100kB", "--remote", how)
    assert (done.status, public.exists() and read_tree(public)) in ((3, False), (3, {}))
    assert "--max-download" in done.said[-1]
    assert run(f"{server.url}p", "--max-download", "200kB", "--remote", how).status == 0


@pytest.mark.parametrize("how", ["reference", "mirror"])
def test_a_file_without_an_end_is_left_at_what_may_be_downloaded(
    server: ScriptedServer, public: Path, run: Callable[..., Run], how: str
) -> None:
    server.routes |= {"/p": linked(A), f"/{A}": Reply(endless_body())}
    done = run(f"{server.url}p", "--max-download", "1MB", "--remote", how)
    assert done.status == 3
    assert "--max-download" in done.said[-1]
    assert server.sent() < 30_000_000
    assert not public.exists() or (read_tree(public), own_files(public) - {"downloads"}) == ({}, set())


def test_a_hash_can_be_left_out(server: ScriptedServer, public: Path, run: Callable[..., Run]) -> None:
    server.routes |= {"/p": linked(A), f"/{A}": file_route(WHEEL)}
    done = run(f"{server.url}p", "--allow-unhashed", "--max-download", "0")
    assert (done.status, done.said, done.requests) == (0, [], ["GET 200 /p", *SEEN])
    assert entries(public, "a", server) == [LISTED | {"hashes": {}}]
    assert [anchor.attributes["href"] for anchor in anchors((public / "simple/a/index.html").read_bytes())] == [
        f"{server.url}{A}"
    ]
    assert run(f"{server.url}p").status == 0
    assert entries(public, "a", server) == [LISTED]


def test_a_dry_run_reads_and_writes_nothing(server: ScriptedServer, public: Path, run: Callable[..., Run]) -> None:
    server.routes |= {"/p": linked(A), f"/{A}": file_route(WHEEL)}
    for how in "reference", "mirror":
        done = run(f"{server.url}p", "--dry-run", "--remote", how)
        assert (done.status, [request for request in done.requests if request.startswith("GET 200 /a")]) == (0, [])
        assert "would be read" in done.said[0]
    assert not public.exists()


@pytest.mark.parametrize("how", ["reference", "mirror"])
def test_a_file_that_is_named_twice_is_asked_for_once(
    server: ScriptedServer, public: Path, run: Callable[..., Run], how: str
) -> None:
    server.routes |= {"/p": linked(A, A), f"/{A}": file_route(WHEEL)}
    done = run(f"{server.url}p", "--remote", how)
    assert (done.status, done.requests) == (0, ["GET 200 /p", *STREAMED])


# --- reference: the metadata ----------------------------------------------------------------------------------------


def huge_wheel(path: Path, size: int, *, first: bool) -> Path:
    """A wheel with a member of so many zeros, which take no room on a disk, before or behind its METADATA."""
    with path.open("w+b") as stream, ZipFile(stream, "w") as archive:

        def zeros() -> None:
            info = ZipInfo("a/zeros.bin", DATE)
            info.file_size = info.compress_size = size
            info.CRC = 0  # nobody reads that far
            info.header_offset = stream.tell()
            stream.write(info.FileHeader(zip64=False))
            stream.seek(size, os.SEEK_CUR)
            archive.start_dir = stream.tell()
            archive.filelist.append(info)
            archive.NameToInfo[info.filename] = info

        if first:
            zeros()
        archive.writestr(ZipInfo("a-1.0.dist-info/METADATA", DATE), METADATA)
        archive.writestr(ZipInfo("a-1.0.dist-info/WHEEL", DATE), "Wheel-Version: 1.0\n")
        if not first:
            zeros()
        archive.writestr(ZipInfo("a-1.0.dist-info/RECORD", DATE), "")
    return path


@pytest.mark.parametrize("first", [True, False])
def test_of_a_huge_wheel_little_is_fetched(
    server: ScriptedServer, public: Path, tmp_path: Path, run: Callable[..., Run], first: bool
) -> None:
    path = huge_wheel(tmp_path / A, 300_000_000, first=first)
    server.routes |= {"/p": linked(f"{A}#sha256={'0' * 64}"), f"/{A}": file_route(path, etag='"1"')}
    done = run(f"{server.url}p")
    assert (done.status, done.said) == (0, [])
    assert done.requests == ["GET 200 /p", f"HEAD 200 /{A}", f"GET 206 /{A}", f"GET 206 /{A}"]
    assert server.sent() < 100_000
    assert [(entry["size"], entry["requires-python"]) for entry in entries(public, "a", server)] == [
        (path.stat().st_size, ">=3.8")
    ]


def test_of_a_huge_directory_no_more_is_fetched_than_there_is_of_it(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    content = wheel("a", "1.0", files={f"a/{'x' * 90}{n}": b"" for n in range(1000)} | {"a/z": bytes(3_000_000)})
    server.routes |= {"/p": linked(hashed(A, content)), f"/{A}": file_route(content)}
    assert run(f"{server.url}p").status == 0
    assert server.sent() < 400_000


SIBLING = f"/{A}.metadata"
OF_SIBLING = {"core-metadata": {"sha256": sha256(METADATA)}}
GIVEN = f'data-core-metadata="sha256={sha256(METADATA)}"'
TRUE = 'data-core-metadata="true"'
# What the page says, what is there, what is asked for after the wheel's HEAD, and what the page of ours says.
SIBLINGS: dict[str, tuple[str, scripted_server.Route, list[str], dict[str, Any]]] = {
    "a good one": (GIVEN, METADATA, [f"GET 200 {SIBLING}"], OF_SIBLING),
    "by its older name": (
        GIVEN.replace("core", "dist-info"),
        METADATA,
        [f"GET 200 {SIBLING}"],
        OF_SIBLING,
    ),
    "without a hash": (
        TRUE,
        METADATA,
        [f"GET 200 {SIBLING}", f"GET 206 /{A}"],
        OF_SIBLING,
    ),
    "none": (GIVEN, status_reply(404), [f"GET 404 {SIBLING}", f"GET 206 /{A}"], {}),
    "forbidden": (
        GIVEN,
        status_reply(403),
        [f"GET 403 {SIBLING}", f"GET 206 /{A}"],
        {},
    ),
    "with another hash": (
        GIVEN,
        METADATA + b"\n",
        [f"GET 200 {SIBLING}", f"GET 206 /{A}"],
        {},
    ),
    "other than the wheel's": (
        TRUE,
        METADATA + b"\n",
        [f"GET 200 {SIBLING}", f"GET 206 /{A}"],
        {},
    ),
    "not advertised": ("", METADATA, [f"GET 206 /{A}"], {}),
    "denied": ('data-core-metadata="false"', METADATA, [f"GET 206 /{A}"], {}),
}


@pytest.mark.parametrize(("says", "reply", "asked", "more"), SIBLINGS.values(), ids=SIBLINGS)
def test_a_metadata_sibling_is_offered_when_it_is_there_and_right(
    *,
    server: ScriptedServer,
    public: Path,
    run: Callable[..., Run],
    says: str,
    reply: scripted_server.Route,
    asked: list[str],
    more: dict[str, Any],
) -> None:
    server.routes |= {"/p": linked(hashed(A, WHEEL, says)), f"/{A}": file_route(WHEEL), SIBLING: reply}
    done = run(f"{server.url}p")
    assert (done.status, done.said) == (0, [])
    assert (done.requests[1], sorted(done.requests[2:])) == (f"HEAD 200 /{A}", sorted(asked))
    assert entries(public, "a", server) == [LISTED | more]


def test_a_sibling_that_is_of_another_wheel_is_not_believed(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    evil = metadata("evil", "1.0")
    says = f'data-core-metadata="sha256={sha256(evil)}"'
    server.routes |= {"/p": linked(hashed(A, WHEEL, says), hashed(B, OTHER)), f"/{A}": file_route(WHEEL), SIBLING: evil}
    server.routes[f"/{B}"] = file_route(OTHER)
    done = run(f"{server.url}p")
    assert (done.status, projects(public)) == (1, ["b"])
    assert "METADATA says evil 1.0" in done.said[0]


def test_a_sibling_without_an_end_is_left(
    server: ScriptedServer, public: Path, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "MAX_METADATA", 100_000)
    server.routes |= {"/p": linked(hashed(A, WHEEL, TRUE)), f"/{A}": file_route(WHEEL), SIBLING: Reply(endless_body())}
    assert run(f"{server.url}p").status == 0
    assert entries(public, "a", server) == [LISTED]


@pytest.mark.parametrize(
    "trouble", [status_reply(503), status_reply(401), status_reply(429)], ids=["503", "401", "429"]
)
def test_a_server_in_trouble_with_a_sibling_leaves_the_tree_as_it_was(
    server: ScriptedServer, public: Path, run: Callable[..., Run], trouble: Reply
) -> None:
    server.routes |= {"/p": linked(hashed(A, WHEEL, GIVEN)), f"/{A}": file_route(WHEEL), SIBLING: trouble}
    assert (run(f"{server.url}p").status, public.exists()) == (3, False)
    server.routes[SIBLING] = METADATA
    assert run(f"{server.url}p").status == 0
    assert entries(public, "a", server) == [LISTED | OF_SIBLING]
    before = read_tree(public)
    server.routes[SIBLING] = trouble
    assert (run(f"{server.url}p").status, read_tree(public)) == (3, before)
    server.routes[SIBLING] = status_reply(404)
    assert run(f"{server.url}p").status == 0
    assert entries(public, "a", server) == [LISTED]


def test_a_server_that_only_sends_whole_files_has_its_wheels_listed_by_name(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    says = 'data-requires-python="&gt;=3.9"'
    server.routes |= {
        "/p": linked(hashed(A, WHEEL, says), hashed(B, OTHER)),
        f"/{A}": file_route(WHEEL, ranges=False),
        f"/{B}": file_route(OTHER, ranges=False),
    }
    done = run(f"{server.url}p")
    why = "its metadata can only be read there together with the whole file: listed as its name and the page say"
    assert (done.status, done.said) == (0, [f"note HOST/{A}: {why}", f"note HOST/{B}: {why}"])
    assert done.requests == ["GET 200 /p", f"HEAD 200 /{A}", f"HEAD 200 /{B}", f"GET 200 /{A}"]
    assert entries(public, "a", server) == [LISTED | {"requires-python": ">=3.9"}]


def test_a_server_that_only_sends_whole_files_has_those_read_that_have_no_hash(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {"/p": linked(A), f"/{A}": file_route(WHEEL, ranges=False)}
    done = run(f"{server.url}p")
    assert (done.status, done.requests) == (0, ["GET 200 /p", *STREAMED])
    assert entries(public, "a", server) == [LISTED]


def test_a_file_longer_than_what_is_kept_of_it_is_understood(
    server: ScriptedServer, public: Path, tmp_path: Path, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_KEPT", 70_000)
    for first in True, False:
        path = huge_wheel(tmp_path / A, 1_000_000, first=first)
        content = path.read_bytes()
        server.routes |= {"/p": linked(A), f"/{A}": file_route(path, ranges=False, etag=f'"{first}"')}
        assert run(f"{server.url}p").status == 0
        assert entries(public, "a", server) == [listed(A, content, requires_python=">=3.8")]


def test_an_sdist_is_listed_by_its_name_or_what_is_in_it(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    content = sdist("a", "1.0", requires_python=">=3.8")
    server.routes |= {"/p": linked("a-1.0.tar.gz"), "/a-1.0.tar.gz": file_route(content)}
    assert run(f"{server.url}p").status == 0
    assert entries(public, "a", server) == [listed("a-1.0.tar.gz", content, requires_python=">=3.8")]


def test_a_link_that_redirects_is_listed_as_the_page_has_it(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {
        "/p": linked(hashed(A, WHEEL)),
        f"/{A}": redirect_reply(f"{server.other_host_url}store/x?signature=hunter2"),
    }
    server.routes["/store/x"] = file_route(WHEEL)
    done = run(f"{server.url}p")
    assert done.status == 0
    assert entries(public, "a", server) == [LISTED]
    assert b"hunter2" not in b"".join(read_tree(public).values())


# --- what is not listed ---------------------------------------------------------------------------------------------

WRONG = f'data-size="{len(WHEEL) + 1}"'
MISTAKEN: dict[str, tuple[str, scripted_server.Route, str]] = {
    "404": (hashed(A, WHEEL), status_reply(404), "answers 404: there is no such thing"),
    "403": (hashed(A, WHEEL), status_reply(403), "answers 403: it lets nobody, or not you, read it"),
    "410": (hashed(A, WHEEL), status_reply(410), "answers 410: ask who runs it"),
    "a page": (hashed(A, WHEEL), page_reply("<p>sign in"), "answers with a page, not with a file: mend the link"),
    "a redirect to a page": (
        hashed(A, WHEEL),
        redirect_reply("/p"),
        "answers with a page, not with a file: mend the link",
    ),
    "a page served as a file": (
        A,
        file_route(b"<!DOCTYPE html><p>sign in" + bytes(99)),
        "an HTML or XML page, not a wheel: download it again",
    ),
    "another size": (
        hashed(A, WHEEL, WRONG),
        file_route(WHEEL),
        f"has {len(WHEEL):,} bytes, and the page says {len(WHEEL) + 1:,}: somebody changed it. Mend the page",
    ),
    "another md5": (
        f"{A}#md5={'0' * 32}",
        file_route(WHEEL),
        f"its md5 is {hashlib.md5(WHEEL).hexdigest()}, and the page says {'0' * 32}: somebody changed it",
    ),
    "nothing in it": (A, file_route(b""), "an empty file: copy it again"),
    "no wheel": (A, file_route(b"PK\3\4" + bytes(500)), ""),
    "another project": (
        A,
        file_route(wheel("z", "1.0")),
        "its z-1.0.dist-info is not of a 1.0, as its name says: rebuild it",
    ),
    "no name": ("a.whl", file_route(WHEEL), ""),
}


@pytest.mark.parametrize("how", ["reference", "mirror"])
@pytest.mark.parametrize(("link", "reply", "why"), MISTAKEN.values(), ids=MISTAKEN)
def test_what_cannot_be_installed_is_rejected_and_the_rest_is_published(
    *,
    server: ScriptedServer,
    public: Path,
    run: Callable[..., Run],
    link: str,
    reply: scripted_server.Route,
    why: str,
    how: str,
) -> None:
    name = link.partition("#")[0]
    server.routes |= {"/p": linked(link, hashed(B, OTHER)), f"/{name}": reply, f"/{B}": file_route(OTHER)}
    for _ in range(2):
        done = run(f"{server.url}p", "--remote", how)
        rejected = [line for line in done.said if line.startswith("rejected ")]
        assert (done.status, projects(public), len(rejected)) == (1, ["b"], 1)
        assert rejected[0].startswith(f"rejected HOST/{name}: {why}")
        assert (
            find_broken_links({path: content for path, content in read_tree(public).items() if how == "mirror"}) == []
        )
        assert {path.rpartition("/")[2] for path in read_tree(public) if path.startswith("files/")} == (
            {B, f"{B}.metadata"} if how == "mirror" else set()
        )
        assert own_files(public) == {"manifest"}


def test_a_mirrored_file_of_another_hash_is_rejected_and_never_to_be_seen(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {
        "/p": linked(hashed(A, b"x"), hashed(B, OTHER)),
        f"/{A}": file_route(WHEEL),
        f"/{B}": file_route(OTHER),
    }
    for _ in range(2):
        done = run(f"{server.url}p", "--remote", "mirror")
        assert (done.status, projects(public)) == (1, ["b"])
        assert f"its sha256 is {sha256(WHEEL)}, and the page says {sha256(b'x')}: somebody changed it" in done.said[-1]
        assert [path for path in read_tree(public) if A in path] == []
        assert own_files(public) == {"manifest"}


def test_links_that_a_page_may_not_have_are_rejected(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    links = (
        f"file:///etc/{A}",
        f"javascript:alert(1)/{A}",
        f"http://user:hunter2@127.0.0.1/{A}",
        f"http://user:hun%2Fter2@127.0.0.1/{A}?hunter2",
        "x%22%3E-1.0-py3-none-any.whl",
        "%2e%2e%2fa-1.0-py3-none-any.whl",
    )
    server.routes |= {"/p": linked(*links, hashed(B, OTHER)), f"/{B}": file_route(OTHER)}
    done = run(f"{server.url}p")
    assert (done.status, projects(public), len([line for line in done.said if "rejected" in line])) == (1, ["b"], 6)
    assert "hunter2" not in "".join(done.said)
    assert done.requests == ["GET 200 /p", f"HEAD 200 /{B}", f"GET 206 /{B}"]


# --- a server in trouble --------------------------------------------------------------------------------------------


def torn(request: Request) -> Reply:
    return replace(file_route(WHEEL)(request), cut=0)


TROUBLES: dict[str, tuple[scripted_server.Route, str]] = {
    "503": (status_reply(503), "answers 503: the server is in trouble: try again later"),
    "500": (status_reply(500), "answers 500: the server is in trouble: try again later"),
    "401": (
        status_reply(401),
        "answers 401: it lets nobody in without the right user name and password: put them into ~/.netrc",
    ),
    "429": (status_reply(429), "answers 429: it was asked too often: try again later, or with --jobs 1"),
    "dropped": (torn, "broke off"),
    "a loop": (redirect_reply(f"/{A}"), "redirects more than 5 times"),
    "another part": (
        lambda request: Reply(WHEEL, 206 if request.method == "GET" else 200, {"Content-Range": "bytes 1-2/3"}),
        "sends another part than the one that was asked for (1)",
    ),
}


@pytest.mark.parametrize("how", ["reference", "mirror"])
@pytest.mark.parametrize(("reply", "why"), TROUBLES.values(), ids=TROUBLES)
def test_a_server_in_trouble_leaves_the_tree_as_it_was_unless_told_to_keep_going(
    *, server: ScriptedServer, public: Path, run: Callable[..., Run], reply: scripted_server.Route, why: str, how: str
) -> None:
    server.routes |= {"/old": linked(hashed(C, wheel("c", "1.0"))), f"/{C}": file_route(wheel("c", "1.0"))}
    assert run(f"{server.url}old", "--remote", how).status == 0
    before, manifest = read_tree(public), (public / ".mkindex/manifest").read_bytes()
    server.routes |= {"/p": linked(hashed(A, WHEEL), hashed(B, OTHER)), f"/{A}": reply, f"/{B}": file_route(OTHER)}
    done = run(f"{server.url}p", "--remote", how)
    assert (done.status, done.said[-1].startswith(f"error HOST/{A}: {why}")) == (3, True), done.said
    assert done.said[-1].endswith("(--keep-going publishes the rest)")
    assert (read_tree(public), (public / ".mkindex/manifest").read_bytes()) == (before, manifest)
    done = run(f"{server.url}p", "--remote", how, "--keep-going")
    assert (done.status, projects(public)) == (1, ["b"])
    assert [line for line in done.said if line.startswith(f"rejected HOST/{A}: {why}")] != []
    server.routes[f"/{A}"] = file_route(WHEEL)
    assert (run(f"{server.url}p", "--remote", how).status, projects(public)) == (0, ["a", "b"])


@pytest.mark.parametrize(
    "reply",
    [
        status_reply(503),
        status_reply(404),
        page_reply(f'<a href="{A}">x</a><a href="b'),
        page_reply("{", "application/json"),
        Reply(b"\0"),
    ],
    ids=["503", "404", "torn", "JSON", "binary"],
)
def test_a_page_that_cannot_be_read_leaves_the_tree_as_it_was_unless_told_to_keep_going(
    server: ScriptedServer, public: Path, run: Callable[..., Run], reply: Reply
) -> None:
    server.routes |= {"/p": linked(hashed(A, WHEEL)), "/q": reply, f"/{A}": file_route(WHEEL)}
    assert run(f"{server.url}p").status == 0
    before = read_tree(public)
    done = run(f"{server.url}p", f"{server.url}q?token=hunter2")
    assert (done.status, read_tree(public), "hunter2" in done.said[-1]) == (3, before, False)
    done = run(f"{server.url}p", f"{server.url}q?token=hunter2", "--keep-going")
    assert (done.status, read_tree(public), "hunter2" in done.said[-1]) == (1, before, False)
    assert done.said[-1].startswith("rejected HOST/q: left out as a whole: ")


def test_a_source_that_fails_half_way_is_left_out_as_a_whole(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {
        "/simple/": page_reply(
            '<meta name="pypi:repository-version" content="1.0"><a href="a/">a</a><a href="z/">z</a>'
        ),
        "/simple/a/": linked(hashed(f"/{A}", WHEEL)),
        "/simple/z/": status_reply(503),
        f"/{A}": file_route(WHEEL),
        f"/{B}": file_route(OTHER),
        "/p": linked(hashed(B, OTHER)),
    }
    assert run(f"{server.url}simple/", f"{server.url}p", "--all").status == 3
    done = run(f"{server.url}simple/", f"{server.url}p", "--all", "--keep-going")
    assert (done.status, projects(public)) == (1, ["b"])
    assert "left out as a whole" in done.said[-1]


@pytest.mark.parametrize(
    "headers",
    [{"content_type": "x\x1b[31m/y"}, {"content_type": "text/html; charset=\x1b"}, {"etag": "\x1b[31m"}],
)
def test_nothing_that_a_server_says_can_drive_a_terminal(
    server: ScriptedServer, run: Callable[..., Run], headers: dict[str, str]
) -> None:
    server.routes |= {
        "/p": Reply(b"nothing").with_headers(**headers),
        "/q": linked("a.%1b[31mx", "b.\x9b1m", hashed(B, OTHER)),
    }
    server.routes[f"/{B}"] = file_route(OTHER)
    assert run(f"{server.url}p").status == 3
    assert run(f"{server.url}q", "--verbose").status == 0


# --- the second run -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("says", [A, weaker("md5"), hashed(A, WHEEL)], ids=["no hash", "md5", "sha256"])
def test_a_second_run_downloads_nothing(
    server: ScriptedServer, public: Path, run: Callable[..., Run], says: str
) -> None:
    server.routes |= {
        "/p": conditional(linked(says, hashed(B, OTHER)).with_headers(etag='"1"')),
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

    server.routes |= {"/p": linked(A), f"/{A}": route(first, 1)}
    assert run(f"{server.url}p", "--remote", how).status == 0
    server.routes[f"/{A}"] = route(second, 2)
    done = run(f"{server.url}p", "--remote", how)
    assert (done.status, done.requests) == (0, ["GET 200 /p", *STREAMED])
    assert [entry["hashes"] for entry in entries(public, "a", server)] == [{"sha256": sha256(second)}]


def test_a_page_with_another_hash_for_a_file_is_believed_at_once(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    """What is remembered of a file is not what a page of yesterday said of it."""
    right, wrong = weaker("md5"), f"{A}#md5={'0' * 32}"
    server.routes |= {f"/{A}": file_route(WHEEL), f"/{B}": file_route(OTHER)}
    found = []
    for link in wrong, right, wrong, right:
        server.routes["/p"] = linked(link, hashed(B, OTHER))
        found.append((run(f"{server.url}p").status, projects(public)))
    assert found == [(1, ["b"]), (0, ["a", "b"])] * 2


def test_what_a_page_says_of_a_file_that_cannot_be_looked_into_is_believed_at_once(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes[f"/{A}"] = file_route(WHEEL, ranges=False)
    for python in ">=3.9", ">=3.10":
        server.routes["/p"] = linked(hashed(A, WHEEL, f'data-requires-python="{python}"'))
        assert run(f"{server.url}p").status == 0
        assert [entry["requires-python"] for entry in entries(public, "a", server)] == [python]


def test_a_sibling_that_is_advertised_later_is_offered_then(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {f"/{A}": file_route(WHEEL), SIBLING: METADATA}
    for says, more in ("", {}), (GIVEN, OF_SIBLING), ("", {}), (TRUE, OF_SIBLING):
        server.routes["/p"] = linked(hashed(A, WHEEL, says))
        assert run(f"{server.url}p").status == 0
        assert entries(public, "a", server) == [LISTED | more]


def test_a_wheel_that_could_not_be_looked_into_is_when_it_can_be(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {"/p": linked(hashed(A, WHEEL)), f"/{A}": file_route(WHEEL, ranges=False)}
    assert run(f"{server.url}p").status == 0
    server.routes[f"/{A}"] = file_route(WHEEL)
    assert run(f"{server.url}p").status == 0
    assert entries(public, "a", server) == [LISTED]


# --- mirror ---------------------------------------------------------------------------------------------------------


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
    return [hashed(name, content) for name, content in contents.items()]


@pytest.mark.parametrize("with_hash", [True, False])
def test_a_mirror_is_what_the_directory_itself_would_have_become(
    server: ScriptedServer, public: Path, wheels: Path, run: Callable[..., Run], with_hash: bool
) -> None:
    links = serve_files(server, wheels)
    server.routes["/p"] = linked(*(link if with_hash else link.partition("#")[0] for link in links))
    done = run(f"{server.url}p", "--remote", "mirror", "--links")
    assert (done.status, read_tree(public), own_files(public)) == (
        0,
        cold_build(wheels, upload_time="none", links=True),
        {"manifest"},
    )
    done = run(f"{server.url}p", "--remote", "mirror", "--links")
    heads = [] if with_hash else sorted(f"HEAD 200 /{name}" for name in os.listdir(wheels))
    asked = sorted(request.replace("%2B", "+").replace("%21", "!") for request in done.requests[1:])
    assert (done.status, asked) == (0, heads)
    assert "(0 written, " in done.out


def test_what_was_downloaded_and_not_published_is_not_downloaded_again(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {"/p": linked(hashed(A, BIG), B), f"/{A}": file_route(BIG), f"/{B}": file_route(b"no wheel")}
    done = run(f"{server.url}p", "--remote", "mirror", "--strict")
    assert (done.status, read_tree(public)) == (3, {})
    done = run(f"{server.url}p", "--remote", "mirror")
    assert (done.status, done.requests) == (1, ["GET 200 /p", f"HEAD 200 /{A}", f"HEAD 200 /{B}"])
    assert entries(public, "a", server)[0]["hashes"] == {"sha256": sha256(BIG)}


def test_a_mirror_stands_alone_once_its_server_is_gone(
    public: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "page.html"
    with scripted_server.run_server() as server:
        server.routes[f"/{A}"] = file_route(WHEEL)
        path.write_text(f'<a href="{server.url}{hashed(A, WHEEL)}">a</a>')
        assert Run(capsys, server, str(path), "--remote", "mirror").requests == STREAMED
    before = read_tree(public)
    done = Run(capsys, server, str(path), "--remote", "mirror")
    assert (done.status, done.said, read_tree(public)) == (0, [], before)
    cache = tmp_path / "cache"
    for one in cache.iterdir():
        one.unlink()
    done = Run(capsys, server, str(path), "--remote", "mirror")
    assert (done.status, done.said, read_tree(public)) == (0, [], before)


@pytest.mark.parametrize(
    "harm", ["cut", "changed", "torn", "gone", "a link", "no metadata", "other metadata", "no manifest"]
)
def test_what_is_damaged_in_a_mirror_is_mended(
    server: ScriptedServer, public: Path, tmp_path: Path, run: Callable[..., Run], harm: str
) -> None:
    server.routes |= {"/p": linked(hashed(A, BIG)), f"/{A}": file_route(BIG)}
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


def test_a_mirror_whose_file_is_lost_here_and_there_stays_as_it_was(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {
        "/p": linked(hashed(A, WHEEL), hashed(B, OTHER)),
        f"/{A}": file_route(WHEEL),
        f"/{B}": file_route(OTHER),
    }
    assert run(f"{server.url}p", "--remote", "mirror").status == 0
    (path,) = public.glob(f"files/*/*/{A}")
    path.unlink()
    server.routes[f"/{A}"] = status_reply(404)
    done = run(f"{server.url}p", "--remote", "mirror")
    assert (done.status, projects(public), find_broken_links(read_tree(public))) == (1, ["b"], [])


def parts(public: Path) -> list[Path]:
    return list(public.glob(".mkindex/downloads/**/part"))


def test_nothing_is_to_be_seen_of_a_download_before_it_is_verified(server: ScriptedServer, public: Path) -> None:
    content = file_route(BIG, pause=0.002)
    server.routes |= {"/p": linked(A), f"/{A}": content}
    seen: list[list[str]] = []

    def watched(request: Request) -> Reply:
        reply = content(request)
        body = reply.body
        assert not isinstance(body, bytes)

        def watching() -> Iterator[bytes]:
            for part in body():
                seen.append(sorted(read_tree(public)) if public.exists() else [])
                yield part

        return replace(reply, body=watching)

    server.routes[f"/{A}"] = watched
    publish(f"{server.url}p", public, remote="mirror")  # type: ignore[arg-type]
    assert (len(seen) > 100, [paths for paths in seen if paths]) == (True, [])
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
def test_whatever_a_run_left_behind_the_next_one_finishes(
    server: ScriptedServer, public: Path, run: Callable[..., Run], left: bytes, ranges: bool
) -> None:
    server.routes |= {"/p": linked(hashed(A, BIG)), f"/{A}": cut_after(file_route(BIG, ranges=ranges), 500_000)}
    server.routes[f"/{A}"] = reply_sequence(file_route(BIG), cut_after(file_route(BIG), 500_000), status_reply(503))
    assert run(f"{server.url}p", "--remote", "mirror").status == 3
    (part,) = parts(public)
    assert part.read_bytes() == BIG[:500_000]
    part.write_bytes(left)
    server.routes[f"/{A}"] = file_route(BIG, ranges=ranges)
    assert (run(f"{server.url}p", "--remote", "mirror").status, own_files(public)) == (0, {"manifest"})
    assert find_broken_links(read_tree(public)) == []
    if left == BIG[:1_000_000] and ranges:
        assert server.sent() == len(BIG) - 1_000_000 + len(linked(hashed(A, BIG)).body)  # type: ignore[arg-type]


def test_a_file_that_is_named_twice_is_mirrored_whole(server: ScriptedServer, public: Path) -> None:
    """Two threads that download the same file have to keep out of each other's way."""
    server.routes |= {"/p": linked(A, hashed(A, BIG), f"./{A}", f"{A}#egg=a"), f"/{A}": file_route(BIG, pause=0.001)}
    report = publish(f"{server.url}p", public, remote="mirror", jobs=4)  # type: ignore[arg-type]
    assert (report.rejected, find_broken_links(read_tree(public)), projects(public)) == ((), [], ["a"])


def test_a_file_that_is_somewhere_else_too_is_mirrored_from_where_it_is_named_first(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {"/p": linked(f"1/{A}", f"2/{A}"), f"/1/{A}": file_route(WHEEL), f"/2/{A}": file_route(WHEEL)}
    assert run(f"{server.url}p", "--remote", "mirror").status == 0
    assert [path for path in read_tree(public) if path.endswith(A)] == [
        f"files/{sha256(WHEEL)[:2]}/{sha256(WHEEL)[2:]}/{A}"
    ]


def test_a_mirror_with_hard_links_for_what_is_here_is_the_same(
    server: ScriptedServer, public: Path, wheels: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {"/p": linked(hashed(C, BIG)), f"/{C}": file_route(wheel("c", "1.0"))}
    server.routes |= {"/p": linked(C)}
    arguments = (str(wheels), f"{server.url}p", "--remote", "mirror", "--upload-time", "none")
    assert run(*arguments, "--link-mode", "hardlink").status == 0
    before = read_tree(public)
    assert "(0 written, " in run(*arguments, "--link-mode", "hardlink").out
    assert "(0 written, " in run(*arguments).out
    assert (read_tree(public), projects(public)) == (before, ["a", "b", "c"])


def test_a_mirror_has_no_addresses_of_its_own(server: ScriptedServer, run: Callable[..., Run]) -> None:
    server.routes |= {"/p": linked(hashed(A, WHEEL)), f"/{A}": file_route(WHEEL)}
    done = run(f"{server.url}p", "--remote", "mirror", "--files-url", "https://cdn.test/")
    assert (done.status, done.requests) == (2, [])
    assert "files-url" in done.said[-1]


# --- stopped, killed, full ------------------------------------------------------------------------------------------


def started(server: ScriptedServer, *arguments: str, limit: int = 0) -> subprocess.Popen[str]:
    """A process of its own; `limit`: bytes of the largest file that it may write."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    return subprocess.Popen(
        [sys.executable, "-m", "mkindex", f"{server.url}p", "public", "--cache-dir", "cache", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment | {"no_proxy": "127.0.0.1"},
        preexec_fn=(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))) if limit else None,  # noqa: PLW1509
    )


def test_a_run_that_is_killed_goes_on_where_it_was(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {"/p": linked(hashed(A, BIG)), f"/{A}": file_route(BIG, pause=0.01)}
    with started(server, "--remote", "mirror") as process:
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
        "/p": trickle if slow == "page" else linked(A),
        f"/{A}": late if slow == "head" else reply_sequence(file_route(BIG), file_route(BIG, pause=0.2)),
    }
    with started(server, "--remote", how) as process:
        try:
            deadline = time.monotonic() + 20
            wanted = {"file": f"GET 200 /{A}", "page": "GET 200 /p", "head": f"HEAD 0 /{A}"}[slow]
            while wanted not in server.requests() and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=5)
        finally:
            process.kill()
    assert (process.returncode, said.splitlines()[-1]) == (130, "interrupted: the next run finishes the job")
    assert "Traceback" not in said
    assert not public.exists() or read_tree(public) == {}
    server.routes |= {"/p": linked(A), f"/{A}": file_route(BIG)}
    assert (run(f"{server.url}p", "--remote", how).status, projects(public)) == (0, ["a"])


def test_a_disk_that_is_full_is_named_and_the_tree_is_as_it_was(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {"/p": linked(hashed(B, OTHER)), f"/{B}": file_route(OTHER), f"/{A}": file_route(BIG)}
    assert run(f"{server.url}p", "--remote", "mirror").status == 0
    before = read_tree(public)
    server.routes["/p"] = linked(hashed(A, BIG), hashed(B, OTHER))
    with started(server, "--remote", "mirror", limit=1_000_000) as process:
        _, said = process.communicate(timeout=30)
    assert process.returncode == 3
    assert said.splitlines()[-1].startswith("error cannot write public/.mkindex/downloads/")
    assert said.splitlines()[-1].endswith("/part: File too large; free some space, or mend that, and run again")
    assert read_tree(public) == before
    assert run(f"{server.url}p", "--remote", "mirror").status == 0
    assert (projects(public), find_broken_links(read_tree(public)), own_files(public)) == (["a", "b"], [], {"manifest"})


# --- secrets --------------------------------------------------------------------------------------------------------


def wanting(reply: scripted_server.Route) -> Callable[[Request], Reply]:
    def route(request: Request) -> Reply:
        if request.headers.get("authorization") != "Basic dXNlcjpodW50ZXIy":
            return status_reply(401)
        return reply if isinstance(reply, Reply) else reply(request) if callable(reply) else Reply(reply)

    return route


@pytest.mark.parametrize("how", ["reference", "mirror"])
@pytest.mark.parametrize("place", ["address", "netrc"])
def test_credentials_open_pages_and_files_and_are_written_nowhere(
    *, server: ScriptedServer, public: Path, tmp_path: Path, run: Callable[..., Run], how: str, place: str
) -> None:
    address = server.url
    if place == "netrc":
        (tmp_path / "home").mkdir()
        (tmp_path / "home/.netrc").write_text("machine 127.0.0.1 login user password hunter2\n")
        (tmp_path / "home/.netrc").chmod(0o600)
    else:
        address = server.url.replace("//", "//user:hunter2@")
    server.routes |= {
        "/p": wanting(conditional(linked(hashed(A, WHEEL, GIVEN), B, C).with_headers(etag='"1"'))),
        f"/{A}": wanting(file_route(WHEEL)),
        SIBLING: wanting(Reply(METADATA)),
        f"/{B}": wanting(file_route(OTHER)),
        f"/{C}": wanting(status_reply(404)),
    }
    said = ""
    for options in (), ("--verbose",), ("--json",):
        done = run(f"{address}p", "--remote", how, *options)
        assert (done.status, projects(public)) == (1, ["a", "b"])
        said += done.out + "\n".join(done.said)
    server.routes[f"/{B}"] = status_reply(503)
    for path in "p", "q":
        done = run(f"{address}{path}", "--remote", how, "--no-cache")
        said += done.out + "\n".join(done.said)
    written = b"".join(
        path.read_bytes() for top in ("public", "cache") for path in Path(top).rglob("*") if path.is_file()
    )
    assert ("hunter2" in said, b"hunter2" in written, b"dXNlcjpodW50ZXIy" in written) == (False, False, False)


@pytest.mark.parametrize(
    "spec",
    [
        "http://user:hunter2@127.0.0.1:99999/",
        "http://user:hunter2@[::1/",
        "http://user:hunter2@/p",
        "ftp://user:hunter2@host/p",
        "http://user:hunter2/x@127.0.0.1/",
        "http://user:hunter2?x@127.0.0.1/",
        "http://user:hunter2#x@127.0.0.1/",
        "http://user:hunter2 x@127.0.0.1/",
        "http://user:hunter2@127.0.0.1:1/p",
        "http:user:hunter2@127.0.0.1:1/p",
        "https:/user:hunter2@127.0.0.1/p",
    ],
)
def test_no_address_however_wrong_is_shown_with_its_password(run: Callable[..., Run], spec: str) -> None:
    for options in (), ("--keep-going", "--allow-empty"):
        done = run(spec, *options)
        assert done.status in (1, 2, 3)
        assert "hunter2" not in done.out + "".join(done.said)


@pytest.mark.parametrize(
    "line",
    [
        "https://user:hunter2@host/readme.txt",
        "https://user:hunter2@host/a-1.0.tar.bz2",
        "https://user:hunter2@host/a-1.0-py3-none-any.whl",
        "https://host/readme.txt?hunter2",
        "https://user:hunter2@host:x/a-1.0-py3-none-any.whl",
        "https://user:hunter2@[host/a-1.0-py3-none-any.whl",
        '{"filename": "https://user:hunter2@host/a.txt"}',
    ],
)
def test_no_line_of_a_list_is_shown_with_its_password(tmp_path: Path, run: Callable[..., Run], line: str) -> None:
    (tmp_path / "list.txt").write_text(f"{line}\n")
    for options in (), ("--files-url", "https://host/"):
        done = run("list.txt", "--allow-empty", "--verbose", *options)
        assert done.status in (0, 1, 3)
        assert "hunter2" not in done.out + "".join(done.said)


# --- merging --------------------------------------------------------------------------------------------------------


def test_a_file_of_two_sources_is_listed_where_it_was_found_first(
    server: ScriptedServer, public: Path, tmp_path: Path, run: Callable[..., Run]
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / A).write_bytes(WHEEL)
    server.routes |= {f"/{one}/{A}": file_route(WHEEL) for one in "pq"}
    server.routes |= {"/p/": linked(A), "/q/": linked(hashed(A, WHEEL))}
    found = {}
    for order in ("p/", "q/"), ("q/", "p/"), ("here", "p/"), ("p/", "here"):
        done = run(*(one if one == "here" else f"{server.url}{one}" for one in order))
        assert (done.status, projects(public)) == (0, ["a"])
        (entry,) = entries(public, "a", server)
        found[order] = entry["url"].partition("files/")[0]
    assert found == {
        ("p/", "q/"): f"HOST/p/{A}",
        ("q/", "p/"): f"HOST/q/{A}",
        ("here", "p/"): "../../",
        ("p/", "here"): f"HOST/p/{A}",
    }


def test_files_that_clients_cannot_tell_apart_are_listed_neither_or_the_first(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    changed = wheel("a", "1.0", summary="changed")
    server.routes |= {f"/p/{A}": file_route(WHEEL), f"/q/{A}": file_route(changed), f"/q/{B}": file_route(OTHER)}
    server.routes |= {"/p/": linked(hashed(A, WHEEL)), "/q/": linked(A, hashed(B, OTHER))}
    done = run(f"{server.url}p/", f"{server.url}q/")
    why = "and their bytes differ: remove one, or use --prefer first"
    assert (done.status, projects(public), [line for line in done.said if "rejected" in line]) == (
        1,
        ["b"],
        [
            f"rejected HOST/p/{A}: clients cannot tell it from HOST/q/{A}, {why}",
            f"rejected HOST/q/{A}: clients cannot tell it from HOST/p/{A}, {why}",
        ],
    )
    done = run(f"{server.url}p/", f"{server.url}q/", "--prefer", "first")
    text = f"not published: its bytes differ from those of HOST/p/{A}, which comes first"
    assert (done.status, projects(public), done.said) == (0, ["a", "b"], [f"note HOST/q/{A}: {text}"])
    assert entries(public, "a", server) == [LISTED | {"url": f"HOST/p/{A}"}]


# --- indexes --------------------------------------------------------------------------------------------------------


def serve_tree(server: ScriptedServer, root: Path, where: str, *, json_first: bool) -> None:
    """Serve a tree of ours at a path, its pages as HTML or as JSON."""
    for path, content in read_tree(root).items():
        directory, _, name = path.rpartition("/")
        if name == ("index.v1_json" if json_first else "index.html") and directory.startswith("simple"):
            media_type = "application/vnd.pypi.simple.v1+json" if json_first else "text/html"
            server.routes[f"{where}{directory}/"] = page_reply(content, media_type)
        elif name not in ("index.html", "index.v1_json"):
            server.routes[f"{where}{path}"] = file_route(content)
            quoted = path.replace("+", "%2B").replace("!", "%21")
            server.routes[f"{where}{quoted}"] = file_route(content)


SAID: list[dict[str, Any]] = [
    {"requires-python": ">=3.8,<4", "yanked": "broken \"<&>' ä"},
    {"yanked": True, "upload-time": SECOND, "provenance": "https://host/x.provenance"},
    {"upload-time": "2026-01-02T03:04:05.123456Z", "core-metadata": True},
]


@pytest.fixture
def said_of(server: ScriptedServer) -> list[dict[str, Any]]:
    """Serve an index in JSON with all that one can say of a file; return what it says."""
    files = []
    for number, more in enumerate(SAID):
        name = wheel_filename("a", f"1.{number}+x")
        content = wheel("a", f"1.{number}+x", requires_python=more.get("requires-python"))
        sibling = metadata("a", f"1.{number}+x")
        server.routes[f"/f/{name.replace('+', '%2B')}"] = file_route(content)
        server.routes[f"/f/{name.replace('+', '%2B')}.metadata"] = sibling
        files.append(
            {
                "filename": name,
                "url": f"../../f/{name.replace('+', '%2B')}",
                "hashes": {"sha256": sha256(content), "md5": "0" * 32},
                "size": len(content),
                **more,
                **({"core-metadata": {"sha256": sha256(sibling)}} if "core-metadata" in more else {}),
            }
        )
    media_type = "application/vnd.pypi.simple.v1+json"
    status_marker = {"status": "archived", "reason": 'gone <"fishing">'}
    document = {"meta": {"api-version": "1.4"}, "name": "A", "files": files, "project-status": status_marker}
    root = {"meta": {"api-version": "1.4"}, "projects": [{"name": "A"}, {"name": "q"}]}
    quarantined = {
        "meta": {"api-version": "1.4"},
        "name": "q",
        "files": [],
        "project-status": {"status": "quarantined"},
    }
    server.routes |= {
        "/simple/": page_reply(json.dumps(root), media_type),
        "/simple/a/": page_reply(json.dumps(document), media_type),
        "/simple/q/": page_reply(json.dumps(quarantined), media_type),
    }
    return files


def project_status(root: Path, project: str) -> object:
    return json.loads((root / "simple" / project / "index.v1_json").read_text()).get("project-status")


def test_what_an_index_says_of_a_file_is_carried_over(
    server: ScriptedServer, public: Path, run: Callable[..., Run], said_of: list[dict[str, Any]]
) -> None:
    done = run(f"{server.url}simple/", "--all")
    assert (done.status, done.said, projects(public)) == (0, [], ["a", "q"])
    assert entries(public, "a", server) == [
        entry | {"url": entry["url"].replace("../../", "HOST/"), "hashes": {"sha256": entry["hashes"]["sha256"]}}
        for entry in said_of
    ]
    assert project_status(public, "a") == {"status": "archived", "reason": 'gone <"fishing">'}
    assert project_status(public, "q") == {"status": "quarantined"}


@pytest.mark.parametrize("how", ["reference", "mirror"])
@pytest.mark.parametrize("json_first", [True, False], ids=["JSON", "HTML"])
def test_an_index_of_an_index_of_ours_is_the_same(
    *,
    server: ScriptedServer,
    public: Path,
    tmp_path: Path,
    run: Callable[..., Run],
    said_of: list[dict[str, Any]],
    how: str,
    json_first: bool,
) -> None:
    assert run(f"{server.url}simple/", "--all", "--remote", how, "--links").status == 0
    first = read_tree(public)
    public.rename(tmp_path / "first")
    serve_tree(server, tmp_path / "first", "/1/", json_first=json_first)
    assert run(f"{server.url}1/simple/", "--all", "--remote", how, "--links").status == 0
    assert read_tree(public) == first
    (public).rename(tmp_path / "second")
    serve_tree(server, tmp_path / "second", "/2/", json_first=json_first)
    assert run(f"{server.url}2/simple/", "--all", "--remote", how, "--links").status == 0
    assert read_tree(public) == first


@pytest.mark.parametrize("json_first", [True, False], ids=["JSON", "HTML"])
def test_an_index_of_a_directory_is_mirrored_byte_for_byte(
    *, server: ScriptedServer, public: Path, wheels: Path, tmp_path: Path, run: Callable[..., Run], json_first: bool
) -> None:
    publish(wheels, tmp_path / "first")
    serve_tree(server, tmp_path / "first", "/1/", json_first=json_first)
    assert run(f"{server.url}1/simple/", "--all", "--remote", "mirror").status == 0
    assert read_tree(public) == read_tree(tmp_path / "first")


def test_the_two_forms_of_an_index_give_the_same_tree(
    server: ScriptedServer, public: Path, wheels: Path, tmp_path: Path, run: Callable[..., Run]
) -> None:
    publish(wheels, tmp_path / "first")
    found = []
    for json_first in True, False:
        serve_tree(server, tmp_path / "first", "/1/", json_first=json_first)
        assert run(f"{server.url}1/simple/", "--all").status == 0
        found.append(read_tree(public))
    assert found[0] == found[1]


def test_a_project_that_an_index_lists_and_does_not_have_is_rejected_alone(
    server: ScriptedServer, public: Path, run: Callable[..., Run], said_of: list[dict[str, Any]]
) -> None:
    del server.routes["/simple/q/"]
    done = run(f"{server.url}simple/", "--all")
    assert (done.status, projects(public)) == (1, ["a"])
    assert done.said == [
        "rejected HOST/simple/q/: the index lists this project, and its page answers 404: there is no such thing"
    ]


def test_one_project_is_lifted_out_of_an_index(
    server: ScriptedServer, public: Path, run: Callable[..., Run], said_of: list[dict[str, Any]]
) -> None:
    done = run(f"{server.url}simple/")
    assert (done.status, done.requests) == (3, ["GET 200 /simple/"])
    assert done.said == [
        "error HOST/simple/ is an index of 2 projects: name those that you want with --include, or take --all"
    ]
    done = run(f"{server.url}simple/", "--include", "A", "--exclude", "a-1.1*")
    assert (done.status, projects(public)) == (0, ["a"])
    assert [entry["filename"] for entry in entries(public, "a", server)] == [
        "a-1.0+x-py3-none-any.whl",
        "a-1.2+x-py3-none-any.whl",
    ]
    assert [request for request in done.requests if "/q/" in request or "a-1.1" in request] == []


def test_a_mirrored_file_that_was_harmed_is_not_taken_for_what_it_was(server: ScriptedServer, public: Path) -> None:
    server.routes |= {"/p": linked(hashed(A, WHEEL)), f"/{A}": file_route(WHEEL)}
    config = Config(sources=(f"{server.url}p",), destination=str(public), remote="mirror")
    ((before,),) = (project.files for project in build(config).index.projects)
    with ThreadPoolExecutor(1) as executor:
        found = in_place(before, Directory(str(public), executor=executor))
        assert isinstance(found, File)
        assert found.local.path == f"{public}/{place(sha256(WHEEL), A)}"
        Path(found.local.path).write_bytes(b"harm")
        assert in_place(before, Directory(str(public), executor=executor)) is None
