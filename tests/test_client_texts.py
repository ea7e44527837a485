"""The whole configuration of each client for an index."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mkindex.clients.configurations import CLIENTS, ServedIndex, configuration_text, index_name
from mkindex.errors import ConfigError
from mkindex.probe import ClientOptions
from support import scripted_server

if TYPE_CHECKING:
    from pathlib import Path


URL = "https://packages.example.com/simple/"
PLAIN = ServedIndex(url=URL, projects=("demo", "demo-app"))
WORST = ServedIndex(
    url="http://packages.example.com:8080/team/simple/",
    projects=("demo",),
    is_selection=True,
    needs_password=True,
    is_unverified=True,
    answers_403=True,
    stale_pages="Pages have no Cache-Control header, so uv would cache them for ten minutes",
    caches_files=False,
    redirect_host="cdn.example.com",
)
FLAT = ServedIndex(url="https://packages.example.com/links.html", projects=("demo", "demo-app"), is_find_links=True)


# --- texts ------------------------------------------------------------------------------------------------------------


def test_uv_takes_all_projects_from_an_explicit_index() -> None:
    assert (
        configuration_text(PLAIN)
        == """\
# For uv: add to pyproject.toml.
# Dependency confusion: with a plain extra index, a higher version on another index would be installed.
[[tool.uv.index]]
name = "packages-example-com"
url = "https://packages.example.com/simple/"
explicit = true  # uv uses this index only for the projects in [tool.uv.sources]

# [tool.uv.sources] applies only to direct dependencies. If a private project is required only by
# another project, add it to `dependencies`, or to a group in [dependency-groups]. Otherwise uv
# takes it from the public index.
# If a table [tool.uv.sources] already exists, add these lines to it, without its name.
[tool.uv.sources]
demo = { index = "packages-example-com" }
demo-app = { index = "packages-example-com" }

# For other clients: mkindex client https://packages.example.com/simple/ with --for pip, --for poetry, --for pdm.
"""
    )


def test_pip_needs_only_an_index_that_has_a_fallback() -> None:
    assert (
        configuration_text(replace(PLAIN, fallback="https://public.example.org/simple/"), "pip")
        == """\
# For pip: save as ~/.config/pip/pip.conf, as pip.conf in a virtual environment, or as the file that
# PIP_CONFIG_FILE names.
# Dependency confusion: with a plain extra index, a higher version on another index would be installed.
# With this file pip uses no other index. For projects that this index does not have, its server
# redirects pip to https://public.example.org/simple/ - never for those that it has or reserves, if
# `mkindex host` configured it.
[global]
index-url = https://packages.example.com/simple/
# Remove indexes that another pip.conf on this machine adds:
extra-index-url =
find-links =
"""
    )


def test_uv_configuration_handles_every_fault_of_a_host() -> None:
    assert (
        configuration_text(WORST, "uv")
        == """\
# For uv: add to pyproject.toml.
# Dependency confusion: with a plain extra index, a higher version on another index would be installed.
# This index could not be read without a password: its type and projects are what mkindex was given.
# This index is served over http: anybody on the network path can change what is installed.
# Requests for pages of this index are redirected to cdn.example.com.
[[tool.uv.index]]
name = "packages-example-com-8080-team"
url = "http://packages.example.com:8080/team/simple/"
explicit = true  # uv uses this index only for the projects in [tool.uv.sources]
# Pages have no Cache-Control header, so uv would cache them for ten minutes.
# The address of a file contains its hash, but the host does not allow clients to cache files.
cache-control = { api = "no-cache", files = "max-age=365000000, immutable" }
ignore-error-codes = [403]  # what this host answers for unknown projects
authenticate = "always"
# Credentials: set UV_INDEX_PACKAGES_EXAMPLE_COM_8080_TEAM_USERNAME and UV_INDEX_PACKAGES_EXAMPLE_COM_8080_TEAM_PASSWORD
# in the environment, or add this line to ~/.netrc (chmod 600):
#   machine packages.example.com login USERNAME password PASSWORD

