"""Hosts that the user did not name: they get no credentials, and they are not in a private network."""

from __future__ import annotations

import ipaddress
import json
import socket
from typing import TYPE_CHECKING

import pytest

from mkindex.cache import Cache
from mkindex.web import addresses
from mkindex.web.addresses import Networks, ascii_url, network_of
from mkindex.web.client import WebClient
from mkindex.web.redirects import INVALID
from mkindex.web.responses import Refused
from mkindex.web.transport import NoResponse
from support.remote_builds import OTHER, WHEEL, A, Run, page_of_links, sha256
from support.scripted_server import Reply, Request, file_route, page_reply, redirect_reply, status_reply
from support.web_requests import failure, make_client

if TYPE_CHECKING:
    from pathlib import Path

    from support.scripted_server import ScriptedServer

pytestmark = pytest.mark.usefixtures("isolated")

OF_NETRC = "Basic bmV0cmM6aHVudGVyMw=="  # netrc:hunter3


@pytest.fixture
def netrc(tmp_path: Path) -> None:
    """Credentials for every host name that leads to the server."""
    (tmp_path / "home").mkdir(exist_ok=True)
    (tmp_path / "home/.netrc").write_text(
        "machine localhost login netrc password hunter3\nmachine 127.0.0.1 login netrc password hunter3\n"
    )


