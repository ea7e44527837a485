"""Releases of repositories as a source: github:OWNER/REPOSITORY, gitlab:GROUP/PROJECT, and lists of `gh api`."""

from __future__ import annotations

import io
import json
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from support.releases import UPLOADED, FakeGitHub
from support.remote_builds import Run, expected_entry, read_entries, read_projects, sha256
from support.scripted_server import Reply, ScriptedServer, file_route
from support.wheels import metadata, wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.scripted_server import Request

pytestmark = pytest.mark.usefixtures("isolated")

A, B = "a-1.0-py3-none-any.whl", "b-1.0-py3-none-any.whl"
OLD, NEW = wheel("a", "1.0", requires_python=">=3.8"), wheel("a", "2.0")
ASKED = ["GET 200 /api/repos/me/a", "GET 200 /api/repos/me/a/releases?per_page=100"]
NEW_NAME = "a-2.0-py3-none-any.whl"


@pytest.fixture
def forge(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> FakeGitHub:
    """A forge with one repository, which has one release of one wheel."""
    forge = FakeGitHub(server)
    monkeypatch.setenv("GITHUB_API_URL", forge.api)
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    forge.add("me/a", "v1.0", {A: OLD})
    forge.publish()
    return forge


def listed(public: Path, name: str = "a") -> list[str]:
    """The filenames that the page of a project lists; [] if there is none."""
    page = public / f"simple/{name}/index.v1_json"
    return [file["filename"] for file in json.loads(page.read_text())["files"]] if page.exists() else []


def test_a_file_of_a_release_is_listed_with_what_the_api_says(
    forge: FakeGitHub, public: Path, run: Callable[..., Run]
) -> None:
    done = run("github:me/a")
    path = f"/me/a/releases/download/v1.0/{A}"
    assert (done.status, done.messages) == (0, [])
    assert done.requests == [
        "GET 200 /api/repos/me/a",
        "GET 200 /api/repos/me/a/releases?per_page=100",
        f"GET 206 {path}",
    ]
    entry = expected_entry(A, OLD, requires_python=">=3.8", url=f"HOST{path}", upload_time=UPLOADED)
    assert read_entries(public, "a", forge.server) == [entry]


def test_a_second_run_asks_only_whether_the_lists_have_changed(
    forge: FakeGitHub, public: Path, run: Callable[..., Run]
) -> None:
    forge.add("me/a", "v2.0", {NEW_NAME: NEW}, digests=False)
    forge.publish()
    first = run("github:me/a")
    before = (public / "simple/a/index.html").read_bytes()
    second = run("github:me/a")
    assert (first.status, second.status) == (0, 0)
    assert second.requests == [request.replace("200", "304") for request in ASKED]
    assert (public / "simple/a/index.html").read_bytes() == before


def test_a_second_add_makes_conditional_requests_only(forge: FakeGitHub, public: Path, run: Callable[..., Run]) -> None:
    assert run("add", "github:me/a").status == 0
    again = run("add", "github:me/a")
    assert (again.status, again.requests) == (0, [request.replace("200", "304") for request in ASKED])
    forge.add("me/a", "v2.0", {NEW_NAME: NEW})
    forge.publish()
    later = run("add", "github:me/a")
    assert later.requests == [
        ASKED[0].replace("200", "304"),
        ASKED[1],
        f"GET 206 /me/a/releases/download/v2.0/{NEW_NAME}",
    ]
    assert listed(public) == [A, NEW_NAME]


def test_a_file_without_a_digest_is_read_once_and_announced(
    forge: FakeGitHub, public: Path, run: Callable[..., Run]
) -> None:
    forge.add("me/old", "v2.0", {NEW_NAME: NEW}, digests=False)
    forge.publish()
    done = run("github:me/old")
    assert [entry["hashes"] for entry in read_entries(public, "a", forge.server)] == [{"sha256": sha256(NEW)}]
    assert [message.partition(": ")[2] for message in done.messages] == [
        f"{len(NEW):,} bytes in 1 file will be read to compute sha256 (--allow-unhashed skips this)"
    ]


def test_all_parts_of_a_listing_are_read(
    server: ScriptedServer, forge: FakeGitHub, public: Path, run: Callable[..., Run]
) -> None:
    forge.per_part = 2
    for number in range(2, 6):
        forge.add("me/a", f"v{number}.0", {f"a-{number}.0-py3-none-any.whl": wheel("a", f"{number}.0")})
    forge.publish()
    assert run("github:me/a").status == 0
    assert listed(public) == [f"a-{number}.0-py3-none-any.whl" for number in range(1, 6)]
    parts = ["per_page=100", "per_page=2&page=2", "per_page=2&page=3"]
    unchanged = [f"GET 304 /api/repos/me/a/releases?{part}" for part in parts]
    assert run("github:me/a").requests == [ASKED[0].replace("200", "304"), *unchanged]
    server.routes["/api/repos/me/a/releases"] = Reply(
        b"[]", headers={"Link": f'<{server.other_host_url}api?page=2>; rel="next"'}
    )
    done = run("github:me/a", "--allow-empty")
    assert (done.status, done.messages) == (
        3,
        [
            "error HOST/api/repos/me/a/releases: the rest of the listing is on another host. Check --api-url",
        ],
    )
    assert listed(public) == [f"a-{number}.0-py3-none-any.whl" for number in range(1, 6)]


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (["github:me/a"], [A]),
        (["github:me/a", "--prereleases"], [A, NEW_NAME]),
        (["github:me/a@v2*", "--prereleases"], [NEW_NAME]),
        (["github:me/a@v1.0"], [A]),
        (["github:me/[ab]", "--exclude", "b"], [A]),
    ],
)
def test_releases_are_chosen_by_tag_and_prereleases_on_request(
    forge: FakeGitHub, public: Path, run: Callable[..., Run], arguments: list[str], files: list[str]
) -> None:
    forge.add("me/a", "v2.0", {NEW_NAME: NEW}, prerelease=True)
    forge.add("me/a", "v3.0", {"a-3.0-py3-none-any.whl": wheel("a", "3.0")}, draft=True)
    forge.add("me/a", "v2.1", {"a-2.1-py3-none-any.whl": wheel("a", "2.1")})
    forge.releases["me/a"][0]["assets"][0]["state"] = "open"  # its upload has not ended
    forge.publish()
    assert (run(*arguments).status, listed(public)) == (0, files)


