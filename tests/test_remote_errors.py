"""Wrong files are rejected, server errors stop a build, and passwords are never printed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.remote_builds import (
    GIVEN,
    METADATA,
    OTHER,
    SIBLING,
    WHEEL,
    A,
    B,
    C,
    Run,
    link_with_hash,
    page_of_links,
    read_projects,
    sha256,
)
from support.scripted_server import (
    Reply,
    Request,
    ScriptedServer,
    conditional,
    file_route,
    page_reply,
    redirect_reply,
    status_reply,
)
from support.trees import find_broken_links, own_files, read_tree
from support.wheels import wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from support import scripted_server


pytestmark = pytest.mark.usefixtures("isolated")


# --- rejected files -----------------------------------------------------------------------------------------------


MISMATCH = "Damaged download or replaced file; not published"
WRONG = f'data-size="{len(WHEEL) + 1}"'
WRONG_FILES: dict[str, tuple[str, scripted_server.Route, str]] = {
    "404": (link_with_hash(A, WHEEL), status_reply(404), "answers 404: not found. Check the address"),
    "403": (
        link_with_hash(A, WHEEL),
        status_reply(403),
        "answers 403: access denied. Check address and credentials. The server or bucket must let readers read it",
    ),
    "410": (
        link_with_hash(A, WHEEL),
        status_reply(410),
        "answers 410: request refused. Ask the operator of the server",
    ),
    "a page": (
        link_with_hash(A, WHEEL),
        page_reply("<p>sign in"),
        "the server sends a page instead of the file: fix the link",
    ),
    "a redirect to a page": (
        link_with_hash(A, WHEEL),
        redirect_reply("/p"),
        "the server sends a page instead of the file: fix the link",
    ),
    "a page served as a file": (
        A,
        file_route(b"<!DOCTYPE html><p>sign in" + bytes(99)),
        "an HTML or XML page, not a wheel: download it again",
    ),
    "another size": (
        link_with_hash(A, WHEEL, WRONG),
        file_route(WHEEL),
        f"size mismatch: expected {len(WHEEL) + 1:,} bytes, got {len(WHEEL):,}. {MISMATCH}",
    ),
    "another md5": (
        f"{A}#md5={'0' * 32}",
        file_route(WHEEL),
        f"md5 mismatch: expected {'0' * 32}, got {hashlib.md5(WHEEL).hexdigest()}. {MISMATCH}",
    ),
    "a malformed sha256": (
        f"{A}#sha256=",
        file_route(WHEEL),
        "malformed hash: sha256 has 64 hexadecimal digits, got ''. pip and uv refuse it. Fix or remove the hash",
    ),
    "nothing in it": (A, file_route(b""), "an empty file: copy it again"),
    "no wheel": (A, file_route(b"PK\3\4" + bytes(500)), ""),
    "another project": (
        A,
        file_route(wheel("z", "1.0")),
        "the filename says a 1.0, but it contains z-1.0.dist-info: build it again",
    ),
    "no name": ("a.whl", file_route(WHEEL), ""),
}


@pytest.mark.parametrize("how", ["reference", "mirror"])
@pytest.mark.parametrize(("link", "reply", "why"), WRONG_FILES.values(), ids=WRONG_FILES)
def test_files_that_cannot_be_installed_are_rejected_and_the_rest_is_published(
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
    server.routes |= {
        "/p": page_of_links(link, link_with_hash(B, OTHER)),
        f"/{name}": reply,
        f"/{B}": file_route(OTHER),
    }
    for _ in range(2):
        done = run(f"{server.url}p", "--remote", how)
        rejected = [line for line in done.messages if line.startswith("rejected ")]
        assert (done.status, read_projects(public), len(rejected)) == (1, ["b"], 1)
        assert rejected[0].startswith(f"rejected HOST/{name}: {why}")
        assert (
            find_broken_links({path: content for path, content in read_tree(public).items() if how == "mirror"}) == []
        )
        assert {path.rpartition("/")[2] for path in read_tree(public) if path.startswith("files/")} == (
            {B, f"{B}.metadata"} if how == "mirror" else set()
        )
        assert own_files(public) == {"manifest"}


def test_a_mirrored_file_with_a_wrong_hash_is_rejected_and_never_published(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {
        "/p": page_of_links(link_with_hash(A, b"x"), link_with_hash(B, OTHER)),
        f"/{A}": file_route(WHEEL),
        f"/{B}": file_route(OTHER),
    }
    for _ in range(2):
        done = run(f"{server.url}p", "--remote", "mirror")
        assert (done.status, read_projects(public)) == (1, ["b"])
        assert f"sha256 mismatch: expected {sha256(b'x')}, got {sha256(WHEEL)}. {MISMATCH}" in done.messages[-1]
        assert [path for path in read_tree(public) if A in path] == []
        assert own_files(public) == {"manifest"}


def test_links_that_are_not_allowed_on_a_page_are_rejected(
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
    server.routes |= {"/p": page_of_links(*links, link_with_hash(B, OTHER)), f"/{B}": file_route(OTHER)}
    done = run(f"{server.url}p")
    assert (done.status, read_projects(public), len([line for line in done.messages if "rejected" in line])) == (
        1,
        ["b"],
        6,
    )
    assert "hunter2" not in "".join(done.messages)
    assert done.requests == ["GET 200 /p", f"GET 206 /{B}"]


# --- server errors ----------------------------------------------------------------------------------------------


def torn(request: Request) -> Reply:
    return replace(file_route(WHEEL)(request), cut=0)


TROUBLES: dict[str, tuple[scripted_server.Route, str]] = {
    "503": (status_reply(503), "answers 503: server error. Try again later"),
    "500": (status_reply(500), "answers 500: server error. Try again later"),
    "401": (
        status_reply(401),
        "answers 401: user name and password required. Put them into ~/.netrc",
    ),
    "429": (status_reply(429), "answers 429: too many requests. Try again later, or with --jobs 1"),
    "dropped": (torn, "incomplete response"),
    "a loop": (redirect_reply(f"/{A}"), "redirects more than 5 times"),
    "another part": (
        lambda request: Reply(WHEEL, 206 if request.method == "GET" else 200, {"Content-Range": "bytes 1-2/3"}),
        "sends another range than the one that was requested (1)",
    ),
}


@pytest.mark.parametrize("how", ["reference", "mirror"])
@pytest.mark.parametrize(("reply", "why"), TROUBLES.values(), ids=TROUBLES)
def test_a_server_error_stops_the_build_unless_keep_going_is_given(
    *, server: ScriptedServer, public: Path, run: Callable[..., Run], reply: scripted_server.Route, why: str, how: str
) -> None:
    server.routes |= {
        "/old": page_of_links(link_with_hash(C, wheel("c", "1.0"))),
        f"/{C}": file_route(wheel("c", "1.0")),
    }
    assert run(f"{server.url}old", "--remote", how).status == 0
    before, manifest = read_tree(public), (public / ".mkindex/manifest").read_bytes()
    server.routes |= {
        "/p": page_of_links(link_with_hash(A, WHEEL), link_with_hash(B, OTHER)),
        f"/{A}": reply,
        f"/{B}": file_route(OTHER),
    }
    done = run(f"{server.url}p", "--remote", how)
    assert (done.status, done.messages[-1].startswith(f"error HOST/{A}: {why}")) == (3, True), done.messages
    assert done.messages[-1].endswith("(--keep-going publishes the rest)")
    assert (read_tree(public), (public / ".mkindex/manifest").read_bytes()) == (before, manifest)
    done = run(f"{server.url}p", "--remote", how, "--keep-going")
    assert (done.status, read_projects(public)) == (1, ["b"])
    assert [line for line in done.messages if line.startswith(f"rejected HOST/{A}: {why}")] != []
    server.routes[f"/{A}"] = file_route(WHEEL)
    assert (run(f"{server.url}p", "--remote", how).status, read_projects(public)) == (0, ["a", "b"])


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
def test_an_unreadable_page_stops_the_build_unless_keep_going_is_given(
    server: ScriptedServer, public: Path, run: Callable[..., Run], reply: Reply
) -> None:
    server.routes |= {"/p": page_of_links(link_with_hash(A, WHEEL)), "/q": reply, f"/{A}": file_route(WHEEL)}
    assert run(f"{server.url}p").status == 0
    before = read_tree(public)
    done = run(f"{server.url}p", f"{server.url}q?token=hunter2")
    assert (done.status, read_tree(public), "hunter2" in done.messages[-1]) == (3, before, False)
    done = run(f"{server.url}p", f"{server.url}q?token=hunter2", "--keep-going")
    assert (done.status, read_tree(public), "hunter2" in done.messages[-1]) == (1, before, False)
    assert done.messages[-1].startswith("rejected HOST/q: source skipped: ")


def test_a_source_that_fails_halfway_is_skipped_as_a_whole(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes |= {
        "/simple/": page_reply(
            '<meta name="pypi:repository-version" content="1.0"><a href="a/">a</a><a href="z/">z</a>'
        ),
        "/simple/a/": page_of_links(link_with_hash(f"/{A}", WHEEL)),
        "/simple/z/": status_reply(503),
        f"/{A}": file_route(WHEEL),
        f"/{B}": file_route(OTHER),
        "/p": page_of_links(link_with_hash(B, OTHER)),
    }
    assert run(f"{server.url}simple/", f"{server.url}p", "--all").status == 3
    done = run(f"{server.url}simple/", f"{server.url}p", "--all", "--keep-going")
    assert (done.status, read_projects(public)) == (1, ["b"])
    assert "source skipped" in done.messages[-1]


@pytest.mark.parametrize(
    "headers",
    [{"content_type": "x\x1b[31m/y"}, {"content_type": "text/html; charset=\x1b"}, {"etag": "\x1b[31m"}],
)
def test_control_characters_of_a_server_are_not_printed(
    server: ScriptedServer, run: Callable[..., Run], headers: dict[str, str]
) -> None:
    server.routes |= {
        "/p": Reply(b"nothing").with_headers(**headers),
        "/q": page_of_links("a.%1b[31mx", "b.\x9b1m", link_with_hash(B, OTHER)),
    }
    server.routes[f"/{B}"] = file_route(OTHER)
    assert run(f"{server.url}p").status == 3
    assert run(f"{server.url}q", "--verbose").status == 0


# --- secrets ----------------------------------------------------------------------------------------------------------


def require_credentials(reply: scripted_server.Route) -> Callable[[Request], Reply]:
    def route(request: Request) -> Reply:
        if request.headers.get("authorization") != "Basic dXNlcjpodW50ZXIy":
            return status_reply(401)
        return reply if isinstance(reply, Reply) else reply(request) if callable(reply) else Reply(reply)

    return route


@pytest.mark.parametrize("how", ["reference", "mirror"])
@pytest.mark.parametrize("place", ["address", "netrc"])
def test_credentials_are_used_for_pages_and_files_and_never_written(
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
        "/p": require_credentials(
            conditional(page_of_links(link_with_hash(A, WHEEL, GIVEN), B, C).with_headers(etag='"1"'))
        ),
        f"/{A}": require_credentials(file_route(WHEEL)),
        SIBLING: require_credentials(Reply(METADATA)),
        f"/{B}": require_credentials(file_route(OTHER)),
        f"/{C}": require_credentials(status_reply(404)),
    }
    output = ""
    for options in (), ("--verbose",), ("--json",):
        done = run(f"{address}p", "--remote", how, *options)
        assert (done.status, read_projects(public)) == (1, ["a", "b"])
        output += done.out + "\n".join(done.messages)
    server.routes[f"/{B}"] = status_reply(503)
    for path in "p", "q":
        done = run(f"{address}{path}", "--remote", how, "--no-cache")
        output += done.out + "\n".join(done.messages)
    written = b"".join(
        path.read_bytes() for top in ("public", "cache") for path in Path(top).rglob("*") if path.is_file()
    )
    assert ("hunter2" in output, b"hunter2" in written, b"dXNlcjpodW50ZXIy" in written) == (False, False, False)


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
def test_an_invalid_address_is_shown_without_its_password(run: Callable[..., Run], spec: str) -> None:
    for options in (), ("--keep-going", "--allow-empty"):
        done = run(spec, *options)
        assert done.status in (1, 2, 3)
        assert "hunter2" not in done.out + "".join(done.messages)


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
def test_a_line_of_a_list_is_shown_without_its_password(tmp_path: Path, run: Callable[..., Run], line: str) -> None:
    (tmp_path / "list.txt").write_text(f"{line}\n")
    for options in (), ("--files-url", "https://host/"):
        done = run("list.txt", "--allow-empty", "--verbose", *options)
        assert done.status in (0, 1, 3)
        assert "hunter2" not in done.out + "".join(done.messages)


SIGNED = (
    *("X-Amz-Expires=60&X-Amz-Signature=hunter2", "X-Goog-Signature=hunter2", "Expires=1&Signature=hunter2"),
    *("Key-Pair-Id=K&Signature=hunter2", "se=2026-01-01&sig=hunter2"),
)


@pytest.mark.parametrize("query", SIGNED)
def test_a_signed_address_is_mirrored_but_not_published_and_its_signature_is_not_kept(
    server: ScriptedServer, capsys: pytest.CaptureFixture[str], tmp_path: Path, query: str
) -> None:
    page = page_of_links(f"{A}?{query.replace('&', '&amp;')}").with_headers(etag='"1"')
    server.routes |= {"/": page, f"/{A}": file_route(WHEEL, etag='"2"')}
    run = Run(capsys, server, server.url)
    assert run.status == 3
    assert "use --remote mirror" in "\n".join(run.messages)
    assert Run(capsys, server, server.url, "--remote", "mirror").status == 0
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]
    assert kept == []
