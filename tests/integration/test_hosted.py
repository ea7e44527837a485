"""The output of `mkindex host`, run unchanged by nginx, Apache and Caddy, with settings that could break it."""

from __future__ import annotations

import http.client
import json
import shutil
import ssl
import subprocess
import sys
import tempfile
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from mkindex.hosts import table as hosts
from mkindex.hosts.fallback import Fallback
from mkindex.hosts.reserved import Reserved
from mkindex.hosts.server_config import ServerConfig
from mkindex.site.templates import Templates
from support.authority import write_users
from support.clients import INSTALLERS, ClientFailed, ClientHome, write_project
from support.requirements import skip_or_fail
from support.trees import read_tree as contents
from support.web_servers import HOSTS, serve_printed_config, serve_with_htaccess, validate_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

PRINTS = {name: one.printed_template for name, one in hosts.HOSTS.items() if one.users_file and one.printed_template}
HTML = "text/html; charset=utf-8"
JSON = "application/vnd.pypi.simple.v1+json"
LEGACY = "application/json"  # of --legacy-json and --pyodide-json
BYTES = "application/octet-stream"
SHORT = "max-age=60, must-revalidate"
LONG = "max-age=31536000, immutable"
NAME, PASSWORD = "reader", "s3cret-and-long"
# Accepts only JSON; accepts only HTML; accepts anything.
MICROPIP = f"{JSON}, */*;q=0.01"  # it gets HTML, since it cannot read relative addresses in JSON
NEWEST, OLD, ANY = "application/vnd.pypi.simple.latest+json", "text/html", "*/*"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]  # by name in lower case; repeated ones are joined
    body: bytes

    @property
    def summary(self) -> tuple[int, str, str]:
        return self.status, self.headers.get("content-type", ""), self.headers.get("cache-control", "")