@pytest.fixture
def as_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat 127.0.0.1 as an address of the internet."""

    def judge(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> addresses.Network:
        return "a public network" if str(address) == "127.0.0.1" else network_of(address)

    monkeypatch.setattr(addresses, "network_of", judge)


# --- credentials ------------------------------------------------------------------------------------------------------


def private_wheel(request: Request) -> Reply:
    return file_route(WHEEL)(request) if "authorization" in request.headers else status_reply(401)


def test_a_page_cannot_fetch_a_private_file_of_another_host(
    server: ScriptedServer, netrc: None, capsys: pytest.CaptureFixture[str]
) -> None:
    page = f"{server.url}page/"
    server.routes |= {"/page/": page_of_links(f"{server.other_host_url}{A}"), f"/{A}": private_wheel}
    run = Run(capsys, server, page, "--remote", "mirror", "--keep-going")
    sent = [request.headers.get("authorization") for request in server.received if request.path == f"/{A}"]
    assert set(sent) == {None}
    assert run.status == 3
    assert "If you trust localhost, use --trust-host localhost" in "\n".join(run.messages)
    assert Run(capsys, server, page, "--remote", "mirror", "--trust-host", "localhost").status == 0


WAYS = ["link", "base", "redirect of the page", "redirect of the file", "list", "lock", "sibling", "JSON page"]


@pytest.mark.parametrize("kind", WAYS)
def test_no_host_that_others_name_gets_credentials(
    server: ScriptedServer, netrc: None, capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: str
) -> None:
    there = server.other_host_url
    page = page_of_links(A)
    source = f"{server.url}page/"
    if kind == "link":
        page = page_of_links(f"{there}page/{A}")
    elif kind == "base":
        page = page_reply(f'<!DOCTYPE html><base href="{there}page/"><a href="{A}">x</a>')
    elif kind == "redirect of the file":
        server.routes[f"/page/{A}"] = redirect_reply(f"{there}there/{A}")
    elif kind == "sibling":
        page = page_of_links(f'{there}page/{A}" data-core-metadata="true')
    elif kind == "list":
        (tmp_path / "list.txt").write_text(f"{there}page/{A}\n")
        source = "list.txt"
    elif kind == "lock":
        (tmp_path / "requirements.txt").write_text(f"a @ {there}page/{A} --hash=sha256:{sha256(WHEEL)}\n")
        source = "requirements.txt"
    elif kind == "JSON page":
        file = {"filename": A, "url": f"{there}page/{A}", "hashes": {}}
        text = json.dumps({"meta": {"api-version": "1.0"}, "name": "a", "files": [file]})
        page = Reply(text.encode(), headers={"Content-Type": "application/vnd.pypi.simple.v1+json"})
    for path in f"/page/{A}", f"/there/{A}":
        server.routes.setdefault(path, file_route(WHEEL))
    server.routes["/page/"] = page
    if kind == "redirect of the page":
        server.routes |= {"/page/": redirect_reply(f"{there}there/"), "/there/": page_of_links(A)}
    Run(capsys, server, source, "--allow-unhashed")
    elsewhere = [request for request in server.received if request.headers["host"].startswith("localhost:")]
    assert elsewhere
    assert {request.headers.get("authorization") for request in elsewhere} == {None}
    here = {request.headers.get("authorization") for request in server.received} - {None}
    assert here == (set() if kind in ("list", "lock") else {OF_NETRC})


def test_no_host_that_others_name_gets_credentials_through_a_proxy(
    server: ScriptedServer, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines = "".join(f"machine {host}.test login netrc password hunter3\n" for host in ("named", "other", "third"))
    (tmp_path / "home").mkdir(exist_ok=True)
    (tmp_path / "home/.netrc").write_text(machines)
    monkeypatch.setenv("http_proxy", server.url.replace("//", "//me:hunter2@"))
    b = "b-1.0-py3-none-any.whl"
    server.routes |= {
        "http://named.test/page/": page_of_links(A, f"http://other.test/{b}"),
        f"http://named.test/page/{A}": redirect_reply(f"http://third.test/{A}"),
        f"http://third.test/{A}": file_route(WHEEL),
        f"http://other.test/{b}": file_route(OTHER),
    }
    assert Run(capsys, server, "http://named.test/page/", "--remote", "mirror").status == 0
    sent = {(request.headers["host"], request.headers.get("authorization")) for request in server.received}
    assert sent == {("named.test", OF_NETRC), ("other.test", None), ("third.test", None)}
    assert {request.headers.get("proxy-authorization") for request in server.received} == {"Basic bWU6aHVudGVyMg=="}


def test_a_proxy_that_is_not_used_gets_nothing_and_its_password_goes_nowhere(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://me:hunter2@127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server.routes["/p"] = page_reply("page")
    make_client().get_page(f"{server.url}p")
    assert [request.headers.get("proxy-authorization") for request in server.received] == [None]


def test_credentials_of_an_option_are_for_hosts_that_the_user_named(server: ScriptedServer, netrc: None) -> None:
    server.routes["/p"] = page_reply("page")
    for trusted in [], ["localhost"], ["LOCALHOST"]:
        make_client(trusted=trusted).get_page(f"{server.other_host_url}p")
    assert [request.headers.get("authorization") for request in server.received] == [None, OF_NETRC, OF_NETRC]


# --- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("127.0.0.1", "this machine"),
        ("127.8.9.10", "this machine"),
        ("0.0.0.0", "this machine"),
        ("::1", "this machine"),
        ("::", "this machine"),
        ("::ffff:127.0.0.1", "this machine"),
        ("64:ff9b::7f00:1", "this machine"),
        ("2002:7f00:1::", "this machine"),
        ("10.0.0.1", "a private network"),
        ("172.16.0.1", "a private network"),
        ("192.168.1.1", "a private network"),
        ("100.64.0.1", "a private network"),
        ("fd12::1", "a private network"),
        ("224.0.0.1", "a private network"),
        ("255.255.255.255", "a private network"),
        ("64:ff9b::a00:1", "a private network"),
        ("169.254.1.1", "a link-local network"),
        ("fe80::1", "a link-local network"),
        ("169.254.169.254", "cloud metadata"),
        ("::ffff:169.254.169.254", "cloud metadata"),
        ("100.100.100.200", "cloud metadata"),
        ("fd00:ec2::254", "cloud metadata"),
        ("151.101.0.223", "a public network"),
        ("2a04:4e42::223", "a public network"),
        ("64:ff9b::9765:df", "a public network"),
    ],
)
def test_the_network_of_an_address(address: str, network: str) -> None:
    assert network_of(ipaddress.ip_address(address)) == network


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.2",
        "[::1]",
        "0.0.0.0",
        "127.2",
        "2130706434",
        "0x7f000002",
        "[::ffff:127.0.0.2]",
        "10.0.0.1",
        "169.254.169.254",
        "[fe80::1]",
        "[fd00:ec2::254]",
    ],
)
@pytest.mark.parametrize("way", ["redirect", "link"])
def test_a_page_of_the_internet_cannot_name_an_address_of_a_private_network(
    server: ScriptedServer, as_public: None, host: str, way: str
) -> None:
    target = f"http://{host}:{server.port}/f"
    server.routes |= {"/p": redirect_reply(target), "/q": page_reply("fine")}
    client = WebClient(Cache(None))
    url = client.take_credentials(f"{server.url}p")
    assert client.get_page(f"{server.url}q").text == "fine"
    error = failure(lambda: client.get_page(url if way == "redirect" else target))
    assert isinstance(error, Refused)
    assert error.why.endswith(f"use --trust-host {host.strip('[]')}")


@pytest.mark.parametrize(
    "netloc",
    [
        "127.0.0.1\\@example.com",
        "example.com\\@127.0.0.1",
        "user@127.0.0.1",
        "127.0.0.1%2eexample.com",
        "127.0.0.1 ",
        "",
        "%31%32%37.0.0.1",
        "[::1",
        "[::1]x",
        "a:b",
        "example.com:99999",
        "a..b\u00fc",
    ],
)
def test_a_host_that_parsers_could_read_differently_is_not_an_address(netloc: str) -> None:
    with pytest.raises(NoResponse) as caught:
        ascii_url(f"http://{netloc}/path")
    assert caught.value.reason == INVALID


def test_a_host_name_becomes_ascii() -> None:
    assert ascii_url("http://b\u00fccher.example:80/\u00fc?\u00fc") == "http://xn--bcher-kva.example:80/\u00fc?\u00fc"
    assert ascii_url("http://\uff11\uff12\uff17.0.0.1/") == "http://127.0.0.1/"


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Answers for host names; others are resolved as usual."""
    answers: dict[str, list[str]] = {}
    resolve = socket.getaddrinfo

    def answer(host: str, *others: object, **options: object) -> object:
        if host not in answers:
            return resolve(host, *others, **options)  # type: ignore[arg-type]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in answers[host]]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return answers


