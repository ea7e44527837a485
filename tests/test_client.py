"""The facts that `mkindex client` finds out about an index."""

from __future__ import annotations

import configparser
import re
import shlex
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mkindex.cli import run
from mkindex.clients.configurations import CLIENTS, configuration_text
from mkindex.clients.served import ServedIndex
from mkindex.errors import ConfigError, MkindexError, SourceError
from mkindex.probe.configure import ClientOptions, configuration, served_indexes
from mkindex.probe.served import probe
from support import scripted_server
from support.builds import publish
from support.index_server import IndexServer, Reply, serve_index
from support.wheels import write_sdist, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


# --- the index --------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _isolated_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    scripted_server.isolate_client(monkeypatch, tmp_path / "home")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wheels, tree = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("client") / "public"
    write_wheel(wheels, "demo", "1.0")
    write_wheel(wheels, "Demo.App", "1.0")
    write_sdist(wheels, "helper", "1.0")
    publish(wheels, tree, links=True)
    return tree


@pytest.fixture
def host(tree: Path) -> Iterator[IndexServer]:
    with serve_index(tree) as host:
        yield host


ALL = ("demo", "demo-app", "helper")


@pytest.mark.parametrize("given", ["simple/", "simple", "", "index.html", "simple/index.html", "simple/#secret"])
def test_an_index_is_found_from_every_address_that_leads_to_it(host: IndexServer, given: str) -> None:
    assert probe(f"{host.url}{given}") == ServedIndex(url=f"{host.url}simple/", projects=ALL)


@pytest.mark.parametrize("given", ["simple/demo/", "simple/demo", "simple/demo/index.html"])
def test_the_page_of_a_project_selects_that_project_of_its_index(host: IndexServer, tree: Path, given: str) -> None:
    assert probe(f"{host.url}{given}") == ServedIndex(url=f"{host.url}simple/", projects=("demo",), is_selection=True)
    assert probe(str(tree / given)) == ServedIndex(
        url=f"{tree.as_uri()}/simple/", projects=("demo",), is_selection=True
    )


@pytest.mark.parametrize("given", ["", "simple", "simple/index.html"])
def test_a_directory_becomes_a_file_address(tree: Path, given: str) -> None:
    index = ServedIndex(url=f"{tree.as_uri()}/simple/", projects=ALL)
    assert probe(str(tree / given)) == probe((tree / given).as_uri()) == index


def test_a_find_links_page_and_a_listing_are_recognized(host: IndexServer, tree: Path) -> None:
    assert probe(f"{host.url}links.html") == ServedIndex(url=f"{host.url}links.html", projects=ALL, is_find_links=True)
    assert probe(str(tree / "links.html")) == ServedIndex(
        url=f"{tree.as_uri()}/links.html", projects=ALL, is_find_links=True
    )
    links = "".join(
        f'<a href="{name}">{name}</a>'
        for name in ("a_a-1-py3-none-any.whl", "b-1.tar.gz", "c-1-py3.9.egg", "d-1-x.whl")
    )
    listing = Reply(200, f"<title>Index of /w/</title>{links}".encode(), {"Content-Type": "text/html"})
    host.faults.append(lambda path, reply: listing if path == "/w/" else reply)
    assert probe(f"{host.url}w") == ServedIndex(
        url=f"{host.url}w/", projects=("a-a", "b"), is_find_links=True, has_upload_times=False
    )


@pytest.mark.parametrize(
    ("globs", "projects"),
    [
        (["demo"], ("demo",)),
        (["Demo_App"], ("demo-app",)),
        (["demo*"], ("demo", "demo-app")),
        (["h*", "demo", "help?r"], ("demo", "helper")),
    ],
)
@pytest.mark.parametrize("given", ["simple/", "links.html"])
def test_projects_are_chosen_by_name_or_pattern(
    host: IndexServer, given: str, globs: list[str], projects: tuple[str, ...]
) -> None:
    index = probe(f"{host.url}{given}", globs)
    assert (index.projects, index.is_selection) == (projects, True)


@pytest.mark.parametrize("glob", ["dem", "x*", "demo==1", "../demo"])
@pytest.mark.parametrize("given", ["simple/", "links.html"])
def test_an_unknown_project_is_an_error(host: IndexServer, given: str, glob: str) -> None:
    with pytest.raises(SourceError) as error:
        probe(f"{host.url}{given}", ["demo", glob])
    assert str(error.value) == (
        f"{host.url}{given}: --project {glob}: no such project; the index has demo, demo-app, helper"
    )


