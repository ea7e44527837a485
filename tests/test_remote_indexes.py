"""Whole indexes as sources, and several sources of the same file."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mkindex.build.pipeline import build
from mkindex.config import Config
from mkindex.examine.mirror import in_place
from mkindex.model.files import File
from mkindex.publish.directory import DirectoryDestination
from mkindex.tree.names import file_path
from support.builds import publish
from support.remote_builds import (
    LISTED,
    OTHER,
    UPLOADED,
    WHEEL,
    A,
    B,
    Run,
    link_with_hash,
    page_of_links,
    read_entries,
    read_projects,
    sha256,
)
from support.scripted_server import ScriptedServer, file_route, page_reply
from support.trees import read_tree
from support.wheels import metadata, wheel, wheel_filename, write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

SECOND = "2026-01-02T03:04:05Z"


pytestmark = pytest.mark.usefixtures("isolated")


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


# --- merging ----------------------------------------------------------------------------------------------------------


def test_a_file_of_two_sources_is_listed_at_its_first_address(
    server: ScriptedServer, public: Path, tmp_path: Path, run: Callable[..., Run]
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / A).write_bytes(WHEEL)
    server.routes |= {f"/{one}/{A}": file_route(WHEEL) for one in "pq"}
    server.routes |= {"/p/": page_of_links(A), "/q/": page_of_links(link_with_hash(A, WHEEL))}
    found = {}
    for order in ("p/", "q/"), ("q/", "p/"), ("here", "p/"), ("p/", "here"):
        done = run(*(one if one == "here" else f"{server.url}{one}" for one in order))
        assert (done.status, read_projects(public)) == (0, ["a"])
        (entry,) = read_entries(public, "a", server)
        found[order] = entry["url"].partition("files/")[0]
    assert found == {
        ("p/", "q/"): f"HOST/p/{A}",
        ("q/", "p/"): f"HOST/q/{A}",
        ("here", "p/"): "../../",
        ("p/", "here"): f"HOST/p/{A}",
    }


def test_two_files_with_one_name_are_both_rejected_or_the_first_is_listed(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    changed = wheel("a", "1.0", summary="changed")
    server.routes |= {f"/p/{A}": file_route(WHEEL), f"/q/{A}": file_route(changed), f"/q/{B}": file_route(OTHER)}
    server.routes |= {"/p/": page_of_links(link_with_hash(A, WHEEL)), "/q/": page_of_links(A, link_with_hash(B, OTHER))}
    done = run(f"{server.url}p/", f"{server.url}q/")
    why = "and their contents differ: remove one, or use --prefer first"
    assert (done.status, read_projects(public), [line for line in done.messages if "rejected" in line]) == (
        1,
        ["b"],
        [
            f"rejected HOST/p/{A}: clients cannot distinguish it from HOST/q/{A}, {why}",
            f"rejected HOST/q/{A}: clients cannot distinguish it from HOST/p/{A}, {why}",
        ],
    )
    done = run(f"{server.url}p/", f"{server.url}q/", "--prefer", "first")
    text = f"not published: its contents differ from those of HOST/p/{A}, which comes first"
    assert (done.status, read_projects(public), done.messages) == (0, ["a", "b"], [f"note HOST/q/{A}: {text}"])
    assert read_entries(public, "a", server) == [LISTED | {"url": f"HOST/p/{A}"}]


# --- indexes ----------------------------------------------------------------------------------------------------------


def serve_tree(server: ScriptedServer, root: Path, where: str, *, json_first: bool) -> None:
    """Serve one of our trees at a path, its pages as HTML or as JSON."""
    for path, content in read_tree(root).items():
        directory, _, name = path.rpartition("/")
        if name == ("index.v1_json" if json_first else "index.html") and directory.startswith("simple"):
            media_type = "application/vnd.pypi.simple.v1+json" if json_first else "text/html"
            server.routes[f"{where}{directory}/"] = page_reply(content, media_type)
        elif name not in ("index.html", "index.v1_json"):
            server.routes[f"{where}{path}"] = file_route(content)
            quoted = path.replace("+", "%2B").replace("!", "%21")
            server.routes[f"{where}{quoted}"] = file_route(content)


ATTRIBUTES: list[dict[str, Any]] = [
    {"requires-python": ">=3.8,<4", "yanked": "broken \"<&>' ä"},
    {"yanked": True, "upload-time": SECOND, "provenance": "https://host/x.provenance"},
    {"upload-time": "2026-01-02T03:04:05.123456Z", "core-metadata": True},
]


@pytest.fixture
def entries(server: ScriptedServer) -> list[dict[str, Any]]:
    """Serve an index in JSON with every attribute that a file can have; return its files."""
    files = []
    for number, more in enumerate(ATTRIBUTES):
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


def test_attributes_of_files_in_an_index_are_kept(
    server: ScriptedServer, public: Path, run: Callable[..., Run], entries: list[dict[str, Any]]
) -> None:
    done = run(f"{server.url}simple/", "--all")
    assert (done.status, done.messages, read_projects(public)) == (0, [], ["a", "q"])
    assert read_entries(public, "a", server) == [
        {"upload-time": UPLOADED}
        | entry
        | {"url": entry["url"].replace("../../", "HOST/"), "hashes": {"sha256": entry["hashes"]["sha256"]}}
        for entry in entries
    ]
    assert project_status(public, "a") == {"status": "archived", "reason": 'gone <"fishing">'}
    assert project_status(public, "q") == {"status": "quarantined"}


@pytest.mark.parametrize("how", ["reference", "mirror"])
@pytest.mark.parametrize("json_first", [True, False], ids=["JSON", "HTML"])
def test_an_index_built_from_our_index_is_the_same(
    *,
    server: ScriptedServer,
    public: Path,
    tmp_path: Path,
    run: Callable[..., Run],
    entries: list[dict[str, Any]],
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
def test_a_mirror_of_the_index_of_a_directory_is_the_same_byte_for_byte(
    *, server: ScriptedServer, public: Path, wheels: Path, tmp_path: Path, run: Callable[..., Run], json_first: bool
) -> None:
    publish(wheels, tmp_path / "first")
    serve_tree(server, tmp_path / "first", "/1/", json_first=json_first)
    assert run(f"{server.url}1/simple/", "--all", "--remote", "mirror").status == 0
    assert read_tree(public) == read_tree(tmp_path / "first")


def test_html_and_json_of_an_index_give_the_same_tree(
    server: ScriptedServer, public: Path, wheels: Path, tmp_path: Path, run: Callable[..., Run]
) -> None:
    publish(wheels, tmp_path / "first")
    found = []
    for json_first in True, False:
        serve_tree(server, tmp_path / "first", "/1/", json_first=json_first)
        assert run(f"{server.url}1/simple/", "--all").status == 0
        found.append(read_tree(public))
    assert found[0] == found[1]


def test_only_the_project_whose_page_is_missing_is_rejected(
    server: ScriptedServer, public: Path, run: Callable[..., Run], entries: list[dict[str, Any]]
) -> None:
    del server.routes["/simple/q/"]
    done = run(f"{server.url}simple/", "--all")
    assert (done.status, read_projects(public)) == (1, ["a"])
    assert done.messages == [
        "rejected HOST/simple/q/: the index lists this project, but its page answers 404: not found. Check the address"
    ]


def test_include_selects_one_project_of_an_index(
    server: ScriptedServer, public: Path, run: Callable[..., Run], entries: list[dict[str, Any]]
) -> None:
    done = run(f"{server.url}simple/")
    assert (done.status, done.requests) == (3, ["GET 200 /simple/"])
    assert done.messages == [
        "error HOST/simple/ is an index of 2 projects. Choose projects with --include, or use --all"
    ]
    done = run(f"{server.url}simple/", "--include", "A", "--exclude", "a-1.1*")
    assert (done.status, read_projects(public)) == (0, ["a"])
    assert [entry["filename"] for entry in read_entries(public, "a", server)] == [
        "a-1.0+x-py3-none-any.whl",
        "a-1.2+x-py3-none-any.whl",
    ]
    assert [request for request in done.requests if "/q/" in request or "a-1.1" in request] == []


def test_a_damaged_mirrored_file_is_not_taken_for_the_original(server: ScriptedServer, public: Path) -> None:
    server.routes |= {"/p": page_of_links(link_with_hash(A, WHEEL)), f"/{A}": file_route(WHEEL)}
    config = Config(sources=(f"{server.url}p",), destination=str(public), remote="mirror")
    ((before,),) = (project.files for project in build(config).index.projects)
    with ThreadPoolExecutor(1) as executor:
        found = in_place(before, DirectoryDestination(str(public), executor=executor))
        assert isinstance(found, File)
        assert found.local.path == f"{public}/{file_path(sha256(WHEEL), A)}"
        Path(found.local.path).write_bytes(b"harm")
        assert in_place(before, DirectoryDestination(str(public), executor=executor)) is None
