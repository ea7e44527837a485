"""Trees for hosts: the files that a host needs, its limits, and the messages."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin

import pytest

from mkindex import cli
from mkindex.build.listing import output_directories
from mkindex.config import Config
from mkindex.errors import ConfigError, DestinationError, Note, NotPublished
from mkindex.hosts.table import HOSTS
from mkindex.site.layout import Site
from mkindex.site.resources import Page
from mkindex.site.templates import Templates
from support.builds import cold_build, publish, write_files
from support.growing import add, cold_union
from support.index_values import FakeFiles, make_index, render_resources
from support.trees import file_identities, own_files, read_tree
from support.wheels import metadata, sdist, wheel, wheel_filename, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

PLAIN = {".nojekyll", "404.html", "index.html", "simple/index.html", "simple/index.v1_json"}
PYPI_JSON = "application/vnd.pypi.simple.v1+json"
FOREVER = "public, max-age=31536000, immutable"
PUBLIC = HOSTS["github-pages"].notice or ""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A directory with three files of two projects."""
    directory = tmp_path / "wheels"
    files = {
        wheel_filename("demo", "1.0"): wheel("demo", "1.0"),
        wheel_filename("demo", "1!2.0+cu128"): wheel("demo", "1!2.0+cu128"),
        "other-1.0.tar.gz": sdist("other", "1.0"),
    }
    write_files(directory, files.items())
    for path in directory.iterdir():
        os.utime(path, (10**9, 10**9))
    return directory


# --- limits ---------------------------------------------------------------------------------------------------------


def test_the_limits_are_those_that_the_hosts_document() -> None:
    assert {name: (host.max_file, host.max_bytes, host.max_files) for name, host in HOSTS.items()} == {
        "github-pages": (100_000_000, 1_000_000_000, None),
        "cloudflare-pages": (26_214_400, None, 20_000),
        **dict.fromkeys(["netlify", "nginx", "apache", "caddy", "s3"], (None, None, None)),
    }


def refusal(source: Path, public: Path, **options: Any) -> str | None:  # noqa: ANN401 (the fields of Config)
    """Return why a tree is not published, and check that nothing has changed; None if it is published."""
    there = public.exists()
    before = (read_tree(public), own_files(public), file_identities(public)) if there else ({}, set(), {})
    for dry_run in True, False:
        try:
            publish(source, public, dry_run=dry_run, **options)
        except NotPublished as error:
            why = str(error)
            assert public.exists() == there
            assert (
                (read_tree(public), own_files(public), file_identities(public)) if there else ({}, set(), {})
            ) == before
        else:
            why = ""
    return why or None


def test_a_file_of_the_maximum_size_is_published_and_a_larger_one_is_not(tmp_path: Path) -> None:
    bound, name = 25 * 1024 * 1024, wheel_filename("big", "1.0")
    without = len(wheel("big", "1.0", files={"pad": bytes(bound - 1000)}))
    too_large = (
        "cloudflare-pages: limit 26,214,400 bytes for a file; too large: big-1.0-py3-none-any.whl (26,214,401 bytes). "
        "Upload the wheels to a bucket or a GitHub Release, and link to them there: "
        "mkindex WHEELS DEST --files-url https://…"
    )
    for more, expected in (0, None), (1, too_large):
        content = wheel("big", "1.0", files={"pad": bytes(bound - 1000 + bound - without + more)})
        assert len(content) == bound + more
        write_files(tmp_path / "wheels", [(name, content)])
        assert refusal(tmp_path / "wheels", tmp_path / f"public{more}", host="cloudflare-pages") == expected
        assert refusal(tmp_path / "wheels", tmp_path / "public", host="netlify") is None
        files_url = "https://files.example.com/"
        assert refusal(tmp_path / "wheels", tmp_path / "named", host="cloudflare-pages", files_url=files_url) is None