def test_projects_of_an_index_without_a_root_page_can_be_named(host: IndexServer) -> None:
    host.faults.append(lambda path, reply: Reply(403) if path in ("/simple/", "/simple/index.html") else reply)
    with pytest.raises(SourceError, match=r"answers 403: .*name each project that you need.*--project demo"):
        probe(f"{host.url}simple/")
    assert probe(f"{host.url}simple/", ["demo"]) == ServedIndex(
        url=f"{host.url}simple/", projects=("demo",), is_selection=True
    )
    with pytest.raises(SourceError, match="no such project; the index does not list its projects"):
        probe(f"{host.url}simple/", ["gone"])


@pytest.mark.parametrize("globs", [[], ["demo"]])
def test_a_find_links_page_at_an_address_without_a_slash_is_found(host: IndexServer, globs: list[str]) -> None:
    name = "demo-1.0-py3-none-any.whl"
    page = Reply(200, f'<a href="/f/{name}">{name}</a>'.encode(), {"Content-Type": "text/html", "ETag": '"1"'})
    host.faults.append(lambda path, reply: page if path == "/o/expanded_assets/v1.0" else reply)
    url = f"{host.url}o/expanded_assets/v1.0"
    found = probe(url, globs)
    assert (found.url, found.projects, found.is_find_links) == (url, ("demo",), True)


def test_invalid_project_names_are_ignored(host: IndexServer) -> None:
    links = "".join(f'<a href="{name}/">x</a>' for name in ("demo", "a%0Ab", "a%22%5D", "%C3%A9", "x%20=%20%7B%7D"))
    root = Reply(200, f"<!DOCTYPE html>{links}".encode(), {"Content-Type": "text/html"})
    host.faults.append(lambda path, reply: root if path == "/simple/" else reply)
    assert probe(f"{host.url}simple/").projects == ("demo",)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_strange_directory_name_stays_one_value(tree: Path, tmp_path: Path, client: str) -> None:
    strange = tmp_path / "a \"b\" 'c' \\ ${HOME} %(x)s é\n[x]" / "simple"
    strange.parent.mkdir()
    strange.symlink_to(tree / "simple")
    if client == "poetry":
        with pytest.raises(ConfigError, match="poetry cannot use a directory"):
            configuration(ClientOptions(targets=(str(strange),), client=client))
        return
    text = configuration(ClientOptions(targets=(str(strange),), client=client))
    if client == "pip":
        parser = configparser.RawConfigParser()
        parser.read_string(text)
        assert dict(parser["global"]) == {"index-url": f"{strange.as_uri()}/", "extra-index-url": "", "find-links": ""}
    else:
        table = tomllib.loads(text)["tool"][client]
        (index,) = table["index" if client == "uv" else "source"]
        assert index["url"] == f"{strange.as_uri()}/"


# --- servers ----------------------------------------------------------------------------------------------------------


NO_CACHE_CONTROL = "Pages have no Cache-Control header, so uv would cache them for ten minutes"


@pytest.mark.parametrize(
    ("headers", "stale_pages"),
    [
        ({"cache_control": None}, NO_CACHE_CONTROL),
        ({"cache_control": None, "last_modified": None}, ""),
        ({"cache_control": "max-age=600", "age": "500"}, ""),
        (
            {"cache_control": "public, max-age=3600", "age": "3500"},
            "Pages may be cached for 3,600 s, so uv would miss new releases",
        ),
        ({"cache_control": "no-cache"}, ""),
    ],
)
def test_missing_and_long_page_lifetimes_are_noticed(
    host: IndexServer, headers: dict[str, str | None], stale_pages: str
) -> None:
    host.faults.append(lambda path, reply: reply.with_headers(**headers) if path.startswith("/simple/") else reply)
    assert probe(f"{host.url}simple/") == ServedIndex(url=f"{host.url}simple/", projects=ALL, stale_pages=stale_pages)


