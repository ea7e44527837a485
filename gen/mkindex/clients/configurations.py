"""What was seen of an index, in the words of each client: lines to be pasted as they are."""

import json
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from mkindex.errors import ConfigError
from mkindex.simple.links import is_loopback, path_of
from mkindex.text import printable

PAGES = (".html", ".htm")


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedIndex:
    """What a client has to know of an index."""

    url: str  # of the index, or of the find-links page: ASCII, without credentials, query and fragment
    projects: tuple[str, ...]  # normalized names, sorted: those that are to be kept to it
    flat: bool = False  # a find-links page
    chosen: bool = False  # somebody named the projects; else they are all that there are
    wants_password: bool = False
    unseen: bool = False  # nobody let us in: what is elsewhere in here is a guess
    answers_403: bool = False  # for a project that it does not have
    late: str = ""  # why uv would see a new release late; "": it does not
    keeps_files: bool = True  # files may be kept for ever as it is, or nobody knows that they may
    elsewhere: str = ""  # the host that requests for its pages are redirected to, where that is another

    @property
    def local(self) -> bool:
        return self.url.startswith("file:")

    @property
    def is_open_to_all(self) -> bool:
        """Whether who is between can change what is installed."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and not is_loopback(parts.hostname or "")


def few(names: Sequence[str]) -> list[str]:
    """Return the first names, with a mark where there are more."""
    return [*names[:5], "…"] if len(names) > 6 else list(names)


_MERGE = "# Where there is such a table already, leave out its name here, and put the lines into that."
_MANY = 300  # projects that nobody lists by hand
TAKEN = "pypi"  # what clients call the public index


def index_name(facts: ServedIndex) -> str:
    """Return a name for an index that says where it is: host, port and path, or the directory."""
    parts = urlsplit(facts.url)
    path = [unquote(part) for part in parts.path.removesuffix(".html").removesuffix(".htm").split("/") if part]
    if path[-1:] == ["simple"]:
        path.pop()
    words = path[-2 if facts.flat else -1 :] if facts.local else [parts.netloc, *path]
    name = re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")
    return f"{name}-index".lstrip("-") if name in ("", TAKEN) else name


def written(facts: ServedIndex, client: str | None = None, name: str = "") -> str:
    """Return the configuration of a client: lines of ASCII, each with its end.

    `client`, `name`: as in Options. Raises ConfigError for what this client cannot do.
    """
    lines = [*CLIENTS[client or "uv"](facts, name or index_name(facts))]
    if client is None:
        others = ", ".join(f"--for {other}" for other in CLIENTS if other != "uv")
        lines += ["", f"# For other clients: mkindex client {shlex.quote(facts.url)} with {others}."]
    # pip reads its file in whatever encoding the machine has.
    return "".join(f"{line}\n" for line in lines).encode("ascii", "backslashreplace").decode()


def _uv(facts: ServedIndex, name: str) -> Iterator[str]:
    yield "# For uv, in pyproject.toml."
    yield from _warnings(facts)
    yield "[[tool.uv.index]]"
    yield f"name = {_quoted(name)}"
    yield f"url = {_quoted(facts.url)}"
    yield "explicit = true  # only what stands in [tool.uv.sources] is looked for here"
    if facts.flat:
        yield 'format = "flat"'
    control = []
    if facts.late and not facts.flat:  # of find-links pages uv heeds only what the host says
        yield f"# {facts.late}."
        # Not a number of seconds: --refresh and --upgrade, too, would get what is not older than that.
        control.append('api = "no-cache"')
    if not facts.keeps_files:
        yield "# The address of each file holds its hash, and the host does not say that it may be kept."
        control.append('files = "max-age=365000000, immutable"')
    if control:
        yield f"cache-control = {{ {', '.join(control)} }}"
    if facts.answers_403:
        yield "ignore-error-codes = [403]  # the answer of this host for a project that it does not have"
    if facts.wants_password:
        variable = re.sub("[^A-Z0-9]", "_", name.upper())
        yield 'authenticate = "always"'
        yield f"# Credentials: UV_INDEX_{variable}_USERNAME and UV_INDEX_{variable}_PASSWORD"
        yield f"# in the environment, or a line in ~/.netrc (chmod 600): {_netrc(facts)}"
    yield ""
    yield "# This holds for what this very file requires. A private project that only another one requires has to stand"
    yield "# in `dependencies`, too, or in a group of [dependency-groups]: else it comes from the public index."
    yield _MERGE
    yield "[tool.uv.sources]"
    yield from (f"{project} = {{ index = {_quoted(name)} }}" for project in facts.projects)


def _pip(facts: ServedIndex, name: str) -> Iterator[str]:
    del name
    yield "# For pip, in pip.conf: ~/.config/pip/pip.conf, one in a virtual environment, or what PIP_CONFIG_FILE names."
    yield from _warnings(facts)
    if facts.is_open_to_all:
        yield "# pip passes over it until it is served over https."
    if facts.wants_password:
        yield f"# Credentials: a line in ~/.netrc (chmod 600): {_netrc(facts)}"
    yield "# pip cannot keep a project to an index. So this one is all that it asks: put copies of what your projects"
    yield "# require, and are built with, into it. Where these have to come from elsewhere, do without this file, and"
    yield "# install from a list with the hashes of all files, which no stranger's file fits:"
    option = "--find-links" if facts.flat else "--extra-index-url"
    yield f"#   pip install --require-hashes {option} {shlex.quote(facts.url)} -r requirements.txt"
    yield "[global]"
    if facts.flat:
        yield "no-index = true"
        yield f"find-links = {facts.url}"
    else:
        yield f"index-url = {facts.url}"
        yield "# Nothing besides, whatever another pip.conf of this machine adds:"
        yield "extra-index-url ="
        yield "find-links ="


def _poetry(facts: ServedIndex, name: str) -> Iterator[str]:
    if facts.local:
        raise ConfigError(
            f"poetry reads nothing from a directory: serve {printable(path_of(facts.url))}, as mkindex serve does with "
            "what mkindex made, and give the address that it has then"
        )
    if facts.flat and not facts.url.endswith(PAGES):
        raise ConfigError(
            f"poetry takes {printable(facts.url)} for an index, since it does not end in .html: make one of it with "
            f"`mkindex {shlex.quote(facts.url)} ./public`"
        )
    if not facts.chosen:
        raise ConfigError(
            f"name the projects that yours requires, as in --project {facts.projects[0]}: poetry installs all that "
            "stand in its configuration where [project] has no dependencies. This index has "
            f"{', '.join(few(facts.projects))}; --project '*' means all"
        )
    yield "# For poetry, in pyproject.toml."
    yield from _warnings(facts)
    yield "[[tool.poetry.source]]"
    yield f"name = {_quoted(name)}"
    yield f"url = {_quoted(facts.url)}"
    yield 'priority = "explicit"  # only what stands below is looked for here'
    if facts.wants_password:
        variable = name.upper().replace("-", "_")
        yield f"# Credentials: POETRY_HTTP_BASIC_{variable}_USERNAME and POETRY_HTTP_BASIC_{variable}_PASSWORD"
        yield f"# in the environment, or `poetry config http-basic.{name} USERNAME`, which asks for the password."
    yield ""
    yield "# This holds for what stands in [project] dependencies; where that has none, these lines are dependencies."
    yield "# What stands in a group needs its line in [tool.poetry.group.NAME.dependencies]. A private project that"
    yield "# only another one requires has to stand in [project] dependencies, or it comes from the public index."
    yield _MERGE
    yield "[tool.poetry.dependencies]"
    yield from (f"{project} = {{ source = {_quoted(name)} }}" for project in facts.projects)


def _pdm(facts: ServedIndex, name: str) -> Iterator[str]:
    yield "# For PDM, in pyproject.toml."
    yield from _warnings(facts)
    if facts.is_open_to_all:
        yield "# PDM passes over it until it is served over https."
    yield "[[tool.pdm.source]]"
    yield f"name = {_quoted(name)}"
    yield f"url = {_quoted(facts.url)}"
    if facts.flat:
        yield 'type = "find_links"'
    if facts.wants_password:
        yield f"# Credentials: a line in ~/.netrc (chmod 600): {_netrc(facts)}"
    yield "# These are looked for here alone, whatever requires them; and nothing else is."
    yield "include_packages = ["
    yield from (f"    {_quoted(project)}," for project in facts.projects)
    yield "]"
    yield 'exclude_packages = ["*"]'


CLIENTS: dict[str, Callable[[ServedIndex, str], Iterator[str]]] = {
    "uv": _uv,
    "pip": _pip,
    "poetry": _poetry,
    "pdm": _pdm,
}


def _warnings(facts: ServedIndex) -> Iterator[str]:
    """Yield what holds for every client, as comments."""
    yield "# A bare extra index is dangerous: whoever publishes a higher version of your project elsewhere is believed."
    if facts.unseen:
        yield "# It did not let mkindex look: what it is, and what it has, is only what you said."
    if facts.is_open_to_all:
        yield "# It is served over http: whoever is between can change what is installed."
    if facts.elsewhere:
        yield f"# Requests for its pages are redirected to {facts.elsewhere}."
    if len(facts.projects) > _MANY and not facts.chosen:
        yield f"# All its {len(facts.projects):,} projects; --project NAME_OR_GLOB prints those that you need."


def _netrc(facts: ServedIndex) -> str:
    return f"machine {urlsplit(facts.url).hostname} login USERNAME password PASSWORD"


def _quoted(text: str) -> str:
    """Return ASCII as a string of TOML, where JSON's escapes mean the same."""
    return json.dumps(text)
