"""The configuration of each client for an index, to be pasted as it is."""

import json
import re
import shlex
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from mkindex.clients.served import PAGE_ENDINGS, RESERVED_NAME, ServedIndex, index_name
from mkindex.errors import ConfigError
from mkindex.simple.links import path_of
from mkindex.text import and_more, printable

_LINE_LENGTH = 98  # of comments, without the mark
_MANY_PROJECTS = 300  # more than people list by hand


def configuration_text(indexes: Sequence[ServedIndex], client: str | None = None) -> str:
    """Return the configuration of a client, in ASCII.

    `client` is one of CLIENTS; None means uv, with a comment that names the others. Raises ConfigError for what this
    client cannot do.
    """
    indexes = _without_shared(indexes)
    has_default = any(index.is_default for index in indexes)
    lines = [*CLIENTS[client or "uv"](indexes)]
    if client is None:
        able = [other for other in CLIENTS if other not in ("uv", "pip" if len(indexes) > 1 else "")]
        others = ", ".join(f"--for {other}" for other in able)
        command = " ".join([*(shlex.quote(index.url) for index in indexes), *(["--default"] if has_default else [])])
        lines += ["", f"# For other clients: mkindex client {command} with {others}."]
    # pip reads its file in the encoding of the locale, so that only ASCII is safe.
    return "".join(f"{line}\n" for line in lines).encode("ascii", "backslashreplace").decode()


def _without_shared(indexes: Sequence[ServedIndex]) -> list[ServedIndex]:
    """Return the indexes with names of their own, each without the projects that an index before it has."""
    found: list[ServedIndex] = []
    taken: set[str] = set()
    names: set[str] = set()
    for index in indexes:
        name = index_name(index)
        if name in names:
            raise ConfigError(f"two indexes have the name {name}. Give each one: --name, in their order")
        # Of a default index, only variants must be chosen.
        own = {one for variant in index.variants for one in variant.projects} if index.is_default else index.projects
        projects = tuple(one for one in index.projects if one in own and one not in taken)
        if not projects and not index.is_default:
            raise ConfigError(f"{printable(index.url)}: all of its projects are in the indexes before it")
        found.append(replace(index, name=name, projects=projects))
        taken.update(projects)
        names.add(name)
    return found


def _uv(indexes: Sequence[ServedIndex]) -> Iterator[str]:
    yield "# For uv: add to pyproject.toml."
    yield from _warnings(indexes)
    yield from _uv_extras(indexes)
    for number, index in enumerate(indexes):
        if number:
            yield ""
        yield from _uv_index(index)
        for variant in index.variants:
            yield ""
            name = f"{index.name}-{variant.name}"
            yield from _uv_index(replace(index, name=name, url=variant.url, is_default=False))
    sources = [_uv_source(index, project) for index in indexes for project in index.projects]
    if not sources:
        return
    yield ""
    default = next((index.name for index in indexes if index.is_default), "the public index")
    yield from _comment(
        "[tool.uv.sources] applies only to direct dependencies. If a private project is required only by another "
        "project, add it to `dependencies`, or to a group in [dependency-groups]. Otherwise uv takes it from "
        f"{default}."
    )
    yield _merge("tool.uv.sources")
    yield "[tool.uv.sources]"
    yield from sources