def test_a_pattern_takes_all_repositories_of_an_owner_that_it_matches(
    forge: FakeGitHub, public: Path, run: Callable[..., Run]
) -> None:
    forge.add("me/lib-b", "v1", {B: wheel("b", "1.0")})
    forge.add("me/app", "v1", {"c-1.0-py3-none-any.whl": wheel("c", "1.0")})
    forge.publish()
    assert run("github:me/a", "github:me/lib-*").status == 0
    assert read_projects(public) == ["a", "b"]
    done = run("github:me/none-*")
    assert (done.status, done.messages) == (
        3,
        ["error source github:me/none-*: no repository has such a name. Check the pattern"],
    )


def test_a_person_has_repositories_at_another_address_than_an_organization(
    server: ScriptedServer, forge: FakeGitHub, public: Path, run: Callable[..., Run]
) -> None:
    server.routes["/api/users/me/repos"] = server.routes.pop("/api/orgs/me/repos")
    assert (run("github:me/*").status, listed(public)) == (0, [A])


def test_metadata_and_provenance_beside_a_wheel_are_used(
    forge: FakeGitHub, public: Path, run: Callable[..., Run]
) -> None:
    sibling = metadata("a", "2.0", requires_python=">=3.9")
    whole = wheel("a", "2.0", requires_python=">=3.9")
    files = {NEW_NAME: whole, f"{NEW_NAME}.metadata": sibling, f"{NEW_NAME}.provenance": b"{}", "notes.txt": b"x"}
    forge.add("me/b", "v2.0", files)
    for asset in forge.releases["me/b"][0]["assets"]:
        if asset["name"].endswith(".provenance"):
            asset["browser_download_url"] = "https://host.example/a.provenance"
    forge.publish()
    done = run("github:me/b", "-v")
    path = f"/me/b/releases/download/v2.0/{NEW_NAME}"
    assert (done.status, read_entries(public, "a", forge.server)) == (
        0,
        [
            expected_entry(
                NEW_NAME,
                whole,
                requires_python=">=3.9",
                url=f"HOST{path}",
                upload_time=UPLOADED,
                core_metadata={"sha256": sha256(sibling)},
                provenance="https://host.example/a.provenance",
            )
        ],
    )
    assert f"GET 200 {path}.metadata" in done.requests
    assert "note github:me/b: skipped 1 file of releases that are neither wheels nor sdists" in done.messages


