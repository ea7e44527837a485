"""The whole text that each client gets for an index."""

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
    stale_pages="pages come without Cache-Control: uv would guess ten minutes",
    caches_files=False,
    redirect_host="cdn.example.com",
)
FLAT = ServedIndex(url="https://packages.example.com/links.html", projects=("demo", "demo-app"), is_find_links=True)


# --- texts ------------------------------------------------------------------------------------------------------------


def test_uv_keeps_all_projects_to_an_explicit_index() -> None:
    assert (
        configuration_text(PLAIN)
        == """\
# For uv, in pyproject.toml.
# A bare extra index is dangerous: whoever publishes a higher version of your project elsewhere is believed.
[[tool.uv.index]]
name = "packages-example-com"
url = "https://packages.example.com/simple/"
explicit = true  # only what stands in [tool.uv.sources] is looked for here

# This holds for what this very file requires. A private project that only another one requires has to stand
# in `dependencies`, too, or in a group of [dependency-groups]: else it comes from the public index.
# Where there is such a table already, leave out its name here, and put the lines into that.
[tool.uv.sources]
demo = { index = "packages-example-com" }
demo-app = { index = "packages-example-com" }

# For other clients: mkindex client https://packages.example.com/simple/ with --for pip, --for poetry, --for pdm.
"""
    )


def test_uv_is_told_all_that_is_wrong_with_a_host() -> None:
    assert (
        configuration_text(WORST, "uv")
        == """\
# For uv, in pyproject.toml.
# A bare extra index is dangerous: whoever publishes a higher version of your project elsewhere is believed.
# It did not let mkindex look: what it is, and what it has, is only what you said.
# It is served over http: whoever is between can change what is installed.
# Requests for its pages are redirected to cdn.example.com.
[[tool.uv.index]]
name = "packages-example-com-8080-team"
url = "http://packages.example.com:8080/team/simple/"
explicit = true  # only what stands in [tool.uv.sources] is looked for here
# pages come without Cache-Control: uv would guess ten minutes.
# The address of each file holds its hash, and the host does not say that it may be kept.
cache-control = { api = "no-cache", files = "max-age=365000000, immutable" }
ignore-error-codes = [403]  # the answer of this host for a project that it does not have
authenticate = "always"
# Credentials: UV_INDEX_PACKAGES_EXAMPLE_COM_8080_TEAM_USERNAME and UV_INDEX_PACKAGES_EXAMPLE_COM_8080_TEAM_PASSWORD
# in the environment, or a line in ~/.netrc (chmod 600): machine packages.example.com login USERNAME password PASSWORD

# This holds for what this very file requires. A private project that only another one requires has to stand
# in `dependencies`, too, or in a group of [dependency-groups]: else it comes from the public index.
# Where there is such a table already, leave out its name here, and put the lines into that.
[tool.uv.sources]
demo = { index = "packages-example-com-8080-team" }
"""
    )


def test_uv_reads_a_find_links_page_as_a_flat_index_whose_pages_it_keeps_as_the_host_says() -> None:
    text = configuration_text(replace(FLAT, stale_pages=WORST.stale_pages), "uv", "ours")
    assert tomllib.loads(text) == {
        "tool": {
            "uv": {
                "index": [{"name": "ours", "url": FLAT.url, "explicit": True, "format": "flat"}],
                "sources": {"demo": {"index": "ours"}, "demo-app": {"index": "ours"}},
            }
        }
    }


def test_pip_asks_one_index_alone() -> None:
    assert (
        configuration_text(replace(WORST, is_unverified=False, redirect_host=""), "pip")
        == """\
# For pip, in pip.conf: ~/.config/pip/pip.conf, one in a virtual environment, or what PIP_CONFIG_FILE names.
# A bare extra index is dangerous: whoever publishes a higher version of your project elsewhere is believed.
# It is served over http: whoever is between can change what is installed.
# pip passes over it until it is served over https.
# Credentials: a line in ~/.netrc (chmod 600): machine packages.example.com login USERNAME password PASSWORD
# pip cannot keep a project to an index. So this one is all that it asks: put copies of what your projects
# require, and are built with, into it. Where these have to come from elsewhere, do without this file, and
# install from a list with the hashes of all files, which no stranger's file fits:
#   pip install --require-hashes --extra-index-url http://packages.example.com:8080/team/simple/ -r requirements.txt
[global]
index-url = http://packages.example.com:8080/team/simple/
# Nothing besides, whatever another pip.conf of this machine adds:
extra-index-url =
find-links =
"""
    )


def test_pip_asks_no_index_besides_a_find_links_page() -> None:
    text = configuration_text(FLAT, "pip")
    assert text.endswith(
        "#   pip install --require-hashes --find-links https://packages.example.com/links.html -r requirements.txt\n"
        "[global]\n"
        "no-index = true\n"
        "find-links = https://packages.example.com/links.html\n"
    )


