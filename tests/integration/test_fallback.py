"""A second index behind the printed configurations and `mkindex serve` answers for unknown projects, and no others."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import pytest

from mkindex import cli
from mkindex.hosts.fallback import Fallback
from mkindex.hosts.reserved import Reserved
from mkindex.serve.server import Handler, Server
from support.builds import publish
from support.clients import INSTALLERS, ClientFailed, ClientHome, installed_versions
from support.web_servers import HOSTS, serve_printed_config
from support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
RESERVE = ("acme-*", "Secret.Tool", "?x")
NO_PROXY = dict.fromkeys(("no_proxy", "NO_PROXY"), "127.0.0.1,localhost")
SERVERS = (*HOSTS, "mkindex serve")


class Foreign:
    """The second index, on another host name than the first, and the requests that it gets."""

    def __init__(self, tree: Path) -> None:
        self.requests: list[str] = []
        self.passwords = passwords = list[str]()

        class Recorder(Handler):
            def parse_request(self) -> bool:
                is_valid = super().parse_request()
                passwords.extend(self.headers.get_all("Authorization", []) if is_valid else [])
                return is_valid

        self.server = Server(str(tree), ("127.0.0.1", 0), lambda line, _: self.requests.append(line.split()[6]))
        self.server.RequestHandlerClass = Recorder
        self.url = f"http://localhost:{self.server.server_port}/"

    def taken(self) -> list[str]:
        """Return the pages that were requested since the last call."""
        pages, self.requests[:] = [one for one in self.requests if one.startswith("/simple/")], []
        return pages


@contextmanager
def running(server: Server) -> Iterator[str]:
    with server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.url
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def public() -> Iterator[Path]:
    """A directory that every user may enter, because Apache gives up the rights of root."""
    with tempfile.TemporaryDirectory(prefix="mkindex-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture(scope="module")
def own(public: Path) -> Path:
    """An index with `demo` 1.0, with `gone`, which was removed, and with reserved names."""
    source = public / "own wheels"
    source.mkdir()
    write_wheel(source, "demo", "1.0", requires_dist=["other"])
    write_wheel(source, "gone", "1.0")
    publish(source, public / "own", reserve=RESERVE)
    (source / "gone-1.0-py3-none-any.whl").unlink()
    publish(source, public / "own", reserve=RESERVE)
    return public / "own"


@pytest.fixture(scope="module")
def foreign(public: Path) -> Iterator[Foreign]:
    """An index with higher versions of all these names, whose HTML pages are empty: only JSON lists files."""
    source = public / "foreign wheels"
    source.mkdir()
    for name in ("demo", "gone", "acme-new", "secret-tool", "ax", "other", "acme"):
        write_wheel(source, name, "99.0")
    tree = public / "foreign"
    publish(source, tree)
    for page in tree.glob("simple/*/index.html"):
        page.write_text("<!DOCTYPE html><title>nothing</title>")
    served = Foreign(tree)
    with running(served.server):
        yield served


@contextmanager
def served(
    name: str, tree: Path, scratch: Path, foreign: Foreign, url: str = "http://127.0.0.1/", *reserve: str
) -> Iterator[str]:
    """Serve a tree with the fallback; yield the address of the tree."""
    address = f"{foreign.url}simple/"
    if name != "mkindex serve":
        given = [option for glob in reserve for option in ("--reserve", glob)]
        with serve_printed_config(name, tree, scratch, url, "--fallback", address, *given) as base:
            yield base
        return
    fallback = Fallback(address=address, reserved=Reserved(reserve))
    with running(Server(str(tree), ("127.0.0.1", 0), lambda *_: None, fallback=fallback)) as base:
        yield base


def ask(url: str, path: str, method: str = "GET") -> tuple[int, str]:
    """Return status and Location of the answer to a request, whose path is sent as it is."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    try:
        connection.request(method, f"{parts.path}{path}", headers={"Accept": JSON_TYPE})
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers.get("Location", "")
    finally:
        connection.close()