def _uv_extras(indexes: Sequence[ServedIndex]) -> Iterator[str]:
    """Yield an extra for each variant, of which only one of an index can be installed."""
    with_variants = [index for index in indexes if index.variants]
    if not with_variants:
        return
    projects: dict[str, list[str]] = {}
    for index in with_variants:
        for variant in index.variants:
            own = [one for one in variant.projects if one in index.projects]
            required = [str(one) for one in variant.required if one.name in index.projects]
            projects[variant.extra] = [*projects.get(variant.extra, ()), *own, *required]
    example = with_variants[0].variants[-1].extra
    yield from _comment(
        f"Each variant has an index of its own, and an extra that selects it: uv sync --extra {example}. uv locks all "
        "of them. Add versions to the extras as you need them."
    )
    if any(variant.required for index in with_variants for variant in index.variants):
        yield from _comment("They also name the other projects of the index that these require: see the last comment.")
    yield _merge("project.optional-dependencies")
    yield "[project.optional-dependencies]"
    yield from (f"{extra} = {json.dumps(names)}" for extra, names in projects.items())
    yield ""
    yield _merge("tool.uv")
    yield "[tool.uv]"
    yield "conflicts = [["
    yield from (f"    {{ extra = {_toml_string(extra)} }}," for extra in projects)
    yield "]]"
    yield ""


def _uv_source(index: ServedIndex, project: str) -> str:
    """Return the line of a project: its index, or that of each variant."""
    variants = [variant for variant in index.variants if project in variant.projects]
    if not variants:
        return f"{project} = {{ index = {_toml_string(index.name)} }}"
    lines = [
        f"    {{ index = {_toml_string(f'{index.name}-{variant.name}')}, extra = {_toml_string(variant.extra)} }},"
        for variant in variants
    ]
    return "\n".join([f"{project} = [", *lines, "]"])


def _uv_index(index: ServedIndex) -> Iterator[str]:
    yield "[[tool.uv.index]]"
    yield f"name = {_toml_string(index.name)}"
    yield f"url = {_toml_string(index.url)}"
    if index.is_default:
        yield "default = true  # uv uses this index instead of the public one"
    else:
        yield "explicit = true  # uv uses this index only for the projects in [tool.uv.sources]"
    if index.is_find_links:
        yield 'format = "flat"'
    yield from _uv_cache_control(index)
    if not index.has_upload_times:
        yield "# Its pages have no upload times, so exclude-newer would hide all of its files. In that case, add:"
        yield "# exclude-newer = false"
    if index.answers_403:
        yield "ignore-error-codes = [403]  # what this host answers for unknown projects"
    if index.needs_password:
        variable = re.sub("[^A-Z0-9]", "_", index.name.upper())
        yield 'authenticate = "always"'
        yield f"# Credentials: set UV_INDEX_{variable}_USERNAME and UV_INDEX_{variable}_PASSWORD"
        yield "# in the environment, or add this line to ~/.netrc (chmod 600):"
        yield _netrc(index)
        yield from _keyring(index, "UV_KEYRING_PROVIDER")


def _uv_cache_control(index: ServedIndex) -> Iterator[str]:
    settings = []
    if index.stale_pages and not index.is_find_links:  # for find-links pages uv follows only the headers of the host
        yield f"# {index.stale_pages}."
        # Not max-age: --refresh and --upgrade would be given pages of up to that age, too.
        settings.append('api = "no-cache"')
    if not index.caches_files:
        yield "# The address of a file contains its hash, but the host does not allow clients to cache files."
        settings.append('files = "max-age=365000000, immutable"')
    if settings:
        yield f"cache-control = {{ {', '.join(settings)} }}"


def _pip(indexes: Sequence[ServedIndex]) -> Iterator[str]:
    if len(indexes) > 1:
        urls = " ".join(shlex.quote(index.url) for index in indexes)
        raise ConfigError(
            "pip cannot restrict a project to one index, so it can use only one safely. Build one of all: "
            f"mkindex {urls} ./public --all --remote mirror"
        )
    (index,) = indexes
    yield from _comment(
        "For pip: save as ~/.config/pip/pip.conf, as pip.conf in a virtual environment, or as the file that "
        "PIP_CONFIG_FILE names."
    )
    yield from _warnings(indexes)
    if index.is_plain_http:
        yield "# pip ignores this index until it is served over https."
    if index.needs_password:
        yield "# Credentials: add this line to ~/.netrc (chmod 600):"
        yield _netrc(index)
        yield from _keyring(index, "PIP_KEYRING_PROVIDER")
    yield from _only_index_of_pip(index)
    yield from _choice_of_variant(index)
    yield "[global]"
    if index.is_find_links:
        yield "no-index = true"
        yield f"find-links = {index.url}"
    else:
        yield f"index-url = {index.url}"
        yield "# Remove indexes that another pip.conf on this machine adds:"
        yield "extra-index-url ="
        yield "find-links ="


