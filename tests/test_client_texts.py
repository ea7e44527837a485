"""The whole configuration of each client for an index."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mkindex.clients.configurations import CLIENTS, configuration_text
from mkindex.clients.served import RequiredProject, ServedIndex, ServedVariant, index_name
from mkindex.errors import ConfigError
from mkindex.probe.configure import ClientOptions
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
        configuration_text([PLAIN])
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
        configuration_text([replace(PLAIN, fallback="https://public.example.org/simple/")], "pip")
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
        configuration_text([WORST], "uv")
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
# Or keep them in a keyring, with UV_KEYRING_PROVIDER=subprocess in the environment:
#   keyring set http://packages.example.com:8080/team/simple/ USERNAME

# [tool.uv.sources] applies only to direct dependencies. If a private project is required only by
# another project, add it to `dependencies`, or to a group in [dependency-groups]. Otherwise uv
# takes it from the public index.
# If a table [tool.uv.sources] already exists, add these lines to it, without its name.
[tool.uv.sources]
demo = { index = "packages-example-com-8080-team" }
"""
    )


def test_uv_uses_a_find_links_page_as_a_flat_index_without_cache_control() -> None:
    text = configuration_text([replace(FLAT, stale_pages=WORST.stale_pages, name="ours")], "uv")
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
        configuration_text([replace(WORST, is_unverified=False, redirect_host="")], "pip")
        == """\
# For pip: save as ~/.config/pip/pip.conf, as pip.conf in a virtual environment, or as the file that
# PIP_CONFIG_FILE names.
# Dependency confusion: with a plain extra index, a higher version on another index would be installed.
# This index is served over http: anybody on the network path can change what is installed.
# pip ignores this index until it is served over https.
# Credentials: add this line to ~/.netrc (chmod 600):
#   machine packages.example.com login USERNAME password PASSWORD
# Or keep them in a keyring, with PIP_KEYRING_PROVIDER=subprocess in the environment:
#   keyring set http://packages.example.com:8080/team/simple/ USERNAME
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
    text = configuration_text([FLAT], "pip")
    assert text.endswith(
        "#   pip install --require-hashes --find-links https://packages.example.com/links.html -r requirements.txt\n"
        "[global]\n"
        "no-index = true\n"
        "find-links = https://packages.example.com/links.html\n"
    )


def test_poetry_takes_the_projects_from_an_explicit_source() -> None:
    assert (
        configuration_text([replace(PLAIN, is_selection=True, needs_password=True)], "poetry")
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
        configuration_text([replace(FLAT, needs_password=True)], "pdm")
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
    assert comment in configuration_text([many], client)
    assert comment not in configuration_text([replace(many, is_selection=True)], client)
    assert client == "pip" or configuration_text([many], client).count("demo-") == 2000


@pytest.mark.parametrize("client", ["pip", "pdm"])
def test_a_client_that_ignores_http_is_not_made_to_trust_it(client: str) -> None:
    text = configuration_text([replace(PLAIN, url="http://packages.example.com/simple/")], client)
    assert "ignores this index until it is served over https" in text
    assert "trust" not in text
    assert "http:" not in configuration_text([replace(PLAIN, url="http://localhost/simple/")], client).replace(
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
        configuration_text([index], "poetry")


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
        ClientOptions(targets=(URL,), name=(name,))


def test_a_period_in_the_name_is_rejected_for_poetry_only() -> None:
    assert ClientOptions(targets=(URL,), name=("our.own",), client="uv").name == ("our.own",)
    with pytest.raises(ConfigError, match="poetry makes an environment variable of it"):
        ClientOptions(targets=(URL,), name=("our.own",), client="poetry")


# --- the index --------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _isolated_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    scripted_server.isolate_client(monkeypatch, tmp_path / "home")


# --- several indexes, a default index, variants -----------------------------------------------------------------------

SECOND = ServedIndex(url="https://mirror.example/simple/", projects=("demo", "torch"), name="mirror")
DEFAULT = replace(SECOND, is_default=True)
VARIANTS = tuple(
    ServedVariant(name=name, url=f"https://gpu.example/whl/{name}/", projects=("accel",)) for name in ("cpu", "cu128")
)
WITH_VARIANTS = ServedIndex(url="https://gpu.example/simple/", projects=("accel", "plain"), variants=VARIANTS)
OURS = replace(PLAIN, name="ours", is_selection=True)


def uv_index(name: str, url: str, **values: object) -> dict[str, object]:
    return {"name": name, "url": url, **(values or {"explicit": True})}


def test_uv_takes_a_project_from_the_first_index_that_has_it() -> None:
    assert tomllib.loads(configuration_text([OURS, SECOND], "uv")) == {
        "tool": {
            "uv": {
                "index": [uv_index("ours", URL), uv_index("mirror", SECOND.url)],
                "sources": {"demo": {"index": "ours"}, "demo-app": {"index": "ours"}, "torch": {"index": "mirror"}},
            }
        }
    }


def test_an_index_whose_projects_are_all_in_others_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"^https://mirror.example/simple/: all of its projects are in the indexes"):
        configuration_text([SECOND, replace(SECOND, name="other")])


def test_two_indexes_of_one_name_are_an_error() -> None:
    with pytest.raises(ConfigError, match=r"^two indexes have the name mirror\. Give each one: --name, in their order"):
        configuration_text([SECOND, replace(OURS, name="mirror")])


def test_a_default_index_needs_no_names_of_projects_and_replaces_the_public_one() -> None:
    alone = [DEFAULT]
    assert tomllib.loads(configuration_text(alone, "uv")) == {
        "tool": {"uv": {"index": [uv_index("mirror", DEFAULT.url, default=True)]}}
    }
    assert tomllib.loads(configuration_text(alone, "poetry")) == {
        "tool": {"poetry": {"source": [{"name": "mirror", "url": DEFAULT.url, "priority": "primary"}]}}
    }
    assert tomllib.loads(configuration_text(alone, "pdm")) == {
        "tool": {"pdm": {"source": [{"name": "pypi", "url": DEFAULT.url}]}}
    }
    assert configuration_text(alone, "pip") == configuration_text([SECOND], "pip").replace(
        "# Dependency confusion: with a plain extra index, a higher version on another index would be installed.\n", ""
    )


def test_other_indexes_come_before_the_default_one() -> None:
    both = [OURS, DEFAULT]
    assert tomllib.loads(configuration_text(both, "uv"))["tool"]["uv"] == {
        "index": [uv_index("ours", URL), uv_index("mirror", DEFAULT.url, default=True)],
        "sources": {"demo": {"index": "ours"}, "demo-app": {"index": "ours"}},
    }
    poetry = tomllib.loads(configuration_text(both, "poetry"))["tool"]["poetry"]
    assert [source["priority"] for source in poetry["source"]] == ["explicit", "primary"]
    assert poetry["dependencies"] == {"demo": {"source": "ours"}, "demo-app": {"source": "ours"}}
    assert [source["name"] for source in tomllib.loads(configuration_text(both, "pdm"))["tool"]["pdm"]["source"]] == [
        "ours",
        "pypi",
    ]
    assert configuration_text(both).endswith(
        f"# For other clients: mkindex client {URL} {DEFAULT.url} --default with --for poetry, --for pdm.\n"
    )


def test_pip_can_use_only_one_index() -> None:
    with pytest.raises(ConfigError) as refused:
        configuration_text([OURS, SECOND], "pip")
    assert str(refused.value) == (
        "pip cannot restrict a project to one index, so it can use only one safely. Build one of all: mkindex "
        f"{URL} {SECOND.url} ./public --all --remote mirror"
    )


@pytest.mark.parametrize("is_default", [False, True])
def test_variants_are_extras_also_of_a_default_index(is_default: bool) -> None:
    read = tomllib.loads(configuration_text([replace(WITH_VARIANTS, name="gpu", is_default=is_default)], "uv"))
    assert read["project"] == {"optional-dependencies": {"cpu": ["accel"], "cu128": ["accel"]}}
    main = {"default": True} if is_default else {"explicit": True}
    assert read["tool"]["uv"] == {
        "conflicts": [[{"extra": "cpu"}, {"extra": "cu128"}]],
        "index": [
            uv_index("gpu", WITH_VARIANTS.url, **main),
            *(uv_index(f"gpu-{variant.name}", variant.url) for variant in VARIANTS),
        ],
        "sources": {
            "accel": [{"index": f"gpu-{variant.name}", "extra": variant.extra} for variant in VARIANTS],
            **({} if is_default else {"plain": {"index": "gpu"}}),
        },
    }


def test_an_extra_names_what_its_variant_requires_from_the_index_except_from_a_default_index() -> None:
    required = RequiredProject("plain"), RequiredProject("tool", 'os_name == "nt"'), RequiredProject("unselected")
    first, second = VARIANTS
    index = replace(
        WITH_VARIANTS, projects=("accel", "plain", "tool"), variants=(first, replace(second, required=required))
    )
    extras = {"cpu": ["accel"], "cu128": ["accel", "plain", 'tool; os_name == "nt"']}
    assert tomllib.loads(configuration_text([index]))["project"] == {"optional-dependencies": extras}
    of_default = tomllib.loads(configuration_text([replace(index, is_default=True)]))
    assert of_default["project"] == {"optional-dependencies": {"cpu": ["accel"], "cu128": ["accel"]}}


def test_a_missing_upload_time_is_a_comment_for_uv_only() -> None:
    comment = (
        "# Its pages have no upload times, so exclude-newer would hide all of its files. In that case, add:\n"
        "# exclude-newer = false\n"
    )
    without = replace(OURS, has_upload_times=False)
    assert [comment in configuration_text([without], client) for client in CLIENTS] == [True, False, False, False]
    assert comment not in configuration_text([OURS], "uv")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"targets": ()}, "give an address or a directory: mkindex client https://packages.example.com/simple/"),
        ({"name": ("a", "b")}, "--name is given more often than there are indexes"),
        (
            {"default": True, "project": ("demo",)},
            "--default and --project exclude each other: all projects come from the default index",
        ),
        (
            {"default": True, "client": "pdm", "name": ("ours",)},
            "--default and --name exclude each other for pdm: its default source is pypi",
        ),
    ],
)
def test_options_that_exclude_each_other_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        ClientOptions(**({"targets": (URL,)} | options))
    assert str(refused.value) == says