# Spellings with which somebody could want an own or reserved name to be answered by the other index.
NOT_REDIRECTED = [
    *("gone/", "acme-new/", "acme-/", "secret-tool/", "ax/", "Acme-New/", "acme_new/", "acme.new/", "acme--new/"),
    *("ACME-NEW/", "%61cme-new/", "acme%2Dnew/", "acme%2dnew%2f", "acme-new%2F", "./acme-new/", "%2e/acme-new/"),
    *("/acme-new/", "//acme-new//", "x/../acme-new/", "x/%2e%2e/acme-new/", "acme-new/?x=/other/", "acme-new/;x/"),
    *("acme-new/%0a", "acme-new%0a/", "acme-new/%00", "acme-new%00/", "acme-new/%20", "acme-new%20/", "%20acme-new/"),
    *("demo/%0a", "demo/%20", "demo/x/", "demo/index.html/", "demo/index.htm", "demo%0a/", "demo/../acme-new/"),
    *("other/index.html", "other/x/", "other", "other/..", "other%3F/", "other%23/", "-other/", "other-/", "o_/"),
    *("Other_/", "%C5%BFecret-tool/", "%E2%84%AA/", "a" * 201 + "/"),
    *("acme-" + "a-" * 60 + "a/", "acme-new//", "../simple/acme-new/", "acme-new/../acme-new/", "acme-new/acme-new/"),
]
REDIRECTED = ["other/", "acme/", "nothing-at-all/", "%6fther/", "other/?x=1", "xacme-new/", "axx/", "a" * 200 + "/"]


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "http://127.0.0.1/a.b/pypi"])
@pytest.mark.parametrize("server", SERVERS)
def test_the_second_index_answers_for_no_own_and_no_reserved_name(
    own: Path, foreign: Foreign, tmp_path: Path, server: str, url: str
) -> None:
    with served(server, own, tmp_path / "scratch", foreign, url) as base:
        for path in NOT_REDIRECTED:
            status, location = ask(base, f"simple/{path}")
            for _ in range(3):  # redirects to the same place spelled otherwise
                if not location or location.startswith(foreign.url):
                    break
                target = urljoin(f"{base}simple/{path}", location)
                assert target.startswith(base), (path, target)
                status, location = ask(base, target.removeprefix(base))
            assert (path, location, status // 100 == 3) == (path, "", False)
        for path in REDIRECTED:
            name = path.partition("/")[0].replace("%6f", "o")
            for method in ("GET", "HEAD"):
                status, location = ask(base, f"simple/{path}", method)
                assert (path, status, location.partition("?")[0]) == (path, 302, f"{foreign.url}simple/{name}/")
        assert foreign.taken() == []


@pytest.mark.parametrize("server", SERVERS)
def test_names_can_be_reserved_where_the_tree_is_served_too(
    own: Path, foreign: Foreign, tmp_path: Path, server: str
) -> None:
    with served(server, own, tmp_path / "scratch", foreign, "http://127.0.0.1/", "nothing-*", "Other") as base:
        answers = [ask(base, f"simple/{name}/")[0] for name in ("nothing-at-all", "other", "acme-new", "others")]
    assert answers == [404, 404, 404, 302]


@pytest.mark.parametrize("server", SERVERS)
def test_the_index_may_be_the_root_of_the_tree(own: Path, foreign: Foreign, tmp_path: Path, server: str) -> None:
    tree = own.with_name(f"root {server}")
    publish(own.with_name("own wheels"), tree, reserve=("acme-*",), simple_path="")
    with served(server, tree, tmp_path / "scratch", foreign) as base:
        paths = ("", "demo/", "acme-x/", ".mkindex/", "files/aa/", "index.html/", "simple/other/", "other/")
        answers = [ask(base, path) for path in paths]
    assert answers == [(200, ""), (200, ""), *[(404, "")] * 5, (302, f"{foreign.url}simple/other/")]


@pytest.mark.parametrize("server", SERVERS)
def test_without_the_tree_nothing_is_redirected(own: Path, foreign: Foreign, tmp_path: Path, server: str) -> None:
    """As while its disk is not mounted: the names of its projects are unknown then."""
    source, tree = own.with_name("own wheels"), own.with_name(f"unmounted {server}")
    publish(source, tree, reserve=("acme-*",))
    with served(server, tree, tmp_path / "scratch", foreign) as base:
        assert ask(base, "simple/other/")[0] == 302
        tree.rename(own.with_name(f"mounted {server}"))
        before = [ask(base, f"simple/{name}/") for name in ("demo", "other")]
        tree.mkdir()
        empty = [ask(base, f"simple/{name}/") for name in ("demo", "other")]
    assert [(status in (403, 404, 503), location) for status, location in before + empty] == [(True, "")] * 4


# --- clients --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", ["pip", "uv", "poetry", "pdm"])
@pytest.mark.parametrize("server", SERVERS)
def test_clients_take_what_is_missing_from_the_second_index_and_nothing_else(
    own: Path, foreign: Foreign, tmp_path: Path, server: str, client: str
) -> None:
    """That `other` is found shows that the client gets JSON after the redirect, too."""
    foreign.taken()
    with served(server, own, tmp_path / "scratch", foreign, "http://127.0.0.1/") as base:
        homes = iter(range(9))

        def install(*requirements: str) -> dict[str, str]:
            path = tmp_path / f"home {next(homes)}"
            path.mkdir()
            return INSTALLERS[client](ClientHome(path, settings=NO_PROXY), f"{base}simple/", requirements)

        assert install("demo") == {"demo": "1.0", "other": "99.0"}
        # What is answered does not depend on the client, and poetry and PDM take long.
        refused = 3 if client in ("pip", "uv") else int(server == "nginx")
        for name in ("gone", "acme-new", "Secret_Tool")[:refused]:
            with pytest.raises(ClientFailed):
                install(name)
    assert set(foreign.taken()) == {"/simple/other/"}


def test_pip_uses_what_mkindex_client_prints_as_it_is(
    own: Path, foreign: Foreign, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served("caddy", own, tmp_path / "scratch", foreign) as base:
        assert cli.run(["client", f"{base}simple/", "--for", "pip"]) == 0
        (tmp_path / "pip.conf").write_text(capsys.readouterr().out)
        assert cli.run(["check", f"{base}simple/", "--strict"]) == 0
        assert f"unknown projects redirected to {foreign.url}simple/" in capsys.readouterr().out
        home = ClientHome(tmp_path, settings={**NO_PROXY, "PIP_CONFIG_FILE": str(tmp_path / "pip.conf")})
        home.pip("pip", "install", "--target", tmp_path / "target", "demo")
    assert f"redirects pip to {foreign.url}simple/" in " ".join((tmp_path / "pip.conf").read_text().split("\n# "))
    assert installed_versions(tmp_path / "target") == {"demo": "1.0", "other": "99.0"}


@pytest.mark.parametrize("client", ["pip", "uv"])
def test_clients_send_a_password_only_to_the_first_index(
    own: Path, foreign: Foreign, tmp_path: Path, client: str
) -> None:
    users = tmp_path / "users"
    users.write_text("reader:{PLAIN}s3cret\n")
    tmp_path.chmod(0o755)
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login reader password s3cret\n")
    with serve_printed_config(
        "nginx",
        own,
        tmp_path / "scratch",
        "http://127.0.0.1/",
        *("--auth", "--users", users, "--fallback", f"{foreign.url}simple/"),
    ) as base:
        assert ask(base, "simple/other/") == (401, "")
        found = INSTALLERS[client](ClientHome(tmp_path, settings=NO_PROXY), f"{base}simple/", ["demo"])
    assert found == {"demo": "1.0", "other": "99.0"}
    assert foreign.passwords == []
