"""Files that are listed at their own address: hashes and metadata, with as few bytes read as possible."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile, ZipInfo

import pytest

from mkindex.build.pipeline import build
from mkindex.config import Config
from mkindex.examine import reference
from support.remote_builds import (
    GIVEN,
    LISTED,
    METADATA,
    OF_SIBLING,
    OTHER,
    SIBLING,
    STREAMED,
    TRUE,
    WHEEL,
    A,
    B,
    Run,
    expected_entry,
    link_with_hash,
    link_with_other_hash,
    page_of_links,
    read_entries,
    read_projects,
    sha256,
)
from support.scripted_server import Reply, ScriptedServer, endless_body, file_route, redirect_reply, status_reply
from support.trees import anchors, own_files, read_tree
from support.wheels import DATE, metadata, sdist, wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support import scripted_server


pytestmark = pytest.mark.usefixtures("isolated")


HEAD = f"HEAD 200 /{A}"
END = f"GET 206 /{A}"


# --- reference: the hash ----------------------------------------------------------------------------------------------


def test_only_parts_of_a_file_with_a_hash_are_read(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {"/p": page_of_links(link_with_hash(A, WHEEL)), f"/{A}": file_route(WHEEL)}
    done = run(f"{server.url}p")
    assert (done.status, done.messages, done.requests) == (0, [], ["GET 200 /p", END])
    assert read_entries(public, "a", server) == [LISTED]
    assert sorted(path for path in read_tree(public) if path.startswith("files")) == []


@pytest.mark.parametrize(
    "link",
    [A, link_with_other_hash("md5"), link_with_other_hash("sha512"), f"{A}#blake2b=nonsense", f"{A}#egg=a"],
)
def test_a_file_without_a_sha256_is_read_once_to_compute_it(
    server: ScriptedServer, public: Path, run: Callable[..., Run], link: str
) -> None:
    server.routes |= {"/p": page_of_links(link), f"/{A}": file_route(WHEEL)}
    done = run(f"{server.url}p")
    note = f"{len(WHEEL)} bytes in 1 file will be read to compute sha256 (--allow-unhashed skips this)"
    assert (done.status, done.requests) == (0, ["GET 200 /p", *STREAMED])
    assert done.messages == [f"note 127.0.0.1:{server.port}: {note}"]
    assert read_entries(public, "a", server) == [LISTED]


@pytest.mark.parametrize("options", [{}, {"remote": "mirror"}])
def test_reading_whole_files_is_announced_before_it_begins(
    server: ScriptedServer, tmp_path: Path, options: dict[str, str]
) -> None:

    server.routes |= {"/p": page_of_links(A, B), f"/{A}": file_route(WHEEL), f"/{B}": file_route(OTHER)}
    before: list[list[str]] = []
    config: Any = {"sources": (f"{server.url}p",), "destination": str(tmp_path / "public"), **options}
    build(Config(**config), announce=lambda note: before.append(server.requests()))
    assert [sorted(requests) for requests in before] == [["GET 200 /p", f"HEAD 200 /{A}", f"HEAD 200 /{B}"]]


@pytest.mark.parametrize("how", ["reference", "mirror"])
def test_a_build_over_max_download_stops_before_it_reads_any_file(
    server: ScriptedServer, public: Path, run: Callable[..., Run], how: str
) -> None:
    server.routes |= {"/p": page_of_links(A, B), f"/{A}": file_route(WHEEL), f"/{B}": file_route(OTHER)}
    total = len(WHEEL) + len(OTHER)
    done = run(f"{server.url}p", "--max-download", str(total - 1), "--remote", how)
    why = "to mirror them" if how == "mirror" else "to compute sha256 (--allow-unhashed skips this)"
    assert (done.status, done.messages) == (
        3,
        [
            (
                f"error 127.0.0.1:{server.port}: {total:,} bytes in 2 files would have to be read {why}; "
                f"--max-download allows {total - 1:,}. Raise it, or choose fewer files with --include"
            )
        ],
    )
    assert done.requests == ["GET 200 /p", f"HEAD 200 /{A}", f"HEAD 200 /{B}"]
    assert not public.exists()
    assert run(f"{server.url}p", "--max-download", str(total), "--remote", how).status == 0


@pytest.mark.parametrize("how", ["reference", "mirror"])
def test_files_of_unknown_size_are_read_up_to_max_download_in_all(
    server: ScriptedServer, public: Path, run: Callable[..., Run], how: str
) -> None:
    half = wheel("a", "1.0", files={"x": bytes(60_000)})
    other = wheel("b", "1.0", files={"x": bytes(60_000)})
    server.routes |= {
        "/p": page_of_links(A, B),
        f"/{A}": file_route(half, length=False),
        f"/{B}": file_route(other, length=False),
    }
    done = run(f"{server.url}p", "--max-download", "100kB", "--remote", how)
    assert (done.status, public.exists() and read_tree(public)) in ((3, False), (3, {}))
    assert "--max-download" in done.messages[-1]
    assert run(f"{server.url}p", "--max-download", "200kB", "--remote", how).status == 0


@pytest.mark.parametrize("how", ["reference", "mirror"])
def test_an_endless_file_is_read_up_to_max_download(
    server: ScriptedServer, public: Path, run: Callable[..., Run], how: str
) -> None:
    server.routes |= {"/p": page_of_links(A), f"/{A}": Reply(endless_body())}
    done = run(f"{server.url}p", "--max-download", "1MB", "--remote", how)
    assert done.status == 3
    assert "--max-download" in done.messages[-1]
    assert server.sent() < 30_000_000
    assert not public.exists() or (read_tree(public), own_files(public) - {"downloads"}) == ({}, set())


def test_allow_unhashed_lists_files_without_a_hash(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {"/p": page_of_links(A), f"/{A}": file_route(WHEEL)}
    done = run(f"{server.url}p", "--allow-unhashed", "--max-download", "0")
    assert (done.status, done.messages, done.requests) == (0, [], ["GET 200 /p", HEAD, END])
    assert read_entries(public, "a", server) == [LISTED | {"hashes": {}}]
    assert [anchor.attributes["href"] for anchor in anchors((public / "simple/a/index.html").read_bytes())] == [
        f"{server.url}{A}"
    ]
    assert run(f"{server.url}p").status == 0
    assert read_entries(public, "a", server) == [LISTED]


def test_a_dry_run_reads_and_writes_nothing(server: ScriptedServer, public: Path, run: Callable[..., Run]) -> None:
    server.routes |= {"/p": page_of_links(A), f"/{A}": file_route(WHEEL)}
    for how in "reference", "mirror":
        done = run(f"{server.url}p", "--dry-run", "--remote", how)
        assert (done.status, [request for request in done.requests if request.startswith("GET 200 /a")]) == (0, [])
        assert "would be read" in done.messages[0]
    assert not public.exists()


@pytest.mark.parametrize("how", ["reference", "mirror"])
def test_a_file_that_is_linked_twice_is_requested_once(
    server: ScriptedServer, public: Path, run: Callable[..., Run], how: str
) -> None:
    server.routes |= {"/p": page_of_links(A, A), f"/{A}": file_route(WHEEL)}
    done = run(f"{server.url}p", "--remote", how)
    assert (done.status, done.requests) == (0, ["GET 200 /p", *STREAMED])


# --- reference: the metadata ------------------------------------------------------------------------------------------


def huge_wheel(path: Path, size: int, *, first: bool) -> Path:
    """A wheel with a sparse member of `size` zeros, before or after its METADATA."""
    with path.open("w+b") as stream, ZipFile(stream, "w") as archive:

        def zeros() -> None:
            info = ZipInfo("a/zeros.bin", DATE)
            info.file_size = info.compress_size = size
            info.CRC = 0  # never read that far
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
def test_only_small_parts_of_a_huge_wheel_are_fetched(
    server: ScriptedServer, public: Path, tmp_path: Path, run: Callable[..., Run], first: bool
) -> None:
    path = huge_wheel(tmp_path / A, 300_000_000, first=first)
    server.routes |= {"/p": page_of_links(f"{A}#sha256={'0' * 64}"), f"/{A}": file_route(path, etag='"1"')}
    done = run(f"{server.url}p")
    assert (done.status, done.messages) == (0, [])
    assert done.requests == ["GET 200 /p", END, *([] if first else [END])]
    assert server.sent() < 100_000
    assert [(entry["size"], entry["requires-python"]) for entry in read_entries(public, "a", server)] == [
        (path.stat().st_size, ">=3.8")
    ]


def test_a_wheel_with_a_huge_zip_directory_is_not_fetched_completely(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    content = wheel("a", "1.0", files={f"a/{'x' * 90}{n}": b"" for n in range(1000)} | {"a/z": bytes(3_000_000)})
    server.routes |= {"/p": page_of_links(link_with_hash(A, content)), f"/{A}": file_route(content)}
    assert run(f"{server.url}p").status == 0
    assert server.sent() < 400_000


# Attributes on the page, reply for the sibling, requests for files, and keys on our page.
SIBLINGS: dict[str, tuple[str, scripted_server.Route, list[str], dict[str, Any]]] = {
    "a good one": (GIVEN, METADATA, [HEAD, f"GET 200 {SIBLING}"], OF_SIBLING),
    "by its older name": (
        GIVEN.replace("core", "dist-info"),
        METADATA,
        [HEAD, f"GET 200 {SIBLING}"],
        OF_SIBLING,
    ),
    "without a hash": (
        TRUE,
        METADATA,
        [HEAD, f"GET 200 {SIBLING}", END],
        OF_SIBLING,
    ),
    "none": (GIVEN, status_reply(404), [HEAD, f"GET 404 {SIBLING}", END], {}),
    "forbidden": (
        GIVEN,
        status_reply(403),
        [HEAD, f"GET 403 {SIBLING}", END],
        {},
    ),
    "with another hash": (
        GIVEN,
        METADATA + b"\n",
        [HEAD, f"GET 200 {SIBLING}", END],
        {},
    ),
    "other than the wheel's": (
        TRUE,
        METADATA + b"\n",
        [HEAD, f"GET 200 {SIBLING}", END],
        {},
    ),
    "not advertised": ("", METADATA, [END], {}),
    "denied": ('data-core-metadata="false"', METADATA, [END], {}),
}


@pytest.mark.parametrize(("attribute", "reply", "requests", "more"), SIBLINGS.values(), ids=SIBLINGS)
def test_a_metadata_sibling_is_offered_if_it_exists_and_is_correct(
    *,
    server: ScriptedServer,
    public: Path,
    run: Callable[..., Run],
    attribute: str,
    reply: scripted_server.Route,
    requests: list[str],
    more: dict[str, Any],
) -> None:
    server.routes |= {
        "/p": page_of_links(link_with_hash(A, WHEEL, attribute)),
        f"/{A}": file_route(WHEEL),
        SIBLING: reply,
    }
    done = run(f"{server.url}p")
    assert (done.status, done.messages) == (0, [])
    assert done.requests[1:] == requests
    assert read_entries(public, "a", server) == [LISTED | more]


def test_a_wheel_with_the_sibling_of_another_one_is_rejected(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    evil = metadata("evil", "1.0")
    attribute = f'data-core-metadata="sha256={sha256(evil)}"'
    server.routes |= {
        "/p": page_of_links(link_with_hash(A, WHEEL, attribute), link_with_hash(B, OTHER)),
        f"/{A}": file_route(WHEEL),
        SIBLING: evil,
    }
    server.routes[f"/{B}"] = file_route(OTHER)
    done = run(f"{server.url}p")
    assert (done.status, read_projects(public)) == (1, ["b"])
    assert "METADATA says evil 1.0" in done.messages[0]


def test_an_endless_sibling_is_given_up(
    server: ScriptedServer, public: Path, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "MAX_METADATA", 100_000)
    server.routes |= {
        "/p": page_of_links(link_with_hash(A, WHEEL, TRUE)),
        f"/{A}": file_route(WHEEL),
        SIBLING: Reply(endless_body()),
    }
    assert run(f"{server.url}p").status == 0
    assert read_entries(public, "a", server) == [LISTED]


@pytest.mark.parametrize(
    "trouble", [status_reply(503), status_reply(401), status_reply(429)], ids=["503", "401", "429"]
)
def test_a_server_error_for_a_sibling_leaves_the_tree_unchanged(
    server: ScriptedServer, public: Path, run: Callable[..., Run], trouble: Reply
) -> None:
    server.routes |= {
        "/p": page_of_links(link_with_hash(A, WHEEL, GIVEN)),
        f"/{A}": file_route(WHEEL),
        SIBLING: trouble,
    }
    assert (run(f"{server.url}p").status, public.exists()) == (3, False)
    server.routes[SIBLING] = METADATA
    assert run(f"{server.url}p").status == 0
    assert read_entries(public, "a", server) == [LISTED | OF_SIBLING]
    before = read_tree(public)
    server.routes[SIBLING] = trouble
    assert (run(f"{server.url}p").status, read_tree(public)) == (3, before)
    server.routes[SIBLING] = status_reply(404)
    assert run(f"{server.url}p").status == 0
    assert read_entries(public, "a", server) == [LISTED]


def test_without_range_support_wheels_are_listed_by_filename_and_page(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    attribute = 'data-requires-python="&gt;=3.9"'
    server.routes |= {
        "/p": page_of_links(link_with_hash(A, WHEEL, attribute), link_with_hash(B, OTHER)),
        f"/{A}": file_route(WHEEL, ranges=False),
        f"/{B}": file_route(OTHER, ranges=False),
    }
    done = run(f"{server.url}p")
    no_ranges = "the server does not support range requests, so Requires-Python is"
    assert (done.status, done.messages) == (
        0,
        [
            f"note HOST/{A}: {no_ranges} as the page says. Installs work, more slowly",
            f"note HOST/{B}: {no_ranges} unknown. Installs work, more slowly",
        ],
    )
    assert done.requests == ["GET 200 /p", f"GET 200 /{A}", f"GET 200 /{A}", f"HEAD 200 /{B}"]
    assert read_entries(public, "a", server) == [LISTED | {"requires-python": ">=3.9"}]


def test_without_range_support_files_without_a_hash_are_still_read(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {"/p": page_of_links(A), f"/{A}": file_route(WHEEL, ranges=False)}
    done = run(f"{server.url}p")
    assert (done.status, done.requests) == (0, ["GET 200 /p", *STREAMED])
    assert read_entries(public, "a", server) == [LISTED]


def test_metadata_of_a_streamed_file_longer_than_the_buffers_is_found(
    server: ScriptedServer, public: Path, tmp_path: Path, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "_KEPT", 70_000)
    for first in True, False:
        path = huge_wheel(tmp_path / A, 1_000_000, first=first)
        content = path.read_bytes()
        server.routes |= {"/p": page_of_links(A), f"/{A}": file_route(path, ranges=False, etag=f'"{first}"')}
        assert run(f"{server.url}p").status == 0
        assert read_entries(public, "a", server) == [expected_entry(A, content, requires_python=">=3.8")]


def test_an_sdist_that_is_streamed_is_listed_with_its_requires_python(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    content = sdist("a", "1.0", requires_python=">=3.8")
    server.routes |= {"/p": page_of_links("a-1.0.tar.gz"), "/a-1.0.tar.gz": file_route(content)}
    assert run(f"{server.url}p").status == 0
    assert read_entries(public, "a", server) == [expected_entry("a-1.0.tar.gz", content, requires_python=">=3.8")]


def test_a_link_that_redirects_is_listed_with_its_original_address(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {
        "/p": page_of_links(link_with_hash(A, WHEEL)),
        f"/{A}": redirect_reply(f"{server.other_host_url}store/x?signature=hunter2"),
    }
    server.routes["/store/x"] = file_route(WHEEL)
    done = run(f"{server.url}p")
    assert done.status == 0
    assert read_entries(public, "a", server) == [LISTED]
    assert b"hunter2" not in b"".join(read_tree(public).values())
