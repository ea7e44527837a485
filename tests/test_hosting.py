"""The command `host`: the values that it accepts. None can change the meaning of a configuration."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mkindex import cli
from mkindex.errors import ConfigError
from mkindex.hosts.server_config import ServerConfig
from mkindex.hosts.table import HOSTS
from mkindex.site.templates import Templates
from support.builds import publish
from support.wheels import write_wheel

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "s3cret"
USERS = {name: one.users_file for name, one in HOSTS.items() if one.users_file}
PRINTS = {name: one.printed_template for name, one in HOSTS.items() if one.users_file and one.printed_template}


def hosting(**values: Any) -> ServerConfig:  # noqa: ANN401
    return ServerConfig(**{"root": "/srv/index", "url": "http://localhost/", **values})


def parts(url: str) -> tuple[object, ...]:
    one = hosting(url=url)
    return one.scheme, one.host, one.port, one.path, one.origin, one.index


class Run:
    """A run of `mkindex host`, with its status and output."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        capsys.readouterr()
        self.status = cli.run(["host", *arguments])
        self.out, self.err = capsys.readouterr()


def test_an_address_has_scheme_host_port_and_path() -> None:
    local, named = "http://localhost", "https://packages.example.com"
    assert [
        parts(url) for url in (local, "HTTP://LocalHost:80/", f"{named}:8443/a.b/c_d/", "http://[::1]:8080/~x")
    ] == [
        ("http", "localhost", 80, "/", local, f"{local}/simple/"),
        ("http", "localhost", 80, "/", local, f"{local}/simple/"),
        ("https", "packages.example.com", 8443, "/a.b/c_d/", f"{named}:8443", f"{named}:8443/a.b/c_d/simple/"),
        ("http", "[::1]", 8080, "/~x/", "http://[::1]:8080", "http://[::1]:8080/~x/simple/"),
    ]


def test_with_a_loopback_address_only_this_machine_can_connect() -> None:
    hosts = ("127.0.0.1", "127.8.0.1", "[::1]", "localhost", "192.0.2.1", "[2001:db8::1]", "packages.example.com")
    listened = [hosting(url=f"http://{host}/").addresses for host in hosts]
    assert listened == [*((host,) for host in hosts[:3]), ("127.0.0.1", "[::1]"), (), (), ()]
    assert [hosting(url=f"http://{host}/").is_public for host in hosts] == [*[False] * 4, *[True] * 3]


def test_the_address_to_listen_on_can_be_given() -> None:
    given = ("0.0.0.0", "::", "192.0.2.1", "127.0.0.1", "::1")
    configs = [hosting(listen=address) for address in given]
    assert [config.addresses for config in configs] == [("0.0.0.0",), ("[::]",), ("192.0.2.1",), given[3:4], ("[::1]",)]
    assert [config.is_public for config in configs] == [True, True, True, False, False]
    assert "    listen 0.0.0.0:80;\n" in OURS.render("hosts/nginx.conf", hosting=configs[0]).decode()


@pytest.mark.parametrize(
    "url",
    [
        *("", "localhost", "ftp://host/", "http:///x", "http://", "http://host:0/", "http://host:65536/", "//host/"),
        *("http://*.example.com/", "http://.example.com/", "http://a..b/", "http://-a/", "http://~^a/", "http://a;b/"),
        *("http://a b/", "http://h/a b", "http://h/a;b", "http://h/$uri", "http://h/{path}", "http://h/a//b"),
        *(
            "http://h/.well-known/",
            "http://h/../x",
            "http://h/a%20b",
            "http://h/a\n",
            "http://h/\nb",
            "http://\u00fc.example/",
        ),
        *("http://h/\u00fc", 'http://h/"', "http://h/\\", "http://[::1", "http://[::g]/", "http://[1.2.3.4]/"),
        *("http://loca\u017f/", "http://h:\u0661\u0662/"),  # letters and digits only with Unicode rules
        *("http://" + "a" * 64 + "/", "http://h:1:2/", "http://h:/", "http://h/*"),
    ],
)
def test_an_address_that_a_configuration_cannot_hold_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^url"):
        hosting(url=url)