# [tool.uv.sources] applies only to direct dependencies. If a private project is required only by
# another project, add it to `dependencies`, or to a group in [dependency-groups]. Otherwise uv
# takes it from the public index.
# If a table [tool.uv.sources] already exists, add these lines to it, without its name.
[tool.uv.sources]
demo = { index = "packages-example-com-8080-team" }
"""
    )


def test_uv_uses_a_find_links_page_as_a_flat_index_without_cache_control() -> None:
    text = configuration_text(replace(FLAT, stale_pages=WORST.stale_pages), "uv", "ours")
    assert tomllib.loads(text) == {
        "tool": {
            "uv": {
                "index": [{"name": "ours", "url": FLAT.url, "explicit": True, "format": "flat"}],
                "sources": {"demo": {"index": "ours"}, "demo-app": {"index": "ours"}},
            }
        }
    }


def test_pip_uses_only_one_index() -> None:
    assert (
        configuration_text(replace(WORST, is_unverified=False, redirect_host=""), "pip")
        == """\
# For pip: save as ~/.config/pip/pip.conf, as pip.conf in a virtual environment, or as the file that
# PIP_CONFIG_FILE names.
# Dependency confusion: with a plain extra index, a higher version on another index would be installed.
# This index is served over http: anybody on the network path can change what is installed.
# pip ignores this index until it is served over https.
# Credentials: add this line to ~/.netrc (chmod 600):
#   machine packages.example.com login USERNAME password PASSWORD
# pip cannot restrict a project to one index. So with this file it uses no other index: publish the
# dependencies and build dependencies of your projects in this index, too. If they must come from
# another index, do not use this file. Instead, install from a list with the hashes of all files,
# which no other file matches:
#   pip install --require-hashes --extra-index-url http://packages.example.com:8080/team/simple/ -r requirements.txt
[global]
index-url = http://packages.example.com:8080/team/simple/
# Remove indexes that another pip.conf on this machine adds:
extra-index-url =
find-links =
"""
    )


def test_pip_uses_no_index_in_addition_to_a_find_links_page() -> None:
    text = configuration_text(FLAT, "pip")
    assert text.endswith(
        "#   pip install --require-hashes --find-links https://packages.example.com/links.html -r requirements.txt\n"
        "[global]\n"
        "no-index = true\n"
        "find-links = https://packages.example.com/links.html\n"
    )


def test_poetry_takes_the_projects_from_an_explicit_source() -> None:
    assert (
        configuration_text(replace(PLAIN, is_selection=True, needs_password=True), "poetry")
        == """\
# For poetry: add to pyproject.toml.
# Dependency confusion: with a plain extra index, a higher version on another index would be installed.
[[tool.poetry.source]]
name = "packages-example-com"
url = "https://packages.example.com/simple/"
priority = "explicit"  # poetry uses this source only for the projects below
# Credentials: set POETRY_HTTP_BASIC_PACKAGES_EXAMPLE_COM_USERNAME and POETRY_HTTP_BASIC_PACKAGES_EXAMPLE_COM_PASSWORD
# in the environment, or run `poetry config http-basic.packages-example-com USERNAME`, which asks for the password.

# These lines apply to the dependencies in [project]. If it has none, they are dependencies
# themselves. For a dependency in a group, copy its line to [tool.poetry.group.NAME.dependencies].
# If a private project is required only by another project, add it to the dependencies in [project].
# Otherwise poetry takes it from the public index.
# If a table [tool.poetry.dependencies] already exists, add these lines to it, without its name.
[tool.poetry.dependencies]
demo = { source = "packages-example-com" }
demo-app = { source = "packages-example-com" }
"""
    )


def test_pdm_takes_exactly_the_projects_from_the_source() -> None:
    assert (
        configuration_text(replace(FLAT, needs_password=True), "pdm")
        == """\