def _only_index_of_pip(index: ServedIndex) -> Iterator[str]:
    """Yield comments on where pip takes other projects from, as it uses no other index."""
    if index.fallback:
        yield from _comment(
            "With this file pip uses no other index. For projects that this index does not have, its server redirects "
            f"pip to {index.fallback} - never for those that it has or reserves, if `mkindex host` configured it."
        )
        return
    yield from _comment(
        "pip cannot restrict a project to one index. So with this file it uses no other index: publish the "
        "dependencies and build dependencies of your projects in this index, too. If they must come from another "
        "index, do not use this file. Instead, install from a list with the hashes of all files, which no other file "
        "matches:"
    )
    option = "--find-links" if index.is_find_links else "--extra-index-url"
    yield f"#   pip install --require-hashes {option} {shlex.quote(index.url)} -r requirements.txt"


def _poetry(indexes: Sequence[ServedIndex]) -> Iterator[str]:
    for index in indexes:
        _refuse_for_poetry(index)
    yield "# For poetry: add to pyproject.toml."
    yield from _warnings(indexes)
    for number, index in enumerate(indexes):
        if number:
            yield ""
        yield from _poetry_source(index)
    projects = [(project, index.name) for index in indexes for project in index.projects if not index.is_default]
    if not projects:
        return
    yield ""
    default = next((index.name for index in indexes if index.is_default), "the public index")
    yield from _comment(
        "These lines apply to the dependencies in [project]. If it has none, they are dependencies themselves. For a "
        "dependency in a group, copy its line to [tool.poetry.group.NAME.dependencies]. If a private project is "
        "required only by another project, add it to the dependencies in [project]. Otherwise poetry takes it from "
        f"{default}."
    )
    yield _merge("tool.poetry.dependencies")
    yield "[tool.poetry.dependencies]"
    yield from (f"{project} = {{ source = {_toml_string(name)} }}" for project, name in projects)


def _poetry_source(index: ServedIndex) -> Iterator[str]:
    yield from _choice_of_variant(index)
    yield "[[tool.poetry.source]]"
    yield f"name = {_toml_string(index.name)}"
    yield f"url = {_toml_string(index.url)}"
    if index.is_default:
        yield 'priority = "primary"  # poetry uses this source instead of the public index'
    else:
        yield 'priority = "explicit"  # poetry uses this source only for the projects below'
    if index.needs_password:
        variable = index.name.upper().replace("-", "_")
        yield f"# Credentials: set POETRY_HTTP_BASIC_{variable}_USERNAME and POETRY_HTTP_BASIC_{variable}_PASSWORD"
        ask = f"poetry config http-basic.{index.name} USERNAME"
        yield f"# in the environment, or run `{ask}`, which asks for the password."


def _refuse_for_poetry(index: ServedIndex) -> None:
    """Raise ConfigError for an index that poetry cannot use, or would use in another way."""
    if index.is_local:
        raise ConfigError(
            f"poetry cannot use a directory: serve {printable(path_of(index.url))} and give its http address "
            "(`mkindex serve` serves what mkindex made)"
        )
    if index.is_find_links and not index.url.endswith(PAGE_ENDINGS):
        raise ConfigError(
            f"poetry uses {printable(index.url)} as an index, because it does not end in .html. Make an index of it: "
            f"mkindex {shlex.quote(index.url)} ./public"
        )
    if not (index.is_selection or index.is_default):
        raise ConfigError(
            f"--for poetry requires --project, such as --project {index.projects[0]}: poetry installs all projects in "
            "its configuration if [project] has no dependencies. "
            f"This index has {and_more(index.projects)}; --project '*' selects all"
        )