@pytest.mark.parametrize("there", [False, True], ids=["nothing there", "a tree there"])
def test_a_tree_beyond_the_limits_is_refused_before_anything_is_published(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    if there:
        publish(source, tmp_path / "public")
        write_wheel(source, "new", "1.0")
    content = cold_build(source, host="cloudflare-pages", json_root="json")
    number = len(content)  # the manifest counts, and _headers does not
    del content["_headers"]
    by_size = sorted(
        ((len(data), path.rpartition("/")[2] if path.startswith("files/") else path) for path, data in content.items()),
        key=lambda one: (-one[0], one[1]),
    )
    total, largest = sum(size for size, _ in by_size), by_size[0][0]
    fits: dict[str, Any] = {"max_file": largest, "max_bytes": total, "max_files": number}
    below = {"max_file": largest - 1, "max_bytes": total - 1, "max_files": number - 1}
    found = {}
    for key, bound in below.items():
        monkeypatch.setitem(HOSTS, "cloudflare-pages", replace(HOSTS["cloudflare-pages"], **fits | {key: bound}))
        why = refusal(source, tmp_path / "public", host="cloudflare-pages", json_root="json")
        assert why
        found[key] = why
    named = [f"{name} ({size:,} bytes)" for size, name in by_size]
    advice = HOSTS["cloudflare-pages"].advice
    assert found == {
        "max_file": f"cloudflare-pages: limit {largest - 1:,} bytes for a file; too large: {named[0]}. {advice}",
        "max_bytes": f"cloudflare-pages: limit {total - 1:,} bytes; this tree has {total:,}: "
        f"{', '.join(named[:5])} and {len(named) - 5} more. {advice}",
        "max_files": f"cloudflare-pages: limit {number - 1:,} files; this tree has {number:,}, "
        f"including pages. {advice}",
    }
    monkeypatch.setitem(HOSTS, "cloudflare-pages", replace(HOSTS["cloudflare-pages"], **fits))
    assert refusal(source, tmp_path / "public", host="cloudflare-pages", json_root="json") is None


def test_a_tree_beyond_the_limits_is_exit_status_3(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(HOSTS, "github-pages", replace(HOSTS["github-pages"], max_file=1))
    assert cli.run(["--for", "github-pages", str(source), str(tmp_path / "public")]) == 3
    assert re.fullmatch(
        r"error github-pages: limit 1 bytes for a file; too large: "
        r"(\S+ \([\d,]+ bytes\)(, )?){5} and \d+ more\. Upload .*\n",
        capsys.readouterr().err,
    )
    assert not (tmp_path / "public").exists()


@pytest.mark.parametrize("key", ["max_bytes", "max_files"])
def test_unlisted_files_count_until_they_are_deleted(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    public = tmp_path / "public"
    publish(source, public)
    (source / "demo-1.0-py3-none-any.whl").write_bytes(wheel("demo", "1.0", summary="another"))
    old = [len(wheel("demo", "1.0")), len(metadata("demo", "1.0"))]
    now = {
        "max_bytes": sum(map(len, cold_build(source).values())) + sum(old),
        "max_files": len(cold_build(source)) + 1 + len(old),
    }[key]

    def refusal_with(bound: int, **options: Any) -> str | None:  # noqa: ANN401 (the fields of Config)
        bounds: dict[str, Any] = {"max_bytes": None, "max_files": None, key: bound}
        monkeypatch.setitem(HOSTS, "cloudflare-pages", replace(HOSTS["cloudflare-pages"], **bounds))
        return refusal(source, public, host="cloudflare-pages", **options)

    why = refusal_with(now - 1, grace=900)
    assert why
    assert f"{now:,}" in why
    assert ". --grace 0 would delete 2 retired files of these. Upload the wheels" in why
    assert refusal_with(now, grace=900) is None
    assert "2 retired files" in (refusal_with(now - 1, grace=900) or "")
    assert refusal_with(now - 1, grace=0) is None


def test_files_and_metadata_that_are_published_count_when_a_release_is_added(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public, new = tmp_path / "public", tmp_path / "new"
    publish(source, public, host="cloudflare-pages")
    new.mkdir()
    write_wheel(new, "demo", "3.0", mtime=10**9)
    tree = cold_union(tmp_path / "all", source, new, host="cloudflare-pages")
    total = sum(len(content) for path, content in tree.items() if path != "_headers")
    monkeypatch.setitem(HOSTS, "cloudflare-pages", replace(HOSTS["cloudflare-pages"], max_bytes=total - 1))
    with pytest.raises(NotPublished, match=f"limit {total - 1:,} bytes; this tree has {total:,}: "):
        add(new, public)
    monkeypatch.setitem(HOSTS, "cloudflare-pages", replace(HOSTS["cloudflare-pages"], max_bytes=total))
    add(new, public)
    assert read_tree(public) == tree


def test_pages_count_like_files(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"files_url": "https://files.example.com/", "links": True, "host": "cloudflare-pages"}
    sizes = {path: len(page) for path, page in cold_build(source, **options).items() if path != "_headers"}
    largest = max(sizes, key=sizes.__getitem__)
    for bound, expected in (sizes[largest], None), (sizes[largest] - 1, largest):
        host = replace(HOSTS["cloudflare-pages"], max_file=bound, max_bytes=None)
        monkeypatch.setitem(HOSTS, "cloudflare-pages", host)
        why = refusal(source, tmp_path / "public", **options)
        assert (why is None) if expected is None else f"too large: {expected} ({bound + 1:,} bytes)." in (why or "")


def test_a_project_with_a_reserved_name_is_refused_at_the_root(source: Path, tmp_path: Path) -> None:
    write_wheel(source, "functions", "1.0")
    assert refusal(source, tmp_path / "public", host="cloudflare-pages") is None
    why = refusal(source, tmp_path / "other", host="cloudflare-pages", simple_path="")
    assert why == "cloudflare-pages reserves the path of the page functions/index.html: choose another --simple-path"


# --- messages -------------------------------------------------------------------------------------------------------


def test_the_first_build_for_a_public_host_has_a_note_that_it_is_public(source: Path, tmp_path: Path) -> None:
    public = tmp_path / "public"

    def said(**options: Any) -> bool:  # noqa: ANN401 (the fields of Config)
        return Note(location=str(public), text=PUBLIC) in publish(source, public, **options).findings

    assert not said()
    assert said(host="github-pages", dry_run=True)
    assert said(host="github-pages")
    assert not said(host="github-pages")
    write_wheel(source, "demo", "1.1")
    assert not said(host="github-pages")
    assert not said(host="netlify")
    assert said(host="github-pages")


@pytest.mark.parametrize("content", [b"", b"theirs"], ids=["empty", "with something in it"])
def test_the_note_is_repeated_if_nojekyll_is_a_file_of_the_user(source: Path, tmp_path: Path, content: bytes) -> None:
    write_files(tmp_path / "public", [(".nojekyll", content)])
    found = [publish(source, tmp_path / "public", host="github-pages").findings for _ in range(2)]
    notes = [[one.text for one in findings if isinstance(one, Note)] for findings in found]
    left = "not written by mkindex, left as it is (--overwrite replaces it)"
    assert notes == ([[PUBLIC], []] if not content else [[PUBLIC, left], [PUBLIC, left]])
    assert (tmp_path / "public/.nojekyll").read_bytes() == content


OF_DIRECTORIES = [host for host in HOSTS if host != "s3"]
LINES = {
    None: "Serve it:      python3 -m http.server --directory {}",
    "github-pages": "Publish it:    with the workflow that `mkindex host github-pages` prints",
    "cloudflare-pages": "Publish it:    npx wrangler pages deploy {}",
    "netlify": "Publish it:    npx netlify deploy --prod --no-build --dir {}",
    "nginx": "Serve it:      mkindex host nginx --root {}",
    "apache": "Serve it:      mkindex host apache --root {}",
    "caddy": "Serve it:      mkindex host caddy --root {}",
}


@pytest.mark.parametrize("host", LINES)
def test_the_report_shows_the_next_step(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], host: str | None
) -> None:
    public = str(tmp_path / "the public")
    assert cli.run([*(["--for", host] if host else []), "--simple-path", ".", str(source), public]) == 0
    address = "http://localhost:8000/" if host is None else "https://ADDRESS/"
    assert capsys.readouterr().out.splitlines()[2:] == [
        LINES[host].format(f"'{public}'"),
        f"Install from:  pip install --index-url {address} demo",
        f"               uv pip install --default-index {address} demo",
    ]


@pytest.mark.parametrize("host", ["github-pages", "netlify"])
def test_the_report_shows_the_address_for_renovate_and_whether_installers_can_read_it(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], host: str
) -> None:
    options = ["--for", host, "--json-root", "json/simple", "--url", "https://packages.example/x"]
    assert cli.run([*options, str(source), str(tmp_path / "public")]) == 0
    shown = ['Renovate:      "registryUrls": ["https://packages.example/x/json/simple/"]']
    if host == "github-pages":
        shown.append(
            "               (not for installers: this host sends the JSON as HTML, and they would find no files)"
        )
    assert capsys.readouterr().out.splitlines()[5:] == shown


# --- options --------------------------------------------------------------------------------------------------------

BESIDE = "must not be in each other: a project could have the name of the inner directory"
NEGOTIATES = "it sends clients JSON or HTML, as they prefer, from one root"
PATH_RULE = (
    "must be a relative path of letters, digits and - _ . "
    "whose first part is not files, locks, index.html, 404.html, links.html or generation.txt"
)
CHOICES = "github-pages, cloudflare-pages, netlify, nginx, apache, caddy or s3"
WRONG: dict[str, dict[str, Any]] = {
    f"host must be {CHOICES}, not 'gopher'": {"host": "gopher"},
    f"host must be {CHOICES}, not ''": {"host": ""},
    "json_root requires a bucket as DEST, or host with one of github-pages, cloudflare-pages, netlify": {
        "json_root": "json"
    },
    **{
        f"json_root is useless with host {host}: {NEGOTIATES}": {"host": host, "json_root": "json"}
        for host in ("nginx", "apache", "caddy")
    },
    **{
        f"json_root {path!r} {PATH_RULE}": {"host": "netlify", "json_root": path}
        for path in (
            "",
            "/",
            "/json",
            "json/",
            "../json",
            "a//b",
            "files",
            "files/json",
            "404.html",
            "a b",
            "é",
        )
    },
    **{
        f"json_root {path!r} and simple_path {simple or '.'!r} {BESIDE}": {
            "host": "netlify",
            "json_root": path,
            "simple_path": simple,
        }
        for path, simple in [
            ("simple", "simple"),
            ("simple/json", "simple"),
            ("a", "a/b"),
            ("json", ""),
        ]
    },
    "simple_path '_headers/x' is taken: netlify needs a file there. Choose another path": {
        "host": "netlify",
        "simple_path": "_headers/x",
    },
    "host s3 requires a bucket as DEST, which needs no upload: mkindex wheels s3://BUCKET/PREFIX": {"host": "s3"},
    "host netlify requires a directory as DEST, not a bucket": {"host": "netlify", "destination": "s3://a-bucket"},
    "link_mode hardlink requires a directory as DEST: files are uploaded to a bucket": {
        "link_mode": "hardlink",
        "destination": "s3://a-bucket",
    },
    "archive requires a directory as DEST, not a bucket": {"archive": "a.zip", "destination": "s3://a-bucket"},
    "serve requires a directory as DEST, not a bucket": {"serve": True, "watch": True, "destination": "s3://a-bucket"},
    "DEST s3:// names no bucket. Give s3://BUCKET/PREFIX": {"destination": "s3://"},
    "DEST az://a-bucket/b/../c has a prefix with an empty part, . or .. in it": {"destination": "az://a-bucket/b/../c"},
    "store_option must be KEY=VALUE, such as region=eu-central-1": {"store_option": ("region",)},
}


@pytest.mark.parametrize(("message", "options"), WRONG.items(), ids=[repr(one) for one in WRONG.values()])
def test_an_invalid_option_is_refused(message: str, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as error:
        Config(**{"sources": ("wheels",), "destination": "public", **options})
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("path", "simple"), [("simple-json", "simple"), ("a/c", "a/b"), ("a", "ab"), ("_headers.json", "upload")]
)
def test_roots_beside_each_other_are_accepted(path: str, simple: str) -> None:
    config = Config(sources=("wheels",), destination="public", host="netlify", json_root=path, simple_path=simple)
    assert (config.json_root, config.simple_path) == (path, simple)


@pytest.mark.parametrize("given", ["option", "environment", "file"])
def test_the_option_for_the_host_is_for_in_every_place(
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MKINDEX_HOST", "gopher")
    arguments = [str(source), "public"]
    if given == "option":
        arguments += ["--for", "netlify", "--json-root", "json/"]
    elif given == "environment":
        monkeypatch.setenv("MKINDEX_FOR", "netlify")
        monkeypatch.setenv("MKINDEX_JSON_ROOT", "json")
    else:
        (tmp_path / "mkindex.toml").write_text('for = "netlify"\njson-root = "json"\n')
    assert (cli.run(arguments), capsys.readouterr().err) == (0, "")
    assert read_tree(tmp_path / "public") == cold_build(source, host="netlify", json_root="json")
    (tmp_path / "mkindex.toml").write_text('host = "netlify"\n')
    assert cli.run([str(source), "public"]) == 2
    assert "unknown key host" in capsys.readouterr().err


def test_an_unknown_host_is_an_error_that_lists_the_known_ones(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["--for", "gopher", str(source), str(tmp_path / "public")]) == 2
    assert "'gopher' is not one of 'github-pages', 'cloudflare-pages'" in capsys.readouterr().err


# --- the tree -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", OF_DIRECTORIES)
def test_a_tree_for_a_host_has_only_the_files_of_that_host_in_addition(source: Path, host: str) -> None:
    plain, made = cold_build(source), cold_build(source, host=host)
    assert {path: made.get(path) for path in plain} == plain
    expected = {"cloudflare-pages": {"_headers"}, "netlify": {"_headers"}, "apache": {".htaccess"}}
    assert made.keys() - plain.keys() == expected.get(host, set())


@pytest.mark.parametrize(
    ("simple", "root"), [("simple", "json"), ("simple", "simple-json"), ("b", "a/c/d"), ("b/c", "b/d")]
)
def test_the_pages_of_a_json_root_are_json_and_their_links_lead_to_the_files(
    source: Path, simple: str, root: str
) -> None:
    made = cold_build(source, host="netlify", simple_path=simple, json_root=root)
    plain = cold_build(source, host="netlify", simple_path=simple)
    pages = {f"{root}/index.html", f"{root}/demo/index.html", f"{root}/other/index.html"}
    assert made.keys() - plain.keys() == pages
    for path in pages:
        page = json.loads(made[path])
        twin = path.replace(root, simple, 1).replace("index.html", "index.v1_json")
        files = [file["url"] for file in page.get("files", [])]
        assert [urljoin(f"/{path}", url) for url in files] == [
            urljoin(f"/{twin}", file["url"]) for file in json.loads(made[twin]).get("files", [])
        ]
        for file in page.get("files", []):
            target = unquote(urljoin(f"/{path}", file.pop("url"))).lstrip("/")
            assert hashlib.sha256(made[target]).hexdigest() == file["hashes"]["sha256"]
        expected = json.loads(made[twin])
        for file in expected.get("files", []):
            del file["url"]
        assert page == expected


@pytest.mark.parametrize(
    ("simple", "root"), [("simple", "simple-json"), ("simple-json", "simple"), ("b", "a"), ("a", "b")]
)
def test_resources_are_in_the_order_of_publishing(simple: str, root: str) -> None:
    shelf = FakeFiles()
    project = make_index(*(shelf.file(f"{name}-1.0-py3-none-any.whl") for name in ("a", "a_b", "b")))
    site = Site(simple_path=simple, json_root=root, host=HOSTS["netlify"], templates=Templates())
    order = [(resource.stage, resource.path) for resource in render_resources(project, site)]
    assert order == sorted(order)
    assert len({path for _, path in order}) == len(order)


def test_a_build_for_another_host_removes_the_files_of_the_previous_one(source: Path, tmp_path: Path) -> None:
    public = tmp_path / "public"
    steps: list[dict[str, Any]] = [
        {},
        {"host": "cloudflare-pages"},
        {"host": "cloudflare-pages", "json_root": "json"},
        {"host": "netlify", "json_root": "json"},
        {"host": "netlify", "json_root": "simple2"},
        {"host": "netlify", "json_root": "simple", "simple_path": "simple2"},
        {"host": "netlify", "json_root": "simple2", "simple_path": "simple"},
        {"host": "apache"},
        {"host": "github-pages"},
        {},
    ]
    for step in steps:
        publish(source, public, **step)
        assert read_tree(public) == cold_build(source, **step)
    assert publish(source, public).written == 0


def test_a_build_for_another_host_leaves_other_files_unchanged(source: Path, tmp_path: Path) -> None:
    public = tmp_path / "public"
    publish(source, public)
    before = file_identities(public)
    for host in OF_DIRECTORIES:
        root = None if HOSTS[host].why_no_json_root else "json"
        publish(source, public, host=host, json_root=root)
        after = file_identities(public)
        assert {path for path in before if after[path] != before[path]} <= {".nojekyll"}


def test_a_file_of_the_user_at_a_path_that_the_host_needs_is_in_the_way(source: Path, tmp_path: Path) -> None:
    write_files(tmp_path / "public", [("_headers", b"theirs")])
    with pytest.raises(
        DestinationError, match=r"^this file is in the way, and mkindex has no record of writing it: _headers\. Move it"
    ):
        publish(source, tmp_path / "public", host="netlify")
    assert read_tree(tmp_path / "public") == {"_headers": b"theirs"}
    publish(source, tmp_path / "public", host="apache")
    assert (tmp_path / "public/_headers").read_bytes() == b"theirs"
    publish(source, tmp_path / "public", host="netlify", overwrite=True)
    assert read_tree(tmp_path / "public") == cold_build(source, host="netlify")
    publish(source, tmp_path / "public")
    assert read_tree(tmp_path / "public") == cold_build(source)


def test_files_for_a_host_follow_the_roots_and_the_template(source: Path, tmp_path: Path) -> None:
    write_files(tmp_path / "templates", [("hosts/_headers", b"{{ simple }} {{ json_root }}\n")])
    found = []
    for options in (
        {"simple_path": ""},
        {"simple_path": "a/b"},
        {"simple_path": "a/b", "json_root": "c"},
    ):
        publish(source, tmp_path / "public", host="netlify", templates=str(tmp_path / "templates"), **options)
        found.append((tmp_path / "public/_headers").read_bytes())
    assert found == [b" None\n", b"a/b/ None\n", b"a/b/ c/\n"]


def test_a_json_root_is_not_read_as_a_source(tmp_path: Path) -> None:
    options: dict[str, Any] = {"host": "netlify", "json_root": "json/a", "simple_path": "simple/b"}
    config = Config(sources=("x",), destination=str(tmp_path), **options)
    names = (".mkindex", "files", "locks", "simple", "json")
    assert output_directories(config) == [f"{tmp_path}/{name}" for name in names]


# --- _headers -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rule:
    """A rule of `_headers`; patterns as the two hosts document or interpret them."""

    pattern: str
    headers: dict[str, str]

    def cloudflare(self, path: str) -> bool:
        """`*` is any number of characters, `:name` all of them up to the next slash."""
        parts = re.split(r"(\*|:[A-Za-z]\w*)", self.pattern)
        regex = "".join(".*" if part == "*" else "[^/]+" if part[:1] == ":" else re.escape(part) for part in parts)
        return re.fullmatch(regex, path) is not None

    def netlify(self, path: str) -> bool:
        """A slash at the end and the case make no difference, and `/x/*` needs no second slash."""
        parts = [
            "?.*" if part == "*" else "[^/]+" if part.startswith(":") else re.escape(part)
            for part in self.pattern.strip("/").split("/")
        ]
        return re.fullmatch(f"/{'/'.join(parts)}/?", path, re.IGNORECASE) is not None


def rules(content: bytes) -> Iterator[Rule]:
    """Read `_headers` strictly: a pattern, then indented headers; comments; nothing else."""
    assert len(content.splitlines()) < 100
    for block in re.sub(r"^#.*\n", "", content.decode("ascii"), flags=re.MULTILINE).split("\n\n"):
        pattern, *lines = block.strip("\n").split("\n") if block.strip("\n") else [""]
        if not pattern:
            continue
        assert re.fullmatch(r"/[A-Za-z0-9._:*/-]*", pattern), pattern
        assert pattern.count("*") <= 1
        headers = {}
        for line in lines:
            found = re.fullmatch(r"  ([A-Za-z-]+): (\S.*\S|\S)", line)
            assert found, line
            assert found[1] not in headers
            headers[found[1]] = found[2]
        assert headers
        yield Rule(pattern, headers)


ROOTS = [
    ("simple", None),
    ("simple", "simple-json"),
    ("simple-html", "simple"),
    ("", None),
    ("a/b", "a/c"),
    ("files2", "files3"),
]


@pytest.mark.parametrize(("simple", "root"), ROOTS)
@pytest.mark.parametrize("host", ["cloudflare", "netlify"])
def test_headers_set_the_right_headers_of_each_path_once(
    source: Path, host: str, simple: str, root: str | None
) -> None:
    made = cold_build(source, host=f"{host}{'-pages' * (host == 'cloudflare')}", simple_path=simple, json_root=root)
    known = list(rules(made.pop("_headers")))
    for path in made:
        address = f"/{path.removesuffix('index.html')}"
        said: dict[str, str] = {}
        for rule in known:
            if getattr(rule, host)(address):
                assert not said.keys() & rule.headers.keys(), f"{address}: twice, the second time by {rule.pattern}"
                said |= rule.headers
        expected = {"Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff"}
        if path.startswith("files/"):
            expected |= {"Content-Type": "application/octet-stream", "Cache-Control": FOREVER}
        elif path.endswith("index.v1_json") or (root and path.startswith(f"{root}/")):
            expected["Content-Type"] = PYPI_JSON
        assert said == expected, address


def test_the_key_of_a_page_does_not_depend_on_the_host() -> None:
    shelf = FakeFiles()
    project = make_index(shelf.file("a-1.0-py3-none-any.whl"))
    sites = (Site(host=host, templates=Templates()) for host in HOSTS.values())
    keys = [
        {one.path: one.key for one in render_resources(project, site) if isinstance(one, Page) and one.path in PLAIN}
        for site in sites
    ]
    assert {path for one in keys for path in one if one[path] != keys[1][path]} == {".nojekyll"}