# For PDM: add to pyproject.toml.
# Dependency confusion: with a plain extra index, a higher version on another index would be installed.
[[tool.pdm.source]]
name = "packages-example-com-links"
url = "https://packages.example.com/links.html"
type = "find_links"
# Credentials: add this line to ~/.netrc (chmod 600):
#   machine packages.example.com login USERNAME password PASSWORD
# PDM takes these projects only from this source, also if another project requires them. It takes
# nothing else from it.
include_packages = [
    "demo",
    "demo-app",
]
exclude_packages = ["*"]
"""
    )


@pytest.mark.parametrize("client", [client for client in CLIENTS if client != "poetry"])
def test_a_configuration_of_thousands_of_projects_has_a_hint_to_project(client: str) -> None:
    many = replace(PLAIN, projects=tuple(f"demo-{number}" for number in range(2000)))
    comment = "# All 2,000 projects of this index. --project NAME_OR_GLOB prints only those that you need.\n"
    assert comment in configuration_text(many, client)
    assert comment not in configuration_text(replace(many, is_selection=True), client)
    assert client == "pip" or configuration_text(many, client).count("demo-") == 2000


@pytest.mark.parametrize("client", ["pip", "pdm"])
def test_a_client_that_ignores_http_is_not_made_to_trust_it(client: str) -> None:
    text = configuration_text(replace(PLAIN, url="http://packages.example.com/simple/"), client)
    assert "ignores this index until it is served over https" in text
    assert "trust" not in text
    assert "http:" not in configuration_text(replace(PLAIN, url="http://localhost/simple/"), client).replace(
        "http://localhost", ""
    )


@pytest.mark.parametrize(
    ("index", "says"),
    [
        (replace(PLAIN, url="file:///srv/public/simple/"), "poetry cannot use a directory: serve /srv/public/"),
        (
            replace(FLAT, url="https://packages.example.com/wheels/"),
            "poetry uses https://packages.example.com/wheels/ as an index, because it does not end in .html",
        ),
        (
            replace(PLAIN, projects=tuple("abcdefg")),
            "configuration if [project] has no dependencies. This index has a, b, c, d, e and 2 more; --project '*'",
        ),
    ],
)
def test_a_configuration_that_poetry_does_not_support_is_an_error(index: ServedIndex, says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)):
        configuration_text(index, "poetry")


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "flat", "name"),
    [
        ("https://packages.example.com/simple/", False, "packages-example-com"),
        ("https://packages.example.com/", False, "packages-example-com"),
        ("https://user.example.com/team_a/simple/", False, "user-example-com-team-a"),
        ("http://127.0.0.1:8000/simple/", False, "127-0-0-1-8000"),
        ("http://[::1]:8000/", False, "1-8000"),
        ("https://packages.example.com/cu128/links.html", True, "packages-example-com-cu128-links"),
        ("file:///srv/my%20wheels/simple/", False, "my-wheels"),
        ("file:///srv/public/links.html", True, "public-links"),
        ("file:///simple/", False, "index"),
        ("http://pypi/simple/", False, "pypi-index"),
        ("file:///srv/PyPI/", False, "pypi-index"),
    ],
)
def test_an_index_is_named_after_its_address(url: str, flat: bool, name: str) -> None:
    assert index_name(ServedIndex(url=url, projects=("demo",), is_find_links=flat)) == name


@pytest.mark.parametrize("name", ["two words", "pypi", "PyPI", "größe", 'a"b', "a/b", "-._", "a\n"])
def test_a_name_that_clients_cannot_use_is_rejected(name: str) -> None:
    with pytest.raises(ConfigError, match="use only letters, digits, hyphens, underscores and periods"):
        ClientOptions(target=URL, name=name)


def test_a_period_in_the_name_is_rejected_for_poetry_only() -> None:
    assert ClientOptions(target=URL, name="our.own", client="uv").name == "our.own"
    with pytest.raises(ConfigError, match="poetry makes an environment variable of it"):
        ClientOptions(target=URL, name="our.own", client="poetry")


# --- the index --------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _isolated_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    scripted_server.isolate_client(monkeypatch, tmp_path / "home")