def test_the_connection_is_made_to_the_address_that_was_judged(
    server: ScriptedServer, as_public: None, name_server: dict[str, list[str]]
) -> None:
    """The transport would not find this name, nor would it be led elsewhere by a second answer."""
    name_server["rebinding.test"] = ["10.0.0.1", "127.0.0.1"]
    server.routes["/p"] = page_reply("fine")
    assert WebClient(Cache(None)).get_page(f"http://rebinding.test:{server.port}/p").text == "fine"


def test_networks_of_hosts_that_the_user_named_are_allowed(name_server: dict[str, list[str]]) -> None:
    name_server |= {"intranet.test": ["10.0.0.1"], "files.test": ["10.0.0.2"], "here.test": ["127.0.0.1"]}
    name_server |= {"cloud.test": ["169.254.169.254"], "nothing.test": []}
    networks = Networks(frozenset())

    hosts = ("files.test", "here.test", "cloud.test", "nothing.test")
    assert [is_allowed(networks, host) for host in hosts] == [False, False, False, False]
    networks.allow_network_of("http://intranet.test/")
    assert [is_allowed(networks, host) for host in hosts] == [True, False, False, False]
    networks.allow_network_of("http://here.test/")
    assert [is_allowed(networks, host) for host in hosts] == [True, True, False, False]


def is_allowed(networks: Networks, host: str) -> bool:
    try:
        return bool(networks.addresses(f"http://{host}/", through_proxy=False))
    except NoResponse:
        return False


def test_only_the_hosts_that_a_file_of_this_machine_names_may_be_in_a_private_network(
    name_server: dict[str, list[str]],
) -> None:
    name_server |= {"files.test": ["10.0.0.2"], "here.test": ["127.0.0.1"], "other.test": ["10.0.0.2"]}
    name_server["cloud.test"] = ["169.254.169.254"]
    networks = Networks({"files.test", "here.test", "cloud.test"})
    hosts = ("files.test", "here.test", "other.test", "cloud.test")
    assert [is_allowed(networks, host) for host in hosts] == [True, True, False, False]


@pytest.mark.parametrize("kind", ["list", "page", "lock"])
def test_a_file_of_this_machine_allows_the_hosts_that_it_names_and_no_other(
    server: ScriptedServer, capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: str
) -> None:
    b = "b-1.0-py3-none-any.whl"
    there = server.other_host_url
    links = [f"{server.url}{name}" for name in (A, b)]
    texts = {
        "list": "\n".join(links),
        "page": "<!DOCTYPE html><html>" + "".join(f'<a href="{link}">x</a>' for link in links) + "</html>",
        "lock": "".join(
            f"{name} @ {link} --hash=sha256:{sha256(content)}\n"
            for name, link, content in zip("ab", links, (WHEEL, OTHER), strict=True)
        ),
    }
    source = {"list": "list.txt", "page": "page.html", "lock": "requirements.txt"}[kind]
    (tmp_path / source).write_text(texts[kind])
    server.routes |= {f"/{A}": file_route(WHEEL), f"/{b}": redirect_reply(f"{there}there/{b}")}
    server.routes[f"/there/{b}"] = file_route(OTHER)
    run = Run(capsys, server, source, "--remote", "mirror")
    assert {request.headers["host"].partition(":")[0] for request in server.received} == {"127.0.0.1"}
    assert run.status == 1
    assert "use --trust-host localhost" in "\n".join(run.messages)
    assert Run(capsys, server, source, "--remote", "mirror", "--trust-host", "localhost").status == 0


def test_of_a_proxy_only_addresses_and_localhost_are_judged(name_server: dict[str, list[str]]) -> None:
    name_server["intranet.test"] = ["10.0.0.1"]
    networks = Networks(frozenset())
    assert networks.addresses("http://intranet.test/", through_proxy=True) == []
    assert networks.addresses("http://no-such-name.test/", through_proxy=True) == []
    for host in "localhost", "a.localhost", "127.0.0.1", "[::1]", "10.0.0.1":
        with pytest.raises(NoResponse):
            networks.addresses(f"http://{host}/", through_proxy=True)


def test_a_link_to_a_private_network_is_rejected_and_others_are_published(
    server: ScriptedServer, as_public: None, capsys: pytest.CaptureFixture[str]
) -> None:
    b = "b-1.0-py3-none-any.whl"
    server.routes |= {
        "/page/": page_of_links(A, f"http://127.0.0.2:{server.port}/{b}"),
        f"/page/{A}": file_route(WHEEL),
    }
    run = Run(capsys, server, f"{server.url}page/")
    assert run.status == 1
    assert "If it is right, use --trust-host 127.0.0.2" in "\n".join(run.messages)
    assert run.requests[0] == "GET 200 /page/"
