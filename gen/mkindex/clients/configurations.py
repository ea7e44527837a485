"""The configuration of each client for an index, to be pasted as it is."""

import json
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from mkindex.errors import ConfigError
from mkindex.simple.links import is_loopback, path_of
from mkindex.text import printable

PAGE_ENDINGS = (".html", ".htm")


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedIndex:
    """What a client needs to know about an index."""

    url: str  # of the index or find-links page: ASCII, without credentials, query and fragment
    projects: tuple[str, ...]  # normalized names, sorted: those that come only from this index
    is_find_links: bool = False
    is_selection: bool = False  # the user chose the projects; otherwise they are all that it has
    needs_password: bool = False
    is_unverified: bool = False  # it could not be read: everything else here is what the user said
    answers_403: bool = False  # for unknown projects
    stale_pages: str = ""  # why uv would miss a new release for some time
    caches_files: bool = True  # clients keep files for as long as they may, as far as known
    redirect_host: str = ""  # another host that requests for its pages are redirected to

    @property
    def is_local(self) -> bool:
        """Whether it is a directory."""
        return self.url.startswith("file:")

    @property
    def is_plain_http(self) -> bool:
        """Whether anybody on the network path can change what is installed."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and not is_loopback(parts.hostname or "")


def first_few(names: Sequence[str]) -> list[str]:
    """Return the first names, and an ellipsis if there are more."""
    return [*names[:5], "…"] if len(names) > 6 else list(names)


_MERGE = "# Where there is such a table already, leave out its name here, and put the lines into that."
_MANY_PROJECTS = 300  # more than anybody lists by hand
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
    yield "# For uv, in pyproject.toml."
    yield from _warnings(index)
    yield "[[tool.uv.index]]"
    yield f"name = {_toml_string(name)}"
    yield f"url = {_toml_string(index.url)}"
    yield "explicit = true  # only what stands in [tool.uv.sources] is looked for here"
    if index.is_find_links:
        yield 'format = "flat"'
    control = []
    if index.stale_pages and not index.is_find_links:  # for find-links pages uv follows only the headers of the host
        yield f"# {index.stale_pages}."
        # Not max-age: --refresh and --upgrade would be given pages of up to that age, too.
        control.append('api = "no-cache"')
    if not index.caches_files:
        yield "# The address of each file holds its hash, and the host does not say that it may be kept."
        control.append('files = "max-age=365000000, immutable"')
    if control:
        yield f"cache-control = {{ {', '.join(control)} }}"
    if index.answers_403:
        yield "ignore-error-codes = [403]  # the answer of this host for a project that it does not have"
    if index.needs_password:
        variable = re.sub("[^A-Z0-9]", "_", name.upper())
        yield 'authenticate = "always"'
        yield f"# Credentials: UV_INDEX_{variable}_USERNAME and UV_INDEX_{variable}_PASSWORD"
        yield f"# in the environment, or a line in ~/.netrc (chmod 600): {_netrc(index)}"
    yield ""
    yield "# This holds for what this very file requires. A private project that only another one requires has to stand"
    yield "# in `dependencies`, too, or in a group of [dependency-groups]: else it comes from the public index."
    yield _MERGE
    yield "[tool.uv.sources]"
    yield from (f"{project} = {{ index = {_toml_string(name)} }}" for project in index.projects)


def _pip(index: ServedIndex, name: str) -> Iterator[str]:
    del name
    yield "# For pip, in pip.conf: ~/.config/pip/pip.conf, one in a virtual environment, or what PIP_CONFIG_FILE names."
    yield from _warnings(index)
    if index.is_plain_http:
        yield "# pip passes over it until it is served over https."
    if index.needs_password:
        yield f"# Credentials: a line in ~/.netrc (chmod 600): {_netrc(index)}"
    yield "# pip cannot keep a project to an index. So this one is all that it asks: put copies of what your projects"
    yield "# require, and are built with, into it. Where these have to come from elsewhere, do without this file, and"
    yield "# install from a list with the hashes of all files, which no stranger's file fits:"
    option = "--find-links" if index.is_find_links else "--extra-index-url"
    yield f"#   pip install --require-hashes {option} {shlex.quote(index.url)} -r requirements.txt"
    yield "[global]"
    if index.is_find_links:
        yield "no-index = true"
        yield f"find-links = {index.url}"
    else:
        yield f"index-url = {index.url}"
        yield "# Nothing besides, whatever another pip.conf of this machine adds:"
        yield "extra-index-url ="
        yield "find-links ="


def _poetry(index: ServedIndex, name: str) -> Iterator[str]:
    if index.is_local:
        raise ConfigError(
            f"poetry reads nothing from a directory: serve {printable(path_of(index.url))}, as mkindex serve does with "
            "what mkindex made, and give the address that it has then"
        )
    if index.is_find_links and not index.url.endswith(PAGE_ENDINGS):
        raise ConfigError(
            f"poetry takes {printable(index.url)} for an index, since it does not end in .html: make one of it with "
            f"`mkindex {shlex.quote(index.url)} ./public`"
        )
    if not index.is_selection:
        raise ConfigError(
            f"name the projects that yours requires, as in --project {index.projects[0]}: poetry installs all that "
            "stand in its configuration where [project] has no dependencies. This index has "
            f"{', '.join(first_few(index.projects))}; --project '*' means all"
        )
    yield "# For poetry, in pyproject.toml."
    yield from _warnings(index)
    yield "[[tool.poetry.source]]"
    yield f"name = {_toml_string(name)}"
    yield f"url = {_toml_string(index.url)}"
    yield 'priority = "explicit"  # only what stands below is looked for here'
    if index.needs_password:
        variable = name.upper().replace("-", "_")
        yield f"# Credentials: POETRY_HTTP_BASIC_{variable}_USERNAME and POETRY_HTTP_BASIC_{variable}_PASSWORD"
        yield f"# in the environment, or `poetry config http-basic.{name} USERNAME`, which asks for the password."
    yield ""
    yield "# This holds for what stands in [project] dependencies; where that has none, these lines are dependencies."
    yield "# What stands in a group needs its line in [tool.poetry.group.NAME.dependencies]. A private project that"
    yield "# only another one requires has to stand in [project] dependencies, or it comes from the public index."
    yield _MERGE
    yield "[tool.poetry.dependencies]"
    yield from (f"{project} = {{ source = {_toml_string(name)} }}" for project in index.projects)


def _pdm(index: ServedIndex, name: str) -> Iterator[str]:
    yield "# For PDM, in pyproject.toml."
    yield from _warnings(index)
    if index.is_plain_http:
        yield "# PDM passes over it until it is served over https."
    yield "[[tool.pdm.source]]"
    yield f"name = {_toml_string(name)}"
    yield f"url = {_toml_string(index.url)}"
    if index.is_find_links:
        yield 'type = "find_links"'
    if index.needs_password:
        yield f"# Credentials: a line in ~/.netrc (chmod 600): {_netrc(index)}"
    yield "# These are looked for here alone, whatever requires them; and nothing else is."
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
    yield "# A bare extra index is dangerous: whoever publishes a higher version of your project elsewhere is believed."
    if index.is_unverified:
        yield "# It did not let mkindex look: what it is, and what it has, is only what you said."
    if index.is_plain_http:
        yield "# It is served over http: whoever is between can change what is installed."
    if index.redirect_host:
        yield f"# Requests for its pages are redirected to {index.redirect_host}."
    if len(index.projects) > _MANY_PROJECTS and not index.is_selection:
        yield f"# All its {len(index.projects):,} projects; --project NAME_OR_GLOB prints those that you need."


def _netrc(index: ServedIndex) -> str:
    return f"machine {urlsplit(index.url).hostname} login USERNAME password PASSWORD"


def _toml_string(text: str) -> str:
    """Return ASCII text as a TOML string; JSON's escapes mean the same there."""
    return json.dumps(text)
