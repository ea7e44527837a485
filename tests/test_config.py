"""Config and mkindex.toml: values that are accepted, and errors that name the option."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from mkindex.check.options import CheckOptions
from mkindex.config import Config
from mkindex.config.table import OPTIONS
from mkindex.config_file import read_config_file
from mkindex.errors import ConfigError
from mkindex.hosts.addresses import parse_bind

if TYPE_CHECKING:
    from pathlib import Path


def config(**options: object) -> Config:
    return Config(sources=("wheels",), destination="public", **options)  # type: ignore[arg-type]


def reason_for(**options: object) -> str | None:
    try:
        config(**options)
    except ConfigError as error:
        return str(error)
    return None


def test_options_cannot_be_changed_and_those_that_do_not_exist_are_type_errors() -> None:
    options = config(links=True)
    with pytest.raises(AttributeError, match="links cannot be changed"):
        options.links = False  # type: ignore[misc]
    with pytest.raises(AttributeError, match="links cannot be deleted"):
        del options.links
    with pytest.raises(TypeError, match="Config has no option color"):
        config(color="red")
    with pytest.raises(TypeError, match="Config requires destination"):
        Config(sources=("wheels",))  # type: ignore[call-arg]
    with pytest.raises(ConfigError, match="jobs must be at least 1, not 0"):
        options.replace(jobs=0)
    changed = options.replace(links=False)
    assert (changed == config(), hash(changed) == hash(config()), changed == options) == (True, True, False)


def test_the_first_missing_value_is_named_in_every_run() -> None:
    code = "from mkindex import Config; Config()"
    for seed in "1234":
        done = subprocess.run(
            [sys.executable, "-c", code],
            check=False,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
        )
        assert done.stderr.splitlines()[-1] == "TypeError: Config requires sources"


def test_only_sources_and_a_destination_are_required() -> None:
    assert config() == Config(
        sources=("wheels",),
        destination="public",
        recursive=False,
        follow_symlinks=False,
        link_mode="copy",
        files_url=None,
        url=None,
        files_have_metadata=False,
        prefer=None,
        fix_names=False,
        upload_time="mtime",
        simple_path="simple",
        host=None,
        json_root=None,
        legacy_json=False,
        pyodide_json=False,
        links=False,
        templates=None,
        grace=900,
        overwrite=False,
        allow_empty=False,
        prune=False,
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
    "simple_path {!r} must be a relative path of letters, digits and - _ . "
    "whose first part is not files, locks, index.html, 404.html, links.html or generation.txt (. is the root)"
)
FILES_URL = "files_url must be an http or https URL without query and fragment, not {!r}"


@pytest.mark.parametrize("path", ["", "simple", "a/b/c", "1.0", "_", "a-b", "files-old", "a/files"])
def test_these_paths_of_the_index_are_accepted(path: str) -> None:
    assert reason_for(simple_path=path) is None


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
def test_these_paths_of_the_index_are_refused(path: str) -> None:
    assert reason_for(simple_path=path) == SIMPLE_PATH.format(path)


@pytest.mark.parametrize("url", ["https://example.com", "http://example.com:80/a/", "https://[::1]/a%20b"])
def test_these_addresses_of_files_are_accepted(url: str) -> None:
    assert reason_for(files_url=url, files_have_metadata=True) is None


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
def test_these_addresses_of_files_are_refused(url: str) -> None:
    assert reason_for(files_url=url) == FILES_URL.format(url)


@pytest.mark.parametrize("url", ["https://[::1", "https://[x]/", "https://x:y/", "https://x:99999/", "https://x/\n"])
def test_a_malformed_address_of_files_is_refused(url: str) -> None:
    reason = reason_for(files_url=url)
    assert reason is not None
    assert reason.startswith("files_url must be an http or https URL")


@pytest.mark.parametrize(
    "url", ["https://me@example.com/", "https://me:secret@example.com/", "https://:secret@example.com/"]
)
def test_a_password_is_never_published(url: str) -> None:
    reason = "files_url must not contain a user name or password: every reader would see it"
    assert reason_for(files_url=url) == reason


@pytest.mark.parametrize(
    "host", ["https://example.com", "example.com:80", "example.com/", "", "me@example.com", "[::1]"]
)
def test_a_host_to_trust_has_neither_scheme_nor_port(host: str) -> None:
    wanted = "must be a host without scheme and port, such as files.example.com, not"
    assert reason_for(trust_host=(host,)) == f"trust_host {wanted} {host!r}"
    assert reason_for(trust_host=("example.com", "localhost", "127.0.0.1", "::1", "fe80::1")) is None
    with pytest.raises(ConfigError, match=re.escape(f"--trust-host {wanted} {host!r}")):
        CheckOptions(target="public", trust_host=(host,))


def test_an_invalid_value_is_refused_with_the_name_of_its_option() -> None:
    assert {
        "templates": reason_for(templates="gone"),
        "grace": reason_for(grace=-1),
        "jobs": reason_for(jobs=0),
        "max-download": reason_for(max_download=-1),
        "link-mode": reason_for(link_mode="symlink"),
        "files-have-metadata": reason_for(files_have_metadata=True),
    } == {
        "templates": "templates gone: not a directory",
        "grace": "grace must be at least 0 seconds, not -1",
        "jobs": "jobs must be at least 1, not 0",
        "max-download": "max_download must be at least 0 bytes, not -1",
        "link-mode": "link_mode must be copy or hardlink, not 'symlink'",
        "files-have-metadata": "files_have_metadata requires files_url",
    }


@pytest.mark.parametrize("destination", ["ftp://bucket/x", "https://example.com/", "htps:/x"])
def test_a_url_is_not_a_destination(destination: str) -> None:
    with pytest.raises(ConfigError) as error:
        Config(sources=("wheels",), destination=destination)
    assert str(error.value) == (
        f"DEST {destination} looks like a URL, but must be a directory, or a bucket (s3://, az://, or gs://, which is "
        f"experimental). Of a directory of that name, the path is ./{destination}"
    )


DAY = "must be from 0.1 to 86,400 seconds"
BIND = "must be HOST:PORT, such as 127.0.0.1:8000 or [::1]:8000"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"settle": -0.1}, "settle must be from 0 to 86,400 seconds, not -0.1"),
        ({"settle": float("nan")}, "settle must be from 0 to 86,400 seconds, not nan"),
        ({"poll_interval": 0.0}, f"poll_interval {DAY}, not 0.0"),
        ({"rescan": float("inf")}, f"rescan {DAY}, not inf"),
        ({"interval": float("nan")}, f"interval {DAY}, not nan"),
        ({"serve": True}, "serve requires watch. To serve an index that exists: mkindex serve public"),
        (
            {"watch": True, "dry_run": True},
            "watch and dry_run exclude each other: a dry run looks only once",
        ),
        *(
            ({"bind": bind}, f"bind {BIND}, not {bind!r}")
            for bind in ("", "8000", ":8000", "localhost", "localhost:65536", "::1:80", "[::1]", "a b:1", "http://x:1")
        ),
    ],
    ids=str,
)
def test_an_invalid_option_of_a_watch_is_refused(options: dict[str, object], reason: str) -> None:
    assert reason_for(**options) == reason


@pytest.mark.parametrize(
    ("bind", "expected"),
    [
        ("127.0.0.1:8000", ("127.0.0.1", 8000)),
        ("[::1]:0", ("::1", 0)),
        ("my-host.example:65535", ("my-host.example", 65535)),
    ],
)
def test_a_bind_address_is_a_host_and_a_port(bind: str, expected: tuple[str, int]) -> None:
    assert parse_bind(bind) == expected


# --- mkindex.toml ---------------------------------------------------------------------------------------------------


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "mkindex.toml"


def test_the_file_can_set_every_option_and_its_paths_are_relative_to_it(toml: Path) -> None:
    toml.write_text("""
        sources = ["wheels", "/absolute", "https://example.com/", "-"]
        destination = "public"
        recursive = true
        follow-symlinks = true
        link-mode = "hardlink"
        files-url = "https://example.com"
        files-have-metadata = true
        prefer = "first"
        fix-names = true
        upload-time = "none"
        previous = "site"
        simple-path = "."
        for = "netlify"
        json-root = "json"
        legacy-json = true
        pyodide-json = true
        archive = "bundle.tar"
        url = "https://example.org/"
        links = true
        templates = "templates"
        grace = 60
        overwrite = true
        allow-empty = true
        prune = true
        strict = true
        dry-run = true
        include = ["torch", "numpy-2.*"]
        exclude = ["*.zip"]
        policy = "policy.toml"
        unyank = true
        wheel-variants = true
        reserve = ["acme-*", "secret"]
        release = ["gone"]
        all = true
        index = ["https://example.org/simple/"]
        python = ["3.12"]
        platform = ["linux", "windows"]
        implementation = ["pypy"]
        extra = ["web"]
        group = ["dev"]
        no-sdists = true
        build-requires = "build.txt"
        with = ["pip"]
        remote = "mirror"
        max-download = "1GB"
        allow-unhashed = true
        verify-links = true
        keep-going = true
        jobs = 2
        timeout = 10
        trust-host = ["files.example.com"]
        prereleases = true
        api-url = "https://ghe.example.com/api/v3"
        cache-dir = "../cache"
        watch = true
        settle = 1
        poll = true
        store-option = ["region=eu-central-1"]
        engine = "threads"
        require-attestations = true
        attested-by = ["github:acme/*"]
        poll-interval = 5
        rescan = 60
        interval = 3600
        serve = true
        bind = "[::1]:80"

        [site]
        title = "Ours"
        description = "What we need"
        logo = "logo.svg"
        color = "#aa0000"
        footer = "Ask us"
        readme-images = true
    """)
    read = read_config_file(toml)
    assert set(read) == {"sources", "destination", *(one.name for one in OPTIONS)}
    assert read == {
        "sources": [f"{toml.parent}/wheels", "/absolute", "https://example.com/", "-"],
        "destination": f"{toml.parent}/public",
        "recursive": True,
        "follow_symlinks": True,
        "link_mode": "hardlink",
        "files_url": "https://example.com",
        "files_have_metadata": True,
        "prefer": "first",
        "fix_names": True,
        "upload_time": "none",
        "previous": f"{toml.parent}/site",
        "simple_path": ".",
        "host": "netlify",
        "json_root": "json",
        "legacy_json": True,
        "pyodide_json": True,
        "archive": f"{toml.parent}/bundle.tar",
        "url": "https://example.org/",
        "links": True,
        "templates": f"{toml.parent}/templates",
        "policy": f"{toml.parent}/policy.toml",
        "unyank": True,
        "wheel_variants": True,
        "reserve": ["acme-*", "secret"],
        "release": ["gone"],
        "site": True,
        "site_title": "Ours",
        "site_description": "What we need",
        "site_logo": f"{toml.parent}/logo.svg",
        "site_color": "#aa0000",
        "site_footer": "Ask us",
        "site_readme_images": True,
        "grace": 60,
        "overwrite": True,
        "allow_empty": True,
        "prune": True,
        "strict": True,
        "dry_run": True,
        "include": ["torch", "numpy-2.*"],
        "exclude": ["*.zip"],
        "all": True,
        "index": ["https://example.org/simple/"],
        "python": ["3.12"],
        "platform": ["linux", "windows"],
        "implementation": ["pypy"],
        "extra": ["web"],
        "group": ["dev"],
        "no_sdists": True,
        "installers": ["pip"],
        "build_requires": f"{toml.parent}/build.txt",
        "remote": "mirror",
        "max_download": "1GB",
        "allow_unhashed": True,
        "verify_links": True,
        "keep_going": True,
        "jobs": 2,
        "timeout": 10,
        "trust_host": ["files.example.com"],
        "prereleases": True,
        "api_url": "https://ghe.example.com/api/v3",
        "cache_dir": f"{toml.parent}/../cache",
        "watch": True,
        "settle": 1,
        "poll": True,
        "store_option": ["region=eu-central-1"],
        "engine": "threads",
        "require_attestations": True,
        "attested_by": ["github:acme/*"],
        "poll_interval": 5,
        "rescan": 60,
        "interval": 3600,
        "serve": True,
        "bind": "[::1]:80",
    }


def test_an_empty_file_sets_nothing(toml: Path) -> None:
    toml.write_text("")
    assert read_config_file(toml) == {}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"colour = 1", "unknown key colour"),
        (b"link_mode = 'copy'", "unknown key link_mode (did you mean link-mode?)"),
        (b"host = 's3'", "unknown key host (did you mean for?)"),
        (b"mirror = true", 'unknown key mirror (did you mean remote = "mirror"?)'),
        (b"source = ['wheels']", "unknown key source (did you mean sources?)"),
        (b'"a\\u001b" = 1', r"unknown key a\x1b"),
        (b"[colours]\njobs = 1", "unknown key colours"),
        (b"sources = 'wheels'", "sources must be a list of strings"),
        (b"sources = [1]", "sources must be a list of strings"),
        (b"destination = 1", "destination must be a string"),
        (b"templates = []", "templates must be a string"),
        (b"cache-dir = true", "cache-dir must be a string"),
    ],
)
def test_an_invalid_key_is_an_error_that_names_it(toml: Path, content: bytes, reason: str) -> None:
    toml.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        read_config_file(toml)
    assert str(error.value) == f"{toml}: {reason}"


@pytest.mark.parametrize("content", [b"jobs =", b"jobs = 1\njobs = 2", b"\xff = 1", b"\0", b"[" * 5000])
def test_a_file_that_is_not_toml_is_an_error(toml: Path, content: bytes) -> None:
    toml.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        read_config_file(toml)
    assert str(error.value).startswith(f"cannot read {toml}: ")


@pytest.mark.parametrize("value", ["'C:\\wheels'", '"C:\\\\wheels"'])
def test_a_path_with_a_backslash_is_quoted_or_escaped(toml: Path, value: str) -> None:
    toml.write_text(f"sources = [{value}]")
    assert read_config_file(toml) == {"sources": [f"{toml.parent}/C:\\wheels"]}


@pytest.mark.parametrize("value", ["C:\\wheels", "C:\\Users"])
def test_a_backslash_that_is_not_escaped_is_an_error_with_the_way_out(toml: Path, value: str) -> None:
    toml.write_text(f'sources = ["{value}"]')
    with pytest.raises(ConfigError) as error:
        read_config_file(toml)
    assert str(error.value).startswith(f"cannot read {toml}: ")
    assert str(error.value).endswith("Write a path with \\ in single quotes")


def test_a_missing_file_is_an_error(toml: Path) -> None:
    with pytest.raises(ConfigError) as error:
        read_config_file(toml)
    assert str(error.value).startswith(f"cannot read {toml}: ")


@pytest.mark.parametrize("key", ["sources", "destination", "templates", "cache-dir"])
def test_a_path_with_a_nul_character_is_an_error(toml: Path, key: str) -> None:
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
        ("previous = 1", "previous must be a string"),
        ("serve = 1", "serve must be true or false"),
        ("json = 1", "json must be true or false"),
        ("links = [{a = 1}]", "links must be true or false"),
        ("grace = [1]", "grace must be one value, not a list or a table"),
    ],
)
def test_a_value_of_the_wrong_type_is_an_error_that_names_its_key(toml: Path, content: str, reason: str) -> None:
    toml.write_text(content)
    with pytest.raises(ConfigError) as error:
        read_config_file(toml)
    assert str(error.value) == f"{toml}: {reason}"


def test_a_source_with_a_colon_in_its_path_is_relative_to_the_file(toml: Path) -> None:
    toml.write_text('sources = ["./v1:x"]')
    assert read_config_file(toml) == {"sources": [f"{toml.parent}/v1:x"]}