def test_poetry_keeps_to_an_explicit_source_what_it_requires() -> None:
    assert (
        configuration_text(replace(PLAIN, is_selection=True, needs_password=True), "poetry")
        == """\
# For poetry, in pyproject.toml.
# A bare extra index is dangerous: whoever publishes a higher version of your project elsewhere is believed.
[[tool.poetry.source]]
name = "packages-example-com"
url = "https://packages.example.com/simple/"
priority = "explicit"  # only what stands below is looked for here
# Credentials: POETRY_HTTP_BASIC_PACKAGES_EXAMPLE_COM_USERNAME and POETRY_HTTP_BASIC_PACKAGES_EXAMPLE_COM_PASSWORD
# in the environment, or `poetry config http-basic.packages-example-com USERNAME`, which asks for the password.

# This holds for what stands in [project] dependencies; where that has none, these lines are dependencies.
# What stands in a group needs its line in [tool.poetry.group.NAME.dependencies]. A private project that
# only another one requires has to stand in [project] dependencies, or it comes from the public index.
# Where there is such a table already, leave out its name here, and put the lines into that.
[tool.poetry.dependencies]
demo = { source = "packages-example-com" }
demo-app = { source = "packages-example-com" }
"""
    )


def test_pdm_looks_for_the_projects_in_one_source_and_for_nothing_else_there() -> None:
    assert (
        configuration_text(replace(FLAT, needs_password=True), "pdm")
        == """\
# For PDM, in pyproject.toml.
# A bare extra index is dangerous: whoever publishes a higher version of your project elsewhere is believed.
[[tool.pdm.source]]
name = "packages-example-com-links"
url = "https://packages.example.com/links.html"
type = "find_links"
# Credentials: a line in ~/.netrc (chmod 600): machine packages.example.com login USERNAME password PASSWORD
# These are looked for here alone, whatever requires them; and nothing else is.
include_packages = [
    "demo",
    "demo-app",
]
exclude_packages = ["*"]
"""
    )


@pytest.mark.parametrize("client", [client for client in CLIENTS if client != "poetry"])
def test_who_has_thousands_of_projects_hears_of_the_option_that_chooses(client: str) -> None:
    many = replace(PLAIN, projects=tuple(f"demo-{number}" for number in range(2000)))
    comment = "# All its 2,000 projects; --project NAME_OR_GLOB prints those that you need.\n"
    assert comment in configuration_text(many, client)
    assert comment not in configuration_text(replace(many, is_selection=True), client)
    assert client == "pip" or configuration_text(many, client).count("demo-") == 2000


@pytest.mark.parametrize("client", ["pip", "pdm"])
def test_a_client_that_passes_over_http_is_not_told_to_trust_it(client: str) -> None:
    text = configuration_text(replace(PLAIN, url="http://packages.example.com/simple/"), client)
    assert "passes over it until it is served over https" in text
    assert "trust" not in text
    assert "http:" not in configuration_text(replace(PLAIN, url="http://localhost/simple/"), client).replace(
        "http://localhost", ""
    )


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        (replace(PLAIN, url="file:///srv/public/simple/"), "poetry reads nothing from a directory: serve /srv/public/"),
        (
            replace(FLAT, url="https://packages.example.com/wheels/"),
            "poetry takes https://packages.example.com/wheels/ for an index, since it does not end in .html",
        ),
        (
            replace(PLAIN, projects=tuple("abcdefg")),
            "in its configuration where [project] has no dependencies. This index has a, b, c, d, e, …; --project '*'",
        ),
    ],
)
def test_what_poetry_cannot_do_is_an_error(facts: ServedIndex, says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)):
        configuration_text(facts, "poetry")


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
def test_an_index_is_called_as_it_is_reached(url: str, flat: bool, name: str) -> None:
    assert index_name(ServedIndex(url=url, projects=("demo",), is_find_links=flat)) == name


@pytest.mark.parametrize("name", ["two words", "pypi", "PyPI", "größe", 'a"b', "a/b", "-._", "a\n"])
def test_a_name_that_a_client_cannot_use_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="it is made of letters, digits, hyphens, underscores and periods"):
        ClientOptions(target=URL, name=name)


def test_a_name_that_makes_no_variable_is_refused_for_poetry_alone() -> None:
    assert ClientOptions(target=URL, name="our.own", client="uv").name == "our.own"
    with pytest.raises(ConfigError, match="poetry makes a variable of it"):
        ClientOptions(target=URL, name="our.own", client="poetry")


# --- the index --------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    scripted_server.isolate_client(monkeypatch, tmp_path / "home")