@pytest.mark.parametrize(
    "url",
    [
        f"https://{SECRET}@host/",
        f"https://user:{SECRET}@host/",
        f"https://host/?token={SECRET}",
        f"https://host/#{SECRET}",
        f"https://user:{SECRET}/x@host/",
        f"ftp://user:{SECRET}@host/",
    ],
)
def test_an_address_with_a_secret_is_refused_and_not_repeated(capsys: pytest.CaptureFixture[str], url: str) -> None:
    run = Run(capsys, "nginx", "--url", url)
    assert (run.status, run.out, SECRET in run.err) == (2, "", False)
    assert "--url must not contain a user name, password, query or fragment" in run.err


@pytest.mark.parametrize("special", [*"\"'`\\${}[]*?\n\r\t\0\x7f\x1b\u2028\u202e", "\udcff"])
@pytest.mark.parametrize("option", ["root", "users", "certificate", "key"])
def test_a_path_that_a_configuration_cannot_hold_is_refused(option: str, special: str) -> None:
    both = {"certificate": "/c", "key": "/k"} if option in ("certificate", "key") else {}
    with pytest.raises(ConfigError, match=rf"^{option} .*no server configuration can hold") as refused:
        hosting(**{"url": "https://localhost/", **both, option: f"/srv/a{special}b"})
    assert str(refused.value).isprintable()


ROOT, PATH = "/srv/ROOT", "PATH"
OURS = Templates()


@pytest.mark.parametrize("server", PRINTS)
def test_a_path_is_within_quotes_or_in_a_comment(server: str) -> None:
    values = {"users": "/srv/USERS", "certificate": "/srv/CERTIFICATE", "key": "/srv/KEY"}
    printed = OURS.render(PRINTS[server], hosting=hosting(root=ROOT, url="https://localhost/", **values)).decode()
    rules = [line for line in printed.splitlines() if not line.startswith("#")]
    for path in (ROOT, *values.values()):
        assert sum(path in line for line in rules) > 0
        assert [line for line in rules if path in re.sub(r'"[^"]*"', "", line)] == []


@pytest.mark.slow
@given(st.text(max_size=30), st.from_regex(r"[A-Za-z0-9_~-]{1,30}", fullmatch=True))
def test_accepted_values_are_printed_unchanged(name: str, path: str) -> None:
    root = f"/srv/{name.strip('/')}x"
    try:
        odd = hosting(root=root, url=f"http://localhost/{path}")
    except ConfigError:
        assert not root.isprintable() or set(root) & set("\"'`\\${}[]*?")
        return
    plain = hosting(root=ROOT, url=f"http://localhost/{PATH}")
    for server in PRINTS.values():
        expected = OURS.render(server, hosting=plain).decode().replace(PATH, path).replace(ROOT, root)
        assert OURS.render(server, hosting=odd).decode() == expected


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "Missing argument 'NAME'"),
        (["public"], "'public' is not one of 'github-pages', 'cloudflare-pages', 'netlify', 'nginx'"),
        (["nginx", "--users", "/etc/x"], "--users requires --auth: without it everybody can read the index"),
        (["nginx", "--certificate", "/c"], "--certificate and --key require each other"),
        (["nginx", "--key", "/c", "--url", "https://h/"], "--certificate and --key require each other"),
        (
            ["nginx", "--key", "/c", "--certificate", "/c"],
            "--certificate and --key require a --url that begins with https://",
        ),
        (["nginx", "--listen", "localhost"], "--listen must be an IP address without a port, such as 0.0.0.0"),
        (["nginx", "--templates", "gone"], "--templates gone: not a directory"),
        (
            ["nginx", "--auth", "--users", "who"],
            "--users must be an absolute path on the server, such as /srv/index, not 'who'",
        ),
        (["nginx", "--root", "/"], "--root / would publish every file of the machine"),
        (["nginx", "--root", "//"], "--root / would publish every file of the machine"),
        (["nginx", "--root", ""], "--root must be an absolute path on the server, such as /srv/index, not ''"),
        (["systemd", "--auth"], "--auth: not used for systemd"),
        (["systemd", "--root", "a$b"], "--root must not contain control characters or any of"),
        (["gitlab-pages", "--root", "x"], "--root: not used for gitlab-pages, which is not a server of your own"),
        (["nginx", "--root", "a$b"], "--root must not contain control characters or any of"),
        (["netlify"], "netlify is configured by files that a build writes: mkindex SOURCE DEST --for netlify"),
        (["s3"], "s3 needs no configuration: mkindex SOURCE s3://BUCKET/PREFIX"),
        (["github-pages", "--auth"], "--auth: not used for github-pages, which is not a server of your own"),
        (["github-pages", "--url", "https://x/", "--root", "a"], "--root, --url: not used for github-pages"),
    ],
)
def test_a_usage_error_gives_the_reason(capsys: pytest.CaptureFixture[str], options: list[str], says: str) -> None:
    run = Run(capsys, *options)
    assert (run.status, run.out, says in run.err) == (2, "", True)