def test_uncached_files_are_noticed_only_if_their_address_contains_the_hash(host: IndexServer) -> None:
    host.faults.append(lambda path, reply: reply.with_headers(cache_control="no-cache"))
    index = ServedIndex(url=f"{host.url}simple/", projects=ALL, caches_files=False)
    assert probe(index.url) == index

    def elsewhere(path: str, reply: Reply) -> Reply:
        body = re.sub(rb"\.\./\.\./files/../[0-9a-f]+/", b"../../", reply.body)
        return replace(reply, body=body) if path == "/simple/demo/" else reply

    host.faults.append(elsewhere)
    assert probe(index.url) == replace(index, caches_files=True)


def test_a_host_that_answers_403_for_unknown_projects_is_noticed(host: IndexServer) -> None:
    host.faults.append(lambda path, reply: Reply(403) if reply.status == 404 else reply)
    assert probe(f"{host.url}simple/") == ServedIndex(url=f"{host.url}simple/", projects=ALL, answers_403=True)


def test_a_redirect_changes_the_address_only_on_the_same_host(host: IndexServer) -> None:
    def moved(path: str, reply: Reply) -> Reply:
        found = re.match("/old/(.*)", path)
        return Reply(301, headers={"Location": f"{host.url}simple/{found[1]}"}) if found else reply

    host.faults.append(moved)
    assert probe(f"{host.url}old/") == ServedIndex(url=f"{host.url}simple/", projects=ALL)
    other = host.url.replace("127.0.0.1", "localhost")
    name = host.url.removeprefix("http://").rstrip("/")
    assert probe(f"{other}old/") == ServedIndex(url=f"{other}old/", projects=ALL, redirect_host=name)


def test_another_port_of_the_same_host_is_another_server(host: IndexServer, tree: Path) -> None:
    with serve_index(tree) as front:
        there = host.url.rstrip("/")
        front.faults.append(lambda path, reply: Reply(302, headers={"Location": f"{there}{path}"}))
        name = there.removeprefix("http://")
        assert probe(f"{front.url}simple/") == ServedIndex(url=f"{front.url}simple/", projects=ALL, redirect_host=name)


def test_the_root_must_be_above_the_pages_that_clients_request(host: IndexServer) -> None:
    host.faults.append(lambda path, reply: Reply(302, headers={"Location": "/list/"}) if path == "/simple/" else reply)
    root = Reply(200, b'<!DOCTYPE html><a href="demo/">demo</a>', {"Content-Type": "text/html"})
    host.faults.append(lambda path, reply: root if path == "/list/" else reply)
    host.faults.append(
        lambda path, reply: Reply(302, headers={"Location": "/simple/demo/"}) if path == "/list/demo/" else reply
    )
    assert probe(f"{host.url}simple/").url == f"{host.url}list/"  # where a link of the root leads
    host.faults.append(lambda path, reply: Reply(404) if path == "/list/demo/" else reply)
    assert probe(f"{host.url}simple/").url == f"{host.url}simple/"  # clients never read the root
    host.faults.append(lambda path, reply: Reply(404) if path == "/simple/demo/" else reply)
    with pytest.raises(SourceError):
        probe(f"{host.url}simple/")


# --- passwords --------------------------------------------------------------------------------------------------------


BASIC = "Basic dXNlcjpodW50ZXIy"  # user:hunter2


def test_a_password_is_needed_if_the_page_differs_without_it(host: IndexServer) -> None:
    mine = host.url.replace("//", "//user:hunter2@")
    index = ServedIndex(url=f"{host.url}simple/", projects=ALL)
    assert probe(f"{mine}simple/") == index
    host.authorization = BASIC
    assert probe(f"{mine}simple/") == replace(index, needs_password=True)
    flat = ServedIndex(url=f"{host.url}links.html", projects=ALL, is_find_links=True, needs_password=True)
    assert probe(f"{mine}links.html") == flat


def test_netrc_is_used_but_not_by_the_anonymous_request(host: IndexServer, tmp_path: Path) -> None:
    (tmp_path / "home/.netrc").write_text("machine 127.0.0.1 login user password hunter2\n")
    (tmp_path / "home/.netrc").chmod(0o600)
    assert not probe(f"{host.url}simple/").needs_password
    host.authorization = BASIC
    assert probe(f"{host.url}simple/").needs_password


