"""The configuration of each client for an index, to be pasted as it is."""

import json
import re
import shlex
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from mkindex.errors import ConfigError
from mkindex.simple.links import is_loopback, path_of
from mkindex.text import and_more, printable

PAGE_ENDINGS = (".html", ".htm")


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedVariant:
    """The index of a variant: some projects have other files there."""

    name: str  # letters, digits and . _ -
    url: str  # of its index, as that of ServedIndex
    projects: tuple[str, ...]  # normalized names, sorted: those of which it has files of its own

    @property
    def extra(self) -> str:
        """A normalized name for an extra that selects the variant."""
        return re.sub(r"[-_.]+", "-", self.name).strip("-")


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedIndex:
    """The properties of an index that the configuration of a client depends on."""

    url: str  # of the index or find-links page: ASCII, without credentials, query and fragment
    projects: tuple[str, ...]  # normalized names, sorted: those that come only from this index
    is_find_links: bool = False
    is_selection: bool = False  # the user chose the projects; otherwise they are all that it has
    needs_password: bool = False
    is_unverified: bool = False  # it could not be read: all other values come from the user
    answers_403: bool = False  # for unknown projects
    stale_pages: str = ""  # why uv would miss a new release for some time
    caches_files: bool = True  # clients keep files for as long as they may, as far as known
    fallback: str = ""  # another index, to which requests for unknown projects are redirected
    redirect_host: str = ""  # another host that requests for its pages are redirected to
    variants: tuple[ServedVariant, ...] = ()  # indexes beside it, of which a project uses one

    @property
    def is_local(self) -> bool:
        """Whether it is a directory."""
        return self.url.startswith("file:")

    @property
    def is_plain_http(self) -> bool:
        """Whether anybody on the network path can change what is installed."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and not is_loopback(parts.hostname or "")


_LINE_LENGTH = 98  # of comments, without the mark
_MANY_PROJECTS = 300  # more than people list by hand
RESERVED_NAME = "pypi"  # what clients call the public index


def index_name(index: ServedIndex) -> str:
    """Return a name for an index, made from its host, port and path, or from its directory."""
    parts = urlsplit(index.url)
    path = [unquote(part) for part in parts.path.removesuffix(".html").removesuffix(".htm").split("/") if part]
    if path[-1:] == ["simple"]:
        path.pop()
    words = path[-2 if index.is_find_links else -1 :] if index.is_local else [parts.netloc, *path]
    name = re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")
    return f"{name}-index".lstrip("-") if name in ("", RESERVED_NAME) else name


def configuration_text(index: ServedIndex, client: str | None = None, name: str = "") -> str:
    """Return the configuration of a client, in ASCII.

    `client` is one of CLIENTS; None means uv, with a comment that names the others. `name` is the name of the index;
    "" means one made from its address. Raises ConfigError for what this client cannot do.
    """
    lines = [*CLIENTS[client or "uv"](index, name or index_name(index))]
    if client is None:
        others = ", ".join(f"--for {other}" for other in CLIENTS if other != "uv")
        lines += ["", f"# For other clients: mkindex client {shlex.quote(index.url)} with {others}."]
    # pip reads its file in the encoding of the locale, so that only ASCII is safe.
    return "".join(f"{line}\n" for line in lines).encode("ascii", "backslashreplace").decode()


def _uv(index: ServedIndex, name: str) -> Iterator[str]:
    yield "# For uv: add to pyproject.toml."
    yield from _warnings(index)
    yield from _uv_extras(index)
    yield from _uv_index(index, name, index.url)
    for variant in index.variants:
        yield ""
        yield from _uv_index(index, f"{name}-{variant.name}", variant.url)
    yield ""
    yield from _comment(
        "[tool.uv.sources] applies only to direct dependencies. If a private project is required only by another "
        "project, add it to `dependencies`, or to a group in [dependency-groups]. Otherwise uv takes it from the "
        "public index."
    )
    yield _merge("tool.uv.sources")
    yield "[tool.uv.sources]"
    yield from (_uv_source(index, name, project) for project in index.projects)


def _uv_extras(index: ServedIndex) -> Iterator[str]:
    """Yield an extra for each variant, of which only one can be installed."""
    if not index.variants:
        return
    example = index.variants[-1].extra
    yield from _comment(
        f"Each variant has an index of its own, and an extra that selects it: uv sync --extra {example}. uv locks all "
        "of them. Add versions to the extras as you need them."
    )
    yield _merge("project.optional-dependencies")
    yield "[project.optional-dependencies]"
    for variant in index.variants:
        yield f"{variant.extra} = {json.dumps([one for one in variant.projects if one in index.projects])}"
    yield ""
    yield _merge("tool.uv")
    yield "[tool.uv]"
    yield "conflicts = [["
    yield from (f"    {{ extra = {_toml_string(variant.extra)} }}," for variant in index.variants)
    yield "]]"
    yield ""


def _uv_source(index: ServedIndex, name: str, project: str) -> str:
    """Return the line of a project: its index, or that of each variant."""
    variants = [variant for variant in index.variants if project in variant.projects]
    if not variants:
        return f"{project} = {{ index = {_toml_string(name)} }}"
    lines = [
        f"    {{ index = {_toml_string(f'{name}-{variant.name}')}, extra = {_toml_string(variant.extra)} }},"
        for variant in variants
    ]
    return "\n".join([f"{project} = [", *lines, "]"])


def _uv_index(index: ServedIndex, name: str, url: str) -> Iterator[str]:
    yield "[[tool.uv.index]]"
    yield f"name = {_toml_string(name)}"
    yield f"url = {_toml_string(url)}"
    yield "explicit = true  # uv uses this index only for the projects in [tool.uv.sources]"
    if index.is_find_links:
        yield 'format = "flat"'
    yield from _uv_cache_control(index)
    if index.answers_403:
        yield "ignore-error-codes = [403]  # what this host answers for unknown projects"
    if index.needs_password:
        variable = re.sub("[^A-Z0-9]", "_", name.upper())
        yield 'authenticate = "always"'
        yield f"# Credentials: set UV_INDEX_{variable}_USERNAME and UV_INDEX_{variable}_PASSWORD"
        yield "# in the environment, or add this line to ~/.netrc (chmod 600):"
        yield _netrc(index)


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


def _pip(index: ServedIndex, name: str) -> Iterator[str]:
    del name
    yield from _comment(
        "For pip: save as ~/.config/pip/pip.conf, as pip.conf in a virtual environment, or as the file that "
        "PIP_CONFIG_FILE names."
    )
    yield from _warnings(index)
    if index.is_plain_http:
        yield "# pip ignores this index until it is served over https."
    if index.needs_password:
        yield "# Credentials: add this line to ~/.netrc (chmod 600):"
        yield _netrc(index)
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


def _poetry(index: ServedIndex, name: str) -> Iterator[str]:
    _refuse_for_poetry(index)
    yield "# For poetry: add to pyproject.toml."
    yield from _warnings(index)
    yield from _choice_of_variant(index)
    yield "[[tool.poetry.source]]"
    yield f"name = {_toml_string(name)}"
    yield f"url = {_toml_string(index.url)}"
    yield 'priority = "explicit"  # poetry uses this source only for the projects below'
    if index.needs_password:
        variable = name.upper().replace("-", "_")
        yield f"# Credentials: set POETRY_HTTP_BASIC_{variable}_USERNAME and POETRY_HTTP_BASIC_{variable}_PASSWORD"
        yield f"# in the environment, or run `poetry config http-basic.{name} USERNAME`, which asks for the password."
    yield ""
    yield from _comment(
        "These lines apply to the dependencies in [project]. If it has none, they are dependencies themselves. For a "
        "dependency in a group, copy its line to [tool.poetry.group.NAME.dependencies]. If a private project is "
        "required only by another project, add it to the dependencies in [project]. Otherwise poetry takes it from "
        "the public index."
    )
    yield _merge("tool.poetry.dependencies")
    yield "[tool.poetry.dependencies]"
    yield from (f"{project} = {{ source = {_toml_string(name)} }}" for project in index.projects)


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
    if not index.is_selection:
        raise ConfigError(
            f"--for poetry requires --project, such as --project {index.projects[0]}: poetry installs all projects in "
            "its configuration if [project] has no dependencies. "
            f"This index has {and_more(index.projects)}; --project '*' selects all"
        )


def _pdm(index: ServedIndex, name: str) -> Iterator[str]:
    yield "# For PDM: add to pyproject.toml."
    yield from _warnings(index)
    if index.is_plain_http:
        yield "# PDM ignores this index until it is served over https."
    yield from _choice_of_variant(index)
    yield "[[tool.pdm.source]]"
    yield f"name = {_toml_string(name)}"
    yield f"url = {_toml_string(index.url)}"
    if index.is_find_links:
        yield 'type = "find_links"'
    if index.needs_password:
        yield "# Credentials: add this line to ~/.netrc (chmod 600):"
        yield _netrc(index)
    yield from _comment(
        "PDM takes these projects only from this source, also if another project requires them. It takes nothing "
        "else from it."
    )
    yield "include_packages = ["
    yield from (f"    {_toml_string(project)}," for project in index.projects)
    yield "]"
    yield 'exclude_packages = ["*"]'


CLIENTS: dict[str, Callable[[ServedIndex, str], Iterator[str]]] = {
    "uv": _uv,
    "pip": _pip,
    "poetry": _poetry,
    "pdm": _pdm,
}


def _warnings(index: ServedIndex) -> Iterator[str]:
    """Yield comments that apply to every client."""
    yield "# Dependency confusion: with a plain extra index, a higher version on another index would be installed."
    if index.is_unverified:
        yield "# This index could not be read without a password: its type and projects are what mkindex was given."
    if index.is_plain_http:
        yield "# This index is served over http: anybody on the network path can change what is installed."
    if index.redirect_host:
        yield f"# Requests for pages of this index are redirected to {index.redirect_host}."
    if len(index.projects) > _MANY_PROJECTS and not index.is_selection:
        count = len(index.projects)
        yield f"# All {count:,} projects of this index. --project NAME_OR_GLOB prints only those that you need."


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


def _toml_string(text: str) -> str:
    """Return ASCII text as a TOML string; JSON's escapes mean the same there."""
    return json.dumps(text)