@pytest.mark.parametrize("server", PRINTS)
def test_the_configuration_fits_the_tree_in_the_directory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, server: str
) -> None:
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", "demo", "1.0")
    publish(tmp_path / "wheels", tmp_path / "public", simple_path="a/b")
    monkeypatch.chdir(tmp_path)
    run = Run(capsys, server, "--root", "public")
    assert (run.status, run.err) == (0, "")
    assert run.out.startswith(f"# Serves the package index http://localhost/a/b/ from {tmp_path}/public")
    assert f'"{tmp_path}/public' in run.out
    assert "mkindex check http://localhost/a/b/\n" in run.out
    assert "mkindex check http://localhost/simple/\n" in Run(capsys, server).out


@pytest.mark.parametrize("server", PRINTS)
def test_users_and_certificates_have_defaults_for_each_server(capsys: pytest.CaptureFixture[str], server: str) -> None:
    url = ("--url", "https://packages.example.com/")
    usual = Run(capsys, server, *url, "--auth").out
    assert f'"{USERS[server]}"' in usual
    assert ('"/etc/letsencrypt/live/packages.example.com/fullchain.pem"' in usual) is (server != "caddy")
    own = Run(capsys, server, *url, "--auth", "--users", "/o/users", "--certificate", "/o/c", "--key", "/o/k").out
    assert ['"/o/users"' in own, '"/o/c"' in own, '"/o/k"' in own, "letsencrypt" in own] == [True, True, True, False]
    assert USERS[server] not in Run(capsys, server, *url).out


def test_passwords_over_http_to_another_machine_are_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    said = [
        Run(capsys, "nginx", "--auth", "--url", f"{url}/").err for url in ("http://h", "https://h", "http://127.0.0.1")
    ]
    text = "http sends passwords in clear text: use a --url that begins with https://"
    assert said == [f"warning http://h: {text}\n", "", ""]


def test_a_template_of_the_user_replaces_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "hosts").mkdir()
    (tmp_path / "hosts/apache-rules.conf").write_text("Header set X-Ours <&>\n")
    run = Run(capsys, "apache", "--templates", str(tmp_path))
    assert (run.status, "\n        Header set X-Ours <&>\n    </Directory>\n" in run.out) == (0, True)
    (tmp_path / "hosts/nginx.conf").write_text("root {{ hosting.root }};\n")
    assert Run(capsys, "nginx", "--templates", str(tmp_path)).out == "root /srv/index;\n"
    (tmp_path / "hosts/nginx.conf").write_text("{{ nothing }}\n")
    run = Run(capsys, "nginx", "--templates", str(tmp_path))
    assert (run.status, run.out, "nginx.conf, line 1" in run.err) == (3, "", True)


def test_a_systemd_unit_may_write_only_into_the_tree(capsys: pytest.CaptureFixture[str]) -> None:
    unit = Run(capsys, "systemd", "--root", "/srv/50% #1").out.splitlines()
    assert [line for line in unit if line.startswith(("ReadWritePaths", "ProtectSystem", "User", "ExecStart"))] == [
        "ExecStart=/opt/mkindex/bin/mkindex --watch",
        "User=mkindex",
        'ReadWritePaths="/srv/50%% #1"',  # "%" begins a specifier
        "ProtectSystem=strict",
    ]


def test_a_job_for_gitlab_pages_publishes_the_directory_that_it_builds(capsys: pytest.CaptureFixture[str]) -> None:
    job = yaml.safe_load(Run(capsys, "gitlab-pages").out)["pages"]
    assert (job["artifacts"], job["script"][-2:]) == (
        {"paths": ["public"]},
        ['mkindex dist public --url "$CI_PAGES_URL/"', "mkindex check public"],
    )