def test_without_a_password_the_projects_must_be_named(host: IndexServer) -> None:
    host.authorization = BASIC
    index = ServedIndex(
        url=f"{host.url}simple/", projects=ALL[:2], is_selection=True, needs_password=True, is_unverified=True
    )
    assert probe(f"{host.url}simple#x", ["Demo_App", "demo"]) == index
    assert probe(f"{host.url}links.html", ["demo-app", "demo"]) == replace(
        index, url=f"{host.url}links.html", is_find_links=True
    )
    for globs in ([], ["demo*"], ["demo", "no name"]):
        with pytest.raises(SourceError) as error:
            probe(f"{host.url}simple/", globs)
        assert str(error.value) == (
            f"{host.url}simple/: answers 401: user name and password required. Put them into ~/.netrc. "
            "Or name each project that you need, without patterns: --project demo"
        )


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    "given",
    ["simple/", "links.html", "gone/", "simple/?token=hunter2", "simple/#hunter2", "simple/demo/", "files/", ""],
)
@pytest.mark.parametrize("status", [200, 401, 403, 404, 500])
def test_no_secret_is_ever_printed(
    host: IndexServer, capsys: pytest.CaptureFixture[str], client: str, given: str, status: int
) -> None:
    host.authorization = BASIC
    if status != 200:
        host.faults.append(lambda path, reply: Reply(status, reply.body, reply.headers))
    for options in ((), ("--project", "demo")):
        run(["client", host.url.replace("//", "//user:hunter2@") + given, "--for", client, *options])
        out, err = capsys.readouterr()
        assert out or err
        assert not re.search("hunter2|user:|dXNl|token", out + err)


# --- anything but an index --------------------------------------------------------------------------------------------


def page(body: str, media_type: str = "text/html") -> Reply:
    return Reply(200, body.encode(), {"Content-Type": media_type})


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply(404), "there is no page: it answers 404. Give the address of the index, often …/simple/. If"),
        (page("<p>Hello"), "a page without links to projects or files. Give the address of the index"),
        (page('<form><input type="password">'), "a login page: clients send passwords by HTTP authentication"),
        (page("{}", "application/json"), "it is served as application/json, which clients do not accept."),
        (page(""), "clients cannot use this page: it is empty. For details, run: mkindex check"),
        (page('<!DOCTYPE html><a href="gone/">gone</a><meta name="pypi:repository-version" content="1.0">'),
         "clients request this page, but it answers 404."),
        (page('{"meta": {"api-version": "1.0"}, "projects": []}', "application/vnd.pypi.simple.v1+json"),
         "there are no projects in it yet"),
    ],
)  # fmt: skip
def test_anything_but_an_index_is_an_error_with_advice(host: IndexServer, reply: Reply, says: str) -> None:
    host.faults.append(lambda path, other: reply if path == "/here/" else other)
    with pytest.raises(SourceError) as error:
        probe(f"{host.url}here/")
    assert str(error.value).startswith(f"{host.url}here/")
    assert says in str(error.value)


def test_an_index_on_another_host_is_named_but_not_used(host: IndexServer, tree: Path) -> None:
    with serve_index(tree) as other:
        body = f'<base href="{other.url}"><a href="x">people</a>'
        host.faults.append(lambda path, reply: page(body) if path == "/people/" else reply)
        with pytest.raises(
            SourceError, match=f"there seems to be an index at {re.escape(other.url)}simple/: give that"
        ):
            probe(f"{host.url}people/")


