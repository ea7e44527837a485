"""Attestations of files on servers: in releases, on pages, in mirrored indexes and in buckets."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from mkindex.cache import Cache
from mkindex.distributions import verification
from mkindex.examine.attestations import AttestationWork, attach_attestations, read_sources
from mkindex.model.files import Facts, File, Link
from mkindex.publish.directory import DirectoryDestination
from mkindex.stores.objects import Headers
from support.attestations import REAL, REAL_PROVENANCE, REAL_PUBLISHER, REAL_SDIST, provenance, real_attestations
from support.builds import publish
from support.fake_store import ADDRESS, FakeStore, use
from support.growing import add
from support.releases import FakeGitHub
from support.remote_builds import Run, sha256
from support.scripted_server import Reply, ScriptedServer, file_route, page_reply, status_reply
from support.trees import read_tree
from support.wheels import wheel, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("isolated")

HOST = "https://packages.example.com"
A = "a-1.0-py3-none-any.whl"
WHEEL = wheel("a", "1.0")
DATA = json.dumps(provenance(A, sha256(WHEEL))).encode()
SDIST = REAL_SDIST.read_bytes()
SIGNED = json.dumps(real_attestations()[0]).encode()


def path_of(data: bytes, filename: str = A) -> str:
    digest = hashlib.sha256(data).hexdigest()
    return f"files/{digest[:2]}/{digest[2:]}/{filename}.provenance"


def published(public: Path) -> dict[str, bytes]:
    """The provenance objects of a tree."""
    return {path: data for path, data in read_tree(public).items() if path.endswith(".provenance")}


def named(public: Path, project: str = "a") -> list[str | None]:
    """The provenance that a page names."""
    files = json.loads((public / f"simple/{project}/index.v1_json").read_text())["files"]
    return [file.get("provenance") for file in files]


@pytest.fixture
def signed_provenance() -> bytes:
    """The provenance object that is made from the real attestation."""
    bundle = {"publisher": REAL_PUBLISHER, "attestations": [json.loads(SIGNED)]}
    publisher = json.loads(json.dumps(bundle["publisher"], sort_keys=True))
    found = {"version": 1, "attestation_bundles": [{**bundle, "publisher": publisher}]}
    return json.dumps(found, separators=(",", ":")).encode() + b"\n"


# --- releases ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def forge(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> FakeGitHub:
    """A forge with one release: the real sdist and its attestation."""
    forge = FakeGitHub(server)
    monkeypatch.setenv("GITHUB_API_URL", forge.api)
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    forge.add("me/a", "v0", {REAL: SDIST, f"{REAL}.publish.attestation": SIGNED})
    forge.publish()
    return forge


@pytest.mark.parametrize("remote", ["reference", "mirror"])
@pytest.mark.usefixtures("forge")
def test_an_attestation_of_a_release_becomes_a_provenance_object(
    remote: str, public: Path, run: Callable[..., Run], signed_provenance: bytes
) -> None:
    done = run("github:me/a", "--remote", remote, "--url", HOST, "-v")
    path = path_of(signed_provenance, REAL)
    assert (done.status, published(public), named(public, "gcb-attestation-test")) == (
        0,
        {path: signed_provenance},
        [f"{HOST}/{path}"],
    )
    again = run("github:me/a", "--remote", remote, "--url", HOST)
    assert (again.status, [line for line in again.requests if ".attestation" in line]) == (0, [])
    assert set(published(public)) == {path}


def test_a_provenance_object_of_a_private_release_is_read_from_the_api(
    server: ScriptedServer, public: Path, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    forge = FakeGitHub(server, private=frozenset({"me/p"}))
    monkeypatch.setenv("GITHUB_API_URL", forge.api)
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    forge.add("me/p", "v1", {A: WHEEL, f"{A}.provenance": DATA})
    forge.publish()
    done = run("github:me/p", "--remote", "mirror", "--url", HOST)
    assert (done.status, published(public)) == (0, {path_of(DATA): DATA})


# --- pages ------------------------------------------------------------------------------------------------------------


def test_a_page_may_list_attestations_beside_files(
    server: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    server.routes["/"] = page_reply(
        f'<!DOCTYPE html>\n<a href="{A}">x</a>\n<a href="{A}.provenance">x</a>\n<a href="notes.md">x</a>'
    )
    server.routes |= {f"/{A}": file_route(WHEEL), f"/{A}.provenance": file_route(DATA)}
    done = run(server.url, "--url", HOST, "-v")
    assert (done.status, published(public), named(public)) == (0, {path_of(DATA): DATA}, [f"{HOST}/{path_of(DATA)}"])
    assert "note HOST/: skipped links to other files: 1 .md" in done.messages


def test_a_page_of_this_machine_may_list_them_too(tmp_path: Path, public: Path, run: Callable[..., Run]) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    for name, data in ((A, WHEEL), (f"{A}.provenance", DATA)):
        (pages / name).write_bytes(data)
    (pages / "links.html").write_text(f'<!DOCTYPE html>\n<a href="{A}">x</a>\n<a href="{A}.provenance">x</a>\n')
    assert run("pages/links.html", "--url", HOST).status == 0
    assert (published(public), named(public)) == ({path_of(DATA): DATA}, [f"{HOST}/{path_of(DATA)}"])


# --- mirrored indexes -------------------------------------------------------------------------------------------------


@pytest.fixture
def mirrored(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> ScriptedServer:
    """An index that names provenance. The test's server has no https, so its addresses are taken as they are."""
    monkeypatch.setattr("mkindex.simple.reader.clean_provenance", lambda value: value or "")
    page = f'<a href="{A}#sha256={sha256(WHEEL)}" data-provenance="{server.url}x.provenance">x</a>'
    server.routes |= {
        "/": page_reply(f"<!DOCTYPE html>\n{page}\n"),
        f"/{A}": file_route(WHEEL),
        "/x.provenance": file_route(DATA),
    }
    return server