def test_a_renamed_asset_is_rejected_with_the_way_out(forge: FakeGitHub, public: Path, run: Callable[..., Run]) -> None:
    renamed = "c-1.0.cu128-py3-none-any.whl"  # GitHub replaces the "+"
    forge.add("me/c", "v1", {renamed: wheel("c", "1.0+cu128")})
    forge.publish()
    done = run("github:me/c", "--allow-empty")
    (message,) = (message for message in done.messages if message.startswith("rejected"))
    assert message.endswith("rename it to c-1.0+cu128-py3-none-any.whl, or use --remote mirror --fix-names")
    assert done.status == 1
    assert run("github:me/c", "--remote", "mirror", "--fix-names").status == 0
    assert listed(public, "c") == ["c-1.0+cu128-py3-none-any.whl"]


# --- tokens and limits --------------------------------------------------------------------------------------------


def test_a_private_repository_is_mirrored_with_a_token_that_only_the_api_gets(
    forge: FakeGitHub, server: ScriptedServer, public: Path, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    forge.private = frozenset({"me/a"})
    forge.publish()
    server.routes.pop(f"/me/a/releases/download/v1.0/{A}")
    monkeypatch.setenv("GITHUB_TOKEN", "hunter2")
    done = run("github:me/a")
    assert (done.status, done.messages) == (
        3,
        [
            "error me/a is private, so that clients cannot download files of its releases. Use --remote mirror",
        ],
    )
    done = run("github:me/a", "--remote", "mirror")
    assert (done.status, listed(public), done.requests[-1]) == (0, [A], "GET 200 /api/repos/me/a/releases/assets/1")
    assert forge.authorizations == {"Bearer hunter2"}


def test_another_server_gets_no_token(
    forge: FakeGitHub, server: ScriptedServer, public: Path, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "hunter2")
    monkeypatch.setenv("GITHUB_API_URL", f"{server.other_host_url}api")
    assert run("github:me/a", "--api-url", forge.api).status == 0
    assert forge.authorizations == {""}


def test_a_link_of_a_release_to_another_project_gets_no_token(
    server: ScriptedServer, public: Path, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_API_V4_URL", f"{server.url}api/v4")
    monkeypatch.setenv("GITLAB_TOKEN", "hunter2")
    own, private = f"/api/v4/projects/7/packages/{A}", f"/api/v4/projects/8/packages/{NEW_NAME}"
    links = [{"id": 1, "name": "x", "url": f"{server.url.rstrip('/')}{path}"} for path in (own, private)]
    seen: dict[str, str] = {}

    def guarded(content: bytes) -> Callable[[Request], Reply]:
        def answer(request: Request) -> Reply:
            seen[request.path] = request.headers.get("authorization", "")
            return file_route(content)(request) if seen[request.path] else Reply(b"", 404)

        return answer

    server.routes |= {
        "/api/v4/projects/me%2Fa": json.dumps({"path_with_namespace": "me/a", "id": 7}).encode(),
        "/api/v4/projects/me%2Fa/releases": json.dumps([{"tag_name": "v1", "assets": {"links": links}}]).encode(),
        own: guarded(OLD),
        private: guarded(NEW),
    }
    done = run("gitlab:me/a", "--remote", "mirror")
    assert (done.status, listed(public), seen) == (1, [A], {own: "Bearer hunter2", private: ""})


@pytest.mark.parametrize(
    ("status", "headers", "text"),
    [
        (
            403,
            {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1767225600"},
            "no more requests are allowed until 00:00:00 UTC. Set GITHUB_TOKEN, which allows more, or try again then",
        ),
        (404, {}, "there is no repository me/a. Check the name. A private repository needs GITHUB_TOKEN"),
        (401, {}, "answers 401: user name and password required. Put them into ~/.netrc"),
    ],
)
def test_a_refusal_ends_the_run_with_what_to_do(
    forge: FakeGitHub, run: Callable[..., Run], status: int, headers: dict[str, str], text: str
) -> None:
    forge.server.routes["/api/repos/me/a"] = Reply(b"{}", status, headers)
    done = run("github:me/a")
    assert (done.status, done.messages) == (3, [f"error HOST/api/repos/me/a: {text}"])


def test_a_wrong_token_is_told_from_a_missing_one(
    forge: FakeGitHub, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "hunter2")
    forge.server.routes["/api/repos/me/a"] = Reply(b"{}", 401)
    done = run("github:me/a")
    text = "answers 401: the token is wrong, or has expired"
    assert (done.status, done.messages) == (3, [f"error HOST/api/repos/me/a: {text}"])


def test_a_server_that_asks_to_wait_is_asked_again(
    forge: FakeGitHub, server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    whole, answers = server.routes["/api/repos/me/a"], [Reply(b"", 403, {"Retry-After": "0"})]
    assert callable(whole)
    server.routes["/api/repos/me/a"] = lambda request: answers.pop() if answers else whole(request)
    done = run("github:me/a")
    assert (done.status, done.requests[:2], listed(public)) == (
        0,
        ["GET 403 /api/repos/me/a", "GET 200 /api/repos/me/a"],
        [A],
    )


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"[{", "is not valid JSON: damaged or truncated"),
        (b"[1]", "is JSON, but not a list of releases"),
        (b'[{"tag_name": "v1", "assets": 1}]', "has a release whose `assets` are not a list"),
        (b"[],[]", "is JSON, but not a list of releases"),
        (b"1 " * 1_000_000, "is JSON, but not a list of releases"),
        (b"[" + b"[]," * 1_000_000 + b"[]]", "has more values than a page of its size needs"),
    ],
)
def test_an_answer_that_is_not_a_list_of_releases_ends_the_run(
    forge: FakeGitHub, server: ScriptedServer, run: Callable[..., Run], body: bytes, text: str
) -> None:
    server.routes["/api/repos/me/a/releases"] = Reply(body)
    done = run("github:me/a")
    assert (done.status, done.messages) == (3, [f"error HOST/api: a response {text}"])


def test_a_spec_without_a_repository_is_refused(forge: FakeGitHub, run: Callable[..., Run]) -> None:
    done = run("github:me")
    assert (done.status, done.messages) == (
        3,
        [
            (
                "error source github:me: give github:OWNER/REPOSITORY, and for some of its releases a pattern of tags"
                " after @, such as @v2.*"
            )
        ],
    )


# --- GitLab, and files ----------------------------------------------------------------------------------------------


def test_links_of_a_release_of_gitlab_are_listed(
    server: ScriptedServer, public: Path, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_API_V4_URL", f"{server.url}api/v4")
    releases = [
        {
            "tag_name": "v1",
            "upcoming_release": False,
            "assets": {
                "links": [{"id": 1, "name": "Wheel", "url": f"{server.url}packages/{A}"}],
                "sources": [{"format": "zip", "url": f"{server.url}a-v1.zip"}],
            },
        }
    ]
    server.routes |= {
        "/api/v4/projects/group%2Fsub%2Fa": json.dumps({"path_with_namespace": "group/sub/a"}).encode(),
        "/api/v4/projects/group%2Fsub%2Fa/releases": json.dumps(releases).encode(),
        f"/packages/{A}": file_route(OLD),
    }
    done = run("gitlab:group/sub/a")
    assert (done.status, [entry["url"] for entry in read_entries(public, "a", server)]) == (0, [f"HOST/packages/{A}"])


def gh_release(forge: FakeGitHub) -> dict[str, Any]:
    """The release as `gh release view --json tagName,isDraft,isPrerelease,assets` writes it."""
    release = forge.releases["me/a"][0]
    assets = [
        {
            "apiUrl": one["url"],
            "url": one["browser_download_url"],
            **{key: one[key] for key in ("name", "size", "digest", "state")},
        }
        for one in release["assets"]
    ]
    return {"tagName": "v1.0", "isDraft": False, "isPrerelease": False, "assets": assets}


@pytest.mark.parametrize("form", ["an array", "several arrays", "arrays in an array", "gh release view"])
def test_a_file_with_a_list_of_releases_is_a_source(
    forge: FakeGitHub, tmp_path: Path, public: Path, run: Callable[..., Run], form: str
) -> None:
    releases = forge.releases["me/a"]
    text = {
        "an array": json.dumps(releases, indent=2),
        "several arrays": json.dumps(releases) + "\n" + json.dumps([]),
        "arrays in an array": json.dumps([releases, []]),
        "gh release view": json.dumps(gh_release(forge)),
    }[form]
    (tmp_path / "releases.json").write_text(text)
    done = run("releases.json")
    assert (done.status, done.messages, listed(public)) == (0, [], [A])


def test_a_list_of_releases_may_come_from_standard_input(
    forge: FakeGitHub, public: Path, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = json.dumps(forge.releases["me/a"]).encode()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(data))))
    assert (run("-").status, listed(public)) == (0, [A])


def test_a_list_of_releases_without_their_files_says_what_to_run(tmp_path: Path, run: Callable[..., Run]) -> None:
    (tmp_path / "releases.json").write_text('[{"tagName": "v1", "isDraft": false}]')
    done = run("releases.json")
    assert (done.status, done.messages) == (
        3,
        [
            (
                f"error {tmp_path}/releases.json lists releases without their files. Use gh api --paginate "
                "repos/OWNER/REPO/releases"
            )
        ],
    )
