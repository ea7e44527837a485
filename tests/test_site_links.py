"""Pages for people about files on other servers: their metadata is read there, as little as possible, and once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import html5lib
import pytest

from mkindex import cli
from support.remote_builds import A, Run, link_with_hash, page_of_links, sha256
from support.scripted_server import Reply, ScriptedServer, file_route
from support.wheels import metadata, wheel, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("isolated")

HEADERS = ["License-Expression: MIT", "Description-Content-Type: text/markdown"]
METADATA = metadata("a", "1.0", summary="An example", headers=HEADERS, body="# Hello\n")
WHEEL = wheel("a", "1.0", summary="An example", headers=HEADERS, body="# Hello\n")
KNOWN = ["An example", "MIT", "Hello"]
UNKNOWN = "The files are on another server."


def shown(public: Path) -> list[str]:
    """Return what the page of the project shows of its metadata, and whether it says that it is unknown."""
    page = html5lib.parse((public / "project/a/index.html").read_bytes(), namespaceHTMLElements=False)
    text = " ".join("".join(page.itertext()).split())
    return [one for one in (*KNOWN, UNKNOWN) if one in text]


@pytest.mark.parametrize("has_sibling", [True, False], ids=["sibling", "part"])
def test_metadata_on_another_server_is_shown_and_read_once(
    server: ScriptedServer, public: Path, run: Callable[..., Run], has_sibling: bool
) -> None:
    attribute = f'data-core-metadata="sha256={sha256(METADATA)}' if has_sibling else ""
    server.routes |= {"/p": page_of_links(link_with_hash(A, WHEEL, attribute)), f"/{A}": file_route(WHEEL)}
    if has_sibling:
        server.routes[f"/{A}.metadata"] = Reply(body=METADATA)
    done = run(f"{server.url}p", "--site")
    assert (done.status, done.messages, shown(public)) == (0, [], KNOWN)
    page = (public / "project/a/index.html").read_bytes()
    again = run(f"{server.url}p", "--site", "--site-title", "Changed")
    plain = run(f"{server.url}p")
    assert (again.status, again.requests) == (0, plain.requests)
    run(f"{server.url}p", "--site")
    assert (public / "project/a/index.html").read_bytes() == page


def test_metadata_that_the_server_does_not_send_alone_is_unknown(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {"/p": page_of_links(link_with_hash(A, WHEEL)), f"/{A}": Reply(body=WHEEL)}
    run(f"{server.url}p", "--site")
    assert shown(public) == [UNKNOWN]


def test_metadata_that_cannot_be_read_now_is_shown_by_a_later_run(
    server: ScriptedServer, public: Path, run: Callable[..., Run], tmp_path: Path
) -> None:
    server.routes |= {"/p": page_of_links(link_with_hash(A, WHEEL)), f"/{A}": file_route(WHEEL)}
    run(f"{server.url}p", "--site")
    page = (public / "project/a/index.html").read_bytes()
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "b", "1.0")
    # No source is on the server, and requests to this machine are sent only if the user names it.
    assert cli.run(["add", "wheels", "public", "--no-cache"]) == 0
    assert shown(public) == [UNKNOWN]
    run(f"{server.url}p", "--site")
    assert (public / "project/a/index.html").read_bytes() == page


def test_a_server_cannot_say_what_the_metadata_of_a_file_here_is(
    server: ScriptedServer, public: Path, run: Callable[..., Run], tmp_path: Path
) -> None:
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / A).write_bytes(WHEEL)
    false = wheel("a", "1.0", summary="Something else", body="# False\n")
    server.routes |= {"/p": page_of_links(link_with_hash(A, WHEEL)), f"/{A}": file_route(false)}
    run(f"{server.url}p", "--site")
    assert "Something else" in (public / "project/a/index.html").read_text()
    run("wheels", "--site")
    assert shown(public) == KNOWN


def test_no_request_is_made_for_a_file_that_the_user_vouches_for(
    server: ScriptedServer, public: Path, run: Callable[..., Run], tmp_path: Path
) -> None:
    entry = {"filename": A, "core_metadata": f"sha256={sha256(METADATA)}"}
    (tmp_path / "list.txt").write_text(f"{json.dumps(entry)}\n")
    server.routes[f"/{A}.metadata"] = Reply(body=METADATA)
    assert run("list.txt", "--files-url", server.url, "--site").requests == []
    assert shown(public) == [UNKNOWN]
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "b", "1.0")
    server.forget()
    assert cli.run(["add", "wheels", "public", "--no-cache", "--trust-host", "127.0.0.1"]) == 0
    assert (server.requests(), shown(public)) == ([], [UNKNOWN])