def test_a_mirror_copies_provenance_and_requests_it_once(
    mirrored: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    first = run(mirrored.url, "--remote", "mirror", "--url", HOST)
    assert (first.status, published(public), named(public)) == (0, {path_of(DATA): DATA}, [f"{HOST}/{path_of(DATA)}"])
    tree = read_tree(public)
    second = run(mirrored.url, "--remote", "mirror", "--url", HOST)
    assert ([line for line in second.requests if "provenance" in line], read_tree(public)) == ([], tree)
    (public / path_of(DATA)).unlink()
    third = run(mirrored.url, "--remote", "mirror", "--url", HOST)
    assert [line for line in third.requests if "provenance" in line] == ["GET 200 /x.provenance"]
    assert read_tree(public) == tree


def test_a_file_that_a_page_lists_often_has_one_provenance_object(tmp_path: Path) -> None:
    link = Link("https://example.com/a.whl", A, sha256(WHEEL), provenance="https://example.com/x.provenance")
    files = [File(link, Facts("a", "1.0", sha256(WHEEL)), A)] * 1000
    web: Any = SimpleNamespace(get_small=lambda *_, **__: DATA)
    with ThreadPoolExecutor(20) as threads, Cache(None) as cache:
        tree = DirectoryDestination(str(tmp_path), executor=threads)
        work = AttestationWork(web=web, cache=cache, executor=threads, tree=tree, is_mirrored=True)
        attested, findings = attach_attestations(files, (), work)
    places = {file.attested for file in attested}
    assert ([read_sources(place) for place in places if place], findings) == ([DATA], [])


def test_without_an_address_of_its_own_a_mirror_names_that_of_the_index(
    mirrored: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    run(mirrored.url, "--remote", "mirror")
    assert (published(public), named(public)) == ({}, [f"{mirrored.url}x.provenance"])


def test_a_reference_names_provenance_where_it_is(
    mirrored: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    done = run(mirrored.url, "--url", HOST)
    assert (published(public), named(public)) == ({}, [f"{mirrored.url}x.provenance"])
    assert [line for line in done.requests if "provenance" in line] == []


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (file_route(b"{}"), "version None; the specification has only version 1 (PEP 740)"),
        (file_route(json.dumps(provenance(A, "b" * 64)).encode()), f"it attests a file with sha256 {'b' * 64}; "),
        (file_route(b" " * (1 << 21)), "larger than "),
        (status_reply(404), "answers 404: not found. Check the address"),
    ],
    ids=["form", "subject", "size", "404"],
)
def test_a_mirror_rejects_provenance_that_is_wrong_and_publishes_the_file(
    reply: Reply, reason: str, mirrored: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    mirrored.routes["/x.provenance"] = reply
    done = run(mirrored.url, "--remote", "mirror", "--url", HOST)
    assert (done.status, published(public), named(public)) == (1, {}, [None])
    (message,) = (line for line in done.messages if line.startswith("rejected"))
    assert message.startswith(f"rejected HOST/x.provenance: attestation not published: {reason}")


def test_a_mirror_of_a_server_that_fails_changes_nothing(
    mirrored: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    mirrored.routes["/x.provenance"] = status_reply(503, **{"Retry-After": "0"})
    done = run(mirrored.url, "--remote", "mirror", "--url", HOST)
    assert (done.status, public.joinpath("simple").exists()) == (3, False)


def test_a_demand_is_made_of_files_that_stay_on_their_server(
    mirrored: ScriptedServer, public: Path, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = run(mirrored.url, "--require-attestations", "--allow-empty")
    assert (refused.status, "has no valid attestation: x.provenance: not valid: " in refused.messages[0]) == (1, True)
    monkeypatch.setattr(verification, "verify", lambda *_: [{"kind": "GitHub", "repository": "acme/demo"}])
    assert run(mirrored.url, "--require-attestations").status == 0
    assert named(public) == [f"{mirrored.url}x.provenance"]


def test_the_real_provenance_object_is_mirrored_and_verified(
    mirrored: ScriptedServer, public: Path, run: Callable[..., Run]
) -> None:
    page = f'<a href="{REAL}#sha256={sha256(SDIST)}" data-provenance="{mirrored.url}x.provenance">x</a>'
    mirrored.routes["/"] = page_reply(f"<!DOCTYPE html>\n{page}\n")
    mirrored.routes |= {f"/{REAL}": file_route(SDIST), "/x.provenance": file_route(REAL_PROVENANCE.read_bytes())}
    done = run(mirrored.url, "--remote", "mirror", "--url", HOST, "--require-attestations")
    data = REAL_PROVENANCE.read_bytes()
    assert (done.status, published(public)) == (0, {path_of(data, REAL): data})


# --- buckets and sites ------------------------------------------------------------------------------------------------


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> FakeStore:
    made = FakeStore()
    use(monkeypatch, made)
    return made


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    """A directory with a wheel and its provenance object."""
    directory = tmp_path / "dist"
    directory.mkdir()
    (directory / A).write_bytes(WHEEL)
    (directory / f"{A}.provenance").write_bytes(DATA)
    return directory


def test_an_index_in_a_bucket_has_the_tree_of_a_directory(store: FakeStore, dist: Path, tmp_path: Path) -> None:
    publish(dist, ADDRESS, url=HOST)
    (tmp_path / "more").mkdir()
    write_wheel(tmp_path / "more", "b", "1.0")
    add(tmp_path / "more", ADDRESS, url=HOST)
    found = {key for key in store.objects if key.endswith(".provenance")}
    assert (found, store.objects[path_of(DATA)].data) == ({path_of(DATA)}, DATA)
    publish(tmp_path / "more", ADDRESS, url=HOST, prune=True)
    assert [key for key in store.objects if key.endswith(".provenance")] == []


@pytest.mark.parametrize("remote", ["reference", "mirror"])
def test_objects_with_attestations_are_used(remote: str, store: FakeStore, tmp_path: Path) -> None:
    plain = Headers("application/octet-stream", "")
    for name, data in ((A, WHEEL), (f"{A}.provenance", DATA)):
        store.put(name, data, plain)
    public = tmp_path / "public"
    report = publish("s3://a-bucket/python", public, url=HOST, remote=remote)  # type: ignore[arg-type]
    path = path_of(DATA)
    if remote == "mirror":
        assert (published(public), named(public)) == ({path: DATA}, [f"{HOST}/{path}"])
    else:
        assert (published(public), named(public)) == ({}, [f"https://a-bucket.example/python/{A}.provenance"])
    assert report.findings == ()


@pytest.mark.parametrize("is_served", [True, False])
def test_a_site_that_grows_keeps_its_provenance(
    is_served: bool, server: ScriptedServer, dist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.url if is_served else HOST
    # The test's server has no https.
    monkeypatch.setattr("mkindex.simple.reader.clean_provenance", lambda value: value or "")
    monkeypatch.setattr("mkindex.site.layout.names_provenance", lambda url: url is not None)
    site = tmp_path / "site"
    publish(dist, site, url=url)
    for path, data in read_tree(site).items():
        server.routes[f"/{path}"] = server.routes[f"/{path.removesuffix('index.html')}"] = (
            page_reply(data.decode()) if path.endswith(".html") else file_route(data)
        )
    (tmp_path / "more").mkdir()
    write_wheel(tmp_path / "more", "b", "1.0")
    public = tmp_path / "public"
    add(tmp_path / "more", public, url=url, previous=url if is_served else str(site))
    assert (published(public), named(public)) == ({path_of(DATA): DATA}, [f"{url.rstrip('/')}/{path_of(DATA)}"])