def test_a_directory_without_html_is_an_error(tree: Path, tmp_path: Path) -> None:
    for path in ("simple/index.v1_json", "simple/demo/index.v1_json"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes((tree / path).read_bytes())
    with pytest.raises(SourceError, match="clients read only HTML in a directory, and there is none"):
        probe(str(tmp_path), ["demo"])


def test_a_directory_of_wheels_is_an_error_with_advice(tmp_path: Path) -> None:
    write_wheel(tmp_path, "demo", "1.0")
    with pytest.raises(SourceError) as error:
        probe(str(tmp_path))
    assert str(error.value) == (
        f"{tmp_path}/: a directory with a wheel or sdist, but without a page. "
        f"Make an index of it: mkindex {tmp_path} ./public"
    )


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_prints_uv_configuration_and_names_the_other_clients(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["client", str(tree)]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == (configuration_text([probe(str(tree))]), "")
    (command,) = re.findall(r"^# For other clients: (.*) with ", out, re.MULTILINE)
    assert run([*shlex.split(command)[1:], "--for", "pdm", "--project", "demo", "--name", "x"]) == 0
    assert capsys.readouterr().out == configuration_text([replace(probe(str(tree), ["demo"]), name="x")], "pdm")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["gone"], 3),
        (["ftp://packages.example.com/"], 3),
        (["http://127.0.0.1:9/"], 3),
        ([""], 2),
        (["--for", "npm", "."], 2),
        (["--name", "pypi", "."], 2),
        (["https://packages.example.com/?a=b"], 2),
    ],
)
def test_errors_go_to_standard_error(arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["client", *arguments]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err


def test_invalid_options_are_rejected_before_any_request() -> None:
    with pytest.raises(MkindexError, match="pypi is the name of the public index"):
        configuration(ClientOptions(targets=("http://127.0.0.1:9/",), name=("pypi",)))


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    (tmp_path / "app").mkdir()
    monkeypatch.chdir(tmp_path / "app")
    return tmp_path / "app"


@pytest.mark.parametrize(
    ("existing", "client", "tables"),
    [
        ('[project]\nname = "app"\n\n[tool.uv.sources]\nother = { path = "../other" }\n', "uv", "[tool.uv.sources]"),
        ('[tool.uv]\nsources = { other = { path = "../other" } }\n', "uv", "[tool.uv.sources]"),
        ("[tool.uv.sources]\n", "pip", ""),
        ("[tool.uv.sources]\n", "pdm", ""),
        ("[tool.uv]\npackage = false\n", "uv", ""),
        ("[[tool.uv.index]]\nname = 'other'\n", "uv", ""),
        ("[tool.uv.sources\n", "uv", ""),
        ("[tool.poetry.dependencies]\n", "poetry", "[tool.poetry.dependencies]"),
        (None, "uv", ""),
    ],
)
def test_a_table_that_pyproject_toml_has_already_is_noted(
    existing: str | None,
    client: str,
    tables: str,
    *,
    app: Path,
    host: IndexServer,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if existing is not None:
        (app / "pyproject.toml").write_text(existing)
    assert run(["client", f"{host.url}simple/", "--for", client, "--project", "demo"]) == 0
    note = f"note pyproject.toml has {tables} already: add the lines below that name to the table there\n"
    assert capsys.readouterr().err == (note if tables else "")


# --- several indexes, a default index, variants -----------------------------------------------------------------------


@pytest.fixture
def second(tmp_path: Path) -> Iterator[IndexServer]:
    """Another index: with a project of the first one, with one of its own, and with variants."""
    wheels = tmp_path / "second"
    wheels.mkdir()
    write_wheel(wheels, "demo", "5.0")
    for label in ("cpu", "cu128"):
        write_wheel(wheels, "torch", f"1.0+{label}")
    (tmp_path / "policy.toml").write_text('[variants]\nby = "local"\n')
    publish(wheels, tmp_path / "tree", policy=str(tmp_path / "policy.toml"))
    with serve_index(tmp_path / "tree") as second:
        yield second


def projects_of(*targets: str, **options: Any) -> list[tuple[str, ...]]:  # noqa: ANN401 (fields of ClientOptions)
    """The projects of each index that is configured."""
    return [index.projects for index in served_indexes(ClientOptions(targets=targets, **options))]


def test_projects_of_several_indexes_are_chosen_in_all_of_them(host: IndexServer, second: IndexServer) -> None:
    both = f"{host.url}simple/", f"{second.url}simple/"
    assert projects_of(*both) == [ALL, ("demo", "torch")]
    assert projects_of(*both, project=("demo*", "torch")) == [("demo", "demo-app"), ("demo", "torch")]
    assert projects_of(*both, project=("helper",)) == [("helper",)]
    assert projects_of(*both, project=("helper",), default=True) == [("helper",), ("demo", "torch")]
    with pytest.raises(SourceError, match=r"^--project nope: no such project in any of the indexes$"):
        projects_of(*both, project=("helper", "nope"))


def test_the_default_index_is_the_last_one_and_need_not_be_readable(host: IndexServer, second: IndexServer) -> None:
    second.authorization = BASIC
    first, last = served_indexes(
        ClientOptions(targets=(f"{host.url}simple/", f"{second.url}simple/"), default=True, name=("ours", "mirror"))
    )
    assert (first.name, first.is_default, first.projects) == ("ours", False, ALL)
    assert last == ServedIndex(
        url=f"{second.url}simple/",
        projects=(),
        is_selection=True,
        needs_password=True,
        is_unverified=True,
        is_default=True,
        name="mirror",
    )


def test_one_variant_is_an_index_with_the_projects_that_it_lists(host: IndexServer, second: IndexServer) -> None:
    options = ClientOptions(targets=(f"{second.url}simple/",), variant="cpu")
    (index,) = served_indexes(options)
    assert (index.url, index.projects, index.variants) == (f"{second.url}whl/cpu/", ("demo", "torch"), ())
    both = replace(options, targets=(f"{host.url}simple/", *options.targets))
    assert [one.url for one in served_indexes(both)] == [f"{host.url}simple/", index.url]
    with pytest.raises(SourceError, match="--variant cpu: no such variant; the index has no variants"):
        served_indexes(replace(both, targets=both.targets[:1]))
    with pytest.raises(SourceError) as error:
        served_indexes(replace(options, variant="rocm"))
    assert str(error.value) == (f"{second.url}simple/: --variant rocm: no such variant; the index has cpu, cu128")


def test_uv_is_told_what_a_variant_requires_from_its_index_and_under_which_markers(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    on_windows = 'os_name == "nt"'
    needs = ["core", "public", "Tools_X; os_name == 'nt'", "other; extra == 'more'", "sparse ; python_version < '4'"]
    write_wheel(wheels, "accel", "1.0+cpu")
    write_wheel(wheels, "accel", "0.9+cu128", requires_dist=["other"])
    write_wheel(wheels, "accel", "1.0+cu128", requires_dist=needs)
    write_wheel(wheels, "core", "1.0", requires_dist=["accel", "core", "sparse", "base; os_name == 'posix'"])
    write_wheel(wheels, "tools-x", "1.0", requires_dist=["base", "deep; python_version < '4'"])
    for name in ("base", "deep", "other", "sparse"):
        write_wheel(wheels, name, "1.0")
    (tmp_path / "policy.toml").write_text('[variants]\nby = "local"\n')
    publish(wheels, tmp_path / "tree", policy=str(tmp_path / "policy.toml"))
    with serve_index(tmp_path / "tree") as server:
        options = ClientOptions(targets=(f"{server.url}simple/",))
        (index,) = served_indexes(options)
        (for_pip,) = served_indexes(replace(options, client="pip"))
    (of_directory,) = served_indexes(replace(options, targets=(str(tmp_path / "tree"),)))
    required = {
        "base": '(os_name == "nt") or (os_name == "posix")',
        "core": "",
        "deep": f'({on_windows}) and (python_version < "4")',
        "sparse": "",
        "tools-x": on_windows,
    }
    for found in index, of_directory:
        assert {one.name: dict(one.required) for one in found.variants} == {"cpu": {}, "cu128": required}
    assert [one.required for one in for_pip.variants] == [(), ()]


def test_what_a_variant_requires_is_read_of_a_limited_number_of_projects(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    write_wheel(wheels, "accel", "1.0+cpu", requires_dist=["part-0"])
    for number in range(30):
        write_wheel(wheels, f"part-{number}", "1.0", requires_dist=[f"part-{number + 1}"])
    (tmp_path / "policy.toml").write_text('[variants]\nby = "local"\n')
    publish(wheels, tmp_path / "tree", policy=str(tmp_path / "policy.toml"))
    (index,) = served_indexes(ClientOptions(targets=(str(tmp_path / "tree"),)))
    assert [len(variant.required) for variant in index.variants] == [20]


def test_an_index_without_upload_times_is_noticed(host: IndexServer, tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "demo", "1.0")
    publish(tmp_path / "wheels", tmp_path / "tree", upload_time="none", links=True)
    with serve_index(tmp_path / "tree") as timeless:
        pages = [f"{timeless.url}simple/", f"{timeless.url}links.html", str(tmp_path / "tree")]
        assert [probe(page).has_upload_times for page in pages] == [False] * 3
    assert probe(f"{host.url}simple/").has_upload_times
