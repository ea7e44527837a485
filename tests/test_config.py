"""Options and mkindex.toml become a Config, or an error that names the key."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from mkindex.config import Config, parse_bind
from mkindex.config_file import read_config_file
from mkindex.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def config(**options: object) -> Config:
    return Config(sources=("wheels",), destination="public", **options)  # type: ignore[arg-type]


def refusal(**options: object) -> str | None:
    try:
        config(**options)
    except ConfigError as error:
        return str(error)
    return None


def test_a_build_needs_sources_and_a_destination_only() -> None:
    assert config() == Config(
        sources=("wheels",),
        destination="public",
        recursive=False,
        follow_symlinks=False,
        link_mode="copy",
        files_url=None,
        files_have_metadata=False,
        prefer=None,
        upload_time="mtime",
        simple_path="simple",
        host=None,
        json_root=None,
        links=False,
        templates=None,
        grace=900,
        overwrite=False,
        allow_empty=False,
        strict=False,
        dry_run=False,
        jobs=None,
        cache_dir=None,
        watch=False,
        settle=0.3,
        poll=False,
        poll_interval=2,
        rescan=300,
        interval=600,
        serve=False,
        bind="127.0.0.1:8000",
    )


SIMPLE_PATH = (
    "simple-path {!r}: give a relative path of letters, digits and - _ . "
    "whose first part is none of files, index.html, 404.html, links.html, or . for the root"
)
FILES_URL = "files-url {!r}: give an http or https URL without query and fragment"


@pytest.mark.parametrize("path", ["", "simple", "a/b/c", "1.0", "_", "a-b", "files-old", "a/files"])
def test_the_index_can_lie_at(path: str) -> None:
    assert refusal(simple_path=path) is None


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "a/..",
        "./a",
        "/a",
        "a/",
        "a//b",
        ".mkindex",
        ".git",
        "files",
        "files/a",
        "404.html",
        "a b",
        "é",
        "a?",
        "C:",
    ],
)
def test_the_index_cannot_lie_at(path: str) -> None:
    assert refusal(simple_path=path) == SIMPLE_PATH.format(path)


@pytest.mark.parametrize("url", ["https://example.com", "http://example.com:80/a/", "https://[::1]/a%20b"])
def test_files_can_be_served_from(url: str) -> None:
    assert refusal(files_url=url, files_have_metadata=True) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "wheels",
        "/wheels",
        "//example.com",
        "ftp://x",
        "file:///x",
        "https://",
        "https:x",
        "https://x?a",
        "https://x#a",
    ],
)
def test_files_cannot_be_served_from(url: str) -> None:
    assert refusal(files_url=url) == FILES_URL.format(url)


@pytest.mark.parametrize("url", ["https://[::1", "https://[x]/", "https://x:y/", "https://x:99999/", "https://x/\n"])
def test_a_malformed_url_is_an_error_of_the_configuration(url: str) -> None:
    reason = refusal(files_url=url)
    assert reason is not None
    assert reason.startswith("files-url ")


@pytest.mark.parametrize(
    "url", ["https://me@example.com/", "https://me:secret@example.com/", "https://:secret@example.com/"]
)
def test_a_password_is_never_published(url: str) -> None:
    reason = "files-url holds a user name or password, which every reader would see: leave it out"
    assert refusal(files_url=url) == reason


def test_what_makes_no_sense_is_named() -> None:
    assert {
        "templates": refusal(templates="gone"),
        "grace": refusal(grace=-1),
        "jobs": refusal(jobs=0),
        "files-have-metadata": refusal(files_have_metadata=True),
    } == {
        "templates": "templates gone is no directory",
        "grace": "grace -1: give seconds, 0 or more",
        "jobs": "jobs 0: give 1 or more",
        "files-have-metadata": "files-have-metadata says something of the files at files-url, which is not given",
    }


@pytest.mark.parametrize("destination", ["s3://bucket/x", "https://example.com/", "htps:/x"])
def test_a_url_is_no_destination(destination: str) -> None:
    with pytest.raises(ConfigError) as error:
        Config(sources=("wheels",), destination=destination)
    assert str(error.value) == (
        f"destination {destination} looks like a URL, and mkindex writes directories "
        f"(one of that name is ./{destination})"
    )


DAY = "give seconds, from 0.1 to 86400 (a day)"
BIND = "give HOST:PORT, as in 127.0.0.1:8000 or [::1]:8000; port 0 is one that is free"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"settle": -0.1}, "settle -0.1: give seconds, 0 or more"),
        ({"settle": float("nan")}, "settle nan: give seconds, 0 or more"),
        ({"poll_interval": 0.0}, f"poll-interval 0.0: {DAY}"),
        ({"rescan": float("inf")}, f"rescan inf: {DAY}"),
        ({"interval": float("nan")}, f"interval nan: {DAY}"),
        ({"serve": True}, "serve goes with watch; to serve an index that is there: mkindex serve public"),
        (
            {"watch": True, "dry_run": True},
            "watch and dry-run do not go together: a dry run does nothing, and ends",
        ),
        *(
            ({"bind": bind}, f"bind {bind!r}: {BIND}")
            for bind in ("", "8000", ":8000", "localhost", "localhost:65536", "::1:80", "[::1]", "a b:1", "http://x:1")
        ),
    ],
    ids=str,
)
def test_what_makes_no_sense_for_a_watch_is_named(options: dict[str, object], reason: str) -> None:
    assert refusal(**options) == reason


@pytest.mark.parametrize(
    ("bind", "expected"),
    [
        ("127.0.0.1:8000", ("127.0.0.1", 8000)),
        ("[::1]:0", ("::1", 0)),
        ("my-host.example:65535", ("my-host.example", 65535)),
    ],
)
def test_an_address_is_a_host_and_a_port(bind: str, expected: tuple[str, int]) -> None:
    assert parse_bind(bind) == expected


# --- mkindex.toml ---------------------------------------------------------------------------------------------------


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "mkindex.toml"


def test_every_option_can_stand_in_the_file_and_paths_are_relative_to_it(toml: Path) -> None:
    toml.write_text("""
        sources = ["wheels", "/absolute", "https://example.com/", "-"]
        destination = "public"
        recursive = true
        follow-symlinks = true
        link-mode = "hardlink"
        files-url = "https://example.com"
        files-have-metadata = true
        prefer = "first"
        upload-time = "none"
        previous = "site"
        simple-path = "."
        for = "netlify"
        json-root = "json"
        links = true
        templates = "templates"
        grace = 60
        overwrite = true
        allow-empty = true
        strict = true
        dry-run = true
        include = ["torch", "numpy-2.*"]
        exclude = ["*.zip"]
        all = true
        remote = "mirror"
        max-download = "1GB"
        allow-unhashed = true
        verify-links = true
        keep-going = true
        jobs = 2
        cache-dir = "../cache"
        watch = true
        settle = 1
        poll = true
        poll-interval = 5
        rescan = 60
        interval = 3600
        serve = true
        bind = "[::1]:80"
    """)
    read = read_config_file(toml)
    assert set(read) == {field.name for field in fields(Config)}
    assert read == {
        "sources": [f"{toml.parent}/wheels", "/absolute", "https://example.com/", "-"],
        "destination": f"{toml.parent}/public",
        "recursive": True,
        "follow_symlinks": True,
        "link_mode": "hardlink",
        "files_url": "https://example.com",
        "files_have_metadata": True,
        "prefer": "first",
        "upload_time": "none",
        "previous": f"{toml.parent}/site",
        "simple_path": ".",
        "host": "netlify",
        "json_root": "json",
        "links": True,
        "templates": f"{toml.parent}/templates",
        "grace": 60,
        "overwrite": True,
        "allow_empty": True,
        "strict": True,
        "dry_run": True,
        "include": ["torch", "numpy-2.*"],
        "exclude": ["*.zip"],
        "all": True,
        "remote": "mirror",
        "max_download": "1GB",
        "allow_unhashed": True,
        "verify_links": True,
        "keep_going": True,
        "jobs": 2,
        "cache_dir": f"{toml.parent}/../cache",
        "watch": True,
        "settle": 1,
        "poll": True,
        "poll_interval": 5,
        "rescan": 60,
        "interval": 3600,
        "serve": True,
        "bind": "[::1]:80",
    }


def test_an_empty_file_says_nothing(toml: Path) -> None:
    toml.write_text("")
    assert read_config_file(toml) == {}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"colour = 1", "no such key: colour"),
        (b"link_mode = 'copy'", "no such key: link_mode"),
        (b'"a\\u001b" = 1', r"no such key: a\x1b"),
        (b"[build]\njobs = 1", "no such key: build"),
        (b"sources = 'wheels'", "sources must be a list of strings"),
        (b"sources = [1]", "sources must be a list of strings"),
        (b"destination = 1", "destination must be a string"),
        (b"templates = []", "templates must be a string"),
        (b"cache-dir = true", "cache-dir must be a string"),
    ],
)
def test_a_wrong_key_is_named(toml: Path, content: bytes, reason: str) -> None:
    toml.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        read_config_file(toml)
    assert str(error.value) == f"{toml}: {reason}"


@pytest.mark.parametrize("content", [b"jobs =", b"jobs = 1\njobs = 2", b"\xff = 1", b"\0", b"[" * 5000])
def test_what_is_no_toml_is_an_error_of_the_configuration(toml: Path, content: bytes) -> None:
    toml.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        read_config_file(toml)
    assert str(error.value).startswith(f"cannot read {toml}: ")


def test_a_file_that_is_not_there_is_an_error(toml: Path) -> None:
    with pytest.raises(ConfigError) as error:
        read_config_file(toml)
    assert str(error.value).startswith(f"cannot read {toml}: ")


@pytest.mark.parametrize("key", ["sources", "destination", "templates", "cache-dir"])
def test_a_path_that_no_system_has_is_named(toml: Path, key: str) -> None:
    toml.write_text(f'{key} = ["a\\u0000b"]' if key == "sources" else f'{key} = "a\\u0000b"')
    with pytest.raises(ConfigError) as error:
        read_config_file(toml)
    assert key in str(error.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("include = [1]", "include must be a list of strings"),
        ('exclude = [["a"]]', "exclude must be a list of strings"),
        ('include = "demo"', "include must be a list of strings"),
        ("all = 1", "all must be true or false"),
        ("serve = 1", "serve must be true or false"),
        ("json = 1", "json must be true or false"),
        ("links = [{a = 1}]", "links must be true or false"),
        ("grace = [1]", "grace must be one value"),
    ],
)
def test_a_value_of_the_wrong_kind_is_an_error_that_names_its_key(toml: Path, content: str, reason: str) -> None:
    toml.write_text(content)
    with pytest.raises(ConfigError) as error:
        read_config_file(toml)
    assert str(error.value) == f"{toml}: {reason}"


def test_a_source_with_a_colon_in_its_path_is_relative_to_the_file(toml: Path) -> None:
    toml.write_text('sources = ["./v1:x"]')
    assert read_config_file(toml) == {"sources": [f"{toml.parent}/v1:x"]}