def _pdm(indexes: Sequence[ServedIndex]) -> Iterator[str]:
    yield "# For PDM: add to pyproject.toml."
    yield from _warnings(indexes)
    for number, index in enumerate(indexes):
        if number:
            yield ""
        yield from _pdm_source(index)


def _pdm_source(index: ServedIndex) -> Iterator[str]:
    if index.is_plain_http:
        yield "# PDM ignores this index until it is served over https."
    yield from _choice_of_variant(index)
    yield "[[tool.pdm.source]]"
    if index.is_default:
        yield f"name = {_toml_string(RESERVED_NAME)}  # PDM uses the source of this name instead of the public index"
    else:
        yield f"name = {_toml_string(index.name)}"
    yield f"url = {_toml_string(index.url)}"
    if index.is_find_links:
        yield 'type = "find_links"'
    if index.needs_password:
        yield "# Credentials: add this line to ~/.netrc (chmod 600):"
        yield _netrc(index)
    if index.is_default:
        return
    yield from _comment(
        "PDM takes these projects only from this source, also if another project requires them. It takes nothing "
        "else from it."
    )
    yield "include_packages = ["
    yield from (f"    {_toml_string(project)}," for project in index.projects)
    yield "]"
    yield 'exclude_packages = ["*"]'


CLIENTS: dict[str, Callable[[Sequence[ServedIndex]], Iterator[str]]] = {
    "uv": _uv,
    "pip": _pip,
    "poetry": _poetry,
    "pdm": _pdm,
}


def _warnings(indexes: Sequence[ServedIndex]) -> Iterator[str]:
    """Yield comments that apply to every client."""
    if not all(index.is_default for index in indexes):
        yield "# Dependency confusion: with a plain extra index, a higher version on another index would be installed."
    for index in indexes:
        this = index.name if len(indexes) > 1 else "This index"
        if index.is_unverified:
            yield f"# {this} could not be read without a password: its type and projects are what mkindex was given."
        if index.is_plain_http:
            yield f"# {this} is served over http: anybody on the network path can change what is installed."
        if index.redirect_host:
            pages = "this index" if this == "This index" else this
            yield f"# Requests for pages of {pages} are redirected to {index.redirect_host}."
        if len(index.projects) > _MANY_PROJECTS and not index.is_selection:
            count, pages = len(index.projects), "this index" if this == "This index" else this
            yield f"# All {count:,} projects of {pages}. --project NAME_OR_GLOB prints only those that you need."


def _choice_of_variant(index: ServedIndex) -> Iterator[str]:
    """Yield the addresses of variants, of which other clients than uv use one at a time."""
    if index.variants:
        yield "# Each variant has an index of its own. Replace the address below by one of these:"
        yield from (f"#   {variant.name}: {variant.url}" for variant in index.variants)


def _merge(table: str) -> str:
    return f"# If a table [{table}] already exists, add these lines to it, without its name."


def _comment(text: str) -> Iterator[str]:
    """Yield a text as comment lines of a readable length."""
    for line in textwrap.wrap(text, _LINE_LENGTH, break_long_words=False, break_on_hyphens=False):
        yield f"# {line}"


def _netrc(index: ServedIndex) -> str:
    return f"#   machine {urlsplit(index.url).hostname} login USERNAME password PASSWORD"


def _keyring(index: ServedIndex, variable: str) -> Iterator[str]:
    yield f"# Or keep them in a keyring, with {variable}=subprocess in the environment:"
    yield f"#   keyring set {shlex.quote(index.url)} USERNAME"


def _toml_string(text: str) -> str:
    """Return ASCII text as a TOML string; JSON's escapes mean the same there."""
    return json.dumps(text)