def ask(url: str, method: str = "GET", *, context: ssl.SSLContext | None = None, **headers: str) -> Answer:
    """Send a request, and decode and follow nothing; `_` in header names means `-`."""
    parts = urlsplit(url)
    assert parts.hostname
    connection = (
        http.client.HTTPSConnection(parts.hostname, parts.port, timeout=20, context=context)
        if parts.scheme == "https"
        else http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
    )
    try:
        target = urlunsplit(("", "", parts.path, parts.query, ""))
        connection.request(method, target, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        found: dict[str, str] = {}
        for name, value in response.getheaders():
            found[name.lower()] = ", ".join(filter(None, [found.get(name.lower()), value]))
        return Answer(response.status, found, response.read())
    finally:
        connection.close()


def built(wheels: Path, directory: Path, *options: str) -> Path:
    command = [sys.executable, "-m", "mkindex", str(wheels), str(directory), "--links", "--no-cache", *options]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return directory


@pytest.fixture(scope="module")
def public() -> Iterator[Path]:
    """A directory that every user may enter, because Apache gives up the rights of root."""
    with tempfile.TemporaryDirectory(prefix="mkindex-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture(scope="module")
def tree(wheels: Path, public: Path) -> Path:
    """An index in a directory whose name must be quoted, with a hidden file in it."""
    directory = built(wheels, public / "an index; #1 (é) 100%", "--legacy-json", "--pyodide-json")
    (directory / ".env").write_text(PASSWORD)
    (directory / "simple/demo/.env").write_text(PASSWORD)
    (directory / "simple/empty").mkdir()
    (directory / "own.css").write_text("body { color: red }")
    return directory


@pytest.fixture(scope="module")
def json_tree(wheels: Path, public: Path) -> Path:
    """An index whose HTML pages are empty: only clients that get JSON can install from it."""
    directory = built(wheels, public / "json")
    for page in directory.glob("simple/*/index.html"):
        page.write_text("<!DOCTYPE html><title>nothing</title>")
    return directory


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path / "scratch"


def served(server: str, tree: Path, scratch: Path, url: str = "http://127.0.0.1/") -> AbstractContextManager[str]:
    return (
        serve_with_htaccess(tree, scratch)
        if server == ".htaccess"
        else serve_printed_config(server, tree, scratch, url)
    )


# --- requests -------------------------------------------------------------------------------------------------------

FILE = "files/28/7ae3302499b9f9a931071e5ce836d486a37f0be66053fc94d1e91c7b83b50f/demo_source-1.0.tar.gz"
PAGES = {
    "": [(ANY, HTML), (NEWEST, HTML), (OLD, HTML)],
    "simple/": [(ANY, HTML), (NEWEST, JSON), (JSON, JSON), (OLD, HTML)],
    "simple/demo/": [
        (ANY, HTML),
        (f"{JSON}, text/html; q=0.1", JSON),
        (OLD, HTML),
        (JSON.upper(), JSON),
        (MICROPIP, HTML),
    ],
    "simple/demo/index.html": [(JSON, HTML)],
    "simple/demo/index.v1_json": [(OLD, JSON)],
    "links.html": [(JSON, HTML)],
    "pypi/demo/json": [(ANY, LEGACY), (OLD, LEGACY)],
    "pypi/all.json": [(ANY, LEGACY)],
    "404.html": [(ANY, HTML)],
}
ABSENT = [
    *("simple/nope/", "simple/nope", "simple/demo/nope", "simple/demo.html", "nope", "index.v1_json", f"{FILE}x"),
    *("simple/empty/", "files/", ".mkindex/manifest", "%2emkindex/manifest", "simple/../.mkindex/manifest"),
    *("pypi/", "pypi/demo/", "pypi/nope/json", "pypi/demo/json/"),
    *(".env", "simple/demo/.env", ".nojekyll", ".htaccess"),
]
OUTSIDE = ["simple/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "..%2f..%2f..%2f..%2fetc/passwd"]


@pytest.mark.parametrize(
    ("server", "url"),
    [
        *((server, "http://127.0.0.1/") for server in HOSTS),
        *((server, "http://127.0.0.1/some/where") for server in HOSTS),
        *((server, "http://localhost/") for server in HOSTS),
        (".htaccess", ""),
    ],
)
def test_clients_get_the_requested_form_and_no_hidden_file(tree: Path, scratch: Path, server: str, url: str) -> None:
    with served(server, tree, scratch, url) as base:
        for path, forms in PAGES.items():
            for accept, form in forms:
                answer = ask(base + path, Accept=accept)
                name = (
                    path
                    if not path.endswith("/") and path
                    else path + ("index.v1_json" if form == JSON else "index.html")
                )
                assert (path, accept, *answer.summary) == (path, accept, 200, form, SHORT)
                assert answer.body == (tree / name).read_bytes()
                assert answer.headers["access-control-allow-origin"] == "*"
                assert answer.headers["x-content-type-options"] == "nosniff"
                if path.startswith("simple/"):
                    assert "Accept" in answer.headers["vary"].replace(",", " ").split()
        for path in ABSENT:
            for accept in (JSON, OLD):
                answer = ask(base + path, Accept=accept)
                assert (path, answer.status) == (path, 404)
                assert PASSWORD.encode() not in answer.body
                assert LONG not in answer.headers.get("cache-control", "")
        own = ask(f"{base}own.css")
        assert (own.headers["content-type"].split(";")[0], own.headers["cache-control"]) == ("text/css", SHORT)
        assert {ask(base + path).status for path in OUTSIDE} <= {400, 403, 404}
        missing_page = ask(f"{base}simple/nope/")
        assert missing_page.headers["access-control-allow-origin"] == "*"
        if server != ".htaccess":
            assert (missing_page.summary, missing_page.body) == ((404, HTML, SHORT), (tree / "404.html").read_bytes())
        for path in ("simple", "simple/demo"):
            answer = ask(base + path)
            assert answer.status in (301, 308)
            assert answer.headers["location"] in (f"{base}{path}/", f"{urlsplit(base).path}{path}/")
        if urlsplit(base).path != "/":
            answer = ask(base.rstrip("/"))
            assert (answer.status in (301, 308), answer.headers["location"]) in (
                (True, base),
                (True, urlsplit(base).path),
            )
            if server != ".htaccess":
                root = base.removesuffix("some/where/")
                assert {ask(root + path).status for path in ("", "simple/", "links.html", FILE, "some/wherever")} == {
                    404
                }


@pytest.mark.parametrize("server", [*HOSTS, ".htaccess"])
def test_files_arrive_as_they_are_whatever_encoding_a_client_would_take(tree: Path, scratch: Path, server: str) -> None:
    files = {path: content for path, content in contents(tree).items() if path.startswith("files/")}
    with served(server, tree, scratch) as base:
        for path, content in files.items():
            answer = ask(base + path.replace("+", "%2B").replace("!", "%21"), Accept_Encoding="gzip, br, zstd")
            assert answer.summary == (200, BYTES, f"public, {LONG}")
            assert (answer.body == content, answer.headers.get("content-encoding")) == (True, None)
        part = ask(base + FILE, Range="bytes=3-10", Accept_Encoding="gzip")
        size = len(files[FILE])
        assert (part.status, part.body, part.headers["content-range"]) == (
            206,
            files[FILE][3:11],
            f"bytes 3-10/{size}",
        )
        head = ask(base + FILE, "HEAD")
        assert (head.summary, head.headers["content-length"], head.body) == (
            (200, BYTES, f"public, {LONG}"),
            str(size),
            b"",
        )
    assert len(files) > 20


def test_files_arrive_as_they_are_from_a_caddy_that_compresses(tree: Path, scratch: Path) -> None:
    with serve_printed_config(
        "caddy", tree, scratch, edit=lambda text, _: text.replace(" {\n", " {\n\tencode gzip\n", 1)
    ) as base:
        answer = ask(base + FILE, Accept_Encoding="gzip")
        assert (answer.body, answer.headers.get("content-encoding")) == ((tree / FILE).read_bytes(), None)


@pytest.mark.parametrize("server", [*HOSTS, ".htaccess"])
def test_pages_are_compressed_and_revalidated_each_form_by_itself(tree: Path, scratch: Path, server: str) -> None:
    with served(server, tree, scratch) as base:
        for encoding in ("identity", "gzip"):
            etags = {}
            for accept in (JSON, OLD):
                first = ask(f"{base}simple/demo/", Accept=accept, Accept_Encoding=encoding)
                assert first.headers.get("content-encoding", "identity") == encoding
                assert encoding == "identity" or "Accept-Encoding" in first.headers["vary"]
                etags[accept] = first.headers["etag"]
                conditions: list[dict[str, Any]] = [
                    {"If_None_Match": first.headers["etag"]},
                    {"If_None_Match": f'"another-gzip", {first.headers["etag"]}'},
                    {"If_Modified_Since": first.headers["last-modified"]},
                ]
                for condition in conditions:
                    again = ask(f"{base}simple/demo/", Accept=accept, Accept_Encoding=encoding, **condition)
                    assert (again.status, again.body, again.headers["cache-control"]) == (304, b"", SHORT)
            for accept, other in ((JSON, OLD), (OLD, JSON)):
                again = ask(f"{base}simple/demo/", Accept=accept, Accept_Encoding=encoding, If_None_Match=etags[other])
                assert (again.status, again.headers["etag"]) == (200, etags[accept])


@pytest.mark.parametrize("simple", [".", "a/b"])
@pytest.mark.parametrize("server", HOSTS)
def test_the_index_may_lie_anywhere_in_the_tree(
    wheels: Path, public: Path, tmp_path: Path, server: str, simple: str
) -> None:
    tree = built(wheels, public / f"{server} {simple.replace('/', ' ')}", "--simple-path", simple)
    index = "" if simple == "." else f"{simple}/"
    with serve_printed_config(server, tree, tmp_path / "scratch", "http://127.0.0.1/pypi/") as base:
        assert f"mkindex check {base}{index}\n" in (tmp_path / "scratch/printed.conf").read_text()
        assert ask(f"{base}{index}", Accept=JSON).summary == (200, JSON, SHORT)
        assert ask(f"{base}{index}demo/", Accept=JSON).summary == (200, JSON, SHORT)
        assert ask(f"{base}{index}demo/").summary == (200, HTML, SHORT)
        assert ask(f"{base}").summary == (200, HTML, SHORT)
        assert ask(f"{base}{index}nope/", Accept=JSON).summary == (404, HTML, SHORT)


@pytest.mark.parametrize("server", [*HOSTS, ".htaccess"])
def test_check_finds_nothing(tree: Path, scratch: Path, server: str) -> None:
    with served(server, tree, scratch) as base:
        for options in (
            ["simple/", "--files", "deep"],
            ["links.html", "--ignore", "find-links-page", "--ignore", "no-json"],
        ):
            command = [
                sys.executable,
                "-m",
                "mkindex",
                "check",
                base + options[0],
                "--no-cache",
                "--json",
                *("--ignore", "mixed-variants"),  # demo-cuda, an example, has two on one page
                *options[1:],
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
            found = json.loads(done.stdout)
            assert (done.returncode, found["findings"]) == (0, [])
            assert found["files"] > 10


@pytest.mark.parametrize("server", HOSTS)
def test_servers_accept_every_valid_configuration_and_several_at_once(
    tmp_path: Path, users: dict[str, Path], certificate: tuple[Path, Path], server: str
) -> None:
    own: dict[str, Any] = {"certificate": str(certificate[0]), "key": str(certificate[1])}
    long = f"{'a' * 63}.{'b' * 63}.example.com"
    accepted = [
        ServerConfig(
            root="/srv/an index; # (1) & <2> | \u00fc ~ %! ^,=@:+ >", url="http://packages.example.com:18081/"
        ),
        ServerConfig(root="/s/", url="http://a_b.example:18082/x.y/~z/_-", users=str(users[server])),
        ServerConfig(root="/srv/x", url=f"http://{long}:18083/"),
        ServerConfig(root="/srv/-y", url="http://[::1]:18084/"),
        ServerConfig(root="/" + "/".join(["n" * 250] * 10), url="http://1.2.3.999:18085/"),
        ServerConfig(root="/~/x", url="https://_x:18086/", **own),
        *(
            ServerConfig(
                root="/srv/an index; # (1)",
                url=f"http://f.example:{port}/x.y/",
                simple=simple,
                fallback=Fallback(
                    address=f"https://{name}.example/root/+simple", reserved=Reserved((f"{name}-*", "?"))
                ),
            )
            for port, name, simple in ((18087, "one", "simple/"), (18088, "two", "a.b/c/"), (18089, "three", ""))
        ),
    ]
    printed = [Templates().render(PRINTS[server], hosting=one).decode() for one in accepted]
    messages = validate_config(server, "\n".join(printed), tmp_path / "scratch")
    if server != "caddy":  # because it warns about certificates that it does not manage
        assert [line for line in messages.splitlines() if "warn" in line.lower() and "does not exist" not in line] == []
    for text in printed:
        validate_config(server, text, tmp_path / "scratch")
        if server == "caddy":
            formatted = subprocess.run(
                ["caddy", "fmt", tmp_path / "scratch/printed.conf"],
                check=True,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert formatted.stdout == text


# --- clients --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", ["pip", "uv", "poetry"])
@pytest.mark.parametrize("server", [*HOSTS, ".htaccess"])
def test_clients_install_and_get_json(
    json_tree: Path, home: ClientHome, scratch: Path, server: str, client: str
) -> None:
    with served(server, json_tree, scratch, "http://127.0.0.1/pypi/") as base:
        found = INSTALLERS[client](home, f"{base}simple/", ["demo-app", "demo-source"])
    assert found == {"demo": "1.1", "demo-app": "1.0", "demo-source": "1.0"}


# --- passwords ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def users(public: Path) -> dict[str, Path]:
    """The files of users, made as the printed comments say."""
    directory = public / "users; #2"
    directory.mkdir()
    return write_users(directory, NAME, PASSWORD)


@pytest.mark.parametrize("server", HOSTS)
def test_with_auth_nothing_is_readable_without_the_password(
    tree: Path, scratch: Path, users: dict[str, Path], server: str
) -> None:
    basic = f"Basic {b64encode(f'{NAME}:{PASSWORD}'.encode()).decode()}"
    wrong = f"Basic {b64encode(f'{NAME}:wrong'.encode()).decode()}"
    url = "http://127.0.0.1/pypi/"
    with serve_printed_config(server, tree, scratch, url, "--auth", "--users", users[server]) as base:
        for path in ("", "simple/", "simple/demo/", "simple/demo", "simple/nope/", "links.html", "404.html", FILE):
            without: list[dict[str, Any]] = [{}, {"Authorization": wrong}, {"Accept": JSON}]
            for headers in without:
                refused = ask(base + path, **headers)
                assert (path, refused.status, refused.headers["www-authenticate"].split()[0]) == (path, 401, "Basic")
                assert refused.headers["access-control-allow-origin"] == "*"
                assert refused.body != (tree / "404.html").read_bytes()
        # A shared cache must not send the files of one user to others.
        assert ask(base + FILE, Authorization=basic).summary == (200, BYTES, f"private, {LONG}")
        for path, status in (("simple/demo/", 200), ("simple/nope/", 404)):
            answer = ask(base + path, Authorization=basic, Accept=JSON)
            assert answer.summary == (status, JSON if status == 200 else HTML, f"private, {SHORT}")
        preflight = ask(
            f"{base}simple/demo/",
            "OPTIONS",
            Origin="https://example.com",
            Access_Control_Request_Method="GET",
            Access_Control_Request_Headers="authorization",
        )
        assert preflight.status in (200, 204)
        assert preflight.headers["access-control-allow-origin"] == "*"
        assert preflight.headers["access-control-allow-headers"] == "Authorization"
        assert preflight.body == b""
        assert ask(f"{base}.env", Authorization=basic).status == 404


@pytest.mark.parametrize("server", HOSTS)
def test_with_auth_clients_install_by_netrc_and_variables_and_are_refused_without(
    json_tree: Path, tmp_path: Path, scratch: Path, users: dict[str, Path], server: str
) -> None:
    messages = []
    with serve_printed_config(
        server, json_tree, scratch, "http://127.0.0.1/pypi/", "--auth", "--users", users[server]
    ) as base:

        def install(client: str, home: ClientHome) -> str:
            into = ("--target", str(home.path / "target"), "demo")
            if client == "pip":
                return home.pip("pip", "install", "--index-url", f"{base}simple/", "--no-input", *into)
            if client == "uv":
                return home.uv("pip", "install", "--no-config", "--index-url", f"{base}simple/", *into)
            index = f'[[tool.uv.index]]\nname = "ours"\nurl = "{base}simple/"\ndefault = true\n'
            write_project(home, ["demo"], f"[tool.uv]\npackage = false\n{index}")
            return home.uv("sync")

        names = {"UV_INDEX_OURS_USERNAME": NAME, "UV_INDEX_OURS_PASSWORD": PASSWORD}
        for client, variables in (("pip", {}), ("uv", {}), ("uv sync", {}), ("uv sync", names)):
            path = tmp_path / f"{client}-{len(variables)}"
            path.mkdir()
            home = ClientHome(path, settings=variables)
            if not variables:
                with pytest.raises(ClientFailed) as refused:
                    install(client, home)
                messages.append(str(refused.value))
                (path / ".netrc").write_text(f"machine 127.0.0.1\nlogin {NAME}\npassword {PASSWORD}\n")
                (path / ".netrc").chmod(0o600)
            messages.append(install(client, home))
            (path / ".netrc").unlink(missing_ok=True)
    assert [text for text in messages if PASSWORD in text] == []
    written = [path for path in tmp_path.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]
    assert written == []


# --- https ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    directory = tmp_path_factory.mktemp("certificate")
    openssl = shutil.which("openssl") or skip_or_fail("openssl")
    certificate, key = directory / "own; cert.pem", directory / "own; key.pem"
    new = [*("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")]
    named = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command = [openssl, *new, *named, "-out", str(certificate), "-keyout", str(key)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return certificate, key


@pytest.mark.parametrize("server", HOSTS)
def test_https_with_a_certificate_of_ones_own(
    tree: Path, scratch: Path, certificate: tuple[Path, Path], server: str
) -> None:
    own = ("--certificate", certificate[0], "--key", certificate[1])
    with serve_printed_config(server, tree, scratch, "https://localhost/pypi/", *own) as base:
        context = ssl.create_default_context(cafile=certificate[0])
        assert ask(f"{base}simple/demo/", context=context, Accept=JSON).summary == (200, JSON, SHORT)
        answer = ask(f"{base}simple/demo", context=context)
        assert answer.headers["location"] in (f"{base}simple/demo/", "/pypi/simple/demo/")


@pytest.mark.parametrize("server", ["nginx", "apache"])
def test_http_redirects_to_https(tree: Path, scratch: Path, certificate: tuple[Path, Path], server: str) -> None:
    own: dict[str, Any]
    url, own = "https://127.0.0.1/pypi/", {"certificate": str(certificate[0]), "key": str(certificate[1])}
    printed = Templates().render(PRINTS[server], hosting=ServerConfig(root=str(tree), url=url, **own)).decode()

    def with_a_port_of_the_test(_: str, port: int) -> str:
        listen = f"Listen 127.0.0.1:{port}\n" if server == "apache" else ""  # as Debian's ports.conf does for port 80
        unused = printed.replace("listen 127.0.0.1:443", f"listen unix:{scratch}/socket")
        return listen + unused.replace("127.0.0.1:80", f"127.0.0.1:{port}")

    with serve_printed_config(server, tree, scratch, edit=with_a_port_of_the_test) as base:
        answer = ask(f"{base}pypi/simple/demo/?x=1")
        assert (answer.status, answer.headers["location"]) == (301, "https://127.0.0.1/pypi/simple/demo/?x=1")
